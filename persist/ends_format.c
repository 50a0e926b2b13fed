/* ends_format.c - see ends_format.h and docs/FORMAT.md, "Ends".
 *
 * One file tells of all parts of a table, and is written anew when any of it has changed: a bit for a row of a part in
 * which any row has ended is a thousandth of the part, where a file for each part would cost a sync for each. */
#include "persist/ends_format.h"

#include "base/error.h"
#include "base/hash.h"
#include "persist/checksum.h"
#include "persist/part_format.h"

#include <inttypes.h>
#include <string.h>

#define MAGIC_BYTES    8
#define CHECKSUM_BYTES 8

enum form {
    FORM_LIST = 0, /* places, u16 each, rising */
    FORM_BITS = 1,
};

static size_t
bits_bytes(uint32_t row_count)
{
    return (row_count + 7) / 8;
}

static size_t
entry_data_bytes(bool is_list, uint32_t row_count, uint32_t ended_count)
{
    return is_list ? (size_t) ended_count * 2 : bits_bytes(row_count);
}

void
ends_begin(struct byte_buffer *to, uint64_t store_id, uint64_t number)
{
    byte_buffer_put(to, ENDS_MAGIC, MAGIC_BYTES);
    byte_buffer_put_u16(to, ENDS_FORMAT_VERSION);
    byte_buffer_put_u16(to, 0);
    byte_buffer_put_u32(to, 0); /* entries, below */
    byte_buffer_put_u64(to, 0); /* compatible flags */
    byte_buffer_put_u64(to, 0); /* incompatible flags */
    byte_buffer_put_u64(to, store_id);
    byte_buffer_put_u64(to, number);
    byte_buffer_put_u64(to, 0); /* rows, below */
    byte_buffer_put_u64(to, 0);
}

void
ends_put(struct byte_buffer *to, uint64_t part, uint32_t row_count, const uint64_t *ended, uint32_t ended_count)
{
    static const unsigned char zeros[8] = { 0 };
    bool                       is_list = (size_t) ended_count * 2 < bits_bytes(row_count);

    byte_buffer_put_u64(to, part);
    byte_buffer_put_u32(to, row_count);
    byte_buffer_put_u32(to, ended_count);
    byte_buffer_put_u32(to, is_list ? FORM_LIST : FORM_BITS);
    byte_buffer_put_u32(to, 0);
    for (uint32_t i = 0; is_list && i < row_count; i++) {
        if ((ended[i / 64] >> i % 64 & 1) != 0)
            byte_buffer_put_u16(to, (uint16_t) i);
    }
    for (size_t i = 0; !is_list && i < bits_bytes(row_count); i++)
        byte_buffer_put_u8(to, (uint8_t) (ended[i / 8] >> i % 8 * 8));
    byte_buffer_put(to, zeros, (8 - entry_data_bytes(is_list, row_count, ended_count) % 8) % 8);
}

uint64_t
ends_finish(struct byte_buffer *to, size_t start, uint32_t entry_count, uint64_t row_count)
{
    uint64_t checksum;

    if (to->failed)
        return 0;
    bytes_put_u32(to->data + start + 12, entry_count);
    bytes_put_u64(to->data + start + 48, row_count);
    checksum = hash_bytes(to->data + start, to->bytes - start, 0);
    byte_buffer_put_u64(to, checksum);
    return checksum;
}

