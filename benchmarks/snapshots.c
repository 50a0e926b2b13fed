/* snapshots.c - what snapshots write, what they take, and what a store call notices of them.
 *
 *     snapshots [--rows N] [--log-mib N] [--directory FOLDER]    in $TMPDIR or /tmp unless told
 *
 * Through knackdb.h and the sizes of files. Three questions, each with an aim:
 *
 *     ingest    bytes that all snapshots write while N patterns come in, a snapshot every so many MiB of log, against
 *               what is on the disk at the end; at most 2.5 times
 *     change    a snapshot after 1 % of the rows has changed (half of that updated, half new), against one of all of
 *               them; at most 3 % of its time
 *     latency   p99 of storing one row while snapshots follow one another without a pause, against p99 without any; at
 *               most 1.5 times
 *
 * Parts are never written twice under one number, so what a snapshot wrote are the parts of numbers not seen before. */
#include "clock.h"
#include "directory.h"
#include "failure.h"
#include "histogram.h"
#include "workload.h"

#include <dirent.h>
#include <inttypes.h>
#include <knackdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define BATCH_ROWS    100
#define CHANGE_ROUNDS 5
#define STORE_NS      ((uint64_t) 3 * 1000000000) /* that each half of the latencies is measured for */

struct run {
    uint64_t             rows;
    uint64_t             log_mib;
    char                 place[4096]; /* that all of it happens in; gone afterwards, however this ends */
    struct workload     *workload;
    struct pattern_block block;
    uint64_t             next_row; /* of the workload */
    knackdb             *db;
    char                 path[4200];
    uint64_t             highest_part;
    uint64_t             written_bytes; /* by snapshots: parts and manifests */
    uint64_t             snapshots;
};

static void
check(knackdb_status status, const char *what, const knackdb_error *error)
{
    if (status != KNACKDB_OK)
        fail("%s: %s: %s", what, knackdb_status_text(status), error->message);
}

static void
open_new(struct run *run, const char *name)
{
    knackdb_options options = knackdb_options_default();
    knackdb_error   error;

    options.snapshot_log_bytes = UINT64_MAX;
    directory_make(run->path, sizeof run->path, run->place, name);
    check(knackdb_open(run->path, &options, &run->db, &error), "open", &error);
    run->next_row = 0;
    run->highest_part = 0;
    run->written_bytes = 0;
    run->snapshots = 0;
}

static void
close_and_remove(struct run *run)
{
    knackdb_error error;

    check(knackdb_close(run->db, &error), "close", &error);
    run->db = NULL;
    directory_remove(run->path);
}

static knackdb_text
lend(struct text text)
{
    return (knackdb_text) { text.data, text.length };
}

static knackdb_pattern
pattern_of(const struct pattern_row *row)
{
    return (knackdb_pattern) {
        .task_type = lend(row->task_type),
        .pattern_used = lend(row->pattern_used),
        .execution_time = row->execution_time,
        .success_rate = row->success_rate,
        .confidence_score = row->confidence_score,
        .agent_count = row->agent_count,
        .complexity_level = lend(row->complexity_level),
        .tools_used = lend(row->tools_used),
        .context_factors = lend(row->context_factors),
        .created_at = row->created_at,
        .updated_at = row->updated_at,
        .usage_count = row->usage_count,
    };
}

/* Stores the next rows of the workload, at most a batch. */
static void
store_batch(struct run *run, uint64_t rows)
{
    knackdb_pattern patterns[BATCH_ROWS];
    knackdb_error   error;

    rows = rows < BATCH_ROWS ? rows : BATCH_ROWS;
    workload_patterns(run->workload, run->next_row, (size_t) rows, &run->block);
    for (size_t i = 0; i < rows; i++)
        patterns[i] = pattern_of(&run->block.rows[i]);
    check(knackdb_patterns_store(run->db, patterns, (size_t) rows, KNACKDB_STORE_REPLACE, NULL, &error), "store",
          &error);
    run->next_row += rows;
}

static knackdb_stats
stats_of(knackdb *db)
{
    knackdb_stats stats = { .struct_size = sizeof stats };
    knackdb_error error;

    check(knackdb_get_stats(db, &stats, &error), "status", &error);
    return stats;
}

/* Sizes of the files of a kind with a number above `above`. */
static uint64_t
files_bytes(const char *path, const char *kind, uint64_t above, uint64_t *ret_highest)
{
    DIR           *directory = opendir(path);
    struct dirent *entry;
    uint64_t       bytes = 0;

    if (directory == NULL)
        fail("%s: cannot be listed", path);
    *ret_highest = above;
    while ((entry = readdir(directory)) != NULL) {
        char        name[4500];
        char       *end;
        uint64_t    number;
        struct stat facts;

        if (strncmp(entry->d_name, kind, strlen(kind)) != 0)
            continue;
        number = strtoull(entry->d_name + strlen(kind), &end, 16);
        (void) snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (number <= above || stat(name, &facts) != 0)
            continue;
        bytes += (uint64_t) facts.st_size;
        if (number > *ret_highest)
            *ret_highest = number;
    }
    (void) closedir(directory);
    return bytes;
}

