/* candidates.c - see candidates.h. */
#include "core/candidates.h"

#include "core/carried.h"
#include "core/store_data.h"

#include <math.h>

static uint64_t
rows_in_lists(const struct table_data *table, const struct predicate *predicate)
{
    const struct dictionary *dictionary = &table->dictionaries[predicate->condition->column];
    uint64_t                 rows = 0;

    for (uint32_t i = 0; i < predicate->code_count; i++) {
        struct posting_view list;

        posting_view_init(&list, dictionary_posting(dictionary, predicate->codes[i]));
        rows += list.count;
    }
    return rows;
}

#define AHEAD        12u /* rows asked for before they are looked at */
#define BLOCKS_AHEAD 4u  /* and blocks of a list */

/* Where among `rows` the `at`-th to come is. */
static inline uint32_t
index_of_run(const struct candidates *candidates, uint32_t at)
{
    return candidates->is_backwards && candidates->rows != candidates->picked ? candidates->count - 1 - at : at;
}

static row_number
row_of_run(const struct candidates *candidates, uint32_t at)
{
    at = index_of_run(candidates, at);
    return candidates->rows != NULL ? candidates->rows[at] : candidates->first_row + at;
}

/* The row will be looked at. */
static inline void
ask_for_row(const struct candidates *candidates, row_number row)
{
    const unsigned char *group = table_group(candidates->table, row);

    for (uint32_t i = 0; i < candidates->asked_count; i++)
        __builtin_prefetch(group + candidates->columns[i].offset +
                           (row & GROUP_ROW_MASK) * (size_t) candidates->columns[i].width);
}

/* The `at`-th row of a block. */
static inline __attribute__((always_inline)) void
pick(struct candidates *candidates, const struct posting_run *run, uint32_t block, uint32_t at)
{
    if (candidates->width != 0) {
        bool is_carried = run->cells != NULL;

        if (is_carried) {
            __builtin_prefetch(run->cells + at * candidates->width);
            __builtin_prefetch(run->cells + (at + 1) * candidates->width - 1);
        }
        candidates->picked_places[candidates->count] = is_carried ? (block << POSTING_BLOCK_BITS) + at + 1 : 0;
    }
    candidates->picked[candidates->count++] = run->rows[at];
    ask_for_row(candidates, run->rows[at]);
}

/* Of the rows of a block those with the tag of the code wanted. */
static void
pick_tagged(struct candidates *candidates, const struct posting_run *run, uint32_t block)
{
    posting_tag wanted = (posting_tag) (uint16_t) candidates->tagged->codes[0];
    uint32_t    parts = (run->count + 63) / 64;

    for (uint32_t part = 0; part < parts; part++) {
        uint32_t from = 64 * (candidates->is_backwards ? parts - 1 - part : part);
        uint32_t left = run->count - from;
        uint64_t found = posting_tags_within(run->tags + from, left < 64 ? left : 64, wanted, wanted);

        while (found != 0) {
            int bit = candidates->is_backwards ? 63 - __builtin_clzll(found) : __builtin_ctzll(found);

            pick(candidates, run, block, from + (uint32_t) bit);
            found ^= UINT64_C(1) << bit;
        }
    }
}

/* Behind what is picked already, where rows are picked. */
static void
take_block(struct candidates *candidates, uint32_t block)
{
    struct posting_run      run = posting_view_run(&candidates->list, block);
    const struct predicate *tagged = candidates->tagged;

    candidates->asked_count = candidates->column_count + (candidates->is_carried && run.cells == NULL);
    candidates->takes_cells = candidates->width != 0 && tagged == NULL && run.cells != NULL;
    if (tagged == NULL) {
        candidates->rows = run.rows;
        candidates->count = run.count;
        candidates->taken = block;
        return;
    }
    candidates->rows = candidates->picked;
    if (run.tags != NULL)
        pick_tagged(candidates, &run, block);
    else if (table_code(candidates->table, run.rows[0], tagged->condition->column) == tagged->codes[0])
        pick(candidates, &run, block, 0);
}

