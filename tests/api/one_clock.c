/* one_clock.c - a clean-up by age asks the clock once: rows of one moment go together, whatever their table.
 *
 * The clock of this program goes on by a second each time that anybody asks it (its clock_gettime() comes before
 * the system's), so whoever asks twice gets two answers. A pattern and a metric of one moment are cleaned up by ages
 * that rise in steps of half a second: up to some age both are too old, from there on neither is. */
#define _GNU_SOURCE /* syscall */
#include <knackdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MOMENT 1000000.0
#define STEPS  200
#define STEP   0.5

static _Atomic long asked; /* the wall clock */

int clock_gettime(clockid_t clock, struct timespec *ret_time);

int
clock_gettime(clockid_t clock, struct timespec *ret_time)
{
    if (clock != CLOCK_REALTIME)
        return (int) syscall(SYS_clock_gettime, clock, ret_time);
    *ret_time = (struct timespec) { .tv_sec = (time_t) MOMENT + atomic_fetch_add(&asked, 1) };
    return 0;
}

static uint64_t
rows_of(knackdb *db, int table)
{
    knackdb_stats stats = { .struct_size = sizeof stats };

    return knackdb_get_stats(db, &stats, NULL) == KNACKDB_OK ? stats.tables[table].row_count : UINT64_MAX;
}

/* How many of the two an age leaves; -1 where something fails. */
static int
rows_left(double age)
{
    knackdb_pattern pattern = knackdb_pattern_default();
    knackdb_metric  metric = knackdb_metric_default();
    knackdb        *db = NULL;
    int             left = -1;

    pattern.created_at = metric.measured_at = MOMENT;
    if (knackdb_open(NULL, NULL, &db, NULL) == KNACKDB_OK &&
        knackdb_pattern_store(db, &pattern, NULL, NULL) == KNACKDB_OK &&
        knackdb_metric_store(db, &metric, NULL, NULL) == KNACKDB_OK &&
        knackdb_clean_up(db, age, NULL, NULL) == KNACKDB_OK)
        left = (int) (rows_of(db, KNACKDB_EXECUTION_PATTERNS) + rows_of(db, KNACKDB_PERFORMANCE_METRICS));
    (void) knackdb_close(db, NULL);
    return left;
}

int
main(void)
{
    int counts[3] = { 0 };

    for (int step = 0; step < STEPS; step++) {
        int left;

        atomic_store(&asked, 0);
        left = rows_left(step * STEP);
        if (left < 0 || left == 1) {
            (void) printf("an age of %g seconds leaves %d of two rows of one moment\n0 passed, 1 failed\n", step * STEP,
                          left);
            return 1;
        }
        counts[left]++;
    }
    (void) printf("of %d ages %d left none and %d both; the clock was asked %ld times the last time\n", STEPS,
                  counts[0], counts[2], atomic_load(&asked));
    if (counts[0] == 0 || counts[2] == 0)
        return 1;
    (void) printf("1 passed, 0 failed\n");
    return 0;
}
