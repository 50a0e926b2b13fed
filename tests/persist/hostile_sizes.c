/* hostile_sizes.c - lengths and counts that somebody made up, in files whose checksums are right.
 *
 * Each number of a decoder by which it could allocate or step is set to values far beyond what the file holds, and the
 * checksum made right again, so that nothing but the decoder's own bounds stands in the way. It must refuse, and may at
 * no time have held more memory than a few times the bytes that are there (a block: than LZ4 could make of them). */
#include "../fuzz/memory_file.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "persist/block_format.h"
#include "persist/ends_file.h"
#include "persist/manifest.h"
#include "persist/packed_file.h"
#include "persist/segment_reader.h"
#include "tests/persist/ends_seal.h"
#include "tests/persist/meter.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const uint32_t hostile[] = { UINT32_MAX, INT32_MAX, 0x80000000u, 1u << 30, 1u << 24, 1u << 20, 70000 };

#define HOSTILE_COUNT (sizeof hostile / sizeof hostile[0])

static void
meter_end(const struct meter *meter, size_t file_bytes, const char *what, uint32_t value)
{
    cr_assert_eq(meter->now, 0, "%s %u: %zu bytes are left", what, value, meter->now);
    cr_assert_leq(meter->peak, 4 * file_bytes + 4096, "%s %u: %zu bytes for a file of %zu", what, value, meter->peak,
                  file_bytes);
}

/* ---- one decoder after the other ---- */

Test(hostile_sizes, a_manifest_is_refused_before_its_counts_are_believed)
{
    static const size_t counts_at[] = { 100, 104, 108 }; /* tables, migrations, parts */
    struct allocator    plain;
    struct manifest     manifest;
    struct byte_buffer  bytes;

    allocator_init(&plain, NULL);
    manifest_init(&manifest, &plain);
    byte_buffer_init(&bytes, &plain);
    manifest_set_tables(&manifest, schema_builtin());
    manifest.generation = manifest.log_serial = manifest.next_part = 1;
    manifest_write(&manifest, &bytes);
    for (size_t i = 0; i < sizeof counts_at / sizeof counts_at[0] * HOSTILE_COUNT; i++) {
        size_t           at = counts_at[i / HOSTILE_COUNT];
        uint32_t         value = hostile[i % HOSTILE_COUNT];
        uint32_t         was = bytes_get_u32(bytes.data + at);
        struct meter     meter;
        struct allocator allocator;
        struct manifest  read;
        size_t           offset;

        meter_begin(&meter, &allocator);
        manifest_init(&read, &allocator);
        bytes_put_u32(bytes.data + at, value);
        bytes_put_u64(bytes.data + bytes.bytes - 8, hash_bytes(bytes.data, bytes.bytes - 8, 0));
        cr_assert_eq(manifest_read(&read, bytes.data, bytes.bytes, &offset, NULL), KNACKDB_CORRUPT, "%zu: %u", at,
                     value);
        manifest_clear(&read);
        meter_end(&meter, bytes.bytes, "manifest", value);
        bytes_put_u32(bytes.data + at, was);
    }
    byte_buffer_clear(&bytes);
    manifest_clear(&manifest);
}

