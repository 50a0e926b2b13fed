/* part_reader.h - one part file, block by block, every byte checked on the way. */
#ifndef KNACKDB_PERSIST_PART_READER_H
#define KNACKDB_PERSIST_PART_READER_H

#include "persist/block_format.h"
#include "persist/disk.h"
#include "persist/manifest.h"
#include "persist/part_format.h"

struct part_reader {
    struct allocator  *allocator;
    const struct file *file;
    uint64_t           file_bytes;
    uint64_t           seed;
    struct byte_buffer head_data;
    struct part_head   head;
    struct byte_buffer block;  /* header and stored bytes of the block read last */
    uint64_t           offset; /* of the next block */
    uint64_t           block_offset;
    uint64_t           checksum; /* of head and blocks so far */
    uint32_t           block_count;
    uint32_t           end_block_count; /* as the end tells */
    uint64_t           end_checksum;
    uint32_t           band_row; /* first row of the band of blocks being read */
    uint32_t           band_rows;
    uint32_t           column;     /* of the next block */
    bool               is_damaged; /* a block's checksum did not match; it could be passed over */
    /* After CORRUPT or UNSUPPORTED: */
    uint64_t           fault_offset;
    char               fault_reason[160];
    bool               can_go_on; /* the blocks after it can be read */
};

/* `part` is what the manifest says of it; errors name file and offset. */
knackdb_status part_reader_open(struct part_reader *reader, struct allocator *allocator, const struct file *file,
                                const struct manifest_part *part, uint64_t store_id, knackdb_error *error);
void           part_reader_clear(struct part_reader *reader);

/* After CORRUPT with can_go_on the next call gives the block behind the damaged one.
 * The next block: for each band of rows one of every column, in order. NOT_FOUND after the last, when
 * the file has been found whole. *ret_stored is valid until the next call. */
knackdb_status part_reader_next(struct part_reader *reader, struct block_header *ret_header,
                                const unsigned char **ret_stored, knackdb_error *error);

#endif
