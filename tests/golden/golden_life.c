/* golden_life.c - the rows and changes of the golden directories.
 *
 * Never change what is here: the directories in the repository were written from it by
 * builds that are gone. A new schema version gets a life and a directory of its own. */
#include "golden_life.h"

#include <float.h>
#include <inttypes.h>
#include <stdlib.h>

#define ROWS 36

static char long_text[700];

static knackdb_value
text(const char *string)
{
    return knackdb_value_text(knackdb_string(string));
}

static knackdb_value
bytes(const char *data, size_t length)
{
    return knackdb_value_text((knackdb_text) { data, length });
}

/* Ten texts, one of them NULL, taken in turn. */
static knackdb_value
text_of(int number)
{
    switch (number % 10) {
    case 0: return knackdb_value_null();
    case 1: return text("");
    case 2: return text("sort");
    case 3:
        return text("\xc3\xbc"
                    "bersetzen \xe2\x80\x94 \xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e \xf0\x9f\x98\x80");
    case 4: return bytes("a\0b", 3);
    case 5: return text("line one\r\nline \"two\", with a comma\tand a tab");
    case 6: return text("NULL");
    case 7: return bytes(long_text, sizeof long_text);
    case 8: return text("{\"k\": [1, 2.5, \"\\u00e9\"]}");
    default: return text("hash");
    }
}

static knackdb_value
real_of(int number)
{
    static const double reals[] = { 0.0, -0.0, 1.5, 0.1, DBL_MAX, -DBL_MAX, DBL_TRUE_MIN, 1e-310, 1700000000.25 };

    return number % 10 == 9 ? knackdb_value_null() : knackdb_value_real(reals[number % 10]);
}

static knackdb_value
rate_of(int number)
{
    static const double rates[] = { 0.0, 1.0, 0.5, 0.1, 0x1.fffffffffffffp-1 };

    return number % 6 == 5 ? knackdb_value_null() : knackdb_value_real(rates[number % 6]);
}

static knackdb_value
integer_of(int number)
{
    static const int64_t integers[] = { 0, 1, -1, INT64_MAX, INT64_MIN, 1000000 };

    return number % 7 == 6 ? knackdb_value_null() : knackdb_value_integer(integers[number % 7]);
}

static void
store_pattern(const struct golden_hands *hands, int64_t id, int number)
{
    static char   names[ROWS * 2][32];
    knackdb_value cells[GOLDEN_COLUMNS_MAX];

    (void) snprintf(names[number], sizeof names[number], "pattern_%08x", (unsigned) number * 2654435761u);
    cells[0] = knackdb_value_integer(id);
    cells[1] = text_of(number + 2);
    cells[2] = text_of(number / 3);
    cells[3] = real_of(number);
    cells[4] = rate_of(number);
    cells[5] = rate_of(number / 2);
    cells[6] = integer_of(number);
    cells[7] = text_of(number / 2 + 1);
    cells[8] = number % 4 == 0 ? knackdb_value_null() : text(number % 4 == 1 ? "[]" : "[\"cat\", \"sed\"]");
    cells[9] = text_of(number);
    cells[10] = number % 5 == 0 ? knackdb_value_null() : knackdb_value_real(1000.0 * number);
    cells[11] = real_of(number + 4);
    cells[12] = integer_of(number + 3);
    cells[13] = number % 3 == 0 ? knackdb_value_null() : text(names[number]);
    hands->store(hands->context, KNACKDB_EXECUTION_PATTERNS, cells);
}

static void
store_preference(const struct golden_hands *hands, int64_t id, int number)
{
    knackdb_value cells[GOLDEN_COLUMNS_MAX];

    cells[0] = knackdb_value_integer(id);
    cells[1] = text_of(number);
    cells[2] = text_of(number / 4);
    cells[3] = real_of(number);
    cells[4] = knackdb_value_integer(number % 3);
    cells[5] = knackdb_value_real(500.0 + number); /* given: a directory must not depend on the hour it was made */
    hands->store(hands->context, KNACKDB_USER_PREFERENCES, cells);
}

