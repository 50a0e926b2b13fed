/* aggregate.c - count, mean, minimum, maximum and percentiles, by group.
 *
 * Where all rows of the table are walked it goes by groups of 128 rows (table.h): which of them match is a bit a row
 * (selection.h), which group of the answer they belong to is their code (group_numbers.h), and their numbers are
 * added up a block at a time (sums.h), while the cells of the groups of rows ahead are on their way from memory.
 * Rows that a posting list or a key leads to come one by one, and are a block with one bit.
 *
 * Only percentiles need the numbers themselves (percentiles.h). Sums that overflow are made again of numbers that are
 * so small that they cannot. */
#include "core/candidates.h"
#include "core/group_numbers.h"
#include "core/percentiles.h"
#include "core/query.h"
#include "core/store_data.h"
#include "core/sums.h"

#include "base/error.h"

#include <math.h>
#include <stdlib.h>

_Static_assert(SUMS_BLOCK_ROWS == GROUP_ROWS, "a group of rows is added up at a time");

/* A power of two, so scaling is exact but for the smallest numbers; 2^64 rows of the largest do not overflow it. */
#define SCALE 0x1p-64

#define GROUPS_AHEAD 4u /* whose cells are asked for while one is added up */

struct aggregation {
    struct allocator               *allocator;
    const struct table_data        *table;
    const struct aggregate_request *request;
    bool                            is_scaled; /* numbers are multiplied by SCALE, and only their sum matters */
    sums_add_block                 *add_block;

    struct group_numbers numbers;
    void                *sums_memory;
    struct sums         *sums; /* in it, by number; a lane lies in one cache line */
    size_t               sums_capacity;
    uint64_t            *nulls; /* rows without a number, by group number */
    size_t               null_capacity;
    struct kept_numbers  kept;

    double values[GROUP_ROWS]; /* of a column that does not hold doubles, or scaled */
};

static size_t
sums_bytes(size_t capacity)
{
    return capacity != 0 ? capacity * sizeof(struct sums) + CACHE_LINE_BYTES : 0;
}

/* Sums of every number given until now. */
static knackdb_status
grow_sums(struct aggregation *aggregation, knackdb_error *error)
{
    size_t       wanted = aggregation->numbers.count;
    size_t       capacity = wanted < 2 * aggregation->sums_capacity ? 2 * aggregation->sums_capacity : wanted;
    void        *memory;
    struct sums *sums;
    uint64_t    *nulls;

    if (wanted <= aggregation->sums_capacity)
        return KNACKDB_OK;
    memory = allocator_get(aggregation->allocator, sums_bytes(capacity));
    if (memory == NULL)
        return error_no_memory(error, "an aggregate");
    sums = cache_line_in(memory);
    if (aggregation->sums_capacity != 0)
        memcpy(sums, aggregation->sums, aggregation->sums_capacity * sizeof *sums);
    for (size_t i = aggregation->sums_capacity; i < capacity; i++)
        sums_init(&sums[i]);
    allocator_put(aggregation->allocator, aggregation->sums_memory, sums_bytes(aggregation->sums_capacity));
    aggregation->sums_memory = memory;
    aggregation->sums = sums;
    aggregation->sums_capacity = capacity;
    nulls = allocator_make_room(aggregation->allocator, aggregation->nulls, capacity, &aggregation->null_capacity,
                                sizeof *nulls);
    if (nulls == NULL)
        return error_no_memory(error, "an aggregate");
    aggregation->nulls = nulls;
    return KNACKDB_OK;
}

static double
value_of(const struct aggregation *aggregation, row_number row)
{
    uint32_t column = aggregation->request->value_column;
    int64_t  integer;

    if (aggregation->table->kinds[column] == CELL_REAL)
        return table_real(aggregation->table, row, column);
    return table_integer_given(aggregation->table, row, column, &integer) ? (double) integer : (double) NAN;
}

/* False where one of them stands for NULL, maybe. */
static bool
convert_integers(const int64_t *integers, double *values)
{
    uint32_t nulls = 0;

    for (uint32_t i = 0; i < GROUP_ROWS; i++) {
        nulls |= integers[i] == INTEGER_NULL;
        values[i] = (double) integers[i];
    }
    return nulls == 0;
}

