/* sizes.c - one number of rows, from filling the stores to cleaning them up.
 *
 *     fill      every store with the same patterns and metrics
 *     rounds    every work of operations.c, each done by every store in turn
 *     lasting   snapshot or checkpoint, disk, opening again (in the last round)
 *     crowds    several threads, and threads beside a snapshot: they leave rows behind that
 *               stand in no order, so they come after all that compares
 *     clean-up  of the older half, as the last thing a store has to do
 *
 * Small sizes begin each round with fresh stores, so that a store of ten thousand rows has
 * ten thousand rows in every round. Large ones go on with the same stores, which grow by a
 * few percent; what ends their life is then done once. */
#include "sizes.h"

#include "clock.h"
#include "crowd.h"
#include "directory.h"
#include "failure.h"
#include "footprint.h"

#include <inttypes.h>
#include <stdio.h>

#define FRESH_ROWS_MAX  50000 /* up to here each round begins with fresh stores */
#define NEW_DIRECTORIES 10    /* opened in a round */
#define CHECKED_SAMPLES 1000

struct size {
    const struct plan     *plan;
    const struct workload *workload;
    uint64_t               rows;
    const char            *folder;
    unsigned               rounds;
    struct effort          effort;
    struct results        *results;
    struct station         stations[STORES_MAX];
    size_t                 station_count;
};

static void
note(struct size *size, const char *work, const struct adapter *adapter, const char *unit, double value)
{
    figure_add_round(results_figure(size->results, work, adapter->name, size->rows, unit), value);
}

static double
ms_since(uint64_t start)
{
    return (double) (clock_ns() - start) / 1e6;
}

static void
fill(struct size *size)
{
    for (size_t i = 0; i < size->station_count; i++) {
        struct station *station = &size->stations[i];

        station_init(station, size->plan->roster.adapters[i], size->folder);
        station_open(station);
        station_load_patterns(station, size->workload, size->rows);
        station_load_metrics(station, size->workload, size->rows);
        station_check_rows(station, size->workload, CHECKED_SAMPLES);
    }
}

/* Opening is done when the first row has been read. */
static void
note_id(void *context, const struct pattern_row *row)
{
    int64_t *id = context;
    *id = row->id;
}

static void
open_again(struct size *size, struct station *station)
{
    int64_t  last = (int64_t) station->patterns, id = 0;
    uint64_t start = clock_ns();

    station_open(station);
    if (!station->adapter->pattern_read(station->store, last, note_id, &id) || id != last)
        fail("%s: row %" PRId64 " is gone after opening again", station->adapter->name, last);
    note(size, "W9 open, existing", station->adapter, "ms", ms_since(start));
    station_check_rows(station, size->workload, CHECKED_SAMPLES);
}

static void
settle(struct size *size, struct station *station)
{
    uint64_t start = clock_ns();

    station->adapter->settle(station->store);
    note(size, "W10 snapshot, checkpoint", station->adapter, "ms", ms_since(start));
    station_close(station);
    note(size, "W10 disk, metrics too", station->adapter, "MB", (double) directory_bytes(station->directory) / 1e6);
}

/* Disk after everything has its lasting form, and opening what an earlier close left, in rounds. All stores have that
 * form before the first is opened: what one of them still has to write would be in the other's time. The stores are
 * open afterwards. */
static void
measure_lasting(struct size *size)
{
    for (size_t i = 0; i < size->station_count; i++)
        if (size->stations[i].adapter->is_kept)
            settle(size, &size->stations[i]);
    for (unsigned round = 0; round < size->rounds; round++)
        for (size_t i = 0; i < size->station_count; i++) {
            struct station *station = &size->stations[(i + round) % size->station_count];

            if (!station->adapter->is_kept)
                continue;
            if (round > 0)
                station_close(station);
            open_again(size, station);
        }
}

static void
measure_crowds(struct size *size, unsigned round)
{
    static const unsigned thread_counts[] = { 2, 10 };
    uint64_t              budget_ns = 2 * size->effort.budget_ns;

    if (!effort_wants(&size->effort, "W11"))
        return;
    for (size_t t = 0; t < sizeof thread_counts / sizeof thread_counts[0]; t++)
        for (size_t i = 0; i < size->station_count; i++)
            crowd_measure(size->workload, &size->stations[(i + round) % size->station_count], size->rows,
                          thread_counts[t], budget_ns, size->results);
    for (size_t i = 0; i < size->station_count; i++)
        crowd_measure_beside_snapshot(size->workload, &size->stations[(i + round) % size->station_count], size->rows,
                                      budget_ns, size->results);
}

