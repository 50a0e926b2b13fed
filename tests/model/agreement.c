/* agreement.c - one question, two answers; agreement.h says what is compared.
 *
 * REAL cells are compared by their bits, because -0.0 and 0.0 must both come back as
 * they were stored. Means and percentiles may differ by what the order of additions
 * explains, and by no more. */
#include "agreement.h"
#include "row_structs.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- saying it ---- */

static bool differ(struct disagreement *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool
differ(struct disagreement *why, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void) vsnprintf(why->text, sizeof why->text, format, arguments);
    va_end(arguments);
    return false;
}

/* Puts a sentence before what was said already. */
static bool while_asking(struct disagreement *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool
while_asking(struct disagreement *why, const char *format, ...)
{
    struct disagreement inner = *why;
    int                 length;
    va_list             arguments;

    va_start(arguments, format);
    length = vsnprintf(why->text, sizeof why->text, format, arguments);
    va_end(arguments);
    if (length >= 0 && (size_t) length < sizeof why->text)
        (void) snprintf(why->text + length, sizeof why->text - (size_t) length, ": %.*s",
                        (int) (sizeof why->text - (size_t) length - 3), inner.text);
    return false;
}

static const char *
print_value(const knackdb_value *value, char text[160])
{
    switch (value->type) {
    case KNACKDB_NULL: (void) snprintf(text, 160, "NULL"); break;
    case KNACKDB_INTEGER: (void) snprintf(text, 160, "%" PRId64, value->as.integer); break;
    case KNACKDB_REAL: (void) snprintf(text, 160, "%.17g (%a)", value->as.real, value->as.real); break;
    case KNACKDB_TEXT: {
        int length = snprintf(text, 160, "%zu bytes \"", value->as.text.length);

        for (size_t i = 0; i < value->as.text.length && length < 150; i++) {
            unsigned char byte = (unsigned char) value->as.text.data[i];

            length +=
                snprintf(text + length, 160 - (size_t) length, byte >= 0x20 && byte < 0x7f ? "%c" : "\\x%02x", byte);
        }
        (void) snprintf(text + length, 160 - (size_t) length, "\"");
        break;
    }
    default: (void) snprintf(text, 160, "a value of type %d", (int) value->type);
    }
    return text;
}

static void
print_query(const knackdb_query *query, char *text, size_t bytes)
{
    static const char *const operators[] = { "=",  "!=",     "<",        "<=",      ">",
                                             ">=", "one of", "contains", "is null", "is not null" };
    size_t                   at = 0;
    char                     value[160];

#define APPEND(...)                                                                             \
    do {                                                                                        \
        int length = snprintf(text + at, bytes - at, __VA_ARGS__);                              \
        at += length < 0 ? 0 : (size_t) length < bytes - at ? (size_t) length : bytes - at - 1; \
    } while (0)

    APPEND("%s", knackdb_table_describe(query->table)->name);
    for (size_t i = 0; i < query->condition_count; i++) {
        const knackdb_condition *condition = &query->conditions[i];

        APPEND("%s %s %s", i == 0 ? " where" : " and",
               knackdb_table_describe(query->table)->columns[condition->column].name, operators[condition->op]);
        if (condition->op == KNACKDB_ONE_OF)
            for (size_t j = 0; j < condition->value_count; j++)
                APPEND("%s %s", j > 0 ? "," : "", print_value(&condition->values[j], value));
        else if (condition->op != KNACKDB_IS_NULL && condition->op != KNACKDB_IS_NOT_NULL)
            APPEND(" %s", print_value(&condition->value, value));
    }
    for (size_t i = 0; i < query->order_count; i++)
        APPEND("%s %s%s", i == 0 ? " order by" : ",",
               query->order[i].column < 0 ? "score"
                                          : knackdb_table_describe(query->table)->columns[query->order[i].column].name,
               query->order[i].descending ? " descending" : "");
    APPEND(" limit %" PRIu64 " offset %" PRIu64 " half-life %g now %g", query->limit, query->offset,
           query->half_life_seconds, query->now);
#undef APPEND
}

/* ---- rows ---- */

static bool
same_value(const knackdb_value *a, const knackdb_value *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case KNACKDB_NULL: return true;
    case KNACKDB_INTEGER: return a->as.integer == b->as.integer;
    case KNACKDB_REAL: return memcmp(&a->as.real, &b->as.real, sizeof a->as.real) == 0;
    case KNACKDB_TEXT: return a->as.text.data != NULL && model_text_equal(a->as.text, b->as.text);
    }
    return false;
}

