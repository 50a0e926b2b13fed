/* log_writer.c - appends that wait for nothing, and syncs that are shared.
 *
 * Three parties meet here.
 *
 *   The appender  is whoever holds the store's writers' lock: one at a time, and what
 *                 one left the next finds. It copies records into the current segment.
 *   The flusher   is the store's one background thread. It makes the next segment,
 *                 readies its pages, and syncs when the interval is over.
 *   The syncers   are threads that want to know their commits safe, the flusher among
 *                 them. One of them syncs, the others wait for it.
 *
 *     flusher        appender               syncer            flusher
 *     next ---------> current ---full---> sealed ---synced---> done ---> closed
 *
 * W1  `appended` is stored after the record's bytes (release); who has loaded it
 *     (acquire) finds every record up to it in the current segment or in the sealed list.
 *     A syncer loads it before it looks at either, under `mutex`; rotation changes
 *     both under `mutex`.
 * W2  `log_durable` rises only after every segment that may hold a commit up to it, and the
 *     directory that names them, have been synced without an error. `durable` rises with it, and
 *     with a snapshot: then the log's own copy of those commits may never have been synced, and
 *     a power cut may take it. So what the log testifies to (log_reader.c) is `log_durable`.
 * W3  A failed write or sync is final: `failure` is set for good, nothing more is
 *     appended, no file is synced again, and every sync says so from then on. A
 *     gap in the log is thereby impossible: it ends at the first commit that could not be
 *     written. The store goes on in memory. (To be whole again takes a full snapshot and a
 *     new log in fresh files; keeper.c says where that belongs.)
 * W4  The flusher sleeps only after it said so (`asleep`, seq_cst) and then found nothing
 *     appended; the appender stores `appended` (seq_cst) and then looks whether it sleeps. One of
 *     the two sees the other, so no commit waits for a wake-up that nobody sends.
 * W5  Segments are made under `making`, so that their serials are in the order of their use; it is
 *     held until the segment is listed as `next` or in `kept`. Who holds it finds every segment in one
 *     of the two, and so a snapshot never names a serial behind the one in use.
 * W6  Only the flusher cuts, unmaps and frees a segment (or the close, when there is no flusher
 *     any more): it may be readying the pages of a segment that others rotate and sync.
 *
 * Lock order: making, then mutex. No disk is waited for under `mutex`. The appender takes
 * it for a rotation only. */
#include "persist/log_writer.h"

#include "base/clock.h"
#include "base/error.h"
#include "persist/file_name.h"
#include "persist/segment_list.h"

#include <pthread.h>
#include <string.h>

/* A new store's first segment; those after it grow with the log. */
#define SEGMENT_BYTES_FIRST ((uint64_t) 1024 * 1024)

/* Pages are made ready for what comes in this time, at the speed of the last round: the flusher is away for a sync
 * now and then. At the least and at the most: */
#define AHEAD_NS        ((uint64_t) 8 * 1000000)
#define AHEAD_BYTES_MIN ((uint64_t) 32 * 1024)
#define AHEAD_BYTES_MAX ((uint64_t) 1024 * 1024)

struct log_writer {
    struct commit_log         face; /* first: the store knows us by its address */
    struct allocator         *allocator;
    struct log_writer_options options;
    bool                      maps;

    /* The appender's. */
    struct byte_buffer        staging;
    _Atomic uint64_t          appended; /* sequence; W1, W4 */
    _Atomic int64_t           time_us;  /* of that commit; stored before it, relaxed: a figure */
    _Atomic uint64_t          position; /* bytes of records since open; likewise */
    _Atomic uint64_t          late;     /* segments the appender had to make; a figure */

    /* Where the appender wakes the flusher, as an offset in the current segment: set by the flusher, or to
     * never by the appender once it has done so. Relaxed: a late look costs a little time. */
    _Atomic uint64_t          wake_at;
    _Atomic bool              asleep;   /* the flusher's; W4 */
    _Atomic bool              rotates;  /* the snapshot's wish; the appender clears it */
    _Atomic bool              failed;   /* set once, under mutex, after `failure` (release; acquire outside of mutex) */

