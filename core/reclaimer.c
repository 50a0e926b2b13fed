/* reclaimer.c - see reclaimer.h. */
#include "core/reclaim.h"
#include "core/store_data.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#define PAUSE_NS      50000u   /* between two slices while others store */
#define DOZE_NS_MIN   1000000u /* before something that waits is tried again; longer each time in vain */
#define DOZE_NS_MAX   500000000u
#define ROWS_A_SLICE  8u     /* dead rows that a slice works off, or fewer */
#define BACKLOG_ROWS  32768u /* dead rows beyond those that live: from there on writers help */
#define SLICES_MAX    64u    /* of a writer at a time */
#define LOOKS_LEAST   20u    /* whether the others have the lock by now: part of a microsecond */
#define LOOKS_PRESSED 400u   /* and how often before it sleeps after all: they may not be running */

void
reclaimer_init(struct reclaimer *reclaimer)
{
    pthread_condattr_t clock;

    memset(reclaimer, 0, sizeof *reclaimer);
    (void) pthread_mutex_init(&reclaimer->mutex, NULL);
    (void) pthread_condattr_init(&clock);
    (void) pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    (void) pthread_cond_init(&reclaimer->wake, &clock);
    (void) pthread_condattr_destroy(&clock);
}

void
reclaimer_stop(struct reclaimer *reclaimer)
{
    bool has_thread;

    (void) pthread_mutex_lock(&reclaimer->mutex);
    has_thread = reclaimer->has_thread;
    reclaimer->is_stopping = true;
    (void) pthread_cond_signal(&reclaimer->wake);
    (void) pthread_mutex_unlock(&reclaimer->mutex);
    if (has_thread)
        (void) pthread_join(reclaimer->thread, NULL);
    (void) pthread_cond_destroy(&reclaimer->wake);
    (void) pthread_mutex_destroy(&reclaimer->mutex);
}

/* Until woken, or for so long at most (UINT64_MAX: for ever). False when it is to end. */
static bool
wait_for_work(struct reclaimer *reclaimer, uint64_t ns)
{
    struct timespec until = { 0 };
    bool            goes_on;
    int             result = 0;

    if (ns != UINT64_MAX) {
        (void) clock_gettime(CLOCK_MONOTONIC, &until);
        ns += (uint64_t) until.tv_nsec;
        until.tv_sec += (time_t) (ns / 1000000000u);
        until.tv_nsec = (long) (ns % 1000000000u);
    }
    (void) pthread_mutex_lock(&reclaimer->mutex);
    while (!reclaimer->is_stopping && !atomic_load(&reclaimer->is_woken) && result != ETIMEDOUT)
        result = ns == UINT64_MAX ? pthread_cond_wait(&reclaimer->wake, &reclaimer->mutex)
                                  : pthread_cond_timedwait(&reclaimer->wake, &reclaimer->mutex, &until);
    atomic_store(&reclaimer->is_woken, false); /* before it looks: what comes now wakes it again */
    goes_on = !reclaimer->is_stopping;
    (void) pthread_mutex_unlock(&reclaimer->mutex);
    return goes_on;
}

static bool
is_stopping(struct reclaimer *reclaimer)
{
    bool stopping;

    (void) pthread_mutex_lock(&reclaimer->mutex);
    stopping = reclaimer->is_stopping;
    (void) pthread_mutex_unlock(&reclaimer->mutex);
    return stopping;
}

/* Others store, or wait to. The lock goes to whoever asks first, and that is who has just released it, unless he waits
 * until the others have it. Pressed, he waits for that alone; else for a while more. */
static void
give_way(struct store *store)
{
    const struct timespec pause = { .tv_nsec = PAUSE_NS };

    if (atomic_load_explicit(&store->reclaimer.is_pressed, memory_order_relaxed))
        for (uint32_t look = 0; look < LOOKS_PRESSED; look++) {
            if (look >= LOOKS_LEAST && !writer_is_awaited(store))
                return;
            pause_processor();
        }
    (void) nanosleep(&pause, NULL);
}

