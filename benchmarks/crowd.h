/* crowd.h - works of several threads on one store: W11, and what a snapshot does to those beside it. */
#ifndef BENCHMARKS_CROWD_H
#define BENCHMARKS_CROWD_H

#include "results.h"
#include "station.h"

/** W11: `thread_count` threads, 90 % whole rows by random id, 10 % new rows, for so long. */
void crowd_measure(const struct workload *workload, struct station *station, uint64_t rows, unsigned thread_count,
                   uint64_t budget_ns, struct results *results);

/** Reads, then stores, of one thread while another has everything brought into its lasting form: a snapshot, a
 *  checkpoint. Nothing where the store knows no such thing. */
void crowd_measure_beside_snapshot(const struct workload *workload, struct station *station, uint64_t rows,
                                   uint64_t budget_ns, struct results *results);

#endif
