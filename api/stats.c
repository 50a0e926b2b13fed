/* stats.c - the status of a store, gathered from its parts. */
#include "api/handle.h"

#include "base/error.h"

#include <stdio.h>

static void
fill_store(knackdb_stats *stats, struct store *store)
{
    const struct schema *schema = store_schema(store);
    struct store_figures figures;

    store_get_figures(store, &figures);
    stats->schema_version = schema->version;
    stats->table_count = schema->table_count;
    for (uint32_t t = 0; t < schema->table_count; t++)
        stats->tables[t] = (knackdb_table_stats) {
            .row_count = figures.tables[t].row_count,
            .version_count = figures.tables[t].version_count,
            .memory_bytes = figures.tables[t].memory_bytes,
        };
    stats->memory_column_bytes = figures.column_bytes;
    stats->memory_text_bytes = figures.text_bytes;
    stats->memory_index_bytes = figures.index_bytes;
    stats->memory_cache_bytes = figures.cache_bytes;
    stats->memory_other_bytes = figures.other_bytes;
    stats->memory_bytes = figures.column_bytes + figures.text_bytes + figures.index_bytes + figures.cache_bytes +
                          figures.other_bytes;
    stats->cache_hits = figures.cache_hits;
    stats->cache_misses = figures.cache_misses;
    stats->cache_entries = figures.cache_entries;
    stats->sequence = figures.sequence;
    stats->reader_count = figures.reader_count;
    stats->oldest_reader_sequence = figures.oldest_reader_sequence;
}

static void
fill_keeper(knackdb_stats *stats, struct keeper *keeper)
{
    struct keeper_figures figures;

    keeper_get_figures(keeper, &figures);
    stats->state = figures.state;
    (void) snprintf(stats->reason, sizeof stats->reason, "%s", figures.reason);
    /* Asked for later than the newest commit, and a commit is in the log before it shows: it may be ahead. */
    stats->durable_sequence = figures.durable_sequence < stats->sequence ? figures.durable_sequence : stats->sequence;
    stats->log_bytes = figures.log_bytes;
    stats->log_unsynced_bytes = figures.log_unsynced_bytes;
    stats->snapshot_count = figures.snapshot_count;
    stats->snapshot_sequence = figures.snapshot_sequence;
    stats->snapshot_at = figures.snapshot_at;
    stats->snapshot_seconds = figures.snapshot_seconds;
    stats->snapshot_bytes = figures.snapshot_bytes;
    stats->snapshot_status = figures.snapshot_status;
    stats->recovered_commits = figures.recovered_commits;
    stats->torn_bytes = figures.torn_bytes;
    stats->refresh_count = figures.refresh_count;
    stats->reload_count = figures.reload_count;
    stats->refreshed_at = figures.refreshed_at;
}

knackdb_status
knackdb_get_stats(knackdb *db, knackdb_stats *stats, knackdb_error *error)
{
    knackdb_status status = handle_check(db, error);

    if (status != KNACKDB_OK)
        return status;
    if (stats == NULL || stats->struct_size != sizeof *stats)
        return error_set(error, KNACKDB_INVALID, "stats: set struct_size to sizeof(knackdb_stats)");
    memset(stats, 0, sizeof *stats);
    stats->struct_size = sizeof *stats;
    fill_store(stats, db->store);
    if (db->keeper != NULL)
        fill_keeper(stats, db->keeper);
    operations_get(&db->operations, stats->operations, &stats->slow_operation_count);
    stats->opened_at = db->opened_at;
    stats->open_seconds = db->open_seconds;
    return KNACKDB_OK;
}

knackdb_status
knackdb_slow_operations(knackdb *db, knackdb_slow_operation *operations, size_t capacity, size_t *ret_count,
                        knackdb_error *error)
{
    struct operations *kept = &db->operations;
    knackdb_status     status = handle_check(db, error);
    uint64_t           count;

    if (status != KNACKDB_OK)
        return status;
    (void) pthread_mutex_lock(&kept->slow_mutex);
    count = kept->slow_count < KNACKDB_SLOW_OPERATIONS_KEPT ? kept->slow_count : KNACKDB_SLOW_OPERATIONS_KEPT;
    if (count > capacity)
        count = capacity;
    for (uint64_t i = 0; i < count; i++)
        operations[i] = kept->slow[(kept->slow_count - 1 - i) % KNACKDB_SLOW_OPERATIONS_KEPT];
    (void) pthread_mutex_unlock(&kept->slow_mutex);
    *ret_count = (size_t) count;
    return KNACKDB_OK;
}
