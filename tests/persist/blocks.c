/* blocks.c - columns through blocks, parts and manifests, and what becomes of damaged ones. */
#include "tests/persist/bench.h"

#include "base/hash.h"
#include "persist/block_format.h"
#include "persist/description.h"
#include "persist/file_name.h"
#include "persist/manifest.h"
#include "persist/verification.h"
#include "tests/api/scratch.h"

#include <criterion/criterion.h>
#include <float.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- blocks ---- */

struct workshop {
    struct allocator     allocator;
    struct block_encoder encoder;
    struct block_decoder decoder;
    struct byte_buffer   out;
};

static void
workshop_open(struct workshop *workshop)
{
    allocator_init(&workshop->allocator, NULL);
    block_encoder_init(&workshop->encoder, &workshop->allocator);
    block_decoder_init(&workshop->decoder, &workshop->allocator);
    byte_buffer_init(&workshop->out, &workshop->allocator);
}

static void
workshop_close(struct workshop *workshop)
{
    block_encoder_clear(&workshop->encoder);
    block_decoder_clear(&workshop->decoder);
    byte_buffer_clear(&workshop->out);
    cr_assert_eq(atomic_load(&workshop->allocator.bytes), 0);
}

static bool
same_value(const knackdb_value *left, const knackdb_value *right)
{
    if (left->type != right->type)
        return false;
    if (left->type == KNACKDB_TEXT)
        return left->as.text.length == right->as.text.length &&
               memcmp(left->as.text.data, right->as.text.data, left->as.text.length) == 0;
    if (left->type == KNACKDB_REAL)
        return memcmp(&left->as.real, &right->as.real, sizeof left->as.real) == 0; /* -0 is not 0 */
    return left->type == KNACKDB_NULL || left->as.integer == right->as.integer;
}

/* Encodes, decodes and compares; returns how the values were encoded. */
static struct block_header
round_trip(struct workshop *workshop, knackdb_type type, bool repeats, const knackdb_value *values, uint32_t count)
{
    struct block_header header;
    knackdb_error       error = { 0 };
    uint64_t            checksum;

    workshop->out.bytes = 0;
    cr_assert_eq(block_encode(&workshop->encoder, type, repeats, 3, 77, values, count, 12345, &workshop->out, &checksum,
                              &error),
                 KNACKDB_OK, "%s", error.message);
    cr_assert_eq(block_header_read(workshop->out.data, type, &header, &error), KNACKDB_OK, "%s", error.message);
    cr_assert_eq(header.row_count, count);
    cr_assert_eq(header.column, 3);
    cr_assert_eq(header.first_row, 77);
    cr_assert_eq(workshop->out.bytes, BLOCK_HEADER_BYTES + header.stored_bytes);
    cr_assert_eq(header.checksum, checksum);
    cr_assert(block_is_intact(workshop->out.data, workshop->out.data + BLOCK_HEADER_BYTES, header.stored_bytes, 12345));
    cr_assert_not(
        block_is_intact(workshop->out.data, workshop->out.data + BLOCK_HEADER_BYTES, header.stored_bytes, 12346));
    cr_assert_eq(block_open(&workshop->decoder, type, &header, workshop->out.data + BLOCK_HEADER_BYTES, &error),
                 KNACKDB_OK, "%s", error.message);
    for (uint32_t i = 0; i < count; i++) {
        knackdb_value value = block_next(&workshop->decoder);

        cr_assert(same_value(&value, &values[i]), "value %u of %u", i, count);
    }
    return header;
}

static uint64_t
next_random(uint64_t *state)
{
    return hash_integer(*state += UINT64_C(0x9e3779b97f4a7c15));
}

