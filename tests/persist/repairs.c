/* repairs.c - what repair saves of a damaged directory: files that are missing, sectors that cannot be read, commits
 * that build on lost ones. repairs_of_bytes.c has every bit and byte. */
#include "base/bytes.h"
#include "persist/ends_format.h"
#include "persist/file_name.h"
#include "persist/manifest_files.h"
#include "persist/part_format.h"
#include "tests/persist/meter.h"
#include "tests/persist/repair_origin.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

Test(repair, of_a_sound_directory_is_a_copy)
{
    for (int closes = 0; closes < 2; closes++) {
        struct origin   origin;
        struct repaired repaired;
        struct kept     kept;

        origin_make(&origin, closes != 0 ? ORIGIN_CLOSED : ORIGIN_KILLED);
        origin_damage_again(&origin);
        origin_repair(&origin, &repaired, &kept);
        cr_assert_eq(repaired.told.count, 0, "%s", repaired.told.text);
        cr_assert_eq(repaired.report.rows_saved, ALL_ROWS);
        cr_assert_eq(repaired.report.commits_saved, ALL_ROWS - SNAPSHOT_ROWS);
        cr_assert_eq(repaired.report.sequence, ALL_ROWS);
        cr_assert_eq(store_sequence(kept.store), ALL_ROWS);
        cr_assert(bench_same(kept.store, origin.dump));
        cr_assert_eq(store_next_id(kept.store, 0), store_next_id(origin.kept.store, 0));
        kept_close(&kept);
        origin_remove(&origin);
    }
}

Test(repair, a_missing_file_is_told_and_the_rest_saved)
{
    static const char *const kinds[] = { "manifest-", "part-", "log-" };
    struct origin            origin;

    origin_make(&origin, ORIGIN_CLOSED);
    for (size_t kind = 0; kind < 3; kind++) {
        struct repaired   repaired;
        struct kept       kept;
        struct difference difference;
        char              name[64];
        char              path[SCRATCH_PATH_MAX];

        origin_damage_again(&origin);
        cr_assert_gt(names_count(origin.damaged, kinds[kind], name), 0);
        scratch_join(path, origin.damaged, name);
        cr_assert_eq(remove(path), 0);
        origin_repair(&origin, &repaired, &kept);
        difference = origin_compare(&origin, kept.store);
        if (kind == 0)
            cr_assert_eq(difference.rows_gone, 0, "%s", repaired.told.text);
        if (kind == 1) {
            cr_assert_eq(difference.rows_gone, SNAPSHOT_ROWS, "%s", repaired.told.text);
            cr_assert_eq(repaired.report.rows_lost, SNAPSHOT_ROWS);
            cr_assert_str_eq(repaired.told.files[0], name);
        }
        if (kind < 2)
            cr_assert_eq(store_next_id(kept.store, 0), store_next_id(origin.kept.store, 0));
        kept_close(&kept);
    }
    origin_remove(&origin);
}

/* A commit that builds on a lost one is applied as far as it stands, and what does not stand is told. */
Test(repair, later_commits_stand_as_far_as_they_can)
{
    struct keeper_options options = kept_options();
    struct assignment     assignment = { .column = 2, .value = knackdb_value_integer(77) };
    knackdb_value         one = knackdb_value_integer(1);
    knackdb_value         two = knackdb_value_integer(2);
    struct origin         origin = { .dump = NULL };
    struct repaired       repaired;
    struct kept           writer;
    struct kept           kept;
    struct bytes          log;
    const char           *name = "log-0000000000000001.knl";
    uint64_t              head_bytes;
    char                 *dump;

    scratch_make(origin.folder);
    scratch_join(origin.sound, origin.folder, "store");
    scratch_join(origin.damaged, origin.folder, "damaged");
    scratch_join(origin.to, origin.folder, "to");
    options.by_hand = true;
    kept_must_open(&writer, origin.sound, 1, &options);
    bench_put(writer.store, 1); /* will be lost */
    bench_put(writer.store, 2);
    cr_assert_eq(store_update(writer.store, 0, 0, &one, &assignment, 1, NULL, NULL), KNACKDB_OK);
    cr_assert_eq(store_update(writer.store, 0, 0, &two, &assignment, 1, NULL, NULL), KNACKDB_OK);
    cr_assert_eq(store_delete(writer.store, 0, 1, NULL, NULL), KNACKDB_OK);
    bench_put(writer.store, 3);
    kept_close(&writer);
    options.read_only = true;
    kept_must_open(&writer, origin.sound, 1, &options);
    dump = bench_dump(writer.store);
    kept_close(&writer);
    log = bytes_read(origin.sound, name);
    memcpy(&head_bytes, log.data + 12, 4);
    head_bytes &= 0xffffffff;
    log.data[head_bytes + 60] ^= 4;
    scratch_copy(origin.sound, origin.damaged);
    bytes_write(origin.damaged, name, log.data, log.count);
    origin_repair(&origin, &repaired, &kept);
    cr_assert(bench_same(kept.store, dump), "row 1 was to go in any case");
    cr_assert_eq(repaired.told.count, 2, "%s", repaired.told.text);
    cr_assert_eq(repaired.told.losses[0].kind, KNACKDB_LOSS_OPERATION);
    cr_assert_eq(repaired.told.losses[0].first_sequence, 3);
    cr_assert_eq(repaired.told.losses[0].first_id, 1);
    cr_assert_eq(repaired.told.losses[1].kind, KNACKDB_LOSS_COMMITS);
    cr_assert_eq(repaired.told.losses[1].first_sequence, 1);
    cr_assert_eq(repaired.told.losses[1].last_sequence, 1);
    cr_assert_eq(repaired.told.losses[1].offset, head_bytes);
    cr_assert_eq(store_sequence(kept.store), 6);
    kept_close(&kept);
    free(dump);
    bytes_free(&log);
    scratch_remove(origin.folder);
}

