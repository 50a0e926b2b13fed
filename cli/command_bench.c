/* command_bench.c - `knackdb bench`: the quick benchmark on this machine.
 *
 * A store of its own in a temporary directory, filled with made-up patterns from a
 * fixed seed, log on, default durability. Every operation is timed by itself, so the
 * percentiles are those a caller sees; the price of reading the clock (some 25 ns)
 * is in every figure and printed with them.
 *
 * It answers "how fast is it here", not "is it faster than X": the comparison with
 * other stores lives in benchmarks/. */
#define _GNU_SOURCE /* nftw */
#include "arguments.h"
#include "commands.h"
#include "complaint.h"
#include "output.h"
#include "progress.h"

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <knackdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROWS_DEFAULT 100000
#define ROWS_MAX     10000000
#define BATCH_ROWS   100
#define FINDS        2000
#define TOP          10
#define TASK_TYPES   40
#define PATTERNS     200

static const char help[] =
    "Usage: knackdb bench [--rows N] [--in FOLDER]\n"
    "\n"
    "Stores, reads and finds made-up patterns in a temporary directory, default durability, one thread,\n"
    "and prints how long each operation took. The directory is removed afterwards.\n"
    "\n"
    "  --rows N     patterns in the store, 1000 to 10000000; 100000 unless told\n"
    "  --in FOLDER  where the temporary directory goes; $TMPDIR or /tmp unless told\n";

struct bench {
    char          directory[4096];
    knackdb      *db;
    uint64_t      rows;
    uint64_t      random;
    uint64_t     *samples_ns; /* room for one an operation */
    uint64_t      checksum;   /* of what was read, so that no read can be left out */
    struct output output;
};

/* xorshift64*: any stream will do as long as it is the same each time. */
static uint64_t
next_random(struct bench *bench)
{
    bench->random ^= bench->random >> 12;
    bench->random ^= bench->random << 25;
    bench->random ^= bench->random >> 27;
    return bench->random * UINT64_C(2685821657736338717);
}

static double
next_fraction(struct bench *bench)
{
    return (double) (next_random(bench) >> 11) * 0x1p-53;
}

#define TEXT_BYTES 200

struct made_up {
    char task_type[24];
    char pattern_used[24];
    char context[TEXT_BYTES];
};

static knackdb_pattern
make_up_pattern(struct bench *bench, struct made_up *texts)
{
    static const char *const levels[] = { "simple", "moderate", "complex" };
    static const char *const tools[] = { "[\"sort\"]", "[\"grep\",\"sed\"]", "[\"read\",\"write\",\"run\"]" };
    knackdb_pattern          pattern = knackdb_pattern_default();

    (void) snprintf(texts->task_type, sizeof texts->task_type, "task_%d", (int) (next_random(bench) % TASK_TYPES));
    (void) snprintf(texts->pattern_used, sizeof texts->pattern_used, "pattern_%d",
                    (int) (next_random(bench) % PATTERNS));
    (void) snprintf(texts->context, sizeof texts->context,
                    "{\"run\":\"%016" PRIx64 "%016" PRIx64 "\",\"files\":%d,\"branch\":\"feature/%" PRIx64
                    "\",\"retries\":%d}",
                    next_random(bench), next_random(bench), (int) (next_random(bench) % 500), next_random(bench),
                    (int) (next_random(bench) % 4));
    pattern.task_type = knackdb_string(texts->task_type);
    pattern.pattern_used = knackdb_string(texts->pattern_used);
    pattern.context_factors = knackdb_string(texts->context);
    pattern.tools_used = knackdb_string(tools[next_random(bench) % 3]);
    pattern.complexity_level = knackdb_string(levels[next_random(bench) % 3]);
    pattern.execution_time = next_fraction(bench) * 10;
    pattern.success_rate = next_fraction(bench);
    pattern.confidence_score = next_fraction(bench);
    pattern.agent_count = 1 + (int64_t) (next_random(bench) % 4);
    pattern.usage_count = (int64_t) (next_random(bench) % 100);
    return pattern;
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
    output_format(&bench->output, "%-44s %9zu %9.2f %9.2f %9.2f %9.2f\n", name, count,
                  (double) total / (double) count / 1e3, (double) bench->samples_ns[count / 2] / 1e3,
                  (double) bench->samples_ns[count - 1 - count / 100] / 1e3,
                  (double) bench->samples_ns[count - 1] / 1e3);
}