/* The numbers of a group of rows as doubles, NaN where there is none: an array good for the selected places. */
static const double *
values_of(struct aggregation *aggregation, row_number first, const struct selection *selection)
{
    uint32_t column = aggregation->request->value_column;
    size_t   offset = aggregation->table->offsets[column];
    double   scale = aggregation->is_scaled ? SCALE : 1.0;

    if (aggregation->table->kinds[column] == CELL_REAL && !aggregation->is_scaled)
        return TABLE_AT(aggregation->table, first, offset, double);
    if (aggregation->table->kinds[column] == CELL_INTEGER && !aggregation->is_scaled && selection_is_whole(selection) &&
        convert_integers(TABLE_AT(aggregation->table, first, offset, int64_t), aggregation->values))
        return aggregation->values;
    for (uint32_t w = 0; w < SELECTION_WORDS; w++)
        for (uint64_t rest = selection->words[w]; rest != 0; rest &= rest - 1) {
            uint32_t place = w * 64 + (uint32_t) __builtin_ctzll(rest);

            aggregation->values[place] = value_of(aggregation, first + place) * scale;
        }
    return aggregation->values;
}

/* The selected rows of the group of rows that begins with `first`. */
static knackdb_status
add_rows(struct aggregation *aggregation, row_number first, const struct selection *selection, knackdb_error *error)
{
    bool            keeps = aggregation->request->percentile_count != 0 && !aggregation->is_scaled;
    bool            is_added;
    const double   *values = values_of(aggregation, first, selection);
    const uint32_t *numbers;
    knackdb_status  status = group_numbers_of(&aggregation->numbers, first, selection, &numbers, error);

    if (status == KNACKDB_OK)
        status = grow_sums(aggregation, error);
    if (status == KNACKDB_OK && keeps)
        status = kept_numbers_reserve(&aggregation->kept, GROUP_ROWS, error);
    if (status != KNACKDB_OK)
        return status;
    is_added = selection_is_whole(selection) && aggregation->add_block(aggregation->sums, numbers, values);
    if (is_added && !keeps)
        return KNACKDB_OK;
    for (uint32_t w = 0; w < SELECTION_WORDS; w++)
        for (uint64_t rest = selection->words[w]; rest != 0; rest &= rest - 1) {
            uint32_t place = w * 64 + (uint32_t) __builtin_ctzll(rest);
            uint32_t number = numbers[place];

            if (isnan(values[place])) {
                aggregation->nulls[number]++;
                continue;
            }
            if (!is_added)
                sums_add(&aggregation->sums[number].lanes[place % SUMS_LANES], values[place]);
            if (keeps)
                kept_numbers_add(&aggregation->kept, number, values[place]);
        }
    return KNACKDB_OK;
}

/* ---- walking ---- */

static void
ask_for_cells(const struct aggregation *aggregation, const struct candidates *candidates, row_number first)
{
    const unsigned char *group = table_group(aggregation->table, first);

    for (uint32_t c = 0; c < candidates->column_count; c++)
        for (uint32_t line = 0; line < GROUP_ROWS / CACHE_LINE_BYTES * candidates->columns[c].width; line++)
            __builtin_prefetch(group + candidates->columns[c].offset + line * CACHE_LINE_BYTES);
}

/* Every row of the table that is there. */
static knackdb_status
walk_groups(struct aggregation *aggregation, struct candidates *candidates, knackdb_error *error)
{
    knackdb_status status = KNACKDB_OK;

    for (uint32_t chunk = 0; chunk < candidates->run_end; chunk++) {
        uint32_t rows = table_chunk_rows(aggregation->table, chunk);

        for (uint32_t at = 0; at < rows && status == KNACKDB_OK; at += GROUP_ROWS) {
            row_number       first = (chunk << CHUNK_ROW_BITS) + at;
            uint32_t         count = rows - at < GROUP_ROWS ? rows - at : GROUP_ROWS;
            struct selection selection = selection_visible(aggregation->table, first, count, candidates->moment);

            if (at + GROUPS_AHEAD * GROUP_ROWS < rows)
                ask_for_cells(aggregation, candidates, first + GROUPS_AHEAD * GROUP_ROWS);
            for (uint32_t p = 0; p < candidates->predicate_count; p++)
                selection_narrow(&selection, &candidates->predicates[p], aggregation->table, first);
            if (!selection_is_empty(&selection))
                status = add_rows(aggregation, first, &selection, error);
        }
        if (status != KNACKDB_OK)
            break;
    }
    return status;
}

