/* database_read.c - the calls that ask the store.
 *
 * A question is read from the filter, looked up among the last answers, and only then put to the store. The commit
 * number is read before the store is asked, so an answer kept under it is never newer than it says: at worst it is
 * asked for once more. */
#include "database.h"

#include "arguments.h"
#include "column.h"
#include "failure.h"
#include "names.h"
#include "object_row.h"
#include "ready.h"
#include "record.h"

static PyObject *
rows_of(PyTypeObject *type, const struct record_layout *layout, struct answer *answer)
{
    PyObject *list = PyList_New((Py_ssize_t) answer->count);

    for (size_t i = 0; list != NULL && i < answer->count; i++) {
        PyObject *row = record_of_row(type, layout, answer, i);

        if (row == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, (Py_ssize_t) i, row);
    }
    return list;
}

/* Asks the store itself; shared with the caller. NULL with an exception. */
static struct answer *
find_patterns(database *self, knackdb *store, const knackdb_query *query)
{
    knackdb_pattern *rows = NULL;
    size_t           count = 0;
    knackdb_status   status;
    knackdb_error    error;

    if (self->rows > SEARCH_IS_QUICK_ROWS) {
        DATABASE_RELEASE_GIL(self)
        status = knackdb_patterns_find(store, query, &rows, &count, &error);
        DATABASE_TAKE_GIL(self)
    } else
        status = knackdb_patterns_find(store, query, &rows, &count, &error);
    if (status != KNACKDB_OK) {
        (void) failure_raise(status, error.message);
        return NULL;
    }
    return count == 0 ? answer_empty() : answer_of_patterns(rows, count);
}

static struct answer *
ask(database *self, const struct filter *filter)
{
    knackdb       *store = database_store(self);
    struct answer *answer;
    knackdb_read  *read;
    uint64_t       sequence;
    knackdb_status status;
    knackdb_error  error;

    if (store == NULL)
        return NULL;
    if (filter->matches_nothing || filter->wants_no_rows)
        return answer_empty();
    status = knackdb_read_begin(store, &read, &error);
    if (status != KNACKDB_OK) {
        (void) failure_raise(status, error.message);
        return NULL;
    }
    sequence = knackdb_read_sequence(read);
    knackdb_read_end(read);
    answer = answer_cache_find(&self->answers, filter, sequence);
    if (answer != NULL)
        return answer;
    answer = find_patterns(self, store, &filter->query);
    if (answer != NULL && !self->is_closing && self->store == store)
        answer_cache_keep(&self->answers, filter, sequence, answer);
    return answer;
}

/* An empty list must be made while no exception is set. */
static PyObject *
failed_with_list(database *self)
{
    PyObject *type, *exception, *traceback, *list;

    PyErr_Fetch(&type, &exception, &traceback);
    list = PyList_New(0);
    if (list == NULL)
        PyErr_Clear();
    PyErr_Restore(type, exception, traceback);
    return database_failed(self, list);
}

static PyObject *
answer_filter(database *self, struct filter *filter)
{
    struct answer *answer = ask(self, filter);
    PyObject      *list = NULL;

    if (answer != NULL)
        list = rows_of(python_side.pattern, &pattern_layout, answer);
    answer_release(answer);
    return list != NULL ? ready_value(list) : failed_with_list(self);
}

PyDoc_STRVAR(retrieve_doc,
"retrieve_patterns($self, filters=None)\n--\n\n"
"Patterns that match a PatternFilters, or any object with its attributes, the most\n"
"trusted first. Awaits to a list that is the caller's: changing it, or a pattern in\n"
"it, changes nothing stored.\n");

static PyObject *
retrieve(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    static const char *const names[] = { "filters", NULL };
    struct filter            filter;
    PyObject                *filters, *result;

    if (arguments_sort("retrieve_patterns", names, 0, args, count, keywords, &filters) < 0)
        return NULL;
    if (filter_read(&filter, filters) < 0)
        result = failed_with_list((database *) self);
    else
        result = answer_filter((database *) self, &filter);
    filter_clear(&filter);
    return result;
}

