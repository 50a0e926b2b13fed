/* verify.h - checking a directory's files, for the package's diagnosis. */
#ifndef PYTHON_VERIFY_H
#define PYTHON_VERIFY_H

#include <Python.h>

PyObject *verify_directory(PyObject *module, PyObject *path);

#endif
