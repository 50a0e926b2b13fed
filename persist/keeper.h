/* keeper.h - keeps a store on disk: the face of persist.
 *
 * A keeper joins one directory to one store: it brings back what the directory holds,
 * takes every commit into the log before the commit shows, and writes snapshots
 * behind it. docs/DURABILITY.md says what it promises. */
#ifndef KNACKDB_PERSIST_KEEPER_H
#define KNACKDB_PERSIST_KEEPER_H

#include "core/store.h"
#include "persist/disk.h"

struct keeper;

/* Of the same name and meaning as in knackdb_options; 0 takes the default throughout. */
struct keeper_options {
    knackdb_log_io log_io;
    uint32_t       flush_interval_ms;
    uint64_t       log_segment_bytes_max;
    uint64_t       snapshot_log_bytes;
    uint32_t       snapshot_interval_s;
    uint32_t       snapshots_kept;
    uint64_t       log_history_bytes;
    uint32_t       file_mode;
    bool           read_only;
    bool           follow; /* with read_only: keeper_refresh() may be called */
    bool           no_create;
    bool           snapshot_only; /* with read_only */
    bool           no_migrate;
    bool           refuses_degraded; /* KNACKDB_OPEN_REFUSE_DEGRADED */
    uint64_t       as_of_sequence;   /* with read_only; 0: the newest */
    int64_t        as_of_time_us;    /* likewise */
    bool           by_hand;          /* no background thread: nothing happens but in keeper_turn() and other calls */
    void (*log_message)(void *context, knackdb_severity severity, const char *message);
    void                        *log_context;
    const struct disk           *disk;    /* NULL: the operating system */
    const struct schema_history *history; /* of the store's schema; which version of it, the store's schema says */
};

/**
 * Opens the directory (docs: directory.h says what a path may be), fills the store from
 * it and, unless read-only, becomes its writer: holds the lock, is the store's log, runs
 * the background thread.
 *
 * `store` is new and empty; on failure what is in it has no meaning. NOT_FOUND where there is
 * no store and none may be made; otherwise the errors of knackdb_open().
 */
knackdb_status keeper_open(struct allocator *allocator, const char *path, const struct keeper_options *options,
                           struct store *store, struct keeper **ret_keeper, knackdb_error *error);

/* Syncs, seals the log, stops the thread, lets go of the lock, takes the log from the store, and frees the keeper in
 * every case. Where the log is broken, one more snapshot is tried; IO where that fails, too. Before the store is freed;
 * no call on either may be under way. NULL is accepted. */
knackdb_status keeper_close(struct keeper *keeper, knackdb_error *error);

/* After a fork, in the child: frees what is safe to free and touches no file. The store has lost its log and
 * must not be written to. */
void keeper_abandon(struct keeper *keeper);

/* Returns when every commit so far is on stable storage; IO when it is not. */
knackdb_status keeper_sync(struct keeper *keeper, knackdb_error *error);

/* The same for every commit up to this one. Callers that wait at the same time share one sync. */
knackdb_status keeper_wait_durable(struct keeper *keeper, uint64_t sequence, knackdb_error *error);

/* Writes a snapshot of the present moment, in the calling thread, and returns when it is on stable storage. Where the
 * log is broken, this mends it. */
knackdb_status keeper_snapshot(struct keeper *keeper, knackdb_error *error);

/* Copies the present moment into a directory of its own, which is checked before this returns. Any keeper can. ret_rows
 * (may be NULL): how many rows it has. */
knackdb_status keeper_backup(struct keeper *keeper, const char *to, uint64_t *ret_rows, knackdb_error *error);

/* Of a keeper that follows: applies to the store what the directory's writer has logged since. INVALID where it does
 * not follow. A writer's store is always up to date. ret_sequence (may be NULL): the newest commit in the store. */
knackdb_status keeper_refresh(struct keeper *keeper, uint64_t *ret_sequence, knackdb_error *error);

/* Does in the calling thread what the background thread does when an interval is over, a snapshot that is due
 * included: with by_hand, so that a test that repeats meets the disk in the same order. */
void keeper_turn(struct keeper *keeper);

/* The fields of knackdb_stats of the same name, and what lies behind them. */
struct keeper_figures {
    knackdb_state  state;
    char           reason[200];
    uint64_t       durable_sequence;
    uint64_t       log_bytes;
    uint64_t       log_unsynced_bytes;
    uint64_t       snapshot_count;
    uint64_t       snapshot_sequence;
    double         snapshot_at;
    double         snapshot_seconds;
    uint64_t       snapshot_bytes;
    knackdb_status snapshot_status;
    uint64_t       recovered_commits;
    uint64_t       torn_bytes;
    uint64_t       refresh_count;
    uint64_t       reload_count;
    double         refreshed_at;
};
void keeper_get_figures(struct keeper *keeper, struct keeper_figures *ret_figures);

#endif
