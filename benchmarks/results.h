/* results.h - figures as they come in, round by round, and what they are judged by. */
#ifndef BENCHMARKS_RESULTS_H
#define BENCHMARKS_RESULTS_H

#include "histogram.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROUNDS_MAX 32

/** One work on one store at one size. */
struct figure {
    const char       *work;  /**< "store one" */
    const char       *store; /**< name of an adapter or a tool */
    uint64_t          rows;
    const char       *unit;           /**< "us", "ms", "MB", "rows/s" */
    bool              more_is_better; /**< of the unit: rates */
    double            rounds[ROUNDS_MAX];
    size_t            round_count;
    struct histogram *latency; /**< single operations of all rounds; NULL where none were timed */
};

struct results {
    struct figure *figures; /**< in the order in which they first came, until results_order() */
    size_t         count;
    size_t         capacity;
};

/** What knackdb is after; printed beside its figure, decides nothing. */
struct aim {
    const char *work;
    uint64_t    rows;    /**< 0 for every size */
    double      bound;   /**< in the figure's unit; at most, or at least for rates */
    double      of_bare; /**< instead: so many times what bare C takes */
};

/** How many times better one is than the other: above 1, whatever the unit. */
struct ratio {
    double median, lowest, highest; /**< over rounds, each compared with the same round of the other */
};

/** The figure for this work, store and size, made when it is the first. `work` and `unit` are borrowed. */
struct figure *results_figure(struct results *results, const char *work, const char *store, uint64_t rows,
                              const char *unit);
void           results_clear(struct results *results);

/** Puts the figures of each size in the order of the works' names, W1 before W2 and W10 behind W9. What
 *  results_figure() gave before is then another figure's. */
void results_order(struct results *results);

/** NULL where it was not measured. */
const struct figure *results_find(const struct results *results, const char *work, const char *store, uint64_t rows);

void              figure_add_round(struct figure *figure, double value);
/** Histogram of the figure, made when it is the first asked for. */
struct histogram *figure_latency(struct figure *figure);

double figure_median(const struct figure *figure);
double figure_lowest(const struct figure *figure);
double figure_highest(const struct figure *figure);

/** How many times better `ours` is than `theirs`; zeros where there is nothing to compare. */
struct ratio figure_ratio(const struct figure *ours, const struct figure *theirs);

/** The aim of a work at a size, or NULL. ret_bound is 0 where it hangs on bare C and that was not measured. */
const struct aim *aim_of(const struct results *results, const char *work, uint64_t rows, double *ret_bound);

#endif
