/* grouping.h - means by task type, for stores that hand out rows and do not group them. */
#ifndef BENCHMARKS_GROUPING_H
#define BENCHMARKS_GROUPING_H

#include "adapter.h"

#define GROUPING_SLOTS      256 /* more than twice the task types of the workload */
#define GROUPING_NAME_BYTES 64

struct grouping {
    struct group {
        char     name[GROUPING_NAME_BYTES];
        size_t   name_length;
        uint64_t count;
        double   execution_time_sum;
        double   success_rate_sum;
    } groups[GROUPING_SLOTS]; /**< a hash table; count 0 is free */
    size_t group_count;
};

void grouping_init(struct grouping *grouping);
void grouping_add(struct grouping *grouping, struct text task_type, double execution_time, double success_rate);
void grouping_see(const struct grouping *grouping, see_group see, void *context);

#endif
