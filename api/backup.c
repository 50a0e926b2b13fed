/* backup.c - the public face of copying a store, and of saving one that is in memory only. */
#include "api/handle.h"

#include "base/clock.h"
#include "base/error.h"
#include "persist/saving.h"

#define FILE_MODE_DEFAULT 0600u

/* A store in memory has no keeper that knows when its newest commit was; it was not later than now. */
static knackdb_status
save_memory(knackdb *db, const char *to, knackdb_error *error)
{
    struct saving_options options = {
        .disk = disk_posix(),
        .history = schema_history_builtin(),
        .path = to,
        .file_mode = db->file_mode != 0 ? db->file_mode : FILE_MODE_DEFAULT,
        .time_us = clock_wall_us(),
    };
    struct view    view;
    knackdb_status status = view_begin(db->store, &view, error);

    if (status != KNACKDB_OK)
        return status;
    options.sequence = view.sequence;
    status = saving_write(&db->allocator, &options, &view, NULL, error);
    view_end(&view);
    return status;
}

knackdb_status
knackdb_backup(knackdb *db, const char *to, knackdb_error *error)
{
    knackdb_status status = handle_check(db, error);

    if (status == KNACKDB_OK && (to == NULL || to[0] == '\0'))
        status = error_set(error, KNACKDB_INVALID, "backup: a path is wanted");
    if (status != KNACKDB_OK)
        return status;
    return db->keeper != NULL ? keeper_backup(db->keeper, to, NULL, error) : save_memory(db, to, error);
}
