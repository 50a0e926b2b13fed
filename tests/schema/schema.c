/* schema.c - claims about tables as data: versions, names across versions, checks of a row. */
#include "schema/schema.h"

#include "api/rows.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

Test(schema, every_version_of_the_built_in_history_builds)
{
    const struct schema_history *history = schema_history_builtin();
    static struct schema         schema;
    knackdb_error                error;

    for (uint32_t version = 1; version <= history->version; version++) {
        cr_assert_eq(schema_build(history, version, &schema, &error), KNACKDB_OK, "version %u: %s", version,
                     error.message);
        cr_expect_eq(schema.version, version);
    }
    cr_expect_eq(schema_build(history, 0, &schema, &error), KNACKDB_INVALID);
    cr_expect_eq(schema_build(history, history->version + 1, &schema, &error), KNACKDB_INVALID);
}

/* The contract's page, column by column: whoever changes a name here breaks files and programs. */
Test(schema, version_1_is_to_the_letter)
{
    static const char *const patterns[] = { "id",           "task_type",        "pattern_used", "execution_time",
                                            "success_rate", "confidence_score", "agent_count",  "complexity_level",
                                            "tools_used",   "context_factors",  "created_at",   "updated_at",
                                            "usage_count" };
    static const char *const preferences[] = { "id",     "preference_type", "preference_value",
                                               "weight", "usage_count",     "last_used" };
    static const char *const metrics[] = { "id",           "component_name", "metric_name",
                                           "metric_value", "baseline_value", "improvement_percentage",
                                           "measured_at" };
    static const struct {
        const char        *name;
        const char *const *columns;
        uint32_t           count;
    } wanted[] = { { "execution_patterns", patterns, 13 },
                   { "user_preferences", preferences, 6 },
                   { "performance_metrics", metrics, 7 } };
    static struct schema schema;

    cr_assert_eq(schema_build(schema_history_builtin(), 1, &schema, NULL), KNACKDB_OK);
    cr_assert_eq(schema.table_count, 3);
    for (uint32_t t = 0; t < 3; t++) {
        cr_expect_str_eq(schema.tables[t].name, wanted[t].name);
        cr_assert_eq(schema.tables[t].column_count, wanted[t].count);
        for (uint32_t c = 0; c < wanted[t].count; c++)
            cr_expect_str_eq(schema.tables[t].columns[c].name, wanted[t].columns[c]);
    }
}

/* A history with every kind of step: b renamed to c and again to d, x dropped and added anew, a table added. */
static const struct table first = {
    .name = "t",
    .column_count = 4,
    .columns = { { .name = "id", .type = KNACKDB_INTEGER, .since_version = 1 },
                 { .name = "x", .type = KNACKDB_REAL, .since_version = 1 },
                 { .name = "b", .type = KNACKDB_TEXT, .since_version = 1 },
                 { .name = "age", .type = KNACKDB_REAL, .since_version = 1 } },
    .key_count = 1,
    .keys = { { .columns = { 0 }, .column_count = 1 } },
    .age_column = 3,
};
static const struct table second = {
    .name = "u",
    .column_count = 1,
    .columns = { { .name = "id", .type = KNACKDB_INTEGER, .since_version = 4 } },
    .key_count = 1,
    .keys = { { .columns = { 0 }, .column_count = 1 } },
    .age_column = -1,
};
static const struct migration_step turns[] = {
    { .to_version = 2, .kind = MIGRATION_RENAME_COLUMN, .table = "t", .name = "b", .new_name = "c" },
    { .to_version = 2, .kind = MIGRATION_ADD_KEY, .table = "t", .name = "c" },
    { .to_version = 3, .kind = MIGRATION_DROP_COLUMN, .table = "t", .name = "x" },
    { .to_version = 3, .kind = MIGRATION_RENAME_COLUMN, .table = "t", .name = "c", .new_name = "d" },
    { .to_version = 4, .kind = MIGRATION_ADD_COLUMN, .table = "t", .column = { .name = "x", .type = KNACKDB_TEXT } },
    { .to_version = 4, .kind = MIGRATION_ADD_TABLE, .new_table = &second },
};
static const struct schema_history turned = {
    .tables = &first, .table_count = 1, .steps = turns, .step_count = sizeof turns / sizeof turns[0], .version = 4
};

static int
resolved(const struct schema *schema, uint32_t from, const char *name)
{
    uint32_t column;

    return schema_resolve_column(&turned, schema, from, "t", 1, name, strlen(name), &column) ? (int) column : -1;
}

