/* command_replay.c - `knackdb replay`: the log, record by record.
 *
 * Two forms: lines for people, and one JSON object an operation for programs. Both
 * show each operation of a commit on a line of its own, in order.
 *
 * The log of a directory ends where the writer has come to. A torn record behind that
 * end is what a power cut may leave; it is said on standard error and is no fault. A
 * damaged record before the end is one.
 *
 * What a snapshot has removed before it was read is noted on standard error; the
 * replay goes on behind it.
 *
 * Following means to ask again. Between two questions the process waits in poll() on
 * its own output, so that it ends when the reader of a pipe does. */
#include "arguments.h"
#include "commands.h"
#include "complaint.h"
#include "directory.h"
#include "moment.h"
#include "output.h"
#include "progress.h"
#include "row_writer.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLLOW_INTERVAL_MS 20

/* So often, in waits, somebody looks whether the directory is still where it was. */
#define FOLLOW_WAITS_TO_LOOK 25

static const char help[] =
    "Usage: knackdb replay DIR [--table TABLE] [--since SEQ|TIME] [--until SEQ|TIME] [--follow] [--format text|jsonl]\n"
    "\n"
    "Prints the replay log: a line an operation, with sequence number, time, table, operation, values.\n"
    "\n"
    "  --table TABLE     only operations on that table\n"
    "  --since SEQ|TIME  from there on, itself included\n"
    "  --until SEQ|TIME  up to there, itself included\n"
    "  --follow          wait for more at the end; ends with the terminal's interrupt, or past --until\n"
    "  --format FORMAT   text (the default; control characters escaped, NULL left out of whole rows)\n"
    "                    or jsonl\n"
    "\n"
    "Operations: put (a whole row), update (some columns of a row), delete, clean_up (rows whose column\n"
    "is below a value). The log begins after the oldest snapshot kept. A torn record at its end is named\n"
    "on standard error and is no fault: exit status 0. A damaged one is: exit status 1. Commits that a\n"
    "snapshot has taken out of the log before they were read are noted on standard error and passed over.\n"
    "TIME is Unix seconds or ISO 8601; a bare number below 1000000000 is a SEQ.\n";

struct replay {
    const char   *directory;
    int           table; /* -1: all */
    bool          has_since, has_until;
    struct moment since, until;
    bool          is_followed;
    uint64_t      waits;  /* while following */
    dev_t         device; /* of the directory */
    ino_t         inode;
    bool          is_json;
    struct output output;
};

static const char *
operation_name(knackdb_log_operation operation)
{
    switch (operation) {
    case KNACKDB_LOG_PUT: return "put";
    case KNACKDB_LOG_UPDATE: return "update";
    case KNACKDB_LOG_DELETE: return "delete";
    case KNACKDB_LOG_CLEAN_UP: return "clean_up";
    }
    return "unknown";
}

static const char *
column_name(const knackdb_table_info *info, uint32_t column)
{
    return column < info->column_count ? info->columns[column].name : "unknown";
}

static void
put_text_value(struct output *output, const knackdb_table_info *info, uint32_t column, const char *sign,
               const knackdb_value *value)
{
    output_format(output, " %s%s", column_name(info, column), sign);
    row_writer_put_json(output, value);
}

static void
put_text_entry(struct output *output, const knackdb_log_entry *entry)
{
    const knackdb_table_info *info = knackdb_table_describe(entry->table);
    char                      time[MOMENT_CHARS_MAX];

    moment_format(entry->time, time);
    output_format(output, "%" PRIu64 " %s %s %s", entry->sequence, time, info->name, operation_name(entry->operation));
    if (entry->operation != KNACKDB_LOG_CLEAN_UP)
        output_format(output, " %s=%" PRId64, info->columns[0].name, entry->id);
    for (size_t i = 0; i < entry->column_count; i++) {
        if (entry->operation == KNACKDB_LOG_CLEAN_UP) {
            put_text_value(output, info, entry->columns[i], "<", &entry->values[i]);
            continue;
        }
        /* The id is there already, and a whole row's NULLs are what is not. */
        if (entry->columns[i] == 0 || (entry->operation == KNACKDB_LOG_PUT && entry->values[i].type == KNACKDB_NULL))
            continue;
        put_text_value(output, info, entry->columns[i], "=", &entry->values[i]);
    }
    output_put_char(output, '\n');
}

