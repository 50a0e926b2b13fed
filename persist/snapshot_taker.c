/* snapshot_taker.c - when a snapshot is taken, and what happens around it.
 *
 *     1  sync the log                     is it sound? And most of 5 is done beforehand
 *     2  ask for a new log segment        so that what the snapshot covers can go as whole files
 *     3  begin a view: commit S           from here on the store may go where it likes
 *     4  write and sync the parts         those that the snapshot before does not have
 *     5  sync the log up to S             so that it has no hole before S, where somebody may want a moment,
 *                                         and where the life after this one will call all up to S safe
 *     6  publish the manifest             the snapshot exists
 *     7  remove what is not needed now    older manifests, their parts, segments up to S
 *
 * Where the log is broken, a snapshot is what mends it, and 1 and 2 are another: the disk is tried, and the log begun
 * anew in fresh files, which 6 then joins to what was before (log_mending.c).
 *
 * A crash before 6 leaves the snapshot before it and parts that nobody names, which the
 * next open sweeps away; after 6, files that the next sweep finds. */
#define _GNU_SOURCE /* syscall */
#include "persist/keeper_state.h"

#include "base/clock.h"
#include "base/error.h"
#include "persist/manifest_files.h"
#include "persist/snapshot.h"
#include "persist/sweep.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TAKER_NICENESS          10
#define IOPRIO_WHO_THREAD       1
#define IOPRIO_BEST_EFFORT_LAST (2 << 13 | 7) /* class 2, the last of its eight levels */

/* What failed is tried again by itself: soon, and then at longer and longer intervals, so that a disk that comes back
 * is noticed and one that does not is left alone. */
#define RETRY_FIRST_NS ((uint64_t) 50 * 1000000)
#define RETRY_LAST_NS  ((uint64_t) 10 * 1000000000)

/* The next manifest, still without rows. */
static knackdb_status
begin_manifest(const struct keeper *keeper, struct manifest *next, knackdb_error *error)
{
    knackdb_status status = KNACKDB_OK;

    manifest_init(next, keeper->allocator);
    manifest_set_tables(next, store_schema(keeper->store));
    next->store_id = keeper->manifest.store_id;
    next->generation = keeper->manifest.generation + 1;
    next->next_part = keeper->manifest.next_part;
    for (size_t i = 0; i < keeper->manifest.migration_count && status == KNACKDB_OK; i++)
        status = manifest_add_migration(next, &keeper->manifest.migrations[i], error);
    return status;
}

/* Steps 3 and 4. */
static knackdb_status
write_view(struct keeper *keeper, struct manifest *next, struct coverage *coverage, knackdb_error *error)
{
    struct snapshot_options options = {
        .dir = &keeper->dir,
        .file_mode = keeper->file_mode,
        .cancelled = &keeper->cancelled,
    };
    struct log_figures figures;
    struct view        view;
    knackdb_status     status;

    status = view_begin(keeper->store, &view, error);
    if (status != KNACKDB_OK)
        return status;
    /* Read after the view has begun, so neither is too small for what it sees. */
    log_writer_get_figures(keeper->log, &figures);
    next->sequence = view.sequence;
    next->time_us = figures.time_us;
    for (uint32_t table = 0; table < next->table_count; table++)
        next->tables[table].next_id = store_next_id(keeper->store, table);
    status = snapshot_write(keeper->allocator, &options, &view, &keeper->coverage, next, coverage, error);
    view_end(&view);
    return status;
}

void
snapshot_salvage_log(struct keeper *keeper)
{
    knackdb_error why = { 0 };

    if (keeper->options.snapshots_kept <= 1 && keeper->past.bytes_max == 0)
        return;
    if (log_writer_salvage(keeper->log, &why) != KNACKDB_OK)
        keeper_say(keeper, KNACKDB_LOG_WARNING, "what is sound of the log that failed could not be copied: %s",
                   why.message);
}

