/* filling.c - zeros that are written over a segment before anybody appends to it: when, how many, and what becomes of a
 * segment whose zeros the disk refuses. */
#include "tests/persist/telling_disk.h"

#include "persist/log_segment.h"
#include "tests/api/scratch.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SEGMENT_BYTES ((uint64_t) 128 * 1024)
#define PAGE_BYTES    ((uint64_t) 4096) /* the head of a bench's segment is shorter */

static uint64_t zeros_written;
static int      zeros_answer; /* what the disk says to them */

static int
note_zeros(const void *from, size_t bytes, uint64_t offset)
{
    static const unsigned char zeros[LOG_FILL_BYTES];

    if (bytes > sizeof zeros || memcmp(from, zeros, bytes) != 0)
        return 0;
    cr_expect_geq(offset, PAGE_BYTES, "%zu zeros at %llu", bytes, (unsigned long long) offset);
    zeros_written += bytes;
    return zeros_answer;
}

/* Nothing happens but when told. */
static void
open_by_hand(struct kept *kept, const char *path, knackdb_log_io io)
{
    struct keeper_options options = telling_options();

    options.by_hand = true;
    options.log_io = io;
    options.log_segment_bytes_max = SEGMENT_BYTES;
    telling.before_write = note_zeros;
    zeros_written = 0;
    zeros_answer = 0;
    kept_must_open(kept, path, 3, &options);
}

static void
close_and_count(struct kept *kept, const char *path, uint64_t commits)
{
    char *dump = bench_dump(kept->store);

    kept_close(kept);
    kept_must_open(kept, path, 3, NULL);
    cr_expect_eq(store_sequence(kept->store), commits);
    cr_expect(bench_same(kept->store, dump));
    kept_close(kept);
    free(dump);
}

/* The first is filled whole, up to half a megabyte; the next ones at the speed of the log, which is far more than a
 * segment in four seconds here. */
Test(filling, what_will_soon_be_used_is_filled)
{
    struct kept kept;
    char        path[SCRATCH_PATH_MAX];

    scratch_make(path);
    open_by_hand(&kept, path, KNACKDB_LOG_MAP);
    cr_expect_eq(zeros_written, SEGMENT_BYTES - PAGE_BYTES, "%llu", (unsigned long long) zeros_written);
    bench_put_many(kept.store, 1, 400); /* more than a quarter of it, so the turn makes the next one */
    keeper_turn(kept.keeper);
    cr_expect_gt(zeros_written, SEGMENT_BYTES - PAGE_BYTES);
    bench_put_many(kept.store, 401, 3000);
    close_and_count(&kept, path, 3000);
    scratch_remove(path);
}

/* Each sync would write a whole piece for the few bytes that were appended since the one before. */
Test(filling, whoever_syncs_commit_by_commit_gets_no_zeros_behind_the_first_segment)
{
    struct kept kept;
    char        path[SCRATCH_PATH_MAX];
    uint64_t    first;

    scratch_make(path);
    open_by_hand(&kept, path, KNACKDB_LOG_MAP);
    first = zeros_written;
    for (int64_t number = 1; number <= 500; number++) {
        bench_put(kept.store, number);
        cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_OK);
    }
    keeper_turn(kept.keeper);
    cr_expect_eq(zeros_written, first);
    close_and_count(&kept, path, 500);
    scratch_remove(path);
}

Test(filling, a_log_that_is_not_mapped_is_not_filled)
{
    struct kept kept;
    char        path[SCRATCH_PATH_MAX];

    scratch_make(path);
    open_by_hand(&kept, path, KNACKDB_LOG_WRITE);
    bench_put_many(kept.store, 1, 400);
    keeper_turn(kept.keeper);
    cr_expect_eq(zeros_written, 0);
    close_and_count(&kept, path, 400);
    scratch_remove(path);
}

/* Whoever appends makes a segment himself, then, and nothing is wrong with the log. */
Test(filling, a_segment_that_cannot_be_filled_is_not_used)
{
    struct kept           kept;
    struct keeper_figures figures;
    char                  path[SCRATCH_PATH_MAX];

    scratch_make(path);
    open_by_hand(&kept, path, KNACKDB_LOG_MAP);
    bench_put_many(kept.store, 1, 400);
    zeros_answer = -EIO;
    keeper_turn(kept.keeper);
    bench_put_many(kept.store, 401, 3000);
    keeper_turn(kept.keeper);
    cr_expect_eq(keeper_sync(kept.keeper, NULL), KNACKDB_OK);
    keeper_get_figures(kept.keeper, &figures);
    cr_expect_eq(figures.state, KNACKDB_STATE_OK);
    close_and_count(&kept, path, 3000);
    scratch_remove(path);
}
