/* storing.c - what the store calls promise: ids, replacing, adding up, and values that come back as they went in. */
#include "calls.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

static int64_t
store_pattern(knackdb *db, int64_t id, const char *external_id, const char *mark)
{
    knackdb_pattern pattern = empty_pattern();
    knackdb_error   error;
    int64_t         given = -1;

    pattern.id = id;
    pattern.external_id = knackdb_string(external_id);
    pattern.pattern_used = knackdb_string(mark);
    MUST(knackdb_pattern_store(db, &pattern, &given, &error));
    return given;
}

static bool
pattern_is(knackdb *db, int64_t id, const char *mark)
{
    knackdb_pattern *pattern = NULL;
    knackdb_status   status = knackdb_pattern_get(db, id, &pattern, NULL);
    bool is = mark == NULL ? status == KNACKDB_NOT_FOUND : status == KNACKDB_OK && text_is(pattern->pattern_used, mark);

    knackdb_free(pattern);
    return is;
}

Test(storing, gives_ids_1_2_3_and_never_one_that_was_used)
{
    knackdb      *db = open_in_memory();
    knackdb_error error;

    cr_assert_eq(store_pattern(db, 0, NULL, "a"), 1);
    cr_assert_eq(store_pattern(db, 0, NULL, "b"), 2);
    cr_assert_eq(store_pattern(db, 10, NULL, "c"), 10);
    cr_assert_eq(store_pattern(db, 5, NULL, "d"), 5);
    cr_assert_eq(store_pattern(db, 0, NULL, "e"), 11);
    MUST(knackdb_delete(db, KNACKDB_EXECUTION_PATTERNS, 11, &error));
    cr_assert_eq(store_pattern(db, 0, NULL, "f"), 12);
    cr_assert_eq(store_pattern(db, INT64_C(1) << 40, NULL, "g"), INT64_C(1) << 40);
    cr_assert_eq(store_pattern(db, 0, NULL, "h"), (INT64_C(1) << 40) + 1);
    close_it(db);
}

/* The largest id can be stored; after it the store has none left to give, says so, and goes on. */
Test(storing, says_when_there_is_no_id_left)
{
    knackdb        *db = open_in_memory();
    knackdb_pattern pattern = empty_pattern();
    knackdb_error   error;
    knackdb_status  status;

    cr_assert_eq(store_pattern(db, INT64_MAX, NULL, "last"), INT64_MAX);
    memset(&error, 0, sizeof error);
    status = knackdb_pattern_store(db, &pattern, NULL, &error);
    cr_assert_neq(status, KNACKDB_OK);
    cr_assert_neq(error.message[0], '\0');
    cr_assert_eq(count_rows(db, KNACKDB_EXECUTION_PATTERNS), 1);
    cr_assert_eq(store_pattern(db, 3, NULL, "own id"), 3);
    cr_assert(pattern_is(db, INT64_MAX, "last"));
    close_it(db);
}

Test(storing, replaces_the_row_that_has_the_id_or_the_external_id)
{
    knackdb *db = open_in_memory();

    cr_assert_eq(store_pattern(db, 7, "x", "first"), 7);
    cr_assert_eq(store_pattern(db, 7, "x", "by id"), 7);
    cr_assert(pattern_is(db, 7, "by id"));
    cr_assert_eq(store_pattern(db, 0, "x", "by external_id"), 7);
    cr_assert(pattern_is(db, 7, "by external_id"));
    cr_assert_eq(count_rows(db, KNACKDB_EXECUTION_PATTERNS), 1);

    store_pattern(db, 9, "y", "nine");
    cr_assert_eq(store_pattern(db, 9, "x", "both"), 9);
    cr_assert(pattern_is(db, 7, NULL));
    cr_assert(pattern_is(db, 9, "both"));
    cr_assert_eq(count_rows(db, KNACKDB_EXECUTION_PATTERNS), 1);
    cr_assert_eq(store_pattern(db, 0, "y", "free again"), 10);

    /* A row replaced without an external_id gives its old one up. */
    cr_assert_eq(store_pattern(db, 9, NULL, "no name"), 9);
    cr_assert_eq(store_pattern(db, 0, "x", "new"), 11);
    /* The empty string is a name like any other; NULL is none. */
    cr_assert_eq(store_pattern(db, 0, "", "empty"), 12);
    cr_assert_eq(store_pattern(db, 0, "", "empty again"), 12);
    cr_assert_eq(store_pattern(db, 0, NULL, "null"), 13);
    cr_assert_eq(store_pattern(db, 0, NULL, "null again"), 14);
    close_it(db);
}

