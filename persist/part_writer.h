/* part_writer.h - rows that a view sees, written as a part file. */
#ifndef KNACKDB_PERSIST_PART_WRITER_H
#define KNACKDB_PERSIST_PART_WRITER_H

#include "core/store.h"
#include "persist/block_format.h"
#include "persist/disk.h"
#include "persist/manifest.h"

#include <stdatomic.h>

struct part_writer {
    struct allocator    *allocator;
    const struct dir    *dir;
    uint32_t             file_mode;
    const _Atomic bool  *cancelled; /* asked between blocks; BUSY when it became true */
    const struct view   *view;
    uint64_t             store_id;
    knackdb_value       *values; /* one column of a band */
    struct block_encoder encoder;
    struct byte_buffer   out;
    struct file          file;
    uint64_t             offset;
    uint32_t             block_count;
    uint64_t             checksum;
};

/* The fields up to store_id are the caller's to set before. */
knackdb_status part_writer_init(struct part_writer *writer, knackdb_error *error);
void           part_writer_clear(struct part_writer *writer); /* also one that could not be init'ed */

/* BUSY where the snapshot was given up. */
knackdb_status part_writer_check_cancelled(const struct part_writer *writer, knackdb_error *error);

/* Writes 1 to PART_ROWS_MAX rows as the part of this number. When it returns KNACKDB_OK the file is on stable
 * storage, but for its name. On failure a piece of it may be left. */
knackdb_status part_writer_write(struct part_writer *writer, uint32_t table, uint64_t number, const row_number *rows,
                                 uint32_t row_count, struct manifest_part *ret_part, knackdb_error *error);

#endif
