/* failing_memory.c - every allocation of a scripted life fails, once and for ever after.
 *
 * The script opens a store, stores, changes, asks, cleans up and closes it, with an
 * allocator that counts. It runs again and again, the nth allocation failing in the
 * nth run, until a run has no nth allocation. Whatever fails:
 *
 *   - each call returns OK or NO_MEMORY, and a call that did not return OK has
 *     changed nothing: the same sequence, the same rows, cell by cell;
 *   - where only the nth fails, the same call succeeds when made again, and the life
 *     ends with the rows it ends with when nothing fails;
 *   - after close not a byte is left, and each block came back with its own size. */
#include "../api/calls.h"
#include "../api/scratch.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- memory that fails ---- */

struct failing_memory {
    _Atomic uint64_t asked; /* allocations while armed; any thread adds */
    _Atomic uint64_t refused;
    _Atomic int64_t  bytes; /* given out and not come back */
    _Atomic uint64_t wrong; /* blocks that came back with another size */
    _Atomic bool     armed;
    uint64_t         fail_at; /* 0: never; set before the store is opened */
    bool             for_ever;
};

struct block_head {
    size_t bytes;
    size_t unused; /* what follows stays aligned to 16 */
};

static void *
failing_allocate(void *context, size_t bytes)
{
    struct failing_memory *memory = context;
    struct block_head     *head;

    if (atomic_load(&memory->armed)) {
        uint64_t number = atomic_fetch_add(&memory->asked, 1) + 1;

        if (memory->fail_at != 0 && (number == memory->fail_at || (memory->for_ever && number > memory->fail_at))) {
            atomic_fetch_add(&memory->refused, 1);
            return NULL;
        }
    }
    head = malloc(sizeof *head + bytes);
    if (head == NULL)
        return NULL;
    head->bytes = bytes;
    atomic_fetch_add(&memory->bytes, (int64_t) bytes);
    return head + 1;
}

static void
failing_release(void *context, void *block, size_t bytes)
{
    struct failing_memory *memory = context;
    struct block_head     *head = (struct block_head *) block - 1;

    if (block == NULL)
        return;
    if (head->bytes != bytes)
        atomic_fetch_add(&memory->wrong, 1);
    atomic_fetch_sub(&memory->bytes, (int64_t) head->bytes);
    free(head);
}

/* ---- what the store holds, as one number ---- */

