/* decoded_history.c - packed segments: written and read while everything fails in turn, and heads that make no sense
 * behind right checksums. */
#include "mishaps.h"
#include "swapping.h"

#include "base/bytes.h"
#include "base/hash.h"
#include "persist/packed_file.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define STORE      7
#define NUMBER     3
#define HEAD_BYTES 64
#define RAW_BYTES  ((size_t) 150000) /* two blocks and a piece; the second cannot be packed */

static unsigned char *
raw_bytes(void)
{
    unsigned char *raw = calloc(1, RAW_BYTES);
    uint64_t       random = 5;

    for (size_t i = 65536; i < 131072; i++) {
        random = hash_integer(random + i);
        raw[i] = (unsigned char) random;
    }
    memcpy(raw, "front", 5);
    memcpy(raw + RAW_BYTES - 4, "end", 4);
    return raw;
}

/* Makes a packed file, in `packed`; freed by the caller. */
static size_t
pack(unsigned char **packed)
{
    static struct mishaps mishaps;
    unsigned char        *raw = raw_bytes();
    size_t                bytes;

    mishaps_begin(&mishaps, raw, RAW_BYTES);
    cr_assert_eq(packed_file_write(&mishaps.allocator, &mishaps.memory.file, UINT64_MAX, "history", STORE, NUMBER, 0600,
                                   NULL),
                 KNACKDB_OK);
    bytes = mishaps.written_bytes;
    *packed = mishaps.written;
    free(raw);
    return bytes;
}

Test(decoded_history, what_cannot_be_written_is_not_there)
{
    static struct mishaps mishaps;
    unsigned char        *raw = raw_bytes();

    for (mishaps_begin(&mishaps, raw, RAW_BYTES); mishaps_next(&mishaps);) {
        knackdb_status status = packed_file_write(&mishaps.allocator, &mishaps.memory.file, UINT64_MAX, "history",
                                                  STORE, NUMBER, 0600, NULL);

        mishaps_end(&mishaps, status, KNACKDB_OK);
        cr_assert_eq(mishaps.is_named, mishaps.written_bytes > 0, "a piece is left under an unfinished name");
        cr_assert(status != KNACKDB_OK || mishaps.is_named);
    }
    cr_assert_gt(mishaps.fail_at, 12);
    mishaps_begin(&mishaps, raw, 1);
    mishaps.told_more = UINT64_C(5) << 30;
    cr_assert_eq(packed_file_write(&mishaps.allocator, &mishaps.memory.file, UINT64_MAX, "history", STORE, NUMBER, 0600,
                                   NULL),
                 KNACKDB_UNSUPPORTED, "five GiB of log in one segment");
    free(mishaps.written);
    free(raw);
}

/* A segment that is cut while it is packed had zeros there. */
Test(decoded_history, what_is_cut_meanwhile_reads_as_zeros)
{
    static struct mishaps mishaps, packed;
    unsigned char        *raw = raw_bytes();
    unsigned char         read_back[100];
    size_t                read = 0;

    mishaps_begin(&mishaps, raw, 50);
    mishaps.told_more = 50;
    cr_assert_eq(packed_file_write(&mishaps.allocator, &mishaps.memory.file, UINT64_MAX, "history", STORE, NUMBER, 0600,
                                   NULL),
                 KNACKDB_OK);
    mishaps_begin(&packed, mishaps.written, mishaps.written_bytes);
    cr_assert_eq(packed_file_take(&packed.allocator, &packed.memory.file, STORE, NUMBER, NULL), KNACKDB_OK);
    cr_assert_eq(file_read(&packed.memory.file, 0, read_back, sizeof read_back, &read, NULL), KNACKDB_OK);
    cr_assert_eq(read, sizeof read_back);
    cr_assert_eq(memcmp(read_back, raw, 100), 0);
    packed_free(packed.memory.file.packed);
    free(packed.written);
    free(mishaps.written);
    free(raw);
}

static knackdb_status
read_history(struct mishaps *mishaps, knackdb_error *error)
{
    static unsigned char read_back[RAW_BYTES];
    unsigned char       *raw = raw_bytes();
    uint64_t             fault;
    size_t               read = 0;
    knackdb_status       status = packed_file_take(&mishaps->allocator, &mishaps->memory.file, STORE, NUMBER, error);

    if (status == KNACKDB_OK)
        status = file_read(&mishaps->memory.file, 0, read_back, sizeof read_back, &read, error);
    if (status == KNACKDB_OK)
        cr_assert(read == RAW_BYTES && memcmp(read_back, raw, RAW_BYTES) == 0);
    if (status == KNACKDB_OK)
        status = packed_file_check(&mishaps->memory.file, &fault, error);
    packed_free(mishaps->memory.file.packed);
    mishaps->memory.file.packed = NULL;
    free(raw);
    return status;
}