static void
put_json_entry(struct output *output, const knackdb_log_entry *entry)
{
    const knackdb_table_info *info = knackdb_table_describe(entry->table);
    knackdb_value             time = knackdb_value_real(entry->time);

    output_format(output, "{\"sequence\":%" PRIu64 ",\"time\":", entry->sequence);
    row_writer_put_json(output, &time);
    output_format(output,
                  ",\"batch_index\":%" PRIu32 ",\"batch_count\":%" PRIu32 ",\"table\":\"%s\",\"operation\":\"%s\"",
                  entry->batch_index, entry->batch_count, info->name, operation_name(entry->operation));
    if (entry->operation != KNACKDB_LOG_CLEAN_UP)
        output_format(output, ",\"id\":%" PRId64, entry->id);
    output_put_string(output, entry->operation == KNACKDB_LOG_CLEAN_UP ? ",\"below\":{" : ",\"values\":{");
    for (size_t i = 0; i < entry->column_count; i++) {
        output_format(output, "%s\"%s\":", i > 0 ? "," : "", column_name(info, entry->columns[i]));
        row_writer_put_json(output, &entry->values[i]);
    }
    output_put_string(output, "},\"file\":");
    row_writer_put_json_text(output, entry->file, strlen(entry->file));
    output_format(output, ",\"offset\":%" PRIu64 "}\n", entry->offset);
}

static bool
is_before(const knackdb_log_entry *entry, const struct moment *moment)
{
    return moment->is_time ? entry->time < moment->time : entry->sequence < (uint64_t) moment->sequence;
}

static bool
is_behind(const knackdb_log_entry *entry, const struct moment *moment)
{
    return moment->is_time ? entry->time > moment->time : entry->sequence > (uint64_t) moment->sequence;
}

/* Is what has the name still what was opened? Otherwise we follow what nobody writes any more, for ever: a restore
 * moves the old directory away. */
static int
check_place(struct replay *replay)
{
    struct stat now;
    const char *what = "another directory has taken its place; what followed is not shown";

    if (++replay->waits % FOLLOW_WAITS_TO_LOOK != 0)
        return EXIT_DONE;
    if (stat(replay->directory, &now) != 0) {
        if (errno != ENOENT && errno != ENOTDIR)
            return EXIT_DONE; /* not to be seen now: a mount that is away may come back */
        what = "the directory is not there any more";
    } else if (now.st_dev == replay->device && now.st_ino == replay->inode)
        return EXIT_DONE;
    return complain(EXIT_DATA_AT_FAULT, command_replay.name, replay->directory, "%s", what);
}

/* Waits a little. *ret_go_on: false when nobody reads the output any more, or there is nothing more to come. */
static int
wait_for_more(struct replay *replay, bool *ret_go_on)
{
    struct pollfd out = { .fd = STDOUT_FILENO, .events = 0 };
    int           status = EXIT_DONE;

    progress_end(); /* all that there was is shown */
    *ret_go_on = output_flush(&replay->output) &&
                 (poll(&out, 1, FOLLOW_INTERVAL_MS) <= 0 || (out.revents & (POLLERR | POLLHUP | POLLNVAL)) == 0);
    if (*ret_go_on)
        status = check_place(replay);
    *ret_go_on &= status == EXIT_DONE;
    return status;
}

/* A torn tail is no fault, and is told all the same. */
static void
note_torn_tail(struct replay *replay, const knackdb_log *log)
{
    const char *file;
    uint64_t    offset, bytes = knackdb_log_torn_bytes(log, &file, &offset);
    char        where[1200];

    if (bytes == 0)
        return;
    (void) output_flush(&replay->output); /* the mark comes behind the lines */
    (void) snprintf(where, sizeof where, "%s/%s:%" PRIu64, replay->directory, file, offset);
    note(command_replay.name, where, "torn tail of %" PRIu64 " bytes; the log ends here", bytes);
}

static void
put_entry(struct replay *replay, const knackdb_log_entry *entry)
{
    if (replay->has_since && is_before(entry, &replay->since))
        return;
    if (replay->table >= 0 && entry->table != replay->table)
        return;
    if (replay->is_json)
        put_json_entry(&replay->output, entry);
    else
        put_text_entry(&replay->output, entry);
}

