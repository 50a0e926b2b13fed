/* json.c - a row out of one line of JSON, and text into JSON.
 *
 * RFC 8259, to the letter: no comments, no trailing commas, no NaN. Besides, a key
 * that comes twice in a row and half a surrogate pair are refused, since what the
 * reader would make of them differs from reader to reader.
 *
 * Everything happens in place. An escape is never shorter than the bytes it stands
 * for, so unescaped text is written over the text it came from, behind the place
 * where reading goes on. Blanks between the tokens of a nested list or object are
 * squeezed out in the same way; its tokens stay byte for byte, escapes included.
 *
 * Nesting is counted, not recursed into: the kinds of the open brackets are bits in
 * a small array, so a line of a million brackets costs no stack. */
#include "json.h"

#include "number.h"

#include <string.h>

/* A place in a line. `base` never moves; `at` does. */
struct reader {
    char              *base;
    char              *at;
    char              *end;
    struct json_fault *fault;
};

static bool
refuse_at(struct reader *reader, const char *at, const char *why)
{
    reader->fault->offset = (size_t) (at - reader->base);
    reader->fault->why = why;
    return false;
}

static bool
refuse(struct reader *reader, const char *why)
{
    return refuse_at(reader, reader->at, why);
}

static void
skip_blanks(struct reader *reader)
{
    while (reader->at < reader->end &&
           (*reader->at == ' ' || *reader->at == '\t' || *reader->at == '\r' || *reader->at == '\n'))
        reader->at++;
}

static bool
is_next(const struct reader *reader, char c)
{
    return reader->at < reader->end && *reader->at == c;
}

static bool
read_hex4(const char *at, const char *end, uint32_t *ret_unit)
{
    uint32_t unit = 0;

    if (end - at < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        char c = at[i];

        if (c >= '0' && c <= '9')
            unit = unit * 16 + (uint32_t) (c - '0');
        else if (c >= 'a' && c <= 'f')
            unit = unit * 16 + (uint32_t) (c - 'a' + 10);
        else if (c >= 'A' && c <= 'F')
            unit = unit * 16 + (uint32_t) (c - 'A' + 10);
        else
            return false;
    }
    *ret_unit = unit;
    return true;
}

static char *
put_utf8(char *to, uint32_t point)
{
    if (point < 0x80) {
        *to++ = (char) point;
    } else if (point < 0x800) {
        *to++ = (char) (0xC0 | point >> 6);
        *to++ = (char) (0x80 | (point & 0x3F));
    } else if (point < 0x10000) {
        *to++ = (char) (0xE0 | point >> 12);
        *to++ = (char) (0x80 | (point >> 6 & 0x3F));
        *to++ = (char) (0x80 | (point & 0x3F));
    } else {
        *to++ = (char) (0xF0 | point >> 18);
        *to++ = (char) (0x80 | (point >> 12 & 0x3F));
        *to++ = (char) (0x80 | (point >> 6 & 0x3F));
        *to++ = (char) (0x80 | (point & 0x3F));
    }
    return to;
}

/* Reads the escape at reader->at, a backslash, and steps behind it. */
static bool
read_escape(struct reader *reader, uint32_t *ret_point)
{
    char    *escape = reader->at;
    uint32_t high, low;

    if (escape + 1 == reader->end)
        return refuse(reader, "the string does not end");
    reader->at += 2;
    switch (escape[1]) {
    case '"':
    case '\\':
    case '/': *ret_point = (uint32_t) escape[1]; return true;
    case 'b': *ret_point = '\b'; return true;
    case 'f': *ret_point = '\f'; return true;
    case 'n': *ret_point = '\n'; return true;
    case 'r': *ret_point = '\r'; return true;
    case 't': *ret_point = '\t'; return true;
    case 'u': break;
    default: return refuse_at(reader, escape, "no such escape");
    }
    if (!read_hex4(reader->at, reader->end, &high))
        return refuse_at(reader, escape, "\\u without four hexadecimal digits");
    reader->at += 4;
    if (high >= 0xDC00 && high <= 0xDFFF)
        return refuse_at(reader, escape, "half a surrogate pair");
    if (high >= 0xD800 && high <= 0xDBFF) {
        if (reader->end - reader->at < 6 || reader->at[0] != '\\' || reader->at[1] != 'u' ||
            !read_hex4(reader->at + 2, reader->end, &low) || low < 0xDC00 || low > 0xDFFF)
            return refuse_at(reader, escape, "half a surrogate pair");
        reader->at += 6;
        high = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
    }
    *ret_point = high;
    return true;
}

