/* dir_lock.c - one writing process a directory, for as long as it lives.
 *
 * Two locks on one file, for neither does it all:
 *
 *   byte 0  a POSIX record lock (F_SETLK). The system knows whose it is: F_GETLK names the
 *           pid, so nothing has to be written into the file and nothing stale can be read
 *           from it. But it is gone as soon as the process closes any descriptor of the
 *           file, as a host does that copies its own store's directory.
 *   byte 1  a lock of the open file (F_OFD_SETLK). It stays until our descriptor is closed,
 *           whatever else the process does, and is what decides. But it does not tell
 *           whose it is, and a fork would inherit it.
 *
 * Both end with the process, however it ends. A forked child closes the descriptor at
 * once (pthread_atfork), so no child keeps its parent's directory locked. A second open by the
 * same process would get the POSIX lock and might be refused the other without knowing
 * by whom. So this file keeps the one global of the library, a list of the directories this
 * process writes, and looks there before it opens the lock file at all. No handle could carry
 * that list: two handles opened by strangers to each other (two libraries in one program) must
 * find each other.
 *
 * L1  `held` is read and changed under `held_mutex` alone. Nothing is done under it but
 *     list work and the few calls on the lock file, so nobody waits long.
 * L2  A directory is known by device and inode, so two paths to it are one.
 * L3  The mutex is held across a fork, so that the child never inherits it locked by a thread
 *     that it does not have. The child finds its parent's entries; they carry the pid that
 *     made them and mean nothing where it is not ours. */
#define _GNU_SOURCE /* F_OFD_SETLK */
#include "persist/dir_lock.h"

#include "persist/file_owner.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct held_dir {
    dev_t            device;
    ino_t            inode;
    pid_t            pid;
    int              fd; /* -1: closed, in a child */
    struct held_dir *next;
};

static struct held_dir *held;
static pthread_mutex_t  held_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t   fork_once = PTHREAD_ONCE_INIT;

static void
fork_begins(void)
{
    (void) pthread_mutex_lock(&held_mutex);
}

static void
fork_ends(void)
{
    (void) pthread_mutex_unlock(&held_mutex);
}

/* close() may be called between fork and exec, and touches no file; the parent's descriptor keeps the lock. */
static void
child_begins(void)
{
    for (struct held_dir *entry = held; entry != NULL; entry = entry->next) {
        if (entry->fd >= 0)
            (void) close(entry->fd);
        entry->fd = -1;
    }
    (void) pthread_mutex_unlock(&held_mutex);
}

static void
watch_forks(void)
{
    (void) pthread_atfork(fork_begins, fork_ends, child_begins);
}

/* The link that points to this directory's entry of this process, or to the end. */
static struct held_dir **
find(dev_t device, ino_t inode)
{
    struct held_dir **link = &held;

    while (*link != NULL && !((*link)->device == device && (*link)->inode == inode && (*link)->pid == getpid()))
        link = &(*link)->next;
    return link;
}

static int
lock_byte(int fd, int command, off_t byte)
{
    struct flock region = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

    if (fcntl(fd, command, &region) == 0)
        return 0;
    return errno == EACCES ? -EAGAIN : -errno;
}

/* Who has byte 0; 0 where nobody has. */
static int64_t
find_holder(int fd)
{
    struct flock region = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1 };

    return fcntl(fd, F_GETLK, &region) == 0 && region.l_type != F_UNLCK ? region.l_pid : 0;
}

static int
open_file(int dir_fd, const char *name, uint32_t mode)
{
    int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW;
    int fd = openat(dir_fd, name, flags | O_EXCL, (mode_t) mode);

    if (fd >= 0)
        file_owner_settle(dir_fd, fd);
    else if (errno == EEXIST)
        fd = openat(dir_fd, name, flags, (mode_t) mode);
    return fd;
}

/* Locks the file; the caller holds held_mutex and knows that this process has not got it. */
static int
lock_file(int dir_fd, const char *name, uint32_t mode, int64_t *ret_holder)
{
    struct stat about;
    int         fd;
    int         result;

    fd = open_file(dir_fd, name, mode);
    if (fd < 0)
        return -errno;
    /* Asked for, whatever the umask; where another user made it, so be it. A file that has another name as well may be
     * somebody's whom it does not concern. */
    if ((mode & 077) != 0 && fstat(fd, &about) == 0 && about.st_nlink == 1)
        (void) fchmod(fd, (mode_t) mode);
    result = lock_byte(fd, F_OFD_SETLK, 1);
    if (result == -EINVAL) /* a system without them: the other lock has to do */
        result = 0;
    if (result == 0)
        result = lock_byte(fd, F_SETLK, 0);
    if (result == 0)
        return fd;
    if (result == -EAGAIN)
        *ret_holder = find_holder(fd);
    (void) close(fd);
    return result;
}

int
dir_lock_take(int dir_fd, const char *name, uint32_t mode, int64_t *ret_holder)
{
    struct held_dir *entry = NULL;
    struct stat      about;
    int              result;

    *ret_holder = 0;
    if (fstat(dir_fd, &about) != 0)
        return -errno;
    /* From malloc, not from a store's allocator: it outlives no store, but belongs to the process. */
    entry = malloc(sizeof *entry);
    if (entry == NULL)
        return -ENOMEM;
    entry->device = about.st_dev;
    entry->inode = about.st_ino;
    entry->pid = getpid();

    (void) pthread_once(&fork_once, watch_forks);
    (void) pthread_mutex_lock(&held_mutex);
    if (*find(entry->device, entry->inode) != NULL) {
        *ret_holder = entry->pid;
        result = -EAGAIN;
    } else {
        result = lock_file(dir_fd, name, mode, ret_holder);
    }
    if (result >= 0) {
        entry->fd = result;
        entry->next = held;
        held = entry;
        entry = NULL;
    }
    (void) pthread_mutex_unlock(&held_mutex);
    free(entry);
    return result;
}

/* By the descriptor, which is ours alone: the directory may have become one that nobody can ask about. */
void
dir_lock_release(int lock_fd)
{
    struct held_dir **link = &held;
    struct held_dir  *entry;

    (void) pthread_mutex_lock(&held_mutex);
    while (*link != NULL && (*link)->fd != lock_fd)
        link = &(*link)->next;
    entry = *link;
    if (entry != NULL) {
        *link = entry->next;
        (void) close(lock_fd);
    }
    (void) pthread_mutex_unlock(&held_mutex);
    free(entry);
}
