/* ends_format.c - see ends_format.h and docs/FORMAT.md, "Ends".
 *
 * One file tells of all parts of a table, and is written anew when any of it has changed: a bit for a row of a part in
 * which any row has ended is a thousandth of the part, where a file for each part would cost a sync for each. Each
 * entry has a checksum of its own, so that damage costs the ends of one part and not those of the table
 * (repair_ends.c); in format 1 it had none. */
#include "persist/ends_format.h"

#include "base/error.h"
#include "base/hash.h"
#include "persist/checksum.h"
#include "persist/part_format.h"
#include "persist/store_id.h"

#include <inttypes.h>
#include <string.h>

#define MAGIC_BYTES           8
#define CHECKSUM_BYTES        8
#define HEAD_CHECKSUM_OFFSET  (ENDS_HEAD_BYTES - CHECKSUM_BYTES)
#define ENTRY_CHECKSUM_OFFSET (ENDS_ENTRY_HEAD_BYTES - CHECKSUM_BYTES)

/* A seek hashes at most so many times the bytes of the file; an honest one needs about once. */
#define SEEK_WORK_FACTOR 16

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

static uint64_t
entry_checksum(const unsigned char *head, const unsigned char *data, size_t data_bytes, uint64_t seed)
{
    return hash_bytes(head, ENTRY_CHECKSUM_OFFSET, hash_bytes(data, data_bytes, seed));
}

/* ---- writing ---- */

void
ends_begin(struct ends_writer *writer, struct byte_buffer *to, uint64_t store_id, uint64_t number)
{
    *writer = (struct ends_writer) { .to = to, .start = to->bytes, .seed = store_id_seed(store_id, number) };
    byte_buffer_put(to, ENDS_MAGIC, MAGIC_BYTES);
    byte_buffer_put_u16(to, ENDS_FORMAT_VERSION);
    byte_buffer_put_u16(to, 0);
    byte_buffer_put_u32(to, 0); /* entries, below */
    byte_buffer_put_u64(to, 0); /* compatible flags */
    byte_buffer_put_u64(to, 0); /* incompatible flags */
    byte_buffer_put_u64(to, store_id);
    byte_buffer_put_u64(to, number);
    byte_buffer_put_u64(to, 0); /* rows, below */
    byte_buffer_put_u64(to, 0); /* checksum, below */
}

void
ends_put(struct ends_writer *writer, uint64_t part, uint32_t row_count, const uint64_t *ended, uint32_t ended_count)
{
    static const unsigned char zeros[8] = { 0 };
    struct byte_buffer        *to = writer->to;
    size_t                     start = to->bytes;
    bool                       is_list = (size_t) ended_count * 2 < bits_bytes(row_count);
    size_t                     data_bytes = entry_data_bytes(is_list, row_count, ended_count);

    byte_buffer_put_u64(to, part);
    byte_buffer_put_u32(to, row_count);
    byte_buffer_put_u32(to, ended_count);
    byte_buffer_put_u32(to, is_list ? FORM_LIST : FORM_BITS);
    byte_buffer_put_u32(to, 0);
    byte_buffer_put_u64(to, 0); /* checksum, below */
    for (uint32_t i = 0; is_list && i < row_count; i++) {
        if ((ended[i / 64] >> i % 64 & 1) != 0)
            byte_buffer_put_u16(to, (uint16_t) i);
    }
    for (size_t i = 0; !is_list && i < bits_bytes(row_count); i++)
        byte_buffer_put_u8(to, (uint8_t) (ended[i / 8] >> i % 8 * 8));
    if (!to->failed)
        bytes_put_u64(to->data + start + ENTRY_CHECKSUM_OFFSET,
                      entry_checksum(to->data + start, to->data + start + ENDS_ENTRY_HEAD_BYTES, data_bytes,
                                     writer->seed));
    byte_buffer_put(to, zeros, (8 - data_bytes % 8) % 8);
    writer->entry_count++;
    writer->row_count += ended_count;
}

