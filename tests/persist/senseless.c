/* senseless.c - a log whose last record has the right checksum and makes no sense: nobody takes it, all say so, and a
 * repair saves what was there before.
 *
 * The record is appended to a log that ends without a seal, as a writer would that has gone wrong or is newer than we
 * are. */
#include "tests/persist/asking.h"
#include "tests/persist/repair_origin.h"

#include "core/commit.h"
#include "persist/log_format.h"
#include "persist/store_id.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Behind the last record that is whole. `sequence` counts from that one's. */
static void
append_record(const char *directory, const char *name, uint8_t kind, int sequence, const struct commit_writer *writer)
{
    struct bytes      file = bytes_read(directory, name);
    uint64_t          seed = log_seed(&file);
    size_t            at = log_head_measure(file.data);
    struct log_record record = { 0 };
    size_t            bytes;
    unsigned char    *data;

    while (log_record_read(file.data + at, file.count - at, file.count - at, seed, &record, &bytes) == LOG_WHOLE)
        at += (bytes + 7) & ~(size_t) 7;
    bytes = log_record_bytes(writer->bytes);
    data = calloc(1, at + bytes);
    memcpy(data, file.data, at);
    record = (struct log_record) { .kind = kind,
                                   .payload_bytes = (uint32_t) writer->bytes,
                                   .time_us = record.time_us,
                                   .sequence = record.sequence + (uint64_t) (int64_t) sequence,
                                   .durable = record.durable,
                                   .payload = writer->data };
    memcpy(data + at + LOG_RECORD_HEADER_BYTES, writer->data, writer->bytes);
    log_record_write_header(data + at, seed, &record);
    bytes_write(directory, name, data, at + bytes);
    free(data);
    bytes_free(&file);
}

/* What is put into the record: kind, table, id, and cells by column; a text for column 1, a number for others. */
struct operation {
    int         kind;
    uint32_t    table;
    int64_t     id;
    uint32_t    column; /* 0: none */
    const char *text;
};

static void
write_operation(struct commit_writer *writer, const struct operation *operation)
{
    knackdb_value value = operation->text != NULL ? knackdb_value_text(knackdb_string(operation->text))
                                                  : knackdb_value_real(1e9);

    commit_writer_begin(writer);
    cr_assert_eq(commit_writer_put(writer, (knackdb_log_operation) operation->kind, operation->table, operation->id,
                                   &operation->column, &value, operation->column != 0, NULL),
                 KNACKDB_OK);
}

static const struct {
    const char      *what;
    uint8_t          kind;
    int              sequence;
    struct operation operation;
    knackdb_status   status;   /* of who opens */
    bool             is_saved; /* repair takes what is before it; otherwise it refuses as the others do */
} cases[] = {
    /* clang-format off */
    { "a kind of record no version had", 9, 1, { KNACKDB_LOG_DELETE, 0, 50, 0, NULL }, KNACKDB_UNSUPPORTED, false },
    { "one that may be passed over", 200, 1, { KNACKDB_LOG_DELETE, 0, 50, 0, NULL }, KNACKDB_OK, true },
    { "a number that was given", 1, 0, { KNACKDB_LOG_DELETE, 0, 50, 0, NULL }, KNACKDB_CORRUPT, true },
    { "a number long ago", 1, -15, { KNACKDB_LOG_DELETE, 0, 50, 0, NULL }, KNACKDB_CORRUPT, true },
    { "an operation of no kind", 1, 1, { 77, 0, 50, 0, NULL }, KNACKDB_CORRUPT, true },
    { "a table that is not there", 1, 1, { KNACKDB_LOG_DELETE, 60, 50, 0, NULL }, KNACKDB_CORRUPT, true },
    { "an update of no row", 1, 1, { KNACKDB_LOG_UPDATE, 0, 5000, 1, "nobody" }, KNACKDB_CORRUPT, true },
    { "an end of no row", 1, 1, { KNACKDB_LOG_DELETE, 0, 5000, 0, NULL }, KNACKDB_CORRUPT, true },
    { "a clean-up of what has no age", 1, 1, { KNACKDB_LOG_CLEAN_UP, 0, 0, 3, NULL }, KNACKDB_CORRUPT, true },
    /* clang-format on */
};

Test(senseless, records_are_taken_by_nobody)
{
    struct origin        origin;
    struct allocator     allocator;
    struct commit_writer writer;
    char                 name[64];

    scratch_prefer_memory();
    allocator_init(&allocator, NULL);
    commit_writer_init(&writer, &allocator);
    origin_make(&origin, ORIGIN_KILLED);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct repaired repaired;
        knackdb_error   error = { .message = "" };
        knackdb_status  status;

        origin_damage_again(&origin);
        name_written_log(origin.damaged, name);
        write_operation(&writer, &cases[i].operation);
        append_record(origin.damaged, name, cases[i].kind, cases[i].sequence, &writer);

        status = asked_to_open(origin.damaged, 1, false, &error);
        cr_expect_eq(status, cases[i].status, "%s: opened as %d: %s", cases[i].what, (int) status, error.message);
        status = asked_to_open(origin.damaged, 1, true, &error);
        cr_expect_eq(status, cases[i].status, "%s: followed as %d: %s", cases[i].what, (int) status, error.message);
        status = asked_to_verify(origin.damaged, 1, &error);
        cr_expect_eq(status == KNACKDB_OK,
                     cases[i].status == KNACKDB_OK || cases[i].operation.id == 5000 ||
                         cases[i].operation.kind == KNACKDB_LOG_CLEAN_UP,
                     "%s: verified as %d", cases[i].what, (int) status); /* which rows there are, it does not look at */
        status = asked_to_replay(origin.damaged, 1, &error);
        cr_expect(status == KNACKDB_OK || status == cases[i].status, "%s: replayed as %d: %s", cases[i].what,
                  (int) status, error.message);
        status = repair_to(origin.damaged, origin.to, 1, &repaired);
        cr_expect_eq(status == KNACKDB_OK, cases[i].is_saved, "%s: repaired as %d: %s", cases[i].what, (int) status,
                     repaired.error.message);
        if (status == KNACKDB_OK) {
            struct kept kept;

            kept_must_open(&kept, origin.to, 1, NULL); /* nothing is lost, so nothing has to be told */
            cr_expect(bench_same(kept.store, origin.dump), "%s: rows are others", cases[i].what);
            kept_close(&kept);
        }
    }
    origin_remove(&origin);
    commit_writer_clear(&writer);
}

