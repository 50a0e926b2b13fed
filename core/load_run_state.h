/* load_run_state.h - what a load_run is made of; for load_run.c and load_keys.c. */
#ifndef KNACKDB_CORE_LOAD_RUN_STATE_H
#define KNACKDB_CORE_LOAD_RUN_STATE_H

#include "core/load_run.h"
#include "core/store_data.h"

struct load_run {
    struct store      *store;
    struct table_data *data;
    struct load_place  place;
    row_number         first;
    uint32_t           kept;  /* rows that come */
    uint64_t           given; /* columns, as bits */

    int64_t      ids[LOAD_RUN_ROWS_MAX];     /* of the rows that are kept, as what follows */
    uint64_t     cells[LOAD_RUN_ROWS_MAX];   /* on their way; 8 bytes or 4 each */
    uint32_t     sources[LOAD_RUN_ROWS_MAX]; /* which value of the column */
    uint64_t     hashes[LOAD_RUN_ROWS_MAX];  /* of texts; of keys at the run's end */
    knackdb_text texts[LOAD_RUN_ROWS_MAX];   /* of the column, as what follows */
    uint32_t     holders[LOAD_RUN_ROWS_MAX];
    uint32_t     codes[LOAD_RUN_ROWS_MAX];
};

/* Puts the keys of a run into their indexes, once its cells are written. Takes the writers' lock. */
knackdb_status load_keys_add(struct load_run *run, knackdb_error *error);

#endif
