/* model_history.c - random histories, in which the store must agree with the model at every step.
 *
 *     model_history [FIRST_SEED [SEEDS [OPERATIONS [trace]]]]
 *
 * A history is 10,000 operations drawn from a seed. Three of four live in memory
 * only; every fourth lives in a directory, which is closed and opened again, and
 * snapshot, now and then. After each operation the store and the model have returned
 * the same, the sequence is right, every table has as many rows as it should, and
 * what was touched reads the same; every few hundred operations all rows are
 * compared, each by every key. Up to six views of earlier moments stay open and are
 * asked again and again. Half of those on disk take no snapshot, and their log,
 * replayed from the first commit, must give the same rows.
 *
 * Memory of dead rows is given back as upkeep_left_alone.c or upkeep_forced.c has it: there are two programs.
 *
 * The seeds are shared out among as many processes as there are processors.
 *
 * A failure prints the seed, the operation and the two answers, and the command that
 * runs the same history up to that operation. */
#include "history.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define STEPS_BETWEEN_WHOLE_COMPARISONS 400

void
history_says(struct history *history, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void) vsnprintf(history->doing, sizeof history->doing, format, arguments);
    va_end(arguments);
    if (history->trace)
        printf("%6u %s\n", history->step, history->doing);
}

bool
history_fails(struct history *history, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void) vsnprintf(history->why.text, sizeof history->why.text, format, arguments);
    va_end(arguments);
    return false;
}

/* ---- views ---- */

static void
drop_view(struct history_view *view)
{
    knackdb_read_end(view->read);
    view->read = NULL;
    model_clear(&view->moment);
}

static bool
open_view(struct history *history, struct history_view *view)
{
    knackdb_error error;

    history_says(history, "open a view");
    if (knackdb_read_begin(history->db, &view->read, &error) != KNACKDB_OK)
        return history_fails(history, "%s", error.message);
    view->sequence = knackdb_read_sequence(view->read);
    model_remember(&history->model, &view->moment);
    return view->sequence == history->sequence ||
           history_fails(history, "it is at %" PRIu64 ", not at %" PRIu64, view->sequence, history->sequence);
}

static bool
use_view(struct history *history)
{
    struct history_view *view = &history->views[random_below(&history->random, HISTORY_VIEWS_MAX)];

    if (view->read == NULL)
        return random_chance(&history->random, 4) ? open_view(history, view) : true;
    history_says(history, "ask the view of commit %" PRIu64, view->sequence);
    if (knackdb_read_sequence(view->read) != view->sequence)
        return history_fails(history, "its sequence has become %" PRIu64, knackdb_read_sequence(view->read));
    if (!history_ask(history, view->read, &view->moment))
        return false;
    if (random_chance(&history->random, 20)) {
        bool agree = agree_on_all(view->read, &view->moment, &history->why);

        drop_view(view);
        return agree;
    }
    return true;
}

/* ---- life ---- */

static bool
open_store(struct history *history)
{
    knackdb_error error;

    if (knackdb_open(history->on_disk ? history->directory : NULL, &history->options, &history->db, &error) !=
        KNACKDB_OK) {
        history->db = NULL;
        return history_fails(history, "open: %s", error.message);
    }
    history_upkeep_begin(history);
    return true;
}

static bool
close_store(struct history *history)
{
    knackdb_error  error = { .message = "" };
    knackdb_status status;
    bool           kept_up;

    for (size_t i = 0; i < HISTORY_VIEWS_MAX; i++)
        if (history->views[i].read != NULL)
            drop_view(&history->views[i]);
    for (size_t i = 0; i < HISTORY_QUERIES_MAX; i++) {
        knackdb_prepared_free(history->queries[i].prepared);
        history->queries[i].prepared = NULL;
    }
    kept_up = history_upkeep_end(history);
    status = knackdb_close(history->db, &error);
    history->db = NULL;
    if (status != KNACKDB_OK)
        return history_fails(history, "close: %s", error.message);
    return kept_up;
}