Test(schema, names_are_followed_through_renames_drops_and_additions)
{
    static struct schema schema;
    knackdb_error        error;
    uint32_t             table;

    cr_assert_eq(schema_build(&turned, 4, &schema, &error), KNACKDB_OK, "%s", error.message);
    cr_assert_eq(schema.tables[0].column_count, 4);
    cr_expect_str_eq(schema.tables[0].columns[1].name, "d");
    cr_expect_eq(schema.tables[0].age_column, 2);
    cr_expect_eq(schema.tables[0].keys[1].columns[0], 1);
    cr_expect_eq(schema.tables[0].columns[3].since_version, 4);

    cr_expect_eq(resolved(&schema, 1, "b"), 1);
    cr_expect_eq(resolved(&schema, 2, "c"), 1);
    cr_expect_eq(resolved(&schema, 3, "d"), 1);
    cr_expect_eq(resolved(&schema, 1, "x"), -1, "the x of version 1 is not the x of version 4");
    cr_expect_eq(resolved(&schema, 4, "x"), 3);
    cr_expect_eq(resolved(&schema, 1, "age"), 2);
    cr_expect_eq(resolved(&schema, 1, "never"), -1);
    cr_expect(schema_resolve_table(&turned, &schema, 4, "u", 1, &table) && table == 1);
    cr_expect_not(schema_resolve_table(&turned, &schema, 1, "v", 1, &table));
}

Test(schema, a_step_that_makes_no_sense_is_refused_and_named)
{
    static const struct {
        struct migration_step step;
        const char           *named;
    } cases[] = {
        { { .kind = MIGRATION_DROP_COLUMN, .table = "t", .name = "id" }, "drop t.id" },
        { { .kind = MIGRATION_DROP_COLUMN, .table = "t", .name = "age" }, "drop t.age" },
        { { .kind = MIGRATION_DROP_COLUMN, .table = "t", .name = "no" }, "drop t.no" },
        { { .kind = MIGRATION_RENAME_COLUMN, .table = "no", .name = "b", .new_name = "c" }, "rename no.b to c" },
        { { .kind = MIGRATION_ADD_COLUMN, .table = "t", .column = { .name = "b", .type = KNACKDB_TEXT } },
          "add t.b TEXT" },
        { { .kind = (enum migration_kind) 99, .table = "t", .name = "b" }, "unknown kind" },
    };
    static struct schema schema;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct migration_step step = cases[i].step;
        struct schema_history history = {
            .tables = &first, .table_count = 1, .steps = &step, .step_count = 1, .version = 2
        };
        knackdb_error error = { .message = "" };

        step.to_version = 2;
        cr_expect_eq(schema_build(&history, 2, &schema, &error), KNACKDB_INVALID, "case %zu", i);
        cr_expect_not_null(strstr(error.message, cases[i].named), "case %zu: %s", i, error.message);
    }
}

/* Every limit of a schema, reached by one step too many; the steps before are taken. */
Test(schema, a_step_beyond_what_a_schema_may_have_is_refused)
{
    static const char *const     names[] = { "k1", "k2", "k3", "k4", "k5" };
    static struct migration_step steps[KNACKDB_COLUMNS_MAX + 10];
    static char                  columns[KNACKDB_COLUMNS_MAX + 10][8];
    static struct schema         schema;
    struct schema_history        history = { .tables = &first, .table_count = 1, .steps = steps, .version = 2 };
    knackdb_error                error;

    for (uint32_t i = 0; i < KNACKDB_TABLES_MAX; i++)
        steps[i] = (struct migration_step) { .to_version = 2, .kind = MIGRATION_ADD_TABLE, .new_table = &second };
    history.step_count = KNACKDB_TABLES_MAX - 1;
    cr_expect_eq(schema_build(&history, 2, &schema, NULL), KNACKDB_OK);
    history.step_count = KNACKDB_TABLES_MAX;
    cr_expect_eq(schema_build(&history, 2, &schema, &error), KNACKDB_INVALID);
    cr_expect_not_null(strstr(error.message, "add table u: too many tables"), "%s", error.message);

    for (uint32_t i = 0; i < KNACKDB_COLUMNS_MAX; i++) {
        (void) snprintf(columns[i], sizeof columns[i], "n%u", (unsigned) i);
        steps[i] = (struct migration_step) { .to_version = 2,
                                             .kind = MIGRATION_ADD_COLUMN,
                                             .table = "t",
                                             .column = { .name = columns[i], .type = KNACKDB_REAL } };
    }
    history.step_count = KNACKDB_COLUMNS_MAX - first.column_count;
    cr_expect_eq(schema_build(&history, 2, &schema, NULL), KNACKDB_OK);
    history.step_count++;
    cr_expect_eq(schema_build(&history, 2, &schema, &error), KNACKDB_INVALID);
    cr_expect_not_null(strstr(error.message, "REAL: too many columns"), "%s", error.message);

    for (uint32_t i = 0; i < SCHEMA_KEYS_MAX; i++) {
        steps[2 * i] = (struct migration_step) { .to_version = 2,
                                                 .kind = MIGRATION_ADD_COLUMN,
                                                 .table = "t",
                                                 .column = { .name = names[i], .type = KNACKDB_TEXT } };
        steps[2 * i + 1] =
            (struct migration_step) { .to_version = 2, .kind = MIGRATION_ADD_KEY, .table = "t", .name = names[i] };
    }
    history.step_count = 2 * (SCHEMA_KEYS_MAX - 1); /* the first is the id */
    cr_expect_eq(schema_build(&history, 2, &schema, NULL), KNACKDB_OK);
    history.step_count += 2;
    cr_expect_eq(schema_build(&history, 2, &schema, &error), KNACKDB_INVALID);
    cr_expect_not_null(strstr(error.message, "unique: too many keys"), "%s", error.message);
}

