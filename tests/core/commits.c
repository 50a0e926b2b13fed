/* commits.c - the bytes of a commit: what is written is read, and what is broken is refused.
 *
 * Method for the latter: every prefix, every byte taken out, every bit flipped. The
 * reader must come to an end each time, within the bytes it was given (the
 * sanitizers watch), and where it finds nothing wrong, what it read must be well formed. */
#include "core/commit.h"

#include "base/utf8.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

static struct allocator     allocator;
static struct commit_writer writer;
static struct commit_map    map;

static void
set_up(void)
{
    allocator_init(&allocator, NULL);
    commit_writer_init(&writer, &allocator);
    commit_map_identity(&map, schema_builtin());
}

static void
tear_down(void)
{
    commit_writer_clear(&writer);
    cr_expect_eq(atomic_load(&allocator.bytes), 0);
}

TestSuite(commit, .init = set_up, .fini = tear_down);

static void
write_one_of_each(void)
{
    knackdb_value row[KNACKDB_PATTERN_COLUMNS] = { { .type = KNACKDB_NULL } };
    uint32_t      columns[] = { KNACKDB_PATTERN_CONFIDENCE_SCORE, KNACKDB_PATTERN_UPDATED_AT };
    knackdb_value set[] = { knackdb_value_real(0.25), knackdb_value_null() };
    uint32_t      age = KNACKDB_METRIC_MEASURED_AT;
    knackdb_value bound = knackdb_value_real(1e9);

    row[0] = knackdb_value_integer(7);
    row[KNACKDB_PATTERN_TASK_TYPE] = knackdb_value_text(knackdb_string("s\xc3\xb6rt"));
    row[KNACKDB_PATTERN_PATTERN_USED] = knackdb_value_text(knackdb_string(""));
    row[KNACKDB_PATTERN_SUCCESS_RATE] = knackdb_value_real(-0.0);
    row[KNACKDB_PATTERN_USAGE_COUNT] = knackdb_value_integer(INT64_MIN);
    commit_writer_begin(&writer);
    cr_assert_eq(commit_writer_put(&writer, KNACKDB_LOG_PUT, 0, 7, NULL, row, KNACKDB_PATTERN_COLUMNS, NULL), 0);
    cr_assert_eq(commit_writer_put(&writer, KNACKDB_LOG_UPDATE, 0, 7, columns, set, 2, NULL), 0);
    cr_assert_eq(commit_writer_put(&writer, KNACKDB_LOG_DELETE, 1, INT64_MAX, NULL, NULL, 0, NULL), 0);
    cr_assert_eq(commit_writer_put(&writer, KNACKDB_LOG_CLEAN_UP, 2, 0, &age, &bound, 1, NULL), 0);
}

Test(commit, gives_back_what_was_written)
{
    struct commit_reader    reader;
    struct commit_operation operation;

    write_one_of_each();
    cr_assert_eq(commit_reader_init(&reader, &map, writer.data, writer.bytes, NULL), KNACKDB_OK);

    cr_assert_eq(commit_reader_next(&reader, &operation, NULL), KNACKDB_OK);
    cr_expect_eq(operation.kind, KNACKDB_LOG_PUT);
    cr_expect_eq(operation.id, 7);
    cr_assert_eq(operation.count, 4, "NULL columns and the id are left out");
    cr_expect_eq(operation.values[0].as.text.length, 5);
    cr_expect_eq(operation.values[1].type, KNACKDB_TEXT);
    cr_expect_eq(operation.values[1].as.text.length, 0);
    cr_expect(signbit(operation.values[2].as.real));
    cr_expect_eq(operation.values[3].as.integer, INT64_MIN);

    cr_assert_eq(commit_reader_next(&reader, &operation, NULL), KNACKDB_OK);
    cr_expect_eq(operation.kind, KNACKDB_LOG_UPDATE);
    cr_assert_eq(operation.count, 2);
    cr_expect_eq(operation.columns[1], KNACKDB_PATTERN_UPDATED_AT);
    cr_expect_eq(operation.values[1].type, KNACKDB_NULL, "an update can set NULL");

    cr_assert_eq(commit_reader_next(&reader, &operation, NULL), KNACKDB_OK);
    cr_expect_eq(operation.kind, KNACKDB_LOG_DELETE);
    cr_expect_eq(operation.id, INT64_MAX);
    cr_assert_eq(commit_reader_next(&reader, &operation, NULL), KNACKDB_OK);
    cr_expect_eq(operation.kind, KNACKDB_LOG_CLEAN_UP);
    cr_expect_eq(operation.values[0].as.real, 1e9);
    cr_expect_eq(commit_reader_next(&reader, &operation, NULL), KNACKDB_NOT_FOUND);
}

