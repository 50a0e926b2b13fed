/* index.c - the writer's side of index.h; the letters I1 to I3 refer to it. */
#include "core/index.h"

#include "base/error.h"

#include <string.h>

#define SLOTS_MIN 16

static struct index_table *
table_new(struct epochs *epochs, uint64_t slots)
{
    size_t              bytes = sizeof(struct index_table) + slots * sizeof(uint64_t);
    struct index_table *table = epoch_get(epochs, bytes);

    if (table != NULL) {
        allocator_advise_huge(epochs->allocator, table, bytes);
        memset(table, 0, bytes);
        table->mask = slots - 1;
    }
    return table;
}

static void
table_insert(struct index_table *table, uint64_t slot, memory_order order)
{
    uint64_t at = (uint32_t) (slot >> 32) & table->mask;

    while (atomic_load_explicit(&table->slots[at], memory_order_relaxed) != 0)
        at = (at + 1) & table->mask;
    atomic_store_explicit(&table->slots[at], slot, order);
}

knackdb_status
index_reserve(struct index *index, struct epochs *epochs, uint64_t more, knackdb_error *error)
{
    struct index_table *old = atomic_load_explicit(&index->table, memory_order_relaxed);
    struct index_table *grown;
    uint64_t            slots = old != NULL ? old->mask + 1 : SLOTS_MIN;

    /* At most three quarters full: a search then looks at a cache line or two. */
    if (old != NULL && (index->count + more) * 4 <= slots * 3)
        return KNACKDB_OK;
    while ((index->count + more) * 4 > slots * 3)
        slots *= 2;
    grown = table_new(epochs, slots);
    if (grown == NULL)
        return error_no_memory(error, "a hash index");
    if (old != NULL)
        for (uint64_t i = 0; i <= old->mask; i++) {
            uint64_t slot = atomic_load_explicit(&old->slots[i], memory_order_relaxed);

            if (slot != 0)
                table_insert(grown, slot, memory_order_relaxed);
        }
    atomic_store(&index->table, grown); /* I3 */
    epoch_retire(epochs, old);
    return KNACKDB_OK;
}

void
index_insert(struct index *index, uint64_t hash, uint32_t value)
{
    struct index_table *table = atomic_load_explicit(&index->table, memory_order_relaxed);
    uint64_t            tag = hash >> 32;

    table_insert(table, tag << 32 | ((uint64_t) value + 1), memory_order_release); /* I1 */
    index->count++;
}

void
index_replace(struct index *index, uint64_t hash, uint32_t old_value, uint32_t value)
{
    struct index_table *table = atomic_load_explicit(&index->table, memory_order_relaxed);
    uint64_t            tag = hash >> 32;
    uint64_t            old_slot = tag << 32 | ((uint64_t) old_value + 1);
    uint64_t            at = (uint32_t) tag & table->mask;

    while (atomic_load_explicit(&table->slots[at], memory_order_relaxed) != old_slot)
        at = (at + 1) & table->mask;
    atomic_store_explicit(&table->slots[at], tag << 32 | ((uint64_t) value + 1), memory_order_release); /* I1 */
}

void
index_clear(struct index *index, struct epochs *epochs)
{
    epoch_put_now(epochs, atomic_load(&index->table));
    atomic_store(&index->table, NULL);
    index->count = 0;
}

uint64_t
index_bytes(const struct index *index)
{
    struct index_table *table = atomic_load(&((struct index *) (uintptr_t) index)->table); /* seq_cst: E2 */

    return table != NULL ? sizeof *table + (table->mask + 1) * sizeof(uint64_t) : 0;
}
