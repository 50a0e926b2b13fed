/* model_claims.c - the reference model by itself, against answers written down by hand.
 *
 * A model that is wrong in the way the store is wrong proves nothing, so what it does
 * is pinned here without the store: keys, merges, refusals, order, percentiles, JSON. */
#include "model.h"

#include <criterion/criterion.h>
#include <math.h>

static knackdb_value
integer(int64_t number)
{
    return knackdb_value_integer(number);
}

static knackdb_value
text(const char *string)
{
    return knackdb_value_text(knackdb_string(string));
}

/* A pattern of id and external_id whose agent_count tells it from others. */
static void
make_pattern(knackdb_value cells[MODEL_COLUMNS_MAX], int64_t id, const char *external_id, int64_t mark)
{
    memset(cells, 0, MODEL_COLUMNS_MAX * sizeof cells[0]);
    cells[KNACKDB_PATTERN_ID] = integer(id);
    cells[KNACKDB_PATTERN_EXTERNAL_ID] = text(external_id);
    cells[KNACKDB_PATTERN_AGENT_COUNT] = integer(mark);
}

static int64_t
store_pattern(struct model *model, int64_t id, const char *external_id, int64_t mark, knackdb_status expected)
{
    knackdb_value cells[MODEL_COLUMNS_MAX];
    int64_t       given = -1;
    int           column;

    make_pattern(cells, id, external_id, mark);
    cr_assert_eq(model_store(model, KNACKDB_EXECUTION_PATTERNS, cells, 14, 1, 0, &given, &column), expected);
    return given;
}

static int64_t
mark_of(const struct model *model, int64_t id)
{
    const struct model_row *row = model_by_id(model, KNACKDB_EXECUTION_PATTERNS, id);

    return row == NULL ? -1 : row->cells[KNACKDB_PATTERN_AGENT_COUNT].as.integer;
}

/* A column that only the store has would be compared by nobody. */
Test(model, has_the_columns_that_the_store_describes)
{
    cr_assert_eq(knackdb_table_count(), MODEL_TABLES);
    for (int table = 0; table < MODEL_TABLES; table++) {
        const knackdb_table_info       *info = knackdb_table_describe(table);
        const struct model_table_shape *shape = &model_shapes[table];

        cr_assert_eq(shape->column_count, info->column_count, "%s", info->name);
        for (size_t column = 0; column < info->column_count; column++) {
            cr_expect_eq(shape->columns[column].type, info->columns[column].type, "%s", info->columns[column].name);
            cr_expect_eq(shape->columns[column].is_rate, info->columns[column].is_rate, "%s",
                         info->columns[column].name);
        }
    }
}

Test(model, gives_ids_that_were_never_used)
{
    struct model model;

    model_init(&model);
    cr_assert_eq(store_pattern(&model, 0, NULL, 1, KNACKDB_OK), 1);
    cr_assert_eq(store_pattern(&model, 40, NULL, 2, KNACKDB_OK), 40);
    cr_assert_eq(model_delete(&model, KNACKDB_EXECUTION_PATTERNS, 40), KNACKDB_OK);
    cr_assert_eq(store_pattern(&model, 0, NULL, 3, KNACKDB_OK), 41);
    model_clear(&model);
}

Test(model, replaces_both_rows_that_id_and_external_id_name)
{
    struct model model;

    model_init(&model);
    store_pattern(&model, 7, "seven", 7, KNACKDB_OK);
    store_pattern(&model, 9, "nine", 9, KNACKDB_OK);
    cr_assert_eq(store_pattern(&model, 9, "seven", 79, KNACKDB_OK), 9);
    cr_assert_eq(model.tables[0].count, 1);
    cr_assert_eq(mark_of(&model, 9), 79);
    cr_assert_eq(store_pattern(&model, 0, "seven", 80, KNACKDB_OK), 9, "an external_id keeps its row's id");
    cr_assert_eq(mark_of(&model, 9), 80);
    model_clear(&model);
}

Test(model, changes_nothing_when_one_row_of_a_batch_is_bad)
{
    struct model  model;
    knackdb_value rows[3][MODEL_COLUMNS_MAX];
    int           column;

    model_init(&model);
    for (int i = 0; i < 3; i++)
        make_pattern(rows[i], 0, NULL, i);
    rows[2][KNACKDB_PATTERN_SUCCESS_RATE] = knackdb_value_real(1.5);
    cr_assert_eq(model_store(&model, 0, rows[0], 14, 3, 0, NULL, &column), KNACKDB_INVALID);
    cr_assert_eq(column, KNACKDB_PATTERN_SUCCESS_RATE);
    cr_assert_eq(model.tables[0].count, 0);
    rows[2][KNACKDB_PATTERN_SUCCESS_RATE] = knackdb_value_null();
    rows[2][0] = rows[0][0] = integer(5);
    cr_assert_eq(model_store(&model, 0, rows[0], 14, 3, KNACKDB_STORE_NEW, NULL, &column), KNACKDB_EXISTS);
    cr_assert_eq(model.tables[0].count, 0);
    model_clear(&model);
}

