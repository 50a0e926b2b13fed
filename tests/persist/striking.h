/* striking.h - memory, and the system's disk, of which one call fails: the first, in the next run the second, and so
 * on.
 *
 *     for (striking_begin(&striking, STRIKE_DISK); striking_next(&striking);) {
 *         ... with striking.allocator and striking.disk; striking_struck() says whether the call was made
 *     }
 *
 * ends after the run in which nothing failed, as there are no more calls. */
#ifndef TESTS_PERSIST_STRIKING_H
#define TESTS_PERSIST_STRIKING_H

#include "base/allocator.h"
#include "persist/disk.h"

#include <stdatomic.h>

enum strike {
    STRIKE_MEMORY,    /* an allocation gives nothing */
    STRIKE_DISK,      /* a call to the disk gives -EIO */
    STRIKE_INTERRUPT, /* a call to the disk gives -EINTR, once, where the system might */
    STRIKE_KINDS
};

struct striking {
    struct disk      disk; /* finds the rest by being first */
    struct allocator allocator;
    enum strike      kind;
    uint64_t         fail_at;
    _Atomic uint64_t seen; /* any thread adds */
};

void striking_begin(struct striking *striking, enum strike kind);
bool striking_next(struct striking *striking);
bool striking_struck(const struct striking *striking);

#endif
