/* health.c - the status struct, slow operations, the memory limit, and the small calls that describe things. */
#include "calls.h"
#include "scratch.h"

#include <stdio.h>
#include <stdlib.h>

static knackdb_stats
stats_of(knackdb *db)
{
    knackdb_stats stats;
    knackdb_error error;

    memset(&stats, 0x5a, sizeof stats);
    stats.struct_size = sizeof stats;
    MUST(knackdb_get_stats(db, &stats, &error));
    cr_assert_eq(stats.struct_size, sizeof stats);
    return stats;
}

static void
store_patterns(knackdb *db, int count, const char *task_type)
{
    knackdb_error error;

    for (int i = 0; i < count; i++) {
        knackdb_pattern pattern = empty_pattern();

        pattern.task_type = knackdb_string(task_type);
        MUST(knackdb_pattern_store(db, &pattern, NULL, &error));
    }
}

Test(health, describes_the_tables)
{
    static const char *const names[] = { "execution_patterns", "user_preferences", "performance_metrics" };
    static const size_t columns[] = { KNACKDB_PATTERN_COLUMNS, KNACKDB_PREFERENCE_COLUMNS, KNACKDB_METRIC_COLUMNS };

    cr_assert_eq(knackdb_schema_version(), 2);
    cr_assert_eq(knackdb_table_count(), 3);
    for (int table = 0; table < 3; table++) {
        const knackdb_table_info *info = knackdb_table_describe(table);

        cr_assert_str_eq(info->name, names[table]);
        cr_assert_eq(info->column_count, columns[table]);
        cr_assert_str_eq(info->columns[0].name, "id");
        cr_assert_eq(info->columns[0].type, KNACKDB_INTEGER);
        cr_assert_eq(knackdb_table_by_name(names[table]), table);
        for (size_t column = 0; column < info->column_count; column++)
            cr_assert_eq(knackdb_column_by_name(table, info->columns[column].name), (int) column);
    }
    cr_assert_str_eq(knackdb_table_describe(0)->columns[KNACKDB_PATTERN_EXTERNAL_ID].name, "external_id");
    cr_assert_eq(knackdb_table_describe(0)->columns[KNACKDB_PATTERN_EXTERNAL_ID].since_version, 2);
    cr_assert_eq(knackdb_table_describe(0)->columns[KNACKDB_PATTERN_USAGE_COUNT].since_version, 1);
    cr_assert(knackdb_table_describe(0)->columns[KNACKDB_PATTERN_SUCCESS_RATE].is_rate);
    cr_assert_str_eq(knackdb_table_describe(2)->columns[KNACKDB_METRIC_METADATA].name, "metadata");
    cr_assert_null(knackdb_table_describe(3));
    cr_assert_null(knackdb_table_describe(-1));
    cr_assert_eq(knackdb_table_by_name("no such"), -1);
    cr_assert_eq(knackdb_table_by_name(NULL), -1);
    cr_assert_eq(knackdb_column_by_name(0, "no such"), -1);
    cr_assert_eq(knackdb_column_by_name(0, NULL), -1);
    cr_assert_eq(knackdb_column_by_name(9, "id"), -1);
}

Test(health, has_words_for_every_number)
{
    for (int status = KNACKDB_OK; status <= KNACKDB_FORKED; status++)
        for (int other = KNACKDB_OK; other < status; other++)
            cr_assert_str_neq(knackdb_status_text((knackdb_status) status),
                              knackdb_status_text((knackdb_status) other));
    cr_assert_str_eq(knackdb_status_text(KNACKDB_NOT_FOUND), "not found");
    cr_assert_not_null(knackdb_status_text((knackdb_status) 999));
    cr_assert_not_null(knackdb_status_text((knackdb_status) -1));
    cr_assert_str_eq(knackdb_operation_text(KNACKDB_OPERATION_STORE), "store");
    cr_assert_str_eq(knackdb_operation_text(KNACKDB_OPERATION_FIND), "find");
    cr_assert_str_eq(knackdb_operation_text(KNACKDB_OPERATION_COUNT), "unknown");
    cr_assert_str_eq(knackdb_operation_text((knackdb_operation) -1), "unknown");
    cr_assert_str_eq(knackdb_version(), "0.1.0");
}

