/* recovery.h - from files back to rows. */
#ifndef KNACKDB_PERSIST_RECOVERY_H
#define KNACKDB_PERSIST_RECOVERY_H

#include "core/store.h"
#include "persist/coverage.h"
#include "persist/log_reader.h"
#include "persist/manifest.h"

struct recovery_options {
    const struct dir            *dir;
    const struct schema_history *history;
    bool                         is_locked; /* we hold the lock: nothing changes while we read */
    bool                         snapshot_only;
    bool                         covers;         /* say which rows stand in which part */
    uint64_t                     as_of_sequence; /* 0: the newest */
    int64_t                      as_of_time_us;  /* 0: the newest */
};

/* What was found. */
struct recovery {
    bool               is_new;    /* the directory holds no store; all else is empty */
    struct manifest    manifest;  /* the one it began with */
    struct coverage    coverage;  /* of that manifest; empty unless asked for */
    struct log_reader *log;       /* where it stopped; NULL with snapshot_only */
    struct log_end     end;       /* of the log, where it was read to its end */
    uint64_t           commits;   /* replayed */
    uint64_t           log_bytes; /* of their records */
    int64_t            time_us;   /* of the newest commit */
};

/* Fills an empty store. On failure the store's contents mean nothing; `ret_recovery` needs no clear. */
knackdb_status recovery_run(struct allocator *allocator, const struct recovery_options *options, struct store *store,
                            struct recovery *ret_recovery, knackdb_error *error);
void           recovery_clear(struct recovery *recovery);

/* For the writer, after recovery_run(): makes the log's end what recovery took it for. What lies torn behind
 * the end is copied into a torn file and cut, and every commit that was replayed is synced. *ret_torn_bytes: kept
 * aside; `torn_name`: in which file, the last of them. */
knackdb_status log_settle(struct allocator *allocator, const struct dir *dir, const struct recovery *recovery,
                          uint32_t file_mode, char torn_name[DISK_NAME_BYTES_MAX], uint64_t *ret_torn_bytes,
                          knackdb_error *error);

#endif
