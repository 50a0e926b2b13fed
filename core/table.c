/* table.c - adding rows and versions; see table.h for the layout and the proof. */
#include "core/carried.h"
#include "core/row_cells.h"

#include "base/error.h"
#include "base/hash.h"

#include <math.h>

knackdb_status
table_data_init(struct table_data *table, const struct table *definition, struct epochs *epochs, knackdb_error *error)
{
    memset(table, 0, sizeof *table);
    table->definition = definition;
    table->epochs = epochs;
    table->filling = CHUNK_NONE;
    reclaim_init(&table->reclaim);
    atomic_init(&table->next_id, 1);
    table->is_dirty = !allocator_pages_are_zero(epochs->allocator);
    table->page_bits = (uint32_t) __builtin_ctzll(allocator_page_bytes());
    table_layout_plan(table);
    table->dictionaries =
        allocator_get_zeroed(epochs->allocator, definition->column_count * sizeof *table->dictionaries);
    if (table->dictionaries == NULL)
        return error_no_memory(error, "a table");
    for (uint32_t c = 0; c < definition->column_count; c++) {
        table->dictionaries[c].is_posted = definition->columns[c].is_posted;
        posting_blocks_init(&table->dictionaries[c].blocks, carried_width(definition->columns[c].carries));
    }
    return KNACKDB_OK;
}

void
table_data_clear(struct table_data *table)
{
    struct allocator *allocator = table->epochs->allocator;

    for (uint32_t g = 0; g < CHUNK_GROUPS; g++) {
        struct chunk *group = atomic_load(&table->groups[g]);

        if (group == NULL)
            continue;
        for (uint32_t i = 0; i < CHUNKS_PER_GROUP; i++) {
            allocator_put_pages(allocator, atomic_load(&group[i].arrays), table->chunk_bytes);
            text_arena_clear(&group[i].texts, allocator);
        }
        allocator_put(allocator, group, CHUNKS_PER_GROUP * sizeof *group);
    }
    reclaim_clear(&table->reclaim, table->epochs);
    epochs_drain(table->epochs); /* blocks of posting lists go back before what they are pieces of */
    if (table->dictionaries != NULL) {
        for (uint32_t c = 0; c < table->definition->column_count; c++)
            dictionary_clear(&table->dictionaries[c], table->epochs);
        allocator_put(allocator, table->dictionaries, table->definition->column_count * sizeof *table->dictionaries);
    }
    id_map_clear(&table->ids, table->epochs);
    for (uint32_t k = 0; k < SCHEMA_KEYS_MAX; k++)
        index_clear(&table->keys[k], table->epochs);
}

/* ---- cells ---- */

void
row_cells_load(struct row_cells *cells, const struct table_data *table, row_number row)
{
    bool has_null = false; /* or one that looks so */

    for (uint32_t c = 0; c < table->definition->column_count; c++) {
        cells->bits[c] = table->kinds[c] == CELL_CODE     ? table_code(table, row, c)
                         : table->kinds[c] == CELL_SPARSE ? table_text_cell(table, row, c)
                                                          : *TABLE_AT(table, row, table->offsets[c], uint64_t);
        has_null |= table->kinds[c] == CELL_INTEGER && cells->bits[c] == (uint64_t) INTEGER_NULL;
    }
    cells->exact = has_null ? *table_exact(table, row) : 0;
}

static uint64_t
real_bits(double real)
{
    uint64_t bits;

    memcpy(&bits, &real, sizeof bits);
    return bits;
}

/* Puts a text where its column keeps it; *ret_bits is the cell. */
static knackdb_status
encode_text(struct table_data *table, struct text_arena *texts, uint32_t column, const knackdb_value *value,
            uint64_t *ret_bits, knackdb_error *error)
{
    text_cell      cell = TEXT_CELL_NULL;
    knackdb_status status;
    uint32_t       code;

    if (table->kinds[column] == CELL_CODE) {
        knackdb_text text = { NULL, 0 };

        if (value->type == KNACKDB_TEXT)
            text = value->as.text;
        status = dictionary_intern(&table->dictionaries[column], table->epochs, text, &code, error);
        *ret_bits = code;
        return status;
    }
    if (value->type == KNACKDB_TEXT) {
        cell = text_arena_add(texts, table->epochs->allocator, value->as.text);
        if (cell == TEXT_CELL_NULL)
            return error_no_memory(error, "text");
    }
    *ret_bits = cell;
    return KNACKDB_OK;
}

