/* operations.c - see operations.h. */
#define _GNU_SOURCE /* sched_getcpu */
#include "api/operations.h"

#include "base/error.h"
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

static size_t
shards_bytes(const struct operations *operations)
{
    return operations->shard_count * sizeof *operations->shards + CACHE_LINE_BYTES;
}

knackdb_status
operations_init(struct operations *operations, struct allocator *allocator, uint32_t slow_us, knackdb_error *error)
{
    memset(operations, 0, sizeof *operations);
    (void) pthread_mutex_init(&operations->slow_mutex, NULL);
    ticker_init(&operations->ticker);
    operations->slow_ticks =
        (uint64_t) ((slow_us != 0 ? slow_us : 1000) * 1000.0 / ticker_ns_per_tick(&operations->ticker));
    operations->shard_count = 1;
    while (operations->shard_count < OPERATION_SHARDS_MAX &&
           (long) operations->shard_count < sysconf(_SC_NPROCESSORS_ONLN))
        operations->shard_count *= 2;
    operations->shards_memory = allocator_get_zeroed(allocator, shards_bytes(operations));
    operations->shards = cache_line_in(operations->shards_memory);
    operations->slow = allocator_get_zeroed(allocator, KNACKDB_SLOW_OPERATIONS_KEPT * sizeof *operations->slow);
    if (operations->shards_memory == NULL || operations->slow == NULL)
        return error_no_memory(error, "operation figures");
    return KNACKDB_OK;
}

void
operations_clear(struct operations *operations, struct allocator *allocator)
{
    allocator_put(allocator, operations->shards_memory, shards_bytes(operations));
    allocator_put(allocator, operations->slow, KNACKDB_SLOW_OPERATIONS_KEPT * sizeof *operations->slow);
    (void) pthread_mutex_destroy(&operations->slow_mutex);
}

static struct histogram *
histogram_of(struct operations *operations, uint32_t shard, knackdb_operation kind)
{
    return &operations->shards[shard].histograms[kind];
}

static void
keep_slow(struct operations *operations, knackdb_operation kind, uint64_t ticks, int table, uint64_t rows,
          knackdb_status status)
{
    const knackdb_table_info *info = knackdb_table_describe(table);
    knackdb_slow_operation   *slow;
    char                      failed[40] = "";

    if (status != KNACKDB_OK)
        (void) snprintf(failed, sizeof failed, ": %s", knackdb_status_text(status));
    (void) pthread_mutex_lock(&operations->slow_mutex);
    slow = &operations->slow[operations->slow_count++ % KNACKDB_SLOW_OPERATIONS_KEPT];
    slow->operation = kind;
    slow->at = (double) clock_wall_us() / 1e6;
    slow->duration_ns = (uint64_t) ((double) ticks * ticker_ns_per_tick(&operations->ticker));
    if (info != NULL)
        (void) snprintf(slow->what, sizeof slow->what, "%s %s, %llu %s%s", knackdb_operation_text(kind), info->name,
                        (unsigned long long) rows, rows == 1 ? "row" : "rows", failed);
    else
        (void) snprintf(slow->what, sizeof slow->what, "%s%s", knackdb_operation_text(kind), failed);
    (void) pthread_mutex_unlock(&operations->slow_mutex);
}

static uint64_t
ticks_since(const struct operations *operations, uint64_t begun)
{
    uint64_t now = ticker_now(&operations->ticker);

    return now > begun ? now - begun : 0; /* counters of two processors may differ a little */
}

void
operation_end(struct operations *operations, knackdb_operation kind, uint64_t begun, int table, uint64_t rows)
{
    uint64_t ticks = ticks_since(operations, begun);
    /* Where that is not known, -1, all share one; and who is moved in between adds to another's, as well. */
    uint32_t shard = (uint32_t) sched_getcpu() & (operations->shard_count - 1);

    histogram_add(histogram_of(operations, shard, kind), ticks);
    if (ticks >= operations->slow_ticks)
        keep_slow(operations, kind, ticks, table, rows, KNACKDB_OK);
}

void
operation_fail(struct operations *operations, knackdb_operation kind, uint64_t begun, int table, uint64_t rows,
               knackdb_status status)
{
    uint64_t ticks = ticks_since(operations, begun);

    if (ticks >= operations->slow_ticks && status != KNACKDB_FORKED)
        keep_slow(operations, kind, ticks, table, rows, status);
}

void
operations_get(struct operations *operations, knackdb_latency latencies[KNACKDB_OPERATION_COUNT],
               uint64_t *ret_slow_count)
{
    double   ns_per_tick = ticker_ns_per_tick(&operations->ticker);
    uint32_t count = operations->shard_count;

    for (int kind = 0; kind < KNACKDB_OPERATION_COUNT; kind++) {
        struct histogram *shards[OPERATION_SHARDS_MAX];
        knackdb_latency  *latency = &latencies[kind];

        memset(latency, 0, sizeof *latency);
        for (uint32_t s = 0; s < count; s++) {
            shards[s] = histogram_of(operations, s, (knackdb_operation) kind);
            latency->count += histogram_count(shards[s]);
        }
        latency->p50_ns = (uint64_t) ((double) histogram_percentile(shards, count, 0.50) * ns_per_tick);
        latency->p99_ns = (uint64_t) ((double) histogram_percentile(shards, count, 0.99) * ns_per_tick);
        latency->p999_ns = (uint64_t) ((double) histogram_percentile(shards, count, 0.999) * ns_per_tick);
        latency->max_ns = (uint64_t) ((double) histogram_percentile(shards, count, 1.0) * ns_per_tick);
    }
    (void) pthread_mutex_lock(&operations->slow_mutex);
    *ret_slow_count = operations->slow_count;
    (void) pthread_mutex_unlock(&operations->slow_mutex);
}
