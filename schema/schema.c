/* schema.c - folds a history into the schema of one version, and follows names from version to version.
 *
 * A version is the tables of version 1 with every step up to that version applied in
 * order. Names are followed step by step the same way, so a column renamed twice, or
 * dropped and added again under its old name, ends where the steps put it. */
#include "schema/schema.h"

#include "base/error.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static bool
same_name(const char *name, const char *other, size_t other_length)
{
    return strlen(name) == other_length && memcmp(name, other, other_length) == 0;
}

int
schema_table_by_name(const struct schema *schema, const char *name, size_t length)
{
    for (uint32_t t = 0; t < schema->table_count; t++)
        if (same_name(schema->tables[t].name, name, length))
            return (int) t;
    return -1;
}

int
table_column_by_name(const struct table *table, const char *name, size_t length)
{
    for (uint32_t c = 0; c < table->column_count; c++)
        if (same_name(table->columns[c].name, name, length))
            return (int) c;
    return -1;
}

int
table_key_on_column(const struct table *table, uint32_t column)
{
    for (uint32_t k = 0; k < table->key_count; k++)
        if (table->keys[k].columns[0] == column)
            return (int) k;
    return -1;
}

static knackdb_status
bad_step(knackdb_error *error, const struct migration_step *step, const char *why)
{
    char text[160];

    (void) migration_step_text(step, text, sizeof text);
    return error_set(error, KNACKDB_INVALID, "schema version %u: %s: %s", step->to_version, text, why);
}

static knackdb_status
drop_column(struct table *table, uint32_t dropped, const struct migration_step *step, knackdb_error *error)
{
    const struct derived_change *derived = &table->derived;

    for (uint32_t k = 0; k < table->key_count; k++) {
        struct key *key = &table->keys[k];

        for (uint32_t i = 0; i < key->column_count; i++) {
            if (key->columns[i] == dropped)
                return bad_step(error, step, "the column is part of a key");
            if (key->columns[i] > dropped)
                key->columns[i]--;
        }
    }
    if (table->age_column == (int32_t) dropped)
        return bad_step(error, step, "clean-up needs the column");
    if (table->age_column > (int32_t) dropped)
        table->age_column--;
    if (derived->present) {
        if (derived->value == dropped || derived->baseline == dropped || derived->target == dropped)
            return bad_step(error, step, "another column is computed from it");
        table->derived.value -= derived->value > dropped;
        table->derived.baseline -= derived->baseline > dropped;
        table->derived.target -= derived->target > dropped;
    }
    for (uint32_t c = 0; c < table->column_count; c++) {
        struct column *column = &table->columns[c];

        column->beside = column->beside == dropped ? 0 : column->beside - (column->beside > dropped);
        column->carries = (column->carries & (KNACKDB_BIT(dropped) - 1)) |
                          (column->carries >> 1 & ~(KNACKDB_BIT(dropped) - 1));
    }
    table->column_count--;
    memmove(&table->columns[dropped], &table->columns[dropped + 1],
            (table->column_count - dropped) * sizeof table->columns[0]);
    return KNACKDB_OK;
}

static knackdb_status
apply_step(struct schema *schema, const struct migration_step *step, knackdb_error *error)
{
    struct table *table;
    int           found;

    if (step->kind == MIGRATION_ADD_TABLE) {
        if (schema->table_count == KNACKDB_TABLES_MAX)
            return bad_step(error, step, "too many tables");
        schema->tables[schema->table_count++] = *step->new_table;
        return KNACKDB_OK;
    }

    found = schema_table_by_name(schema, step->table, strlen(step->table));
    if (found < 0)
        return bad_step(error, step, "no such table");
    table = &schema->tables[found];

    if (step->kind == MIGRATION_ADD_COLUMN) {
        if (table->column_count == KNACKDB_COLUMNS_MAX)
            return bad_step(error, step, "too many columns");
        if (table_column_by_name(table, step->column.name, strlen(step->column.name)) >= 0)
            return bad_step(error, step, "the column is there");
        table->columns[table->column_count] = step->column;
        table->columns[table->column_count].since_version = step->to_version;
        table->column_count++;
        return KNACKDB_OK;
    }

    found = table_column_by_name(table, step->name, strlen(step->name));
    if (found < 0)
        return bad_step(error, step, "no such column");
    switch (step->kind) {
    case MIGRATION_RENAME_COLUMN: table->columns[found].name = step->new_name; return KNACKDB_OK;
    case MIGRATION_DROP_COLUMN: return drop_column(table, (uint32_t) found, step, error);
    case MIGRATION_ADD_KEY:
        if (table->key_count == SCHEMA_KEYS_MAX)
            return bad_step(error, step, "too many keys");
        table->keys[table->key_count++] =
            (struct key) { .columns = { (uint32_t) found }, .column_count = 1, .conflict = KEY_REPLACES };
        return KNACKDB_OK;
    default: return bad_step(error, step, "unknown kind of step");
    }
}

