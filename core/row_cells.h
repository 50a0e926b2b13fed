/* row_cells.h - a row about to be written, or looked at as it is kept: each cell as the bits of its array. */
#ifndef KNACKDB_CORE_ROW_CELLS_H
#define KNACKDB_CORE_ROW_CELLS_H

#include "core/table_keys.h"

struct row_cells {
    uint64_t bits[KNACKDB_COLUMNS_MAX];
    uint64_t exact; /* columns whose INT64_MIN is a value */
};

void row_cells_load(struct row_cells *cells, const struct table_data *table, row_number row);

/* The key of such a row; false where a part of it is NULL. table_keys.c. */
bool key_search_init_cells(struct key_search *search, const struct table_data *table, uint32_t key_index,
                           const struct row_cells *cells);

#endif