/* ---- bad sectors ---- */

static struct {
    char     prefix[16]; /* of the file that has one */
    int      handle;     /* -1: not open */
    uint64_t sector;
} bad;

static int
open_on_bad(const struct disk *disk, int dir, const char *name, enum disk_access access, uint32_t mode)
{
    int handle = disk_posix()->open(disk, dir, name, access, mode);

    if (access == DISK_CREATE)
        bad.prefix[0] = '\0'; /* the damaged directory has been read */
    if (access == DISK_READ && bad.prefix[0] != '\0' && strncmp(name, bad.prefix, strlen(bad.prefix)) == 0)
        bad.handle = handle;
    return handle;
}

static void
close_on_bad(const struct disk *disk, int handle)
{
    if (handle == bad.handle)
        bad.handle = -1;
    disk_posix()->close(disk, handle);
}

static ssize_t
read_on_bad(const struct disk *disk, int file, void *to, size_t bytes, uint64_t offset)
{
    if (file == bad.handle && offset < (bad.sector + 1) * 4096 && offset + bytes > bad.sector * 4096)
        return -EIO;
    return disk_posix()->read_at(disk, file, to, bytes, offset);
}

/* A sector of a log, or of a part, cannot be read at all: what lies before and behind it is saved. */
Test(repair, reads_around_bad_sectors)
{
    static const char *const prefixes[] = { "log-", "part-" };
    struct disk              disk = *disk_posix();
    struct keeper_options    options = kept_options();
    char                     folder[SCRATCH_PATH_MAX];
    char                     path[SCRATCH_PATH_MAX];
    char                     to[SCRATCH_PATH_MAX];
    struct kept              writer;

    disk.open = open_on_bad;
    disk.close = close_on_bad;
    disk.read_at = read_on_bad;
    scratch_make(folder);
    scratch_join(path, folder, "store");
    scratch_join(to, folder, "to");
    options.by_hand = true;
    kept_must_open(&writer, path, 1, &options);
    bench_put_many(writer.store, 1, 20000);
    cr_assert_eq(keeper_snapshot(writer.keeper, NULL), KNACKDB_OK);
    bench_put_many(writer.store, 20001, 20200);
    kept_close(&writer);
    for (int i = 0; i < 2; i++) {
        struct allocator      allocator;
        struct repaired       repaired;
        struct repair_options repair_options = {
            .disk = &disk,
            .history = bench_history(),
            .schema = bench_schema(1),
            .on_loss = told_hear,
            .context = &repaired.told,
        };

        memset(&repaired, 0, sizeof repaired);
        allocator_init(&allocator, NULL);
        (void) snprintf(bad.prefix, sizeof bad.prefix, "%s", prefixes[i]);
        bad.handle = -1;
        bad.sector = 3;
        cr_assert_eq(repair_directory(&allocator, path, to, &repair_options, &repaired.report, &repaired.error),
                     KNACKDB_OK, "%s", repaired.error.message);
        cr_assert_eq(atomic_load(&allocator.bytes), 0);
        if (i == 0) {
            cr_assert(repaired.report.rows_saved < 20200 && repaired.report.rows_saved > 20100, "%s",
                      repaired.told.text);
            cr_assert_eq(repaired.report.commits_lost, 20200 - repaired.report.rows_saved, "%s", repaired.told.text);
        } else {
            cr_assert_eq(repaired.report.rows_saved + repaired.report.rows_lost, 20200, "%s", repaired.told.text);
            cr_assert(repaired.report.blocks_lost > 0 && repaired.report.blocks_lost < 4, "%s", repaired.told.text);
        }
        scratch_remove(to);
    }
    scratch_remove(folder);
}

