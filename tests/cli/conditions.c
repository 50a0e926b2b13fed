/* conditions.c - conditions, sort keys and lists of columns as the command reads them. */
#include "cli/columns.h"
#include "cli/condition.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const knackdb_column_info columns[] = {
    { "id", KNACKDB_INTEGER, false, 1 },
    { "name", KNACKDB_TEXT, false, 1 },
    { "rate", KNACKDB_REAL, true, 1 },
    { "in_use", KNACKDB_TEXT, false, 1 },
};

static const knackdb_table_info table = { "things", 4, columns };

static struct parsed_condition
parse(const char *text)
{
    struct parsed_condition parsed;
    char                    why[COLUMN_WHY_BYTES];
    size_t                  length = strlen(text);
    char                   *bytes = malloc(length + 1);
    bool                    is_good;

    memcpy(bytes, text, length);
    is_good = condition_parse(bytes, length, &table, &parsed, why);
    free(bytes);
    cr_assert(is_good, "%s: %s", text, why);
    return parsed;
}

static void
expect_refused(const char *text, const char *part_of_why)
{
    struct parsed_condition parsed;
    char                    why[COLUMN_WHY_BYTES] = "";

    cr_assert_not(condition_parse(text, strlen(text), &table, &parsed, why), "%s", text);
    cr_assert_not_null(strstr(why, part_of_why), "%s: %s", text, why);
}

static void
expect_operator(const char *text, uint32_t column, knackdb_operator op)
{
    struct parsed_condition parsed = parse(text);

    cr_assert_eq(parsed.condition.column, column, "%s", text);
    cr_assert_eq(parsed.condition.op, op, "%s", text);
    condition_clear(&parsed);
}

Test(condition, every_operator_is_read_with_and_without_blanks)
{
    expect_operator("id = 1", 0, KNACKDB_EQUAL);
    expect_operator("id==1", 0, KNACKDB_EQUAL);
    expect_operator("id!=1", 0, KNACKDB_NOT_EQUAL);
    expect_operator("id <> 1", 0, KNACKDB_NOT_EQUAL);
    expect_operator("id<1", 0, KNACKDB_LESS);
    expect_operator("  id  <=  1  ", 0, KNACKDB_AT_MOST);
    expect_operator("rate > 0.5", 2, KNACKDB_MORE);
    expect_operator("rate>=.5", 2, KNACKDB_AT_LEAST);
    expect_operator("name contains sort", 1, KNACKDB_CONTAINS);
    expect_operator("name CONTAINS 'sort'", 1, KNACKDB_CONTAINS);
    expect_operator("name is null", 1, KNACKDB_IS_NULL);
    expect_operator("name IS NOT NULL", 1, KNACKDB_IS_NOT_NULL);
    expect_operator("in_use = x", 3, KNACKDB_EQUAL);
    expect_operator("id in (1,2)", 0, KNACKDB_ONE_OF);
    expect_operator("id in(1)", 0, KNACKDB_ONE_OF);
}

static void
expect_text(const char *text, const char *expected)
{
    struct parsed_condition parsed = parse(text);

    cr_assert_eq(parsed.condition.value.type, KNACKDB_TEXT);
    cr_assert_eq(parsed.condition.value.as.text.length, strlen(expected), "%s", text);
    cr_assert_arr_eq(parsed.condition.value.as.text.data, expected, strlen(expected), "%s", text);
    condition_clear(&parsed);
}

Test(condition, a_bare_text_goes_to_the_end_and_a_quoted_one_to_its_quote)
{
    expect_text("name = less often than monthly ", "less often than monthly");
    expect_text("name = a and rate > 1", "a and rate > 1");
    expect_text("name = ''", "");
    expect_text("name = ' a '", " a ");
    expect_text("name = 'it''s'", "it's");
    expect_text("name = \"a\"\"b'c\"", "a\"b'c");
    expect_text("name = 'null'", "null");
    expect_text("name = it's", "it's");
    expect_text("name contains a,b)", "a,b)");
}

