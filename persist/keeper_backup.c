/* keeper_backup.c - a copy of the present moment, taken while the store runs.
 *
 * The copy is written from a view, as a snapshot is: stores and reads go on, and nothing in the store's own
 * directory is touched. It keeps the numbers of the commits, so that a moment has one name in both. */
#include "persist/keeper_state.h"

#include "persist/saving.h"

#include <string.h>

/* Time of the newest commit that a view which has begun sees, or of one a little later. */
static int64_t
time_of_newest(struct keeper *keeper)
{
    struct log_figures      log;
    struct follower_figures follower;

    if (keeper->log != NULL) {
        log_writer_get_figures(keeper->log, &log);
        return log.time_us;
    }
    if (keeper->follower != NULL) {
        follower_get_figures(keeper->follower, &follower);
        return follower.time_us;
    }
    return keeper->recovered_us;
}

knackdb_status
keeper_backup(struct keeper *keeper, const char *to, uint64_t *ret_rows, knackdb_error *error)
{
    struct saving_options options = {
        .disk = keeper->options.disk,
        .history = keeper->options.history,
        .path = to,
        .file_mode = keeper->options.file_mode,
        /* Not the manifest: a snapshot may be waiting with it for a disk that does not answer, and this copy be why we
         * are called. */
        .ancestor = &keeper->ancestor,
    };
    struct view    view;
    knackdb_status status = view_begin(keeper->store, &view, error);

    if (status != KNACKDB_OK)
        return status;
    options.sequence = view.sequence;
    options.time_us = time_of_newest(keeper);
    status = saving_write(keeper->allocator, &options, &view, ret_rows, error);
    view_end(&view);
    return status;
}
