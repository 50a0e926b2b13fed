/* column.c - see column.h.
 *
 * An answer is an array of structs, so a column of it is a buffer with a stride, and numpy takes it as it lies there:
 * nothing is copied, and nothing can be written to. The buffer holds its answer, an array its buffer. A NULL double
 * reads as NaN (written into the answer when a column is first asked for; everyone else goes by the row's bits), a
 * NULL integer as 0, and the buffer `nulls` holds the bits of both, 1 << column as in knackdb.h. */
#include "column.h"

#include <math.h>
#include <stddef.h>

struct column {
    PyObject_HEAD
    struct answer *answer;
    size_t         offset;
    char           format[2]; /* "d", "q" or "Q" */
    Py_ssize_t     shape, stride;
};

static PyTypeObject *column_type;

static const struct {
    const char *name;
    int         column;
    size_t      offset;
    char        format;
} numbers[] = {
    { "execution_time", KNACKDB_PATTERN_EXECUTION_TIME, offsetof(knackdb_pattern, execution_time), 'd' },
    { "success_rate", KNACKDB_PATTERN_SUCCESS_RATE, offsetof(knackdb_pattern, success_rate), 'd' },
    { "confidence_score", KNACKDB_PATTERN_CONFIDENCE_SCORE, offsetof(knackdb_pattern, confidence_score), 'd' },
    { "agent_count", KNACKDB_PATTERN_AGENT_COUNT, offsetof(knackdb_pattern, agent_count), 'q' },
    { "created_at", KNACKDB_PATTERN_CREATED_AT, offsetof(knackdb_pattern, created_at), 'd' },
    { "updated_at", KNACKDB_PATTERN_UPDATED_AT, offsetof(knackdb_pattern, updated_at), 'd' },
    { "usage_count", KNACKDB_PATTERN_USAGE_COUNT, offsetof(knackdb_pattern, usage_count), 'q' },
    { "nulls", -1, offsetof(knackdb_pattern, nulls), 'Q' },
};

static void
column_dealloc(PyObject *object)
{
    struct column *self = (struct column *) object;
    PyTypeObject  *type = Py_TYPE(object);

    answer_release(self->answer);
    PyObject_Free(object);
    Py_DECREF(type);
}

static int
column_get_buffer(PyObject *object, Py_buffer *view, int flags)
{
    static double  nothing; /* where an empty column begins */
    struct column *self = (struct column *) object;

    view->obj = NULL;
    if ((flags & PyBUF_WRITABLE) == PyBUF_WRITABLE || (flags & PyBUF_STRIDES) != PyBUF_STRIDES) {
        PyErr_SetString(PyExc_BufferError, "a column is read-only and has a stride");
        return -1;
    }
    view->buf = self->shape != 0 ? (char *) self->answer->rows + self->offset : (char *) &nothing;
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

static void
nan_where_null(struct answer *answer)
{
    knackdb_pattern *rows = answer->rows;

    for (size_t i = 0; i < answer->count; i++)
        for (size_t n = 0; n < sizeof numbers / sizeof numbers[0]; n++)
            if (numbers[n].format == 'd' && rows[i].nulls & KNACKDB_BIT(numbers[n].column))
                *(double *) (void *) ((char *) &rows[i] + numbers[n].offset) = (double) NAN;
            else if (numbers[n].format == 'q' && rows[i].nulls & KNACKDB_BIT(numbers[n].column))
                *(int64_t *) (void *) ((char *) &rows[i] + numbers[n].offset) = 0;
}

PyObject *
columns_of_patterns(struct answer *answer)
{
    PyObject *columns = PyDict_New();

    nan_where_null(answer);
    for (size_t n = 0; columns != NULL && n < sizeof numbers / sizeof numbers[0]; n++) {
        struct column *column = PyObject_New(struct column, column_type);

        if (column == NULL) {
            Py_CLEAR(columns);
            break;
        }
        column->answer = answer_share(answer);
        column->offset = numbers[n].offset;
        column->format[0] = numbers[n].format;
        column->format[1] = '\0';
        column->shape = (Py_ssize_t) answer->count;
        column->stride = (Py_ssize_t) sizeof(knackdb_pattern);
        if (PyDict_SetItemString(columns, numbers[n].name, (PyObject *) column) < 0)
            Py_CLEAR(columns);
        Py_DECREF(column);
    }
    return columns;
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
