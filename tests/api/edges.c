/* edges.c - what a reviewer broke once: each of these was a crash, a wrong figure or a limit passed over. */
#include "calls.h"

#include <criterion/criterion.h>
#include <math.h>

static knackdb *
open_with(const knackdb_options *options)
{
    knackdb *db;

    cr_assert_eq(knackdb_open(NULL, options, &db, NULL), KNACKDB_OK);
    return db;
}

static void
store_time(knackdb *db, double execution_time)
{
    knackdb_pattern pattern = knackdb_pattern_default();

    pattern.execution_time = execution_time;
    cr_assert_eq(knackdb_pattern_store(db, &pattern, NULL, NULL), KNACKDB_OK);
}

/* The operators without an operand must not look at one: the field may hold anything. */
Test(edges, a_prepared_query_ignores_the_value_of_an_operator_that_has_none)
{
    knackdb          *db = open_with(NULL);
    knackdb_condition condition = { .column = KNACKDB_PATTERN_TOOLS_USED, .op = KNACKDB_IS_NULL };
    knackdb_query     query = { .conditions = &condition, .condition_count = 1 };
    knackdb_prepared *prepared;
    knackdb_read     *read;
    knackdb_rows      rows;

    store_time(db, 1.0);
    condition.value.type = KNACKDB_TEXT;
    condition.value.as.text.data = (const char *) 0x10;
    condition.value.as.text.length = 1000;
    cr_assert_eq(knackdb_prepare(db, &query, &prepared, NULL), KNACKDB_OK);
    cr_assert_eq(knackdb_read_begin(db, &read, NULL), KNACKDB_OK);
    cr_assert_eq(knackdb_read_find_prepared(read, prepared, &rows, NULL), KNACKDB_OK);
    cr_expect_eq(rows.count, 1);
    knackdb_read_end(read);
    cr_expect_eq(knackdb_close(db, NULL), KNACKDB_OK);
    knackdb_prepared_free(prepared); /* after the store: the sanitizers watch */
}

Test(edges, percentiles_stay_between_the_values_and_the_mean_of_large_ones_is_finite)
{
    static const double  percentiles[] = { 10, 25, 33, 50, 90 };
    knackdb             *db = open_with(NULL);
    knackdb_query        query = { .table = KNACKDB_EXECUTION_PATTERNS };
    const knackdb_group *groups;
    knackdb_read        *read;
    size_t               count;

    for (int i = 0; i < 7; i++)
        store_time(db, 0.42);
    cr_assert_eq(knackdb_read_begin(db, &read, NULL), KNACKDB_OK);
    cr_assert_eq(knackdb_read_aggregate(read, &query, KNACKDB_PATTERN_EXECUTION_TIME, -1, percentiles, 5, &groups,
                                        &count, NULL),
                 KNACKDB_OK);
    for (int p = 0; p < 5; p++)
        cr_expect_eq(groups[0].percentiles[p], 0.42, "p%g is %.17g", percentiles[p], groups[0].percentiles[p]);
    knackdb_read_end(read);

    cr_assert_eq(knackdb_clean_up(db, -1e6, NULL, NULL), KNACKDB_OK);
    store_time(db, 1.5e308);
    store_time(db, 1.5e308);
    cr_assert_eq(knackdb_read_begin(db, &read, NULL), KNACKDB_OK);
    cr_assert_eq(knackdb_read_aggregate(read, &query, KNACKDB_PATTERN_EXECUTION_TIME, -1, NULL, 0, &groups, &count,
                                        NULL),
                 KNACKDB_OK);
    cr_expect_eq(groups[0].mean, 1.5e308);
    cr_expect_eq(knackdb_read_aggregate(read, &query, KNACKDB_PATTERN_EXECUTION_TIME, -1, NULL, 3, &groups, &count,
                                        NULL),
                 KNACKDB_INVALID);
    knackdb_read_end(read);
    cr_expect_eq(knackdb_close(db, NULL), KNACKDB_OK);
}

Test(edges, null_where_nothing_can_be_done_is_invalid)
{
    knackdb          *db = open_with(NULL);
    knackdb_prepared *prepared;
    knackdb_rows      rows;
    knackdb_read     *read;
    uint64_t          count;

    cr_expect_eq(knackdb_open(NULL, NULL, NULL, NULL), KNACKDB_INVALID);
    cr_expect_eq(knackdb_prepare(db, NULL, &prepared, NULL), KNACKDB_INVALID);
    cr_assert_eq(knackdb_read_begin(db, &read, NULL), KNACKDB_OK);
    cr_expect_eq(knackdb_read_find(read, NULL, &rows, NULL), KNACKDB_INVALID);
    cr_expect_eq(knackdb_read_count(read, NULL, &count, NULL), KNACKDB_INVALID);
    knackdb_read_end(read);
    cr_expect_eq(knackdb_close(db, NULL), KNACKDB_OK);
}

