/* histories.c - what is read of a history is what its rows hold, while rows come, go and move.
 *
 * The lists of components carry copies of their rows' cells (core/carried.h). Writers store metrics of few components,
 * replace them, delete them and clean them up, so that lists begin short, become long, and are compacted. Readers ask
 * for histories of one view, and hold each row, read as a struct, against its values, which come from the columns. What
 * a row holds follows from its id and from a number stored with it, so a row of which parts are another's is seen.
 *
 *     histories [BATCHES] [WRITERS] [READERS] */
#include "crew.h"

#include <inttypes.h>
#include <knackdb.h>
#include <stdlib.h>
#include <string.h>

enum { COMPONENTS = 3, NAMES = 4, IDS = 1500, BATCH = 16 };

enum {
    EVERY_CHANGE_SUCCEEDS,
    EVERY_QUESTION_IS_ANSWERED,
    A_STRUCT_HOLDS_THE_VALUES_OF_ITS_ROW,
    A_ROW_IS_ONE_ROW,
    A_HISTORY_IS_IN_ORDER,
    A_HISTORY_IS_WHOLE,
    AN_OLD_VIEW_ANSWERS_AS_BEFORE,
    CLAIMS
};

static struct claim claims[CLAIMS] = {
    [EVERY_CHANGE_SUCCEEDS] = { .text = "every change succeeds" },
    [EVERY_QUESTION_IS_ANSWERED] = { .text = "every question is answered" },
    [A_STRUCT_HOLDS_THE_VALUES_OF_ITS_ROW] = { .text = "a struct holds the values of its row" },
    [A_ROW_IS_ONE_ROW] = { .text = "what is read of a row was stored together" },
    [A_HISTORY_IS_IN_ORDER] = { .text = "a history is in order, the newest first" },
    [A_HISTORY_IS_WHOLE] = { .text = "a history has as many rows as are counted" },
    [AN_OLD_VIEW_ANSWERS_AS_BEFORE] = { .text = "a view held open answers as before" },
};

struct race {
    knackdb *db;
    uint32_t batches;
};

static const char *const components[COMPONENTS] = { "planner", "router", "cache" };
static const char *const names[NAMES] = { "latency", "errors", "tokens", "cost" };

/* All of it follows from id and number. */
static knackdb_metric
metric_of(int64_t id, uint32_t number)
{
    knackdb_metric metric = { .id = id };

    metric.component_name = knackdb_string(components[number % 8 < 6 ? 0 : number % 8 - 5]);
    metric.metric_name = knackdb_string(names[(number + (uint32_t) id) % NAMES]);
    metric.metric_value = number;
    metric.baseline_value = (double) id + number;
    metric.improvement_percentage = (double) id - number;
    metric.measured_at = (double) (number % 5000);
    metric.sample_count = id * 3;
    metric.nulls = KNACKDB_BIT(KNACKDB_METRIC_CONFIDENCE_INTERVAL) |
                   (number % 3 != 0 ? KNACKDB_BIT(KNACKDB_METRIC_SAMPLE_COUNT) : 0);
    return metric;
}

static void *
change_rows(void *argument)
{
    struct worker *worker = argument;
    struct race   *race = worker->race;

    worker_begin(worker);
    for (uint32_t batch = 0; batch < race->batches; batch++) {
        knackdb_metric metrics[BATCH];
        uint32_t       kind = random_below(&worker->random, 100);
        knackdb_error  error;
        knackdb_status status;

        if (kind < 80) {
            for (uint32_t i = 0; i < BATCH; i++)
                metrics[i] =
                    metric_of(1 + random_below(&worker->random, IDS), batch * 8 + random_below(&worker->random, 8));
            status = knackdb_metrics_store(race->db, metrics, BATCH, KNACKDB_STORE_REPLACE, NULL, &error);
        } else if (kind < 98) {
            status =
                knackdb_delete(race->db, KNACKDB_PERFORMANCE_METRICS, 1 + random_below(&worker->random, IDS), &error);
            if (status == KNACKDB_NOT_FOUND)
                status = KNACKDB_OK;
        } else {
            status = knackdb_clean_up_before(race->db, KNACKDB_PERFORMANCE_METRICS, random_below(&worker->random, 300),
                                             NULL, &error);
        }
        claim_check(&claims[EVERY_CHANGE_SUCCEEDS], status == KNACKDB_OK, "%s", error.message);
    }
    writer_end(worker);
    return NULL;
}

static bool
is_text(knackdb_text text, knackdb_text other)
{
    return text.length == other.length && memcmp(text.data, other.data, text.length) == 0;
}

static bool
is_one_row(const knackdb_metric *metric)
{
    knackdb_metric stored = metric_of(metric->id, (uint32_t) metric->metric_value);

    return is_text(metric->component_name, stored.component_name) && is_text(metric->metric_name, stored.metric_name) &&
           metric->baseline_value == stored.baseline_value && metric->measured_at == stored.measured_at &&
           metric->improvement_percentage == stored.improvement_percentage &&
           (metric->nulls & ~KNACKDB_BIT(KNACKDB_METRIC_METADATA)) == stored.nulls &&
           metric->sample_count ==
               ((stored.nulls & KNACKDB_BIT(KNACKDB_METRIC_SAMPLE_COUNT)) != 0 ? 0 : stored.sample_count);
}

