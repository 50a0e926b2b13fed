/* keeper.c - opens a directory for a store, and ends what it opened.
 *
 * Opening, as the writer:
 *
 *     directory, lock          nothing has been read or changed before the lock is ours
 *     recovery                 manifest, parts, log: into the store
 *     settle                   the log's end on the disk is what recovery took it for
 *     manifest                 a first one for a new directory; one that notes the
 *                              migration for an older one
 *     sweep, log, thread       from here on commits are kept
 *
 * Nothing is written into a directory that cannot be read whole: of a newer version,
 * damaged, or somebody else's, it stays as it is. Read-only is recovery alone, and to follow (follower.c)
 * is to go on with it. */
#include "persist/keeper_state.h"

#include "base/clock.h"
#include "base/error.h"
#include "persist/directory.h"
#include "persist/file_name.h"
#include "persist/manifest_files.h"
#include "persist/recovery.h"
#include "persist/store_id.h"
#include "persist/sweep.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define FLUSH_INTERVAL_MS_DEFAULT  10
#define SEGMENT_BYTES_MAX_DEFAULT  ((uint64_t) 64 * 1024 * 1024)
#define SEGMENT_BYTES_MAX_LIMIT    ((uint64_t) 1024 * 1024 * 1024)
#define SEGMENT_BYTES_MAX_LEAST    ((uint64_t) 4096)
#define SNAPSHOT_LOG_BYTES_DEFAULT ((uint64_t) 64 * 1024 * 1024)
#define FILE_MODE_DEFAULT          0600u

static struct keeper_options
with_defaults(const struct keeper_options *given)
{
    struct keeper_options options = *given;

    if (options.flush_interval_ms == 0)
        options.flush_interval_ms = FLUSH_INTERVAL_MS_DEFAULT;
    if (options.log_segment_bytes_max == 0)
        options.log_segment_bytes_max = SEGMENT_BYTES_MAX_DEFAULT;
    if (options.log_segment_bytes_max > SEGMENT_BYTES_MAX_LIMIT)
        options.log_segment_bytes_max = SEGMENT_BYTES_MAX_LIMIT;
    if (options.log_segment_bytes_max < SEGMENT_BYTES_MAX_LEAST)
        options.log_segment_bytes_max = SEGMENT_BYTES_MAX_LEAST;
    if (options.snapshot_log_bytes == 0)
        options.snapshot_log_bytes = SNAPSHOT_LOG_BYTES_DEFAULT;
    if (options.snapshots_kept == 0)
        options.snapshots_kept = 1;
    if (options.file_mode == 0)
        options.file_mode = FILE_MODE_DEFAULT;
    if (options.disk == NULL)
        options.disk = disk_posix();
    return options;
}

static struct keeper *
keeper_new(struct allocator *allocator, const struct keeper_options *options, struct store *store)
{
    struct keeper     *keeper = allocator_get_zeroed(allocator, sizeof *keeper);
    pthread_condattr_t steady;

    if (keeper == NULL)
        return NULL;
    keeper->allocator = allocator;
    keeper->options = with_defaults(options);
    keeper->file_mode = keeper->options.file_mode;
    keeper->store = store;
    keeper->lock = DISK_NONE;
    keeper->dir.handle = DISK_NONE;
    manifest_init(&keeper->manifest, allocator);
    manifest_init(&keeper->ancestor, allocator);
    coverage_init(&keeper->coverage, allocator);
    keeper->trigger_ns = clock_monotonic_ns() + (uint64_t) keeper->options.snapshot_interval_s * 1000000000;
    (void) pthread_mutex_init(&keeper->wake_mutex, NULL);
    (void) pthread_mutex_init(&keeper->snapshot_mutex, NULL);
    (void) pthread_mutex_init(&keeper->figures_mutex, NULL);
    (void) pthread_condattr_init(&steady);
    (void) pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    (void) pthread_cond_init(&keeper->wake, &steady);
    (void) pthread_cond_init(&keeper->sync_wake, &steady);
    (void) pthread_condattr_destroy(&steady);
    return keeper;
}

