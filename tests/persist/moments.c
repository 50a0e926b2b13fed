/* moments.c - what may happen between two steps of a snapshot, or beside who reads, made to happen there by a disk that
 * waits for its moment. */
#include "tests/persist/telling_disk.h"

#include "base/clock.h"
#include "persist/verification.h"
#include "tests/api/scratch.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- manifests ---- */

static bool manifest_came, sync_fails_after_manifest, part_was_rewritten, part_came_unsynced, gone_unsynced;

static void
note_manifest(const char *to)
{
    if (strncmp(to, "manifest-", 9) == 0)
        manifest_came = true;
}

static int
fail_behind_manifest(void)
{
    if (!manifest_came || !sync_fails_after_manifest)
        return 0;
    sync_fails_after_manifest = false;
    return -EIO;
}

static int
note_part_1(const char *name, enum disk_access access)
{
    part_was_rewritten |= access == DISK_CREATE && strcmp(name, "part-0000000000000001.knp") == 0 && manifest_came;
    return 0;
}

/* The rename of a manifest is done, the sync behind it fails: nobody knows whether the manifest will be seen after a
 * crash. The next attempt must leave its parts, and its number, alone. */
Test(moments, a_manifest_that_may_be_visible_keeps_its_parts)
{
    struct keeper_options options = telling_options();
    struct kept           kept;
    char                  path[SCRATCH_PATH_MAX];
    char                  last[64];

    scratch_make(path);
    telling.after_rename = note_manifest;
    telling.before_sync_dir = fail_behind_manifest;
    telling.before_open = note_part_1;
    kept_must_open(&kept, path, 3, &options);
    bench_put_many(kept.store, 1, 20);
    manifest_came = false;
    sync_fails_after_manifest = true;
    cr_assert_eq(keeper_snapshot(kept.keeper, &kept.error), KNACKDB_IO);
    cr_assert(manifest_came);
    cr_assert_geq(names_count(path, "manifest-", last), 1); /* the next attempt may have been made already */
    cr_assert_geq(strcmp(last, "manifest-0000000000000002.knm"), 0);
    bench_put_many(kept.store, 21, 30);
    cr_assert_eq(keeper_snapshot(kept.keeper, &kept.error), KNACKDB_OK, "%s", kept.error.message);
    cr_assert_not(part_was_rewritten, "a part that the visible manifest names was written over");
    (void) names_count(path, "manifest-", last);
    cr_assert_gt(strcmp(last, "manifest-0000000000000002.knm"), 0, "the number in doubt was given again");
    kept_close(&kept);
    kept_must_open(&kept, path, 3, NULL);
    cr_assert_eq(store_sequence(kept.store), 30);
    kept_close(&kept);
    scratch_remove(path);
}

static double part_came_at;

static int
take_a_while(const char *name, enum disk_access access)
{
    if (access == DISK_CREATE && strncmp(name, "part-", 5) == 0) {
        (void) usleep(20000);
        part_came_at = (double) clock_wall_us() / 1e6;
    }
    return 0;
}

/* The status says when the newest snapshot was finished: to the process that took it, and, by the manifest, to the next
 * one and to a follower. */
Test(moments, a_snapshot_is_as_old_in_the_next_life)
{
    struct keeper_options options = telling_options();
    struct keeper_figures figures;
    struct kept           kept;
    char                  path[SCRATCH_PATH_MAX];

    scratch_make(path);
    telling.before_open = take_a_while;
    kept_must_open(&kept, path, 3, &options);
    bench_put_many(kept.store, 1, 5);
    cr_assert_eq(keeper_snapshot(kept.keeper, &kept.error), KNACKDB_OK, "%s", kept.error.message);
    keeper_get_figures(kept.keeper, &figures);
    cr_expect_geq(figures.snapshot_at, part_came_at);
    kept_close(&kept);
    for (int follows = 0; follows < 2; follows++) {
        options.read_only = options.follow = follows != 0;
        kept_must_open(&kept, path, 3, &options);
        keeper_get_figures(kept.keeper, &figures);
        cr_expect_geq(figures.snapshot_at, part_came_at, "follows: %d", follows);
        kept_close(&kept);
    }
    scratch_remove(path);
}

static bool part_is_unsynced, manifest_is_unsynced;

static int
note_part(const char *name, enum disk_access access)
{
    part_is_unsynced |= access == DISK_CREATE && strncmp(name, "part-", 5) == 0;
    return 0;
}

static int
note_sync_dir(void)
{
    part_is_unsynced = manifest_is_unsynced = false;
    return 0;
}

static void
note_order(const char *to)
{
    if (strncmp(to, "manifest-", 9) != 0)
        return;
    part_came_unsynced |= part_is_unsynced;
    manifest_is_unsynced = true;
}

static int
note_removal(const char *name)
{
    gone_unsynced |= strncmp(name, "manifest-", 9) == 0 && manifest_is_unsynced;
    return 0;
}