    /* Under mutex. */
    pthread_mutex_t           mutex;
    pthread_cond_t            synced;
    struct log_segment       *current;  /* changed by the appender under mutex, read by it without */
    struct log_segment       *next;     /* made ahead */
    struct log_segment       *sealed;   /* full ones, oldest first, that wait for their last sync */
    struct log_segment       *done;     /* synced for the last time; the flusher closes them */
    struct segment_list       kept;     /* every segment with commits that is on the disk */
    uint64_t                  covered;  /* a segment may go when its last commit is not behind this one */
    bool                      syncing;  /* somebody does */
    uint64_t                  named;    /* serials up to this one are durable in the directory */
    uint64_t                  synced_position;
    uint64_t                  log_base; /* position at which the snapshot was begun, less what was there at open */
    knackdb_error             failure;
    /* Newest commit on stable storage, in the log or in a snapshot; and in the log itself, which is what records and
     * heads testify to. Written under mutex, read by anyone (relaxed: they only rise). */
    _Atomic uint64_t          durable;
    _Atomic uint64_t          log_durable;

    pthread_mutex_t           making;   /* W5 */
    uint64_t                  next_serial; /* under making */

    /* The flusher's. */
    uint64_t                  tended_position;
    uint64_t                  tended_ns;
};

static knackdb_status log_writer_append(struct commit_log *log, uint64_t sequence, int64_t time_us,
                                        const void *payload, size_t payload_bytes, knackdb_error *error);

knackdb_status
log_writer_new(struct allocator *allocator, const struct log_writer_options *options, struct log_writer **ret_writer,
               knackdb_error *error)
{
    struct log_writer *writer = allocator_get_zeroed(allocator, sizeof *writer);

    if (writer == NULL)
        return error_no_memory(error, "the log");
    writer->face.append = log_writer_append;
    writer->allocator = allocator;
    writer->options = *options;
    writer->maps = options->io == KNACKDB_LOG_MAP || (options->io == KNACKDB_LOG_AUTO && dir_maps_well(options->dir));
    byte_buffer_init(&writer->staging, allocator);
    atomic_init(&writer->appended, options->sequence);
    atomic_init(&writer->durable, options->sequence);
    atomic_init(&writer->log_durable, options->sequence);
    atomic_init(&writer->time_us, options->time_us);
    atomic_init(&writer->wake_at, UINT64_MAX);
    writer->next_serial = options->next_serial;
    writer->log_base = 0 - options->log_bytes;
    (void) pthread_mutex_init(&writer->mutex, NULL);
    (void) pthread_mutex_init(&writer->making, NULL);
    (void) pthread_cond_init(&writer->synced, NULL);
    *ret_writer = writer;
    return KNACKDB_OK;
}

struct commit_log *
log_writer_face(struct log_writer *writer)
{
    return &writer->face;
}

/* ---- making segments ---- */

/* As large as the log since the snapshot, so that a small store stays small on disk and a
 * growing one doubles its segments up to the limit. */
static uint64_t
segment_bytes_wanted(struct log_writer *writer)
{
    uint64_t limit = writer->options.segment_bytes_max;
    uint64_t bytes = SEGMENT_BYTES_FIRST;
    uint64_t log_bytes;

    (void) pthread_mutex_lock(&writer->mutex);
    log_bytes = log_writer_position(writer) - writer->log_base;
    (void) pthread_mutex_unlock(&writer->mutex);
    while (bytes < log_bytes && bytes < limit)
        bytes *= 2;
    return bytes < limit ? bytes : limit;
}

/* Under making. */
static knackdb_status
make_segment(struct log_writer *writer, size_t room, struct log_segment **ret_segment, knackdb_error *error)
{
    struct log_segment_options options = {
        .dir = writer->options.dir,
        .schema = writer->options.schema,
        .store_id = writer->options.store_id,
        .serial = writer->next_serial,
        .durable = atomic_load_explicit(&writer->log_durable, memory_order_relaxed),
        .bytes = segment_bytes_wanted(writer),
        .room = room,
        .file_mode = writer->options.file_mode,
        .maps = writer->maps,
    };
    knackdb_status status = log_segment_new(writer->allocator, &options, ret_segment, error);

    if (status == KNACKDB_OK)
        writer->next_serial++;
    return status;
}

