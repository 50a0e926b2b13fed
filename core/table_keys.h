/* table_keys.h - from a key's value to the row that holds it, through a table's indexes and the links of its versions
 * (table.h). */
#ifndef KNACKDB_CORE_TABLE_KEYS_H
#define KNACKDB_CORE_TABLE_KEYS_H

#include "core/table.h"

/* A key value ready to be searched for. */
struct key_search {
    uint64_t     hash;
    uint32_t     count;
    int64_t      integers[SCHEMA_KEY_COLUMNS_MAX]; /* id, or a dictionary code */
    knackdb_text texts[SCHEMA_KEY_COLUMNS_MAX];
};

/* False where no row can have it: a part is NULL, or a text that the dictionary does not know. */
bool key_search_init(struct key_search *search, const struct table_data *table, uint32_t key_index,
                     const knackdb_value *key_values);
/* From the values of a whole row. */
bool key_search_init_row(struct key_search *search, const struct table_data *table, uint32_t key_index,
                         const knackdb_value *values);

/* From the cells of a row that is there. */
bool key_search_init_stored(struct key_search *search, const struct table_data *table, uint32_t key_index,
                            row_number row);

/* Do two rows hold the same key? The first one holds one, none of its columns being NULL. */
bool table_rows_share_key(const struct table_data *table, uint32_t key_index, row_number row, row_number other);

/* The newest row that held the key and is there still, alive or not; ROW_NONE. */
row_number table_key_head(const struct table_data *table, uint32_t key_index, const struct key_search *search);
/* The row that holds it at a moment; ROW_NONE. */
row_number table_key_find(const struct table_data *table, uint32_t key_index, const struct key_search *search,
                          uint64_t moment);

/* Of the rows that held a key, newest first from `row` on, the one that holds it at a moment. One at a time does: where
 * one was born by then and is dead at it, those before it are, too. */
static inline row_number
table_key_at(const struct table_data *table, uint32_t key_index, row_number row, uint64_t moment)
{
    if (row != ROW_NONE && table_row_settled(table, row, moment))
        return row;
    while (row != ROW_NONE && !table_row_born(table, row, moment))
        row = table_link(table, row, key_index);
    return row != ROW_NONE && table_row_visible(table, row, moment) ? row : ROW_NONE;
}

/* ---- the writer's ---- */

/* For who is about to add rows, TABLE_EXPECTED_MAX at most, each beginning `stride` values behind the one before: asks
 * for the memory that finding their texts and keys will look at. Nothing is added; it is a matter of cost alone. */
#define TABLE_EXPECTED_MAX DICTIONARY_EXPECTED_MAX
void table_expect_rows(struct table_data *table, const knackdb_value *values, size_t stride, size_t count);

/* Takes a row that nobody sees out of the index and the chain of every key. False without memory: nothing is done. */
bool table_unlink_row(struct table_data *table, row_number row);

#endif
