/* part_format.c - see part_format.h and docs/FORMAT.md, "Part of rows". */
#include "persist/part_format.h"

#include "base/bytes.h"
#include "base/error.h"
#include "persist/checksum.h"

#include <inttypes.h>
#include <string.h>

static const char head_magic[8] = { 'K', 'N', 'A', 'C', 'K', 'P', 'R', 'T' };
static const char end_magic[8] = { 'K', 'N', 'A', 'C', 'K', 'E', 'N', 'D' };

#define CHECKSUM_BYTES 8

void
part_head_write(struct byte_buffer *to, uint64_t store_id, uint64_t number, uint32_t row_count, uint32_t schema_version,
                const struct table *table, uint64_t *ret_checksum)
{
    static const unsigned char zeros[8] = { 0 };
    size_t                     start = to->bytes;
    size_t                     description_bytes;

    *ret_checksum = 0;
    byte_buffer_put(to, head_magic, sizeof head_magic);
    byte_buffer_put_u16(to, PART_FORMAT_VERSION);
    byte_buffer_put_u16(to, 0);
    byte_buffer_put_u32(to, 0); /* head_bytes, below */
    byte_buffer_put_u64(to, 0); /* compatible flags */
    byte_buffer_put_u64(to, 0); /* incompatible flags */
    byte_buffer_put_u64(to, store_id);
    byte_buffer_put_u64(to, number);
    byte_buffer_put_u32(to, schema_version);
    byte_buffer_put_u32(to, row_count);
    byte_buffer_put_u32(to, 0); /* description_bytes, below */
    byte_buffer_put_u32(to, 0);
    byte_buffer_put_u64(to, 0);
    description_write_table(to, table);
    description_bytes = to->bytes - start - PART_HEAD_FIXED_BYTES;
    byte_buffer_put(to, zeros, (8 - (to->bytes - start) % 8) % 8);
    if (to->failed)
        return;
    bytes_put_u32(to->data + start + 12, (uint32_t) (to->bytes - start + CHECKSUM_BYTES));
    bytes_put_u32(to->data + start + 56, (uint32_t) description_bytes);
    *ret_checksum = hash_bytes(to->data + start, to->bytes - start, 0);
    byte_buffer_put_u64(to, *ret_checksum);
}

uint32_t
part_head_measure(const void *data)
{
    const unsigned char *bytes = data;
    uint32_t             head_bytes = bytes_get_u32(bytes + 12);

    if (memcmp(bytes, head_magic, sizeof head_magic) != 0 || head_bytes < PART_HEAD_FIXED_BYTES + CHECKSUM_BYTES ||
        head_bytes > PART_HEAD_BYTES_MAX || head_bytes % 8 != 0)
        return 0;
    return head_bytes;
}

knackdb_status
part_head_read(const void *data, size_t bytes, struct part_head *ret_head, knackdb_error *error)
{
    const unsigned char *head = data;
    struct byte_reader   reader;
    struct byte_reader   description;
    const unsigned char *described;
    uint32_t             description_bytes;
    uint16_t             format;
    uint16_t             reserved;
    uint64_t             incompatible;
    uint32_t             head_bytes = bytes >= PART_HEAD_FIXED_BYTES ? part_head_measure(data) : 0;

    if (head_bytes == 0 || head_bytes > bytes)
        return error_set(error, KNACKDB_CORRUPT, "this is not the head of a part");
    ret_head->checksum = hash_bytes(head, head_bytes - CHECKSUM_BYTES, 0);
    if (!checksum_matches(bytes_get_u64(head + head_bytes - CHECKSUM_BYTES), ret_head->checksum))
        return error_set(error, KNACKDB_CORRUPT, "the head's checksum does not match");

    reader = byte_reader_of(head, head_bytes - CHECKSUM_BYTES);
    (void) byte_reader_take(&reader, sizeof head_magic);
    format = byte_reader_u16(&reader);
    reserved = byte_reader_u16(&reader);
    (void) byte_reader_u32(&reader);
    (void) byte_reader_u64(&reader); /* compatible flags: none that we would have to know */
    incompatible = byte_reader_u64(&reader);
    if (format > PART_FORMAT_VERSION || incompatible != 0)
        return error_set(error, KNACKDB_UNSUPPORTED,
                         "written by a newer version of knackdb (format %u, feature flags %" PRIx64 ")",
                         (unsigned) format, incompatible);
    ret_head->head_bytes = head_bytes;
    ret_head->store_id = byte_reader_u64(&reader);
    ret_head->number = byte_reader_u64(&reader);
    ret_head->schema_version = byte_reader_u32(&reader);
    ret_head->row_count = byte_reader_u32(&reader);
    description_bytes = byte_reader_u32(&reader);
    (void) byte_reader_take(&reader, 12);
    described = byte_reader_take(&reader, description_bytes);
    if (format == 0 || reserved != 0 || ret_head->row_count == 0 || ret_head->row_count > PART_ROWS_MAX ||
        described == NULL || byte_reader_left(&reader) >= 8)
        return error_set(error, KNACKDB_CORRUPT, "the head makes no sense");
    description = byte_reader_of(described, description_bytes);
    if (!description_read_table(&description, &ret_head->table) || byte_reader_left(&description) != 0)
        return error_set(error, KNACKDB_CORRUPT, "the head's description of the table makes no sense");
    return KNACKDB_OK;
}

void
part_end_write(struct byte_buffer *to, uint32_t block_count, uint64_t checksum)
{
    byte_buffer_put(to, end_magic, sizeof end_magic);
    byte_buffer_put_u32(to, block_count);
    byte_buffer_put_u32(to, 0);
    byte_buffer_put_u64(to, checksum);
}

bool
part_end_read(const void *data, uint32_t *ret_block_count, uint64_t *ret_checksum)
{
    const unsigned char *end = data;

    *ret_block_count = bytes_get_u32(end + 8);
    *ret_checksum = bytes_get_u64(end + 16);
    return memcmp(end, end_magic, sizeof end_magic) == 0 && bytes_get_u32(end + 12) == 0;
}
