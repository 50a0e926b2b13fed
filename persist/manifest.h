/* manifest.h - what a snapshot consists of, and the bytes that say so. docs/FORMAT.md has the tables.
 *
 * Pure: manifest_files.h knows the files. */
#ifndef KNACKDB_PERSIST_MANIFEST_H
#define KNACKDB_PERSIST_MANIFEST_H

#include "persist/byte_buffer.h"
#include "schema/schema.h"

#define MANIFEST_FORMAT_VERSION 1
#define MANIFEST_BYTES_MAX      ((size_t) 64 * 1024 * 1024)

/* One file of rows. Numbers of kinds are on disk. */
enum part_kind {
    PART_ROWS = 1, /* rows of a table */
    PART_ENDS = 2, /* which rows of the table's other parts have ended since those were written */
};

struct manifest_part {
    uint64_t number;
    uint8_t  table; /* index in manifest.tables */
    uint8_t  kind;
    uint64_t base;      /* 0 */
    uint64_t row_count; /* in it, or told of */
    uint64_t bytes;     /* of the file */
    uint64_t checksum;  /* of the part's block checksums: part_format.h; of a part of ends, its own */
};

struct manifest_table {
    char     name[SCHEMA_NAME_BYTES_MAX + 1];
    int64_t  next_id;
    uint64_t row_count;
};

struct manifest_migration {
    uint32_t from_version;
    uint32_t to_version;
    int64_t  time_us;
};

struct manifest {
    struct allocator          *allocator;
    uint64_t                   store_id;
    uint64_t                   generation;
    uint64_t                   sequence;    /* newest commit in the snapshot */
    int64_t                    time_us;     /* of that commit, or a little later */
    int64_t                    made_at_us;  /* when the snapshot was begun; 0: none was taken yet */
    uint64_t                   duration_us; /* of writing it */
    uint64_t                   log_serial;  /* replay begins with this segment */
    uint64_t                   next_part;   /* number of the next part to be written */
    uint32_t                   schema_version;
    uint32_t                   table_count;
    struct manifest_table      tables[KNACKDB_TABLES_MAX];
    size_t                     migration_count;
    struct manifest_migration *migrations; /* oldest first */
    size_t                     part_count;
    struct manifest_part      *parts; /* in the order they are to be read */
    size_t                     part_capacity;
};

void manifest_init(struct manifest *manifest, struct allocator *allocator);
void manifest_clear(struct manifest *manifest); /* frees; may be used again */

knackdb_status manifest_add_part(struct manifest *manifest, const struct manifest_part *part, knackdb_error *error);
knackdb_status manifest_add_migration(struct manifest *manifest, const struct manifest_migration *migration,
                                      knackdb_error *error);

/* Names the tables of a schema, without rows. */
void manifest_set_tables(struct manifest *manifest, const struct schema *schema);

/* Bytes of all parts. */
uint64_t manifest_part_bytes(const struct manifest *manifest);

/* When the snapshot was finished, by the clock that it was begun by. */
static inline int64_t
manifest_finished_us(const struct manifest *manifest)
{
    return (int64_t) ((uint64_t) manifest->made_at_us + manifest->duration_us);
}

void manifest_write(const struct manifest *manifest, struct byte_buffer *to);

/* Reads exactly these bytes into a manifest that was init'ed. CORRUPT, or UNSUPPORTED where it is sound
 * and newer than we are; the message says what, *ret_offset where, and neither in which file. */
knackdb_status manifest_read(struct manifest *manifest, const void *data, size_t bytes, size_t *ret_offset,
                             knackdb_error *error);

#endif
