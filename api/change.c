/* change.c - the calls that store, update and delete.
 *
 * Each checks the handle, turns structs into values, lets core commit, waits for the
 * disk where the durability says so, and counts how long it took. */
#include "api/handle.h"
#include "api/rows.h"

#include "base/error.h"

#include <assert.h>
#include <math.h>

static knackdb_status
check_table(int table, knackdb_error *error)
{
    if (table >= 0 && (size_t) table < knackdb_table_count())
        return KNACKDB_OK;
    return error_set(error, KNACKDB_INVALID, "no table %d; there are 0 to %u", table,
                     schema_builtin()->table_count - 1);
}

/* What comes after core has taken the rows, or has not: the disk, and the count. */
static knackdb_status
finish_store(knackdb *db, int table, size_t row_count, uint64_t begun, uint64_t sequence, knackdb_status status,
             knackdb_error *error)
{
    knackdb_operation kind = row_count == 1 ? KNACKDB_OPERATION_STORE : KNACKDB_OPERATION_STORE_MANY;

    if (status == KNACKDB_OK)
        status = handle_wait(db, sequence, error);
    return operation_result(&db->operations, kind, begun, table, row_count, status);
}

knackdb_status
knackdb_store_rows(knackdb *db, int table, const knackdb_value *values, size_t column_count, size_t row_count,
                   uint32_t flags, int64_t *ret_ids, knackdb_error *error)
{
    uint64_t       begun = operation_begin(&db->operations);
    uint64_t       sequence = 0;
    knackdb_status status = handle_check_writable(db, error);

    if (status == KNACKDB_OK)
        status = check_table(table, error);
    if (status == KNACKDB_OK && row_count != 0 && values == NULL)
        status = error_set(error, KNACKDB_INVALID, "store: values is NULL");
    if (status == KNACKDB_OK)
        status = store_put_rows(db->store, (uint32_t) table, values, column_count, row_count, flags, ret_ids, &sequence,
                                error);
    return finish_store(db, table, row_count, begun, sequence, status, error);
}

knackdb_status
knackdb_check_row(int table, const knackdb_value *values, size_t column_count, knackdb_error *error)
{
    knackdb_status status = check_table(table, error);

    if (status == KNACKDB_OK && values == NULL)
        status = error_set(error, KNACKDB_INVALID, "check: values is NULL");
    return status == KNACKDB_OK ? table_check_values(&schema_builtin()->tables[table], values, column_count, error)
                                : status;
}

/* ---- structs ---- */

static knackdb_status
store_structs(knackdb *db, int table, const void *rows, size_t count, uint32_t flags, int64_t *ret_ids,
              knackdb_error *error)
{
    const struct row_layout *layout = row_layout_of(table);
    uint64_t                 begun = operation_begin(&db->operations);
    uint64_t                 sequence = 0;
    knackdb_value            one[KNACKDB_COLUMNS_MAX];
    knackdb_value           *values = one;
    size_t                   bytes = 0;
    knackdb_status           status = handle_check_writable(db, error);

    if (status != KNACKDB_OK)
        return status;
    if (rows == NULL && count != 0)
        return error_set(error, KNACKDB_INVALID, "store: the row is NULL");
    if (count > 1) {
        size_t count_max = COMMIT_BYTES_MAX / (layout->field_count * sizeof *values);

        if (count > count_max)
            return error_set(error, KNACKDB_INVALID, "store: %zu rows; one call takes %zu of %s, or fewer", count,
                             count_max, schema_builtin()->tables[table].name);
        bytes = count * layout->field_count * sizeof *values;
        values = allocator_get(&db->allocator, bytes);
        if (values == NULL)
            return error_no_memory(error, "a batch");
    }
    for (size_t r = 0; r < count; r++)
        row_to_values(layout, table, (const char *) rows + r * layout->struct_bytes, values + r * layout->field_count);
    status = store_put_own_rows(db->store, (uint32_t) table, values, count, flags, ret_ids, &sequence, error);
    if (count > 1)
        allocator_put(&db->allocator, values, bytes);
    return finish_store(db, table, count, begun, sequence, status, error);
}

knackdb_status
knackdb_pattern_store(knackdb *db, const knackdb_pattern *pattern, int64_t *ret_id, knackdb_error *error)
{
    return store_structs(db, KNACKDB_EXECUTION_PATTERNS, pattern, 1, KNACKDB_STORE_REPLACE, ret_id, error);
}

