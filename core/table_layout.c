/* table_layout.c - see table_layout.h. */
#include "core/table_layout.h"

#include "core/text.h"

static enum cell_kind
kind_of(const struct column *column)
{
    if (column->type == KNACKDB_INTEGER)
        return CELL_INTEGER;
    if (column->type == KNACKDB_REAL)
        return CELL_REAL;
    return column_is_dictionary(column) ? CELL_CODE : column->is_sparse ? CELL_SPARSE : CELL_TEXT;
}

/* The columns of numbers and texts of their own that no list carries, where some list carries cells. */
static uint64_t
not_carried(const struct table *definition)
{
    uint64_t carries = 0, others = 0;

    for (uint32_t c = 0; c < definition->column_count; c++) {
        carries |= definition->columns[c].carries;
        if (!column_is_dictionary(&definition->columns[c]))
            others |= KNACKDB_BIT(c);
    }
    return carries != 0 ? others & ~carries : 0;
}

/* Arrays of a group begin on cache lines: a column of eight bytes for 128 rows is sixteen of them. */
static size_t
place_array(struct table_data *table, size_t bytes_per_row)
{
    size_t at = table->group_bytes;

    table->group_bytes += GROUP_ROWS * bytes_per_row;
    table->arrays[table->array_count++] = (struct table_array) { (uint32_t) at, (uint32_t) bytes_per_row };
    table->row_bytes += bytes_per_row;
    return at;
}

/* The largest that a system's small ones are. */
#define PAGE_BYTES_MAX ((size_t) 64 * 1024)

/* An array of the whole chunk, behind the groups: on pages of its own, so that it takes none while nothing is in it. */
static size_t
place_apart(struct table_data *table, size_t bytes_per_row)
{
    size_t at = table->chunk_bytes;

    table->chunk_bytes += CHUNK_ROWS * bytes_per_row;
    table->chunk_arrays[table->chunk_array_count++] = (struct table_array) { (uint32_t) at, (uint32_t) bytes_per_row };
    return at;
}

void
table_layout_plan(struct table_data *table)
{
    const struct table *definition = table->definition;
    size_t              groups_bytes;

    for (uint32_t c = 0; c < definition->column_count; c++) {
        table->kinds[c] = (uint8_t) kind_of(&definition->columns[c]);
        if (table->kinds[c] == CELL_CODE)
            table->coded[table->coded_count++] = c;
        if (table->kinds[c] == CELL_SPARSE) /* who asks for it ahead asks for the id, which is wanted anyway */
            table->arrays[table->array_count++] = table->arrays[0];
        else
            table->offsets[c] = place_array(table, table->kinds[c] == CELL_CODE ? sizeof(uint32_t) : sizeof(uint64_t));
    }
    table->births_offset = place_array(table, sizeof(uint64_t));

    /* What would fill a 2 MiB page by half or less stands on small ones. */
    groups_bytes = GROUPS_PER_CHUNK * table->group_bytes;
    table->large_bytes = (groups_bytes + ALLOCATOR_HUGE_BYTES / 2 - 1) & ~(ALLOCATOR_HUGE_BYTES - 1);
    table->settled_offset = groups_bytes;
    table->touched_offset = groups_bytes + GROUPS_PER_CHUNK * sizeof(uint64_t);
    table->chunk_bytes = table->touched_offset + TABLE_TOUCHED_BYTES;
    if (table->chunk_bytes < table->large_bytes)
        table->chunk_bytes = table->large_bytes;
    table->chunk_bytes = (table->chunk_bytes + PAGE_BYTES_MAX - 1) & ~(PAGE_BYTES_MAX - 1);
    table->ends_offset = place_apart(table, sizeof(uint64_t));
    for (uint32_t k = 0; k < definition->key_count; k++)
        table->links_offset[k] = place_apart(table, sizeof(row_number));
    for (uint32_t c = 0; c < definition->column_count; c++)
        if (table->kinds[c] == CELL_SPARSE) {
            table->offsets[c] = place_apart(table, sizeof(text_cell));
            table->sparse |= KNACKDB_BIT(c);
        }
    table->rare = table->sparse | not_carried(definition);
    table->exact_offset = place_apart(table, sizeof(uint64_t));
}