/* Turns a value into the bits of its cell. `cells->exact` has no mark of the column. */
static knackdb_status
encode_cell(struct table_data *table, struct text_arena *texts, uint32_t column, const knackdb_value *value,
            struct row_cells *cells, knackdb_error *error)
{
    switch (table->kinds[column]) {
    case CELL_INTEGER:
        cells->bits[column] = (uint64_t) (value->type == KNACKDB_NULL ? INTEGER_NULL : value->as.integer);
        if (value->type != KNACKDB_NULL && value->as.integer == INTEGER_NULL)
            cells->exact |= KNACKDB_BIT(column);
        return KNACKDB_OK;
    case CELL_REAL:
        cells->bits[column] = real_bits(value->type == KNACKDB_NULL      ? (double) NAN
                                        : value->type == KNACKDB_INTEGER ? (double) value->as.integer
                                                                         : value->as.real);
        return KNACKDB_OK;
    default: return encode_text(table, texts, column, value, &cells->bits[column], error);
    }
}

/* A number's bits are the cell as they are, nearly always. (Those of -0.0 are INTEGER_NULL's.) Of a row with every
 * column returns those of which that is not so: a branch a column would be guessed wrongly too often. */
static uint64_t
take_numbers(const struct table_data *table, const knackdb_value *values, struct row_cells *cells)
{
    uint64_t others = 0;

    for (uint32_t c = 0; c < table->definition->column_count; c++) {
        uint64_t is_other = ((unsigned) values[c].type != (unsigned) table->kinds[c]) |
                            (values[c].as.integer == INTEGER_NULL);

        cells->bits[c] = (uint64_t) values[c].as.integer;
        others |= is_other << c;
    }
    return others;
}

/* ---- adding ---- */

/* Where a new row goes in the index of one key. */
struct key_place {
    bool       present; /* no part of the key is NULL */
    bool       mapped;  /* in table_data.ids, not in the index */
    uint64_t   hash;
    row_number head;
};

/* Looks for the row that held the id last. One that is in neither place yet goes where it belongs now; a new one mostly
 * without a look at the index. */
static void
place_id(struct table_data *table, const struct row_cells *cells, struct key_place *place)
{
    int64_t           id = (int64_t) cells->bits[0];
    struct key_search search;

    place->present = true;
    place->head = id_map_get(&table->ids, id);
    place->mapped = place->head != ID_MAP_NONE;
    if (place->mapped)
        return;
    place->head = ROW_NONE;
    place->mapped = id_map_takes(id, table->rows_added);
    if (place->mapped && table->keys[0].count == 0)
        return;
    (void) key_search_init_cells(&search, table, 0, cells);
    place->hash = search.hash;
    place->head = table_key_head(table, 0, &search);
    place->mapped &= place->head == ROW_NONE;
}

static knackdb_status
reserve_id(struct table_data *table, const struct row_cells *cells, struct key_place *place, knackdb_error *error)
{
    row_number row = table_row_number_next(table); /* reserved already */

    place_id(table, cells, place);
    if (place->mapped)
        return id_map_reserve(&table->ids, table->epochs, (int64_t) cells->bits[0], row)
                   ? KNACKDB_OK
                   : error_no_memory(error, "an index of ids");
    return place->head != ROW_NONE ? KNACKDB_OK : index_reserve(&table->keys[0], table->epochs, 1, error);
}

static knackdb_status
reserve_indexes(struct table_data *table, const struct row_cells *cells, struct key_place *places, knackdb_error *error)
{
    const struct table *definition = table->definition;
    knackdb_status      status = reserve_id(table, cells, &places[0], error);

    if (status != KNACKDB_OK)
        return status;
    for (uint32_t k = 1; k < definition->key_count; k++) {
        struct key_search search;

        places[k].present = key_search_init_cells(&search, table, k, cells);
        places[k].mapped = false;
        places[k].head = ROW_NONE;
        if (!places[k].present)
            continue;
        places[k].hash = search.hash;
        places[k].head = table_key_head(table, k, &search);
        if (places[k].head != ROW_NONE)
            continue;
        status = index_reserve(&table->keys[k], table->epochs, 1, error);
        if (status != KNACKDB_OK)
            return status;
    }
    for (uint32_t i = 0; i < table->coded_count; i++) {
        uint32_t            c = table->coded[i];
        struct dictionary  *dictionary = &table->dictionaries[c];
        struct posting     *posting;
        struct posting_note only_note;
        uint64_t            carried[KNACKDB_COLUMNS_MAX];
        row_number          only;

        if (!dictionary->is_posted || cells->bits[c] == DICTIONARY_CODE_NULL)
            continue;
        posting = dictionary_posting(dictionary, (uint32_t) cells->bits[c]);
        only = posting_only(posting);
        only_note = table_row_note(table, c, only);
        if (dictionary->blocks.width != 0 && only != ROW_NONE) {
            carried_load(table, definition->columns[c].carries, only, carried);
            only_note.cells = carried;
        }
        status =
            posting_reserve(posting, only_note, &dictionary->blocks, table->epochs, &dictionary->posting_bytes, error);
        if (status != KNACKDB_OK)
            return status;
    }
    return KNACKDB_OK;
}

