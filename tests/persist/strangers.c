/* strangers.c - directories whose files are each whole, and do not belong together: a manifest that says what is not
 * so, files of another time or another store, files that are gone. Nobody takes one for another, and all who come say
 * so. */
#include "tests/persist/asking.h"
#include "tests/persist/repair_origin.h"

#include "persist/file_name.h"
#include "persist/manifest_files.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void
remove_file(const char *directory, const char *name)
{
    char path[SCRATCH_PATH_MAX];

    scratch_join(path, directory, name);
    cr_assert_eq(remove(path), 0, "%s", path);
}

static void
rename_file(const char *directory, const char *from, const char *to)
{
    char old[SCRATCH_PATH_MAX];
    char new[SCRATCH_PATH_MAX];

    scratch_join(old, directory, from);
    scratch_join(new, directory, to);
    cr_assert_eq(rename(old, new), 0, "%s", old);
}

/* ---- what a manifest says ---- */

static struct manifest_part *
part_of_kind(struct manifest *manifest, enum part_kind kind)
{
    struct manifest_part *part = manifest->parts;

    while (part < manifest->parts + manifest->part_count && part->kind != kind)
        part++;
    cr_assert(part < manifest->parts + manifest->part_count);
    return part;
}

static void
of_a_newer_schema(struct manifest *manifest)
{
    manifest->schema_version = 2;
}

static void
with_another_checksum(struct manifest *manifest)
{
    part_of_kind(manifest, PART_ROWS)->checksum ^= 1;
}

static void
with_more_rows_in_a_part(struct manifest *manifest)
{
    part_of_kind(manifest, PART_ROWS)->row_count++;
}

static void
with_a_longer_part(struct manifest *manifest)
{
    part_of_kind(manifest, PART_ROWS)->bytes++;
}

static void
with_another_checksum_of_ends(struct manifest *manifest)
{
    part_of_kind(manifest, PART_ENDS)->checksum ^= 1;
}

static void
with_more_ends(struct manifest *manifest)
{
    part_of_kind(manifest, PART_ENDS)->row_count++;
}

static void
with_longer_ends(struct manifest *manifest)
{
    part_of_kind(manifest, PART_ENDS)->bytes++;
}

static void
without_a_part_that_ends_name(struct manifest *manifest)
{
    struct manifest_part *part = part_of_kind(manifest, PART_ROWS);

    manifest->part_count--;
    memmove(part, part + 1, (size_t) (manifest->parts + manifest->part_count - part) * sizeof *part);
}

static void
with_a_table_of_another_name(struct manifest *manifest)
{
    (void) snprintf(manifest->tables[0].name, sizeof manifest->tables[0].name, "nothings");
}

static void
ahead_of_its_log(struct manifest *manifest)
{
    manifest->sequence += 1000;
}

static void
behind_its_log(struct manifest *manifest)
{
    manifest->sequence -= 20;
}

static void
with_a_log_to_come(struct manifest *manifest)
{
    manifest->log_serial += 1000;
}

static void
of_another_store(struct manifest *manifest)
{
    manifest->store_id ^= 1;
}

/* Writes the newest manifest as it is after `edit`. */
static void
edit_manifest(const char *directory, void (*edit)(struct manifest *manifest))
{
    struct allocator   allocator;
    struct manifest    manifest;
    struct byte_buffer written;
    struct bytes       bytes;
    char               name[64];
    size_t             offset;

    allocator_init(&allocator, NULL);
    manifest_init(&manifest, &allocator);
    byte_buffer_init(&written, &allocator);
    cr_assert_geq(names_count(directory, "manifest-", name), 1);
    bytes = bytes_read(directory, name);
    cr_assert_eq(manifest_read(&manifest, bytes.data, bytes.count, &offset, NULL), KNACKDB_OK);
    edit(&manifest);
    manifest_write(&manifest, &written);
    cr_assert_not(written.failed);
    bytes_write(directory, name, written.data, written.bytes);
    byte_buffer_clear(&written);
    manifest_clear(&manifest);
    bytes_free(&bytes);
}