Test(blocks, give_back_numbers_of_every_shape)
{
    static const int64_t integers[] = { 0, 1, -1, INT64_MAX, INT64_MIN, INT64_MIN + 1, 42, -42, INT64_C(1) << 53 };
    static const double  reals[] = { 0.0, -0.0, 1.0, -1.0, DBL_MAX, -DBL_MAX, DBL_MIN, DBL_TRUE_MIN, 0.1, 1.7e9 };
    struct workshop      workshop;
    struct block_header  header;
    knackdb_value       *values = calloc(BLOCK_ROWS_MAX, sizeof *values);

    workshop_open(&workshop);
    for (uint32_t count = 1; count <= BLOCK_ROWS_MAX; count = count * 3 + 1) {
        for (uint32_t i = 0; i < count; i++)
            values[i] = knackdb_value_integer(integers[i % 9]);
        header = round_trip(&workshop, KNACKDB_INTEGER, false, values, count);
        cr_assert_eq((int64_t) header.minimum, count > 4 ? INT64_MIN : count > 2 ? -1 : 0);
        for (uint32_t i = 0; i < count; i++)
            values[i] = i % 3 == 1 ? knackdb_value_null() : knackdb_value_real(reals[i % 10]);
        header = round_trip(&workshop, KNACKDB_REAL, false, values, count);
        cr_assert_eq(header.null_count, (count + 1) / 3);
    }
    for (uint32_t i = 0; i < BLOCK_ROWS_MAX; i++)
        values[i] = knackdb_value_integer(1000000 + i);
    header = round_trip(&workshop, KNACKDB_INTEGER, false, values, BLOCK_ROWS_MAX);
    cr_assert_eq(header.encoding, BLOCK_DELTA_SHUFFLED);
    cr_assert_lt(header.stored_bytes, 1000, "rising ids cost next to nothing");
    for (uint32_t i = 0; i < BLOCK_ROWS_MAX; i++)
        values[i] = knackdb_value_null();
    header = round_trip(&workshop, KNACKDB_REAL, false, values, BLOCK_ROWS_MAX);
    cr_assert_eq(header.stored_bytes, 0);
    free(values);
    workshop_close(&workshop);
}

Test(blocks, give_back_texts_of_every_shape)
{
    struct workshop     workshop;
    struct block_header header;
    knackdb_value      *values = calloc(BLOCK_ROWS_MAX, sizeof *values);
    char               *store = malloc(BLOCK_ROWS_MAX * 40);
    char               *giant = malloc(KNACKDB_TEXT_BYTES_MAX);

    workshop_open(&workshop);
    /* Distinct, empty and NULL ones; then few distinct ones; then more than a byte can number. */
    for (int distinct = 0; distinct < 4; distinct++) {
        static const uint32_t kinds[] = { BLOCK_ROWS_MAX, 5, 256, 700 };

        for (uint32_t i = 0; i < BLOCK_ROWS_MAX; i++) {
            char *text = store + 40 * i;
            int   length = snprintf(text, 40, "text %u", i % kinds[distinct]);

            values[i] = knackdb_value_text((knackdb_text) { text, i % 11 == 0 ? 0 : (size_t) length });
            if (i % 13 == 0)
                values[i] = knackdb_value_null();
        }
        for (uint32_t count = 1; count <= BLOCK_ROWS_MAX; count = count * 5 + 3) {
            (void) round_trip(&workshop, KNACKDB_TEXT, false, values, count);
            (void) round_trip(&workshop, KNACKDB_TEXT, true, values, count);
        }
        header = round_trip(&workshop, KNACKDB_TEXT, true, values, BLOCK_ROWS_MAX);
        cr_assert_eq(header.encoding, distinct == 0 ? BLOCK_TEXT : BLOCK_DICTIONARY);
    }
    for (size_t i = 0; i < KNACKDB_TEXT_BYTES_MAX; i++)
        giant[i] = (char) (i * i >> 9);
    values[0] = knackdb_value_text((knackdb_text) { giant, KNACKDB_TEXT_BYTES_MAX });
    (void) round_trip(&workshop, KNACKDB_TEXT, true, values, 20);
    (void) round_trip(&workshop, KNACKDB_TEXT, false, values, 1);
    free(giant);
    free(store);
    free(values);
    workshop_close(&workshop);
}

/* Bytes changed and the checksum left out: the decoder may give other values, but never leaves its memory (the
 * sanitizers look) and never allocates out of proportion. Seeded; a million changed bytes. */
