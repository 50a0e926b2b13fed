/* predicate.c - see predicate.h. */
#include "core/predicate.h"

#include "base/error.h"
#include "core/list.h"

#include <math.h>

static knackdb_status
check_operand(const struct table *definition, const knackdb_condition *condition, const knackdb_value *value,
              knackdb_error *error)
{
    const struct column *info = &definition->columns[condition->column];
    bool                 is_number = value->type == KNACKDB_INTEGER || value->type == KNACKDB_REAL;

    if (value->type == KNACKDB_NULL)
        return KNACKDB_OK; /* compares with nothing: no row */
    if (value->type == KNACKDB_REAL && isnan(value->as.real))
        return error_set_column(error, KNACKDB_INVALID, (int) condition->column, "%s.%s: compared with NaN",
                                definition->name, info->name);
    if (info->type == KNACKDB_TEXT ? value->type == KNACKDB_TEXT && value->as.text.data != NULL : is_number)
        return KNACKDB_OK;
    return error_set_column(error, KNACKDB_INVALID, (int) condition->column, "%s.%s: %s compared with %s",
                            definition->name, info->name, info->type == KNACKDB_TEXT ? "TEXT" : "a number",
                            is_number ? "a number" : "TEXT");
}

knackdb_status
condition_check(const struct table *definition, const knackdb_condition *condition, knackdb_error *error)
{
    const struct column *info;
    knackdb_status       status = KNACKDB_OK;

    if (condition->column >= definition->column_count)
        return error_set(error, KNACKDB_INVALID, "%s: condition on column %u; the table has %u", definition->name,
                         condition->column, definition->column_count);
    info = &definition->columns[condition->column];
    switch (condition->op) {
    case KNACKDB_EQUAL:
    case KNACKDB_NOT_EQUAL:
    case KNACKDB_LESS:
    case KNACKDB_AT_MOST:
    case KNACKDB_MORE:
    case KNACKDB_AT_LEAST: return check_operand(definition, condition, &condition->value, error);
    case KNACKDB_CONTAINS:
        if (info->type != KNACKDB_TEXT)
            return error_set_column(error, KNACKDB_INVALID, (int) condition->column,
                                    "%s.%s: only TEXT can contain something", definition->name, info->name);
        return check_operand(definition, condition, &condition->value, error);
    case KNACKDB_ONE_OF:
        if (condition->value_count != 0 && condition->values == NULL)
            return error_set_column(error, KNACKDB_INVALID, (int) condition->column, "%s.%s: one of no values",
                                    definition->name, info->name);
        for (size_t i = 0; i < condition->value_count && status == KNACKDB_OK; i++)
            status = check_operand(definition, condition, &condition->values[i], error);
        return status;
    case KNACKDB_IS_NULL:
    case KNACKDB_IS_NOT_NULL: return KNACKDB_OK;
    }
    return error_set_column(error, KNACKDB_INVALID, (int) condition->column, "%s.%s: unknown operator %d",
                            definition->name, info->name, (int) condition->op);
}

/* Doubles hold every integer up to 2^53; past that a conversion could round two numbers into one. */
static int
compare_real_integer(double real, int64_t integer)
{
    if (real >= 0x1p63)
        return 1;
    if (real < -0x1p63)
        return -1;
    if ((int64_t) real != integer)
        return (int64_t) real < integer ? -1 : 1;
    return real > (double) (int64_t) real ? 1 : real < (double) (int64_t) real ? -1 : 0;
}

int
number_compare(const knackdb_value *a, const knackdb_value *b)
{
    if (a->type == KNACKDB_INTEGER && b->type == KNACKDB_INTEGER)
        return (a->as.integer > b->as.integer) - (a->as.integer < b->as.integer);
    if (a->type == KNACKDB_REAL && b->type == KNACKDB_REAL)
        return (a->as.real > b->as.real) - (a->as.real < b->as.real);
    return a->type == KNACKDB_REAL ? compare_real_integer(a->as.real, b->as.integer)
                                   : -compare_real_integer(b->as.real, a->as.integer);
}

static int
value_compare(const knackdb_value *a, const knackdb_value *b)
{
    return a->type == KNACKDB_TEXT ? text_compare(a->as.text, b->as.text) : number_compare(a, b);
}

static bool
order_holds(knackdb_operator op, int order)
{
    switch (op) {
    case KNACKDB_EQUAL: return order == 0;
    case KNACKDB_NOT_EQUAL: return order != 0;
    case KNACKDB_LESS: return order < 0;
    case KNACKDB_AT_MOST: return order <= 0;
    case KNACKDB_MORE: return order > 0;
    default: return order >= 0;
    }
}

