/* copies.c - answers that outlive every view: a block of rows, and one of their texts.
 *
 * The first carries what it takes to free both, so that knackdb_free() needs no store and
 * works after the store is closed. They are not counted among the store's memory: they are the caller's. Rows that
 * follow each other mostly share a text, the component of a history, say: it is copied once for all of them. */
#include "api/handle.h"
#include "api/rows.h"

#include "base/error.h"
#include "base/utf8.h"

#include <stdlib.h>

struct answer {
    knackdb_allocator functions;
    size_t            bytes;
    char             *texts; /* NULL: none */
    size_t            text_bytes;
    _Alignas(16) unsigned char rows[];
};

static void *
get(const knackdb_allocator *functions, size_t bytes)
{
    return functions->allocate != NULL ? functions->allocate(functions->context, bytes) : malloc(bytes);
}

static void
put(const knackdb_allocator *functions, void *memory, size_t bytes)
{
    if (functions->allocate == NULL)
        free(memory);
    else if (memory != NULL)
        functions->release(functions->context, memory, bytes);
}

static struct answer *
answer_new(const struct allocator *allocator, size_t row_bytes)
{
    size_t         bytes = sizeof(struct answer) + row_bytes;
    struct answer *answer = get(&allocator->functions, bytes);

    if (answer != NULL)
        *answer = (struct answer) { .functions = allocator->functions, .bytes = bytes };
    return answer;
}

static void
answer_free(struct answer *answer)
{
    knackdb_allocator functions = answer->functions;

    put(&functions, answer->texts, answer->text_bytes);
    put(&functions, answer, answer->bytes);
}

void
knackdb_free(void *memory)
{
    if (memory != NULL)
        answer_free((struct answer *) (void *) ((unsigned char *) memory - offsetof(struct answer, rows)));
}

/* The fields of a struct that are texts, and of each what it was in the row before, and where its copy is. */
struct text_fields {
    size_t       count;
    size_t       offsets[KNACKDB_COLUMNS_MAX];
    knackdb_text before[KNACKDB_COLUMNS_MAX];
    const char  *copies[KNACKDB_COLUMNS_MAX];
};

static void
text_fields_init(struct text_fields *fields, const struct table *definition, const struct row_layout *layout)
{
    fields->count = 0;
    for (size_t c = 0; c < layout->field_count; c++)
        if (definition->columns[c].type == KNACKDB_TEXT)
            fields->offsets[fields->count++] = layout->offsets[c];
}

static void
forget_row_before(struct text_fields *fields)
{
    memset(fields->before, 0, fields->count * sizeof fields->before[0]);
}

static inline knackdb_text *
text_at(const struct text_fields *fields, void *row, size_t field)
{
    return (knackdb_text *) (void *) ((char *) row + fields->offsets[field]);
}

/* Whether it is the same text as in the row before, or NULL: nothing is to be copied. What comes next has it before. */
static inline bool
is_shared(struct text_fields *fields, size_t field, knackdb_text text)
{
    knackdb_text before = fields->before[field];

    fields->before[field] = text;
    return text.data == NULL || (text.data == before.data && text.length == before.length);
}

/* What the texts of a row take that it does not share with the row before. */
static size_t
text_bytes(struct text_fields *fields, void *row)
{
    size_t bytes = 0;

    for (size_t f = 0; f < fields->count; f++) {
        knackdb_text text = *text_at(fields, row, f);

        bytes += is_shared(fields, f, text) ? 0 : text.length;
    }
    return bytes;
}

/* An empty text still has an address, so that it is not NULL. */
static char *
own_texts(struct text_fields *fields, void *row, char *to)
{
    for (size_t f = 0; f < fields->count; f++) {
        knackdb_text *text = text_at(fields, row, f);

        if (!is_shared(fields, f, *text)) {
            if (text->length != 0)
                memcpy(to, text->data, text->length);
            fields->copies[f] = to;
            to += text->length;
        }
        if (text->data != NULL)
            text->data = fields->copies[f];
    }
    return to;
}

