/* parts.c - claims about what tables are built from: indexes, dictionaries, posting lists, epochs, lists, text. */
#include "base/hash.h"
#include "core/dictionary.h"
#include "core/id_map.h"
#include "core/list.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct allocator allocator;
static struct epochs    epochs;

static void
set_up(void)
{
    allocator_init(&allocator, NULL);
    cr_assert_eq(epochs_init(&epochs, &allocator, NULL), KNACKDB_OK);
}

static void
tear_down(void)
{
    epochs_clear(&epochs);
    cr_expect_eq(atomic_load(&allocator.bytes), 0, "%llu bytes leaked",
                 (unsigned long long) atomic_load(&allocator.bytes));
}

TestSuite(parts, .init = set_up, .fini = tear_down);

/* ---- epochs ---- */

Test(parts, retired_memory_stays_while_a_reader_that_could_see_it_is_there)
{
    struct epoch_slot *reader = epoch_claim(&epochs);
    void              *memory = epoch_get(&epochs, 1000);
    uint64_t           before = atomic_load(&allocator.bytes);

    memset(memory, 7, 1000);
    epoch_retire(&epochs, memory);
    epoch_collect(&epochs);
    cr_expect_eq(atomic_load(&allocator.bytes), before, "freed under the reader");
    cr_expect_eq(((unsigned char *) memory)[999], 7);
    epoch_release(reader);

    reader = epoch_claim(&epochs); /* began after the memory was unlinked: it does not matter to it */
    epoch_collect(&epochs);
    cr_expect_lt(atomic_load(&allocator.bytes), before - 999);
    epoch_release(reader);
}

Test(parts, any_number_of_readers_find_a_slot)
{
    struct epoch_slot *slots[5 * EPOCH_SLOTS_PER_BLOCK];
    uint64_t           readers;
    size_t             count = sizeof slots / sizeof slots[0];

    for (size_t i = 0; i < count; i++) {
        slots[i] = epoch_claim(&epochs);
        cr_assert_not_null(slots[i]);
        atomic_store(&slots[i]->view, 100 + i + 1);
        for (size_t j = 0; j < i; j++)
            cr_assert_neq(slots[i], slots[j]);
    }
    cr_expect_eq(epoch_oldest_view(&epochs, 1000, &readers), 100);
    cr_expect_eq(readers, count);
    atomic_store(&slots[9]->view, 0); /* it has not said yet what it sees */
    cr_expect_eq(epoch_oldest_view(&epochs, 1000, &readers), 0);
    for (size_t i = 0; i < count; i++)
        epoch_release(slots[i]);
    cr_expect_eq(epoch_oldest_view(&epochs, 1000, &readers), 1000);
    cr_expect_eq(readers, 0);
}

/* ---- indexes ---- */

Test(parts, an_index_gives_every_value_of_a_hash_through_growth_and_replacement)
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

/* Method: values come and go for long, so that marks are taken again and tables rebuilt, some of them a step at a time
 * with changes in between; a plain array knows what must be there. */
Test(parts, an_index_forgets_what_is_removed_and_nothing_else_and_gives_its_memory_back)
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

/* Method: an index grows far, with removals; no table of more than the smallest sizes may
 * take another's place but by steps, which the index has begun before. Says nothing of how long a step takes. */
Test(parts, an_index_that_fills_up_has_its_next_table_ready)
{
    enum { VALUES = 100000 };
    struct index index = { 0 };
    uint64_t     grown = 0;

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
    }
    for (uint32_t i = 0; i < VALUES; i++)
        cr_assert_eq(index_holds(&index, spread(i), i), i % 7 != 2 || i + 1 == VALUES, "value %u", i);
    cr_expect_gt(grown, 5);
    cr_assert_eq(index_reserve(&index, &epochs, VALUES, NULL), KNACKDB_OK, "many at once, beside one begun");
    for (uint32_t i = VALUES; i < 2 * VALUES; i++)
        index_insert(&index, spread(i), i);
    for (uint32_t i = VALUES; i < 2 * VALUES; i++)
        cr_assert(index_holds(&index, spread(i), i), "value %u", i);
    index_clear(&index, &epochs);
}