/* What tells of other columns by their number goes on telling of them; a column that others are computed from stays. */
Test(schema, a_column_that_goes_takes_along_what_was_said_of_it)
{
    static const struct table table = {
        .name = "t",
        .column_count = 7,
        .columns = { { .name = "id", .type = KNACKDB_INTEGER, .since_version = 1 },
                     { .name = "old", .type = KNACKDB_TEXT, .since_version = 1 },
                     { .name = "value", .type = KNACKDB_REAL, .since_version = 1 },
                     { .name = "base", .type = KNACKDB_REAL, .since_version = 1 },
                     { .name = "change", .type = KNACKDB_REAL, .since_version = 1 },
                     { .name = "text", .type = KNACKDB_TEXT, .beside = 6, .since_version = 1 },
                     { .name = "rate", .type = KNACKDB_REAL, .since_version = 1 } },
        .key_count = 1,
        .keys = { { .columns = { 0 }, .column_count = 1 } },
        .age_column = -1,
        .derived = { .value = 2, .baseline = 3, .target = 4, .present = true },
    };
    static const char *const     computed[] = { "value", "base", "change" };
    static struct migration_step steps[2];
    static struct schema         schema;
    struct schema_history        history = {
               .tables = &table, .table_count = 1, .steps = steps, .step_count = 1, .version = 2
    };
    knackdb_error error;
    uint32_t      column;
    char          text[10];

    steps[0] = (struct migration_step) { .to_version = 2, .kind = MIGRATION_DROP_COLUMN, .table = "t", .name = "old" };
    cr_assert_eq(schema_build(&history, 2, &schema, &error), KNACKDB_OK, "%s", error.message);
    cr_expect_eq(schema.tables[0].derived.value, 1);
    cr_expect_eq(schema.tables[0].derived.baseline, 2);
    cr_expect_eq(schema.tables[0].derived.target, 3);
    cr_expect_eq(schema.tables[0].columns[4].beside, 5);
    cr_expect_not(schema_resolve_column(&history, &schema, 1, "no", 2, "id", 2, &column), "of no table");
    cr_expect_eq(table_key_on_column(&schema.tables[0], 1), -1);
    cr_expect_eq(migration_step_text(&steps[0], text, sizeof text), 9, "cut to fit");
    cr_expect_str_eq(text, "drop t.ol");
    steps[1] = (struct migration_step) { .to_version = 2, .kind = MIGRATION_DROP_COLUMN, .table = "t", .name = "rate" };
    history.step_count = 2;
    cr_assert_eq(schema_build(&history, 2, &schema, &error), KNACKDB_OK, "%s", error.message);
    cr_expect_eq(schema.tables[0].columns[4].beside, 0, "it stands beside nothing any more");

    history.step_count = 1;
    for (size_t i = 0; i < 3; i++) {
        steps[0].name = computed[i];
        cr_expect_eq(schema_build(&history, 2, &schema, &error), KNACKDB_INVALID);
        cr_expect_not_null(strstr(error.message, "computed"), "%s", error.message);
    }
}

