/* block_decode.c - values of a column, back from bytes that nobody vouches for.
 *
 * A checksum tells decay; it does not tell malice, and a fuzzer leaves it out. So every
 * count and size is held against the bytes that are there before it is used, and what
 * is allocated is bounded by what LZ4 could have made of the bytes in the file. Whether a
 * value may stand in its column is for core to say. */
#include "persist/block_format.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/hash.h"
#include "persist/byte_reader.h"
#include "persist/checksum.h"

#include <lz4.h>
#include <string.h>

/* A byte of LZ4 gives at most 255; the last few bytes may add a little. */
#define LZ4_RATIO_MAX 255
#define LZ4_SLACK     64
#define NUMBER_BYTES  8

knackdb_status
block_header_read(const void *data, knackdb_type type, struct block_header *ret_header, knackdb_error *error)
{
    const unsigned char *header = data;
    bool                 is_text = type == KNACKDB_TEXT;

    ret_header->stored_bytes = bytes_get_u32(header);
    ret_header->raw_bytes = bytes_get_u32(header + 4);
    ret_header->row_count = bytes_get_u32(header + 8);
    ret_header->null_count = bytes_get_u32(header + 12);
    ret_header->column = bytes_get_u16(header + 16);
    ret_header->encoding = header[18];
    ret_header->compression = header[19];
    ret_header->first_row = bytes_get_u32(header + 20);
    ret_header->minimum = bytes_get_u64(header + 24);
    ret_header->maximum = bytes_get_u64(header + 32);
    ret_header->checksum = bytes_get_u64(header + 40);
    if (ret_header->encoding > BLOCK_DICTIONARY || ret_header->compression > BLOCK_LZ4)
        return error_set(error, KNACKDB_UNSUPPORTED, "a block of encoding %u, compression %u, unknown to this version",
                         (unsigned) ret_header->encoding, (unsigned) ret_header->compression);
    if (ret_header->row_count == 0 || ret_header->row_count > BLOCK_ROWS_MAX ||
        ret_header->null_count > ret_header->row_count || ret_header->raw_bytes > BLOCK_RAW_BYTES_MAX ||
        ret_header->stored_bytes > ret_header->raw_bytes ||
        (ret_header->compression == BLOCK_STORED && ret_header->stored_bytes != ret_header->raw_bytes) ||
        (uint64_t) ret_header->raw_bytes > (uint64_t) ret_header->stored_bytes * LZ4_RATIO_MAX + LZ4_SLACK ||
        is_text != (ret_header->encoding >= BLOCK_TEXT))
        return error_set(error, KNACKDB_CORRUPT, "the head of a block makes no sense");
    return KNACKDB_OK;
}

bool
block_is_intact(const void *header, const void *stored, uint32_t stored_bytes, uint64_t seed)
{
    return checksum_matches(bytes_get_u64((const unsigned char *) header + 40),
                            hash_bytes(header, 40, hash_bytes(stored, stored_bytes, seed)));
}

void
block_decoder_init(struct block_decoder *decoder, struct allocator *allocator)
{
    memset(decoder, 0, sizeof *decoder);
    decoder->allocator = allocator;
    byte_buffer_init(&decoder->raw, allocator);
    byte_buffer_init(&decoder->plain, allocator);
}

void
block_decoder_clear(struct block_decoder *decoder)
{
    byte_buffer_clear(&decoder->raw);
    byte_buffer_clear(&decoder->plain);
    allocator_put(decoder->allocator, decoder->offsets, decoder->offsets_capacity * sizeof *decoder->offsets);
    decoder->offsets = NULL;
    decoder->offsets_capacity = 0;
}

static knackdb_status
decompress(struct block_decoder *decoder, const void *stored, knackdb_error *error)
{
    const struct block_header *header = &decoder->header;
    struct byte_buffer        *raw = &decoder->raw;

    raw->bytes = 0;
    raw->failed = false;
    if (!byte_buffer_reserve(raw, (size_t) header->raw_bytes + 1))
        return error_no_memory(error, "a block of a snapshot");
    if (header->compression == BLOCK_STORED) {
        byte_buffer_put(raw, stored, header->raw_bytes);
        return KNACKDB_OK;
    }
    if (LZ4_decompress_safe(stored, (char *) raw->data, (int) header->stored_bytes, (int) header->raw_bytes) !=
        (int) header->raw_bytes)
        return error_set(error, KNACKDB_CORRUPT, "a block does not decompress to its size");
    raw->bytes = header->raw_bytes;
    return KNACKDB_OK;
}