Test(blocks, survive_bytes_that_mean_nothing)
{
    struct workshop workshop;
    knackdb_value   values[300];
    char            texts[300][24];
    uint64_t        random = 20261122;
    size_t          opened = 0;

    workshop_open(&workshop);
    for (int kind = 0; kind < 4; kind++) {
        knackdb_type   type = kind == 0 ? KNACKDB_INTEGER : kind == 1 ? KNACKDB_REAL : KNACKDB_TEXT;
        unsigned char *whole;
        size_t         bytes;

        for (uint32_t i = 0; i < 300; i++) {
            int length =
                snprintf(texts[i], sizeof texts[i], "t%" PRIu64, next_random(&random) % (kind == 3 ? 9 : 99999));

            values[i] = kind == 0   ? knackdb_value_integer((int64_t) i * 3)
                        : kind == 1 ? knackdb_value_real((double) i / 7)
                                    : knackdb_value_text((knackdb_text) { texts[i], (size_t) length });
            if (i % 10 == 9)
                values[i] = knackdb_value_null();
        }
        (void) round_trip(&workshop, type, kind == 3, values, 300);
        bytes = workshop.out.bytes;
        whole = malloc(bytes);
        memcpy(whole, workshop.out.data, bytes);
        for (int round = 0; round < 20000; round++) {
            unsigned char      *changed = malloc(bytes);
            struct block_header header;

            memcpy(changed, whole, bytes);
            for (int i = 0; i < 1 + round % 4; i++)
                changed[next_random(&random) % bytes] = (unsigned char) next_random(&random);
            if (block_header_read(changed, type, &header, NULL) == KNACKDB_OK &&
                header.stored_bytes <= bytes - BLOCK_HEADER_BYTES &&
                block_open(&workshop.decoder, type, &header, changed + BLOCK_HEADER_BYTES, NULL) == KNACKDB_OK) {
                opened++;
                for (uint32_t i = 0; i < header.row_count; i++) {
                    knackdb_value value = block_next(&workshop.decoder);

                    if (value.type == KNACKDB_TEXT)
                        (void) hash_bytes(value.as.text.data, value.as.text.length, 0); /* reads all of it */
                }
            }
            free(changed);
        }
        free(whole);
    }
    cr_assert_gt(opened, 1000, "the decoders were reached");
    cr_assert_lt(atomic_load(&workshop.allocator.bytes), 4 * 1024 * 1024);
    workshop_close(&workshop);
}

/* ---- descriptions, manifests, names ---- */

Test(manifests, come_back_as_they_were_and_from_no_prefix)
{
    struct allocator   allocator;
    struct manifest    manifest;
    struct manifest    read;
    struct byte_buffer bytes;
    size_t             offset;

    allocator_init(&allocator, NULL);
    manifest_init(&manifest, &allocator);
    manifest_init(&read, &allocator);
    byte_buffer_init(&bytes, &allocator);
    manifest_set_tables(&manifest, bench_schema(2));
    manifest.store_id = 77;
    manifest.generation = 5;
    manifest.sequence = 1234;
    manifest.time_us = -5;
    manifest.log_serial = 9;
    manifest.next_part = 12;
    manifest.tables[1].next_id = INT64_MAX;
    manifest.tables[0].row_count = 3;
    for (uint64_t i = 1; i <= 20; i++) {
        struct manifest_part part = {
            .number = i, .table = i % 2, .kind = PART_ROWS, .row_count = i, .bytes = i * 100, .checksum = i << 40
        };

        cr_assert_eq(manifest_add_part(&manifest, &part, NULL), KNACKDB_OK);
    }
    cr_assert_eq(manifest_add_migration(&manifest, &(struct manifest_migration) { 1, 2, 99 }, NULL), KNACKDB_OK);
    manifest_write(&manifest, &bytes);
    cr_assert_not(bytes.failed);

    cr_assert_eq(manifest_read(&read, bytes.data, bytes.bytes, &offset, NULL), KNACKDB_OK);
    cr_assert_eq(read.store_id, 77);
    cr_assert_eq(read.generation, 5);
    cr_assert_eq(read.sequence, 1234);
    cr_assert_eq(read.time_us, -5);
    cr_assert_eq(read.log_serial, 9);
    cr_assert_eq(read.next_part, 12);
    cr_assert_eq(read.schema_version, 2);
    cr_assert_eq(read.table_count, 2);
    cr_assert_str_eq(read.tables[1].name, "places");
    cr_assert_eq(read.tables[1].next_id, INT64_MAX);
    cr_assert_eq(read.part_count, 20);
    cr_assert_eq(read.parts[19].checksum, UINT64_C(20) << 40);
    cr_assert_eq(read.migration_count, 1);
    cr_assert_eq(read.migrations[0].time_us, 99);
    manifest_clear(&read);

    for (size_t cut = 0; cut < bytes.bytes; cut++) {
        unsigned char *prefix = malloc(cut + 1);

        memcpy(prefix, bytes.data, cut);
        cr_assert_eq(manifest_read(&read, prefix, cut, &offset, NULL), KNACKDB_CORRUPT, "%zu bytes", cut);
        manifest_clear(&read);
        free(prefix);
    }
    for (size_t bit = 0; bit < bytes.bytes * 8; bit++) {
        bytes.data[bit / 8] ^= (unsigned char) (1u << bit % 8);
        cr_assert_eq(manifest_read(&read, bytes.data, bytes.bytes, &offset, NULL), KNACKDB_CORRUPT, "bit %zu", bit);
        manifest_clear(&read);
        bytes.data[bit / 8] ^= (unsigned char) (1u << bit % 8);
    }
    byte_buffer_clear(&bytes);
    manifest_clear(&manifest);
    cr_assert_eq(atomic_load(&allocator.bytes), 0);
}

