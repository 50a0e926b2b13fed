/* histogram.c - reading percentiles; adding is inline in histogram.h. */
#include "base/histogram.h"

/* The largest value that falls into a bucket. */
static uint64_t
bucket_top(uint32_t bucket)
{
    uint32_t power, part;

    if (bucket < (1u << HISTOGRAM_SUB_BITS))
        return bucket;
    power = (bucket >> HISTOGRAM_SUB_BITS) + HISTOGRAM_SUB_BITS - 1;
    part = bucket & ((1u << HISTOGRAM_SUB_BITS) - 1);
    return ((uint64_t) 1 << power) + ((uint64_t) (part + 1) << (power - HISTOGRAM_SUB_BITS)) - 1;
}

uint64_t
histogram_count(const struct histogram *histogram)
{
    uint64_t count = 0;

    for (uint32_t bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++)
        count +=
            atomic_load_explicit(&((struct histogram *) (uintptr_t) histogram)->buckets[bucket], memory_order_relaxed);
    return count;
}

uint64_t
histogram_percentile(struct histogram *const *histograms, uint32_t shards, double part)
{
    uint64_t total = 0, maximum = 0, wanted, below = 0;

    for (uint32_t h = 0; h < shards; h++) {
        uint64_t largest = atomic_load_explicit(&histograms[h]->maximum, memory_order_relaxed);

        total += histogram_count(histograms[h]);
        if (largest > maximum)
            maximum = largest;
    }
    if (total == 0)
        return 0;
    wanted = (uint64_t) (part * (double) total);
    if ((double) wanted < part * (double) total || wanted == 0)
        wanted++; /* rounded up: the percentile covers at least that part */
    for (uint32_t bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        for (uint32_t h = 0; h < shards; h++)
            below += atomic_load_explicit(&histograms[h]->buckets[bucket], memory_order_relaxed);
        if (below >= wanted && bucket < HISTOGRAM_BUCKETS - 1) /* the last bucket is open at its upper end */
            return bucket_top(bucket) < maximum ? bucket_top(bucket) : maximum;
    }
    return maximum;
}
