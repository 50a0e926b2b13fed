/* log_overtaken.h - did a snapshot take away what a reader wanted next? */
#ifndef KNACKDB_PERSIST_LOG_OVERTAKEN_H
#define KNACKDB_PERSIST_LOG_OVERTAKEN_H

#include "persist/log_reader.h"

/* After log_reader_next() has answered NOT_FOUND. *ret_next: 0, or the first commit that is still in the log, where those
 * before it are gone because a snapshot covers them. */
knackdb_status log_is_overtaken(struct log_reader *reader, struct allocator *allocator, const struct dir *dir,
                                uint64_t *ret_next, knackdb_error *error);

#endif
