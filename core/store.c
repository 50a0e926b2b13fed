/* store.c - making and ending a store, and its figures. */
#include "core/store_data.h"

#include "base/error.h"

knackdb_status
store_new(struct allocator *allocator, const struct schema *schema, struct store **ret_store, knackdb_error *error)
{
    struct store  *store = allocator_get_zeroed(allocator, sizeof *store);
    knackdb_status status;

    if (store == NULL)
        return error_no_memory(error, "a store");
    store->allocator = allocator;
    store->schema = schema;
    commit_writer_init(&store->commit, allocator);
    result_cache_init(&store->cache, allocator, 0);
    (void) pthread_mutex_init(&store->writer, NULL);
    reclaimer_init(&store->reclaimer);
    status = epochs_init(&store->epochs, allocator, error);
    for (uint32_t t = 0; t < schema->table_count && status == KNACKDB_OK; t++)
        status = table_data_init(&store->tables[t], &schema->tables[t], &store->epochs, error);
    if (status != KNACKDB_OK) {
        store_free(store);
        return status;
    }
    *ret_store = store;
    return KNACKDB_OK;
}

void
store_free(struct store *store)
{
    if (store == NULL)
        return;
    reclaimer_stop(&store->reclaimer);
    for (uint32_t t = 0; t < store->schema->table_count; t++)
        if (store->tables[t].epochs != NULL)
            table_data_clear(&store->tables[t]);
    result_cache_clear(&store->cache);
    epochs_clear(&store->epochs);
    commit_writer_clear(&store->commit);
    allocator_put(store->allocator, store->ended, store->ended_capacity * sizeof *store->ended);
    (void) pthread_mutex_destroy(&store->writer);
    allocator_put(store->allocator, store, sizeof *store);
}

/* ---- the writers' lock ---- */

#define LOOKS 200 /* some microseconds: less than sleeping and being woken costs, longer than a store holds the lock */

static bool
try_lock_writer(struct store *store)
{
    if (atomic_load_explicit(&store->is_locked, memory_order_relaxed) || pthread_mutex_trylock(&store->writer) != 0)
        return false;
    atomic_store_explicit(&store->is_locked, true, memory_order_relaxed);
    return true;
}

static void
wait_for_writer(struct store *store)
{
    for (uint32_t look = 0; look < LOOKS; look++) {
        if (try_lock_writer(store))
            return;
        pause_processor();
    }
    (void) pthread_mutex_lock(&store->writer);
    atomic_store_explicit(&store->is_locked, true, memory_order_relaxed);
}

void
lock_writer(struct store *store)
{
    if (try_lock_writer(store))
        return;
    (void) atomic_fetch_add_explicit(&store->waiting, 1, memory_order_relaxed);
    wait_for_writer(store);
    (void) atomic_fetch_sub_explicit(&store->waiting, 1, memory_order_relaxed);
}

#define LOOKS_SOON 32

bool
lock_writer_soon(struct store *store)
{
    for (uint32_t look = 0; look < LOOKS_SOON; look++) {
        if (try_lock_writer(store))
            return true;
        pause_processor();
    }
    return false;
}

void
unlock_writer(struct store *store)
{
    atomic_store_explicit(&store->is_locked, false, memory_order_relaxed);
    (void) pthread_mutex_unlock(&store->writer);
}

void
store_set_log(struct store *store, struct commit_log *log)
{
    lock_writer(store);
    store->log = log;
    unlock_writer(store);
}

void
store_between_commits(struct store *store, void (*run)(void *context), void *context)
{
    lock_writer(store);
    run(context);
    unlock_writer(store);
}

void
store_set_memory_limit(struct store *store, uint64_t bytes)
{
    atomic_store_explicit(&store->memory_limit, bytes, memory_order_relaxed);
}

void
store_set_cache_limit(struct store *store, uint64_t bytes)
{
    atomic_store_explicit(&store->cache.bytes_max, bytes, memory_order_relaxed);
}

const struct schema *
store_schema(const struct store *store)
{
    return store->schema;
}

struct allocator *
store_allocator(const struct store *store)
{
    return store->allocator;
}

uint64_t
store_sequence(const struct store *store)
{
    struct store *read = (struct store *) (uintptr_t) store;

    return sequence_of_moment(atomic_load_explicit(&read->moment, memory_order_acquire));
}

void
store_get_figures(struct store *store, struct store_figures *ret_figures)
{
    uint64_t    counted = atomic_load_explicit(&store->allocator->bytes, memory_order_relaxed);
    uint64_t    known;
    uint64_t    paged = 0; /* what the allocator does not count */
    struct view view;
    bool        is_reading;

    memset(ret_figures, 0, sizeof *ret_figures);
    /* The indexes looked at below may be replaced meanwhile; a view keeps the old ones. Without one their size is
     * left out: a status must not fail. */
    is_reading = view_begin(store, &view, NULL) == KNACKDB_OK;
    for (uint32_t t = 0; t < store->schema->table_count; t++) {
        const struct table_data    *table = &store->tables[t];
        struct store_table_figures *figures = &ret_figures->tables[t];
        uint64_t                    columns = table_column_bytes(table);
        uint64_t                    texts = table_text_bytes(table);
        uint64_t                    indexes = is_reading ? table_index_bytes(table) : 0;

        figures->row_count = atomic_load_explicit(&store->tables[t].living, memory_order_relaxed);
        figures->version_count = atomic_load_explicit(&store->tables[t].row_count, memory_order_relaxed);
        figures->memory_bytes = columns + texts + indexes;
        ret_figures->column_bytes += columns;
        ret_figures->text_bytes += texts;
        ret_figures->index_bytes += indexes;
        paged += columns;
    }
    if (is_reading)
        view_end(&view);
    ret_figures->cache_bytes = atomic_load_explicit(&store->cache.bytes, memory_order_relaxed);
    ret_figures->cache_hits = atomic_load_explicit(&store->cache.hits, memory_order_relaxed);
    ret_figures->cache_misses = atomic_load_explicit(&store->cache.misses, memory_order_relaxed);
    ret_figures->cache_entries = atomic_load_explicit(&store->cache.entries, memory_order_relaxed);
    known = ret_figures->column_bytes + ret_figures->text_bytes + ret_figures->index_bytes + ret_figures->cache_bytes;
    ret_figures->other_bytes = counted + paged > known ? counted + paged - known : 0;

    ret_figures->sequence = store_sequence(store);
    ret_figures->oldest_reader_sequence = sequence_of_moment(
        epoch_oldest_view(&store->epochs, moment_of_commit(ret_figures->sequence + 1) - 1, &ret_figures->reader_count));
}
