/* memory_file.c - see memory_file.h. The disk is the first member, so that a call finds its bytes by it. */
#include "memory_file.h"

#include <stdio.h>
#include <string.h>

static int64_t
memory_size(const struct disk *disk, int file)
{
    const struct memory_file *memory = (const struct memory_file *) disk;

    (void) file;
    return (int64_t) memory->bytes;
}

static ssize_t
memory_read_at(const struct disk *disk, int file, void *to, size_t bytes, uint64_t offset)
{
    const struct memory_file *memory = (const struct memory_file *) disk;

    (void) file;
    if (offset >= memory->bytes)
        return 0;
    if (bytes > memory->bytes - offset)
        bytes = memory->bytes - (size_t) offset;
    memcpy(to, memory->data + offset, bytes);
    return (ssize_t) bytes;
}

static void
memory_close(const struct disk *disk, int handle)
{
    (void) disk;
    (void) handle;
}

void
memory_file_init(struct memory_file *memory, const char *name, const void *data, size_t bytes)
{
    memory->disk = (struct disk) { .size = memory_size, .read_at = memory_read_at, .close = memory_close };
    memory->dir.disk = &memory->disk;
    memory->dir.handle = 0;
    memcpy(memory->dir.path, "memory", sizeof "memory");
    memory->file.dir = &memory->dir;
    memory->file.handle = 1;
    (void) snprintf(memory->file.name, sizeof memory->file.name, "%s", name);
    memory->data = data;
    memory->bytes = bytes;
}
