/* write_golden.c - writes a golden directory and what it holds.
 *
 *     write_golden DIRECTORY VERSION EXPECTED
 *
 * For whoever adds a schema version: run once, commit what it wrote, never again for
 * that version. The store is made below the public header, where an older version of
 * the schema can be asked for; what it should hold is worked out by the reference
 * model, not read back. */
#include "../model/model.h"
#include "core/store.h"
#include "golden_life.h"
#include "persist/keeper.h"

#include <stdlib.h>

struct pen {
    struct store        *store;
    struct keeper       *keeper;
    const struct schema *schema;
    struct model         model;
};

static void
must(knackdb_status status, const knackdb_error *error)
{
    if (status != KNACKDB_OK) {
        fprintf(stderr, "write_golden: %s: %s\n", knackdb_status_text(status), error->message);
        exit(1);
    }
}

static void
agree(knackdb_status ours, knackdb_status theirs)
{
    if (ours != theirs) {
        fprintf(stderr, "write_golden: the model says %s, the store %s\n", knackdb_status_text(ours),
                knackdb_status_text(theirs));
        exit(1);
    }
}

static void
store_row(void *context, int table, const knackdb_value *cells)
{
    struct pen   *pen = context;
    size_t        columns = pen->schema->tables[table].column_count;
    int           column;
    knackdb_error error;

    must(store_put_rows(pen->store, (uint32_t) table, cells, columns, 1, 0, NULL, NULL, &error), &error);
    agree(model_store(&pen->model, table, cells, columns, 1, 0, NULL, &column), KNACKDB_OK);
}

static void
update_row(void *context, int table, int64_t id, uint32_t column, knackdb_value value)
{
    struct pen       *pen = context;
    struct assignment assignment = { .column = column, .value = value };
    knackdb_value     key = knackdb_value_integer(id);
    knackdb_error     error;
    int               fault;

    agree(model_update(&pen->model, table, id, &column, &value, 1, &fault),
          store_update(pen->store, (uint32_t) table, 0, &key, &assignment, 1, NULL, &error));
}

static void
delete_row(void *context, int table, int64_t id)
{
    struct pen   *pen = context;
    knackdb_error error;

    agree(model_delete(&pen->model, table, id), store_delete(pen->store, (uint32_t) table, id, NULL, &error));
}

static void
clean_up(void *context, int table, double before)
{
    struct pen     *pen = context;
    struct clean_up what = { .table = (uint32_t) table, .before = before };
    uint64_t        deleted = 0;
    knackdb_error   error;

    must(store_clean_up(pen->store, &what, 1, &deleted, NULL, &error), &error);
    if (model_clean_up(&pen->model, table, before) != deleted)
        exit(1);
}

static void
take_snapshot(void *context)
{
    struct pen   *pen = context;
    knackdb_error error;

    must(keeper_snapshot(pen->keeper, &error), &error);
}

int
main(int count, char **arguments)
{
    struct golden_hands   hands = { .store = store_row,
                                    .update = update_row,
                                    .delete_row = delete_row,
                                    .clean_up = clean_up,
                                    .snapshot = take_snapshot };
    struct keeper_options options = { .log_segment_bytes_max = 32 * 1024,
                                      .snapshot_log_bytes = UINT64_MAX,
                                      .history = schema_history_builtin() };
    struct allocator      allocator;
    struct schema         schema;
    struct pen            pen = { .schema = &schema };
    knackdb_error         error;
    FILE                 *expected;

    if (count != 4) {
        fprintf(stderr, "usage: write_golden DIRECTORY VERSION EXPECTED\n");
        return 2;
    }
    allocator_init(&allocator, NULL);
    must(schema_build(schema_history_builtin(), (uint32_t) strtoul(arguments[2], NULL, 10), &schema, &error), &error);
    must(store_new(&allocator, &schema, &pen.store, &error), &error);
    must(keeper_open(&allocator, arguments[1], &options, pen.store, &pen.keeper, &error), &error);
    model_init(&pen.model);
    hands.context = &pen;
    golden_live(&hands);
    must(keeper_close(pen.keeper, &error), &error);
    store_free(pen.store);

    expected = fopen(arguments[3], "w");
    if (expected == NULL)
        return 1;
    for (int table = 0; table < MODEL_TABLES; table++)
        for (size_t i = 0; i < pen.model.tables[table].count; i++)
            golden_write_row(expected, table, pen.model.tables[table].rows[i]->cells);
    model_clear(&pen.model);
    return fclose(expected) == 0 ? 0 : 1;
}
