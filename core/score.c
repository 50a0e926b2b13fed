/* score.c - the lower end of the Wilson interval, times confidence, decayed by age.
 *
 * The interval is E. B. Wilson's of 1927 ("Probable inference, the law of succession, and
 * statistical inference", JASA 22): it stays within 0..1 and is honest for a handful of trials, where
 * the usual p +- z * sqrt(p(1-p)/n) is not: one success in one try scores 0.21, not 1. */
#include "core/score.h"

#include <math.h>

#define Z 1.959963984540054 /* the 97.5 % point of the normal distribution */

double
score_value(double success_rate, int64_t usage_count, double confidence_score, double updated_at, uint64_t nulls,
            double now, double half_life_seconds)
{
    double half_life = half_life_seconds > 0.0 ? half_life_seconds : KNACKDB_HALF_LIFE_DEFAULT;
    double p = (nulls & KNACKDB_BIT(KNACKDB_PATTERN_SUCCESS_RATE)) != 0 ? 0.0 : success_rate;
    double n = (nulls & KNACKDB_BIT(KNACKDB_PATTERN_USAGE_COUNT)) != 0 || usage_count < 1 ? 1.0 : (double) usage_count;
    double c = (nulls & KNACKDB_BIT(KNACKDB_PATTERN_CONFIDENCE_SCORE)) != 0 ? 1.0 : confidence_score;
    double age = (nulls & KNACKDB_BIT(KNACKDB_PATTERN_UPDATED_AT)) != 0 || !(updated_at < now) ? 0.0 : now - updated_at;
    double z2n = Z * Z / n;
    double lower = (p + z2n / 2.0 - Z * sqrt(p * (1.0 - p) / n + z2n / (4.0 * n))) / (1.0 + z2n);

    /* Exactly 0 for p = 0; rounding may leave a trace of either sign. */
    if (lower < 0.0 || p == 0.0)
        lower = 0.0;
    return lower * c * exp2(-age / half_life);
}

double
score_of_row(const struct table_data *table, row_number row, double now, double half_life_seconds)
{
    double   success = table_real(table, row, KNACKDB_PATTERN_SUCCESS_RATE);
    double   confidence = table_real(table, row, KNACKDB_PATTERN_CONFIDENCE_SCORE);
    double   updated = table_real(table, row, KNACKDB_PATTERN_UPDATED_AT);
    int64_t  usage;
    uint64_t nulls = 0;

    if (isnan(success))
        nulls |= KNACKDB_BIT(KNACKDB_PATTERN_SUCCESS_RATE);
    if (isnan(confidence))
        nulls |= KNACKDB_BIT(KNACKDB_PATTERN_CONFIDENCE_SCORE);
    if (isnan(updated))
        nulls |= KNACKDB_BIT(KNACKDB_PATTERN_UPDATED_AT);
    if (!table_integer_given(table, row, KNACKDB_PATTERN_USAGE_COUNT, &usage))
        nulls |= KNACKDB_BIT(KNACKDB_PATTERN_USAGE_COUNT);
    return score_value(success, usage, confidence, updated, nulls, now, half_life_seconds);
}
