/* adapter_sqlite.c - SQLite, as someone who knows it would set it up.
 *
 * Every statement is prepared once; texts are bound without a copy; the indexes are the
 * ones the questions ask for, and carry their answers, as LMDB's do: (task_type,
 * confidence), which the means by task type walk, too, (component, metric, time) and
 * (component, time). No question looks up a row or sorts: the first open asks SQLite for
 * its plans. 64 MiB of page cache and a 1 GiB map for reads. Three settings:
 *
 *     sqlite          a file in WAL mode with synchronous=NORMAL: a commit survives the death
 *                     of the process, not always a power cut, which is what knackdb's
 *                     default promises, too
 *     sqlite-off      the same with synchronous=OFF: nothing is ever synced
 *     sqlite-memory   ":memory:"; nothing is kept
 *
 * A thread beside the first has a connection of its own, and waits for another's write as
 * long as it takes. A database in memory has one connection, which threads take in turn. */
#include "adapter.h"
#include "failure.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BUSY_MS 60000

#define PATTERN_COLUMNS                                                                          \
    "id, task_type, pattern_used, execution_time, success_rate, confidence_score, agent_count, " \
    "complexity_level, tools_used, context_factors, created_at, updated_at, usage_count"

enum {
    BEGIN,
    COMMIT,
    INSERT_PATTERN,
    INSERT_METRIC,
    WEIGH,
    CLEAN_UP,
    READ,
    TOP,
    HISTORY_OF_COMPONENT,
    HISTORY_OF_METRIC,
    GROUP,
    COUNT,
    STATEMENT_COUNT
};

static const char *const statement_texts[STATEMENT_COUNT] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [INSERT_PATTERN] = "INSERT INTO execution_patterns(" PATTERN_COLUMNS ") VALUES(NULL,?,?,?,?,?,?,?,?,?,?,?,?)",
    [INSERT_METRIC] = "INSERT INTO performance_metrics(id, component_name, metric_name, metric_value, "
                      "baseline_value, improvement_percentage, measured_at) VALUES(NULL,?,?,?,?,?,?)",
    [WEIGH] = "UPDATE execution_patterns SET confidence_score=?, updated_at=? WHERE id=?",
    [CLEAN_UP] = "DELETE FROM execution_patterns WHERE created_at<?",
    [READ] = "SELECT " PATTERN_COLUMNS " FROM execution_patterns WHERE id=?",
    [TOP] = "SELECT id, pattern_used, confidence_score FROM execution_patterns WHERE task_type=? AND "
            "success_rate>=? AND confidence_score>=? ORDER BY confidence_score DESC, id LIMIT ?",
    [HISTORY_OF_COMPONENT] = "SELECT id, metric_name, metric_value, baseline_value, improvement_percentage, "
                             "measured_at FROM performance_metrics WHERE component_name=? "
                             "ORDER BY measured_at DESC, id DESC LIMIT ?",
    [HISTORY_OF_METRIC] = "SELECT id, metric_name, metric_value, baseline_value, improvement_percentage, "
                          "measured_at FROM performance_metrics WHERE component_name=? AND metric_name=? "
                          "ORDER BY measured_at DESC, id DESC LIMIT ?",
    [GROUP] = "SELECT task_type, count(*), avg(execution_time), avg(success_rate) FROM execution_patterns "
              "GROUP BY task_type",
    [COUNT] = "SELECT count(*) FROM execution_patterns",
};

struct sqlite_store {
    sqlite3         *db;
    char             path[4096];
    const char      *synchronous;
    pthread_mutex_t *turn; /* of a database in memory, the connection's; NULL: the connection is one thread's */
    sqlite3_stmt    *statements[STATEMENT_COUNT];
};

static void
check(struct sqlite_store *store, int result, const char *what)
{
    if (result != SQLITE_OK && result != SQLITE_DONE && result != SQLITE_ROW)
        fail("sqlite: %s: %s", what, sqlite3_errmsg(store->db));
}

