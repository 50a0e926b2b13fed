/* segment_reader.c - see segment_reader.h.
 *
 * Segments are read with read(2), never through a mapping: a bad sector is then an
 * error that names the file, and not a signal that ends the host.
 *
 * The window holds a piece of the file; it grows only for a record larger than
 * itself, and a record is never larger than what is left of the file, so a length read
 * from disk allocates no more than the file is long. */
#include "persist/segment_reader.h"

#include "base/error.h"
#include "persist/file_name.h"
#include "persist/store_id.h"

#include <inttypes.h>
#include <string.h>

#define WINDOW_BYTES ((size_t) 128 * 1024)

/* A seek checks at most this many times the bytes of the file. An honest one needs about once: false
 * headers are rare, and each is checked over the length it claims. */
#define SEEK_WORK_FACTOR 16

struct log_place
segment_reader_place(const struct segment_reader *reader, uint64_t offset)
{
    return (struct log_place) { .serial = reader->serial, .is_past = reader->file->packed != NULL, .offset = offset };
}

void
log_place_write_name(char name[DISK_NAME_BYTES_MAX], const struct log_place *place)
{
    file_name_write(name, place->is_past ? FILE_PAST : FILE_LOG, place->serial);
}

void
segment_reader_init(struct segment_reader *reader, struct allocator *allocator, const struct file *file,
                    uint64_t store_id, uint64_t serial)
{
    memset(reader, 0, sizeof *reader);
    reader->allocator = allocator;
    reader->file = file;
    reader->store_id = store_id;
    reader->serial = serial;
    reader->seed = store_id_seed(store_id, serial);
}

void
segment_reader_clear(struct segment_reader *reader)
{
    if (reader->allocator != NULL)
        allocator_put(reader->allocator, reader->window, reader->window_capacity);
    reader->window = NULL;
    reader->window_capacity = 0;
    reader->window_bytes = 0;
}

static bool
window_grow(struct segment_reader *reader, size_t capacity)
{
    unsigned char *window;

    if (capacity <= reader->window_capacity)
        return true;
    window = allocator_get(reader->allocator, capacity);
    if (window == NULL)
        return false;
    allocator_put(reader->allocator, reader->window, reader->window_capacity);
    reader->window = window;
    reader->window_capacity = capacity;
    reader->window_bytes = 0;
    return true;
}

/* Brings the bytes at `offset` into the window, `wanted` of them or up to the end of the file. */
static knackdb_status
window_load(struct segment_reader *reader, uint64_t offset, size_t wanted, knackdb_error *error)
{
    knackdb_status status;
    uint64_t       left;
    size_t         bytes;

    status = file_size(reader->file, &reader->file_bytes, error);
    if (status != KNACKDB_OK)
        return status;
    left = reader->file_bytes > offset ? reader->file_bytes - offset : 0;
    bytes = wanted > WINDOW_BYTES ? wanted : WINDOW_BYTES;
    if (bytes > left)
        bytes = (size_t) left;
    if (!window_grow(reader, bytes))
        return error_no_memory(error, "a record of the log");
    reader->window_offset = offset;
    reader->window_bytes = 0;
    return file_read(reader->file, offset, reader->window, bytes, &reader->window_bytes, error);
}

static size_t
window_available(const struct segment_reader *reader, uint64_t offset, const unsigned char **ret_data)
{
    uint64_t at = offset - reader->window_offset;

    *ret_data = NULL;
    if (offset < reader->window_offset || at > reader->window_bytes)
        return 0;
    *ret_data = reader->window + at;
    return reader->window_bytes - (size_t) at;
}

