/* scratch.c - makes, copies and removes the directories that tests work in. */
#define _XOPEN_SOURCE 700
#include "scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static _Noreturn void
give_up(const char *what, const char *path)
{
    fprintf(stderr, "scratch: %s %s: %s\n", what, path, strerror(errno));
    exit(99);
}

void
scratch_join(char path[SCRATCH_PATH_MAX], const char *directory, const char *name)
{
    if (snprintf(path, SCRATCH_PATH_MAX, "%s/%s", directory, name) >= SCRATCH_PATH_MAX) {
        errno = ENAMETOOLONG;
        give_up("join", directory);
    }
}

void
scratch_make(char path[SCRATCH_PATH_MAX])
{
    const char *parent = getenv("TMPDIR");

    scratch_join(path, parent != NULL && parent[0] != '\0' ? parent : "/tmp", "knackdb-test-XXXXXX");
    if (mkdtemp(path) == NULL)
        give_up("make", path);
}

void
scratch_prefer_memory(void)
{
    if (access("/dev/shm", W_OK) == 0)
        (void) setenv("TMPDIR", "/dev/shm", 1);
}

static int
remove_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void) info;
    (void) kind;
    (void) place;
    return remove(path) == 0 || errno == ENOENT ? 0 : -1;
}

void
scratch_remove(const char *path)
{
    if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
        give_up("remove", path);
}

static void
copy_file(const char *from, const char *to)
{
    char    buffer[65536];
    ssize_t bytes;
    int     in = open(from, O_RDONLY | O_CLOEXEC);
    int     out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (in < 0)
        give_up("open", from);
    if (out < 0)
        give_up("create", to);
    while ((bytes = read(in, buffer, sizeof buffer)) > 0)
        if (write(out, buffer, (size_t) bytes) != bytes)
            give_up("write", to);
    if (bytes < 0)
        give_up("read", from);
    close(in);
    close(out);
}

void
scratch_copy(const char *from, const char *to)
{
    DIR           *directory = opendir(from);
    struct dirent *entry;

    if (directory == NULL)
        give_up("open", from);
    if (mkdir(to, 0700) != 0)
        give_up("create", to);
    while ((entry = readdir(directory)) != NULL) {
        char        source[SCRATCH_PATH_MAX], target[SCRATCH_PATH_MAX];
        struct stat info;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        scratch_join(source, from, entry->d_name);
        scratch_join(target, to, entry->d_name);
        if (lstat(source, &info) != 0)
            give_up("look at", source);
        if (S_ISDIR(info.st_mode))
            scratch_copy(source, target);
        else if (S_ISREG(info.st_mode))
            copy_file(source, target);
    }
    closedir(directory);
}
