/* keeping.c - what was stored comes back: from the log, from a snapshot, from both; whole and in type. */
#include "tests/persist/bench.h"

#include "base/clock.h"
#include "persist/keeper_state.h"
#include "tests/api/scratch.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Reopens and compares. `read_only` as well, since that is another way in. */
static void
assert_comes_back(const char *path, const char *dump, const struct keeper_options *options, const char *when)
{
    struct keeper_options own = options != NULL ? *options : kept_options();
    struct kept           kept;

    own.read_only = true;
    kept_must_open(&kept, path, 1, &own);
    cr_assert(bench_same(kept.store, dump), "%s, read-only", when);
    kept_close(&kept);
    own.read_only = false;
    kept_must_open(&kept, path, 1, &own);
    cr_assert(bench_same(kept.store, dump), "%s", when);
    kept_close(&kept);
}

/* The life of a store under options: rows, updates, deletes, a snapshot, more rows; looked at as a killed
 * process would leave it and as a closed one does, before, between and after. */
static void
live_and_compare(const struct keeper_options *options)
{
    char        folder[SCRATCH_PATH_MAX];
    char        path[SCRATCH_PATH_MAX];
    char        copy[PATH_MAX_BYTES];
    struct kept kept;
    char       *dump;

    scratch_make(folder);
    scratch_join(path, folder, "store");
    kept_must_open(&kept, path, 1, options);
    cr_assert_eq(store_sequence(kept.store), 0);
    bench_put_many(kept.store, 1, 300);
    for (int64_t id = 10; id <= 100; id += 10)
        cr_assert_eq(store_delete(kept.store, 0, id, NULL, NULL), KNACKDB_OK);
    bench_put_many(kept.store, 5, 9); /* replaced */
    dump = bench_dump(kept.store);
    kept_copy(path, folder, "killed", copy);
    assert_comes_back(copy, dump, options, "killed with a log");
    kept_close(&kept);
    assert_comes_back(path, dump, options, "closed with a log");
    free(dump);

    kept_must_open(&kept, path, 1, options);
    cr_assert_eq(keeper_snapshot(kept.keeper, &kept.error), KNACKDB_OK, "%s", kept.error.message);
    dump = bench_dump(kept.store);
    kept_copy(path, folder, "killed", copy);
    assert_comes_back(copy, dump, options, "killed right after a snapshot");
    free(dump);
    bench_put_many(kept.store, 200, 700);
    cr_assert_eq(store_delete(kept.store, 0, 1, NULL, NULL), KNACKDB_OK);
    dump = bench_dump(kept.store);
    kept_copy(path, folder, "killed", copy);
    assert_comes_back(copy, dump, options, "killed with a snapshot and a log");
    kept_close(&kept);
    assert_comes_back(path, dump, options, "closed with a snapshot and a log");
    free(dump);

    kept_must_open(&kept, path, 1, options);
    cr_assert_eq(keeper_snapshot(kept.keeper, &kept.error), KNACKDB_OK, "%s", kept.error.message);
    dump = bench_dump(kept.store);
    kept_close(&kept);
    cr_assert_eq(names_count(path, "log-", NULL), 0, "a snapshot covers the log");
    assert_comes_back(path, dump, options, "closed with a snapshot alone");
    free(dump);
    scratch_remove(folder);
}

Test(keeping, brings_back_every_row_through_log_and_snapshot)
{
    live_and_compare(NULL);
}

Test(keeping, does_so_with_write_instead_of_a_mapping)
{
    struct keeper_options options = kept_options();

    options.log_io = KNACKDB_LOG_WRITE;
    live_and_compare(&options);
}

/* 4 KiB segments hold some twenty records each: the log goes through dozens of them. */
Test(keeping, does_so_over_many_small_segments)
{
    struct keeper_options options = kept_options();

    options.log_segment_bytes_max = 4096;
    live_and_compare(&options);
    options.log_io = KNACKDB_LOG_WRITE;
    live_and_compare(&options);
}