Test(health, has_the_defaults_the_header_names)
{
    double             before = knackdb_now();
    knackdb_pattern    pattern = knackdb_pattern_default();
    knackdb_preference preference = knackdb_preference_default();
    knackdb_metric     metric = knackdb_metric_default();
    double             after = knackdb_now();

    cr_assert(pattern.id == 0 && pattern.success_rate == 1 && pattern.confidence_score == 0 &&
              pattern.agent_count == 1 && pattern.usage_count == 0);
    cr_assert(text_is(pattern.complexity_level, "simple"));
    cr_assert(pattern.task_type.data == NULL && pattern.pattern_used.data == NULL && pattern.tools_used.data == NULL &&
              pattern.context_factors.data == NULL && pattern.external_id.data == NULL);
    cr_assert(pattern.created_at >= before && pattern.created_at <= after && pattern.updated_at >= before &&
              pattern.updated_at <= after);
    cr_assert(preference.weight == 1 && preference.usage_count == 1 && preference.last_used >= before);
    cr_assert(metric.sample_count == 1 && metric.measured_at >= before);
    cr_assert(metric.baseline_value == 0 && metric.confidence_interval == 0.95);
    cr_assert_eq(metric.nulls & ~(KNACKDB_BIT(KNACKDB_METRIC_COMPONENT_NAME) | KNACKDB_BIT(KNACKDB_METRIC_METRIC_NAME) |
                                  KNACKDB_BIT(KNACKDB_METRIC_METADATA)),
                 KNACKDB_BIT(KNACKDB_METRIC_IMPROVEMENT_PERCENTAGE), "of the numbers, only this one is NULL");
}

Test(health, counts_rows_versions_and_bytes)
{
    knackdb      *db = open_in_memory();
    knackdb_stats before = stats_of(db), after;
    knackdb_error error;

    cr_assert_eq(before.state, KNACKDB_STATE_OK);
    cr_assert_str_eq(before.reason, "");
    cr_assert_eq(before.schema_version, 2);
    cr_assert_eq(before.table_count, 3);
    cr_assert_eq(before.sequence, 0);
    cr_assert(before.opened_at > knackdb_now() - 600 && before.opened_at <= knackdb_now());
    cr_assert(before.open_seconds >= 0 && before.open_seconds < 600);

    store_patterns(db, 1000, "sort");
    MUST(knackdb_pattern_use(db, 1, &error));
    MUST(knackdb_delete(db, KNACKDB_EXECUTION_PATTERNS, 2, &error));
    after = stats_of(db);
    cr_assert_eq(after.tables[0].row_count, 999);
    cr_assert_geq(after.tables[0].version_count, 999);
    cr_assert_leq(after.tables[0].version_count, 1001);
    cr_assert_eq(after.tables[1].row_count, 0);
    cr_assert_eq(after.sequence, 1002);
    cr_assert_gt(after.memory_bytes, before.memory_bytes);
    cr_assert_gt(after.memory_column_bytes, 0);
    cr_assert_gt(after.memory_index_bytes, 0);
    cr_assert_leq(after.memory_column_bytes + after.memory_text_bytes + after.memory_index_bytes +
                      after.memory_cache_bytes,
                  after.memory_bytes);
    close_it(db);
}

