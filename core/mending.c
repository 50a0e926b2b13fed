/* mending.c - see mending.h. */
#include "core/mending.h"

#include "base/error.h"
#include "core/store_data.h"

#include <stdio.h>

static void
tell(const struct mend_listener *listener, uint32_t table, int64_t id, const char *reason)
{
    struct mend_loss loss = { table, id, reason };

    listener->hear(listener->context, &loss);
}

/* Takes a key from the row that holds it: its last column becomes NULL. */
static knackdb_status
take_key(struct transaction *transaction, uint32_t table, const struct key *key, row_number holder, int64_t new_id,
         const struct mend_listener *listener, knackdb_error *error)
{
    const struct table_data *data = &transaction->store->tables[table];
    uint32_t                 column = key->columns[key->column_count - 1];
    knackdb_value            unknown = knackdb_value_null();
    int64_t                  id = table_integer(data, holder, 0);
    char                     reason[200];

    (void) snprintf(reason, sizeof reason, "%s is not known: row %lld has the same, and later",
                    data->definition->columns[column].name, (long long) new_id);
    tell(listener, table, id, reason);
    return transaction_update(transaction, table, holder, &column, &unknown, 1, error);
}

/* Makes way for a row with these values. */
static knackdb_status
clear_keys(struct transaction *transaction, uint32_t table, int64_t id, const knackdb_value *values,
           const struct mend_listener *listener, knackdb_error *error)
{
    const struct table_data *data = &transaction->store->tables[table];
    knackdb_status           status = KNACKDB_OK;

    for (uint32_t k = 1; k < data->definition->key_count && status == KNACKDB_OK; k++) {
        struct key_search search;
        row_number        holder = ROW_NONE;

        if (key_search_init_row(&search, data, k, values))
            holder = transaction_find(transaction, table, k, &search);
        if (holder != ROW_NONE && table_integer(data, holder, 0) != id)
            status = take_key(transaction, table, &data->definition->keys[k], holder, id, listener, error);
    }
    return status;
}

static knackdb_status
put(struct transaction *transaction, uint32_t table, const knackdb_value *values, const struct mend_listener *listener,
    knackdb_error *error)
{
    const struct table *definition = transaction->store->tables[table].definition;
    int64_t             id = values[0].type == KNACKDB_INTEGER ? values[0].as.integer : 0;
    knackdb_error       why = { .message = "" };
    knackdb_status      status;

    if (id <= 0) {
        tell(listener, table, 0, "a row without an id");
        return KNACKDB_OK;
    }
    if (table_check_values(definition, values, definition->column_count, &why) != KNACKDB_OK) {
        tell(listener, table, id, why.message);
        return KNACKDB_OK;
    }
    status = clear_keys(transaction, table, id, values, listener, error);
    return status == KNACKDB_OK ? transaction_put(transaction, table, values, error) : status;
}

knackdb_status
store_mend_rows(struct store *store, uint32_t table, const knackdb_value *values, size_t row_count,
                const struct mend_listener *listener, knackdb_error *error)
{
    uint32_t           column_count = store->tables[table].definition->column_count;
    struct transaction transaction;
    knackdb_status     status = KNACKDB_OK;

    transaction_begin(&transaction, store, false);
    for (size_t row = 0; row < row_count && status == KNACKDB_OK; row++)
        status = put(&transaction, table, values + row * column_count, listener, error);
    return transaction_end(&transaction, status, NULL, error);
}

/* The row as it will be after an update, to see whose keys it takes. */
static knackdb_status
update(struct transaction *transaction, const struct commit_operation *operation, row_number row,
       const struct mend_listener *listener, knackdb_error *error)
{
    const struct table_data *data = &transaction->store->tables[operation->table];
    knackdb_value            values[KNACKDB_COLUMNS_MAX];
    knackdb_error            why = { .message = "" };
    knackdb_status           status;

    for (uint32_t c = 0; c < data->definition->column_count; c++)
        values[c] = table_cell(data, row, c);
    for (size_t i = 0; i < operation->count; i++)
        values[operation->columns[i]] = operation->values[i];
    if (table_check_values(data->definition, values, data->definition->column_count, &why) != KNACKDB_OK) {
        tell(listener, operation->table, operation->id, why.message);
        return KNACKDB_OK;
    }
    status = clear_keys(transaction, operation->table, operation->id, values, listener, error);
    return status == KNACKDB_OK ? transaction_update(transaction, operation->table, row, operation->columns,
                                                     operation->values, operation->count, error)
                                : status;
}

static knackdb_status
apply(struct transaction *transaction, const struct commit_operation *operation, const struct mend_listener *listener,
      knackdb_error *error)
{
    const struct table *definition = transaction->store->tables[operation->table].definition;
    knackdb_value       values[KNACKDB_COLUMNS_MAX];
    uint64_t            deleted;
    row_number          row;

    if (operation->kind == KNACKDB_LOG_PUT) {
        for (uint32_t c = 0; c < definition->column_count; c++)
            values[c] = knackdb_value_null();
        values[0] = knackdb_value_integer(operation->id);
        for (size_t i = 0; i < operation->count; i++)
            values[operation->columns[i]] = operation->values[i];
        return put(transaction, operation->table, values, listener, error);
    }
    if (operation->kind == KNACKDB_LOG_CLEAN_UP) {
        if (definition->age_column >= 0 && operation->columns[0] == (uint32_t) definition->age_column)
            return transaction_clean_up(transaction, operation->table, operation->values[0].as.real, &deleted, error);
        tell(listener, operation->table, 0, "a clean-up by a column that is not the table's age");
        return KNACKDB_OK;
    }
    row = transaction_find_id(transaction, operation->table, operation->id);
    if (row != ROW_NONE)
        return operation->kind == KNACKDB_LOG_DELETE ? transaction_delete(transaction, operation->table, row, error)
                                                     : update(transaction, operation, row, listener, error);
    if (operation->kind != KNACKDB_LOG_DELETE) /* gone is gone, whoever took it */
        tell(listener, operation->table, operation->id, "an update of a row that is not there");
    return KNACKDB_OK;
}

knackdb_status
store_mend_commit(struct store *store, const struct commit_map *map, const void *payload, size_t payload_bytes,
                  const struct mend_listener *listener, knackdb_error *error)
{
    struct transaction      transaction;
    struct commit_reader    reader;
    struct commit_operation operation;
    knackdb_error           why = { .message = "" };
    knackdb_status          read;
    knackdb_status          status = KNACKDB_OK;

    transaction_begin(&transaction, store, false);
    read = commit_reader_init(&reader, map, payload, payload_bytes, &why);
    while (read == KNACKDB_OK && status == KNACKDB_OK) {
        read = commit_reader_next(&reader, &operation, &why);
        if (read == KNACKDB_OK && !operation.table_dropped)
            status = apply(&transaction, &operation, listener, error);
    }
    if (status == KNACKDB_OK && read != KNACKDB_NOT_FOUND)
        tell(listener, 0, 0, why.message); /* sound bytes that make no sense: it stands up to there */
    return transaction_end(&transaction, status, NULL, error);
}
