/* newest.c - see newest.h. */
#include "core/newest.h"

#include "core/carried.h"
#include "core/store_data.h"

#include <assert.h>

#define LOOKS_FIRST(keep) (2 * (uint64_t) (keep) + 4096)
#define MOVES_FIRST       64 /* of rows, to make room for others; and then: */
#define MOVES_A_ROW       4
#define SHARE_SOON        16   /* a list that much shorter is walked instead; in the end, any that is shorter */
#define ROOM_FIRST        2048 /* rows of the answer, where those are not enough for which it is lent */
#define LOOKS_A_BLOCK     4    /* that is passed over */
#define LATEST_TOGETHER   8u
#define PICKED_MAX        (2 * POSTING_BLOCK_ROWS)

/* Rows with the tag, asked for. */
struct picked {
    uint32_t        count;
    const uint64_t *cells[PICKED_MAX];
    const uint32_t *rows[PICKED_MAX];
};

struct newest {
    const struct view       *view;
    const struct table_data *table;
    const knackdb_query     *query;
    uint32_t                 column, code; /* of the list */
    struct posting_view      list;
    const knackdb_condition *tagged; /* NULL: none */
    posting_tag              tag;
    uint32_t                 width, age_at; /* among the cells of a row */
    bool                     ids_fall;
    size_t                   keep; /* so many are wanted */
    size_t                   room, count;
    struct row_list         *answer;
    knackdb_row             *rows;    /* the answer's */
    struct carried_row      *carried; /* where they stand; the answer's, too */
    int64_t                  moves;   /* that are left */
    double                   last_age;
    int64_t                  last_id;
    uint32_t                 chunk;   /* of the row seen last, and what is settled there */
    const _Atomic uint64_t  *settled; /* NULL: none was seen yet */
    struct picked           *picked;
};

/* ---- the question ---- */

static bool
takes_order(struct newest *newest)
{
    const knackdb_query *query = newest->query;

    if (query->order_count == 0 || query->order_count > 2 || query->offset != 0 || !query->order[0].descending ||
        query->order[0].column <= 0 || query->order[0].column != newest->table->definition->age_column ||
        (query->order_count == 2 && query->order[1].column != 0))
        return false;
    newest->ids_fall = query->order_count == 2 && query->order[1].descending;
    return true;
}

/* Which list it is about; NULL: none. */
static const knackdb_condition *
takes_conditions(struct newest *newest)
{
    const struct table      *definition = newest->table->definition;
    const knackdb_query     *query = newest->query;
    const uint64_t           needed = KNACKDB_BIT(0) | KNACKDB_BIT(definition->age_column);
    const knackdb_condition *equal = NULL;

    if (query->condition_count == 0 || query->condition_count > 2)
        return NULL;
    for (size_t i = 0; i < query->condition_count; i++) {
        const knackdb_condition *condition = &query->conditions[i];

        if (condition->op != KNACKDB_EQUAL || condition->value.type != KNACKDB_TEXT)
            return NULL;
        if (equal == NULL && (definition->columns[condition->column].carries & needed) == needed)
            equal = condition;
        else
            newest->tagged = condition;
    }
    return equal != NULL &&
                   (newest->tagged == NULL || newest->tagged->column == definition->columns[equal->column].beside)
               ? equal
               : NULL;
}

static bool
find_list(struct posting_view *list, const struct newest *newest, const knackdb_condition *equal, uint32_t *ret_code)
{
    const struct dictionary *dictionary = &newest->table->dictionaries[equal->column];
    uint32_t                 code = dictionary_find(dictionary, equal->value.as.text);

    if (code == DICTIONARY_CODE_NONE || code == DICTIONARY_CODE_NULL)
        return false;
    posting_view_init(list, dictionary_posting(dictionary, code));
    *ret_code = code;
    return true;
}

