/* leaders.c - see leaders.h.
 *
 * What is known stays known: the rows behind the old leaders are put beside them, and the best of both are the new
 * ones. Rows whose cells were not looked at yet are looked at together. All of the list is looked at only where less
 * than half is left of what was found there the last time, or the list has doubled since and had few.
 *
 * Rows that have ended stay out: else who asks for the best ten, uses one of them, and so makes a version of
 * it, again and again, would soon have leaders that are dead but for some.
 *
 * When they are renewed is settled as with rented skis: when the questions since have spent about what new ones cost.
 * So it costs no list more than twice what it must, whatever is asked and stored. While some view is held for long, old
 * leaders stay in memory as long as it is; then questions do eight times as much before. */
#include "core/leaders.h"

#include "core/store_data.h"

#include <assert.h>
#include <string.h>

#define LIST_ROWS_MIN 16u /* fewer are looked at as quickly */
#define LEADERS_MAX   1024u
#define GATHERED_MAX  (2 * LEADERS_MAX + POSTING_BLOCK_ROWS)
#define COMMITS_KEPT  32u
#define HELD_FACTOR   8u
#define HELD_LOOKS    128u /* in vain, of one question */
_Static_assert(LEADERS_MAX <= UINT16_MAX, "the place of each fits struct led_rows");
#define PRICE_MAX    ((uint32_t) 1 << 24)
#define PRICE(count) (48 + (count) / 4) /* of renewing so many, in looks */

struct gathering {
    const struct asked_list *asked;
    uint64_t                 horizon; /* what has ended by then goes */
    uint64_t                 from;    /* no row that went ended later */
    uint32_t                 told;
    uint32_t                 gained; /* rows that are looked at no more: left out, or behind the old ones */
    struct leader           *rows;
    uint32_t                 room, count;
    uint32_t                 known;    /* of these the first so many are complete */
    int32_t                  least;    /* all of this tag and above are gathered, of the rows looked at */
    bool                     has_null; /* of these, some have no rate */
};

static bool
comes_before(const struct leader *a, const struct leader *b)
{
    return a->rate > b->rate || (a->rate == b->rate && a->id < b->id);
}

static void
sort_leaders(struct leader *rows, uint32_t count)
{
    static const uint32_t gaps[] = { 301, 132, 57, 23, 10, 4, 1 };

    for (uint32_t g = 0; g < sizeof gaps / sizeof gaps[0]; g++)
        for (uint32_t i = gaps[g]; i < count; i++) {
            struct leader moving = rows[i];
            uint32_t      at = i;

            for (; at >= gaps[g] && comes_before(&moving, &rows[at - gaps[g]]); at -= gaps[g])
                rows[at] = rows[at - gaps[g]];
            rows[at] = moving;
        }
}

/* Leaves out the smallest tags, until no more than `most` are left: rows of one tag stay or go together (L1). */
static void
narrow(struct gathering *gathering, uint32_t most)
{
    uint32_t counts[256] = { 0 }, kept = 0, known = 0, above = 0;
    int32_t  upper = 255, tag;

    if (gathering->count <= most)
        return;
    for (uint32_t i = 0; i < gathering->count; i++)
        counts[(uint32_t) (gathering->rows[i].tag - POSTING_TAG_LEAST) >> 8]++;
    for (; above + counts[upper] <= most; upper--)
        above += counts[upper];
    memset(counts, 0, sizeof counts);
    for (uint32_t i = 0; i < gathering->count; i++)
        if ((uint32_t) (gathering->rows[i].tag - POSTING_TAG_LEAST) >> 8 == (uint32_t) upper)
            counts[(uint32_t) (gathering->rows[i].tag - POSTING_TAG_LEAST) & 255]++;
    for (tag = 255; above + counts[tag] <= most; tag--)
        above += counts[tag];
    gathering->least = (upper << 8 | tag) + POSTING_TAG_LEAST + 1; /* rows of the tag before are too many */
    for (uint32_t i = 0; i < gathering->count; i++)
        if (gathering->rows[i].tag >= gathering->least) {
            known += i < gathering->known;
            gathering->rows[kept++] = gathering->rows[i];
        }
    gathering->count = kept;
    gathering->known = known;
}

