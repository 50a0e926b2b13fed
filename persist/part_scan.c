/* part_scan.c - see part_scan.h.
 *
 * Blocks stand at any byte, so behind a damaged one every byte is tried: first whether the numbers of a header there
 * can be true, which hardly any are, and only then the checksum. A file made to look like one header after another may
 * ask for no more work than a bounded number of readings of the whole. */
#include "persist/part_scan.h"

#include "base/error.h"

#include <string.h>

#define WINDOW_BYTES ((size_t) 256 * 1024)
#define WORK_FACTOR  64

knackdb_status
part_scan_init(struct part_scan *scan, struct allocator *allocator, const struct file *file, knackdb_error *error)
{
    memset(scan, 0, sizeof *scan);
    scan->allocator = allocator;
    scan->file = file;
    byte_buffer_init(&scan->window, allocator);
    byte_buffer_init(&scan->stored, allocator);
    return file_size(file, &scan->file_bytes, error);
}

void
part_scan_clear(struct part_scan *scan)
{
    byte_buffer_clear(&scan->window);
    byte_buffer_clear(&scan->stored);
    allocator_put(scan->allocator, scan->blocks, scan->block_capacity * sizeof *scan->blocks);
    scan->blocks = NULL;
}

/* *ret_header: BLOCK_HEADER_BYTES at `offset`; NULL where the file is not that long. */
static knackdb_status
look(struct part_scan *scan, uint64_t offset, const unsigned char **ret_header, knackdb_error *error)
{
    knackdb_status status;

    *ret_header = NULL;
    if (offset + BLOCK_HEADER_BYTES > scan->file_bytes)
        return KNACKDB_OK;
    if (offset < scan->window_offset || offset + BLOCK_HEADER_BYTES > scan->window_offset + scan->window.bytes) {
        scan->window.bytes = 0;
        if (!byte_buffer_reserve(&scan->window, WINDOW_BYTES))
            return error_no_memory(error, "a part of a snapshot");
        scan->window_offset = offset;
        status = file_read(scan->file, offset, scan->window.data, WINDOW_BYTES, &scan->window.bytes, error);
        if (status != KNACKDB_OK || scan->window.bytes < BLOCK_HEADER_BYTES)
            return status;
    }
    *ret_header = scan->window.data + (offset - scan->window_offset);
    return KNACKDB_OK;
}

static bool
is_plausible(const struct part_scan *scan, uint64_t offset, const unsigned char *bytes, struct block_header *ret_header)
{
    uint32_t column = bytes_get_u16(bytes + 16);

    return column < scan->table.column_count &&
           block_header_read(bytes, (knackdb_type) scan->table.types[column], ret_header, NULL) == KNACKDB_OK &&
           ret_header->first_row < scan->row_count &&
           ret_header->row_count <= scan->row_count - ret_header->first_row &&
           ret_header->stored_bytes <= scan->file_bytes - offset - BLOCK_HEADER_BYTES;
}

static knackdb_status
fetch(struct part_scan *scan, uint64_t offset, uint32_t bytes, bool *ret_there, knackdb_error *error)
{
    knackdb_status status;

    scan->stored.bytes = 0;
    if (!byte_buffer_reserve(&scan->stored, (size_t) bytes + 1))
        return error_no_memory(error, "a block of a snapshot");
    status = file_read(scan->file, offset, scan->stored.data, bytes, &scan->stored.bytes, error);
    *ret_there = status == KNACKDB_OK && scan->stored.bytes == bytes;
    return status;
}

knackdb_status
part_scan_fetch(struct part_scan *scan, const struct found_block *block, const unsigned char **ret_stored,
                knackdb_error *error)
{
    bool           there;
    knackdb_status status = fetch(scan, block->offset + BLOCK_HEADER_BYTES, block->header.stored_bytes, &there, error);

    if (status == KNACKDB_OK && !there)
        return error_set(error, KNACKDB_IO, "%s/%s: the file became shorter while it was read", scan->file->dir->path,
                         scan->file->name);
    *ret_stored = scan->stored.data;
    return status;
}

static knackdb_status
add(struct part_scan *scan, uint64_t offset, const struct block_header *header, knackdb_error *error)
{
    const struct block_header *last = scan->block_count > 0 ? &scan->blocks[scan->block_count - 1].header : NULL;
    struct found_block        *blocks;

    if (last != NULL && (header->first_row < last->first_row ||
                         (header->first_row == last->first_row && header->column <= last->column)))
        /* Sound, and yet not where it belongs: bytes of this very part, put there by nobody honest. */
        return KNACKDB_OK;
    blocks = allocator_make_room(scan->allocator, scan->blocks, scan->block_count + 1, &scan->block_capacity,
                                 sizeof *blocks);
    if (blocks == NULL)
        return error_no_memory(error, "the blocks of a snapshot");
    scan->blocks = blocks;
    scan->blocks[scan->block_count++] = (struct found_block) { offset, *header };
    return KNACKDB_OK;
}

knackdb_status
part_scan_run(struct part_scan *scan, uint64_t offset, knackdb_error *error)
{
    knackdb_status status = KNACKDB_OK;

    scan->block_count = 0;
    scan->work = 0;
    while (status == KNACKDB_OK && scan->work / WORK_FACTOR <= scan->file_bytes) {
        struct block_header  header;
        const unsigned char *bytes;
        bool                 there = false;

        status = look(scan, offset, &bytes, error);
        if (status != KNACKDB_OK || bytes == NULL)
            return status;
        if (is_plausible(scan, offset, bytes, &header)) {
            unsigned char copy[BLOCK_HEADER_BYTES];

            memcpy(copy, bytes, sizeof copy);
            scan->work += header.stored_bytes;
            status = fetch(scan, offset + BLOCK_HEADER_BYTES, header.stored_bytes, &there, error);
            there = there && block_is_intact(copy, scan->stored.data, header.stored_bytes, scan->seed);
        }
        if (status == KNACKDB_OK && there)
            status = add(scan, offset, &header, error);
        offset += there ? BLOCK_HEADER_BYTES + header.stored_bytes : 1;
    }
    return status;
}
