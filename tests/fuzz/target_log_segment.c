/* target_log_segment.c - a file that says it is a log segment: head, records, seeking behind what cannot be read,
 * finding where the zeros begin; each commit is read as recovery would. */
#include "commit_bytes.h"
#include "memory_file.h"
#include "persist/segment_reader.h"
#include "target.h"

/* Store and serial as the head names them, so that a fuzzer need not guess 16 bytes. */
static uint64_t
named_at(const uint8_t *data, size_t size, size_t offset)
{
    return size >= offset + 8 ? bytes_get_u64(data + offset) : 0;
}

/* Every record up to the first place that is none. Returns how many. */
static size_t
read_run(struct segment_reader *reader, const struct schema *schema, uint64_t bytes)
{
    struct log_record record;
    size_t            count = 0;

    for (;;) {
        uint64_t       before = reader->offset;
        knackdb_status status = segment_reader_next(reader, &record, NULL);

        CLAIM(status == KNACKDB_OK || status == KNACKDB_NOT_FOUND);
        if (status == KNACKDB_NOT_FOUND)
            break;
        count++;
        CLAIM(reader->offset == before + log_record_bytes(record.payload_bytes));
        CLAIM(before + LOG_RECORD_HEADER_BYTES + record.payload_bytes <= bytes);
        if (record.kind == LOG_RECORD_COMMIT)
            (void) commit_bytes_read(&reader->map, schema, record.payload, record.payload_bytes);
    }
    return count;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct memory_file memory;
    const struct schema      *schema = schema_builtin();
    struct allocator          allocator;
    struct segment_reader     reader;
    knackdb_status            status;
    uint32_t                  step = size % 2 == 0 ? SEGMENT_STEP_RECORDS : SEGMENT_STEP_BYTES;
    uint64_t                  end = 0;

    memory_file_init(&memory, "log", data, size);
    allocator_init(&allocator, NULL);
    segment_reader_init(&reader, &allocator, &memory.file, named_at(data, size, 32), named_at(data, size, 40));
    status = segment_reader_open(&reader, schema_history_builtin(), schema, NULL);
    CLAIM(status == KNACKDB_OK || status == KNACKDB_NOT_FOUND || status == KNACKDB_CORRUPT ||
          status == KNACKDB_UNSUPPORTED);
    while (status == KNACKDB_OK) {
        (void) read_run(&reader, schema, size);
        CLAIM(segment_reader_find_end(&reader, reader.offset, &end, NULL) == KNACKDB_OK);
        CLAIM(end >= reader.offset && (end == reader.offset || (end <= size && data[end - 1] != 0)));
        status = segment_reader_seek(&reader, reader.offset, step, NULL);
        CLAIM(status == KNACKDB_OK || status == KNACKDB_NOT_FOUND || status == KNACKDB_CORRUPT);
        if (status == KNACKDB_OK)
            CLAIM(reader.offset % step == 0 && reader.offset + LOG_RECORD_HEADER_BYTES <= size);
    }
    /* A length read from the file allocates no more than the file is long. */
    CLAIM(reader.window_capacity <= size);
    segment_reader_clear(&reader);
    CLAIM(atomic_load(&allocator.bytes) == 0);
    return 0;
}
