/* overlays.c - which directory an overlay's mount names as the one that is written to, and what that one lies on.
 * file_systems.c asks the same of overlays that are there; here the lines of mountinfo are ours, and nothing has to be
 * mounted. */
#include "persist/file_system.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#define DEVICE makedev(0, 77)
#define LINE   "36 35 0:77 / /merged rw,relatime shared:1 - overlay overlay rw,lowerdir=/l,"

/* What a file system that is no good for mappings answers: each has one of these in its processes. */
#define NO_GOOD "/proc"

static int
judge(const char *mountinfo)
{
    FILE *mounts = fmemopen((void *) (uintptr_t) mountinfo, strlen(mountinfo), "r");
    dev_t device = DEVICE;
    bool  again = true;
    int   answer;

    cr_assert_not_null(mounts);
    answer = file_system_overlay_maps_well(mounts, DEVICE, &again, &device);
    cr_expect_not(again, "%s", mountinfo);
    (void) fclose(mounts);
    return answer;
}

/* The upper directory is /proc, and that is no place for mappings; or it is not found, and nothing is held against
 * it. */
static const struct {
    const char *mountinfo;
    int         answer;
} lines[] = {
    { LINE "upperdir=" NO_GOOD ",workdir=/w\n", 0 },
    { LINE "upperdir=" NO_GOOD "\n", 0 },
    { LINE "upperdir=" NO_GOOD, 0 },
    { LINE "upperdir=/pr\\157c,workdir=/w\n", 0 },
    { LINE "upperdir=\\057proc\n", 0 },
    { LINE "upperdir=/no/such\\040place,workdir=/w\n", 1 },
    { LINE "upperdir=/proc\\\n", 1 },
    { LINE "upperdir=/proc\\4\n", 1 },
    { LINE "upperdir=/proc\\18\n", 1 },
    { LINE "upperdir=/proc\\1z\n", 1 },
    { LINE "upperdir=/proc\\1+\n", 1 },
    { LINE "upperdir=/proc\\157x\n", 1 },
    { LINE "upperdir=/proc\\118\n", 1 },
    { LINE "upperdir=/proc\\11+\n", 1 },
    { LINE "upperdir=/proc\\+11\n", 1 },
    { LINE "workdir=/w\n", 1 },
    { "36 35 0:77 / /merged rw - ext4 /dev/sda rw,upperdir=" NO_GOOD "\n", 1 },
    { "36 35 0:78 / /merged rw - overlay o rw,upperdir=" NO_GOOD "\n", 1 },
    { "36 35 1:77 / /merged rw - overlay o rw,upperdir=" NO_GOOD "\n", 1 },
    { "no mount\n", 1 },
    { "", 1 },
    { "35 1 0:78 / / rw - overlay o rw,upperdir=/\n" LINE "workdir=/w\n" LINE "upperdir=" NO_GOOD "\n", 0 },
};

Test(overlays, are_judged_by_what_their_upper_directory_lies_on)
{
    struct statfs about;

    cr_assert_eq(statfs(NO_GOOD, &about), 0);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        cr_expect_eq(judge(lines[i].mountinfo), lines[i].answer, "%s", lines[i].mountinfo);
}

/* A line longer than any mount's options comes in pieces; none of them is taken for another mount's. */
Test(overlays, of_a_line_that_is_too_long_are_not_understood)
{
    static char line[40000];
    size_t      at = (size_t) snprintf(line, sizeof line, "%s", LINE);

    memset(line + at, 'x', 20000);
    (void) snprintf(line + at + 20000, sizeof line - at - 20000, ",upperdir=%s\n", NO_GOOD);
    cr_expect_eq(judge(line), 1);
}
