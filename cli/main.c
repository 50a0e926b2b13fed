/* main.c - finds the command and hands over.
 *
 * Nothing here reads the locale from the environment: numbers are written with a
 * point everywhere. LC_CTYPE alone is set, to UTF-8, for the widths of characters in
 * tables. SIGPIPE is ignored, so that a closed pipe is a failed write with an exit
 * status, and what is half done can be put in order. */
#include "commands.h"
#include "complaint.h"
#include "output.h"
#include "progress.h"

#include <knackdb.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct command *const commands[] = {
    &command_import, &command_dump,     &command_replay, &command_query,   &command_stats, &command_verify,
    &command_repair, &command_snapshot, &command_backup, &command_migrate, &command_bench,
};

#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

static int
print(const char *text)
{
    struct output output;
    int           status = output_open_standard(&output, "help");

    if (status != EXIT_DONE)
        return status;
    output_put_string(&output, text);
    return output_finish(&output);
}

int
print_help(const struct command *command)
{
    return print(command->help);
}

static int
print_overview(void)
{
    char   text[4000];
    size_t used;

    used = (size_t)
        snprintf(text, sizeof text,
                 "Usage: knackdb COMMAND ...\n\n"
                 "Looks after a knackdb directory: what software agents learned, kept by an embedded store.\n\n"
                 "Commands\n");
    for (size_t i = 0; i < COMMAND_COUNT && used < sizeof text; i++)
        used +=
            (size_t) snprintf(text + used, sizeof text - used, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    if (used < sizeof text)
        (void) snprintf(text + used, sizeof text - used,
                        "\n'knackdb COMMAND --help' tells more of one; 'man knackdb' tells all.\n"
                        "All but import, snapshot and migrate work while another process writes the directory.\n\n"
                        "Options\n"
                        "  --help     print this\n"
                        "  --version  print the version\n\n"
                        "Exit status: 0 done; 1 the data is at fault; 2 the call is at fault.\n");
    return print(text);
}

static const struct command *
find_command(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

int
main(int argc, char **argv)
{
    const struct command *command;
    int                   status;

    (void) setlocale(LC_CTYPE, "C.UTF-8");
    (void) signal(SIGPIPE, SIG_IGN);

    if (argc < 2)
        return complain(EXIT_CALL_AT_FAULT, "COMMAND", NULL, "is missing; see 'knackdb --help'");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return print_overview();
    if (strcmp(argv[1], "help") == 0) {
        if (argc < 3)
            return print_overview();
        command = find_command(argv[2]);
        if (command != NULL)
            return print_help(command);
        return complain(EXIT_CALL_AT_FAULT, argv[2], NULL, "no such command; see 'knackdb --help'");
    }
    if (strcmp(argv[1], "--version") == 0) {
        char text[100];

        (void) snprintf(text, sizeof text, "knackdb %s\n", knackdb_version());
        return print(text);
    }
    command = find_command(argv[1]);
    if (command == NULL)
        return complain(EXIT_CALL_AT_FAULT, argv[1], NULL, "no such command; see 'knackdb --help'");
    progress_begin(command->name);
    status = command->run(argc - 2, argv + 2);
    progress_end();
    return status;
}
