/* columns.h - columns of a table by their names. Pure. */
#ifndef CLI_COLUMNS_H
#define CLI_COLUMNS_H

#include <knackdb.h>
#include <stdbool.h>
#include <stddef.h>

#define COLUMN_WHY_BYTES 800 /* room for what is said of a column; more is cut */

/** Index of the column of that name, or -1. */
int column_find(const knackdb_table_info *table, const char *name, size_t length);

/** Says that there is none of that name, and which there are. */
void column_say_missing(const knackdb_table_info *table, const char *name, size_t length,
                        char ret_why[COLUMN_WHY_BYTES]);

/**
 * Reads `a,b,c`; each column at most once.
 *
 * @param ret_columns  receives up to KNACKDB_COLUMNS_MAX indexes.
 * @param ret_why      says what is wrong.
 */
bool columns_parse(const char *text, const knackdb_table_info *table, uint32_t *ret_columns, size_t *ret_count,
                   char ret_why[COLUMN_WHY_BYTES]);

#endif
