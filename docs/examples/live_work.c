/* live_work.c - the ways. Each is timed around the work alone, then its result is
 * checked: an agent that does not check learns the wrong thing quickly.
 *
 * Results that nobody looks at might be optimised away, so each check uses them. */
#define _GNU_SOURCE /* memmem */
#include "live_work.h"

#include <lz4.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xxhash.h>
#include <zlib.h>

static double
clock_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec + (double) now.tv_nsec * 1e-9;
}

/* ---- compress: make a file smaller, so that it can be unpacked again --------------- */

enum { WITH_LZ4 = -1 }; /* other settings are zlib's levels */

static bool
perform_compress(int setting, const struct live_file *file, struct outcome *ret_outcome)
{
    uLong          room = compressBound((uLong) file->size) + (uLong) LZ4_compressBound((int) file->size);
    unsigned char *packed = malloc(room), *unpacked = malloc(file->size);
    uLong          packed_bytes = room, unpacked_bytes = (uLong) file->size, usual_bytes = room;
    double         start;
    bool           has_memory = packed != NULL && unpacked != NULL;

    if (!has_memory)
        goto out;
    start = clock_seconds();
    if (setting == WITH_LZ4)
        packed_bytes =
            (uLong) LZ4_compress_default((const char *) file->bytes, (char *) packed, (int) file->size, (int) room);
    else if (compress2(packed, &packed_bytes, file->bytes, (uLong) file->size, setting) != Z_OK)
        packed_bytes = 0;
    ret_outcome->seconds = clock_seconds() - start;

    if (setting == WITH_LZ4)
        unpacked_bytes =
            (uLong) LZ4_decompress_safe((const char *) packed, (char *) unpacked, (int) packed_bytes, (int) file->size);
    else if (uncompress(unpacked, &unpacked_bytes, packed, packed_bytes) != Z_OK)
        unpacked_bytes = 0;
    ret_outcome->is_right = packed_bytes > 0 && unpacked_bytes == file->size &&
                            memcmp(unpacked, file->bytes, file->size) == 0;
    if (compress(packed, &usual_bytes, file->bytes, (uLong) file->size) == Z_OK)
        ret_outcome->size_ratio = (double) packed_bytes / (double) usual_bytes;
    else
        ret_outcome->is_right = false;
out:
    free(packed);
    free(unpacked);
    return has_memory;
}

/* ---- checksum: a number that changes when the file does --------------------------- */

enum checksum { FNV_1A, ADLER_32, CRC_32, XXH_64, XXH3 };

static uint64_t
checksum_fnv_1a(const unsigned char *bytes, size_t size)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t
checksum(int setting, const unsigned char *bytes, size_t size)
{
    switch ((enum checksum) setting) {
    case FNV_1A: return checksum_fnv_1a(bytes, size);
    case ADLER_32: return adler32(adler32(0, NULL, 0), bytes, (uInt) size);
    case CRC_32: return crc32(crc32(0, NULL, 0), bytes, (uInt) size);
    case XXH_64: return XXH64(bytes, size, 0);
    case XXH3: return XXH3_64bits(bytes, size);
    }
    return 0;
}

static bool
perform_checksum(int setting, const struct live_file *file, struct outcome *ret_outcome)
{
    double   start = clock_seconds();
    uint64_t found = checksum(setting, file->bytes, file->size);

    ret_outcome->seconds = clock_seconds() - start;
    /* Right when one flipped bit is noticed and the bit flipped back is, too. */
    file->bytes[file->size / 2] ^= 4;
    ret_outcome->is_right = checksum(setting, file->bytes, file->size) != found;
    file->bytes[file->size / 2] ^= 4;
    ret_outcome->is_right = ret_outcome->is_right && checksum(setting, file->bytes, file->size) == found;
    return true;
}

/* ---- sort: the file's bytes, read as 32-bit numbers, in rising order ---------------- */

enum sorting { QUICK, HEAP, MERGE, RADIX };

