/* reclaim.c - see reclaim.h for how it goes and why it may; the letters R1 to R4 refer to it. */
#include "core/reclaim.h"

#include "core/store_data.h"

/* What a slice may cost, in rows looked at; a row that is moved or unlinked counts for more. */
#define SLICE_BUDGET    256
#define MOVE_COST       8
#define UNLINK_COST     6
#define TEXT_UNIT       512 /* bytes of text that cost one more */
#define DEAD_SHARE      2   /* one row in so many is dead: the chunk is emptied */
#define CHUNKS_TOGETHER 4   /* are emptied before the first goes, where it can */
#define SLOTS_A_SLICE   512
#define TEXTS_A_SLICE   16
#define PRESSED_BUDGET  32 /* what a slice takes even from who waits, once much is to be done */

/* What a slice takes out of the store and leaves to be freed without the lock, and what it wants to be made. */
struct leavings {
    unsigned char    *arrays;
    size_t            arrays_bytes;
    struct text_arena texts;
    struct index     *index_wanting; /* a table of so many slots */
    uint64_t          slots;
};

void
reclaim_init(struct reclaim *reclaim)
{
    memset(reclaim, 0, sizeof *reclaim);
    reclaim->emptying = reclaim->unlinking = CHUNK_NONE;
    reclaim->rows_min = RECLAIM_ROWS_MIN;
    reclaim->worth_after = RECLAIMER_WAKING_ROWS;
}

void
reclaim_clear(struct reclaim *reclaim, struct epochs *epochs)
{
    posting_compaction_clear(&reclaim->compaction, epochs);
}

static uint32_t
rows_of(struct chunk *chunk)
{
    return atomic_load_explicit(&chunk->row_count, memory_order_relaxed);
}

/* ---- emptying ---- */

/* Worth it where half is dead and that is a good deal, or where all is and no more rows come. */
static bool
is_worth_it(const struct table_data *table, uint32_t number)
{
    struct chunk *chunk = table_chunk_at(table, number);
    uint32_t      rows = rows_of(chunk);

    if (chunk->state != CHUNK_KEPT || rows == 0)
        return false;
    if (chunk->dead_count == rows && (number != table->filling || rows >= table->reclaim.rows_min / 4))
        return true;
    return chunk->dead_count >= table->reclaim.rows_min && (uint64_t) chunk->dead_count * DEAD_SHARE >= rows;
}

/* As many rows must die at least before a chunk is worth it: whoever wakes the reclaimer earlier does so for
 * nothing. */
static uint64_t
deaths_until_worth_it(const struct table_data *table)
{
    uint32_t end = table_chunk_end(table);
    uint64_t least = RECLAIM_ROWS_MIN / 4; /* a chunk may begin meanwhile, and die whole */

    for (uint32_t number = 0; number < end; number++) {
        struct chunk *chunk = table_chunk_at(table, number);
        uint32_t      rows = rows_of(chunk), living = rows - chunk->dead_count;
        uint64_t      half = chunk->dead_count * DEAD_SHARE >= rows ? 0 : (rows + 1) / DEAD_SHARE - chunk->dead_count;
        uint64_t many = chunk->dead_count >= table->reclaim.rows_min ? 0 : table->reclaim.rows_min - chunk->dead_count;
        uint64_t deaths = half > many ? half : many;

        if (chunk->state != CHUNK_KEPT || rows == 0)
            continue;
        if (living < deaths)
            deaths = living; /* then all of it is dead */
        if (deaths < least)
            least = deaths;
    }
    return least < RECLAIMER_WAKING_ROWS ? RECLAIMER_WAKING_ROWS : least;
}

