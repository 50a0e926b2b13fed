/* following.c - a store that follows a writer: through segments, snapshots, lives, damage. */
#include "tests/persist/bench.h"

#include "tests/api/scratch.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct keeper_options
small_segments(void)
{
    struct keeper_options options = kept_options();

    options.log_segment_bytes_max = 4096;
    return options;
}

static void
follow(struct kept *kept, const char *path, uint32_t version)
{
    struct keeper_options options = kept_options();

    options.read_only = true;
    options.follow = true;
    kept_must_open(kept, path, version, &options);
}

static uint64_t
must_refresh(struct kept *follower)
{
    uint64_t       sequence = 0;
    knackdb_status status = keeper_refresh(follower->keeper, &sequence, &follower->error);

    cr_assert_eq(status, KNACKDB_OK, "%s", follower->error.message);
    cr_assert_eq(sequence, store_sequence(follower->store));
    return sequence;
}

static void
assert_same(struct kept *follower, struct kept *writer, const char *when, int64_t number)
{
    char *dump = bench_dump(writer->store);

    cr_assert_eq(store_sequence(follower->store), store_sequence(writer->store), "%s %" PRId64, when, number);
    cr_assert(bench_same(follower->store, dump), "%s %" PRId64, when, number);
    for (uint32_t table = 0; table < store_schema(writer->store)->table_count; table++)
        cr_assert_eq(store_next_id(follower->store, table), store_next_id(writer->store, table));
    free(dump);
}

static uint64_t
reloads(const struct kept *follower)
{
    struct keeper_figures figures;

    keeper_get_figures(follower->keeper, &figures);
    return figures.reload_count;
}

/* A put, a replaced row, a changed row or one that goes, as `number` has it. */
static void
change(struct store *store, int64_t number)
{
    struct assignment assignment = { .column = 2, .value = knackdb_value_integer(number) };
    knackdb_value     id = knackdb_value_integer(number * 7 % 40 + 1);
    knackdb_status    status;

    if (number % 5 == 3) {
        status = store_update(store, 0, 0, &id, &assignment, 1, NULL, NULL);
        cr_assert(status == KNACKDB_OK || status == KNACKDB_NOT_FOUND);
    } else if (number % 11 == 4) {
        status = store_delete(store, 0, id.as.integer, NULL, NULL);
        cr_assert(status == KNACKDB_OK || status == KNACKDB_NOT_FOUND);
    } else {
        bench_put(store, number % 60 + 1);
    }
}

/* Every kind of change, a refresh after some, snapshots that remove segments after others: whatever comes first, the
 * follower has what the writer has, and nothing in the directory has changed by it. */
Test(following, has_what_the_writer_has_after_every_refresh)
{
    struct keeper_options options = small_segments();
    char                  path[SCRATCH_PATH_MAX];
    struct kept           writer;
    struct kept           often;
    struct kept           seldom;

    options.by_hand = true; /* or the writer's thread would change files, too */
    scratch_make(path);
    kept_must_open(&writer, path, 1, &options);
    follow(&often, path, 1);
    follow(&seldom, path, 1);
    for (int64_t number = 1; number <= 900; number++) {
        change(writer.store, number);
        if (number % 97 == 0)
            cr_assert_eq(keeper_snapshot(writer.keeper, NULL), KNACKDB_OK);
        if (number % 3 == 0) {
            uint64_t before = directory_digest(path, false);

            (void) must_refresh(&often);
            cr_assert_eq(directory_digest(path, false), before, "a follower changed a file");
            assert_same(&often, &writer, "after change", number);
        }
        if (number % 211 == 0) {
            (void) must_refresh(&seldom);
            assert_same(&seldom, &writer, "seldom, after change", number);
        }
    }
    cr_assert_gt(reloads(&seldom), 0, "no snapshot overtook who came seldom");
    cr_assert_lt(reloads(&often), 300);
    kept_close(&often);
    kept_close(&seldom);
    kept_close(&writer);
    scratch_remove(path);
}

