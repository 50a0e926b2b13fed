/* verification.h - reads and checks every byte of every file of a directory; changes nothing. */
#ifndef KNACKDB_PERSIST_VERIFICATION_H
#define KNACKDB_PERSIST_VERIFICATION_H

#include "persist/disk.h"
#include "schema/schema.h"

struct verify_options {
    const struct disk           *disk;
    const struct schema_history *history;
    const struct schema         *schema;
    void (*on_fault)(void *context, const knackdb_fault *fault); /* may be NULL */
    void *context;
};

/* OK: sound. CORRUPT: it is not, and on_fault heard why. Both fill the report. Anything else: why it could not look. */
knackdb_status verify_directory(struct allocator *allocator, const char *path, const struct verify_options *options,
                                knackdb_verify_report *ret_report, knackdb_error *error);

#endif
