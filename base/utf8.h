/* utf8.h - is it UTF-8? As Unicode 15, table 3-7 has it: no overlong forms, no surrogates, nothing past U+10FFFF. */
#ifndef KNACKDB_BASE_UTF8_H
#define KNACKDB_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Length of the longest valid prefix; equal to `length` when all of it is valid. */
size_t utf8_valid_prefix(const char *text, size_t length);

static inline bool
utf8_is_valid(const char *text, size_t length)
{
    return utf8_valid_prefix(text, length) == length;
}

#endif