static void
keeper_free(struct keeper *keeper)
{
    manifest_clear(&keeper->manifest);
    manifest_clear(&keeper->ancestor);
    coverage_clear(&keeper->coverage);
    follower_free(keeper->follower);
    directory_unlock(&keeper->dir, keeper->lock);
    dir_close(&keeper->dir);
    (void) pthread_mutex_destroy(&keeper->wake_mutex);
    (void) pthread_mutex_destroy(&keeper->snapshot_mutex);
    (void) pthread_mutex_destroy(&keeper->figures_mutex);
    (void) pthread_cond_destroy(&keeper->wake);
    (void) pthread_cond_destroy(&keeper->sync_wake);
    allocator_put(keeper->allocator, keeper, sizeof *keeper);
}

/* ---- opening ---- */

/* What can be refused without so much as making a lock file. Anything else is decided under the lock. */
static knackdb_status
look_first(const struct keeper *keeper, knackdb_error *error)
{
    const struct schema *schema = store_schema(keeper->store);
    struct manifest      manifest;
    knackdb_error        why = { 0 };
    knackdb_status       status;

    manifest_init(&manifest, keeper->allocator);
    status = manifest_file_find(&manifest, &keeper->dir, &why);
    if (status == KNACKDB_OK && manifest.schema_version > schema->version)
        status = error_set(&why, KNACKDB_UNSUPPORTED, "%s: schema version %u; this library knows up to %u",
                           keeper->dir.path, (unsigned) manifest.schema_version, (unsigned) schema->version);
    manifest_clear(&manifest);
    if (status != KNACKDB_UNSUPPORTED && !(status == KNACKDB_NOT_FOUND && keeper->options.no_create))
        return KNACKDB_OK;
    if (error != NULL)
        *error = why;
    return status;
}

/* By time the first snapshot is due so long after the last one, which somebody took in an earlier life; by the clock on
 * the wall, so from now on where that was set back since. */
static void
count_from(struct keeper *keeper, int64_t finished_us)
{
    uint64_t interval_us = (uint64_t) keeper->options.snapshot_interval_s * 1000000;
    int64_t  now_us = clock_wall_us();
    uint64_t ago_us = now_us > finished_us ? (uint64_t) now_us - (uint64_t) finished_us : 0;

    keeper->trigger_ns -= (ago_us < interval_us ? ago_us : interval_us) * 1000;
}

static knackdb_status
recover(struct keeper *keeper, struct recovery *recovery, knackdb_error *error)
{
    const struct keeper_options *options = &keeper->options;
    struct recovery_options      recovery_options = {
             .dir = &keeper->dir,
             .history = options->history,
             .is_locked = !options->read_only,
             .snapshot_only = options->snapshot_only,
             .covers = !options->read_only,
             .as_of_sequence = options->as_of_sequence,
             .as_of_time_us = options->as_of_time_us,
    };
    knackdb_status status = recovery_run(keeper->allocator, &recovery_options, keeper->store, recovery, error);

    if (status != KNACKDB_OK)
        return status;
    if (recovery->is_new && (options->read_only || options->no_create))
        return error_set(error, KNACKDB_NOT_FOUND, "%s: there is no store in this directory", keeper->dir.path);
    if (!recovery->is_new && !options->read_only && options->no_migrate &&
        recovery->manifest.schema_version != store_schema(keeper->store)->version)
        return error_set(error, KNACKDB_UNSUPPORTED, "%s: schema version %u, and migrating it to %u was not wanted",
                         keeper->dir.path, (unsigned) recovery->manifest.schema_version,
                         (unsigned) store_schema(keeper->store)->version);

    keeper->recovered_us = recovery->time_us;
    keeper->figures.recovered_commits = recovery->commits;
    keeper->figures.log_bytes = recovery->log_bytes; /* a writer's log tells more as it grows */
    keeper->figures.durable_sequence = recovery->end.durable;
    keeper->figures.torn_bytes = recovery->end.torn_bytes;
    if (!recovery->is_new && recovery->manifest.made_at_us != 0) {
        keeper->figures.snapshot_sequence = recovery->manifest.sequence;
        keeper->figures.snapshot_at = (double) manifest_finished_us(&recovery->manifest) / 1e6;
        keeper->figures.snapshot_bytes = manifest_part_bytes(&recovery->manifest);
        count_from(keeper, manifest_finished_us(&recovery->manifest));
    }
    return KNACKDB_OK;
}