/* Whatever goes wrong, nothing half-made stays, and what was there before is not touched. */
Test(repair, is_refused_where_it_must_not_write_or_has_nothing_to_read)
{
    struct origin   origin;
    struct repaired repaired;
    char            empty[SCRATCH_PATH_MAX];
    char            name[64];

    origin_make(&origin, ORIGIN_CLOSED);
    cr_assert_eq(repair_to(origin.sound, origin.sound, 1, &repaired), KNACKDB_INVALID);
    cr_assert_not_null(strstr(repaired.error.message, "not empty"), "%s", repaired.error.message);
    scratch_make(empty);
    cr_assert_eq(repair_to(empty, origin.to, 1, &repaired), KNACKDB_NOT_FOUND);
    cr_assert_eq(names_count(origin.folder, "to", name), 0, "%s was made", origin.to);
    scratch_remove(empty);
    cr_assert_eq(repair_to(empty, origin.to, 1, &repaired), KNACKDB_NOT_FOUND);
    origin_remove(&origin);
}

/* Of version 1, read by version 3: by name, as ever. */
Test(repair, brings_an_older_version_along)
{
    struct keeper_options options = kept_options();
    struct origin         origin;
    struct repaired       repaired;
    struct kept           kept;
    struct kept           now;
    char                 *dump;

    origin_make(&origin, ORIGIN_CLOSED);
    cr_assert_eq(repair_to(origin.sound, origin.to, 3, &repaired), KNACKDB_OK, "%s", repaired.error.message);
    cr_assert_eq(repaired.told.count, 0, "%s", repaired.told.text);
    options.read_only = true;
    kept_must_open(&kept, origin.to, 3, &options);
    kept_must_open(&now, origin.sound, 3, &options);
    dump = bench_dump(now.store);
    cr_assert(bench_same(kept.store, dump));
    free(dump);
    kept_close(&now);
    kept_close(&kept);
    origin_remove(&origin);
}

/* Rows that had ended stay ended, with the manifest and without; with the ends themselves lost, updated rows are there
 * once, deleted ones are back, and that is said. */
Test(repair, knows_which_rows_had_ended)
{
    struct keeper_options options = kept_options();
    struct repaired       repaired;
    struct kept           kept;
    char                  folder[SCRATCH_PATH_MAX];
    char                  path[SCRATCH_PATH_MAX];
    char                  to[SCRATCH_PATH_MAX];
    char                  name[64];
    char                  ends[64];
    char                 *dump;

    scratch_make(folder);
    scratch_join(path, folder, "store");
    scratch_join(to, folder, "to");
    options.log_segment_bytes_max = 4096; /* so the log does not begin with the first commit any more */
    kept_must_open(&kept, path, 1, &options);
    bench_put_many(kept.store, 1, 100);
    cr_assert_eq(keeper_snapshot(kept.keeper, NULL), KNACKDB_OK);
    for (int64_t id = 1; id <= 40; id++) {
        if (id % 2 == 0)
            bench_put(kept.store, id);
        else
            cr_assert_eq(store_delete(kept.store, 0, id, NULL, NULL), KNACKDB_OK);
    }
    cr_assert_eq(keeper_snapshot(kept.keeper, NULL), KNACKDB_OK);
    dump = bench_dump(kept.store);
    kept_close(&kept);
    cr_assert_eq(names_count(path, "part-", ends), 3);
    options.read_only = true;
    for (int way = 0; way < 3; way++) {
        if (way == 1) {
            cr_assert_eq(names_count(path, "manifest-", name), 1);
            bytes_write(path, name, "lost", 4);
        } else if (way == 2) {
            bytes_write(path, ends, "KNACKOUT, and not much more", 27);
        }
        cr_assert_eq(repair_to(path, to, 1, &repaired), KNACKDB_OK, "%s", repaired.error.message);
        cr_assert_eq(repaired.report.rows_saved, way == 2 ? 100 : 80, "way %d:\n%s", way, repaired.told.text);
        cr_assert_eq(strstr(repaired.told.text, "may be back") != NULL, way == 2, "%s", repaired.told.text);
        kept_must_open(&kept, to, 1, &options);
        cr_assert(way == 2 || bench_same(kept.store, dump), "way %d", way);
        kept_close(&kept);
        scratch_remove(to);
    }
    free(dump);
    scratch_remove(folder);
}

