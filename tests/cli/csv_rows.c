/* csv_rows.c - the CSV reader of the command: RFC 4180, and what it does with everything else. */
#include "cli/csv.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS 8

/* Scans all rows of a text into one string: fields as <text>, NULL as -, rows ended by /,
 * a bad row as !WHY@FIELD, after which the rest of its line is left out. */
static void
scan_all(const char *data, size_t length, char *out, size_t capacity)
{
    char  *copy = malloc(length + 1);
    size_t at = 0, used = 0;

    memcpy(copy, data, length);
    while (at < length) {
        struct csv_field fields[FIELDS];
        struct csv_row   row;

        if (csv_scan(copy + at, length - at, true, fields, FIELDS, &row) == CSV_BAD) {
            const char *line_end = memchr(copy + at + row.bytes, '\n', length - at - row.bytes);

            used += (size_t) snprintf(out + used, capacity - used, "!%s@%zu", row.why, row.field_count);
            at = line_end != NULL ? (size_t) (line_end + 1 - copy) : length;
            continue;
        }
        cr_assert_gt(row.bytes, 0);
        for (size_t i = 0; i < row.field_count && i < FIELDS; i++) {
            char  *text = copy + at + fields[i].offset;
            size_t text_length = fields[i].doubled ? csv_unquote(text, fields[i].length) : fields[i].length;

            if (text_length == 0 && !fields[i].quoted)
                used += (size_t) snprintf(out + used, capacity - used, "-");
            else
                used += (size_t) snprintf(out + used, capacity - used, "<%.*s>", (int) text_length, text);
        }
        used += (size_t) snprintf(out + used, capacity - used, "/");
        at += row.bytes;
    }
    free(copy);
}

static void
expect(const char *data, const char *expected)
{
    char out[1000] = "";

    scan_all(data, strlen(data), out, sizeof out);
    cr_assert_str_eq(out, expected, "%s\n  gave %s\n  not  %s", data, out, expected);
}

Test(csv, nothing_and_the_empty_string_are_two_things)
{
    expect("a,,b\r\n", "<a>-<b>/");
    expect("a,\"\",b\r\n", "<a><><b>/");
    expect(",\r\n", "--/");
    expect("\"\"\r\n", "<>/");
}

Test(csv, rows_end_with_crlf_or_lf_or_the_end)
{
    expect("a,b\r\nc,d\r\n", "<a><b>/<c><d>/");
    expect("a,b\nc,d\n", "<a><b>/<c><d>/");
    expect("a,b\nc,d", "<a><b>/<c><d>/");
    expect("a,b\nc,", "<a><b>/<c>-/");
    expect("a,b\r", "<a><b>/");
    expect("a,\"b\"", "<a><b>/");
    expect("\na\n\n", "-/<a>/-/");
}

Test(csv, quotes_hold_separators_line_ends_and_quotes)
{
    expect("\"a,b\",\"c\r\nd\",\"e\"\"f\"\n", "<a,b><c\r\nd><e\"f>/");
    expect("\"\"\"\"\n", "<\">/");
    expect("\"\"\"\"\"\"\n", "<\"\">/");
    expect("\"\"\"a\"\"\"\n", "<\"a\">/");
    expect(" a , b \n", "< a >< b >/");
}

Test(csv, what_is_not_csv_is_refused_by_field)
{
    expect("a,b\"c\nd\n", "!a quote within a field that does not begin with one@1<d>/");
    expect("a,\"b\"c\nd\n", "!text behind the closing quote@1<d>/");
    expect("a,\"b\" ,c\nd\n", "!text behind the closing quote@1<d>/");
    expect("a,b\rc\nd\n", "!a carriage return outside quotes ends no line@1<d>/");
    expect("a\n\"b\nc\n", "<a>/!the opening quote is never closed@0");
    expect("x,\"b\"\"", "!the opening quote is never closed@1");
}

Test(csv, lines_are_counted_where_an_editor_counts_them)
{
    struct csv_field fields[FIELDS];
    struct csv_row   row;
    const char      *data = "\"a\r\nb\nc\",d\r\nnext\r\n";

    cr_assert_eq(csv_scan(data, strlen(data), true, fields, FIELDS, &row), CSV_ROW);
    cr_assert_eq(row.lines, 3);
    cr_assert_eq(row.bytes, strlen(data) - strlen("next\r\n"));
}