knackdb_status
segment_reader_open(struct segment_reader *reader, const struct schema_history *history, const struct schema *schema,
                    knackdb_error *error)
{
    const char                *dir = reader->file->dir->path;
    const char                *name = reader->file->name;
    struct log_head            head;
    knackdb_error              why = { 0 };
    knackdb_status             status;
    uint32_t                   head_bytes = 0;
    static const unsigned char zeros[LOG_HEAD_FIXED_BYTES] = { 0 };

    status = window_load(reader, 0, LOG_HEAD_BYTES_MAX, error);
    if (status != KNACKDB_OK)
        return status;
    if (reader->window_bytes < LOG_HEAD_FIXED_BYTES || memcmp(reader->window, zeros, LOG_HEAD_FIXED_BYTES) == 0)
        return error_set(error, KNACKDB_NOT_FOUND, "%s/%s: there is no head yet", dir, name);
    status = log_head_read(reader->window, reader->window_bytes, &head, &why);
    if (status != KNACKDB_OK)
        return error_set(error, status, "%s/%s: offset 0: %s", dir, name, why.message);
    if (head.serial != reader->serial || head.store_id != reader->store_id)
        return error_set(error, KNACKDB_CORRUPT, "%s/%s: offset 32: this is segment %" PRIu64 " of %s", dir, name,
                         head.serial, head.store_id == reader->store_id ? "this store" : "another store");
    if (head.schema_version > schema->version)
        return error_set(error, KNACKDB_UNSUPPORTED,
                         "%s/%s: written under schema version %u; this library knows up to %u", dir, name,
                         (unsigned) head.schema_version, (unsigned) schema->version);
    status = description_map(head.description, head.description_bytes, history, schema, head.schema_version,
                             &reader->map, &why);
    if (status != KNACKDB_OK)
        return error_set(error, status, "%s/%s: offset %d: %s", dir, name, LOG_HEAD_FIXED_BYTES, why.message);
    head_bytes = head.head_bytes;
    reader->head_bytes = head_bytes;
    reader->durable = head.durable;
    reader->schema_version = head.schema_version;
    reader->offset = head_bytes;
    return KNACKDB_OK;
}

static uint64_t
bytes_behind(const struct segment_reader *reader, uint64_t offset)
{
    return reader->file_bytes > offset ? reader->file_bytes - offset : 0;
}

/* What is at `offset`, by the bytes in the window, loading more of them as a record asks for it. */
static knackdb_status
look(struct segment_reader *reader, uint64_t offset, bool fresh, enum log_record_state *ret_state,
     struct log_record *ret_record, size_t *ret_bytes, knackdb_error *error)
{
    const unsigned char *data;
    size_t               available = window_available(reader, offset, &data);
    knackdb_status       status;

    *ret_bytes = LOG_RECORD_HEADER_BYTES;
    *ret_state = LOG_MORE;
    if (!fresh && available >= LOG_RECORD_HEADER_BYTES)
        *ret_state =
            log_record_read(data, available, bytes_behind(reader, offset), reader->seed, ret_record, ret_bytes);
    for (int loads = 0; *ret_state == LOG_MORE && loads < 3; loads++) {
        status = window_load(reader, offset, *ret_bytes, error);
        if (status != KNACKDB_OK)
            return status;
        available = window_available(reader, offset, &data);
        *ret_state =
            log_record_read(data, available, bytes_behind(reader, offset), reader->seed, ret_record, ret_bytes);
    }
    return KNACKDB_OK;
}

knackdb_status
segment_reader_next(struct segment_reader *reader, struct log_record *ret_record, knackdb_error *error)
{
    enum log_record_state state;
    size_t                bytes;
    knackdb_status        status;

    status = look(reader, reader->offset, false, &state, ret_record, &bytes, error);
    if (status == KNACKDB_OK && state != LOG_WHOLE) /* the window may be older than the record */
        status = look(reader, reader->offset, true, &state, ret_record, &bytes, error);
    if (status != KNACKDB_OK)
        return status;
    if (state != LOG_WHOLE)
        return KNACKDB_NOT_FOUND;
    if (ret_record->kind == LOG_RECORD_COMMIT)
        reader->last_sequence = ret_record->sequence;
    reader->offset += (bytes + 7) & ~(size_t) 7;
    return KNACKDB_OK;
}

