/* opening.c - what may be opened, by whom, and what is said when it may not. */
#include "calls.h"
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void
write_file(const char *path, const void *data, size_t bytes)
{
    FILE *file = fopen(path, "wb");

    cr_assert_not_null(file);
    cr_assert_eq(fwrite(data, 1, bytes, file), bytes);
    cr_assert_eq(fclose(file), 0);
}

static void
store_one(knackdb *db, const char *mark)
{
    knackdb_pattern pattern = empty_pattern();
    knackdb_error   error;

    pattern.external_id = knackdb_string(mark);
    MUST(knackdb_pattern_store(db, &pattern, NULL, &error));
}

/* Directories are left behind when a test fails, so that one can look. */
static void
in_scratch(char directory[SCRATCH_PATH_MAX], char path[SCRATCH_PATH_MAX], const char *name)
{
    scratch_make(directory);
    scratch_join(path, directory, name);
}

Test(opening, makes_a_directory_for_its_owner_alone)
{
    char        directory[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX], command[SCRATCH_PATH_MAX + 100];
    struct stat info;
    knackdb    *db;

    in_scratch(directory, path, "new.knack");
    umask(0);
    db = open_flagged(path, 0);
    store_one(db, "a");
    cr_assert_eq(stat(path, &info), 0);
    cr_assert_eq(info.st_mode & 07777, 0700, "%o", info.st_mode);
    (void) snprintf(command, sizeof command, "test -z \"$(find '%s' -type f ! -perm 0600)\"", path);
    cr_assert_eq(system(command), 0, "every file is 0600");
    (void) snprintf(command, sizeof command, "test -n \"$(find '%s' -type f)\"", path);
    cr_assert_eq(system(command), 0, "and there are files");
    close_it(db);
    scratch_remove(directory);
}

Test(opening, gives_files_the_mode_asked_for)
{
    char            directory[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX], command[SCRATCH_PATH_MAX + 100];
    struct stat     info;
    knackdb_options options = knackdb_options_default();
    knackdb        *db;
    knackdb_error   error;

    in_scratch(directory, path, "shared.knack");
    umask(022);
    options.file_mode = 0640;
    MUST(knackdb_open(path, &options, &db, &error));
    MUST(knackdb_snapshot(db, &error));
    cr_assert_eq(stat(path, &info), 0);
    cr_assert_eq(info.st_mode & 07777, 0750, "%o", info.st_mode);
    (void) snprintf(command, sizeof command, "test -z \"$(find '%s' -type f ! -perm 0640)\"", path);
    cr_assert_eq(system(command), 0, "every file is 0640");
    close_it(db);

    db = open_flagged(path, 0);
    store_one(db, "by a program that does not say");
    MUST(knackdb_snapshot(db, &error));
    store_one(db, "and again");
    cr_assert_eq(system(command), 0, "every file still is");
    close_it(db);
    scratch_remove(directory);
}

Test(opening, keeps_what_was_stored)
{
    char     directory[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX];
    knackdb *db;

    in_scratch(directory, path, "kept.knack");
    for (int i = 0; i < 5; i++) {
        char mark[20];

        db = open_flagged(path, 0);
        cr_assert_eq(count_rows(db, KNACKDB_EXECUTION_PATTERNS), (uint64_t) i);
        cr_assert_eq(sequence_of(db), (uint64_t) i);
        (void) snprintf(mark, sizeof mark, "run %d", i);
        store_one(db, mark);
        close_it(db);
    }
    scratch_remove(directory);
}

Test(opening, knows_nothing_of_memory_only_stores_afterwards)
{
    static const char *const paths[] = { NULL, ":memory:" };

    for (size_t i = 0; i < 2; i++) {
        knackdb      *db;
        knackdb_error error;

        MUST(knackdb_open(paths[i], NULL, &db, &error));
        store_one(db, "gone");
        MUST(knackdb_sync(db, &error));
        REFUSED(knackdb_snapshot(db, &error), KNACKDB_INVALID, "memory");
        close_it(db);
        MUST(knackdb_open(paths[i], NULL, &db, &error));
        cr_assert_eq(count_rows(db, KNACKDB_EXECUTION_PATTERNS), 0);
        close_it(db);
    }
    cr_assert_neq(access(":memory:", F_OK), 0, "and makes no such directory");
    cr_assert_eq(knackdb_close(NULL, NULL), KNACKDB_OK);
}