uint64_t
ends_finish(struct ends_writer *writer)
{
    struct byte_buffer *to = writer->to;
    unsigned char      *head = to->data + writer->start;
    uint64_t            checksum;

    if (to->failed)
        return 0;
    bytes_put_u32(head + 12, writer->entry_count);
    bytes_put_u64(head + 48, writer->row_count);
    bytes_put_u64(head + HEAD_CHECKSUM_OFFSET, hash_bytes(head, HEAD_CHECKSUM_OFFSET, 0));
    checksum = hash_bytes(head, to->bytes - writer->start, 0);
    byte_buffer_put_u64(to, checksum);
    return checksum;
}

/* ---- reading ---- */

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

/* What begins at an offset, *ret_bytes of it, if that is an entry. */
static knackdb_status
read_entry(const struct ends_reader *reader, size_t offset, struct ends_entry *ret_entry, size_t *ret_bytes,
           knackdb_error *error)
{
    struct byte_reader   from = reader->entries;
    bool                 has_checksum = reader->format > 1;
    const unsigned char *head = from.data + offset;
    uint64_t             checksum;
    uint32_t             form;
    uint32_t             reserved;
    size_t               data_bytes;

    from.at = offset;
    ret_entry->part = byte_reader_u64(&from);
    ret_entry->row_count = byte_reader_u32(&from);
    ret_entry->ended_count = byte_reader_u32(&from);
    form = byte_reader_u32(&from);
    reserved = byte_reader_u32(&from);
    checksum = has_checksum ? byte_reader_u64(&from) : 0;
    ret_entry->is_list = form == FORM_LIST;
    if (from.failed || form > FORM_BITS || reserved != 0 || ret_entry->row_count > PART_ROWS_MAX ||
        ret_entry->ended_count == 0 || ret_entry->ended_count > ret_entry->row_count)
        return error_set(error, KNACKDB_CORRUPT, "an entry makes no sense");
    data_bytes = entry_data_bytes(ret_entry->is_list, ret_entry->row_count, ret_entry->ended_count);
    ret_entry->data = byte_reader_take(&from, data_bytes);
    *ret_bytes = from.at - offset;
    if (from.failed)
        return error_set(error, KNACKDB_CORRUPT, "an entry makes no sense");
    if (has_checksum && !checksum_matches(checksum, entry_checksum(head, ret_entry->data, data_bytes, reader->seed)))
        return error_set(error, KNACKDB_CORRUPT, "an entry's checksum does not match");
    if (!is_sound(ret_entry))
        return error_set(error, KNACKDB_CORRUPT, "an entry's rows make no sense");
    return KNACKDB_OK;
}

/* Where in a file whose checksum does not match it first is not what it was. */
static size_t
find_fault(struct ends_reader reader, size_t file_bytes)
{
    const unsigned char *head = reader.entries.data;
    struct ends_entry    entry;
    size_t               offset = file_bytes - CHECKSUM_BYTES;

    if (reader.format > 1 &&
        !checksum_matches(bytes_get_u64(head + HEAD_CHECKSUM_OFFSET), hash_bytes(head, HEAD_CHECKSUM_OFFSET, 0)))
        return 0;
    while (reader.format > 1 && byte_reader_left(&reader.entries) > 0 &&
           ends_next(&reader, &entry, &offset, NULL) == KNACKDB_OK)
        offset = file_bytes - CHECKSUM_BYTES;
    return offset;
}

/* The head, which is there. */
static void
read_head(struct ends_reader *reader, const unsigned char *all, size_t bytes, uint64_t store_id, uint64_t number)
{
    reader->format = bytes_get_u16(all + 8);
    reader->entry_count = bytes_get_u32(all + 12);
    reader->row_count = bytes_get_u64(all + 48);
    reader->seed = store_id_seed(store_id, number);
    reader->entries = byte_reader_of(all, bytes - CHECKSUM_BYTES);
    (void) byte_reader_take(&reader->entries, ENDS_HEAD_BYTES);
}

