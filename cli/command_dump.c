/* command_dump.c - `knackdb dump`: a table, or all of them, as CSV or JSON lines.
 *
 * The directory is opened read-only and one read view is held throughout, so a dump
 * beside a running writer is one moment of the store, the same moment for all tables. */
#include "arguments.h"
#include "commands.h"
#include "complaint.h"
#include "directory.h"
#include "output.h"
#include "progress.h"
#include "row_writer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char help[] =
    "Usage: knackdb dump DIR [TABLE] [--format csv|jsonl] [--snapshot | --as-of SEQ|TIME] [-o FILE|FOLDER]\n"
    "\n"
    "Writes rows in the order of their ids.\n"
    "\n"
    "  TABLE             one table; without it every table, each into a file of FOLDER\n"
    "  --format FORMAT   csv (the default) or jsonl\n"
    "  --snapshot        what the newest snapshot holds, without the log behind it\n"
    "  --as-of SEQ|TIME  the store as it was after commit SEQ, or at TIME\n"
    "  -o, --output      a file for one table, a folder for all (made where it is absent);\n"
    "                    without it one table goes to standard output\n"
    "\n"
    "CSV is RFC 4180: UTF-8, a header row, CRLF behind each row. A field that is nothing is NULL, \"\"\n"
    "is the empty string. Numbers are the shortest that read back to the same bits. In JSON lines NULL\n"
    "is null and REAL numbers always have a point or an exponent.\n"
    "TIME is Unix seconds or ISO 8601; a bare number below 1000000000 is a SEQ.\n";

struct dump {
    const char     *directory;
    enum row_format format;
    knackdb_read   *read;
};

static int
dump_table(const struct dump *dump, int table, struct output *output)
{
    const knackdb_table_info *info = knackdb_table_describe(table);
    knackdb_query             query = { 0 };
    knackdb_value             values[KNACKDB_COLUMNS_MAX];
    knackdb_rows              rows;
    knackdb_error             error = { 0 };
    knackdb_status            status;

    query.struct_size = sizeof query;
    query.table = table;
    status = knackdb_read_find(dump->read, &query, &rows, &error);
    if (status != KNACKDB_OK)
        return complain_status(command_dump.name, dump->directory, status, &error);

    progress_turn_to(info->name);
    row_writer_put_header(output, dump->format, info, NULL, info->column_count);
    for (size_t i = 0; i < rows.count && output->os_errno == 0; i++) {
        knackdb_read_values(dump->read, table, rows.rows[i], info->column_count, values);
        row_writer_put_row(output, dump->format, info, NULL, values, info->column_count);
        progress_tell(i + 1);
    }
    return EXIT_DONE;
}

/* Dumps a table to standard output (path NULL) or into a file. */
static int
dump_table_to(const struct dump *dump, int table, const char *path)
{
    struct output output;
    int           status = path == NULL ? output_open_standard(&output, command_dump.name)
                                        : output_open_file(&output, command_dump.name, path);

    if (status != EXIT_DONE)
        return status;
    status = dump_table(dump, table, &output);
    if (status == EXIT_DONE)
        return output_finish(&output);
    output_abandon(&output);
    return status;
}

static int
dump_table_into(const struct dump *dump, int table, const char *folder)
{
    char path[4096];

    if (snprintf(path, sizeof path, "%s/%s.%s", folder, knackdb_table_describe(table)->name,
                 dump->format == ROWS_CSV ? "csv" : "jsonl") >= (int) sizeof path)
        return complain(EXIT_CALL_AT_FAULT, command_dump.name, folder, "%s", strerror(ENAMETOOLONG));
    return dump_table_to(dump, table, path);
}

static int
dump_all_into(const struct dump *dump, const char *folder)
{
    int status = EXIT_DONE;

    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return complain(exit_status_of(KNACKDB_IO, errno), command_dump.name, folder, "%s", strerror(errno));
    for (size_t table = 0; table < knackdb_table_count() && status == EXIT_DONE; table++)
        status = dump_table_into(dump, (int) table, folder);
    return status;
}

static bool
is_folder(const char *path)
{
    struct stat found;

    return stat(path, &found) == 0 && S_ISDIR(found.st_mode);
}

static int
dump_directory(struct dump *dump, const knackdb_options *options, int table, const char *target)
{
    knackdb       *db = NULL;
    knackdb_error  error = { 0 };
    knackdb_status begun;
    int            status = directory_open_to_read(command_dump.name, dump->directory, options, &db);

    if (status != EXIT_DONE)
        return status;
    begun = knackdb_read_begin(db, &dump->read, &error);
    if (begun != KNACKDB_OK) {
        status = complain_status(command_dump.name, dump->directory, begun, &error);
    } else {
        if (table < 0)
            status = dump_all_into(dump, target);
        else if (target != NULL && is_folder(target))
            status = dump_table_into(dump, table, target);
        else
            status = dump_table_to(dump, table, target);
        knackdb_read_end(dump->read);
    }
    return directory_close(command_dump.name, dump->directory, db, status);
}

static int
run(int argc, char **argv)
{
    const char         *table_name = NULL, *format = NULL, *as_of = NULL, *target = NULL;
    bool                is_snapshot = false;
    struct dump         dump = { 0 };
    knackdb_options     options = knackdb_options_default();
    int                 table = -1;
    const struct option known[] = {
        { .name = "--format", .needs = "csv or jsonl", .ret_value = &format },
        { .name = "--snapshot", .ret_flag = &is_snapshot },
        { .name = "--as-of", .needs = "a sequence number or a time", .ret_value = &as_of },
        { .name = "--output", .letter = "-o", .needs = "a file or folder", .ret_value = &target },
        { 0 },
    };
    const struct positional positionals[] = {
        { "DIR", false, &dump.directory },
        { "TABLE", true, &table_name },
        { 0 },
    };

    switch (arguments_parse(command_dump.name, argc, argv, known, positionals)) {
    case ARGUMENTS_HELP: return print_help(&command_dump);
    case ARGUMENTS_BAD: return EXIT_CALL_AT_FAULT;
    case ARGUMENTS_OK: break;
    }
    if (format != NULL && !row_format_by_name(format, &dump.format))
        return complain_usage(command_dump.name, "--format", "'%s' is neither csv nor jsonl", format);
    if (table_name != NULL && (table = table_find(command_dump.name, table_name)) < 0)
        return EXIT_CALL_AT_FAULT;
    if (table_name == NULL && target == NULL)
        return complain_usage(command_dump.name, "TABLE", "is missing; all tables need -o FOLDER");
    if (is_snapshot && as_of != NULL)
        return complain_usage(command_dump.name, "--as-of", "does not go with --snapshot");
    if (!directory_take_moment(command_dump.name, as_of, &options))
        return EXIT_CALL_AT_FAULT;
    if (is_snapshot)
        options.flags |= KNACKDB_OPEN_SNAPSHOT;
    return dump_directory(&dump, &options, table, target);
}

const struct command command_dump = {
    .name = "dump",
    .summary = "write a table, or all of them, as CSV or JSON lines",
    .help = help,
    .run = run,
};
