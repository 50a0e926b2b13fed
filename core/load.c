/* load.c - commits that come back from the disk, and where a snapshot stands. Rows are load_run.h's.
 *
 * No rules here: what was committed is put back as it is. Everything comes from files,
 * so what does not fit what is there already, or could not have been stored, is CORRUPT, never an assertion. */
#include "core/store_data.h"

#include "base/error.h"

knackdb_status
store_load_sequence(struct store *store, uint64_t sequence, knackdb_error *error)
{
    if (sequence > SEQUENCE_MAX)
        return error_set(error, KNACKDB_CORRUPT, "commit %llu, a number that no commit has",
                         (unsigned long long) sequence);
    for (uint32_t t = 0; t < store->schema->table_count; t++)
        atomic_store_explicit(&store->tables[t].last_change, moment_of_commit(sequence), memory_order_relaxed);
    atomic_store_explicit(&store->moment, moment_of_commit(sequence), memory_order_release);
    return KNACKDB_OK;
}

void
store_load_next_id(struct store *store, uint32_t table, int64_t next_id)
{
    table_use_id(&store->tables[table], next_id - 1);
}

int64_t
store_next_id(struct store *store, uint32_t table)
{
    int64_t next_id;

    /* A transaction under way has moved it on, and takes it back where it fails: a snapshot that had seen it so would
     * leave a gap in the ids of the next life. */
    lock_writer(store);
    next_id = table_next_id(&store->tables[table]);
    unlock_writer(store);
    return next_id;
}

/* Of types and texts commit_reader_next() has seen to it; what is a rate it does not know. */
static knackdb_status
check_rates(const struct transaction *transaction, const struct commit_operation *operation, knackdb_error *error)
{
    const struct table *definition = transaction->store->tables[operation->table].definition;

    for (size_t i = 0; i < operation->count; i++) {
        knackdb_error why; /* written where it fails, and not touched for every value that is sound */

        if (operation->values[i].type == KNACKDB_REAL &&
            table_check_value(definition, operation->columns[i], &operation->values[i], &why) != KNACKDB_OK)
            return error_set(error, KNACKDB_CORRUPT, "commit %llu changes row %lld: %s",
                             (unsigned long long) transaction->sequence, (long long) operation->id, why.message);
    }
    return KNACKDB_OK;
}

static knackdb_status
apply_put(struct transaction *transaction, const struct commit_operation *operation, knackdb_error *error)
{
    const struct table_data *data = &transaction->store->tables[operation->table];
    const struct table      *definition = data->definition;
    knackdb_value            values[KNACKDB_COLUMNS_MAX];

    for (uint32_t c = 0; c < definition->column_count; c++)
        values[c] = knackdb_value_null();
    values[0] = knackdb_value_integer(operation->id);
    for (size_t i = 0; i < operation->count; i++)
        values[operation->columns[i]] = operation->values[i];

    /* A commit deletes the other holder of a key before it puts a row with that key. */
    for (uint32_t k = 1; k < definition->key_count; k++) {
        struct key_search search;
        row_number        holder = ROW_NONE;

        if (key_search_init_row(&search, data, k, values))
            holder = transaction_find(transaction, operation->table, k, &search);
        if (holder != ROW_NONE && table_integer(data, holder, 0) != operation->id)
            return error_set(error, KNACKDB_CORRUPT, "commit %llu puts %s row %lld with the %s of another",
                             (unsigned long long) transaction->sequence, definition->name, (long long) operation->id,
                             definition->columns[definition->keys[k].columns[0]].name);
    }
    return transaction_put(transaction, operation->table, values, error);
}

static knackdb_status
apply_operation(struct transaction *transaction, const struct commit_operation *operation, knackdb_error *error)
{
    const struct table *definition = transaction->store->tables[operation->table].definition;
    uint64_t            deleted;
    row_number          row;
    knackdb_status      status = check_rates(transaction, operation, error);

    if (status != KNACKDB_OK)
        return status;
    switch (operation->kind) {
    case KNACKDB_LOG_PUT: return apply_put(transaction, operation, error);
    case KNACKDB_LOG_CLEAN_UP:
        if (definition->age_column < 0 || operation->columns[0] != (uint32_t) definition->age_column)
            return error_set(error, KNACKDB_CORRUPT, "commit %llu cleans up %s by a column that is not its age",
                             (unsigned long long) transaction->sequence, definition->name);
        return transaction_clean_up(transaction, operation->table, operation->values[0].as.real, &deleted, error);
    default: break;
    }

    row = transaction_find_id(transaction, operation->table, operation->id);
    if (row == ROW_NONE)
        return error_set(error, KNACKDB_CORRUPT, "commit %llu changes %s row %lld, which is not there",
                         (unsigned long long) transaction->sequence, definition->name, (long long) operation->id);
    if (operation->kind == KNACKDB_LOG_DELETE)
        return transaction_delete(transaction, operation->table, row, error);
    return transaction_update(transaction, operation->table, row, operation->columns, operation->values,
                              operation->count, error);
}

knackdb_status
store_apply(struct store *store, const struct commit_map *map, uint64_t sequence, int64_t time_us, const void *payload,
            size_t payload_bytes, knackdb_error *error)
{
    struct transaction      transaction;
    struct commit_reader    reader;
    struct commit_operation operation;
    knackdb_status          status;

    transaction_begin(&transaction, store, false);
    transaction.time_us = time_us;
    status = sequence == transaction.sequence
                 ? commit_reader_init(&reader, map, payload, payload_bytes, error)
                 : error_set(error, KNACKDB_CORRUPT, "commit %llu where %llu was due", (unsigned long long) sequence,
                             (unsigned long long) transaction.sequence);
    while (status == KNACKDB_OK) {
        status = commit_reader_next(&reader, &operation, error);
        if (status == KNACKDB_OK && !operation.table_dropped)
            status = apply_operation(&transaction, &operation, error);
    }
    if (status == KNACKDB_NOT_FOUND) /* the end of the commit */
        status = KNACKDB_OK;
    if (status == KNACKDB_OK && transaction.touched == 0)
        transaction.touched = 1; /* all of it was in tables dropped since; the sequence goes on */
    return transaction_end(&transaction, status, NULL, error);
}
