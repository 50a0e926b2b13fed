/* column.h - one number column of an answer, as a buffer. */
#ifndef PYTHON_COLUMN_H
#define PYTHON_COLUMN_H

#include "answer.h"

int column_init(PyObject *module);

/* A dict of the pattern columns that hold numbers: name -> buffer of doubles or 64-bit integers, one for each row of
 * the answer, which all of them share. */
PyObject *columns_of_patterns(struct answer *answer);

#endif
