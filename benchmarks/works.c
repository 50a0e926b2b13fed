/* works.c - times single calls, fairly.
 *
 * Operations run in chunks. What a chunk needs (ids, questions, rows) is made before
 * its clock starts. Chunks are timed in turn in two ways:
 *
 *   as a whole   two clock readings around all of its operations: gives the mean,
 *                free of the clock's own cost
 *   each         a reading after every operation: gives percentiles and the maximum,
 *                each with one clock reading in it
 *
 * The first two chunks warm up and count for nothing (stores: none, every row counts
 * towards the store's size, and its first ones belong to what a user would see).
 *
 * Nothing can be optimised away: every answer goes into a digest. The digest at the
 * end of each chunk is kept, and as all stations are asked the same things in the
 * same order, they must agree chunk by chunk, however many each got through. */
#include "works.h"

#include "clock.h"
#include "failure.h"

#include <inttypes.h>
#include <stdlib.h>

#define CHUNK_MAX   1024
#define CHUNKS_MAX  4096
#define BATCH_ROWS  100
#define TOP_LIMIT   10
#define HISTORY_LIMIT 100

struct run {
    const struct workload *workload;
    const struct adapter  *adapter;
    void                  *store;
    uint64_t               rows;         /* ids are drawn from 1..rows */
    uint64_t               next_pattern; /* of the workload, for works that store */
    uint64_t               digest;
    uint64_t               zero; /* 0, though the compiler cannot know */
    int64_t                ids[CHUNK_MAX];
    struct top_query       tops[CHUNK_MAX];
    struct history_query   histories[CHUNK_MAX];
    struct pattern_block   block;
};

struct work {
    const char *name;
    size_t      chunk;
    bool        stores;
    size_t      rows_per_operation;
    void (*prepare)(struct run *run, uint64_t first_operation, size_t count);
    void (*perform)(struct run *run, size_t i);
};

static void
see_whole(void *context, const struct pattern_row *row)
{
    struct run *run = context;
    run->digest = digest_mix(run->digest, pattern_digest(row));
}

static void
see_choice(void *context, const struct pattern_row *row)
{
    struct run *run = context;
    run->digest = digest_mix(run->digest, choice_digest(row));
}

static void
see_measured(void *context, const struct metric_row *row)
{
    struct run *run = context;
    run->digest = digest_mix(run->digest, metric_digest(row));
}

static void
prepare_ids(struct run *run, uint64_t first_operation, size_t count)
{
    for (size_t i = 0; i < count; i++)
        run->ids[i] = workload_id(run->workload, first_operation + i, run->rows);
}

static void
perform_read(struct run *run, size_t i)
{
    if (!run->adapter->pattern_read(run->store, run->ids[i], see_whole, run))
        fail("%s: row %" PRId64 " is gone", run->adapter->name, run->ids[i]);
}

/* The id depends on what the last read returned, so the processor cannot begin one
 * read before it has finished the other. */
static void
perform_dependent_read(struct run *run, size_t i)
{
    run->ids[i] += (int64_t) (run->digest & run->zero);
    perform_read(run, i);
}

static void
prepare_tops(struct run *run, uint64_t first_operation, size_t count)
{
    for (size_t i = 0; i < count; i++)
        workload_top_query(run->workload, first_operation + i, TOP_LIMIT, &run->tops[i]);
}

static void
perform_top(struct run *run, size_t i)
{
    run->adapter->patterns_top(run->store, &run->tops[i], see_choice, run);
}

static void
prepare_histories(struct run *run, uint64_t first_operation, size_t count)
{
    for (size_t i = 0; i < count; i++)
        workload_history_query(run->workload, first_operation + i, HISTORY_LIMIT, &run->histories[i]);
}

static void
perform_history(struct run *run, size_t i)
{
    run->adapter->metrics_history(run->store, &run->histories[i], see_measured, run);
}

static void
prepare_rows(struct run *run, uint64_t first_operation, size_t count)
{
    (void) first_operation;
    workload_patterns(run->workload, run->next_pattern, count, &run->block);
    run->next_pattern += count;
}

static void
perform_store(struct run *run, size_t i)
{
    run->adapter->pattern_store(run->store, &run->block.rows[i]);
}

static void
prepare_batches(struct run *run, uint64_t first_operation, size_t count)
{
    prepare_rows(run, first_operation, count * BATCH_ROWS);
}

