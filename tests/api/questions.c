/* questions.c - every operator on every type of column, and aggregates of every kind of group: against what a loop
 * says.
 *
 * The model (tests/model) asks the same of random lives; here each combination is asked for certain. */
#include "calls.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define ROWS 700

/* Row n: some cells NULL, texts of a dictionary and of their own, integers, reals, a list of tools. */
static knackdb_value
cell_of(uint32_t column, int64_t n)
{
    static char texts[KNACKDB_COLUMNS_MAX][32]; /* one a column, until the next of it */
    char       *text = texts[column];

    if ((n + column) % 11 == 0)
        return knackdb_value_null();
    switch (column) {
    case KNACKDB_PATTERN_TASK_TYPE:
    case KNACKDB_PATTERN_PATTERN_USED:
        (void) snprintf(text, sizeof texts[0], "%s %d", column == KNACKDB_PATTERN_TASK_TYPE ? "task" : "way",
                        (int) (n % 300));
        return knackdb_value_text(knackdb_string(text));
    case KNACKDB_PATTERN_TOOLS_USED:
        return knackdb_value_text(knackdb_string(n % 3 == 0   ? "[\"cat\", \"sed\"]"
                                                 : n % 3 == 1 ? "[\"sed\"]"
                                                              : "no list"));
    case KNACKDB_PATTERN_CONTEXT_FACTORS:
        (void) snprintf(text, sizeof texts[0], "{\"n\": %d}", (int) (n % 400));
        return knackdb_value_text(knackdb_string(text));
    case KNACKDB_PATTERN_SUCCESS_RATE:
    case KNACKDB_PATTERN_CONFIDENCE_SCORE: return knackdb_value_real((double) (n % 9) / 8);
    case KNACKDB_PATTERN_EXECUTION_TIME: return knackdb_value_real((double) (n % 13) - 6.5);
    case KNACKDB_PATTERN_AGENT_COUNT: return knackdb_value_integer(n % 7 - 3);
    case KNACKDB_PATTERN_USAGE_COUNT: return knackdb_value_integer(n % 50 == 7 ? INT64_MIN : n % 50);
    default: return knackdb_value_null();
    }
}

static const uint32_t asked[] = { KNACKDB_PATTERN_TASK_TYPE,    KNACKDB_PATTERN_PATTERN_USED,
                                  KNACKDB_PATTERN_TOOLS_USED,   KNACKDB_PATTERN_CONTEXT_FACTORS,
                                  KNACKDB_PATTERN_SUCCESS_RATE, KNACKDB_PATTERN_EXECUTION_TIME,
                                  KNACKDB_PATTERN_AGENT_COUNT,  KNACKDB_PATTERN_USAGE_COUNT };

#define ASKED_COUNT (sizeof asked / sizeof asked[0])

static knackdb *
open_with_patterns(void)
{
    knackdb      *db = open_in_memory();
    knackdb_error error;

    for (int64_t n = 1; n <= ROWS; n++) {
        knackdb_value cells[KNACKDB_PATTERN_COLUMNS];

        for (uint32_t c = 0; c < KNACKDB_PATTERN_COLUMNS; c++)
            cells[c] = knackdb_value_null();
        for (size_t i = 0; i < ASKED_COUNT; i++)
            cells[asked[i]] = cell_of(asked[i], n);
        cells[0] = knackdb_value_integer(n);
        MUST(knackdb_store_rows(db, KNACKDB_EXECUTION_PATTERNS, cells, KNACKDB_PATTERN_COLUMNS, 1, 0, NULL, &error));
    }
    return db;
}

/* Both of one kind, or numbers: below 0, 0, above 0. */
static int
compare(const knackdb_value *a, const knackdb_value *b)
{
    long double left, right;

    if (a->type == KNACKDB_TEXT) {
        size_t shorter = a->as.text.length < b->as.text.length ? a->as.text.length : b->as.text.length;
        int    order = memcmp(a->as.text.data, b->as.text.data, shorter);

        return order != 0 ? order : (a->as.text.length > b->as.text.length) - (a->as.text.length < b->as.text.length);
    }
    left = a->type == KNACKDB_REAL ? a->as.real : a->as.integer; /* 64 bits of an integer fit into a long double */
    right = b->type == KNACKDB_REAL ? b->as.real : b->as.integer;
    return (left > right) - (left < right);
}

