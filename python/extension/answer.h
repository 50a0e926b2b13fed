/* answer.h - the rows of one retrieve, shared by all the row objects made of them. */
#ifndef PYTHON_ANSWER_H
#define PYTHON_ANSWER_H

#include <Python.h>

#include <knackdb.h>

#include <stdbool.h>

/* Counted under the GIL. What its rows say never changes: columns alone write to them, and only NaN and 0 into numbers
 * that are NULL, which nobody else reads (column.c). */
struct answer {
    size_t references;
    void  *rows; /* knackdb_pattern[] or knackdb_metric[], from knackdb_*_find() */
    size_t count;
    size_t bytes;             /* about, texts included */
    bool   is_nan_where_null; /* in every number of its patterns */
};

/* Takes `rows` over, also on failure (NULL with MemoryError). */
struct answer *answer_of_patterns(knackdb_pattern *rows, size_t count);
struct answer *answer_of_metrics(knackdb_metric *rows, size_t count);

void answer_release(struct answer *answer); /* NULL is accepted */

static inline struct answer *
answer_share(struct answer *answer)
{
    answer->references++;
    return answer;
}

/* One attribute of one row, new reference; `field` counts in the order of the dataclass. */
PyObject *answer_pattern_field(const struct answer *answer, size_t index, int field);
PyObject *answer_metric_field(const struct answer *answer, size_t index, int field);

#endif
