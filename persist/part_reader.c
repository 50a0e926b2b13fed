/* part_reader.c - see part_reader.h.
 *
 * Blocks stand in bands: some thousand rows, one block for each column. So a reader that wants
 * rows holds one band in memory, never a whole part. */
#include "persist/part_reader.h"

#include "base/error.h"
#include "persist/checksum.h"
#include "persist/store_id.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static knackdb_status
fault(struct part_reader *reader, knackdb_status status, uint64_t offset, const char *what, knackdb_error *error)
{
    reader->fault_offset = offset;
    (void) snprintf(reader->fault_reason, sizeof reader->fault_reason, "%.150s", what);
    return error_set(error, status, "%s/%s: offset %" PRIu64 ": %s", reader->file->dir->path, reader->file->name,
                     offset, what);
}

/* Exactly `bytes` at `offset` behind what the buffer holds; CORRUPT where the file is shorter. */
static knackdb_status
read_into(struct part_reader *reader, struct byte_buffer *to, uint64_t offset, size_t bytes, knackdb_error *error)
{
    size_t         read;
    knackdb_status status;

    if (!byte_buffer_reserve(to, bytes + 1))
        return error_no_memory(error, "a part of a snapshot");
    status = file_read(reader->file, offset, to->data + to->bytes, bytes, &read, error);
    if (status == KNACKDB_OK && read != bytes)
        return fault(reader, KNACKDB_CORRUPT, offset, "the file ends too early", error);
    to->bytes += bytes;
    return status;
}

static knackdb_status
read_head(struct part_reader *reader, const struct manifest_part *part, uint64_t store_id, knackdb_error *error)
{
    knackdb_error  why = { 0 };
    char           sizes[100];
    uint32_t       head_bytes;
    knackdb_status status;

    status = file_size(reader->file, &reader->file_bytes, error);
    if (status != KNACKDB_OK)
        return status;
    if (reader->file_bytes != part->bytes) {
        (void) snprintf(sizes, sizeof sizes, "%" PRIu64 " bytes are there, the manifest says %" PRIu64,
                        reader->file_bytes, part->bytes);
        return fault(reader, KNACKDB_CORRUPT, reader->file_bytes < part->bytes ? reader->file_bytes : part->bytes,
                     sizes, error);
    }
    status = read_into(reader, &reader->head_data, 0, PART_HEAD_FIXED_BYTES, error);
    if (status != KNACKDB_OK)
        return status;
    head_bytes = part_head_measure(reader->head_data.data);
    if (head_bytes == 0)
        return fault(reader, KNACKDB_CORRUPT, 0, "this is not the head of a part", error);
    status = read_into(reader, &reader->head_data, PART_HEAD_FIXED_BYTES, head_bytes - PART_HEAD_FIXED_BYTES, error);
    if (status != KNACKDB_OK)
        return status;
    status = part_head_read(reader->head_data.data, reader->head_data.bytes, &reader->head, &why);
    if (status != KNACKDB_OK)
        return fault(reader, status, 0, why.message, error);
    if (reader->head.store_id != store_id || reader->head.number != part->number ||
        reader->head.row_count != part->row_count)
        return fault(reader, KNACKDB_CORRUPT, 32, "this is not the part that the manifest names", error);
    reader->offset = head_bytes;
    reader->checksum = reader->head.checksum;
    reader->seed = store_id_seed(store_id, part->number);
    return KNACKDB_OK;
}

knackdb_status
part_reader_open(struct part_reader *reader, struct allocator *allocator, const struct file *file,
                 const struct manifest_part *part, uint64_t store_id, knackdb_error *error)
{
    struct byte_buffer *end;
    knackdb_status      status;

    memset(reader, 0, sizeof *reader);
    reader->allocator = allocator;
    reader->file = file;
    byte_buffer_init(&reader->head_data, allocator);
    byte_buffer_init(&reader->block, allocator);
    status = read_head(reader, part, store_id, error);
    if (status != KNACKDB_OK)
        return status;
    if (reader->file_bytes < reader->offset + PART_END_BYTES)
        return fault(reader, KNACKDB_CORRUPT, reader->file_bytes, "the file ends too early", error);
    end = &reader->block;
    status = read_into(reader, end, reader->file_bytes - PART_END_BYTES, PART_END_BYTES, error);
    if (status != KNACKDB_OK)
        return status;
    if (!part_end_read(end->data, &reader->end_block_count, &reader->end_checksum) ||
        !checksum_matches(part->checksum, reader->end_checksum))
        return fault(reader, KNACKDB_CORRUPT, reader->file_bytes - PART_END_BYTES,
                     "this is not the end that the manifest names", error);
    return KNACKDB_OK;
}

