/* frame.h - rows out of a frame's columns. */
#ifndef PYTHON_FRAME_H
#define PYTHON_FRAME_H

#include <Python.h>

/* records(cls, names, columns): a list of cls(name=value, ...), one for each place in the columns, which are lists of
 * one length. */
PyObject *frame_records(PyObject *module, PyObject *args);

#endif
