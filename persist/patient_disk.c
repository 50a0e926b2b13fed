/* patient_disk.c - see patient_disk.h. */
#include "persist/patient_disk.h"

#include <errno.h>
#include <string.h>

/* What disks have read and lost as a whole for long. */
#define SECTOR_BYTES 4096

#define LOST_BYTE 0xa5 /* not zero, which would be the end of a log */

static const struct disk *
inner_of(const struct disk *disk)
{
    return ((const struct patient_disk *) (const void *) disk)->inner;
}

static int
patient_open_dir(const struct disk *disk, const char *path)
{
    return inner_of(disk)->open_dir(inner_of(disk), path);
}

static int
patient_list(const struct disk *disk, int dir, void (*hear)(void *context, const char *name), void *context)
{
    return inner_of(disk)->list(inner_of(disk), dir, hear, context);
}

static int
patient_open(const struct disk *disk, int dir, const char *name, enum disk_access access, uint32_t mode)
{
    return access == DISK_READ ? inner_of(disk)->open(inner_of(disk), dir, name, access, mode) : -EROFS;
}

static void
patient_close(const struct disk *disk, int handle)
{
    inner_of(disk)->close(inner_of(disk), handle);
}

static int64_t
patient_size(const struct disk *disk, int file)
{
    return inner_of(disk)->size(inner_of(disk), file);
}

/* One sector or less. How many bytes there are is known by then, as the file is at least that long. */
static ssize_t
read_sector(const struct disk *inner, int file, void *to, size_t bytes, uint64_t offset)
{
    int64_t size = inner->size(inner, file);
    ssize_t result = inner->read_at(inner, file, to, bytes, offset);

    if (result != -EIO || size < 0)
        return result;
    if (offset >= (uint64_t) size)
        return 0;
    if (bytes > (uint64_t) size - offset)
        bytes = (size_t) ((uint64_t) size - offset);
    memset(to, LOST_BYTE, bytes);
    return (ssize_t) bytes;
}

/* May come back short, as any read may: after a failure it does, so that each sector has its own chance. */
static ssize_t
patient_read_at(const struct disk *disk, int file, void *to, size_t bytes, uint64_t offset)
{
    const struct disk *inner = inner_of(disk);
    ssize_t            result = inner->read_at(inner, file, to, bytes, offset);
    size_t             left = (size_t) (SECTOR_BYTES - offset % SECTOR_BYTES);

    return result != -EIO ? result : read_sector(inner, file, to, bytes < left ? bytes : left, offset);
}

void
patient_disk_init(struct patient_disk *disk, const struct disk *inner)
{
    memset(disk, 0, sizeof *disk);
    disk->inner = inner;
    disk->face = (struct disk) {
        .open_dir = patient_open_dir,
        .list = patient_list,
        .open = patient_open,
        .close = patient_close,
        .size = patient_size,
        .read_at = patient_read_at,
    };
}
