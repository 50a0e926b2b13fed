/* followed_writer.c - three processes follow a writer that is killed again and again, and what each of them sees is
 * a moment that was.
 *
 *     followed_writer [LIVES [SEED]]
 *
 * Commit n of the writer is a function of n, so whoever sees commit s knows what every row has to be. The writer tells
 * over shared memory which commit had returned; it snapshots all the time, so log segments vanish under
 * the followers, and SIGKILL ends it at random moments. Each follower asks in its own rhythm, at once or after up
 * to 60 ms, and is itself killed and begun anew now and then. Whenever a refresh returns:
 *
 *   - it sees at least what had returned before it was called, and no less than before;
 *   - every row is as that commit left it: no half of a batch, nothing older, nothing newer;
 *   - a view that was open across refreshes still shows its own commit.
 *
 * And whatever a follower has seen is there in the writer's next life. */
#define _GNU_SOURCE
#include "../api/scratch.h"

#include <knackdb.h>

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LIVES     60 /* unless told */
#define FOLLOWERS 3
#define PAIRS     150
#define LONE_ID   (2 * PAIRS + 1) /* of a row that comes with every 13th commit and goes with the next */

struct shared {
    _Atomic uint64_t acknowledged; /* newest commit that had returned */
    _Atomic uint64_t seen;         /* newest commit that any follower saw */
    _Atomic bool     stops;        /* the followers, once they have seen all */
    _Atomic uint64_t refreshes, reloads, views, retries;
};

static struct shared *shared;

static void
pause_us(uint64_t us)
{
    struct timespec time = { (time_t) (us / 1000000), (long) (us % 1000000) * 1000 };

    (void) nanosleep(&time, NULL);
}

