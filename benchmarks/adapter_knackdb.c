/* adapter_knackdb.c - knackdb with every option at its default: the log is on, a
 * store that returned survives a killed process. And the same with KNACKDB_SYNC, which
 * keeps as much as LMDB with sync: what returned survives a power cut. Reads go through
 * a read view, the way that copies nothing, opened and ended anew for every question. */
#include "adapter.h"
#include "failure.h"

#include <knackdb.h>
#include <stdlib.h>

struct engine_store {
    knackdb         *db;
    knackdb_pattern *batch; /* conversion space, kept from call to call */
    knackdb_metric  *metric_batch;
    size_t           batch_capacity;
    size_t           metric_batch_capacity;
};

static void
check(knackdb_status status, const char *what, const knackdb_error *error)
{
    if (status != KNACKDB_OK)
        fail("knackdb: %s: %s: %s", what, knackdb_status_text(status), error != NULL ? error->message : "");
}

static void *
open_as(const char *directory, const knackdb_options *options)
{
    struct engine_store *store = calloc(1, sizeof *store);
    knackdb_error        error;

    if (store == NULL)
        fail("no memory");
    check(knackdb_open(directory, options, &store->db, &error), "open", &error);
    return store;
}

static void *
engine_open(const char *directory)
{
    return open_as(directory, NULL);
}

static void *
engine_open_sync(const char *directory)
{
    knackdb_options options = knackdb_options_default();

    options.durability = KNACKDB_SYNC;
    return open_as(directory, &options);
}

static void
engine_close(void *handle)
{
    struct engine_store *store = handle;
    knackdb_error        error;

    check(knackdb_close(store->db, &error), "close", &error);
    free(store->batch);
    free(store->metric_batch);
    free(store);
}

static knackdb_text
given(struct text text)
{
    knackdb_text lent = { text.data, text.length };
    return lent;
}

static struct text
taken(knackdb_text text)
{
    struct text lent = { text.data, text.length };
    return lent;
}

static void
pattern_from_row(const struct pattern_row *row, knackdb_pattern *ret_pattern)
{
    knackdb_pattern pattern = {
        .id = 0, /* the store chooses */
        .task_type = given(row->task_type),
        .pattern_used = given(row->pattern_used),
        .execution_time = row->execution_time,
        .success_rate = row->success_rate,
        .confidence_score = row->confidence_score,
        .agent_count = row->agent_count,
        .complexity_level = given(row->complexity_level),
        .tools_used = given(row->tools_used),
        .context_factors = given(row->context_factors),
        .created_at = row->created_at,
        .updated_at = row->updated_at,
        .usage_count = row->usage_count,
    };
    *ret_pattern = pattern;
}

static void
engine_pattern_store(void *handle, const struct pattern_row *row)
{
    struct engine_store *store = handle;
    knackdb_pattern      pattern;
    knackdb_error        error;

    pattern_from_row(row, &pattern);
    check(knackdb_pattern_store(store->db, &pattern, NULL, &error), "store", &error);
}

static void
engine_patterns_store(void *handle, const struct pattern_row *rows, size_t count)
{
    struct engine_store *store = handle;
    knackdb_error        error;

    if (count > store->batch_capacity) {
        free(store->batch);
        store->batch = calloc(count, sizeof *store->batch);
        if (store->batch == NULL)
            fail("no memory");
        store->batch_capacity = count;
    }
    for (size_t i = 0; i < count; i++)
        pattern_from_row(&rows[i], &store->batch[i]);
    check(knackdb_patterns_store(store->db, store->batch, count, KNACKDB_STORE_REPLACE, NULL, &error), "store batch",
          &error);
}

static void
engine_metrics_store(void *handle, const struct metric_row *rows, size_t count)
{
    struct engine_store *store = handle;
    knackdb_error        error;

    if (count > store->metric_batch_capacity) {
        free(store->metric_batch);
        store->metric_batch = calloc(count, sizeof *store->metric_batch);
        if (store->metric_batch == NULL)
            fail("no memory");
        store->metric_batch_capacity = count;
    }
    for (size_t i = 0; i < count; i++) {
        knackdb_metric metric = {
            .component_name = given(rows[i].component_name),
            .metric_name = given(rows[i].metric_name),
            .metric_value = rows[i].metric_value,
            .baseline_value = rows[i].baseline_value,
            .measured_at = rows[i].measured_at,
            .nulls = KNACKDB_BIT(KNACKDB_METRIC_IMPROVEMENT_PERCENTAGE) | KNACKDB_BIT(KNACKDB_METRIC_SAMPLE_COUNT) |
                     KNACKDB_BIT(KNACKDB_METRIC_CONFIDENCE_INTERVAL),
        };
        store->metric_batch[i] = metric;
    }
    check(knackdb_metrics_store(store->db, store->metric_batch, count, KNACKDB_STORE_REPLACE, NULL, &error),
          "store metrics", &error);
}

