/* bare_disk.c - the system's disk and what stands over it, where the system says no: each call's error comes back as it
 * is, and names that no file may have are refused before the system is asked. */
#include "persist/directory.h"
#include "tests/api/scratch.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NO_HANDLE 1000000 /* of no file */

static void
hear_nothing(void *context, const char *name)
{
    (void) context;
    (void) name;
}

Test(bare_disk, gives_back_what_the_system_says)
{
    const struct disk *disk = disk_posix();
    char               bytes[8] = "";
    void              *memory;

    cr_expect_eq(disk->open_dir(disk, "/no/such/directory"), -ENOENT);
    cr_expect_eq(disk->make_dir(disk, "/no/such/directory", 0700), -ENOENT);
    cr_expect_eq(disk->remove_dir(disk, "/no/such/directory"), -ENOENT);
    cr_expect_eq(disk->sync_dir(disk, NO_HANDLE), -EBADF);
    cr_expect_eq(disk->list(disk, NO_HANDLE, hear_nothing, NULL), -EBADF);
    cr_expect_eq(disk->rename(disk, NO_HANDLE, "a", "b"), -EBADF);
    cr_expect_eq(disk->remove(disk, NO_HANDLE, "a"), -EBADF);
    cr_expect_eq(disk->open(disk, NO_HANDLE, "a", DISK_READ, 0), -EBADF);
    cr_expect_eq(disk->size(disk, NO_HANDLE), -EBADF);
    cr_expect_eq(disk->mode(disk, NO_HANDLE), -EBADF);
    cr_expect_eq(disk->read_at(disk, NO_HANDLE, bytes, 8, 0), -EBADF);
    cr_expect_eq(disk->write_at(disk, NO_HANDLE, bytes, 8, 0), -EBADF);
    cr_expect_eq(disk->truncate(disk, NO_HANDLE, 8), -EBADF);
    cr_expect_eq(disk->sync(disk, NO_HANDLE), -EBADF);
    cr_expect_eq(disk->is_named(disk, NO_HANDLE), -EBADF);
    cr_expect_eq(disk->allocate(disk, NO_HANDLE, 8), -EBADF);
    cr_expect_eq(disk->maps_well(disk, NO_HANDLE), -EBADF);
    cr_expect_eq(disk->map(disk, NO_HANDLE, 4096, &memory), -EBADF);
    disk->close(disk, DISK_NONE);
}

/* A call that is interrupted for ever is given up, not made for ever. */
#define INTERRUPTED(type, name, ...)            \
    static type interrupted_##name(__VA_ARGS__) \
    {                                           \
        return -EINTR;                          \
    }

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
INTERRUPTED(int, open_dir, const struct disk *disk, const char *path)
INTERRUPTED(int, sync_dir, const struct disk *disk, int dir)
INTERRUPTED(int, rename, const struct disk *disk, int dir, const char *from, const char *to)
INTERRUPTED(int, remove, const struct disk *disk, int dir, const char *name)
INTERRUPTED(int, open, const struct disk *disk, int dir, const char *name, enum disk_access access, uint32_t mode)
INTERRUPTED(int64_t, size, const struct disk *disk, int file)
INTERRUPTED(ssize_t, read_at, const struct disk *disk, int file, void *to, size_t bytes, uint64_t offset)
INTERRUPTED(ssize_t, write_at, const struct disk *disk, int file, const void *from, size_t bytes, uint64_t offset)
INTERRUPTED(int, truncate, const struct disk *disk, int file, uint64_t bytes)
INTERRUPTED(int, sync, const struct disk *disk, int file)
INTERRUPTED(int, is_named, const struct disk *disk, int file)
INTERRUPTED(int, allocate, const struct disk *disk, int file, uint64_t bytes)
INTERRUPTED(int, map, const struct disk *disk, int file, size_t bytes, void **ret_memory)
INTERRUPTED(int, sync_map, const struct disk *disk, void *memory, size_t bytes)
#pragma GCC diagnostic pop

static void
expect_given_up(const char *call, knackdb_status status, const knackdb_error *error)
{
    cr_expect_eq(status, KNACKDB_IO, "%s: %d", call, (int) status);
    cr_expect_eq(error->os_errno, EINTR, "%s: %s", call, error->message);
}

