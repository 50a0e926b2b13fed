/* find.c - the rows that match, in order, the first so many of them.
 *
 * What is asked most is answered without any of this (foremost.h, newest.h). Else rows come from candidates.h one by
 * one, or from ranked.h without those that cannot be among the first, into a collector (collector.h).
 *
 * An answer that result_cache.h kept is brought up to date with the same collector: its
 * rows that still live go in first, then the candidates born since. Should one of its
 * rows have died, another that did not make it into the first k may have to come back, so the
 * query runs anew, unless the answer had held every match. */
#include "core/carried.h"
#include "core/collector.h"
#include "core/foremost.h"
#include "core/leaders.h"
#include "core/newest.h"
#include "core/query.h"
#include "core/ranked.h"
#include "core/result_cache.h"
#include "core/store_data.h"

#define SINCE_EVER UINT64_MAX

/* Whether the newest rows are wanted first, as the table tells their age. */
static bool
is_by_age(const struct collector *collector)
{
    const knackdb_order *order = &collector->query->order[0];

    return collector->query->order_count != 0 && order->descending && order->column > 0 &&
           order->column == collector->table->definition->age_column;
}

/* The rank of the row that came last, by its copy of the REAL that the order begins with. */
static double
carried_rank(const struct collector *collector, const struct candidates *candidates)
{
    double real;

    memcpy(&real, carried_row_at(&candidates->list, collector->place).cells + candidates->carried_at, sizeof real);
    if (isnan(real))
        real = -INFINITY;
    return collector->query->order[0].descending ? -real : real;
}

/* All rows come from one list, which carries cells. */
static void
remember_list(struct collector *collector, const struct candidates *candidates)
{
    collector->list = candidates->list;
    collector->list_column = candidates->posted->condition->column;
    collector->list_code = candidates->posted->codes[0];
    collector->carries = candidates->carries;
}

static knackdb_status
collect_all(struct collector *collector, struct candidates *candidates, knackdb_error *error)
{
    bool           by_age = is_by_age(collector);
    knackdb_status status = KNACKDB_OK;
    row_number     row;

    while (status == KNACKDB_OK && (row = candidates_next(candidates)) != ROW_NONE) {
        collector->place = candidates_place(candidates);
        if (collector->place != 0 && collector->carries == 0)
            remember_list(collector, candidates);
        status = candidates->is_carried && collector->place != 0
                     ? collector_add_ranked(collector, row, carried_rank(collector, candidates), error)
                     : collector_add(collector, row, error);
        if (by_age && collector_is_full(collector))
            candidates_need_from(candidates, -collector_last_rank(collector)); /* minus infinity where it is NULL */
    }
    collector->dropped |= candidates->passed_over;
    return status;
}

/* Collects the candidates, or those born after a moment. */
static knackdb_status
run(struct collector *collector, const struct view *view, uint64_t since, knackdb_error *error)
{
    struct candidates candidates;
    knackdb_status    status;

    candidates_init(&candidates, view, collector->query);
    candidates_want_places(&candidates);
    if (since != SINCE_EVER)
        candidates_leave_out(&candidates, since);
    if (collector->query->order_count != 0 && collector->query->order[0].column > 0) {
        const uint32_t column = (uint32_t) collector->query->order[0].column;

        if (candidates.table->kinds[column] != CELL_REAL || !candidates_foresee_carried(&candidates, column))
            candidates_foresee(&candidates, column);
        /* What is newest is mostly what is wanted first: then the rest is no better than what there is. */
        if (since == SINCE_EVER && collector->query->order[0].descending)
            candidates_turn_back(&candidates);
        if (is_by_age(collector))
            candidates_want(&candidates, collector->keep);
    }
    if (since == SINCE_EVER && ranked_serves(&candidates, collector)) {
        status = ranked_collect(&candidates, collector, error);
    } else {
        status = collect_all(collector, &candidates, error);
    }
    if (since == SINCE_EVER && ranked_is_asked(&candidates, collector))
        for (uint32_t i = 0; i < candidates.posted->code_count; i++)
            leaders_note_question(view, (uint32_t) collector->query->table, candidates.posted->condition->column,
                                  candidates.posted->codes[i]);
    candidates_clear(&candidates);
    return status;
}

