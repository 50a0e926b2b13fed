/* dir_lock.c - one writing process a directory, for as long as it lives.
 *
 * The lock is a POSIX record lock (fcntl F_SETLK) on a file of the directory. The
 * system drops it when the process ends, however it ends, and F_GETLK names the pid
 * of the holder, so nothing has to be written into the file and nothing stale can
 * be read from it. A fork does not inherit it: a child cannot keep its parent's
 * directory locked.
 *
 * Such a lock has two holes, both within one process: a second lock by the same
 * process succeeds, and closing any descriptor of the file drops the lock. So this
 * file keeps the one global of the library, a list of the directories this
 * process writes, and looks there before it opens the lock file at all. No
 * handle could carry that list: two handles opened by strangers to each other (two
 * libraries in one program) must find each other.
 *
 * L1  `held` is read and changed under `held_mutex` alone. Nothing is done under it
 *     but list work and the few calls on the lock file, so nobody waits long.
 * L2  A directory is known by device and inode, so two paths to it are one.
 * L3  After a fork the child finds its parent's entries. They carry the pid that made
 *     them and mean nothing where it is not ours: the system's lock decides then. The
 *     mutex is held across a fork, so that the child never inherits it locked
 *     by a thread that it does not have. */
#include "persist/dir_lock.h"

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

static void
watch_forks(void)
{
    (void) pthread_atfork(fork_begins, fork_ends, fork_ends);
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

/* Locks the file; the caller holds held_mutex and knows that no descriptor of ours is open on it. */
static int
lock_file(int dir_fd, const char *name, uint32_t mode, int64_t *ret_holder)
{
    struct flock region = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int          fd;
    int          result;

    fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, (mode_t) mode);
    if (fd < 0)
        return -errno;
    if (fcntl(fd, F_SETLK, &region) == 0)
        return fd;
    result = errno == EACCES ? -EAGAIN : -errno;
    if (result == -EAGAIN) {
        region.l_type = F_WRLCK;
        *ret_holder = fcntl(fd, F_GETLK, &region) == 0 && region.l_type != F_UNLCK ? region.l_pid : 0;
    }
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
        entry->next = held;
        held = entry;
        entry = NULL;
    }
    (void) pthread_mutex_unlock(&held_mutex);
    free(entry);
    return result;
}

void
dir_lock_release(int dir_fd, int lock_fd)
{
    struct held_dir **link;
    struct held_dir  *entry = NULL;
    struct stat       about;

    (void) pthread_mutex_lock(&held_mutex);
    if (fstat(dir_fd, &about) == 0) {
        link = find(about.st_dev, about.st_ino);
        entry = *link;
        if (entry != NULL)
            *link = entry->next;
    }
    (void) close(lock_fd);
    (void) pthread_mutex_unlock(&held_mutex);
    free(entry);
}