static knackdb_status
walk(struct aggregation *aggregation, const struct view *view, const knackdb_query *checked, knackdb_error *error)
{
    struct candidates candidates;
    row_number        row;
    knackdb_status    status = KNACKDB_OK;

    candidates_init(&candidates, view, checked);
    candidates_foresee(&candidates, aggregation->request->value_column);
    if (aggregation->request->group_column >= 0)
        candidates_foresee(&candidates, (uint32_t) aggregation->request->group_column);
    if (candidates_are_all(&candidates)) {
        status = walk_groups(aggregation, &candidates, error);
    } else {
        while (status == KNACKDB_OK && (row = candidates_next(&candidates)) != ROW_NONE) {
            struct selection selection = selection_of_place(row & GROUP_ROW_MASK);

            status = add_rows(aggregation, row & ~GROUP_ROW_MASK, &selection, error);
        }
    }
    candidates_clear(&candidates);
    return status;
}

/* ---- the answer ---- */

static bool
has_rows(const struct aggregation *aggregation, uint32_t number)
{
    return aggregation->request->group_column < 0 || aggregation->nulls[number] != 0 ||
           sums_total(&aggregation->sums[number]).count > 0.0;
}

/* What there is of each number that any row had, by rising number. NaN stands for what is not known yet, or never. */
static knackdb_status
make_groups(struct aggregation *aggregation, knackdb_group **ret_groups, size_t *ret_count, knackdb_error *error)
{
    size_t         count = 0;
    knackdb_group *groups = NULL;

    for (uint32_t n = 0; n < aggregation->numbers.count; n++)
        count += has_rows(aggregation, n);
    if (count != 0) {
        groups = allocator_get_zeroed(aggregation->allocator, count * sizeof *groups);
        if (groups == NULL)
            return error_no_memory(error, "an aggregate");
    }
    *ret_groups = groups;
    *ret_count = count;
    for (uint32_t n = 0; n < aggregation->numbers.count; n++) {
        struct sums_lane total = sums_total(&aggregation->sums[n]);

        if (!has_rows(aggregation, n))
            continue;
        groups->key = group_numbers_key(&aggregation->numbers, n);
        groups->value_count = (uint64_t) total.count;
        groups->row_count = groups->value_count + aggregation->nulls[n];
        groups->mean = total.count > 0.0 ? total.sum / total.count : (double) NAN;
        groups->minimum = total.count > 0.0 ? -total.lowest : (double) NAN;
        groups->maximum = total.count > 0.0 ? total.maximum : (double) NAN;
        for (size_t p = 0; p < aggregation->request->percentile_count; p++)
            groups->percentiles[p] = (double) NAN;
        groups++;
    }
    return KNACKDB_OK;
}

/* `groups` as make_groups() made them, as in what follows. */
static knackdb_status
fill_percentiles(struct aggregation *aggregation, knackdb_group *groups, knackdb_error *error)
{
    uint32_t       number_count = aggregation->numbers.count;
    size_t        *counts = NULL;
    double        *sorted, *run;
    knackdb_status status;

    if (aggregation->kept.count == 0)
        return KNACKDB_OK;
    counts = allocator_get(aggregation->allocator, number_count * sizeof *counts);
    if (counts == NULL)
        return error_no_memory(error, "percentiles");
    for (uint32_t n = 0; n < number_count; n++)
        counts[n] = (size_t) sums_total(&aggregation->sums[n]).count;
    status = kept_numbers_sorted(&aggregation->kept, counts, number_count, &sorted, error);
    run = sorted;
    for (uint32_t n = 0; n < number_count && status == KNACKDB_OK; n++) {
        for (size_t p = 0; p < aggregation->request->percentile_count && counts[n] != 0; p++)
            groups->percentiles[p] = percentile_of(run, counts[n], aggregation->request->percentiles[p]);
        run += counts[n];
        groups += has_rows(aggregation, n);
    }
    if (status == KNACKDB_OK)
        allocator_put(aggregation->allocator, sorted, aggregation->kept.count * sizeof *sorted);
    allocator_put(aggregation->allocator, counts, number_count * sizeof *counts);
    return status;
}

