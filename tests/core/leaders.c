/* leaders.c - claims about the leaders of posting lists: whatever rows came, changed and went, leaders are in order,
 * say of their rows what the cells say, and leave out no row of the part of the list that they tell of that anybody may
 * see (L1 of core/leaders.h); rows that nobody sees any more do not fill them; and lists that nobody asks have none.
 *
 * Method: rows of random rates, evenly spread, of some values, so that many are equal, or of few, or nearly all the
 * largest there is, so that ties are too many for any array. Leaders are asked for and renewed by views of now and of
 * the past, between stores, versions, compacting. Searches that rest on leaders are held to those that do not by
 * tests/api/ranking.c. */
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
    if (kind == 5)
        return knackdb_value_real(1.0);
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
    cr_assert_eq(leader->id, table_integer(table, leader->row, 0));
    cr_assert_eq(leader->code,
                 table_code(table, leader->row, KNACKDB_PATTERN_TASK_TYPE + KNACKDB_PATTERN_PATTERN_USED - column));
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

/* The first rows of a list, of these tags. */
static void
add_first(struct multitude *all, const struct posting_view *list, uint32_t end, int32_t least, int32_t most)
{
    for (uint32_t b = 0; b < posting_view_blocks(list); b++) {
        struct posting_run run = posting_view_run(list, b);

        for (uint32_t i = 0; i < run.count && b * POSTING_BLOCK_ROWS + i < end; i++)
            if (run.tags[i] >= least && run.tags[i] <= most)
                add_row(all, run.rows[i]);
    }
}

static uint32_t lists_seen, whole_seen; /* and those of which all rows are leaders */

/* Returns how many leaders there are, of those that are to be seen at the moment. */
static uint32_t
check_list(const struct table_data *table, uint32_t column, uint32_t code, uint64_t moment)
{
    const struct leaders *leaders;
    struct posting_view   list;
    struct multitude      told = { .table = table, .moment = moment }, leading = told, without = told;

    posting_view_init(&list, dictionary_posting(&table->dictionaries[column], code));
    leaders = posting_view_leaders(&list);
    if (leaders == NULL || leaders == &posting_leaders_none)
        return 0;
    cr_assert_leq(leaders->told, list.count);
    cr_assert_leq(leaders->from, atomic_load(&store->moment));
    if (moment < leaders->from)
        return 0;
    add_first(&told, &list, leaders->told, leaders->least, INT16_MAX);
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
    add_first(&without, &list, leaders->told, POSTING_TAG_LEAST, POSTING_TAG_LEAST);
    cr_assert(leaders->least > POSTING_TAG_LEAST || without.count == 0, "they leave out %u rows without a rate",
              without.count);
    lists_seen++;
    whole_seen += leaders->least <= POSTING_TAG_LEAST + 1;
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

/* Leaders of some lists are made, or renewed, by a view, which then finds all of its list told of. */
static void
ask_some(const struct view *view)
{
    const struct table_data *table = &store->tables[KNACKDB_EXECUTION_PATTERNS];

    for (uint32_t column = KNACKDB_PATTERN_TASK_TYPE; column <= KNACKDB_PATTERN_PATTERN_USED; column++)
        for (uint32_t code = 1; code < atomic_load(&table->dictionaries[column].code_end); code++) {
            struct asked_list asked;

            if (below(2) == 0)
                continue;
            leaders_note_question(view, KNACKDB_EXECUTION_PATTERNS, column, code);
            leaders_find(&asked, view, KNACKDB_EXECUTION_PATTERNS, column, code, LEADERS_MADE);
            if (asked.leaders == NULL || asked.is_tried || below(3) == 0)
                continue;
            cr_assert(leaders_renew(&asked) || leaders_told(&asked) == asked.list.count, "there was something to gain");
            cr_assert_eq(leaders_told(&asked), asked.list.count);
        }
}

/* Rows are moved, and to be seen where they were until the moves are published. */
static void
reclaim_slice_by_slice(void)
{
    while (store_reclaim(store) == RECLAIM_GOES_ON) {
        struct view view;

        (void) check_all(atomic_load(&store->moment));
        if (below(4) != 0)
            continue;
        cr_assert_eq(view_begin(store, &view, NULL), KNACKDB_OK);
        ask_some(&view);
        view_end(&view);
    }
}

static void
check_kind(int kind)
{
    bool is_of_few = kind == 1 || kind == 2;

    lists_seen = whole_seen = 0;
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
            struct view now;

            put_pattern(1 + below(ROWS), kind); /* a version of a row, or a new one */
            if (i % 16 != 0)
                continue;
            cr_assert_eq(view_begin(store, &now, NULL), KNACKDB_OK);
            ask_some(below(3) == 0 ? &view : &now);
            view_end(&now);
            (void) check_all(atomic_load(&store->moment));
            (void) check_all(view.moment);
        }
        view_end(&view);
        count = check_all(atomic_load(&store->moment));
        cr_assert(count >= 200 || is_of_few, "step %d: %u leaders", step, count);
        if (step % 3 != 2)
            continue;
        cr_assert_eq(store_clean_up(store, &table, 1, &deleted, NULL, NULL), KNACKDB_OK);
        reclaim_slice_by_slice();
    }
    cr_assert(lists_seen > 500 && whole_seen > 100, "%u lists, %u of them whole", lists_seen, whole_seen);
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

