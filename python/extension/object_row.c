/* object_row.c - see object_row.h.
 *
 * The engine keeps its own classes, so all that is asked of an object is its attributes. One of ours is read without
 * asking: its cells, or the text of the row it came from, which then never becomes a Python object at all.
 *
 * Every attribute is a new reference that is let go of at once; what it said is in the row or in the arena. The
 * object may run any code while it answers, so nothing here is assumed to hold from one attribute to the next. */
#include "object_row.h"

#include "answer.h"
#include "failure.h"
#include "json_text.h"
#include "names.h"
#include "record.h"

int
object_real(PyObject *value, double *ret_real, int *ret_is_null)
{
    *ret_is_null = value == Py_None;
    if (PyFloat_CheckExact(value))
        *ret_real = PyFloat_AS_DOUBLE(value);
    else if (value != Py_None) {
        *ret_real = PyFloat_AsDouble(value);
        if (*ret_real == -1.0 && PyErr_Occurred())
            return -1;
    }
    return 0;
}

int
object_integer(PyObject *value, int64_t *ret_integer, int *ret_is_null)
{
    PyObject *integer;

    *ret_is_null = value == Py_None;
    if (value == Py_None)
        return 0;
    if (PyLong_Check(value)) {
        *ret_integer = PyLong_AsLongLong(value);
        return *ret_integer == -1 && PyErr_Occurred() ? -1 : 0;
    }
    if (PyFloat_Check(value)) {
        double real = PyFloat_AS_DOUBLE(value);

        if (real >= -9007199254740992.0 && real <= 9007199254740992.0 && real == (double) (int64_t) real) {
            *ret_integer = (int64_t) real;
            return 0;
        }
        PyErr_Format(PyExc_TypeError, "must be a whole number, not %R", value);
        return -1;
    }
    integer = PyNumber_Index(value);
    if (integer == NULL)
        return -1;
    *ret_integer = PyLong_AsLongLong(integer);
    Py_DECREF(integer);
    return *ret_integer == -1 && PyErr_Occurred() ? -1 : 0;
}

int
object_text(struct arena *arena, PyObject *value, knackdb_text *ret_text)
{
    PyObject *inner;
    int       status;

    if (value == Py_None) {
        ret_text->data = NULL;
        ret_text->length = 0;
        return 0;
    }
    if (PyUnicode_Check(value))
        return arena_text(arena, value, ret_text);
    inner = PyObject_GetAttrString(value, "value"); /* an enum whose members stand for strings */
    if (inner != NULL && PyUnicode_Check(inner)) {
        status = arena_text(arena, inner, ret_text);
        Py_DECREF(inner);
        return status;
    }
    if (inner == NULL && !PyErr_ExceptionMatches(PyExc_AttributeError))
        return -1;
    Py_XDECREF(inner);
    PyErr_Format(PyExc_TypeError, "must be str, not %.100s", Py_TYPE(value)->tp_name);
    return -1;
}

/* Lists and dicts as JSON. A str is taken for the JSON itself: that is how it is kept by who keeps it as text, and
 * how text that was never JSON came out of a retrieve. */
static int
object_json(struct arena *arena, PyObject *value, char opening, knackdb_text *ret_text)
{
    PyObject *list = NULL;
    int       status;

    if (value == Py_None || PyUnicode_Check(value))
        return object_text(arena, value, ret_text);
    if (!PyList_CheckExact(value) && !PyDict_CheckExact(value) && PyAnySet_Check(value)) {
        list = PySequence_List(value);
        if (list == NULL)
            return -1;
        value = list;
    }
    status = json_write(arena, value, ret_text);
    if (status == 0 && (ret_text->length == 0 || ret_text->data[0] != opening)) {
        PyErr_Format(PyExc_TypeError, "must be %s, not %.100s", opening == '[' ? "a list" : "a dict",
                     Py_TYPE(value)->tp_name);
        status = -1;
    }
    Py_XDECREF(list);
    return status;
}

