/* number.c - numbers to text and back, without losing a bit on the way.
 *
 * Reading. A decimal is taken apart once: sign, up to 19 significant digits as an
 * integer, a power of ten, and whether digits had to be left out. An INTEGER is
 * built from that exactly. A REAL of at most 2^53 and a power of ten of at most 22
 * is one multiplication or division of two exact doubles, which IEEE 754 rounds
 * correctly (Clinger 1990); anything else is left to strtod(), which needs the C
 * locale: the tool never sets LC_NUMERIC.
 *
 * Writing. The shortest decimal that reads back is wanted, that is, the one with
 * the fewest digits among all that lie in the rounding interval of the double. For
 * magnitudes people use, the interval fits in 128-bit integers:
 *
 *     real = m * 2^-s            m < 2^53
 *     interval, scaled by 10^k:  (4m - 2 or 1) * 10^k / 2^(s+2) ... (4m + 2) * 10^k / 2^(s+2)
 *
 * The lower arm is half as long where m is a power of two. Its ends belong to it
 * where m is even, since ties go to even. k is chosen so that the interval holds
 * whole numbers; the answer is the multiple of the highest power of ten among them,
 * the nearest to the value where there are several. Other magnitudes, subnormals
 * included, try up to 17 digits with printf. The decimal nearest to the value may
 * then miss the short lower arm while the next one above hits the long upper arm,
 * so at powers of two that one is tried as well. */
#include "number.h"

#include <errno.h>
#include <float.h>
#include <math.h> /* frexp, ldexp, isfinite: in the C library itself */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__extension__ typedef unsigned __int128 uint128;

/* A decimal taken apart: (-1)^negative * digits * 10^exponent, and more digits behind where `inexact`. */
struct decimal {
    bool     negative;
    bool     inexact;
    uint64_t digits;
    int64_t  exponent;
};

static const double exact_powers[] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};

static const uint64_t whole_powers[] = {
    UINT64_C(1),
    UINT64_C(10),
    UINT64_C(100),
    UINT64_C(1000),
    UINT64_C(10000),
    UINT64_C(100000),
    UINT64_C(1000000),
    UINT64_C(10000000),
    UINT64_C(100000000),
    UINT64_C(1000000000),
    UINT64_C(10000000000),
    UINT64_C(100000000000),
    UINT64_C(1000000000000),
    UINT64_C(10000000000000),
    UINT64_C(100000000000000),
    UINT64_C(1000000000000000),
    UINT64_C(10000000000000000),
    UINT64_C(100000000000000000),
    UINT64_C(1000000000000000000),
    UINT64_C(10000000000000000000),
};

/* Past this every REAL is infinite or zero; keeps sums of exponents far from overflow. */
#define EXPONENT_BOUND 100000

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void
trim_blanks(const char **text, size_t *length)
{
    while (*length > 0 && (**text == ' ' || **text == '\t')) {
        (*text)++;
        (*length)--;
    }
    while (*length > 0 && ((*text)[*length - 1] == ' ' || (*text)[*length - 1] == '\t'))
        (*length)--;
}

/* [sign] digits [. digits] [e [sign] digits], with at least one digit before the e. */
static enum number_result
decimal_parse(const char *text, size_t length, struct decimal *ret_decimal)
{
    const char    *at = text;
    const char    *end = text + length;
    struct decimal decimal = { 0 };
    size_t         digit_count = 0;
    bool           behind_point = false;

    if (at < end && (*at == '-' || *at == '+'))
        decimal.negative = *at++ == '-';
    for (; at < end; at++) {
        if (*at == '.' && !behind_point) {
            behind_point = true;
            continue;
        }
        if (!is_digit(*at))
            break;
        digit_count++;
        if (decimal.digits <= (UINT64_MAX - 9) / 10 && !decimal.inexact) {
            decimal.digits = decimal.digits * 10 + (uint64_t) (*at - '0');
            decimal.exponent -= behind_point;
        } else {
            /* Zeros that no longer fit are exact as long as nothing else follows them. */
            decimal.inexact = decimal.inexact || *at != '0';
            decimal.exponent += !behind_point;
        }
    }
    if (digit_count == 0)
        return NUMBER_MALFORMED;
    if (at < end && (*at == 'e' || *at == 'E')) {
        int64_t exponent = 0;
        bool    negative = false;

        at++;
        if (at < end && (*at == '-' || *at == '+'))
            negative = *at++ == '-';
        if (at == end)
            return NUMBER_MALFORMED;
        for (; at < end && is_digit(*at); at++)
            if (exponent < EXPONENT_BOUND)
                exponent = exponent * 10 + (*at - '0');
        decimal.exponent += negative ? -exponent : exponent;
    }
    if (at != end)
        return NUMBER_MALFORMED;
    *ret_decimal = decimal;
    return NUMBER_OK;
}

