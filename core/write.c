/* write.c - what callers may ask to be changed, by the rules of the schema.
 *
 * Rules are applied here and nowhere else: which id a row gets, what a key that is there
 * does, what is added up, what is computed. What comes out goes into the commit by
 * value, so that replaying it needs no rules (commit.h). */
#include "core/store_data.h"

#include "base/error.h"
#include "base/utf8.h"

#include <math.h>
#include <stdio.h>

/* Bytes that rows will take, near enough for a limit. */
static uint64_t
bytes_of_rows(const struct table_data *table, const knackdb_value *values, size_t value_count, size_t row_count)
{
    uint64_t bytes = (uint64_t) row_count * table->row_bytes;

    for (size_t i = 0; i < value_count; i++)
        if (values[i].type == KNACKDB_TEXT)
            bytes += values[i].as.text.length;
    return bytes;
}

static knackdb_status
check_memory(struct store *store, const struct table_data *table, const knackdb_value *values, size_t value_count,
             size_t row_count, knackdb_error *error)
{
    uint64_t limit = atomic_load_explicit(&store->memory_limit, memory_order_relaxed);
    uint64_t used, more;

    if (limit == 0)
        return KNACKDB_OK;
    more = bytes_of_rows(table, values, value_count, row_count);
    used = atomic_load_explicit(&store->allocator->bytes, memory_order_relaxed);
    for (uint32_t t = 0; t < store->schema->table_count; t++)
        used += table_column_bytes(&store->tables[t]);
    if (used + more <= limit)
        return KNACKDB_OK;
    return error_set(error, KNACKDB_FULL,
                     "memory limit: %llu bytes in use, %llu more wanted, %llu allowed; "
                     "clean up, or allow more",
                     (unsigned long long) used, (unsigned long long) more, (unsigned long long) limit);
}

static void
compute_change(const struct table *definition, knackdb_value *row)
{
    const struct derived_change *derived = &definition->derived;
    double                       value, baseline, change;

    if (!derived->present || row[derived->target].type != KNACKDB_NULL || row[derived->value].type != KNACKDB_REAL ||
        row[derived->baseline].type != KNACKDB_REAL)
        return;
    value = row[derived->value].as.real;
    baseline = row[derived->baseline].as.real;
    if (baseline == 0.0)
        return;
    change = (value - baseline) / fabs(baseline) * 100.0;
    if (isfinite(change))
        row[derived->target] = knackdb_value_real(change);
}

static knackdb_status
key_exists(const struct table *definition, uint32_t key_index, knackdb_error *error)
{
    uint32_t column = definition->keys[key_index].columns[0];

    return error_set_column(error, KNACKDB_EXISTS, (int) column, "%s.%s: there is a row with this %s already",
                            definition->name, definition->columns[column].name,
                            definition->keys[key_index].column_count > 1 ? "key" : definition->columns[column].name);
}

static knackdb_status
add_integers(const struct table *definition, uint32_t column, const knackdb_value *stored, int64_t amount,
             knackdb_value *ret_sum, knackdb_error *error)
{
    int64_t sum;

    if (__builtin_add_overflow(stored->type == KNACKDB_INTEGER ? stored->as.integer : 0, amount, &sum))
        return error_set_column(error, KNACKDB_INVALID, (int) column, "%s.%s: the sum does not fit 64 bits",
                                definition->name, definition->columns[column].name);
    *ret_sum = knackdb_value_integer(sum);
    return KNACKDB_OK;
}

/* Gives the stored row the new values by the merge rules of its columns. */
static knackdb_status
merge_row(struct transaction *transaction, uint32_t table, row_number row, const knackdb_value *values,
          knackdb_error *error)
{
    struct table_data  *data = &transaction->store->tables[table];
    const struct table *definition = data->definition;
    uint32_t            columns[KNACKDB_COLUMNS_MAX];
    knackdb_value       merged[KNACKDB_COLUMNS_MAX];
    size_t              count = 0;

    for (uint32_t c = 1; c < definition->column_count; c++) {
        knackdb_value  stored;
        knackdb_status status;

        switch (definition->columns[c].merge) {
        case MERGE_KEEP: continue;
        case MERGE_ADD:
            stored = table_cell(data, row, c);
            status = add_integers(definition, c, &stored, values[c].type == KNACKDB_INTEGER ? values[c].as.integer : 1,
                                  &merged[count], error);
            if (status != KNACKDB_OK)
                return status;
            break;
        case MERGE_TAKE:
            if (values[c].type == KNACKDB_NULL)
                continue;
            merged[count] = values[c];
            break;
        case MERGE_TAKE_OR_NOW:
            merged[count] = values[c].type != KNACKDB_NULL ? values[c]
                                                           : knackdb_value_real((double) transaction->time_us / 1e6);
            break;
        }
        columns[count++] = c;
    }
    return transaction_update(transaction, table, row, columns, merged, count, error);
}

