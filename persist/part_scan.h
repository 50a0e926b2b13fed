/* part_scan.h - the sound blocks of a part file, whatever lies between them.
 *
 * part_reader.h goes from block to block and stops where the way is lost. This finds the way again: a block is known by
 * its checksum, which is seeded with the store and the part, so nothing else is taken for one. */
#ifndef KNACKDB_PERSIST_PART_SCAN_H
#define KNACKDB_PERSIST_PART_SCAN_H

#include "persist/block_format.h"
#include "persist/disk.h"
#include "persist/part_format.h"

struct found_block {
    uint64_t            offset;
    struct block_header header;
};

struct part_scan {
    struct allocator      *allocator;
    const struct file     *file;
    uint64_t               file_bytes;
    uint64_t               seed;
    struct described_table table;     /* what types its columns have */
    uint32_t               row_count; /* PART_ROWS_MAX where it is not known */
    struct found_block    *blocks;    /* by rising first row and column, as they stand in the file */
    size_t                 block_count;
    size_t                 block_capacity;
    struct byte_buffer     window; /* a piece of the file */
    uint64_t               window_offset;
    struct byte_buffer     stored; /* of the block looked at */
    uint64_t               work;
};

/* table, row_count and seed are the caller's to set before scanning. */
knackdb_status part_scan_init(struct part_scan *scan, struct allocator *allocator, const struct file *file,
                              knackdb_error *error);
void           part_scan_clear(struct part_scan *scan);

/* Finds all of them from `offset` on. Replaces what was found before. */
knackdb_status part_scan_run(struct part_scan *scan, uint64_t offset, knackdb_error *error);

/* The stored bytes of a block that was found, valid until the next call. */
knackdb_status part_scan_fetch(struct part_scan *scan, const struct found_block *block,
                               const unsigned char **ret_stored, knackdb_error *error);

static inline uint64_t
found_block_end(const struct found_block *block)
{
    return block->offset + BLOCK_HEADER_BYTES + block->header.stored_bytes;
}

#endif
