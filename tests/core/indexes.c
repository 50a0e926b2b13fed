/* indexes.c - claims about hash indexes and the map of ids: what was put there is found, through growth, removal and
 * rebuilding, and nothing else. */
#include "base/hash.h"
#include "core/id_map.h"
#include "core/index.h"
#include "tests/core/scaffold.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

TestSuite(indexes, .init = scaffold_epochs_up, .fini = scaffold_epochs_down);

/* ---- indexes ---- */

Test(indexes, an_index_gives_every_value_of_a_hash_through_growth_and_replacement)
{
    struct index       index = { 0 };
    struct index_probe probe;
    uint32_t           value;

    for (uint32_t i = 0; i < 5000; i++) {
        cr_assert_eq(index_reserve(&index, &epochs, 1, NULL), KNACKDB_OK);
        index_insert(&index, hash_integer(i / 2), i); /* two of each hash */
    }
    for (uint32_t i = 0; i < 5000; i += 10)
        index_replace(&index, hash_integer(i / 2), i, i + 100000);
    for (uint32_t pair = 0; pair < 2500; pair++) {
        uint32_t first = pair * 2 % 10 == 0 ? pair * 2 + 100000 : pair * 2;
        unsigned seen = 0;

        index_probe_init(&probe, &index, hash_integer(pair));
        while (index_probe_next(&probe, &value))
            seen |= value == first ? 1u : value == pair * 2 + 1 ? 2u : 0u;
        cr_assert_eq(seen, 3u, "pair %u", pair);
    }
    index_clear(&index, &epochs);
}

/* Whether a value stands under a hash, and no other one. */
static bool
index_holds(const struct index *index, uint64_t hash, uint32_t wanted)
{
    struct index_probe probe;
    uint32_t           value;
    bool               found = false;

    index_probe_init(&probe, index, hash);
    while (index_probe_next(&probe, &value)) {
        cr_assert_eq(value, wanted);
        found = true;
    }
    return found;
}

static uint64_t
bytes_of(const struct index_table *table)
{
    return table != NULL ? sizeof *table + (table->mask + 1) * sizeof table->slots[0] : 0;
}

/* All of its tables, whether anybody searches them by now or not. */
static uint64_t
bytes_of_tables(struct index *index)
{
    return bytes_of(atomic_load(&index->table)) + bytes_of(index->building) + bytes_of(index->ahead);
}

/* Method: values come and go for long, so that marks are taken again and tables rebuilt, some of them a step at a time
 * with changes in between; a plain array knows what must be there. */
Test(indexes, an_index_forgets_what_is_removed_and_nothing_else_and_gives_its_memory_back)
{
    enum { VALUES = 6000 };
    struct index index = { 0 };
    bool         there[VALUES] = { false };
    uint64_t     seed = 7, largest = 0, builds = 0;

    for (uint32_t step = 0; step < 200000; step++) {
        uint32_t i = (uint32_t) (seed = hash_integer(seed)) % (step % 50000 < 25000 ? VALUES : VALUES / 50);

        if (there[i]) {
            index_remove(&index, hash_integer(i), i);
        } else {
            cr_assert_eq(index_reserve(&index, &epochs, 1, NULL), KNACKDB_OK);
            index_insert(&index, hash_integer(i), i);
        }
        there[i] = !there[i];
        if (step % 100 == 0 && !index_build_step(&index, &epochs, 50) && index_slots_wanted(&index) != 0) {
            index_build(&index, &epochs, index_table_new(&epochs, index_slots_wanted(&index)));
            builds++;
        }
        if (index_bytes(&index) > largest)
            largest = index_bytes(&index);
        if (step % 5000 == 0)
            for (uint32_t v = 0; v < VALUES; v++)
                cr_assert_eq(index_holds(&index, hash_integer(v), v), there[v], "step %u, value %u", step, v);
    }
    for (uint32_t v = 0; v < VALUES; v++)
        if (there[v])
            index_remove(&index, hash_integer(v), v);
    if (index_slots_wanted(&index) != 0)
        index_build(&index, &epochs, index_table_new(&epochs, index_slots_wanted(&index)));
    cr_expect_eq(index_bytes(&index), bytes_of_tables(&index));
    while (index_build_step(&index, &epochs, 100))
        continue;
    cr_expect_gt(builds, 3);
    cr_expect_geq(largest, 4096 * 8);
    cr_expect_lt(index_bytes(&index), 200, "nothing is in it");
    index_clear(&index, &epochs);
}

