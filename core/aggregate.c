/* aggregate.c - count, mean, minimum, maximum and percentiles, by group.
 *
 * One pass over the candidates: a group is found by the code of its text (a column
 * without a dictionary gets one for the length of the call), its sums grow in place.
 * Only percentiles need the values themselves: they are kept with their group's number, laid
 * out group by group by a counting sort, and each group's run is sorted. */
#include "core/candidates.h"
#include "core/query.h"
#include "core/store_data.h"

#include "base/error.h"

#include <math.h>
#include <stdlib.h>

/* A power of two, so scaling is exact but for the smallest numbers; 2^64 rows of the largest do not overflow it. */
#define SCALE 0x1p-64

struct kept_value {
    uint32_t group;
    double   value;
};

struct aggregation {
    struct allocator               *allocator;
    const struct table_data        *table;
    const struct aggregate_request *request;

    uint32_t *group_by_code; /* group number + 1; 0: none yet */
    size_t    code_capacity;
    struct dictionary own_codes; /* for a group column without a dictionary */
    struct epochs     own_epochs;
    bool              has_own_codes;

    knackdb_group *groups; /* mean holds the sum until finish */
    size_t         group_count, group_capacity;

    double *scaled_sums; /* the same sums times SCALE, for those that overflow */
    size_t  scaled_capacity;

    struct kept_value *values;
    size_t             value_count, value_capacity;
};

static knackdb_status
grow(struct allocator *allocator, void **array, size_t *capacity, size_t count, size_t wanted, size_t item_bytes,
     knackdb_error *error)
{
    size_t larger = *capacity != 0 ? *capacity : 16;
    void  *moved;

    if (wanted <= *capacity)
        return KNACKDB_OK;
    while (larger < wanted)
        larger *= 2;
    moved = allocator_get_zeroed(allocator, larger * item_bytes);
    if (moved == NULL)
        return error_no_memory(error, "an aggregate");
    if (count != 0)
        memcpy(moved, *array, count * item_bytes);
    allocator_put(allocator, *array, *capacity * item_bytes);
    *array = moved;
    *capacity = larger;
    return KNACKDB_OK;
}

static knackdb_status
code_of_row(struct aggregation *aggregation, row_number row, uint32_t *ret_code, knackdb_error *error)
{
    uint32_t column = (uint32_t) aggregation->request->group_column;

    if (!aggregation->has_own_codes) {
        *ret_code = table_code(aggregation->table, row, column);
        return KNACKDB_OK;
    }
    return dictionary_intern(&aggregation->own_codes, &aggregation->own_epochs,
                             table_text(aggregation->table, row, column), ret_code, error);
}

static knackdb_status
add_group(struct aggregation *aggregation, knackdb_text key, knackdb_error *error)
{
    knackdb_status status = grow(aggregation->allocator, (void **) &aggregation->groups, &aggregation->group_capacity,
                                 aggregation->group_count, aggregation->group_count + 1, sizeof *aggregation->groups,
                                 error);

    if (status == KNACKDB_OK)
        status = grow(aggregation->allocator, (void **) &aggregation->scaled_sums, &aggregation->scaled_capacity,
                      aggregation->group_count, aggregation->group_count + 1, sizeof *aggregation->scaled_sums, error);
    if (status != KNACKDB_OK)
        return status;
    memset(&aggregation->groups[aggregation->group_count], 0, sizeof *aggregation->groups);
    aggregation->scaled_sums[aggregation->group_count] = 0.0;
    aggregation->groups[aggregation->group_count++].key = key;
    return KNACKDB_OK;
}

static knackdb_status
group_of_row(struct aggregation *aggregation, row_number row, uint32_t *ret_group, knackdb_error *error)
{
    uint32_t       code;
    knackdb_status status;

    if (aggregation->request->group_column < 0) {
        *ret_group = 0; /* made before the first row */
        return KNACKDB_OK;
    }
    status = code_of_row(aggregation, row, &code, error);
    if (status == KNACKDB_OK)
        status = grow(aggregation->allocator, (void **) &aggregation->group_by_code, &aggregation->code_capacity,
                      aggregation->code_capacity, (size_t) code + 1, sizeof *aggregation->group_by_code, error);
    if (status == KNACKDB_OK && aggregation->group_by_code[code] == 0) {
        /* The view keeps the row's own text alive; the codes made for this call go with it. */
        status = add_group(aggregation,
                           table_text(aggregation->table, row, (uint32_t) aggregation->request->group_column), error);
        aggregation->group_by_code[code] = (uint32_t) aggregation->group_count;
    }
    if (status == KNACKDB_OK)
        *ret_group = aggregation->group_by_code[code] - 1;
    return status;
}

