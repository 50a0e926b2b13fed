/* command_bench.c - `knackdb bench`: the quick benchmark on this machine.
 *
 * A store of its own in a temporary directory, filled with made-up rows from a fixed
 * seed, log on, default durability, one thread. Every operation is timed by itself, so
 * the percentiles are those a caller sees; the price of reading the clock (some 25 ns)
 * is in every figure and printed with them. What an operation needs, the row to store or
 * the question to ask, is made before its clock starts. A work ends after so many
 * operations or so long, whichever comes first. An interrupt ends it after the operation
 * under way, with the directory removed.
 *
 * It answers "how fast is it here", not "is it faster than X": the comparison with
 * other stores lives in benchmarks/. */
#define _GNU_SOURCE /* nftw */
#include "arguments.h"
#include "commands.h"
#include "complaint.h"
#include "interrupts.h"
#include "made_up.h"
#include "output.h"
#include "progress.h"

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <knackdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ROWS_DEFAULT 100000
#define ROWS_MAX     10000000
#define BATCH_ROWS   100
#define TOP          10
#define HISTORY      100 /* give or take HISTORY_SWAY */
#define HISTORY_SWAY 10
#define WORK_NS      (UINT64_C(2) * 1000000000) /* of a work that may end early */

static const char help[] =
    "Usage: knackdb bench [--rows N] [--in FOLDER]\n"
    "\n"
    "Stores, reads, finds and changes made-up rows in a temporary directory, default durability, one thread,\n"
    "and prints how long each operation took. The directory is removed afterwards.\n"
    "\n"
    "  --rows N     patterns in the store, and as many metrics, 1000 to 10000000; 100000 unless told\n"
    "  --in FOLDER  where the temporary directory goes; $TMPDIR or /tmp unless told\n";

struct bench {
    char           directory[4096];
    knackdb       *db;
    uint64_t       rows;
    struct made_up made_up;
    uint64_t      *samples_ns; /* room for one an operation */
    uint64_t       checksum;   /* of what was read, so that no read can be left out */
    struct output  output;

    /* What the next operation is about. */
    struct made_up_texts texts[BATCH_ROWS];
    knackdb_pattern      patterns[BATCH_ROWS];
    knackdb_metric       metrics[BATCH_ROWS];
    knackdb_condition    conditions[3];
    knackdb_query        query;
    int64_t              id;
    double               weight;
};

struct work {
    const char *name;
    uint64_t    rows_each; /* so many operations as the store's rows hold this; 0: as many as `count` */
    uint64_t    count;
    bool        is_whole; /* every operation counts: the store is being filled */
    knackdb_status (*prepare)(struct bench *bench, uint64_t operation, knackdb_error *error); /* NULL: nothing */
    knackdb_status (*perform)(struct bench *bench, knackdb_error *error);
};

/* ---- interrupts ---------------------------------------------------------------- */

static volatile sig_atomic_t interrupted_by; /* 0: nothing */

static void
interrupted(int number)
{
    interrupted_by = number;
}

/* ---- filling ------------------------------------------------------------------- */

static knackdb_status
prepare_pattern(struct bench *bench, uint64_t operation, knackdb_error *error)
{
    (void) operation;
    (void) error;
    bench->patterns[0] = made_up_pattern(&bench->made_up, &bench->texts[0]);
    return KNACKDB_OK;
}

static knackdb_status
store_pattern(struct bench *bench, knackdb_error *error)
{
    return knackdb_pattern_store(bench->db, &bench->patterns[0], NULL, error);
}

static knackdb_status
prepare_patterns(struct bench *bench, uint64_t operation, knackdb_error *error)
{
    (void) operation;
    (void) error;
    for (size_t i = 0; i < BATCH_ROWS; i++)
        bench->patterns[i] = made_up_pattern(&bench->made_up, &bench->texts[i]);
    return KNACKDB_OK;
}

