/* printable.c - stored text made safe and measurable for a terminal.
 *
 * What is stored comes from programs and from the net. Shown raw, an escape sequence
 * in it could move the cursor over what was printed before or change the title of the
 * window, and a mark that turns the direction of writing could show a name other than
 * it is. So characters go through one at a time: decoded strictly, and escaped unless
 * they are known to be harmless.
 *
 * Widths are those of wcwidth() in the C.UTF-8 locale, which main() selects for
 * LC_CTYPE alone; without that locale every character that is not ASCII counts one
 * column, which may bend a table but harms nobody. */
#define _GNU_SOURCE /* wcwidth */
#include "printable.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

/* Decodes one character; 0 where the bytes are not UTF-8. */
static size_t
decode(const unsigned char *text, size_t length, uint32_t *ret_point)
{
    static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
    uint32_t              point = text[0];
    size_t                bytes;

    if (point < 0x80) {
        *ret_point = point;
        return 1;
    }
    if (point >= 0xC2 && point <= 0xDF)
        bytes = 2;
    else if (point >= 0xE0 && point <= 0xEF)
        bytes = 3;
    else if (point >= 0xF0 && point <= 0xF4)
        bytes = 4;
    else
        return 0;
    if (length < bytes)
        return 0;
    point &= 0x7Fu >> bytes;
    for (size_t i = 1; i < bytes; i++) {
        if ((text[i] & 0xC0) != 0x80)
            return 0;
        point = point << 6 | (text[i] & 0x3F);
    }
    if (point < smallest[bytes] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF))
        return 0;
    *ret_point = point;
    return bytes;
}

static bool
is_harmful(uint32_t point)
{
    return point < 0x20 || (point >= 0x7F && point < 0xA0) ||
           /* marks, embeddings, overrides and isolates of the direction; separators of lines */
           point == 0x061C || point == 0x200E || point == 0x200F || (point >= 0x2028 && point <= 0x202E) ||
           (point >= 0x2066 && point <= 0x2069) || point == 0xFEFF;
}

/* Shows the character at `text`: bytes of it used, bytes written to `shown` (up to 12), columns. */
static size_t
show(const char *text, size_t length, char shown[12], size_t *ret_bytes, size_t *ret_columns)
{
    uint32_t point = 0;
    size_t   used = decode((const unsigned char *) text, length, &point);
    int      width;

    if (used == 1 && point >= 0x20 && point < 0x7F) {
        shown[0] = text[0];
        *ret_bytes = *ret_columns = 1;
        return 1;
    }
    if (used != 0 && !is_harmful(point)) {
        width = wcwidth((wchar_t) point);
        memcpy(shown, text, used);
        *ret_bytes = used;
        *ret_columns = width >= 0 ? (size_t) width : 1;
        return used;
    }
    if (used == 0) {
        *ret_bytes = (size_t) snprintf(shown, 12, "\\x%02x", (unsigned) (unsigned char) text[0]);
        used = 1;
    } else if (point == '\n' || point == '\t' || point == '\r') {
        shown[0] = '\\';
        shown[1] = point == '\n' ? 'n' : point == '\t' ? 't' : 'r';
        *ret_bytes = 2;
    } else {
        *ret_bytes = (size_t) snprintf(shown, 12, "\\u%04x", (unsigned) point);
    }
    *ret_columns = *ret_bytes;
    return used;
}

size_t
printable_write(const char *text, size_t length, char *out, size_t capacity)
{
    size_t written = 0;

    for (size_t at = 0; at < length;) {
        char   shown[12];
        size_t bytes, columns;

        at += show(text + at, length - at, shown, &bytes, &columns);
        if (bytes > capacity - written)
            break;
        memcpy(out + written, shown, bytes);
        written += bytes;
    }
    return written;
}

size_t
printable_columns(const char *text, size_t length, size_t columns_max)
{
    size_t total = 0;

    for (size_t at = 0; at < length && total < columns_max;) {
        char   shown[12];
        size_t bytes, columns;

        at += show(text + at, length - at, shown, &bytes, &columns);
        total += columns;
    }
    return total < columns_max ? total : columns_max;
}

size_t
printable_write_columns(const char *text, size_t length, size_t columns_max, char *out, size_t capacity,
                        size_t *ret_columns)
{
    static const char ellipsis[] = "\xE2\x80\xA6";
    size_t            written = 0, taken = 0;
    size_t            cut_written = 0, cut_taken = 0; /* the last place that leaves room for the ellipsis */
    bool              is_cut = false;

    for (size_t at = 0; at < length && !is_cut;) {
        char   shown[12];
        size_t bytes, columns;

        at += show(text + at, length - at, shown, &bytes, &columns);
        if (taken + columns > columns_max || written + bytes + sizeof ellipsis > capacity) {
            is_cut = true;
        } else {
            memcpy(out + written, shown, bytes);
            written += bytes;
            taken += columns;
            if (taken < columns_max) {
                cut_written = written;
                cut_taken = taken;
            }
        }
    }
    if (is_cut && columns_max > 0) {
        memcpy(out + cut_written, ellipsis, sizeof ellipsis - 1);
        written = cut_written + sizeof ellipsis - 1;
        taken = cut_taken + 1;
    }
    if (ret_columns != NULL)
        *ret_columns = taken;
    return written;
}