/* The manifest of a new directory: no rows, no commits. made_at_us 0 says that no snapshot was taken. */
static knackdb_status
write_first_manifest(struct keeper *keeper, knackdb_error *error)
{
    manifest_set_tables(&keeper->manifest, store_schema(keeper->store));
    keeper->manifest.store_id = store_id_new();
    keeper->manifest.generation = 1;
    keeper->manifest.log_serial = 1;
    keeper->manifest.next_part = 1;
    return manifest_file_publish(&keeper->manifest, &keeper->dir, keeper->file_mode, error);
}

/* The same parts, named under the new version, and the history one entry longer. Rows come in by name,
 * now and whenever the parts are read again. */
static knackdb_status
write_migrated_manifest(struct keeper *keeper, const struct manifest *found, knackdb_error *error)
{
    const struct schema      *schema = store_schema(keeper->store);
    struct manifest          *next = &keeper->manifest;
    struct manifest_migration migration = {
        .from_version = found->schema_version,
        .to_version = schema->version,
        .time_us = clock_wall_us(),
    };
    int32_t        tables[KNACKDB_TABLES_MAX];
    knackdb_status status = KNACKDB_OK;

    manifest_set_tables(next, schema);
    next->store_id = found->store_id;
    next->generation = found->generation + 1;
    next->sequence = found->sequence;
    next->time_us = found->time_us;
    next->made_at_us = found->made_at_us;
    next->duration_us = found->duration_us;
    next->log_serial = found->log_serial;
    next->next_part = found->next_part;
    for (uint32_t i = 0; i < found->table_count; i++) {
        uint32_t table;

        tables[i] = -1;
        if (!schema_resolve_table(keeper->options.history, schema, found->schema_version, found->tables[i].name,
                                  strlen(found->tables[i].name), &table))
            continue;
        tables[i] = (int32_t) table;
        next->tables[table].next_id = found->tables[i].next_id;
        next->tables[table].row_count = found->tables[i].row_count;
    }
    for (size_t i = 0; i < found->part_count && status == KNACKDB_OK; i++) {
        struct manifest_part part = found->parts[i];

        if (tables[part.table] < 0)
            continue;
        part.table = (uint8_t) tables[part.table];
        status = manifest_add_part(next, &part, error);
    }
    for (size_t i = 0; i < found->migration_count && status == KNACKDB_OK; i++)
        status = manifest_add_migration(next, &found->migrations[i], error);
    if (status == KNACKDB_OK)
        status = manifest_add_migration(next, &migration, error);
    if (status == KNACKDB_OK)
        status = manifest_file_publish(next, &keeper->dir, keeper->file_mode, error);
    if (status == KNACKDB_OK)
        keeper_say(keeper, KNACKDB_LOG_INFO, "%s: migrated from schema version %u to %u", keeper->dir.path,
                   (unsigned) migration.from_version, (unsigned) migration.to_version);
    return status;
}

/* Makes the directory one that can be written on: settled, with a manifest of our version. */
static knackdb_status
take_over(struct keeper *keeper, struct recovery *recovery, knackdb_error *error)
{
    char           torn_name[DISK_NAME_BYTES_MAX];
    uint64_t       torn_bytes = 0;
    knackdb_status status;

    if (recovery->is_new)
        return write_first_manifest(keeper, error);
    status = log_settle(keeper->allocator, &keeper->dir, recovery, keeper->file_mode, torn_name, &torn_bytes, error);
    if (status != KNACKDB_OK)
        return status;
    if (torn_bytes > 0)
        keeper_say(keeper, KNACKDB_LOG_WARNING,
                   "%s: the log was torn behind commit %" PRIu64 "; %" PRIu64 " bytes were cut and kept in %s",
                   keeper->dir.path, recovery->end.sequence, torn_bytes, torn_name);
    keeper->coverage = recovery->coverage;
    coverage_init(&recovery->coverage, keeper->allocator);
    if (recovery->manifest.schema_version != store_schema(keeper->store)->version)
        return write_migrated_manifest(keeper, &recovery->manifest, error);
    keeper->manifest = recovery->manifest;
    manifest_init(&recovery->manifest, keeper->allocator);
    return KNACKDB_OK;
}

