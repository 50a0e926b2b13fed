/* columns.c - a column of many rows at once: the same cells as one at a time, whichever rows are asked for. */
#include "calls.h"
#include "draws.h"

#include <math.h>
#include <stdlib.h>

#define ROWS        700 /* of several groups, and enough that many are asked for ahead */
#define GUARD       0x5a
#define TEXT_BYTES  70000 /* so long that its length stands beside the text */
#define STRAY_EVERY 7

static knackdb_value
any_value(uint64_t *draws, const knackdb_column_info *column, const char *long_text)
{
    static const char *const texts[] = { "", "a", "sort", "an ordinary text", "{\"a\": 1}" };
    uint32_t                 choice = draw_below(draws, 8);

    if (choice == 0)
        return knackdb_value_null();
    switch (column->type) {
    case KNACKDB_INTEGER:
        return knackdb_value_integer(choice == 1 ? INT64_MIN : choice == 2 ? 0 : (int64_t) draw_below(draws, 1000));
    case KNACKDB_REAL: return knackdb_value_real(choice == 1 ? -0.0 : choice == 2 ? 0.0 : draw_below(draws, 9) / 9.0);
    default:
        return draw_below(draws, 100) == 0 ? knackdb_value_text((knackdb_text) { long_text, TEXT_BYTES })
                                           : knackdb_value_text(knackdb_string(texts[choice % 5]));
    }
}

/* So many rows of a table with any values, ids from 1. */
static void
store_any(knackdb *db, int table, uint64_t *draws)
{
    const knackdb_table_info *info = knackdb_table_describe(table);
    knackdb_value             values[KNACKDB_COLUMNS_MAX];
    char                     *long_text = malloc(TEXT_BYTES);
    knackdb_error             error;

    cr_assert_not_null(long_text);
    memset(long_text, 'x', TEXT_BYTES);
    for (int64_t id = 1; id <= ROWS; id++) {
        for (uint32_t c = 0; c < info->column_count; c++)
            values[c] = any_value(draws, &info->columns[c], long_text);
        values[0] = knackdb_value_integer(id);
        if (table == KNACKDB_EXECUTION_PATTERNS) /* unique */
            values[KNACKDB_PATTERN_EXTERNAL_ID] = knackdb_value_null();
        if (table == KNACKDB_USER_PREFERENCES)
            values[KNACKDB_PREFERENCE_TYPE] = knackdb_value_null();
        MUST(knackdb_store_rows(db, table, values, info->column_count, 1, KNACKDB_STORE_REPLACE, NULL, &error));
    }
    free(long_text);
}

static knackdb_rows
all_rows(knackdb_read *read, int table)
{
    knackdb_query query = { .table = table };
    knackdb_rows  rows;
    knackdb_error error;

    MUST(knackdb_read_find(read, &query, &rows, &error));
    return rows;
}

static knackdb_status
read_any(knackdb_read *read, int table, uint32_t column, knackdb_type as, const knackdb_row *rows, size_t count,
         void *cells, bool *nulls, knackdb_error *error)
{
    return as == KNACKDB_INTEGER ? knackdb_read_integers(read, table, column, rows, count, cells, nulls, error)
           : as == KNACKDB_REAL  ? knackdb_read_reals(read, table, column, rows, count, cells, nulls, error)
                                 : knackdb_read_texts(read, table, column, rows, count, cells, nulls, error);
}

/* One cell of what was read, beside the same cell read alone. */
static void
must_equal(knackdb_value alone, knackdb_type type, const void *cells, bool is_null, size_t i)
{
    cr_assert_eq(is_null, alone.type == KNACKDB_NULL, "place %zu", i);
    if (type == KNACKDB_INTEGER) {
        cr_assert_eq(((const int64_t *) cells)[i], is_null ? 0 : alone.as.integer, "place %zu", i);
    } else if (type == KNACKDB_REAL) {
        double real = ((const double *) cells)[i];

        cr_assert(is_null ? isnan(real) : memcmp(&real, &alone.as.real, sizeof real) == 0, "place %zu", i);
    } else {
        knackdb_text text = ((const knackdb_text *) cells)[i];

        cr_assert_eq(text.data, is_null ? NULL : alone.as.text.data, "place %zu", i);
        cr_assert_eq(text.length, is_null ? 0 : alone.as.text.length, "place %zu", i);
    }
}

