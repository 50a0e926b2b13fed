/* index.h - a hash index that readers search without a lock while one writer adds to it.
 *
 * Open addressing with linear probing over 64-bit slots:
 *
 *     slot = hash (upper 32 bits) | value + 1 (lower 32 bits);   0: empty
 *
 * The place a slot belongs in is its hash's lower bits, so a table is grown from its
 * slots alone, without looking at any key. The index knows no keys: a search gives every
 * value whose hash agrees, and the caller compares. A value (a row number, a
 * dictionary code) is replaced in place, and never removed but by growing.
 *
 * I1  One writer. A slot goes from empty to full with a release store, after what its
 *     value refers to is written; a reader's acquire load of the slot sees all of that.
 * I2  A full slot never becomes empty or changes its hash, so a probe sequence that passed it stays valid.
 * I3  Growing builds the new table aside, stores the root (seq_cst), retires the old
 *     one through epoch.h. A reader inside the old one misses only what was
 *     added after it loaded the root, which no view of its can see. */
#ifndef KNACKDB_CORE_INDEX_H
#define KNACKDB_CORE_INDEX_H

#include "core/epoch.h"

#define INDEX_VALUE_MAX (UINT32_MAX - 2)

struct index_table {
    uint64_t         mask; /* slots - 1 */
    _Atomic uint64_t slots[];
};

struct index {
    _Atomic(struct index_table *) table; /* NULL: empty */
    uint64_t                      count; /* the writer's */
};

/* Makes room for `more` insertions, so that they cannot fail. */
knackdb_status index_reserve(struct index *index, struct epochs *epochs, uint64_t more, knackdb_error *error);
void           index_insert(struct index *index, uint64_t hash, uint32_t value);
/* Puts `value` where `old_value` stands under the same hash, which must be there. */
void           index_replace(struct index *index, uint64_t hash, uint32_t old_value, uint32_t value);
void           index_clear(struct index *index, struct epochs *epochs);
uint64_t       index_bytes(const struct index *index);

/* A search: for (index_probe_init(...); index_probe_next(&probe, &value);) compare keys */
struct index_probe {
    const struct index_table *table;
    uint64_t                  at;
    uint32_t                  tag;
};

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
                                             memory_order_acquire);

        if (slot == 0)
            return false;
        probe->at = (probe->at + 1) & probe->table->mask;
        if ((uint32_t) (slot >> 32) == probe->tag) {
            *ret_value = (uint32_t) slot - 1;
            return true;
        }
    }
}

#endif
