/* target_ends.c - a file that says it tells which rows of other parts have ended. What is accepted, written again,
 * tells of the same rows; and whatever it is, looking for entries in it comes to an end. */
#include "persist/ends_format.h"
#include "persist/part_format.h"
#include "target.h"

#include <string.h>

static uint32_t
mark(const struct ends_entry *entry, uint64_t *ended)
{
    size_t   words = (entry->row_count + 63) / 64;
    uint32_t count = 0;

    CLAIM(entry->row_count <= PART_ROWS_MAX && entry->ended_count > 0 && entry->ended_count <= entry->row_count);
    memset(ended, 0, words * sizeof *ended);
    ends_mark(entry, ended);
    for (size_t i = 0; i < words; i++)
        count += (uint32_t) __builtin_popcountll(ended[i]);
    CLAIM(count == entry->ended_count);
    return count;
}

/* What repair finds in the same bytes: sound entries, one behind the other. */
static void
seek_entries(const void *data, size_t bytes)
{
    static uint64_t    ended[PART_ROWS_MAX / 64];
    struct ends_reader reader;
    struct ends_entry  entry;
    uint64_t           rows = 0;
    size_t             sum = 0;
    size_t             entry_bytes;

    (void) ends_salvage(&reader, data, bytes, 1, 1);
    while (ends_seek(&reader, &entry, &entry_bytes)) {
        rows += mark(&entry, ended);
        sum += entry_bytes;
        /* Each is counted with its padding, which may be what was lost. */
        CLAIM(sum <= bytes + 8 * (size_t) reader.read);
    }
    CLAIM(rows == reader.rows_read);
}

/* Reads all entries; each is written into `to` where there is one. Returns how it ended. */
static knackdb_status
read_entries(const void *data, size_t bytes, struct byte_buffer *to)
{
    static uint64_t    ended[PART_ROWS_MAX / 64];
    struct ends_reader reader;
    struct ends_writer writer;
    struct ends_entry  entry;
    uint64_t           store_id = bytes >= ENDS_HEAD_BYTES ? bytes_get_u64((const uint8_t *) data + 32) : 0;
    uint64_t           number = bytes >= ENDS_HEAD_BYTES ? bytes_get_u64((const uint8_t *) data + 40) : 0;
    size_t             offset = 0;
    uint64_t           rows = 0;
    knackdb_status     status = ends_open(&reader, data, bytes, store_id, number, &offset, NULL);

    CLAIM(status == KNACKDB_OK || status == KNACKDB_CORRUPT || status == KNACKDB_UNSUPPORTED);
    CLAIM(offset <= bytes);
    if (status != KNACKDB_OK)
        return status;
    if (to != NULL)
        ends_begin(&writer, to, store_id, number);
    while ((status = ends_next(&reader, &entry, &offset, NULL)) == KNACKDB_OK) {
        rows += mark(&entry, ended);
        if (to != NULL)
            ends_put(&writer, entry.part, entry.row_count, ended, entry.ended_count);
    }
    CLAIM(status == KNACKDB_NOT_FOUND || status == KNACKDB_CORRUPT);
    CLAIM(status != KNACKDB_NOT_FOUND || (rows == reader.row_count && reader.read == reader.entry_count));
    if (to != NULL)
        (void) ends_finish(&writer);
    return status;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct allocator   allocator;
    struct byte_buffer once;
    struct byte_buffer twice;

    allocator_init(&allocator, NULL);
    byte_buffer_init(&once, &allocator);
    byte_buffer_init(&twice, &allocator);
    if (read_entries(data, size, &once) == KNACKDB_NOT_FOUND) {
        CLAIM(read_entries(once.data, once.bytes, &twice) == KNACKDB_NOT_FOUND);
        CLAIM(once.bytes == twice.bytes && memcmp(once.data, twice.data, once.bytes) == 0);
    }
    seek_entries(data, size);
    byte_buffer_clear(&once);
    byte_buffer_clear(&twice);
    CLAIM(atomic_load(&allocator.bytes) == 0);
    return 0;
}
