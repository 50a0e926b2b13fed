/* sums.c - see sums.h. */
#include "core/sums.h"

#include <math.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

void
sums_init(struct sums *sums)
{
    for (uint32_t l = 0; l < SUMS_LANES; l++)
        sums->lanes[l] = (struct sums_lane) { 0.0, -INFINITY, -INFINITY, 0.0 };
}

bool
sums_add_plain(struct sums *groups, const uint32_t *numbers, const double *values)
{
    uint32_t nans = 0;

    for (uint32_t i = 0; i < SUMS_BLOCK_ROWS; i++)
        nans |= values[i] != values[i];
    if (nans != 0)
        return false;
    for (uint32_t i = 0; i < SUMS_BLOCK_ROWS; i++)
        sums_add(&groups[numbers[i]].lanes[i % SUMS_LANES], values[i]);
    return true;
}

#if defined(__x86_64__)

_Static_assert(sizeof(struct sums_lane) == sizeof(__m256d), "a lane is a register");

/* The register holds sum, maximum, lowest, count as the struct does: (x, x, -x, 1) is added, or the larger one taken.
 * Of two that are equal, +0 and -0, _mm256_max_pd() gives the second, which sums_add() keeps, too. */
__attribute__((target("avx2"))) static bool
sums_add_avx2(struct sums *groups, const uint32_t *numbers, const double *values)
{
    const __m256d third = _mm256_set_pd(0.0, -0.0, 0.0, 0.0);
    const __m256d one = _mm256_set1_pd(1.0);
    __m256d       nans = _mm256_setzero_pd();

    for (uint32_t i = 0; i < SUMS_BLOCK_ROWS; i += 8) /* unordered: one of the two is NaN */
        nans = _mm256_or_pd(nans,
                            _mm256_cmp_pd(_mm256_loadu_pd(values + i), _mm256_loadu_pd(values + i + 4), _CMP_UNORD_Q));
    if (_mm256_movemask_pd(nans) != 0)
        return false;
    for (uint32_t i = 0; i < SUMS_BLOCK_ROWS; i += SUMS_LANES)
        for (uint32_t l = 0; l < SUMS_LANES; l++) { /* unrolled: which lane it is, is then no question */
            double *lane = &groups[numbers[i + l]].lanes[l].sum;
            __m256d before = _mm256_load_pd(lane);
            __m256d value = _mm256_xor_pd(_mm256_broadcast_sd(values + i + l), third);
            __m256d added = _mm256_add_pd(before, _mm256_blend_pd(value, one, 1 << 3));
            __m256d larger = _mm256_max_pd(value, before);

            _mm256_store_pd(lane, _mm256_blend_pd(added, larger, 1 << 1 | 1 << 2));
        }
    return true;
}

#endif

sums_add_block *
sums_add_fastest(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2"))
        return sums_add_avx2;
#endif
    return sums_add_plain;
}

static struct sums_lane
both(struct sums_lane a, struct sums_lane b)
{
    return (struct sums_lane) { a.sum + b.sum, b.maximum > a.maximum ? b.maximum : a.maximum,
                                b.lowest > a.lowest ? b.lowest : a.lowest, a.count + b.count };
}

struct sums_lane
sums_total(const struct sums *sums)
{
    return both(both(sums->lanes[0], sums->lanes[1]), both(sums->lanes[2], sums->lanes[3]));
}
