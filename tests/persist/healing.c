/* healing.c - the disk fails and comes back: what is said, what goes on, what is never tried again, and that in the end
 * nothing is missing. */
#include "tests/persist/bench.h"

#include "persist/replay_log.h"
#include "persist/verification.h"
#include "tests/api/scratch.h"
#include "tests/persist/failing_disk.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Far more than any attempt waits for (10 s); reached only where healing does not happen. */
#define PATIENCE_US ((int64_t) 120 * 1000000)

static struct keeper_options
healing_options(knackdb_log_io io)
{
    struct keeper_options options = kept_options();

    options.disk = failing_disk_new();
    options.log_segment_bytes_max = 8192;
    options.log_io = io;
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

/* Nobody does anything; the keeper heals by itself, and all that memory holds is then durable. */
static void
await_health(struct kept *kept)
{
    struct keeper_figures figures;

    for (int64_t waited_us = 0; waited_us < PATIENCE_US; waited_us += 2000) {
        keeper_get_figures(kept->keeper, &figures);
        /* The second says that it has been cleared up behind the snapshot, too. */
        if (figures.state == KNACKDB_STATE_OK && figures.snapshot_sequence == figures.durable_sequence)
            break;
        (void) usleep(2000);
    }
    cr_assert_eq(figures.state, KNACKDB_STATE_OK, "%s", figures.reason);
    cr_assert_str_empty(figures.reason);
}

/* What is on the disk now, opened: the rows are those of `dump`, no byte is at fault. */
static void
assert_holds(const char *path, const char *folder, const char *dump, const char *when)
{
    struct verify_options options = { .disk = disk_posix(), .history = bench_history(), .schema = bench_schema(1) };
    knackdb_verify_report report;
    struct allocator      allocator;
    struct kept           copied;
    char                  copy[PATH_MAX_BYTES];
    knackdb_error         error = { 0 };

    kept_copy(path, folder, "copy", copy);
    allocator_init(&allocator, NULL);
    cr_assert_eq(verify_directory(&allocator, copy, &options, &report, &error), KNACKDB_OK, "%s: %s", when, error.message);
    kept_must_open(&copied, copy, 1, NULL);
    cr_assert(bench_same(copied.store, dump), "%s", when);
    kept_close(&copied);
    scratch_remove(copy);
}

/* The same while the disk fails: it opens, and holds the first so many commits at least. */
static void
assert_opens(const char *path, const char *folder, uint64_t sequence, const char *when)
{
    struct kept copied;
    char        copy[PATH_MAX_BYTES];
    uint64_t    found;

    kept_copy(path, folder, "copy", copy);
    kept_must_open(&copied, copy, 1, NULL);
    found = store_sequence(copied.store);
    cr_assert_geq(found, sequence, "%s", when);
    for (uint64_t number = 1; number <= found && number <= 300; number++) { /* commit N put row N, up to there */
        struct view   view;
        knackdb_value id;
        row_number    row;

        cr_assert_eq(view_begin(copied.store, &view, NULL), KNACKDB_OK);
        id = knackdb_value_integer((int64_t) number);
        cr_assert_eq(view_find_by_key(&view, 0, 0, &id, &row), KNACKDB_OK, "%s: commits come back without a gap", when);
        view_end(&view);
    }
    kept_close(&copied);
    scratch_remove(copy);
}

/* Who follows sees what the log took, and after the healing what memory had all the time: the new log jumps over what is in the
 * snapshot alone. */
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

/* The same at the beginning of an attempt to heal, so that no file comes or goes while the directory is copied. */
static void
assert_opens_between_attempts(const char *path, const char *folder, uint64_t sequence, const char *when)
{
    failing_disk_hold(CALL_CREATE, "log-");
    failing_disk_await_held();
    assert_opens(path, folder, sequence, when);
    failing_disk_release();
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

/* Somebody removes the log from under us. To sync a file without a name would be a lie. The directory is still there, so
 * all of it is written again. */
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

/* The whole directory goes. There is no place to heal to, and another of its name is not ours: memory goes on, every sync says
 * no, and the close says so, too. */
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

/* Stores while the snapshot that heals is being written go into the new log, which means nothing before it ends: a process
 * that is killed then leaves what was durable before. Afterwards they are there, in order. */
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

/* Whatever step of the healing fails, once: another attempt comes, nothing of the failed one is left over, and at no time is
 * there a directory that does not open. */
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

/* While a snapshot heals the log, the new log breaks: the snapshot counts, and another attempt mends what came after it. */
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
    failing_disk_fail(CALL_WRITE, "log-", ENOSPC, 1);
    bench_put_many(kept.store, 41, 60);
    cr_assert_eq(failing_disk_failures(), 2);
    assert_degraded(&kept, strerror(ENOSPC));
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
    char                  path[SCRATCH_PATH_MAX];
    struct kept           kept;
    struct keeper_figures figures;

    scratch_make(path);
    kept_must_open(&kept, path, 1, &options);
    bench_put_many(kept.store, 1, 10);
    failing_disk_fail(CALL_WRITE, "part-", ENOSPC, 0);
    cr_assert_eq(keeper_snapshot(kept.keeper, &kept.error), KNACKDB_IO);
    assert_degraded(&kept, "the last snapshot failed");
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
    scratch_remove(path);
}

/* ---- the past ---- */

static knackdb_status
open_as_of(struct kept *past, const char *path, uint64_t sequence)
{
    struct keeper_options options = kept_options();

    options.read_only = true;
    options.as_of_sequence = sequence;
    return kept_open(past, path, 1, &options);
}

/* Overwrites what the log of that name holds behind byte `from`, as a disk that lost its pages would. */
static void
lose_pages(const char *path, const char *name, size_t from)
{
    struct bytes bytes = bytes_read(path, name);

    for (size_t i = from; i < bytes.count; i++)
        bytes.data[i] = 0x5a;
    bytes_write(path, name, bytes.data, bytes.count);
    bytes_free(&bytes);
}

static size_t
end_of_log(const char *path, const char *name)
{
    struct bytes bytes = bytes_read(path, name);
    size_t       end = bytes.count;

    while (end > 0 && bytes.data[end - 1] == 0)
        end--;
    bytes_free(&bytes);
    return end;
}

/* An older snapshot is kept, and needs the log behind it, or all of the log is kept as history: as far as that was safe before the disk failed it is there, sound, and
 * what the disk did to the rest is nobody's concern. Then it has a gap, which a reader is told of; a moment in it is refused, not
 * made up. */
Test(healing, a_log_with_a_gap_says_so)
{
    for (int way = 0; way < 4; way++) {
        struct keeper_options options = healing_options(way % 2 == 0 ? KNACKDB_LOG_MAP : KNACKDB_LOG_WRITE);
        char                  path[SCRATCH_PATH_MAX];
        char                  folder[SCRATCH_PATH_MAX];
        char                  name[64];
        struct allocator      allocator;
        struct kept           kept;
        struct kept           past;
        struct replay_log    *log;
        struct log_commit     commit;
        knackdb_error         error = { 0 };
        char                 *dump;
        size_t                end;
        uint64_t              last = 0;

        scratch_make(path);
        scratch_make(folder);
        if (way < 2)
            options.snapshots_kept = 2;
        else
            options.log_history_bytes = (uint64_t) 1 << 30;
        options.log_segment_bytes_max = (uint64_t) 1 << 20;
        kept_must_open(&kept, path, 1, &options);
        bench_put_many(kept.store, 1, 10);
        cr_assert_eq(keeper_snapshot(kept.keeper, NULL), KNACKDB_OK);
        bench_put_many(kept.store, 11, 20);
        cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_OK);
        dump = bench_dump(kept.store);
        (void) names_count(path, "log-", name);
        if (end_of_log(path, name) < 200) /* that one is made ahead */
            (void) snprintf(name, sizeof name, "log-0000000000000002.knl");
        end = end_of_log(path, name);
        bench_put_many(kept.store, 21, 30);
        failing_disk_hold(CALL_CREATE, "log-");
        failing_disk_fail(CALL_SYNC, "log-", EIO, 1);
        cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_IO);
        failing_disk_await_held();
        lose_pages(path, name, end + 7);
        bench_put_many(kept.store, 31, 40);
        failing_disk_release();
        await_health(&kept);
        bench_put_many(kept.store, 41, 50);
        cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_OK);

        allocator_init(&allocator, NULL);
        cr_assert_eq(replay_log_open(&allocator, disk_posix(), path, bench_history(), bench_schema(1), &log, &error),
                     KNACKDB_OK, "%s", error.message);
        last = replay_log_first_sequence(log) - 1;
        cr_assert_leq(last, 10);
        while (replay_log_next(log, &commit, &error) == KNACKDB_OK)
            cr_assert_eq(commit.record.sequence, ++last);
        cr_assert_eq(last, 20, "%s", error.message);
        cr_assert_eq(error.os_errno, ENOENT, "%s", error.message);
        while (replay_log_next(log, &commit, &error) == KNACKDB_OK) {
            cr_assert(last == 20 ? commit.record.sequence <= 41 : commit.record.sequence == last + 1);
            last = commit.record.sequence;
        }
        cr_assert_eq(last, 50);
        replay_log_close(log);
        cr_assert_eq(open_as_of(&past, path, 20), KNACKDB_OK, "%s", past.error.message);
        cr_assert(bench_same(past.store, dump));
        kept_close(&past);
        cr_assert_eq(open_as_of(&past, path, 25), KNACKDB_NOT_FOUND);
        cr_assert_not_null(strstr(past.error.message, "not kept"), "%s", past.error.message);
        free(dump);
        dump = bench_dump(kept.store);
        assert_holds(path, folder, dump, "with a gap");
        free(dump);
        cr_assert_eq(failing_disk_retries(), 0);
        kept_close(&kept);
        scratch_remove(path);
        scratch_remove(folder);
    }
}

