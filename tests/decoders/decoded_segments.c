/* decoded_segments.c - log segments and the tables that they tell of: bytes that make no sense behind right checksums,
 * files that are shorter than they say, and everything that may fail on the way. */
#include "mishaps.h"
#include "swapping.h"

#include "base/bytes.h"
#include "persist/segment_reader.h"
#include "persist/store_id.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define STORE  7
#define SERIAL 3

/* A head, two small records and one that no window holds. */
static void
write_segment(struct byte_buffer *bytes)
{
    static const size_t payloads[] = { 20, 8, 200000 };
    unsigned char      *payload = malloc(200000);

    memset(payload, 0x11, 200000);
    log_head_write(bytes, STORE, SERIAL, 0, 5, schema_builtin());
    for (uint64_t i = 0; i < 3; i++) {
        unsigned char     header[LOG_RECORD_HEADER_BYTES];
        struct log_record record = {
            .kind = LOG_RECORD_COMMIT, .payload_bytes = (uint32_t) payloads[i], .sequence = i + 1, .payload = payload
        };

        log_record_write_header(header, store_id_seed(STORE, SERIAL), &record);
        byte_buffer_put(bytes, header, sizeof header);
        byte_buffer_put(bytes, payload, payloads[i]);
        while (bytes->bytes % 8 != 0)
            byte_buffer_put_u8(bytes, 0);
    }
    cr_assert_not(bytes->failed);
    free(payload);
}

static knackdb_status
read_segment(struct mishaps *mishaps)
{
    struct segment_reader reader;
    struct log_record     record;
    uint64_t              end = 0;
    uint64_t              records = 0;
    knackdb_status        status;

    segment_reader_init(&reader, &mishaps->allocator, &mishaps->memory.file, STORE, SERIAL);
    status = segment_reader_open(&reader, schema_history_builtin(), schema_builtin(), NULL);
    while (status == KNACKDB_OK && (status = segment_reader_next(&reader, &record, NULL)) == KNACKDB_OK)
        records++;
    if (status == KNACKDB_NOT_FOUND) {
        cr_assert_eq(records, 3);
        reader.last_sequence = 0;
        status = segment_reader_seek(&reader, 8, SEGMENT_STEP_RECORDS, NULL);
        if (status == KNACKDB_OK) /* the last, of which the window holds no more than the beginning */
            status = segment_reader_seek(&reader, reader.offset + 100, SEGMENT_STEP_RECORDS, NULL);
    }
    if (status == KNACKDB_OK)
        status = segment_reader_find_end(&reader, 0, &end, NULL);
    cr_assert(status != KNACKDB_OK || end > 200000);
    segment_reader_clear(&reader);
    return status;
}

Test(decoded_segments, a_call_or_an_allocation_that_fails_ends_the_reading_and_no_more)
{
    static struct mishaps mishaps;
    struct allocator      plain;
    struct byte_buffer    bytes;

    allocator_init(&plain, NULL);
    byte_buffer_init(&bytes, &plain);
    write_segment(&bytes);
    for (mishaps_begin(&mishaps, bytes.data, bytes.bytes); mishaps_next(&mishaps);)
        mishaps_end(&mishaps, read_segment(&mishaps), KNACKDB_OK);
    cr_assert_gt(mishaps.fail_at, 15);
    byte_buffer_clear(&bytes);
}

