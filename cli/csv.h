/* csv.h - one CSV row at a time, out of bytes. Pure: no file, no allocation. */
#ifndef CLI_CSV_H
#define CLI_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Longest field as written, quotes included: twice the longest text, all of it quotes. */
#define CSV_FIELD_BYTES_MAX ((size_t) 2 * 16 * 1024 * 1024 + 2)

enum csv_result {
    CSV_ROW,  /**< a whole row */
    CSV_MORE, /**< the bytes end within the row: call again with more of them */
    CSV_BAD,  /**< no row; csv_row.why says what is wrong */
};

/** A field as it stands in the bytes, without its outer quotes. */
struct csv_field {
    size_t offset;
    size_t length;
    bool   quoted;
    bool   doubled; /**< holds doubled quotes: csv_unquote() before use */
};

struct csv_row {
    size_t      bytes;       /**< used by the row, line end included; with CSV_BAD up to the fault */
    uint64_t    lines;       /**< line ends among them */
    size_t      field_count; /**< found; may be more than there was room for */
    const char *why;         /**< with CSV_BAD; static. The fault is in field number field_count */
};

/**
 * Finds the fields of the row at the beginning of `data`.
 *
 * @param is_all   no more bytes come after these.
 * @param fields   receives up to `capacity` of them.
 * @param ret_row  written with CSV_ROW and CSV_BAD.
 *
 * Rows end with CRLF, LF, or the end of all bytes. `length` must not be 0.
 */
enum csv_result csv_scan(const char *data, size_t length, bool is_all, struct csv_field *fields, size_t capacity,
                         struct csv_row *ret_row);

/** Halves the doubled quotes in place and gives the new length. */
size_t csv_unquote(char *text, size_t length);

/** Says whether a text must stand in quotes: the empty one must, since nothing is NULL. */
bool csv_needs_quotes(const char *text, size_t length);

#endif