/* ---- ends that would cost memory ---- */

/* The most memory that a repair holds at a time. */
static size_t
repair_measured(const char *path, const char *to, struct repaired *repaired)
{
    struct meter          meter;
    struct allocator      allocator;
    struct repair_options options = {
        .disk = disk_posix(),
        .history = bench_history(),
        .schema = bench_schema(1),
        .on_loss = told_hear,
        .context = &repaired->told,
    };
    knackdb_status status;

    memset(repaired, 0, sizeof *repaired);
    meter_begin(&meter, &allocator);
    status = repair_directory(&allocator, path, to, &options, &repaired->report, &repaired->error);
    cr_assert_eq(status, KNACKDB_OK, "%s", repaired->error.message);
    cr_assert_eq(meter.now, 0);
    return meter.peak;
}

/* A file of ends, its checksums right, with an entry of forty bytes for each of so many parts of 65,536 rows that are
 * not there, or so many times for the same one. */
static size_t
write_crowded_ends(const char *path, const struct bytes *sound, uint64_t parts, bool are_same)
{
    static const uint64_t one[PART_ROWS_MAX / 64] = { 1 };
    const uint64_t        number = 0x77;
    struct allocator      allocator;
    struct byte_buffer    bytes;
    struct ends_writer    writer;
    size_t                file_bytes;

    allocator_init(&allocator, NULL);
    byte_buffer_init(&bytes, &allocator);
    ends_begin(&writer, &bytes, bytes_get_u64(sound->data + 32), number);
    for (uint64_t part = 0; part < parts; part++)
        ends_put(&writer, 1000 + (are_same ? 0 : part), PART_ROWS_MAX, one, 1);
    (void) ends_finish(&writer);
    cr_assert(!bytes.failed);
    file_bytes = bytes.bytes;
    bytes_write(path, "part-0000000000000077.knp", bytes.data, bytes.bytes);
    byte_buffer_clear(&bytes);
    return file_bytes;
}

Test(repair, ends_cost_no_more_memory_than_a_few_times_their_bytes)
{
    struct origin   origin;
    struct repaired repaired;
    struct bytes    sound;
    char            name[64];
    char            path[SCRATCH_PATH_MAX];
    size_t          plain;

    origin_make(&origin, ORIGIN_WITH_ENDS);
    cr_assert_gt(names_count(origin.sound, "part-", name), 3);
    sound = bytes_read(origin.sound, name);
    origin_damage_again(&origin);
    cr_assert_eq(names_count(origin.damaged, "manifest-", name), 1);
    scratch_join(path, origin.damaged, name);
    cr_assert_eq(remove(path), 0);
    plain = repair_measured(origin.damaged, origin.to, &repaired);
    for (int are_same = 0; are_same < 2; are_same++) {
        size_t bytes = write_crowded_ends(origin.damaged, &sound, 20000, are_same != 0);
        size_t peak;

        scratch_remove(origin.to);
        peak = repair_measured(origin.damaged, origin.to, &repaired);
        cr_assert_leq(peak, plain + 4 * bytes, "%zu bytes for a file of %zu and %zu for the rest", peak, bytes, plain);
        cr_assert_eq(repaired.report.loss_count, 1, "the manifest, and nothing else: %s", repaired.told.text);
    }
    bytes_free(&sound);
    origin_remove(&origin);
}

