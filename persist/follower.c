/* follower.c - see follower.h.
 *
 * A refresh reads on in the log from where the last one stopped, and applies each whole
 * commit. Where no commit follows there are four reasons:
 *
 *   nothing more was written        the usual one
 *   a record is half written        by a writer at work, or one that was killed: its next
 *                                   life cuts that record and goes on in a new segment
 *   a snapshot has overtaken us     the segments that we wanted next are removed; or the writer
 *                                   has healed, and its log jumps over what is in a snapshot alone
 *   the log is damaged
 *
 * The first two are the end of a refresh. A jump shows in the next segment, which does not
 * go on where we are; being overtaken without a next segment, in a newer manifest that is ahead of
 * us. The writer may have gone on between our looks at the log and at the rest, so either must be
 * found twice, with a look at the log in between. Then the directory is read anew
 * as any reader does (recovery.c, which also tells damage), into a store beside ours, and ours is
 * turned into that one by a single commit (core/turning.c): views that are open stay at their
 * moment.
 *
 * A log that is being healed is not joined to what was before until the snapshot is there (log_mending.c). What the
 * directory then reads as is what we have; so a jump that led nowhere is not followed a second time before a manifest
 * is new.
 *
 * What is applied need not be durable: a follower sees what the writer's own readers see. No
 * death of the writer takes such a commit back, as the kernel has it. A machine that goes down
 * takes the follower with it. Only a directory that is shared between machines, or one whose files were
 * exchanged, can go back behind what we have seen; that is told as CORRUPT, and never mixed. */
#include "persist/follower.h"

#include "base/clock.h"
#include "base/error.h"
#include "persist/log_glance.h"
#include "persist/manifest_files.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>

/* A writer faster than we are must not keep a refresh for ever: after so long it ends with the first commit that is
 * younger than itself. */
#define REFRESH_ENOUGH_NS UINT64_C(1000000000)

struct follower {
    struct allocator            *allocator;
    const struct dir            *dir;
    const struct schema_history *history;
    struct store                *store;
    uint64_t                     store_id;

    pthread_mutex_t    mutex; /* a refresh at work; taken before figures_mutex */
    struct log_reader *reader;
    struct log_commit  commit;     /* read from the log... */
    bool               has_commit; /* ...and not applied yet */
    struct log_glance  glance;     /* before the last look for more; never, where that ended early */
    uint64_t           jump;       /* the commit behind the last doubtful jump; 0: it was no jump */
    uint64_t           vain_jump;  /* one that reading the directory anew led nowhere; 0: none */
    uint64_t           generation; /* newest manifest that we know not to be ahead of us */

    pthread_mutex_t         figures_mutex; /* a leaf */
    struct follower_figures figures;
};

/* One refresh. */
struct round {
    int64_t  begun_us;
    uint64_t begun_ns;
    uint64_t log_bytes;    /* of the commits applied */
    int64_t  time_us;      /* of the last of them; 0: none */
    bool     is_cut_short; /* there may be more in the log */
};

static void
note_snapshot(struct follower *follower, const struct manifest *manifest)
{
    follower->generation = manifest->generation;
    (void) pthread_mutex_lock(&follower->figures_mutex);
    follower->figures.log_bytes = 0;
    if (manifest->made_at_us != 0) {
        follower->figures.snapshot_sequence = manifest->sequence;
        follower->figures.snapshot_at_us = manifest_finished_us(manifest);
        follower->figures.snapshot_bytes = manifest_part_bytes(manifest);
    }
    (void) pthread_mutex_unlock(&follower->figures_mutex);
}

static void
note_log(struct follower *follower, uint64_t log_bytes, int64_t time_us)
{
    uint64_t durable = log_reader_durable(follower->reader);

    (void) pthread_mutex_lock(&follower->figures_mutex);
    follower->figures.log_bytes += log_bytes;
    if (time_us != 0)
        follower->figures.time_us = time_us;
    if (durable > follower->figures.durable)
        follower->figures.durable = durable;
    (void) pthread_mutex_unlock(&follower->figures_mutex);
}

static void
take_log(struct follower *follower, struct recovery *recovery)
{
    log_reader_free(follower->reader);
    follower->reader = recovery->log;
    recovery->log = NULL;
    follower->has_commit = false;
    log_reader_follow(follower->reader);
    note_snapshot(follower, &recovery->manifest);
    note_log(follower, recovery->log_bytes, recovery->time_us);
}

