/* failure.c - see failure.h. */
#include "failure.h"

#include "names.h"

#include <stdbool.h>

static PyObject *
class_of_status(knackdb_status status) /* borrowed */
{
    PyObject *number = PyLong_FromLong(status);
    PyObject *found = NULL;

    if (number != NULL) {
        found = PyDict_GetItemWithError(python_side.error_classes, number);
        Py_DECREF(number);
    }
    if (found == NULL && !PyErr_Occurred())
        found = python_side.error;
    return found;
}

PyObject *
failure_raise(knackdb_status status, const char *message)
{
    PyObject *error_class = class_of_status(status);

    if (error_class != NULL) {
        /* A path in it need not be UTF-8. */
        PyObject *text = PyUnicode_DecodeUTF8(message, (Py_ssize_t) strlen(message), "replace");

        if (text != NULL) {
            PyErr_SetObject(error_class, text);
            Py_DECREF(text);
        }
    }
    return NULL;
}

/* Replaces the exception that is set by one of `error_class` with the text "PREFIX: what it says". */
static void
wrap(PyObject *error_class, const char *prefix)
{
    PyObject *type, *cause, *traceback, *text, *message = NULL, *error = NULL;

    PyErr_Fetch(&type, &cause, &traceback);
    PyErr_NormalizeException(&type, &cause, &traceback);
    if (traceback != NULL)
        (void) PyException_SetTraceback(cause, traceback);
    text = PyObject_Str(cause);
    if (text != NULL)
        message = PyUnicode_FromFormat("%s%s%s: %U", prefix, *prefix != '\0' ? ": " : "",
                                       ((PyTypeObject *) type)->tp_name, text);
    if (message != NULL)
        error = PyObject_CallFunctionObjArgs(error_class, message, NULL);
    if (error != NULL) {
        Py_INCREF(cause);
        PyException_SetCause(error, cause);
        PyErr_SetObject(error_class, error);
    }
    Py_XDECREF(text);
    Py_XDECREF(message);
    Py_XDECREF(error);
    Py_XDECREF(type);
    Py_XDECREF(cause);
    Py_XDECREF(traceback);
}

static bool
is_not_the_values_fault(void)
{
    return !PyErr_ExceptionMatches(PyExc_Exception) || PyErr_ExceptionMatches(PyExc_MemoryError);
}

void
failure_in_column(const char *column)
{
    PyObject *error_class;

    if (is_not_the_values_fault() || PyErr_ExceptionMatches(python_side.error))
        return;
    error_class = PyDict_GetItemString(python_side.error_classes, "invalid");
    wrap(error_class != NULL ? error_class : python_side.error, column);
}

void
failure_as_error(void)
{
    if (!is_not_the_values_fault() && !PyErr_ExceptionMatches(python_side.error))
        wrap(python_side.error, "");
}

PyObject *
failure_text(void)
{
    PyObject *type, *exception, *traceback, *text = NULL;

    PyErr_Fetch(&type, &exception, &traceback);
    PyErr_NormalizeException(&type, &exception, &traceback);
    if (exception != NULL)
        text = PyObject_Str(exception);
    if (text != NULL && PyUnicode_GetLength(text) == 0)
        Py_CLEAR(text);
    if (text == NULL) {
        PyErr_Clear();
        if (type != NULL)
            text = PyUnicode_FromString(((PyTypeObject *) type)->tp_name);
    }
    PyErr_Clear();
    Py_XDECREF(type);
    Py_XDECREF(exception);
    Py_XDECREF(traceback);
    return text;
}

void
failure_log(int level, PyObject *message)
{
    PyObject *type, *exception, *traceback, *number, *result = NULL;

    PyErr_Fetch(&type, &exception, &traceback);
    number = PyLong_FromLong(level);
    if (number != NULL && message != NULL && python_side.log != NULL)
        result = PyObject_CallFunctionObjArgs(python_side.log, number, message, NULL);
    Py_XDECREF(number);
    Py_XDECREF(result);
    if (PyErr_Occurred())
        PyErr_Clear();
    PyErr_Restore(type, exception, traceback);
}
