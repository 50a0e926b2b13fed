/* damaged_files.c - cut, flipped, removed: what a directory still gives when its files are not as they were left.
 *
 * A writer stores fifty rows, one commit each, and is killed; with or without a
 * snapshot in the middle. Then copies of its directory are damaged in one place and
 * opened. A damaged end of the newest segment may cost the commits from there on,
 * never one before, and is reported. Damage elsewhere is refused by the file's name or
 * found by knackdb_verify(). Nothing ever crashes and no row is ever another than
 * the one stored. */
#include "../api/calls.h"
#include "../api/scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROWS 50

/* ---- a directory to damage ---- */

static void
row_text(int number, char text[200])
{
    int length = snprintf(text, 200, "row %d ", number);

    memset(text + length, 'a' + number % 26, (size_t) (number * 3));
    text[length + number * 3] = '\0';
}

/* The writer: row i in commit i, ids from 1; dies where it stands. */
static _Noreturn void
write_and_die(const char *directory, int snapshot_after)
{
    knackdb *db;

    if (knackdb_open(directory, NULL, &db, NULL) != KNACKDB_OK)
        _exit(1);
    for (int i = 1; i <= ROWS; i++) {
        knackdb_pattern pattern = empty_pattern();
        char            text[200];

        row_text(i, text);
        pattern.context_factors = knackdb_string(text);
        pattern.task_type = knackdb_string("type");
        if (knackdb_pattern_store(db, &pattern, NULL, NULL) != KNACKDB_OK)
            _exit(2);
        if (i == snapshot_after && knackdb_snapshot(db, NULL) != KNACKDB_OK)
            _exit(3);
    }
    (void) raise(SIGKILL);
    _exit(4);
}

static void
make_directory(char directory[SCRATCH_PATH_MAX], int snapshot_after)
{
    pid_t child;
    int   status;

    scratch_prefer_memory();
    scratch_make(directory);
    child = fork();
    cr_assert_geq(child, 0);
    if (child == 0)
        write_and_die(directory, snapshot_after);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the writer ended with %d", status);
}

/* Name of the last file, in order of names, that begins so. False where there is none. */
static bool
last_file(const char *directory, const char *prefix, char name[256])
{
    DIR           *entries = opendir(directory);
    struct dirent *entry;

    cr_assert_not_null(entries);
    name[0] = '\0';
    while ((entry = readdir(entries)) != NULL)
        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0 && strcmp(entry->d_name, name) > 0)
            (void) snprintf(name, 256, "%s", entry->d_name);
    closedir(entries);
    return name[0] != '\0';
}

static uint64_t
file_bytes(const char *path)
{
    struct stat info;

    cr_assert_eq(stat(path, &info), 0);
    return (uint64_t) info.st_size;
}

static void
flip(const char *path, uint64_t offset, unsigned char mask)
{
    int           file = open(path, O_RDWR | O_CLOEXEC);
    unsigned char byte;

    cr_assert_geq(file, 0);
    cr_assert_eq(pread(file, &byte, 1, (off_t) offset), 1);
    byte ^= mask;
    cr_assert_eq(pwrite(file, &byte, 1, (off_t) offset), 1);
    close(file);
}

/* ---- what is still there ---- */

static int warnings_heard;

static void
hear(void *context, knackdb_severity severity, const char *message)
{
    (void) context;
    (void) message;
    warnings_heard += severity >= KNACKDB_LOG_WARNING;
}

/* Opens and returns how many rows there are, having checked that they are the first so many, each as it was stored;
 * -1 where it was refused, having checked that the refusal names a file. */
