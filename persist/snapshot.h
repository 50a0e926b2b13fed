/* snapshot.h - one moment of a store on the disk: what of it is not there yet is written. */
#ifndef KNACKDB_PERSIST_SNAPSHOT_H
#define KNACKDB_PERSIST_SNAPSHOT_H

#include "persist/coverage.h"
#include "persist/disk.h"

#include <stdatomic.h>

struct snapshot_options {
    const struct dir   *dir;
    uint32_t            file_mode;
    const _Atomic bool *cancelled; /* asked between blocks; BUSY when it became true */
};

/* Writes those rows that `view` sees and `before`, the coverage of the last snapshot, does not have, adds all parts
 * of the view to the manifest, whose tables, store_id and next_part are set, and fills `after`, which was init'ed. When
 * this returns KNACKDB_OK the parts are on stable storage, but for their names. On failure no part it wrote is left,
 * and next_part is where it may go on. Readers and writers go on. */
knackdb_status snapshot_write(struct allocator *allocator, const struct snapshot_options *options,
                              const struct view *view, struct coverage *before, struct manifest *manifest,
                              struct coverage *after, knackdb_error *error);

#endif