/* And how many rows it may be at most. */
static bool
takes_list(struct newest *newest, const knackdb_condition *equal, uint32_t share)
{
    struct posting_view beside;
    uint32_t            code;

    if (!find_list(&newest->list, newest, equal, &newest->code) || posting_view_width(&newest->list) == 0)
        return false;
    newest->column = equal->column;
    newest->width = posting_view_width(&newest->list);
    newest->age_at = carried_at(newest->table->definition->columns[equal->column].carries,
                                (uint32_t) newest->table->definition->age_column);
    newest->keep = newest->list.count;
    if (newest->tagged != NULL) {
        /* That tags are codes is asked behind the code: one that is found later may be none that a tag can tell. */
        if (!find_list(&beside, newest, newest->tagged, &code) || beside.count < newest->list.count / share ||
            !table_tags_are_codes(newest->table, newest->tagged->column))
            return false;
        newest->tag = (posting_tag) (uint16_t) code;
        newest->keep = beside.count < newest->keep ? beside.count : newest->keep;
    }
    if (newest->query->limit != 0 && newest->query->limit < newest->keep)
        newest->keep = (size_t) newest->query->limit;
    return newest->keep != 0;
}

/* ---- the rows ---- */

static inline bool
is_shown(struct newest *newest, row_number row)
{
    if (newest->settled == NULL || row >> CHUNK_ROW_BITS != newest->chunk) {
        newest->chunk = row >> CHUNK_ROW_BITS;
        newest->settled = table_settled(newest->table, row & ~CHUNK_ROW_MASK);
    }
    return atomic_load_explicit((_Atomic uint64_t *) (uintptr_t) newest->settled +
                                    ((row & CHUNK_ROW_MASK) >> GROUP_ROW_BITS),
                                memory_order_relaxed) <= newest->view->moment ||
           table_row_visible(newest->table, row, newest->view->moment);
}

/* NULL is less than any (and none is infinite). */
static inline double
age_of(const struct newest *newest, const uint64_t *cells)
{
    double age;

    memcpy(&age, cells + newest->age_at, sizeof age);
    return age == age ? age : -INFINITY;
}

static inline bool
is_before(const struct newest *newest, double age, int64_t id, double other_age, int64_t other_id)
{
    if (age != other_age)
        return age > other_age;
    return newest->ids_fall ? id > other_id : id < other_id;
}

/* Room for more. False without memory. */
static bool __attribute__((noinline))
grow(struct newest *newest)
{
    struct row_list *answer = newest->answer;
    size_t           room = newest->room < ROOM_FIRST ? ROOM_FIRST : 2 * newest->room;

    if (newest->room == 0 && answer->is_lent)
        room = answer->capacity;
    room = room < newest->keep ? room : newest->keep;
    answer->count = newest->count;
    if (row_list_reserve(answer, room, NULL) != KNACKDB_OK)
        return false;
    if (answer->carried == NULL)
        answer->carried =
            carried_new(answer, newest->view, (uint32_t) newest->query->table, newest->column, newest->code, room);
    else if (!carried_resize(answer, room))
        return false;
    if (answer->carried == NULL)
        return false;
    newest->rows = answer->rows;
    newest->carried = answer->carried->rows;
    newest->room = room;
    return true;
}

/* A row that comes before the last of those that there are: into its place. False where too much has to move. */
static bool __attribute__((noinline))
insert(struct newest *newest, row_number row, struct carried_row carried)
{
    double  age = age_of(newest, carried.cells);
    int64_t id = (int64_t) carried.cells[0];
    size_t  at = newest->count;

    if (newest->count == newest->keep)
        at--; /* the last goes */
    else
        newest->count++;
    for (; at > 0; at--) {
        const struct carried_row *before = &newest->carried[at - 1];

        if (!is_before(newest, age, id, age_of(newest, before->cells), (int64_t) before->cells[0]))
            break;
        if (newest->moves-- == 0)
            return false;
        newest->carried[at] = *before;
        newest->rows[at] = newest->rows[at - 1];
    }
    newest->rows[at] = row;
    newest->carried[at] = carried;
    newest->last_age = age_of(newest, newest->carried[newest->count - 1].cells);
    newest->last_id = (int64_t) newest->carried[newest->count - 1].cells[0];
    return true;
}

