/* json_rows.c - the JSON lines reader and the JSON string writer of the command. */
#include "cli/json.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const knackdb_column_info columns[] = {
    { "id", KNACKDB_INTEGER, false, 1 },
    { "name", KNACKDB_TEXT, false, 1 },
    { "score", KNACKDB_REAL, false, 1 },
    { "tools", KNACKDB_TEXT, false, 1 },
};

static const knackdb_table_info table = { "things", 4, columns };

struct read_row {
    bool              is_row;
    char             *line; /* of its own, with no byte behind it */
    knackdb_value     values[4];
    struct json_fault fault;
};

static struct read_row
read_row(const char *json, size_t length)
{
    struct read_row row = { 0 };

    row.line = malloc(length + (length == 0));
    memcpy(row.line, json, length);
    row.is_row = json_read_row(row.line, length, &table, row.values, &row.fault);
    return row;
}

static void
expect_text(const char *json, int column, const char *expected, size_t expected_length)
{
    struct read_row row = read_row(json, strlen(json));

    cr_assert(row.is_row, "%s: %s", json, row.fault.why);
    cr_assert_eq(row.values[column].type, KNACKDB_TEXT, "%s", json);
    cr_assert_eq(row.values[column].as.text.length, expected_length, "%s gave %.*s", json,
                 (int) row.values[column].as.text.length, row.values[column].as.text.data);
    cr_assert_arr_eq(row.values[column].as.text.data, expected, expected_length, "%s gave %.*s", json,
                     (int) row.values[column].as.text.length, row.values[column].as.text.data);
    free(row.line);
}

static void
expect_refused(const char *json, size_t offset, int column, const char *why)
{
    struct read_row row = read_row(json, strlen(json));

    cr_assert_not(row.is_row, "%s", json);
    cr_assert_str_eq(row.fault.why, why, "%s: %s", json, row.fault.why);
    cr_assert_eq(row.fault.offset, offset, "%s: at %zu", json, row.fault.offset);
    cr_assert_eq(row.fault.column, column, "%s: column %d", json, row.fault.column);
    free(row.line);
}

Test(json, a_row_has_the_types_of_its_columns_and_null_for_the_rest)
{
    const char     *json = " { \"score\" : 5 , \"id\":9007199254740993 ,\"name\": \"x\" } ";
    struct read_row row = read_row(json, strlen(json));

    cr_assert(row.is_row, "%s", row.fault.why);
    cr_assert_eq(row.values[0].type, KNACKDB_INTEGER);
    cr_assert_eq(row.values[0].as.integer, INT64_C(9007199254740993));
    cr_assert_eq(row.values[2].type, KNACKDB_REAL);
    cr_assert_eq(row.values[2].as.real, 5.0);
    cr_assert_eq(row.values[3].type, KNACKDB_NULL);
    free(row.line);
}

Test(json, null_the_empty_string_and_no_key_are_told_apart)
{
    const char     *json = "{\"name\":\"\",\"tools\":null}";
    struct read_row row = read_row(json, strlen(json));

    cr_assert(row.is_row);
    cr_assert_eq(row.values[1].type, KNACKDB_TEXT);
    cr_assert_eq(row.values[1].as.text.length, 0);
    cr_assert_not_null(row.values[1].as.text.data);
    cr_assert_eq(row.values[3].type, KNACKDB_NULL);
    cr_assert_eq(row.values[0].type, KNACKDB_NULL);
    free(row.line);
    row = read_row("{}", 2);
    cr_assert(row.is_row);
    free(row.line);
}

Test(json, escapes_become_the_bytes_they_stand_for)
{
    expect_text("{\"name\":\"a\\n\\t\\r\\b\\f\\\"\\\\\\/z\"}", 1, "a\n\t\r\b\f\"\\/z", 10);
    expect_text("{\"name\":\"\\u0041\\u00e9\\u20AC\\uD83D\\uDE00\"}", 1, "A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", 10);
    expect_text("{\"name\":\"a\\u0000b\"}", 1, "a\0b", 3);
    expect_text("{\"name\":\"\xC3\xA9\"}", 1, "\xC3\xA9", 2);
    expect_text("{\"na\\u006de\":\"x\"}", 1, "x", 1);
}

Test(json, nested_values_become_their_own_text_without_blanks)
{
    expect_text("{\"tools\":[]}", 3, "[]", 2);
    expect_text("{\"tools\": [ \"a b\" , \"c\" ] }", 3, "[\"a b\",\"c\"]", 11);
    expect_text("{\"tools\":{ \"k\" : [ 1.50 , true , null , { } ] , \"e\" : \"\\u00e9\" }}", 3,
                "{\"k\":[1.50,true,null,{}],\"e\":\"\\u00e9\"}", 38);
}

