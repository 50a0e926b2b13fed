/* load_runs.c - rows loaded column by column are the rows they were, found by every way that leads to them; and what
 * could not have been stored is not loaded.
 *
 * Method: rows drawn by chance are kept as values beside; each run's columns go through the encoder and decoder of
 * blocks, as those of a file do, and what the store then gives is compared with the values. */
#include "core/load_run.h"
#include "core/store_data.h"
#include "persist/block_format.h"
#include "tests/core/scaffold.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define COLUMNS KNACKDB_PATTERN_COLUMNS

static struct load_run     *run;
static struct block_encoder encoder;
static struct block_decoder decoder;
static uint64_t             dice;

static void
set_up_in(const knackdb_allocator *memory)
{
    allocator_init(&allocator, memory);
    cr_assert_eq(store_new(&allocator, schema_builtin(), &store, NULL), KNACKDB_OK);
    run = load_run_new(store);
    cr_assert_not_null(run);
    block_encoder_init(&encoder, &allocator);
    block_decoder_init(&decoder, &allocator);
}

static void
set_up(void)
{
    set_up_in(NULL);
}

static void
set_up_dirty(void)
{
    set_up_in(&scaffold_dirty_memory[1]); /* whose bytes would mark each NULL as a number, too */
}

static void
tear_down(void)
{
    load_run_free(run);
    block_encoder_clear(&encoder);
    block_decoder_clear(&decoder);
    scaffold_store_down();
}

TestSuite(load_run, .init = set_up, .fini = tear_down);
TestSuite(load_run_in_dirty_memory, .init = set_up_dirty, .fini = tear_down);

static uint32_t
roll(uint32_t below)
{
    dice = dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t) (dice >> 33) % below;
}

/* ---- rows of values into runs ---- */

/* Column `column` of `count` rows of COLUMNS values each. */
static knackdb_status
load_column(uint32_t column, const knackdb_value *rows, uint32_t count, knackdb_error *error)
{
    const struct column *about = &schema_builtin()->tables[0].columns[column];
    knackdb_value       *values = malloc(count * sizeof *values);
    struct byte_buffer   bytes;
    struct block_header  header;
    struct column_values loaded;
    uint64_t             checksum;
    knackdb_status       status;

    for (uint32_t i = 0; i < count; i++)
        values[i] = rows[(size_t) i * COLUMNS + column];
    byte_buffer_init(&bytes, &allocator);
    cr_assert_eq(block_encode(&encoder, about->type, about->storage == TEXT_DICTIONARY, (uint16_t) column, 0, values,
                              count, 1, &bytes, &checksum, error),
                 KNACKDB_OK);
    cr_assert_eq(block_header_read(bytes.data, about->type, &header, error), KNACKDB_OK);
    cr_assert_eq(block_open(&decoder, about->type, &header, bytes.data + BLOCK_HEADER_BYTES, error), KNACKDB_OK);
    loaded = block_values(&decoder);
    status = load_run_column(run, column, &loaded, error);
    byte_buffer_clear(&bytes);
    free(values);
    return status;
}

static knackdb_status
load_rows(const struct load_place *place, const knackdb_value *rows, knackdb_error *error)
{
    uint32_t       came;
    knackdb_status status = load_run_begin(run, place, error);

    for (uint32_t c = 0; c < COLUMNS && status == KNACKDB_OK; c++)
        status = load_column(c, rows, place->row_count, error);
    return status == KNACKDB_OK ? load_run_end(run, &came, error) : status;
}

/* Loads these rows, the first of them as row `first`, in a run. */
static knackdb_status
load_few(uint64_t first, const knackdb_value *rows, uint32_t count, knackdb_error *error)
{
    struct load_place place = { .first = first, .row_count = count, .rows_in_all = count };

    return load_rows(&place, rows, error);
}

/* ---- what is refused ---- */

