/* moments_of_log.c - what may happen to the log between two steps, made to happen there. */
#include "tests/persist/telling_disk.h"

#include "persist/log_format.h"
#include "persist/replay_log.h"
#include "persist/segment_reader.h"
#include "persist/store_id.h"
#include "tests/api/scratch.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Atomic bool segment_came, sync_failed, disk_is_back;

static int
note_segment(void)
{
    atomic_store(&segment_came, true);
    return 0;
}

static int
fail_behind_segment(void)
{
    if (!atomic_load(&segment_came) || atomic_load(&disk_is_back))
        return 0;
    atomic_store(&sync_failed, true);
    return -EIO;
}

/* The sync of the name of a segment must not be one whose failure nobody hears. */
Test(moments, a_failed_sync_of_a_segments_name_is_final)
{
    struct keeper_options options = telling_options();
    struct kept           kept;
    char                  path[SCRATCH_PATH_MAX];

    scratch_make(path);
    telling.before_allocate = note_segment;
    telling.before_sync_dir = fail_behind_segment;
    options.flush_interval_ms = 1;
    kept_must_open(&kept, path, 3, &options);
    bench_put_many(kept.store, 1, 3);
    while (!atomic_load(&sync_failed))
        (void) usleep(1000);
    cr_assert_eq(keeper_sync(kept.keeper, &kept.error), KNACKDB_IO, "three commits are nowhere but in memory");
    atomic_store(&disk_is_back, true);
    kept_close(&kept);
    kept_must_open(&kept, path, 3, NULL);
    cr_assert_eq(store_sequence(kept.store), 3);
    kept_close(&kept);
    scratch_remove(path);
}

static _Atomic bool made_ahead, snapshot_begins, snapshot_published;

static void
note_published(const char *to)
{
    if (strncmp(to, "manifest-0000000000000002", 25) == 0)
        atomic_store(&snapshot_published, true);
}

/* The flusher has made the first segment and not yet said so. */
static void
wait_for_snapshot(void)
{
    if (atomic_exchange(&made_ahead, true))
        return;
    while (!atomic_load(&snapshot_begins))
        (void) usleep(100);
    for (int i = 0; i < 200 && !atomic_load(&snapshot_published); i++)
        (void) usleep(1000); /* a snapshot that waits for us cannot be published; one that does not, has time to be */
}

/* A segment has its number when it is made and is listed a moment later. A snapshot that looks in between must not name
 * the number after it as the log's beginning: the commits that go into it, synced, would be passed over, and the file
 * swept. */
Test(moments, a_snapshot_beside_a_segment_being_made_loses_no_synced_commit)
{
    struct keeper_options options = telling_options();
    struct kept           kept;
    char                  path[SCRATCH_PATH_MAX];
    char                  folder[SCRATCH_PATH_MAX];
    char                  copy[PATH_MAX_BYTES];

    scratch_make(path);
    scratch_make(folder);
    options.log_io = KNACKDB_LOG_MAP;
    telling.before_populate = wait_for_snapshot;
    telling.after_rename = note_published;
    kept_must_open(&kept, path, 3, &options);
    while (!atomic_load(&made_ahead))
        (void) usleep(100);
    atomic_store(&snapshot_begins, true);
    cr_assert_eq(keeper_snapshot(kept.keeper, &kept.error), KNACKDB_OK, "%s", kept.error.message);
    bench_put_many(kept.store, 1, 10);
    cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_OK);
    kept_copy(path, folder, "as killed", copy);
    kept_close(&kept);
    kept_must_open(&kept, copy, 3, NULL);
    cr_assert_eq(store_sequence(kept.store), 10);
    kept_close(&kept);
    scratch_remove(path);
    scratch_remove(folder);
}

static struct kept *writer;
static const char  *own_path;
static bool         above_opened, above_synced;

static void
note_above(const char *path)
{
    above_opened |= strlen(path) < strlen(own_path) && strncmp(path, own_path, strlen(path)) == 0;
}

static int
note_above_synced(void)
{
    above_synced |= above_opened;
    return 0;
}

/* Whoever made the directory, its name above must last: without it all that is in it is gone. */
Test(moments, a_new_store_syncs_the_name_of_its_directory)
{
    struct keeper_options options = telling_options();
    struct kept           kept;
    char                  path[SCRATCH_PATH_MAX];

    scratch_make(path);
    own_path = path;
    telling.after_open_dir = note_above;
    telling.before_sync_dir = note_above_synced;
    kept_must_open(&kept, path, 3, &options);
    cr_assert(above_synced);
    kept_close(&kept);
    scratch_remove(path);
}

