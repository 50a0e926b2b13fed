/* repair_state.h - one repair under way; for repairing.c, repair_losses.c, repair_parts.c and repair_log.c alone. */
#ifndef KNACKDB_PERSIST_REPAIR_STATE_H
#define KNACKDB_PERSIST_REPAIR_STATE_H

#include "core/mending.h"
#include "persist/manifest.h"
#include "persist/repairing.h"

/* A loss as it is kept until all are told, with texts of its own. */
struct kept_loss {
    knackdb_loss loss;
    char         file[DISK_NAME_BYTES_MAX];
    char         reason[240];
};

struct repair {
    struct allocator            *allocator;
    const struct repair_options *options;
    struct dir                   dir;
    struct store                *store;    /* what has been saved so far */
    struct manifest              manifest; /* the newest that can be read... */
    bool                         has_manifest; /* ...if there is one */
    uint64_t                     store_id;
    uint64_t                     sequence; /* newest commit saved */
    int64_t                      time_us;  /* its time */
    knackdb_repair_report        report;

    struct kept_loss            *losses;
    size_t                       loss_count;
    size_t                       loss_capacity;
    bool                         no_memory;
};

/* ---- repair_losses.c ---- */

/* Notes a loss; the report's counts that follow from it are kept. `file` is copied; loss->reason is not looked at. */
void repair_note(struct repair *repair, const knackdb_loss *loss, const char *file, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void repair_forget_losses(struct repair *repair); /* and the report */
void repair_tell_losses(const struct repair *repair);

/* ---- repair_parts.c ---- */

/* Saves the rows of one part. `part`: what the manifest says of it; NULL where no manifest does. */
knackdb_status repair_part(struct repair *repair, uint64_t number, const struct manifest_part *part,
                           knackdb_error *error);

/* ---- repair_log.c ---- */

/* Saves the commits of the log. */
knackdb_status repair_log(struct repair *repair, knackdb_error *error);

#endif