Test(load_run, rows_that_could_not_have_been_stored_are_corrupt)
{
    static const char *words[] = { "without an id", "without an id", "success_rate", "not UTF-8", "not UTF-8" };
    knackdb_value      rows[5][COLUMNS] = { { { .type = KNACKDB_NULL } } };
    knackdb_error      error;
    struct load_place  place = { .row_count = 1 };
    uint32_t           came;

    for (uint32_t i = 0; i < 5; i++)
        rows[i][0] = knackdb_value_integer(5);
    rows[0][0] = knackdb_value_null();
    rows[1][0] = knackdb_value_integer(-1);
    rows[2][KNACKDB_PATTERN_SUCCESS_RATE] = knackdb_value_real(2.0);
    rows[3][KNACKDB_PATTERN_TASK_TYPE] = knackdb_value_text(knackdb_string("\xC3"));
    rows[4][KNACKDB_PATTERN_CONTEXT_FACTORS] = knackdb_value_text(knackdb_string("a\xFF"));
    for (uint32_t i = 0; i < 5; i++) {
        cr_expect_eq(load_few(0, rows[i], 1, &error), KNACKDB_CORRUPT, "row %u", i);
        cr_expect_not_null(strstr(error.message, words[i]), "row %u: %s", i, error.message);
    }
    cr_expect_eq(load_run_begin(run, &place, NULL), KNACKDB_OK);
    cr_expect_eq(load_run_end(run, &came, NULL), KNACKDB_CORRUPT, "no column of ids");
}

/* Each is whole UTF-8 together with its neighbour, and neither is alone. */
Test(load_run, a_sequence_cut_in_two_by_texts_is_corrupt)
{
    knackdb_value rows[2][COLUMNS] = { { { .type = KNACKDB_NULL } } };
    knackdb_error error;

    for (uint32_t i = 0; i < 2; i++)
        rows[i][0] = knackdb_value_integer((int64_t) i + 1);
    rows[0][KNACKDB_PATTERN_CONTEXT_FACTORS] = knackdb_value_text(knackdb_string("\xC3"));
    rows[1][KNACKDB_PATTERN_CONTEXT_FACTORS] = knackdb_value_text(knackdb_string("\xA9"));
    cr_expect_eq(load_few(0, rows[0], 2, &error), KNACKDB_CORRUPT);
    cr_expect_not_null(strstr(error.message, "not UTF-8"), "%s", error.message);
}

Test(load_run, a_key_that_is_there_is_corrupt)
{
    knackdb_value rows[4][COLUMNS] = { { { .type = KNACKDB_NULL } } };
    knackdb_error error;

    rows[0][0] = knackdb_value_integer(5);
    rows[0][KNACKDB_PATTERN_EXTERNAL_ID] = knackdb_value_text(knackdb_string("a"));
    rows[1][0] = knackdb_value_integer(5);
    rows[2][0] = knackdb_value_integer(6);
    rows[2][KNACKDB_PATTERN_EXTERNAL_ID] = knackdb_value_text(knackdb_string("a"));
    rows[3][0] = knackdb_value_integer(INT64_MAX); /* in the index, not in the map */
    cr_expect_eq(load_few(0, rows[0], 1, &error), KNACKDB_OK);
    cr_expect_eq(load_few(1, rows[3], 1, &error), KNACKDB_OK);
    cr_expect_eq(load_few(2, rows[1], 1, &error), KNACKDB_CORRUPT);
    cr_expect_not_null(strstr(error.message, "row 5 has the id of another"), "%s", error.message);
    cr_expect_eq(load_few(2, rows[2], 1, &error), KNACKDB_CORRUPT);
    cr_expect_not_null(strstr(error.message, "row 6 has the external_id of another"), "%s", error.message);
    cr_expect_eq(load_few(2, rows[3], 1, &error), KNACKDB_CORRUPT, "an id far from the others");
}