static const bool ends_string_run[256] = {
    ['"'] = true, ['\\'] = true, [0] = true,  [1] = true,  [2] = true,  [3] = true,  [4] = true,
    [5] = true,   [6] = true,    [7] = true,  [8] = true,  [9] = true,  [10] = true, [11] = true,
    [12] = true,  [13] = true,   [14] = true, [15] = true, [16] = true, [17] = true, [18] = true,
    [19] = true,  [20] = true,   [21] = true, [22] = true, [23] = true, [24] = true, [25] = true,
    [26] = true,  [27] = true,   [28] = true, [29] = true, [30] = true, [31] = true,
};

/* Steps over a string, its opening quote included, and unescapes it in place where
 * `is_unescaped`. The text lies between the quotes, at *ret_text. */
static bool
read_string(struct reader *reader, bool is_unescaped, char **ret_text, size_t *ret_length)
{
    char *text = ++reader->at;
    char *to = text;

    for (;;) {
        char    *run = reader->at;
        uint32_t point;

        while (reader->at < reader->end && !ends_string_run[(unsigned char) *reader->at])
            reader->at++;
        if (is_unescaped && to != run)
            memmove(to, run, (size_t) (reader->at - run));
        to += reader->at - run;
        if (reader->at == reader->end)
            return refuse(reader, "the string does not end");
        if (*reader->at == '"')
            break;
        if (*reader->at != '\\')
            return refuse(reader, "a control character in a string must be escaped");
        run = reader->at;
        if (!read_escape(reader, &point))
            return false;
        to = is_unescaped ? put_utf8(to, point) : to + (reader->at - run);
    }
    *ret_text = text;
    *ret_length = (size_t) (to - text);
    reader->at++;
    return true;
}

static bool
skip_word(struct reader *reader, const char *word)
{
    size_t length = strlen(word);

    if ((size_t) (reader->end - reader->at) < length || memcmp(reader->at, word, length) != 0)
        return false;
    reader->at += length;
    return true;
}

static void
skip_digits(struct reader *reader)
{
    while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9')
        reader->at++;
}

/* -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)? */
static bool
skip_number(struct reader *reader)
{
    char *digits;

    if (is_next(reader, '-'))
        reader->at++;
    digits = reader->at;
    skip_digits(reader);
    if (reader->at == digits || (reader->at - digits > 1 && *digits == '0'))
        return refuse_at(reader, digits, reader->at == digits ? "no value" : "a number with a leading zero");
    if (is_next(reader, '.')) {
        digits = ++reader->at;
        skip_digits(reader);
        if (reader->at == digits)
            return refuse(reader, "no digit behind the point");
    }
    if (is_next(reader, 'e') || is_next(reader, 'E')) {
        reader->at++;
        if (is_next(reader, '-') || is_next(reader, '+'))
            reader->at++;
        digits = reader->at;
        skip_digits(reader);
        if (reader->at == digits)
            return refuse(reader, "no digit in the exponent");
    }
    return true;
}

static bool
skip_scalar(struct reader *reader)
{
    char  *text;
    size_t length;

    if (is_next(reader, '"'))
        return read_string(reader, false, &text, &length);
    if (skip_word(reader, "null") || skip_word(reader, "true") || skip_word(reader, "false"))
        return true;
    if (reader->at < reader->end && (*reader->at == '-' || (*reader->at >= '0' && *reader->at <= '9')))
        return skip_number(reader);
    return refuse(reader, reader->at == reader->end ? "the line ends within a value" : "no JSON value");
}

/* What was stepped over since `token` follows what is kept already, which ends where the caller writes on. */
static char *
keep(const struct reader *reader, char *to, const char *token)
{
    size_t length = (size_t) (reader->at - token);

    memmove(to, token, length);
    return to + length;
}

