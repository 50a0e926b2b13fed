/* increments.c - a snapshot writes what changed, and what is left on the disk is all there is and no more. */
#include "core/reclaim.h"
#include "persist/coverage.h"
#include "persist/part_format.h"
#include "persist/snapshot_plan.h"
#include "tests/persist/bench.h"

#include "tests/api/scratch.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void
must_snapshot(struct kept *kept)
{
    cr_assert_eq(keeper_snapshot(kept->keeper, &kept->error), KNACKDB_OK, "%s", kept->error.message);
}

/* Bytes of the part files of a directory. */
static uint64_t
part_bytes(const char *path)
{
    DIR           *directory = opendir(path);
    struct dirent *entry;
    uint64_t       bytes = 0;

    cr_assert_not_null(directory);
    while ((entry = readdir(directory)) != NULL) {
        char        name[PATH_MAX_BYTES + 300];
        struct stat facts;

        if (strncmp(entry->d_name, "part-", 5) != 0)
            continue;
        (void) snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        cr_assert_eq(stat(name, &facts), 0);
        bytes += (uint64_t) facts.st_size;
    }
    (void) closedir(directory);
    return bytes;
}

static void
verify_and_compare(const char *path, const char *folder, const char *dump, const char *when)
{
    struct keeper_options options = kept_options();
    struct kept           kept;
    char                  copy[PATH_MAX_BYTES];

    kept_copy(path, folder, "looked-at", copy);
    options.read_only = true;
    kept_must_open(&kept, copy, 1, &options);
    cr_assert(bench_same(kept.store, dump), "%s", when);
    kept_close(&kept);
    scratch_remove(copy);
}

/* The part of a full chunk stays as it is, under its name, whatever comes behind it. */
Test(increments, write_a_full_chunk_once)
{
    char         folder[SCRATCH_PATH_MAX];
    char         path[SCRATCH_PATH_MAX];
    char         first[64];
    struct kept  kept;
    struct bytes before;
    struct bytes after;
    uint64_t     full;

    scratch_make(folder);
    scratch_join(path, folder, "store");
    kept_must_open(&kept, path, 1, NULL);
    bench_put_many(kept.store, 1, 66000);
    must_snapshot(&kept);
    cr_assert_eq(names_count(path, "part-0000000000000001", first), 1);
    cr_assert_eq(names_count(path, "part-", NULL), 2, "a full one, and the rest");
    before = bytes_read(path, first);
    full = part_bytes(path);
    for (int64_t more = 66001; more < 67000; more += 100) {
        bench_put_many(kept.store, more, more + 99);
        must_snapshot(&kept);
    }
    after = bytes_read(path, first);
    cr_assert(before.count == after.count && memcmp(before.data, after.data, before.count) == 0);
    cr_assert_lt(part_bytes(path), full + full / 20);
    bytes_free(&before);
    bytes_free(&after);
    kept_close(&kept);
    scratch_remove(folder);
}

/* Rows that end cost a bit each, in one file, and come back as ended; also after another life. */
Test(increments, tell_of_ends_beside_the_parts)
{
    char        folder[SCRATCH_PATH_MAX];
    char        path[SCRATCH_PATH_MAX];
    struct kept kept;
    uint64_t    before;
    char       *dump;

    scratch_make(folder);
    scratch_join(path, folder, "store");
    kept_must_open(&kept, path, 1, NULL);
    bench_put_many(kept.store, 1, 40000);
    must_snapshot(&kept);
    before = part_bytes(path);
    for (int life = 0; life < 4; life++) {
        for (int64_t id = 1 + life; id < 40000; id += 400)
            cr_assert_eq(store_delete(kept.store, 0, id, NULL, NULL), KNACKDB_OK);
        must_snapshot(&kept);
        cr_assert_eq(names_count(path, "part-", NULL), 2, "the rows, and their ends");
        cr_assert_leq(part_bytes(path), before + 1000 + 40000 / 8);
        dump = bench_dump(kept.store);
        verify_and_compare(path, folder, dump, "after deletes");
        kept_close(&kept);
        kept_must_open(&kept, path, 1, NULL);
        cr_assert(bench_same(kept.store, dump), "in another life");
        free(dump);
        must_snapshot(&kept);
        cr_assert_eq(names_count(path, "part-", NULL), 2, "nothing has changed, and nothing is written");
    }
    kept_close(&kept);
    scratch_remove(folder);
}

/* Parts most of whose rows have ended are written anew, and those without any go. */
Test(increments, give_the_disk_back)
{
    char        folder[SCRATCH_PATH_MAX];
    char        path[SCRATCH_PATH_MAX];
    struct kept kept;
    uint64_t    before;
    char       *dump;

    scratch_make(folder);
    scratch_join(path, folder, "store");
    kept_must_open(&kept, path, 1, NULL);
    bench_put_many(kept.store, 1, 80000);
    must_snapshot(&kept);
    before = part_bytes(path);
    for (int64_t id = 1; id <= 80000; id++) {
        if (id % 10 != 0)
            cr_assert_eq(store_delete(kept.store, 0, id, NULL, NULL), KNACKDB_OK);
    }
    must_snapshot(&kept);
    cr_assert_lt(part_bytes(path), before / 6);
    dump = bench_dump(kept.store);
    verify_and_compare(path, folder, dump, "a tenth is left");
    free(dump);
    for (int64_t id = 10; id <= 80000; id += 10)
        cr_assert_eq(store_delete(kept.store, 0, id, NULL, NULL), KNACKDB_OK);
    must_snapshot(&kept);
    cr_assert_eq(names_count(path, "part-", NULL), 0);
    bench_put_many(kept.store, 1, 10);
    must_snapshot(&kept);
    dump = bench_dump(kept.store);
    verify_and_compare(path, folder, dump, "and it goes on");
    free(dump);
    kept_close(&kept);
    scratch_remove(folder);
}

