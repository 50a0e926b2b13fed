/* part_load.c - column blocks turned back into columns.
 *
 * A block at a time: it is read, checked, unpacked, and its values are handed to core while they are in the
 * processor's caches (core/load_run.h); nothing is held but one block of one column. Columns are matched by
 * name, so a part of an older version fits: what it does not have is NULL, what is gone since is passed over. */
#include "persist/part_load.h"

#include "base/error.h"
#include "core/load_run.h"
#include "persist/part_reader.h"

#include <inttypes.h>
#include <string.h>

_Static_assert(BLOCK_ROWS_MAX <= LOAD_RUN_ROWS_MAX, "a band is a run");

struct part_loader {
    struct allocator            *allocator;
    const struct schema_history *history;
    uint64_t                     store_id;
    struct store                *store;
    struct load_run             *run;
    struct block_decoder         decoder;
    /* Of the part being loaded: */
    struct part_reader           reader;
    struct load_place            place;                        /* of the band */
    int16_t                      targets[KNACKDB_COLUMNS_MAX]; /* in the store's schema; -1: dropped */
};

struct part_loader *
part_loader_new(struct allocator *allocator, const struct schema_history *history, uint64_t store_id,
                struct store *store)
{
    struct part_loader *loader = allocator_get_zeroed(allocator, sizeof *loader);

    if (loader == NULL)
        return NULL;
    loader->allocator = allocator;
    loader->history = history;
    loader->store_id = store_id;
    loader->store = store;
    block_decoder_init(&loader->decoder, allocator);
    loader->run = load_run_new(store);
    if (loader->run == NULL) {
        part_loader_free(loader);
        return NULL;
    }
    return loader;
}

void
part_loader_free(struct part_loader *loader)
{
    if (loader == NULL)
        return;
    load_run_free(loader->run);
    block_decoder_clear(&loader->decoder);
    allocator_put(loader->allocator, loader, sizeof *loader);
}

/* The block that the reader has just given, of the column that it then stood at. */
static knackdb_status
load_block(struct part_loader *loader, uint32_t column, const struct block_header *header, const unsigned char *stored,
           knackdb_error *error)
{
    const struct part_reader *reader = &loader->reader;
    struct column_values      values;
    uint32_t                  rows;
    knackdb_status            status = KNACKDB_OK;

    if (column == 0) {
        loader->place.row_count = header->row_count;
        loader->place.ended_from = header->first_row;
        status = load_run_begin(loader->run, &loader->place, error);
    }
    if (status == KNACKDB_OK)
        status = block_open(&loader->decoder, (knackdb_type) reader->head.table.types[column], header, stored, error);
    if (status == KNACKDB_OK && loader->targets[column] >= 0) {
        values = block_values(&loader->decoder);
        status = load_run_column(loader->run, (uint32_t) loader->targets[column], &values, error);
    }
    if (status == KNACKDB_OK && reader->column == 0) {
        status = load_run_end(loader->run, &rows, error);
        loader->place.first += rows;
    }
    return status;
}

static knackdb_status
load_blocks(struct part_loader *loader, int32_t table, knackdb_error *error)
{
    struct part_reader  *reader = &loader->reader;
    struct block_header  header;
    const unsigned char *stored;
    knackdb_error        why = { 0 };
    knackdb_status       status;

    for (;;) {
        uint32_t column = reader->column;

        status = part_reader_next(reader, &header, &stored, error);
        if (status != KNACKDB_OK)
            return status == KNACKDB_NOT_FOUND ? KNACKDB_OK : status;
        if (table < 0)
            continue;
        status = load_block(loader, column, &header, stored, &why);
        if (status != KNACKDB_OK)
            return error_set(error, status, "%s/%s: offset %" PRIu64 ": %s", reader->file->dir->path,
                             reader->file->name, reader->block_offset, why.message);
    }
}

/* What the head says of the part, against what we know of it. */
static knackdb_status
check_head(struct part_loader *loader, int32_t expected, knackdb_error *error)
{
    const struct part_reader *reader = &loader->reader;
    const struct schema      *schema = store_schema(loader->store);
    knackdb_error             why = { 0 };
    int32_t                   table = -1;
    knackdb_status            status;

    if (reader->head.schema_version > schema->version)
        return error_set(error, KNACKDB_UNSUPPORTED, "%s/%s: written under schema version %u", reader->file->dir->path,
                         reader->file->name, (unsigned) reader->head.schema_version);
    status = description_map_table(&reader->head.table, loader->history, schema, reader->head.schema_version, &table,
                                   loader->targets, &why);
    if (status == KNACKDB_OK && table != expected)
        status = error_set(&why, KNACKDB_CORRUPT, "this part is of another table than the manifest says");
    if (status != KNACKDB_OK)
        (void) error_set(error, status, "%s/%s: offset %d: %s", reader->file->dir->path, reader->file->name,
                         PART_HEAD_FIXED_BYTES, why.message);
    return status;
}

knackdb_status
part_load(struct part_loader *loader, const struct file *file, const struct manifest_part *part,
          const struct part_place *place, knackdb_error *error)
{
    knackdb_status status;

    status = part_reader_open(&loader->reader, loader->allocator, file, part, loader->store_id, error);
    if (status == KNACKDB_OK)
        status = check_head(loader, place->table, error);
    if (status == KNACKDB_OK) {
        loader->place = (struct load_place) {
            .table = (uint32_t) place->table,
            .first = place->first,
            .ended = place->ended,
            .rows_in_all = place->rows_in_all,
        };
        status = load_blocks(loader, place->table, error);
    }
    part_reader_clear(&loader->reader);
    return status;
}