static knackdb_status
store_patterns(struct bench *bench, knackdb_error *error)
{
    return knackdb_patterns_store(bench->db, bench->patterns, BATCH_ROWS, KNACKDB_STORE_REPLACE, NULL, error);
}

static knackdb_status
prepare_metrics(struct bench *bench, uint64_t operation, knackdb_error *error)
{
    (void) operation;
    (void) error;
    for (size_t i = 0; i < BATCH_ROWS; i++)
        bench->metrics[i] = made_up_metric(&bench->made_up, &bench->texts[i]);
    return KNACKDB_OK;
}

static knackdb_status
store_metrics(struct bench *bench, knackdb_error *error)
{
    return knackdb_metrics_store(bench->db, bench->metrics, BATCH_ROWS, KNACKDB_STORE_REPLACE, NULL, error);
}

/* ---- reading ------------------------------------------------------------------- */

static knackdb_status
prepare_id(struct bench *bench, uint64_t operation, knackdb_error *error)
{
    (void) operation;
    (void) error;
    bench->id = 1 + (int64_t) made_up_below(&bench->made_up, bench->rows);
    bench->weight = made_up_fraction(&bench->made_up);
    return KNACKDB_OK;
}

static knackdb_status
read_row(struct bench *bench, knackdb_error *error)
{
    knackdb_read   *read;
    knackdb_row     row;
    knackdb_pattern pattern;
    knackdb_status  status = knackdb_read_begin(bench->db, &read, error);

    if (status != KNACKDB_OK)
        return status;
    status = knackdb_read_by_id(read, KNACKDB_EXECUTION_PATTERNS, bench->id, &row);
    if (status == KNACKDB_OK) {
        knackdb_read_pattern(read, row, &pattern);
        bench->checksum += (unsigned char) pattern.context_factors.data[0] + (uint64_t) pattern.usage_count;
    }
    knackdb_read_end(read);
    return status;
}

/* The question an agent asks: the best patterns for this task. */
static knackdb_status
prepare_best(struct bench *bench, uint64_t operation, knackdb_error *error)
{
    (void) operation;
    (void) error;
    made_up_task_type(&bench->made_up, &bench->texts[0]);
    bench->conditions[0] = knackdb_where_text(KNACKDB_PATTERN_TASK_TYPE, bench->texts[0].first);
    bench->conditions[1] =
        knackdb_where_at_least(KNACKDB_PATTERN_SUCCESS_RATE, 0.4 + made_up_fraction(&bench->made_up) * 0.2);
    bench->conditions[2] =
        knackdb_where_at_least(KNACKDB_PATTERN_CONFIDENCE_SCORE, 0.2 + made_up_fraction(&bench->made_up) * 0.2);
    bench->query = (knackdb_query) {
        .struct_size = sizeof bench->query,
        .table = KNACKDB_EXECUTION_PATTERNS,
        .conditions = bench->conditions,
        .condition_count = 3,
        .order = { { .column = KNACKDB_PATTERN_CONFIDENCE_SCORE, .descending = true } },
        .order_count = 1,
        .limit = TOP,
    };
    return KNACKDB_OK;
}

static knackdb_status
prepare_same_best(struct bench *bench, uint64_t operation, knackdb_error *error)
{
    return operation == 0 ? prepare_best(bench, operation, error) : KNACKDB_OK;
}

/* The row's texts are not the question's. */
static knackdb_status
prepare_same_best_and_store(struct bench *bench, uint64_t operation, knackdb_error *error)
{
    knackdb_status status = prepare_same_best(bench, operation, error);

    bench->patterns[1] = made_up_pattern(&bench->made_up, &bench->texts[1]);
    return status == KNACKDB_OK ? knackdb_pattern_store(bench->db, &bench->patterns[1], NULL, error) : status;
}

/* Of one of a thousand values. How many are asked for varies, so that few of the questions are among those before,
 * whose answers are kept. */
