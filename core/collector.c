/* collector.c - see collector.h. */
#include "core/collector.h"

#include "core/carried.h"
#include "core/predicate.h"
#include "core/score.h"
#include "core/store_data.h"

#include "base/clock.h"
#include "base/error.h"

#include <math.h>

static double
score(const struct collector *collector, row_number row)
{
    return score_of_row(collector->table, row, collector->now, collector->query->half_life_seconds);
}

/* NULL is below every number (and no number is infinite). */
static double
number_rank(const struct table_data *table, row_number row, uint32_t column)
{
    int64_t integer;
    double  real;

    if (table->definition->columns[column].type == KNACKDB_INTEGER)
        return table_integer_given(table, row, column, &integer) ? (double) integer : -INFINITY;
    real = table_real(table, row, column);
    return isnan(real) ? -INFINITY : real;
}

static double
first_rank(const struct collector *collector, row_number row)
{
    const knackdb_order *order = &collector->query->order[0];
    double               rank;

    if (collector->query->order_count == 0)
        return (double) table_integer(collector->table, row, 0);
    if (order->column == KNACKDB_ORDER_BY_SCORE)
        rank = score(collector, row);
    else if (collector->table->definition->columns[order->column].type == KNACKDB_TEXT)
        rank = 0.0;
    else
        rank = number_rank(collector->table, row, (uint32_t) order->column);
    return order->descending ? -rank : rank;
}

static int64_t
id_of(const struct collector *collector, const struct hit *hit)
{
    if (hit->place != 0 && (collector->carries & KNACKDB_BIT(0)) != 0)
        return (int64_t) *carried_row_at(&collector->list, hit->place).cells;
    return table_integer(collector->table, hit->row, 0);
}

static int
compare_ids(const struct collector *collector, const struct hit *a, const struct hit *b)
{
    int64_t x = id_of(collector, a), y = id_of(collector, b);

    return (x > y) - (x < y);
}

static int
compare_by(const struct collector *collector, const knackdb_order *order, row_number a, row_number b)
{
    const struct table_data *table = collector->table;
    knackdb_value            x, y;
    int                      result;

    if (order->column == KNACKDB_ORDER_BY_SCORE) {
        double s = score(collector, a), t = score(collector, b);

        result = (s > t) - (s < t);
    } else {
        x = table_cell(table, a, (uint32_t) order->column);
        y = table_cell(table, b, (uint32_t) order->column);
        if (x.type == KNACKDB_NULL || y.type == KNACKDB_NULL)
            result = (x.type != KNACKDB_NULL) - (y.type != KNACKDB_NULL);
        else if (x.type == KNACKDB_TEXT)
            result = text_compare(x.as.text, y.as.text);
        else
            result = number_compare(&x, &y);
    }
    return order->descending ? -result : result;
}

/* Equal ranks are equal values: those of a REAL, NULL being none of them. */
static bool
is_ranked_whole(const struct collector *collector)
{
    const knackdb_order *order = &collector->query->order[0];

    return collector->query->order_count != 0 && order->column > 0 &&
           collector->table->definition->columns[order->column].type == KNACKDB_REAL;
}

/* Equal ranks. */
static bool __attribute__((noinline))
comes_before_in_full(const struct collector *collector, const struct hit *a, const struct hit *b)
{
    for (size_t i = is_ranked_whole(collector); i < collector->query->order_count; i++) {
        const knackdb_order *by = &collector->query->order[i];
        int                  order;

        if (by->column == 0)
            order = by->descending ? compare_ids(collector, b, a) : compare_ids(collector, a, b);
        else
            order = compare_by(collector, by, a->row, b->row);
        if (order != 0)
            return order < 0;
    }
    return compare_ids(collector, a, b) < 0;
}

static inline bool
comes_before(const struct collector *collector, const struct hit *a, const struct hit *b)
{
    return a->rank == b->rank ? comes_before_in_full(collector, a, b) : a->rank < b->rank;
}

/* ---- sorting ---- */

#define RUN_HITS 8u /* sorted by insertion, which is quicker for so few */

static void
sort_run(const struct collector *collector, struct hit *hits, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct hit moving = hits[i];
        size_t     at = i;

        for (; at > 0 && comes_before(collector, &moving, &hits[at - 1]); at--)
            hits[at] = hits[at - 1];
        hits[at] = moving;
    }
}

/* Two sorted runs become one in `to`, in which the second may lie as far behind as the first is long. Which comes next
 * cannot be foreseen, so it is not branched on. */
static void
merge(const struct collector *collector, const struct hit *a, size_t a_count, const struct hit *b, size_t b_count,
      struct hit *to)
{
    const struct hit *a_end = a + a_count, *b_end = b + b_count;