/* Rows of a view as one number. */
static uint64_t
view_digest(const struct view *view)
{
    uint64_t digest = 0;

    for (row_number row = view_next_row(view, 0, 0); row != ROW_NONE; row = view_next_row(view, 0, row + 1)) {
        knackdb_value name = view_cell(view, 0, row, 1);

        digest = digest * 31 + (uint64_t) view_cell(view, 0, row, 0).as.integer;
        digest = digest * 31 + (uint64_t) view_cell(view, 0, row, 2).as.integer;
        for (size_t i = 0; name.type == KNACKDB_TEXT && i < name.as.text.length; i++)
            digest = digest * 31 + (unsigned char) name.as.text.data[i];
    }
    return digest;
}

Test(following, open_views_keep_their_moment_through_a_reload)
{
    struct keeper_options options = small_segments();
    char                  path[SCRATCH_PATH_MAX];
    struct kept           writer;
    struct kept           follower;
    struct view           views[8];
    uint64_t              digests[8];

    scratch_make(path);
    kept_must_open(&writer, path, 1, &options);
    bench_put_many(writer.store, 1, 50);
    follow(&follower, path, 1);
    for (int i = 0; i < 8; i++) {
        cr_assert_eq(view_begin(follower.store, &views[i], NULL), KNACKDB_OK);
        digests[i] = view_digest(&views[i]);
        for (int64_t number = 0; number < 300; number++)
            change(writer.store, i * 300 + number);
        cr_assert_eq(keeper_snapshot(writer.keeper, NULL), KNACKDB_OK);
        cr_assert_eq(must_refresh(&follower), store_sequence(writer.store));
        for (int seen = 0; seen <= i; seen++)
            cr_assert_eq(view_digest(&views[seen]), digests[seen], "view %d in round %d", seen, i);
    }
    cr_assert_eq(reloads(&follower), 8);
    for (int i = 0; i < 8; i++)
        view_end(&views[i]);
    assert_same(&follower, &writer, "at the end", 0);
    kept_close(&follower);
    kept_close(&writer);
    scratch_remove(path);
}

/* Nothing follows the snapshot: no next segment tells of it, and still it is noticed. */
Test(following, notices_a_snapshot_behind_which_nothing_was_stored)
{
    struct keeper_options options = small_segments();
    char                  path[SCRATCH_PATH_MAX];
    struct kept           writer;
    struct kept           follower;

    scratch_make(path);
    kept_must_open(&writer, path, 1, &options);
    bench_put_many(writer.store, 1, 10);
    follow(&follower, path, 1);
    bench_put_many(writer.store, 11, 400);
    cr_assert_eq(keeper_snapshot(writer.keeper, NULL), KNACKDB_OK);
    kept_close(&writer);
    cr_assert_eq(must_refresh(&follower), 400);
    cr_assert_eq(must_refresh(&follower), 400);
    cr_assert_eq(reloads(&follower), 1);
    kept_must_open(&writer, path, 1, &options);
    bench_put_many(writer.store, 401, 410);
    cr_assert_eq(must_refresh(&follower), 410);
    assert_same(&follower, &writer, "in the next life", 0);
    cr_assert_eq(reloads(&follower), 1, "the new life's log went on where the snapshot ends");
    kept_close(&follower);
    kept_close(&writer);
    scratch_remove(path);
}

/* A unique name goes from one row to another while the follower is overtaken: in no order of single steps may both
 * have it. */
Test(following, a_key_may_change_hands_in_a_reload)
{
    struct keeper_options options = small_segments();
    char                  path[SCRATCH_PATH_MAX];
    struct kept           writer;
    struct kept           follower;
    knackdb_value         row[2] = { knackdb_value_integer(1), knackdb_value_text(knackdb_string("the name")) };

    scratch_make(path);
    kept_must_open(&writer, path, 1, &options);
    cr_assert_eq(store_put_rows(writer.store, 0, row, 2, 1, 0, NULL, NULL, NULL), KNACKDB_OK);
    row[0] = knackdb_value_integer(2);
    row[1] = knackdb_value_text(knackdb_string("another"));
    cr_assert_eq(store_put_rows(writer.store, 0, row, 2, 1, 0, NULL, NULL, NULL), KNACKDB_OK);
    follow(&follower, path, 1);
    cr_assert_eq(store_delete(writer.store, 0, 1, NULL, NULL), KNACKDB_OK);
    row[1] = knackdb_value_text(knackdb_string("the name"));
    cr_assert_eq(store_put_rows(writer.store, 0, row, 2, 1, 0, NULL, NULL, NULL), KNACKDB_OK);
    row[0] = knackdb_value_integer(1);
    row[1] = knackdb_value_text(knackdb_string("another"));
    cr_assert_eq(store_put_rows(writer.store, 0, row, 2, 1, 0, NULL, NULL, NULL), KNACKDB_OK);
    bench_put_many(writer.store, 100, 300);
    cr_assert_eq(keeper_snapshot(writer.keeper, NULL), KNACKDB_OK);
    (void) must_refresh(&follower);
    cr_assert_eq(reloads(&follower), 1);
    assert_same(&follower, &writer, "afterwards", 0);
    kept_close(&follower);
    kept_close(&writer);
    scratch_remove(path);
}

