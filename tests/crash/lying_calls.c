/* lying_calls.c - a lying disk as the program meets it: every call of `struct disk`.
 *
 * Each looks first at what was put into mappings meanwhile, asks the judge whether it may go on, does what
 * it is for, and tells the watcher. What a call that is refused does all the same: a failed write
 * has written its first half, a failed sync has lost track (L6), the others have done nothing. */
#include "tests/crash/lying_disk_state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct lying_disk *
of(const struct disk *face)
{
    return (struct lying_disk *) (uintptr_t) face;
}

static int
enter(struct lying_disk *disk, enum lying_call call, const char *name)
{
    lying_disk_look(disk);
    if (disk->is_off)
        return EIO;
    disk->calls++;
    return disk->judge != NULL ? disk->judge(disk->judge_context, call, name) : 0;
}

static void
leave(struct lying_disk *disk, enum lying_call call, const char *name)
{
    if (disk->watcher != NULL)
        disk->watcher(disk->watcher_context, call, name);
}

static bool
is_refused(int judgement)
{
    return judgement != 0 && judgement != LYING_SHORT;
}

/* ---- handles ---- */

static int
handle_new(struct lying_disk *disk, enum handle_kind kind, int index, bool writes)
{
    size_t at = 0;

    while (at < disk->handle_count && disk->handles[at].kind != HANDLE_FREE)
        at++;
    if (at == disk->handle_count) {
        disk->handle_count += 16;
        disk->handles = lying_memory(disk->handles, disk->handle_count * sizeof *disk->handles);
        memset(disk->handles + at, 0, 16 * sizeof *disk->handles);
    }
    disk->handles[at] = (struct handle) { .kind = kind, .index = index, .writes = writes };
    if (kind == HANDLE_FILE)
        disk->inodes[index].handles++;
    return (int) at;
}

static struct lying_dir *
dir_of(struct lying_disk *disk, int handle)
{
    if (handle < 0 || (size_t) handle >= disk->handle_count || disk->handles[handle].kind != HANDLE_DIR)
        return NULL;
    return &disk->dirs[disk->handles[handle].index];
}

static struct inode *
inode_of(struct lying_disk *disk, int handle)
{
    if (handle < 0 || (size_t) handle >= disk->handle_count || disk->handles[handle].kind != HANDLE_FILE)
        return NULL;
    return &disk->inodes[disk->handles[handle].index];
}

static struct inode *
writable_of(struct lying_disk *disk, int handle)
{
    struct inode *inode = inode_of(disk, handle);

    return inode != NULL && disk->handles[handle].writes ? inode : NULL;
}

/* ---- directories ---- */

static int
find_dir(const struct lying_disk *disk, const char *path)
{
    for (int d = 0; d < DIRS_MAX; d++) {
        if (disk->dirs[d].is_present && strcmp(disk->dirs[d].name, path) == 0)
            return d;
    }
    return -1;
}

static int
lying_make_dir(const struct disk *face, const char *path, uint32_t mode)
{
    struct lying_disk *disk = of(face);
    int                judgement = enter(disk, LYING_MAKE_DIR, path);
    int                at = 1;

    (void) mode;
    if (is_refused(judgement))
        return -judgement;
    if (find_dir(disk, path) >= 0)
        return -EEXIST;
    while (at < DIRS_MAX && disk->dirs[at].is_present)
        at++;
    if (at == DIRS_MAX)
        return -ENOSPC;
    disk->dirs[at].is_present = true;
    disk->dirs[at].is_named = false;
    (void) snprintf(disk->dirs[at].name, NAME_MAX_, "%s", path);
    leave(disk, LYING_MAKE_DIR, path);
    return 0;
}

static int
lying_open_dir(const struct disk *face, const char *path)
{
    struct lying_disk *disk = of(face);
    int                judgement = enter(disk, LYING_OPEN_DIR, path);
    int                at;

    if (is_refused(judgement))
        return -judgement;
    at = find_dir(disk, path);
    return at < 0 ? -ENOENT : handle_new(disk, HANDLE_DIR, at, false);
}

static int
lying_sync_dir(const struct disk *face, int handle)
{
    struct lying_disk *disk = of(face);
    struct lying_dir  *dir = dir_of(disk, handle);
    int                judgement = enter(disk, LYING_SYNC_DIR, dir != NULL ? dir->name : "");

    if (is_refused(judgement))
        return -judgement;
    if (dir == NULL)
        return -EBADF;
    for (size_t i = 0; i < dir->change_count; i++) {
        entries_set(&dir->durable, dir->changes[i].from, NO_INODE);
        if (dir->changes[i].to[0] != '\0')
            entries_set(&dir->durable, dir->changes[i].to, dir->changes[i].inode);
    }
    dir->change_count = 0;
    for (int d = 1; dir == &disk->dirs[0] && d < DIRS_MAX; d++)
        disk->dirs[d].is_named = disk->dirs[d].is_present;
    inodes_prune(disk);
    leave(disk, LYING_SYNC_DIR, dir->name);
    return 0;
}