#define EXPECT_GIVEN_UP(call)                      \
    do {                                           \
        error = (knackdb_error) { .os_errno = 0 }; \
        status = (call);                           \
        expect_given_up(#call, status, &error);    \
    } while (0)

Test(bare_disk, is_not_asked_again_for_ever)
{
    struct disk    odd = *disk_posix();
    struct dir     dir;
    struct file    file;
    char           path[SCRATCH_PATH_MAX];
    char           bytes[8] = "";
    size_t         read;
    uint64_t       size;
    void          *memory;
    knackdb_error  error;
    knackdb_status status;

    scratch_make(path);
    cr_assert_eq(dir_open(&odd, path, &dir, &error), KNACKDB_OK);
    cr_assert_eq(file_open(&dir, "some", DISK_CREATE, 0600, &file, &error), KNACKDB_OK);
    odd.sync_dir = interrupted_sync_dir;
    odd.rename = interrupted_rename;
    odd.remove = interrupted_remove;
    odd.size = interrupted_size;
    odd.read_at = interrupted_read_at;
    odd.write_at = interrupted_write_at;
    odd.truncate = interrupted_truncate;
    odd.sync = interrupted_sync;
    odd.is_named = interrupted_is_named;
    odd.allocate = interrupted_allocate;
    odd.map = interrupted_map;
    odd.sync_map = interrupted_sync_map;
    EXPECT_GIVEN_UP(dir_sync(&dir, &error));
    EXPECT_GIVEN_UP(dir_rename(&dir, "some", "other", &error));
    EXPECT_GIVEN_UP(dir_remove(&dir, "some", &error));
    EXPECT_GIVEN_UP(file_size(&file, &size, &error));
    EXPECT_GIVEN_UP(file_read(&file, 0, bytes, 8, &read, &error));
    EXPECT_GIVEN_UP(file_write(&file, 0, bytes, 8, &error));
    EXPECT_GIVEN_UP(file_truncate(&file, 8, &error));
    EXPECT_GIVEN_UP(file_sync(&file, &error));
    EXPECT_GIVEN_UP(file_check_name(&file, &error));
    EXPECT_GIVEN_UP(file_allocate(&file, 8, &error));
    EXPECT_GIVEN_UP(file_map(&file, 4096, &memory, &error));
    EXPECT_GIVEN_UP(file_sync_map(&file, bytes, 8, &error));
    file_close(&file);
    EXPECT_GIVEN_UP(file_open(&dir, "some", DISK_CREATE, 0600, &file, &error)); /* the old one does not go */
    odd.open = interrupted_open;
    EXPECT_GIVEN_UP(file_open(&dir, "some", DISK_READ, 0, &file, &error));
    odd.open_dir = interrupted_open_dir;
    dir_close(&dir);
    EXPECT_GIVEN_UP(dir_open(&odd, path, &dir, &error));
    scratch_remove(path);
}

static ssize_t
write_nothing(const struct disk *disk, int file, const void *from, size_t bytes, uint64_t offset)
{
    (void) disk;
    (void) file;
    (void) from;
    (void) bytes;
    (void) offset;
    return 0;
}

Test(bare_disk, is_not_asked_what_makes_no_sense)
{
    struct disk   odd = *disk_posix();
    struct dir    dir;
    struct file   file;
    char          path[SCRATCH_PATH_MAX];
    char          longer[DISK_PATH_BYTES_MAX + 1];
    void         *memory;
    knackdb_error error;

    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    cr_expect_eq(dir_open(disk_posix(), longer, &dir, &error), KNACKDB_INVALID);
    odd.map = NULL;
    odd.is_named = NULL;
    odd.maps_well = NULL;
    odd.write_at = write_nothing;
    scratch_make(path);
    cr_assert_eq(dir_open(&odd, path, &dir, &error), KNACKDB_OK);
    cr_expect_not(dir_maps_well(&dir));
    longer[DISK_NAME_BYTES_MAX] = '\0';
    cr_expect_eq(file_open(&dir, longer, DISK_CREATE, 0600, &file, &error), KNACKDB_INVALID);
    cr_expect_eq(file_open(&dir, "none", DISK_READ, 0600, &file, &error), KNACKDB_NOT_FOUND);
    cr_assert_eq(file_open(&dir, "some", DISK_CREATE, 0600, &file, &error), KNACKDB_OK);
    cr_expect_eq(file_map(&file, 4096, &memory, &error), KNACKDB_UNSUPPORTED);
    cr_expect_eq(file_check_name(&file, &error), KNACKDB_OK, "who does not look finds nothing missing");
    cr_expect_eq(file_write(&file, 0, "abc", 3, &error), KNACKDB_IO, "a disk that takes no byte is full");
    file_close(&file);
    cr_assert_eq(file_open(&dir, "some", DISK_CREATE, 0600, &file, &error), KNACKDB_OK, "it takes the old one's place");
    file_close(&file);
    file_close(&file);
    cr_expect_eq(dir_remove(&dir, "some", &error), KNACKDB_OK);
    cr_expect_eq(dir_remove(&dir, "some", &error), KNACKDB_OK, "gone already is fine");
    cr_expect_eq(dir_rename(&dir, "some", "other", &error), KNACKDB_IO);
    dir_close(&dir);
    dir_close(&dir);
    scratch_remove(path);
}

/* ---- directories and their locks ---- */

static int locked_by; /* what odd_lock() gives */

static int
odd_lock(const struct disk *disk, int dir, const char *name, uint32_t mode, int64_t *ret_holder)
{
    (void) disk;
    (void) dir;
    (void) name;
    (void) mode;
    *ret_holder = 0;
    return locked_by;
}

static int
remove_nothing(const struct disk *disk, int dir, const char *name)
{
    (void) disk;
    (void) dir;
    (void) name;
    return -EROFS;
}

Test(bare_disk, locks_are_refused_for_what_the_system_says)
{
    struct disk   odd = *disk_posix();
    struct dir    dir;
    char          path[SCRATCH_PATH_MAX];
    char          lock[SCRATCH_PATH_MAX];
    knackdb_error error;
    int64_t       holder;
    int           held;
    bool          made;

    scratch_make(path);
    odd.lock = odd_lock;
    cr_assert_eq(directory_open(&odd, path, true, 0600, &dir, &made, &error), KNACKDB_OK);
    cr_expect_not(made);
    locked_by = -EAGAIN; /* by whom the system does not know */
    cr_expect_eq(directory_lock(&dir, 0600, &held, &error), KNACKDB_BUSY);
    cr_expect_not_null(strstr(error.message, "another process"), "%s", error.message);
    locked_by = -ENOLCK;
    cr_expect_eq(directory_lock(&dir, 0600, &held, &error), KNACKDB_IO);
    cr_expect_eq(error.os_errno, ENOLCK);
    cr_expect_eq(disk_posix()->lock(disk_posix(), NO_HANDLE, "lock", 0600, &holder), -EBADF);
    scratch_join(lock, path, "lock"); /* a lock's name may lead nowhere else */
    cr_assert_eq(symlink("/dev/null", lock), 0);
    cr_expect_eq(disk_posix()->lock(disk_posix(), dir.handle, "lock", 0600, &holder), -ELOOP);
    dir_close(&dir);
    scratch_remove(path);
}

/* The first that was locked is the first that is let go. */
Test(bare_disk, locks_of_several_directories_end_in_any_order)
{
    char       path[2][SCRATCH_PATH_MAX];
    struct dir dirs[2];
    int        locks[2];
    int        again;
    bool       made;

    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 2; i++) {
            scratch_make(path[i]);
            cr_assert_eq(directory_open(disk_posix(), path[i], true, 0600, &dirs[i], &made, NULL), KNACKDB_OK);
            cr_assert_eq(directory_lock(&dirs[i], 0600, &locks[i], NULL), KNACKDB_OK);
            cr_expect_eq(directory_lock(&dirs[i], 0600, &again, NULL), KNACKDB_BUSY);
        }
        directory_unlock(&dirs[round], NO_HANDLE);
        directory_unlock(&dirs[round], locks[round]);
        cr_assert_eq(directory_lock(&dirs[round], 0600, &locks[round], NULL), KNACKDB_OK);
        cr_expect_eq(directory_lock(&dirs[1 - round], 0600, &again, NULL), KNACKDB_BUSY);
        for (int i = 0; i < 2; i++) {
            directory_unlock(&dirs[i], locks[i]);
            dir_close(&dirs[i]);
            scratch_remove(path[i]);
        }
    }
}