static inline struct posting_note
note_of_cells(const struct table *definition, uint32_t column, const struct row_cells *cells)
{
    uint32_t            beside = definition->columns[column].beside;
    struct posting_note note = { table_tag(definition, beside, cells->bits[beside]), NAN, NULL };

    if (definition->age_column >= 0)
        memcpy(&note.age, &cells->bits[definition->age_column], sizeof note.age);
    return note;
}

/* Of these columns, those in which the row holds something. */
static uint64_t
given_by(const struct table_data *table, const struct row_cells *cells, uint64_t columns)
{
    uint64_t given = 0;

    for (uint64_t left = columns; left != 0; left &= left - 1) {
        uint32_t c = (uint32_t) __builtin_ctzll(left);
        double   real;

        memcpy(&real, &cells->bits[c], sizeof real);
        if (table->kinds[c] == CELL_REAL ? real == real
            : table->kinds[c] == CELL_INTEGER
                ? cells->bits[c] != (uint64_t) INTEGER_NULL || (cells->exact >> c & 1) != 0
                : cells->bits[c] != TEXT_CELL_NULL)
            given |= KNACKDB_BIT(c);
    }
    return given;
}

void
table_put_sparse(struct table_data *table, row_number row, uint32_t column, text_cell cell)
{
    if (cell == TEXT_CELL_NULL)
        return; /* as it is */
    table_touch(table, row, table->offsets[column], sizeof cell);
    *TABLE_APART(table, row, table->offsets[column], text_cell) = cell;
}

/* Puts a row on the lists of its texts. */
static inline __attribute__((always_inline)) void
post_row(struct table_data *table, row_number row, const struct row_cells *cells)
{
    const struct table *definition = table->definition;

    for (uint32_t i = 0; i < table->coded_count; i++) {
        uint32_t            c = table->coded[i];
        uint64_t            carried[KNACKDB_COLUMNS_MAX];
        struct posting_note note;
        struct posting     *posting;

        if (cells->bits[c] == DICTIONARY_CODE_NULL)
            continue;
        dictionary_hold(&table->dictionaries[c], (uint32_t) cells->bits[c]);
        if (!table->dictionaries[c].is_posted)
            continue;
        posting = dictionary_posting(&table->dictionaries[c], (uint32_t) cells->bits[c]);
        note = note_of_cells(definition, c, cells);
        if (table->dictionaries[c].blocks.width != 0) {
            carried_choose(definition->columns[c].carries, cells->bits, carried);
            note.cells = carried;
        }
        posting_add(posting, row, note);
    }
}