static void
perform_batch(struct run *run, size_t i)
{
    run->adapter->patterns_store(run->store, &run->block.rows[i * BATCH_ROWS], BATCH_ROWS);
}

/* Works that store come last: the others must find every station alike. */
static const struct work works[] = {
    { "read by id", 1024, false, 0, prepare_ids, perform_read },
    { "read by id, each waiting", 1024, false, 0, prepare_ids, perform_dependent_read },
    { "top 10 of a task type", 16, false, 0, prepare_tops, perform_top },
    { "history, newest 100", 16, false, 0, prepare_histories, perform_history },
    { "store one", 500, true, 1, prepare_rows, perform_store },
    { "batch of 100", 5, true, BATCH_ROWS, prepare_batches, perform_batch },
};

/* Digests by chunk of the first station, which the others are compared with. */
struct reference {
    const struct adapter *adapter;
    size_t                chunk_count;
    uint64_t              digests[CHUNKS_MAX];
};

static void
compare_chunk(struct reference *reference, const struct run *run, const struct work *work, size_t chunk)
{
    if (reference->adapter == NULL || reference->adapter == run->adapter) {
        reference->adapter = run->adapter;
        reference->digests[chunk] = run->digest;
        reference->chunk_count = chunk + 1;
    } else if (chunk < reference->chunk_count && reference->digests[chunk] != run->digest) {
        fail("%s: %s and %s answer differently", work->name, reference->adapter->name, run->adapter->name);
    }
}

static void
run_work(const struct work *work, struct run *run, unsigned round, uint64_t operations_max, uint64_t budget_ns,
         struct reference *reference, struct figure *figure)
{
    /* Every round asks other things. */
    uint64_t first_operation = (uint64_t) round * CHUNKS_MAX * CHUNK_MAX;
    uint64_t whole_ns = 0, whole_operations = 0, started = clock_ns(), done = 0;
    size_t   warm_up_chunks = work->stores ? 0 : 2;

    run->digest = 0;
    for (size_t chunk = 0; chunk < CHUNKS_MAX && done < operations_max; chunk++) {
        size_t count = operations_max - done < work->chunk ? (size_t) (operations_max - done) : work->chunk;
        bool   counts = chunk >= warm_up_chunks;

        work->prepare(run, first_operation + done, count);
        if (chunk % 2 == 0) {
            uint64_t start = clock_ns();
            for (size_t i = 0; i < count; i++)
                work->perform(run, i);
            if (counts) {
                whole_ns += clock_ns() - start;
                whole_operations += count;
            }
        } else {
            struct histogram *latency = figure_latency(figure);
            uint64_t          last = clock_ns();
            for (size_t i = 0; i < count; i++) {
                work->perform(run, i);
                uint64_t now = clock_ns();
                if (counts)
                    histogram_add(latency, now - last);
                last = now;
            }
        }
        done += count;
        if (!work->stores) {
            compare_chunk(reference, run, work, chunk);
            if (chunk >= warm_up_chunks + 1 && chunk % 2 == 1 && clock_ns() - started > budget_ns)
                break;
        }
    }
    figure_add_round(figure, (double) whole_ns / (double) whole_operations / 1e3);
}

void
works_run_round(const struct workload *workload, struct station *stations, size_t station_count, uint64_t rows,
                unsigned round, const struct effort *effort, struct results *results)
{
    struct run      *run = calloc(1, sizeof *run);
    volatile uint64_t zero = 0;

    if (run == NULL)
        fail("no memory");
    run->workload = workload;
    run->rows = rows;
    run->zero = zero;
    pattern_block_init(&run->block, 5 * BATCH_ROWS);
    for (size_t w = 0; w < sizeof works / sizeof works[0]; w++) {
        const struct work *work = &works[w];
        struct reference  *reference = calloc(1, sizeof *reference);
        uint64_t           operations = !work->stores ? UINT64_MAX
                                        : work->rows_per_operation == 1 ? effort->store_ops
                                                                        : effort->batch_ops;

        if (reference == NULL)
            fail("no memory");
        for (size_t s = 0; s < station_count; s++) {
            struct station *station = &stations[(s + round) % station_count];

            run->adapter = station->adapter;
            run->store = station->store;
            run->next_pattern = station->patterns;
            run_work(work, run, round, operations, effort->read_budget_ns, reference,
                     results_figure(results, work->name, station->adapter->name, rows, "us"));
            station->patterns = run->next_pattern;
        }
        free(reference);
    }
    pattern_block_clear(&run->block);
    free(run);
}
