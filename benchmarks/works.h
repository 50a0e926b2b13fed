/* works.h - the measured works that are one call to a store, repeated. */
#ifndef BENCHMARKS_WORKS_H
#define BENCHMARKS_WORKS_H

#include "results.h"
#include "station.h"

/** How much of a work is done in one round. */
struct effort {
    uint64_t    budget_ns;  /**< a work stops after so long */
    uint64_t    change_ops; /**< rows stored or changed by a work: the same for every store, so that all stay alike */
    const char *words;      /**< works whose name holds one of these, between commas; NULL: all */
};

/** Whether a work of that name is to be done. */
bool effort_wants(const struct effort *effort, const char *name);
/** Whether each of the words is in the name of a work. There is at least one where there are words at all. */
bool effort_is_known(const struct effort *effort);

/** Runs one round of every work on every station, in an order that turns with the
 *  round; stops the program where two stations answer differently. */
void works_run_round(const struct workload *workload, struct station *stations, size_t station_count, uint64_t rows,
                     unsigned round, const struct effort *effort, struct results *results);

#endif