/* ---- close ---- */

Test(healing, a_close_makes_everything_durable_where_it_can)
{
    struct keeper_options options = healing_options(KNACKDB_LOG_MAP);
    char                  path[SCRATCH_PATH_MAX];
    char                  folder[SCRATCH_PATH_MAX];
    struct kept           kept;
    char                 *dump;

    scratch_make(path);
    scratch_make(folder);
    kept_must_open(&kept, path, 1, &options);
    bench_put_many(kept.store, 1, 20);
    failing_disk_fail(CALL_SYNC, "log-", EIO, 1); /* by the close itself, which has to begin anew */
    dump = bench_dump(kept.store);
    kept_close(&kept);
    assert_holds(path, folder, dump, "closed");
    free(dump);

    kept_must_open(&kept, path, 1, &options);
    failing_disk_fail(CALL_SYNC, "", EIO, 0);
    bench_put_many(kept.store, 21, 40);
    cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_IO);
    cr_assert_eq(keeper_close(kept.keeper, &kept.error), KNACKDB_IO, "the close does not claim what is not");
    cr_assert_eq(kept.error.os_errno, EIO);
    store_free(kept.store);
    cr_assert_eq(atomic_load(&kept.allocator.bytes), 0);
    failing_disk_mend();
    kept_must_open(&kept, path, 1, &options);
    cr_assert_geq(store_sequence(kept.store), 20);
    kept_close(&kept);
    scratch_remove(path);
    scratch_remove(folder);
}

