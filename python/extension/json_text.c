/* json_text.c - see json_text.h.
 *
 * What agents put into tools_used and context_factors is nearly always lists and dicts with string keys, of strings
 * and numbers. Those are written here, in a tenth of the time json.dumps takes. Anything else (a subclass, a key
 * that is no string, an int beyond 64 bits, deep nesting) is left to json.dumps from the start, so that it comes out,
 * or is refused, exactly as Python would. No Python code runs while a list or dict is walked: only exact types are. */
#include "json_text.h"

#include "names.h"

#include <stdbool.h>

#define DEPTH_MAX 64

enum written { WRITTEN, NOT_OURS, FAILED };

static const char hex_digits[] = "0123456789abcdef";

static enum written
put(struct arena *arena, const char *bytes, size_t count)
{
    return arena_put(arena, bytes, count) < 0 ? FAILED : WRITTEN;
}

static inline enum written
put_mark(struct arena *arena, char mark)
{
    if (arena_reserve(arena, 1) < 0)
        return FAILED;
    *arena->at++ = mark;
    return WRITTEN;
}

/* A number is written from its end. It is copied from where it begins, by a size that the compiler knows. */
#define NUMBER_BYTES 32

struct number {
    char text[2 * NUMBER_BYTES]; /* the number ends in the middle */
};

static inline char *
number_end(struct number *number)
{
    return number->text + NUMBER_BYTES;
}

static enum written
put_number(struct arena *arena, struct number *number, const char *at)
{
    if (arena_reserve(arena, NUMBER_BYTES) < 0)
        return FAILED;
    memcpy(arena->at, at, NUMBER_BYTES);
    arena->at += number_end(number) - at;
    return WRITTEN;
}

/* The digits of a number, ending before `end`; where they begin. */
static inline char *
put_digits(char *end, unsigned long long number)
{
    do {
        *--end = (char) ('0' + number % 10);
        number /= 10;
    } while (number != 0);
    return end;
}

static enum written
put_long(struct arena *arena, PyObject *value)
{
    int           overflow;
    long long     integer = PyLong_AsLongLongAndOverflow(value, &overflow);
    struct number number;
    char         *at;

    if (overflow != 0)
        return NOT_OURS;
    at = put_digits(number_end(&number),
                    integer < 0 ? 0ULL - (unsigned long long) integer : (unsigned long long) integer);
    if (integer < 0)
        *--at = '-';
    return put_number(arena, &number, at);
}

/* Most floats that people and programs choose have a few decimals. One that is n / 10^k, with at most 15 digits in n,
 * is told apart from all others by them (a double holds any 15 digits), so for the smallest such k they are the
 * shortest form, which is Python's. The division is exact to the last bit: both numbers are whole and below 2^53. */
static enum written
put_short_decimal(struct arena *arena, double real)
{
    static const double powers[] = { 1e1, 1e2, 1e3, 1e4, 1e5, 1e6 };
    double              size = real < 0 ? -real : real;
    struct number       number;
    char               *at = number_end(&number);

    if (!(size >= 1e-3 && size < 1e8))
        return NOT_OURS;
    for (size_t k = 0; k < sizeof powers / sizeof powers[0]; k++) {
        unsigned long long whole = (unsigned long long) (size * powers[k] + 0.5);
        unsigned long long unit = (unsigned long long) powers[k];

        if ((double) whole / powers[k] != size)
            continue;
        for (unsigned long long rest = whole % unit; unit > 1; unit /= 10, rest /= 10)
            *--at = (char) ('0' + rest % 10);
        *--at = '.';
        at = put_digits(at, whole / (unsigned long long) powers[k]);
        if (real < 0)
            *--at = '-';
        return put_number(arena, &number, at);
    }
    return NOT_OURS;
}

static enum written
put_float(struct arena *arena, double number)
{
    enum written outcome;
    char        *digits;

    if (number != number || number - number != 0.0)
        return NOT_OURS; /* NaN, Infinity: as Python writes them */
    outcome = put_short_decimal(arena, number);
    if (outcome != NOT_OURS)
        return outcome;
    digits = PyOS_double_to_string(number, 'r', 0, Py_DTSF_ADD_DOT_0, NULL);
    if (digits == NULL)
        return FAILED;
    outcome = put(arena, digits, strlen(digits));
    PyMem_Free(digits);
    return outcome;
}

