/* telling_disk.h - the system's disk; before each call of a kind, or after it, a test may have its say. */
#ifndef TESTS_PERSIST_TELLING_DISK_H
#define TESTS_PERSIST_TELLING_DISK_H

#include "tests/persist/bench.h"

/* NULL: nothing is said. What says something before a call and gives less than 0 has that taken for the call's
 * answer. */
struct telling_disk {
    struct disk disk;
    int (*before_open)(const char *name, enum disk_access access);
    int (*before_remove)(const char *name);
    int (*before_sync_dir)(void);
    int (*before_allocate)(void);
    void (*after_rename)(const char *to);
    void (*before_unmap)(void);
    void (*before_populate)(void);
    void (*after_sync_map)(void);
    void (*after_open_dir)(const char *path);
};

/* One in a test program. */
extern struct telling_disk telling;

/* kept_options(), on that disk. */
struct keeper_options telling_options(void);

#endif
