/* complaint.h - the one line on standard error, and the exit status that goes with it. */
#ifndef CLI_COMPLAINT_H
#define CLI_COMPLAINT_H

#include <knackdb.h>

/** Exit status of the command. Scripts rely on the numbers. */
enum exit_status {
    EXIT_DONE = 0,
    EXIT_DATA_AT_FAULT = 1, /**< corrupt, not found, a bad row, a disk that fails */
    EXIT_CALL_AT_FAULT = 2, /**< usage, no such directory, locked */
};

/**
 * Prints `knackdb: WHAT: WHERE: WHY` to standard error as one line: control
 * characters and bytes that are not UTF-8 are shown escaped.
 *
 * @param where  NULL leaves the part out.
 * @return `status`, so that a command can say `return complain(...)`.
 */
int complain(enum exit_status status, const char *what, const char *where, const char *why, ...)
    __attribute__((format(printf, 4, 5)));

/** A mistake on the command line: the line ends with a hint at the command's --help. Gives EXIT_CALL_AT_FAULT. */
int complain_usage(const char *command, const char *where, const char *why, ...) __attribute__((format(printf, 3, 4)));

/** A call of the library that failed, in its own words. */
int complain_status(const char *what, const char *where, knackdb_status status, const knackdb_error *error);

/** Whose fault a status is. */
enum exit_status exit_status_of(knackdb_status status, int os_errno);

/** The same line without an exit status, for what is worth knowing but stops nothing. */
void note(const char *what, const char *where, const char *why, ...) __attribute__((format(printf, 3, 4)));

#endif