static bool
any_holds(const knackdb_condition *condition, const struct table_data *table, row_number row)
{
    knackdb_value cell = table_cell(table, row, condition->column);

    switch (condition->op) {
    case KNACKDB_IS_NULL: return cell.type == KNACKDB_NULL;
    case KNACKDB_IS_NOT_NULL: return cell.type != KNACKDB_NULL;
    case KNACKDB_ONE_OF:
        for (size_t i = 0; i < condition->value_count && cell.type != KNACKDB_NULL; i++)
            if (condition->values[i].type != KNACKDB_NULL && value_compare(&cell, &condition->values[i]) == 0)
                return true;
        return false;
    default: break;
    }
    if (cell.type == KNACKDB_NULL || condition->value.type == KNACKDB_NULL)
        return false;
    if (condition->op == KNACKDB_CONTAINS)
        return list_contains(cell.as.text, condition->value.as.text);
    return order_holds(condition->op, value_compare(&cell, &condition->value));
}

/* The codes of the texts asked for; a text no row ever had is left out. False where there are too many to keep. */
static bool
bind_codes(struct predicate *predicate, const struct table_data *table, const knackdb_value *values, size_t count)
{
    predicate->code_count = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t code;

        if (values[i].type == KNACKDB_NULL)
            continue;
        code = dictionary_find(&table->dictionaries[predicate->condition->column], values[i].as.text);
        if (code == DICTIONARY_CODE_NONE)
            continue;
        for (uint32_t seen = 0; seen < predicate->code_count; seen++)
            if (predicate->codes[seen] == code)
                goto next; /* given twice: its rows must not come twice */
        if (predicate->code_count == PREDICATE_CODES_KEPT)
            return false;
        predicate->codes[predicate->code_count++] = code;
    next:;
    }
    predicate->form = predicate->code_count == 0 ? PREDICATE_NEVER : PREDICATE_CODES;
    return true;
}

void
predicate_init(struct predicate *predicate, const struct table_data *table, const knackdb_condition *condition)
{
    const struct column *info = &table->definition->columns[condition->column];

    predicate->form = PREDICATE_ANY;
    predicate->condition = condition;
    predicate->code_count = 0;
    predicate->memo = NULL;
    predicate->memo_count = 0;

    if (condition->op <= KNACKDB_AT_LEAST && condition->value.type == KNACKDB_NULL) {
        predicate->form = PREDICATE_NEVER;
    } else if (info->type == KNACKDB_REAL && condition->op <= KNACKDB_AT_LEAST &&
               condition->value.type == KNACKDB_REAL) {
        predicate->form = PREDICATE_REAL;
        predicate->real = condition->value.as.real;
    } else if (column_is_dictionary(info) && condition->op == KNACKDB_EQUAL) {
        (void) bind_codes(predicate, table, &condition->value, 1);
    } else if (column_is_dictionary(info) && condition->op == KNACKDB_ONE_OF) {
        if (!bind_codes(predicate, table, condition->values, condition->value_count))
            predicate->form = PREDICATE_ANY;
    } else if (column_is_dictionary(info) && condition->op == KNACKDB_CONTAINS) {
        predicate->form = PREDICATE_LIST;
        predicate->memo_count =
            atomic_load_explicit(&table->dictionaries[condition->column].code_end, memory_order_acquire);
        if (predicate->memo_count != 0) /* without memory for it, every row is asked anew */
            predicate->memo = allocator_get_zeroed(table->epochs->allocator, predicate->memo_count);
    }
}

void
predicate_clear(struct predicate *predicate, struct allocator *allocator)
{
    allocator_put(allocator, predicate->memo, predicate->memo_count);
    predicate->memo = NULL;
}

static bool
list_holds(struct predicate *predicate, const struct table_data *table, row_number row)
{
    uint32_t code = table_code(table, row, predicate->condition->column);
    bool     holds;

    if (predicate->memo != NULL && code < predicate->memo_count && predicate->memo[code] != 0)
        return predicate->memo[code] == 2;
    holds = any_holds(predicate->condition, table, row);
    if (predicate->memo != NULL && code < predicate->memo_count)
        predicate->memo[code] = holds ? 2 : 1;
    return holds;
}

static bool
real_holds(const struct predicate *predicate, double cell)
{
    /* NULL is NaN, for which every comparison but != is false. */
    switch (predicate->condition->op) {
    case KNACKDB_EQUAL: return cell == predicate->real;
    case KNACKDB_NOT_EQUAL: return !isnan(cell) && cell != predicate->real;
    case KNACKDB_LESS: return cell < predicate->real;
    case KNACKDB_AT_MOST: return cell <= predicate->real;
    case KNACKDB_MORE: return cell > predicate->real;
    default: return cell >= predicate->real;
    }
}

bool
predicate_holds(struct predicate *predicate, const struct table_data *table, row_number row)
{
    uint32_t code;

    switch (predicate->form) {
    case PREDICATE_NEVER: return false;
    case PREDICATE_REAL: return real_holds(predicate, table_real(table, row, predicate->condition->column));
    case PREDICATE_CODES:
        code = table_code(table, row, predicate->condition->column);
        for (uint32_t i = 0; i < predicate->code_count; i++)
            if (predicate->codes[i] == code)
                return true;
        return false;
    case PREDICATE_LIST: return list_holds(predicate, table, row);
    default: return any_holds(predicate->condition, table, row);
    }
}