enum number_result
number_parse_integer(const char *text, size_t length, int64_t *ret_integer)
{
    struct decimal     decimal;
    enum number_result result;

    trim_blanks(&text, &length);
    if (length > NUMBER_LENGTH_MAX)
        return NUMBER_RANGE;
    result = decimal_parse(text, length, &decimal);
    if (result != NUMBER_OK)
        return result;
    while (decimal.exponent < 0 && decimal.digits != 0 && decimal.digits % 10 == 0 && !decimal.inexact) {
        decimal.digits /= 10;
        decimal.exponent++;
    }
    if (decimal.digits == 0)
        decimal.exponent = 0;
    if (decimal.exponent < 0)
        return NUMBER_FRACTION;
    /* Digits left out stand behind 19 others. With exponent 0 they stand behind the point too. */
    if (decimal.inexact)
        return decimal.exponent == 0 ? NUMBER_FRACTION : NUMBER_RANGE;
    for (; decimal.exponent > 0; decimal.exponent--) {
        if (decimal.digits > (uint64_t) INT64_MAX / 10)
            return NUMBER_RANGE;
        decimal.digits *= 10;
    }
    if (decimal.digits > (uint64_t) INT64_MAX + decimal.negative)
        return NUMBER_RANGE;
    *ret_integer = decimal.negative ? (int64_t) (0 - decimal.digits) : (int64_t) decimal.digits;
    return NUMBER_OK;
}

enum number_result
number_parse_real(const char *text, size_t length, double *ret_real)
{
    struct decimal     decimal;
    enum number_result result;
    char               copy[NUMBER_LENGTH_MAX + 1];
    double             real;

    trim_blanks(&text, &length);
    if (length > NUMBER_LENGTH_MAX)
        return NUMBER_RANGE;
    result = decimal_parse(text, length, &decimal);
    if (result != NUMBER_OK)
        return result;
    if (FLT_EVAL_METHOD == 0 && !decimal.inexact && decimal.digits <= UINT64_C(1) << 53 && decimal.exponent >= -22 &&
        decimal.exponent <= 22) {
        real = (double) decimal.digits;
        if (decimal.exponent < 0)
            real /= exact_powers[-decimal.exponent];
        else
            real *= exact_powers[decimal.exponent];
        *ret_real = decimal.negative ? -real : real;
        return NUMBER_OK;
    }
    memcpy(copy, text, length);
    copy[length] = '\0';
    real = strtod(copy, NULL);
    if (!isfinite(real))
        return NUMBER_RANGE;
    *ret_real = real;
    return NUMBER_OK;
}

const char *
number_result_text(enum number_result result)
{
    switch (result) {
    case NUMBER_OK: return "is a number";
    case NUMBER_MALFORMED: return "is not a number";
    case NUMBER_FRACTION: return "is not a whole number";
    case NUMBER_RANGE: return "is out of range";
    }
    return "is not a number";
}

static size_t
format_unsigned(uint64_t value, char *out)
{
    char   reversed[20];
    size_t count = 0;

    do {
        reversed[count++] = (char) ('0' + value % 10);
        value /= 10;
    } while (value != 0);
    for (size_t i = 0; i < count; i++)
        out[i] = reversed[count - 1 - i];
    return count;
}

size_t
number_format_integer(int64_t integer, char *out)
{
    size_t used = 0;

    if (integer < 0)
        out[used++] = '-';
    return used + format_unsigned(integer < 0 ? 0 - (uint64_t) integer : (uint64_t) integer, out + used);
}

/* Most REALs people write have a few decimals. m / 10^k of exact m and 10^k is
 * correctly rounded, so where it gives `real`, the decimal m * 10^-k reads back. */
static bool
shortest_by_division(double real, uint64_t *ret_digits, int *ret_exponent)
{
    if (FLT_EVAL_METHOD != 0 || real >= 1e9)
        return false;
    for (int places = 1; places <= 4; places++) {
        uint64_t digits = (uint64_t) (real * exact_powers[places] + 0.5);

        if ((double) digits / exact_powers[places] == real) {
            *ret_digits = digits;
            *ret_exponent = -places;
            return true;
        }
    }
    return false;
}

/* Finds digits * 10^exponent, the shortest decimal of a `real` from 2^-12 to 2^53;
 * false outside, where the 128-bit integers do not reach. */
