/* table.c - adding rows and versions; see table.h for the layout and the proof. */
#include "core/table.h"

#include "base/error.h"
#include "base/hash.h"

#include <math.h>

static size_t
cell_bytes(const struct column *column)
{
    return column_is_dictionary(column) ? sizeof(uint32_t) : sizeof(uint64_t);
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

knackdb_status
table_data_init(struct table_data *table, const struct table *definition, struct epochs *epochs, knackdb_error *error)
{
    memset(table, 0, sizeof *table);
    table->definition = definition;
    table->epochs = epochs;
    atomic_init(&table->next_id, 1);
    for (uint32_t c = 0; c < definition->column_count; c++)
        table->offsets[c] = place_array(table, cell_bytes(&definition->columns[c]));
    table->births_offset = place_array(table, sizeof(uint64_t));
    table->ends_offset = place_array(table, sizeof(uint64_t));
    for (uint32_t k = 0; k < definition->key_count; k++)
        table->links_offset[k] = place_array(table, sizeof(row_number));
    /* On pages of its own, large ones even: it is hardly ever touched, and then costs nothing. */
    table->exact_offset =
        ((CHUNK_ROWS >> GROUP_ROW_BITS) * table->group_bytes + ALLOCATOR_HUGE_BYTES - 1) & ~(ALLOCATOR_HUGE_BYTES - 1);
    table->chunk_bytes = table->exact_offset + CHUNK_ROWS * sizeof(uint64_t);

    table->dictionaries =
        allocator_get_zeroed(epochs->allocator, definition->column_count * sizeof *table->dictionaries);
    if (table->dictionaries == NULL)
        return error_no_memory(error, "a table");
    for (uint32_t c = 0; c < definition->column_count; c++)
        table->dictionaries[c].is_posted = definition->columns[c].is_posted;
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
            allocator_put_pages(allocator, group[i].arrays, table->chunk_bytes);
            text_arena_clear(&group[i].texts, allocator);
        }
        allocator_put(allocator, group, CHUNKS_PER_GROUP * sizeof *group);
    }
    if (table->dictionaries != NULL) {
        for (uint32_t c = 0; c < table->definition->column_count; c++)
            dictionary_clear(&table->dictionaries[c], table->epochs);
        allocator_put(allocator, table->dictionaries, table->definition->column_count * sizeof *table->dictionaries);
    }
    id_map_clear(&table->ids, allocator);
    for (uint32_t k = 0; k < SCHEMA_KEYS_MAX; k++)
        index_clear(&table->keys[k], table->epochs);
}

#define POPULATE_GROUPS 4u

/* Makes sure that the chunk of the next row is there, and its pages, some groups at a time. */
static knackdb_status
reserve_chunk(struct table_data *table, row_number row, knackdb_error *error)
{
    struct allocator *allocator = table->epochs->allocator;
    uint32_t          number = row >> CHUNK_ROW_BITS;
    struct chunk     *group;

    if (number >= CHUNK_GROUPS * CHUNKS_PER_GROUP)
        return error_set(error, KNACKDB_FULL, "%s holds as many row versions as there are row numbers",
                         table->definition->name);
    group = atomic_load_explicit(&table->groups[number / CHUNKS_PER_GROUP], memory_order_relaxed);
    if (group == NULL) {
        group = allocator_get_zeroed(allocator, CHUNKS_PER_GROUP * sizeof *group);
        if (group == NULL)
            return error_no_memory(error, "a table");
        atomic_store_explicit(&table->groups[number / CHUNKS_PER_GROUP], group, memory_order_release);
    }
    group += number % CHUNKS_PER_GROUP;
    if (group->arrays == NULL) {
        unsigned char *arrays = allocator_get_pages(allocator, table->chunk_bytes);

        if (arrays == NULL)
            return error_no_memory(error, "rows");
        if (!allocator_pages_are_zero(allocator))
            memset(arrays + table->exact_offset, 0, table->chunk_bytes - table->exact_offset);
        /* A table of more than a chunk is read at random over many pages, and 2 MiB ones save most of
         * the look-ups of addresses. A small table must not pay for pages it does not fill. */
        if (number != 0)
            allocator_advise_huge(allocator, arrays, table->exact_offset);
        if (number == 1)
            allocator_advise_huge(allocator, (group - 1)->arrays, table->exact_offset);
        group->identity = ++table->chunk_count;
        group->arrays = arrays;
    }
    if ((row & (POPULATE_GROUPS * GROUP_ROWS - 1)) == 0)
        allocator_populate(allocator, table_group(table, row), POPULATE_GROUPS * table->group_bytes);
    return KNACKDB_OK;
}

/* ---- cells ---- */