Test(csv, more_fields_than_room_are_counted_and_not_written)
{
    struct csv_field fields[2] = { { 0 }, { 99, 99, true, true } };
    struct csv_row   row;

    cr_assert_eq(csv_scan("a,b,c\n", 6, true, fields, 1, &row), CSV_ROW);
    cr_assert_eq(row.field_count, 3);
    cr_assert_eq(fields[1].offset, 99);
}

/* A file is read in pieces. Wherever a piece ends, the scan asks for more or gives the same
 * row that it gives with all bytes at hand. */
Test(csv, a_row_cut_anywhere_is_asked_for_again_or_the_same)
{
    static const char data[] = "id,\"na\"\"me\",\"two\r\nlines\",,\"\",last\r\nnext,row\r\n";
    struct csv_field  whole_fields[FIELDS];
    struct csv_row    whole;

    memset(whole_fields, 0, sizeof whole_fields);
    cr_assert_eq(csv_scan(data, sizeof data - 1, true, whole_fields, FIELDS, &whole), CSV_ROW);
    for (size_t cut = 1; cut < sizeof data; cut++) {
        struct csv_field fields[FIELDS];
        struct csv_row   row;
        char            *bytes = malloc(cut); /* of its own, so that reading past it is seen */
        enum csv_result  result;

        memset(fields, 0, sizeof fields);
        memcpy(bytes, data, cut);
        result = csv_scan(bytes, cut, false, fields, FIELDS, &row);
        free(bytes);
        cr_assert_eq(result, cut < whole.bytes ? CSV_MORE : CSV_ROW, "cut at %zu", cut);
        if (result != CSV_ROW)
            continue;
        cr_assert_eq(row.bytes, whole.bytes);
        cr_assert_eq(row.lines, whole.lines);
        cr_assert_eq(row.field_count, whole.field_count);
        cr_assert_arr_eq(fields, whole_fields, sizeof fields);
    }
}

Test(csv, a_quote_never_closed_is_given_up_once_no_text_could_be_so_long)
{
    size_t           length = CSV_FIELD_BYTES_MAX + 100;
    char            *data = malloc(length);
    struct csv_field fields[FIELDS];
    struct csv_row   row;

    memset(data, 'x', length);
    data[0] = '"';
    cr_assert_eq(csv_scan(data, CSV_FIELD_BYTES_MAX, false, fields, FIELDS, &row), CSV_BAD);
    cr_assert_eq(csv_scan(data, CSV_FIELD_BYTES_MAX - 1, false, fields, FIELDS, &row), CSV_MORE);
    data[0] = 'x';
    cr_assert_eq(csv_scan(data, length, false, fields, FIELDS, &row), CSV_BAD);
    free(data);
}

Test(csv, quotes_are_asked_for_where_a_reader_would_stumble)
{
    cr_assert(csv_needs_quotes("", 0));
    cr_assert(csv_needs_quotes("a,b", 3));
    cr_assert(csv_needs_quotes("a\"b", 3));
    cr_assert(csv_needs_quotes("a\nb", 3));
    cr_assert(csv_needs_quotes("a\rb", 3));
    cr_assert(csv_needs_quotes("a\0b", 3));
    cr_assert_not(csv_needs_quotes(" a; 'b' \t", 9));
}

/* Bytes drawn from those that mean something: the scan ends, within its bytes, and moves on. */
Test(csv, any_bytes_are_scanned_to_their_end)
{
    static const char alphabet[] = "a,\"\r\n\0";
    uint64_t          state = 11;

    for (int round = 0; round < 50000; round++) {
        size_t length = 1 + (size_t) round % 24;
        char  *data = malloc(length);
        char   out[1000] = "";

        for (size_t i = 0; i < length; i++) {
            state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
            data[i] = alphabet[state >> 33 & 7 ? (state >> 33) % 7 : 0];
        }
        scan_all(data, length, out, sizeof out);
        free(data);
    }
}
