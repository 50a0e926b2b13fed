/* repairs_of_bytes.c - a bit flipped, a byte taken out, an end cut off, at every place of every kind of file: what
 * repair then saves, and what it says of the rest.
 *
 * What is lost is the record or the block that was hit, it is told, and nothing else changes. */
#include "base/bytes.h"
#include "persist/block_format.h"
#include "persist/part_format.h"
#include "tests/persist/repair_origin.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What came of all the places of a file. */
struct totals {
    uint64_t states, lossless, said_nothing, lost_in_silence;
    uint32_t worst_rows, worst_cells, back_first, back_second, back_both;
};

static void
add_up(struct totals *totals, const struct difference *difference, const struct repaired *repaired)
{
    totals->states++;
    totals->lossless +=
        difference->rows_gone + difference->cells_null + difference->back_first + difference->back_second == 0;
    totals->said_nothing += repaired->told.count == 0;
    totals->lost_in_silence += repaired->told.count == 0 && difference->rows_gone > 0;
    if (difference->rows_gone > totals->worst_rows)
        totals->worst_rows = difference->rows_gone;
    if (difference->cells_null > totals->worst_cells)
        totals->worst_cells = difference->cells_null;
    totals->back_first += difference->back_first > 0;
    totals->back_second += difference->back_second > 0;
    totals->back_both += difference->back_first > 0 && difference->back_second > 0;
}

/* Damages a file at one place after the other, repairs, and holds against the origin. `also`: a file that is damaged
 * each time beside it, in its middle; or NULL. */
static struct totals
damage_each(struct origin *origin, const char *name, enum damage damage, size_t step, const char *also)
{
    struct bytes  file = bytes_read(origin->sound, name);
    struct bytes  other = { 0 };
    struct totals totals = { 0 };
    size_t        used = file.count;

    if (also != NULL)
        other = bytes_read(origin->sound, also);
    while (used > 0 && file.data[used - 1] == 0)
        used--;
    if (used + 8 < file.count)
        used += 8;                                                  /* some of the zeros behind a log's end, too */
    for (size_t at = damage == DAMAGE_CUT; at < used; at += step) { /* a file of no bytes tells of nothing */
        struct repaired   repaired;
        struct kept       kept;
        struct difference difference;

        origin_damage_again(origin);
        write_damaged(origin->damaged, name, &file, damage, at);
        if (also != NULL)
            write_damaged(origin->damaged, also, &other, DAMAGE_FLIP, other.count / 2);
        origin_repair(origin, &repaired, &kept);
        difference = origin_compare(origin, kept.store);
        /* A log that ends behind a record may have ended there. */
        if (damage != DAMAGE_CUT || repaired.told.count > 0)
            assert_told(&repaired, &difference, name, at);
        add_up(&totals, &difference, &repaired);
        kept_close(&kept);
    }
    bytes_free(&file);
    bytes_free(&other);
    return totals;
}

static void
part_name(char name[64], uint64_t number)
{
    (void) snprintf(name, 64, "part-%016" PRIx64 ".knp", number);
}

/* ---- manifests, parts ---- */

Test(repair, a_damaged_manifest_costs_nothing)
{
    struct origin origin;
    char          name[64];

    origin_make(&origin, ORIGIN_CLOSED);
    cr_assert_eq(names_count(origin.sound, "manifest-", name), 1);
    for (enum damage damage = DAMAGE_FLIP; damage <= DAMAGE_CUT; damage++) {
        struct totals totals = damage_each(&origin, name, damage, damage == DAMAGE_FLIP ? 1 : 3, NULL);

        cr_assert_gt(totals.states, 60);
        cr_assert_eq(totals.lossless, totals.states);
        cr_assert_eq(totals.said_nothing, 0);
    }
    origin_remove(&origin);
}