/* Somebody cuts it while it is read. */
Test(decoded_segments, a_file_that_gives_less_than_it_says_has_no_record_there)
{
    static struct mishaps mishaps;
    struct allocator      plain;
    struct byte_buffer    bytes;
    struct segment_reader reader;
    struct log_record     record;

    allocator_init(&plain, NULL);
    byte_buffer_init(&bytes, &plain);
    write_segment(&bytes);
    mishaps_begin(&mishaps, bytes.data, bytes.bytes - 100);
    mishaps.told_more = 100;
    segment_reader_init(&reader, &mishaps.allocator, &mishaps.memory.file, STORE, SERIAL);
    cr_assert_eq(segment_reader_open(&reader, schema_history_builtin(), schema_builtin(), NULL), KNACKDB_OK);
    cr_assert_eq(segment_reader_next(&reader, &record, NULL), KNACKDB_OK);
    cr_assert_eq(segment_reader_next(&reader, &record, NULL), KNACKDB_OK);
    cr_assert_eq(segment_reader_next(&reader, &record, NULL), KNACKDB_NOT_FOUND);
    mishaps.memory.bytes = 0;
    cr_assert_eq(segment_reader_seek(&reader, bytes.bytes - 100, SEGMENT_STEP_RECORDS, NULL), KNACKDB_NOT_FOUND);
    segment_reader_clear(&reader);
    cr_assert(!mishaps_next(&mishaps) || !mishaps_next(&mishaps));
    byte_buffer_clear(&bytes);
}

/* ---- integers ---- */

Test(decoded_segments, what_lies_past_the_end_of_bytes_reads_as_zero)
{
    static const unsigned char bytes[] = { 1, 2, 3, 4, 5, 6, 7, 8 };

    for (size_t count = 0; count <= sizeof bytes; count++) {
        struct byte_reader readers[4];

        for (int i = 0; i < 4; i++)
            readers[i] = byte_reader_of(bytes, count);
        cr_expect_eq(byte_reader_u8(&readers[0]), count >= 1 ? 1 : 0);
        cr_expect_eq(byte_reader_u16(&readers[1]), count >= 2 ? 0x0201 : 0);
        cr_expect_eq(byte_reader_u32(&readers[2]), count >= 4 ? 0x04030201 : 0);
        cr_expect_eq(byte_reader_u64(&readers[3]), count >= 8 ? UINT64_C(0x0807060504030201) : 0);
        for (int i = 0; i < 4; i++)
            cr_expect_eq(readers[i].failed, count < (size_t) 1 << i);
        readers[3].failed = true;
        cr_expect_null(byte_reader_take(&readers[3], 0), "once past the end, always past the end");
    }
}

/* ---- heads ---- */

static knackdb_status
open_head(const unsigned char *data, size_t bytes, uint64_t store_id, uint64_t serial)
{
    static struct memory_file memory;
    struct allocator          allocator;
    struct segment_reader     reader;
    knackdb_status            status;

    allocator_init(&allocator, NULL);
    memory_file_init(&memory, "log", data, bytes);
    segment_reader_init(&reader, &allocator, &memory.file, store_id, serial);
    status = segment_reader_open(&reader, schema_history_builtin(), schema_builtin(), NULL);
    segment_reader_clear(&reader);
    return status;
}

Test(decoded_segments, a_head_is_that_of_this_segment_or_refused)
{
    static const struct damage cases[] = {
        { 8, 2, 0, KNACKDB_CORRUPT }, /* format */
        { 8, 2, LOG_FORMAT_VERSION + 1, KNACKDB_UNSUPPORTED },
        { 10, 2, 1, KNACKDB_CORRUPT },     /* reserved */
        { 16, 8, 1, KNACKDB_OK },          /* compatible flags */
        { 24, 8, 1, KNACKDB_UNSUPPORTED }, /* incompatible flags */
        { 32, 8, STORE + 1, KNACKDB_CORRUPT },
        { 40, 8, SERIAL + 1, KNACKDB_CORRUPT },
        { 64, 4, 1000, KNACKDB_UNSUPPORTED }, /* version of the schema */
        { 68, 4, 8, KNACKDB_CORRUPT },        /* bytes of the description */
        { 68, 4, 100000, KNACKDB_CORRUPT },
    };
    struct allocator   plain;
    struct byte_buffer bytes;
    struct log_head    head;
    size_t             end;
    unsigned char      zeros[200] = { 0 };

    allocator_init(&plain, NULL);
    byte_buffer_init(&bytes, &plain);
    log_head_write(&bytes, STORE, SERIAL, 0, 5, schema_builtin());
    end = bytes.bytes - 8;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t was = swap_number(bytes.data, cases[i].at, cases[i].bytes, cases[i].value);

        bytes_put_u64(bytes.data + end, hash_bytes(bytes.data, end, 0));
        cr_expect_eq(open_head(bytes.data, bytes.bytes, STORE, SERIAL), cases[i].status, "case %zu", i);
        (void) swap_number(bytes.data, cases[i].at, cases[i].bytes, was);
    }
    bytes_put_u64(bytes.data + end, hash_bytes(bytes.data, end, 0));
    cr_expect_eq(open_head(bytes.data, bytes.bytes, STORE, SERIAL), KNACKDB_OK);
    cr_expect_eq(open_head(zeros, sizeof zeros, STORE, SERIAL), KNACKDB_NOT_FOUND, "it is not written yet");
    cr_expect_eq(log_head_read(bytes.data, LOG_HEAD_FIXED_BYTES - 1, &head, NULL), KNACKDB_CORRUPT);
    byte_buffer_clear(&bytes);
}

