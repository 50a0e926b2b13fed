/* failing_disk.h - the system's disk, with calls that fail when a test says so, and a memory of what failed: nothing
 * that failed to be written or synced may be asked for that again. */
#ifndef TESTS_PERSIST_FAILING_DISK_H
#define TESTS_PERSIST_FAILING_DISK_H

#include "persist/disk.h"

enum disk_call {
    CALL_CREATE,
    CALL_WRITE,
    CALL_ALLOCATE,
    CALL_SYNC, /* of a file or of a mapping */
    CALL_SYNC_DIR,
    CALL_RENAME,
    CALL_REMOVE,
    CALL_TRUNCATE,
    CALL_LIST,
    CALL_KINDS
};

/* The disk, without faults and with its memory empty. One at a time in a test program. */
struct disk *failing_disk_new(void);

/* From now on calls of this kind on files whose name begins with `prefix` ("" for all) give -os_errno, `times` times
 * (0: until failing_disk_mend()). */
void failing_disk_fail(enum disk_call call, const char *prefix, int os_errno, int times);
void failing_disk_mend(void);

/* Calls that failed so far, and syncs and writes of a file whose write or sync had failed before. */
int failing_disk_failures(void);
int failing_disk_retries(void);

/* Calls of a kind that came back without an error. */
int failing_disk_count(enum disk_call call);

/* Every other read and write is interrupted, the others are short. */
void failing_disk_stutter(bool stutters);

/* The next call of this kind on such a file waits until failing_disk_release(), or until another is to be held. */
void failing_disk_hold(enum disk_call call, const char *prefix);
void failing_disk_await_held(void); /* returns when one waits */
void failing_disk_release(void);

#endif
