/* adapter_lmdb.c - LMDB, as someone who knows it and the questions would use it.
 *
 * One environment, five databases, each a B+tree of keys and values:
 *
 *     patterns    id (an integer key, always appended)                 -> the row
 *     best        task_type, confidence falling, id                    -> success_rate, pattern_used
 *     metrics     component, metric, measured_at falling, id falling   -> the row
 *     histories   component, measured_at falling, id falling           -> the row
 *     counters    "metrics"                                            -> the id given last
 *
 * So every question is one descent and a walk along its answers: `best` carries what
 * its answer consists of, and metrics, which nobody asks for by id, lie in the two
 * orders in which they are asked for. The price is paid at each store: a row and its
 * index entries are one write transaction.
 *
 * Readers keep one read transaction each, renewed for every question, where a new one would
 * be allocated; only cursors are. Answers are read where they lie in the map. A write transaction excludes
 * other writers by itself.
 *
 *     sync     as LMDB comes: every commit waits for the disk
 *     nosync   WRITEMAP, NOSYNC, MAPASYNC: commits are stores into the mapped file. They
 *              survive the process, not the machine; LMDB does not promise that the file
 *              is whole after a power cut then
 */
#include "adapter.h"
#include "failure.h"
#include "grouping.h"
#include "packed_row.h"

#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MAP_BYTES ((size_t) 64 << 30) /* address space and a sparse file, no memory */

enum { PATTERNS, BEST, METRICS, HISTORIES, COUNTERS, DATABASE_COUNT };

struct lmdb_store {
    MDB_env           *env;
    MDB_dbi            databases[DATABASE_COUNT];
    MDB_txn           *reading; /* reset while no question is asked */
    struct lmdb_store *parent;  /* of a session; NULL for the store itself */
};

static void
check(int result, const char *what)
{
    if (result != MDB_SUCCESS)
        fail("lmdb: %s: %s", what, mdb_strerror(result));
}

static MDB_val
value_of(struct packed *packed)
{
    MDB_val value = { packed->length, packed->bytes };
    return value;
}

static struct text
text_in(MDB_val value)
{
    struct text text = { value.mv_data, value.mv_size };
    return text;
}

static int64_t
integer_in(MDB_val value)
{
    int64_t integer;

    memcpy(&integer, value.mv_data, sizeof integer);
    return integer;
}

/* ---- life -------------------------------------------------------------------- */

static struct lmdb_store *
store_new(void)
{
    struct lmdb_store *store = calloc(1, sizeof *store);

    if (store == NULL)
        fail("no memory");
    return store;
}

static void
begin_reading(struct lmdb_store *store)
{
    check(mdb_txn_begin(store->env, NULL, MDB_RDONLY, &store->reading), "begin a read transaction");
    mdb_txn_reset(store->reading);
}

static void *
open_with(const char *directory, unsigned flags)
{
    static const struct {
        const char *name;
        unsigned    flags;
    } databases[DATABASE_COUNT] = {
        [PATTERNS] = { "patterns", MDB_INTEGERKEY },
        [BEST] = { "best", 0 },
        [METRICS] = { "metrics", 0 },
        [HISTORIES] = { "histories", 0 },
        [COUNTERS] = { "counters", 0 },
    };
    struct lmdb_store *store = store_new();
    MDB_txn           *txn;

    check(mdb_env_create(&store->env), "create");
    check(mdb_env_set_mapsize(store->env, MAP_BYTES), "map size");
    check(mdb_env_set_maxdbs(store->env, DATABASE_COUNT), "databases");
    check(mdb_env_open(store->env, directory, MDB_NOTLS | flags, 0600), directory);
    check(mdb_txn_begin(store->env, NULL, 0, &txn), "begin");
    for (int i = 0; i < DATABASE_COUNT; i++)
        check(mdb_dbi_open(txn, databases[i].name, MDB_CREATE | databases[i].flags, &store->databases[i]),
              databases[i].name);
    check(mdb_txn_commit(txn), "commit");
    begin_reading(store);
    return store;
}

static void *
open_sync(const char *directory)
{
    return open_with(directory, 0);
}

static void *
open_nosync(const char *directory)
{
    return open_with(directory, MDB_WRITEMAP | MDB_NOSYNC | MDB_MAPASYNC);
}

static void
lmdb_close(void *handle)
{
    struct lmdb_store *store = handle;

    mdb_txn_abort(store->reading);
    if (store->parent == NULL)
        mdb_env_close(store->env);
    free(store);
}

