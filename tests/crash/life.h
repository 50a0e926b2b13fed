/* life.h - a store that is kept on a lying disk, from its opening to its death. */
#ifndef TESTS_CRASH_LIFE_H
#define TESTS_CRASH_LIFE_H

#include "persist/keeper.h"
#include "tests/crash/lying_disk.h"

#define LIFE_PATH "store" /* on every lying disk */

struct life {
    struct allocator   allocator;
    bool               is_guest;
    struct lying_disk *disk;
    struct store      *store;
    struct keeper     *keeper;
    knackdb_error      error;
};

/* A store of knackdb's tables on this disk; what happens, happens by hand. The status is keeper_open()'s; on failure
 * there is nothing to end. Leaks are a failure of their own: the message says so. */
knackdb_status life_open(struct life *life, struct lying_disk *disk, const struct keeper_options *options);

/* The same of another directory of the disk, or beside another life on it: what handles are open at its end is not its
 * own affair, but that of the other. */
knackdb_status life_open_guest(struct life *life, struct lying_disk *disk, const char *path,
                               const struct keeper_options *options);

#define LIFE_WORDS 600

/* Reads and checks every byte, and changes nothing: verify_directory()'s status, and in `why` the first fault. */
knackdb_status life_verify(struct lying_disk *disk, const char *path, char why[LIFE_WORDS]);

/* In order: keeper_close()'s status. The disk lives on. */
knackdb_status life_close(struct life *life);

/* The power goes, whatever was under way: nothing that the dying process does reaches the disk. Returns false, with the
 * reason in life->error, where memory or a handle is left behind. The disk is of no more use. */
bool life_end(struct life *life);

#endif
