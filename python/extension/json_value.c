/* json_value.c - see json_value.h.
 *
 * Nearly all that comes back is what json_text.c wrote: objects and lists of plain strings and numbers. Those are read
 * here in a fifth of the time json.loads takes. Whatever is unusual (an escape, a number beyond 64 bits, NaN, deep
 * nesting) or not JSON at all is left to json.loads from the start, which knows what to make of it: this reader takes
 * nothing that json.loads would refuse, and gives what it would give. */
#include "json_value.h"

#include "names.h"

#include <stdbool.h>
#include <stdint.h>

#define DEPTH_MAX        64
#define NUMBER_BYTES_MAX 40
#define EXACT_DIGITS     15 /* a whole number of so many is exact as a double, and so are the powers below */

struct reader {
    const char *at;
    const char *end;
    bool        is_unusual; /* NULL came back for that, and without an exception */
};

static PyObject *value(struct reader *reader, int depth);

static PyObject *
unusual(struct reader *reader)
{
    reader->is_unusual = true;
    return NULL;
}

static void
skip_space(struct reader *reader)
{
    while (reader->at < reader->end &&
           (*reader->at == ' ' || *reader->at == '\n' || *reader->at == '\t' || *reader->at == '\r'))
        reader->at++;
}

/* Whether this mark comes next; it is then behind. */
static bool
take(struct reader *reader, char mark)
{
    skip_space(reader);
    if (reader->at == reader->end || *reader->at != mark)
        return false;
    reader->at++;
    return true;
}

/* Behind the opening quote. */
static PyObject *
string(struct reader *reader)
{
    const char *begin = reader->at, *at = begin;

    while (at < reader->end && *at != '"' && *at != '\\' && (unsigned char) *at >= 0x20)
        at++;
    if (at == reader->end || *at != '"')
        return unusual(reader);
    reader->at = at + 1;
    return PyUnicode_DecodeUTF8(begin, at - begin, NULL);
}

static bool
is_digit(const struct reader *reader)
{
    return reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9';
}

/* Digits, gathered into *number as far as they fit; how many there were. */
static int
digits(struct reader *reader, uint64_t *number)
{
    int count = 0;

    for (; is_digit(reader); reader->at++, count++)
        *number = *number * 10 + (uint64_t) (*reader->at - '0');
    return count;
}

/* As the language has it, and so would json.loads. */
static PyObject *
long_real(struct reader *reader, const char *begin)
{
    char   text[NUMBER_BYTES_MAX + 1];
    size_t length = (size_t) (reader->at - begin);
    double real;

    if (length > NUMBER_BYTES_MAX)
        return unusual(reader);
    memcpy(text, begin, length);
    text[length] = '\0';
    real = PyOS_string_to_double(text, NULL, NULL);
    return real == -1.0 && PyErr_Occurred() ? NULL : PyFloat_FromDouble(real);
}

static PyObject *
number(struct reader *reader)
{
    static const double powers[] = { 1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                     1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15 };
    const char         *begin = reader->at;
    bool                is_negative = *begin == '-', has_exponent = false;
    uint64_t            all = 0;
    int                 whole, decimals = 0;
    double              real;

    reader->at += is_negative;
    if (!is_digit(reader))
        return unusual(reader); /* -Infinity, or none */
    if (*reader->at == '0') {
        reader->at++;
        whole = 1;
        if (is_digit(reader))
            return unusual(reader);
    } else
        whole = digits(reader, &all);
    if (reader->at < reader->end && *reader->at == '.') {
        reader->at++;
        decimals = digits(reader, &all);
        if (decimals == 0)
            return unusual(reader);
    }
    if (reader->at < reader->end && (*reader->at == 'e' || *reader->at == 'E')) {
        uint64_t ignored = 0;

        has_exponent = true;
        reader->at++;
        if (reader->at < reader->end && (*reader->at == '+' || *reader->at == '-'))
            reader->at++;
        if (digits(reader, &ignored) == 0)
            return unusual(reader);
    }
    if (decimals == 0 && !has_exponent)
        return whole > 18 ? unusual(reader) : PyLong_FromLongLong(is_negative ? -(long long) all : (long long) all);
    if (has_exponent || whole + decimals > EXACT_DIGITS)
        return long_real(reader, begin);
    real = (double) all / powers[decimals]; /* both are exact, so the quotient is the nearest double there is */
    return PyFloat_FromDouble(is_negative ? -real : real);
}