Test(storing, makes_it_an_error_where_only_new_rows_are_wanted)
{
    knackdb           *db = open_in_memory();
    knackdb_pattern    patterns[2] = { empty_pattern(), empty_pattern() };
    knackdb_preference preference = knackdb_preference_default();
    knackdb_error      error;
    uint64_t           sequence;

    store_pattern(db, 7, "x", "there");
    preference.preference_type = preference.preference_value = knackdb_string("p");
    MUST(knackdb_preference_store(db, &preference, NULL, &error));
    sequence = sequence_of(db);

    patterns[1].id = 7;
    REFUSED(knackdb_patterns_store(db, patterns, 2, KNACKDB_STORE_NEW, NULL, &error), KNACKDB_EXISTS, "id");
    patterns[1].id = 0;
    patterns[1].external_id = knackdb_string("x");
    REFUSED(knackdb_patterns_store(db, patterns, 2, KNACKDB_STORE_NEW, NULL, &error), KNACKDB_EXISTS, "external_id");
    patterns[0].external_id = patterns[1].external_id = knackdb_string("twice in one batch");
    REFUSED(knackdb_patterns_store(db, patterns, 2, KNACKDB_STORE_NEW, NULL, &error), KNACKDB_EXISTS, "external_id");
    REFUSED(knackdb_preferences_store(db, &preference, 1, KNACKDB_STORE_NEW, NULL, &error), KNACKDB_EXISTS,
            "preference_");
    cr_assert_eq(sequence_of(db), sequence);
    cr_assert_eq(count_rows(db, KNACKDB_EXECUTION_PATTERNS), 1);
    cr_assert(pattern_is(db, 7, "there"));
    patterns[1].external_id = knackdb_string("another");
    MUST(knackdb_patterns_store(db, patterns, 2, KNACKDB_STORE_NEW, NULL, &error));
    close_it(db);
}

Test(storing, lets_the_last_of_a_batch_win)
{
    knackdb        *db = open_in_memory();
    knackdb_pattern patterns[3] = { empty_pattern(), empty_pattern(), empty_pattern() };
    knackdb_error   error;
    int64_t         ids[3];

    for (int i = 0; i < 3; i++)
        patterns[i].external_id = knackdb_string("same");
    patterns[2].pattern_used = knackdb_string("last");
    MUST(knackdb_patterns_store(db, patterns, 3, 0, ids, &error));
    cr_assert(ids[0] == 1 && ids[1] == 1 && ids[2] == 1);
    cr_assert_eq(count_rows(db, KNACKDB_EXECUTION_PATTERNS), 1);
    cr_assert(pattern_is(db, 1, "last"));
    close_it(db);
}

/* One commit, however many rows; nothing at all for no rows. */
Test(storing, is_one_commit_a_call)
{
    knackdb        *db = open_in_memory();
    knackdb_pattern patterns[100];
    knackdb_error   error;

    for (int i = 0; i < 100; i++)
        patterns[i] = empty_pattern();
    cr_assert_eq(sequence_of(db), 0, "0 is the empty store");
    MUST(knackdb_patterns_store(db, patterns, 100, 0, NULL, &error));
    cr_assert_eq(sequence_of(db), 1);
    MUST(knackdb_patterns_store(db, patterns, 0, 0, NULL, &error));
    MUST(knackdb_patterns_store(db, NULL, 0, 0, NULL, &error));
    MUST(knackdb_store_rows(db, KNACKDB_USER_PREFERENCES, NULL, KNACKDB_PREFERENCE_COLUMNS, 0, 0, NULL, &error));
    cr_assert_eq(sequence_of(db), 1);
    close_it(db);
}

