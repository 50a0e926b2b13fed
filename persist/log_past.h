/* log_past.h - segments of the log that no snapshot needs any more: kept packed as history, or not. */
#ifndef KNACKDB_PERSIST_LOG_PAST_H
#define KNACKDB_PERSIST_LOG_PAST_H

#include "base/allocator.h"
#include "persist/disk.h"

struct log_past {
    struct allocator *allocator;
    const struct dir *dir;
    uint64_t          store_id;
    uint64_t          bytes_max; /* of files of history; 0: none is kept */
    uint32_t          file_mode;
    /* How many bytes of a segment are sound: no more of it is kept. NULL: all of any. */
    uint64_t (*sound_bytes)(void *context, uint64_t serial);
    void *context;
};

/* Is this the name of a segment, packed or not? */
bool log_is_segment_name(const char *name, uint64_t *ret_serial);

/* Opens a segment for reading, packed or not. NOT_FOUND where there is neither. */
knackdb_status log_open_segment(struct allocator *allocator, const struct dir *dir, uint64_t store_id, uint64_t serial,
                                struct file *ret_file, knackdb_error *error);

/* The segment goes: packed first, where history is kept. One that is not there is fine. */
knackdb_status log_past_take(const struct log_past *past, uint64_t serial, knackdb_error *error);

/* Removes the oldest history beyond bytes_max. */
knackdb_status log_past_trim(const struct log_past *past, knackdb_error *error);

/* Bytes of all history there is. */
knackdb_status log_past_measure(const struct log_past *past, uint64_t *ret_bytes, knackdb_error *error);

#endif
