/* command_import.c - `knackdb import`: rows of a file into a table.
 *
 * Nothing of a file with a bad row is stored, and a file may be larger than memory
 * would like, so it is read twice: the first pass checks every row as the store would,
 * the second stores. The directory is opened, and made, only in between: a bad file
 * leaves no trace. With --skip-bad one pass does both.
 *
 * Rows are stored in batches. A batch is one call of the library, all or nothing, and
 * ends where the source has to give up the text of its rows, or when it is full. */
#include "arguments.h"
#include "commands.h"
#include "complaint.h"
#include "directory.h"
#include "output.h"
#include "progress.h"
#include "row_source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define BATCH_ROWS_MAX  1000
#define BATCH_BYTES_MAX ((size_t) 1024 * 1024)

/* Bad rows that are named one by one with --skip-bad. */
#define REASONS_SHOWN 5

static const char help[] =
    "Usage: knackdb import DIR TABLE FILE [--format FORMAT] [--skip-bad]\n"
    "\n"
    "Stores the rows of a file in a table; makes DIR where it is absent.\n"
    "\n"
    "  TABLE            execution_patterns, user_preferences or performance_metrics\n"
    "  FILE             CSV, JSON lines, or a SQLite file with a table of that name; a name that\n"
    "                   ends in .gz is unpacked; '-' is standard input\n"
    "  --format FORMAT  csv, jsonl or sqlite; without it the name of the file decides:\n"
    "                   .csv, .jsonl or .ndjson, .db or .sqlite, each but the last two also with .gz\n"
    "  --skip-bad       store the good rows of a file that has bad ones; the bad ones are counted,\n"
    "                   the first few named on standard error, and the exit status is 0\n"
    "\n"
    "The columns are found by their names in the header row or the keys; those that are absent are\n"
    "NULL. A CSV field that is nothing is NULL and \"\" is the empty string. A row without an id gets\n"
    "one; a row whose id or external_id is there already replaces that row, and a preference that is\n"
    "there already adds to it. Without --skip-bad nothing of a file is stored when any of its rows\n"
    "is bad; the first such row is named by file, line and column.\n";

/* A row at fault, where it stands and why. */
struct bad_row {
    char place[ROW_PLACE_BYTES + 100];
    char why[COLUMN_WHY_BYTES];
};

struct import {
    const char               *directory;
    int                       table;
    const knackdb_table_info *info;
    struct row_source        *source;
    knackdb                  *db; /* NULL while rows are only checked */
    bool                      skips_bad;
    knackdb_value            *batch;
    size_t                    batch_rows;
    size_t                    batch_bytes; /* of text */
    uint64_t                  good, bad;
    uint64_t                  file_bytes; /* that a pass reads; 0: not known */
};

/* Describes the row the source read last. The library's words begin with the names of
 * table and column, which the line names already. */
static void
describe_bad_row(const struct import *import, int column, const char *why, struct bad_row *ret_bad)
{
    char   place[ROW_PLACE_BYTES];
    char   prefix[200];
    size_t length;

    import->source->tell_place(import->source, place);
    if (column < 0 || (size_t) column >= import->info->column_count) {
        (void) snprintf(ret_bad->place, sizeof ret_bad->place, "%s", place);
    } else {
        (void) snprintf(ret_bad->place, sizeof ret_bad->place, "%s: %s", place, import->info->columns[column].name);
        length =
            (size_t) snprintf(prefix, sizeof prefix, "%s.%s: ", import->info->name, import->info->columns[column].name);
        if (strncmp(why, prefix, length) == 0)
            why += length;
    }
    (void) snprintf(ret_bad->why, sizeof ret_bad->why, "%s", why);
}

/* Hears of a bad row: the end, or one more that is skipped. */
static int
take_bad_row(struct import *import, int column, const char *why)
{
    struct bad_row bad;

    describe_bad_row(import, column, why, &bad);
    import->bad++;
    if (!import->skips_bad)
        return complain(EXIT_DATA_AT_FAULT, command_import.name, bad.place, "%s", bad.why);
    if (import->bad <= REASONS_SHOWN)
        note(command_import.name, bad.place, "skipped: %s", bad.why);
    return EXIT_DONE;
}

/* Rows that were taken and that the disk has not been heard of: a batch is a commit, and has at most so many. */
static uint64_t
count_unsure(const struct import *import)
{
    knackdb_stats stats = { .struct_size = sizeof stats };
    uint64_t      unsure;

    if (knackdb_get_stats(import->db, &stats, NULL) != KNACKDB_OK)
        return import->good;
    unsure = (stats.sequence - stats.durable_sequence) * BATCH_ROWS_MAX;
    return unsure < import->good ? unsure : import->good;
}

