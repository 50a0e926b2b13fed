/* live_work.h - five kinds of task, each with several ways to do it, on real bytes.
 *
 * Nothing here knows knackdb: this is the work an agent finds, and what it can try. */
#ifndef EXAMPLES_LIVE_WORK_H
#define EXAMPLES_LIVE_WORK_H

#include "live_files.h"

#define WAYS_MAX 5

/** What came of doing a task one way; the seconds are of the doing, not of the check. */
struct outcome {
    double seconds;
    bool   is_right;   /**< checked: unpacks again, is sorted, found what is there, ... */
    double size_ratio; /**< of tasks that make something smaller: by the size zlib's default makes; else 0 */
};

struct way {
    const char *name;
    const char *tools; /**< JSON list of what it calls */
    int         setting;
    /** Does the task and writes the outcome. False where there is no memory. */
    bool (*perform)(int setting, const struct live_file *file, struct outcome *ret_outcome);
};

struct task {
    const char *name;
    bool        takes_text;
    bool        takes_programs;
    double      size_ratio_max; /**< demanded of the outcome; 0 where size plays no part */
    struct way  ways[WAYS_MAX]; /**< the first is what one would do without thinking */
    size_t      way_count;
};

extern const struct task live_tasks[];
extern const size_t      live_task_count;

static inline bool
task_takes(const struct task *task, const struct live_file *file)
{
    return file->is_text ? task->takes_text : task->takes_programs;
}

/** Whether the task was done as demanded: the result right, and small enough where that was asked. */
static inline bool
task_is_done(const struct task *task, const struct outcome *outcome)
{
    return outcome->is_right && (task->size_ratio_max == 0 || outcome->size_ratio <= task->size_ratio_max);
}

#endif