/* Step 7. What cannot be removed now will be some other time. */
static void
clear_behind(struct keeper *keeper)
{
    knackdb_error  why = { 0 };
    uint64_t       needed = 0;
    knackdb_status status, trimmed;

    snapshot_salvage_log(keeper);
    status = sweep(&keeper->past, &keeper->manifest, keeper->options.snapshots_kept, &needed, &why);
    if (needed != 0) {
        knackdb_status removed = log_writer_remove_up_to(keeper->log, needed, status == KNACKDB_OK ? &why : NULL);

        keeper->covered = needed;
        status = status == KNACKDB_OK ? removed : status;
    }
    trimmed = log_past_trim(&keeper->past, status == KNACKDB_OK ? &why : NULL); /* whatever else could not go */
    status = status == KNACKDB_OK ? trimmed : status;
    if (status != KNACKDB_OK)
        keeper_say(keeper, KNACKDB_LOG_WARNING, "files that are not needed any more could not be removed: %s",
                   why.message);
}

/* Instead of the rest of 1 and 2. */
static knackdb_status
begin_mending(struct keeper *keeper, knackdb_error *error)
{
    knackdb_status status = log_writer_try_disk(keeper->log, error);

    if (status != KNACKDB_OK)
        return status;
    store_between_commits(keeper->store, log_writer_begin_anew, keeper->log);
    coverage_clear(&keeper->coverage); /* a disk that failed is not trusted with what it was given before */
    return KNACKDB_OK;
}

static void
give_up_mending(struct keeper *keeper, const knackdb_error *why)
{
    store_between_commits(keeper->store, log_writer_give_up, keeper->log);
    log_writer_clear_fresh(keeper->log, why);
}

/* Steps 1 and 2. *ret_mends: the log was broken, and has been begun anew. *ret_position: where it ended before. */
static knackdb_status
ready_log(struct keeper *keeper, bool *ret_mends, uint64_t *ret_position, knackdb_error *error)
{
    struct log_figures figures;
    knackdb_status     status;

    log_writer_get_figures(keeper->log, &figures);
    *ret_position = figures.position;
    if (log_writer_sync(keeper->log, figures.sequence, NULL) == KNACKDB_OK && !figures.has_failed) {
        log_writer_rotate(keeper->log);
        return KNACKDB_OK;
    }
    status = begin_mending(keeper, error);
    *ret_mends = status == KNACKDB_OK;
    return status;
}

/* What follows 6: the keeper goes on from this manifest, which it takes as it takes the coverage. */
static void
adopt(struct keeper *keeper, struct manifest *next, struct coverage *coverage, uint64_t position, bool mends)
{
    log_writer_covered(keeper->log, next->sequence, position);
    if (mends)
        (void) log_writer_join(keeper->log, next->sequence, NULL); /* broken again: the next attempt is the flusher's */
    manifest_clear(&keeper->manifest);
    keeper->manifest = *next;
    manifest_init(next, keeper->allocator);
    coverage_clear(&keeper->coverage);
    keeper->coverage = *coverage;
    coverage_init(coverage, keeper->allocator);
}

/* Steps 1 to 7; `error` is there. */
static knackdb_status
take(struct keeper *keeper, knackdb_error *error)
{
    struct manifest next;
    struct coverage coverage;
    int64_t         begun_us = clock_wall_us();
    uint64_t        begun_ns = clock_monotonic_ns();
    uint64_t        position = 0;
    bool            mends = false;
    knackdb_status  status;

    coverage_init(&coverage, keeper->allocator);
    status = begin_manifest(keeper, &next, error);
    if (status != KNACKDB_OK)
        goto out;
    status = ready_log(keeper, &mends, &position, error);
    if (status == KNACKDB_OK)
        status = write_view(keeper, &next, &coverage, error);
    if (status != KNACKDB_OK)
        goto out;
    if (!mends)
        /* A log that breaks now makes it no less a snapshot. */
        (void) log_writer_sync(keeper->log, next.sequence, NULL);
    next.made_at_us = begun_us;
    next.duration_us = (clock_monotonic_ns() - begun_ns) / 1000;
    next.log_serial = log_writer_serial_for(keeper->log, next.sequence);
    status = manifest_file_publish(&next, &keeper->dir, keeper->file_mode, error);
    if (status != KNACKDB_OK)
        goto out;
    adopt(keeper, &next, &coverage, position, mends);
    clear_behind(keeper);

out:
    /* A manifest that could not be published may be seen all the same: its rename was done, and only the sync
     * behind it failed. Neither its number nor its parts' may then be given a second time. */
    if (status != KNACKDB_OK && mends)
        give_up_mending(keeper, status == KNACKDB_IO ? error : NULL);
    if (status != KNACKDB_OK && next.generation > keeper->manifest.generation) {
        keeper->manifest.generation = next.generation;
        keeper->manifest.next_part = next.next_part;
    }
    manifest_clear(&next);
    coverage_clear(&coverage);
    return status;
}

