/* database_aggregate.c - figures of a number column: count, mean, extremes and percentiles, by group.
 *
 * The GIL is let go of: how long a pass over the rows takes nobody knows beforehand. The store's groups belong to a
 * read view, and making Python objects may run any code, such as that which closes the store and waits for its views.
 * So they are copied and the view is ended before the first object is made. */
#include "database.h"

#include "failure.h"
#include "filter.h"
#include "object_row.h"

#include <math.h>

/* What is asked of a table, besides which rows. */
struct question {
    int      table;
    uint32_t value_column;
    int32_t  group_column; /* -1: all in one */
    double   percentiles[KNACKDB_PERCENTILES_MAX];
    size_t   percentile_count;
};

static int
column_named(int table, PyObject *name, const char *argument)
{
    const char *utf8 = PyUnicode_Check(name) ? PyUnicode_AsUTF8(name) : NULL;
    int         column = utf8 != NULL ? knackdb_column_by_name(table, utf8) : -1;

    if (column < 0 && !PyErr_Occurred())
        PyErr_Format(PyExc_ValueError, "%s must name a column of %s, not %R", argument,
                     knackdb_table_describe(table)->name, name);
    return column;
}

static int
read_percentiles(struct question *question, PyObject *percentiles)
{
    PyObject *all = PySequence_Tuple(percentiles); /* its members may run code that changes a list */
    int       status = 0;

    if (all == NULL)
        return -1;
    if (PyTuple_GET_SIZE(all) > KNACKDB_PERCENTILES_MAX) {
        PyErr_Format(PyExc_ValueError, "at most %d percentiles, not %zd", KNACKDB_PERCENTILES_MAX,
                     PyTuple_GET_SIZE(all));
        status = -1;
    }
    for (Py_ssize_t i = 0; status == 0 && i < PyTuple_GET_SIZE(all); i++) {
        question->percentiles[i] = PyFloat_AsDouble(PyTuple_GET_ITEM(all, i));
        if (question->percentiles[i] == -1.0 && PyErr_Occurred())
            status = -1;
        question->percentile_count++;
    }
    Py_DECREF(all);
    return status;
}

static int
read_question(struct question *question, int table, PyObject *value, PyObject *by, PyObject *percentiles)
{
    int column = column_named(table, value, "value");

    question->table = table;
    question->group_column = -1;
    question->percentile_count = 0;
    if (column < 0)
        return -1;
    question->value_column = (uint32_t) column;
    if (by != Py_None) {
        question->group_column = column_named(table, by, "by");
        if (question->group_column < 0)
            return -1;
    }
    return read_percentiles(question, percentiles);
}

/* ---- from groups to tuples ---- */

static PyObject *
number_or_none(double number)
{
    if (isnan(number))
        Py_RETURN_NONE;
    return PyFloat_FromDouble(number);
}

static PyObject *
percentiles_of(const knackdb_group *group, size_t count)
{
    PyObject *tuple = PyTuple_New((Py_ssize_t) count);

    for (size_t i = 0; tuple != NULL && i < count; i++) {
        PyObject *number = number_or_none(group->percentiles[i]);

        if (number == NULL)
            Py_CLEAR(tuple);
        else
            PyTuple_SET_ITEM(tuple, (Py_ssize_t) i, number);
    }
    return tuple;
}

static PyObject *
tuple_of(const knackdb_group *group, size_t percentile_count)
{
    /* "N" takes each over, also where one of them, or the tuple, could not be made. */
    return Py_BuildValue("(NKKNNNN)",
                         group->key.data == NULL
                             ? number_or_none((double) NAN)
                             : PyUnicode_DecodeUTF8(group->key.data, (Py_ssize_t) group->key.length, NULL),
                         (unsigned long long) group->row_count, (unsigned long long) group->value_count,
                         number_or_none(group->mean), number_or_none(group->minimum), number_or_none(group->maximum),
                         percentiles_of(group, percentile_count));
}

static PyObject *
list_of(const knackdb_group *groups, size_t count, size_t percentile_count)
{
    PyObject *list = PyList_New((Py_ssize_t) count);

    for (size_t i = 0; list != NULL && i < count; i++) {
        PyObject *tuple = tuple_of(&groups[i], percentile_count);

        if (tuple == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, (Py_ssize_t) i, tuple);
    }
    return list;
}

