/* log_segment.c - a piece of the log, ready to be written before anybody wants to.
 *
 * An append to a mapped segment is a copy into memory, which outlives the process
 * the moment it is made: the pages belong to the system. What could go wrong in a
 * mapping is put out of reach before the first append:
 *
 *   - A full disk would be a signal in the middle of a copy. The file's whole space is
 *     set aside first; where the file system cannot promise that, the segment is written
 *     with write(2).
 *   - A bad sector would be a signal on a read. Nothing is read through the mapping; the
 *     checksum is made over the caller's memory.
 *   - A file cut by somebody else would be a signal, too. Only the writer cuts, and only
 *     behind its last record.
 *
 * Touching a page of the mapping for the first time costs a fault, so the flusher
 * touches them ahead of the writer (populate), as far ahead as the writer is fast,
 * and lets go of the pages behind it, so that a log never weighs in the host's memory;
 * the writer does that where the flusher is late. Both are matters of cost alone: an
 * append that meets an unready page makes it ready. */
#include "persist/log_segment.h"

#include "base/clock.h"
#include "base/error.h"
#include "persist/file_name.h"
#include "persist/store_id.h"

#include <string.h>

#define PAGE_BYTES ((uint64_t) 4096)

/* Pages are let go in runs of this size, not one by one, and of a large segment in larger ones: each time the
 * processors that run this process are interrupted. */
#define DROP_BYTES_MIN ((uint64_t) 192 * 1024)
#define DROP_BYTES_MAX ((uint64_t) 1024 * 1024)
#define DROP_SHARE     32

/* Pages that stay ready while nobody writes. */
#define REST_BYTES ((uint64_t) 16 * 1024)

/* Records up to this size are put together in memory and written with one call. */
#define STAGING_BYTES_MAX ((size_t) 64 * 1024)