/* A row that matches. False where too much has to move, or there is no memory. */
static inline __attribute__((always_inline)) bool
add(struct newest *newest, row_number row, const uint64_t *cells, posting_tag tag)
{
    struct carried_row carried = { cells, (uint16_t) tag };
    double             age = age_of(newest, cells);
    int64_t            id = (int64_t) cells[0];

    if (newest->count == newest->room && newest->room < newest->keep && !grow(newest))
        return false;
    if (newest->count != 0 && is_before(newest, age, id, newest->last_age, newest->last_id))
        return insert(newest, row, carried);
    if (newest->count == newest->keep)
        return true;
    newest->rows[newest->count] = row;
    newest->carried[newest->count++] = carried;
    newest->last_age = age;
    newest->last_id = id;
    newest->moves += MOVES_A_ROW;
    return true;
}

/* The rows of a block, from its last. Meanwhile the cells of the one that comes next, `ahead`, are on their way. */
static bool
take_rows(struct newest *newest, const struct posting_run *run, bool is_mixed, const uint64_t *ahead)
{
    const uint64_t *cells = run->cells;
    uint32_t        width = newest->width;

    for (uint32_t i = run->count; i-- > 0;) {
        if (newest->count == newest->keep && !is_mixed && age_of(newest, cells + i * width) < newest->last_age)
            return true; /* so are all before it (P3) */
        if (ahead != NULL)
            __builtin_prefetch(ahead + i * width);
        if (is_shown(newest, run->rows[i]) && !add(newest, run->rows[i], cells + i * width, run->tags[i]))
            return false;
    }
    return true;
}

/* Rows of a block with the tag, from its last: they will be looked at. */
static void
pick_rows(struct newest *newest, const struct posting_run *run)
{
    uint32_t count = newest->picked->count;

    for (uint32_t part = (run->count + 63) / 64; part-- > 0;) {
        uint32_t from = 64 * part, left = run->count - from;
        uint64_t found = posting_tags_within(run->tags + from, left < 64 ? left : 64, newest->tag, newest->tag);

        while (found != 0) {
            uint32_t        at = from + 63 - (uint32_t) __builtin_clzll(found);
            const uint64_t *cells = run->cells + at * newest->width;

            __builtin_prefetch(run->rows + at);
            __builtin_prefetch(cells);
            __builtin_prefetch(cells + newest->width - 1);
            newest->picked->rows[count] = run->rows + at;
            newest->picked->cells[count++] = cells;
            found ^= UINT64_C(1) << (at - from);
        }
    }
    newest->picked->count = count;
}

static bool
take_picked(struct newest *newest)
{
    for (uint32_t i = 0; i < newest->picked->count; i++)
        if (is_shown(newest, *newest->picked->rows[i]) &&
            !add(newest, *newest->picked->rows[i], newest->picked->cells[i], newest->tag))
            return false;
    newest->picked->count = 0;
    return true;
}

/* As many as are wanted, or as many as are worth to be asked for together. */
static inline bool
has_picked_enough(const struct newest *newest)
{
    return newest->picked->count >= POSTING_BLOCK_ROWS || newest->picked->count >= newest->keep - newest->count;
}

/* The block, of the first `block`, that is looked at next, counted from 1; 0: all others are older. */
static uint32_t
next_block(const struct newest *newest, uint32_t block)
{
    if (newest->count < newest->keep)
        return block;
    if (posting_view_are_all_older(&newest->list, block, newest->last_age))
        return 0;
    while (posting_view_are_older(&newest->list, block, LATEST_TOGETHER, newest->last_age))
        block -= LATEST_TOGETHER;
    while (block > 0 && posting_view_is_older(&newest->list, block - 1, newest->last_age))
        block--;
    return block;
}