static void
hear_serial(void *context, const char *name)
{
    uint64_t      *highest = context;
    uint64_t       serial;
    enum file_kind kind = file_name_read(name, &serial);

    if ((kind == FILE_LOG || kind == FILE_PAST || kind == FILE_TORN) && serial > *highest)
        *highest = serial;
}

/* Highest serial of any segment there is or was, torn ones included. No writer lives to count to the last number
 * there is, and behind it the next segment would be before all others. */
static knackdb_status
find_highest_serial(const struct keeper *keeper, uint64_t *ret_highest, knackdb_error *error)
{
    knackdb_status status;

    *ret_highest = 0;
    status = dir_list(&keeper->dir, hear_serial, ret_highest, error);
    if (status == KNACKDB_OK && *ret_highest == UINT64_MAX)
        status = error_set(error, KNACKDB_CORRUPT,
                           "%s: offset 0: a log segment of number %" PRIx64 " is here, which no writer of knackdb made",
                           keeper->dir.path, *ret_highest);
    return status;
}

struct adoption {
    struct keeper *keeper;
    knackdb_status status;
    knackdb_error *error;
};

static void
adopt_segment(void *context, const struct log_segment_facts *facts)
{
    struct adoption *adoption = context;

    if (adoption->status == KNACKDB_OK && facts->last_sequence != 0)
        adoption->status =
            log_writer_adopt(adoption->keeper->log, facts->serial, facts->last_sequence, adoption->error);
}

static knackdb_status
begin_log(struct keeper *keeper, const struct recovery *recovery, uint64_t highest_serial, knackdb_error *error)
{
    struct log_writer_options options = {
        .dir = &keeper->dir,
        .schema = store_schema(keeper->store),
        .store_id = keeper->manifest.store_id,
        .sequence = store_sequence(keeper->store),
        .time_us = recovery->time_us,
        .segment_bytes_max = keeper->options.log_segment_bytes_max,
        .log_bytes = recovery->log_bytes,
        .file_mode = keeper->file_mode,
        .past = &keeper->past,
        .io = keeper->options.log_io,
        .refuses = keeper->options.refuses_degraded,
        .wake = flusher_wake,
        .wake_context = keeper,
    };
    struct adoption adoption = { .keeper = keeper, .status = KNACKDB_OK, .error = error };
    knackdb_status  status;

    keeper->past = (struct log_past) {
        .allocator = keeper->allocator,
        .dir = &keeper->dir,
        .store_id = keeper->manifest.store_id,
        .bytes_max = keeper->options.log_history_bytes,
        .file_mode = keeper->file_mode,
    };
    options.next_serial = highest_serial + 1 > keeper->manifest.log_serial ? highest_serial + 1
                                                                           : keeper->manifest.log_serial;
    status = log_writer_new(keeper->allocator, &options, &keeper->log, error);
    if (status != KNACKDB_OK)
        return status;
    keeper->past.sound_bytes = log_writer_sound_bytes;
    keeper->past.context = keeper->log;
    if (recovery->log != NULL)
        log_reader_tell_segments(recovery->log, adopt_segment, &adoption);
    return adoption.status;
}

/* What lives before this one have left. Who does not say how much history he wants leaves what there is, and as
 * much: a tool that opens the directory of a program that wants some must not take it. */
static knackdb_status
clear_away(struct keeper *keeper, knackdb_error *error)
{
    knackdb_status status = KNACKDB_OK;
    knackdb_status trimmed;

    if (keeper->options.log_history_bytes == 0)
        status = log_past_measure(&keeper->past, &keeper->past.bytes_max, error);
    if (status != KNACKDB_OK)
        return status;
    status = sweep(&keeper->past, &keeper->manifest, keeper->options.snapshots_kept, &keeper->covered, error);
    trimmed = log_past_trim(&keeper->past, status == KNACKDB_OK ? error : NULL); /* whatever else could not go */
    return status == KNACKDB_OK ? trimmed : status;
}

/* For backups, which may come while a snapshot exchanges the manifest. */
static knackdb_status
note_migrations(struct keeper *keeper, knackdb_error *error)
{
    knackdb_status status = KNACKDB_OK;

    for (size_t i = 0; i < keeper->manifest.migration_count && status == KNACKDB_OK; i++)
        status = manifest_add_migration(&keeper->ancestor, &keeper->manifest.migrations[i], error);
    return status;
}