Test(load_run, rows_beyond_what_row_numbers_can_name_are_refused)
{
    knackdb_value row[COLUMNS] = { { .type = KNACKDB_NULL } };
    knackdb_error error;

    row[0] = knackdb_value_integer(1);
    cr_expect_eq(load_few((uint64_t) 1 << 32, row, 1, &error), KNACKDB_FULL);
    cr_expect_eq(load_few((uint64_t) UINT32_MAX - 1, row, 1, &error), KNACKDB_FULL);
}

/* ---- what is loaded is there ---- */

static knackdb_value
draw_cell(uint32_t column, char text[64])
{
    const struct column *about = &schema_builtin()->tables[0].columns[column];

    if (roll(5) == 0)
        return knackdb_value_null();
    switch (about->type) {
    case KNACKDB_INTEGER: return knackdb_value_integer(roll(20) == 0 ? INT64_MIN : (int64_t) roll(1000) - 500);
    case KNACKDB_REAL: return knackdb_value_real(about->is_rate ? roll(101) / 100.0 : roll(1000) - 0.5);
    default: break;
    }
    if (roll(9) == 0)
        return knackdb_value_text((knackdb_text) { "", 0 });
    (void) snprintf(text, 64, about->storage == TEXT_DICTIONARY ? "w%u \xC3\xA9" : "%u own text of a row",
                    roll(about->is_posted ? 30 : 5000));
    return knackdb_value_text(knackdb_string(text));
}

static bool
is_same(const knackdb_value *a, const knackdb_value *b)
{
    if (a->type != b->type)
        return false;
    if (a->type == KNACKDB_INTEGER)
        return a->as.integer == b->as.integer;
    if (a->type == KNACKDB_REAL)
        return a->as.real == b->as.real;
    return a->type == KNACKDB_NULL || text_equal(a->as.text, b->as.text);
}

/* Every list leads to the rows that hold its text, in their order, and to all of them. */
static void
check_postings(const struct table_data *table, uint32_t column, uint32_t row_count)
{
    struct dictionary *dictionary = &table->dictionaries[column];
    uint32_t           end = atomic_load(&dictionary->code_end), listed = 0, given = 0;

    for (uint32_t code = 1; code < end; code++) {
        struct posting_view list;
        uint32_t            last = 0, count = 0;

        posting_view_init(&list, dictionary_posting(dictionary, code));
        for (uint32_t b = 0; b < posting_view_blocks(&list); b++) {
            struct posting_run block = posting_view_run(&list, b);

            for (uint32_t i = 0; i < block.count; i++, count++) {
                cr_assert_eq(table_code(table, block.rows[i], column), code);
                cr_assert(count == 0 || block.rows[i] > last);
                cr_assert(block.tags == NULL || block.tags[i] == table_row_tag(table, column, block.rows[i]));
                last = block.rows[i];
            }
        }
        cr_assert_eq(count, dictionary->holders[dictionary_place_of(code).segment][dictionary_place_of(code).at]);
        listed += count;
    }
    for (uint32_t row = 0; row < row_count; row++)
        given += table_code(table, row, column) != DICTIONARY_CODE_NULL;
    cr_assert_eq(listed, given);
}

#define RUNS_MAX 400

/* A table as it is to be: rows of values, and which of them end before they are loaded, in runs. */
struct drawn {
    uint32_t       row_count;
    int64_t        apart; /* ids */
    knackdb_value *rows;
    char          *texts; /* of the cells, 64 bytes each */
    uint64_t      *ended; /* a bit a row */
    uint32_t      *kept;  /* the others, by the rows they become */
    uint32_t       kept_count, run_count;
    struct {
        uint32_t from, count;
        uint64_t first;
    } runs[RUNS_MAX];
};

