/* column.c - see column.h.
 *
 * An answer is an array of structs, so a column of it is a buffer with a stride, and numpy takes it as it lies there:
 * nothing is copied, and nothing can be written to. The buffer holds its answer, an array its buffer. A NULL double
 * reads as NaN (written into the answer before the first buffer is made of it; everyone else goes by the row's bits),
 * a NULL integer as 0, and the buffer `nulls` holds the bits of both, 1 << column as in knackdb.h.
 *
 * A list of rows may be an answer, or a run of one, as it was retrieved; then its columns lie there, too. Where rows
 * were picked, sorted or changed their numbers are gathered in a buffer of their own. There a NULL integer has no
 * second buffer to say so: such a column is one of doubles. */
#include "column.h"

#include "names.h"
#include "object_row.h"
#include "record.h"

#include <math.h>
#include <stddef.h>

struct column {
    PyObject_HEAD
    struct answer *answer; /* where the numbers lie, or NULL: then in `own` */
    void          *own;
    size_t         offset;    /* in the answer's rows */
    char           format[2]; /* "d", "q" or "Q" */
    Py_ssize_t     shape, stride;
};

static PyTypeObject *column_type;

struct number {
    const char *name;
    int         field; /* of the record */
    int         column;
    size_t      offset;
    char        format;
};

