/* table_view.h - rows as an aligned table for a terminal. */
#ifndef CLI_TABLE_VIEW_H
#define CLI_TABLE_VIEW_H

#include "output.h"

#include <knackdb.h>

/** Cells of a view: row by row, the columns in the order they are shown. */
struct table_view {
    const knackdb_table_info *table;
    const uint32_t           *columns;
    size_t                    column_count;
    size_t                    row_count;
    /** Gives the values of a row; texts stay until the next call. */
    void (*row)(void *context, size_t row, knackdb_value *ret_values);
    void  *context;
    size_t terminal_columns; /**< the width to keep to; SIZE_MAX: none */
};

/**
 * Prints a header, a rule, the rows, and how many there are. Numbers stand at the
 * right and are never cut; texts are cut where the table would be wider than the
 * terminal, the widest columns first. NULL is shown as NULL.
 */
void table_view_print(const struct table_view *view, struct output *output);

#endif
