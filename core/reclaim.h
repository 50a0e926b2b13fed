/* reclaim.h - gives back the memory of rows that nobody will see again.
 *
 * Updates, deletes, clean-ups and commits that failed all leave the same thing: rows with an end, or never
 * born, between rows that live. Memory goes back by the chunk. One of which half is
 * dead is emptied: its living rows are moved, which is an update that changes nothing
 * and is not logged. The old copy ends and the new one is born at one moment of the store,
 * between two commits (store.h), so every view sees exactly one of them. From then on the chunk
 * is of interest only to views that began before:
 *
 *     KEPT       rows live in it; it may be filling
 *       |          a slice of rows at a time: move what lives, and what lives elsewhere but shares a text with a
 *       |          row here (a new version takes over the texts that did not change)
 *     EMPTIED    at a moment: no later view sees a row of it, nor a text of it
 *       |          wait until no view is of a moment from the chunk's first birth up to that one
 *     DOOMED     a slice of rows at a time: take them out of posting lists, key chains, indexes; count off their
 *       |          dictionary texts (dictionary.h). Several chunks go together: a list is compacted once for all
 *     UNLINKED   row_count is 0, nothing leads here; readers that found the way before may still be here
 *       |          wait until their epochs are past (epoch.h)
 *     gone       arrays and texts are freed, outside the lock; the number is given to another chunk
 *
 * R1  A text lies in the arena of the chunk in which it was stored, with a row of its id. Rows that share it are
 *     versions of the same id, and one of them at most lives. Emptying looks at each row of the chunk and at the living
 *     row of its id: so when it ends, whoever shares a text of the chunk has an end. Later versions take their texts
 *     from a living row, which has none of the chunk's.
 * R2  So what a view needs of an EMPTIED chunk are rows whose life lies between the chunk's first birth and the moment
 *     it was emptied. Where no view is of such a moment there never will be one: views begin at the newest.
 * R3  Unlinking takes every row of such a life (and those never born) out of the chain of its id, and with it out of
 *     all its other chains: those in the chunk, and those elsewhere that share a text with one. So no search compares a
 *     key with a text of the chunk once it is UNLINKED.
 * R4  A view that a caller keeps open holds back the chunks there were when it began, not those that came and went
 *     since; but their memory, like all that was retired since, waits for its epoch.
 *
 * All this happens in slices under the writers' lock, each of them some microseconds long; who works them off is
 * reclaimer.h. Without memory for a step it is tried again later; nothing is lost, only kept longer. */
#ifndef KNACKDB_CORE_RECLAIM_H
#define KNACKDB_CORE_RECLAIM_H

#include "core/posting.h"

#define RECLAIM_ROWS_MIN 1024

struct store;

/* What is under way in one table; the writer's. */
struct reclaim {
    uint32_t                  rows_min;    /* dead rows in a chunk that are worth the work */
    uint64_t                  died;        /* rows that died since a chunk was last looked for */
    uint64_t                  worth_after; /* so many of them, and it is worth looking again */
    uint32_t                  waiting;     /* chunks that are EMPTIED or UNLINKED */
    uint32_t                  emptying;    /* the chunk whose rows are being moved, or CHUNK_NONE */
    uint32_t                  unlinking;   /* the one among the DOOMED, or CHUNK_NONE */
    uint32_t                  place;       /* next row of either */
    uint32_t                  column;      /* of that row: the next whose posting list is compacted */
    uint32_t                  round;       /* counts what was DOOMED together */
    uint64_t                  oldest_view; /* moment, when the slice began */
    struct posting_compaction compaction;
};

void reclaim_init(struct reclaim *reclaim);
void reclaim_clear(struct reclaim *reclaim, struct epochs *epochs);

enum reclaim_outcome {
    RECLAIM_DONE,    /* nothing is left to do until more rows die */
    RECLAIM_WAITING, /* what is left waits for a reader, a commit or memory */
    RECLAIM_GOES_ON,
};

/* One slice. Takes the writers' lock, for some microseconds. Any thread. */
enum reclaim_outcome store_reclaim(struct store *store);

/* From now on only whoever calls store_reclaim() does it, and for so few dead rows in a chunk: for tests that want to
 * know what happens when. Before the store is shared. */
void store_reclaim_by_hand(struct store *store, uint32_t rows_min);

#endif
