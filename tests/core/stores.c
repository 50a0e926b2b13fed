/* stores.c - claims about a store whose log or files say no. What users can reach is held to a model in tests/model. */
#include "core/store_data.h"
#include "tests/core/scaffold.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

TestSuite(store, .init = scaffold_store_up, .fini = scaffold_store_down);

/* A log that keeps the last commit, and fails when told to. */
struct test_log {
    struct commit_log interface;
    knackdb_status    answer;
    uint64_t          sequence;
    unsigned char     payload[4096];
    size_t            bytes;
};

static knackdb_status
test_append(struct commit_log *log, uint64_t sequence, int64_t time_us, const void *payload, size_t bytes,
            knackdb_error *error)
{
    struct test_log *test = (struct test_log *) log;

    (void) time_us;
    (void) error;
    if (test->answer != KNACKDB_OK)
        return test->answer;
    cr_assert_leq(bytes, sizeof test->payload);
    test->sequence = sequence;
    test->bytes = bytes;
    memcpy(test->payload, payload, bytes);
    return KNACKDB_OK;
}

static knackdb_status
put(int64_t id, const char *task_type, const char *external_id)
{
    knackdb_value row[KNACKDB_PATTERN_COLUMNS] = { { .type = KNACKDB_NULL } };

    row[0] = knackdb_value_integer(id);
    row[KNACKDB_PATTERN_TASK_TYPE] = knackdb_value_text(knackdb_string(task_type));
    row[KNACKDB_PATTERN_EXTERNAL_ID] = knackdb_value_text(knackdb_string(external_id));
    return store_put_rows(store, 0, row, KNACKDB_PATTERN_COLUMNS, 1, 0, NULL, NULL, NULL);
}

/* The task_type the row has now, or "" without one. */
static const char *
task_type_of(int64_t id)
{
    static char   name[64];
    knackdb_value key = knackdb_value_integer(id);
    struct view   view;
    row_number    row;

    name[0] = '\0';
    cr_assert_eq(view_begin(store, &view, NULL), KNACKDB_OK);
    if (view_find_by_key(&view, 0, 0, &key, &row) == KNACKDB_OK) {
        knackdb_text text = view_cell(&view, 0, row, KNACKDB_PATTERN_TASK_TYPE).as.text;

        memcpy(name, text.data, text.length);
        name[text.length] = '\0';
    }
    view_end(&view);
    return name;
}

Test(store, a_commit_that_the_log_refuses_never_was)
{
    struct test_log   log = { .interface = { .append = test_append } };
    knackdb_value     weight = knackdb_value_integer(1);
    struct assignment set = { .column = KNACKDB_PATTERN_CONFIDENCE_SCORE, .value = knackdb_value_real(0.5) };
    struct clean_up   all = { 0, 1e18 };
    uint64_t          deleted = 99;

    store_set_log(store, &log.interface);
    cr_assert_eq(put(1, "first", "a"), KNACKDB_OK);
    cr_assert_eq(put(2, "second", "b"), KNACKDB_OK);

    log.answer = KNACKDB_IO;
    cr_expect_eq(put(1, "replaced", "a"), KNACKDB_IO);
    cr_expect_eq(put(0, "third", "c"), KNACKDB_IO);
    cr_expect_eq(put(9, "takes b from 2", "b"), KNACKDB_IO);
    cr_expect_eq(store_update(store, 0, 0, &weight, &set, 1, NULL, NULL), KNACKDB_IO);
    cr_expect_eq(store_delete(store, 0, 2, NULL, NULL), KNACKDB_IO);
    (void) store_clean_up(store, &all, 1, &deleted, NULL, NULL);
    cr_expect_eq(store_sequence(store), 2);
    cr_expect_str_eq(task_type_of(1), "first");
    cr_expect_str_eq(task_type_of(2), "second");
    cr_expect_str_eq(task_type_of(3), "");
    cr_expect_str_eq(task_type_of(9), "");

    log.answer = KNACKDB_OK;
    cr_expect_eq(put(0, "third", "c"), KNACKDB_OK);
    cr_expect_str_eq(task_type_of(3), "third", "the ids of commits that failed are given again");
    cr_expect_eq(put(9, "takes b from 2", "b"), KNACKDB_OK);
    cr_expect_str_eq(task_type_of(2), "");
    cr_expect_str_eq(task_type_of(9), "takes b from 2");
    cr_expect_eq(log.sequence, 4);
    store_set_log(store, NULL);
}

