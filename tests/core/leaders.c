/* leaders.c - claims about the leaders of posting lists: whatever rows came, changed and went, leaders are in order,
 * say of their rows what the cells say, and leave out no row of the blocks that they tell of, or of the whole list,
 * that anybody may see (L1 of core/leaders.h); and rows that nobody sees any more do not fill them.
 *
 * Method: rows of random rates, evenly spread, of some values, so that many are equal, or of few, or nearly all the
 * largest there is, so that ties are too many for any array. Compacted lists have leaders before anything is stored
 * again. Searches that rest on leaders are held to those that do not by tests/api/ranking.c. */
#include "core/leaders.h"
#include "base/hash.h"
#include "core/foremost.h"
#include "core/store_data.h"
#include "tests/core/scaffold.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

enum { ROWS = 9000, STEPS = 12, ROWS_MIN = 64 };

static void
set_up(void)
{
    scaffold_store_up();
    store_reclaim_by_hand(store, ROWS_MIN);
}

TestSuite(leaders, .init = set_up, .fini = scaffold_store_down);

static uint64_t seed;

static uint32_t
below(uint32_t bound)
{
    return (uint32_t) (hash_integer(seed++) >> 20) % bound;
}

/* 3: they fall from row to row, so that what was gathered stays the best and is too few one day. */
static knackdb_value
some_rate(int kind)
{
    static const double few[] = { 0.0, 0.25, 0.5, 0.99, 1.0 };

    if (below(12) == 0)
        return knackdb_value_null();
    if (kind == 0)
        return knackdb_value_real(below(1000000) / 1e6);
    if (kind == 1)
        return knackdb_value_real(few[below(5)]);
    if (kind == 2)
        return knackdb_value_real(below(40) == 0 ? below(1000) / 1e3 : 1.0);
    if (kind == 4)
        return knackdb_value_real(below(128) / 128.0);
    return knackdb_value_real(1.0 - (double) (seed % 1000000) / 1e6);
}

static void
put_pattern(int64_t id, int kind)
{
    static const char *const types[] = { "most", "most", "most", "many", "many", "few" };
    knackdb_value            row[KNACKDB_PATTERN_COLUMNS] = { { .type = KNACKDB_NULL } };

    row[0] = knackdb_value_integer(id);
    row[KNACKDB_PATTERN_TASK_TYPE] = knackdb_value_text(knackdb_string(types[below(6)]));
    row[KNACKDB_PATTERN_PATTERN_USED] = knackdb_value_text(knackdb_string(types[below(6)]));
    row[KNACKDB_PATTERN_CONFIDENCE_SCORE] = some_rate(kind);
    row[KNACKDB_PATTERN_SUCCESS_RATE] = some_rate(kind);
    row[KNACKDB_PATTERN_CREATED_AT] = knackdb_value_real((double) below(1000));
    cr_assert_eq(store_put_rows(store, 0, row, KNACKDB_PATTERN_COLUMNS, 1, 0, NULL, NULL, NULL), KNACKDB_OK);
}

static void
check_leader(const struct table_data *table, uint32_t column, const struct leader *leader)
{
    uint32_t other = leaders_other_column(table->definition, KNACKDB_PATTERN_CONFIDENCE_SCORE);

    cr_assert_eq(leader->rate, table_real(table, leader->row, KNACKDB_PATTERN_CONFIDENCE_SCORE));
    cr_assert_eq(leader->tag, table_row_tag(table, column, leader->row));
    cr_assert_eq(other, KNACKDB_PATTERN_SUCCESS_RATE);
    cr_assert_eq(leader->other,
                 table_tag(table->definition, other, *TABLE_AT(table, leader->row, table->offsets[other], uint64_t)));
}

/* Of rows that are to be seen at a moment, in any order. */
struct multitude {
    const struct table_data *table;
    uint64_t                 moment;
    uint32_t                 count;
    uint64_t                 sum;
};

static void
add_row(struct multitude *all, uint32_t row)
{
    if (!table_row_visible(all->table, row, all->moment))
        return;
    all->count++;
    all->sum += hash_integer(row);
}

static void
add_blocks(struct multitude *all, const struct posting_view *list, uint32_t from, uint32_t to, int32_t least)
{
    for (uint32_t b = from; b < to; b++) {
        struct posting_run run = posting_view_run(list, b);

        for (uint32_t i = 0; i < run.count; i++)
            if (run.tags[i] >= least)
                add_row(all, run.rows[i]);
    }
}

static uint32_t lists_told, lists_seen, late_seen; /* of all of a list; at all; rows */

