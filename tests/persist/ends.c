/* ends.c - which rows of parts have ended: the bytes that tell of it, under every change. */
#include "persist/coverage.h"
#include "persist/ends_format.h"
#include "tests/persist/ends_seal.h"

#include <criterion/criterion.h>
#include <string.h>

/* Reads it to its end, marking, as a load does. */
static knackdb_status
read_ends(const unsigned char *data, size_t bytes, uint64_t *ret_rows, size_t *ret_offset)
{
    static uint64_t    marks[PART_ROWS_MAX / 64];
    struct ends_reader reader;
    struct ends_entry  entry;
    knackdb_status     status = ends_open(&reader, data, bytes, 77, 5, ret_offset, NULL);

    *ret_rows = 0;
    while (status == KNACKDB_OK) {
        status = ends_next(&reader, &entry, ret_offset, NULL);
        if (status == KNACKDB_OK) {
            memset(marks, 0, sizeof marks);
            ends_mark(&entry, marks);
            for (size_t i = 0; i < PART_ROWS_MAX / 64; i++)
                *ret_rows += (uint64_t) __builtin_popcountll(marks[i]);
        }
    }
    return status;
}

/* Where a changed byte of the file below is to be told of: its head, an entry, or the checksum of all of it, which
 * alone stands for the zeros behind an entry. */
static size_t
place_of(size_t at, size_t bytes)
{
    static const size_t first = ENDS_HEAD_BYTES;
    static const size_t second = ENDS_HEAD_BYTES + ENDS_ENTRY_HEAD_BYTES + 80;

    if (at < first)
        return 0;
    if (at < second)
        return first;
    return at < second + ENDS_ENTRY_HEAD_BYTES + 17 ? second : bytes - 8;
}

/* Both forms come back as they went; changed bytes are refused and told by their place, also where the checksums were
 * made to match: then what is taken is sound, as many rows as are told of. */
Test(ends, come_back_or_are_refused)
{
    struct allocator   allocator;
    struct byte_buffer bytes;
    struct ends_writer writer;
    static uint64_t    few[PART_ROWS_MAX / 64];
    static uint64_t    many[3];
    uint64_t           rows;
    uint64_t           refused = 0;
    size_t             offset;
    unsigned char      sound[240];

    allocator_init(&allocator, NULL);
    byte_buffer_init(&bytes, &allocator);
    for (uint32_t i = 0; i < 40; i++)
        bitmap_set(few, i * 1600 + 63);
    for (uint32_t i = 0; i < 131; i += 2)
        bitmap_set(many, i);
    ends_begin(&writer, &bytes, 77, 5);
    ends_put(&writer, 2, PART_ROWS_MAX, few, 40);
    ends_put(&writer, 4, 131, many, 66);
    (void) ends_finish(&writer);
    cr_assert_not(bytes.failed);
    cr_assert_eq(read_ends(bytes.data, bytes.bytes, &rows, &offset), KNACKDB_NOT_FOUND);
    cr_assert_eq(rows, 106);
    cr_assert_eq(bytes.bytes, sizeof sound);
    memcpy(sound, bytes.data, sizeof sound);
    for (size_t cut = 0; cut < bytes.bytes; cut++)
        cr_assert_eq(read_ends(bytes.data, cut, &rows, &offset), KNACKDB_CORRUPT, "cut at %zu", cut);
    for (size_t at = 0; at < bytes.bytes - 8; at++) {
        for (int bit = 0; bit < 8; bit++) {
            knackdb_status status;

            bytes.data[at] ^= (unsigned char) (1 << bit);
            cr_assert_eq(read_ends(bytes.data, bytes.bytes, &rows, &offset), KNACKDB_CORRUPT, "bit %d of byte %zu", bit,
                         at);
            if (at >= 10) /* otherwise it is none, or one of another format */
                cr_assert_eq(offset, place_of(at, bytes.bytes), "byte %zu is told at %zu", at, offset);
            ends_seal(bytes.data, bytes.bytes, 77, 5);
            status = read_ends(bytes.data, bytes.bytes, &rows, &offset);
            cr_assert(status == KNACKDB_CORRUPT || status == KNACKDB_UNSUPPORTED || status == KNACKDB_NOT_FOUND);
            cr_assert(status != KNACKDB_NOT_FOUND || rows == 106);
            refused += status != KNACKDB_NOT_FOUND;
            memcpy(bytes.data, sound, bytes.bytes);
        }
    }
    cr_assert_gt(refused, 500);
    byte_buffer_clear(&bytes);
}

/* As a file of format 1 was written, whose entries had no checksums: golden.c opens a directory of such, and here none
 * of its entries is found once it is damaged. */
Test(ends, of_the_format_before_are_read_and_not_salvaged)
{
    struct allocator   allocator;
    struct byte_buffer bytes;
    struct ends_reader reader;
    struct ends_entry  entry;
    uint64_t           rows;
    size_t             offset;

    allocator_init(&allocator, NULL);
    byte_buffer_init(&bytes, &allocator);
    byte_buffer_put(&bytes, ENDS_MAGIC, 8);
    byte_buffer_put_u32(&bytes, 1); /* format 1, and zero */
    byte_buffer_put_u32(&bytes, 1); /* entries */
    byte_buffer_put_u64(&bytes, 0);
    byte_buffer_put_u64(&bytes, 0);
    byte_buffer_put_u64(&bytes, 77);
    byte_buffer_put_u64(&bytes, 5);
    byte_buffer_put_u64(&bytes, 2); /* rows */
    byte_buffer_put_u64(&bytes, 0);
    byte_buffer_put_u64(&bytes, 3); /* of part 3, */
    byte_buffer_put_u32(&bytes, 9000);
    byte_buffer_put_u32(&bytes, 2);
    byte_buffer_put_u64(&bytes, 0); /* as a list, */
    byte_buffer_put_u64(&bytes, 5 + (8999 << 16));
    byte_buffer_put_u64(&bytes, hash_bytes(bytes.data, bytes.bytes, 0));
    cr_assert_eq(read_ends(bytes.data, bytes.bytes, &rows, &offset), KNACKDB_NOT_FOUND);
    cr_assert_eq(rows, 2);
    for (size_t at = 0; at < bytes.bytes; at++) {
        bytes.data[at] ^= 8;
        cr_assert_eq(read_ends(bytes.data, bytes.bytes, &rows, &offset), KNACKDB_CORRUPT, "byte %zu", at);
        (void) ends_salvage(&reader, bytes.data, bytes.bytes, 77, 5);
        cr_assert_not(ends_seek(&reader, &entry, &offset), "byte %zu", at);
        bytes.data[at] ^= 8;
    }
    byte_buffer_clear(&bytes);
}