/* ---- refusing ---- */

static knackdb_status
try_put(struct kept *kept, int64_t id, knackdb_error *error)
{
    knackdb_value values[6] = { knackdb_value_integer(id) };

    return store_put_rows(kept->store, 0, values, 6, 1, 0, NULL, NULL, error);
}

/* With KNACKDB_OPEN_REFUSE_DEGRADED the store that meets the failure is taken back, as if it had never been tried, and so is every
 * one after it, until the disk is back. */
Test(healing, a_store_that_refuses_changes_nothing_while_the_disk_fails)
{
    for (int io = KNACKDB_LOG_MAP; io <= KNACKDB_LOG_WRITE; io++) {
        struct keeper_options options = healing_options((knackdb_log_io) io);
        char                  path[SCRATCH_PATH_MAX];
        char                  folder[SCRATCH_PATH_MAX];
        struct kept           kept;
        char                 *before = NULL;
        char                 *dump;
        int64_t               id = 11;
        uint64_t              sequence;
        knackdb_status        status = KNACKDB_OK;
        knackdb_error         error = { 0 };

        options.refuses_degraded = true;
        scratch_make(path);
        scratch_make(folder);
        kept_must_open(&kept, path, 1, &options);
        bench_put_many(kept.store, 1, 10);
        cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_OK);
        failing_disk_fail(io == KNACKDB_LOG_MAP ? CALL_ALLOCATE : CALL_WRITE, "log-", ENOSPC, 0);
        for (; status == KNACKDB_OK && id < 2000; id++) {
            free(before);
            before = bench_dump(kept.store);
            status = try_put(&kept, id, &error);
        }
        cr_assert_eq(status, KNACKDB_IO);
        cr_assert_eq(error.os_errno, ENOSPC, "%s", error.message);
        cr_assert_not_null(strstr(error.message, "refused"), "%s", error.message);
        cr_assert(bench_same(kept.store, before));
        sequence = store_sequence(kept.store);
        for (int64_t more = id; more < id + 20; more++)
            cr_assert_eq(try_put(&kept, more, NULL), KNACKDB_IO);
        cr_assert_eq(try_put(&kept, 1, NULL), KNACKDB_IO, "nor is a row replaced");
        cr_assert_eq(store_sequence(kept.store), sequence);
        cr_assert(bench_same(kept.store, before));
        assert_degraded(&kept, "log");
        assert_opens_between_attempts(path, folder, 10, "while it refuses");

        failing_disk_mend();
        await_health(&kept);
        assert_holds(path, folder, before, "healed");
        for (int64_t more = id; more < id + 500; more++)
            cr_assert_eq(try_put(&kept, more, &error), KNACKDB_OK, "%s", error.message);
        cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_OK);
        dump = bench_dump(kept.store);
        kept_close(&kept);
        assert_holds(path, folder, dump, "closed");
        free(dump);
        free(before);
        scratch_remove(path);
        scratch_remove(folder);
    }
}