Test(repair, a_damaged_byte_of_a_part_costs_one_block)
{
    struct origin origin;
    char          name[64];

    origin_make(&origin, ORIGIN_CLOSED);
    cr_assert_eq(names_count(origin.sound, "part-", name), 1);
    for (enum damage damage = DAMAGE_FLIP; damage <= DAMAGE_REMOVE; damage++) {
        struct totals totals = damage_each(&origin, name, damage, damage == DAMAGE_FLIP ? 1 : 3, NULL);

        cr_assert_gt(totals.states, 150);
        cr_assert_gt(totals.lossless, 30, "head and end cost nothing");
        cr_assert_eq(totals.worst_rows, SNAPSHOT_ROWS, "the ids");
        cr_assert_leq(totals.worst_cells, SNAPSHOT_ROWS);
        cr_assert_eq(totals.lost_in_silence, 0);
    }
    origin_remove(&origin);
}

Test(repair, a_cut_part_costs_the_blocks_behind_the_cut)
{
    struct origin origin;
    struct totals totals;
    char          name[64];

    origin_make(&origin, ORIGIN_CLOSED);
    cr_assert_eq(names_count(origin.sound, "part-", name), 1);
    totals = damage_each(&origin, name, DAMAGE_CUT, 5, NULL);
    cr_assert_eq(totals.worst_rows, SNAPSHOT_ROWS);
    cr_assert_leq(totals.worst_cells, 5 * SNAPSHOT_ROWS);
    cr_assert_gt(totals.lossless, 3, "its end");
    origin_remove(&origin);
}

/* ---- the log, sealed and open ---- */

Test(repair, a_damaged_byte_of_a_log_costs_one_commit)
{
    for (int closes = 0; closes < 2; closes++) {
        struct origin origin;
        int           logs = 0;

        origin_make(&origin, closes != 0 ? ORIGIN_CLOSED : ORIGIN_KILLED);
        for (uint64_t serial = 1; serial < 20; serial++) {
            char          name[64];
            struct totals totals;

            (void) snprintf(name, sizeof name, "log-%016" PRIx64 ".knl", serial);
            if (names_count(origin.sound, name, NULL) == 0)
                continue;
            for (enum damage damage = DAMAGE_FLIP; damage <= DAMAGE_REMOVE; damage++) {
                totals = damage_each(&origin, name, damage, damage == DAMAGE_FLIP ? 1 : 9, NULL);
                cr_assert_leq(totals.worst_rows, 1, "%s", name);
                cr_assert_eq(totals.worst_cells, 0);
            }
            logs++;
        }
        cr_assert_gt(logs, 0);
        origin_remove(&origin);
    }
}

/* What is behind the cut is lost, and told, as torn or as lost. */
Test(repair, a_cut_log_keeps_what_is_before_the_cut)
{
    for (int closes = 0; closes < 2; closes++) {
        struct origin origin;
        uint32_t      worst = 0;

        origin_make(&origin, closes != 0 ? ORIGIN_CLOSED : ORIGIN_KILLED);
        for (uint64_t serial = 1; serial < 20; serial++) {
            char          name[64];
            struct totals totals;

            (void) snprintf(name, sizeof name, "log-%016" PRIx64 ".knl", serial);
            if (names_count(origin.sound, name, NULL) == 0)
                continue;
            totals = damage_each(&origin, name, DAMAGE_CUT, 7, NULL);
            cr_assert_leq(totals.worst_rows, ALL_ROWS - SNAPSHOT_ROWS);
            cr_assert_leq(totals.lost_in_silence, 2 * (ALL_ROWS - SNAPSHOT_ROWS), "only behind a record and its zeros");
            worst = totals.worst_rows > worst ? totals.worst_rows : worst;
        }
        cr_assert_gt(worst, 3);
        origin_remove(&origin);
    }
}

/* ---- ends ---- */

/* The last file of ends. */
static void
ends_name(const struct origin *origin, char name[64])
{
    struct bytes file;

    cr_assert_gt(names_count(origin->sound, "part-", name), 3, "two parts, the rows of the third, their ends");
    file = bytes_read(origin->sound, name);
    cr_assert_eq(memcmp(file.data, "KNACKOUT", 8), 0, "%s", name);
    bytes_free(&file);
}

