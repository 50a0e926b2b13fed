/* swapping.h - a number in a file, replaced by another for as long as somebody looks. */
#ifndef TESTS_DECODERS_SWAPPING_H
#define TESTS_DECODERS_SWAPPING_H

#include "base/bytes.h"

#include <string.h>

/* A damage, and what reading says of it. */
struct damage {
    size_t         at, bytes; /* of a little-endian number of up to eight bytes */
    uint64_t       value;
    knackdb_status status;
};

/* Returns what stood there, which the same call puts back. */
static inline uint64_t
swap_number(unsigned char *data, size_t at, size_t bytes, uint64_t value)
{
    unsigned char was[8] = { 0 }, now[8];

    memcpy(was, data + at, bytes);
    bytes_put_u64(now, value);
    memcpy(data + at, now, bytes);
    return bytes_get_u64(was);
}

#endif
