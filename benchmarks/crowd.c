/* crowd.c - threads, each with its own session, its own stream of random ids and its own
 * few rows to store, made beforehand and stored again and again under new ids.
 *
 * Rows of several threads get their ids in no order, so they stand behind the station's own
 * rows and are counted apart. Afterwards every store must hold exactly as many as were
 * stored, and a sample of them must each be one of the threads' rows, whole.
 *
 * One operation in SAMPLED is timed by itself: at some hundred nanoseconds an operation two
 * clock readings each would be what is measured. */
#include "crowd.h"

#include "clock.h"
#include "failure.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define THREADS_MAX       16
#define SAMPLED           8
#define STORE_PERCENT     10
#define OWN_ROWS          256
#define CHECKED           500
#define FIRST_OWN_ROW     (UINT64_C(1) << 40) /* of the workload: no station has so many in order */
#define SNAPSHOT_ROWS_MAX 50000
#define SNAPSHOTS_MAX     10
#define OPERATIONS_STEP   32 /* between two looks at whether it is time to end */

struct member {
    const struct workload *workload;
    const struct adapter  *adapter;
    void                  *store; /* what sessions begin from */
    uint64_t               rows;
    unsigned               number;
    pthread_barrier_t     *start;
    atomic_bool           *is_over; /* written by the first thread, read by all; no other data hangs on it */
    struct pattern_block   block;
    uint64_t               operations, stored;
    struct histogram      *reads, *stores;
    uint64_t               seen;
};

static void
own_rows(const struct workload *workload, unsigned number, struct pattern_block *block)
{
    pattern_block_init(block, OWN_ROWS);
    workload_patterns(workload, FIRST_OWN_ROW + (uint64_t) number * OWN_ROWS, OWN_ROWS, block);
}

static void
see_row(void *context, const struct pattern_row *row)
{
    uint64_t *seen = context;
    *seen = digest_mix(*seen, pattern_digest(row));
}

static void
operate(struct member *member, void *session, uint64_t operation)
{
    if (workload_choice(member->workload, operation, 100) < STORE_PERCENT) {
        member->adapter->pattern_store(session, &member->block.rows[member->stored++ % OWN_ROWS]);
    } else {
        int64_t id = workload_id(member->workload, operation, member->rows);
        if (!member->adapter->pattern_read(session, id, see_row, &member->seen))
            fail("%s: row %" PRId64 " is gone", member->adapter->name, id);
    }
    member->operations++;
}

static void *
take_part(void *context)
{
    struct member *member = context;
    void          *session = member->adapter->session_begin != NULL ? member->adapter->session_begin(member->store)
                                                                    : member->store;
    uint64_t       operation = (uint64_t) (member->number + 1) << 40;

    pthread_barrier_wait(member->start);
    while (!atomic_load_explicit(member->is_over, memory_order_relaxed)) {
        for (int i = 0; i < OPERATIONS_STEP; i++, operation++) {
            uint64_t start, stored = member->stored;

            if (i % SAMPLED != 0) {
                operate(member, session, operation);
                continue;
            }
            start = clock_ns();
            operate(member, session, operation);
            histogram_add(member->stored > stored ? member->stores : member->reads, clock_ns() - start);
        }
    }
    if (member->adapter->session_end != NULL)
        member->adapter->session_end(session);
    return NULL;
}

/* ---- what is left behind --------------------------------------------------------- */