Test(repair, a_damaged_byte_of_ends_brings_back_the_rows_of_one_part)
{
    struct origin origin;
    char          name[64];

    origin_make(&origin, ORIGIN_WITH_ENDS);
    ends_name(&origin, name);
    for (enum damage damage = DAMAGE_FLIP; damage <= DAMAGE_REMOVE; damage++) {
        struct totals totals = damage_each(&origin, name, damage, 1, NULL);

        cr_assert_eq(totals.worst_rows + totals.worst_cells, 0);
        cr_assert_gt(totals.lossless, 60, "the head, and the checksum of the whole");
        cr_assert_gt(totals.back_first, 20);
        cr_assert_gt(totals.back_second, 20);
        cr_assert_eq(totals.back_both, 0, "one entry is hit, and the other is found");
        cr_assert_eq(totals.said_nothing, 0);
    }
    origin_remove(&origin);
}

Test(repair, cut_ends_bring_back_what_stood_behind_the_cut)
{
    struct origin origin;
    struct totals totals;
    char          name[64];

    origin_make(&origin, ORIGIN_WITH_ENDS);
    ends_name(&origin, name);
    totals = damage_each(&origin, name, DAMAGE_CUT, 1, NULL);
    cr_assert_eq(totals.worst_rows + totals.worst_cells, 0);
    cr_assert(totals.lossless >= 8 && totals.lossless < 16, "the checksum of the whole, and zeros before it");
    cr_assert_gt(totals.back_second, totals.back_first);
    cr_assert_eq(totals.back_both, totals.back_first);
    cr_assert_eq(totals.said_nothing, 0);
    origin_remove(&origin);
}

/* ---- history ---- */

/* Nobody needs it while the snapshot is sound. */
Test(repair, damaged_history_costs_nothing)
{
    struct origin origin;
    char          name[64];

    origin_make(&origin, ORIGIN_WITH_HISTORY);
    cr_assert_gt(names_count(origin.sound, "past-", name), 1);
    for (enum damage damage = DAMAGE_FLIP; damage <= DAMAGE_CUT; damage++) {
        struct totals totals = damage_each(&origin, name, damage, 11, NULL);

        cr_assert_eq(totals.lossless, totals.states);
    }
    origin_remove(&origin);
}

/* With all of it at hand there is nothing that a damaged part could cost. */
Test(repair, history_gives_back_what_parts_have_lost)
{
    struct origin origin;
    size_t        parts;
    char          name[64];

    origin_make(&origin, ORIGIN_WITH_HISTORY);
    parts = names_count(origin.sound, "part-", name);
    cr_assert_eq(parts, 4);
    for (uint64_t number = 1; number <= parts; number++) {
        part_name(name, number);
        for (enum damage damage = DAMAGE_FLIP; damage <= DAMAGE_CUT; damage++) {
            struct totals totals = damage_each(&origin, name, damage, 17, NULL);

            cr_assert_eq(totals.lossless, totals.states, "%s", name);
            cr_assert_lt(totals.said_nothing, totals.states / 8,
                         "what is damaged is told all the same, but for some of the end");
        }
    }
    origin_remove(&origin);
}

/* Damaged itself it leads nowhere, and what a part has lost is what it would be without. */
Test(repair, damaged_history_gives_back_nothing_and_takes_nothing)
{
    struct origin origin;
    struct totals totals;
    char          name[64];
    char          past[64];

    origin_make(&origin, ORIGIN_WITH_HISTORY);
    part_name(name, 1);
    (void) names_count(origin.sound, "past-", past);
    totals = damage_each(&origin, name, DAMAGE_FLIP, 5, past);
    cr_assert_leq(totals.worst_rows, SNAPSHOT_ROWS);
    cr_assert_gt(totals.worst_rows, 0);
    cr_assert_leq(totals.worst_cells, SNAPSHOT_ROWS);
    cr_assert_gt(totals.lossless, 10);
    origin_remove(&origin);
}

