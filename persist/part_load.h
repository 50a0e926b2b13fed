/* part_load.h - the rows of one part file, put back into a store. */
#ifndef KNACKDB_PERSIST_PART_LOAD_H
#define KNACKDB_PERSIST_PART_LOAD_H

#include "core/store.h"
#include "persist/disk.h"
#include "persist/manifest.h"

knackdb_status part_load(struct allocator *allocator, const struct file *file, const struct manifest_part *part,
                         uint64_t store_id, const struct schema_history *history, struct store *store,
                         knackdb_error *error);

#endif
