/* report.h - a result for people, and the same result for programs. */
#ifndef BENCHMARKS_REPORT_H
#define BENCHMARKS_REPORT_H

#include "adapter.h"
#include "machine.h"
#include "results.h"

#include <stdio.h>

struct report {
    const struct machine        *machine;
    const struct results        *results;
    const struct adapter *const *adapters; /**< knackdb first; the others are compared with it */
    size_t                       adapter_count;
    uint64_t                     seed;
    double                       clock_ns; /**< cost of one reading */
    const char                  *revision; /**< of the source; "" where not told */
};

/** For each size: medians side by side; then knackdb's percentiles, how many times better it is than bare C and
 *  than the best other store that keeps what it returned, and its aims. */
void report_summary(const struct report *report, FILE *file);

/** The same, and every store's percentiles and ratio. */
void report_full(const struct report *report, FILE *file);

/** Everything, each round's value included, as one JSON object. */
void report_json(const struct report *report, FILE *file);

#endif