Test(parts, ids_are_found_in_the_map_and_only_those_put_there)
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
Test(parts, ids_are_taken_out_of_runs_and_arrays_and_an_array_goes_with_its_last)
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
        int64_t id = step <= 6000 ? step : step <= 8000 ? IDS + 6001 - step
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

/* ---- dictionaries and posting lists ---- */

Test(parts, a_dictionary_gives_each_text_one_code_and_each_code_its_text)
{
    struct dictionary dictionary = { 0 };
    char              name[32];
    uint32_t          code;

    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 3000; i++) { /* over several segments */
            int length = snprintf(name, sizeof name, "text %u", i);

            cr_assert_eq(dictionary_intern(&dictionary, &epochs, (knackdb_text) { name, (size_t) length }, &code, NULL),
                         KNACKDB_OK);
            cr_assert_eq(code, i + 1);
        }
    }
    for (uint32_t i = 0; i < 3000; i++) {
        knackdb_text text = dictionary_text(&dictionary, i + 1);
        int          length = snprintf(name, sizeof name, "text %u", i);

        cr_assert(text_equal(text, (knackdb_text) { name, (size_t) length }));
        cr_assert_eq(dictionary_find(&dictionary, text), i + 1);
    }
    cr_assert_eq(dictionary_intern(&dictionary, &epochs, knackdb_string(""), &code, NULL), KNACKDB_OK);
    cr_expect_eq(code, 3001, "the empty string is a text");
    cr_assert_eq(dictionary_intern(&dictionary, &epochs, (knackdb_text) { NULL, 0 }, &code, NULL), KNACKDB_OK);
    cr_expect_eq(code, DICTIONARY_CODE_NULL, "NULL is none");
    cr_expect_eq(dictionary_find(&dictionary, knackdb_string("never")), DICTIONARY_CODE_NONE);
    dictionary_clear(&dictionary, &epochs);
}

/* The rows of a list, block by block, and their tags where they are kept. */
static uint32_t
list_rows(struct posting *posting, uint32_t *rows, posting_tag *tags, uint32_t capacity)
{
    struct posting_view view;
    uint32_t            count = 0;

    posting_view_init(&view, posting);
    for (uint32_t b = 0; b < posting_view_blocks(&view); b++) {
        struct posting_run run = posting_view_run(&view, b);

        for (uint32_t i = 0; i < run.count; i++, count++) {
            cr_assert_lt(count, capacity);
            rows[count] = run.rows[i];
            tags[count] = run.tags != NULL ? run.tags[i] : 0;
        }
    }
    return count;
}

static posting_tag
tag_of(uint32_t row)
{
    return (posting_tag) hash_integer(row);
}

static void
add_posting(struct posting *posting, _Atomic uint64_t *bytes, uint32_t row)
{
    cr_assert_eq(posting_reserve(posting, tag_of(posting_only(posting)), &epochs, bytes, NULL), KNACKDB_OK);
    posting_add(posting, row, tag_of(row));
}

/* What a search passes over must be what it says: no tag of a block above its maximum, but in the last. */
static void
check_directory(struct posting *posting)
{
    struct posting_view             view;
    const struct posting_directory *directory;

    posting_view_init(&view, posting);
    directory = posting_view_directory(&view);
    for (uint32_t b = 0; directory != NULL && b + 1 < posting_view_blocks(&view); b++) {
        struct posting_run run = posting_view_run(&view, b);
        posting_tag        largest = POSTING_TAG_LEAST;

        cr_assert(run.count > 0 && run.count <= POSTING_BLOCK_ROWS);
        for (uint32_t i = 0; i < run.count; i++)
            largest = run.tags[i] > largest ? run.tags[i] : largest;
        cr_assert_eq(posting_directory_maxima(directory)[b], largest, "block %u", b);
    }
}

