/* packed_file.c - see packed_file.h.
 *
 * A table of all blocks stands in front, so any byte is found by one look at it, and every size is held against the
 * file's before anything is allocated by it. One block at a time is kept unpacked: a log is read from front to back. */
#include "persist/packed_file.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/hash.h"
#include "persist/byte_buffer.h"
#include "persist/checksum.h"
#include "persist/file_name.h"
#include "persist/store_id.h"

#include <inttypes.h>
#include <lz4.h>
#include <string.h>

static const char magic[8] = { 'K', 'N', 'A', 'C', 'K', 'P', 'S', 'T' };

#define FORMAT_VERSION  1
#define HEAD_BYTES      64
#define ENTRY_BYTES     16
#define CHECKSUM_BYTES  8
#define BLOCK_RAW_BYTES 65536u
#define RAW_BYTES_MAX   ((uint64_t) 4 * 1024 * 1024 * 1024)
#define BLOCKS_MAX      (RAW_BYTES_MAX / BLOCK_RAW_BYTES)

struct packed {
    struct allocator *allocator;
    uint64_t          raw_bytes;
    uint64_t          seed;
    uint32_t          block_count;
    uint64_t         *offsets; /* block_count + 1: where each begins in the file */
    uint64_t         *checksums;
    unsigned char    *stored; /* room for a block; made when first wanted */
    unsigned char    *raw;
    uint32_t          block; /* that `raw` holds; block_count: none */
};

uint64_t
packed_size(const struct packed *packed)
{
    return packed->raw_bytes;
}

void
packed_free(struct packed *packed)
{
    if (packed == NULL)
        return;
    allocator_put(packed->allocator, packed->offsets, (packed->block_count + (size_t) 1) * sizeof *packed->offsets);
    allocator_put(packed->allocator, packed->checksums, (packed->block_count + (size_t) 1) * sizeof *packed->checksums);
    allocator_put(packed->allocator, packed->stored, BLOCK_RAW_BYTES);
    allocator_put(packed->allocator, packed->raw, BLOCK_RAW_BYTES);
    allocator_put(packed->allocator, packed, sizeof *packed);
}

/* How much of the whole is in a block. */
static uint32_t
block_raw_bytes(uint64_t raw_bytes, uint32_t block)
{
    uint64_t left = raw_bytes - (uint64_t) block * BLOCK_RAW_BYTES;

    return left < BLOCK_RAW_BYTES ? (uint32_t) left : BLOCK_RAW_BYTES;
}

/* ---- reading ---- */

/* What is on the disk, whether the file has been taken for a packed one or not. */
static knackdb_status
read_stored(const struct file *file, uint64_t offset, void *to, size_t bytes, size_t *ret_bytes, knackdb_error *error)
{
    struct file plain = *file;

    plain.packed = NULL;
    return file_read(&plain, offset, to, bytes, ret_bytes, error);
}

/* Brings a block into `raw`. CORRUPT: the message says what, not where. */
static knackdb_status
load_block(const struct file *file, uint32_t block, knackdb_error *error)
{
    struct packed *packed = file->packed;
    uint32_t       raw_bytes = block_raw_bytes(packed->raw_bytes, block);
    size_t         stored_bytes = (size_t) (packed->offsets[block + 1] - packed->offsets[block]);
    size_t         read;
    knackdb_status status;

    if (packed->block == block)
        return KNACKDB_OK;
    packed->block = packed->block_count;
    if (packed->stored == NULL)
        packed->stored = allocator_get(packed->allocator, BLOCK_RAW_BYTES);
    if (packed->raw == NULL)
        packed->raw = allocator_get(packed->allocator, BLOCK_RAW_BYTES);
    if (packed->stored == NULL || packed->raw == NULL)
        return error_no_memory(error, "a segment of the log's history");
    status = read_stored(file, packed->offsets[block], packed->stored, stored_bytes, &read, error);
    if (status != KNACKDB_OK)
        return status;
    if (read != stored_bytes ||
        !checksum_matches(packed->checksums[block], hash_bytes(packed->stored, stored_bytes, packed->seed)))
        return error_set(error, KNACKDB_CORRUPT, "a block's checksum does not match");
    if (stored_bytes == raw_bytes)
        memcpy(packed->raw, packed->stored, raw_bytes);
    else if (LZ4_decompress_safe((const char *) packed->stored, (char *) packed->raw, (int) stored_bytes,
                                 (int) raw_bytes) != (int) raw_bytes)
        return error_set(error, KNACKDB_CORRUPT, "a block cannot be unpacked");
    packed->block = block;
    return KNACKDB_OK;
}

