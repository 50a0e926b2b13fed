/* histogram.h - counts of durations by size, eight buckets to each power of two.
 *
 * A percentile read from it is the upper end of its bucket: too large by an eighth at
 * most, never too small. Any thread may add; counts are relaxed atomics, since nothing
 * is decided by them. */
#ifndef KNACKDB_BASE_HISTOGRAM_H
#define KNACKDB_BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

#define HISTOGRAM_SUB_BITS 3
#define HISTOGRAM_BUCKETS  ((48 - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS) /* up to 2^48 ticks: a day */

struct histogram {
    _Atomic uint64_t buckets[HISTOGRAM_BUCKETS];
    _Atomic uint64_t maximum;
};

static inline uint32_t
histogram_bucket(uint64_t value)
{
    uint32_t power, bucket;

    if (value < ((uint64_t) 1 << HISTOGRAM_SUB_BITS))
        return (uint32_t) value;
    power = 63 - (uint32_t) __builtin_clzll(value);
    bucket = ((power - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS) +
             (uint32_t) ((value >> (power - HISTOGRAM_SUB_BITS)) & ((1u << HISTOGRAM_SUB_BITS) - 1));
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

static inline void
histogram_add(struct histogram *histogram, uint64_t value)
{
    atomic_fetch_add_explicit(&histogram->buckets[histogram_bucket(value)], 1, memory_order_relaxed);
    if (value > atomic_load_explicit(&histogram->maximum, memory_order_relaxed)) {
        uint64_t seen = atomic_load_explicit(&histogram->maximum, memory_order_relaxed);

        while (value > seen && !atomic_compare_exchange_weak_explicit(&histogram->maximum, &seen, value,
                                                                      memory_order_relaxed, memory_order_relaxed))
            ;
    }
}

uint64_t histogram_count(const struct histogram *histogram);

/* The smallest value that no bucket's count lets be below: `part` of 1, over several histograms together. */
uint64_t histogram_percentile(struct histogram *const *histograms, uint32_t shards, double part);

#endif
