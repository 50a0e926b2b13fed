/* repairs.c - what repair saves of a damaged directory, and what it says of the rest.
 *
 * The directory holds rows 1 to 40 in a snapshot and 41 to 60 in the log, each stored by a commit of its number. So a row is
 * at stake where a commit is, and nothing else may change. */
#include "tests/persist/bench.h"

#include "persist/repairing.h"
#include "tests/api/scratch.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SNAPSHOT_ROWS 40
#define ALL_ROWS      60

struct told {
    knackdb_loss losses[64];
    char         files[64][64];
    size_t       count;
    char         text[8000];
};

static void
hear_loss(void *context, const knackdb_loss *loss)
{
    struct told *told = context;
    size_t       used = strlen(told->text);

    (void) snprintf(told->text + used, sizeof told->text - used, "%d %s:%" PRIu64 " %s\n", (int) loss->kind, loss->file,
                    loss->offset, loss->reason);
    if (told->count < 64) {
        told->losses[told->count] = *loss;
        (void) snprintf(told->files[told->count], 64, "%s", loss->file);
    }
    told->count++;
}

struct repaired {
    struct told           told;
    knackdb_repair_report report;
    knackdb_error         error;
};

static knackdb_status
repair_to(const char *path, const char *to, uint32_t version, struct repaired *repaired)
{
    struct allocator      allocator;
    struct repair_options options = {
        .disk = disk_posix(),
        .history = bench_history(),
        .schema = bench_schema(version),
        .on_loss = hear_loss,
        .context = &repaired->told,
    };
    knackdb_status status;

    memset(repaired, 0, sizeof *repaired);
    allocator_init(&allocator, NULL);
    status = repair_directory(&allocator, path, to, &options, &repaired->report, &repaired->error);
    cr_assert_eq(atomic_load(&allocator.bytes), 0, "%" PRIu64 " bytes leaked", atomic_load(&allocator.bytes));
    return status;
}

/* A store of the rows as they were, to compare with. */
struct origin {
    char        folder[SCRATCH_PATH_MAX];
    char        sound[PATH_MAX_BYTES];
    char        damaged[PATH_MAX_BYTES];
    char        to[PATH_MAX_BYTES];
    struct kept kept; /* of `sound`, read-only */
    char       *dump;
};

static void
origin_make(struct origin *origin, bool closes)
{
    struct keeper_options options = kept_options();
    char                  path[SCRATCH_PATH_MAX];
    struct kept           writer;

    scratch_prefer_memory();
    scratch_make(origin->folder);
    scratch_join(path, origin->folder, "store");
    scratch_join(origin->to, origin->folder, "to");
    options.by_hand = true;
    options.log_segment_bytes_max = 4096;
    kept_must_open(&writer, path, 1, &options);
    bench_put_many(writer.store, 1, SNAPSHOT_ROWS);
    cr_assert_eq(keeper_snapshot(writer.keeper, NULL), KNACKDB_OK);
    bench_put_many(writer.store, SNAPSHOT_ROWS + 1, ALL_ROWS);
    cr_assert_eq(keeper_sync(writer.keeper, NULL), KNACKDB_OK);
    if (!closes)
        kept_copy(path, origin->folder, "sound", origin->sound);
    kept_close(&writer);
    if (closes)
        kept_copy(path, origin->folder, "sound", origin->sound);
    options = kept_options();
    options.read_only = true;
    kept_must_open(&origin->kept, origin->sound, 1, &options);
    origin->dump = bench_dump(origin->kept.store);
}

static void
origin_remove(struct origin *origin)
{
    free(origin->dump);
    kept_close(&origin->kept);
    scratch_remove(origin->folder);
}

static void
origin_damage_again(struct origin *origin)
{
    scratch_remove(origin->to);
    kept_copy(origin->sound, origin->folder, "damaged", origin->damaged);
}

/* Repairs the damaged directory, which stays as it is, and opens what came of it. */
static void
origin_repair(struct origin *origin, struct repaired *repaired, struct kept *kept)
{
    struct keeper_options options = kept_options();
    uint64_t              before = directory_digest(origin->damaged, true);
    knackdb_status        status = repair_to(origin->damaged, origin->to, 1, repaired);

    cr_assert_eq(status, KNACKDB_OK, "%s", repaired->error.message);
    cr_assert_eq(directory_digest(origin->damaged, true), before, "the damaged directory was changed");
    options.read_only = true;
    kept_must_open(kept, origin->to, 1, &options);
}

/* How a repaired row differs from what it was. */
struct difference {
    uint32_t rows_gone;
    uint32_t cells_null;
    int64_t  gone[ALL_ROWS];
};