static int
complain_of_batch(struct import *import, knackdb_status status, const knackdb_error *error)
{
    uint64_t unsure = count_unsure(import);
    char     perhaps[80] = "";

    if (unsure > 0)
        (void) snprintf(perhaps, sizeof perhaps, ", the last %" PRIu64 " of them perhaps not on disk", unsure);
    return complain(exit_status_of(status, error->os_errno), command_import.name, import->directory,
                    "after %" PRIu64 " rows were stored%s: %s", import->good, perhaps, error->message);
}

static int
store_batch(struct import *import)
{
    knackdb_error  error = { 0 };
    knackdb_status status;

    if (import->batch_rows == 0)
        return EXIT_DONE;
    status = knackdb_store_rows(import->db, import->table, import->batch, import->info->column_count,
                                import->batch_rows, KNACKDB_STORE_REPLACE, NULL, &error);
    if (status != KNACKDB_OK)
        return complain_of_batch(import, status, &error);
    import->good += import->batch_rows;
    import->batch_rows = 0;
    import->batch_bytes = 0;
    progress_tell(import->good);
    return EXIT_DONE;
}

static size_t
text_bytes(const knackdb_value *values, size_t count)
{
    size_t bytes = 0;

    for (size_t i = 0; i < count; i++)
        if (values[i].type == KNACKDB_TEXT)
            bytes += values[i].as.text.length;
    return bytes;
}

/* One pass over the rows: checks them, and stores them where the store is open. */
static int
pass(struct import *import, const char *doing)
{
    size_t column_count = import->info->column_count;
    int    status = EXIT_DONE;

    progress_turn_to(doing);
    progress_expect(import->file_bytes);
    import->good = import->bad = 0;
    import->batch_rows = import->batch_bytes = 0;
    while (status == EXIT_DONE) {
        knackdb_value *row = import->batch + import->batch_rows * column_count;
        knackdb_error  error = { 0 };

        switch (import->source->next(import->source, row)) {
        case ROW_READY:
            if (knackdb_check_row(import->table, row, column_count, &error) != KNACKDB_OK) {
                status = take_bad_row(import, error.column, error.message);
            } else if (import->db == NULL) {
                progress_tell(++import->good);
            } else {
                import->batch_bytes += text_bytes(row, column_count);
                import->batch_rows++;
                if (import->batch_rows == BATCH_ROWS_MAX || import->batch_bytes >= BATCH_BYTES_MAX)
                    status = store_batch(import);
            }
            break;
        case ROW_BAD: status = take_bad_row(import, import->source->column, import->source->why); break;
        case ROW_DRAINED:
            status = store_batch(import);
            if (status == EXIT_DONE && !import->source->refill(import->source))
                status = EXIT_DATA_AT_FAULT;
            break;
        case ROW_FAILED: status = EXIT_DATA_AT_FAULT; break;
        case ROW_END: return store_batch(import);
        }
    }
    return status;
}

enum file_format { FILE_UNKNOWN, FILE_CSV, FILE_JSON_LINES, FILE_SQLITE };

static bool
ends_with(const char *name, size_t length, const char *ending)
{
    size_t ending_length = strlen(ending);

    return length > ending_length && strncasecmp(name + length - ending_length, ending, ending_length) == 0;
}

static enum file_format
format_of(const char *path)
{
    static const char magic[16] = "SQLite format 3";
    char              begin[sizeof magic];
    size_t            length = strlen(path);
    struct stat       found;
    int               fd = -1;
    bool              is_sqlite = false;

    /* Opening a pipe only to look into it would end it for whoever writes. */
    if (stat(path, &found) == 0 && S_ISREG(found.st_mode))
        fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        is_sqlite = pread(fd, begin, sizeof begin, 0) == (ssize_t) sizeof begin &&
                    memcmp(begin, magic, sizeof magic) == 0;
        (void) close(fd);
    }
    if (is_sqlite || ends_with(path, length, ".db") || ends_with(path, length, ".sqlite") ||
        ends_with(path, length, ".sqlite3"))
        return FILE_SQLITE;
    if (ends_with(path, length, ".gz"))
        length -= 3;
    if (ends_with(path, length, ".csv"))
        return FILE_CSV;
    if (ends_with(path, length, ".jsonl") || ends_with(path, length, ".ndjson"))
        return FILE_JSON_LINES;
    return FILE_UNKNOWN;
}