Test(health, counts_operations_by_kind_with_their_latencies)
{
    knackdb             *db = open_in_memory();
    knackdb_pattern      patterns[3] = { empty_pattern(), empty_pattern(), empty_pattern() }, *copy;
    knackdb_read        *read;
    knackdb_row          row;
    knackdb_rows         rows;
    knackdb_query        query;
    const knackdb_group *groups;
    size_t               count;
    knackdb_stats        stats;
    knackdb_error        error;

    memset(&query, 0, sizeof query);
    store_patterns(db, 100, "sort");
    MUST(knackdb_patterns_store(db, patterns, 3, 0, NULL, &error));
    MUST(knackdb_pattern_use(db, 1, &error));
    MUST(knackdb_pattern_set_weight(db, 1, 0.5, &error));
    MUST(knackdb_delete(db, 0, 1, &error));
    MUST(knackdb_pattern_get(db, 2, &copy, &error));
    knackdb_free(copy);
    MUST(knackdb_sync(db, &error));
    read = begin_read(db);
    cr_assert_eq(knackdb_read_by_id(read, 0, 2, &row), KNACKDB_OK);
    MUST(knackdb_read_find(read, &query, &rows, &error));
    MUST(knackdb_read_aggregate(read, &query, KNACKDB_PATTERN_USAGE_COUNT, -1, NULL, 0, &groups, &count, &error));
    knackdb_read_end(read);

    stats = stats_of(db);
    cr_assert_eq(stats.operations[KNACKDB_OPERATION_STORE].count, 100);
    cr_assert_eq(stats.operations[KNACKDB_OPERATION_STORE_MANY].count, 1);
    cr_assert_eq(stats.operations[KNACKDB_OPERATION_UPDATE].count, 2);
    cr_assert_eq(stats.operations[KNACKDB_OPERATION_DELETE].count, 1);
    cr_assert_geq(stats.operations[KNACKDB_OPERATION_GET].count, 1);
    cr_assert_eq(stats.operations[KNACKDB_OPERATION_FIND].count, 1);
    cr_assert_eq(stats.operations[KNACKDB_OPERATION_AGGREGATE].count, 1);
    cr_assert_eq(stats.operations[KNACKDB_OPERATION_SYNC].count, 1);
    cr_assert_eq(stats.operations[KNACKDB_OPERATION_SNAPSHOT].count, 0);
    for (int i = 0; i < KNACKDB_OPERATION_COUNT; i++) {
        const knackdb_latency *latency = &stats.operations[i];

        if (latency->count == 0) {
            cr_assert(latency->p50_ns == 0 && latency->p99_ns == 0 && latency->max_ns == 0);
            continue;
        }
        cr_assert_gt(latency->max_ns, 0);
        cr_assert(latency->p50_ns <= latency->p99_ns && latency->p99_ns <= latency->p999_ns, "kind %d", i);
        cr_assert_leq((double) latency->p999_ns, (double) latency->max_ns * 1.13 + 16);
    }
    close_it(db);
}

Test(health, counts_what_the_cache_does)
{
    knackdb          *db = open_in_memory();
    knackdb_condition condition = knackdb_where_text(KNACKDB_PATTERN_TASK_TYPE, "sort");
    knackdb_query     query;
    knackdb_error     error;
    knackdb_stats     stats;

    store_patterns(db, 10, "sort");
    memset(&query, 0, sizeof query);
    query.conditions = &condition;
    query.condition_count = 1;
    query.limit = 5;
    for (int i = 0; i < 10; i++) {
        knackdb_pattern *patterns;
        size_t           count;

        MUST(knackdb_patterns_find(db, &query, &patterns, &count, &error));
        cr_assert_eq(count, 5);
        knackdb_free(patterns);
    }
    stats = stats_of(db);
    cr_assert_eq(stats.cache_hits + stats.cache_misses, 10);
    cr_assert_geq(stats.cache_hits, 8, "the same question ten times");
    cr_assert_geq(stats.cache_entries, 1);
    cr_assert_gt(stats.memory_cache_bytes, 0);
    close_it(db);
}