/* Cannot fail: everything is reserved. */
static void
write_row(struct table_data *table, row_number row, const struct row_cells *cells, const struct key_place *places,
          uint64_t moment)
{
    const struct table *definition = table->definition;
    unsigned char      *group = table_group(table, row); /* asked once: the compiler would not see that it stays */
    size_t              place = row & GROUP_ROW_MASK;
    _Atomic uint64_t   *settled = table_settled(table, row);
    uint64_t            given = atomic_load_explicit(&table->given, memory_order_relaxed), more;

    if (table->is_dirty)
        table_clear_apart(table, row, 1);
#define CELL(offset, type) ((type *) (void *) (group + (offset)) + place)
    for (uint32_t c = 0; c < definition->column_count; c++) {
        if (table->kinds[c] == CELL_CODE)
            *CELL(table->offsets[c], uint32_t) = (uint32_t) cells->bits[c];
        else if (table->kinds[c] != CELL_SPARSE)
            *CELL(table->offsets[c], uint64_t) = cells->bits[c];
        else
            table_put_sparse(table, row, c, cells->bits[c]);
    }
    if (cells->exact != 0) {
        table_touch(table, row, table->exact_offset, sizeof cells->exact);
        *table_exact(table, row) = cells->exact;
    }
    atomic_store_explicit(CELL(table->births_offset, _Atomic uint64_t), moment, memory_order_relaxed);
    for (uint32_t k = 0; k < definition->key_count; k++)
        if (places[k].head != ROW_NONE)
            table_set_link(table, row, k, places[k].head, memory_order_relaxed);
#undef CELL
    if (place == 0 || atomic_load_explicit(settled, memory_order_relaxed) != SETTLED_NEVER)
        atomic_store_explicit(settled, moment, memory_order_relaxed); /* T6 */

    more = given != table->rare ? given_by(table, cells, table->rare & ~given) : 0;
    if (more != 0) /* hardly ever: readers have it in their caches */
        atomic_store_explicit(&table->given, given | more, memory_order_relaxed); /* C3 */

    /* The row is whole: from here on readers may find it (T1). */
    atomic_store_explicit(&table_chunk(table, row)->row_count, ++table->filled, memory_order_release);
    table->rows_added++;
    atomic_store_explicit(&table->row_count, atomic_load_explicit(&table->row_count, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    for (uint32_t k = 0; k < definition->key_count; k++) {
        if (!places[k].present)
            continue;
        if (places[k].mapped)
            id_map_set(&table->ids, (int64_t) cells->bits[0], row);
        else if (places[k].head == ROW_NONE)
            index_insert(&table->keys[k], places[k].hash, row);
        else
            index_replace(&table->keys[k], places[k].hash, places[k].head, row);
    }
    post_row(table, row, cells);
}

bool
table_integer_is_exact(const struct table_data *table, row_number row, uint32_t column)
{
    return (*table_exact(table, row) >> column & 1) != 0;
}

/* The row was not written after all: texts that came for it alone go again. */
static void
forget_texts(struct table_data *table, const struct row_cells *cells, uint64_t encoded)
{
    for (uint32_t i = 0; i < table->coded_count; i++)
        if ((encoded >> table->coded[i] & 1) != 0)
            dictionary_forget_unheld(&table->dictionaries[table->coded[i]], table->epochs,
                                     (uint32_t) cells->bits[table->coded[i]]);
}

knackdb_status
table_add_row(struct table_data *table, const knackdb_value *values, row_number from, uint64_t changed, uint64_t moment,
              row_number *ret_row, knackdb_error *error)
{
    row_number         row;
    struct row_cells   cells;
    struct key_place   places[SCHEMA_KEYS_MAX];
    struct text_arena *texts;
    uint64_t           encoded = 0;
    knackdb_status     status = table_reserve_row(table, moment, &row, error);

    if (status != KNACKDB_OK)
        return status;
    texts = &table_chunk(table, row)->texts;
    cells.exact = 0;
    if (from != ROW_NONE)
        row_cells_load(&cells, table, from);
    else
        changed = take_numbers(table, values, &cells);
    cells.exact &= ~changed;
    for (uint64_t left = changed; left != 0 && status == KNACKDB_OK; left &= left - 1) {
        uint32_t c = (uint32_t) __builtin_ctzll(left);

        status = encode_cell(table, texts, c, &values[c], &cells, error);
        if (status == KNACKDB_OK)
            encoded |= KNACKDB_BIT(c);
    }
    if (status == KNACKDB_OK)
        status = reserve_indexes(table, &cells, places, error);
    if (status != KNACKDB_OK) {
        forget_texts(table, &cells, encoded);
        return status;
    }
    write_row(table, row, &cells, places, moment);
    *ret_row = row;
    return KNACKDB_OK;
}

knackdb_status
table_move_row(struct table_data *table, row_number row, uint64_t moment, knackdb_error *error)
{
    row_number       moved;
    struct row_cells cells;
    struct key_place places[SCHEMA_KEYS_MAX];
    knackdb_status   status = table_reserve_row(table, moment, &moved, error);

    if (status != KNACKDB_OK)
        return status;
    row_cells_load(&cells, table, row);
    for (uint32_t c = 0; c < table->definition->column_count; c++) {
        knackdb_text text;

        if ((table->kinds[c] != CELL_TEXT && table->kinds[c] != CELL_SPARSE) || cells.bits[c] == TEXT_CELL_NULL)
            continue;
        text = text_cell_view(cells.bits[c]);
        cells.bits[c] = text_arena_add(&table_chunk(table, moved)->texts, table->epochs->allocator, text);
        if (cells.bits[c] == TEXT_CELL_NULL)
            return error_no_memory(error, "text");
    }
    status = reserve_indexes(table, &cells, places, error);
    if (status != KNACKDB_OK)
        return status;
    write_row(table, moved, &cells, places, moment);
    table_end_row(table, row, moment);
    return KNACKDB_OK;
}

/* Where a row of a large table ends, others will: the pages of an eighth of the chunk's ends are brought in by one
 * call, where each would be an exception. */
#define ENDS_PART_ROWS (CHUNK_ROWS / 8)

static void
bring_ends_in(struct table_data *table, row_number row)
{
    row_number first = row & ~(row_number) (ENDS_PART_ROWS - 1);
    uint32_t   rows_a_page = (uint32_t) (((size_t) 1 << table->page_bits) / sizeof(uint64_t));

    for (uint32_t i = 0; i < ENDS_PART_ROWS; i += rows_a_page)
        table_touch(table, first + i, table->ends_offset, sizeof(uint64_t));
    allocator_populate(table->epochs->allocator, TABLE_APART(table, first, table->ends_offset, uint64_t),
                       ENDS_PART_ROWS * sizeof(uint64_t));
}

static void
store_end(struct table_data *table, row_number row, uint64_t moment)
{
    if (table_chunk(table, row)->is_large && !table_is_touched(table, row, table->ends_offset, sizeof moment))
        bring_ends_in(table, row);
    else
        table_touch(table, row, table->ends_offset, sizeof moment);
    atomic_store_explicit(TABLE_APART(table, row, table->ends_offset, _Atomic uint64_t), ~moment,
                          memory_order_relaxed); /* T2 */
}

void
table_end_row(struct table_data *table, row_number row, uint64_t moment)
{
    store_end(table, row, moment);
    atomic_store_explicit(table_settled(table, row), SETTLED_NEVER, memory_order_relaxed); /* T6 */
    table_chunk(table, row)->dead_count++;
    table->reclaim.died++;
}

void
table_restore_row(struct table_data *table, row_number row)
{
    store_end(table, row, END_NEVER);
    table_chunk(table, row)->dead_count--;
    table->reclaim.died--;
}

void
table_forget_rows(struct table_data *table, struct table_mark mark, uint64_t newest)
{
    for (uint32_t number = table->filling; number != CHUNK_NONE; number = table_chunk_at(table, number)->older) {
        struct chunk *chunk = table_chunk_at(table, number);
        uint32_t      rows = atomic_load_explicit(&chunk->row_count, memory_order_relaxed);

        if (newest < chunk->born)
            chunk->born = newest; /* so that whatever comes on top of these rows is born later (unlink_id()) */
        for (uint32_t place = number == mark.filling ? mark.filled : 0; place < rows; place++) {
            atomic_store_explicit(TABLE_AT(table, number << CHUNK_ROW_BITS | place, table->births_offset,
                                           _Atomic uint64_t),
                                  BIRTH_NEVER, memory_order_relaxed); /* T3 */
            atomic_store_explicit(table_settled(table, number << CHUNK_ROW_BITS | place), SETTLED_NEVER,
                                  memory_order_relaxed); /* T6 */
            chunk->dead_count++;
            table->reclaim.died++;
        }
        if (number == mark.filling)
            break;
    }
}

/* ---- figures ---- */

uint64_t
table_column_bytes(const struct table_data *table)
{
    struct table_data *counted = (struct table_data *) (uintptr_t) table;
    uint64_t           rows = atomic_load_explicit(&counted->row_count, memory_order_relaxed);
    uint64_t           apart = atomic_load_explicit(&counted->apart_bytes, memory_order_relaxed);

    return rows * table->row_bytes + apart;
}

uint64_t
table_text_bytes(const struct table_data *table)
{
    uint32_t end = table_chunk_end(table);
    uint64_t bytes = 0;

    for (uint32_t number = 0; number < end; number++)
        bytes += atomic_load_explicit(&table_chunk_at(table, number)->texts.bytes, memory_order_relaxed);
    for (uint32_t c = 0; c < table->definition->column_count; c++)
        bytes += dictionary_text_bytes(&table->dictionaries[c]);
    return bytes;
}

uint64_t
table_index_bytes(const struct table_data *table)
{
    uint64_t bytes = id_map_bytes(&table->ids);

    for (uint32_t k = 0; k < table->definition->key_count; k++)
        bytes += index_bytes(&table->keys[k]);
    for (uint32_t c = 0; c < table->definition->column_count; c++)
        bytes += dictionary_index_bytes(&table->dictionaries[c]);
    return bytes;
}
