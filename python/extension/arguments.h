/* arguments.h - the arguments of a call, by place or by name, without building a tuple. */
#ifndef PYTHON_ARGUMENTS_H
#define PYTHON_ARGUMENTS_H

#include <Python.h>

/* Sorts a fast call's arguments into `ret_values`, one for each of `names` (ended by NULL); those left out stay
 * NULL, and the first `required` may not be. Borrowed. -1 with TypeError. */
int arguments_sort(const char *call, const char *const *names, int required, PyObject *const *arguments,
                   Py_ssize_t count, PyObject *keywords, PyObject **ret_values);

#endif
