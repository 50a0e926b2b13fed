/* transaction.c - one commit: done in memory first, then logged, then published, or taken back.
 *
 * A transaction works on the tables themselves. Its rows are born with the commit it
 * will be, and it stamps the ends of what it replaces with the same number; no view
 * sees either before that number is published. So later steps of a batch see the
 * earlier ones through the same indexes, and no step has to be planned ahead. Should a step or
 * the log fail, the rows are forgotten and the ends restored (table.h, T3): nothing
 * was to be seen of it at any time. */
#include "core/store_data.h"

#include "base/clock.h"
#include "base/error.h"

void
transaction_begin(struct transaction *transaction, struct store *store, bool is_logged)
{
    lock_writer(store);
    transaction->store = store;
    transaction->sequence = sequence_of_moment(atomic_load_explicit(&store->moment, memory_order_relaxed)) + 1;
    transaction->moment = moment_of_commit(transaction->sequence);
    transaction->time_us = clock_wall_us();
    transaction->is_logged = is_logged;
    transaction->touched = 0;
    for (uint32_t t = 0; t < store->schema->table_count; t++) {
        transaction->marks[t] = table_get_mark(&store->tables[t]);
        transaction->next_ids[t] = table_next_id(&store->tables[t]);
        transaction->living[t] = 0;
    }
    store->ended_count = 0;
    commit_writer_begin(&store->commit);
}

static void
take_back(struct transaction *transaction)
{
    struct store *store = transaction->store;

    for (size_t i = 0; i < store->ended_count; i++)
        table_restore_row(&store->tables[store->ended[i].table], store->ended[i].row);
    for (uint32_t t = 0; t < store->schema->table_count; t++) {
        table_forget_rows(&store->tables[t], transaction->marks[t],
                          atomic_load_explicit(&store->moment, memory_order_relaxed));
        atomic_store_explicit(&store->tables[t].next_id, transaction->next_ids[t], memory_order_relaxed);
    }
}

static void
publish(struct transaction *transaction)
{
    struct store *store = transaction->store;

    for (uint32_t t = 0; t < store->schema->table_count; t++) {
        if ((transaction->touched >> t & 1) == 0)
            continue;
        atomic_fetch_add_explicit(&store->tables[t].living, (uint64_t) transaction->living[t], memory_order_relaxed);
        atomic_store_explicit(&store->tables[t].last_change, transaction->moment, memory_order_relaxed);
    }
    atomic_store_explicit(&store->moment, transaction->moment, memory_order_release); /* S1 */
}

/* The list of ended rows grows for a large clean-up; a list that large is not kept. */
static void
trim_ended(struct store *store)
{
    if (store->ended_capacity > 4096) {
        allocator_put(store->allocator, store->ended, store->ended_capacity * sizeof *store->ended);
        store->ended = NULL;
        store->ended_capacity = 0;
    }
    store->ended_count = 0;
}

knackdb_status
transaction_end(struct transaction *transaction, knackdb_status status, uint64_t *ret_sequence, knackdb_error *error)
{
    struct store *store = transaction->store;
    bool          did_something = transaction->touched != 0;
    uint64_t      died;
    uint32_t      owed;

    if (status == KNACKDB_OK && did_something && transaction->is_logged && store->log != NULL)
        status = store->log->append(store->log, transaction->sequence, transaction->time_us, store->commit.data,
                                    store->commit.bytes, error);
    if (status != KNACKDB_OK)
        take_back(transaction);
    else if (did_something)
        publish(transaction);
    if (status == KNACKDB_OK && ret_sequence != NULL)
        *ret_sequence = did_something ? transaction->sequence : 0;
    died = status == KNACKDB_OK ? store->ended_count : 1; /* failed rows are counted by their tables */
    trim_ended(store);
    commit_writer_trim(&store->commit);
    epoch_collect(&store->epochs);
    owed = died != 0 ? reclaimer_owes(store, died) : 0;
    unlock_writer(store);
    if (owed != 0)
        reclaimer_wake(store, owed);
    return status;
}

row_number
transaction_find(struct transaction *transaction, uint32_t table, uint32_t key_index, const struct key_search *search)
{
    return table_key_find(&transaction->store->tables[table], key_index, search, transaction->moment);
}

row_number
transaction_find_id(struct transaction *transaction, uint32_t table, int64_t id)
{
    knackdb_value     value = knackdb_value_integer(id);
    struct key_search search;

    (void) key_search_init(&search, &transaction->store->tables[table], 0, &value);
    return transaction_find(transaction, table, 0, &search);
}

