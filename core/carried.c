/* carried.c - see carried.h. */
#include "core/carried.h"

#include "core/store_data.h"

#include <assert.h>

size_t
carried_bytes(const struct carried *carried)
{
    return sizeof *carried + carried->count * sizeof carried->places[0];
}

struct carried *
carried_new(const struct view *view, uint32_t table, uint32_t column, uint32_t code, const struct posting_view *list,
            size_t count)
{
    const struct table_data *data = &view->store->tables[table];
    const struct column     *about = &data->definition->columns[column];
    struct carried *carried = allocator_get(view->store->allocator, sizeof *carried + count * sizeof(uint32_t));
    uint64_t        given =
        atomic_load_explicit(&((struct table_data *) (uintptr_t) data)->given, memory_order_relaxed); /* C3 */

    if (carried == NULL)
        return NULL;
    carried->directory = posting_view_directory(list);
    assert(carried->directory != NULL); /* no other form carries cells */
    carried->table = table;
    carried->column = column;
    carried->beside = table_tags_are_codes(data, about->beside) ? about->beside : 0;
    carried->width = carried->directory->width;
    carried->absent = data->rare & ~given;
    carried->others = (KNACKDB_BIT(data->definition->column_count - 1) * 2 - 1) & ~about->carries & ~carried->absent &
                      ~KNACKDB_BIT(column) & ~(carried->beside != 0 ? KNACKDB_BIT(carried->beside) : 0);
    carried->text = dictionary_text(&data->dictionaries[column], code);
    carried->count = count;
    return carried;
}