/* While the snapshot that heals is written, a store could still be lost: it is refused as well. */
Test(healing, a_store_that_refuses_waits_until_it_is_whole)
{
    struct keeper_options options = healing_options(KNACKDB_LOG_MAP);
    char                  path[SCRATCH_PATH_MAX];
    struct kept           kept;

    options.refuses_degraded = true;
    scratch_make(path);
    kept_must_open(&kept, path, 1, &options);
    bench_put_many(kept.store, 1, 10);
    failing_disk_hold(CALL_SYNC, "part-");
    failing_disk_fail(CALL_SYNC, "log-", EIO, 1);
    cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_IO);
    failing_disk_await_held();
    cr_assert_eq(try_put(&kept, 11, NULL), KNACKDB_IO);
    failing_disk_release();
    await_health(&kept);
    cr_assert_eq(try_put(&kept, 11, NULL), KNACKDB_OK);
    cr_assert_eq(store_sequence(kept.store), 11);
    kept_close(&kept);
    scratch_remove(path);
}

/* ---- who waits ---- */

struct waiter {
    struct kept   *kept;
    pthread_t      thread;
    uint64_t       sequence;
    knackdb_status status;
};

static void *
wait_durable(void *context)
{
    struct waiter *waiter = context;

    waiter->status = keeper_wait_durable(waiter->kept->keeper, waiter->sequence, NULL);
    return NULL;
}

/* Eight wait for a sync that does not come back. Stores and reads do not; and when it comes back with an error, each of the eight is
 * told so. */
Test(healing, a_sync_that_hangs_holds_up_no_store_and_no_read_and_nobody_for_ever)
{
    struct keeper_options options = healing_options(KNACKDB_LOG_MAP);
    char                  path[SCRATCH_PATH_MAX];
    struct kept           kept;
    struct waiter         waiters[8];
    char                 *dump;

    options.log_segment_bytes_max = (uint64_t) 1 << 20;
    scratch_make(path);
    kept_must_open(&kept, path, 1, &options);
    bench_put_many(kept.store, 1, 10);
    failing_disk_hold(CALL_SYNC, "log-");
    failing_disk_fail(CALL_SYNC, "", EIO, 0);
    for (size_t i = 0; i < 8; i++) {
        waiters[i] = (struct waiter) { .kept = &kept, .sequence = 10 };
        cr_assert_eq(pthread_create(&waiters[i].thread, NULL, wait_durable, &waiters[i]), 0);
    }
    failing_disk_await_held();
    bench_put_many(kept.store, 11, 1000);
    dump = bench_dump(kept.store);
    cr_assert_neq(dump[0], '\0');
    free(dump);
    failing_disk_release();
    for (size_t i = 0; i < 8; i++) {
        cr_assert_eq(pthread_join(waiters[i].thread, NULL), 0);
        cr_assert_eq(waiters[i].status, KNACKDB_IO);
    }
    failing_disk_mend();
    await_health(&kept);
    cr_assert_eq(keeper_wait_durable(kept.keeper, 1000, NULL), KNACKDB_OK);
    kept_close(&kept);
    scratch_remove(path);
}
