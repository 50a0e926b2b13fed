/* id_map.h - from id to row, for ids that lie close together.
 *
 * A store that gives ids gives 1, 2, 3, ...; for those an array is the best index there
 * is: four bytes an id where a hash table takes fourteen, the neighbours of a new id are
 * in the cache already, and nothing is compared. The array comes in segments of 65,536
 * ids, made as they are needed and never moved. An id that is far past the number of
 * rows (a caller's own) would leave it empty for the most part, and goes to index.h.
 *
 * M1  One writer. An entry is stored (release) after the row it names is written; a
 *     segment (release) after it reads as empty. Both are loaded with acquire.
 * M2  An id lives in the map or in the hash index, where it was first put, for ever. */
#ifndef KNACKDB_CORE_ID_MAP_H
#define KNACKDB_CORE_ID_MAP_H

#include "base/allocator.h"

#include <stdatomic.h>

#define ID_MAP_SEGMENT_BITS 16
#define ID_MAP_SEGMENT_IDS  ((uint32_t) 1 << ID_MAP_SEGMENT_BITS)
#define ID_MAP_GROUP        256u /* segments */
#define ID_MAP_GROUPS       256u /* so ids below 2^32 */
#define ID_MAP_NONE         UINT32_MAX

struct id_map_segment {
    _Atomic uint32_t rows[ID_MAP_SEGMENT_IDS]; /* row + 1; 0: none */
};

struct id_map_group {
    _Atomic(struct id_map_segment *) segments[ID_MAP_GROUP];
};

struct id_map {
    _Atomic(struct id_map_group *) groups[ID_MAP_GROUPS];
    _Atomic uint64_t               segment_count; /* for figures (relaxed) */
};

/* Whether an id belongs here, with so many rows in the table. */
static inline bool
id_map_takes(int64_t id, uint64_t row_count)
{
    return id > 0 && (uint64_t) id < 2 * row_count + ID_MAP_SEGMENT_IDS
           && (uint64_t) id < (uint64_t) ID_MAP_GROUPS * ID_MAP_GROUP * ID_MAP_SEGMENT_IDS;
}

static inline struct id_map_segment *
id_map_segment_of(const struct id_map *map, int64_t id)
{
    uint64_t             number = (uint64_t) id >> ID_MAP_SEGMENT_BITS;
    struct id_map_group *group;

    if (number >= ID_MAP_GROUPS * ID_MAP_GROUP) /* a negative id, too */
        return NULL;
    group = atomic_load_explicit(&((struct id_map *) (uintptr_t) map)->groups[number / ID_MAP_GROUP],
                                 memory_order_acquire);
    return group != NULL ? atomic_load_explicit(&group->segments[number % ID_MAP_GROUP], memory_order_acquire) : NULL;
}

/* Any thread. The row, or ID_MAP_NONE. */
static inline uint32_t
id_map_get(const struct id_map *map, int64_t id)
{
    struct id_map_segment *segment = id_map_segment_of(map, id);

    if (segment == NULL)
        return ID_MAP_NONE;
    return atomic_load_explicit(&segment->rows[(uint64_t) id & (ID_MAP_SEGMENT_IDS - 1)], memory_order_acquire) - 1;
}

/* Makes room for an id that the map takes; false without memory. */
bool     id_map_reserve(struct id_map *map, struct allocator *allocator, int64_t id);
void     id_map_set(struct id_map *map, int64_t id, uint32_t row);
void     id_map_clear(struct id_map *map, struct allocator *allocator);
uint64_t id_map_bytes(const struct id_map *map, int64_t next_id); /* touched, near enough */

#endif
