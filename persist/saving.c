/* saving.c - see saving.h.
 *
 *     directory, lock       made or found empty; nobody else may begin a store in it meanwhile
 *     parts, manifest       as for any snapshot: everything synced before the manifest names it
 *     verification          every byte read back and checked
 *     opening               as a reader would, and as many rows found as were written
 *
 * A process that dies on the way leaves parts and no manifest, which no open takes for a store, or the whole
 * of it. */
#include "persist/saving.h"

#include "base/clock.h"
#include "base/error.h"
#include "persist/directory.h"
#include "persist/file_name.h"
#include "persist/keeper.h"
#include "persist/manifest_files.h"
#include "persist/snapshot.h"
#include "persist/store_id.h"
#include "persist/verification.h"

#include <string.h>

struct saving {
    struct allocator            *allocator;
    const struct saving_options *options;
    struct dir                   dir;
    int                          lock;
    bool                         is_ours; /* the directory was empty: what is in it is our work */
    bool                         was_made;
    struct manifest              manifest;
};

/* ---- the place ---- */

struct finding {
    bool found; /* anything but a lock file */
    bool found_lock;
};

static void
hear_any(void *context, const char *name)
{
    struct finding *finding = context;
    uint64_t        number;

    if (file_name_read(name, &number) == FILE_LOCK)
        finding->found_lock = true;
    else
        finding->found = true;
}

/* Looked at before the lock is taken, so that nothing is left in a directory which is somebody's, and
 * again behind it, as somebody may have come in between. */
static knackdb_status
check_empty(const struct saving *saving, bool may_have_lock, knackdb_error *error)
{
    struct finding finding = { false, false };
    knackdb_status status = dir_list(&saving->dir, hear_any, &finding, error);

    if (status == KNACKDB_OK && (finding.found || (finding.found_lock && !may_have_lock)))
        status = error_set(error, KNACKDB_INVALID, "%s: the directory is not empty; name one that is, or is not there",
                           saving->dir.path);
    return status;
}

static knackdb_status
take_place(struct saving *saving, knackdb_error *error)
{
    const struct saving_options *options = saving->options;
    knackdb_status               status;

    status =
        directory_open(options->disk, options->path, true, options->file_mode, &saving->dir, &saving->was_made, error);
    if (status == KNACKDB_OK)
        status = check_empty(saving, false, error);
    if (status == KNACKDB_OK)
        status = directory_lock(&saving->dir, options->file_mode, &saving->lock, error);
    if (status == KNACKDB_OK)
        status = check_empty(saving, true, error);
    saving->is_ours = status == KNACKDB_OK;
    /* A directory that was there may be a name that nobody has made durable yet. */
    if (status == KNACKDB_OK && !saving->was_made)
        status = directory_sync_name(options->disk, options->path, error);
    return status;
}

struct removal {
    const struct dir *dir;
    char              name[DISK_NAME_BYTES_MAX];
    bool              found;
};

static void
hear_own(void *context, const char *name)
{
    struct removal *removal = context;
    uint64_t        number;

    if (removal->found || file_name_read(name, &number) == FILE_FOREIGN)
        return;
    memcpy(removal->name, name, strlen(name) + 1);
    removal->found = true;
}

/* A name at a time, as what a listing does while names vanish differs between systems. */
static void
leave_nothing(struct saving *saving)
{
    struct removal removal = { .dir = &saving->dir };

    if (saving->is_ours) {
        do {
            removal.found = false;
            if (dir_list(&saving->dir, hear_own, &removal, NULL) != KNACKDB_OK)
                break;
        } while (removal.found && dir_remove(&saving->dir, removal.name, NULL) == KNACKDB_OK);
    }
    if (saving->was_made && saving->options->disk->remove_dir != NULL)
        (void) saving->options->disk->remove_dir(saving->options->disk, saving->options->path);
}

/* ---- writing ---- */

static knackdb_status
write_files(struct saving *saving, const struct view *view, knackdb_error *error)
{
    static const _Atomic bool    never = false;
    const struct saving_options *options = saving->options;
    struct manifest             *manifest = &saving->manifest;
    struct snapshot_options      snapshot_options = {
             .dir = &saving->dir,
             .file_mode = options->file_mode,
             .cancelled = &never,
    };
    struct coverage nothing; /* of what is to be written is there yet */
    struct coverage written;
    uint64_t        begun = clock_monotonic_ns();
    knackdb_status  status = KNACKDB_OK;

    coverage_init(&nothing, saving->allocator);
    coverage_init(&written, saving->allocator);
    manifest_set_tables(manifest, store_schema(view->store));
    manifest->store_id = store_id_new();
    manifest->generation = 1;
    manifest->log_serial = 1;
    manifest->next_part = 1;
    manifest->sequence = options->sequence;
    manifest->time_us = options->time_us;
    manifest->made_at_us = clock_wall_us();
    for (uint32_t table = 0; table < manifest->table_count; table++)
        manifest->tables[table].next_id = store_next_id(view->store, table);
    for (size_t i = 0; options->ancestor != NULL && i < options->ancestor->migration_count && status == KNACKDB_OK; i++)
        status = manifest_add_migration(manifest, &options->ancestor->migrations[i], error);
    if (status == KNACKDB_OK)
        status = snapshot_write(saving->allocator, &snapshot_options, view, &nothing, manifest, &written, error);
    coverage_clear(&written);
    manifest->duration_us = (clock_monotonic_ns() - begun) / 1000;
    return status == KNACKDB_OK ? manifest_file_publish(manifest, &saving->dir, options->file_mode, error) : status;
}

