/* misuse.c - arguments that no call can do anything with: each is refused in words, and nothing is touched.
 *
 * refusals.c has the values of rows; here are NULL where something is wanted, numbers out of their range, sizes of
 * structs that no version had, and rows that no view gave. */
#include "calls.h"
#include "scratch.h"

#include <math.h>
#include <stdlib.h>

Test(misuse, of_a_store_changes_nothing)
{
    static knackdb_pattern patterns[2];
    static knackdb_value   values[KNACKDB_COLUMNS_MAX + 1];
    static uint32_t        columns[KNACKDB_COLUMNS_MAX + 1];
    knackdb               *db = open_in_memory();
    uint64_t               sequence = sequence_of(db);
    uint32_t               twice[] = { KNACKDB_PATTERN_SUCCESS_RATE, KNACKDB_PATTERN_SUCCESS_RATE };
    knackdb_value          rates[] = { knackdb_value_real(0.5), knackdb_value_real(0.5) };
    knackdb_error          error;

    for (uint32_t i = 0; i <= KNACKDB_COLUMNS_MAX; i++) {
        values[i] = knackdb_value_null();
        columns[i] = i + 1;
    }
    patterns[0] = patterns[1] = empty_pattern();
    REFUSED(knackdb_store_rows(db, 0, NULL, 1, 1, 0, NULL, &error), KNACKDB_INVALID, "values");
    MUST(knackdb_store_rows(db, 0, NULL, 1, 0, 0, NULL, &error));
    REFUSED(knackdb_check_row(0, NULL, 1, &error), KNACKDB_INVALID, "values");
    REFUSED(knackdb_pattern_store(db, NULL, NULL, &error), KNACKDB_INVALID, "row is NULL");
    REFUSED(knackdb_patterns_store(db, NULL, 2, 0, NULL, &error), KNACKDB_INVALID, "row is NULL");
    MUST(knackdb_patterns_store(db, NULL, 0, 0, NULL, &error));
    REFUSED(knackdb_patterns_store(db, patterns, SIZE_MAX / 2, 0, NULL, &error), KNACKDB_INVALID,
            "one call takes 3195660 of execution_patterns");
    REFUSED(knackdb_patterns_store(db, patterns, 2, 1u << 9, NULL, &error), KNACKDB_INVALID, "flags 0x200");
    REFUSED(knackdb_store_rows(db, 0, values, 1, 1, 1u << 9, NULL, &error), KNACKDB_INVALID, "flags 0x200");
    REFUSED(knackdb_update_row(db, 0, 1, columns, values, 0, &error), KNACKDB_INVALID, "no columns are named");
    REFUSED(knackdb_update_row(db, 0, 1, columns, values, KNACKDB_COLUMNS_MAX + 1, &error), KNACKDB_INVALID,
            "65 columns; no table has more than 64");
    REFUSED(knackdb_update_row(db, 0, 1, NULL, values, 1, &error), KNACKDB_INVALID, "columns is NULL");
    REFUSED(knackdb_update_row(db, 0, 1, columns, NULL, 1, &error), KNACKDB_INVALID, "values is NULL");
    cr_assert_eq(sequence_of(db), sequence);
    MUST(knackdb_patterns_store(db, patterns, 2, 0, NULL, &error));
    REFUSED(knackdb_update_row(db, 0, 1, twice, rates, 2, &error), KNACKDB_INVALID, "success_rate: given twice");
    cr_assert_eq(sequence_of(db), sequence + 1);
    close_it(db);
}