/* Swaps what `mask` names of *low with what stands `shift` bits higher in *high. */
static inline void
swap_bits(uint64_t *high, uint64_t *low, unsigned shift, uint64_t mask)
{
    uint64_t swapped = (*high >> shift ^ *low) & mask;

    *low ^= swapped;
    *high ^= swapped << shift;
}

/* Eight values whose bytes stand in eight planes: a square of 8 by 8 bytes, turned over its diagonal by swapping bytes,
 * pairs and fours. This is done to every number of a snapshot, and a byte at a time it was a twelfth of opening one. */
static void
unshuffle_eight(unsigned char *to, const unsigned char *planes, size_t count)
{
    uint64_t a = bytes_get_u64(planes), b = bytes_get_u64(planes + count), c = bytes_get_u64(planes + 2 * count),
             d = bytes_get_u64(planes + 3 * count), e = bytes_get_u64(planes + 4 * count),
             f = bytes_get_u64(planes + 5 * count), g = bytes_get_u64(planes + 6 * count),
             h = bytes_get_u64(planes + 7 * count);

    swap_bits(&a, &b, 8, UINT64_C(0x00FF00FF00FF00FF));
    swap_bits(&c, &d, 8, UINT64_C(0x00FF00FF00FF00FF));
    swap_bits(&e, &f, 8, UINT64_C(0x00FF00FF00FF00FF));
    swap_bits(&g, &h, 8, UINT64_C(0x00FF00FF00FF00FF));
    swap_bits(&a, &c, 16, UINT64_C(0x0000FFFF0000FFFF));
    swap_bits(&b, &d, 16, UINT64_C(0x0000FFFF0000FFFF));
    swap_bits(&e, &g, 16, UINT64_C(0x0000FFFF0000FFFF));
    swap_bits(&f, &h, 16, UINT64_C(0x0000FFFF0000FFFF));
    swap_bits(&a, &e, 32, UINT64_C(0x00000000FFFFFFFF));
    swap_bits(&b, &f, 32, UINT64_C(0x00000000FFFFFFFF));
    swap_bits(&c, &g, 32, UINT64_C(0x00000000FFFFFFFF));
    swap_bits(&d, &h, 32, UINT64_C(0x00000000FFFFFFFF));
    bytes_put_u64(to, a);
    bytes_put_u64(to + 8, b);
    bytes_put_u64(to + 16, c);
    bytes_put_u64(to + 24, d);
    bytes_put_u64(to + 32, e);
    bytes_put_u64(to + 40, f);
    bytes_put_u64(to + 48, g);
    bytes_put_u64(to + 56, h);
}

/* Undoes put_shuffled() into decoder->plain. */
static bool
unshuffle(struct block_decoder *decoder, const unsigned char *planes, size_t count, size_t width)
{
    struct byte_buffer *plain = &decoder->plain;
    size_t              done = 0;

    plain->bytes = 0;
    plain->failed = false;
    if (!byte_buffer_reserve(plain, count * width + 1))
        return false;
    for (; width == NUMBER_BYTES && done + 8 <= count; done += 8)
        unshuffle_eight(plain->data + done * NUMBER_BYTES, planes + done, count);
    for (size_t byte = 0; byte < width; byte++) {
        for (size_t i = done; i < count; i++)
            plain->data[i * width + byte] = planes[byte * count + i];
    }
    plain->bytes = count * width;
    return true;
}

static bool
read_nulls(struct block_decoder *decoder, struct byte_reader *from)
{
    uint32_t rows = decoder->header.row_count;
    uint32_t nulls = 0;

    decoder->nulls = NULL;
    if (decoder->header.null_count == 0 || decoder->header.null_count == rows)
        return true;
    decoder->nulls = byte_reader_take(from, (rows + 7) / 8);
    if (decoder->nulls == NULL)
        return false;
    for (uint32_t i = 0; i < (rows + 7) / 8; i++)
        nulls += (uint32_t) __builtin_popcount(decoder->nulls[i]);
    return nulls == decoder->header.null_count && (rows % 8 == 0 || decoder->nulls[rows / 8] >> rows % 8 == 0);
}