/* Behind an operation that makes no sense nobody knows where the next one begins: the rest of that commit is passed
 * over, and the next one is given whole. */
Test(senseless, operations_are_told_once_by_who_replays_and_what_follows_them_is_given)
{
    knackdb_pattern      pattern = knackdb_pattern_default();
    knackdb_log_entry    entry;
    knackdb_error        error = { .message = "" };
    knackdb             *db;
    knackdb_log         *log;
    struct allocator     allocator;
    struct commit_writer writer;
    char                 path[SCRATCH_PATH_MAX];
    char                 folder[SCRATCH_PATH_MAX];
    char                 copy[PATH_MAX_BYTES];
    char                 name[64];

    scratch_prefer_memory();
    scratch_make(path);
    scratch_make(folder);
    cr_assert_eq(knackdb_open(path, NULL, &db, &error), KNACKDB_OK, "%s", error.message);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(knackdb_pattern_store(db, &pattern, NULL, &error), KNACKDB_OK, "%s", error.message);
    kept_copy(path, folder, "killed", copy);
    cr_assert_eq(knackdb_close(db, &error), KNACKDB_OK, "%s", error.message);

    allocator_init(&allocator, NULL);
    commit_writer_init(&writer, &allocator);
    name_written_log(copy, name);
    write_operation(&writer, &(struct operation) { .kind = KNACKDB_LOG_DELETE, .id = 1 });
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(commit_writer_put(&writer, KNACKDB_LOG_DELETE, 0, 2, NULL, NULL, 0, NULL), KNACKDB_OK);
        if (i == 0)
            writer.data[4] = 77; /* the kind of its first operation */
        append_record(copy, name, LOG_RECORD_COMMIT, 1, &writer);
        write_operation(&writer, &(struct operation) { .kind = KNACKDB_LOG_DELETE, .id = 1 });
    }
    commit_writer_clear(&writer);

    cr_assert_eq(knackdb_log_open(copy, &log, &error), KNACKDB_OK, "%s", error.message);
    for (uint64_t sequence = 1; sequence <= 2; sequence++) {
        cr_assert_eq(knackdb_log_next(log, &entry, &error), KNACKDB_OK, "%s", error.message);
        cr_assert_eq(entry.sequence, sequence);
    }
    cr_assert_eq(knackdb_log_next(log, &entry, &error), KNACKDB_CORRUPT);
    cr_assert(strstr(error.message, name) != NULL && strstr(error.message, copy) != NULL, "%s", error.message);
    cr_assert_not_null(strstr(error.message, "knackdb repair"), "%s", error.message);
    for (uint32_t i = 0; i < 2; i++) {
        cr_assert_eq(knackdb_log_next(log, &entry, &error), KNACKDB_OK, "%s", error.message);
        cr_assert(entry.sequence == 4 && entry.batch_index == i && entry.batch_count == 2 && entry.id == i + 1);
    }
    cr_assert_eq(knackdb_log_next(log, &entry, &error), KNACKDB_NOT_FOUND);
    knackdb_log_close(log);
    scratch_remove(path);
    scratch_remove(folder);
}

Test(senseless, directories_without_a_part_are_refused_and_the_part_is_named)
{
    struct origin   origin;
    struct repaired repaired;
    knackdb_error   error = { .message = "" };
    char            name[64];
    char            path[SCRATCH_PATH_MAX];

    scratch_prefer_memory();
    origin_make(&origin, ORIGIN_CLOSED);
    origin_damage_again(&origin);
    cr_assert_geq(names_count(origin.damaged, "part-", name), 1);
    scratch_join(path, origin.damaged, name);
    cr_assert_eq(remove(path), 0);
    cr_expect_eq(asked_to_open(origin.damaged, 1, false, &error), KNACKDB_CORRUPT);
    cr_expect_not_null(strstr(error.message, name), "%s", error.message);
    cr_expect_eq(asked_to_open(origin.damaged, 1, true, &error), KNACKDB_CORRUPT);
    cr_expect_eq(asked_to_verify(origin.damaged, 1, &error), KNACKDB_CORRUPT);
    cr_expect_eq(repair_to(origin.damaged, origin.to, 1, &repaired), KNACKDB_OK, "%s", repaired.error.message);
    cr_expect_gt(repaired.told.count, 0);
    origin_remove(&origin);
}
