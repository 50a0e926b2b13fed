/* beside.c - readers beside a writer, the past, and the log as programs replay it. */
#include "tests/persist/bench.h"

#include "persist/replay_log.h"
#include "tests/api/scratch.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <time.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Test(beside, a_reader_sees_what_was_stored_and_changes_nothing)
{
    struct keeper_options options = kept_options();
    char                  path[SCRATCH_PATH_MAX];
    struct kept           writer;
    struct kept           reader;

    options.read_only = true;
    scratch_make(path);
    kept_must_open(&writer, path, 1, NULL);
    for (int64_t number = 1; number <= 60; number++) {
        char *dump;

        bench_put(writer.store, number);
        if (number % 20 == 0)
            cr_assert_eq(keeper_snapshot(writer.keeper, NULL), KNACKDB_OK);
        if (number % 7 != 0)
            continue;
        dump = bench_dump(writer.store);
        kept_must_open(&reader, path, 1, &options);
        cr_assert(bench_same(reader.store, dump), "after %" PRId64 " commits", number);
        cr_assert_eq(keeper_snapshot(reader.keeper, NULL), KNACKDB_READ_ONLY);
        kept_close(&reader);
        free(dump);
    }
    kept_close(&writer);
    scratch_remove(path);
}

/* A writer that stores and snapshots as fast as it can, so that files vanish under the readers all the time. Each
 * reader must open, and see every commit that had returned before it began. */
struct busy_writer {
    struct kept     *kept;
    _Atomic uint64_t stored;
    _Atomic bool     stops;
};

static void *
write_busily(void *context)
{
    struct busy_writer *writer = context;

    for (int64_t number = 1; !atomic_load(&writer->stops); number++) {
        knackdb_value values[3] = { knackdb_value_integer(number % 500 + 1), knackdb_value_null(),
                                    knackdb_value_integer(number) };

        if (store_put_rows(writer->kept->store, 0, values, 3, 1, 0, NULL, NULL, NULL) != KNACKDB_OK)
            break;
        atomic_store(&writer->stored, (uint64_t) number);
        if (number % 200 == 0 && keeper_snapshot(writer->kept->keeper, NULL) != KNACKDB_OK)
            break;
    }
    return NULL;
}

Test(beside, a_reader_opens_while_snapshots_follow_each_other)
{
    struct keeper_options options = kept_options();
    struct busy_writer    writer = { 0 };
    char                  path[SCRATCH_PATH_MAX];
    struct kept           kept;
    struct kept           reader;
    pthread_t             thread;
    uint64_t              snapshots_seen = 0;

    scratch_make(path);
    options.log_segment_bytes_max = 8192;
    kept_must_open(&kept, path, 1, &options);
    options.read_only = true;
    writer.kept = &kept;
    cr_assert_eq(pthread_create(&thread, NULL, write_busily, &writer), 0);
    for (int round = 0; round < 100 || (snapshots_seen < 50 && round < 100000); round++) {
        uint64_t              stored = atomic_load(&writer.stored);
        struct keeper_figures figures;

        kept_must_open(&reader, path, 1, &options);
        cr_assert_geq(store_sequence(reader.store), stored);
        keeper_get_figures(reader.keeper, &figures);
        snapshots_seen += figures.snapshot_sequence != 0;
        kept_close(&reader);
    }
    atomic_store(&writer.stops, true);
    (void) pthread_join(thread, NULL);
    cr_assert_gt(snapshots_seen, 10);
    kept_close(&kept);
    scratch_remove(path);
}

/* ---- the past ---- */

Test(past, opens_as_of_any_commit_that_is_kept)
{
    struct keeper_options options = kept_options();
    char                  path[SCRATCH_PATH_MAX];
    struct kept           kept;
    char                 *dumps[61];

    scratch_make(path);
    options.snapshots_kept = 2;
    options.log_segment_bytes_max = 4096;
    kept_must_open(&kept, path, 1, &options);
    for (int64_t number = 1; number <= 60; number++) {
        bench_put(kept.store, number % 25 + 1);
        dumps[number] = bench_dump(kept.store);
        if (number == 20 || number == 40)
            cr_assert_eq(keeper_snapshot(kept.keeper, NULL), KNACKDB_OK);
    }
    kept_close(&kept);
    options.read_only = true;
    for (uint64_t sequence = 1; sequence <= 61; sequence++) {
        knackdb_status status;

        options.as_of_sequence = sequence;
        status = kept_open(&kept, path, 1, &options);
        if (sequence < 20 || sequence > 60) {
            cr_assert_eq(status, KNACKDB_NOT_FOUND, "commit %" PRIu64, sequence);
            cr_assert(sequence > 60 || strstr(kept.error.message, "commit 20") != NULL, "%s", kept.error.message);
            cr_assert_not_null(strstr(kept.error.message, "60"), "%s", kept.error.message);
            continue;
        }
        cr_assert_eq(status, KNACKDB_OK, "commit %" PRIu64 ": %s", sequence, kept.error.message);
        cr_assert(bench_same(kept.store, dumps[sequence]), "commit %" PRIu64, sequence);
        kept_close(&kept);
    }
    options.as_of_sequence = 0;
    options.snapshot_only = true;
    kept_must_open(&kept, path, 1, &options);
    cr_assert(bench_same(kept.store, dumps[40]), "the newest snapshot alone");
    kept_close(&kept);
    for (int number = 1; number <= 60; number++)
        free(dumps[number]);
    scratch_remove(path);
}

