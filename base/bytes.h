/* bytes.h - unsigned little-endian integers at any address, on any machine. */
#ifndef KNACKDB_BASE_BYTES_H
#define KNACKDB_BASE_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define BYTES_LE(bits, value) (value)
#else
#define BYTES_LE(bits, value) __builtin_bswap##bits(value)
#endif

#define BYTES_DEFINE(bits)                                               \
    static inline uint##bits##_t bytes_get_u##bits(const void *from)     \
    {                                                                    \
        uint##bits##_t value;                                            \
        memcpy(&value, from, sizeof value);                              \
        return BYTES_LE(bits, value);                                    \
    }                                                                    \
    static inline void bytes_put_u##bits(void *to, uint##bits##_t value) \
    {                                                                    \
        value = BYTES_LE(bits, value);                                   \
        memcpy(to, &value, sizeof value);                                \
    }

BYTES_DEFINE(16)
BYTES_DEFINE(32)
BYTES_DEFINE(64)

#undef BYTES_DEFINE

/* What memcpy() does, without a call for the short texts that rows are mostly made of: in words that overlap. */
static inline void
bytes_copy(void *to, const void *from, size_t count)
{
    unsigned char       *into = to;
    const unsigned char *bytes = from;

    if (count > 32) {
        memcpy(into, bytes, count);
    } else if (count >= 16) {
        memcpy(into, bytes, 16);
        memcpy(into + count - 16, bytes + count - 16, 16);
    } else if (count >= 8) {
        memcpy(into, bytes, 8);
        memcpy(into + count - 8, bytes + count - 8, 8);
    } else if (count >= 4) {
        memcpy(into, bytes, 4);
        memcpy(into + count - 4, bytes + count - 4, 4);
    } else {
        for (size_t i = 0; i < count; i++)
            into[i] = bytes[i];
    }
}

/* A double as its IEEE 754 bits. */
static inline double
bytes_get_real(const void *from)
{
    uint64_t bits = bytes_get_u64(from);
    double   real;

    memcpy(&real, &bits, sizeof real);
    return real;
}

static inline void
bytes_put_real(void *to, double real)
{
    uint64_t bits;

    memcpy(&bits, &real, sizeof bits);
    bytes_put_u64(to, bits);
}

#endif