/* ---- who asks ---- */

static uint64_t
posting_bytes(void)
{
    return atomic_load(
        &store->tables[KNACKDB_EXECUTION_PATTERNS].dictionaries[KNACKDB_PATTERN_TASK_TYPE].posting_bytes);
}

static knackdb_query
best_of(const knackdb_condition *condition, uint64_t limit)
{
    return (knackdb_query) { .table = KNACKDB_EXECUTION_PATTERNS,
                             .conditions = condition,
                             .condition_count = 1,
                             .order = { { KNACKDB_PATTERN_CONFIDENCE_SCORE, true } },
                             .order_count = 1,
                             .limit = limit };
}

static void
best_ten(const struct view *view, const char *task_type, struct row_list *list)
{
    knackdb_condition condition = knackdb_where_text(KNACKDB_PATTERN_TASK_TYPE, task_type);
    knackdb_query     query = best_of(&condition, 10);

    cr_assert_eq(view_find(view, &query, list, NULL), KNACKDB_OK);
    cr_assert_eq(list->count, 10);
}

/* Those that stand there when the question is over. */
static const struct leaders *
best_ten_leaders(const struct view *view)
{
    const struct dictionary *dictionary =
        &store->tables[KNACKDB_EXECUTION_PATTERNS].dictionaries[KNACKDB_PATTERN_TASK_TYPE];
    struct row_list     list;
    struct posting_view posting;

    row_list_init(&list, &allocator);
    best_ten(view, "most", &list);
    row_list_clear(&list);
    posting_view_init(&posting, dictionary_posting(dictionary, dictionary_find(dictionary, knackdb_string("most"))));
    return posting_view_leaders(&posting);
}

/* The second question about a list makes them; what is stored later leaves them as they are. */
Test(leaders, are_of_lists_that_are_asked_twice)
{
    struct row_list list;
    struct view     view;
    uint64_t        before;

    for (uint32_t i = 0; i < 500; i++)
        put_pattern(0, 0);
    cr_assert_eq(view_begin(store, &view, NULL), KNACKDB_OK);
    row_list_init(&list, &allocator);
    before = posting_bytes();
    best_ten(&view, "many", &list);
    cr_expect_eq(check_all(atomic_load(&store->moment)), 0);
    cr_expect_eq(posting_bytes(), before);
    best_ten(&view, "many", &list);
    cr_expect_geq(check_all(atomic_load(&store->moment)), 100);
    cr_expect_gt(posting_bytes(), before);
    cr_expect_leq(posting_bytes(), before + 500 * sizeof(struct leader));
    row_list_clear(&list);
    view_end(&view);
    cr_expect_eq(lists_seen, 1);
}

