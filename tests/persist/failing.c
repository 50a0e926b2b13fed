/* failing.c - a disk that stutters, lacks calls, or fails at open. What fails later is healing.c's. */
#include "tests/persist/bench.h"

#include "tests/api/scratch.h"
#include "tests/persist/failing_disk.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

static struct keeper_options
failing_options(void)
{
    struct keeper_options options = kept_options();

    options.disk = failing_disk_new();
    options.log_segment_bytes_max = 8192;
    return options;
}

/* Interrupted and short calls are no failures. */
Test(failing, a_stuttering_disk_is_only_slow)
{
    struct keeper_options options = failing_options();
    char                  path[SCRATCH_PATH_MAX];
    struct kept           kept;
    char                 *dump;

    options.log_io = KNACKDB_LOG_WRITE;
    failing_disk_stutter(true);
    scratch_make(path);
    kept_must_open(&kept, path, 1, &options);
    bench_put_many(kept.store, 1, 100);
    cr_assert_eq(keeper_snapshot(kept.keeper, &kept.error), KNACKDB_OK, "%s", kept.error.message);
    bench_put_many(kept.store, 50, 150);
    dump = bench_dump(kept.store);
    kept_close(&kept);
    kept_must_open(&kept, path, 1, &options);
    cr_assert(bench_same(kept.store, dump));
    kept_close(&kept);
    free(dump);
    scratch_remove(path);
}

static int
no_space_set_aside(const struct disk *self, int file, uint64_t bytes)
{
    (void) self;
    (void) file;
    (void) bytes;
    return -EOPNOTSUPP;
}

/* A disk without mappings and without space set aside: the log is written, as on many a network. */
Test(failing, a_disk_without_mappings_is_written_to)
{
    struct keeper_options options = failing_options();
    struct disk           disk;
    char                  path[SCRATCH_PATH_MAX];
    struct kept           kept;
    int                   before;

    disk = *options.disk;
    disk.maps_well = NULL;
    disk.map = NULL;
    disk.unmap = NULL;
    disk.sync_map = NULL;
    disk.populate = NULL;
    disk.drop = NULL;
    disk.allocate = no_space_set_aside;
    options.disk = &disk;
    scratch_make(path);
    kept_must_open(&kept, path, 1, &options);
    before = failing_disk_count(CALL_WRITE);
    bench_put_many(kept.store, 1, 100);
    cr_assert_geq(failing_disk_count(CALL_WRITE), before + 100);
    cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_OK);
    kept_close(&kept);
    kept_must_open(&kept, path, 1, &options);
    cr_assert_eq(store_sequence(kept.store), 100);
    kept_close(&kept);
    scratch_remove(path);
}

/* A failed open leaves no memory, no lock and no thread behind: it can be tried again at once. */
Test(failing, an_open_that_fails_can_be_tried_again)
{
    static const enum disk_call calls[] = { CALL_LIST, CALL_CREATE, CALL_WRITE, CALL_SYNC, CALL_RENAME, CALL_SYNC_DIR };
    struct keeper_options       options = failing_options();
    char                        path[SCRATCH_PATH_MAX];
    struct kept                 kept;

    scratch_make(path);
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        failing_disk_fail(calls[i], "", EIO, 0);
        cr_assert_eq(kept_open(&kept, path, 1, &options), KNACKDB_IO, "call %d", (int) calls[i]);
        cr_assert_eq(kept.error.os_errno, EIO);
        failing_disk_mend();
    }
    kept_must_open(&kept, path, 1, &options);
    bench_put(kept.store, 1);
    kept_close(&kept);
    scratch_remove(path);
}
