/* database_store.c - the calls that change the store.
 *
 * Each makes a write ready, carries it out and hands back an awaitable that is done. With durability "sync" it is a
 * job instead, and the awaitable a coroutine. */
#include "database.h"

#include "arguments.h"
#include "failure.h"
#include "job.h"
#include "json_text.h"
#include "object_row.h"
#include "pattern_id.h"
#include "ready.h"
#include "write.h"

#include <float.h>
#include <math.h>

#define BATCH_IS_QUICK_ROWS 16

/* Room for a write on the stack, or in a job where stores wait for the disk. */
struct place {
    database    *self;
    struct write own;
    struct job  *job; /* NULL where it is `own` */
};

static struct write *
begin(struct place *place, PyObject *self, enum write_kind kind)
{
    place->self = (database *) self;
    place->job = NULL;
    if (place->self->waits_for_disk) {
        place->job = job_new(place->self, kind);
        return place->job != NULL ? job_write(place->job) : NULL;
    }
    write_init(&place->own, kind);
    return &place->own;
}

/* The write could not be made ready; the exception is set. */
static PyObject *
give_up(struct place *place, struct write *write)
{
    if (write != NULL)
        write_take_ids_back(write);
    if (place->job != NULL)
        Py_DECREF(place->job);
    else if (write != NULL)
        write_clear(write);
    return database_failed_bool(place->self);
}

static PyObject *
carry_out(struct place *place, struct write *write)
{
    database      *self = place->self;
    knackdb       *store;
    knackdb_status status;
    knackdb_error  error;

    if (place->job != NULL)
        return job_await(place->job);
    store = database_store(self); /* now, not before: the object may have closed it while it answered */
    if (store == NULL)
        return give_up(place, write);
    DATABASE_RELEASE_GIL_WHERE(self, write->count > BATCH_IS_QUICK_ROWS)
    status = write_run(write, store, &error);
    DATABASE_TAKE_GIL(self)
    if (status == KNACKDB_NOT_FOUND) {
        write_clear(write);
        return database_found_none(self, error.message);
    }
    if (status != KNACKDB_OK) {
        (void) failure_raise(status, error.message);
        return give_up(place, write);
    }
    write_count(write, self);
    write_clear(write);
    return ready_bool(1);
}

PyDoc_STRVAR(store_pattern_doc,
"store_execution_pattern($self, pattern)\n--\n\n"
"Stores a pattern: an ExecutionPattern, or any object with its attributes. One whose\n"
"id is there already is replaced; an id of None is given one. Awaits to True, or to\n"
"False with the reason in last_error.\n");

static PyObject *
store_pattern(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    static const char *const names[] = { "pattern", NULL };
    struct place             place;
    struct write            *write;
    PyObject                *pattern;

    if (arguments_sort("store_execution_pattern", names, 1, args, count, keywords, &pattern) < 0)
        return NULL;
    write = begin(&place, self, WRITE_PATTERNS);
    if (write == NULL || write_take_patterns(write, place.self, &pattern, 1) < 0)
        return give_up(&place, write);
    return carry_out(&place, write);
}

/* What is iterated, as a tuple of its own: it may change while its members answer. */
static PyObject *
members(PyObject *objects)
{
    if (PyUnicode_Check(objects) || PyBytes_Check(objects)) {
        PyErr_SetString(PyExc_TypeError, "must be a list of objects");
        return NULL;
    }
    return PySequence_Tuple(objects);
}

PyDoc_STRVAR(store_patterns_doc,
"store_execution_patterns($self, patterns)\n--\n\n"
"Stores several patterns, all of them or, where one is refused, none.\n");

static PyObject *
store_patterns(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    static const char *const names[] = { "patterns", NULL };
    struct place             place;
    struct write            *write;
    PyObject                *patterns, *all;
    int                      status;

    if (arguments_sort("store_execution_patterns", names, 1, args, count, keywords, &patterns) < 0)
        return NULL;
    write = begin(&place, self, WRITE_PATTERNS);
    all = write != NULL ? members(patterns) : NULL;
    if (all == NULL)
        return give_up(&place, write);
    status = write_take_patterns(write, place.self, &PyTuple_GET_ITEM(all, 0), PyTuple_GET_SIZE(all));
    Py_DECREF(all);
    return status < 0 ? give_up(&place, write) : carry_out(&place, write);
}

PyDoc_STRVAR(store_metric_doc,
"store_performance_metric($self, metric)\n--\n\n"
"Stores a measurement: a PerformanceMetrics, or any object with its attributes. An\n"
"improvement_percentage of None is computed.\n");

static PyObject *
store_metric(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    static const char *const names[] = { "metric", NULL };
    struct place             place;
    struct write            *write;
    PyObject                *metric;

    if (arguments_sort("store_performance_metric", names, 1, args, count, keywords, &metric) < 0)
        return NULL;
    write = begin(&place, self, WRITE_METRICS);
    if (write == NULL || write_take_metrics(write, &metric, 1) < 0)
        return give_up(&place, write);
    return carry_out(&place, write);
}

PyDoc_STRVAR(store_metrics_doc,
"store_performance_metrics($self, metrics)\n--\n\n"
"Stores several measurements, all of them or, where one is refused, none.\n");