static void
note(struct keeper *keeper, knackdb_status status, const knackdb_error *why, double seconds)
{
    (void) pthread_mutex_lock(&keeper->figures_mutex);
    keeper->figures.snapshot_status = status;
    keeper->snapshot_failed = status != KNACKDB_OK && status != KNACKDB_BUSY;
    if (status == KNACKDB_OK) {
        keeper->snapshot_ns = clock_monotonic_ns();
        keeper->figures.snapshot_count++;
        keeper->figures.snapshot_sequence = keeper->manifest.sequence;
        keeper->figures.snapshot_at = (double) manifest_finished_us(&keeper->manifest) / 1e6;
        keeper->figures.snapshot_seconds = seconds;
        keeper->figures.snapshot_bytes = manifest_part_bytes(&keeper->manifest);
    } else {
        (void) snprintf(keeper->snapshot_reason, sizeof keeper->snapshot_reason, "the last snapshot failed: %s",
                        keeper_brief(keeper, why->message));
    }
    (void) pthread_mutex_unlock(&keeper->figures_mutex);
}

knackdb_status
snapshot_take(struct keeper *keeper, knackdb_error *error)
{
    knackdb_error  why = { 0 };
    uint64_t       begun = clock_monotonic_ns();
    knackdb_status status;

    (void) pthread_mutex_lock(&keeper->snapshot_mutex);
    status = take(keeper, &why);
    note(keeper, status, &why, (double) (clock_monotonic_ns() - begun) / 1e9);
    (void) pthread_mutex_unlock(&keeper->snapshot_mutex);
    if (status != KNACKDB_OK)
        flusher_wake(keeper); /* it tries again some time */
    if (status != KNACKDB_OK && error != NULL)
        *error = why;
    return status;
}

/* ---- triggers ---- */

static bool
is_taking(const struct keeper *keeper)
{
    return keeper->has_taker && !atomic_load_explicit(&keeper->taker_done, memory_order_acquire);
}

/* By time: so long after the last one, whoever asked for that, in whatever life of the store; the first of all so
 * long after this life began. */
static uint64_t
timed_ns(struct keeper *keeper)
{
    uint64_t next_ns = (uint64_t) keeper->options.snapshot_interval_s * 1000000000;

    (void) pthread_mutex_lock(&keeper->figures_mutex);
    next_ns += keeper->snapshot_ns;
    (void) pthread_mutex_unlock(&keeper->figures_mutex);
    return next_ns > keeper->trigger_ns ? next_ns : keeper->trigger_ns;
}

uint64_t
snapshot_due_ns(struct keeper *keeper)
{
    uint64_t due_ns = UINT64_MAX;

    if (is_taking(keeper))
        return UINT64_MAX; /* it wakes the flusher when it ends */
    if (keeper->options.snapshot_interval_s != 0)
        due_ns = timed_ns(keeper);
    return keeper->retry_ns != 0 && keeper->retry_ns < due_ns ? keeper->retry_ns : due_ns;
}

