/* utf8.h - is it UTF-8? As Unicode 15, table 3-7 has it: no overlong forms, no surrogates, nothing past U+10FFFF. */
#ifndef KNACKDB_BASE_UTF8_H
#define KNACKDB_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define UTF8_HIGH_BITS UINT64_C(0x8080808080808080)

static inline uint64_t
utf8_word_at(const char *text)
{
    uint64_t word;

    memcpy(&word, text, sizeof word);
    return word;
}

/* Nearly all text is. The last word overlaps the one before it, so that there is no rest to look at byte by byte. */
static inline bool
utf8_is_ascii(const char *text, size_t length)
{
    uint64_t seen = 0;
    size_t   at = 0;

    if (length < sizeof(uint64_t)) {
        for (; at < length; at++)
            seen |= (unsigned char) text[at];
        return (seen & 0x80) == 0;
    }
    for (; at + 4 * sizeof seen <= length; at += 4 * sizeof seen)
        seen |= utf8_word_at(text + at) | utf8_word_at(text + at + 8) | utf8_word_at(text + at + 16) |
                utf8_word_at(text + at + 24);
    for (; at + sizeof seen <= length; at += sizeof seen)
        seen |= utf8_word_at(text + at);
    return ((seen | utf8_word_at(text + length - sizeof seen)) & UTF8_HIGH_BITS) == 0;
}

/* Length of the longest valid prefix; equal to `length` when all of it is valid. */
size_t utf8_valid_prefix(const char *text, size_t length);

static inline bool
utf8_is_valid(const char *text, size_t length)
{
    return utf8_valid_prefix(text, length) == length;
}

#endif