knackdb_status
packed_read(const struct file *file, uint64_t offset, void *to, size_t bytes, size_t *ret_bytes, knackdb_error *error)
{
    struct packed *packed = file->packed;
    knackdb_error  why = { .message = "" };

    *ret_bytes = 0;
    while (*ret_bytes < bytes && offset < packed->raw_bytes) {
        uint32_t       block = (uint32_t) (offset / BLOCK_RAW_BYTES);
        uint32_t       place = (uint32_t) (offset % BLOCK_RAW_BYTES);
        size_t         part = block_raw_bytes(packed->raw_bytes, block) - place;
        knackdb_status status = load_block(file, block, &why);

        if (status == KNACKDB_CORRUPT)
            return error_set(error, status, "%s/%s: offset %" PRIu64 ": %s", file->dir->path, file->name,
                             packed->offsets[block], why.message);
        if (status != KNACKDB_OK) {
            if (error != NULL)
                *error = why;
            return status;
        }
        if (part > bytes - *ret_bytes)
            part = bytes - *ret_bytes;
        memcpy((unsigned char *) to + *ret_bytes, packed->raw + place, part);
        *ret_bytes += part;
        offset += part;
    }
    return KNACKDB_OK;
}

knackdb_status
packed_file_check(const struct file *file, uint64_t *ret_fault, knackdb_error *error)
{
    knackdb_status status = KNACKDB_OK;

    for (uint32_t block = 0; block < file->packed->block_count && status == KNACKDB_OK; block++) {
        *ret_fault = file->packed->offsets[block];
        status = load_block(file, block, error);
    }
    return status;
}

/* ---- opening ---- */

/* The table that follows the head: where each block is. False where it is not that of this file. */
static bool
take_table(struct packed *packed, const unsigned char *table, uint64_t offset, uint64_t file_bytes)
{
    for (uint32_t block = 0; block < packed->block_count; block++) {
        uint32_t stored_bytes = bytes_get_u32(table + (size_t) block * ENTRY_BYTES);

        if (stored_bytes == 0 || stored_bytes > block_raw_bytes(packed->raw_bytes, block) ||
            bytes_get_u32(table + (size_t) block * ENTRY_BYTES + 4) != 0)
            return false;
        packed->offsets[block] = offset;
        packed->checksums[block] = bytes_get_u64(table + (size_t) block * ENTRY_BYTES + 8);
        offset += stored_bytes;
    }
    packed->offsets[packed->block_count] = offset;
    return offset == file_bytes;
}

/* Head, table and the checksum over both, into an empty buffer. The message says what, not where. */
static knackdb_status
fetch_front(const struct file *file, uint64_t file_bytes, struct byte_buffer *front, knackdb_error *error)
{
    unsigned char  head[HEAD_BYTES];
    uint64_t       block_count;
    size_t         bytes;
    size_t         read;
    knackdb_status status = file_read(file, 0, head, sizeof head, &read, error);

    if (status != KNACKDB_OK)
        return status;
    if (read != sizeof head || memcmp(head, magic, sizeof magic) != 0)
        return error_set(error, KNACKDB_CORRUPT, "this is not a segment of the log's history");
    block_count = bytes_get_u32(head + 12);
    /* A sparse file may be of any size: what its head says of it is believed as far as an honest one goes. */
    if (block_count > BLOCKS_MAX || HEAD_BYTES + block_count * ENTRY_BYTES + CHECKSUM_BYTES > file_bytes)
        return error_set(error, KNACKDB_CORRUPT, "the head's checksum does not match");
    bytes = (size_t) (HEAD_BYTES + block_count * ENTRY_BYTES + CHECKSUM_BYTES);
    if (!byte_buffer_reserve(front, bytes))
        return error_no_memory(error, "a segment of the log's history");
    status = file_read(file, 0, front->data, bytes, &front->bytes, error);
    if (status == KNACKDB_OK &&
        (front->bytes != bytes || !checksum_matches(bytes_get_u64(front->data + bytes - CHECKSUM_BYTES),
                                                    hash_bytes(front->data, bytes - CHECKSUM_BYTES, 0))))
        status = error_set(error, KNACKDB_CORRUPT, "the head's checksum does not match");
    return status;
}