/* What the directory has been told reaches the disk in any order until it is synced. */
Test(moments, names_are_durable_before_what_depends_on_them)
{
    struct keeper_options options = telling_options();
    struct kept           kept;
    char                  path[SCRATCH_PATH_MAX];
    char                  copy[PATH_MAX_BYTES];
    char                  folder[SCRATCH_PATH_MAX];

    scratch_make(path);
    scratch_make(folder);
    telling.before_open = note_part;
    telling.before_sync_dir = note_sync_dir;
    telling.after_rename = note_order;
    telling.before_remove = note_removal;
    kept_must_open(&kept, path, 3, &options);
    bench_put_many(kept.store, 1, 20);
    cr_assert_eq(keeper_snapshot(kept.keeper, &kept.error), KNACKDB_OK, "%s", kept.error.message);
    cr_assert_not(part_came_unsynced, "the manifest's rename may be on the disk before its parts' names");
    cr_assert_not(gone_unsynced);
    kept_copy(path, folder, "copy", copy);
    kept_close(&kept);

    /* A writer was killed between rename and sync: an older manifest is still there, and the newer one's name may be
     * in memory alone. The next life must not remove the older first. */
    bytes_write(copy, "manifest-0000000000000001.knm", "old", 3);
    manifest_is_unsynced = true;
    kept_must_open(&kept, copy, 3, &options);
    cr_assert_not(gone_unsynced, "the older manifest went before the newer was durable");
    kept_close(&kept);
    scratch_remove(path);
    scratch_remove(folder);
}

/* ---- beside a writer ---- */

static struct kept *writer;
static const char  *awaited; /* beginning of a file's name */
static void (*happens)(void);

static int
wait_for_name(const char *name, enum disk_access access)
{
    void (*now)(void) = happens;

    if (access != DISK_READ || happens == NULL || strncmp(name, awaited, strlen(awaited)) != 0)
        return 0;
    happens = NULL;
    now();
    return 0;
}

static void
close_writer(void)
{
    kept_close(writer);
}

/* The segment made ahead is removed by the writer's close after the reader has listed it. */
Test(moments, a_reader_opens_while_the_writer_closes)
{
    struct keeper_options options = telling_options();
    struct keeper_options quick = kept_options();
    struct kept           kept, reader;
    char                  path[SCRATCH_PATH_MAX];
    char                  last[64];

    scratch_make(path);
    quick.flush_interval_ms = 1;
    quick.log_segment_bytes_max = 4096;
    kept_must_open(&kept, path, 3, &quick);
    for (int64_t number = 1; names_count(path, "log-", last) < 3; number++) {
        bench_put(kept.store, number);
        (void) usleep(2000);
    }
    writer = &kept;
    awaited = "log-";
    happens = close_writer;
    telling.before_open = wait_for_name;
    options.read_only = true;
    kept_must_open(&reader, path, 3, &options);
    cr_assert_null(happens, "the writer has closed meanwhile");
    kept_close(&reader);
    scratch_remove(path);
}

static void
snapshot_twice(void)
{
    for (int64_t round = 0; round < 2; round++) {
        bench_put_many(writer->store, 100 + round * 10, 105 + round * 10);
        cr_assert_eq(keeper_snapshot(writer->keeper, NULL), KNACKDB_OK);
        bench_put_many(writer->store, 200 + round * 10, 205 + round * 10);
    }
    cr_assert_eq(keeper_sync(writer->keeper, NULL), KNACKDB_OK);
}

/* Synced one by one, so that the later ones testify to those before. */
static void
fill_segments(void)
{
    for (int64_t number = 300; number < 400; number++) {
        bench_put(writer->store, number);
        cr_assert_eq(keeper_sync(writer->keeper, NULL), KNACKDB_OK);
    }
}

static void
hear_fault(void *context, const knackdb_fault *fault)
{
    (void) snprintf(context, 600, "%s: %s", fault->file, fault->reason);
}

static void
verify_while(const char *name, void (*what)(void))
{
    struct keeper_options small = kept_options();
    char                  path[SCRATCH_PATH_MAX];
    char                  fault[600] = "";
    char                  last[64];
    knackdb_error         error = { 0 };
    knackdb_verify_report report;
    struct allocator      allocator;
    struct kept           kept;
    struct verify_options verify = { .disk = &telling.disk,
                                     .history = bench_history(),
                                     .schema = bench_schema(3),
                                     .on_fault = hear_fault,
                                     .context = fault };

    (void) telling_options();
    scratch_make(path);
    small.log_segment_bytes_max = 8192;
    small.flush_interval_ms = 1;
    kept_must_open(&kept, path, 3, &small);
    bench_put_many(kept.store, 1, 10);
    if (name != NULL)
        cr_assert_eq(keeper_snapshot(kept.keeper, NULL), KNACKDB_OK);
    for (int64_t number = 11; number < 80 && names_count(path, "log-", last) < 2; number++) {
        bench_put(kept.store, number);
        (void) usleep(2000);
    }
    cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_OK);
    (void) names_count(path, "log-", last);
    writer = &kept;
    awaited = name != NULL ? name : last;
    happens = what;
    telling.before_open = wait_for_name;
    allocator_init(&allocator, NULL);
    cr_expect_eq(verify_directory(&allocator, path, &verify, &report, &error), KNACKDB_OK, "%s: %s", error.message,
                 fault);
    cr_expect_null(happens);
    kept_close(&kept);
    scratch_remove(path);
}

/* The log that the manifest read first begins with has gone when verify comes to it. */
Test(moments, verify_knows_what_a_snapshot_took_meanwhile)
{
    verify_while("part-", snapshot_twice);
}

/* The writer goes on in the segment that verify has left, and then in the one that it is about to open. */
Test(moments, verify_looks_again_where_it_left_a_segment)
{
    verify_while(NULL, fill_segments);
}
