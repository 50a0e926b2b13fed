/* query.c - checking a query, keeping a copy of one, and the list of rows it finds. */
#include "core/query.h"

#include "base/error.h"
#include "core/carried.h"
#include "core/leaders.h"
#include "core/predicate.h"

#include <math.h>

static knackdb_status
check_order(const struct table *definition, int table, const knackdb_order *order, knackdb_error *error)
{
    if (order->column == KNACKDB_ORDER_BY_SCORE && table == KNACKDB_EXECUTION_PATTERNS)
        return KNACKDB_OK;
    if (order->column >= 0 && (uint32_t) order->column < definition->column_count)
        return KNACKDB_OK;
    if (order->column == KNACKDB_ORDER_BY_SCORE)
        return error_set(error, KNACKDB_INVALID, "%s: only patterns can be ordered by score", definition->name);
    return error_set(error, KNACKDB_INVALID, "%s: cannot be ordered by column %d", definition->name, order->column);
}

knackdb_status
query_check(const struct schema *schema, const knackdb_query *query, knackdb_query *ret_checked, knackdb_error *error)
{
    const struct table *definition;
    knackdb_status      status;

    if (query == NULL)
        return error_set(error, KNACKDB_INVALID, "query: it is NULL");
    if (query->struct_size != 0 && query->struct_size != sizeof *query)
        return error_set(error, KNACKDB_INVALID, "query: struct_size %zu is none this library knows",
                         query->struct_size);
    if (query->table < 0 || (uint32_t) query->table >= schema->table_count)
        return error_set(error, KNACKDB_INVALID, "query: no table %d", query->table);
    if (query->condition_count > KNACKDB_CONDITIONS_MAX || query->order_count > KNACKDB_ORDER_KEYS_MAX)
        return error_set(error, KNACKDB_INVALID, "query: %zu conditions and %zu sort keys; at most %d and %d",
                         query->condition_count, query->order_count, KNACKDB_CONDITIONS_MAX, KNACKDB_ORDER_KEYS_MAX);
    if (query->condition_count != 0 && query->conditions == NULL)
        return error_set(error, KNACKDB_INVALID, "query: conditions is NULL");
    if (!isfinite(query->now) || !isfinite(query->half_life_seconds) || query->half_life_seconds < 0.0)
        return error_set(error, KNACKDB_INVALID,
                         "query: now and half_life_seconds must be finite, the latter not negative");

    definition = &schema->tables[query->table];
    for (size_t i = 0; i < query->condition_count; i++) {
        status = condition_check(definition, &query->conditions[i], error);
        if (status != KNACKDB_OK)
            return status;
    }
    for (size_t i = 0; i < query->order_count; i++) {
        status = check_order(definition, query->table, &query->order[i], error);
        if (status != KNACKDB_OK)
            return status;
    }
    *ret_checked = *query;
    if (query->half_life_seconds == 0.0)
        ret_checked->half_life_seconds = KNACKDB_HALF_LIFE_DEFAULT;
    return KNACKDB_OK;
}

/* ---- copies ---- */

static size_t
text_bytes(const knackdb_value *value)
{
    return value->type == KNACKDB_TEXT ? value->as.text.length : 0;
}

/* What a condition compares with; the operators that look at no single value have none, whatever stands there. */
static knackdb_value
operand_of(const knackdb_condition *condition)
{
    if (condition->op == KNACKDB_ONE_OF || condition->op == KNACKDB_IS_NULL || condition->op == KNACKDB_IS_NOT_NULL)
        return knackdb_value_null();
    return condition->value;
}

static char *
copy_text(knackdb_value *value, char *to)
{
    if (value->type == KNACKDB_TEXT) {
        size_t length = value->as.text.length;

        if (length != 0)
            memcpy(to, value->as.text.data, length);
        value->as.text.data = to;
        to += length;
    }
    return to;
}

