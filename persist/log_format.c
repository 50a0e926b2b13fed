/* log_format.c - see log_format.h and docs/FORMAT.md, "Log segment". */
#include "persist/log_format.h"

#include "base/error.h"
#include "persist/checksum.h"

#include <inttypes.h>
#include <string.h>

static const char magic[8] = { 'K', 'N', 'A', 'C', 'K', 'L', 'O', 'G' };

#define CHECKSUM_BYTES 8

void
log_head_write(struct byte_buffer *to, uint64_t store_id, uint64_t serial, uint64_t durable, int64_t made_at_us,
               const struct schema *schema)
{
    static const unsigned char zeros[8] = { 0 };
    size_t                     start = to->bytes;
    size_t                     description_bytes;

    byte_buffer_put(to, magic, sizeof magic);
    byte_buffer_put_u16(to, LOG_FORMAT_VERSION);
    byte_buffer_put_u16(to, 0);
    byte_buffer_put_u32(to, 0); /* head_bytes, below */
    byte_buffer_put_u64(to, 0); /* compatible flags */
    byte_buffer_put_u64(to, 0); /* incompatible flags */
    byte_buffer_put_u64(to, store_id);
    byte_buffer_put_u64(to, serial);
    byte_buffer_put_u64(to, durable);
    byte_buffer_put_u64(to, (uint64_t) made_at_us);
    byte_buffer_put_u32(to, schema->version);
    byte_buffer_put_u32(to, 0); /* description_bytes, below */
    description_write(to, schema);
    description_bytes = to->bytes - start - LOG_HEAD_FIXED_BYTES;
    byte_buffer_put(to, zeros, (8 - (to->bytes - start) % 8) % 8);
    if (to->failed)
        return;
    bytes_put_u32(to->data + start + 12, (uint32_t) (to->bytes - start + CHECKSUM_BYTES));
    bytes_put_u32(to->data + start + 68, (uint32_t) description_bytes);
    byte_buffer_put_u64(to, hash_bytes(to->data + start, to->bytes - start, 0));
}

uint32_t
log_head_measure(const void *data)
{
    const unsigned char *bytes = data;
    uint32_t             head_bytes = bytes_get_u32(bytes + 12);

    if (memcmp(bytes, magic, sizeof magic) != 0 || head_bytes < LOG_HEAD_FIXED_BYTES + CHECKSUM_BYTES ||
        head_bytes > LOG_HEAD_BYTES_MAX || head_bytes % 8 != 0)
        return 0;
    return head_bytes;
}

knackdb_status
log_head_read(const void *data, size_t bytes, struct log_head *ret_head, knackdb_error *error)
{
    const unsigned char *head = data;
    struct byte_reader   reader;
    uint16_t             format;
    uint16_t             reserved;
    uint64_t             incompatible;
    uint32_t             head_bytes = bytes >= LOG_HEAD_FIXED_BYTES ? log_head_measure(data) : 0;

    if (head_bytes == 0 || head_bytes > bytes)
        return error_set(error, KNACKDB_CORRUPT, "this is not the head of a log segment");
    if (!checksum_matches(bytes_get_u64(head + head_bytes - CHECKSUM_BYTES),
                          hash_bytes(head, head_bytes - CHECKSUM_BYTES, 0)))
        return error_set(error, KNACKDB_CORRUPT, "the head's checksum does not match");

    reader = byte_reader_of(head, head_bytes - CHECKSUM_BYTES);
    (void) byte_reader_take(&reader, sizeof magic);
    format = byte_reader_u16(&reader);
    reserved = byte_reader_u16(&reader);
    (void) byte_reader_u32(&reader);
    (void) byte_reader_u64(&reader); /* compatible flags: none that we would have to know */
    incompatible = byte_reader_u64(&reader);
    if (format > LOG_FORMAT_VERSION || incompatible != 0)
        return error_set(error, KNACKDB_UNSUPPORTED,
                         "written by a newer version of knackdb (format %u, feature flags %" PRIx64 ")",
                         (unsigned) format, incompatible);
    if (format == 0 || reserved != 0)
        return error_set(error, KNACKDB_CORRUPT, "the head names format %u, which never was", (unsigned) format);
    ret_head->head_bytes = head_bytes;
    ret_head->store_id = byte_reader_u64(&reader);
    ret_head->serial = byte_reader_u64(&reader);
    ret_head->durable = byte_reader_u64(&reader);
    ret_head->made_at_us = (int64_t) byte_reader_u64(&reader);
    ret_head->schema_version = byte_reader_u32(&reader);
    ret_head->description_bytes = byte_reader_u32(&reader);
    ret_head->description = byte_reader_take(&reader, ret_head->description_bytes);
    if (reader.failed || byte_reader_left(&reader) >= 8)
        return error_set(error, KNACKDB_CORRUPT, "the head's description of the tables does not fit into it");
    return KNACKDB_OK;
}

enum log_record_state
log_record_read(const void *data, size_t available, uint64_t limit, uint64_t seed, struct log_record *ret_record,
                size_t *ret_bytes)
{
    const unsigned char *header = data;
    uint32_t             payload_bytes;
    uint32_t             kind;

    *ret_bytes = LOG_RECORD_HEADER_BYTES;
    if (limit < LOG_RECORD_HEADER_BYTES)
        return LOG_BAD;
    if (available < LOG_RECORD_HEADER_BYTES)
        return LOG_MORE;
    payload_bytes = bytes_get_u32(header);
    kind = bytes_get_u32(header + 4);
    if (kind == 0 || kind > UINT8_MAX || payload_bytes > COMMIT_BYTES_MAX ||
        payload_bytes > limit - LOG_RECORD_HEADER_BYTES)
        return LOG_BAD;
    *ret_bytes = LOG_RECORD_HEADER_BYTES + (size_t) payload_bytes;
    if (available < *ret_bytes)
        return LOG_MORE;
    if (!checksum_matches(bytes_get_u64(header + 32),
                          log_record_checksum(header, header + LOG_RECORD_HEADER_BYTES, payload_bytes, seed)))
        return LOG_BAD;
    ret_record->kind = (uint8_t) kind;
    ret_record->payload_bytes = payload_bytes;
    ret_record->sequence = bytes_get_u64(header + 8);
    ret_record->time_us = (int64_t) bytes_get_u64(header + 16);
    ret_record->durable = bytes_get_u64(header + 24);
    ret_record->payload = header + LOG_RECORD_HEADER_BYTES;
    return LOG_WHOLE;
}