/* Behind the opening bracket. */
static PyObject *
list(struct reader *reader, int depth)
{
    PyObject *items = PyList_New(0);

    if (items == NULL || take(reader, ']'))
        return items;
    do {
        PyObject *item = value(reader, depth + 1);
        int       status = item != NULL ? PyList_Append(items, item) : -1;

        Py_XDECREF(item);
        if (status < 0) {
            Py_DECREF(items);
            return NULL;
        }
    } while (take(reader, ','));
    if (take(reader, ']'))
        return items;
    Py_DECREF(items);
    return unusual(reader);
}

static int
put_member(struct reader *reader, PyObject *members, int depth)
{
    PyObject *key, *item = NULL;
    int       status = -1;

    if (!take(reader, '"')) {
        (void) unusual(reader);
        return -1;
    }
    key = string(reader);
    if (key != NULL && !take(reader, ':'))
        (void) unusual(reader);
    else if (key != NULL)
        item = value(reader, depth + 1);
    if (item != NULL)
        status = PyDict_SetItem(members, key, item);
    Py_XDECREF(key);
    Py_XDECREF(item);
    return status;
}

static PyObject *
object(struct reader *reader, int depth)
{
    PyObject *members = PyDict_New();

    if (members == NULL || take(reader, '}'))
        return members;
    do {
        if (put_member(reader, members, depth) < 0) {
            Py_DECREF(members);
            return NULL;
        }
    } while (take(reader, ','));
    if (take(reader, '}'))
        return members;
    Py_DECREF(members);
    return unusual(reader);
}

static PyObject *
word(struct reader *reader, const char *letters, PyObject *meaning)
{
    size_t length = strlen(letters);

    if ((size_t) (reader->end - reader->at) < length || memcmp(reader->at, letters, length) != 0)
        return unusual(reader);
    reader->at += length;
    Py_INCREF(meaning);
    return meaning;
}

static PyObject *
value(struct reader *reader, int depth)
{
    skip_space(reader);
    if (reader->at == reader->end || depth > DEPTH_MAX)
        return unusual(reader);
    switch (*reader->at) {
    case '"': reader->at++; return string(reader);
    case '[': reader->at++; return list(reader, depth);
    case '{': reader->at++; return object(reader, depth);
    case 't': return word(reader, "true", Py_True);
    case 'f': return word(reader, "false", Py_False);
    case 'n':
        return word(reader, "null", Py_None);
        /* clang-format off */
    case '-':
    case '0': case '1': case '2': case '3': case '4':
    case '5': case '6': case '7': case '8': case '9': return number(reader);
    /* clang-format on */
    default: return unusual(reader);
    }
}

PyObject *
json_read(knackdb_text text)
{
    struct reader reader = { text.data, text.data + text.length, false };
    PyObject     *text_object, *read = value(&reader, 0);

    if (read != NULL) {
        skip_space(&reader);
        if (reader.at == reader.end)
            return read;
        Py_DECREF(read);
    } else if (!reader.is_unusual)
        return NULL;
    text_object = PyUnicode_DecodeUTF8(text.data, (Py_ssize_t) text.length, NULL);
    if (text_object == NULL)
        return NULL;
    read = PyObject_CallFunctionObjArgs(python_side.json_loads, text_object, NULL);
    if (read == NULL && (PyErr_ExceptionMatches(PyExc_ValueError) || PyErr_ExceptionMatches(PyExc_RecursionError))) {
        PyErr_Clear(); /* not JSON: a transcript, say, that came in by CSV. Nothing of it is lost. */
        return text_object;
    }
    Py_DECREF(text_object);
    return read;
}