static int
by_number(const void *a, const void *b)
{
    const uint32_t *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

static void
sift_down(uint32_t *numbers, size_t top, size_t count)
{
    uint32_t number = numbers[top];

    for (size_t child; (child = 2 * top + 1) < count; top = child) {
        if (child + 1 < count && numbers[child + 1] > numbers[child])
            child++;
        if (numbers[child] <= number)
            break;
        numbers[top] = numbers[child];
    }
    numbers[top] = number;
}

static void
sort_heap(uint32_t *numbers, size_t count)
{
    for (size_t i = count / 2; i-- > 0;)
        sift_down(numbers, i, count);
    for (size_t last = count; last-- > 1;) {
        uint32_t largest = numbers[0];
        numbers[0] = numbers[last];
        numbers[last] = largest;
        sift_down(numbers, 0, last);
    }
}

/* From runs of one upwards, back and forth between the two arrays. */
static void
sort_merge(uint32_t *numbers, uint32_t *space, size_t count)
{
    uint32_t *from = numbers, *to = space;

    for (size_t width = 1; width < count; width *= 2) {
        for (size_t start = 0; start < count; start += 2 * width) {
            size_t left = start, left_end = start + width < count ? start + width : count;
            size_t right = left_end, right_end = start + 2 * width < count ? start + 2 * width : count;

            for (size_t place = start; place < right_end; place++)
                to[place] = left < left_end && (right == right_end || from[left] <= from[right]) ? from[left++]
                                                                                                 : from[right++];
        }
        uint32_t *other = from;
        from = to;
        to = other;
    }
    if (from != numbers)
        memcpy(numbers, from, count * sizeof *numbers);
}

/* A byte at a time from the lowest; after four passes the numbers are back in place. */
static void
sort_radix(uint32_t *numbers, uint32_t *space, size_t count)
{
    for (unsigned shift = 0; shift < 32; shift += 8) {
        size_t places[257] = { 0 };

        for (size_t i = 0; i < count; i++)
            places[(numbers[i] >> shift & 255) + 1]++;
        for (size_t byte = 0; byte < 256; byte++)
            places[byte + 1] += places[byte];
        for (size_t i = 0; i < count; i++)
            space[places[numbers[i] >> shift & 255]++] = numbers[i];
        uint32_t *other = numbers;
        numbers = space;
        space = other;
    }
}

static bool
perform_sort(int setting, const struct live_file *file, struct outcome *ret_outcome)
{
    size_t    count = file->size / sizeof(uint32_t);
    uint32_t *numbers = malloc(file->size), *space = malloc(file->size);
    bool      has_memory = numbers != NULL && space != NULL;
    uint64_t  sum_before = 0, sum_after = 0;
    double    start;

    if (!has_memory)
        goto out;
    memcpy(numbers, file->bytes, file->size);
    memset(space, 0, file->size); /* so that no way pays for fetching the pages */
    for (size_t i = 0; i < count; i++)
        sum_before += numbers[i];

    start = clock_seconds();
    switch ((enum sorting) setting) {
    case QUICK: qsort(numbers, count, sizeof *numbers, by_number); break;
    case HEAP: sort_heap(numbers, count); break;
    case MERGE: sort_merge(numbers, space, count); break;
    case RADIX: sort_radix(numbers, space, count); break;
    }
    ret_outcome->seconds = clock_seconds() - start;

    ret_outcome->is_right = true;
    for (size_t i = 0; i < count; i++) {
        sum_after += numbers[i];
        ret_outcome->is_right = ret_outcome->is_right && (i == 0 || numbers[i - 1] <= numbers[i]);
    }
    ret_outcome->is_right = ret_outcome->is_right && sum_before == sum_after;
out:
    free(numbers);
    free(space);
    return has_memory;
}

/* ---- find: how often the file's last bytes occur in all of it ---------------------- */

#define NEEDLE_BYTES 10

enum finding { BYTE_BY_BYTE, HORSPOOL, MEMMEM };

static size_t
find_byte_by_byte(const unsigned char *bytes, size_t size, const unsigned char *needle)
{
    size_t found = 0;

    for (size_t i = 0; i + NEEDLE_BYTES <= size; i++) {
        size_t same = 0;
        while (same < NEEDLE_BYTES && bytes[i + same] == needle[same])
            same++;
        found += same == NEEDLE_BYTES;
    }
    return found;
}

/* A table says how far to go on, from the byte under the needle's end (Horspool 1980). */
static size_t
find_horspool(const unsigned char *bytes, size_t size, const unsigned char *needle)
{
    size_t steps[256], found = 0;

    for (size_t byte = 0; byte < 256; byte++)
        steps[byte] = NEEDLE_BYTES;
    for (size_t i = 0; i + 1 < NEEDLE_BYTES; i++)
        steps[needle[i]] = NEEDLE_BYTES - 1 - i;
    for (size_t i = 0; i + NEEDLE_BYTES <= size; i += steps[bytes[i + NEEDLE_BYTES - 1]])
        found += memcmp(bytes + i, needle, NEEDLE_BYTES) == 0;
    return found;
}

static size_t
find_memmem(const unsigned char *bytes, size_t size, const unsigned char *needle)
{
    const unsigned char *place = bytes, *end = bytes + size;
    size_t               found = 0;

    while ((place = memmem(place, (size_t) (end - place), needle, NEEDLE_BYTES)) != NULL) {
        found++;
        place++;
    }
    return found;
}

static bool
perform_find(int setting, const struct live_file *file, struct outcome *ret_outcome)
{
    const unsigned char *needle = file->bytes + file->size - NEEDLE_BYTES;
    size_t               found = 0;
    double               start = clock_seconds();

    switch ((enum finding) setting) {
    case BYTE_BY_BYTE: found = find_byte_by_byte(file->bytes, file->size, needle); break;
    case HORSPOOL: found = find_horspool(file->bytes, file->size, needle); break;
    case MEMMEM: found = find_memmem(file->bytes, file->size, needle); break;
    }
    ret_outcome->seconds = clock_seconds() - start;
    ret_outcome->is_right = found == find_byte_by_byte(file->bytes, file->size, needle);
    return true;
}

/* ---- the tasks --------------------------------------------------------------------- */

/* clang-format off */
#define COMPRESS_WAYS                                                                              \
    {                                                                                              \
        { "zlib-9", "[\"zlib.compress2\",\"zlib.uncompress\"]", 9, perform_compress },             \
        { "zlib-6", "[\"zlib.compress2\",\"zlib.uncompress\"]", 6, perform_compress },             \
        { "zlib-1", "[\"zlib.compress2\",\"zlib.uncompress\"]", 1, perform_compress },             \
        { "lz4", "[\"lz4.compress_default\",\"lz4.decompress_safe\"]", WITH_LZ4, perform_compress } \
    }

const struct task live_tasks[] = {
    { "compress-text", true, false, 1.25, COMPRESS_WAYS, 4 },
    { "compress-program", false, true, 1.5, COMPRESS_WAYS, 4 },
    { "checksum", true, true, 0,
      { { "fnv-1a", "[\"own.fnv_1a\"]", FNV_1A, perform_checksum },
        { "adler32", "[\"zlib.adler32\"]", ADLER_32, perform_checksum },
        { "crc32", "[\"zlib.crc32\"]", CRC_32, perform_checksum },
        { "xxh64", "[\"xxhash.XXH64\"]", XXH_64, perform_checksum },
        { "xxh3", "[\"xxhash.XXH3_64bits\"]", XXH3, perform_checksum } }, 5 },
    { "sort-numbers", true, true, 0,
      { { "qsort", "[\"libc.qsort\"]", QUICK, perform_sort },
        { "heap", "[\"own.sort_heap\"]", HEAP, perform_sort },
        { "merge", "[\"own.sort_merge\"]", MERGE, perform_sort },
        { "radix", "[\"own.sort_radix\"]", RADIX, perform_sort } }, 4 },
    { "find-text", true, false, 0,
      { { "byte-by-byte", "[\"own.find_byte_by_byte\"]", BYTE_BY_BYTE, perform_find },
        { "horspool", "[\"own.find_horspool\"]", HORSPOOL, perform_find },
        { "memmem", "[\"libc.memmem\"]", MEMMEM, perform_find } }, 3 },
};
/* clang-format on */
const size_t live_task_count = sizeof live_tasks / sizeof live_tasks[0];