PyDoc_STRVAR(columns_doc,
"retrieve_columns($self, filters=None)\n--\n\n"
"The number columns of the patterns that match, as a dict of read-only buffers: what\n"
"numpy.asarray() takes without a copy. NULL is NaN, in integers 0; `nulls` tells which.\n");

static PyObject *
retrieve_columns(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    static const char *const names[] = { "filters", NULL };
    database                *self = (database *) object;
    struct filter            filter;
    struct answer           *answer = NULL;
    PyObject                *filters, *columns = NULL;

    if (arguments_sort("retrieve_columns", names, 0, args, count, keywords, &filters) < 0)
        return NULL;
    if (filter_read(&filter, filters) == 0)
        answer = ask(self, &filter);
    if (answer != NULL)
        columns = columns_of_patterns(answer);
    answer_release(answer);
    filter_clear(&filter);
    if (columns != NULL)
        return ready_value(columns);
    Py_INCREF(Py_None);
    return database_failed(self, Py_None);
}

PyDoc_STRVAR(best_doc,
"get_best_patterns($self, task_type, limit=5)\n--\n\n"
"The patterns to use now for a kind of task, by score: success proven often, trusted\n"
"and recent comes first. A task_type of None asks for those of every kind.\n");

static PyObject *
best(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    static const char *const names[] = { "task_type", "limit", NULL };
    struct filter            filter;
    PyObject                *values[2], *result;
    knackdb_text             task_type = { NULL, 0 };
    int64_t                  limit = 5;
    int                      is_null = 0;

    if (arguments_sort("get_best_patterns", names, 1, args, count, keywords, values) < 0)
        return NULL;
    if (filter_read(&filter, NULL) < 0 || object_text(&filter.arena, values[0], &task_type) < 0 ||
        (values[1] != NULL && object_integer(values[1], &limit, &is_null) < 0)) {
        failure_as_error();
        result = failed_with_list((database *) self);
    } else {
        if (task_type.data != NULL) {
            filter.conditions[0] =
                knackdb_where(KNACKDB_PATTERN_TASK_TYPE, KNACKDB_EQUAL, knackdb_value_text(task_type));
            filter.query.condition_count = 1;
        }
        filter.query.order[0] = (knackdb_order) { KNACKDB_ORDER_BY_SCORE, true };
        filter.query.order_count = 1;
        filter.wants_no_rows = limit == 0 && !is_null;
        filter.query.limit = limit > 0 && !is_null ? (uint64_t) limit : 0;
        filter.is_fixed = false;
        filter_make_key(&filter);
        result = answer_filter((database *) self, &filter);
    }
    filter_clear(&filter);
    return result;
}

PyDoc_STRVAR(get_pattern_doc,
"get_pattern($self, pattern_id)\n--\n\n"
"The pattern with this id, or None.\n");