static int syncs_behind;

static void
count_sync(void)
{
    syncs_behind++;
}

static void
put_once(void)
{
    telling.after_sync_map = count_sync;
    bench_put(writer->store, 6);
}

/* Commit 6 comes while the log is synced before a snapshot: the snapshot has it, that sync has not. So the log is
 * synced once more before the snapshot counts; commit 7 testifies that the log has 6 safe, and a life after a power
 * cut, which knows no more than that the snapshot has it, may testify so, too. */
Test(moments, the_log_is_synced_up_to_the_last_commit_of_a_snapshot)
{
    struct keeper_options options = telling_options();
    struct keeper_figures figures;
    struct kept           kept;
    struct log_head       head;
    struct log_record     record;
    struct bytes          segment;
    char                  path[SCRATCH_PATH_MAX];
    char                  last[64];
    size_t                taken;
    knackdb_error         error;

    scratch_make(path);
    options.log_io = KNACKDB_LOG_MAP;
    kept_must_open(&kept, path, 3, &options);
    bench_put_many(kept.store, 1, 5);
    writer = &kept;
    telling.after_sync_map = put_once;
    cr_assert_eq(keeper_snapshot(kept.keeper, &kept.error), KNACKDB_OK, "%s", kept.error.message);
    telling.after_sync_map = NULL;
    cr_assert_eq(store_sequence(kept.store), 6);
    keeper_get_figures(kept.keeper, &figures);
    cr_assert_eq(figures.durable_sequence, 6);
    bench_put(kept.store, 7);
    name_written_log(path, last);
    segment = bytes_read(path, last);
    cr_assert_eq(log_head_read(segment.data, segment.count, &head, &error), KNACKDB_OK);
    cr_assert_eq(log_record_read(segment.data + head.head_bytes, segment.count - head.head_bytes,
                                 segment.count - head.head_bytes, store_id_seed(head.store_id, head.serial), &record,
                                 &taken),
                 LOG_WHOLE);
    cr_assert_eq(record.sequence, 7);
    cr_assert_eq(record.durable, 6);
    cr_assert_geq(syncs_behind, 1);
    cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_OK);
    bytes_free(&segment);
    kept_close(&kept);
    scratch_remove(path);
}

/* Three commits, each of which fills a segment of 4,096 bytes, when the first part is about to be written. */
static int
fill_segments(const char *name, enum disk_access access)
{
    static char title[3000];

    if (access != DISK_CREATE || strncmp(name, "part-", 5) != 0)
        return 0;
    telling.before_open = NULL;
    for (int i = 0; i < 3; i++) {
        knackdb_value row[] = { knackdb_value_null(), knackdb_value_null() };

        memset(title, 'a' + i, sizeof title);
        row[1] = knackdb_value_text((knackdb_text) { title, sizeof title });
        cr_assert_eq(store_put_rows(writer->store, 0, row, 2, 1, 0, NULL, NULL, NULL), KNACKDB_OK);
    }
    return 0;
}

/* The segment whose last commit is the very next behind the snapshot's is no less needed than those behind it: neither
 * may it be removed, nor may the manifest let the log begin after it. */
Test(moments, a_segment_that_ends_one_commit_behind_a_snapshot_stays)
{
    struct keeper_options options = telling_options();
    struct kept           kept;
    char                  path[SCRATCH_PATH_MAX];
    char                  folder[SCRATCH_PATH_MAX];
    char                  copy[PATH_MAX_BYTES];

    scratch_make(path);
    scratch_make(folder);
    options.log_segment_bytes_max = 4096;
    kept_must_open(&kept, path, 3, &options);
    bench_put_many(kept.store, 1, 5);
    writer = &kept;
    telling.before_open = fill_segments;
    cr_assert_eq(keeper_snapshot(kept.keeper, &kept.error), KNACKDB_OK, "%s", kept.error.message);
    cr_assert_eq(store_sequence(kept.store), 8);
    kept_copy(path, folder, "as killed", copy);
    kept_close(&kept);
    kept_must_open(&kept, copy, 3, NULL);
    cr_assert_eq(store_sequence(kept.store), 8);
    kept_close(&kept);
    scratch_remove(path);
    scratch_remove(folder);
}

static pthread_t   appender;
static _Atomic int unmapped_by_appender;

