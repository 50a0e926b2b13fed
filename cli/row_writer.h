/* row_writer.h - rows as CSV or as JSON lines. */
#ifndef CLI_ROW_WRITER_H
#define CLI_ROW_WRITER_H

#include "output.h"

#include <knackdb.h>
#include <stdbool.h>

enum row_format { ROWS_CSV, ROWS_JSON_LINES };

/** "csv" or "jsonl"; false for anything else. */
bool row_format_by_name(const char *name, enum row_format *ret_format);

/** The header row of CSV; nothing for JSON lines. `columns` NULL means the table's first `count`. */
void row_writer_put_header(struct output *output, enum row_format format, const knackdb_table_info *table,
                           const uint32_t *columns, size_t count);

/** One row. values[i] belongs to columns[i]. */
void row_writer_put_row(struct output *output, enum row_format format, const knackdb_table_info *table,
                        const uint32_t *columns, const knackdb_value *values, size_t count);

/** One value as JSON; a REAL always with a point or exponent, so that it is read back as one. */
void row_writer_put_json(struct output *output, const knackdb_value *value);

/** A text as a JSON string. */
void row_writer_put_json_text(struct output *output, const char *text, size_t length);

#endif
