/* view.c - one moment of the store, and the cells seen in it.
 *
 * Beginning a view claims a slot (epoch.h) and only then loads the newest commit: the
 * writer that scans the slots before that load knows that this reader may see anything. */
#include "core/leaders.h"
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
view_ask_cells(const struct view *view, uint32_t table, const uint64_t *rows, size_t count, uint64_t columns,
               const unsigned char **ret_groups)
{
    const struct table_data *data = &view->store->tables[table];

    for (size_t i = 0; i < count; i++)
        ret_groups[i] = table_group(data, (row_number) rows[i]);
    for (columns &= UINT64_MAX >> (64 - data->definition->column_count); columns != 0; columns &= columns - 1) {
        const struct table_array array = data->arrays[__builtin_ctzll(columns)];

        for (size_t i = 0; i < count; i++)
            __builtin_prefetch(ret_groups[i] + array.offset + (rows[i] & GROUP_ROW_MASK) * array.width);
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

/* Each puts a cell into its field, 0 for NULL. True for NULL. */
static inline __attribute__((always_inline)) bool
put_text(knackdb_text text, void *field)
{
    *(knackdb_text *) field = text;
    __builtin_prefetch(text.data); /* most callers look at it next, and texts lie apart */
    return text.data == NULL;
}

/* `array` is the column's in the row's group; of CELL_SPARSE there is none. */
static inline __attribute__((always_inline)) bool
put_cell_of(const struct table_data *data, enum cell_kind kind, const void *array, row_number row, uint32_t column,
            void *field)
{
    size_t  place = row & GROUP_ROW_MASK;
    int64_t integer;
    double  real;
    bool    is_null;

    switch (kind) {
    case CELL_INTEGER:
        integer = ((const int64_t *) array)[place];
        is_null = __builtin_expect(integer == INTEGER_NULL, 0) && !table_integer_is_exact(data, row, column);
        *(int64_t *) field = is_null ? 0 : integer;
        return is_null;
    case CELL_REAL:
        real = ((const double *) array)[place];
        is_null = isnan(real);
        *(double *) field = is_null ? 0.0 : real;
        return is_null;
    case CELL_CODE:
        return put_text(dictionary_text(&data->dictionaries[column], ((const uint32_t *) array)[place]), field);
    case CELL_TEXT: return put_text(text_cell_view(((const text_cell *) array)[place]), field);
    default: return put_text(text_cell_view(table_text_cell(data, row, column)), field);
    }
}

static inline __attribute__((always_inline)) bool
put_cell(const struct table_data *data, const unsigned char *group, row_number row, uint32_t column, void *field)
{
    return put_cell_of(data, (enum cell_kind) data->kinds[column], group + data->offsets[column], row, column, field);
}

/* Written out, and not over view_cells(): a knackdb_value stored in halves and loaded whole
 * costs the processor more than the cell itself, fourteen times a row; and where the row lies is asked once. */
void
view_struct(const struct view *view, uint32_t table, row_number row, const struct row_layout *layout, void *ret_struct)
{
    const struct table_data *data = &view->store->tables[table];
    const unsigned char     *group = table_group(data, row);
    char                    *base = ret_struct;
    uint64_t                 nulls = 0;

    for (uint32_t c = 0; c < layout->field_count; c++)
        nulls |= (uint64_t) put_cell(data, group, row, c, base + layout->offsets[c]) << c;
    memcpy(base + layout->nulls_offset, &nulls, sizeof nulls);
}

uint64_t
view_struct_columns(const struct view *view, uint32_t table, row_number row, const struct row_layout *layout,
                    uint64_t columns, void *ret_struct)
{
    const struct table_data *data = &view->store->tables[table];
    const unsigned char     *group = table_group(data, row);
    uint64_t                 nulls = 0;

    for (; columns != 0; columns &= columns - 1) {
        uint32_t c = (uint32_t) __builtin_ctzll(columns);

        nulls |= (uint64_t) put_cell(data, group, row, c, (char *) ret_struct + layout->offsets[c]) << c;
    }
    return nulls;
}

/* ---- a column of many rows ---- */

/* So many rows ahead a cell is asked for. The first ones were when the answer was found, or arrive together. */
#define ROWS_AHEAD 16u

/* Once for each kind, which the compiler then knows; with all that it needs where no cell that is written can change
 * it. */
static inline __attribute__((always_inline)) void
put_column(const struct view *view, const struct column_cells *asked, enum cell_kind kind, size_t field_bytes)
{
    const struct table_data    *data = &view->store->tables[asked->table];
    const uint64_t             *rows = asked->rows, moment = view->moment;
    const size_t                count = asked->count, group_bytes = data->group_bytes;
    const uint32_t              column = asked->column;
    const struct table_array    array = data->arrays[column];
    const bool                  is_given = asked->is_given;
    char                       *field = asked->ret_cells;
    bool                       *nulls = asked->ret_nulls;
    const unsigned char *const *groups = asked->groups;
    const size_t                group_count = asked->group_count;

    for (size_t i = 0; i < count; i++, field += field_bytes) {
        row_number           row = (row_number) rows[i];
        const unsigned char *group = NULL;
        bool                 is_null = true;

        if (is_given && i + ROWS_AHEAD < count) {
            row_number           later = (row_number) rows[i + ROWS_AHEAD];
            const unsigned char *cells = table_group_of(data, later, group_bytes) + array.offset;

            __builtin_prefetch(cells + (later & GROUP_ROW_MASK) * array.width);
        }
        if (i < group_count)
            group = groups[i];
        else if (is_given || table_row_seen(data, rows[i], moment))
            group = table_group_of(data, row, group_bytes);
        if (group != NULL)
            is_null = put_cell_of(data, kind, group + array.offset, row, column, field);
        else
            memset(field, 0, field_bytes);
        if (kind == CELL_REAL && is_null)
            *(double *) (void *) field = (double) NAN;
        if (nulls != NULL)
            nulls[i] = is_null;
    }
}

/* What leaders tell of a row. True for NULL. */
static inline __attribute__((always_inline)) bool
put_led(const struct dictionary *dictionary, const struct led_rows *led, const struct leader *leader, uint32_t column,
        void *field)
{
    if (column == 0)
        *(int64_t *) field = leader->id;
    else if (column == led->ranking)
        *(double *) field = leader->rate; /* no leader's is NULL */
    else
        return put_text(dictionary_text(dictionary, column == led->column ? led->code : leader->code), field);
    return false;
}

static bool
leaders_tell(const struct led_rows *led, uint32_t column)
{
    return column == 0 || column == led->ranking || column == led->column || column == led->code_column;
}

/* The rows that are leaders, and after them the others, which are few. */
static bool
put_led_column(const struct view *view, const struct column_cells *asked)
{
    const struct table_data *data = &view->store->tables[asked->table];
    const struct led_rows   *led = asked->led;
    const uint16_t          *places = led->places + asked->led_at;
    const uint32_t           column = asked->column;
    const size_t             field_bytes = data->kinds[column] == CELL_CODE ? sizeof(knackdb_text) : sizeof(uint64_t);
    char                    *field = asked->ret_cells;
    bool                     has_looked = false;

    for (size_t i = 0; i < asked->count; i++, field += field_bytes) {
        row_number row = (row_number) asked->rows[i];
        bool       is_null;

        if (places[i] != 0)
            is_null = put_led(&data->dictionaries[column], led, &led->leaders->rows[places[i] - 1], column, field);
        else
            is_null = put_cell(data, table_group(data, row), row, column, field);

        has_looked = has_looked || places[i] == 0;
        if (is_null && data->kinds[column] == CELL_REAL)
            *(double *) (void *) field = (double) NAN;
        if (asked->ret_nulls != NULL)
            asked->ret_nulls[i] = is_null;
    }
    return has_looked;
}

bool
view_column(const struct view *view, const struct column_cells *asked)
{
    if (asked->led != NULL && leaders_tell(asked->led, asked->column))
        return put_led_column(view, asked);
    switch ((enum cell_kind) view->store->tables[asked->table].kinds[asked->column]) {
    case CELL_INTEGER: put_column(view, asked, CELL_INTEGER, sizeof(int64_t)); break;
    case CELL_REAL: put_column(view, asked, CELL_REAL, sizeof(double)); break;
    case CELL_CODE: put_column(view, asked, CELL_CODE, sizeof(knackdb_text)); break;
    case CELL_TEXT: put_column(view, asked, CELL_TEXT, sizeof(knackdb_text)); break;
    case CELL_SPARSE: put_column(view, asked, CELL_SPARSE, sizeof(knackdb_text)); break;
    }
    return true;
}

row_number
view_next_row(const struct view *view, uint32_t table, row_number from)
{
    return table_next_row(&view->store->tables[table], from, view->moment);
}