static void
ask_for_block(const struct newest *newest, uint32_t block)
{
    struct posting_run run = posting_view_run(&newest->list, block);

    if (newest->tagged != NULL)
        posting_run_ask_tags(&run);
    else
        posting_run_ask_rows(&run);
}

#define BLOCKS_AHEAD 4u

/* Whether so many blocks do not hold as many rows as are wanted; with the tag nobody knows. */
static inline bool
are_blocks_wanted(const struct newest *newest, uint32_t blocks)
{
    return newest->tagged != NULL || newest->keep - newest->count > blocks * POSTING_BLOCK_ROWS;
}

/* N1. Else what is left to try: rows are in another order, or there is no memory; or too many are to be looked at. */
enum walked { WALKED, NOT_SO, NOT_SOON };

static enum walked
walk(struct newest *newest, uint64_t looks)
{
    uint32_t block = posting_view_blocks(&newest->list), next;

    for (uint32_t b = 1; b <= BLOCKS_AHEAD && b <= block && are_blocks_wanted(newest, b - 1); b++)
        ask_for_block(newest, block - b);
    for (; (next = next_block(newest, block)) != 0; block = next - 1) {
        struct posting_run run = posting_view_run(&newest->list, next - 1);
        uint64_t           needed = run.count + LOOKS_A_BLOCK * (uint64_t) (block - next);
        const uint64_t    *ahead;

        assert(run.cells != NULL && run.tags != NULL); /* as the list carries some */
        if (looks < needed)
            return NOT_SOON;
        looks -= needed;
        if (next > BLOCKS_AHEAD && are_blocks_wanted(newest, BLOCKS_AHEAD))
            ask_for_block(newest, next - 1 - BLOCKS_AHEAD);
        if (newest->tagged == NULL) {
            ahead = next > 1 ? posting_view_run(&newest->list, next - 2).cells : NULL;
            if (!take_rows(newest, &run, posting_view_is_mixed(&newest->list, next - 1), ahead))
                return NOT_SO;
            continue;
        }
        pick_rows(newest, &run);
        if (has_picked_enough(newest) && !take_picked(newest))
            return NOT_SO;
    }
    return take_picked(newest) ? WALKED : NOT_SO;
}

/* ---- the answer ---- */

/* Room that was not needed is not kept for as long as the view lasts. */
static void
give_room_back(struct newest *newest)
{
    if (newest->count >= newest->room / 2)
        return;
    row_list_shrink(newest->answer, newest->count);
    if (newest->answer->carried != NULL)
        (void) carried_resize(newest->answer, newest->count);
}

bool
newest_find(const struct view *view, const knackdb_query *checked, enum newest_attempt *attempt, struct row_list *list)
{
    struct picked            picked;
    struct row_list          answer;
    struct newest            newest = { .view = view,
                                        .table = &view->store->tables[checked->table],
                                        .query = checked,
                                        .answer = &answer,
                                        .moves = MOVES_FIRST,
                                        .picked = &picked };
    const knackdb_condition *equal;
    bool                     is_soon = *attempt == NEWEST_SOON;
    enum walked              walked;

    if (*attempt == NEWEST_NEVER)
        return false;
    *attempt = NEWEST_NEVER;
    if (!takes_order(&newest) || (equal = takes_conditions(&newest)) == NULL ||
        !takes_list(&newest, equal, is_soon ? SHARE_SOON : 1))
        return false;
    row_list_init(&answer, list->allocator);
    if (list->is_lent && list->count == 0)
        answer = *list; /* the room, which stays the list's where nothing comes of it */
    picked.count = 0;
    walked = walk(&newest, is_soon ? LOOKS_FIRST(newest.keep) : UINT64_MAX);
    if (walked != WALKED) {
        row_list_clear(&answer);
        *attempt = walked == NOT_SOON ? NEWEST_LATE : NEWEST_NEVER;
        return false;
    }
    give_room_back(&newest);
    answer.count = newest.count;
    row_list_clear(list);
    *list = answer;
    return true;
}