knackdb_status
follower_new(struct allocator *allocator, const struct dir *dir, const struct schema_history *history,
             struct store *store, struct recovery *recovery, int64_t begun_us, struct follower **ret_follower,
             knackdb_error *error)
{
    struct follower *follower = allocator_get_zeroed(allocator, sizeof *follower);

    if (follower == NULL)
        return error_no_memory(error, "a follower");
    follower->allocator = allocator;
    follower->dir = dir;
    follower->history = history;
    follower->store = store;
    follower->store_id = recovery->manifest.store_id;
    (void) pthread_mutex_init(&follower->mutex, NULL);
    (void) pthread_mutex_init(&follower->figures_mutex, NULL);
    follower->figures.refreshed_at_us = begun_us;
    take_log(follower, recovery);
    *ret_follower = follower;
    return KNACKDB_OK;
}

void
follower_free(struct follower *follower)
{
    if (follower == NULL)
        return;
    log_reader_free(follower->reader);
    (void) pthread_mutex_destroy(&follower->mutex);
    (void) pthread_mutex_destroy(&follower->figures_mutex);
    allocator_put(follower->allocator, follower, sizeof *follower);
}

void
follower_abandon(struct follower *follower)
{
    if (follower == NULL || pthread_mutex_trylock(&follower->mutex) != 0)
        return;
    (void) pthread_mutex_unlock(&follower->mutex);
    follower_free(follower);
}

/* Applies what the log has. NOT_FOUND at its end; OK where it was enough for one refresh. */
static knackdb_status
apply_log(struct follower *follower, struct round *round, knackdb_error *error)
{
    struct log_commit *commit = &follower->commit;
    knackdb_error      why = { 0 };
    knackdb_status     status;

    for (;;) {
        if (!follower->has_commit) {
            status = log_reader_next(follower->reader, commit, error);
            if (status != KNACKDB_OK)
                return status;
            follower->has_commit = true;
        }
        status = store_apply(follower->store, commit->map, commit->record.sequence, commit->record.time_us,
                             commit->record.payload, commit->record.payload_bytes, &why);
        if (status != KNACKDB_OK)
            return error_set(error, status, "%s/%s: offset %" PRIu64 ": commit %" PRIu64 ": %s", follower->dir->path,
                             commit->file, commit->offset, commit->record.sequence, why.message);
        follower->has_commit = false;
        round->time_us = commit->record.time_us;
        round->log_bytes += log_record_bytes(commit->record.payload_bytes);
        round->is_cut_short = commit->record.time_us > round->begun_us &&
                              clock_monotonic_ns() - round->begun_ns > REFRESH_ENOUGH_NS;
        if (round->is_cut_short)
            return KNACKDB_OK;
    }
}

/* Is there a snapshot that is ahead of us, or none any more, as where the store has been removed? */
static knackdb_status
look_at_manifests(struct follower *follower, bool *ret_ahead, knackdb_error *error)
{
    struct manifest newest;
    bool            is_newer = false;
    knackdb_status  status;

    *ret_ahead = false;
    manifest_init(&newest, follower->allocator);
    status = manifest_file_read_newer(&newest, follower->dir, follower->generation, &is_newer, error);
    if (status == KNACKDB_OK && is_newer && newest.sequence > store_sequence(follower->store))
        *ret_ahead = true;
    else if (status == KNACKDB_OK && is_newer)
        note_snapshot(follower, &newest);
    *ret_ahead |= status == KNACKDB_NOT_FOUND;
    manifest_clear(&newest);
    return status == KNACKDB_NOT_FOUND ? KNACKDB_OK : status;
}

/* The log has no commit for us. *ret_doubt: something leads past the place where we are, or it cannot be read. */
static knackdb_status
look_around(struct follower *follower, bool *ret_doubt, knackdb_error *error)
{
    struct log_end end;
    uint64_t       next = 0;
    bool           is_clean;
    knackdb_status status;

    *ret_doubt = false;
    follower->jump = 0;
    status = log_reader_is_clean(follower->reader, &is_clean, error);
    if (status == KNACKDB_OK && !is_clean) {
        status = log_reader_judge(follower->reader, &end, error);
        *ret_doubt = status == KNACKDB_CORRUPT || (status == KNACKDB_OK && end.torn_bytes == 0);
        return status == KNACKDB_CORRUPT ? KNACKDB_OK : status;
    }
    if (status == KNACKDB_OK)
        status = log_reader_find_gap(follower->reader, &next, error);
    if (status == KNACKDB_OK && (next == 0 || next == follower->vain_jump))
        return look_at_manifests(follower, ret_doubt, error);
    follower->jump = next;
    *ret_doubt = next != 0;
    return status;
}