/* ---- preferences ---- */

static knackdb_preference
only_preference(knackdb *db)
{
    knackdb_preference *all, first;
    size_t              count;
    knackdb_query       query;
    knackdb_error       error;

    memset(&query, 0, sizeof query);
    query.table = KNACKDB_USER_PREFERENCES;
    MUST(knackdb_preferences_find(db, &query, &all, &count, &error));
    cr_assert_eq(count, 1);
    first = all[0];
    first.preference_type = first.preference_value = (knackdb_text) { NULL, 0 }; /* they end with the copy */
    knackdb_free(all);
    return first;
}

Test(storing, adds_up_a_preference_stored_again)
{
    knackdb           *db = open_in_memory();
    knackdb_preference preference = knackdb_preference_default(), stored;
    knackdb_error      error;
    int64_t            id;
    double             before;

    preference.preference_type = knackdb_string("editor");
    preference.preference_value = knackdb_string("ed");
    preference.weight = 0.25;
    preference.usage_count = 3;
    preference.last_used = 100;
    MUST(knackdb_preference_store(db, &preference, &id, &error));
    cr_assert_eq(id, 1);
    preference.weight = 0.5;
    preference.last_used = 50; /* given, so taken, even if earlier */
    MUST(knackdb_preference_store(db, &preference, &id, &error));
    cr_assert_eq(id, 1);
    stored = only_preference(db);
    cr_assert(stored.usage_count == 6 && stored.weight == 0.5 && stored.last_used == 50);

    preference.nulls = KNACKDB_BIT(KNACKDB_PREFERENCE_WEIGHT) | KNACKDB_BIT(KNACKDB_PREFERENCE_USAGE_COUNT) |
                       KNACKDB_BIT(KNACKDB_PREFERENCE_LAST_USED);
    preference.id = 99; /* another id than the stored one */
    before = knackdb_now();
    MUST(knackdb_preference_store(db, &preference, &id, &error));
    cr_assert_eq(id, 1);
    stored = only_preference(db);
    cr_assert_eq(stored.usage_count, 7);
    cr_assert_eq(stored.weight, 0.5);
    cr_assert(stored.last_used >= before - 1e-5 && stored.last_used <= knackdb_now() + 1e-5);

    /* The stored id: the row as given, so that a dump read back changes nothing. */
    preference.id = 1;
    preference.nulls = 0;
    preference.usage_count = 2;
    preference.last_used = 7;
    MUST(knackdb_preference_store(db, &preference, &id, &error));
    stored = only_preference(db);
    cr_assert(stored.usage_count == 2 && stored.last_used == 7);

    before = knackdb_now();
    MUST(knackdb_preference_use(db, preference.preference_type, preference.preference_value, &error));
    stored = only_preference(db);
    cr_assert(stored.usage_count == 3 && stored.last_used >= before - 1e-5);
    REFUSED(knackdb_preference_use(db, preference.preference_type, knackdb_string("vi"), &error), KNACKDB_NOT_FOUND,
            "");
    close_it(db);
}

Test(storing, keeps_preferences_without_a_key_apart)
{
    knackdb           *db = open_in_memory();
    knackdb_preference preference = knackdb_preference_default();
    knackdb_error      error;
    int64_t            first, second;

    preference.preference_type = knackdb_string("editor");
    MUST(knackdb_preference_store(db, &preference, &first, &error));
    MUST(knackdb_preference_store(db, &preference, &second, &error));
    cr_assert_neq(first, second, "a NULL value is no key");
    preference.preference_value = knackdb_string("");
    MUST(knackdb_preference_store(db, &preference, &first, &error));
    MUST(knackdb_preference_store(db, &preference, &second, &error));
    cr_assert_eq(first, second, "the empty string is one");
    close_it(db);
}