static knackdb_status
prepare_history(struct bench *bench, uint64_t operation, knackdb_error *error)
{
    (void) error;
    made_up_component_and_metric(&bench->made_up, &bench->texts[0]);
    bench->conditions[0] = knackdb_where_text(KNACKDB_METRIC_COMPONENT_NAME, bench->texts[0].first);
    bench->conditions[1] = knackdb_where_text(KNACKDB_METRIC_METRIC_NAME, bench->texts[0].second);
    bench->query = (knackdb_query) {
        .struct_size = sizeof bench->query,
        .table = KNACKDB_PERFORMANCE_METRICS,
        .conditions = bench->conditions,
        .condition_count = 2,
        .order = { { .column = KNACKDB_METRIC_MEASURED_AT, .descending = true } },
        .order_count = 1,
        .limit = HISTORY - HISTORY_SWAY + operation % (2 * HISTORY_SWAY + 1),
    };
    return KNACKDB_OK;
}

static knackdb_status
find(struct bench *bench, knackdb_error *error)
{
    knackdb_read  *read;
    knackdb_rows   rows;
    knackdb_status status = knackdb_read_begin(bench->db, &read, error);

    if (status != KNACKDB_OK)
        return status;
    status = knackdb_read_find(read, &bench->query, &rows, error);
    for (size_t i = 0; status == KNACKDB_OK && i < rows.count; i++)
        bench->checksum +=
            (uint64_t) knackdb_read_value(read, bench->query.table, rows.rows[i], KNACKDB_PATTERN_ID).as.integer;
    knackdb_read_end(read);
    return status;
}

static knackdb_status
means_by_task_type(struct bench *bench, knackdb_error *error)
{
    knackdb_query        all = { .struct_size = sizeof all, .table = KNACKDB_EXECUTION_PATTERNS };
    const knackdb_group *groups;
    size_t               count;
    knackdb_read        *read;
    knackdb_status       status = knackdb_read_begin(bench->db, &read, error);

    if (status != KNACKDB_OK)
        return status;
    status = knackdb_read_aggregate(read, &all, KNACKDB_PATTERN_EXECUTION_TIME, KNACKDB_PATTERN_TASK_TYPE, NULL, 0,
                                    &groups, &count, error);
    for (size_t i = 0; status == KNACKDB_OK && i < count; i++)
        bench->checksum += groups[i].row_count;
    knackdb_read_end(read);
    return status;
}

/* ---- changing -------------------------------------------------------------------- */

static knackdb_status
set_weight(struct bench *bench, knackdb_error *error)
{
    return knackdb_pattern_set_weight(bench->db, bench->id, bench->weight, error);
}

static knackdb_status
take_snapshot(struct bench *bench, knackdb_error *error)
{
    return knackdb_snapshot(bench->db, error);
}

static knackdb_status
prepare_open(struct bench *bench, uint64_t operation, knackdb_error *error)
{
    knackdb_status status = knackdb_close(bench->db, error);

    (void) operation;
    bench->db = NULL;
    bench->id = 1;
    return status;
}

static knackdb_status
open_and_read(struct bench *bench, knackdb_error *error)
{
    knackdb_status status = knackdb_open(bench->directory, NULL, &bench->db, error);

    return status == KNACKDB_OK ? read_row(bench, error) : status;
}

/* A pattern was made every two seconds. */
static knackdb_status
clean_up_older_half(struct bench *bench, knackdb_error *error)
{
    return knackdb_clean_up_before(bench->db, KNACKDB_EXECUTION_PATTERNS,
                                   MADE_UP_START + (double) bench->made_up.patterns, NULL, error);
}