static knackdb_status
store_one_by_one(struct bench *bench, uint64_t count, knackdb_error *error)
{
    struct made_up texts;

    for (uint64_t i = 0; i < count; i++) {
        knackdb_pattern pattern = make_up_pattern(bench, &texts);
        uint64_t        begin = monotonic_ns();
        knackdb_status  status = knackdb_pattern_store(bench->db, &pattern, NULL, error);

        bench->samples_ns[i] = monotonic_ns() - begin;
        if (status != KNACKDB_OK)
            return status;
    }
    report(bench, "store one", count);
    return KNACKDB_OK;
}

static knackdb_status
store_batches(struct bench *bench, uint64_t count, knackdb_error *error)
{
    struct made_up  texts[BATCH_ROWS];
    knackdb_pattern patterns[BATCH_ROWS];

    for (uint64_t i = 0; i < count; i++) {
        uint64_t       begin;
        knackdb_status status;

        for (size_t k = 0; k < BATCH_ROWS; k++)
            patterns[k] = make_up_pattern(bench, &texts[k]);
        begin = monotonic_ns();
        status = knackdb_patterns_store(bench->db, patterns, BATCH_ROWS, KNACKDB_STORE_REPLACE, NULL, error);
        bench->samples_ns[i] = monotonic_ns() - begin;
        if (status != KNACKDB_OK)
            return status;
    }
    report(bench, "store a batch of 100, all or nothing", count);
    return KNACKDB_OK;
}

static knackdb_status
read_by_id(struct bench *bench, uint64_t count, knackdb_error *error)
{
    knackdb_read  *read;
    knackdb_status status = knackdb_read_begin(bench->db, &read, error);

    if (status != KNACKDB_OK)
        return status;
    for (uint64_t i = 0; i < count && status == KNACKDB_OK; i++) {
        int64_t         id = 1 + (int64_t) (next_random(bench) % bench->rows);
        uint64_t        begin = monotonic_ns();
        knackdb_row     row;
        knackdb_pattern pattern;

        status = knackdb_read_by_id(read, KNACKDB_EXECUTION_PATTERNS, id, &row);
        if (status == KNACKDB_OK) {
            knackdb_read_pattern(read, row, &pattern);
            bench->checksum += (unsigned char) pattern.context_factors.data[0] + (uint64_t) pattern.usage_count;
        }
        bench->samples_ns[i] = monotonic_ns() - begin;
    }
    knackdb_read_end(read);
    if (status == KNACKDB_OK)
        report(bench, "read a whole row by random id", count);
    return status;
}

/* The question an agent asks: the best patterns for this task. Bounds differ each time, so nothing is cached. */
static knackdb_status
find_best(struct bench *bench, knackdb_error *error)
{
    for (uint64_t i = 0; i < FINDS; i++) {
        char              task_type[24];
        knackdb_condition conditions[3];
        knackdb_query     query = { .struct_size = sizeof query };
        knackdb_read     *read;
        knackdb_rows      rows;
        uint64_t          begin;
        knackdb_status    status;

        (void) snprintf(task_type, sizeof task_type, "task_%d", (int) (next_random(bench) % TASK_TYPES));
        conditions[0] = knackdb_where_text(KNACKDB_PATTERN_TASK_TYPE, task_type);
        conditions[1] = knackdb_where_at_least(KNACKDB_PATTERN_SUCCESS_RATE, 0.4 + next_fraction(bench) * 0.2);
        conditions[2] = knackdb_where_at_least(KNACKDB_PATTERN_CONFIDENCE_SCORE, 0.2 + next_fraction(bench) * 0.2);
        query.conditions = conditions;
        query.condition_count = 3;
        query.order[0].column = KNACKDB_PATTERN_CONFIDENCE_SCORE;
        query.order[0].descending = true;
        query.order_count = 1;
        query.limit = TOP;

        begin = monotonic_ns();
        status = knackdb_read_begin(bench->db, &read, error);
        if (status != KNACKDB_OK)
            return status;
        status = knackdb_read_find(read, &query, &rows, error);
        if (status == KNACKDB_OK)
            bench->checksum += rows.count;
        knackdb_read_end(read);
        bench->samples_ns[i] = monotonic_ns() - begin;
        if (status != KNACKDB_OK)
            return status;
    }
    report(bench, "find 10 of a task, 2 bounds, by confidence", FINDS);
    return KNACKDB_OK;
}

