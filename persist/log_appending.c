/* log_appending.c - commits into the log, without waiting: the appender's part, under the store's writers' lock.
 *
 * log_writer_state.h tells how it lives with the flusher and the syncers (W1 to W6). A commit is copied into the
 * current segment; where that is full, the one made ahead takes its place, and where
 * none is ready, the appender makes one itself. */
#include "persist/log_writer_state.h"

#include "base/error.h"
#include "persist/file_name.h"

/* A new store's first segment; those after it grow with the log. */
#define SEGMENT_BYTES_FIRST ((uint64_t) 1024 * 1024)

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
    if (log_writer_condition(writer) != LOG_SOUND)
        log_bytes = 0; /* as after the snapshot that will mend it; and the disk may be nearly full */
    while (bytes < log_bytes && bytes < limit)
        bytes *= 2;
    return bytes < limit ? bytes : limit;
}

/* Under making. */
knackdb_status
log_writer_make_segment(struct log_writer *writer, size_t room, struct log_segment **ret_segment, knackdb_error *error)
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

void
log_writer_discard_segment(struct log_writer *writer, struct log_segment *segment)
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
        log_writer_discard_segment(writer, segment);
        segment = NULL;
    }
    if (segment == NULL) {
        status = log_writer_make_segment(writer, record_bytes, &segment, error);
        if (status != KNACKDB_OK)
            return status;
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
    if (writer->current != NULL)
        log_segment_leave(writer->current); /* now: once it is sealed and synced the flusher ends it (W6) */

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

void
log_writer_fail(struct log_writer *writer, const knackdb_error *failure)
{
    (void) pthread_mutex_lock(&writer->mutex);
    if (log_writer_condition(writer) != LOG_BROKEN) {
        writer->failure = *failure;
        atomic_store_explicit(&writer->condition, LOG_BROKEN, memory_order_release);
    }
    (void) pthread_cond_broadcast(&writer->synced);
    (void) pthread_mutex_unlock(&writer->mutex);
    writer->options.wake(writer->options.wake_context);
}

/* What a store hears that is refused. */
static knackdb_status
refuse(struct log_writer *writer, knackdb_error *error)
{
    knackdb_error failure;

    (void) pthread_mutex_lock(&writer->mutex);
    failure = writer->failure;
    (void) pthread_mutex_unlock(&writer->mutex);
    (void) error_set(error, KNACKDB_IO, "refused while the disk fails: %.460s", failure.message);
    if (error != NULL)
        error->os_errno = failure.os_errno;
    return KNACKDB_IO;
}

/* A commit that no log takes goes on in memory, if that is wanted. */
static knackdb_status
go_without(struct log_writer *writer, int64_t time_us, knackdb_error *error)
{
    if (writer->options.refuses)
        return refuse(writer, error);
    atomic_store_explicit(&writer->time_us, time_us, memory_order_relaxed);
    return KNACKDB_OK;
}

/* W3: NO_MEMORY refuses this one commit, which may come again; anything else breaks the log. */
knackdb_status
log_writer_append(struct commit_log *log, uint64_t sequence, int64_t time_us, const void *payload, size_t payload_bytes,
                  knackdb_error *error)
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
    enum log_condition condition = log_writer_condition(writer);
    size_t             bytes = log_record_bytes(payload_bytes);
    size_t             room = bytes + log_record_bytes(0); /* for the seal behind it, too */
    knackdb_error      failure = { 0 };
    knackdb_status     status = KNACKDB_OK;

    /* What a log took that nothing has joined yet may be lost: a commit that would rather be refused waits. */
    if (condition == LOG_BROKEN || (condition == LOG_MENDING && writer->options.refuses))
        return go_without(writer, time_us, error);
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
        log_writer_fail(writer, &failure);
        return go_without(writer, time_us, error);
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
