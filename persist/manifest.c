/* manifest.c - see manifest.h and docs/FORMAT.md, "Manifest". */
#include "persist/manifest.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/hash.h"
#include "persist/byte_reader.h"
#include "persist/checksum.h"

#include <inttypes.h>
#include <string.h>

static const char magic[8] = { 'K', 'N', 'A', 'C', 'K', 'M', 'A', 'N' };

#define HEAD_BYTES      112
#define CHECKSUM_BYTES  8
#define MIGRATION_BYTES 16
#define PART_BYTES      48
#define MIGRATIONS_MAX  4096

void
manifest_init(struct manifest *manifest, struct allocator *allocator)
{
    memset(manifest, 0, sizeof *manifest);
    manifest->allocator = allocator;
}

void
manifest_clear(struct manifest *manifest)
{
    if (manifest->allocator == NULL)
        return;
    allocator_put(manifest->allocator, manifest->migrations, manifest->migration_count * sizeof *manifest->migrations);
    allocator_put(manifest->allocator, manifest->parts, manifest->part_capacity * sizeof *manifest->parts);
    manifest_init(manifest, manifest->allocator);
}

knackdb_status
manifest_add_part(struct manifest *manifest, const struct manifest_part *part, knackdb_error *error)
{
    struct manifest_part *parts = allocator_make_room(manifest->allocator, manifest->parts, manifest->part_count + 1,
                                                      &manifest->part_capacity, sizeof *parts);

    if (parts == NULL)
        return error_no_memory(error, "the manifest");
    manifest->parts = parts;
    manifest->parts[manifest->part_count++] = *part;
    return KNACKDB_OK;
}

knackdb_status
manifest_add_migration(struct manifest *manifest, const struct manifest_migration *migration, knackdb_error *error)
{
    size_t                     bytes = manifest->migration_count * sizeof *manifest->migrations;
    struct manifest_migration *moved =
        allocator_resize(manifest->allocator, manifest->migrations, bytes, bytes + sizeof *moved);

    if (moved == NULL)
        return error_no_memory(error, "the manifest");
    moved[manifest->migration_count++] = *migration;
    manifest->migrations = moved;
    return KNACKDB_OK;
}

void
manifest_set_tables(struct manifest *manifest, const struct schema *schema)
{
    memset(manifest->tables, 0, sizeof manifest->tables);
    manifest->schema_version = schema->version;
    manifest->table_count = schema->table_count;
    for (uint32_t i = 0; i < schema->table_count; i++) {
        size_t length = strlen(schema->tables[i].name);

        memcpy(manifest->tables[i].name, schema->tables[i].name,
               length < SCHEMA_NAME_BYTES_MAX ? length : SCHEMA_NAME_BYTES_MAX);
        manifest->tables[i].next_id = 1;
    }
}

uint64_t
manifest_part_bytes(const struct manifest *manifest)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < manifest->part_count; i++)
        bytes += manifest->parts[i].bytes;
    return bytes;
}

static void
write_tables(const struct manifest *manifest, struct byte_buffer *to)
{
    for (uint32_t i = 0; i < manifest->table_count; i++) {
        const struct manifest_table *table = &manifest->tables[i];

        byte_buffer_put_u8(to, (uint8_t) strlen(table->name));
        byte_buffer_put(to, table->name, strlen(table->name));
        byte_buffer_put_u64(to, (uint64_t) table->next_id);
        byte_buffer_put_u64(to, table->row_count);
    }
}

static void
write_parts(const struct manifest *manifest, struct byte_buffer *to)
{
    for (size_t i = 0; i < manifest->part_count; i++) {
        const struct manifest_part *part = &manifest->parts[i];

        byte_buffer_put_u64(to, part->number);
        byte_buffer_put_u8(to, part->table);
        byte_buffer_put_u8(to, part->kind);
        byte_buffer_put_u16(to, 0);
        byte_buffer_put_u32(to, 0);
        byte_buffer_put_u64(to, part->base);
        byte_buffer_put_u64(to, part->row_count);
        byte_buffer_put_u64(to, part->bytes);
        byte_buffer_put_u64(to, part->checksum);
    }
}

