/* reading.c - read views, queries, the score and aggregates, against answers worked out by hand. */
#include "nine.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

Test(reading, finds_all_by_rising_id_when_nothing_is_asked)
{
    knackdb      *db = open_with_nine();
    knackdb_query query;

    memset(&query, 0, sizeof query);
    must_find(db, &query, IDS(1, 2, 3, 4, 5, 6, 7, 8, 9));
    query.struct_size = sizeof query;
    query.limit = 2;
    query.offset = 7;
    must_find(db, &query, IDS(8, 9));
    query.offset = 9;
    must_find(db, &query, NO_IDS);
    query.limit = 0;
    query.offset = UINT64_MAX;
    must_find(db, &query, NO_IDS);
    query.limit = UINT64_MAX;
    query.offset = 8;
    must_find(db, &query, IDS(9));
    close_it(db);
}

Test(reading, compares_and_lets_null_match_nothing)
{
    knackdb      *db = open_with_nine();
    uint32_t      type = KNACKDB_PATTERN_TASK_TYPE, seconds = KNACKDB_PATTERN_EXECUTION_TIME;
    knackdb_value sort = knackdb_value_text(knackdb_string("sort")), null = knackdb_value_null();

    must_find_where(db, knackdb_where_text(type, "sort"), IDS(1, 3, 5, 8));
    must_find_where(db, knackdb_where_text(type, ""), IDS(6));
    must_find_where(db, knackdb_where_text(type, "sor"), NO_IDS);
    must_find_where(db, knackdb_where(type, KNACKDB_NOT_EQUAL, sort), IDS(2, 6, 7, 9));
    must_find_where(db, knackdb_where(type, KNACKDB_LESS, sort), IDS(2, 6, 7, 9));
    must_find_where(db, knackdb_where(type, KNACKDB_AT_LEAST, sort), IDS(1, 3, 5, 8));
    must_find_where(db, knackdb_where(type, KNACKDB_IS_NULL, null), IDS(4));
    must_find_where(db, knackdb_where(type, KNACKDB_IS_NOT_NULL, null), IDS(1, 2, 3, 5, 6, 7, 8, 9));
    must_find_where(db, knackdb_where(type, KNACKDB_EQUAL, null), NO_IDS);
    must_find_where(db, knackdb_where(type, KNACKDB_NOT_EQUAL, null), NO_IDS);
    must_find_where(db, knackdb_where(seconds, KNACKDB_LESS, knackdb_value_real(20)), IDS(1));
    must_find_where(db, knackdb_where_at_most(seconds, 20), IDS(1, 2));
    must_find_where(db, knackdb_where(seconds, KNACKDB_MORE, knackdb_value_integer(80)), IDS(9));
    must_find_where(db, knackdb_where_at_least(seconds, 80), IDS(8, 9));
    must_find_where(db, knackdb_where(0, KNACKDB_EQUAL, knackdb_value_real(3)), IDS(3));
    must_find_where(db, knackdb_where(0, KNACKDB_EQUAL, knackdb_value_real(3.5)), NO_IDS);
    must_find_where(db, knackdb_where(0, KNACKDB_LESS, knackdb_value_real(2.5)), IDS(1, 2));
    must_find_where(db, knackdb_where(KNACKDB_PATTERN_CONFIDENCE_SCORE, KNACKDB_EQUAL, knackdb_value_real(-0.0)),
                    IDS(9));
    close_it(db);
}

Test(reading, finds_one_of_several)
{
    knackdb          *db = open_with_nine();
    knackdb_value     values[4] = { knackdb_value_text(knackdb_string("pack")), knackdb_value_null(),
                                    knackdb_value_text(knackdb_string("hash")),
                                    knackdb_value_text(knackdb_string("pack")) };
    knackdb_condition condition = knackdb_where(KNACKDB_PATTERN_TASK_TYPE, KNACKDB_ONE_OF, knackdb_value_null());

    condition.values = values;
    condition.value_count = 4;
    must_find_where(db, condition, IDS(2, 7, 9));
    condition.value_count = 0;
    must_find_where(db, condition, NO_IDS);
    close_it(db);
}

