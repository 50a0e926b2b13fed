/* percentiles.h - percentiles of the numbers of many groups: the numbers are kept, and sorted in the end. */
#ifndef KNACKDB_CORE_PERCENTILES_H
#define KNACKDB_CORE_PERCENTILES_H

#include "base/allocator.h"

struct kept_numbers {
    struct allocator *allocator;
    uint32_t         *groups; /* of each number */
    double           *numbers;
    size_t            count, group_capacity, number_capacity;
};

void kept_numbers_init(struct kept_numbers *kept, struct allocator *allocator);
void kept_numbers_clear(struct kept_numbers *kept);

/* Room for so many more. */
knackdb_status kept_numbers_reserve(struct kept_numbers *kept, size_t more, knackdb_error *error);

static inline void
kept_numbers_add(struct kept_numbers *kept, uint32_t group, double number)
{
    kept->groups[kept->count] = group;
    kept->numbers[kept->count++] = number;
}

/* The numbers of group 0, sorted, then those of group 1, and so on; `counts` tells how many each has. The caller puts
 * the array back, kept->count long; NULL where there are none. */
knackdb_status kept_numbers_sorted(const struct kept_numbers *kept, const size_t *counts, size_t group_count,
                                   double **ret_sorted, knackdb_error *error);

/* Hyndman and Fan's type 7: linear between the two nearest ranks, the first at 0 and the last at 100. */
double percentile_of(const double *sorted, size_t count, double percentile);

#endif