/* Where a sum overflowed: once more, with numbers that are small. */
static knackdb_status
mend_means(struct aggregation *aggregation, const struct view *view, const knackdb_query *checked,
           knackdb_group *groups, size_t count, knackdb_error *error)
{
    bool           is_over = false;
    knackdb_status status;

    for (size_t g = 0; g < count; g++)
        is_over = is_over || (groups[g].value_count != 0 && !isfinite(groups[g].mean));
    if (!is_over)
        return KNACKDB_OK;
    for (uint32_t n = 0; n < aggregation->numbers.count; n++)
        sums_init(&aggregation->sums[n]);
    aggregation->is_scaled = true;
    status = walk(aggregation, view, checked, error);
    for (uint32_t n = 0; n < aggregation->numbers.count && status == KNACKDB_OK; n++) {
        struct sums_lane total = sums_total(&aggregation->sums[n]);

        if (!has_rows(aggregation, n))
            continue;
        if (total.count > 0.0 && !isfinite(groups->mean))
            /* Its roundings could carry the mean of the largest numbers there are beyond them. */
            groups->mean = fmin(fmax(total.sum / total.count / SCALE, groups->minimum), groups->maximum);
        groups++;
    }
    return status;
}

static int
compare_groups(const void *a, const void *b)
{
    return text_compare(((const knackdb_group *) a)->key, ((const knackdb_group *) b)->key);
}

static knackdb_status
check_request(const struct table *definition, const struct aggregate_request *request, knackdb_error *error)
{
    if (request->value_column >= definition->column_count)
        return error_set(error, KNACKDB_INVALID, "%s: no column %u to aggregate", definition->name,
                         request->value_column);
    if (definition->columns[request->value_column].type == KNACKDB_TEXT)
        return error_set_column(error, KNACKDB_INVALID, (int) request->value_column, "%s.%s: no number to aggregate",
                                definition->name, definition->columns[request->value_column].name);
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
    knackdb_group     *groups = NULL;
    size_t             count = 0;
    knackdb_status     status;

    memset(&aggregation, 0, sizeof aggregation);
    aggregation.allocator = view->store->allocator;
    aggregation.table = &view->store->tables[checked->table];
    aggregation.request = request;
    aggregation.add_block = request->is_plain ? sums_add_plain : sums_add_fastest();
    status = check_request(aggregation.table->definition, request, error);
    if (status != KNACKDB_OK)
        return status;
    kept_numbers_init(&aggregation.kept, aggregation.allocator);
    status = group_numbers_init(&aggregation.numbers, aggregation.allocator, aggregation.table, request->group_column,
                                error);
    if (status == KNACKDB_OK)
        status = grow_sums(&aggregation, error);
    if (status == KNACKDB_OK)
        status = walk(&aggregation, view, checked, error);
    if (status == KNACKDB_OK)
        status = make_groups(&aggregation, &groups, &count, error);
    if (status == KNACKDB_OK)
        status = fill_percentiles(&aggregation, groups, error);
    if (status == KNACKDB_OK)
        status = mend_means(&aggregation, view, checked, groups, count, error);
    if (status == KNACKDB_OK) {
        if (count > 1)
            qsort(groups, count, sizeof *groups, compare_groups);
        *ret_groups = groups;
        *ret_count = count;
    } else {
        allocator_put(aggregation.allocator, groups, count * sizeof *groups);
    }
    allocator_put(aggregation.allocator, aggregation.sums_memory, sums_bytes(aggregation.sums_capacity));
    allocator_put(aggregation.allocator, aggregation.nulls, aggregation.null_capacity * sizeof *aggregation.nulls);
    kept_numbers_clear(&aggregation.kept);
    group_numbers_clear(&aggregation.numbers);
    return status;
}