static int
lying_list(const struct disk *face, int handle, void (*hear)(void *context, const char *name), void *context)
{
    struct lying_disk *disk = of(face);
    struct lying_dir  *dir = dir_of(disk, handle);
    int                judgement = enter(disk, LYING_LIST, dir != NULL ? dir->name : "");

    if (is_refused(judgement))
        return -judgement;
    if (dir == NULL)
        return -EBADF;
    for (size_t i = 0; i < dir->entries.count; i++)
        hear(context, dir->entries.list[i].name);
    return 0;
}

static void
change_names(struct lying_dir *dir, const char *from, const char *to, int inode)
{
    struct name_change *change;

    dir->changes = lying_memory(dir->changes, (dir->change_count + 1) * sizeof *dir->changes);
    change = &dir->changes[dir->change_count++];
    (void) snprintf(change->from, NAME_MAX_, "%s", from);
    (void) snprintf(change->to, NAME_MAX_, "%s", to);
    change->inode = inode;
    entries_set(&dir->entries, from, NO_INODE);
    if (to[0] != '\0')
        entries_set(&dir->entries, to, inode);
}

static int
lying_rename(const struct disk *face, int handle, const char *from, const char *to)
{
    struct lying_disk *disk = of(face);
    struct lying_dir  *dir = dir_of(disk, handle);
    int                judgement = enter(disk, LYING_RENAME, from);
    int                inode;

    if (is_refused(judgement))
        return -judgement;
    if (dir == NULL)
        return -EBADF;
    inode = entries_find(&dir->entries, from);
    if (inode == NO_INODE)
        return -ENOENT;
    change_names(dir, from, to, inode);
    (void) snprintf(disk->inodes[inode].name, NAME_MAX_, "%s", to);
    leave(disk, LYING_RENAME, to);
    return 0;
}

static int
lying_remove(const struct disk *face, int handle, const char *name)
{
    struct lying_disk *disk = of(face);
    struct lying_dir  *dir = dir_of(disk, handle);
    int                judgement = enter(disk, LYING_REMOVE, name);

    if (is_refused(judgement))
        return -judgement;
    if (dir == NULL || entries_find(&dir->entries, name) == NO_INODE)
        return -ENOENT;
    change_names(dir, name, "", NO_INODE);
    leave(disk, LYING_REMOVE, name);
    return 0;
}

static int
lying_lock(const struct disk *face, int handle, const char *name, uint32_t mode, int64_t *ret_holder)
{
    struct lying_disk *disk = of(face);
    struct lying_dir  *dir = dir_of(disk, handle);
    int                judgement = enter(disk, LYING_LOCK, name);

    (void) mode;
    *ret_holder = 0;
    if (is_refused(judgement))
        return -judgement;
    if (dir == NULL)
        return -EBADF;
    if (dir->is_locked)
        return -EAGAIN;
    if (entries_find(&dir->entries, name) == NO_INODE) {
        change_names(dir, "", name, inode_new(disk, name));
        leave(disk, LYING_LOCK, name);
    }
    dir->is_locked = true;
    return handle_new(disk, HANDLE_LOCK, (int) (dir - disk->dirs), false);
}

static void
lying_unlock(const struct disk *face, int dir, int lock)
{
    struct lying_disk *disk = of(face);

    (void) dir;
    disk->dirs[disk->handles[lock].index].is_locked = false;
    disk->handles[lock].kind = HANDLE_FREE;
}

/* ---- files ---- */

static int
lying_open(const struct disk *face, int handle, const char *name, enum disk_access access, uint32_t mode)
{
    struct lying_disk *disk = of(face);
    struct lying_dir  *dir = dir_of(disk, handle);
    enum lying_call    call = access == DISK_CREATE ? LYING_CREATE : LYING_OPEN;
    int                judgement = enter(disk, call, name);
    int                inode;
    int                file;

    (void) mode;
    if (is_refused(judgement))
        return -judgement;
    if (dir == NULL)
        return -ENOENT;
    inode = entries_find(&dir->entries, name);
    if (access != DISK_CREATE)
        return inode == NO_INODE ? -ENOENT : handle_new(disk, HANDLE_FILE, inode, access == DISK_WRITE);
    if (inode != NO_INODE)
        return -EEXIST;
    inode = inode_new(disk, name);
    change_names(dir, "", name, inode);
    file = handle_new(disk, HANDLE_FILE, inode, true);
    leave(disk, LYING_CREATE, name);
    return file;
}

