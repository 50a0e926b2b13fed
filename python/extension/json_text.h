/* json_text.h - lists and dicts to JSON text. */
#ifndef PYTHON_JSON_TEXT_H
#define PYTHON_JSON_TEXT_H

#include "arena.h"

/* Writes a value as JSON into the arena. -1 with an exception where it is not JSON's. */
int json_write(struct arena *arena, PyObject *value, knackdb_text *ret_text);

#endif
