/* pattern_id.c - see pattern_id.h.
 *
 * The engine's ids are strings, kept as external_id. A row that came in without one is shown under its number, and
 * must be found under it again: an id that is a plain number and no row's external_id, while the row of that number has
 * none, means that row. Written otherwise, as "007" or "+7", it is a string like any other. */
#include "pattern_id.h"

#include "failure.h"

int
pattern_id_take(struct arena *arena, PyObject *id, knackdb_text *ret_id)
{
    PyObject *printed = PyLong_CheckExact(id) ? PyObject_Str(id) : NULL;
    int       status = -1;

    if (printed != NULL)
        status = arena_text(arena, printed, ret_id);
    else if (PyUnicode_Check(id))
        status = arena_text(arena, id, ret_id);
    else if (!PyErr_Occurred())
        PyErr_Format(PyExc_TypeError, "must be str, not %.100s", Py_TYPE(id)->tp_name);
    Py_XDECREF(printed);
    if (status < 0)
        failure_in_column("pattern_id");
    return status;
}

int64_t
pattern_id_number(knackdb_text id)
{
    int64_t number = 0;

    if (id.data == NULL || id.length == 0 || id.data[0] == '0')
        return 0;
    for (size_t i = 0; i < id.length; i++) {
        int figure = id.data[i] - '0';

        if (figure < 0 || figure > 9 || number > (INT64_MAX - figure) / 10)
            return 0;
        number = number * 10 + figure;
    }
    return number;
}

int64_t
pattern_id_of_row(knackdb *store, knackdb_text id)
{
    int64_t       number = pattern_id_number(id);
    int64_t       found = 0;
    knackdb_read *read;
    knackdb_row   row;

    if (number == 0 || knackdb_read_begin(store, &read, NULL) != KNACKDB_OK)
        return 0;
    if (knackdb_read_by_external_id(read, id, &row) == KNACKDB_NOT_FOUND &&
        knackdb_read_by_id(read, KNACKDB_EXECUTION_PATTERNS, number, &row) == KNACKDB_OK &&
        knackdb_read_value(read, KNACKDB_EXECUTION_PATTERNS, row, KNACKDB_PATTERN_EXTERNAL_ID).type == KNACKDB_NULL)
        found = number;
    knackdb_read_end(read);
    return found;
}
