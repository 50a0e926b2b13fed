/* target_jsonl.c - the import of a file of JSON lines. The first byte says into which table and how the bytes come
 * in. */
#include "memory_input.h"
#include "row_source.h"
#include "target.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct import_shape shape;
    struct row_source  *source = NULL;

    if (size == 0)
        return 0;
    shape = import_shape_of(data[0]);
    if (jsonl_source_open("import", memory_input_open(data + 1, size - 1, shape.step),
                          knackdb_table_describe(shape.table), &source) != 0)
        return 0;
    memory_input_read_rows(source, shape.table);
    source->close(source);
    return 0;
}