static void
discard_segment(struct log_writer *writer, struct log_segment *segment)
{
    char name[DISK_NAME_BYTES_MAX];

    if (segment == NULL)
        return;
    file_name_write(name, FILE_LOG, segment->serial);
    log_segment_free(segment);
    (void) dir_remove(writer->options.dir, name, NULL); /* empty: what remains of it is harmless */
}

/* A segment with room for this record: the one made ahead where it will do. Under making. */
static knackdb_status
get_segment(struct log_writer *writer, size_t record_bytes, struct log_segment **ret_segment, knackdb_error *error)
{
    struct log_segment *segment;
    knackdb_status      status;

    (void) pthread_mutex_lock(&writer->mutex);
    segment = writer->next;
    writer->next = NULL;
    (void) pthread_mutex_unlock(&writer->mutex);
    if (segment != NULL && !log_segment_has_room(segment, record_bytes)) {
        discard_segment(writer, segment);
        segment = NULL;
    }
    if (segment == NULL) {
        status = make_segment(writer, record_bytes, &segment, error);
        if (status != KNACKDB_OK)
            return status;
        atomic_fetch_add_explicit(&writer->late, 1, memory_order_relaxed);
    }
    *ret_segment = segment;
    return KNACKDB_OK;
}

/* Ends the current segment and begins another, whose first commit is `sequence`. The appender's. */
static knackdb_status
rotate(struct log_writer *writer, uint64_t sequence, size_t record_bytes, knackdb_error *error)
{
    struct listed_segment *kept = segment_list_entry(writer->allocator, 0, 0);
    struct log_segment    *segment = NULL;
    struct log_segment   **link;
    knackdb_status         status;

    if (kept == NULL)
        return error_no_memory(error, "a log segment");
    (void) pthread_mutex_lock(&writer->making);
    status = get_segment(writer, record_bytes, &segment, error);
    if (status != KNACKDB_OK) {
        (void) pthread_mutex_unlock(&writer->making);
        segment_list_free(writer->allocator, kept);
        return status;
    }
    kept->serial = segment->serial;

    (void) pthread_mutex_lock(&writer->mutex);
    segment_list_finish(&writer->kept, sequence - 1);
    segment_list_add(&writer->kept, kept);
    if (writer->current != NULL) {
        for (link = &writer->sealed; *link != NULL; link = &(*link)->next)
            continue;
        *link = writer->current;
    }
    writer->current = segment;
    (void) pthread_mutex_unlock(&writer->mutex);
    (void) pthread_mutex_unlock(&writer->making);
    atomic_store_explicit(&writer->rotates, false, memory_order_relaxed);
    atomic_store_explicit(&writer->wake_at, 0, memory_order_relaxed); /* pages to ready, a next one to make */
    return KNACKDB_OK;
}

/* ---- appending ---- */

static void
fail(struct log_writer *writer, const knackdb_error *failure)
{
    (void) pthread_mutex_lock(&writer->mutex);
    if (!atomic_load_explicit(&writer->failed, memory_order_relaxed)) {
        writer->failure = *failure;
        atomic_store_explicit(&writer->failed, true, memory_order_release);
    }
    (void) pthread_cond_broadcast(&writer->synced);
    (void) pthread_mutex_unlock(&writer->mutex);
    writer->options.wake(writer->options.wake_context);
}

