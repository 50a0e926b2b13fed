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
    ret_view->sequence = atomic_load_explicit(&store->sequence, memory_order_acquire); /* S1 */
    atomic_store_explicit(&slot->view, ret_view->sequence + 1, memory_order_release);
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
    row = table_key_find(data, key_index, &search, view->sequence);
    if (row == ROW_NONE)
        return KNACKDB_NOT_FOUND;
    *ret_row = row;
    return KNACKDB_OK;
}

bool
view_has_row(const struct view *view, uint32_t table, uint64_t row)
{
    return row < atomic_load_explicit(&view->store->tables[table].row_end, memory_order_acquire);
}

uint64_t
view_chunk_identity(const struct view *view, uint32_t table, row_number row)
{
    return table_chunk(&view->store->tables[table], row)->identity;
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
 * costs the processor more than the cell itself, fourteen times a row. */
void
view_struct(const struct view *view, uint32_t table, row_number row, const struct row_layout *layout,
            void *ret_struct)
{
    const struct table_data *data = &view->store->tables[table];
    const struct column     *columns = data->definition->columns;
    char                    *base = ret_struct;
    uint64_t                 nulls = 0;

    /* A large dictionary's entries are as far away as the row was: ask for them all before the first is needed. */
    for (uint32_t c = 0; c < layout->field_count; c++)
        if (column_is_dictionary(&columns[c]) && table_code(data, row, c) != DICTIONARY_CODE_NULL)
            __builtin_prefetch(dictionary_entry_at(&data->dictionaries[c], table_code(data, row, c)));
    for (uint32_t c = 0; c < layout->field_count; c++) {
        void         *field = base + layout->offsets[c];
        knackdb_text *text = field;
        int64_t       integer;
        double        real;
        bool          is_null;

        switch (columns[c].type) {
        case KNACKDB_INTEGER:
            is_null = !table_integer_given(data, row, c, &integer);
            *(int64_t *) field = is_null ? 0 : integer;
            break;
        case KNACKDB_REAL:
            real = table_real(data, row, c);
            is_null = isnan(real);
            *(double *) field = is_null ? 0.0 : real;
            break;
        default:
            *text = table_text(data, row, c);
            is_null = text->data == NULL;
            __builtin_prefetch(text->data); /* most callers look at it next, and texts lie apart */
            break;
        }
        nulls |= (uint64_t) is_null << c;
    }
    memcpy(base + layout->nulls_offset, &nulls, sizeof nulls);
}

row_number
view_next_row(const struct view *view, uint32_t table, row_number from)
{
    const struct table_data *data = &view->store->tables[table];
    row_number               end =
        atomic_load_explicit(&((struct table_data *) (uintptr_t) data)->row_end, memory_order_acquire);

    for (row_number row = from; row < end; row++)
        if (table_row_visible(data, row, view->sequence))
            return row;
    return ROW_NONE;
}

row_number
store_row_end(const struct store *store, uint32_t table)
{
    return atomic_load_explicit(&((struct store *) (uintptr_t) store)->tables[table].row_end, memory_order_acquire);
}