static void *
taker_run(void *context)
{
    struct keeper *keeper = context;
    knackdb_error  why = { 0 };
    knackdb_status status = snapshot_take(keeper, &why);

    if (status != KNACKDB_OK && status != KNACKDB_BUSY && !keeper->retries)
        keeper_say(keeper, KNACKDB_LOG_ERROR, "the snapshot failed: %s", why.message);
    atomic_store_explicit(&keeper->taker_done, true, memory_order_release);
    flusher_wake(keeper);
    return NULL;
}

/* Writing a snapshot may take its time: whoever else wants the processor or the disk comes first. What cannot be had is
 * not missed. Both are of this thread alone, which ends with the snapshot. */
static void *
taker_thread_run(void *context)
{
    int thread = (int) syscall(SYS_gettid);

    (void) setpriority(PRIO_PROCESS, (id_t) thread, TAKER_NICENESS);
    (void) syscall(SYS_ioprio_set, IOPRIO_WHO_THREAD, thread, IOPRIO_BEST_EFFORT_LAST);
    return taker_run(context);
}

static void
start_taker(struct keeper *keeper)
{
    sigset_t all;
    sigset_t before;

    if (keeper->options.by_hand) {
        (void) taker_run(keeper);
        return;
    }
    atomic_store_explicit(&keeper->taker_done, false, memory_order_relaxed);
    (void) sigfillset(&all);
    (void) pthread_sigmask(SIG_BLOCK, &all, &before);
    keeper->has_taker = pthread_create(&keeper->taker, NULL, taker_thread_run, keeper) == 0;
    (void) pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void
snapshot_end_taker(struct keeper *keeper)
{
    if (keeper->has_taker)
        (void) pthread_join(keeper->taker, NULL);
    keeper->has_taker = false;
}

/* The log is broken, or the last snapshot failed: is it time for another attempt? */
static bool
is_retry_due(struct keeper *keeper, const struct log_figures *figures)
{
    uint64_t now_ns = clock_monotonic_ns();
    bool     has_failed;

    (void) pthread_mutex_lock(&keeper->figures_mutex);
    has_failed = keeper->snapshot_failed || figures->has_failed;
    (void) pthread_mutex_unlock(&keeper->figures_mutex);
    if (!has_failed) {
        keeper->retry_ns = 0;
        keeper->retry_wait_ns = 0;
        return false;
    }
    if (keeper->retry_wait_ns == 0)
        keeper->retry_wait_ns = RETRY_FIRST_NS;
    if (keeper->retry_ns == 0)
        keeper->retry_ns = now_ns + keeper->retry_wait_ns;
    if (now_ns < keeper->retry_ns && !keeper->options.by_hand)
        return false;
    keeper->retry_wait_ns = keeper->retry_wait_ns < RETRY_LAST_NS / 2 ? keeper->retry_wait_ns * 2 : RETRY_LAST_NS;
    keeper->retry_ns = now_ns + keeper->retry_wait_ns;
    return true;
}

void
snapshot_take_if_due(struct keeper *keeper)
{
    uint64_t           interval_ns = (uint64_t) keeper->options.snapshot_interval_s * 1000000000;
    uint64_t           now_ns;
    struct log_figures figures;
    bool               by_log;
    bool               by_time;

    if (is_taking(keeper))
        return;
    if (keeper->has_taker)
        keeper->retry_ns = 0; /* the wait counts from the end of what failed */
    snapshot_end_taker(keeper);
    log_writer_get_figures(keeper->log, &figures);
    keeper->retries = is_retry_due(keeper, &figures);
    by_log = figures.log_bytes >= keeper->options.snapshot_log_bytes && figures.position >= keeper->trigger_position;
    by_time = false;
    if (interval_ns != 0) {
        now_ns = clock_monotonic_ns();
        by_time = now_ns >= timed_ns(keeper);
        if (by_time)
            keeper->trigger_ns = now_ns + interval_ns;
        by_time &= figures.log_bytes > 0;
    }
    if (!keeper->retries && (figures.has_failed || (!by_log && !by_time)))
        return;
    keeper->trigger_position = figures.position + keeper->options.snapshot_log_bytes;
    start_taker(keeper);
}
