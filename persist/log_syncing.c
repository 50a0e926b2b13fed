/* log_syncing.c - one of those who wait syncs for all: any thread that wants to know its commits safe.
 *
 * log_writer_state.h tells how they live with the appender (W1) and when a commit counts as durable (W2, W3). */
#include "persist/log_writer_state.h"

#include "base/error.h"

/* What one sync has to do, taken under mutex. */
struct sync_work {
    struct log_segment *sealed; /* afterwards those that are not synced */
    struct log_segment *done;   /* those that are */
    struct log_segment *current;
    uint64_t            sequence;
    uint64_t            position;
    uint64_t            serial; /* newest in use */
    bool                names;  /* the directory is to be synced, too */
};

static struct sync_work
take_work(struct log_writer *writer)
{
    struct sync_work work = { 0 };

    work.position = log_writer_position(writer);
    work.sequence = atomic_load_explicit(&writer->appended, memory_order_acquire); /* W1: before the segments */
    work.sealed = writer->sealed;
    writer->sealed = NULL;
    work.current = writer->current;
    work.serial = work.current != NULL ? work.current->serial : 0;
    work.names = work.serial > writer->named;
    return work;
}

/* A segment that somebody removed is no place for commits. We remove segments ourselves, when a snapshot has what is in
 * them, and that may be before their sync has come: all that such a one holds is durable by then. */
static knackdb_status
sync_segment(struct log_writer *writer, struct log_segment *segment, knackdb_error *error)
{
    knackdb_error  why = { 0 };
    knackdb_status status = log_segment_sync(segment, error);
    bool           is_kept;

    if (status != KNACKDB_OK || file_check_name(&segment->file, &why) == KNACKDB_OK)
        return status;
    (void) pthread_mutex_lock(&writer->mutex);
    is_kept = segment_list_wants(&writer->kept, segment->serial,
                                 atomic_load_explicit(&writer->durable, memory_order_relaxed));
    (void) pthread_mutex_unlock(&writer->mutex);
    if (!is_kept)
        return KNACKDB_OK;
    if (error != NULL)
        *error = why;
    return KNACKDB_IO;
}

static knackdb_status
do_work(struct log_writer *writer, struct sync_work *work, knackdb_error *error)
{
    knackdb_status status = KNACKDB_OK;

    if (work->names)
        status = dir_sync(writer->options.dir, error);
    while (work->sealed != NULL && status == KNACKDB_OK) {
        struct log_segment *segment = work->sealed;

        status = sync_segment(writer, segment, error);
        if (status != KNACKDB_OK)
            break;
        work->sealed = segment->next;
        segment->next = work->done;
        work->done = segment;
    }
    if (status == KNACKDB_OK && work->current != NULL)
        status = sync_segment(writer, work->current, error);
    return status;
}

/* Under mutex. What could not be synced is sealed as before, and nobody's to sync: who buries the log finds it
 * there. */
static void
give_back(struct log_writer *writer, struct sync_work *work)
{
    struct log_segment **link = &work->sealed;

    while (*link != NULL)
        link = &(*link)->next;
    *link = writer->sealed;
    writer->sealed = work->sealed;
    while (work->done != NULL) {
        struct log_segment *segment = work->done;

        work->done = segment->next;
        segment->next = writer->done;
        writer->done = segment;
    }
}

void
log_writer_lift(_Atomic uint64_t *sequence, uint64_t to)
{
    if (to > atomic_load_explicit(sequence, memory_order_relaxed))
        atomic_store_explicit(sequence, to, memory_order_relaxed);
}

/* Until `reached`, one of `durable` and `log_durable`, has come to `sequence`. */
knackdb_status
log_writer_sync_until(struct log_writer *writer, const _Atomic uint64_t *reached, uint64_t sequence,
                      knackdb_error *error)
{
    knackdb_status status = KNACKDB_OK;

    (void) pthread_mutex_lock(&writer->mutex);
    while (atomic_load_explicit(reached, memory_order_relaxed) < sequence) {
        struct sync_work work;
        knackdb_error    failure = { 0 };
        bool             is_synced;

        if (log_writer_condition(writer) != LOG_SOUND) {
            if (error != NULL)
                *error = writer->failure;
            status = KNACKDB_IO;
            break;
        }
        if (writer->syncing) {
            (void) pthread_cond_wait(&writer->synced, &writer->mutex);
            continue;
        }
        writer->syncing = true;
        work = take_work(writer);
        (void) pthread_mutex_unlock(&writer->mutex);
        is_synced = do_work(writer, &work, &failure) == KNACKDB_OK;
        if (!is_synced)
            /* Told in the next turn, unless a snapshot has come to the rescue by then. */
            log_writer_fail(writer, &failure);
        (void) pthread_mutex_lock(&writer->mutex);
        writer->syncing = false;
        give_back(writer, &work);
        if (!is_synced) {
            log_writer_doubt(writer); /* now: a snapshot that is being written may be about to pack them */
        } else {
            log_writer_lift(&writer->durable, work.sequence);
            log_writer_lift(&writer->log_durable, work.sequence);
            writer->synced_position = work.position;
            if (work.serial > writer->named)
                writer->named = work.serial;
        }
        (void) pthread_cond_broadcast(&writer->synced);
    }
    (void) pthread_mutex_unlock(&writer->mutex);
    return status;
}

knackdb_status
log_writer_sync(struct log_writer *writer, uint64_t sequence, knackdb_error *error)
{
    return log_writer_sync_until(writer, &writer->durable, sequence, error);
}