/* Stores one row; `row` holds every column and is the caller's to throw away. */
static knackdb_status
put_row(struct transaction *transaction, uint32_t table, knackdb_value *row, uint32_t flags, int64_t *ret_id,
        knackdb_error *error)
{
    struct table_data  *data = &transaction->store->tables[table];
    const struct table *definition = data->definition;
    int64_t             id = row[0].type == KNACKDB_INTEGER ? row[0].as.integer : 0;
    knackdb_status      status;

    if ((flags & KNACKDB_STORE_NEW) != 0 && id != 0 && transaction_find_id(transaction, table, id) != ROW_NONE)
        return key_exists(definition, 0, error);

    for (uint32_t k = 1; k < definition->key_count; k++) {
        struct key_search search;
        row_number        holder;
        int64_t           holder_id;

        if (!key_search_init_row(&search, data, k, row))
            continue;
        holder = transaction_find(transaction, table, k, &search);
        if (holder == ROW_NONE)
            continue;
        if ((flags & KNACKDB_STORE_NEW) != 0)
            return key_exists(definition, k, error);
        holder_id = table_integer(data, holder, 0);
        if (holder_id == id)
            continue; /* replaced by its id below */
        if (definition->keys[k].conflict == KEY_MERGES) {
            *ret_id = holder_id;
            return merge_row(transaction, table, holder, row, error);
        }
        if (id == 0) {
            id = holder_id;
        } else {
            status = transaction_delete(transaction, table, holder, error);
            if (status != KNACKDB_OK)
                return status;
        }
    }

    if (id == 0) {
        id = table_next_id(data);
        if (id == INT64_MAX)
            return error_set_column(error, KNACKDB_FULL, 0, "%s.id: no id is left to give", definition->name);
    }
    row[0] = knackdb_value_integer(id);
    compute_change(definition, row);
    *ret_id = id;
    return transaction_put(transaction, table, row, error);
}

static knackdb_status
check_rows(struct store *store, uint32_t table, const knackdb_value *values, size_t column_count, size_t row_count,
           uint32_t flags, knackdb_error *error)
{
    struct table_data *data = &store->tables[table];
    knackdb_status     status = KNACKDB_OK;

    if ((flags & ~(uint32_t) KNACKDB_STORE_NEW) != 0)
        return error_set(error, KNACKDB_INVALID, "unknown store flags 0x%x", flags);
    for (size_t r = 0; r < row_count && status == KNACKDB_OK; r++)
        status = table_check_values(data->definition, values + r * column_count, column_count, error);
    if (status == KNACKDB_OK)
        status = check_memory(store, data, values, column_count * row_count, row_count, error);
    return status;
}

/* REAL columns take an INTEGER, and keep it as what they are. */
static void
turn_integers(const struct table_data *table, knackdb_value *row)
{
    for (uint32_t c = 0; c < table->definition->column_count; c++)
        if (table->kinds[c] == CELL_REAL && row[c].type == KNACKDB_INTEGER)
            row[c] = knackdb_value_real((double) row[c].as.integer);
}

/* A row of the caller's with every column, to be thrown away. */
static void
copy_row(const struct table_data *table, knackdb_value *row, const knackdb_value *values, size_t column_count)
{
    memcpy(row, values, column_count * sizeof *row);
    for (size_t c = column_count; c < table->definition->column_count; c++)
        row[c] = knackdb_value_null();
    turn_integers(table, row);
}

/* `own`: the values again, where they are the store's to throw away; NULL where they are not. */
static knackdb_status
put_rows(struct store *store, uint32_t table, const knackdb_value *values, knackdb_value *own, size_t column_count,
         size_t row_count, uint32_t flags, int64_t *ret_ids, uint64_t *ret_sequence, knackdb_error *error)
{
    struct transaction transaction;
    knackdb_status     status = check_rows(store, table, values, column_count, row_count, flags, error);

    if (status != KNACKDB_OK)
        return status;
    transaction_begin(&transaction, store, true);
    for (size_t r = 0; r < row_count && status == KNACKDB_OK; r++) {
        knackdb_value copy[KNACKDB_COLUMNS_MAX];
        int64_t       id = 0;

        if (row_count > 1 && r % TABLE_EXPECTED_MAX == 0)
            table_expect_rows(&store->tables[table], values + r * column_count, column_count,
                              row_count - r < TABLE_EXPECTED_MAX ? row_count - r : TABLE_EXPECTED_MAX);
        if (own == NULL)
            copy_row(&store->tables[table], copy, values + r * column_count, column_count);
        status = put_row(&transaction, table, own != NULL ? own + r * column_count : copy, flags, &id, error);
        if (status == KNACKDB_OK && ret_ids != NULL)
            ret_ids[r] = id;
    }
    return transaction_end(&transaction, status, ret_sequence, error);
}