static bool
agree_on_cells(int table, const knackdb_value *theirs, const struct model_row *ours, struct disagreement *why)
{
    char their_text[160], our_text[160];

    for (uint32_t column = 0; column < model_shapes[table].column_count; column++)
        if (!same_value(&theirs[column], &ours->cells[column]))
            return differ(why, "id %" PRId64 " %s: the store has %s, the model %s", ours->cells[0].as.integer,
                          knackdb_table_describe(table)->columns[column].name, print_value(&theirs[column], their_text),
                          print_value(&ours->cells[column], our_text));
    return true;
}

static bool
agree_on_row(knackdb_read *read, int table, knackdb_row row, const struct model_row *ours, struct disagreement *why)
{
    knackdb_value cells[MODEL_COLUMNS_MAX];

    knackdb_read_values(read, table, row, model_shapes[table].column_count, cells);
    return agree_on_cells(table, cells, ours, why);
}

/* The same row through its struct and through single cells. */
static bool
agree_on_row_views(knackdb_read *read, int table, knackdb_row row, const struct model_row *ours,
                   struct disagreement *why)
{
    knackdb_value      cells[MODEL_COLUMNS_MAX];
    knackdb_pattern    pattern;
    knackdb_preference preference;
    knackdb_metric     metric;

    if (table == KNACKDB_EXECUTION_PATTERNS) {
        knackdb_read_pattern(read, row, &pattern);
        cells_of_pattern(&pattern, cells);
    } else if (table == KNACKDB_USER_PREFERENCES) {
        knackdb_read_preference(read, row, &preference);
        cells_of_preference(&preference, cells);
    } else {
        knackdb_read_metric(read, row, &metric);
        cells_of_metric(&metric, cells);
    }
    if (!agree_on_cells(table, cells, ours, why))
        return while_asking(why, "as a struct");
    for (uint32_t column = 0; column < model_shapes[table].column_count; column++)
        cells[column] = knackdb_read_value(read, table, row, column);
    if (!agree_on_cells(table, cells, ours, why))
        return while_asking(why, "cell by cell");
    return true;
}

static bool
agree_on_lookup(knackdb_read *read, int table, knackdb_status status, knackdb_row row, const struct model_row *ours,
                struct disagreement *why)
{
    if (status != (ours != NULL ? KNACKDB_OK : KNACKDB_NOT_FOUND))
        return differ(why, "the store says %s, the model %s", knackdb_status_text(status),
                      ours != NULL ? "has the row" : "has none");
    return ours == NULL || agree_on_row(read, table, row, ours, why);
}

bool
agree_on_id(knackdb_read *read, const struct model *model, int table, int64_t id, struct disagreement *why)
{
    knackdb_row    row = 0;
    knackdb_status status = knackdb_read_by_id(read, table, id, &row);

    if (!agree_on_lookup(read, table, status, row, model_by_id(model, table, id), why))
        return while_asking(why, "%s by id %" PRId64, knackdb_table_describe(table)->name, id);
    return true;
}

bool
agree_on_keys(knackdb_read *read, const struct model *model, int table, const knackdb_value *cells,
              struct disagreement *why)
{
    knackdb_row    row = 0;
    knackdb_status status;

    if (table == KNACKDB_EXECUTION_PATTERNS && cells[KNACKDB_PATTERN_EXTERNAL_ID].type == KNACKDB_TEXT) {
        knackdb_text external_id = cells[KNACKDB_PATTERN_EXTERNAL_ID].as.text;

        status = knackdb_read_by_external_id(read, external_id, &row);
        if (!agree_on_lookup(read, table, status, row, model_by_external_id(model, external_id), why))
            return while_asking(why, "by external_id of %zu bytes \"%.40s\"", external_id.length, external_id.data);
    }
    if (table == KNACKDB_USER_PREFERENCES && cells[KNACKDB_PREFERENCE_TYPE].type == KNACKDB_TEXT &&
        cells[KNACKDB_PREFERENCE_VALUE].type == KNACKDB_TEXT) {
        knackdb_text type = cells[KNACKDB_PREFERENCE_TYPE].as.text, value = cells[KNACKDB_PREFERENCE_VALUE].as.text;

        status = knackdb_read_by_preference(read, type, value, &row);
        if (!agree_on_lookup(read, table, status, row, model_by_preference(model, type, value), why))
            return while_asking(why, "by preference \"%.40s\", \"%.40s\"", type.data, value.data);
    }
    return true;
}

