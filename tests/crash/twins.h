/* twins.h - a store on a disk and its shadow, which is in memory alone: what is done to one is done to both.
 *
 * The shadow goes first, so the oracle knows what a commit will have done before the first byte of it is written. */
#ifndef TESTS_CRASH_TWINS_H
#define TESTS_CRASH_TWINS_H

#include "tests/crash/oracle.h"
#include "tests/model/random_rows.h"

struct twins {
    struct random_source dice;
    struct allocator     allocator; /* the shadow's */
    struct store        *shadow;
    struct oracle        oracle;
    bool                 refuses; /* the store does, what no log takes; to be set */
    const char          *step;    /* the last change, in words */
};

void twins_init(struct twins *twins, uint64_t seed);
void twins_clear(struct twins *twins);

/* Makes the shadow what the store is; all of that is promised, and what came after never was. */
void twins_follow(struct twins *twins, struct store *store);

/* A change drawn by the dice: mostly stores, of one row or of a batch; updates, deletes, clean-ups. Returns what the
 * store said of it; `why` is not empty where that, or what came of it, is not as in the shadow. What a store that
 * refuses has refused must have changed nothing, and has never been begun: it may not come back. */
knackdb_status twins_change(struct twins *twins, struct store *store, knackdb_error *error, char why[256]);

#endif