static void
store_metric(const struct golden_hands *hands, int64_t id, int number)
{
    knackdb_value cells[GOLDEN_COLUMNS_MAX];

    cells[0] = knackdb_value_integer(id);
    cells[1] = text_of(number / 2);
    cells[2] = text_of(number);
    cells[3] = knackdb_value_real(number * 1.25);
    cells[4] = number % 3 == 0 ? knackdb_value_null() : knackdb_value_real(number % 7);
    cells[5] = number % 8 == 1 ? real_of(number) : knackdb_value_null();
    cells[6] = number % 6 == 0 ? knackdb_value_null() : knackdb_value_real(2000.0 + number);
    cells[7] = integer_of(number);
    cells[8] = real_of(number + 1);
    cells[9] = text_of(number + 5);
    hands->store(hands->context, KNACKDB_PERFORMANCE_METRICS, cells);
}

void
golden_live(const struct golden_hands *hands)
{
    for (size_t i = 0; i < sizeof long_text; i++)
        long_text[i] = (char) ('a' + i % 23);
    for (int i = 0; i < ROWS; i++) {
        store_pattern(hands, i % 2 == 0 ? 0 : 100 + i, i);
        store_preference(hands, 0, i);
        store_metric(hands, 0, i);
    }
    hands->delete_row(hands->context, KNACKDB_EXECUTION_PATTERNS, 103);
    hands->update(hands->context, KNACKDB_PERFORMANCE_METRICS, 5, KNACKDB_METRIC_METRIC_NAME, text("before"));
    hands->snapshot(hands->context);

    for (int i = 0; i < 6; i++) {
        store_pattern(hands, 0, ROWS + i);
        store_pattern(hands, 105 + 2 * i, ROWS + 10 + i); /* replaces */
        store_preference(hands, 0, i + 3);                /* adds up */
        store_metric(hands, 0, ROWS + i);
    }
    hands->update(hands->context, KNACKDB_EXECUTION_PATTERNS, 109, KNACKDB_PATTERN_TASK_TYPE, text_of(3));
    hands->update(hands->context, KNACKDB_EXECUTION_PATTERNS, 109, KNACKDB_PATTERN_SUCCESS_RATE, knackdb_value_null());
    hands->update(hands->context, KNACKDB_PERFORMANCE_METRICS, 7, KNACKDB_METRIC_COMPONENT_NAME, text("after"));
    hands->delete_row(hands->context, KNACKDB_USER_PREFERENCES, 4);
    hands->delete_row(hands->context, KNACKDB_PERFORMANCE_METRICS, 9);
    hands->clean_up(hands->context, KNACKDB_EXECUTION_PATTERNS, 9000.0);
    hands->clean_up(hands->context, KNACKDB_PERFORMANCE_METRICS, 2006.5);
}

static void
write_text(FILE *to, knackdb_text written)
{
    putc('"', to);
    for (size_t i = 0; i < written.length; i++) {
        unsigned char byte = (unsigned char) written.data[i];

        if (byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\')
            putc(byte, to);
        else
            fprintf(to, "\\x%02x", byte);
    }
    putc('"', to);
}

void
golden_write_row(FILE *to, int table, const knackdb_value *cells)
{
    const knackdb_table_info *info = knackdb_table_describe(table);

    fprintf(to, "%s", info->name);
    for (size_t column = 0; column < info->column_count; column++) {
        if (cells[column].type == KNACKDB_NULL)
            continue;
        fprintf(to, " %s=", info->columns[column].name);
        if (cells[column].type == KNACKDB_INTEGER)
            fprintf(to, "%" PRId64, cells[column].as.integer);
        else if (cells[column].type == KNACKDB_REAL)
            fprintf(to, "%a", cells[column].as.real);
        else
            write_text(to, cells[column].as.text);
    }
    putc('\n', to);
}
