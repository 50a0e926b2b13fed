/* columns.c - columns of a table by their names. */
#include "columns.h"

#include <stdio.h>
#include <string.h>

int
column_find(const knackdb_table_info *table, const char *name, size_t length)
{
    for (size_t i = 0; i < table->column_count; i++)
        if (strlen(table->columns[i].name) == length && memcmp(table->columns[i].name, name, length) == 0)
            return (int) i;
    return -1;
}

void
column_say_missing(const knackdb_table_info *table, const char *name, size_t length, char ret_why[COLUMN_WHY_BYTES])
{
    size_t used = (size_t) snprintf(ret_why, COLUMN_WHY_BYTES, "%s has no column '%.*s'; it has", table->name,
                                    (int) (length < 200 ? length : 200), name);

    for (size_t i = 0; i < table->column_count && used < COLUMN_WHY_BYTES; i++)
        used += (size_t) snprintf(ret_why + used, COLUMN_WHY_BYTES - used, "%s %s", i > 0 ? "," : "",
                                  table->columns[i].name);
}

bool
columns_parse(const char *text, const knackdb_table_info *table, uint32_t *ret_columns, size_t *ret_count,
              char ret_why[COLUMN_WHY_BYTES])
{
    uint64_t seen = 0;
    size_t   count = 0;

    for (;;) {
        size_t length = strcspn(text, ",");
        size_t blanks = strspn(text, " ");
        int    column;

        if (blanks > length)
            blanks = length;
        text += blanks;
        length -= blanks;
        column = column_find(table, text, length);
        if (column < 0) {
            column_say_missing(table, text, length, ret_why);
            return false;
        }
        if ((seen & KNACKDB_BIT(column)) != 0) {
            (void) snprintf(ret_why, COLUMN_WHY_BYTES, "the column '%s' comes twice", table->columns[column].name);
            return false;
        }
        seen |= KNACKDB_BIT(column);
        ret_columns[count++] = (uint32_t) column;
        text += length;
        if (*text == '\0')
            break;
        text++;
    }
    *ret_count = count;
    return true;
}