/* Every column of those rows, with NULLs told and without; nothing is written behind what was asked for. */
static void
must_read_as_alone(knackdb_read *read, int table, const knackdb_row *rows, size_t count)
{
    const knackdb_table_info *info = knackdb_table_describe(table);
    unsigned char            *cells = malloc((count + 1) * sizeof(knackdb_text)), *again = malloc((count + 1) * 16);
    bool                     *nulls = malloc(count + 1);
    knackdb_error             error;

    cr_assert(cells != NULL && again != NULL && nulls != NULL);
    for (uint32_t column = 0; column < info->column_count; column++) {
        knackdb_type type = info->columns[column].type;
        size_t       width = type == KNACKDB_TEXT ? sizeof(knackdb_text) : 8;

        memset(cells + count * width, GUARD, sizeof(uint64_t));
        memset(nulls + count, GUARD, 1);
        MUST(read_any(read, table, column, type, rows, count, cells, nulls, &error));
        cr_assert_eq(cells[count * width], GUARD);
        cr_assert_eq(*(unsigned char *) (nulls + count), GUARD);
        for (size_t i = 0; i < count; i++)
            must_equal(knackdb_read_value(read, table, rows[i], column), type, cells, nulls[i], i);
        MUST(read_any(read, table, column, type, rows, count, again, NULL, &error));
        cr_assert_eq(memcmp(cells, again, count * width), 0, "without telling NULLs the same");
    }
    free(cells);
    free(again);
    free(nulls);
}

/* The answer as it is, from some place on, and copies of it in other orders, with rows twice and rows that are none. */
static void
must_read_in_every_way(knackdb_read *read, int table, uint64_t *draws)
{
    knackdb_rows rows = all_rows(read, table);
    knackdb_row *mixed = malloc((rows.count + 1) * sizeof *mixed);

    cr_assert_not_null(mixed);
    must_read_as_alone(read, table, rows.rows, rows.count);
    for (size_t at = 1; at < rows.count; at += 97)
        must_read_as_alone(read, table, rows.rows + at, rows.count - at < 20 ? rows.count - at : 20);
    for (size_t i = 0; i < rows.count; i++)
        mixed[i] = i % STRAY_EVERY == 3   ? (knackdb_row) draw_below(draws, UINT32_MAX) << draw_below(draws, 33)
                   : i % STRAY_EVERY == 5 ? UINT64_MAX - draw_below(draws, 2)
                                          : rows.rows[draw_below(draws, (uint32_t) rows.count)];
    must_read_as_alone(read, table, mixed, rows.count);
    free(mixed);
}

Test(columns, are_read_as_their_cells_are)
{
    knackdb *db = open_in_memory();
    uint64_t draws = 20261123;

    for (int table = 0; table < (int) knackdb_table_count(); table++)
        store_any(db, table, &draws);
    for (int table = 0; table < (int) knackdb_table_count(); table++) {
        knackdb_read *read = begin_read(db);

        cr_assert_eq(all_rows(read, table).count, ROWS);
        must_read_in_every_way(read, table, &draws);
        knackdb_read_end(read);
    }
    close_it(db);
}

