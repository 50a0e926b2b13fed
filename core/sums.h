/* sums.h - count, sum, minimum and maximum of the numbers of many groups, a block of rows at a time.
 *
 * How fast a sum grows is bounded by how fast an addition's result comes back as the next one's operand. So each
 * group has four lanes, and a row's number goes into the lane that its place in the block says (place % 4): of four
 * rows one after the other none waits for another, be they of one group. In the end lanes are brought together in one
 * order. What is added to what is thus the same whoever does it, and so is every bit of the answer: a vector unit
 * keeps a lane's four figures in one register, and there is a path in plain C for processors without one. */
#ifndef KNACKDB_CORE_SUMS_H
#define KNACKDB_CORE_SUMS_H

#include <stdbool.h>
#include <stdint.h>

#define SUMS_LANES      4u
#define SUMS_BLOCK_ROWS 128u

/* Four doubles, so that one instruction loads, and one stores them. */
struct sums_lane {
    double sum;
    double maximum; /* -infinity: no number yet */
    double lowest;  /* the minimum with the other sign: it is a maximum, too */
    double count;   /* exact to 2^53 */
};

struct sums {
    struct sums_lane lanes[SUMS_LANES];
};

void sums_init(struct sums *sums);

/* values[i] goes into groups[numbers[i]]; SUMS_BLOCK_ROWS of them. Where one of them is NaN it returns false, and
 * nothing is done. */
typedef bool sums_add_block(struct sums *groups, const uint32_t *numbers, const double *values);

sums_add_block  sums_add_plain;
sums_add_block *sums_add_fastest(void); /* that this processor has */

static inline void
sums_add(struct sums_lane *lane, double value)
{
    lane->sum += value;
    lane->maximum = value > lane->maximum ? value : lane->maximum;
    lane->lowest = -value > lane->lowest ? -value : lane->lowest;
    lane->count += 1.0;
}

/* All lanes in one. */
struct sums_lane sums_total(const struct sums *sums);

#endif