Test(json, what_is_no_json_is_refused_where_it_stands)
{
    expect_refused("", 0, -1, "the line is no JSON object");
    expect_refused("[1]", 0, -1, "the line is no JSON object");
    expect_refused("{", 1, -1, "the object does not end");
    expect_refused("{\"id\":1", 7, -1, "the object does not end");
    expect_refused("{\"id\":1,}", 8, -1, "a key in quotes is missing");
    expect_refused("{\"id\":1 \"name\":null}", 8, -1, "a comma or a closing bracket is missing");
    expect_refused("{\"id\" 1}", 6, -1, "a colon behind the key is missing");
    expect_refused("{\"id\":}", 6, 0, "no JSON value");
    expect_refused("{\"id\":1}x", 8, -1, "text behind the object");
    expect_refused("{\"id\":01}", 6, 0, "a number with a leading zero");
    expect_refused("{\"id\":1.}", 8, 0, "no digit behind the point");
    expect_refused("{\"id\":1e}", 8, 0, "no digit in the exponent");
    expect_refused("{\"id\":-}", 7, 0, "no value");
    expect_refused("{id:1}", 1, -1, "a key in quotes is missing");
    expect_refused("{\"name\":\"a", 10, 1, "the string does not end");
    expect_refused("{\"name\":\"a\\", 10, 1, "the string does not end");
    expect_refused("{\"name\":\"a\tb\"}", 10, 1, "a control character in a string must be escaped");
    expect_refused("{\"name\":\"\\x\"}", 9, 1, "no such escape");
    expect_refused("{\"name\":\"\\u12g4\"}", 9, 1, "\\u without four hexadecimal digits");
    expect_refused("{\"tools\":[1,]}", 12, 3, "no JSON value");
    expect_refused("{\"tools\":[1 2]}", 12, 3, "a comma or a closing bracket is missing");
    expect_refused("{\"tools\":[1}", 11, 3, "a comma or a closing bracket is missing");
    expect_refused("{\"tools\":{\"a\"}}", 13, 3, "a colon behind the key is missing");
    expect_refused("{\"tools\":{1:2}}", 10, 3, "a key in quotes is missing");
    expect_refused("{\"tools\":[", 10, 3, "the line ends within a value");
    expect_refused("{\"tools\":[1", 11, 3, "the line ends within a list or object");
}

Test(json, half_a_surrogate_pair_is_refused_also_within_nested_text)
{
    expect_refused("{\"name\":\"\\ud800\"}", 9, 1, "half a surrogate pair");
    expect_refused("{\"name\":\"\\ud800x\"}", 9, 1, "half a surrogate pair");
    expect_refused("{\"name\":\"\\ud800\\u0041\"}", 9, 1, "half a surrogate pair");
    expect_refused("{\"name\":\"\\udc00\"}", 9, 1, "half a surrogate pair");
    expect_refused("{\"tools\":[\"\\udc00\"]}", 11, 3, "half a surrogate pair");
}

Test(json, a_value_that_does_not_fit_its_column_is_refused_by_name)
{
    expect_refused("{\"id\":\"1\"}", 6, 0, "a string where a number belongs");
    expect_refused("{\"id\":1.5}", 6, 0, "is not a whole number");
    expect_refused("{\"id\":9223372036854775808}", 6, 0, "is out of range");
    expect_refused("{\"score\":1e999}", 9, 2, "is out of range");
    expect_refused("{\"score\":NaN}", 9, 2, "not a finite number");
    expect_refused("{\"score\":Infinity}", 9, 2, "not a finite number");
    expect_refused("{\"score\":true}", 9, 2, "true or false where a number belongs");
    expect_refused("{\"score\":[1]}", 9, 2, "a list or object where a number belongs");
    expect_refused("{\"name\":1}", 8, 1, "a number where text belongs");
    expect_refused("{\"name\":false}", 8, 1, "true or false where text belongs");
    expect_refused("{\"id\":1,\"id\":2}", 8, 0, "the key comes twice");
}

