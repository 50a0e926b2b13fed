/* mappings.c - a file of the system's, mapped. */
#include "persist/disk.h"
#include "tests/api/scratch.h"

#include <criterion/criterion.h>
#include <string.h>

#define FILE_BYTES ((size_t) 65536)

/* A log counts in pages of 4 KiB, and the system's may be larger: what it asks for then begins within one. Shown by
 * what begins within a page of any size. */
Test(mappings, are_synced_readied_and_dropped_wherever_a_stretch_begins)
{
    static unsigned char expected[FILE_BYTES], found[FILE_BYTES];
    static const size_t  starts[] = { 0, 1, 512, 4096, 4097, 12288, 40000 };
    const struct disk   *disk = disk_posix();
    struct dir           dir;
    struct file          file = { 0 };
    char                 path[SCRATCH_PATH_MAX];
    knackdb_error        error = { 0 };
    void                *memory = NULL;
    unsigned char       *bytes;
    size_t               read;

    scratch_make(path);
    cr_assert_eq(dir_open(disk, path, &dir, &error), KNACKDB_OK, "%s", error.message);
    cr_assert_eq(file_open(&dir, "mapped", DISK_CREATE, 0600, &file, &error), KNACKDB_OK, "%s", error.message);
    cr_assert_eq(file_truncate(&file, FILE_BYTES, &error), KNACKDB_OK, "%s", error.message);
    cr_assert_eq(file_map(&file, FILE_BYTES, &memory, &error), KNACKDB_OK, "%s", error.message);
    bytes = memory;
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        size_t start = starts[i], count = FILE_BYTES - start - i;

        disk->populate(disk, bytes + start, count);
        memset(bytes + start, (int) i + 1, count);
        memset(expected + start, (int) i + 1, count);
        disk->drop(disk, bytes + start, count / 2);
        cr_expect_eq(file_sync_map(&file, bytes + start, count, &error), KNACKDB_OK, "from %zu: %s", start,
                     error.message);
        cr_expect_eq(memcmp(bytes, expected, FILE_BYTES), 0, "from %zu", start);
    }
    cr_assert_eq(file_read(&file, 0, found, FILE_BYTES, &read, &error), KNACKDB_OK, "%s", error.message);
    cr_assert_eq(read, FILE_BYTES);
    cr_expect_eq(memcmp(found, expected, FILE_BYTES), 0);
    disk->unmap(disk, memory, FILE_BYTES);
    file_close(&file);
    dir_close(&dir);
    scratch_remove(path);
}