bool
agree_on_counts(knackdb_read *read, const struct model *model, struct disagreement *why)
{
    for (int table = 0; table < MODEL_TABLES; table++) {
        knackdb_query  query;
        uint64_t       count = UINT64_MAX;
        knackdb_status status;

        memset(&query, 0, sizeof query);
        query.table = table;
        status = knackdb_read_count(read, &query, &count, NULL);
        if (status != KNACKDB_OK || count != model->tables[table].count)
            return differ(why, "count of %s: %s, the store has %" PRIu64 ", the model %zu",
                          knackdb_table_describe(table)->name, knackdb_status_text(status), count,
                          model->tables[table].count);
    }
    return true;
}

bool
agree_on_all(knackdb_read *read, const struct model *model, struct disagreement *why)
{
    for (int table = 0; table < MODEL_TABLES; table++) {
        const struct model_rows *ours = &model->tables[table];
        knackdb_query            query;
        knackdb_rows             rows;
        knackdb_status           status;

        memset(&query, 0, sizeof query);
        query.table = table;
        status = knackdb_read_find(read, &query, &rows, NULL);
        if (status != KNACKDB_OK || rows.count != ours->count)
            return differ(why, "all of %s: %s, the store has %zu, the model %zu", knackdb_table_describe(table)->name,
                          knackdb_status_text(status), status == KNACKDB_OK ? rows.count : 0, ours->count);
        for (size_t i = 0; i < rows.count; i++)
            if (!agree_on_row_views(read, table, rows.rows[i], ours->rows[i], why) ||
                !agree_on_id(read, model, table, ours->rows[i]->cells[0].as.integer, why) ||
                !agree_on_keys(read, model, table, ours->rows[i]->cells, why))
                return while_asking(why, "all of %s, row %zu", knackdb_table_describe(table)->name, i);
    }
    return true;
}

/* ---- queries ---- */

static const struct model_row **
room_for_rows(const struct model *model, int table)
{
    const struct model_row **rows = malloc((model->tables[table].count + 1) * sizeof *rows);

    if (rows == NULL)
        abort(); /* a test without memory shows nothing */
    return rows;
}

/* A column of an answer at once. NULLs are told beside it, and stand there as 0, NaN or no text. */
static bool
agree_on_column(knackdb_read *read, int table, uint32_t column, const knackdb_rows *rows,
                const struct model_row *const *ours, struct disagreement *why)
{
    const knackdb_column_info *info = &knackdb_table_describe(table)->columns[column];
    void                      *cells = malloc((rows->count + 1) * sizeof(knackdb_text)); /* the widest there are */
    bool                      *nulls = malloc(rows->count + 1), agree = cells != NULL && nulls != NULL;
    char                       their_text[160], our_text[160];

    if (info->type == KNACKDB_INTEGER)
        agree &= knackdb_read_integers(read, table, column, rows->rows, rows->count, cells, nulls, NULL) == KNACKDB_OK;
    else if (info->type == KNACKDB_REAL)
        agree &= knackdb_read_reals(read, table, column, rows->rows, rows->count, cells, nulls, NULL) == KNACKDB_OK;
    else
        agree &= knackdb_read_texts(read, table, column, rows->rows, rows->count, cells, nulls, NULL) == KNACKDB_OK;
    if (!agree)
        (void) differ(why, "column %s is not read", info->name);
    for (size_t i = 0; agree && i < rows->count; i++) {
        knackdb_value theirs = info->type == KNACKDB_INTEGER ? knackdb_value_integer(((int64_t *) cells)[i])
                               : info->type == KNACKDB_REAL  ? knackdb_value_real(((double *) cells)[i])
                                                             : knackdb_value_text(((knackdb_text *) cells)[i]);

        if (nulls[i] && (info->type == KNACKDB_INTEGER ? theirs.as.integer == 0
                                                       : info->type == KNACKDB_REAL && isnan(theirs.as.real)))
            theirs = knackdb_value_null();
        agree = nulls[i] == (theirs.type == KNACKDB_NULL) && same_value(&theirs, &ours[i]->cells[column]);
        if (!agree)
            (void) differ(why, "column %s, place %zu: the store has %s, the model %s", info->name, i,
                          print_value(&theirs, their_text), print_value(&ours[i]->cells[column], our_text));
    }
    free(cells);
    free(nulls);
    return agree;
}