/* A log that ends in a record of which only the first bytes are there, as a killed writer leaves it. */
struct half_written {
    char         folder[SCRATCH_PATH_MAX];
    char         path[PATH_MAX_BYTES];
    struct bytes log;   /* whole */
    size_t       begin; /* of its last record, commit 10 */
    size_t       end;
};

#define HALF_WRITTEN_LOG "log-0000000000000001.knl"

static size_t
last_byte(const struct bytes *log)
{
    size_t end = log->count;

    while (log->data[end - 1] == 0)
        end--;
    return end;
}

static void
half_written_make(struct half_written *half)
{
    char         path[SCRATCH_PATH_MAX];
    struct kept  writer;
    struct bytes nine;

    scratch_make(half->folder);
    scratch_join(path, half->folder, "store");
    kept_must_open(&writer, path, 1, NULL);
    bench_put_many(writer.store, 1, 9);
    kept_copy(path, half->folder, "nine", half->path);
    nine = bytes_read(half->path, HALF_WRITTEN_LOG);
    bench_put(writer.store, 10);
    kept_copy(path, half->folder, "ten", half->path);
    kept_close(&writer);
    half->log = bytes_read(half->path, HALF_WRITTEN_LOG);
    half->begin = (last_byte(&nine) + 7) & ~(size_t) 7;
    half->end = last_byte(&half->log);
    bytes_free(&nine);
    cr_assert_gt(half->end, half->begin + 40);
}

static void
half_written_cut(const struct half_written *half, size_t cut)
{
    unsigned char *data = calloc(1, half->log.count);

    cr_assert_not_null(data);
    memcpy(data, half->log.data, cut);
    bytes_write(half->path, HALF_WRITTEN_LOG, data, half->log.count);
    free(data);
}

static void
half_written_remove(struct half_written *half)
{
    bytes_free(&half->log);
    scratch_remove(half->folder);
}

Test(following, sees_a_record_when_its_last_byte_is_there_and_not_before)
{
    struct half_written half;
    struct kept         follower;

    half_written_make(&half);
    half_written_cut(&half, half.begin);
    follow(&follower, half.path, 1);
    for (size_t cut = half.begin; cut < half.end; cut += 5) {
        half_written_cut(&half, cut);
        cr_assert_eq(must_refresh(&follower), 9, "%zu bytes of the record", cut - half.begin);
    }
    half_written_cut(&half, half.end);
    cr_assert_eq(must_refresh(&follower), 10);
    kept_close(&follower);
    half_written_remove(&half);
}

Test(following, goes_on_behind_what_the_next_life_has_cut)
{
    struct half_written half;
    struct kept         writer;
    struct kept         follower;

    half_written_make(&half);
    half_written_cut(&half, half.end - 20);
    follow(&follower, half.path, 1);
    cr_assert_eq(must_refresh(&follower), 9);
    kept_must_open(&writer, half.path, 1, NULL);
    cr_assert_eq(store_sequence(writer.store), 9);
    bench_put_many(writer.store, 20, 25);
    cr_assert_eq(must_refresh(&follower), 15);
    assert_same(&follower, &writer, "behind the cut", 0);
    cr_assert_eq(reloads(&follower), 0);
    kept_close(&writer);
    kept_close(&follower);
    half_written_remove(&half);
}

