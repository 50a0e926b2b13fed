/* mending.h - rows and commits out of damaged files: what of them can stand is kept, and the rest is told.
 *
 * Loading (store.h) takes what does not fit for corruption and stops. Here it is expected: a commit
 * that was lost may have been the one that put the row which the next one changes. Nothing is made
 * up for it. Where two rows claim a unique key, the later one has it, and the other's key becomes
 * NULL, which is to say unknown: that the earlier row had lost the key was in a lost commit. */
#ifndef KNACKDB_CORE_MENDING_H
#define KNACKDB_CORE_MENDING_H

#include "core/store.h"

/* What could not stand. */
struct mend_loss {
    uint32_t    table;
    int64_t     id;
    const char *reason; /* in words; valid during the call */
};

struct mend_listener {
    void (*hear)(void *context, const struct mend_loss *loss);
    void *context;
};

/* Puts rows (every column of the schema each, the id first), in one step; a row that is there is replaced. */
knackdb_status store_mend_rows(struct store *store, uint32_t table, const knackdb_value *values, size_t row_count,
                               const struct mend_listener *listener, knackdb_error *error);

/* Applies a commit as far as it stands, whatever its number. */
knackdb_status store_mend_commit(struct store *store, const struct commit_map *map, const void *payload,
                                 size_t payload_bytes, const struct mend_listener *listener, knackdb_error *error);

#endif
