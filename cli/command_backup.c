/* command_backup.c - `knackdb backup`: a consistent copy of a directory, whoever writes it. */
#include "arguments.h"
#include "commands.h"
#include "complaint.h"
#include "directory.h"
#include "output.h"

#include <inttypes.h>

static const char help[] =
    "Usage: knackdb backup DIR DEST\n"
    "\n"
    "Copies the store in DIR, as it is at one moment, into the directory DEST, which is made or must be\n"
    "empty; also while another process writes DIR, which is only read. The copy is on stable storage,\n"
    "every byte of it has been read back and checked, and it has been opened once, before this says so.\n"
    "On failure nothing of it is left.\n";

static int
copy(const char *destination, knackdb *db)
{
    knackdb_stats  stats = { .struct_size = sizeof stats };
    struct output  output;
    knackdb_error  error = { 0 };
    uint64_t       rows = 0;
    knackdb_status result = knackdb_backup(db, destination, &error);
    int            status;

    if (result == KNACKDB_OK)
        result = knackdb_get_stats(db, &stats, &error);
    if (result != KNACKDB_OK)
        return complain_status(command_backup.name, destination, result, &error);
    for (uint32_t table = 0; table < stats.table_count; table++)
        rows += stats.tables[table].row_count;
    status = output_open_standard(&output, command_backup.name);
    if (status != EXIT_DONE)
        return status;
    output_format(&output, "%" PRIu64 " rows, up to commit %" PRIu64 ", copied and checked\n", rows, stats.sequence);
    return output_finish(&output);
}

static int
run(int argc, char **argv)
{
    const char             *directory = NULL, *destination = NULL;
    knackdb_options         reading = knackdb_options_default();
    knackdb                *db = NULL;
    int                     status;
    const struct option     options[] = { { 0 } };
    const struct positional positionals[] = {
        { "DIR", false, &directory },
        { "DEST", false, &destination },
        { 0 },
    };

    switch (arguments_parse(command_backup.name, argc, argv, options, positionals)) {
    case ARGUMENTS_HELP: return print_help(&command_backup);
    case ARGUMENTS_BAD: return EXIT_CALL_AT_FAULT;
    case ARGUMENTS_OK: break;
    }
    status = directory_check_apart(command_backup.name, directory, destination);
    if (status != EXIT_DONE)
        return status;
    status = directory_open_to_read(command_backup.name, directory, &reading, &db);
    if (status != EXIT_DONE)
        return status;
    return directory_close(command_backup.name, directory, db, copy(destination, db));
}

const struct command command_backup = {
    .name = "backup",
    .summary = "copy a store, also one that is being written",
    .help = help,
    .run = run,
};
