/* filter.c - see filter.h.
 *
 * A field that is None asks nothing; a limit of None is no limit. A smallest rate of 0, the default, asks nothing
 * either: it would leave out the rows that have no rate. A bound on age is a bound on created_at, so the question
 * changes with the clock and has no key; neither has one ordered by score.
 *
 * Objects of other classes may lack any attribute: the engine's own filters know of the first seven. */
#include "filter.h"

#include "failure.h"
#include "names.h"
#include "object_row.h"
#include "record.h"

#include <math.h>

enum asks { IS, HOLDS, AT_LEAST, AT_MOST };

/* The fields that are a condition each; the others are read by name in filter_read(). */
static const struct {
    int       field;
    enum asks asks;
    uint32_t  column;
} plain_fields[] = {
    { FILTER_TASK_TYPE, IS, KNACKDB_PATTERN_TASK_TYPE },
    { FILTER_PATTERN_USED, IS, KNACKDB_PATTERN_PATTERN_USED },
    { FILTER_COMPLEXITY_LEVEL, IS, KNACKDB_PATTERN_COMPLEXITY_LEVEL },
    { FILTER_TOOL, HOLDS, KNACKDB_PATTERN_TOOLS_USED },
    { FILTER_MIN_CONFIDENCE, AT_LEAST, KNACKDB_PATTERN_CONFIDENCE_SCORE },
    { FILTER_MAX_CONFIDENCE, AT_MOST, KNACKDB_PATTERN_CONFIDENCE_SCORE },
    { FILTER_MIN_SUCCESS_RATE, AT_LEAST, KNACKDB_PATTERN_SUCCESS_RATE },
    { FILTER_MAX_SUCCESS_RATE, AT_MOST, KNACKDB_PATTERN_SUCCESS_RATE },
    { FILTER_MIN_EXECUTION_TIME, AT_LEAST, KNACKDB_PATTERN_EXECUTION_TIME },
    { FILTER_MAX_EXECUTION_TIME, AT_MOST, KNACKDB_PATTERN_EXECUTION_TIME },
    { FILTER_MIN_AGENT_COUNT, AT_LEAST, KNACKDB_PATTERN_AGENT_COUNT },
    { FILTER_MAX_AGENT_COUNT, AT_MOST, KNACKDB_PATTERN_AGENT_COUNT },
    { FILTER_MIN_USAGE_COUNT, AT_LEAST, KNACKDB_PATTERN_USAGE_COUNT },
    { FILTER_MAX_USAGE_COUNT, AT_MOST, KNACKDB_PATTERN_USAGE_COUNT },
    { FILTER_MIN_CREATED_AT, AT_LEAST, KNACKDB_PATTERN_CREATED_AT },
    { FILTER_MAX_CREATED_AT, AT_MOST, KNACKDB_PATTERN_CREATED_AT },
    { FILTER_MIN_UPDATED_AT, AT_LEAST, KNACKDB_PATTERN_UPDATED_AT },
    { FILTER_MAX_UPDATED_AT, AT_MOST, KNACKDB_PATTERN_UPDATED_AT },
};

/* A limit of None is another than the default. */
static bool
asks_nothing(PyObject *value, int field)
{
    return value == Py_None && field != FILTER_LIMIT;
}

/* New reference in *ret_value, or NULL where the field asks nothing, or has its default, which asks nothing either or
 * is what filter_read() begins with. -1 with an exception. */
static int
asked(struct filter *filter, PyObject *object, int field, PyObject **ret_value)
{
    PyObject *value;

    *ret_value = NULL;
    if (Py_TYPE(object) == python_side.filters && !((record *) object)->in_dict) {
        filter->is_filter = true;
        value = ((record *) object)->cells[field];
        if (value == NULL || asks_nothing(value, field))
            return 0;
        Py_INCREF(value);
        *ret_value = value;
        return 0;
    }
    value = PyObject_GetAttr(object, filter_layout.names[field]);
    if (value == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_AttributeError))
            return -1;
        PyErr_Clear();
        return 0;
    }
    filter->is_filter = true;
    if (asks_nothing(value, field))
        Py_DECREF(value);
    else
        *ret_value = value;
    return 0;
}

