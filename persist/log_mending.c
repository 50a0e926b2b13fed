/* log_mending.c - a log that broke is begun anew in fresh files, and joined to what was before by a snapshot.
 *
 * After a failed write or sync nobody knows what the old files hold: the system may have dropped the pages, and
 * may call the next sync a success. So they are never asked again. Memory is the truth, and the order is:
 *
 *     1  try the disk     a fresh segment is made and synced, its name too; a disk that still fails
 *                         stops us here, and costs a file that is removed again
 *     2  begin anew       between two commits: from the next one, F, on all go into that segment
 *     3  snapshot         of a view that begins now, so of a commit S that is F - 1 or later
 *     4  join             the snapshot is on stable storage: all of memory is, or is in a log that is
 *                         joined to it. Only now does any sync say so again
 *
 *     old log    1 .. L |                               L: the last commit it took
 *     memory     1 .. L .. F-1 .. S ..                  L+1 .. F-1: in no log, ever
 *     new log                F .. S .. ->               of no meaning before 4
 *     snapshot   1 ............. S
 *
 * M1  While LOG_MENDING, no commit counts as durable that was not before: every sync still says no, and heads and
 *     records testify to no more than the old log knew (log_durable). So a crash before 4 leaves the old
 *     snapshot and the old log; what it finds in the fresh segments does not follow commit L, is vouched for by nobody,
 *     and is set aside as torn (log_judging.c, T1). Should F be L + 1, it follows, and is what happened.
 * M2  F - 1 <= S: step 2 runs under the writers' lock, so every commit before F is there to be seen when the
 *     view begins. The log after the snapshot has therefore no gap that the snapshot does not cover.
 * M3  A log that breaks again between 2 and 4 is LOG_BROKEN again. If the snapshot is written all the same, it and the
 *     fresh segments are a store as any other whose log has broken.
 * M4  Segments are not moved while somebody syncs them: step 1 says no as long as one does.
 *
 * Where older snapshots or history are kept, they need the old log, as far as it goes: what of it had been on stable
 * storage is copied into fresh files (log_writer_salvage()). Between its end and F the log then has a gap: the
 * numbers of commits jump from one segment to the next. A reader takes that for what it is where, and only where, the
 * newest snapshot covers what is missing (log_overtaken.c).
 *
 * Where step 3 fails the fresh segments are removed: nothing will ever join them, and what
 * fails may well be a full disk. */
#include "persist/log_writer_state.h"

#include "base/error.h"
#include "persist/file_copy.h"
#include "persist/file_name.h"

#include <errno.h>

/* The segment that was made ahead before the log broke may be as bad as the others. */
static void
discard_next(struct log_writer *writer)
{
    struct log_segment *next;

    (void) pthread_mutex_lock(&writer->mutex);
    next = writer->next;
    writer->next = NULL;
    (void) pthread_mutex_unlock(&writer->mutex);
    log_writer_discard_segment(writer, next);
}

static bool
is_syncing(struct log_writer *writer)
{
    bool is;

    (void) pthread_mutex_lock(&writer->mutex);
    is = writer->syncing;
    (void) pthread_mutex_unlock(&writer->mutex);
    return is;
}

/* Under making. */
static knackdb_status
make_fresh(struct log_writer *writer, knackdb_error *error)
{
    struct log_segment *fresh = NULL;
    knackdb_status      status;

    discard_next(writer);
    status = log_writer_make_segment(writer, 0, &fresh, error);
    if (status == KNACKDB_OK)
        status = log_segment_sync(fresh, error);
    if (status == KNACKDB_OK)
        status = dir_sync(writer->options.dir, error);
    if (status != KNACKDB_OK) {
        log_writer_discard_segment(writer, fresh);
        return status;
    }
    (void) pthread_mutex_lock(&writer->mutex);
    writer->next = fresh;
    writer->named = fresh->serial;
    writer->first_fresh = fresh->serial;
    (void) pthread_mutex_unlock(&writer->mutex);
    return KNACKDB_OK;
}

/* The reason that people read is the newest one. */
static void
renew_reason(struct log_writer *writer, const knackdb_error *why)
{
    (void) pthread_mutex_lock(&writer->mutex);
    if (log_writer_condition(writer) != LOG_SOUND)
        writer->failure = *why;
    (void) pthread_mutex_unlock(&writer->mutex);
}

knackdb_status
log_writer_try_disk(struct log_writer *writer, knackdb_error *error)
{
    knackdb_error  why = { 0 };
    knackdb_status status;

    if (is_syncing(writer)) /* M4; none begins while the log is broken */
        return error_set_errno(error, EBUSY,
                               "%s: a sync that began before has not come back yet; mending is tried again by itself",
                               writer->options.dir->path);
    (void) pthread_mutex_lock(&writer->making);
    status = make_fresh(writer, &why);
    (void) pthread_mutex_unlock(&writer->making);
    if (status == KNACKDB_IO)
        renew_reason(writer, &why);
    if (status != KNACKDB_OK && error != NULL)
        *error = why;
    return status;
}

void
log_writer_doubt(struct log_writer *writer)
{
    for (const struct log_segment *segment = writer->sealed; segment != NULL; segment = segment->next)
        segment_list_doubt(&writer->kept, segment->serial, segment->synced);
    if (writer->current != NULL)
        segment_list_doubt(&writer->kept, writer->current->serial, writer->current->synced);
}