static bool
holds(const knackdb_condition *condition, const knackdb_value *cell)
{
    int order;

    if (condition->op == KNACKDB_IS_NULL || condition->op == KNACKDB_IS_NOT_NULL)
        return (cell->type == KNACKDB_NULL) == (condition->op == KNACKDB_IS_NULL);
    if (cell->type == KNACKDB_NULL)
        return false;
    if (condition->op == KNACKDB_ONE_OF) {
        for (size_t i = 0; i < condition->value_count; i++)
            if (condition->values[i].type != KNACKDB_NULL && compare(cell, &condition->values[i]) == 0)
                return true;
        return false;
    }
    if (condition->value.type == KNACKDB_NULL)
        return false;
    if (condition->op == KNACKDB_CONTAINS) /* of the lists above */
        return strstr(cell->as.text.data, condition->value.as.text.data) != NULL && cell->as.text.data[0] == '[';
    order = compare(cell, &condition->value);
    switch (condition->op) {
    case KNACKDB_EQUAL: return order == 0;
    case KNACKDB_NOT_EQUAL: return order != 0;
    case KNACKDB_LESS: return order < 0;
    case KNACKDB_AT_MOST: return order <= 0;
    case KNACKDB_MORE: return order > 0;
    default: return order >= 0;
    }
}

static void
must_find_what_a_loop_finds(knackdb_read *read, const knackdb_condition *condition, uint64_t *ret_found)
{
    knackdb_query query = { .table = KNACKDB_EXECUTION_PATTERNS, .conditions = condition, .condition_count = 1 };
    knackdb_rows  rows;
    uint64_t      expected = 0;
    uint64_t      counted;
    knackdb_error error;

    MUST(knackdb_read_find(read, &query, &rows, &error));
    for (int64_t n = 1; n <= ROWS; n++) {
        knackdb_value cell = cell_of(condition->column, n);

        if (!holds(condition, &cell))
            continue;
        cr_assert_lt(expected, rows.count, "column %u, operator %d", condition->column, (int) condition->op);
        cr_assert_eq(knackdb_read_value(read, query.table, rows.rows[expected], 0).as.integer, n,
                     "column %u, operator %d", condition->column, (int) condition->op);
        expected++;
    }
    cr_assert_eq(rows.count, expected, "column %u, operator %d", condition->column, (int) condition->op);
    MUST(knackdb_read_count(read, &query, &counted, &error));
    cr_assert_eq(counted, expected);
    *ret_found += expected;
}

Test(questions, every_operator_finds_what_a_loop_finds)
{
    static const double bounds[] = {
        0.5, -6.5, 2, 3, 1e300, -1e300, 9223372036854775808.0, -9223372036854775808.0, 2.5
    };
    knackdb      *db = open_with_patterns();
    knackdb_read *read = begin_read(db);
    uint64_t      found = 0;

    for (size_t i = 0; i < ASKED_COUNT; i++) {
        knackdb_type type = knackdb_table_describe(KNACKDB_EXECUTION_PATTERNS)->columns[asked[i]].type;

        for (int op = KNACKDB_EQUAL; op <= KNACKDB_IS_NOT_NULL; op++) {
            knackdb_value     values[12];
            knackdb_condition condition = { .column = asked[i], .op = (knackdb_operator) op, .values = values };
            char              texts[4][32];

            if (op == KNACKDB_CONTAINS) {
                condition.value = knackdb_value_text(knackdb_string("cat"));
                if (asked[i] == KNACKDB_PATTERN_TOOLS_USED)
                    must_find_what_a_loop_finds(read, &condition, &found);
                continue;
            }
            for (size_t v = 0; v < 12; v++) {
                if (v == 11)
                    values[v] = knackdb_value_null();
                else if (type == KNACKDB_TEXT && v < 4) {
                    knackdb_value cell = cell_of(asked[i], (int64_t) (v * 5 + 1));

                    (void) snprintf(texts[v], sizeof texts[v], "%s",
                                    cell.type == KNACKDB_TEXT ? cell.as.text.data : "n");
                    values[v] = knackdb_value_text(knackdb_string(texts[v]));
                } else if (type == KNACKDB_TEXT)
                    values[v] = knackdb_value_text(knackdb_string(v % 2 == 0 ? "no such text" : ""));
                else if (v < 9)
                    values[v] = knackdb_value_real(bounds[v]);
                else
                    values[v] = knackdb_value_integer(v == 9 ? 2 : INT64_MIN);
            }
            for (size_t v = 0; v < 12; v++) {
                condition.value = values[v];
                condition.value_count = v + 1;
                must_find_what_a_loop_finds(read, &condition, &found);
            }
        }
    }
    cr_assert_gt(found, 10000);
    knackdb_read_end(read);
    close_it(db);
}

