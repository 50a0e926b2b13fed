/* block_encode.c - values of a column, made small.
 *
 * LZ4 finds bytes that repeat; most columns repeat in ways that it cannot see until
 * they are rearranged. Numbers of similar size share their high bytes, so a block of
 * them is also tried with all first bytes together, then all second bytes, and so on
 * (shuffled), and with the differences of neighbours in their place (ids and times rise
 * by little). Which one pays is found by trying each on the first values of the block.
 * Texts that repeat become codes. What does not become smaller is stored as it is. */
#include "persist/block_format.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/hash.h"

#include <lz4.h>
#include <string.h>

#define TRIAL_VALUES 1024
#define SLOT_COUNT   (2 * BLOCK_ROWS_MAX)
#define NUMBER_BYTES 8

void
block_encoder_init(struct block_encoder *encoder, struct allocator *allocator)
{
    memset(encoder, 0, sizeof *encoder);
    encoder->allocator = allocator;
    byte_buffer_init(&encoder->raw, allocator);
    byte_buffer_init(&encoder->other, allocator);
}

void
block_encoder_clear(struct block_encoder *encoder)
{
    byte_buffer_clear(&encoder->raw);
    byte_buffer_clear(&encoder->other);
    allocator_put(encoder->allocator, encoder->slots, SLOT_COUNT * sizeof *encoder->slots);
    allocator_put(encoder->allocator, encoder->codes, BLOCK_ROWS_MAX * sizeof *encoder->codes);
    allocator_put(encoder->allocator, encoder->firsts, BLOCK_ROWS_MAX * sizeof *encoder->firsts);
    encoder->slots = NULL;
    encoder->codes = NULL;
    encoder->firsts = NULL;
}

/* Appends `count` integers of `width` bytes, plane by plane. */
static void
put_shuffled(struct byte_buffer *to, const unsigned char *from, size_t count, size_t width)
{
    unsigned char *planes;

    if (count == 0 || !byte_buffer_reserve(to, count * width))
        return;
    planes = to->data + to->bytes;
    for (size_t byte = 0; byte < width; byte++) {
        for (size_t i = 0; i < count; i++)
            planes[byte * count + i] = from[i * width + byte];
    }
    to->bytes += count * width;
}

static void
put_nulls(struct byte_buffer *to, const knackdb_value *values, uint32_t row_count, uint32_t null_count)
{
    size_t bytes = (row_count + 7) / 8;

    if (null_count == 0 || null_count == row_count || !byte_buffer_reserve(to, bytes))
        return;
    memset(to->data + to->bytes, 0, bytes);
    for (uint32_t i = 0; i < row_count; i++) {
        if (values[i].type == KNACKDB_NULL)
            to->data[to->bytes + i / 8] |= (unsigned char) (1u << i % 8);
    }
    to->bytes += bytes;
}

/* ---- numbers ---- */

static uint64_t
bits_of(const knackdb_value *value)
{
    uint64_t bits;

    memcpy(&bits, value->type == KNACKDB_REAL ? (const void *) &value->as.real : (const void *) &value->as.integer,
           sizeof bits);
    return bits;
}

static void
find_range(const knackdb_value *values, uint32_t row_count, struct block_header *header)
{
    const knackdb_value *low = NULL;
    const knackdb_value *high = NULL;

    for (uint32_t i = 0; i < row_count; i++) {
        const knackdb_value *value = &values[i];

        if (value->type == KNACKDB_INTEGER) {
            low = low == NULL || value->as.integer < low->as.integer ? value : low;
            high = high == NULL || value->as.integer > high->as.integer ? value : high;
        } else if (value->type == KNACKDB_REAL) {
            low = low == NULL || value->as.real < low->as.real ? value : low;
            high = high == NULL || value->as.real > high->as.real ? value : high;
        }
    }
    header->minimum = low != NULL ? bits_of(low) : 0;
    header->maximum = high != NULL ? bits_of(high) : 0;
}

/* Replaces numbers by zigzag differences from the one before: 0, -1, 1, -2 become 0, 1, 2, 3. */
static void
make_deltas(unsigned char *numbers, size_t count)
{
    for (size_t i = count; i-- > 1;) {
        uint64_t delta = bytes_get_u64(numbers + i * NUMBER_BYTES) - bytes_get_u64(numbers + (i - 1) * NUMBER_BYTES);

        bytes_put_u64(numbers + i * NUMBER_BYTES, delta << 1 ^ (0 - (delta >> 63)));
    }
}

