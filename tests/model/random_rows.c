/* random_rows.c - draws rows, values and queries; random_rows.h says with what bias. */
#include "random_rows.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* SplitMix64 (Steele, Lea and Flood 2014): any seed will do, and nearby seeds are unlike. */
uint64_t
random_bits(struct random_source *random)
{
    uint64_t z = (random->state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint32_t
random_below(struct random_source *random, uint32_t bound)
{
    return (uint32_t) ((random_bits(random) >> 32) * bound >> 32);
}

bool
random_chance(struct random_source *random, uint32_t one_in)
{
    return random_below(random, one_in) == 0;
}

/* ---- texts ---- */

#define BYTES(literal) { literal, sizeof literal - 1 }

/* clang-format off */
/* Alike but not equal, empty, not ASCII, with a NUL inside, and what CSV, SQL or JSON would trip over. */
static const knackdb_text short_texts[] = {
    BYTES(""), BYTES("a"), BYTES("b"), BYTES("A"), BYTES("a "), BYTES(" a"), BYTES("aa"), BYTES("ab"),
    BYTES("sort"), BYTES("Sort"), BYTES("sort\n"), BYTES("sort\r\n"), BYTES("hash"), BYTES("search"),
    BYTES("a\0b"), BYTES("a\0c"), BYTES("\0"), BYTES("\0\0"), BYTES("\x7f"), BYTES("\x01\x02\x1f"),
    BYTES("\xc3\xa9"), BYTES("e\xcc\x81"), BYTES("\xe6\x97\xa5\xe6\x9c\xac"), BYTES("\xf0\x9f\x98\x80"),
    BYTES("\xef\xbf\xbd"), BYTES("\xef\xbb\xbf"), BYTES("\xf4\x8f\xbf\xbf"), BYTES("\xed\x9f\xbf"),
    BYTES("NULL"), BYTES("null"), BYTES("0"), BYTES("-0"), BYTES("\"quoted\", 'twice'"), BYTES("{\"a\": [1, 2]}"),
    BYTES("twelve bytes"), BYTES("thirteen byte"), BYTES("sixteen bytes ok"), BYTES("seventeen bytes.."),
};
/* clang-format on */

static const size_t long_text_bytes[] = { 255, 256, 4096, 65535, 65536, 100000 };

/* clang-format off */
static const knackdb_text tool_lists[] = {
    BYTES("[]"), BYTES("[\"cat\"]"), BYTES("[\"cat\",\"sed\"]"), BYTES("[\"sed\", \"cat\", \"awk\"]"),
    BYTES(" [ \"cat\" ,\t\"awk\" ]\n"), BYTES("[\"ca\\u0074\"]"), BYTES("[\"catalog\"]"), BYTES("[\"\"]"),
    BYTES("[\"\\ud83d\\ude00\"]"), BYTES("[\"\xf0\x9f\x98\x80\"]"), BYTES("[\"a\\\"b\", \"\\\\\", \"\\/\"]"),
    BYTES("[1, \"cat\", null, true, -1.5e3, [\"sed\"], {\"awk\": \"sed\"}]"), BYTES("[[\"cat\"]]"),
    BYTES("cat"), BYTES("\"cat\""), BYTES("{\"cat\": 1}"), BYTES(""), BYTES("null"),
    BYTES("[\"cat\""), BYTES("[\"cat\",]"), BYTES("[\"cat\"] x"), BYTES("[\"cat\" \"sed\"]"), BYTES("[cat]"),
    BYTES("[\"cat\", \"sed\\x\"]"), BYTES("[\"se\nd\", \"cat\"]"), BYTES("[\"cats"), BYTES("[\"cat\", 01]"),
    BYTES("["), BYTES("[["), BYTES("[\"cat\", [}]"), BYTES("[\"cat\", {\"a\"}]"), BYTES("[\"cat\", tru]"),
    BYTES("[\"cat\", {\"a\": 1.}]"), BYTES("[\"cat\", +1]"), BYTES("[\"cat\", \"\\u12g4\"]"), BYTES("[\"cat\"]]"),
};
/* clang-format on */

static const knackdb_text tool_names[] = {
    BYTES("cat"), BYTES("sed"), BYTES("awk"), BYTES(""),   BYTES("\xf0\x9f\x98\x80"), BYTES("a\"b"),
    BYTES("\\"),  BYTES("/"),   BYTES("1"),   BYTES("ca"), BYTES("[\"cat\"]"),
};

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

static char *
get_bytes(size_t bytes)
{
    char *memory = malloc(bytes + 1);

    if (memory == NULL)
        abort();          /* a test without memory shows nothing */
    memory[bytes] = '\0'; /* so that a message can print it */
    return memory;
}

static void
add_text(struct random_source *random, const char *data, size_t length)
{
    char *copy = get_bytes(length);

    memcpy(copy, data, length);
    random->texts[random->text_count++] = (knackdb_text) { copy, length };
}

void
random_init(struct random_source *random, uint64_t seed)
{
    memset(random, 0, sizeof *random);
    random->state = seed * UINT64_C(0xd1342543de82ef95) + 1;
    for (size_t i = 0; i < COUNT_OF(short_texts); i++)
        add_text(random, short_texts[i].data, short_texts[i].length);
    for (size_t i = 0; i < COUNT_OF(long_text_bytes); i++) {
        char *text = get_bytes(long_text_bytes[i]);

        for (size_t at = 0; at < long_text_bytes[i]; at++)
            text[at] = (char) ('a' + random_below(random, 26));
        random->texts[random->text_count++] = (knackdb_text) { text, long_text_bytes[i] };
        random->long_text_count++;
    }
    random->ids = 20 + (int64_t) random_below(random, 200);
    random->keys = 5 + random_below(random, 60);
    random->time_now = 1000;
}

void
random_clear(struct random_source *random)
{
    for (size_t i = 0; i < random->text_count; i++) {
        union {
            const char *read_only;
            void       *memory;
        } text = { random->texts[i].data };

        free(text.memory);
    }
    random->text_count = 0;
}

static knackdb_text
random_text(struct random_source *random)
{
    size_t short_count = random->text_count - random->long_text_count;

    if (random_chance(random, 400))
        return random->texts[short_count + random_below(random, (uint32_t) random->long_text_count)];
    return random->texts[random_below(random, (uint32_t) short_count)];
}

knackdb_text
random_external_id(struct random_source *random)
{
    static const char *const names[] = { "pattern_00", "pattern_01", "pattern_1a2b3c4d" };
    uint32_t                 number = random_below(random, random->keys);

    /* Some are of the kind that engines give, others any text at all. */
    return number < COUNT_OF(names) ? knackdb_string(names[number]) : random->texts[number % random->text_count];
}

/* ---- numbers ---- */

static int64_t
random_integer(struct random_source *random)
{
    /* clang-format off */
    static const int64_t edges[] = { 0, 1, -1, INT64_MIN, INT64_MAX, INT64_MIN + 1, INT64_MAX - 1,
                                     (INT64_C(1) << 53) + 1, (INT64_C(1) << 53), -(INT64_C(1) << 53) - 1,
                                     INT32_MAX, INT32_MIN, UINT32_MAX, 255, 256 };
    /* clang-format on */

    if (random_chance(random, 20))
        return edges[random_below(random, COUNT_OF(edges))];
    return random_chance(random, 50) ? (int64_t) random_bits(random) : (int64_t) random_below(random, 12);
}

static double
random_real(struct random_source *random)
{
    /* clang-format off */
    static const double edges[] = { 0.0, -0.0, DBL_MAX, -DBL_MAX, DBL_MIN, -DBL_MIN, DBL_TRUE_MIN, -DBL_TRUE_MIN,
                                    1e-310, 9007199254740993.0, 9223372036854775808.0, -9223372036854775808.0,
                                    9223372036854774784.0, 0.1, 1.0 / 3, 1e15, 1e22, 123456789.123456789, 1e300,
                                    5e-324 };
    /* clang-format on */

    if (random_chance(random, 20))
        return edges[random_below(random, COUNT_OF(edges))];
    if (random_chance(random, 30)) {
        uint64_t bits = random_bits(random);
        double   real;

        memcpy(&real, &bits, sizeof real);
        if (isfinite(real))
            return real;
    }
    return random_chance(random, 3) ? (double) random_below(random, 10) : random_below(random, 4000) / 8.0 - 100;
}

static double
random_rate(struct random_source *random)
{
    static const double edges[] = { 0.0, -0.0, 1.0, DBL_TRUE_MIN, 0x1.fffffffffffffp-1, 0.5, 1e-310 };

    if (random_chance(random, 10))
        return edges[random_below(random, COUNT_OF(edges))];
    return random_chance(random, 2) ? random_below(random, 11) / 10.0 : random_below(random, 1000001) / 1000000.0;
}

static double
random_time(struct random_source *random)
{
    if (random_chance(random, 60))
        return random_real(random);
    return random->time_now * random_below(random, 1001) / 1000.0;
}

int64_t
random_id(struct random_source *random)
{
    if (random_chance(random, 2000))
        return INT64_C(1) + (int64_t) (random_bits(random) >> 20); /* leaves room above for many more */
    return 1 + (int64_t) random_below(random, (uint32_t) random->ids);
}

/* ---- cells and rows ---- */

static bool
is_time(int table, uint32_t column)
{
    return (table == KNACKDB_EXECUTION_PATTERNS &&
            (column == KNACKDB_PATTERN_CREATED_AT || column == KNACKDB_PATTERN_UPDATED_AT)) ||
           (table == KNACKDB_USER_PREFERENCES && column == KNACKDB_PREFERENCE_LAST_USED) ||
           (table == KNACKDB_PERFORMANCE_METRICS && column == KNACKDB_METRIC_MEASURED_AT);
}

static bool
is_preference_key(int table, uint32_t column)
{
    return table == KNACKDB_USER_PREFERENCES &&
           (column == KNACKDB_PREFERENCE_TYPE || column == KNACKDB_PREFERENCE_VALUE);
}

static knackdb_text
random_text_for(struct random_source *random, int table, uint32_t column)
{
    if (table == KNACKDB_EXECUTION_PATTERNS && column == KNACKDB_PATTERN_EXTERNAL_ID)
        return random_external_id(random);
    if (table == KNACKDB_EXECUTION_PATTERNS && column == KNACKDB_PATTERN_TOOLS_USED)
        return tool_lists[random_below(random, COUNT_OF(tool_lists))];
    if (is_preference_key(table, column))
        return random->texts[random_below(random, column == KNACKDB_PREFERENCE_TYPE ? 6 : random->keys) %
                             (random->text_count - 2)];
    /* Half of all rows share three texts, so that groups and posting lists grow. */
    return random_chance(random, 2) ? random->texts[8 + random_below(random, 3)] : random_text(random);
}

knackdb_value
random_cell(struct random_source *random, int table, uint32_t column)
{
    const struct model_column *shape = &model_shapes[table].columns[column];

    if (column == 0)
        return random_chance(random, 4)    ? knackdb_value_integer(0)
               : random_chance(random, 20) ? knackdb_value_null()
                                           : knackdb_value_integer(random_id(random));
    if (random_chance(random, is_preference_key(table, column) ? 25 : 8))
        return knackdb_value_null();
    if (shape->type == KNACKDB_TEXT)
        return knackdb_value_text(random_text_for(random, table, column));
    if (shape->type == KNACKDB_INTEGER)
        return knackdb_value_integer(random_integer(random));
    if (random_chance(random, 12)) /* an INTEGER is taken for a REAL */
        return knackdb_value_integer(shape->is_rate ? (int64_t) random_below(random, 2) : random_integer(random));
    if (shape->is_rate)
        return knackdb_value_real(random_rate(random));
    return knackdb_value_real(is_time(table, column) ? random_time(random) : random_real(random));
}

void
random_row(struct random_source *random, int table, knackdb_value cells[MODEL_COLUMNS_MAX])
{
    for (uint32_t column = 0; column < model_shapes[table].column_count; column++)
        cells[column] = random_cell(random, table, column);
}

uint32_t
random_spoil(struct random_source *random, int table, size_t column_count, knackdb_value *cells)
{
    /* clang-format off */
    static const knackdb_text bad_texts[] = {
        BYTES("\xff"), BYTES("a\x80"), BYTES("\xc0\x80"), BYTES("\xc3"), BYTES("\xe2\x82"), BYTES("\xed\xa0\x80"),
        BYTES("\xf4\x90\x80\x80"), BYTES("\xf0\x80\x80\x80"), BYTES("long enough for words\xfe, not valid"),
        BYTES("\xe0\x80\x80"), BYTES("\xf8\x88\x80\x80\x80"), BYTES("\xc3\xa9\xc3"),
    };
    /* clang-format on */
    uint32_t                   column = random_below(random, (uint32_t) column_count);
    const struct model_column *shape = &model_shapes[table].columns[column];

    if (column == 0) {
        cells[0] = random_chance(random, 2)   ? knackdb_value_integer(-1 - (int64_t) random_below(random, 9))
                   : random_chance(random, 2) ? knackdb_value_real(1)
                                              : knackdb_value_text(knackdb_string("1"));
    } else if (shape->type == KNACKDB_TEXT) {
        cells[column] = random_chance(random, 6)
                            ? knackdb_value_integer(5)
                            : knackdb_value_text(bad_texts[random_below(random, COUNT_OF(bad_texts))]);
    } else if (shape->type == KNACKDB_INTEGER) {
        cells[column] = random_chance(random, 2) ? knackdb_value_real(2) : knackdb_value_text(knackdb_string("2"));
    } else if (shape->is_rate && random_chance(random, 2)) {
        static const double outside[] = { 1.0000000000000002, -DBL_TRUE_MIN, 2, -1, 100, DBL_MAX };

        cells[column] = random_chance(random, 5) ? knackdb_value_integer(2)
                                                 : knackdb_value_real(outside[random_below(random, COUNT_OF(outside))]);
    } else {
        static const double never[] = { (double) NAN, (double) INFINITY, -(double) INFINITY };

        cells[column] = random_chance(random, 5) ? knackdb_value_text(knackdb_string("1.5"))
                                                 : knackdb_value_real(never[random_below(random, COUNT_OF(never))]);
    }
    return column;
}

/* ---- queries ---- */

static knackdb_value
random_operand(struct random_source *random, int table, uint32_t column)
{
    const struct model_column *shape = &model_shapes[table].columns[column];

    if (random_chance(random, 40))
        return knackdb_value_null();
    if (shape->type == KNACKDB_INTEGER && random_chance(random, 3))
        return knackdb_value_real(random_chance(random, 3) ? random_real(random) : random_below(random, 120) / 4.0);
    if (column == 0)
        return knackdb_value_integer(random_id(random));
    return random_cell(random, table, column);
}

static void
random_condition(struct random_source *random, int table, knackdb_condition *condition,
                 knackdb_value choices[RANDOM_CHOICES_MAX])
{
    uint32_t column = random_below(random, (uint32_t) model_shapes[table].column_count);

    /* Mostly the columns people filter by. */
    if (table == KNACKDB_EXECUTION_PATTERNS && random_chance(random, 3))
        column = random_chance(random, 2) ? KNACKDB_PATTERN_TASK_TYPE : KNACKDB_PATTERN_SUCCESS_RATE;
    memset(condition, 0, sizeof *condition);
    condition->column = column;
    if (model_shapes[table].columns[column].type == KNACKDB_TEXT &&
        random_chance(random, column == KNACKDB_PATTERN_TOOLS_USED ? 2 : 12)) {
        condition->op = KNACKDB_CONTAINS;
        condition->value = knackdb_value_text(tool_names[random_below(random, COUNT_OF(tool_names))]);
        return;
    }
    condition->op = (knackdb_operator) random_below(random, 10);
    if (condition->op == KNACKDB_CONTAINS)
        condition->op = KNACKDB_EQUAL;
    if (condition->op == KNACKDB_ONE_OF) {
        condition->value_count = random_below(random, RANDOM_CHOICES_MAX + 1);
        for (size_t i = 0; i < condition->value_count; i++)
            choices[i] = random_operand(random, table, column);
        condition->values = choices;
    } else if (condition->op != KNACKDB_IS_NULL && condition->op != KNACKDB_IS_NOT_NULL) {
        condition->value = random_operand(random, table, column);
    }
}

void
random_query(struct random_source *random, int table, struct random_query *ret_query)
{
    knackdb_query *query = &ret_query->query;

    memset(ret_query, 0, sizeof *ret_query);
    query->struct_size = random_chance(random, 2) ? sizeof *query : 0;
    query->table = table;
    query->conditions = ret_query->conditions;
    query->condition_count = random_below(random, 3) + random_below(random, RANDOM_CONDITIONS_MAX - 1);
    for (size_t i = 0; i < query->condition_count; i++)
        random_condition(random, table, &ret_query->conditions[i], ret_query->choices[i]);

    query->order_count = random_below(random, 3) == 0 ? random_below(random, KNACKDB_ORDER_KEYS_MAX + 1)
                                                      : random_below(random, 2);
    for (size_t i = 0; i < query->order_count; i++) {
        query->order[i].column = (int32_t) random_below(random, (uint32_t) model_shapes[table].column_count);
        if (table == KNACKDB_EXECUTION_PATTERNS && random_chance(random, 4))
            query->order[i].column = KNACKDB_ORDER_BY_SCORE;
        query->order[i].descending = random_chance(random, 2);
    }
    query->limit = random_chance(random, 3) ? 0 : 1 + random_below(random, 20);
    query->offset = random_chance(random, 3) ? random_below(random, 30) : 0;
    query->half_life_seconds = random_chance(random, 2) ? 0 : 1 + random_below(random, 2000);
    query->now = random_chance(random, 10) ? random->time_now * 2 : random->time_now;
}