/* Hashes whose upper halves differ, too, for a long while. */
static uint64_t
spread(uint64_t i)
{
    return i * UINT64_C(0x9E3779B97F4A7C15);
}

/* Method: of each table of pages of its own that is begun, the pages are asked after before a slot is copied. Nobody
 * readies pages for this store. */
Test(indexes, the_pages_of_a_next_table_are_there_before_it_is_begun)
{
    struct index   index = { 0 };
    unsigned char *probe = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned char  there[256] = { 0 };
    uint32_t       begun = 0;

    cr_assert_neq(probe, MAP_FAILED);
    (void) madvise(probe, 4096, 23);
    if (sysconf(_SC_PAGESIZE) != 4096)
        cr_skip("larger pages than these come as they are touched\n");
    if (mincore(probe, 4096, there) != 0 || (there[0] & 1) == 0)
        cr_skip("this system brings no pages in on request (Linux 5.14 does)\n");
    for (uint32_t i = 0; i < 80000; i++) {
        struct index_table *ahead = index.ahead;

        cr_assert_eq(index_reserve(&index, &epochs, 1, NULL), KNACKDB_OK);
        if (ahead != NULL && index.building == ahead && bytes_of(ahead) >= 64 * 1024) {
            uintptr_t first = ((uintptr_t) ahead + 4095) & ~(uintptr_t) 4095;
            size_t    pages = ((uintptr_t) ahead + bytes_of(ahead) - first) / 4096;

            cr_assert_leq(pages, sizeof there);
            cr_assert_eq(mincore((void *) first, pages * 4096, there), 0);
            for (size_t p = 0; p < pages; p++)
                cr_assert(there[p] & 1, "page %zu of %zu at %u", p, pages, i);
            begun++;
        }
        index_insert(&index, spread(i), i);
    }
    cr_expect_geq(begun, 3);
    index_clear(&index, &epochs);
    (void) munmap(probe, 4096);
}

/* Method: an index grows far, with removals; no table of more than the smallest sizes may
 * take another's place but by steps, which the index has begun before. Says nothing of how long a step takes. */
Test(indexes, an_index_that_fills_up_has_its_next_table_ready)
{
    enum { VALUES = 100000 };
    struct index index = { 0 };
    uint64_t     grown = 0, with_ahead = 0, with_building = 0;

    for (uint32_t i = 0; i < VALUES; i++) {
        struct index_table *before = atomic_load(&index.table);
        bool                is_large = before != NULL && before->mask >= 1023;
        bool                was_building = index.building != NULL;

        cr_assert_eq(index_reserve(&index, &epochs, 1, NULL), KNACKDB_OK);
        if (is_large && atomic_load(&index.table) != before) {
            cr_assert(was_building, "at %u all slots were copied at once", i);
            grown++;
        }
        index_insert(&index, spread(i), i);
        if (i % 7 == 3)
            index_remove(&index, spread(i - 1), i - 1);
        cr_assert_eq(index_bytes(&index), bytes_of_tables(&index), "at %u", i);
        with_ahead += index.ahead != NULL;
        with_building += index.building != NULL;
    }
    cr_expect(with_ahead > 0 && with_building > 0);
    for (uint32_t i = 0; i < VALUES; i++)
        cr_assert_eq(index_holds(&index, spread(i), i), i % 7 != 2 || i + 1 == VALUES, "value %u", i);
    cr_expect_gt(grown, 5);
    cr_assert_eq(index_reserve(&index, &epochs, VALUES, NULL), KNACKDB_OK, "many at once, beside one begun");
    for (uint32_t i = VALUES; i < 2 * VALUES; i++)
        index_insert(&index, spread(i), i);
    for (uint32_t i = VALUES; i < 2 * VALUES; i++)
        cr_assert(index_holds(&index, spread(i), i), "value %u", i);
    cr_expect_eq(index_bytes(&index), bytes_of_tables(&index));
    index_clear(&index, &epochs);
    cr_expect_eq(index_bytes(&index), 0);
}