/* Births rise in a list and in a chunk (T4), so what is to be left out is at its beginning. */
static void
leave_out_of_run(struct candidates *candidates)
{
    candidates->at = candidates->count;
    while (candidates->at > 0 &&
           !table_row_born(candidates->table, row_of_run(candidates, candidates->at - 1), candidates->since))
        candidates->at--;
}

/* Which block of the list is taken as the `at`-th. */
static uint32_t
block_at(const struct candidates *candidates, uint32_t at)
{
    return candidates->is_backwards ? candidates->block_end - 1 - at : at;
}

static bool
is_too_old(const struct candidates *candidates, uint32_t block)
{
    return posting_view_is_older(&candidates->list, block, candidates->oldest);
}

/* The `at`-th block, if there is one, will be looked at. */
static void
ask_for_block(const struct candidates *candidates, uint32_t at)
{
    struct posting_run run;

    if (at >= candidates->block_end || is_too_old(candidates, block_at(candidates, at)))
        return;
    run = posting_view_run(&candidates->list, block_at(candidates, at));
    posting_run_ask_rows(&run);
    if (candidates->tagged != NULL)
        posting_run_ask_tags(&run);
}

static void
begin_list(struct candidates *candidates, uint32_t code)
{
    const struct dictionary *dictionary = &candidates->table->dictionaries[candidates->posted->condition->column];

    posting_view_init(&candidates->list, dictionary_posting(dictionary, code));
    candidates->block = 0;
    candidates->block_end = posting_view_blocks(&candidates->list);
    candidates->width = candidates->carries != 0 ? posting_view_width(&candidates->list) : 0;
    candidates->ahead = NULL;
    candidates->count = candidates->at = 0;
    if (!candidates->has_since) {
        for (uint32_t at = 0; at < BLOCKS_AHEAD; at++)
            ask_for_block(candidates, at);
        return;
    }
    for (uint32_t b = candidates->block_end; b > 0; b--) {
        candidates->block = b;
        candidates->count = 0;
        take_block(candidates, b - 1);
        leave_out_of_run(candidates);
        if (candidates->at > 0)
            return;
    }
}

/* The rows of a block that was taken whole come next. */
static void
ask_for_rows(struct candidates *candidates)
{
    uint32_t next = candidates->block;

    for (uint32_t at = 0; at < AHEAD && at < candidates->count; at++)
        ask_for_row(candidates, row_of_run(candidates, at));
    candidates->ahead = NULL;
    if (candidates->is_carried && candidates->width != 0 && candidates->column_count == 0 &&
        next < candidates->block_end && !is_too_old(candidates, block_at(candidates, next)))
        candidates->ahead = posting_view_run(&candidates->list, block_at(candidates, next)).cells;
}

/* While the `at`-th row of a block is looked at, the cells of the same row of the next one are asked for. */
static inline void
ask_for_cells_ahead(const struct candidates *candidates, uint32_t at)
{
    at = candidates->is_backwards ? POSTING_BLOCK_ROWS - 1 - at : at;
    __builtin_prefetch(candidates->ahead + at * candidates->width);
}

/* Begins with the next block, list or chunk. False where there is none. */
static bool
next_run(struct candidates *candidates)
{
    const struct predicate *posted = candidates->posted;
    uint32_t                number;

    if (posted != NULL && candidates->block < candidates->block_end) {
        candidates->count = candidates->at = 0;
        do {
            uint32_t at = candidates->block++;

            ask_for_block(candidates, at + BLOCKS_AHEAD);
            if (is_too_old(candidates, block_at(candidates, at)))
                candidates->passed_over = true;
            else
                take_block(candidates, block_at(candidates, at));
        } while (candidates->block < candidates->block_end &&
                 candidates->count < (candidates->tagged != NULL ? candidates->pick_least : 1));
        if (candidates->tagged == NULL) /* else they are asked for already */
            ask_for_rows(candidates);
        return true;
    }
    if (candidates->next_run >= candidates->run_end)
        return false;
    if (posted != NULL) {
        begin_list(candidates, posted->codes[candidates->next_run++]);
        return true;
    }
    number = candidates->is_backwards ? candidates->run_end - 1 - candidates->next_run : candidates->next_run;
    candidates->next_run++;
    candidates->first_row = number << CHUNK_ROW_BITS;
    candidates->count = table_chunk_rows(candidates->table, number);
    candidates->at = 0;
    if (candidates->has_since)
        leave_out_of_run(candidates);
    return true;
}

