/* repairing.h - saves what can be read of a damaged directory into a new one. */
#ifndef KNACKDB_PERSIST_REPAIRING_H
#define KNACKDB_PERSIST_REPAIRING_H

#include "persist/disk.h"
#include "schema/schema.h"

struct repair_options {
    const struct disk           *disk;
    const struct schema_history *history;
    const struct schema         *schema;
    void (*on_loss)(void *context, const knackdb_loss *loss); /* may be NULL */
    void *context;
};

/* knackdb_repair() says what it does. */
knackdb_status repair_directory(struct allocator *allocator, const char *path, const char *to,
                                const struct repair_options *options, knackdb_repair_report *ret_report,
                                knackdb_error *error);

#endif
