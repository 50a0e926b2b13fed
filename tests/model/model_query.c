/* model_query.c - the reference model's answers to queries: scan, choose, sort, cut. */
#define _GNU_SOURCE
#include "model.h"

#include <math.h>
#include <stdlib.h>

/* ---- comparing ---- */

static int
compare_integer_with_real(int64_t integer, double real)
{
    int64_t whole;
    double  rest;

    if (real >= 9223372036854775808.0)
        return -1;
    if (real < -9223372036854775808.0)
        return 1;
    whole = (int64_t) real;
    if (integer != whole)
        return integer < whole ? -1 : 1;
    rest = real - (double) whole;
    return rest > 0 ? -1 : rest < 0;
}

static int
compare_texts(knackdb_text a, knackdb_text b)
{
    size_t shorter = a.length < b.length ? a.length : b.length;
    int    difference = shorter > 0 ? memcmp(a.data, b.data, shorter) : 0;

    if (difference != 0)
        return difference;
    return a.length < b.length ? -1 : a.length > b.length;
}

int
model_compare(const knackdb_value *a, const knackdb_value *b)
{
    if (a->type == KNACKDB_TEXT)
        return compare_texts(a->as.text, b->as.text);
    if (a->type == KNACKDB_INTEGER && b->type == KNACKDB_INTEGER)
        return a->as.integer < b->as.integer ? -1 : a->as.integer > b->as.integer;
    if (a->type == KNACKDB_INTEGER)
        return compare_integer_with_real(a->as.integer, b->as.real);
    if (b->type == KNACKDB_INTEGER)
        return -compare_integer_with_real(b->as.integer, a->as.real);
    return a->as.real < b->as.real ? -1 : a->as.real > b->as.real;
}

static bool
is_null(const knackdb_value *value)
{
    return value->type == KNACKDB_NULL || (value->type == KNACKDB_TEXT && value->as.text.data == NULL);
}

static bool
condition_holds(const knackdb_condition *condition, const knackdb_value *cell)
{
    int order;

    if (condition->op == KNACKDB_IS_NULL)
        return is_null(cell);
    if (condition->op == KNACKDB_IS_NOT_NULL)
        return !is_null(cell);
    if (is_null(cell))
        return false;
    if (condition->op == KNACKDB_ONE_OF) {
        for (size_t i = 0; i < condition->value_count; i++)
            if (!is_null(&condition->values[i]) && model_compare(cell, &condition->values[i]) == 0)
                return true;
        return false;
    }
    if (is_null(&condition->value))
        return false;
    if (condition->op == KNACKDB_CONTAINS)
        return json_list_contains(cell->as.text, condition->value.as.text);

    order = model_compare(cell, &condition->value);
    switch (condition->op) {
    case KNACKDB_EQUAL: return order == 0;
    case KNACKDB_NOT_EQUAL: return order != 0;
    case KNACKDB_LESS: return order < 0;
    case KNACKDB_AT_MOST: return order <= 0;
    case KNACKDB_MORE: return order > 0;
    default: return order >= 0; /* KNACKDB_AT_LEAST */
    }
}

static bool
row_matches(const knackdb_query *query, const struct model_row *row)
{
    for (size_t i = 0; i < query->condition_count; i++)
        if (!condition_holds(&query->conditions[i], &row->cells[query->conditions[i].column]))
            return false;
    return true;
}

/* ---- ordering ---- */

static double
half_life(const knackdb_query *query)
{
    return query->half_life_seconds == 0 ? KNACKDB_HALF_LIFE_DEFAULT : query->half_life_seconds;
}

