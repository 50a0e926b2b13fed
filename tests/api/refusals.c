/* refusals.c - every bad input of the contract: refused by the name of its column, and nothing changed.
 *
 * Each case spoils one cell of a row that is otherwise fine, and is tried alone, in
 * the middle of a batch, as an update and through knackdb_check_row(). After each the
 * store's sequence and rows are what they were. */
#include "calls.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

struct refusal {
    int           table;
    uint32_t      column;
    knackdb_value value;
};

static void
good_row(int table, knackdb_value *cells)
{
    const knackdb_table_info *info = knackdb_table_describe(table);

    for (uint32_t column = 0; column < info->column_count; column++) {
        if (info->columns[column].type == KNACKDB_TEXT)
            cells[column] = knackdb_value_null(); /* keys would collide within a batch */
        else if (info->columns[column].type == KNACKDB_INTEGER)
            cells[column] = knackdb_value_integer(0);
        else
            cells[column] = knackdb_value_real(0.5);
    }
}

static void
must_be_refused(knackdb *db, const struct refusal *refusal)
{
    const knackdb_table_info *info = knackdb_table_describe(refusal->table);
    const char               *name = info->columns[refusal->column].name;
    knackdb_value             rows[3][KNACKDB_PATTERN_COLUMNS], values[3 * KNACKDB_PATTERN_COLUMNS];
    int64_t                   ids[3];
    uint64_t                  sequence = sequence_of(db), count = count_rows(db, refusal->table);
    knackdb_error             error;

    for (size_t i = 0; i < 3; i++)
        good_row(refusal->table, rows[i]);
    MUST(knackdb_check_row(refusal->table, rows[1], info->column_count, &error));
    rows[1][refusal->column] = refusal->value;

    REFUSED(knackdb_check_row(refusal->table, rows[1], info->column_count, &error), KNACKDB_INVALID, name);
    cr_assert_eq(error.column, (int) refusal->column);
    REFUSED(knackdb_store_rows(db, refusal->table, rows[1], info->column_count, 1, 0, ids, &error), KNACKDB_INVALID,
            name);
    cr_assert_eq(error.column, (int) refusal->column);
    for (size_t i = 0; i < 3; i++)
        memcpy(&values[i * info->column_count], rows[i], info->column_count * sizeof values[0]);
    REFUSED(knackdb_store_rows(db, refusal->table, values, info->column_count, 3, 0, ids, &error), KNACKDB_INVALID,
            name);
    cr_assert_eq(error.column, (int) refusal->column);
    if (refusal->column != 0) {
        REFUSED(knackdb_update_row(db, refusal->table, 1, &refusal->column, &refusal->value, 1, &error),
                KNACKDB_INVALID, name);
        cr_assert_eq(error.column, (int) refusal->column);
    }
    cr_assert_eq(knackdb_store_rows(db, refusal->table, rows[1], info->column_count, 1, 0, NULL, NULL), KNACKDB_INVALID,
                 "without anyone to tell");

    cr_assert_eq(sequence_of(db), sequence);
    cr_assert_eq(count_rows(db, refusal->table), count);
}

/* A store whose three tables hold one row each, of id 1. */
static knackdb *
open_with_rows(void)
{
    knackdb      *db = open_in_memory();
    knackdb_error error;

    for (int table = 0; table < (int) knackdb_table_count(); table++) {
        knackdb_value cells[KNACKDB_COLUMNS_MAX];

        good_row(table, cells);
        MUST(knackdb_store_rows(db, table, cells, knackdb_table_describe(table)->column_count, 1, 0, NULL, &error));
    }
    return db;
}

Test(refusals, a_number_that_is_not_finite)
{
    static const double never[] = { (double) NAN, -(double) NAN, (double) INFINITY, -(double) INFINITY };
    knackdb            *db = open_with_rows();

    for (int table = 0; table < (int) knackdb_table_count(); table++)
        for (uint32_t column = 0; column < knackdb_table_describe(table)->column_count; column++)
            for (size_t i = 0; i < 4; i++)
                if (knackdb_table_describe(table)->columns[column].type == KNACKDB_REAL)
                    must_be_refused(db, &(struct refusal) { table, column, knackdb_value_real(never[i]) });
    close_it(db);
}

Test(refusals, a_rate_outside_0_to_1)
{
    static const double outside[] = { -DBL_TRUE_MIN, -0.1, 1.0000000000000002, 2, -1e300, DBL_MAX };
    knackdb            *db = open_with_rows();
    size_t              rates = 0;

    for (int table = 0; table < (int) knackdb_table_count(); table++)
        for (uint32_t column = 0; column < knackdb_table_describe(table)->column_count; column++) {
            if (!knackdb_table_describe(table)->columns[column].is_rate)
                continue;
            rates++;
            for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++)
                must_be_refused(db, &(struct refusal) { table, column, knackdb_value_real(outside[i]) });
            must_be_refused(db, &(struct refusal) { table, column, knackdb_value_integer(2) });
            must_be_refused(db, &(struct refusal) { table, column, knackdb_value_integer(-1) });
        }
    cr_assert_eq(rates, 2, "success_rate and confidence_score");
    close_it(db);
}

