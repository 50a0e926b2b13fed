/* verify_parts.c - every block of every part that a manifest names.
 *
 * A damaged block is passed over where its size can be believed, so that each fault of a
 * part is told and not just the first. */
#include "persist/verification_state.h"

#include "persist/ends_file.h"
#include "persist/file_name.h"
#include "persist/manifest_files.h"
#include "persist/part_reader.h"

/* The writer may have replaced the manifest and removed its parts while we read: then nothing is missing. */
static knackdb_status
is_gone(struct verification *verification, const struct manifest *manifest, bool *ret_gone, knackdb_error *error)
{
    struct file    file = { 0 };
    char           name[DISK_NAME_BYTES_MAX];
    knackdb_status status;

    file_name_write(name, FILE_MANIFEST, manifest->generation);
    status = file_open(&verification->dir, name, DISK_READ, 0, &file, error);
    file_close(&file);
    *ret_gone = status == KNACKDB_NOT_FOUND;
    return status == KNACKDB_NOT_FOUND ? KNACKDB_OK : status;
}

static knackdb_status
verify_blocks(struct verification *verification, struct part_reader *reader, struct block_decoder *decoder,
              const char *name, knackdb_error *error)
{
    struct block_header  header;
    const unsigned char *stored;
    knackdb_error        why = { 0 };

    for (;;) {
        knackdb_type   type = (knackdb_type) reader->head.table.types[reader->column];
        knackdb_status status = part_reader_next(reader, &header, &stored, error);

        if (status == KNACKDB_NOT_FOUND)
            return KNACKDB_OK;
        if (status == KNACKDB_CORRUPT || status == KNACKDB_UNSUPPORTED) {
            verify_fault(verification, status, name, reader->fault_offset, "%s", reader->fault_reason);
            if (!reader->can_go_on)
                return KNACKDB_OK;
            continue;
        }
        if (status != KNACKDB_OK)
            return status;
        verification->report.block_count++;
        status = block_open(decoder, type, &header, stored, &why);
        if (status == KNACKDB_NO_MEMORY)
            return status;
        if (status != KNACKDB_OK)
            verify_fault(verification, status, name, reader->block_offset, "%s", why.message);
    }
}

/* Is it of the table that the manifest says? */
static void
verify_table(struct verification *verification, const struct manifest *manifest, const struct manifest_part *part,
             const struct part_reader *reader, const char *name)
{
    const char                  *expected = manifest->tables[part->table].name;
    const struct described_name *found = &reader->head.table.name;

    if (found->bytes != strlen(expected) || memcmp(found->text, expected, found->bytes) != 0)
        verify_fault(verification, KNACKDB_CORRUPT, name, PART_HEAD_FIXED_BYTES,
                     "this part is of another table than the manifest says");
}

static knackdb_status
verify_rows(struct verification *verification, const struct manifest *manifest, const struct manifest_part *part,
            const struct file *file, knackdb_error *error)
{
    struct part_reader   reader = { 0 };
    struct block_decoder decoder;
    knackdb_status       status;

    block_decoder_init(&decoder, verification->allocator);
    status = part_reader_open(&reader, verification->allocator, file, part, manifest->store_id, error);
    if (status == KNACKDB_OK) {
        verify_table(verification, manifest, part, &reader, file->name);
        status = verify_blocks(verification, &reader, &decoder, file->name, error);
    } else if (status == KNACKDB_CORRUPT || status == KNACKDB_UNSUPPORTED) {
        verify_fault(verification, status, file->name, reader.fault_offset, "%s", reader.fault_reason);
        status = KNACKDB_OK;
    }
    verification->report.byte_count += reader.file_bytes;
    block_decoder_clear(&decoder);
    part_reader_clear(&reader);
    return status;
}

static knackdb_status
verify_ends(struct verification *verification, const struct manifest *manifest, const struct manifest_part *part,
            const struct file *file, knackdb_error *error)
{
    struct byte_buffer bytes;
    struct ends_reader reader;
    struct ends_entry  entry;
    knackdb_error      why = { 0 };
    size_t             index = 0;
    size_t             fault_offset = 0;
    knackdb_status     status;

    byte_buffer_init(&bytes, verification->allocator);
    status = ends_file_read(file, part, manifest, &bytes, &reader, &fault_offset, &why);
    for (; status == KNACKDB_OK; index++)
        status = ends_file_next(&reader, manifest, part->table, &entry, &index, &fault_offset, &why);
    verification->report.byte_count += bytes.bytes;
    byte_buffer_clear(&bytes);
    if (status == KNACKDB_NOT_FOUND)
        return KNACKDB_OK;
    if (status == KNACKDB_CORRUPT || status == KNACKDB_UNSUPPORTED) {
        verify_fault(verification, status, file->name, fault_offset, "%s", why.message);
        return KNACKDB_OK;
    }
    if (error != NULL)
        *error = why;
    return status;
}

static knackdb_status
verify_part(struct verification *verification, const struct manifest *manifest, const struct manifest_part *part,
            bool *ret_gone, knackdb_error *error)
{
    struct file    file = { 0 };
    char           name[DISK_NAME_BYTES_MAX];
    knackdb_status status;

    file_name_write(name, FILE_PART, part->number);
    status = file_open(&verification->dir, name, DISK_READ, 0, &file, error);
    if (status == KNACKDB_NOT_FOUND) {
        status = is_gone(verification, manifest, ret_gone, error);
        if (status == KNACKDB_OK && !*ret_gone)
            verify_fault(verification, KNACKDB_CORRUPT, name, 0, "the file is missing");
        return status;
    }
    if (status != KNACKDB_OK)
        return status;
    verification->report.file_count++;
    if (part->kind == PART_ENDS)
        status = verify_ends(verification, manifest, part, &file, error);
    else
        status = verify_rows(verification, manifest, part, &file, error);
    file_close(&file);
    return status;
}

knackdb_status
verify_parts(struct verification *verification, const struct manifest *manifest, knackdb_error *error)
{
    knackdb_status status = KNACKDB_OK;
    bool           gone = false;

    for (size_t i = 0; i < manifest->part_count && status == KNACKDB_OK && !gone; i++)
        status = verify_part(verification, manifest, &manifest->parts[i], &gone, error);
    return status;
}
