/* part_writer.c - what a read view sees, column by column.
 *
 * A part is written in bands of rows, each column of a band a block of its own, so the memory
 * this takes is that of a band and not of the table. The view keeps what
 * it sees alive; nothing waits for us and we wait for nobody. */
#include "persist/part_writer.h"

#include "base/error.h"
#include "persist/file_name.h"
#include "persist/part_format.h"
#include "persist/store_id.h"

/* Blocks are gathered until they are worth a write. */
#define WRITE_BYTES ((size_t) 256 * 1024)

knackdb_status
part_writer_init(struct part_writer *writer, knackdb_error *error)
{
    block_encoder_init(&writer->encoder, writer->allocator);
    byte_buffer_init(&writer->out, writer->allocator);
    writer->values = allocator_get(writer->allocator, BLOCK_ROWS_MAX * sizeof *writer->values);
    return writer->values != NULL ? KNACKDB_OK : error_no_memory(error, "a snapshot");
}

void
part_writer_clear(struct part_writer *writer)
{
    block_encoder_clear(&writer->encoder);
    byte_buffer_clear(&writer->out);
    allocator_put(writer->allocator, writer->values, BLOCK_ROWS_MAX * sizeof *writer->values);
    writer->values = NULL;
}

knackdb_status
part_writer_check_cancelled(const struct part_writer *writer, knackdb_error *error)
{
    if (atomic_load_explicit(writer->cancelled, memory_order_relaxed))
        return error_set(error, KNACKDB_BUSY, "the snapshot was given up: the store is being closed");
    return KNACKDB_OK;
}

static knackdb_status
flush(struct part_writer *writer, knackdb_error *error)
{
    knackdb_status status = file_write(&writer->file, writer->offset, writer->out.data, writer->out.bytes, error);

    writer->offset += writer->out.bytes;
    writer->out.bytes = 0;
    return status;
}

/* How many of these rows make a band: as many as fit a block, unless the texts of a column are long. */
static uint32_t
measure_band(const struct part_writer *writer, uint32_t table, const row_number *rows, uint32_t row_count)
{
    const struct table *definition = &store_schema(writer->view->store)->tables[table];
    uint32_t            band = row_count < BLOCK_ROWS_MAX ? row_count : BLOCK_ROWS_MAX;

    for (uint32_t column = 0; column < definition->column_count; column++) {
        size_t   text_bytes = 0;
        uint32_t count = 0;

        if (definition->columns[column].type != KNACKDB_TEXT)
            continue;
        while (count < band && text_bytes < BLOCK_TEXT_BYTES)
            text_bytes += view_cell(writer->view, table, rows[count++], column).as.text.length;
        band = count;
    }
    return band;
}

static knackdb_status
write_band(struct part_writer *writer, uint32_t table, uint32_t first_row, const row_number *rows, uint32_t row_count,
           uint64_t seed, knackdb_error *error)
{
    const struct table *definition = &store_schema(writer->view->store)->tables[table];
    uint64_t            checksum;
    knackdb_status      status = KNACKDB_OK;

    for (uint32_t column = 0; column < definition->column_count && status == KNACKDB_OK; column++) {
        const struct column *about = &definition->columns[column];

        status = part_writer_check_cancelled(writer, error);
        if (status != KNACKDB_OK)
            return status;
        for (uint32_t i = 0; i < row_count; i++)
            writer->values[i] = view_cell(writer->view, table, rows[i], column);
        status = block_encode(&writer->encoder, about->type, about->storage == TEXT_DICTIONARY, (uint16_t) column,
                              first_row, writer->values, row_count, seed, &writer->out, &checksum, error);
        if (status != KNACKDB_OK)
            return status;
        writer->checksum = part_checksum_add(writer->checksum, checksum);
        writer->block_count++;
        if (writer->out.bytes >= WRITE_BYTES)
            status = flush(writer, error);
    }
    return status;
}

static knackdb_status
write_contents(struct part_writer *writer, uint32_t table, const row_number *rows, uint32_t row_count, uint64_t number,
               knackdb_error *error)
{
    const struct schema *schema = store_schema(writer->view->store);
    uint64_t             seed = store_id_seed(writer->store_id, number);
    uint32_t             first_row = 0;
    knackdb_status       status = KNACKDB_OK;

    writer->out.bytes = 0;
    writer->offset = 0;
    writer->block_count = 0;
    part_head_write(&writer->out, writer->store_id, number, row_count, schema->version, &schema->tables[table],
                    &writer->checksum);
    while (first_row < row_count && status == KNACKDB_OK) {
        uint32_t count = measure_band(writer, table, rows + first_row, row_count - first_row);

        status = write_band(writer, table, first_row, rows + first_row, count, seed, error);
        first_row += count;
    }
    if (status != KNACKDB_OK)
        return status;
    part_end_write(&writer->out, writer->block_count, writer->checksum);
    if (writer->out.failed)
        return error_no_memory(error, "a part of a snapshot");
    status = flush(writer, error);
    return status == KNACKDB_OK ? file_sync(&writer->file, error) : status;
}

knackdb_status
part_writer_write(struct part_writer *writer, uint32_t table, uint64_t number, const row_number *rows,
                  uint32_t row_count, struct manifest_part *ret_part, knackdb_error *error)
{
    char           name[DISK_NAME_BYTES_MAX];
    knackdb_status status;

    file_name_write(name, FILE_PART, number);
    status = file_open(writer->dir, name, DISK_CREATE, writer->file_mode, &writer->file, error);
    if (status != KNACKDB_OK)
        return status;
    status = write_contents(writer, table, rows, row_count, number, error);
    file_close(&writer->file);
    if (status == KNACKDB_OK)
        *ret_part = (struct manifest_part) {
            .number = number,
            .table = (uint8_t) table,
            .kind = PART_ROWS,
            .row_count = row_count,
            .bytes = writer->offset,
            .checksum = writer->checksum,
        };
    return status;
}