/* A record that fits no segment gets one of its own, in either way of writing, and so does the next. */
Test(keeping, takes_texts_of_sixteen_mebibytes)
{
    for (int way = 0; way < 2; way++) {
        struct keeper_options options = kept_options();
        char                  path[SCRATCH_PATH_MAX];
        size_t                bytes = KNACKDB_TEXT_BYTES_MAX;
        char                 *text = malloc(bytes);
        struct kept           kept;
        char                 *dump;

        options.log_segment_bytes_max = 65536;
        options.log_io = way == 0 ? KNACKDB_LOG_AUTO : KNACKDB_LOG_WRITE;
        scratch_make(path);
        for (size_t i = 0; i < bytes; i++)
            text[i] = (char) ('a' + (i * i >> 7) % 26);
        kept_must_open(&kept, path, 1, &options);
        bench_put(kept.store, 1);
        for (int64_t id = 2; id <= 3; id++) {
            knackdb_value values[6] = { knackdb_value_integer(id),
                                        knackdb_value_null(),
                                        knackdb_value_null(),
                                        knackdb_value_null(),
                                        knackdb_value_text((knackdb_text) { text, bytes / 3 }),
                                        knackdb_value_text((knackdb_text) { text, bytes }) };

            cr_assert_eq(store_put_rows(kept.store, 0, values, 6, 1, 0, NULL, NULL, &kept.error), KNACKDB_OK, "%s",
                         kept.error.message);
        }
        bench_put(kept.store, 4);
        dump = bench_dump(kept.store);
        kept_close(&kept);
        assert_comes_back(path, dump, &options, "from the log");
        kept_must_open(&kept, path, 1, &options);
        cr_assert_eq(keeper_snapshot(kept.keeper, &kept.error), KNACKDB_OK, "%s", kept.error.message);
        kept_close(&kept);
        assert_comes_back(path, dump, &options, "from the snapshot");
        free(dump);
        free(text);
        scratch_remove(path);
    }
}

/* More rows than one part or one block holds. */
Test(keeping, snapshots_more_than_a_chunk_of_rows)
{
    char        path[SCRATCH_PATH_MAX];
    struct kept kept;
    char       *dump;

    scratch_make(path);
    kept_must_open(&kept, path, 1, NULL);
    bench_put_many(kept.store, 1, 70000);
    dump = bench_dump(kept.store);
    cr_assert_eq(keeper_snapshot(kept.keeper, &kept.error), KNACKDB_OK, "%s", kept.error.message);
    kept_close(&kept);
    cr_assert_geq(names_count(path, "part-", NULL), 2);
    assert_comes_back(path, dump, NULL, "70,000 rows");
    free(dump);
    scratch_remove(path);
}

/* Ids go on where they were, also when the row with the highest is gone and its commit, too. */
Test(keeping, gives_no_id_twice)
{
    char          path[SCRATCH_PATH_MAX];
    struct kept   kept;
    knackdb_value values[1] = { knackdb_value_null() };
    int64_t       id = 0;

    scratch_make(path);
    kept_must_open(&kept, path, 1, NULL);
    bench_put(kept.store, 41);
    cr_assert_eq(store_delete(kept.store, 0, 41, NULL, NULL), KNACKDB_OK);
    cr_assert_eq(keeper_snapshot(kept.keeper, NULL), KNACKDB_OK);
    kept_close(&kept);
    kept_must_open(&kept, path, 1, NULL);
    cr_assert_eq(store_put_rows(kept.store, 0, values, 1, 1, 0, &id, NULL, NULL), KNACKDB_OK);
    cr_assert_eq(id, 42);
    kept_close(&kept);
    scratch_remove(path);
}

/* Figures that api hands on. */
Test(keeping, tells_how_far_it_is)
{
    char                  path[SCRATCH_PATH_MAX];
    struct kept           kept;
    struct keeper_figures figures;

    scratch_make(path);
    kept_must_open(&kept, path, 1, NULL);
    bench_put_many(kept.store, 1, 10);
    keeper_get_figures(kept.keeper, &figures);
    cr_assert_eq(figures.state, KNACKDB_STATE_OK);
    cr_assert_eq(figures.durable_sequence, 0);
    cr_assert_gt(figures.log_unsynced_bytes, 10 * 40);
    cr_assert_eq(figures.log_unsynced_bytes, figures.log_bytes);
    cr_assert_eq(figures.snapshot_at, 0.0);

    cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_OK);
    keeper_get_figures(kept.keeper, &figures);
    cr_assert_eq(figures.durable_sequence, 10);
    cr_assert_eq(figures.log_unsynced_bytes, 0);

    bench_put_many(kept.store, 11, 20);
    cr_assert_eq(keeper_snapshot(kept.keeper, NULL), KNACKDB_OK);
    keeper_get_figures(kept.keeper, &figures);
    cr_assert_eq(figures.snapshot_count, 1);
    cr_assert_eq(figures.snapshot_sequence, 20);
    cr_assert_eq(figures.durable_sequence, 20, "what a snapshot holds is on stable storage");
    cr_assert_eq(figures.log_bytes, 0);
    cr_assert_gt(figures.snapshot_bytes, 100);
    cr_assert_gt(figures.snapshot_at, 1.7e9);
    kept_close(&kept);

    kept_must_open(&kept, path, 1, NULL);
    keeper_get_figures(kept.keeper, &figures);
    cr_assert_eq(figures.snapshot_sequence, 20);
    cr_assert_eq(figures.recovered_commits, 0);
    cr_assert_eq(figures.durable_sequence, 20);
    kept_close(&kept);
    scratch_remove(path);
}

