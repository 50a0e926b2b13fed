/* log_ends.c - where a log ends: cut after any byte, torn, with holes, damaged; and what tells them apart. */
#include "tests/persist/bench.h"

#include "persist/segment_reader.h"
#include "persist/manifest_files.h"
#include "persist/verification.h"
#include "tests/api/scratch.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORDS_MAX 64

/* A directory with one segment of a few small records, and where they are. */
struct small_log {
    char         folder[SCRATCH_PATH_MAX];
    char         path[SCRATCH_PATH_MAX];
    char         name[64];
    struct bytes segment;
    size_t       count;
    size_t       starts[RECORDS_MAX + 1]; /* of each commit, and where the last one ends */
    size_t       ends[RECORDS_MAX + 1];   /* of each commit, without the zeros that fill it up to the next start */
    char        *dumps[RECORDS_MAX + 1];  /* of the store after so many commits */
};

static void
find_records(struct small_log *log)
{
    struct allocator      allocator;
    struct manifest       manifest;
    struct segment_reader reader;
    struct dir            dir;
    struct file           file;
    struct log_record     record;

    allocator_init(&allocator, NULL);
    manifest_init(&manifest, &allocator);
    cr_assert_eq(dir_open(disk_posix(), log->path, &dir, NULL), KNACKDB_OK);
    cr_assert_eq(manifest_file_read_newest(&manifest, &dir, NULL), KNACKDB_OK);
    cr_assert_eq(file_open(&dir, log->name, DISK_READ, 0, &file, NULL), KNACKDB_OK);
    segment_reader_init(&reader, &allocator, &file, manifest.store_id, 1);
    cr_assert_eq(segment_reader_open(&reader, bench_history(), bench_schema(1), NULL), KNACKDB_OK);
    log->count = 0;
    log->starts[0] = (size_t) reader.offset;
    while (segment_reader_next(&reader, &record, NULL) == KNACKDB_OK && record.kind == LOG_RECORD_COMMIT) {
        log->ends[log->count + 1] = log->starts[log->count] + LOG_RECORD_HEADER_BYTES + record.payload_bytes;
        log->starts[++log->count] = (size_t) reader.offset;
    }
    segment_reader_clear(&reader);
    file_close(&file);
    manifest_clear(&manifest);
    dir_close(&dir);
}

/* `commits` rows, synced after so many of them (0: never), sealed or as a killed process leaves it. */
static void
small_log_make(struct small_log *log, size_t commits, size_t synced, bool is_sealed)
{
    struct keeper_options options = kept_options();
    char                  live[SCRATCH_PATH_MAX];
    struct kept           kept;

    memset(log, 0, sizeof *log);
    options.log_segment_bytes_max = 16384;
    scratch_prefer_memory();
    scratch_make(log->folder);
    scratch_join(live, log->folder, "live");
    kept_must_open(&kept, live, 1, &options);
    log->dumps[0] = bench_dump(kept.store);
    for (size_t i = 1; i <= commits; i++) {
        bench_put(kept.store, (int64_t) i);
        log->dumps[i] = bench_dump(kept.store);
        if (i == synced)
            cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_OK);
    }
    if (is_sealed)
        kept_close(&kept);
    kept_copy(live, log->folder, "store", log->path);
    if (!is_sealed)
        kept_close(&kept);
    scratch_remove(live);
    cr_assert_geq(names_count(log->path, "log-", NULL), 1);
    (void) snprintf(log->name, sizeof log->name, "log-0000000000000001.knl");
    log->segment = bytes_read(log->path, log->name);
    find_records(log);
    cr_assert_eq(log->count, commits);
}

static void
small_log_clear(struct small_log *log)
{
    for (size_t i = 0; i <= log->count; i++)
        free(log->dumps[i]);
    bytes_free(&log->segment);
    scratch_remove(log->folder);
}

static size_t
records_ending_by(const struct small_log *log, size_t cut)
{
    size_t count = 0;

    while (count < log->count && log->ends[count + 1] <= cut)
        count++;
    return count;
}

static knackdb_status
open_read_only(struct kept *kept, const char *path)
{
    struct keeper_options options = kept_options();

    options.read_only = true;
    return kept_open(kept, path, 1, &options);
}

/* A crash can cut a log after any byte. Wherever the cut falls, the store is what it was after
 * each record that is whole, and the rest is reported as torn. Method: every prefix of a small log, read-only; for
 * every ninth also as the writer, who must leave a directory that opens again to the same. */
