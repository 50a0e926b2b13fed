/* changes.c - see changes.h. Four of five stores, the rest updates, deletes and now and then a clean-up, over few ids
 * and few keys, so that rows meet. */
#include "changes.h"

#include <string.h>

void
change_draw(struct random_source *random, struct change *change)
{
    uint32_t kind = random_below(random, 100);
    uint32_t table = random_below(random, 4);
    size_t   full;

    memset(change, 0, sizeof *change);
    change->kind = kind < 70 ? CHANGE_STORE : kind < 82 ? CHANGE_UPDATE : kind < 99 ? CHANGE_DELETE : CHANGE_CLEAN_UP;
    change->table = table < 2 ? KNACKDB_EXECUTION_PATTERNS : (int) table - 1;
    change->id = random_id(random);
    full = model_shapes[change->table].column_count;
    switch (change->kind) {
    case CHANGE_STORE:
        change->count = random_chance(random, 2) ? 1 : 1 + random_below(random, CHANGE_ROWS_MAX);
        for (size_t i = 0; i < change->count; i++) {
            knackdb_value cells[MODEL_COLUMNS_MAX];

            random_row(random, change->table, cells);
            /* The time of the call would be a value that the parent cannot know. */
            if (change->table == KNACKDB_USER_PREFERENCES)
                cells[KNACKDB_PREFERENCE_LAST_USED] = knackdb_value_real((double) random_below(random, 1000));
            memcpy(&change->values[i * full], cells, full * sizeof cells[0]);
        }
        break;
    case CHANGE_UPDATE:
        for (uint32_t column = 1; column < full; column++)
            if (random_chance(random, 4)) {
                change->columns[change->count] = column;
                change->values[change->count++] = random_cell(random, change->table, column);
            }
        if (change->count == 0) {
            change->columns[0] = 1;
            change->values[change->count++] = random_cell(random, change->table, 1);
        }
        break;
    case CHANGE_DELETE: break;
    case CHANGE_CLEAN_UP:
        change->table = random_chance(random, 2) ? KNACKDB_EXECUTION_PATTERNS : KNACKDB_PERFORMANCE_METRICS;
        change->before = random_below(random, 600);
        break;
    }
}

knackdb_status
change_make(knackdb *db, const struct change *change)
{
    size_t full = model_shapes[change->table].column_count;

    switch (change->kind) {
    case CHANGE_STORE: return knackdb_store_rows(db, change->table, change->values, full, change->count, 0, NULL, NULL);
    case CHANGE_UPDATE:
        return knackdb_update_row(db, change->table, change->id, change->columns, change->values, change->count, NULL);
    case CHANGE_DELETE: return knackdb_delete(db, change->table, change->id, NULL);
    case CHANGE_CLEAN_UP: return knackdb_clean_up_before(db, change->table, change->before, NULL, NULL);
    }
    return KNACKDB_INVALID;
}

bool
change_apply(struct model *model, const struct change *change)
{
    size_t full = model_shapes[change->table].column_count;
    int    column;

    switch (change->kind) {
    case CHANGE_STORE:
        return model_store(model, change->table, change->values, full, change->count, 0, NULL, &column) == KNACKDB_OK;
    case CHANGE_UPDATE:
        return model_update(model, change->table, change->id, change->columns, change->values, change->count,
                            &column) == KNACKDB_OK;
    case CHANGE_DELETE: return model_delete(model, change->table, change->id) == KNACKDB_OK;
    case CHANGE_CLEAN_UP: return model_clean_up(model, change->table, change->before) > 0;
    }
    return false;
}