/* W3: NO_MEMORY refuses this one commit, which may come again; anything else ends the log. */
static knackdb_status
log_writer_append(struct commit_log *log, uint64_t sequence, int64_t time_us, const void *payload,
                  size_t payload_bytes, knackdb_error *error)
{
    struct log_writer *writer = (struct log_writer *) log;
    struct log_record  record = {
         .kind = LOG_RECORD_COMMIT,
         .payload_bytes = (uint32_t) payload_bytes,
         .sequence = sequence,
         .time_us = time_us,
         .durable = atomic_load_explicit(&writer->log_durable, memory_order_relaxed),
         .payload = payload,
    };
    size_t         bytes = log_record_bytes(payload_bytes);
    size_t         room = bytes + log_record_bytes(0); /* for the seal behind it, too */
    knackdb_error  failure = { 0 };
    knackdb_status status = KNACKDB_OK;

    if (atomic_load_explicit(&writer->failed, memory_order_relaxed))
        return KNACKDB_OK;
    if (writer->current == NULL || !log_segment_has_room(writer->current, room) ||
        atomic_load_explicit(&writer->rotates, memory_order_relaxed))
        status = rotate(writer, sequence, room, &failure);
    if (status == KNACKDB_OK)
        status = log_segment_append(writer->current, &record, &writer->staging, &failure);
    if (status == KNACKDB_NO_MEMORY) {
        if (error != NULL)
            *error = failure;
        return status;
    }
    if (status != KNACKDB_OK) {
        fail(writer, &failure);
        return KNACKDB_OK;
    }

    atomic_store_explicit(&writer->time_us, time_us, memory_order_relaxed);
    atomic_store_explicit(&writer->position, log_writer_position(writer) + bytes, memory_order_relaxed);
    atomic_store_explicit(&writer->appended, sequence, memory_order_seq_cst);
    if (atomic_load_explicit(&writer->asleep, memory_order_seq_cst) ||
        atomic_load_explicit(&writer->current->used, memory_order_relaxed) >=
            atomic_load_explicit(&writer->wake_at, memory_order_relaxed)) {
        atomic_store_explicit(&writer->wake_at, UINT64_MAX, memory_order_relaxed);
        writer->options.wake(writer->options.wake_context);
    }
    return KNACKDB_OK;
}

/* ---- syncing ---- */

/* What one sync has to do, taken under mutex. */
struct sync_work {
    struct log_segment *sealed;
    struct log_segment *done; /* what was in `sealed`, afterwards */
    struct log_segment *current;
    uint64_t            sequence;
    uint64_t            position;
    uint64_t            serial; /* newest in use */
    bool                names;  /* the directory is to be synced, too */
};

static struct sync_work
take_work(struct log_writer *writer)
{
    struct sync_work work = { 0 };

    work.position = log_writer_position(writer);
    work.sequence = atomic_load_explicit(&writer->appended, memory_order_acquire); /* W1: before the segments */
    work.sealed = writer->sealed;
    writer->sealed = NULL;
    work.current = writer->current;
    work.serial = work.current != NULL ? work.current->serial : 0;
    work.names = work.serial > writer->named;
    return work;
}

static knackdb_status
do_work(struct log_writer *writer, struct sync_work *work, knackdb_error *error)
{
    knackdb_status status = KNACKDB_OK;

    if (work->names)
        status = dir_sync(writer->options.dir, error);
    while (work->sealed != NULL) {
        struct log_segment *segment = work->sealed;

        work->sealed = segment->next;
        if (status == KNACKDB_OK)
            status = log_segment_sync(segment, error);
        segment->next = work->done;
        work->done = segment;
    }
    if (status == KNACKDB_OK && work->current != NULL)
        status = log_segment_sync(work->current, error);
    return status;
}

static void
lift(_Atomic uint64_t *sequence, uint64_t to)
{
    if (to > atomic_load_explicit(sequence, memory_order_relaxed))
        atomic_store_explicit(sequence, to, memory_order_relaxed);
}

/* Until `reached`, one of `durable` and `log_durable`, has come to `sequence`. */
static knackdb_status
sync_until(struct log_writer *writer, const _Atomic uint64_t *reached, uint64_t sequence, knackdb_error *error)
{
    knackdb_status status = KNACKDB_OK;

    (void) pthread_mutex_lock(&writer->mutex);
    while (atomic_load_explicit(reached, memory_order_relaxed) < sequence) {
        struct sync_work work;
        knackdb_error    failure = { 0 };
        bool             is_synced;

        if (atomic_load_explicit(&writer->failed, memory_order_relaxed)) {
            if (error != NULL)
                *error = writer->failure;
            status = KNACKDB_IO;
            break;
        }
        if (writer->syncing) {
            (void) pthread_cond_wait(&writer->synced, &writer->mutex);
            continue;
        }
        writer->syncing = true;
        work = take_work(writer);
        (void) pthread_mutex_unlock(&writer->mutex);
        is_synced = do_work(writer, &work, &failure) == KNACKDB_OK;
        if (!is_synced)
            fail(writer, &failure); /* told in the next turn, unless a snapshot has come to the rescue by then */
        (void) pthread_mutex_lock(&writer->mutex);
        writer->syncing = false;
        while (work.done != NULL) {
            struct log_segment *segment = work.done;

            work.done = segment->next;
            segment->next = writer->done;
            writer->done = segment;
        }
        if (is_synced) {
            lift(&writer->durable, work.sequence);
            lift(&writer->log_durable, work.sequence);
            writer->synced_position = work.position;
            if (work.serial > writer->named)
                writer->named = work.serial;
        }
        (void) pthread_cond_broadcast(&writer->synced);
    }
    (void) pthread_mutex_unlock(&writer->mutex);
    return status;
}

