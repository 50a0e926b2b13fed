/* database.c - the object behind LearningDatabase, and what happens when a call fails.
 *
 * The GIL. Calls that take a microsecond (a store, a weight, a repeated question) keep it: letting it go and asking
 * for it back costs as much as they do, and under load a whole switch interval. Calls that may take longer let it go
 * between DATABASE_RELEASE_GIL and DATABASE_TAKE_GIL, which count themselves; _close() waits for the count to fall to
 * nothing. Nothing in the store ever waits for the GIL (see messages.c), so holding it there cannot deadlock.
 *
 * Fork. The store in the child refuses every call by itself and touches no file. The count and the locks may have
 * been caught half-way, so the child waits for neither.
 *
 * The end. An object that is collected closes its store as _close() does. One that is still there when the
 * interpreter ends may never be collected; then the process ends with the store open, which loses nothing: that is
 * what the store is for. */
#include "database.h"

#include "failure.h"
#include "names.h"
#include "ready.h"

#include <unistd.h>

knackdb *
database_store(database *self)
{
    if (atomic_load_explicit(&self->messages.waiting, memory_order_relaxed) != 0)
        messages_pass_on(&self->messages);
    if (self->store == NULL || self->is_closing) {
        PyObject *error_class = PyDict_GetItemString(python_side.error_classes, "closed");

        PyErr_SetString(error_class != NULL ? error_class : python_side.error,
                        "the database is not open: await initialize() first");
        return NULL;
    }
    return self->store;
}

static void
note(database *self, PyObject *text) /* steals text */
{
    PyObject *old = self->last_error;

    self->last_error = text;
    Py_XDECREF(old);
    if (text != NULL) {
        Py_INCREF(text); /* the logger may run anything */
        failure_log(LOG_LEVEL_WARNING, text);
        Py_DECREF(text);
    }
}

void
database_note_failure(database *self)
{
    PyObject *type, *exception, *traceback, *text = NULL;

    failure_as_error();
    PyErr_Fetch(&type, &exception, &traceback);
    PyErr_NormalizeException(&type, &exception, &traceback);
    if (traceback != NULL)
        (void) PyException_SetTraceback(exception, traceback);
    Py_XINCREF(type);
    Py_XINCREF(exception);
    PyErr_Restore(type, exception, NULL);
    text = failure_text();
    note(self, text);
    PyErr_Restore(type, exception, traceback);
}

PyObject *
database_failed(database *self, PyObject *instead)
{
    if (!PyErr_ExceptionMatches(PyExc_Exception)) {
        Py_XDECREF(instead);
        return NULL;
    }
    database_note_failure(self);
    if (self->is_strict) {
        Py_XDECREF(instead);
        return ready_raise();
    }
    if (instead == NULL)
        return NULL; /* there was no memory for it */
    PyErr_Clear();
    return ready_value(instead);
}

PyObject *
database_failed_bool(database *self)
{
    if (!PyErr_ExceptionMatches(PyExc_Exception))
        return NULL;
    database_note_failure(self);
    if (self->is_strict)
        return ready_raise();
    PyErr_Clear();
    return ready_bool(0);
}

PyObject *
database_found_none(database *self, const char *message)
{
    PyObject *text = PyUnicode_DecodeUTF8(message, (Py_ssize_t) strlen(message), "replace");
    PyObject *old = self->last_error;

    if (text == NULL)
        PyErr_Clear();
    self->last_error = text;
    Py_XDECREF(old);
    return ready_bool(0);
}

/* ---- the type ---- */

static PyObject *
database_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    database *self = (database *) type->tp_alloc(type, 0);

    (void) args, (void) keywords;
    if (self != NULL) {
        answer_cache_init(&self->answers, (size_t) 4 * 1024 * 1024);
        messages_init(&self->messages);
    }
    return (PyObject *) self;
}

static int
database_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(((database *) object)->last_error);
    return 0;
}

static int
database_clear(PyObject *object)
{
    Py_CLEAR(((database *) object)->last_error);
    return 0;
}