Test(log_ends, gives_back_only_the_whole_records_of_any_prefix)
{
    struct small_log log;
    struct kept      kept;

    small_log_make(&log, 12, 0, false);
    for (size_t cut = 0; cut <= log.starts[log.count] + 16; cut++) {
        struct keeper_figures figures;
        size_t                whole = records_ending_by(&log, cut);
        size_t                start = cut < log.starts[0] ? 0 : log.starts[whole];

        bytes_write(log.path, log.name, log.segment.data, cut);
        cr_assert_eq(open_read_only(&kept, log.path), KNACKDB_OK, "cut at byte %zu: %s", cut, kept.error.message);
        cr_assert(bench_same(kept.store, log.dumps[whole]), "cut at byte %zu", cut);
        keeper_get_figures(kept.keeper, &figures);
        cr_assert_eq(figures.recovered_commits, whole, "cut at byte %zu", cut);
        if (cut > start && whole < log.count)
            cr_assert(figures.torn_bytes > 0 && figures.torn_bytes <= cut - start,
                      "cut at byte %zu: %" PRIu64 " from %zu of %zu", cut, figures.torn_bytes, start, log.starts[0]);
        else
            cr_assert_eq(figures.torn_bytes, 0, "cut at byte %zu", cut);
        kept_close(&kept);
        if (cut % 9 != 0)
            continue;
        kept_must_open(&kept, log.path, 1, NULL);
        bench_put(kept.store, 1000);
        kept_close(&kept);
        kept_must_open(&kept, log.path, 1, NULL);
        cr_assert_eq(store_sequence(kept.store), whole + 1, "cut at byte %zu", cut);
        kept_close(&kept);
        for (char name[64]; names_count(log.path, "log-", name) > 0 || names_count(log.path, "torn-", name) > 0;) {
            char path[SCRATCH_PATH_MAX];

            scratch_join(path, log.path, name);
            cr_assert_eq(remove(path), 0);
        }
    }
    small_log_clear(&log);
}

/* What is cut is kept: the torn file holds exactly the bytes, its name is told, the log goes on in a new segment. */
Test(log_ends, keeps_what_it_cuts_and_says_where)
{
    struct small_log log;
    struct kept      kept;
    struct bytes     torn;
    char             name[64];
    size_t           cut;

    small_log_make(&log, 10, 0, false);
    cut = log.starts[7] + 50;
    bytes_write(log.path, log.name, log.segment.data, cut);
    kept_must_open(&kept, log.path, 1, NULL);
    cr_assert_eq(store_sequence(kept.store), 7);
    cr_assert_eq(names_count(log.path, "torn-", name), 1);
    cr_assert_not_null(strstr(kept.messages, name), "%s", kept.messages);
    torn = bytes_read(log.path, name);
    cr_assert(torn.count > 0 && torn.count <= cut - log.starts[7]); /* zeros at its end are nothing */
    cr_assert_eq(memcmp(torn.data, log.segment.data + log.starts[7], torn.count), 0);
    bytes_free(&torn);
    bench_put(kept.store, 500);
    cr_assert_geq(names_count(log.path, "log-", NULL), 2);
    torn = bytes_read(log.path, log.name);
    cr_assert_eq(torn.count, log.starts[7], "the cut segment ends where the log did");
    bytes_free(&torn);
    kept_close(&kept);
    kept_must_open(&kept, log.path, 1, NULL);
    cr_assert_eq(store_sequence(kept.store), 8);
    kept_close(&kept);
    small_log_clear(&log);
}

/* After a power cut whole records may lie behind a hole. Nobody had been told that what is in the hole was safe: the
 * log ends before it, and what lies behind does not come back, not even after more commits and another opening. */
Test(log_ends, cuts_at_a_hole_with_whole_records_behind_it)
{
    struct small_log log;
    struct kept      kept;

    small_log_make(&log, 20, 0, false);
    memset(log.segment.data + log.starts[9], 0, log.starts[11] - log.starts[9]);
    bytes_write(log.path, log.name, log.segment.data, log.segment.count);
    kept_must_open(&kept, log.path, 1, NULL);
    cr_assert(bench_same(kept.store, log.dumps[9]));
    bench_put(kept.store, 100);
    kept_close(&kept);
    kept_must_open(&kept, log.path, 1, NULL);
    cr_assert_eq(store_sequence(kept.store), 10);
    kept_close(&kept);
    small_log_clear(&log);
}