/* ---- proof ---- */

static void
hear_fault(void *context, const knackdb_fault *fault)
{
    knackdb_error *first = context;

    if (first->message[0] == '\0')
        (void) error_set(first, fault->status, "%s: offset %llu: %s", fault->file, (unsigned long long) fault->offset,
                         fault->reason);
}

static knackdb_status
verify(const struct saving *saving, const struct schema *schema, knackdb_error *error)
{
    knackdb_error         first = { .message = "" };
    struct verify_options options = {
        .disk = saving->options->disk,
        .history = saving->options->history,
        .schema = schema,
        .on_fault = hear_fault,
        .context = &first,
    };
    knackdb_status status = verify_directory(saving->allocator, saving->options->path, &options, NULL, error);

    if (status == KNACKDB_CORRUPT && first.message[0] != '\0')
        return error_set(error, KNACKDB_CORRUPT, "what was written does not read back: %s/%.400s", saving->dir.path,
                         first.message);
    return status;
}

static knackdb_status
count_rows(const struct saving *saving, struct store *store, uint64_t *ret_rows, knackdb_error *error)
{
    struct store_figures figures;
    uint64_t             rows = 0;

    store_get_figures(store, &figures);
    for (uint32_t table = 0; table < saving->manifest.table_count; table++) {
        if (figures.tables[table].row_count != saving->manifest.tables[table].row_count)
            return error_set(error, KNACKDB_CORRUPT, "%s: %s has %llu rows, of %llu that were written",
                             saving->dir.path, saving->manifest.tables[table].name,
                             (unsigned long long) figures.tables[table].row_count,
                             (unsigned long long) saving->manifest.tables[table].row_count);
        rows += figures.tables[table].row_count;
    }
    if (store_sequence(store) != saving->options->sequence)
        return error_set(error, KNACKDB_CORRUPT, "%s: it opens at another commit than was written", saving->dir.path);
    *ret_rows = rows;
    return KNACKDB_OK;
}

static knackdb_status
open_once(const struct saving *saving, const struct schema *schema, uint64_t *ret_rows, knackdb_error *error)
{
    struct keeper_options options = {
        .read_only = true,
        .disk = saving->options->disk,
        .history = saving->options->history,
    };
    struct keeper *keeper = NULL;
    struct store  *store = NULL;
    knackdb_status status;

    status = store_new(saving->allocator, schema, &store, error);
    if (status == KNACKDB_OK)
        status = keeper_open(saving->allocator, saving->options->path, &options, store, &keeper, error);
    if (status == KNACKDB_OK)
        status = count_rows(saving, store, ret_rows, error);
    (void) keeper_close(keeper, NULL);
    store_free(store);
    return status;
}

knackdb_status
saving_write(struct allocator *allocator, const struct saving_options *options, const struct view *view,
             uint64_t *ret_rows, knackdb_error *error)
{
    struct saving *saving = allocator_get_zeroed(allocator, sizeof *saving);
    uint64_t       rows = 0;
    knackdb_status status;

    if (saving == NULL)
        return error_no_memory(error, "a directory to be written");
    saving->allocator = allocator;
    saving->options = options;
    saving->dir.handle = DISK_NONE;
    saving->lock = DISK_NONE;
    manifest_init(&saving->manifest, allocator);
    status = take_place(saving, error);
    if (status == KNACKDB_OK)
        status = write_files(saving, view, error);
    if (status == KNACKDB_OK)
        status = verify(saving, store_schema(view->store), error);
    if (status == KNACKDB_OK)
        status = open_once(saving, store_schema(view->store), &rows, error);
    if (status != KNACKDB_OK)
        leave_nothing(saving);
    else if (ret_rows != NULL)
        *ret_rows = rows;
    directory_unlock(&saving->dir, saving->lock);
    dir_close(&saving->dir);
    manifest_clear(&saving->manifest);
    allocator_put(allocator, saving, sizeof *saving);
    return status;
}
