/* file_owner.c - see file_owner.h.
 *
 * Whoever looks after a machine is root, and the program that he looks after is not. Files are for their owner alone,
 * so one `sudo knackdb snapshot` would lock the program out of its own store. SQLite's journals are given away in the
 * same manner. Only what was just created is: a name that was there may be a link to somebody else's file. */
#include "persist/file_owner.h"

#include <sys/stat.h>
#include <unistd.h>

void
file_owner_settle(int dir, int file)
{
    struct stat about;

    if (geteuid() != 0 || fstat(dir, &about) != 0 || about.st_uid == 0)
        return;
    if (fchown(file, about.st_uid, about.st_gid) != 0)
        return; /* a share where root is nobody: the file is whose it can be */
}
