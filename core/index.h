/* index.h - a hash index that readers search without a lock while one writer adds to it.
 *
 * Open addressing with linear probing over 64-bit slots:
 *
 *     slot = hash (upper 32 bits) | value + 1 (lower 32 bits);   0: empty
 *
 * The place a slot belongs in is its hash's upper bits, so a table is rebuilt from its
 * slots alone, without looking at any key. The index knows no keys: a search gives every
 * value whose hash agrees, and the caller compares. A value (a row number, a
 * dictionary code) is replaced in place. One that is removed leaves a mark in its slot, which a
 * later insertion may take; a table with many marks, or with few values, is rebuilt, a piece at a
 * time, so that nobody waits for it. So is one that fills up.
 *
 * I1  One writer. A slot goes from empty to full with a release store, after what its
 *     value refers to is written; a reader's acquire load of the slot sees all of that.
 * I2  A slot once full never becomes empty, so a probe sequence that passed it stays valid. A reader that passes a mark
 *     just when it becomes full may miss what came, which no view of its can see.
 * I3  A new table is built aside; storing the root (seq_cst) makes it the index's, and the old
 *     one is retired through epoch.h. A reader inside the old one misses only what was
 *     added after it loaded the root, which no view of its can see.
 * I4  A removal is stored, and slots are loaded, seq_cst: whoever retires what a value stood for after
 *     removing the value has the ordering that epoch.h asks of a root (E2).
 * I5  While a table is being built, every change is made in both. A value is in the new one if it came since or the
 *     copying has passed its slot; the copying leaves out what it finds there already. */
#ifndef KNACKDB_CORE_INDEX_H
#define KNACKDB_CORE_INDEX_H

#include "core/epoch.h"

#define INDEX_VALUE_MAX (UINT32_MAX - 2)

struct index_table {
    uint64_t         mask; /* slots - 1 */
    _Atomic uint64_t slots[];
};

struct index {
    _Atomic(struct index_table *) table;    /* NULL: empty */
    uint64_t                      count;    /* values; this and what follows is the writer's */
    uint64_t                      used;     /* slots that are not empty: values and marks */
    struct index_table           *building; /* I5; NULL: none */
    uint64_t                      build_at, build_count, build_used;
    struct index_table           *ahead;       /* to be built next, without a slot; NULL: none */
    size_t                        ahead_ready; /* its first bytes, of which the pages are there */
    _Atomic uint64_t              bytes;       /* of all three; relaxed, a figure for people */
};

/* Makes room for `more` insertions, so that they cannot fail. */
knackdb_status index_reserve(struct index *index, struct epochs *epochs, uint64_t more, knackdb_error *error);
void           index_insert(struct index *index, uint64_t hash, uint32_t value);
/* Puts `value` where `old_value` stands under the same hash, which must be there. */
void           index_replace(struct index *index, uint64_t hash, uint32_t old_value, uint32_t value);
/* Takes it out; it must be there under this hash. */
void           index_remove(struct index *index, uint64_t hash, uint32_t value);
void           index_clear(struct index *index, struct epochs *epochs);

/* Slots that a table better suited to what the index holds would have; 0 where it suits, or one is being built. */
uint64_t            index_slots_wanted(const struct index *index);
struct index_table *index_table_new(struct epochs *epochs, uint64_t slots); /* any thread; NULL without memory */
void                index_build(struct index *index, struct epochs *epochs, struct index_table *table); /* takes it */
/* Copies some slots; false when there is nothing to build (any more). */
bool                index_build_step(struct index *index, struct epochs *epochs, uint64_t slots);
uint64_t            index_bytes(const struct index *index); /* any thread */

/* A search: for (index_probe_init(...); index_probe_next(&probe, &value);) compare keys */
#define INDEX_SLOT_REMOVED UINT64_C(0xFFFFFFFF) /* no value + 1 is as large */

struct index_probe {
    const struct index_table *table;
    uint64_t                  at;
    uint32_t                  tag;
};

/* Asks for where a search would begin. The writer's. */
static inline void
index_prefetch(const struct index *index, uint64_t hash)
{
    struct index_table *table =
        atomic_load_explicit(&((struct index *) (uintptr_t) index)->table, memory_order_relaxed);

    if (table != NULL)
        __builtin_prefetch(&table->slots[(hash >> 32) & table->mask]);
}

static inline void
index_probe_init(struct index_probe *probe, const struct index *index, uint64_t hash)
{
    struct index_table *table = atomic_load(&((struct index *) (uintptr_t) index)->table); /* seq_cst: E2 */

    probe->table = table;
    probe->tag = (uint32_t) (hash >> 32);
    probe->at = table != NULL ? probe->tag & table->mask : 0;
}

static inline bool
index_probe_next(struct index_probe *probe, uint32_t *ret_value)
{
    if (probe->table == NULL)
        return false;
    for (;;) {
        uint64_t slot = atomic_load_explicit(&((struct index_table *) (uintptr_t) probe->table)->slots[probe->at],
                                             memory_order_seq_cst); /* I4 */

        if (slot == 0)
            return false;
        probe->at = (probe->at + 1) & probe->table->mask;
        if ((uint32_t) (slot >> 32) == probe->tag && slot != INDEX_SLOT_REMOVED) {
            *ret_value = (uint32_t) slot - 1;
            return true;
        }
    }
}

#endif