knackdb_status
log_writer_sync(struct log_writer *writer, uint64_t sequence, knackdb_error *error)
{
    return sync_until(writer, &writer->durable, sequence, error);
}

/* ---- the flusher ---- */

static void
make_next(struct log_writer *writer)
{
    struct log_segment *segment = NULL;
    knackdb_error       failure = { 0 };
    uint64_t            serial = 0;
    bool                wanted;

    (void) pthread_mutex_lock(&writer->making);
    (void) pthread_mutex_lock(&writer->mutex);
    wanted = writer->next == NULL && !atomic_load_explicit(&writer->failed, memory_order_relaxed);
    (void) pthread_mutex_unlock(&writer->mutex);
    /* Where it cannot be made, the appender will find out for itself, and then it is a failure. */
    if (wanted && make_segment(writer, 0, &segment, NULL) == KNACKDB_OK) {
        log_segment_populate(segment, AHEAD_BYTES_MIN);
        (void) pthread_mutex_lock(&writer->mutex);
        writer->next = segment;
        serial = segment->serial;
        (void) pthread_mutex_unlock(&writer->mutex);
    }
    (void) pthread_mutex_unlock(&writer->making); /* from here on an appender may find it too small and discard it */
    if (serial == 0)
        return;
    /* W3: the system tells a failure once, and the next sync might say that all is well. */
    if (dir_sync(writer->options.dir, &failure) != KNACKDB_OK) {
        fail(writer, &failure);
        return;
    }
    (void) pthread_mutex_lock(&writer->mutex);
    if (serial > writer->named)
        writer->named = serial;
    (void) pthread_mutex_unlock(&writer->mutex);
}

static void
free_segments(struct log_segment *segments)
{
    while (segments != NULL) {
        struct log_segment *segment = segments;

        segments = segment->next;
        log_segment_free(segment);
    }
}

/* W6. All that they hold is on stable storage; where the space behind cannot be given back, it is no loss but of space. */
static void
retire_segments(struct log_segment *segments)
{
    for (struct log_segment *segment = segments; segment != NULL; segment = segment->next)
        (void) log_segment_cut(segment, NULL);
    free_segments(segments);
}

/* How far ahead of the appender the pages should be ready now. */
static uint64_t
choose_ahead(struct log_writer *writer)
{
    uint64_t position = log_writer_position(writer);
    uint64_t now = clock_monotonic_ns();
    uint64_t bytes = position - writer->tended_position;
    uint64_t ns = now - writer->tended_ns + 1;
    double   ahead = (double) bytes / (double) ns * (double) AHEAD_NS;

    writer->tended_position = position;
    writer->tended_ns = now;
    if (ahead < (double) AHEAD_BYTES_MIN)
        return AHEAD_BYTES_MIN;
    return ahead > (double) AHEAD_BYTES_MAX ? AHEAD_BYTES_MAX : (uint64_t) ahead;
}

knackdb_status
log_writer_remove_up_to(struct log_writer *writer, uint64_t sequence, knackdb_error *error)
{
    struct listed_segment *taken;
    char                   name[DISK_NAME_BYTES_MAX];
    knackdb_status         status = KNACKDB_OK;

    (void) pthread_mutex_lock(&writer->mutex);
    if (sequence > writer->covered)
        writer->covered = sequence;
    taken = segment_list_take(&writer->kept, writer->covered);
    (void) pthread_mutex_unlock(&writer->mutex);
    for (struct listed_segment *entry = taken; entry != NULL && status == KNACKDB_OK; entry = entry->next) {
        file_name_write(name, FILE_LOG, entry->serial);
        status = dir_remove(writer->options.dir, name, error); /* what stays is swept at the next open */
    }
    segment_list_free(writer->allocator, taken);
    return status;
}