Test(json, a_key_that_names_no_column_is_told)
{
    const char     *json = "{\"na\\u006Dd\":\"x\"}";
    struct read_row row = read_row(json, strlen(json));

    cr_assert_not(row.is_row);
    cr_assert_eq(row.fault.key.length, 4);
    cr_assert_arr_eq(row.fault.key.data, "namd", 4);
    free(row.line);
    row = read_row("{\"id\\u0000\":1}", 14);
    cr_assert_not(row.is_row);
    cr_assert_eq(row.fault.key.length, 3);
    free(row.line);
}

Test(json, nesting_is_followed_so_deep_and_no_deeper)
{
    char   json[4000];
    size_t used = 0;

    used += (size_t) snprintf(json, sizeof json, "{\"tools\":");
    memset(json + used, '[', JSON_DEPTH_MAX);
    memset(json + used + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
    used += 2 * JSON_DEPTH_MAX;
    json[used++] = '}';
    json[used] = '\0';
    expect_text(json, 3, json + 9, 2 * JSON_DEPTH_MAX);

    memset(json + 9, '[', 3000);
    json[3009] = '\0';
    expect_refused(json, 9 + JSON_DEPTH_MAX, 3, "lists and objects are nested too deep");
}

/* Every prefix of a good line is refused, and none is read past its end (each has memory of its own). */
Test(json, any_prefix_of_a_row_is_no_row)
{
    static const char json[] = "{\"id\":-1.0e2,\"name\":\"a\\u00e9\\ud83d\\ude00\\n\",\"score\":null,"
                               "\"tools\":[{\"a\":[true,false,null,\"\\\"\"]},-0.5E+3]}";

    for (size_t length = 0; length < sizeof json - 1; length++) {
        struct read_row row = read_row(json, length);

        cr_assert_not(row.is_row, "%.*s", (int) length, json);
        cr_assert_leq(row.fault.offset, length);
        free(row.line);
    }
    expect_text(json, 1, "a\xC3\xA9\xF0\x9F\x98\x80\n", 8);
}

/* One byte of a good line changed to anything: the reader ends, within its bytes. */
Test(json, any_byte_may_be_anything)
{
    static const char json[] = "{\"id\":7,\"name\":\"a\\u00e9\",\"tools\":[{\"a\":[1]}]}";

    for (size_t at = 0; at < sizeof json - 1; at++) {
        for (int byte = 0; byte < 256; byte++) {
            char            changed[sizeof json];
            struct read_row row;

            memcpy(changed, json, sizeof json);
            changed[at] = (char) byte;
            row = read_row(changed, sizeof json - 1);
            free(row.line);
        }
    }
}

static void
expect_written(const char *text, size_t length, const char *expected)
{
    char   out[400];
    size_t written = json_write_string(text, length, out);

    cr_assert_leq(written, length * JSON_BYTES_PER_BYTE_MAX + 2);
    out[written] = '\0';
    cr_assert_str_eq(out, expected);
}

Test(json, no_control_character_leaves_unescaped)
{
    expect_written("", 0, "\"\"");
    expect_written("a\"\\b", 4, "\"a\\\"\\\\b\"");
    expect_written("\n\r\t\b\f", 5, "\"\\n\\r\\t\\b\\f\"");
    expect_written("\0\x1b\x7f", 3, "\"\\u0000\\u001b\\u007f\"");
    expect_written("\xC2\x80\xC2\x9F\xC2\xA0", 6, "\"\\u0080\\u009f\xC2\xA0\"");
    expect_written("\xC3\xA9\xE2\x82\xAC", 5, "\"\xC3\xA9\xE2\x82\xAC\"");
}

Test(json, every_character_written_is_read_back)
{
    for (uint32_t point = 0; point < 0x3000; point++) {
        char            text[4], json[100];
        size_t          length = 0, used;
        struct read_row row;

        if (point < 0x80) {
            text[length++] = (char) point;
        } else if (point < 0x800) {
            text[length++] = (char) (0xC0 | point >> 6);
            text[length++] = (char) (0x80 | (point & 0x3F));
        } else {
            text[length++] = (char) (0xE0 | point >> 12);
            text[length++] = (char) (0x80 | (point >> 6 & 0x3F));
            text[length++] = (char) (0x80 | (point & 0x3F));
        }
        used = (size_t) snprintf(json, sizeof json, "{\"name\":");
        used += json_write_string(text, length, json + used);
        json[used++] = '}';
        row = read_row(json, used);
        cr_assert(row.is_row, "U+%04X: %s", (unsigned) point, row.fault.why);
        cr_assert_eq(row.values[1].as.text.length, length);
        cr_assert_arr_eq(row.values[1].as.text.data, text, length);
        free(row.line);
    }
}
