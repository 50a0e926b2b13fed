/* flusher.c - the background threads of a store: one that tends its log, one that waits for the disk.
 *
 * While commits come they are synced every flush interval, and the log is kept a little
 * ahead of its writer. When none have come for an interval both sleep until the next one
 * wakes them: a store that is not written to costs nothing.
 *
 *     asleep ---woken by an append---> awake, deadline = now + interval
 *       ^                                 |   now and then, at the speed of the commits: space to prepare
 *       |                                 v
 *       +------ nothing to sync ------ deadline: let the syncer sync what is there
 *
 * Awake, it looks after the log by itself: being woken costs the writer more than a store.
 *
 * The flusher decides, and prepares; it never waits for a sync, which takes milliseconds as a rule and a
 * hundred beside a snapshot: all that time a writer would run out of pages, and make them itself. So the
 * waiting is the syncer's: for syncs, and for the files of segments, each asked for with three quarters of the one
 * before still free; only one that is not there when three eighths are left the flusher makes itself. It never takes a
 * snapshot itself either: a trigger starts a thread of its own, which ends with the snapshot. So does a broken log, now
 * and then, until a snapshot has mended it. */
#include "persist/keeper_state.h"

#include "base/clock.h"
#include "base/error.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#define NEVER UINT64_MAX /* as snapshot_due_ns() says it */

void
flusher_wake(void *context)
{
    struct keeper *keeper = context;

    (void) pthread_mutex_lock(&keeper->wake_mutex);
    keeper->is_woken = true;
    (void) pthread_cond_signal(&keeper->wake);
    (void) pthread_mutex_unlock(&keeper->wake_mutex);
}

/* Waits until woken or until the clock says `until_ns`. False when the flusher is to stop. */
static bool
wait_until(struct keeper *keeper, uint64_t until_ns, bool *ret_woken)
{
    struct timespec until = { .tv_sec = (time_t) (until_ns / 1000000000u), .tv_nsec = (long) (until_ns % 1000000000u) };
    bool            goes_on;
    int             result = 0;

    (void) pthread_mutex_lock(&keeper->wake_mutex);
    while (!keeper->is_woken && !keeper->is_stopping && result != ETIMEDOUT) {
        if (until_ns == NEVER)
            result = pthread_cond_wait(&keeper->wake, &keeper->wake_mutex);
        else
            result = pthread_cond_timedwait(&keeper->wake, &keeper->wake_mutex, &until);
    }
    *ret_woken = keeper->is_woken;
    keeper->is_woken = false;
    goes_on = !keeper->is_stopping;
    (void) pthread_mutex_unlock(&keeper->wake_mutex);
    return goes_on;
}

/* Whatever waits for the disk while commits come. */
static void
serve(struct keeper *keeper, uint64_t sequence, bool next_wanted)
{
    if (next_wanted)
        log_writer_make_next(keeper->log);
    if (sequence != 0)
        (void) log_writer_sync(keeper->log, sequence, NULL); /* a failure is remembered there */
}

static void *
syncer_run(void *context)
{
    struct keeper *keeper = context;

    (void) pthread_mutex_lock(&keeper->wake_mutex);
    while (!keeper->is_stopping) {
        uint64_t sequence = keeper->sync_wanted;
        bool     next_wanted = keeper->next_wanted;

        if (sequence == 0 && !next_wanted) {
            (void) pthread_cond_wait(&keeper->sync_wake, &keeper->wake_mutex);
            continue;
        }
        keeper->sync_wanted = 0;
        keeper->next_wanted = false;
        (void) pthread_mutex_unlock(&keeper->wake_mutex);
        serve(keeper, sequence, next_wanted);
        (void) pthread_mutex_lock(&keeper->wake_mutex);
    }
    (void) pthread_mutex_unlock(&keeper->wake_mutex);
    return NULL;
}

/* Sends the syncer, or where there is none goes itself: a sync up to a commit (0: none), a next segment. */
static void
send(struct keeper *keeper, uint64_t sequence, bool next_wanted)
{
    if (!keeper->has_syncer) {
        serve(keeper, sequence, next_wanted);
        return;
    }
    (void) pthread_mutex_lock(&keeper->wake_mutex);
    if (sequence != 0)
        keeper->sync_wanted = sequence;
    if (next_wanted)
        keeper->next_wanted = true;
    (void) pthread_cond_signal(&keeper->sync_wake);
    (void) pthread_mutex_unlock(&keeper->wake_mutex);
}

/* The next segment is for the syncer to make. But all that time it may be in a sync, and then better the flusher waits
 * for the file system than the writer. */
static void
tend(struct keeper *keeper)
{
    enum log_next next = log_writer_tend(keeper->log);

    if (next == LOG_NEXT_URGENT)
        log_writer_try_make_next(keeper->log);
    else if (next == LOG_NEXT_WANTED)
        send(keeper, 0, true);
}

