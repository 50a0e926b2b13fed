/* numbers.c - numbers to text and back in the command: every bit survives, and no text is longer than it must be. */
#include "cli/number.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double
real_of_bits(uint64_t bits)
{
    double real;

    memcpy(&real, &bits, sizeof real);
    return real;
}

static uint64_t
bits_of_real(double real)
{
    uint64_t bits;

    memcpy(&bits, &real, sizeof bits);
    return bits;
}

static uint64_t
next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

static int
digits_in(const char *text)
{
    int count = 0, zeros = 0;

    for (; *text != '\0' && *text != 'e'; text++) {
        if (*text < '0' || *text > '9' || (count == 0 && *text == '0'))
            continue;
        zeros = *text == '0' ? zeros + 1 : 0;
        count++;
    }
    return count - zeros;
}

/* The fewest digits with which printf comes back to the same double. */
static int
digits_needed(double real)
{
    char text[64];

    for (int digits = 1; digits < 17; digits++) {
        (void) snprintf(text, sizeof text, "%.*e", digits - 1, real);
        if (strtod(text, NULL) == real)
            return digits;
    }
    return 17;
}

static void
expect_way_back(double real)
{
    for (int style = REAL_PLAIN; style <= REAL_POINTED; style++) {
        char   text[NUMBER_CHARS_MAX + 1];
        size_t length = number_format_real(real, (enum real_style) style, text);
        double back;

        cr_assert_leq(length, NUMBER_CHARS_MAX);
        text[length] = '\0';
        cr_assert_eq(number_parse_real(text, length, &back), NUMBER_OK, "%s", text);
        cr_assert_eq(bits_of_real(back), bits_of_real(real), "%.17g became %s", real, text);
        cr_assert_eq(bits_of_real(strtod(text, NULL)), bits_of_real(real), "%.17g became %s", real, text);
        cr_assert_leq(digits_in(text), digits_needed(real), "%.17g became %s", real, text);
    }
}

/* Random bits reach every magnitude, subnormals included; random decimals are what people store. */
Test(number, reals_come_back_bit_for_bit_from_the_shortest_text)
{
    uint64_t state = 20261122;

    for (int i = 0; i < 20000; i++) {
        double real = real_of_bits(next_random(&state));

        if (isfinite(real))
            expect_way_back(real);
        expect_way_back((double) (next_random(&state) % 100000000) / 1000.0);
        expect_way_back((double) (next_random(&state) >> 11) * 0x1p-53);
        expect_way_back(1.7e9 + (double) (next_random(&state) % 100000000000) / 1e4);
        expect_way_back(real_of_bits(next_random(&state) >> 12)); /* subnormal */
    }
}

/* The rounding interval of a power of two is shorter below than above. */
Test(number, powers_of_two_and_their_neighbours_come_back)
{
    for (int exponent = -1074; exponent < 1024; exponent++) {
        uint64_t bits = exponent < -1022 ? UINT64_C(1) << (exponent + 1074) : (uint64_t) (exponent + 1023) << 52;

        expect_way_back(real_of_bits(bits));
        expect_way_back(-real_of_bits(bits - 1));
        expect_way_back(real_of_bits(bits + 1));
    }
}

static void
expect_text(double real, enum real_style style, const char *expected)
{
    char   text[NUMBER_CHARS_MAX + 1];
    size_t length = number_format_real(real, style, text);

    text[length] = '\0';
    cr_assert_str_eq(text, expected);
}

Test(number, reals_look_as_people_write_them)
{
    expect_text(0.0, REAL_PLAIN, "0");
    expect_text(-0.0, REAL_PLAIN, "-0");
    expect_text(-0.0, REAL_POINTED, "-0.0");
    expect_text(1727222400, REAL_PLAIN, "1727222400");
    expect_text(1727222400, REAL_POINTED, "1727222400.0");
    expect_text(0.1, REAL_POINTED, "0.1");
    expect_text(1e16, REAL_PLAIN, "10000000000000000");
    expect_text(1e17, REAL_PLAIN, "1e17");
    expect_text(1e21, REAL_POINTED, "1e21");
    expect_text(1e-4, REAL_PLAIN, "0.0001");
    expect_text(1e-5, REAL_PLAIN, "0.00001");
    expect_text(1.5e-6, REAL_PLAIN, "1.5e-6");
    expect_text(5e-324, REAL_PLAIN, "5e-324");
    expect_text(-1.7976931348623157e308, REAL_PLAIN, "-1.7976931348623157e308");
    expect_text(29.00641025641026, REAL_PLAIN, "29.00641025641026");
}

static void
expect_integer(const char *text, int64_t expected)
{
    int64_t integer;

    cr_assert_eq(number_parse_integer(text, strlen(text), &integer), NUMBER_OK, "%s", text);
    cr_assert_eq(integer, expected, "%s", text);
}

static void
expect_no_integer(const char *text, enum number_result expected)
{
    int64_t integer = 77;

    cr_assert_eq(number_parse_integer(text, strlen(text), &integer), expected, "%s", text);
    cr_assert_eq(integer, 77, "%s", text);
}

