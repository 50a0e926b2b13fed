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
#include "pattern_id.h"
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

    DATABASE_RELEASE_GIL_WHERE(self, self->rows > SEARCH_IS_QUICK_ROWS)
    status = knackdb_patterns_find(store, query, &rows, &count, &error);
    DATABASE_TAKE_GIL(self)
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

/* The question of get_best_patterns(); `limit` may be NULL. -1 with an exception. */
static int
read_best(struct filter *filter, PyObject *kind, PyObject *limit)
{
    knackdb_text task_type;

    if (filter_read(filter, NULL) < 0)
        return -1;
    if (object_text(&filter->arena, kind, &task_type) < 0) {
        failure_in_column("task_type");
        return -1;
    }
    filter->query.limit = 5;
    if (limit != NULL && filter_limit(limit, &filter->query.limit, &filter->wants_no_rows) < 0) {
        failure_in_column("limit");
        return -1;
    }
    if (task_type.data != NULL) {
        filter->conditions[0] = knackdb_where(KNACKDB_PATTERN_TASK_TYPE, KNACKDB_EQUAL, knackdb_value_text(task_type));
        filter->query.condition_count = 1;
    }
    filter->query.order[0] = (knackdb_order) { KNACKDB_ORDER_BY_SCORE, true };
    filter->query.order_count = 1;
    filter->is_fixed = false;
    filter_make_key(filter);
    return 0;
}

static PyObject *
best(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    static const char *const names[] = { "task_type", "limit", NULL };
    struct filter            filter;
    PyObject                *values[2], *result;

    if (arguments_sort("get_best_patterns", names, 1, args, count, keywords, values) < 0)
        return NULL;
    if (read_best(&filter, values[0], values[1]) < 0)
        result = failed_with_list((database *) self);
    else
        result = answer_filter((database *) self, &filter);
    filter_clear(&filter);
    return result;
}

PyDoc_STRVAR(get_pattern_doc,
"get_pattern($self, pattern_id)\n--\n\n"
"The pattern with this id, or None.\n");

/* The row with an id, or that is shown under it. */
static knackdb_status
find_by_id(knackdb *store, knackdb_text id, knackdb_pattern **ret_row, knackdb_error *error)
{
    knackdb_status status = knackdb_pattern_get_external(store, id, ret_row, error);
    int64_t        number = status == KNACKDB_NOT_FOUND ? pattern_id_of_row(store, id) : 0;

    return number != 0 ? knackdb_pattern_get(store, number, ret_row, error) : status;
}

static PyObject *
pattern_or_none(database *self, knackdb_text id)
{
    knackdb         *store = database_store(self);
    knackdb_pattern *row;
    struct answer   *answer;
    PyObject        *pattern = NULL;
    knackdb_status   status;
    knackdb_error    error;

    if (store == NULL)
        return NULL;
    status = find_by_id(store, id, &row, &error);
    if (status == KNACKDB_NOT_FOUND)
        Py_RETURN_NONE;
    if (status != KNACKDB_OK)
        return failure_raise(status, error.message);
    answer = answer_of_patterns(row, 1);
    if (answer != NULL)
        pattern = record_of_row(python_side.pattern, &pattern_layout, answer, 0);
    answer_release(answer);
    return pattern;
}

static PyObject *
get_pattern(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    static const char *const names[] = { "pattern_id", NULL };
    database                *self = (database *) object;
    struct arena             arena;
    PyObject                *id, *result = NULL;
    knackdb_text             text;

    if (arguments_sort("get_pattern", names, 1, args, count, keywords, &id) < 0)
        return NULL;
    arena_init(&arena);
    if (pattern_id_take(&arena, id, &text) == 0)
        result = pattern_or_none(self, text);
    arena_clear(&arena);
    if (result != NULL)
        return ready_value(result);
    Py_INCREF(Py_None);
    return database_failed(self, Py_None);
}

PyDoc_STRVAR(history_doc,
"get_performance_history($self, component, days=None, metric=None, limit=None)\n--\n\n"
"What a component measured, newest first; of the last days, of one metric where told.\n");

struct history_question {
    struct arena arena;
    knackdb_text component, metric;
    double       since;
    uint64_t     limit;
    bool         wants_no_rows;
};

