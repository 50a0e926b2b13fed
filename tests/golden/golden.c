/* golden.c - directories written by older builds, opened by this one.
 *
 * tests/golden/version-N was written once with schema version N (write_golden.c) and
 * lies in the repository with what it should hold. Every later build must read it:
 * migrated, read-only, from the snapshot and the log's tail. Copies are opened;
 * the originals stay as they are. */
#include "../api/calls.h"
#include "../api/scratch.h"
#include "golden_life.h"

#include <criterion/parameterized.h>
#include <stdlib.h>
#include <time.h>

/* The newest schema that has a golden directory; knackdb_schema_version() must not be newer. */
#define GOLDEN_VERSIONS 2

static void
golden_path(char path[SCRATCH_PATH_MAX], uint32_t version, const char *ending)
{
    const char *root = getenv("KNACKDB_SOURCE_ROOT");

    cr_assert_lt(snprintf(path, SCRATCH_PATH_MAX, "%s/tests/golden/version-%u%s", root != NULL ? root : ".", version,
                          ending),
                 SCRATCH_PATH_MAX);
}

/* Everything in a store, as lines; the caller frees it. */
static char *
dump(knackdb *db)
{
    knackdb_read *read = begin_read(db);
    knackdb_error error;
    char         *lines = NULL;
    size_t        bytes = 0;
    FILE         *to = open_memstream(&lines, &bytes);

    cr_assert_not_null(to);
    for (int table = 0; table < (int) knackdb_table_count(); table++) {
        knackdb_query query;
        knackdb_rows  rows;

        memset(&query, 0, sizeof query);
        query.table = table;
        MUST(knackdb_read_find(read, &query, &rows, &error));
        for (size_t i = 0; i < rows.count; i++) {
            knackdb_value cells[KNACKDB_COLUMNS_MAX];

            knackdb_read_values(read, table, rows.rows[i], knackdb_table_describe(table)->column_count, cells);
            golden_write_row(to, table, cells);
        }
    }
    cr_assert_eq(fclose(to), 0);
    knackdb_read_end(read);
    return lines;
}

/* Compares line by line, so that a failure shows the row. */
static void
must_hold(knackdb *db, uint32_t version)
{
    char   path[SCRATCH_PATH_MAX];
    char  *lines = dump(db), *line = lines, *expected = NULL;
    size_t capacity = 0, number = 0;
    FILE  *file;

    golden_path(path, version, ".expected");
    file = fopen(path, "r");
    cr_assert_not_null(file, "cannot open %s", path);
    while (getline(&expected, &capacity, file) > 0) {
        size_t length = strcspn(line, "\n") + 1;

        number++;
        cr_assert(strncmp(line, expected, length) == 0 && strlen(expected) == length,
                  "version %u, line %zu:\n  is     %.200s\n  should %.200s", version, number, line, expected);
        line += length;
    }
    cr_assert_gt(number, 90);
    cr_assert_eq(*line, '\0', "version %u: more rows than there should be: %.200s", version, line);
    free(expected);
    fclose(file);
    free(lines);
}

static void
copy_golden(char scratch[SCRATCH_PATH_MAX], char copy[SCRATCH_PATH_MAX], uint32_t version)
{
    char original[SCRATCH_PATH_MAX];

    scratch_make(scratch);
    scratch_join(copy, scratch, "golden");
    golden_path(original, version, "");
    scratch_copy(original, copy);
}

Test(golden, there_is_one_for_every_schema_version)
{
    cr_assert_eq(knackdb_schema_version(), GOLDEN_VERSIONS, "write tests/golden/version-%u and raise GOLDEN_VERSIONS",
                 knackdb_schema_version());
}

ParameterizedTestParameters(golden, opens_and_holds_what_it_held)
{
    static uint32_t versions[] = { 1, 2 };

    return cr_make_param_array(uint32_t, versions, GOLDEN_VERSIONS);
}

