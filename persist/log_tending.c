/* log_tending.c - the flusher's part of the log: space ahead of the appender, and no more of it behind than needed.
 *
 * log_writer_state.h tells how it lives with the others (W4 to W6). Segments and pages made ready are a matter of
 * cost alone: an appender that finds none ready makes them. */
#include "persist/log_writer_state.h"

#include "base/clock.h"

/* Pages are made ready for what comes in this time, at the speed of the last round: the flusher may be kept from the
 * processor for a while. At the least and at the most; and beyond what a small store may take, no more than this part
 * of what was written since the store was opened: */
#define AHEAD_NS          ((uint64_t) 16 * 1000000)
#define AHEAD_BYTES_MIN   ((uint64_t) 32 * 1024)
#define AHEAD_BYTES_MAX   ((uint64_t) 4096 * 1024)
#define AHEAD_BYTES_SMALL ((uint64_t) 160 * 1024)
#define AHEAD_SHARE       16
/* Rounds that follow upon each other at once tell no speed; that of the time before them holds. */
#define SPEED_NS_MIN ((uint64_t) 30000)
/* So much at a time, for the store's memory is asked for, too, and sooner needed; and a writer who wants a new piece of
 * the address space waits until nobody readies pages. */
#define AHEAD_BYTES_SLICE ((uint64_t) 32 * 1024)
/* While commits come the flusher looks after them unasked, when this part of what is ready will be used up at the speed
 * they have: waking it costs the appender a system call, and where the other processor sleeps as much as ten stores. */
#define LOOK_SHARE  3
#define LOOK_NS_MIN ((uint64_t) 50000)
#define LOOK_NS_MAX ((uint64_t) 1000000000)
/* Bytes a nanosecond that are none: what is left of a speed after many looks that found nothing. */
#define SPEED_LEAST 1e-6

/* W6. All that they hold is on stable storage; where the space behind cannot be given back, it is no loss but of
 * space. */
void
log_writer_retire_segments(struct log_segment *segments)
{
    for (struct log_segment *segment = segments; segment != NULL; segment = segment->next)
        (void) log_segment_cut(segment, NULL);
    log_writer_free_segments(segments);
}

/* How far ahead of the appender the pages should be ready now. */
static uint64_t
choose_ahead(struct log_writer *writer)
{
    uint64_t position = log_writer_position(writer);
    uint64_t now = clock_monotonic_ns();
    uint64_t bytes = position - writer->tended_position;
    uint64_t ns = now - writer->tended_ns + 1;
    double   ahead;

    if (ns >= SPEED_NS_MIN) {
        double speed = (double) bytes / (double) ns;

        /* Faster at once, slower little by little: between two commits there may be a moment without any. */
        writer->tended_speed = speed > writer->tended_speed ? speed : (3 * writer->tended_speed + speed) / 4;
        if (writer->tended_speed < SPEED_LEAST)
            writer->tended_speed = 0;
        writer->tended_position = position;
        writer->tended_ns = now;
    }
    ahead = writer->tended_speed * (double) AHEAD_NS;
    if (ahead > (double) AHEAD_BYTES_SMALL && ahead > (double) (position / AHEAD_SHARE))
        ahead = (double) (position / AHEAD_SHARE > AHEAD_BYTES_SMALL ? position / AHEAD_SHARE : AHEAD_BYTES_SMALL);
    if (ahead < (double) AHEAD_BYTES_MIN)
        return AHEAD_BYTES_MIN;
    return ahead > (double) AHEAD_BYTES_MAX ? AHEAD_BYTES_MAX : (uint64_t) ahead;
}

/* The appender wakes the flusher when so much of what is ahead is used up; each time costs the appender a system call.
 * What is left then is for the time until the flusher runs. */
static uint64_t
wake_after(uint64_t ahead)
{
    return ahead - (ahead / 4 > AHEAD_BYTES_MIN / 2 ? ahead / 4 : AHEAD_BYTES_MIN / 2);
}

/* When to look again. Whoever has just been woken looks soon, for he knows no speed yet. */
static uint64_t
choose_next_look(struct log_writer *writer, uint64_t ahead)
{
    uint64_t bytes = wake_after(ahead) / LOOK_SHARE;
    uint64_t ns = LOOK_NS_MAX;

    if ((double) bytes < writer->tended_speed * (double) LOOK_NS_MAX)
        ns = (uint64_t) ((double) bytes / writer->tended_speed);
    if (writer->has_just_woken || ns < LOOK_NS_MIN)
        ns = LOOK_NS_MIN;
    writer->has_just_woken = false;
    return clock_monotonic_ns() + ns;
}

