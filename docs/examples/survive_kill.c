/* survive_kill.c - kills a writer in the middle of storing, and looks for every row.
 *
 *     survive_kill DIRECTORY [TIMES]
 *
 * A child sums blocks of a real file and stores a pattern for each. As soon as a store
 * has returned, and not before, it says so through a pipe: the id, and the values it
 * stored. At a random moment the parent sends SIGKILL: no handler runs, nothing is
 * closed, nothing is flushed. The parent reads what the child still had time to say,
 * opens the directory, and looks up each acknowledged row and its values.
 *
 * One row more than was acknowledged may be there: its store had returned, or nearly,
 * when the kill came. A row fewer, or a value that differs, is a broken promise, and
 * the exit status is 1. */
#include "live_files.h"

#include <errno.h>
#include <inttypes.h>
#include <knackdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#define BLOCK_BYTES   4096
#define TASK_TYPE     "sum-block"
#define KILL_AFTER_MS 150 /* at the earliest, and at most four times as late */

/** What the child says of a row whose store has returned. */
struct acknowledgement {
    int64_t  id;
    double   execution_time;
    double   created_at;
    uint64_t sum;
};

struct acknowledgements {
    struct acknowledgement *items;
    size_t                  count;
    size_t                  capacity;
};

static double
clock_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec + (double) now.tv_nsec * 1e-9;
}

/* ---- the child -------------------------------------------------------------------- */

static void
describe_sum(uint64_t sum, char *context, size_t context_bytes)
{
    snprintf(context, context_bytes, "{\"xxh3\":\"%016" PRIx64 "\",\"bytes\":%d}", sum, BLOCK_BYTES);
}

/* Works until it is killed; returns only when something went wrong. */
static int
work_until_killed(const char *directory, int pipe_end)
{
    knackdb          *db;
    knackdb_error     error;
    struct live_files files;

    if (!live_files_find(2, &files))
        return 1;
    if (knackdb_open(directory, NULL, &db, &error) != KNACKDB_OK) {
        fprintf(stderr, "survive_kill: the writer: %s\n", error.message);
        return 1;
    }
    for (size_t block = 0;; block++) {
        const struct live_file *file = &files.files[block % files.count];
        size_t                  offset = block / files.count * BLOCK_BYTES % file->size;
        size_t                  size = file->size - offset < BLOCK_BYTES ? file->size - offset : BLOCK_BYTES;
        struct acknowledgement  stored;
        knackdb_pattern         run = knackdb_pattern_default();
        char                    context[80];
        double                  start = clock_seconds();

        stored.sum = XXH3_64bits(file->bytes + offset, size);
        run.task_type = knackdb_string(TASK_TYPE);
        run.pattern_used = knackdb_string("xxh3");
        run.execution_time = clock_seconds() - start;
        run.usage_count = 1;
        describe_sum(stored.sum, context, sizeof context);
        run.context_factors = knackdb_string(context);
        if (knackdb_pattern_store(db, &run, &stored.id, &error) != KNACKDB_OK) {
            fprintf(stderr, "survive_kill: the writer: %s\n", error.message);
            return 1;
        }
        /* From here on the row must survive. 32 bytes into a pipe go whole or not at all. */
        stored.execution_time = run.execution_time;
        stored.created_at = run.created_at;
        if (write(pipe_end, &stored, sizeof stored) != sizeof stored)
            return 1;
    }
}

/* ---- the parent ------------------------------------------------------------------- */

/* Between KILL_AFTER_MS and four times that, from the system's randomness. */
static unsigned
random_moment_ms(void)
{
    unsigned draw = 0;

    if (getrandom(&draw, sizeof draw, 0) != sizeof draw)
        draw = (unsigned) time(NULL);
    return KILL_AFTER_MS + draw % (3 * KILL_AFTER_MS);
}

/* Takes what is in the pipe; false at its end. */
static bool
receive(int pipe_end, struct acknowledgements *received)
{
    ssize_t bytes;

    if (received->capacity - received->count < 2048) {
        received->capacity = 2 * received->capacity + 4096;
        received->items = realloc(received->items, received->capacity * sizeof *received->items);
        if (received->items == NULL)
            return false;
    }
    bytes = read(pipe_end, received->items + received->count, 2048 * sizeof *received->items);
    if (bytes <= 0)
        return bytes < 0 && errno == EINTR;
    received->count += (size_t) bytes / sizeof *received->items;
    return true;
}

/* Lets the child write until the moment comes, kills it, and hears it out. */
static void
listen_and_kill(pid_t child, int pipe_end, double seconds, struct acknowledgements *received)
{
    double        until = clock_seconds() + seconds;
    struct pollfd waiting = { .fd = pipe_end, .events = POLLIN };

    /* The moment counts from the first acknowledgement: before it there is nothing to lose. */
    if (receive(pipe_end, received))
        until = clock_seconds() + seconds;
    while (clock_seconds() < until)
        if (poll(&waiting, 1, 1) > 0 && !receive(pipe_end, received))
            break;
    kill(child, SIGKILL);
    while (receive(pipe_end, received))
        continue;
}

