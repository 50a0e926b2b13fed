/* frame.c - see frame.h.
 *
 * A frame holds columns and a store takes rows. The rows are made by calling their class, as anyone would, but from
 * here: no dict of keywords for each, and no turn of the interpreter. */
#include "frame.h"

static int
check(PyObject *names, PyObject *columns)
{
    Py_ssize_t count = PyTuple_GET_SIZE(names);

    if (count == 0 || PyTuple_GET_SIZE(columns) != count) {
        PyErr_SetString(PyExc_ValueError, "a column for each name, and one at least");
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        if (!PyUnicode_Check(PyTuple_GET_ITEM(names, i)) || !PyList_Check(PyTuple_GET_ITEM(columns, i))) {
            PyErr_SetString(PyExc_TypeError, "names are str, columns are lists");
            return -1;
        }
        if (PyList_GET_SIZE(PyTuple_GET_ITEM(columns, i)) != PyList_GET_SIZE(PyTuple_GET_ITEM(columns, 0))) {
            PyErr_SetString(PyExc_ValueError, "columns of one length");
            return -1;
        }
    }
    return 0;
}

/* Row `place` as an object; `arguments` has room for one of each column. */
static PyObject *
make_record(PyObject *cls, PyObject *names, PyObject *columns, Py_ssize_t place, PyObject **arguments)
{
    Py_ssize_t count = 0;
    PyObject  *record = NULL;

    for (; count < PyTuple_GET_SIZE(columns); count++) {
        PyObject *column = PyTuple_GET_ITEM(columns, count);

        if (place >= PyList_GET_SIZE(column)) { /* the class's own code took it away */
            PyErr_SetString(PyExc_RuntimeError, "a column changed its length");
            break;
        }
        arguments[count] = PyList_GET_ITEM(column, place);
        Py_INCREF(arguments[count]);
    }
    if (count == PyTuple_GET_SIZE(columns))
        record = PyObject_Vectorcall(cls, arguments, 0, names);
    while (count > 0)
        Py_DECREF(arguments[--count]);
    return record;
}

PyObject *
frame_records(PyObject *module, PyObject *args)
{
    PyObject  *cls, *names, *columns, *list, **arguments;
    Py_ssize_t rows;

    (void) module;
    if (!PyArg_ParseTuple(args, "OO!O!:records", &cls, &PyTuple_Type, &names, &PyTuple_Type, &columns) ||
        check(names, columns) < 0)
        return NULL;
    rows = PyList_GET_SIZE(PyTuple_GET_ITEM(columns, 0));
    arguments = PyMem_New(PyObject *, (size_t) PyTuple_GET_SIZE(names));
    if (arguments == NULL)
        return PyErr_NoMemory();
    list = PyList_New(0); /* and grows: a list with holes could be seen by the class's own code */
    for (Py_ssize_t i = 0; list != NULL && i < rows; i++) {
        PyObject *record = make_record(cls, names, columns, i, arguments);

        if (record == NULL || PyList_Append(list, record) < 0)
            Py_CLEAR(list);
        Py_XDECREF(record);
    }
    PyMem_Free(arguments);
    return list;
}
