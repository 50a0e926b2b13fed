/* condition.c - conditions and sort keys of a query, as people write them.
 *
 * One condition is one argument of the command line, so there is no precedence to get
 * wrong: a column, an operator, a value. The column comes first and says of which type
 * the value is; that is why a text needs no quotes and `task_type = a and b` is a
 * comparison with the text "a and b".
 *
 * The text is copied once and quotes are taken out in the copy, in place. */
#include "condition.h"

#include "columns.h"
#include "moment.h"
#include "number.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct parser {
    char                      *at;
    char                      *end;
    const knackdb_column_info *column;
    char                      *why;
};

static bool
refuse(struct parser *parser, const char *why)
{
    (void) snprintf(parser->why, COLUMN_WHY_BYTES, "%s", why);
    return false;
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void
skip_blanks(struct parser *parser)
{
    while (parser->at < parser->end && is_blank(*parser->at))
        parser->at++;
}

static bool
is_name_byte(char c)
{
    return isalnum((unsigned char) c) || c == '_';
}

/* Steps over a word of letters, in either case, that ends here. */
static bool
skip_word(struct parser *parser, const char *word)
{
    size_t length = strlen(word);

    if ((size_t) (parser->end - parser->at) < length || strncasecmp(parser->at, word, length) != 0)
        return false;
    if (parser->at + length < parser->end && is_name_byte(parser->at[length]))
        return false;
    parser->at += length;
    skip_blanks(parser);
    return true;
}

static bool
skip_sign(struct parser *parser, const char *sign)
{
    size_t length = strlen(sign);

    if ((size_t) (parser->end - parser->at) < length || memcmp(parser->at, sign, length) != 0)
        return false;
    parser->at += length;
    skip_blanks(parser);
    return true;
}

/* Finds the operator. Longer signs come first, since < begins <= and <>. */
static bool
parse_operator(struct parser *parser, knackdb_operator *ret_operator)
{
    static const struct {
        const char      *sign;
        knackdb_operator op;
    } signs[] = {
        { "==", KNACKDB_EQUAL },    { "!=", KNACKDB_NOT_EQUAL }, { "<>", KNACKDB_NOT_EQUAL }, { "<=", KNACKDB_AT_MOST },
        { ">=", KNACKDB_AT_LEAST }, { "=", KNACKDB_EQUAL },      { "<", KNACKDB_LESS },       { ">", KNACKDB_MORE },
    };

    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++)
        if (skip_sign(parser, signs[i].sign)) {
            *ret_operator = signs[i].op;
            return true;
        }
    if (skip_word(parser, "contains"))
        *ret_operator = KNACKDB_CONTAINS;
    else if (skip_word(parser, "in"))
        *ret_operator = KNACKDB_ONE_OF;
    else if (skip_word(parser, "is"))
        *ret_operator = !skip_word(parser, "not") ? KNACKDB_IS_NULL : KNACKDB_IS_NOT_NULL;
    else
        return refuse(parser, "an operator is missing: = != < <= > >= contains, in (...), is null, is not null");
    if (*ret_operator != KNACKDB_IS_NULL && *ret_operator != KNACKDB_IS_NOT_NULL)
        return true;
    if (!skip_word(parser, "null"))
        return refuse(parser, "only 'is null' and 'is not null' go with 'is'");
    return true;
}

/* Reads the text between quotes, in place, and steps behind them. */
static bool
parse_quoted(struct parser *parser, knackdb_text *ret_text)
{
    char  quote = *parser->at++;
    char *text = parser->at;
    char *to = text;

    for (;;) {
        if (parser->at == parser->end)
            return refuse(parser, "the quote is never closed");
        if (*parser->at == quote) {
            parser->at++;
            if (parser->at == parser->end || *parser->at != quote)
                break;
        }
        *to++ = *parser->at++;
    }
    skip_blanks(parser);
    ret_text->data = text;
    ret_text->length = (size_t) (to - text);
    return true;
}

/* Refuses what is no number. Times are kept as seconds, and whoever writes one as people do is told which. */
static bool
refuse_number(const struct parser *parser, const knackdb_text *text, enum number_result result)
{
    char          copy[MOMENT_CHARS_MAX] = "";
    char          seconds[100] = "";
    struct moment moment;

    if (text->length < sizeof copy)
        memcpy(copy, text->data, text->length);
    if (result == NUMBER_MALFORMED && parser->column->type == KNACKDB_REAL && moment_parse(copy, &moment) &&
        moment.is_time)
        (void) snprintf(seconds, sizeof seconds, "; that time is %.6f, in seconds since 1970", moment.time);
    (void) snprintf(parser->why, COLUMN_WHY_BYTES, "'%.*s' %s%s", (int) (text->length < 60 ? text->length : 60),
                    text->data, number_result_text(result), seconds);
    return false;
}