/* Rows of an answer stay the view's, whatever becomes of them: updated, deleted, so many that others are moved. */
Test(columns, of_a_view_stay_as_they_were)
{
    knackdb      *db = open_in_memory();
    uint64_t      draws = 7;
    knackdb_read *old, *new;
    knackdb_rows  rows;
    int64_t       before[ROWS], after[ROWS];
    knackdb_text  text_before[ROWS], text_after[ROWS];
    knackdb_error error;
    const int     table = KNACKDB_EXECUTION_PATTERNS;

    store_any(db, table, &draws);
    old = begin_read(db);
    rows = all_rows(old, table);
    MUST(knackdb_read_integers(old, table, KNACKDB_PATTERN_USAGE_COUNT, rows.rows, ROWS, before, NULL, &error));
    MUST(knackdb_read_texts(old, table, KNACKDB_PATTERN_TOOLS_USED, rows.rows, ROWS, text_before, NULL, &error));
    for (int again = 0; again < 5; again++)
        store_any(db, table, &draws);
    for (int64_t id = 1; id <= ROWS; id += 2)
        MUST(knackdb_delete(db, table, id, &error));
    MUST(knackdb_read_integers(old, table, KNACKDB_PATTERN_USAGE_COUNT, rows.rows, ROWS, after, NULL, &error));
    MUST(knackdb_read_texts(old, table, KNACKDB_PATTERN_TOOLS_USED, rows.rows, ROWS, text_after, NULL, &error));
    cr_assert_eq(memcmp(before, after, sizeof before), 0);
    cr_assert_eq(memcmp(text_before, text_after, sizeof text_before), 0);
    must_read_in_every_way(old, table, &draws);

    /* In a newer view they are no rows, or other ones: as they are read one at a time. */
    new = begin_read(db);
    must_read_as_alone(new, table, rows.rows, ROWS);
    cr_assert_eq(all_rows(new, table).count, ROWS / 2);
    must_read_in_every_way(new, table, &draws);
    knackdb_read_end(new);
    knackdb_read_end(old);
    close_it(db);
}

/* Short answers lie elsewhere than long ones, and the last one is read in another way than those before it, which stay
 * what they were. Again and again, as a view knows what was read in the one before it. */
Test(columns, of_several_answers_in_one_view_are_each_answers_own)
{
    enum { ANSWERS = 40 };
    knackdb      *db = open_in_memory();
    uint64_t      draws = 5;
    knackdb_error error;
    const int     table = KNACKDB_EXECUTION_PATTERNS;

    store_any(db, table, &draws);
    for (int again = 0; again < 4; again++) {
        knackdb_read *read = begin_read(db);
        knackdb_rows  answers[ANSWERS];
        knackdb_row   copies[ANSWERS][ROWS];

        for (int a = 0; a < ANSWERS; a++) {
            knackdb_query query = { .table = table, .offset = draw_below(&draws, ROWS + 10) };

            query.limit = 1 + draw_below(&draws, a % 2 == again % 2 ? 40 : 17);
            MUST(knackdb_read_find(read, &query, &answers[a], &error));
            for (size_t i = 0; i < answers[a].count; i++)
                copies[a][i] = answers[a].rows[i];
            for (size_t at = 0; at < answers[a].count; at += 1 + draw_below(&draws, 9))
                must_read_as_alone(read, table, answers[a].rows + at, answers[a].count - at);
        }
        for (int a = 0; a < ANSWERS; a++) {
            for (size_t i = 0; i < answers[a].count; i++) {
                cr_assert_eq(answers[a].rows[i], copies[a][i], "answer %d", a);
                cr_assert_eq(knackdb_read_value(read, table, copies[a][i], 0).type, KNACKDB_INTEGER);
            }
            must_read_as_alone(read, table, answers[a].rows, answers[a].count);
        }
        knackdb_read_end(read);
    }
    close_it(db);
}

/* The best rows of a text, all of them and from some place on: from the second question on most of them are leaders,
 * which tell some of their columns; rows stored since are none. */
Test(columns, of_the_best_rows_are_read_as_their_cells_are)
{
    static const uint32_t texts[] = { KNACKDB_PATTERN_TASK_TYPE, KNACKDB_PATTERN_PATTERN_USED };
    knackdb              *db = open_in_memory();
    uint64_t              draws = 12;
    const int             table = KNACKDB_EXECUTION_PATTERNS;
    size_t                read_rows = 0;

    store_any(db, table, &draws);
    for (uint32_t round = 0; round < 60; round++) {
        knackdb_condition condition = knackdb_where_text(texts[round % 2], round % 3 == 0 ? "a" : "sort");
        knackdb_query     query = { .table = table,
                                    .conditions = &condition,
                                    .condition_count = 1,
                                    .order = { { KNACKDB_PATTERN_CONFIDENCE_SCORE, true } },
                                    .order_count = 1,
                                    .limit = 1 + draw_below(&draws, round % 4 == 0 ? 150 : 12),
                                    .offset = draw_below(&draws, 4) };
        knackdb_pattern   best = { .task_type = knackdb_string("sort"),
                                   .pattern_used = knackdb_string("a"),
                                   .confidence_score = 1.0 };
        knackdb_read     *read = begin_read(db);
        knackdb_rows      rows;
        knackdb_error     error;

        MUST(knackdb_read_find(read, &query, &rows, &error));
        must_read_as_alone(read, table, rows.rows, rows.count);
        for (size_t at = 1; at < rows.count; at += 5)
            must_read_as_alone(read, table, rows.rows + at, (rows.count - at + 1) / 2);
        read_rows += rows.count;
        knackdb_read_end(read);
        if (round % 8 == 5)
            MUST(knackdb_pattern_store(db, &best, NULL, &error));
        if (round % 8 == 6)
            MUST(knackdb_delete(db, table, 1 + draw_below(&draws, ROWS), &error));
    }
    cr_assert_geq(read_rows, 500);
    close_it(db);
}

