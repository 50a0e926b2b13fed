/* number.h - numbers to text and back, without losing a bit on the way. */
#ifndef CLI_NUMBER_H
#define CLI_NUMBER_H

#include <stddef.h>
#include <stdint.h>

enum number_result {
    NUMBER_OK = 0,
    NUMBER_MALFORMED, /**< not a decimal number */
    NUMBER_FRACTION,  /**< a number, but not a whole one */
    NUMBER_RANGE,     /**< a number that the type cannot hold */
};

/** How a whole REAL looks: `5` as in CSV, or `5.0` so that a JSON reader makes a float of it. */
enum real_style { REAL_PLAIN, REAL_POINTED };

/** Room that any formatted number fits in. */
#define NUMBER_CHARS_MAX 32

/** Longest number that is read, in bytes. */
#define NUMBER_LENGTH_MAX 1000

/**
 * Reads a whole decimal number that may be written as `12`, `12.0` or `1.2e1`;
 * blanks around it are skipped. Exact: no double is involved.
 */
enum number_result number_parse_integer(const char *text, size_t length, int64_t *ret_integer);

/** Reads a decimal number as strtod() does in the C locale, without its "inf", "nan" and hexadecimal. */
enum number_result number_parse_real(const char *text, size_t length, double *ret_real);

/** A few words for a result that is not NUMBER_OK: "is not a whole number". */
const char *number_result_text(enum number_result result);

/** Writes up to NUMBER_CHARS_MAX bytes without a terminator and gives their count. */
size_t number_format_integer(int64_t integer, char *out);

/** The same for a finite REAL: the shortest decimal that reads back to the same bits,
 *  the nearest to it where there are several. */
size_t number_format_real(double real, enum real_style style, char *out);

#endif