static char *
put_escape(char *to, Py_UCS4 character)
{
    static const char plain[] = "\"\"\\\\\bb\ff\nn\rr\tt";

    *to++ = '\\';
    for (size_t i = 0; i + 1 < sizeof plain; i += 2)
        if (character == (Py_UCS4) (unsigned char) plain[i]) {
            *to++ = plain[i + 1];
            return to;
        }
    *to++ = 'u';
    for (int shift = 12; shift >= 0; shift -= 4)
        *to++ = hex_digits[(character >> shift) & 15];
    return to;
}

static char *
put_utf8(char *to, Py_UCS4 character)
{
    if (character < 0x80)
        *to++ = (char) character;
    else if (character < 0x800) {
        *to++ = (char) (0xC0 | (character >> 6));
        *to++ = (char) (0x80 | (character & 63));
    } else if (character < 0x10000) {
        *to++ = (char) (0xE0 | (character >> 12));
        *to++ = (char) (0x80 | ((character >> 6) & 63));
        *to++ = (char) (0x80 | (character & 63));
    } else {
        *to++ = (char) (0xF0 | (character >> 18));
        *to++ = (char) (0x80 | ((character >> 12) & 63));
        *to++ = (char) (0x80 | ((character >> 6) & 63));
        *to++ = (char) (0x80 | (character & 63));
    }
    return to;
}

/* A lone surrogate has no UTF-8 but a JSON escape, so it is not lost. DEL needs none, but is no sight in a dump. */
static int
is_escaped(Py_UCS4 character)
{
    return character < 0x20 || character == '"' || character == '\\' || (character >= 0xD800 && character < 0xE000);
}

/* Whether one of eight ASCII bytes must be escaped. The high bit of a byte says so, that of x - n where x < n: for x
 * below 0x80 nothing else sets it but a borrow, and that comes from a byte that is to be escaped, too. */
static inline bool
any_is_escaped(uint64_t eight)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t       quote = eight ^ ones * '"';
    uint64_t       backslash = eight ^ ones * '\\';

    return (((eight - ones * 0x20) | (quote - ones) | (backslash - ones)) & ones * 0x80) != 0;
}

static inline uint64_t
eight_at(const unsigned char *bytes)
{
    uint64_t eight;

    memcpy(&eight, bytes, sizeof eight);
    return eight;
}

static inline uint32_t
four_at(const unsigned char *bytes)
{
    uint32_t four;

    memcpy(&four, bytes, sizeof four);
    return four;
}

/* Text as it nearly always is, in words of which the last overlaps the one before it. True where all of it was copied;
 * else one is to be escaped, and what was copied means nothing. */
static inline bool
put_plain(char *to, const unsigned char *bytes, size_t length)
{
    if (length >= 8) {
        uint64_t last = eight_at(bytes + length - 8);
        bool     escapes = any_is_escaped(last);

        for (size_t done = 0; done < length - 8; done += 8) {
            uint64_t eight = eight_at(bytes + done);

            escapes |= any_is_escaped(eight);
            memcpy(to + done, &eight, sizeof eight);
        }
        memcpy(to + length - 8, &last, sizeof last);
        return !escapes;
    }
    if (length >= 4) {
        uint32_t first = four_at(bytes), last = four_at(bytes + length - 4);

        memcpy(to, &first, sizeof first);
        memcpy(to + length - 4, &last, sizeof last);
        return !any_is_escaped((uint64_t) first << 32 | last);
    }
    for (size_t i = 0; i < length; i++) {
        if (is_escaped(bytes[i]))
            return false;
        to[i] = (char) bytes[i];
    }
    return true;
}

static char *
put_characters(char *to, PyObject *string)
{
    int         kind = PyUnicode_KIND(string);
    const void *data = PyUnicode_DATA(string);

    for (Py_ssize_t i = 0; i < PyUnicode_GET_LENGTH(string); i++) {
        Py_UCS4 character = PyUnicode_READ(kind, data, i);

        to = is_escaped(character) ? put_escape(to, character) : put_utf8(to, character);
    }
    return to;
}