/* In the order in which they are done: the store is filled first and emptied last. */
static const struct work works[] = {
    { "store one", 2, 0, true, prepare_pattern, store_pattern },
    { "store a batch of 100, all or nothing", 2 * BATCH_ROWS, 0, true, prepare_patterns, store_patterns },
    { "store a batch of 100 metrics", BATCH_ROWS, 0, true, prepare_metrics, store_metrics },
    { "read a whole row by random id", 1, 0, false, prepare_id, read_row },
    { "find 10 of a task, 2 bounds, by confidence", 0, 2000, false, prepare_best, find },
    { "the same question again", 0, 2000, false, prepare_same_best, find },
    { "the same question after a store", 0, 500, false, prepare_same_best_and_store, find },
    { "the newest 100 values of a metric", 0, 2000, false, prepare_history, find },
    { "mean by task type over all rows", 0, 20, false, NULL, means_by_task_type },
    { "set a pattern's weight", 0, 2000, false, prepare_id, set_weight },
    { "snapshot", 0, 1, true, NULL, take_snapshot },
    { "close, then open again and read a row", 0, 1, true, prepare_open, open_and_read },
    { "clean up the older half of the patterns", 0, 1, true, NULL, clean_up_older_half },
};

/* ---- timing ---------------------------------------------------------------------- */

static uint64_t
operations_of(const struct work *work, uint64_t rows)
{
    return work->rows_each == 0 ? work->count : rows / work->rows_each;
}

static int
compare_samples(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *) left;
    uint64_t b = *(const uint64_t *) right;

    return (a > b) - (a < b);
}

static void
report(struct bench *bench, const char *name, size_t count)
{
    uint64_t total = 0;

    qsort(bench->samples_ns, count, sizeof *bench->samples_ns, compare_samples);
    for (size_t i = 0; i < count; i++)
        total += bench->samples_ns[i];
    output_format(&bench->output, "%-44s %9zu %9.2f %9.2f %9.2f %9.2f %9.2f\n", name, count,
                  (double) total / (double) count / 1e3, (double) bench->samples_ns[count / 2] / 1e3,
                  (double) bench->samples_ns[count - 1 - count / 100] / 1e3,
                  (double) bench->samples_ns[count - 1 - count / 1000] / 1e3,
                  (double) bench->samples_ns[count - 1] / 1e3);
}

static knackdb_status
run_work(struct bench *bench, const struct work *work, knackdb_error *error)
{
    uint64_t       count = operations_of(work, bench->rows), done = 0, began = monotonic_ns();
    knackdb_status status = KNACKDB_OK;

    while (done < count && interrupted_by == 0 && (work->is_whole || done == 0 || monotonic_ns() - began < WORK_NS)) {
        uint64_t begin;

        if (work->prepare != NULL)
            status = work->prepare(bench, done, error);
        if (status != KNACKDB_OK)
            return status;
        begin = monotonic_ns();
        status = work->perform(bench, error);
        bench->samples_ns[done] = monotonic_ns() - begin;
        if (status != KNACKDB_OK)
            return status;
        done++;
        if (done % 256 == 0)
            progress_tell(done);
    }
    if (done > 0)
        report(bench, work->name, done);
    return KNACKDB_OK;
}

static knackdb_status
run_all(struct bench *bench, knackdb_error *error)
{
    uint64_t       begin = monotonic_ns();
    knackdb_stats  stats = { .struct_size = sizeof stats };
    knackdb_status status = KNACKDB_OK;

    for (int i = 0; i < 1000; i++)
        bench->checksum += monotonic_ns();
    output_format(&bench->output,
                  "%" PRIu64 " execution patterns, as many metrics, one thread, log on, durability async, in %s\n"
                  "microseconds; %.2f of them go to reading the clock; knackdb %s, %ld processors\n\n"
                  "%-44s %9s %9s %9s %9s %9s %9s\n",
                  bench->rows, bench->directory, (double) (monotonic_ns() - begin) / 1e6, knackdb_version(),
                  sysconf(_SC_NPROCESSORS_ONLN), "", "count", "mean", "p50", "p99", "p99.9", "max");
    for (size_t i = 0; i < sizeof works / sizeof works[0] && status == KNACKDB_OK && interrupted_by == 0; i++) {
        if (works[i].perform == take_snapshot) /* the store as it was filled */
            status = knackdb_get_stats(bench->db, &stats, error);
        progress_turn_to("timed");
        if (status == KNACKDB_OK)
            status = run_work(bench, &works[i], error);
    }
    if (status == KNACKDB_OK)
        output_format(&bench->output, "\nmemory %.1f MB, log %.1f MB before the snapshot\n",
                      (double) stats.memory_bytes / 1e6, (double) stats.log_bytes / 1e6);
    return status;
}

