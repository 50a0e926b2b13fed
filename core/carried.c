/* carried.c - see carried.h. */
#include "core/carried.h"

#include "core/store_data.h"

size_t
carried_bytes(const struct carried *carried)
{
    return sizeof *carried + carried->room * sizeof carried->rows[0];
}

struct carried *
carried_new(struct row_list *list, const struct view *view, uint32_t table, uint32_t column, uint32_t code, size_t room)
{
    const struct table_data *data = &view->store->tables[table];
    const struct column     *about = &data->definition->columns[column];
    struct carried          *carried = row_list_note_get(list, sizeof *carried + room * sizeof carried->rows[0]);

    if (carried == NULL)
        return NULL;
    carried->table = table;
    carried->beside_column = table_tags_are_codes(data, about->beside) ? about->beside : 0;
    carried->beside = carried->beside_column != 0 ? &data->dictionaries[carried->beside_column] : NULL;
    carried->absent = data->rare & ~table_given(data); /* C3 */
    carried->others = (KNACKDB_BIT(data->definition->column_count - 1) * 2 - 1) & ~about->carries & ~carried->absent &
                      ~KNACKDB_BIT(column) & ~(carried->beside != NULL ? KNACKDB_BIT(carried->beside_column) : 0);
    carried->text = dictionary_text(&data->dictionaries[column], code);
    carried->room = room;
    return carried;
}

bool
carried_resize(struct row_list *list, size_t room)
{
    struct carried *old = list->carried, *resized;
    size_t          bytes = sizeof *old + room * sizeof old->rows[0];

    if (old == list->note_room) {
        resized = room > old->room ? allocator_get(list->allocator, bytes) : old;
        if (resized != NULL && resized != old)
            memcpy(resized, old, carried_bytes(old));
    } else {
        resized = allocator_resize(list->allocator, old, carried_bytes(old), bytes);
    }
    if (resized == NULL)
        return false;
    resized->room = room;
    list->carried = resized;
    return true;
}