Test(parts, a_posting_list_keeps_its_rows_in_order_through_growth)
{
    enum { ROWS = 40000 };
    static uint32_t    rows[ROWS];
    static posting_tag tags[ROWS];
    struct posting     posting = { 0 };
    _Atomic uint64_t   bytes = 0;

    for (uint32_t i = 0; i < ROWS; i++) {
        add_posting(&posting, &bytes, i * 7);
        if (i > 1200 && i % 4999 != 0)
            continue;
        cr_assert_eq(list_rows(&posting, rows, tags, ROWS), i + 1);
        for (uint32_t j = 0; j <= i; j++)
            cr_assert(rows[j] == j * 7 && (i == 0 || tags[j] == tag_of(j * 7)), "row %u of %u", j, i + 1);
        check_directory(&posting);
    }
    posting_clear(&posting, &epochs);
}

static bool
is_odd(const void *context, uint32_t row)
{
    (void) context;
    return row % 2 == 1;
}

/* Every third stretch of 300 rows: whole blocks go, others stay as they are, some are cut. */
static bool
is_of_a_stretch(const void *context, uint32_t row)
{
    (void) context;
    return row / 300 % 3 == 1;
}

/* Method: lists of every small length and of some large ones, compacted in pieces while rows are added. Twice, as what is
 * left by the first time begins the second. */
Test(parts, compacting_a_posting_list_leaves_out_what_is_doomed_and_keeps_the_order)
{
    enum { ROWS = 12000 };
    static uint32_t    rows[ROWS], wanted[ROWS];
    static posting_tag tags[ROWS];

    for (uint32_t round = 0; round < 120; round++) {
        uint32_t                  length = round < 20 ? round : round * 97;
        struct posting            posting = { 0 };
        struct posting_compaction compaction = { NULL };
        _Atomic uint64_t          bytes = 0;
        uint32_t                  count = 0, next = 0;
        int64_t                   budget = 7;

        for (; next < length; next++)
            add_posting(&posting, &bytes, wanted[count++] = next);
        for (int again = 0; again < 2; again++) {
            bool   (*is_doomed)(const void *, uint32_t) = (round + (uint32_t) again) % 2 == 0 ? is_odd : is_of_a_stretch;
            uint32_t kept = 0, added = 0;

            for (uint32_t i = 0; i < count; i++)
                if (!is_doomed(NULL, wanted[i]))
                    wanted[kept++] = wanted[i];
            count = kept;
            while (!posting_compact(&compaction, &posting, &epochs, &bytes, is_doomed, NULL, &budget)) {
                budget = 7;
                for (uint32_t i = 0; i < 40 && added < 800; i++, added++) {
                    uint32_t row = ROWS * 900 + 900 * (round * 2000 + again * 1000 + added); /* never doomed: it is new */

                    add_posting(&posting, &bytes, row);
                    wanted[count++] = row;
                }
            }
            cr_assert_eq(list_rows(&posting, rows, tags, ROWS), count, "length %u", length);
            for (uint32_t i = 0; i < count; i++)
                cr_assert(rows[i] == wanted[i] && (count == 1 || tags[i] == tag_of(wanted[i])), "length %u, row %u",
                          length, i);
            check_directory(&posting);
        }
        posting_drop(&posting, &epochs, &bytes);
        cr_assert_eq(bytes, 0);
        cr_assert_eq(list_rows(&posting, rows, tags, ROWS), 0);
    }
}

/* Method: compacting, a block a slice, is broken off after every number of slices. Once all blocks were looked at, the new
 * list is in place and the old one goes, a block a slice; before, what was built goes and the list stays whole. */
Test(parts, compacting_that_is_broken_off_leaves_the_list_as_it_was_or_is_to_be)
{
    enum { ROWS = 3000, BLOCKS = (ROWS + POSTING_BLOCK_ROWS - 1) / POSTING_BLOCK_ROWS, ADDED = ROWS * 900 };
    static uint32_t    rows[ROWS + 1];
    static posting_tag tags[ROWS + 1];

    for (uint32_t slices = 1; slices < 2 * BLOCKS; slices++) {
        bool                      is_whole = slices < BLOCKS;
        uint32_t                  count = 0;
        struct posting            posting = { 0 };
        struct posting_compaction compaction = { NULL };
        _Atomic uint64_t          bytes = 0;

        for (uint32_t i = 0; i < ROWS; i++)
            add_posting(&posting, &bytes, i);
        for (uint32_t i = 0; i < slices; i++) {
            int64_t budget = 7;

            cr_assert_not(posting_compact(&compaction, &posting, &epochs, &bytes, is_of_a_stretch, NULL, &budget));
        }
        if (slices % 2 == 0)
            add_posting(&posting, &bytes, ADDED); /* the list goes on */
        posting_compaction_clear(&compaction, &epochs);
        (void) list_rows(&posting, rows, tags, ROWS + 1);
        for (uint32_t i = 0; i < ROWS; i++)
            if (is_whole || !is_of_a_stretch(NULL, i)) {
                cr_assert(rows[count] == i && tags[count] == tag_of(i), "%u slices, row %u", slices, i);
                count++;
            }
        if (slices % 2 == 0)
            cr_assert_eq(rows[count++], ADDED);
        cr_assert_eq(list_rows(&posting, rows, tags, ROWS + 1), count);
        check_directory(&posting);
        posting_drop(&posting, &epochs, &bytes);
        cr_assert_eq(bytes, 0);
    }
}

