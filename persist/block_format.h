/* block_format.h - some thousand values of one column, as bytes. docs/FORMAT.md has the tables.
 *
 * Pure functions over bytes. block_encode.c writes, block_decode.c reads. */
#ifndef KNACKDB_PERSIST_BLOCK_FORMAT_H
#define KNACKDB_PERSIST_BLOCK_FORMAT_H

#include "core/load_run.h"
#include "persist/byte_buffer.h"

#define BLOCK_HEADER_BYTES  48
#define BLOCK_ROWS_MAX      8192
#define BLOCK_RAW_BYTES_MAX ((size_t) 32 * 1024 * 1024)

/* A block is full when its rows' texts come to this: so it holds less than this and one row. */
#define BLOCK_TEXT_BYTES ((size_t) 1024 * 1024)

/* How values stand in the raw bytes. On disk: never renumber. */
enum block_encoding {
    BLOCK_PLAIN = 0,          /* numbers, 8 bytes each */
    BLOCK_SHUFFLED = 1,       /* numbers: all first bytes, all second bytes, ... */
    BLOCK_DELTA_SHUFFLED = 2, /* numbers: differences, zigzag, shuffled */
    BLOCK_TEXT = 3,           /* lengths, bytes */
    BLOCK_DICTIONARY = 4,     /* distinct texts, codes */
};

enum block_compression {
    BLOCK_STORED = 0,
    BLOCK_LZ4 = 1,
};

struct block_header {
    uint32_t stored_bytes; /* behind the header */
    uint32_t raw_bytes;    /* before compression */
    uint32_t row_count;
    uint32_t null_count;
    uint16_t column; /* in the part's description */
    uint8_t  encoding;
    uint8_t  compression;
    uint32_t first_row; /* in the part */
    uint64_t minimum;   /* of the values that are not NULL: integer, or bits of the double; 0 for TEXT */
    uint64_t maximum;
    uint64_t checksum;
};

/* ---- writing ---- */

struct block_encoder {
    struct allocator  *allocator;
    struct byte_buffer raw;
    struct byte_buffer other;  /* a transformation on trial, then the compressed bytes */
    uint32_t          *slots;  /* hash table of a dictionary: number of the distinct text, plus 1 */
    uint16_t          *codes;  /* of each row */
    uint32_t          *firsts; /* the row in which a distinct text came first */
};

void block_encoder_init(struct block_encoder *encoder, struct allocator *allocator);
void block_encoder_clear(struct block_encoder *encoder);

/* Appends a block, header and all, to `to`. Values are of `type` or NULL; `repeats`: texts may. Returns
 * its checksum in *ret_checksum. */
knackdb_status block_encode(struct block_encoder *encoder, knackdb_type type, bool repeats, uint16_t column,
                            uint32_t first_row, const knackdb_value *values, uint32_t row_count, uint64_t seed,
                            struct byte_buffer *to, uint64_t *ret_checksum, knackdb_error *error);

/* ---- reading ---- */

/* Reads a header of BLOCK_HEADER_BYTES and checks that its numbers can be true of a
 * block of a column of `type`, so that they are safe to allocate by. */
knackdb_status block_header_read(const void *data, knackdb_type type, struct block_header *ret_header,
                                 knackdb_error *error);

/* Does the header (as bytes) and what is stored behind it match the checksum? */
bool block_is_intact(const void *header, const void *stored, uint32_t stored_bytes, uint64_t seed);

/* Gives the values of a block one by one. */
struct block_decoder {
    struct allocator    *allocator;
    knackdb_type         type;
    struct block_header  header;
    struct byte_buffer   raw;
    struct byte_buffer   plain;   /* numbers, or lengths of texts, as they were */
    const unsigned char *nulls;   /* bitmap, or NULL */
    const unsigned char *texts;   /* bytes of all texts */
    const unsigned char *codes;   /* of a dictionary */
    uint32_t            *offsets; /* of its texts */
    uint32_t             text_count;
    uint32_t             offsets_capacity;
    uint32_t             row;     /* of the next value */
    uint32_t             value;   /* its place among those that are not NULL */
    size_t               text_at; /* where its bytes begin */
};

void block_decoder_init(struct block_decoder *decoder, struct allocator *allocator);
void block_decoder_clear(struct block_decoder *decoder);

/* Takes over a block whose checksum has been looked at (or not: nothing here trusts the bytes). CORRUPT where they
 * make no sense. Texts given by block_next() live until the next open or clear. */
knackdb_status block_open(struct block_decoder *decoder, knackdb_type type, const struct block_header *header,
                          const void *stored, knackdb_error *error);

/* All values at once, as core takes them; valid until the next open or clear. */
struct column_values block_values(const struct block_decoder *decoder);

/* The next value; header.row_count times. */
knackdb_value block_next(struct block_decoder *decoder);

#endif
