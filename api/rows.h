/* rows.h - row structs by a table of fields: into values here, out of a view by view_struct() (core/store.h). */
#ifndef KNACKDB_API_ROWS_H
#define KNACKDB_API_ROWS_H

#include "core/store.h"

/* How the struct of a table is laid out. */
const struct row_layout *row_layout_of(int table);

/* Number of the table's key that begins with this column, which must be one. */
uint32_t key_on(int table, uint32_t column);

/* One value a field, texts borrowed. */
void row_to_values(const struct row_layout *layout, int table, const void *row, knackdb_value *ret_values);

#endif
