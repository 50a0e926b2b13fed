/* filter.h - a PatternFilters, or any object with its attributes, as a query of the store. */
#ifndef PYTHON_FILTER_H
#define PYTHON_FILTER_H

#include "arena.h"

#include <stdbool.h>

#define FILTER_KEY_WORDS 96

struct filter {
    struct arena      arena;
    knackdb_condition conditions[KNACKDB_CONDITIONS_MAX];
    knackdb_query     query; /* its conditions are those above */
    bool              matches_nothing;
    bool              wants_no_rows;         /* a limit of 0 */
    bool              is_fixed;              /* the answer depends on the store alone, not on the clock */
    bool              is_filter;             /* the object had one of the attributes, at least */
    size_t            key_words;             /* 0 where the question is too long for a key, or not fixed */
    uint64_t          key[FILTER_KEY_WORDS]; /* equal for equal questions, and for those alone */
};

/* Reads a filter; NULL and None ask for every pattern in the usual order, 100 of them. -1 with an exception. After
 * either outcome filter_clear() it. Never move a filter: its query points into it. */
int  filter_read(struct filter *filter, PyObject *object);
void filter_clear(struct filter *filter);

/* A limit as a caller gives it: negative is none, and so are None and an int past 64 bits. -1 with an exception. */
int filter_limit(PyObject *value, uint64_t *ret_limit, bool *ret_wants_no_rows);

/* Makes filter->key of the query: for who wrote the query by hand. */
void filter_make_key(struct filter *filter);

#endif
