#define _GNU_SOURCE /* nftw with FTW_ACTIONRETVAL */
#include "live_files.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VISITS_MAX     30000 /* entries looked at below one root */
#define PER_ROOT_SHARE 2     /* a root may give one half of a kind */

static const char *const ROOTS[] = { "/usr/bin", "/usr/share", "/usr/include", "/usr/lib", "/usr/sbin", "/etc" };

/* Files this large are taken before smaller ones are looked at: a bare system has few. */
static const off_t SIZES_MIN[] = { 48 * 1024, 12 * 1024, 2 * 1024 };

/* nftw() hands its callback no context. */
static struct {
    struct live_files *found;
    size_t             wanted;   /* of each kind */
    size_t             kinds[2]; /* found: binary, text */
    size_t             from_root[2];
    off_t              size_min;
    size_t             visits;
} search;

static bool
looks_like_text(const unsigned char *bytes, size_t size)
{
    size_t strange = 0;

    for (size_t i = 0; i < size; i++) {
        if (bytes[i] == 0)
            return false;
        strange += bytes[i] < 32 && bytes[i] != '\n' && bytes[i] != '\t' && bytes[i] != '\r' && bytes[i] != '\f';
    }
    return strange * 50 < size;
}

static bool
is_known(const char *path)
{
    for (size_t i = 0; i < search.found->count; i++)
        if (strcmp(search.found->files[i].path, path) == 0)
            return true;
    return false;
}

/* A binary must be a program or library: picture and archive files do not compress
 * and would make one task out of two. */
static bool
is_wanted(const struct live_file *file)
{
    return (file->is_text || memcmp(file->bytes, "\177ELF", 4) == 0) && search.kinds[file->is_text] < search.wanted &&
           search.from_root[file->is_text] * PER_ROOT_SHARE < search.wanted;
}

static void
look_at(const char *path)
{
    struct live_file file;
    ssize_t          size = 0;
    int              descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    memset(&file, 0, sizeof file);
    file.bytes = malloc(LIVE_FILE_BYTES_MAX);
    if (descriptor >= 0 && file.bytes != NULL)
        size = read(descriptor, file.bytes, LIVE_FILE_BYTES_MAX);
    if (descriptor >= 0)
        close(descriptor);
    if (size >= search.size_min) {
        file.size = (size_t) size;
        file.is_text = looks_like_text(file.bytes, file.size);
        snprintf(file.path, sizeof file.path, "%s", path);
        if (is_wanted(&file)) {
            search.found->files[search.found->count++] = file;
            search.kinds[file.is_text]++;
            search.from_root[file.is_text]++;
            return; /* the bytes are kept */
        }
    }
    free(file.bytes);
}

static int
visit(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    if (++search.visits > VISITS_MAX || (search.kinds[0] == search.wanted && search.kinds[1] == search.wanted))
        return FTW_STOP;
    if (kind == FTW_D && strcmp(path + place->base, "debug") == 0)
        return FTW_SKIP_SUBTREE; /* symbols apart from their programs */
    if (kind == FTW_F && S_ISREG(status->st_mode) && status->st_size >= search.size_min &&
        strlen(path) < sizeof search.found->files->path && !is_known(path))
        look_at(path);
    return FTW_CONTINUE;
}

bool
live_files_find(size_t wanted, struct live_files *ret_files)
{
    struct live_files found = { calloc(2 * wanted, sizeof *found.files), 0 };

    if (found.files == NULL)
        return false;
    memset(&search, 0, sizeof search);
    search.found = &found;
    search.wanted = wanted;
    for (size_t s = 0; s < sizeof SIZES_MIN / sizeof SIZES_MIN[0]; s++) {
        search.size_min = SIZES_MIN[s];
        for (size_t r = 0; r < sizeof ROOTS / sizeof ROOTS[0]; r++) {
            memset(search.from_root, 0, sizeof search.from_root);
            search.visits = 0;
            (void) nftw(ROOTS[r], visit, 16, FTW_PHYS | FTW_ACTIONRETVAL);
        }
    }
    if (search.kinds[0] == 0 || search.kinds[1] == 0) {
        fprintf(stderr, "found no readable %s file below /usr and /etc\n", search.kinds[0] == 0 ? "program" : "text");
        live_files_free(&found);
        return false;
    }
    *ret_files = found;
    return true;
}

void
live_files_free(struct live_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->files[i].bytes);
    free(files->files);
    memset(files, 0, sizeof *files);
}