static int
rows_left(const char *directory, uint32_t flags, uint64_t *ret_torn_bytes, const char *what, uint64_t offset)
{
    knackdb_options options = knackdb_options_default();
    knackdb        *db;
    knackdb_read   *read;
    knackdb_stats   stats;
    knackdb_query   query;
    knackdb_rows    rows;
    knackdb_error   error;
    knackdb_status  status;
    int             count;

    memset(&error, 0, sizeof error);
    warnings_heard = 0;
    options.flags = flags;
    options.log_message = hear;
    status = knackdb_open(directory, &options, &db, &error);
    if (status != KNACKDB_OK) {
        cr_assert(status == KNACKDB_CORRUPT || status == KNACKDB_UNSUPPORTED || status == KNACKDB_NOT_FOUND,
                  "%s %llu: %s: %s", what, (unsigned long long) offset, knackdb_status_text(status), error.message);
        cr_assert(strstr(error.message, ".kn") != NULL, "%s %llu: no file is named: %s", what,
                  (unsigned long long) offset, error.message);
        return -1;
    }
    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    MUST(knackdb_get_stats(db, &stats, &error));
    *ret_torn_bytes = stats.torn_bytes;
    read = begin_read(db);
    memset(&query, 0, sizeof query);
    MUST(knackdb_read_find(read, &query, &rows, &error));
    for (size_t i = 0; i < rows.count; i++) {
        knackdb_pattern pattern;
        char            text[200];

        knackdb_read_pattern(read, rows.rows[i], &pattern);
        row_text((int) i + 1, text);
        cr_assert(pattern.id == (int64_t) i + 1 && text_is(pattern.context_factors, text) &&
                      text_is(pattern.task_type, "type"),
                  "%s %llu: row %zu is another", what, (unsigned long long) offset, i + 1);
    }
    count = (int) rows.count;
    knackdb_read_end(read);
    close_it(db);
    return count;
}

/* Faults that verify finds, by file. */
struct found {
    const char *file;
    int         in_file;
    int         elsewhere;
};

static void
count_fault(void *context, const knackdb_fault *fault)
{
    struct found *found = context;

    if (strcmp(fault->file, found->file) == 0)
        found->in_file++;
    else
        found->elsewhere++;
}

/* The segment that holds the log, and where each record begins, by commit; [ROWS + 1] is where the last one ends. A
 * newer segment may lie there, made ahead and empty. */
static void
find_records(const char *directory, char name[256], uint64_t offsets[ROWS + 2])
{
    knackdb_log      *log;
    knackdb_log_entry entry;
    knackdb_error     error;
    knackdb_status    status;
    char              path[SCRATCH_PATH_MAX];
    FILE             *file;
    uint64_t          end = 0, at = 0;
    int               byte;

    MUST(knackdb_log_open(directory, &log, &error));
    while ((status = knackdb_log_next(log, &entry, &error)) == KNACKDB_OK) {
        cr_assert(entry.sequence >= 1 && entry.sequence <= ROWS);
        cr_assert(entry.sequence == 1 || strcmp(entry.file, name) == 0, "all in one segment");
        (void) snprintf(name, 256, "%s", entry.file);
        offsets[entry.sequence] = entry.offset;
    }
    cr_assert_eq(status, KNACKDB_NOT_FOUND, "%s", error.message);
    knackdb_log_close(log);
    scratch_join(path, directory, name);
    file = fopen(path, "rb");
    cr_assert_not_null(file);
    while ((byte = getc(file)) != EOF) {
        at++;
        if (byte != 0)
            end = at;
    }
    fclose(file);
    offsets[ROWS + 1] = end; /* the last text ends in a letter, and zeros follow */
}

/* ---- the log's end ---- */

/* Method: every length from before the last eight records on, and a few before those. */
Test(damaged_files, a_log_cut_anywhere_gives_every_commit_before_the_cut)
{
    char     directory[SCRATCH_PATH_MAX], copies[SCRATCH_PATH_MAX], copy[SCRATCH_PATH_MAX];
    char     path[SCRATCH_PATH_MAX], name[256];
    uint64_t offsets[ROWS + 2] = { 0 };
    int      whole = 0, cuts = 0;

    make_directory(directory, 0);
    find_records(directory, name, offsets);
    scratch_make(copies);
    scratch_join(copy, copies, "copy");
    for (uint64_t cut = offsets[1]; cut <= offsets[ROWS + 1]; cut += cut < offsets[ROWS - 7] ? 97 : 1) {
        uint64_t torn = 0;
        int      rows;

        while (whole < ROWS && offsets[whole + 2] <= cut)
            whole++;
        scratch_copy(directory, copy);
        scratch_join(path, copy, name);
        cr_assert_eq(truncate(path, (off_t) cut), 0);
        rows = rows_left(copy, 0, &torn, "cut at", cut);
        /* A record is padded to 8 bytes: without some of the padding it may count as whole or not. */
        cr_assert(rows == whole || (rows == whole + 1 && offsets[whole + 2] - cut < 8), "cut at %llu: %d rows of %d",
                  (unsigned long long) cut, rows, whole);
        if (rows == whole && cut > offsets[whole + 1] + 8 && cut < offsets[whole + 2])
            cr_assert(torn > 0 && warnings_heard > 0, "cut at %llu: half a record, and nobody says so",
                      (unsigned long long) cut);
        /* What was cut is cut for good: the next open finds the same, and nothing torn. */
        cr_assert_eq(rows_left(copy, 0, &torn, "again after a cut at", cut), rows);
        cr_assert_eq(torn, 0);
        scratch_remove(copy);
        cuts++;
    }
    cr_assert_gt(cuts, 200);
    scratch_remove(copies);
    scratch_remove(directory);
}