/* What these numbers come to when encoded so; SIZE_MAX where there is no memory to find out. */
static size_t
try_encoding(struct block_encoder *encoder, const unsigned char *numbers, size_t count, enum block_encoding encoding)
{
    unsigned char copy[TRIAL_VALUES * NUMBER_BYTES];
    char          compressed[LZ4_COMPRESSBOUND(TRIAL_VALUES * NUMBER_BYTES)];
    const void   *from = copy;
    int           bytes;

    memcpy(copy, numbers, count * NUMBER_BYTES);
    if (encoding == BLOCK_DELTA_SHUFFLED)
        make_deltas(copy, count);
    if (encoding != BLOCK_PLAIN) {
        encoder->other.bytes = 0;
        put_shuffled(&encoder->other, copy, count, NUMBER_BYTES);
        if (encoder->other.failed)
            return SIZE_MAX;
        from = encoder->other.data;
    }
    bytes = LZ4_compress_default(from, compressed, (int) (count * NUMBER_BYTES), (int) sizeof compressed);
    return bytes > 0 ? (size_t) bytes : SIZE_MAX;
}

static void
put_numbers(struct block_encoder *encoder, const knackdb_value *values, uint32_t row_count, struct block_header *header)
{
    struct byte_buffer *raw = &encoder->raw;
    size_t              start = raw->bytes;
    size_t              count = row_count - header->null_count;
    size_t              trial = count < TRIAL_VALUES ? count : TRIAL_VALUES;
    size_t              best;

    if (count == 0 || !byte_buffer_reserve(raw, count * NUMBER_BYTES))
        return;
    for (uint32_t i = 0; i < row_count; i++) {
        if (values[i].type != KNACKDB_NULL)
            byte_buffer_put_u64(raw, bits_of(&values[i]));
    }
    header->encoding = BLOCK_PLAIN;
    best = try_encoding(encoder, raw->data + start, trial, BLOCK_PLAIN);
    for (int encoding = BLOCK_SHUFFLED; encoding <= BLOCK_DELTA_SHUFFLED; encoding++) {
        size_t bytes = try_encoding(encoder, raw->data + start, trial, (enum block_encoding) encoding);

        if (bytes < best) {
            best = bytes;
            header->encoding = (uint8_t) encoding;
        }
    }
    if (header->encoding == BLOCK_PLAIN)
        return;
    if (header->encoding == BLOCK_DELTA_SHUFFLED)
        make_deltas(raw->data + start, count);
    encoder->other.bytes = 0;
    put_shuffled(&encoder->other, raw->data + start, count, NUMBER_BYTES);
    raw->bytes = start;
    byte_buffer_put(raw, encoder->other.data, encoder->other.bytes);
    raw->failed |= encoder->other.failed;
}

/* ---- texts ---- */

/* Lengths, shuffled, and bytes of the texts in `rows` of them; rows == NULL: of every row that is not NULL. */
static void
put_texts(struct block_encoder *encoder, const knackdb_value *values, const uint32_t *rows, uint32_t count,
          uint32_t row_count)
{
    struct byte_buffer *raw = &encoder->raw;
    struct byte_buffer *lengths = &encoder->other;

    lengths->bytes = 0;
    for (uint32_t i = 0; i < (rows != NULL ? count : row_count); i++) {
        const knackdb_value *value = &values[rows != NULL ? rows[i] : i];

        if (value->type == KNACKDB_TEXT)
            byte_buffer_put_u32(lengths, (uint32_t) value->as.text.length);
    }
    put_shuffled(raw, lengths->data, lengths->bytes / 4, 4);
    raw->failed |= lengths->failed;
    for (uint32_t i = 0; i < (rows != NULL ? count : row_count); i++) {
        const knackdb_value *value = &values[rows != NULL ? rows[i] : i];

        if (value->type == KNACKDB_TEXT)
            byte_buffer_put(raw, value->as.text.data, value->as.text.length);
    }
}

static bool
same_text(const knackdb_value *left, const knackdb_value *right)
{
    return left->as.text.length == right->as.text.length &&
           memcmp(left->as.text.data, right->as.text.data, left->as.text.length) == 0;
}

/* Numbers the distinct texts in the order in which they come. False where a dictionary would not
 * pay (more than half of the texts are distinct) or there is no memory for the attempt. */
static bool
find_distinct(struct block_encoder *encoder, const knackdb_value *values, uint32_t row_count, uint32_t value_count,
              uint32_t *ret_distinct)
{
    uint32_t distinct = 0;

    if (encoder->slots == NULL)
        encoder->slots = allocator_get(encoder->allocator, SLOT_COUNT * sizeof *encoder->slots);
    if (encoder->codes == NULL)
        encoder->codes = allocator_get(encoder->allocator, BLOCK_ROWS_MAX * sizeof *encoder->codes);
    if (encoder->firsts == NULL)
        encoder->firsts = allocator_get(encoder->allocator, BLOCK_ROWS_MAX * sizeof *encoder->firsts);
    if (encoder->slots == NULL || encoder->codes == NULL || encoder->firsts == NULL)
        return false;
    memset(encoder->slots, 0, SLOT_COUNT * sizeof *encoder->slots);
    for (uint32_t i = 0; i < row_count; i++) {
        uint32_t slot;

        if (values[i].type != KNACKDB_TEXT)
            continue;
        slot = (uint32_t) hash_bytes(values[i].as.text.data, values[i].as.text.length, 0) % SLOT_COUNT;
        while (encoder->slots[slot] != 0 && !same_text(&values[encoder->firsts[encoder->slots[slot] - 1]], &values[i]))
            slot = (slot + 1) % SLOT_COUNT;
        if (encoder->slots[slot] == 0) {
            if (distinct >= value_count / 2)
                return false;
            encoder->firsts[distinct] = i;
            encoder->slots[slot] = ++distinct;
        }
        encoder->codes[i] = (uint16_t) (encoder->slots[slot] - 1);
    }
    *ret_distinct = distinct;
    return distinct > 0;
}