bool
agree_on_query(knackdb_read *read, const struct model *model, const knackdb_query *query,
               const knackdb_prepared *prepared, struct disagreement *why)
{
    const struct model_row **ours = room_for_rows(model, query->table);
    size_t                   our_count = model_find(model, query, ours);
    uint64_t                 our_matches = model_count(model, query), their_matches = UINT64_MAX;
    knackdb_rows             theirs = { NULL, 0 };
    knackdb_error            error;
    knackdb_status           status;
    bool                     agree = true;
    char                     text[1500];

    error.message[0] = '\0';
    status = prepared != NULL ? knackdb_read_find_prepared(read, prepared, &theirs, &error)
                              : knackdb_read_find(read, query, &theirs, &error);
    if (status != KNACKDB_OK)
        agree = differ(why, "the store says %s, %s", knackdb_status_text(status), error.message);
    else if (theirs.count != our_count)
        agree = differ(why, "the store finds %zu rows, the model %zu", theirs.count, our_count);
    for (size_t i = 0; agree && i < our_count; i++)
        if (!agree_on_row(read, query->table, theirs.rows[i], ours[i], why))
            agree = while_asking(why, "place %zu of %zu", i, our_count);
    for (uint32_t column = 0; agree && column < model_shapes[query->table].column_count; column++)
        agree = agree_on_column(read, query->table, column, &theirs, ours, why);
    if (agree) {
        status = knackdb_read_count(read, query, &their_matches, &error);
        if (status != KNACKDB_OK || their_matches != our_matches)
            agree = differ(why, "counting: %s, the store has %" PRIu64 ", the model %" PRIu64,
                           knackdb_status_text(status), their_matches, our_matches);
    }
    free(ours);
    if (!agree) {
        print_query(query, text, sizeof text);
        return while_asking(why, "%s%s", prepared != NULL ? "prepared " : "", text);
    }
    return true;
}

/* An answer of one of the calls that copy, by cells. */
struct copied {
    int                 table;
    size_t              count;
    knackdb_pattern    *patterns;
    knackdb_preference *preferences;
    knackdb_metric     *metrics;
};

static void
free_copied(struct copied *copied)
{
    knackdb_free(copied->patterns);
    knackdb_free(copied->preferences);
    knackdb_free(copied->metrics);
}

static bool
agree_on_copied(const struct copied *copied, const struct model_row **ours, size_t our_count, struct disagreement *why)
{
    if (copied->count != our_count)
        return differ(why, "the store copies %zu rows, the model has %zu", copied->count, our_count);
    if (our_count == 0 && (copied->patterns != NULL || copied->preferences != NULL || copied->metrics != NULL))
        return differ(why, "an answer without rows is not NULL");
    for (size_t i = 0; i < our_count; i++) {
        knackdb_value cells[MODEL_COLUMNS_MAX];

        if (copied->table == KNACKDB_EXECUTION_PATTERNS)
            cells_of_pattern(&copied->patterns[i], cells);
        else if (copied->table == KNACKDB_USER_PREFERENCES)
            cells_of_preference(&copied->preferences[i], cells);
        else
            cells_of_metric(&copied->metrics[i], cells);
        if (!agree_on_cells(copied->table, cells, ours[i], why))
            return while_asking(why, "copy %zu of %zu", i, our_count);
    }
    return true;
}

bool
agree_on_copies(knackdb *db, const struct model *model, const knackdb_query *query, struct disagreement *why)
{
    const struct model_row **ours = room_for_rows(model, query->table);
    size_t                   our_count = model_find(model, query, ours);
    struct copied            copied = { .table = query->table };
    knackdb_error            error;
    knackdb_status           status;
    bool                     agree;
    char                     text[1500];

    error.message[0] = '\0';
    if (query->table == KNACKDB_EXECUTION_PATTERNS)
        status = knackdb_patterns_find(db, query, &copied.patterns, &copied.count, &error);
    else if (query->table == KNACKDB_USER_PREFERENCES)
        status = knackdb_preferences_find(db, query, &copied.preferences, &copied.count, &error);
    else
        status = knackdb_metrics_find(db, query, &copied.metrics, &copied.count, &error);
    agree = status == KNACKDB_OK ? agree_on_copied(&copied, ours, our_count, why)
                                 : differ(why, "the store says %s, %s", knackdb_status_text(status), error.message);
    free_copied(&copied);
    free(ours);
    if (!agree) {
        print_query(query, text, sizeof text);
        return while_asking(why, "copies of %s", text);
    }
    return true;
}