Test(reading, finds_a_tool_in_a_list)
{
    knackdb *db = open_with_nine();

    must_find_where(db,
                    knackdb_where(KNACKDB_PATTERN_TOOLS_USED, KNACKDB_CONTAINS,
                                  knackdb_value_text(knackdb_string("cat"))),
                    IDS(1, 3, 5, 7, 9));
    must_find_where(db,
                    knackdb_where(KNACKDB_PATTERN_TOOLS_USED, KNACKDB_CONTAINS,
                                  knackdb_value_text(knackdb_string("catalog"))),
                    IDS(2, 4, 6, 8));
    must_find_where(db,
                    knackdb_where(KNACKDB_PATTERN_TOOLS_USED, KNACKDB_CONTAINS,
                                  knackdb_value_text(knackdb_string("ca"))),
                    NO_IDS);
    close_it(db);
}

Test(reading, orders_by_several_keys_null_lowest)
{
    knackdb      *db = open_with_nine();
    knackdb_query query;

    memset(&query, 0, sizeof query);
    query.order[0] = (knackdb_order) { .column = KNACKDB_PATTERN_CONFIDENCE_SCORE };
    query.order_count = 1;
    must_find(db, &query, IDS(5, 9, 4, 1, 6, 7, 2, 3, 8));
    query.order[0].descending = true;
    must_find(db, &query, IDS(2, 3, 8, 1, 6, 7, 4, 9, 5));
    query.order[1] = (knackdb_order) { .column = KNACKDB_PATTERN_TASK_TYPE, .descending = true };
    query.order[2] = (knackdb_order) { .column = KNACKDB_PATTERN_EXECUTION_TIME, .descending = true };
    query.order_count = 3;
    must_find(db, &query, IDS(8, 3, 2, 1, 7, 6, 4, 9, 5));
    query.limit = 3;
    query.offset = 1;
    must_find(db, &query, IDS(3, 2, 1));
    query.order[0] = (knackdb_order) { .column = KNACKDB_PATTERN_ID, .descending = true };
    query.order_count = 1;
    must_find(db, &query, IDS(8, 7, 6));
    close_it(db);
}

Test(reading, refuses_questions_that_make_no_sense)
{
    knackdb          *db = open_with_nine();
    knackdb_read     *read = begin_read(db);
    knackdb_query     query;
    knackdb_condition condition =
        knackdb_where(KNACKDB_PATTERN_EXECUTION_TIME, KNACKDB_EQUAL, knackdb_value_text(knackdb_string("x")));
    knackdb_condition many[KNACKDB_CONDITIONS_MAX + 1];
    knackdb_rows      rows = { NULL, 77 };
    knackdb_prepared *prepared = NULL;
    knackdb_error     error;
    uint64_t          count = 77;

    memset(&query, 0, sizeof query);
    query.conditions = &condition;
    query.condition_count = 1;
    REFUSED(knackdb_read_find(read, &query, &rows, &error), KNACKDB_INVALID, "execution_time");
    REFUSED(knackdb_read_count(read, &query, &count, &error), KNACKDB_INVALID, "execution_time");
    REFUSED(knackdb_prepare(db, &query, &prepared, &error), KNACKDB_INVALID, "execution_time");
    condition.op = KNACKDB_CONTAINS;
    REFUSED(knackdb_read_find(read, &query, &rows, &error), KNACKDB_INVALID, "execution_time");
    condition = knackdb_where(KNACKDB_PATTERN_COLUMNS, KNACKDB_IS_NULL, knackdb_value_null());
    REFUSED(knackdb_read_find(read, &query, &rows, &error), KNACKDB_INVALID, "column");
    condition = knackdb_where(0, (knackdb_operator) 10, knackdb_value_integer(1));
    REFUSED(knackdb_read_find(read, &query, &rows, &error), KNACKDB_INVALID, "");
    condition = knackdb_where(KNACKDB_PATTERN_TASK_TYPE, KNACKDB_EQUAL, knackdb_value_integer(1));
    REFUSED(knackdb_read_find(read, &query, &rows, &error), KNACKDB_INVALID, "task_type");

    query.condition_count = 0;
    query.order_count = 1;
    query.order[0].column = KNACKDB_PATTERN_COLUMNS;
    REFUSED(knackdb_read_find(read, &query, &rows, &error), KNACKDB_INVALID, "");
    query.order[0].column = -2;
    REFUSED(knackdb_read_find(read, &query, &rows, &error), KNACKDB_INVALID, "");
    query.order[0].column = KNACKDB_ORDER_BY_SCORE;
    query.table = KNACKDB_USER_PREFERENCES;
    REFUSED(knackdb_read_find(read, &query, &rows, &error), KNACKDB_INVALID, "score");
    query.table = 3;
    REFUSED(knackdb_read_find(read, &query, &rows, &error), KNACKDB_INVALID, "table");
    query.table = 0;
    query.order_count = KNACKDB_ORDER_KEYS_MAX + 1;
    REFUSED(knackdb_read_find(read, &query, &rows, &error), KNACKDB_INVALID, "");
    query.order_count = 1;
    query.half_life_seconds = -1;
    REFUSED(knackdb_read_find(read, &query, &rows, &error), KNACKDB_INVALID, "half");
    query.half_life_seconds = (double) NAN;
    REFUSED(knackdb_read_find(read, &query, &rows, &error), KNACKDB_INVALID, "half");
    query.half_life_seconds = 0;
    query.order_count = 0;
    for (size_t i = 0; i <= KNACKDB_CONDITIONS_MAX; i++)
        many[i] = knackdb_where(0, KNACKDB_IS_NOT_NULL, knackdb_value_null());
    query.conditions = many;
    query.condition_count = KNACKDB_CONDITIONS_MAX + 1;
    REFUSED(knackdb_read_find(read, &query, &rows, &error), KNACKDB_INVALID, "");
    query.condition_count = KNACKDB_CONDITIONS_MAX;
    cr_assert(rows.rows == NULL && rows.count == 77 && count == 77 && prepared == NULL,
              "results are written only on success");
    MUST(knackdb_read_find(read, &query, &rows, &error));
    cr_assert_eq(rows.count, 9);
    knackdb_read_end(read);
    close_it(db);
}

