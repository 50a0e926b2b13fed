/* history.h - a life of a store, drawn from a seed, with every moment of it open to a power cut.
 *
 * Steps are stores of one row and of batches, updates, deletes, clean-ups, syncs, turns of the background thread,
 * snapshots, closings in order, deaths of the process, and power cuts from which the life goes on. Each is done
 * first to a shadow, a store in memory alone, so that what the commit will have done is known to the oracle
 * before its first byte is written. After each call of the disk that changes anything, and after
 * each step, the exploration looks what a cut would leave.
 *
 * With guests, others come and go beside it: a follower, which between any two calls of the disk may refresh, and
 * must see a commit's moment each time and never an earlier one; backups, and repairs, in the midst of which the
 * power may go, too. What they do is drawn from dice of their own, so a life with them is the life without, looked
 * at more often. */
#ifndef TESTS_CRASH_HISTORY_H
#define TESTS_CRASH_HISTORY_H

#include "tests/crash/exploring.h"

struct history_figures {
    uint64_t steps, commits, meanwhile, snapshots, lives, migrations, disk_calls, backups, repairs, refreshes;
};

enum history_guests { HISTORY_ALONE, HISTORY_WITH_GUESTS };

/* Lives one life. Where it meets what must not be, exploration->has_failed and the reason say so. `golden`: a directory
 * of an older version to begin with, or NULL. */
void history_live(struct exploration *exploration, uint64_t seed, const char *golden, enum history_guests guests,
                  struct history_figures *figures);

#endif
