/* copies_failing.c - backup, repair and refresh while memory is short and the disk fails: said, nothing half-made, and
 * the next call does it. */
#include "tests/persist/bench.h"

#include "persist/repairing.h"
#include "tests/api/scratch.h"
#include "tests/persist/failing_disk.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- memory that fails, once or for ever after ---- */

struct short_memory {
    uint64_t asked;
    uint64_t fail_at;  /* 0: never */
    bool     for_ever; /* and so do all after it */
};

static void *
short_allocate(void *context, size_t bytes)
{
    struct short_memory *memory = context;

    if (memory->fail_at != 0 &&
        (++memory->asked == memory->fail_at || (memory->for_ever && memory->asked > memory->fail_at)))
        return NULL;
    return malloc(bytes);
}

static void
short_release(void *context, void *block, size_t bytes)
{
    (void) context;
    (void) bytes;
    free(block);
}

static void
arm(struct short_memory *memory, uint64_t fail_at)
{
    memory->asked = 0;
    memory->fail_at = fail_at;
}

static bool
has_failed(const struct short_memory *memory)
{
    return memory->asked >= memory->fail_at;
}

static void
open_short(struct kept *kept, struct short_memory *memory, const char *path, bool follows)
{
    knackdb_allocator     functions = { memory, short_allocate, short_release };
    struct keeper_options options = kept_options();

    memset(kept, 0, sizeof *kept);
    memset(memory, 0, sizeof *memory);
    allocator_init(&kept->allocator, &functions);
    options.read_only = true;
    options.follow = follows;
    cr_assert_eq(store_new(&kept->allocator, bench_schema(1), &kept->store, NULL), KNACKDB_OK);
    cr_assert_eq(keeper_open(&kept->allocator, path, &options, kept->store, &kept->keeper, &kept->error), KNACKDB_OK,
                 "%s", kept->error.message);
}

/* Refreshes, the nth allocation failing in the nth round, until there is no nth. `overtakes`: each refresh has to load
 * a snapshot. */
static uint64_t
refresh_in_want(bool overtakes, bool for_ever)
{
    struct keeper_options options = kept_options();
    struct short_memory   memory;
    char                  path[SCRATCH_PATH_MAX];
    struct kept           writer;
    struct kept           follower;
    uint64_t              round = 0;

    scratch_prefer_memory();
    scratch_make(path);
    options.by_hand = true;
    options.log_segment_bytes_max = 4096;
    kept_must_open(&writer, path, 1, &options);
    bench_put_many(writer.store, 1, 20);
    open_short(&follower, &memory, path, true);
    memory.for_ever = for_ever;
    for (bool failed = true; failed;) {
        uint64_t       before = store_sequence(follower.store);
        char          *dump;
        knackdb_status status;

        round++;
        for (int64_t number = 0; number < 60; number++)
            bench_put(writer.store, (int64_t) (round * 7 + (uint64_t) number) % 300 + 1);
        if (overtakes)
            cr_assert_eq(keeper_snapshot(writer.keeper, NULL), KNACKDB_OK);
        dump = bench_dump(writer.store);
        arm(&memory, round);
        status = keeper_refresh(follower.keeper, NULL, &follower.error);
        failed = has_failed(&memory);
        cr_assert(status == KNACKDB_OK || (failed && status == KNACKDB_NO_MEMORY), "allocation %" PRIu64 ": %s", round,
                  follower.error.message);
        cr_assert_geq(store_sequence(follower.store), before);
        arm(&memory, 0);
        cr_assert_eq(keeper_refresh(follower.keeper, NULL, &follower.error), KNACKDB_OK, "allocation %" PRIu64 ": %s",
                     round, follower.error.message);
        cr_assert(bench_same(follower.store, dump), "allocation %" PRIu64, round);
        free(dump);
    }
    kept_close(&follower);
    kept_close(&writer);
    scratch_remove(path);
    return round;
}

Test(copies_failing, a_refresh_that_had_no_memory_is_made_up_for)
{
    for (int for_ever = 0; for_ever < 2; for_ever++) {
        cr_assert_gt(refresh_in_want(false, for_ever != 0), 3);
        cr_assert_gt(refresh_in_want(true, for_ever != 0), 30);
    }
}

