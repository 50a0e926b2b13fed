/* ends_format.h - the bytes of a part of kind 2: which rows of other parts have ended. docs/FORMAT.md has the tables.
 *
 * Pure functions over bytes. */
#ifndef KNACKDB_PERSIST_ENDS_FORMAT_H
#define KNACKDB_PERSIST_ENDS_FORMAT_H

#include "persist/byte_buffer.h"
#include "persist/byte_reader.h"

#define ENDS_MAGIC            "KNACKOUT"
#define ENDS_FORMAT_VERSION   2
#define ENDS_HEAD_BYTES       64
#define ENDS_ENTRY_HEAD_BYTES 32

/* A file of ends being written. */
struct ends_writer {
    struct byte_buffer *to;
    size_t              start; /* where in it the head is */
    uint64_t            seed;
    uint32_t            entry_count;
    uint64_t            row_count;
};

void ends_begin(struct ends_writer *writer, struct byte_buffer *to, uint64_t store_id, uint64_t number);

/* Rows of one part, as bits; at least one is set. */
void ends_put(struct ends_writer *writer, uint64_t part, uint32_t row_count, const uint64_t *ended,
              uint32_t ended_count);

/* Fills in what the head says of the entries, and closes with the checksum of the whole, which is returned. */
uint64_t ends_finish(struct ends_writer *writer);

/* A file of ends being read. */
struct ends_reader {
    struct byte_reader entries;
    uint16_t           format;
    uint64_t           seed;
    uint32_t           entry_count;
    uint64_t           row_count; /* of all entries */
    uint64_t           checksum;
    uint32_t           read; /* entries so far */
    uint64_t           rows_read;
    uint64_t           work; /* bytes that ends_seek() has hashed */
};

struct ends_entry {
    uint64_t             part;
    uint32_t             row_count; /* of that part */
    uint32_t             ended_count;
    bool                 is_list; /* of places; otherwise bits */
    const unsigned char *data;
};

/* CORRUPT, or UNSUPPORTED where newer than we are; the message says what, *ret_offset where, neither in which file. */
knackdb_status ends_open(struct ends_reader *reader, const void *data, size_t bytes, uint64_t store_id, uint64_t number,
                         size_t *ret_offset, knackdb_error *error);

/* The next entry, NOT_FOUND behind the last. What it says is sound: as many rows as it tells of, each of them once and
 * in its part. Whether there is such a part is for the caller to know. */
knackdb_status ends_next(struct ends_reader *reader, struct ends_entry *ret_entry, size_t *ret_offset,
                         knackdb_error *error);

/* Sets the bits of the rows that have ended, in a bitmap with room for row_count of them. */
void ends_mark(const struct ends_entry *entry, uint64_t *ended);

/* ---- a damaged file ---- */

/* Instead of ends_open(), where that finds damage: what the head says is believed if its own checksum matches, and
 * otherwise (false) it says nothing. */
bool ends_salvage(struct ends_reader *reader, const void *data, size_t bytes, uint64_t store_id, uint64_t number);

/* The next entry whose own checksum matches, wherever it stands. False where there is none any more. In a file of
 * format 1 entries have none, and none is found. */
bool ends_seek(struct ends_reader *reader, struct ends_entry *ret_entry, size_t *ret_bytes);

#endif