static bool
engine_pattern_read(void *handle, int64_t id, see_pattern see, void *context)
{
    struct engine_store *store = handle;
    knackdb_read        *read;
    knackdb_row          place;
    knackdb_status       status;

    check(knackdb_read_begin(store->db, &read, NULL), "read", NULL);
    status = knackdb_read_by_id(read, KNACKDB_EXECUTION_PATTERNS, id, &place);
    if (status == KNACKDB_OK) {
        knackdb_pattern    pattern;
        struct pattern_row row;

        knackdb_read_pattern(read, place, &pattern);
        row.id = pattern.id;
        row.task_type = taken(pattern.task_type);
        row.pattern_used = taken(pattern.pattern_used);
        row.execution_time = pattern.execution_time;
        row.success_rate = pattern.success_rate;
        row.confidence_score = pattern.confidence_score;
        row.agent_count = pattern.agent_count;
        row.complexity_level = taken(pattern.complexity_level);
        row.tools_used = taken(pattern.tools_used);
        row.context_factors = taken(pattern.context_factors);
        row.created_at = pattern.created_at;
        row.updated_at = pattern.updated_at;
        row.usage_count = pattern.usage_count;
        see(context, &row);
    }
    knackdb_read_end(read);
    return status == KNACKDB_OK;
}

#define CHOICES_TOGETHER 100

/* A column at a time. */
static void
see_choices(knackdb_read *read, const knackdb_row *rows, size_t count, see_pattern see, void *context)
{
    int64_t       ids[CHOICES_TOGETHER];
    knackdb_text  used[CHOICES_TOGETHER];
    double        confidence[CHOICES_TOGETHER];
    knackdb_error error;

    check(knackdb_read_integers(read, KNACKDB_EXECUTION_PATTERNS, KNACKDB_PATTERN_ID, rows, count, ids, NULL, &error),
          "ids", &error);
    check(knackdb_read_texts(read, KNACKDB_EXECUTION_PATTERNS, KNACKDB_PATTERN_PATTERN_USED, rows, count, used, NULL,
                             &error),
          "patterns", &error);
    check(knackdb_read_reals(read, KNACKDB_EXECUTION_PATTERNS, KNACKDB_PATTERN_CONFIDENCE_SCORE, rows, count,
                             confidence, NULL, &error),
          "confidence", &error);
    for (size_t i = 0; i < count; i++) {
        struct pattern_row row = { .id = ids[i], .pattern_used = taken(used[i]), .confidence_score = confidence[i] };

        see(context, &row);
    }
}

static void
engine_patterns_top(void *handle, const struct top_query *query, see_pattern see, void *context)
{
    struct engine_store *store = handle;
    knackdb_condition    conditions[3] = {
        knackdb_where(KNACKDB_PATTERN_TASK_TYPE, KNACKDB_EQUAL, knackdb_value_text(given(query->task_type))),
        knackdb_where_at_least(KNACKDB_PATTERN_SUCCESS_RATE, query->success_rate_min),
        knackdb_where_at_least(KNACKDB_PATTERN_CONFIDENCE_SCORE, query->confidence_score_min),
    };
    knackdb_query question = {
        .table = KNACKDB_EXECUTION_PATTERNS,
        .conditions = conditions,
        .condition_count = 3,
        .order = { { .column = KNACKDB_PATTERN_CONFIDENCE_SCORE, .descending = true } },
        .order_count = 1,
        .limit = query->limit,
    };
    knackdb_read *read;
    knackdb_rows  rows;
    knackdb_error error;

    check(knackdb_read_begin(store->db, &read, &error), "read", &error);
    check(knackdb_read_find(read, &question, &rows, &error), "top", &error);
    for (size_t at = 0; at < rows.count; at += CHOICES_TOGETHER)
        see_choices(read, rows.rows + at, rows.count - at < CHOICES_TOGETHER ? rows.count - at : CHOICES_TOGETHER, see,
                    context);
    knackdb_read_end(read);
}

