/* own_mounts.c - see own_mounts.h. */
#define _GNU_SOURCE
#include "own_mounts.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

static void
write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd >= 0) {
        if (write(fd, text, strlen(text)) < 0)
            perror(path);
        (void) close(fd);
    }
}

bool
own_mounts_begin(void)
{
    char  map[64];
    uid_t user = geteuid();
    gid_t group = getegid();

    if (user != 0 || unshare(CLONE_NEWNS) != 0) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
            return false;
        write_text("/proc/self/setgroups", "deny");
        (void) snprintf(map, sizeof map, "0 %u 1", (unsigned) user);
        write_text("/proc/self/uid_map", map);
        (void) snprintf(map, sizeof map, "0 %u 1", (unsigned) group);
        write_text("/proc/self/gid_map", map);
    }
    return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}
