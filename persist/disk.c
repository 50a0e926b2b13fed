/* disk.c - the calls of a disk, made whole.
 *
 * A system call may be interrupted, and a read or write may stop half way. Here, and
 * nowhere else, it is taken up again. What comes out is either all that was asked
 * for or an error that names the file and the errno.
 *
 * An interrupted fsync is asked again: EINTR says that nothing was decided. Any
 * other failure of a write or a sync is final for that file, and it is the caller who
 * must remember that: the system may have dropped the pages and may call the
 * next sync a success. */
#include "persist/disk.h"

#include "base/error.h"
#include "persist/packed_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A signal a microsecond could keep a call from ever ending; a disk that answers nothing else has failed. */
#define INTERRUPTIONS_MAX 1000

#define AGAIN(result, call)                                                \
    do {                                                                   \
        int interruptions = 0;                                             \
        do                                                                 \
            (result) = (call);                                             \
        while ((result) == -EINTR && ++interruptions < INTERRUPTIONS_MAX); \
    } while (0)

static bool
copy_name(char *to, size_t capacity, const char *from)
{
    size_t length = strlen(from);

    if (length >= capacity)
        return false;
    memcpy(to, from, length + 1);
    return true;
}

static knackdb_status
file_failed(const struct file *file, int result, const char *what, knackdb_error *error)
{
    return error_set_errno(error, -result, "%s/%s: cannot %s", file->dir->path, file->name, what);
}

knackdb_status
dir_open(const struct disk *disk, const char *path, struct dir *ret_dir, knackdb_error *error)
{
    int handle;

    if (!copy_name(ret_dir->path, sizeof ret_dir->path, path))
        return error_set(error, KNACKDB_INVALID, "a path of %zu bytes is too long; %d fit", strlen(path),
                         DISK_PATH_BYTES_MAX - 1);
    AGAIN(handle, disk->open_dir(disk, path));
    if (handle == -ENOENT)
        return error_set(error, KNACKDB_NOT_FOUND, "%s: no such directory", path);
    if (handle < 0)
        return error_set_errno(error, -handle, "%s: cannot open the directory", path);
    ret_dir->disk = disk;
    ret_dir->handle = handle;
    return KNACKDB_OK;
}

void
dir_close(struct dir *dir)
{
    if (dir->disk != NULL && dir->handle != DISK_NONE)
        dir->disk->close(dir->disk, dir->handle);
    dir->disk = NULL;
    dir->handle = DISK_NONE;
}

knackdb_status
dir_sync(const struct dir *dir, knackdb_error *error)
{
    int result;

    AGAIN(result, dir->disk->sync_dir(dir->disk, dir->handle));
    if (result < 0)
        return error_set_errno(error, -result, "%s: cannot sync the directory", dir->path);
    return KNACKDB_OK;
}

knackdb_status
dir_list(const struct dir *dir, void (*hear)(void *context, const char *name), void *context, knackdb_error *error)
{
    int result = dir->disk->list(dir->disk, dir->handle, hear, context);

    if (result < 0)
        return error_set_errno(error, -result, "%s: cannot list the directory", dir->path);
    return KNACKDB_OK;
}

knackdb_status
dir_rename(const struct dir *dir, const char *from, const char *to, knackdb_error *error)
{
    int result;

    AGAIN(result, dir->disk->rename(dir->disk, dir->handle, from, to));
    if (result < 0)
        return error_set_errno(error, -result, "%s/%s: cannot rename it to %s", dir->path, from, to);
    return KNACKDB_OK;
}

knackdb_status
dir_remove(const struct dir *dir, const char *name, knackdb_error *error)
{
    int result;

    AGAIN(result, dir->disk->remove(dir->disk, dir->handle, name));
    if (result < 0 && result != -ENOENT)
        return error_set_errno(error, -result, "%s/%s: cannot remove it", dir->path, name);
    return KNACKDB_OK;
}

bool
dir_maps_well(const struct dir *dir)
{
    return dir->disk->maps_well != NULL && dir->disk->maps_well(dir->disk, dir->handle) == 1;
}

knackdb_status
file_open(const struct dir *dir, const char *name, enum disk_access access, uint32_t mode, struct file *ret_file,
          knackdb_error *error)
{
    const struct disk *disk = dir->disk;
    int                handle;

    if (!copy_name(ret_file->name, sizeof ret_file->name, name))
        return error_set(error, KNACKDB_INVALID, "%s/%s: the name is too long", dir->path, name);
    AGAIN(handle, disk->open(disk, dir->handle, name, access, mode));
    if (handle == -EEXIST && access == DISK_CREATE) {
        /* Left behind by a life before this one. A new file, rather than the old one
         * emptied: whoever still reads the old one goes on reading what it was. */
        knackdb_status status = dir_remove(dir, name, error);

        if (status != KNACKDB_OK)
            return status;
        AGAIN(handle, disk->open(disk, dir->handle, name, access, mode));
    }
    if (handle == -ENOENT && access != DISK_CREATE)
        return error_set(error, KNACKDB_NOT_FOUND, "%s/%s: no such file", dir->path, name);
    if (handle < 0)
        return error_set_errno(error, -handle, "%s/%s: cannot %s", dir->path, name,
                               access == DISK_CREATE ? "create the file" : "open the file");
    ret_file->dir = dir;
    ret_file->handle = handle;
    ret_file->packed = NULL;
    return KNACKDB_OK;
}

