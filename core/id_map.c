/* id_map.c - the writer's side of id_map.h. */
#include "core/id_map.h"

#include <string.h>

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

/* The word once the id, which is in, is out; 1 where no run can say it. */
static uint64_t
run_without(uint64_t word, int64_t id)
{
    uint32_t          place = (uint32_t) id & (ID_MAP_SEGMENT_IDS - 1);
    struct id_map_run run = id_map_run_of(word);

    if (run.count == 1)
        return 0;
    if (place == run.start) {
        run.start++;
        run.row++;
    } else if (place != run.start + run.count - 1) {
        return 1;
    }
    run.count--;
    return id_map_run_word(run);
}

static bool
is_array(uint64_t word)
{
    return word != 0 && (word & 1) == 0;
}

static struct id_map_array *
array_of(uint64_t word)
{
    return (struct id_map_array *) (uintptr_t) word;
}

/* Puts an array in place of a run. */
static bool
write_down(struct id_map *map, struct epochs *epochs, _Atomic uint64_t *segment)
{
    struct id_map_run    run = id_map_run_of(atomic_load_explicit(segment, memory_order_relaxed));
    struct id_map_array *array = epoch_get(epochs, sizeof *array);

    if (array == NULL)
        return false;
    memset((void *) array, 0, sizeof *array);
    array->count = run.count;
    for (uint32_t i = 0; i < run.count; i++)
        atomic_init(&array->rows[run.start + i], run.row + i + 1);
    atomic_fetch_add_explicit(&map->bytes, sizeof *array, memory_order_relaxed);
    atomic_store_explicit(segment, (uint64_t) (uintptr_t) array, memory_order_release); /* M1 */
    return true;
}

/* The word of an id's segment, with the group that it is in; NULL without memory. */
static _Atomic uint64_t *
reserve_segment(struct id_map *map, struct epochs *epochs, int64_t id)
{
    uint64_t             number = (uint64_t) id >> ID_MAP_SEGMENT_BITS;
    _Atomic uint64_t    *segment = segment_at(map, id);
    struct id_map_group *group;

    if (segment != NULL)
        return segment;
    group = allocator_get_zeroed(epochs->allocator, sizeof *group);
    if (group == NULL)
        return NULL;
    atomic_fetch_add_explicit(&map->bytes, sizeof *group, memory_order_relaxed);
    atomic_store_explicit(&map->groups[number / ID_MAP_GROUP], group, memory_order_release); /* M1 */
    return &group->segments[number % ID_MAP_GROUP];
}

bool
id_map_reserve(struct id_map *map, struct epochs *epochs, int64_t id, uint32_t row)
{
    _Atomic uint64_t *segment = reserve_segment(map, epochs, id);
    uint64_t          word;

    if (segment == NULL)
        return false;
    word = atomic_load_explicit(segment, memory_order_relaxed);
    return is_array(word) || run_with(word, id, row) != 0 || write_down(map, epochs, segment);
}

bool
id_map_add_run(struct id_map *map, struct epochs *epochs, int64_t id, uint32_t row, uint32_t count)
{
    _Atomic uint64_t *segment = reserve_segment(map, epochs, id);
    struct id_map_run more = { (uint32_t) id & (ID_MAP_SEGMENT_IDS - 1), count, row };
    struct id_map_run run;
    uint64_t          word;

    if (segment == NULL)
        return false;
    word = atomic_load_explicit(segment, memory_order_relaxed);
    run = id_map_run_of(word);
    if (is_array(word))
        return false;
    if (word == 0)
        run = more;
    else if (run.start + run.count == more.start && (uint64_t) run.row + run.count == more.row)
        run.count += more.count;
    else if (more.start + more.count == run.start && (uint64_t) more.row + more.count == run.row)
        run = (struct id_map_run) { more.start, more.count + run.count, more.row };
    else
        return false;
    atomic_store_explicit(segment, id_map_run_word(run), memory_order_release); /* M1, M2 */
    return true;
}

void
id_map_set(struct id_map *map, int64_t id, uint32_t row)
{
    _Atomic uint64_t *segment = segment_at(map, id);
    uint64_t          word = atomic_load_explicit(segment, memory_order_relaxed);
    uint64_t          run = run_with(word, id, row);
    _Atomic uint32_t *entry;

    if (run != 0) {
        atomic_store_explicit(segment, run, memory_order_release);
        return;
    }
    entry = &array_of(word)->rows[(uint32_t) id & (ID_MAP_SEGMENT_IDS - 1)];
    array_of(word)->count += atomic_load_explicit(entry, memory_order_relaxed) == 0;
    atomic_store_explicit(entry, row + 1, memory_order_release);
}

bool
id_map_reserve_removal(struct id_map *map, struct epochs *epochs, int64_t id)
{
    _Atomic uint64_t *segment = segment_at(map, id);
    uint64_t          word = atomic_load_explicit(segment, memory_order_relaxed);

    return is_array(word) || run_without(word, id) != 1 || write_down(map, epochs, segment);
}

void
id_map_remove(struct id_map *map, struct epochs *epochs, int64_t id)
{
    _Atomic uint64_t *segment = segment_at(map, id);
    uint64_t          word = atomic_load_explicit(segment, memory_order_relaxed);

    if (!is_array(word)) {
        atomic_store(segment, run_without(word, id)); /* M4 */
        return;
    }
    atomic_store(&array_of(word)->rows[(uint32_t) id & (ID_MAP_SEGMENT_IDS - 1)], 0); /* M4 */
    if (--array_of(word)->count != 0)
        return;
    atomic_store(segment, 0); /* M4 */
    atomic_fetch_sub_explicit(&map->bytes, sizeof(struct id_map_array), memory_order_relaxed);
    epoch_retire(epochs, array_of(word));
}

void
id_map_clear(struct id_map *map, struct epochs *epochs)
{
    for (uint32_t g = 0; g < ID_MAP_GROUPS; g++) {
        struct id_map_group *group = atomic_load(&map->groups[g]);

        if (group == NULL)
            continue;
        for (uint32_t s = 0; s < ID_MAP_GROUP; s++) {
            uint64_t word = atomic_load(&group->segments[s]);

            if (is_array(word))
                epoch_put_now(epochs, array_of(word));
        }
        allocator_put(epochs->allocator, group, sizeof *group);
        atomic_store(&map->groups[g], NULL);
    }
    atomic_store(&map->bytes, 0);
}

uint64_t
id_map_bytes(const struct id_map *map)
{
    return atomic_load_explicit(&((struct id_map *) (uintptr_t) map)->bytes, memory_order_relaxed);
}