void
manifest_write(const struct manifest *manifest, struct byte_buffer *to)
{
    size_t start = to->bytes;

    byte_buffer_put(to, magic, sizeof magic);
    byte_buffer_put_u16(to, MANIFEST_FORMAT_VERSION);
    byte_buffer_put_u16(to, 0);
    byte_buffer_put_u32(to, 0); /* bytes of it all, below */
    byte_buffer_put_u64(to, 0); /* compatible flags */
    byte_buffer_put_u64(to, 0); /* incompatible flags */
    byte_buffer_put_u64(to, manifest->store_id);
    byte_buffer_put_u64(to, manifest->generation);
    byte_buffer_put_u64(to, manifest->sequence);
    byte_buffer_put_u64(to, (uint64_t) manifest->time_us);
    byte_buffer_put_u64(to, (uint64_t) manifest->made_at_us);
    byte_buffer_put_u64(to, manifest->duration_us);
    byte_buffer_put_u64(to, manifest->log_serial);
    byte_buffer_put_u64(to, manifest->next_part);
    byte_buffer_put_u32(to, manifest->schema_version);
    byte_buffer_put_u32(to, manifest->table_count);
    byte_buffer_put_u32(to, (uint32_t) manifest->migration_count);
    byte_buffer_put_u32(to, (uint32_t) manifest->part_count);
    for (size_t i = 0; i < manifest->migration_count; i++) {
        byte_buffer_put_u32(to, manifest->migrations[i].from_version);
        byte_buffer_put_u32(to, manifest->migrations[i].to_version);
        byte_buffer_put_u64(to, (uint64_t) manifest->migrations[i].time_us);
    }
    write_tables(manifest, to);
    write_parts(manifest, to);
    if (to->failed)
        return;
    bytes_put_u32(to->data + start + 12, (uint32_t) (to->bytes - start + CHECKSUM_BYTES));
    byte_buffer_put_u64(to, hash_bytes(to->data + start, to->bytes - start, 0));
}

/* Numbers are counted from 1, and there is always one after it. */
static bool
counts(uint64_t number)
{
    return number != 0 && number != UINT64_MAX;
}

/* What stands before the lists. */
static knackdb_status
read_head(struct manifest *manifest, struct byte_reader *from, uint32_t *ret_migrations, uint32_t *ret_parts,
          knackdb_error *error)
{
    uint16_t format;
    uint16_t reserved;
    uint64_t incompatible;

    (void) byte_reader_take(from, sizeof magic);
    format = byte_reader_u16(from);
    reserved = byte_reader_u16(from);
    (void) byte_reader_u32(from);
    (void) byte_reader_u64(from); /* compatible flags: none that we would have to know */
    incompatible = byte_reader_u64(from);
    if (format > MANIFEST_FORMAT_VERSION || incompatible != 0)
        return error_set(error, KNACKDB_UNSUPPORTED,
                         "written by a newer version of knackdb (format %u, feature flags %" PRIx64 ")",
                         (unsigned) format, incompatible);
    manifest->store_id = byte_reader_u64(from);
    manifest->generation = byte_reader_u64(from);
    manifest->sequence = byte_reader_u64(from);
    manifest->time_us = (int64_t) byte_reader_u64(from);
    manifest->made_at_us = (int64_t) byte_reader_u64(from);
    manifest->duration_us = byte_reader_u64(from);
    manifest->log_serial = byte_reader_u64(from);
    manifest->next_part = byte_reader_u64(from);
    manifest->schema_version = byte_reader_u32(from);
    manifest->table_count = byte_reader_u32(from);
    *ret_migrations = byte_reader_u32(from);
    *ret_parts = byte_reader_u32(from);
    if (format == 0 || reserved != 0 || manifest->table_count > KNACKDB_TABLES_MAX || !counts(manifest->generation) ||
        !counts(manifest->log_serial) || !counts(manifest->next_part))
        return error_set(error, KNACKDB_CORRUPT, "the head makes no sense");
    return KNACKDB_OK;
}

static bool
read_tables(struct manifest *manifest, struct byte_reader *from)
{
    for (uint32_t i = 0; i < manifest->table_count; i++) {
        struct manifest_table *table = &manifest->tables[i];
        uint8_t                name_bytes = byte_reader_u8(from);
        const unsigned char   *name = byte_reader_take(from, name_bytes);

        if (name == NULL || name_bytes == 0 || name_bytes > SCHEMA_NAME_BYTES_MAX ||
            memchr(name, 0, name_bytes) != NULL)
            return false;
        memcpy(table->name, name, name_bytes);
        table->name[name_bytes] = '\0';
        table->next_id = (int64_t) byte_reader_u64(from);
        table->row_count = byte_reader_u64(from);
    }
    return !from->failed;
}