/* Takes one; seconds. Sums up what it wrote. */
static double
snapshot(struct run *run)
{
    uint64_t      begun = clock_ns();
    uint64_t      unused;
    double        seconds;
    knackdb_error error;

    check(knackdb_snapshot(run->db, &error), "snapshot", &error);
    seconds = (double) (clock_ns() - begun) / 1e9;
    run->written_bytes += files_bytes(run->path, "part-", run->highest_part, &run->highest_part);
    run->written_bytes += files_bytes(run->path, "manifest-", 0, &unused);
    run->snapshots++;
    return seconds;
}

static void
print_aim(double is, double aim)
{
    printf("   aim <= %.3g: %s\n", aim, is <= aim ? "reached" : "missed");
}

/* ---- the questions ---- */

static void
measure_ingest(struct run *run)
{
    uint64_t begun = clock_ns();
    uint64_t log_bytes = 0;
    uint64_t unused;
    uint64_t final_bytes;
    double   slowest = 0;
    double   ratio;

    open_new(run, "ingest");
    while (run->next_row < run->rows) {
        uint64_t now;

        store_batch(run, run->rows - run->next_row);
        if (run->next_row % (64 * BATCH_ROWS) != 0 && run->next_row < run->rows)
            continue;
        now = stats_of(run->db).log_bytes;
        if (now >= run->log_mib << 20 || run->next_row == run->rows) {
            double seconds = snapshot(run);

            log_bytes += now;
            slowest = seconds > slowest ? seconds : slowest;
        }
    }
    final_bytes = files_bytes(run->path, "part-", 0, &unused) + files_bytes(run->path, "manifest-", 0, &unused);
    ratio = (double) run->written_bytes / (double) final_bytes;
    printf("ingest    %" PRIu64 " rows in %.1f s, %" PRIu64 " snapshots, the slowest %.2f s\n", run->rows,
           (double) (clock_ns() - begun) / 1e9, run->snapshots, slowest);
    printf("          log %.1f MB, written by snapshots %.1f MB, on the disk at the end %.1f MB: %.2f times",
           (double) log_bytes / 1e6, (double) run->written_bytes / 1e6, (double) final_bytes / 1e6, ratio);
    print_aim(ratio, 2.5);
    close_and_remove(run);
}

static int
compare(const void *left, const void *right)
{
    double a = *(const double *) left;
    double b = *(const double *) right;

    return a < b ? -1 : a > b;
}

/* Half of `rows` are updated, evenly spread, half are new. */
static void
change(struct run *run, uint64_t rows, uint64_t round)
{
    uint32_t      column = KNACKDB_PATTERN_CONFIDENCE_SCORE;
    uint64_t      stored = run->next_row;
    knackdb_error error;

    for (uint64_t i = 0; i < rows / 2; i++) {
        knackdb_value value = knackdb_value_real((double) (i % 1000) / 1000);
        int64_t       id = workload_id(run->workload, round * rows + i, stored);

        check(knackdb_update_row(run->db, KNACKDB_EXECUTION_PATTERNS, id, &column, &value, 1, &error), "update",
              &error);
    }
    while (run->next_row < stored + rows - rows / 2)
        store_batch(run, stored + rows - rows / 2 - run->next_row);
}

static void
measure_change(struct run *run)
{
    double   seconds[CHANGE_ROUNDS];
    double   full;
    double   ratio;
    uint64_t full_bytes;
    uint64_t before;

    open_new(run, "change");
    while (run->next_row < run->rows)
        store_batch(run, run->rows - run->next_row);
    full = snapshot(run);
    full_bytes = run->written_bytes;
    printf("change    a snapshot of all: %.3f s, %.1f MB\n", full, (double) full_bytes / 1e6);
    before = run->written_bytes;
    for (uint64_t round = 0; round < CHANGE_ROUNDS; round++) {
        change(run, run->rows / 100, round);
        seconds[round] = snapshot(run);
    }
    qsort(seconds, CHANGE_ROUNDS, sizeof seconds[0], compare);
    ratio = seconds[CHANGE_ROUNDS / 2] / full;
    printf("          after 1 %% of change: %.4f s (%.4f to %.4f), %.2f MB: %.2f %% of the time",
           seconds[CHANGE_ROUNDS / 2], seconds[0], seconds[CHANGE_ROUNDS - 1],
           (double) (run->written_bytes - before) / CHANGE_ROUNDS / 1e6, 100 * ratio);
    print_aim(100 * ratio, 3);
    close_and_remove(run);
}

