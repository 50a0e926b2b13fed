#include "grouping.h"

#include "failure.h"

void
grouping_init(struct grouping *grouping)
{
    grouping->group_count = 0;
    for (size_t i = 0; i < GROUPING_SLOTS; i++)
        grouping->groups[i].count = 0;
}

/* Length and both ends tell nearly all names apart; the comparison settles the rest. */
static size_t
slot_of(struct text name)
{
    uint64_t hash = digest_text(name) * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t) (hash >> 32) % GROUPING_SLOTS;
}

void
grouping_add(struct grouping *grouping, struct text task_type, double execution_time, double success_rate)
{
    size_t        slot = slot_of(task_type);
    struct group *group;

    for (;; slot = (slot + 1) % GROUPING_SLOTS) {
        group = &grouping->groups[slot];
        if (group->count == 0) {
            if (task_type.length > GROUPING_NAME_BYTES || ++grouping->group_count > GROUPING_SLOTS / 2)
                fail("more or longer task types than the workload has");
            memcpy(group->name, task_type.data, task_type.length);
            group->name_length = task_type.length;
            group->execution_time_sum = group->success_rate_sum = 0;
            break;
        }
        if (group->name_length == task_type.length && memcmp(group->name, task_type.data, task_type.length) == 0)
            break;
    }
    group->count++;
    group->execution_time_sum += execution_time;
    group->success_rate_sum += success_rate;
}

void
grouping_see(const struct grouping *grouping, see_group see, void *context)
{
    for (size_t i = 0; i < GROUPING_SLOTS; i++) {
        const struct group *group = &grouping->groups[i];
        struct group_row    row = { .task_type = { group->name, group->name_length }, .count = group->count };

        if (group->count == 0)
            continue;
        row.execution_time_mean = group->execution_time_sum / (double) group->count;
        row.success_rate_mean = group->success_rate_sum / (double) group->count;
        see(context, &row);
    }
}
