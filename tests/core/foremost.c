/* foremost.c - claims about answers that come from the leaders of a list alone: they are the best rows, in order, of
 * all that the view sees; and most questions of that kind are answered so, also just after a store.
 *
 * Method: rows of two rates, here of a few values, so that many are equal, there so close together that tags do not
 * tell them apart; versions of rows, and rows that died; views of the moment and of one long past; each answer held to
 * a walk over all rows. */
#include "core/foremost.h"
#include "base/hash.h"
#include "core/leaders.h"
#include "core/score.h"
#include "core/store_data.h"
#include "tests/core/scaffold.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

enum { ROWS = 4000, CHANGES = 60, ASKED = 40, FOUND_MAX = ROWS + ROWS / 2 };

TestSuite(foremost, .init = scaffold_store_up, .fini = scaffold_store_down);

static uint64_t seed;

static uint32_t
below(uint32_t bound)
{
    return (uint32_t) (hash_integer(seed++) >> 20) % bound;
}

/* 0: a hundredth; 1: any; 2: a few around a half, less than a tag from each other. */
static double
some_rate(int kind)
{
    return kind == 0 ? below(101) / 100.0 : kind == 1 ? below(1000001) / 1e6 : 0.5 + below(40) / 1e6;
}

static knackdb_value
rate_or_null(int kind)
{
    return below(20) == 0 ? knackdb_value_null() : knackdb_value_real(some_rate(kind));
}

static void
put_pattern(int64_t id, int confidence, int success)
{
    knackdb_value row[KNACKDB_PATTERN_COLUMNS] = { { .type = KNACKDB_NULL } };

    row[0] = knackdb_value_integer(id);
    row[KNACKDB_PATTERN_TASK_TYPE] = knackdb_value_text(knackdb_string(below(3) == 0 ? "some" : "most"));
    row[KNACKDB_PATTERN_CONFIDENCE_SCORE] = rate_or_null(confidence);
    row[KNACKDB_PATTERN_SUCCESS_RATE] = rate_or_null(success);
    row[KNACKDB_PATTERN_USAGE_COUNT] = knackdb_value_integer(below(5));
    cr_assert_eq(store_put_rows(store, 0, row, KNACKDB_PATTERN_COLUMNS, 1, 0, NULL, NULL, NULL), KNACKDB_OK);
}

static const struct table_data *
patterns(void)
{
    return &store->tables[KNACKDB_EXECUTION_PATTERNS];
}

/* -1, 0, 1, NULL being least. */
static int
compare_numbers(const struct table_data *table, row_number a, row_number b, uint32_t column)
{
    knackdb_value x = table_cell(table, a, column), y = table_cell(table, b, column);
    double        p = x.type == KNACKDB_NULL ? -1.0 : x.type == KNACKDB_REAL ? x.as.real : (double) x.as.integer;
    double        q = y.type == KNACKDB_NULL ? -1.0 : y.type == KNACKDB_REAL ? y.as.real : (double) y.as.integer;

    return (p > q) - (p < q);
}

static int
compare_rows(const void *one, const void *other)
{
    const struct table_data *table = patterns();
    row_number               a = *(const row_number *) one, b = *(const row_number *) other;
    int                      order = -compare_numbers(table, a, b, KNACKDB_PATTERN_CONFIDENCE_SCORE);

    return order != 0 ? order : compare_numbers(table, a, b, KNACKDB_PATTERN_ID);
}

static size_t
all_that_match(const struct view *view, const char *type, double confidence, double success, row_number *rows)
{
    const struct table_data *table = patterns();
    size_t                   count = 0;

    for (row_number row = 0; (row = view_next_row(view, 0, row)) != ROW_NONE; row++) {
        cr_assert(count < FOUND_MAX);
        if (text_equal(table_text(table, row, KNACKDB_PATTERN_TASK_TYPE), knackdb_string(type)) &&
            table_real(table, row, KNACKDB_PATTERN_CONFIDENCE_SCORE) >= confidence &&
            table_real(table, row, KNACKDB_PATTERN_SUCCESS_RATE) >= success)
            rows[count++] = row;
    }
    qsort(rows, count, sizeof *rows, compare_rows);
    return count;
}