static void *
lmdb_session_begin(void *handle)
{
    struct lmdb_store *session = store_new();

    *session = *(struct lmdb_store *) handle;
    session->parent = handle;
    begin_reading(session);
    return session;
}

static const char *
lmdb_version_text(void)
{
    static char text[32];
    int         major, minor, patch;

    mdb_version(&major, &minor, &patch);
    snprintf(text, sizeof text, "%d.%d.%d", major, minor, patch);
    return text;
}

/* ---- storing ----------------------------------------------------------------- */

static MDB_txn *
begin_writing(struct lmdb_store *store)
{
    MDB_txn *txn;

    check(mdb_txn_begin(store->env, NULL, 0, &txn), "begin");
    return txn;
}

static void
best_key(struct packed *key, const struct pattern_row *row, int64_t id)
{
    key_begin(key, "");
    key_add_text(key, row->task_type);
    key_add_real_falling(key, row->confidence_score);
    key_add_integer(key, id);
}

static void
put_best(struct lmdb_store *store, MDB_txn *txn, const struct pattern_row *row, int64_t id)
{
    struct packed key, packed;
    MDB_val       name, value;

    best_key(&key, row, id);
    pack_choice(&packed, row);
    name = value_of(&key);
    value = value_of(&packed);
    check(mdb_put(txn, store->databases[BEST], &name, &value, 0), "put into best");
}

static void
lmdb_patterns_store(void *handle, const struct pattern_row *rows, size_t count)
{
    struct lmdb_store *store = handle;
    MDB_txn           *txn = begin_writing(store);
    MDB_cursor        *cursor;
    MDB_val            name, value;
    size_t             id;
    int                result;

    check(mdb_cursor_open(txn, store->databases[PATTERNS], &cursor), "cursor");
    result = mdb_cursor_get(cursor, &name, &value, MDB_LAST);
    if (result != MDB_NOTFOUND)
        check(result, "last id");
    id = result == MDB_NOTFOUND ? 0 : (size_t) integer_in(name);
    for (size_t i = 0; i < count; i++) {
        struct packed packed;

        id++;
        pack_pattern(&packed, &rows[i]);
        name.mv_size = sizeof id;
        name.mv_data = &id;
        value = value_of(&packed);
        check(mdb_cursor_put(cursor, &name, &value, MDB_APPEND), "put into patterns");
        put_best(store, txn, &rows[i], (int64_t) id);
    }
    mdb_cursor_close(cursor);
    check(mdb_txn_commit(txn), "commit");
}

static void
lmdb_pattern_store(void *handle, const struct pattern_row *row)
{
    lmdb_patterns_store(handle, row, 1);
}

static void
lmdb_metrics_store(void *handle, const struct metric_row *rows, size_t count)
{
    struct lmdb_store *store = handle;
    MDB_txn           *txn = begin_writing(store);
    char               counter_name[] = "metrics";
    MDB_val            counter = { sizeof counter_name - 1, counter_name }, name, value;
    int                result = mdb_get(txn, store->databases[COUNTERS], &counter, &value);
    int64_t            id = 0;

    if (result != MDB_NOTFOUND) {
        check(result, "counter");
        id = integer_in(value);
    }
    for (size_t i = 0; i < count; i++) {
        struct packed key, packed;

        id++;
        pack_metric(&packed, &rows[i]);
        value = value_of(&packed);

        key_begin(&key, "");
        key_add_text(&key, rows[i].component_name);
        key_add_text(&key, rows[i].metric_name);
        key_add_real_falling(&key, rows[i].measured_at);
        key_add_integer_falling(&key, id);
        name = value_of(&key);
        check(mdb_put(txn, store->databases[METRICS], &name, &value, 0), "put into metrics");

        key_begin(&key, "");
        key_add_text(&key, rows[i].component_name);
        key_add_real_falling(&key, rows[i].measured_at);
        key_add_integer_falling(&key, id);
        name = value_of(&key);
        check(mdb_put(txn, store->databases[HISTORIES], &name, &value, 0), "put into histories");
    }
    value.mv_size = sizeof id;
    value.mv_data = &id;
    check(mdb_put(txn, store->databases[COUNTERS], &counter, &value, 0), "counter");
    check(mdb_txn_commit(txn), "commit");
}