static knackdb_status
copy_rows(knackdb_read *read, int table, const knackdb_row *rows, size_t count, void **ret_rows, knackdb_error *error)
{
    const struct row_layout *layout = row_layout_of(table);
    struct text_fields       fields;
    struct answer           *answer;
    char                    *text;

    if (count == 0) {
        *ret_rows = NULL;
        return KNACKDB_OK;
    }
    answer = answer_new(&read->db->allocator, count * layout->struct_bytes);
    if (answer == NULL)
        return error_no_memory(error, "an answer");
    text_fields_init(&fields, &schema_builtin()->tables[table], layout);
    forget_row_before(&fields);
    for (size_t r = 0; r < count; r++) {
        unsigned char *row = answer->rows + r * layout->struct_bytes;

        read_struct(read, table, rows[r], row);
        answer->text_bytes += text_bytes(&fields, row);
    }
    answer->text_bytes++; /* an empty text has an address, too */
    text = answer->texts = get(&answer->functions, answer->text_bytes);
    if (text == NULL) {
        answer_free(answer);
        return error_no_memory(error, "an answer");
    }
    forget_row_before(&fields);
    for (size_t r = 0; r < count; r++)
        text = own_texts(&fields, answer->rows + r * layout->struct_bytes, text);
    *ret_rows = answer->rows;
    return KNACKDB_OK;
}

/* ---- one row ---- */

static knackdb_status
get_copy(knackdb *db, const int64_t *id, knackdb_text external_id, void **ret_row, knackdb_error *error)
{
    knackdb_read  *read;
    knackdb_row    row;
    knackdb_status status = knackdb_read_begin(db, &read, error);

    if (status != KNACKDB_OK)
        return status;
    status = id != NULL ? knackdb_read_by_id(read, KNACKDB_EXECUTION_PATTERNS, *id, &row)
                        : knackdb_read_by_external_id(read, external_id, &row);
    if (status == KNACKDB_NOT_FOUND && id != NULL)
        (void) error_set(error, status, "execution_patterns: no row with id %lld", (long long) *id);
    else if (status == KNACKDB_NOT_FOUND && external_id.data == NULL)
        (void) error_set(error, status, "execution_patterns: no row with external_id NULL");
    else if (status == KNACKDB_NOT_FOUND)
        (void) error_set(error, status, "execution_patterns: no row with external_id \"%.*s\"",
                         (int) utf8_valid_prefix(external_id.data, external_id.length < 80 ? external_id.length : 80),
                         external_id.data);
    if (status == KNACKDB_OK)
        status = copy_rows(read, KNACKDB_EXECUTION_PATTERNS, &row, 1, ret_row, error);
    knackdb_read_end(read);
    return status;
}

knackdb_status
knackdb_pattern_get(knackdb *db, int64_t id, knackdb_pattern **ret_pattern, knackdb_error *error)
{
    void          *row = NULL;
    knackdb_status status = get_copy(db, &id, (knackdb_text) { NULL, 0 }, &row, error);

    if (status == KNACKDB_OK)
        *ret_pattern = row;
    return status;
}

knackdb_status
knackdb_pattern_get_external(knackdb *db, knackdb_text external_id, knackdb_pattern **ret_pattern, knackdb_error *error)
{
    void          *row = NULL;
    knackdb_status status = get_copy(db, NULL, external_id, &row, error);

    if (status == KNACKDB_OK)
        *ret_pattern = row;
    return status;
}

/* ---- many ---- */

