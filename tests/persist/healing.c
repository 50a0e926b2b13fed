/* healing.c - the disk fails and comes back: what is said, what goes on, what is never tried again, and that in the end
 * nothing is missing. */
#include "tests/persist/ailing.h"

#include "tests/api/scratch.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Who follows sees what the log took, and after the healing what memory had all the time: the new log jumps over what
 * is in the snapshot alone. */
static void
open_follower(struct kept *follower, const char *path)
{
    struct keeper_options options = kept_options();

    options.read_only = true;
    options.follow = true;
    kept_must_open(follower, path, 1, &options);
}

static void
assert_follows(struct kept *follower, const char *dump, const char *when)
{
    cr_assert_eq(keeper_refresh(follower->keeper, NULL, &follower->error), KNACKDB_OK, "%s: %s", when,
                 follower->error.message);
    cr_assert(dump == NULL || bench_same(follower->store, dump), "%s: the follower has something else", when);
}

/* ---- every way to fail ---- */

struct ailment {
    const char    *name;
    enum disk_call call;
    const char    *prefix;
    int            os_errno;
};

/* Each is a disk that does not come back before the test says so: a file that cannot be synced is no reason for new
 * ones to be made, unless they cannot be synced either. */
static const struct ailment ailments[] = {
    { "no space for the log", CALL_ALLOCATE, "log-", ENOSPC },
    { "no space at all", CALL_WRITE, "", ENOSPC },
    { "a disk quota", CALL_ALLOCATE, "log-", EDQUOT },
    { "a sync of the log fails", CALL_SYNC, "log-", EIO },
    { "every sync fails", CALL_SYNC, "", EIO },
    { "the directory cannot be synced", CALL_SYNC_DIR, "", EIO },
    { "no file handles", CALL_CREATE, "", EMFILE },
    { "a file system that has become read-only", CALL_CREATE, "", EROFS },
    { "the directory is gone", CALL_CREATE, "", ENOENT },
};

static void
suffer(const struct ailment *ailment, knackdb_log_io io)
{
    struct keeper_options options = healing_options(io);
    char                  path[SCRATCH_PATH_MAX];
    char                  folder[SCRATCH_PATH_MAX];
    struct kept           kept;
    struct kept           follower;
    struct keeper_figures figures;
    char                 *dump;

    scratch_make(path);
    scratch_make(folder);
    kept_must_open(&kept, path, 1, &options);
    bench_put_many(kept.store, 1, 10);
    cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_OK);
    open_follower(&follower, path);

    failing_disk_fail(ailment->call, ailment->prefix, ailment->os_errno, 0);
    bench_put_many(kept.store, 11, 400);
    cr_assert_eq(store_sequence(kept.store), 400, "%s: memory goes on", ailment->name);
    cr_assert_eq(keeper_sync(kept.keeper, &kept.error), KNACKDB_IO, "%s", ailment->name);
    cr_assert_eq(kept.error.os_errno, ailment->os_errno, "%s: %s", ailment->name, kept.error.message);
    assert_degraded(&kept, strerror(ailment->os_errno));
    bench_put_many(kept.store, 200, 600); /* some anew */
    cr_assert_eq(keeper_wait_durable(kept.keeper, 10, NULL), KNACKDB_OK, "%s: what was durable is", ailment->name);
    cr_assert_eq(keeper_snapshot(kept.keeper, NULL), KNACKDB_IO);
    cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_IO, "%s: never says ok", ailment->name);
    keeper_get_figures(kept.keeper, &figures);
    cr_assert_lt(figures.durable_sequence, store_sequence(kept.store));
    assert_opens_between_attempts(path, folder, 10, ailment->name);
    assert_follows(&follower, NULL, ailment->name);
    cr_assert(store_sequence(follower.store) >= 10 && store_sequence(follower.store) < store_sequence(kept.store));

    failing_disk_mend();
    dump = bench_dump(kept.store);
    await_health(&kept);
    keeper_get_figures(kept.keeper, &figures);
    cr_assert_eq(figures.durable_sequence, store_sequence(kept.store), "%s", ailment->name);
    cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_OK);
    assert_holds(path, folder, dump, ailment->name);
    assert_follows(&follower, dump, ailment->name);
    free(dump);

    bench_put_many(kept.store, 590, 900);
    cr_assert_eq(keeper_sync(kept.keeper, &kept.error), KNACKDB_OK, "%s: %s", ailment->name, kept.error.message);
    dump = bench_dump(kept.store);
    assert_holds(path, folder, dump, ailment->name);
    assert_follows(&follower, dump, ailment->name);
    kept_close(&kept);
    assert_holds(path, folder, dump, ailment->name);
    assert_follows(&follower, dump, ailment->name);
    kept_close(&follower);
    cr_assert_eq(failing_disk_retries(), 0, "%s: %d tries of a file that had failed", ailment->name,
                 failing_disk_retries());
    free(dump);
    scratch_remove(path);
    scratch_remove(folder);
}

