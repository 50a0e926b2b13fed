/* keeper_state.h - what a keeper consists of; for keeper.c, keeper_*.c, flusher.c and snapshot_taker.c alone. */
#ifndef KNACKDB_PERSIST_KEEPER_STATE_H
#define KNACKDB_PERSIST_KEEPER_STATE_H

#include "persist/coverage.h"
#include "persist/follower.h"
#include "persist/keeper.h"
#include "persist/log_past.h"
#include "persist/log_writer.h"
#include "persist/manifest.h"

#include <pthread.h>
#include <stdatomic.h>

struct keeper {
    struct allocator     *allocator;
    struct keeper_options options; /* with the defaults filled in */
    struct store         *store;
    struct dir            dir;
    uint32_t              file_mode;    /* of what is written here; the one among the options is that of copies */
    int                   lock;         /* DISK_NONE: read-only */
    struct log_writer    *log;          /* NULL: read-only */
    struct follower      *follower;     /* NULL: does not follow */
    int64_t               recovered_us; /* time of the newest commit found at open */

    /* The flusher, and the syncer that waits for the disk in its place (flusher.c). */
    pthread_t          flusher;
    pthread_t          syncer;
    bool               has_flusher;
    bool               has_syncer;
    pthread_mutex_t    wake_mutex; /* a leaf: nothing is locked, and no disk waited for, under it */
    pthread_cond_t     wake;
    pthread_cond_t     sync_wake;
    uint64_t           sync_wanted;     /* under wake_mutex: the syncer is to sync commits up to this one; 0: none */
    bool               next_wanted;     /* under wake_mutex: it is to make the log's next segment */
    bool               is_woken;        /* under wake_mutex */
    bool               is_stopping;     /* under wake_mutex */
    bool               failure_is_told; /* the flusher's */
    struct page_server page_server;     /* brings in pages of memory, too, before the store fills them */

    /* Snapshots (snapshot_taker.c). One at a time: under snapshot_mutex, which is held for as long as one takes. */
    pthread_mutex_t snapshot_mutex;
    struct manifest manifest;  /* the newest; read-only: the one that was opened. Under snapshot_mutex */
    struct manifest ancestor;  /* the migrations alone, which do not change while a store is open */
    struct coverage coverage;  /* what of the store its parts hold */
    struct log_past past;      /* what becomes of the log that nobody needs */
    uint64_t        covered;   /* the log up to this commit is not needed any more */
    pthread_t       taker;     /* the flusher's: a thread that takes a snapshot by trigger */
    bool            has_taker; /* likewise; to be joined */
    _Atomic bool    taker_done;
    _Atomic bool    cancelled;        /* no more snapshots: the store is being closed */
    uint64_t        trigger_position; /* the flusher's: after a failed one, no other before this much log */
    uint64_t        trigger_ns;       /* likewise: not before this time, which setting the clock does not move */
    uint64_t        retry_ns;         /* likewise: when to try again what failed; 0: not yet decided */
    uint64_t        retry_wait_ns;    /* likewise: how long to wait for that */
    bool            retries;          /* the taker's attempt is one that was told to have failed before */

    /* Figures, under figures_mutex, a leaf. */
    pthread_mutex_t       figures_mutex;
    struct keeper_figures figures;
    uint64_t              snapshot_ns; /* when the last one since open was taken, by the clock of trigger_ns */
    bool                  snapshot_failed;
    char                  snapshot_reason[200];
};

/* Tells the host (keeper_saying.c). A format that needs more than a message's room is cut. */
void keeper_say(const struct keeper *keeper, knackdb_severity severity, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Of a message what has room in a reason, at most 170 bytes: without the path, which the host knows, and if need be its
 * end (keeper_saying.c). */
const char *keeper_brief(const struct keeper *keeper, const char *message);

/* flusher.c */
knackdb_status flusher_start(struct keeper *keeper, knackdb_error *error);
void           flusher_stop(struct keeper *keeper); /* also one that never started */
void           flusher_wake(void *keeper);

/* snapshot_taker.c */
knackdb_status snapshot_take(struct keeper *keeper, knackdb_error *error);
void           snapshot_take_if_due(struct keeper *keeper); /* the flusher's */
uint64_t       snapshot_due_ns(struct keeper *keeper);      /* when time alone makes one due; UINT64_MAX: never */
void           snapshot_end_taker(struct keeper *keeper);   /* waits for it; the flusher must have ended */
void           snapshot_salvage_log(struct keeper *keeper); /* one that broke, where a moment of it may be wanted */

#endif
