/* followers.c - threads read a store that follows while it is refreshed, overtaken and backed up.
 *
 * One thread writes and snapshots a directory. The same process follows it with a handle of its own, on
 * which at once: a thread refreshes, and waits now and then until snapshots have overtaken it; readers hold
 * every view against what its commit must have left, and some keep views open meanwhile; a thread backs it up.
 * Commit n puts both rows of pair n modulo PAIRS, with n in them, so a commit's number tells all rows.
 *
 *     followers [COMMITS] [READERS] */
#include "../api/scratch.h"
#include "claims.h"

#include <inttypes.h>
#include <knackdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    PAIRS = 40,
    THREADS_MAX = 16,
    SNAPSHOT_EVERY = 500,
    OVERTAKING = 4 * SNAPSHOT_EVERY, /* commits after which what a follower wanted next is gone for sure */
};

enum {
    A_VIEW_IS_ONE_COMMIT,
    AN_OPEN_VIEW_STAYS,
    A_REFRESH_SEES_WHAT_HAD_RETURNED,
    A_SNAPSHOT_OVERTAKES,
    A_BACKUP_IS_ONE_COMMIT,
    CLAIMS
};

static struct claim claims[CLAIMS] = {
    [A_VIEW_IS_ONE_COMMIT] = { .text = "a view of a store that follows is what one commit left" },
    [AN_OPEN_VIEW_STAYS] = { .text = "a view that is open through refreshes stays at its commit" },
    [A_REFRESH_SEES_WHAT_HAD_RETURNED] = { .text = "a refresh sees what had returned, and no less than before" },
    [A_SNAPSHOT_OVERTAKES] = { .text = "snapshots overtook the follower while it was read" },
    [A_BACKUP_IS_ONE_COMMIT] = { .text = "a backup of a store that follows is what one commit left" },
};

struct race {
    char             folder[SCRATCH_PATH_MAX];
    char             path[SCRATCH_PATH_MAX];
    knackdb         *writer;
    knackdb         *follower;
    uint64_t         commits;
    _Atomic uint64_t returned; /* newest commit that had returned; the writing thread's */
    _Atomic bool     over;     /* the last commit has been seen */
};

static void
must(knackdb_status status, const char *what, const knackdb_error *error)
{
    if (status == KNACKDB_OK)
        return;
    fprintf(stderr, "%s: %s\n", what, error->message);
    exit(99);
}

static void
pause_us(long us)
{
    struct timespec pause = { 0, us * 1000 };

    (void) nanosleep(&pause, NULL);
}

static void *
write_rows(void *context)
{
    struct race  *race = context;
    knackdb_error error;

    for (uint64_t number = 1; number <= race->commits; number++) {
        knackdb_metric metrics[2];

        for (int i = 0; i < 2; i++) {
            metrics[i] = knackdb_metric_default();
            metrics[i].id = (int64_t) (number % PAIRS * 2) + i + 1;
            metrics[i].component_name = knackdb_string("component");
            metrics[i].metric_value = (double) number;
        }
        must(knackdb_metrics_store(race->writer, metrics, 2, 0, NULL, &error), "store", &error);
        atomic_store(&race->returned, number);
        if (number % SNAPSHOT_EVERY == 0)
            must(knackdb_snapshot(race->writer, &error), "snapshot", &error);
    }
    return NULL;
}

/* Are these the rows as that commit left them? */
static bool
is_one_commit(knackdb_read *read, uint64_t sequence, int64_t *ret_id, uint64_t *ret_value)
{
    for (uint64_t pair = 0; pair < PAIRS; pair++) {
        uint64_t back = (sequence % PAIRS + PAIRS - pair) % PAIRS;
        uint64_t expected = back < sequence ? sequence - back : 0;

        for (int i = 0; i < 2; i++) {
            knackdb_metric metric = { .metric_value = 0 };
            knackdb_row    row;

            *ret_id = (int64_t) pair * 2 + i + 1;
            if (knackdb_read_by_id(read, KNACKDB_PERFORMANCE_METRICS, *ret_id, &row) == KNACKDB_OK)
                knackdb_read_metric(read, row, &metric);
            *ret_value = (uint64_t) metric.metric_value;
            if (*ret_value != expected)
                return false;
        }
    }
    return true;
}

static void
check_view(struct claim *claim, knackdb_read *read)
{
    int64_t  id = 0;
    uint64_t value = 0;
    uint64_t sequence = knackdb_read_sequence(read);
    bool     holds = is_one_commit(read, sequence, &id, &value);

    claim_check(claim, holds, "commit %" PRIu64 ": row %" PRId64 " is of commit %" PRIu64, sequence, id, value);
}

