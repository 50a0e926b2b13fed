/* target_record.c - the payload of a log record: a commit. One that is whole, written again, is the same commit. */
#include "commit_bytes.h"
#include "target.h"

#include <string.h>

/* What was read is written by the engine's own writer; its bytes must read back to the same operations. NULL cells
 * of a PUT are left out by the writer, so bytes are compared only from the second writing on. */
static void
write_again(struct commit_writer *writer, const struct commit_map *map, const uint8_t *data, size_t size)
{
    struct commit_reader    reader;
    struct commit_operation operation;

    commit_writer_begin(writer);
    CLAIM(commit_reader_init(&reader, map, data, size, NULL) == KNACKDB_OK);
    while (commit_reader_next(&reader, &operation, NULL) == KNACKDB_OK)
        CLAIM(commit_writer_put(writer, operation.kind, operation.table, operation.id, operation.columns,
                                operation.values, operation.count, NULL) == KNACKDB_OK);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct commit_map map;
    const struct schema     *schema = schema_builtin();
    struct allocator         allocator;
    struct commit_writer     once;
    struct commit_writer     twice;

    if (map.table_count == 0)
        commit_map_identity(&map, schema);
    if (commit_bytes_read(&map, schema, data, size) != KNACKDB_NOT_FOUND)
        return 0;
    allocator_init(&allocator, NULL);
    commit_writer_init(&once, &allocator);
    commit_writer_init(&twice, &allocator);
    write_again(&once, &map, data, size);
    CLAIM(once.bytes <= size);
    CLAIM(commit_bytes_read(&map, schema, once.data, once.bytes) == KNACKDB_NOT_FOUND);
    write_again(&twice, &map, once.data, once.bytes);
    CLAIM(twice.bytes == once.bytes && memcmp(twice.data, once.data, once.bytes) == 0);
    commit_writer_clear(&once);
    commit_writer_clear(&twice);
    return 0;
}
