/* report_card.h - how well the agent did, for people to read; it decides nothing. */
#ifndef EXAMPLES_REPORT_CARD_H
#define EXAMPLES_REPORT_CARD_H

#include "live_work.h"

#include <stdint.h>

#define TASKS_MAX 8

/** What was picked and done in one round. */
struct tally {
    double   seconds;       /**< of doing the tasks */
    double   store_seconds; /**< of choosing and learning: calls of the store and nothing else */
    uint64_t tasks;
    double   task_seconds[TASKS_MAX]; /**< by number in live_tasks, as the two below */
    uint64_t task_count[TASKS_MAX];
    uint64_t picks[TASKS_MAX][WAYS_MAX];
};

/** Examines every way on the files, then prints the first rounds against the last. */
void report_card_print(const struct live_files *files, const struct tally *rounds, size_t round_count);

#endif