Test(store, what_was_logged_applies_to_another_store_and_gives_the_same)
{
    struct test_log   log = { .interface = { .append = test_append } };
    struct store     *other;
    struct commit_map map;
    knackdb_error     error = { .message = "" };

    store_set_log(store, &log.interface);
    commit_map_identity(&map, schema_builtin());
    cr_assert_eq(store_new(&allocator, schema_builtin(), &other, NULL), KNACKDB_OK);
    for (int i = 0; i < 50; i++) {
        char name[16];

        (void) snprintf(name, sizeof name, "key %d", i * 3 % 11);
        cr_assert_eq(put(i % 7 == 0 ? i + 1 : 0, "task", name), KNACKDB_OK);
        cr_assert_eq(store_apply(other, &map, log.sequence, 5, log.payload, log.bytes, &error), KNACKDB_OK, "%s",
                     error.message);
    }
    cr_expect_eq(store_sequence(other), store_sequence(store));
    cr_expect_eq(store_next_id(other, 0), store_next_id(store, 0));
    cr_expect_eq(store_apply(other, &map, log.sequence, 5, log.payload, log.bytes, &error), KNACKDB_CORRUPT,
                 "the same commit twice");
    cr_expect_eq(store_apply(other, &map, log.sequence + 2, 5, log.payload, log.bytes, &error), KNACKDB_CORRUPT,
                 "a commit left out");
    store_free(other);
    store_set_log(store, NULL);
}

Test(store, a_commit_that_does_not_fit_the_rows_is_corrupt_and_changes_nothing)
{
    struct commit_writer writer;
    struct commit_map    map;
    knackdb_value        value = knackdb_value_real(0.5);
    uint32_t             column = KNACKDB_PATTERN_CONFIDENCE_SCORE;
    knackdb_value        row[KNACKDB_PATTERN_COLUMNS] = { { .type = KNACKDB_NULL } };

    cr_assert_eq(put(1, "first", "a"), KNACKDB_OK);
    commit_map_identity(&map, schema_builtin());
    commit_writer_init(&writer, &allocator);

    commit_writer_begin(&writer);
    cr_assert_eq(commit_writer_put(&writer, KNACKDB_LOG_DELETE, 0, 1, NULL, NULL, 0, NULL), KNACKDB_OK);
    cr_assert_eq(commit_writer_put(&writer, KNACKDB_LOG_UPDATE, 0, 77, &column, &value, 1, NULL), KNACKDB_OK);
    cr_expect_eq(store_apply(store, &map, 2, 5, writer.data, writer.bytes, NULL), KNACKDB_CORRUPT);
    cr_expect_str_eq(task_type_of(1), "first", "the delete before the fault is taken back");

    commit_writer_begin(&writer);
    row[KNACKDB_PATTERN_EXTERNAL_ID] = knackdb_value_text(knackdb_string("a"));
    cr_assert_eq(commit_writer_put(&writer, KNACKDB_LOG_PUT, 0, 2, NULL, row, KNACKDB_PATTERN_COLUMNS, NULL), 0);
    cr_expect_eq(store_apply(store, &map, 2, 5, writer.data, writer.bytes, NULL), KNACKDB_CORRUPT);
    cr_expect_eq(store_sequence(store), 1);
    commit_writer_clear(&writer);
}

