/* command_repair.c - `knackdb repair`: what can still be read, in a new directory.
 *
 * Each loss is a line of its own on standard error; the summary on standard output comes in
 * any case. The exit status tells a repair that lost nothing from one that did: a script that
 * goes on with the new directory has to know. */
#include "arguments.h"
#include "commands.h"
#include "complaint.h"
#include "directory.h"
#include "output.h"

#include <inttypes.h>
#include <stdio.h>

static const char help[] =
    "Usage: knackdb repair DIR --to NEWDIR\n"
    "\n"
    "Writes a new directory with all that can still be read of a damaged one, and says what was lost: each\n"
    "record of the log by file, offset and commits, each block of a snapshot by file, offset, column and rows.\n"
    "DIR is never changed. NEWDIR is made or must be empty; it is checked and opened before this says so.\n"
    "\n"
    "  --to NEWDIR  where to write\n"
    "\n"
    "Only what was hit is lost. A later commit that builds on a lost one is applied as far as it stands; a\n"
    "damaged block of a column leaves that column NULL in its rows, one of the ids takes the rows.\n"
    "Exit status: 0 nothing was lost; 1 NEWDIR is there and something was lost, or nothing could be saved.\n";

static void
put_ids(char *to, size_t bytes, const knackdb_loss *loss)
{
    to[0] = '\0';
    if (loss->first_id == 0)
        return;
    if (loss->first_id == loss->last_id)
        (void) snprintf(to, bytes, " (id %" PRId64 ")", loss->first_id);
    else
        (void) snprintf(to, bytes, " (%" PRIu64 " rows, ids %" PRId64 " to %" PRId64 ")", loss->row_count,
                        loss->first_id, loss->last_id);
}

static void
print_loss(void *context, const knackdb_loss *loss)
{
    const char               *directory = *(const char **) context;
    const knackdb_table_info *table = knackdb_table_describe(loss->table);
    char                      where[4300];
    char                      ids[100];
    bool                      is_lost = loss->kind != KNACKDB_LOSS_TORN && loss->kind != KNACKDB_LOSS_FRAME;

    put_ids(ids, sizeof ids, loss);
    (void) snprintf(where, sizeof where, "%s/%s:%" PRIu64, directory, loss->file, loss->offset);
    note(command_repair.name, where, "%s%s%s%s%s", is_lost ? "lost: " : "", table != NULL ? table->name : "",
         table != NULL ? ": " : "", loss->reason, ids);
}

static int
print_report(const knackdb_repair_report *report)
{
    struct output output;
    int           status = output_open_standard(&output, command_repair.name);

    if (status != EXIT_DONE)
        return status;
    output_format(&output, "%" PRIu64 " rows saved, up to commit %" PRIu64 "; ", report->rows_saved, report->sequence);
    if (report->loss_count == 0)
        output_put_string(&output, "nothing was lost\n");
    else
        output_format(&output,
                      "lost: %" PRIu64 " commits, %" PRIu64 " blocks, %" PRIu64 " rows, %" PRIu64 " values (%" PRIu64
                      " losses, %" PRIu64 " bytes)\n",
                      report->commits_lost, report->blocks_lost, report->rows_lost, report->values_lost,
                      report->loss_count, report->bytes_lost);
    return output_finish(&output);
}

static int
run(int argc, char **argv)
{
    const char           *directory = NULL, *to = NULL;
    knackdb_repair_report report = { 0 };
    knackdb_error         error = { 0 };
    knackdb_status        repaired;
    int                   status;
    const struct option   options[] = {
        { .name = "--to", .needs = "a directory to write", .ret_value = &to },
        { 0 },
    };
    const struct positional positionals[] = {
        { "DIR", false, &directory },
        { 0 },
    };

    switch (arguments_parse(command_repair.name, argc, argv, options, positionals)) {
    case ARGUMENTS_HELP: return print_help(&command_repair);
    case ARGUMENTS_BAD: return EXIT_CALL_AT_FAULT;
    case ARGUMENTS_OK: break;
    }
    if (to == NULL)
        return complain_usage(command_repair.name, "--to", "is missing");
    status = directory_check(command_repair.name, directory);
    if (status == EXIT_DONE)
        status = directory_check_apart(command_repair.name, directory, to);
    if (status != EXIT_DONE)
        return status;
    repaired = knackdb_repair(directory, to, print_loss, &directory, &report, &error);
    if (repaired == KNACKDB_NOT_FOUND)
        return complain(EXIT_CALL_AT_FAULT, command_repair.name, directory, "holds no knackdb store");
    if (repaired != KNACKDB_OK)
        return complain_status(command_repair.name, repaired == KNACKDB_INVALID ? to : directory, repaired, &error);
    status = print_report(&report);
    return report.loss_count > 0 ? EXIT_DATA_AT_FAULT : status;
}

const struct command command_repair = {
    .name = "repair",
    .summary = "write what can be read of a damaged directory to a new one",
    .help = help,
    .run = run,
};