/* Commits are waiting for the disk. Returns false where there were none. */
static bool
flush(struct keeper *keeper)
{
    struct log_figures figures;

    log_writer_get_figures(keeper->log, &figures);
    if (figures.has_failed || figures.durable >= figures.sequence)
        return false;
    send(keeper, figures.sequence, false);
    return true;
}

/* What there is to do when awake; with `syncs`, an interval is over. Returns false where nothing waited to be
 * synced. */
static bool
turn(struct keeper *keeper, bool syncs)
{
    struct log_figures figures;
    bool               has_flushed;

    tend(keeper); /* before it falls asleep, which gives back what this makes ready */
    has_flushed = !syncs || flush(keeper);
    snapshot_take_if_due(keeper);

    log_writer_get_figures(keeper->log, &figures);
    if (figures.has_failed && !keeper->failure_is_told)
        keeper_say(keeper, KNACKDB_LOG_ERROR, "the log has failed, commits are %s until the disk is back: %s",
                   keeper->options.refuses_degraded ? "refused" : "kept in memory alone", figures.failure.message);
    else if (!figures.has_failed && keeper->failure_is_told)
        keeper_say(keeper, KNACKDB_LOG_INFO, "%s: the disk is back, and a snapshot and a new log hold all commits",
                   keeper->dir.path);
    keeper->failure_is_told = figures.has_failed;
    return has_flushed;
}

void
keeper_turn(struct keeper *keeper)
{
    if (keeper->log != NULL)
        (void) turn(keeper, true);
}

/* When there is something to do: a flush, a look at the log, a snapshot, another attempt at one. */
static uint64_t
next_ns(struct keeper *keeper, uint64_t flush_ns)
{
    uint64_t snapshot_ns = snapshot_due_ns(keeper);
    uint64_t look_ns = log_writer_look_ns(keeper->log);
    uint64_t first_ns = snapshot_ns < flush_ns ? snapshot_ns : flush_ns;

    return look_ns < first_ns ? look_ns : first_ns;
}

static void *
flusher_run(void *context)
{
    struct keeper *keeper = context;
    uint64_t       interval_ns = (uint64_t) keeper->options.flush_interval_ms * 1000000;
    uint64_t       deadline = clock_monotonic_ns() + interval_ns;
    bool           sleeps = false;
    bool           woken;

    tend(keeper);
    while (wait_until(keeper, next_ns(keeper, sleeps ? NEVER : deadline), &woken)) {
        bool is_due;

        if (woken)
            log_writer_wake_up(keeper->log);
        if (sleeps && woken) {
            sleeps = false;
            deadline = clock_monotonic_ns() + interval_ns;
        }
        is_due = !sleeps && clock_monotonic_ns() >= deadline;
        if (!turn(keeper, is_due) || sleeps) { /* asleep, a snapshot's time called: what the turn made ready goes */
            sleeps = !log_writer_fall_asleep(keeper->log);
            if (!sleeps)
                log_writer_wake_up(keeper->log);
        }
        if (is_due)
            deadline = clock_monotonic_ns() + interval_ns;
    }
    return NULL;
}

knackdb_status
flusher_start(struct keeper *keeper, knackdb_error *error)
{
    sigset_t all;
    sigset_t before;
    int      result;

    if (keeper->options.by_hand) {
        tend(keeper);
        return KNACKDB_OK;
    }
    /* The host's signals are for the host's threads. */
    (void) sigfillset(&all);
    (void) pthread_sigmask(SIG_BLOCK, &all, &before);
    result = pthread_create(&keeper->syncer, NULL, syncer_run, keeper);
    keeper->has_syncer = result == 0;
    if (result == 0)
        result = pthread_create(&keeper->flusher, NULL, flusher_run, keeper);
    keeper->has_flusher = result == 0;
    (void) pthread_sigmask(SIG_SETMASK, &before, NULL);
    keeper->page_server = (struct page_server) { .wake = flusher_wake, .context = keeper };
    if (result == 0)
        allocator_set_server(keeper->allocator, &keeper->page_server);
    if (result != 0) /* one of them may be there: flusher_stop() comes in any case */
        return error_set_errno(error, result, "%s: cannot start the background threads", keeper->dir.path);
    return KNACKDB_OK;
}

void
flusher_stop(struct keeper *keeper)
{
    if (!keeper->has_syncer)
        return;
    allocator_set_server(keeper->allocator, NULL);
    (void) pthread_mutex_lock(&keeper->wake_mutex);
    keeper->is_stopping = true;
    (void) pthread_cond_signal(&keeper->wake);
    (void) pthread_cond_signal(&keeper->sync_wake);
    (void) pthread_mutex_unlock(&keeper->wake_mutex);
    if (keeper->has_flusher)
        (void) pthread_join(keeper->flusher, NULL);
    (void) pthread_join(keeper->syncer, NULL);
    keeper->has_flusher = keeper->has_syncer = false;
}