static knackdb_status
become_writer(struct keeper *keeper, struct recovery *recovery, knackdb_error *error)
{
    knackdb_error  why = { 0 };
    uint64_t       highest_serial;
    knackdb_status status;

    status = find_highest_serial(keeper, &highest_serial, error);
    if (status == KNACKDB_OK)
        status = take_over(keeper, recovery, error);
    if (status == KNACKDB_OK)
        status = note_migrations(keeper, error);
    if (status == KNACKDB_OK)
        status = begin_log(keeper, recovery, highest_serial, error);
    if (status != KNACKDB_OK)
        return status;
    if (!recovery->is_new && clear_away(keeper, &why) != KNACKDB_OK)
        keeper_say(keeper, KNACKDB_LOG_WARNING, "files that are not needed any more could not be removed: %s",
                   why.message);
    status = flusher_start(keeper, error);
    if (status == KNACKDB_OK)
        store_set_log(keeper->store, log_writer_face(keeper->log));
    return status;
}

knackdb_status
keeper_open(struct allocator *allocator, const char *path, const struct keeper_options *options, struct store *store,
            struct keeper **ret_keeper, knackdb_error *error)
{
    struct keeper  *keeper = keeper_new(allocator, options, store);
    struct recovery recovery = { 0 };
    int64_t         begun_us = clock_wall_us();
    bool            creates = !options->read_only && !options->no_create;
    bool            made;
    knackdb_status  status;

    if (keeper == NULL)
        return error_no_memory(error, "the keeper of a directory");
    status = directory_open(keeper->options.disk, path, creates, keeper->options.file_mode, &keeper->dir, &made, error);
    if (status == KNACKDB_OK && !options->read_only)
        status = look_first(keeper, error);
    if (status == KNACKDB_OK && !options->read_only && options->file_mode == 0)
        status = manifest_file_find_mode(allocator, &keeper->dir, &keeper->file_mode, error);
    if (status == KNACKDB_OK && !options->read_only)
        status = directory_lock(&keeper->dir, keeper->file_mode, &keeper->lock, error);
    if (status == KNACKDB_OK)
        status = recover(keeper, &recovery, error);
    /* The life that made the directory may have ended before its name was durable. */
    if (status == KNACKDB_OK && recovery.is_new && !made)
        status = directory_sync_name(keeper->options.disk, path, error);
    if (status == KNACKDB_OK && !options->read_only)
        status = become_writer(keeper, &recovery, error);
    if (status == KNACKDB_OK && options->follow)
        status = follower_new(allocator, &keeper->dir, options->history, store, &recovery, begun_us, &keeper->follower,
                              error);
    if (status == KNACKDB_OK && options->read_only) {
        keeper->manifest = recovery.manifest;
        manifest_init(&recovery.manifest, allocator);
        status = note_migrations(keeper, error);
    }
    recovery_clear(&recovery);
    if (status != KNACKDB_OK) {
        flusher_stop(keeper);
        (void) log_writer_close(keeper->log, 0, 0, NULL);
        keeper_free(keeper);
        return status;
    }
    *ret_keeper = keeper;
    return KNACKDB_OK;
}

/* ---- closing ---- */

/* The last sync of all; and where the log is broken, one more attempt to be whole. No thread of ours runs any more. */
static void
make_durable(struct keeper *keeper)
{
    struct log_figures figures;

    log_writer_get_figures(keeper->log, &figures);
    (void) log_writer_sync(keeper->log, figures.sequence, NULL);
    log_writer_get_figures(keeper->log, &figures);
    if (figures.has_failed && figures.durable < store_sequence(keeper->store)) {
        atomic_store_explicit(&keeper->cancelled, false, memory_order_relaxed);
        (void) snapshot_take(keeper, NULL); /* whether that was of use, closing the log tells */
    }
}