/* What an object is to be asked for, and the row it may still lie in. */
struct source {
    const struct record_layout *layout;
    PyTypeObject               *ours;
    PyObject                   *object;
};

static const void *
untouched_row(const struct source *source, int field, size_t row_bytes)
{
    const record *self = (const record *) source->object;

    if (Py_TYPE(source->object) != source->ours || self->in_dict || self->cells[field] != NULL || self->answer == NULL)
        return NULL;
    return (const char *) self->answer->rows + self->index * row_bytes;
}

static int
take_text(struct arena *arena, const struct source *source, int field, knackdb_text *ret_text)
{
    PyObject *value = record_get(source->layout, source->ours, source->object, field);
    int       status = value != NULL ? object_text(arena, value, ret_text) : -1;

    Py_XDECREF(value);
    if (status < 0)
        failure_in_column(source->layout->field_names[field]);
    return status;
}

static int
take_json(struct arena *arena, const struct source *source, int field, char opening, const knackdb_text *untouched,
          knackdb_text *ret_text)
{
    PyObject *value;
    int       status;

    if (untouched != NULL) {
        *ret_text = *untouched;
        if (untouched->data == NULL)
            return 0;
        arena_begin(arena);
        if (arena_put(arena, untouched->data, untouched->length) < 0)
            return -1;
        *ret_text = arena_end(arena);
        return 0;
    }
    value = record_get(source->layout, source->ours, source->object, field);
    status = value != NULL ? object_json(arena, value, opening, ret_text) : -1;
    Py_XDECREF(value);
    if (status < 0)
        failure_in_column(source->layout->field_names[field]);
    return status;
}

static int
take_real(const struct source *source, int field, int column, double *ret_real, uint64_t *nulls)
{
    PyObject *value = record_get(source->layout, source->ours, source->object, field);
    int       is_null = 0;
    int       status = value != NULL ? object_real(value, ret_real, &is_null) : -1;

    Py_XDECREF(value);
    if (is_null) {
        *ret_real = 0;
        *nulls |= KNACKDB_BIT(column);
    }
    if (status < 0)
        failure_in_column(source->layout->field_names[field]);
    return status;
}

static int
take_integer(const struct source *source, int field, int column, int64_t *ret_integer, uint64_t *nulls)
{
    PyObject *value = record_get(source->layout, source->ours, source->object, field);
    int       is_null = 0;
    int       status = value != NULL ? object_integer(value, ret_integer, &is_null) : -1;

    Py_XDECREF(value);
    if (is_null) {
        *ret_integer = 0;
        *nulls |= KNACKDB_BIT(column);
    }
    if (status < 0)
        failure_in_column(source->layout->field_names[field]);
    return status;
}

/* Ids are strings; a number is taken as it would be printed. */
static int
take_id(struct arena *arena, const struct source *source, knackdb_text *ret_text)
{
    PyObject *value = record_get(source->layout, source->ours, source->object, PATTERN_ID);
    int       status;

    if (value != NULL && PyLong_CheckExact(value)) {
        PyObject *printed = PyObject_Str(value);

        Py_DECREF(value);
        value = printed;
    }
    status = value != NULL ? object_text(arena, value, ret_text) : -1;
    Py_XDECREF(value);
    if (status < 0)
        failure_in_column("id");
    return status;
}

