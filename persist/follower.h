/* follower.h - keeps a store that was read from a directory up to date with what its writer logs.
 *
 * For a keeper that was opened to follow. Nothing is written into the directory and no lock is taken. */
#ifndef KNACKDB_PERSIST_FOLLOWER_H
#define KNACKDB_PERSIST_FOLLOWER_H

#include "persist/recovery.h"

struct follower;

struct follower_figures {
    uint64_t refresh_count;
    uint64_t reload_count;    /* refreshes that had to begin again from a snapshot */
    int64_t  refreshed_at_us; /* all that was in the log at this time has been applied */
    int64_t  time_us;         /* of the newest commit applied, or of one a little later */
    uint64_t durable;         /* newest commit that the log calls durable */
    uint64_t log_bytes;       /* of the commits applied since the newest snapshot that is known */
    uint64_t snapshot_sequence;
    int64_t  snapshot_at_us;
    uint64_t snapshot_bytes;
};

/* Goes on where a recovery into `store` has stopped, and takes its log from it; begun_us: when that began. `dir`,
 * `history` and the store must outlive the follower. */
knackdb_status follower_new(struct allocator *allocator, const struct dir *dir, const struct schema_history *history,
                            struct store *store, struct recovery *recovery, int64_t begun_us,
                            struct follower **ret_follower, knackdb_error *error);
void           follower_free(struct follower *follower); /* NULL is accepted */

/* The same after a fork, in the child. What a refresh of the parent's was at work on at that moment is lost to it. */
void follower_abandon(struct follower *follower);

/* Applies what came since, whole commits only. On failure the store is at the commit it had come to, and a later call
 * goes on from there. One call at a time is at work; others wait for it. */
knackdb_status follower_refresh(struct follower *follower, uint64_t *ret_sequence, knackdb_error *error);

void follower_get_figures(struct follower *follower, struct follower_figures *ret_figures);

#endif
