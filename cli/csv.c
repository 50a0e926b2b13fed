/* csv.c - one CSV row at a time, out of bytes.
 *
 * RFC 4180 with two liberties: a row may end with LF alone, and the last row need
 * not end at all. What is not CSV is refused, not guessed at: a quote within a field
 * that does not begin with one, anything but a separator behind a closing quote, a
 * carriage return that ends no line. Guessing would move text from one column into
 * another without a word.
 *
 * A row is scanned in one pass and nothing is changed meanwhile, so a row that
 * turns out to be cut off can be scanned again from its beginning when more bytes
 * have come. Quotes are taken out afterwards and in place: text only gets shorter.
 *
 * A quote that is never closed would swallow all that follows. A field is therefore
 * given up once it is longer than the longest text could be, which also keeps the
 * work linear for someone who skips bad rows. */
#include "csv.h"

#include <string.h>

/* What ends a run of plain bytes in a field without quotes. */
static const bool ends_plain_run[256] = { [','] = true, ['\n'] = true, ['\r'] = true, ['"'] = true };

/* What calls for quotes around a field: RFC 4180's four, and NUL, at which C programs stop. */
static const bool calls_for_quotes[256] = { [','] = true, ['\n'] = true, ['\r'] = true, ['"'] = true, [0] = true };

static uint64_t
count_lines(const char *data, size_t length)
{
    const char *end = data + length;
    uint64_t    count = 0;

    while ((data = memchr(data, '\n', (size_t) (end - data))) != NULL) {
        data++;
        count++;
    }
    return count;
}

static enum csv_result
bad(const char *data, const char *at, const char *why, struct csv_row *ret_row)
{
    ret_row->bytes = (size_t) (at - data);
    ret_row->lines = count_lines(data, ret_row->bytes);
    ret_row->why = why;
    return CSV_BAD;
}

/* Finds the end of a quoted field: the closing quote, or NULL where there is none.
 * `at` is behind the opening one. *ret_is_cut tells that the bytes end too early to say. */
static const char *
find_closing_quote(const char *at, const char *end, bool is_all, bool *ret_doubled, bool *ret_is_cut)
{
    *ret_doubled = false;
    *ret_is_cut = false;
    while ((at = memchr(at, '"', (size_t) (end - at))) != NULL) {
        if (at + 1 == end) {
            *ret_is_cut = !is_all;
            return is_all ? at : NULL;
        }
        if (at[1] != '"')
            return at;
        *ret_doubled = true;
        at += 2;
    }
    *ret_is_cut = !is_all;
    return NULL;
}

static enum csv_result
too_long(const char *data, const char *begin, struct csv_row *ret_row)
{
    return bad(data, begin + CSV_FIELD_BYTES_MAX, "the field is longer than any text may be", ret_row);
}

/* The field that begins at *at, which goes on to what is behind it. */
static enum csv_result
scan_field(const char *data, const char **at, const char *end, bool is_all, struct csv_field *ret_field,
           struct csv_row *ret_row)
{
    const char *begin = *at, *behind = begin;

    *ret_field = (struct csv_field) { 0 };
    if (begin < end && *begin == '"') {
        bool        is_cut;
        const char *close = find_closing_quote(begin + 1, end, is_all, &ret_field->doubled, &is_cut);

        if ((size_t) ((close != NULL ? close : end) - begin) >= CSV_FIELD_BYTES_MAX)
            return too_long(data, begin, ret_row);
        if (is_cut)
            return CSV_MORE;
        if (close == NULL)
            return bad(data, end, "the opening quote is never closed", ret_row);
        ret_field->offset = (size_t) (begin + 1 - data);
        ret_field->length = (size_t) (close - begin - 1);
        ret_field->quoted = true;
        behind = close + 1;
    } else {
        while (behind < end && !ends_plain_run[(unsigned char) *behind])
            behind++;
        if ((size_t) (behind - begin) >= CSV_FIELD_BYTES_MAX)
            return too_long(data, begin, ret_row);
        ret_field->offset = (size_t) (begin - data);
        ret_field->length = (size_t) (behind - begin);
    }
    *at = behind;
    return CSV_ROW;
}

/* What is behind a row's last field: the end of a line, which *at goes over, or of all there is. */
static enum csv_result
scan_end(const char *data, const char **at, const char *end, bool is_all, struct csv_row *ret_row)
{
    const char *here = *at;

    if (here == end)
        return CSV_ROW;
    if (*here == '\r' && here + 1 == end && !is_all)
        return CSV_MORE;
    if (*here == '\r' && (here + 1 == end || here[1] == '\n'))
        here++;
    else if (*here == '\r')
        return bad(data, here, "a carriage return outside quotes ends no line", ret_row);
    else if (*here == '"')
        return bad(data, here, "a quote within a field that does not begin with one", ret_row);
    else if (*here != '\n')
        return bad(data, here, "text behind the closing quote", ret_row);
    *at = here < end ? here + 1 : here;
    return CSV_ROW;
}

enum csv_result
csv_scan(const char *data, size_t length, bool is_all, struct csv_field *fields, size_t capacity,
         struct csv_row *ret_row)
{
    const char     *end = data + length;
    const char     *at = data, *behind;
    uint64_t        lines = 0;
    size_t          count = 0;
    enum csv_result result;

    for (;; count++, at++) {
        struct csv_field field;

        ret_row->field_count = count;
        result = scan_field(data, &at, end, is_all, &field, ret_row);
        if (result != CSV_ROW)
            return result;
        if (field.quoted)
            lines += count_lines(data + field.offset, field.length);
        if (at == end && !is_all)
            return CSV_MORE;
        if (count < capacity)
            fields[count] = field;
        if (at == end || *at != ',')
            break;
    }
    behind = at;
    result = scan_end(data, &behind, end, is_all, ret_row);
    if (result != CSV_ROW)
        return result;
    lines += behind > at && behind[-1] == '\n';
    ret_row->bytes = (size_t) (behind - data);
    ret_row->lines = lines;
    ret_row->field_count = count + 1;
    ret_row->why = NULL;
    return CSV_ROW;
}

size_t
csv_unquote(char *text, size_t length)
{
    char       *to = memchr(text, '"', length);
    const char *from = to;
    const char *end = text + length;

    while (from != NULL && from < end) {
        const char *next;
        size_t      run;

        /* `from` is at the first of two quotes: keep one and what follows up to the next pair. */
        next = from + 2 < end ? memchr(from + 2, '"', (size_t) (end - from - 2)) : NULL;
        *to++ = '"';
        from = from + 2 < end ? from + 2 : end;
        run = (size_t) ((next != NULL ? next : end) - from);
        memmove(to, from, run);
        to += run;
        from = next;
    }
    return to != NULL ? (size_t) (to - text) : length;
}

bool
csv_needs_quotes(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (calls_for_quotes[(unsigned char) text[i]])
            return true;
    return length == 0;
}
