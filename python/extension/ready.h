/* ready.h - an awaitable whose answer is there already. */
#ifndef PYTHON_READY_H
#define PYTHON_READY_H

#include <Python.h>

int ready_init(PyObject *module);

/* An awaitable that answers `value`; steals the reference, also on failure. NULL `value` passes an exception on. */
PyObject *ready_value(PyObject *value);

/* The same for True and False, without an allocation. */
PyObject *ready_bool(int truth);

/* An awaitable that raises what is set now, when awaited. */
PyObject *ready_raise(void);

#endif
