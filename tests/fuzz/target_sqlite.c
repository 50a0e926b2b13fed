/* target_sqlite.c - the import of a SQLite file. SQLite itself is well fuzzed; this is about what our source does with
 * whatever tables, types and values it reports. The last byte says into which table, for a SQLite file begins with
 * its own magic. */
#include "memory_input.h"
#include "memory_vfs.h"
#include "row_source.h"
#include "target.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct row_source *source = NULL;
    int                table;

    if (size < 2)
        return 0;
    table = import_shape_of(data[size - 1]).table;
    memory_vfs_show(data, size - 1);
    if (sqlite_source_open("import", "bytes", knackdb_table_describe(table), &source) != 0)
        return 0;
    memory_input_read_rows(source, table);
    source->close(source);
    return 0;
}