/* Is it the head of this segment, of a version that we can read? Its checksum is right. */
static knackdb_status
check_head(const unsigned char *head, uint64_t store_id, uint64_t number, knackdb_error *error)
{
    uint16_t format = bytes_get_u16(head + 8);
    uint64_t raw_bytes = bytes_get_u64(head + 48);

    if (format > FORMAT_VERSION || bytes_get_u64(head + 24) != 0)
        return error_set(error, KNACKDB_UNSUPPORTED, "written by a newer version of knackdb (format %u)",
                         (unsigned) format);
    if (format == 0 || bytes_get_u16(head + 10) != 0 || bytes_get_u64(head + 32) != store_id ||
        bytes_get_u64(head + 40) != number || raw_bytes > RAW_BYTES_MAX ||
        (raw_bytes + BLOCK_RAW_BYTES - 1) / BLOCK_RAW_BYTES != bytes_get_u32(head + 12))
        return error_set(error, KNACKDB_CORRUPT, "the head makes no sense here");
    return KNACKDB_OK;
}

/* Fills `packed` from the head and the table. The message says what, not where. */
static knackdb_status
read_front(struct packed *packed, const struct file *file, uint64_t store_id, uint64_t number, knackdb_error *error)
{
    struct byte_buffer front;
    uint64_t           file_bytes = 0;
    size_t             table_bytes;
    knackdb_status     status = file_size(file, &file_bytes, error);

    byte_buffer_init(&front, packed->allocator);
    if (status == KNACKDB_OK)
        status = fetch_front(file, file_bytes, &front, error);
    if (status == KNACKDB_OK)
        status = check_head(front.data, store_id, number, error);
    if (status != KNACKDB_OK)
        goto out;
    packed->raw_bytes = bytes_get_u64(front.data + 48);
    packed->block_count = packed->block = bytes_get_u32(front.data + 12);
    table_bytes = (packed->block_count + (size_t) 1) * sizeof(uint64_t);
    packed->offsets = allocator_get_zeroed(packed->allocator, table_bytes);
    packed->checksums = allocator_get_zeroed(packed->allocator, table_bytes);
    if (packed->offsets == NULL || packed->checksums == NULL)
        status = error_no_memory(error, "a segment of the log's history");
    else if (!take_table(packed, front.data + HEAD_BYTES, front.bytes, file_bytes))
        status = error_set(error, KNACKDB_CORRUPT, "the blocks are not those that the head tells of");

out:
    byte_buffer_clear(&front);
    return status;
}

knackdb_status
packed_file_take(struct allocator *allocator, struct file *file, uint64_t store_id, uint64_t number,
                 knackdb_error *error)
{
    struct packed *packed = allocator_get_zeroed(allocator, sizeof *packed);
    knackdb_error  why = { .message = "" };
    knackdb_status status;

    if (packed == NULL)
        return error_no_memory(error, "a segment of the log's history");
    packed->allocator = allocator;
    packed->seed = store_id_seed(store_id, number);
    status = read_front(packed, file, store_id, number, &why);
    if (status == KNACKDB_OK) {
        file->packed = packed;
        return KNACKDB_OK;
    }
    packed_free(packed);
    if (status == KNACKDB_CORRUPT || status == KNACKDB_UNSUPPORTED)
        return error_set(error, status, "%s/%s: offset 0: %s", file->dir->path, file->name, why.message);
    if (error != NULL)
        *error = why;
    return status;
}

knackdb_status
packed_file_open(struct allocator *allocator, const struct dir *dir, const char *name, uint64_t store_id,
                 uint64_t number, struct file *ret_file, knackdb_error *error)
{
    knackdb_status status = file_open(dir, name, DISK_READ, 0, ret_file, error);

    if (status != KNACKDB_OK)
        return status;
    status = packed_file_take(allocator, ret_file, store_id, number, error);
    if (status != KNACKDB_OK)
        file_close(ret_file);
    return status;
}

/* ---- writing ---- */

struct packing {
    const struct file *from;
    const struct file *to;
    uint64_t           raw_bytes;
    uint64_t           seed;
    uint64_t           offset; /* where the next block goes */
    unsigned char     *raw;    /* room for a block */
    char              *stored;
};

/* Packs one block and notes it in its entry of the table. */
static knackdb_status
put_block(struct packing *packing, uint32_t block, unsigned char *entry, knackdb_error *error)
{
    uint32_t       raw_bytes = block_raw_bytes(packing->raw_bytes, block);
    const void    *data = packing->stored;
    int            bytes;
    size_t         read;
    knackdb_status status =
        file_read(packing->from, (uint64_t) block * BLOCK_RAW_BYTES, packing->raw, raw_bytes, &read, error);

    if (status != KNACKDB_OK)
        return status;
    memset(packing->raw + read, 0, raw_bytes - read); /* cut meanwhile, to what it holds: there were zeros */
    bytes = LZ4_compress_default((const char *) packing->raw, packing->stored, (int) raw_bytes, (int) raw_bytes - 1);
    if (bytes <= 0) {
        data = packing->raw;
        bytes = (int) raw_bytes;
    }
    bytes_put_u32(entry, (uint32_t) bytes);
    bytes_put_u32(entry + 4, 0);
    bytes_put_u64(entry + 8, hash_bytes(data, (size_t) bytes, packing->seed));
    status = file_write(packing->to, packing->offset, data, (size_t) bytes, error);
    packing->offset += (uint64_t) bytes;
    return status;
}

