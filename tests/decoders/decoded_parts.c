/* decoded_parts.c - what a snapshot is made of, manifest, parts of rows and of ends, and blocks: bytes that make no
 * sense behind right checksums, and everything that may fail on the way. */
#include "mishaps.h"
#include "swapping.h"

#include "base/bytes.h"
#include "base/hash.h"
#include "persist/ends_format.h"
#include "persist/manifest.h"
#include "persist/part_reader.h"
#include "persist/store_id.h"
#include "tests/persist/ends_seal.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STORE  7
#define NUMBER 3

/* ---- blocks ---- */

enum shape {
    SHAPE_PLAIN, /* numbers that nothing shortens */
    SHAPE_RISING,
    SHAPE_REALS,
    SHAPE_TEXTS, /* all different, in a column that does not repeat */
    SHAPE_FEW,   /* a code is a byte */
    SHAPE_MANY,  /* a code is two */
    SHAPE_SHORT, /* numbers, too few to be shuffled */
    SHAPE_COUNT
};

static knackdb_type
fill(enum shape shape, knackdb_value *values, char (*texts)[16])
{
    for (uint32_t i = 0; i < BLOCK_ROWS_MAX; i++) {
        if (shape >= SHAPE_TEXTS)
            (void) snprintf(texts[i], sizeof texts[i], "text %u",
                            (unsigned) (shape == SHAPE_FEW    ? i % 5
                                        : shape == SHAPE_MANY ? i % 700
                                                              : i));
        values[i] = i % 7 == 3                                      ? knackdb_value_null()
                    : shape == SHAPE_PLAIN                          ? knackdb_value_integer((int64_t) hash_integer(i))
                    : shape == SHAPE_RISING || shape == SHAPE_SHORT ? knackdb_value_integer(i)
                    : shape == SHAPE_REALS                          ? knackdb_value_real(i / 8.0)
                                                                    : knackdb_value_text(knackdb_string(texts[i]));
    }
    return shape == SHAPE_REALS                          ? KNACKDB_REAL
           : shape >= SHAPE_TEXTS && shape < SHAPE_SHORT ? KNACKDB_TEXT
                                                         : KNACKDB_INTEGER;
}

static knackdb_status
through_a_block(struct mishaps *mishaps, knackdb_type type, bool repeats, const knackdb_value *values, uint32_t count)
{
    struct block_encoder encoder;
    struct block_decoder decoder;
    struct block_header  header;
    struct byte_buffer   bytes;
    struct column_values all;
    uint64_t             checksum;
    uint32_t             nulls = 0;
    knackdb_status       status;

    block_encoder_init(&encoder, &mishaps->allocator);
    block_decoder_init(&decoder, &mishaps->allocator);
    byte_buffer_init(&bytes, &mishaps->allocator);
    status = block_encode(&encoder, type, repeats, 1, 0, values, count, 5, &bytes, &checksum, NULL);
    if (status == KNACKDB_OK)
        status = block_header_read(bytes.data, type, &header, NULL);
    if (status == KNACKDB_OK)
        status = block_open(&decoder, type, &header, bytes.data + BLOCK_HEADER_BYTES, NULL);
    if (status == KNACKDB_OK) {
        all = block_values(&decoder);
        for (uint32_t i = 0; i < count; i++) {
            knackdb_value value = block_next(&decoder);

            cr_assert_eq(value.type, values[i].type);
            nulls += value.type == KNACKDB_NULL;
            cr_assert(type == KNACKDB_TEXT || value.type == KNACKDB_NULL || value.as.integer == values[i].as.integer);
            cr_assert(value.type != KNACKDB_TEXT ||
                      (value.as.text.length == values[i].as.text.length &&
                       memcmp(value.as.text.data, values[i].as.text.data, value.as.text.length) == 0));
        }
        cr_assert_eq(all.count, count - nulls);
        cr_assert(type != KNACKDB_TEXT || !repeats || mishaps->seen >= mishaps->fail_at ||
                  all.code_bytes == (all.text_count > 256 ? 2 : 1));
    }
    block_encoder_clear(&encoder);
    block_decoder_clear(&decoder);
    byte_buffer_clear(&bytes);
    return status;
}

