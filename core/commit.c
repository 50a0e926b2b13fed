/* commit.c - writing and reading the bytes that commit.h describes. */
#include "core/commit.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/utf8.h"

#include <math.h>

#define HEAD_BYTES      4
#define OPERATION_BYTES 12
#define CELL_BYTES      3
#define KEPT_BYTES      ((size_t) 64 * 1024) /* a buffer larger than this is given back after use */

void
commit_writer_init(struct commit_writer *writer, struct allocator *allocator)
{
    memset(writer, 0, sizeof *writer);
    writer->allocator = allocator;
}

void
commit_writer_clear(struct commit_writer *writer)
{
    allocator_put(writer->allocator, writer->data, writer->capacity);
    commit_writer_init(writer, writer->allocator);
}

void
commit_writer_begin(struct commit_writer *writer)
{
    writer->bytes = 0;
    writer->operation_count = 0;
}

void
commit_writer_trim(struct commit_writer *writer)
{
    if (writer->capacity > KEPT_BYTES)
        commit_writer_clear(writer);
}

static knackdb_status
reserve(struct commit_writer *writer, size_t more, knackdb_error *error)
{
    size_t         capacity = writer->capacity != 0 ? writer->capacity : 1024;
    unsigned char *data;

    if (more > COMMIT_BYTES_MAX || writer->bytes + more > COMMIT_BYTES_MAX)
        return error_set(error, KNACKDB_INVALID, "one call stores more than %zu bytes; store it in several",
                         COMMIT_BYTES_MAX);
    while (capacity < writer->bytes + more)
        capacity *= 2;
    if (capacity == writer->capacity)
        return KNACKDB_OK;
    data = allocator_resize(writer->allocator, writer->data, writer->capacity, capacity);
    if (data == NULL) {
        /* The caller drops the commit; allocator_resize() left the old buffer as it was. */
        return error_no_memory(error, "a commit");
    }
    writer->data = data;
    writer->capacity = capacity;
    return KNACKDB_OK;
}

/* A cell's head, its column and its type, and what follows it are written as one: what is too much of it is written
 * over next, and room for that is the caller's to give. */
static inline unsigned char *
put_text_cell(unsigned char *to, uint32_t column, knackdb_text text)
{
    bytes_put_u64(to, column | (uint64_t) KNACKDB_TEXT << 16 | (uint64_t) text.length << 24);
    to += CELL_BYTES + sizeof(uint32_t);
    bytes_copy(to, text.data, text.length);
    return to + text.length;
}

static inline unsigned char *
put_cell(unsigned char *to, uint32_t column, const knackdb_value *value)
{
    if (value->type == KNACKDB_TEXT)
        return put_text_cell(to, column, value->as.text);
    bytes_put_u32(to, column | (uint32_t) value->type << 16);
    bytes_put_u64(to + CELL_BYTES, (uint64_t) value->as.integer); /* a real's bits, too; of NULL to be written over */
    return to + CELL_BYTES + (value->type != KNACKDB_NULL ? sizeof(uint64_t) : 0);
}

/* Of a whole row, without the id: what is stored most. */
static unsigned char *
put_row_cells(unsigned char *to, const knackdb_value *values, size_t count, uint32_t *ret_written)
{
    for (uint32_t c = 1; c < count; c++)
        if (values[c].type != KNACKDB_NULL) {
            to = put_cell(to, c, &values[c]);
            ++*ret_written;
        }
    return to;
}

/* Of the columns given, none of them the id. */
static unsigned char *
put_cells(unsigned char *to, const uint32_t *columns, const knackdb_value *values, size_t count, uint32_t *ret_written)
{
    for (size_t i = 0; i < count; i++)
        to = put_cell(to, columns[i], &values[i]);
    *ret_written = (uint32_t) count;
    return to;
}

/* At most, with what may be written over. */
static size_t
bytes_of_cells(const knackdb_value *values, size_t count)
{
    size_t bytes = (count + 1) * (CELL_BYTES + sizeof(uint64_t));

    for (size_t i = 0; i < count; i++)
        if (values[i].type == KNACKDB_TEXT)
            bytes += values[i].as.text.length;
    return bytes;
}