static int
by_number(const void *a, const void *b)
{
    const uint64_t *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

static uint64_t
content_digest(const struct pattern_row *row)
{
    struct pattern_row content = *row;

    content.id = 0;
    return pattern_digest(&content);
}

static void
note_content(void *context, const struct pattern_row *row)
{
    uint64_t *content = context;
    *content = content_digest(row);
}

/* Rows behind those in order: each must be one that a thread stored. */
static void
check_others(const struct workload *workload, struct station *station)
{
    static uint64_t wanted[THREADS_MAX * OWN_ROWS];

    station_check_rows(station, workload, CHECKED);
    for (unsigned t = 0; t < THREADS_MAX; t++) {
        struct pattern_block block;

        own_rows(workload, t, &block);
        for (size_t i = 0; i < OWN_ROWS; i++)
            wanted[t * OWN_ROWS + i] = content_digest(&block.rows[i]);
        pattern_block_clear(&block);
    }
    qsort(wanted, THREADS_MAX * OWN_ROWS, sizeof wanted[0], by_number);
    for (uint64_t i = 0; i < CHECKED && station->others > 0; i++) {
        int64_t  id = (int64_t) station->patterns + workload_id(workload, i, station->others);
        uint64_t content = 0;

        if (!station->adapter->pattern_read(station->store, id, note_content, &content))
            fail("%s: row %" PRId64 ", stored by one of several threads, is gone", station->adapter->name, id);
        if (bsearch(&content, wanted, THREADS_MAX * OWN_ROWS, sizeof wanted[0], by_number) == NULL)
            fail("%s: row %" PRId64 " is none that a thread stored", station->adapter->name, id);
    }
}

/* A round, unless time was so short that nothing was done in it: that took not 0 us. */
static void
note_latency(struct results *results, const char *work, const struct station *station, uint64_t rows,
             const struct histogram *latency)
{
    struct figure *figure;

    if (latency->count == 0)
        return;
    figure = results_figure(results, work, station->adapter->name, rows, "us");
    histogram_merge(figure_latency(figure), latency);
    figure_add_round(figure, histogram_mean_ns(latency) / 1e3);
}

/* ---- W11 --------------------------------------------------------------------------- */

void
crowd_measure(const struct workload *workload, struct station *station, uint64_t rows, unsigned thread_count,
              uint64_t budget_ns, struct results *results)
{
    static const char *const works[2][2] = { { "W11 9:1 reads, 2 threads", "W11 stores of 2 threads" },
                                             { "W11 9:1 reads, 10 threads", "W11 stores of 10 threads" } };
    const char *const       *names = works[thread_count > 2];
    struct member            members[THREADS_MAX];
    pthread_t                threads[THREADS_MAX];
    pthread_barrier_t        start;
    atomic_bool              is_over = false;
    struct timespec          pause = { (time_t) (budget_ns / 1000000000), (long) (budget_ns % 1000000000) };
    uint64_t                 operations = 0, stored = 0, began, elapsed_ns;
    struct histogram        *stores = calloc(1, sizeof *stores);
    struct figure           *figure = results_figure(results, names[0], station->adapter->name, rows, "ops/s");

    if (stores == NULL || thread_count > THREADS_MAX || pthread_barrier_init(&start, NULL, thread_count + 1) != 0)
        fail("%u threads cannot be started", thread_count);
    for (unsigned t = 0; t < thread_count; t++) {
        struct member member = { .workload = workload,
                                 .adapter = station->adapter,
                                 .store = station->store,
                                 .rows = rows,
                                 .number = t,
                                 .start = &start,
                                 .is_over = &is_over };

        members[t] = member;
        own_rows(workload, t, &members[t].block);
        members[t].reads = calloc(1, sizeof *members[t].reads);
        members[t].stores = calloc(1, sizeof *members[t].stores);
        if (members[t].reads == NULL || members[t].stores == NULL ||
            pthread_create(&threads[t], NULL, take_part, &members[t]) != 0)
            fail("thread %u cannot be started", t);
    }
    pthread_barrier_wait(&start);
    began = clock_ns();
    nanosleep(&pause, NULL);
    atomic_store_explicit(&is_over, true, memory_order_relaxed);
    for (unsigned t = 0; t < thread_count; t++)
        pthread_join(threads[t], NULL);
    elapsed_ns = clock_ns() - began;
    pthread_barrier_destroy(&start);
    for (unsigned t = 0; t < thread_count; t++) {
        operations += members[t].operations;
        stored += members[t].stored;
        histogram_merge(figure_latency(figure), members[t].reads);
        histogram_merge(stores, members[t].stores);
        free(members[t].reads);
        free(members[t].stores);
        pattern_block_clear(&members[t].block);
    }
    figure_add_round(figure, (double) operations / ((double) elapsed_ns / 1e9));
    note_latency(results, names[1], station, rows, stores);
    free(stores);
    station->others += stored;
    check_others(workload, station);
}

/* ---- beside a snapshot --------------------------------------------------------------- */

struct settling {
    const struct adapter *adapter;
    void                 *store;
    atomic_bool           is_done; /* written by the settling thread, read by the one beside it */
};

static void *
settle(void *context)
{
    struct settling *settling = context;
    void *session = settling->adapter->session_begin != NULL ? settling->adapter->session_begin(settling->store)
                                                             : settling->store;

    settling->adapter->settle(session);
    atomic_store_explicit(&settling->is_done, true, memory_order_release);
    if (settling->adapter->session_end != NULL)
        settling->adapter->session_end(session);
    return NULL;
}

/* One snapshot, with something new in it, and operations of one kind until it is written. */
static void
run_beside_snapshot(struct member *member, struct station *station, bool stores, struct histogram *latency)
{
    struct settling settling = { .adapter = station->adapter, .store = station->store, .is_done = false };
    uint64_t        fresh = member->rows / 20 < SNAPSHOT_ROWS_MAX ? member->rows / 20 : SNAPSHOT_ROWS_MAX;
    uint64_t        last;
    pthread_t       thread;

    for (uint64_t i = 0; i < fresh; i += OWN_ROWS)
        station->adapter->patterns_store(station->store, member->block.rows, OWN_ROWS);
    station->others += (fresh + OWN_ROWS - 1) / OWN_ROWS * OWN_ROWS;
    if (pthread_create(&thread, NULL, settle, &settling) != 0)
        fail("a thread cannot be started");
    last = clock_ns();
    while (!atomic_load_explicit(&settling.is_done, memory_order_acquire)) {
        uint64_t now;

        if (stores) {
            station->adapter->pattern_store(station->store, &member->block.rows[member->stored++ % OWN_ROWS]);
        } else {
            int64_t id = workload_id(member->workload, member->operations++, member->rows);
            if (!station->adapter->pattern_read(station->store, id, see_row, &member->seen))
                fail("%s: row %" PRId64 " is gone", station->adapter->name, id);
        }
        now = clock_ns();
        histogram_add(latency, now - last);
        last = now;
    }
    pthread_join(thread, NULL);
}

void
crowd_measure_beside_snapshot(const struct workload *workload, struct station *station, uint64_t rows,
                              uint64_t budget_ns, struct results *results)
{
    static const char *const works[2] = { "W11 read by id, snapshot beside", "W11 store one, snapshot beside" };
    struct member member = { .workload = workload, .adapter = station->adapter, .store = station->store, .rows = rows };

    if (station->adapter->settle == NULL)
        return;
    own_rows(workload, 0, &member.block);
    for (int stores = 0; stores < 2; stores++) {
        struct histogram *latency = calloc(1, sizeof *latency);
        uint64_t          began = clock_ns();

        if (latency == NULL)
            fail("no memory");
        for (int i = 0; i < SNAPSHOTS_MAX && (i == 0 || clock_ns() - began < budget_ns); i++)
            run_beside_snapshot(&member, station, stores == 1, latency);
        note_latency(results, works[stores], station, rows, latency);
        free(latency);
    }
    station->others += member.stored;
    pattern_block_clear(&member.block);
    check_others(workload, station);
}
