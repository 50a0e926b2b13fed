/* agreement.h - asks the store and the model the same thing and says where they differ.
 *
 * Every function returns true where they agree; otherwise it has printed, in `why`,
 * what was asked and what each of them said. */
#ifndef TESTS_MODEL_AGREEMENT_H
#define TESTS_MODEL_AGREEMENT_H

#include "random_rows.h"

struct disagreement {
    char text[4000];
};

/* The row with this id, by id and cell by cell, or its absence. */
bool agree_on_id(knackdb_read *read, const struct model *model, int table, int64_t id, struct disagreement *why);

/* A row by the keys that `row` has. */
bool agree_on_keys(knackdb_read *read, const struct model *model, int table, const knackdb_value *cells,
                   struct disagreement *why);

/* Every row of every table, in order, each also by its keys. */
bool agree_on_all(knackdb_read *read, const struct model *model, struct disagreement *why);

/* How many rows each table has. */
bool agree_on_counts(knackdb_read *read, const struct model *model, struct disagreement *why);

/* The rows a query finds, in order, and how many match. `prepared` may be NULL. */
bool agree_on_query(knackdb_read *read, const struct model *model, const knackdb_query *query,
                    const knackdb_prepared *prepared, struct disagreement *why);

/* The same through the calls that copy; the model must stand where the store does. */
bool agree_on_copies(knackdb *db, const struct model *model, const knackdb_query *query, struct disagreement *why);

bool agree_on_aggregate(knackdb_read *read, const struct model *model, const knackdb_query *query,
                        uint32_t value_column, int32_t group_column, const double *percentiles, size_t percentile_count,
                        struct disagreement *why);

bool agree_on_history(knackdb *db, const struct model *model, knackdb_text component, knackdb_text metric, double since,
                      double until, uint64_t limit, struct disagreement *why);

bool agree_on_preferences(knackdb *db, const struct model *model, knackdb_text type, knackdb_text value,
                          struct disagreement *why);

/* knackdb_score() against the formula, for a row. */
bool agree_on_score(const struct model_row *row, double now, double half_life_seconds, struct disagreement *why);

#endif
