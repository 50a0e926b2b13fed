/* commit_log.h - what core asks of whoever keeps its commits.
 *
 * Core opens no file. It hands each commit, encoded, to this interface, which
 * persist implements over files and tests implement in memory. */
#ifndef KNACKDB_CORE_COMMIT_LOG_H
#define KNACKDB_CORE_COMMIT_LOG_H

#include <knackdb.h>

struct commit_log {
    /* Takes one commit before it becomes visible. Called under the writers' lock, so
     * one call at a time, with sequences that rise by one. On anything but
     * KNACKDB_OK the commit does not happen, and the same sequence may come
     * again. The payload (docs/FORMAT.md, "Commit") is borrowed for the call.
     * Never waits for the disk. */
    knackdb_status (*append)(struct commit_log *log, uint64_t sequence, int64_t time_us, const void *payload,
                             size_t payload_bytes, knackdb_error *error);
};

#endif
