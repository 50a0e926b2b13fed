/* find.c - the rows that match, in order, the first so many of them.
 *
 * Rows come from candidates.h one by one into a collector. With a limit of k it keeps the
 * best k in a heap whose root is the worst of them, so a row that is no better costs one
 * comparison; without one it keeps all. In the end it sorts (heapsort: in place, never quadratic).
 * Each hit carries its first sort key as a double, which settles nearly every comparison
 * without a look at the columns.
 *
 * An answer that result_cache.h kept is brought up to date with the same collector: its
 * rows that still live go in first, then the candidates born since. Should one of its
 * rows have died, another that did not make it into the first k may have to come back, so the
 * query runs anew, unless the answer had held every match. */
#include "core/candidates.h"
#include "core/query.h"
#include "core/result_cache.h"
#include "core/score.h"
#include "core/store_data.h"

#include "base/clock.h"
#include "base/error.h"

#include <math.h>

struct hit {
    double     rank; /* smaller comes first; equal ranks are compared in full */
    row_number row;
};

struct collector {
    struct allocator        *allocator;
    const struct table_data *table;
    const knackdb_query     *query;
    double                   now;
    uint64_t                 keep; /* rows wanted: offset + limit; UINT64_MAX: all */
    bool                     is_heap;
    bool                     dropped; /* some match was not kept */
    struct hit              *hits;
    size_t                   count, capacity;
};

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

static void
sort(struct collector *collector)
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

static knackdb_status
collect(struct collector *collector, row_number row, knackdb_error *error)
{
    struct hit hit = { first_rank(collector, row), row };

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

static void
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

static void
collector_clear(struct collector *collector)
{
    allocator_put(collector->allocator, collector->hits, collector->capacity * sizeof *collector->hits);
}

#define SINCE_EVER UINT64_MAX

/* Collects the candidates, or those born after a moment. */
static knackdb_status
run(struct collector *collector, const struct view *view, uint64_t since, knackdb_error *error)
{
    struct candidates candidates;
    knackdb_status    status = KNACKDB_OK;
    row_number        row;

    candidates_init(&candidates, view, collector->query);
    if (since != SINCE_EVER)
        candidates_leave_out(&candidates, since);
    while (status == KNACKDB_OK && (row = candidates_next(&candidates)) != ROW_NONE)
        status = collect(collector, row, error);
    candidates_clear(&candidates);
    return status;
}

/* Hands out what was collected; the list then holds it in order, without the offset. */
static knackdb_status
finish(struct collector *collector, struct row_list *list, knackdb_error *error)
{
    knackdb_status status = KNACKDB_OK;

    sort(collector);
    list->count = 0;
    for (size_t i = collector->query->offset; i < collector->count && status == KNACKDB_OK; i++)
        status = row_list_add(list, collector->hits[i].row, error);
    return status;
}

/* ---- with the cache ---- */

static knackdb_status
keep_answer(struct collector *collector, const struct view *view, const struct result_key *key, knackdb_error *error)
{
    struct cached_result cached = { view->moment, !collector->dropped };
    struct row_list      all;
    knackdb_status       status = KNACKDB_OK;

    row_list_init(&all, collector->allocator);
    for (size_t i = 0; i < collector->count && status == KNACKDB_OK; i++)
        status = row_list_add(&all, collector->hits[i].row, error);
    if (status == KNACKDB_OK)
        result_cache_put(&view->store->cache, key, &cached, all.rows, all.count);
    row_list_clear(&all);
    return status;
}

/* The cached rows still alive go into the collector. False where the query must run anew. */
static bool
take_cached(struct collector *collector, const struct view *view, const struct row_list *rows,
            const struct cached_result *cached)
{
    for (size_t i = 0; i < rows->count; i++) {
        row_number row = (row_number) rows->rows[i];

        /* Its number may have gone to another row; then that one was born later. */
        if (table_row_seen(collector->table, row, view->moment)
            && table_row_born(collector->table, row, cached->moment)) {
            if (collect(collector, row, NULL) != KNACKDB_OK)
                return false;
        } else if (!cached->complete) {
            return false;
        }
    }
    return true;
}

static knackdb_status
find_cached(const struct view *view, const knackdb_query *checked, const struct result_key *key,
            struct row_list *list, knackdb_error *error)
{
    struct result_cache *cache = &view->store->cache;
    struct table_data   *table = &view->store->tables[checked->table];
    struct collector     collector;
    struct cached_result cached;
    knackdb_status       status;
    bool                 found = result_cache_get(cache, key, list, &cached);
    bool                 usable = found && cached.moment <= view->moment;
    uint64_t             since = SINCE_EVER;

    if (usable && atomic_load_explicit(&table->last_change, memory_order_relaxed) <= cached.moment) {
        size_t offset = checked->offset < list->count ? (size_t) checked->offset : list->count;

        result_cache_count(cache, true);
        list->count -= offset;
        if (offset != 0)
            memmove(list->rows, list->rows + offset, list->count * sizeof *list->rows);
        return KNACKDB_OK;
    }

    collector_init(&collector, view, checked);
    if (usable && take_cached(&collector, view, list, &cached)) {
        since = cached.moment;
        collector.dropped = !cached.complete;
    } else {
        usable = false;
        collector.count = 0;
        collector.is_heap = false;
        collector.dropped = false;
    }
    result_cache_count(cache, usable);
    status = run(&collector, view, since, error);
    if (status == KNACKDB_OK)
        status = finish(&collector, list, error);
    if (status == KNACKDB_OK && (!found || cached.moment < view->moment))
        (void) keep_answer(&collector, view, key, NULL); /* only a cache: without memory it is not kept */
    collector_clear(&collector);
    return status;
}

knackdb_status
view_find(const struct view *view, const knackdb_query *checked, struct row_list *list, knackdb_error *error)
{
    struct result_key key;
    struct collector  collector;
    knackdb_status    status;

    if (atomic_load_explicit(&view->store->cache.bytes_max, memory_order_relaxed) != 0
        && result_key_init(&key, checked))
        return find_cached(view, checked, &key, list, error);

    collector_init(&collector, view, checked);
    status = run(&collector, view, SINCE_EVER, error);
    if (status == KNACKDB_OK)
        status = finish(&collector, list, error);
    collector_clear(&collector);
    return status;
}

knackdb_status
view_count(const struct view *view, const knackdb_query *checked, uint64_t *ret_count, knackdb_error *error)
{
    struct candidates candidates;
    uint64_t          count = 0;

    (void) error;
    candidates_init(&candidates, view, checked);
    while (candidates_next(&candidates) != ROW_NONE)
        count++;
    candidates_clear(&candidates);
    *ret_count = count;
    return KNACKDB_OK;
}
