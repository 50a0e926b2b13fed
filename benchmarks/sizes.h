/* sizes.h - everything that is measured at one number of rows. */
#ifndef BENCHMARKS_SIZES_H
#define BENCHMARKS_SIZES_H

#include "plan.h"
#include "results.h"

/** Fills every store of the plan with as many patterns and metrics, and measures; `folder` is worked in. */
void size_measure(const struct plan *plan, const struct workload *workload, uint64_t rows, const char *folder,
                  struct results *results);

#endif