Test(hostile_sizes, a_segments_head_and_records_are_no_longer_than_the_file)
{
    struct allocator          plain;
    struct byte_buffer        bytes;
    static struct memory_file memory;
    size_t                    head_bytes;

    allocator_init(&plain, NULL);
    byte_buffer_init(&bytes, &plain);
    log_head_write(&bytes, 7, 1, 0, 0, schema_builtin());
    head_bytes = bytes.bytes;
    for (size_t i = 0; i < 100; i++)
        byte_buffer_put_u64(&bytes, 0x0101010101010101u);
    /* head_bytes, description_bytes, and payload_bytes of what stands where the first record would. */
    for (size_t i = 0; i < 3 * HOSTILE_COUNT; i++) {
        size_t                at = i / HOSTILE_COUNT == 0 ? 12 : i / HOSTILE_COUNT == 1 ? 68 : head_bytes;
        uint32_t              value = hostile[i % HOSTILE_COUNT];
        uint32_t              was = bytes_get_u32(bytes.data + at);
        struct meter          meter;
        struct allocator      allocator;
        struct segment_reader reader;
        struct log_record     record;
        knackdb_status        status;

        meter_begin(&meter, &allocator);
        bytes_put_u32(bytes.data + at, value);
        bytes_put_u64(bytes.data + head_bytes - 8, hash_bytes(bytes.data, head_bytes - 8, 0));
        memory_file_init(&memory, "log", bytes.data, bytes.bytes);
        segment_reader_init(&reader, &allocator, &memory.file, 7, 1);
        status = segment_reader_open(&reader, schema_history_builtin(), schema_builtin(), NULL);
        cr_assert_eq(status, at == head_bytes ? KNACKDB_OK : KNACKDB_CORRUPT, "%zu: %u", at, value);
        if (status == KNACKDB_OK) {
            cr_assert_eq(segment_reader_next(&reader, &record, NULL), KNACKDB_NOT_FOUND);
            cr_assert_eq(segment_reader_seek(&reader, head_bytes, SEGMENT_STEP_RECORDS, NULL), KNACKDB_NOT_FOUND);
        }
        segment_reader_clear(&reader);
        meter_end(&meter, bytes.bytes, "log", value);
        bytes_put_u32(bytes.data + at, was);
    }
    byte_buffer_clear(&bytes);
}

/* operation_count, count of cells and length of a text. Reading a commit allocates nothing at all. */
Test(hostile_sizes, a_commit_claims_no_more_than_its_record_holds)
{
    struct allocator     plain;
    struct commit_writer writer;
    struct commit_map    map;
    uint32_t             column = 1;
    knackdb_value        value = knackdb_value_text((knackdb_text) { "text", 4 });

    allocator_init(&plain, NULL);
    commit_map_identity(&map, schema_builtin());
    commit_writer_init(&writer, &plain);
    commit_writer_begin(&writer);
    cr_assert_eq(commit_writer_put(&writer, KNACKDB_LOG_PUT, 0, 1, &column, &value, 1, NULL), KNACKDB_OK);
    for (size_t i = 0; i < 2 * HOSTILE_COUNT; i++) {
        size_t                  at = i < HOSTILE_COUNT ? 0 : 19;
        uint32_t                was = bytes_get_u32(writer.data + at);
        struct commit_reader    reader;
        struct commit_operation operation;
        knackdb_status          status;

        bytes_put_u32(writer.data + at, hostile[i % HOSTILE_COUNT]);
        status = commit_reader_init(&reader, &map, writer.data, writer.bytes, NULL);
        if (status == KNACKDB_OK)
            status = commit_reader_next(&reader, &operation, NULL);
        cr_assert_eq(status, KNACKDB_CORRUPT, "%zu: %u", at, hostile[i % HOSTILE_COUNT]);
        bytes_put_u32(writer.data + at, was);
    }
    commit_writer_clear(&writer);
}

/* stored_bytes, raw_bytes, row_count and null_count of a block. */
Test(hostile_sizes, a_block_is_refused_before_its_sizes_are_believed)
{
    struct allocator     plain;
    struct block_encoder encoder;
    struct byte_buffer   bytes;
    knackdb_value        values[50];
    uint64_t             checksum;

    allocator_init(&plain, NULL);
    block_encoder_init(&encoder, &plain);
    byte_buffer_init(&bytes, &plain);
    for (int i = 0; i < 50; i++)
        values[i] = knackdb_value_integer(i * i);
    cr_assert_eq(block_encode(&encoder, KNACKDB_INTEGER, false, 0, 0, values, 50, 1, &bytes, &checksum, NULL),
                 KNACKDB_OK);
    for (size_t i = 0; i < 4 * HOSTILE_COUNT; i++) {
        size_t              at = i / HOSTILE_COUNT * 4;
        uint32_t            was = bytes_get_u32(bytes.data + at);
        struct meter        meter;
        struct allocator    allocator;
        struct block_header header;
        knackdb_status      status;

        meter_begin(&meter, &allocator);
        bytes_put_u32(bytes.data + at, hostile[i % HOSTILE_COUNT]);
        status = block_header_read(bytes.data, KNACKDB_INTEGER, &header, NULL);
        cr_assert_eq(status, KNACKDB_CORRUPT, "%zu: %u", at, hostile[i % HOSTILE_COUNT]);
        meter_end(&meter, bytes.bytes, "block", hostile[i % HOSTILE_COUNT]);
        bytes_put_u32(bytes.data + at, was);
    }
    block_encoder_clear(&encoder);
    byte_buffer_clear(&bytes);
}