static knackdb_condition *
one_more(struct filter *filter)
{
    if (filter->query.condition_count == KNACKDB_CONDITIONS_MAX) {
        PyErr_Format(PyExc_ValueError, "a filter holds at most %d conditions", KNACKDB_CONDITIONS_MAX);
        return NULL;
    }
    return &filter->conditions[filter->query.condition_count];
}

static int
add_text(struct filter *filter, uint32_t column, knackdb_operator operator, PyObject * value)
{
    knackdb_condition *condition = one_more(filter);
    knackdb_text       text;

    if (condition == NULL || object_text(&filter->arena, value, &text) < 0)
        return -1;
    *condition = knackdb_where(column, operator, knackdb_value_text(text));
    filter->query.condition_count++;
    return 0;
}

/* One of several: a list, tuple or set of texts. */
static int
add_one_of(struct filter *filter, uint32_t column, PyObject *values)
{
    knackdb_condition *condition = one_more(filter);
    Py_ssize_t         count = PyTuple_GET_SIZE(values);
    knackdb_value     *texts;

    if (count == 0)
        filter->matches_nothing = true;
    if (condition == NULL)
        return -1;
    texts = arena_items(&filter->arena, (size_t) count, sizeof *texts);
    if (texts == NULL)
        return -1;
    for (Py_ssize_t i = 0; i < count; i++) {
        knackdb_text text;

        if (object_text(&filter->arena, PyTuple_GET_ITEM(values, i), &text) < 0)
            return -1;
        texts[i] = knackdb_value_text(text);
    }
    *condition = knackdb_where(column, KNACKDB_ONE_OF, knackdb_value_null());
    condition->values = texts;
    condition->value_count = (size_t) count;
    filter->query.condition_count++;
    return 0;
}

static int
add_texts(struct filter *filter, enum asks asks, uint32_t column, PyObject *value)
{
    PyObject *values;
    int       status = 0;

    if (!PyList_Check(value) && !PyTuple_Check(value) && !PyAnySet_Check(value))
        return add_text(filter, column, asks == HOLDS ? KNACKDB_CONTAINS : KNACKDB_EQUAL, value);
    values = PySequence_Tuple(value);
    if (values == NULL)
        return -1;
    if (asks == IS)
        status = add_one_of(filter, column, values);
    else
        for (Py_ssize_t i = 0; status == 0 && i < PyTuple_GET_SIZE(values); i++)
            status = add_text(filter, column, KNACKDB_CONTAINS, PyTuple_GET_ITEM(values, i));
    Py_DECREF(values);
    return status;
}

static int
add_bound(struct filter *filter, enum asks asks, uint32_t column, PyObject *value)
{
    knackdb_condition *condition = one_more(filter);
    knackdb_value      bound;
    double             real = 0;
    int                is_null;

    if (condition == NULL)
        return -1;
    if (PyLong_Check(value)) {
        int       overflow;
        long long integer = PyLong_AsLongLongAndOverflow(value, &overflow);

        real = overflow == 0 ? (double) integer : PyLong_AsDouble(value);
        if (overflow != 0 && PyErr_Occurred() != NULL) { /* larger than every double */
            PyErr_Clear();
            real = overflow * HUGE_VAL;
        }
        bound = overflow != 0 ? knackdb_value_real(real) : knackdb_value_integer(integer);
    } else {
        if (object_real(value, &real, &is_null) < 0)
            return -1;
        bound = knackdb_value_real(real);
    }
    if (real != real) {
        PyErr_SetString(PyExc_ValueError, "must be a number, not NaN");
        return -1;
    }
    if (real - real != 0.0) { /* without end: everything that has a value, or nothing */
        if ((real > 0) == (asks == AT_LEAST))
            filter->matches_nothing = true;
        bound = knackdb_value_real(real > 0 ? 1.7976931348623157e308 : -1.7976931348623157e308);
    }
    if (asks == AT_LEAST && real <= 0 &&
        (column == KNACKDB_PATTERN_CONFIDENCE_SCORE || column == KNACKDB_PATTERN_SUCCESS_RATE))
        return 0;
    *condition = knackdb_where(column, asks == AT_LEAST ? KNACKDB_AT_LEAST : KNACKDB_AT_MOST, bound);
    filter->query.condition_count++;
    return 0;
}