/* Who loaded the count of the list, and then leaders that tell of more: a row that came in between is one of these. */
Test(leaders, that_are_renewed_by_who_knows_of_fewer_rows_tell_of_as_many_as_before)
{
    const uint32_t           column = KNACKDB_PATTERN_TASK_TYPE;
    const struct dictionary *dictionary = &store->tables[KNACKDB_EXECUTION_PATTERNS].dictionaries[column];
    struct asked_list        early, late;
    struct view              view;
    uint32_t                 code, more = 0;

    for (uint32_t i = 0; i < 600; i++)
        put_pattern(0, 0);
    code = dictionary_find(dictionary, knackdb_string("most"));
    for (uint32_t i = 0; i < 50; i++) {
        cr_assert_eq(view_begin(store, &view, NULL), KNACKDB_OK);
        leaders_note_question(&view, KNACKDB_EXECUTION_PATTERNS, column, code);
        leaders_find(&early, &view, KNACKDB_EXECUTION_PATTERNS, column, code, LEADERS_MADE);
        for (uint32_t k = 1 + below(20); k-- > 0;)
            put_pattern(below(2) == 0 ? 0 : 1 + below(600), 0);
        leaders_find(&late, &view, KNACKDB_EXECUTION_PATTERNS, column, code, LEADERS_MADE);
        if (late.list.rows == early.list.rows && leaders_renew(&late)) {
            early.leaders = late.leaders;
            early.is_tried = false;
            early.reached = early.leaders->count;
            (void) leaders_renew(&early);
            cr_assert_geq(early.leaders->told, late.leaders->told);
            more++;
        }
        cr_assert_geq(check_all(atomic_load(&store->moment)), 100);
        view_end(&view);
    }
    cr_assert_geq(more, 20);
}

/* A view that does not see the best rows looks at them in vain; so does one that sees what others have replaced, where
 * a third is held. Newer leaders would not spare them that: none are made again and again. */
Test(leaders, of_a_store_that_nobody_changes_are_not_made_again_and_again)
{
    struct view view, before, held;

    for (uint32_t i = 0; i < 3000; i++)
        put_pattern(0, 0);
    cr_assert_eq(view_begin(store, &before, NULL), KNACKDB_OK);
    for (uint32_t round = 0; round < 2; round++) {
        const struct leaders *leaders = NULL;
        uint32_t              renewed = 0;

        if (round == 1)
            cr_assert_eq(view_begin(store, &held, NULL), KNACKDB_OK);
        for (uint32_t i = 0; i < 20; i++)
            put_pattern(round == 0 ? 0 : 1 + i, 5);
        cr_assert_eq(view_begin(store, &view, NULL), KNACKDB_OK);
        for (uint32_t i = 0; i < 20000; i++) {
            const struct leaders *now = best_ten_leaders(round == 0 ? &before : &view);

            renewed += now != leaders;
            leaders = now;
        }
        cr_expect_leq(renewed, 30, "round %u: %u times", round, renewed);
        view_end(&view);
    }
    view_end(&held);
    view_end(&before);
}

Test(leaders, are_told_of_with_the_answer)
{
    struct view view;

    for (uint32_t i = 0; i < 500; i++)
        put_pattern(0, 0);
    cr_assert_eq(view_begin(store, &view, NULL), KNACKDB_OK);
    for (uint32_t i = 0; i < 3; i++) {
        struct row_list list;

        row_list_init(&list, &allocator);
        best_ten(&view, "most", &list);
        cr_assert_eq(list.count, 10);
        cr_assert_eq(list.led != NULL, i > 0, "question %u", i);
        for (uint32_t r = 0; i > 0 && r < 10; r++)
            cr_assert_neq(list.led->places[r], 0);
        row_list_clear(&list);
    }
    view_end(&view);
}

/* A view is held, so that nothing that is replaced goes before it ends, and others ask hundreds of times for each row
 * that is replaced. */
Test(leaders, beside_a_view_that_is_held_take_memory_as_rows_change_and_not_as_others_ask)
{
    enum { REPLACED = 300, ASKED = 400 };
    struct view held;
    uint64_t    before;

    for (uint32_t i = 0; i < 5000; i++)
        put_pattern(0, 0);
    cr_assert_eq(view_begin(store, &held, NULL), KNACKDB_OK);
    before = atomic_load(&store->allocator->bytes);
    for (uint32_t i = 0; i < REPLACED; i++) {
        put_pattern(1 + i % 20, 5);
        for (uint32_t a = 0; a < ASKED; a++) {
            struct view view;

            cr_assert_eq(view_begin(store, &view, NULL), KNACKDB_OK);
            (void) best_ten_leaders(&view);
            view_end(&view);
        }
    }
    cr_expect_lt(atomic_load(&store->allocator->bytes) - before, (uint64_t) REPLACED * 4096, "%llu bytes",
                 (unsigned long long) (atomic_load(&store->allocator->bytes) - before));
    view_end(&held);
}

