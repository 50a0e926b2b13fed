/* index.c - the writer's side of index.h; the letters I1 to I3 refer to it. */
#include "core/index.h"

#include "base/error.h"

#include <string.h>

#define SLOTS_MIN 16

static size_t
table_bytes(uint64_t slots)
{
    return sizeof(struct index_table) + slots * sizeof(uint64_t);
}

/* Whoever asks how large an index is holds no lock, and of its tables only one may be looked at without. NULL is
 * accepted. */
static void
count_bytes(struct index *index, const struct index_table *table, bool is_new)
{
    uint64_t bytes = table != NULL ? table_bytes(table->mask + 1) : 0;
    uint64_t before = atomic_load_explicit(&index->bytes, memory_order_relaxed);

    atomic_store_explicit(&index->bytes, is_new ? before + bytes : before - bytes, memory_order_relaxed);
}

/* One that no reader looks into. NULL is accepted. */
static void
drop_table(struct index *index, struct epochs *epochs, struct index_table **table)
{
    count_bytes(index, *table, false);
    epoch_put_now(epochs, *table);
    *table = NULL;
}

struct index_table *
index_table_new(struct epochs *epochs, uint64_t slots)
{
    size_t              bytes = table_bytes(slots);
    struct index_table *table = epoch_get_zeroed(epochs, bytes);

    if (table != NULL) {
        allocator_advise_huge(epochs->allocator, table, bytes);
        table->mask = slots - 1;
    }
    return table;
}

static uint64_t
slot_of(uint64_t hash, uint32_t value)
{
    return hash >> 32 << 32 | ((uint64_t) value + 1);
}

static uint64_t
slot_at(struct index_table *table, uint64_t at)
{
    return atomic_load_explicit(&table->slots[at], memory_order_relaxed);
}

/* True where it took an empty slot, and not one with a mark. */
static bool
table_insert(struct index_table *table, uint64_t slot, memory_order order)
{
    uint64_t at = (uint32_t) (slot >> 32) & table->mask;
    bool     was_empty;

    while (slot_at(table, at) != 0 && slot_at(table, at) != INDEX_SLOT_REMOVED)
        at = (at + 1) & table->mask;
    was_empty = slot_at(table, at) == 0;
    atomic_store_explicit(&table->slots[at], slot, order);
    return was_empty;
}

/* Where a slot stands; UINT64_MAX where it does not. */
static uint64_t
table_find(struct index_table *table, uint64_t slot)
{
    uint64_t at = (uint32_t) (slot >> 32) & table->mask;

    while (slot_at(table, at) != slot) {
        if (slot_at(table, at) == 0)
            return UINT64_MAX;
        at = (at + 1) & table->mask;
    }
    return at;
}

/* At most half full when new, three quarters later: a search looks at a cache line or two. */
static uint64_t
slots_for(uint64_t count)
{
    uint64_t slots = SLOTS_MIN;

    while (count * 2 > slots)
        slots *= 2;
    return slots;
}

static bool
is_full(uint64_t used, const struct index_table *table)
{
    return used * 4 > (table->mask + 1) * 3;
}

static void
publish(struct index *index, struct epochs *epochs, struct index_table *table, uint64_t used)
{
    struct index_table *old = atomic_load_explicit(&index->table, memory_order_relaxed);

    index->used = used;
    atomic_store(&index->table, table); /* I3 */
    count_bytes(index, old, false);
    epoch_retire(epochs, old);
}

/* The next table is asked for when this one is five eighths full. Its pages are made ready before the first slot is
 * copied, as each of the first insertions would meet some that are not: one at a time, by writing what is there, since
 * one that is looked at before it is written costs two faults. Whoever readies pages for the
 * store is asked for those of a large one, but may come too late; 2 MiB pages are his alone. A little later it is
 * begun, and so many slots are copied at each insertion that it is done before this one is full, and no insertion has
 * waited for it. Small ones are not worth it. */
#define GROWS_ALONG_SLOTS  1024
#define SLOTS_AN_INSERTION 24
#define READY_AN_INSERTION 256 /* bytes: twice as many slots are ready in time as the old table has */
#define READY_PAGE         4096

static void
make_ahead(struct index *index, struct epochs *epochs, uint64_t slots)
{
    size_t bytes = table_bytes(slots);

    index->ahead = index_table_new(epochs, slots);
    index->ahead_ready = epoch_zeroed_is_untouched(epochs, bytes) && bytes < ALLOCATOR_HUGE_BYTES ? 0 : bytes;
    count_bytes(index, index->ahead, true);
    if (index->ahead != NULL && bytes >= ALLOCATOR_WAKING_BYTES)
        (void) allocator_request_pages(epochs->allocator, index->ahead, bytes);
}

static void
ready_ahead(struct index *index)
{
    size_t ready = index->ahead_ready;

    if (ready >= table_bytes(index->ahead->mask + 1))
        return;
    if (ready != 0 && ready % READY_PAGE == 0) /* at 0 stands the mask */
        atomic_store_explicit(&index->ahead->slots[ready / sizeof(uint64_t) - 1], 0, memory_order_relaxed);
    index->ahead_ready += READY_AN_INSERTION;
}

