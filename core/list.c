/* list.c - one pass over the text by the grammar of RFC 8259, comparing strings as it goes.
 *
 * No tree is built and nothing is allocated: a list of tools is 40 bytes, and is looked
 * at once a distinct list (predicate.c remembers the answer by dictionary code). What is
 * open is a stack of bits, so hostile nesting ends at 64 levels and not the thread's stack. */
#include "core/list.h"

#include <string.h>

#define DEPTH_MAX 64

struct scan {
    const char *at, *end;
    uint64_t    objects; /* bit d: what is open at depth d is an object, not a list */
    uint32_t    depth;   /* lists and objects open */
};

static void
skip_space(struct scan *scan)
{
    while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\n' || *scan->at == '\r'))
        scan->at++;
}

/* Four hexadecimal digits; -1 where they are not. */
static int32_t
scan_hex(struct scan *scan)
{
    int32_t value = 0;

    if (scan->end - scan->at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = *scan->at++;

        if (c >= '0' && c <= '9')
            value = value << 4 | (c - '0');
        else if (c >= 'a' && c <= 'f')
            value = value << 4 | (c - 'a' + 10);
        else if (c >= 'A' && c <= 'F')
            value = value << 4 | (c - 'A' + 10);
        else
            return -1;
    }
    return value;
}

/* UTF-8 of a code point; returns its bytes. */
static size_t
encode_utf8(uint32_t point, char *to)
{
    if (point < 0x80) {
        to[0] = (char) point;
        return 1;
    }
    if (point < 0x800) {
        to[0] = (char) (0xC0 | point >> 6);
        to[1] = (char) (0x80 | (point & 0x3F));
        return 2;
    }
    if (point < 0x10000) {
        to[0] = (char) (0xE0 | point >> 12);
        to[1] = (char) (0x80 | (point >> 6 & 0x3F));
        to[2] = (char) (0x80 | (point & 0x3F));
        return 3;
    }
    to[0] = (char) (0xF0 | point >> 18);
    to[1] = (char) (0x80 | (point >> 12 & 0x3F));
    to[2] = (char) (0x80 | (point >> 6 & 0x3F));
    to[3] = (char) (0x80 | (point & 0x3F));
    return 4;
}

/* One character of a string, `at` behind its backslash. Returns its bytes in `to`; 0: not valid. Half
 * of a surrogate pair is allowed by the grammar and is no character: a byte that no UTF-8 has. */