static void
note_unmap(void)
{
    if (pthread_equal(pthread_self(), appender))
        atomic_fetch_add(&unmapped_by_appender, 1);
}

/* The flusher may be readying the pages of a segment while others fill, leave and sync it. */
Test(moments, nobody_but_the_flusher_unmaps_a_segment)
{
    struct keeper_options options = telling_options();
    struct kept           kept;
    char                  path[SCRATCH_PATH_MAX];

    scratch_make(path);
    appender = pthread_self();
    telling.before_unmap = note_unmap;
    options.log_io = KNACKDB_LOG_MAP;
    options.log_segment_bytes_max = 4096;
    options.flush_interval_ms = 1;
    kept_must_open(&kept, path, 3, &options);
    for (int64_t number = 1; number <= 300; number++) {
        bench_put(kept.store, number);
        cr_assert_eq(keeper_sync(kept.keeper, &kept.error), KNACKDB_OK);
    }
    cr_assert_eq(atomic_load(&unmapped_by_appender), 0);
    telling.before_unmap = NULL;
    kept_close(&kept);
    kept_must_open(&kept, path, 3, NULL);
    cr_assert_eq(store_sequence(kept.store), 300);
    kept_close(&kept);
    scratch_remove(path);
}

/* Behind the last number there is none: the next segment would come before all others, and be lost. */
Test(moments, the_last_number_there_is_is_refused)
{
    struct kept kept;
    char        path[SCRATCH_PATH_MAX];
    uint64_t    digest;

    scratch_make(path);
    kept_must_open(&kept, path, 3, NULL);
    bench_put_many(kept.store, 1, 3);
    kept_close(&kept);
    bytes_write(path, "log-ffffffffffffffff.knl", "x\n", 2);
    digest = directory_digest(path, false);
    cr_assert_eq(kept_open(&kept, path, 3, NULL), KNACKDB_CORRUPT);
    cr_assert_not_null(strstr(kept.error.message, "ffffffffffffffff"), "%s", kept.error.message);
    cr_assert_eq(directory_digest(path, false), digest, "refused, and left as it was");
    scratch_remove(path);
}

/* A newer version may put records of its own, which may be passed over, before the first commit of a segment; and a
 * seal testifies wherever it stands. */
Test(moments, a_segment_may_begin_with_a_record_that_is_passed_over)
{
    struct kept          kept;
    struct byte_buffer   out;
    struct log_head      head;
    struct log_record    hint = { .kind = LOG_RECORD_SKIPPABLE, .sequence = 5, .durable = 5 };
    struct log_record    commit;
    struct bytes         segment;
    unsigned char        header[LOG_RECORD_HEADER_BYTES];
    static unsigned char zeros[8];
    char                 path[SCRATCH_PATH_MAX];
    char                 name[64];
    size_t               at, taken;
    knackdb_error        error;

    scratch_make(path);
    kept_must_open(&kept, path, 3, NULL);
    bench_put_many(kept.store, 1, 6);
    kept_close(&kept);
    cr_assert_eq(names_count(path, "log-", name), 1);
    segment = bytes_read(path, name);
    cr_assert_eq(log_head_read(segment.data, segment.count, &head, &error), KNACKDB_OK);

    /* Commit 6, and the seal, move to a segment of their own, behind a hint. */
    allocator_init(&kept.allocator, NULL);
    byte_buffer_init(&out, &kept.allocator);
    log_head_write(&out, head.store_id, head.serial + 1, 5, 0, bench_schema(3));
    hint.payload = (const unsigned char *) "hint";
    hint.payload_bytes = 4;
    log_record_write_header(header, store_id_seed(head.store_id, head.serial + 1), &hint);
    byte_buffer_put(&out, header, sizeof header);
    byte_buffer_put(&out, hint.payload, 4);
    byte_buffer_put(&out, zeros, 4);
    for (at = head.head_bytes;; at += (taken + 7) & ~(size_t) 7) {
        cr_assert_eq(log_record_read(segment.data + at, segment.count - at, segment.count - at,
                                     store_id_seed(head.store_id, head.serial), &commit, &taken),
                     LOG_WHOLE);
        if (commit.sequence == 6)
            break;
    }
    commit.durable = 5;
    log_record_write_header(header, store_id_seed(head.store_id, head.serial + 1), &commit);
    byte_buffer_put(&out, header, sizeof header);
    byte_buffer_put(&out, commit.payload, commit.payload_bytes);
    byte_buffer_put(&out, zeros, (8 - commit.payload_bytes % 8) % 8);
    (void) snprintf(name, sizeof name, "log-%016llx.knl", (unsigned long long) head.serial);
    bytes_write(path, name, segment.data, at);
    (void) snprintf(name, sizeof name, "log-%016llx.knl", (unsigned long long) head.serial + 1);
    bytes_write(path, name, out.data, out.bytes);
    byte_buffer_clear(&out);
    bytes_free(&segment);

    kept_must_open(&kept, path, 3, NULL);
    cr_assert_eq(store_sequence(kept.store), 6, "the commit behind the hint was cut");
    kept_close(&kept);
    cr_assert_eq(names_count(path, "torn-", name), 0);
    scratch_remove(path);
}

