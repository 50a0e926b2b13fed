/* input.c - a file's bytes as a window that moves over them, unpacked where they are gzip.
 *
 * zlib reads both gzip and anything else, so there is one path for both. A reader that
 * finds its row cut off at the end of the window asks for more; the rest of the
 * window then moves to the front of the buffer, which doubles only when one row fills
 * all of it. Memory is bounded by the longest row, not by the file. */
#include "input.h"

#include "complaint.h"
#include "progress.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define FIRST_BUFFER_BYTES ((size_t) 1024 * 1024)
#define UNPACK_BYTES       (256u * 1024)

struct input {
    const char *command;
    const char *name;
    gzFile      file;
    char       *buffer;
    size_t      capacity;
    size_t      begin, end; /* of the window */
    bool        is_all;     /* the file ends with the window */
};

static int
complain_of_system(const char *command, const char *name, int os_errno)
{
    return complain(exit_status_of(KNACKDB_IO, os_errno), command, name, "%s", strerror(os_errno));
}

/* Copies what cannot be read twice, standard input or a pipe, into a file without a name. */
static int
put_aside(const char *command, const char *name, int from, int *ret_fd)
{
    const char *folder = getenv("TMPDIR");
    char        path[4096];
    char        copy[64 * 1024];
    int         fd = -1;
    int         status;
    ssize_t     count;

    if (snprintf(path, sizeof path, "%s/knackdb-import-XXXXXX", folder != NULL && *folder != '\0' ? folder : "/tmp") >=
        (int) sizeof path)
        return complain_of_system(command, "TMPDIR", ENAMETOOLONG);
    fd = mkstemp(path);
    if (fd < 0)
        return complain_of_system(command, path, errno);
    (void) unlink(path);
    while ((count = read(from, copy, sizeof copy)) != 0) {
        ssize_t done = 0;

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0) {
            status = complain_of_system(command, name, errno);
            goto fail;
        }
        while (done < count) {
            ssize_t written = write(fd, copy + done, (size_t) (count - done));

            if (written < 0 && errno != EINTR) {
                status = complain_of_system(command, "a temporary copy of the input", errno);
                goto fail;
            }
            done += written > 0 ? written : 0;
        }
    }
    if (lseek(fd, 0, SEEK_SET) != 0) {
        status = complain_of_system(command, "a temporary copy of the input", errno);
        goto fail;
    }
    *ret_fd = fd;
    return EXIT_DONE;

fail:
    (void) close(fd);
    return status;
}

int
input_open(const char *command, const char *path, bool must_rewind, struct input **ret_input)
{
    bool          is_standard = strcmp(path, "-") == 0;
    const char   *name = is_standard ? "standard input" : path;
    struct input *input = NULL;
    struct stat   found;
    int           fd, copy = -1;
    int           status = EXIT_DONE;

    fd = is_standard ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &found) != 0) {
        status = complain_of_system(command, name, errno);
        goto out;
    }
    if (isatty(fd) == 1)
        progress_end(); /* what is typed stands there */
    if (S_ISDIR(found.st_mode)) {
        status = complain_of_system(command, name, EISDIR);
        goto out;
    }
    if (must_rewind && (is_standard || !S_ISREG(found.st_mode))) {
        status = put_aside(command, name, fd, &copy);
        if (status != EXIT_DONE)
            goto out;
        (void) close(fd);
        fd = copy;
    }
    input = calloc(1, sizeof *input);
    if (input == NULL || (input->buffer = malloc(FIRST_BUFFER_BYTES)) == NULL ||
        (input->file = gzdopen(fd, "rb")) == NULL) {
        status = complain(EXIT_DATA_AT_FAULT, command, path, "out of memory");
        goto out;
    }
    fd = -1; /* belongs to input->file now */
    (void) gzbuffer(input->file, UNPACK_BYTES);
    input->command = command;
    input->name = name;
    input->capacity = FIRST_BUFFER_BYTES;
    *ret_input = input;
    input = NULL;

out:
    input_close(input);
    if (fd >= 0)
        (void) close(fd);
    return status;
}

void
input_close(struct input *input)
{
    if (input == NULL)
        return;
    if (input->file != NULL)
        (void) gzclose_r(input->file);
    free(input->buffer);
    free(input);
}

char *
input_window(struct input *input, size_t *ret_length, bool *ret_is_all)
{
    *ret_length = input->end - input->begin;
    *ret_is_all = input->is_all;
    return input->buffer + input->begin;
}

void
input_take(struct input *input, size_t bytes)
{
    input->begin += bytes;
}

static bool
complain_of_read(struct input *input)
{
    int         code;
    const char *why = gzerror(input->file, &code);

    if (code == Z_ERRNO)
        (void) complain_of_system(input->command, input->name, errno);
    else if (code == Z_BUF_ERROR)
        (void) complain(EXIT_DATA_AT_FAULT, input->command, input->name, "the gzip data is cut off");
    else
        (void) complain(EXIT_DATA_AT_FAULT, input->command, input->name, "damaged gzip data: %s", why);
    return false;
}

bool
input_read_more(struct input *input)
{
    size_t length = input->end - input->begin;
    size_t room;
    int    count;
    int    code;

    if (input->begin > 0) {
        memmove(input->buffer, input->buffer + input->begin, length);
        input->begin = 0;
        input->end = length;
    } else if (length == input->capacity) {
        char *buffer = NULL;

        if (input->capacity >= INPUT_WINDOW_BYTES_MAX) {
            (void) complain(EXIT_DATA_AT_FAULT, input->command, input->name, "a row is longer than %zu bytes",
                            INPUT_WINDOW_BYTES_MAX);
            return false;
        }
        buffer = realloc(input->buffer, input->capacity * 2);
        if (buffer == NULL) {
            (void) complain(EXIT_DATA_AT_FAULT, input->command, input->name, "out of memory for a row of %zu bytes",
                            length);
            return false;
        }
        input->buffer = buffer;
        input->capacity *= 2;
    }
    while (!input->is_all && input->end < input->capacity) {
        room = input->capacity - input->end;
        count = gzread(input->file, input->buffer + input->end, (unsigned) (room < 1u << 30 ? room : 1u << 30));
        if (count < 0)
            return complain_of_read(input);
        if (count == 0) {
            /* Data that ends within a gzip stream is told from the end only here. */
            (void) gzerror(input->file, &code);
            if (code != Z_OK && code != Z_STREAM_END)
                return complain_of_read(input);
            input->is_all = true;
        }
        input->end += (size_t) count;
    }
    return true;
}

bool
input_rewind(struct input *input)
{
    if (gzrewind(input->file) != 0)
        return complain_of_read(input);
    input->begin = input->end = 0;
    input->is_all = false;
    return true;
}

const char *
input_name(const struct input *input)
{
    return input->name;
}
