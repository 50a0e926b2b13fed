/* verify.c - the public face of verification. */
#include "base/allocator.h"
#include "base/error.h"
#include "persist/verification.h"

knackdb_status
knackdb_verify(const char *path, void (*on_fault)(void *context, const knackdb_fault *fault), void *context,
               knackdb_verify_report *ret_report, knackdb_error *error)
{
    struct verify_options options = {
        .disk = disk_posix(),
        .history = schema_history_builtin(),
        .schema = schema_builtin(),
        .on_fault = on_fault,
        .context = context,
    };
    struct allocator allocator;

    if (path == NULL)
        return error_set(error, KNACKDB_INVALID, "verify: a path is wanted");
    allocator_init(&allocator, NULL);
    return verify_directory(&allocator, path, &options, ret_report, error);
}
