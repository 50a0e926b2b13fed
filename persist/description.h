/* description.h - the tables of a file, as the file itself tells them.
 *
 *     description = u8 table_count, table...
 *     table       = u8 name_bytes, name, u8 column_count, column...
 *     column      = u8 name_bytes, name, u8 type (knackdb_type)
 *
 * With it a file written by any version can be read by name, also by a program that
 * knows none of our versions. */
#ifndef KNACKDB_PERSIST_DESCRIPTION_H
#define KNACKDB_PERSIST_DESCRIPTION_H

#include "core/commit.h"
#include "persist/byte_buffer.h"
#include "persist/byte_reader.h"
#include "schema/schema.h"

#define DESCRIPTION_BYTES_MAX ((size_t) 64 * 1024)

struct described_name {
    const char *text; /* borrowed from the file's bytes */
    uint8_t     bytes;
};

struct described_table {
    struct described_name name;
    uint32_t              column_count;
    struct described_name columns[KNACKDB_COLUMNS_MAX];
    uint8_t               types[KNACKDB_COLUMNS_MAX];
};

void description_write_table(struct byte_buffer *to, const struct table *table);
void description_write(struct byte_buffer *to, const struct schema *schema);

/* False where the bytes make no sense. */
bool description_read_table(struct byte_reader *from, struct described_table *ret_table);

/* Where a described table and its columns are in `schema`: -1 for what is gone.
 * CORRUPT where a type differs or two columns land on one. */
knackdb_status description_map_table(const struct described_table *table, const struct schema_history *history,
                                     const struct schema *schema, uint32_t from_version, int32_t *ret_table,
                                     int16_t ret_columns[KNACKDB_COLUMNS_MAX], knackdb_error *error);

/* Reads a whole description (exactly `bytes` of it) into a map for commits. */
knackdb_status description_map(const void *data, size_t bytes, const struct schema_history *history,
                               const struct schema *schema, uint32_t from_version, struct commit_map *ret_map,
                               knackdb_error *error);

#endif
