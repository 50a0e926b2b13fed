/* migrating.h - brings a directory to a schema's version, saying each step. */
#ifndef KNACKDB_PERSIST_MIGRATING_H
#define KNACKDB_PERSIST_MIGRATING_H

#include "persist/keeper.h"

struct migrate_options {
    const struct disk           *disk;
    const struct schema_history *history;
    const struct schema         *schema; /* of that history; what to migrate to */
    bool                         dry_run;
    void (*on_step)(void *context, const char *step); /* may be NULL */
    void *context;
};

/* *ret_from: the version found. */
knackdb_status migrate_directory(struct allocator *allocator, const char *path, const struct migrate_options *options,
                                 uint32_t *ret_from, knackdb_error *error);

#endif
