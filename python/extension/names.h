/* names.h - what the extension knows of the package: its classes, its logger, its way with JSON. */
#ifndef PYTHON_NAMES_H
#define PYTHON_NAMES_H

#include <Python.h>

/* What the package hands over before anything else happens; see names_setup(). Owned for the life of the process. */
struct python_side {
    PyObject     *error_classes; /* dict: status number -> exception class */
    PyObject     *error;         /* knackdb.Error, for what has no status */
    PyObject     *log;           /* callable(level, message): the package's logger */
    PyObject     *json_loads;
    PyObject     *json_dumps; /* callable(value) -> str, ASCII */
    PyTypeObject *pattern;    /* the dataclasses that rows are, or NULL until the package has made them */
    PyTypeObject *metric;
    PyTypeObject *filters;
};

extern struct python_side python_side;

/* setup(**things): for the package alone. */
PyObject *names_setup(PyObject *module, PyObject *args, PyObject *keywords);

/* take_defaults(which, defaults, factories): likewise. */
PyObject *names_take_defaults(PyObject *module, PyObject *args);

#endif
