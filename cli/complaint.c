/* complaint.c - the one line on standard error, and the exit status that goes with it.
 *
 * The line is built in one buffer and leaves in one write, so that lines of several
 * commands on one terminal do not mix. What it quotes comes from files and arguments:
 * a newline in there must not make a second line, nor an escape sequence act on the
 * terminal, so nothing but printable characters goes through as it is. */
#include "complaint.h"

#include "printable.h"
#include "progress.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WHY_BYTES  1500
#define LINE_BYTES 4000

static size_t
append(char *line, size_t used, const char *text)
{
    return used + printable_write(text, strlen(text), line + used, LINE_BYTES - used);
}

static void
print_line(const char *what, const char *where, const char *why, const char *hint)
{
    char   line[LINE_BYTES + 1];
    size_t used = 0;

    used = append(line, used, "knackdb: ");
    used = append(line, used, what);
    used = append(line, used, ": ");
    if (where != NULL) {
        used = append(line, used, where);
        used = append(line, used, ": ");
    }
    used = append(line, used, why);
    used = append(line, used, hint);
    line[used++] = '\n';
    progress_hide();
    /* There is nobody to tell when telling fails. */
    if (write(STDERR_FILENO, line, used) < 0)
        return;
}

int
complain(enum exit_status status, const char *what, const char *where, const char *why, ...)
{
    char    text[WHY_BYTES];
    va_list arguments;

    va_start(arguments, why);
    (void) vsnprintf(text, sizeof text, why, arguments);
    va_end(arguments);
    print_line(what, where, text, "");
    return (int) status;
}

void
note(const char *what, const char *where, const char *why, ...)
{
    char    text[WHY_BYTES];
    va_list arguments;

    va_start(arguments, why);
    (void) vsnprintf(text, sizeof text, why, arguments);
    va_end(arguments);
    print_line(what, where, text, "");
}

int
complain_usage(const char *command, const char *where, const char *why, ...)
{
    char    text[WHY_BYTES];
    char    hint[100];
    va_list arguments;

    va_start(arguments, why);
    (void) vsnprintf(text, sizeof text, why, arguments);
    va_end(arguments);
    (void) snprintf(hint, sizeof hint, "; see 'knackdb %s --help'", command);
    print_line(command, where, text, hint);
    return EXIT_CALL_AT_FAULT;
}

enum exit_status
exit_status_of(knackdb_status status, int os_errno)
{
    switch (status) {
    case KNACKDB_OK: return EXIT_DONE;
    case KNACKDB_INVALID:
    case KNACKDB_BUSY:
    case KNACKDB_READ_ONLY:
    case KNACKDB_FORKED: return EXIT_CALL_AT_FAULT;
    case KNACKDB_IO:
        /* A path that is wrong or closed to the caller, not a disk that fails. */
        if (os_errno == ENOENT || os_errno == ENOTDIR || os_errno == EISDIR || os_errno == EACCES ||
            os_errno == EPERM || os_errno == EROFS || os_errno == ELOOP || os_errno == ENAMETOOLONG)
            return EXIT_CALL_AT_FAULT;
        return EXIT_DATA_AT_FAULT;
    default: return EXIT_DATA_AT_FAULT;
    }
}

int
complain_status(const char *what, const char *where, knackdb_status status, const knackdb_error *error)
{
    const char *why = error->message[0] != '\0' ? error->message : knackdb_status_text(status);
    size_t      where_length = where != NULL ? strlen(where) : 0;

    /* Most messages begin with the path already, often with the name of a file in it. */
    if (where_length > 0 && strncmp(why, where, where_length) == 0 &&
        (why[where_length] == ':' || why[where_length] == '/'))
        where = NULL;
    return complain(exit_status_of(status, error->os_errno), what, where, "%s", why);
}
