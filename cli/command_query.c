/* command_query.c - `knackdb query`: rows that match.
 *
 * A table for people where standard output is a terminal, CSV where it is not, so
 * that what one looked at can be piped on unchanged but for the form. */
#include "arguments.h"
#include "columns.h"
#include "commands.h"
#include "complaint.h"
#include "condition.h"
#include "directory.h"
#include "progress.h"
#include "row_writer.h"
#include "table_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TERMINAL_COLUMNS_DEFAULT 80

static const char help[] =
    "Usage: knackdb query DIR TABLE [--where 'COLUMN OP VALUE' ...] [--order-by COLUMN[:desc] ...]\n"
    "                     [--limit N] [--offset N] [--columns A,B,...] [--format table|csv|jsonl]\n"
    "                     [--as-of SEQ|TIME]\n"
    "\n"
    "Prints the rows that meet every condition: as an aligned table on a terminal, as CSV when piped.\n"
    "\n"
    "  --where CONDITION  COLUMN, then one of\n"
    "                       = != < <= > >= VALUE\n"
    "                       in (VALUE, VALUE ...)\n"
    "                       contains VALUE        the text is a JSON list that holds the string\n"
    "                       is null, is not null\n"
    "                     A VALUE may stand in 'quotes' or \"quotes\", a quote within doubled\n"
    "  --order-by KEYS    columns, the first counts most; :desc turns one around. For execution_patterns\n"
    "                     also score, the best first: which pattern to use now. Without it by id\n"
    "  --limit N          at most N rows\n"
    "  --offset N         leave out the first N\n"
    "  --columns A,B      only these columns, in this order\n"
    "  --format FORMAT    table, csv or jsonl, wherever the output goes\n"
    "  --as-of SEQ|TIME   the store as it was after commit SEQ, or at TIME\n"
    "\n"
    "Example: knackdb query memory.knack execution_patterns --where 'task_type = sort' \\\n"
    "             --where 'success_rate >= 0.8' --order-by score --limit 5 --columns pattern_used,success_rate\n";

struct query_command {
    const char              *directory;
    knackdb_options          options;
    knackdb_query            query;
    struct parsed_condition *conditions;
    knackdb_condition        passed[KNACKDB_CONDITIONS_MAX];
    uint32_t                 columns[KNACKDB_COLUMNS_MAX];
    size_t                   column_count;
    bool                     is_empty; /* --limit 0 */
    bool                     is_table;
    enum row_format          format;
    knackdb_read            *read;
    knackdb_rows             rows;
};

static void
view_row(void *context, size_t row, knackdb_value *ret_values)
{
    struct query_command *command = context;

    for (size_t i = 0; i < command->column_count; i++)
        ret_values[i] =
            knackdb_read_value(command->read, command->query.table, command->rows.rows[row], command->columns[i]);
}

/* A file or a pipe is as wide as the rows are. */
static size_t
terminal_columns(void)
{
    struct winsize size;

    if (isatty(STDOUT_FILENO) != 1)
        return SIZE_MAX;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return TERMINAL_COLUMNS_DEFAULT;
}

static int
print_rows(struct query_command *command)
{
    const knackdb_table_info *table = knackdb_table_describe(command->query.table);
    struct output             output;
    knackdb_value             values[KNACKDB_COLUMNS_MAX];
    int                       status = output_open_standard(&output, command_query.name);

    if (status != EXIT_DONE)
        return status;
    if (command->is_table) {
        struct table_view view = {
            .table = table,
            .columns = command->columns,
            .column_count = command->column_count,
            .row_count = command->rows.count,
            .row = view_row,
            .context = command,
            .terminal_columns = terminal_columns(),
        };

        table_view_print(&view, &output);
    } else {
        row_writer_put_header(&output, command->format, table, command->columns, command->column_count);
        for (size_t i = 0; i < command->rows.count && output.os_errno == 0; i++) {
            view_row(command, i, values);
            row_writer_put_row(&output, command->format, table, command->columns, values, command->column_count);
            progress_tell(i + 1);
        }
    }
    return output_finish(&output);
}

static int
run_query(struct query_command *command)
{
    knackdb       *db = NULL;
    knackdb_error  error = { 0 };
    knackdb_status result;
    int            status = directory_open_to_read(command_query.name, command->directory, &command->options, &db);

    if (status != EXIT_DONE)
        return status;
    result = knackdb_read_begin(db, &command->read, &error);
    if (result == KNACKDB_OK && !command->is_empty)
        result = knackdb_read_find(command->read, &command->query, &command->rows, &error);
    if (result == KNACKDB_OK)
        status = print_rows(command);
    else
        status = complain_status(command_query.name, command->directory, result, &error);
    knackdb_read_end(command->read);
    return directory_close(command_query.name, command->directory, db, status);
}

static bool
take_conditions(struct query_command *command, const struct string_list *texts, const knackdb_table_info *table)
{
    char why[COLUMN_WHY_BYTES];

    if (texts->count > KNACKDB_CONDITIONS_MAX) {
        (void) complain_usage(command_query.name, "--where", "more than %d conditions", KNACKDB_CONDITIONS_MAX);
        return false;
    }
    command->conditions = calloc(texts->count + 1, sizeof *command->conditions);
    if (command->conditions == NULL) {
        (void) complain(EXIT_DATA_AT_FAULT, command_query.name, NULL, "out of memory");
        return false;
    }
    for (size_t i = 0; i < texts->count; i++) {
        if (!condition_parse(texts->items[i], strlen(texts->items[i]), table, &command->conditions[i], why)) {
            char where[300];

            (void) snprintf(where, sizeof where, "--where '%s'", texts->items[i]);
            (void) complain_usage(command_query.name, where, "%s", why);
            return false;
        }
        command->passed[i] = command->conditions[i].condition;
        command->query.condition_count++;
    }
    command->query.conditions = command->passed;
    return true;
}

