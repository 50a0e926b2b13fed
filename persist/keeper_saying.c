/* keeper_saying.c - what a keeper has to tell its host. */
#include "persist/keeper_state.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BRIEF_BYTES_MAX 170

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

const char *
keeper_brief(const struct keeper *keeper, const char *message)
{
    size_t length = strlen(keeper->dir.path);

    if (strncmp(message, keeper->dir.path, length) == 0 && (message[length] == '/' || message[length] == ':'))
        message += length + strspn(message + length, "/: ");
    length = strlen(message);
    if (length > BRIEF_BYTES_MAX)
        message += length - BRIEF_BYTES_MAX;
    while (length > BRIEF_BYTES_MAX && (*message & 0xC0) == 0x80) /* no half a character */
        message++;
    return message;
}