Test(misuse, of_a_question_answers_nothing)
{
    static const knackdb_condition none[1];
    static const double            percentiles[] = { 50, 150 };
    knackdb                       *db = open_in_memory();
    knackdb_read                  *read = begin_read(db);
    const struct {
        knackdb_query query;
        const char   *named;
    } cases[] = {
        { { .struct_size = 8 }, "struct_size 8" },
        { { .table = -1 }, "no table -1" },
        { { .table = 3 }, "no table 3" },
        { { .condition_count = KNACKDB_CONDITIONS_MAX + 1, .conditions = none }, "conditions" },
        { { .order_count = KNACKDB_ORDER_KEYS_MAX + 1 }, "sort keys" },
        { { .condition_count = 1 }, "conditions is NULL" },
        { { .now = (double) NAN }, "finite" },
        { { .half_life_seconds = (double) INFINITY }, "finite" },
        { { .half_life_seconds = -1 }, "not negative" },
        { { .order = { { .column = 1000 } }, .order_count = 1 }, "ordered by column 1000" },
        { { .order = { { .column = -7 } }, .order_count = 1 }, "ordered by column -7" },
        { { .table = 2, .order = { { .column = KNACKDB_ORDER_BY_SCORE } }, .order_count = 1 }, "score" },
        { { .condition_count = 1, .conditions = &(knackdb_condition) { .column = 900 } }, "column" },
        { { .condition_count = 1, .conditions = &(knackdb_condition) { .column = 1, .op = (knackdb_operator) 77 } },
          "op" },
        { { .condition_count = 1,
            .conditions = &(knackdb_condition) { .column = 1, .op = KNACKDB_ONE_OF, .value_count = 1 } },
          "no values" },
    };
    knackdb_prepared    *prepared = NULL;
    knackdb_pattern     *copies;
    const knackdb_group *groups;
    knackdb_rows         rows;
    knackdb_query        query = { .table = KNACKDB_PERFORMANCE_METRICS };
    size_t               count;
    uint64_t             counted;
    knackdb_error        error;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        REFUSED(knackdb_read_find(read, &cases[i].query, &rows, &error), KNACKDB_INVALID, cases[i].named);
        REFUSED(knackdb_read_count(read, &cases[i].query, &counted, &error), KNACKDB_INVALID, cases[i].named);
        REFUSED(knackdb_prepare(db, &cases[i].query, &prepared, &error), KNACKDB_INVALID, cases[i].named);
        REFUSED(knackdb_read_aggregate(read, &cases[i].query, 0, -1, NULL, 0, &groups, &count, &error), KNACKDB_INVALID,
                cases[i].named);
    }
    REFUSED(knackdb_read_find(read, NULL, &rows, &error), KNACKDB_INVALID, "NULL");
    REFUSED(knackdb_patterns_find(db, NULL, &copies, &count, &error), KNACKDB_INVALID, "NULL");
    REFUSED(knackdb_patterns_find(db, &query, &copies, &count, &error), KNACKDB_INVALID, "execution_patterns");
    REFUSED(knackdb_read_aggregate(read, &query, KNACKDB_METRIC_METRIC_VALUE, -1, percentiles, 2, &groups, &count,
                                   &error),
            KNACKDB_INVALID, "percentile");
    REFUSED(knackdb_read_aggregate(read, &query, 99, -1, NULL, 0, &groups, &count, &error), KNACKDB_INVALID, "column");
    REFUSED(knackdb_read_aggregate(read, &query, KNACKDB_METRIC_METRIC_VALUE, 99, NULL, 0, &groups, &count, &error),
            KNACKDB_INVALID, "column");
    knackdb_prepared_free(NULL);
    knackdb_read_end(read);
    close_it(db);
}

