/* builtin.c - the tables of knackdb: version 1 to the letter of the contract, and the steps since.
 *
 * To change a table, add steps at the end of the list; never touch what stands: files
 * of every version are read by these names. A step that adds a column adds it at the
 * end, so that a row struct only grows. Dictionary storage is for text that repeats
 * from row to row; text that is nearly always another keeps its own bytes. What else a new
 * column touches: CONTRIBUTING.md, "Where things go". */
#include "schema/schema.h"

/* clang-format off */
#define INTEGER_COLUMN(column_name) { .name = (column_name), .type = KNACKDB_INTEGER, .since_version = 1 }
#define REAL_COLUMN(column_name)    { .name = (column_name), .type = KNACKDB_REAL, .since_version = 1 }
#define RATE_COLUMN(column_name) \
    { .name = (column_name), .type = KNACKDB_REAL, .is_rate = true, .since_version = 1 }
#define TEXT_COLUMN(column_name, text_storage) \
    { .name = (column_name), .type = KNACKDB_TEXT, .storage = (text_storage), .since_version = 1 }
#define POSTED_COLUMN(column_name, what_beside) \
    { .name = (column_name), .type = KNACKDB_TEXT, .storage = TEXT_DICTIONARY, .is_posted = true, \
      .beside = (what_beside), .since_version = 1 }

#define ID_KEY { .columns = { 0 }, .column_count = 1, .conflict = KEY_REPLACES }

static const struct table version_1[] = {
    {
        .name = "execution_patterns",
        .column_count = 13,
        .columns = {
            INTEGER_COLUMN("id"),
            POSTED_COLUMN("task_type", KNACKDB_PATTERN_CONFIDENCE_SCORE),
            POSTED_COLUMN("pattern_used", KNACKDB_PATTERN_CONFIDENCE_SCORE),
            REAL_COLUMN("execution_time"),
            RATE_COLUMN("success_rate"),
            RATE_COLUMN("confidence_score"),
            INTEGER_COLUMN("agent_count"),
            POSTED_COLUMN("complexity_level", KNACKDB_PATTERN_CONFIDENCE_SCORE),
            { .name = "tools_used", .type = KNACKDB_TEXT, .storage = TEXT_DICTIONARY, .is_list = true,
              .since_version = 1 },
            TEXT_COLUMN("context_factors", TEXT_OWN),
            REAL_COLUMN("created_at"),
            REAL_COLUMN("updated_at"),
            INTEGER_COLUMN("usage_count"),
        },
        .key_count = 1,
        .keys = { ID_KEY },
        .age_column = KNACKDB_PATTERN_CREATED_AT,
    },
    {
        .name = "user_preferences",
        .column_count = 6,
        .columns = {
            INTEGER_COLUMN("id"),
            POSTED_COLUMN("preference_type", 0),
            TEXT_COLUMN("preference_value", TEXT_OWN),
            { .name = "weight", .type = KNACKDB_REAL, .merge = MERGE_TAKE, .since_version = 1 },
            { .name = "usage_count", .type = KNACKDB_INTEGER, .merge = MERGE_ADD, .since_version = 1 },
            { .name = "last_used", .type = KNACKDB_REAL, .merge = MERGE_TAKE_OR_NOW, .since_version = 1 },
        },
        .key_count = 2,
        .keys = {
            ID_KEY,
            { .columns = { KNACKDB_PREFERENCE_TYPE, KNACKDB_PREFERENCE_VALUE }, .column_count = 2,
              .conflict = KEY_MERGES },
        },
        .age_column = -1,
    },
    {
        .name = "performance_metrics",
        .column_count = 7,
        .columns = {
            INTEGER_COLUMN("id"),
            { .name = "component_name", .type = KNACKDB_TEXT, .storage = TEXT_DICTIONARY, .is_posted = true,
              .beside = KNACKDB_METRIC_METRIC_NAME,
              .carries = KNACKDB_BIT(KNACKDB_METRIC_ID) | KNACKDB_BIT(KNACKDB_METRIC_METRIC_VALUE)
                        | KNACKDB_BIT(KNACKDB_METRIC_BASELINE_VALUE)
                        | KNACKDB_BIT(KNACKDB_METRIC_IMPROVEMENT_PERCENTAGE) | KNACKDB_BIT(KNACKDB_METRIC_MEASURED_AT),
              .since_version = 1 },
            POSTED_COLUMN("metric_name", KNACKDB_METRIC_COMPONENT_NAME),
            REAL_COLUMN("metric_value"),
            REAL_COLUMN("baseline_value"),
            REAL_COLUMN("improvement_percentage"),
            REAL_COLUMN("measured_at"),
        },
        .key_count = 1,
        .keys = { ID_KEY },
        .age_column = KNACKDB_METRIC_MEASURED_AT,
        .derived = {
            .present = true,
            .value = KNACKDB_METRIC_METRIC_VALUE,
            .baseline = KNACKDB_METRIC_BASELINE_VALUE,
            .target = KNACKDB_METRIC_IMPROVEMENT_PERCENTAGE,
        },
    },
};

static const struct migration_step steps[] = {
    { .to_version = 2, .kind = MIGRATION_ADD_COLUMN, .table = "execution_patterns",
      .column = { .name = "external_id", .type = KNACKDB_TEXT, .storage = TEXT_OWN, .is_sparse = true } },
    { .to_version = 2, .kind = MIGRATION_ADD_KEY, .table = "execution_patterns", .name = "external_id" },
    { .to_version = 2, .kind = MIGRATION_ADD_COLUMN, .table = "performance_metrics",
      .column = { .name = "sample_count", .type = KNACKDB_INTEGER } },
    { .to_version = 2, .kind = MIGRATION_ADD_COLUMN, .table = "performance_metrics",
      .column = { .name = "confidence_interval", .type = KNACKDB_REAL } },
    { .to_version = 2, .kind = MIGRATION_ADD_COLUMN, .table = "performance_metrics",
      .column = { .name = "metadata", .type = KNACKDB_TEXT, .storage = TEXT_OWN, .is_sparse = true } },
};
/* clang-format on */

const struct schema_history *
schema_history_builtin(void)
{
    static const struct schema_history history = {
        .tables = version_1,
        .table_count = sizeof version_1 / sizeof version_1[0],
        .steps = steps,
        .step_count = sizeof steps / sizeof steps[0],
        .version = 2,
    };

    return &history;
}