static knackdb_status
find_copies(knackdb *db, int table, const knackdb_query *query, void **ret_rows, size_t *ret_count,
            knackdb_error *error)
{
    knackdb_read  *read;
    knackdb_rows   found;
    knackdb_status status;

    if (query == NULL)
        return error_set(error, KNACKDB_INVALID, "query: it is NULL");
    if (query->table != table)
        return error_set(error, KNACKDB_INVALID, "query: its table is %d, not %s", query->table,
                         knackdb_table_describe(table)->name);
    status = knackdb_read_begin(db, &read, error);
    if (status != KNACKDB_OK)
        return status;
    status = knackdb_read_find(read, query, &found, error);
    if (status == KNACKDB_OK)
        status = copy_rows(read, table, found.rows, found.count, ret_rows, error);
    if (status == KNACKDB_OK)
        *ret_count = found.count;
    knackdb_read_end(read);
    return status;
}

knackdb_status
knackdb_patterns_find(knackdb *db, const knackdb_query *query, knackdb_pattern **ret_patterns, size_t *ret_count,
                      knackdb_error *error)
{
    void          *rows;
    knackdb_status status = find_copies(db, KNACKDB_EXECUTION_PATTERNS, query, &rows, ret_count, error);

    if (status == KNACKDB_OK)
        *ret_patterns = rows;
    return status;
}

knackdb_status
knackdb_preferences_find(knackdb *db, const knackdb_query *query, knackdb_preference **ret_preferences,
                         size_t *ret_count, knackdb_error *error)
{
    void          *rows;
    knackdb_status status = find_copies(db, KNACKDB_USER_PREFERENCES, query, &rows, ret_count, error);

    if (status == KNACKDB_OK)
        *ret_preferences = rows;
    return status;
}

knackdb_status
knackdb_metrics_find(knackdb *db, const knackdb_query *query, knackdb_metric **ret_metrics, size_t *ret_count,
                     knackdb_error *error)
{
    void          *rows;
    knackdb_status status = find_copies(db, KNACKDB_PERFORMANCE_METRICS, query, &rows, ret_count, error);

    if (status == KNACKDB_OK)
        *ret_metrics = rows;
    return status;
}

knackdb_status
knackdb_preferences_get(knackdb *db, knackdb_text type, knackdb_text value, knackdb_preference **ret_preferences,
                        size_t *ret_count, knackdb_error *error)
{
    knackdb_condition conditions[2] = {
        knackdb_where(KNACKDB_PREFERENCE_TYPE, KNACKDB_EQUAL, knackdb_value_text(type)),
        knackdb_where(KNACKDB_PREFERENCE_VALUE, KNACKDB_EQUAL, knackdb_value_text(value)),
    };
    knackdb_query query = {
        .table = KNACKDB_USER_PREFERENCES,
        .conditions = conditions,
        .condition_count = value.data != NULL ? 2 : 1,
        .order = { { KNACKDB_PREFERENCE_USAGE_COUNT, true } },
        .order_count = 1,
    };

    return knackdb_preferences_find(db, &query, ret_preferences, ret_count, error);
}

knackdb_status
knackdb_metrics_history(knackdb *db, knackdb_text component, knackdb_text metric, double since, double until,
                        uint64_t limit, knackdb_metric **ret_metrics, size_t *ret_count, knackdb_error *error)
{
    knackdb_condition conditions[4];
    knackdb_query     query = {
            .table = KNACKDB_PERFORMANCE_METRICS,
            .conditions = conditions,
            .order = { { KNACKDB_METRIC_MEASURED_AT, true } },
            .order_count = 1,
            .limit = limit,
    };

    conditions[query.condition_count++] =
        knackdb_where(KNACKDB_METRIC_COMPONENT_NAME, KNACKDB_EQUAL, knackdb_value_text(component));
    if (metric.data != NULL)
        conditions[query.condition_count++] =
            knackdb_where(KNACKDB_METRIC_METRIC_NAME, KNACKDB_EQUAL, knackdb_value_text(metric));
    if (since != 0.0)
        conditions[query.condition_count++] = knackdb_where_at_least(KNACKDB_METRIC_MEASURED_AT, since);
    if (until != 0.0)
        conditions[query.condition_count++] = knackdb_where_at_most(KNACKDB_METRIC_MEASURED_AT, until);
    return knackdb_metrics_find(db, &query, ret_metrics, ret_count, error);
}