    while (a < a_end && b < b_end) {
        bool takes_b = comes_before(collector, b, a);

        *to++ = *(takes_b ? b : a);
        a += !takes_b;
        b += takes_b;
    }
    if (a < a_end)
        memcpy(to, a, (size_t) (a_end - a) * sizeof *to);
    else
        memmove(to, b, (size_t) (b_end - b) * sizeof *to);
}

/* Sorts what is in `from`, with room for as much in `to`. Returns which of them it is in then. */
static struct hit *
sort(const struct collector *collector, struct hit *from, struct hit *to, size_t count)
{
    for (size_t at = 0; at < count; at += RUN_HITS)
        sort_run(collector, from + at, count - at < RUN_HITS ? count - at : RUN_HITS);
    for (size_t width = RUN_HITS; width < count; width *= 2) {
        struct hit *merged = to;

        for (size_t at = 0; at < count; at += 2 * width) {
            size_t left = count - at < width ? count - at : width;
            size_t right = count - at - left < width ? count - at - left : width;

            merge(collector, from + at, left, from + at + left, right, to + at);
        }
        to = from;
        from = merged;
    }
    return from;
}

knackdb_status
collector_sort(struct collector *collector, knackdb_error *error)
{
    size_t      first = collector->sorted, rest = collector->count - first;
    struct hit *hits = collector->hits, *sorted;

    if (rest != 0) {
        if (collector->aside == NULL)
            collector->aside = allocator_get(collector->allocator, collector->capacity * sizeof *hits);
        if (collector->aside == NULL)
            return error_no_memory(error, "a result");
        sorted = sort(collector, hits + first, collector->aside + first, rest);
        merge(collector, hits, first, sorted, rest, collector->aside);
        collector->hits = collector->aside;
        collector->aside = hits;
    }
    if (collector->count > collector->keep) {
        collector->count = (size_t) collector->keep;
        collector->dropped = true;
    }
    collector->sorted = collector->count;
    return KNACKDB_OK;
}

/* ---- adding ---- */

/* Enough wait behind those in order to be sorted in. */
static inline bool
is_overfull(const struct collector *collector)
{
    return collector->count >= collector->keep && collector->count - collector->keep >= 32 + collector->keep / 2;
}

static knackdb_status
grow(struct collector *collector, knackdb_error *error)
{
    size_t      capacity = collector->capacity;
    struct hit *hits =
        allocator_make_room(collector->allocator, collector->hits, capacity + 1, &collector->capacity, sizeof *hits);

    if (hits == NULL)
        return error_no_memory(error, "a result");
    allocator_put(collector->allocator, collector->aside, capacity * sizeof *hits);
    collector->aside = NULL;
    collector->hits = hits;
    return KNACKDB_OK;
}

knackdb_status
collector_add_ranked(struct collector *collector, row_number row, double rank, knackdb_error *error)
{
    struct hit     hit = { rank, row, collector->place };
    struct hit    *last;
    knackdb_status status = KNACKDB_OK;

    if (is_overfull(collector))
        status = collector_sort(collector, error);
    if (status == KNACKDB_OK && collector->sorted == collector->keep &&
        !comes_before(collector, &hit, &collector->hits[collector->keep - 1])) {
        collector->dropped = true;
        return KNACKDB_OK;
    }
    if (status == KNACKDB_OK && collector->count == collector->capacity)
        status = grow(collector, error);
    if (status != KNACKDB_OK)
        return status;
    last = &collector->hits[collector->count];
    last->rank = rank; /* part by part: a copy of what was just stored in parts is waited for */
    last->row = row;
    last->place = collector->place;
    if (collector->sorted == collector->count && collector->count < collector->keep &&
        (collector->count == 0 || comes_before(collector, last - 1, last)))
        collector->sorted++;
    collector->count++;
    return KNACKDB_OK;
}

knackdb_status
collector_add(struct collector *collector, row_number row, knackdb_error *error)
{
    return collector_add_ranked(collector, row, first_rank(collector, row), error);
}

void
collector_init(struct collector *collector, const struct view *view, const knackdb_query *checked)
{
    memset(collector, 0, sizeof *collector);
    collector->allocator = view->store->allocator;
    collector->table = &view->store->tables[checked->table];
    collector->query = checked;
    collector->keep = checked->limit == 0 || checked->limit > UINT64_MAX - checked->offset
                          ? UINT64_MAX
                          : checked->limit + checked->offset;
    for (size_t i = 0; i < checked->order_count && collector->now == 0.0; i++)
        if (checked->order[i].column == KNACKDB_ORDER_BY_SCORE)
            collector->now = checked->now != 0.0 ? checked->now : (double) clock_wall_us() / 1e6;
}

void
collector_clear(struct collector *collector)
{
    allocator_put(collector->allocator, collector->hits, collector->capacity * sizeof *collector->hits);
    allocator_put(collector->allocator, collector->aside, collector->capacity * sizeof *collector->aside);
}

void
collector_empty(struct collector *collector)
{
    collector->count = collector->sorted = 0;
    collector->dropped = false;
}
