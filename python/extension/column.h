/* column.h - number columns of an answer, or of rows, as buffers. */
#ifndef PYTHON_COLUMN_H
#define PYTHON_COLUMN_H

#include "answer.h"

int column_init(PyObject *module);

/* A dict of the pattern columns that hold numbers: name -> buffer of doubles or 64-bit integers, one for each row of
 * the answer, which all of them share. */
PyObject *columns_of_patterns(struct answer *answer);

/* column(rows, name): the same of a list of rows, patterns or metrics; where they are a run of an answer as it came, it
 * lies there. With gaps, NULL or not an integer, a column of integers is one of doubles, NaN where there is none. */
PyObject *column_of_rows(PyObject *module, PyObject *args);

#endif