/* A row about to be written: each cell as the bits its array keeps. */
struct row_cells {
    uint64_t bits[KNACKDB_COLUMNS_MAX];
    uint64_t exact; /* columns whose INT64_MIN is a value */
};

static void
load_cells(const struct table_data *table, row_number row, struct row_cells *cells)
{
    for (uint32_t c = 0; c < table->definition->column_count; c++)
        cells->bits[c] = column_is_dictionary(&table->definition->columns[c])
                             ? table_code(table, row, c)
                             : *TABLE_AT(table, row, table->offsets[c], uint64_t);
    cells->exact = *table_exact(table, row);
}

static uint64_t
real_bits(double real)
{
    uint64_t bits;

    memcpy(&bits, &real, sizeof bits);
    return bits;
}

/* Turns a value into the bits of its cell; text goes into the dictionary or the arena. */
static knackdb_status
encode_cell(struct table_data *table, struct text_arena *texts, uint32_t column, const knackdb_value *value,
            struct row_cells *cells, knackdb_error *error)
{
    const struct column *info = &table->definition->columns[column];
    text_cell            cell = TEXT_CELL_NULL;
    knackdb_status       status;
    uint32_t             code;

    cells->exact &= ~KNACKDB_BIT(column);
    switch (info->type) {
    case KNACKDB_INTEGER:
        cells->bits[column] = (uint64_t) (value->type == KNACKDB_NULL ? INTEGER_NULL : value->as.integer);
        if (value->type != KNACKDB_NULL && value->as.integer == INTEGER_NULL)
            cells->exact |= KNACKDB_BIT(column);
        return KNACKDB_OK;
    case KNACKDB_REAL:
        cells->bits[column] = real_bits(value->type == KNACKDB_NULL      ? (double) NAN
                                        : value->type == KNACKDB_INTEGER ? (double) value->as.integer
                                                                         : value->as.real);
        return KNACKDB_OK;
    default:
        break;
    }

    if (info->storage == TEXT_DICTIONARY) {
        knackdb_text text = { NULL, 0 };

        if (value->type == KNACKDB_TEXT)
            text = value->as.text;
        status = dictionary_intern(&table->dictionaries[column], table->epochs, text, &code, error);
        cells->bits[column] = code;
        return status;
    }
    if (value->type == KNACKDB_TEXT) {
        cell = text_cell_of(text_arena_add(texts, table->epochs->allocator, value->as.text), value->as.text.length);
        if (cell == TEXT_CELL_NULL)
            return error_no_memory(error, "text");
    }
    cells->bits[column] = cell;
    return KNACKDB_OK;
}

knackdb_value
table_cell(const struct table_data *table, row_number row, uint32_t column)
{
    int64_t integer;
    double  real;

    switch (table->definition->columns[column].type) {
    case KNACKDB_INTEGER:
        return table_integer_given(table, row, column, &integer) ? knackdb_value_integer(integer)
                                                                 : knackdb_value_null();
    case KNACKDB_REAL:
        real = table_real(table, row, column);
        return isnan(real) ? knackdb_value_null() : knackdb_value_real(real);
    default:
        return knackdb_value_text(table_text(table, row, column));
    }
}

/* ---- keys ---- */

static bool
key_search_add(struct key_search *search, int64_t integer)
{
    search->integers[search->count++] = integer;
    search->hash = hash_integer(search->hash ^ (uint64_t) integer);
    return true;
}

static bool
key_search_add_text(struct key_search *search, knackdb_text text)
{
    search->texts[search->count++] = text;
    search->hash = hash_integer(search->hash ^ hash_bytes(text.data, text.length, 0));
    return true;
}

static bool
key_search_add_value(struct key_search *search, const struct table_data *table, uint32_t column,
                     const knackdb_value *value)
{
    uint32_t code;

    if (value->type != table->definition->columns[column].type)
        return false;
    if (value->type == KNACKDB_INTEGER)
        return key_search_add(search, value->as.integer);
    if (!column_is_dictionary(&table->definition->columns[column]))
        return key_search_add_text(search, value->as.text);
    code = dictionary_find(&table->dictionaries[column], value->as.text);
    return code != DICTIONARY_CODE_NONE && key_search_add(search, code);
}

bool
key_search_init(struct key_search *search, const struct table_data *table, uint32_t key_index,
                const knackdb_value *key_values)
{
    const struct key *key = &table->definition->keys[key_index];

    search->hash = 0;
    search->count = 0;
    for (uint32_t i = 0; i < key->column_count; i++)
        if (!key_search_add_value(search, table, key->columns[i], &key_values[i]))
            return false;
    return true;
}

