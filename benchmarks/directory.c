#define _GNU_SOURCE /* nftw, pipe2 */
#include "directory.h"

#include "failure.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *
directory_of_temporaries(void)
{
    const char *told = getenv("TMPDIR");

    return told != NULL && told[0] != '\0' ? told : "/tmp";
}

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

/* A child that waits for our end of a pipe to be closed, which no way to end can leave undone. What this program starts
 * may live a moment longer and write a moment more: a server, asked to die with us, has yet to hear of it. */
void
directory_remove_afterwards(const char *path)
{
    int   ends[2];
    pid_t child;
    char  byte;

    if (pipe2(ends, O_CLOEXEC) != 0)
        fail("pipe: %s", strerror(errno));
    child = fork();
    if (child < 0)
        fail("fork: %s", strerror(errno));
    if (child > 0) {
        close(ends[0]);
        return; /* the other end stays open until this program ends */
    }
    close(ends[1]);
    (void) setsid();             /* an interrupt from the terminal is not meant for it */
    (void) close(STDOUT_FILENO); /* who reads our output must not wait for it */
    (void) close(STDERR_FILENO);
    while (read(ends[0], &byte, 1) < 0 && errno == EINTR)
        ;
    for (int tries = 0; tries < 20 && access(path, F_OK) == 0; tries++) {
        directory_remove(path);
        usleep(50000);
    }
    _exit(0);
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
