/* arguments.c - what stands behind the command's name.
 *
 * getopt_long() would print its own lines and take `--for` for `--format`; an
 * abbreviation that works today is a script that breaks when an option is added.
 * Twenty options in all need no more than this. */
#include "arguments.h"

#include "complaint.h"
#include "number.h"

#include <stdlib.h>
#include <string.h>

static bool
string_list_add(struct string_list *list, const char *string)
{
    const char **items = realloc(list->items, (list->count + 1) * sizeof *items);

    if (items == NULL)
        return false;
    items[list->count++] = string;
    list->items = items;
    return true;
}

void
string_list_clear(struct string_list *list)
{
    free(list->items);
    list->items = NULL;
    list->count = 0;
}

/* Finds the option an argument names and the value stuck to it, if any. */
static const struct option *
find_option(const struct option *options, const char *argument, const char **ret_value)
{
    *ret_value = NULL;
    for (const struct option *option = options; option->name != NULL; option++) {
        size_t length = strlen(option->name);

        if (strcmp(argument, option->name) == 0)
            return option;
        if (strncmp(argument, option->name, length) == 0 && argument[length] == '=') {
            *ret_value = argument + length + 1;
            return option;
        }
        if (option->letter != NULL && strncmp(argument, option->letter, 2) == 0) {
            if (argument[2] != '\0')
                *ret_value = argument + 2;
            return option;
        }
    }
    return NULL;
}

static bool
take_option(const char *command, const struct option *option, const char *value)
{
    if (option->needs == NULL) {
        *option->ret_flag = true;
        return true;
    }
    if (option->ret_list != NULL) {
        if (string_list_add(option->ret_list, value))
            return true;
        (void) complain(EXIT_DATA_AT_FAULT, command, option->name, "out of memory");
        return false;
    }
    if (*option->ret_value != NULL) {
        (void) complain_usage(command, option->name, "given twice");
        return false;
    }
    *option->ret_value = value;
    return true;
}

/* Steps behind the positional whose value this is. */
static bool
take_positional(const char *command, const struct positional **positional, const char *argument)
{
    if ((*positional)->name == NULL) {
        (void) complain_usage(command, argument, "one argument too many");
        return false;
    }
    if (argument[0] == '\0') {
        (void) complain_usage(command, (*positional)->name, "is empty");
        return false;
    }
    *(*positional)->ret_value = argument;
    (*positional)++;
    return true;
}

enum arguments_result
arguments_parse(const char *command, int argc, char **argv, const struct option *options,
                const struct positional *positionals)
{
    const struct positional *positional = positionals;
    bool                     is_behind_options = false;

    for (int i = 0; i < argc; i++) {
        const char          *argument = argv[i];
        const struct option *option;
        const char          *value;

        if (is_behind_options || argument[0] != '-' || argument[1] == '\0') {
            if (!take_positional(command, &positional, argument))
                return ARGUMENTS_BAD;
            continue;
        }
        if (strcmp(argument, "--") == 0) {
            is_behind_options = true;
            continue;
        }
        if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0)
            return ARGUMENTS_HELP;
        option = find_option(options, argument, &value);
        if (option == NULL) {
            (void) complain_usage(command, argument, "no such option");
            return ARGUMENTS_BAD;
        }
        if (option->needs == NULL && value != NULL) {
            (void) complain_usage(command, option->name, "takes no value");
            return ARGUMENTS_BAD;
        }
        if (option->needs != NULL && value == NULL) {
            if (i + 1 == argc) {
                (void) complain_usage(command, option->name, "needs %s", option->needs);
                return ARGUMENTS_BAD;
            }
            value = argv[++i];
        }
        if (!take_option(command, option, value))
            return ARGUMENTS_BAD;
    }
    if (positional->name != NULL && !positional->is_optional) {
        (void) complain_usage(command, positional->name, "is missing");
        return ARGUMENTS_BAD;
    }
    return ARGUMENTS_OK;
}

bool
argument_count(const char *command, const char *name, const char *value, unsigned long long *ret_count)
{
    int64_t            count;
    enum number_result result = number_parse_integer(value, strlen(value), &count);

    if (result == NUMBER_OK && count < 0)
        result = NUMBER_RANGE;
    if (result != NUMBER_OK) {
        (void) complain_usage(command, name, "'%s' %s", value, number_result_text(result));
        return false;
    }
    *ret_count = (unsigned long long) count;
    return true;
}