Test(refusals, bytes_that_are_not_utf8)
{
    /* clang-format off */
    static const char *const bad[] = {
        "\x80", "\xbf", "a\xff", "\xfe", "\xc3", "\xc3(", "\xc0\x80", "\xc1\xbf", "\xe2\x82", "\xe0\x9f\xbf",
        "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf0\x9f\x98", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "\xf8\x88\x80\x80\x80", "thirty-two good bytes, and then \xc3\x28", "\xc3\xa9\xc3",
    };
    /* clang-format on */
    knackdb *db = open_with_rows();

    for (int table = 0; table < (int) knackdb_table_count(); table++)
        for (uint32_t column = 0; column < knackdb_table_describe(table)->column_count; column++)
            for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
                if (knackdb_table_describe(table)->columns[column].type == KNACKDB_TEXT)
                    must_be_refused(db,
                                    &(struct refusal) { table, column, knackdb_value_text(knackdb_string(bad[i])) });
    close_it(db);
}

Test(refusals, a_value_of_another_type)
{
    knackdb *db = open_with_rows();

    for (int table = 0; table < (int) knackdb_table_count(); table++)
        for (uint32_t column = 0; column < knackdb_table_describe(table)->column_count; column++) {
            knackdb_type  type = knackdb_table_describe(table)->columns[column].type;
            knackdb_value strange = knackdb_value_integer(1);

            strange.type = (knackdb_type) 9;
            must_be_refused(db, &(struct refusal) { table, column, strange });
            if (type != KNACKDB_TEXT)
                must_be_refused(db, &(struct refusal) { table, column, knackdb_value_text(knackdb_string("1")) });
            if (type == KNACKDB_INTEGER)
                must_be_refused(db, &(struct refusal) { table, column, knackdb_value_real(1) });
            if (type == KNACKDB_TEXT) {
                must_be_refused(db, &(struct refusal) { table, column, knackdb_value_integer(1) });
                must_be_refused(db, &(struct refusal) { table, column, knackdb_value_real(1) });
            }
        }
    close_it(db);
}

Test(refusals, an_id_that_is_negative)
{
    knackdb *db = open_with_rows();

    for (int table = 0; table < (int) knackdb_table_count(); table++) {
        must_be_refused(db, &(struct refusal) { table, 0, knackdb_value_integer(-1) });
        must_be_refused(db, &(struct refusal) { table, 0, knackdb_value_integer(INT64_MIN) });
    }
    close_it(db);
}

Test(refusals, a_text_of_more_than_16_mib)
{
    knackdb         *db = open_with_rows();
    char            *long_text = malloc(KNACKDB_TEXT_BYTES_MAX + 1);
    knackdb_pattern  pattern = empty_pattern();
    knackdb_pattern *copy;
    knackdb_error    error;
    int64_t          id;

    cr_assert_not_null(long_text);
    memset(long_text, 'x', KNACKDB_TEXT_BYTES_MAX + 1);
    must_be_refused(db,
                    &(struct refusal) { KNACKDB_EXECUTION_PATTERNS, KNACKDB_PATTERN_CONTEXT_FACTORS,
                                        knackdb_value_text((knackdb_text) { long_text, KNACKDB_TEXT_BYTES_MAX + 1 }) });

    pattern.context_factors = (knackdb_text) { long_text, KNACKDB_TEXT_BYTES_MAX };
    MUST(knackdb_pattern_store(db, &pattern, &id, &error));
    MUST(knackdb_pattern_get(db, id, &copy, &error));
    cr_assert_eq(copy->context_factors.length, KNACKDB_TEXT_BYTES_MAX);
    cr_assert_eq(memcmp(copy->context_factors.data, long_text, KNACKDB_TEXT_BYTES_MAX), 0);
    knackdb_free(copy);

    pattern.task_type = pattern.context_factors; /* kept in a dictionary, the same limit */
    MUST(knackdb_pattern_store(db, &pattern, &id, &error));
    free(long_text);
    close_it(db);
}