/* A stored text of any content, in a record whose header a power cut took, is torn and not corrupt. This one looks like
 * a header of a long record at every eighth byte. */
Test(moments, a_text_that_looks_like_headers_is_only_torn)
{
    static const unsigned char pattern[8] = { 0, 0, 0x10, 0, 1, 0, 0, 0 };
    struct allocator           allocator;
    struct segment_reader      reader;
    struct dir                 dir;
    struct file                file;
    char                       path[SCRATCH_PATH_MAX];
    size_t                     bytes = 4 * 1024 * 1024;
    unsigned char             *data = malloc(bytes);
    knackdb_error              error;

    scratch_make(path);
    for (size_t i = 0; i < bytes; i++)
        data[i] = pattern[i % 8];
    bytes_write(path, "log-0000000000000001.knl", data, bytes);
    allocator_init(&allocator, NULL);
    cr_assert_eq(dir_open(disk_posix(), path, &dir, &error), KNACKDB_OK);
    cr_assert_eq(file_open(&dir, "log-0000000000000001.knl", DISK_READ, 0, &file, &error), KNACKDB_OK);
    segment_reader_init(&reader, &allocator, &file, 1, 1);
    cr_assert_eq(segment_reader_seek(&reader, 0, SEGMENT_STEP_RECORDS, &error), KNACKDB_NOT_FOUND);
    segment_reader_clear(&reader);
    file_close(&file);
    dir_close(&dir);
    free(data);
    scratch_remove(path);
}

/* A power cut may take the last records and leave bytes of a segment behind them: those are told with their file. */
Test(moments, torn_bytes_are_told_with_the_file_that_holds_them)
{
    struct keeper_options options = kept_options();
    struct kept           kept;
    struct allocator      allocator;
    struct replay_log    *log;
    struct log_commit     commit;
    struct log_head       head;
    struct bytes          segment;
    char                  path[SCRATCH_PATH_MAX];
    char                  folder[SCRATCH_PATH_MAX];
    char                  copy[PATH_MAX_BYTES];
    char                  last[64];
    const char           *file = NULL;
    uint64_t              offset = 0;
    knackdb_error         error = { 0 };

    scratch_make(path);
    scratch_make(folder);
    options.by_hand = true; /* a thread that came late would find the segment in use already */
    options.log_segment_bytes_max = 8192;
    kept_must_open(&kept, path, 3, &options);
    for (int64_t number = 1; number < 80 && names_count(path, "log-", last) < 2; number++) {
        bench_put(kept.store, number);
        keeper_turn(kept.keeper);
    }
    kept_copy(path, folder, "copy", copy);
    kept_close(&kept);
    cr_assert_eq(names_count(copy, "log-", last), 2, "the second one was made ahead and holds no record");
    segment = bytes_read(copy, last);
    cr_assert_eq(log_head_read(segment.data, segment.count, &head, &error), KNACKDB_OK);
    memset(segment.data + head.head_bytes, 1, 100);
    bytes_write(copy, last, segment.data, segment.count);
    bytes_free(&segment);

    allocator_init(&allocator, NULL);
    cr_assert_eq(replay_log_open(&allocator, disk_posix(), copy, bench_history(), bench_schema(3), &log, &error),
                 KNACKDB_OK);
    while (replay_log_next(log, &commit, &error) == KNACKDB_OK)
        continue;
    cr_assert_eq(replay_log_torn_bytes(log, &file, &offset), 100, "%llu %s %llu",
                 (unsigned long long) replay_log_torn_bytes(log, &file, &offset), file ? file : "-",
                 (unsigned long long) offset);
    cr_assert_str_eq(file, last);
    cr_assert_eq(offset, head.head_bytes);
    replay_log_close(log);
    scratch_remove(path);
    scratch_remove(folder);
}