/* A bit of the newest segment: the commits before it are all there; those from it on may be lost, or the directory
 * is refused because a later record proves that this one had been on the disk. */
Test(damaged_files, a_flipped_bit_in_the_log_costs_no_commit_before_it)
{
    char     directory[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX], name[256];
    uint64_t offsets[ROWS + 2] = { 0 };
    int      before = 0, lost = 0;

    make_directory(directory, 0);
    find_records(directory, name, offsets);
    scratch_join(path, directory, name);
    for (uint64_t offset = offsets[1]; offset < offsets[ROWS + 1]; offset += 5) {
        uint64_t torn = 0;
        int      rows;

        while (before < ROWS && offsets[before + 2] <= offset)
            before++;
        flip(path, offset, (unsigned char) (1u << offset % 8));
        rows = rows_left(directory, KNACKDB_OPEN_READ_ONLY, &torn, "flipped at", offset);
        flip(path, offset, (unsigned char) (1u << offset % 8));
        cr_assert(rows == -1 || rows >= before, "flipped at %llu: %d rows, %d were before", (unsigned long long) offset,
                  rows, before);
        /* Only padding may change without being noticed. */
        cr_assert(rows != ROWS || offsets[before + 2] - offset < 8, "flipped at %llu: not noticed",
                  (unsigned long long) offset);
        lost += rows != ROWS;
    }
    cr_assert_gt(lost, 500);
    cr_assert_eq(rows_left(directory, 0, &(uint64_t) { 0 }, "as it was", 0), ROWS);
    scratch_remove(directory);
}

/* The head of the only segment: without it nothing of the log can be believed. */
Test(damaged_files, a_flipped_bit_in_a_segment_head_is_named)
{
    char     directory[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX], name[256];
    uint64_t offsets[ROWS + 2] = { 0 };

    make_directory(directory, 0);
    find_records(directory, name, offsets);
    scratch_join(path, directory, name);
    for (uint64_t offset = 0; offset < offsets[1]; offset++) {
        uint64_t torn = 0;
        int      rows;

        flip(path, offset, 0x10);
        rows = rows_left(directory, KNACKDB_OPEN_READ_ONLY, &torn, "head flipped at", offset);
        flip(path, offset, 0x10);
        cr_assert(rows == -1 || rows == 0 || rows == ROWS, "head flipped at %llu: %d rows", (unsigned long long) offset,
                  rows);
    }
    scratch_remove(directory);
}

/* ---- snapshots ---- */

static void
flip_each(const char *directory, const char *prefix, int *ret_refused, int *ret_flips)
{
    char     path[SCRATCH_PATH_MAX], name[256];
    uint64_t bytes;

    cr_assert(last_file(directory, prefix, name), "no file begins with %s", prefix);
    scratch_join(path, directory, name);
    bytes = file_bytes(path);
    for (uint64_t offset = 0; offset < bytes; offset += 3) {
        struct found          found = { .file = name };
        knackdb_verify_report report;
        knackdb_error         error;
        knackdb_status        status;
        uint64_t              torn = 0;
        unsigned char         mask = (unsigned char) (1u << offset / 3 % 8);
        int                   rows;

        flip(path, offset, mask);
        rows = rows_left(directory, KNACKDB_OPEN_READ_ONLY, &torn, name, offset);
        status = knackdb_verify(directory, count_fault, &found, &report, &error);
        flip(path, offset, mask);
        cr_assert(rows == -1 || rows == ROWS, "%s flipped at %llu: %d rows", name, (unsigned long long) offset, rows);
        cr_assert(rows == ROWS || status != KNACKDB_OK, "%s flipped at %llu: open refuses what verify finds sound",
                  name, (unsigned long long) offset);
        cr_assert(status == KNACKDB_CORRUPT || status == KNACKDB_UNSUPPORTED, "%s flipped at %llu: verify says %s",
                  name, (unsigned long long) offset, knackdb_status_text(status));
        cr_assert(status != KNACKDB_CORRUPT || found.in_file > 0, "%s flipped at %llu: verify blames other files", name,
                  (unsigned long long) offset);
        *ret_refused += rows == -1;
        ++*ret_flips;
    }
}