/* ---- aggregates ---- */

static void
must_aggregate_as_a_loop(knackdb_read *read, uint32_t column, int32_t group_column)
{
    static const double  percentiles[] = { 0, 100 };
    knackdb_query        query = { .table = KNACKDB_EXECUTION_PATTERNS };
    const knackdb_group *groups;
    size_t               count;
    uint64_t             rows = 0;
    knackdb_error        error;

    MUST(knackdb_read_aggregate(read, &query, column, group_column, percentiles, 2, &groups, &count, &error));
    for (size_t g = 0; g < count; g++) {
        uint64_t members = 0, values = 0;
        double   least = 0, most = 0;

        for (int64_t n = 1; n <= ROWS; n++) {
            knackdb_value name = group_column >= 0 ? cell_of((uint32_t) group_column, n) : knackdb_value_null();
            bool          is_named = name.type == KNACKDB_TEXT;
            knackdb_value cell;
            double        number;

            if (is_named != (groups[g].key.data != NULL) ||
                (is_named && (name.as.text.length != groups[g].key.length ||
                              memcmp(name.as.text.data, groups[g].key.data, name.as.text.length) != 0)))
                continue;
            members++;
            cell = cell_of(column, n);
            if (cell.type == KNACKDB_NULL)
                continue;
            number = cell.type == KNACKDB_REAL ? cell.as.real : (double) cell.as.integer;
            least = values == 0 || number < least ? number : least;
            most = values == 0 || number > most ? number : most;
            values++;
        }
        cr_assert_eq(groups[g].row_count, members);
        cr_assert_eq(groups[g].value_count, values);
        if (values != 0) {
            cr_assert_eq(groups[g].minimum, least);
            cr_assert_eq(groups[g].maximum, most);
            cr_assert_eq(groups[g].percentiles[0], least);
            cr_assert_eq(groups[g].percentiles[1], most);
        }
        rows += members;
    }
    cr_assert_eq(rows, ROWS, "every row is in one group");
}

Test(questions, every_group_is_what_a_loop_makes_it)
{
    static const uint32_t numbers[] = { KNACKDB_PATTERN_SUCCESS_RATE, KNACKDB_PATTERN_EXECUTION_TIME,
                                        KNACKDB_PATTERN_AGENT_COUNT, KNACKDB_PATTERN_USAGE_COUNT };
    static const int32_t  by[] = { -1, KNACKDB_PATTERN_TASK_TYPE, KNACKDB_PATTERN_CONTEXT_FACTORS,
                                   KNACKDB_PATTERN_COMPLEXITY_LEVEL };
    knackdb              *db = open_with_patterns();
    knackdb_read         *read = begin_read(db);

    for (size_t n = 0; n < 4; n++)
        for (size_t g = 0; g < 4; g++)
            must_aggregate_as_a_loop(read, numbers[n], by[g]);
    must_aggregate_as_a_loop(read, KNACKDB_PATTERN_CREATED_AT, KNACKDB_PATTERN_TASK_TYPE); /* all of it NULL */
    knackdb_read_end(read);
    close_it(db);
}