Test(refusals, of_a_batch_the_first_fault_is_named_and_nothing_is_stored)
{
    knackdb        *db = open_in_memory();
    knackdb_pattern patterns[5];
    knackdb_error   error;

    for (int i = 0; i < 5; i++) {
        patterns[i] = empty_pattern();
        patterns[i].id = i + 1;
    }
    patterns[3].success_rate = 7;
    patterns[3].nulls &= ~KNACKDB_BIT(KNACKDB_PATTERN_SUCCESS_RATE);
    REFUSED(knackdb_patterns_store(db, patterns, 5, 0, NULL, &error), KNACKDB_INVALID, "success_rate");
    cr_assert_eq(count_rows(db, KNACKDB_EXECUTION_PATTERNS), 0);
    patterns[3].nulls |= KNACKDB_BIT(KNACKDB_PATTERN_SUCCESS_RATE);
    MUST(knackdb_patterns_store(db, patterns, 5, 0, NULL, &error));
    close_it(db);
}

/* What a struct field holds where its bit says NULL is nobody's business. */
Test(refusals, do_not_look_at_a_number_that_is_null)
{
    knackdb        *db = open_in_memory();
    knackdb_pattern pattern = empty_pattern(), *copy;
    knackdb_error   error;
    int64_t         id;

    pattern.success_rate = (double) NAN;
    pattern.execution_time = (double) INFINITY;
    MUST(knackdb_pattern_store(db, &pattern, &id, &error));
    MUST(knackdb_pattern_get(db, id, &copy, &error));
    cr_assert_eq(copy->nulls, KNACKDB_BIT(KNACKDB_PATTERN_COLUMNS) - 2, "texts have their bit set, too");
    knackdb_free(copy);
    close_it(db);
}

Test(refusals, calls_that_make_no_sense)
{
    knackdb        *db = open_with_rows();
    knackdb_value   cells[KNACKDB_COLUMNS_MAX];
    uint32_t        column;
    uint64_t        sequence = sequence_of(db);
    knackdb_pattern pattern = empty_pattern();
    knackdb_error   error;

    good_row(KNACKDB_USER_PREFERENCES, cells);
    for (size_t i = KNACKDB_PREFERENCE_COLUMNS; i < KNACKDB_COLUMNS_MAX; i++)
        cells[i] = knackdb_value_null();
    REFUSED(knackdb_store_rows(db, 3, cells, 1, 1, 0, NULL, &error), KNACKDB_INVALID, "table");
    REFUSED(knackdb_store_rows(db, -1, cells, 1, 1, 0, NULL, &error), KNACKDB_INVALID, "table");
    REFUSED(knackdb_store_rows(db, KNACKDB_USER_PREFERENCES, cells, 0, 1, 0, NULL, &error), KNACKDB_INVALID, "column");
    REFUSED(knackdb_store_rows(db, KNACKDB_USER_PREFERENCES, cells, KNACKDB_PREFERENCE_COLUMNS + 1, 1, 0, NULL, &error),
            KNACKDB_INVALID, "column");
    REFUSED(knackdb_check_row(17, cells, 1, &error), KNACKDB_INVALID, "table");
    REFUSED(knackdb_check_row(KNACKDB_USER_PREFERENCES, cells, KNACKDB_PREFERENCE_COLUMNS + 1, &error), KNACKDB_INVALID,
            "column");
    REFUSED(knackdb_pattern_set_weight(db, 1, 1.5, &error), KNACKDB_INVALID, "confidence_score");
    REFUSED(knackdb_pattern_set_weight(db, 1, (double) NAN, &error), KNACKDB_INVALID, "confidence_score");
    REFUSED(knackdb_clean_up(db, (double) NAN, NULL, &error), KNACKDB_INVALID, "must be finite");
    REFUSED(knackdb_clean_up_before(db, KNACKDB_EXECUTION_PATTERNS, (double) NAN, NULL, &error), KNACKDB_INVALID,
            "must be finite");
    REFUSED(knackdb_clean_up_before(db, KNACKDB_USER_PREFERENCES, 1e12, NULL, &error), KNACKDB_INVALID,
            "user_preferences");
    REFUSED(knackdb_clean_up_before(db, 99, 1e12, NULL, &error), KNACKDB_INVALID, "table");
    REFUSED(knackdb_delete(db, 99, 1, &error), KNACKDB_INVALID, "table");
    cells[0] = knackdb_value_integer(5);
    column = 0;
    REFUSED(knackdb_update_row(db, KNACKDB_USER_PREFERENCES, 1, &column, cells, 1, &error), KNACKDB_INVALID, "id");
    column = KNACKDB_PREFERENCE_COLUMNS;
    REFUSED(knackdb_update_row(db, KNACKDB_USER_PREFERENCES, 1, &column, cells, 1, &error), KNACKDB_INVALID, "column");
    REFUSED(knackdb_update_row(db, 8, 1, &column, cells, 1, &error), KNACKDB_INVALID, "there are 0 to 2");
    pattern.external_id = knackdb_string("\xff");
    REFUSED(knackdb_pattern_store(db, &pattern, NULL, &error), KNACKDB_INVALID, "external_id");
    cr_assert_eq(sequence_of(db), sequence);
    close_it(db);
}
