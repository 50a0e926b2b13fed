/* ticker.h - how long something took, as cheaply as the machine can say.
 *
 * Every call is timed, so the clock must cost next to nothing. Where the processor has a
 * counter that runs at a constant rate (x86-64 with an invariant TSC, any aarch64) it is
 * read directly, 5 to 10 ns; elsewhere CLOCK_MONOTONIC is, at about 25. Its rate is
 * found by comparing the two clocks over as long a time as there has been. */
#ifndef KNACKDB_BASE_TICKER_H
#define KNACKDB_BASE_TICKER_H

#include "base/clock.h"

#include <stdbool.h>

struct ticker {
    bool     counts; /* the processor's counter, not the clock */
    uint64_t first_ticks;
    uint64_t first_ns;
};

void   ticker_init(struct ticker *ticker);
double ticker_ns_per_tick(const struct ticker *ticker); /* better the longer ago init was; waits up to 20 us after it */

static inline uint64_t
ticker_now(const struct ticker *ticker)
{
    if (ticker->counts) {
#if defined(__x86_64__)
        return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
        uint64_t count;

        __asm__ volatile("mrs %0, cntvct_el0" : "=r"(count));
        return count;
#endif
    }
    return clock_monotonic_ns();
}

#endif