/* The call's name and the query's table must be the same. */
Test(reading, refuses_a_copy_of_another_table)
{
    knackdb            *db = open_with_nine();
    knackdb_query       query;
    knackdb_metric     *metrics = NULL;
    knackdb_preference *preferences = NULL;
    size_t              count;
    knackdb_error       error;

    memset(&query, 0, sizeof query);
    REFUSED(knackdb_metrics_find(db, &query, &metrics, &count, &error), KNACKDB_INVALID, "table");
    REFUSED(knackdb_preferences_find(db, &query, &preferences, &count, &error), KNACKDB_INVALID, "table");
    close_it(db);
}

/* ---- views ---- */

Test(reading, sees_one_moment_until_the_view_ends)
{
    knackdb        *db = open_with_nine();
    knackdb_read   *old = begin_read(db), *new;
    knackdb_row     row;
    knackdb_pattern before, after;
    knackdb_error   error;
    knackdb_query   query;
    uint64_t        count;

    cr_assert_eq(knackdb_read_sequence(old), 9);
    cr_assert_eq(knackdb_read_by_id(old, KNACKDB_EXECUTION_PATTERNS, 3, &row), KNACKDB_OK);
    knackdb_read_pattern(old, row, &before);
    MUST(knackdb_delete(db, KNACKDB_EXECUTION_PATTERNS, 3, &error));
    MUST(knackdb_pattern_set_weight(db, 1, 0.125, &error));

    knackdb_read_pattern(old, row, &after);
    cr_assert_eq(memcmp(&before, &after, sizeof before), 0, "and the same text, where it was");
    cr_assert(text_is(before.task_type, "sort"));
    cr_assert_eq(knackdb_read_by_id(old, KNACKDB_EXECUTION_PATTERNS, 3, &row), KNACKDB_OK);
    cr_assert_eq(knackdb_read_by_id(old, KNACKDB_EXECUTION_PATTERNS, 1, &row), KNACKDB_OK);
    cr_assert_eq(knackdb_read_value(old, 0, row, KNACKDB_PATTERN_CONFIDENCE_SCORE).as.real, 0.5);

    new = begin_read(db);
    cr_assert_eq(knackdb_read_sequence(new), 11);
    cr_assert_eq(knackdb_read_by_id(new, KNACKDB_EXECUTION_PATTERNS, 3, &row), KNACKDB_NOT_FOUND);
    cr_assert_eq(knackdb_read_by_id(new, KNACKDB_EXECUTION_PATTERNS, 1, &row), KNACKDB_OK);
    cr_assert_eq(knackdb_read_value(new, 0, row, KNACKDB_PATTERN_CONFIDENCE_SCORE).as.real, 0.125);
    memset(&query, 0, sizeof query);
    MUST(knackdb_read_count(old, &query, &count, &error));
    cr_assert_eq(count, 9);
    MUST(knackdb_read_count(new, &query, &count, &error));
    cr_assert_eq(count, 8);
    knackdb_read_end(old);
    knackdb_read_end(new);
    knackdb_read_end(NULL);
    close_it(db);
}

