/* adapter_rocksdb.c - RocksDB, as someone who knows it and the questions would use it.
 *
 * One key space; the first byte of a key says what it is:
 *
 *     p id                                                    -> the pattern's row
 *     b task_type, confidence falling, id                     -> success_rate, pattern_used
 *     m component, metric, measured_at falling, id falling    -> the metric's row
 *     h component, measured_at falling, id falling            -> the metric's row
 *     n                                                       -> the metric id given last
 *
 * A question is one seek and a walk with an upper bound, so that nothing behind the last
 * answer is read. Each store is one write batch: WAL on, no sync, as RocksDB comes; what
 * a write returned survives a killed process. Bloom filters for reads by id; memtables of
 * 64 MiB; 512 MiB of block cache; LZ4; compactions on both cores.
 *
 * Pattern ids are given by a counter in this process, found again at open from the
 * greatest key; a new weight reads the row, and moves its index entry in the same batch. */
#include "adapter.h"
#include "failure.h"
#include "grouping.h"
#include "packed_row.h"

#include <rocksdb/c.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

struct rocks_store {
    rocksdb_t              *db;
    rocksdb_options_t      *options;
    rocksdb_writeoptions_t *write;
    rocksdb_readoptions_t  *read;
    atomic_llong            pattern_id; /* given last; any thread that stores adds to it */
    int64_t                 metric_id;  /* metrics are stored by one thread at a time */
};

/* Fails with RocksDB's own words, where there are any. */
static void
check(char *error, const char *what)
{
    if (error != NULL)
        fail("rocksdb: %s: %s", what, error);
}

static rocksdb_options_t *
options_new(void)
{
    rocksdb_options_t                   *options = rocksdb_options_create();
    rocksdb_block_based_table_options_t *tables = rocksdb_block_based_options_create();
    rocksdb_cache_t                     *cache = rocksdb_cache_create_lru((size_t) 512 << 20);

    rocksdb_block_based_options_set_filter_policy(tables, rocksdb_filterpolicy_create_bloom(10));
    rocksdb_block_based_options_set_block_cache(tables, cache);
    rocksdb_cache_destroy(cache); /* the options hold it */
    rocksdb_options_set_block_based_table_factory(options, tables);
    rocksdb_block_based_options_destroy(tables);
    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_options_set_write_buffer_size(options, (size_t) 64 << 20);
    rocksdb_options_set_compression(options, rocksdb_lz4_compression);
    rocksdb_options_increase_parallelism(options, 2);
    return options;
}

/* ---- walking ----------------------------------------------------------------- */

/* The entries whose keys begin as `start` does. The bound is the next prefix of that length. */
struct walk {
    struct packed          start, end;
    rocksdb_readoptions_t *read;
    rocksdb_iterator_t    *iterator;
};

static void
walk_begin(struct walk *walk, struct rocks_store *store)
{
    walk->end = walk->start;
    walk->end.bytes[walk->end.length - 1]++; /* no prefix here ends in 0xff */
    walk->read = rocksdb_readoptions_create();
    rocksdb_readoptions_set_iterate_upper_bound(walk->read, walk->end.bytes, walk->end.length);
    walk->iterator = rocksdb_create_iterator(store->db, walk->read);
    rocksdb_iter_seek(walk->iterator, walk->start.bytes, walk->start.length);
}

static struct text
walk_key(const struct walk *walk)
{
    struct text key;

    key.data = rocksdb_iter_key(walk->iterator, &key.length);
    return key;
}

static struct text
walk_value(const struct walk *walk)
{
    struct text value;

    value.data = rocksdb_iter_value(walk->iterator, &value.length);
    return value;
}

static void
walk_end(struct walk *walk)
{
    char *error = NULL;

    rocksdb_iter_get_error(walk->iterator, &error);
    check(error, "walk");
    rocksdb_iter_destroy(walk->iterator);
    rocksdb_readoptions_destroy(walk->read);
}

/* ---- life -------------------------------------------------------------------- */

static void
find_counters(struct rocks_store *store)
{
    struct walk walk;
    char       *error = NULL, *value;
    size_t      length;

    key_begin(&walk.start, "p");
    walk_begin(&walk, store);
    rocksdb_iter_seek_to_last(walk.iterator);
    if (rocksdb_iter_valid(walk.iterator) && walk_key(&walk).data[0] == 'p')
        store->pattern_id = key_integer(walk_key(&walk), 8);
    walk_end(&walk);
    value = rocksdb_get(store->db, store->read, "n", 1, &length, &error);
    check(error, "counter");
    if (value != NULL)
        memcpy(&store->metric_id, value, sizeof store->metric_id);
    rocksdb_free(value);
}

static void *
rocks_open(const char *directory)
{
    struct rocks_store *store = calloc(1, sizeof *store);
    char               *error = NULL;

    if (store == NULL)
        fail("no memory");
    store->options = options_new();
    store->write = rocksdb_writeoptions_create();
    store->read = rocksdb_readoptions_create();
    store->db = rocksdb_open(store->options, directory, &error);
    check(error, directory);
    find_counters(store);
    return store;
}