knackdb_status
store_put_own_rows(struct store *store, uint32_t table, knackdb_value *values, size_t row_count, uint32_t flags,
                   int64_t *ret_ids, uint64_t *ret_sequence, knackdb_error *error)
{
    return put_rows(store, table, values, values, store->tables[table].definition->column_count, row_count, flags,
                    ret_ids, ret_sequence, error);
}

knackdb_status
store_put_rows(struct store *store, uint32_t table, const knackdb_value *values, size_t column_count, size_t row_count,
               uint32_t flags, int64_t *ret_ids, uint64_t *ret_sequence, knackdb_error *error)
{
    return put_rows(store, table, values, NULL, column_count, row_count, flags, ret_ids, ret_sequence, error);
}

/* A key that the update changes must not be another row's. */
static knackdb_status
check_changed_keys(struct transaction *transaction, uint32_t table, row_number row, const uint32_t *columns,
                   const knackdb_value *values, size_t count, knackdb_error *error)
{
    struct table_data  *data = &transaction->store->tables[table];
    const struct table *definition = data->definition;
    knackdb_value       whole[KNACKDB_COLUMNS_MAX];

    for (uint32_t k = 1; k < definition->key_count; k++) {
        const struct key *key = &definition->keys[k];
        struct key_search search;
        row_number        holder;
        bool              changes = false;

        for (uint32_t i = 0; i < key->column_count; i++) {
            whole[key->columns[i]] = table_cell(data, row, key->columns[i]);
            for (size_t v = 0; v < count; v++)
                if (columns[v] == key->columns[i]) {
                    whole[key->columns[i]] = values[v];
                    changes = true;
                }
        }
        if (!changes || !key_search_init_row(&search, data, k, whole))
            continue;
        holder = transaction_find(transaction, table, k, &search);
        if (holder != ROW_NONE && holder != row)
            return key_exists(definition, k, error);
    }
    return KNACKDB_OK;
}

/* What an update comes to for this row: sums added up, integers for REAL columns turned. */
static knackdb_status
resolve_assignments(const struct table_data *data, row_number row, const struct assignment *assignments, size_t count,
                    uint32_t *columns, knackdb_value *values, knackdb_error *error)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t       column = assignments[i].column;
        knackdb_value  stored;
        knackdb_status status;

        columns[i] = column;
        values[i] = assignments[i].value;
        if (data->definition->columns[column].type == KNACKDB_REAL && values[i].type == KNACKDB_INTEGER)
            values[i] = knackdb_value_real((double) values[i].as.integer);
        if (!assignments[i].adds)
            continue;
        stored = table_cell(data, row, column);
        status = add_integers(data->definition, column, &stored, assignments[i].value.as.integer, &values[i], error);
        if (status != KNACKDB_OK)
            return status;
    }
    return KNACKDB_OK;
}

/* The same check for an update: a new version of a row, and the texts that are new in it. */
static knackdb_status
check_update_memory(struct store *store, const struct table_data *table, const struct assignment *assignments,
                    size_t count, knackdb_error *error)
{
    knackdb_value values[KNACKDB_COLUMNS_MAX];

    for (size_t i = 0; i < count; i++)
        values[i] = assignments[i].value;
    return check_memory(store, table, values, count, 1, error);
}

static knackdb_status
check_assignments(const struct table *definition, const struct assignment *assignments, size_t count,
                  knackdb_error *error)
{
    uint64_t seen = 0;

    if (count == 0)
        return error_set(error, KNACKDB_INVALID, "%s: an update of no columns", definition->name);
    for (size_t i = 0; i < count; i++) {
        uint32_t       column = assignments[i].column;
        knackdb_status status;

        if (column >= definition->column_count)
            return error_set(error, KNACKDB_INVALID, "%s: no column %u", definition->name, column);
        if (column == 0)
            return error_set_column(error, KNACKDB_INVALID, 0, "%s.id: an id cannot be changed", definition->name);
        if (seen >> column & 1)
            return error_set_column(error, KNACKDB_INVALID, (int) column, "%s.%s: given twice", definition->name,
                                    definition->columns[column].name);
        seen |= KNACKDB_BIT(column);
        status = table_check_value(definition, column, &assignments[i].value, error);
        if (status != KNACKDB_OK)
            return status;
    }
    return KNACKDB_OK;
}

