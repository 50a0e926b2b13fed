/* table_keys.c - rows by key: found, and taken out when nobody sees them. */
#include "core/row_cells.h"

#include "base/hash.h"

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

bool
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
table_key_find(const struct table_data *table, uint32_t key_index, const struct key_search *search, uint64_t moment)
{
    return table_key_at(table, key_index, table_key_head(table, key_index, search), moment);
}

bool
key_search_init_stored(struct key_search *search, const struct table_data *table, uint32_t key_index, row_number row)
{
    struct row_cells cells;

    row_cells_load(&cells, table, row);
    return key_search_init_cells(search, table, key_index, &cells);
}

bool
table_rows_share_key(const struct table_data *table, uint32_t key_index, row_number row, row_number other)
{
    struct key_search search;

    return key_search_init_stored(&search, table, key_index, row) &&
           row_has_key(table, other, &table->definition->keys[key_index], &search);
}

/* Of one column, whose texts are not looked up to make a search of them. */
static bool
is_own_text(const struct table *definition, const struct key *key)
{
    const struct column *column = &definition->columns[key->columns[0]];

    return key->column_count == 1 && column->type == KNACKDB_TEXT && column->storage == TEXT_OWN;
}

void
table_expect_rows(struct table_data *table, const knackdb_value *values, size_t stride, size_t count)
{
    const struct table *definition = table->definition;

    for (uint32_t i = 0; i < table->coded_count && table->coded[i] < stride; i++)
        dictionary_expect(&table->dictionaries[table->coded[i]], values + table->coded[i], stride, count);
    for (uint32_t k = 1; k < definition->key_count; k++)
        if (table->keys[k].count >= DICTIONARY_EXPECTED_FROM && is_own_text(definition, &definition->keys[k]) &&
            definition->keys[k].columns[0] < stride)
            for (size_t r = 0; r < count; r++) {
                struct key_search search;

                if (key_search_init_row(&search, table, k, values + r * stride))
                    index_prefetch(&table->keys[k], search.hash);
            }
}

/* ---- taking out ---- */

static void
unlink_from_key(struct table_data *table, row_number row, uint32_t key_index, const struct key_search *search)
{
    row_number head = table_key_head(table, key_index, search);
    row_number older = table_link(table, row, key_index);
    bool       is_mapped = key_index == 0 && id_map_get(&table->ids, search->integers[0]) != ID_MAP_NONE;

    if (head != row) {
        row_number newer = head;

        while (newer != ROW_NONE && table_link(table, newer, key_index) != row)
            newer = table_link(table, newer, key_index);
        if (newer != ROW_NONE)
            table_set_link(table, newer, key_index, older, memory_order_seq_cst);
    } else if (is_mapped && older != ROW_NONE) {
        id_map_set(&table->ids, search->integers[0], older);
    } else if (is_mapped) {
        id_map_remove(&table->ids, table->epochs, search->integers[0]);
    } else if (older != ROW_NONE) {
        index_replace(&table->keys[key_index], search->hash, row, older);
    } else {
        index_remove(&table->keys[key_index], search->hash, row);
    }
}

/* What follows cannot fail. */
static bool
reserve_unlinking(struct table_data *table, row_number row)
{
    int64_t    id = table_integer(table, row, 0);
    row_number older = table_link(table, row, 0);

    if (id_map_get(&table->ids, id) != row)
        return true;
    return older != ROW_NONE ? id_map_reserve(&table->ids, table->epochs, id, older)
                             : id_map_reserve_removal(&table->ids, table->epochs, id);
}

bool
table_unlink_row(struct table_data *table, row_number row)
{
    if (!reserve_unlinking(table, row))
        return false;
    for (uint32_t k = 0; k < table->definition->key_count; k++) {
        struct key_search search;

        if (key_search_init_stored(&search, table, k, row))
            unlink_from_key(table, row, k, &search);
    }
    return true;
}