bool
agree_on_history(knackdb *db, const struct model *model, knackdb_text component, knackdb_text metric, double since,
                 double until, uint64_t limit, struct disagreement *why)
{
    const struct model_row **ours = room_for_rows(model, KNACKDB_PERFORMANCE_METRICS);
    knackdb_condition        conditions[4];
    knackdb_query            query;
    struct copied            copied = { .table = KNACKDB_PERFORMANCE_METRICS };
    size_t                   our_count;
    knackdb_error            error;
    knackdb_status           status;
    bool                     agree;

    error.message[0] = '\0';
    memset(&query, 0, sizeof query);
    query.table = KNACKDB_PERFORMANCE_METRICS;
    query.conditions = conditions;
    conditions[query.condition_count++] =
        knackdb_where(KNACKDB_METRIC_COMPONENT_NAME, KNACKDB_EQUAL, knackdb_value_text(component));
    if (metric.data != NULL)
        conditions[query.condition_count++] =
            knackdb_where(KNACKDB_METRIC_METRIC_NAME, KNACKDB_EQUAL, knackdb_value_text(metric));
    if (since != 0)
        conditions[query.condition_count++] = knackdb_where_at_least(KNACKDB_METRIC_MEASURED_AT, since);
    if (until != 0)
        conditions[query.condition_count++] = knackdb_where_at_most(KNACKDB_METRIC_MEASURED_AT, until);
    query.order[0] = (knackdb_order) { .column = KNACKDB_METRIC_MEASURED_AT, .descending = true };
    query.order_count = 1;
    query.limit = limit;
    our_count = model_find(model, &query, ours);

    status =
        knackdb_metrics_history(db, component, metric, since, until, limit, &copied.metrics, &copied.count, &error);
    agree = status == KNACKDB_OK ? agree_on_copied(&copied, ours, our_count, why)
                                 : differ(why, "the store says %s, %s", knackdb_status_text(status), error.message);
    free_copied(&copied);
    free(ours);
    if (!agree)
        return while_asking(why, "history of \"%.40s\" \"%.40s\" from %g to %g limit %" PRIu64, component.data,
                            metric.data != NULL ? metric.data : "(all)", since, until, limit);
    return true;
}

bool
agree_on_preferences(knackdb *db, const struct model *model, knackdb_text type, knackdb_text value,
                     struct disagreement *why)
{
    const struct model_row **ours = room_for_rows(model, KNACKDB_USER_PREFERENCES);
    knackdb_condition        conditions[2];
    knackdb_query            query;
    struct copied            copied = { .table = KNACKDB_USER_PREFERENCES };
    size_t                   our_count;
    knackdb_error            error;
    knackdb_status           status;
    bool                     agree;

    error.message[0] = '\0';
    memset(&query, 0, sizeof query);
    query.table = KNACKDB_USER_PREFERENCES;
    query.conditions = conditions;
    conditions[query.condition_count++] =
        knackdb_where(KNACKDB_PREFERENCE_TYPE, KNACKDB_EQUAL, knackdb_value_text(type));
    if (value.data != NULL)
        conditions[query.condition_count++] =
            knackdb_where(KNACKDB_PREFERENCE_VALUE, KNACKDB_EQUAL, knackdb_value_text(value));
    query.order[0] = (knackdb_order) { .column = KNACKDB_PREFERENCE_USAGE_COUNT, .descending = true };
    query.order_count = 1;
    our_count = model_find(model, &query, ours);

    status = knackdb_preferences_get(db, type, value, &copied.preferences, &copied.count, &error);
    agree = status == KNACKDB_OK ? agree_on_copied(&copied, ours, our_count, why)
                                 : differ(why, "the store says %s, %s", knackdb_status_text(status), error.message);
    free_copied(&copied);
    free(ours);
    if (!agree)
        return while_asking(why, "preferences of \"%.40s\" \"%.40s\"", type.data,
                            value.data != NULL ? value.data : "(all)");
    return true;
}

/* ---- figures ---- */

/* Sums and differences of the largest doubles leave their range; what comes out then is not compared. */
static bool
close_enough(double theirs, double ours, double slack, double spread)
{
    if (isnan(ours) || isnan(theirs))
        return isnan(ours) == isnan(theirs) || spread > DBL_MAX / 2;
    if (!isfinite(theirs))
        return spread > DBL_MAX / 2;
    return fabs(theirs - ours) <= slack + fabs(ours) * 1e-12 + 5e-324;
}