static void *
read_rows(void *context)
{
    struct race  *race = context;
    knackdb_read *kept = NULL;
    knackdb_error error;

    for (uint64_t round = 0; !atomic_load(&race->over); round++) {
        knackdb_read *read;

        must(knackdb_read_begin(race->follower, &read, &error), "read", &error);
        check_view(&claims[A_VIEW_IS_ONE_COMMIT], read);
        if (kept != NULL)
            check_view(&claims[AN_OPEN_VIEW_STAYS], kept);
        if (round % 50 == 0) {
            knackdb_read_end(kept);
            kept = read;
        } else {
            knackdb_read_end(read);
        }
    }
    knackdb_read_end(kept);
    return NULL;
}

static void *
refresh(void *context)
{
    struct race  *race = context;
    uint64_t      before = 0;
    knackdb_stats stats = { .struct_size = sizeof stats };
    knackdb_error error = { .message = "" };

    for (uint64_t round = 0; before < race->commits; round++) {
        uint64_t       returned = atomic_load(&race->returned);
        uint64_t       sequence = before;
        knackdb_status status = knackdb_refresh(race->follower, &sequence, &error);

        if (status == KNACKDB_BUSY) /* snapshots follow too fast: that is what is tried here */
            continue;
        must(status, "refresh", &error);
        claim_check(&claims[A_REFRESH_SEES_WHAT_HAD_RETURNED], sequence >= returned && sequence >= before,
                    "commit %" PRIu64 "; %" PRIu64 " had returned, %" PRIu64 " had been seen", sequence, returned,
                    before);
        before = sequence;
        if (round % 8 == 0)
            pause_us(2000);
        while (round % 64 == 0 && atomic_load(&race->returned) < before + OVERTAKING &&
               atomic_load(&race->returned) < race->commits)
            pause_us(100);
    }
    must(knackdb_get_stats(race->follower, &stats, &error), "stats", &error);
    claim_check(&claims[A_SNAPSHOT_OVERTAKES], stats.reload_count > 0, "%" PRIu64 " of %" PRIu64 " refreshes",
                stats.reload_count, stats.refresh_count);
    atomic_store(&race->over, true);
    return NULL;
}

static void *
back_up(void *context)
{
    struct race  *race = context;
    char          to[SCRATCH_PATH_MAX];
    knackdb_error error = { .message = "" };

    scratch_join(to, race->folder, "copy");
    do {
        knackdb_options options = knackdb_options_default();
        knackdb        *copy;
        knackdb_read   *read;

        must(knackdb_backup(race->follower, to, &error), "backup", &error);
        options.flags = KNACKDB_OPEN_READ_ONLY;
        must(knackdb_open(to, &options, &copy, &error), "open the copy", &error);
        must(knackdb_read_begin(copy, &read, &error), "read the copy", &error);
        check_view(&claims[A_BACKUP_IS_ONE_COMMIT], read);
        knackdb_read_end(read);
        must(knackdb_close(copy, &error), "close the copy", &error);
        scratch_remove(to);
    } while (!atomic_load(&race->over));
    return NULL;
}

static void
start(pthread_t *thread, void *(*work)(void *), struct race *race)
{
    if (pthread_create(thread, NULL, work, race) == 0)
        return;
    fprintf(stderr, "cannot start a thread\n");
    exit(99);
}

int
main(int count, char **arguments)
{
    struct race     race = { .commits = count > 1 ? strtoull(arguments[1], NULL, 10) : 20000 };
    unsigned long   readers = count > 2 ? strtoul(arguments[2], NULL, 10) : 3;
    knackdb_options options = knackdb_options_default();
    pthread_t       threads[THREADS_MAX + 3];
    knackdb_error   error;

    if (readers > THREADS_MAX)
        readers = THREADS_MAX;
    scratch_prefer_memory();
    scratch_make(race.folder);
    scratch_join(race.path, race.folder, "store");
    options.log_segment_bytes_max = 16 * 1024;
    must(knackdb_open(race.path, &options, &race.writer, &error), "open", &error);
    options.flags = KNACKDB_OPEN_FOLLOW;
    must(knackdb_open(race.path, &options, &race.follower, &error), "follow", &error);
    start(&threads[0], write_rows, &race);
    start(&threads[1], refresh, &race);
    start(&threads[2], back_up, &race);
    for (unsigned long i = 0; i < readers; i++)
        start(&threads[3 + i], read_rows, &race);
    for (unsigned long i = 0; i < readers + 3; i++)
        (void) pthread_join(threads[i], NULL);
    must(knackdb_close(race.follower, &error), "close the follower", &error);
    must(knackdb_close(race.writer, &error), "close", &error);
    scratch_remove(race.folder);
    return claims_report(claims, CLAIMS);
}
