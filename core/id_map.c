/* id_map.c - the writer's side of id_map.h. */
#include "core/id_map.h"

static _Atomic uint64_t *
segment_at(struct id_map *map, int64_t id)
{
    uint64_t             number = (uint64_t) id >> ID_MAP_SEGMENT_BITS;
    struct id_map_group *group = atomic_load_explicit(&map->groups[number / ID_MAP_GROUP], memory_order_relaxed);

    return group != NULL ? &group->segments[number % ID_MAP_GROUP] : NULL;
}

/* The word once the id is in; 0 where no run can say it. */
static uint64_t
run_with(uint64_t word, int64_t id, uint32_t row)
{
    uint32_t          place = (uint32_t) id & (ID_MAP_SEGMENT_IDS - 1);
    struct id_map_run run = id_map_run_of(word);

    if (word == 0)
        return id_map_run_word((struct id_map_run) { place, 1, row });
    if ((word & 1) == 0)
        return 0;
    if (place - run.start < run.count && run.row + (place - run.start) == row)
        return word;
    if (place == run.start + run.count && row == run.row + run.count && row > run.row) {
        run.count++;
        return id_map_run_word(run);
    }
    return 0;
}

/* The run as an array. */
static struct id_map_array *
write_down(uint64_t word, struct allocator *allocator)
{
    struct id_map_array *array = allocator_get_zeroed(allocator, sizeof *array);
    struct id_map_run    run = id_map_run_of(word);

    if (array != NULL)
        for (uint32_t i = 0; i < run.count; i++)
            atomic_init(&array->rows[run.start + i], run.row + i + 1);
    return array;
}

bool
id_map_reserve(struct id_map *map, struct allocator *allocator, int64_t id, uint32_t row)
{
    uint64_t             number = (uint64_t) id >> ID_MAP_SEGMENT_BITS;
    _Atomic uint64_t    *segment = segment_at(map, id);
    struct id_map_array *array;
    uint64_t             word;

    if (segment == NULL) {
        struct id_map_group *group = allocator_get_zeroed(allocator, sizeof *group);

        if (group == NULL)
            return false;
        atomic_fetch_add_explicit(&map->bytes, sizeof *group, memory_order_relaxed);
        atomic_store_explicit(&map->groups[number / ID_MAP_GROUP], group, memory_order_release); /* M1 */
        segment = &group->segments[number % ID_MAP_GROUP];
    }
    word = atomic_load_explicit(segment, memory_order_relaxed);
    if ((word != 0 && (word & 1) == 0) || run_with(word, id, row) != 0)
        return true;
    array = write_down(word, allocator);
    if (array == NULL)
        return false;
    atomic_fetch_add_explicit(&map->bytes, sizeof *array, memory_order_relaxed);
    atomic_store_explicit(segment, (uint64_t) (uintptr_t) array, memory_order_release); /* M1 */
    return true;
}

void
id_map_set(struct id_map *map, int64_t id, uint32_t row)
{
    _Atomic uint64_t *segment = segment_at(map, id);
    uint64_t          word = atomic_load_explicit(segment, memory_order_relaxed);
    uint64_t          run = run_with(word, id, row);

    if (run != 0)
        atomic_store_explicit(segment, run, memory_order_release);
    else
        atomic_store_explicit(
            &((struct id_map_array *) (uintptr_t) word)->rows[(uint32_t) id & (ID_MAP_SEGMENT_IDS - 1)], row + 1,
            memory_order_release);
}

void
id_map_clear(struct id_map *map, struct allocator *allocator)
{
    for (uint32_t g = 0; g < ID_MAP_GROUPS; g++) {
        struct id_map_group *group = atomic_load(&map->groups[g]);

        if (group == NULL)
            continue;
        for (uint32_t s = 0; s < ID_MAP_GROUP; s++) {
            uint64_t word = atomic_load(&group->segments[s]);

            if ((word & 1) == 0)
                allocator_put(allocator, (void *) (uintptr_t) word, sizeof(struct id_map_array));
        }
        allocator_put(allocator, group, sizeof *group);
        atomic_store(&map->groups[g], NULL);
    }
    atomic_store(&map->bytes, 0);
}

uint64_t
id_map_bytes(const struct id_map *map)
{
    return atomic_load_explicit(&((struct id_map *) (uintptr_t) map)->bytes, memory_order_relaxed);
}
