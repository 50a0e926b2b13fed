/* changes.h - one change of a store, drawn from a seed: the same for the writer, that makes it, and for whoever knows
 * only the seed, and so what it was. */
#ifndef TESTS_DURABILITY_CHANGES_H
#define TESTS_DURABILITY_CHANGES_H

#include "../model/random_rows.h"

#define CHANGE_ROWS_MAX 12

enum change_kind { CHANGE_STORE, CHANGE_UPDATE, CHANGE_DELETE, CHANGE_CLEAN_UP };

struct change {
    enum change_kind kind;
    int              table;
    size_t           count; /* rows, or columns of an update */
    knackdb_value    values[CHANGE_ROWS_MAX * MODEL_COLUMNS_MAX];
    uint32_t         columns[MODEL_COLUMNS_MAX];
    int64_t          id;
    double           before;
};

void change_draw(struct random_source *random, struct change *change);

/* Refusals (a key that is taken, a counter that would run over, an id that is not there) are part of life. */
knackdb_status change_make(knackdb *db, const struct change *change);

/* Of the model. Returns whether it makes a commit. */
bool change_apply(struct model *model, const struct change *change);

#endif
