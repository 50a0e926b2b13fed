/* report_card.c - what the agent's choices were worth.
 *
 * After the rounds every way is examined: done once on every file, with nothing chosen
 * and nothing stored, because it is not the agent's experience. The way with the lowest
 * mean time among those that do what the task demands "measures best", and the report
 * says how often the agent picked it, at first and at last. */
#include "report_card.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Mean seconds of a way over all files of a task; INFINITY where it misses what the
 * task demands on more than half of them. */
static double
examine_way(const struct live_files *files, const struct task *task, const struct way *way)
{
    double seconds = 0;
    size_t runs = 0, done = 0;

    for (size_t f = 0; f < files->count; f++) {
        struct outcome outcome = { 0, false, 0 };
        if (!task_takes(task, &files->files[f]) || !way->perform(way->setting, &files->files[f], &outcome))
            continue;
        seconds += outcome.seconds;
        runs++;
        done += task_is_done(task, &outcome);
    }
    return runs > 0 && 2 * done >= runs ? seconds / (double) runs : INFINITY;
}

static void
print_task(const struct live_files *files, size_t t, const struct tally *first, const struct tally *last)
{
    const struct task *task = &live_tasks[t];
    double             seconds[WAYS_MAX];
    size_t             best = 0;

    for (size_t i = 0; i < task->way_count; i++) {
        seconds[i] = examine_way(files, task, &task->ways[i]);
        if (seconds[i] < seconds[best])
            best = i;
    }
    printf("%-17s %7.3f %7.3f  %-8s %3" PRIu64 " of %-3" PRIu64 " %3" PRIu64 " of %-3" PRIu64, task->name,
           first->task_seconds[t] / (double) first->task_count[t] * 1e3,
           last->task_seconds[t] / (double) last->task_count[t] * 1e3, task->ways[best].name, first->picks[t][best],
           first->task_count[t], last->picks[t][best], last->task_count[t]);
    for (size_t i = 0; i < task->way_count; i++) {
        printf("%s %s ", i == 0 ? " " : ",", task->ways[i].name);
        if (isinf(seconds[i]))
            printf("too large");
        else
            printf(seconds[i] < 1e-3 ? "%.3f" : "%.2f", seconds[i] * 1e3);
    }
    putchar('\n');
}

static void
tally_add(struct tally *sum, const struct tally *tally)
{
    sum->seconds += tally->seconds;
    sum->store_seconds += tally->store_seconds;
    sum->tasks += tally->tasks;
    for (size_t t = 0; t < live_task_count; t++) {
        sum->task_seconds[t] += tally->task_seconds[t];
        sum->task_count[t] += tally->task_count[t];
        for (size_t w = 0; w < WAYS_MAX; w++)
            sum->picks[t][w] += tally->picks[t][w];
    }
}

/* The first two rounds, in which nearly everything is tried, against the last five; of few
 * rounds the first against the last. */
void
report_card_print(const struct live_files *files, const struct tally *rounds, size_t round_count)
{
    struct tally first, last;
    size_t       first_count = round_count < 7 ? 1 : 2, last_count = round_count < 7 ? 1 : 5;
    double       first_ms, last_ms;

    memset(&first, 0, sizeof first);
    memset(&last, 0, sizeof last);
    for (size_t r = 0; r < first_count; r++)
        tally_add(&first, &rounds[r]);
    for (size_t r = round_count - last_count; r < round_count; r++)
        tally_add(&last, &rounds[r]);
    first_ms = first.seconds / (double) first.tasks * 1e3;
    last_ms = last.seconds / (double) last.tasks * 1e3;
    if (round_count == 1)
        printf("\n%.3f ms a task.\n", last_ms);
    else if (last_ms < first_ms)
        printf("\nIt got quicker: %.3f ms a task in the first %zu rounds, %.3f ms in the last %zu: %.1f times.\n",
               first_ms, first_count, last_ms, last_count, first_ms / last_ms);
    else
        printf("\nIt did NOT get quicker: %.3f ms a task in the first %zu rounds, %.3f ms in the last %zu.\n", first_ms,
               first_count, last_ms, last_count);
    printf("Asking the store and writing down what happened took %.3f ms a task.\n\n",
           last.store_seconds / (double) last.tasks * 1e3);
    printf("%-17s %15s  %-8s %-19s  %s\n", "", "ms a task", "measures", "picked it", "each way examined on every file");
    printf("%-17s %7s %7s  %-8s %-9s %-9s  %s\n", "task", "first", "last", "best", "first", "last", "ms");
    for (size_t t = 0; t < live_task_count; t++)
        print_task(files, t, &first, &last);
}
