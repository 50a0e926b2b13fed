/* failing.c - a disk that refuses: what is said, what goes on, and what is never tried again. */
#include "tests/persist/bench.h"

#include "tests/api/scratch.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The system's disk, with one kind of call failing on demand. */
static struct disk  disk;
static _Atomic bool fails_sync, fails_write, fails_allocate, stutters;
static _Atomic int  syncs, writes;

static int
trying_sync(const struct disk *self, int file)
{
    (void) self;
    atomic_fetch_add(&syncs, 1);
    return atomic_load(&fails_sync) ? -EIO : disk_posix()->sync(disk_posix(), file);
}

static int
trying_sync_map(const struct disk *self, void *memory, size_t bytes)
{
    (void) self;
    atomic_fetch_add(&syncs, 1);
    return atomic_load(&fails_sync) ? -EIO : disk_posix()->sync_map(disk_posix(), memory, bytes);
}

static ssize_t
trying_write(const struct disk *self, int file, const void *from, size_t bytes, uint64_t offset)
{
    static _Atomic unsigned turn;

    (void) self;
    atomic_fetch_add(&writes, 1);
    if (atomic_load(&fails_write))
        return -ENOSPC;
    if (atomic_load(&stutters)) {
        if (atomic_fetch_add(&turn, 1) % 2 == 0)
            return -EINTR;
        bytes = bytes > 7 ? bytes / 2 : bytes;
    }
    return disk_posix()->write_at(disk_posix(), file, from, bytes, offset);
}

static ssize_t
trying_read(const struct disk *self, int file, void *to, size_t bytes, uint64_t offset)
{
    static _Atomic unsigned turn;

    (void) self;
    if (atomic_load(&stutters)) {
        if (atomic_fetch_add(&turn, 1) % 2 == 0)
            return -EINTR;
        bytes = bytes > 7 ? bytes / 2 : bytes;
    }
    return disk_posix()->read_at(disk_posix(), file, to, bytes, offset);
}

static int
trying_allocate(const struct disk *self, int file, uint64_t bytes)
{
    (void) self;
    return atomic_load(&fails_allocate) ? -ENOSPC : disk_posix()->allocate(disk_posix(), file, bytes);
}

static struct keeper_options
trying_options(void)
{
    struct keeper_options options = kept_options();

    disk = *disk_posix();
    disk.sync = trying_sync;
    disk.sync_map = trying_sync_map;
    disk.write_at = trying_write;
    disk.read_at = trying_read;
    disk.allocate = trying_allocate;
    options.disk = &disk;
    options.log_segment_bytes_max = 8192;
    return options;
}

static void
assert_degraded(struct kept *kept, const char *reason)
{
    struct keeper_figures figures;

    keeper_get_figures(kept->keeper, &figures);
    cr_assert_eq(figures.state, KNACKDB_STATE_DEGRADED);
    cr_assert_not_null(strstr(figures.reason, reason), "%s", figures.reason);
}

static void
close_failed(struct kept *kept)
{
    cr_assert_eq(keeper_close(kept->keeper, &kept->error), KNACKDB_IO, "the close does not claim what is not");
    store_free(kept->store);
    cr_assert_eq(atomic_load(&kept->allocator.bytes), 0);
}

/* After a failed sync the system may have dropped the pages and call the next one a success. So there is no next one:
 * sync says no from then on, stores go on, and what was durable before stays so. */
Test(failing, a_failed_sync_is_final)
{
    struct keeper_options options = trying_options();
    char                  path[SCRATCH_PATH_MAX];
    struct kept           kept;
    int                   before;

    scratch_make(path);
    kept_must_open(&kept, path, 1, &options);
    bench_put_many(kept.store, 1, 10);
    cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_OK);
    bench_put(kept.store, 11);
    atomic_store(&fails_sync, true);
    cr_assert_eq(keeper_sync(kept.keeper, &kept.error), KNACKDB_IO);
    cr_assert_eq(kept.error.os_errno, EIO);
    cr_assert_not_null(strstr(kept.error.message, "log-"), "%s", kept.error.message);
    atomic_store(&fails_sync, false);
    before = atomic_load(&syncs);
    bench_put_many(kept.store, 12, 200);
    cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_IO);
    cr_assert_eq(keeper_wait_durable(kept.keeper, 10, NULL), KNACKDB_OK, "what was durable is");
    cr_assert_eq(keeper_wait_durable(kept.keeper, 11, NULL), KNACKDB_IO);
    cr_assert_eq(atomic_load(&syncs), before, "no file was synced again");
    assert_degraded(&kept, "log");
    cr_assert_eq(store_sequence(kept.store), 200, "memory goes on");
    close_failed(&kept);

    kept_must_open(&kept, path, 1, &options);
    cr_assert_geq(store_sequence(kept.store), 10);
    kept_close(&kept);
    scratch_remove(path);
}

