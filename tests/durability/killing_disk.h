/* killing_disk.h - the operating system, until a named moment comes: then the process kills itself.
 *
 * SIGKILL from outside comes at any time, but seldom just between two calls that matter. A point names a call of
 * `struct disk`, the file it is about and whether it has been made: between a rename and the sync that makes it last,
 * say, or with half of a write done. The program is linked with --wrap=disk_posix, so that every call
 * of the library's passes through here; until it is armed they pass untouched. */
#ifndef TESTS_DURABILITY_KILLING_DISK_H
#define TESTS_DURABILITY_KILLING_DISK_H

#include <stdint.h>

enum disk_call {
    CALL_CREATE,
    CALL_ALLOCATE,
    CALL_MAP,
    CALL_WRITE,
    CALL_SYNC, /* also of a mapping */
    CALL_SYNC_DIR,
    CALL_RENAME,
    CALL_REMOVE,
    CALL_TRUNCATE,
};

enum kill_when {
    KILL_BEFORE,
    KILL_HALF_WAY, /* of a write: its first half is in the file */
    KILL_AFTER,
};

struct kill_point {
    const char    *name; /* for people */
    enum disk_call call;
    const char    *prefix; /* of the file's name; "" for any */
    const char    *ending; /* of it */
    enum kill_when when;
};

/* From now on in this process: the `occurrence`th time (from 1) that the point is come to, it dies. */
void killing_disk_arm(const struct kill_point *point, int occurrence);

/* How many processes have died at it, this one's children among them. */
uint64_t killing_disk_deaths(const struct kill_point *point);

#endif
