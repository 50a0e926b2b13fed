/* output.c - bytes on their way to standard output or into a file.
 *
 * A file appears under its name whole or not at all: it is written beside its place,
 * synced, and renamed. A reader that closes its end early (`| head`) has what it wanted:
 * nothing is said, but the exit status tells that not all was written. (main() ignores
 * SIGPIPE, so it is a failed write like any other, EPIPE.)
 *
 * An interrupt (SIGINT, SIGTERM, SIGHUP) takes the unfinished file with it, says so, and ends
 * the command as it would have. The handler finds the name in a buffer of its own, set before the
 * file is made and emptied after it has its place; what it calls is safe in a handler. */
#define _GNU_SOURCE /* asprintf */
#include "output.h"

#include "complaint.h"
#include "interrupts.h"
#include "progress.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_BYTES ((size_t) 1024 * 1024)

static void
write_all(struct output *output, const char *data, size_t length)
{
    if (output->is_on_terminal && length > 0)
        progress_end();
    while (length > 0 && output->os_errno == 0) {
        ssize_t written = write(output->fd, data, length);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0) {
            output->os_errno = errno;
        } else {
            data += written;
            length -= (size_t) written;
        }
    }
}

/* ---- interrupts ---- */

/* Of the one file under way; "": none. */
static char                  unfinished[PATH_MAX];
static volatile sig_atomic_t has_unfinished;

static void
interrupted(int number)
{
    static const char message[] = "knackdb: interrupted: the unfinished file was removed\n";

    if (has_unfinished && unlink(unfinished) == 0 && write(STDERR_FILENO, message, sizeof message - 1) < 0)
        _exit(EXIT_DATA_AT_FAULT);
    (void) raise(number); /* its default, which SA_RESETHAND has restored, when the handler returns */
}

static void
guard_file(const char *path)
{
    if (strlen(path) >= sizeof unfinished)
        return;
    memcpy(unfinished, path, strlen(path) + 1);
    has_unfinished = 1;
    interrupts_take(interrupted, SA_RESETHAND);
}

static void
guard_no_file(void)
{
    has_unfinished = 0;
}

/* ---- opening ---- */

static const char *
name_of(const struct output *output)
{
    return output->path != NULL ? output->path : "standard output";
}

static int
begin(struct output *output, const char *command)
{
    output->command = command;
    output->buffer = malloc(BUFFER_BYTES);
    if (output->buffer == NULL)
        return complain(EXIT_DATA_AT_FAULT, command, NULL, "out of memory");
    return EXIT_DONE;
}

int
output_open_standard(struct output *output, const char *command)
{
    memset(output, 0, sizeof *output);
    output->fd = STDOUT_FILENO;
    output->is_on_terminal = isatty(STDOUT_FILENO) == 1;
    return begin(output, command);
}

int
output_open_file(struct output *output, const char *command, const char *path)
{
    struct stat found;
    bool        is_in_place = stat(path, &found) == 0 && !S_ISREG(found.st_mode);
    int         status;

    memset(output, 0, sizeof *output);
    output->fd = -1;
    status = begin(output, command);
    if (status != EXIT_DONE)
        return status;
    output->path = strdup(path);
    if (!is_in_place && asprintf(&output->temporary, "%s.part-%ld", path, (long) getpid()) < 0)
        output->temporary = NULL;
    if (output->path == NULL || (!is_in_place && output->temporary == NULL)) {
        status = complain(EXIT_DATA_AT_FAULT, command, path, "out of memory");
    } else {
        if (!is_in_place)
            guard_file(output->temporary);
        output->fd = is_in_place ? open(path, O_WRONLY | O_CLOEXEC)
                                 : open(output->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (output->fd < 0) {
            status = complain(exit_status_of(KNACKDB_IO, errno), command, path, "%s", strerror(errno));
            guard_no_file();
            free(output->temporary); /* not ours to remove */
            output->temporary = NULL;
        }
    }
    if (status != EXIT_DONE)
        output_abandon(output);
    return status;
}

bool
output_flush(struct output *output)
{
    write_all(output, output->buffer, output->used);
    output->used = 0;
    return output->os_errno == 0;
}

char *
output_room(struct output *output, size_t bytes)
{
    if (BUFFER_BYTES - output->used < bytes)
        (void) output_flush(output);
    return output->buffer + output->used;
}

void
output_advance(struct output *output, size_t bytes)
{
    output->used += bytes;
}

void
output_put(struct output *output, const char *data, size_t length)
{
    if (BUFFER_BYTES - output->used < length)
        (void) output_flush(output);
    if (length >= BUFFER_BYTES) {
        write_all(output, data, length);
        return;
    }
    memcpy(output->buffer + output->used, data, length);
    output->used += length;
}

void
output_put_string(struct output *output, const char *string)
{
    output_put(output, string, strlen(string));
}

void
output_put_char(struct output *output, char c)
{
    *output_room(output, 1) = c;
    output->used++;
}

void
output_format(struct output *output, const char *format, ...)
{
    char    text[1024];
    va_list arguments;
    int     length;

    va_start(arguments, format);
    length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length > 0)
        output_put(output, text, (size_t) length < sizeof text ? (size_t) length : sizeof text - 1);
}

int
output_finish(struct output *output)
{
    int status = EXIT_DONE;

    if (output->fd < 0)
        return EXIT_DONE;
    (void) output_flush(output);
    if (output->temporary != NULL && output->os_errno == 0 && fsync(output->fd) != 0)
        output->os_errno = errno;
    if (output->path != NULL) {
        if (close(output->fd) != 0 && output->os_errno == 0)
            output->os_errno = errno;
        output->fd = -1;
    }
    if (output->temporary != NULL && output->os_errno == 0) {
        if (rename(output->temporary, output->path) != 0)
            output->os_errno = errno;
        else {
            guard_no_file();
            free(output->temporary);
            output->temporary = NULL;
        }
    }
    if (output->os_errno == EPIPE && output->path == NULL)
        status = EXIT_DATA_AT_FAULT;
    else if (output->os_errno != 0)
        status = complain(EXIT_DATA_AT_FAULT, output->command, name_of(output), "%s", strerror(output->os_errno));
    output_abandon(output);
    return status;
}

void
output_abandon(struct output *output)
{
    if (output->fd >= 0 && output->path != NULL)
        (void) close(output->fd);
    if (output->temporary != NULL) {
        (void) unlink(output->temporary);
        guard_no_file();
    }
    free(output->temporary);
    free(output->path);
    free(output->buffer);
    memset(output, 0, sizeof *output);
    output->fd = -1;
}
