/* exploring.h - every power cut there could be at this moment, or many of them, and what becomes of each.
 *
 * Of each disk that a cut may leave (lying_disk.h):
 *
 *   E1  It opens. Mere loss of power is never called damage.
 *   E2  The store is a moment that the oracle knows: all that was promised, nothing that was not begun, no batch in
 *       part, no id to be given twice.
 *   E3  What was found is durable from then on: another cut, at any later moment, and it is found again.
 *   E4  A cut while recovering, too, leaves something of which E1 to E4 hold.
 *   E5  What is stored and synced after that is there after the next cut; what was cut away does not come back.
 *   E6  A process that dies loses no commit that had returned, and while the next one opens what it left, the power
 *       may go: E1 to E5 hold.
 *   E7  Readers without a lock, of the newest moment and of one before it, and a verification of every byte, find no
 *       fault in it either; one that was there before the opening follows, and is where the store is.
 *   E8  Copies of the store beside it, and a repair of it, are what copies.h says.
 *
 * E1 and E2 are asked of every one, the others of some, drawn by the seed. */
#ifndef TESTS_CRASH_EXPLORING_H
#define TESTS_CRASH_EXPLORING_H

#include "tests/crash/copies.h"
#include "tests/crash/life.h"
#include "tests/crash/oracle.h"

struct exploration {
    uint64_t              seed;    /* moves on */
    uint32_t              budget;  /* disks looked at for each moment */
    struct keeper_options options; /* to open with */
    struct copy_claim     copy;    /* what is claimed of the copy that was begun last */
    uint64_t             *seen;    /* a set: what has been looked at under the same promise */
    size_t                seen_count, seen_capacity;
    /* What was done. */
    uint64_t              moments, states, within_recovery, deaths, second_opens, went_on, verified, looked_back, torn;
    uint64_t              followed, copies, repaired;
    bool                  has_failed;
    char                  reason[1000];
};

void exploration_init(struct exploration *exploration, uint64_t seed, uint32_t budget);
void exploration_forget(struct exploration *exploration); /* what has been seen */
void exploration_clear(struct exploration *exploration);

/* The power goes now. Once it has failed this does nothing more. */
void explore(struct exploration *exploration, struct lying_disk *disk, const struct oracle *oracle);

/* The process dies now (E6), `returned` being the newest commit that had; sometimes, as it costs a whole recovery, and
 * more often where the last call was a rename. */
void explore_death(struct exploration *exploration, struct lying_disk *disk, const struct oracle *oracle,
                   uint64_t returned, bool has_renamed);

#endif