/* Rows are numbers, and a caller may give any. */
Test(misuse, of_a_row_reads_as_null)
{
    knackdb           *db = open_in_memory();
    knackdb_pattern    pattern = empty_pattern();
    knackdb_preference preference;
    knackdb_metric     metric;
    knackdb_read      *read;
    knackdb_row        row;
    knackdb_value      cells[KNACKDB_COLUMNS_MAX];
    knackdb_error      error;

    MUST(knackdb_pattern_store(db, &pattern, NULL, &error));
    read = begin_read(db);
    MUST(knackdb_read_by_id(read, KNACKDB_EXECUTION_PATTERNS, 1, &row));
    cr_expect_eq(knackdb_read_by_id(read, -1, 1, &row), KNACKDB_NOT_FOUND);
    cr_expect_eq(knackdb_read_by_id(read, 3, 1, &row), KNACKDB_NOT_FOUND);
    cr_expect_eq(knackdb_read_value(read, KNACKDB_EXECUTION_PATTERNS, row, 0).as.integer, 1);
    cr_expect_eq(knackdb_read_value(read, KNACKDB_EXECUTION_PATTERNS, row, KNACKDB_PATTERN_COLUMNS).type, KNACKDB_NULL);
    cr_expect_eq(knackdb_read_value(read, -1, row, 0).type, KNACKDB_NULL);
    cr_expect_eq(knackdb_read_value(read, 3, row, 0).type, KNACKDB_NULL);
    cr_expect_eq(knackdb_read_value(read, KNACKDB_EXECUTION_PATTERNS, row + 1000000, 0).type, KNACKDB_NULL);
    for (int table = -1; table <= 3; table++) {
        knackdb_read_values(read, table, row + 70000, KNACKDB_COLUMNS_MAX, cells);
        for (uint32_t i = 0; i < KNACKDB_COLUMNS_MAX; i++)
            cr_expect_eq(cells[i].type, KNACKDB_NULL);
    }
    knackdb_read_values(read, KNACKDB_EXECUTION_PATTERNS, row, KNACKDB_COLUMNS_MAX, cells);
    cr_expect_eq(cells[0].as.integer, 1);
    cr_expect_eq(cells[KNACKDB_COLUMNS_MAX - 1].type, KNACKDB_NULL, "of columns that no table has");
    knackdb_read_preference(read, row, &preference);
    cr_expect_eq(preference.nulls, UINT64_MAX, "there is no preference");
    knackdb_read_metric(read, row, &metric);
    cr_expect_eq(metric.nulls, UINT64_MAX);
    cr_expect_eq(knackdb_read_by_preference(read, (knackdb_text) { NULL, 0 }, knackdb_string("x"), &row),
                 KNACKDB_NOT_FOUND);
    knackdb_read_end(read);
    close_it(db);
}

/* Before any row was read, in a slot that nobody had and in one that had a row. */
Test(misuse, of_a_table_that_is_none_reads_as_null_in_a_new_view)
{
    knackdb        *db = open_in_memory();
    knackdb_pattern pattern = empty_pattern(), seen;
    knackdb_read   *read;
    knackdb_rows    rows;
    knackdb_query   all = { .table = KNACKDB_EXECUTION_PATTERNS };
    knackdb_error   error;

    MUST(knackdb_pattern_store(db, &pattern, NULL, &error));
    for (int again = 0; again < 3; again++) {
        MUST(knackdb_read_begin(db, &read, &error));
        cr_expect_eq(knackdb_read_value(read, -1, 0, 0).type, KNACKDB_NULL);
        cr_expect_eq(knackdb_read_value(read, -1, UINT64_MAX, 64).type, KNACKDB_NULL);
        cr_expect_eq(knackdb_read_value(read, KNACKDB_EXECUTION_PATTERNS, 0, 1000).type, KNACKDB_NULL);
        MUST(knackdb_read_find(read, &all, &rows, &error));
        cr_assert_eq(rows.count, 1);
        cr_expect_eq(knackdb_read_value(read, KNACKDB_EXECUTION_PATTERNS, rows.rows[0], 0).as.integer, 1);
        knackdb_read_pattern(read, rows.rows[0], &seen);
        cr_expect_eq(seen.id, 1);
        knackdb_read_end(read);
    }
    close_it(db);
}

