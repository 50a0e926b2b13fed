/* rows.c - where the fields of row structs are, their values, and what a new one holds. */
#include "api/rows.h"

#include "schema/schema.h"

static const size_t pattern_offsets[] = {
    offsetof(knackdb_pattern, id),           offsetof(knackdb_pattern, task_type),
    offsetof(knackdb_pattern, pattern_used), offsetof(knackdb_pattern, execution_time),
    offsetof(knackdb_pattern, success_rate), offsetof(knackdb_pattern, confidence_score),
    offsetof(knackdb_pattern, agent_count),  offsetof(knackdb_pattern, complexity_level),
    offsetof(knackdb_pattern, tools_used),   offsetof(knackdb_pattern, context_factors),
    offsetof(knackdb_pattern, created_at),   offsetof(knackdb_pattern, updated_at),
    offsetof(knackdb_pattern, usage_count),  offsetof(knackdb_pattern, external_id),
};

static const size_t preference_offsets[] = {
    offsetof(knackdb_preference, id),
    offsetof(knackdb_preference, preference_type),
    offsetof(knackdb_preference, preference_value),
    offsetof(knackdb_preference, weight),
    offsetof(knackdb_preference, usage_count),
    offsetof(knackdb_preference, last_used),
};

static const size_t metric_offsets[] = {
    offsetof(knackdb_metric, id),
    offsetof(knackdb_metric, component_name),
    offsetof(knackdb_metric, metric_name),
    offsetof(knackdb_metric, metric_value),
    offsetof(knackdb_metric, baseline_value),
    offsetof(knackdb_metric, improvement_percentage),
    offsetof(knackdb_metric, measured_at),
    offsetof(knackdb_metric, sample_count),
    offsetof(knackdb_metric, confidence_interval),
    offsetof(knackdb_metric, metadata),
};

_Static_assert(sizeof pattern_offsets / sizeof(size_t) == KNACKDB_PATTERN_COLUMNS, "a field a column");
_Static_assert(sizeof preference_offsets / sizeof(size_t) == KNACKDB_PREFERENCE_COLUMNS, "a field a column");
_Static_assert(sizeof metric_offsets / sizeof(size_t) == KNACKDB_METRIC_COLUMNS, "a field a column");

const struct row_layout *
row_layout_of(int table)
{
    static const struct row_layout layouts[] = {
        { sizeof(knackdb_pattern), offsetof(knackdb_pattern, nulls), KNACKDB_PATTERN_COLUMNS, pattern_offsets },
        { sizeof(knackdb_preference), offsetof(knackdb_preference, nulls), KNACKDB_PREFERENCE_COLUMNS,
          preference_offsets },
        { sizeof(knackdb_metric), offsetof(knackdb_metric, nulls), KNACKDB_METRIC_COLUMNS, metric_offsets },
    };

    return &layouts[table];
}

uint32_t
key_on(int table, uint32_t column)
{
    return (uint32_t) table_key_on_column(&schema_builtin()->tables[table], column);
}

void
row_to_values(const struct row_layout *layout, int table, const void *row, knackdb_value *ret_values)
{
    const struct table *definition = &schema_builtin()->tables[table];
    const char         *base = row;
    uint64_t            nulls;

    memcpy(&nulls, base + layout->nulls_offset, sizeof nulls);
    nulls &= ~KNACKDB_BIT(0); /* an id of 0 says that there is none */
    for (size_t c = 0; c < layout->field_count; c++) {
        const void    *field = base + layout->offsets[c];
        knackdb_value *value = &ret_values[c]; /* filled in place: a value made aside and copied costs twice */

        value->type = definition->columns[c].type;
        if (value->type == KNACKDB_TEXT) {
            value->as.text = *(const knackdb_text *) field;
            if (value->as.text.data == NULL)
                value->type = KNACKDB_NULL;
        } else {
            memcpy(&value->as, field, sizeof(int64_t)); /* INTEGER and REAL alike */
            if ((nulls >> c & 1) != 0)
                value->type = KNACKDB_NULL;
        }
    }
}

knackdb_pattern
knackdb_pattern_default(void)
{
    double          now = knackdb_now();
    knackdb_pattern pattern = {
        .success_rate = 1.0,
        .agent_count = 1,
        .complexity_level = knackdb_string("simple"),
        .created_at = now,
        .updated_at = now,
    };

    return pattern;
}

knackdb_preference
knackdb_preference_default(void)
{
    knackdb_preference preference = { .weight = 1.0, .usage_count = 1, .last_used = knackdb_now() };

    return preference;
}

knackdb_metric
knackdb_metric_default(void)
{
    knackdb_metric metric = {
        .measured_at = knackdb_now(),
        .sample_count = 1,
        .confidence_interval = 0.95,
        .nulls = KNACKDB_BIT(KNACKDB_METRIC_IMPROVEMENT_PERCENTAGE),
    };

    return metric;
}
