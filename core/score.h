/* score.h - "which pattern should I use now", for one row; knackdb.h has the formula. */
#ifndef KNACKDB_CORE_SCORE_H
#define KNACKDB_CORE_SCORE_H

#include "core/table.h"

double score_value(double success_rate, int64_t usage_count, double confidence_score, double updated_at, uint64_t nulls,
                   double now, double half_life_seconds);

/* execution_patterns only. */
double score_of_row(const struct table_data *table, row_number row, double now, double half_life_seconds);

#endif