/* The same hole in a log that was synced meanwhile, and whose later records say so, is damage. Nothing is changed. */
Test(log_ends, calls_a_hole_corruption_when_a_later_record_had_seen_it_safe)
{
    struct small_log log;
    struct kept      kept;
    char             where[80];
    uint64_t         digest;

    small_log_make(&log, 20, 12, false);
    memset(log.segment.data + log.starts[9], 0, log.starts[11] - log.starts[9]);
    bytes_write(log.path, log.name, log.segment.data, log.segment.count);
    digest = directory_digest(log.path, true);
    cr_assert_eq(kept_open(&kept, log.path, 1, NULL), KNACKDB_CORRUPT);
    (void) snprintf(where, sizeof where, "%s: offset %zu", log.name, log.starts[9]);
    cr_assert_not_null(strstr(kept.error.message, where), "%s", kept.error.message);
    cr_assert_eq(open_read_only(&kept, log.path), KNACKDB_CORRUPT);
    cr_assert_eq(directory_digest(log.path, true), digest);

    /* A hole behind what the later records vouch for is torn again. */
    bytes_free(&log.segment);
    small_log_clear(&log);
    small_log_make(&log, 20, 5, false);
    memset(log.segment.data + log.starts[9], 0, log.starts[11] - log.starts[9]);
    bytes_write(log.path, log.name, log.segment.data, log.segment.count);
    kept_must_open(&kept, log.path, 1, NULL);
    cr_assert(bench_same(kept.store, log.dumps[9]));
    kept_close(&kept);
    small_log_clear(&log);
}

/* A segment that is missing in the middle, by the same rule. */
Test(log_ends, tells_a_lost_segment_from_one_that_never_was)
{
    for (int synced = 0; synced < 2; synced++) {
        struct keeper_options options = kept_options();
        char                  folder[SCRATCH_PATH_MAX];
        char                  path[SCRATCH_PATH_MAX];
        char                  copy[PATH_MAX_BYTES];
        char                  segment[SCRATCH_PATH_MAX];
        struct kept           kept;

        options.log_segment_bytes_max = 4096;
        scratch_make(folder);
        scratch_join(path, folder, "store");
        kept_must_open(&kept, path, 1, &options);
        bench_put_many(kept.store, 1, 60);
        if (synced == 1)
            cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_OK);
        bench_put_many(kept.store, 61, 120);
        kept_copy(path, folder, "copy", copy);
        kept_close(&kept);
        scratch_join(segment, copy, "log-0000000000000002.knl");
        cr_assert_eq(remove(segment), 0);
        if (synced == 1) {
            cr_assert_eq(kept_open(&kept, copy, 1, &options), KNACKDB_CORRUPT);
        } else {
            kept_must_open(&kept, copy, 1, &options);
            cr_assert_lt(store_sequence(kept.store), 60);
            cr_assert_geq(names_count(copy, "torn-", NULL), 1, "the segments behind are kept aside");
            kept_close(&kept);
            kept_must_open(&kept, copy, 1, &options);
            kept_close(&kept);
        }
        scratch_remove(folder);
    }
}

static void
count_fault(void *context, const knackdb_fault *fault)
{
    (void) fault;
    ++*(int *) context;
}

static knackdb_status
verify(const char *path, int *ret_faults, knackdb_verify_report *report)
{
    struct verify_options options = {
        .disk = disk_posix(),
        .history = bench_history(),
        .schema = bench_schema(1),
        .on_fault = count_fault,
        .context = ret_faults,
    };
    struct allocator allocator;
    knackdb_status   status;

    *ret_faults = 0;
    allocator_init(&allocator, NULL);
    status = verify_directory(&allocator, path, &options, report, NULL);
    cr_assert_eq(atomic_load(&allocator.bytes), 0);
    return status;
}

/* Every bit of a log that was closed in order, flipped: the store opens to what it was, or not at all; and
 * whatever the bit, verify tells of it, as a fault or (behind everything that a seal vouches for) as torn. */
