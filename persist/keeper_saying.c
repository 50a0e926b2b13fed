/* keeper_saying.c - what a keeper has to tell its host. */
#include "persist/keeper_state.h"

#include <stdarg.h>
#include <stdio.h>

void
keeper_say(const struct keeper *keeper, knackdb_severity severity, const char *format, ...)
{
    char    message[DISK_PATH_BYTES_MAX + 600];
    va_list arguments;

    if (keeper->options.log_message == NULL)
        return;
    va_start(arguments, format);
    (void) vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    keeper->options.log_message(keeper->options.log_context, severity, message);
}
