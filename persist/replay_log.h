/* replay_log.h - the log of a directory, opened by path, for programs that replay it. */
#ifndef KNACKDB_PERSIST_REPLAY_LOG_H
#define KNACKDB_PERSIST_REPLAY_LOG_H

#include "persist/disk.h"
#include "persist/log_reader.h"

struct replay_log;

/* Stands before the oldest commit kept. NOT_FOUND where there is no store. */
knackdb_status replay_log_open(struct allocator *allocator, const struct disk *disk, const char *path,
                               const struct schema_history *history, const struct schema *schema,
                               struct replay_log **ret_log, knackdb_error *error);
void           replay_log_close(struct replay_log *log); /* NULL is accepted */

/* Of the directory, as it was given. */
const char *replay_log_path(const struct replay_log *log);

/* The next commit, valid until the next call. NOT_FOUND at the end: ask again later. IO with ENOENT, saying which,
 * where a snapshot has removed what comes next before it could be read: the call after that goes on behind it. */
knackdb_status replay_log_next(struct replay_log *log, struct log_commit *ret_commit, knackdb_error *error);

/* Sequence of the oldest commit kept when the log was opened; 0 for an empty log. */
uint64_t replay_log_first_sequence(const struct replay_log *log);

/* After NOT_FOUND: what lies torn behind the end, 0 when it is clean, and where it begins: that may be in a later
 * segment than the last whole record. */
uint64_t replay_log_torn_bytes(const struct replay_log *log, const char **ret_file, uint64_t *ret_offset);

#endif
