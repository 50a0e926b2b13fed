/* oracle.h - what a store held after each of its commits, and what of that was promised.
 *
 * Whatever a power cut leaves must be one of these moments, whole: at least the newest that was promised and at most
 * the newest that was begun. The rows of a moment are kept as one number; so a row that is wrong, missing, or
 * there twice, half a batch, or a row that nobody stored shows as a number that is not the moment's. */
#ifndef TESTS_CRASH_ORACLE_H
#define TESTS_CRASH_ORACLE_H

#include "core/store.h"

#define ORACLE_MOMENTS_MAX 1024

struct moment {
    uint64_t digest;
    int64_t  next_ids[KNACKDB_TABLES_MAX]; /* an id below has been given to a row, if only to one that is gone */
};

struct oracle {
    struct moment moments[ORACLE_MOMENTS_MAX];  /* by sequence */
    bool          is_known[ORACLE_MOMENTS_MAX]; /* those before a golden directory's newest are not */
    uint64_t      promised;                     /* newest commit that must be there */
    uint64_t      begun;                        /* newest that may be */
};

/* What one row adds to a digest. */
uint64_t      moment_of_row(uint32_t table, const knackdb_value *cells, size_t count);
struct moment moment_of(struct store *store);

/* Notes the store's newest commit as begun. */
void oracle_note(struct oracle *oracle, struct store *store);

/* Is the store one of the moments that it may be? If not, says why. */
bool oracle_agrees(const struct oracle *oracle, struct store *store, char why[256]);

#endif
