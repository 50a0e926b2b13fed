/* reclaiming.c - claims about memory: what rows took that nobody sees comes back, and nothing else does.
 *
 * By what the store's own allocator and figures count, never by time. That answers stay right meanwhile is
 * shown by tests/model (model_history_reclaimed) and tests/race. */
#include "core/reclaim.h"
#include "core/store.h"
#include "tests/core/scaffold.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define ROWS_MIN 64

static void
set_up(void)
{
    scaffold_store_up();
    store_reclaim_by_hand(store, ROWS_MIN);
}

TestSuite(reclaiming, .init = set_up, .fini = scaffold_store_down);

static void
reclaim_all(void)
{
    while (store_reclaim(store) == RECLAIM_GOES_ON)
        continue;
}

/* All that the store takes: columns, texts, indexes and the rest. */
static uint64_t
memory(void)
{
    struct store_figures figures;

    store_get_figures(store, &figures);
    return figures.column_bytes + figures.text_bytes + figures.index_bytes + figures.cache_bytes + figures.other_bytes;
}

static uint64_t
versions(uint32_t table)
{
    struct store_figures figures;

    store_get_figures(store, &figures);
    return figures.tables[table].version_count;
}

static knackdb_text
distinct(char *to, const char *what, uint64_t number)
{
    return (knackdb_text) { to, (size_t) snprintf(to, 80, "%s %llu, and no other text is the same as this one", what,
                                                  (unsigned long long) number) };
}

/* A pattern of which every text is another than any before it. */
static void
put_pattern(int64_t id, uint64_t number, double created_at)
{
    static const uint32_t columns[] = { KNACKDB_PATTERN_TASK_TYPE,        KNACKDB_PATTERN_PATTERN_USED,
                                        KNACKDB_PATTERN_COMPLEXITY_LEVEL, KNACKDB_PATTERN_TOOLS_USED,
                                        KNACKDB_PATTERN_CONTEXT_FACTORS,  KNACKDB_PATTERN_EXTERNAL_ID };
    knackdb_value         row[KNACKDB_PATTERN_COLUMNS] = { { .type = KNACKDB_NULL } };
    char                  texts[sizeof columns / sizeof columns[0]][80];

    row[0] = knackdb_value_integer(id);
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        row[columns[i]] = knackdb_value_text(distinct(texts[i], "text", number));
    row[KNACKDB_PATTERN_CREATED_AT] = knackdb_value_real(created_at);
    cr_assert_eq(store_put_rows(store, 0, row, KNACKDB_PATTERN_COLUMNS, 1, 0, NULL, NULL, NULL), KNACKDB_OK);
}

static uint64_t
clean_up(double before)
{
    struct clean_up table = { 0, before };
    uint64_t        deleted = 0;

    cr_assert_eq(store_clean_up(store, &table, 1, &deleted, NULL, NULL), KNACKDB_OK);
    return deleted;
}

/* The text of a pattern at a moment; "" where the view sees none. */
static const char *
text_of(const struct view *view, int64_t id, uint32_t column)
{
    static char   text[200];
    knackdb_value key = knackdb_value_integer(id);
    row_number    row;

    text[0] = '\0';
    if (view_find_by_key(view, 0, 0, &key, &row) == KNACKDB_OK) {
        knackdb_text found = view_cell(view, 0, row, column).as.text;

        memcpy(text, found.data, found.length);
        text[found.length] = '\0';
    }
    return text;
}

Test(reclaiming, after_a_clean_up_of_everything_a_store_is_as_small_as_a_new_one)
{
    uint64_t fresh, full;

    put_pattern(0, 0, 1.0);
    fresh = memory();
    for (uint64_t i = 1; i < 3000; i++)
        put_pattern(0, i, 1.0);
    full = memory();
    cr_assert_eq(clean_up(2.0), 3000);
    cr_expect_geq(memory(), full, "nothing has been given back yet");
    reclaim_all();
    cr_expect_eq(versions(0), 0);
    cr_expect_leq(memory(), fresh + fresh / 10 + 20000, "%llu bytes, %llu of them with one row and %llu with 3,000",
                  (unsigned long long) memory(), (unsigned long long) fresh, (unsigned long long) full);
}

