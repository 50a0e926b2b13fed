/* log_writer.h - the log as the store writes it: appends, rotation, syncs, and what may be removed. */
#ifndef KNACKDB_PERSIST_LOG_WRITER_H
#define KNACKDB_PERSIST_LOG_WRITER_H

#include "core/commit_log.h"
#include "persist/log_segment.h"

struct log_writer;

struct log_writer_options {
    const struct dir      *dir;
    const struct schema   *schema;
    uint64_t               store_id;
    uint64_t               next_serial;
    uint64_t               sequence; /* newest commit; it and all before it are on stable storage */
    int64_t                time_us;  /* of that commit */
    uint64_t               segment_bytes_max;
    uint64_t               log_bytes; /* already there since the snapshot */
    uint32_t               file_mode;
    const struct log_past *past; /* what becomes of segments that are not needed; outlives the writer */
    knackdb_log_io         io;
    bool                   refuses; /* commits while it is not sound, instead of letting them go on in memory */
    /* Asks the flusher for a round of log_writer_tend(). From the appender, so rarely, and it must not wait. */
    void (*wake)(void *context);
    void *wake_context;
};

knackdb_status log_writer_new(struct allocator *allocator, const struct log_writer_options *options,
                              struct log_writer **ret_writer, knackdb_error *error);

/* Ends the log in order: syncs it, seals the last segment and cuts it to what it holds, removes
 * what `covered` makes superfluous; frees the writer in every case. KNACKDB_IO where the log is not sound and the
 * store's commits up to `sequence` are not all on stable storage. No append may be under way. NULL is accepted. */
knackdb_status log_writer_close(struct log_writer *writer, uint64_t sequence, uint64_t covered, knackdb_error *error);

/* After a fork, in the child: frees and touches no file. */
void log_writer_abandon(struct log_writer *writer);

/* What the store appends to. */
struct commit_log *log_writer_face(struct log_writer *writer);

/* A segment that a life before this one wrote: it is remembered, to be removed when it is covered. */
knackdb_status log_writer_adopt(struct log_writer *writer, uint64_t serial, uint64_t last_sequence,
                                knackdb_error *error);

/* Returns once every commit up to `sequence` is on stable storage; one of those that wait syncs for all.
 * KNACKDB_IO while the log is not sound. Any thread. */
knackdb_status log_writer_sync(struct log_writer *writer, uint64_t sequence, knackdb_error *error);

/* ---- the flusher's ---- */

enum log_next {
    LOG_NEXT_READY,  /* or not wanted yet */
    LOG_NEXT_WANTED, /* by the time the current one is full */
    LOG_NEXT_URGENT, /* soon: whoever was sent for it is kept, or nobody was, as the log grew so fast */
};

/* Makes pages ready, lets others go. Says how things are with the segment after the current one. */
enum log_next log_writer_tend(struct log_writer *writer);

/* Makes it, which may wait for the disk. Any thread; where there is one already, nothing happens. */
void log_writer_make_next(struct log_writer *writer);
void log_writer_try_make_next(struct log_writer *writer); /* unless somebody is making one: not for him to wait for */

/* The flusher says that it sleeps until woken: the next append then wakes it. Returns true where
 * there are commits not yet on stable storage, after which it must not sleep. */
bool log_writer_fall_asleep(struct log_writer *writer);
void log_writer_wake_up(struct log_writer *writer);

/* When, by the monotonic clock, to tend it again without being woken; UINT64_MAX: while it sleeps. The flusher's. */
uint64_t log_writer_look_ns(const struct log_writer *writer);

/* ---- the mender's, where log_figures.has_failed; one at a time. log_mending.c tells the order ---- */

/* Tries the disk with a fresh segment. OK: there is one, on stable storage, name and all. */
knackdb_status log_writer_try_disk(struct log_writer *writer, knackdb_error *error);

/* Commits from now on go into fresh segments. Between two commits (store_between_commits()), after
 * log_writer_try_disk(). A snapshot of a view that begins after this joins them to what was before. */
void log_writer_begin_anew(void *writer);

/* That snapshot, of `sequence`, is on stable storage: the log is sound again. IO where it has broken once more
 * meanwhile, and then the snapshot counts all the same. */
knackdb_status log_writer_join(struct log_writer *writer, uint64_t sequence, knackdb_error *error);

/* After that, where older snapshots or history are kept and need it: what is on stable storage of the log that broke is
 * copied into fresh files, which take the place of those that failed. What could not be copied is tried again by the
 * next call. */
knackdb_status log_writer_salvage(struct log_writer *writer, knackdb_error *error);

/* That snapshot could not be written. Takes the fresh segments out of use, between two commits;
 * log_writer_clear_fresh() then removes their files, which may wait for the disk and so is done outside. `why`: the
 * disk's newest excuse, or NULL. */
void log_writer_give_up(void *writer);
void log_writer_clear_fresh(struct log_writer *writer, const knackdb_error *why);

/* ---- the snapshot's ---- */

/* The next append begins a new segment, so that what came before can be removed whole. */
void log_writer_rotate(struct log_writer *writer);

/* A snapshot of `sequence` is on stable storage, so all commits up to it are; the log since then counts from
 * `log_bytes` (log_writer_position() when it was begun). */
void log_writer_covered(struct log_writer *writer, uint64_t sequence, uint64_t log_bytes);

/* Removes every finished segment whose commits are all at or before `sequence`, or one said before. One that cannot be
 * removed stays for the next time, and holds up none behind it. */
knackdb_status log_writer_remove_up_to(struct log_writer *writer, uint64_t sequence, knackdb_error *error);

/* How many bytes of a segment are sound: UINT64_MAX for all that it has; fewer where the log broke before all of it was
 * on stable storage. */
uint64_t log_writer_sound_bytes(void *writer, uint64_t serial);

/* Serial from which a replay after `sequence` has to start. */
uint64_t log_writer_serial_for(struct log_writer *writer, uint64_t sequence);

/* ---- figures; any thread ---- */

struct log_figures {
    uint64_t      sequence;  /* newest commit appended */
    uint64_t      durable;   /* newest commit on stable storage */
    int64_t       time_us;   /* of the newest commit */
    uint64_t      position;  /* bytes of records appended since open */
    uint64_t      log_bytes; /* since the snapshot */
    uint64_t      unsynced_bytes;
    bool          has_failed; /* and is not sound again */
    knackdb_error failure;
};
void     log_writer_get_figures(struct log_writer *writer, struct log_figures *ret_figures);
uint64_t log_writer_position(struct log_writer *writer);

#endif