static bool
compare_all(struct history *history)
{
    knackdb_read *read;
    knackdb_stats stats;
    knackdb_error error;
    bool          agree;

    if (knackdb_read_begin(history->db, &read, &error) != KNACKDB_OK)
        return history_fails(history, "%s", error.message);
    agree = knackdb_read_sequence(read) == history->sequence
                ? agree_on_all(read, &history->model, &history->why)
                : history_fails(history, "the sequence is %" PRIu64 ", it should be %" PRIu64,
                                knackdb_read_sequence(read), history->sequence);
    knackdb_read_end(read);

    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    if (agree && knackdb_get_stats(history->db, &stats, &error) != KNACKDB_OK)
        agree = history_fails(history, "status: %s", error.message);
    for (int table = 0; agree && table < MODEL_TABLES; table++)
        if (stats.tables[table].row_count != history->model.tables[table].count)
            agree = history_fails(history, "status says %" PRIu64 " rows of %s, the model %zu",
                                  stats.tables[table].row_count, knackdb_table_describe(table)->name,
                                  history->model.tables[table].count);
    return agree;
}

static bool
reopen(struct history *history)
{
    history_says(history, "close and open again");
    return close_store(history) && open_store(history) && compare_all(history);
}

static bool
snapshot(struct history *history)
{
    knackdb_error error;

    history_says(history, "snapshot");
    return knackdb_snapshot(history->db, &error) == KNACKDB_OK || history_fails(history, "%s", error.message);
}

/* May the store say that it does not keep this moment? Not from its newest snapshot on, and never with all history. */
static bool
may_be_gone(struct history *history, uint64_t sequence)
{
    knackdb_stats stats;
    knackdb_error error;

    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    return !history->keeps_log && history->options.log_history_bytes == 0 &&
           knackdb_get_stats(history->db, &stats, &error) == KNACKDB_OK && sequence < stats.snapshot_sequence;
}

/* Another handle, read-only, beside the writer sees what the writer stored; or the moment of a view that is still open,
 * from snapshots and log, where it is kept. */
static bool
open_beside(struct history *history)
{
    const struct history_view *view = &history->views[random_below(&history->random, HISTORY_VIEWS_MAX)];
    bool                       of_view = view->read != NULL && view->sequence > 0;
    const struct model        *moment = of_view ? &view->moment : &history->model;
    uint64_t                   sequence = of_view ? view->sequence : history->sequence;
    knackdb_options            options = knackdb_options_default();
    knackdb                   *other;
    knackdb_read              *read;
    knackdb_error              error;
    knackdb_status             status;
    bool                       agree;

    history_says(history, "open read-only beside, as of commit %" PRIu64, sequence);
    options.flags = KNACKDB_OPEN_READ_ONLY;
    options.as_of_sequence = of_view ? (int64_t) sequence : 0;
    status = knackdb_open(history->directory, &options, &other, &error);
    if (status == KNACKDB_NOT_FOUND && of_view && may_be_gone(history, sequence))
        return true;
    if (status != KNACKDB_OK)
        return history_fails(history, "%s", error.message);
    agree = knackdb_read_begin(other, &read, &error) == KNACKDB_OK ? true : history_fails(history, "%s", error.message);
    if (agree) {
        agree = knackdb_read_sequence(read) == sequence
                    ? agree_on_all(read, moment, &history->why)
                    : history_fails(history, "it is at %" PRIu64 ", not at %" PRIu64, knackdb_read_sequence(read),
                                    sequence);
        knackdb_read_end(read);
    }
    knackdb_close(other, NULL);
    return agree;
}

static bool
take_step(struct history *history)
{
    struct random_source *random = &history->random;
    knackdb_read         *read;
    bool                  agree;

    history_upkeep(history);
    if (history->on_disk && random_chance(random, 700))
        return reopen(history);
    if (history->on_disk && !history->keeps_log && random_chance(random, 500))
        return snapshot(history);
    if (history->keeps_log && random_chance(random, 3000))
        return history_replay(history);
    if (history->on_disk && random_chance(random, 1000))
        return open_beside(history);
    if (random_chance(random, 4) && !use_view(history))
        return false;
    if (!history_change(history))
        return false;
    if (random_chance(random, 3))
        return true;
    if (random_chance(random, 4)) {
        history_says(history, "ask the store");
        return history_ask_store(history);
    }
    history_says(history, "ask a new view");
    if (knackdb_read_begin(history->db, &read, NULL) != KNACKDB_OK)
        return history_fails(history, "a read view cannot begin");
    agree = history_ask(history, read, &history->model);
    knackdb_read_end(read);
    return agree;
}

