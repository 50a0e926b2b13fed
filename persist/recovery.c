/* recovery.c - newest manifest, its parts, the log behind it.
 *
 * A writer holds the lock and reads in peace. Others read beside a writer that may
 * finish a snapshot at any moment, and then removes what the one before it needed. So
 * everything is opened before anything is loaded, and then the newest manifest
 * is looked up once more: if it is still the same, all that was opened
 * belongs together, and stays readable even when its names are gone. If not, we begin
 * again.
 *
 * As of an earlier moment: the newest snapshot that is not after it, and the log up to it. Where the moment is before
 * every snapshot that is kept, the log from the first commit on, if it is all there. */
#include "persist/recovery.h"

#include "base/error.h"
#include "persist/file_name.h"
#include "persist/log_overtaken.h"
#include "persist/manifest_files.h"
#include "persist/snapshot_load.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Of a moment in a sentence: "commit " and a number, or a date and a time. */
#define MOMENT_CHARS 64

/* A writer would have to finish a snapshot in each of these short moments. */
#define TRIES_MAX 100

/* Parts held open at once, as file descriptors are few. */
#define PARTS_HELD_MAX 512

/* All that one recovery reads. */
struct sources {
    struct allocator  *allocator;
    struct manifest    manifest;
    struct file       *parts; /* in the order of the manifest's; as many as may be held open */
    size_t             part_count;
    struct log_reader *log;
    bool               is_before_all; /* the moment is before every snapshot that is kept */
    uint64_t           later;         /* commit of the first snapshot behind the moment; 0: there is none */
    int64_t            later_us;      /* its time */
};

static void
sources_clear(struct sources *sources)
{
    for (size_t i = 0; i < sources->part_count; i++)
        file_close(&sources->parts[i]);
    if (sources->parts != NULL)
        allocator_put(sources->allocator, sources->parts, sources->part_count * sizeof *sources->parts);
    sources->parts = NULL;
    sources->part_count = 0;
    log_reader_free(sources->log);
    sources->log = NULL;
    sources->is_before_all = false;
    sources->later = 0;
    manifest_clear(&sources->manifest);
}

static bool
is_early_enough(const struct manifest *manifest, const struct recovery_options *options)
{
    if (options->as_of_sequence != 0 && manifest->sequence > options->as_of_sequence)
        return false;
    return options->as_of_time_us == 0 || manifest->time_us <= options->as_of_time_us;
}

/* Before the oldest snapshot that is kept there is the store without rows, if its log goes back to the first commit. */
static void
begin_with_nothing(struct manifest *manifest)
{
    manifest->part_count = 0;
    manifest->sequence = 0;
    manifest->time_us = 0;
    manifest->made_at_us = 0;
    manifest->log_serial = 1;
    for (uint32_t i = 0; i < manifest->table_count; i++) {
        manifest->tables[i].next_id = 1;
        manifest->tables[i].row_count = 0;
    }
}

/* The newest manifest, or the newest that is not after the moment asked for. */
static knackdb_status
choose_manifest(struct sources *sources, const struct manifest_list *list, const struct recovery_options *options,
                knackdb_error *error)
{
    struct manifest *manifest = &sources->manifest;

    for (size_t i = 0; i < list->count; i++) {
        knackdb_status status;

        manifest_clear(manifest);
        status = manifest_file_read(manifest, options->dir, list->generations[i], error);
        if (status != KNACKDB_OK || is_early_enough(manifest, options))
            return status;
        sources->later = manifest->sequence;
        sources->later_us = manifest->time_us;
    }
    sources->is_before_all = true;
    begin_with_nothing(manifest);
    return KNACKDB_OK;
}

