/* directory.c - the directory a command works on, opened with the right complaints.
 *
 * A wrong path is the commonest mistake, so it is looked for before the library is
 * asked: "no such directory" is the call's fault and says so in those words. */
#include "directory.h"

#include "complaint.h"
#include "moment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void
print_warning(void *context, knackdb_severity severity, const char *message)
{
    if (severity != KNACKDB_LOG_INFO)
        note(context, NULL, "%s", message);
}

/* The command's name goes into a callback's context and comes out unchanged. */
static void *
as_context(const char *command)
{
    union {
        const char *command;
        void       *context;
    } both = { command };

    return both.context;
}

int
directory_check(const char *command, const char *path)
{
    struct stat found;

    if (strcmp(path, ":memory:") == 0)
        return complain(EXIT_CALL_AT_FAULT, command, path, "a store in memory ends with the command; name a directory");
    if (stat(path, &found) != 0 && errno == ENOENT)
        return complain(EXIT_CALL_AT_FAULT, command, path, "no such directory");
    if (stat(path, &found) != 0)
        return complain(exit_status_of(KNACKDB_IO, errno), command, path, "%s", strerror(errno));
    if (!S_ISDIR(found.st_mode))
        return complain(EXIT_CALL_AT_FAULT, command, path, "not a directory");
    return EXIT_DONE;
}

int
directory_check_apart(const char *command, const char *directory, const char *destination)
{
    char  *copy = strdup(destination);
    char  *above = copy != NULL ? realpath(dirname(copy), NULL) : NULL;
    char  *outer = realpath(directory, NULL);
    size_t length = outer != NULL ? strlen(outer) : 0;
    bool   is_inside = above != NULL && outer != NULL && strncmp(above, outer, length) == 0 &&
                     (above[length] == '\0' || above[length] == '/');

    free(copy);
    free(above);
    free(outer);
    if (is_inside)
        return complain(EXIT_CALL_AT_FAULT, command, destination, "lies in %s itself; name a directory outside",
                        directory);
    return EXIT_DONE;
}

uint64_t
directory_bytes(const char *path)
{
    DIR                 *directory = opendir(path);
    const struct dirent *entry;
    struct stat          found;
    uint64_t             bytes = 0;

    while (directory != NULL && (entry = readdir(directory)) != NULL)
        if (fstatat(dirfd(directory), entry->d_name, &found, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(found.st_mode))
            bytes += (uint64_t) found.st_size;
    if (directory != NULL)
        (void) closedir(directory);
    return bytes;
}

/* Is there history of the log? By the names that docs/FORMAT.md gives its files. */
static bool
has_history(const char *path)
{
    DIR                 *directory = opendir(path);
    const struct dirent *entry;
    bool                 found = false;

    while (directory != NULL && !found && (entry = readdir(directory)) != NULL) {
        size_t length = strlen(entry->d_name);

        found = strncmp(entry->d_name, "past-", 5) == 0 && length > 9 &&
                strcmp(entry->d_name + length - 4, ".knh") == 0;
    }
    if (directory != NULL)
        (void) closedir(directory);
    return found;
}

/* Whose program keeps history wants it, and how much is for that program to say: what this command adds to the log
 * must not push the oldest of it out. Where there is none, none is begun. */
static void
keep_history(const char *path, knackdb_options *options)
{
    if (has_history(path))
        options->log_history_bytes = UINT64_MAX;
}

static int
open_store(const char *command, const char *path, knackdb_options *options, knackdb **ret_db)
{
    knackdb_error  error = { 0 };
    knackdb_status status;

    options->log_message = print_warning;
    options->log_context = as_context(command);
    status = knackdb_open(path, options, ret_db, &error);
    if (status == KNACKDB_OK)
        return EXIT_DONE;
    /* Found, but holding no store: as wrong a path as one that leads nowhere. */
    if (status == KNACKDB_NOT_FOUND && options->as_of_sequence == 0 && !(options->as_of_time > 0) &&
        (options->flags & KNACKDB_OPEN_SNAPSHOT) == 0)
        return complain(EXIT_CALL_AT_FAULT, command, path, "holds no knackdb store");
    return complain_status(command, path, status, &error);
}

bool
directory_take_moment(const char *command, const char *as_of, knackdb_options *options)
{
    struct moment moment = { 0 };

    if (as_of == NULL)
        return true;
    if (!moment_parse(as_of, &moment)) {
        (void) complain_usage(command, "--as-of", "'%s' is not " MOMENT_FORMS, as_of);
        return false;
    }
    if (moment.is_time ? !(moment.time > 0) : moment.sequence <= 0) {
        (void) complain_usage(command, "--as-of", "'%s' is before the first commit", as_of);
        return false;
    }
    options->as_of_sequence = moment.sequence;
    options->as_of_time = moment.is_time ? moment.time : 0;
    return true;
}

int
directory_open_to_read(const char *command, const char *path, const knackdb_options *options, knackdb **ret_db)
{
    knackdb_options reading = *options;
    int             status = directory_check(command, path);

    if (status != EXIT_DONE)
        return status;
    reading.flags |= KNACKDB_OPEN_READ_ONLY | KNACKDB_OPEN_NO_CREATE;
    return open_store(command, path, &reading, ret_db);
}

int
directory_open_to_write(const char *command, const char *path, knackdb **ret_db)
{
    knackdb_options options = knackdb_options_default();
    int             status = directory_check(command, path);

    if (status != EXIT_DONE)
        return status;
    options.flags = KNACKDB_OPEN_NO_CREATE;
    keep_history(path, &options);
    return open_store(command, path, &options, ret_db);
}

int
directory_open_or_create(const char *command, const char *path, knackdb **ret_db)
{
    knackdb_options options = knackdb_options_default();

    /* Whoever imports has the rows at hand still: better to stop at a disk that is full than to go on in memory. */
    options.flags = KNACKDB_OPEN_REFUSE_DEGRADED;
    keep_history(path, &options);
    return open_store(command, path, &options, ret_db);
}

int
directory_close(const char *command, const char *path, knackdb *db, int status)
{
    knackdb_error  error = { 0 };
    knackdb_status closed = knackdb_close(db, &error);

    if (status == EXIT_DONE && closed != KNACKDB_OK)
        return complain_status(command, path, closed, &error);
    return status;
}

int
table_find(const char *command, const char *name)
{
    int    table = knackdb_table_by_name(name);
    char   names[600] = "";
    size_t used = 0;

    if (table >= 0)
        return table;
    for (size_t i = 0; i < knackdb_table_count() && used < sizeof names; i++)
        used += (size_t) snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? ", " : "",
                                  knackdb_table_describe((int) i)->name);
    (void) complain(EXIT_CALL_AT_FAULT, command, name, "no such table; there are %s", names);
    return -1;
}