/* All blocks, and their table. */
static knackdb_status
put_blocks(struct packing *packing, struct allocator *allocator, uint32_t block_count, unsigned char *table,
           knackdb_error *error)
{
    knackdb_status status = KNACKDB_OK;

    packing->raw = allocator_get(allocator, BLOCK_RAW_BYTES);
    packing->stored = allocator_get(allocator, BLOCK_RAW_BYTES);
    if (packing->raw == NULL || packing->stored == NULL)
        status = error_no_memory(error, "a segment of the log's history");
    for (uint32_t block = 0; block < block_count && status == KNACKDB_OK; block++)
        status = put_block(packing, block, table + (size_t) block * ENTRY_BYTES, error);
    allocator_put(allocator, packing->raw, BLOCK_RAW_BYTES);
    allocator_put(allocator, packing->stored, BLOCK_RAW_BYTES);
    return status;
}

static knackdb_status
write_packed(struct byte_buffer *front, const struct file *from, const struct file *to, uint64_t raw_bytes,
             uint32_t block_count, uint64_t store_id, uint64_t number, knackdb_error *error)
{
    size_t         front_bytes = HEAD_BYTES + (size_t) block_count * ENTRY_BYTES + CHECKSUM_BYTES;
    struct packing packing = {
        .from = from,
        .to = to,
        .raw_bytes = raw_bytes,
        .seed = store_id_seed(store_id, number),
        .offset = front_bytes,
    };
    knackdb_status status;

    if (!byte_buffer_reserve(front, front_bytes))
        return error_no_memory(error, "a segment of the log's history");
    status = put_blocks(&packing, front->allocator, block_count, front->data + HEAD_BYTES, error);
    if (status != KNACKDB_OK)
        return status;
    memset(front->data, 0, HEAD_BYTES);
    memcpy(front->data, magic, sizeof magic);
    bytes_put_u16(front->data + 8, FORMAT_VERSION);
    bytes_put_u32(front->data + 12, block_count);
    bytes_put_u64(front->data + 32, store_id);
    bytes_put_u64(front->data + 40, number);
    bytes_put_u64(front->data + 48, raw_bytes);
    bytes_put_u64(front->data + front_bytes - CHECKSUM_BYTES, hash_bytes(front->data, front_bytes - CHECKSUM_BYTES, 0));
    status = file_write(to, 0, front->data, front_bytes, error);
    return status == KNACKDB_OK ? file_sync(to, error) : status;
}

knackdb_status
packed_file_write(struct allocator *allocator, const struct file *from, uint64_t bytes_max, const char *name,
                  uint64_t store_id, uint64_t number, uint32_t file_mode, knackdb_error *error)
{
    struct byte_buffer front;
    struct file        to = { 0 };
    char               unfinished[DISK_NAME_BYTES_MAX];
    uint64_t           raw_bytes;
    uint32_t           block_count;
    knackdb_status     status = file_size(from, &raw_bytes, error);

    if (status != KNACKDB_OK)
        return status;
    raw_bytes = raw_bytes < bytes_max ? raw_bytes : bytes_max;
    if (raw_bytes > RAW_BYTES_MAX)
        return error_set(error, KNACKDB_UNSUPPORTED, "%s/%s: %" PRIu64 " bytes are too many to be packed",
                         from->dir->path, from->name, raw_bytes);
    block_count = (uint32_t) ((raw_bytes + BLOCK_RAW_BYTES - 1) / BLOCK_RAW_BYTES);
    file_name_write_unfinished(unfinished, name);
    status = file_open(from->dir, unfinished, DISK_CREATE, file_mode, &to, error);
    if (status != KNACKDB_OK)
        return status;
    byte_buffer_init(&front, allocator);
    status = write_packed(&front, from, &to, raw_bytes, block_count, store_id, number, error);
    byte_buffer_clear(&front);
    file_close(&to);
    if (status == KNACKDB_OK)
        status = dir_rename(from->dir, unfinished, name, error);
    if (status == KNACKDB_OK)
        return dir_sync(from->dir, error);
    (void) dir_remove(from->dir, unfinished, NULL);
    return status;
}
