/* rows_apart.c - what rows do not have takes no memory: pages of the arrays behind a chunk's groups are looked for with
 * mincore(), which tells of memory that nobody touched, not even to read, that it is not there. And where memory is not
 * zero as it comes, rows are what they are elsewhere. */
#include "core/store_data.h"
#include "tests/core/scaffold.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define ROWS    6000 /* enough for pages of every array that are of these rows alone */
#define COLUMNS KNACKDB_PATTERN_COLUMNS
#define METRICS 2

static uint64_t dice;

static uint32_t
roll(uint32_t below)
{
    dice = dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t) (dice >> 33) % below;
}

static void
put(struct store *into, int64_t id, const char *external_id, int64_t usage_count)
{
    knackdb_value row[COLUMNS] = { { .type = KNACKDB_NULL } };

    row[0] = knackdb_value_integer(id);
    row[KNACKDB_PATTERN_TASK_TYPE] = knackdb_value_text(knackdb_string("test"));
    if (usage_count != 0) /* NULL asks for marks */
        row[KNACKDB_PATTERN_AGENT_COUNT] = knackdb_value_integer(2);
    row[KNACKDB_PATTERN_USAGE_COUNT] = knackdb_value_integer(usage_count);
    if (external_id != NULL)
        row[KNACKDB_PATTERN_EXTERNAL_ID] = knackdb_value_text(knackdb_string(external_id));
    cr_assert_eq(store_put_rows(into, 0, row, COLUMNS, 1, KNACKDB_STORE_REPLACE, NULL, NULL, NULL), KNACKDB_OK);
}

static knackdb_status
weigh(struct store *in, int64_t id, double weight)
{
    struct assignment change = { KNACKDB_PATTERN_CONFIDENCE_SCORE, false, knackdb_value_real(weight) };
    knackdb_value     key = knackdb_value_integer(id);

    return store_update(in, 0, 0, &key, &change, 1, NULL, NULL);
}

/* ---- pages that are not there ---- */

TestSuite(rows_apart, .init = scaffold_store_up, .fini = scaffold_store_down);

static size_t
page_bytes(void)
{
    return (size_t) sysconf(_SC_PAGESIZE);
}

/* Pages that are there of an array of `width` bytes a row in the first chunk, as far as `rows` reach. */
static size_t
pages_of(size_t offset, size_t width, size_t rows)
{
    unsigned char *arrays = table_arrays(&store->tables[0], 0);
    unsigned char  is_there[64];
    size_t         page = page_bytes(), count = (rows * width + page - 1) / page, found = 0;

    cr_assert_leq(count, sizeof is_there);
    cr_assert_eq(((uintptr_t) arrays + offset) % page, 0, "arrays apart begin with a page");
    cr_assert_eq(mincore(arrays + offset, count * page, is_there), 0);
    for (size_t i = 0; i < count; i++)
        found += is_there[i] & 1;
    return found;
}

static void
expect_pages(size_t ends, size_t links, size_t other_links, size_t texts, size_t marks)
{
    const struct table_data *table = &store->tables[0];

    cr_expect_eq(pages_of(table->ends_offset, sizeof(uint64_t), ROWS + 1), ends);
    cr_expect_eq(pages_of(table->links_offset[0], sizeof(row_number), ROWS + 1), links);
    cr_expect_eq(pages_of(table->links_offset[1], sizeof(row_number), ROWS + 1), other_links);
    cr_expect_eq(pages_of(table->offsets[KNACKDB_PATTERN_EXTERNAL_ID], sizeof(text_cell), ROWS + 1), texts);
    cr_expect_eq(pages_of(table->exact_offset, sizeof(uint64_t), ROWS + 1), marks);
}

static uint64_t
column_bytes(void)
{
    struct store_figures figures;

    store_get_figures(store, &figures);
    return figures.column_bytes;
}

