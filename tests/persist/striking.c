/* striking.c - see striking.h. What is not overridden here goes to the system unasked: closing, unlocking, advice. */
#include "tests/persist/striking.h"

#include <errno.h>
#include <stdlib.h>

static bool
is_struck(struct striking *striking)
{
    return atomic_fetch_add(&striking->seen, 1) + 1 == striking->fail_at;
}

static void *
allocate(void *context, size_t bytes)
{
    struct striking *striking = context;

    return striking->kind == STRIKE_MEMORY && is_struck(striking) ? NULL : malloc(bytes);
}

static void
release(void *context, void *block, size_t bytes)
{
    (void) context;
    (void) bytes;
    free(block);
}

/* What a call gives that is struck, 0 for one that is not. The layers never change their disk; who made it may. */
static int
strike(const struct disk *disk, bool is_interruptible)
{
    struct striking *striking = (struct striking *) (uintptr_t) disk;

    if (striking->kind == STRIKE_MEMORY || (striking->kind == STRIKE_INTERRUPT && !is_interruptible) ||
        !is_struck(striking))
        return 0;
    return striking->kind == STRIKE_DISK ? -EIO : -EINTR;
}

/* A function of the disk's that may be struck: its name, its parameters, and how it is called. */
#define STRIKES_SO(is_interruptible, type, name, parameters, ...)                    \
    static type striking_##name parameters                                           \
    {                                                                                \
        int struck = strike(disk, is_interruptible);                                 \
        return struck != 0 ? struck : disk_posix()->name(disk_posix(), __VA_ARGS__); \
    }
#define STRIKES(...) STRIKES_SO(true, __VA_ARGS__)
#define FAILS(...)   STRIKES_SO(false, __VA_ARGS__)

FAILS(int, make_dir, (const struct disk *disk, const char *path, uint32_t mode), path, mode)
STRIKES(int, open_dir, (const struct disk *disk, const char *path), path)
STRIKES(int, sync_dir, (const struct disk *disk, int dir), dir)
FAILS(int, list, (const struct disk *disk, int dir, void (*hear)(void *context, const char *name), void *context), dir,
      hear, context)
STRIKES(int, rename, (const struct disk *disk, int dir, const char *from, const char *to), dir, from, to)
STRIKES(int, remove, (const struct disk *disk, int dir, const char *name), dir, name)
STRIKES(int, open, (const struct disk *disk, int dir, const char *name, enum disk_access access, uint32_t mode), dir,
        name, access, mode)
STRIKES(int64_t, size, (const struct disk *disk, int file), file)
STRIKES(ssize_t, read_at, (const struct disk *disk, int file, void *to, size_t bytes, uint64_t offset), file, to, bytes,
        offset)
STRIKES(ssize_t, write_at, (const struct disk *disk, int file, const void *from, size_t bytes, uint64_t offset), file,
        from, bytes, offset)
STRIKES(int, truncate, (const struct disk *disk, int file, uint64_t bytes), file, bytes)
STRIKES(int, sync, (const struct disk *disk, int file), file)

void
striking_begin(struct striking *striking, enum strike kind)
{
    knackdb_allocator functions = { .context = striking, .allocate = allocate, .release = release };

    striking->disk = *disk_posix();
    striking->disk.make_dir = striking_make_dir;
    striking->disk.open_dir = striking_open_dir;
    striking->disk.sync_dir = striking_sync_dir;
    striking->disk.list = striking_list;
    striking->disk.rename = striking_rename;
    striking->disk.remove = striking_remove;
    striking->disk.open = striking_open;
    striking->disk.size = striking_size;
    striking->disk.read_at = striking_read_at;
    striking->disk.write_at = striking_write_at;
    striking->disk.truncate = striking_truncate;
    striking->disk.sync = striking_sync;
    allocator_init(&striking->allocator, &functions);
    striking->kind = kind;
    striking->fail_at = 0;
    atomic_store(&striking->seen, 0);
}

bool
striking_struck(const struct striking *striking)
{
    return atomic_load(&striking->seen) >= striking->fail_at;
}

bool
striking_next(struct striking *striking)
{
    if (striking->fail_at > 0 && !striking_struck(striking))
        return false;
    striking->fail_at++;
    atomic_store(&striking->seen, 0);
    return true;
}