static void
lying_close(const struct disk *face, int handle)
{
    struct lying_disk *disk = of(face);

    if (handle == DISK_NONE)
        return;
    if (disk->handles[handle].kind == HANDLE_FILE)
        disk->inodes[disk->handles[handle].index].handles--;
    disk->handles[handle].kind = HANDLE_FREE;
}

static int64_t
lying_size(const struct disk *face, int file)
{
    struct lying_disk *disk = of(face);
    struct inode      *inode = inode_of(disk, file);
    int                judgement = enter(disk, LYING_SIZE, inode != NULL ? inode->name : "");

    if (is_refused(judgement))
        return -judgement;
    return inode != NULL ? (int64_t) inode->size : -EBADF;
}

static ssize_t
lying_read_at(const struct disk *face, int file, void *to, size_t bytes, uint64_t offset)
{
    struct lying_disk *disk = of(face);
    struct inode      *inode = inode_of(disk, file);
    int                judgement = enter(disk, LYING_READ, inode != NULL ? inode->name : "");

    if (is_refused(judgement))
        return -judgement;
    if (inode == NULL)
        return -EBADF;
    if (offset >= inode->size || bytes == 0)
        return 0;
    if (bytes > inode->size - offset)
        bytes = (size_t) (inode->size - offset);
    if (judgement == LYING_SHORT)
        bytes = (bytes + 1) / 2;
    memcpy(to, inode->data + offset, bytes);
    return (ssize_t) bytes;
}

/* The file was given up, or should have been. */
static void
note_use(struct lying_disk *disk, const struct inode *inode)
{
    if (!inode->has_failed)
        return;
    disk->retries++;
    (void) snprintf(disk->retried, sizeof disk->retried, "%s", inode->name);
}

static void
put_bytes(struct inode *inode, const unsigned char *from, size_t bytes, uint64_t offset)
{
    size_t first = (size_t) offset / LYING_SECTOR_BYTES;
    size_t last = ((size_t) offset + bytes - 1) / LYING_SECTOR_BYTES;

    if (offset + bytes > inode->size) {
        inode_reserve(inode, offset + bytes);
        inode_push_size(inode, offset + bytes);
    }
    for (size_t s = first; s <= last; s++)
        sector_keep(inode, s);
    memcpy(inode->data + offset, from, bytes);
    for (size_t s = first; s <= last; s++)
        sector_push(inode, s, inode->data + s * LYING_SECTOR_BYTES, false);
}

static ssize_t
lying_write_at(const struct disk *face, int file, const void *from, size_t bytes, uint64_t offset)
{
    struct lying_disk *disk = of(face);
    struct inode      *inode = writable_of(disk, file);
    int                judgement = enter(disk, LYING_WRITE, inode != NULL ? inode->name : "");

    if (inode == NULL)
        return -EBADF;
    if (disk->is_off)
        return -EIO;
    note_use(disk, inode);
    if (judgement == EINTR)
        return -EINTR;
    if (judgement != 0)
        bytes = (bytes + 1) / 2;
    if (bytes > 0)
        put_bytes(inode, from, bytes, offset);
    if (is_refused(judgement))
        inode->has_failed = true;
    leave(disk, LYING_WRITE, inode->name);
    return is_refused(judgement) ? -judgement : (ssize_t) bytes;
}

static int
lying_truncate(const struct disk *face, int file, uint64_t bytes)
{
    static const unsigned char zeros[LYING_SECTOR_BYTES];
    struct lying_disk         *disk = of(face);
    struct inode              *inode = writable_of(disk, file);
    int                        judgement = enter(disk, LYING_TRUNCATE, inode != NULL ? inode->name : "");
    size_t                     first = (size_t) ((bytes + LYING_SECTOR_BYTES - 1) / LYING_SECTOR_BYTES);

    if (is_refused(judgement))
        return -judgement;
    if (inode == NULL)
        return -EBADF;
    inode_reserve(inode, bytes);
    inode_push_size(inode, bytes);
    for (size_t s = first; s < inode->capacity / LYING_SECTOR_BYTES; s++) {
        sector_keep(inode, s);
        memset(inode->data + s * LYING_SECTOR_BYTES, 0, LYING_SECTOR_BYTES);
        sector_push(inode, s, zeros, true);
    }
    if (bytes % LYING_SECTOR_BYTES != 0) { /* what is left of a page is cleared, and written like any other */
        sector_keep(inode, first - 1);
        memset(inode->data + bytes, 0, first * LYING_SECTOR_BYTES - bytes);
        sector_push(inode, first - 1, inode->data + (first - 1) * LYING_SECTOR_BYTES, false);
    }
    leave(disk, LYING_TRUNCATE, inode->name);
    return 0;
}

