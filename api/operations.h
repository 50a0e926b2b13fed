/* operations.h - how long calls take: a histogram a kind, and the slow ones kept for inspection.
 *
 * There is a shard for each processor, up to 16, in cache lines of its own, so that no two of them fight for one
 * however many threads there are; the 17th processor shares the first one's.
 * A call that fails is not counted; a row that is not there is an answer of a read, and is. */
#ifndef KNACKDB_API_OPERATIONS_H
#define KNACKDB_API_OPERATIONS_H

#include "base/allocator.h"
#include "base/histogram.h"
#include "base/ticker.h"

#include <pthread.h>

#define OPERATION_SHARDS_MAX 16

struct operation_shard {
    _Alignas(CACHE_LINE_BYTES) struct histogram histograms[KNACKDB_OPERATION_COUNT]; /* in ticks */
};

struct operations {
    struct ticker           ticker;
    uint32_t                shard_count; /* a power of two */
    void                   *shards_memory;
    struct operation_shard *shards; /* in it */
    uint64_t                slow_ticks;
    pthread_mutex_t         slow_mutex; /* of what follows */
    knackdb_slow_operation *slow;       /* a ring of KNACKDB_SLOW_OPERATIONS_KEPT */
    uint64_t                slow_count; /* ever */
};

knackdb_status operations_init(struct operations *operations, struct allocator *allocator, uint32_t slow_us,
                               knackdb_error *error);
void           operations_clear(struct operations *operations, struct allocator *allocator);

static inline uint64_t
operation_begin(const struct operations *operations)
{
    return ticker_now(&operations->ticker);
}

/* table -1: none; `rows` is what the message says. */
void operation_end(struct operations *operations, knackdb_operation kind, uint64_t begun, int table, uint64_t rows);

/* A call that failed: not counted, but kept where it was slow. A forked child's copy is left alone, as its lock may be
 * held by a thread that is not there. */
void operation_fail(struct operations *operations, knackdb_operation kind, uint64_t begun, int table, uint64_t rows,
                    knackdb_status status);

/* One of the two; gives the status back. */
static inline knackdb_status
operation_result(struct operations *operations, knackdb_operation kind, uint64_t begun, int table, uint64_t rows,
                 knackdb_status status)
{
    if (status == KNACKDB_OK)
        operation_end(operations, kind, begun, table, rows);
    else
        operation_fail(operations, kind, begun, table, rows, status);
    return status;
}

void operations_get(struct operations *operations, knackdb_latency latencies[KNACKDB_OPERATION_COUNT],
                    uint64_t *ret_slow_count);

#endif
