/* snapshot.c - what a read view sees, column by column, chunk by chunk.
 *
 * A part holds the rows of one of core's chunks that the view sees, at most 65,536. It is
 * written in bands of rows, each column of a band a block of its own, so the memory
 * this takes is that of a band and not of the table. The view keeps what
 * it sees alive; nothing waits for us and we wait for nobody. */
#include "persist/snapshot.h"

#include "base/error.h"
#include "persist/block_format.h"
#include "persist/file_name.h"
#include "persist/part_format.h"

#include <string.h>

/* Blocks are gathered until they are worth a write. */
#define WRITE_BYTES ((size_t) 256 * 1024)

struct writing {
    struct allocator              *allocator;
    const struct snapshot_options *options;
    const struct view             *view;
    struct manifest               *manifest;
    const struct schema           *schema;
    row_number                    *rows;   /* of the part being written */
    uint32_t                       row_capacity;
    knackdb_value                 *values; /* one column of a band */
    struct block_encoder           encoder;
    struct byte_buffer             out;
    struct file                    file;
    uint64_t                       offset;
    uint32_t                       block_count;
    uint64_t                       checksum;
};

static knackdb_status
flush(struct writing *writing, knackdb_error *error)
{
    knackdb_status status = file_write(&writing->file, writing->offset, writing->out.data, writing->out.bytes, error);

    writing->offset += writing->out.bytes;
    writing->out.bytes = 0;
    return status;
}

/* How many of these rows make a band: as many as fit a block, unless the texts of a column are long. */
static uint32_t
measure_band(const struct writing *writing, uint32_t table, const row_number *rows, uint32_t row_count)
{
    const struct table *definition = &writing->schema->tables[table];
    uint32_t            band = row_count < BLOCK_ROWS_MAX ? row_count : BLOCK_ROWS_MAX;

    for (uint32_t column = 0; column < definition->column_count; column++) {
        size_t   text_bytes = 0;
        uint32_t count = 0;

        if (definition->columns[column].type != KNACKDB_TEXT)
            continue;
        while (count < band && text_bytes < BLOCK_TEXT_BYTES)
            text_bytes += view_cell(writing->view, table, rows[count++], column).as.text.length;
        band = count;
    }
    return band;
}

static knackdb_status
write_band(struct writing *writing, uint32_t table, uint32_t first_row, const row_number *rows, uint32_t row_count,
            uint64_t seed, knackdb_error *error)
{
    const struct table *definition = &writing->schema->tables[table];
    uint64_t            checksum;
    knackdb_status      status = KNACKDB_OK;

    for (uint32_t column = 0; column < definition->column_count && status == KNACKDB_OK; column++) {
        const struct column *about = &definition->columns[column];

        if (atomic_load_explicit(writing->options->cancelled, memory_order_relaxed))
            return error_set(error, KNACKDB_BUSY, "the snapshot was given up: the store is being closed");
        for (uint32_t i = 0; i < row_count; i++)
            writing->values[i] = view_cell(writing->view, table, rows[i], column);
        status = block_encode(&writing->encoder, about->type, about->storage == TEXT_DICTIONARY, (uint16_t) column,
                              first_row, writing->values, row_count, seed, &writing->out, &checksum, error);
        if (status != KNACKDB_OK)
            return status;
        writing->checksum = part_checksum_add(writing->checksum, checksum);
        writing->block_count++;
        if (writing->out.bytes >= WRITE_BYTES)
            status = flush(writing, error);
    }
    return status;
}

static knackdb_status
write_contents(struct writing *writing, uint32_t table, uint32_t row_count, const struct manifest_part *part,
               knackdb_error *error)
{
    uint64_t       seed = part_seed(writing->manifest->store_id, part->number);
    uint32_t       first_row = 0;
    knackdb_status status = KNACKDB_OK;

    writing->out.bytes = 0;
    writing->offset = 0;
    writing->block_count = 0;
    part_head_write(&writing->out, writing->manifest->store_id, part->number, row_count, writing->schema->version,
                    &writing->schema->tables[table], &writing->checksum);
    while (first_row < row_count && status == KNACKDB_OK) {
        uint32_t count = measure_band(writing, table, writing->rows + first_row, row_count - first_row);

        status = write_band(writing, table, first_row, writing->rows + first_row, count, seed, error);
        first_row += count;
    }
    if (status != KNACKDB_OK)
        return status;
    part_end_write(&writing->out, writing->block_count, writing->checksum);
    if (writing->out.failed)
        return error_no_memory(error, "a part of a snapshot");
    status = flush(writing, error);
    return status == KNACKDB_OK ? file_sync(&writing->file, error) : status;
}