Test(decoded_parts, a_block_comes_back_or_the_memory_for_it_was_missing)
{
    static struct mishaps mishaps;
    knackdb_value        *values = calloc(BLOCK_ROWS_MAX, sizeof *values);
    char(*texts)[16] = calloc(BLOCK_ROWS_MAX, sizeof *texts);

    for (enum shape shape = SHAPE_PLAIN; shape < SHAPE_COUNT; shape++) {
        knackdb_type type = fill(shape, values, texts);
        uint32_t     count = shape == SHAPE_SHORT ? 2 : BLOCK_ROWS_MAX;

        uint64_t refused = 0;

        for (mishaps_begin(&mishaps, "", 0); mishaps_next(&mishaps);) {
            knackdb_status status = through_a_block(&mishaps, type, shape != SHAPE_TEXTS, values, count);

            /* Without the memory to compress in it is stored as it is. */
            if (status == KNACKDB_OK)
                cr_assert_eq(atomic_load(&mishaps.allocator.bytes), 0);
            else
                mishaps_end(&mishaps, status, KNACKDB_OK);
            refused += status != KNACKDB_OK;
        }
        cr_assert_gt(refused, 2);
    }
    free(texts);
    free(values);
}

/* What stands in a block beside its head, by hand: a dictionary of fewer bytes than its count has. */
Test(decoded_parts, a_dictionary_too_short_for_its_count_is_refused)
{
    static const unsigned char raw[8] = { 1, 0, 0, 0, 0, 0, 0, 0 };
    struct allocator           allocator;
    struct block_decoder       decoder;

    allocator_init(&allocator, NULL);
    block_decoder_init(&decoder, &allocator);
    for (uint32_t bytes = 0; bytes < 8; bytes++) {
        struct block_header header = { .stored_bytes = bytes,
                                       .raw_bytes = bytes,
                                       .row_count = 1,
                                       .encoding = BLOCK_DICTIONARY,
                                       .compression = BLOCK_STORED };

        cr_expect_eq(block_open(&decoder, KNACKDB_TEXT, &header, raw, NULL), KNACKDB_CORRUPT, "%u bytes",
                     (unsigned) bytes);
    }
    block_decoder_clear(&decoder);
}

/* ---- parts ---- */

#define BAND_ROWS 10

/* A part of the table of metrics: bands of BAND_ROWS rows, every column, ids in the first. `told` is what its head says
 * of rows, and the last band lacks `missing` columns. */
static struct manifest_part
write_part(struct byte_buffer *to, uint32_t bands, uint32_t told, uint32_t missing)
{
    const struct table  *table = &schema_builtin()->tables[KNACKDB_PERFORMANCE_METRICS];
    struct block_encoder encoder;
    uint64_t             checksum, block_checksum;
    uint32_t             blocks = 0;

    block_encoder_init(&encoder, to->allocator);
    part_head_write(to, STORE, NUMBER, told, 1, table, &checksum);
    for (uint32_t band = 0; band < bands; band++) {
        for (uint32_t column = 0; column < table->column_count - (band + 1 == bands ? missing : 0); column++) {
            knackdb_value values[BAND_ROWS];

            for (int i = 0; i < BAND_ROWS; i++)
                values[i] = column == 0 ? knackdb_value_integer((int64_t) band * BAND_ROWS + i + 1)
                                        : knackdb_value_null();
            cr_assert_eq(block_encode(&encoder, table->columns[column].type, false, (uint16_t) column, band * BAND_ROWS,
                                      values, BAND_ROWS, store_id_seed(STORE, NUMBER), to, &block_checksum, NULL),
                         KNACKDB_OK);
            checksum = part_checksum_add(checksum, block_checksum);
            blocks++;
        }
    }
    part_end_write(to, blocks, checksum);
    block_encoder_clear(&encoder);
    cr_assert_not(to->failed);
    return (struct manifest_part) {
        .number = NUMBER, .kind = PART_ROWS, .row_count = told, .bytes = to->bytes, .checksum = checksum
    };
}

static knackdb_status
read_part(struct allocator *allocator, const struct file *file, const struct manifest_part *part, uint64_t store_id)
{
    struct part_reader   reader;
    struct block_header  header;
    const unsigned char *stored;
    knackdb_status       status = part_reader_open(&reader, allocator, file, part, store_id, NULL);

    while (status == KNACKDB_OK)
        status = part_reader_next(&reader, &header, &stored, NULL);
    part_reader_clear(&reader);
    return status;
}

