/* commit.h - the bytes of a commit: what happened, by value, whole and self-contained.
 *
 *     commit    = u32 operation_count, operation...
 *     operation = u8 kind, u8 table, u16 column_count, i64 id, cell...
 *     cell      = u16 column, u8 type, value
 *     value     = nothing (NULL) | i64 (INTEGER) | IEEE 754 bits (REAL) | u32 length, bytes (TEXT)
 *
 * Kinds are knackdb_log_operation. Tables and columns are numbers in the schema that
 * the log segment describes at its head, so a commit of an older version is read
 * through a map (struct commit_map). The id is in the head alone, never a cell; a PUT
 * leaves out the columns that are NULL; a CLEAN_UP has one cell, the bound. A
 * commit says what came out (ids given, counts added up), not what was asked for: so
 * replaying needs no rules, and applying it to the same rows gives the same rows.
 *
 * The reader is a pure function over bytes and trusts none of them. */
#ifndef KNACKDB_CORE_COMMIT_H
#define KNACKDB_CORE_COMMIT_H

#include "base/allocator.h"
#include "schema/schema.h"

#define COMMIT_BYTES_MAX ((size_t) 1 << 30) /* a larger batch is refused */

/* A growing buffer that one commit is written into. */
struct commit_writer {
    struct allocator *allocator;
    unsigned char    *data;
    size_t            bytes;
    size_t            capacity;
    uint32_t          operation_count;
};

void commit_writer_init(struct commit_writer *writer, struct allocator *allocator);
void commit_writer_clear(struct commit_writer *writer); /* frees the buffer */
void commit_writer_begin(struct commit_writer *writer); /* empties it */
void commit_writer_trim(struct commit_writer *writer);  /* gives a large buffer back once its commit is done */

/* Writes one operation. `columns` NULL means a whole row, 0 to count - 1, of which the id and what is NULL are left
 * out; else none of them is the id. NO_MEMORY, or INVALID past COMMIT_BYTES_MAX; the commit is then to be dropped. */
knackdb_status commit_writer_put(struct commit_writer *writer, knackdb_log_operation kind, uint32_t table, int64_t id,
                                 const uint32_t *columns, const knackdb_value *values, size_t count,
                                 knackdb_error *error);

/* Where the tables and columns of the writer's schema are in the reader's; columns
 * dropped since are -1. */
struct commit_map {
    uint32_t table_count;
    int32_t  tables[KNACKDB_TABLES_MAX];
    uint32_t column_counts[KNACKDB_TABLES_MAX]; /* of the writer's tables */
    int16_t  columns[KNACKDB_TABLES_MAX][KNACKDB_COLUMNS_MAX];
    uint8_t  types[KNACKDB_TABLES_MAX][KNACKDB_COLUMNS_MAX]; /* knackdb_type, in the writer's schema */
};

/* The map of a schema onto itself. */
void commit_map_identity(struct commit_map *map, const struct schema *schema);

/* One operation, in numbers of the reader's schema. */
struct commit_operation {
    knackdb_log_operation kind;
    uint32_t              table;
    bool                  table_dropped; /* the table is gone: nothing to do */
    int64_t               id;
    size_t                count;
    uint32_t              columns[KNACKDB_COLUMNS_MAX];
    knackdb_value         values[KNACKDB_COLUMNS_MAX]; /* text is borrowed from the payload */
};

struct commit_reader {
    const struct commit_map *map;
    const unsigned char     *data;
    size_t                   bytes;
    size_t                   at;
    uint32_t                 operation_count;
    uint32_t                 operation_index;
};

/* CORRUPT where the head makes no sense; the message gives the offset within the payload. */
knackdb_status commit_reader_init(struct commit_reader *reader, const struct commit_map *map, const void *payload,
                                  size_t bytes, knackdb_error *error);

/* Next operation; NOT_FOUND after the last; CORRUPT where the bytes make no sense: an unknown
 * kind, table, column or type, a length past the end, bad UTF-8, NaN, a column twice, bytes left over. */
knackdb_status commit_reader_next(struct commit_reader *reader, struct commit_operation *ret_operation,
                                  knackdb_error *error);

#endif