Test(past, opens_as_of_a_time)
{
    struct keeper_options options = kept_options();
    char                  path[SCRATCH_PATH_MAX];
    struct kept           kept;
    int64_t               times[6];
    struct timespec       pause = { .tv_nsec = 3000000 };

    scratch_make(path);
    kept_must_open(&kept, path, 1, NULL);
    for (int i = 1; i <= 5; i++) {
        struct timespec now;

        bench_put(kept.store, i);
        (void) nanosleep(&pause, NULL);
        (void) clock_gettime(CLOCK_REALTIME, &now);
        times[i] = (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
        (void) nanosleep(&pause, NULL);
        if (i == 2)
            cr_assert_eq(keeper_snapshot(kept.keeper, NULL), KNACKDB_OK);
    }
    kept_close(&kept);
    options.read_only = true;
    for (int i = 2; i <= 5; i++) {
        options.as_of_time_us = times[i];
        kept_must_open(&kept, path, 1, &options);
        cr_assert_eq(store_sequence(kept.store), (uint64_t) i);
        kept_close(&kept);
    }
    options.as_of_time_us = times[1];
    cr_assert_eq(kept_open(&kept, path, 1, &options), KNACKDB_NOT_FOUND);
    cr_assert_not_null(strstr(kept.error.message, "commit 2,"), "%s", kept.error.message);
    cr_assert_not_null(strstr(kept.error.message, "commit 5"), "%s", kept.error.message);
    scratch_remove(path);
}

/* ---- the replay log ---- */

/* Every commit in order, as they come, through many segments; at the end, more when there is more. */
Test(replay, follows_a_writer_from_segment_to_segment)
{
    struct keeper_options options = kept_options();
    char                  path[SCRATCH_PATH_MAX];
    struct allocator      allocator;
    struct replay_log    *log;
    struct log_commit     commit;
    struct kept           kept;
    uint64_t              seen = 0;

    allocator_init(&allocator, NULL);
    scratch_make(path);
    options.log_segment_bytes_max = 4096;
    kept_must_open(&kept, path, 1, &options);
    log = bench_open_log(&allocator, path);
    cr_assert_eq(replay_log_first_sequence(log), 0);
    cr_assert_eq(replay_log_next(log, &commit, NULL), KNACKDB_NOT_FOUND);
    for (int64_t number = 1; number <= 300; number++) {
        bench_put(kept.store, number);
        if (number % 3 != 0 && number < 200)
            continue;
        while (replay_log_next(log, &commit, NULL) == KNACKDB_OK)
            cr_assert_eq(commit.record.sequence, ++seen);
        cr_assert_eq(seen, (uint64_t) number);
        cr_assert_eq(replay_log_torn_bytes(log, NULL, NULL), 0);
    }
    replay_log_close(log);
    log = bench_open_log(&allocator, path);
    cr_assert_eq(replay_log_first_sequence(log), 1);
    replay_log_close(log);
    kept_close(&kept);
    cr_assert_eq(atomic_load(&allocator.bytes), 0);
    scratch_remove(path);
}

Test(replay, says_so_when_a_snapshot_has_taken_what_comes_next)
{
    struct keeper_options options = kept_options();
    char                  path[SCRATCH_PATH_MAX];
    struct allocator      allocator;
    struct replay_log    *log;
    struct log_commit     commit;
    struct kept           kept;
    knackdb_error         error = { 0 };
    knackdb_status        status;
    uint64_t              seen = 0;
    char                  gone[64];

    allocator_init(&allocator, NULL);
    scratch_make(path);
    options.log_segment_bytes_max = 4096;
    kept_must_open(&kept, path, 1, &options);
    bench_put_many(kept.store, 1, 30);
    log = bench_open_log(&allocator, path);
    while (replay_log_next(log, &commit, NULL) == KNACKDB_OK)
        seen++;
    cr_assert_eq(seen, 30);
    bench_put_many(kept.store, 31, 300);
    cr_assert_eq(keeper_snapshot(kept.keeper, NULL), KNACKDB_OK);
    bench_put_many(kept.store, 301, 310);
    while ((status = replay_log_next(log, &commit, &error)) == KNACKDB_OK)
        cr_assert_eq(commit.record.sequence, ++seen, "what is still there comes in order");
    cr_assert_eq(status, KNACKDB_IO);
    cr_assert_not_null(strstr(error.message, "is gone"), "%s", error.message);
    cr_assert_eq(error.os_errno, ENOENT);
    cr_assert_eq(replay_log_next(log, &commit, &error), KNACKDB_OK, "it goes on behind them: %s", error.message);
    cr_assert(commit.record.sequence > seen + 1 && commit.record.sequence <= 301);
    seen = commit.record.sequence;
    while ((status = replay_log_next(log, &commit, &error)) == KNACKDB_OK)
        cr_assert_eq(commit.record.sequence, ++seen);
    cr_assert_eq(status, KNACKDB_NOT_FOUND, "%s", error.message);
    cr_assert_eq(seen, 310);
    /* And where nothing was stored behind the snapshot. */
    bench_put_many(kept.store, 311, 600);
    cr_assert_eq(keeper_snapshot(kept.keeper, NULL), KNACKDB_OK);
    kept_close(&kept);
    while ((status = replay_log_next(log, &commit, &error)) == KNACKDB_OK)
        cr_assert_eq(commit.record.sequence, ++seen);
    cr_assert_eq(status, KNACKDB_IO);
    (void) snprintf(gone, sizeof gone, "from commit %" PRIu64 " to 600 is gone", seen + 1);
    cr_assert_not_null(strstr(error.message, gone), "%s", error.message);
    for (int asked = 0; asked < 3; asked++)
        cr_assert_eq(replay_log_next(log, &commit, &error), KNACKDB_NOT_FOUND, "told once: %s", error.message);
    kept_must_open(&kept, path, 1, &options);
    bench_put(kept.store, 601);
    cr_assert_eq(replay_log_next(log, &commit, &error), KNACKDB_OK, "%s", error.message);
    cr_assert_eq(commit.record.sequence, 601);
    replay_log_close(log);
    log = bench_open_log(&allocator, path);
    cr_assert(replay_log_first_sequence(log) > 301 && replay_log_first_sequence(log) <= 601);
    replay_log_close(log);
    kept_close(&kept);
    scratch_remove(path);
}

Test(replay, tells_a_torn_end_and_where)
{
    char               path[SCRATCH_PATH_MAX];
    char               copy[PATH_MAX_BYTES];
    char               folder[SCRATCH_PATH_MAX];
    struct allocator   allocator;
    struct replay_log *log;
    struct log_commit  commit = { .offset = 0 };
    struct kept        kept;
    struct bytes       bytes;
    const char        *file = NULL;
    uint64_t           offset = 0;
    uint64_t           last = 0;

    allocator_init(&allocator, NULL);
    scratch_make(folder);
    scratch_join(path, folder, "store");
    kept_must_open(&kept, path, 1, NULL);
    bench_put_many(kept.store, 1, 10);
    kept_copy(path, folder, "copy", copy);
    kept_close(&kept);
    log = bench_open_log(&allocator, copy);
    while (replay_log_next(log, &commit, NULL) == KNACKDB_OK)
        last = commit.offset;
    replay_log_close(log);
    bytes = bytes_read(copy, "log-0000000000000001.knl");
    bytes.data[last + 24] ^= 255;
    bytes_write(copy, "log-0000000000000001.knl", bytes.data, bytes.count);
    bytes_free(&bytes);
    log = bench_open_log(&allocator, copy);
    for (uint64_t sequence = 1; sequence <= 9; sequence++)
        cr_assert_eq(replay_log_next(log, &commit, NULL), KNACKDB_OK);
    cr_assert_eq(replay_log_next(log, &commit, NULL), KNACKDB_NOT_FOUND);
    cr_assert_gt(replay_log_torn_bytes(log, &file, &offset), 40);
    cr_assert_str_eq(file, "log-0000000000000001.knl");
    cr_assert_eq(offset, last);
    replay_log_close(log);
    cr_assert_eq(atomic_load(&allocator.bytes), 0);
    scratch_remove(folder);
}
