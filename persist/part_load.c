/* part_load.c - column blocks turned back into rows.
 *
 * One band of blocks at a time: each column's block is opened, and then row after row
 * takes the next value of each. Columns are matched by name, so a part of an older
 * version fits: what it does not have is NULL, what is gone since is passed over. */
#include "persist/part_load.h"

#include "base/error.h"
#include "persist/coverage.h"
#include "persist/part_reader.h"

#include <inttypes.h>
#include <string.h>

struct loading {
    struct part_reader   reader;
    struct block_decoder columns[KNACKDB_COLUMNS_MAX];
    const uint64_t      *ended;                         /* rows to leave out */
    int32_t              table;                         /* in the store's schema; -1: dropped */
    int16_t              targets[KNACKDB_COLUMNS_MAX];  /* likewise */
};

static knackdb_status
load_band(struct loading *loading, struct store *store, const struct block_header *header, knackdb_error *error)
{
    const struct part_reader *reader = &loading->reader;
    knackdb_value             values[KNACKDB_COLUMNS_MAX];
    knackdb_error             why = { 0 };
    knackdb_status            status = KNACKDB_OK;

    memset(values, 0, sizeof values);
    for (uint32_t row = 0; row < header->row_count && status == KNACKDB_OK; row++) {
        for (uint32_t i = 0; i < reader->head.table.column_count; i++) {
            knackdb_value value = block_next(&loading->columns[i]);

            if (loading->targets[i] >= 0)
                values[loading->targets[i]] = value;
        }
        if (!bitmap_has(loading->ended, header->first_row + row))
            status = store_load_row(store, (uint32_t) loading->table, values, &why);
    }
    if (status != KNACKDB_OK)
        return error_set(error, status, "%s/%s: offset %" PRIu64 ": %s", reader->file->dir->path, reader->file->name,
                         reader->block_offset, why.message);
    return KNACKDB_OK;
}

static knackdb_status
load_blocks(struct loading *loading, struct store *store, knackdb_error *error)
{
    struct part_reader  *reader = &loading->reader;
    struct block_header  header;
    const unsigned char *stored;
    knackdb_error        why = { 0 };
    knackdb_status       status;

    for (;;) {
        uint32_t column = reader->column;

        status = part_reader_next(reader, &header, &stored, error);
        if (status != KNACKDB_OK)
            return status == KNACKDB_NOT_FOUND ? KNACKDB_OK : status;
        if (loading->table < 0)
            continue;
        status = block_open(&loading->columns[column], (knackdb_type) reader->head.table.types[column], &header, stored,
                            &why);
        if (status != KNACKDB_OK)
            return error_set(error, status, "%s/%s: offset %" PRIu64 ": %s", reader->file->dir->path, reader->file->name,
                             reader->block_offset, why.message);
        if (reader->column == 0)
            status = load_band(loading, store, &header, error);
        if (status != KNACKDB_OK)
            return status;
    }
}

knackdb_status
part_load(struct allocator *allocator, const struct file *file, const struct manifest_part *part,
          const uint64_t *ended, uint64_t store_id, const struct schema_history *history, struct store *store,
          int32_t *ret_table, knackdb_error *error)
{
    struct loading *loading = allocator_get_zeroed(allocator, sizeof *loading);
    knackdb_error   why = { 0 };
    knackdb_status  status;

    if (loading == NULL)
        return error_no_memory(error, "a part of a snapshot");
    loading->ended = ended;
    for (uint32_t i = 0; i < KNACKDB_COLUMNS_MAX; i++)
        block_decoder_init(&loading->columns[i], allocator);
    status = part_reader_open(&loading->reader, allocator, file, part, store_id, error);
    if (status != KNACKDB_OK)
        goto out;
    if (loading->reader.head.schema_version > store_schema(store)->version) {
        status = error_set(error, KNACKDB_UNSUPPORTED, "%s/%s: written under schema version %u", file->dir->path,
                           file->name, (unsigned) loading->reader.head.schema_version);
        goto out;
    }
    status = description_map_table(&loading->reader.head.table, history, store_schema(store),
                                   loading->reader.head.schema_version, &loading->table, loading->targets, &why);
    if (status != KNACKDB_OK) {
        (void) error_set(error, status, "%s/%s: offset %d: %s", file->dir->path, file->name, PART_HEAD_FIXED_BYTES,
                         why.message);
        goto out;
    }
    *ret_table = loading->table;
    status = load_blocks(loading, store, error);

out:
    part_reader_clear(&loading->reader);
    for (uint32_t i = 0; i < KNACKDB_COLUMNS_MAX; i++)
        block_decoder_clear(&loading->columns[i]);
    allocator_put(allocator, loading, sizeof *loading);
    return status;
}