static bool
is_gone(struct gathering *gathering, uint32_t row)
{
    const struct table_data *table = gathering->asked->table;
    uint64_t                 end;

    if (table_row_settled(table, row, gathering->horizon))
        return false;
    end = table_row_end(table, row);
    if (end > gathering->horizon)
        return table_row_birth(table, row) == BIRTH_NEVER;
    gathering->from = end > gathering->from ? end : gathering->from; /* L3 */
    return true;
}

/* The moment that any view of the last commits may see. Those are not to lose their leaders; one that is held for
 * longer is not to fill them with rows that it alone sees. */
static uint64_t
horizon_of(const struct asked_list *asked, bool *ret_is_held)
{
    const uint64_t moment = asked->view->moment, lag = moment_of_commit(COMMITS_KEPT);
    uint64_t       readers, oldest = epoch_oldest_view(asked->table->epochs, moment, &readers);
    uint64_t       recent = moment > lag ? moment - lag : 0;

    *ret_is_held = oldest < recent;
    return oldest > recent ? oldest : recent;
}

/* Of `count` rows; none is NULL's. */
static void
gather(struct gathering *gathering, const uint32_t *rows, const posting_tag *tags, uint32_t count)
{
    if (gathering->count + count > gathering->room)
        narrow(gathering, LEADERS_MAX);
    for (uint32_t at = 0; at < count; at += 64) {
        uint32_t left = count - at < 64 ? count - at : 64;
        uint64_t found = gathering->least <= INT16_MAX
                             ? posting_tags_within(tags + at, left, (posting_tag) gathering->least, INT16_MAX)
                             : 0;

        gathering->gained += (uint32_t) __builtin_popcountll(found);
        for (; found != 0; found &= found - 1) {
            uint32_t i = at + (uint32_t) __builtin_ctzll(found);

            if (!is_gone(gathering, rows[i]))
                gathering->rows[gathering->count++] = (struct leader) { .row = rows[i], .tag = tags[i] };
        }
        gathering->has_null = gathering->has_null ||
                              posting_tags_within(tags + at, left, POSTING_TAG_LEAST, POSTING_TAG_LEAST) != 0;
    }
}

/* The rows of the list from one on. While all are wanted, each block is asked whether there is a NULL. */
static void
gather_from(struct gathering *gathering, uint32_t from)
{
    const struct posting_view *list = &gathering->asked->list;
    uint32_t                   blocks = posting_view_blocks(list), first = from >> POSTING_BLOCK_BITS;

    for (uint32_t b = first; b < blocks && gathering->least <= INT16_MAX; b++) {
        struct posting_run run;
        uint32_t           skipped;

        if (gathering->least > POSTING_TAG_LEAST + 1)
            b = posting_view_skip(list, b, blocks, (posting_tag) gathering->least);
        if (b == blocks)
            break;
        run = posting_view_run(list, b);
        assert(run.tags != NULL); /* a list of one row has no leaders */
        skipped = b == first ? from & (POSTING_BLOCK_ROWS - 1) : 0;
        if (run.count > skipped)
            gather(gathering, run.rows + skipped, run.tags + skipped, run.count - skipped);
    }
}

