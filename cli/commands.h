/* commands.h - what the tool can do. Each command lives in its command_*.c. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

struct command {
    const char *name;
    const char *summary; /**< one line for `knackdb --help` */
    const char *help;    /**< all of `knackdb NAME --help` */
    /** Runs on what stands behind the name; returns an exit status. */
    int (*run)(int argc, char **argv);
};

extern const struct command command_import;
extern const struct command command_dump;
extern const struct command command_replay;
extern const struct command command_query;
extern const struct command command_stats;
extern const struct command command_verify;
extern const struct command command_repair;
extern const struct command command_backup;
extern const struct command command_snapshot;
extern const struct command command_migrate;
extern const struct command command_bench;

/** Prints a command's help to standard output. Returns an exit status. */
int print_help(const struct command *command);

#endif
