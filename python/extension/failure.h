/* failure.h - from a failed call to what Python sees of it. */
#ifndef PYTHON_FAILURE_H
#define PYTHON_FAILURE_H

#include <Python.h>

#include <knackdb.h>

/* Sets the exception that belongs to a status. Always returns NULL. */
PyObject *failure_raise(knackdb_status status, const char *message);

/* The exception that is set happened while a column was looked at: makes it a knackdb.InvalidError that names the
 * column. What is not the value's fault (MemoryError, KeyboardInterrupt) stays as it is. */
void failure_in_column(const char *column);

/* The exception that is set, as knackdb.Error: what else a caller's object raised becomes its cause. MemoryError and
 * what is no Exception stay. */
void failure_as_error(void);

/* Text of the exception that is set, for people; clears it. Never fails: NULL stands for out of memory. */
PyObject *failure_text(void);

/* Tells the package's logger; never fails. */
void failure_log(int level, PyObject *message);

enum { LOG_LEVEL_INFO = 20, LOG_LEVEL_WARNING = 30, LOG_LEVEL_ERROR = 40 };

#endif