/* Grown to a terabyte, most of it a hole: what the manifest names is there, and is all that is read. */
Test(repair, ends_that_have_grown_are_read_as_far_as_they_were_written)
{
    struct origin   origin;
    struct repaired repaired;
    struct bytes    ends;
    char            name[64];
    char            path[SCRATCH_PATH_MAX];
    size_t          plain;

    origin_make(&origin, ORIGIN_WITH_ENDS);
    origin_damage_again(&origin);
    plain = repair_measured(origin.damaged, origin.to, &repaired);
    scratch_remove(origin.to);
    cr_assert_gt(names_count(origin.damaged, "part-", name), 3);
    ends = bytes_read(origin.damaged, name);
    scratch_join(path, origin.damaged, name);
    cr_assert_eq(truncate(path, (off_t) 1 << 40), 0);
    cr_assert_leq(repair_measured(origin.damaged, origin.to, &repaired), plain + 65536, "but for the list of losses");
    cr_assert_eq(repaired.told.count, 1, "%s", repaired.told.text);
    cr_assert_eq(repaired.told.losses[0].kind, KNACKDB_LOSS_FRAME);
    cr_assert_eq(repaired.told.losses[0].offset, ends.count);
    cr_assert_eq(repaired.told.losses[0].bytes, ((uint64_t) 1 << 40) - ends.count);
    cr_assert_eq(repaired.report.loss_count, 0);
    cr_assert_eq(repaired.report.rows_saved, ALL_ROWS - ENDED_IN_FIRST - ENDED_IN_SECOND);
    bytes_free(&ends);
    origin_remove(&origin);
}

/* What a manifest says of a file of ends, its checksum right, is what a file says: no reason to ask for so much
 * memory. */
Test(repair, ends_that_a_manifest_calls_large_are_read_as_far_as_they_can_go)
{
    const uint64_t   claimed = (uint64_t) 300 << 20;
    struct origin    origin;
    struct repaired  repaired;
    struct manifest  manifest;
    struct allocator allocator;
    struct dir       dir = { .handle = DISK_NONE };
    char             name[64];
    char             path[SCRATCH_PATH_MAX];
    size_t           plain;
    bool             is_claimed = false;

    origin_make(&origin, ORIGIN_WITH_ENDS);
    origin_damage_again(&origin);
    plain = repair_measured(origin.damaged, origin.to, &repaired);
    scratch_remove(origin.to);
    allocator_init(&allocator, NULL);
    manifest_init(&manifest, &allocator);
    cr_assert_eq(dir_open(disk_posix(), origin.damaged, &dir, NULL), KNACKDB_OK);
    cr_assert_eq(manifest_file_read_newest(&manifest, &dir, NULL), KNACKDB_OK);
    for (size_t i = 0; i < manifest.part_count; i++)
        if (manifest.parts[i].kind == PART_ENDS) {
            manifest.parts[i].bytes = claimed;
            file_name_write(name, FILE_PART, manifest.parts[i].number);
            scratch_join(path, origin.damaged, name);
            cr_assert_eq(truncate(path, (off_t) claimed), 0);
            is_claimed = true;
        }
    cr_assert(is_claimed);
    manifest.generation++;
    cr_assert_eq(manifest_file_publish(&manifest, &dir, 0600, NULL), KNACKDB_OK);
    dir_close(&dir);
    manifest_clear(&manifest);
    cr_assert_leq(repair_measured(origin.damaged, origin.to, &repaired), plain + ((size_t) 1 << 20));
    cr_assert_eq(repaired.report.rows_saved, ALL_ROWS - ENDED_IN_FIRST - ENDED_IN_SECOND, "%s", repaired.told.text);
    origin_remove(&origin);
}

/* Where nothing says how large they ought to be: such files, mostly holes, are not kept all at once. */
Test(repair, large_ends_that_no_manifest_names_cost_no_memory)
{
    struct origin   origin;
    struct repaired repaired;
    char            name[64];
    char            path[SCRATCH_PATH_MAX];
    size_t          plain;

    origin_make(&origin, ORIGIN_WITH_ENDS);
    origin_damage_again(&origin);
    cr_assert_eq(names_count(origin.damaged, "manifest-", name), 1);
    scratch_join(path, origin.damaged, name);
    cr_assert_eq(remove(path), 0);
    plain = repair_measured(origin.damaged, origin.to, &repaired);
    scratch_remove(origin.to);
    for (char number = '1'; number <= '3'; number++) {
        char stray[] = "part-0000000000000071.knp";

        stray[strlen("part-000000000000007")] = number;
        bytes_write(origin.damaged, stray, ENDS_MAGIC, 8);
        scratch_join(path, origin.damaged, stray);
        cr_assert_eq(truncate(path, (off_t) 100 << 20), 0);
    }
    cr_assert_leq(repair_measured(origin.damaged, origin.to, &repaired), plain + ((size_t) 3 << 20));
    cr_assert_eq(repaired.report.rows_saved, ALL_ROWS - ENDED_IN_FIRST - ENDED_IN_SECOND, "%s", repaired.told.text);
    origin_remove(&origin);
}
