/* metric_cells.h - a metric put together from the cells beside its component's list (core/carried.h).
 *
 * Thousands of them are read one after the other, so each field is written where it is known to be, and not by a table
 * of fields. */
#ifndef KNACKDB_API_METRIC_CELLS_H
#define KNACKDB_API_METRIC_CELLS_H

#include "api/rows.h"
#include "core/carried.h"

#include <math.h>

/* In the order of their columns. */
enum {
    METRIC_CELL_ID,
    METRIC_CELL_METRIC_VALUE,
    METRIC_CELL_BASELINE_VALUE,
    METRIC_CELL_IMPROVEMENT_PERCENTAGE,
    METRIC_CELL_MEASURED_AT,
};
#define METRIC_COLUMNS_CARRIED                                                                         \
    (KNACKDB_BIT(KNACKDB_METRIC_ID) | KNACKDB_BIT(KNACKDB_METRIC_METRIC_VALUE) |                       \
     KNACKDB_BIT(KNACKDB_METRIC_BASELINE_VALUE) | KNACKDB_BIT(KNACKDB_METRIC_IMPROVEMENT_PERCENTAGE) | \
     KNACKDB_BIT(KNACKDB_METRIC_MEASURED_AT))

/* Two words at a time: who copies fields that lie side by side loads them so, and what was stored in halves is waited
 * for then. */
typedef double   metric_reals __attribute__((vector_size(16)));
typedef uint64_t metric_words __attribute__((vector_size(16)));

/* Two numbers side by side, of this column and the next; 0 for NULL. Returns which are NULL. */
static inline uint64_t
metric_put_reals(const uint64_t *cells, uint32_t column, double *ret_reals)
{
    const metric_reals most = { INFINITY, INFINITY };
    metric_reals       reals;
    metric_words       given;

    memcpy(&reals, cells, sizeof reals);
    given = (metric_words) (reals <= most); /* NULL is NaN */
    reals = (metric_reals) ((metric_words) reals & given);
    memcpy(ret_reals, &reals, sizeof reals);
    return ((given[0] & 1) ^ 1) << column | ((given[1] & 1) ^ 1) << (column + 1);
}

static inline void
metric_put_text(knackdb_text text, knackdb_text *ret_text)
{
    metric_words words = { (uintptr_t) text.data, text.length };

    memcpy(ret_text, &words, sizeof words);
}

_Static_assert(sizeof(knackdb_text) == sizeof(metric_words) && offsetof(knackdb_text, data) == 0 &&
                   offsetof(knackdb_metric, baseline_value) ==
                       offsetof(knackdb_metric, metric_value) + sizeof(double) &&
                   offsetof(knackdb_metric, measured_at) ==
                       offsetof(knackdb_metric, improvement_percentage) + sizeof(double),
               "what is put together lies side by side");

/* A row of the view, of which it is known where it stands. */
static inline void
metric_from_cells(const struct view *view, const struct carried *carried, const struct carried_row *from,
                  row_number row, knackdb_metric *ret_metric)
{
    const uint64_t *cells = from->cells;
    uint64_t        nulls = carried->absent;
    knackdb_text    name = { NULL, 0 };

    ret_metric->id = (int64_t) cells[METRIC_CELL_ID]; /* never NULL */
    metric_put_text(carried->text, &ret_metric->component_name);
    nulls |= metric_put_reals(cells + METRIC_CELL_METRIC_VALUE, KNACKDB_METRIC_METRIC_VALUE, &ret_metric->metric_value);
    nulls |= metric_put_reals(cells + METRIC_CELL_IMPROVEMENT_PERCENTAGE, KNACKDB_METRIC_IMPROVEMENT_PERCENTAGE,
                              &ret_metric->improvement_percentage);
    ret_metric->sample_count = 0;
    ret_metric->confidence_interval = 0.0;
    metric_put_text((knackdb_text) { NULL, 0 }, &ret_metric->metadata);
    if (carried->beside != NULL)
        name = dictionary_text(carried->beside, from->code);
    __builtin_prefetch(name.data); /* most callers look at it next, and texts lie apart */
    metric_put_text(name, &ret_metric->metric_name);
    nulls |= (uint64_t) (name.data == NULL && carried->beside != NULL) << KNACKDB_METRIC_METRIC_NAME;
    if (carried->others != 0)
        nulls |= view_struct_columns(view, KNACKDB_PERFORMANCE_METRICS, row, row_layout_of(KNACKDB_PERFORMANCE_METRICS),
                                     carried->others, ret_metric);
    ret_metric->nulls = nulls;
}

#endif
