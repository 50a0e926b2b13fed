/* ready.c - an awaitable whose answer is there already.
 *
 * `await db.store_execution_pattern(p)` does its work when it is called; what it returns only hands the answer over.
 * Python 3.10 and newer ask through am_send, which costs no StopIteration; older ones, and whoever drives it by hand,
 * through the iterator protocol. Either way the event loop is never visited.
 *
 * The type has send, throw and close, so that it counts as a collections.abc.Coroutine: asyncio.create_task(),
 * asyncio.run() and gather() take it as they take a coroutine. Unlike one it may be awaited again, and answers the
 * same again: that lets True and False be two objects for all. What nobody awaits has been done all the same, so
 * there is no warning either.
 *
 * Ownership: a Ready owns its value, or the exception it will raise. Both singletons live as long as the process. */
#include "ready.h"

#define SPARE_MAX 16

struct ready {
    PyObject_HEAD
    PyObject *value; /* one of the two is set */
    PyObject *exception;
};

static PyTypeObject *ready_type;
static PyObject     *ready_true, *ready_false;
static struct ready *spare[SPARE_MAX]; /* cleared ones, kept for the next call; the GIL guards them */
static int           spare_count;

static int
ready_traverse(struct ready *self, visitproc visit, void *arg)
{
    Py_VISIT(self->value);
    Py_VISIT(self->exception);
    Py_VISIT(Py_TYPE((PyObject *) self));
    return 0;
}

static int
ready_clear(struct ready *self)
{
    Py_CLEAR(self->value);
    Py_CLEAR(self->exception);
    return 0;
}

static void
ready_dealloc(struct ready *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *) self);

    PyObject_GC_UnTrack(self);
    (void) ready_clear(self);
    if (spare_count < SPARE_MAX && type == ready_type)
        spare[spare_count++] = self; /* it keeps its type */
    else {
        PyObject_GC_Del(self);
        Py_DECREF(type);
    }
}

static struct ready *
ready_new(void)
{
    struct ready *self;

    if (spare_count > 0) {
        self = spare[--spare_count];
        _Py_NewReference((PyObject *) self); /* not PyObject_Init(): that would count the type once more */
    } else
        self = PyObject_GC_New(struct ready, ready_type);
    if (self != NULL) {
        self->value = NULL;
        self->exception = NULL;
    }
    return self;
}

PyObject *
ready_value(PyObject *value)
{
    struct ready *self;

    if (value == NULL)
        return NULL;
    self = ready_new();
    if (self == NULL) {
        Py_DECREF(value);
        return NULL;
    }
    self->value = value;
    PyObject_GC_Track(self);
    return (PyObject *) self;
}

PyObject *
ready_bool(int truth)
{
    PyObject *self = truth ? ready_true : ready_false;

    Py_INCREF(self);
    return self;
}

PyObject *
ready_raise(void)
{
    PyObject     *type, *exception, *traceback;
    struct ready *self;

    PyErr_Fetch(&type, &exception, &traceback);
    PyErr_NormalizeException(&type, &exception, &traceback);
    if (traceback != NULL)
        (void) PyException_SetTraceback(exception, traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    self = ready_new();
    if (self == NULL) {
        Py_XDECREF(exception);
        return NULL;
    }
    self->exception = exception;
    PyObject_GC_Track(self);
    return (PyObject *) self;
}

static PyObject *
ready_self(PyObject *self)
{
    Py_INCREF(self);
    return self;
}

static void
raise_held(struct ready *self)
{
    PyErr_SetObject((PyObject *) Py_TYPE(self->exception), self->exception);
}

/* StopIteration(value), built outright: PyErr_SetObject() would take a tuple apart, and an exception for itself. */
static PyObject *
ready_next(struct ready *self)
{
    PyObject *stop;

    if (self->exception != NULL) {
        raise_held(self);
        return NULL;
    }
    stop = PyObject_CallFunctionObjArgs(PyExc_StopIteration, self->value, NULL);
    if (stop != NULL) {
        PyErr_SetObject(PyExc_StopIteration, stop);
        Py_DECREF(stop);
    }
    return NULL;
}

#if PY_VERSION_HEX >= 0x030A0000
static PySendResult
ready_am_send(PyObject *object, PyObject *ignored, PyObject **ret_result)
{
    struct ready *self = (struct ready *) object;

    (void) ignored;
    if (self->exception != NULL) {
        raise_held(self);
        *ret_result = NULL;
        return PYGEN_ERROR;
    }
    Py_INCREF(self->value);
    *ret_result = self->value;
    return PYGEN_RETURN;
}
#endif

static PyObject *
ready_send(struct ready *self, PyObject *ignored)
{
    (void) ignored;
    return ready_next(self);
}

/* throw(exception), or throw(type, value, traceback) as older interpreters and asyncio's cancellation say it. */
static PyObject *
ready_throw(PyObject *self, PyObject *args)
{
    PyObject *type, *value = NULL, *traceback = NULL;

    (void) self;
    if (!PyArg_UnpackTuple(args, "throw", 1, 3, &type, &value, &traceback))
        return NULL;
    if (PyExceptionInstance_Check(type)) {
        PyErr_SetObject((PyObject *) Py_TYPE(type), type);
        return NULL;
    }
    if (!PyExceptionClass_Check(type)) {
        PyErr_SetString(PyExc_TypeError, "throw() takes an exception");
        return NULL;
    }
    PyErr_SetObject(type, value == Py_None ? NULL : value);
    return NULL;
}

static PyObject *
ready_close(PyObject *self, PyObject *ignored)
{
    (void) self;
    (void) ignored;
    Py_RETURN_NONE;
}

static PyMethodDef ready_methods[] = {
    { "send", (PyCFunction) (void (*)(void)) ready_send, METH_O, "send(value): raises StopIteration with the answer." },
    { "throw", ready_throw, METH_VARARGS, "throw(exception): raises it." },
    { "close", ready_close, METH_NOARGS, "close(): nothing is pending." },
    { "__await__", (PyCFunction) (void (*)(void)) ready_self, METH_NOARGS, "Itself." },
    { NULL, NULL, 0, NULL },
};

static char ready_doc[] = "An awaitable whose answer is there already.";

static PyType_Slot ready_slots[] = {
    { Py_tp_doc, ready_doc },
    { Py_tp_dealloc, ready_dealloc },
    { Py_tp_traverse, ready_traverse },
    { Py_tp_clear, ready_clear },
    { Py_tp_iter, ready_self },
    { Py_tp_iternext, ready_next },
    { Py_tp_methods, ready_methods },
    { Py_am_await, ready_self },
#if PY_VERSION_HEX >= 0x030A0000
    { Py_am_send, ready_am_send },
#endif
    { 0, NULL },
};

static PyType_Spec ready_spec = {
    .name = "_knackdb.Ready",
    .basicsize = sizeof(struct ready),
#ifdef Py_TPFLAGS_DISALLOW_INSTANTIATION
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
#else
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
#endif
    .slots = ready_slots,
};

int
ready_init(PyObject *module)
{
    ready_type = (PyTypeObject *) PyType_FromSpec(&ready_spec);
    if (ready_type == NULL)
        return -1;
#ifndef Py_TPFLAGS_DISALLOW_INSTANTIATION
    ready_type->tp_new = NULL;
#endif
    Py_INCREF(Py_True);
    Py_INCREF(Py_False);
    ready_true = ready_value(Py_True);
    ready_false = ready_value(Py_False);
    if (ready_true == NULL || ready_false == NULL)
        return -1;
    Py_INCREF(ready_type);
    return PyModule_AddObject(module, "Ready", (PyObject *) ready_type);
}