/* A writer that dies between the two leaves a segment in both forms, and the damaged one of them is not missed. */
Test(repair, a_segment_that_is_also_history_may_be_damaged)
{
    struct keeper_options options = kept_options();
    struct origin         origin;
    struct totals         totals;
    struct bytes          past;
    struct kept           writer;
    char                  store[SCRATCH_PATH_MAX];
    char                  packed[64];
    char                  name[64] = "log-";

    origin_make(&origin, ORIGIN_CLOSED);
    scratch_join(store, origin.folder, "packing");
    scratch_copy(origin.sound, store);
    options.by_hand = true;
    options.log_history_bytes = UINT64_MAX;
    kept_must_open(&writer, store, 1, &options);
    bench_put(writer.store, ALL_ROWS + 1);
    cr_assert_eq(keeper_snapshot(writer.keeper, NULL), KNACKDB_OK);
    kept_close(&writer);
    cr_assert_gt(names_count(store, "past-", packed), 0);
    for (uint64_t serial = 1; serial < 20; serial++) {
        (void) snprintf(packed, sizeof packed, "past-%016" PRIx64 ".knh", serial);
        (void) snprintf(name, sizeof name, "log-%016" PRIx64 ".knl", serial);
        if (names_count(origin.sound, name, NULL) == 0 || names_count(store, packed, NULL) == 0)
            continue;
        past = bytes_read(store, packed);
        bytes_write(origin.sound, packed, past.data, past.count);
        bytes_free(&past);
        totals = damage_each(&origin, name, DAMAGE_FLIP, 19, NULL);
        cr_assert_eq(totals.lossless, totals.states, "%s", name);
        totals = damage_each(&origin, name, DAMAGE_CUT, 29, NULL);
        cr_assert_eq(totals.lossless, totals.states, "%s", name);
        packed[0] = '\0';
    }
    cr_assert_eq(names_count(origin.sound, "past-", NULL) > 0, true, "none was there in both forms");
    origin_remove(&origin);
}

/* ---- two snapshots ---- */

/* Two snapshots are kept, the first of the rows to SNAPSHOT_ROWS. By the second there are all of them; or, where the
 * first's part is to be worth keeping no more, the first `left` of those. */
static void
make_two_snapshots(struct origin *origin, int64_t left)
{
    struct keeper_options options = kept_options();
    struct kept           writer;
    char                  name[64];

    memset(origin, 0, sizeof *origin);
    scratch_prefer_memory();
    scratch_make(origin->folder);
    scratch_join(origin->sound, origin->folder, "sound");
    scratch_join(origin->to, origin->folder, "to");
    options.by_hand = true;
    options.snapshots_kept = 2;
    kept_must_open(&writer, origin->sound, 1, &options);
    bench_put_many(writer.store, 1, SNAPSHOT_ROWS);
    cr_assert_eq(keeper_snapshot(writer.keeper, NULL), KNACKDB_OK);
    if (left == 0)
        bench_put_many(writer.store, SNAPSHOT_ROWS + 1, ALL_ROWS);
    for (int64_t id = SNAPSHOT_ROWS; left != 0 && id > left; id--)
        cr_assert_eq(store_delete(writer.store, 0, id, NULL, NULL), KNACKDB_OK);
    cr_assert_eq(keeper_snapshot(writer.keeper, NULL), KNACKDB_OK);
    kept_close(&writer);
    options = kept_options();
    options.read_only = true;
    kept_must_open(&origin->kept, origin->sound, 1, &options);
    origin->dump = bench_dump(origin->kept.store);
    cr_assert_eq(names_count(origin->sound, "manifest-", name), 2);
    cr_assert_eq(names_count(origin->sound, "part-", name), 2);
}