/* Under mutex, between two commits. */
static void
bury_segments(struct log_writer *writer)
{
    struct log_segment **link = &writer->sealed;

    log_writer_doubt(writer);
    while (*link != NULL)
        link = &(*link)->next;
    *link = writer->current;
    writer->current = NULL;
    for (link = &writer->dead; *link != NULL;)
        link = &(*link)->next;
    *link = writer->sealed;
    writer->sealed = NULL;
    segment_list_finish(&writer->kept, atomic_load_explicit(&writer->appended, memory_order_relaxed));
}

void
log_writer_begin_anew(void *context)
{
    struct log_writer *writer = context;

    (void) pthread_mutex_lock(&writer->mutex);
    bury_segments(writer);
    writer->synced_position = log_writer_position(writer);
    atomic_store_explicit(&writer->condition, LOG_MENDING, memory_order_release);
    (void) pthread_mutex_unlock(&writer->mutex);
}

knackdb_status
log_writer_join(struct log_writer *writer, uint64_t sequence, knackdb_error *error)
{
    knackdb_status status = KNACKDB_OK;

    (void) pthread_mutex_lock(&writer->mutex);
    log_writer_lift(&writer->durable, sequence);
    if (log_writer_condition(writer) == LOG_MENDING) {
        atomic_store_explicit(&writer->condition, LOG_SOUND, memory_order_release);
    } else { /* M3 */
        status = KNACKDB_IO;
        if (error != NULL)
            *error = writer->failure;
    }
    (void) pthread_cond_broadcast(&writer->synced);
    (void) pthread_mutex_unlock(&writer->mutex);
    return status;
}

/* The first doubtful segment after this serial whose commits are durable elsewhere, in a snapshot: until they are, what
 * the file may hold is all there is, and the next life may find it sound. False where there is none. */
static bool
next_doubtful(struct log_writer *writer, uint64_t after, struct listed_segment *ret_segment)
{
    uint64_t               durable;
    struct listed_segment *entry;

    (void) pthread_mutex_lock(&writer->mutex);
    durable = atomic_load_explicit(&writer->durable, memory_order_relaxed);
    entry = segment_list_next_over(&writer->kept, after, durable);
    while (entry != NULL && !entry->is_doubtful)
        entry = segment_list_next_over(&writer->kept, entry->serial, durable);
    if (entry != NULL)
        *ret_segment = *entry;
    (void) pthread_mutex_unlock(&writer->mutex);
    return entry != NULL;
}

static void
end_doubt(struct log_writer *writer, uint64_t serial)
{
    (void) pthread_mutex_lock(&writer->mutex);
    segment_list_doubt(&writer->kept, serial, UINT64_MAX);
    (void) pthread_mutex_unlock(&writer->mutex);
}

/* What was synced reads as it was written; behind that, anything may. */
static knackdb_status
salvage_segment(struct log_writer *writer, const struct listed_segment *segment, knackdb_error *error)
{
    const struct dir *dir = writer->options.dir;
    struct file       file = { 0 };
    char              name[DISK_NAME_BYTES_MAX];
    knackdb_status    status;

    file_name_write(name, FILE_LOG, segment->serial);
    if (segment->sound_bytes == 0)
        return dir_remove(dir, name, error);
    status = file_open(dir, name, DISK_READ, 0, &file, error);
    if (status == KNACKDB_OK)
        status = file_copy(writer->allocator, &file, 0, segment->sound_bytes, name, writer->options.file_mode, error);
    file_close(&file);
    return status == KNACKDB_NOT_FOUND ? KNACKDB_OK : status;
}

/* One that cannot be copied stays doubtful, and holds up none behind it. */
knackdb_status
log_writer_salvage(struct log_writer *writer, knackdb_error *error)
{
    struct listed_segment segment = { 0 };
    knackdb_status        first = KNACKDB_OK;

    while (next_doubtful(writer, segment.serial, &segment)) {
        knackdb_status status = salvage_segment(writer, &segment, first == KNACKDB_OK ? error : NULL);

        if (status == KNACKDB_OK)
            end_doubt(writer, segment.serial);
        else if (first == KNACKDB_OK)
            first = status;
    }
    return first;
}

void
log_writer_give_up(void *context)
{
    struct log_writer *writer = context;

    (void) pthread_mutex_lock(&writer->mutex);
    atomic_store_explicit(&writer->condition, LOG_BROKEN, memory_order_release);
    bury_segments(writer);
    (void) pthread_mutex_unlock(&writer->mutex);
}

void
log_writer_clear_fresh(struct log_writer *writer, const knackdb_error *why)
{
    struct listed_segment *taken;
    char                   name[DISK_NAME_BYTES_MAX];

    if (why != NULL)
        renew_reason(writer, why);
    (void) pthread_mutex_lock(&writer->making);
    discard_next(writer);
    (void) pthread_mutex_unlock(&writer->making);
    (void) pthread_mutex_lock(&writer->mutex);
    taken = segment_list_take_from(&writer->kept, writer->first_fresh);
    (void) pthread_mutex_unlock(&writer->mutex);
    for (struct listed_segment *entry = taken; entry != NULL; entry = entry->next) {
        file_name_write(name, FILE_LOG, entry->serial);
        (void) dir_remove(writer->options.dir, name, NULL); /* what stays will be set aside as torn: M1 */
    }
    segment_list_free(writer->allocator, taken);
}