/* With a right checksum, so that the parser is reached: whatever the numbers say, no crash and no great allocation. */
Test(manifests, survive_hostile_numbers)
{
    struct allocator   allocator;
    struct manifest    manifest;
    struct byte_buffer bytes;
    uint64_t           random = 7;

    allocator_init(&allocator, NULL);
    manifest_init(&manifest, &allocator);
    byte_buffer_init(&bytes, &allocator);
    manifest_set_tables(&manifest, bench_schema(1));
    cr_assert_eq(manifest_add_part(&manifest, &(struct manifest_part) { .number = 1, .kind = PART_ROWS }, NULL),
                 KNACKDB_OK);
    manifest_write(&manifest, &bytes);
    for (int round = 0; round < 200000; round++) {
        unsigned char *changed = malloc(bytes.bytes);
        size_t         offset;

        memcpy(changed, bytes.data, bytes.bytes);
        for (int i = 0; i < 1 + round % 3; i++)
            changed[16 + next_random(&random) % (bytes.bytes - 24)] = (unsigned char) next_random(&random);
        bytes_put_u64(changed + bytes.bytes - 8, hash_bytes(changed, bytes.bytes - 8, 0));
        (void) manifest_read(&manifest, changed, bytes.bytes, &offset, NULL);
        cr_assert_lt(atomic_load(&allocator.bytes), 100000);
        manifest_clear(&manifest);
        free(changed);
    }
    byte_buffer_clear(&bytes);
}

Test(file_names, are_ours_only_when_we_would_have_written_them)
{
    char     name[DISK_NAME_BYTES_MAX];
    uint64_t number;

    file_name_write(name, FILE_PART, UINT64_C(0xfedcba9876543210));
    cr_assert_str_eq(name, "part-fedcba9876543210.knp");
    cr_assert_eq(file_name_read(name, &number), FILE_PART);
    cr_assert_eq(number, UINT64_C(0xfedcba9876543210));
    file_name_write_torn(name, 3, 256);
    cr_assert_eq(file_name_read(name, &number), FILE_TORN);
    cr_assert_eq(number, 3);
    cr_assert_eq(file_name_read("manifest-0000000000000007.knm~", &number), FILE_UNFINISHED);
    cr_assert_eq(file_name_read("manifest-0000000000000007.knm", &number), FILE_MANIFEST);
    cr_assert_eq(file_name_read("log-0000000000000001.kn", &number), FILE_FOREIGN);
    cr_assert_eq(file_name_read("log-0000000000000001.knl.bak", &number), FILE_FOREIGN);
    cr_assert_eq(file_name_read("log-000000000000000G.knl", &number), FILE_FOREIGN);
    cr_assert_eq(file_name_read("log-00000000000000001.knl", &number), FILE_FOREIGN);
    cr_assert_eq(file_name_read("Log-0000000000000001.knl", &number), FILE_FOREIGN);
    cr_assert_eq(file_name_read("", &number), FILE_FOREIGN);
    cr_assert_eq(file_name_read("torn-", &number), FILE_FOREIGN);
    cr_assert_eq(file_name_read("torn-0000000000000003", &number), FILE_FOREIGN);
    cr_assert_eq(file_name_read("torn-0000000000000003-01", &number), FILE_FOREIGN);
    cr_assert_eq(file_name_read("torn-0000000000000003-0000000000000100", &number), FILE_FOREIGN);
    cr_assert_eq(file_name_read("torn-0000000000000003-0000000000000100.knl", &number), FILE_FOREIGN);
    cr_assert_eq(number, 0);
}