static void
draw_rows(struct drawn *drawn)
{
    drawn->rows = malloc((size_t) drawn->row_count * COLUMNS * sizeof *drawn->rows);
    drawn->texts = malloc((size_t) drawn->row_count * COLUMNS * 64);
    for (uint32_t i = 0; i < drawn->row_count; i++) {
        knackdb_value *row = drawn->rows + (size_t) i * COLUMNS;
        char          *texts = drawn->texts + (size_t) i * COLUMNS * 64;
        char          *external_id = texts + (COLUMNS - 1) * 64;

        row[0] = knackdb_value_integer(1 + i * drawn->apart);
        for (uint32_t c = 1; c < COLUMNS; c++)
            row[c] = draw_cell(c, texts + (size_t) c * 64);
        if (roll(3) == 0) /* unique: the number is part of it */
            row[KNACKDB_PATTERN_EXTERNAL_ID].type = KNACKDB_NULL;
        else
            row[KNACKDB_PATTERN_EXTERNAL_ID] =
                knackdb_value_text((knackdb_text) { external_id, (size_t) snprintf(external_id, 64, "pattern_%u", i) });
    }
}

static void
draw_runs(struct drawn *drawn)
{
    drawn->ended = calloc(drawn->row_count / 64 + 1, sizeof *drawn->ended);
    drawn->kept = malloc(drawn->row_count * sizeof *drawn->kept);
    for (uint32_t from = 0; from < drawn->row_count; drawn->run_count++) {
        uint32_t count = 1 + roll(roll(2) == 0 ? 300 : LOAD_RUN_ROWS_MAX);
        uint32_t left = drawn->row_count - from;
        bool     some_end = roll(2) == 0;

        if (drawn->run_count == RUNS_MAX - 1 || count > left)
            count = left < LOAD_RUN_ROWS_MAX ? left : LOAD_RUN_ROWS_MAX;
        drawn->runs[drawn->run_count].from = from;
        drawn->runs[drawn->run_count].count = count;
        drawn->runs[drawn->run_count].first = drawn->kept_count;
        for (uint32_t i = from; i < from + count; i++) {
            if (some_end && roll(4) == 0)
                drawn->ended[i / 64] |= (uint64_t) 1 << i % 64;
            else
                drawn->kept[drawn->kept_count++] = i;
        }
        from += count;
    }
}

static void
load_in_no_order(struct drawn *drawn)
{
    knackdb_error error;

    for (uint32_t left = drawn->run_count; left > 0; left--) {
        uint32_t          chosen = roll(left);
        struct load_place place = { .first = drawn->runs[chosen].first,
                                    .row_count = drawn->runs[chosen].count,
                                    .ended = drawn->ended,
                                    .ended_from = drawn->runs[chosen].from,
                                    .rows_in_all = drawn->kept_count };

        cr_assert_eq(load_rows(&place, drawn->rows + (size_t) drawn->runs[chosen].from * COLUMNS, &error), KNACKDB_OK,
                     "%s", error.message);
        drawn->runs[chosen] = drawn->runs[left - 1];
    }
    for (uint32_t c = 0; c < COLUMNS; c++)
        if (schema_builtin()->tables[0].columns[c].is_posted)
            cr_assert_eq(store_load_postings(store, 0, c, &error), KNACKDB_OK);
    store_load_end(store);
    cr_assert_eq(store_load_sequence(store, 7, &error), KNACKDB_OK);
}

static void
compare(const struct drawn *drawn)
{
    struct view view;

    cr_assert_eq(view_begin(store, &view, NULL), KNACKDB_OK);
    for (uint32_t k = 0; k < drawn->kept_count; k++) {
        const knackdb_value *row = drawn->rows + (size_t) drawn->kept[k] * COLUMNS;
        knackdb_value        cells[COLUMNS];
        row_number           found;

        view_cells(&view, 0, k, COLUMNS, cells);
        for (uint32_t c = 0; c < COLUMNS; c++)
            cr_assert(is_same(&row[c], &cells[c]), "%u rows: row %u, column %u", drawn->row_count, k, c);
        cr_assert_eq(view_find_by_key(&view, 0, 0, &row[0], &found), KNACKDB_OK);
        cr_assert_eq(found, k);
        if (row[COLUMNS - 1].type == KNACKDB_NULL)
            continue;
        cr_assert_eq(view_find_by_key(&view, 0, 1, &row[COLUMNS - 1], &found), KNACKDB_OK);
        cr_assert_eq(found, k);
    }
    cr_assert_eq(view_next_row(&view, 0, drawn->kept_count), ROW_NONE);
    for (uint32_t c = 0; c < COLUMNS; c++)
        if (schema_builtin()->tables[0].columns[c].is_posted)
            check_postings(&store->tables[0], c, drawn->kept_count);
    view_end(&view);
}