static void
put_dictionary(struct block_encoder *encoder, const knackdb_value *values, uint32_t row_count, uint32_t distinct)
{
    struct byte_buffer *raw = &encoder->raw;

    byte_buffer_put_u32(raw, distinct);
    put_texts(encoder, values, encoder->firsts, distinct, row_count);
    for (uint32_t i = 0; i < row_count; i++) {
        if (values[i].type != KNACKDB_TEXT)
            continue;
        if (distinct <= 256)
            byte_buffer_put_u8(raw, (uint8_t) encoder->codes[i]);
        else
            byte_buffer_put_u16(raw, encoder->codes[i]);
    }
}

/* ---- the block ---- */

/* Leaves in encoder->other, or in encoder->raw, what is to be stored. */
static const struct byte_buffer *
compress(struct block_encoder *encoder, struct block_header *header)
{
    struct byte_buffer *raw = &encoder->raw;
    struct byte_buffer *other = &encoder->other;
    int                 bytes = 0;

    other->bytes = 0;
    if (raw->bytes > 1 && byte_buffer_reserve(other, raw->bytes - 1))
        bytes = LZ4_compress_default((const char *) raw->data, (char *) other->data, (int) raw->bytes,
                                     (int) raw->bytes - 1);
    header->compression = bytes > 0 ? BLOCK_LZ4 : BLOCK_STORED;
    other->bytes = (size_t) bytes;
    other->failed = false; /* no room to compress in is no reason to fail */
    return bytes > 0 ? other : raw;
}

static void
write_header(unsigned char *to, struct block_header *header, const void *stored, uint64_t seed)
{
    bytes_put_u32(to, header->stored_bytes);
    bytes_put_u32(to + 4, header->raw_bytes);
    bytes_put_u32(to + 8, header->row_count);
    bytes_put_u32(to + 12, header->null_count);
    bytes_put_u16(to + 16, header->column);
    to[18] = header->encoding;
    to[19] = header->compression;
    bytes_put_u32(to + 20, header->first_row);
    bytes_put_u64(to + 24, header->minimum);
    bytes_put_u64(to + 32, header->maximum);
    header->checksum = hash_bytes(to, 40, hash_bytes(stored, header->stored_bytes, seed));
    bytes_put_u64(to + 40, header->checksum);
}

knackdb_status
block_encode(struct block_encoder *encoder, knackdb_type type, bool repeats, uint16_t column, uint32_t first_row,
             const knackdb_value *values, uint32_t row_count, uint64_t seed, struct byte_buffer *to,
             uint64_t *ret_checksum, knackdb_error *error)
{
    struct block_header       header = { .row_count = row_count, .column = column, .first_row = first_row };
    const struct byte_buffer *stored;
    uint32_t                  distinct = 0;

    for (uint32_t i = 0; i < row_count; i++)
        header.null_count += values[i].type == KNACKDB_NULL;
    encoder->raw.bytes = encoder->other.bytes = 0;
    encoder->raw.failed = encoder->other.failed = false;
    put_nulls(&encoder->raw, values, row_count, header.null_count);
    if (type != KNACKDB_TEXT) {
        find_range(values, row_count, &header);
        put_numbers(encoder, values, row_count, &header);
    } else if (repeats && find_distinct(encoder, values, row_count, row_count - header.null_count, &distinct)) {
        header.encoding = BLOCK_DICTIONARY;
        put_dictionary(encoder, values, row_count, distinct);
    } else {
        header.encoding = BLOCK_TEXT;
        put_texts(encoder, values, NULL, 0, row_count);
    }
    if (encoder->raw.failed)
        return error_no_memory(error, "a block of a snapshot");
    header.raw_bytes = (uint32_t) encoder->raw.bytes;
    stored = compress(encoder, &header);
    header.stored_bytes = (uint32_t) stored->bytes;
    if (!byte_buffer_reserve(to, BLOCK_HEADER_BYTES + stored->bytes))
        return error_no_memory(error, "a block of a snapshot");
    write_header(to->data + to->bytes, &header, stored->bytes > 0 ? (const void *) stored->data : "", seed);
    to->bytes += BLOCK_HEADER_BYTES;
    byte_buffer_put(to, stored->data, stored->bytes);
    *ret_checksum = header.checksum;
    return KNACKDB_OK;
}