/* The value that the conditions want a column to be equal to; NULL where they do not say. */
static const knackdb_value *
value_wanted(const struct table_data *table, const knackdb_query *checked, uint32_t column)
{
    for (size_t i = 0; i < checked->condition_count; i++)
        if (checked->conditions[i].column == column && checked->conditions[i].op == KNACKDB_EQUAL &&
            checked->conditions[i].value.type == table->definition->columns[column].type)
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
        row = table_key_find(candidates->table, key_index, &search, candidates->moment);
    candidates->posted = NULL;
    candidates->next_run = candidates->run_end = 0;
    candidates->first_row = row;
    candidates->count = row != ROW_NONE;
}

/* Fulfilled by every row that comes. */
static bool
is_known(const struct candidates *candidates, const struct predicate *predicate)
{
    return predicate == candidates->posted || (predicate == candidates->tagged && candidates->tags_suffice);
}

/* Which condition the tags of the lists answer, if any. */
static void
find_tagged(struct candidates *candidates)
{
    const struct table *definition = candidates->table->definition;
    uint32_t            beside = definition->columns[candidates->posted->condition->column].beside;

    for (uint32_t i = 0; i < candidates->predicate_count; i++) {
        const struct predicate *predicate = &candidates->predicates[i];

        if (beside != 0 && predicate->form == PREDICATE_CODES && predicate->code_count == 1 &&
            predicate->condition->column == beside)
            candidates->tagged = predicate;
    }
    candidates->tags_suffice = candidates->tagged != NULL && table_tags_are_codes(candidates->table, beside);
}

void
candidates_init(struct candidates *candidates, const struct view *view, const knackdb_query *checked)
{
    struct table_data *table = &view->store->tables[checked->table];
    bool               never = false;

    candidates->view = view;
    candidates->table = table;
    candidates->moment = view->moment;
    candidates->has_since = false;
    candidates->allocator = view->store->allocator;
    candidates->predicate_count = (uint32_t) checked->condition_count;
    candidates->posted = NULL;
    candidates->posted_rows = UINT64_MAX;
    candidates->next_run = candidates->count = candidates->at = 0;
    candidates->block = candidates->block_end = 0;
    candidates->run_end = table_chunk_end(table);
    candidates->rows = NULL;
    candidates->tagged = NULL;
    candidates->tags_suffice = candidates->is_backwards = candidates->passed_over = false;
    candidates->oldest = -INFINITY;
    candidates->column_count = 0;
    candidates->is_carried = false;
    candidates->pick_least = POSTING_BLOCK_ROWS;
    candidates->carries = 0;
    candidates->width = candidates->asked_count = 0;
    candidates->takes_cells = false;
    candidates->ahead = NULL;

    for (uint32_t i = 0; i < candidates->predicate_count; i++) {
        struct predicate *predicate = &candidates->predicates[i];
        uint64_t          rows;

        predicate_init(predicate, table, &checked->conditions[i]);
        if (predicate->form == PREDICATE_NEVER)
            never = true; /* the other predicates are bound all the same, to be cleared */
        if (predicate->form != PREDICATE_CODES || !table->definition->columns[predicate->condition->column].is_posted)
            continue;
        rows = rows_in_lists(table, predicate);
        if (rows < candidates->posted_rows) {
            candidates->posted_rows = rows;
            candidates->posted = predicate;
        }
    }
    if (candidates->posted != NULL)
        candidates->run_end = candidates->posted->code_count;
    if (never)
        candidates->run_end = 0;
    for (uint32_t k = 0; k < table->definition->key_count && candidates->run_end != 0; k++)
        narrow_to_key(candidates, checked, k);
    if (candidates->posted != NULL)
        find_tagged(candidates);
    for (uint32_t i = 0; i < candidates->predicate_count; i++)
        if (!is_known(candidates, &candidates->predicates[i]))
            candidates_foresee(candidates, candidates->predicates[i].condition->column);
}