/* One that ends has its neighbours looked at more closely. */
static void
replace_some(const struct drawn *drawn)
{
    struct view   view;
    row_number    found;
    knackdb_error error;

    for (uint32_t k = 0; k < drawn->kept_count; k += 1000)
        cr_assert_eq(store_put_rows(store, 0, drawn->rows + (size_t) drawn->kept[k] * COLUMNS, 1, 1, 0, NULL, NULL,
                                    &error),
                     KNACKDB_OK, "it goes on: %s", error.message);
    cr_assert_eq(view_begin(store, &view, NULL), KNACKDB_OK);
    for (uint32_t k = 0; k < drawn->kept_count; k++) {
        cr_assert_eq(view_find_by_key(&view, 0, 0, &drawn->rows[(size_t) drawn->kept[k] * COLUMNS], &found),
                     KNACKDB_OK);
        cr_assert_eq(found == k, k % 1000 != 0, "row %u is row %u", k, found);
    }
    view_end(&view);
}

/* Runs of any length, in no order, some of their rows ended, over the ends of groups and of a chunk. `apart`: between
 * ids; 1 gives runs of the map, others arrays of it and the index. */
static void
load_and_compare(uint64_t seed, uint32_t row_count, int64_t apart)
{
    struct drawn drawn = { .row_count = row_count, .apart = apart };

    dice = seed;
    draw_rows(&drawn);
    draw_runs(&drawn);
    load_in_no_order(&drawn);
    compare(&drawn);
    replace_some(&drawn);
    cr_assert_eq(store_next_id(store, 0), (int64_t) drawn.kept[drawn.kept_count - 1] * apart + 2);
    free(drawn.rows);
    free(drawn.texts);
    free(drawn.ended);
    free(drawn.kept);
}

Test(load_run, a_small_table_is_what_it_was)
{
    load_and_compare(1, 700, 1);
}

Test(load_run, rows_over_the_end_of_a_chunk_are_what_they_were)
{
    load_and_compare(2, 90000, 1);
}

Test(load_run_in_dirty_memory, rows_over_the_end_of_a_chunk_are_what_they_were)
{
    load_and_compare(5, 70000, 1);
}

Test(load_run, ids_with_gaps_are_found)
{
    load_and_compare(3, 5000, 3);
}

Test(load_run, ids_far_apart_are_found)
{
    load_and_compare(4, 3000, 1000003);
}

/* No id follows the largest, and a smaller one may come after it. */
Test(load_run, the_largest_ids_are_found_in_any_order)
{
    static const int64_t ids[] = { INT64_MAX - 1, INT64_MAX, 1, 2, INT64_MAX - 2, INT64_MAX - 4097, 3 };
    enum { ROWS = sizeof ids / sizeof ids[0] };
    knackdb_value rows[ROWS][COLUMNS] = { { { .type = KNACKDB_NULL } } };
    struct view   view;
    row_number    found;
    knackdb_error error;

    for (uint32_t i = 0; i < ROWS; i++)
        rows[i][0] = knackdb_value_integer(ids[i]);
    cr_assert_eq(load_few(0, rows[0], ROWS, &error), KNACKDB_OK, "%s", error.message);
    store_load_end(store);
    cr_assert_eq(view_begin(store, &view, NULL), KNACKDB_OK);
    for (uint32_t i = 0; i < ROWS; i++) {
        cr_assert_eq(view_find_by_key(&view, 0, 0, &rows[i][0], &found), KNACKDB_OK, "row %u", i);
        cr_expect_eq(found, i);
    }
    view_end(&view);
}