/* Whether leaders answered. */
static bool
ask(const struct view *view, int confidence_kind, int success_kind)
{
    static row_number all[FOUND_MAX];
    const char       *type = below(2) == 0 ? "some" : "most";
    double            confidence = below(3) == 0 ? 0.99 : some_rate(confidence_kind) * 0.9;
    double            success = some_rate(success_kind);
    knackdb_condition conditions[] = {
        knackdb_where_at_least(KNACKDB_PATTERN_SUCCESS_RATE, success),
        knackdb_where_text(KNACKDB_PATTERN_TASK_TYPE, type),
        knackdb_where_at_least(KNACKDB_PATTERN_CONFIDENCE_SCORE, confidence),
        knackdb_where_at_least(KNACKDB_PATTERN_SUCCESS_RATE, success / 2.0),
        knackdb_where_at_least(KNACKDB_PATTERN_CONFIDENCE_SCORE, confidence / 2.0),
    };
    knackdb_query   query = { .table = KNACKDB_EXECUTION_PATTERNS,
                              .conditions = conditions,
                              .condition_count = 5,
                              .order = { { KNACKDB_PATTERN_CONFIDENCE_SCORE, true } },
                              .order_count = 1,
                              .limit = 1 + below(below(4) == 0 ? 100 : 12),
                              .offset = below(3) == 0 ? below(6) : 0 };
    struct row_list list;
    size_t          count;
    knackdb_status  status;
    bool            is_answered;

    for (uint32_t i = 5; i-- > 1;) {
        uint32_t          at = below(i + 1);
        knackdb_condition moving = conditions[at];

        conditions[at] = conditions[i];
        conditions[i] = moving;
    }
    row_list_init(&list, &allocator);
    is_answered = foremost_find(view, &query, below(2) == 0, &list, &status, NULL);
    if (is_answered) {
        cr_assert_eq(status, KNACKDB_OK);
        count = all_that_match(view, type, confidence, success, all);
        count = count < query.offset ? 0 : count - query.offset < query.limit ? count - query.offset : query.limit;
        cr_assert_eq(list.count, count);
        for (size_t i = 0; i < count; i++)
            cr_assert_eq(list.rows[i], all[i + query.offset], "row %zu of %zu", i, count);
    }
    row_list_clear(&list);
    return is_answered;
}

/* As the first question about a list is answered without them. */
static void
want_leaders(const char *type)
{
    const uint32_t           column = KNACKDB_PATTERN_TASK_TYPE;
    const struct dictionary *dictionary = &patterns()->dictionaries[column];
    struct view              view;

    cr_assert_eq(view_begin(store, &view, NULL), KNACKDB_OK);
    leaders_note_question(&view, KNACKDB_EXECUTION_PATTERNS, column, dictionary_find(dictionary, knackdb_string(type)));
    view_end(&view);
}

static void
check_kinds(int confidence, int success, int share_min)
{
    struct view past, view;
    uint32_t    answered = 0, asked = 0;

    seed = (uint64_t) (confidence * 3 + success) << 32;
    for (int i = 0; i < ROWS; i++)
        put_pattern(0, confidence, success);
    want_leaders("some");
    want_leaders("most");
    cr_assert_eq(view_begin(store, &past, NULL), KNACKDB_OK);
    for (int change = 0; change < CHANGES; change++) {
        cr_assert_eq(view_begin(store, &view, NULL), KNACKDB_OK);
        for (int i = 0; i < ASKED; i++, asked++)
            answered += ask(i % 8 == 0 ? &past : &view, confidence, success);
        view_end(&view);
        for (uint32_t i = below(20); i-- > 0;)
            put_pattern(below(2) == 0 ? 0 : 1 + below(ROWS), confidence, success);
        cr_assert_eq(store_delete(store, 0, 1 + change * (ROWS / CHANGES), NULL, NULL), KNACKDB_OK);
    }
    view_end(&past);
    cr_assert(answered * 100 >= asked * (uint32_t) share_min, "%u of %u questions", answered, asked);
}

Test(foremost, rows_of_rates_that_are_often_equal_come_in_order)
{
    check_kinds(0, 0, 60);
}

Test(foremost, rows_of_any_rates_come_in_order)
{
    check_kinds(1, 1, 60);
}

Test(foremost, rates_that_no_tag_tells_apart_are_told_apart)
{
    check_kinds(1, 2, 60);
}

Test(foremost, rates_that_no_tag_tells_apart_are_told_apart_among_equal_ones)
{
    check_kinds(0, 2, 60);
}

