/* error.c - how a failed call explains itself. */
#include "base/error.h"

#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define WHOLE_BYTES 5000 /* the longest path that is opened, and what is said of it */

/* Of what is too long the end is kept, in whole characters: a path stands first, and what is wrong with it last. */
static void
put(knackdb_error *error, const char *whole, size_t length)
{
    static const char cut[] = "...";
    size_t            room = sizeof error->message - 1;

    if (length > room) {
        whole += length - (room - strlen(cut));
        while ((*whole & 0xC0) == 0x80)
            whole++;
        (void) snprintf(error->message, sizeof error->message, "%s%s", cut, whole);
    } else {
        memcpy(error->message, whole, length + 1);
    }
}

/* What is said before it may be cut; how long that is. */
static size_t
say(char whole[WHOLE_BYTES], const char *format, va_list arguments)
{
    int length = vsnprintf(whole, WHOLE_BYTES, format, arguments);

    if (length < 0)
        length = 0;
    if (length >= WHOLE_BYTES)
        length = (int) utf8_valid_prefix(whole, WHOLE_BYTES - 1);
    whole[length] = '\0';
    return (size_t) length;
}

static void
fill(knackdb_error *error, int column, const char *format, va_list arguments)
{
    char whole[WHOLE_BYTES];

    if (error == NULL)
        return;
    error->os_errno = 0;
    error->column = column;
    put(error, whole, say(whole, format, arguments));
}

knackdb_status
error_set(knackdb_error *error, knackdb_status status, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fill(error, -1, format, arguments);
    va_end(arguments);
    return status;
}

/* strerror_r has two shapes; either way the text ends up in `buffer` or in the result. */
static const char *
system_text(int os_errno, char *buffer, size_t bytes)
{
#if defined(__GLIBC__) && defined(_GNU_SOURCE)
    return strerror_r(os_errno, buffer, bytes);
#else
    return strerror_r(os_errno, buffer, bytes) == 0 ? buffer : "unknown error";
#endif
}

knackdb_status
error_set_errno(knackdb_error *error, int os_errno, const char *format, ...)
{
    va_list arguments;
    char    buffer[300];
    char    whole[WHOLE_BYTES + sizeof buffer];
    size_t  length;

    if (error == NULL)
        return KNACKDB_IO;
    error->os_errno = os_errno;
    error->column = -1;
    va_start(arguments, format);
    length = say(whole, format, arguments);
    va_end(arguments);
    length += (size_t) snprintf(whole + length, sizeof whole - length, ": %.290s",
                                system_text(os_errno, buffer, sizeof buffer));
    put(error, whole, length);
    return KNACKDB_IO;
}

void
error_add(knackdb_error *error, const char *more)
{
    size_t length;

    if (error == NULL)
        return;
    length = strlen(error->message);
    if (strlen(more) < sizeof error->message - length)
        memcpy(error->message + length, more, strlen(more) + 1);
}

knackdb_status
error_set_column(knackdb_error *error, knackdb_status status, int column, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fill(error, column, format, arguments);
    va_end(arguments);
    return status;
}

knackdb_status
error_no_memory(knackdb_error *error, const char *what)
{
    return error_set(error, KNACKDB_NO_MEMORY, "out of memory for %s", what);
}