#define PATTERN_NUMBER(place, member, format) \
    { #member, PATTERN_##place, KNACKDB_PATTERN_##place, offsetof(knackdb_pattern, member), format }
static const struct number pattern_numbers[] = {
    PATTERN_NUMBER(EXECUTION_TIME, execution_time, 'd'),
    PATTERN_NUMBER(SUCCESS_RATE, success_rate, 'd'),
    PATTERN_NUMBER(CONFIDENCE_SCORE, confidence_score, 'd'),
    PATTERN_NUMBER(AGENT_COUNT, agent_count, 'q'),
    PATTERN_NUMBER(CREATED_AT, created_at, 'd'),
    PATTERN_NUMBER(UPDATED_AT, updated_at, 'd'),
    PATTERN_NUMBER(USAGE_COUNT, usage_count, 'q'),
    { "nulls", -1, -1, offsetof(knackdb_pattern, nulls), 'Q' },
};
#undef PATTERN_NUMBER

#define METRIC_NUMBER(place, member, format) \
    { #member, METRIC_##place, KNACKDB_METRIC_##place, offsetof(knackdb_metric, member), format }
static const struct number metric_numbers[] = {
    METRIC_NUMBER(METRIC_VALUE, metric_value, 'd'),
    METRIC_NUMBER(BASELINE_VALUE, baseline_value, 'd'),
    METRIC_NUMBER(IMPROVEMENT_PERCENTAGE, improvement_percentage, 'd'),
    METRIC_NUMBER(MEASURED_AT, measured_at, 'd'),
    METRIC_NUMBER(SAMPLE_COUNT, sample_count, 'q'),
    METRIC_NUMBER(CONFIDENCE_INTERVAL, confidence_interval, 'd'),
};
#undef METRIC_NUMBER

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

static void
column_dealloc(PyObject *object)
{
    struct column *self = (struct column *) object;
    PyTypeObject  *type = Py_TYPE(object);

    answer_release(self->answer);
    PyMem_Free(self->own);
    PyObject_Free(object);
    Py_DECREF(type);
}

/* What the requests for contiguous memory have beyond PyBUF_STRIDES. */
#define CONTIGUITY_BITS ((PyBUF_C_CONTIGUOUS | PyBUF_F_CONTIGUOUS | PyBUF_ANY_CONTIGUOUS) & ~PyBUF_STRIDES)

static int
column_get_buffer(PyObject *object, Py_buffer *view, int flags)
{
    static double  nothing; /* where an empty column begins */
    struct column *self = (struct column *) object;
    bool           has_gaps = self->shape > 1 && self->stride != 8;

    view->obj = NULL;
    if ((flags & PyBUF_WRITABLE) == PyBUF_WRITABLE || (flags & PyBUF_STRIDES) != PyBUF_STRIDES) {
        PyErr_SetString(PyExc_BufferError, "a column is read-only and has a stride");
        return -1;
    }
    if (has_gaps && (flags & CONTIGUITY_BITS) != 0) {
        PyErr_SetString(PyExc_BufferError, "a column of an answer is not contiguous");
        return -1;
    }
    if (self->shape == 0)
        view->buf = &nothing;
    else
        view->buf = self->answer != NULL ? (char *) self->answer->rows + self->offset : self->own;
    Py_INCREF(object);
    view->obj = object;
    view->len = self->shape * 8;
    view->readonly = 1;
    view->itemsize = 8;
    view->format = flags & PyBUF_FORMAT ? self->format : NULL;
    view->ndim = 1;
    view->shape = &self->shape;
    view->strides = &self->stride;
    view->suboffsets = NULL;
    view->internal = NULL;
    return 0;
}

static Py_ssize_t
column_length(PyObject *object)
{
    return ((struct column *) object)->shape;
}

static struct column *
new_column(char format, Py_ssize_t shape)
{
    struct column *column = PyObject_New(struct column, column_type);

    if (column != NULL) {
        column->answer = NULL;
        column->own = NULL;
        column->offset = 0;
        column->format[0] = format;
        column->format[1] = '\0';
        column->shape = shape;
        column->stride = 8;
    }
    return column;
}

static struct column *
column_of_answer(struct answer *answer, size_t first, size_t count, size_t row_bytes, const struct number *number)
{
    struct column *column = new_column(number->format, (Py_ssize_t) count);

    if (column != NULL) {
        column->answer = answer_share(answer);
        column->offset = first * row_bytes + number->offset;
        column->stride = (Py_ssize_t) row_bytes;
    }
    return column;
}

static void
nan_where_null(struct answer *answer)
{
    knackdb_pattern *rows = answer->rows;

    if (answer->is_nan_where_null)
        return;
    answer->is_nan_where_null = true;
    for (size_t i = 0; i < answer->count; i++)
        for (size_t n = 0; n < COUNT_OF(pattern_numbers); n++) {
            const struct number *number = &pattern_numbers[n];
            char                *cell = (char *) &rows[i] + number->offset;

            if (number->column < 0 || (rows[i].nulls & KNACKDB_BIT(number->column)) == 0)
                continue;
            if (number->format == 'd')
                *(double *) (void *) cell = (double) NAN;
            else
                *(int64_t *) (void *) cell = 0;
        }
}

PyObject *
columns_of_patterns(struct answer *answer)
{
    PyObject *columns = PyDict_New();

    nan_where_null(answer);
    for (size_t n = 0; columns != NULL && n < COUNT_OF(pattern_numbers); n++) {
        struct column *column =
            column_of_answer(answer, 0, answer->count, sizeof(knackdb_pattern), &pattern_numbers[n]);

        if (column == NULL || PyDict_SetItemString(columns, pattern_numbers[n].name, (PyObject *) column) < 0)
            Py_CLEAR(columns);
        Py_XDECREF(column);
    }
    return columns;
}

/* ---- columns of a list of rows ---- */

/* What rows are, and which of their numbers is asked for. */
struct asked {
    const struct record_layout *layout;
    PyTypeObject               *ours;
    size_t                      row_bytes, nulls_offset;
    const struct number        *number;
};

static int
find_number(struct asked *asked, PyObject *rows, PyObject *name)
{
    const struct number *numbers = pattern_numbers;
    size_t               count = COUNT_OF(pattern_numbers);

    asked->layout = &pattern_layout;
    asked->ours = python_side.pattern;
    asked->row_bytes = sizeof(knackdb_pattern);
    asked->nulls_offset = offsetof(knackdb_pattern, nulls);
    if (PyTuple_GET_SIZE(rows) > 0 && PyObject_TypeCheck(PyTuple_GET_ITEM(rows, 0), python_side.metric)) {
        numbers = metric_numbers;
        count = COUNT_OF(metric_numbers);
        asked->layout = &metric_layout;
        asked->ours = python_side.metric;
        asked->row_bytes = sizeof(knackdb_metric);
        asked->nulls_offset = offsetof(knackdb_metric, nulls);
    }
    for (size_t n = 0; n < count; n++)
        if (numbers[n].field >= 0 && PyUnicode_Check(name) &&
            PyUnicode_CompareWithASCIIString(name, numbers[n].name) == 0) {
            asked->number = &numbers[n];
            return 0;
        }
    PyErr_Format(PyExc_ValueError, "%R is no number column of these rows", name);
    return -1;
}

/* The row of an answer in which the number still lies, or NULL. */
static const char *
row_in_answer(const struct asked *asked, PyObject *object)
{
    const record *row = (const record *) object;

    if (Py_TYPE(object) != asked->ours || row->in_dict || row->cells[asked->number->field] != NULL ||
        row->answer == NULL)
        return NULL;
    return (const char *) row->answer->rows + row->index * asked->row_bytes;
}

static bool
is_null(const struct asked *asked, const char *row)
{
    return *(const uint64_t *) (const void *) (row + asked->nulls_offset) & KNACKDB_BIT(asked->number->column);
}

/* The column as it lies in the answer that the rows are a run of; NULL without an exception where they are none. */
static struct column *
column_in_place(const struct asked *asked, PyObject *rows)
{
    Py_ssize_t    count = PyTuple_GET_SIZE(rows);
    const record *first = count > 0 ? (const record *) PyTuple_GET_ITEM(rows, 0) : NULL;

    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject   *object = PyTuple_GET_ITEM(rows, i);
        const char *row = row_in_answer(asked, object);

        if (row == NULL || ((record *) object)->answer != first->answer ||
            ((record *) object)->index != first->index + (size_t) i)
            return NULL;
        if (!is_null(asked, row))
            continue;
        if (asked->number->format != 'd')
            return NULL;
        *(double *) (void *) ((char *) first->answer->rows + (row - (const char *) first->answer->rows) +
                              asked->number->offset) = (double) NAN;
    }
    return first != NULL
               ? column_of_answer(first->answer, first->index, (size_t) count, asked->row_bytes, asked->number)
               : NULL;
}

enum gathered { GATHERED, NEED_DOUBLES, FAILED };

/* A row's number into `cell`, as a double or an integer. */
static enum gathered
gather_one(const struct asked *asked, PyObject *object, bool as_doubles, void *cell)
{
    const char *row = row_in_answer(asked, object);
    PyObject   *value;
    int         no_number, status;

    if (row != NULL && !is_null(asked, row) && (asked->number->format == 'd' || !as_doubles)) {
        memcpy(cell, row + asked->number->offset, 8);
        return GATHERED;
    }
    value = record_get(asked->layout, asked->ours, object, asked->number->field);
    if (value == NULL)
        return FAILED;
    if (!as_doubles && !PyLong_CheckExact(value)) {
        Py_DECREF(value);
        return NEED_DOUBLES;
    }
    status = as_doubles ? object_real(value, cell, &no_number) : object_integer(value, cell, &no_number);
    if (status == 0 && no_number)
        *(double *) cell = (double) NAN;
    Py_DECREF(value);
    if (status == 0)
        return GATHERED;
    if (as_doubles || !PyErr_ExceptionMatches(PyExc_OverflowError))
        return FAILED;
    PyErr_Clear();
    return NEED_DOUBLES;
}

static struct column *
gather(const struct asked *asked, PyObject *rows, bool as_doubles)
{
    Py_ssize_t     count = PyTuple_GET_SIZE(rows);
    struct column *column = new_column(as_doubles ? 'd' : 'q', count);
    enum gathered  outcome = GATHERED;

    if (column == NULL)
        return NULL;
    column->own = PyMem_New(uint64_t, (size_t) count);
    if (column->own == NULL) {
        PyErr_NoMemory();
        outcome = FAILED;
    }
    for (Py_ssize_t i = 0; outcome == GATHERED && i < count; i++)
        outcome = gather_one(asked, PyTuple_GET_ITEM(rows, i), as_doubles, (uint64_t *) column->own + i);
    if (outcome == GATHERED)
        return column;
    Py_DECREF(column);
    return outcome == NEED_DOUBLES ? gather(asked, rows, true) : NULL;
}

PyObject *
column_of_rows(PyObject *module, PyObject *args)
{
    struct asked   asked;
    struct column *column = NULL;
    PyObject      *given, *name, *rows;

    (void) module;
    if (!PyArg_ParseTuple(args, "OO:column", &given, &name))
        return NULL;
    rows = PySequence_Tuple(given); /* its own: an attribute may run code that changes a list */
    if (rows != NULL && find_number(&asked, rows, name) == 0) {
        column = column_in_place(&asked, rows);
        if (column == NULL && !PyErr_Occurred())
            column = gather(&asked, rows, asked.number->format == 'd');
    }
    Py_XDECREF(rows);
    return (PyObject *) column;
}

int
column_init(PyObject *module)
{
    PyType_Slot slots[] = {
        { Py_tp_dealloc, column_dealloc },
        { Py_sq_length, column_length },
        { Py_bf_getbuffer, column_get_buffer },
        { 0, NULL },
    };
    PyType_Spec spec = {
        .name = "_knackdb.Column",
        .basicsize = sizeof(struct column),
        .flags = Py_TPFLAGS_DEFAULT,
        .slots = slots,
    };

    column_type = (PyTypeObject *) PyType_FromSpec(&spec);
    if (column_type == NULL)
        return -1;
    column_type->tp_new = NULL; /* the extension alone makes them */
    Py_INCREF(column_type);
    return PyModule_AddObject(module, "Column", (PyObject *) column_type);
}