static void
lmdb_patterns_weigh(void *handle, const struct weight *weights, size_t count)
{
    struct lmdb_store *store = handle;
    MDB_txn           *txn = begin_writing(store);

    for (size_t i = 0; i < count; i++) {
        size_t             id = (size_t) weights[i].id;
        MDB_val            name = { sizeof id, &id }, value, old;
        struct packed      before, packed, key;
        struct pattern_row row;
        struct timespec    now;

        check(mdb_get(txn, store->databases[PATTERNS], &name, &value), "a row to weigh");
        before.length = value.mv_size; /* what is read ends with the next write */
        memcpy(before.bytes, value.mv_data, value.mv_size);
        unpack_pattern((struct text) { before.bytes, before.length }, weights[i].id, &row);
        best_key(&key, &row, weights[i].id);
        old = value_of(&key);
        check(mdb_del(txn, store->databases[BEST], &old, NULL), "delete from best");
        clock_gettime(CLOCK_REALTIME, &now);
        row.confidence_score = weights[i].weight;
        row.updated_at = (double) now.tv_sec + (double) now.tv_nsec / 1e9;
        put_best(store, txn, &row, weights[i].id);
        pack_pattern(&packed, &row);
        value = value_of(&packed);
        check(mdb_put(txn, store->databases[PATTERNS], &name, &value, 0), "put into patterns");
    }
    check(mdb_txn_commit(txn), "commit");
}

static uint64_t
lmdb_patterns_clean_up(void *handle, double created_before)
{
    struct lmdb_store *store = handle;
    MDB_txn           *txn = begin_writing(store);
    MDB_cursor        *cursor;
    MDB_val            name, value;
    uint64_t           deleted = 0;
    int                result;

    check(mdb_cursor_open(txn, store->databases[PATTERNS], &cursor), "cursor");
    while ((result = mdb_cursor_get(cursor, &name, &value, MDB_NEXT)) == MDB_SUCCESS) {
        struct pattern_row row;
        struct packed      key;
        MDB_val            old;

        unpack_pattern(text_in(value), integer_in(name), &row);
        if (row.created_at >= created_before)
            continue;
        best_key(&key, &row, row.id);
        old = value_of(&key);
        check(mdb_del(txn, store->databases[BEST], &old, NULL), "delete from best");
        check(mdb_cursor_del(cursor, 0), "delete from patterns");
        deleted++;
    }
    if (result != MDB_NOTFOUND)
        check(result, "walk");
    mdb_cursor_close(cursor);
    check(mdb_txn_commit(txn), "commit");
    return deleted;
}

/* ---- asking ------------------------------------------------------------------ */

static bool
lmdb_pattern_read(void *handle, int64_t id, see_pattern see, void *context)
{
    struct lmdb_store *store = handle;
    MDB_val            name = { sizeof id, &id }, value;
    int                result;

    check(mdb_txn_renew(store->reading), "renew");
    result = mdb_get(store->reading, store->databases[PATTERNS], &name, &value);
    if (result == MDB_SUCCESS) {
        struct pattern_row row;
        unpack_pattern(text_in(value), id, &row);
        see(context, &row);
    } else if (result != MDB_NOTFOUND) {
        check(result, "read");
    }
    mdb_txn_reset(store->reading);
    return result == MDB_SUCCESS;
}

/* Walks the entries of a database whose keys begin as `start` does, from the first that is not before it. */
struct walk {
    MDB_cursor   *cursor;
    struct packed start;
    MDB_val       name, value;
    int           result;
};

static bool
walk_is_on_one(const struct walk *walk)
{
    if (walk->result == MDB_NOTFOUND)
        return false;
    check(walk->result, "walk");
    return walk->name.mv_size >= walk->start.length &&
           memcmp(walk->name.mv_data, walk->start.bytes, walk->start.length) == 0;
}

static bool
walk_begin(struct walk *walk, struct lmdb_store *store, int database)
{
    check(mdb_txn_renew(store->reading), "renew");
    check(mdb_cursor_open(store->reading, store->databases[database], &walk->cursor), "cursor");
    walk->name = value_of(&walk->start);
    walk->result = mdb_cursor_get(walk->cursor, &walk->name, &walk->value, MDB_SET_RANGE);
    return walk_is_on_one(walk);
}

static bool
walk_next(struct walk *walk)
{
    walk->result = mdb_cursor_get(walk->cursor, &walk->name, &walk->value, MDB_NEXT);
    return walk_is_on_one(walk);
}

static void
walk_end(struct walk *walk, struct lmdb_store *store)
{
    mdb_cursor_close(walk->cursor);
    mdb_txn_reset(store->reading);
}

