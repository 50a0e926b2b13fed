/* commit_bytes.c - see commit_bytes.h. */
#include "commit_bytes.h"

#include "base/utf8.h"
#include "target.h"

#include <math.h>

static void
claim_operation(const struct commit_operation *operation, const struct schema *schema, const char *payload,
                size_t bytes)
{
    const struct table *table = &schema->tables[operation->table];
    uint64_t            seen = 0;

    CLAIM(operation->kind >= KNACKDB_LOG_PUT && operation->kind <= KNACKDB_LOG_CLEAN_UP);
    CLAIM(operation->table < schema->table_count);
    CLAIM(operation->kind == KNACKDB_LOG_CLEAN_UP ? operation->id == 0 : operation->id > 0);
    CLAIM(operation->count < KNACKDB_COLUMNS_MAX);
    for (size_t i = 0; i < operation->count; i++) {
        const knackdb_value *value = &operation->values[i];
        uint32_t             column = operation->columns[i];

        CLAIM(column > 0 && column < table->column_count);
        CLAIM((seen & KNACKDB_BIT(column)) == 0);
        seen |= KNACKDB_BIT(column);
        CLAIM(value->type == KNACKDB_NULL || value->type == table->columns[column].type);
        if (value->type == KNACKDB_REAL)
            CLAIM(isfinite(value->as.real));
        if (value->type == KNACKDB_TEXT) {
            CLAIM(value->as.text.data >= payload && value->as.text.data <= payload + bytes);
            CLAIM(value->as.text.length <= (size_t) (payload + bytes - value->as.text.data));
            CLAIM(utf8_is_valid(value->as.text.data, value->as.text.length));
        }
    }
}

knackdb_status
commit_bytes_read(const struct commit_map *map, const struct schema *schema, const void *payload, size_t bytes)
{
    struct commit_reader    reader;
    struct commit_operation operation;
    knackdb_error           error = { 0 };
    knackdb_status          status;
    uint32_t                count = 0;

    status = commit_reader_init(&reader, map, payload, bytes, &error);
    while (status == KNACKDB_OK) {
        status = commit_reader_next(&reader, &operation, &error);
        if (status != KNACKDB_OK)
            break;
        count++;
        if (!operation.table_dropped)
            claim_operation(&operation, schema, payload, bytes);
    }
    CLAIM(status == KNACKDB_NOT_FOUND || status == KNACKDB_CORRUPT);
    CLAIM(status != KNACKDB_NOT_FOUND || count == reader.operation_count);
    CLAIM(status != KNACKDB_CORRUPT || error.message[0] != '\0');
    return status;
}
