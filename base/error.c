/* error.c - how a failed call explains itself. */
#include "base/error.h"

#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void
fill(knackdb_error *error, int os_errno, int column, const char *format, va_list arguments)
{
    if (error == NULL)
        return;
    error->os_errno = os_errno;
    error->column = column;
    if (vsnprintf(error->message, sizeof error->message, format, arguments) >= (int) sizeof error->message)
        error->message[utf8_valid_prefix(error->message, sizeof error->message - 1)] = '\0'; /* no half character */
}

knackdb_status
error_set(knackdb_error *error, knackdb_status status, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fill(error, 0, -1, format, arguments);
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
    char    buffer[100];
    size_t  length;

    if (error == NULL)
        return KNACKDB_IO;
    va_start(arguments, format);
    fill(error, os_errno, -1, format, arguments);
    va_end(arguments);
    length = strlen(error->message);
    (void) snprintf(error->message + length, sizeof error->message - length, ": %s",
                    system_text(os_errno, buffer, sizeof buffer));
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
    fill(error, 0, column, format, arguments);
    va_end(arguments);
    return status;
}

knackdb_status
error_no_memory(knackdb_error *error, const char *what)
{
    return error_set(error, KNACKDB_NO_MEMORY, "out of memory for %s", what);
}