Test(model, adds_a_preference_stored_again_unless_it_is_the_same_row)
{
    struct model  model;
    knackdb_value again[6] = { integer(0), text("editor"),        text("ed"), knackdb_value_real(0.5),
                               integer(3), knackdb_value_real(10) };
    int64_t       id;
    int           column;

    model_init(&model);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(model_store(&model, KNACKDB_USER_PREFERENCES, again, 6, 1, 0, &id, &column), KNACKDB_OK);
    cr_assert_eq(id, 1);
    cr_assert_eq(model.tables[1].rows[0]->cells[KNACKDB_PREFERENCE_USAGE_COUNT].as.integer, 6);

    again[KNACKDB_PREFERENCE_ID] = integer(77);
    again[KNACKDB_PREFERENCE_WEIGHT] = again[KNACKDB_PREFERENCE_USAGE_COUNT] = knackdb_value_null();
    again[KNACKDB_PREFERENCE_LAST_USED] = knackdb_value_null();
    cr_assert_eq(model_store(&model, KNACKDB_USER_PREFERENCES, again, 6, 1, 0, &id, &column), KNACKDB_OK);
    cr_assert_eq(id, 1, "the stored id stays");
    cr_assert_eq(model.tables[1].rows[0]->cells[KNACKDB_PREFERENCE_USAGE_COUNT].as.integer, 7);
    cr_assert_eq(model.tables[1].rows[0]->cells[KNACKDB_PREFERENCE_WEIGHT].as.real, 0.5);
    cr_assert(model.awaits_now);
    model_settle_now(&model, 99);
    cr_assert_eq(model.tables[1].rows[0]->cells[KNACKDB_PREFERENCE_LAST_USED].as.real, 99);

    again[KNACKDB_PREFERENCE_ID] = integer(1);
    cr_assert_eq(model_store(&model, KNACKDB_USER_PREFERENCES, again, 6, 1, 0, &id, &column), KNACKDB_OK);
    cr_assert_eq(model.tables[1].rows[0]->cells[KNACKDB_PREFERENCE_USAGE_COUNT].type, KNACKDB_NULL,
                 "the same id replaces the row as given");
    model_clear(&model);
}

Test(model, remembers_a_moment)
{
    struct model model, moment;

    model_init(&model);
    store_pattern(&model, 1, "one", 1, KNACKDB_OK);
    model_remember(&model, &moment);
    store_pattern(&model, 1, "one", 2, KNACKDB_OK);
    store_pattern(&model, 2, "two", 3, KNACKDB_OK);
    cr_assert_eq(mark_of(&moment, 1), 1);
    cr_assert_eq(mark_of(&moment, 2), -1);
    cr_assert_eq(mark_of(&model, 1), 2);
    model_clear(&moment);
    model_clear(&model);
}

Test(model, cleans_up_strictly_before_and_leaves_null)
{
    struct model  model;
    knackdb_value rows[3][MODEL_COLUMNS_MAX];
    int           column;

    model_init(&model);
    for (int i = 0; i < 3; i++)
        make_pattern(rows[i], i + 1, NULL, i);
    rows[0][KNACKDB_PATTERN_CREATED_AT] = knackdb_value_real(9.5);
    rows[1][KNACKDB_PATTERN_CREATED_AT] = integer(10);
    cr_assert_eq(model_store(&model, 0, rows[0], 14, 3, 0, NULL, &column), KNACKDB_OK);
    cr_assert_eq(model_clean_up(&model, 0, 10), 1);
    cr_assert_eq(mark_of(&model, 1), -1);
    cr_assert_eq(model.tables[0].count, 2);
    model_clear(&model);
}

Test(model, orders_null_first_and_ties_by_rising_id)
{
    static const int64_t    rising[] = { 3, 1, 4, 2 }, falling[] = { 2, 1, 4, 3 };
    static const double     times[] = { 5, 7, NAN, 5 };
    struct model            model;
    knackdb_value           cells[MODEL_COLUMNS_MAX];
    const struct model_row *found[4];
    knackdb_query           query;
    int                     column;

    model_init(&model);
    for (int i = 0; i < 4; i++) {
        make_pattern(cells, i + 1, NULL, 0);
        if (!isnan(times[i]))
            cells[KNACKDB_PATTERN_EXECUTION_TIME] = knackdb_value_real(times[i]);
        cr_assert_eq(model_store(&model, 0, cells, 14, 1, 0, NULL, &column), KNACKDB_OK);
    }
    memset(&query, 0, sizeof query);
    query.order[0].column = KNACKDB_PATTERN_EXECUTION_TIME;
    query.order_count = 1;
    cr_assert_eq(model_find(&model, &query, found), 4);
    for (int i = 0; i < 4; i++)
        cr_expect_eq(found[i]->cells[0].as.integer, rising[i]);
    query.order[0].descending = true;
    cr_assert_eq(model_find(&model, &query, found), 4);
    for (int i = 0; i < 4; i++)
        cr_expect_eq(found[i]->cells[0].as.integer, falling[i]);
    query.limit = 2;
    query.offset = 3;
    cr_assert_eq(model_find(&model, &query, found), 1);
    cr_assert_eq(model_count(&model, &query), 4);
    model_clear(&model);
}