/* ---- rows that are used ---- */

/* An agent asks for the best ten, and uses one of them, which makes a version of it. Nothing is taken out meanwhile. */
static void
use_again_and_again(void)
{
    knackdb_condition condition = knackdb_where_text(KNACKDB_PATTERN_TASK_TYPE, "most");
    knackdb_query     query = best_of(&condition, 10);
    knackdb_query     checked;
    uint32_t          alone = 0;
    enum { USES = 4000 };

    cr_assert_eq(query_check(store_schema(store), &query, &checked, NULL), KNACKDB_OK);
    for (uint32_t i = 0; i < USES; i++) {
        knackdb_value   row[KNACKDB_PATTERN_COLUMNS];
        struct row_list list;
        struct view     view;
        knackdb_status  status;

        cr_assert_eq(view_begin(store, &view, NULL), KNACKDB_OK);
        row_list_init(&list, &allocator);
        alone += foremost_find(&view, &checked, false, &list, &status, NULL);
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
    cr_expect_geq(alone, USES - 2, "%u of %u questions", alone, (uint32_t) USES);
}

Test(leaders, of_rows_that_are_used_again_and_again_suffice)
{
    for (uint32_t i = 0; i < 6000; i++)
        put_pattern(0, 0);
    use_again_and_again();
}

/* Somebody sees all of those versions, and is answered, too. */
Test(leaders, of_rows_that_are_used_again_and_again_suffice_beside_a_view_that_is_held)
{
    struct view     view;
    struct row_list before, after;

    for (uint32_t i = 0; i < 6000; i++)
        put_pattern(0, 0);
    cr_assert_eq(view_begin(store, &view, NULL), KNACKDB_OK);
    row_list_init(&before, &allocator);
    row_list_init(&after, &allocator);
    best_ten(&view, "most", &before);
    use_again_and_again();
    best_ten(&view, "most", &after);
    cr_assert_arr_eq(after.rows, before.rows, 10 * sizeof before.rows[0]);
    row_list_clear(&before);
    row_list_clear(&after);
    view_end(&view);
}

/* ---- memory is short ---- */

static size_t   short_from; /* bytes; 0: it is not short */
static uint32_t refused;

static void *
allocate_mostly(void *context, size_t bytes)
{
    (void) context;
    if (short_from != 0 && bytes >= short_from) { /* what leaders are gathered in, or they themselves */
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
    knackdb_condition condition = knackdb_where_text(KNACKDB_PATTERN_TASK_TYPE, "most");
    knackdb_query     query = best_of(&condition, 1);
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

/* Many rows become the best so far, and leaders cannot be renewed: there is no memory to gather them in, or for
 * them. */
Test(leaders_without_memory, leave_out_no_row)
{
    knackdb_allocator functions = { NULL, allocate_mostly, release };

    allocator_init(&allocator, &functions);
    cr_assert_eq(store_new(&allocator, schema_builtin(), &store, NULL), KNACKDB_OK);
    for (uint32_t i = 0; i < 6000; i++) {
        knackdb_value row[KNACKDB_PATTERN_COLUMNS] = { { .type = KNACKDB_NULL } };
        bool          is_best = i > 1500 && i % 3 == 0;

        row[KNACKDB_PATTERN_TASK_TYPE] = knackdb_value_text(knackdb_string("most"));
        row[KNACKDB_PATTERN_CONFIDENCE_SCORE] =
            knackdb_value_real(is_best ? 0.9 + i * 1e-6 : below(i < 1500 ? 900000 : 300000) / 1e6);
        cr_assert_eq(store_put_rows(store, 0, row, KNACKDB_PATTERN_COLUMNS, 1, 0, NULL, NULL, NULL), KNACKDB_OK);
        if (i % 64 != 63)
            continue;
        short_from = i % 512 < 128 ? 30000 : i % 512 < 384 ? 10000 : 0;
        check_best();
        short_from = 0;
    }
    cr_assert_geq(refused, 10);
    scaffold_store_down();
}
