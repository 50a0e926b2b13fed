/* part_format.h - the bytes of a part file: a head, blocks, an end. docs/FORMAT.md has the tables.
 *
 * Pure functions over bytes. */
#ifndef KNACKDB_PERSIST_PART_FORMAT_H
#define KNACKDB_PERSIST_PART_FORMAT_H

#include "base/hash.h"
#include "persist/byte_buffer.h"
#include "persist/description.h"

#define PART_FORMAT_VERSION   1
#define PART_HEAD_FIXED_BYTES 72 /* before the description of the table */
#define PART_HEAD_BYTES_MAX   (PART_HEAD_FIXED_BYTES + DESCRIPTION_BYTES_MAX + 16)
#define PART_END_BYTES        24
#define PART_ROWS_MAX         65536 /* as many as a chunk of core's has */

struct part_head {
    uint32_t               head_bytes; /* where the blocks begin */
    uint64_t               store_id;
    uint64_t               number;
    uint32_t               schema_version;
    uint32_t               row_count;
    struct described_table table;
    uint64_t               checksum;
};

void part_head_write(struct byte_buffer *to, uint64_t store_id, uint64_t number, uint32_t row_count,
                     uint32_t schema_version, const struct table *table, uint64_t *ret_checksum);

/* How long the head is that begins here, 0 where these are no bytes of a head. Wants PART_HEAD_FIXED_BYTES. */
uint32_t part_head_measure(const void *data);

/* Names in ret_head->table are borrowed from `data`. The message says what, not where. */
knackdb_status part_head_read(const void *data, size_t bytes, struct part_head *ret_head, knackdb_error *error);

/* The checksum of a part: its head's, and then each block's worked into it. */
static inline uint64_t
part_checksum_add(uint64_t checksum, uint64_t block_checksum)
{
    unsigned char bytes[8];

    bytes_put_u64(bytes, block_checksum);
    return hash_bytes(bytes, sizeof bytes, checksum);
}

void part_end_write(struct byte_buffer *to, uint32_t block_count, uint64_t checksum);

/* False where these PART_END_BYTES are no end of a part. */
bool part_end_read(const void *data, uint32_t *ret_block_count, uint64_t *ret_checksum);

#endif