/* KNACKDB_MEMORY_ONLY with a path keeps nothing there. */
Test(opening, writes_nothing_when_told_to_keep_nothing)
{
    char            directory[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX];
    knackdb_options options = knackdb_options_default();
    knackdb        *db;
    knackdb_error   error;

    in_scratch(directory, path, "nothing.knack");
    options.durability = KNACKDB_MEMORY_ONLY;
    MUST(knackdb_open(path, &options, &db, &error));
    store_one(db, "a");
    MUST(knackdb_sync(db, &error));
    close_it(db);
    db = open_flagged(path, 0);
    cr_assert_eq(count_rows(db, KNACKDB_EXECUTION_PATTERNS), 0);
    close_it(db);
    scratch_remove(directory);
}

Test(opening, takes_an_empty_file_for_a_new_store)
{
    char     directory[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX];
    knackdb *db;

    in_scratch(directory, path, "learning.db");
    write_file(path, "", 0);
    db = open_flagged(path, 0);
    store_one(db, "a");
    close_it(db);
    db = open_flagged(path, 0);
    cr_assert_eq(count_rows(db, KNACKDB_EXECUTION_PATTERNS), 1);
    close_it(db);
    scratch_remove(directory);
}

static void
must_stay(const char *path, const void *data, size_t bytes)
{
    char   back[4096];
    FILE  *file = fopen(path, "rb");
    size_t got;

    cr_assert_not_null(file);
    got = fread(back, 1, sizeof back, file);
    cr_assert(got == bytes && memcmp(back, data, bytes) == 0, "the file was changed");
    fclose(file);
}

Test(opening, refuses_a_file_that_is_no_directory)
{
    static const char sqlite_head[512] = "SQLite format 3";
    static const char some_text[] = "dear diary";
    char              directory[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX];
    knackdb          *db = NULL;
    knackdb_error     error;

    in_scratch(directory, path, "learning.db");
    write_file(path, sqlite_head, sizeof sqlite_head);
    REFUSED(knackdb_open(path, NULL, &db, &error), KNACKDB_INVALID, "knackdb import");
    cr_assert_not_null(strstr(error.message, path), "%s", error.message);
    must_stay(path, sqlite_head, sizeof sqlite_head);
    write_file(path, some_text, sizeof some_text);
    REFUSED(knackdb_open(path, NULL, &db, &error), KNACKDB_INVALID, path);
    must_stay(path, some_text, sizeof some_text);
    cr_assert_null(db);
    scratch_remove(directory);
}

/* A directory full of something else is nobody's store, and stays as it is. */
Test(opening, refuses_a_directory_with_other_files_or_leaves_them_alone)
{
    char           directory[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX], file[SCRATCH_PATH_MAX];
    knackdb       *db = NULL;
    knackdb_status status;

    in_scratch(directory, path, "home");
    cr_assert_eq(mkdir(path, 0700), 0);
    scratch_join(file, path, "letter.txt");
    write_file(file, "dear", 4);
    status = knackdb_open(path, NULL, &db, NULL);
    if (status == KNACKDB_OK)
        knackdb_close(db, NULL);
    must_stay(file, "dear", 4);
    scratch_remove(directory);
}

Test(opening, says_why_the_system_refused)
{
    char          directory[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX], below[SCRATCH_PATH_MAX];
    knackdb      *db = NULL;
    knackdb_error error;

    in_scratch(directory, path, "missing");
    scratch_join(below, path, "store");
    REFUSED(knackdb_open(below, NULL, &db, &error), KNACKDB_IO, "missing");
    cr_assert_eq(error.os_errno, ENOENT);
    write_file(path, "", 0);
    REFUSED(knackdb_open(below, NULL, &db, &error), KNACKDB_IO, "missing");
    cr_assert_eq(error.os_errno, ENOTDIR);
    scratch_remove(directory);
}

Test(opening, creates_nothing_when_told_not_to)
{
    char            directory[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX];
    knackdb_options options = knackdb_options_default();
    knackdb        *db = NULL;
    knackdb_error   error;

    in_scratch(directory, path, "none");
    for (int i = 0; i < 2; i++) {
        options.flags = i == 0 ? KNACKDB_OPEN_NO_CREATE : KNACKDB_OPEN_READ_ONLY;
        REFUSED(knackdb_open(path, &options, &db, &error), KNACKDB_NOT_FOUND, path);
        cr_assert_neq(access(path, F_OK), 0);
    }
    cr_assert_eq(mkdir(path, 0700), 0);
    options.flags = KNACKDB_OPEN_NO_CREATE;
    REFUSED(knackdb_open(path, &options, &db, &error), KNACKDB_NOT_FOUND, path);
    db = open_flagged(path, 0);
    close_it(db);
    db = open_flagged(path, KNACKDB_OPEN_NO_CREATE);
    close_it(db);
    scratch_remove(directory);
}