static knackdb_status
open_sources(struct sources *sources, const struct recovery_options *options, const struct store *store,
             knackdb_error *error)
{
    struct manifest *manifest = &sources->manifest;
    knackdb_status   status = KNACKDB_OK;
    size_t           held = manifest->part_count < PARTS_HELD_MAX ? manifest->part_count : PARTS_HELD_MAX;

    if (held > 0) {
        sources->parts = allocator_get_zeroed(sources->allocator, held * sizeof *sources->parts);
        if (sources->parts == NULL)
            return error_no_memory(error, "the parts of a snapshot");
        sources->part_count = held;
    }
    for (size_t i = 0; i < held && status == KNACKDB_OK; i++)
        status = snapshot_open_part(options->dir, &manifest->parts[i], &sources->parts[i], error);
    if (status == KNACKDB_OK && !options->snapshot_only) {
        struct log_reader_options log_options = {
            .dir = options->dir,
            .history = options->history,
            .schema = store_schema(store),
            .store_id = manifest->store_id,
            .first_serial = manifest->log_serial,
            .after_sequence = manifest->sequence,
            .skips_history = options->as_of_sequence == 0 && options->as_of_time_us == 0,
            .is_locked = options->is_locked,
        };

        status = log_reader_new(sources->allocator, &log_options, &sources->log, error);
    }
    return status;
}

/* Is this directory of a version that we can read? Says so before anything is touched. */
static knackdb_status
check_version(const struct manifest *manifest, const struct recovery_options *options, const struct store *store,
              knackdb_error *error)
{
    if (manifest->schema_version > store_schema(store)->version)
        return error_set(error, KNACKDB_UNSUPPORTED, "%s: schema version %u; this library knows up to %u",
                         options->dir->path, (unsigned) manifest->schema_version,
                         (unsigned) store_schema(store)->version);
    return KNACKDB_OK;
}

static bool
are_same(const struct manifest_list *left, const struct manifest_list *right)
{
    return left->count == right->count &&
           memcmp(left->generations, right->generations, left->count * sizeof *left->generations) == 0;
}

/* There was no manifest. Nor need there be one, unless rows are here: then somebody may have begun a store between the
 * two looks (*ret_again), or it is missing. */
static knackdb_status
expect_new(const struct sources *sources, const struct recovery_options *options, bool *ret_again, knackdb_error *error)
{
    struct manifest_list later;
    knackdb_status       status = manifest_expect_no_rows(options->dir, error);

    if (status == KNACKDB_CORRUPT && manifest_list_read(&later, sources->allocator, options->dir, NULL) == KNACKDB_OK) {
        *ret_again = later.count > 0;
        manifest_list_clear(&later);
    }
    return status;
}

/* One attempt. *ret_again: a manifest appeared or went meanwhile, and with one that went, what it named may have. */
static knackdb_status
try_sources(struct sources *sources, const struct recovery_options *options, const struct store *store, bool *ret_new,
            bool *ret_again, knackdb_error *error)
{
    struct manifest_list list;
    struct manifest_list later;
    knackdb_status       status;

    *ret_again = false;
    status = manifest_list_read(&list, sources->allocator, options->dir, error);
    if (status != KNACKDB_OK)
        return status;
    *ret_new = list.count == 0;
    if (*ret_new)
        return expect_new(sources, options, ret_again, error);
    status = choose_manifest(sources, &list, options, error);
    if (status == KNACKDB_OK)
        status = check_version(&sources->manifest, options, store, error);
    if (status == KNACKDB_OK)
        status = open_sources(sources, options, store, error);
    if (status == KNACKDB_OK || status == KNACKDB_NOT_FOUND) {
        knackdb_status listed = manifest_list_read(&later, sources->allocator, options->dir, error);

        if (listed == KNACKDB_OK) {
            *ret_again = !are_same(&list, &later);
            manifest_list_clear(&later);
        } else {
            status = listed;
        }
    }
    manifest_list_clear(&list);
    /* Nobody took it away from under us: it is missing. */
    if (status == KNACKDB_NOT_FOUND && !*ret_again)
        status = KNACKDB_CORRUPT;
    return status;
}

static knackdb_status
find_sources(struct sources *sources, const struct recovery_options *options, const struct store *store, bool *ret_new,
             knackdb_error *error)
{
    bool again = true;

    for (int tries = 0; again && tries < TRIES_MAX; tries++) {
        knackdb_status status;

        sources_clear(sources);
        status = try_sources(sources, options, store, ret_new, &again, error);
        if (status != KNACKDB_OK && !again)
            return status;
    }
    if (again)
        return error_set(error, KNACKDB_BUSY, "%s: snapshots follow each other too fast to read one",
                         options->dir->path);
    return KNACKDB_OK;
}

/* ---- replaying ---- */

static bool
is_too_late(const struct log_record *record, const struct recovery_options *options)
{
    return (options->as_of_sequence != 0 && record->sequence > options->as_of_sequence) ||
           (options->as_of_time_us != 0 && record->time_us > options->as_of_time_us);
}