static void
run(struct sqlite_store *store, const char *sql)
{
    check(store, sqlite3_exec(store->db, sql, NULL, NULL, NULL), sql);
}

static sqlite3_stmt *
prepare(struct sqlite_store *store, const char *sql)
{
    sqlite3_stmt *statement = NULL;

    check(store, sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL), sql);
    return statement;
}

static void
step_once(struct sqlite_store *store, sqlite3_stmt *statement)
{
    int result = sqlite3_step(statement);

    if (result != SQLITE_DONE)
        fail("sqlite: %s", sqlite3_errmsg(store->db));
    sqlite3_reset(statement);
}

/* Answered along an index that carries the answer, in its order? */
static void
check_plan(struct sqlite_store *store, const char *question)
{
    char          sql[512];
    sqlite3_stmt *plan;
    int           result;

    snprintf(sql, sizeof sql, "EXPLAIN QUERY PLAN %s", question);
    plan = prepare(store, sql);
    while ((result = sqlite3_step(plan)) == SQLITE_ROW) {
        const char *step = (const char *) sqlite3_column_text(plan, 3);

        if (strstr(step, "COVERING INDEX") == NULL)
            fail("sqlite: %s: %s", question, step);
    }
    check(store, result, "plan");
    sqlite3_finalize(plan);
}

/* Once, before anything is timed and before there are threads. */
static void
check_plans(struct sqlite_store *store)
{
    static bool is_checked;

    if (is_checked)
        return;
    for (int i = TOP; i <= GROUP; i++)
        check_plan(store, statement_texts[i]);
    is_checked = true;
}