knackdb_status
knackdb_patterns_store(knackdb *db, const knackdb_pattern *patterns, size_t count, uint32_t flags, int64_t *ret_ids,
                       knackdb_error *error)
{
    return store_structs(db, KNACKDB_EXECUTION_PATTERNS, patterns, count, flags, ret_ids, error);
}

knackdb_status
knackdb_preference_store(knackdb *db, const knackdb_preference *preference, int64_t *ret_id, knackdb_error *error)
{
    return store_structs(db, KNACKDB_USER_PREFERENCES, preference, 1, KNACKDB_STORE_REPLACE, ret_id, error);
}

knackdb_status
knackdb_preferences_store(knackdb *db, const knackdb_preference *preferences, size_t count, uint32_t flags,
                          int64_t *ret_ids, knackdb_error *error)
{
    return store_structs(db, KNACKDB_USER_PREFERENCES, preferences, count, flags, ret_ids, error);
}

knackdb_status
knackdb_metric_store(knackdb *db, const knackdb_metric *metric, int64_t *ret_id, knackdb_error *error)
{
    return store_structs(db, KNACKDB_PERFORMANCE_METRICS, metric, 1, KNACKDB_STORE_REPLACE, ret_id, error);
}

knackdb_status
knackdb_metrics_store(knackdb *db, const knackdb_metric *metrics, size_t count, uint32_t flags, int64_t *ret_ids,
                      knackdb_error *error)
{
    return store_structs(db, KNACKDB_PERFORMANCE_METRICS, metrics, count, flags, ret_ids, error);
}

/* ---- updates ---- */

static knackdb_status
update(knackdb *db, int table, uint32_t key_index, const knackdb_value *key_values,
       const struct assignment *assignments, size_t count, knackdb_error *error)
{
    uint64_t       begun = operation_begin(&db->operations);
    uint64_t       sequence = 0;
    knackdb_status status = handle_check_writable(db, error);

    if (status == KNACKDB_OK)
        status = store_update(db->store, (uint32_t) table, key_index, key_values, assignments, count, &sequence, error);
    if (status == KNACKDB_OK)
        status = handle_wait(db, sequence, error);
    return operation_result(&db->operations, KNACKDB_OPERATION_UPDATE, begun, table, 1, status);
}

knackdb_status
knackdb_update_row(knackdb *db, int table, int64_t id, const uint32_t *columns, const knackdb_value *values,
                   size_t count, knackdb_error *error)
{
    struct assignment assignments[KNACKDB_COLUMNS_MAX];
    knackdb_value     key = knackdb_value_integer(id);
    knackdb_status    status = check_table(table, error);

    if (status != KNACKDB_OK)
        return status;
    if (count == 0)
        return error_set(error, KNACKDB_INVALID, "update: no columns are named");
    if (count > KNACKDB_COLUMNS_MAX)
        return error_set(error, KNACKDB_INVALID, "update: %zu columns; no table has more than %d", count,
                         KNACKDB_COLUMNS_MAX);
    if (columns == NULL || values == NULL)
        return error_set(error, KNACKDB_INVALID, "update: %s is NULL", columns == NULL ? "columns" : "values");
    for (size_t i = 0; i < count; i++)
        assignments[i] = (struct assignment) { .column = columns[i], .value = values[i] };
    return update(db, table, 0, &key, assignments, count, error);
}

static knackdb_status
set_weight(knackdb *db, uint32_t key_index, knackdb_value key, double weight, knackdb_error *error)
{
    struct assignment assignments[] = {
        { .column = KNACKDB_PATTERN_CONFIDENCE_SCORE, .value = knackdb_value_real(weight) },
        { .column = KNACKDB_PATTERN_UPDATED_AT, .value = knackdb_value_real(knackdb_now()) },
    };

    return update(db, KNACKDB_EXECUTION_PATTERNS, key_index, &key, assignments, 2, error);
}

knackdb_status
knackdb_pattern_set_weight(knackdb *db, int64_t id, double weight, knackdb_error *error)
{
    return set_weight(db, 0, knackdb_value_integer(id), weight, error);
}

knackdb_status
knackdb_pattern_set_weight_external(knackdb *db, knackdb_text external_id, double weight, knackdb_error *error)
{
    return set_weight(db, key_on(KNACKDB_EXECUTION_PATTERNS, KNACKDB_PATTERN_EXTERNAL_ID),
                      knackdb_value_text(external_id), weight, error);
}

static knackdb_status
use_pattern(knackdb *db, uint32_t key_index, knackdb_value key, knackdb_error *error)
{
    struct assignment assignment = { .column = KNACKDB_PATTERN_USAGE_COUNT,
                                     .adds = true,
                                     .value = knackdb_value_integer(1) };

    return update(db, KNACKDB_EXECUTION_PATTERNS, key_index, &key, &assignment, 1, error);
}