Test(storing, never_lets_a_counter_run_over)
{
    knackdb           *db = open_in_memory();
    knackdb_preference preference = knackdb_preference_default();
    knackdb_pattern    pattern = empty_pattern(), *copy;
    knackdb_error      error;
    int64_t            id;
    knackdb_status     status;

    pattern.usage_count = INT64_MAX;
    pattern.nulls &= ~KNACKDB_BIT(KNACKDB_PATTERN_USAGE_COUNT);
    MUST(knackdb_pattern_store(db, &pattern, &id, &error));
    status = knackdb_pattern_use(db, id, &error);
    cr_assert(status == KNACKDB_OK || status == KNACKDB_INVALID);
    MUST(knackdb_pattern_get(db, id, &copy, &error));
    cr_assert_eq(copy->usage_count, INT64_MAX);
    knackdb_free(copy);

    preference.preference_type = preference.preference_value = knackdb_string("p");
    preference.usage_count = INT64_MAX;
    MUST(knackdb_preference_store(db, &preference, NULL, &error));
    status = knackdb_preference_store(db, &preference, NULL, &error);
    cr_assert(status == KNACKDB_OK || status == KNACKDB_INVALID);
    cr_assert_eq(only_preference(db).usage_count, INT64_MAX);
    close_it(db);
}

/* ---- changes ---- */

Test(storing, sets_a_weight_and_the_time_of_it)
{
    knackdb         *db = open_in_memory();
    knackdb_pattern *copy;
    knackdb_error    error;
    double           before = knackdb_now();

    store_pattern(db, 4, "name", "p");
    MUST(knackdb_pattern_set_weight(db, 4, 0.75, &error));
    MUST(knackdb_pattern_get(db, 4, &copy, &error));
    cr_assert_eq(copy->confidence_score, 0.75);
    cr_assert(copy->updated_at >= before - 1e-5 && copy->updated_at <= knackdb_now() + 1e-5);
    cr_assert_neq(copy->nulls & KNACKDB_BIT(KNACKDB_PATTERN_CREATED_AT), 0, "nothing else is touched");
    cr_assert(text_is(copy->pattern_used, "p"));
    knackdb_free(copy);
    MUST(knackdb_pattern_set_weight_external(db, knackdb_string("name"), 0.5, &error));
    MUST(knackdb_pattern_get_external(db, knackdb_string("name"), &copy, &error));
    cr_assert_eq(copy->confidence_score, 0.5);
    knackdb_free(copy);
    REFUSED(knackdb_pattern_set_weight(db, 5, 0.5, &error), KNACKDB_NOT_FOUND, "5");
    REFUSED(knackdb_pattern_set_weight_external(db, knackdb_string("nobody"), 0.5, &error), KNACKDB_NOT_FOUND,
            "nobody");
    REFUSED(knackdb_pattern_set_weight_external(db, knackdb_string(NULL), 0.5, &error), KNACKDB_NOT_FOUND, "");
    close_it(db);
}

Test(storing, counts_uses_from_null_as_from_0)
{
    knackdb         *db = open_in_memory();
    knackdb_pattern *copy;
    knackdb_error    error;

    store_pattern(db, 4, "name", "p");
    MUST(knackdb_pattern_use(db, 4, &error));
    MUST(knackdb_pattern_use_external(db, knackdb_string("name"), &error));
    MUST(knackdb_pattern_get(db, 4, &copy, &error));
    cr_assert_eq(copy->usage_count, 2);
    knackdb_free(copy);
    REFUSED(knackdb_pattern_use(db, 40, &error), KNACKDB_NOT_FOUND, "40");
    REFUSED(knackdb_pattern_use_external(db, knackdb_string("else"), &error), KNACKDB_NOT_FOUND, "else");
    close_it(db);
}