static void
lmdb_patterns_top(void *handle, const struct top_query *query, see_pattern see, void *context)
{
    struct lmdb_store *store = handle;
    struct walk        walk;
    uint32_t           found = 0;
    bool               is_there;

    key_begin(&walk.start, "");
    key_add_text(&walk.start, query->task_type);
    for (is_there = walk_begin(&walk, store, BEST); is_there && found < query->limit; is_there = walk_next(&walk)) {
        struct text        key = text_in(walk.name);
        struct pattern_row row = { .id = key_integer(key, 8), .confidence_score = key_real_falling(key, 16) };

        if (row.confidence_score < query->confidence_score_min)
            break;
        unpack_choice(text_in(walk.value), &row.success_rate, &row.pattern_used);
        if (row.success_rate < query->success_rate_min)
            continue;
        see(context, &row);
        found++;
    }
    walk_end(&walk, store);
}

static void
lmdb_metrics_history(void *handle, const struct history_query *query, see_metric see, void *context)
{
    struct lmdb_store *store = handle;
    bool               is_of_one_metric = query->metric_name.data != NULL;
    struct walk        walk;
    uint32_t           found = 0;
    bool               is_there;

    key_begin(&walk.start, "");
    key_add_text(&walk.start, query->component_name);
    if (is_of_one_metric)
        key_add_text(&walk.start, query->metric_name);
    for (is_there = walk_begin(&walk, store, is_of_one_metric ? METRICS : HISTORIES); is_there && found < query->limit;
         is_there = walk_next(&walk)) {
        struct metric_row row;

        unpack_metric(text_in(walk.value), key_integer_falling(text_in(walk.name), 8), &row);
        see(context, &row);
        found++;
    }
    walk_end(&walk, store);
}

static void
lmdb_patterns_grouped(void *handle, see_group see, void *context)
{
    struct lmdb_store *store = handle;
    struct grouping    grouping;
    struct walk        walk;
    bool               is_there;

    grouping_init(&grouping);
    walk.start.length = 0;
    check(mdb_txn_renew(store->reading), "renew");
    check(mdb_cursor_open(store->reading, store->databases[PATTERNS], &walk.cursor), "cursor");
    for (is_there = walk_next(&walk); is_there; is_there = walk_next(&walk)) {
        struct pattern_row row;

        unpack_pattern(text_in(walk.value), 0, &row);
        grouping_add(&grouping, row.task_type, row.execution_time, row.success_rate);
    }
    walk_end(&walk, store);
    grouping_see(&grouping, see, context);
}

static uint64_t
lmdb_pattern_count(void *handle)
{
    struct lmdb_store *store = handle;
    MDB_stat           stat;

    check(mdb_txn_renew(store->reading), "renew");
    check(mdb_stat(store->reading, store->databases[PATTERNS], &stat), "count");
    mdb_txn_reset(store->reading);
    return stat.ms_entries;
}

static void
lmdb_settle(void *handle)
{
    struct lmdb_store *store = handle;

    check(mdb_env_sync(store->env, 1), "sync");
}

#define LMDB_CALLS                                                                                                     \
    .is_kept = true, .version = lmdb_version_text, .close = lmdb_close, .session_begin = lmdb_session_begin,           \
    .session_end = lmdb_close, .pattern_store = lmdb_pattern_store, .patterns_store = lmdb_patterns_store,             \
    .metrics_store = lmdb_metrics_store, .patterns_weigh = lmdb_patterns_weigh,                                        \
    .patterns_clean_up = lmdb_patterns_clean_up, .pattern_read = lmdb_pattern_read, .patterns_top = lmdb_patterns_top, \
    .metrics_history = lmdb_metrics_history, .patterns_grouped = lmdb_patterns_grouped,                                \
    .pattern_count = lmdb_pattern_count, .settle = lmdb_settle

const struct adapter adapter_lmdb_sync = {
    .name = "lmdb",
    .title = "LMDB",
    .how = "as LMDB nosync, but every commit waits for the disk",
    .open = open_sync,
    LMDB_CALLS,
};

const struct adapter adapter_lmdb_nosync = {
    .name = "lmdb-nosync",
    .title = "LMDB nosync",
    .how = "an index database for each question, carrying its answer; WRITEMAP|NOSYNC|MAPASYNC; "
           "commits survive a killed process",
    .open = open_nosync,
    LMDB_CALLS,
};