static void
put_rates(double confidence, double success)
{
    knackdb_value row[KNACKDB_PATTERN_COLUMNS] = { { .type = KNACKDB_NULL } };

    row[0] = knackdb_value_integer(0);
    row[KNACKDB_PATTERN_TASK_TYPE] = knackdb_value_text(knackdb_string("most"));
    row[KNACKDB_PATTERN_CONFIDENCE_SCORE] = knackdb_value_real(confidence);
    row[KNACKDB_PATTERN_SUCCESS_RATE] = knackdb_value_real(success);
    cr_assert_eq(store_put_rows(store, 0, row, KNACKDB_PATTERN_COLUMNS, 1, 0, NULL, NULL, NULL), KNACKDB_OK);
}

/* Of a list of more rows than there are leaders five of these match, and one of the others; rows that come later match,
 * too, and are worse than that one. */
Test(foremost, rows_stored_since_do_not_stand_for_better_ones_that_are_no_leaders)
{
    knackdb_condition conditions[] = { knackdb_where_text(KNACKDB_PATTERN_TASK_TYPE, "most"),
                                       knackdb_where_at_least(KNACKDB_PATTERN_SUCCESS_RATE, 0.9) };
    knackdb_query     query = { .table = KNACKDB_EXECUTION_PATTERNS,
                                .conditions = conditions,
                                .condition_count = 2,
                                .order = { { KNACKDB_PATTERN_CONFIDENCE_SCORE, true } },
                                .order_count = 1,
                                .limit = 6 };
    struct view       view;

    for (int i = 0; i < ROWS; i++)
        put_rates(i / (double) ROWS, i > ROWS - 6 || i == ROWS / 3 ? 1.0 : 0.1);
    want_leaders("most");
    for (int later = 0; later < 4; later++) {
        struct row_list list;

        cr_assert_eq(view_begin(store, &view, NULL), KNACKDB_OK);
        row_list_init(&list, &allocator);
        cr_assert_eq(view_find(&view, &query, &list, NULL), KNACKDB_OK);
        cr_assert_eq(list.count, 6);
        cr_expect_eq(table_real(patterns(), (row_number) list.rows[5], KNACKDB_PATTERN_CONFIDENCE_SCORE),
                     ROWS / 3 / (double) ROWS);
        row_list_clear(&list);
        view_end(&view);
        put_rates(0.1, 1.0);
    }
}

Test(foremost, other_questions_are_left_to_others)
{
    knackdb_condition conditions[] = { knackdb_where_text(KNACKDB_PATTERN_TASK_TYPE, "most"),
                                       knackdb_where_at_most(KNACKDB_PATTERN_SUCCESS_RATE, 0.5) };
    knackdb_query     query = { .table = KNACKDB_EXECUTION_PATTERNS,
                                .conditions = conditions,
                                .condition_count = 1,
                                .order = { { KNACKDB_PATTERN_CONFIDENCE_SCORE, true } },
                                .order_count = 1,
                                .limit = 10 };
    knackdb_query     asked[9];
    struct row_list   list;
    struct view       view;
    knackdb_status    status;

    for (int i = 0; i < ROWS; i++)
        put_pattern(0, 1, 1);
    for (size_t i = 0; i < 9; i++)
        asked[i] = query;
    want_leaders("most");
    asked[1].condition_count = 2; /* at most */
    asked[2].conditions++;        /* of no text */
    asked[3].limit = 0;
    asked[4].limit = 100000;
    asked[5].offset = UINT64_MAX;
    asked[6].order[0].descending = false;
    asked[7].order[0].column = KNACKDB_PATTERN_SUCCESS_RATE; /* no list is ranked by it */
    asked[8].order_count = 2;                                /* what is equal goes by rising id */
    cr_assert_eq(view_begin(store, &view, NULL), KNACKDB_OK);
    query.limit = 33;
    row_list_init(&list, &allocator);
    cr_expect_not(foremost_find(&view, &query, true, &list, &status, NULL),
                  "so many are looked for in the cache first");
    cr_expect(foremost_find(&view, &query, false, &list, &status, NULL));
    row_list_clear(&list);
    for (size_t i = 0; i < 9; i++) {
        row_list_init(&list, &allocator);
        cr_expect_eq(foremost_find(&view, &asked[i], false, &list, &status, NULL), i == 0, "question %zu", i);
        cr_expect_eq(list.count, i == 0 ? 10 : 0);
        row_list_clear(&list);
    }
    view_end(&view);
}
