/* reclaimer.h - the thread that works off what reclaim.h says, while nobody waits for it.
 *
 *     not there ---a few hundred rows have died---> at work ---nothing left---> asleep, until woken
 *                                                     | ^
 *                                 something waits for | | after a while, or woken
 *                                 a reader            v |
 *                                                   dozing
 *
 * It begins with the first few hundred rows that die, so a store that only grows has none. While others store it
 * has time: it leaves the lock alone for longer than it held it, and ends a slice when somebody waits for
 * the lock, so that a burst of updates goes by and is cleared up behind. Once half of what may lie about does
 * (is_pressed), it takes turns with those who store instead. A writer that makes dead rows faster even than
 * that does a part of the work itself (is_behind), and then slices are worked off whole, whoever waits: so memory has a
 * bound whatever they all do, also where no thread could be made.
 *
 * A forked child has no such thread, but a copy of whatever it was in the middle of: such a child frees
 * nothing of the store (api/open.c). */
#ifndef KNACKDB_CORE_RECLAIMER_H
#define KNACKDB_CORE_RECLAIMER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define RECLAIMER_WAKING_ROWS 256 /* dead rows after which it has a look */

struct store;

struct reclaimer {
    pthread_mutex_t mutex; /* below no other lock and above none */
    pthread_cond_t  wake;
    pthread_t       thread;
    bool            has_thread, is_stopping; /* under the mutex */
    bool            is_by_hand;              /* set before the store is shared */
    _Atomic bool    is_woken;                /* and has not heard of it yet */
    _Atomic bool    is_pressed;              /* much is to be done; set under the writers' lock, a hint (relaxed) */
    _Atomic bool    is_behind;               /* so much that writers help; likewise */
    uint64_t        helped_for;              /* under the writers' lock: dead rows that no help was given for */
};

void reclaimer_init(struct reclaimer *reclaimer);
void reclaimer_stop(struct reclaimer *reclaimer);

/* Under the writers' lock, at the end of a commit of which so many rows died: 0, or what to call reclaimer_wake() with
 * once the lock is released. */
uint32_t reclaimer_owes(struct store *store, uint64_t died);

/* Wakes the thread, and works off so many slices, less one, in its place. */
void reclaimer_wake(struct store *store, uint32_t owed);

#endif