static void
back_up_in_want(bool for_ever)
{
    struct short_memory memory;
    char                folder[SCRATCH_PATH_MAX];
    char                path[SCRATCH_PATH_MAX];
    char                to[SCRATCH_PATH_MAX];
    struct kept         writer;
    struct kept         reader;
    struct kept         copy;
    uint64_t            number = 0;
    char               *dump;

    scratch_prefer_memory();
    scratch_make(folder);
    scratch_join(path, folder, "store");
    scratch_join(to, folder, "to");
    kept_must_open(&writer, path, 1, NULL);
    bench_put_many(writer.store, 1, 60);
    dump = bench_dump(writer.store);
    open_short(&reader, &memory, path, false);
    memory.for_ever = for_ever;
    for (bool failed = true; failed;) {
        uint64_t       rows = 0;
        knackdb_status status;

        arm(&memory, ++number);
        status = keeper_backup(reader.keeper, to, &rows, &reader.error);
        failed = has_failed(&memory);
        arm(&memory, 0);
        if (status != KNACKDB_OK) {
            cr_assert(failed && status == KNACKDB_NO_MEMORY, "allocation %" PRIu64 ": %s", number,
                      reader.error.message);
            cr_assert_eq(names_count(folder, "to", NULL), 0, "allocation %" PRIu64 ": something is left", number);
            continue;
        }
        cr_assert_eq(rows, 60);
        kept_must_open(&copy, to, 1, NULL);
        cr_assert(bench_same(copy.store, dump), "allocation %" PRIu64, number);
        kept_close(&copy);
        scratch_remove(to);
    }
    cr_assert_gt(number, 50);
    kept_close(&reader);
    kept_close(&writer);
    free(dump);
    scratch_remove(folder);
}

Test(copies_failing, a_backup_that_had_no_memory_leaves_nothing)
{
    back_up_in_want(false);
    back_up_in_want(true);
}

static char last_reason[300];

static void
count_losses(void *context, const knackdb_loss *loss)
{
    (void) snprintf(last_reason, sizeof last_reason, "%s: %s", loss->file, loss->reason);
    ++*(int *) context;
}

/* `keeps`: the log's history, which then is another way to what a part has lost. */
static void
repair_in_want(bool keeps, bool for_ever)
{
    int                   losses = 0;
    struct short_memory   memory = { .for_ever = for_ever };
    struct keeper_options keeping = kept_options();
    knackdb_allocator     functions = { &memory, short_allocate, short_release };
    struct repair_options options = {
        .disk = disk_posix(),
        .history = bench_history(),
        .schema = bench_schema(1),
        .on_loss = count_losses,
        .context = &losses,
    };
    struct allocator allocator;
    char             folder[SCRATCH_PATH_MAX];
    char             path[SCRATCH_PATH_MAX];
    char             to[SCRATCH_PATH_MAX];
    char             name[64];
    struct kept      writer;
    struct bytes     part;
    uint64_t         number = 0;
    uint64_t         without_other_way = 0;

    scratch_prefer_memory();
    scratch_make(folder);
    scratch_join(path, folder, "store");
    scratch_join(to, folder, "to");
    keeping.log_segment_bytes_max = 4096;
    keeping.log_history_bytes = keeps ? UINT64_MAX : 0;
    kept_must_open(&writer, path, 1, &keeping);
    bench_put_many(writer.store, 1, 60);
    cr_assert_eq(keeper_snapshot(writer.keeper, NULL), KNACKDB_OK);
    bench_put_many(writer.store, 61, 90);
    kept_close(&writer);
    (void) names_count(path, "part-", name); /* so that there is something to tell */
    part = bytes_read(path, name);
    part.data[part.count / 2] ^= 1;
    bytes_write(path, name, part.data, part.count);
    bytes_free(&part);
    allocator_init(&allocator, &functions);
    for (bool failed = true; failed;) {
        knackdb_repair_report report;
        knackdb_error         error = { .message = "" };
        knackdb_status        status;

        losses = 0;
        arm(&memory, ++number);
        status = repair_directory(&allocator, path, to, &options, &report, &error);
        failed = has_failed(&memory);
        arm(&memory, 0);
        cr_assert_eq(atomic_load(&allocator.bytes), 0, "allocation %" PRIu64 ": %" PRIu64 " bytes leaked", number,
                     atomic_load(&allocator.bytes));
        if (status != KNACKDB_OK) {
            cr_assert(failed && status == KNACKDB_NO_MEMORY, "allocation %" PRIu64 ": %s", number, error.message);
            cr_assert_eq(names_count(folder, "to", NULL), 0, "allocation %" PRIu64 ": something is left", number);
            cr_assert_eq(losses, 0, "told of losses and saved nothing");
            continue;
        }
        cr_assert_eq(losses, 1, "allocation %" PRIu64 ": %d losses: %s", number, losses, last_reason);
        /* What is told of is no loss if there is another way to it; where memory does not suffice for that, it is. */
        cr_assert(report.loss_count == (keeps ? 0 : 1) || (failed && report.loss_count == 1));
        without_other_way += keeps && report.loss_count == 1;
        scratch_remove(to);
    }
    cr_assert_gt(number, 50);
    cr_assert(!keeps || for_ever || without_other_way > 0, "no allocation failed on the other way alone");
    scratch_remove(folder);
}

/* ---- a disk that fails ---- */

Test(copies_failing, a_repair_that_had_no_memory_leaves_nothing)
{
    for (int way = 0; way < 4; way++)
        repair_in_want(way >= 2, way % 2 != 0);
}