/* The flusher: commits become durable by themselves, and snapshots come when the log has grown. */
Test(keeping, flushes_and_snapshots_by_itself)
{
    struct keeper_options options = kept_options();
    char                  path[SCRATCH_PATH_MAX];
    struct kept           kept;
    struct keeper_figures figures = { 0 };

    options.flush_interval_ms = 5;
    options.snapshot_log_bytes = 20000;
    scratch_make(path);
    kept_must_open(&kept, path, 1, &options);
    bench_put(kept.store, 1);
    for (int tries = 0; tries < 5000 && figures.durable_sequence == 0; tries++) {
        keeper_get_figures(kept.keeper, &figures);
        (void) nanosleep(&(struct timespec) { .tv_nsec = 1000000 }, NULL);
    }
    cr_assert_eq(figures.durable_sequence, 1);
    cr_assert_eq(figures.snapshot_count, 0);
    bench_put_many(kept.store, 2, 400);
    for (int tries = 0; tries < 5000 && figures.snapshot_count == 0; tries++) {
        keeper_get_figures(kept.keeper, &figures);
        (void) nanosleep(&(struct timespec) { .tv_nsec = 1000000 }, NULL);
    }
    cr_assert_geq(figures.snapshot_count, 1);
    cr_assert_leq(figures.snapshot_sequence, 400);
    kept_close(&kept);
    scratch_remove(path);
}

/* A snapshot a second, for as long as there is something to write. */
Test(keeping, snapshots_by_the_clock)
{
    struct keeper_options options = kept_options();
    char                  path[SCRATCH_PATH_MAX];
    struct kept           kept;
    struct keeper_figures figures = { 0 };

    options.snapshot_interval_s = 1;
    for (int by_hand = 0; by_hand < 2; by_hand++) {
        options.by_hand = by_hand == 1;
        figures.snapshot_count = 0;
        scratch_make(path);
        kept_must_open(&kept, path, 1, &options);
        bench_put(kept.store, 1);
        for (int tries = 0; tries < 5000 && figures.snapshot_count == 0; tries++) {
            if (options.by_hand)
                keeper_turn(kept.keeper);
            keeper_get_figures(kept.keeper, &figures);
            (void) nanosleep(&(struct timespec) { .tv_nsec = 5000000 }, NULL);
        }
        cr_assert_eq(figures.snapshot_count, 1);
        cr_assert_eq(figures.snapshot_sequence, 1);
        kept_close(&kept);
        scratch_remove(path);
    }
}

/* One that somebody asked for is the last one, too. Where the machine stood still for so long that the next is due by
 * then, this says nothing. */
Test(keeping, snapshots_by_the_clock_so_long_after_the_last_one)
{
    struct keeper_options options = kept_options();
    char                  path[SCRATCH_PATH_MAX];
    struct kept           kept;
    struct keeper_figures figures = { 0 };
    uint64_t              asked_ns;

    options.snapshot_interval_s = 1;
    options.by_hand = true;
    scratch_make(path);
    kept_must_open(&kept, path, 1, &options);
    bench_put(kept.store, 1);
    (void) nanosleep(&(struct timespec) { .tv_nsec = 600000000 }, NULL);
    asked_ns = clock_monotonic_ns();
    cr_assert_eq(keeper_snapshot(kept.keeper, &kept.error), KNACKDB_OK);
    bench_put(kept.store, 2);
    (void) nanosleep(&(struct timespec) { .tv_nsec = 500000000 }, NULL);
    keeper_turn(kept.keeper);
    keeper_get_figures(kept.keeper, &figures);
    if (clock_monotonic_ns() - asked_ns < 1000000000)
        cr_expect_eq(figures.snapshot_count, 1);
    for (int tries = 0; tries < 5000 && figures.snapshot_sequence < 2; tries++) {
        (void) nanosleep(&(struct timespec) { .tv_nsec = 5000000 }, NULL);
        keeper_turn(kept.keeper);
        keeper_get_figures(kept.keeper, &figures);
    }
    cr_expect_eq(figures.snapshot_count, 2);
    kept_close(&kept);
    scratch_remove(path);
}

/* Memory that files below a folder take up in this process, by mapping; -1 where the system does not tell. */
static long
mapped_kilobytes(const char *folder)
{
    FILE         *maps = fopen("/proc/self/smaps", "r");
    char          line[PATH_MAX_BYTES + 200];
    long          all = 0, some;
    bool          is_ours = false;
    unsigned long from, to;

    if (maps == NULL)
        return -1;
    while (fgets(line, sizeof line, maps) != NULL) {
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            is_ours = strstr(line, folder) != NULL;
        else if (is_ours && sscanf(line, "Rss: %ld kB", &some) == 1)
            all += some;
    }
    (void) fclose(maps);
    return all;
}

