/* rows.h - row structs and value arrays, one into the other, by a table of fields. */
#ifndef KNACKDB_API_ROWS_H
#define KNACKDB_API_ROWS_H

#include "core/store.h"

/* How the struct of a table is laid out. */
const struct row_layout *row_layout_of(int table);

/* One value a field, texts borrowed. */
void row_to_values(const struct row_layout *layout, int table, const void *row, knackdb_value *ret_values);
void row_from_values(const struct row_layout *layout, int table, const knackdb_value *values, void *ret_row);

#endif