Test(copies_failing, a_backup_onto_a_disk_that_fails_leaves_nothing)
{
    static const struct {
        enum disk_call call;
        const char    *prefix;
        int            os_errno;
    } ways[] = {
        { CALL_CREATE, "part-", ENOSPC }, { CALL_CREATE, "manifest-", EMFILE },
        { CALL_WRITE, "part-", ENOSPC },  { CALL_WRITE, "manifest-", EDQUOT },
        { CALL_SYNC, "part-", EIO },      { CALL_SYNC, "manifest-", EIO },
        { CALL_SYNC_DIR, "", EIO },       { CALL_RENAME, "", EIO },
        { CALL_LIST, "", EIO },
    };
    struct keeper_options options = kept_options();
    char                  folder[SCRATCH_PATH_MAX];
    char                  path[SCRATCH_PATH_MAX];
    char                  to[SCRATCH_PATH_MAX];
    struct kept           kept;
    struct kept           copy;
    char                 *dump;

    scratch_prefer_memory();
    scratch_make(folder);
    scratch_join(path, folder, "store");
    scratch_join(to, folder, "to");
    options.disk = failing_disk_new();
    options.by_hand = true;
    kept_must_open(&kept, path, 1, &options);
    bench_put_many(kept.store, 1, 60);
    dump = bench_dump(kept.store);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        failing_disk_fail(ways[i].call, ways[i].prefix, ways[i].os_errno, 1);
        cr_assert_eq(keeper_backup(kept.keeper, to, NULL, &kept.error), KNACKDB_IO, "way %zu", i);
        cr_assert_eq(kept.error.os_errno, ways[i].os_errno, "way %zu: %s", i, kept.error.message);
        failing_disk_mend();
        cr_assert_eq(names_count(folder, "to", NULL), 0, "way %zu: something is left", i);
        cr_assert_eq(keeper_backup(kept.keeper, to, NULL, &kept.error), KNACKDB_OK, "way %zu: %s", i,
                     kept.error.message);
        kept_must_open(&copy, to, 1, NULL);
        cr_assert(bench_same(copy.store, dump), "way %zu", i);
        kept_close(&copy);
        scratch_remove(to);
    }
    kept_close(&kept);
    free(dump);
    scratch_remove(folder);
}

/* A disk that takes every byte and keeps one of them otherwise, in one write. */
struct bending_disk {
    struct disk disk; /* finds the rest by being first */
    int         bend_at;
    int         writes;
};

static ssize_t
bending_write_at(const struct disk *disk, int file, const void *from, size_t bytes, uint64_t offset)
{
    struct bending_disk *bending = (struct bending_disk *) (uintptr_t) disk;
    unsigned char       *bent;
    ssize_t              written;

    if (++bending->writes != bending->bend_at)
        return disk_posix()->write_at(disk_posix(), file, from, bytes, offset);
    bent = malloc(bytes);
    memcpy(bent, from, bytes);
    bent[bytes / 2] ^= 1;
    written = disk_posix()->write_at(disk_posix(), file, bent, bytes, offset);
    free(bent);
    return written;
}

Test(copies_failing, a_backup_that_reads_back_otherwise_leaves_nothing)
{
    struct bending_disk   bending = { .disk = *disk_posix() };
    struct keeper_options options = kept_options();
    char                  folder[SCRATCH_PATH_MAX];
    char                  path[SCRATCH_PATH_MAX];
    char                  to[SCRATCH_PATH_MAX];
    struct kept           writer;
    struct kept           reader;
    bool                  bent = true;
    int                   refused = 0;

    scratch_prefer_memory();
    scratch_make(folder);
    scratch_join(path, folder, "store");
    scratch_join(to, folder, "to");
    kept_must_open(&writer, path, 1, NULL);
    bench_put_many(writer.store, 1, 60);
    kept_close(&writer);
    bending.disk.write_at = bending_write_at;
    options.disk = &bending.disk;
    options.read_only = true;
    kept_must_open(&reader, path, 1, &options);
    while (bent) {
        knackdb_status status;

        bending.bend_at++;
        bending.writes = 0;
        status = keeper_backup(reader.keeper, to, NULL, &reader.error);
        bent = bending.writes >= bending.bend_at;
        cr_assert_eq(status, bent ? KNACKDB_CORRUPT : KNACKDB_OK, "write %d: %s", bending.bend_at,
                     reader.error.message);
        cr_assert_eq(names_count(folder, "to", NULL), bent ? 0 : 1, "write %d: something is left, or nothing",
                     bending.bend_at);
        cr_assert(!bent || strstr(reader.error.message, to) != NULL, "%s", reader.error.message);
        refused += bent;
    }
    cr_assert_gt(refused, 1);
    kept_close(&reader);
    scratch_remove(folder);
}
