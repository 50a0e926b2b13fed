/* adapter_sqlite.c - SQLite, as someone who knows it would set it up.
 *
 * A file in WAL mode with synchronous=NORMAL: a commit survives the death of the
 * process, not always a power cut, which is what knackdb's default promises, too.
 * Every statement is prepared once; texts are bound without a copy; the indexes are
 * the ones the questions ask for; 64 MiB of page cache and a 1 GiB map for reads. */
#include "adapter.h"
#include "failure.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#define PATTERN_COLUMNS                                                                                       \
    "id, task_type, pattern_used, execution_time, success_rate, confidence_score, agent_count, "              \
    "complexity_level, tools_used, context_factors, created_at, updated_at, usage_count"

struct sqlite_store {
    sqlite3      *db;
    sqlite3_stmt *begin, *commit;
    sqlite3_stmt *pattern_insert, *pattern_select, *pattern_top, *pattern_count;
    sqlite3_stmt *metric_insert, *metric_history;
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

static void *
sqlite_store_open(const char *directory)
{
    struct sqlite_store *store = calloc(1, sizeof *store);
    char                 path[4096];

    if (store == NULL)
        fail("no memory");
    snprintf(path, sizeof path, "%s/learning.db", directory);
    if (sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK)
        fail("sqlite: %s: %s", path, sqlite3_errmsg(store->db));
    run(store, "PRAGMA journal_mode=WAL");
    run(store, "PRAGMA synchronous=NORMAL");
    run(store, "PRAGMA cache_size=-65536");
    run(store, "PRAGMA mmap_size=1073741824");
    run(store, "CREATE TABLE IF NOT EXISTS execution_patterns(id INTEGER PRIMARY KEY, task_type TEXT, "
               "pattern_used TEXT, execution_time REAL, success_rate REAL, confidence_score REAL, "
               "agent_count INTEGER, complexity_level TEXT, tools_used TEXT, context_factors TEXT, "
               "created_at REAL, updated_at REAL, usage_count INTEGER)");
    run(store, "CREATE INDEX IF NOT EXISTS pattern_by_confidence ON "
               "execution_patterns(task_type, confidence_score DESC)");
    run(store, "CREATE TABLE IF NOT EXISTS performance_metrics(id INTEGER PRIMARY KEY, component_name TEXT, "
               "metric_name TEXT, metric_value REAL, baseline_value REAL, measured_at REAL)");
    run(store, "CREATE INDEX IF NOT EXISTS metric_by_time ON "
               "performance_metrics(component_name, metric_name, measured_at)");

    store->begin = prepare(store, "BEGIN");
    store->commit = prepare(store, "COMMIT");
    store->pattern_insert = prepare(store, "INSERT INTO execution_patterns(" PATTERN_COLUMNS
                                           ") VALUES(NULL,?,?,?,?,?,?,?,?,?,?,?,?)");
    store->pattern_select = prepare(store, "SELECT " PATTERN_COLUMNS " FROM execution_patterns WHERE id=?");
    store->pattern_top = prepare(store, "SELECT id, pattern_used, confidence_score FROM execution_patterns "
                                        "WHERE task_type=? AND success_rate>=? AND confidence_score>=? "
                                        "ORDER BY confidence_score DESC, id LIMIT ?");
    store->pattern_count = prepare(store, "SELECT count(*) FROM execution_patterns");
    store->metric_insert = prepare(store, "INSERT INTO performance_metrics(id, component_name, metric_name, "
                                          "metric_value, baseline_value, measured_at) VALUES(NULL,?,?,?,?,?)");
    store->metric_history = prepare(store, "SELECT id, metric_value, baseline_value, measured_at FROM "
                                           "performance_metrics WHERE component_name=? AND metric_name=? "
                                           "ORDER BY measured_at DESC, id DESC LIMIT ?");
    return store;
}

static void
sqlite_store_close(void *handle)
{
    struct sqlite_store *store = handle;

    sqlite3_finalize(store->begin);
    sqlite3_finalize(store->commit);
    sqlite3_finalize(store->pattern_insert);
    sqlite3_finalize(store->pattern_select);
    sqlite3_finalize(store->pattern_top);
    sqlite3_finalize(store->pattern_count);
    sqlite3_finalize(store->metric_insert);
    sqlite3_finalize(store->metric_history);
    check(store, sqlite3_close(store->db), "close");
    free(store);
}

static void
bind_text(sqlite3_stmt *statement, int place, struct text text)
{
    sqlite3_bind_text(statement, place, text.data, (int) text.length, SQLITE_STATIC);
}

static void
sqlite_pattern_store(void *handle, const struct pattern_row *row)
{
    struct sqlite_store *store = handle;
    sqlite3_stmt        *insert = store->pattern_insert;

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
sqlite_patterns_store(void *handle, const struct pattern_row *rows, size_t count)
{
    struct sqlite_store *store = handle;

    step_once(store, store->begin);
    for (size_t i = 0; i < count; i++)
        sqlite_pattern_store(store, &rows[i]);
    step_once(store, store->commit);
}

static void
sqlite_metrics_store(void *handle, const struct metric_row *rows, size_t count)
{
    struct sqlite_store *store = handle;
    sqlite3_stmt        *insert = store->metric_insert;

    step_once(store, store->begin);
    for (size_t i = 0; i < count; i++) {
        bind_text(insert, 1, rows[i].component_name);
        bind_text(insert, 2, rows[i].metric_name);
        sqlite3_bind_double(insert, 3, rows[i].metric_value);
        sqlite3_bind_double(insert, 4, rows[i].baseline_value);
        sqlite3_bind_double(insert, 5, rows[i].measured_at);
        step_once(store, insert);
    }
    step_once(store, store->commit);
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
    sqlite3_stmt        *select = store->pattern_select;
    struct pattern_row   row;
    int                  result;

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
    return result == SQLITE_ROW;
}

static void
sqlite_patterns_top(void *handle, const struct top_query *query, see_pattern see, void *context)
{
    struct sqlite_store *store = handle;
    sqlite3_stmt        *select = store->pattern_top;
    struct pattern_row   row;
    int                  result;

    memset(&row, 0, sizeof row);
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
}

static void
sqlite_metrics_history(void *handle, const struct history_query *query, see_metric see, void *context)
{
    struct sqlite_store *store = handle;
    sqlite3_stmt        *select = store->metric_history;
    struct metric_row    row;
    int                  result;

    memset(&row, 0, sizeof row);
    bind_text(select, 1, query->component_name);
    bind_text(select, 2, query->metric_name);
    sqlite3_bind_int64(select, 3, query->limit);
    while ((result = sqlite3_step(select)) == SQLITE_ROW) {
        row.id = sqlite3_column_int64(select, 0);
        row.metric_value = sqlite3_column_double(select, 1);
        row.baseline_value = sqlite3_column_double(select, 2);
        row.measured_at = sqlite3_column_double(select, 3);
        see(context, &row);
    }
    check(store, result, "history");
    sqlite3_reset(select);
}

static uint64_t
sqlite_pattern_count(void *handle)
{
    struct sqlite_store *store = handle;
    uint64_t             count;

    check(store, sqlite3_step(store->pattern_count), "count");
    count = (uint64_t) sqlite3_column_int64(store->pattern_count, 0);
    sqlite3_reset(store->pattern_count);
    return count;
}

static void
sqlite_settle(void *handle)
{
    run(handle, "PRAGMA wal_checkpoint(TRUNCATE)");
}

const struct adapter adapter_sqlite = {
    .name = "sqlite",
    .title = "SQLite",
    .how = "file, WAL, synchronous=NORMAL, prepared statements, index for each question, 64 MiB cache, mmap; "
           "commits survive a killed process",
    .is_kept = true,
    .version = sqlite3_libversion,
    .open = sqlite_store_open,
    .close = sqlite_store_close,
    .pattern_store = sqlite_pattern_store,
    .patterns_store = sqlite_patterns_store,
    .metrics_store = sqlite_metrics_store,
    .pattern_read = sqlite_pattern_read,
    .patterns_top = sqlite_patterns_top,
    .metrics_history = sqlite_metrics_history,
    .pattern_count = sqlite_pattern_count,
    .settle = sqlite_settle,
};
