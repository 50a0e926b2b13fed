/* list.c - a scan over the text that decodes a string only while it compares it.
 *
 * No tree is built and nothing is allocated: a list of tools is 40 bytes, and is looked
 * at once a distinct list (predicate.c remembers the answer by dictionary code). Nesting is
 * counted, not recursed into, so its depth costs nothing. */
#include "core/list.h"

#include <string.h>

struct scan {
    const char *at, *end;
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
        char    c = *scan->at++;
        int32_t digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;

        if (digit < 0)
            return -1;
        value = value << 4 | digit;
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

/* One character of a string, `at` behind its backslash if it has one. Returns its bytes in `to`; 0: not valid. */
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
    if (unit < 0 || (unit >= 0xDC00 && unit <= 0xDFFF))
        return 0;
    if (unit < 0xD800 || unit > 0xDBFF)
        return encode_utf8((uint32_t) unit, to);
    if (scan->end - scan->at < 2 || scan->at[0] != '\\' || scan->at[1] != 'u')
        return 0;
    scan->at += 2;
    low = scan_hex(scan);
    if (low < 0xDC00 || low > 0xDFFF)
        return 0;
    return encode_utf8(0x10000u + ((uint32_t) (unit - 0xD800) << 10) + (uint32_t) (low - 0xDC00), to);
}

/* Reads the string whose opening quote `at` is behind. False where it does not end. */
static bool
scan_string(struct scan *scan, knackdb_text wanted, bool *ret_same)
{
    size_t matched = 0; /* bytes of `wanted` found so far */
    bool   same = true;

    while (scan->at < scan->end && *scan->at != '"') {
        char   decoded[4];
        size_t bytes = 1;

        decoded[0] = *scan->at++;
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

bool
list_contains(knackdb_text list, knackdb_text wanted)
{
    struct scan scan = { list.data, list.data + list.length };
    size_t      depth = 1; /* lists and objects open */
    bool        same;

    if (list.data == NULL || wanted.data == NULL)
        return false;
    skip_space(&scan);
    if (scan.at == scan.end || *scan.at++ != '[')
        return false;
    while (scan.at < scan.end && depth > 0) {
        char c = *scan.at++;

        if (c == '[' || c == '{') {
            depth++;
        } else if (c == ']' || c == '}') {
            depth--;
        } else if (c == '"') {
            if (!scan_string(&scan, wanted, &same))
                return false;
            if (same && depth == 1)
                return true;
        }
    }
    return false;
}