/* Opens the file as rows. */
static int
open_source(struct import *import, const char *path, const char *format_name)
{
    enum file_format format = FILE_UNKNOWN;
    struct input    *input;
    struct stat      found;
    int              status;

    if (format_name == NULL)
        format = format_of(path);
    else if (strcmp(format_name, "csv") == 0)
        format = FILE_CSV;
    else if (strcmp(format_name, "jsonl") == 0)
        format = FILE_JSON_LINES;
    else if (strcmp(format_name, "sqlite") == 0)
        format = FILE_SQLITE;
    else
        return complain_usage(command_import.name, "--format", "'%s' is none of csv, jsonl, sqlite", format_name);

    if (format == FILE_UNKNOWN && strcmp(path, "-") != 0 && access(path, F_OK) != 0)
        return complain(EXIT_CALL_AT_FAULT, command_import.name, path, "no such file");
    if (format == FILE_UNKNOWN)
        return complain_usage(command_import.name, path,
                              "the name does not tell the format: say --format csv or jsonl");
    if (format == FILE_SQLITE) {
        if (strcmp(path, "-") == 0)
            return complain_usage(command_import.name, "--format", "a SQLite file cannot be read from standard input");
        if (access(path, R_OK) != 0)
            return complain(EXIT_CALL_AT_FAULT, command_import.name, path, "%s", strerror(errno));
        return sqlite_source_open(command_import.name, path, import->info, &import->source);
    }
    if (stat(path, &found) == 0 && S_ISREG(found.st_mode))
        import->file_bytes = (uint64_t) found.st_size;
    status = input_open(command_import.name, path, !import->skips_bad, &input);
    if (status != EXIT_DONE)
        return status;
    if (format == FILE_CSV)
        return csv_source_open(command_import.name, input, import->info, &import->source);
    return jsonl_source_open(command_import.name, input, import->info, &import->source);
}

static int
import_rows(struct import *import)
{
    uint64_t      begin_ns = monotonic_ns();
    double        seconds;
    struct output output;
    int           status;

    if (!import->skips_bad) {
        status = pass(import, "checked");
        if (status != EXIT_DONE)
            return status;
        if (!import->source->rewind(import->source))
            return EXIT_DATA_AT_FAULT;
    }
    status = directory_open_or_create(command_import.name, import->directory, &import->db);
    if (status != EXIT_DONE)
        return status;
    status = pass(import, "stored");
    status = directory_close(command_import.name, import->directory, import->db, status);
    import->db = NULL;
    if (status != EXIT_DONE)
        return status;

    if (import->bad > 0)
        note(command_import.name, import->info->name, "%" PRIu64 " bad rows skipped", import->bad);
    seconds = (double) (monotonic_ns() - begin_ns) / 1e9;
    status = output_open_standard(&output, command_import.name);
    if (status != EXIT_DONE)
        return status;
    output_format(&output, "%s: %" PRIu64 " rows in %.3f s, %.0f rows/s\n", import->info->name, import->good, seconds,
                  seconds > 0 ? (double) import->good / seconds : 0.0);
    return output_finish(&output);
}

static int
run(int argc, char **argv)
{
    const char         *table = NULL, *file = NULL, *format = NULL;
    struct import       import = { 0 };
    int                 status;
    const struct option options[] = {
        { .name = "--format", .needs = "csv, jsonl or sqlite", .ret_value = &format },
        { .name = "--skip-bad", .ret_flag = &import.skips_bad },
        { 0 },
    };
    const struct positional positionals[] = {
        { "DIR", false, &import.directory },
        { "TABLE", false, &table },
        { "FILE", false, &file },
        { 0 },
    };

    switch (arguments_parse(command_import.name, argc, argv, options, positionals)) {
    case ARGUMENTS_HELP: return print_help(&command_import);
    case ARGUMENTS_BAD: return EXIT_CALL_AT_FAULT;
    case ARGUMENTS_OK: break;
    }
    import.table = table_find(command_import.name, table);
    if (import.table < 0)
        return EXIT_CALL_AT_FAULT;
    if (strcmp(import.directory, ":memory:") == 0)
        return directory_check(command_import.name, import.directory);
    import.info = knackdb_table_describe(import.table);
    import.batch = calloc(BATCH_ROWS_MAX * import.info->column_count, sizeof *import.batch);
    if (import.batch == NULL)
        return complain(EXIT_DATA_AT_FAULT, command_import.name, NULL, "out of memory");
    status = open_source(&import, file, format);
    if (status == EXIT_DONE)
        status = import_rows(&import);
    if (import.source != NULL)
        import.source->close(import.source);
    free(import.batch);
    return status;
}

const struct command command_import = {
    .name = "import",
    .summary = "store the rows of a CSV, JSON lines or SQLite file in a table",
    .help = help,
    .run = run,
};