void
candidates_foresee(struct candidates *candidates, uint32_t column)
{
    if (candidates->column_count < CANDIDATES_COLUMNS_MAX)
        candidates->columns[candidates->column_count++] = candidates->table->arrays[column];
}

void
candidates_want_places(struct candidates *candidates)
{
    const struct predicate *posted = candidates->posted;
    struct posting_view     list;

    if (posted == NULL || posted->code_count != 1)
        return;
    posting_view_init(&list, dictionary_posting(&candidates->table->dictionaries[posted->condition->column],
                                                posted->codes[0]));
    if (posting_view_width(&list) != 0)
        candidates->carries = candidates->table->definition->columns[posted->condition->column].carries;
}

bool
candidates_foresee_carried(struct candidates *candidates, uint32_t column)
{
    if ((candidates->carries >> column & 1) == 0)
        return false;
    candidates->is_carried = true;
    candidates->columns[candidates->column_count] = candidates->table->arrays[column];
    candidates->carried_at = carried_at(candidates->carries, column);
    return true;
}

void
candidates_turn_back(struct candidates *candidates)
{
    candidates->is_backwards = candidates->run_end != 0;
}

void
candidates_leave_out(struct candidates *candidates, uint64_t up_to)
{
    candidates->has_since = true;
    candidates->since = up_to;
    if (candidates->count != 0 && table_row_born(candidates->table, candidates->first_row, up_to))
        candidates->count = 0; /* the one row that a key names */
}

/* A row that the view sees. */
static bool
is_match(struct candidates *candidates, row_number row)
{
    for (uint32_t i = 0; i < candidates->predicate_count; i++)
        if (!is_known(candidates, &candidates->predicates[i]) &&
            !predicate_holds(&candidates->predicates[i], candidates->table, row))
            return false;
    return true;
}

/* The next row of a block that was taken whole, and carries what is looked at. No column is foreseen, so every
 * predicate is known to hold. */
static row_number __attribute__((noinline))
next_carried(struct candidates *candidates)
{
    while (candidates->at < candidates->count) {
        uint32_t   index = candidates->is_backwards ? candidates->count - 1 - candidates->at : candidates->at;
        row_number row = candidates->rows[index];

        if (candidates->ahead != NULL)
            ask_for_cells_ahead(candidates, candidates->at);
        candidates->at++;
        if (table_row_shown(candidates->table, row, candidates->moment))
            return row;
    }
    return ROW_NONE;
}

row_number
candidates_next(struct candidates *candidates)
{
    do {
        bool       is_list = candidates->rows != NULL && candidates->rows != candidates->picked;
        row_number found;

        if (candidates->takes_cells && is_list && candidates->column_count == 0) {
            found = next_carried(candidates);
            if (found != ROW_NONE)
                return found;
            continue;
        }

        while (candidates->at < candidates->count) {
            row_number row = row_of_run(candidates, candidates->at);

            /* Rows of a list lie apart, and would be waited for. */
            if (is_list && candidates->at + AHEAD < candidates->count)
                ask_for_row(candidates, row_of_run(candidates, candidates->at + AHEAD));
            candidates->at++;
            if (table_row_shown(candidates->table, row, candidates->moment) && is_match(candidates, row))
                return row;
        }
    } while (next_run(candidates));
    return ROW_NONE;
}

uint32_t
candidates_place(const struct candidates *candidates)
{
    uint32_t at;

    if (candidates->width == 0)
        return 0;
    at = index_of_run(candidates, candidates->at - 1);
    if (candidates->rows == candidates->picked)
        return candidates->picked_places[at];
    return candidates->takes_cells ? (candidates->taken << POSTING_BLOCK_BITS) + at + 1 : 0;
}

void
candidates_clear(struct candidates *candidates)
{
    for (uint32_t i = 0; i < candidates->predicate_count; i++)
        predicate_clear(&candidates->predicates[i], candidates->allocator);
}
