/* target_part.c - a file that says it is a snapshot part: head, blocks band by band, end. Every value of every block
 * is read, but no store is filled: whether a value may stand in a column is core's to say, and tested there. */
#include "block_values.h"
#include "memory_file.h"
#include "persist/part_reader.h"
#include "target.h"

/* A damaged block may be passed over; what comes behind it must be read as safely. */
static void
read_blocks(struct part_reader *reader, struct block_decoder *decoder, uint64_t bytes)
{
    struct block_header  header;
    const unsigned char *stored;
    knackdb_status       status;

    for (;;) {
        uint32_t column = reader->column;
        uint64_t before = reader->offset;

        status = part_reader_next(reader, &header, &stored, NULL);
        CLAIM(status == KNACKDB_OK || status == KNACKDB_NOT_FOUND || status == KNACKDB_CORRUPT ||
              status == KNACKDB_UNSUPPORTED);
        if (status == KNACKDB_NOT_FOUND)
            CLAIM(reader->offset + PART_END_BYTES == bytes && reader->band_row == reader->head.row_count);
        if (status != KNACKDB_OK && !(status == KNACKDB_CORRUPT && reader->can_go_on))
            return;
        CLAIM(reader->offset > before && reader->offset + PART_END_BYTES <= bytes);
        CLAIM(header.first_row + header.row_count <= reader->head.row_count);
        if (block_open(decoder, (knackdb_type) reader->head.table.types[column], &header, stored, NULL) == KNACKDB_OK)
            block_values_read(decoder);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct memory_file memory;
    struct manifest_part      part = { .kind = PART_ROWS, .bytes = size };
    struct allocator          allocator;
    struct part_reader        reader;
    struct block_decoder      decoder;
    int16_t                   columns[KNACKDB_COLUMNS_MAX];
    int32_t                   table;
    knackdb_status            status;
    uint64_t                  store_id = 0;

    if (size >= PART_HEAD_FIXED_BYTES) { /* what the manifest would say of it */
        store_id = bytes_get_u64(data + 32);
        part.number = bytes_get_u64(data + 40);
        part.row_count = bytes_get_u32(data + 52);
    }
    memory_file_init(&memory, "part", data, size);
    allocator_init(&allocator, NULL);
    block_decoder_init(&decoder, &allocator);
    status = part_reader_open(&reader, &allocator, &memory.file, &part, store_id, NULL);
    CLAIM(status == KNACKDB_OK || status == KNACKDB_CORRUPT || status == KNACKDB_UNSUPPORTED);
    if (status == KNACKDB_OK) {
        status = description_map_table(&reader.head.table, schema_history_builtin(), schema_builtin(),
                                       reader.head.schema_version, &table, columns, NULL);
        CLAIM(status == KNACKDB_OK || status == KNACKDB_CORRUPT);
        read_blocks(&reader, &decoder, size);
    }
    part_reader_clear(&reader);
    block_decoder_clear(&decoder);
    CLAIM(atomic_load(&allocator.bytes) == 0);
    return 0;
}
