/* tables.c - what the library says of itself: version, status words, tables. */
#include "base/clock.h"
#include "schema/schema.h"

#include <pthread.h>

#define TEXT_OF(number)                   #number
#define VERSION_TEXT(major, minor, patch) TEXT_OF(major) "." TEXT_OF(minor) "." TEXT_OF(patch)

const char *
knackdb_version(void)
{
    return VERSION_TEXT(KNACKDB_VERSION_MAJOR, KNACKDB_VERSION_MINOR, KNACKDB_VERSION_PATCH);
}

const char *
knackdb_status_text(knackdb_status status)
{
    switch (status) {
    case KNACKDB_OK: return "ok";
    case KNACKDB_NOT_FOUND: return "not found";
    case KNACKDB_NO_MEMORY: return "out of memory";
    case KNACKDB_INVALID: return "invalid call";
    case KNACKDB_IO: return "input or output failed";
    case KNACKDB_CORRUPT: return "corrupt";
    case KNACKDB_UNSUPPORTED: return "written by a newer version";
    case KNACKDB_BUSY: return "in use by another process";
    case KNACKDB_EXISTS: return "exists already";
    case KNACKDB_FULL: return "full";
    case KNACKDB_READ_ONLY: return "opened read-only";
    case KNACKDB_FORKED: return "opened before fork";
    }
    return "unknown status";
}

const char *
knackdb_operation_text(knackdb_operation operation)
{
    static const char *const texts[KNACKDB_OPERATION_COUNT] = {
        "store", "store_many", "update", "delete", "get", "find", "aggregate", "sync", "snapshot",
    };

    return (unsigned) operation < KNACKDB_OPERATION_COUNT ? texts[operation] : "unknown";
}

double
knackdb_now(void)
{
    return (double) clock_wall_us() / 1e6;
}

uint32_t
knackdb_schema_version(void)
{
    return schema_builtin()->version;
}

size_t
knackdb_table_count(void)
{
    return schema_builtin()->table_count;
}

/* The schema in the public struct's words, made once. */
static knackdb_table_info  infos[KNACKDB_TABLES_MAX];
static knackdb_column_info column_infos[KNACKDB_TABLES_MAX][KNACKDB_COLUMNS_MAX];

static void
describe_tables(void)
{
    const struct schema *schema = schema_builtin();

    for (uint32_t t = 0; t < schema->table_count; t++) {
        const struct table *table = &schema->tables[t];

        for (uint32_t c = 0; c < table->column_count; c++)
            column_infos[t][c] = (knackdb_column_info) {
                .name = table->columns[c].name,
                .type = table->columns[c].type,
                .is_rate = table->columns[c].is_rate,
                .since_version = table->columns[c].since_version,
            };
        infos[t] = (knackdb_table_info) { .name = table->name,
                                          .column_count = table->column_count,
                                          .columns = column_infos[t] };
    }
}

const knackdb_table_info *
knackdb_table_describe(int table)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    if (table < 0 || (size_t) table >= knackdb_table_count())
        return NULL;
    (void) pthread_once(&once, describe_tables);
    return &infos[table];
}

int
knackdb_table_by_name(const char *name)
{
    return name != NULL ? schema_table_by_name(schema_builtin(), name, strlen(name)) : -1;
}

int
knackdb_column_by_name(int table, const char *name)
{
    if (name == NULL || table < 0 || (size_t) table >= knackdb_table_count())
        return -1;
    return table_column_by_name(&schema_builtin()->tables[table], name, strlen(name));
}