static bool
take_order(struct query_command *command, const struct string_list *texts, const knackdb_table_info *table)
{
    char why[COLUMN_WHY_BYTES];

    for (size_t i = 0; i < texts->count; i++) {
        const char *key = texts->items[i];

        for (;;) {
            size_t length = strcspn(key, ",");

            if (command->query.order_count == KNACKDB_ORDER_KEYS_MAX) {
                (void) complain_usage(command_query.name, "--order-by", "more than %d keys", KNACKDB_ORDER_KEYS_MAX);
                return false;
            }
            if (!sort_key_parse(key, length, table, &command->query.order[command->query.order_count], why)) {
                (void) complain_usage(command_query.name, "--order-by", "%s", why);
                return false;
            }
            if (command->query.order[command->query.order_count].column == KNACKDB_ORDER_BY_SCORE &&
                command->query.table != KNACKDB_EXECUTION_PATTERNS) {
                (void) complain_usage(command_query.name, "--order-by", "only execution_patterns have a score");
                return false;
            }
            command->query.order_count++;
            if (key[length] == '\0')
                break;
            key += length + 1;
        }
    }
    return true;
}

static bool
take_count(const char *name, const char *text, uint64_t *ret_count)
{
    unsigned long long count;

    if (text == NULL)
        return true;
    if (!argument_count(command_query.name, name, text, &count))
        return false;
    *ret_count = count;
    return true;
}

static bool
take_columns(struct query_command *command, const char *text, const knackdb_table_info *table)
{
    char why[COLUMN_WHY_BYTES];

    if (text == NULL) {
        for (size_t i = 0; i < table->column_count; i++)
            command->columns[i] = (uint32_t) i;
        command->column_count = table->column_count;
        return true;
    }
    if (columns_parse(text, table, command->columns, &command->column_count, why))
        return true;
    (void) complain_usage(command_query.name, "--columns", "%s", why);
    return false;
}

static bool
take_format(struct query_command *command, const char *text)
{
    if (text == NULL) {
        command->is_table = isatty(STDOUT_FILENO) == 1;
        return true;
    }
    command->is_table = strcmp(text, "table") == 0;
    if (command->is_table || row_format_by_name(text, &command->format))
        return true;
    (void) complain_usage(command_query.name, "--format", "'%s' is none of table, csv, jsonl", text);
    return false;
}

/* What stands on the command line, as it stands there. */
struct query_words {
    const char        *table, *limit, *offset, *columns, *format, *as_of;
    struct string_list where, order_by;
};

static bool
take_words(struct query_command *command, const struct query_words *words)
{
    const knackdb_table_info *table;

    command->query.table = table_find(command_query.name, words->table);
    if (command->query.table < 0)
        return false;
    table = knackdb_table_describe(command->query.table);
    if (!take_conditions(command, &words->where, table) || !take_order(command, &words->order_by, table) ||
        !take_count("--limit", words->limit, &command->query.limit) ||
        !take_count("--offset", words->offset, &command->query.offset) ||
        !take_columns(command, words->columns, table) || !take_format(command, words->format) ||
        !directory_take_moment(command_query.name, words->as_of, &command->options))
        return false;
    command->is_empty = words->limit != NULL && command->query.limit == 0;
    return true;
}

static int
run(int argc, char **argv)
{
    struct query_words   words = { 0 };
    struct query_command command = {
        .options = knackdb_options_default(),
        .query = { .struct_size = sizeof(knackdb_query) },
    };
    int                 status = EXIT_CALL_AT_FAULT;
    const struct option options[] = {
        { .name = "--where", .needs = "a condition", .ret_list = &words.where },
        { .name = "--order-by", .needs = "a column", .ret_list = &words.order_by },
        { .name = "--limit", .needs = "a number of rows", .ret_value = &words.limit },
        { .name = "--offset", .needs = "a number of rows", .ret_value = &words.offset },
        { .name = "--columns", .needs = "names of columns", .ret_value = &words.columns },
        { .name = "--format", .needs = "table, csv or jsonl", .ret_value = &words.format },
        { .name = "--as-of", .needs = "a sequence number or a time", .ret_value = &words.as_of },
        { 0 },
    };
    const struct positional positionals[] = {
        { "DIR", false, &command.directory },
        { "TABLE", false, &words.table },
        { 0 },
    };

    switch (arguments_parse(command_query.name, argc, argv, options, positionals)) {
    case ARGUMENTS_HELP: status = print_help(&command_query); break;
    case ARGUMENTS_BAD: break;
    case ARGUMENTS_OK:
        if (take_words(&command, &words))
            status = run_query(&command);
        break;
    }
    for (size_t i = 0; i < command.query.condition_count; i++)
        condition_clear(&command.conditions[i]);
    free(command.conditions);
    string_list_clear(&words.where);
    string_list_clear(&words.order_by);
    return status;
}

const struct command command_query = {
    .name = "query",
    .summary = "print the rows that meet conditions",
    .help = help,
    .run = run,
};