static bool
begin_emptying(struct table_data *table)
{
    uint32_t end = table_chunk_end(table);
    uint32_t best = CHUNK_NONE;

    if (table->reclaim.died == 0)
        return false;
    for (uint32_t number = 0; number < end; number++) {
        uint32_t dead = table_chunk_at(table, number)->dead_count;

        if (is_worth_it(table, number) && (best == CHUNK_NONE || dead > table_chunk_at(table, best)->dead_count))
            best = number;
    }
    if (best == CHUNK_NONE) {
        table->reclaim.died = 0;
        table->reclaim.worth_after = deaths_until_worth_it(table);
        return false;
    }
    table->reclaim.worth_after = RECLAIMER_WAKING_ROWS;
    if (best == table->filling)
        table->filling = CHUNK_NONE; /* it gets no more rows */
    table->reclaim.emptying = best;
    table->reclaim.place = 0;
    return true;
}

/* The moment at which rows are moved: after every one that a view can be of, before the next commit's. 0 where there is
 * none before that: too much was moved since the last. */
static uint64_t
moment_to_move(const struct store *store)
{
    uint64_t next = atomic_load_explicit(&((struct store *) (uintptr_t) store)->moment, memory_order_relaxed) + 1;

    return next == moment_of_commit(sequence_of_moment(next)) ? 0 : next;
}

static bool
shares_text(const struct table_data *table, row_number one, row_number other)
{
    for (uint32_t c = 0; c < table->definition->column_count; c++) {
        const struct column *column = &table->definition->columns[c];
        text_cell            text;

        if (column->type != KNACKDB_TEXT || column_is_dictionary(column))
            continue;
        text = table_text_cell(table, one, c);
        if (text != TEXT_CELL_NULL && text == table_text_cell(table, other, c))
            return true;
    }
    return false;
}

static int64_t
cost_of_moving(const struct table_data *table, row_number row)
{
    int64_t cost = MOVE_COST;

    for (uint32_t c = 0; c < table->definition->column_count; c++)
        if (table->definition->columns[c].type == KNACKDB_TEXT && !column_is_dictionary(&table->definition->columns[c]))
            cost += (int64_t) (table_text(table, row, c).length / TEXT_UNIT);
    return cost;
}

/* The row itself where it lives, the living row of its id where that has a text from here (R1), or ROW_NONE. */
static row_number
row_to_move(const struct table_data *table, row_number row)
{
    struct key_search search;
    row_number        heir;

    if (table_row_shown(table, row, MOMENT_LAST))
        return row;
    (void) key_search_init_stored(&search, table, 0, row);
    heir = table_key_find(table, 0, &search, MOMENT_LAST);
    if (heir == ROW_NONE || heir >> CHUNK_ROW_BITS == row >> CHUNK_ROW_BITS || !shares_text(table, row, heir))
        return ROW_NONE;
    return heir;
}

/* Unless a commit has published them. */
static void
publish_moves(struct store *store)
{
    if (store->moved_at > atomic_load_explicit(&store->moment, memory_order_relaxed))
        atomic_store_explicit(&store->moment, store->moved_at, memory_order_release); /* S1 */
}

/* A slice is over when its budget is used up; earlier, but not before something is done, where somebody waits for the
 * lock: who stores waits for a row or two, and not for what is left of the slice. Unless there is so much to do that he
 * helps himself: what he is charged for are whole slices. */
static bool
is_over(struct store *store, int64_t budget)
{
    bool    is_pressed = atomic_load_explicit(&store->reclaimer.is_pressed, memory_order_relaxed);
    int64_t due = is_pressed ? PRESSED_BUDGET : 1;

    if (atomic_load_explicit(&store->reclaimer.is_behind, memory_order_relaxed))
        return budget <= 0;
    return budget <= 0 || (budget <= SLICE_BUDGET - due && writer_is_awaited(store));
}

