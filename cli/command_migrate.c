/* command_migrate.c - `knackdb migrate`: a directory brought to the current schema. */
#include "arguments.h"
#include "commands.h"
#include "complaint.h"
#include "directory.h"
#include "output.h"

#include <inttypes.h>

static const char help[] =
    "Usage: knackdb migrate DIR [--dry-run]\n"
    "\n"
    "Brings a directory to the schema version of this program and says each step. An open that may\n"
    "write does the same by itself; this command is for those who want to see it, or to do it first.\n"
    "\n"
    "  --dry-run  say the steps, change nothing\n"
    "\n"
    "A directory of a newer version is refused and left untouched.\n";

static void
print_step(void *context, const char *step)
{
    struct output *output = context;

    output_put_string(output, step);
    output_put_char(output, '\n');
}

static int
run(int argc, char **argv)
{
    const char         *directory = NULL;
    bool                is_dry_run = false;
    uint32_t            from = 0;
    struct output       output;
    knackdb_error       error = { 0 };
    knackdb_status      migrated;
    int                 status;
    const struct option options[] = {
        { .name = "--dry-run", .ret_flag = &is_dry_run },
        { 0 },
    };
    const struct positional positionals[] = {
        { "DIR", false, &directory },
        { 0 },
    };

    switch (arguments_parse(command_migrate.name, argc, argv, options, positionals)) {
    case ARGUMENTS_HELP: return print_help(&command_migrate);
    case ARGUMENTS_BAD: return EXIT_CALL_AT_FAULT;
    case ARGUMENTS_OK: break;
    }
    status = directory_check(command_migrate.name, directory);
    if (status != EXIT_DONE)
        return status;
    status = output_open_standard(&output, command_migrate.name);
    if (status != EXIT_DONE)
        return status;
    migrated = knackdb_migrate(directory, is_dry_run, print_step, &output, &from, &error);
    if (migrated != KNACKDB_OK) {
        (void) output_finish(&output);
        if (migrated == KNACKDB_NOT_FOUND)
            return complain(EXIT_CALL_AT_FAULT, command_migrate.name, directory, "holds no knackdb store");
        return complain_status(command_migrate.name, directory, migrated, &error);
    }
    if (from == knackdb_schema_version())
        output_format(&output, "schema version %" PRIu32 " already; nothing to do\n", from);
    else
        output_format(&output, "schema version %" PRIu32 " -> %" PRIu32 "%s\n", from, knackdb_schema_version(),
                      is_dry_run ? " (dry run, nothing changed)" : "");
    return output_finish(&output);
}

const struct command command_migrate = {
    .name = "migrate",
    .summary = "bring a directory to the current schema version",
    .help = help,
    .run = run,
};
