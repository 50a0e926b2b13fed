/* collector.h - the first so many rows of an order, out of rows that come in any.
 *
 * With a limit of k it keeps the best k in a heap whose root is the worst of them, so a row that is no
 * better costs one comparison; without one it keeps all. In the end it sorts (heapsort: in place,
 * never quadratic). Each hit carries its first sort key as a double, which settles nearly every
 * comparison without a look at the columns. */
#ifndef KNACKDB_CORE_COLLECTOR_H
#define KNACKDB_CORE_COLLECTOR_H

#include "core/query.h"
#include "core/table.h"

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

void           collector_init(struct collector *collector, const struct view *view, const knackdb_query *checked);
void           collector_clear(struct collector *collector);
void           collector_empty(struct collector *collector); /* to begin again */
knackdb_status collector_add(struct collector *collector, row_number row, knackdb_error *error);
/* For who knows its rank already: its first sort key, negative where descending, an infinity for NULL. */
knackdb_status collector_add_ranked(struct collector *collector, row_number row, double rank, knackdb_error *error);
double         collector_last_rank(struct collector *collector); /* of the last in order, once it holds `keep` rows */
void           collector_sort(struct collector *collector); /* the last call: the hits are in order */

#endif
