/* arguments.h - what stands behind the command's name. */
#ifndef CLI_ARGUMENTS_H
#define CLI_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>

/** An option a command knows. Lists end with a name that is NULL. */
struct option {
    const char         *name;   /**< "--format" */
    const char         *letter; /**< "-o", or NULL */
    const char         *needs;  /**< what its value is called in messages; NULL where it takes none */
    /** Where it goes: a bool where it takes no value, a string_list where it may repeat, else a string. */
    bool               *ret_flag;
    const char        **ret_value;
    struct string_list *ret_list;
};

/** Strings of an option that may repeat; they live as long as argv. */
struct string_list {
    const char **items; /**< NULL while empty; string_list_clear() frees it */
    size_t       count;
};

/** An argument without a name. Lists end with a name that is NULL. */
struct positional {
    const char  *name; /**< "DIR" */
    bool         is_optional;
    const char **ret_value; /**< NULL stays where it is absent */
};

enum arguments_result {
    ARGUMENTS_OK,
    ARGUMENTS_HELP, /**< --help or -h was among them */
    ARGUMENTS_BAD,  /**< the complaint has been made */
};

/**
 * Reads `--name VALUE`, `--name=VALUE`, `-o VALUE` and `-oVALUE` in any order among
 * the others; `--` ends the options, and `-` alone is none. An option that takes
 * one value and comes twice is a mistake.
 */
enum arguments_result arguments_parse(const char *command, int argc, char **argv, const struct option *options,
                                      const struct positional *positionals);

void string_list_clear(struct string_list *list);

/** Reads a count of things that is not negative; false after a complaint. */
bool argument_count(const char *command, const char *name, const char *value, unsigned long long *ret_count);

#endif
