/* copying.c - backup and repair through the public header. What repair makes of every damaged byte is tried in
 * tests/persist/repairs.c. */
#include "calls.h"
#include "scratch.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void
store_preference(knackdb *db, const char *value)
{
    knackdb_preference preference = knackdb_preference_default();
    knackdb_error      error;

    preference.preference_type = knackdb_string("editor");
    preference.preference_value = knackdb_string(value);
    MUST(knackdb_preference_store(db, &preference, NULL, &error));
}

static size_t
count_names(const char *path)
{
    DIR   *dir = opendir(path);
    size_t count = 0;

    cr_assert_not_null(dir);
    while (readdir(dir) != NULL)
        count++;
    (void) closedir(dir);
    return count - 2; /* . and .. */
}

/* The copy is a store: it opens for writing, goes on with its own ids and numbers, and the original does not notice. */
static void
assert_copy(knackdb *db, const char *to, uint64_t rows)
{
    uint64_t      sequence = sequence_of(db);
    knackdb_error error;
    knackdb      *copy;

    MUST(knackdb_backup(db, to, &error));
    cr_assert_eq(sequence_of(db), sequence);
    cr_assert_eq(knackdb_verify(to, NULL, NULL, NULL, &error), KNACKDB_OK);
    copy = open_flagged(to, KNACKDB_OPEN_NO_CREATE);
    cr_assert_eq(count_rows(copy, KNACKDB_USER_PREFERENCES), rows);
    cr_assert_eq(sequence_of(copy), sequence, "commits keep their numbers");
    store_preference(copy, "of the copy alone");
    cr_assert_eq(count_rows(copy, KNACKDB_USER_PREFERENCES), rows + 1);
    close_it(copy);
    cr_assert_eq(count_rows(db, KNACKDB_USER_PREFERENCES), rows);
}

Test(backup, of_a_writer_a_reader_a_follower_and_memory)
{
    char          folder[SCRATCH_PATH_MAX];
    char          path[SCRATCH_PATH_MAX];
    char          to[SCRATCH_PATH_MAX];
    knackdb      *writer;
    knackdb      *other;
    knackdb_error error;

    scratch_make(folder);
    scratch_join(path, folder, "store");
    writer = open_flagged(path, 0);
    scratch_join(to, folder, "of nothing");
    assert_copy(writer, to, 0);
    store_preference(writer, "vi");
    store_preference(writer, "emacs");
    scratch_join(to, folder, "of the writer");
    assert_copy(writer, to, 2);
    MUST(knackdb_snapshot(writer, &error));
    store_preference(writer, "ed");
    other = open_flagged(path, KNACKDB_OPEN_READ_ONLY);
    scratch_join(to, folder, "of a reader");
    assert_copy(other, to, 3);
    close_it(other);
    other = open_flagged(path, KNACKDB_OPEN_FOLLOW);
    store_preference(writer, "joe");
    MUST(knackdb_refresh(other, NULL, &error));
    scratch_join(to, folder, "of a follower");
    assert_copy(other, to, 4);
    close_it(other);
    close_it(writer);
    other = open_in_memory();
    store_preference(other, "vi");
    scratch_join(to, folder, "of memory");
    assert_copy(other, to, 1);
    close_it(other);
    scratch_remove(folder);
}

/* Of a store in memory, too, which has no files of its own. */
Test(backup, has_the_mode_that_the_options_say)
{
    char            folder[SCRATCH_PATH_MAX];
    char            path[SCRATCH_PATH_MAX];
    char            to[SCRATCH_PATH_MAX];
    char            command[SCRATCH_PATH_MAX + 100];
    struct stat     info;
    knackdb_options options = knackdb_options_default();

    umask(022);
    scratch_make(folder);
    scratch_join(path, folder, "store");
    for (int round = 0; round < 4; round++) {
        knackdb_error error;
        knackdb      *db;
        unsigned      mode = round < 2 ? 0600 : 0640;

        options.file_mode = round < 2 ? 0 : mode;
        MUST(knackdb_open(round % 2 == 0 ? NULL : path, &options, &db, &error));
        scratch_join(to, folder, round % 2 == 0 ? "of memory" : "of files");
        MUST(knackdb_backup(db, to, &error));
        cr_assert_eq(stat(to, &info), 0);
        cr_expect_eq(info.st_mode & 07777, mode | (mode & 0444) >> 2, "%o", info.st_mode);
        (void) snprintf(command, sizeof command, "test -z \"$(find '%s' -type f ! -perm %o)\"", to, mode);
        cr_expect_eq(system(command), 0, "every file is %o", mode);
        close_it(db);
        (void) snprintf(command, sizeof command, "rm -r '%s'", to);
        cr_assert_eq(system(command), 0);
    }
    scratch_remove(folder);
}

