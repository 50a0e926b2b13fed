/* jsonl_source.c - rows out of a file of JSON lines.
 *
 * A line feed cannot stand in a JSON string unescaped, so lines are found without
 * looking at what is in them, and a line that is no row costs none but itself. Blank
 * lines are skipped. */
#include "complaint.h"
#include "json.h"
#include "row_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct jsonl_source {
    struct row_source source;
    struct input     *input;
    uint64_t          line;      /* of the row last read */
    size_t            character; /* at fault in it, from 1; 0 where a column's value is */
    size_t            searched;  /* bytes of the window known to hold no line end */
    bool              is_begun;
};

static struct jsonl_source *
of(struct row_source *source)
{
    return (struct jsonl_source *) source;
}

static void
jsonl_source_tell_place(const struct row_source *source, char place[ROW_PLACE_BYTES])
{
    const struct jsonl_source *jsonl = (const struct jsonl_source *) source;

    if (jsonl->character > 0)
        (void) snprintf(place, ROW_PLACE_BYTES, "%s:%llu:%zu", input_name(jsonl->input),
                        (unsigned long long) jsonl->line, jsonl->character);
    else
        (void) snprintf(place, ROW_PLACE_BYTES, "%s:%llu", input_name(jsonl->input), (unsigned long long) jsonl->line);
}

static bool
is_blank_line(const char *line, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r')
            return false;
    return true;
}

static enum row_result
jsonl_source_next(struct row_source *source, knackdb_value *values)
{
    struct jsonl_source *jsonl = of(source);
    struct json_fault    fault;

    for (;;) {
        size_t length;
        bool   is_all;
        char  *data = input_window(jsonl->input, &length, &is_all);
        char  *line_end;

        if (!jsonl->is_begun) {
            if (length < 3 && !is_all)
                return ROW_DRAINED;
            jsonl->is_begun = true;
            if (length >= 3 && memcmp(data, "\xEF\xBB\xBF", 3) == 0) {
                input_take(jsonl->input, 3);
                continue;
            }
        }
        line_end = memchr(data + jsonl->searched, '\n', length - jsonl->searched);
        if (line_end == NULL && !is_all) {
            jsonl->searched = length;
            return ROW_DRAINED;
        }
        jsonl->searched = 0;
        if (line_end != NULL)
            length = (size_t) (line_end - data);
        else if (length == 0)
            return ROW_END;
        input_take(jsonl->input, length + (line_end != NULL));
        jsonl->line++;
        jsonl->character = 0;
        if (is_blank_line(data, length))
            continue;
        if (json_read_row(data, length, source->table, values, &fault))
            return ROW_READY;

        source->column = fault.column;
        jsonl->character = fault.offset + 1;
        if (fault.key.data != NULL)
            column_say_missing(source->table, fault.key.data, fault.key.length, source->why);
        else
            (void) snprintf(source->why, sizeof source->why, "%s", fault.why);
        return ROW_BAD;
    }
}

static bool
jsonl_source_refill(struct row_source *source)
{
    return input_read_more(of(source)->input);
}

static bool
jsonl_source_rewind(struct row_source *source)
{
    struct jsonl_source *jsonl = of(source);

    jsonl->line = 0;
    jsonl->searched = 0;
    jsonl->is_begun = false;
    return input_rewind(jsonl->input);
}

static void
jsonl_source_close(struct row_source *source)
{
    input_close(of(source)->input);
    free(source);
}

int
jsonl_source_open(const char *command, struct input *input, const knackdb_table_info *table,
                  struct row_source **ret_source)
{
    struct jsonl_source *jsonl = calloc(1, sizeof *jsonl);

    if (jsonl == NULL) {
        input_close(input);
        return complain(EXIT_DATA_AT_FAULT, command, NULL, "out of memory");
    }
    jsonl->source.command = command;
    jsonl->source.table = table;
    jsonl->source.column = -1;
    jsonl->source.next = jsonl_source_next;
    jsonl->source.refill = jsonl_source_refill;
    jsonl->source.rewind = jsonl_source_rewind;
    jsonl->source.tell_place = jsonl_source_tell_place;
    jsonl->source.close = jsonl_source_close;
    jsonl->input = input;
    *ret_source = &jsonl->source;
    return EXIT_DONE;
}