knackdb_status
commit_writer_put(struct commit_writer *writer, knackdb_log_operation kind, uint32_t table, int64_t id,
                  const uint32_t *columns, const knackdb_value *values, size_t count, knackdb_error *error)
{
    size_t         bytes = HEAD_BYTES + OPERATION_BYTES + bytes_of_cells(values, count);
    unsigned char *head, *to;
    uint32_t       written = 0;
    knackdb_status status;

    status = reserve(writer, bytes, error);
    if (status != KNACKDB_OK)
        return status;

    if (writer->bytes == 0)
        writer->bytes = HEAD_BYTES;
    head = to = writer->data + writer->bytes;
    to += OPERATION_BYTES;
    to = columns == NULL ? put_row_cells(to, values, count, &written) : put_cells(to, columns, values, count, &written);
    head[0] = (unsigned char) kind;
    head[1] = (unsigned char) table;
    bytes_put_u16(head + 2, (uint16_t) written);
    bytes_put_u64(head + 4, (uint64_t) id);
    writer->bytes = (size_t) (to - writer->data);
    bytes_put_u32(writer->data, ++writer->operation_count);
    return KNACKDB_OK;
}

/* ---- reading ---- */

void
commit_map_identity(struct commit_map *map, const struct schema *schema)
{
    memset(map, 0, sizeof *map);
    map->table_count = schema->table_count;
    for (uint32_t t = 0; t < schema->table_count; t++) {
        map->tables[t] = (int32_t) t;
        map->column_counts[t] = schema->tables[t].column_count;
        for (uint32_t c = 0; c < schema->tables[t].column_count; c++) {
            map->columns[t][c] = (int16_t) c;
            map->types[t][c] = (uint8_t) schema->tables[t].columns[c].type;
        }
    }
}

static knackdb_status
corrupt(const struct commit_reader *reader, const char *what, knackdb_error *error)
{
    return error_set(error, KNACKDB_CORRUPT, "commit, byte %zu: %s", reader->at, what);
}

knackdb_status
commit_reader_init(struct commit_reader *reader, const struct commit_map *map, const void *payload, size_t bytes,
                   knackdb_error *error)
{
    memset(reader, 0, sizeof *reader);
    reader->map = map;
    reader->data = payload;
    reader->bytes = bytes;
    if (bytes < HEAD_BYTES)
        return corrupt(reader, "too short", error);
    reader->operation_count = bytes_get_u32(payload);
    reader->at = HEAD_BYTES;
    if (reader->operation_count == 0 || reader->operation_count > (bytes - HEAD_BYTES) / OPERATION_BYTES)
        return corrupt(reader, "impossible count of operations", error);
    return KNACKDB_OK;
}

/* Reads one value, of a type that a column has, or NULL; `reader->at` is behind its cell's head. */
static knackdb_status
read_value(struct commit_reader *reader, knackdb_type type, knackdb_value *ret_value, knackdb_error *error)
{
    const unsigned char *from = reader->data + reader->at;
    size_t               left = reader->bytes - reader->at;
    uint32_t             length;

    switch (type) {
    case KNACKDB_NULL: *ret_value = knackdb_value_null(); return KNACKDB_OK;

    case KNACKDB_INTEGER:
        if (left < 8)
            return corrupt(reader, "integer past the end", error);
        *ret_value = knackdb_value_integer((int64_t) bytes_get_u64(from));
        reader->at += 8;
        return KNACKDB_OK;

    case KNACKDB_REAL:
        if (left < 8)
            return corrupt(reader, "real past the end", error);
        *ret_value = knackdb_value_real(bytes_get_real(from));
        if (!isfinite(ret_value->as.real))
            return corrupt(reader, "a real that is not finite", error);
        reader->at += 8;
        return KNACKDB_OK;

    case KNACKDB_TEXT: break;
    }
    if (left < 4)
        return corrupt(reader, "text past the end", error);
    length = bytes_get_u32(from);
    if (length > KNACKDB_TEXT_BYTES_MAX || length > left - 4)
        return corrupt(reader, "text past the end", error);
    if (!utf8_is_valid((const char *) from + 4, length))
        return corrupt(reader, "text that is not UTF-8", error);
    *ret_value = knackdb_value_text((knackdb_text) { (const char *) from + 4, length });
    reader->at += 4 + (size_t) length;
    return KNACKDB_OK;
}

