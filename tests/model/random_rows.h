/* random_rows.h - rows, values and queries drawn from a seed.
 *
 * Draws are lopsided on purpose: few ids, few keys and few texts, so that rows
 * collide; numbers at the edges of their types; texts that look alike and are not. */
#ifndef TESTS_MODEL_RANDOM_ROWS_H
#define TESTS_MODEL_RANDOM_ROWS_H

#include "model.h"

#define RANDOM_CONDITIONS_MAX 4
#define RANDOM_CHOICES_MAX    4
#define RANDOM_TEXTS_MAX      64

struct random_source {
    uint64_t     state;
    int64_t      ids;        /* explicit ids are mostly from 1 to this */
    uint32_t     keys;       /* how many external_ids, preference values */
    double       time_now;   /* times are mostly from 0 to this; the history moves it on */
    size_t       text_count; /* texts for any column, made once and kept to the end */
    knackdb_text texts[RANDOM_TEXTS_MAX];
    size_t       long_text_count; /* the last ones are long and rarely drawn */
};

void random_init(struct random_source *random, uint64_t seed);
void random_clear(struct random_source *random); /* frees the texts */

uint64_t random_bits(struct random_source *random);
uint32_t random_below(struct random_source *random, uint32_t bound);
bool     random_chance(struct random_source *random, uint32_t one_in);

int64_t       random_id(struct random_source *random); /* positive */
knackdb_text  random_external_id(struct random_source *random);
knackdb_value random_cell(struct random_source *random, int table, uint32_t column);

/* A row that may be stored, all columns of it. */
void random_row(struct random_source *random, int table, knackdb_value cells[MODEL_COLUMNS_MAX]);

/* Spoils one cell so that the row must be refused; returns the column at fault. */
uint32_t random_spoil(struct random_source *random, int table, size_t column_count, knackdb_value *cells);

/* A valid query and the room it points into. */
struct random_query {
    knackdb_query     query;
    knackdb_condition conditions[RANDOM_CONDITIONS_MAX];
    knackdb_value     choices[RANDOM_CONDITIONS_MAX][RANDOM_CHOICES_MAX];
};
void random_query(struct random_source *random, int table, struct random_query *ret_query);

#endif
