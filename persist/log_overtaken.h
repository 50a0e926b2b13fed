/* log_overtaken.h - is what a reader wanted next in a snapshot alone? */
#ifndef KNACKDB_PERSIST_LOG_OVERTAKEN_H
#define KNACKDB_PERSIST_LOG_OVERTAKEN_H

#include "persist/log_reader.h"

/* After log_reader_next() has answered NOT_FOUND. *ret_next: 0, or the first commit that the log has after the last one
 * read, where those between are in a snapshot alone. */
knackdb_status log_is_overtaken(struct log_reader *reader, struct allocator *allocator, const struct dir *dir,
                                uint64_t *ret_next, knackdb_error *error);

#endif
