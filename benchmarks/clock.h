/* clock.h - the clock every measurement reads: monotonic nanoseconds. */
#ifndef BENCHMARKS_CLOCK_H
#define BENCHMARKS_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t
clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * UINT64_C(1000000000) + (uint64_t) now.tv_nsec;
}

/** What one reading costs, measured: it is inside every percentile, though not in the means. */
static inline double
clock_cost_ns(void)
{
    uint64_t start = clock_ns(), end = start;
    for (int i = 0; i < 100000; i++)
        end = clock_ns();
    return (double) (end - start) / 100000;
}

#endif