static void
rocks_close(void *handle)
{
    struct rocks_store *store = handle;

    rocksdb_close(store->db);
    rocksdb_readoptions_destroy(store->read);
    rocksdb_writeoptions_destroy(store->write);
    rocksdb_options_destroy(store->options);
    free(store);
}

/* ---- storing ----------------------------------------------------------------- */

static void
batch_put(rocksdb_writebatch_t *batch, const struct packed *key, const struct packed *value)
{
    rocksdb_writebatch_put(batch, key->bytes, key->length, value->bytes, value->length);
}

static void
write_batch(struct rocks_store *store, rocksdb_writebatch_t *batch)
{
    char *error = NULL;

    rocksdb_write(store->db, store->write, batch, &error);
    check(error, "write");
    rocksdb_writebatch_destroy(batch);
}

static void
row_key(struct packed *key, int64_t id)
{
    key_begin(key, "p");
    key_add_integer(key, id);
}

static void
best_key(struct packed *key, const struct pattern_row *row, int64_t id)
{
    key_begin(key, "b");
    key_add_text(key, row->task_type);
    key_add_real_falling(key, row->confidence_score);
    key_add_integer(key, id);
}

static void
batch_put_pattern(rocksdb_writebatch_t *batch, const struct pattern_row *row, int64_t id)
{
    struct packed key, value;

    row_key(&key, id);
    pack_pattern(&value, row);
    batch_put(batch, &key, &value);
    best_key(&key, row, id);
    pack_choice(&value, row);
    batch_put(batch, &key, &value);
}

static void
rocks_patterns_store(void *handle, const struct pattern_row *rows, size_t count)
{
    struct rocks_store   *store = handle;
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    int64_t               id = atomic_fetch_add(&store->pattern_id, (long long) count);

    for (size_t i = 0; i < count; i++)
        batch_put_pattern(batch, &rows[i], ++id);
    write_batch(store, batch);
}

static void
rocks_pattern_store(void *handle, const struct pattern_row *row)
{
    rocks_patterns_store(handle, row, 1);
}

static void
rocks_metrics_store(void *handle, const struct metric_row *rows, size_t count)
{
    struct rocks_store   *store = handle;
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();

    for (size_t i = 0; i < count; i++) {
        struct packed key, value;

        store->metric_id++;
        pack_metric(&value, &rows[i]);
        key_begin(&key, "m");
        key_add_text(&key, rows[i].component_name);
        key_add_text(&key, rows[i].metric_name);
        key_add_real_falling(&key, rows[i].measured_at);
        key_add_integer_falling(&key, store->metric_id);
        batch_put(batch, &key, &value);
        key_begin(&key, "h");
        key_add_text(&key, rows[i].component_name);
        key_add_real_falling(&key, rows[i].measured_at);
        key_add_integer_falling(&key, store->metric_id);
        batch_put(batch, &key, &value);
    }
    rocksdb_writebatch_put(batch, "n", 1, (const char *) &store->metric_id, sizeof store->metric_id);
    write_batch(store, batch);
}

/* One batch a row, as a later weight of the same row must find the earlier one. */
static void
rocks_patterns_weigh(void *handle, const struct weight *weights, size_t count)
{
    struct rocks_store *store = handle;

    for (size_t i = 0; i < count; i++) {
        rocksdb_writebatch_t    *batch = rocksdb_writebatch_create();
        struct packed            key;
        struct pattern_row       row;
        struct timespec          now;
        struct text              found;
        rocksdb_pinnableslice_t *slice;
        char                    *error = NULL;

        row_key(&key, weights[i].id);
        slice = rocksdb_get_pinned(store->db, store->read, key.bytes, key.length, &error);
        check(error, "a row to weigh");
        if (slice == NULL)
            fail("rocksdb: row %lld is gone", (long long) weights[i].id);
        found.data = rocksdb_pinnableslice_value(slice, &found.length);
        unpack_pattern(found, weights[i].id, &row);
        best_key(&key, &row, weights[i].id);
        rocksdb_writebatch_delete(batch, key.bytes, key.length);
        clock_gettime(CLOCK_REALTIME, &now);
        row.confidence_score = weights[i].weight;
        row.updated_at = (double) now.tv_sec + (double) now.tv_nsec / 1e9;
        batch_put_pattern(batch, &row, weights[i].id);
        write_batch(store, batch);
        rocksdb_pinnableslice_destroy(slice);
    }
}

static uint64_t
rocks_patterns_clean_up(void *handle, double created_before)
{
    struct rocks_store   *store = handle;
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    struct walk           walk;
    uint64_t              deleted = 0;

    key_begin(&walk.start, "p");
    for (walk_begin(&walk, store); rocksdb_iter_valid(walk.iterator); rocksdb_iter_next(walk.iterator)) {
        struct text        name = walk_key(&walk);
        struct pattern_row row;
        struct packed      key;

        unpack_pattern(walk_value(&walk), key_integer(name, 8), &row);
        if (row.created_at >= created_before)
            continue;
        rocksdb_writebatch_delete(batch, name.data, name.length);
        best_key(&key, &row, row.id);
        rocksdb_writebatch_delete(batch, key.bytes, key.length);
        deleted++;
    }
    walk_end(&walk);
    write_batch(store, batch);
    return deleted;
}