/* The file of a snapshot's copy is put back: what was seen behind it never happened. Both are never mixed. */
Test(following, says_so_when_the_directory_went_back_behind_what_was_seen)
{
    struct keeper_options options = small_segments();
    char                  folder[SCRATCH_PATH_MAX];
    char                  path[SCRATCH_PATH_MAX];
    char                  copy[PATH_MAX_BYTES];
    struct kept           writer;
    struct kept           follower;
    char                 *dump;

    scratch_make(folder);
    scratch_join(path, folder, "store");
    kept_must_open(&writer, path, 1, &options);
    bench_put_many(writer.store, 1, 30);
    kept_copy(path, folder, "copy", copy);
    bench_put_many(writer.store, 31, 34);
    follow(&follower, path, 1);
    kept_close(&writer);
    dump = bench_dump(follower.store);
    for (uint64_t serial = 1; serial < 20; serial++) { /* in place, as the follower has the directory open */
        char         name[64];
        struct bytes bytes;

        (void) snprintf(name, sizeof name, "log-%016" PRIx64 ".knl", serial);
        if (names_count(copy, name, NULL) == 0) {
            if (names_count(path, name, NULL) != 0)
                bytes_write(path, name, "", 0);
            continue;
        }
        bytes = bytes_read(copy, name);
        bytes_write(path, name, bytes.data, bytes.count);
        bytes_free(&bytes);
    }
    kept_must_open(&writer, path, 1, &options);
    cr_assert_eq(store_sequence(writer.store), 30);
    bench_put_many(writer.store, 201, 202);
    for (int round = 0; round < 2; round++) {
        cr_assert_eq(keeper_refresh(follower.keeper, NULL, &follower.error), KNACKDB_CORRUPT);
        cr_assert_not_null(strstr(follower.error.message, "gone back"), "%s", follower.error.message);
        cr_assert(bench_same(follower.store, dump));
    }
    free(dump);
    kept_close(&writer);
    kept_close(&follower);
    scratch_remove(folder);
}

/* All files of a store, taken out of the directory that stays, or put there. */
static void
empty_and_fill(const char *path, const char *from)
{
    static const char *const prefixes[] = { "manifest-", "part-", "log-" };

    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        char name[64];

        while (names_count(path, prefixes[i], name) > 0) {
            char file[SCRATCH_PATH_MAX];

            scratch_join(file, path, name);
            cr_assert_eq(remove(file), 0);
        }
    }
    for (size_t i = 0; from != NULL && i < sizeof prefixes / sizeof prefixes[0]; i++) {
        for (uint64_t number = 1; number < 20; number++) {
            char         name[64];
            struct bytes bytes;

            (void) snprintf(name, sizeof name, "%s%016" PRIx64 ".kn%c", prefixes[i], number, "mpl"[i]);
            if (names_count(from, name, NULL) == 0)
                continue;
            bytes = bytes_read(from, name);
            bytes_write(path, name, bytes.data, bytes.count);
            bytes_free(&bytes);
        }
    }
}

Test(following, says_so_when_the_store_is_gone_or_another_is_there)
{
    char        folder[SCRATCH_PATH_MAX];
    char        path[SCRATCH_PATH_MAX];
    char        other[SCRATCH_PATH_MAX];
    char        copy[PATH_MAX_BYTES];
    struct kept writer;
    struct kept follower;
    char       *dump;

    scratch_make(folder);
    scratch_join(path, folder, "store");
    scratch_join(other, folder, "other");
    kept_must_open(&writer, other, 1, NULL);
    bench_put_many(writer.store, 1, 60);
    cr_assert_eq(keeper_snapshot(writer.keeper, NULL), KNACKDB_OK);
    bench_put_many(writer.store, 61, 70);
    kept_close(&writer);
    kept_must_open(&writer, path, 1, NULL);
    bench_put_many(writer.store, 1, 30);
    kept_close(&writer);
    kept_copy(path, folder, "copy", copy);
    follow(&follower, path, 1);
    dump = bench_dump(follower.store);

    empty_and_fill(path, NULL);
    cr_expect_eq(keeper_refresh(follower.keeper, NULL, &follower.error), KNACKDB_NOT_FOUND);
    cr_expect_not_null(strstr(follower.error.message, "gone"), "%s", follower.error.message);
    empty_and_fill(path, other);
    cr_expect_eq(keeper_refresh(follower.keeper, NULL, &follower.error), KNACKDB_CORRUPT);
    cr_expect_not_null(strstr(follower.error.message, "another store"), "%s", follower.error.message);
    cr_assert(bench_same(follower.store, dump));
    empty_and_fill(path, copy);
    cr_expect_eq(must_refresh(&follower), 30);
    cr_assert(bench_same(follower.store, dump));
    kept_close(&follower);
    free(dump);
    scratch_remove(folder);
}