/* No space for the next segment: the store goes on in memory, and the log ends at the last commit that fitted, without
 * a gap. A snapshot, should there be room for one, makes all of it durable all the same. */
Test(failing, a_full_disk_ends_the_log_and_not_the_store)
{
    for (int way = 0; way < 2; way++) {
        struct keeper_options options = trying_options();
        char                  path[SCRATCH_PATH_MAX];
        struct kept           kept;
        struct keeper_figures figures;

        options.log_io = way == 0 ? KNACKDB_LOG_MAP : KNACKDB_LOG_WRITE;
        scratch_make(path);
        kept_must_open(&kept, path, 1, &options);
        bench_put_many(kept.store, 1, 10);
        cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_OK);
        atomic_store(way == 0 ? &fails_allocate : &fails_write, true);
        bench_put_many(kept.store, 11, 500);
        cr_assert_eq(store_sequence(kept.store), 500);
        assert_degraded(&kept, "log");
        cr_assert_eq(keeper_sync(kept.keeper, &kept.error), KNACKDB_IO);
        cr_assert_eq(kept.error.os_errno, ENOSPC);
        atomic_store(&fails_allocate, false);
        if (way == 1) {
            cr_assert_eq(keeper_snapshot(kept.keeper, NULL), KNACKDB_IO);
            keeper_get_figures(kept.keeper, &figures);
            cr_assert_eq(figures.snapshot_status, KNACKDB_IO);
            cr_assert_eq(names_count(path, "part-", NULL), 0, "an attempt leaves nothing");
            atomic_store(&fails_write, false);
        }
        cr_assert_eq(keeper_snapshot(kept.keeper, &kept.error), KNACKDB_OK, "%s", kept.error.message);
        cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_OK, "all of it is in the snapshot");
        bench_put_many(kept.store, 501, 510);
        cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_IO, "and this is nowhere");
        close_failed(&kept);
        kept_must_open(&kept, path, 1, &options);
        cr_assert_eq(store_sequence(kept.store), 500);
        kept_close(&kept);
        scratch_remove(path);
    }
}

/* Interrupted and short calls are no failures. */
Test(failing, a_stuttering_disk_is_only_slow)
{
    struct keeper_options options = trying_options();
    char                  path[SCRATCH_PATH_MAX];
    struct kept           kept;
    char                 *dump;

    options.log_io = KNACKDB_LOG_WRITE;
    atomic_store(&stutters, true);
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

/* A disk without mappings and without space set aside: the log is written, as on many a network. */
Test(failing, a_disk_without_mappings_is_written_to)
{
    struct keeper_options options = trying_options();
    char                  path[SCRATCH_PATH_MAX];
    struct kept           kept;

    disk.maps_well = NULL;
    disk.map = NULL;
    disk.unmap = NULL;
    disk.sync_map = NULL;
    disk.populate = NULL;
    disk.drop = NULL;
    scratch_make(path);
    kept_must_open(&kept, path, 1, &options);
    atomic_store(&writes, 0);
    bench_put_many(kept.store, 1, 100);
    cr_assert_geq(atomic_load(&writes), 100);
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
    struct keeper_options options = trying_options();
    char                  path[SCRATCH_PATH_MAX];
    struct kept           kept;

    scratch_make(path);
    atomic_store(&fails_write, true);
    cr_assert_eq(kept_open(&kept, path, 1, &options), KNACKDB_IO);
    atomic_store(&fails_write, false);
    atomic_store(&fails_sync, true);
    cr_assert_eq(kept_open(&kept, path, 1, &options), KNACKDB_IO);
    atomic_store(&fails_sync, false);
    kept_must_open(&kept, path, 1, &options);
    bench_put(kept.store, 1);
    kept_close(&kept);
    scratch_remove(path);
}
