/* moments.c - sequence numbers and times as the command reads and writes them, and text made safe for a terminal. */
#include "cli/moment.h"
#include "cli/printable.h"

#include <criterion/criterion.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void
expect_time(const char *text, double expected)
{
    struct moment moment;

    cr_assert(moment_parse(text, &moment), "%s", text);
    cr_assert(moment.is_time, "%s", text);
    cr_assert_float_eq(moment.time, expected, 1e-6, "%s gave %.6f", text, moment.time);
}

static void
expect_sequence(const char *text, int64_t expected)
{
    struct moment moment;

    cr_assert(moment_parse(text, &moment), "%s", text);
    cr_assert_not(moment.is_time, "%s", text);
    cr_assert_eq(moment.sequence, expected, "%s", text);
}

Test(moment, digits_are_a_sequence_until_they_are_a_time)
{
    expect_sequence("0", 0);
    expect_sequence("999999999", 999999999);
    expect_sequence("seq:1700000000", 1700000000);
    expect_time("1000000000", 1e9);
    expect_time("1700000000", 1700000000);
    expect_time("1700000000.25", 1700000000.25);
    expect_time("12.5", 12.5);
    expect_time("1.7e9", 1.7e9);
    expect_time("@5", 5);
}

Test(moment, iso_8601_is_utc_unless_it_names_its_offset)
{
    expect_time("1970-01-01", 0);
    expect_time("2026-11-22T15:04:05Z", 1795359845);
    expect_time("2026-11-22 15:04:05", 1795359845);
    expect_time("2026-11-22T15:04", 1795359840);
    expect_time("2026-11-22T16:04:05+01:00", 1795359845);
    expect_time("2026-11-22T16:04:05+0100", 1795359845);
    expect_time("2026-11-22T14:34:05-00:30", 1795359845);
    expect_time("2026-11-22T16:04:05.125+01", 1795359845.125);
    expect_time("2000-02-29", 951782400);
    expect_time("1969-12-31T23:59:59Z", -1);
    expect_time("2026-11-22T24:00", 1795392000);
}

Test(moment, what_is_no_moment_is_refused)
{
    /* clang-format off */
    static const char *const wrong[] = {
        "",           "-",          "yesterday",       "2026-13-01",  "2026-02-30", "1900-02-29", "2026-1-1",
        "2026-01-00", "2026-01-01T", "2026-01-01T25:00", "2026-01-01T12", "2026-01-01T12:60", "2026-01-01T12:00:60",
        "2026-01-01T12:00:00+", "2026-01-01T12:00:00+1", "2026-01-01T12:00:00+24:00", "2026-01-01x",
        "2026-01-01T12:00:00Zx", "nan", "inf", "@", "@x", "seq:", "seq:-1", "seq:1.5", "0x10", "99999999999999999999",
    };
    /* clang-format on */

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct moment moment;

        cr_assert_not(moment_parse(wrong[i], &moment), "%s", wrong[i]);
    }
}

/* The C library's calendar is the judge over four centuries and more. */
Test(moment, every_day_is_written_as_the_c_library_writes_it_and_read_back)
{
    for (int64_t day = -200000; day < 200000; day += 7) {
        time_t        seconds = (time_t) (day * 86400 + day % 86400);
        struct tm     broken_down;
        char          expected[60], text[MOMENT_CHARS_MAX];
        struct moment moment;

        cr_assert_not_null(gmtime_r(&seconds, &broken_down));
        (void) strftime(expected, sizeof expected, "%FT%T.000000Z", &broken_down);
        moment_format((double) seconds, text);
        cr_assert_str_eq(text, expected);
        cr_assert(moment_parse(text, &moment));
        cr_assert_eq(moment.time, (double) seconds);
    }
}

Test(moment, odd_times_are_written_too)
{
    char text[MOMENT_CHARS_MAX];

    moment_format(0.9999999, text);
    cr_assert_str_eq(text, "1970-01-01T00:00:01.000000Z");
    moment_format(-0.25, text);
    cr_assert_str_eq(text, "1969-12-31T23:59:59.750000Z");
    moment_format(1e300, text);
    cr_assert_str_eq(text, "@1e300");
    moment_format(INFINITY, text);
    cr_assert_str_eq(text, "@inf");
    moment_format(NAN, text);
    cr_assert_str_eq(text, "@nan");
    moment_format(-62167219200.0, text);
    cr_assert_str_eq(text, "0000-01-01T00:00:00.000000Z");
}

static void
expect_shown(const char *text, size_t length, size_t columns_max, const char *expected, size_t expected_columns)
{
    char   out[200];
    size_t columns;
    size_t bytes = printable_write_columns(text, length, columns_max, out, sizeof out - 1, &columns);

    out[bytes] = '\0';
    cr_assert_str_eq(out, expected);
    cr_assert_eq(columns, expected_columns, "%s takes %zu", out, columns);
}

Test(printable, nothing_stored_can_act_on_the_terminal)
{
    (void) setlocale(LC_CTYPE, "C.UTF-8");
    expect_shown("a\x1b[31mb\a\r\n\t", 11, 80, "a\\u001b[31mb\\u0007\\r\\n\\t", 24);
    expect_shown("\xC2\x9B"
                 "31m",
                 5, 80, "\\u009b31m", 9);
    expect_shown("\xE2\x80\xAE"
                 "abc",
                 6, 80, "\\u202eabc", 9);
    expect_shown("\xFF\xC3", 2, 80, "\\xff\\xc3", 8);
    expect_shown("\xED\xA0\x80", 3, 80, "\\xed\\xa0\\x80", 12);
    expect_shown("a\0b", 3, 80, "a\\u0000b", 8);
}

Test(printable, text_is_cut_by_columns_never_within_a_character)
{
    (void) setlocale(LC_CTYPE, "C.UTF-8");
    expect_shown("abcdef", 6, 6, "abcdef", 6);
    expect_shown("abcdefg", 7, 6, "abcde\xE2\x80\xA6", 6);
    expect_shown("\xC3\xA9\xC3\xA9\xC3\xA9", 6, 2, "\xC3\xA9\xE2\x80\xA6", 2);
    expect_shown("\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E", 9, 5, "\xE6\x97\xA5\xE6\x9C\xAC\xE2\x80\xA6", 5);
    expect_shown("\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E", 9, 6, "\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E", 6);
    expect_shown("ab\x1b", 3, 4, "ab\xE2\x80\xA6", 3);
    cr_assert_eq(printable_columns("\xE6\x97\xA5"
                                   "a\n",
                                   5, 80),
                 5);
}