void
part_reader_clear(struct part_reader *reader)
{
    byte_buffer_clear(&reader->head_data);
    byte_buffer_clear(&reader->block);
}

/* Where a band lacks a column, its rows are missing, too. */
static knackdb_status
finish(struct part_reader *reader, knackdb_error *error)
{
    if (reader->block_count != reader->end_block_count || reader->band_row != reader->head.row_count ||
        (!checksum_matches(reader->end_checksum, reader->checksum) && !reader->is_damaged))
        return fault(reader, KNACKDB_CORRUPT, reader->offset, "the blocks are not those that the end tells of", error);
    return KNACKDB_NOT_FOUND;
}

/* Is this the block that comes next? */
static bool
is_expected(const struct part_reader *reader, const struct block_header *header)
{
    return header->column == reader->column && header->first_row == reader->band_row &&
           header->row_count <= reader->head.row_count - reader->band_row &&
           (reader->column == 0 || header->row_count == reader->band_rows);
}

knackdb_status
part_reader_next(struct part_reader *reader, struct block_header *ret_header, const unsigned char **ret_stored,
                 knackdb_error *error)
{
    uint64_t       left = reader->file_bytes - PART_END_BYTES - reader->offset;
    knackdb_error  why = { 0 };
    bool           is_intact;
    knackdb_status status;

    reader->can_go_on = false;
    if (left == 0)
        return finish(reader, error);
    reader->block_offset = reader->offset;
    if (left < BLOCK_HEADER_BYTES)
        return fault(reader, KNACKDB_CORRUPT, reader->offset, "a block is cut short", error);
    reader->block.bytes = 0;
    status = read_into(reader, &reader->block, reader->offset, BLOCK_HEADER_BYTES, error);
    if (status != KNACKDB_OK)
        return status;
    status = block_header_read(reader->block.data, (knackdb_type) reader->head.table.types[reader->column], ret_header,
                               &why);
    if (status != KNACKDB_OK)
        return fault(reader, status, reader->offset, why.message, error);
    if (ret_header->stored_bytes > left - BLOCK_HEADER_BYTES)
        return fault(reader, KNACKDB_CORRUPT, reader->offset, "a block is cut short", error);
    status = read_into(reader, &reader->block, reader->offset + BLOCK_HEADER_BYTES, ret_header->stored_bytes, error);
    if (status != KNACKDB_OK)
        return status;
    *ret_stored = reader->block.data + BLOCK_HEADER_BYTES;
    is_intact = block_is_intact(reader->block.data, *ret_stored, ret_header->stored_bytes, reader->seed);
    if (!is_expected(reader, ret_header))
        return fault(reader, KNACKDB_CORRUPT, reader->offset,
                     is_intact ? "this block does not belong here" : "a block's checksum does not match", error);

    reader->checksum = part_checksum_add(reader->checksum, ret_header->checksum);
    reader->block_count++;
    reader->offset += BLOCK_HEADER_BYTES + ret_header->stored_bytes;
    reader->band_rows = ret_header->row_count;
    if (++reader->column == reader->head.table.column_count) {
        reader->column = 0;
        reader->band_row += reader->band_rows;
    }
    if (!is_intact) {
        /* Its size and place are plausible: those behind it may well be found. */
        reader->is_damaged = true;
        reader->can_go_on = true;
        return fault(reader, KNACKDB_CORRUPT, reader->block_offset, "a block's checksum does not match", error);
    }
    return KNACKDB_OK;
}