static bool
holds_values(const knackdb_metric *metric, const knackdb_value *values)
{
    return values[KNACKDB_METRIC_ID].as.integer == metric->id &&
           is_text(values[KNACKDB_METRIC_COMPONENT_NAME].as.text, metric->component_name) &&
           is_text(values[KNACKDB_METRIC_METRIC_NAME].as.text, metric->metric_name) &&
           values[KNACKDB_METRIC_METRIC_VALUE].as.real == metric->metric_value &&
           values[KNACKDB_METRIC_BASELINE_VALUE].as.real == metric->baseline_value &&
           values[KNACKDB_METRIC_MEASURED_AT].as.real == metric->measured_at &&
           (values[KNACKDB_METRIC_SAMPLE_COUNT].type == KNACKDB_NULL ||
            values[KNACKDB_METRIC_SAMPLE_COUNT].as.integer == metric->sample_count);
}

static uint64_t
ask_for_history(knackdb_read *read, uint32_t component, const char *name, uint64_t limit)
{
    knackdb_condition conditions[2] = {
        knackdb_where_text(KNACKDB_METRIC_COMPONENT_NAME, components[component]),
        knackdb_where_text(KNACKDB_METRIC_METRIC_NAME, name != NULL ? name : ""),
    };
    knackdb_query query = {
        .table = KNACKDB_PERFORMANCE_METRICS,
        .conditions = conditions,
        .condition_count = name != NULL ? 2 : 1,
        .order = { { KNACKDB_METRIC_MEASURED_AT, true }, { KNACKDB_METRIC_ID, true } },
        .order_count = 2,
        .limit = limit,
    };
    knackdb_rows rows;
    uint64_t     count = 0, digest = 0;
    double       latest = 1e9;

    if (!claim_check(&claims[EVERY_QUESTION_IS_ANSWERED],
                     knackdb_read_find(read, &query, &rows, NULL) == KNACKDB_OK &&
                         knackdb_read_count(read, &query, &count, NULL) == KNACKDB_OK,
                     "a history"))
        return 0;
    claim_check(&claims[A_HISTORY_IS_WHOLE], rows.count == (limit != 0 && count > limit ? limit : count),
                "%zu rows of %" PRIu64, rows.count, count);
    for (size_t i = 0; i < rows.count; i++) {
        knackdb_metric metric;
        knackdb_value  values[KNACKDB_METRIC_COLUMNS];

        knackdb_read_metric(read, rows.rows[i], &metric);
        knackdb_read_values(read, KNACKDB_PERFORMANCE_METRICS, rows.rows[i], KNACKDB_METRIC_COLUMNS, values);
        claim_check(&claims[A_ROW_IS_ONE_ROW], is_one_row(&metric), "id %" PRId64, metric.id);
        claim_check(&claims[A_STRUCT_HOLDS_THE_VALUES_OF_ITS_ROW], holds_values(&metric, values), "id %" PRId64,
                    metric.id);
        claim_check(&claims[A_HISTORY_IS_IN_ORDER], metric.measured_at <= latest, "id %" PRId64, metric.id);
        latest = metric.measured_at;
        digest = digest * 31 + (uint64_t) metric.id * 7 + (uint64_t) metric.metric_value;
    }
    return digest;
}

static void *
ask(void *argument)
{
    struct worker *worker = argument;
    knackdb_read  *held = NULL;
    uint64_t       held_digest = 0;
    bool           last = false;

    worker_begin(worker);
    for (uint32_t round = 0;; round++) {
        static const uint64_t limits[] = { 0, 30, 200, 1200 };
        knackdb_read         *read;

        if (!claim_check(&claims[EVERY_QUESTION_IS_ANSWERED],
                         knackdb_read_begin(worker->race->db, &read, NULL) == KNACKDB_OK, "a read view"))
            break;
        (void) ask_for_history(read, random_below(&worker->random, COMPONENTS),
                               random_below(&worker->random, 2) == 0 ? NULL
                                                                     : names[random_below(&worker->random, NAMES)],
                               limits[random_below(&worker->random, 4)]);
        knackdb_read_end(read);

        if (held != NULL)
            claim_check(&claims[AN_OLD_VIEW_ANSWERS_AS_BEFORE], ask_for_history(held, 0, NULL, 1200) == held_digest,
                        "round %u", round);
        if (round % 8 == 7) {
            knackdb_read_end(held);
            held = NULL;
        }
        if (held == NULL && knackdb_read_begin(worker->race->db, &held, NULL) == KNACKDB_OK)
            held_digest = ask_for_history(held, 0, NULL, 1200);
        if (last)
            break;
        last = writers_have_ended(worker);
    }
    knackdb_read_end(held);
    return NULL;
}

static void
run_race(struct crew *crew, const char *directory)
{
    struct race     race = { .batches = crew->work / crew->writers };
    knackdb_options options = knackdb_options_default();
    knackdb_error   error;

    options.snapshot_log_bytes = 256 * 1024;
    if (!claim_check(&claims[EVERY_CHANGE_SUCCEEDS], knackdb_open(directory, &options, &race.db, &error) == KNACKDB_OK,
                     "open: %s", error.message))
        return;
    crew_run(crew, &race, change_rows, ask, NULL);
    claim_check(&claims[EVERY_CHANGE_SUCCEEDS], knackdb_close(race.db, &error) == KNACKDB_OK, "close: %s",
                error.message);
}

int
main(int count, char **arguments)
{
    struct crew crew = crew_from_arguments(count, arguments, 4000, 2, 3);

    return crew_run_twice(&crew, run_race, claims, CLAIMS);
}