/* Closing may wait for the disk, and the thread that is here may hold the GIL for others: it is let go meanwhile.
 * Nobody else can reach the object any more. */
static void
database_dealloc(PyObject *object)
{
    database     *self = (database *) object;
    PyTypeObject *type = Py_TYPE(object);
    knackdb      *store = self->store;

    PyObject_GC_UnTrack(object);
    self->store = NULL;
    answer_cache_clear(&self->answers);
    if (store != NULL) {
        PyObject *error_type, *error, *traceback;

        PyErr_Fetch(&error_type, &error, &traceback);
        Py_BEGIN_ALLOW_THREADS(void)
        knackdb_close(store, NULL);
        Py_END_ALLOW_THREADS
        messages_pass_on(&self->messages);
        PyErr_Restore(error_type, error, traceback);
    }
    if (self->opened_by == 0 || self->opened_by == getpid())
        pthread_mutex_destroy(&self->messages.lock);
    (void) database_clear(object);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyObject *
get_last_error(PyObject *object, void *closure)
{
    PyObject *text = ((database *) object)->last_error;

    (void) closure;
    if (text == NULL)
        Py_RETURN_NONE;
    Py_INCREF(text);
    return text;
}

static PyObject *
get_strict(PyObject *object, void *closure)
{
    (void) closure;
    return PyBool_FromLong(((database *) object)->is_strict);
}

static int
set_strict(PyObject *object, PyObject *value, void *closure)
{
    int truth = value != NULL ? PyObject_IsTrue(value) : 0;

    (void) closure;
    if (truth < 0)
        return -1;
    ((database *) object)->is_strict = truth;
    return 0;
}

static PyObject *
get_is_open(PyObject *object, void *closure)
{
    database *self = (database *) object;

    (void) closure;
    return PyBool_FromLong(self->store != NULL && !self->is_closing);
}

static PyObject *
get_opened_by(PyObject *object, void *closure)
{
    (void) closure;
    return PyLong_FromLong(((database *) object)->opened_by);
}

static PyGetSetDef database_attributes[] = {
    { "last_error", get_last_error, NULL, "Why the last call that failed did, in words; None before the first.", NULL },
    { "strict", get_strict, set_strict, "Whether a failed call raises knackdb.Error instead of saying False.", NULL },
    { "is_open", get_is_open, NULL, "Between initialize() and shutdown().", NULL },
    { "_opened_by", get_opened_by, NULL, "The process that it is open in, or is being opened in; 0 where it is closed.",
      NULL },
    { NULL, NULL, NULL, NULL, NULL },
};

static int
join_methods(PyMethodDef *all, size_t room)
{
    PyMethodDef *parts[] = { database_life_methods, database_store_methods, database_read_methods,
                             database_aggregate_methods, database_health_methods };
    size_t       count = 0;

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        for (PyMethodDef *method = parts[i]; method->ml_name != NULL; method++) {
            if (count + 1 == room) {
                PyErr_SetString(PyExc_SystemError, "more methods than there is room for");
                return -1;
            }
            all[count++] = *method;
        }
    memset(&all[count], 0, sizeof all[count]);
    return 0;
}

int
database_init(PyObject *module)
{
    static PyMethodDef methods[40]; /* the type refers to it */
    PyType_Slot        slots[] = {
        { Py_tp_new, database_new },
        { Py_tp_dealloc, database_dealloc },
        { Py_tp_traverse, database_traverse },
        { Py_tp_clear, database_clear },
        { Py_tp_getset, database_attributes },
        { Py_tp_methods, methods },
        { 0, NULL },
    };
    PyType_Spec spec = {
        .name = "_knackdb.Database",
        .basicsize = sizeof(database),
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
        .slots = slots,
    };
    PyObject *type;

    if (join_methods(methods, sizeof methods / sizeof methods[0]) < 0)
        return -1;
    type = PyType_FromSpec(&spec);
    if (type == NULL)
        return -1;
    return PyModule_AddObject(module, "Database", type);
}