knackdb_status
ends_open(struct ends_reader *reader, const void *data, size_t bytes, uint64_t store_id, uint64_t number,
          size_t *ret_offset, knackdb_error *error)
{
    const unsigned char *all = data;
    uint16_t             format;
    uint64_t             incompatible;

    memset(reader, 0, sizeof *reader);
    *ret_offset = 0;
    if (bytes < ENDS_HEAD_BYTES + CHECKSUM_BYTES || memcmp(all, ENDS_MAGIC, MAGIC_BYTES) != 0)
        return error_set(error, KNACKDB_CORRUPT, "this is not a part of ends");
    *ret_offset = bytes - CHECKSUM_BYTES;
    reader->checksum = hash_bytes(all, bytes - CHECKSUM_BYTES, 0);
    if (!checksum_matches(bytes_get_u64(all + bytes - CHECKSUM_BYTES), reader->checksum))
        return error_set(error, KNACKDB_CORRUPT, "the checksum does not match");
    *ret_offset = 8;
    format = bytes_get_u16(all + 8);
    incompatible = bytes_get_u64(all + 24);
    if (format > ENDS_FORMAT_VERSION || incompatible != 0)
        return error_set(error, KNACKDB_UNSUPPORTED,
                         "written by a newer version of knackdb (format %u, feature flags %" PRIx64 ")",
                         (unsigned) format, incompatible);
    reader->entry_count = bytes_get_u32(all + 12);
    reader->row_count = bytes_get_u64(all + 48);
    if (format == 0 || bytes_get_u16(all + 10) != 0)
        return error_set(error, KNACKDB_CORRUPT, "the head makes no sense");
    *ret_offset = 32;
    if (bytes_get_u64(all + 32) != store_id || bytes_get_u64(all + 40) != number)
        return error_set(error, KNACKDB_CORRUPT, "this is not the part that the manifest names");
    reader->entries = byte_reader_of(all, bytes - CHECKSUM_BYTES);
    (void) byte_reader_take(&reader->entries, ENDS_HEAD_BYTES);
    return KNACKDB_OK;
}

/* As many rows as are told of, each in its part, and each once? */
static bool
is_sound(const struct ends_entry *entry)
{
    uint32_t count = 0;

    if (entry->is_list) {
        for (uint32_t i = 0; i < entry->ended_count; i++) {
            uint16_t place = bytes_get_u16(entry->data + i * 2);

            if (place >= entry->row_count || (i > 0 && place <= bytes_get_u16(entry->data + (i - 1) * 2)))
                return false;
        }
        return true;
    }
    for (size_t i = 0; i < bits_bytes(entry->row_count); i++)
        count += (uint32_t) __builtin_popcount(entry->data[i]);
    return count == entry->ended_count &&
           (entry->row_count % 8 == 0 || entry->data[entry->row_count / 8] >> entry->row_count % 8 == 0);
}

knackdb_status
ends_next(struct ends_reader *reader, struct ends_entry *ret_entry, size_t *ret_offset, knackdb_error *error)
{
    struct byte_reader *from = &reader->entries;
    uint32_t            form;
    uint32_t            reserved;
    size_t              data_bytes;

    *ret_offset = from->at;
    if (byte_reader_left(from) == 0) {
        if (reader->read == reader->entry_count && reader->rows_read == reader->row_count)
            return KNACKDB_NOT_FOUND;
        *ret_offset = 12;
        return error_set(error, KNACKDB_CORRUPT, "the entries are not those that the head tells of");
    }
    ret_entry->part = byte_reader_u64(from);
    ret_entry->row_count = byte_reader_u32(from);
    ret_entry->ended_count = byte_reader_u32(from);
    form = byte_reader_u32(from);
    reserved = byte_reader_u32(from);
    ret_entry->is_list = form == FORM_LIST;
    if (from->failed || form > FORM_BITS || reserved != 0 || ret_entry->row_count > PART_ROWS_MAX ||
        ret_entry->ended_count == 0 || ret_entry->ended_count > ret_entry->row_count)
        return error_set(error, KNACKDB_CORRUPT, "an entry makes no sense");
    data_bytes = entry_data_bytes(ret_entry->is_list, ret_entry->row_count, ret_entry->ended_count);
    ret_entry->data = byte_reader_take(from, data_bytes);
    (void) byte_reader_take(from, (8 - data_bytes % 8) % 8);
    if (from->failed || !is_sound(ret_entry))
        return error_set(error, KNACKDB_CORRUPT, "an entry's rows make no sense");
    reader->read++;
    reader->rows_read += ret_entry->ended_count;
    return KNACKDB_OK;
}

void
ends_mark(const struct ends_entry *entry, uint64_t *ended)
{
    for (uint32_t i = 0; i < (entry->is_list ? entry->ended_count : entry->row_count); i++) {
        uint32_t place = entry->is_list ? bytes_get_u16(entry->data + i * 2) : i;

        if (entry->is_list || (entry->data[i / 8] >> i % 8 & 1) != 0)
            ended[place / 64] |= (uint64_t) 1 << place % 64;
    }
}
