/* part_load.h - the rows of one part file, put back into a store. */
#ifndef KNACKDB_PERSIST_PART_LOAD_H
#define KNACKDB_PERSIST_PART_LOAD_H

#include "core/store.h"
#include "persist/disk.h"
#include "persist/manifest.h"

/* What loading parts takes of memory, one after the other; a thread has one of its own. NULL without memory. */
struct part_loader;
struct part_loader *part_loader_new(struct allocator *allocator, const struct schema_history *history,
                                    uint64_t store_id, struct store *store);
void                part_loader_free(struct part_loader *loader); /* NULL is accepted */

/* Where the rows of a part go. */
struct part_place {
    int32_t         table;       /* of the store's schema; -1: it has been dropped, and they go nowhere */
    const uint64_t *ended;       /* bits of the rows to leave out; NULL for none */
    uint64_t        first;       /* the row that the first one becomes; the others follow */
    uint64_t        rows_in_all; /* that the table is going to have */
};

/* Any thread. */
knackdb_status part_load(struct part_loader *loader, const struct file *file, const struct manifest_part *part,
                         const struct part_place *place, knackdb_error *error);

#endif