/* Moves rows out of the chunk that is being emptied. False where it cannot go on now. */
static bool
empty_some(struct store *store, struct table_data *table, int64_t *budget)
{
    struct reclaim *reclaim = &table->reclaim;
    struct chunk   *chunk = table_chunk_at(table, reclaim->emptying);
    uint32_t        rows = rows_of(chunk);
    uint64_t        moment = moment_to_move(store);

    for (; reclaim->place < rows && !is_over(store, *budget); reclaim->place++, --*budget) {
        row_number row = row_to_move(table, reclaim->emptying << CHUNK_ROW_BITS | reclaim->place);

        if (row == ROW_NONE)
            continue;
        *budget -= cost_of_moving(table, row);
        if (moment == 0 || table_move_row(table, row, moment, NULL) != KNACKDB_OK)
            return false;
        store->moved_at = moment;
        atomic_store_explicit(&table->last_change, moment, memory_order_relaxed); /* answers kept name the old row */
    }
    if (reclaim->place < rows)
        return true;
    publish_moves(store);
    chunk->emptied = atomic_load_explicit(&store->moment, memory_order_relaxed);
    chunk->state = CHUNK_EMPTIED;
    reclaim->emptying = CHUNK_NONE;
    reclaim->waiting++;
    return true;
}

/* ---- unlinking ---- */

static uint32_t
next_in_state(const struct table_data *table, uint32_t from, enum chunk_state state)
{
    uint32_t end = table_chunk_end(table);

    while (from < end && table_chunk_at(table, from)->state != state)
        from++;
    return from < end ? from : CHUNK_NONE;
}

/* Dooms every chunk that no view needs (R2). */
static bool
begin_unlinking(struct table_data *table)
{
    struct reclaim *reclaim = &table->reclaim;

    for (uint32_t number = next_in_state(table, 0, CHUNK_EMPTIED); number != CHUNK_NONE;
         number = next_in_state(table, number + 1, CHUNK_EMPTIED)) {
        struct chunk *chunk = table_chunk_at(table, number);

        if (!epoch_is_viewed(table->epochs, chunk->born, chunk->emptied))
            chunk->state = CHUNK_DOOMED;
    }
    reclaim->unlinking = next_in_state(table, 0, CHUNK_DOOMED);
    reclaim->place = reclaim->column = 0;
    reclaim->round++;
    return reclaim->unlinking != CHUNK_NONE;
}

static bool
is_doomed(const void *context, uint32_t row)
{
    return table_chunk((const struct table_data *) context, row)->state == CHUNK_DOOMED;
}

/* Takes the chunks of this round out of the posting lists that the row is in. False where that is not done yet. */
static bool
compact_postings(struct table_data *table, row_number row, int64_t *budget)
{
    struct reclaim *reclaim = &table->reclaim;

    for (; reclaim->column < table->definition->column_count; reclaim->column++) {
        struct dictionary *dictionary = &table->dictionaries[reclaim->column];
        struct posting    *posting;
        uint32_t           code;

        if (!table->definition->columns[reclaim->column].is_posted)
            continue;
        code = table_code(table, row, reclaim->column);
        if (code == DICTIONARY_CODE_NULL)
            continue;
        posting = dictionary_posting(dictionary, code);
        if (posting->round == reclaim->round)
            continue;
        if (!posting_compact(&reclaim->compaction, posting, table->epochs, &dictionary->posting_bytes, is_doomed, table,
                             budget))
            return false;
        posting->round = reclaim->round;
    }
    reclaim->column = 0;
    return true;
}

/* Seen by no view, now or later: never born; dead before the oldest; in a chunk that goes (R2), or of its time (R3). */
static bool
is_unseen(const struct table_data *table, row_number row, const struct chunk *chunk)
{
    uint64_t birth = table_row_birth(table, row), end = table_row_end(table, row);

    return birth == BIRTH_NEVER || end <= table->reclaim.oldest_view || is_doomed(table, row) ||
           (birth >= chunk->born && end <= chunk->emptied);
}

/* R3: all of this id that nobody sees, down to what was there before the chunk. The others, too: a chain that many have
 * died in would else be walked from its head for each of them. False without memory. */