knackdb_status
query_copy_new(struct allocator *allocator, const knackdb_query *checked, struct query_copy **ret_copy,
               knackdb_error *error)
{
    size_t             bytes = sizeof(struct query_copy) + checked->condition_count * sizeof(knackdb_condition) + 1;
    struct query_copy *copy;
    knackdb_condition *conditions;
    knackdb_value     *values;
    char              *text;

    for (size_t i = 0; i < checked->condition_count; i++) {
        knackdb_value operand = operand_of(&checked->conditions[i]);

        bytes += text_bytes(&operand);
        for (size_t v = 0; checked->conditions[i].op == KNACKDB_ONE_OF && v < checked->conditions[i].value_count; v++)
            bytes += sizeof(knackdb_value) + text_bytes(&checked->conditions[i].values[v]);
    }
    copy = allocator_get(allocator, bytes);
    if (copy == NULL)
        return error_no_memory(error, "a prepared query");

    /* struct, conditions, values of ONE_OF, then text: each part is aligned behind the one before. */
    copy->query = *checked;
    copy->bytes = bytes;
    conditions = (knackdb_condition *) (copy + 1);
    values = (knackdb_value *) (conditions + checked->condition_count);
    for (size_t i = 0; i < checked->condition_count; i++) {
        conditions[i] = checked->conditions[i];
        conditions[i].value = operand_of(&checked->conditions[i]);
        if (conditions[i].op != KNACKDB_ONE_OF) {
            conditions[i].values = NULL;
            conditions[i].value_count = 0;
            continue;
        }
        if (conditions[i].value_count != 0)
            memcpy(values, conditions[i].values, conditions[i].value_count * sizeof *values);
        conditions[i].values = values;
        values += conditions[i].value_count;
    }
    text = (char *) values;
    for (size_t i = 0; i < checked->condition_count; i++) {
        text = copy_text(&conditions[i].value, text);
        for (size_t v = 0; v < conditions[i].value_count; v++)
            text = copy_text((knackdb_value *) (uintptr_t) &conditions[i].values[v], text);
    }
    copy->query.conditions = conditions;
    *ret_copy = copy;
    return KNACKDB_OK;
}

void
query_copy_free(struct allocator *allocator, struct query_copy *copy)
{
    if (copy != NULL)
        allocator_put(allocator, copy, copy->bytes);
}

/* ---- row lists ---- */

void
row_list_init(struct row_list *list, struct allocator *allocator)
{
    memset(list, 0, sizeof *list);
    list->allocator = allocator;
}

void
row_list_lend(struct row_list *list, knackdb_row *room, size_t capacity)
{
    list->rows = room;
    list->capacity = capacity;
    list->is_lent = true;
}

void
row_list_lend_notes(struct row_list *list, void *room, size_t bytes)
{
    list->note_room = room;
    list->note_room_bytes = bytes;
}

void *
row_list_note_get(struct row_list *list, size_t bytes)
{
    bool is_taken = list->led == list->note_room || list->carried == list->note_room; /* or there is none */

    return bytes <= list->note_room_bytes && !is_taken ? list->note_room : allocator_get(list->allocator, bytes);
}

void
row_list_note_put(struct row_list *list, void *note, size_t bytes)
{
    if (note != list->note_room)
        allocator_put(list->allocator, note, bytes);
}

void
row_list_clear(struct row_list *list)
{
    if (!list->is_lent)
        allocator_put(list->allocator, list->rows, list->capacity * sizeof *list->rows);
    if (list->carried != NULL)
        row_list_note_put(list, list->carried, carried_bytes(list->carried));
    if (list->led != NULL)
        row_list_note_put(list, list->led, led_rows_bytes(list->led));
    row_list_init(list, list->allocator);
}

knackdb_status
row_list_reserve(struct row_list *list, size_t count, knackdb_error *error)
{
    knackdb_row *rows;

    if (count <= list->capacity)
        return KNACKDB_OK;
    rows = list->is_lent
               ? allocator_get(list->allocator, count * sizeof *rows)
               : allocator_resize(list->allocator, list->rows, list->capacity * sizeof *rows, count * sizeof *rows);
    if (rows == NULL)
        return error_no_memory(error, "a result");
    if (list->is_lent && list->count != 0)
        memcpy(rows, list->rows, list->count * sizeof *rows);
    list->is_lent = false;
    list->rows = rows;
    list->capacity = count;
    return KNACKDB_OK;
}

void
row_list_shrink(struct row_list *list, size_t count)
{
    size_t       capacity = count != 0 ? count : 1;
    knackdb_row *rows =
        !list->is_lent && capacity < list->capacity
            ? allocator_resize(list->allocator, list->rows, list->capacity * sizeof *rows, capacity * sizeof *rows)
            : NULL;

    if (rows == NULL)
        return;
    list->rows = rows;
    list->capacity = capacity;
}
