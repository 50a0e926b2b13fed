/* repair_state.h - one repair under way; for repairing.c and repair_*.c alone. */
#ifndef KNACKDB_PERSIST_REPAIR_STATE_H
#define KNACKDB_PERSIST_REPAIR_STATE_H

#include "core/mending.h"
#include "persist/ends_format.h"
#include "persist/file_name.h"
#include "persist/manifest.h"
#include "persist/part_format.h"
#include "persist/repairing.h"

/* A loss as it is kept until all are told, with texts of its own. */
struct kept_loss {
    knackdb_loss loss;
    char         file[DISK_NAME_BYTES_MAX];
    char         reason[240];
};

/* A part of ends as it was read; entries that were learned from it point into it. */
struct ends_file {
    struct ends_file  *next;
    struct byte_buffer bytes;
};

struct repair {
    struct allocator            *allocator;
    const struct repair_options *options;
    struct dir                   dir;
    struct store                *store;    /* what has been saved so far */
    struct manifest              manifest; /* whose parts are saved: the newest that can be read, or one before it... */
    bool                         has_manifest;   /* ...if there is one */
    size_t                       manifest_index; /* in the list of them */
    bool                         from_nothing;   /* no part is looked at: all rows come from the log, all of it */
    uint64_t                     store_id;
    uint64_t                     sequence; /* newest commit saved */
    int64_t                      time_us;  /* its time */
    knackdb_repair_report        report;

    struct kept_loss *losses;
    size_t            loss_count;
    size_t            loss_capacity;
    bool              no_memory;

    uint64_t           ends_bytes_max; /* no more is read of a file of ends */
    struct ends_file  *ends_files;
    struct ends_entry *ends; /* which rows of parts have ended, as read: bits would be many... */
    size_t             ends_count;
    size_t             ends_capacity;
    uint64_t           ended_part; /* ...and are made for one part, the one asked for last */
    uint32_t           ended_rows; /* of that part; 0: of none */
    uint64_t           ended[PART_ROWS_MAX / 64];
};

/* ---- repair_losses.c ---- */

/* Notes a loss; the report's counts that follow from it are kept. `file` is copied; loss->reason is not looked at. */
void repair_note(struct repair *repair, const knackdb_loss *loss, const char *file, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void repair_forget_losses(struct repair *repair); /* and the report */
void repair_tell_losses(const struct repair *repair);

/* How many things were lost with files of a kind. */
uint64_t repair_count_losses(const struct repair *repair, enum file_kind kind);

/* Takes over what another try, given up for this one, found damaged in files that this one did without. */
void repair_note_spared(struct repair *repair, const struct repair *given_up);

/* ---- repair_ends.c ---- */

/* Learns what a part of ends tells, before any rows are saved. `part`: what the manifest says of it; NULL where no
 * manifest does, and then a file that is none is passed over. */
knackdb_status repair_learn_ends(struct repair *repair, uint64_t number, const struct manifest_part *part,
                                 knackdb_error *error);

/* Puts what has been learned in order; then it can be asked for. */
void repair_settle_ends(struct repair *repair);

/* Is it a part of ends, by its first bytes? */
bool repair_are_ends(const struct file *file);

/* Bits of the rows of a part of so many rows that have ended, valid until another is asked for; NULL where none is
 * known to have. */
const uint64_t *repair_find_ends(struct repair *repair, uint64_t part, uint32_t row_count);
void            repair_forget_ends(struct repair *repair);

/* ---- repair_parts.c ---- */

/* Saves the rows of one part. `part`: what the manifest says of it; NULL where no manifest does. */
knackdb_status repair_part(struct repair *repair, uint64_t number, const struct manifest_part *part,
                           knackdb_error *error);

/* ---- repair_log.c ---- */

/* Saves the commits of the log. */
knackdb_status repair_log(struct repair *repair, knackdb_error *error);

#endif
