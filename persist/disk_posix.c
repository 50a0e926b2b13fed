/* disk_posix.c - the operating system as a disk.
 *
 * One system call a function, little more; disk.h says what each is for. Files are
 * opened O_CLOEXEC, so that a program the host starts does not inherit them, and
 * O_NOFOLLOW below the directory, so that nobody who may write there can point one
 * of our names elsewhere. */
#define _GNU_SOURCE /* fallocate */
#include "persist/disk.h"

#include "persist/dir_lock.h"
#include "persist/file_owner.h"
#include "persist/file_system.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int
at_fd(int dir)
{
    return dir == DISK_NO_DIR ? AT_FDCWD : dir;
}

static int
outcome(int result)
{
    return result < 0 ? -errno : result;
}

static int
posix_make_dir(const struct disk *disk, const char *path, uint32_t mode)
{
    (void) disk;
    if (mkdir(path, (mode_t) mode) != 0)
        return -errno;
    /* Whoever asks for more than the owner's rights means it: the umask has no say then. */
    return (mode & 077) != 0 ? outcome(chmod(path, (mode_t) mode)) : 0;
}

static int
posix_remove_dir(const struct disk *disk, const char *path)
{
    (void) disk;
    return outcome(rmdir(path));
}

static int
posix_open_dir(const struct disk *disk, const char *path)
{
    (void) disk;
    return outcome(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int
posix_is_named(const struct disk *disk, int file)
{
    struct stat about;

    (void) disk;
    return fstat(file, &about) != 0 ? -errno : about.st_nlink > 0;
}

/* A directory that has been removed can be synced, and that is worth nothing. */
static int
posix_sync_dir(const struct disk *disk, int dir)
{
    if (fsync(dir) != 0)
        return -errno;
    return posix_is_named(disk, dir) == 0 ? -ENOENT : 0;
}

static int
posix_list(const struct disk *disk, int dir, void (*hear)(void *context, const char *name), void *context)
{
    int            fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* a place of its own in the listing */
    DIR           *listing;
    struct dirent *entry;
    int            result;

    (void) disk;
    if (fd < 0)
        return -errno;
    listing = fdopendir(fd);
    if (listing == NULL) {
        result = -errno;
        (void) close(fd);
        return result;
    }
    for (;;) {
        errno = 0;
        entry = readdir(listing);
        if (entry == NULL)
            break;
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            hear(context, entry->d_name);
    }
    result = -errno;
    (void) closedir(listing);
    return result;
}

static int
posix_rename(const struct disk *disk, int dir, const char *from, const char *to)
{
    (void) disk;
    return outcome(renameat(at_fd(dir), from, at_fd(dir), to));
}

static int
posix_remove(const struct disk *disk, int dir, const char *name)
{
    (void) disk;
    return outcome(unlinkat(at_fd(dir), name, 0));
}

static int
posix_lock(const struct disk *disk, int dir, const char *name, uint32_t mode, int64_t *ret_holder)
{
    (void) disk;
    return dir_lock_take(dir, name, mode, ret_holder);
}

static void
posix_unlock(const struct disk *disk, int dir, int lock)
{
    (void) disk;
    (void) dir;
    dir_lock_release(lock);
}

static int
posix_open(const struct disk *disk, int dir, const char *name, enum disk_access access, uint32_t mode)
{
    int flags = O_CLOEXEC | O_NONBLOCK; /* what has a file's name may be a pipe: never wait for its other end */
    int fd;

    (void) disk;
    if (access == DISK_READ)
        flags |= O_RDONLY;
    else
        flags |= O_RDWR;
    if (access == DISK_CREATE)
        flags |= O_CREAT | O_EXCL;
    if (dir != DISK_NO_DIR)
        flags |= O_NOFOLLOW;
    fd = openat(at_fd(dir), name, flags, (mode_t) mode);
    if (fd < 0 && errno == EWOULDBLOCK) /* a file that somebody has a lease on, who is told, and gives it back */
        fd = openat(at_fd(dir), name, flags & ~O_NONBLOCK, (mode_t) mode);
    if (fd < 0)
        return -errno;
    if (access == DISK_CREATE && (mode & 077) != 0 && fchmod(fd, (mode_t) mode) != 0) {
        int result = -errno;

        (void) close(fd);
        return result;
    }
    if (access == DISK_CREATE && dir != DISK_NO_DIR)
        file_owner_settle(dir, fd);
    return fd;
}

static void
posix_close(const struct disk *disk, int handle)
{
    (void) disk;
    if (handle != DISK_NONE)
        (void) close(handle);
}

/* -1 as a size would be an errno; only regular files have one here. */
static int64_t
posix_size(const struct disk *disk, int file)
{
    struct stat about;

    (void) disk;
    if (fstat(file, &about) != 0)
        return -errno;
    return S_ISREG(about.st_mode) ? (int64_t) about.st_size : -EINVAL;
}

static int
posix_mode(const struct disk *disk, int file)
{
    struct stat about;

    (void) disk;
    return fstat(file, &about) != 0 ? -errno : (int) (about.st_mode & 0777);
}

static ssize_t
posix_read_at(const struct disk *disk, int file, void *to, size_t bytes, uint64_t offset)
{
    ssize_t result = pread(file, to, bytes, (off_t) offset);

    (void) disk;
    return result < 0 ? -errno : result;
}

static ssize_t
posix_write_at(const struct disk *disk, int file, const void *from, size_t bytes, uint64_t offset)
{
    ssize_t result = pwrite(file, from, bytes, (off_t) offset);

    (void) disk;
    return result < 0 ? -errno : result;
}

static int
posix_truncate(const struct disk *disk, int file, uint64_t bytes)
{
    (void) disk;
    return outcome(ftruncate(file, (off_t) bytes));
}

static int
posix_sync(const struct disk *disk, int file)
{
    (void) disk;
    return outcome(fdatasync(file));
}

/* fallocate rather than posix_fallocate: where the file system cannot, glibc would write
 * a byte to every block, and where blocks are copied on write that sets nothing aside. */
static int
posix_allocate(const struct disk *disk, int file, uint64_t bytes)
{
    (void) disk;
    if (fallocate(file, 0, 0, (off_t) bytes) == 0)
        return 0;
    return errno == ENOSYS ? -EOPNOTSUPP : -errno;
}

static int
posix_maps_well(const struct disk *disk, int dir)
{
    (void) disk;
    return file_system_maps_well(dir);
}

/* The first touch of a page reads no others with it: what is mapped is new and all zeros, and a device may be set to
 * read eight megabytes ahead, which then are three milliseconds of zeros in a store. */
static int
posix_map(const struct disk *disk, int file, size_t bytes, void **ret_memory)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);

    (void) disk;
    if (memory == MAP_FAILED)
        return -errno;
    (void) madvise(memory, bytes, MADV_RANDOM);
    *ret_memory = memory;
    return 0;
}

