/* replay_log.c - the log calls for programs that replay, and the checks of whole directories. */
#include "calls.h"
#include "scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static knackdb *
open_at(const char *path)
{
    knackdb      *db = NULL;
    knackdb_error error;

    MUST(knackdb_open(path, NULL, &db, &error));
    return db;
}

static knackdb_log *
open_log(const char *path)
{
    knackdb_log  *log = NULL;
    knackdb_error error;

    MUST(knackdb_log_open(path, &log, &error));
    return log;
}

static const knackdb_value *
value_of(const knackdb_log_entry *entry, uint32_t column)
{
    for (size_t i = 0; i < entry->column_count; i++)
        if (entry->columns[i] == column)
            return &entry->values[i];
    return NULL;
}

Test(replay_log, tells_what_each_call_did)
{
    char               directory[SCRATCH_PATH_MAX];
    knackdb           *db;
    knackdb_log       *log;
    knackdb_log_entry  entry;
    knackdb_pattern    patterns[2] = { empty_pattern(), empty_pattern() };
    knackdb_preference preference = knackdb_preference_default();
    knackdb_error      error;
    double             before = knackdb_now();

    scratch_make(directory);
    db = open_at(directory);
    patterns[0].external_id = knackdb_string("a");
    patterns[1].context_factors = knackdb_string("");
    patterns[1].success_rate = 0.25;
    patterns[1].nulls &= ~KNACKDB_BIT(KNACKDB_PATTERN_SUCCESS_RATE);
    MUST(knackdb_patterns_store(db, patterns, 2, 0, NULL, &error));
    MUST(knackdb_pattern_set_weight(db, 2, 0.5, &error));
    preference.preference_type = preference.preference_value = knackdb_string("p");
    preference.usage_count = 2;
    MUST(knackdb_preference_store(db, &preference, NULL, &error));
    MUST(knackdb_preference_store(db, &preference, NULL, &error));
    MUST(knackdb_delete(db, KNACKDB_EXECUTION_PATTERNS, 1, &error));
    MUST(knackdb_pattern_use(db, 2, &error));

    log = open_log(directory); /* beside the writer */
    cr_assert_eq(knackdb_log_first_sequence(log), 1);
    for (uint32_t i = 0; i < 2; i++) {
        MUST(knackdb_log_next(log, &entry, &error));
        cr_assert(entry.sequence == 1 && entry.batch_index == i && entry.batch_count == 2);
        cr_assert(entry.operation == KNACKDB_LOG_PUT && entry.table == KNACKDB_EXECUTION_PATTERNS &&
                  entry.id == (int64_t) i + 1);
        cr_assert(entry.time >= before - 1e-5 && entry.time <= knackdb_now() + 1e-5);
        cr_assert_not_null(strstr(entry.file, "log-"));
    }
    cr_assert(value_of(&entry, KNACKDB_PATTERN_SUCCESS_RATE)->as.real == 0.25);
    cr_assert(text_is(value_of(&entry, KNACKDB_PATTERN_CONTEXT_FACTORS)->as.text, ""), "empty is not NULL");
    cr_assert(value_of(&entry, KNACKDB_PATTERN_TASK_TYPE) == NULL ||
              value_of(&entry, KNACKDB_PATTERN_TASK_TYPE)->type == KNACKDB_NULL);
    MUST(knackdb_log_next(log, &entry, &error));
    cr_assert(entry.sequence == 2 && entry.id == 2 && entry.batch_count == 1);
    cr_assert_eq(value_of(&entry, KNACKDB_PATTERN_CONFIDENCE_SCORE)->as.real, 0.5);
    MUST(knackdb_log_next(log, &entry, &error));
    MUST(knackdb_log_next(log, &entry, &error));
    cr_assert(entry.sequence == 4 && entry.table == KNACKDB_USER_PREFERENCES && entry.id == 1);
    cr_assert_eq(value_of(&entry, KNACKDB_PREFERENCE_USAGE_COUNT)->as.integer, 4, "what came out, not what was asked");
    MUST(knackdb_log_next(log, &entry, &error));
    cr_assert(entry.operation == KNACKDB_LOG_DELETE && entry.id == 1);
    MUST(knackdb_log_next(log, &entry, &error));
    cr_assert_eq(value_of(&entry, KNACKDB_PATTERN_USAGE_COUNT)->as.integer, 1);

    /* The end, and then more. */
    REFUSED(knackdb_log_next(log, &entry, &error), KNACKDB_NOT_FOUND, "has ended");
    cr_assert_eq(knackdb_log_torn_bytes(log, NULL, NULL), 0);
    MUST(knackdb_clean_up_before(db, KNACKDB_EXECUTION_PATTERNS, 1, NULL, &error)); /* nothing so old: no commit */
    cr_assert_eq(knackdb_log_next(log, &entry, &error), KNACKDB_NOT_FOUND);
    patterns[0].created_at = 5;
    patterns[0].nulls &= ~KNACKDB_BIT(KNACKDB_PATTERN_CREATED_AT);
    MUST(knackdb_pattern_store(db, &patterns[0], NULL, &error));
    MUST(knackdb_clean_up_before(db, KNACKDB_EXECUTION_PATTERNS, 6, NULL, &error));
    MUST(knackdb_log_next(log, &entry, &error));
    cr_assert(entry.operation == KNACKDB_LOG_PUT && entry.sequence == 7);
    MUST(knackdb_log_next(log, &entry, &error));
    cr_assert(entry.operation == KNACKDB_LOG_CLEAN_UP && entry.id == 0 && entry.column_count == 1 &&
              entry.columns[0] == KNACKDB_PATTERN_CREATED_AT && entry.values[0].as.real == 6);
    knackdb_log_close(log);
    knackdb_log_close(NULL);
    close_it(db);
    scratch_remove(directory);
}