/* ---- options ---- */

Test(opening, refuses_options_that_make_no_sense)
{
    knackdb_options options = knackdb_options_default();
    knackdb        *db = NULL;
    knackdb_error   error;

    options.durability = (knackdb_durability) 3;
    REFUSED(knackdb_open(NULL, &options, &db, &error), KNACKDB_INVALID, "durability");
    options = knackdb_options_default();
    options.flags = 1u << 31;
    REFUSED(knackdb_open(NULL, &options, &db, &error), KNACKDB_INVALID, "flags");
    options = knackdb_options_default();
    options.log_io = (knackdb_log_io) 9;
    REFUSED(knackdb_open(NULL, &options, &db, &error), KNACKDB_INVALID, "log_io");
    options = knackdb_options_default();
    options.struct_size = 0;
    REFUSED(knackdb_open(NULL, &options, &db, &error), KNACKDB_INVALID, "struct_size");
    options.struct_size = sizeof options + 8; /* of a header that this library does not know */
    REFUSED(knackdb_open(NULL, &options, &db, &error), KNACKDB_INVALID, "struct_size");
    options = knackdb_options_default();
    options.file_mode = 01777;
    REFUSED(knackdb_open(NULL, &options, &db, &error), KNACKDB_INVALID, "more than 0777");
    options = knackdb_options_default();
    options.as_of_sequence = 5;
    REFUSED(knackdb_open("/nowhere", &options, &db, &error), KNACKDB_INVALID, "read-only");
    cr_assert_null(db);
}

/* ---- read-only ---- */

Test(opening, refuses_every_change_when_read_only)
{
    char               directory[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX];
    knackdb           *db;
    knackdb_pattern    pattern = empty_pattern();
    knackdb_preference preference = knackdb_preference_default();
    knackdb_metric     metric = knackdb_metric_default();
    knackdb_value      value = knackdb_value_null();
    uint32_t           column = 1;
    knackdb_error      error;

    in_scratch(directory, path, "store");
    db = open_flagged(path, 0);
    store_one(db, "a");
    close_it(db);
    db = open_flagged(path, KNACKDB_OPEN_READ_ONLY);
    cr_assert_eq(count_rows(db, KNACKDB_EXECUTION_PATTERNS), 1);
    REFUSED(knackdb_pattern_store(db, &pattern, NULL, &error), KNACKDB_READ_ONLY, "read-only");
    REFUSED(knackdb_patterns_store(db, &pattern, 1, 0, NULL, &error), KNACKDB_READ_ONLY, "read-only");
    REFUSED(knackdb_preference_store(db, &preference, NULL, &error), KNACKDB_READ_ONLY, "read-only");
    REFUSED(knackdb_preferences_store(db, &preference, 1, 0, NULL, &error), KNACKDB_READ_ONLY, "read-only");
    REFUSED(knackdb_metric_store(db, &metric, NULL, &error), KNACKDB_READ_ONLY, "read-only");
    REFUSED(knackdb_metrics_store(db, &metric, 1, 0, NULL, &error), KNACKDB_READ_ONLY, "read-only");
    REFUSED(knackdb_store_rows(db, 0, &value, 1, 1, 0, NULL, &error), KNACKDB_READ_ONLY, "read-only");
    REFUSED(knackdb_update_row(db, 0, 1, &column, &value, 1, &error), KNACKDB_READ_ONLY, "read-only");
    REFUSED(knackdb_pattern_set_weight(db, 1, 0.5, &error), KNACKDB_READ_ONLY, "read-only");
    REFUSED(knackdb_pattern_set_weight_external(db, knackdb_string("a"), 0.5, &error), KNACKDB_READ_ONLY, "read-only");
    REFUSED(knackdb_pattern_use(db, 1, &error), KNACKDB_READ_ONLY, "read-only");
    REFUSED(knackdb_pattern_use_external(db, knackdb_string("a"), &error), KNACKDB_READ_ONLY, "read-only");
    REFUSED(knackdb_preference_use(db, knackdb_string("a"), knackdb_string("b"), &error), KNACKDB_READ_ONLY,
            "read-only");
    REFUSED(knackdb_delete(db, 0, 1, &error), KNACKDB_READ_ONLY, "read-only");
    REFUSED(knackdb_clean_up(db, 0, NULL, &error), KNACKDB_READ_ONLY, "read-only");
    REFUSED(knackdb_clean_up_before(db, 0, 1e12, NULL, &error), KNACKDB_READ_ONLY, "read-only");
    REFUSED(knackdb_snapshot(db, &error), KNACKDB_READ_ONLY, "read-only");
    cr_assert_eq(count_rows(db, KNACKDB_EXECUTION_PATTERNS), 1);
    close_it(db);
    scratch_remove(directory);
}