/* Returns how many leaders there are, of those that are to be seen at the moment. */
static uint32_t
check_list(const struct table_data *table, uint32_t column, uint32_t code, uint64_t moment)
{
    const struct leaders *leaders;
    struct posting_view   list;
    struct multitude      none = { .table = table, .moment = moment };
    struct multitude      told = none, behind = none, late = none, leading = none;
    uint32_t              late_count;

    posting_view_init(&list, dictionary_posting(&table->dictionaries[column], code));
    leaders = leaders_of(&list);
    if (leaders == NULL)
        return 0;
    cr_assert(leaders->blocks <= list.count / POSTING_BLOCK_ROWS, "only of closed blocks");
    add_blocks(&told, &list, 0, leaders->blocks, leaders->least);
    for (uint32_t i = 0; i < leaders->count; i++) {
        const struct leader *leader = &leaders->rows[i];

        check_leader(table, column, leader);
        add_row(&leading, leader->row);
        cr_assert(i == 0 || leader[-1].rate > leader->rate ||
                  (leader[-1].rate == leader->rate &&
                   table_integer(table, leader[-1].row, 0) <= table_integer(table, leader->row, 0)));
    }
    cr_assert_eq(leading.count, told.count, "%u leaders, but %u rows of their tags", leading.count, told.count);
    cr_assert_eq(leading.sum, told.sum, "they are not the same rows");

    late_count = posting_leaders_late(leaders);
    lists_seen++;
    if (late_count == UINT32_MAX)
        return told.count;
    lists_told++;
    late_seen += late_count;
    add_blocks(&behind, &list, leaders->blocks, posting_view_blocks(&list), leaders->least);
    for (uint32_t i = 0; i < late_count; i++) {
        check_leader(table, column, &leaders->rows[leaders->count + i]);
        add_row(&late, leaders->rows[leaders->count + i].row);
    }
    cr_assert(late.count == behind.count && late.sum == behind.sum, "%u late ones, but %u rows of their tags behind",
              late.count, behind.count);
    return told.count;
}

static uint32_t
check_all(uint64_t moment)
{
    const struct table_data *table = &store->tables[KNACKDB_EXECUTION_PATTERNS];
    uint32_t                 count = 0;

    for (uint32_t column = KNACKDB_PATTERN_TASK_TYPE; column <= KNACKDB_PATTERN_PATTERN_USED; column++)
        for (uint32_t code = 1; code < atomic_load(&table->dictionaries[column].code_end); code++)
            count += check_list(table, column, code, moment);
    return count;
}

/* Rows are moved, and to be seen where they were until the moves are published. Lists that are being compacted are
 * told of in part: they are not counted. */
static void
reclaim_slice_by_slice(void)
{
    uint32_t told = lists_told, seen = lists_seen, late = late_seen;

    while (store_reclaim(store) == RECLAIM_GOES_ON)
        (void) check_all(atomic_load(&store->moment));
    lists_told = told;
    lists_seen = seen;
    late_seen = late;
}

static void
check_kind(int kind)
{
    bool     is_of_few = kind == 1 || kind == 2;
    uint32_t left = 0;

    lists_told = lists_seen = late_seen = 0;
    seed = (uint64_t) kind << 32;
    for (int step = 0; step < STEPS; step++) {
        struct clean_up table = { 0, (double) below(1000) };
        struct view     view; /* held while its rows get versions */
        uint64_t        deleted;
        uint32_t        count;

        for (uint32_t i = 0; i < ROWS / STEPS; i++)
            put_pattern(0, kind);
        cr_assert_eq(view_begin(store, &view, NULL), KNACKDB_OK);
        for (uint32_t i = 0; i < ROWS / STEPS / 4; i++) {
            put_pattern(1 + below(ROWS), kind); /* a version of a row, or a new one */
            if (i % 16 != 0)
                continue;
            (void) check_all(atomic_load(&store->moment));
            (void) check_all(view.moment);
        }
        view_end(&view);
        count = check_all(atomic_load(&store->moment));
        cr_assert(count >= 16 || is_of_few || step == 0, "step %d: %u leaders", step, count);
        if (step % 3 != 2)
            continue;
        cr_assert_eq(store_clean_up(store, &table, 1, &deleted, NULL, NULL), KNACKDB_OK);
        reclaim_slice_by_slice();
        left += check_all(atomic_load(&store->moment));
    }
    cr_assert(left >= 16 || is_of_few, "compacting left %u leaders", left);
    cr_assert(lists_told * 25 > lists_seen * 24 && (late_seen > lists_told || is_of_few || kind == 3),
              "%u lists, %u of them told of as a whole, %u late ones", lists_seen, lists_told, late_seen);
}

Test(leaders, leave_out_no_row_and_say_what_its_cells_say)
{
    check_kind(0);
}

Test(leaders, of_few_different_rates_leave_out_no_row)
{
    check_kind(1);
}

Test(leaders, of_rates_of_which_many_are_equal_leave_out_no_row)
{
    check_kind(4);
}

Test(leaders, of_rates_that_are_nearly_all_equal_leave_out_no_row)
{
    check_kind(2);
}

Test(leaders, of_rates_that_fall_leave_out_no_row)
{
    check_kind(3);
}

/* ---- rows that are used ---- */

