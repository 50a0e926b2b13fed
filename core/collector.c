/* collector.c - see collector.h. */
#include "core/collector.h"

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

static bool
comes_before(const struct collector *collector, const struct hit *a, const struct hit *b)
{
    int64_t id_a, id_b;

    if (a->rank != b->rank)
        return a->rank < b->rank;
    for (size_t i = 0; i < collector->query->order_count; i++) {
        int order = compare_by(collector, &collector->query->order[i], a->row, b->row);

        if (order != 0)
            return order < 0;
    }
    id_a = table_integer(collector->table, a->row, 0);
    id_b = table_integer(collector->table, b->row, 0);
    return id_a < id_b;
}

/* Restores the heap (the last in order at the root) below `at`. */
static void
sift_down(struct collector *collector, size_t at, size_t count)
{
    struct hit *hits = collector->hits;
    struct hit  moving = hits[at];

    for (;;) {
        size_t child = 2 * at + 1;

        if (child >= count)
            break;
        if (child + 1 < count && comes_before(collector, &hits[child], &hits[child + 1]))
            child++;
        if (!comes_before(collector, &moving, &hits[child]))
            break;
        hits[at] = hits[child];
        at = child;
    }
    hits[at] = moving;
}

static void
make_heap(struct collector *collector)
{
    for (size_t i = collector->count / 2; i-- > 0;)
        sift_down(collector, i, collector->count);
    collector->is_heap = true;
}

knackdb_status
collector_add(struct collector *collector, row_number row, knackdb_error *error)
{
    return collector_add_ranked(collector, row, first_rank(collector, row), error);
}

double
collector_last_rank(struct collector *collector)
{
    if (!collector->is_heap)
        make_heap(collector);
    return collector->hits[0].rank;
}

void
collector_sort(struct collector *collector)
{
    bool sorted = true;

    if (!collector->is_heap) {
        for (size_t i = 1; i < collector->count && sorted; i++)
            sorted = comes_before(collector, &collector->hits[i - 1], &collector->hits[i]);
        if (sorted) /* the rule for rows by id, which mostly come that way */
            return;
        make_heap(collector);
    }
    for (size_t left = collector->count; left > 1; left--) {
        struct hit last = collector->hits[0];

        collector->hits[0] = collector->hits[left - 1];
        sift_down(collector, 0, left - 1);
        collector->hits[left - 1] = last;
    }
}

knackdb_status
collector_add_ranked(struct collector *collector, row_number row, double rank, knackdb_error *error)
{
    struct hit hit = { rank, row };

    if (collector->count == collector->keep) {
        collector->dropped = true;
        if (!collector->is_heap)
            make_heap(collector);
        if (comes_before(collector, &hit, &collector->hits[0])) {
            collector->hits[0] = hit;
            sift_down(collector, 0, collector->count);
        }
        return KNACKDB_OK;
    }
    if (collector->count == collector->capacity) {
        size_t      capacity = collector->capacity != 0 ? collector->capacity * 2 : 32;
        struct hit *hits = allocator_resize(collector->allocator, collector->hits, collector->count * sizeof *hits,
                                            capacity * sizeof *hits);

        if (hits == NULL)
            return error_no_memory(error, "a result");
        collector->hits = hits;
        collector->capacity = capacity;
    }
    collector->hits[collector->count++] = hit;
    return KNACKDB_OK;
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
}

void
collector_empty(struct collector *collector)
{
    collector->count = 0;
    collector->is_heap = false;
    collector->dropped = false;
}