static uint64_t
draw(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* ---- what commit n does, and what is there after it ---- */

static knackdb_status
commit(knackdb *db, uint64_t number, knackdb_error *error)
{
    knackdb_metric metrics[2];

    if (number % 13 == 5)
        return knackdb_delete(db, KNACKDB_PERFORMANCE_METRICS, LONE_ID, error);
    for (int i = 0; i < 2; i++) {
        metrics[i] = knackdb_metric_default();
        metrics[i].id = (int64_t) (number % PAIRS * 2) + i + 1;
        metrics[i].component_name = knackdb_string("a component of a name that takes some bytes of log");
        metrics[i].metric_value = (double) number;
    }
    if (number % 13 == 4)
        metrics[0].id = LONE_ID;
    return knackdb_metrics_store(db, metrics, number % 13 == 4 ? 1 : 2, 0, NULL, error);
}

/* The newest commit up to `sequence` that wrote a pair; 0: none. */
static uint64_t
writer_of(uint64_t pair, uint64_t sequence)
{
    uint64_t number = sequence - (sequence % PAIRS + PAIRS - pair) % PAIRS;

    while (number <= sequence && number > 0 && (number % 13 == 4 || number % 13 == 5))
        number = number > PAIRS ? number - PAIRS : 0;
    return number <= sequence ? number : 0;
}

static bool
check_row(knackdb_read *read, int64_t id, uint64_t expected)
{
    knackdb_metric metric;
    knackdb_row    row;
    bool           found = knackdb_read_by_id(read, KNACKDB_PERFORMANCE_METRICS, id, &row) == KNACKDB_OK;
    uint64_t       value = 0;

    if (found) {
        knackdb_read_metric(read, row, &metric);
        value = (uint64_t) metric.metric_value;
    }
    if (value == expected)
        return true;
    fprintf(stderr, "commit %" PRIu64 ": row %" PRId64 " is of commit %" PRIu64 ", not %" PRIu64 "\n",
            knackdb_read_sequence(read), id, value, expected);
    return false;
}

static bool
check_view(knackdb_read *read)
{
    uint64_t sequence = knackdb_read_sequence(read);
    bool     right = check_row(read, LONE_ID, sequence % 13 == 4 ? sequence : 0);

    for (uint64_t pair = 0; pair < PAIRS && right; pair++) {
        uint64_t expected = writer_of(pair, sequence);

        right = check_row(read, (int64_t) pair * 2 + 1, expected) && check_row(read, (int64_t) pair * 2 + 2, expected);
    }
    atomic_fetch_add(&shared->views, 1);
    return right;
}

/* ---- the writer ---- */

static _Noreturn void
fail(const char *who, const char *what, const knackdb_error *error)
{
    fprintf(stderr, "%s: %s: %s\n", who, what, error != NULL ? error->message : "");
    _exit(1);
}

static _Noreturn void
write_until_killed(const char *path, uint64_t seed, bool is_last)
{
    knackdb_options options = knackdb_options_default();
    knackdb_stats   stats = { .struct_size = sizeof stats };
    knackdb_error   error = { .message = "" };
    knackdb        *db;
    uint64_t        number;

    options.log_segment_bytes_max = 64 * 1024;
    options.snapshot_log_bytes = seed % 3 == 0 ? UINT64_MAX : 128 * 1024;
    options.snapshots_kept = (uint32_t) (seed % 4);
    if (knackdb_open(path, &options, &db, &error) != KNACKDB_OK || knackdb_get_stats(db, &stats, &error) != KNACKDB_OK)
        fail("writer", "open", &error);
    if (stats.sequence < atomic_load(&shared->acknowledged) || stats.sequence < atomic_load(&shared->seen))
        fail("writer", "a commit that had been seen is missing", NULL);
    for (number = stats.sequence + 1; !is_last || number < stats.sequence + 1000; number++) {
        if (commit(db, number, &error) != KNACKDB_OK)
            fail("writer", "store", &error);
        atomic_store(&shared->acknowledged, number);
        if (draw(&seed) % 3000 == 0 && knackdb_snapshot(db, &error) != KNACKDB_OK)
            fail("writer", "snapshot", &error);
        if (draw(&seed) % 64 == 0)
            pause_us(draw(&seed) % 800);
    }
    if (knackdb_snapshot(db, &error) != KNACKDB_OK || knackdb_close(db, &error) != KNACKDB_OK)
        fail("writer", "close", &error);
    _exit(0);
}

/* ---- a follower ---- */

static knackdb *
open_follower(const char *path)
{
    knackdb_options options = knackdb_options_default();
    knackdb_error   error = { .message = "" };
    knackdb_status  status;
    knackdb        *db = NULL;

    options.flags = KNACKDB_OPEN_FOLLOW;
    while ((status = knackdb_open(path, &options, &db, &error)) == KNACKDB_BUSY)
        atomic_fetch_add(&shared->retries, 1);
    if (status != KNACKDB_OK)
        fail("follower", "open", &error);
    return db;
}

static uint64_t
refresh(knackdb *db, uint64_t before)
{
    uint64_t       acknowledged = atomic_load(&shared->acknowledged);
    uint64_t       sequence = 0;
    uint64_t       seen;
    knackdb_error  error = { .message = "" };
    knackdb_status status;

    while ((status = knackdb_refresh(db, &sequence, &error)) == KNACKDB_BUSY)
        atomic_fetch_add(&shared->retries, 1);
    if (status != KNACKDB_OK)
        fail("follower", "refresh", &error);
    if (sequence < acknowledged || sequence < before) {
        fprintf(stderr, "follower: at commit %" PRIu64 "; %" PRIu64 " had returned, %" PRIu64 " had been seen\n",
                sequence, acknowledged, before);
        _exit(1);
    }
    atomic_fetch_add(&shared->refreshes, 1);
    seen = atomic_load(&shared->seen);
    while (seen < sequence && !atomic_compare_exchange_weak(&shared->seen, &seen, sequence)) {
    }
    return sequence;
}

static _Noreturn void
follow(const char *path, uint64_t pause_us_max, uint64_t seed)
{
    knackdb      *db = open_follower(path);
    knackdb_read *old = NULL;
    knackdb_stats stats = { .struct_size = sizeof stats };
    knackdb_error error = { .message = "" };
    uint64_t      sequence = 0;
    uint64_t      reloads = 0;

    for (bool last = false; !last;) {
        knackdb_read *read;

        last = atomic_load(&shared->stops);
        sequence = refresh(db, sequence);
        if (knackdb_read_begin(db, &read, &error) != KNACKDB_OK)
            fail("follower", "read", &error);
        if (!check_view(read) || (old != NULL && !check_view(old)))
            _exit(1);
        if (old == NULL) {
            old = read;
        } else {
            knackdb_read_end(read);
            if (draw(&seed) % 8 == 0) {
                knackdb_read_end(old);
                old = NULL;
            }
        }
        if (knackdb_get_stats(db, &stats, &error) != KNACKDB_OK)
            fail("follower", "stats", &error);
        /* Told at once: the next moment may be the last. */
        atomic_fetch_add(&shared->reloads, stats.reload_count - reloads);
        reloads = stats.reload_count;
        if (pause_us_max > 0)
            pause_us(draw(&seed) % pause_us_max);
    }
    knackdb_read_end(old);
    if (knackdb_close(db, &error) != KNACKDB_OK)
        fail("follower", "close", &error);
    _exit(sequence == atomic_load(&shared->acknowledged) ? 0 : 2);
}

/* ---- those who watch ---- */

static pid_t
begin_follower(const char *path, int which, uint64_t seed)
{
    static const uint64_t pauses[FOLLOWERS] = { 0, 4000, 60000 };
    pid_t                 child = fork();

    if (child == 0)
        follow(path, pauses[which], seed | 1);
    return child;
}

static pid_t
begin_writer(const char *path, uint64_t seed, bool is_last)
{
    pid_t child = fork();

    if (child == 0)
        write_until_killed(path, seed | 1, is_last);
    return child;
}

/* True where it was killed by us, or ended as it should. */
static bool
end_child(pid_t child, bool kills)
{
    int status = 0;

    if (kills)
        (void) kill(child, SIGKILL);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) == 0 : kills && WTERMSIG(status) == SIGKILL;
}