static knackdb_status
write_part(struct writing *writing, uint32_t table, uint32_t row_count, knackdb_error *error)
{
    struct manifest_part part = {
        .number = writing->manifest->next_part,
        .table = (uint8_t) table,
        .kind = PART_ROWS,
        .row_count = row_count,
    };
    char           name[DISK_NAME_BYTES_MAX];
    knackdb_status status;

    file_name_write(name, FILE_PART, part.number);
    status = file_open(writing->options->dir, name, DISK_CREATE, writing->options->file_mode, &writing->file, error);
    if (status != KNACKDB_OK)
        return status;
    status = write_contents(writing, table, row_count, &part, error);
    file_close(&writing->file);
    if (status == KNACKDB_OK) {
        part.bytes = writing->offset;
        part.checksum = writing->checksum;
        status = manifest_add_part(writing->manifest, &part, error);
    }
    if (status != KNACKDB_OK) {
        (void) dir_remove(writing->options->dir, name, NULL);
        return status;
    }
    writing->manifest->next_part++;
    writing->manifest->tables[table].row_count += row_count;
    return KNACKDB_OK;
}

static knackdb_status
add_row(struct writing *writing, uint32_t count, row_number row, knackdb_error *error)
{
    if (count == writing->row_capacity) {
        uint32_t    capacity = writing->row_capacity == 0 ? BLOCK_ROWS_MAX : writing->row_capacity * 2;
        row_number *moved = allocator_resize(writing->allocator, writing->rows, writing->row_capacity * sizeof *moved,
                                             capacity * sizeof *moved);

        if (moved == NULL)
            return error_no_memory(error, "a part of a snapshot");
        writing->rows = moved;
        writing->row_capacity = capacity;
    }
    writing->rows[count] = row;
    return KNACKDB_OK;
}

static knackdb_status
write_table(struct writing *writing, uint32_t table, knackdb_error *error)
{
    row_number     row = view_next_row(writing->view, table, 0);
    uint32_t       count = 0;
    knackdb_status status = KNACKDB_OK;

    while (row != ROW_NONE && status == KNACKDB_OK) {
        row_number next = view_next_row(writing->view, table, row + 1);

        status = add_row(writing, count, row, error);
        count++;
        if (status == KNACKDB_OK && (next == ROW_NONE || next >> 16 != row >> 16 || count == PART_ROWS_MAX)) {
            status = write_part(writing, table, count, error);
            count = 0;
        }
        row = next;
    }
    return status;
}

knackdb_status
snapshot_write(struct allocator *allocator, const struct snapshot_options *options, const struct view *view,
               struct manifest *manifest, knackdb_error *error)
{
    struct writing writing = {
        .allocator = allocator,
        .options = options,
        .view = view,
        .manifest = manifest,
        .schema = store_schema(view->store),
    };
    size_t         values_bytes = BLOCK_ROWS_MAX * sizeof *writing.values;
    size_t         parts_before = manifest->part_count;
    knackdb_status status = KNACKDB_OK;

    block_encoder_init(&writing.encoder, allocator);
    byte_buffer_init(&writing.out, allocator);
    writing.values = allocator_get(allocator, values_bytes);
    if (writing.values == NULL)
        status = error_no_memory(error, "a snapshot");
    for (uint32_t table = 0; table < writing.schema->table_count && status == KNACKDB_OK; table++)
        status = write_table(&writing, table, error);

    while (status != KNACKDB_OK && manifest->part_count > parts_before) {
        char name[DISK_NAME_BYTES_MAX];

        file_name_write(name, FILE_PART, manifest->parts[--manifest->part_count].number);
        (void) dir_remove(options->dir, name, NULL);
    }
    block_encoder_clear(&writing.encoder);
    byte_buffer_clear(&writing.out);
    allocator_put(allocator, writing.values, values_bytes);
    allocator_put(allocator, writing.rows, writing.row_capacity * sizeof *writing.rows);
    return status;
}