/* -1 with an exception. */
static int
read_history_question(struct history_question *question, PyObject *component, PyObject *days, PyObject *metric,
                      PyObject *limit)
{
    double day_count = 0;
    int    no_days = 1;

    if (!PyUnicode_Check(component)) {
        PyErr_Format(PyExc_TypeError, "component must be str, not %.100s", Py_TYPE(component)->tp_name);
        return -1;
    }
    if (object_text(&question->arena, component, &question->component) < 0 ||
        (days != NULL && object_real(days, &day_count, &no_days) < 0) ||
        (metric != NULL && object_text(&question->arena, metric, &question->metric) < 0) ||
        (limit != NULL && filter_limit(limit, &question->limit, &question->wants_no_rows) < 0))
        return -1;
    question->since = no_days ? 0 : knackdb_now() - day_count * 86400;
    return 0;
}

static PyObject *
history_rows(database *self, const struct history_question *question)
{
    knackdb        *store = database_store(self);
    knackdb_metric *rows = NULL;
    size_t          count = 0;
    struct answer  *answer;
    PyObject       *list = NULL;
    knackdb_status  status = KNACKDB_OK;
    knackdb_error   error;

    if (store == NULL)
        return NULL;
    if (!question->wants_no_rows) {
        DATABASE_RELEASE_GIL_WHERE(self, self->rows > SEARCH_IS_QUICK_ROWS)
        status = knackdb_metrics_history(store, question->component, question->metric, question->since, 0,
                                         question->limit, &rows, &count, &error);
        DATABASE_TAKE_GIL(self)
    }
    if (status != KNACKDB_OK)
        return failure_raise(status, error.message);
    answer = count == 0 ? answer_empty() : answer_of_metrics(rows, count);
    if (answer != NULL)
        list = rows_of(python_side.metric, &metric_layout, answer);
    answer_release(answer);
    return list;
}

static PyObject *
history(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    static const char *const names[] = { "component", "days", "metric", "limit", NULL };
    database                *self = (database *) object;
    struct history_question  question = { .limit = 0 };
    PyObject                *values[4], *list = NULL;

    if (arguments_sort("get_performance_history", names, 1, args, count, keywords, values) < 0)
        return NULL;
    arena_init(&question.arena);
    if (read_history_question(&question, values[0], values[1], values[2], values[3]) == 0)
        list = history_rows(self, &question);
    arena_clear(&question.arena);
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
        row->preference_type.data == NULL
            ? NULL
            : PyUnicode_DecodeUTF8(row->preference_type.data, (Py_ssize_t) row->preference_type.length, NULL),
        row->preference_value.data == NULL
            ? NULL
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
list_of_preferences(const knackdb_preference *rows, size_t count)
{
    PyObject *list = PyList_New((Py_ssize_t) count);

    for (size_t i = 0; list != NULL && i < count; i++) {
        PyObject *tuple = preference_tuple(&rows[i]);

        if (tuple == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, (Py_ssize_t) i, tuple);
    }
    return list;
}

static PyObject *
find_preferences(database *self, const knackdb_query *query)
{
    knackdb            *store = database_store(self);
    knackdb_preference *rows = NULL;
    size_t              count = 0;
    PyObject           *list;
    knackdb_status      status;
    knackdb_error       error;

    if (store == NULL)
        return NULL;
    DATABASE_RELEASE_GIL(self)
    status = knackdb_preferences_find(store, query, &rows, &count, &error);
    DATABASE_TAKE_GIL(self)
    if (status != KNACKDB_OK)
        return failure_raise(status, error.message);
    list = list_of_preferences(rows, count);
    knackdb_free(rows);
    return list;
}

static PyObject *
preference_rows(PyObject *object, PyObject *args)
{
    struct arena      arena;
    knackdb_condition conditions[2];
    knackdb_query     query = { .table = KNACKDB_USER_PREFERENCES, .conditions = conditions, .order_count = 1 };
    PyObject         *asked[2], *list = NULL;

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
        list = find_preferences((database *) object, &query);
    arena_clear(&arena);
    return list;
}

#define FAST(function) (PyCFunction)(void (*)(void)) function, METH_FASTCALL | METH_KEYWORDS
PyMethodDef database_read_methods[] = {
    { "retrieve_patterns", FAST(retrieve), retrieve_doc },
    { "retrieve_columns", FAST(retrieve_columns), columns_doc },
    { "get_best_patterns", FAST(best), best_doc },
    { "get_pattern", FAST(get_pattern), get_pattern_doc },
    { "get_performance_history", FAST(history), history_doc },
    { "_preference_rows", preference_rows, METH_VARARGS, preference_rows_doc },
    { NULL, NULL, 0, NULL },
};