/* Steps over a key and its colon, and keeps them. */
static bool
keep_key(struct reader *reader, char **to)
{
    const char *token = reader->at;
    char       *key;
    size_t      key_length;

    if (!is_next(reader, '"'))
        return refuse(reader, "a key in quotes is missing");
    if (!read_string(reader, false, &key, &key_length))
        return false;
    *to = keep(reader, *to, token);
    skip_blanks(reader);
    if (!is_next(reader, ':'))
        return refuse(reader, "a colon behind the key is missing");
    *(*to)++ = *reader->at++;
    skip_blanks(reader);
    return true;
}

/* Steps over a list or object and squeezes the blanks out of it. */
static bool
read_nested(struct reader *reader, char **ret_text, size_t *ret_length)
{
    char *text = reader->at;
    char *to = text;
    bool  is_object[JSON_DEPTH_MAX];
    bool  is_first = true; /* nothing stands in the innermost bracket yet */
    int   depth = 0;

    do {
        const char *token;

        skip_blanks(reader);
        if (depth > 0 && is_next(reader, is_object[depth - 1] ? '}' : ']')) {
            *to++ = *reader->at++;
            depth--;
            is_first = false;
            continue;
        }
        if (!is_first) {
            if (!is_next(reader, ','))
                return refuse(reader, reader->at == reader->end ? "the line ends within a list or object"
                                                                : "a comma or a closing bracket is missing");
            *to++ = *reader->at++;
            skip_blanks(reader);
        }
        is_first = false;
        if (depth > 0 && is_object[depth - 1] && !keep_key(reader, &to))
            return false;
        if (is_next(reader, '[') || is_next(reader, '{')) {
            if (depth == JSON_DEPTH_MAX)
                return refuse(reader, "lists and objects are nested too deep");
            is_object[depth++] = *reader->at == '{';
            *to++ = *reader->at++;
            is_first = true;
            continue;
        }
        token = reader->at;
        if (!skip_scalar(reader))
            return false;
        to = keep(reader, to, token);
    } while (depth > 0);
    *ret_text = text;
    *ret_length = (size_t) (to - text);
    return true;
}

static bool
read_number(struct reader *reader, knackdb_type type, knackdb_value *ret_value)
{
    char              *token = reader->at;
    enum number_result result;

    if (!skip_number(reader))
        return false;
    if (type == KNACKDB_INTEGER)
        result = number_parse_integer(token, (size_t) (reader->at - token), &ret_value->as.integer);
    else
        result = number_parse_real(token, (size_t) (reader->at - token), &ret_value->as.real);
    if (result != NUMBER_OK)
        return refuse_at(reader, token, number_result_text(result));
    ret_value->type = type;
    return true;
}

/* Reads the value of a column. The fault, if any, is the column's where the value is
 * JSON but not what the column holds. */
static bool
read_value(struct reader *reader, knackdb_type type, knackdb_value *ret_value)
{
    char  *text;
    size_t length;
    char   c = reader->at < reader->end ? *reader->at : '\0';

    if (skip_word(reader, "null"))
        return true;
    if (c == '"') {
        if (type != KNACKDB_TEXT)
            return refuse(reader, "a string where a number belongs");
        if (!read_string(reader, true, &text, &length))
            return false;
    } else if (c == '[' || c == '{') {
        if (type != KNACKDB_TEXT)
            return refuse(reader, "a list or object where a number belongs");
        if (!read_nested(reader, &text, &length))
            return false;
    } else if (c == '-' || (c >= '0' && c <= '9')) {
        if (type == KNACKDB_TEXT)
            return refuse(reader, "a number where text belongs");
        return read_number(reader, type, ret_value);
    } else {
        char *token = reader->at;

        if (skip_word(reader, "true") || skip_word(reader, "false"))
            return refuse_at(reader, token,
                             type == KNACKDB_TEXT ? "true or false where text belongs"
                                                  : "true or false where a number belongs");
        if (skip_word(reader, "NaN") || skip_word(reader, "Infinity"))
            return refuse_at(reader, token, "not a finite number");
        return refuse(reader, reader->at == reader->end ? "the line ends within a value" : "no JSON value");
    }
    ret_value->type = KNACKDB_TEXT;
    ret_value->as.text.data = text;
    ret_value->as.text.length = length;
    return true;
}

