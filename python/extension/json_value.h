/* json_value.h - JSON text to lists and dicts. */
#ifndef PYTHON_JSON_VALUE_H
#define PYTHON_JSON_VALUE_H

#include <Python.h>

#include <knackdb.h>

/* Reads JSON; text that is none comes back as a str. New reference. */
PyObject *json_read(knackdb_text text);

#endif
