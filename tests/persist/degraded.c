/* degraded.c - what a store owes whose disk fails: to who asks for the past, closes, wants to be refused, or waits. */
#include "tests/persist/ailing.h"

#include "persist/replay_log.h"
#include "persist/verification.h"
#include "tests/api/scratch.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* The name under which a copy of it is made. */
static const char *
copy_of(const char *name, char copy[66])
{
    (void) snprintf(copy, 66, "%s~", name);
    return copy;
}

/* An older snapshot is kept, and needs the log behind it, or all of the log is kept as history: as far as that was safe
 * before the disk failed it is there, sound, and what the disk did to the rest is nobody's concern. Then it has a gap,
 * which a reader is told of; a moment in it is refused, not made up. */
Test(degraded, a_log_with_a_gap_says_so)
{
    for (int way = 0; way < 6; way++) {
        struct keeper_options options = healing_options(way % 2 == 0 ? KNACKDB_LOG_MAP : KNACKDB_LOG_WRITE);
        char                  path[SCRATCH_PATH_MAX];
        char                  folder[SCRATCH_PATH_MAX];
        char                  name[64];
        char                  copy[66];
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
        name_written_log(path, name);
        end = end_of_log(path, name);
        bench_put_many(kept.store, 21, 30);
        failing_disk_hold(CALL_CREATE, "log-");
        failing_disk_fail(CALL_SYNC, "log-", EIO, 1);
        cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_IO);
        failing_disk_await_held();
        if (way >= 4) /* it cannot be copied, and goes into history as it is */
            failing_disk_fail(CALL_CREATE, copy_of(name, copy), EIO, 0);
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

/* The copy of what was sound of that log fails: behind the next snapshot it is made. */
Test(degraded, what_was_sound_and_could_not_be_copied_is_copied_later)
{
    struct keeper_options options = healing_options(KNACKDB_LOG_WRITE);
    char                  path[SCRATCH_PATH_MAX];
    char                  name[64] = "log-0000000000000002.knl";
    char                  copy[66];
    struct kept           kept;
    struct kept           past;
    char                 *dump;
    size_t                end;

    scratch_make(path);
    options.snapshots_kept = 3;
    options.log_segment_bytes_max = (uint64_t) 1 << 20;
    kept_must_open(&kept, path, 1, &options);
    bench_put_many(kept.store, 1, 10);
    cr_assert_eq(keeper_snapshot(kept.keeper, NULL), KNACKDB_OK);
    bench_put_many(kept.store, 11, 20);
    cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_OK);
    dump = bench_dump(kept.store);
    end = end_of_log(path, name);
    cr_assert_gt(end, 200);
    bench_put_many(kept.store, 21, 30);
    failing_disk_fail(CALL_CREATE, copy_of(name, copy), EIO, 1);
    failing_disk_fail(CALL_SYNC, "log-", EIO, 1);
    cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_IO);
    await_health(&kept);
    while (failing_disk_failures() < 2)
        (void) usleep(1000); /* healthy is what it is before that */
    cr_assert_gt(end_of_log(path, name), end + 7);
    lose_pages(path, name, end + 7);

    cr_assert_eq(keeper_snapshot(kept.keeper, NULL), KNACKDB_OK);
    cr_assert_leq(end_of_log(path, name), end);
    cr_assert_eq(open_as_of(&past, path, 20), KNACKDB_OK, "%s", past.error.message);
    cr_assert(bench_same(past.store, dump));
    kept_close(&past);
    free(dump);
    kept_close(&kept);
    scratch_remove(path);
}

/* Nothing of those behind the first was on stable storage, so there is nothing to be kept of them. */
Test(degraded, one_log_that_cannot_be_copied_holds_up_none_behind_it)
{
    struct keeper_options options = healing_options(KNACKDB_LOG_WRITE);
    char                  path[SCRATCH_PATH_MAX];
    char                  copy[66];
    struct kept           kept;

    scratch_make(path);
    options.snapshots_kept = 4;
    kept_must_open(&kept, path, 1, &options);
    bench_put_many(kept.store, 1, 10);
    cr_assert_eq(keeper_snapshot(kept.keeper, NULL), KNACKDB_OK);
    bench_put_many(kept.store, 11, 20);
    cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_OK);
    bench_put_many(kept.store, 21, 400);
    cr_assert_eq(names_count(path, "log-0000000000000004.knl", NULL), 1);
    failing_disk_fail(CALL_CREATE, copy_of("log-0000000000000002.knl", copy), EIO, 0);
    failing_disk_fail(CALL_SYNC, "log-0000000000000002.knl", EIO, 1);
    cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_IO);
    await_health(&kept);
    cr_assert_eq(keeper_snapshot(kept.keeper, NULL), KNACKDB_OK);
    cr_assert_eq(names_count(path, "log-0000000000000002.knl", NULL), 1);
    cr_assert_eq(names_count(path, "log-0000000000000003.knl", NULL), 0);
    cr_assert_eq(names_count(path, "log-0000000000000004.knl", NULL), 0);
    kept_close(&kept);
    scratch_remove(path);
}