/* Slice after slice. True where something waits. */
static bool
work(struct store *store)
{
    uint64_t             sequence = store_sequence(store);
    enum reclaim_outcome outcome;

    while ((outcome = store_reclaim(store)) == RECLAIM_GOES_ON && !is_stopping(&store->reclaimer)) {
        if (store_sequence(store) == sequence && !writer_is_awaited(store))
            continue;
        sequence = store_sequence(store);
        give_way(store);
    }
    return outcome != RECLAIM_DONE;
}

static void *
run(void *context)
{
    struct store *store = context;
    uint64_t      doze_ns = 0;
    uint64_t      sequence = 0;

    while (wait_for_work(&store->reclaimer, doze_ns)) {
        if (!work(store)) {
            doze_ns = UINT64_MAX;
        } else if (doze_ns < DOZE_NS_MIN || doze_ns == UINT64_MAX || store_sequence(store) != sequence) {
            doze_ns = DOZE_NS_MIN;
        } else {
            doze_ns = doze_ns < DOZE_NS_MAX / 2 ? doze_ns * 2 : DOZE_NS_MAX;
        }
        sequence = store_sequence(store);
    }
    return NULL;
}

/* The host's signals are for the host's threads. */
static bool
start(struct store *store)
{
    struct reclaimer *reclaimer = &store->reclaimer;
    sigset_t          all, before;

    (void) sigfillset(&all);
    (void) pthread_sigmask(SIG_BLOCK, &all, &before);
    reclaimer->has_thread = pthread_create(&reclaimer->thread, NULL, run, store) == 0;
    (void) pthread_sigmask(SIG_SETMASK, &before, NULL);
    return reclaimer->has_thread;
}

uint32_t
reclaimer_owes(struct store *store, uint64_t died)
{
    struct reclaimer *reclaimer = &store->reclaimer;
    uint64_t          dead = 0, living = 0, slices;
    bool              is_worth_it = false, is_behind;

    if (reclaimer->is_by_hand)
        return 0;
    for (uint32_t t = 0; t < store->schema->table_count; t++) {
        struct table_data *table = &store->tables[t];
        uint64_t           lives = atomic_load_explicit(&table->living, memory_order_relaxed);

        is_worth_it = is_worth_it || table->reclaim.died >= table->reclaim.worth_after;
        dead += atomic_load_explicit(&table->row_count, memory_order_relaxed) - lives;
        living += lives;
    }
    atomic_store_explicit(&reclaimer->is_pressed, dead * 2 >= living + BACKLOG_ROWS, memory_order_relaxed);
    is_behind = dead >= living + BACKLOG_ROWS;
    atomic_store_explicit(&reclaimer->is_behind, is_behind, memory_order_relaxed);
    if (!is_behind) {
        reclaimer->helped_for = 0;
        return is_worth_it;
    }
    reclaimer->helped_for += died;
    slices = reclaimer->helped_for / ROWS_A_SLICE;
    reclaimer->helped_for %= ROWS_A_SLICE;
    return 1 + (uint32_t) (slices < SLICES_MAX ? slices : SLICES_MAX);
}

void
reclaimer_wake(struct store *store, uint32_t owed)
{
    struct reclaimer *reclaimer = &store->reclaimer;
    bool              has_thread = true;

    if (!atomic_exchange(&reclaimer->is_woken, true)) {
        (void) pthread_mutex_lock(&reclaimer->mutex);
        has_thread = reclaimer->has_thread || start(store);
        (void) pthread_cond_signal(&reclaimer->wake);
        (void) pthread_mutex_unlock(&reclaimer->mutex);
    }
    if (!has_thread) {
        atomic_store(&reclaimer->is_woken, false); /* the next commit tries again; until then writers do it all */
        owed += SLICES_MAX;
    }
    for (; owed > 1; owed--)
        if (store_reclaim(store) != RECLAIM_GOES_ON)
            break;
}