Test(condition, numbers_are_exact)
{
    struct parsed_condition parsed = parse("rate = 9007199254740993");

    cr_assert_eq(parsed.condition.value.type, KNACKDB_INTEGER);
    cr_assert_eq(parsed.condition.value.as.integer, INT64_C(9007199254740993));
    condition_clear(&parsed);
    parsed = parse("id >= '1.5'");
    cr_assert_eq(parsed.condition.value.type, KNACKDB_REAL);
    cr_assert_eq(parsed.condition.value.as.real, 1.5);
    condition_clear(&parsed);
}

Test(condition, in_takes_a_list)
{
    struct parsed_condition parsed = parse("name in ( a b , 'c,d)' ,e)");

    cr_assert_eq(parsed.condition.value_count, 3);
    cr_assert_eq(parsed.condition.values, parsed.values);
    cr_assert_eq(parsed.values[0].as.text.length, 3);
    cr_assert_arr_eq(parsed.values[1].as.text.data, "c,d)", 4);
    cr_assert_arr_eq(parsed.values[2].as.text.data, "e", 1);
    condition_clear(&parsed);
}

Test(condition, what_is_no_condition_is_refused_with_the_reason)
{
    expect_refused("", "no column ''");
    expect_refused("nam = x", "no column 'nam'; it has id, ");
    expect_refused("name", "an operator is missing");
    expect_refused("name like x", "an operator is missing");
    expect_refused("name containsx", "an operator is missing");
    expect_refused("name =", "a value is missing");
    expect_refused("name = null", "is null");
    expect_refused("id = NULL", "is null");
    expect_refused("name is 5", "only 'is null'");
    expect_refused("name is null or 1", "text behind");
    expect_refused("name = 'a' or", "text behind");
    expect_refused("name = 'a", "never closed");
    expect_refused("id = one", "'one' is not a number");
    expect_refused("id = 1e999", "out of range");
    expect_refused("rate > nan", "not a number");
    expect_refused("rate > 2026-11-22T12:00:00.5Z",
                   "is not a number; that time is 1795348800.500000, in seconds since 1970");
    expect_refused("id contains 1", "text columns");
    expect_refused("id in 1, 2", "in brackets");
    expect_refused("id in ()", "a value is missing");
    expect_refused("id in (1, 2", "never closed");
    expect_refused("id in (1) x", "text behind");
}

/* Every prefix of a condition is read within its bytes, whatever comes of it. */
Test(condition, any_prefix_is_read_within_its_bytes)
{
    static const char text[] = " in_use in ('a''b', \"c\", d) ";

    for (size_t length = 0; length < sizeof text; length++) {
        struct parsed_condition parsed;
        char                    why[COLUMN_WHY_BYTES];
        char                   *bytes = malloc(length + (length == 0));

        memcpy(bytes, text, length);
        if (condition_parse(bytes, length, &table, &parsed, why))
            condition_clear(&parsed);
        free(bytes);
    }
}

Test(sort_key, a_column_goes_up_unless_told_and_score_down)
{
    knackdb_order order;
    char          why[COLUMN_WHY_BYTES];

    cr_assert(sort_key_parse("rate", 4, &table, &order, why));
    cr_assert_eq(order.column, 2);
    cr_assert_not(order.descending);
    cr_assert(sort_key_parse("rate:DESC", 9, &table, &order, why));
    cr_assert(order.descending);
    cr_assert(sort_key_parse("score", 5, &table, &order, why));
    cr_assert_eq(order.column, KNACKDB_ORDER_BY_SCORE);
    cr_assert(order.descending);
    cr_assert(sort_key_parse("score:asc", 9, &table, &order, why));
    cr_assert_not(order.descending);
    cr_assert_not(sort_key_parse("rate:down", 9, &table, &order, why));
    cr_assert_not(sort_key_parse("rate:", 5, &table, &order, why));
    cr_assert_not(sort_key_parse("", 0, &table, &order, why));
}

Test(columns, a_list_names_each_column_once)
{
    uint32_t found[KNACKDB_COLUMNS_MAX];
    size_t   count;
    char     why[COLUMN_WHY_BYTES];

    cr_assert(columns_parse("rate, id", &table, found, &count, why));
    cr_assert_eq(count, 2);
    cr_assert_eq(found[0], 2);
    cr_assert_eq(found[1], 0);
    cr_assert_not(columns_parse("id,id", &table, found, &count, why));
    cr_assert_not(columns_parse("id,", &table, found, &count, why));
    cr_assert_not(columns_parse("", &table, found, &count, why));
}
