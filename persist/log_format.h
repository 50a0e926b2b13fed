/* log_format.h - the bytes of a log segment: a head, then records. docs/FORMAT.md has the tables.
 *
 * Pure functions over bytes; nothing here knows a file. */
#ifndef KNACKDB_PERSIST_LOG_FORMAT_H
#define KNACKDB_PERSIST_LOG_FORMAT_H

#include "base/bytes.h"
#include "base/hash.h"
#include "core/commit.h"
#include "persist/byte_buffer.h"
#include "persist/description.h"

#define LOG_FORMAT_VERSION   1
#define LOG_HEAD_FIXED_BYTES 72 /* before the description of the tables */
#define LOG_HEAD_BYTES_MAX   (LOG_HEAD_FIXED_BYTES + DESCRIPTION_BYTES_MAX + 16)

/* ---- head ---- */

struct log_head {
    uint32_t             head_bytes; /* where the records begin */
    uint64_t             store_id;
    uint64_t             serial;
    uint64_t             durable; /* newest commit known to be on stable storage when the segment was made */
    int64_t              made_at_us;
    uint32_t             schema_version;
    const unsigned char *description;
    uint32_t             description_bytes;
};

/* Appends a head of the tables of `schema`; the buffer says whether it had the memory. */
void log_head_write(struct byte_buffer *to, uint64_t store_id, uint64_t serial, uint64_t durable, int64_t made_at_us,
                    const struct schema *schema);

/* How long the head is that begins here, 0 where these are no bytes of a head. Wants LOG_HEAD_FIXED_BYTES. */
uint32_t log_head_measure(const void *data);

/* CORRUPT, or UNSUPPORTED where it is sound and newer than we are; the message says what, not where. */
knackdb_status log_head_read(const void *data, size_t bytes, struct log_head *ret_head, knackdb_error *error);

/* ---- records ---- */

enum log_record_kind {
    LOG_RECORD_COMMIT = 1,
    LOG_RECORD_SEAL = 2,       /* closed in order: everything up to `sequence` is on stable storage */
    LOG_RECORD_SKIPPABLE = 128 /* who does not know a kind from here on may pass it over */
};

#define LOG_RECORD_HEADER_BYTES 40

struct log_record {
    uint8_t              kind;
    uint32_t             payload_bytes;
    uint64_t             sequence;
    int64_t              time_us;
    uint64_t             durable; /* newest commit known to be on stable storage when this was written */
    const unsigned char *payload;
};

/* What a record takes in a segment. */
static inline size_t
log_record_bytes(size_t payload_bytes)
{
    return (LOG_RECORD_HEADER_BYTES + payload_bytes + 7) & ~(size_t) 7;
}

/* Over the first 32 bytes of the header and the payload. The seed joins in with the header: XXH3 with a
 * seed makes a secret of its own for inputs over 240 bytes, which costs more than the hash of a row. */
static inline uint64_t
log_record_checksum(const unsigned char *header, const void *payload, size_t payload_bytes, uint64_t seed)
{
    return hash_bytes(header, 32, hash_bytes(payload, payload_bytes, 0) ^ seed);
}

/* One pass over the payload, where the caller has it, and one over the 32 bytes before the checksum. */
static inline void
log_record_write_header(unsigned char *to, uint64_t seed, const struct log_record *record)
{
    bytes_put_u32(to, record->payload_bytes);
    bytes_put_u32(to + 4, record->kind); /* three reserved bytes of zero with it */
    bytes_put_u64(to + 8, record->sequence);
    bytes_put_u64(to + 16, (uint64_t) record->time_us);
    bytes_put_u64(to + 24, record->durable);
    bytes_put_u64(to + 32, log_record_checksum(to, record->payload, record->payload_bytes, seed));
}

enum log_record_state {
    LOG_WHOLE, /* a record */
    LOG_MORE,  /* may be one, but it ends behind what is available: *ret_bytes are wanted */
    LOG_BAD,   /* none: zeros, torn, or something else */
};

/* What begins at `data`? `available` bytes are there to read, `limit` (not less) up to the segment's end. */
enum log_record_state log_record_read(const void *data, size_t available, uint64_t limit, uint64_t seed,
                                      struct log_record *ret_record, size_t *ret_bytes);

#endif