knackdb_status
keeper_close(struct keeper *keeper, knackdb_error *error)
{
    knackdb_status status = KNACKDB_OK;

    if (keeper == NULL)
        return KNACKDB_OK;
    if (keeper->log != NULL) {
        atomic_store_explicit(&keeper->cancelled, true, memory_order_relaxed);
        flusher_stop(keeper);
        snapshot_end_taker(keeper);
        make_durable(keeper);
        snapshot_salvage_log(keeper); /* the last who knows what of a log that failed is sound */
        store_set_log(keeper->store, NULL);
        status = log_writer_close(keeper->log, store_sequence(keeper->store), keeper->covered, error);
    }
    keeper_free(keeper);
    return status;
}

/* The child has one thread, which is in none of our locks, while the parent's threads may have been in any: so none
 * is taken and none is ended. Memory is freed, descriptors are closed, which touches no file; that of the lock was
 * closed when the child began (dir_lock.c). What the parent's threads held at that moment is lost to the child. */
void
keeper_abandon(struct keeper *keeper)
{
    if (keeper == NULL)
        return;
    log_writer_abandon(keeper->log);
    follower_abandon(keeper->follower);
    dir_close(&keeper->dir);
    allocator_put(keeper->allocator, keeper, sizeof *keeper);
}

/* ---- while it is open ---- */

knackdb_status
keeper_sync(struct keeper *keeper, knackdb_error *error)
{
    return keeper_wait_durable(keeper, store_sequence(keeper->store), error);
}

knackdb_status
keeper_wait_durable(struct keeper *keeper, uint64_t sequence, knackdb_error *error)
{
    return keeper->log != NULL ? log_writer_sync(keeper->log, sequence, error) : KNACKDB_OK;
}

knackdb_status
keeper_snapshot(struct keeper *keeper, knackdb_error *error)
{
    if (keeper->log == NULL)
        return error_set(error, KNACKDB_READ_ONLY, "the store was opened read-only");
    return snapshot_take(keeper, error);
}

knackdb_status
keeper_refresh(struct keeper *keeper, uint64_t *ret_sequence, knackdb_error *error)
{
    if (keeper->follower != NULL)
        return follower_refresh(keeper->follower, ret_sequence, error);
    if (keeper->log == NULL)
        return error_set(error, KNACKDB_INVALID, "%s: it was opened at one moment, not to be followed",
                         keeper->dir.path);
    if (ret_sequence != NULL)
        *ret_sequence = store_sequence(keeper->store);
    return KNACKDB_OK;
}

static void
add_follower_figures(const struct keeper *keeper, struct keeper_figures *figures)
{
    struct follower_figures follower;

    follower_get_figures(keeper->follower, &follower);
    figures->refresh_count = follower.refresh_count;
    figures->reload_count = follower.reload_count;
    figures->refreshed_at = (double) follower.refreshed_at_us / 1e6;
    if (follower.durable > figures->durable_sequence)
        figures->durable_sequence = follower.durable;
    figures->log_bytes = follower.log_bytes;
    figures->snapshot_sequence = follower.snapshot_sequence;
    figures->snapshot_at = (double) follower.snapshot_at_us / 1e6;
    figures->snapshot_bytes = follower.snapshot_bytes;
}

void
keeper_get_figures(struct keeper *keeper, struct keeper_figures *ret_figures)
{
    struct log_figures log;

    (void) pthread_mutex_lock(&keeper->figures_mutex);
    *ret_figures = keeper->figures;
    ret_figures->state = KNACKDB_STATE_OK;
    if (keeper->snapshot_failed) {
        ret_figures->state = KNACKDB_STATE_DEGRADED;
        (void) snprintf(ret_figures->reason, sizeof ret_figures->reason, "%s", keeper->snapshot_reason);
    }
    (void) pthread_mutex_unlock(&keeper->figures_mutex);
    if (keeper->follower != NULL)
        add_follower_figures(keeper, ret_figures);
    if (keeper->log == NULL)
        return;
    log_writer_get_figures(keeper->log, &log);
    ret_figures->durable_sequence = log.durable;
    ret_figures->log_bytes = log.log_bytes;
    ret_figures->log_unsynced_bytes = log.unsynced_bytes;
    if (log.has_failed) {
        ret_figures->state = keeper->options.refuses_degraded ? KNACKDB_STATE_FAILED : KNACKDB_STATE_DEGRADED;
        (void) snprintf(ret_figures->reason, sizeof ret_figures->reason, "the log has failed: %s",
                        keeper_brief(keeper, log.failure.message));
    }
}