/* ---- asking ------------------------------------------------------------------ */

static bool
rocks_pattern_read(void *handle, int64_t id, see_pattern see, void *context)
{
    struct rocks_store      *store = handle;
    struct packed            key;
    struct pattern_row       row;
    rocksdb_pinnableslice_t *slice;
    struct text              found;
    char                    *error = NULL;

    row_key(&key, id);
    slice = rocksdb_get_pinned(store->db, store->read, key.bytes, key.length, &error);
    check(error, "read");
    if (slice == NULL)
        return false;
    found.data = rocksdb_pinnableslice_value(slice, &found.length);
    unpack_pattern(found, id, &row);
    see(context, &row);
    rocksdb_pinnableslice_destroy(slice);
    return true;
}

static void
rocks_patterns_top(void *handle, const struct top_query *query, see_pattern see, void *context)
{
    struct rocks_store *store = handle;
    struct walk         walk;
    uint32_t            found = 0;

    key_begin(&walk.start, "b");
    key_add_text(&walk.start, query->task_type);
    for (walk_begin(&walk, store); rocksdb_iter_valid(walk.iterator) && found < query->limit;
         rocksdb_iter_next(walk.iterator)) {
        struct text        key = walk_key(&walk);
        struct pattern_row row = { .id = key_integer(key, 8), .confidence_score = key_real_falling(key, 16) };

        if (row.confidence_score < query->confidence_score_min)
            break;
        unpack_choice(walk_value(&walk), &row.success_rate, &row.pattern_used);
        if (row.success_rate < query->success_rate_min)
            continue;
        see(context, &row);
        found++;
    }
    walk_end(&walk);
}

static void
rocks_metrics_history(void *handle, const struct history_query *query, see_metric see, void *context)
{
    struct rocks_store *store = handle;
    struct walk         walk;
    uint32_t            found = 0;

    key_begin(&walk.start, query->metric_name.data != NULL ? "m" : "h");
    key_add_text(&walk.start, query->component_name);
    if (query->metric_name.data != NULL)
        key_add_text(&walk.start, query->metric_name);
    for (walk_begin(&walk, store); rocksdb_iter_valid(walk.iterator) && found < query->limit;
         rocksdb_iter_next(walk.iterator), found++) {
        struct metric_row row;

        unpack_metric(walk_value(&walk), key_integer_falling(walk_key(&walk), 8), &row);
        see(context, &row);
    }
    walk_end(&walk);
}

static void
rocks_patterns_grouped(void *handle, see_group see, void *context)
{
    struct rocks_store *store = handle;
    struct grouping     grouping;
    struct walk         walk;

    grouping_init(&grouping);
    key_begin(&walk.start, "p");
    for (walk_begin(&walk, store); rocksdb_iter_valid(walk.iterator); rocksdb_iter_next(walk.iterator)) {
        struct pattern_row row;

        unpack_pattern(walk_value(&walk), 0, &row);
        grouping_add(&grouping, row.task_type, row.execution_time, row.success_rate);
    }
    walk_end(&walk);
    grouping_see(&grouping, see, context);
}

static uint64_t
rocks_pattern_count(void *handle)
{
    struct walk walk;
    uint64_t    count = 0;

    key_begin(&walk.start, "p"); /* RocksDB itself knows only an estimate */
    for (walk_begin(&walk, handle); rocksdb_iter_valid(walk.iterator); rocksdb_iter_next(walk.iterator))
        count++;
    walk_end(&walk);
    return count;
}

static void
rocks_settle(void *handle)
{
    struct rocks_store     *store = handle;
    rocksdb_flushoptions_t *flush = rocksdb_flushoptions_create();
    char                   *error = NULL;

    rocksdb_flushoptions_set_wait(flush, 1);
    rocksdb_flush(store->db, flush, &error);
    check(error, "flush");
    rocksdb_flushoptions_destroy(flush);
}

static const char *
rocks_version(void)
{
    return BENCHMARK_ROCKSDB_VERSION; /* the C API tells none */
}

const struct adapter adapter_rocksdb = {
    .name = "rocksdb",
    .title = "RocksDB",
    .how = "prefix keys for each question, carrying its answer; WAL, no sync; bloom filters, 512 MiB cache, LZ4; "
           "writes survive a killed process",
    .is_kept = true,
    .version = rocks_version,
    .open = rocks_open,
    .close = rocks_close,
    .pattern_store = rocks_pattern_store,
    .patterns_store = rocks_patterns_store,
    .metrics_store = rocks_metrics_store,
    .patterns_weigh = rocks_patterns_weigh,
    .patterns_clean_up = rocks_patterns_clean_up,
    .pattern_read = rocks_pattern_read,
    .patterns_top = rocks_patterns_top,
    .metrics_history = rocks_metrics_history,
    .patterns_grouped = rocks_patterns_grouped,
    .pattern_count = rocks_pattern_count,
    .settle = rocks_settle,
};
