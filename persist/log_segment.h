/* log_segment.h - one log segment being written: a file with its space set aside, mapped where that is safe. */
#ifndef KNACKDB_PERSIST_LOG_SEGMENT_H
#define KNACKDB_PERSIST_LOG_SEGMENT_H

#include "persist/disk.h"
#include "persist/log_format.h"

#include <stdatomic.h>

struct log_segment {
    struct allocator   *allocator;
    struct log_segment *next; /* in whatever list it is */
    struct file         file;
    uint64_t            serial;
    uint64_t            seed;
    uint64_t            head_bytes;
    uint64_t            capacity; /* of the file */
    unsigned char      *map;      /* NULL: written with write(2) */
    /* Where the next record goes. Written by the appender alone, with release, after the record's bytes; who
     * reads it with acquire (the flusher, a sync) sees those. */
    _Atomic uint64_t    used;
    uint64_t            populated; /* up to here pages are ready; the flusher's own */
    _Atomic uint64_t    dropped;   /* up to here they are out of memory; the flusher's and the appender's, relaxed */
    uint64_t            synced;    /* up to here it is on stable storage; whoever syncs, one at a time */
};

struct log_segment_options {
    const struct dir    *dir;
    const struct schema *schema;
    uint64_t             store_id;
    uint64_t             serial;
    uint64_t             durable;
    uint64_t             bytes; /* wanted; rounded up to a page, and to what the head needs beside `room` */
    size_t               room;  /* of the first record, 0 where unknown */
    uint32_t             file_mode;
    bool                 maps;
};

/* Makes a new segment. Nothing is synced: the first sync of the segment covers its
 * head, and its name must be made durable with dir_sync(). On failure no file is left. */
knackdb_status log_segment_new(struct allocator *allocator, const struct log_segment_options *options,
                               struct log_segment **ret_segment, knackdb_error *error);

/* Unmaps, closes and frees; the file stays. NULL is accepted. */
void log_segment_free(struct log_segment *segment);

/* Writes a record behind the last one; log_segment_has_room() must hold. In a mapping this cannot fail. After a
 * failure the segment must not be written to again. */
knackdb_status log_segment_append(struct log_segment *segment, const struct log_record *record,
                                  struct byte_buffer *staging, knackdb_error *error);

static inline bool
log_segment_has_room(const struct log_segment *segment, size_t record_bytes)
{
    return atomic_load_explicit(&segment->used, memory_order_relaxed) + record_bytes <= segment->capacity;
}

/* Puts what was appended so far on stable storage. One thread at a time. */
knackdb_status log_segment_sync(struct log_segment *segment, knackdb_error *error);

/* Makes the next `ahead` bytes cheap to write and lets go of what has been written; log_segment_append() does the
 * latter where this is late. The flusher's, and before that of who made the segment. */
void log_segment_populate(struct log_segment *segment, uint64_t ahead);

/* Lets go of all but the next few pages: nobody is in a hurry now. The flusher's. */
void log_segment_rest(struct log_segment *segment);

/* Lets go of all there is: the appender's, of a segment that he appends no more to. */
void log_segment_leave(struct log_segment *segment);

/* Unmaps, and gives back the space behind the last record. Nothing may be appended and no page readied afterwards: for
 * who is about to free the segment, and not for who only syncs it. */
knackdb_status log_segment_cut(struct log_segment *segment, knackdb_error *error);

#endif