/* A record that was durable decays before the follower has come to it. */
Test(following, names_damage_and_stays_where_it_is)
{
    struct half_written half;
    struct kept         writer;
    struct kept         follower;

    half_written_make(&half);
    half_written_cut(&half, half.begin);
    follow(&follower, half.path, 1);
    half_written_cut(&half, half.end);
    kept_must_open(&writer, half.path, 1, NULL); /* syncs what it found, and testifies to it */
    bench_put_many(writer.store, 20, 21);
    half.log.data[half.begin + 50] ^= 1;
    half_written_cut(&half, half.end);
    for (int round = 0; round < 2; round++) {
        cr_assert_eq(keeper_refresh(follower.keeper, NULL, &follower.error), KNACKDB_CORRUPT);
        cr_assert_not_null(strstr(follower.error.message, HALF_WRITTEN_LOG), "%s", follower.error.message);
        cr_assert_eq(store_sequence(follower.store), 9);
    }
    half.log.data[half.begin + 50] ^= 1;
    half_written_cut(&half, half.end);
    cr_assert_eq(must_refresh(&follower), 12, "mended, it goes on");
    assert_same(&follower, &writer, "mended", 0);
    kept_close(&writer);
    kept_close(&follower);
    half_written_remove(&half);
}

/* A writer of a newer version takes the directory over. A follower that knows the version goes on, by name; one that
 * does not says so. */
Test(following, a_migration_is_followed_or_refused)
{
    char        path[SCRATCH_PATH_MAX];
    struct kept writer;
    struct kept knows;
    struct kept does_not;
    struct kept plain;

    scratch_make(path);
    kept_must_open(&writer, path, 1, NULL);
    bench_put_many(writer.store, 1, 20);
    follow(&knows, path, 2);
    follow(&does_not, path, 1);
    kept_close(&writer);
    kept_must_open(&writer, path, 2, NULL);
    cr_assert_eq(must_refresh(&knows), 20);
    bench_put_many(writer.store, 15, 40);
    cr_assert_eq(must_refresh(&knows), 46);
    assert_same(&knows, &writer, "after the migration", 0);
    cr_assert_eq(keeper_refresh(does_not.keeper, NULL, &does_not.error), KNACKDB_UNSUPPORTED);
    cr_assert_eq(store_sequence(does_not.store), 20);
    kept_must_open(&plain, path, 2, &(struct keeper_options) { .read_only = true, .history = bench_history() });
    cr_assert_eq(keeper_refresh(plain.keeper, NULL, &plain.error), KNACKDB_INVALID);
    kept_close(&plain);
    kept_close(&does_not);
    kept_close(&knows);
    kept_close(&writer);
    scratch_remove(path);
}

/* What the writer makes and packs between two looks is history by then, and is read from there. */
Test(following, goes_on_through_segments_that_have_become_history)
{
    struct keeper_options options = small_segments();
    char                  path[SCRATCH_PATH_MAX];
    struct kept           writer;
    struct kept           follower;

    options.by_hand = true;
    options.log_history_bytes = UINT64_MAX;
    scratch_make(path);
    kept_must_open(&writer, path, 1, &options);
    bench_put_many(writer.store, 1, 20);
    cr_assert_eq(keeper_snapshot(writer.keeper, NULL), KNACKDB_OK);
    bench_put_many(writer.store, 21, 40);
    follow(&follower, path, 1);
    for (int64_t number = 41; number <= 641; number += 200) {
        size_t before = names_count(path, "past-", NULL);

        bench_put_many(writer.store, number, number + 199);
        cr_assert_eq(keeper_snapshot(writer.keeper, NULL), KNACKDB_OK);
        cr_assert_gt(names_count(path, "past-", NULL), before + 2);
        (void) must_refresh(&follower);
        assert_same(&follower, &writer, "after", number);
    }
    cr_assert_eq(reloads(&follower), 0, "all of the log is there");
    kept_close(&follower);
    kept_close(&writer);
    scratch_remove(path);
}