Test(storing, updates_the_columns_named_and_no_other)
{
    static const uint32_t columns[3] = { KNACKDB_PATTERN_TASK_TYPE, KNACKDB_PATTERN_SUCCESS_RATE,
                                         KNACKDB_PATTERN_PATTERN_USED };
    knackdb              *db = open_in_memory();
    knackdb_value         values[3] = { knackdb_value_text(knackdb_string("")), knackdb_value_integer(1),
                                        knackdb_value_null() };
    knackdb_pattern      *copy;
    knackdb_error         error;
    uint32_t              external = KNACKDB_PATTERN_EXTERNAL_ID;
    knackdb_value         taken = knackdb_value_text(knackdb_string("b"));

    store_pattern(db, 1, "a", "p");
    store_pattern(db, 2, "b", "p");
    MUST(knackdb_update_row(db, KNACKDB_EXECUTION_PATTERNS, 1, columns, values, 3, &error));
    MUST(knackdb_pattern_get(db, 1, &copy, &error));
    cr_assert(text_is(copy->task_type, ""));
    cr_assert_eq(copy->success_rate, 1.0);
    cr_assert_null(copy->pattern_used.data);
    cr_assert(text_is(copy->external_id, "a"));
    knackdb_free(copy);

    REFUSED(knackdb_update_row(db, KNACKDB_EXECUTION_PATTERNS, 3, columns, values, 3, &error), KNACKDB_NOT_FOUND, "3");
    /* A name that another row has is not taken from it by an update. */
    REFUSED(knackdb_update_row(db, KNACKDB_EXECUTION_PATTERNS, 1, &external, &taken, 1, &error), KNACKDB_EXISTS,
            "external_id");
    taken = knackdb_value_text(knackdb_string("a"));
    MUST(knackdb_update_row(db, KNACKDB_EXECUTION_PATTERNS, 1, &external, &taken, 1, &error));
    taken = knackdb_value_text(knackdb_string("c"));
    MUST(knackdb_update_row(db, KNACKDB_EXECUTION_PATTERNS, 1, &external, &taken, 1, &error));
    cr_assert_eq(knackdb_pattern_get_external(db, knackdb_string("a"), &copy, NULL), KNACKDB_NOT_FOUND);
    MUST(knackdb_pattern_get_external(db, knackdb_string("c"), &copy, &error));
    knackdb_free(copy);
    close_it(db);
}

Test(storing, deletes_once)
{
    knackdb      *db = open_in_memory();
    knackdb_error error;

    store_pattern(db, 1, "a", "p");
    MUST(knackdb_delete(db, KNACKDB_EXECUTION_PATTERNS, 1, &error));
    REFUSED(knackdb_delete(db, KNACKDB_EXECUTION_PATTERNS, 1, &error), KNACKDB_NOT_FOUND, "1");
    cr_assert(pattern_is(db, 1, NULL));
    cr_assert_eq(store_pattern(db, 1, "a", "again"), 1);
    cr_assert(pattern_is(db, 1, "again"));
    close_it(db);
}

Test(storing, cleans_up_patterns_and_metrics_by_age_and_leaves_the_rest)
{
    knackdb           *db = open_in_memory();
    knackdb_pattern    patterns[4];
    knackdb_metric     metrics[2] = { knackdb_metric_default(), knackdb_metric_default() };
    knackdb_preference preference = knackdb_preference_default();
    knackdb_error      error;
    uint64_t           deleted = 77;
    double             now = knackdb_now();

    for (int i = 0; i < 4; i++) {
        patterns[i] = empty_pattern();
        patterns[i].created_at = now - 1000 * i; /* 0, 1000, 2000 seconds old */
        if (i < 3)
            patterns[i].nulls &= ~KNACKDB_BIT(KNACKDB_PATTERN_CREATED_AT);
    }
    metrics[0].measured_at = now - 5000;
    preference.last_used = now - 1e6;
    MUST(knackdb_patterns_store(db, patterns, 4, 0, NULL, &error));
    MUST(knackdb_metrics_store(db, metrics, 2, 0, NULL, &error));
    MUST(knackdb_preference_store(db, &preference, NULL, &error));

    MUST(knackdb_clean_up(db, 10000, &deleted, &error));
    cr_assert_eq(deleted, 0);
    MUST(knackdb_clean_up(db, 1500, &deleted, &error));
    cr_assert_eq(deleted, 2, "one pattern, one metric");
    cr_assert_eq(count_rows(db, KNACKDB_EXECUTION_PATTERNS), 3);
    cr_assert_eq(count_rows(db, KNACKDB_PERFORMANCE_METRICS), 1);
    cr_assert_eq(count_rows(db, KNACKDB_USER_PREFERENCES), 1);
    MUST(knackdb_clean_up_before(db, KNACKDB_EXECUTION_PATTERNS, now - 1000, &deleted, &error));
    cr_assert_eq(deleted, 0, "from before that time, not of it");
    MUST(knackdb_clean_up(db, -100, NULL, &error));
    cr_assert_eq(count_rows(db, KNACKDB_EXECUTION_PATTERNS), 1, "a row without a time stays");
    close_it(db);
}