Test(decoded_parts, a_part_is_read_whole_or_it_is_said_what_failed)
{
    static struct mishaps mishaps;
    struct allocator      plain;
    struct byte_buffer    bytes;
    struct manifest_part  part;

    allocator_init(&plain, NULL);
    byte_buffer_init(&bytes, &plain);
    part = write_part(&bytes, 2, 2 * BAND_ROWS, 0);
    for (mishaps_begin(&mishaps, bytes.data, bytes.bytes); mishaps_next(&mishaps);)
        mishaps_end(&mishaps, read_part(&mishaps.allocator, &mishaps.memory.file, &part, STORE), KNACKDB_NOT_FOUND);
    cr_assert_gt(mishaps.fail_at, 20);
    for (size_t cut = 1; cut < bytes.bytes; cut++) { /* it becomes shorter once its size has been asked for */
        mishaps_begin(&mishaps, bytes.data, bytes.bytes - cut);
        mishaps.told_more = cut;
        cr_assert_eq(read_part(&mishaps.allocator, &mishaps.memory.file, &part, STORE), KNACKDB_CORRUPT, "%zu", cut);
        free(mishaps.written);
    }
    byte_buffer_clear(&bytes);
}

Test(decoded_parts, a_part_is_the_one_that_the_manifest_names)
{
    static struct memory_file memory;
    struct allocator          plain;
    struct byte_buffer        bytes;
    struct manifest_part      part;
    struct manifest_part      other;

    allocator_init(&plain, NULL);
    byte_buffer_init(&bytes, &plain);
    part = write_part(&bytes, 1, BAND_ROWS, 0);
    memory_file_init(&memory, "part", bytes.data, bytes.bytes);
    cr_expect_eq(read_part(&plain, &memory.file, &part, STORE), KNACKDB_NOT_FOUND);
    cr_expect_eq(read_part(&plain, &memory.file, &part, STORE + 1), KNACKDB_CORRUPT);
    other = part, other.number++;
    cr_expect_eq(read_part(&plain, &memory.file, &other, STORE), KNACKDB_CORRUPT);
    other = part, other.row_count++;
    cr_expect_eq(read_part(&plain, &memory.file, &other, STORE), KNACKDB_CORRUPT);
    other = part, other.checksum++;
    cr_expect_eq(read_part(&plain, &memory.file, &other, STORE), KNACKDB_CORRUPT);

    /* A band too few, and a band without its last columns, in files that are right otherwise; and an end that counts
     * other blocks. */
    bytes.bytes = 0;
    part = write_part(&bytes, 1, 2 * BAND_ROWS, 0);
    memory_file_init(&memory, "part", bytes.data, bytes.bytes);
    cr_expect_eq(read_part(&plain, &memory.file, &part, STORE), KNACKDB_CORRUPT);
    bytes.bytes = 0;
    part = write_part(&bytes, 2, 2 * BAND_ROWS, 1);
    memory_file_init(&memory, "part", bytes.data, bytes.bytes);
    cr_expect_eq(read_part(&plain, &memory.file, &part, STORE), KNACKDB_CORRUPT);
    bytes.bytes = 0;
    part = write_part(&bytes, 2, 2 * BAND_ROWS, 0);
    bytes.data[bytes.bytes - PART_END_BYTES + 8]++;
    memory_file_init(&memory, "part", bytes.data, bytes.bytes);
    cr_expect_eq(read_part(&plain, &memory.file, &part, STORE), KNACKDB_CORRUPT);

    /* Blocks that are right each by itself, and others than those that end and manifest were written for. */
    bytes.data[bytes.bytes - PART_END_BYTES + 8]--;
    cr_expect_eq(read_part(&plain, &memory.file, &part, STORE), KNACKDB_NOT_FOUND);
    bytes_put_u64(bytes.data + bytes.bytes - 8, ++part.checksum);
    cr_expect_eq(read_part(&plain, &memory.file, &part, STORE), KNACKDB_CORRUPT);
    byte_buffer_clear(&bytes);
}