static size_t
scan_escape(struct scan *scan, char *to)
{
    static const char plain[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
    const char       *found;
    int32_t           unit, low;

    if (scan->at == scan->end)
        return 0;
    if (*scan->at != 'u') {
        found = *scan->at != '\0' ? strchr(plain, *scan->at) : NULL;
        if (found == NULL)
            return 0;
        scan->at++;
        to[0] = means[found - plain];
        return 1;
    }
    scan->at++;
    unit = scan_hex(scan);
    if (unit < 0)
        return 0;
    if (unit < 0xD800 || unit > 0xDFFF)
        return encode_utf8((uint32_t) unit, to);
    if (unit <= 0xDBFF && scan->end - scan->at >= 6 && scan->at[0] == '\\' && scan->at[1] == 'u') {
        struct scan ahead = *scan;

        ahead.at += 2;
        low = scan_hex(&ahead);
        if (low >= 0xDC00 && low <= 0xDFFF) {
            scan->at = ahead.at;
            return encode_utf8(0x10000u + ((uint32_t) (unit - 0xD800) << 10) + (uint32_t) (low - 0xDC00), to);
        }
    }
    to[0] = (char) 0xFF;
    return 1;
}

/* Reads the string whose opening quote `at` is behind. False where it is none. */
static bool
scan_string(struct scan *scan, knackdb_text wanted, bool *ret_same)
{
    size_t matched = 0; /* bytes of `wanted` found so far */
    bool   same = true;

    while (scan->at < scan->end && *scan->at != '"') {
        char   decoded[4];
        size_t bytes = 1;

        decoded[0] = *scan->at++;
        if ((unsigned char) decoded[0] < 0x20)
            return false;
        if (decoded[0] == '\\') {
            bytes = scan_escape(scan, decoded);
            if (bytes == 0)
                return false;
        }
        if (same && wanted.length - matched >= bytes && memcmp(wanted.data + matched, decoded, bytes) == 0)
            matched += bytes;
        else
            same = false;
    }
    if (scan->at == scan->end)
        return false;
    scan->at++;
    *ret_same = same && matched == wanted.length;
    return true;
}

static bool
scan_word(struct scan *scan, const char *word)
{
    size_t length = strlen(word);

    if ((size_t) (scan->end - scan->at) < length || memcmp(scan->at, word, length) != 0)
        return false;
    scan->at += length;
    return true;
}

static bool
scan_digits(struct scan *scan)
{
    const char *from = scan->at;

    while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
        scan->at++;
    return scan->at > from;
}

static bool
scan_number(struct scan *scan)
{
    (void) scan_word(scan, "-");
    if (!scan_word(scan, "0") && !scan_digits(scan))
        return false;
    if (scan_word(scan, ".") && !scan_digits(scan))
        return false;
    if (scan_word(scan, "e") || scan_word(scan, "E")) {
        if (!scan_word(scan, "+"))
            (void) scan_word(scan, "-");
        return scan_digits(scan);
    }
    return true;
}

static bool
in_object(const struct scan *scan)
{
    return (scan->objects >> (scan->depth - 1) & 1) != 0;
}

static bool
open_level(struct scan *scan, bool is_object)
{
    if (scan->depth == DEPTH_MAX)
        return false;
    scan->objects &= ~(UINT64_C(1) << scan->depth);
    scan->objects |= (uint64_t) is_object << scan->depth;
    scan->depth++;
    return true;
}

/* A name and its colon, in an object; nothing, in a list. */
static bool
scan_name(struct scan *scan)
{
    bool same;

    if (!in_object(scan))
        return true;
    if (!scan_word(scan, "\"") || !scan_string(scan, (knackdb_text) { NULL, 0 }, &same))
        return false;
    skip_space(scan);
    if (!scan_word(scan, ":"))
        return false;
    skip_space(scan);
    return true;
}

/* What follows a value: closes levels up to the next comma. False where neither comes, or all is closed. */
static bool
close_levels(struct scan *scan)
{
    while (scan->depth > 0) {
        skip_space(scan);
        if (scan_word(scan, ","))
            return true;
        if (!scan_word(scan, in_object(scan) ? "}" : "]"))
            return false;
        scan->depth--;
    }
    return false;
}

/* One value with its name. Sets *ret_found where it is the string, in the outermost list. A list or object that
 * is opened, unless empty, leaves its first value to come: *ret_opened. */
static bool
scan_value(struct scan *scan, knackdb_text wanted, bool *ret_found, bool *ret_opened)
{
    bool is_object, same;

    skip_space(scan);
    if (!scan_name(scan))
        return false;
    *ret_opened = false;
    if (scan_word(scan, "\"")) {
        if (!scan_string(scan, wanted, &same))
            return false;
        *ret_found |= same && scan->depth == 1;
        return true;
    }
    is_object = scan->at < scan->end && *scan->at == '{';
    if (!is_object && !(scan->at < scan->end && *scan->at == '['))
        return scan_word(scan, "true") || scan_word(scan, "false") || scan_word(scan, "null") || scan_number(scan);
    scan->at++;
    skip_space(scan);
    if (scan_word(scan, is_object ? "}" : "]"))
        return true;
    *ret_opened = true;
    return open_level(scan, is_object);
}

bool
list_contains(knackdb_text list, knackdb_text wanted)
{
    struct scan scan = { 0 };
    bool        found = false, opened = true;

    if (list.data == NULL || wanted.data == NULL)
        return false;
    scan.at = list.data;
    scan.end = list.data + list.length;
    skip_space(&scan);
    if (!scan_word(&scan, "["))
        return false;
    (void) open_level(&scan, false);
    skip_space(&scan);
    if (scan_word(&scan, "]"))
        return false; /* it is empty */
    do {
        if (!scan_value(&scan, wanted, &found, &opened))
            return false;
    } while (opened || close_levels(&scan));
    skip_space(&scan);
    return found && scan.depth == 0 && scan.at == scan.end;
}
