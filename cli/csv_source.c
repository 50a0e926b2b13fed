/* csv_source.c - rows out of a CSV file.
 *
 * The header row says which field belongs to which column: any order, any subset. A
 * name that is no column of the table is refused, since its values would be lost
 * without a word. A field that is nothing is NULL, "" is the empty string.
 *
 * Lines are counted as an editor counts them: a row's place is the line it begins in,
 * however many line ends its quoted fields hold. */
#include "columns.h"
#include "complaint.h"
#include "csv.h"
#include "number.h"
#include "row_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct csv_source {
    struct row_source source;
    struct input     *input;
    uint64_t          next_line;  /* the next row begins in it */
    uint64_t          line;       /* of the row last read */
    bool              skips_line; /* the rest of a line that went wrong is still to be left out */
    size_t            field_count;
    uint32_t          columns[KNACKDB_COLUMNS_MAX]; /* field -> column */
};

static struct csv_source *
of(struct row_source *source)
{
    return (struct csv_source *) source;
}

static void
csv_source_tell_place(const struct row_source *source, char place[ROW_PLACE_BYTES])
{
    const struct csv_source *csv = (const struct csv_source *) source;

    (void) snprintf(place, ROW_PLACE_BYTES, "%s:%llu", input_name(csv->input), (unsigned long long) csv->line);
}

/* Leaves out bytes up to the end of a line; false where more bytes are needed for that. */
static bool
skip_line(struct csv_source *csv)
{
    size_t      length;
    bool        is_all;
    const char *data = input_window(csv->input, &length, &is_all);
    const char *line_end = memchr(data, '\n', length);

    if (line_end == NULL) {
        input_take(csv->input, length);
        csv->skips_line = !is_all;
        return is_all;
    }
    input_take(csv->input, (size_t) (line_end + 1 - data));
    csv->next_line++;
    csv->skips_line = false;
    return true;
}

/* Scans the next row that is not a blank line. */
static enum row_result
scan(struct csv_source *csv, struct csv_field *fields, size_t capacity, char **ret_data, struct csv_row *ret_row)
{
    for (;;) {
        size_t length;
        bool   is_all;

        if (csv->skips_line && !skip_line(csv))
            return ROW_DRAINED;
        *ret_data = input_window(csv->input, &length, &is_all);
        if (length == 0)
            return is_all ? ROW_END : ROW_DRAINED;
        csv->line = csv->next_line;
        switch (csv_scan(*ret_data, length, is_all, fields, capacity, ret_row)) {
        case CSV_MORE: return ROW_DRAINED;
        case CSV_BAD:
            input_take(csv->input, ret_row->bytes);
            csv->next_line += ret_row->lines;
            csv->skips_line = true;
            return ROW_BAD;
        case CSV_ROW: input_take(csv->input, ret_row->bytes); csv->next_line += ret_row->lines;
        }
        /* A blank line is a row only where a row is one field. */
        if (ret_row->field_count > 1 || fields[0].length > 0 || fields[0].quoted || csv->field_count == 1)
            return ROW_READY;
    }
}

/* Turns a field into the value of a column; false with source.why where it is none. */
static bool
read_field(struct csv_source *csv, char *data, const struct csv_field *field, uint32_t column, knackdb_value *ret_value)
{
    char              *text = data + field->offset;
    size_t             length = field->length;
    enum number_result result;

    if (length == 0 && !field->quoted)
        return true;
    if (field->doubled)
        length = csv_unquote(text, length);
    switch (csv->source.table->columns[column].type) {
    case KNACKDB_INTEGER:
        ret_value->type = KNACKDB_INTEGER;
        result = number_parse_integer(text, length, &ret_value->as.integer);
        break;
    case KNACKDB_REAL:
        ret_value->type = KNACKDB_REAL;
        result = number_parse_real(text, length, &ret_value->as.real);
        break;
    default:
        ret_value->type = KNACKDB_TEXT;
        ret_value->as.text.data = text;
        ret_value->as.text.length = length;
        return true;
    }
    if (result == NUMBER_OK)
        return true;
    csv->source.column = (int) column;
    if (length == 0)
        (void) snprintf(csv->source.why, sizeof csv->source.why,
                        "\"\" is the empty string, not a number; NULL is nothing");
    else
        (void) snprintf(csv->source.why, sizeof csv->source.why, "'%.*s%s' %s", (int) (length < 60 ? length : 60), text,
                        length < 60 ? "" : "...", number_result_text(result));
    return false;
}

