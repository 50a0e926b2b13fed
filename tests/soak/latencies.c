/* latencies.c - see latencies.h. */
#include "latencies.h"

#include <math.h>

/* The three bits behind the highest one choose among the eight of a doubling. */
static unsigned
bucket_of(uint64_t ns)
{
    unsigned top = 63u - (unsigned) __builtin_clzll(ns | 1);
    unsigned eighth = top < 3 ? (unsigned) (ns << (3 - top)) & 7 : (unsigned) (ns >> (top - 3)) & 7;

    return top * 8 + eighth;
}

void
latencies_add(struct latencies *latencies, uint64_t ns)
{
    uint64_t max = atomic_load_explicit(&latencies->max_ns, memory_order_relaxed);

    atomic_fetch_add_explicit(&latencies->buckets[bucket_of(ns)], 1, memory_order_relaxed);
    while (max < ns && !atomic_compare_exchange_weak_explicit(&latencies->max_ns, &max, ns, memory_order_relaxed,
                                                              memory_order_relaxed)) {
    }
}

uint64_t
latencies_count(const struct latencies *latencies)
{
    uint64_t count = 0;

    for (unsigned bucket = 0; bucket < LATENCY_BUCKETS; bucket++)
        count += atomic_load_explicit(&latencies->buckets[bucket], memory_order_relaxed);
    return count;
}

double
latencies_quantile_us(const struct latencies *latencies, double share)
{
    double   wanted = ceil(share * (double) latencies_count(latencies));
    double   max_us = (double) atomic_load_explicit(&latencies->max_ns, memory_order_relaxed) / 1e3;
    uint64_t seen = 0;

    for (unsigned bucket = 0; bucket < LATENCY_BUCKETS; bucket++) {
        seen += atomic_load_explicit(&latencies->buckets[bucket], memory_order_relaxed);
        if (seen > 0 && (double) seen >= wanted)
            return fmin(max_us, ldexp(8.5 + bucket % 8, (int) (bucket / 8) - 3) / 1e3); /* its middle */
    }
    return 0;
}