Test(store, a_commit_of_a_rate_that_could_not_be_stored_is_corrupt_and_changes_nothing)
{
    static const double  rates[] = { 1e300, -1e300, 7.5, -0.25, 1.0 + 0x1p-52 };
    struct commit_writer writer;
    struct commit_map    map;
    uint32_t             column = KNACKDB_PATTERN_CONFIDENCE_SCORE;

    cr_assert_eq(put(1, "first", "a"), KNACKDB_OK);
    commit_map_identity(&map, schema_builtin());
    commit_writer_init(&writer, &allocator);
    for (size_t i = 0; i < 2 * sizeof rates / sizeof *rates; i++) {
        knackdb_value row[KNACKDB_PATTERN_COLUMNS] = { { .type = KNACKDB_NULL } };
        knackdb_error error = { .message = "" };

        row[KNACKDB_PATTERN_TASK_TYPE] = knackdb_value_text(knackdb_string("first"));
        row[column] = knackdb_value_real(rates[i / 2]);
        commit_writer_begin(&writer);
        if (i % 2 == 0)
            cr_assert_eq(commit_writer_put(&writer, KNACKDB_LOG_PUT, 0, 2, NULL, row, KNACKDB_PATTERN_COLUMNS, NULL),
                         0);
        else
            cr_assert_eq(commit_writer_put(&writer, KNACKDB_LOG_UPDATE, 0, 1, &column, &row[column], 1, NULL), 0);
        cr_expect_eq(store_apply(store, &map, 2, 5, writer.data, writer.bytes, &error), KNACKDB_CORRUPT, "%g",
                     rates[i / 2]);
        cr_expect_not_null(strstr(error.message, "confidence_score"), "%s", error.message);
        cr_expect_eq(store_sequence(store), 1);
    }
    commit_writer_clear(&writer);
}

static uint64_t
bits_of(double real)
{
    uint64_t bits;

    memcpy(&bits, &real, sizeof bits);
    return bits;
}

/* Such a rate as no row can hold may be asked about, and a file may hold one. */
Test(store, tags_keep_the_rank_of_whatever_double_they_are_made_of)
{
    static const double rising[] = { -1e300, -7.5, -0.0, 0.0, 0.25, 0.5, 1.0, 1.0 + 0x1p-52, 7.5, 1e300, INFINITY };
    const struct table *patterns = &schema_builtin()->tables[KNACKDB_EXECUTION_PATTERNS];
    posting_tag         last = table_tag(patterns, KNACKDB_PATTERN_CONFIDENCE_SCORE, bits_of((double) NAN));

    cr_expect_eq(last, POSTING_TAG_LEAST, "NULL");
    for (size_t i = 0; i < sizeof rising / sizeof *rising; i++) {
        posting_tag tag = table_tag(patterns, KNACKDB_PATTERN_CONFIDENCE_SCORE, bits_of(rising[i]));

        cr_expect_geq(tag, last, "%g", rising[i]);
        cr_expect_gt(tag, POSTING_TAG_LEAST);
        last = tag;
    }
    cr_expect_eq(last, INT16_MAX);
}

Test(store, a_snapshot_leaves_its_number_and_its_next_ids)
{
    cr_expect_eq(store_load_sequence(store, SEQUENCE_MAX + 1, NULL), KNACKDB_CORRUPT);
    cr_expect_eq(store_sequence(store), 0);
    cr_expect_eq(store_load_sequence(store, 40, NULL), KNACKDB_OK);
    store_load_next_id(store, 0, 100);
    store_load_next_id(store, 0, 3);
    cr_expect_eq(store_next_id(store, 0), 100);
    cr_expect_eq(put(0, "next", "b"), KNACKDB_OK);
    cr_expect_str_eq(task_type_of(100), "next");
    cr_expect_eq(store_sequence(store), 41);
}

/* Method: rows on both sides of the end of a chunk. That a chunk whose rows went elsewhere keeps its name to itself is
 * shown where rows go elsewhere. */
Test(store, a_chunk_has_a_name_that_is_no_other_s)
{
    knackdb_value nothing = knackdb_value_null();
    struct view   view;

    for (uint32_t i = 0; i <= 65536; i++)
        cr_assert_eq(store_put_rows(store, 2, &nothing, 1, 1, 0, NULL, NULL, NULL), KNACKDB_OK);
    cr_assert_eq(view_begin(store, &view, NULL), KNACKDB_OK);
    cr_expect_neq(view_chunk_identity(&view, 2, 0), 0);
    cr_expect_eq(view_chunk_identity(&view, 2, 0), view_chunk_identity(&view, 2, 65535));
    cr_expect_neq(view_chunk_identity(&view, 2, 0), view_chunk_identity(&view, 2, 65536));
    view_end(&view);
}