static int
read_plain_fields(struct filter *filter, PyObject *object)
{
    for (size_t i = 0; i < sizeof plain_fields / sizeof plain_fields[0]; i++) {
        PyObject *value;
        int       status = asked(filter, object, plain_fields[i].field, &value);

        if (status == 0 && value != NULL)
            status = plain_fields[i].asks <= HOLDS
                         ? add_texts(filter, plain_fields[i].asks, plain_fields[i].column, value)
                         : add_bound(filter, plain_fields[i].asks, plain_fields[i].column, value);
        Py_XDECREF(value);
        if (status < 0) {
            failure_in_column(filter_layout.field_names[plain_fields[i].field]);
            return -1;
        }
    }
    return 0;
}

/* None and execution_pattern are every pattern, whichever enum says it; the other types have no rows here. */
static int
read_pattern_type(struct filter *filter, PyObject *value)
{
    knackdb_text text;

    if (object_text(&filter->arena, value, &text) < 0)
        return -1;
    if (text.length != strlen("execution_pattern") || memcmp(text.data, "execution_pattern", text.length) != 0)
        filter->matches_nothing = true;
    return 0;
}

static int
read_max_age(struct filter *filter, PyObject *value)
{
    knackdb_condition *condition = one_more(filter);
    double             age;
    int                is_null;

    if (condition == NULL || object_real(value, &age, &is_null) < 0)
        return -1;
    if (age != age) {
        PyErr_SetString(PyExc_ValueError, "must be a number, not NaN");
        return -1;
    }
    if (age > 1e18) /* older than everything */
        return 0;
    *condition = knackdb_where_at_least(KNACKDB_PATTERN_CREATED_AT, knackdb_now() - (age > -1e18 ? age : -1e18));
    filter->query.condition_count++;
    filter->is_fixed = false;
    return 0;
}

int
filter_limit(PyObject *value, uint64_t *ret_limit, bool *ret_wants_no_rows)
{
    int     is_null;
    int64_t limit = -1;

    if (object_integer(value, &limit, &is_null) < 0) {
        if (!PyErr_ExceptionMatches(PyExc_OverflowError))
            return -1;
        PyErr_Clear();
        limit = -1;
    }
    *ret_wants_no_rows = limit == 0;
    *ret_limit = limit > 0 ? (uint64_t) limit : 0;
    return 0;
}

static int
read_limit(struct filter *filter, PyObject *value)
{
    return filter_limit(value, &filter->query.limit, &filter->wants_no_rows);
}

static int
read_offset(struct filter *filter, PyObject *value)
{
    int     is_null;
    int64_t offset;

    if (object_integer(value, &offset, &is_null) < 0)
        return -1;
    filter->query.offset = offset > 0 ? (uint64_t) offset : 0;
    return 0;
}

static int
read_order(struct filter *filter, PyObject *value)
{
    static const int columns[] = {
        KNACKDB_PATTERN_SUCCESS_RATE, KNACKDB_PATTERN_CONFIDENCE_SCORE, KNACKDB_PATTERN_EXECUTION_TIME,
        KNACKDB_PATTERN_AGENT_COUNT,  KNACKDB_PATTERN_USAGE_COUNT,      KNACKDB_PATTERN_CREATED_AT,
        KNACKDB_PATTERN_UPDATED_AT,
    };
    const knackdb_table_info *table = knackdb_table_describe(KNACKDB_EXECUTION_PATTERNS);
    knackdb_text              name;

    if (object_text(&filter->arena, value, &name) < 0)
        return -1;
    filter->query.order_count = 1;
    if (name.length == 5 && memcmp(name.data, "score", 5) == 0) {
        filter->query.order[0].column = KNACKDB_ORDER_BY_SCORE;
        filter->is_fixed = false;
        return 0;
    }
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        if (strlen(table->columns[columns[i]].name) == name.length &&
            memcmp(table->columns[columns[i]].name, name.data, name.length) == 0) {
            filter->query.order[0].column = columns[i];
            return 0;
        }
    PyErr_Format(PyExc_ValueError, "must be score, or the name of a number or time column, not %R", value);
    return -1;
}

static int
read_descending(struct filter *filter, PyObject *value)
{
    int truth = PyObject_IsTrue(value);

    for (size_t i = 0; truth >= 0 && i < filter->query.order_count; i++)
        filter->query.order[i].descending = truth;
    return truth < 0 ? -1 : 0;
}

