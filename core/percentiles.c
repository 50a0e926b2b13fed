/* percentiles.c - see percentiles.h. */
#include "core/percentiles.h"

#include "base/error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void
kept_numbers_init(struct kept_numbers *kept, struct allocator *allocator)
{
    memset(kept, 0, sizeof *kept);
    kept->allocator = allocator;
}

void
kept_numbers_clear(struct kept_numbers *kept)
{
    allocator_put(kept->allocator, kept->groups, kept->group_capacity * sizeof *kept->groups);
    allocator_put(kept->allocator, kept->numbers, kept->number_capacity * sizeof *kept->numbers);
}

knackdb_status
kept_numbers_reserve(struct kept_numbers *kept, size_t more, knackdb_error *error)
{
    size_t    wanted = kept->count + more;
    uint32_t *groups =
        allocator_make_room(kept->allocator, kept->groups, wanted, &kept->group_capacity, sizeof *groups);
    double *numbers;

    if (groups == NULL)
        return error_no_memory(error, "the numbers of an aggregate");
    kept->groups = groups;
    numbers = allocator_make_room(kept->allocator, kept->numbers, wanted, &kept->number_capacity, sizeof *numbers);
    if (numbers == NULL)
        return error_no_memory(error, "the numbers of an aggregate");
    kept->numbers = numbers;
    return KNACKDB_OK;
}

/* ---- sorting ---- */

#define RADIX_BITS   8u
#define RADIX        (1u << RADIX_BITS)
#define RADIX_PASSES (64u / RADIX_BITS)
#define RADIX_MIN    512u /* fewer are compared with each other */

/* Bits that rise as the number does: of a negative one all are turned over, of another the sign. */
static inline uint64_t
rising_bits(double number)
{
    uint64_t bits;

    memcpy(&bits, &number, sizeof bits);
    return bits ^ (bits >> 63 != 0 ? UINT64_MAX : (uint64_t) 1 << 63);
}

static int
compare_numbers(const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;

    return (x > y) - (x < y);
}

/* Byte by byte, the last first; a byte that all have in common is passed over. */
static void
sort_by_bytes(double *numbers, double *spare, size_t count)
{
    size_t  starts[RADIX_PASSES][RADIX];
    double *from = numbers, *to = spare;

    memset(starts, 0, sizeof starts);
    for (size_t i = 0; i < count; i++) {
        uint64_t bits = rising_bits(numbers[i]);

        for (uint32_t pass = 0; pass < RADIX_PASSES; pass++)
            starts[pass][bits >> pass * RADIX_BITS & (RADIX - 1)]++;
    }
    for (uint32_t pass = 0; pass < RADIX_PASSES; pass++) {
        size_t  start = 0;
        double *sorted = to;

        if (starts[pass][rising_bits(from[0]) >> pass * RADIX_BITS & (RADIX - 1)] == count)
            continue;
        for (uint32_t byte = 0; byte < RADIX; byte++) {
            size_t here = starts[pass][byte];

            starts[pass][byte] = start;
            start += here;
        }
        for (size_t i = 0; i < count; i++)
            to[starts[pass][rising_bits(from[i]) >> pass * RADIX_BITS & (RADIX - 1)]++] = from[i];
        to = from;
        from = sorted;
    }
    if (from != numbers)
        memcpy(numbers, from, count * sizeof *numbers);
}

knackdb_status
kept_numbers_sorted(const struct kept_numbers *kept, const size_t *counts, size_t group_count, double **ret_sorted,
                    knackdb_error *error)
{
    size_t  bytes = kept->count * sizeof(double);
    size_t  cursor_bytes = group_count * sizeof(size_t);
    double *sorted, *spare;
    size_t *cursors;
    size_t  first = 0;

    *ret_sorted = NULL;
    if (kept->count == 0)
        return KNACKDB_OK;
    sorted = allocator_get(kept->allocator, bytes);
    spare = allocator_get(kept->allocator, bytes);
    cursors = allocator_get(kept->allocator, cursor_bytes);
    if (sorted == NULL || spare == NULL || cursors == NULL) {
        allocator_put(kept->allocator, sorted, bytes);
        allocator_put(kept->allocator, spare, bytes);
        allocator_put(kept->allocator, cursors, cursor_bytes);
        return error_no_memory(error, "percentiles");
    }
    for (size_t g = 0; g < group_count; g++) {
        cursors[g] = first;
        first += counts[g];
    }
    for (size_t i = 0; i < kept->count; i++)
        sorted[cursors[kept->groups[i]]++] = kept->numbers[i];
    first = 0;
    for (size_t g = 0; g < group_count; g++) {
        if (counts[g] < RADIX_MIN)
            qsort(sorted + first, counts[g], sizeof *sorted, compare_numbers);
        else
            sort_by_bytes(sorted + first, spare, counts[g]);
        first += counts[g];
    }
    allocator_put(kept->allocator, spare, bytes);
    allocator_put(kept->allocator, cursors, cursor_bytes);
    *ret_sorted = sorted;
    return KNACKDB_OK;
}

double
percentile_of(const double *sorted, size_t count, double percentile)
{
    double rank = percentile / 100.0 * (double) (count - 1);
    size_t below = (size_t) rank;
    double part = rank - (double) below;

    if (below + 1 >= count)
        return sorted[count - 1];
    /* Weighted, not low + part * difference: the difference of two finite numbers may overflow. The weights are
     * rounded, so the sum could lie a trace outside its two neighbours. */
    return fmin(fmax(sorted[below] * (1.0 - part) + sorted[below + 1] * part, sorted[below]), sorted[below + 1]);
}