/* The list is as long as the hits are from `first` on. */
static void
remember_places(const struct collector *collector, const struct view *view, struct row_list *list, size_t first)
{
    if (collector->carries == 0)
        return;
    list->carried = carried_new(list, view, (uint32_t) collector->query->table, collector->list_column,
                                collector->list_code, list->count);
    for (size_t i = 0; i < list->count && list->carried != NULL; i++) {
        uint32_t place = collector->hits[first + i].place;

        list->carried->rows[i] = place != 0 ? carried_row_at(&collector->list, place)
                                            : (struct carried_row) { NULL, 0 };
    }
}

/* Hands out what was collected; the list then holds it in order, without the offset. */
static knackdb_status
finish(struct collector *collector, const struct view *view, struct row_list *list, knackdb_error *error)
{
    knackdb_status status = collector_sort(collector, error);
    size_t         first = (size_t) collector->query->offset;

    list->count = 0;
    if (status != KNACKDB_OK || collector->query->offset >= collector->count)
        return status;
    status = row_list_reserve(list, collector->count - first, error);
    for (size_t i = first; i < collector->count && status == KNACKDB_OK; i++)
        list->rows[list->count++] = collector->hits[i].row;
    if (status == KNACKDB_OK)
        remember_places(collector, view, list, first);
    return status;
}

/* ---- with the cache ---- */

/* `list` is what was handed out: all of it, where the query has no offset. */
static knackdb_status
keep_answer(struct collector *collector, const struct view *view, const struct result_key *key,
            const struct row_list *list, knackdb_error *error)
{
    struct cached_result cached = { view->moment, !collector->dropped };
    struct row_list      all;
    knackdb_status       status;

    if (collector->query->offset == 0) {
        result_cache_put(&view->store->cache, key, &cached, list->rows, list->count);
        return KNACKDB_OK;
    }
    row_list_init(&all, collector->allocator);
    status = row_list_reserve(&all, collector->count, error);
    for (size_t i = 0; i < collector->count && status == KNACKDB_OK; i++)
        all.rows[all.count++] = collector->hits[i].row;
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
        if (table_row_seen(collector->table, row, view->moment) &&
            table_row_born(collector->table, row, cached->moment)) {
            if (collector_add(collector, row, NULL) != KNACKDB_OK)
                return false;
        } else if (!cached->complete) {
            return false;
        }
    }
    return true;
}

static knackdb_status
find_cached(const struct view *view, const knackdb_query *checked, const struct result_key *key,
            enum newest_attempt *attempt, struct row_list *list, knackdb_error *error)
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

    status = KNACKDB_OK;
    if (foremost_find(view, checked, false, list, &status, error) || newest_find(view, checked, attempt, list)) {
        struct cached_result fresh = { view->moment, list->count < checked->limit };

        result_cache_count(cache, false);
        if (status == KNACKDB_OK && checked->offset == 0 && (!found || cached.moment < view->moment))
            result_cache_put(cache, key, &fresh, list->rows, list->count);
        return status;
    }

    collector_init(&collector, view, checked);
    if (usable && take_cached(&collector, view, list, &cached)) {
        since = cached.moment;
        collector.dropped = !cached.complete;
    } else {
        usable = false;
        collector_empty(&collector);
    }
    result_cache_count(cache, usable);
    status = run(&collector, view, since, error);
    if (status == KNACKDB_OK)
        status = finish(&collector, view, list, error);
    if (status == KNACKDB_OK && (!found || cached.moment < view->moment))
        (void) keep_answer(&collector, view, key, list, NULL); /* only a cache: without memory it is not kept */
    collector_clear(&collector);
    return status;
}

knackdb_status
view_find(const struct view *view, const knackdb_query *checked, struct row_list *list, knackdb_error *error)
{
    struct result_key   key;
    struct collector    collector;
    enum newest_attempt attempt = NEWEST_SOON;
    knackdb_status      status = KNACKDB_OK;

    if (foremost_find(view, checked, true, list, &status, error) || newest_find(view, checked, &attempt, list))
        return status;
    if (atomic_load_explicit(&view->store->cache.bytes_max, memory_order_relaxed) != 0 &&
        result_key_init(&key, checked))
        return find_cached(view, checked, &key, &attempt, list, error);
    if (foremost_find(view, checked, false, list, &status, error) || newest_find(view, checked, &attempt, list))
        return status;

    collector_init(&collector, view, checked);
    status = run(&collector, view, SINCE_EVER, error);
    if (status == KNACKDB_OK)
        status = finish(&collector, view, list, error);
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
