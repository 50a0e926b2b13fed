/* killing_disk.c - see killing_disk.h. A call may come from any thread of the library; the first that comes to the
 * point kills them all. */
#include "killing_disk.h"

#include "persist/disk.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HANDLES_MAX 1024

/* As the linker gives them to us. */
const struct disk *__real_disk_posix(void);
const struct disk *__wrap_disk_posix(void);

static const struct kill_point *armed;
static _Atomic int              left;
static char                     names[HANDLES_MAX][DISK_NAME_BYTES_MAX]; /* of open files */

void
killing_disk_arm(const struct kill_point *point, int occurrence)
{
    atomic_store(&left, occurrence);
    armed = point;
}

static bool
begins_and_ends(const char *name, const char *prefix, const char *ending)
{
    size_t length = strlen(name);

    return strncmp(name, prefix, strlen(prefix)) == 0 && length >= strlen(ending) &&
           strcmp(name + length - strlen(ending), ending) == 0;
}

static const char *
name_of(int handle)
{
    return handle >= 0 && handle < HANDLES_MAX ? names[handle] : "";
}

/* Counted where the dead leave it: in memory that processes share. One life at a time is under way, so one count and
 * the point it is of will do. */
struct grave {
    _Atomic(const struct kill_point *) point;
    _Atomic uint64_t                   deaths;
};

static struct grave *
grave(void)
{
    static struct grave *shared;

    if (shared == NULL)
        shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        abort();
    return shared;
}

uint64_t
killing_disk_deaths(const struct kill_point *point)
{
    struct grave *found = grave();

    return atomic_load(&found->point) == point ? atomic_load(&found->deaths) : 0;
}

static _Noreturn void
die(void)
{
    struct grave *own = grave();

    if (atomic_exchange(&own->point, armed) != armed)
        atomic_store(&own->deaths, 0);
    atomic_fetch_add(&own->deaths, 1);
    for (;;)
        (void) kill(getpid(), SIGKILL);
}

static bool
is_point(enum disk_call call, const char *name, enum kill_when when)
{
    return armed != NULL && armed->call == call && armed->when == when &&
           begins_and_ends(name, armed->prefix, armed->ending) && atomic_fetch_sub(&left, 1) == 1;
}

static void
pass(enum disk_call call, const char *name, enum kill_when when)
{
    if (is_point(call, name, when))
        die();
}

static int
killing_open(const struct disk *disk, int dir, const char *name, enum disk_access access, uint32_t mode)
{
    int handle;

    if (access == DISK_CREATE)
        pass(CALL_CREATE, name, KILL_BEFORE);
    handle = __real_disk_posix()->open(disk, dir, name, access, mode);
    if (handle >= 0 && handle < HANDLES_MAX)
        (void) snprintf(names[handle], sizeof names[handle], "%s", name);
    if (access == DISK_CREATE && handle >= 0)
        pass(CALL_CREATE, name, KILL_AFTER);
    return handle;
}

static ssize_t
killing_write_at(const struct disk *disk, int file, const void *from, size_t bytes, uint64_t offset)
{
    ssize_t result;

    pass(CALL_WRITE, name_of(file), KILL_BEFORE);
    if (is_point(CALL_WRITE, name_of(file), KILL_HALF_WAY)) {
        (void) __real_disk_posix()->write_at(disk, file, from, bytes / 2, offset);
        die();
    }
    result = __real_disk_posix()->write_at(disk, file, from, bytes, offset);
    pass(CALL_WRITE, name_of(file), KILL_AFTER);
    return result;
}

static int
killing_allocate(const struct disk *disk, int file, uint64_t bytes)
{
    int result;

    pass(CALL_ALLOCATE, name_of(file), KILL_BEFORE);
    result = __real_disk_posix()->allocate(disk, file, bytes);
    pass(CALL_ALLOCATE, name_of(file), KILL_AFTER);
    return result;
}

static int
killing_map(const struct disk *disk, int file, size_t bytes, void **ret_memory)
{
    int result;

    pass(CALL_MAP, name_of(file), KILL_BEFORE);
    result = __real_disk_posix()->map(disk, file, bytes, ret_memory);
    pass(CALL_MAP, name_of(file), KILL_AFTER);
    return result;
}

static int
killing_sync(const struct disk *disk, int file)
{
    int result;

    pass(CALL_SYNC, name_of(file), KILL_BEFORE);
    result = __real_disk_posix()->sync(disk, file);
    pass(CALL_SYNC, name_of(file), KILL_AFTER);
    return result;
}

/* Only the log is mapped. */
static int
killing_sync_map(const struct disk *disk, void *memory, size_t bytes)
{
    int result;

    pass(CALL_SYNC, "log-", KILL_BEFORE);
    result = __real_disk_posix()->sync_map(disk, memory, bytes);
    pass(CALL_SYNC, "log-", KILL_AFTER);
    return result;
}

static int
killing_sync_dir(const struct disk *disk, int dir)
{
    int result;

    pass(CALL_SYNC_DIR, "", KILL_BEFORE);
    result = __real_disk_posix()->sync_dir(disk, dir);
    pass(CALL_SYNC_DIR, "", KILL_AFTER);
    return result;
}

/* Named by what it becomes. */
static int
killing_rename(const struct disk *disk, int dir, const char *from, const char *to)
{
    int result;

    pass(CALL_RENAME, to, KILL_BEFORE);
    result = __real_disk_posix()->rename(disk, dir, from, to);
    pass(CALL_RENAME, to, KILL_AFTER);
    return result;
}

static int
killing_remove(const struct disk *disk, int dir, const char *name)
{
    int result;

    pass(CALL_REMOVE, name, KILL_BEFORE);
    result = __real_disk_posix()->remove(disk, dir, name);
    pass(CALL_REMOVE, name, KILL_AFTER);
    return result;
}

static int
killing_truncate(const struct disk *disk, int file, uint64_t bytes)
{
    int result;

    pass(CALL_TRUNCATE, name_of(file), KILL_BEFORE);
    result = __real_disk_posix()->truncate(disk, file, bytes);
    pass(CALL_TRUNCATE, name_of(file), KILL_AFTER);
    return result;
}

const struct disk *
__wrap_disk_posix(void)
{
    static struct disk disk;

    if (disk.open == NULL) { /* the first open is alone: nothing of the library runs before it */
        disk = *__real_disk_posix();
        disk.open = killing_open;
        disk.write_at = killing_write_at;
        disk.allocate = killing_allocate;
        disk.map = killing_map;
        disk.sync = killing_sync;
        disk.sync_map = killing_sync_map;
        disk.sync_dir = killing_sync_dir;
        disk.rename = killing_rename;
        disk.remove = killing_remove;
        disk.truncate = killing_truncate;
    }
    return &disk;
}
