/* base.c - claims about the ground floor: text checks, percentiles, byte order, memory. */
#include "base/allocator.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/histogram.h"
#include "base/pages_ahead.h"
#include "base/ticker.h"
#include "base/utf8.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <malloc.h>
#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Unicode 15, table 3-7: the first and last of every row, and what lies just outside. */
Test(utf8, takes_what_the_standard_allows_and_nothing_else)
{
    static const struct {
        const char *bytes;
        size_t      length, valid;
    } cases[] = {
        { "", 0, 0 },
        { "\x7f", 1, 1 },
        { "a\0b", 3, 3 },
        { "\xc2\x80", 2, 2 },
        { "\xdf\xbf", 2, 2 },
        { "\xe0\xa0\x80", 3, 3 },
        { "\xed\x9f\xbf", 3, 3 },
        { "\xee\x80\x80", 3, 3 },
        { "\xf0\x90\x80\x80", 4, 4 },
        { "\xf4\x8f\xbf\xbf", 4, 4 },
        { "\x80", 1, 0 },     /* a continuation alone */
        { "\xc0\xaf", 2, 0 }, /* overlong */
        { "\xc1\xbf", 2, 0 },
        { "\xe0\x9f\xbf", 3, 0 },
        { "\xf0\x8f\xbf\xbf", 4, 0 },
        { "\xed\xa0\x80", 3, 0 },     /* a surrogate */
        { "\xf4\x90\x80\x80", 4, 0 }, /* past U+10FFFF */
        { "\xf5\x80\x80\x80", 4, 0 },
        { "\xff", 1, 0 },
        { "12345678\xe2\x82", 10, 8 }, /* cut short behind a word of ASCII */
        { "1234567\xe2\x82\xac"
          "12345678\xc3",
          19, 18 },
        { "\xe2\x28\xa1", 3, 0 },
        { "\xf0\x9f\x98\x41", 4, 0 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_expect_eq(utf8_valid_prefix(cases[i].bytes, cases[i].length), cases[i].valid, "case %zu", i);
}

/* Method: add known values; every percentile must cover its part and be at most an eighth too large. */
Test(histogram, percentiles_are_never_too_small_and_an_eighth_too_large_at_most)
{
    static struct histogram one, other;
    struct histogram *const both[] = { &one, &other };

    for (uint64_t value = 1; value <= 10000; value++)
        histogram_add(value % 2 != 0 ? &one : &other, value);
    for (int percent = 1; percent <= 100; percent++) {
        uint64_t exact = (uint64_t) percent * 100;
        uint64_t found = histogram_percentile(both, 2, percent / 100.0);

        cr_expect(found >= exact && found <= exact + exact / 8 + 1, "%d %%: %llu, exactly %llu", percent,
                  (unsigned long long) found, (unsigned long long) exact);
    }
    cr_expect_eq(histogram_percentile(both, 2, 1.0), 10000);
    cr_expect_eq(histogram_percentile(both, 2, 0.0), 1, "of no part: the least");
    cr_expect_eq(histogram_count(&one) + histogram_count(&other), 10000);
}

Test(histogram, holds_every_64_bit_value)
{
    static struct histogram histogram;
    struct histogram *const all[] = { &histogram };
    static const uint64_t   values[] = { 0, 1, 7, 8, 15, 16, UINT64_C(1) << 47, UINT64_C(1) << 48, UINT64_MAX };

    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        histogram_add(&histogram, values[i]);
    cr_expect_eq(histogram_percentile(all, 1, 1.0), UINT64_MAX);
    cr_expect_eq(histogram_percentile(all, 1, 0.01), 0);
}

Test(bytes, are_little_endian_at_any_address)
{
    unsigned char bytes[16] = { 0 };

    bytes_put_u32(bytes + 1, 0x11223344);
    cr_expect_eq(bytes[1], 0x44);
    cr_expect_eq(bytes[4], 0x11);
    cr_expect_eq(bytes_get_u32(bytes + 1), 0x11223344);
    bytes_put_u64(bytes + 3, UINT64_C(0x8877665544332211));
    cr_expect_eq(bytes[3], 0x11);
    cr_expect_eq(bytes_get_u64(bytes + 3), UINT64_C(0x8877665544332211));
    bytes_put_real(bytes + 5, -0.0);
    cr_expect_eq(bytes[12], 0x80);
    cr_expect(signbit(bytes_get_real(bytes + 5)));
}

/* Files hold these numbers: another build must find the same. Values from the xxHash tools. */
Test(hash, is_xxh3_with_a_seed)
{
    cr_expect_eq(hash_bytes("", 0, 0), UINT64_C(0x2d06800538d394c2));
    cr_expect_neq(hash_bytes("a", 1, 0), hash_bytes("a", 1, 1));
}

static void *
refuse_to_allocate(void *context, size_t bytes)
{
    (void) context;
    (void) bytes;
    return NULL;
}

static void
have_nothing_to_release(void *context, void *memory, size_t bytes)
{
    (void) context;
    (void) bytes;
    cr_assert_fail("%p was never given", memory);
}

Test(allocator, makes_room_for_more_and_leaves_all_as_it_was_without_memory)
{
    knackdb_allocator refusing = { .allocate = refuse_to_allocate, .release = have_nothing_to_release };
    struct allocator  allocator;
    int              *array = NULL;
    size_t            capacity = 0;

    allocator_init(&allocator, NULL);
    for (int i = 0; i < 1000; i++) {
        array = allocator_make_room(&allocator, array, (size_t) i + 1, &capacity, sizeof *array);
        cr_assert_not_null(array);
        cr_assert_gt(capacity, (size_t) i);
        cr_assert_eq(atomic_load(&allocator.bytes), capacity * sizeof *array);
        array[i] = i;
    }
    array = allocator_make_room(&allocator, array, 5000, &capacity, sizeof *array);
    cr_assert_geq(capacity, 5000);
    for (int i = 0; i < (int) capacity; i++)
        cr_assert_eq(array[i], i < 1000 ? i : 0);
    allocator_put(&allocator, array, capacity * sizeof *array);

    allocator_init(&allocator, &refusing);
    capacity = 16;
    cr_assert_null(allocator_make_room(&allocator, array, 17, &capacity, sizeof *array));
    cr_assert_eq(capacity, 16);
    cr_assert_eq(allocator_make_room(&allocator, &capacity, 16, &capacity, sizeof *array), &capacity, "there is room");
}

Test(allocator, counts_what_is_in_use_and_hands_sizes_back)
{
    struct allocator allocator;
    char            *block;

    allocator_init(&allocator, NULL);
    block = allocator_get(&allocator, 100);
    cr_assert_not_null(block);
    memset(block, 7, 100);
    block = allocator_resize(&allocator, block, 100, 300);
    cr_assert_not_null(block);
    cr_expect_eq(block[99], 7);
    cr_expect_eq(atomic_load(&allocator.bytes), 300);
    allocator_put(&allocator, block, 300);
    allocator_put(&allocator, NULL, 10);
    cr_expect_eq(atomic_load(&allocator.bytes), 0);
    for (size_t bytes = 100; bytes < (size_t) 4 << 20; bytes *= 7) { /* some have pages of their own */
        unsigned char *lasting = allocator_get_lasting(&allocator, bytes);

        lasting[0] = lasting[bytes - 1] = 1;
        cr_expect_eq(atomic_load(&allocator.bytes), bytes);
        allocator_put_lasting(&allocator, lasting, bytes);
        allocator_put_lasting(&allocator, NULL, bytes);
        cr_expect_eq(atomic_load(&allocator.bytes), 0);
    }
}

/* Pages of a block that are in memory. */
static size_t
pages_there(unsigned char *block, size_t bytes)
{
    static unsigned char there[1 << 12];
    size_t               count = 0;

    if (madvise(block, 4096, 23) != 0)
        cr_skip("this system brings no pages in on request (Linux 5.14 does)\n");
    cr_assert_eq(mincore(block, bytes, there), 0);
    if ((there[0] & 1) == 0) /* qemu-user does so */
        cr_skip("this system says that it brings pages in on request, and does not\n");
    for (size_t i = 0; i < bytes / 4096; i++)
        count += there[i] & 1;
    return count;
}

static void
count_wake(void *context)
{
    ++*(int *) context;
}

Test(pages_ahead, are_there_before_they_are_filled_whoever_brings_them_in)
{
    const size_t       bytes = (size_t) 4 << 20, step = 256 * 1024;
    int                woken = 0;
    struct page_server server = { .wake = count_wake, .context = &woken };
    struct pages_ahead pages = { 0 };
    struct allocator   allocator;
    unsigned char     *block;

    allocator_init(&allocator, NULL);
    block = allocator_get_pages(&allocator, bytes);
    cr_assert_not_null(block);
    cr_expect(!allocator_request_pages(&allocator, block, step), "nobody serves");
    for (size_t used = 4096; used <= bytes / 2; used += 4096) {
        pages_ahead_keep(&pages, &allocator, block, bytes, used, step);
        cr_assert_geq(pages_there(block, bytes), used / 4096, "%zu bytes used", used);
    }
    allocator_set_server(&allocator, &server);
    for (size_t used = bytes / 2; used <= bytes; used += 4096) {
        pages_ahead_keep(&pages, &allocator, block, bytes, used, step);
        allocator_serve_requests(&allocator);
        cr_assert_geq(pages_there(block, bytes), used / 4096, "%zu bytes used", used);
    }
    cr_expect_gt(woken, 0);
    allocator_put_pages(&allocator, block, bytes);
}

Test(pages_ahead, wait_in_a_short_line_and_may_be_gone_by_then)
{
    struct page_server server = { .wake = count_wake, .context = &(int) { 0 } };
    struct allocator   allocator;
    unsigned char     *block;
    int                taken = 0;

    allocator_init(&allocator, NULL);
    allocator_set_server(&allocator, &server);
    block = allocator_get_pages(&allocator, 4096 * 100);
    cr_assert_not_null(block);
    while (taken < 100 && allocator_request_pages(&allocator, block + taken * 4096, 4096))
        taken++;
    cr_expect_eq(taken, ALLOCATOR_REQUESTS, "%d", taken);
    allocator_serve_requests(&allocator);
    cr_expect_eq(pages_there(block, 4096 * 100), ALLOCATOR_REQUESTS); /* the first is among them */
    cr_expect(allocator_request_pages(&allocator, block, 4096 * 100));
    allocator_put_pages(&allocator, block, 4096 * 100);
    allocator_serve_requests(&allocator);
}

/* Whether malloc() gave it from near the end of the heap, which a sanitizer's does not. */
static bool
is_heap(const unsigned char *block)
{
#ifdef __GLIBC__
    return (uintptr_t) sbrk(0) - (uintptr_t) block < (size_t) 1 << 20;
#else
    return block == NULL;
#endif
}

/* Whole pages behind a block and before the last two of the heap, 16 KiB of them at most: how many, and how many of
 * them are in memory. */
static void
count_behind(const unsigned char *block, size_t *ret_pages, size_t *ret_there)
{
    uintptr_t from = ((uintptr_t) block + 4095) & ~(uintptr_t) 4095;
    uintptr_t end = ((uintptr_t) sbrk(0) & ~(uintptr_t) 4095) - (uintptr_t) 2 * 4096;

    *ret_pages = end <= from ? 0 : end - from < 4 * 4096 ? (end - from) / 4096 : 4;
    *ret_there = *ret_pages != 0 ? pages_there((unsigned char *) from, *ret_pages * 4096) : 0;
}

Test(pages_ahead, of_small_blocks_are_there_and_no_others_are_wished_for)
{
    enum { BLOCKS = 5000, BLOCK_BYTES = 200 }; /* a megabyte: the heap grows some times */
    struct page_server    server = { .wake = count_wake, .context = &(int) { 0 } };
    struct allocator      allocator;
    static unsigned char *blocks[BLOCKS];
    size_t                wishes = 0, missing = 0;

    allocator_init(&allocator, NULL);
    blocks[0] = allocator_get(&allocator, BLOCK_BYTES);
    if (!is_heap(blocks[0])) {
        allocator_put(&allocator, blocks[0], BLOCK_BYTES);
        cr_skip("malloc() does not take from the heap here\n");
    }
    cr_expect_eq(atomic_load(&allocator.heap_asked), 0, "nobody serves");
    allocator_set_server(&allocator, &server);
    for (int i = 1; i < BLOCKS; i++) {
        size_t    pages, there;
        uintptr_t at;

        blocks[i] = allocator_get(&allocator, BLOCK_BYTES);
        at = atomic_load(&allocator.requests[0].at);
        if (at != 0) {
            wishes++;
            cr_assert_geq(at, (uintptr_t) blocks[i]);
            cr_assert_leq(at + allocator.requests[0].bytes, (uintptr_t) sbrk(0));
        }
        cr_assert_eq(atomic_load(&allocator.requests[1].at), 0);
        allocator_serve_requests(&allocator);
        count_behind(blocks[i] + BLOCK_BYTES, &pages, &there);
        missing += pages - there;
    }
    cr_expect_geq(wishes, BLOCKS * BLOCK_BYTES / (64 * 1024), "%zu", wishes);
    cr_expect_eq(missing, 0, "%zu", missing);
    for (int i = 0; i < BLOCKS; i++)
        allocator_put(&allocator, blocks[i], BLOCK_BYTES);
}

#ifdef __GLIBC__ /* malloc_trim() is its */
/* Given back and taken again, the heap's pages are new ones. */
Test(pages_ahead, of_a_heap_that_shrank_are_wished_for_again)
{
    enum { BLOCKS = 10000, BLOCK_BYTES = 200 };
    struct page_server    server = { .wake = count_wake, .context = &(int) { 0 } };
    struct allocator      allocator;
    static unsigned char *blocks[BLOCKS];
    size_t                wishes[2] = { 0 };
    uintptr_t             end = 0;

    allocator_init(&allocator, NULL);
    allocator_set_server(&allocator, &server);
    for (int life = 0; life < 2; life++) {
        for (int i = 0; i < BLOCKS; i++) {
            blocks[i] = allocator_get(&allocator, BLOCK_BYTES);
            wishes[life] += atomic_load(&allocator.requests[0].at) != 0;
            allocator_serve_requests(&allocator);
        }
        if (!is_heap(blocks[BLOCKS - 1]))
            cr_skip("malloc() does not take from the heap here\n");
        end = (uintptr_t) sbrk(0);
        for (int i = 0; i < BLOCKS; i++)
            allocator_put(&allocator, blocks[i], BLOCK_BYTES);
        (void) malloc_trim(0);
        cr_assert_lt((uintptr_t) sbrk(0), end - (size_t) BLOCKS * BLOCK_BYTES / 2, "the heap did not shrink");
    }
    cr_expect_gt(wishes[0], 10, "%zu", wishes[0]);
    cr_expect_geq(wishes[1], wishes[0] / 2, "%zu and %zu", wishes[0], wishes[1]);
}
#endif

/* Who serves no more is not asked at each block, but is again some pages behind. Where malloc() has holes to fill,
 * blocks jump, and some wishes come early. */
Test(pages_ahead, of_small_blocks_are_not_wished_for_again_at_once)
{
    enum { BLOCKS = 5000, BLOCK_BYTES = 100, AT_ONCE = 20 };
    struct page_server    server = { .wake = count_wake, .context = &(int) { 0 } };
    struct allocator      allocator;
    static unsigned char *blocks[BLOCKS];
    uintptr_t             asked = 0;
    int                   count = 0, wishes = 0;

    allocator_init(&allocator, NULL);
    allocator_set_server(&allocator, &server);
    for (int i = 0; i < ALLOCATOR_REQUESTS; i++)
        cr_assert(allocator_request_pages(&allocator, &allocator, 1));
    for (; count < BLOCKS; count++) {
        blocks[count] = allocator_get(&allocator, BLOCK_BYTES);
        wishes += atomic_load(&allocator.heap_asked) != asked;
        asked = atomic_load(&allocator.heap_asked);
    }
    if (!is_heap(blocks[BLOCKS - 1]))
        cr_skip("malloc() does not take from the heap here\n");
    cr_expect_gt(wishes, 5, "%d", wishes);
    cr_expect_lt(wishes, BLOCKS / AT_ONCE, "%d", wishes);
    while (count-- > 0)
        allocator_put(&allocator, blocks[count], BLOCK_BYTES);
}

Test(error, names_the_column_and_the_system_error)
{
    knackdb_error error;

    cr_expect_eq(error_set_column(&error, KNACKDB_INVALID, 3, "x %d", 5), KNACKDB_INVALID);
    cr_expect_eq(error.column, 3);
    cr_expect_str_eq(error.message, "x 5");
    cr_expect_eq(error_set_errno(&error, ENOSPC, "write log"), KNACKDB_IO);
    cr_expect_eq(error.os_errno, ENOSPC);
    cr_expect_str_eq(error.message, "write log: No space left on device");
    cr_expect_eq(error_set(NULL, KNACKDB_FULL, "nobody listens"), KNACKDB_FULL);
    cr_expect_eq(error_set_errno(NULL, EIO, "nobody listens"), KNACKDB_IO);
    cr_expect_eq(error_set_column(NULL, KNACKDB_INVALID, 1, "nobody listens"), KNACKDB_INVALID);
}

Test(error, takes_more_words_whole_or_not_at_all)
{
    knackdb_error error;
    char          more[sizeof error.message];

    (void) error_set(&error, KNACKDB_CORRUPT, "it is so");
    error_add(&error, ", and so");
    cr_expect_str_eq(error.message, "it is so, and so");
    memset(more, 'x', sizeof more - 1);
    more[sizeof more - 1] = '\0';
    error_add(&error, more);
    cr_expect_str_eq(error.message, "it is so, and so");
    error_add(&error, more + strlen(error.message));
    cr_expect_eq(strlen(error.message), sizeof error.message - 1);
    error_add(NULL, "nobody listens");
}

/* A path may be longer than all there is room for, and stands first. */
Test(error, keeps_its_end_where_it_is_too_long)
{
    static char   text[6000];
    knackdb_error error;

    for (size_t first = 0; first < 4; first++) { /* a character of three bytes at every place of the cut */
        memset(text, 'x', first);
        for (size_t at = first; at + 3 < sizeof error.message + 10; at += 3)
            memcpy(text + at, "\xe2\x82\xac", 4);
        (void) error_set(&error, KNACKDB_IO, "%s", text);
        cr_expect_eq(strncmp(error.message, "...\xe2", 4), 0);
        cr_expect_str_eq(error.message + 3, text + strlen(text) - strlen(error.message + 3));
        cr_expect_gt(strlen(error.message), sizeof error.message - 4);
        cr_expect_eq(error_set_errno(&error, ENOSPC, "%s: cannot write", text), KNACKDB_IO);
        cr_expect_str_eq(strstr(error.message, ": cannot"), ": cannot write: No space left on device");
        cr_expect_eq(error.os_errno, ENOSPC);
    }
    memset(text, 'x', sizeof text - 1);
    (void) error_set_errno(&error, EIO, "%s", text);
    cr_expect_eq(strlen(error.message), sizeof error.message - 1);
    cr_expect_str_eq(strchr(error.message, ':'), ": Input/output error");
}

Test(ticker, turns_ticks_into_nanoseconds_that_agree_with_the_clock)
{
    struct ticker ticker;
    uint64_t      ticks, ns, end;
    double        measured;

    ticker_init(&ticker);
    ticks = ticker_now(&ticker);
    ns = clock_monotonic_ns();
    do
        end = clock_monotonic_ns();
    while (end - ns < 20000000);
    measured = (double) (ticker_now(&ticker) - ticks) * ticker_ns_per_tick(&ticker);
    cr_expect(measured > 0.8 * (double) (end - ns), "%g of %llu", measured, (unsigned long long) (end - ns));
}