static int
print_entries(struct replay *replay, knackdb_log *log)
{
    for (;;) {
        knackdb_log_entry entry;
        knackdb_error     error = { 0 };
        knackdb_status    status = knackdb_log_next(log, &entry, &error);

        if (status == KNACKDB_NOT_FOUND && replay->is_followed) {
            bool go_on;
            int  waited = wait_for_more(replay, &go_on);

            if (go_on)
                continue;
            return waited;
        }
        if (status == KNACKDB_NOT_FOUND) {
            note_torn_tail(replay, log);
            return EXIT_DONE;
        }
        if (status == KNACKDB_IO && error.os_errno == ENOENT) {
            (void) output_flush(&replay->output); /* the mark stands where the commits are missing */
            (void) complain_status(command_replay.name, replay->directory, status, &error);
            continue;
        }
        if (status != KNACKDB_OK) {
            (void) output_flush(&replay->output);
            /* Once open it is the data. */
            (void) complain_status(command_replay.name, replay->directory, status, &error);
            return EXIT_DATA_AT_FAULT;
        }
        if (knackdb_table_describe(entry.table) == NULL)
            return complain(EXIT_DATA_AT_FAULT, command_replay.name, replay->directory,
                            "commit %" PRIu64 " names table %d, which this version does not know", entry.sequence,
                            entry.table);
        /* Sequences only grow; clocks may be turned back, so a time ends nothing but a wait. */
        if (replay->has_until && is_behind(&entry, &replay->until)) {
            if (!replay->until.is_time || replay->is_followed)
                return EXIT_DONE;
            continue;
        }
        put_entry(replay, &entry);
        if (replay->output.os_errno != 0)
            return EXIT_DONE; /* output_finish() complains */
    }
}

static int
replay_directory(struct replay *replay)
{
    knackdb_log   *log = NULL;
    knackdb_error  error = { 0 };
    knackdb_status opened;
    int            status = directory_check(command_replay.name, replay->directory);
    struct stat    found;
    int            written;

    if (status != EXIT_DONE)
        return status;
    if (stat(replay->directory, &found) != 0)
        return complain(exit_status_of(KNACKDB_IO, errno), command_replay.name, replay->directory, "%s",
                        strerror(errno));
    replay->device = found.st_dev;
    replay->inode = found.st_ino;
    opened = knackdb_log_open(replay->directory, &log, &error);
    if (opened == KNACKDB_NOT_FOUND)
        return complain(EXIT_CALL_AT_FAULT, command_replay.name, replay->directory, "holds no knackdb store");
    if (opened != KNACKDB_OK)
        return complain_status(command_replay.name, replay->directory, opened, &error);
    status = output_open_standard(&replay->output, command_replay.name);
    if (status == EXIT_DONE) {
        status = print_entries(replay, log);
        written = output_finish(&replay->output);
        if (status == EXIT_DONE)
            status = written;
    }
    knackdb_log_close(log);
    return status;
}

static bool
parse_bound(const char *name, const char *text, bool *ret_given, struct moment *ret_moment)
{
    if (text == NULL)
        return true;
    *ret_given = true;
    if (moment_parse(text, ret_moment))
        return true;
    (void) complain_usage(command_replay.name, name, "'%s' is not " MOMENT_FORMS, text);
    return false;
}

static int
run(int argc, char **argv)
{
    const char         *table = NULL, *since = NULL, *until = NULL, *format = NULL;
    struct replay       replay = { .table = -1 };
    const struct option options[] = {
        { .name = "--table", .needs = "the name of a table", .ret_value = &table },
        { .name = "--since", .needs = "a sequence number or a time", .ret_value = &since },
        { .name = "--until", .needs = "a sequence number or a time", .ret_value = &until },
        { .name = "--follow", .ret_flag = &replay.is_followed },
        { .name = "--format", .needs = "text or jsonl", .ret_value = &format },
        { 0 },
    };
    const struct positional positionals[] = {
        { "DIR", false, &replay.directory },
        { 0 },
    };

    switch (arguments_parse(command_replay.name, argc, argv, options, positionals)) {
    case ARGUMENTS_HELP: return print_help(&command_replay);
    case ARGUMENTS_BAD: return EXIT_CALL_AT_FAULT;
    case ARGUMENTS_OK: break;
    }
    if (format != NULL && strcmp(format, "jsonl") != 0 && strcmp(format, "text") != 0)
        return complain_usage(command_replay.name, "--format", "'%s' is neither text nor jsonl", format);
    replay.is_json = format != NULL && strcmp(format, "jsonl") == 0;
    if (table != NULL && (replay.table = table_find(command_replay.name, table)) < 0)
        return EXIT_CALL_AT_FAULT;
    if (!parse_bound("--since", since, &replay.has_since, &replay.since) ||
        !parse_bound("--until", until, &replay.has_until, &replay.until))
        return EXIT_CALL_AT_FAULT;
    if (replay.has_since && replay.has_until && replay.since.is_time == replay.until.is_time &&
        (replay.since.is_time ? replay.until.time < replay.since.time : replay.until.sequence < replay.since.sequence))
        return complain_usage(command_replay.name, "--until", "'%s' is before --since '%s'", until, since);
    return replay_directory(&replay);
}

const struct command command_replay = {
    .name = "replay",
    .summary = "print the log, record by record",
    .help = help,
    .run = run,
};
