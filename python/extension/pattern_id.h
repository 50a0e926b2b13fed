/* pattern_id.h - what names a pattern: the engine's own string, or the number a row without one is shown under. */
#ifndef PYTHON_PATTERN_ID_H
#define PYTHON_PATTERN_ID_H

#include "arena.h"

/* The id a caller hands in: a str, or an int as it would be printed. -1 with an exception that names the argument. */
int pattern_id_take(struct arena *arena, PyObject *id, knackdb_text *ret_id);

/* The number an id stands for, where it is written as the store would show it; else 0. */
int64_t pattern_id_number(knackdb_text id);

/* The number of the row that is shown under this id, having none of its own; 0 where there is none. */
int64_t pattern_id_of_row(knackdb *store, knackdb_text id);

#endif
