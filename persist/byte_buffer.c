/* byte_buffer.c - a failed allocation is remembered rather than returned, so that an
 * encoder writes field after field and asks once, at its end. */
#include "persist/byte_buffer.h"

#include "base/bytes.h"

#include <string.h>

void
byte_buffer_init(struct byte_buffer *buffer, struct allocator *allocator)
{
    memset(buffer, 0, sizeof *buffer);
    buffer->allocator = allocator;
}

void
byte_buffer_clear(struct byte_buffer *buffer)
{
    allocator_put(buffer->allocator, buffer->data, buffer->capacity);
    byte_buffer_init(buffer, buffer->allocator);
}

bool
byte_buffer_reserve(struct byte_buffer *buffer, size_t more)
{
    size_t         needed = buffer->bytes + more;
    size_t         capacity = buffer->capacity * 2;
    unsigned char *moved;

    if (buffer->failed || needed < more) {
        buffer->failed = true;
        return false;
    }
    if (needed <= buffer->capacity)
        return true;
    if (capacity < needed)
        capacity = needed;
    if (capacity < 256)
        capacity = 256;
    moved = allocator_resize(buffer->allocator, buffer->data, buffer->capacity, capacity);
    if (moved == NULL) {
        buffer->failed = true;
        return false;
    }
    buffer->data = moved;
    buffer->capacity = capacity;
    return true;
}

void
byte_buffer_put(struct byte_buffer *buffer, const void *data, size_t bytes)
{
    if (bytes == 0 || !byte_buffer_reserve(buffer, bytes))
        return;
    memcpy(buffer->data + buffer->bytes, data, bytes);
    buffer->bytes += bytes;
}

void
byte_buffer_put_u8(struct byte_buffer *buffer, uint8_t value)
{
    byte_buffer_put(buffer, &value, 1);
}

void
byte_buffer_put_u16(struct byte_buffer *buffer, uint16_t value)
{
    unsigned char bytes[2];

    bytes_put_u16(bytes, value);
    byte_buffer_put(buffer, bytes, sizeof bytes);
}

void
byte_buffer_put_u32(struct byte_buffer *buffer, uint32_t value)
{
    unsigned char bytes[4];

    bytes_put_u32(bytes, value);
    byte_buffer_put(buffer, bytes, sizeof bytes);
}

void
byte_buffer_put_u64(struct byte_buffer *buffer, uint64_t value)
{
    unsigned char bytes[8];

    bytes_put_u64(bytes, value);
    byte_buffer_put(buffer, bytes, sizeof bytes);
}