Test(health, tells_of_log_and_snapshot)
{
    char          directory[SCRATCH_PATH_MAX];
    knackdb      *db;
    knackdb_stats stats;
    knackdb_error error;
    double        before = knackdb_now();

    scratch_make(directory);
    MUST(knackdb_open(directory, NULL, &db, &error));
    store_patterns(db, 100, "sort");
    stats = stats_of(db);
    cr_assert_gt(stats.log_bytes, 100);
    cr_assert_eq(stats.snapshot_at, 0);
    cr_assert_eq(stats.snapshot_sequence, 0);
    cr_assert_leq(stats.durable_sequence, 100);
    MUST(knackdb_sync(db, &error));
    stats = stats_of(db);
    cr_assert_eq(stats.durable_sequence, 100);
    cr_assert_eq(stats.log_unsynced_bytes, 0);
    MUST(knackdb_snapshot(db, &error));
    stats = stats_of(db);
    cr_assert_eq(stats.snapshot_count, 1);
    cr_assert_eq(stats.snapshot_sequence, 100);
    cr_assert(stats.snapshot_at >= before - 1 && stats.snapshot_at <= knackdb_now() + 1);
    cr_assert_gt(stats.snapshot_bytes, 0);
    cr_assert_gt(stats.snapshot_seconds, 0);
    cr_assert_eq(stats.snapshot_status, KNACKDB_OK);
    cr_assert_eq(stats.operations[KNACKDB_OPERATION_SNAPSHOT].count, 1);
    store_patterns(db, 7, "hash");
    close_it(db);

    MUST(knackdb_open(directory, NULL, &db, &error));
    stats = stats_of(db);
    cr_assert_eq(stats.sequence, 107);
    cr_assert_eq(stats.durable_sequence, 107);
    cr_assert_eq(stats.recovered_commits, 7);
    cr_assert_eq(stats.torn_bytes, 0);
    cr_assert_eq(stats.snapshot_sequence, 100);
    cr_assert_eq(stats.snapshot_count, 0, "written since open");
    cr_assert_eq(stats.snapshot_seconds, 0);
    cr_assert_gt(stats.snapshot_at, 0);
    close_it(db);
    scratch_remove(directory);
}

Test(health, asks_for_the_size_of_the_struct)
{
    knackdb      *db = open_in_memory();
    knackdb_stats stats;
    knackdb_error error;

    memset(&stats, 0, sizeof stats);
    REFUSED(knackdb_get_stats(db, &stats, &error), KNACKDB_INVALID, "struct_size");
    REFUSED(knackdb_get_stats(db, NULL, &error), KNACKDB_INVALID, "struct_size");
    close_it(db);
}

Test(health, keeps_the_last_128_slow_operations_with_what_they_did)
{
    knackdb_options        options = knackdb_options_default();
    knackdb               *db;
    knackdb_pattern       *patterns = calloc(2000, sizeof *patterns);
    knackdb_slow_operation slow[200];
    size_t                 count;
    knackdb_stats          stats;
    knackdb_error          error;
    double                 before = knackdb_now();

    cr_assert_not_null(patterns);
    options.slow_operation_us = 1; /* so that a batch of 2,000 is one */
    MUST(knackdb_open(NULL, &options, &db, &error));
    for (int i = 0; i < 2000; i++)
        patterns[i] = empty_pattern();
    for (int i = 0; i < 150; i++)
        MUST(knackdb_patterns_store(db, patterns, 2000, 0, NULL, &error));
    stats = stats_of(db);
    cr_assert_geq(stats.slow_operation_count, 150);
    MUST(knackdb_slow_operations(db, slow, 200, &count, &error));
    cr_assert_eq(count, KNACKDB_SLOW_OPERATIONS_KEPT);
    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(slow[i].operation, KNACKDB_OPERATION_STORE_MANY);
        cr_assert_gt(slow[i].duration_ns, 1000);
        cr_assert(slow[i].at >= before - 1 && slow[i].at <= knackdb_now() + 1);
        cr_assert(i == 0 || slow[i].at <= slow[i - 1].at, "newest first");
        cr_assert_not_null(strstr(slow[i].what, "execution_patterns"), "%s", slow[i].what);
        cr_assert_not_null(strstr(slow[i].what, "2000"), "%s", slow[i].what);
    }
    /* One that fails is not counted among the stores, but was slow, and says why it failed. */
    patterns[1999].success_rate = 2;
    patterns[1999].nulls &= ~KNACKDB_BIT(KNACKDB_PATTERN_SUCCESS_RATE);
    REFUSED(knackdb_patterns_store(db, patterns, 2000, 0, NULL, &error), KNACKDB_INVALID, "success_rate");
    MUST(knackdb_slow_operations(db, slow, 3, &count, &error));
    cr_assert_eq(count, 3);
    cr_assert_str_eq(slow[0].what, "store_many execution_patterns, 2000 rows: invalid call");
    cr_assert_str_eq(slow[1].what, "store_many execution_patterns, 2000 rows");
    cr_assert_eq(stats_of(db).operations[KNACKDB_OPERATION_STORE_MANY].count, 150);
    cr_assert_eq(stats_of(db).slow_operation_count, stats.slow_operation_count + 1);
    MUST(knackdb_slow_operations(db, NULL, 0, &count, &error));
    cr_assert_eq(count, 0);
    free(patterns);
    close_it(db);
}