static int
read_half_life(struct filter *filter, PyObject *value)
{
    int is_null;

    if (object_real(value, &filter->query.half_life_seconds, &is_null) < 0)
        return -1;
    if (!(filter->query.half_life_seconds > 0)) {
        PyErr_SetString(PyExc_ValueError, "must be more than 0");
        return -1;
    }
    return 0;
}

static int
read_other_fields(struct filter *filter, PyObject *object)
{
    static const struct {
        int field;
        int (*read)(struct filter *filter, PyObject *value);
    } others[] = {
        { FILTER_PATTERN_TYPE, read_pattern_type },
        { FILTER_MAX_AGE_SECONDS, read_max_age },
        { FILTER_LIMIT, read_limit },
        { FILTER_OFFSET, read_offset },
        { FILTER_ORDER_BY, read_order },
        { FILTER_DESCENDING, read_descending },
        { FILTER_HALF_LIFE_SECONDS, read_half_life },
    };

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        PyObject *value;
        int       status = asked(filter, object, others[i].field, &value);

        if (status == 0 && value != NULL)
            status = others[i].read(filter, value);
        Py_XDECREF(value);
        if (status < 0) {
            failure_in_column(filter_layout.field_names[others[i].field]);
            return -1;
        }
    }
    return 0;
}

static void
put_word(struct filter *filter, uint64_t word)
{
    if (filter->key_words < FILTER_KEY_WORDS)
        filter->key[filter->key_words] = word;
    filter->key_words++;
}

static void
put_value(struct filter *filter, const knackdb_value *value)
{
    put_word(filter, (uint64_t) value->type);
    if (value->type == KNACKDB_TEXT) {
        put_word(filter, value->as.text.length);
        for (size_t at = 0; at < value->as.text.length; at += 8) {
            size_t   left = value->as.text.length - at;
            uint64_t word = 0;

            memcpy(&word, value->as.text.data + at, left < 8 ? left : 8);
            put_word(filter, word);
        }
    } else if (value->type != KNACKDB_NULL) {
        uint64_t word;

        memcpy(&word, &value->as, sizeof word);
        put_word(filter, word);
    }
}

void
filter_make_key(struct filter *filter)
{
    const knackdb_query *query = &filter->query;

    filter->key_words = 0;
    if (!filter->is_fixed)
        return;
    put_word(filter, query->limit);
    put_word(filter, query->offset);
    for (size_t i = 0; i < query->order_count; i++)
        put_word(filter, (uint64_t) query->order[i].column << 1 | query->order[i].descending);
    for (size_t i = 0; i < query->condition_count; i++) {
        const knackdb_condition *condition = &query->conditions[i];

        put_word(filter, (uint64_t) condition->column << 32 | (uint64_t) condition->op << 8);
        put_word(filter, condition->value_count);
        put_value(filter, &condition->value);
        for (size_t v = 0; v < condition->value_count; v++)
            put_value(filter, &condition->values[v]);
    }
    put_word(filter, query->order_count);
    if (filter->key_words > FILTER_KEY_WORDS)
        filter->key_words = 0;
}

int
filter_read(struct filter *filter, PyObject *object)
{
    arena_init(&filter->arena);
    memset(&filter->query, 0, sizeof filter->query);
    filter->matches_nothing = false;
    filter->wants_no_rows = false;
    filter->is_fixed = true;
    filter->is_filter = false;
    filter->query.struct_size = sizeof filter->query;
    filter->query.table = KNACKDB_EXECUTION_PATTERNS;
    filter->query.conditions = filter->conditions;
    filter->query.order[0] = (knackdb_order) { KNACKDB_PATTERN_CONFIDENCE_SCORE, true };
    filter->query.order[1] = (knackdb_order) { KNACKDB_PATTERN_SUCCESS_RATE, true };
    filter->query.order_count = 2;
    filter->query.limit = 100;
    if (object != NULL && object != Py_None) {
        if (read_plain_fields(filter, object) < 0 || read_other_fields(filter, object) < 0)
            return -1;
        if (!filter->is_filter) {
            PyErr_Format(PyExc_TypeError, "filters must have a filter's attributes; %.100s has none of them",
                         Py_TYPE(object)->tp_name);
            return -1;
        }
    }
    filter_make_key(filter);
    return 0;
}

void
filter_clear(struct filter *filter)
{
    arena_clear(&filter->arena);
}