/* ---- a snapshot's files, damaged ---- */

struct heard {
    int  faults;
    char file[64];
};

static void
hear_fault(void *context, const knackdb_fault *fault)
{
    struct heard *heard = context;

    heard->faults++;
    (void) snprintf(heard->file, sizeof heard->file, "%s", fault->file);
}

static knackdb_status
verify(const char *path, struct heard *heard, knackdb_verify_report *report)
{
    struct verify_options options = {
        .disk = disk_posix(),
        .history = bench_history(),
        .schema = bench_schema(1),
        .on_fault = hear_fault,
        .context = heard,
    };
    struct allocator allocator;

    memset(heard, 0, sizeof *heard);
    allocator_init(&allocator, NULL);
    return verify_directory(&allocator, path, &options, report, NULL);
}

static void
assert_damage_is_found(const char *path, const char *name, const char *what, size_t where)
{
    struct keeper_options options = kept_options();
    struct kept           kept;
    struct heard          heard;
    knackdb_status        status;

    options.read_only = true;
    cr_assert_eq(verify(path, &heard, NULL), KNACKDB_CORRUPT, "%s %s %zu: verify did not notice", name, what, where);
    cr_assert_str_eq(heard.file, name);
    status = kept_open(&kept, path, 1, &options);
    cr_assert(status == KNACKDB_CORRUPT || status == KNACKDB_UNSUPPORTED, "%s %s %zu: %d", name, what, where, status);
    cr_assert_not_null(strstr(kept.error.message, name), "%s", kept.error.message);
}

/* Every bit of a small part and of its manifest flipped, every byte removed, every prefix. */
Test(snapshots, tell_every_damage_by_file)
{
    char                  path[SCRATCH_PATH_MAX];
    struct kept           kept;
    struct heard          heard;
    knackdb_verify_report report;

    scratch_prefer_memory();
    scratch_make(path);
    kept_must_open(&kept, path, 1, NULL);
    bench_put_many(kept.store, 1, 6);
    cr_assert_eq(keeper_snapshot(kept.keeper, NULL), KNACKDB_OK);
    kept_close(&kept);
    cr_assert_eq(verify(path, &heard, &report), KNACKDB_OK);
    cr_assert_eq(report.block_count, 6);
    cr_assert_eq(report.file_count, 2);

    for (int which = 0; which < 2; which++) {
        char           name[64];
        struct bytes   bytes;
        unsigned char *shorter;

        cr_assert_eq(names_count(path, which == 0 ? "part-" : "manifest-", name), 1);
        bytes = bytes_read(path, name);
        shorter = malloc(bytes.count);
        for (size_t bit = 0; bit < bytes.count * 8; bit++) {
            bytes.data[bit / 8] ^= (unsigned char) (1u << bit % 8);
            bytes_write(path, name, bytes.data, bytes.count);
            assert_damage_is_found(path, name, "bit", bit);
            bytes.data[bit / 8] ^= (unsigned char) (1u << bit % 8);
        }
        for (size_t at = 0; at < bytes.count; at++) {
            memcpy(shorter, bytes.data, at);
            memcpy(shorter + at, bytes.data + at + 1, bytes.count - at - 1);
            bytes_write(path, name, shorter, bytes.count - 1);
            assert_damage_is_found(path, name, "without byte", at);
            bytes_write(path, name, bytes.data, at);
            assert_damage_is_found(path, name, "cut at", at);
        }
        bytes_write(path, name, bytes.data, bytes.count);
        free(shorter);
        bytes_free(&bytes);
    }
    cr_assert_eq(verify(path, &heard, &report), KNACKDB_OK);
    scratch_remove(path);
}