/* A reader that stands at the end goes on into every segment the writer opens after it. */
Test(replay_log, follows_the_writer_from_segment_to_segment)
{
    char              directory[SCRATCH_PATH_MAX];
    knackdb_options   options = knackdb_options_default();
    knackdb          *db;
    knackdb_log      *log = NULL;
    knackdb_log_entry entry;
    knackdb_pattern   pattern = empty_pattern();
    char             *text = calloc(1, 30001);
    char              first_file[64] = "";
    int               files = 0;
    knackdb_error     error;

    cr_assert_not_null(text);
    memset(text, 'f', 30000);
    scratch_make(directory);
    options.log_segment_bytes_max = 256 * 1024;
    options.snapshot_log_bytes = UINT64_MAX;
    MUST(knackdb_open(directory, &options, &db, &error));
    pattern.context_factors = knackdb_string(text);
    MUST(knackdb_pattern_store(db, &pattern, NULL, &error));
    log = open_log(directory);
    for (uint64_t i = 1; i <= 100; i++) {
        MUST(knackdb_log_next(log, &entry, &error));
        cr_assert_eq(entry.sequence, i);
        if (strcmp(first_file, entry.file) != 0) {
            (void) snprintf(first_file, sizeof first_file, "%s", entry.file);
            files++;
        }
        cr_assert_eq(knackdb_log_next(log, &entry, &error), KNACKDB_NOT_FOUND);
        MUST(knackdb_pattern_store(db, &pattern, NULL, &error));
    }
    cr_assert_geq(files, 5);
    knackdb_log_close(log);
    free(text);
    close_it(db);
    scratch_remove(directory);
}

/* A writer that closes removes the segment it had made ahead, and the next writer makes another of that name. A
 * reader that had opened the first must see the second. Each life fills its segment by more than half, so that the
 * next one is made, and the reader looks often enough to find it. */
Test(replay_log, follows_from_writer_to_writer)
{
    const struct timespec pause = { .tv_nsec = 2000000 };
    char                  directory[SCRATCH_PATH_MAX];
    knackdb_options       options = knackdb_options_default();
    knackdb              *db;
    knackdb_log          *log = NULL;
    knackdb_log_entry     entry;
    knackdb_pattern       pattern = empty_pattern();
    char                 *text = calloc(1, 30001);
    uint64_t              sequence = 0;
    knackdb_error         error;

    cr_assert_not_null(text);
    memset(text, 'f', 30000);
    scratch_make(directory);
    options.log_segment_bytes_max = 256 * 1024;
    pattern.context_factors = knackdb_string(text);
    for (int life = 0; life < 5; life++) {
        MUST(knackdb_open(directory, &options, &db, &error));
        for (int row = 0; row < 6; row++)
            MUST(knackdb_pattern_store(db, &pattern, NULL, &error));
        if (log == NULL)
            log = open_log(directory);
        for (int row = 0; row < 6; row++) {
            MUST(knackdb_log_next(log, &entry, &error));
            cr_assert_eq(entry.sequence, ++sequence);
        }
        for (int look = 0; look < 50; look++) {
            cr_assert_eq(knackdb_log_next(log, &entry, &error), KNACKDB_NOT_FOUND);
            (void) nanosleep(&pause, NULL);
        }
        close_it(db);
    }
    knackdb_log_close(log);
    free(text);
    scratch_remove(directory);
}

