/* migrate.c - the public face of migrating a directory. */
#include "base/allocator.h"
#include "base/error.h"
#include "persist/migrating.h"

knackdb_status
knackdb_migrate(const char *path, bool dry_run, void (*on_step)(void *context, const char *step), void *context,
                uint32_t *ret_from, knackdb_error *error)
{
    struct migrate_options options = {
        .disk = disk_posix(),
        .history = schema_history_builtin(),
        .schema = schema_builtin(),
        .dry_run = dry_run,
        .on_step = on_step,
        .context = context,
    };
    struct allocator allocator;

    if (path == NULL)
        return error_set(error, KNACKDB_INVALID, "migrate: a path is wanted");
    allocator_init(&allocator, NULL);
    return migrate_directory(&allocator, path, &options, ret_from, error);
}