/* Each by its id, and all in turn. */
static void
look_at_all(void)
{
    struct view view;
    row_number  row;
    uint32_t    seen = 0;

    cr_assert_eq(view_begin(store, &view, NULL), KNACKDB_OK);
    for (int64_t id = 1; id <= ROWS; id++) {
        knackdb_value key = knackdb_value_integer(id);
        knackdb_value cells[COLUMNS];

        cr_assert_eq(view_find_by_key(&view, 0, 0, &key, &row), KNACKDB_OK);
        view_cells(&view, 0, row, COLUMNS, cells);
        cr_assert_eq(cells[0].as.integer, id);
    }
    for (row = view_next_row(&view, 0, 0); row != ROW_NONE; row = view_next_row(&view, 0, row + 1))
        seen++;
    cr_assert_eq(seen, ROWS);
    view_end(&view);
}

Test(rows_apart, rows_that_live_and_were_stored_once_touch_nothing_that_stands_apart)
{
    const struct table_data *table = &store->tables[0];
    uint64_t                 plain;

    for (int64_t id = 1; id <= ROWS; id++)
        put(store, id, NULL, id);
    look_at_all();
    expect_pages(0, 0, 0, 0, 0);
    plain = column_bytes();

    cr_assert_eq(weigh(store, 3000, 0.5), KNACKDB_OK); /* ends that row, and adds one that leads to it */
    look_at_all();
    expect_pages(1, 1, 0, 0, 0);
    cr_expect_eq(column_bytes(), plain + table->row_bytes + 2 * page_bytes(), "what was touched is counted");
}

Test(rows_apart, a_text_that_few_rows_have_is_found_and_the_others_have_none)
{
    knackdb_value key = knackdb_value_text(knackdb_string("the one"));
    struct view   before, view;
    row_number    row;

    for (int64_t id = 1; id <= ROWS; id++)
        put(store, id, NULL, id);
    cr_assert_eq(view_begin(store, &before, NULL), KNACKDB_OK);
    put(store, ROWS, "the one", 1);                    /* a new version; the row of that id goes */
    cr_assert_eq(weigh(store, ROWS, 0.5), KNACKDB_OK); /* which shares the text */
    put(store, ROWS - 1, "", 1);
    cr_expect_eq(pages_of(store->tables[0].offsets[KNACKDB_PATTERN_EXTERNAL_ID], sizeof(text_cell), ROWS), 1);
    cr_assert_eq(view_begin(store, &view, NULL), KNACKDB_OK);
    cr_expect_eq(view_find_by_key(&before, 0, 1, &key, &row), KNACKDB_NOT_FOUND);
    cr_assert_eq(view_find_by_key(&view, 0, 1, &key, &row), KNACKDB_OK);
    cr_expect_eq(view_cell(&view, 0, row, 0).as.integer, ROWS);
    cr_expect(text_equal(view_cell(&view, 0, row, KNACKDB_PATTERN_EXTERNAL_ID).as.text, knackdb_string("the one")));
    for (int64_t id = 1; id < ROWS; id++) {
        cr_assert_eq(view_find_by_id(&view, 0, id, &row), KNACKDB_OK);
        cr_expect_eq(view_cell(&view, 0, row, KNACKDB_PATTERN_EXTERNAL_ID).type,
                     id == ROWS - 1 ? KNACKDB_TEXT : KNACKDB_NULL, "an empty text is not NULL");
    }
    view_end(&view);
    view_end(&before);
}

static void
measure(int64_t id, const char *metadata)
{
    knackdb_value row[KNACKDB_METRIC_COLUMNS] = { { .type = KNACKDB_NULL } };

    row[0] = knackdb_value_integer(id);
    row[KNACKDB_METRIC_COMPONENT_NAME] = knackdb_value_text(knackdb_string("search"));
    row[KNACKDB_METRIC_METRIC_NAME] = knackdb_value_text(knackdb_string("latency"));
    row[KNACKDB_METRIC_METRIC_VALUE] = knackdb_value_real((double) id);
    if (metadata != NULL)
        row[KNACKDB_METRIC_METADATA] = knackdb_value_text(knackdb_string(metadata));
    cr_assert_eq(store_put_rows(store, METRICS, row, KNACKDB_METRIC_COLUMNS, 1, 0, NULL, NULL, NULL), KNACKDB_OK);
}

