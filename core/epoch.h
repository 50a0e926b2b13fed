/* epoch.h - frees memory only after the last reader that could see it has gone.
 *
 * Readers take no lock, so a writer that replaces something (an index grown to twice
 * its size, say) cannot know whether a reader is still inside the old one. So it numbers its
 * replacements: the epoch. A reader announces the epoch it starts in, in a slot of its
 * own, and clears the slot when done. What was replaced in epoch N is freed once every
 * announced epoch is past N.
 *
 *     slots     [7] [-] [9]              oldest announced: 7
 *     retired   table@6   table@8        @6 may go, @8 waits for the first slot
 *
 * The slot also tells which moment (store.h) its reader sees, so that the writer knows the oldest
 * one still looked at.
 *
 * E1  Only its owner writes a slot once claimed, and clears it with a release store
 *     after its last read. Only the writer (under its lock) retires and frees.
 * E2  A reader claims its slot (seq_cst) before it loads any root pointer (seq_cst). The
 *     writer stores the new root (seq_cst) before it scans the slots (seq_cst). So the
 *     writer sees the reader, or the reader sees the new root.
 * E3  The writer stores the new root, tags the old one with the current epoch N, then
 *     advances the epoch. A reader that announces N + 1 read it after the advance, so it
 *     finds the new root; one that announces N or less may hold the old one, and is waited for.
 * E4  The epoch only grows: a reader that read it long before claiming announces
 *     too old a number, which delays a free and never hastens one.
 *
 * Progress: readers are wait-free but for the search of a free slot, which is bounded by
 * the number of readers. A reader that never ends holds memory without bound;
 * knackdb_stats reports the oldest so that this can be seen. */
#ifndef KNACKDB_CORE_EPOCH_H
#define KNACKDB_CORE_EPOCH_H

#include "core/slab.h"

#include <stdatomic.h>

#define EPOCH_SLOTS_PER_BLOCK 64
#define EPOCH_OWNER_BYTES     880

struct epoch_slot {
    /* Writer: the reader that owns it. Readers: the writer's scans (E2). 0: free. */
    _Atomic uint64_t epoch;
    /* The moment its reader sees plus one; 0 while that is not known: then it may be any. */
    _Atomic uint64_t view;
    _Alignas(16) unsigned char owner[EPOCH_OWNER_BYTES]; /* the owner's to use while claimed */
} __attribute__((aligned(CACHE_LINE_BYTES)));

struct epoch_block {
    struct epoch_slot             slots[EPOCH_SLOTS_PER_BLOCK];
    _Atomic(struct epoch_block *) next; /* set once, by whoever found all slots taken */
};

struct epochs {
    struct allocator   *allocator;
    _Atomic uint64_t    current;                     /* from 1 */
    struct epoch_block *first;                       /* blocks are never freed before the store */
    struct retired     *retired_head, *retired_tail; /* by rising epoch; the writer's */
};

knackdb_status epochs_init(struct epochs *epochs, struct allocator *allocator, knackdb_error *error);
/* Frees what is retired, and all; the store is ending, and nobody reads. */
void           epochs_drain(struct epochs *epochs);
void           epochs_clear(struct epochs *epochs);

/* NULL when every slot is taken and no block can be added. */
struct epoch_slot *epoch_claim(struct epochs *epochs);
void               epoch_release(struct epoch_slot *slot);

/* Memory that is to be retired one day carries a small header in front. */
void  *epoch_get(struct epochs *epochs, size_t bytes);
void  *epoch_get_zeroed(struct epochs *epochs, size_t bytes);
/* Of a slab for pieces of epoch_piece_bytes(); it stays until the piece is put or collected. */
size_t epoch_piece_bytes(size_t bytes);
void  *epoch_get_piece(struct epochs *epochs, struct slab *slab);
bool   epoch_zeroed_is_untouched(const struct epochs *epochs, size_t bytes); /* such memory costs nothing until it is */
void   epoch_put_now(struct epochs *epochs, void *memory); /* nobody has ever seen it, or the store is ending */
void   epoch_retire(struct epochs *epochs, void *memory);  /* unlinked already; NULL is accepted. Cannot fail */
void   epoch_retire_with_next(struct epochs *epochs, void *memory); /* of many all but the last: no look at readers */
void   epoch_collect(struct epochs *epochs);                        /* frees what may go; cheap when there is nothing */

/* For memory that is given back in some other way: ends the current epoch and returns its number; and is every reader
 * gone that began in that epoch or before? The writer's, as the five above. */
uint64_t epoch_advance(struct epochs *epochs);
bool     epoch_is_past(struct epochs *epochs, uint64_t epoch);

/* Does any reader see a moment from `from` on and before `until`? */
bool epoch_is_viewed(struct epochs *epochs, uint64_t from, uint64_t until);

/* Readers now, and the oldest moment that any of them may see; `newest` where there is none. */
uint64_t epoch_oldest_view(struct epochs *epochs, uint64_t newest, uint64_t *ret_reader_count);

#endif