Test(bare_disk, directories_are_made_where_their_paths_say)
{
    static const char *const names[] = { "plain", "with-a-slash/", "with-some///" };
    static char              longer[DISK_PATH_BYTES_MAX + 10];
    struct disk              odd = *disk_posix();
    struct dir               dir;
    char                     path[SCRATCH_PATH_MAX];
    knackdb_error            error;
    FILE                    *file;
    bool                     made;

    scratch_make(path);
    cr_assert_eq(chdir(path), 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        cr_assert_eq(directory_open(disk_posix(), names[i], true, 0600, &dir, &made, &error), KNACKDB_OK, "%s",
                     error.message);
        cr_expect(made);
        cr_expect_eq(directory_sync_name(disk_posix(), names[i], NULL), KNACKDB_OK);
        dir_close(&dir);
        cr_assert_eq(directory_open(disk_posix(), names[i], true, 0600, &dir, &made, &error), KNACKDB_OK, "%s",
                     error.message);
        cr_expect_not(made);
        dir_close(&dir);
    }
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 3] = '/';
    cr_expect_eq(directory_sync_name(disk_posix(), longer, &error), KNACKDB_INVALID);
    cr_expect_eq(directory_sync_name(disk_posix(), longer, NULL), KNACKDB_INVALID);

    file = fopen("empty", "w"); /* its place would be taken, if it went */
    cr_assert_not_null(file);
    (void) fclose(file);
    odd.remove = remove_nothing;
    cr_expect_eq(directory_open(&odd, "empty", true, 0600, &dir, &made, &error), KNACKDB_IO);
    cr_expect_eq(error.os_errno, EROFS);
    cr_assert_eq(chdir("/"), 0);
    scratch_remove(path);
}
