/* part_load.h - the rows of one part file, put back into a store. */
#ifndef KNACKDB_PERSIST_PART_LOAD_H
#define KNACKDB_PERSIST_PART_LOAD_H

#include "core/store.h"
#include "persist/disk.h"
#include "persist/manifest.h"

/* `ended`: bits of the rows to leave out; NULL for none. *ret_table: the store's table they went into; -1: it has been
 * dropped, and they went nowhere. */
knackdb_status part_load(struct allocator *allocator, const struct file *file, const struct manifest_part *part,
                         const uint64_t *ended, uint64_t store_id, const struct schema_history *history,
                         struct store *store, int32_t *ret_table, knackdb_error *error);

#endif