Test(model, compares_integers_with_reals_exactly)
{
    static const struct {
        int64_t integer;
        double  real;
        int     order;
    } cases[] = {
        { INT64_C(9007199254740993), 9007199254740992.0, 1 },
        { INT64_MAX, 9223372036854775808.0, -1 },
        { INT64_MIN, -9223372036854775808.0, 0 },
        { INT64_MIN, -1e300, 1 },
        { 0, -0.0, 0 },
        { 1, 1.5, -1 },
        { -1, -1.5, 1 },
        { 0, 5e-324, -1 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        knackdb_value a = integer(cases[i].integer), b = knackdb_value_real(cases[i].real);

        cr_expect_eq(model_compare(&a, &b), cases[i].order, "case %zu", i);
        cr_expect_eq(model_compare(&b, &a), -cases[i].order, "case %zu turned round", i);
    }
}

Test(model, works_out_percentiles_between_ranks)
{
    static const double percentiles[] = { 0, 25, 50, 90, 100 };
    struct model        model;
    knackdb_value       cells[MODEL_COLUMNS_MAX];
    knackdb_query       query;
    knackdb_group       groups[6];
    double              slack[6];
    int                 column;

    model_init(&model);
    for (int i = 0; i < 4; i++) {
        make_pattern(cells, 0, NULL, 10 * (4 - i)); /* 40 30 20 10 */
        cells[KNACKDB_PATTERN_TASK_TYPE] = i < 3 ? text("x") : knackdb_value_null();
        cr_assert_eq(model_store(&model, 0, cells, 14, 1, 0, NULL, &column), KNACKDB_OK);
    }
    memset(&query, 0, sizeof query);
    cr_assert_eq(model_aggregate(&model, &query, KNACKDB_PATTERN_AGENT_COUNT, -1, percentiles, 5, groups, slack), 1);
    cr_expect_eq(groups[0].mean, 25);
    cr_expect_eq(groups[0].percentiles[0], 10);
    cr_expect_eq(groups[0].percentiles[1], 17.5);
    cr_expect_eq(groups[0].percentiles[2], 25);
    cr_expect_float_eq(groups[0].percentiles[3], 37, 1e-12);
    cr_expect_eq(groups[0].percentiles[4], 40);
    cr_assert_eq(model_aggregate(&model, &query, KNACKDB_PATTERN_AGENT_COUNT, KNACKDB_PATTERN_TASK_TYPE, NULL, 0,
                                 groups, slack),
                 2);
    cr_expect_null(groups[0].key.data);
    cr_expect_eq(groups[1].row_count, 3);
    cr_expect_eq(groups[1].mean, 30);
    model_clear(&model);
}

Test(model, reads_json_lists)
{
    static const struct {
        const char *list, *string;
        bool        contains;
    } cases[] = {
        { "[\"cat\"]", "cat", true },
        { " [ \"a\" , \"cat\" ] \n", "cat", true },
        { "[\"ca\\u0074\"]", "cat", true },
        { "[\"\\ud83d\\ude00\"]", "\xf0\x9f\x98\x80", true },
        { "[\"\\\"\\\\\\/\"]", "\"\\/", true },
        { "[\"\"]", "", true },
        { "[1, -2.5e+3, null, true, {\"a\": [\"cat\"]}, \"cat\"]", "cat", true },
        { "[]", "", false },
        { "[\"catalog\"]", "cat", false },
        { "[[\"cat\"]]", "cat", false },
        { "[{\"cat\": \"cat\"}]", "cat", false },
        { "\"cat\"", "cat", false },
        { "cat", "cat", false },
        { "[\"cat\"", "cat", false },
        { "[\"cat\",]", "cat", false },
        { "[\"cat\"] x", "cat", false },
        { "[\"cat\" \"sed\"]", "cat", false },
        { "[\"cat\", \"\\x\"]", "cat", false },
        { "[\"cat\", 01]", "cat", false },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_expect_eq(json_list_contains(knackdb_string(cases[i].list), knackdb_string(cases[i].string)),
                     cases[i].contains, "%s in %s", cases[i].string, cases[i].list);
}
