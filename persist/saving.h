/* saving.h - one moment of a store as a directory of its own: for backup and repair. */
#ifndef KNACKDB_PERSIST_SAVING_H
#define KNACKDB_PERSIST_SAVING_H

#include "core/store.h"
#include "persist/disk.h"
#include "persist/manifest.h"

struct saving_options {
    const struct disk           *disk;
    const struct schema_history *history;
    const char                  *path; /* made; one that is there must be empty (INVALID otherwise) */
    uint32_t                     file_mode;
    uint64_t                     sequence; /* number of the newest commit */
    int64_t                      time_us;  /* its time */
    const struct manifest       *ancestor; /* whose history of migrations the directory inherits; NULL: none */
};

/* Writes what `view` sees, makes it durable, checks every byte of it and opens it. On failure nothing that it made is
 * left. ret_rows (may be NULL): how many rows there are. The directory's store has a new store_id: it goes its own
 * way. */
knackdb_status saving_write(struct allocator *allocator, const struct saving_options *options, const struct view *view,
                            uint64_t *ret_rows, knackdb_error *error);

#endif