Test(backup, goes_into_an_empty_directory_and_no_other)
{
    char          folder[SCRATCH_PATH_MAX];
    char          to[SCRATCH_PATH_MAX];
    char          file[SCRATCH_PATH_MAX];
    knackdb      *db = open_in_memory();
    knackdb_error error;
    FILE         *out;

    scratch_make(folder);
    scratch_join(to, folder, "there");
    cr_assert_eq(mkdir(to, 0700), 0);
    scratch_join(file, to, "somebody's");
    out = fopen(file, "w");
    cr_assert_not_null(out);
    cr_assert_geq(fputs("what somebody wrote", out), 0);
    (void) fclose(out);
    REFUSED(knackdb_backup(db, to, &error), KNACKDB_INVALID, "not empty");
    cr_assert_eq(count_names(to), 1, "nothing was added");
    REFUSED(knackdb_backup(db, file, &error), KNACKDB_INVALID, "");
    cr_assert_eq(remove(file), 0);
    assert_copy(db, to, 0);
    REFUSED(knackdb_backup(db, to, &error), KNACKDB_INVALID, "not empty");
    scratch_join(file, folder, "no/such");
    REFUSED(knackdb_backup(db, file, &error), KNACKDB_IO, "no/such");
    REFUSED(knackdb_backup(db, NULL, &error), KNACKDB_INVALID, "path");
    REFUSED(knackdb_backup(db, "", &error), KNACKDB_INVALID, "path");
    close_it(db);
    scratch_remove(folder);
}

/* ---- repair ---- */

static void
count_loss(void *context, const knackdb_loss *loss)
{
    int *count = context;

    cr_assert_not_null(loss->file);
    cr_assert_not_null(loss->reason);
    *count += loss->kind != KNACKDB_LOSS_FRAME;
}

Test(repair, of_a_damaged_record_through_the_header)
{
    char                  folder[SCRATCH_PATH_MAX];
    char                  path[SCRATCH_PATH_MAX];
    char                  to[SCRATCH_PATH_MAX];
    char                  name[SCRATCH_PATH_MAX];
    knackdb_repair_report report;
    knackdb              *db;
    knackdb_error         error;
    int                   losses = 0;
    FILE                 *file;

    scratch_make(folder);
    scratch_join(path, folder, "store");
    scratch_join(to, folder, "to");
    scratch_join(name, path, "log-0000000000000001.knl");
    db = open_flagged(path, 0);
    store_preference(db, "the first of them");
    store_preference(db, "the second of them");
    store_preference(db, "the third of them");
    close_it(db);
    file = fopen(name, "r+b");
    cr_assert_not_null(file);
    for (int c; (c = fgetc(file)) != EOF;) {
        static const char *const wanted = "the second";
        static size_t            matched;

        matched = c == wanted[matched] ? matched + 1 : 0;
        if (wanted[matched] != '\0')
            continue;
        cr_assert_eq(fseek(file, -1, SEEK_CUR), 0);
        cr_assert_eq(fputc('D', file), 'D');
        break;
    }
    cr_assert_eq(fclose(file), 0);
    REFUSED(knackdb_open(path, NULL, &db, &error), KNACKDB_CORRUPT, "log-");
    MUST(knackdb_repair(path, to, count_loss, &losses, &report, &error));
    cr_assert_eq(losses, 1);
    cr_assert_eq(report.loss_count, 1);
    cr_assert_eq(report.commits_lost, 1);
    cr_assert_eq(report.commits_saved, 2);
    cr_assert_eq(report.rows_saved, 2);
    db = open_flagged(to, 0);
    cr_assert_eq(count_rows(db, KNACKDB_USER_PREFERENCES), 2);
    close_it(db);
    REFUSED(knackdb_repair(path, to, NULL, NULL, NULL, &error), KNACKDB_INVALID, "not empty");
    REFUSED(knackdb_repair(NULL, to, NULL, NULL, NULL, &error), KNACKDB_INVALID, "paths");
    scratch_remove(folder);
}