/* May a record stand here, by what is known of this segment? Says so before anything is hashed, so that a text which
 * looks like one header after another (its lengths overlap) costs no more than any other. */
static bool
is_plausible(const struct segment_reader *reader, const unsigned char *header)
{
    uint32_t kind = bytes_get_u32(header + 4);
    uint64_t sequence = bytes_get_u64(header + 8);
    uint64_t durable = bytes_get_u64(header + 24);
    uint64_t least = reader->last_sequence > reader->durable ? reader->last_sequence : reader->durable;

    if (kind == LOG_RECORD_COMMIT ? durable >= sequence || sequence <= least : durable > sequence || sequence < least)
        return false;
    return reader->last_sequence == 0 ||
           sequence - reader->last_sequence <= reader->file_bytes / LOG_RECORD_HEADER_BYTES;
}

knackdb_status
segment_reader_seek(struct segment_reader *reader, uint64_t from, uint32_t step, knackdb_error *error)
{
    uint64_t              offset = (from + step - 1) / step * step;
    uint64_t              work = 0;
    enum log_record_state state;
    struct log_record     record;
    const unsigned char  *data;
    size_t                bytes;
    knackdb_status        status;

    status = file_size(reader->file, &reader->file_bytes, error);
    while (status == KNACKDB_OK && offset + LOG_RECORD_HEADER_BYTES <= reader->file_bytes) {
        /* Zeros are no record, though one may begin with some: pass them quickly, there may be 64 MiB of them. */
        size_t available = window_available(reader, offset, &data);
        size_t zeros = 0;

        while (zeros + 8 <= available && bytes_get_u64(data + zeros) == 0)
            zeros += 8;
        if (zeros > 0) {
            offset += zeros - 8 + step;
            continue;
        }
        if (available < LOG_RECORD_HEADER_BYTES) {
            status = window_load(reader, offset, WINDOW_BYTES, error);
            if (reader->window_bytes < LOG_RECORD_HEADER_BYTES)
                break;
            continue;
        }
        if (!is_plausible(reader, data)) {
            offset += step;
            continue;
        }
        status = look(reader, offset, false, &state, &record, &bytes, error);
        if (status != KNACKDB_OK)
            return status;
        if (state == LOG_WHOLE) {
            reader->offset = offset;
            return KNACKDB_OK;
        }
        work += bytes;
        if (bytes > LOG_RECORD_HEADER_BYTES && work / SEEK_WORK_FACTOR > reader->file_bytes)
            return error_set(error, KNACKDB_CORRUPT, "%s/%s: offset %" PRIu64 ": this is no log that knackdb wrote",
                             reader->file->dir->path, reader->file->name, from);
        offset += step;
    }
    return status != KNACKDB_OK ? status : KNACKDB_NOT_FOUND;
}

/* Compared with itself, one byte on: as fast as memcmp is. */
static bool
is_zero(const unsigned char *data, size_t bytes)
{
    return bytes == 0 || (data[0] == 0 && memcmp(data, data + 1, bytes - 1) == 0);
}

knackdb_status
segment_reader_find_end(struct segment_reader *reader, uint64_t from, uint64_t *ret_end, knackdb_error *error)
{
    uint64_t       end = from;
    uint64_t       offset = from;
    knackdb_status status;

    do {
        status = window_load(reader, offset, WINDOW_BYTES, error);
        if (status != KNACKDB_OK)
            return status;
        if (!is_zero(reader->window, reader->window_bytes)) {
            size_t last = reader->window_bytes - 1;

            while (reader->window[last] == 0)
                last--;
            end = offset + last + 1;
        }
        offset += reader->window_bytes;
    } while (reader->window_bytes > 0);
    *ret_end = end;
    return KNACKDB_OK;
}