/* An earlier snapshot that is kept, and the log since, lead to the rows of a part that only the newest one has. */
Test(repair, an_earlier_snapshot_gives_back_what_a_newer_part_has_lost)
{
    struct origin origin;
    struct totals totals;
    char          name[64];

    make_two_snapshots(&origin, 0);
    part_name(name, 2);
    totals = damage_each(&origin, name, DAMAGE_FLIP, 7, NULL);
    cr_assert_eq(totals.lossless, totals.states);
    cr_assert_lt(totals.said_nothing, totals.states / 8,
                 "what is damaged is told all the same, but for some of the end");
    part_name(name, 1);
    totals = damage_each(&origin, name, DAMAGE_FLIP, 29, NULL);
    cr_assert_lt(totals.lossless, totals.states, "that one both snapshots share");
    origin_remove(&origin);
}

/* Flips a bit of the block of a column, of a part of one band. How many bytes the block has. */
static uint64_t
flip_column(const struct origin *origin, uint64_t number, int column)
{
    char         name[64];
    struct bytes part;
    size_t       at;
    uint32_t     bytes;

    part_name(name, number);
    part = bytes_read(origin->damaged, name);
    at = part_head_measure(part.data);
    bytes = BLOCK_HEADER_BYTES + bytes_get_u32(part.data + at); /* stored_bytes is what a block begins with */
    for (int i = 0; i < column; i++) {
        at += bytes;
        bytes = BLOCK_HEADER_BYTES + bytes_get_u32(part.data + at);
    }
    part.data[at + BLOCK_HEADER_BYTES] ^= 1;
    bytes_write(origin->damaged, name, part.data, part.count);
    bytes_free(&part);
    return bytes;
}

/* Both ways meet the same damage: what is lost with it is told once, and not said to be lost nowhere besides. */
Test(repair, damage_of_a_part_that_both_snapshots_share_is_told_once)
{
    struct origin     origin;
    struct repaired   repaired;
    struct kept       kept;
    struct difference difference;
    uint64_t          bytes;

    make_two_snapshots(&origin, 0);
    origin_damage_again(&origin);
    bytes = flip_column(&origin, 1, 2);
    bytes += flip_column(&origin, 2, 0);
    origin_repair(&origin, &repaired, &kept);
    difference = origin_compare(&origin, kept.store);
    cr_assert_eq(difference.rows_gone, 0, "%s", repaired.told.text);
    cr_assert_eq(repaired.report.values_lost, SNAPSHOT_ROWS, "%s", repaired.told.text);
    cr_assert_eq(repaired.report.loss_count, 1, "%s", repaired.told.text);
    cr_assert_eq(repaired.told.count, 2, "one that is lost, one that is spared:\n%s", repaired.told.text);
    cr_assert_eq(repaired.told.losses[0].kind, KNACKDB_LOSS_VALUES);
    cr_assert_eq(repaired.told.losses[1].kind, KNACKDB_LOSS_FRAME);
    cr_assert_eq(repaired.report.bytes_lost, bytes, "%s", repaired.told.text);
    kept_close(&kept);
    origin_remove(&origin);
}

/* Two blocks lost of the newest snapshot are less than the one part lost of which the other consists. */
Test(repair, fewer_losses_of_more_rows_are_no_better_way)
{
    struct origin     origin;
    struct repaired   repaired;
    struct kept       kept;
    struct difference difference;
    char              name[64];
    char              path[SCRATCH_PATH_MAX];

    make_two_snapshots(&origin, 10);
    origin_damage_again(&origin);
    part_name(name, 1);
    scratch_join(path, origin.damaged, name);
    cr_assert_eq(remove(path), 0);
    (void) flip_column(&origin, 2, 1);
    (void) flip_column(&origin, 2, 2);
    origin_repair(&origin, &repaired, &kept);
    difference = origin_compare(&origin, kept.store);
    cr_assert_eq(difference.rows_gone, 0, "%s", repaired.told.text);
    cr_assert_eq(repaired.report.rows_saved, 10, "%s", repaired.told.text);
    cr_assert_eq(repaired.report.rows_lost, 0, "%s", repaired.told.text);
    cr_assert_eq(repaired.report.values_lost, 20, "%s", repaired.told.text);
    cr_assert_leq(difference.cells_null, 20);
    kept_close(&kept);
    origin_remove(&origin);
}