static PyObject *
get_pattern(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    static const char *const names[] = { "pattern_id", NULL };
    database                *self = (database *) object;
    struct arena             arena;
    PyObject                *id, *result = NULL;
    knackdb                 *store;
    knackdb_text             text;
    knackdb_pattern         *row;
    knackdb_status           status = KNACKDB_INVALID;
    knackdb_error            error;

    if (arguments_sort("get_pattern", names, 1, args, count, keywords, &id) < 0)
        return NULL;
    arena_init(&arena);
    store = database_store(self);
    if (store != NULL && id == Py_None)
        PyErr_SetString(PyExc_TypeError, "pattern_id must be str, not None");
    else if (store != NULL && object_text(&arena, id, &text) == 0) {
        store = database_store(self);
        status = store != NULL ? knackdb_pattern_get_external(store, text, &row, &error) : KNACKDB_INVALID;
        if (store != NULL && status == KNACKDB_NOT_FOUND) { /* shown under its number? */
            PyObject *number = PyLong_FromUnicodeObject(id, 10);
            int64_t   value = number != NULL ? PyLong_AsLongLong(number) : -1;

            Py_XDECREF(number);
            PyErr_Clear();
            if (value > 0)
                status = knackdb_pattern_get(store, value, &row, &error);
            if (status == KNACKDB_OK && row->external_id.data != NULL) {
                knackdb_free(row);
                status = KNACKDB_NOT_FOUND;
            }
        }
        if (status == KNACKDB_OK) {
            struct answer *answer = answer_of_patterns(row, 1);

            if (answer != NULL)
                result = record_of_row(python_side.pattern, &pattern_layout, answer, 0);
            answer_release(answer);
        } else if (store != NULL && status == KNACKDB_NOT_FOUND) {
            result = Py_None;
            Py_INCREF(result);
        } else if (store != NULL)
            (void) failure_raise(status, error.message);
    }
    arena_clear(&arena);
    if (result != NULL)
        return ready_value(result);
    Py_INCREF(Py_None);
    return database_failed(self, Py_None);
}

PyDoc_STRVAR(history_doc,
"get_performance_history($self, component, days=None, metric=None, limit=None)\n--\n\n"
"What a component measured, newest first; of the last days, of one metric where told.\n");

static PyObject *
history(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    static const char *const names[] = { "component", "days", "metric", "limit", NULL };
    database                *self = (database *) object;
    struct arena             arena;
    PyObject                *values[4], *list = NULL;
    knackdb_text             component, metric = { NULL, 0 };
    double                   days = 0;
    int64_t                  limit = 0;
    int                      no_days = 1, no_limit = 1;
    bool                     asked;

    if (arguments_sort("get_performance_history", names, 1, args, count, keywords, values) < 0)
        return NULL;
    arena_init(&arena);
    if (!PyUnicode_Check(values[0]))
        PyErr_Format(PyExc_TypeError, "component must be str, not %.100s", Py_TYPE(values[0])->tp_name);
    asked = !PyErr_Occurred() && object_text(&arena, values[0], &component) == 0 &&
            (values[1] == NULL || object_real(values[1], &days, &no_days) == 0) &&
            (values[2] == NULL || object_text(&arena, values[2], &metric) == 0) &&
            (values[3] == NULL || object_integer(values[3], &limit, &no_limit) == 0);
    if (asked) {
        knackdb        *store = database_store(self);
        knackdb_metric *rows = NULL;
        size_t          row_count = 0;
        knackdb_status  status = KNACKDB_OK;
        knackdb_error   error;
        double          since = no_days ? 0 : knackdb_now() - days * 86400;

        if (store != NULL && (no_limit || limit != 0)) {
            uint64_t limited = no_limit || limit < 0 ? 0 : (uint64_t) limit;

            if (self->rows > SEARCH_IS_QUICK_ROWS) {
                DATABASE_RELEASE_GIL(self)
                status = knackdb_metrics_history(store, component, metric, since, 0, limited, &rows, &row_count,
                                                 &error);
                DATABASE_TAKE_GIL(self)
            } else
                status = knackdb_metrics_history(store, component, metric, since, 0, limited, &rows, &row_count,
                                                 &error);
        }
        if (store != NULL && status != KNACKDB_OK)
            (void) failure_raise(status, error.message);
        else if (store != NULL) {
            struct answer *answer = row_count == 0 ? answer_empty() : answer_of_metrics(rows, row_count);

            if (answer != NULL)
                list = rows_of(python_side.metric, &metric_layout, answer);
            answer_release(answer);
        }
    }
    arena_clear(&arena);
    return list != NULL ? ready_value(list) : failed_with_list(self);
}

PyDoc_STRVAR(preference_rows_doc,
"_preference_rows(type, value): preferences as tuples (type, value, weight, usage_count,\n"
"last_used), the one last used last; None asks for all.");