/* Method: a window of texts that moves on, each held by one row. Memory is that of the window, and a code is not given
 * again while a reader that may hold it is there. */
Test(parts, a_dictionary_frees_texts_that_no_row_holds_and_gives_their_codes_again)
{
    struct dictionary  dictionary = { 0 };
    struct epoch_slot *reader;
    char               name[32];
    uint32_t           codes[500], code, again;
    uint64_t           after_warming = 0;

    for (uint32_t i = 0; i < 20000; i++) {
        int length = snprintf(name, sizeof name, "text %u", i + 100000);

        cr_assert_eq(dictionary_intern(&dictionary, &epochs, (knackdb_text) { name, (size_t) length }, &code, NULL),
                     KNACKDB_OK);
        dictionary_hold(&dictionary, code);
        if (i >= 500)
            dictionary_release(&dictionary, &epochs, codes[i % 500]);
        codes[i % 500] = code;
        (void) dictionary_free_some(&dictionary, &epochs, 10);
        if (i == 2000)
            after_warming = dictionary_text_bytes(&dictionary);
    }
    cr_expect_leq(dictionary_text_bytes(&dictionary), after_warming);
    cr_expect_leq(dictionary.code_end, 1024);

    /* Come across a moment ago, and dying: it comes again as another. */
    cr_assert_eq(dictionary_intern(&dictionary, &epochs, knackdb_string("again"), &code, NULL), KNACKDB_OK);
    dictionary_forget_unheld(&dictionary, &epochs, code);
    cr_assert_eq(dictionary_intern(&dictionary, &epochs, knackdb_string("again"), &again, NULL), KNACKDB_OK);
    cr_expect_neq(again, code);
    cr_expect_eq(dictionary_find(&dictionary, knackdb_string("again")), again);
    dictionary_forget_unheld(&dictionary, &epochs, again);

    reader = epoch_claim(&epochs);
    for (uint32_t i = 0; i < 500; i++)
        dictionary_release(&dictionary, &epochs, codes[i]);
    cr_expect_eq(dictionary_find(&dictionary, knackdb_string("text 119999")), DICTIONARY_CODE_NONE);
    for (uint32_t i = 0; i < 1000; i++)
        (void) dictionary_free_some(&dictionary, &epochs, 10);
    cr_expect_geq(dictionary_text_bytes(&dictionary), 500 * 15, "a reader may hold a code");
    epoch_release(reader);
    while (dictionary_free_some(&dictionary, &epochs, 10))
        continue;
    cr_expect_eq(dictionary_text_bytes(&dictionary), 0, "texts and segments are gone");
    cr_expect_eq(dictionary.code_end, 0);
    dictionary_clear(&dictionary, &epochs);
}

/* ---- text ---- */

Test(parts, a_text_cell_gives_back_texts_of_every_length)
{
    static const size_t lengths[] = { 0, 1, 100, 65533, 65534, 65535, 65536, 1 << 20 };
    struct text_arena   arena = { 0 };
    char               *bytes = malloc(1 << 20);

    memset(bytes, 'x', 1 << 20);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        knackdb_text text = { bytes, lengths[i] };
        text_cell    cell = text_cell_of(text_arena_add(&arena, &allocator, text), text.length);

        cr_assert_neq(cell, TEXT_CELL_NULL);
        cr_assert(text_equal(text_cell_view(cell), text), "length %zu", lengths[i]);
    }
    cr_expect_null(text_cell_view(TEXT_CELL_NULL).data);
    cr_expect_eq(text_cell_of(NULL, 5), TEXT_CELL_NULL);
    text_arena_clear(&arena, &allocator);
    free(bytes);
}

