/* twins.c - see twins.h. */
#include "tests/crash/twins.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_MAX 6

/* Texts longer than this are drawn again: a disk of a few kilobytes is quickly copied. */
#define TEXT_BYTES_MAX 4096

/* Few, so that rows are stored over, changed and deleted. */
#define IDS 30

static void
shadow_begin(struct twins *twins)
{
    allocator_init(&twins->allocator, NULL);
    if (store_new(&twins->allocator, schema_builtin(), &twins->shadow, NULL) != KNACKDB_OK)
        abort();
}

void
twins_init(struct twins *twins, uint64_t seed)
{
    memset(twins, 0, sizeof *twins);
    random_init(&twins->dice, seed);
    twins->dice.ids = IDS;
    shadow_begin(twins);
    oracle_note(&twins->oracle, twins->shadow);
}

void
twins_clear(struct twins *twins)
{
    store_free(twins->shadow);
    random_clear(&twins->dice);
}

/* Makes the shadow what the store is. */
static void
shadow_copy(struct twins *twins, struct store *store)
{
    struct view view;

    store_free(twins->shadow);
    shadow_begin(twins);
    if (view_begin(store, &view, NULL) != KNACKDB_OK)
        abort();
    /* The store without a commit is what the shadow is already. */
    if (view.sequence > 0 && store_turn_into(twins->shadow, &view, NULL) != KNACKDB_OK)
        abort();
    view_end(&view);
    oracle_note(&twins->oracle, twins->shadow);
}

void
twins_follow(struct twins *twins, struct store *store)
{
    shadow_copy(twins, store);
    twins->oracle.promised = twins->oracle.begun;
}

/* ---- changes: to one of the two at a time, the same ---- */

struct change {
    enum { CHANGE_PUT, CHANGE_UPDATE, CHANGE_DELETE, CHANGE_CLEAN_UP } kind;
    uint32_t          table;
    uint32_t          rows;
    knackdb_value     cells[BATCH_MAX * KNACKDB_COLUMNS_MAX];
    int64_t           id;
    struct assignment assignments[2];
    size_t            assignment_count;
    double            before;
};

static bool
is_short(const knackdb_value *cells, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (cells[i].type == KNACKDB_TEXT && cells[i].as.text.length > TEXT_BYTES_MAX)
            return false;
    }
    return true;
}

static void
draw_row(struct random_source *dice, uint32_t table, knackdb_value *cells)
{
    do {
        random_row(dice, (int) table, cells);
    } while (!is_short(cells, schema_builtin()->tables[table].column_count));
    /* A preference that is used without a time is used now, and the shadow's now is another. */
    if (table == KNACKDB_USER_PREFERENCES && cells[KNACKDB_PREFERENCE_LAST_USED].type == KNACKDB_NULL)
        cells[KNACKDB_PREFERENCE_LAST_USED] = knackdb_value_real(1e6);
}

static void
draw_put(struct random_source *dice, struct change *change)
{
    change->kind = CHANGE_PUT;
    change->table = random_below(dice, 3);
    change->rows = random_chance(dice, 4) ? 2 + random_below(dice, BATCH_MAX - 1) : 1;
    for (uint32_t i = 0; i < change->rows; i++)
        draw_row(dice, change->table, change->cells + i * schema_builtin()->tables[change->table].column_count);
}

static const char *
draw_change(struct random_source *dice, struct change *change)
{
    uint32_t what = random_below(dice, 70);

    memset(change, 0, sizeof *change);
    dice->time_now += random_below(dice, 20);
    if (what < 52) {
        draw_put(dice, change);
        return change->rows == 1 ? "a store" : "a batch";
    }
    if (what < 62) {
        change->kind = CHANGE_UPDATE;
        change->id = random_id(dice);
        change->assignment_count = 1 + random_below(dice, 2);
        change->assignments[0].column = KNACKDB_PATTERN_CONFIDENCE_SCORE;
        change->assignments[0].value = knackdb_value_real(random_below(dice, 101) / 100.0);
        change->assignments[1].column = KNACKDB_PATTERN_USAGE_COUNT;
        change->assignments[1].adds = true;
        change->assignments[1].value = knackdb_value_integer(1);
        return "an update";
    }
    if (what < 68) {
        change->kind = CHANGE_DELETE;
        change->table = random_below(dice, 3);
        change->id = random_id(dice);
        return "a delete";
    }
    change->kind = CHANGE_CLEAN_UP;
    change->before = dice->time_now * random_below(dice, 1000) / 1000.0;
    return "a clean-up";
}

static knackdb_status
do_change(struct store *store, const struct change *change, knackdb_error *error)
{
    struct clean_up aged[2] = { { .table = KNACKDB_EXECUTION_PATTERNS, .before = change->before },
                                { .table = KNACKDB_PERFORMANCE_METRICS, .before = change->before } };
    knackdb_value   id = knackdb_value_integer(change->id);
    uint64_t        deleted;

    switch (change->kind) {
    case CHANGE_PUT:
        return store_put_rows(store, change->table, change->cells, schema_builtin()->tables[change->table].column_count,
                              change->rows, 0, NULL, NULL, error);
    case CHANGE_UPDATE:
        return store_update(store, KNACKDB_EXECUTION_PATTERNS, 0, &id, change->assignments, change->assignment_count,
                            NULL, error);
    case CHANGE_DELETE: return store_delete(store, change->table, change->id, NULL, error);
    case CHANGE_CLEAN_UP: return store_clean_up(store, aged, 2, &deleted, NULL, error);
    }
    return KNACKDB_INVALID;
}

/* The store has refused a change, which the shadow has made. */
static void
take_back(struct twins *twins, struct store *store, uint64_t sequence, char why[256])
{
    struct oracle *oracle = &twins->oracle;

    if (store_sequence(store) != sequence || moment_of(store).digest != oracle->moments[sequence].digest)
        (void) snprintf(why, 256, "refused after commit %" PRIu64 ", and yet it is at %" PRIu64 ", or of other rows",
                        sequence, store_sequence(store));
    shadow_copy(twins, store);
}

knackdb_status
twins_change(struct twins *twins, struct store *store, knackdb_error *error, char why[256])
{
    uint64_t       sequence = store_sequence(store);
    struct change  change;
    knackdb_status shadow;
    knackdb_status status;

    why[0] = '\0';
    twins->step = draw_change(&twins->dice, &change);
    shadow = do_change(twins->shadow, &change, NULL);
    if (store_sequence(twins->shadow) > twins->oracle.begun)
        oracle_note(&twins->oracle, twins->shadow);
    status = do_change(store, &change, error);
    if (twins->refuses && status == KNACKDB_IO)
        take_back(twins, store, sequence, why);
    else if (status != shadow || store_sequence(store) != store_sequence(twins->shadow))
        (void) snprintf(why, 256, "status %d at commit %" PRIu64 ", and in memory alone %d at %" PRIu64, (int) status,
                        store_sequence(store), (int) shadow, store_sequence(twins->shadow));
    else if (moment_of(store).digest != twins->oracle.moments[store_sequence(store)].digest)
        (void) snprintf(why, 256, "commit %" PRIu64 " is not what it is in memory alone", store_sequence(store));
    return status;
}