/* Of rows of which the row and the tag are known; what they wait for is asked for together. */
static void
look_at_cells(struct gathering *gathering)
{
    const struct table_data *table = gathering->asked->table;
    const struct table      *definition = table->definition;
    uint32_t                 ranking = definition->columns[gathering->asked->column].beside;
    uint32_t                 other = leaders_other_column(definition, ranking);
    uint32_t                 coded = leaders_code_column(definition, gathering->asked->column);

    for (uint32_t i = gathering->known; i < gathering->count; i++) {
        row_number row = gathering->rows[i].row;

        __builtin_prefetch(TABLE_AT(table, row, table->offsets[0], int64_t));
        __builtin_prefetch(TABLE_AT(table, row, table->offsets[ranking], double));
        __builtin_prefetch(TABLE_AT(table, row, table->offsets[other], double));
        __builtin_prefetch(TABLE_AT(table, row, table->offsets[coded], uint32_t));
    }
    for (uint32_t i = gathering->known; i < gathering->count; i++) {
        struct leader *leader = &gathering->rows[i];

        leader->id = table_integer(table, leader->row, 0);
        leader->rate = table_real(table, leader->row, ranking);
        if (other != 0)
            leader->other =
                table_tag(definition, other, *TABLE_AT(table, leader->row, table->offsets[other], uint64_t));
        if (coded != 0)
            leader->code = table_code(table, leader->row, coded);
    }
}

/* Those that were known are in order, as are the others. */
static struct leaders *
leaders_from(const struct gathering *gathering)
{
    struct leaders *leaders =
        epoch_get(gathering->asked->table->epochs, sizeof *leaders + gathering->count * sizeof leaders->rows[0]);
    const struct leader *known = gathering->rows, *known_end = known + gathering->known, *other = known_end;
    const struct leader *other_end = gathering->rows + gathering->count;
    struct leader       *next = leaders != NULL ? leaders->rows : NULL;

    if (leaders == NULL)
        return NULL;
    leaders->told = gathering->told;
    leaders->count = gathering->count;
    leaders->least = gathering->least;
    leaders->from = gathering->from;
    atomic_init(&leaders->spent, 0);
    atomic_init(&leaders->price, PRICE(leaders->count));
    while (known < known_end && other < other_end)
        *next++ = comes_before(other, known) ? *other++ : *known++;
    memcpy(next, known, (size_t) (known_end - known) * sizeof *next);
    memcpy(next + (known_end - known), other, (size_t) (other_end - other) * sizeof *next);
    return leaders;
}

/* Whether leaders that were found so would be found anew. */
static bool
is_too_few(const struct gathering *gathering, const struct leaders *old)
{
    return old->least > POSTING_TAG_LEAST + 1 &&
           (gathering->count < old->whole / 2 ||
            (gathering->count < LEADERS_MAX / 2 && gathering->asked->list.count / 2 >= old->looked));
}

/* Those that there are, and the rows behind them. Where there is room, dead ones go as far as the question came: so who
 * uses the first ones again and again waits for no look at a thousand. */
static void
gather_since(struct gathering *gathering, const struct leaders *old)
{
    uint32_t behind = gathering->asked->list.count - leaders_told(gathering->asked), at = 0, left;

    for (; at < old->count &&
           (at < gathering->asked->reached || gathering->count + (old->count - at) + behind > LEADERS_MAX);
         at++)
        if (!is_gone(gathering, old->rows[at].row))
            gathering->rows[gathering->count++] = old->rows[at];
    left = old->count - at;
    memcpy(gathering->rows + gathering->count, old->rows + at, left * sizeof old->rows[0]);
    gathering->count += left;
    gathering->known = gathering->count;
    gathering->least = old->least > POSTING_TAG_LEAST ? old->least : POSTING_TAG_LEAST + 1;
    gathering->has_null = old->least > POSTING_TAG_LEAST;
    gathering->from = gathering->from > old->from ? gathering->from : old->from;
    gathering->gained = old->count - gathering->count;
    /* They may tell of rows that came after the list was looked at: of no fewer from now on, as these stay in. */
    if (old->told >= gathering->told)
        gathering->told = old->told;
    else
        gather_from(gathering, old->told);
}

/* Where about `wanted` rows begin. */
static posting_tag
hint_of(const struct posting_view *list, uint32_t h)
{
    const struct posting_directory *directory = posting_view_directory(list);

    return directory != NULL && list->count > LEADERS_MAX && h < POSTING_HINTS
               ? atomic_load_explicit(&((struct posting_directory *) (uintptr_t) directory)->hints[h],
                                      memory_order_relaxed)
               : POSTING_TAG_LEAST;
}

