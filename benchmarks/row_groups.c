/* row_groups.c - how many rows should stand together in memory?
 *
 * A table could keep each row whole (a group of 1), each column whole (a group of as many
 * rows as a chunk has), or anything between: groups of G rows, in which each column is
 * an array. Reading one row wants a small G, scanning a column a large one. This
 * program measures the bargain on plain memory, without the engine: as many arrays of
 * eight bytes as a pattern has cells, and an index of twice as many entries as rows.
 *
 *     row_groups [ROWS [ROUNDS]]        1,048,576 rows and 3 rounds unless told
 *
 * Rounds go over all sizes in turn; each figure is the median of its rounds. */
#include "clock.h"
#include "failure.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define CELLS      18
#define READS      500000
#define ROUNDS_MAX 15
#define HUGE_BYTES ((size_t) 2 << 20)

static const size_t group_rows[] = { 1, 8, 64, 128, 256, 1024, 65536 };
#define SIZES (sizeof group_rows / sizeof group_rows[0])

struct memory {
    unsigned char *cells;
    uint32_t      *index;
    size_t         rows;
};

struct figures {
    double waiting_ns, independent_ns, scan_ms;
};

static void *
pages(size_t bytes)
{
    void *memory = aligned_alloc(HUGE_BYTES, (bytes + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1));

    if (memory == NULL)
        fail("no memory");
    (void) madvise(memory, bytes, MADV_HUGEPAGE);
    return memory;
}

static uint64_t
random_next(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

static const unsigned char *
row_at(const struct memory *memory, size_t group, size_t row)
{
    return memory->cells + row / group * group * CELLS * 8 + row % group * 8;
}

static uint64_t
row_sum(const struct memory *memory, size_t group, size_t row)
{
    const unsigned char *at = row_at(memory, group, row);
    uint64_t             sum = 0;

    for (size_t c = 0; c < CELLS; c++) {
        uint64_t cell;

        memcpy(&cell, at + c * group * 8, sizeof cell);
        sum += cell;
    }
    return sum;
}

/* With `waits` a read's place depends on what the last one found, so that none begins before. */
static double
read_rows(const struct memory *memory, size_t group, bool waits, uint64_t *sum)
{
    uint64_t state = 1;
    uint64_t begun = clock_ns();

    for (int i = 0; i < READS; i++) {
        uint64_t place = random_next(&state) + (waits ? *sum & 1 : 0);

        *sum += row_sum(memory, group, memory->index[place % (2 * memory->rows)]);
    }
    return (double) (clock_ns() - begun) / READS;
}

static double
scan_three(const struct memory *memory, size_t group, uint64_t *sum)
{
    static const size_t columns[] = { 0, 3, 7 };
    uint64_t            begun = clock_ns();

    /* Row by row, as a question looks at several columns of each. */
    for (size_t first = 0; first < memory->rows; first += group) {
        const unsigned char *start = row_at(memory, group, first);
        const uint64_t      *one = (const uint64_t *) (const void *) (start + columns[0] * group * 8);
        const uint64_t      *two = (const uint64_t *) (const void *) (start + columns[1] * group * 8);
        const uint64_t      *three = (const uint64_t *) (const void *) (start + columns[2] * group * 8);

        for (size_t i = 0; i < group; i++)
            *sum += one[i] + two[i] + three[i];
    }
    return (double) (clock_ns() - begun) / 1e6;
}

static int
compare_doubles(const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;

    return (x > y) - (x < y);
}

static double
median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare_doubles);
    return values[count / 2];
}

int
main(int argc, char **argv)
{
    size_t                rows = argc > 1 ? strtoul(argv[1], NULL, 10) : (size_t) 1 << 20;
    size_t                rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 3;
    static struct figures seen[SIZES][ROUNDS_MAX];
    struct memory         memory = { .rows = rows / 65536 * 65536 };
    uint64_t              sum = 0;

    if (memory.rows == 0 || rounds == 0 || rounds > ROUNDS_MAX)
        fail("usage: row_groups [ROWS [ROUNDS]]: at least 65,536 rows, 1 to %d rounds", ROUNDS_MAX);
    memory.cells = pages(memory.rows * CELLS * 8);
    memory.index = pages(2 * memory.rows * sizeof *memory.index);
    memset(memory.cells, 1, memory.rows * CELLS * 8);
    for (size_t i = 0; i < 2 * memory.rows; i++)
        memory.index[i] = (uint32_t) (i * 2654435761u % memory.rows);

    for (size_t r = 0; r < rounds; r++)
        for (size_t s = 0; s < SIZES; s++) {
            seen[s][r].waiting_ns = read_rows(&memory, group_rows[s], true, &sum);
            seen[s][r].independent_ns = read_rows(&memory, group_rows[s], false, &sum);
            seen[s][r].scan_ms = scan_three(&memory, group_rows[s], &sum);
        }

    printf("%zu rows of %d cells, median of %zu rounds\n", memory.rows, CELLS, rounds);
    printf("%13s  %16s  %16s  %14s\n", "rows a group", "row, waiting ns", "independent ns", "scan of 3, ms");
    for (size_t s = 0; s < SIZES; s++) {
        double waiting[ROUNDS_MAX], independent[ROUNDS_MAX], scan[ROUNDS_MAX];

        for (size_t r = 0; r < rounds; r++) {
            waiting[r] = seen[s][r].waiting_ns;
            independent[r] = seen[s][r].independent_ns;
            scan[r] = seen[s][r].scan_ms;
        }
        printf("%13zu  %16.0f  %16.0f  %14.2f\n", group_rows[s], median(waiting, rounds), median(independent, rounds),
               median(scan, rounds));
    }
    free(memory.cells);
    free(memory.index);
    return sum == 1 ? EXIT_FAILURE : EXIT_SUCCESS; /* and so nothing above can be left out */
}
