/* verification_state.h - one verification under way; for verification.c and verify_*.c alone. */
#ifndef KNACKDB_PERSIST_VERIFICATION_STATE_H
#define KNACKDB_PERSIST_VERIFICATION_STATE_H

#include "persist/manifest.h"
#include "persist/verification.h"

struct verification {
    struct allocator            *allocator;
    const struct verify_options *options;
    struct dir                   dir;
    knackdb_verify_report        report;
};

/* Counts a fault and tells of it. (verify_faults.c) */
void verify_fault(struct verification *verification, knackdb_status status, const char *file, uint64_t offset,
                  const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Checks the parts that a manifest names. On anything but OK it could not look. */
knackdb_status verify_parts(struct verification *verification, const struct manifest *manifest, knackdb_error *error);

/* Checks every segment; `newest`: the newest manifest. */
knackdb_status verify_log(struct verification *verification, const struct manifest *newest, knackdb_error *error);

#endif