Test(decoded_segments, a_head_that_found_no_memory_says_so)
{
    static struct mishaps mishaps;

    for (mishaps_begin(&mishaps, "", 0); mishaps_next(&mishaps);) {
        struct byte_buffer bytes;
        knackdb_status     status;

        byte_buffer_init(&bytes, &mishaps.allocator);
        log_head_write(&bytes, STORE, SERIAL, 0, 5, schema_builtin());
        status = bytes.failed ? KNACKDB_NO_MEMORY : KNACKDB_OK;
        byte_buffer_clear(&bytes);
        mishaps_end(&mishaps, status, KNACKDB_OK);
    }
    cr_assert_gt(mishaps.fail_at, 3);
}

/* ---- records ---- */

Test(decoded_segments, a_record_asks_for_the_bytes_it_lacks)
{
    unsigned char     bytes[LOG_RECORD_HEADER_BYTES + 8] = { 8, 0, 0, 0, 1 };
    struct log_record record;
    size_t            wanted;

    cr_expect_eq(log_record_read(bytes, 39, 1000, 1, &record, &wanted), LOG_MORE);
    cr_expect_eq(wanted, LOG_RECORD_HEADER_BYTES);
    cr_expect_eq(log_record_read(bytes, 40, 1000, 1, &record, &wanted), LOG_MORE);
    cr_expect_eq(wanted, sizeof bytes);
    cr_expect_eq(log_record_read(bytes, 48, 1000, 1, &record, &wanted), LOG_BAD, "of another checksum");
    cr_expect_eq(log_record_read(bytes, 39, 39, 1, &record, &wanted), LOG_BAD, "there is no room for it");
    bytes[4] = 0;
    cr_expect_eq(log_record_read(bytes, 48, 1000, 1, &record, &wanted), LOG_BAD, "of no kind");
    bytes[5] = 1;
    cr_expect_eq(log_record_read(bytes, 48, 1000, 1, &record, &wanted), LOG_BAD, "of a kind beyond a byte");
}

/* Headers that overlap, each claiming ten thousand bytes: to hash them all would take hours in a full segment. */
Test(decoded_segments, a_search_gives_up_where_somebody_made_it_dear)
{
    static unsigned char      data[400000];
    static struct memory_file memory;
    struct allocator          allocator;
    struct segment_reader     reader;

    for (size_t at = 0; at + 8 <= sizeof data; at += 8) {
        bytes_put_u32(data + at, 10000);
        bytes_put_u32(data + at + 4, LOG_RECORD_SEAL);
    }
    allocator_init(&allocator, NULL);
    memory_file_init(&memory, "log", data, sizeof data);
    segment_reader_init(&reader, &allocator, &memory.file, STORE, SERIAL);
    cr_expect_eq(segment_reader_seek(&reader, 0, SEGMENT_STEP_RECORDS, NULL), KNACKDB_CORRUPT);
    segment_reader_clear(&reader);
}

/* ---- descriptions ---- */