bool
key_search_init_row(struct key_search *search, const struct table_data *table, uint32_t key_index,
                    const knackdb_value *values)
{
    const struct key *key = &table->definition->keys[key_index];

    search->hash = 0;
    search->count = 0;
    for (uint32_t i = 0; i < key->column_count; i++)
        if (!key_search_add_value(search, table, key->columns[i], &values[key->columns[i]]))
            return false;
    return true;
}

static bool
key_search_init_cells(struct key_search *search, const struct table_data *table, uint32_t key_index,
                      const struct row_cells *cells)
{
    const struct key *key = &table->definition->keys[key_index];

    search->hash = 0;
    search->count = 0;
    for (uint32_t i = 0; i < key->column_count; i++) {
        uint32_t             column = key->columns[i];
        const struct column *info = &table->definition->columns[column];
        uint64_t             bits = cells->bits[column];

        if (info->type == KNACKDB_INTEGER) {
            if ((int64_t) bits == INTEGER_NULL && (cells->exact & KNACKDB_BIT(column)) == 0)
                return false;
            (void) key_search_add(search, (int64_t) bits);
        } else if (bits == 0) { /* code 0 and TEXT_CELL_NULL alike are NULL */
            return false;
        } else if (info->storage == TEXT_DICTIONARY) {
            (void) key_search_add(search, (int64_t) bits);
        } else {
            (void) key_search_add_text(search, text_cell_view(bits));
        }
    }
    return true;
}

static bool
row_has_key(const struct table_data *table, row_number row, const struct key *key, const struct key_search *search)
{
    for (uint32_t i = 0; i < key->column_count; i++) {
        const struct column *info = &table->definition->columns[key->columns[i]];
        bool                 same;

        if (info->type == KNACKDB_INTEGER)
            same = table_integer(table, row, key->columns[i]) == search->integers[i];
        else if (info->storage == TEXT_DICTIONARY)
            same = (int64_t) table_code(table, row, key->columns[i]) == search->integers[i];
        else
            same = text_equal(table_text(table, row, key->columns[i]), search->texts[i]);
        if (!same)
            return false;
    }
    return true;
}

row_number
table_key_head(const struct table_data *table, uint32_t key_index, const struct key_search *search)
{
    struct index_probe probe;
    uint32_t           row;

    if (key_index == 0) {
        row = id_map_get(&table->ids, search->integers[0]);
        if (row != ID_MAP_NONE) {
            table_prefetch_row(table, row);
            return row;
        }
    }
    index_probe_init(&probe, &table->keys[key_index], search->hash);
    while (index_probe_next(&probe, &row)) {
        table_prefetch_row(table, row);
        if (row_has_key(table, row, &table->definition->keys[key_index], search))
            return row;
    }
    return ROW_NONE;
}

row_number
table_key_find(const struct table_data *table, uint32_t key_index, const struct key_search *search, uint64_t sequence)
{
    return table_key_at(table, key_index, table_key_head(table, key_index, search), sequence);
}

/* ---- adding ---- */

/* Where a new row goes in the index of one key. */
struct key_place {
    bool       present; /* no part of the key is NULL */
    bool       mapped;  /* in table_data.ids, not in the index */
    uint64_t   hash;
    row_number head;
};

/* An id that is in neither place yet goes where it belongs now. */
static knackdb_status
reserve_id(struct table_data *table, int64_t id, struct key_place *place, knackdb_error *error)
{
    row_number row = atomic_load_explicit(&table->row_end, memory_order_relaxed);

    place->mapped = place->head != ROW_NONE ? id_map_get(&table->ids, id) != ID_MAP_NONE : id_map_takes(id, row);
    if (place->mapped)
        return id_map_reserve(&table->ids, table->epochs->allocator, id, row)
                   ? KNACKDB_OK
                   : error_no_memory(error, "an index of ids");
    return place->head != ROW_NONE ? KNACKDB_OK : index_reserve(&table->keys[0], table->epochs, 1, error);
}

static knackdb_status
reserve_indexes(struct table_data *table, const struct row_cells *cells, struct key_place *places,
                knackdb_error *error)
{
    const struct table *definition = table->definition;
    knackdb_status      status;

    for (uint32_t k = 0; k < definition->key_count; k++) {
        struct key_search search;

        places[k].present = key_search_init_cells(&search, table, k, cells);
        places[k].mapped = false;
        places[k].head = ROW_NONE;
        if (!places[k].present)
            continue;
        places[k].hash = search.hash;
        places[k].head = table_key_head(table, k, &search);
        if (k == 0)
            status = reserve_id(table, search.integers[0], &places[k], error);
        else
            status = places[k].head == ROW_NONE ? index_reserve(&table->keys[k], table->epochs, 1, error) : KNACKDB_OK;
        if (status != KNACKDB_OK)
            return status;
    }
    for (uint32_t c = 0; c < definition->column_count; c++) {
        struct dictionary *dictionary = &table->dictionaries[c];

        if (!definition->columns[c].is_posted || cells->bits[c] == DICTIONARY_CODE_NULL)
            continue;
        status = posting_reserve(dictionary_posting(dictionary, (uint32_t) cells->bits[c]), table->epochs,
                                 &dictionary->posting_bytes, error);
        if (status != KNACKDB_OK)
            return status;
    }
    return KNACKDB_OK;
}

