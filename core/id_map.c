/* id_map.c - the writer's side of id_map.h. */
#include "core/id_map.h"

#include <string.h>

bool
id_map_reserve(struct id_map *map, struct allocator *allocator, int64_t id)
{
    uint64_t               number = (uint64_t) id >> ID_MAP_SEGMENT_BITS;
    struct id_map_group   *group = atomic_load_explicit(&map->groups[number / ID_MAP_GROUP], memory_order_relaxed);
    struct id_map_segment *segment;

    if (group == NULL) {
        group = allocator_get_zeroed(allocator, sizeof *group);
        if (group == NULL)
            return false;
        atomic_store_explicit(&map->groups[number / ID_MAP_GROUP], group, memory_order_release); /* M1 */
    }
    if (atomic_load_explicit(&group->segments[number % ID_MAP_GROUP], memory_order_relaxed) != NULL)
        return true;
    segment = allocator_get_pages(allocator, sizeof *segment);
    if (segment == NULL)
        return false;
    if (!allocator_pages_are_zero(allocator))
        memset((void *) segment, 0, sizeof *segment);
    atomic_store_explicit(&group->segments[number % ID_MAP_GROUP], segment, memory_order_release); /* M1 */
    atomic_fetch_add_explicit(&map->segment_count, 1, memory_order_relaxed);
    return true;
}

void
id_map_set(struct id_map *map, int64_t id, uint32_t row)
{
    struct id_map_segment *segment = id_map_segment_of(map, id);

    atomic_store_explicit(&segment->rows[(uint64_t) id & (ID_MAP_SEGMENT_IDS - 1)], row + 1, memory_order_release);
}

void
id_map_clear(struct id_map *map, struct allocator *allocator)
{
    for (uint32_t g = 0; g < ID_MAP_GROUPS; g++) {
        struct id_map_group *group = atomic_load(&map->groups[g]);

        if (group == NULL)
            continue;
        for (uint32_t s = 0; s < ID_MAP_GROUP; s++)
            allocator_put_pages(allocator, atomic_load(&group->segments[s]), sizeof(struct id_map_segment));
        allocator_put(allocator, group, sizeof *group);
        atomic_store(&map->groups[g], NULL);
    }
}

uint64_t
id_map_bytes(const struct id_map *map, int64_t next_id)
{
    uint64_t reserved = atomic_load_explicit(&((struct id_map *) (uintptr_t) map)->segment_count, memory_order_relaxed)
                        * sizeof(struct id_map_segment);
    uint64_t filled = (uint64_t) next_id * sizeof(uint32_t);

    return filled < reserved ? filled : reserved;
}