static double
score(const knackdb_query *query, const struct model_row *row)
{
    const knackdb_value *cells = row->cells;
    uint64_t             nulls = 0;

    for (uint32_t column = 0; column < MODEL_COLUMNS_MAX; column++)
        if (is_null(&cells[column]))
            nulls |= KNACKDB_BIT(column);
    return knackdb_score(cells[KNACKDB_PATTERN_SUCCESS_RATE].as.real, cells[KNACKDB_PATTERN_USAGE_COUNT].as.integer,
                         cells[KNACKDB_PATTERN_CONFIDENCE_SCORE].as.real, cells[KNACKDB_PATTERN_UPDATED_AT].as.real,
                         nulls, query->now, half_life(query));
}

long double
model_score(const knackdb_value *cells, double now, double half_life_seconds)
{
    const knackdb_value *count = &cells[KNACKDB_PATTERN_USAGE_COUNT];
    const long double    z = 1.959963984540054L;
    long double          n = is_null(count) || count->as.integer < 1 ? 1 : (long double) count->as.integer;
    long double          p =
        is_null(&cells[KNACKDB_PATTERN_SUCCESS_RATE]) ? 0 : (long double) cells[KNACKDB_PATTERN_SUCCESS_RATE].as.real;
    long double c = is_null(&cells[KNACKDB_PATTERN_CONFIDENCE_SCORE])
                        ? 1
                        : (long double) cells[KNACKDB_PATTERN_CONFIDENCE_SCORE].as.real;
    long double age = is_null(&cells[KNACKDB_PATTERN_UPDATED_AT])
                          ? 0
                          : (long double) now - (long double) cells[KNACKDB_PATTERN_UPDATED_AT].as.real;
    long double w;

    if (age < 0)
        age = 0;
    w = (p + z * z / (2 * n) - z * sqrtl(p * (1 - p) / n + z * z / (4 * n * n))) / (1 + z * z / n);
    return w * c * exp2l(-age / (long double) half_life_seconds);
}

struct candidate {
    const struct model_row *row;
    double                  score;
};

static int
compare_candidates(const void *a_pointer, const void *b_pointer, void *query_pointer)
{
    const struct candidate *a = a_pointer, *b = b_pointer;
    const knackdb_query    *query = query_pointer;
    int64_t                 a_id = a->row->cells[0].as.integer, b_id = b->row->cells[0].as.integer;

    for (size_t i = 0; i < query->order_count; i++) {
        const knackdb_order *key = &query->order[i];
        int                  order;

        if (key->column == KNACKDB_ORDER_BY_SCORE) {
            order = a->score < b->score ? -1 : a->score > b->score;
        } else {
            const knackdb_value *a_cell = &a->row->cells[key->column], *b_cell = &b->row->cells[key->column];

            if (is_null(a_cell) || is_null(b_cell))
                order = (int) is_null(b_cell) - (int) is_null(a_cell);
            else
                order = model_compare(a_cell, b_cell);
        }
        if (order != 0)
            return key->descending ? -order : order;
    }
    return a_id < b_id ? -1 : a_id > b_id;
}

static void *
get_memory(size_t bytes)
{
    void *memory = malloc(bytes);

    if (memory == NULL)
        abort(); /* a test without memory shows nothing */
    return memory;
}

size_t
model_find(const struct model *model, const knackdb_query *query, const struct model_row **ret_rows)
{
    const struct model_rows *rows = &model->tables[query->table];
    struct candidate        *candidates = get_memory((rows->count + 1) * sizeof *candidates);
    knackdb_query            order = *query;
    size_t                   count = 0, found = 0;
    bool                     by_score = false;

    for (size_t i = 0; i < query->order_count; i++)
        by_score |= query->order[i].column == KNACKDB_ORDER_BY_SCORE;
    for (size_t i = 0; i < rows->count; i++)
        if (row_matches(query, rows->rows[i])) {
            candidates[count].row = rows->rows[i];
            candidates[count].score = by_score ? score(query, rows->rows[i]) : 0;
            count++;
        }
    if (query->order_count > 0)
        qsort_r(candidates, count, sizeof *candidates, compare_candidates, &order);
    for (uint64_t i = query->offset; i < count && (query->limit == 0 || found < query->limit); i++)
        ret_rows[found++] = candidates[i].row;
    free(candidates);
    return found;
}