/* ---- what files are there ---- */

static void
name_the_manifest_otherwise(const char *directory)
{
    char     name[64];
    char     other[DISK_NAME_BYTES_MAX];
    uint64_t generation;

    cr_assert_geq(names_count(directory, "manifest-", name), 1);
    cr_assert_eq(file_name_read(name, &generation), FILE_MANIFEST);
    file_name_write(other, FILE_MANIFEST, generation + 3);
    rename_file(directory, name, other);
}

static void
lengthen_the_manifest(const char *directory)
{
    char name[64];
    char path[SCRATCH_PATH_MAX];

    cr_assert_geq(names_count(directory, "manifest-", name), 1);
    scratch_join(path, directory, name);
    cr_assert_eq(truncate(path, (off_t) MANIFEST_BYTES_MAX + 1), 0);
}

static void
take_all_away(const char *directory, const char *prefix)
{
    char name[64];

    while (names_count(directory, prefix, name) > 0)
        remove_file(directory, name);
}

static void
take_the_manifest_away(const char *directory)
{
    take_all_away(directory, "manifest-");
}

static void
take_the_log_away(const char *directory)
{
    take_all_away(directory, "log-");
    take_all_away(directory, "history-");
}

static void
take_the_ends_away(const char *directory)
{
    char     name[DISK_NAME_BYTES_MAX];
    uint64_t number = 0;

    for (uint64_t i = 1; i < 20; i++) {
        struct bytes bytes;

        file_name_write(name, FILE_PART, i);
        if (names_count(directory, name, NULL) == 0)
            continue;
        bytes = bytes_read(directory, name);
        if (memcmp(bytes.data, "KNACKOUT", 8) == 0)
            number = i;
        bytes_free(&bytes);
    }
    cr_assert_neq(number, 0);
    file_name_write(name, FILE_PART, number);
    remove_file(directory, name);
}

static void
take_all_but_the_lock_away(const char *directory)
{
    take_the_manifest_away(directory);
    take_the_log_away(directory);
    take_all_away(directory, "part-");
}

/* The middle one, where there are some. */
static void
take_a_segment_away(const char *directory)
{
    char   name[64];
    char   kept[64];
    size_t count = names_count(directory, "log-", name);
    size_t passed = 0;

    cr_assert_geq(count, 2, "%zu segments", count);
    for (uint64_t serial = 1; passed < 2; serial++) {
        file_name_write(kept, FILE_LOG, serial);
        if (names_count(directory, kept, NULL) > 0 && ++passed == 2)
            remove_file(directory, kept);
    }
}

/* Whoever opens one of these and waits for its other end waits for ever. */
static void
put_a_pipe(const char *directory, const char *prefix)
{
    char name[64];
    char path[SCRATCH_PATH_MAX];

    cr_assert_geq(names_count(directory, prefix, name), 1);
    remove_file(directory, name);
    scratch_join(path, directory, name);
    cr_assert_eq(mkfifo(path, 0600), 0);
}

static void
put_a_pipe_for_the_manifest(const char *directory)
{
    put_a_pipe(directory, "manifest-");
}

static void
put_a_pipe_for_a_part(const char *directory)
{
    put_a_pipe(directory, "part-");
}

static void
put_a_pipe_for_a_segment(const char *directory)
{
    put_a_pipe(directory, "log-");
}

#define OK      KNACKDB_OK
#define PIPE    KNACKDB_IO
#define ABSENT  KNACKDB_NOT_FOUND
#define CORRUPT KNACKDB_CORRUPT
#define NEWER   KNACKDB_UNSUPPORTED

/* A manifest that says something else, or a directory in which something is, and what comes of it. Who reads the log
 * alone does not mind the snapshot; a verification does not compare rows; a repair takes what there is. */
