/* byte_buffer.h - bytes that grow at the end. */
#ifndef KNACKDB_PERSIST_BYTE_BUFFER_H
#define KNACKDB_PERSIST_BYTE_BUFFER_H

#include "base/allocator.h"

struct byte_buffer {
    struct allocator *allocator;
    unsigned char    *data;
    size_t            bytes;
    size_t            capacity;
    bool              failed; /* an allocation failed; what came after it was left out */
};

void byte_buffer_init(struct byte_buffer *buffer, struct allocator *allocator);
void byte_buffer_clear(struct byte_buffer *buffer); /* frees */

/* Makes room for `more` bytes behind what is there. False, and `failed`, where there is no memory. */
bool byte_buffer_reserve(struct byte_buffer *buffer, size_t more);

void byte_buffer_put(struct byte_buffer *buffer, const void *data, size_t bytes);
void byte_buffer_put_u8(struct byte_buffer *buffer, uint8_t value);
void byte_buffer_put_u16(struct byte_buffer *buffer, uint16_t value);
void byte_buffer_put_u32(struct byte_buffer *buffer, uint32_t value);
void byte_buffer_put_u64(struct byte_buffer *buffer, uint64_t value);

#endif