/* Method: a window of rows moves on. Once it is full, memory never again exceeds what it was then by much. */
Test(reclaiming, a_loop_of_new_rows_and_clean_ups_stays_as_large_as_it_was)
{
    uint64_t largest[2] = { 0, 0 };

    for (uint64_t round = 0; round < 60; round++) {
        for (uint64_t i = 0; i < 300; i++)
            put_pattern(0, round * 300 + i, (double) round);
        if (round >= 3)
            cr_assert_eq(clean_up((double) round - 2), 300);
        reclaim_all();
        if (memory() > largest[round >= 20])
            largest[round >= 20] = memory();
    }
    cr_expect_leq(largest[1], largest[0] + largest[0] / 10);
    cr_expect_leq(versions(0), 2 * 900);
}

Test(reclaiming, a_loop_of_updates_of_the_same_rows_stays_as_large_as_it_was)
{
    uint64_t largest[2] = { 0, 0 };
    char     text[80];

    for (int64_t id = 1; id <= 100; id++)
        put_pattern(id, (uint64_t) id, 1.0);
    for (uint64_t round = 0; round < 200; round++) {
        for (int64_t id = 1; id <= 100; id++) {
            knackdb_value     key = knackdb_value_integer(id);
            struct assignment change = { .column = KNACKDB_PATTERN_CONFIDENCE_SCORE, .value = knackdb_value_real(0.5) };

            if (round % 7 == 0) { /* a text, now and then; unchanged, it is shared with the version before */
                change.column = round % 2 ? KNACKDB_PATTERN_CONTEXT_FACTORS : KNACKDB_PATTERN_TOOLS_USED;
                change.value = knackdb_value_text(distinct(text, "new", round * 100 + (uint64_t) id));
            }
            cr_assert_eq(store_update(store, 0, 0, &key, &change, 1, NULL, NULL), KNACKDB_OK);
        }
        reclaim_all();
        if (memory() > largest[round >= 50])
            largest[round >= 50] = memory();
    }
    cr_expect_leq(largest[1], largest[0] + largest[0] / 10);
    cr_expect_leq(versions(0), 300);
}

/* What a log that refuses, or a batch with a bad row, leaves behind. */
Test(reclaiming, commits_that_fail_leave_nothing)
{
    uint64_t before;

    put_pattern(1, 1, 1.0);
    put_pattern(2, 2, 1.0);
    before = memory();
    for (uint64_t round = 0; round < 300; round++) {
        knackdb_value  rows[4 * KNACKDB_PATTERN_COLUMNS] = { { .type = KNACKDB_NULL } };
        knackdb_value *second = rows + KNACKDB_PATTERN_COLUMNS;
        char           texts[2][80];

        rows[KNACKDB_PATTERN_TOOLS_USED] = knackdb_value_text(distinct(texts[0], "first", round));
        second[KNACKDB_PATTERN_TASK_TYPE] = knackdb_value_text(distinct(texts[1], "second", round));
        rows[2 * KNACKDB_PATTERN_COLUMNS] = knackdb_value_integer(1); /* there already: the batch fails here */
        cr_assert_eq(store_put_rows(store, 0, rows, KNACKDB_PATTERN_COLUMNS, 4, KNACKDB_STORE_NEW, NULL, NULL, NULL),
                     KNACKDB_EXISTS);
    }
    reclaim_all();
    cr_expect_leq(versions(0), 2 + 2 * ROWS_MIN);
    cr_expect_leq(memory(), before + 40000);
}

/* A view sees its rows and their texts, wherever they were and whatever became of the chunk; what came and went since
 * is not kept for it in chunks that it can see. */