/* ---- the map of ids ---- */

Test(indexes, ids_are_found_in_the_map_and_only_those_put_there)
{
    struct id_map *map = calloc(1, sizeof *map);

    cr_expect(id_map_takes(1, 0));
    cr_expect_not(id_map_takes(0, 0));
    cr_expect_not(id_map_takes(-5, 1000));
    cr_expect_not(id_map_takes(INT64_MAX, UINT32_MAX));
    cr_expect_not(id_map_takes(70000, 0), "far past the number of rows");
    cr_expect(id_map_takes(70000, 40000));
    for (int64_t id = 1; id < 200000; id += 3) {
        cr_assert(id_map_reserve(map, &epochs, id, (uint32_t) id * 2));
        id_map_set(map, id, (uint32_t) id * 2);
    }
    for (int64_t id = 0; id < 200100; id++)
        cr_assert_eq(id_map_get(map, id), id % 3 == 1 && id < 200000 ? (uint32_t) id * 2 : ID_MAP_NONE, "id %lld",
                     (long long) id);
    cr_expect_eq(id_map_get(map, -1), ID_MAP_NONE);
    cr_expect_eq(id_map_get(map, INT64_MIN), ID_MAP_NONE);
    cr_expect_eq(id_map_get(map, INT64_MAX), ID_MAP_NONE);
    id_map_clear(map, &epochs);
    free(map);
}

/* Method: ids are taken out from the front, from the back and from the middle of runs, and at random. */
Test(indexes, ids_are_taken_out_of_runs_and_arrays_and_an_array_goes_with_its_last)
{
    enum { IDS = 20000 };
    struct id_map *map = calloc(1, sizeof *map);
    static bool    there[IDS + 1];
    uint64_t       seed = 3, empty;

    for (int64_t id = 1; id <= IDS; id++) {
        cr_assert(id_map_reserve(map, &epochs, id, (uint32_t) id + 100));
        id_map_set(map, id, (uint32_t) id + 100);
        there[id] = true;
    }
    empty = id_map_bytes(map);
    for (int64_t step = 1; step <= 3 * IDS; step++) {
        int64_t id = step <= 6000   ? step
                     : step <= 8000 ? IDS + 6001 - step
                                    : (int64_t) ((seed = hash_integer(seed)) % IDS) + 1;

        if (!there[id])
            continue;
        cr_assert(id_map_reserve_removal(map, &epochs, id));
        if (step <= 8000)
            cr_assert_eq(id_map_bytes(map), empty, "the ends of a run make no array of it");
        id_map_remove(map, &epochs, id);
        there[id] = false;
        if (step % 4000 == 0)
            for (int64_t i = 1; i <= IDS; i++)
                cr_assert_eq(id_map_get(map, i), there[i] ? (uint32_t) i + 100 : ID_MAP_NONE);
    }
    cr_expect_gt(id_map_bytes(map), empty);
    for (int64_t id = 1; id <= IDS; id++)
        if (there[id]) {
            cr_assert(id_map_reserve_removal(map, &epochs, id));
            id_map_remove(map, &epochs, id);
        }
    cr_expect_eq(id_map_bytes(map), empty);
    id_map_clear(map, &epochs);
    free(map);
}