static void
connect(struct sqlite_store *store)
{
    char pragma[64];

    if (sqlite3_open_v2(store->path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK)
        fail("sqlite: %s: %s", store->path, sqlite3_errmsg(store->db));
    sqlite3_busy_timeout(store->db, BUSY_MS);
    if (store->turn == NULL) {
        run(store, "PRAGMA journal_mode=WAL");
        snprintf(pragma, sizeof pragma, "PRAGMA synchronous=%s", store->synchronous);
        run(store, pragma);
        run(store, "PRAGMA cache_size=-65536");
        run(store, "PRAGMA mmap_size=1073741824");
    }
    run(store, "CREATE TABLE IF NOT EXISTS execution_patterns(id INTEGER PRIMARY KEY, task_type TEXT, "
               "pattern_used TEXT, execution_time REAL, success_rate REAL, confidence_score REAL, "
               "agent_count INTEGER, complexity_level TEXT, tools_used TEXT, context_factors TEXT, "
               "created_at REAL, updated_at REAL, usage_count INTEGER)");
    run(store, "CREATE INDEX IF NOT EXISTS pattern_by_confidence ON execution_patterns(task_type, "
               "confidence_score DESC, id, success_rate, pattern_used, execution_time)");
    run(store, "CREATE TABLE IF NOT EXISTS performance_metrics(id INTEGER PRIMARY KEY, component_name TEXT, "
               "metric_name TEXT, metric_value REAL, baseline_value REAL, improvement_percentage REAL, "
               "measured_at REAL)");
    run(store, "CREATE INDEX IF NOT EXISTS metric_by_name_and_time ON "
               "performance_metrics(component_name, metric_name, measured_at, id, metric_value, "
               "baseline_value, improvement_percentage)");
    run(store, "CREATE INDEX IF NOT EXISTS metric_by_time ON performance_metrics(component_name, measured_at, id, "
               "metric_name, metric_value, baseline_value, improvement_percentage)");
    for (int i = 0; i < STATEMENT_COUNT; i++)
        store->statements[i] = prepare(store, statement_texts[i]);
    check_plans(store);
}

static struct sqlite_store *
store_new(void)
{
    struct sqlite_store *store = calloc(1, sizeof *store);

    if (store == NULL)
        fail("no memory");
    return store;
}

static void *
open_file(const char *directory, const char *synchronous)
{
    struct sqlite_store *store = store_new();

    snprintf(store->path, sizeof store->path, "%s/learning.db", directory);
    store->synchronous = synchronous;
    connect(store);
    return store;
}

static void *
open_normal(const char *directory)
{
    return open_file(directory, "NORMAL");
}

static void *
open_off(const char *directory)
{
    return open_file(directory, "OFF");
}

static void *
open_memory(const char *directory)
{
    struct sqlite_store *store = store_new();

    (void) directory; /* keeps nothing */
    snprintf(store->path, sizeof store->path, ":memory:");
    store->turn = malloc(sizeof *store->turn);
    if (store->turn == NULL || pthread_mutex_init(store->turn, NULL) != 0)
        fail("no memory");
    connect(store);
    return store;
}

static void
sqlite_close(void *handle)
{
    struct sqlite_store *store = handle;

    for (int i = 0; i < STATEMENT_COUNT; i++)
        sqlite3_finalize(store->statements[i]);
    check(store, sqlite3_close(store->db), "close");
    if (store->turn != NULL)
        pthread_mutex_destroy(store->turn);
    free(store->turn);
    free(store);
}

static void *
session_begin(void *handle)
{
    const struct sqlite_store *store = handle;
    struct sqlite_store       *session;

    session = store_new();
    snprintf(session->path, sizeof session->path, "%s", store->path);
    session->synchronous = store->synchronous;
    connect(session);
    return session;
}

static void
take_turn(struct sqlite_store *store)
{
    if (store->turn != NULL)
        pthread_mutex_lock(store->turn);
}

static void
end_turn(struct sqlite_store *store)
{
    if (store->turn != NULL)
        pthread_mutex_unlock(store->turn);
}

static void
bind_text(sqlite3_stmt *statement, int place, struct text text)
{
    sqlite3_bind_text(statement, place, text.data, (int) text.length, SQLITE_STATIC);
}

static void
insert_pattern(struct sqlite_store *store, const struct pattern_row *row)
{
    sqlite3_stmt *insert = store->statements[INSERT_PATTERN];

    bind_text(insert, 1, row->task_type);
    bind_text(insert, 2, row->pattern_used);
    sqlite3_bind_double(insert, 3, row->execution_time);
    sqlite3_bind_double(insert, 4, row->success_rate);
    sqlite3_bind_double(insert, 5, row->confidence_score);
    sqlite3_bind_int64(insert, 6, row->agent_count);
    bind_text(insert, 7, row->complexity_level);
    bind_text(insert, 8, row->tools_used);
    bind_text(insert, 9, row->context_factors);
    sqlite3_bind_double(insert, 10, row->created_at);
    sqlite3_bind_double(insert, 11, row->updated_at);
    sqlite3_bind_int64(insert, 12, row->usage_count);
    step_once(store, insert);
}

static void
sqlite_pattern_store(void *handle, const struct pattern_row *row)
{
    struct sqlite_store *store = handle;

    take_turn(store);
    insert_pattern(store, row);
    end_turn(store);
}

static void
sqlite_patterns_store(void *handle, const struct pattern_row *rows, size_t count)
{
    struct sqlite_store *store = handle;

    take_turn(store);
    step_once(store, store->statements[BEGIN]);
    for (size_t i = 0; i < count; i++)
        insert_pattern(store, &rows[i]);
    step_once(store, store->statements[COMMIT]);
    end_turn(store);
}

static void
sqlite_metrics_store(void *handle, const struct metric_row *rows, size_t count)
{
    struct sqlite_store *store = handle;
    sqlite3_stmt        *insert = store->statements[INSERT_METRIC];

    take_turn(store);
    step_once(store, store->statements[BEGIN]);
    for (size_t i = 0; i < count; i++) {
        bind_text(insert, 1, rows[i].component_name);
        bind_text(insert, 2, rows[i].metric_name);
        sqlite3_bind_double(insert, 3, rows[i].metric_value);
        sqlite3_bind_double(insert, 4, rows[i].baseline_value);
        sqlite3_bind_double(insert, 5, rows[i].improvement_percentage);
        sqlite3_bind_double(insert, 6, rows[i].measured_at);
        step_once(store, insert);
    }
    step_once(store, store->statements[COMMIT]);
    end_turn(store);
}

static void
sqlite_patterns_weigh(void *handle, const struct weight *weights, size_t count)
{
    struct sqlite_store *store = handle;
    sqlite3_stmt        *weigh = store->statements[WEIGH];

    take_turn(store);
    if (count > 1)
        step_once(store, store->statements[BEGIN]);
    for (size_t i = 0; i < count; i++) {
        struct timespec now;

        clock_gettime(CLOCK_REALTIME, &now);
        sqlite3_bind_double(weigh, 1, weights[i].weight);
        sqlite3_bind_double(weigh, 2, (double) now.tv_sec + (double) now.tv_nsec / 1e9);
        sqlite3_bind_int64(weigh, 3, weights[i].id);
        step_once(store, weigh);
    }
    if (count > 1)
        step_once(store, store->statements[COMMIT]);
    end_turn(store);
}

static uint64_t
sqlite_patterns_clean_up(void *handle, double created_before)
{
    struct sqlite_store *store = handle;
    uint64_t             deleted;

    take_turn(store);
    sqlite3_bind_double(store->statements[CLEAN_UP], 1, created_before);
    step_once(store, store->statements[CLEAN_UP]);
    deleted = (uint64_t) sqlite3_changes(store->db);
    end_turn(store);
    return deleted;
}

static struct text
column_text(sqlite3_stmt *statement, int column)
{
    struct text text;

    text.data = (const char *) sqlite3_column_text(statement, column);
    text.length = (size_t) sqlite3_column_bytes(statement, column);
    return text;
}

static bool
sqlite_pattern_read(void *handle, int64_t id, see_pattern see, void *context)
{
    struct sqlite_store *store = handle;
    sqlite3_stmt        *select = store->statements[READ];
    struct pattern_row   row;
    int                  result;

    take_turn(store);
    sqlite3_bind_int64(select, 1, id);
    result = sqlite3_step(select);
    check(store, result, "read");
    if (result == SQLITE_ROW) {
        row.id = sqlite3_column_int64(select, 0);
        row.task_type = column_text(select, 1);
        row.pattern_used = column_text(select, 2);
        row.execution_time = sqlite3_column_double(select, 3);
        row.success_rate = sqlite3_column_double(select, 4);
        row.confidence_score = sqlite3_column_double(select, 5);
        row.agent_count = sqlite3_column_int64(select, 6);
        row.complexity_level = column_text(select, 7);
        row.tools_used = column_text(select, 8);
        row.context_factors = column_text(select, 9);
        row.created_at = sqlite3_column_double(select, 10);
        row.updated_at = sqlite3_column_double(select, 11);
        row.usage_count = sqlite3_column_int64(select, 12);
        see(context, &row);
    }
    sqlite3_reset(select);
    end_turn(store);
    return result == SQLITE_ROW;
}

static void
sqlite_patterns_top(void *handle, const struct top_query *query, see_pattern see, void *context)
{
    struct sqlite_store *store = handle;
    sqlite3_stmt        *select = store->statements[TOP];
    struct pattern_row   row;
    int                  result;

    memset(&row, 0, sizeof row);
    take_turn(store);
    bind_text(select, 1, query->task_type);
    sqlite3_bind_double(select, 2, query->success_rate_min);
    sqlite3_bind_double(select, 3, query->confidence_score_min);
    sqlite3_bind_int64(select, 4, query->limit);
    while ((result = sqlite3_step(select)) == SQLITE_ROW) {
        row.id = sqlite3_column_int64(select, 0);
        row.pattern_used = column_text(select, 1);
        row.confidence_score = sqlite3_column_double(select, 2);
        see(context, &row);
    }
    check(store, result, "top");
    sqlite3_reset(select);
    end_turn(store);
}

static void
sqlite_metrics_history(void *handle, const struct history_query *query, see_metric see, void *context)
{
    struct sqlite_store *store = handle;
    bool                 is_of_one_metric = query->metric_name.data != NULL;
    sqlite3_stmt        *select = store->statements[is_of_one_metric ? HISTORY_OF_METRIC : HISTORY_OF_COMPONENT];
    struct metric_row    row;
    int                  result;

    memset(&row, 0, sizeof row);
    take_turn(store);
    bind_text(select, 1, query->component_name);
    if (is_of_one_metric)
        bind_text(select, 2, query->metric_name);
    sqlite3_bind_int64(select, is_of_one_metric ? 3 : 2, query->limit);
    while ((result = sqlite3_step(select)) == SQLITE_ROW) {
        row.id = sqlite3_column_int64(select, 0);
        row.metric_name = column_text(select, 1);
        row.metric_value = sqlite3_column_double(select, 2);
        row.baseline_value = sqlite3_column_double(select, 3);
        row.improvement_percentage = sqlite3_column_double(select, 4);
        row.measured_at = sqlite3_column_double(select, 5);
        see(context, &row);
    }
    check(store, result, "history");
    sqlite3_reset(select);
    end_turn(store);
}

static void
sqlite_patterns_grouped(void *handle, see_group see, void *context)
{
    struct sqlite_store *store = handle;
    sqlite3_stmt        *select = store->statements[GROUP];
    int                  result;

    take_turn(store);
    while ((result = sqlite3_step(select)) == SQLITE_ROW) {
        struct group_row row = { .task_type = column_text(select, 0),
                                 .count = (uint64_t) sqlite3_column_int64(select, 1),
                                 .execution_time_mean = sqlite3_column_double(select, 2),
                                 .success_rate_mean = sqlite3_column_double(select, 3) };
        see(context, &row);
    }
    check(store, result, "group");
    sqlite3_reset(select);
    end_turn(store);
}

static uint64_t
sqlite_pattern_count(void *handle)
{
    struct sqlite_store *store = handle;
    sqlite3_stmt        *select = store->statements[COUNT];
    uint64_t             count;

    take_turn(store);
    check(store, sqlite3_step(select), "count");
    count = (uint64_t) sqlite3_column_int64(select, 0);
    sqlite3_reset(select);
    end_turn(store);
    return count;
}

static void
sqlite_settle(void *handle)
{
    run(handle, "PRAGMA wal_checkpoint(TRUNCATE)");
}

#define SQLITE_CALLS                                                                             \
    .version = sqlite3_libversion, .close = sqlite_close, .pattern_store = sqlite_pattern_store, \
    .patterns_store = sqlite_patterns_store, .metrics_store = sqlite_metrics_store,              \
    .patterns_weigh = sqlite_patterns_weigh, .patterns_clean_up = sqlite_patterns_clean_up,      \
    .pattern_read = sqlite_pattern_read, .patterns_top = sqlite_patterns_top,                    \
    .metrics_history = sqlite_metrics_history, .patterns_grouped = sqlite_patterns_grouped,      \
    .pattern_count = sqlite_pattern_count

const struct adapter adapter_sqlite = {
    .name = "sqlite",
    .title = "SQLite",
    .how = "file, WAL, synchronous=NORMAL, prepared statements, an index for each question that carries its answer, "
           "64 MiB cache, mmap; commits survive a killed process",
    .is_kept = true,
    .open = open_normal,
    .session_begin = session_begin,
    .session_end = sqlite_close,
    .settle = sqlite_settle,
    SQLITE_CALLS,
};

const struct adapter adapter_sqlite_off = {
    .name = "sqlite-off",
    .title = "SQLite off",
    .how = "the same with synchronous=OFF; commits survive a killed process",
    .is_kept = true,
    .open = open_off,
    .session_begin = session_begin,
    .session_end = sqlite_close,
    .settle = sqlite_settle,
    SQLITE_CALLS,
};

const struct adapter adapter_sqlite_memory = {
    .name = "sqlite-memory",
    .title = "SQLite mem",
    .how = "the same in \":memory:\", one connection taken in turn; keeps nothing",
    .is_kept = false,
    .open = open_memory,
    SQLITE_CALLS,
};
