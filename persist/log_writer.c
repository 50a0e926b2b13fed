/* log_writer.c - a log's life: begun, told what is covered, asked how it is, sealed.
 *
 * log_writer_state.h tells who takes part and what holds between them. */
#include "persist/log_writer_state.h"

#include "base/error.h"
#include "persist/log_past.h"

#include <string.h>

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
    log_writer_lift(&writer->durable, sequence);
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
    serial =
        segment_list_find(&writer->kept, sequence, writer->next != NULL ? writer->next->serial : writer->next_serial);
    (void) pthread_mutex_unlock(&writer->mutex);
    (void) pthread_mutex_unlock(&writer->making);
    return serial;
}

uint64_t
log_writer_sound_bytes(void *context, uint64_t serial)
{
    struct log_writer *writer = context;
    uint64_t           bytes;

    (void) pthread_mutex_lock(&writer->mutex);
    bytes = segment_list_sound_bytes(&writer->kept, serial);
    (void) pthread_mutex_unlock(&writer->mutex);
    return bytes;
}

/* The first segment after this serial that holds nothing any more, and stays in the list; false where there is none. */
static bool
next_over(struct log_writer *writer, uint64_t *serial)
{
    const struct listed_segment *entry;

    (void) pthread_mutex_lock(&writer->mutex);
    entry = segment_list_next_over(&writer->kept, *serial, writer->covered);
    if (entry != NULL)
        *serial = entry->serial;
    (void) pthread_mutex_unlock(&writer->mutex);
    return entry != NULL;
}

/* Out of the list only behind that: until then it is known what of the file is sound. */
static void
forget(struct log_writer *writer, uint64_t serial)
{
    struct listed_segment *taken;

    (void) pthread_mutex_lock(&writer->mutex);
    taken = segment_list_take(&writer->kept, serial);
    (void) pthread_mutex_unlock(&writer->mutex);
    segment_list_free(writer->allocator, taken);
}

knackdb_status
log_writer_remove_up_to(struct log_writer *writer, uint64_t sequence, knackdb_error *error)
{
    uint64_t       serial = 0;
    knackdb_status first = KNACKDB_OK;

    (void) pthread_mutex_lock(&writer->mutex);
    if (sequence > writer->covered)
        writer->covered = sequence;
    (void) pthread_mutex_unlock(&writer->mutex);
    while (next_over(writer, &serial)) {
        knackdb_status status = log_past_take(writer->options.past, serial, first == KNACKDB_OK ? error : NULL);

        if (status == KNACKDB_OK)
            forget(writer, serial);
        else if (first == KNACKDB_OK)
            first = status;
    }
    return first;
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
    ret_figures->has_failed = log_writer_condition(writer) != LOG_SOUND;
    ret_figures->failure = writer->failure;
    ret_figures->position = log_writer_position(writer);
    ret_figures->log_bytes = ret_figures->position - writer->log_base;
    ret_figures->unsynced_bytes = ret_figures->position - writer->synced_position;
    (void) pthread_mutex_unlock(&writer->mutex);
    ret_figures->sequence = atomic_load_explicit(&writer->appended, memory_order_acquire);
    ret_figures->time_us = atomic_load_explicit(&writer->time_us, memory_order_relaxed);
}

/* ---- the end ---- */

void
log_writer_free_segments(struct log_segment *segments)
{
    while (segments != NULL) {
        struct log_segment *segment = segments;

        segments = segment->next;
        log_segment_free(segment);
    }
}

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
    log_writer_free_segments(writer->sealed);
    log_writer_free_segments(writer->done);
    log_writer_free_segments(writer->dead);
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
    /* A log that broke took none of the commits after that, and whoever closes is told. */
    if (log_writer_condition(writer) != LOG_SOUND && sequence > last)
        status = log_writer_sync(writer, sequence, error);
    else
        status = log_writer_sync(writer, last, error);
    log_writer_discard_segment(writer, writer->next);
    writer->next = NULL;
    if (writer->current != NULL && status == KNACKDB_OK && last > covered &&
        log_writer_condition(writer) == LOG_SOUND) {
        status = log_writer_sync_until(writer, &writer->log_durable, last, error);
        if (status == KNACKDB_OK)
            status = seal(writer, error);
    }
    if (log_writer_condition(writer) == LOG_SOUND) {
        log_writer_retire_segments(writer->done);
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

/* The locks are left as they are: a thread that the child does not have may be holding them, and ending a condition
 * variable waits for those that wait on it. Then what they guard is left, too; and in any case what was the
 * appender's. */
void
log_writer_abandon(struct log_writer *writer)
{
    if (writer == NULL || pthread_mutex_trylock(&writer->mutex) != 0)
        return;
    memset(&writer->staging, 0, sizeof writer->staging);
    free_writer(writer);
}