Test(parts, texts_compare_by_bytes_with_null_first)
{
    knackdb_text null = { NULL, 0 };

    cr_expect_lt(text_compare(null, knackdb_string("")), 0);
    cr_expect_eq(text_compare(null, null), 0);
    cr_expect_lt(text_compare(knackdb_string("a"), knackdb_string("ab")), 0);
    cr_expect_gt(text_compare(knackdb_string("\xc3\xa4"), knackdb_string("z")), 0);
    cr_expect_not(text_equal(null, knackdb_string("")));
}

/* ---- JSON lists ---- */

Test(parts, a_list_contains_its_own_strings_and_nothing_else)
{
    static const struct {
        const char *list;
        bool        holds;
    } cases[] = {
        { "[\"cat\"]", true },
        { " [ 1 , \"cat\" ]\n", true },
        { "[\"c\\u0061t\", {}]", true },
        { "[[\"sed\"], {\"a\": [\"sed\"]}, \"cat\", true, null, -0.5e+7]", true },
        { "[\"catalog\"]", false },
        { "[\"ca\"]", false },
        { "[[\"cat\"]]", false },
        { "{\"cat\": \"cat\"}", false },
        { "\"cat\"", false },
        { "[]", false },
        { "", false },
        { "[\"cat\"", false },
        { "[\"cat\",]", false },
        { "[\"cat\"]]", false },
        { "[\"cat\" \"sed\"]", false },
        { "[\"cat\", \"\\x\"]", false },
        { "[\"cat\", \"\n\"]", false },
        { "[\"cat\", 01]", false },
        { "[\"cat\", .5]", false },
        { "[\"cat\", 1.]", false },
        { "[\"cat\", 1e]", false },
        { "[\"cat\", tru]", false },
        { "[\"cat\", {1: 2}]", false },
        { "[\"cat\", {\"a\" 2}]", false },
        { "[\"cat\", {\"a\": 2,}]", false },
        { "[\"cat\", \"\\ud800\"]", true }, /* the grammar allows half a pair */
        { "[\"cat\", \"\\u12g4\"]", false },
        { "[\"cat\", \"\\u 123\"]", false },
        { "[\"cat\", \"\\u12", false },
        { "[\"cat\", \"\\", false },
        { "[\"\\u0063\\u0061\\u0074\"]", true },
        { "[\"cat\", \"\\u006G\", \"\\u006F\\u006f\"]", false },
        { "[\"cat\", \"\\u006F\\u006f\"]", true },
        { "[\"cat\", 1E-7, 0e1, -12.25E+3, false]", true },
        { "[\"cat\", 1E]", false },
        { "[\"cat\", -]", false },
        { "[\"cat\", [1, 2}]", false },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_expect_eq(list_contains(knackdb_string(cases[i].list), knackdb_string("cat")), cases[i].holds, "%s",
                     cases[i].list);
    cr_expect(list_contains(knackdb_string("[\"\\ud83d\\ude00\"]"), knackdb_string("\xf0\x9f\x98\x80")));
    cr_expect(list_contains(knackdb_string("[\"\\u00e4\\\"\\\\\\/\\b\\f\\n\\r\\t\"]"),
                            knackdb_string("\xc3\xa4\"\\/\b\f\n\r\t")));
    cr_expect(list_contains(knackdb_string("[\"\"]"), knackdb_string("")));
    cr_expect_not(list_contains((knackdb_text) { NULL, 0 }, knackdb_string("")));
    cr_expect_not(list_contains(knackdb_string("[\"\"]"), (knackdb_text) { NULL, 0 }));
}

Test(parts, nesting_of_any_depth_comes_to_an_end)
{
    char *deep = malloc(200001);

    memset(deep, '[', 200000);
    deep[200000] = '\0';
    cr_expect_not(list_contains(knackdb_string(deep), knackdb_string("cat")));
    free(deep);
}