static void
engine_metrics_history(void *handle, const struct history_query *query, see_metric see, void *context)
{
    struct engine_store *store = handle;
    knackdb_condition    conditions[2] = {
        knackdb_where(KNACKDB_METRIC_COMPONENT_NAME, KNACKDB_EQUAL, knackdb_value_text(given(query->component_name))),
        knackdb_where(KNACKDB_METRIC_METRIC_NAME, KNACKDB_EQUAL, knackdb_value_text(given(query->metric_name))),
    };
    knackdb_query question = {
        .table = KNACKDB_PERFORMANCE_METRICS,
        .conditions = conditions,
        .condition_count = query->metric_name.data != NULL ? 2 : 1,
        .order = { { .column = KNACKDB_METRIC_MEASURED_AT, .descending = true },
                   { .column = KNACKDB_METRIC_ID, .descending = true } },
        .order_count = 2,
        .limit = query->limit,
    };
    knackdb_read *read;
    knackdb_rows  rows;
    knackdb_error error;

    check(knackdb_read_begin(store->db, &read, &error), "read", &error);
    check(knackdb_read_find(read, &question, &rows, &error), "history", &error);
    for (size_t i = 0; i < rows.count; i++) {
        knackdb_metric metric;

        knackdb_read_metric(read, rows.rows[i], &metric);
        struct metric_row row = { .id = metric.id,
                                  .metric_name = taken(metric.metric_name),
                                  .metric_value = metric.metric_value,
                                  .baseline_value = metric.baseline_value,
                                  .improvement_percentage = metric.improvement_percentage,
                                  .measured_at = metric.measured_at };
        see(context, &row);
    }
    knackdb_read_end(read);
}

/* A column at a time, in one read view: both answers are of the same moment. */
static void
engine_patterns_grouped(void *handle, see_group see, void *context)
{
    struct engine_store *store = handle;
    knackdb_query        all = { .table = KNACKDB_EXECUTION_PATTERNS };
    const knackdb_group *times, *rates;
    size_t               count, rate_count;
    knackdb_read        *read;
    knackdb_error        error;

    check(knackdb_read_begin(store->db, &read, &error), "read", &error);
    check(knackdb_read_aggregate(read, &all, KNACKDB_PATTERN_EXECUTION_TIME, KNACKDB_PATTERN_TASK_TYPE, NULL, 0, &times,
                                 &count, &error),
          "group", &error);
    check(knackdb_read_aggregate(read, &all, KNACKDB_PATTERN_SUCCESS_RATE, KNACKDB_PATTERN_TASK_TYPE, NULL, 0, &rates,
                                 &rate_count, &error),
          "group", &error);
    if (count != rate_count)
        fail("knackdb: group: two answers of one moment have %zu and %zu groups", count, rate_count);
    for (size_t i = 0; i < count; i++) {
        struct group_row row = { .task_type = taken(times[i].key),
                                 .count = times[i].row_count,
                                 .execution_time_mean = times[i].mean,
                                 .success_rate_mean = rates[i].mean };
        see(context, &row);
    }
    knackdb_read_end(read);
}

static void
engine_patterns_weigh(void *handle, const struct weight *weights, size_t count)
{
    struct engine_store *store = handle;
    knackdb_error        error;

    for (size_t i = 0; i < count; i++)
        check(knackdb_pattern_set_weight(store->db, weights[i].id, weights[i].weight, &error), "weigh", &error);
}

static uint64_t
engine_patterns_clean_up(void *handle, double created_before)
{
    struct engine_store *store = handle;
    knackdb_error        error;
    uint64_t             deleted;

    check(knackdb_clean_up_before(store->db, KNACKDB_EXECUTION_PATTERNS, created_before, &deleted, &error), "clean up",
          &error);
    return deleted;
}

static uint64_t
engine_pattern_count(void *handle)
{
    struct engine_store *store = handle;
    knackdb_query        all = { .table = KNACKDB_EXECUTION_PATTERNS };
    knackdb_read        *read;
    knackdb_error        error;
    uint64_t             count;

    check(knackdb_read_begin(store->db, &read, &error), "read", &error);
    check(knackdb_read_count(read, &all, &count, &error), "count", &error);
    knackdb_read_end(read);
    return count;
}

static void
engine_settle(void *handle)
{
    struct engine_store *store = handle;
    knackdb_error        error;

    check(knackdb_snapshot(store->db, &error), "snapshot", &error);
}

#define ENGINE_CALLS                                                                    \
    .is_kept = true, .is_own = true, .version = knackdb_version, .close = engine_close, \
    .pattern_store = engine_pattern_store, .patterns_store = engine_patterns_store,     \
    .metrics_store = engine_metrics_store, .patterns_weigh = engine_patterns_weigh,     \
    .patterns_clean_up = engine_patterns_clean_up, .pattern_read = engine_pattern_read, \
    .patterns_top = engine_patterns_top, .metrics_history = engine_metrics_history,     \
    .patterns_grouped = engine_patterns_grouped, .pattern_count = engine_pattern_count, .settle = engine_settle

const struct adapter adapter_knackdb = {
    .name = "knackdb",
    .title = "knackdb",
    .how = "every option at its default: replay log on, rows survive a killed process",
    .open = engine_open,
    ENGINE_CALLS,
};

const struct adapter adapter_knackdb_sync = {
    .name = "knackdb-sync",
    .title = "knackdb sync",
    .how = "as knackdb, but every store waits for the disk (KNACKDB_SYNC)",
    .open = engine_open_sync,
    ENGINE_CALLS,
};