/* Whether the store holds this row with these values. */
static bool
is_there(knackdb_read *read, const struct acknowledgement *acknowledged)
{
    knackdb_row     row;
    knackdb_pattern found;
    char            context[80];

    if (knackdb_read_by_id(read, KNACKDB_EXECUTION_PATTERNS, acknowledged->id, &row) != KNACKDB_OK)
        return false;
    knackdb_read_pattern(read, row, &found);
    describe_sum(acknowledged->sum, context, sizeof context);
    return found.execution_time == acknowledged->execution_time && found.created_at == acknowledged->created_at &&
           found.context_factors.length == strlen(context) &&
           memcmp(found.context_factors.data, context, found.context_factors.length) == 0;
}

static knackdb_status
count_blocks(knackdb *db, uint64_t *ret_count, knackdb_error *error)
{
    knackdb_condition of_blocks = knackdb_where_text(KNACKDB_PATTERN_TASK_TYPE, TASK_TYPE);
    knackdb_query     blocks = { .table = KNACKDB_EXECUTION_PATTERNS, .conditions = &of_blocks, .condition_count = 1 };
    knackdb_read     *read = NULL;
    knackdb_status    status = knackdb_read_begin(db, &read, error);

    if (status == KNACKDB_OK)
        status = knackdb_read_count(read, &blocks, ret_count, error);
    knackdb_read_end(read);
    return status;
}

/* Rows of this kind that are there before anything is killed: from an earlier run. */
static knackdb_status
count_before(const char *directory, uint64_t *ret_count, knackdb_error *error)
{
    knackdb       *db = NULL;
    knackdb_status status = knackdb_open(directory, NULL, &db, error);

    if (status == KNACKDB_OK)
        status = count_blocks(db, ret_count, error);
    knackdb_close(db, NULL);
    return status;
}

/* Opens the directory again. `ret_missing` counts acknowledged rows that are gone or changed. */
static knackdb_status
look_for_all(const char *directory, const struct acknowledgements *all, uint64_t *ret_found, uint64_t *ret_missing,
             double *ret_open_seconds, knackdb_error *error)
{
    knackdb       *db = NULL;
    knackdb_read  *read = NULL;
    double         start = clock_seconds();
    knackdb_status status = knackdb_open(directory, NULL, &db, error);

    *ret_open_seconds = clock_seconds() - start;
    *ret_missing = 0;
    if (status == KNACKDB_OK)
        status = count_blocks(db, ret_found, error);
    if (status == KNACKDB_OK)
        status = knackdb_read_begin(db, &read, error);
    for (size_t i = 0; status == KNACKDB_OK && i < all->count; i++)
        *ret_missing += !is_there(read, &all->items[i]);
    knackdb_read_end(read);
    if (status == KNACKDB_OK) {
        status = knackdb_close(db, error);
        db = NULL;
    }
    knackdb_close(db, NULL); /* NULL but after a failure */
    return status;
}

/* One life of the writer. False when a promise was broken or something failed. */
static bool
kill_once(const char *directory, struct acknowledgements *all, uint64_t found_before, uint64_t *ret_found)
{
    size_t         before = all->count;
    unsigned       moment_ms = random_moment_ms();
    int            ends[2], ended;
    pid_t          child;
    uint64_t       missing;
    double         open_seconds;
    knackdb_error  error;
    knackdb_status status;

    if (pipe(ends) != 0 || (child = fork()) < 0) {
        perror("survive_kill");
        return false;
    }
    if (child == 0) {
        close(ends[0]);
        _exit(work_until_killed(directory, ends[1]));
    }
    close(ends[1]);
    listen_and_kill(child, ends[0], moment_ms / 1e3, all);
    close(ends[0]);
    waitpid(child, &ended, 0);
    if (!WIFSIGNALED(ended) || WTERMSIG(ended) != SIGKILL) {
        fprintf(stderr, "survive_kill: the writer ended before it was killed\n");
        return false;
    }
    status = look_for_all(directory, all, ret_found, &missing, &open_seconds, &error);
    if (status != KNACKDB_OK) {
        fprintf(stderr, "survive_kill: after the kill: %s\n", error.message);
        return false;
    }
    printf("killed after %u ms and %zu stores that had returned; opened again in %.1f ms; missing or changed: %" PRIu64
           "; further rows: %" PRIu64 "\n",
           moment_ms, all->count - before, open_seconds * 1e3, missing,
           *ret_found - found_before - (all->count - before));
    return missing == 0 && *ret_found - found_before - (all->count - before) <= 1;
}

int
main(int argc, char **argv)
{
    struct acknowledgements all = { NULL, 0, 0 };
    int                     times = argc > 2 ? (int) strtol(argv[2], NULL, 10) : 3;
    uint64_t                found;
    knackdb_error           error;
    bool                    is_kept = true;

    if (argc < 2 || argc > 3 || times < 1) {
        fprintf(stderr, "usage: survive_kill DIRECTORY [TIMES]\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (count_before(argv[1], &found, &error) != KNACKDB_OK) {
        fprintf(stderr, "survive_kill: %s\n", error.message);
        return 1;
    }
    for (int i = 0; i < times && is_kept; i++)
        is_kept = kill_once(argv[1], &all, found, &found);
    printf("%zu rows acknowledged in %d lives: %s\n", all.count, times,
           is_kept ? "every one of them is there, with its values" : "NOT ALL ARE THERE");
    free(all.items);
    return is_kept ? 0 : 1;
}