void
log_writer_tend(struct log_writer *writer)
{
    struct log_segment *current;
    struct log_segment *done;
    uint64_t            ahead = choose_ahead(writer);
    uint64_t            used = 0;
    uint64_t            next_at = 0;
    bool                has_next;

    if (atomic_load_explicit(&writer->failed, memory_order_acquire))
        return;

    (void) pthread_mutex_lock(&writer->mutex);
    current = writer->current;
    has_next = writer->next != NULL;
    done = writer->done;
    writer->done = NULL;
    (void) pthread_mutex_unlock(&writer->mutex);
    retire_segments(done);
    /* W6: only we close segments, so `current` stays mapped while we look at it, whoever rotates and syncs it. */
    if (current != NULL) {
        log_segment_populate(current, ahead);
        used = atomic_load_explicit(&current->used, memory_order_relaxed);
        next_at = current->capacity / 2;
    }
    if (!has_next && used >= next_at) {
        make_next(writer);
        has_next = true; /* or it could not be made: no use asking again before the next round */
    }
    used = current != NULL ? used + ahead / 2 : UINT64_MAX;
    if (!has_next && used > next_at)
        used = next_at;
    atomic_store_explicit(&writer->wake_at, used, memory_order_relaxed);
}

bool
log_writer_fall_asleep(struct log_writer *writer)
{
    struct log_segment *current;

    (void) pthread_mutex_lock(&writer->mutex);
    current = writer->current;
    (void) pthread_mutex_unlock(&writer->mutex);
    if (current != NULL)
        log_segment_rest(current); /* W6 */
    atomic_store_explicit(&writer->asleep, true, memory_order_seq_cst);
    return atomic_load_explicit(&writer->appended, memory_order_seq_cst) !=
               atomic_load_explicit(&writer->durable, memory_order_relaxed) &&
           !atomic_load_explicit(&writer->failed, memory_order_relaxed);
}

void
log_writer_wake_up(struct log_writer *writer)
{
    atomic_store_explicit(&writer->asleep, false, memory_order_relaxed);
}

/* ---- snapshots ---- */

knackdb_status
log_writer_adopt(struct log_writer *writer, uint64_t serial, uint64_t last_sequence, knackdb_error *error)
{
    struct listed_segment *entry = segment_list_entry(writer->allocator, serial, last_sequence);

    if (entry == NULL)
        return error_no_memory(error, "a log segment");
    (void) pthread_mutex_lock(&writer->mutex);
    segment_list_add(&writer->kept, entry);
    (void) pthread_mutex_unlock(&writer->mutex);
    return KNACKDB_OK;
}

void
log_writer_rotate(struct log_writer *writer)
{
    atomic_store_explicit(&writer->rotates, true, memory_order_relaxed);
}

void
log_writer_covered(struct log_writer *writer, uint64_t sequence, uint64_t position)
{
    (void) pthread_mutex_lock(&writer->mutex);
    lift(&writer->durable, sequence);
    writer->log_base = position;
    (void) pthread_cond_broadcast(&writer->synced);
    (void) pthread_mutex_unlock(&writer->mutex);
}

uint64_t
log_writer_serial_for(struct log_writer *writer, uint64_t sequence)
{
    uint64_t serial;

    (void) pthread_mutex_lock(&writer->making);
    (void) pthread_mutex_lock(&writer->mutex);
    serial = segment_list_find(&writer->kept, sequence,
                               writer->next != NULL ? writer->next->serial : writer->next_serial);
    (void) pthread_mutex_unlock(&writer->mutex);
    (void) pthread_mutex_unlock(&writer->making);
    return serial;
}

/* ---- figures ---- */

uint64_t
log_writer_position(struct log_writer *writer)
{
    return atomic_load_explicit(&writer->position, memory_order_relaxed);
}

