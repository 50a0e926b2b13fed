/* copies.h - a backup, or what a repair writes: another directory on the same disk, and what may be found of it.
 *
 *   C1  A directory that is being written is no store, or it is all of the moment that is being copied.
 *   C2  Once the call has said that it is done, it is all of that moment, whatever happens then.
 *   C3  A repair of what a power cut leaves loses nothing that was promised, and nothing that it does not tell: if it
 *       tells of none, what comes of it is a moment that the oracle knows. */
#ifndef TESTS_CRASH_COPIES_H
#define TESTS_CRASH_COPIES_H

#include "tests/crash/life.h"
#include "tests/crash/oracle.h"

#define COPY_PATH_BYTES 16

/* What is claimed of the copy that was begun last. */
struct copy_claim {
    char          path[COPY_PATH_BYTES]; /* empty: none has been begun */
    bool          is_done;
    uint64_t      sequence;
    struct moment moment;
};

/* C1, C2. False, with the reason, where the claim does not hold. The disk is not changed. */
bool copy_holds(const struct copy_claim *claim, struct lying_disk *disk, char why[LIFE_WORDS]);

/* Repairs the store of this disk into the claim's path. What was lost, but for a torn end and bytes that no row needs,
 * is counted, and the number of the first commit that was told as lost (0: none) is left in *ret_first_lost. */
knackdb_status copy_by_repair(const struct copy_claim *claim, struct lying_disk *disk, uint64_t *ret_losses,
                              uint64_t *ret_first_lost, char why[LIFE_WORDS]);

/* C3, on a disk that a power cut has left. Its store is not changed. */
bool copy_repair_holds(struct lying_disk *disk, const struct oracle *oracle, char why[LIFE_WORDS]);

#endif