/* A table in letters: "t3:" and its three columns, each a letter and a type (i, r, t, or ? for one that is none). */
static void
put_table(struct byte_buffer *to, const char *told)
{
    byte_buffer_put_u8(to, 1);
    byte_buffer_put_u8(to, (uint8_t) told[0]);
    byte_buffer_put_u8(to, (uint8_t) (told[1] - '0'));
    for (const char *at = told + 3; *at != '\0'; at += 2) {
        byte_buffer_put_u8(to, 1);
        byte_buffer_put_u8(to, (uint8_t) at[0]);
        byte_buffer_put_u8(to, at[1] == 'i'   ? KNACKDB_INTEGER
                               : at[1] == 'r' ? KNACKDB_REAL
                               : at[1] == 't' ? KNACKDB_TEXT
                                              : 9);
    }
}

Test(decoded_segments, tables_are_told_as_some_version_had_them_or_refused)
{
    static const struct table old = {
        .name = "t",
        .column_count = 3,
        .columns = {
            { .name = "k", .type = KNACKDB_INTEGER, .since_version = 1 },
            { .name = "a", .type = KNACKDB_TEXT, .since_version = 1 },
            { .name = "b", .type = KNACKDB_INTEGER, .since_version = 1 },
        },
        .key_count = 1,
        .keys = { { .column_count = 1 } },
        .age_column = -1,
    };
    static const struct schema_history history = { .tables = &old, .table_count = 1, .version = 1 };
    static const struct {
        int            count; /* of tables, as told */
        const char    *tables[3];
        knackdb_status status;
    } cases[] = {
        { 1, { "t3:kiatbi" }, KNACKDB_OK },
        { 1, { "t2:kizr" }, KNACKDB_OK },        /* a column that is gone */
        { 2, { "u1:ki", "t1:ki" }, KNACKDB_OK }, /* and a table */
        { 2, { "u1:ki", "v1:ki" }, KNACKDB_OK },
        { 0, { NULL }, KNACKDB_OK },
        { 2, { "t1:ki", "t1:ki" }, KNACKDB_CORRUPT },
        { 1, { "t3:kiatat" }, KNACKDB_CORRUPT },
        { 1, { "t2:kiai" }, KNACKDB_CORRUPT }, /* another type */
        { 1, { "t2:biki" }, KNACKDB_CORRUPT }, /* another id */
        { 1, { "t1:bi" }, KNACKDB_CORRUPT },
        { 1, { "t2:kiki" }, KNACKDB_CORRUPT },
        { 1, { "t1:kt" }, KNACKDB_CORRUPT },
        { 1, { "t2:kia?" }, KNACKDB_CORRUPT },
        { 1, { "t0:" }, KNACKDB_CORRUPT },
        { 1, { "t2:ki" }, KNACKDB_CORRUPT },          /* cut */
        { 1, { "t1:ki", "u1:ki" }, KNACKDB_CORRUPT }, /* left over */
        { 2, { "t1:ki" }, KNACKDB_CORRUPT },
        { 200, { "t1:ki" }, KNACKDB_CORRUPT },
    };
    static struct schema schema;
    struct allocator     plain;
    struct byte_buffer   bytes;
    struct commit_map    map;

    allocator_init(&plain, NULL);
    byte_buffer_init(&bytes, &plain);
    cr_assert_eq(schema_build(&history, 1, &schema, NULL), KNACKDB_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bytes.bytes = 0;
        byte_buffer_put_u8(&bytes, (uint8_t) cases[i].count);
        for (size_t table = 0; table < 3 && cases[i].tables[table] != NULL; table++)
            put_table(&bytes, cases[i].tables[table]);
        cr_expect_eq(description_map(bytes.data, bytes.bytes, &history, &schema, 1, &map, NULL), cases[i].status,
                     "case %zu", i);
    }
    bytes.bytes = 0;
    byte_buffer_put_u8(&bytes, 1);
    put_table(&bytes, "t3:kiatbi");
    for (size_t cut = 0; cut < bytes.bytes; cut++) {
        unsigned char *prefix = malloc(cut + 1);

        memcpy(prefix, bytes.data, cut);
        cr_expect_eq(description_map(prefix, cut, &history, &schema, 1, &map, NULL), KNACKDB_CORRUPT, "cut at %zu",
                     cut);
        free(prefix);
    }
    byte_buffer_clear(&bytes);
}