Test(reclaiming, a_view_keeps_its_moment_while_everything_goes)
{
    struct view view;
    char        text[80], wanted[200];
    uint64_t    held;

    for (int64_t id = 1; id <= 200; id++)
        put_pattern(id, (uint64_t) id, 1.0);
    cr_assert_eq(view_begin(store, &view, NULL), KNACKDB_OK);
    for (uint64_t round = 1; round <= 20; round++)
        for (int64_t id = 1; id <= 200; id++) {
            put_pattern(id, round * 1000 + (uint64_t) id, 1.0);
            (void) store_reclaim(store);
        }
    reclaim_all();
    for (int64_t id = 1; id <= 200; id++) {
        (void) snprintf(wanted, sizeof wanted, "%.*s", (int) distinct(text, "text", (uint64_t) id).length, text);
        cr_assert_str_eq(text_of(&view, id, KNACKDB_PATTERN_CONTEXT_FACTORS), wanted);
        cr_assert_str_eq(text_of(&view, id, KNACKDB_PATTERN_TOOLS_USED), wanted);
    }
    held = versions(0);
    cr_expect_geq(held, 400);
    cr_expect_leq(held, 1200, "of 4,200 versions, %llu are held for a view of 200", (unsigned long long) held);
    view_end(&view);
    reclaim_all();
    cr_expect_leq(versions(0), 400);
    cr_assert_eq(view_begin(store, &view, NULL), KNACKDB_OK);
    (void) snprintf(wanted, sizeof wanted, "%.*s", (int) distinct(text, "text", 20007).length, text);
    cr_expect_str_eq(text_of(&view, 7, KNACKDB_PATTERN_EXTERNAL_ID), wanted);
    view_end(&view);
}

/* Method: half of the rows go, nothing is stored afterwards. Those that stay are moved and found, by a view that began
 * before no less than by one that began behind; moved rows lie in a chunk of another name. */
Test(reclaiming, rows_move_without_a_commit)
{
    knackdb_value key = knackdb_value_integer(2);
    struct view   before, behind;
    row_number    row, moved;
    uint64_t      sequence, identity;

    for (int64_t id = 1; id <= 400; id++)
        put_pattern(id, (uint64_t) id, id % 2 == 0 ? 5.0 : 1.0);
    cr_assert_eq(clean_up(2.0), 200);
    sequence = store_sequence(store);
    cr_assert_eq(view_begin(store, &before, NULL), KNACKDB_OK);
    cr_assert_eq(view_find_by_key(&before, 0, 0, &key, &row), KNACKDB_OK);
    identity = view_chunk_identity(&before, 0, row);
    reclaim_all();
    cr_assert_eq(view_begin(store, &behind, NULL), KNACKDB_OK);
    cr_expect_eq(behind.sequence, sequence);
    cr_assert_eq(view_find_by_key(&behind, 0, 0, &key, &moved), KNACKDB_OK);
    cr_expect_neq(view_chunk_identity(&behind, 0, moved), identity);
    cr_expect(view_has_row(&before, 0, row));
    cr_expect_not(view_has_row(&before, 0, moved), "each view has its own copy");
    cr_expect_not(view_has_row(&behind, 0, row));
    cr_assert_eq(view_find_by_key(&before, 0, 0, &key, &moved), KNACKDB_OK);
    cr_expect_eq(moved, row);
    view_end(&before);
    view_end(&behind);
    reclaim_all();
    cr_expect_eq(versions(0), 200);
    cr_expect_eq(store_sequence(store), sequence);
}

/* Method: as many texts, ids and rows as make the indexes grow; then most go, at random. */
Test(reclaiming, indexes_shrink_with_what_they_hold)
{
    struct store_figures figures;
    uint64_t             full;

    for (int64_t id = 1; id <= 4000; id++)
        put_pattern(id * 1000003, (uint64_t) id, id % 16 == 0 ? 5.0 : 1.0);
    store_get_figures(store, &figures);
    full = figures.index_bytes;
    cr_assert_eq(clean_up(2.0), 3750);
    reclaim_all();
    store_get_figures(store, &figures);
    cr_expect_eq(figures.tables[0].version_count, 250);
    cr_expect_leq(figures.index_bytes, full / 6);
    for (int64_t id = 1; id <= 4000; id++) {
        knackdb_value key = knackdb_value_integer(id * 1000003);
        struct view   view;
        row_number    row;

        cr_assert_eq(view_begin(store, &view, NULL), KNACKDB_OK);
        cr_assert_eq(view_find_by_key(&view, 0, 0, &key, &row), id % 16 == 0 ? KNACKDB_OK : KNACKDB_NOT_FOUND);
        view_end(&view);
    }
}

