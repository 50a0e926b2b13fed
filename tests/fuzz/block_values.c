/* block_values.c - see block_values.h. */
#include "block_values.h"

#include "base/hash.h"
#include "target.h"

void
block_values_read(struct block_decoder *decoder)
{
    const struct block_header *header = &decoder->header;
    uint32_t                   nulls = 0;
    uint64_t                   touched = 0;

    for (uint32_t row = 0; row < header->row_count; row++) {
        knackdb_value value = block_next(decoder);

        CLAIM(value.type == KNACKDB_NULL || value.type == decoder->type);
        nulls += value.type == KNACKDB_NULL;
        if (value.type == KNACKDB_TEXT) {
            CLAIM(value.as.text.length <= KNACKDB_TEXT_BYTES_MAX);
            touched += hash_bytes(value.as.text.data, value.as.text.length, touched);
        }
    }
    CLAIM(nulls == header->null_count);
    CLAIM(touched != 1); /* no compiler may leave the reading out */
}