static knackdb_status
read_numbers(struct block_decoder *decoder, struct byte_reader *from, size_t count, knackdb_error *error)
{
    const unsigned char *numbers = byte_reader_take(from, count * NUMBER_BYTES);
    unsigned char       *plain;

    if (numbers == NULL)
        return error_set(error, KNACKDB_CORRUPT, "a block is too short for its numbers");
    if (decoder->header.encoding == BLOCK_PLAIN) {
        decoder->plain.bytes = 0;
        decoder->plain.failed = false;
        byte_buffer_put(&decoder->plain, numbers, count * NUMBER_BYTES);
        return decoder->plain.failed ? error_no_memory(error, "a block of a snapshot") : KNACKDB_OK;
    }
    if (!unshuffle(decoder, numbers, count, NUMBER_BYTES))
        return error_no_memory(error, "a block of a snapshot");
    plain = decoder->plain.data;
    for (size_t i = 1; decoder->header.encoding == BLOCK_DELTA_SHUFFLED && i < count; i++) {
        uint64_t zigzag = bytes_get_u64(plain + i * NUMBER_BYTES);
        uint64_t delta = zigzag >> 1 ^ (0 - (zigzag & 1));

        bytes_put_u64(plain + i * NUMBER_BYTES, bytes_get_u64(plain + (i - 1) * NUMBER_BYTES) + delta);
    }
    return KNACKDB_OK;
}

/* Lengths into decoder->plain, bytes where they are. */
static knackdb_status
read_texts(struct block_decoder *decoder, struct byte_reader *from, size_t count, knackdb_error *error)
{
    const unsigned char *lengths = byte_reader_take(from, count * 4);
    uint64_t             bytes = 0;

    if (lengths == NULL)
        return error_set(error, KNACKDB_CORRUPT, "a block is too short for its texts");
    if (!unshuffle(decoder, lengths, count, 4))
        return error_no_memory(error, "a block of a snapshot");
    for (size_t i = 0; i < count; i++) {
        uint32_t length = bytes_get_u32(decoder->plain.data + i * 4);

        if (length > KNACKDB_TEXT_BYTES_MAX)
            return error_set(error, KNACKDB_CORRUPT, "a block holds a text of %u bytes", (unsigned) length);
        bytes += length;
    }
    decoder->texts = bytes <= byte_reader_left(from) ? byte_reader_take(from, (size_t) bytes) : NULL;
    decoder->text_at = 0;
    if (decoder->texts == NULL)
        return error_set(error, KNACKDB_CORRUPT, "a block is too short for its texts");
    return KNACKDB_OK;
}

static knackdb_status
read_dictionary(struct block_decoder *decoder, struct byte_reader *from, size_t count, knackdb_error *error)
{
    uint32_t       text_count = byte_reader_u32(from);
    uint32_t       offset = 0;
    knackdb_status status;

    if (from->failed || text_count == 0 || text_count > BLOCK_ROWS_MAX)
        return error_set(error, KNACKDB_CORRUPT, "a block's dictionary makes no sense");
    status = read_texts(decoder, from, text_count, error);
    if (status != KNACKDB_OK)
        return status;
    if (decoder->offsets_capacity < text_count + 1) {
        allocator_put(decoder->allocator, decoder->offsets, decoder->offsets_capacity * sizeof *decoder->offsets);
        decoder->offsets_capacity = 0;
        decoder->offsets = allocator_get(decoder->allocator, (text_count + 1) * sizeof *decoder->offsets);
        if (decoder->offsets == NULL)
            return error_no_memory(error, "a block of a snapshot");
        decoder->offsets_capacity = text_count + 1;
    }
    for (uint32_t i = 0; i < text_count; i++) {
        decoder->offsets[i] = offset;
        offset += bytes_get_u32(decoder->plain.data + i * 4);
    }
    decoder->offsets[text_count] = offset;
    decoder->text_count = text_count;
    decoder->codes = byte_reader_take(from, text_count <= 256 ? count : count * 2);
    if (decoder->codes == NULL)
        return error_set(error, KNACKDB_CORRUPT, "a block is too short for its codes");
    for (size_t i = 0; i < count; i++) {
        uint32_t code = text_count <= 256 ? decoder->codes[i] : bytes_get_u16(decoder->codes + 2 * i);

        if (code >= text_count)
            return error_set(error, KNACKDB_CORRUPT, "a block names text %u of %u", (unsigned) code,
                             (unsigned) text_count);
    }
    return KNACKDB_OK;
}