/* As people write it, in UTC. The calendar of ISO 8601, counted in years that begin in March, so that the leap day ends
 * one: the C library's looks at the machine's time zone, which may count leap seconds. */
static void
name_time(char text[MOMENT_CHARS], int64_t time_us)
{
    const int64_t seconds = time_us / 1000000, days = seconds / 86400 + 719468, of_era = days % 146097;
    const int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    const int64_t day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const int64_t month = (5 * day_of_year + 2) / 153, day = day_of_year - (153 * month + 2) / 5 + 1;
    const int64_t year = year_of_era + days / 146097 * 400 + (month >= 10);

    if (time_us < 0 || year > 9999)
        (void) snprintf(text, MOMENT_CHARS, "@%" PRId64, seconds);
    else
        (void) snprintf(text, MOMENT_CHARS,
                        "%04" PRId64 "-%02" PRId64 "-%02" PRId64 "T%02" PRId64 ":%02" PRId64 ":%02" PRId64 ".%06" PRId64
                        "Z",
                        year, month + (month < 10 ? 3 : -9), day, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60,
                        time_us % 1000000);
}

/* What stands in a sentence for the moment that was asked for. */
static void
name_moment(char moment[MOMENT_CHARS], const struct recovery_options *options)
{
    if (options->as_of_sequence != 0)
        (void) snprintf(moment, MOMENT_CHARS, "commit %" PRIu64, options->as_of_sequence);
    else
        name_time(moment, options->as_of_time_us);
}

/* The log has been read to its end. Beside a writer the end may be where its snapshot overtook us: we have every
 * commit that was there when we began, and that will do. But not for a moment of the past that lies behind it. */
static knackdb_status
judge_end(struct recovery *recovery, const struct recovery_options *options, struct store *store, knackdb_error *error)
{
    uint64_t       next = 0;
    char           moment[MOMENT_CHARS];
    knackdb_status status = KNACKDB_OK;

    if (!options->is_locked)
        status = log_is_overtaken(recovery->log, store_allocator(store), options->dir, &next, error);
    if (status != KNACKDB_OK || next == 0)
        return status == KNACKDB_OK ? log_reader_judge(recovery->log, &recovery->end, error) : status;
    if (options->as_of_sequence > store_sequence(store) || options->as_of_time_us != 0) {
        name_moment(moment, options);
        return error_set(error, KNACKDB_NOT_FOUND,
                         "%s: %s is not kept: between commit %" PRIu64 " and commit %" PRIu64 " the log has none",
                         options->dir->path, moment, store_sequence(store), next);
    }
    recovery->end.sequence = recovery->end.durable = store_sequence(store);
    return KNACKDB_OK;
}

/* The newest commit of the directory: from the newest snapshot on, what the log has. 0 where that cannot be read. */
static uint64_t
find_newest(struct allocator *allocator, const struct recovery_options *options, const struct store *store)
{
    struct log_reader_options log_options = {
        .dir = options->dir, .history = options->history, .schema = store_schema(store), .is_locked = true
    };
    struct log_reader *log = NULL;
    struct log_commit  commit;
    struct manifest    manifest;
    uint64_t           newest = 0;

    manifest_init(&manifest, allocator);
    if (manifest_file_read_newest(&manifest, options->dir, NULL) == KNACKDB_OK) {
        newest = manifest.sequence;
        log_options.store_id = manifest.store_id;
        log_options.first_serial = manifest.log_serial;
        log_options.after_sequence = manifest.sequence;
        if (log_reader_new(allocator, &log_options, &log, NULL) == KNACKDB_OK)
            while (log_reader_next(log, &commit, NULL) == KNACKDB_OK)
                newest = commit.record.sequence;
    }
    log_reader_free(log);
    manifest_clear(&manifest);
    return newest;
}

/* The log does not lead up to the moment: it does not go back to the first commit, or what a snapshot covers of it is
 * not all there, as it need not be. */
