/* printable.h - stored text made safe and measurable for a terminal. Pure. */
#ifndef CLI_PRINTABLE_H
#define CLI_PRINTABLE_H

#include <stdbool.h>
#include <stddef.h>

/**
 * Writes as much of the text as fits: printable UTF-8 as it is, control characters
 * and characters that turn the direction of writing as \n, \t, \u001b, bytes that are
 * not UTF-8 as \xff. Never cuts within a character or an escape. No terminator.
 *
 * @return bytes written.
 */
size_t printable_write(const char *text, size_t length, char *out, size_t capacity);

/**
 * The same within a number of terminal columns; what does not fit is cut and the cut
 * marked by an ellipsis.
 *
 * @param ret_columns  columns taken; may be NULL.
 */
size_t printable_write_columns(const char *text, size_t length, size_t columns_max, char *out, size_t capacity,
                               size_t *ret_columns);

/** Room in bytes that so many columns need at most, combining characters bounded. */
#define PRINTABLE_BYTES(columns) (8 * (columns) + 16)

/** Columns the text takes, counted up to `columns_max`. */
size_t printable_columns(const char *text, size_t length, size_t columns_max);

#endif
