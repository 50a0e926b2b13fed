/* mishaps.c - see mishaps.h. */
#include "mishaps.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WRITTEN_HANDLE    2
#define WRITTEN_BYTES_MAX ((size_t) 1024 * 1024)

static bool
strikes(struct mishaps *mishaps)
{
    return ++mishaps->seen == mishaps->fail_at;
}

static void *
allocate(void *context, size_t bytes)
{
    return strikes(context) ? NULL : malloc(bytes);
}

static void
release(void *context, void *memory, size_t bytes)
{
    (void) context;
    (void) bytes;
    free(memory);
}

/* The layers never change their disk; the one who made it may. */
static struct mishaps *
mishaps_of(const struct disk *disk)
{
    return (struct mishaps *) (uintptr_t) disk;
}

static int64_t
size(const struct disk *disk, int file)
{
    struct mishaps *mishaps = mishaps_of(disk);

    return strikes(mishaps) ? -EIO : mishaps->sound.size(disk, file) + (int64_t) mishaps->told_more;
}

static ssize_t
read_at(const struct disk *disk, int file, void *to, size_t bytes, uint64_t offset)
{
    return strikes(mishaps_of(disk)) ? -EIO : mishaps_of(disk)->sound.read_at(disk, file, to, bytes, offset);
}

static int
create(const struct disk *disk, int dir, const char *name, enum disk_access access, uint32_t mode)
{
    struct mishaps *mishaps = mishaps_of(disk);

    (void) dir;
    (void) name;
    (void) mode;
    cr_assert_eq(access, DISK_CREATE);
    mishaps->written_bytes = 0;
    mishaps->is_named = false;
    return strikes(mishaps) ? -EIO : WRITTEN_HANDLE;
}

static ssize_t
write_at(const struct disk *disk, int file, const void *from, size_t bytes, uint64_t offset)
{
    struct mishaps *mishaps = mishaps_of(disk);

    cr_assert_eq(file, WRITTEN_HANDLE);
    cr_assert_leq(offset + bytes, WRITTEN_BYTES_MAX);
    if (strikes(mishaps))
        return -ENOSPC;
    memcpy(mishaps->written + offset, from, bytes);
    if (mishaps->written_bytes < offset + bytes)
        mishaps->written_bytes = offset + bytes;
    return (ssize_t) bytes;
}

static int
sync_any(const struct disk *disk, int handle)
{
    (void) handle;
    return strikes(mishaps_of(disk)) ? -EIO : 0;
}

static int
rename_written(const struct disk *disk, int dir, const char *from, const char *to)
{
    (void) dir;
    (void) from;
    (void) to;
    if (strikes(mishaps_of(disk)))
        return -EIO;
    mishaps_of(disk)->is_named = true;
    return 0;
}

static int
remove_written(const struct disk *disk, int dir, const char *name)
{
    (void) dir;
    (void) name;
    mishaps_of(disk)->written_bytes = 0;
    return 0;
}

void
mishaps_begin(struct mishaps *mishaps, const void *data, size_t bytes)
{
    knackdb_allocator functions = { .context = mishaps, .allocate = allocate, .release = release };

    memory_file_init(&mishaps->memory, "bytes", data, bytes);
    mishaps->sound = mishaps->memory.disk;
    mishaps->memory.disk.size = size;
    mishaps->memory.disk.read_at = read_at;
    mishaps->memory.disk.open = create;
    mishaps->memory.disk.write_at = write_at;
    mishaps->memory.disk.sync = mishaps->memory.disk.sync_dir = sync_any;
    mishaps->memory.disk.rename = rename_written;
    mishaps->memory.disk.remove = remove_written;
    mishaps->written = calloc(1, WRITTEN_BYTES_MAX);
    mishaps->told_more = 0;
    mishaps->memory.file.packed = NULL;
    allocator_init(&mishaps->allocator, &functions);
    mishaps->fail_at = 0;
    mishaps->seen = 0;
}

bool
mishaps_next(struct mishaps *mishaps)
{
    if (mishaps->fail_at > mishaps->seen) {
        free(mishaps->written);
        return false;
    }
    mishaps->fail_at++;
    mishaps->seen = 0;
    mishaps->written_bytes = 0;
    mishaps->is_named = false;
    return true;
}

void
mishaps_end(struct mishaps *mishaps, knackdb_status status, knackdb_status otherwise)
{
    if (mishaps->seen >= mishaps->fail_at)
        cr_assert(status == KNACKDB_NO_MEMORY || status == KNACKDB_IO, "%d after failure %d", (int) status,
                  (int) mishaps->fail_at);
    else
        cr_assert_eq(status, otherwise, "%d though nothing failed", (int) status);
    cr_assert_eq(atomic_load(&mishaps->allocator.bytes), 0, "memory is left after failure %d", (int) mishaps->fail_at);
}