Test(opening, reads_beside_a_writer_what_it_has_stored)
{
    char     directory[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX];
    knackdb *writer, *reader;

    in_scratch(directory, path, "store");
    writer = open_flagged(path, 0);
    store_one(writer, "a");
    reader = open_flagged(path, KNACKDB_OPEN_READ_ONLY);
    cr_assert_eq(count_rows(reader, KNACKDB_EXECUTION_PATTERNS), 1);
    store_one(writer, "b");
    close_it(reader);
    reader = open_flagged(path, KNACKDB_OPEN_READ_ONLY);
    cr_assert_eq(count_rows(reader, KNACKDB_EXECUTION_PATTERNS), 2);
    close_it(writer); /* the writer may go first */
    cr_assert_eq(count_rows(reader, KNACKDB_EXECUTION_PATTERNS), 2);
    close_it(reader);
    scratch_remove(directory);
}

Test(opening, shows_what_the_newest_snapshot_holds)
{
    char          directory[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX];
    knackdb      *db;
    knackdb_error error;

    in_scratch(directory, path, "store");
    db = open_flagged(path, 0);
    store_one(db, "a");
    MUST(knackdb_snapshot(db, &error));
    store_one(db, "b");
    close_it(db);
    db = open_flagged(path, KNACKDB_OPEN_READ_ONLY | KNACKDB_OPEN_SNAPSHOT);
    cr_assert_eq(count_rows(db, KNACKDB_EXECUTION_PATTERNS), 1);
    close_it(db);
    db = open_flagged(path, 0);
    cr_assert_eq(count_rows(db, KNACKDB_EXECUTION_PATTERNS), 2);
    close_it(db);
    scratch_remove(directory);
}

/* ---- one writer ---- */

Test(opening, refuses_a_second_writer_and_names_the_first)
{
    char          directory[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX], pid[32];
    knackdb      *first, *second = NULL;
    knackdb_error error;

    in_scratch(directory, path, "store");
    first = open_flagged(path, 0);
    (void) snprintf(pid, sizeof pid, "%ld", (long) getpid());
    REFUSED(knackdb_open(path, NULL, &second, &error), KNACKDB_BUSY, pid);
    cr_assert_not_null(strstr(error.message, "may open it read-only"), "%s", error.message);
    cr_assert_null(second);
    store_one(first, "still working");
    close_it(first);
    second = open_flagged(path, 0);
    close_it(second);
    scratch_remove(directory);
}

/* Another process holds the store until it is killed; the lock dies with it. */
Test(opening, refuses_a_writer_beside_another_process_until_that_dies)
{
    char          directory[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX], pid[32];
    knackdb      *db = NULL;
    knackdb_error error;
    int           ready[2], status;
    pid_t         child;
    char          byte;

    in_scratch(directory, path, "store");
    cr_assert_eq(pipe(ready), 0);
    child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        if (knackdb_open(path, NULL, &db, NULL) == KNACKDB_OK && write(ready[1], "x", 1) == 1)
            for (;;)
                pause();
        _exit(1);
    }
    cr_assert_eq(read(ready[0], &byte, 1), 1);
    (void) snprintf(pid, sizeof pid, "%ld", (long) child);
    REFUSED(knackdb_open(path, NULL, &db, &error), KNACKDB_BUSY, pid);
    cr_assert_eq(kill(child, SIGKILL), 0);
    cr_assert_eq(waitpid(child, &status, 0), child);
    db = open_flagged(path, 0);
    close_it(db);
    scratch_remove(directory);
}

/* ---- fork ---- */