static const struct {
    const char      *what;
    enum origin_kind origin;
    void (*edit)(struct manifest *manifest);
    void (*disturb)(const char *directory);
    knackdb_status open, verify, replay, repair;
} cases[] = {
    { "a newer schema", ORIGIN_CLOSED, of_a_newer_schema, NULL, NEWER, CORRUPT, NEWER, NEWER },
    { "another checksum", ORIGIN_CLOSED, with_another_checksum, NULL, CORRUPT, CORRUPT, OK, OK },
    { "more rows in a part", ORIGIN_CLOSED, with_more_rows_in_a_part, NULL, CORRUPT, CORRUPT, OK, OK },
    { "a longer part", ORIGIN_CLOSED, with_a_longer_part, NULL, CORRUPT, CORRUPT, OK, OK },
    { "another checksum of ends", ORIGIN_WITH_ENDS, with_another_checksum_of_ends, NULL, CORRUPT, CORRUPT, OK, OK },
    { "more ends", ORIGIN_WITH_ENDS, with_more_ends, NULL, CORRUPT, CORRUPT, OK, OK },
    { "longer ends", ORIGIN_WITH_ENDS, with_longer_ends, NULL, CORRUPT, CORRUPT, OK, OK },
    { "ends of no part", ORIGIN_WITH_ENDS, without_a_part_that_ends_name, NULL, CORRUPT, CORRUPT, OK, OK },
    { "another table", ORIGIN_WITH_ENDS, with_a_table_of_another_name, NULL, CORRUPT, CORRUPT, OK, OK },
    { "a snapshot ahead of its log", ORIGIN_KILLED, ahead_of_its_log, NULL, OK, OK, OK, OK },
    { "a snapshot behind its log", ORIGIN_KILLED, behind_its_log, NULL, CORRUPT, CORRUPT, CORRUPT, OK },
    { "a log that is to come", ORIGIN_KILLED, with_a_log_to_come, NULL, OK, OK, OK, OK },
    { "another store", ORIGIN_KILLED, of_another_store, NULL, CORRUPT, CORRUPT, OK, OK },
    { "another manifest's name", ORIGIN_CLOSED, NULL, name_the_manifest_otherwise, CORRUPT, CORRUPT, CORRUPT, OK },
    { "a giant manifest", ORIGIN_CLOSED, NULL, lengthen_the_manifest, CORRUPT, CORRUPT, CORRUPT, OK },
    { "no manifest", ORIGIN_KILLED, NULL, take_the_manifest_away, CORRUPT, CORRUPT, CORRUPT, OK },
    { "no log", ORIGIN_KILLED, NULL, take_the_log_away, OK, OK, OK, OK },
    { "no history", ORIGIN_WITH_HISTORY, NULL, take_the_log_away, OK, OK, OK, OK },
    { "no ends", ORIGIN_WITH_ENDS, NULL, take_the_ends_away, CORRUPT, CORRUPT, OK, OK },
    { "nothing", ORIGIN_CLOSED, NULL, take_all_but_the_lock_away, ABSENT, ABSENT, ABSENT, ABSENT },
    { "a pipe for a manifest", ORIGIN_CLOSED, NULL, put_a_pipe_for_the_manifest, PIPE, PIPE, PIPE, PIPE },
    { "a pipe for a part", ORIGIN_CLOSED, NULL, put_a_pipe_for_a_part, PIPE, PIPE, OK, PIPE },
    { "a pipe for a segment", ORIGIN_CLOSED, NULL, put_a_pipe_for_a_segment, PIPE, PIPE, PIPE, PIPE },
    { "no second segment", ORIGIN_KILLED, NULL, take_a_segment_away, OK, OK, OK, OK },
};

/* The error is named, and where: a file, or the directory. */
static void
expect_said(const char *what, const char *by, knackdb_status status, knackdb_status expected,
            const knackdb_error *error, const char *directory)
{
    cr_expect_eq(status, expected, "%s: %s gives %d: %s", what, by, (int) status, error->message);
    cr_expect(status == KNACKDB_OK || strstr(error->message, directory) == error->message, "%s: %s says %s", what, by,
              error->message);
}

/* Commits: of a snapshot, of the log, the last, and some that there are not, or only if the manifest is believed. */
static const uint64_t moments[] = { 1, 20, 21, 40, 45, 60, 500, 1040, 1500 };