Test(number, whole_numbers_are_exact_to_the_last_of_64_bits)
{
    expect_integer("0", 0);
    expect_integer("-0", 0);
    expect_integer("+5", 5);
    expect_integer(" 5\t", 5);
    expect_integer("9223372036854775807", INT64_MAX);
    expect_integer("-9223372036854775808", INT64_MIN);
    expect_integer("9223372036854775807.000", INT64_MAX);
    expect_integer("9007199254740993", INT64_C(9007199254740993));
    expect_integer("1.0", 1);
    expect_integer("1e3", 1000);
    expect_integer("1.5e1", 15);
    expect_integer("150e-1", 15);
    expect_integer("0e999999999999", 0);
    expect_integer("0.000", 0);
    expect_integer("00012", 12);

    expect_no_integer("9223372036854775808", NUMBER_RANGE);
    expect_no_integer("-9223372036854775809", NUMBER_RANGE);
    expect_no_integer("1e19", NUMBER_RANGE);
    expect_no_integer("1e999999999999", NUMBER_RANGE);
    expect_no_integer("123456789012345678901234567890", NUMBER_RANGE);
    expect_no_integer("1.5", NUMBER_FRACTION);
    expect_no_integer("1e-1", NUMBER_FRACTION);
    expect_no_integer("9223372036854775807.0000001", NUMBER_FRACTION);
    expect_no_integer("", NUMBER_MALFORMED);
    expect_no_integer("-", NUMBER_MALFORMED);
    expect_no_integer(".", NUMBER_MALFORMED);
    expect_no_integer("1e", NUMBER_MALFORMED);
    expect_no_integer("1 2", NUMBER_MALFORMED);
    expect_no_integer("0x10", NUMBER_MALFORMED);
    expect_no_integer("1,000", NUMBER_MALFORMED);
    expect_no_integer("--1", NUMBER_MALFORMED);
}

Test(number, integers_come_back)
{
    static const int64_t samples[] = { 0, 1, -1, 9, 10, -10, INT64_MAX, INT64_MIN, 1000000007 };

    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        char    text[NUMBER_CHARS_MAX + 1];
        size_t  length = number_format_integer(samples[i], text);
        int64_t back;

        cr_assert_eq(number_parse_integer(text, length, &back), NUMBER_OK);
        cr_assert_eq(back, samples[i]);
    }
}

static void
expect_no_real(const char *text, enum number_result expected)
{
    double real = 77;

    cr_assert_eq(number_parse_real(text, strlen(text), &real), expected, "%s", text);
    cr_assert_eq(real, 77, "%s", text);
}

/* What strtod() reads besides decimals is no value a store would take. */
Test(number, reals_are_decimals_and_finite)
{
    /* clang-format off */
    static const char *const decimals[] = { "1", "1.", ".5", "-.5e-3", "+1E5", "1e-999", "0.1e1", "4.9e-324",
                                            "123456789012345678901234567890", "1.7976931348623157e308",
                                            "9007199254740993", "0.30000000000000004", "100000000000000000000000.0" };
    /* clang-format on */

    for (size_t i = 0; i < sizeof decimals / sizeof decimals[0]; i++) {
        double real;

        cr_assert_eq(number_parse_real(decimals[i], strlen(decimals[i]), &real), NUMBER_OK, "%s", decimals[i]);
        cr_assert_eq(bits_of_real(real), bits_of_real(strtod(decimals[i], NULL)), "%s", decimals[i]);
    }
    expect_no_real("nan", NUMBER_MALFORMED);
    expect_no_real("inf", NUMBER_MALFORMED);
    expect_no_real("-Infinity", NUMBER_MALFORMED);
    expect_no_real("0x1p3", NUMBER_MALFORMED);
    expect_no_real("1e", NUMBER_MALFORMED);
    expect_no_real("1e+", NUMBER_MALFORMED);
    expect_no_real("", NUMBER_MALFORMED);
    expect_no_real("1.2.3", NUMBER_MALFORMED);
    expect_no_real("1e309", NUMBER_RANGE);
    expect_no_real("-1e999999999999999999999", NUMBER_RANGE);
}

/* A fast path decides for short decimals; it must agree with the C library on every one of them. */
Test(number, reading_agrees_with_the_c_library)
{
    uint64_t state = 7;

    for (int i = 0; i < 200000; i++) {
        char   text[64];
        double real;
        int    length = snprintf(text, sizeof text, "%s%llu%se%d", i % 2 == 0 ? "-" : "",
                                 (unsigned long long) (next_random(&state) >> (i % 64)), i % 3 == 0 ? ".5" : "",
                                 (int) (next_random(&state) % 60) - 30);

        cr_assert_eq(number_parse_real(text, (size_t) length, &real), NUMBER_OK, "%s", text);
        cr_assert_eq(bits_of_real(real), bits_of_real(strtod(text, NULL)), "%s", text);
    }
}

Test(number, a_number_of_unbounded_length_is_refused_not_followed)
{
    static char text[NUMBER_LENGTH_MAX + 1];
    double      real;

    memset(text, '1', sizeof text);
    cr_assert_eq(number_parse_real(text, sizeof text, &real), NUMBER_RANGE);
    cr_assert_eq(number_parse_real(text, 300, &real), NUMBER_OK);
}