Test(decoded_parts, a_head_of_a_part_makes_sense_or_is_refused)
{
    static const struct damage cases[] = {
        { 0, 1, 'k', KNACKDB_CORRUPT },
        { 8, 2, 0, KNACKDB_CORRUPT }, /* format */
        { 8, 2, PART_FORMAT_VERSION + 1, KNACKDB_UNSUPPORTED },
        { 10, 2, 1, KNACKDB_CORRUPT }, /* reserved */
        { 16, 8, 1, KNACKDB_OK },      /* compatible flags */
        { 24, 8, 1, KNACKDB_UNSUPPORTED },
        { 52, 4, 0, KNACKDB_CORRUPT }, /* rows */
        { 52, 4, PART_ROWS_MAX + 1, KNACKDB_CORRUPT },
        { 56, 4, 5, KNACKDB_CORRUPT }, /* bytes of the description: too few, */
        { 56, 4, 100000, KNACKDB_CORRUPT },
        { 72, 1, 0, KNACKDB_CORRUPT }, /* a table without a name */
    };
    struct allocator   plain;
    struct byte_buffer bytes;
    struct part_head   head;
    size_t             end;
    uint64_t           checksum;

    allocator_init(&plain, NULL);
    byte_buffer_init(&bytes, &plain);
    part_head_write(&bytes, STORE, NUMBER, 10, 1, &schema_builtin()->tables[0], &checksum);
    end = bytes.bytes - 8;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t was = swap_number(bytes.data, cases[i].at, cases[i].bytes, cases[i].value);

        bytes_put_u64(bytes.data + end, hash_bytes(bytes.data, end, 0));
        cr_expect_eq(part_head_read(bytes.data, bytes.bytes, &head, NULL), cases[i].status, "case %zu", i);
        (void) swap_number(bytes.data, cases[i].at, cases[i].bytes, was);
    }
    /* A description that has bytes left over, as many as the zeros behind it allow, and one more than they do. */
    for (uint32_t more = 0; bytes_get_u32(bytes.data + 56) + PART_HEAD_FIXED_BYTES <= end; more++) {
        bytes_put_u64(bytes.data + end, hash_bytes(bytes.data, end, 0));
        cr_expect_eq(part_head_read(bytes.data, bytes.bytes, &head, NULL), more == 0 ? KNACKDB_OK : KNACKDB_CORRUPT);
        bytes.data[56]++;
    }
    cr_expect_eq(part_head_read(bytes.data, end, &head, NULL), KNACKDB_CORRUPT);
    cr_expect_eq(part_head_read(bytes.data, PART_HEAD_FIXED_BYTES - 1, &head, NULL), KNACKDB_CORRUPT);
    byte_buffer_clear(&bytes);
}

/* ---- what is written where memory is missing ---- */

static knackdb_status
write_ends(struct byte_buffer *to)
{
    static uint64_t    few[PART_ROWS_MAX / 64] = { 9 };
    static uint64_t    many[2] = { UINT64_MAX, 1 };
    struct ends_writer writer;
    uint64_t           checksum;

    ends_begin(&writer, to, STORE, NUMBER);
    ends_put(&writer, 1, PART_ROWS_MAX, few, 2);
    for (uint64_t part = 2; part < 40; part++)
        ends_put(&writer, part, 70, many, 65);
    checksum = ends_finish(&writer);
    cr_assert_eq(checksum == 0, to->failed);
    return to->failed ? KNACKDB_NO_MEMORY : KNACKDB_OK;
}

static knackdb_status
write_head_of_part(struct byte_buffer *to)
{
    uint64_t checksum;

    part_head_write(to, STORE, NUMBER, 10, 1, &schema_builtin()->tables[0], &checksum);
    cr_assert_eq(checksum == 0, to->failed);
    return to->failed ? KNACKDB_NO_MEMORY : KNACKDB_OK;
}