/* An answer is known by where it lies, and by its table. */
Test(columns, of_another_tables_rows_are_null)
{
    knackdb      *db = open_in_memory();
    uint64_t      draws = 3;
    knackdb_read *read;
    knackdb_rows  rows;
    double        reals[ROWS];
    bool          nulls[ROWS];
    knackdb_error error;

    store_any(db, KNACKDB_EXECUTION_PATTERNS, &draws);
    read = begin_read(db);
    rows = all_rows(read, KNACKDB_EXECUTION_PATTERNS);
    MUST(knackdb_read_reals(read, KNACKDB_USER_PREFERENCES, KNACKDB_PREFERENCE_WEIGHT, rows.rows, ROWS, reals, nulls,
                            &error));
    for (size_t i = 0; i < ROWS; i++)
        cr_assert(nulls[i] && isnan(reals[i]));
    knackdb_read_end(read);
    close_it(db);
}

Test(columns, that_are_none_or_of_another_type_are_refused)
{
    knackdb      *db = open_in_memory();
    uint64_t      draws = 11;
    knackdb_read *read;
    knackdb_rows  rows;
    knackdb_text  cells[ROWS];
    bool          nulls[ROWS];
    knackdb_error error;

    store_any(db, KNACKDB_PERFORMANCE_METRICS, &draws);
    read = begin_read(db);
    rows = all_rows(read, KNACKDB_PERFORMANCE_METRICS);
    memset(cells, GUARD, sizeof cells);
    memset(nulls, 0, sizeof nulls);
    for (int table = 0; table < (int) knackdb_table_count(); table++)
        for (uint32_t column = 0; column < knackdb_table_describe(table)->column_count; column++)
            for (knackdb_type as = KNACKDB_INTEGER; as <= KNACKDB_TEXT; as++) {
                const knackdb_column_info *info = &knackdb_table_describe(table)->columns[column];

                if (info->type == as)
                    continue;
                REFUSED(read_any(read, table, column, as, rows.rows, rows.count, cells, nulls, &error), KNACKDB_INVALID,
                        info->name);
                cr_assert_eq(error.column, (int) column);
            }
    for (knackdb_type as = KNACKDB_INTEGER; as <= KNACKDB_TEXT; as++) {
        REFUSED(read_any(read, -1, 0, as, rows.rows, 1, cells, nulls, &error), KNACKDB_INVALID, "no table -1");
        REFUSED(read_any(read, 3, 0, as, rows.rows, 1, cells, nulls, &error), KNACKDB_INVALID, "no table 3");
        REFUSED(read_any(read, 2, KNACKDB_METRIC_COLUMNS, as, rows.rows, 1, cells, nulls, &error), KNACKDB_INVALID,
                "no column 10");
        cr_assert_eq(read_any(read, 2, UINT32_MAX, as, rows.rows, 1, cells, NULL, NULL), KNACKDB_INVALID);
    }
    for (size_t i = 0; i < ROWS; i++)
        cr_assert(!nulls[i] && ((unsigned char *) &cells[i])[0] == GUARD, "nothing is written");
    MUST(knackdb_read_integers(read, KNACKDB_PERFORMANCE_METRICS, 0, NULL, 0, NULL, NULL, &error));
    knackdb_read_end(read);
    close_it(db);
}