static void
posix_unmap(const struct disk *disk, void *memory, size_t bytes)
{
    (void) disk;
    (void) munmap(memory, bytes);
}

/* Pages may be larger than what callers count in: 16 and 64 KiB on some kernels of aarch64. The system takes no address
 * within one. So what is to be synced or made ready is widened to where its first page begins, as a mapping begins with
 * one; what is to be dropped is narrowed to whole pages. */
static uintptr_t
page_mask(void)
{
    return ~((uintptr_t) sysconf(_SC_PAGESIZE) - 1);
}

/* On Linux this is fdatasync for a range: the same call into the file system (vfs_fsync_range), the same journal
 * commit and cache flush, the same errors. But only the pages in the range are written and then
 * write-protected again, so pages made ready for what comes next stay ready. */
static int
posix_sync_map(const struct disk *disk, void *memory, size_t bytes)
{
    uintptr_t begin = (uintptr_t) memory & page_mask();

    (void) disk;
    return outcome(msync((void *) begin, (uintptr_t) memory + bytes - begin, MS_SYNC));
}

/* A kernel before 5.14 does not know the call; the pages are then made as they are written. */
static void
posix_populate(const struct disk *disk, void *memory, size_t bytes)
{
    (void) disk;
#ifdef MADV_POPULATE_WRITE
    uintptr_t begin = (uintptr_t) memory & page_mask();

    (void) madvise((void *) begin, (uintptr_t) memory + bytes - begin, MADV_POPULATE_WRITE);
#else
    (void) memory;
    (void) bytes;
#endif
}

static void
posix_drop(const struct disk *disk, void *memory, size_t bytes)
{
    uintptr_t begin = (uintptr_t) memory & page_mask(); /* what was let go before it comes first: nobody writes there */
    uintptr_t end = ((uintptr_t) memory + bytes) & page_mask();

    (void) disk;
    if (begin < end)
        (void) madvise((void *) begin, end - begin, MADV_DONTNEED);
}

const struct disk *
disk_posix(void)
{
    static const struct disk disk = {
        .make_dir = posix_make_dir,
        .remove_dir = posix_remove_dir,
        .open_dir = posix_open_dir,
        .sync_dir = posix_sync_dir,
        .list = posix_list,
        .rename = posix_rename,
        .remove = posix_remove,
        .lock = posix_lock,
        .unlock = posix_unlock,
        .open = posix_open,
        .close = posix_close,
        .size = posix_size,
        .mode = posix_mode,
        .read_at = posix_read_at,
        .write_at = posix_write_at,
        .truncate = posix_truncate,
        .sync = posix_sync,
        .is_named = posix_is_named,
        .allocate = posix_allocate,
        .maps_well = posix_maps_well,
        .map = posix_map,
        .unmap = posix_unmap,
        .sync_map = posix_sync_map,
        .populate = posix_populate,
        .drop = posix_drop,
    };

    return &disk;
}
