/* load_run.h - rows that come back from the disk, column by column, into a store that nobody shares yet.
 *
 * A file holds columns, and so does memory. So a run of rows is taken a column at a time: its numbers are copied group
 * by group, its texts stand in one block of the arena, and a text that repeats is looked for in the dictionary once a
 * run and not once a row. Who loads a run says where its rows go, so that several threads can load runs at once, in any
 * order; together they fill the rows of a table from 0 on.
 *
 *     begin      the memory of the rows                                  under the writers' lock
 *     column     checked, copied; distinct texts of a dictionary         the dictionary's part under the lock
 *     end        moments, links, columns that did not come; the keys     the keys under the lock
 *
 *     store_load_postings()    the lists of a column in one go, each as long as it has to be; columns are independent
 *     store_load_end()         rows and counts are published
 *
 * R1  What core calls the writer's is touched under the writers' lock alone, here as everywhere. The cells of a
 *     run's rows are written without it: no other thread has these rows, and nothing leads to them before the
 *     run's end has put their keys in, under the lock, after which others compare keys with them. And lists are built
 *     without it, by one thread a column: runs have ended, so nobody counts holders any more, and as every list is
 *     empty (posting_reserve_first() asserts it), none is given to the epochs, which are one thread's.
 * R2  Until store_load_end() no view may be open, and after a failure the store is good for store_free() alone.
 *
 * No rules here: what was committed is put back as it is. But nobody vouches for it: what could not have been
 * stored, and a key that is there already, is CORRUPT. */
#ifndef KNACKDB_CORE_LOAD_RUN_H
#define KNACKDB_CORE_LOAD_RUN_H

#include "core/store.h"

#define LOAD_RUN_ROWS_MAX 8192

struct load_run;

/* Where a run goes, and which of its rows come. */
struct load_place {
    uint32_t        table;
    uint64_t        first;       /* the row that its first one becomes */
    uint32_t        row_count;   /* of the run, 1 to LOAD_RUN_ROWS_MAX */
    const uint64_t *ended;       /* bits: rows to be left out; NULL: none */
    uint64_t        ended_from;  /* the bit of the run's first row */
    uint64_t        rows_in_all; /* that the table is going to have: large or small? Not trusted */
};

/* The values of a column in a run. What stands here is within its bounds: counts and lengths have been looked at. */
struct column_values {
    uint32_t             count;      /* rows that are not NULL */
    const unsigned char *nulls;      /* bit row % 8 of byte row / 8: NULL. Not there where all are, or none is */
    const unsigned char *numbers;    /* INTEGER and REAL: 8 bytes for each value, little-endian */
    uint32_t             text_count; /* TEXT: at most LOAD_RUN_ROWS_MAX */
    const unsigned char *lengths;    /* 4 bytes for each text, little-endian */
    const char          *texts;      /* their bytes, one behind the other */
    const unsigned char *codes;      /* which text a value is, from 0; NULL: each is one of its own */
    uint32_t             code_bytes; /* 1, or 2, little-endian */
};

/* The memory to load runs with, one after the other. NULL without memory. */
struct load_run *load_run_new(struct store *store);
void             load_run_free(struct load_run *run); /* NULL is accepted */

/* One run: begin, each column once (the id must be one of them), end. A column that does not come is NULL. Any thread,
 * with a load_run of its own. ret_rows: how many came. */
knackdb_status load_run_begin(struct load_run *run, const struct load_place *place, knackdb_error *error);
knackdb_status load_run_column(struct load_run *run, uint32_t column, const struct column_values *values,
                               knackdb_error *error);
knackdb_status load_run_end(struct load_run *run, uint32_t *ret_rows, knackdb_error *error);

/* After all runs, once for each column that is posted; any thread. And after all of these. */
knackdb_status store_load_postings(struct store *store, uint32_t table, uint32_t column, knackdb_error *error);
void           store_load_end(struct store *store);

#endif