static enum row_result
csv_source_next(struct row_source *source, knackdb_value *values)
{
    struct csv_source *csv = of(source);
    struct csv_field   fields[KNACKDB_COLUMNS_MAX];
    struct csv_row     row;
    char              *data;
    enum row_result    result = scan(csv, fields, KNACKDB_COLUMNS_MAX, &data, &row);

    source->column = -1;
    if (result == ROW_BAD) {
        if (row.field_count < csv->field_count)
            source->column = (int) csv->columns[row.field_count];
        (void) snprintf(source->why, sizeof source->why, "%s", row.why);
    }
    if (result != ROW_READY)
        return result;
    if (row.field_count != csv->field_count) {
        (void) snprintf(source->why, sizeof source->why, "%zu fields where the header names %zu", row.field_count,
                        csv->field_count);
        return ROW_BAD;
    }
    for (size_t i = 0; i < source->table->column_count; i++)
        values[i] = knackdb_value_null();
    for (size_t i = 0; i < csv->field_count; i++)
        if (!read_field(csv, data, &fields[i], csv->columns[i], &values[csv->columns[i]]))
            return ROW_BAD;
    return ROW_READY;
}

static bool
csv_source_refill(struct row_source *source)
{
    return input_read_more(of(source)->input);
}

/* Reads the header row. */
static int
read_header(struct csv_source *csv)
{
    const knackdb_table_info *table = csv->source.table;
    struct csv_field          fields[KNACKDB_COLUMNS_MAX];
    struct csv_row            row;
    char                     *data;
    size_t                    length;
    bool                      is_all;
    uint64_t                  seen = 0;
    enum row_result           result;
    char                      place[ROW_PLACE_BYTES];

    csv->next_line = csv->line = 1;
    csv->skips_line = false;
    csv->field_count = 0;
    if (!input_read_more(csv->input))
        return EXIT_DATA_AT_FAULT;
    data = input_window(csv->input, &length, &is_all);
    if (length >= 3 && memcmp(data, "\xEF\xBB\xBF", 3) == 0)
        input_take(csv->input, 3);
    while ((result = scan(csv, fields, KNACKDB_COLUMNS_MAX, &data, &row)) == ROW_DRAINED)
        if (!input_read_more(csv->input))
            return EXIT_DATA_AT_FAULT;
    csv_source_tell_place(&csv->source, place);
    if (result == ROW_END)
        return complain(EXIT_DATA_AT_FAULT, csv->source.command, place, "no header row that names the columns");
    if (result == ROW_BAD)
        return complain(EXIT_DATA_AT_FAULT, csv->source.command, place, "%s", row.why);
    if (row.field_count > KNACKDB_COLUMNS_MAX)
        return complain(EXIT_DATA_AT_FAULT, csv->source.command, place, "%zu columns; %s has %zu", row.field_count,
                        table->name, table->column_count);
    for (size_t i = 0; i < row.field_count; i++) {
        char  *name = data + fields[i].offset;
        size_t name_length = fields[i].doubled ? csv_unquote(name, fields[i].length) : fields[i].length;
        int    column = column_find(table, name, name_length);

        if (column < 0) {
            column_say_missing(table, name, name_length, csv->source.why);
            return complain(EXIT_DATA_AT_FAULT, csv->source.command, place, "%s", csv->source.why);
        }
        if ((seen & KNACKDB_BIT(column)) != 0)
            return complain(EXIT_DATA_AT_FAULT, csv->source.command, place, "the column '%s' comes twice",
                            table->columns[column].name);
        seen |= KNACKDB_BIT(column);
        csv->columns[i] = (uint32_t) column;
    }
    csv->field_count = row.field_count;
    return EXIT_DONE;
}

static bool
csv_source_rewind(struct row_source *source)
{
    return input_rewind(of(source)->input) && read_header(of(source)) == EXIT_DONE;
}

static void
csv_source_close(struct row_source *source)
{
    input_close(of(source)->input);
    free(source);
}

int
csv_source_open(const char *command, struct input *input, const knackdb_table_info *table,
                struct row_source **ret_source)
{
    struct csv_source *csv = calloc(1, sizeof *csv);
    int                status;

    if (csv == NULL) {
        input_close(input);
        return complain(EXIT_DATA_AT_FAULT, command, NULL, "out of memory");
    }
    csv->source.command = command;
    csv->source.table = table;
    csv->source.next = csv_source_next;
    csv->source.refill = csv_source_refill;
    csv->source.rewind = csv_source_rewind;
    csv->source.tell_place = csv_source_tell_place;
    csv->source.close = csv_source_close;
    csv->input = input;
    status = read_header(csv);
    if (status == EXIT_DONE)
        *ret_source = &csv->source;
    else
        csv_source_close(&csv->source);
    return status;
}