/* The groups, copied: NULL with MemoryError. */
static const knackdb_group *
copy_groups(struct arena *arena, const knackdb_group *groups, size_t count)
{
    knackdb_group *copies = arena_items(arena, count, sizeof *copies);

    for (size_t i = 0; copies != NULL && i < count; i++) {
        copies[i] = groups[i];
        if (groups[i].key.data == NULL)
            continue;
        arena_begin(arena);
        if (arena_put(arena, groups[i].key.data, groups[i].key.length) < 0)
            return NULL;
        copies[i].key = arena_end(arena);
    }
    return copies;
}

static PyObject *
ask(database *self, struct arena *arena, const knackdb_query *query, const struct question *question)
{
    knackdb             *store = database_store(self); /* now: what was read until here may have closed it */
    knackdb_read        *read = NULL;
    const knackdb_group *groups = NULL;
    size_t               count = 0;
    knackdb_status       status;
    knackdb_error        error;

    if (store == NULL)
        return NULL;
    DATABASE_RELEASE_GIL(self)
    status = knackdb_read_begin(store, &read, &error);
    if (status == KNACKDB_OK)
        status = knackdb_read_aggregate(read, query, question->value_column, question->group_column,
                                        question->percentiles, question->percentile_count, &groups, &count, &error);
    DATABASE_TAKE_GIL(self)
    if (status == KNACKDB_OK)
        groups = copy_groups(arena, groups, count);
    knackdb_read_end(read);
    if (status != KNACKDB_OK)
        return failure_raise(status, error.message);
    return groups != NULL ? list_of(groups, count, question->percentile_count) : NULL;
}

/* ---- the calls ---- */

PyDoc_STRVAR(patterns_doc,
"_aggregate_patterns(filters, value, by, percentiles): figures of a column over the patterns\n"
"that match, a tuple a group: (key, rows, values, mean, minimum, maximum, percentiles).");

static PyObject *
aggregate_patterns(PyObject *object, PyObject *args)
{
    struct filter   filter;
    struct question question;
    PyObject       *filters, *value, *by, *percentiles, *list = NULL;

    if (!PyArg_ParseTuple(args, "OOOO:_aggregate_patterns", &filters, &value, &by, &percentiles))
        return NULL;
    if (filter_read(&filter, filters) == 0 &&
        read_question(&question, KNACKDB_EXECUTION_PATTERNS, value, by, percentiles) == 0) {
        if (filter.matches_nothing) { /* the store says what the figures of nothing are: no id is below 1 */
            filter.conditions[0] = knackdb_where(KNACKDB_PATTERN_ID, KNACKDB_LESS, knackdb_value_integer(1));
            filter.query.condition_count = 1;
        }
        list = ask((database *) object, &filter.arena, &filter.query, &question);
    }
    filter_clear(&filter);
    return list;
}

PyDoc_STRVAR(metrics_doc,
"_aggregate_metrics(component, metric, since, value, by, percentiles): the same of measurements;\n"
"None asks for every component, metric or time.");

static PyObject *
aggregate_metrics(PyObject *object, PyObject *args)
{
    static const uint32_t columns[] = { KNACKDB_METRIC_COMPONENT_NAME, KNACKDB_METRIC_METRIC_NAME };
    struct arena          arena;
    struct question       question;
    knackdb_condition     conditions[3];
    knackdb_query         query = { .table = KNACKDB_PERFORMANCE_METRICS, .conditions = conditions };
    PyObject             *names[2], *since, *value, *by, *percentiles, *list = NULL;
    double                time = 0;
    int                   no_time;

    if (!PyArg_ParseTuple(args, "OOOOOO:_aggregate_metrics", &names[0], &names[1], &since, &value, &by, &percentiles))
        return NULL;
    arena_init(&arena);
    for (size_t i = 0; i < 2 && !PyErr_Occurred(); i++) {
        knackdb_text text;

        if (names[i] != Py_None && object_text(&arena, names[i], &text) == 0)
            conditions[query.condition_count++] = knackdb_where(columns[i], KNACKDB_EQUAL, knackdb_value_text(text));
    }
    if (!PyErr_Occurred() && object_real(since, &time, &no_time) == 0 && !no_time)
        conditions[query.condition_count++] = knackdb_where_at_least(KNACKDB_METRIC_MEASURED_AT, time);
    if (!PyErr_Occurred() && read_question(&question, KNACKDB_PERFORMANCE_METRICS, value, by, percentiles) == 0)
        list = ask((database *) object, &arena, &query, &question);
    arena_clear(&arena);
    return list;
}

PyMethodDef database_aggregate_methods[] = {
    { "_aggregate_patterns", aggregate_patterns, METH_VARARGS, patterns_doc },
    { "_aggregate_metrics", aggregate_metrics, METH_VARARGS, metrics_doc },
    { NULL, NULL, 0, NULL },
};