static knackdb_status
read_parts(struct manifest *manifest, struct byte_reader *from, uint32_t count, knackdb_error *error)
{
    uint32_t       with_ends = 0; /* tables, as bits: each has one part of ends */
    knackdb_status status = KNACKDB_OK;

    for (uint32_t i = 0; i < count && status == KNACKDB_OK; i++) {
        struct manifest_part part;
        size_t               start = from->at;

        part.number = byte_reader_u64(from);
        part.table = byte_reader_u8(from);
        part.kind = byte_reader_u8(from);
        (void) byte_reader_take(from, 6);
        part.base = byte_reader_u64(from);
        part.row_count = byte_reader_u64(from);
        part.bytes = byte_reader_u64(from);
        part.checksum = byte_reader_u64(from);
        if (from->failed || part.table >= manifest->table_count)
            status = error_set(error, KNACKDB_CORRUPT, "part %u makes no sense", (unsigned) i);
        else if (part.kind != PART_ROWS && part.kind != PART_ENDS)
            status = error_set(error, KNACKDB_UNSUPPORTED, "a part of kind %u, unknown to this version",
                               (unsigned) part.kind);
        else if (part.kind == PART_ENDS && (with_ends >> part.table & 1) != 0)
            status = error_set(error, KNACKDB_CORRUPT, "part %u tells of ends a second time", (unsigned) i);
        if (status != KNACKDB_OK) {
            from->at = start;
            return status;
        }
        with_ends |= part.kind == PART_ENDS ? 1u << part.table : 0;
        status = manifest_add_part(manifest, &part, error);
    }
    return status;
}

/* What stands between head and checksum; on failure the reader stands where it is. */
static knackdb_status
read_lists(struct manifest *manifest, struct byte_reader *from, uint32_t migration_count, uint32_t part_count,
           knackdb_error *error)
{
    knackdb_status status = KNACKDB_OK;

    if (migration_count > MIGRATIONS_MAX ||
        (uint64_t) migration_count * MIGRATION_BYTES + (uint64_t) part_count * PART_BYTES > byte_reader_left(from))
        return error_set(error, KNACKDB_CORRUPT, "the lists do not fit into the file");
    for (uint32_t i = 0; i < migration_count && status == KNACKDB_OK; i++) {
        struct manifest_migration migration;

        migration.from_version = byte_reader_u32(from);
        migration.to_version = byte_reader_u32(from);
        migration.time_us = (int64_t) byte_reader_u64(from);
        status = manifest_add_migration(manifest, &migration, error);
    }
    if (status != KNACKDB_OK)
        return status;
    if (!read_tables(manifest, from))
        return error_set(error, KNACKDB_CORRUPT, "the list of tables makes no sense");
    status = read_parts(manifest, from, part_count, error);
    if (status == KNACKDB_OK && byte_reader_left(from) != 0)
        status = error_set(error, KNACKDB_CORRUPT, "bytes are left over");
    return status;
}

knackdb_status
manifest_read(struct manifest *manifest, const void *data, size_t bytes, size_t *ret_offset, knackdb_error *error)
{
    const unsigned char *all = data;
    struct byte_reader   from;
    uint32_t             migration_count = 0;
    uint32_t             part_count = 0;
    knackdb_status       status;

    *ret_offset = 0;
    if (bytes < HEAD_BYTES + CHECKSUM_BYTES || bytes > MANIFEST_BYTES_MAX || memcmp(all, magic, sizeof magic) != 0)
        return error_set(error, KNACKDB_CORRUPT, "this is not a manifest");
    *ret_offset = 12;
    if (bytes_get_u32(all + 12) != bytes)
        return error_set(error, KNACKDB_CORRUPT, "%zu bytes are there, %u are told of", bytes,
                         (unsigned) bytes_get_u32(all + 12));
    *ret_offset = bytes - CHECKSUM_BYTES;
    if (!checksum_matches(bytes_get_u64(all + bytes - CHECKSUM_BYTES), hash_bytes(all, bytes - CHECKSUM_BYTES, 0)))
        return error_set(error, KNACKDB_CORRUPT, "the checksum does not match");

    from = byte_reader_of(all, bytes - CHECKSUM_BYTES);
    status = read_head(manifest, &from, &migration_count, &part_count, error);
    *ret_offset = 8;
    if (status != KNACKDB_OK)
        return status;
    status = read_lists(manifest, &from, migration_count, part_count, error);
    *ret_offset = from.at;
    return status;
}
