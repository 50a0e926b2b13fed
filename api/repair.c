/* repair.c - the public face of saving what can be read of a damaged directory. */
#include "base/allocator.h"
#include "base/error.h"
#include "persist/repairing.h"

knackdb_status
knackdb_repair(const char *path, const char *to, void (*on_loss)(void *context, const knackdb_loss *loss),
               void *context, knackdb_repair_report *ret_report, knackdb_error *error)
{
    struct repair_options options = {
        .disk = disk_posix(),
        .history = schema_history_builtin(),
        .schema = schema_builtin(),
        .on_loss = on_loss,
        .context = context,
    };
    struct allocator allocator;

    if (path == NULL || to == NULL || to[0] == '\0')
        return error_set(error, KNACKDB_INVALID, "repair: two paths are wanted");
    allocator_init(&allocator, NULL);
    return repair_directory(&allocator, path, to, &options, ret_report, error);
}