/* Method: nothing happens but stores, as if the flusher came never to the processor, and some segments are filled. */
Test(keeping, a_log_that_nobody_tends_takes_little_memory)
{
    struct keeper_options options = kept_options();
    char                  path[SCRATCH_PATH_MAX];
    struct kept           kept;
    long                  most = 0;

    options.by_hand = true;
    scratch_make(path);
    kept_must_open(&kept, path, 1, &options);
    for (int64_t first = 1; first < 40000; first += 500) {
        long now;

        bench_put_many(kept.store, first, first + 499);
        now = mapped_kilobytes(path);
        most = now > most ? now : most;
    }
    cr_expect_geq(names_count(path, "log-", NULL), 3, "segments");
    kept_close(&kept);
    scratch_remove(path);
    if (most <= 0)
        cr_skip("this system does not tell what is mapped\n");
    cr_expect_leq(most, 700, "%ld KB", most);
}

/* Ten threads wait for their commits at once: far fewer syncs than commits, and every one is durable when told so. */
struct waiter {
    struct kept *kept;
    int64_t      first;
};

static void *
store_and_wait(void *context)
{
    struct waiter *waiter = context;

    for (int64_t number = waiter->first; number < waiter->first + 20; number++) {
        knackdb_value         values[1] = { knackdb_value_integer(number) };
        struct keeper_figures figures;
        uint64_t              sequence = 0;

        cr_assert_eq(store_put_rows(waiter->kept->store, 0, values, 1, 1, 0, NULL, &sequence, NULL), KNACKDB_OK);
        cr_assert_eq(keeper_wait_durable(waiter->kept->keeper, sequence, NULL), KNACKDB_OK);
        keeper_get_figures(waiter->kept->keeper, &figures);
        cr_assert_geq(figures.durable_sequence, sequence);
    }
    return NULL;
}

static _Atomic int sync_count;

static int
counting_sync_map(const struct disk *disk, void *memory, size_t bytes)
{
    (void) disk;
    atomic_fetch_add(&sync_count, 1);
    (void) nanosleep(&(struct timespec) { .tv_nsec = 1000000 }, NULL); /* a disk with a pace of its own */
    return disk_posix()->sync_map(disk_posix(), memory, bytes);
}

static int
counting_sync(const struct disk *disk, int file)
{
    (void) disk;
    atomic_fetch_add(&sync_count, 1);
    return disk_posix()->sync(disk_posix(), file);
}

Test(keeping, shares_a_sync_among_those_who_wait)
{
    struct keeper_options options = kept_options();
    struct disk           disk = *disk_posix();
    char                  path[SCRATCH_PATH_MAX];
    pthread_t             threads[10];
    struct waiter         waiters[10];
    struct kept           kept;
    int                   before;

    disk.sync = counting_sync;
    disk.sync_map = counting_sync_map;
    options.disk = &disk;
    options.log_io = KNACKDB_LOG_MAP;
    scratch_make(path);
    kept_must_open(&kept, path, 1, &options);
    before = atomic_load(&sync_count);
    for (int i = 0; i < 10; i++) {
        waiters[i] = (struct waiter) { &kept, 1 + 20 * i };
        cr_assert_eq(pthread_create(&threads[i], NULL, store_and_wait, &waiters[i]), 0);
    }
    for (int i = 0; i < 10; i++)
        (void) pthread_join(threads[i], NULL);
    cr_assert_eq(store_sequence(kept.store), 200);
    cr_assert_lt(atomic_load(&sync_count) - before, 100, "200 commits took %d syncs",
                 atomic_load(&sync_count) - before);
    kept_close(&kept);
    scratch_remove(path);
}

/* A speed that only ever gets less must not end as one that makes it look all the time, or never. */
Test(keeping, looks_again_within_a_second_however_long_nothing_came)
{
    struct keeper_options options = kept_options();
    const struct timespec pause = { .tv_nsec = 40000 }; /* less tells no speed */
    char                  path[SCRATCH_PATH_MAX];
    struct kept           kept;

    scratch_prefer_memory();
    scratch_make(path);
    options.by_hand = true;
    kept_must_open(&kept, path, 1, &options);
    for (int64_t number = 1; number <= 2; number++) {
        bench_put_many(kept.store, 1, 200);
        for (int turn = 0; turn < 3000; turn++) {
            uint64_t before = clock_monotonic_ns();
            uint64_t look;

            keeper_turn(kept.keeper);
            look = log_writer_look_ns(kept.keeper->log);
            cr_assert_gt(look, before, "turn %d", turn);
            cr_assert_leq(look, clock_monotonic_ns() + 1000000000u, "turn %d", turn);
            (void) nanosleep(&pause, NULL);
        }
    }
    kept_close(&kept);
    scratch_remove(path);
}
