/* turning.c - makes one store what another one is, as a single commit.
 *
 * A follower whose place in the log was removed has to begin again from a snapshot. Its
 * readers may be at work, and each of them is to keep its moment; so the rows are not thrown
 * away and loaded anew. They are compared with those of a second store, loaded
 * beside this one, and the difference is a commit like any other: what is gone or has
 * changed ends, what is new or has changed is put. What is the same is not touched, and
 * takes no memory a second time.
 *
 * Ends come before puts, in a pass of their own: a key may have gone from one row to another. */
#include "core/store_data.h"

#include "base/error.h"

static bool
is_same_value(const knackdb_value *left, const knackdb_value *right)
{
    if (left->type != right->type)
        return false;
    switch (left->type) {
    case KNACKDB_INTEGER: return left->as.integer == right->as.integer;
    case KNACKDB_REAL: /* bits, as -0 is not 0 to whoever reads it back */
        return memcmp(&left->as.real, &right->as.real, sizeof left->as.real) == 0;
    case KNACKDB_TEXT:
        return left->as.text.length == right->as.text.length &&
               memcmp(left->as.text.data, right->as.text.data, left->as.text.length) == 0;
    case KNACKDB_NULL: break;
    }
    return true;
}

static bool
is_same_row(const struct table_data *left, row_number left_row, const struct table_data *right, row_number right_row)
{
    for (uint32_t c = 0; c < left->definition->column_count; c++) {
        knackdb_value one = table_cell(left, left_row, c);
        knackdb_value other = table_cell(right, right_row, c);

        if (!is_same_value(&one, &other))
            return false;
    }
    return true;
}

static knackdb_status
end_what_differs(struct transaction *transaction, uint32_t table, const struct view *from, knackdb_error *error)
{
    struct table_data *mine = &transaction->store->tables[table];
    knackdb_status     status = KNACKDB_OK;

    for (row_number row = table_next_row(mine, 0, transaction->moment); row != ROW_NONE && status == KNACKDB_OK;
         row = table_next_row(mine, row + 1, transaction->moment)) {
        knackdb_value id = table_cell(mine, row, 0);
        row_number    other;

        if (view_find_by_key(from, table, 0, &id, &other) == KNACKDB_OK &&
            is_same_row(mine, row, &from->store->tables[table], other))
            continue;
        status = transaction_delete(transaction, table, row, error);
    }
    return status;
}

static knackdb_status
put_what_is_missing(struct transaction *transaction, uint32_t table, const struct view *from, knackdb_error *error)
{
    uint32_t       column_count = transaction->store->tables[table].definition->column_count;
    knackdb_value  values[KNACKDB_COLUMNS_MAX];
    knackdb_status status = KNACKDB_OK;

    for (row_number row = view_next_row(from, table, 0); row != ROW_NONE && status == KNACKDB_OK;
         row = view_next_row(from, table, row + 1)) {
        view_cells(from, table, row, column_count, values);
        if (transaction_find_id(transaction, table, values[0].as.integer) == ROW_NONE)
            status = transaction_put(transaction, table, values, error);
    }
    return status;
}

knackdb_status
store_turn_into(struct store *store, const struct view *from, knackdb_error *error)
{
    struct transaction transaction;
    knackdb_status     status = KNACKDB_OK;

    transaction_begin(&transaction, store, false);
    if (from->sequence < transaction.sequence)
        status = error_set(error, KNACKDB_CORRUPT, "commit %llu where %llu or a later one was due",
                           (unsigned long long) from->sequence, (unsigned long long) transaction.sequence);
    transaction.sequence = from->sequence;
    transaction.moment = moment_of_commit(from->sequence);
    for (uint32_t t = 0; t < store->schema->table_count && status == KNACKDB_OK; t++) {
        status = end_what_differs(&transaction, t, from, error);
        if (status == KNACKDB_OK)
            status = put_what_is_missing(&transaction, t, from, error);
        if (status == KNACKDB_OK)
            table_use_id(&store->tables[t], store_next_id(from->store, t) - 1);
    }
    if (status == KNACKDB_OK && transaction.touched == 0)
        transaction.touched = 1; /* nothing is different but the moment; the sequence goes on */
    return transaction_end(&transaction, status, NULL, error);
}