static knackdb_status
say_not_kept(const struct sources *sources, const struct recovery_options *options, const struct store *store,
             knackdb_error *error)
{
    char moment[MOMENT_CHARS];
    char oldest[MOMENT_CHARS];

    name_moment(moment, options);
    if (!sources->is_before_all)
        return error_set(error, KNACKDB_NOT_FOUND,
                         "%s: %s is not kept: the log between commit %" PRIu64 " and the snapshot of commit %" PRIu64
                         " is not all there; from there to commit %" PRIu64 " it is",
                         options->dir->path, moment, store_sequence(store), sources->later,
                         find_newest(sources->allocator, options, store));
    name_time(oldest, sources->later_us);
    return error_set(error, KNACKDB_NOT_FOUND,
                     "%s: %s is not kept any more: the oldest moment that is kept is commit %" PRIu64
                     ", at %s, the newest commit %" PRIu64,
                     options->dir->path, moment, sources->later, oldest,
                     find_newest(sources->allocator, options, store));
}

static knackdb_status
replay(struct recovery *recovery, const struct sources *sources, const struct recovery_options *options,
       struct store *store, knackdb_error *error)
{
    struct log_commit commit;
    knackdb_error     why = { 0 };
    knackdb_status    status;

    for (;;) {
        status = log_reader_next(recovery->log, &commit, error);
        if (status == KNACKDB_NOT_FOUND)
            break;
        if (status != KNACKDB_OK)
            return status;
        if (is_too_late(&commit.record, options))
            return KNACKDB_OK;
        status = store_apply(store, commit.map, commit.record.sequence, commit.record.time_us, commit.record.payload,
                             commit.record.payload_bytes, &why);
        if (status != KNACKDB_OK)
            return error_set(error, status, "%s/%s: offset %" PRIu64 ": commit %" PRIu64 ": %s", options->dir->path,
                             commit.file, commit.offset, commit.record.sequence, why.message);
        recovery->commits++;
        recovery->log_bytes += log_record_bytes(commit.record.payload_bytes);
        recovery->time_us = commit.record.time_us;
    }
    /* The moment lies before a snapshot, so the log has to lead past it; or to it, where it is a commit. */
    if (store_sequence(store) < sources->later &&
        (options->as_of_sequence == 0 || store_sequence(store) < options->as_of_sequence))
        return say_not_kept(sources, options, store, error);
    status = judge_end(recovery, options, store, error);
    if (status == KNACKDB_OK && options->as_of_sequence > store_sequence(store))
        status = error_set(error, KNACKDB_NOT_FOUND, "%s: commit %" PRIu64 " has not happened; the newest is %" PRIu64,
                           options->dir->path, options->as_of_sequence, store_sequence(store));
    return status;
}

knackdb_status
recovery_run(struct allocator *allocator, const struct recovery_options *options, struct store *store,
             struct recovery *ret_recovery, knackdb_error *error)
{
    struct sources sources = { .allocator = allocator };
    knackdb_status status;

    memset(ret_recovery, 0, sizeof *ret_recovery);
    coverage_init(&ret_recovery->coverage, allocator);
    manifest_init(&sources.manifest, allocator);
    status = find_sources(&sources, options, store, &ret_recovery->is_new, error);
    if (status == KNACKDB_OK && !ret_recovery->is_new) {
        struct snapshot_load load = {
            .allocator = allocator,
            .dir = options->dir,
            .manifest = &sources.manifest,
            .files = sources.parts,
            .file_count = sources.part_count,
            .history = options->history,
            .store = store,
            .coverage = options->covers ? &ret_recovery->coverage : NULL,
        };

        status = snapshot_load_run(&load, error);
        ret_recovery->manifest = sources.manifest;
        ret_recovery->log = sources.log;
        ret_recovery->time_us = sources.manifest.time_us;
        ret_recovery->end.sequence = ret_recovery->end.durable = sources.manifest.sequence;
        manifest_init(&sources.manifest, allocator);
        sources.log = NULL;
        if (status == KNACKDB_OK && ret_recovery->log == NULL && sources.is_before_all)
            status = say_not_kept(&sources, options, store, error);
        if (status == KNACKDB_OK && ret_recovery->log != NULL)
            status = replay(ret_recovery, &sources, options, store, error);
    }
    sources_clear(&sources);
    if (status != KNACKDB_OK)
        recovery_clear(ret_recovery);
    return status;
}

void
recovery_clear(struct recovery *recovery)
{
    log_reader_free(recovery->log);
    recovery->log = NULL;
    manifest_clear(&recovery->manifest);
    coverage_clear(&recovery->coverage);
}
