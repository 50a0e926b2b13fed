/* histogram.h - latencies in buckets that grow with the value.
 *
 * A bucket is at most 1/64 of its value wide, so a percentile read from it is within
 * 1.6 %; the maximum is kept exactly. Adding costs two or three nanoseconds, which
 * a sorted array of samples would not beat, and rounds are merged by addition. */
#ifndef BENCHMARKS_HISTOGRAM_H
#define BENCHMARKS_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEP_BITS 6
#define HISTOGRAM_BUCKETS   ((65 - HISTOGRAM_STEP_BITS) << HISTOGRAM_STEP_BITS)

struct histogram {
    uint64_t count;
    uint64_t sum_ns;
    uint64_t max_ns;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

/* 0..63 have a bucket each; above, the top bit chooses the row and the six bits
 * behind it the bucket. */
static inline void
histogram_add(struct histogram *histogram, uint64_t ns)
{
    unsigned bucket = (unsigned) ns;

    if (ns >> HISTOGRAM_STEP_BITS != 0) {
        unsigned shift = 63u - (unsigned) __builtin_clzll(ns) - HISTOGRAM_STEP_BITS;
        bucket = (shift << HISTOGRAM_STEP_BITS) + (unsigned) (ns >> shift);
    }
    histogram->buckets[bucket]++;
    histogram->count++;
    histogram->sum_ns += ns;
    if (ns > histogram->max_ns)
        histogram->max_ns = ns;
}

/** Adds all of another's. */
void histogram_merge(struct histogram *histogram, const struct histogram *other);

/** Mean of the samples; 0 without any. */
double histogram_mean_ns(const struct histogram *histogram);

/** The value that `share` (0..1) of the samples do not exceed; 0 without samples. */
double histogram_quantile_ns(const struct histogram *histogram, double share);

#endif
