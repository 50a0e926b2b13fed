/* checks.h - looking a directory's files over, and saving what can be read of damaged ones. */
#ifndef PYTHON_CHECKS_H
#define PYTHON_CHECKS_H

#include <Python.h>

/* verify(path): a dict of figures, and the faults. */
PyObject *checks_verify(PyObject *module, PyObject *path);

/* repair(path, to): a dict of figures, and the losses as tuples in the order of the package's Loss. */
PyObject *checks_repair(PyObject *module, PyObject *args);

#endif
