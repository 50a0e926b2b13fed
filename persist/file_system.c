/* file_system.c - see file_system.h.
 *
 * A page of an ext4, XFS or tmpfs file whose space has been set aside can be written through a mapping without a new
 * decision of the file system, so a full disk cannot strike in the middle of a memcpy. Where blocks are
 * copied on write (btrfs, ZFS), where the file lives on another machine (NFS, CIFS, 9P, virtiofs) or behind a
 * process (FUSE), and wherever we do not know, the log is written with write(2).
 *
 * Overlayfs hands the mapping of a file to the file system that its upper directory lies on. Which one that is it does
 * not tell; but the mount's options name the directory, and it can be asked, if it is in sight. In a container it is
 * not, as a rule: then it is taken for one of the good ones, which it nearly always is. */
#include "persist/file_system.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

/* From linux/magic.h, which names only some of them. */
#define EXT_MAGIC     0xef53u
#define XFS_MAGIC     0x58465342u
#define TMPFS_MAGIC   0x01021994u
#define OVERLAY_MAGIC 0x794c7630u

/* The options of a mount are at most a page; a longer line is not understood. */
#define LINE_BYTES 16384

/* An overlay of overlays has an end somewhere. */
#define OVERLAYS_MAX 4

static bool
is_good(uint32_t magic)
{
    return magic == EXT_MAGIC || magic == XFS_MAGIC || magic == TMPFS_MAGIC;
}

/* Blanks, tabs, line ends and backslashes of a path stand as three octal digits behind a backslash. In place. */
static void
unescape(char *path)
{
    char *to = path;

    for (const char *from = path; *from != '\0'; from++) {
        if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' && from[2] <= '7' && from[3] >= '0' &&
            from[3] <= '7') {
            *to++ = (char) ((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
            from += 3;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
}

/* The upper directory in a line of mountinfo (proc(5)), if that is the overlay of this device; NULL otherwise. */
static char *
find_upper(char *line, dev_t device)
{
    char     mark[] = " - overlay ";
    unsigned major_number;
    unsigned minor_number;
    char    *upper;

    if (sscanf(line, "%*u %*u %u:%u", &major_number, &minor_number) != 2 || major_number != major(device) ||
        minor_number != minor(device) || strstr(line, mark) == NULL)
        return NULL;
    upper = strstr(strstr(line, mark), "upperdir=");
    if (upper == NULL)
        return NULL;
    upper += strlen("upperdir=");
    upper[strcspn(upper, ",\n")] = '\0';
    unescape(upper);
    return upper;
}

int
file_system_overlay_maps_well(FILE *mounts, dev_t device, bool *ret_again, dev_t *ret_device)
{
    char          line[LINE_BYTES];
    struct statfs about;
    struct stat   status;

    *ret_again = false;
    while (fgets(line, sizeof line, mounts) != NULL) {
        const char *upper = find_upper(line, device);

        if (upper == NULL || statfs(upper, &about) != 0)
            continue;
        if ((uint32_t) about.f_type != OVERLAY_MAGIC || stat(upper, &status) != 0)
            return is_good((uint32_t) about.f_type);
        *ret_again = status.st_dev != device;
        *ret_device = status.st_dev;
        break;
    }
    return 1;
}

int
file_system_maps_well(int dir)
{
    struct statfs about;
    struct stat   status;
    dev_t         device;
    bool          again = true;
    int           answer = 1;
    FILE         *mounts;

    if (fstatfs(dir, &about) != 0 || fstat(dir, &status) != 0)
        return -errno;
    if ((uint32_t) about.f_type != OVERLAY_MAGIC)
        return is_good((uint32_t) about.f_type);
    device = status.st_dev;
    for (int i = 0; again && i < OVERLAYS_MAX; i++) {
        mounts = fopen("/proc/self/mountinfo", "re");
        if (mounts == NULL)
            return answer;
        answer = file_system_overlay_maps_well(mounts, device, &again, &device);
        (void) fclose(mounts);
    }
    return answer;
}
