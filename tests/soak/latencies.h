/* latencies.h - how long calls took, counted by any number of processes in memory that they share.
 *
 * A bucket is an eighth of a doubling wide and told by its middle, so a percentile is within a sixteenth, 6.25 %.
 * Adding is one atomic addition, and a process killed in it leaves a count that is right or one too low. */
#ifndef TESTS_SOAK_LATENCIES_H
#define TESTS_SOAK_LATENCIES_H

#include <stdatomic.h>
#include <stdint.h>

#define LATENCY_BUCKETS (64 * 8)

struct latencies {
    _Atomic uint64_t buckets[LATENCY_BUCKETS]; /* any process adds, relaxed; read when all have ended */
    _Atomic uint64_t max_ns;
};

void     latencies_add(struct latencies *latencies, uint64_t ns);
uint64_t latencies_count(const struct latencies *latencies);
double   latencies_quantile_us(const struct latencies *latencies, double share); /* 0 without any */

#endif