/* Every row is one that was, in every cell that is not NULL. */
static struct difference
compare_rows(struct store *left, struct store *right)
{
    struct difference difference = { 0 };
    struct view       was;
    struct view       is;

    cr_assert_eq(view_begin(left, &was, NULL), KNACKDB_OK);
    cr_assert_eq(view_begin(right, &is, NULL), KNACKDB_OK);
    for (row_number row = view_next_row(&is, 0, 0); row != ROW_NONE; row = view_next_row(&is, 0, row + 1)) {
        knackdb_value id = view_cell(&is, 0, row, 0);
        row_number    old;

        cr_assert_eq(view_find_by_key(&was, 0, 0, &id, &old), KNACKDB_OK, "row %" PRId64 " was made up", id.as.integer);
        for (uint32_t column = 0; column < 6; column++) {
            knackdb_value now = view_cell(&is, 0, row, column);
            knackdb_value then = view_cell(&was, 0, old, column);

            if (now.type == KNACKDB_NULL && then.type != KNACKDB_NULL) {
                difference.cells_null++;
                continue;
            }
            cr_assert_eq(now.type, then.type);
            if (now.type == KNACKDB_TEXT)
                cr_assert(now.as.text.length == then.as.text.length &&
                          memcmp(now.as.text.data, then.as.text.data, now.as.text.length) == 0);
            else
                cr_assert_eq(now.as.integer, then.as.integer);
        }
    }
    for (row_number row = view_next_row(&was, 0, 0); row != ROW_NONE; row = view_next_row(&was, 0, row + 1)) {
        knackdb_value id = view_cell(&was, 0, row, 0);
        row_number    now;

        if (view_find_by_key(&is, 0, 0, &id, &now) != KNACKDB_OK)
            difference.gone[difference.rows_gone++] = id.as.integer;
    }
    view_end(&was);
    view_end(&is);
    return difference;
}