static void *
take_snapshot(void *keeper)
{
    (void) keeper_snapshot(keeper, NULL);
    return NULL;
}

/* The log breaks while a snapshot is written that has all of what breaks: behind that snapshot the segment goes into
 * history as far as it is sound. */
Test(degraded, what_breaks_while_a_snapshot_is_written_goes_into_history_as_far_as_it_is_sound)
{
    struct verify_options verifying = { .disk = disk_posix(), .history = bench_history(), .schema = bench_schema(1) };
    struct keeper_options options = healing_options(KNACKDB_LOG_WRITE);
    const char           *name = "log-0000000000000001.knl";
    char                  path[SCRATCH_PATH_MAX];
    struct allocator      allocator;
    struct kept           kept;
    struct kept           past;
    pthread_t             taker;
    char                 *dump;
    size_t                end;

    scratch_make(path);
    options.log_history_bytes = (uint64_t) 1 << 30;
    options.log_segment_bytes_max = (uint64_t) 1 << 20;
    kept_must_open(&kept, path, 1, &options);
    bench_put_many(kept.store, 1, 10);
    dump = bench_dump(kept.store);
    failing_disk_hold(CALL_SYNC, "log-");
    cr_assert_eq(pthread_create(&taker, NULL, take_snapshot, kept.keeper), 0);
    failing_disk_await_held();
    end = end_of_log(path, name);
    bench_put_many(kept.store, 11, 20); /* seen by the snapshot, and not by the sync before it */
    failing_disk_hold(CALL_SYNC, "part-");
    failing_disk_await_held();
    failing_disk_fail(CALL_SYNC, "log-", EIO, 1);
    bench_put_many(kept.store, 21, 25);
    failing_disk_hold(CALL_SYNC, "manifest");
    failing_disk_await_held();
    cr_assert_eq(failing_disk_failures(), 1);
    lose_pages(path, name, end + 16); /* some zeros at its end may be of what is sound */
    failing_disk_release();
    cr_assert_eq(pthread_join(taker, NULL), 0);
    await_health(&kept);
    bench_put_many(kept.store, 26, 30);
    cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_OK);
    bench_put_many(kept.store, 31, 35); /* which testify that all before was durable */

    allocator_init(&allocator, NULL);
    cr_assert_eq(verify_directory(&allocator, path, &verifying, NULL, &kept.error), KNACKDB_OK, "%s",
                 kept.error.message);
    cr_assert_eq(open_as_of(&past, path, 10), KNACKDB_OK, "%s", past.error.message);
    cr_assert(bench_same(past.store, dump));
    kept_close(&past);
    free(dump);
    kept_close(&kept);
    scratch_remove(path);
}

/* ---- close ---- */

/* The log broke and could not be mended by the close either: what its file may hold all the same is all there is, and
 * the next life takes it, also where what is sound of a broken log would be kept for older moments. */
Test(degraded, a_close_in_vain_leaves_the_log_as_it_was)
{
    for (int way = 0; way < 3; way++) {
        struct keeper_options options = healing_options(KNACKDB_LOG_WRITE);
        char                  path[SCRATCH_PATH_MAX];
        struct kept           kept;

        scratch_make(path);
        options.log_history_bytes = way == 1 ? (uint64_t) 1 << 30 : 0;
        options.snapshots_kept = way == 2 ? 2 : 1;
        options.log_segment_bytes_max = (uint64_t) 1 << 20;
        kept_must_open(&kept, path, 1, &options);
        bench_put_many(kept.store, 1, 10);
        cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_OK);
        failing_disk_fail(CALL_CREATE, "part-", ENOSPC, 0);
        failing_disk_fail(CALL_SYNC, "log-", EIO, 1);
        bench_put_many(kept.store, 11, 20);
        cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_IO);
        cr_assert_eq(keeper_close(kept.keeper, &kept.error), KNACKDB_IO);
        store_free(kept.store);
        failing_disk_mend();
        kept_must_open(&kept, path, 1, &options);
        cr_assert_eq(store_sequence(kept.store), 20, "way %d", way);
        kept_close(&kept);
        scratch_remove(path);
    }
}

Test(degraded, a_close_makes_everything_durable_where_it_can)
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

/* With KNACKDB_OPEN_REFUSE_DEGRADED the store that meets the failure is taken back, as if it had never been tried, and
 * so is every one after it, until the disk is back. */
Test(degraded, a_store_that_refuses_changes_nothing_while_the_disk_fails)
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
        assert_state(&kept, KNACKDB_STATE_FAILED, "log");
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
Test(degraded, a_store_that_refuses_waits_until_it_is_whole)
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
    assert_state(&kept, KNACKDB_STATE_FAILED, "log");
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

/* Eight wait for a sync that does not come back. Stores and reads do not; and when it comes back with an error, each of
 * the eight is told so. */
Test(degraded, a_sync_that_hangs_holds_up_no_store_and_no_read_and_nobody_for_ever)
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
