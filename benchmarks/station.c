#include "station.h"

#include "directory.h"
#include "failure.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define LOAD_BATCH 10000

void
station_init(struct station *station, const struct adapter *adapter, const char *parent)
{
    memset(station, 0, sizeof *station);
    station->adapter = adapter;
    directory_make(station->directory, sizeof station->directory, parent, adapter->name);
}

static double
wall_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

void
station_open(struct station *station)
{
    if (station->opened_at <= 0)
        station->opened_at = wall_clock();
    station->store = station->adapter->open(station->directory);
}

void
station_close(struct station *station)
{
    station->adapter->close(station->store);
    station->store = NULL;
}

void
station_clear(struct station *station)
{
    if (station->store != NULL)
        station_close(station);
    directory_remove(station->directory);
    free(station->weights);
    station->weights = NULL;
}

void
station_note_weight(struct station *station, int64_t id, double weight)
{
    uint64_t needed = (uint64_t) id;

    if (needed > station->weight_capacity) {
        uint64_t capacity = needed < station->patterns ? station->patterns : needed;

        station->weights = realloc(station->weights, capacity * sizeof *station->weights);
        if (station->weights == NULL)
            fail("no memory");
        for (uint64_t i = station->weight_capacity; i < capacity; i++)
            station->weights[i] = -1;
        station->weight_capacity = capacity;
    }
    station->weights[id - 1] = weight;
}

void
station_load_patterns(struct station *station, const struct workload *workload, uint64_t count)
{
    struct pattern_block block;

    pattern_block_init(&block, LOAD_BATCH);
    while (count > 0) {
        size_t now = count < LOAD_BATCH ? (size_t) count : LOAD_BATCH;

        workload_patterns(workload, station->patterns, now, &block);
        station->adapter->patterns_store(station->store, block.rows, now);
        station->patterns += now;
        count -= now;
    }
    pattern_block_clear(&block);
}

void
station_load_metrics(struct station *station, const struct workload *workload, uint64_t count)
{
    struct metric_row *rows = calloc(LOAD_BATCH, sizeof *rows);

    if (rows == NULL)
        fail("no memory");
    while (count > 0) {
        size_t now = count < LOAD_BATCH ? (size_t) count : LOAD_BATCH;

        for (size_t i = 0; i < now; i++)
            workload_metric(workload, station->metrics + i, &rows[i]);
        station->adapter->metrics_store(station->store, rows, now);
        station->metrics += now;
        count -= now;
    }
    free(rows);
}

struct expectation {
    const struct adapter     *adapter;
    const struct pattern_row *row;
    double                    weighed_since; /**< 0: it never was */
};

static void
expect_text(const struct expectation *expected, const char *column, struct text wanted, struct text got)
{
    if (wanted.length != got.length || memcmp(wanted.data, got.data, wanted.length) != 0)
        fail("%s: row %" PRId64 ": %s is \"%.*s\", was stored as \"%.*s\"", expected->adapter->name, expected->row->id,
             column, (int) got.length, got.data, (int) wanted.length, wanted.data);
}

static void
expect_real(const struct expectation *expected, const char *column, double wanted, double got)
{
    if (digest_real(wanted) != digest_real(got)) /* the same bits */
        fail("%s: row %" PRId64 ": %s is %.17g, was stored as %.17g", expected->adapter->name, expected->row->id,
             column, got, wanted);
}

static void
expect_integer(const struct expectation *expected, const char *column, int64_t wanted, int64_t got)
{
    if (wanted != got)
        fail("%s: row %" PRId64 ": %s is %" PRId64 ", was stored as %" PRId64, expected->adapter->name,
             expected->row->id, column, got, wanted);
}

static void
expect_row(void *context, const struct pattern_row *got)
{
    const struct expectation *expected = context;
    const struct pattern_row *wanted = expected->row;

    expect_integer(expected, "id", wanted->id, got->id);
    expect_text(expected, "task_type", wanted->task_type, got->task_type);
    expect_text(expected, "pattern_used", wanted->pattern_used, got->pattern_used);
    expect_real(expected, "execution_time", wanted->execution_time, got->execution_time);
    expect_real(expected, "success_rate", wanted->success_rate, got->success_rate);
    expect_real(expected, "confidence_score", wanted->confidence_score, got->confidence_score);
    expect_integer(expected, "agent_count", wanted->agent_count, got->agent_count);
    expect_text(expected, "complexity_level", wanted->complexity_level, got->complexity_level);
    expect_text(expected, "tools_used", wanted->tools_used, got->tools_used);
    expect_text(expected, "context_factors", wanted->context_factors, got->context_factors);
    expect_real(expected, "created_at", wanted->created_at, got->created_at);
    if (expected->weighed_since <= 0)
        expect_real(expected, "updated_at", wanted->updated_at, got->updated_at);
    else if (got->updated_at < expected->weighed_since)
        fail("%s: row %" PRId64 ": updated_at is %.17g, weighed after %.17g", expected->adapter->name, wanted->id,
             got->updated_at, expected->weighed_since);
    expect_integer(expected, "usage_count", wanted->usage_count, got->usage_count);
}

/* Row `id` as it must be now. */
static void
check_row(struct station *station, const struct workload *workload, struct pattern_block *block, int64_t id)
{
    struct expectation expected = { station->adapter, &block->rows[0], 0 };

    workload_patterns(workload, (uint64_t) id - 1, 1, block);
    if ((uint64_t) id <= station->weight_capacity && station->weights[id - 1] >= 0) {
        block->rows[0].confidence_score = station->weights[id - 1];
        expected.weighed_since = station->opened_at;
    }
    if (!station->adapter->pattern_read(station->store, id, expect_row, &expected))
        fail("%s: row %" PRId64 " is gone", station->adapter->name, id);
}

static void
refuse_row(struct station *station, int64_t id, const char *why)
{
    if (station->adapter->pattern_read(station->store, id, expect_row, NULL))
        fail("%s: finds row %" PRId64 ", which was %s", station->adapter->name, id, why);
}

void
station_check_rows(struct station *station, const struct workload *workload, uint64_t samples)
{
    uint64_t             count = station->adapter->pattern_count(station->store);
    uint64_t             wanted = station->patterns + station->others - station->cleaned_up;
    uint64_t             living = station->patterns - station->cleaned_up;
    struct pattern_block block;

    if (count != wanted)
        fail("%s: holds %" PRIu64 " rows, was given %" PRIu64, station->adapter->name, count, wanted);
    pattern_block_init(&block, 1);
    for (uint64_t i = 0; living > 0 && i < samples; i++)
        check_row(station, workload, &block, (int64_t) station->cleaned_up + workload_id(workload, i, living));
    if (living > 0)
        check_row(station, workload, &block, (int64_t) station->patterns);
    pattern_block_clear(&block);
    refuse_row(station, (int64_t) (station->patterns + station->others) + 1, "never stored");
    if (station->cleaned_up > 0) {
        refuse_row(station, 1, "cleaned up");
        refuse_row(station, (int64_t) station->cleaned_up, "cleaned up");
    }
}
