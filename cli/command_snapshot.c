/* command_snapshot.c - `knackdb snapshot`: a snapshot now. */
#include "arguments.h"
#include "commands.h"
#include "complaint.h"
#include "directory.h"
#include "output.h"

#include <inttypes.h>

static const char help[] =
    "Usage: knackdb snapshot DIR\n"
    "\n"
    "Writes a snapshot of a store and returns when it is on stable storage; the next open needs no\n"
    "more than it and the log behind it. Not while another process writes the directory: the writer\n"
    "takes snapshots by itself.\n";

static int
take_snapshot(const char *directory, knackdb *db)
{
    knackdb_stats  stats = { .struct_size = sizeof stats };
    struct output  output;
    knackdb_error  error = { 0 };
    knackdb_status result = knackdb_snapshot(db, &error);
    int            status;

    if (result == KNACKDB_OK)
        result = knackdb_get_stats(db, &stats, &error);
    if (result != KNACKDB_OK)
        return complain_status(command_snapshot.name, directory, result, &error);
    status = output_open_standard(&output, command_snapshot.name);
    if (status != EXIT_DONE)
        return status;
    output_format(&output, "up to commit %" PRIu64 ": %" PRIu64 " bytes in %.3f s\n", stats.snapshot_sequence,
                  stats.snapshot_bytes, stats.snapshot_seconds);
    return output_finish(&output);
}

static int
run(int argc, char **argv)
{
    const char             *directory = NULL;
    knackdb                *db = NULL;
    int                     status;
    const struct option     options[] = { { 0 } };
    const struct positional positionals[] = {
        { "DIR", false, &directory },
        { 0 },
    };

    switch (arguments_parse(command_snapshot.name, argc, argv, options, positionals)) {
    case ARGUMENTS_HELP: return print_help(&command_snapshot);
    case ARGUMENTS_BAD: return EXIT_CALL_AT_FAULT;
    case ARGUMENTS_OK: break;
    }
    status = directory_open_to_write(command_snapshot.name, directory, &db);
    if (status != EXIT_DONE)
        return status;
    return directory_close(command_snapshot.name, directory, db, take_snapshot(directory, db));
}

const struct command command_snapshot = {
    .name = "snapshot",
    .summary = "write a snapshot now",
    .help = help,
    .run = run,
};