/* Far more views than any table of slots would foresee. */
Test(reading, opens_as_many_views_as_one_likes)
{
    enum { VIEWS = 3000 };
    knackdb             *db = open_with_nine();
    static knackdb_read *reads[VIEWS];
    knackdb_error        error;
    knackdb_stats        stats;

    for (int i = 0; i < VIEWS; i++)
        MUST(knackdb_read_begin(db, &reads[i], &error));
    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    MUST(knackdb_get_stats(db, &stats, &error));
    cr_assert_eq(stats.reader_count, VIEWS);
    cr_assert_eq(stats.oldest_reader_sequence, 9);
    MUST(knackdb_pattern_use(db, 1, &error));
    for (int i = 0; i < VIEWS; i++)
        knackdb_read_end(reads[i]);
    MUST(knackdb_get_stats(db, &stats, &error));
    cr_assert_eq(stats.reader_count, 0);
    cr_assert_eq(stats.oldest_reader_sequence, 10, "the newest commit without any");
    close_it(db);
}

Test(reading, finds_by_key_only_what_is_there)
{
    knackdb      *db = open_with_nine();
    knackdb_read *read = begin_read(db);
    knackdb_row   row = 99;

    cr_assert_eq(knackdb_read_by_id(read, KNACKDB_EXECUTION_PATTERNS, 0, &row), KNACKDB_NOT_FOUND);
    cr_assert_eq(knackdb_read_by_id(read, KNACKDB_EXECUTION_PATTERNS, -1, &row), KNACKDB_NOT_FOUND);
    cr_assert_eq(knackdb_read_by_id(read, KNACKDB_EXECUTION_PATTERNS, INT64_MAX, &row), KNACKDB_NOT_FOUND);
    cr_assert_eq(knackdb_read_by_id(read, KNACKDB_USER_PREFERENCES, 1, &row), KNACKDB_NOT_FOUND);
    cr_assert_eq(knackdb_read_by_external_id(read, knackdb_string(NULL), &row), KNACKDB_NOT_FOUND);
    cr_assert_eq(knackdb_read_by_external_id(read, knackdb_string(""), &row), KNACKDB_NOT_FOUND);
    cr_assert_eq(knackdb_read_by_preference(read, knackdb_string("a"), knackdb_string("b"), &row), KNACKDB_NOT_FOUND);
    cr_assert_eq(knackdb_read_by_preference(read, knackdb_string(NULL), knackdb_string(NULL), &row), KNACKDB_NOT_FOUND);
    cr_assert_eq(row, 99, "results are written only on success");
    knackdb_read_end(read);
    close_it(db);
}

/* ---- score ---- */