static int
remove_entry(const char *path, const struct stat *found, int kind, struct FTW *place)
{
    (void) found;
    (void) kind;
    (void) place;
    return remove(path);
}

static int
run_in(struct bench *bench, const char *folder)
{
    knackdb_error  error = { 0 };
    knackdb_status result;
    uint64_t       samples = 0;
    int            status;

    interrupts_take(interrupted, SA_RESETHAND | SA_RESTART); /* the second of a kind ends the process where it is */
    if (snprintf(bench->directory, sizeof bench->directory, "%s/knackdb-bench-XXXXXX", folder) >=
            (int) sizeof bench->directory ||
        mkdtemp(bench->directory) == NULL)
        return complain(exit_status_of(KNACKDB_IO, errno), command_bench.name, folder, "%s", strerror(errno));
    for (size_t i = 0; i < sizeof works / sizeof works[0]; i++)
        if (operations_of(&works[i], bench->rows) > samples)
            samples = operations_of(&works[i], bench->rows);
    status = output_open_standard(&bench->output, command_bench.name);
    if (status == EXIT_DONE) {
        bench->samples_ns = malloc(samples * sizeof *bench->samples_ns);
        if (bench->samples_ns == NULL) {
            status = complain(EXIT_DATA_AT_FAULT, command_bench.name, "--rows", "out of memory");
        } else {
            result = knackdb_open(bench->directory, NULL, &bench->db, &error);
            if (result == KNACKDB_OK)
                result = run_all(bench, &error);
            if (result != KNACKDB_OK)
                status = complain_status(command_bench.name, bench->directory, result, &error);
            (void) knackdb_close(bench->db, NULL);
        }
        if (status == EXIT_DONE && interrupted_by == 0)
            status = output_finish(&bench->output);
        else
            output_abandon(&bench->output);
    }
    free(bench->samples_ns);
    (void) nftw(bench->directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    if (interrupted_by != 0) {
        (void) signal(interrupted_by, SIG_DFL);
        (void) raise(interrupted_by);
    }
    return status;
}

static int
run(int argc, char **argv)
{
    const char         *rows = NULL, *folder = NULL;
    struct bench        bench = { .rows = ROWS_DEFAULT, .made_up = { .state = UINT64_C(0x9E3779B97F4A7C15) } };
    unsigned long long  count;
    const struct option options[] = {
        { .name = "--rows", .needs = "a number of rows", .ret_value = &rows },
        { .name = "--in", .needs = "a folder", .ret_value = &folder },
        { 0 },
    };
    const struct positional positionals[] = { { 0 } };

    switch (arguments_parse(command_bench.name, argc, argv, options, positionals)) {
    case ARGUMENTS_HELP: return print_help(&command_bench);
    case ARGUMENTS_BAD: return EXIT_CALL_AT_FAULT;
    case ARGUMENTS_OK: break;
    }
    if (rows != NULL) {
        if (!argument_count(command_bench.name, "--rows", rows, &count))
            return EXIT_CALL_AT_FAULT;
        if (count < 1000 || count > ROWS_MAX)
            return complain_usage(command_bench.name, "--rows", "'%s' is not from 1000 to %d", rows, ROWS_MAX);
        bench.rows = count / (2 * BATCH_ROWS) * (2 * BATCH_ROWS); /* ones and batches share them */
    }
    if (folder == NULL)
        folder = getenv("TMPDIR");
    if (folder == NULL || *folder == '\0')
        folder = "/tmp";
    return run_in(&bench, folder);
}

const struct command command_bench = {
    .name = "bench",
    .summary = "the quick benchmark on this machine",
    .help = help,
    .run = run,
};
