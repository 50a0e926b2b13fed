/* byte_reader.h - takes integers and runs of bytes from the front of a block that nobody vouches for.
 *
 * What lies past the end reads as zero and marks the reader as failed, so a decoder
 * reads a whole group of fields and asks once. */
#ifndef KNACKDB_PERSIST_BYTE_READER_H
#define KNACKDB_PERSIST_BYTE_READER_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>

struct byte_reader {
    const unsigned char *data;
    size_t               bytes;
    size_t               at;
    bool                 failed;
};

static inline struct byte_reader
byte_reader_of(const void *data, size_t bytes)
{
    struct byte_reader reader = { data, bytes, 0, false };
    return reader;
}

static inline size_t
byte_reader_left(const struct byte_reader *reader)
{
    return reader->bytes - reader->at;
}

/* NULL where fewer are left. */
static inline const unsigned char *
byte_reader_take(struct byte_reader *reader, size_t bytes)
{
    const unsigned char *taken = reader->data + reader->at;

    if (reader->failed || bytes > byte_reader_left(reader)) {
        reader->failed = true;
        return NULL;
    }
    reader->at += bytes;
    return taken;
}

static inline uint8_t
byte_reader_u8(struct byte_reader *reader)
{
    const unsigned char *taken = byte_reader_take(reader, 1);
    return taken != NULL ? *taken : 0;
}

#define BYTE_READER_DEFINE(bits)                                                 \
    static inline uint##bits##_t byte_reader_u##bits(struct byte_reader *reader) \
    {                                                                            \
        const unsigned char *taken = byte_reader_take(reader, (bits) / 8);       \
        return taken != NULL ? bytes_get_u##bits(taken) : 0;                     \
    }

BYTE_READER_DEFINE(16)
BYTE_READER_DEFINE(32)
BYTE_READER_DEFINE(64)

#undef BYTE_READER_DEFINE

#endif