/* An agent asks for the best ten, and uses one of them, which makes a version of it. Nothing is taken out meanwhile. */
Test(leaders, of_rows_that_are_used_again_and_again_suffice)
{
    knackdb_condition condition = knackdb_where_text(KNACKDB_PATTERN_TASK_TYPE, "most");
    knackdb_query     query = { .table = KNACKDB_EXECUTION_PATTERNS,
                                .conditions = &condition,
                                .condition_count = 1,
                                .order = { { KNACKDB_PATTERN_CONFIDENCE_SCORE, true } },
                                .order_count = 1,
                                .limit = 10 };
    knackdb_query     checked;
    uint32_t          alone = 0;
    enum { USES = 4000 };

    for (uint32_t i = 0; i < 6000; i++)
        put_pattern(0, 0);
    cr_assert_eq(query_check(store_schema(store), &query, &checked, NULL), KNACKDB_OK);
    for (uint32_t i = 0; i < USES; i++) {
        knackdb_value   row[KNACKDB_PATTERN_COLUMNS];
        struct row_list list;
        struct view     view;
        knackdb_status  status;

        cr_assert_eq(view_begin(store, &view, NULL), KNACKDB_OK);
        row_list_init(&list, &allocator);
        alone += foremost_find(&view, &checked, true, &list, &status, NULL);
        cr_assert_eq(view_find(&view, &checked, &list, NULL), KNACKDB_OK);
        cr_assert_eq(list.count, 10);
        view_cells(&view, KNACKDB_EXECUTION_PATTERNS, (row_number) list.rows[below(10)], KNACKDB_PATTERN_COLUMNS, row);
        row[KNACKDB_PATTERN_USAGE_COUNT] = knackdb_value_integer(i);
        cr_assert_eq(store_put_rows(store, 0, row, KNACKDB_PATTERN_COLUMNS, 1, 0, NULL, NULL, NULL), KNACKDB_OK);
        row_list_clear(&list);
        view_end(&view);
        if (i % 100 == 0)
            (void) check_all(atomic_load(&store->moment));
    }
    cr_expect_geq(alone, USES / 2, "%u of %u questions", alone, (uint32_t) USES);
}

/* ---- memory is short ---- */

static bool     is_short;
static uint32_t refused;

static void *
allocate_mostly(void *context, size_t bytes)
{
    (void) context;
    if (is_short && bytes > 30000 && bytes < 40000) { /* what renewing leaders begins with */
        refused++;
        return NULL;
    }
    return malloc(bytes);
}

static void
release(void *context, void *memory, size_t bytes)
{
    (void) context;
    (void) bytes;
    free(memory);
}

static double
best_rate(const struct view *view)
{
    double best = -1.0;

    for (row_number row = 0; (row = view_next_row(view, 0, row)) != ROW_NONE; row++) {
        double rate = table_real(&store->tables[0], row, KNACKDB_PATTERN_CONFIDENCE_SCORE);

        best = rate > best ? rate : best;
    }
    return best;
}

static void
check_best(void)
{
    knackdb_condition conditions[] = { knackdb_where_text(KNACKDB_PATTERN_TASK_TYPE, "most") };
    knackdb_query     query = { .table = KNACKDB_EXECUTION_PATTERNS,
                                .conditions = conditions,
                                .condition_count = 1,
                                .order = { { KNACKDB_PATTERN_CONFIDENCE_SCORE, true } },
                                .order_count = 1,
                                .limit = 1 };
    struct row_list   list;
    struct view       view;

    cr_assert_eq(view_begin(store, &view, NULL), KNACKDB_OK);
    row_list_init(&list, &allocator);
    cr_assert_eq(view_find(&view, &query, &list, NULL), KNACKDB_OK);
    cr_assert_eq(list.count, 1);
    cr_assert_eq(table_real(&store->tables[0], (row_number) list.rows[0], KNACKDB_PATTERN_CONFIDENCE_SCORE),
                 best_rate(&view));
    row_list_clear(&list);
    view_end(&view);
}

/* The best row so far comes when its list's leaders are due to be renewed, and there is no memory for that. */
Test(leaders_without_memory, leave_out_no_row)
{
    knackdb_allocator functions = { NULL, allocate_mostly, release };

    allocator_init(&allocator, &functions);
    cr_assert_eq(store_new(&allocator, schema_builtin(), &store, NULL), KNACKDB_OK);
    for (uint32_t i = 0; i < 6000; i++) {
        knackdb_value row[KNACKDB_PATTERN_COLUMNS] = { { .type = KNACKDB_NULL } };
        bool          is_best = i > 1000 && (i + 1) % POSTING_BLOCK_ROWS == 0;

        row[KNACKDB_PATTERN_TASK_TYPE] = knackdb_value_text(knackdb_string("most"));
        row[KNACKDB_PATTERN_CONFIDENCE_SCORE] =
            knackdb_value_real(is_best ? 0.9 + i * 1e-6 : below(i < 1500 ? 900000 : 300000) / 1e6);
        is_short = is_best;
        cr_assert_eq(store_put_rows(store, 0, row, KNACKDB_PATTERN_COLUMNS, 1, 0, NULL, NULL, NULL), KNACKDB_OK);
        is_short = false;
        if (i % 64 == 63)
            check_best();
    }
    cr_assert_geq(refused, 10);
    scaffold_store_down();
}