static bool
unlink_id(struct table_data *table, row_number row, const struct chunk *chunk, int64_t *budget)
{
    struct key_search search;
    row_number        version;

    (void) key_search_init_stored(&search, table, 0, row);
    version = table_key_head(table, 0, &search);
    while (version != ROW_NONE) {
        row_number older = table_link(table, version, 0);
        uint64_t   birth = table_row_birth(table, version);

        if (birth < chunk->born)
            break; /* and so is whatever it leads to */
        if (is_unseen(table, version, chunk)) {
            if (!table_unlink_row(table, version))
                return false;
            *budget -= UNLINK_COST;
        }
        version = older;
        --*budget;
    }
    return true;
}

static void
release_texts(struct table_data *table, row_number row)
{
    for (uint32_t c = 0; c < table->definition->column_count; c++)
        if (column_is_dictionary(&table->definition->columns[c]))
            dictionary_release(&table->dictionaries[c], table->epochs, table_code(table, row, c));
}

/* Nothing leads into the chunks of this round any more. */
static void
end_unlinking(struct table_data *table)
{
    for (uint32_t number = next_in_state(table, 0, CHUNK_DOOMED); number != CHUNK_NONE;
         number = next_in_state(table, number + 1, CHUNK_DOOMED)) {
        struct chunk *chunk = table_chunk_at(table, number);
        uint64_t      left = atomic_load_explicit(&table->row_count, memory_order_relaxed) - rows_of(chunk);

        atomic_store_explicit(&table->row_count, left, memory_order_relaxed);
        atomic_store(&chunk->row_count, 0); /* T5 */
        chunk->state = CHUNK_UNLINKED;
        chunk->epoch = epoch_advance(table->epochs);
    }
}

static bool
unlink_some(struct store *store, struct table_data *table, int64_t *budget)
{
    struct reclaim *reclaim = &table->reclaim;
    struct chunk   *chunk = table_chunk_at(table, reclaim->unlinking);
    uint32_t        rows = rows_of(chunk);
    uint64_t        readers;

    reclaim->oldest_view =
        epoch_oldest_view(&store->epochs, atomic_load_explicit(&store->moment, memory_order_relaxed), &readers);

    for (; reclaim->place < rows; reclaim->place++) {
        row_number row = reclaim->unlinking << CHUNK_ROW_BITS | reclaim->place;

        if (is_over(store, *budget))
            return true;
        if (!compact_postings(table, row, budget))
            return *budget <= 0;
        if (!unlink_id(table, row, chunk, budget))
            return false;
        release_texts(table, row);
    }
    reclaim->place = 0;
    reclaim->unlinking = next_in_state(table, reclaim->unlinking + 1, CHUNK_DOOMED);
    if (reclaim->unlinking == CHUNK_NONE)
        end_unlinking(table);
    return true;
}

/* ---- giving back ---- */

static bool
take_chunk(struct table_data *table, struct leavings *leavings)
{
    for (uint32_t number = next_in_state(table, 0, CHUNK_UNLINKED); number != CHUNK_NONE;
         number = next_in_state(table, number + 1, CHUNK_UNLINKED)) {
        struct chunk *chunk = table_chunk_at(table, number);

        if (!epoch_is_past(table->epochs, chunk->epoch))
            continue;
        leavings->arrays = atomic_load_explicit(&chunk->arrays, memory_order_relaxed);
        leavings->arrays_bytes = table->chunk_bytes;
        table_count_off(table, leavings->arrays);
        text_arena_take(&chunk->texts, &leavings->texts);
        chunk->state = CHUNK_KEPT;
        atomic_store_explicit(&chunk->arrays, NULL, memory_order_relaxed);
        if (number < table->free_hint)
            table->free_hint = number;
        table->reclaim.waiting--;
        return true;
    }
    return false;
}

/* False where there was no memory for what was wanted. */
static bool
leave(struct store *store, struct leavings *leavings)
{
    struct index_table *made = NULL;

    allocator_put_pages(store->allocator, leavings->arrays, leavings->arrays_bytes);
    text_arena_clear(&leavings->texts, store->allocator);
    if (leavings->index_wanting == NULL)
        return true;
    made = index_table_new(&store->epochs, leavings->slots);
    if (made == NULL)
        return false;
    lock_writer(store);
    index_build(leavings->index_wanting, &store->epochs, made);
    unlock_writer(store);
    return true;
}

