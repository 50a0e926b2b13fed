/* table_view.c - rows as an aligned table for a terminal.
 *
 * Two passes: the first finds how wide each column would like to be, the second
 * prints. Where the wishes together are wider than the terminal, all text columns are
 * held to one common limit, the largest that fits: narrow columns keep what they
 * need and the wide ones share the rest evenly. A column is never narrower than its
 * name, though; where that is too wide, so is the table, and --columns helps. */
#include "table_view.h"

#include "number.h"
#include "printable.h"

#include <stdio.h>
#include <string.h>

#define GAP              2
#define TEXT_COLUMNS_MAX 2000

static const char null_text[] = "NULL";

struct cell {
    char        number[NUMBER_CHARS_MAX];
    const char *text;
    size_t      length;
};

static void
cell_of(const knackdb_value *value, struct cell *cell)
{
    cell->text = cell->number;
    switch (value->type) {
    case KNACKDB_NULL:
        cell->text = null_text;
        cell->length = sizeof null_text - 1;
        break;
    case KNACKDB_INTEGER: cell->length = number_format_integer(value->as.integer, cell->number); break;
    case KNACKDB_REAL: cell->length = number_format_real(value->as.real, REAL_PLAIN, cell->number); break;
    case KNACKDB_TEXT:
        cell->text = value->as.text.data;
        cell->length = value->as.text.length;
        break;
    }
}

static bool
is_text(const struct table_view *view, size_t i)
{
    return view->table->columns[view->columns[i]].type == KNACKDB_TEXT;
}

static void
find_widths(const struct table_view *view, size_t *widths)
{
    knackdb_value values[KNACKDB_COLUMNS_MAX];

    for (size_t i = 0; i < view->column_count; i++)
        widths[i] = strlen(view->table->columns[view->columns[i]].name);
    for (size_t row = 0; row < view->row_count; row++) {
        view->row(view->context, row, values);
        for (size_t i = 0; i < view->column_count; i++) {
            struct cell cell;
            size_t      width;

            cell_of(&values[i], &cell);
            width = printable_columns(cell.text, cell.length, TEXT_COLUMNS_MAX);
            if (width > widths[i])
                widths[i] = width;
        }
    }
}

/* Width of a column where texts are held to a limit. */
static size_t
limited_width(const struct table_view *view, size_t i, size_t width, size_t text_limit)
{
    size_t name_width = strlen(view->table->columns[view->columns[i]].name);

    if (!is_text(view, i) || width <= text_limit)
        return width;
    return text_limit > name_width ? text_limit : name_width;
}

static size_t
total_width(const struct table_view *view, const size_t *widths, size_t text_limit)
{
    size_t total = 0;

    for (size_t i = 0; i < view->column_count; i++)
        total += (i > 0 ? GAP : 0) + limited_width(view, i, widths[i], text_limit);
    return total;
}

static void
limit_widths(const struct table_view *view, size_t *widths)
{
    size_t limit = TEXT_COLUMNS_MAX;

    while (limit > 0 && total_width(view, widths, limit) > view->terminal_columns)
        limit--;
    for (size_t i = 0; i < view->column_count; i++)
        widths[i] = limited_width(view, i, widths[i], limit);
}

static void
put_blanks(struct output *output, size_t count)
{
    while (count-- > 0)
        output_put_char(output, ' ');
}

static void
put_cell(struct output *output, const char *text, size_t length, size_t width, bool is_right, bool is_last)
{
    char   shown[PRINTABLE_BYTES(TEXT_COLUMNS_MAX)];
    size_t columns;
    size_t bytes = printable_write_columns(text, length, width, shown, sizeof shown, &columns);

    if (is_right)
        put_blanks(output, width - columns);
    output_put(output, shown, bytes);
    if (!is_right && !is_last)
        put_blanks(output, width - columns);
}

void
table_view_print(const struct table_view *view, struct output *output)
{
    size_t        widths[KNACKDB_COLUMNS_MAX];
    knackdb_value values[KNACKDB_COLUMNS_MAX];

    find_widths(view, widths);
    limit_widths(view, widths);

    for (size_t i = 0; i < view->column_count; i++) {
        const char *name = view->table->columns[view->columns[i]].name;

        put_blanks(output, i > 0 ? GAP : 0);
        put_cell(output, name, strlen(name), widths[i], !is_text(view, i), i + 1 == view->column_count);
    }
    output_put_char(output, '\n');
    for (size_t i = 0; i < view->column_count; i++) {
        put_blanks(output, i > 0 ? GAP : 0);
        for (size_t k = 0; k < widths[i]; k++)
            output_put_char(output, '-');
    }
    output_put_char(output, '\n');
    for (size_t row = 0; row < view->row_count && output->os_errno == 0; row++) {
        view->row(view->context, row, values);
        for (size_t i = 0; i < view->column_count; i++) {
            struct cell cell;

            cell_of(&values[i], &cell);
            put_blanks(output, i > 0 ? GAP : 0);
            put_cell(output, cell.text, cell.length, widths[i], !is_text(view, i), i + 1 == view->column_count);
        }
        output_put_char(output, '\n');
    }
    output_format(output, "(%zu row%s)\n", view->row_count, view->row_count == 1 ? "" : "s");
}
