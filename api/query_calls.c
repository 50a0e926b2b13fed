/* query_calls.c - queries and aggregates over a read view. */
#include "api/handle.h"

#include "base/error.h"
#include "core/carried.h"
#include "core/leaders.h"

/* Has an allocator of its own over the store's functions, so that it may be freed after the store is closed. */
struct knackdb_prepared {
    struct allocator   allocator;
    struct query_copy *copy;
};

/* What a list holds becomes the view's, or is freed. Where only what it knows of its rows cannot be kept it goes
 * without. */
static knackdb_status
own_list(knackdb_read *read, struct row_list *list, knackdb_error *error)
{
    size_t         bytes = list->carried != NULL ? carried_bytes(list->carried) : 0;
    size_t         led_bytes = list->led != NULL ? led_rows_bytes(list->led) : 0;
    knackdb_status status = KNACKDB_OK;

    bool is_carried_lent = list->carried == (void *) read->note_room;
    bool is_led_lent = list->led == (void *) read->note_room;

    if (!list->is_lent)
        status = read_own(read, list->rows, list->capacity * sizeof *list->rows, error);
    if (status != KNACKDB_OK) {
        row_list_note_put(list, list->carried, bytes);
        row_list_note_put(list, list->led, led_bytes);
        return status;
    }
    if ((list->is_lent && list->count != 0) || is_carried_lent || is_led_lent)
        read->is_room_taken = true;
    if (list->carried != NULL && !is_carried_lent && read_own(read, list->carried, bytes, NULL) != KNACKDB_OK)
        list->carried = NULL;
    if (list->led != NULL && !is_led_lent && read_own(read, list->led, led_bytes, NULL) != KNACKDB_OK)
        list->led = NULL;
    return KNACKDB_OK;
}

static void
lend_room(knackdb_read *read, struct row_list *list)
{
    row_list_lend(list, read->room, READ_ROOM_ROWS);
    row_list_lend_notes(list, read->note_room, sizeof read->note_room);
}

/* Runs a checked query; its rows become the view's. */
static knackdb_status
find_checked(knackdb_read *read, const knackdb_query *checked, knackdb_rows *ret_rows, knackdb_error *error)
{
    uint64_t        begun = operation_begin(&read->db->operations);
    struct row_list list;
    knackdb_status  status = handle_check(read->db, error);

    if (status != KNACKDB_OK)
        return status;
    row_list_init(&list, &read->db->allocator);
    if (!read->is_room_taken)
        lend_room(read, &list);
    status = view_find(&read->view, checked, &list, error);
    if (status == KNACKDB_OK)
        status = own_list(read, &list, error);
    else
        row_list_clear(&list);
    if (status == KNACKDB_OK) {
        read_answer_begin(read, checked->table, &list);
        ret_rows->rows = list.rows;
        ret_rows->count = list.count;
    }
    return operation_result(&read->db->operations, KNACKDB_OPERATION_FIND, begun, checked->table, list.count, status);
}

knackdb_status
knackdb_read_find(knackdb_read *read, const knackdb_query *query, knackdb_rows *ret_rows, knackdb_error *error)
{
    knackdb_query  checked;
    knackdb_status status = query_check(store_schema(read->view.store), query, &checked, error);

    return status == KNACKDB_OK ? find_checked(read, &checked, ret_rows, error) : status;
}

knackdb_status
knackdb_read_count(knackdb_read *read, const knackdb_query *query, uint64_t *ret_count, knackdb_error *error)
{
    uint64_t       begun = operation_begin(&read->db->operations);
    uint64_t       count = 0;
    int            table = -1;
    knackdb_query  checked;
    knackdb_status status = handle_check(read->db, error);

    if (status == KNACKDB_OK)
        status = query_check(store_schema(read->view.store), query, &checked, error);
    if (status == KNACKDB_OK)
        status = view_count(&read->view, &checked, &count, error);
    if (status == KNACKDB_OK) {
        *ret_count = count;
        table = checked.table;
    }
    return operation_result(&read->db->operations, KNACKDB_OPERATION_FIND, begun, table, count, status);
}

knackdb_status
knackdb_prepare(knackdb *db, const knackdb_query *query, knackdb_prepared **ret_prepared, knackdb_error *error)
{
    struct allocator  allocator;
    knackdb_prepared *prepared;
    knackdb_query     checked;
    knackdb_status    status = handle_check(db, error);

    if (status == KNACKDB_OK)
        status = query_check(store_schema(db->store), query, &checked, error);
    if (status != KNACKDB_OK)
        return status;
    allocator_init(&allocator, &db->allocator.functions);
    prepared = allocator_get(&allocator, sizeof *prepared);
    if (prepared == NULL)
        return error_no_memory(error, "a prepared query");
    allocator_init(&prepared->allocator, &db->allocator.functions);
    status = query_copy_new(&prepared->allocator, &checked, &prepared->copy, error);
    if (status != KNACKDB_OK) {
        allocator_put(&allocator, prepared, sizeof *prepared);
        return status;
    }
    *ret_prepared = prepared;
    return KNACKDB_OK;
}

void
knackdb_prepared_free(knackdb_prepared *prepared)
{
    struct allocator allocator;

    if (prepared == NULL)
        return;
    allocator_init(&allocator, &prepared->allocator.functions);
    query_copy_free(&prepared->allocator, prepared->copy);
    allocator_put(&allocator, prepared, sizeof *prepared);
}

knackdb_status
knackdb_read_find_prepared(knackdb_read *read, const knackdb_prepared *prepared, knackdb_rows *ret_rows,
                           knackdb_error *error)
{
    return find_checked(read, &prepared->copy->query, ret_rows, error);
}

knackdb_status
knackdb_read_aggregate(knackdb_read *read, const knackdb_query *query, uint32_t value_column, int32_t group_column,
                       const double *percentiles, size_t percentile_count, const knackdb_group **ret_groups,
                       size_t *ret_group_count, knackdb_error *error)
{
    uint64_t                 begun = operation_begin(&read->db->operations);
    struct aggregate_request request = { value_column, group_column, percentiles, percentile_count, false };
    knackdb_query            checked;
    knackdb_group           *groups;
    size_t                   count = 0;
    int                      table = -1;
    knackdb_status           status = handle_check(read->db, error);

    if (status == KNACKDB_OK)
        status = query_check(store_schema(read->view.store), query, &checked, error);
    if (status == KNACKDB_OK)
        status = view_aggregate(&read->view, &checked, &request, &groups, &count, error);
    if (status == KNACKDB_OK)
        status = read_own(read, groups, count * sizeof *groups, error);
    if (status == KNACKDB_OK) {
        *ret_groups = groups;
        *ret_group_count = count;
        table = checked.table;
    }
    return operation_result(&read->db->operations, KNACKDB_OPERATION_AGGREGATE, begun, table, count, status);
}
