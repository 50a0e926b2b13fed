/* json.h - a row out of one line of JSON, and text into JSON. Pure: no file, no allocation. */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include <knackdb.h>
#include <stdbool.h>
#include <stddef.h>

/** Lists and objects within each other that are followed, the row's own object not counted. */
#define JSON_DEPTH_MAX 100

struct json_fault {
    size_t       offset; /**< of the byte at fault in the line as it was given */
    int          column; /**< of the table, or -1 where none is at fault */
    knackdb_text key;    /**< a key that names no column, else NULL; points into the line */
    const char  *why;    /**< static */
};

/**
 * Reads an object whose keys are column names. The line is changed: texts are
 * unescaped in place and `ret_values` points into it.
 *
 * @param ret_values  one for each of the table's columns; those without a key are NULL.
 *                    Written, as far as it came, also where the line is at fault.
 * @param ret_fault   written where the line is at fault.
 * @return whether the line is a row.
 *
 * An INTEGER or REAL column takes a number, a TEXT column a string, or a list or
 * object, which is kept as its JSON text without the blanks between tokens; null is
 * NULL. Ranges and UTF-8 are left to knackdb_check_row().
 */
bool json_read_row(char *line, size_t length, const knackdb_table_info *table, knackdb_value *ret_values,
                   struct json_fault *ret_fault);

/** Most bytes that one byte of text becomes in a JSON string. */
#define JSON_BYTES_PER_BYTE_MAX 6

/** Writes text as a JSON string, quotes included, and gives its length. Control characters, C1 and DEL
 *  too, are escaped; other UTF-8 stays. `out` has room for JSON_BYTES_PER_BYTE_MAX * length + 2 bytes. */
size_t json_write_string(const char *text, size_t length, char *out);

#endif