/* Reads to the end, checks all that is handed out, and returns how it ended. */
static knackdb_status
read_all(const void *bytes, size_t count)
{
    struct commit_reader    reader;
    struct commit_operation operation;
    knackdb_error           error = { .message = "" };
    knackdb_status          status = commit_reader_init(&reader, &map, bytes, count, &error);

    while (status == KNACKDB_OK) {
        status = commit_reader_next(&reader, &operation, &error);
        for (size_t i = 0; status == KNACKDB_OK && i < operation.count; i++) {
            cr_assert_lt(operation.columns[i], KNACKDB_COLUMNS_MAX);
            if (operation.values[i].type == KNACKDB_TEXT)
                cr_assert(utf8_is_valid(operation.values[i].as.text.data, operation.values[i].as.text.length));
            if (operation.values[i].type == KNACKDB_REAL)
                cr_assert(isfinite(operation.values[i].as.real));
        }
    }
    if (status == KNACKDB_CORRUPT)
        cr_assert_not_null(strstr(error.message, "byte"), "it must say where: %s", error.message);
    return status;
}

Test(commit, no_prefix_is_taken_for_the_whole)
{
    write_one_of_each();
    for (size_t cut = 0; cut < writer.bytes; cut++) {
        void *exact = malloc(cut + 1); /* of its own, so that a sanitizer sees a step past the end */

        memcpy(exact, writer.data, cut);
        cr_expect_eq(read_all(exact, cut), KNACKDB_CORRUPT, "cut at %zu", cut);
        free(exact);
    }
    cr_expect_eq(read_all(writer.data, writer.bytes), KNACKDB_NOT_FOUND);
}

Test(commit, no_flipped_bit_or_missing_byte_leads_astray)
{
    write_one_of_each();
    for (size_t at = 0; at < writer.bytes; at++) {
        unsigned char *copy = malloc(writer.bytes);
        knackdb_status status;

        for (int bit = 0; bit < 8; bit++) {
            memcpy(copy, writer.data, writer.bytes);
            copy[at] ^= (unsigned char) (1 << bit);
            status = read_all(copy, writer.bytes);
            cr_expect(status == KNACKDB_CORRUPT || status == KNACKDB_NOT_FOUND);
        }
        memcpy(copy, writer.data, at);
        memcpy(copy + at, writer.data + at + 1, writer.bytes - at - 1);
        status = read_all(copy, writer.bytes - 1);
        cr_expect(status == KNACKDB_CORRUPT || status == KNACKDB_NOT_FOUND);
        free(copy);
    }
}

Test(commit, a_writer_of_an_older_schema_is_read_by_its_own_numbers)
{
    static struct schema    one;
    struct commit_reader    reader;
    struct commit_operation operation;

    write_one_of_each();
    cr_assert_eq(schema_build(schema_history_builtin(), 1, &one, NULL), KNACKDB_OK);
    commit_map_identity(&map, &one);
    map.columns[0][KNACKDB_PATTERN_TASK_TYPE] = -1; /* as if it had been dropped since */
    map.tables[1] = -1;                             /* and this table, too */
    cr_assert_eq(commit_reader_init(&reader, &map, writer.data, writer.bytes, NULL), KNACKDB_OK);
    cr_assert_eq(commit_reader_next(&reader, &operation, NULL), KNACKDB_OK);
    cr_expect_eq(operation.count, 3);
    cr_assert_eq(commit_reader_next(&reader, &operation, NULL), KNACKDB_OK);
    cr_assert_eq(commit_reader_next(&reader, &operation, NULL), KNACKDB_OK);
    cr_expect(operation.table_dropped);
}