/* The moment that was asked for, or none; what opening at the newest says may be said here, too. */
static void
open_past(const char *directory, const char *what, uint64_t moment, knackdb_status newest)
{
    struct keeper_options options = kept_options();
    struct kept           kept;
    knackdb_status        status;

    options.read_only = true;
    options.as_of_sequence = moment;
    status = kept_open(&kept, directory, 1, &options);
    if (status == KNACKDB_OK) {
        cr_expect_eq(store_sequence(kept.store), moment, "%s: commit %" PRIu64 " is given for %" PRIu64, what,
                     store_sequence(kept.store), moment);
        kept_close(&kept);
    } else {
        cr_expect(status == ABSENT || status == CORRUPT || status == NEWER || status == newest, "%s: %d", what,
                  (int) status);
        cr_expect_eq(strstr(kept.error.message, directory), kept.error.message, "%s: %s", what, kept.error.message);
    }
}

Test(strangers, are_taken_by_nobody_for_what_they_are_not, .timeout = 300)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char     *what = cases[i].what;
        knackdb_error   error = { .message = "" };
        knackdb_status  status;
        struct origin   origin;
        struct repaired repaired;

        scratch_prefer_memory();
        origin_make(&origin, cases[i].origin);
        origin_damage_again(&origin);
        if (cases[i].edit != NULL)
            edit_manifest(origin.damaged, cases[i].edit);
        else
            cases[i].disturb(origin.damaged);
        status = asked_to_open(origin.damaged, 1, false, &error);
        expect_said(what, "opening", status, cases[i].open, &error, origin.damaged);
        status = asked_to_open(origin.damaged, 1, true, &error);
        expect_said(what, "following", status, cases[i].open, &error, origin.damaged);
        status = asked_to_verify(origin.damaged, 1, &error);
        expect_said(what, "verifying", status, cases[i].verify, &error, origin.damaged);
        status = asked_to_replay(origin.damaged, 1, &error);
        expect_said(what, "replaying", status, cases[i].replay, &error, origin.damaged);
        for (size_t m = 0; m < sizeof moments / sizeof moments[0]; m++)
            open_past(origin.damaged, what, moments[m], cases[i].open);
        status = repair_to(origin.damaged, origin.to, 1, &repaired);
        expect_said(what, "repairing", status, cases[i].repair, &repaired.error, origin.damaged);
        origin_remove(&origin);
    }
}

/* A part whose head cannot be believed is read by its blocks, as the table of a version that has as many columns: the
 * manifest's, or without one the newest that does. */
Test(strangers, parts_without_a_head_are_known_by_their_blocks)
{
    for (uint32_t round = 0; round < 4; round++) {
        uint32_t              version = 1 + round % 2;
        struct keeper_options options = kept_options();
        char                  name[64];
        struct origin         origin;
        struct repaired       repaired;
        struct kept           kept;
        struct bytes          part;
        char                 *dump;

        scratch_prefer_memory();
        origin_make(&origin, ORIGIN_CLOSED);
        options.read_only = true;
        kept_must_open(&kept, origin.sound, version, &options);
        dump = bench_dump(kept.store);
        kept_close(&kept);
        origin_damage_again(&origin);
        cr_assert_eq(names_count(origin.damaged, "part-", name), 1);
        part = bytes_read(origin.damaged, name);
        part.data[0] ^= 1;
        bytes_write(origin.damaged, name, part.data, part.count);
        bytes_free(&part);
        if (round >= 2)
            take_the_manifest_away(origin.damaged);
        cr_assert_eq(repair_to(origin.damaged, origin.to, version, &repaired), KNACKDB_OK, "%s",
                     repaired.error.message);
        cr_expect_not_null(strstr(repaired.told.text, "found without it"), "%s", repaired.told.text);
        kept_must_open(&kept, origin.to, version, &options);
        cr_expect(bench_same(kept.store, dump), "version %u, %s", version, round < 2 ? "a manifest" : "none");
        kept_close(&kept);
        free(dump);
        origin_remove(&origin);
    }
}