static bool
run(const char *path, uint64_t lives, uint64_t seed, uint64_t *ret_follower_kills)
{
    pid_t followers[FOLLOWERS];
    bool  right = true;

    /* The directory is there before anybody follows it. */
    right = end_child(begin_writer(path, seed, true), false);
    for (int i = 0; i < FOLLOWERS; i++)
        followers[i] = begin_follower(path, i, draw(&seed));
    /* A machine that is slow enough lets followers keep up with everything: then some lives more. */
    for (uint64_t life = 0; right && life < (atomic_load(&shared->reloads) == 0 ? 20 * lives : lives); life++) {
        pid_t writer = begin_writer(path, draw(&seed), false);

        pause_us(1000 + draw(&seed) % (draw(&seed) % 4 == 0 ? 200000 : 60000));
        right = end_child(writer, true);
        if (right && draw(&seed) % 4 == 0) {
            int which = (int) (draw(&seed) % FOLLOWERS);

            right = end_child(followers[which], true);
            followers[which] = begin_follower(path, which, draw(&seed));
            ++*ret_follower_kills;
        }
    }
    right = end_child(begin_writer(path, draw(&seed), true), false) && right;
    atomic_store(&shared->stops, true);
    for (int i = 0; i < FOLLOWERS; i++)
        right = end_child(followers[i], false) && right;
    return right;
}

int
main(int count, char **arguments)
{
    uint64_t lives = count > 1 ? strtoull(arguments[1], NULL, 10) : LIVES;
    uint64_t seed = count > 2 ? strtoull(arguments[2], NULL, 10) : (uint64_t) time(NULL);
    uint64_t follower_kills = 0;
    char     path[SCRATCH_PATH_MAX];
    bool     right;

    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return 77;
    scratch_prefer_memory();
    scratch_make(path);
    right = run(path, lives, seed, &follower_kills);
    printf("%" PRIu64 " lives of a writer or more (seed %" PRIu64 "), %" PRIu64 " followers killed: %" PRIu64
           " refreshes, %" PRIu64 " of them from a snapshot, %" PRIu64 " views of %" PRIu64
           " commits held against what was stored, %" PRIu64 " asked again\n",
           lives, seed, follower_kills, atomic_load(&shared->refreshes), atomic_load(&shared->reloads),
           atomic_load(&shared->views), atomic_load(&shared->acknowledged), atomic_load(&shared->retries));
    /* Nothing followed and nothing overtaken would show nothing. */
    if (right && (atomic_load(&shared->refreshes) < lives || atomic_load(&shared->reloads) == 0))
        right = false;
    if (right)
        scratch_remove(path);
    else
        printf("kept for a look: %s\nagain: followed_writer %" PRIu64 " %" PRIu64 "\n", path, lives, seed);
    printf("%d passed, %d failed\n", right, !right);
    return right ? 0 : 1;
}