static bool
number_of_row(const struct aggregation *aggregation, row_number row, double *ret_number)
{
    uint32_t column = aggregation->request->value_column;
    int64_t  integer;

    if (aggregation->table->definition->columns[column].type == KNACKDB_INTEGER) {
        if (!table_integer_given(aggregation->table, row, column, &integer))
            return false;
        *ret_number = (double) integer;
        return true;
    }
    *ret_number = table_real(aggregation->table, row, column);
    return !isnan(*ret_number);
}

static knackdb_status
add_row(struct aggregation *aggregation, row_number row, knackdb_error *error)
{
    knackdb_group *group;
    uint32_t       number;
    double         value;
    knackdb_status status = group_of_row(aggregation, row, &number, error);

    if (status != KNACKDB_OK)
        return status;
    group = &aggregation->groups[number];
    group->row_count++;
    if (!number_of_row(aggregation, row, &value))
        return KNACKDB_OK;
    if (group->value_count == 0 || value < group->minimum)
        group->minimum = value;
    if (group->value_count == 0 || value > group->maximum)
        group->maximum = value;
    group->mean += value;
    aggregation->scaled_sums[number] += value * SCALE;
    group->value_count++;
    if (aggregation->request->percentile_count == 0)
        return KNACKDB_OK;
    status = grow(aggregation->allocator, (void **) &aggregation->values, &aggregation->value_capacity,
                  aggregation->value_count, aggregation->value_count + 1, sizeof *aggregation->values, error);
    if (status == KNACKDB_OK)
        aggregation->values[aggregation->value_count++] = (struct kept_value) { number, value };
    return status;
}

static int
compare_numbers(const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;

    return (x > y) - (x < y);
}

/* Hyndman and Fan's type 7: linear between the two nearest ranks, the first at 0 and the last at 100. */
static double
percentile_of(const double *sorted, uint64_t count, double percentile)
{
    double   rank = percentile / 100.0 * (double) (count - 1);
    uint64_t below = (uint64_t) rank;
    double   part = rank - (double) below;

    if (below + 1 >= count)
        return sorted[count - 1];
    /* Weighted, not low + part * difference: the difference of two finite numbers may overflow. The weights are
     * rounded, so the sum could lie a trace outside its two neighbours. */
    return fmin(fmax(sorted[below] * (1.0 - part) + sorted[below + 1] * part, sorted[below]), sorted[below + 1]);
}

static knackdb_status
fill_percentiles(struct aggregation *aggregation, knackdb_error *error)
{
    size_t   bytes = aggregation->value_count * sizeof(double);
    size_t   cursor_bytes = (aggregation->group_count + 1) * sizeof(size_t);
    double  *sorted;
    size_t  *cursors;
    size_t   first = 0;

    if (aggregation->value_count == 0)
        return KNACKDB_OK;
    sorted = allocator_get(aggregation->allocator, bytes);
    cursors = allocator_get(aggregation->allocator, cursor_bytes);
    if (sorted == NULL || cursors == NULL) {
        allocator_put(aggregation->allocator, sorted, bytes);
        allocator_put(aggregation->allocator, cursors, cursor_bytes);
        return error_no_memory(error, "percentiles");
    }
    for (size_t g = 0; g < aggregation->group_count; g++) {
        cursors[g] = first;
        first += aggregation->groups[g].value_count;
    }
    for (size_t i = 0; i < aggregation->value_count; i++)
        sorted[cursors[aggregation->values[i].group]++] = aggregation->values[i].value;

    first = 0;
    for (size_t g = 0; g < aggregation->group_count; g++) {
        knackdb_group *group = &aggregation->groups[g];

        if (group->value_count == 0)
            continue;
        qsort(sorted + first, group->value_count, sizeof *sorted, compare_numbers);
        for (size_t p = 0; p < aggregation->request->percentile_count; p++)
            group->percentiles[p] =
                percentile_of(sorted + first, group->value_count, aggregation->request->percentiles[p]);
        first += group->value_count;
    }
    allocator_put(aggregation->allocator, sorted, bytes);
    allocator_put(aggregation->allocator, cursors, cursor_bytes);
    return KNACKDB_OK;
}

static int
compare_groups(const void *a, const void *b)
{
    return text_compare(((const knackdb_group *) a)->key, ((const knackdb_group *) b)->key);
}

static void
finish_groups(struct aggregation *aggregation)
{
    for (size_t g = 0; g < aggregation->group_count; g++) {
        knackdb_group *group = &aggregation->groups[g];

        if (group->value_count != 0) {
            group->mean = isfinite(group->mean) ? group->mean / (double) group->value_count
                                                : aggregation->scaled_sums[g] / (double) group->value_count / SCALE;
            continue;
        }
        group->mean = group->minimum = group->maximum = (double) NAN;
        for (size_t p = 0; p < aggregation->request->percentile_count; p++)
            group->percentiles[p] = (double) NAN;
    }
    if (aggregation->group_count > 1)
        qsort(aggregation->groups, aggregation->group_count, sizeof *aggregation->groups, compare_groups);
}

