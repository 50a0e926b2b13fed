/* description.c - see description.h. Reading is a pure function over bytes and trusts none of them. */
#include "persist/description.h"

#include "base/error.h"

#include <string.h>

static void
write_name(struct byte_buffer *to, const char *name)
{
    size_t bytes = strlen(name);

    byte_buffer_put_u8(to, (uint8_t) bytes);
    byte_buffer_put(to, name, bytes);
}

void
description_write_table(struct byte_buffer *to, const struct table *table)
{
    write_name(to, table->name);
    byte_buffer_put_u8(to, (uint8_t) table->column_count);
    for (uint32_t i = 0; i < table->column_count; i++) {
        write_name(to, table->columns[i].name);
        byte_buffer_put_u8(to, (uint8_t) table->columns[i].type);
    }
}

void
description_write(struct byte_buffer *to, const struct schema *schema)
{
    byte_buffer_put_u8(to, (uint8_t) schema->table_count);
    for (uint32_t i = 0; i < schema->table_count; i++)
        description_write_table(to, &schema->tables[i]);
}

static bool
read_name(struct byte_reader *from, struct described_name *ret_name)
{
    ret_name->bytes = byte_reader_u8(from);
    ret_name->text = (const char *) byte_reader_take(from, ret_name->bytes);
    return !from->failed && ret_name->bytes > 0 && ret_name->bytes <= SCHEMA_NAME_BYTES_MAX;
}

bool
description_read_table(struct byte_reader *from, struct described_table *ret_table)
{
    if (!read_name(from, &ret_table->name))
        return false;
    ret_table->column_count = byte_reader_u8(from);
    if (from->failed || ret_table->column_count == 0 || ret_table->column_count > KNACKDB_COLUMNS_MAX)
        return false;
    for (uint32_t i = 0; i < ret_table->column_count; i++) {
        if (!read_name(from, &ret_table->columns[i]))
            return false;
        ret_table->types[i] = byte_reader_u8(from);
        if (from->failed || ret_table->types[i] < KNACKDB_INTEGER || ret_table->types[i] > KNACKDB_TEXT)
            return false;
    }
    return ret_table->types[0] == KNACKDB_INTEGER;
}

knackdb_status
description_map_table(const struct described_table *table, const struct schema_history *history,
                      const struct schema *schema, uint32_t from_version, int32_t *ret_table,
                      int16_t ret_columns[KNACKDB_COLUMNS_MAX], knackdb_error *error)
{
    bool     taken[KNACKDB_COLUMNS_MAX] = { false };
    uint32_t number;
    uint32_t column;

    for (uint32_t i = 0; i < KNACKDB_COLUMNS_MAX; i++)
        ret_columns[i] = -1;
    *ret_table = -1;
    if (!schema_resolve_table(history, schema, from_version, table->name.text, table->name.bytes, &number))
        return KNACKDB_OK;
    *ret_table = (int32_t) number;
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (!schema_resolve_column(history, schema, from_version, table->name.text, table->name.bytes,
                                   table->columns[i].text, table->columns[i].bytes, &column))
            continue;
        if (taken[column] || (uint8_t) schema->tables[number].columns[column].type != table->types[i] ||
            (i == 0) != (column == 0))
            return error_set(error, KNACKDB_CORRUPT, "the description of %.*s.%.*s fits no version of the schema",
                             table->name.bytes, table->name.text, table->columns[i].bytes, table->columns[i].text);
        taken[column] = true;
        ret_columns[i] = (int16_t) column;
    }
    return KNACKDB_OK;
}

knackdb_status
description_map(const void *data, size_t bytes, const struct schema_history *history, const struct schema *schema,
                uint32_t from_version, struct commit_map *ret_map, knackdb_error *error)
{
    struct byte_reader     reader = byte_reader_of(data, bytes);
    struct described_table table;
    knackdb_status         status;

    memset(ret_map, 0, sizeof *ret_map);
    ret_map->table_count = byte_reader_u8(&reader);
    if (reader.failed || ret_map->table_count > KNACKDB_TABLES_MAX)
        return error_set(error, KNACKDB_CORRUPT, "the description of the tables makes no sense");
    for (uint32_t i = 0; i < ret_map->table_count; i++) {
        if (!description_read_table(&reader, &table))
            return error_set(error, KNACKDB_CORRUPT, "the description of table %u makes no sense", (unsigned) i);
        status = description_map_table(&table, history, schema, from_version, &ret_map->tables[i], ret_map->columns[i],
                                       error);
        if (status != KNACKDB_OK)
            return status;
        for (uint32_t earlier = 0; earlier < i; earlier++) {
            if (ret_map->tables[i] >= 0 && ret_map->tables[earlier] == ret_map->tables[i])
                return error_set(error, KNACKDB_CORRUPT, "table %.*s is described twice", table.name.bytes,
                                 table.name.text);
        }
        ret_map->column_counts[i] = table.column_count;
        memcpy(ret_map->types[i], table.types, table.column_count);
    }
    if (byte_reader_left(&reader) != 0)
        return error_set(error, KNACKDB_CORRUPT, "bytes are left over behind the description of the tables");
    return KNACKDB_OK;
}