struct snapshots_without_pause {
    knackdb     *db;
    _Atomic bool stops;
    uint64_t     count;
};

static void *
take_snapshots(void *context)
{
    struct snapshots_without_pause *snapshots = context;
    knackdb_error                   error;

    while (!atomic_load(&snapshots->stops)) {
        check(knackdb_snapshot(snapshots->db, &error), "snapshot", &error);
        snapshots->count++;
    }
    return NULL;
}

/* Stores one row after another for a while. */
static void
store_for_a_while(struct run *run, struct histogram *latencies)
{
    uint64_t      end = clock_ns() + STORE_NS;
    uint64_t      now = 0;
    knackdb_error error;

    while (now < end) {
        workload_patterns(run->workload, run->next_row, BATCH_ROWS, &run->block);
        for (size_t i = 0; i < BATCH_ROWS; i++) {
            knackdb_pattern pattern = pattern_of(&run->block.rows[i]);
            uint64_t        begun = clock_ns();

            check(knackdb_pattern_store(run->db, &pattern, NULL, &error), "store", &error);
            now = clock_ns();
            histogram_add(latencies, now - begun);
        }
        run->next_row += BATCH_ROWS;
    }
}

static void
print_latencies(const char *when, const struct histogram *latencies)
{
    printf("          %-22s p50 %.2f, p99 %.2f, p99.9 %.1f, max %.0f us, %" PRIu64 " stores\n", when,
           histogram_quantile_ns(latencies, 0.5) / 1e3, histogram_quantile_ns(latencies, 0.99) / 1e3,
           histogram_quantile_ns(latencies, 0.999) / 1e3, (double) latencies->max_ns / 1e3, latencies->count);
}

static void
measure_latency(struct run *run)
{
    struct histogram              *latencies = calloc(2, sizeof *latencies); /* quiet, beside snapshots */
    struct snapshots_without_pause snapshots = { .count = 0 };
    pthread_t                      thread;
    double                         ratio;

    if (latencies == NULL)
        fail("no memory");
    open_new(run, "latency");
    while (run->next_row < run->rows)
        store_batch(run, run->rows - run->next_row);
    (void) snapshot(run);
    snapshots.db = run->db;
    for (int round = 0; round < 4; round++) {
        bool beside = round % 2 != 0;

        atomic_store(&snapshots.stops, false);
        if (beside && pthread_create(&thread, NULL, take_snapshots, &snapshots) != 0)
            fail("cannot start a thread");
        store_for_a_while(run, &latencies[beside]);
        atomic_store(&snapshots.stops, true);
        if (beside)
            (void) pthread_join(thread, NULL);
    }
    ratio = histogram_quantile_ns(&latencies[1], 0.99) / histogram_quantile_ns(&latencies[0], 0.99);
    printf("latency   of storing one row\n");
    print_latencies("quiet", &latencies[0]);
    print_latencies("beside snapshots", &latencies[1]);
    printf("          %" PRIu64 " snapshots; p99 is %.2f times that of quiet", snapshots.count, ratio);
    print_aim(ratio, 1.5);
    free(latencies);
    close_and_remove(run);
}

static uint64_t
number_of(const char *text)
{
    char    *end;
    uint64_t number = strtoull(text, &end, 10);

    if (end == text || *end != '\0' || number == 0)
        fail("'%s' is no number", text);
    return number;
}

int
main(int count, char **arguments)
{
    struct run  run = { .rows = 1000000, .log_mib = 64 };
    const char *parent = directory_of_temporaries();

    for (int i = 1; i < count; i += 2) {
        if (i + 1 < count && strcmp(arguments[i], "--rows") == 0)
            run.rows = number_of(arguments[i + 1]);
        else if (i + 1 < count && strcmp(arguments[i], "--log-mib") == 0)
            run.log_mib = number_of(arguments[i + 1]);
        else if (i + 1 < count && strcmp(arguments[i], "--directory") == 0)
            parent = arguments[i + 1];
        else
            fail("usage: snapshots [--rows N] [--log-mib N] [--directory FOLDER]");
    }
    (void) setvbuf(stdout, NULL, _IOLBF, 0);
    directory_make(run.place, sizeof run.place, parent, "knackdb-snapshots");
    directory_remove_afterwards(run.place);
    printf("snapshots of execution_patterns; every time in this table is of this machine as it was\n");
    run.workload = workload_new(1);
    if (run.workload == NULL)
        fail("no memory");
    pattern_block_init(&run.block, BATCH_ROWS);
    measure_ingest(&run);
    measure_change(&run);
    measure_latency(&run);
    pattern_block_clear(&run.block);
    workload_free(run.workload);
    directory_remove(run.place);
    return 0;
}