uint64_t
model_count(const struct model *model, const knackdb_query *query)
{
    const struct model_rows *rows = &model->tables[query->table];
    uint64_t                 count = 0;

    for (size_t i = 0; i < rows->count; i++)
        count += row_matches(query, rows->rows[i]);
    return count;
}

/* ---- aggregates ---- */

static int
compare_doubles(const void *a_pointer, const void *b_pointer)
{
    const double *a = a_pointer, *b = b_pointer;

    return *a < *b ? -1 : *a > *b;
}

/* Hyndman and Fan 1996, type 7, over values that rise. */
static double
percentile(const double *values, size_t count, double percent)
{
    long double place = (long double) (count - 1) * (long double) percent / 100;
    size_t      below = (size_t) floorl(place);

    if (below + 1 >= count)
        return values[count - 1];
    return (double) ((long double) values[below] +
                     (place - (long double) below) * ((long double) values[below + 1] - (long double) values[below]));
}

static void
fill_group(knackdb_group *group, double *slack, double *values, const double *percentiles, size_t percentile_count)
{
    long double sum = 0, magnitude = 0;
    size_t      count = (size_t) group->value_count;

    group->mean = group->minimum = group->maximum = (double) NAN;
    for (size_t i = 0; i < percentile_count; i++)
        group->percentiles[i] = (double) NAN;
    *slack = 0;
    if (count == 0)
        return;
    qsort(values, count, sizeof values[0], compare_doubles);
    for (size_t i = 0; i < count; i++) {
        sum += (long double) values[i];
        magnitude += fabsl((long double) values[i]);
    }
    group->mean = (double) (sum / (long double) count);
    group->minimum = values[0];
    group->maximum = values[count - 1];
    for (size_t i = 0; i < percentile_count; i++)
        group->percentiles[i] = percentile(values, count, percentiles[i]);
    /* Each of `count` additions rounds by at most half a unit in the last place of a partial sum. */
    *slack = (double) (magnitude * 0x1p-52L);
}

size_t
model_aggregate(const struct model *model, const knackdb_query *query, uint32_t value_column, int32_t group_column,
                const double *percentiles, size_t percentile_count, knackdb_group *ret_groups, double *ret_slack)
{
    const struct model_rows *rows = &model->tables[query->table];
    const struct model_row **matches = get_memory((rows->count + 1) * sizeof *matches);
    double                  *values = get_memory((rows->count + 1) * sizeof *values);
    knackdb_query            by_key = *query;
    size_t                   count, group_count = 0, from = 0;

    by_key.limit = by_key.offset = 0;
    by_key.order_count = group_column >= 0 ? 1 : 0;
    by_key.order[0] = (knackdb_order) { .column = group_column };
    count = model_find(model, &by_key, matches);

    /* One group of all is there even when no row is. */
    while (from < count || (group_column < 0 && group_count == 0)) {
        knackdb_group *group = &ret_groups[group_count];
        size_t         at = from;

        memset(group, 0, sizeof *group);
        if (group_column >= 0 && !is_null(&matches[from]->cells[group_column]))
            group->key = matches[from]->cells[group_column].as.text;
        for (; at < count; at++) {
            const knackdb_value *key = group_column >= 0 ? &matches[at]->cells[group_column] : NULL;
            const knackdb_value *value = &matches[at]->cells[value_column];

            if (key != NULL && (is_null(key) != (group->key.data == NULL) ||
                                (!is_null(key) && !model_text_equal(key->as.text, group->key))))
                break;
            group->row_count++;
            if (!is_null(value))
                values[group->value_count++] = value->type == KNACKDB_INTEGER ? (double) value->as.integer
                                                                              : value->as.real;
        }
        fill_group(group, &ret_slack[group_count], values, percentiles, percentile_count);
        group_count++;
        from = at;
    }
    free(values);
    free(matches);
    return group_count;
}
