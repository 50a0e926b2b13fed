/* migrating.c - see migrating.h.
 *
 * Opening a directory for writing migrates it (keeper.c), so migrating is to say the steps and
 * then to open and close it. No row is rewritten: files are read by the names of their columns for
 * as long as they live, and new ones are written under the new version. */
#include "persist/migrating.h"

#include "base/error.h"
#include "persist/directory.h"
#include "persist/manifest_files.h"

static knackdb_status
find_version(struct allocator *allocator, const char *path, const struct migrate_options *options, uint32_t *ret_from,
             knackdb_error *error)
{
    struct manifest manifest;
    struct dir      dir = { .handle = DISK_NONE };
    bool            made;
    knackdb_status  status;

    manifest_init(&manifest, allocator);
    status = directory_open(options->disk, path, false, 0, &dir, &made, error);
    if (status == KNACKDB_OK)
        status = manifest_file_find(&manifest, &dir, error);
    if (status == KNACKDB_OK && manifest.schema_version > options->schema->version)
        status = error_set(error, KNACKDB_UNSUPPORTED, "%s: schema version %u; this library knows up to %u", path,
                           (unsigned) manifest.schema_version, (unsigned) options->schema->version);
    if (status == KNACKDB_OK)
        *ret_from = manifest.schema_version;
    manifest_clear(&manifest);
    dir_close(&dir);
    return status;
}

static void
say_steps(const struct migrate_options *options, uint32_t from)
{
    char text[300];

    for (size_t i = 0; i < options->history->step_count && options->on_step != NULL; i++) {
        const struct migration_step *step = &options->history->steps[i];

        if (step->to_version <= from || step->to_version > options->schema->version)
            continue;
        (void) migration_step_text(step, text, sizeof text);
        options->on_step(options->context, text);
    }
}

knackdb_status
migrate_directory(struct allocator *allocator, const char *path, const struct migrate_options *options,
                  uint32_t *ret_from, knackdb_error *error)
{
    struct keeper_options keeper_options = {
        .no_create = true,
        .history = options->history,
        .disk = options->disk,
    };
    struct store  *store = NULL;
    struct keeper *keeper = NULL;
    uint32_t       from = 0;
    knackdb_status status;

    status = find_version(allocator, path, options, &from, error);
    if (status != KNACKDB_OK)
        return status;
    say_steps(options, from);
    if (!options->dry_run && from != options->schema->version) {
        status = store_new(allocator, options->schema, &store, error);
        if (status == KNACKDB_OK)
            status = keeper_open(allocator, path, &keeper_options, store, &keeper, error);
        if (status == KNACKDB_OK)
            status = keeper_close(keeper, error);
        store_free(store);
    }
    if (status == KNACKDB_OK && ret_from != NULL)
        *ret_from = from;
    return status;
}
