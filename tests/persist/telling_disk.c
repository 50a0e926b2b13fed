/* telling_disk.c - see telling_disk.h. */
#include "tests/persist/telling_disk.h"

struct telling_disk telling;

static int
telling_open(const struct disk *self, int dir, const char *name, enum disk_access access, uint32_t mode)
{
    int result = telling.before_open != NULL ? telling.before_open(name, access) : 0;

    (void) self;
    return result < 0 ? result : disk_posix()->open(disk_posix(), dir, name, access, mode);
}

static int
telling_remove(const struct disk *self, int dir, const char *name)
{
    int result = telling.before_remove != NULL ? telling.before_remove(name) : 0;

    (void) self;
    return result < 0 ? result : disk_posix()->remove(disk_posix(), dir, name);
}

static int
telling_sync_dir(const struct disk *self, int dir)
{
    int result = telling.before_sync_dir != NULL ? telling.before_sync_dir() : 0;

    (void) self;
    return result < 0 ? result : disk_posix()->sync_dir(disk_posix(), dir);
}

static int
telling_allocate(const struct disk *self, int file, uint64_t bytes)
{
    int result = telling.before_allocate != NULL ? telling.before_allocate() : 0;

    (void) self;
    return result < 0 ? result : disk_posix()->allocate(disk_posix(), file, bytes);
}

static int
telling_rename(const struct disk *self, int dir, const char *from, const char *to)
{
    int result = disk_posix()->rename(disk_posix(), dir, from, to);

    (void) self;
    if (telling.after_rename != NULL)
        telling.after_rename(to);
    return result;
}

static void
telling_unmap(const struct disk *self, void *memory, size_t bytes)
{
    (void) self;
    if (telling.before_unmap != NULL)
        telling.before_unmap();
    disk_posix()->unmap(disk_posix(), memory, bytes);
}

static void
telling_populate(const struct disk *self, void *memory, size_t bytes)
{
    (void) self;
    if (telling.before_populate != NULL)
        telling.before_populate();
    disk_posix()->populate(disk_posix(), memory, bytes);
}

static int
telling_sync_map(const struct disk *self, void *memory, size_t bytes)
{
    int result = disk_posix()->sync_map(disk_posix(), memory, bytes);

    (void) self;
    if (telling.after_sync_map != NULL)
        telling.after_sync_map();
    return result;
}

static int
telling_open_dir(const struct disk *self, const char *path)
{
    (void) self;
    if (telling.after_open_dir != NULL)
        telling.after_open_dir(path);
    return disk_posix()->open_dir(disk_posix(), path);
}

struct keeper_options
telling_options(void)
{
    struct keeper_options options = kept_options();

    telling.disk = *disk_posix();
    telling.disk.open = telling_open;
    telling.disk.remove = telling_remove;
    telling.disk.sync_dir = telling_sync_dir;
    telling.disk.allocate = telling_allocate;
    telling.disk.rename = telling_rename;
    telling.disk.unmap = telling_unmap;
    telling.disk.sync_map = telling_sync_map;
    telling.disk.populate = telling_populate;
    telling.disk.open_dir = telling_open_dir;
    options.disk = &telling.disk;
    return options;
}