static knackdb_status
turn(struct follower *follower, struct store *fresh, struct recovery *recovery, knackdb_error *error)
{
    struct view    view;
    knackdb_status status;

    if (recovery->is_new)
        return error_set(error, KNACKDB_NOT_FOUND, "%s: the store is gone", follower->dir->path);
    if (recovery->manifest.store_id != follower->store_id)
        return error_set(error, KNACKDB_CORRUPT,
                         "%s: another store has taken the place of the one that was followed; "
                         "open it anew",
                         follower->dir->path);
    if (store_sequence(fresh) < store_sequence(follower->store))
        return error_set(error, KNACKDB_CORRUPT,
                         "%s: it ends at commit %" PRIu64 ", and commit %" PRIu64
                         " had been seen: it has gone back behind what was followed; open it anew",
                         follower->dir->path, store_sequence(fresh), store_sequence(follower->store));
    follower->vain_jump = 0;
    if (store_sequence(fresh) == store_sequence(follower->store)) {
        follower->vain_jump = follower->jump;
        return KNACKDB_OK;
    }
    status = view_begin(fresh, &view, error);
    if (status == KNACKDB_OK) {
        status = store_turn_into(follower->store, &view, error);
        view_end(&view);
    }
    return status;
}

static knackdb_status
reload(struct follower *follower, knackdb_error *error)
{
    struct recovery_options options = { .dir = follower->dir, .history = follower->history };
    struct recovery         recovery = { 0 };
    struct store           *fresh = NULL;
    knackdb_status          status;

    status = store_new(follower->allocator, store_schema(follower->store), &fresh, error);
    if (status == KNACKDB_OK)
        status = recovery_run(follower->allocator, &options, fresh, &recovery, error);
    if (status == KNACKDB_OK)
        status = turn(follower, fresh, &recovery, error);
    if (status == KNACKDB_OK) {
        take_log(follower, &recovery);
        (void) pthread_mutex_lock(&follower->figures_mutex);
        follower->figures.reload_count++;
        (void) pthread_mutex_unlock(&follower->figures_mutex);
    }
    recovery_clear(&recovery);
    store_free(fresh);
    return status;
}

/* Reads on until the end has been found, and found to be one. */
static knackdb_status
read_on(struct follower *follower, struct round *round, knackdb_error *error)
{
    uint64_t       doubted_at = UINT64_MAX; /* the commit behind which something was not as it should be */
    bool           doubt;
    knackdb_status status;

    for (;;) {
        status = apply_log(follower, round, error);
        if (status != KNACKDB_NOT_FOUND)
            return status;
        status = look_around(follower, &doubt, error);
        if (status != KNACKDB_OK || !doubt)
            return status;
        if (doubted_at == store_sequence(follower->store))
            return reload(follower, error);
        doubted_at = store_sequence(follower->store);
    }
}

static knackdb_status
catch_up(struct follower *follower, struct round *round, knackdb_error *error)
{
    struct log_glance glance = { 0 };
    bool              news;
    knackdb_status    status;

    status = log_glance(follower->reader, follower->dir, &follower->glance, &glance, &news, error);
    if (status != KNACKDB_OK || !news)
        return status;
    follower->glance = (struct log_glance) { 0 };
    status = read_on(follower, round, error);
    if (status == KNACKDB_OK && !round->is_cut_short)
        follower->glance = glance;
    return status;
}

knackdb_status
follower_refresh(struct follower *follower, uint64_t *ret_sequence, knackdb_error *error)
{
    struct round   round;
    knackdb_status status;

    (void) pthread_mutex_lock(&follower->mutex);
    round = (struct round) { .begun_us = clock_wall_us(), .begun_ns = clock_monotonic_ns() };
    status = catch_up(follower, &round, error);
    note_log(follower, round.log_bytes, round.time_us);
    (void) pthread_mutex_lock(&follower->figures_mutex);
    follower->figures.refresh_count++;
    if (status == KNACKDB_OK)
        follower->figures.refreshed_at_us = round.begun_us;
    (void) pthread_mutex_unlock(&follower->figures_mutex);
    if (status == KNACKDB_OK && ret_sequence != NULL)
        *ret_sequence = store_sequence(follower->store);
    (void) pthread_mutex_unlock(&follower->mutex);
    return status;
}

void
follower_get_figures(struct follower *follower, struct follower_figures *ret_figures)
{
    (void) pthread_mutex_lock(&follower->figures_mutex);
    *ret_figures = follower->figures;
    (void) pthread_mutex_unlock(&follower->figures_mutex);
}