static uint64_t
page_up(uint64_t bytes)
{
    return (bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
}

/* Space, head, mapping; the file has just been created. */
static knackdb_status
lay_out(struct log_segment *segment, const struct log_segment_options *options, const struct byte_buffer *head,
        knackdb_error *error)
{
    knackdb_status status;
    void          *memory = NULL;

    status = file_allocate(&segment->file, segment->capacity, error);
    if (status != KNACKDB_OK && status != KNACKDB_UNSUPPORTED)
        return status;
    /* Without space set aside a mapping would be a trap; without a mapping (the host may have used up its
     * address space) there is still write(2). */
    if (status == KNACKDB_OK && options->maps &&
        file_map(&segment->file, segment->capacity, &memory, NULL) == KNACKDB_OK)
        segment->map = memory;
    return file_write(&segment->file, 0, head->data, head->bytes, error);
}

knackdb_status
log_segment_new(struct allocator *allocator, const struct log_segment_options *options,
                struct log_segment **ret_segment, knackdb_error *error)
{
    struct log_segment *segment = NULL;
    struct byte_buffer  head;
    char                name[DISK_NAME_BYTES_MAX];
    knackdb_status      status;

    byte_buffer_init(&head, allocator);
    log_head_write(&head, options->store_id, options->serial, options->durable, clock_wall_us(), options->schema);
    segment = allocator_get_zeroed(allocator, sizeof *segment);
    if (head.failed || segment == NULL) {
        allocator_put(allocator, segment, sizeof *segment); /* not yet one that log_segment_free() could end */
        segment = NULL;
        status = error_no_memory(error, "a log segment");
        goto out;
    }
    segment->allocator = allocator;
    segment->serial = options->serial;
    segment->seed = store_id_seed(options->store_id, options->serial);
    segment->head_bytes = head.bytes;
    segment->capacity =
        page_up(options->bytes > head.bytes + options->room ? options->bytes : head.bytes + options->room);
    atomic_init(&segment->used, head.bytes);

    file_name_write(name, FILE_LOG, options->serial);
    status = file_open(options->dir, name, DISK_CREATE, options->file_mode, &segment->file, error);
    if (status != KNACKDB_OK)
        goto out;
    status = lay_out(segment, options, &head, error);
    if (status != KNACKDB_OK) {
        (void) dir_remove(options->dir, name, NULL); /* what could not be finished must not take up a full disk */
        goto out;
    }
    *ret_segment = segment;
    segment = NULL;

out:
    log_segment_free(segment);
    byte_buffer_clear(&head);
    return status;
}

void
log_segment_free(struct log_segment *segment)
{
    if (segment == NULL)
        return;
    if (segment->map != NULL)
        segment->file.dir->disk->unmap(segment->file.dir->disk, segment->map, segment->capacity);
    file_close(&segment->file);
    allocator_put(segment->allocator, segment, sizeof *segment);
}

/* The payload first where it is too long to be put together: the header alone makes a record of it. */
static knackdb_status
append_by_write(struct log_segment *segment, uint64_t used, const unsigned char header[LOG_RECORD_HEADER_BYTES],
                const struct log_record *record, struct byte_buffer *staging, knackdb_error *error)
{
    knackdb_status status;

    if (record->payload_bytes <= STAGING_BYTES_MAX) {
        staging->bytes = 0;
        byte_buffer_put(staging, header, LOG_RECORD_HEADER_BYTES);
        byte_buffer_put(staging, record->payload, record->payload_bytes);
        if (staging->failed) {
            staging->failed = false;
            return error_no_memory(error, "a record of the log");
        }
        return file_write(&segment->file, used, staging->data, staging->bytes, error);
    }
    status = file_write(&segment->file, used + LOG_RECORD_HEADER_BYTES, record->payload, record->payload_bytes, error);
    if (status == KNACKDB_OK)
        status = file_write(&segment->file, used, header, LOG_RECORD_HEADER_BYTES, error);
    return status;
}

static uint64_t
drop_bytes(const struct log_segment *segment)
{
    uint64_t bytes = segment->capacity / DROP_SHARE;

    return bytes < DROP_BYTES_MIN ? DROP_BYTES_MIN : bytes > DROP_BYTES_MAX ? DROP_BYTES_MAX : bytes;
}

/* All before it is whole pages of whole records: nobody writes there any more. Whoever comes to it lets go; two at once
 * do no harm, for a page let go comes back from the file when it is touched. */
static void
let_go(struct log_segment *segment, uint64_t to)
{
    const struct disk *disk = segment->file.dir->disk;
    uint64_t           from = atomic_load_explicit(&segment->dropped, memory_order_relaxed);

    if (to <= from)
        return;
    disk->drop(disk, segment->map + from, to - from);
    atomic_store_explicit(&segment->dropped, to, memory_order_relaxed);
}

knackdb_status
log_segment_append(struct log_segment *segment, const struct log_record *record, struct byte_buffer *staging,
                   knackdb_error *error)
{
    uint64_t       used = atomic_load_explicit(&segment->used, memory_order_relaxed);
    unsigned char  header[LOG_RECORD_HEADER_BYTES];
    knackdb_status status;

    log_record_write_header(header, segment->seed, record);
    if (segment->map != NULL) {
        memcpy(segment->map + used, header, sizeof header);
        memcpy(segment->map + used + sizeof header, record->payload, record->payload_bytes);
        /* The flusher's work, who does it twice as soon; but he may be kept from the processor, or wait for the file
         * system, while a megabyte a millisecond is written. */
        if (used >= atomic_load_explicit(&segment->dropped, memory_order_relaxed) + 2 * drop_bytes(segment))
            let_go(segment, used & ~(PAGE_BYTES - 1));
    } else {
        status = append_by_write(segment, used, header, record, staging, error);
        if (status != KNACKDB_OK) {
            /* What got there of it must not be taken for a commit, and zeros that were set aside might complete it. */
            if (status != KNACKDB_NO_MEMORY)
                (void) file_truncate(&segment->file, used, NULL);
            return status;
        }
    }
    atomic_store_explicit(&segment->used, used + log_record_bytes(record->payload_bytes), memory_order_release);
    return KNACKDB_OK;
}

knackdb_status
log_segment_sync(struct log_segment *segment, knackdb_error *error)
{
    const struct disk *disk = segment->file.dir->disk;
    uint64_t           used = atomic_load_explicit(&segment->used, memory_order_acquire);
    uint64_t           from = segment->synced & ~(PAGE_BYTES - 1);
    uint64_t           whole = used & ~(PAGE_BYTES - 1);
    knackdb_status     status;

    if (segment->map != NULL) {
        /* The system takes the right to write from each page it is about to write out, and for each interrupts
         * whichever processors run this process: ten microseconds of a store, a hundred times over. Pages that nobody
         * has mapped cost none of that, and those that are full nobody needs mapped. */
        if (whole > from)
            disk->drop(disk, segment->map + from, whole - from);
        status = file_sync_map(&segment->file, segment->map + from, page_up(used) - from, error);
    } else
        status = file_sync(&segment->file, error);
    if (status == KNACKDB_OK)
        segment->synced = used;
    return status;
}

void
log_segment_populate(struct log_segment *segment, uint64_t ahead)
{
    const struct disk *disk = segment->file.dir->disk;
    uint64_t           used = atomic_load_explicit(&segment->used, memory_order_acquire);
    uint64_t           from = used & ~(PAGE_BYTES - 1);
    uint64_t           to = page_up(used + ahead);

    if (segment->map == NULL)
        return;
    if (to > segment->capacity)
        to = segment->capacity;
    if (from < segment->populated)
        from = segment->populated;
    if (from < to) {
        disk->populate(disk, segment->map + from, to - from);
        segment->populated = to;
    }
    used &= ~(PAGE_BYTES - 1);
    if (used >= atomic_load_explicit(&segment->dropped, memory_order_relaxed) + drop_bytes(segment))
        let_go(segment, used);
}

/* Also safe beside an appender: a page dropped from a mapping comes back from the file when it is written. */
void
log_segment_rest(struct log_segment *segment)
{
    const struct disk *disk = segment->file.dir->disk;
    uint64_t           used = atomic_load_explicit(&segment->used, memory_order_acquire);
    uint64_t           from = page_up(used) + REST_BYTES;

    if (segment->map == NULL)
        return;
    if (segment->populated > from) {
        disk->drop(disk, segment->map + from, segment->populated - from);
        segment->populated = from;
    }
    let_go(segment, used & ~(PAGE_BYTES - 1));
}

void
log_segment_leave(struct log_segment *segment)
{
    if (segment->map != NULL)
        let_go(segment, segment->capacity);
}

/* `capacity` stays: who unmaps has to know how much was mapped. */
knackdb_status
log_segment_cut(struct log_segment *segment, knackdb_error *error)
{
    if (segment->map != NULL)
        segment->file.dir->disk->unmap(segment->file.dir->disk, segment->map, segment->capacity);
    segment->map = NULL;
    return file_truncate(&segment->file, atomic_load_explicit(&segment->used, memory_order_acquire), error);
}