static uint64_t
mix(uint64_t hash, const void *data, size_t bytes)
{
    const unsigned char *at = data;

    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* Over every cell but those that hold the time of a call. */
static uint64_t
fingerprint(knackdb *db)
{
    uint64_t      hash = UINT64_C(0xcbf29ce484222325);
    knackdb_read *read = begin_read(db);
    knackdb_error error;

    for (int table = 0; table < (int) knackdb_table_count(); table++) {
        knackdb_query query;
        knackdb_rows  rows;

        memset(&query, 0, sizeof query);
        query.table = table;
        MUST(knackdb_read_find(read, &query, &rows, &error));
        hash = mix(hash, &rows.count, sizeof rows.count);
        for (size_t i = 0; i < rows.count; i++)
            for (uint32_t column = 0; column < knackdb_table_describe(table)->column_count; column++) {
                knackdb_value value = knackdb_read_value(read, table, rows.rows[i], column);

                if ((table == KNACKDB_EXECUTION_PATTERNS && column == KNACKDB_PATTERN_UPDATED_AT) ||
                    (table == KNACKDB_USER_PREFERENCES && column == KNACKDB_PREFERENCE_LAST_USED))
                    continue;
                hash = mix(hash, &value.type, sizeof value.type);
                if (value.type == KNACKDB_TEXT)
                    hash =
                        mix(mix(hash, &value.as.text.length, sizeof(size_t)), value.as.text.data, value.as.text.length);
                else if (value.type != KNACKDB_NULL)
                    hash = mix(hash, &value.as, 8);
            }
    }
    knackdb_read_end(read);
    return hash;
}

/* ---- the script ---- */

#define MANY_ROWS 600
#define METRICS   280 /* of two components: their lists are long, and carry cells */

static knackdb_status
store_many_patterns(knackdb *db, int count, const char *prefix, double created_at, knackdb_error *error)
{
    static char     names[MANY_ROWS][32], texts[MANY_ROWS][64];
    knackdb_pattern patterns[MANY_ROWS];

    for (int i = 0; i < count; i++) {
        (void) snprintf(names[i], sizeof names[i], "%s-%d", prefix, i);
        (void) snprintf(texts[i], sizeof texts[i], "{\"%s\": [%d, \"and some more text\"]}", prefix, i);
        patterns[i] = empty_pattern();
        patterns[i].external_id = knackdb_string(names[i]);
        patterns[i].task_type = knackdb_string(names[i % 7]);
        patterns[i].pattern_used = knackdb_string(names[i]);
        patterns[i].context_factors = knackdb_string(texts[i]);
        patterns[i].tools_used = knackdb_string("[\"cat\", \"sed\"]");
        patterns[i].created_at = created_at;
        patterns[i].success_rate = i % 10 / 10.0;
        patterns[i].usage_count = i;
        patterns[i].nulls = 0;
    }
    return knackdb_patterns_store(db, patterns, (size_t) count, 0, NULL, error);
}

static knackdb_status
store_long_text(knackdb *db, knackdb_error *error)
{
    static char     text[70000];
    knackdb_pattern pattern = empty_pattern();

    memset(text, 'L', sizeof text - 1);
    pattern.context_factors = knackdb_string(text);
    return knackdb_pattern_store(db, &pattern, NULL, error);
}

static knackdb_status
store_first(knackdb *db, knackdb_error *error)
{
    return store_many_patterns(db, 10, "first", 10, error);
}

static knackdb_status
store_many(knackdb *db, knackdb_error *error)
{
    return store_many_patterns(db, MANY_ROWS, "many", 20, error);
}

static knackdb_status
store_again(knackdb *db, knackdb_error *error)
{
    return store_many_patterns(db, 100, "many", 30, error);
}

static knackdb_status
store_preferences(knackdb *db, knackdb_error *error)
{
    static char        values[40][16];
    knackdb_preference preferences[40];

    for (int i = 0; i < 40; i++) {
        (void) snprintf(values[i], sizeof values[i], "value %d", i % 30); /* ten of them twice */
        preferences[i] = knackdb_preference_default();
        preferences[i].preference_type = knackdb_string("type");
        preferences[i].preference_value = knackdb_string(values[i]);
    }
    return knackdb_preferences_store(db, preferences, 40, 0, NULL, error);
}

static knackdb_status
use_preference(knackdb *db, knackdb_error *error)
{
    return knackdb_preference_use(db, knackdb_string("type"), knackdb_string("value 3"), error);
}

static knackdb_status
store_metrics(knackdb *db, knackdb_error *error)
{
    knackdb_metric metrics[METRICS];

    for (int i = 0; i < METRICS; i++) {
        metrics[i] = knackdb_metric_default();
        metrics[i].component_name = knackdb_string(i % 2 == 0 ? "even" : "odd");
        metrics[i].metric_name = knackdb_string("m");
        metrics[i].metric_value = i;
        metrics[i].baseline_value = 7;
        metrics[i].measured_at = i;
        metrics[i].metadata = knackdb_string("{}");
    }
    return knackdb_metrics_store(db, metrics, METRICS, 0, NULL, error);
}

static knackdb_status
update_row(knackdb *db, knackdb_error *error)
{
    static const uint32_t columns[2] = { KNACKDB_PATTERN_TASK_TYPE, KNACKDB_PATTERN_EXTERNAL_ID };
    knackdb_value         values[2] = { knackdb_value_text(knackdb_string("a type never seen before")),
                                        knackdb_value_text(knackdb_string("a name never seen before")) };

    return knackdb_update_row(db, KNACKDB_EXECUTION_PATTERNS, 4, columns, values, 2, error);
}

static knackdb_status
set_weight(knackdb *db, knackdb_error *error)
{
    return knackdb_pattern_set_weight_external(db, knackdb_string("many-17"), 0.25, error);
}

static knackdb_status
use_pattern(knackdb *db, knackdb_error *error)
{
    return knackdb_pattern_use(db, 5, error);
}

static knackdb_status
delete_row(knackdb *db, knackdb_error *error)
{
    return knackdb_delete(db, KNACKDB_EXECUTION_PATTERNS, 6, error);
}

static knackdb_status
clean_up(knackdb *db, knackdb_error *error)
{
    return knackdb_clean_up_before(db, KNACKDB_EXECUTION_PATTERNS, 15, NULL, error);
}

static knackdb_status
sync_now(knackdb *db, knackdb_error *error)
{
    return knackdb_sync(db, error);
}

static knackdb_status
take_snapshot(knackdb *db, knackdb_error *error)
{
    knackdb_status status = knackdb_snapshot(db, error);

    return status == KNACKDB_INVALID ? KNACKDB_OK : status; /* in memory there is none to take */
}

/* Every way to ask through a view. */
static knackdb_status
ask_view(knackdb *db, knackdb_error *error)
{
    static const double  percentiles[] = { 50, 99 };
    knackdb_read        *read = NULL;
    knackdb_prepared    *prepared = NULL;
    knackdb_condition    conditions[2] = { knackdb_where_text(KNACKDB_PATTERN_TASK_TYPE, "many-3"),
                                           knackdb_where(KNACKDB_PATTERN_TOOLS_USED, KNACKDB_CONTAINS,
                                                         knackdb_value_text(knackdb_string("sed"))) };
    knackdb_query        query;
    knackdb_rows         rows, again;
    const knackdb_group *groups;
    size_t               group_count;
    uint64_t             count;
    knackdb_status       status = knackdb_read_begin(db, &read, error);

    memset(&query, 0, sizeof query);
    query.conditions = conditions;
    query.condition_count = 2;
    query.order[0] = (knackdb_order) { .column = KNACKDB_ORDER_BY_SCORE, .descending = true };
    query.order_count = 1;
    query.limit = 50;
    if (status == KNACKDB_OK)
        status = knackdb_read_find(read, &query, &rows, error);
    if (status == KNACKDB_OK)
        status = knackdb_read_count(read, &query, &count, error);
    if (status == KNACKDB_OK)
        cr_assert_eq(rows.count, count < 50 ? count : 50);
    if (status == KNACKDB_OK)
        status = knackdb_prepare(db, &query, &prepared, error);
    if (status == KNACKDB_OK)
        status = knackdb_read_find_prepared(read, prepared, &again, error);
    if (status == KNACKDB_OK)
        cr_assert_eq(rows.count, again.count);
    query.condition_count = 0;
    if (status == KNACKDB_OK)
        status = knackdb_read_aggregate(read, &query, KNACKDB_PATTERN_USAGE_COUNT, KNACKDB_PATTERN_PATTERN_USED,
                                        percentiles, 2, &groups, &group_count, error);
    if (status == KNACKDB_OK)
        status = knackdb_read_aggregate(read, &query, KNACKDB_PATTERN_USAGE_COUNT, KNACKDB_PATTERN_CONTEXT_FACTORS,
                                        NULL, 0, &groups, &group_count, error);
    knackdb_prepared_free(prepared);
    knackdb_read_end(read);
    return status;
}

/* More long histories of one view than it has places for what it owns. */
static knackdb_status
ask_for_histories(knackdb *db, knackdb_error *error)
{
    knackdb_condition of_one = knackdb_where_text(KNACKDB_METRIC_COMPONENT_NAME, "even");
    knackdb_query     query = { .table = KNACKDB_PERFORMANCE_METRICS,
                                .conditions = &of_one,
                                .condition_count = 1,
                                .order = { { KNACKDB_METRIC_MEASURED_AT, true } },
                                .order_count = 1 };
    knackdb_read     *read = NULL;
    knackdb_status    status = knackdb_read_begin(db, &read, error);

    for (query.limit = 1; query.limit <= 7 && status == KNACKDB_OK; query.limit++) {
        knackdb_metric metric;
        knackdb_rows   rows;

        status = knackdb_read_find(read, &query, &rows, error);
        for (size_t i = 0; status == KNACKDB_OK && i < rows.count; i++) {
            knackdb_read_metric(read, rows.rows[i], &metric);
            cr_assert_eq(metric.metric_value, METRICS - 2.0 * (double) (i + 1));
        }
    }
    knackdb_read_end(read);
    return status;
}

/* The calls that copy. */
static knackdb_status
ask_for_copies(knackdb *db, knackdb_error *error)
{
    knackdb_query       query;
    knackdb_pattern    *patterns = NULL;
    knackdb_metric     *metrics = NULL;
    knackdb_preference *preferences = NULL;
    size_t              count;
    knackdb_status      status;

    memset(&query, 0, sizeof query);
    status = knackdb_patterns_find(db, &query, &patterns, &count, error);
    knackdb_free(patterns);
    patterns = NULL;
    if (status == KNACKDB_OK)
        status = knackdb_pattern_get_external(db, knackdb_string("many-5"), &patterns, error);
    knackdb_free(patterns);
    if (status == KNACKDB_OK)
        status =
            knackdb_metrics_history(db, knackdb_string("odd"), knackdb_string(NULL), 0, 0, 0, &metrics, &count, error);
    knackdb_free(metrics);
    if (status == KNACKDB_OK)
        status = knackdb_preferences_get(db, knackdb_string("type"), knackdb_string(NULL), &preferences, &count, error);
    knackdb_free(preferences);
    return status;
}

/* More views than a first block of slots holds. */
static knackdb_status
open_many_views(knackdb *db, knackdb_error *error)
{
    knackdb_read  *reads[150];
    int            count = 0;
    knackdb_status status = KNACKDB_OK;

    while (count < 150 && status == KNACKDB_OK) {
        status = knackdb_read_begin(db, &reads[count], error);
        count += status == KNACKDB_OK;
    }
    while (count > 0)
        knackdb_read_end(reads[--count]);
    return status;
}

static knackdb_status
look_at_status(knackdb *db, knackdb_error *error)
{
    knackdb_stats stats;

    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    return knackdb_get_stats(db, &stats, error);
}

static const struct step {
    const char *name;
    knackdb_status (*call)(knackdb *db, knackdb_error *error);
    bool changes;
} script[] = {
    { "store a few patterns", store_first, true },
    { "store preferences", store_preferences, true },
    { "use a preference", use_preference, true },
    { "store metrics", store_metrics, true },
    { "store many patterns", store_many, true },
    { "store a long text", store_long_text, true },
    { "sync", sync_now, false },
    { "ask a view", ask_view, false },
    { "store patterns again", store_again, true },
    { "update a row", update_row, true },
    { "ask a view again", ask_view, false },
    { "set a weight", set_weight, true },
    { "snapshot", take_snapshot, false },
    { "use a pattern", use_pattern, true },
    { "delete a row", delete_row, true },
    { "open many views", open_many_views, false },
    { "clean up", clean_up, true },
    { "ask for copies", ask_for_copies, false },
    { "ask for histories", ask_for_histories, false },
    { "snapshot again", take_snapshot, false },
    { "look at the status", look_at_status, false },
};

/* Opens, trying again while memory is short and comes back; NULL where it does not. */
static knackdb *
open_with(struct failing_memory *memory, const char *directory)
{
    knackdb_options   options = knackdb_options_default();
    knackdb_allocator allocator = { memory, failing_allocate, failing_release };
    knackdb          *db = NULL;
    knackdb_error     error;
    knackdb_status    status = KNACKDB_NO_MEMORY;

    options.allocator = &allocator;
    options.log_segment_bytes_max = 64 * 1024;
    options.log_history_bytes = 1024 * 1024; /* so that segments are packed */
    options.flush_interval_ms = 1;           /* so that hundreds of lives do not wait for their syncs */
    atomic_store(&memory->armed, true);
    for (int tries = 0; tries < 2 && status == KNACKDB_NO_MEMORY; tries++) {
        status = knackdb_open(directory, &options, &db, &error);
        if (status != KNACKDB_OK) {
            cr_assert_eq(status, KNACKDB_NO_MEMORY, "open: %s: %s", knackdb_status_text(status), error.message);
            cr_assert_eq(atomic_load(&memory->bytes), 0, "a failed open left %lld bytes (allocation %llu)",
                         (long long) atomic_load(&memory->bytes), (unsigned long long) memory->fail_at);
        }
    }
    if (status == KNACKDB_OK)
        return db;
    cr_assert(memory->for_ever, "open fails twice, though only one allocation does");
    return NULL;
}

static void
take_step(struct failing_memory *memory, knackdb *db, const struct step *step)
{
    for (int tries = 0;; tries++) {
        knackdb_error  error = { .message = "" };
        knackdb_status status;
        uint64_t       before, sequence;

        atomic_store(&memory->armed, false);
        before = fingerprint(db);
        sequence = sequence_of(db);
        atomic_store(&memory->armed, true);
        status = step->call(db, &error);
        atomic_store(&memory->armed, false);
        /* What an earlier step could not store is not there later. */
        cr_assert(status == KNACKDB_OK || status == KNACKDB_NO_MEMORY ||
                      (status == KNACKDB_NOT_FOUND && memory->for_ever),
                  "%s, allocation %llu: %s: %s", step->name, (unsigned long long) memory->fail_at,
                  knackdb_status_text(status), error.message);
        if (status != KNACKDB_OK || !step->changes) {
            cr_assert_eq(sequence_of(db), sequence, "%s, allocation %llu: a commit though it failed", step->name,
                         (unsigned long long) memory->fail_at);
            cr_assert_eq(fingerprint(db), before, "%s, allocation %llu: rows changed though it failed", step->name,
                         (unsigned long long) memory->fail_at);
        }
        if (status == KNACKDB_OK)
            break;
        if (memory->for_ever)
            return;
        cr_assert_eq(tries, 0, "%s fails twice, though only allocation %llu does", step->name,
                     (unsigned long long) memory->fail_at);
    }
}

static void
close_with(struct failing_memory *memory, knackdb *db)
{
    knackdb_error  error = { .message = "" };
    knackdb_status status;

    atomic_store(&memory->armed, true);
    status = knackdb_close(db, &error);
    atomic_store(&memory->armed, false);
    cr_assert(status == KNACKDB_OK || status == KNACKDB_NO_MEMORY, "close: %s", error.message);
    cr_assert_eq(atomic_load(&memory->bytes), 0, "allocation %llu: %lld bytes are left after close",
                 (unsigned long long) memory->fail_at, (long long) atomic_load(&memory->bytes));
    cr_assert_eq(atomic_load(&memory->wrong), 0, "allocation %llu: a block came back with another size",
                 (unsigned long long) memory->fail_at);
}

/* One life. Returns the fingerprint of its end, or 0 where memory failed for ever. */
static uint64_t
live(struct failing_memory *memory, const char *directory)
{
    knackdb *db = open_with(memory, directory);
    uint64_t end;

    if (db == NULL)
        return 0;
    for (size_t i = 0; i < sizeof script / sizeof script[0]; i++)
        take_step(memory, db, &script[i]);
    end = fingerprint(db);
    close_with(memory, db);
    if (directory == NULL)
        return memory->for_ever ? 0 : end;

    /* What it kept is what it had, however it is read back. */
    db = open_with(memory, directory);
    if (db == NULL)
        return 0;
    atomic_store(&memory->armed, false);
    cr_assert_eq(fingerprint(db), end, "allocation %llu: the rows are others after reopening",
                 (unsigned long long) memory->fail_at);
    close_with(memory, db);
    return memory->for_ever ? 0 : end;
}

static void
fail_each(bool in_directory, bool for_ever)
{
    struct failing_memory memory;
    char                  directory[SCRATCH_PATH_MAX];
    uint64_t              clean, runs = 0;

    scratch_prefer_memory();
    memset(&memory, 0, sizeof memory);
    if (in_directory)
        scratch_make(directory);
    clean = live(&memory, in_directory ? directory : NULL);
    cr_assert_neq(clean, 0);
    if (in_directory)
        scratch_remove(directory);

    for (uint64_t number = 1;; number++, runs++) {
        uint64_t end;

        memset(&memory, 0, sizeof memory);
        memory.fail_at = number;
        memory.for_ever = for_ever;
        if (in_directory)
            scratch_make(directory);
        end = live(&memory, in_directory ? directory : NULL);
        if (in_directory)
            scratch_remove(directory);
        cr_assert(end == clean || for_ever, "allocation %llu: the life ended with other rows",
                  (unsigned long long) number);
        if (atomic_load(&memory.refused) == 0)
            break;
    }
    cr_assert_gt(runs, 20, "the script allocates more often than that");
}

Test(failing_memory, once_in_memory)
{
    fail_each(false, false);
}

Test(failing_memory, for_ever_in_memory)
{
    fail_each(false, true);
}

Test(failing_memory, once_in_a_directory)
{
    fail_each(true, false);
}

Test(failing_memory, for_ever_in_a_directory)
{
    fail_each(true, true);
}
