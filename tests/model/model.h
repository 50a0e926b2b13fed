/* model.h - what the store should answer, worked out the plain and slow way.
 *
 * A model holds, for each table, an array of the living rows by rising id. A row
 * never changes once it is in: a change makes a new one. So an earlier moment is a
 * copy of the arrays, and keeping a few of them costs little. Every question is a
 * scan of the whole array. Nothing here is shared with the engine but knackdb.h:
 * columns, UTF-8, keys, comparisons and JSON lists are written out again, so that
 * one misunderstanding does not answer for both. The one exception is
 * knackdb_score(), because an order by nearly equal scores depends on its last bit;
 * model_score() works it out apart, and the tests compare the two.
 *
 * Text is borrowed for as long as the model lives. Where the store takes the time of
 * the call, the model writes MODEL_NOW and is told the time afterwards. */
#ifndef TESTS_MODEL_MODEL_H
#define TESTS_MODEL_MODEL_H

#include <knackdb.h>

#define MODEL_TABLES      3
#define MODEL_COLUMNS_MAX 14

struct model_column {
    knackdb_type type;
    bool         is_rate;
};

struct model_table_shape {
    size_t              column_count;
    struct model_column columns[MODEL_COLUMNS_MAX];
    int                 age_column; /* what clean-up looks at; -1: none */
};

extern const struct model_table_shape model_shapes[MODEL_TABLES];

struct model_row {
    knackdb_value cells[MODEL_COLUMNS_MAX];
};

struct model_rows {
    const struct model_row **rows; /* by rising id */
    size_t                   count;
    size_t                   capacity;
    int64_t                  largest_id; /* ever used */
};

struct model_memory; /* of rows; freed whole with the model they were made in */

struct model {
    struct model_rows    tables[MODEL_TABLES];
    struct model_memory *memory; /* NULL in a moment */
    bool                 awaits_now;
};

void model_init(struct model *model);
void model_clear(struct model *model);

/* A moment: reads as the model does now, for as long as the model lives. End it with model_clear(). */
void model_remember(const struct model *model, struct model *ret_moment);

/* ---- changes: the status that the store should give, and nothing changed unless it is KNACKDB_OK ---- */

/* ret_column: the column at fault where the status is INVALID, else -1. */
knackdb_status model_store(struct model *model, int table, const knackdb_value *values, size_t column_count,
                           size_t row_count, uint32_t flags, int64_t *ret_ids, int *ret_column);
knackdb_status model_update(struct model *model, int table, int64_t id, const uint32_t *columns,
                            const knackdb_value *values, size_t count, int *ret_column);
knackdb_status model_set_weight(struct model *model, int64_t id, double weight);
knackdb_status model_use_pattern(struct model *model, int64_t id);
knackdb_status model_use_preference(struct model *model, knackdb_text type, knackdb_text value);
knackdb_status model_delete(struct model *model, int table, int64_t id);
uint64_t       model_clean_up(struct model *model, int table, double before);

/* A REAL cell whose value is the time of the last change, not told yet. */
bool model_is_now(const knackdb_value *cell);

/* Tells the time of the last change. */
void model_settle_now(struct model *model, double now);

/* For replaying a log: puts a row as it is, whatever its keys. */
void model_put(struct model *model, int table, const knackdb_value *cells);

/* ---- questions ---- */

const struct model_row *model_by_id(const struct model *model, int table, int64_t id); /* or NULL */
const struct model_row *model_by_external_id(const struct model *model, knackdb_text external_id);
const struct model_row *model_by_preference(const struct model *model, knackdb_text type, knackdb_text value);

/* Rows in order; `ret_rows` has room for all rows of the table. Queries must be valid. */
size_t   model_find(const struct model *model, const knackdb_query *query, const struct model_row **ret_rows);
uint64_t model_count(const struct model *model, const knackdb_query *query);

/* Groups by rising key, NULL first; `ret_groups` has room for one more than the rows of the table. `ret_slack` (the
 * same room) is how far a mean may be off when it is added up in another order. */
size_t model_aggregate(const struct model *model, const knackdb_query *query, uint32_t value_column,
                       int32_t group_column, const double *percentiles, size_t percentile_count,
                       knackdb_group *ret_groups, double *ret_slack);

/* The formula of knackdb_score(), in long double. */
long double model_score(const knackdb_value *cells, double now, double half_life_seconds);

/* Numbers by value, INTEGER with REAL exactly; texts by bytes. Neither may be NULL. */
int model_compare(const knackdb_value *a, const knackdb_value *b);

bool model_text_equal(knackdb_text a, knackdb_text b);

/* Is the text a JSON list (RFC 8259) with this string among its elements? json_list.c */
bool json_list_contains(knackdb_text list, knackdb_text string);

#endif
