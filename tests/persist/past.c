/* past.c - log that no snapshot needs any more, kept as history. */
#include "tests/persist/bench.h"

#include "base/bytes.h"
#include "persist/file_name.h"
#include "persist/packed_file.h"
#include "persist/replay_log.h"
#include "persist/verification.h"
#include "tests/api/scratch.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static knackdb_status
verify_path(const char *path)
{
    struct allocator      allocator;
    struct verify_options options = { .disk = disk_posix(), .history = bench_history(), .schema = bench_schema(1) };
    knackdb_status        status;

    allocator_init(&allocator, NULL);
    status = verify_directory(&allocator, path, &options, NULL, NULL);
    cr_assert_eq(atomic_load(&allocator.bytes), 0);
    return status;
}

/* With all history kept, every moment is there, whatever snapshots came; packed, and checked to the last byte. With
 * less, what is left is the newest run of it. Who does not say how much he wants leaves what there is. */
Test(history, is_kept_as_long_as_was_asked_for)
{
    struct keeper_options options = kept_options();
    char                  folder[SCRATCH_PATH_MAX];
    char                  path[SCRATCH_PATH_MAX];
    char                  name[64];
    struct kept           kept;
    struct bytes          bytes;
    char                 *dumps[201];

    scratch_make(folder);
    scratch_join(path, folder, "store");
    options.log_segment_bytes_max = 4096;
    options.log_history_bytes = UINT64_MAX;
    kept_must_open(&kept, path, 1, &options);
    for (int64_t number = 1; number <= 200; number++) {
        if (number == 70 || number == 150) {
            kept_close(&kept);
            options.log_history_bytes = number == 70 ? UINT64_MAX : 0;
            kept_must_open(&kept, path, 1, &options);
        }
        bench_put(kept.store, number % 60 + 1);
        dumps[number] = bench_dump(kept.store);
        if (number % 45 == 0 && number < 150)
            cr_assert_eq(keeper_snapshot(kept.keeper, NULL), KNACKDB_OK);
    }
    kept_close(&kept);
    cr_assert_gt(names_count(path, "past-", name), 3);
    options.read_only = true;
    for (uint64_t sequence = 1; sequence <= 200; sequence += 3) {
        options.as_of_sequence = sequence;
        kept_must_open(&kept, path, 1, &options);
        cr_assert(bench_same(kept.store, dumps[sequence]), "commit %" PRIu64, sequence);
        kept_close(&kept);
    }
    options.read_only = false;
    options.as_of_sequence = 0;

    /* Any changed byte of it is found. */
    bytes = bytes_read(path, name);
    for (size_t at = 0; at < bytes.count; at += 7) {
        bytes.data[at] ^= 4;
        bytes_write(path, name, bytes.data, bytes.count);
        cr_assert_neq(verify_path(path), KNACKDB_OK, "byte %zu", at);
        bytes.data[at] ^= 4;
    }
    for (size_t cut = 0; cut < bytes.count; cut += 13) {
        bytes_write(path, name, bytes.data, cut);
        cr_assert_neq(verify_path(path), KNACKDB_OK, "cut at %zu", cut);
    }
    bytes_write(path, name, bytes.data, bytes.count);
    cr_assert_eq(verify_path(path), KNACKDB_OK);
    bytes_free(&bytes);

    /* Less of it, and then hardly any. */
    for (uint64_t most = 4000; most > 0; most /= 4000) {
        struct allocator   allocator;
        struct replay_log *log;
        struct log_commit  commit;
        uint64_t           last;

        options.log_history_bytes = most;
        kept_must_open(&kept, path, 1, &options);
        cr_assert_eq(keeper_snapshot(kept.keeper, NULL), KNACKDB_OK);
        kept_close(&kept);
        cr_assert_eq(names_count(path, "past-", NULL) > 0, most > 1);
        cr_assert_eq(verify_path(path), KNACKDB_OK);
        allocator_init(&allocator, NULL);
        log = bench_open_log(&allocator, path);
        last = replay_log_first_sequence(log) - 1;
        cr_assert(most == 1 || (last > 1 && last < 200), "%" PRIu64, last);
        while (replay_log_next(log, &commit, NULL) == KNACKDB_OK)
            cr_assert_eq(commit.record.sequence, ++last);
        cr_assert(most == 1 || last == 200, "it ends at %" PRIu64, last);
        replay_log_close(log);
    }
    for (int number = 1; number <= 200; number++)
        free(dumps[number]);
    scratch_remove(folder);
}

/* Packs a segment of the log, one byte of which is another. */
static void
pack_damaged(const char *path, const char *log_name)
{
    struct allocator allocator;
    struct dir       dir = { .handle = DISK_NONE };
    struct file      file = { 0 };
    struct bytes     bytes = bytes_read(path, log_name);
    char             name[DISK_NAME_BYTES_MAX];
    uint64_t         serial = bytes_get_u64(bytes.data + 40);

    bytes.data[bytes.count / 2] ^= 1;
    bytes_write(path, log_name, bytes.data, bytes.count);
    allocator_init(&allocator, NULL);
    cr_assert_eq(dir_open(disk_posix(), path, &dir, NULL), KNACKDB_OK);
    cr_assert_eq(file_open(&dir, log_name, DISK_READ, 0, &file, NULL), KNACKDB_OK);
    file_name_write(name, FILE_PAST, serial);
    cr_assert_eq(packed_file_write(&allocator, &file, UINT64_MAX, name, bytes_get_u64(bytes.data + 32), serial, 0600,
                                   NULL),
                 KNACKDB_OK);
    file_close(&file);
    cr_assert_eq(dir_remove(&dir, log_name, NULL), KNACKDB_OK);
    dir_close(&dir);
    bytes_free(&bytes);
}

static void
hear_fault(void *context, const knackdb_fault *fault)
{
    (void) snprintf(context, 64, "%s", fault->file);
}

/* What is wrong with a record in a packed segment is told by that file's name, for there is no other. */
Test(history, faults_are_told_by_the_name_that_is_there)
{
    char                  heard[64] = "";
    struct verify_options options = { .disk = disk_posix(),
                                      .history = bench_history(),
                                      .schema = bench_schema(1),
                                      .on_fault = hear_fault,
                                      .context = heard };
    struct keeper_options keeping = kept_options();
    char                  path[SCRATCH_PATH_MAX];
    char                  name[64];
    struct allocator      allocator;
    struct kept           kept;

    scratch_prefer_memory();
    scratch_make(path);
    keeping.log_segment_bytes_max = 4096;
    kept_must_open(&kept, path, 1, &keeping);
    bench_put_many(kept.store, 1, 100);
    kept_close(&kept);
    cr_assert_gt(names_count(path, "log-", NULL), 2);
    pack_damaged(path, "log-0000000000000001.knl");
    allocator_init(&allocator, NULL);
    cr_assert_eq(verify_directory(&allocator, path, &options, NULL, NULL), KNACKDB_CORRUPT);
    cr_assert_gt(names_count(path, "past-", name), 0);
    cr_assert_str_eq(heard, name);
    scratch_remove(path);
}