static void
grow_along(struct index *index, struct epochs *epochs, const struct index_table *table, uint64_t more)
{
    uint64_t slots = table->mask + 1;

    if (index->building != NULL) {
        (void) index_build_step(index, epochs, SLOTS_AN_INSERTION);
        return;
    }
    if (slots < GROWS_ALONG_SLOTS || index->used * 32 < slots * 20)
        return;
    if (index->ahead != NULL && is_full(index->count + more, index->ahead))
        drop_table(index, epochs, &index->ahead);
    if (index->ahead == NULL) {
        make_ahead(index, epochs, slots_for(index->count + more)); /* without memory: at the next */
    } else if (index->used * 32 < slots * 22) {
        ready_ahead(index);
    } else {
        struct index_table *next = index->ahead;

        index->ahead = NULL;
        count_bytes(index, next, false);
        index_build(index, epochs, next);
    }
}

knackdb_status
index_reserve(struct index *index, struct epochs *epochs, uint64_t more, knackdb_error *error)
{
    struct index_table *old = atomic_load_explicit(&index->table, memory_order_relaxed);
    struct index_table *grown;

    if (index->building != NULL &&
        is_full(index->build_used + (index->count - index->build_count) + more, index->building))
        drop_table(index, epochs, &index->building);
    if (old != NULL && !is_full(index->used + more, old)) {
        grow_along(index, epochs, old, more);
        return KNACKDB_OK;
    }
    drop_table(index, epochs, &index->building);
    drop_table(index, epochs, &index->ahead);
    grown = index_table_new(epochs, slots_for(index->count + more));
    if (grown == NULL)
        return error_no_memory(error, "a hash index");
    count_bytes(index, grown, true);
    if (old != NULL)
        for (uint64_t i = 0; i <= old->mask; i++) {
            uint64_t slot = slot_at(old, i);

            if (slot != 0 && slot != INDEX_SLOT_REMOVED)
                (void) table_insert(grown, slot, memory_order_relaxed);
        }
    publish(index, epochs, grown, index->count);
    return KNACKDB_OK;
}

static void
insert_building(struct index *index, uint64_t slot)
{
    index->build_used += table_insert(index->building, slot, memory_order_relaxed);
    index->build_count++;
}

void
index_insert(struct index *index, uint64_t hash, uint32_t value)
{
    struct index_table *table = atomic_load_explicit(&index->table, memory_order_relaxed);
    uint64_t            slot = slot_of(hash, value);

    index->used += table_insert(table, slot, memory_order_release); /* I1 */
    index->count++;
    if (index->building != NULL)
        insert_building(index, slot); /* I5 */
}

void
index_replace(struct index *index, uint64_t hash, uint32_t old_value, uint32_t value)
{
    struct index_table *table = atomic_load_explicit(&index->table, memory_order_relaxed);
    uint64_t            slot = slot_of(hash, value);
    uint64_t            old_slot = slot_of(hash, old_value);
    uint64_t            at;

    atomic_store_explicit(&table->slots[table_find(table, old_slot)], slot, memory_order_release); /* I1 */
    if (index->building == NULL)
        return;
    at = table_find(index->building, old_slot);
    if (at != UINT64_MAX)
        atomic_store_explicit(&index->building->slots[at], slot, memory_order_relaxed); /* I5 */
}

void
index_remove(struct index *index, uint64_t hash, uint32_t value)
{
    struct index_table *table = atomic_load_explicit(&index->table, memory_order_relaxed);
    uint64_t            slot = slot_of(hash, value);
    uint64_t            at;

    atomic_store(&table->slots[table_find(table, slot)], INDEX_SLOT_REMOVED); /* I4 */
    index->count--;
    if (index->building == NULL)
        return;
    at = table_find(index->building, slot);
    if (at == UINT64_MAX)
        return;
    atomic_store_explicit(&index->building->slots[at], INDEX_SLOT_REMOVED, memory_order_relaxed); /* I5 */
    index->build_count--;
}

uint64_t
index_slots_wanted(const struct index *index)
{
    const struct index_table *table =
        atomic_load_explicit(&((struct index *) (uintptr_t) index)->table, memory_order_relaxed);
    uint64_t slots = slots_for(index->count + index->count / 8);

    if (table == NULL || index->building != NULL)
        return 0;
    if (slots * 2 <= table->mask + 1 || (index->used - index->count) * 8 > table->mask + 1)
        return slots;
    return 0;
}

void
index_build(struct index *index, struct epochs *epochs, struct index_table *table)
{
    if (index->building != NULL || is_full(index->count + 1, table)) {
        epoch_put_now(epochs, table); /* much has happened since it was asked for */
        return;
    }
    drop_table(index, epochs, &index->ahead);
    count_bytes(index, table, true);
    index->building = table;
    index->build_at = index->build_count = index->build_used = 0;
}

bool
index_build_step(struct index *index, struct epochs *epochs, uint64_t slots)
{
    struct index_table *old = atomic_load_explicit(&index->table, memory_order_relaxed);

    if (index->building == NULL)
        return false;
    for (; slots > 0 && index->build_at <= old->mask; slots--) {
        uint64_t slot = slot_at(old, index->build_at++);

        if (slot == 0 || slot == INDEX_SLOT_REMOVED || table_find(index->building, slot) != UINT64_MAX)
            continue;
        insert_building(index, slot);
    }
    if (index->build_at > old->mask) {
        publish(index, epochs, index->building, index->build_used);
        index->building = NULL;
        return false;
    }
    return true;
}

void
index_clear(struct index *index, struct epochs *epochs)
{
    struct index_table *table = atomic_load(&index->table);

    drop_table(index, epochs, &index->building);
    drop_table(index, epochs, &index->ahead);
    drop_table(index, epochs, &table);
    atomic_store(&index->table, NULL);
    index->count = index->used = 0;
}

uint64_t
index_bytes(const struct index *index)
{
    return atomic_load_explicit(&((struct index *) (uintptr_t) index)->bytes, memory_order_relaxed);
}
