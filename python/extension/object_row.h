/* object_row.h - any Python object with the right attributes, as a row of the store. */
#ifndef PYTHON_OBJECT_ROW_H
#define PYTHON_OBJECT_ROW_H

#include "arena.h"

/* Fill a row from an object's attributes; texts lie in the arena. -1 with an exception that names the attribute.
 * A pattern's id becomes external_id, and is NULL where the object's is None. */
int object_row_pattern(struct arena *arena, PyObject *object, knackdb_pattern *ret_row);
int object_row_metric(struct arena *arena, PyObject *object, knackdb_metric *ret_row);

/* Single values, as filters need them too. None sets *ret_is_null and is no fault. */
int object_real(PyObject *value, double *ret_real, int *ret_is_null);
int object_integer(PyObject *value, int64_t *ret_integer, int *ret_is_null);
int object_text(struct arena *arena, PyObject *value, knackdb_text *ret_text);

#endif