static bool
parse_value(struct parser *parser, const char *stops, knackdb_value *ret_value)
{
    bool               is_quoted = parser->at < parser->end && (*parser->at == '\'' || *parser->at == '"');
    knackdb_text       text;
    int64_t            integer;
    double             real;
    enum number_result result;

    if (is_quoted) {
        if (!parse_quoted(parser, &text))
            return false;
    } else {
        char *begin = parser->at;

        while (parser->at < parser->end && (*parser->at == '\0' || strchr(stops, *parser->at) == NULL))
            parser->at++;
        text.data = begin;
        text.length = (size_t) (parser->at - begin);
        while (text.length > 0 && is_blank(begin[text.length - 1]))
            text.length--;
        if (text.length == 0)
            return refuse(parser, "a value is missing; the empty text is ''");
        if (text.length == 4 && strncasecmp(text.data, "null", 4) == 0)
            return refuse(parser, "nothing equals NULL: say 'is null' or 'is not null', or quote the text 'null'");
    }
    if (parser->column->type == KNACKDB_TEXT) {
        *ret_value = knackdb_value_text(text);
        return true;
    }

    /* A whole number is compared as an INTEGER, exactly, with REAL columns, too. */
    if (number_parse_integer(text.data, text.length, &integer) == NUMBER_OK) {
        *ret_value = knackdb_value_integer(integer);
        return true;
    }
    result = number_parse_real(text.data, text.length, &real);
    if (result != NUMBER_OK)
        return refuse_number(parser, &text, result);
    *ret_value = knackdb_value_real(real);
    return true;
}

static bool
parse_values(struct parser *parser, struct parsed_condition *parsed)
{
    size_t capacity = 0;
    size_t count = 0;

    if (!skip_sign(parser, "("))
        return refuse(parser, "'in' needs its values in brackets: in (a, b)");
    do {
        if (count == CONDITION_VALUES_MAX)
            return refuse(parser, "more than 10000 values");
        if (count == capacity) {
            knackdb_value *values;

            capacity = capacity != 0 ? capacity * 2 : 8;
            values = realloc(parsed->values, capacity * sizeof *values);
            if (values == NULL)
                return refuse(parser, "out of memory");
            parsed->values = values;
        }
        if (!parse_value(parser, ",)", &parsed->values[count]))
            return false;
        count++;
    } while (skip_sign(parser, ","));
    if (!skip_sign(parser, ")"))
        return refuse(parser, "the bracket is never closed");
    parsed->condition.values = parsed->values;
    parsed->condition.value_count = count;
    return true;
}

static bool
parse_column(struct parser *parser, const knackdb_table_info *table, uint32_t *ret_column)
{
    const char *name;
    int         column;

    skip_blanks(parser);
    name = parser->at;
    while (parser->at < parser->end && is_name_byte(*parser->at))
        parser->at++;
    column = column_find(table, name, (size_t) (parser->at - name));
    if (column < 0) {
        column_say_missing(table, name, (size_t) (parser->at - name), parser->why);
        return false;
    }
    parser->column = &table->columns[column];
    *ret_column = (uint32_t) column;
    skip_blanks(parser);
    return true;
}

/* What stands behind the operator. */
static bool
parse_operand(struct parser *parser, struct parsed_condition *parsed)
{
    switch (parsed->condition.op) {
    case KNACKDB_IS_NULL:
    case KNACKDB_IS_NOT_NULL: return true;
    case KNACKDB_ONE_OF: return parse_values(parser, parsed);
    case KNACKDB_CONTAINS:
        if (parser->column->type != KNACKDB_TEXT)
            return refuse(parser, "'contains' looks into text columns that hold a JSON list");
        /* fall through */
    default: return parse_value(parser, "", &parsed->condition.value);
    }
}

bool
condition_parse(const char *text, size_t length, const knackdb_table_info *table,
                struct parsed_condition *ret_condition, char ret_why[COLUMN_WHY_BYTES])
{
    struct parsed_condition parsed = { 0 };
    struct parser           parser = { NULL, NULL, NULL, ret_why };
    bool                    is_done = false;

    parsed.text = malloc(length + 1);
    if (parsed.text == NULL) {
        (void) refuse(&parser, "out of memory");
        goto out;
    }
    memcpy(parsed.text, text, length);
    parser.at = parsed.text;
    parser.end = parsed.text + length;

    if (!parse_column(&parser, table, &parsed.condition.column) || !parse_operator(&parser, &parsed.condition.op) ||
        !parse_operand(&parser, &parsed))
        goto out;
    skip_blanks(&parser);
    if (parser.at != parser.end) {
        (void) refuse(&parser, "text behind the condition; give each condition its own --where");
        goto out;
    }
    *ret_condition = parsed;
    is_done = true;

out:
    if (!is_done)
        condition_clear(&parsed);
    return is_done;
}

void
condition_clear(struct parsed_condition *condition)
{
    free(condition->values);
    free(condition->text);
    memset(condition, 0, sizeof *condition);
}

bool
sort_key_parse(const char *text, size_t length, const knackdb_table_info *table, knackdb_order *ret_order,
               char ret_why[COLUMN_WHY_BYTES])
{
    const char   *colon = memchr(text, ':', length);
    size_t        name_length = colon != NULL ? (size_t) (colon - text) : length;
    const char   *direction = colon != NULL ? colon + 1 : "";
    size_t        direction_length = colon != NULL ? length - name_length - 1 : 0;
    knackdb_order order = { 0, false };

    if (name_length == 5 && memcmp(text, "score", 5) == 0) {
        order.column = KNACKDB_ORDER_BY_SCORE;
        order.descending = true;
    } else {
        order.column = column_find(table, text, name_length);
        if (order.column < 0) {
            column_say_missing(table, text, name_length, ret_why);
            return false;
        }
    }
    if (direction_length == 4 && strncasecmp(direction, "desc", 4) == 0)
        order.descending = true;
    else if (direction_length == 3 && strncasecmp(direction, "asc", 3) == 0)
        order.descending = false;
    else if (colon != NULL) {
        (void) snprintf(ret_why, COLUMN_WHY_BYTES, "'%.*s' is neither asc nor desc",
                        (int) (direction_length < 60 ? direction_length : 60), direction);
        return false;
    }
    *ret_order = order;
    return true;
}