Test(check, refuses_what_cannot_be_stored_and_names_the_column)
{
    const struct table *patterns = &schema_builtin()->tables[KNACKDB_EXECUTION_PATTERNS];
    static char         long_text[KNACKDB_TEXT_BYTES_MAX + 1];
    const struct {
        uint32_t      column;
        knackdb_value value;
        const char   *named;
    } cases[] = {
        { KNACKDB_PATTERN_SUCCESS_RATE, knackdb_value_real(1.0000001), "success_rate" },
        { KNACKDB_PATTERN_SUCCESS_RATE, knackdb_value_real(-1e-300), "success_rate" },
        { KNACKDB_PATTERN_SUCCESS_RATE, knackdb_value_integer(2), "success_rate" },
        { KNACKDB_PATTERN_EXECUTION_TIME, knackdb_value_real((double) NAN), "NaN" },
        { KNACKDB_PATTERN_EXECUTION_TIME, knackdb_value_real((double) INFINITY), "infinity" },
        { KNACKDB_PATTERN_TASK_TYPE, knackdb_value_integer(1), "task_type" },
        { KNACKDB_PATTERN_AGENT_COUNT, knackdb_value_real(1.0), "agent_count" },
        { KNACKDB_PATTERN_AGENT_COUNT, knackdb_value_text(knackdb_string("1")), "agent_count" },
        { KNACKDB_PATTERN_ID, knackdb_value_integer(-1), "id" },
        { KNACKDB_PATTERN_TASK_TYPE, knackdb_value_text(knackdb_string("ok\xff")), "byte 2" },
        { KNACKDB_PATTERN_CONTEXT_FACTORS, knackdb_value_text((knackdb_text) { long_text, sizeof long_text }),
          "16777217 bytes" },
        { KNACKDB_PATTERN_TASK_TYPE, { .type = (knackdb_type) 9 }, "unknown type" },
        { KNACKDB_PATTERN_TASK_TYPE, { .type = KNACKDB_TEXT }, "without data" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        knackdb_error error = { .message = "" };

        cr_expect_eq(table_check_value(patterns, cases[i].column, &cases[i].value, &error), KNACKDB_INVALID, "case %zu",
                     i);
        cr_expect_eq(error.column, (int) cases[i].column, "case %zu", i);
        cr_expect_not_null(strstr(error.message, cases[i].named), "case %zu: %s", i, error.message);
    }
}

Test(check, takes_the_ends_of_every_range)
{
    const struct table *patterns = &schema_builtin()->tables[KNACKDB_EXECUTION_PATTERNS];
    static char         long_text[KNACKDB_TEXT_BYTES_MAX];
    const struct {
        uint32_t      column;
        knackdb_value value;
    } cases[] = {
        { KNACKDB_PATTERN_SUCCESS_RATE, knackdb_value_real(0.0) },
        { KNACKDB_PATTERN_SUCCESS_RATE, knackdb_value_real(1.0) },
        { KNACKDB_PATTERN_SUCCESS_RATE, knackdb_value_integer(1) },
        { KNACKDB_PATTERN_EXECUTION_TIME, knackdb_value_real(-1.7976931348623157e308) },
        { KNACKDB_PATTERN_AGENT_COUNT, knackdb_value_integer(INT64_MIN) },
        { KNACKDB_PATTERN_ID, knackdb_value_integer(INT64_MAX) },
        { KNACKDB_PATTERN_ID, knackdb_value_null() },
        { KNACKDB_PATTERN_TASK_TYPE, knackdb_value_text(knackdb_string("")) },
        { KNACKDB_PATTERN_CONTEXT_FACTORS, knackdb_value_text((knackdb_text) { long_text, sizeof long_text }) },
    };
    knackdb_value row[KNACKDB_PATTERN_COLUMNS + 1] = { { .type = KNACKDB_NULL } };
    knackdb_error error;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_expect_eq(table_check_value(patterns, cases[i].column, &cases[i].value, NULL), KNACKDB_OK, "case %zu", i);
    cr_expect_eq(table_check_values(patterns, row, KNACKDB_PATTERN_COLUMNS, NULL), KNACKDB_OK);
    cr_expect_eq(table_check_values(patterns, row, KNACKDB_PATTERN_COLUMNS + 1, NULL), KNACKDB_INVALID);
    cr_expect_eq(table_check_values(patterns, row, 0, NULL), KNACKDB_INVALID);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        row[cases[i].column] = cases[i].value;
    cr_expect_eq(table_check_values(patterns, row, KNACKDB_PATTERN_COLUMNS, &error), KNACKDB_OK, "%s", error.message);
    row[KNACKDB_PATTERN_SUCCESS_RATE] = knackdb_value_real(1.5);
    cr_expect_eq(table_check_values(patterns, row, KNACKDB_PATTERN_COLUMNS, &error), KNACKDB_INVALID);
    cr_expect_eq(error.column, KNACKDB_PATTERN_SUCCESS_RATE);
}

/* A migration that adds a column must add the field, too: structs are read field by column. */
Test(schema, every_table_has_a_row_struct_with_a_field_a_column)
{
    for (size_t t = 0; t < knackdb_table_count(); t++)
        cr_expect_eq(row_layout_of((int) t)->field_count, schema_builtin()->tables[t].column_count, "%s",
                     schema_builtin()->tables[t].name);
    cr_expect_eq(table_key_on_column(&schema_builtin()->tables[0], KNACKDB_PATTERN_EXTERNAL_ID), 1);
    cr_expect_eq(table_key_on_column(&schema_builtin()->tables[1], KNACKDB_PREFERENCE_TYPE), 1);
    cr_expect_eq(table_key_on_column(&schema_builtin()->tables[0], KNACKDB_PATTERN_TASK_TYPE), -1);
}