Test(edges, a_row_that_no_view_gave_reads_as_null)
{
    static const knackdb_row strays[] = { 1, 65535, 65536, UINT32_MAX, UINT64_MAX, UINT64_C(1) << 32 };
    knackdb                 *db = open_with(NULL);
    knackdb_pattern          pattern;
    knackdb_metric           metric;
    knackdb_value            values[KNACKDB_PATTERN_COLUMNS];
    knackdb_read            *read;

    store_time(db, 1.0);
    cr_assert_eq(knackdb_read_begin(db, &read, NULL), KNACKDB_OK);
    for (size_t i = 0; i < sizeof strays / sizeof strays[0]; i++) {
        cr_expect_eq(knackdb_read_value(read, KNACKDB_EXECUTION_PATTERNS, strays[i], 0).type, KNACKDB_NULL);
        knackdb_read_values(read, KNACKDB_EXECUTION_PATTERNS, strays[i], KNACKDB_PATTERN_COLUMNS, values);
        cr_expect_eq(values[3].type, KNACKDB_NULL);
        knackdb_read_pattern(read, strays[i], &pattern);
        cr_expect_eq(pattern.id, 0);
        cr_expect_neq(pattern.nulls & KNACKDB_BIT(KNACKDB_PATTERN_SUCCESS_RATE), 0);
    }
    knackdb_read_metric(read, 0, &metric); /* a row of another table */
    cr_expect_null(metric.component_name.data);
    knackdb_read_end(read);
    cr_expect_eq(knackdb_close(db, NULL), KNACKDB_OK);
}

Test(edges, an_updates_text_counts_against_the_memory_limit)
{
    knackdb_options options = knackdb_options_default();
    static char     text[4 << 20];
    uint32_t        column = KNACKDB_PATTERN_CONTEXT_FACTORS;
    knackdb_value   value;
    knackdb        *db;

    options.memory_bytes_max = 2 << 20;
    db = open_with(&options);
    store_time(db, 1.0);
    memset(text, 'x', sizeof text);
    value = knackdb_value_text((knackdb_text) { text, sizeof text });
    cr_expect_eq(knackdb_update_row(db, KNACKDB_EXECUTION_PATTERNS, 1, &column, &value, 1, NULL), KNACKDB_FULL);
    cr_expect_eq(knackdb_close(db, NULL), KNACKDB_OK);
}

/* A long text must not cost the block it does not fit into. */
Test(edges, long_texts_take_little_more_than_their_length)
{
    knackdb_stats   stats = { .struct_size = sizeof stats };
    knackdb_pattern pattern = knackdb_pattern_default();
    static char     text[600000];
    knackdb        *db = open_with(NULL);

    memset(text, 'x', sizeof text);
    pattern.context_factors = (knackdb_text) { text, sizeof text };
    for (int i = 0; i < 60; i++)
        cr_assert_eq(knackdb_pattern_store(db, &pattern, NULL, NULL), KNACKDB_OK);
    cr_assert_eq(knackdb_get_stats(db, &stats, NULL), KNACKDB_OK);
    cr_expect_lt(stats.memory_text_bytes, 60 * sizeof text * 11 / 10);
    cr_expect_eq(stats.memory_bytes, stats.memory_column_bytes + stats.memory_text_bytes + stats.memory_index_bytes +
                                         stats.memory_cache_bytes + stats.memory_other_bytes);
    cr_expect_eq(knackdb_close(db, NULL), KNACKDB_OK);
}

/* Once 8.7 ms, under the writers' lock: the search went through every version that ever was. */
Test(edges, a_deleted_row_of_many_versions_is_found_to_be_gone)
{
    knackdb        *db = open_with(NULL);
    knackdb_pattern pattern = knackdb_pattern_default(), *found;
    knackdb_text    name = knackdb_string("a");

    pattern.external_id = name;
    cr_assert_eq(knackdb_pattern_store(db, &pattern, NULL, NULL), KNACKDB_OK);
    for (int i = 0; i < 5000; i++)
        cr_assert_eq(knackdb_pattern_use_external(db, name, NULL), KNACKDB_OK);
    cr_assert_eq(knackdb_delete(db, KNACKDB_EXECUTION_PATTERNS, 1, NULL), KNACKDB_OK);
    cr_expect_eq(knackdb_pattern_get_external(db, name, &found, NULL), KNACKDB_NOT_FOUND);
    cr_expect_eq(knackdb_pattern_use(db, 1, NULL), KNACKDB_NOT_FOUND);
    cr_assert_eq(knackdb_pattern_store(db, &pattern, NULL, NULL), KNACKDB_OK);
    cr_assert_eq(knackdb_pattern_get_external(db, name, &found, NULL), KNACKDB_OK);
    cr_expect_eq(found->id, 2);
    knackdb_free(found);
    cr_expect_eq(knackdb_close(db, NULL), KNACKDB_OK);
}

static bool
has_whole_characters(const char *message)
{
    for (const unsigned char *at = (const unsigned char *) message; *at != '\0'; at++)
        if ((*at == 0xc3 && at[1] != 0xa4) || (*at == 0xa4 && at[-1] != 0xc3))
            return false;
    return true;
}

Test(edges, messages_end_between_characters)
{
    knackdb         *db = open_with(NULL);
    knackdb_pattern *found;
    knackdb_error    error;
    char             name[400];

    for (size_t shift = 0; shift < 3; shift++) {
        memset(name, 'x', sizeof name);
        for (size_t i = shift; i + 1 < sizeof name; i += 2)
            memcpy(name + i, "\xc3\xa4", 2);
        name[sizeof name - 1] = 'x';
        if ((sizeof name - shift) % 2 != 0)
            name[sizeof name - 2] = 'x';
        cr_assert_eq(knackdb_pattern_get_external(db, (knackdb_text) { name, sizeof name }, &found, &error),
                     KNACKDB_NOT_FOUND);
        cr_expect(has_whole_characters(error.message), "%s", error.message);
    }
    cr_expect_eq(knackdb_close(db, NULL), KNACKDB_OK);
}