Test(decoded_history, a_call_or_an_allocation_that_fails_ends_the_reading_and_no_more)
{
    static struct mishaps mishaps;
    unsigned char        *packed;
    size_t                bytes = pack(&packed);

    for (int explained = 0; explained < 2; explained++) {
        for (mishaps_begin(&mishaps, packed, bytes); mishaps_next(&mishaps);) {
            knackdb_error error = { .message = "" };

            mishaps_end(&mishaps, read_history(&mishaps, explained ? &error : NULL), KNACKDB_OK);
            cr_assert(!explained || mishaps.seen < mishaps.fail_at || error.message[0] != '\0');
        }
        cr_assert_gt(mishaps.fail_at, 8);
    }
    free(packed);
}

Test(decoded_history, a_head_is_that_of_this_file_or_refused)
{
    static const struct damage cases[] = {
        { 0, 1, 'L', KNACKDB_CORRUPT },
        { 8, 2, 0, KNACKDB_CORRUPT }, /* format */
        { 8, 2, 2, KNACKDB_UNSUPPORTED },
        { 10, 2, 1, KNACKDB_CORRUPT }, /* reserved */
        { 12, 4, 2, KNACKDB_CORRUPT }, /* blocks */
        { 12, 4, UINT32_MAX, KNACKDB_CORRUPT },
        { 16, 8, 1, KNACKDB_OK }, /* compatible flags */
        { 24, 8, 1, KNACKDB_UNSUPPORTED },
        { 32, 8, STORE + 1, KNACKDB_CORRUPT },
        { 40, 8, NUMBER + 1, KNACKDB_CORRUPT },
        { 48, 8, RAW_BYTES - 1, KNACKDB_CORRUPT }, /* the blocks hold another byte */
        { 48, 8, 65536, KNACKDB_CORRUPT },         /* of fewer blocks */
        { 48, 8, UINT64_C(1) << 40, KNACKDB_CORRUPT },
        { HEAD_BYTES, 4, 0, KNACKDB_CORRUPT }, /* of the first block: its bytes, */
        { HEAD_BYTES, 4, 65537, KNACKDB_CORRUPT },
        { HEAD_BYTES, 4, 1, KNACKDB_CORRUPT },
        { HEAD_BYTES + 4, 4, 1, KNACKDB_CORRUPT }, /* reserved, */
        { HEAD_BYTES + 8, 8, 1, KNACKDB_CORRUPT }, /* checksum */
    };
    static struct mishaps mishaps;
    unsigned char        *packed;
    size_t                bytes = pack(&packed);

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t end;

        (void) swap_number(packed, cases[i].at, cases[i].bytes, cases[i].value); /* packed anew for the next */
        end = HEAD_BYTES + 16 * (size_t) bytes_get_u32(packed + 12);
        if (end + 8 <= bytes)
            bytes_put_u64(packed + HEAD_BYTES + 48, hash_bytes(packed, HEAD_BYTES + 48, 0));
        if (bytes_get_u32(packed + 12) == 2) /* what would be the checksum of two */
            bytes_put_u64(packed + end, hash_bytes(packed, end, 0));
        mishaps_begin(&mishaps, packed, bytes);
        cr_expect_eq(read_history(&mishaps, NULL), cases[i].status, "case %zu", i);
        free(mishaps.written);
        free(packed);
        bytes = pack(&packed);
    }
    for (size_t cut = 1; cut < 200; cut++) { /* shorter than it says when it is read */
        mishaps_begin(&mishaps, packed, cut);
        mishaps.told_more = bytes - cut;
        cr_expect_eq(read_history(&mishaps, NULL), KNACKDB_CORRUPT, "%zu bytes", cut);
        free(mishaps.written);
    }
    free(packed);
}

/* A block whose checksum is right, and that LZ4 makes nothing of. */
Test(decoded_history, a_block_that_cannot_be_unpacked_is_refused)
{
    static struct mishaps mishaps;
    unsigned char        *packed;
    size_t                bytes = pack(&packed);
    size_t                first = HEAD_BYTES + 48 + 8;
    uint32_t              stored_bytes = bytes_get_u32(packed + HEAD_BYTES);
    knackdb_error         error;

    memset(packed + first, 0xFF, stored_bytes);
    bytes_put_u64(packed + HEAD_BYTES + 8,
                  hash_bytes(packed + first, stored_bytes, STORE + NUMBER * UINT64_C(0x9e3779b97f4a7c15)));
    bytes_put_u64(packed + first - 8, hash_bytes(packed, first - 8, 0));
    mishaps_begin(&mishaps, packed, bytes);
    cr_expect_eq(read_history(&mishaps, &error), KNACKDB_CORRUPT);
    cr_expect_not_null(strstr(error.message, "unpacked"), "%s", error.message);
    free(mishaps.written);
    free(packed);
}