static knackdb_status
check_request(const struct table *definition, const struct aggregate_request *request, knackdb_error *error)
{
    if (request->value_column >= definition->column_count)
        return error_set(error, KNACKDB_INVALID, "%s: no column %u to aggregate", definition->name,
                         request->value_column);
    if (definition->columns[request->value_column].type == KNACKDB_TEXT)
        return error_set_column(error, KNACKDB_INVALID, (int) request->value_column,
                                "%s.%s: no number to aggregate", definition->name,
                                definition->columns[request->value_column].name);
    if (request->group_column < -1 || request->group_column >= (int64_t) definition->column_count)
        return error_set(error, KNACKDB_INVALID, "%s: no column %d to group by", definition->name,
                         request->group_column);
    if (request->group_column >= 0 && definition->columns[request->group_column].type != KNACKDB_TEXT)
        return error_set_column(error, KNACKDB_INVALID, request->group_column, "%s.%s: no text to group by",
                                definition->name, definition->columns[request->group_column].name);
    if (request->percentile_count > KNACKDB_PERCENTILES_MAX)
        return error_set(error, KNACKDB_INVALID, "%zu percentiles; at most %d", request->percentile_count,
                         KNACKDB_PERCENTILES_MAX);
    if (request->percentile_count != 0 && request->percentiles == NULL)
        return error_set(error, KNACKDB_INVALID, "aggregate: percentiles is NULL");
    for (size_t p = 0; p < request->percentile_count; p++)
        if (!(request->percentiles[p] >= 0.0 && request->percentiles[p] <= 100.0))
            return error_set(error, KNACKDB_INVALID, "percentile %g is outside 0..100", request->percentiles[p]);
    return KNACKDB_OK;
}

knackdb_status
view_aggregate(const struct view *view, const knackdb_query *checked, const struct aggregate_request *request,
               knackdb_group **ret_groups, size_t *ret_count, knackdb_error *error)
{
    struct aggregation aggregation;
    struct candidates  candidates;
    row_number         row;
    knackdb_status     status;

    memset(&aggregation, 0, sizeof aggregation);
    aggregation.allocator = view->store->allocator;
    aggregation.table = &view->store->tables[checked->table];
    aggregation.request = request;
    status = check_request(aggregation.table->definition, request, error);
    if (status != KNACKDB_OK)
        return status;
    if (request->group_column >= 0
        && !column_is_dictionary(&aggregation.table->definition->columns[request->group_column])) {
        status = epochs_init(&aggregation.own_epochs, aggregation.allocator, error);
        if (status != KNACKDB_OK)
            return status;
        aggregation.has_own_codes = true;
    }

    if (request->group_column < 0) /* one group of all, even of no rows */
        status = add_group(&aggregation, (knackdb_text) { NULL, 0 }, error);
    candidates_init(&candidates, view, checked);
    while (status == KNACKDB_OK && (row = candidates_next(&candidates)) != ROW_NONE)
        status = add_row(&aggregation, row, error);
    candidates_clear(&candidates);
    if (status == KNACKDB_OK && request->percentile_count != 0)
        status = fill_percentiles(&aggregation, error);
    if (status == KNACKDB_OK && aggregation.group_count != 0) {
        /* Shrunk to fit, so that the caller knows its size from the count. */
        void *fitted = allocator_resize(aggregation.allocator, aggregation.groups,
                                        aggregation.group_capacity * sizeof(knackdb_group),
                                        aggregation.group_count * sizeof(knackdb_group));

        if (fitted == NULL) {
            status = error_no_memory(error, "an aggregate");
        } else {
            aggregation.groups = fitted;
            aggregation.group_capacity = aggregation.group_count;
        }
    }
    if (status == KNACKDB_OK) {
        finish_groups(&aggregation);
        *ret_groups = aggregation.groups;
        *ret_count = aggregation.group_count;
        aggregation.groups = NULL;
        aggregation.group_capacity = 0;
    }

    allocator_put(aggregation.allocator, aggregation.groups, aggregation.group_capacity * sizeof(knackdb_group));
    allocator_put(aggregation.allocator, aggregation.scaled_sums,
                  aggregation.scaled_capacity * sizeof *aggregation.scaled_sums);
    allocator_put(aggregation.allocator, aggregation.group_by_code,
                  aggregation.code_capacity * sizeof *aggregation.group_by_code);
    allocator_put(aggregation.allocator, aggregation.values, aggregation.value_capacity * sizeof *aggregation.values);
    if (aggregation.has_own_codes) {
        dictionary_clear(&aggregation.own_codes, &aggregation.own_epochs);
        epochs_clear(&aggregation.own_epochs);
    }
    return status;
}