Test(misuse, of_options_opens_nothing)
{
    static const knackdb_allocator half_of_one[] = { { NULL, NULL, NULL } };
    knackdb_options                good = knackdb_options_default();
    knackdb_options                options[19];
    char                           directory[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX];
    static const char *const named[] = { "struct_size", "struct_size", "struct_size",    "flags",      "durability",
                                         "log_io",      "file_mode",   "as_of_sequence", "as_of_time", "as_of_time",
                                         "as_of_time",  "followed",    "read-only",      "read-only",  "read-only",
                                         "allocator",   "one of them", "one of them",    "one of them" };
    knackdb                 *db = NULL;
    knackdb_error            error;

    scratch_make(directory);
    scratch_join(path, directory, "none.knack");
    for (size_t i = 0; i < 19; i++)
        options[i] = good;
    options[0].struct_size = 8;
    options[1].struct_size = sizeof good + 8;
    options[2].struct_size = sizeof good - 4;
    options[3].flags = 1u << 30;
    options[4].durability = (knackdb_durability) 9;
    options[5].log_io = (knackdb_log_io) 9;
    options[6].file_mode = 01777;
    options[7].as_of_sequence = -1;
    options[8].as_of_time = -0.5;
    options[9].as_of_time = (double) NAN;
    options[10].as_of_time = (double) INFINITY;
    options[11].flags = KNACKDB_OPEN_FOLLOW | KNACKDB_OPEN_SNAPSHOT;
    options[12].flags = KNACKDB_OPEN_SNAPSHOT;
    options[13].as_of_sequence = 5;
    options[14].as_of_time = 5;
    options[15].allocator = half_of_one;
    options[16].flags = KNACKDB_OPEN_READ_ONLY | KNACKDB_OPEN_SNAPSHOT;
    options[16].as_of_sequence = 5;
    options[17].flags = KNACKDB_OPEN_READ_ONLY | KNACKDB_OPEN_SNAPSHOT;
    options[17].as_of_time = 5;
    options[18].flags = KNACKDB_OPEN_READ_ONLY;
    options[18].as_of_sequence = 5;
    options[18].as_of_time = 5;
    for (size_t i = 0; i < 19; i++)
        REFUSED(knackdb_open(path, &options[i], &db, &error), KNACKDB_INVALID, named[i]);
    for (uint32_t flag = KNACKDB_OPEN_READ_ONLY; flag <= KNACKDB_OPEN_FOLLOW; flag *= 2) {
        knackdb_options in_memory = good;

        in_memory.flags = flag;
        if (flag != KNACKDB_OPEN_NO_MIGRATE && flag != KNACKDB_OPEN_SNAPSHOT)
            REFUSED(knackdb_open(NULL, &in_memory, &db, &error), KNACKDB_INVALID, "memory");
    }
    cr_assert_null(db);
    scratch_remove(directory);
}

/* Any moment may be asked for: those before the first and after the last there is, too. */
Test(misuse, of_a_time_long_ago_or_far_away_is_none)
{
    knackdb_options options = knackdb_options_default();
    char            directory[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX];
    knackdb        *db;
    knackdb_error   error;
    knackdb_pattern pattern = empty_pattern();

    scratch_make(directory);
    scratch_join(path, directory, "some.knack");
    MUST(knackdb_open(path, NULL, &db, &error));
    MUST(knackdb_pattern_store(db, &pattern, NULL, &error));
    close_it(db);
    options.flags = KNACKDB_OPEN_READ_ONLY;
    options.as_of_time = 1e300;
    MUST(knackdb_open(path, &options, &db, &error));
    cr_expect_eq(count_rows(db, KNACKDB_EXECUTION_PATTERNS), 1);
    close_it(db);
    options.as_of_time = 1e-300;
    MUST(knackdb_open(path, &options, &db, &error));
    cr_expect_eq(count_rows(db, KNACKDB_EXECUTION_PATTERNS), 0, "before the first commit");
    close_it(db);
    scratch_remove(directory);
}

Test(misuse, of_paths_touches_no_file)
{
    knackdb      *db = open_in_memory(), *other = NULL;
    knackdb_log  *log = NULL;
    knackdb_error error;

    REFUSED(knackdb_open("", NULL, &other, &error), KNACKDB_INVALID, "path");
    REFUSED(knackdb_log_open(NULL, &log, &error), KNACKDB_INVALID, "path");
    REFUSED(knackdb_log_open("/nowhere", NULL, &error), KNACKDB_INVALID, "where");
    REFUSED(knackdb_verify(NULL, NULL, NULL, NULL, &error), KNACKDB_INVALID, "path");
    REFUSED(knackdb_migrate(NULL, true, NULL, NULL, NULL, &error), KNACKDB_INVALID, "path");
    REFUSED(knackdb_repair(NULL, "to", NULL, NULL, NULL, &error), KNACKDB_INVALID, "paths");
    REFUSED(knackdb_repair("from", NULL, NULL, NULL, NULL, &error), KNACKDB_INVALID, "paths");
    REFUSED(knackdb_repair("from", "", NULL, NULL, NULL, &error), KNACKDB_INVALID, "paths");
    REFUSED(knackdb_backup(db, NULL, &error), KNACKDB_INVALID, "path");
    REFUSED(knackdb_backup(db, "", &error), KNACKDB_INVALID, "path");
    close_it(db);
}
