/* segment_reader.h - one log segment, record by record, through a window of bounded size.
 *
 * The file may grow while it is read: what is no record now may be one later. */
#ifndef KNACKDB_PERSIST_SEGMENT_READER_H
#define KNACKDB_PERSIST_SEGMENT_READER_H

#include "persist/disk.h"
#include "persist/log_format.h"

struct segment_reader {
    struct allocator  *allocator;
    const struct file *file;
    uint64_t           serial;
    uint64_t           store_id;
    uint64_t           seed;
    uint64_t           durable;       /* from the head; 0 where it has not been read */
    uint64_t           last_sequence; /* of the commit read last; 0: none */
    uint32_t           head_bytes;    /* 0: the head has not been read */
    uint32_t           schema_version;
    struct commit_map  map;
    uint64_t           file_bytes; /* when last asked */
    uint64_t           offset;     /* of the next record */
    unsigned char     *window;
    size_t             window_capacity;
    size_t             window_bytes;
    uint64_t           window_offset;
};

/* A place in the log, and the form of the segment that it was seen in. */
struct log_place {
    uint64_t serial;  /* 0: none */
    bool     is_past; /* in history, packed */
    uint64_t offset;
};

struct log_place segment_reader_place(const struct segment_reader *reader, uint64_t offset);

/* The name of its file. */
void log_place_write_name(char name[DISK_NAME_BYTES_MAX], const struct log_place *place);

/* `file` stays the caller's and must stay open. */
void segment_reader_init(struct segment_reader *reader, struct allocator *allocator, const struct file *file,
                         uint64_t store_id, uint64_t serial);
void segment_reader_clear(struct segment_reader *reader);

/* Reads the head and stands before the first record. NOT_FOUND where there is not yet a
 * whole head (short, or zeros at its place); CORRUPT, UNSUPPORTED name the file. */
knackdb_status segment_reader_open(struct segment_reader *reader, const struct schema_history *history,
                                   const struct schema *schema, knackdb_error *error);

/* The record at `offset`, which moves behind it. NOT_FOUND where there is none: looked for in the file as
 * it is now. The record is valid until the next call. */
knackdb_status segment_reader_next(struct segment_reader *reader, struct log_record *ret_record, knackdb_error *error);

#define SEGMENT_STEP_RECORDS 8 /* where a writer puts records */
#define SEGMENT_STEP_BYTES   1 /* where they may be if bytes before them are missing, or too many */

/* Stands before the first whole record at `from` or behind, trying every `step` bytes; one that could not follow the
 * record read last is none. NOT_FOUND where there is none. CORRUPT where that took more work than any honest file can
 * cause. */
knackdb_status segment_reader_seek(struct segment_reader *reader, uint64_t from, uint32_t step, knackdb_error *error);

/* Where the last byte that is not zero ends, at `from` or behind; `from` where there is none. */
knackdb_status segment_reader_find_end(struct segment_reader *reader, uint64_t from, uint64_t *ret_end,
                                       knackdb_error *error);

#endif
