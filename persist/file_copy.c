/* file_copy.c - see file_copy.h. */
#include "persist/file_copy.h"

#include "base/error.h"
#include "persist/file_name.h"

#define COPY_BYTES ((size_t) 64 * 1024)

knackdb_status
file_copy_bytes(struct allocator *allocator, const struct file *from_file, uint64_t from, uint64_t to,
                const struct file *to_file, uint64_t to_offset, knackdb_error *error)
{
    unsigned char *buffer = allocator_get(allocator, COPY_BYTES);
    knackdb_status status = KNACKDB_OK;

    if (buffer == NULL)
        return error_no_memory(error, "a copy of a file");
    for (uint64_t at = from; at < to && status == KNACKDB_OK;) {
        size_t bytes = to - at < COPY_BYTES ? (size_t) (to - at) : COPY_BYTES;

        status = file_read(from_file, at, buffer, bytes, &bytes, error);
        if (status == KNACKDB_OK && bytes == 0)
            break;
        if (status == KNACKDB_OK)
            status = file_write(to_file, to_offset + at - from, buffer, bytes, error);
        at += bytes;
    }
    allocator_put(allocator, buffer, COPY_BYTES);
    return status;
}

knackdb_status
file_copy(struct allocator *allocator, const struct file *file, uint64_t from, uint64_t to, const char *name,
          uint32_t mode, knackdb_error *error)
{
    struct file    copy = { 0 };
    char           unfinished[DISK_NAME_BYTES_MAX];
    knackdb_status status;

    file_name_write_unfinished(unfinished, name);
    status = file_open(file->dir, unfinished, DISK_CREATE, mode, &copy, error);
    if (status == KNACKDB_OK)
        status = file_copy_bytes(allocator, file, from, to, &copy, 0, error);
    if (status == KNACKDB_OK)
        status = file_sync(&copy, error);
    if (status == KNACKDB_OK)
        status = dir_rename(file->dir, unfinished, name, error);
    if (status == KNACKDB_OK)
        status = dir_sync(file->dir, error);
    file_close(&copy);
    return status;
}