/* Makes room in the list first, so that a stamped end is always on it. */
static knackdb_status
end_row(struct transaction *transaction, uint32_t table, row_number row, knackdb_error *error)
{
    struct store     *store = transaction->store;
    struct ended_row *ended = allocator_make_room(store->allocator, store->ended, store->ended_count + 1,
                                                  &store->ended_capacity, sizeof *ended);

    if (ended == NULL)
        return error_no_memory(error, "a commit");
    store->ended = ended;
    store->ended[store->ended_count++] = (struct ended_row) { table, row };
    table_end_row(&store->tables[table], row, transaction->moment);
    transaction->living[table]--;
    transaction->touched |= 1u << table;
    return KNACKDB_OK;
}

static knackdb_status
add_row(struct transaction *transaction, uint32_t table, const knackdb_value *values, row_number from, uint64_t changed,
        knackdb_error *error)
{
    row_number     row;
    knackdb_status status =
        table_add_row(&transaction->store->tables[table], values, from, changed, transaction->moment, &row, error);

    if (status == KNACKDB_OK) {
        transaction->living[table]++;
        transaction->touched |= 1u << table;
    }
    return status;
}

knackdb_status
transaction_put(struct transaction *transaction, uint32_t table, const knackdb_value *values, knackdb_error *error)
{
    struct store      *store = transaction->store;
    struct table_data *data = &store->tables[table];
    int64_t            id = values[0].as.integer;
    row_number         replaced = table_id_is_new(data, id) ? ROW_NONE : transaction_find_id(transaction, table, id);
    knackdb_status     status = KNACKDB_OK;

    if (replaced != ROW_NONE)
        status = end_row(transaction, table, replaced, error);
    if (status == KNACKDB_OK)
        status = add_row(transaction, table, values, ROW_NONE, 0, error);
    if (status == KNACKDB_OK && transaction->is_logged)
        status = commit_writer_put(&store->commit, KNACKDB_LOG_PUT, table, id, NULL, values,
                                   data->definition->column_count, error);
    if (status == KNACKDB_OK)
        table_use_id(data, id);
    return status;
}

knackdb_status
transaction_update(struct transaction *transaction, uint32_t table, row_number row, const uint32_t *columns,
                   const knackdb_value *values, size_t count, knackdb_error *error)
{
    struct store  *store = transaction->store;
    int64_t        id = table_integer(&store->tables[table], row, 0);
    knackdb_value  whole[KNACKDB_COLUMNS_MAX];
    uint64_t       changed = 0;
    knackdb_status status;

    for (size_t i = 0; i < count; i++) {
        whole[columns[i]] = values[i];
        changed |= KNACKDB_BIT(columns[i]);
    }
    status = end_row(transaction, table, row, error);
    if (status == KNACKDB_OK)
        status = add_row(transaction, table, whole, row, changed, error);
    if (status == KNACKDB_OK && transaction->is_logged)
        status = commit_writer_put(&store->commit, KNACKDB_LOG_UPDATE, table, id, columns, values, count, error);
    return status;
}

knackdb_status
transaction_delete(struct transaction *transaction, uint32_t table, row_number row, knackdb_error *error)
{
    struct store  *store = transaction->store;
    knackdb_status status = end_row(transaction, table, row, error);

    if (status == KNACKDB_OK && transaction->is_logged)
        status = commit_writer_put(&store->commit, KNACKDB_LOG_DELETE, table,
                                   table_integer(&store->tables[table], row, 0), NULL, NULL, 0, error);
    return status;
}

knackdb_status
transaction_clean_up(struct transaction *transaction, uint32_t table, double before, uint64_t *ret_deleted,
                     knackdb_error *error)
{
    struct table_data *data = &transaction->store->tables[table];
    uint32_t           column = (uint32_t) data->definition->age_column;
    uint32_t           end = table_chunk_end(data);
    knackdb_value      bound = knackdb_value_real(before);
    uint64_t           deleted = 0;
    knackdb_status     status = KNACKDB_OK;

    for (uint32_t number = 0; number < end && status == KNACKDB_OK; number++) {
        row_number first = number << CHUNK_ROW_BITS;
        uint32_t   rows = table_chunk_rows(data, number);

        for (row_number row = first; row - first < rows && status == KNACKDB_OK; row++) {
            /* NULL is NaN, which is below nothing. */
            if (table_real(data, row, column) < before && table_row_shown(data, row, transaction->moment)) {
                status = end_row(transaction, table, row, error);
                deleted++;
            }
        }
    }
    if (status == KNACKDB_OK && deleted != 0 && transaction->is_logged)
        status =
            commit_writer_put(&transaction->store->commit, KNACKDB_LOG_CLEAN_UP, table, 0, &column, &bound, 1, error);
    *ret_deleted = deleted;
    return status;
}