/* A store past the limit is refused and changes nothing; reading and deleting go on. */
Test(health, refuses_to_grow_past_the_memory_limit)
{
    knackdb_options options = knackdb_options_default();
    knackdb        *db;
    knackdb_pattern pattern = empty_pattern();
    char           *text = malloc(100001);
    knackdb_error   error;
    knackdb_status  status = KNACKDB_OK;
    uint64_t        rows = 0, sequence;

    cr_assert_not_null(text);
    memset(text, 'm', 100000);
    text[100000] = '\0';
    options.memory_bytes_max = 8 << 20;
    MUST(knackdb_open(NULL, &options, &db, &error));
    pattern.context_factors = knackdb_string(text);
    while (rows < 1000 && (status = knackdb_pattern_store(db, &pattern, NULL, &error)) == KNACKDB_OK)
        rows++;
    cr_assert_eq(status, KNACKDB_FULL, "%s after %llu rows", knackdb_status_text(status), (unsigned long long) rows);
    cr_assert_not_null(strstr(error.message, "clean up, or allow more"), "%s", error.message);
    cr_assert_gt(rows, 10);
    cr_assert_lt(rows, 90);
    cr_assert_leq(stats_of(db).memory_bytes, (8 << 20) + (1 << 20));
    sequence = sequence_of(db);
    cr_assert_eq(knackdb_pattern_store(db, &pattern, NULL, NULL), KNACKDB_FULL);
    cr_assert_eq(sequence_of(db), sequence);
    cr_assert_eq(count_rows(db, 0), rows);
    MUST(knackdb_delete(db, 0, 1, &error));
    cr_assert_eq(count_rows(db, 0), rows - 1);
    free(text);
    close_it(db);
}

/* Messages come with a severity and end with the store. */
static void
count_message(void *context, knackdb_severity severity, const char *message)
{
    int *counts = context;

    counts[severity]++;
    cr_assert_neq(message[0], '\0');
}

Test(health, passes_messages_to_the_caller_alone)
{
    char            directory[SCRATCH_PATH_MAX];
    knackdb_options options = knackdb_options_default();
    int             counts[3] = { 0 };
    knackdb        *db;
    knackdb_error   error;

    scratch_make(directory);
    options.log_message = count_message;
    options.log_context = counts;
    MUST(knackdb_open(directory, &options, &db, &error));
    store_patterns(db, 10, "sort");
    MUST(knackdb_snapshot(db, &error));
    close_it(db);
    cr_assert_eq(counts[KNACKDB_LOG_WARNING] + counts[KNACKDB_LOG_ERROR], 0, "nothing went wrong");
    scratch_remove(directory);
}

/* Whatever the disk does about it: what the call returns with is called durable. */
Test(health, stores_that_wait_for_the_disk_are_durable_when_they_return)
{
    char            directory[SCRATCH_PATH_MAX];
    knackdb_options options = knackdb_options_default();
    knackdb_pattern pattern = empty_pattern();
    knackdb        *db;
    knackdb_error   error;

    scratch_make(directory);
    options.durability = KNACKDB_SYNC;
    MUST(knackdb_open(directory, &options, &db, &error));
    for (uint64_t i = 1; i <= 5; i++) {
        MUST(knackdb_pattern_store(db, &pattern, NULL, &error));
        cr_assert_eq(stats_of(db).durable_sequence, i);
    }
    MUST(knackdb_pattern_set_weight(db, 3, 0.5, &error));
    cr_assert_eq(stats_of(db).durable_sequence, 6);
    close_it(db);
    scratch_remove(directory);
}