bool
agree_on_aggregate(knackdb_read *read, const struct model *model, const knackdb_query *query, uint32_t value_column,
                   int32_t group_column, const double *percentiles, size_t percentile_count, struct disagreement *why)
{
    size_t               room = model->tables[query->table].count + 1;
    knackdb_group       *ours = malloc(room * sizeof *ours);
    double              *slack = malloc(room * sizeof *slack);
    const knackdb_group *theirs = NULL;
    size_t               our_count, their_count = 0;
    knackdb_error        error;
    knackdb_status       status;
    bool                 agree = true;
    char                 text[1500];

    if (ours == NULL || slack == NULL)
        abort(); /* a test without memory shows nothing */
    error.message[0] = '\0';
    our_count = model_aggregate(model, query, value_column, group_column, percentiles, percentile_count, ours, slack);
    status = knackdb_read_aggregate(read, query, value_column, group_column, percentiles, percentile_count, &theirs,
                                    &their_count, &error);
    if (status != KNACKDB_OK)
        agree = differ(why, "the store says %s, %s", knackdb_status_text(status), error.message);
    else if (their_count != our_count)
        agree = differ(why, "the store has %zu groups, the model %zu", their_count, our_count);
    for (size_t i = 0; agree && i < our_count; i++) {
        const knackdb_group *a = &theirs[i], *b = &ours[i];
        double               largest = fabs(b->minimum) > fabs(b->maximum) ? fabs(b->minimum) : fabs(b->maximum);
        double               spread = largest / 2 * (double) (b->value_count + 2);
        bool                 same_key = (a->key.data == NULL) == (b->key.data == NULL) &&
                        (a->key.data == NULL || model_text_equal(a->key, b->key));
        bool none = b->value_count == 0;

        if (!same_key || a->row_count != b->row_count || a->value_count != b->value_count)
            agree = differ(why,
                           "group %zu: the store has %" PRIu64 " rows, %" PRIu64 " values, the model %" PRIu64
                           ", %" PRIu64 "%s",
                           i, a->row_count, a->value_count, b->row_count, b->value_count,
                           same_key ? "" : "; the keys differ");
        else if (none ? !isnan(a->minimum) || !isnan(a->maximum) || !isnan(a->mean)
                      : a->minimum != b->minimum || a->maximum != b->maximum)
            agree = differ(why, "group %zu: from %g to %g, mean %g in the store, from %g to %g in the model", i,
                           a->minimum, a->maximum, a->mean, b->minimum, b->maximum);
        else if (!close_enough(a->mean, b->mean, slack[i], spread))
            agree = differ(why, "group %zu: mean %.17g in the store, %.17g in the model", i, a->mean, b->mean);
        for (size_t j = 0; agree && j < percentile_count; j++)
            if (!close_enough(a->percentiles[j], b->percentiles[j], 1e-12 * largest, spread))
                agree = differ(why, "group %zu: percentile %g is %.17g in the store, %.17g in the model", i,
                               percentiles[j], a->percentiles[j], b->percentiles[j]);
    }
    free(ours);
    free(slack);
    if (!agree) {
        print_query(query, text, sizeof text);
        return while_asking(why, "aggregate of %s by %s over %s",
                            knackdb_table_describe(query->table)->columns[value_column].name,
                            group_column < 0 ? "nothing"
                                             : knackdb_table_describe(query->table)->columns[group_column].name,
                            text);
    }
    return true;
}

bool
agree_on_score(const struct model_row *row, double now, double half_life_seconds, struct disagreement *why)
{
    const knackdb_value *cells = row->cells;
    uint64_t             nulls = 0;
    double               theirs;
    long double          ours = model_score(cells, now, half_life_seconds);

    for (uint32_t column = 0; column < MODEL_COLUMNS_MAX; column++)
        if (cells[column].type == KNACKDB_NULL)
            nulls |= KNACKDB_BIT(column);
    theirs = knackdb_score(cells[KNACKDB_PATTERN_SUCCESS_RATE].as.real, cells[KNACKDB_PATTERN_USAGE_COUNT].as.integer,
                           cells[KNACKDB_PATTERN_CONFIDENCE_SCORE].as.real, cells[KNACKDB_PATTERN_UPDATED_AT].as.real,
                           nulls, now, half_life_seconds);
    /* Between 0 and 1; where the interval ends at 0, the subtraction leaves a few units of 1's last place. */
    if (!(theirs >= -1e-15 && theirs <= 1) || fabsl((long double) theirs - ours) > 1e-12L)
        return differ(why, "score of id %" PRId64 ": %.17g in the store, %.17Lg by the formula", cells[0].as.integer,
                      theirs, ours);
    return true;
}
