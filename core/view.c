/* view.c - one moment of the store, and the cells seen in it.
 *
 * Beginning a view claims a slot (epoch.h) and only then loads the newest commit: the
 * writer that scans the slots before that load knows that this reader may see anything. */
#include "core/store_data.h"

#include "base/error.h"

#include <math.h>

_Static_assert(VIEW_OWNER_BYTES == EPOCH_OWNER_BYTES, "a view lends out its slot's spare memory");

knackdb_status
view_begin(struct store *store, struct view *ret_view, knackdb_error *error)
{
    struct epoch_slot *slot = epoch_claim(&store->epochs);

    if (slot == NULL)
        return error_no_memory(error, "a read view");
    ret_view->store = store;
    ret_view->slot = slot;
    ret_view->moment = atomic_load_explicit(&store->moment, memory_order_acquire); /* S1 */
    ret_view->sequence = sequence_of_moment(ret_view->moment);
    atomic_store_explicit(&slot->view, ret_view->moment + 1, memory_order_release);
    return KNACKDB_OK;
}

void
view_end(struct view *view)
{
    struct epoch_slot *slot = view->slot;

    /* Before the release: the view may lie in the slot's spare memory, which is another reader's from then on. */
    view->slot = NULL;
    epoch_release(slot);
}

void *
view_owner_memory(const struct view *view)
{
    return view->slot->owner;
}

knackdb_status
view_find_by_key(const struct view *view, uint32_t table, uint32_t key_index, const knackdb_value *key_values,
                 row_number *ret_row)
{
    const struct table_data *data = &view->store->tables[table];
    struct key_search        search;
    row_number               row;

    if (!key_search_init(&search, data, key_index, key_values))
        return KNACKDB_NOT_FOUND;
    row = table_key_find(data, key_index, &search, view->moment);
    if (row == ROW_NONE)
        return KNACKDB_NOT_FOUND;
    *ret_row = row;
    return KNACKDB_OK;
}

/* The same by id, without a search made ready for a hash index that most ids are not in. */
knackdb_status
view_find_by_id(const struct view *view, uint32_t table, int64_t id, row_number *ret_row)
{
    const struct table_data *data = &view->store->tables[table];
    knackdb_value            key = knackdb_value_integer(id);
    row_number               row = id_map_get(&data->ids, id);

    if (row == ID_MAP_NONE)
        return view_find_by_key(view, table, 0, &key, ret_row);
    table_prefetch_row(data, row);
    row = table_key_at(data, 0, row, view->moment);
    if (row == ROW_NONE)
        return KNACKDB_NOT_FOUND;
    *ret_row = row;
    return KNACKDB_OK;
}

bool
view_has_row(const struct view *view, uint32_t table, uint64_t row)
{
    return table_row_seen(&view->store->tables[table], row, view->moment);
}

uint64_t
view_chunk_identity(const struct view *view, uint32_t table, row_number row)
{
    return table_chunk(&view->store->tables[table], row)->identity;
}

struct row_place
view_row_place(const struct view *view, uint32_t table, row_number row)
{
    const struct table_data *data = &view->store->tables[table];

    return (struct row_place) { data, table_group(data, row), row };
}

knackdb_value
view_value_at(const struct row_place *place, uint32_t column)
{
    return column < place->table->definition->column_count
               ? table_cell_in(place->table, place->group, place->row, column)
               : knackdb_value_null();
}

void
view_ask_cells(const struct view *view, uint32_t table, const uint64_t *rows, size_t count, uint64_t columns)
{
    const struct table_data *data = &view->store->tables[table];
    struct table_array       arrays[KNACKDB_COLUMNS_MAX];
    uint32_t                 array_count = 0;

    for (columns &= UINT64_MAX >> (64 - data->definition->column_count); columns != 0; columns &= columns - 1)
        arrays[array_count++] = data->arrays[__builtin_ctzll(columns)];
    for (size_t i = 0; i < count; i++) {
        const unsigned char *group = table_group(data, (row_number) rows[i]);
        size_t               place = rows[i] & GROUP_ROW_MASK;

        for (uint32_t a = 0; a < array_count; a++)
            __builtin_prefetch(group + arrays[a].offset + place * arrays[a].width);
    }
}

knackdb_value
view_cell(const struct view *view, uint32_t table, row_number row, uint32_t column)
{
    return table_cell(&view->store->tables[table], row, column);
}

void
view_cells(const struct view *view, uint32_t table, row_number row, size_t column_count, knackdb_value *ret_values)
{
    const struct table_data *data = &view->store->tables[table];

    for (uint32_t c = 0; c < column_count; c++)
        ret_values[c] = table_cell(data, row, c);
}

/* Written out, and not over view_cells(): a knackdb_value stored in halves and loaded whole
 * costs the processor more than the cell itself, fourteen times a row; and where the row lies is asked once. */
void
view_struct(const struct view *view, uint32_t table, row_number row, const struct row_layout *layout, void *ret_struct)
{
    const struct table_data *data = &view->store->tables[table];
    const unsigned char     *group = table_group(data, row);
    size_t                   place = row & GROUP_ROW_MASK;
    char                    *base = ret_struct;
    uint64_t                 nulls = 0;

    for (uint32_t c = 0; c < layout->field_count; c++) {
        const void  *array = group + data->offsets[c];
        void        *field = base + layout->offsets[c];
        knackdb_text text;
        int64_t      integer;
        double       real;
        bool         is_null;

        switch (data->kinds[c]) {
        case CELL_INTEGER:
            integer = ((const int64_t *) array)[place];
            is_null = integer == INTEGER_NULL && !table_integer_is_exact(data, row, c);
            *(int64_t *) field = is_null ? 0 : integer;
            break;
        case CELL_REAL:
            real = ((const double *) array)[place];
            is_null = isnan(real);
            *(double *) field = is_null ? 0.0 : real;
            break;
        default:
            text = data->kinds[c] == CELL_CODE
                       ? dictionary_text(&data->dictionaries[c], ((const uint32_t *) array)[place])
                       : text_cell_view(((const text_cell *) array)[place]);
            is_null = text.data == NULL;
            *(knackdb_text *) field = text;
            __builtin_prefetch(text.data); /* most callers look at it next, and texts lie apart */
            break;
        }
        nulls |= (uint64_t) is_null << c;
    }
    memcpy(base + layout->nulls_offset, &nulls, sizeof nulls);
}

row_number
view_next_row(const struct view *view, uint32_t table, row_number from)
{
    return table_next_row(&view->store->tables[table], from, view->moment);
}