/* Where lists carry cells, the word that tells of texts tells of numbers, too: each of its bits is a column's own. */
Test(rows_apart, what_nobody_gave_is_told_column_by_column)
{
    const struct table_data *table = &store->tables[METRICS];
    uint64_t                 metadata = KNACKDB_BIT(KNACKDB_METRIC_METADATA);
    struct view              view;
    row_number               row;

    cr_assert_neq(table->rare & ~metadata, 0, "a number, too, that no list carries");
    cr_assert_neq(table->rare & metadata, 0);
    for (int64_t id = 1; id <= ROWS; id++)
        measure(id, NULL);
    cr_expect_eq(table_given(table), 0);
    measure(ROWS + 1, "{}");
    cr_expect_eq(table_given(table), metadata, "and no other");
    measure(ROWS + 2, NULL);
    cr_assert_eq(view_begin(store, &view, NULL), KNACKDB_OK);
    for (int64_t id = 1; id <= ROWS + 2; id++) {
        cr_assert_eq(view_find_by_id(&view, METRICS, id, &row), KNACKDB_OK);
        cr_expect_eq(view_cell(&view, METRICS, row, KNACKDB_METRIC_METADATA).type,
                     id == ROWS + 1 ? KNACKDB_TEXT : KNACKDB_NULL);
        cr_expect_eq(view_cell(&view, METRICS, row, KNACKDB_METRIC_SAMPLE_COUNT).type, KNACKDB_NULL);
    }
    view_end(&view);
}

/* Pages behind the groups that are there, in all chunks. */
static size_t
pages_apart(void)
{
    const struct table_data *table = &store->tables[0];
    size_t                   bytes = table->chunk_bytes - table->ends_offset, count = bytes / page_bytes(), found = 0;
    unsigned char           *is_there = malloc(count);

    cr_assert_not_null(is_there);
    for (uint32_t number = 0; number < table_chunk_end(table); number++) {
        unsigned char *arrays = atomic_load(&table_chunk_at(table, number)->arrays);

        if (arrays == NULL)
            continue;
        cr_assert_eq(mincore(arrays + table->ends_offset, bytes, is_there), 0);
        for (size_t i = 0; i < count; i++)
            found += is_there[i] & 1;
    }
    free(is_there);
    return found;
}

/* What is counted of them. */
static uint64_t
bytes_apart(void)
{
    return column_bytes() - atomic_load(&store->tables[0].row_count) * store->tables[0].row_bytes;
}

static void
expect_all_counted(const char *when)
{
    size_t there = pages_apart() * page_bytes();

    cr_expect_eq(bytes_apart(), there, "%s: %zu bytes", when, there);
}

/* Chunks of large tables have the pages of ends brought in by eighths. */
Test(rows_apart, what_is_touched_of_a_large_table_is_counted_to_the_page)
{
    const uint32_t count = 150000;
    const char    *names[] = { "one", "other", "third" };

    dice = 11;
    for (uint32_t id = 1; id <= count; id++)
        put(store, id, NULL, 1);
    cr_expect_eq(pages_apart(), 0);
    expect_all_counted("stored");
    cr_assert_eq(weigh(store, 140000, 0.5), KNACKDB_OK);
    cr_expect_geq(pages_apart(), CHUNK_ROWS * sizeof(uint64_t) / 8 / page_bytes(), "an eighth of a chunk's ends");
    expect_all_counted("one weighed");
    for (uint32_t i = 0; i < 2000; i++)
        cr_assert_eq(weigh(store, 1 + roll(count), 0.25), KNACKDB_OK);
    expect_all_counted("many weighed");
    for (uint32_t i = 0; i < 3; i++)
        put(store, count + 1 + i, names[i], INT64_MIN);
    expect_all_counted("texts and marks");

    for (uint32_t id = 1; id <= count; id++)
        cr_assert_eq(store_delete(store, 0, id, NULL, NULL), KNACKDB_OK);
    while (store_reclaim(store) == RECLAIM_GOES_ON)
        continue;
    cr_expect_lt(atomic_load(&store->tables[0].row_count), count / 2, "chunks went");
    cr_expect_leq(bytes_apart(), pages_apart() * page_bytes(), "and what was counted of them, too");
}