Test(healing, a_mapped_log_heals_by_itself_whatever_failed)
{
    for (size_t i = 0; i < sizeof ailments / sizeof ailments[0]; i++)
        suffer(&ailments[i], KNACKDB_LOG_MAP);
}

Test(healing, a_written_log_heals_by_itself_whatever_failed)
{
    for (size_t i = 0; i < sizeof ailments / sizeof ailments[0]; i++)
        suffer(&ailments[i], KNACKDB_LOG_WRITE);
}

/* One failed sync, and the next would succeed: the kernel tells a lost page once. The file is not asked again. */
Test(healing, a_sync_that_failed_once_is_not_asked_again)
{
    struct keeper_options options = healing_options(KNACKDB_LOG_MAP);
    char                  path[SCRATCH_PATH_MAX];
    char                  folder[SCRATCH_PATH_MAX];
    struct kept           kept;
    char                 *dump;

    scratch_make(path);
    scratch_make(folder);
    kept_must_open(&kept, path, 1, &options);
    bench_put_many(kept.store, 1, 10);
    failing_disk_fail(CALL_SYNC, "log-", EIO, 1);
    cr_assert_eq(keeper_sync(kept.keeper, &kept.error), KNACKDB_IO);
    cr_assert_not_null(strstr(kept.error.message, "log-"), "%s", kept.error.message);
    await_health(&kept);
    cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_OK);
    bench_put_many(kept.store, 11, 20);
    cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_OK);
    cr_assert_eq(failing_disk_retries(), 0);
    dump = bench_dump(kept.store);
    assert_holds(path, folder, dump, "at the end");
    free(dump);
    kept_close(&kept);
    scratch_remove(path);
    scratch_remove(folder);
}

/* Somebody removes the log from under us. To sync a file without a name would be a lie. The directory is still there,
 * so all of it is written again. */
Test(healing, a_log_that_somebody_removed_is_written_again)
{
    for (int io = KNACKDB_LOG_MAP; io <= KNACKDB_LOG_WRITE; io++) {
        struct keeper_options options = healing_options((knackdb_log_io) io);
        char                  path[SCRATCH_PATH_MAX];
        char                  folder[SCRATCH_PATH_MAX];
        char                  file[SCRATCH_PATH_MAX];
        char                  name[64];
        struct kept           kept;
        char                 *dump;

        scratch_make(path);
        scratch_make(folder);
        kept_must_open(&kept, path, 1, &options);
        bench_put_many(kept.store, 1, 10);
        cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_OK);
        while (names_count(path, "log-", name) > 0) {
            scratch_join(file, path, name);
            cr_assert_eq(unlink(file), 0);
        }
        bench_put_many(kept.store, 11, 20);
        cr_assert_eq(keeper_sync(kept.keeper, &kept.error), KNACKDB_IO);
        cr_assert_eq(kept.error.os_errno, ENOENT, "%s", kept.error.message);
        cr_assert_not_null(strstr(kept.error.message, "removed"), "%s", kept.error.message);
        await_health(&kept);
        cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_OK);
        dump = bench_dump(kept.store);
        assert_holds(path, folder, dump, "written again");
        free(dump);
        kept_close(&kept);
        scratch_remove(path);
        scratch_remove(folder);
    }
}

/* The whole directory goes. There is no place to heal to, and another of its name is not ours: memory goes on, every
 * sync says no, and the close says so, too. */
