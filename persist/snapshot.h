/* snapshot.h - one moment of a store, written as part files. */
#ifndef KNACKDB_PERSIST_SNAPSHOT_H
#define KNACKDB_PERSIST_SNAPSHOT_H

#include "core/store.h"
#include "persist/disk.h"
#include "persist/manifest.h"

#include <stdatomic.h>

struct snapshot_options {
    const struct dir   *dir;
    uint32_t            file_mode;
    const _Atomic bool *cancelled; /* asked between blocks; BUSY when it became true */
};

/* Writes the rows that `view` sees and adds their parts to the manifest, whose tables, store_id and next_part
 * are set. When this returns KNACKDB_OK the parts are on stable storage, but for their names. On failure no part it
 * wrote is left. Readers and writers go on. */
knackdb_status snapshot_write(struct allocator *allocator, const struct snapshot_options *options,
                              const struct view *view, struct manifest *manifest, knackdb_error *error);

#endif