void
file_close(struct file *file)
{
    if (file->dir != NULL) {
        file->dir->disk->close(file->dir->disk, file->handle);
        packed_free(file->packed);
    }
    file->packed = NULL;
    file->dir = NULL;
    file->handle = DISK_NONE;
}

knackdb_status
file_size(const struct file *file, uint64_t *ret_bytes, knackdb_error *error)
{
    int64_t result;

    if (file->packed != NULL) {
        *ret_bytes = packed_size(file->packed);
        return KNACKDB_OK;
    }
    AGAIN(result, file->dir->disk->size(file->dir->disk, file->handle));
    if (result == -EINVAL)
        return error_set(error, KNACKDB_IO, "%s/%s: a pipe, a directory or the like has the file's name",
                         file->dir->path, file->name);
    if (result < 0)
        return file_failed(file, (int) result, "ask for its size", error);
    *ret_bytes = (uint64_t) result;
    return KNACKDB_OK;
}

knackdb_status
file_find_mode(const struct file *file, uint32_t *ret_mode, knackdb_error *error)
{
    int result = 0600;

    if (file->dir->disk->mode != NULL)
        AGAIN(result, file->dir->disk->mode(file->dir->disk, file->handle));
    if (result < 0)
        return file_failed(file, result, "ask for its mode", error);
    *ret_mode = (uint32_t) result;
    return KNACKDB_OK;
}

knackdb_status
file_read(const struct file *file, uint64_t offset, void *to, size_t bytes, size_t *ret_bytes, knackdb_error *error)
{
    const struct disk *disk = file->dir->disk;
    size_t             done = 0;

    if (file->packed != NULL)
        return packed_read(file, offset, to, bytes, ret_bytes, error);
    while (done < bytes) {
        ssize_t result;

        AGAIN(result, disk->read_at(disk, file->handle, (char *) to + done, bytes - done, offset + done));
        if (result < 0)
            return file_failed(file, (int) result, "read", error);
        if (result == 0)
            break;
        done += (size_t) result;
    }
    *ret_bytes = done;
    return KNACKDB_OK;
}

knackdb_status
file_write(const struct file *file, uint64_t offset, const void *from, size_t bytes, knackdb_error *error)
{
    const struct disk *disk = file->dir->disk;
    size_t             done = 0;

    while (done < bytes) {
        ssize_t result;

        AGAIN(result, disk->write_at(disk, file->handle, (const char *) from + done, bytes - done, offset + done));
        if (result == 0)
            result = -EIO; /* POSIX does not say what this means; going on could take for ever */
        if (result < 0)
            return file_failed(file, (int) result, "write", error);
        done += (size_t) result;
    }
    return KNACKDB_OK;
}

knackdb_status
file_truncate(const struct file *file, uint64_t bytes, knackdb_error *error)
{
    int result;

    AGAIN(result, file->dir->disk->truncate(file->dir->disk, file->handle, bytes));
    return result < 0 ? file_failed(file, result, "cut it", error) : KNACKDB_OK;
}

knackdb_status
file_sync(const struct file *file, knackdb_error *error)
{
    int result;

    AGAIN(result, file->dir->disk->sync(file->dir->disk, file->handle));
    return result < 0 ? file_failed(file, result, "sync", error) : KNACKDB_OK;
}

knackdb_status
file_check_name(const struct file *file, knackdb_error *error)
{
    int result;

    if (file->dir->disk->is_named == NULL)
        return KNACKDB_OK;
    AGAIN(result, file->dir->disk->is_named(file->dir->disk, file->handle));
    if (result < 0)
        return file_failed(file, result, "ask for its names", error);
    return result > 0 ? KNACKDB_OK
                      : error_set_errno(error, ENOENT, "%s/%s: somebody has removed it", file->dir->path, file->name);
}

knackdb_status
file_allocate(const struct file *file, uint64_t bytes, knackdb_error *error)
{
    int result;

    AGAIN(result, file->dir->disk->allocate(file->dir->disk, file->handle, bytes));
    if (result == -EOPNOTSUPP)
        return error_set(error, KNACKDB_UNSUPPORTED, "%s/%s: this file system sets no space aside", file->dir->path,
                         file->name);
    return result < 0 ? file_failed(file, result, "set space aside", error) : KNACKDB_OK;
}

knackdb_status
file_map(const struct file *file, size_t bytes, void **ret_memory, knackdb_error *error)
{
    const struct disk *disk = file->dir->disk;
    int                result;

    if (disk->map == NULL)
        return error_set(error, KNACKDB_UNSUPPORTED, "%s/%s: this disk maps no files", file->dir->path, file->name);
    AGAIN(result, disk->map(disk, file->handle, bytes, ret_memory));
    return result < 0 ? file_failed(file, result, "map", error) : KNACKDB_OK;
}

knackdb_status
file_sync_map(const struct file *file, void *memory, size_t bytes, knackdb_error *error)
{
    int result;

    AGAIN(result, file->dir->disk->sync_map(file->dir->disk, memory, bytes));
    return result < 0 ? file_failed(file, result, "sync", error) : KNACKDB_OK;
}