knackdb_status
ends_open(struct ends_reader *reader, const void *data, size_t bytes, uint64_t store_id, uint64_t number,
          size_t *ret_offset, knackdb_error *error)
{
    const unsigned char *all = data;
    uint64_t             incompatible;

    memset(reader, 0, sizeof *reader);
    *ret_offset = 0;
    if (bytes < ENDS_HEAD_BYTES + CHECKSUM_BYTES || memcmp(all, ENDS_MAGIC, MAGIC_BYTES) != 0)
        return error_set(error, KNACKDB_CORRUPT, "this is not a part of ends");
    read_head(reader, all, bytes, store_id, number);
    reader->checksum = hash_bytes(all, bytes - CHECKSUM_BYTES, 0);
    if (!checksum_matches(bytes_get_u64(all + bytes - CHECKSUM_BYTES), reader->checksum)) {
        *ret_offset = find_fault(*reader, bytes);
        return error_set(error, KNACKDB_CORRUPT, "the checksum does not match");
    }
    *ret_offset = 8;
    incompatible = bytes_get_u64(all + 24);
    if (reader->format > ENDS_FORMAT_VERSION || incompatible != 0)
        return error_set(error, KNACKDB_UNSUPPORTED,
                         "written by a newer version of knackdb (format %u, feature flags %" PRIx64 ")",
                         (unsigned) reader->format, incompatible);
    if (reader->format == 0 || bytes_get_u16(all + 10) != 0)
        return error_set(error, KNACKDB_CORRUPT, "the head makes no sense");
    *ret_offset = 32;
    if (bytes_get_u64(all + 32) != store_id || bytes_get_u64(all + 40) != number)
        return error_set(error, KNACKDB_CORRUPT, "this is not the part that the manifest names");
    return KNACKDB_OK;
}

knackdb_status
ends_next(struct ends_reader *reader, struct ends_entry *ret_entry, size_t *ret_offset, knackdb_error *error)
{
    struct byte_reader *from = &reader->entries;
    size_t              bytes;
    knackdb_status      status;

    *ret_offset = from->at;
    if (byte_reader_left(from) == 0) {
        if (reader->read == reader->entry_count && reader->rows_read == reader->row_count)
            return KNACKDB_NOT_FOUND;
        *ret_offset = 12;
        return error_set(error, KNACKDB_CORRUPT, "the entries are not those that the head tells of");
    }
    status = read_entry(reader, from->at, ret_entry, &bytes, error);
    if (status != KNACKDB_OK)
        return status;
    if (byte_reader_take(from, (bytes + 7) & ~(size_t) 7) == NULL)
        return error_set(error, KNACKDB_CORRUPT, "an entry makes no sense");
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

/* ---- a damaged file ---- */

bool
ends_salvage(struct ends_reader *reader, const void *data, size_t bytes, uint64_t store_id, uint64_t number)
{
    const unsigned char *all = data;

    memset(reader, 0, sizeof *reader);
    if (bytes >= ENDS_HEAD_BYTES + CHECKSUM_BYTES)
        read_head(reader, all, bytes, store_id, number);
    reader->seed = store_id_seed(store_id, number);
    reader->entries = byte_reader_of(all, bytes);
    if (reader->format > 1 && reader->format <= ENDS_FORMAT_VERSION &&
        checksum_matches(bytes_get_u64(all + HEAD_CHECKSUM_OFFSET), hash_bytes(all, HEAD_CHECKSUM_OFFSET, 0)))
        return true;
    reader->format = ENDS_FORMAT_VERSION;
    reader->entry_count = 0;
    reader->row_count = 0;
    return false;
}

bool
ends_seek(struct ends_reader *reader, struct ends_entry *ret_entry, size_t *ret_bytes)
{
    struct byte_reader *from = &reader->entries;

    for (; byte_reader_left(from) >= ENDS_ENTRY_HEAD_BYTES && reader->work / SEEK_WORK_FACTOR <= from->bytes;
         from->at++) {
        size_t bytes = 0;
        bool   is_entry = read_entry(reader, from->at, ret_entry, &bytes, NULL) == KNACKDB_OK;

        reader->work += bytes;
        if (is_entry) {
            from->at += bytes;
            reader->read++;
            reader->rows_read += ret_entry->ended_count;
            *ret_bytes = (bytes + 7) & ~(size_t) 7;
            return true;
        }
    }
    return false;
}