Test(repair, of_a_sound_directory_is_a_copy)
{
    for (int closes = 0; closes < 2; closes++) {
        struct origin   origin;
        struct repaired repaired;
        struct kept     kept;

        origin_make(&origin, closes != 0);
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

/* What is told accounts for what is different: no more, no less, and in the file that was hit. */
static void
assert_told(const struct repaired *repaired, const struct difference *difference, const char *file, size_t byte)
{
    uint64_t commits = 0;
    uint64_t rows = 0;
    uint64_t values = 0;

    for (size_t i = 0; i < repaired->told.count; i++) {
        const knackdb_loss *loss = &repaired->told.losses[i];

        cr_assert_str_eq(repaired->told.files[i], file, "byte %zu of %s:\n%s", byte, file, repaired->told.text);
        if (loss->kind == KNACKDB_LOSS_COMMITS || loss->kind == KNACKDB_LOSS_TORN)
            commits += loss->last_sequence != 0 ? loss->last_sequence - loss->first_sequence + 1
                                                : ALL_ROWS + 1 - loss->first_sequence;
        if (loss->kind == KNACKDB_LOSS_ROWS)
            rows += loss->row_count;
        if (loss->kind == KNACKDB_LOSS_VALUES)
            values += loss->row_count;
        cr_assert_neq(loss->kind, KNACKDB_LOSS_OPERATION, "byte %zu of %s:\n%s", byte, file, repaired->told.text);
    }
    cr_assert_eq(difference->rows_gone, commits + rows, "byte %zu of %s: %u rows gone:\n%s", byte, file,
                 difference->rows_gone, repaired->told.text);
    cr_assert_leq(difference->cells_null, values, "byte %zu of %s:\n%s", byte, file, repaired->told.text);
    cr_assert_eq(repaired->report.rows_lost, rows);
    cr_assert_eq(repaired->report.values_lost, values);
}

struct totals {
    uint64_t states, lossless;
    uint32_t worst_rows, worst_cells;
};

/* Flips a bit in each byte of a file, repairs, and holds against the origin. */
static struct totals
flip_each(struct origin *origin, const char *name)
{
    struct bytes  file = bytes_read(origin->sound, name);
    struct totals totals = { 0 };
    size_t        used = file.count;

    while (used > 0 && file.data[used - 1] == 0)
        used--;
    if (used + 8 < file.count)
        used += 8; /* some of the zeros behind a log's end, too */
    for (size_t byte = 0; byte < used; byte++) {
        struct repaired   repaired;
        struct kept       kept;
        struct difference difference;

        origin_damage_again(origin);
        file.data[byte] ^= (unsigned char) (1u << byte % 8);
        bytes_write(origin->damaged, name, file.data, file.count);
        file.data[byte] ^= (unsigned char) (1u << byte % 8);
        origin_repair(origin, &repaired, &kept);
        difference = compare_rows(origin->kept.store, kept.store);
        assert_told(&repaired, &difference, name, byte);
        totals.states++;
        totals.lossless += difference.rows_gone == 0 && difference.cells_null == 0;
        if (difference.rows_gone > totals.worst_rows)
            totals.worst_rows = difference.rows_gone;
        if (difference.cells_null > totals.worst_cells)
            totals.worst_cells = difference.cells_null;
        kept_close(&kept);
    }
    bytes_free(&file);
    return totals;
}

Test(repair, a_flipped_bit_of_a_manifest_costs_nothing)
{
    struct origin origin;
    struct totals totals;
    char          name[64];

    origin_make(&origin, true);
    cr_assert_eq(names_count(origin.sound, "manifest-", name), 1);
    totals = flip_each(&origin, name);
    cr_assert_gt(totals.states, 150);
    cr_assert_eq(totals.lossless, totals.states);
    origin_remove(&origin);
}

Test(repair, a_flipped_bit_of_a_part_costs_one_block)
{
    struct origin origin;
    struct totals totals;
    char          name[64];

    origin_make(&origin, true);
    cr_assert_eq(names_count(origin.sound, "part-", name), 1);
    totals = flip_each(&origin, name);
    cr_assert_gt(totals.states, 500);
    cr_assert_gt(totals.lossless, 100, "head and end cost nothing");
    cr_assert_eq(totals.worst_rows, SNAPSHOT_ROWS, "the ids");
    cr_assert_leq(totals.worst_cells, SNAPSHOT_ROWS);
    origin_remove(&origin);
}

Test(repair, a_flipped_bit_of_a_log_costs_one_commit)
{
    for (int closes = 0; closes < 2; closes++) {
        struct origin origin;
        uint64_t      serial = 1;
        int           logs = 0;

        origin_make(&origin, closes != 0);
        for (; serial < 20; serial++) {
            char          name[64];
            struct totals totals;

            (void) snprintf(name, sizeof name, "log-%016" PRIx64 ".knl", serial);
            if (names_count(origin.sound, name, NULL) == 0)
                continue;
            totals = flip_each(&origin, name);
            cr_assert_leq(totals.worst_rows, 1);
            cr_assert_eq(totals.worst_cells, 0);
            logs++;
        }
        cr_assert_gt(logs, 0);
        origin_remove(&origin);
    }
}

/* A byte taken out moves all that is behind it. */
Test(repair, a_missing_byte_of_a_part_costs_one_block)
{
    struct origin origin;
    struct bytes  file;
    char          name[64];

    origin_make(&origin, true);
    (void) names_count(origin.sound, "part-", name);
    file = bytes_read(origin.sound, name);
    for (size_t byte = 0; byte < file.count; byte += 3) {
        struct repaired   repaired;
        struct kept       kept;
        struct difference difference;
        unsigned char    *shorter = malloc(file.count);

        memcpy(shorter, file.data, byte);
        memcpy(shorter + byte, file.data + byte + 1, file.count - byte - 1);
        origin_damage_again(&origin);
        bytes_write(origin.damaged, name, shorter, file.count - 1);
        free(shorter);
        origin_repair(&origin, &repaired, &kept);
        difference = compare_rows(origin.kept.store, kept.store);
        assert_told(&repaired, &difference, name, byte);
        cr_assert(difference.rows_gone == 0 || difference.rows_gone == SNAPSHOT_ROWS);
        cr_assert_leq(difference.cells_null, SNAPSHOT_ROWS);
        kept_close(&kept);
    }
    bytes_free(&file);
    origin_remove(&origin);
}

Test(repair, a_missing_file_is_told_and_the_rest_saved)
{
    static const char *const kinds[] = { "manifest-", "part-", "log-" };
    struct origin            origin;

    origin_make(&origin, true);
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
        difference = compare_rows(origin.kept.store, kept.store);
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
            .on_loss = hear_loss,
            .context = &repaired.told,
        };

        memset(&repaired, 0, sizeof repaired);
        allocator_init(&allocator, NULL);
        (void) snprintf(bad.prefix, sizeof bad.prefix, "%s", prefixes[i]);
        bad.handle = -1;
        bad.sector = 3;
        cr_assert_eq(repair_directory(&allocator, path, to, &repair_options, &repaired.report, &repaired.error), KNACKDB_OK,
                     "%s", repaired.error.message);
        cr_assert_eq(atomic_load(&allocator.bytes), 0);
        if (i == 0) {
            cr_assert(repaired.report.rows_saved < 20200 && repaired.report.rows_saved > 20100, "%s", repaired.told.text);
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

    origin_make(&origin, true);
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

    origin_make(&origin, true);
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

/* Rows that had ended stay ended, with the manifest and without; with the ends themselves lost, updated rows are there once,
 * deleted ones are back, and that is said. */
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
    kept_must_open(&kept, path, 1, NULL);
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
