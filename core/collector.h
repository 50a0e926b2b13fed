/* collector.h - the first so many rows of an order, out of rows that come in any.
 *
 * With a limit of k it holds the best k in order, and behind them those that came since and are better than the k-th: a
 * row that is no better costs one comparison, and so does one that comes in its turn. When enough have come they are
 * sorted (merging: never quadratic) and merged with the rest; what is behind the k-th goes. Without a limit all are
 * sorted in the end. Each hit carries its first sort key as a double, which settles nearly every comparison without a
 * look at the columns. */
#ifndef KNACKDB_CORE_COLLECTOR_H
#define KNACKDB_CORE_COLLECTOR_H

#include "core/query.h"
#include "core/table.h"

struct hit {
    double     rank; /* smaller comes first; equal ranks are compared in full */
    row_number row;
    uint32_t   place; /* of the collector when it came */
};

struct collector {
    struct allocator        *allocator;
    const struct table_data *table;
    const knackdb_query     *query;
    double                   now;
    uint64_t                 keep;    /* rows wanted: offset + limit; UINT64_MAX: all */
    bool                     dropped; /* some match was not kept */
    uint32_t                 place;   /* of the row that is added next, in `list`, from 1; 0: unknown */
    struct posting_view      list;    /* that places are in; width 0: none */
    uint32_t                 list_column, list_code;
    uint64_t                 carries; /* columns of which it has copies, as bits */
    struct hit              *hits;
    size_t                   count, capacity;
    size_t                   sorted; /* the first so many are in order; never more than `keep` with others behind */
    struct hit              *aside;  /* as many as `capacity`, to sort with; NULL until there is something to sort */
};

void           collector_init(struct collector *collector, const struct view *view, const knackdb_query *checked);
void           collector_clear(struct collector *collector);
void           collector_empty(struct collector *collector); /* to begin again */
knackdb_status collector_add(struct collector *collector, row_number row, knackdb_error *error);
/* For who knows its rank already: its first sort key, negative where descending, an infinity for NULL. */
knackdb_status collector_add_ranked(struct collector *collector, row_number row, double rank, knackdb_error *error);
/* Brings the hits in order, `keep` of them at most. The last call, or one between two others. */
knackdb_status collector_sort(struct collector *collector, knackdb_error *error);

/* It holds as many as are wanted, in order: what does not come before the last of them is not. */
static inline bool
collector_is_full(const struct collector *collector)
{
    return collector->sorted == collector->keep && collector->keep != 0;
}

/* Of the last in order, once it is full. */
static inline double
collector_last_rank(const struct collector *collector)
{
    return collector->hits[collector->keep - 1].rank;
}

#endif