/* All rows, or, of many, those of the largest tags: beginning with a guess, and with a lower one where most of what it
 * led to is dead. */
static void
gather_anew(struct gathering *gathering)
{
    uint32_t h = 0;

    while (h + 1 < POSTING_HINTS && (uint32_t) 1 << (POSTING_HINT_BITS_FIRST + h) < LEADERS_MAX)
        h++;
    do {
        posting_tag hint = hint_of(&gathering->asked->list, h);

        gathering->count = gathering->known = 0;
        gathering->least = hint > POSTING_TAG_LEAST ? hint : POSTING_TAG_LEAST + 1;
        gathering->has_null = false;
        gathering->from = 0;
        gathering->told = gathering->asked->list.count;
        gather_from(gathering, 0);
        h += 2;
    } while (gathering->count < LEADERS_MAX / 2 && gathering->least > POSTING_TAG_LEAST + 1 &&
             gathering->least <= INT16_MAX && h < POSTING_HINTS + 2);
}

/* What a renewal did not spare is not to be spent on others again and again. `leaders` may be NULL. */
static void
raise_price(const struct leaders *old, struct leaders *leaders)
{
    struct leaders *raised = leaders != NULL ? leaders : (struct leaders *) (uintptr_t) old;
    uint32_t        price = atomic_load_explicit(&((struct leaders *) (uintptr_t) old)->price, memory_order_relaxed);

    atomic_store_explicit(&raised->price, price < PRICE_MAX / 2 ? 2 * price : PRICE_MAX, memory_order_relaxed);
}

/* NULL without memory, or where they would be as the old ones are. */
static struct leaders *
make(const struct asked_list *asked)
{
    const struct leaders *old = asked->leaders;
    struct allocator     *allocator = asked->view->store->allocator;
    uint32_t              most = old->count + asked->list.count; /* rows that there may be to gather */
    struct gathering      gathering = { .asked = asked,
                                        .room = most < GATHERED_MAX ? most : GATHERED_MAX,
                                        .told = asked->list.count };
    bool                  is_anew = old == &posting_leaders_none, is_held;
    struct leaders       *leaders = NULL;

    gathering.rows = allocator_get(allocator, gathering.room * sizeof *gathering.rows);
    if (gathering.rows == NULL)
        return NULL;
    gathering.horizon = horizon_of(asked, &is_held);
    if (!is_anew)
        gather_since(&gathering, old);
    if (is_anew || is_too_few(&gathering, old)) {
        is_anew = true;
        gather_anew(&gathering);
    }
    if (is_anew || gathering.gained != 0 || gathering.told > old->told) {
        narrow(&gathering, LEADERS_MAX);
        if (gathering.least == POSTING_TAG_LEAST + 1 && !gathering.has_null)
            gathering.least = POSTING_TAG_LEAST;
        look_at_cells(&gathering);
        sort_leaders(gathering.rows + gathering.known, gathering.count - gathering.known);
        leaders = leaders_from(&gathering);
    }
    allocator_put(allocator, gathering.rows, gathering.room * sizeof *gathering.rows);
    if (leaders != NULL) {
        leaders->whole = is_anew ? leaders->count : old->whole;
        leaders->looked = is_anew ? leaders->told : old->looked;
    }
    /* Less than what it was for: dead ones that some view may see, say. */
    if (!is_anew && 4 * gathering.gained < asked->looks)
        raise_price(old, leaders);
    return leaders;
}