Test(damaged_files, a_flipped_bit_in_a_snapshot_is_found_and_named)
{
    char directory[SCRATCH_PATH_MAX];
    int  refused = 0, flips = 0;

    make_directory(directory, 30);
    flip_each(directory, "manifest-", &refused, &flips);
    flip_each(directory, "part-", &refused, &flips);
    cr_assert_gt(flips, 200);
    cr_assert_gt(refused, flips / 2);
    cr_assert_eq(rows_left(directory, 0, &(uint64_t) { 0 }, "as it was", 0), ROWS);
    scratch_remove(directory);
}

Test(damaged_files, a_cut_or_missing_snapshot_file_is_named)
{
    static const char *const prefixes[] = { "manifest-", "part-", "log-" };
    char                     directory[SCRATCH_PATH_MAX], copies[SCRATCH_PATH_MAX], copy[SCRATCH_PATH_MAX];
    char                     path[SCRATCH_PATH_MAX], name[256];

    make_directory(directory, 30);
    scratch_make(copies);
    scratch_join(copy, copies, "copy");
    for (size_t i = 0; i < 3; i++) {
        uint64_t bytes, torn = 0;

        cr_assert(last_file(directory, prefixes[i], name));
        scratch_join(path, directory, name);
        bytes = i < 2 ? file_bytes(path) : 0;
        for (uint64_t left = 0; left < bytes; left += 1 + bytes / 50) {
            int rows;

            scratch_copy(directory, copy);
            scratch_join(path, copy, name);
            cr_assert_eq(truncate(path, (off_t) left), 0);
            rows = rows_left(copy, 0, &torn, name, left);
            cr_assert(rows == -1, "%s cut to %llu: %d rows", name, (unsigned long long) left, rows);
            scratch_remove(copy);
        }
        scratch_copy(directory, copy);
        scratch_join(path, copy, name);
        cr_assert_eq(unlink(path), 0);
        /* Without its newest segment a log may end at the snapshot; nothing else may be missed in silence. */
        if (i < 2) {
            knackdb      *db = NULL;
            knackdb_error error;

            REFUSED(knackdb_open(copy, NULL, &db, &error), KNACKDB_CORRUPT, "");
        } else {
            int rows = rows_left(copy, 0, &torn, "without its log", 0);

            cr_assert(rows == -1 || rows >= 30);
        }
        scratch_remove(copy);
    }
    scratch_remove(copies);
    scratch_remove(directory);
}

/* ---- sound directories ---- */

Test(damaged_files, verify_finds_nothing_in_a_sound_directory)
{
    char                  directory[SCRATCH_PATH_MAX];
    knackdb_verify_report report;
    knackdb_error         error;

    for (int snapshot_after = 0; snapshot_after <= 30; snapshot_after += 30) {
        make_directory(directory, snapshot_after);
        MUST(knackdb_verify(directory, NULL, NULL, &report, &error));
        cr_assert(report.fault_count == 0 && report.file_count > 0 && report.byte_count > 1000);
        cr_assert(report.record_count >= 20 && (snapshot_after == 0) == (report.block_count == 0));
        cr_assert_eq(rows_left(directory, 0, &(uint64_t) { 0 }, "sound", 0), ROWS);
        MUST(knackdb_verify(directory, NULL, NULL, &report, &error));
        cr_assert_eq(report.fault_count, 0);
        scratch_remove(directory);
    }
}