/* ---- memory that is not zero as it comes ---- */

#define IDS    40
#define VIEWS  12
#define ROUNDS 1500

/* The same change of both. */
static void
change(struct store *stores[2])
{
    int64_t  id = 1 + roll(IDS);
    uint32_t what = roll(10), name = roll(IDS), usage = roll(4);
    char     external_id[16];

    (void) snprintf(external_id, sizeof external_id, "p%u", name);
    for (int s = 0; s < 2; s++)
        if (what < 5)
            put(stores[s], id, what < 2 ? NULL : external_id, usage == 3 ? INT64_MIN : (int64_t) usage);
        else if (what < 9)
            (void) weigh(stores[s], id, name / 100.0);
        else
            (void) store_delete(stores[s], 0, id, NULL, NULL);
}

static void
compare(const struct view *one, const struct view *other, const knackdb_value *key, uint32_t key_index)
{
    row_number     row = ROW_NONE, other_row = ROW_NONE;
    knackdb_status status = view_find_by_key(one, 0, key_index, key, &row);
    knackdb_value  cells[COLUMNS], other_cells[COLUMNS];

    cr_assert_eq(view_find_by_key(other, 0, key_index, key, &other_row), status);
    cr_assert_eq(row, other_row);
    if (status != KNACKDB_OK)
        return;
    view_cells(one, 0, row, COLUMNS, cells);
    view_cells(other, 0, row, COLUMNS, other_cells);
    for (uint32_t c = 0; c < COLUMNS; c++) {
        cr_assert_eq(cells[c].type, other_cells[c].type, "column %u", c);
        if (cells[c].type == KNACKDB_TEXT)
            cr_assert(text_equal(cells[c].as.text, other_cells[c].as.text), "column %u", c);
        else if (cells[c].type != KNACKDB_NULL && c != KNACKDB_PATTERN_UPDATED_AT) /* the time of a call */
            cr_assert_eq(cells[c].as.integer, other_cells[c].as.integer, "column %u", c);
    }
}

static void
live_in(const knackdb_allocator *dirty)
{
    struct allocator allocators[2];
    struct store    *stores[2];
    struct view      views[2][VIEWS];
    uint32_t         found = 0;

    dice = 7;
    for (int s = 0; s < 2; s++) {
        allocator_init(&allocators[s], s == 0 ? NULL : dirty);
        cr_assert_eq(store_new(&allocators[s], schema_builtin(), &stores[s], NULL), KNACKDB_OK);
    }
    for (uint32_t round = 0; round < ROUNDS; round++) {
        change(stores);
        for (int s = 0; s < 2 && round % (ROUNDS / VIEWS) == 0; s++)
            cr_assert_eq(view_begin(stores[s], &views[s][round / (ROUNDS / VIEWS)], NULL), KNACKDB_OK);
    }
    for (uint32_t v = 0; v < VIEWS; v++) {
        for (uint32_t i = 0; i < IDS; i++) {
            char          external_id[16];
            knackdb_value id = knackdb_value_integer(1 + i), name;

            (void) snprintf(external_id, sizeof external_id, "p%u", i);
            name = knackdb_value_text(knackdb_string(external_id));
            compare(&views[0][v], &views[1][v], &id, 0);
            compare(&views[0][v], &views[1][v], &name, 1);
        }
        for (row_number row = view_next_row(&views[0][v], 0, 0); row != ROW_NONE; found++) {
            cr_assert_eq(view_next_row(&views[1][v], 0, row), row);
            row = view_next_row(&views[0][v], 0, row + 1);
        }
        view_end(&views[0][v]);
        view_end(&views[1][v]);
    }
    cr_expect_gt(found, VIEWS * IDS / 4);
    for (int s = 0; s < 2; s++) {
        store_free(stores[s]);
        cr_expect_eq(atomic_load(&allocators[s].bytes), 0);
    }
}

Test(rows_in_dirty_memory, are_what_others_are_at_every_moment)
{
    for (uint32_t d = 0; d < SCAFFOLD_DIRTS; d++)
        live_in(&scaffold_dirty_memory[d]);
}