void
log_writer_get_figures(struct log_writer *writer, struct log_figures *ret_figures)
{
    (void) pthread_mutex_lock(&writer->mutex);
    ret_figures->durable = atomic_load_explicit(&writer->durable, memory_order_relaxed);
    ret_figures->has_failed = atomic_load_explicit(&writer->failed, memory_order_relaxed);
    ret_figures->failure = writer->failure;
    ret_figures->position = log_writer_position(writer);
    ret_figures->log_bytes = ret_figures->position - writer->log_base;
    ret_figures->unsynced_bytes = ret_figures->position - writer->synced_position;
    (void) pthread_mutex_unlock(&writer->mutex);
    ret_figures->sequence = atomic_load_explicit(&writer->appended, memory_order_acquire);
    ret_figures->time_us = atomic_load_explicit(&writer->time_us, memory_order_relaxed);
    ret_figures->segments_made_late = atomic_load_explicit(&writer->late, memory_order_relaxed);
}

/* ---- the end ---- */

/* Witness for the whole log: whoever finds the seal and, before it, a bad record, knows that it
 * was damaged and not torn. Two syncs: the seal must not be there before what it vouches for. */
static knackdb_status
seal(struct log_writer *writer, knackdb_error *error)
{
    struct log_segment *segment = writer->current;
    struct log_record   record = {
          .kind = LOG_RECORD_SEAL,
          .sequence = atomic_load_explicit(&writer->appended, memory_order_relaxed),
          .time_us = atomic_load_explicit(&writer->time_us, memory_order_relaxed),
          .durable = atomic_load_explicit(&writer->appended, memory_order_relaxed),
          .payload = (const unsigned char *) "",
    };
    knackdb_status status = KNACKDB_OK;

    if (log_segment_has_room(segment, log_record_bytes(0)))
        status = log_segment_append(segment, &record, &writer->staging, error);
    if (status == KNACKDB_OK)
        status = log_segment_cut(segment, error);
    if (status == KNACKDB_OK)
        status = file_sync(&segment->file, error);
    return status;
}

static void
free_writer(struct log_writer *writer)
{
    free_segments(writer->sealed);
    free_segments(writer->done);
    log_segment_free(writer->current);
    log_segment_free(writer->next);
    segment_list_free(writer->allocator, writer->kept.first);
    byte_buffer_clear(&writer->staging);
    allocator_put(writer->allocator, writer, sizeof *writer);
}

knackdb_status
log_writer_close(struct log_writer *writer, uint64_t sequence, uint64_t covered, knackdb_error *error)
{
    uint64_t       last;
    knackdb_status status;

    if (writer == NULL)
        return KNACKDB_OK;
    last = atomic_load_explicit(&writer->appended, memory_order_relaxed);
    /* A log that failed took none of the commits after that, and whoever closes is told. */
    if (atomic_load_explicit(&writer->failed, memory_order_relaxed) && sequence > last)
        status = log_writer_sync(writer, sequence, error);
    else
        status = log_writer_sync(writer, last, error);
    discard_segment(writer, writer->next);
    writer->next = NULL;
    if (writer->current != NULL && status == KNACKDB_OK && last > covered &&
        !atomic_load_explicit(&writer->failed, memory_order_relaxed)) {
        status = sync_until(writer, &writer->log_durable, last, error);
        if (status == KNACKDB_OK)
            status = seal(writer, error);
    }
    if (!atomic_load_explicit(&writer->failed, memory_order_relaxed)) {
        retire_segments(writer->done);
        writer->done = NULL;
    }
    segment_list_finish(&writer->kept, last);
    (void) log_writer_remove_up_to(writer, covered, NULL);
    (void) pthread_mutex_destroy(&writer->mutex);
    (void) pthread_mutex_destroy(&writer->making);
    (void) pthread_cond_destroy(&writer->synced);
    free_writer(writer);
    return status;
}

/* The locks are left as they are: a thread that the child does not have may be holding them, and
 * ending a condition variable waits for those that wait on it. */
void
log_writer_abandon(struct log_writer *writer)
{
    if (writer != NULL)
        free_writer(writer);
}
