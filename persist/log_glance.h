/* log_glance.h - has anything come to a directory since its log was read to the end?
 *
 * For who asks often and mostly in vain: a few system calls, where looking for a next commit in earnest takes tens. */
#ifndef KNACKDB_PERSIST_LOG_GLANCE_H
#define KNACKDB_PERSIST_LOG_GLANCE_H

#include "persist/log_reader.h"

/* What was there at a glance. Zeroed: never looked. */
struct log_glance {
    uint64_t names; /* of all files, as one number; 0: not known */
};

/* The reader has met the end of the log. *ret_glance: as it is now; `before`: as it was before the reader looked for
 * more the last time. *ret_news: there may be something new; false is certain. */
knackdb_status log_glance(const struct log_reader *reader, const struct dir *dir, const struct log_glance *before,
                          struct log_glance *ret_glance, bool *ret_news, knackdb_error *error);

#endif