static PyObject *
store_metrics(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    static const char *const names[] = { "metrics", NULL };
    struct place             place;
    struct write            *write;
    PyObject                *metrics, *all;
    int                      status;

    if (arguments_sort("store_performance_metrics", names, 1, args, count, keywords, &metrics) < 0)
        return NULL;
    write = begin(&place, self, WRITE_METRICS);
    all = write != NULL ? members(metrics) : NULL;
    if (all == NULL)
        return give_up(&place, write);
    status = write_take_metrics(write, &PyTuple_GET_ITEM(all, 0), PyTuple_GET_SIZE(all));
    Py_DECREF(all);
    return status < 0 ? give_up(&place, write) : carry_out(&place, write);
}

PyDoc_STRVAR(store_preference_doc,
"store_user_preference($self, key, value, weight=1.0)\n--\n\n"
"Stores a preference: any value that JSON can hold. get_user_preferences() gives the\n"
"value last stored for each key.\n");

/* The last one stored counts, so no two may bear the same time, and none one before the last: the clock may stand
 * still between two calls, and may have been set back. A microsecond is four times what a double tells apart of
 * today; of a time far off, which may have been imported, the next double is further away than that. */
static double
time_of_preference(database *self)
{
    double now = knackdb_now();

    if (now <= self->last_used)
        now = fmax(self->last_used + 1e-6, nextafter(self->last_used, DBL_MAX));
    self->last_used = now;
    return now;
}

static PyObject *
store_preference(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    static const char *const names[] = { "key", "value", "weight", NULL };
    struct place             place;
    struct write            *write;
    PyObject                *values[3];
    int                      is_null = 0;

    if (arguments_sort("store_user_preference", names, 2, args, count, keywords, values) < 0)
        return NULL;
    write = begin(&place, self, WRITE_PREFERENCE);
    if (write == NULL)
        return give_up(&place, write);
    write->preference = knackdb_preference_default();
    if (!PyUnicode_Check(values[0]))
        PyErr_Format(PyExc_TypeError, "must be str, not %.100s", Py_TYPE(values[0])->tp_name);
    if (PyErr_Occurred() || object_text(&write->arena, values[0], &write->preference.preference_type) < 0) {
        failure_in_column("key");
        return give_up(&place, write);
    }
    if (json_write(&write->arena, values[1], &write->preference.preference_value) < 0) {
        failure_in_column("value");
        return give_up(&place, write);
    }
    if (values[2] != NULL && object_real(values[2], &write->preference.weight, &is_null) < 0) {
        failure_in_column("weight");
        return give_up(&place, write);
    }
    if (is_null)
        write->preference.nulls |= KNACKDB_BIT(KNACKDB_PREFERENCE_WEIGHT);
    write->preference.last_used = time_of_preference(place.self);
    return carry_out(&place, write);
}

PyDoc_STRVAR(update_weights_doc,
"update_pattern_weights($self, pattern_id, weight)\n--\n\n"
"Sets a pattern's confidence_score, and updated_at to now. Awaits to False where there\n"
"is no such pattern.\n");

static PyObject *
update_weights(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    static const char *const names[] = { "pattern_id", "weight", NULL };
    struct place             place;
    struct write            *write;
    PyObject                *values[2];
    int                      is_null;

    if (arguments_sort("update_pattern_weights", names, 2, args, count, keywords, values) < 0)
        return NULL;
    write = begin(&place, self, WRITE_WEIGHT);
    if (write == NULL || pattern_id_take(&write->arena, values[0], &write->id) < 0)
        return give_up(&place, write);
    if (values[1] == Py_None)
        PyErr_SetString(PyExc_TypeError, "must be a number, not None");
    if (PyErr_Occurred() || object_real(values[1], &write->weight, &is_null) < 0) {
        failure_in_column("weight");
        return give_up(&place, write);
    }
    return carry_out(&place, write);
}

static PyObject *
change_by_id(PyObject *self, const char *call, enum write_kind kind, PyObject *const *args, Py_ssize_t count,
             PyObject *keywords)
{
    static const char *const names[] = { "pattern_id", NULL };
    struct place             place;
    struct write            *write;
    PyObject                *id;

    if (arguments_sort(call, names, 1, args, count, keywords, &id) < 0)
        return NULL;
    write = begin(&place, self, kind);
    if (write == NULL || pattern_id_take(&write->arena, id, &write->id) < 0)
        return give_up(&place, write);
    return carry_out(&place, write);
}

PyDoc_STRVAR(use_pattern_doc,
"use_pattern($self, pattern_id)\n--\n\n"
"Counts a use of a pattern. Awaits to False where there is no such pattern.\n");

static PyObject *
use_pattern(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    return change_by_id(self, "use_pattern", WRITE_USE, args, count, keywords);
}

PyDoc_STRVAR(delete_pattern_doc,
"delete_pattern($self, pattern_id)\n--\n\n"
"Deletes a pattern. Awaits to False where there is no such pattern.\n");

static PyObject *
delete_pattern(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    return change_by_id(self, "delete_pattern", WRITE_DELETE, args, count, keywords);
}

#define FAST(function) (PyCFunction)(void (*)(void)) function, METH_FASTCALL | METH_KEYWORDS
PyMethodDef database_store_methods[] = {
    { "store_execution_pattern", FAST(store_pattern), store_pattern_doc },
    { "store_execution_patterns", FAST(store_patterns), store_patterns_doc },
    { "store_performance_metric", FAST(store_metric), store_metric_doc },
    { "store_performance_metrics", FAST(store_metrics), store_metrics_doc },
    { "store_user_preference", FAST(store_preference), store_preference_doc },
    { "update_pattern_weights", FAST(update_weights), update_weights_doc },
    { "use_pattern", FAST(use_pattern), use_pattern_doc },
    { "delete_pattern", FAST(delete_pattern), delete_pattern_doc },
    { NULL, NULL, 0, NULL },
};
