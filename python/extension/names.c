/* names.c - see names.h.
 *
 * The exceptions and dataclasses are written in Python, where they are shortest; C learns of them once, when the
 * package is imported, and holds them for ever. One interpreter a process: module.c refuses a second. */
#include "names.h"

#include "record.h"

struct python_side python_side;

static void
keep(PyObject **place, PyObject *thing)
{
    PyObject *old = *place;

    Py_INCREF(thing);
    *place = thing;
    Py_XDECREF(old);
}

PyObject *
names_setup(PyObject *module, PyObject *args, PyObject *keywords)
{
    static char  error_classes_name[] = "error_classes", error_name[] = "error", log_name[] = "log";
    static char  loads_name[] = "json_loads", dumps_name[] = "json_dumps";
    static char  pattern_name[] = "pattern", metric_name[] = "metric", filters_name[] = "filters";
    static char *names[] = { error_classes_name, error_name,  log_name,     loads_name, dumps_name,
                             pattern_name,       metric_name, filters_name, NULL };
    PyObject    *error_classes, *error, *log, *loads, *dumps, *pattern, *metric, *filters;

    (void) module;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O!OOOOO!O!O!:setup", names, &PyDict_Type, &error_classes, &error,
                                     &log, &loads, &dumps, &PyType_Type, &pattern, &PyType_Type, &metric, &PyType_Type,
                                     &filters))
        return NULL;
    keep(&python_side.error_classes, error_classes);
    keep(&python_side.error, error);
    keep(&python_side.log, log);
    keep(&python_side.json_loads, loads);
    keep(&python_side.json_dumps, dumps);
    keep((PyObject **) &python_side.pattern, pattern);
    keep((PyObject **) &python_side.metric, metric);
    keep((PyObject **) &python_side.filters, filters);
    Py_RETURN_NONE;
}

PyObject *
names_take_defaults(PyObject *module, PyObject *args)
{
    static struct record_layout *const layouts[] = { &pattern_layout, &metric_layout, &filter_layout };
    PyObject                          *defaults, *factories;
    int                                which;

    (void) module;
    if (!PyArg_ParseTuple(args, "iOO:take_defaults", &which, &defaults, &factories))
        return NULL;
    if (which < 0 || which > 2) {
        PyErr_SetString(PyExc_ValueError, "0 is the pattern, 1 the metric, 2 the filters");
        return NULL;
    }
    if (record_take_defaults(layouts[which], defaults, factories) < 0)
        return NULL;
    Py_RETURN_NONE;
}
