/* directory.c - what a path may be.
 *
 *     nothing there          made, with its name synced into the directory above
 *     an empty file          replaced: SQLite's habit, and what tempfile calls leave behind
 *     an SQLite database     refused, with the command that imports it
 *     any other file         refused
 *     a directory            opened; whether a store is in it, its manifests tell
 *
 * A directory with other people's files in it is taken, too, as one would expect of
 * a program told to keep its data in ".": our names are our own (file_name.h), we open
 * and remove nothing else, and create under no name that does not say knackdb's. */
#include "persist/directory.h"

#include "base/error.h"
#include "persist/file_name.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define BESIDE_A_WRITER "others may open it read-only meanwhile"

static const char sqlite_magic[16] = "SQLite format 3";

/* r becomes x, too. */
static uint32_t
directory_mode(uint32_t file_mode)
{
    return file_mode | (file_mode & 0444u) >> 2;
}

/* The path is there and is no directory. OK where it is an empty file; otherwise why it is refused. */
static knackdb_status
judge_file(const struct disk *disk, const char *path, knackdb_error *error)
{
    char    first[sizeof sqlite_magic];
    ssize_t bytes = 0;
    int64_t size;
    int     handle = disk->open(disk, DISK_NO_DIR, path, DISK_READ, 0);

    if (handle < 0)
        return error_set_errno(error, -handle, "%s: cannot open it", path);
    size = disk->size(disk, handle);
    if (size > 0)
        bytes = disk->read_at(disk, handle, first, sizeof first, 0);
    disk->close(disk, handle);
    if (size == 0)
        return KNACKDB_OK;
    if (bytes == (ssize_t) sizeof first && memcmp(first, sqlite_magic, sizeof first) == 0)
        return error_set(
            error, KNACKDB_INVALID,
            "%s: this is an SQLite database; bring it into a new directory with: knackdb import DIR TABLE %s", path,
            path);
    return error_set(error, KNACKDB_INVALID, "%s: this is %s, not a directory", path,
                     size > 0 ? "a file" : "no plain file");
}

/* The entry in the directory above must last, or a power cut takes the whole store with it. */
static knackdb_status
sync_above(const struct disk *disk, const char *path, knackdb_error *error)
{
    struct dir     above;
    char           name[DISK_PATH_BYTES_MAX];
    size_t         length = strlen(path);
    knackdb_status status;

    while (length > 0 && path[length - 1] == '/')
        length--;
    while (length > 0 && path[length - 1] != '/')
        length--;
    if (length >= sizeof name)
        return error_set(error, KNACKDB_INVALID, "a path of %zu bytes is too long; %d fit", length,
                         DISK_PATH_BYTES_MAX - 1);
    memcpy(name, path, length);
    name[length] = '\0';
    status = dir_open(disk, length == 0 ? "." : name, &above, error);
    if (status != KNACKDB_OK)
        return status;
    status = dir_sync(&above, error);
    dir_close(&above);
    return status;
}

static knackdb_status
make(const struct disk *disk, const char *path, uint32_t file_mode, bool *ret_made, knackdb_error *error)
{
    int result = disk->make_dir(disk, path, directory_mode(file_mode));

    if (result < 0)
        return error_set_errno(error, -result, "%s: cannot make the directory", path);
    *ret_made = true;
    return sync_above(disk, path, error);
}

knackdb_status
directory_sync_name(const struct disk *disk, const char *path, knackdb_error *error)
{
    knackdb_error  why = { 0 };
    knackdb_status status = sync_above(disk, path, &why);

    if (status == KNACKDB_OK || status == KNACKDB_NOT_FOUND || why.os_errno == EACCES || why.os_errno == EPERM)
        return KNACKDB_OK;
    if (error != NULL)
        *error = why;
    return status;
}

knackdb_status
directory_open(const struct disk *disk, const char *path, bool creates, uint32_t file_mode, struct dir *ret_dir,
               bool *ret_made, knackdb_error *error)
{
    knackdb_status status;
    knackdb_error  why = { 0 };
    int            result;

    *ret_made = false;
    status = dir_open(disk, path, ret_dir, &why);
    if (status == KNACKDB_IO && why.os_errno == ENOTDIR) {
        status = judge_file(disk, path, error);
        if (status != KNACKDB_OK)
            return status;
        if (!creates)
            return error_set(error, KNACKDB_NOT_FOUND, "%s: this is an empty file; there is no store", path);
        result = disk->remove(disk, DISK_NO_DIR, path);
        if (result < 0)
            return error_set_errno(error, -result, "%s: cannot replace the empty file", path);
        status = KNACKDB_NOT_FOUND;
    }
    if (status == KNACKDB_NOT_FOUND && creates) {
        status = make(disk, path, file_mode, ret_made, error);
        if (status != KNACKDB_OK)
            return status;
        return dir_open(disk, path, ret_dir, error);
    }
    if (status != KNACKDB_OK && error != NULL)
        *error = why;
    return status;
}

knackdb_status
directory_lock(const struct dir *dir, uint32_t file_mode, int *ret_lock, knackdb_error *error)
{
    int64_t holder = 0;
    int     result = dir->disk->lock(dir->disk, dir->handle, FILE_NAME_LOCK, file_mode, &holder);

    if (result == -EAGAIN && holder != 0)
        return error_set(error, KNACKDB_BUSY, "%s: process %" PRId64 " has it open for writing; " BESIDE_A_WRITER,
                         dir->path, holder);
    if (result == -EAGAIN)
        return error_set(error, KNACKDB_BUSY, "%s: another process has it open for writing; " BESIDE_A_WRITER,
                         dir->path);
    if (result < 0)
        return error_set_errno(error, -result, "%s/%s: cannot lock", dir->path, FILE_NAME_LOCK);
    *ret_lock = result;
    return KNACKDB_OK;
}

void
directory_unlock(const struct dir *dir, int lock)
{
    if (lock != DISK_NONE)
        dir->disk->unlock(dir->disk, dir->handle, lock);
}