static knackdb_status
write_manifest(struct byte_buffer *to)
{
    static const struct manifest_migration migrations[] = { { 1, 2, 99 }, { 2, 3, 100 } };
    struct manifest                        manifest;
    struct manifest                        read;
    size_t                                 offset;
    knackdb_status                         status = KNACKDB_OK;

    manifest_init(&manifest, to->allocator);
    manifest_init(&read, to->allocator);
    manifest_set_tables(&manifest, schema_builtin());
    manifest.generation = manifest.log_serial = manifest.next_part = 1;
    for (size_t i = 0; i < 2 && status == KNACKDB_OK; i++)
        status = manifest_add_migration(&manifest, &migrations[i], NULL);
    for (uint64_t i = 1; i <= 9 && status == KNACKDB_OK; i++)
        status = manifest_add_part(&manifest, &(struct manifest_part) { .number = i, .kind = PART_ROWS }, NULL);
    if (status == KNACKDB_OK) {
        manifest_write(&manifest, to);
        status = to->failed ? KNACKDB_NO_MEMORY : manifest_read(&read, to->data, to->bytes, &offset, NULL);
    }
    cr_assert(status != KNACKDB_OK || (read.part_count == 9 && read.migration_count == 2));
    manifest_clear(&read);
    manifest_clear(&manifest);
    return status;
}

Test(decoded_parts, what_found_no_memory_says_so)
{
    static knackdb_status (*const write[])(struct byte_buffer *) = { write_ends, write_head_of_part, write_manifest };
    static struct mishaps mishaps;

    for (size_t i = 0; i < sizeof write / sizeof write[0]; i++) {
        for (mishaps_begin(&mishaps, "", 0); mishaps_next(&mishaps);) {
            struct byte_buffer bytes;
            knackdb_status     status;

            byte_buffer_init(&bytes, &mishaps.allocator);
            status = write[i](&bytes);
            byte_buffer_clear(&bytes);
            mishaps_end(&mishaps, status, KNACKDB_OK);
        }
        cr_assert_gt(mishaps.fail_at, 2);
    }
}

/* ---- manifests ---- */

Test(decoded_parts, a_manifest_makes_sense_or_is_refused)
{
    enum { FIRST_TABLE = 112, TABLES_BYTES = 1 + 34 + 16, PART_BYTES = 48 };
    static const struct damage cases[] = {
        { 8, 2, 0, KNACKDB_CORRUPT }, /* format */
        { 8, 2, MANIFEST_FORMAT_VERSION + 1, KNACKDB_UNSUPPORTED },
        { 10, 2, 1, KNACKDB_CORRUPT },
        { 16, 8, 1, KNACKDB_OK },
        { 24, 8, 1, KNACKDB_UNSUPPORTED },
        { 40, 8, 0, KNACKDB_CORRUPT }, /* generation */
        { 40, 8, UINT64_MAX, KNACKDB_CORRUPT },
        { 80, 8, 0, KNACKDB_CORRUPT }, /* serial of the log */
        { 88, 8, 0, KNACKDB_CORRUPT }, /* next part */
        { 100, 4, KNACKDB_TABLES_MAX + 1, KNACKDB_CORRUPT },
        { 100, 4, 0, KNACKDB_CORRUPT }, /* no tables, and parts of them */
        { 104, 4, 1, KNACKDB_CORRUPT }, /* a migration in place of the table */
        { 104, 4, 5000, KNACKDB_CORRUPT },
        { 108, 4, 1, KNACKDB_CORRUPT }, /* parts: fewer and more */
        { 108, 4, 3, KNACKDB_CORRUPT }, /* the third would have room if the table had not */
        { 108, 4, 4, KNACKDB_CORRUPT },
        { FIRST_TABLE, 1, 0, KNACKDB_CORRUPT }, /* a name of no byte, of too many, of a zero */
        { FIRST_TABLE, 1, 64, KNACKDB_CORRUPT },
        { FIRST_TABLE, 1, 255, KNACKDB_CORRUPT },
        { FIRST_TABLE, 1, 63, KNACKDB_CORRUPT },
        { FIRST_TABLE + 1, 1, 0, KNACKDB_CORRUPT },
        { FIRST_TABLE + TABLES_BYTES + 8, 1, 1, KNACKDB_CORRUPT },         /* a part of a table that is not there, */
        { FIRST_TABLE + TABLES_BYTES + 9, 1, 3, KNACKDB_UNSUPPORTED },     /* of a kind, */
        { FIRST_TABLE + TABLES_BYTES + 9, 1, PART_ENDS, KNACKDB_CORRUPT }, /* and of ends a second time */
    };
    static const struct table  small = { .name = "a_table_of_a_name_of_34_characters", .column_count = 1 };
    static const struct schema schema = { .version = 1, .table_count = 1, .tables = { small } };
    struct allocator           plain;
    struct manifest            manifest;
    struct byte_buffer         bytes;
    size_t                     offset;

    allocator_init(&plain, NULL);
    manifest_init(&manifest, &plain);
    byte_buffer_init(&bytes, &plain);
    manifest_set_tables(&manifest, &schema);
    manifest.generation = manifest.log_serial = manifest.next_part = 5;
    for (uint64_t i = 1; i <= 2; i++)
        cr_assert_eq(manifest_add_part(&manifest,
                                       &(struct manifest_part) { .number = i, .kind = i == 1 ? PART_ROWS : PART_ENDS },
                                       NULL),
                     KNACKDB_OK);
    manifest_write(&manifest, &bytes);
    manifest_clear(&manifest);
    cr_assert_eq(bytes.bytes, FIRST_TABLE + TABLES_BYTES + 2 * PART_BYTES + 8);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t was = swap_number(bytes.data, cases[i].at, cases[i].bytes, cases[i].value);

        bytes_put_u64(bytes.data + bytes.bytes - 8, hash_bytes(bytes.data, bytes.bytes - 8, 0));
        cr_expect_eq(manifest_read(&manifest, bytes.data, bytes.bytes, &offset, NULL), cases[i].status, "case %zu", i);
        manifest_clear(&manifest);
        (void) swap_number(bytes.data, cases[i].at, cases[i].bytes, was);
    }
    byte_buffer_clear(&bytes);
}

