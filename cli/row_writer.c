/* row_writer.c - rows as CSV or as JSON lines.
 *
 * CSV has no types, so NULL is told from the empty string by quotes (nothing, and ""),
 * and a whole REAL needs no point. JSON readers make an integer of `5` and a float of
 * `5.0`, so there the point stays.
 *
 * Long texts go out in slices: no text, however long, needs a buffer of its own. */
#include "row_writer.h"

#include "csv.h"
#include "json.h"
#include "number.h"

#include <string.h>

#define SLICE_BYTES ((OUTPUT_ROOM_MAX - 2) / JSON_BYTES_PER_BYTE_MAX)

bool
row_format_by_name(const char *name, enum row_format *ret_format)
{
    if (strcmp(name, "csv") == 0)
        *ret_format = ROWS_CSV;
    else if (strcmp(name, "jsonl") == 0)
        *ret_format = ROWS_JSON_LINES;
    else
        return false;
    return true;
}

static void
put_quoted(struct output *output, const char *text, size_t length)
{
    const char *end = text + length;
    const char *quote;

    output_put_char(output, '"');
    while ((quote = memchr(text, '"', (size_t) (end - text))) != NULL) {
        output_put(output, text, (size_t) (quote + 1 - text));
        output_put_char(output, '"');
        text = quote + 1;
    }
    output_put(output, text, (size_t) (end - text));
    output_put_char(output, '"');
}

static void
put_number(struct output *output, const knackdb_value *value, enum real_style style)
{
    char *room = output_room(output, NUMBER_CHARS_MAX);

    output_advance(output, value->type == KNACKDB_INTEGER ? number_format_integer(value->as.integer, room)
                                                          : number_format_real(value->as.real, style, room));
}

static void
put_csv(struct output *output, const knackdb_value *value)
{
    switch (value->type) {
    case KNACKDB_NULL: break;
    case KNACKDB_INTEGER:
    case KNACKDB_REAL: put_number(output, value, REAL_PLAIN); break;
    case KNACKDB_TEXT:
        if (csv_needs_quotes(value->as.text.data, value->as.text.length))
            put_quoted(output, value->as.text.data, value->as.text.length);
        else
            output_put(output, value->as.text.data, value->as.text.length);
    }
}

void
row_writer_put_json_text(struct output *output, const char *text, size_t length)
{
    output_put_char(output, '"');
    do {
        size_t slice = length < SLICE_BYTES ? length : SLICE_BYTES;
        char  *room = output_room(output, OUTPUT_ROOM_MAX);
        size_t written;

        /* C1 is two bytes; a slice must not end between them. Bytes 0x80 to 0xBF continue a character. */
        while (slice < length && slice > SLICE_BYTES - 4 && ((unsigned char) text[slice] & 0xC0) == 0x80)
            slice--;
        written = json_write_string(text, slice, room);
        memmove(room, room + 1, written - 2); /* each slice comes with quotes of its own */
        output_advance(output, written - 2);
        text += slice;
        length -= slice;
    } while (length > 0);
    output_put_char(output, '"');
}

void
row_writer_put_json(struct output *output, const knackdb_value *value)
{
    switch (value->type) {
    case KNACKDB_NULL: output_put(output, "null", 4); break;
    case KNACKDB_INTEGER:
    case KNACKDB_REAL: put_number(output, value, REAL_POINTED); break;
    case KNACKDB_TEXT: row_writer_put_json_text(output, value->as.text.data, value->as.text.length);
    }
}

void
row_writer_put_header(struct output *output, enum row_format format, const knackdb_table_info *table,
                      const uint32_t *columns, size_t count)
{
    if (format != ROWS_CSV)
        return;
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            output_put_char(output, ',');
        output_put_string(output, table->columns[columns != NULL ? columns[i] : i].name);
    }
    output_put(output, "\r\n", 2);
}

void
row_writer_put_row(struct output *output, enum row_format format, const knackdb_table_info *table,
                   const uint32_t *columns, const knackdb_value *values, size_t count)
{
    if (format == ROWS_CSV) {
        for (size_t i = 0; i < count; i++) {
            if (i > 0)
                output_put_char(output, ',');
            put_csv(output, &values[i]);
        }
        output_put(output, "\r\n", 2);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        output_put(output, i > 0 ? ",\"" : "{\"", 2);
        output_put_string(output, table->columns[columns != NULL ? columns[i] : i].name);
        output_put(output, "\":", 2);
        row_writer_put_json(output, &values[i]);
    }
    output_put(output, "}\n", 2);
}