/* Columns mostly come in order, so the search begins behind the last one found. */
static int
find_column(const knackdb_table_info *table, const char *name, size_t length, size_t first)
{
    for (size_t i = 0; i < table->column_count; i++) {
        size_t      column = (first + i) % table->column_count;
        const char *candidate = table->columns[column].name;

        if (strlen(candidate) == length && memcmp(candidate, name, length) == 0)
            return (int) column;
    }
    return -1;
}

/* A key that has not come yet, and the colon behind it: its column, or -1. */
static int
read_key(struct reader *reader, const knackdb_table_info *table, uint64_t seen, size_t expected)
{
    char  *key, *key_at = reader->at;
    size_t key_length;
    int    column;

    if (!is_next(reader, '"')) {
        (void) refuse(reader, reader->at == reader->end ? "the object does not end" : "a key in quotes is missing");
        return -1;
    }
    if (!read_string(reader, true, &key, &key_length))
        return -1;
    column = find_column(table, key, key_length, expected);
    if (column < 0) {
        reader->fault->key.data = key;
        reader->fault->key.length = key_length;
        (void) refuse_at(reader, key_at, "no such column in this table");
        return -1;
    }
    if ((seen & KNACKDB_BIT(column)) != 0) {
        reader->fault->column = column;
        (void) refuse_at(reader, key_at, "the key comes twice");
        return -1;
    }
    skip_blanks(reader);
    if (!is_next(reader, ':')) {
        (void) refuse(reader, "a colon behind the key is missing");
        return -1;
    }
    reader->at++;
    return column;
}

bool
json_read_row(char *line, size_t length, const knackdb_table_info *table, knackdb_value *ret_values,
              struct json_fault *ret_fault)
{
    struct reader reader = { line, line, line + length, ret_fault };
    uint64_t      seen = 0;
    size_t        expected = 0;

    ret_fault->column = -1;
    ret_fault->key = knackdb_string(NULL);
    for (size_t i = 0; i < table->column_count; i++)
        ret_values[i] = knackdb_value_null();

    skip_blanks(&reader);
    if (!is_next(&reader, '{'))
        return refuse(&reader, "the line is no JSON object");
    reader.at++;
    skip_blanks(&reader);
    while (!is_next(&reader, '}')) {
        int column;

        if (seen != 0) {
            if (!is_next(&reader, ','))
                return refuse(&reader, reader.at == reader.end ? "the object does not end"
                                                               : "a comma or a closing bracket is missing");
            reader.at++;
            skip_blanks(&reader);
        }
        column = read_key(&reader, table, seen, expected);
        if (column < 0)
            return false;
        seen |= KNACKDB_BIT(column);
        expected = (size_t) column + 1;
        skip_blanks(&reader);
        ret_fault->column = column;
        if (!read_value(&reader, table->columns[column].type, &ret_values[column]))
            return false;
        ret_fault->column = -1;
        skip_blanks(&reader);
    }
    reader.at++;
    skip_blanks(&reader);
    if (reader.at != reader.end)
        return refuse(&reader, "text behind the object");
    return true;
}

size_t
json_write_string(const char *text, size_t length, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const char       *end = text + length;
    char             *to = out;

    *to++ = '"';
    while (text < end) {
        const char   *run = text;
        unsigned char c;

        /* 0xC2 begins C1 (0xC2 0x80 to 0x9F) and other characters. */
        while (text < end && !ends_string_run[c = (unsigned char) *text] && c != 0x7F && c != 0xC2)
            text++;
        memcpy(to, run, (size_t) (text - run));
        to += text - run;
        if (text == end)
            break;
        c = (unsigned char) *text++;
        if (c == 0xC2) {
            if (text == end || (unsigned char) *text >= 0xA0 || (unsigned char) *text < 0x80) {
                *to++ = (char) c;
                continue;
            }
            c = (unsigned char) *text++;
        }
        *to++ = '\\';
        switch (c) {
        case '"':
        case '\\': *to++ = (char) c; break;
        case '\b': *to++ = 'b'; break;
        case '\f': *to++ = 'f'; break;
        case '\n': *to++ = 'n'; break;
        case '\r': *to++ = 'r'; break;
        case '\t': *to++ = 't'; break;
        default:
            memcpy(to, "u00", 3);
            to += 3;
            *to++ = digits[c >> 4];
            *to++ = digits[c & 15];
        }
    }
    *to++ = '"';
    return (size_t) (to - out);
}