/* ---- ends ---- */

Test(decoded_parts, ends_are_those_that_the_manifest_names_and_of_rows_that_a_part_has)
{
    struct allocator   plain;
    struct byte_buffer bytes;
    struct ends_reader reader;
    struct ends_entry  entry;
    size_t             offset;
    /* Of the second entry. */
    size_t             bits = ENDS_HEAD_BYTES + ENDS_ENTRY_HEAD_BYTES + 8 + ENDS_ENTRY_HEAD_BYTES;

    allocator_init(&plain, NULL);
    byte_buffer_init(&bytes, &plain);
    cr_assert_eq(write_ends(&bytes), KNACKDB_OK);
    cr_expect_eq(ends_open(&reader, bytes.data, bytes.bytes, STORE + 1, NUMBER, &offset, NULL), KNACKDB_CORRUPT);
    cr_expect_eq(ends_open(&reader, bytes.data, bytes.bytes, STORE, NUMBER + 1, &offset, NULL), KNACKDB_CORRUPT);
    cr_expect_eq(ends_open(&reader, bytes.data, bytes.bytes, STORE, NUMBER, &offset, NULL), KNACKDB_OK);
    cr_expect_eq(ends_next(&reader, &entry, &offset, NULL), KNACKDB_OK);
    cr_expect_eq(ends_next(&reader, &entry, &offset, NULL), KNACKDB_OK);
    cr_assert_eq(bytes.data[bits + 8], 1, "the 65th row of 70");
    bytes.data[bits + 8] = 0x40; /* now the 71st: as many as before */
    ends_seal(bytes.data, bytes.bytes, STORE, NUMBER);
    cr_expect_eq(ends_open(&reader, bytes.data, bytes.bytes, STORE, NUMBER, &offset, NULL), KNACKDB_OK);
    cr_expect_eq(ends_next(&reader, &entry, &offset, NULL), KNACKDB_OK);
    cr_expect_eq(ends_next(&reader, &entry, &offset, NULL), KNACKDB_CORRUPT);
    byte_buffer_clear(&bytes);
}

/* Heads of entries that overlap, each claiming as many rows as a part may have: to look at them all would take
 * hours. */
Test(decoded_parts, a_search_for_ends_gives_up_where_somebody_made_it_dear)
{
    static unsigned char data[400000];
    struct ends_reader   reader;
    struct ends_entry    entry;
    size_t               bytes;

    for (size_t at = 0; at + 16 <= sizeof data; at += 16) {
        bytes_put_u32(data + at + 8, 20000);
        bytes_put_u32(data + at + 12, 10000);
    }
    cr_expect_not(ends_salvage(&reader, data, sizeof data, STORE, NUMBER));
    cr_expect_not(ends_seek(&reader, &entry, &bytes));
    cr_expect_lt(reader.entries.at, sizeof data / 2, "it stopped at byte %zu", reader.entries.at);
}