int
object_row_pattern(struct arena *arena, PyObject *object, knackdb_pattern *row)
{
    struct source          source = { &pattern_layout, python_side.pattern, object };
    const knackdb_pattern *tools, *context;

    row->id = 0;
    row->nulls = 0;
    if (object == Py_None) {
        (void) failure_raise(KNACKDB_INVALID, "a pattern must be an object with a pattern's attributes, not None");
        return -1;
    }
    record_meet(&pattern_layout, source.ours, object);
    if (take_id(arena, &source, &row->external_id) < 0 ||
        take_text(arena, &source, PATTERN_TASK_TYPE, &row->task_type) < 0 ||
        take_text(arena, &source, PATTERN_PATTERN_USED, &row->pattern_used) < 0 ||
        take_real(&source, PATTERN_EXECUTION_TIME, KNACKDB_PATTERN_EXECUTION_TIME, &row->execution_time, &row->nulls) <
            0 ||
        take_real(&source, PATTERN_SUCCESS_RATE, KNACKDB_PATTERN_SUCCESS_RATE, &row->success_rate, &row->nulls) < 0 ||
        take_real(&source, PATTERN_CONFIDENCE_SCORE, KNACKDB_PATTERN_CONFIDENCE_SCORE, &row->confidence_score,
                  &row->nulls) < 0 ||
        take_integer(&source, PATTERN_AGENT_COUNT, KNACKDB_PATTERN_AGENT_COUNT, &row->agent_count, &row->nulls) < 0 ||
        take_text(arena, &source, PATTERN_COMPLEXITY_LEVEL, &row->complexity_level) < 0)
        return -1;
    tools = untouched_row(&source, PATTERN_TOOLS_USED, sizeof *row);
    if (take_json(arena, &source, PATTERN_TOOLS_USED, '[', tools != NULL ? &tools->tools_used : NULL,
                  &row->tools_used) < 0)
        return -1;
    context = untouched_row(&source, PATTERN_CONTEXT_FACTORS, sizeof *row);
    if (take_json(arena, &source, PATTERN_CONTEXT_FACTORS, '{', context != NULL ? &context->context_factors : NULL,
                  &row->context_factors) < 0 ||
        take_real(&source, PATTERN_CREATED_AT, KNACKDB_PATTERN_CREATED_AT, &row->created_at, &row->nulls) < 0 ||
        take_real(&source, PATTERN_UPDATED_AT, KNACKDB_PATTERN_UPDATED_AT, &row->updated_at, &row->nulls) < 0)
        return -1;
    return take_integer(&source, PATTERN_USAGE_COUNT, KNACKDB_PATTERN_USAGE_COUNT, &row->usage_count, &row->nulls);
}

int
object_row_metric(struct arena *arena, PyObject *object, knackdb_metric *row)
{
    struct source         source = { &metric_layout, python_side.metric, object };
    const knackdb_metric *metadata;

    row->id = 0;
    row->nulls = 0;
    if (object == Py_None) {
        (void) failure_raise(KNACKDB_INVALID, "a metric must be an object with a metric's attributes, not None");
        return -1;
    }
    record_meet(&metric_layout, source.ours, object);
    if (take_text(arena, &source, METRIC_COMPONENT_NAME, &row->component_name) < 0 ||
        take_text(arena, &source, METRIC_METRIC_NAME, &row->metric_name) < 0 ||
        take_real(&source, METRIC_METRIC_VALUE, KNACKDB_METRIC_METRIC_VALUE, &row->metric_value, &row->nulls) < 0 ||
        take_real(&source, METRIC_BASELINE_VALUE, KNACKDB_METRIC_BASELINE_VALUE, &row->baseline_value, &row->nulls) <
            0 ||
        take_real(&source, METRIC_IMPROVEMENT_PERCENTAGE, KNACKDB_METRIC_IMPROVEMENT_PERCENTAGE,
                  &row->improvement_percentage, &row->nulls) < 0 ||
        take_integer(&source, METRIC_SAMPLE_COUNT, KNACKDB_METRIC_SAMPLE_COUNT, &row->sample_count, &row->nulls) < 0 ||
        take_real(&source, METRIC_CONFIDENCE_INTERVAL, KNACKDB_METRIC_CONFIDENCE_INTERVAL, &row->confidence_interval,
                  &row->nulls) < 0 ||
        take_real(&source, METRIC_MEASURED_AT, KNACKDB_METRIC_MEASURED_AT, &row->measured_at, &row->nulls) < 0)
        return -1;
    metadata = untouched_row(&source, METRIC_METADATA, sizeof *row);
    return take_json(arena, &source, METRIC_METADATA, '{', metadata != NULL ? &metadata->metadata : NULL,
                     &row->metadata);
}