/* Cannot fail: everything is reserved. */
static void
write_row(struct table_data *table, row_number row, const struct row_cells *cells, const struct key_place *places,
          uint64_t sequence)
{
    const struct table *definition = table->definition;

    for (uint32_t c = 0; c < definition->column_count; c++) {
        if (column_is_dictionary(&definition->columns[c]))
            *TABLE_AT(table, row, table->offsets[c], uint32_t) = (uint32_t) cells->bits[c];
        else
            *TABLE_AT(table, row, table->offsets[c], uint64_t) = cells->bits[c];
    }
    if (cells->exact != 0)
        *table_exact(table, row) = cells->exact;
    atomic_store_explicit(TABLE_AT(table, row, table->births_offset, _Atomic uint64_t), sequence,
                          memory_order_relaxed);
    atomic_store_explicit(TABLE_AT(table, row, table->ends_offset, _Atomic uint64_t), END_NEVER,
                          memory_order_relaxed);
    for (uint32_t k = 0; k < definition->key_count; k++)
        *TABLE_AT(table, row, table->links_offset[k], row_number) = places[k].head;

    /* The row is whole: from here on readers may find it (T1). */
    atomic_store_explicit(&table->row_end, row + 1, memory_order_release);
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
    for (uint32_t c = 0; c < definition->column_count; c++)
        if (definition->columns[c].is_posted && cells->bits[c] != DICTIONARY_CODE_NULL)
            posting_add(dictionary_posting(&table->dictionaries[c], (uint32_t) cells->bits[c]), row);
}

knackdb_status
table_add_row(struct table_data *table, const knackdb_value *values, row_number from, uint64_t changed,
              uint64_t sequence, row_number *ret_row, knackdb_error *error)
{
    row_number        row = atomic_load_explicit(&table->row_end, memory_order_relaxed);
    struct row_cells  cells;
    struct key_place  places[SCHEMA_KEYS_MAX];
    struct text_arena *texts;
    knackdb_status    status;

    status = reserve_chunk(table, row, error);
    if (status != KNACKDB_OK)
        return status;
    texts = (struct text_arena *) (uintptr_t) &table_chunk(table, row)->texts;

    cells.exact = 0;
    if (from != ROW_NONE)
        load_cells(table, from, &cells);
    else
        changed = UINT64_MAX;
    for (uint32_t c = 0; c < table->definition->column_count; c++) {
        if ((changed >> c & 1) == 0)
            continue;
        status = encode_cell(table, texts, c, &values[c], &cells, error);
        if (status != KNACKDB_OK)
            return status;
    }
    status = reserve_indexes(table, &cells, places, error);
    if (status != KNACKDB_OK)
        return status;
    write_row(table, row, &cells, places, sequence);
    *ret_row = row;
    return KNACKDB_OK;
}

void
table_end_row(struct table_data *table, row_number row, uint64_t sequence)
{
    atomic_store_explicit(TABLE_AT(table, row, table->ends_offset, _Atomic uint64_t), sequence,
                          memory_order_relaxed); /* T2 */
}

void
table_restore_row(struct table_data *table, row_number row)
{
    table_end_row(table, row, END_NEVER);
}

void
table_forget_rows(struct table_data *table, row_number first)
{
    row_number end = atomic_load_explicit(&table->row_end, memory_order_relaxed);

    for (row_number row = first; row < end; row++)
        atomic_store_explicit(TABLE_AT(table, row, table->births_offset, _Atomic uint64_t), BIRTH_NEVER,
                              memory_order_relaxed); /* T3 */
}

/* ---- figures ---- */

uint64_t
table_column_bytes(const struct table_data *table)
{
    uint64_t rows = atomic_load_explicit(&((struct table_data *) (uintptr_t) table)->row_end, memory_order_relaxed);

    return rows * table->row_bytes;
}

uint64_t
table_text_bytes(const struct table_data *table)
{
    uint32_t rows = atomic_load_explicit(&((struct table_data *) (uintptr_t) table)->row_end, memory_order_acquire);
    uint64_t bytes = 0;

    for (uint64_t row = 0; row < rows; row += CHUNK_ROWS)
        bytes += atomic_load_explicit(
            &((struct chunk *) (uintptr_t) table_chunk(table, (row_number) row))->texts.bytes, memory_order_relaxed);
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