Test(healing, a_directory_that_somebody_removed_is_never_called_durable)
{
    for (int io = KNACKDB_LOG_MAP; io <= KNACKDB_LOG_WRITE; io++) {
        struct keeper_options options = healing_options((knackdb_log_io) io);
        char                  path[SCRATCH_PATH_MAX];
        struct kept           kept;

        scratch_make(path);
        kept_must_open(&kept, path, 1, &options);
        bench_put_many(kept.store, 1, 10);
        cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_OK);
        scratch_remove(path);
        bench_put_many(kept.store, 11, 500);
        cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_IO);
        cr_assert_eq(keeper_snapshot(kept.keeper, &kept.error), KNACKDB_IO);
        cr_assert_eq(kept.error.os_errno, ENOENT, "%s", kept.error.message);
        assert_degraded(&kept, strerror(ENOENT));
        cr_assert_eq(store_sequence(kept.store), 500);
        cr_assert_eq(keeper_close(kept.keeper, &kept.error), KNACKDB_IO);
        cr_assert_eq(kept.error.os_errno, ENOENT, "%s", kept.error.message);
        store_free(kept.store);
        cr_assert_eq(atomic_load(&kept.allocator.bytes), 0);
    }
}

/* ---- between the failure and the healing ---- */

/* Stores while the snapshot that heals is being written go into the new log, which means nothing before it ends: a
 * process that is killed then leaves what was durable before. Afterwards they are there, in order. */
Test(healing, stores_while_it_heals_are_in_the_healed_store)
{
    for (int io = KNACKDB_LOG_MAP; io <= KNACKDB_LOG_WRITE; io++) {
        struct keeper_options options = healing_options((knackdb_log_io) io);
        char                  path[SCRATCH_PATH_MAX];
        char                  folder[SCRATCH_PATH_MAX];
        struct kept           kept;
        struct kept           follower;
        struct keeper_figures figures;
        char                 *dump;

        scratch_make(path);
        scratch_make(folder);
        kept_must_open(&kept, path, 1, &options);
        bench_put_many(kept.store, 1, 10);
        cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_OK);
        bench_put_many(kept.store, 11, 20);
        open_follower(&follower, path);
        failing_disk_hold(CALL_SYNC, "part-");
        failing_disk_fail(CALL_SYNC, "log-", EIO, 1);
        cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_IO);
        bench_put_many(kept.store, 21, 30);
        failing_disk_await_held(); /* the healing snapshot */
        bench_put_many(kept.store, 31, 300);
        cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_IO, "not before it is whole");
        assert_degraded(&kept, "log");
        assert_opens(path, folder, 10, "while it heals");
        for (int asked = 0; asked < 5; asked++)
            assert_follows(&follower, NULL, "while it heals");
        keeper_get_figures(follower.keeper, &figures);
        cr_assert_leq(figures.reload_count, 1, "the new log was tried %u times, and nothing had changed",
                      (unsigned) figures.reload_count);
        failing_disk_release();
        await_health(&kept);
        cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_OK);
        dump = bench_dump(kept.store);
        assert_holds(path, folder, dump, "healed");
        assert_follows(&follower, dump, "healed");
        kept_close(&follower);
        free(dump);
        kept_close(&kept);
        scratch_remove(path);
        scratch_remove(folder);
    }
}

/* Whatever step of the healing fails, once: another attempt comes, nothing of the failed one is left over, and at no
 * time is there a directory that does not open. */