/* L5 and L6, for the sectors from `first` up to `end`. */
static int
sync_sectors(struct lying_disk *disk, enum lying_call call, struct inode *inode, size_t first, size_t end)
{
    int judgement = enter(disk, call, inode->name);

    if (disk->is_off)
        return -EIO;
    note_use(disk, inode);
    if (judgement == EINTR)
        return -EINTR;
    if (is_refused(judgement)) {
        inode->has_failed = true;
        for (size_t s = first; s < end; s++)
            inode->sectors[s].is_stuck = inode->sectors[s].count > 1;
        leave(disk, call, inode->name);
        return -judgement;
    }
    for (size_t s = first; s < end; s++)
        sector_sync(inode, s);
    inode_settle_sizes(inode);
    leave(disk, call, inode->name);
    return 0;
}

static int
lying_sync(const struct disk *face, int file)
{
    struct lying_disk *disk = of(face);
    struct inode      *inode = inode_of(disk, file);

    return inode != NULL ? sync_sectors(disk, LYING_SYNC, inode, 0, inode->capacity / LYING_SECTOR_BYTES) : -EBADF;
}

static int
lying_allocate(const struct disk *face, int file, uint64_t bytes)
{
    struct lying_disk *disk = of(face);
    struct inode      *inode = writable_of(disk, file);
    int                judgement = enter(disk, LYING_ALLOCATE, inode != NULL ? inode->name : "");

    if (is_refused(judgement))
        return -judgement;
    if (inode == NULL)
        return -EBADF;
    inode_reserve(inode, bytes);
    if (bytes > inode->size)
        inode_push_size(inode, bytes);
    leave(disk, LYING_ALLOCATE, inode->name);
    return 0;
}

/* ---- mappings ---- */

static int
lying_maps_well(const struct disk *face, int dir)
{
    (void) face;
    (void) dir;
    return 1;
}

static int
lying_map(const struct disk *face, int file, size_t bytes, void **ret_memory)
{
    struct lying_disk *disk = of(face);
    struct inode      *inode = writable_of(disk, file);
    int                judgement = enter(disk, LYING_MAP, inode != NULL ? inode->name : "");

    if (is_refused(judgement))
        return -judgement;
    if (inode == NULL || bytes > inode->capacity)
        return -EINVAL;
    inode->maps++;
    for (size_t s = 0; s < inode->capacity / LYING_SECTOR_BYTES; s++)
        sector_keep(inode, s);
    *ret_memory = inode->data;
    return 0;
}

static struct inode *
mapped_at(struct lying_disk *disk, const void *memory)
{
    const unsigned char *at = memory;

    for (size_t i = 0; i < disk->inode_count; i++) {
        struct inode *inode = &disk->inodes[i];

        if (inode->maps > 0 && at >= inode->data && at < inode->data + inode->capacity)
            return inode;
    }
    return NULL;
}

static void
lying_unmap(const struct disk *face, void *memory, size_t bytes)
{
    struct lying_disk *disk = of(face);
    struct inode      *inode = mapped_at(disk, memory);

    (void) bytes;
    if (!disk->is_off)
        lying_disk_look(disk);
    inode->maps--;
}

static int
lying_sync_map(const struct disk *face, void *memory, size_t bytes)
{
    struct lying_disk *disk = of(face);
    struct inode      *inode = mapped_at(disk, memory);
    size_t             first;

    if (inode == NULL)
        return -ENOMEM;
    first = (size_t) ((const unsigned char *) memory - inode->data) / LYING_SECTOR_BYTES;
    return sync_sectors(disk, LYING_SYNC_MAP, inode, first, first + bytes / LYING_SECTOR_BYTES);
}

static void
lying_nothing(const struct disk *face, void *memory, size_t bytes)
{
    (void) face;
    (void) memory;
    (void) bytes;
}

const char *
lying_call_name(enum lying_call call)
{
    static const char *const names[LYING_CALLS] = {
        "make_dir", "open_dir", "sync_dir", "list",     "rename", "remove",   "lock", "open",     "create",
        "size",     "read",     "write",    "truncate", "sync",   "allocate", "map",  "sync_map",
    };

    return names[call];
}

void
lying_calls_fill(struct disk *face)
{
    *face = (struct disk) {
        .make_dir = lying_make_dir,
        .open_dir = lying_open_dir,
        .sync_dir = lying_sync_dir,
        .list = lying_list,
        .rename = lying_rename,
        .remove = lying_remove,
        .lock = lying_lock,
        .unlock = lying_unlock,
        .open = lying_open,
        .close = lying_close,
        .size = lying_size,
        .read_at = lying_read_at,
        .write_at = lying_write_at,
        .truncate = lying_truncate,
        .sync = lying_sync,
        .allocate = lying_allocate,
        .maps_well = lying_maps_well,
        .map = lying_map,
        .unmap = lying_unmap,
        .sync_map = lying_sync_map,
        .populate = lying_nothing,
        .drop = lying_nothing,
    };
}