Test(log_ends, finds_every_flipped_bit_of_a_sealed_log)
{
    struct small_log      log;
    struct kept           kept;
    knackdb_verify_report report;
    int                   faults;
    size_t                refused = 0;

    small_log_make(&log, 4, 0, true);
    cr_assert_eq(verify(log.path, &faults, &report), KNACKDB_OK);
    cr_assert_eq(report.torn_bytes, 0);
    cr_assert_eq(report.record_count, 5);
    for (size_t bit = 0; bit < log.segment.count * 8; bit++) {
        knackdb_status status;

        log.segment.data[bit / 8] ^= (unsigned char) (1u << bit % 8);
        bytes_write(log.path, log.name, log.segment.data, log.segment.count);
        status = verify(log.path, &faults, &report);
        cr_assert((status == KNACKDB_CORRUPT && faults > 0) || (status == KNACKDB_OK && report.torn_bytes > 0),
                  "bit %zu of byte %zu: nobody noticed", bit % 8, bit / 8);
        if (bit / 8 < log.starts[log.count])
            cr_assert_eq(status, KNACKDB_CORRUPT, "bit %zu of byte %zu: a commit that was safe", bit % 8, bit / 8);
        status = open_read_only(&kept, log.path);
        if (status == KNACKDB_OK) {
            cr_assert(bench_same(kept.store, log.dumps[4]), "bit %zu of byte %zu: other rows", bit % 8, bit / 8);
            kept_close(&kept);
        } else {
            cr_assert(status == KNACKDB_CORRUPT || status == KNACKDB_UNSUPPORTED, "bit %zu of byte %zu: %d", bit % 8,
                      bit / 8, status);
            cr_assert_not_null(strstr(kept.error.message, log.name), "%s", kept.error.message);
            refused++;
        }
        log.segment.data[bit / 8] ^= (unsigned char) (1u << bit % 8);
    }
    cr_assert_gt(refused, log.starts[log.count] * 7);
    small_log_clear(&log);
}

/* The same where nobody sealed it: a wrong row is never given, a refused one is always told. */
Test(log_ends, gives_no_wrong_row_for_any_flipped_bit_of_an_open_log)
{
    struct small_log      log;
    struct kept           kept;
    knackdb_verify_report report;
    int                   faults;

    small_log_make(&log, 4, 2, false);
    for (size_t bit = 0; bit < log.starts[log.count] * 8; bit++) {
        knackdb_status status;
        bool           same = false;

        log.segment.data[bit / 8] ^= (unsigned char) (1u << bit % 8);
        bytes_write(log.path, log.name, log.segment.data, log.segment.count);
        status = verify(log.path, &faults, &report);
        cr_assert(status == KNACKDB_CORRUPT || report.torn_bytes > 0, "bit %zu of byte %zu: nobody noticed", bit % 8,
                  bit / 8);
        status = open_read_only(&kept, log.path);
        if (status == KNACKDB_OK) {
            for (size_t i = 2; i <= 4; i++)
                same |= bench_same(kept.store, log.dumps[i]);
            cr_assert(same, "bit %zu of byte %zu: what was synced is gone, or other rows are there", bit % 8, bit / 8);
            kept_close(&kept);
        }
        log.segment.data[bit / 8] ^= (unsigned char) (1u << bit % 8);
    }
    small_log_clear(&log);
}

/* Every byte taken out of a sealed log: the same. */
Test(log_ends, finds_every_missing_byte_of_a_sealed_log)
{
    struct small_log      log;
    struct kept           kept;
    knackdb_verify_report report;
    unsigned char        *shorter;
    int                   faults;

    small_log_make(&log, 4, 0, true);
    shorter = malloc(log.segment.count);
    for (size_t at = 0; at < log.segment.count; at++) {
        knackdb_status status;

        memcpy(shorter, log.segment.data, at);
        memcpy(shorter + at, log.segment.data + at + 1, log.segment.count - at - 1);
        bytes_write(log.path, log.name, shorter, log.segment.count - 1);
        status = verify(log.path, &faults, &report);
        cr_assert(status == KNACKDB_CORRUPT || report.torn_bytes > 0, "without byte %zu", at);
        status = open_read_only(&kept, log.path);
        if (status == KNACKDB_OK) {
            for (size_t i = 0; i <= 4; i++) {
                if (bench_same(kept.store, log.dumps[i]))
                    break;
                cr_assert_lt(i, 4, "without byte %zu: other rows", at);
            }
            kept_close(&kept);
        }
    }
    free(shorter);
    small_log_clear(&log);
}