static void
choose_options(struct history *history)
{
    struct random_source *random = &history->random;

    history->options = knackdb_options_default();
    if (random_chance(random, 3))
        history->options.cache_bytes_max = random_chance(random, 2) ? UINT64_MAX : 2000;
    if (!history->on_disk)
        return;
    history->options.log_io = (knackdb_log_io) random_below(random, 3);
    history->options.durability = random_chance(random, 12) ? KNACKDB_SYNC : KNACKDB_ASYNC;
    history->options.log_segment_bytes_max = random_chance(random, 2) ? 0 : UINT64_C(1) << 20;
    history->options.snapshot_log_bytes = history->keeps_log || random_chance(random, 2) ? UINT64_MAX : 300000;
    history->options.snapshots_kept = random_below(random, 3);
    history->options.log_history_bytes = random_chance(random, 3) ? UINT64_MAX : 0;
}

/* Returns whether the whole history agreed. */
static bool
live(uint64_t seed, uint32_t operations, bool trace)
{
    struct history *history = calloc(1, sizeof *history);
    bool            agree;

    if (history == NULL)
        abort(); /* a test without memory shows nothing */
    history->seed = seed;
    history->trace = trace;
    history->on_disk = seed % 4 == 0;
    history->keeps_log = seed % 8 == 4;
    history->in_large_batches = seed % 10 == 3;
    random_init(&history->random, seed);
    model_init(&history->model);
    choose_options(history);
    if (history->on_disk)
        scratch_make(history->directory);

    history_says(history, "open");
    agree = open_store(history);
    for (history->step = 1; agree && history->step <= operations; history->step++) {
        agree = take_step(history);
        if (agree && history->step % STEPS_BETWEEN_WHOLE_COMPARISONS == 0) {
            agree = compare_all(history);
            if (!agree)
                history_says(history, "compare everything");
        }
        if (!agree)
            break;
    }
    if (agree) {
        history_says(history, "the end");
        agree = compare_all(history) && (!history->on_disk || reopen(history)) &&
                (!history->keeps_log || history_replay(history)) && close_store(history);
    }
    if (!agree) {
        printf("seed %" PRIu64 ", operation %u: %s\n    %s\n    again: model_history %" PRIu64 " 1 %u trace\n", seed,
               history->step, history->doing, history->why.text, seed, history->step);
        if (history->db != NULL)
            (void) close_store(history);
    }
    if (history->on_disk)
        scratch_remove(history->directory);
    model_clear(&history->model);
    random_clear(&history->random);
    free(history);
    return agree;
}

/* One of `workers` processes: its share of the seeds. Returns how many agreed. */
static uint64_t
live_share(uint64_t first, uint64_t seeds, uint32_t operations, bool trace, uint64_t worker, uint64_t workers)
{
    uint64_t passed = 0;

    for (uint64_t seed = first + worker; seed < first + seeds; seed += workers)
        passed += live(seed, operations, trace);
    return passed;
}

static uint64_t
live_all(uint64_t first, uint64_t seeds, uint32_t operations, bool trace)
{
    long     processors = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t workers = trace || processors < 1 ? 1 : (uint64_t) processors;
    uint64_t passed = 0, share;
    int      results[2];

    if (workers > seeds)
        workers = seeds;
    if (workers <= 1)
        return live_share(first, seeds, operations, trace, 0, 1);
    if (pipe(results) != 0)
        abort();
    for (uint64_t worker = 0; worker < workers; worker++) {
        pid_t child = fork();

        if (child < 0)
            abort();
        if (child == 0) {
            share = live_share(first, seeds, operations, trace, worker, workers);
            fflush(stdout);
            /* exit, not _exit: a leak check, if there is one, happens there */
            exit(write(results[1], &share, sizeof share) == (ssize_t) sizeof share ? 0 : 1);
        }
    }
    close(results[1]);
    while (read(results[0], &share, sizeof share) == (ssize_t) sizeof share)
        passed += share;
    close(results[0]);
    for (int status; wait(&status) > 0;)
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            printf("a process with a share of the seeds ended with %d\n", status);
            passed = passed > 0 ? passed - 1 : 0;
        }
    return passed;
}

int
main(int count, char **arguments)
{
    uint64_t first = count > 1 ? strtoull(arguments[1], NULL, 10) : 1;
    uint64_t seeds = count > 2 ? strtoull(arguments[2], NULL, 10) : 200;
    uint32_t operations = count > 3 ? (uint32_t) strtoul(arguments[3], NULL, 10) : 10000;
    bool     trace = count > 4 && strcmp(arguments[4], "trace") == 0;
    uint64_t passed = live_all(first, seeds, operations, trace);

    printf("%" PRIu64 " histories of %u operations from seed %" PRIu64 "\n", seeds, operations, first);
    printf("%" PRIu64 " passed, %" PRIu64 " failed\n", passed, seeds - passed);
    return passed == seeds && seeds > 0 ? 0 : 1;
}