knackdb_status
knackdb_pattern_use(knackdb *db, int64_t id, knackdb_error *error)
{
    return use_pattern(db, 0, knackdb_value_integer(id), error);
}

knackdb_status
knackdb_pattern_use_external(knackdb *db, knackdb_text external_id, knackdb_error *error)
{
    return use_pattern(db, key_on(KNACKDB_EXECUTION_PATTERNS, KNACKDB_PATTERN_EXTERNAL_ID),
                       knackdb_value_text(external_id), error);
}

knackdb_status
knackdb_preference_use(knackdb *db, knackdb_text type, knackdb_text value, knackdb_error *error)
{
    knackdb_value     key[] = { knackdb_value_text(type), knackdb_value_text(value) };
    struct assignment assignments[] = {
        { .column = KNACKDB_PREFERENCE_USAGE_COUNT, .adds = true, .value = knackdb_value_integer(1) },
        { .column = KNACKDB_PREFERENCE_LAST_USED, .value = knackdb_value_real(knackdb_now()) },
    };

    return update(db, KNACKDB_USER_PREFERENCES, key_on(KNACKDB_USER_PREFERENCES, KNACKDB_PREFERENCE_TYPE), key,
                  assignments, 2, error);
}

/* ---- deletes ---- */

knackdb_status
knackdb_delete(knackdb *db, int table, int64_t id, knackdb_error *error)
{
    uint64_t       begun = operation_begin(&db->operations);
    uint64_t       sequence = 0;
    knackdb_status status = handle_check_writable(db, error);

    if (status == KNACKDB_OK)
        status = check_table(table, error);
    if (status == KNACKDB_OK)
        status = store_delete(db->store, (uint32_t) table, id, &sequence, error);
    if (status == KNACKDB_OK)
        status = handle_wait(db, sequence, error);
    return operation_result(&db->operations, KNACKDB_OPERATION_DELETE, begun, table, 1, status);
}

static knackdb_status
clean_up(knackdb *db, const struct clean_up *tables, size_t count, uint64_t *ret_deleted, knackdb_error *error)
{
    uint64_t       begun = operation_begin(&db->operations);
    uint64_t       sequence = 0, deleted = 0;
    knackdb_status status = store_clean_up(db->store, tables, count, &deleted, &sequence, error);

    if (status == KNACKDB_OK)
        status = handle_wait(db, sequence, error);
    if (status == KNACKDB_OK && ret_deleted != NULL)
        *ret_deleted = deleted;
    assert(count > 0); /* there are tables whose rows age */
    return operation_result(&db->operations, KNACKDB_OPERATION_DELETE, begun, (int) tables[0].table, deleted, status);
}

knackdb_status
knackdb_clean_up(knackdb *db, double max_age_seconds, uint64_t *ret_deleted, knackdb_error *error)
{
    const struct schema *schema = schema_builtin();
    struct clean_up      tables[KNACKDB_TABLES_MAX];
    size_t               count = 0;
    double               now = knackdb_now(); /* one for all: rows of one moment go, or stay, together */
    knackdb_status       status = handle_check_writable(db, error);

    if (status != KNACKDB_OK)
        return status;
    if (!isfinite(max_age_seconds))
        return error_set(error, KNACKDB_INVALID, "clean up: an age of %g seconds; it must be finite", max_age_seconds);
    for (uint32_t t = 0; t < schema->table_count; t++)
        if (schema->tables[t].age_column >= 0)
            tables[count++] = (struct clean_up) { t, now - max_age_seconds };
    return clean_up(db, tables, count, ret_deleted, error);
}

knackdb_status
knackdb_clean_up_before(knackdb *db, int table, double time, uint64_t *ret_deleted, knackdb_error *error)
{
    struct clean_up one = { (uint32_t) table, time };
    knackdb_status  status = handle_check_writable(db, error);

    if (status == KNACKDB_OK)
        status = check_table(table, error);
    if (status != KNACKDB_OK)
        return status;
    if (schema_builtin()->tables[table].age_column < 0)
        return error_set(error, KNACKDB_INVALID, "clean up: the rows of %s do not age",
                         schema_builtin()->tables[table].name);
    if (!isfinite(time))
        return error_set(error, KNACKDB_INVALID, "clean up: a time of %g; it must be finite", time);
    return clean_up(db, &one, 1, ret_deleted, error);
}