/* Goes on building a better table for an index, or asks for one. */
static bool
tend_index(struct index *index, struct epochs *epochs, struct leavings *leavings)
{
    if (index_build_step(index, epochs, SLOTS_A_SLICE))
        return true;
    leavings->slots = index_slots_wanted(index);
    if (leavings->slots == 0)
        return false;
    leavings->index_wanting = index;
    return true;
}

static bool
tend_indexes(struct table_data *table, struct leavings *leavings)
{
    for (uint32_t k = 0; k < table->definition->key_count; k++)
        if (tend_index(&table->keys[k], table->epochs, leavings))
            return true;
    for (uint32_t c = 0; c < table->definition->column_count; c++)
        if (column_is_dictionary(&table->definition->columns[c]) &&
            tend_index(&table->dictionaries[c].index, table->epochs, leavings))
            return true;
    return false;
}

/* ---- slices ---- */

static enum reclaim_outcome
free_some_texts(struct table_data *table)
{
    enum reclaim_outcome outcome = RECLAIM_DONE;

    for (uint32_t c = 0; c < table->definition->column_count; c++) {
        struct dictionary *dictionary = &table->dictionaries[c];
        uint64_t           before = dictionary_text_bytes(dictionary);

        if (!dictionary_free_some(dictionary, table->epochs, TEXTS_A_SLICE))
            continue;
        if (dictionary_text_bytes(dictionary) != before)
            return RECLAIM_GOES_ON;
        outcome = RECLAIM_WAITING;
    }
    return outcome;
}

/* The first that can be done of: what is begun, what is ripe, what is to be begun. */
static enum reclaim_outcome
work_on(struct store *store, struct table_data *table, struct leavings *leavings)
{
    struct reclaim      *reclaim = &table->reclaim;
    int64_t              budget = SLICE_BUDGET;
    enum reclaim_outcome outcome;

    if (reclaim->emptying != CHUNK_NONE)
        return empty_some(store, table, &budget) ? RECLAIM_GOES_ON : RECLAIM_WAITING;
    if (reclaim->unlinking != CHUNK_NONE)
        return unlink_some(store, table, &budget) ? RECLAIM_GOES_ON : RECLAIM_WAITING;
    outcome = free_some_texts(table); /* first, as it must keep pace with what follows */
    if (outcome == RECLAIM_GOES_ON || take_chunk(table, leavings) ||
        (reclaim->waiting < CHUNKS_TOGETHER && begin_emptying(table)) || begin_unlinking(table) ||
        begin_emptying(table))
        return RECLAIM_GOES_ON;
    if (tend_indexes(table, leavings))
        return RECLAIM_GOES_ON;
    return reclaim->waiting != 0 ? RECLAIM_WAITING : outcome;
}

enum reclaim_outcome
store_reclaim(struct store *store)
{
    struct leavings      leavings = { .arrays = NULL };
    enum reclaim_outcome outcome = RECLAIM_DONE;

    lock_writer(store);
    epoch_collect(&store->epochs);
    for (uint32_t t = 0; t < store->schema->table_count && outcome != RECLAIM_GOES_ON; t++) {
        enum reclaim_outcome here = work_on(store, &store->tables[t], &leavings);

        if (here > outcome)
            outcome = here;
    }
    unlock_writer(store);
    return leave(store, &leavings) ? outcome : RECLAIM_WAITING;
}

void
store_reclaim_by_hand(struct store *store, uint32_t rows_min)
{
    store->reclaimer.is_by_hand = true;
    for (uint32_t t = 0; t < store->schema->table_count; t++) {
        store->tables[t].reclaim.rows_min = rows_min;
        store->tables[t].reclaim.died++; /* so few had not been looked for */
    }
}
