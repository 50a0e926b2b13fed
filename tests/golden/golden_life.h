/* golden_life.h - what was done to the golden directories, and how rows are written down.
 *
 * The changes are given as values of the first columns of a table, so that a schema
 * version that has fewer columns takes the same list, cut. A change is made by
 * whoever is passed in: write_golden.c makes it of a store and of the model. */
#ifndef TESTS_GOLDEN_GOLDEN_LIFE_H
#define TESTS_GOLDEN_GOLDEN_LIFE_H

#include <knackdb.h>
#include <stdio.h>

#define GOLDEN_COLUMNS_MAX 14

struct golden_hands {
    void *context;
    void (*store)(void *context, int table, const knackdb_value *cells);
    void (*update)(void *context, int table, int64_t id, uint32_t column, knackdb_value value);
    void (*delete_row)(void *context, int table, int64_t id);
    void (*clean_up)(void *context, int table, double before);
    void (*snapshot)(void *context);
};

/* A few dozen rows of every table with NULL, empty, long and non-ASCII text and numbers at their edges; then a
 * snapshot; then changes that only the log holds. */
void golden_live(const struct golden_hands *hands);

/* One row as one line: table, id, then each column that is not NULL by name, reals in hexadecimal, bytes of text that
 * are not plain ASCII escaped. */
void golden_write_row(FILE *to, int table, const knackdb_value *cells);

#endif
