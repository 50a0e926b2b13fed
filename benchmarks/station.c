#include "station.h"

#include "directory.h"
#include "failure.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define LOAD_BATCH 10000

void
station_init(struct station *station, const struct adapter *adapter, const char *parent)
{
    memset(station, 0, sizeof *station);
    station->adapter = adapter;
    directory_make(station->directory, sizeof station->directory, parent, adapter->name);
}

void
station_open(struct station *station)
{
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
};

static void
expect_text(const struct expectation *expected, const char *column, struct text wanted, struct text got)
{
    if (wanted.length != got.length || memcmp(wanted.data, got.data, wanted.length) != 0)
        fail("%s: row %" PRId64 ": %s is \"%.*s\", was stored as \"%.*s\"", expected->adapter->name,
             expected->row->id, column, (int) got.length, got.data, (int) wanted.length, wanted.data);
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
    expect_real(expected, "updated_at", wanted->updated_at, got->updated_at);
    expect_integer(expected, "usage_count", wanted->usage_count, got->usage_count);
}

void
station_check_rows(struct station *station, const struct workload *workload, uint64_t samples)
{
    uint64_t             count = station->adapter->pattern_count(station->store);
    struct pattern_block block;

    if (count != station->patterns)
        fail("%s: holds %" PRIu64 " rows, was given %" PRIu64, station->adapter->name, count, station->patterns);
    pattern_block_init(&block, 1);
    for (uint64_t i = 0; count > 0 && i <= samples; i++) {
        int64_t            id = i == samples ? (int64_t) count : workload_id(workload, i, count);
        struct expectation expected = { station->adapter, &block.rows[0] };

        workload_patterns(workload, (uint64_t) id - 1, 1, &block);
        if (!station->adapter->pattern_read(station->store, id, expect_row, &expected))
            fail("%s: row %" PRId64 " is gone", station->adapter->name, id);
    }
    if (station->adapter->pattern_read(station->store, (int64_t) count + 1, expect_row, NULL))
        fail("%s: finds row %" PRIu64 ", which was never stored", station->adapter->name, count + 1);
    pattern_block_clear(&block);
}