static knackdb_status
read_cells(struct commit_reader *reader, uint32_t table, uint32_t count, struct commit_operation *operation,
           knackdb_error *error)
{
    const struct commit_map *map = reader->map;
    uint64_t                 seen = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t       column;
        knackdb_type   type;
        knackdb_value  value;
        knackdb_status status;

        if (reader->bytes - reader->at < CELL_BYTES)
            return corrupt(reader, "cell past the end", error);
        column = bytes_get_u16(reader->data + reader->at);
        type = (knackdb_type) reader->data[reader->at + 2];
        if (column == 0 || column >= map->column_counts[table])
            return corrupt(reader, "no such column", error);
        if (seen >> column & 1)
            return corrupt(reader, "a column given twice", error);
        if (type != KNACKDB_NULL && (uint8_t) type != map->types[table][column])
            return corrupt(reader, "a value of another type than its column", error);
        seen |= KNACKDB_BIT(column);
        reader->at += CELL_BYTES;
        status = read_value(reader, type, &value, error);
        if (status != KNACKDB_OK)
            return status;
        if (map->tables[table] < 0 || map->columns[table][column] < 0)
            continue; /* dropped since */
        operation->columns[operation->count] = (uint32_t) map->columns[table][column];
        operation->values[operation->count] = value;
        operation->count++;
    }
    return KNACKDB_OK;
}

knackdb_status
commit_reader_next(struct commit_reader *reader, struct commit_operation *ret_operation, knackdb_error *error)
{
    const unsigned char *head = reader->data + reader->at;
    uint32_t             table, count;
    knackdb_status       status;

    if (reader->operation_index == reader->operation_count)
        return reader->at == reader->bytes ? KNACKDB_NOT_FOUND : corrupt(reader, "bytes left over", error);
    if (reader->bytes - reader->at < OPERATION_BYTES)
        return corrupt(reader, "operation past the end", error);

    ret_operation->kind = (knackdb_log_operation) head[0];
    table = head[1];
    count = bytes_get_u16(head + 2);
    ret_operation->id = (int64_t) bytes_get_u64(head + 4);
    ret_operation->count = 0;
    if (head[0] < KNACKDB_LOG_PUT || head[0] > KNACKDB_LOG_CLEAN_UP)
        return corrupt(reader, "unknown kind of operation", error);
    if (table >= reader->map->table_count)
        return corrupt(reader, "no such table", error);
    if (ret_operation->kind == KNACKDB_LOG_CLEAN_UP ? ret_operation->id != 0 : ret_operation->id <= 0)
        return corrupt(reader, "impossible id", error);
    if (ret_operation->kind == KNACKDB_LOG_CLEAN_UP ? count != 1
                                                    : ret_operation->kind == KNACKDB_LOG_DELETE && count != 0)
        return corrupt(reader, "impossible count of cells", error);

    reader->at += OPERATION_BYTES;
    status = read_cells(reader, table, count, ret_operation, error);
    if (status != KNACKDB_OK)
        return status;
    if (ret_operation->kind == KNACKDB_LOG_CLEAN_UP && ret_operation->count == 1 &&
        ret_operation->values[0].type != KNACKDB_REAL)
        return corrupt(reader, "a clean-up without a time", error);
    ret_operation->table_dropped = reader->map->tables[table] < 0 ||
                                   (ret_operation->kind == KNACKDB_LOG_CLEAN_UP && ret_operation->count == 0);
    ret_operation->table = ret_operation->table_dropped ? 0 : (uint32_t) reader->map->tables[table];
    reader->operation_index++;
    return KNACKDB_OK;
}