/* Says which row is not there, by the key it was asked for. */
static knackdb_status
no_such_row(const struct table *definition, uint32_t key_index, const knackdb_value *key_values, knackdb_error *error)
{
    const struct key *key = &definition->keys[key_index];
    char              named[300] = "";
    size_t            at = 0;

    for (uint32_t i = 0; i < key->column_count && at < sizeof named - 1; i++) {
        const char          *name = definition->columns[key->columns[i]].name;
        const char          *joint = i > 0 ? ", " : "";
        const knackdb_value *value = &key_values[i];
        int                  length;

        if (value->type == KNACKDB_INTEGER)
            length = snprintf(named + at, sizeof named - at, "%s%s %lld", joint, name, (long long) value->as.integer);
        else if (value->type == KNACKDB_TEXT)
            length = snprintf(named + at, sizeof named - at, "%s%s \"%.*s\"", joint, name,
                              (int) utf8_valid_prefix(value->as.text.data,
                                                      value->as.text.length < 80 ? value->as.text.length : 80),
                              value->as.text.data);
        else
            length = snprintf(named + at, sizeof named - at, "%s%s NULL", joint, name);
        at += length > 0 ? (size_t) length : 0;
    }
    return error_set(error, KNACKDB_NOT_FOUND, "%s: no row with %s", definition->name, named);
}

knackdb_status
store_update(struct store *store, uint32_t table, uint32_t key_index, const knackdb_value *key_values,
             const struct assignment *assignments, size_t count, uint64_t *ret_sequence, knackdb_error *error)
{
    struct table_data *data = &store->tables[table];
    struct transaction transaction;
    struct key_search  search;
    uint32_t           columns[KNACKDB_COLUMNS_MAX];
    knackdb_value      values[KNACKDB_COLUMNS_MAX];
    row_number         row = ROW_NONE;
    knackdb_status     status = check_assignments(data->definition, assignments, count, error);

    if (status == KNACKDB_OK)
        status = check_update_memory(store, data, assignments, count, error);
    if (status != KNACKDB_OK)
        return status;

    transaction_begin(&transaction, store, true);
    if (key_search_init(&search, data, key_index, key_values))
        row = transaction_find(&transaction, table, key_index, &search);
    if (row == ROW_NONE)
        status = no_such_row(data->definition, key_index, key_values, error);
    if (status == KNACKDB_OK)
        status = resolve_assignments(data, row, assignments, count, columns, values, error);
    if (status == KNACKDB_OK)
        status = check_changed_keys(&transaction, table, row, columns, values, count, error);
    if (status == KNACKDB_OK)
        status = transaction_update(&transaction, table, row, columns, values, count, error);
    return transaction_end(&transaction, status, ret_sequence, error);
}

knackdb_status
store_delete(struct store *store, uint32_t table, int64_t id, uint64_t *ret_sequence, knackdb_error *error)
{
    struct transaction transaction;
    row_number         row;
    knackdb_status     status;

    transaction_begin(&transaction, store, true);
    row = transaction_find_id(&transaction, table, id);
    status = row != ROW_NONE ? transaction_delete(&transaction, table, row, error)
                             : error_set(error, KNACKDB_NOT_FOUND, "%s: no row with id %lld",
                                         store->tables[table].definition->name, (long long) id);
    return transaction_end(&transaction, status, ret_sequence, error);
}

knackdb_status
store_clean_up(struct store *store, const struct clean_up *tables, size_t count, uint64_t *ret_deleted,
               uint64_t *ret_sequence, knackdb_error *error)
{
    struct transaction transaction;
    uint64_t           total = 0;
    knackdb_status     status = KNACKDB_OK;

    transaction_begin(&transaction, store, true);
    for (size_t i = 0; i < count && status == KNACKDB_OK; i++) {
        uint64_t deleted = 0;

        status = transaction_clean_up(&transaction, tables[i].table, tables[i].before, &deleted, error);
        total += deleted;
    }
    status = transaction_end(&transaction, status, ret_sequence, error);
    if (status == KNACKDB_OK)
        *ret_deleted = total;
    return status;
}
