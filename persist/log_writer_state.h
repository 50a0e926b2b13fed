/* log_writer_state.h - what a log writer consists of; for log_writer.c, log_appending.c, log_syncing.c,
 * log_tending.c and log_mending.c alone.
 *
 * Three parties meet here.
 *
 *   The appender  is whoever holds the store's writers' lock: one at a time, and what
 *                 one left the next finds. It copies records into the current segment; and lets go of
 *                 pages behind, where the flusher is late with it.
 *   The flusher   is a background thread. It readies pages of the current segment, lets go of those
 *                 behind, frees what is done, and says when to make and to sync (flusher.c).
 *   The syncers   are threads that want to know their commits safe, among them the background
 *                 thread that the flusher sends, which makes the next segment, too. One of
 *                 them syncs, the others wait for it.
 *
 *     syncer         appender               syncer            flusher
 *     next ---------> current ---full---> sealed ---synced---> done ---> closed
 *
 * A fourth comes when the disk has failed: the mender (log_mending.c), one at a time, who begins the log anew.
 *
 * W1  `appended` is stored after the record's bytes (release); who has loaded it
 *     (acquire) finds every record up to it in the current segment or in the sealed list.
 *     A syncer loads it before it looks at either, under `mutex`; rotation changes
 *     both under `mutex`.
 * W2  `log_durable` rises only after every segment that may hold a commit up to it, and the
 *     directory that names them, have been synced without an error. `durable` rises with it, and
 *     with a snapshot: then the log's own copy of those commits may never have been synced, and
 *     a power cut may take it. So what the log testifies to (log_judging.c) is `log_durable`.
 * W3  A failed write or sync is final for every file that is there: the log is LOG_BROKEN, `failure` says
 *     why, nothing more is appended to these files, none of them is synced again, and every sync says
 *     so. The store goes on in memory, or refuses, as the options say. What becomes of it tells
 *     log_mending.c (M1 to M4).
 * W4  The flusher sleeps only after it said so (`asleep`, seq_cst) and then found nothing
 *     appended; the appender stores `appended` (seq_cst) and then looks whether it sleeps. One of
 *     the two sees the other, so no commit waits for a wake-up that nobody sends.
 * W5  Segments are made under `making`, so that their serials are in the order of their use; it is
 *     held until the segment is listed as `next` or in `kept`. Who holds it finds every segment in one
 *     of the two, and so a snapshot never names a serial behind the one in use.
 * W6  Only the flusher cuts, unmaps and frees a segment that was in use (or the close, when there is no
 *     flusher any more): it may be readying the pages of a segment that others rotate and sync.
 *
 * Lock order: making, then mutex. No disk is waited for under `mutex`. The appender takes
 * it for a rotation only. */
#ifndef KNACKDB_PERSIST_LOG_WRITER_STATE_H
#define KNACKDB_PERSIST_LOG_WRITER_STATE_H

#include "persist/log_writer.h"
#include "persist/segment_list.h"

#include <pthread.h>

enum log_condition {
    LOG_SOUND,
    LOG_BROKEN,  /* W3: the files that are there are not written to any more */
    LOG_MENDING, /* commits go into fresh files, which mean nothing until a snapshot joins them to what was before */
};

struct log_writer {
    struct commit_log         face; /* first: the store knows us by its address */
    struct allocator         *allocator;
    struct log_writer_options options;
    bool                      maps;

    /* The appender's. */
    struct byte_buffer staging;
    _Atomic uint64_t   appended; /* sequence; W1, W4 */
    _Atomic int64_t    time_us;  /* of that commit; stored before it, relaxed: a figure */
    _Atomic uint64_t   position; /* bytes of records since open; likewise */

    /* Where the appender wakes the flusher, as an offset in the current segment: set by the flusher, or to
     * never by the appender once it has done so. Relaxed: a late look costs a little time. */
    _Atomic uint64_t wake_at;
    _Atomic bool     asleep;  /* the flusher's; W4 */
    _Atomic bool     rotates; /* the snapshot's wish; the appender clears it */
    /* An enum log_condition. Stored under mutex, broken after `failure` (release); read by the appender and the
     * flusher without it (acquire). */
    _Atomic int      condition;

    /* Under mutex. */
    pthread_mutex_t     mutex;
    pthread_cond_t      synced;
    struct log_segment *current; /* changed by the appender under mutex, read by it without */
    struct log_segment *next;    /* made ahead */
    struct log_segment *sealed;  /* full ones, oldest first, that wait for their last sync */
    struct log_segment *done;    /* synced for the last time; the flusher closes them */
    struct log_segment *dead;    /* of a log that broke; the flusher frees them as they are */
    struct segment_list kept;    /* every segment with commits that is on the disk */
    uint64_t            covered; /* a segment may go when its last commit is not behind this one */
    bool                syncing; /* somebody does */
    uint64_t            named;   /* serials up to this one are durable in the directory */
    uint64_t            synced_position;
    uint64_t            log_base;    /* position at which the snapshot was begun, less what was there at open */
    knackdb_error       failure;     /* why it is not sound */
    uint64_t            first_fresh; /* serial with which the mending began */
    /* Newest commit on stable storage, in the log or in a snapshot; and in the log itself, which is what records and
     * heads testify to. Written under mutex, read by anyone (relaxed: they only rise). */
    _Atomic uint64_t    durable;
    _Atomic uint64_t    log_durable;

    pthread_mutex_t making;      /* W5 */
    uint64_t        next_serial; /* under making */

    /* The flusher's. */
    uint64_t tended_position; /* when the speed was last told */
    uint64_t tended_ns;
    double   tended_speed; /* of the appender, bytes a nanosecond */
    uint64_t look_at_ns;   /* when to look again unasked; UINT64_MAX: never */
    bool     has_just_woken;
};

static inline enum log_condition
log_writer_condition(const struct log_writer *writer)
{
    return (enum log_condition) atomic_load_explicit(&writer->condition, memory_order_acquire);
}

/* log_appending.c */
knackdb_status log_writer_append(struct commit_log *log, uint64_t sequence, int64_t time_us, const void *payload,
                                 size_t payload_bytes, knackdb_error *error);
/* A new, empty segment with room for a record of so many bytes. Under making. */
knackdb_status log_writer_make_segment(struct log_writer *writer, size_t room, struct log_segment **ret_segment,
                                       knackdb_error *error);
/* Removes one that was made and never used; NULL is accepted. */
void           log_writer_discard_segment(struct log_writer *writer, struct log_segment *segment);
/* W3. Not under mutex, and not about a file of a log before this one. */
void           log_writer_fail(struct log_writer *writer, const knackdb_error *failure);

/* log_syncing.c */
/* Of what is not synced nobody knows what its file holds; under mutex. */
void           log_writer_doubt(struct log_writer *writer);
void           log_writer_lift(_Atomic uint64_t *sequence, uint64_t to); /* where it is higher; under mutex */
/* log_writer_sync() until this counter has reached the sequence. */
knackdb_status log_writer_sync_until(struct log_writer *writer, const _Atomic uint64_t *reached, uint64_t sequence,
                                     knackdb_error *error);

/* log_tending.c */
void log_writer_retire_segments(struct log_segment *segments); /* W6: cut to what they hold, and freed */

/* log_writer.c */
void log_writer_free_segments(struct log_segment *segments); /* a chain of them; the files stay */

#endif