static bool
shortest_by_interval(double real, uint64_t *ret_digits, int *ret_exponent)
{
    int      binary_exponent;
    uint64_t mantissa;
    uint64_t lowest, highest, nearest, step;
    uint128  power, value, low, high, unit, behind;
    int      shift, decimal_places;
    bool     even;

    if (real < 0x1p-12 || real >= 0x1p53)
        return false;
    mantissa = (uint64_t) ldexp(frexp(real, &binary_exponent), 53);
    shift = 53 - binary_exponent; /* real = mantissa * 2^-shift, shift from 0 to 64 */

    /* 10^k * ulp >= 10, so that at least nine whole numbers lie in the interval. 0.30103 > log10(2). */
    decimal_places = shift * 30103 / 100000 + 2;
    power = decimal_places <= 19 ? whole_powers[decimal_places]
                                 : (uint128) whole_powers[19] * whole_powers[decimal_places - 19];
    even = mantissa % 2 == 0;
    value = 4 * (uint128) mantissa * power; /* < 2^55 * 10^21 < 2^125 */
    low = value - (mantissa == UINT64_C(1) << 52 ? 1 : 2) * power;
    high = value + 2 * power;
    shift += 2;
    unit = (uint128) 1 << shift;

    lowest = (uint64_t) (low >> shift); /* < 2^53 * 10^k / 2^shift < 2^53 * 200 */
    if ((low & (unit - 1)) != 0 || !even)
        lowest++;
    highest = (uint64_t) (high >> shift);
    if ((high & (unit - 1)) == 0 && !even)
        highest--;

    *ret_exponent = -decimal_places;
    for (step = 1; step <= highest / 10 && highest / (step * 10) * (step * 10) >= lowest; step *= 10)
        ++*ret_exponent;
    nearest = (uint64_t) (value >> shift) / step;
    behind = value - ((uint128) (nearest * step) << shift);
    if (behind * 2 > (uint128) step << shift || (behind * 2 == (uint128) step << shift && nearest % 2 == 1))
        nearest++;
    if (nearest * step < lowest)
        nearest++;
    else if (nearest * step > highest)
        nearest--;
    *ret_digits = nearest;
    return true;
}

static bool
reads_back(uint64_t digits, int exponent, double real)
{
    char text[NUMBER_CHARS_MAX];

    (void) snprintf(text, sizeof text, "%llue%d", (unsigned long long) digits, exponent);
    return strtod(text, NULL) == real;
}

/* The same for any positive real, slowly. A decimal of up to 15 digits survives the
 * way through a normal double, so there it is enough to begin with 15: where fewer
 * digits do, the others come out as zeros. */
static void
shortest_by_trial(double real, uint64_t *ret_digits, int *ret_exponent)
{
    int  ignored;
    bool is_power_of_two = frexp(real, &ignored) == 0.5;

    for (int digit_count = real < DBL_MIN ? 1 : 15; digit_count <= 17; digit_count++) {
        char     text[NUMBER_CHARS_MAX];
        char    *exponent_at;
        uint64_t digits = 0;
        int      exponent;

        (void) snprintf(text, sizeof text, "%.*e", digit_count - 1, real);
        exponent_at = strchr(text, 'e');
        for (char *at = text; at < exponent_at; at++)
            if (is_digit(*at))
                digits = digits * 10 + (uint64_t) (*at - '0');
        exponent = (int) strtol(exponent_at + 1, NULL, 10) - (digit_count - 1);
        *ret_exponent = exponent;
        *ret_digits = digits;
        if (reads_back(digits, exponent, real))
            return;
        *ret_digits = digits + 1;
        if (is_power_of_two && reads_back(digits + 1, exponent, real))
            return;
    }
}

/* Lays out digits * 10^exponent: with a point from 1e-5 to below 1e17, else with an exponent. */
static size_t
lay_out(uint64_t digits, int exponent, enum real_style style, char *out)
{
    char   text[NUMBER_CHARS_MAX];
    size_t used = 0;
    int    count;
    int    point; /* digits before the point */

    while (digits != 0 && digits % 10 == 0) {
        digits /= 10;
        exponent++;
    }
    count = (int) format_unsigned(digits, text);
    point = count + exponent;

    if (point > 17 || point < -4) {
        out[used++] = text[0];
        if (count > 1) {
            out[used++] = '.';
            memcpy(out + used, text + 1, (size_t) count - 1);
            used += (size_t) count - 1;
        }
        out[used++] = 'e';
        return used + number_format_integer(point - 1, out + used);
    }
    if (point <= 0) {
        out[used++] = '0';
        out[used++] = '.';
        for (; point < 0; point++)
            out[used++] = '0';
        memcpy(out + used, text, (size_t) count);
        return used + (size_t) count;
    }
    for (int i = 0; i < count || i < point; i++) {
        if (i == point)
            out[used++] = '.';
        out[used++] = i < count ? text[i] : '0';
    }
    if (point >= count && style == REAL_POINTED) {
        out[used++] = '.';
        out[used++] = '0';
    }
    return used;
}

size_t
number_format_real(double real, enum real_style style, char *out)
{
    size_t   used = 0;
    uint64_t digits;
    int      exponent = 0;

    if (signbit(real)) {
        out[used++] = '-';
        real = -real;
    }
    if (real < 9007199254740992.0 && real == (double) (uint64_t) real)
        digits = (uint64_t) real;
    else if (!shortest_by_division(real, &digits, &exponent) && !shortest_by_interval(real, &digits, &exponent))
        shortest_by_trial(real, &digits, &exponent);
    return used + lay_out(digits, exponent, style, out + used);
}
