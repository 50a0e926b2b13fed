/* ticker.c - see ticker.h. */
#include "base/ticker.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

static bool
counter_is_constant(void)
{
#if defined(__x86_64__)
    unsigned a, b, c, d;

    /* Advanced Power Management Information, bit 8: invariant TSC. */
    return __get_cpuid(0x80000007, &a, &b, &c, &d) != 0 && (d >> 8 & 1) != 0;
#elif defined(__aarch64__)
    return true; /* the generic timer, by architecture */
#else
    return false;
#endif
}

void
ticker_init(struct ticker *ticker)
{
    ticker->counts = counter_is_constant();
    ticker->first_ns = clock_monotonic_ns();
    ticker->first_ticks = ticker_now(ticker);
}

double
ticker_ns_per_tick(const struct ticker *ticker)
{
    uint64_t ns, ticks;

    if (!ticker->counts)
        return 1.0;
    do { /* too short a time would say more about the two reads than about the rate */
        ns = clock_monotonic_ns() - ticker->first_ns;
        ticks = ticker_now(ticker) - ticker->first_ticks;
    } while (ns < 20000 || ticks == 0);
    return (double) ns / (double) ticks;
}