/* ---- without memory ---- */

struct failing {
    _Atomic int64_t bytes;
    uint64_t        left; /* allocations until one fails; UINT64_MAX: none does */
    bool            for_ever;
    uint64_t        failed;
};

static void *
failing_allocate(void *context, size_t bytes)
{
    struct failing *failing = context;
    void           *memory;

    if (failing->left == 0) {
        failing->failed++;
        if (!failing->for_ever)
            failing->left = UINT64_MAX;
        return NULL;
    }
    if (failing->left != UINT64_MAX)
        failing->left--;
    memory = malloc(bytes);
    cr_assert_not_null(memory);
    failing->bytes += (int64_t) bytes;
    return memory;
}

static void
failing_release(void *context, void *memory, size_t bytes)
{
    struct failing *failing = context;

    failing->bytes -= (int64_t) bytes;
    free(memory);
}

static void
check_every_row(int64_t ids)
{
    struct view view;
    char        text[80], wanted[200];

    cr_assert_eq(view_begin(store, &view, NULL), KNACKDB_OK);
    for (int64_t id = 1; id <= ids; id++) {
        (void) snprintf(wanted, sizeof wanted, "%.*s", (int) distinct(text, "text", (uint64_t) id).length, text);
        if (id % 3 != 0)
            wanted[0] = '\0';
        cr_assert_str_eq(text_of(&view, id, KNACKDB_PATTERN_EXTERNAL_ID), wanted, "row %lld", (long long) id);
        cr_assert_str_eq(text_of(&view, id, KNACKDB_PATTERN_TASK_TYPE), wanted, "row %lld", (long long) id);
    }
    view_end(&view);
}

/* One life in which two of three rows go, in no order, and what is left is moved and unlinked with an allocation that
 * fails. Returns whether one did. */
static bool
live_without_memory(struct failing *failing, uint64_t fail_at, bool for_ever)
{
    knackdb_allocator functions = { failing, failing_allocate, failing_release };

    failing->left = UINT64_MAX;
    failing->for_ever = for_ever;
    failing->failed = 0;
    allocator_init(&allocator, &functions);
    cr_assert_eq(store_new(&allocator, schema_builtin(), &store, NULL), KNACKDB_OK);
    store_reclaim_by_hand(store, ROWS_MIN);
    for (int64_t id = 1; id <= 300; id++)
        put_pattern(id, (uint64_t) id, id % 3 == 0 ? 5.0 : 1.0);
    for (int64_t id = 3; id <= 300; id += 12) { /* versions that share texts with the row before */
        knackdb_value     key = knackdb_value_integer(id);
        struct assignment weight = { .column = KNACKDB_PATTERN_CONFIDENCE_SCORE, .value = knackdb_value_real(0.5) };

        cr_assert_eq(store_update(store, 0, 0, &key, &weight, 1, NULL, NULL), KNACKDB_OK);
    }
    cr_assert_eq(clean_up(2.0), 200);

    failing->left = fail_at;
    reclaim_all();
    reclaim_all();
    failing->left = UINT64_MAX;
    check_every_row(300);
    reclaim_all();
    check_every_row(300);
    cr_assert_eq(versions(0), 100, "allocation %llu", (unsigned long long) fail_at);
    store_free(store);
    store = NULL;
    cr_assert_eq(failing->bytes, 0, "allocation %llu", (unsigned long long) fail_at);
    return failing->failed != 0;
}

/* Whatever allocation fails while memory is given back, once or for a time, no row is lost, none leaks, and in the end
 * it is given back. */
Test(reclaiming_without_memory, is_put_off_and_nothing_is_lost)
{
    struct failing failing = { .bytes = 0 };
    uint64_t       once = 0, for_a_time = 0;

    while (live_without_memory(&failing, once, false))
        once++;
    while (live_without_memory(&failing, for_a_time, true))
        for_a_time++;
    cr_expect_geq(once, 5, "%llu allocations were to fail", (unsigned long long) once);
    cr_expect_eq(for_a_time, once);
}