static PyObject *
preference_tuple(const knackdb_preference *row)
{
    PyObject *tuple = PyTuple_New(5);
    PyObject *items[5] = {
        row->preference_type.data == NULL ? NULL
            : PyUnicode_DecodeUTF8(row->preference_type.data, (Py_ssize_t) row->preference_type.length, NULL),
        row->preference_value.data == NULL ? NULL
            : PyUnicode_DecodeUTF8(row->preference_value.data, (Py_ssize_t) row->preference_value.length, NULL),
        row->nulls & KNACKDB_BIT(KNACKDB_PREFERENCE_WEIGHT) ? NULL : PyFloat_FromDouble(row->weight),
        row->nulls & KNACKDB_BIT(KNACKDB_PREFERENCE_USAGE_COUNT) ? NULL : PyLong_FromLongLong(row->usage_count),
        row->nulls & KNACKDB_BIT(KNACKDB_PREFERENCE_LAST_USED) ? NULL : PyFloat_FromDouble(row->last_used),
    };

    for (int i = 0; i < 5; i++) {
        if (items[i] == NULL && !PyErr_Occurred()) {
            Py_INCREF(Py_None);
            items[i] = Py_None;
        }
        if (tuple != NULL)
            PyTuple_SET_ITEM(tuple, i, items[i]);
        else
            Py_XDECREF(items[i]);
    }
    if (PyErr_Occurred())
        Py_CLEAR(tuple);
    return tuple;
}

static PyObject *
preference_rows(PyObject *object, PyObject *args)
{
    database           *self = (database *) object;
    struct arena        arena;
    knackdb_condition   conditions[2];
    knackdb_query       query = { .table = KNACKDB_USER_PREFERENCES, .conditions = conditions, .order_count = 1 };
    knackdb_preference *rows = NULL;
    size_t              count = 0;
    knackdb            *store = NULL;
    PyObject           *asked[2], *list = NULL;
    knackdb_status      status;
    knackdb_error       error;

    if (!PyArg_ParseTuple(args, "OO:_preference_rows", &asked[0], &asked[1]))
        return NULL;
    arena_init(&arena);
    query.order[0] = (knackdb_order) { KNACKDB_PREFERENCE_LAST_USED, false };
    for (uint32_t i = 0; i < 2 && !PyErr_Occurred(); i++) {
        knackdb_text text;

        if (asked[i] != Py_None && object_text(&arena, asked[i], &text) == 0)
            conditions[query.condition_count++] =
                knackdb_where(KNACKDB_PREFERENCE_TYPE + i, KNACKDB_EQUAL, knackdb_value_text(text));
    }
    if (!PyErr_Occurred())
        store = database_store(self);
    if (store != NULL) {
        DATABASE_RELEASE_GIL(self)
        status = knackdb_preferences_find(store, &query, &rows, &count, &error);
        DATABASE_TAKE_GIL(self)
        if (status != KNACKDB_OK)
            (void) failure_raise(status, error.message);
        else
            list = PyList_New((Py_ssize_t) count);
    }
    for (size_t i = 0; list != NULL && i < count; i++) {
        PyObject *tuple = preference_tuple(&rows[i]);

        if (tuple == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, (Py_ssize_t) i, tuple);
    }
    knackdb_free(rows);
    arena_clear(&arena);
    return list;
}

#define FAST(function) (PyCFunction) (void (*)(void)) function, METH_FASTCALL | METH_KEYWORDS
PyMethodDef database_read_methods[] = {
    { "retrieve_patterns", FAST(retrieve), retrieve_doc },
    { "retrieve_columns", FAST(retrieve_columns), columns_doc },
    { "get_best_patterns", FAST(best), best_doc },
    { "get_pattern", FAST(get_pattern), get_pattern_doc },
    { "get_performance_history", FAST(history), history_doc },
    { "_preference_rows", preference_rows, METH_VARARGS, preference_rows_doc },
    { NULL, NULL, 0, NULL },
};