bool
leaders_renew(struct asked_list *asked)
{
    struct store      *store = asked->view->store;
    struct dictionary *dictionary = &store->tables[asked->table - store->tables].dictionaries[asked->column];
    struct leaders    *leaders = NULL;
    bool               is_put = false;

    if (asked->leaders == NULL || asked->is_tried)
        return false;
    asked->is_tried = true;
    if (!writer_is_locked(store)) /* else they would mostly be made in vain */
        leaders = make(asked);
    if (leaders == NULL)
        return false;
    if (lock_writer_soon(store)) {
        is_put = posting_put_leaders(asked->posting, asked->list.rows, &store->epochs, &dictionary->posting_bytes,
                                     asked->leaders, leaders);
        unlock_writer(store);
    }
    if (is_put)
        asked->leaders = leaders;
    else
        epoch_put_now(&store->epochs, leaders);
    return is_put;
}

void
leaders_find(struct asked_list *asked, const struct view *view, uint32_t table, uint32_t column, uint32_t code,
             enum leaders_wish wish)
{
    asked->view = view;
    asked->table = &view->store->tables[table];
    asked->column = column;
    asked->is_tried = false;
    asked->reached = asked->looks = 0;
    asked->posting = dictionary_posting(&asked->table->dictionaries[column], code);
    posting_view_init(&asked->list, asked->posting);
    asked->leaders = posting_view_leaders(&asked->list);
    if (asked->leaders != NULL && view->moment < asked->leaders->from) /* L3 */
        asked->leaders = NULL;
    if (asked->leaders == &posting_leaders_none && (wish != LEADERS_MADE || !leaders_renew(asked)))
        asked->leaders = NULL;
}

void
leaders_note_question(const struct view *view, uint32_t table, uint32_t column, uint32_t code)
{
    struct leaders     *none = NULL;
    struct posting_view list;

    posting_view_init(&list, dictionary_posting(&view->store->tables[table].dictionaries[column], code));
    if (list.rows != NULL && list.count >= LIST_ROWS_MIN &&
        atomic_load_explicit(&((struct posting_rows *) (uintptr_t) list.rows)->leaders, memory_order_relaxed) == NULL)
        (void) atomic_compare_exchange_strong(&((struct posting_rows *) (uintptr_t) list.rows)->leaders, &none,
                                              &posting_leaders_none);
}

bool
leaders_charge(struct asked_list *asked)
{
    struct leaders *leaders = asked->leaders;
    uint32_t        spent, price;
    bool            is_held;

    if (leaders == NULL || asked->looks == 0)
        return false;
    spent = atomic_fetch_add_explicit(&leaders->spent, asked->looks, memory_order_relaxed) + asked->looks;
    price = atomic_load_explicit(&leaders->price, memory_order_relaxed);
    if (spent < price || asked->is_tried)
        return false;
    (void) horizon_of(asked, &is_held);
    /* What is replaced stays until the view ends: so as much as ended or came is waited for, not questions alone. */
    if (is_held && (spent / HELD_FACTOR < price || asked->looks < HELD_LOOKS))
        return false;
    atomic_store_explicit(&leaders->spent, 0, memory_order_relaxed); /* whatever comes of it */
    return leaders_renew(asked);
}

bool
leaders_charge_missing(struct asked_list *asked)
{
    const struct leaders *leaders = asked->leaders;

    if (leaders->least > POSTING_TAG_LEAST + 1 && leaders->count < LEADERS_MAX / 2 &&
        asked->list.count / 2 >= leaders->looked)
        asked->looks += PRICE(0);
    return leaders_charge(asked);
}

struct led_rows *
led_rows_new(struct row_list *list, const struct asked_list *asked, uint32_t code, uint32_t count)
{
    const struct table *definition = asked->table->definition;
    struct led_rows    *led = row_list_note_get(list, sizeof *led + count * sizeof led->places[0]);

    if (led == NULL)
        return NULL;
    led->leaders = asked->leaders;
    led->column = asked->column;
    led->code = code;
    led->ranking = definition->columns[asked->column].beside;
    led->code_column = leaders_code_column(definition, asked->column);
    led->count = count;
    return led;
}

size_t
led_rows_bytes(const struct led_rows *led)
{
    return sizeof *led + led->count * sizeof led->places[0];
}