Test(healing, a_failed_attempt_is_followed_by_another)
{
    static const struct ailment steps[] = {
        { "the new segment", CALL_CREATE, "log-", ENOSPC },
        { "its space", CALL_ALLOCATE, "log-", ENOSPC },
        { "its head", CALL_WRITE, "log-", ENOSPC },
        { "its sync", CALL_SYNC, "log-", EIO },
        { "its name", CALL_SYNC_DIR, "", EIO },
        { "a part", CALL_CREATE, "part-", ENOSPC },
        { "a part's bytes", CALL_WRITE, "part-", ENOSPC },
        { "a part's sync", CALL_SYNC, "part-", EIO },
        { "the manifest", CALL_CREATE, "manifest-", ENOSPC },
        { "the manifest's bytes", CALL_WRITE, "manifest-", ENOSPC },
        { "the manifest's sync", CALL_SYNC, "manifest-", EIO },
        { "the manifest's name", CALL_RENAME, "manifest-", EIO },
    };

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct keeper_options options = healing_options(KNACKDB_LOG_MAP);
        char                  path[SCRATCH_PATH_MAX];
        char                  folder[SCRATCH_PATH_MAX];
        struct kept           kept;
        char                 *dump;

        scratch_make(path);
        scratch_make(folder);
        kept_must_open(&kept, path, 1, &options);
        bench_put_many(kept.store, 1, 10);
        cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_OK);
        bench_put_many(kept.store, 11, 20);
        failing_disk_hold(CALL_CREATE, "log-"); /* the healing begins with this */
        failing_disk_fail(CALL_SYNC, "log-", EIO, 1);
        cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_IO);
        bench_put_many(kept.store, 21, 300);
        failing_disk_await_held();
        failing_disk_fail(steps[i].call, steps[i].prefix, steps[i].os_errno, 2); /* so two attempts fail */
        failing_disk_release();
        assert_opens_between_attempts(path, folder, 10, steps[i].name);
        await_health(&kept);
        cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_OK);
        dump = bench_dump(kept.store);
        assert_holds(path, folder, dump, steps[i].name);
        cr_assert_eq(failing_disk_retries(), 0, "%s", steps[i].name);
        kept_close(&kept);
        cr_assert_eq(names_count(path, "manifest-", NULL), 1, "%s", steps[i].name);
        cr_assert_eq(names_count(path, "part-", NULL), 1, "%s", steps[i].name);
        cr_assert_leq(names_count(path, "log-", NULL), 1, "%s", steps[i].name);
        free(dump);
        scratch_remove(path);
        scratch_remove(folder);
    }
}

/* While a snapshot heals the log, the new log breaks: the snapshot counts, and another attempt mends what came after
 * it. */
Test(healing, a_log_that_breaks_again_while_it_heals_is_mended_again)
{
    struct keeper_options options = healing_options(KNACKDB_LOG_WRITE);
    char                  path[SCRATCH_PATH_MAX];
    char                  folder[SCRATCH_PATH_MAX];
    struct kept           kept;
    char                 *dump;

    scratch_make(path);
    scratch_make(folder);
    kept_must_open(&kept, path, 1, &options);
    bench_put_many(kept.store, 1, 20);
    failing_disk_hold(CALL_SYNC, "part-");
    failing_disk_fail(CALL_SYNC, "log-", EIO, 1);
    cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_IO);
    failing_disk_await_held();
    bench_put_many(kept.store, 21, 40);
    /* Not once: a segment made ahead may come first, and is no failure. */
    failing_disk_fail(CALL_WRITE, "log-", ENOSPC, 0);
    bench_put_many(kept.store, 41, 60);
    cr_assert_geq(failing_disk_failures(), 2);
    assert_degraded(&kept, strerror(ENOSPC));
    failing_disk_mend();
    failing_disk_release();
    await_health(&kept);
    cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_OK);
    dump = bench_dump(kept.store);
    assert_holds(path, folder, dump, "healed twice");
    cr_assert_eq(failing_disk_retries(), 0);
    free(dump);
    kept_close(&kept);
    scratch_remove(path);
    scratch_remove(folder);
}

/* A failed snapshot is no failed log: what is stored is durable all the same, and the snapshot is tried again. */
Test(healing, a_failed_snapshot_does_not_break_the_log)
{
    struct keeper_options options = healing_options(KNACKDB_LOG_MAP);
    char                  folder[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX];
    char                  name[200]; /* longer than a reason may be */
    struct kept           kept;
    struct keeper_figures figures;

    scratch_make(folder);
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    scratch_join(path, folder, name);
    kept_must_open(&kept, path, 1, &options);
    bench_put_many(kept.store, 1, 10);
    failing_disk_fail(CALL_WRITE, "part-", ENOSPC, 0);
    cr_assert_eq(keeper_snapshot(kept.keeper, &kept.error), KNACKDB_IO);
    assert_degraded(&kept, "the last snapshot failed: part-");
    assert_degraded(&kept, "No space left on device");
    keeper_get_figures(kept.keeper, &figures);
    cr_assert_eq(figures.snapshot_status, KNACKDB_IO);
    bench_put_many(kept.store, 11, 20);
    cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_OK);
    keeper_get_figures(kept.keeper, &figures);
    cr_assert_eq(figures.durable_sequence, 20);
    failing_disk_mend();
    await_health(&kept);
    keeper_get_figures(kept.keeper, &figures);
    cr_assert_eq(figures.snapshot_status, KNACKDB_OK);
    cr_assert_eq(figures.snapshot_sequence, 20);
    kept_close(&kept);
    scratch_remove(folder);
}