/* Puts, updates, deletes, snapshots and reopens in any order, while rows move in memory as others die: what a killed
 * process would leave is the store. */
Test(increments, agree_with_the_store_through_random_lives)
{
    for (unsigned seed = 1; seed <= 8; seed++) {
        char        folder[SCRATCH_PATH_MAX];
        char        path[SCRATCH_PATH_MAX];
        struct kept kept;
        int64_t     highest = 0;

        srand(seed);
        scratch_prefer_memory();
        scratch_make(folder);
        scratch_join(path, folder, "store");
        kept_must_open(&kept, path, 1, NULL);
        store_reclaim_by_hand(kept.store, 16);
        for (int step = 0; step < 60; step++) {
            int64_t count = 1 + rand() % (rand() % 4 == 0 ? 3000 : 60);
            char   *dump;

            for (int64_t i = 0; i < count; i++) {
                if (rand() % 3 == 0 || highest == 0)
                    bench_put(kept.store, ++highest);
                else if (rand() % 2 == 0)
                    bench_put(kept.store, 1 + rand() % highest);
                else
                    (void) store_delete(kept.store, 0, 1 + rand() % highest, NULL, NULL);
            }
            for (int slices = rand() % 400; slices > 0 && seed % 2 == 0; slices--)
                (void) store_reclaim(kept.store);
            if (rand() % 3 != 0)
                must_snapshot(&kept);
            if (rand() % 4 != 0)
                continue;
            dump = bench_dump(kept.store);
            verify_and_compare(path, folder, dump, "as killed");
            kept_close(&kept);
            kept_must_open(&kept, path, 1, NULL);
            store_reclaim_by_hand(kept.store, 16);
            cr_assert(bench_same(kept.store, dump), "seed %u, step %d, reopened", seed, step);
            free(dump);
        }
        kept_close(&kept);
        scratch_remove(folder);
    }
}

/* ---- the plan ---- */

/* A table that only grows, `step` rows a snapshot, told as a plan sees it. Returns the rows written in all; *ret_parts:
 * the most parts there were at any time beside those that are full. */
static uint64_t
simulate_ingest(uint32_t step, uint32_t total, size_t *ret_parts)
{
    size_t            room = total / step + total / PART_ROWS_MAX + 10;
    struct plan_item *items = calloc(room, sizeof *items);
    struct plan_item *after = calloc(room, sizeof *after);
    struct cover      part = { 0 };
    size_t            count = 0;
    uint64_t          written = 0;

    *ret_parts = 0;
    for (uint32_t rows = 0; rows < total; rows += step) {
        size_t kept = 0;
        size_t small = 0;

        items[count++] = (struct plan_item) { .first = rows, .end = rows + step, .row_count = step };
        plan_snapshot(items, count);
        for (size_t i = 0; i < count;) {
            size_t     run = i;
            row_number at = items[i].first;
            row_number end = at;

            while (i < count && items[i].is_written)
                end = items[i++].end;
            written += end - at;
            for (row_number next; at < end; at = next) {
                next = end - at > PART_ROWS_MAX ? at + PART_ROWS_MAX : end;
                after[kept++] = (struct plan_item) { .first = at, .end = next, .row_count = next - at, .cover = &part };
            }
            if (i == run)
                after[kept++] = items[i++];
        }
        memcpy(items, after, kept * sizeof *items);
        count = kept;
        for (size_t i = 0; i < count; i++)
            small += items[i].row_count < PART_ROWS_MAX / 2;
        *ret_parts = small > *ret_parts ? small : *ret_parts;
    }
    free(items);
    free(after);
    return written;
}

Test(plan, writes_a_row_seldom_and_keeps_few_small_parts)
{
    static const struct {
        uint32_t step;
        uint32_t total;
        double   most; /* times that a row is written */
    } lives[] = {
        { 7, 300000, 4.2 },       { 100, 1000000, 3.1 },     { 2048, 3000000, 2.1 },    { 5000, 3000000, 2.1 },
        { 30000, 10000000, 2.1 }, { 65536, 10000000, 1.01 }, { 200000, 10000000, 1.2 }, { 230001, 10000000, 1.2 },
    };

    for (size_t i = 0; i < sizeof lives / sizeof lives[0]; i++) {
        size_t   parts;
        uint64_t written = simulate_ingest(lives[i].step, lives[i].total, &parts);

        cr_assert_leq((double) written, lives[i].most * lives[i].total, "%" PRIu32 " rows a snapshot: %.2f times",
                      lives[i].step, (double) written / lives[i].total);
        cr_assert_leq(parts, 100, "%" PRIu32 " rows a snapshot: %zu small parts", lives[i].step, parts);
    }
}
