#include "histogram.h"

/* The middle of a bucket stands for its values. */
static double
bucket_value_ns(unsigned bucket)
{
    unsigned row = bucket >> HISTOGRAM_STEP_BITS;

    if (row < 2)
        return (double) bucket;
    uint64_t width = UINT64_C(1) << (row - 1);
    uint64_t first = ((UINT64_C(1) << HISTOGRAM_STEP_BITS) + (bucket & ((1u << HISTOGRAM_STEP_BITS) - 1))) * width;
    return (double) first + (double) (width - 1) / 2;
}

void
histogram_merge(struct histogram *histogram, const struct histogram *other)
{
    histogram->count += other->count;
    histogram->sum_ns += other->sum_ns;
    if (other->max_ns > histogram->max_ns)
        histogram->max_ns = other->max_ns;
    for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++)
        histogram->buckets[bucket] += other->buckets[bucket];
}

double
histogram_mean_ns(const struct histogram *histogram)
{
    return histogram->count == 0 ? 0 : (double) histogram->sum_ns / (double) histogram->count;
}

double
histogram_quantile_ns(const struct histogram *histogram, double share)
{
    uint64_t wanted = (uint64_t) (share * (double) histogram->count + 0.5), seen = 0;

    if (histogram->count == 0)
        return 0;
    if (wanted < 1)
        wanted = 1;
    for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        seen += histogram->buckets[bucket];
        if (seen >= wanted) {
            double value = bucket_value_ns(bucket);
            return value < (double) histogram->max_ns ? value : (double) histogram->max_ns;
        }
    }
    return (double) histogram->max_ns;
}
