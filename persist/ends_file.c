/* ends_file.c - see ends_file.h. */
#include "persist/ends_file.h"

#include "base/error.h"
#include "persist/checksum.h"
#include "persist/file_name.h"
#include "persist/part_format.h"

#include <inttypes.h>
#include <string.h>

static void
put_covers(struct ends_writer *writer, const struct cover_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct cover *cover = list->covers[i];

        if (cover->ended != NULL)
            ends_put(writer, cover->part.number, (uint32_t) cover->part.row_count, cover->ended, cover->ended_count);
    }
}

static knackdb_status
write_bytes(const struct part_writer *writer, uint64_t number, const struct byte_buffer *bytes, knackdb_error *error)
{
    struct file    file = { 0 };
    char           name[DISK_NAME_BYTES_MAX];
    knackdb_status status;

    file_name_write(name, FILE_PART, number);
    status = file_open(writer->dir, name, DISK_CREATE, writer->file_mode, &file, error);
    if (status == KNACKDB_OK)
        status = file_write(&file, 0, bytes->data, bytes->bytes, error);
    if (status == KNACKDB_OK)
        status = file_sync(&file, error);
    file_close(&file);
    return status;
}

knackdb_status
ends_file_write(const struct part_writer *writer, uint32_t table, struct cover_list *list, uint64_t *next_part,
                knackdb_error *error)
{
    struct ends_writer ends;
    struct byte_buffer bytes;
    uint64_t           number = *next_part;
    uint64_t           checksum;
    knackdb_status     status = KNACKDB_OK;

    memset(&list->ends, 0, sizeof list->ends);
    byte_buffer_init(&bytes, writer->allocator);
    ends_begin(&ends, &bytes, writer->store_id, number);
    put_covers(&ends, list);
    checksum = ends_finish(&ends);
    if (ends.entry_count == 0)
        goto out;
    if (bytes.failed) {
        status = error_no_memory(error, "the ends of rows");
        goto out;
    }
    ++*next_part;
    status = write_bytes(writer, number, &bytes, error);
    if (status == KNACKDB_OK)
        list->ends = (struct manifest_part) {
            .number = number,
            .table = (uint8_t) table,
            .kind = PART_ENDS,
            .row_count = ends.row_count,
            .bytes = bytes.bytes,
            .checksum = checksum,
        };

out:
    byte_buffer_clear(&bytes);
    return status;
}

/* With an entry for each part, and all bits in each. */
uint64_t
ends_file_bytes_max(size_t part_count)
{
    return ENDS_HEAD_BYTES + sizeof(uint64_t) + part_count * (uint64_t) (ENDS_ENTRY_HEAD_BYTES + PART_ROWS_MAX / 8);
}

knackdb_status
ends_file_read(const struct file *file, const struct manifest_part *part, const struct manifest *manifest,
               struct byte_buffer *ret_bytes, struct ends_reader *ret_reader, size_t *ret_fault, knackdb_error *error)
{
    uint64_t       file_bytes = 0;
    knackdb_status status;

    *ret_fault = 0;
    status = file_size(file, &file_bytes, error);
    if (status != KNACKDB_OK)
        return status;
    if (file_bytes != part->bytes) {
        *ret_fault = (size_t) (file_bytes < part->bytes ? file_bytes : part->bytes);
        return error_set(error, KNACKDB_CORRUPT, "%" PRIu64 " bytes are there, the manifest says %" PRIu64, file_bytes,
                         part->bytes);
    }
    if (file_bytes > ends_file_bytes_max(manifest->part_count))
        return error_set(error, KNACKDB_CORRUPT, "%" PRIu64 " bytes are more than the ends of %zu parts can take",
                         file_bytes, manifest->part_count);
    if (!byte_buffer_reserve(ret_bytes, (size_t) file_bytes + 1))
        return error_no_memory(error, "the ends of rows");
    status = file_read(file, 0, ret_bytes->data, (size_t) file_bytes, &ret_bytes->bytes, error);
    if (status != KNACKDB_OK)
        return status;
    status =
        ends_open(ret_reader, ret_bytes->data, ret_bytes->bytes, manifest->store_id, part->number, ret_fault, error);
    if (status == KNACKDB_OK &&
        (!checksum_matches(part->checksum, ret_reader->checksum) || ret_reader->row_count != part->row_count)) {
        *ret_fault = 32;
        status = error_set(error, KNACKDB_CORRUPT, "this is not the part that the manifest names");
    }
    return status;
}

knackdb_status
ends_file_next(struct ends_reader *reader, const struct manifest *manifest, uint32_t table,
               struct ends_entry *ret_entry, size_t *index, size_t *ret_fault, knackdb_error *error)
{
    const struct manifest_part *part;
    knackdb_status              status = ends_next(reader, ret_entry, ret_fault, error);

    if (status != KNACKDB_OK)
        return status;
    while (*index < manifest->part_count && manifest->parts[*index].number != ret_entry->part)
        ++*index;
    part = &manifest->parts[*index];
    if (*index == manifest->part_count || part->kind != PART_ROWS || part->table != table ||
        part->row_count != ret_entry->row_count)
        return error_set(error, KNACKDB_CORRUPT, "an entry tells of a part that the manifest does not name");
    return KNACKDB_OK;
}
