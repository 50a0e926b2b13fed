#define _GNU_SOURCE /* nftw */
#include "directory.h"

#include "failure.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void
directory_make(char *path, size_t path_bytes, const char *parent, const char *name)
{
    int length = snprintf(path, path_bytes, "%s/%s.XXXXXX", parent, name);

    if (length < 0 || (size_t) length >= path_bytes)
        fail("%s: the path is too long", parent);
    if (mkdtemp(path) == NULL)
        fail("%s: %s", path, strerror(errno));
}

static int
remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void) status;
    (void) kind;
    (void) place;
    (void) remove(path); /* what stays behind is in a temporary directory */
    return 0;
}

void
directory_remove(const char *path)
{
    (void) nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static uint64_t bytes_found; /* nftw() hands its callback no context */

static int
add_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void) path;
    (void) place;
    if (kind == FTW_F)
        bytes_found += (uint64_t) status->st_blocks * 512;
    return 0;
}

uint64_t
directory_bytes(const char *path)
{
    bytes_found = 0;
    if (nftw(path, add_one, 16, FTW_PHYS) != 0)
        fail("%s: %s", path, strerror(errno));
    return bytes_found;
}