/* ---- values ---- */

static void
must_come_back(knackdb *db, int table, uint32_t column, knackdb_value value)
{
    knackdb_value cells[KNACKDB_COLUMNS_MAX], back;
    knackdb_read *read;
    knackdb_row   row;
    knackdb_error error;
    int64_t       id;
    size_t        column_count = knackdb_table_describe(table)->column_count;

    for (size_t i = 0; i < column_count; i++)
        cells[i] = knackdb_value_null();
    cells[column] = value;
    MUST(knackdb_store_rows(db, table, cells, column_count, 1, 0, &id, &error));
    read = begin_read(db);
    cr_assert_eq(knackdb_read_by_id(read, table, id, &row), KNACKDB_OK);
    for (uint32_t i = 1; i < column_count; i++) {
        back = knackdb_read_value(read, table, row, i);
        if (i != column) {
            cr_assert_eq(back.type, KNACKDB_NULL, "column %u", i);
            continue;
        }
        cr_assert_eq(back.type, value.type);
        if (value.type == KNACKDB_TEXT)
            cr_assert(back.as.text.data != NULL && back.as.text.length == value.as.text.length &&
                      memcmp(back.as.text.data, value.as.text.data, value.as.text.length) == 0);
        else if (value.type != KNACKDB_NULL)
            cr_assert_eq(memcmp(&back.as, &value.as, 8), 0, "bit for bit");
    }
    cr_assert_eq(knackdb_read_value(read, table, row, (uint32_t) column_count).type, KNACKDB_NULL);
    cr_assert_eq(knackdb_read_value(read, table, row, UINT32_MAX).type, KNACKDB_NULL);
    knackdb_read_end(read);
}

Test(storing, gives_every_value_back_bit_for_bit)
{
    static const double  reals[] = { 0.0,           -0.0,
                                     1.0,           0.1,
                                     DBL_MAX,       -DBL_MAX,
                                     DBL_MIN,       DBL_TRUE_MIN,
                                     -DBL_TRUE_MIN, 0x1.fffffffffffffp-1,
                                     1e22,          123456789.123456789 };
    static const int64_t integers[] = { 0, 1, -1, INT64_MAX, INT64_MIN, INT64_C(9007199254740993) };
    knackdb             *db = open_in_memory();
    char                *long_text = malloc(300000);

    cr_assert_not_null(long_text);
    memset(long_text, 'z', 300000);
    for (int table = 0; table < (int) knackdb_table_count(); table++)
        for (uint32_t column = 1; column < knackdb_table_describe(table)->column_count; column++) {
            const knackdb_column_info *info = &knackdb_table_describe(table)->columns[column];

            must_come_back(db, table, column, knackdb_value_null());
            for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++)
                if (info->type == KNACKDB_REAL && (!info->is_rate || (reals[i] >= 0 && reals[i] <= 1)))
                    must_come_back(db, table, column, knackdb_value_real(reals[i]));
            for (size_t i = 0; i < sizeof integers / sizeof integers[0]; i++)
                if (info->type == KNACKDB_INTEGER)
                    must_come_back(db, table, column, knackdb_value_integer(integers[i]));
            if (info->type == KNACKDB_TEXT) {
                must_come_back(db, table, column, knackdb_value_text(knackdb_string("")));
                must_come_back(db, table, column, knackdb_value_text((knackdb_text) { "a\0b", 3 }));
                must_come_back(db, table, column, knackdb_value_text((knackdb_text) { "\0", 1 }));
                must_come_back(db, table, column, knackdb_value_text(knackdb_string("\xf4\x8f\xbf\xbf \xc2\x80")));
                must_come_back(db, table, column, knackdb_value_text((knackdb_text) { long_text, 65535 }));
                must_come_back(db, table, column, knackdb_value_text((knackdb_text) { long_text, 65536 }));
                must_come_back(db, table, column, knackdb_value_text((knackdb_text) { long_text, 300000 }));
            }
        }
    free(long_text);
    close_it(db);
}

