/* candidates.c - see candidates.h. */
#include "core/candidates.h"

#include "core/store_data.h"

/* Rows in the lists of a predicate: what walking them costs. */
static uint64_t
posted_rows(const struct table_data *table, const struct predicate *predicate)
{
    const struct dictionary *dictionary = &table->dictionaries[predicate->condition->column];
    uint64_t                 rows = 0;

    for (uint32_t i = 0; i < predicate->code_count; i++)
        rows += atomic_load_explicit(&dictionary_posting(dictionary, predicate->codes[i])->count,
                                     memory_order_relaxed);
    return rows;
}

static void
open_list(struct candidates *candidates)
{
    const struct predicate  *posted = candidates->posted;
    const struct dictionary *dictionary = &candidates->table->dictionaries[posted->condition->column];

    candidates->rows =
        posting_view(dictionary_posting(dictionary, posted->codes[candidates->list]), &candidates->count);
    candidates->at = 0;
}

/* The value that the conditions want a column to be equal to; NULL where they do not say. */
static const knackdb_value *
value_wanted(const struct table_data *table, const knackdb_query *checked, uint32_t column)
{
    for (size_t i = 0; i < checked->condition_count; i++)
        if (checked->conditions[i].column == column && checked->conditions[i].op == KNACKDB_EQUAL
            && checked->conditions[i].value.type == table->definition->columns[column].type)
            return &checked->conditions[i].value;
    return NULL;
}

/* Conditions that give every column of a key name one row at most. */
static void
narrow_to_key(struct candidates *candidates, const knackdb_query *checked, uint32_t key_index)
{
    const struct key *key = &candidates->table->definition->keys[key_index];
    struct key_search search;
    knackdb_value     values[SCHEMA_KEY_COLUMNS_MAX];
    row_number        row = ROW_NONE;

    for (uint32_t i = 0; i < key->column_count; i++) {
        const knackdb_value *value = value_wanted(candidates->table, checked, key->columns[i]);

        if (value == NULL)
            return;
        values[i] = *value;
    }
    if (key_search_init(&search, candidates->table, key_index, values))
        row = table_key_find(candidates->table, key_index, &search, candidates->sequence);
    candidates->posted = NULL;
    candidates->next = row != ROW_NONE ? row : 0;
    candidates->end = row != ROW_NONE ? row + 1 : 0;
}

void
candidates_init(struct candidates *candidates, const struct view *view, const knackdb_query *checked)
{
    struct table_data *table = &view->store->tables[checked->table];
    uint64_t           fewest = UINT64_MAX;

    candidates->table = table;
    candidates->sequence = view->sequence;
    candidates->allocator = view->store->allocator;
    candidates->predicate_count = (uint32_t) checked->condition_count;
    candidates->posted = NULL;
    candidates->list = candidates->count = candidates->at = 0;
    candidates->rows = NULL;
    candidates->next = 0;
    candidates->end = atomic_load_explicit(&table->row_end, memory_order_acquire);

    for (uint32_t i = 0; i < candidates->predicate_count; i++) {
        struct predicate *predicate = &candidates->predicates[i];
        uint64_t          rows;

        predicate_init(predicate, table, &checked->conditions[i]);
        if (predicate->form == PREDICATE_NEVER)
            candidates->end = 0; /* the other predicates are bound all the same, to be cleared */
        if (predicate->form != PREDICATE_CODES || !table->definition->columns[predicate->condition->column].is_posted)
            continue;
        rows = posted_rows(table, predicate);
        if (rows < fewest) {
            fewest = rows;
            candidates->posted = predicate;
        }
    }
    for (uint32_t k = 0; k < table->definition->key_count && candidates->end != 0; k++)
        narrow_to_key(candidates, checked, k);
    if (candidates->end == 0)
        candidates->posted = NULL;
    if (candidates->posted != NULL)
        open_list(candidates);
}

/* Places the list at its first row from `first` on; the rows of a list rise. */
static void
skip_to(struct candidates *candidates, row_number first)
{
    uint32_t low = 0, high = candidates->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (candidates->rows[middle] < first)
            low = middle + 1;
        else
            high = middle;
    }
    candidates->at = low;
}

void
candidates_start_at(struct candidates *candidates, row_number first)
{
    if (candidates->next < first)
        candidates->next = first;
    if (candidates->posted != NULL)
        skip_to(candidates, first);
}

bool
candidates_match(struct candidates *candidates, row_number row)
{
    for (uint32_t i = 0; i < candidates->predicate_count; i++)
        if (&candidates->predicates[i] != candidates->posted
            && !predicate_holds(&candidates->predicates[i], candidates->table, row))
            return false;
    return true;
}

row_number
candidates_next(struct candidates *candidates)
{
    row_number row;

    while (candidates->posted == NULL) {
        if (candidates->next >= candidates->end)
            return ROW_NONE;
        row = candidates->next++;
        if (table_row_visible(candidates->table, row, candidates->sequence) && candidates_match(candidates, row))
            return row;
    }
    for (;;) {
        row_number first = candidates->next;

        while (candidates->at == candidates->count) {
            if (++candidates->list >= candidates->posted->code_count)
                return ROW_NONE;
            open_list(candidates);
            skip_to(candidates, first);
        }
        row = candidates->rows[candidates->at++];
        if (table_row_visible(candidates->table, row, candidates->sequence) && candidates_match(candidates, row))
            return row;
    }
}

void
candidates_clear(struct candidates *candidates)
{
    for (uint32_t i = 0; i < candidates->predicate_count; i++)
        predicate_clear(&candidates->predicates[i], candidates->allocator);
}