static void
measure_clean_up(struct size *size, struct station *station)
{
    uint64_t half = size->rows / 2, start = clock_ns();
    uint64_t deleted = station->adapter->patterns_clean_up(station->store, workload_created_at(half));

    note(size, "W8 clean up the older half", station->adapter, "ms", ms_since(start));
    if (deleted != half)
        fail("%s: cleaned up %" PRIu64 " rows of %" PRIu64, station->adapter->name, deleted, half);
    station->cleaned_up = deleted;
    station_check_rows(station, size->workload, CHECKED_SAMPLES);
}

static void
end_stores(struct size *size)
{
    for (size_t i = 0; i < size->station_count; i++) {
        if (effort_wants(&size->effort, "W8"))
            measure_clean_up(size, &size->stations[i]);
        station_clear(&size->stations[i]);
    }
}

static void
measure_new_directory(struct size *size, const struct adapter *adapter)
{
    struct station station;
    uint64_t       start;

    if (!adapter->is_kept)
        return;
    station_init(&station, adapter, size->folder);
    start = clock_ns();
    station_open(&station);
    note(size, "W9 open, new directory", adapter, "ms", ms_since(start));
    station_clear(&station);
}

static void
measure_memory(struct size *size, const struct adapter *adapter)
{
    struct footprint found = footprint_measure(adapter, size->plan->seed, size->rows, size->folder);

    note(size, "W10 memory", adapter, "MB", found.resident_mb);
    note(size, "W10 memory, not file-backed", adapter, "MB", found.anonymous_mb);
    if (adapter->is_kept)
        note(size, "W10 disk", adapter, "MB", found.disk_mb);
}

void
size_measure(const struct plan *plan, const struct workload *workload, uint64_t rows, const char *folder,
             struct results *results)
{
    bool        is_fresh_each_round = rows <= FRESH_ROWS_MAX;
    struct size size = {
        .plan = plan,
        .workload = workload,
        .rows = rows,
        .folder = folder,
        .results = results,
        .effort = plan->effort,
        .station_count = plan->roster.count,
    };
    bool     measures_lasting = effort_wants(&plan->effort, "W9") || effort_wants(&plan->effort, "W10");
    unsigned new_directories = is_fresh_each_round && effort_wants(&plan->effort, "W9") ? NEW_DIRECTORIES : 0;
    unsigned memory_rounds = !effort_wants(&plan->effort, "W10") ? 0 : is_fresh_each_round ? 2 : 1;

    size.rounds = plan->rounds != 0 ? plan->rounds : is_fresh_each_round ? 5 : 3;
    /* Or it would no longer be a store of that size. */
    if (size.effort.change_ops > rows)
        size.effort.change_ops = rows;
    for (unsigned round = 0; round < size.rounds; round++) {
        fprintf(stderr, "benchmark: %" PRIu64 " rows, round %u of %u\n", rows, round + 1, size.rounds);
        if (round == 0 || is_fresh_each_round)
            fill(&size);
        works_run_round(workload, size.stations, size.station_count, rows, round, &size.effort, results);
        for (size_t i = 0; i < size.station_count; i++)
            station_check_rows(&size.stations[i], workload, CHECKED_SAMPLES);
        if (round + 1 == size.rounds && measures_lasting)
            measure_lasting(&size);
        if (is_fresh_each_round) {
            measure_crowds(&size, round);
            end_stores(&size);
        }
    }
    if (!is_fresh_each_round) {
        fprintf(stderr, "benchmark: %" PRIu64 " rows, several threads\n", rows);
        for (unsigned round = 0; round < size.rounds; round++)
            measure_crowds(&size, round);
        end_stores(&size);
    }
    if (effort_wants(&size.effort, "W10"))
        fprintf(stderr, "benchmark: %" PRIu64 " rows, memory\n", rows);
    for (unsigned round = 0; round < new_directories; round++)
        for (size_t i = 0; i < size.station_count; i++)
            measure_new_directory(&size, plan->roster.adapters[(i + round) % size.station_count]);
    for (unsigned round = 0; round < memory_rounds; round++)
        for (size_t i = 0; i < size.station_count; i++)
            measure_memory(&size, plan->roster.adapters[(i + round) % size.station_count]);
}