Test(storing, takes_fewer_columns_than_there_are)
{
    knackdb         *db = open_in_memory();
    knackdb_value    cells[3] = { knackdb_value_null(), knackdb_value_text(knackdb_string("t")),
                                  knackdb_value_text((knackdb_text) { NULL, 5 }) };
    knackdb_pattern *copy;
    knackdb_error    error;
    int64_t          id;

    MUST(knackdb_store_rows(db, KNACKDB_EXECUTION_PATTERNS, cells, 3, 1, 0, &id, &error));
    MUST(knackdb_pattern_get(db, id, &copy, &error));
    cr_assert(text_is(copy->task_type, "t"));
    cr_assert_null(copy->pattern_used.data, "a text without data is NULL");
    cr_assert_neq(copy->nulls & KNACKDB_BIT(KNACKDB_PATTERN_USAGE_COUNT), 0);
    knackdb_free(copy);
    close_it(db);
}

/* ---- improvement_percentage ---- */

static knackdb_metric
stored_metric(knackdb *db, double value, double baseline, uint64_t nulls)
{
    knackdb_metric    metric = knackdb_metric_default(), *copy, result;
    knackdb_query     query;
    knackdb_condition condition;
    knackdb_error     error;
    int64_t           id;
    size_t            count;

    metric.metric_value = value;
    metric.baseline_value = baseline;
    metric.nulls = nulls;
    MUST(knackdb_metric_store(db, &metric, &id, &error));
    memset(&query, 0, sizeof query);
    condition = knackdb_where(KNACKDB_METRIC_ID, KNACKDB_EQUAL, knackdb_value_integer(id));
    query.table = KNACKDB_PERFORMANCE_METRICS;
    query.conditions = &condition;
    query.condition_count = 1;
    MUST(knackdb_metrics_find(db, &query, &copy, &count, &error));
    cr_assert_eq(count, 1);
    result = *copy;
    knackdb_free(copy);
    return result;
}

Test(storing, computes_the_improvement_where_it_can)
{
    static const uint64_t improvement = KNACKDB_BIT(KNACKDB_METRIC_IMPROVEMENT_PERCENTAGE);
    knackdb              *db = open_in_memory();
    knackdb_metric        metric;

    cr_assert_eq(stored_metric(db, 15, 10, improvement).improvement_percentage, 50);
    cr_assert_eq(stored_metric(db, 5, 10, improvement).improvement_percentage, -50);
    cr_assert_eq(stored_metric(db, -5, -10, improvement).improvement_percentage, 50, "of the baseline's size");
    cr_assert_eq(stored_metric(db, 10, 10, improvement).nulls & improvement, 0);
    cr_assert_neq(stored_metric(db, 1, 0, improvement).nulls & improvement, 0, "no baseline to speak of");
    cr_assert_neq(stored_metric(db, 1, -0.0, improvement).nulls & improvement, 0);
    cr_assert_neq(stored_metric(db, 1, 2, improvement | KNACKDB_BIT(KNACKDB_METRIC_BASELINE_VALUE)).nulls & improvement,
                  0);
    cr_assert_neq(stored_metric(db, 1, 2, improvement | KNACKDB_BIT(KNACKDB_METRIC_METRIC_VALUE)).nulls & improvement,
                  0);
    metric = stored_metric(db, DBL_MAX, -DBL_MIN, improvement);
    cr_assert((metric.nulls & improvement) != 0 || isfinite(metric.improvement_percentage),
              "a number past the largest is no number");
    close_it(db);
}
