/* dir_lock.h - one writing process a directory; see dir_lock.c. */
#ifndef KNACKDB_PERSIST_DIR_LOCK_H
#define KNACKDB_PERSIST_DIR_LOCK_H

#include <stdint.h>

/* A descriptor that holds the lock, or a negative errno; -EAGAIN and the holder's pid
 * (0 where it let go as we asked) when another has it, be it this very process. */
int  dir_lock_take(int dir_fd, const char *name, uint32_t mode, int64_t *ret_holder);
void dir_lock_release(int lock_fd);

#endif
