/* target_block.c - a block of a snapshot part by itself. The first byte says of which type its column is. */
#include "base/allocator.h"
#include "block_values.h"
#include "target.h"

/* What the decoder may hold at once: the raw bytes, their unshuffled copy, and the buffers' growth by doubling. What
 * LZ4 can make of a byte is the bound, 255 to 1; without it, what is there. */
static uint64_t
memory_allowed(const struct block_header *header)
{
    return 4 * ((uint64_t) header->raw_bytes + 64) + 4 * (BLOCK_ROWS_MAX + 1) + 4096;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct allocator     allocator;
    struct block_decoder decoder;
    struct block_header  header;
    knackdb_type         type;
    knackdb_status       status;

    if (size < 1 + BLOCK_HEADER_BYTES)
        return 0;
    type = (knackdb_type) (KNACKDB_INTEGER + data[0] % 3);
    data++;
    size--;
    status = block_header_read(data, type, &header, NULL);
    if (status != KNACKDB_OK || header.stored_bytes > size - BLOCK_HEADER_BYTES)
        return 0;
    CLAIM(header.raw_bytes <= (uint64_t) header.stored_bytes * 255 + 64);
    allocator_init(&allocator, NULL);
    block_decoder_init(&decoder, &allocator);
    CLAIM(block_is_intact(data, data + BLOCK_HEADER_BYTES, header.stored_bytes, 0)); /* checksums are off here */
    status = block_open(&decoder, type, &header, data + BLOCK_HEADER_BYTES, NULL);
    CLAIM(status == KNACKDB_OK || status == KNACKDB_CORRUPT);
    CLAIM(atomic_load(&allocator.bytes) <= memory_allowed(&header));
    if (status == KNACKDB_OK)
        block_values_read(&decoder);
    block_decoder_clear(&decoder);
    CLAIM(atomic_load(&allocator.bytes) == 0);
    return 0;
}
