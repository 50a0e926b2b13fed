/* command_verify.c - `knackdb verify`: every byte of every file, read and checked.
 *
 * Each fault is a line of its own on standard error, so that a directory with many
 * tells all of them; the summary on standard output comes in any case. */
#include "arguments.h"
#include "commands.h"
#include "complaint.h"
#include "directory.h"
#include "output.h"
#include "progress.h"

#include <inttypes.h>
#include <stdio.h>

static const char help[] =
    "Usage: knackdb verify DIR\n"
    "\n"
    "Reads and checks every byte of every file of a directory; changes nothing; works beside a writer.\n"
    "Each fault is named on standard error by file and offset, and the exit status is 1. A torn record\n"
    "at the end of the log, as a power cut may leave it, is counted and is no fault.\n";

static void
print_fault(void *context, const knackdb_fault *fault)
{
    const char *directory = *(const char **) context;
    char        where[4300];

    (void) snprintf(where, sizeof where, "%s/%s:%" PRIu64, directory, fault->file, fault->offset);
    note(command_verify.name, where, "%s", fault->reason);
}

static int
run(int argc, char **argv)
{
    const char             *directory = NULL;
    knackdb_verify_report   report = { 0 };
    struct output           output;
    knackdb_error           error = { 0 };
    knackdb_status          verified;
    int                     status, written;
    const struct option     options[] = { { 0 } };
    const struct positional positionals[] = {
        { "DIR", false, &directory },
        { 0 },
    };

    switch (arguments_parse(command_verify.name, argc, argv, options, positionals)) {
    case ARGUMENTS_HELP: return print_help(&command_verify);
    case ARGUMENTS_BAD: return EXIT_CALL_AT_FAULT;
    case ARGUMENTS_OK: break;
    }
    status = directory_check(command_verify.name, directory);
    if (status != EXIT_DONE)
        return status;
    progress_expect(directory_bytes(directory));
    verified = knackdb_verify(directory, print_fault, &directory, &report, &error);
    if (verified == KNACKDB_NOT_FOUND)
        return complain(EXIT_CALL_AT_FAULT, command_verify.name, directory, "holds no knackdb store");
    /* CORRUPT without a fault: it could not even look, and says why. */
    if (verified != KNACKDB_OK && (verified != KNACKDB_CORRUPT || report.fault_count == 0))
        return complain_status(command_verify.name, directory, verified, &error);

    status = output_open_standard(&output, command_verify.name);
    if (status != EXIT_DONE)
        return status;
    output_format(&output,
                  "%" PRIu64 " files, %" PRIu64 " bytes, %" PRIu64 " log records, %" PRIu64 " snapshot blocks: ",
                  report.file_count, report.byte_count, report.record_count, report.block_count);
    if (report.fault_count == 0)
        output_put_string(&output, "no fault");
    else
        output_format(&output, "%" PRIu64 " fault%s", report.fault_count, report.fault_count == 1 ? "" : "s");
    if (report.torn_bytes > 0)
        output_format(&output, "; a torn tail of %" PRIu64 " bytes", report.torn_bytes);
    output_put_char(&output, '\n');
    written = output_finish(&output);
    return report.fault_count > 0 ? EXIT_DATA_AT_FAULT : written;
}

const struct command command_verify = {
    .name = "verify",
    .summary = "read and check every byte of every file",
    .help = help,
    .run = run,
};
