/* bare_disk.c - the system's disk and what stands over it, where the system says no: each call's error comes back as it is, and
 * names that no file may have are refused before the system is asked. */
#include "persist/disk.h"
#include "tests/api/scratch.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

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
static int
interrupted_open_dir(const struct disk *disk, const char *path)
{
    (void) disk;
    (void) path;
    return -EINTR;
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

Test(bare_disk, is_not_asked_what_makes_no_sense_and_not_for_ever)
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
    odd.open_dir = interrupted_open_dir;
    cr_expect_eq(dir_open(&odd, "/", &dir, &error), KNACKDB_IO);
    cr_expect_eq(error.os_errno, EINTR);
    odd = *disk_posix();
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