/* What takes memory is filled as fast as the log, so whoever looks after the one looks after the other. */
enum log_next
log_writer_tend(struct log_writer *writer)
{
    struct log_segment *current;
    struct log_segment *done;
    struct log_segment *dead;
    uint64_t            ahead = choose_ahead(writer);
    uint64_t            used = 0;
    uint64_t            next_at = 0, urgent_at = 0;
    enum log_next       next = LOG_NEXT_READY;
    bool                has_next;

    (void) pthread_mutex_lock(&writer->mutex);
    dead = writer->dead;
    writer->dead = NULL;
    (void) pthread_mutex_unlock(&writer->mutex);
    log_writer_free_segments(dead);
    allocator_serve_requests(writer->allocator); /* also while the log is broken, for memory goes on */
    writer->look_at_ns = UINT64_MAX;
    if (log_writer_condition(writer) == LOG_BROKEN)
        return LOG_NEXT_READY;

    (void) pthread_mutex_lock(&writer->mutex);
    current = writer->current;
    has_next = writer->next != NULL;
    done = writer->done;
    writer->done = NULL;
    (void) pthread_mutex_unlock(&writer->mutex);
    log_writer_retire_segments(done);
    /* W6: only we close segments, so `current` stays mapped while we look at it, whoever rotates and syncs it. */
    if (current != NULL) {
        for (uint64_t part = AHEAD_BYTES_SLICE; part < ahead; part += AHEAD_BYTES_SLICE) {
            log_segment_populate(current, part);
            allocator_serve_requests(writer->allocator);
        }
        log_segment_populate(current, ahead);
        used = atomic_load_explicit(&current->used, memory_order_relaxed);
        next_at = current->capacity / 4; /* the syncer may be in a long sync when it is asked */
        urgent_at = current->capacity / 8 * 5;
    }
    if (!has_next && used >= next_at)
        next = current != NULL && used >= urgent_at ? LOG_NEXT_URGENT : LOG_NEXT_WANTED;
    used = current != NULL ? used + wake_after(ahead) : UINT64_MAX;
    if (!has_next && next == LOG_NEXT_READY && used > next_at)
        used = next_at;
    atomic_store_explicit(&writer->wake_at, used, memory_order_relaxed);
    writer->look_at_ns = choose_next_look(writer, ahead);
    return next;
}

/* The directory that names it is for the first sync to sync which has a commit in it. Under making: from its release on
 * an appender may find the segment too small and discard it. */
static void
make_next(struct log_writer *writer)
{
    struct log_segment *segment = NULL;
    bool                wanted;

    (void) pthread_mutex_lock(&writer->mutex);
    wanted = writer->next == NULL && log_writer_condition(writer) != LOG_BROKEN;
    (void) pthread_mutex_unlock(&writer->mutex);
    /* Where it cannot be made, the appender will find out for itself, and then it is a failure. */
    if (wanted && log_writer_make_segment(writer, 0, &segment, NULL) == KNACKDB_OK) {
        log_segment_populate(segment, AHEAD_BYTES_MIN); /* the appender may come to it before the flusher does */
        (void) pthread_mutex_lock(&writer->mutex);
        writer->next = segment;
        (void) pthread_mutex_unlock(&writer->mutex);
    }
}

void
log_writer_make_next(struct log_writer *writer)
{
    (void) pthread_mutex_lock(&writer->making);
    make_next(writer);
    (void) pthread_mutex_unlock(&writer->making);
}

void
log_writer_try_make_next(struct log_writer *writer)
{
    if (pthread_mutex_trylock(&writer->making) != 0)
        return;
    make_next(writer);
    (void) pthread_mutex_unlock(&writer->making);
}

bool
log_writer_fall_asleep(struct log_writer *writer)
{
    struct log_segment *current;

    (void) pthread_mutex_lock(&writer->mutex);
    current = writer->current;
    (void) pthread_mutex_unlock(&writer->mutex);
    if (current != NULL)
        log_segment_rest(current); /* W6 */
    writer->look_at_ns = UINT64_MAX;
    atomic_store_explicit(&writer->asleep, true, memory_order_seq_cst);
    /* A snapshot may have made more durable than the log has taken. */
    return atomic_load_explicit(&writer->appended, memory_order_seq_cst) >
               atomic_load_explicit(&writer->durable, memory_order_relaxed) &&
           log_writer_condition(writer) == LOG_SOUND;
}

void
log_writer_wake_up(struct log_writer *writer)
{
    writer->tended_position = log_writer_position(writer); /* the sleep tells nothing of the speed */
    writer->tended_ns = clock_monotonic_ns();
    writer->has_just_woken = true;
    atomic_store_explicit(&writer->asleep, false, memory_order_relaxed);
}

uint64_t
log_writer_look_ns(const struct log_writer *writer)
{
    return writer->look_at_ns;
}