ParameterizedTest(uint32_t *version, golden, opens_and_holds_what_it_held)
{
    char                  scratch[SCRATCH_PATH_MAX], copy[SCRATCH_PATH_MAX];
    knackdb_options       options = knackdb_options_default();
    knackdb_verify_report report;
    knackdb              *db;
    knackdb_pattern       pattern = knackdb_pattern_default(), *found;
    knackdb_error         error;
    uint32_t              from = 0;
    int64_t               id;

    copy_golden(scratch, copy, *version);
    MUST(knackdb_verify(copy, NULL, NULL, &report, &error));

    /* Read-only: as it is, and afterwards still of its own version. */
    options.flags = KNACKDB_OPEN_READ_ONLY;
    MUST(knackdb_open(copy, &options, &db, &error));
    must_hold(db, *version);
    close_it(db);
    MUST(knackdb_migrate(copy, true, NULL, NULL, &from, &error));
    cr_assert_eq(from, *version);
    options.flags = KNACKDB_OPEN_NO_MIGRATE;
    if (*version < knackdb_schema_version())
        REFUSED(knackdb_open(copy, &options, &db, &error), KNACKDB_UNSUPPORTED, "version");

    /* Opened for writing it becomes the current version, and takes what only that one has. */
    MUST(knackdb_open(copy, NULL, &db, &error));
    must_hold(db, *version);
    close_it(db);
    MUST(knackdb_migrate(copy, true, NULL, NULL, &from, &error));
    cr_assert_eq(from, knackdb_schema_version());
    for (int i = 0; i < 2; i++) {
        MUST(knackdb_open(copy, NULL, &db, &error));
        pattern.external_id = knackdb_string(i == 0 ? "new one" : "newer one");
        MUST(knackdb_pattern_store(db, &pattern, &id, &error));
        if (i == 1) /* the second time from a snapshot of the current version */
            MUST(knackdb_snapshot(db, &error));
        close_it(db);
    }
    MUST(knackdb_open(copy, NULL, &db, &error));
    MUST(knackdb_pattern_get_external(db, knackdb_string("new one"), &found, &error));
    knackdb_free(found);
    MUST(knackdb_delete(db, KNACKDB_EXECUTION_PATTERNS, id, &error));
    MUST(knackdb_delete(db, KNACKDB_EXECUTION_PATTERNS, id - 1, &error));
    must_hold(db, *version);
    close_it(db);
    MUST(knackdb_verify(copy, NULL, NULL, &report, &error));
    scratch_remove(scratch);
}

/* version-2-ends is version-2 after one more snapshot, taken when parts of ends were of format 1. It holds the same
 * rows, and what is written beside them is of the format of today. */
Test(golden, parts_of_ends_of_format_1_are_read)
{
    char                  scratch[SCRATCH_PATH_MAX], copy[SCRATCH_PATH_MAX], original[SCRATCH_PATH_MAX];
    knackdb_verify_report report;
    knackdb              *db;
    knackdb_error         error;

    scratch_make(scratch);
    scratch_join(copy, scratch, "golden");
    golden_path(original, 2, "-ends");
    scratch_copy(original, copy);
    MUST(knackdb_verify(copy, NULL, NULL, &report, &error));
    for (int life = 0; life < 3; life++) {
        MUST(knackdb_open(copy, NULL, &db, &error));
        must_hold(db, 2);
        if (life == 1)
            MUST(knackdb_snapshot(db, &error));
        close_it(db);
        MUST(knackdb_verify(copy, NULL, NULL, &report, &error));
    }
    scratch_remove(scratch);
}

/* The interval counts from the last snapshot there is, though somebody took it in an earlier life. */
Test(golden, a_snapshot_that_is_older_than_the_interval_is_followed_soon, .timeout = 120)
{
    char            scratch[SCRATCH_PATH_MAX], copy[SCRATCH_PATH_MAX];
    knackdb_options options = knackdb_options_default();
    knackdb_stats   stats = { .struct_size = sizeof stats };
    knackdb_pattern pattern = empty_pattern();
    knackdb        *db;
    knackdb_error   error;

    copy_golden(scratch, copy, GOLDEN_VERSIONS);
    MUST(knackdb_open(copy, NULL, &db, &error));
    MUST(knackdb_pattern_store(db, &pattern, NULL, &error));
    close_it(db);
    options.snapshot_interval_s = 3600;
    MUST(knackdb_open(copy, &options, &db, &error));
    for (int looks = 0; looks < 6000 && stats.snapshot_count == 0; looks++) {
        (void) nanosleep(&(struct timespec) { .tv_nsec = 10000000 }, NULL);
        MUST(knackdb_get_stats(db, &stats, &error));
    }
    cr_expect_eq(stats.snapshot_count, 1);
    cr_expect_eq(stats.snapshot_sequence, stats.sequence);
    close_it(db);
    scratch_remove(scratch);
}

/* The migration by its own call: says its steps first, changes nothing when dry. */
static void
count_step(void *context, const char *step)
{
    int *steps = context;

    cr_assert_neq(step[0], '\0');
    ++*steps;
}

Test(golden, version_1_is_migrated_step_by_step)
{
    char          scratch[SCRATCH_PATH_MAX], copy[SCRATCH_PATH_MAX];
    knackdb      *db;
    knackdb_error error;
    uint32_t      from = 0;
    int           steps = 0;

    copy_golden(scratch, copy, 1);
    MUST(knackdb_migrate(copy, true, count_step, &steps, &from, &error));
    cr_assert(from == 1 && steps >= 4, "four columns are added, in %d steps", steps);
    MUST(knackdb_migrate(copy, true, NULL, NULL, &from, &error));
    cr_assert_eq(from, 1, "a dry run changes nothing");
    MUST(knackdb_migrate(copy, false, count_step, &steps, &from, &error));
    cr_assert_eq(from, 1);
    steps = 0;
    MUST(knackdb_migrate(copy, false, count_step, &steps, &from, &error));
    cr_assert(from == 2 && steps == 0);
    MUST(knackdb_open(copy, NULL, &db, &error));
    must_hold(db, 1);
    close_it(db);
    scratch_remove(scratch);
}
