/* snapshot_load.h - the rows of a snapshot, put back into an empty store. */
#ifndef KNACKDB_PERSIST_SNAPSHOT_LOAD_H
#define KNACKDB_PERSIST_SNAPSHOT_LOAD_H

#include "persist/coverage.h"
#include "persist/disk.h"

struct snapshot_load {
    struct allocator            *allocator;
    const struct dir            *dir;
    const struct manifest       *manifest;
    struct file                 *files;      /* the first parts, in the manifest's order, open; closed when done */
    size_t                       file_count; /* those behind them are opened in their turn */
    const struct schema_history *history;
    struct store                *store;
    struct coverage             *coverage; /* filled; NULL: not wanted */
};

knackdb_status snapshot_open_part(const struct dir *dir, const struct manifest_part *part, struct file *file,
                                  knackdb_error *error);

/* Also brings the store's sequence and next ids to what the manifest says. On failure the store's contents
 * mean nothing. BUSY where a writer beside us has replaced the snapshot and removed what we had not opened. */
knackdb_status snapshot_load_run(const struct snapshot_load *load, knackdb_error *error);

#endif