/* In the child: how many of the calls did not answer FORKED. */
static int
calls_not_refused(knackdb *db)
{
    knackdb_pattern        pattern = empty_pattern(), *pattern_copy;
    knackdb_preference     preference = knackdb_preference_default(), *preference_copy;
    knackdb_metric         metric = knackdb_metric_default(), *metric_copy;
    knackdb_query          query;
    knackdb_read          *read;
    knackdb_prepared      *prepared;
    knackdb_stats          stats;
    knackdb_slow_operation slow;
    size_t                 count;
    knackdb_value          value = knackdb_value_null();
    uint32_t               column = 1;
    knackdb_text           text = knackdb_string("a");
    knackdb_error          error;

    memset(&query, 0, sizeof query);
    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
#define COUNT(call) (((call) != KNACKDB_FORKED) + (strstr(error.message, "fork") == NULL))
    return COUNT(knackdb_pattern_store(db, &pattern, NULL, &error)) +
           COUNT(knackdb_preference_store(db, &preference, NULL, &error)) +
           COUNT(knackdb_metric_store(db, &metric, NULL, &error)) +
           COUNT(knackdb_store_rows(db, 0, &value, 1, 1, 0, NULL, &error)) +
           COUNT(knackdb_update_row(db, 0, 1, &column, &value, 1, &error)) +
           COUNT(knackdb_pattern_set_weight(db, 1, 0.5, &error)) + COUNT(knackdb_pattern_use(db, 1, &error)) +
           COUNT(knackdb_preference_use(db, text, text, &error)) + COUNT(knackdb_delete(db, 0, 1, &error)) +
           COUNT(knackdb_clean_up(db, 0, NULL, &error)) + COUNT(knackdb_clean_up_before(db, 0, 1, NULL, &error)) +
           COUNT(knackdb_sync(db, &error)) + COUNT(knackdb_snapshot(db, &error)) +
           COUNT(knackdb_read_begin(db, &read, &error)) + COUNT(knackdb_prepare(db, &query, &prepared, &error)) +
           COUNT(knackdb_pattern_get(db, 1, &pattern_copy, &error)) +
           COUNT(knackdb_pattern_get_external(db, text, &pattern_copy, &error)) +
           COUNT(knackdb_patterns_find(db, &query, &pattern_copy, &count, &error)) +
           COUNT(knackdb_preferences_get(db, text, text, &preference_copy, &count, &error)) +
           COUNT(knackdb_metrics_history(db, text, text, 0, 0, 0, &metric_copy, &count, &error)) +
           COUNT(knackdb_get_stats(db, &stats, &error)) + COUNT(knackdb_slow_operations(db, &slow, 1, &count, &error));
#undef COUNT
}

Test(opening, refuses_every_call_in_a_fork_and_touches_no_file)
{
    char          directory[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX];
    knackdb      *db;
    knackdb_error error;
    int           status;
    pid_t         child;

    in_scratch(directory, path, "store");
    for (int i = 0; i < 2; i++) {
        MUST(knackdb_open(i == 0 ? path : NULL, NULL, &db, &error));
        store_one(db, "a");
        fflush(NULL);
        child = fork();
        cr_assert_geq(child, 0);
        if (child == 0) {
            int bad = calls_not_refused(db);

            bad += knackdb_close(db, &error) != KNACKDB_FORKED;
            _exit(bad);
        }
        cr_assert_eq(waitpid(child, &status, 0), child);
        cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%d answers of the child were wrong (%d)",
                  WEXITSTATUS(status), status);
        store_one(db, "b"); /* the parent goes on, and still holds the lock */
        if (i == 0) {
            knackdb *second = NULL;

            REFUSED(knackdb_open(path, NULL, &second, &error), KNACKDB_BUSY, "");
        }
        cr_assert_eq(count_rows(db, KNACKDB_EXECUTION_PATTERNS), 2);
        close_it(db);
    }
    db = open_flagged(path, 0);
    cr_assert_eq(count_rows(db, KNACKDB_EXECUTION_PATTERNS), 2);
    close_it(db);
    scratch_remove(directory);
}

/* Rows die, so the store has a thread that gives their memory back, and may be in the middle of that when the process
 * forks. The child has its memory as it was at that moment, and closes the handle all the same. */
Test(opening, a_child_forked_while_memory_is_given_back_can_close, .timeout = 60)
{
    knackdb      *db;
    knackdb_error error;

    MUST(knackdb_open(NULL, NULL, &db, &error));
    for (int forks = 0; forks < 20; forks++) {
        pid_t child;
        int   status;

        for (int i = 0; i < 400; i++)
            store_one(db, "a"); /* the same external_id: each replaces the one before */
        fflush(NULL);
        child = fork();
        cr_assert_geq(child, 0);
        if (child == 0)
            _exit(knackdb_close(db, &error) != KNACKDB_FORKED);
        cr_assert_eq(waitpid(child, &status, 0), child);
        cr_assert_eq(status, 0);
    }
    cr_expect_eq(count_rows(db, KNACKDB_EXECUTION_PATTERNS), 1);
    close_it(db);
}