knackdb_status
schema_build(const struct schema_history *history, uint32_t version, struct schema *ret_schema, knackdb_error *error)
{
    if (version == 0 || version > history->version)
        return error_set(error, KNACKDB_INVALID, "no schema version %u; the newest is %u", version, history->version);

    memset(ret_schema, 0, sizeof *ret_schema);
    ret_schema->version = version;
    ret_schema->table_count = (uint32_t) history->table_count;
    memcpy(ret_schema->tables, history->tables, history->table_count * sizeof history->tables[0]);
    for (size_t i = 0; i < history->step_count && history->steps[i].to_version <= version; i++) {
        knackdb_status status = apply_step(ret_schema, &history->steps[i], error);

        if (status != KNACKDB_OK)
            return status;
    }
    return KNACKDB_OK;
}

static struct schema builtin;

static void
build_builtin(void)
{
    /* Cannot fail: tests/schema builds every version of it. */
    (void) schema_build(schema_history_builtin(), schema_history_builtin()->version, &builtin, NULL);
}

const struct schema *
schema_builtin(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void) pthread_once(&once, build_builtin);
    return &builtin;
}

bool
schema_resolve_table(const struct schema_history *history, const struct schema *schema, uint32_t from_version,
                     const char *table, size_t table_length, uint32_t *ret_table)
{
    int found = schema_table_by_name(schema, table, table_length);

    (void) history; /* no step renames or drops a table, so a name means the same in every version */
    (void) from_version;
    if (found < 0)
        return false;
    *ret_table = (uint32_t) found;
    return true;
}

bool
schema_resolve_column(const struct schema_history *history, const struct schema *schema, uint32_t from_version,
                      const char *table, size_t table_length, const char *column, size_t column_length,
                      uint32_t *ret_column)
{
    uint32_t table_index;
    int      found;

    if (!schema_resolve_table(history, schema, from_version, table, table_length, &table_index))
        return false;
    for (size_t i = 0; i < history->step_count; i++) {
        const struct migration_step *step = &history->steps[i];

        if (step->to_version <= from_version || step->to_version > schema->version || step->table == NULL ||
            !same_name(step->table, table, table_length))
            continue;
        if (step->kind == MIGRATION_DROP_COLUMN && same_name(step->name, column, column_length))
            return false;
        if (step->kind == MIGRATION_RENAME_COLUMN && same_name(step->name, column, column_length)) {
            column = step->new_name;
            column_length = strlen(step->new_name);
        }
    }
    found = table_column_by_name(&schema->tables[table_index], column, column_length);
    if (found < 0 || schema->tables[table_index].columns[found].since_version > from_version)
        return false;
    *ret_column = (uint32_t) found;
    return true;
}

static const char *
type_name(knackdb_type type)
{
    return type == KNACKDB_INTEGER ? "INTEGER" : type == KNACKDB_REAL ? "REAL" : "TEXT";
}

size_t
migration_step_text(const struct migration_step *step, char *text, size_t bytes)
{
    int length = 0;

    text[0] = '\0'; /* a kind that is none has no words */
    switch (step->kind) {
    case MIGRATION_ADD_TABLE: length = snprintf(text, bytes, "add table %s", step->new_table->name); break;
    case MIGRATION_ADD_COLUMN:
        length = snprintf(text, bytes, "add %s.%s %s", step->table, step->column.name, type_name(step->column.type));
        break;
    case MIGRATION_RENAME_COLUMN:
        length = snprintf(text, bytes, "rename %s.%s to %s", step->table, step->name, step->new_name);
        break;
    case MIGRATION_DROP_COLUMN: length = snprintf(text, bytes, "drop %s.%s", step->table, step->name); break;
    case MIGRATION_ADD_KEY: length = snprintf(text, bytes, "make %s.%s unique", step->table, step->name); break;
    }
    return (size_t) length < bytes ? (size_t) length : bytes - 1;
}