/* Where the rows of a part go is planned before it is read, by what the manifest says. */
Test(snapshots, refuse_a_part_of_another_table_than_the_manifest_says)
{
    struct verify_options options = {
        .disk = disk_posix(), .history = bench_history(), .schema = bench_schema(2), .on_fault = hear_fault
    };
    char               path[SCRATCH_PATH_MAX];
    char               name[64];
    char               part[64];
    struct kept        kept;
    struct heard       heard = { 0 };
    struct manifest    manifest;
    struct byte_buffer written;
    struct allocator   allocator;
    struct bytes       bytes;
    size_t             offset;

    scratch_make(path);
    kept_must_open(&kept, path, 2, NULL);
    bench_put_many(kept.store, 1, 6);
    cr_assert_eq(keeper_snapshot(kept.keeper, NULL), KNACKDB_OK);
    kept_close(&kept);
    (void) names_count(path, "part-", part);
    (void) names_count(path, "manifest-", name);

    allocator_init(&allocator, NULL);
    manifest_init(&manifest, &allocator);
    byte_buffer_init(&written, &allocator);
    bytes = bytes_read(path, name);
    cr_assert_eq(manifest_read(&manifest, bytes.data, bytes.count, &offset, NULL), KNACKDB_OK);
    cr_assert_eq(manifest.table_count, 2);
    manifest.parts[0].table ^= 1;
    manifest_write(&manifest, &written);
    bytes_write(path, name, written.data, written.bytes);

    cr_expect_eq(kept_open(&kept, path, 2, NULL), KNACKDB_CORRUPT);
    cr_expect_not_null(strstr(kept.error.message, part), "%s", kept.error.message);
    cr_expect_not_null(strstr(kept.error.message, "another table"), "%s", kept.error.message);
    options.context = &heard;
    cr_expect_eq(verify_directory(&allocator, path, &options, NULL, NULL), KNACKDB_CORRUPT);
    cr_expect_str_eq(heard.file, part);
    byte_buffer_clear(&written);
    manifest_clear(&manifest);
    bytes_free(&bytes);
    scratch_remove(path);
}

/* A part that another store wrote, or an older one of the same store, is not taken for the one that is missing. */
Test(snapshots, take_no_other_part_for_theirs)
{
    char         path[SCRATCH_PATH_MAX];
    char         name[64];
    struct kept  kept;
    struct heard heard;
    struct bytes old;

    scratch_make(path);
    kept_must_open(&kept, path, 1, NULL);
    bench_put_many(kept.store, 1, 50);
    cr_assert_eq(keeper_snapshot(kept.keeper, NULL), KNACKDB_OK);
    cr_assert_eq(names_count(path, "part-", name), 1);
    old = bytes_read(path, name);
    bench_put_many(kept.store, 1, 50);
    cr_assert_eq(keeper_snapshot(kept.keeper, NULL), KNACKDB_OK);
    kept_close(&kept);
    cr_assert_eq(names_count(path, "part-", name), 1, "the old part, whose rows have all ended, is gone");
    bytes_write(path, name, old.data, old.count);
    cr_assert_eq(verify(path, &heard, NULL), KNACKDB_CORRUPT);
    cr_assert_eq(kept_open(&kept, path, 1, NULL), KNACKDB_CORRUPT);
    bytes_free(&old);
    scratch_remove(path);
}

/* A flipped bit in one block: verify names it and still reads all others. */
Test(snapshots, lose_no_more_than_the_block_that_was_hit)
{
    char                  path[SCRATCH_PATH_MAX];
    char                  name[64];
    struct kept           kept;
    struct heard          heard;
    knackdb_verify_report sound;
    knackdb_verify_report hit;
    struct bytes          bytes;

    scratch_make(path);
    kept_must_open(&kept, path, 1, NULL);
    bench_put_many(kept.store, 1, 20000);
    cr_assert_eq(keeper_snapshot(kept.keeper, NULL), KNACKDB_OK);
    kept_close(&kept);
    cr_assert_eq(verify(path, &heard, &sound), KNACKDB_OK);
    (void) names_count(path, "part-", name);
    bytes = bytes_read(path, name);
    bytes.data[bytes.count / 2] ^= 16;
    bytes_write(path, name, bytes.data, bytes.count);
    cr_assert_eq(verify(path, &heard, &hit), KNACKDB_CORRUPT);
    cr_assert_eq(heard.faults, 1);
    cr_assert_eq(hit.block_count, sound.block_count - 1);
    bytes_free(&bytes);
    scratch_remove(path);
}
