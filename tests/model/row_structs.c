/* row_structs.c - carries rows between the structs of knackdb.h and arrays of cells.
 *
 * Fields are found by offset, from one list a table, so that both directions are the
 * same few lines. */
#include "row_structs.h"

static const size_t pattern_fields[] = {
    offsetof(knackdb_pattern, id),           offsetof(knackdb_pattern, task_type),
    offsetof(knackdb_pattern, pattern_used), offsetof(knackdb_pattern, execution_time),
    offsetof(knackdb_pattern, success_rate), offsetof(knackdb_pattern, confidence_score),
    offsetof(knackdb_pattern, agent_count),  offsetof(knackdb_pattern, complexity_level),
    offsetof(knackdb_pattern, tools_used),   offsetof(knackdb_pattern, context_factors),
    offsetof(knackdb_pattern, created_at),   offsetof(knackdb_pattern, updated_at),
    offsetof(knackdb_pattern, usage_count),  offsetof(knackdb_pattern, external_id),
};

static const size_t preference_fields[] = {
    offsetof(knackdb_preference, id),
    offsetof(knackdb_preference, preference_type),
    offsetof(knackdb_preference, preference_value),
    offsetof(knackdb_preference, weight),
    offsetof(knackdb_preference, usage_count),
    offsetof(knackdb_preference, last_used),
};

/* clang-format off */
static const size_t metric_fields[] = {
    offsetof(knackdb_metric, id), offsetof(knackdb_metric, component_name), offsetof(knackdb_metric, metric_name),
    offsetof(knackdb_metric, metric_value), offsetof(knackdb_metric, baseline_value),
    offsetof(knackdb_metric, improvement_percentage), offsetof(knackdb_metric, measured_at),
    offsetof(knackdb_metric, sample_count), offsetof(knackdb_metric, confidence_interval),
    offsetof(knackdb_metric, metadata),
};
/* clang-format on */

_Static_assert(sizeof pattern_fields / sizeof(size_t) == KNACKDB_PATTERN_COLUMNS, "a field a column");
_Static_assert(sizeof preference_fields / sizeof(size_t) == KNACKDB_PREFERENCE_COLUMNS, "a field a column");
_Static_assert(sizeof metric_fields / sizeof(size_t) == KNACKDB_METRIC_COLUMNS, "a field a column");

static void
read_fields(int table, const size_t *fields, const void *row, uint64_t nulls, knackdb_value *cells)
{
    memset(cells, 0, MODEL_COLUMNS_MAX * sizeof cells[0]);
    for (uint32_t column = 0; column < model_shapes[table].column_count; column++) {
        const char *field = (const char *) row + fields[column];

        if ((nulls & KNACKDB_BIT(column)) != 0)
            continue;
        cells[column].type = model_shapes[table].columns[column].type;
        if (cells[column].type == KNACKDB_TEXT)
            memcpy(&cells[column].as.text, field, sizeof(knackdb_text));
        else
            memcpy(&cells[column].as, field, 8);
    }
}

static void
write_fields(int table, const size_t *fields, const knackdb_value *cells, void *row, uint64_t *ret_nulls)
{
    *ret_nulls = 0;
    for (uint32_t column = 0; column < model_shapes[table].column_count; column++) {
        char *field = (char *) row + fields[column];
        bool  is_text = model_shapes[table].columns[column].type == KNACKDB_TEXT;

        if (cells[column].type == KNACKDB_NULL && !is_text) {
            memset(field, column == 0 ? 0 : 0xff, 8); /* a NaN, or -1 */
            *ret_nulls |= column == 0 ? 0 : KNACKDB_BIT(column);
        } else if (is_text) {
            memcpy(field, &cells[column].as.text, sizeof(knackdb_text));
        } else {
            memcpy(field, &cells[column].as, 8);
        }
    }
}

void
cells_of_pattern(const knackdb_pattern *pattern, knackdb_value cells[MODEL_COLUMNS_MAX])
{
    read_fields(KNACKDB_EXECUTION_PATTERNS, pattern_fields, pattern, pattern->nulls, cells);
}

void
cells_of_preference(const knackdb_preference *preference, knackdb_value cells[MODEL_COLUMNS_MAX])
{
    read_fields(KNACKDB_USER_PREFERENCES, preference_fields, preference, preference->nulls, cells);
}

void
cells_of_metric(const knackdb_metric *metric, knackdb_value cells[MODEL_COLUMNS_MAX])
{
    read_fields(KNACKDB_PERFORMANCE_METRICS, metric_fields, metric, metric->nulls, cells);
}

void
cells_to_pattern(const knackdb_value *cells, knackdb_pattern *ret_pattern)
{
    write_fields(KNACKDB_EXECUTION_PATTERNS, pattern_fields, cells, ret_pattern, &ret_pattern->nulls);
}

void
cells_to_preference(const knackdb_value *cells, knackdb_preference *ret_preference)
{
    write_fields(KNACKDB_USER_PREFERENCES, preference_fields, cells, ret_preference, &ret_preference->nulls);
}

void
cells_to_metric(const knackdb_value *cells, knackdb_metric *ret_metric)
{
    write_fields(KNACKDB_PERFORMANCE_METRICS, metric_fields, cells, ret_metric, &ret_metric->nulls);
}