/* Entries, rows of a part, rows that have ended. */
Test(hostile_sizes, what_tells_of_ended_rows_is_held_against_its_bytes)
{
    static const size_t counts_at[] = { 12, ENDS_HEAD_BYTES + 8, ENDS_HEAD_BYTES + 12 };
    uint64_t            ended[16] = { 9 };
    struct allocator    plain;
    struct byte_buffer  bytes;
    struct ends_writer  writer;

    allocator_init(&plain, NULL);
    byte_buffer_init(&bytes, &plain);
    ends_begin(&writer, &bytes, 7, 1);
    ends_put(&writer, 1, 1000, ended, 2);
    (void) ends_finish(&writer);
    for (size_t i = 0; i < 3 * HOSTILE_COUNT; i++) {
        size_t             at = counts_at[i / HOSTILE_COUNT];
        uint32_t           was = bytes_get_u32(bytes.data + at);
        struct ends_reader reader;
        struct ends_entry  entry;
        knackdb_error      why;
        size_t             offset;
        knackdb_status     status;

        bytes_put_u32(bytes.data + at, hostile[i % HOSTILE_COUNT]);
        ends_seal(bytes.data, bytes.bytes, 7, 1);
        status = ends_open(&reader, bytes.data, bytes.bytes, 7, 1, &offset, &why);
        while (status == KNACKDB_OK)
            status = ends_next(&reader, &entry, &offset, &why);
        cr_assert_eq(status, KNACKDB_CORRUPT, "%zu: %u", at, hostile[i % HOSTILE_COUNT]);
        cr_assert_null(strstr(why.message, "the checksum"), "the checksum of the whole was made right");
        bytes_put_u32(bytes.data + at, was);
    }
    byte_buffer_clear(&bytes);
}

/* ---- files that are mostly holes ---- */

#define SPARSE_BYTES ((uint64_t) 1 << 30)

static int64_t
sparse_size(const struct disk *disk, int file)
{
    (void) disk;
    (void) file;
    return (int64_t) SPARSE_BYTES;
}

/* Bytes with a hole of a gibibyte behind them: what is in the hole is never asked for. */
static void
make_sparse(struct memory_file *memory, const void *data, size_t bytes)
{
    memory_file_init(memory, "sparse", data, bytes);
    memory->disk.size = sparse_size;
}

/* A table of so many blocks would fit the file. */
Test(hostile_sizes, a_packed_file_with_a_hole_is_refused_before_its_blocks_are_counted)
{
    static struct memory_file memory;
    unsigned char             head[64] = "KNACKPST";

    bytes_put_u16(head + 8, 1);
    for (uint32_t block_count = 65537; block_count < SPARSE_BYTES / 16; block_count *= 3) {
        struct meter     meter;
        struct allocator allocator;

        bytes_put_u32(head + 12, block_count);
        make_sparse(&memory, head, sizeof head);
        meter_begin(&meter, &allocator);
        cr_assert_eq(packed_file_take(&allocator, &memory.file, 0, 0, NULL), KNACKDB_CORRUPT, "%u", block_count);
        meter_end(&meter, sizeof head, "packed", block_count);
    }
}

Test(hostile_sizes, a_file_of_ends_is_no_longer_than_the_parts_can_make_it)
{
    static struct memory_file memory;
    static const char         head[64] = ENDS_MAGIC;
    struct meter              meter;
    struct allocator          allocator;
    struct manifest_part      part = { .number = 1, .kind = PART_ENDS, .row_count = 2, .bytes = SPARSE_BYTES };
    struct manifest           manifest = { .store_id = 7, .part_count = 1, .parts = &part };
    struct ends_reader        reader;
    struct byte_buffer        bytes;
    size_t                    fault;

    make_sparse(&memory, head, sizeof head);
    meter_begin(&meter, &allocator);
    byte_buffer_init(&bytes, &allocator);
    cr_assert_eq(ends_file_read(&memory.file, &part, &manifest, &bytes, &reader, &fault, NULL), KNACKDB_CORRUPT);
    byte_buffer_clear(&bytes);
    meter_end(&meter, sizeof head, "ends", 1);
}