knackdb_status
block_open(struct block_decoder *decoder, knackdb_type type, const struct block_header *header, const void *stored,
           knackdb_error *error)
{
    size_t             count = header->row_count - header->null_count;
    struct byte_reader from;
    knackdb_status     status;

    decoder->type = type;
    decoder->header = *header;
    decoder->row = 0;
    decoder->value = 0;
    status = decompress(decoder, stored, error);
    if (status != KNACKDB_OK)
        return status;
    from = byte_reader_of(decoder->raw.data, decoder->raw.bytes);
    if (!read_nulls(decoder, &from))
        return error_set(error, KNACKDB_CORRUPT, "a block's NULLs are not as many as it says");
    if (count > 0) {
        if (type != KNACKDB_TEXT)
            status = read_numbers(decoder, &from, count, error);
        else if (header->encoding == BLOCK_DICTIONARY)
            status = read_dictionary(decoder, &from, count, error);
        else
            status = read_texts(decoder, &from, count, error);
    }
    if (status == KNACKDB_OK && byte_reader_left(&from) != 0)
        status = error_set(error, KNACKDB_CORRUPT, "a block holds more than its values");
    return status;
}

struct column_values
block_values(const struct block_decoder *decoder)
{
    struct column_values values = {
        .count = decoder->header.row_count - decoder->header.null_count,
        .nulls = decoder->nulls,
    };

    if (values.count == 0)
        return values;
    if (decoder->type != KNACKDB_TEXT) {
        values.numbers = decoder->plain.data;
        return values;
    }
    values.text_count = values.count;
    values.lengths = decoder->plain.data;
    values.texts = (const char *) decoder->texts;
    if (decoder->header.encoding == BLOCK_DICTIONARY) {
        values.text_count = decoder->text_count;
        values.codes = decoder->codes;
        values.code_bytes = decoder->text_count <= 256 ? 1 : 2;
    }
    return values;
}

static knackdb_text
next_text(struct block_decoder *decoder)
{
    knackdb_text text;
    uint32_t     code;

    if (decoder->header.encoding == BLOCK_DICTIONARY) {
        code = decoder->text_count <= 256 ? decoder->codes[decoder->value]
                                          : bytes_get_u16(decoder->codes + 2 * decoder->value);
        text.data = (const char *) decoder->texts + decoder->offsets[code];
        text.length = decoder->offsets[code + 1] - decoder->offsets[code];
    } else {
        text.data = (const char *) decoder->texts + decoder->text_at;
        text.length = bytes_get_u32(decoder->plain.data + (size_t) decoder->value * 4);
        decoder->text_at += text.length;
    }
    return text;
}

knackdb_value
block_next(struct block_decoder *decoder)
{
    uint32_t      row = decoder->row++;
    knackdb_value value;

    if (decoder->header.null_count == decoder->header.row_count ||
        (decoder->nulls != NULL && (decoder->nulls[row / 8] >> row % 8 & 1) != 0))
        return knackdb_value_null();
    if (decoder->type == KNACKDB_TEXT)
        value = knackdb_value_text(next_text(decoder));
    else if (decoder->type == KNACKDB_REAL)
        value = knackdb_value_real(bytes_get_real(decoder->plain.data + (size_t) decoder->value * NUMBER_BYTES));
    else
        value = knackdb_value_integer(
            (int64_t) bytes_get_u64(decoder->plain.data + (size_t) decoder->value * NUMBER_BYTES));
    decoder->value++;
    return value;
}