static knackdb_status
open_again(struct bench *bench, knackdb_error *error)
{
    knackdb_status status = knackdb_close(bench->db, error);
    uint64_t       begin;

    bench->db = NULL;
    if (status != KNACKDB_OK)
        return status;
    begin = monotonic_ns();
    status = knackdb_open(bench->directory, NULL, &bench->db, error);
    bench->samples_ns[0] = monotonic_ns() - begin;
    if (status == KNACKDB_OK)
        report(bench, "close, then open again", 1);
    return status;
}

static knackdb_status
run_all(struct bench *bench, knackdb_error *error)
{
    uint64_t       ones = bench->rows / 2;
    uint64_t       batches = (bench->rows - ones) / BATCH_ROWS;
    uint64_t       begin = monotonic_ns();
    knackdb_stats  stats = { .struct_size = sizeof stats };
    knackdb_status status;

    bench->rows = ones + batches * BATCH_ROWS;
    for (int i = 0; i < 1000; i++)
        bench->checksum += monotonic_ns();
    output_format(&bench->output,
                  "%" PRIu64 " execution patterns, one thread, log on, durability async, in %s\n"
                  "microseconds; %.2f of them go to reading the clock\n\n%-44s %9s %9s %9s %9s %9s\n",
                  bench->rows, bench->directory, (double) (monotonic_ns() - begin) / 1e6, "", "count", "mean", "p50",
                  "p99", "max");
    status = store_one_by_one(bench, ones, error);
    if (status == KNACKDB_OK)
        status = store_batches(bench, batches, error);
    if (status == KNACKDB_OK)
        status = read_by_id(bench, bench->rows, error);
    if (status == KNACKDB_OK)
        status = find_best(bench, error);
    if (status == KNACKDB_OK)
        status = knackdb_get_stats(bench->db, &stats, error);
    if (status == KNACKDB_OK)
        status = open_again(bench, error);
    if (status == KNACKDB_OK)
        output_format(&bench->output, "\nmemory %.1f MB, log %.1f MB\n", (double) stats.memory_bytes / 1e6,
                      (double) stats.log_bytes / 1e6);
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
    uint64_t       samples = bench->rows > FINDS ? bench->rows : FINDS;
    int            status;

    if (snprintf(bench->directory, sizeof bench->directory, "%s/knackdb-bench-XXXXXX", folder) >=
            (int) sizeof bench->directory ||
        mkdtemp(bench->directory) == NULL)
        return complain(exit_status_of(KNACKDB_IO, errno), command_bench.name, folder, "%s", strerror(errno));
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
        if (status == EXIT_DONE)
            status = output_finish(&bench->output);
        else
            output_abandon(&bench->output);
    }
    free(bench->samples_ns);
    (void) nftw(bench->directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    return status;
}

static int
run(int argc, char **argv)
{
    const char             *rows = NULL, *folder = NULL;
    struct bench            bench = { .rows = ROWS_DEFAULT, .random = UINT64_C(0x9E3779B97F4A7C15) };
    unsigned long long      count;
    const struct option     options[] = {
        { .name = "--rows", .needs = "a number of rows", .ret_value = &rows },
        { .name = "--in", .needs = "a folder", .ret_value = &folder },
        { 0 },
    };
    const struct positional positionals[] = { { 0 } };

    switch (arguments_parse(command_bench.name, argc, argv, options, positionals)) {
    case ARGUMENTS_HELP:
        return print_help(&command_bench);
    case ARGUMENTS_BAD:
        return EXIT_CALL_AT_FAULT;
    case ARGUMENTS_OK:
        break;
    }
    if (rows != NULL) {
        if (!argument_count(command_bench.name, "--rows", rows, &count))
            return EXIT_CALL_AT_FAULT;
        if (count < 1000 || count > ROWS_MAX)
            return complain_usage(command_bench.name, "--rows", "'%s' is not from 1000 to %d", rows, ROWS_MAX);
        bench.rows = count;
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