/* Figures by the formula, worked out apart with forty digits. */
Test(reading, scores_by_the_formula)
{
    static const struct {
        double   success, confidence, updated_at;
        int64_t  uses;
        uint64_t nulls;
        double   score;
    } cases[] = {
        { 1.0, 1.0, 1000, 1, 0, 0.206549314377237 },
        { 1.0, 1.0, 1000, 10, 0, 0.722467200137111 },
        { 0.9, 0.8, 1000, 50, 0, 0.629118148500163 },
        { 0.5, 1.0, 1000, 100, 0, 0.403831530365996 },
        { 0.0, 1.0, 1000, 10, 0, 0.0 },
        { 1.0, 1.0, 1000, 0, 0, 0.206549314377237 }, /* 0 uses count as 1 */
        { 1.0, 1.0, 1000, -5, 0, 0.206549314377237 },
        { 1.0, 1.0, 1000, 99, KNACKDB_BIT(KNACKDB_PATTERN_USAGE_COUNT), 0.206549314377237 },
        { 1.0, 0.0, 1000, 10, KNACKDB_BIT(KNACKDB_PATTERN_CONFIDENCE_SCORE), 0.722467200137111 },
        { 1.0, 1.0, 1000, 10, KNACKDB_BIT(KNACKDB_PATTERN_SUCCESS_RATE), 0.0 },
        { 1.0, 1.0, 900, 10, 0, 0.361233600068555 },  /* one half-life */
        { 1.0, 1.0, 700, 10, 0, 0.090308400017139 },  /* three */
        { 1.0, 1.0, 2000, 10, 0, 0.722467200137111 }, /* in the future: not older than new */
        { 1.0, 1.0, -1e9, 10, KNACKDB_BIT(KNACKDB_PATTERN_UPDATED_AT), 0.722467200137111 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_expect_float_eq(knackdb_score(cases[i].success, cases[i].uses, cases[i].confidence, cases[i].updated_at,
                                         cases[i].nulls, 1000, 100),
                           cases[i].score, 1e-12, "case %zu: %.15f", i,
                           knackdb_score(cases[i].success, cases[i].uses, cases[i].confidence, cases[i].updated_at,
                                         cases[i].nulls, 1000, 100));
}

Test(reading, orders_by_score_with_the_half_life_asked_for)
{
    knackdb        *db = open_in_memory();
    knackdb_pattern patterns[3];
    knackdb_query   query;
    knackdb_error   error;

    for (int i = 0; i < 3; i++) {
        patterns[i] = empty_pattern();
        patterns[i].success_rate = 0.9;
        patterns[i].usage_count = i == 0 ? 3 : i == 1 ? 30 : 300; /* the more uses, the surer */
        patterns[i].updated_at = 1000000 - 1000.0 * i;            /* and the older */
        patterns[i].nulls &= ~(KNACKDB_BIT(KNACKDB_PATTERN_SUCCESS_RATE) | KNACKDB_BIT(KNACKDB_PATTERN_USAGE_COUNT) |
                               KNACKDB_BIT(KNACKDB_PATTERN_UPDATED_AT));
    }
    MUST(knackdb_patterns_store(db, patterns, 3, 0, NULL, &error));
    memset(&query, 0, sizeof query);
    query.order[0] = (knackdb_order) { .column = KNACKDB_ORDER_BY_SCORE, .descending = true };
    query.order_count = 1;
    query.now = 1000000;
    must_find(db, &query, IDS(3, 2, 1)); /* 7 days: age hardly counts */
    query.half_life_seconds = 300;
    must_find(db, &query, IDS(1, 2, 3)); /* five minutes: it counts for more than all else */
    query.order[0].descending = false;
    query.limit = 1;
    must_find(db, &query, IDS(3));
    close_it(db);
}

/* ---- aggregates ---- */

Test(reading, aggregates_by_group_with_percentiles)
{
    static const double  percentiles[] = { 0, 50, 90, 100 };
    knackdb             *db = open_with_nine();
    knackdb_read        *read = begin_read(db);
    const knackdb_group *groups;
    size_t               count;
    knackdb_query        query;
    knackdb_condition    condition = knackdb_where_text(KNACKDB_PATTERN_TASK_TYPE, "nothing");
    knackdb_error        error;

    memset(&query, 0, sizeof query);
    query.limit = 1; /* plays no part */
    MUST(knackdb_read_aggregate(read, &query, KNACKDB_PATTERN_EXECUTION_TIME, KNACKDB_PATTERN_TASK_TYPE, percentiles, 4,
                                &groups, &count, &error));
    cr_assert_eq(count, 5);
    cr_assert_null(groups[0].key.data, "NULL comes first");
    cr_assert(text_is(groups[1].key, "") && text_is(groups[2].key, "hash") && text_is(groups[3].key, "pack") &&
              text_is(groups[4].key, "sort"));
    cr_assert(groups[4].row_count == 4 && groups[4].value_count == 4);
    cr_assert_eq(groups[4].mean, 42.5); /* 10 30 50 80 */
    cr_assert(groups[4].minimum == 10 && groups[4].maximum == 80);
    cr_assert_eq(groups[4].percentiles[0], 10);
    cr_assert_eq(groups[4].percentiles[1], 40);
    cr_assert_float_eq(groups[4].percentiles[2], 71, 1e-9);
    cr_assert_eq(groups[4].percentiles[3], 80);

    MUST(knackdb_read_aggregate(read, &query, KNACKDB_PATTERN_CONFIDENCE_SCORE, -1, NULL, 0, &groups, &count, &error));
    cr_assert_eq(count, 1);
    cr_assert(groups[0].row_count == 9 && groups[0].value_count == 8);
    cr_assert_float_eq(groups[0].mean, 4.3 / 8, 1e-12);

    query.conditions = &condition;
    query.condition_count = 1;
    MUST(knackdb_read_aggregate(read, &query, KNACKDB_PATTERN_EXECUTION_TIME, -1, percentiles, 1, &groups, &count,
                                &error));
    cr_assert_eq(count, 1, "one group of all, of no rows");
    cr_assert(groups[0].row_count == 0 && isnan(groups[0].mean) && isnan(groups[0].minimum) &&
              isnan(groups[0].maximum) && isnan(groups[0].percentiles[0]));
    MUST(knackdb_read_aggregate(read, &query, KNACKDB_PATTERN_EXECUTION_TIME, KNACKDB_PATTERN_TASK_TYPE, percentiles, 1,
                                &groups, &count, &error));
    cr_assert_eq(count, 0, "no rows, no groups");
    knackdb_read_end(read);
    close_it(db);
}

Test(reading, refuses_aggregates_that_make_no_sense)
{
    static const double  bad[] = { 101 }, nan[] = { (double) NAN }, below[] = { -1 };
    double               many[KNACKDB_PERCENTILES_MAX + 1] = { 0 };
    knackdb             *db = open_with_nine();
    knackdb_read        *read = begin_read(db);
    const knackdb_group *groups;
    size_t               count;
    knackdb_query        query;
    knackdb_error        error;
    uint32_t             seconds = KNACKDB_PATTERN_EXECUTION_TIME;

    memset(&query, 0, sizeof query);
    REFUSED(knackdb_read_aggregate(read, &query, KNACKDB_PATTERN_TASK_TYPE, -1, NULL, 0, &groups, &count, &error),
            KNACKDB_INVALID, "task_type");
    REFUSED(knackdb_read_aggregate(read, &query, seconds, (int32_t) seconds, NULL, 0, &groups, &count, &error),
            KNACKDB_INVALID, "execution_time");
    REFUSED(knackdb_read_aggregate(read, &query, KNACKDB_PATTERN_COLUMNS, -1, NULL, 0, &groups, &count, &error),
            KNACKDB_INVALID, "column");
    REFUSED(knackdb_read_aggregate(read, &query, seconds, KNACKDB_PATTERN_COLUMNS, NULL, 0, &groups, &count, &error),
            KNACKDB_INVALID, "column");
    REFUSED(knackdb_read_aggregate(read, &query, seconds, -2, NULL, 0, &groups, &count, &error), KNACKDB_INVALID, "");
    REFUSED(knackdb_read_aggregate(read, &query, seconds, -1, bad, 1, &groups, &count, &error), KNACKDB_INVALID,
            "percentile");
    REFUSED(knackdb_read_aggregate(read, &query, seconds, -1, below, 1, &groups, &count, &error), KNACKDB_INVALID,
            "percentile");
    REFUSED(knackdb_read_aggregate(read, &query, seconds, -1, nan, 1, &groups, &count, &error), KNACKDB_INVALID,
            "percentile");
    REFUSED(knackdb_read_aggregate(read, &query, seconds, -1, many, KNACKDB_PERCENTILES_MAX + 1, &groups, &count,
                                   &error),
            KNACKDB_INVALID, "percentile");
    knackdb_read_end(read);
    close_it(db);
}