Test(replay_log, is_empty_for_a_new_store_and_refused_where_there_is_none)
{
    char              directory[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX];
    knackdb          *db;
    knackdb_log      *log = NULL;
    knackdb_log_entry entry;
    knackdb_error     error;

    scratch_make(directory);
    scratch_join(path, directory, "missing");
    REFUSED(knackdb_log_open(path, &log, &error), KNACKDB_NOT_FOUND, "missing");
    cr_assert_null(log);
    db = open_at(path);
    log = open_log(path);
    cr_assert_eq(knackdb_log_first_sequence(log), 0);
    cr_assert_eq(knackdb_log_next(log, &entry, NULL), KNACKDB_NOT_FOUND);
    knackdb_log_close(log);
    close_it(db);
    scratch_remove(directory);
}

/* The first file of these, with a byte changed. */
static void
damage(const char *directory, const char *prefix, long at)
{
    char  path[SCRATCH_PATH_MAX];
    char  name[64];
    FILE *file = NULL;
    int   byte;

    for (int number = 1; number < 9 && file == NULL; number++) {
        (void) snprintf(name, sizeof name, "%s-%016x.kn%c", prefix, (unsigned) number, prefix[0]);
        scratch_join(path, directory, name);
        file = fopen(path, "r+");
    }
    cr_assert_not_null(file);
    cr_assert_eq(fseek(file, at, SEEK_SET), 0);
    byte = getc(file);
    cr_assert_eq(fseek(file, at, SEEK_SET), 0);
    cr_assert_neq(putc(byte ^ 1, file), EOF);
    cr_assert_eq(fclose(file), 0);
}

Test(replay_log, says_what_is_damaged_and_what_to_do)
{
    static const struct {
        const char *prefix;
        long        at;
    } places[] = { { "log", 2400 }, { "manifest", 40 } };

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        char              directory[SCRATCH_PATH_MAX];
        knackdb          *db;
        knackdb_log      *log = NULL;
        knackdb_log_entry entry;
        knackdb_pattern   pattern = empty_pattern();
        knackdb_error     error;
        knackdb_status    status;

        scratch_make(directory);
        db = open_at(directory);
        for (int number = 0; number < 100; number++)
            MUST(knackdb_pattern_store(db, &pattern, NULL, &error));
        close_it(db);
        damage(directory, places[i].prefix, places[i].at);
        status = knackdb_log_open(directory, &log, &error);
        while (status == KNACKDB_OK)
            status = knackdb_log_next(log, &entry, &error);
        cr_expect_eq(status, KNACKDB_CORRUPT, "%s: %s", places[i].prefix, knackdb_status_text(status));
        cr_expect_not_null(strstr(error.message, places[i].prefix), "%s", error.message);
        cr_expect_not_null(strstr(error.message, "knackdb repair"), "%s", error.message);
        knackdb_log_close(log);
        scratch_remove(directory);
    }
}

/* ---- whole directories ---- */

Test(replay_log, verify_works_beside_a_writer_and_names_a_directory_that_is_none)
{
    char                  directory[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX];
    knackdb              *db;
    knackdb_pattern       pattern = empty_pattern();
    knackdb_verify_report report;
    knackdb_error         error;

    scratch_make(directory);
    scratch_join(path, directory, "missing");
    REFUSED(knackdb_verify(path, NULL, NULL, &report, &error), KNACKDB_NOT_FOUND, "missing");
    db = open_at(path);
    for (int i = 0; i < 20; i++)
        MUST(knackdb_pattern_store(db, &pattern, NULL, &error));
    MUST(knackdb_verify(path, NULL, NULL, &report, &error));
    cr_assert(report.fault_count == 0 && report.record_count >= 20 && report.block_count == 0);
    MUST(knackdb_snapshot(db, &error));
    MUST(knackdb_pattern_store(db, &pattern, NULL, &error));
    MUST(knackdb_verify(path, NULL, NULL, &report, &error));
    cr_assert(report.fault_count == 0 && report.block_count > 0 && report.file_count >= 3);
    MUST(knackdb_verify(path, NULL, NULL, NULL, NULL));
    close_it(db);
    scratch_remove(directory);
}

Test(replay_log, migrate_says_the_version_it_found)
{
    char          directory[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX];
    uint32_t      from = 99;
    knackdb      *db;
    knackdb_error error;

    scratch_make(directory);
    scratch_join(path, directory, "missing");
    REFUSED(knackdb_migrate(path, false, NULL, NULL, &from, &error), KNACKDB_NOT_FOUND, "missing");
    cr_assert_eq(from, 99);
    db = open_at(path);
    close_it(db);
    MUST(knackdb_migrate(path, false, NULL, NULL, &from, &error));
    cr_assert_eq(from, knackdb_schema_version());
    MUST(knackdb_migrate(path, false, NULL, NULL, NULL, &error));
    scratch_remove(directory);
}