static enum written
put_string(struct arena *arena, PyObject *string)
{
    size_t length;
    char  *to;

    if (PyUnicode_READY(string) < 0)
        return FAILED;
    length = (size_t) PyUnicode_GET_LENGTH(string);
    if (arena_reserve(arena, length * 6 + 2) < 0) /* six bytes an escape, the longest form */
        return FAILED;
    to = arena->at;
    *to++ = '"';
    if (PyUnicode_IS_COMPACT_ASCII(string) &&
        put_plain(to, (const unsigned char *) ((PyASCIIObject *) string + 1), length))
        to += length;
    else
        to = put_characters(to, string);
    *to++ = '"';
    arena->at = to;
    return WRITTEN;
}

static enum written put_value(struct arena *arena, PyObject *value, int depth);

static enum written
put_items(struct arena *arena, PyObject *list, int depth)
{
    int          is_list = PyList_CheckExact(list);
    enum written outcome = put_mark(arena, '[');

    for (Py_ssize_t i = 0; outcome == WRITTEN && i < (is_list ? PyList_GET_SIZE(list) : PyTuple_GET_SIZE(list)); i++) {
        if (i > 0)
            outcome = put_mark(arena, ',');
        if (outcome == WRITTEN)
            outcome = put_value(arena, is_list ? PyList_GET_ITEM(list, i) : PyTuple_GET_ITEM(list, i), depth);
    }
    return outcome == WRITTEN ? put_mark(arena, ']') : outcome;
}

static enum written
put_dict(struct arena *arena, PyObject *dict, int depth)
{
    Py_ssize_t   place = 0;
    PyObject    *key, *value;
    bool         first = true;
    enum written outcome = put_mark(arena, '{');

    while (outcome == WRITTEN && PyDict_Next(dict, &place, &key, &value)) {
        if (!PyUnicode_CheckExact(key))
            return NOT_OURS;
        if (!first)
            outcome = put_mark(arena, ',');
        first = false;
        if (outcome == WRITTEN)
            outcome = put_string(arena, key);
        if (outcome == WRITTEN)
            outcome = put_mark(arena, ':');
        if (outcome == WRITTEN)
            outcome = put_value(arena, value, depth);
    }
    return outcome == WRITTEN ? put_mark(arena, '}') : outcome;
}

static enum written
put_value(struct arena *arena, PyObject *value, int depth)
{
    if (PyUnicode_CheckExact(value))
        return put_string(arena, value);
    if (PyLong_CheckExact(value))
        return put_long(arena, value);
    if (PyFloat_CheckExact(value))
        return put_float(arena, PyFloat_AS_DOUBLE(value));
    if (value == Py_None)
        return put(arena, "null", 4);
    if (value == Py_True)
        return put(arena, "true", 4);
    if (value == Py_False)
        return put(arena, "false", 5);
    if (depth >= DEPTH_MAX)
        return NOT_OURS;
    if (PyDict_CheckExact(value))
        return put_dict(arena, value, depth + 1);
    if (PyList_CheckExact(value) || PyTuple_CheckExact(value))
        return put_items(arena, value, depth + 1);
    return NOT_OURS;
}

int
json_write(struct arena *arena, PyObject *value, knackdb_text *ret_text)
{
    PyObject *string;
    int       status;

    arena_begin(arena);
    switch (put_value(arena, value, 0)) {
    case WRITTEN: *ret_text = arena_end(arena); return 0;
    case FAILED: return -1;
    case NOT_OURS: break;
    }
    arena->at = arena->open;
    string = PyObject_CallFunctionObjArgs(python_side.json_dumps, value, NULL);
    if (string == NULL)
        return -1;
    if (!PyUnicode_Check(string)) {
        Py_DECREF(string);
        PyErr_SetString(PyExc_TypeError, "json gave no text");
        return -1;
    }
    status = arena_text(arena, string, ret_text);
    Py_DECREF(string);
    return status;
}
