/* ranked.c - the best rows of a posting list, without a look at the others.
 *
 * Beside each row of a list stands a tag (posting.h), here the rank of a rate in sixteen bits: of two rows the one with
 * the larger tag has the larger rate. The best thousand rows of a list that was asked about before stand in an array,
 * in order and with what they are mostly judged by (leaders.h). There the search begins, and mostly ends (the plainest
 * questions need little else: foremost.h). Rows that it does not tell of, and all rows where it does not suffice or is
 * not there, are searched for in the blocks. The search takes a
 * guess at how large the tags of the best dozen are (the list's hint), and collects whatever has such a tag:
 *
 *     maxima of blocks   [ 71 ][ 99 ][ 80 ][ 62 ][ 97 ] ...     >= 96?  a few blocks, found eight at a time
 *     tags of a block      [ 12 45 99 31 .. ]                   >= 96?  a few rows
 *     rows                 asked for together, then looked at: visible, every condition holds
 *
 * Should too few of them match, the next round guesses lower and looks at the tags between.
 *
 * K1  A round collects every row of a tag from `low` on that was not collected before. So once as many as wanted match,
 *     all that was left out has a smaller tag than any of them, and a smaller rate: it comes after them, whatever the
 *     other sort keys are.
 * K2  As soon as as many as wanted are held, a row of a smaller tag than the last of them has is after it: `low` rises
 *     with what is found. So a list without a guess is walked once, and most of its rows are not looked at.
 * K3  Guesses are taken for nothing but guesses: wrong ones cost time.
 *
 * Each step leads to memory that was not looked at for long, so no step is taken for one block or row alone: where some
 * blocks begin is asked for, then their tags, then the row numbers beside the tags found, then the cells of those rows;
 * and what was asked for together arrives together. */
#include "core/ranked.h"

#include "core/foremost.h"
#include "core/leaders.h"
#include "core/store_data.h"

#include <math.h>

#define BATCH       16u
#define BLOCKS      32u
#define COLUMNS_MAX 6u
#define ROWS_MIN    32u /* lists of fewer are walked */

/* A condition that most filters have, asked without a call: the rate in an array of the group is at least this. */
struct least {
    uint32_t    column;
    size_t      offset;
    double      real;
    posting_tag tag; /* of it */
};

/* A row to be judged. */
struct asked_row {
    row_number           row;
    bool                 is_shown; /* table_row_shown() without a look at it */
    const unsigned char *group;
};

struct search {
    struct candidates *candidates;
    struct collector  *collector;
    uint32_t           list_count;
    struct asked_list  lists[PREDICATE_CODES_KEPT];
    posting_tag        low, most; /* tags that this round collects */
    uint32_t           column_count;
    struct table_array columns[COLUMNS_MAX];    /* that a row is judged by */
    size_t             rate_offset;             /* of the column beside, in a group */
    uint32_t           other_column;            /* which leaders tell of beside the rate; 0: none */
    bool               leaders_tell;            /* what the conditions ask, nearly always */
    uint32_t           least_count, rest_count; /* the conditions, but for `posted` */
    struct least       leasts[KNACKDB_CONDITIONS_MAX];
    struct predicate  *rest[KNACKDB_CONDITIONS_MAX];
    uint32_t           place_count, count, taken; /* the latter: places, in all */
    const uint32_t    *places[BATCH];             /* of rows in blocks */
    struct asked_row   rows[BATCH];
};

static uint32_t
column_beside(const struct candidates *candidates)
{
    return candidates->table->definition->columns[candidates->posted->condition->column].beside;
}

bool
ranked_is_asked(const struct candidates *candidates, const struct collector *collector)
{
    const struct table  *definition = candidates->table->definition;
    const knackdb_order *order = &collector->query->order[0];

    return candidates->posted != NULL && collector->query->order_count != 0 && order->descending && order->column > 0 &&
           (uint32_t) order->column == column_beside(candidates) && definition->columns[order->column].is_rate;
}

bool
ranked_serves(const struct candidates *candidates, const struct collector *collector)
{
    return ranked_is_asked(candidates, collector) && candidates->run_end != 0 && candidates->posted_rows >= ROWS_MIN &&
           collector->keep < candidates->posted_rows;
}

static posting_tag
tag_of_rate(const struct candidates *candidates, double rate)
{
    return table_rate_tag(candidates->table->definition, column_beside(candidates), rate);
}

/* No row with a smaller tag fulfils the conditions. */
static posting_tag
tag_floor(const struct candidates *candidates)
{
    uint32_t    column = column_beside(candidates);
    posting_tag floor = POSTING_TAG_LEAST;

    for (uint32_t i = 0; i < candidates->predicate_count; i++) {
        const struct predicate *predicate = &candidates->predicates[i];
        posting_tag             tag;

        if (predicate->form != PREDICATE_REAL || predicate->condition->column != column ||
            (predicate->condition->op != KNACKDB_AT_LEAST && predicate->condition->op != KNACKDB_MORE &&
             predicate->condition->op != KNACKDB_EQUAL))
            continue;
        tag = tag_of_rate(candidates, predicate->real);
        floor = tag > floor ? tag : floor;
    }
    return floor;
}

static void
add_least(struct search *search, const struct table_data *table, const struct predicate *predicate)
{
    struct least *least = &search->leasts[search->least_count++];

    least->column = predicate->condition->column;
    least->offset = table->offsets[least->column];
    least->real = predicate->real;
    least->tag = table_rate_tag(table->definition, least->column, least->real);
}

static void
search_init(struct search *search, struct candidates *candidates, struct collector *collector)
{
    const struct table_data *table = candidates->table;
    uint32_t                 number = (uint32_t) (table - candidates->view->store->tables);
    enum leaders_wish wish = foremost_is_asked(candidates->view, collector->query) ? LEADERS_AS_THEY_ARE : LEADERS_MADE;
    uint64_t          columns = KNACKDB_BIT(0) | KNACKDB_BIT(column_beside(candidates));

    search->candidates = candidates;
    search->collector = collector;
    search->place_count = search->count = search->taken = search->column_count = search->least_count =
        search->rest_count = 0;
    search->rate_offset = table->offsets[column_beside(candidates)];
    search->other_column = leaders_other_column(table->definition, column_beside(candidates));
    search->list_count = candidates->posted->code_count;
    for (uint32_t i = 0; i < search->list_count; i++)
        leaders_find(&search->lists[i], candidates->view, number, candidates->posted->condition->column,
                     candidates->posted->codes[i], wish);
    for (uint32_t i = 0; i < candidates->predicate_count; i++) {
        struct predicate *predicate = &candidates->predicates[i];

        if (predicate == candidates->posted)
            continue;
        columns |= KNACKDB_BIT(predicate->condition->column);
        if (predicate->form == PREDICATE_REAL && predicate->condition->op == KNACKDB_AT_LEAST)
            add_least(search, table, predicate);
        else
            search->rest[search->rest_count++] = predicate;
    }
    search->leaders_tell = search->rest_count == 0;
    for (uint32_t i = 0; i < search->least_count; i++)
        if (search->leasts[i].column != column_beside(candidates) && search->leasts[i].column != search->other_column)
            search->leaders_tell = false;
    for (; columns != 0 && search->column_count < COLUMNS_MAX; columns &= columns - 1)
        search->columns[search->column_count++] = table->arrays[__builtin_ctzll(columns)];
}

/* Where the leaders of all lists that have some begin, or later; what there is before is found quickly. */
static posting_tag
leaders_begin(const struct search *search)
{
    int32_t least = POSTING_TAG_LEAST;

    for (uint32_t i = 0; i < search->list_count; i++) {
        const struct leaders *leaders = search->lists[i].leaders;

        if (leaders != NULL && leaders->count != 0 && leaders->least > least)
            least = leaders->least;
    }
    return (posting_tag) least;
}

/* Where the best `wanted` rows begin, about. */
static posting_tag
guess(const struct search *search, uint64_t wanted)
{
    posting_tag best = POSTING_TAG_LEAST;
    uint32_t    h = 0;

    while (h < POSTING_HINTS && (uint64_t) 1 << (POSTING_HINT_BITS_FIRST + h) < wanted)
        h++;
    for (uint32_t i = 0; i < search->list_count && h < POSTING_HINTS; i++) {
        const struct posting_directory *directory = posting_view_directory(&search->lists[i].list);
        posting_tag                     hint = POSTING_TAG_LEAST;

        if (directory != NULL)
            hint = atomic_load_explicit(&((struct posting_directory *) (uintptr_t) directory)->hints[h],
                                        memory_order_relaxed);
        best = hint > best ? hint : best;
    }
    return best;
}

static void
raise_low(struct search *search)
{
    double      least = -collector_last_rank(search->collector); /* minus infinity for NULL */
    posting_tag tag = least >= 0.0 ? tag_of_rate(search->candidates, least) : POSTING_TAG_LEAST;

    if (tag > search->low)
        search->low = tag;
}

static double
real_of(const struct asked_row *asked, size_t offset)
{
    return ((const double *) (const void *) (asked->group + offset))[asked->row & GROUP_ROW_MASK];
}

/* NULL is NaN, which is at least nothing. */
static bool
matches(const struct search *search, const struct asked_row *asked)
{
    const struct table_data *table = search->candidates->table;

    for (uint32_t i = 0; i < search->least_count; i++)
        if (!(real_of(asked, search->leasts[i].offset) >= search->leasts[i].real))
            return false;
    if (!asked->is_shown && !table_row_visible(table, asked->row, search->candidates->moment))
        return false;
    for (uint32_t i = 0; i < search->rest_count; i++)
        if (!predicate_holds(search->rest[i], table, asked->row))
            return false;
    return true;
}

static knackdb_status
judge_rows(struct search *search, knackdb_error *error)
{
    knackdb_status status = KNACKDB_OK;

    for (uint32_t i = 0; i < search->count && status == KNACKDB_OK; i++)
        if (matches(search, &search->rows[i])) {
            double rate = real_of(&search->rows[i], search->rate_offset);

            status =
                collector_add_ranked(search->collector, search->rows[i].row, isnan(rate) ? INFINITY : -rate, error);
        }
    search->count = 0;
    if (status == KNACKDB_OK && search->collector->count >= search->collector->keep)
        status = collector_sort(search->collector, error);
    if (status == KNACKDB_OK && search->collector->count >= search->collector->keep)
        raise_low(search); /* K2 */
    return status;
}

/* Its cells are asked for at once and judged later, so that rows are waited for together. */
static void
ask_for_row(struct search *search, row_number row)
{
    const struct table_data *table = search->candidates->table;
    struct asked_row        *asked = &search->rows[search->count++];
    size_t                   place = row & GROUP_ROW_MASK;

    asked->row = row;
    asked->group = table_group(table, row);
    asked->is_shown = table_row_settled(table, row, search->candidates->moment);
    for (uint32_t i = 0; i < search->column_count; i++)
        __builtin_prefetch(asked->group + search->columns[i].offset + place * search->columns[i].width);
}

static knackdb_status
take_rows(struct search *search, knackdb_error *error)
{
    for (uint32_t i = 0; i < search->place_count; i++)
        ask_for_row(search, *search->places[i]);
    search->place_count = 0;
    return judge_rows(search, error);
}

static knackdb_status
take_place(struct search *search, const uint32_t *place, knackdb_error *error)
{
    __builtin_prefetch(place);
    search->places[search->place_count++] = place;
    search->taken++;
    return search->place_count == BATCH ? take_rows(search, error) : KNACKDB_OK;
}

/* The tag of a list's only row is not kept beside it: asked of the row, it counts as any other (K1). */
static bool
is_collected(const struct search *search, row_number only)
{
    const struct candidates *candidates = search->candidates;
    posting_tag              tag = table_row_tag(candidates->table, candidates->posted->condition->column, only);

    return tag >= search->low && tag <= search->most;
}

/* From the `from`-th of its rows on. */
static knackdb_status
look_at_run(struct search *search, const struct posting_run *run, uint32_t from, knackdb_error *error)
{
    knackdb_status status = KNACKDB_OK;

    if (run->tags == NULL)
        return is_collected(search, run->rows[0]) ? take_place(search, run->rows, error) : KNACKDB_OK;
    for (uint32_t at = from; at < run->count && status == KNACKDB_OK; at += 64) {
        uint32_t left = run->count - at;
        uint64_t found = posting_tags_within(run->tags + at, left < 64 ? left : 64, search->low, search->most);

        for (; found != 0 && status == KNACKDB_OK; found &= found - 1)
            status = take_place(search, run->rows + at + __builtin_ctzll(found), error);
    }
    return status;
}

enum verdict { MATCHES, FAILS, UNKNOWN };

/* Of the conditions that leaders tell of. */
static enum verdict
judge_leader(const struct search *search, const struct leader *leader)
{
    enum verdict verdict = MATCHES;

    for (uint32_t i = 0; i < search->least_count; i++) {
        const struct least *least = &search->leasts[i];

        if (least->column != search->other_column) {
            if (!(leader->rate >= least->real))
                return FAILS;
        } else if (leader->other < least->tag) {
            return FAILS;
        } else if (leader->other == least->tag) {
            verdict = UNKNOWN;
        }
    }
    return verdict;
}

static knackdb_status
look_at_leader(struct search *search, struct asked_list *list, const struct leader *leader, knackdb_error *error)
{
    const struct candidates *candidates = search->candidates;
    enum verdict             verdict = search->leaders_tell ? judge_leader(search, leader) : UNKNOWN;
    knackdb_status           status = KNACKDB_OK;

    if (verdict == UNKNOWN) {
        ask_for_row(search, leader->row);
        if (search->count == BATCH)
            status = judge_rows(search, error);
    } else if (verdict == MATCHES && !table_row_shown(candidates->table, leader->row, candidates->moment)) {
        list->looks += table_row_born(candidates->table, leader->row, candidates->moment); /* else it is newer */
    } else if (verdict == MATCHES) {
        status = collector_add_ranked(search->collector, leader->row, -leader->rate, error);
        if (collector_is_full(search->collector))
            raise_low(search); /* K2 */
    }
    return status;
}

/* Those of a tag that this round collects, in their order, so that `low` rises as soon as enough are held. */
static knackdb_status
look_at_leaders(struct search *search, struct asked_list *list, knackdb_error *error)
{
    const struct leaders *leaders = list->leaders;
    knackdb_status        status = take_rows(search, error);
    uint32_t              at = 0;

    while (at < leaders->count && leaders->rows[at].tag > search->most)
        at++;
    for (; at < leaders->count && leaders->rows[at].tag >= search->low && status == KNACKDB_OK; at++)
        status = look_at_leader(search, list, &leaders->rows[at], error);
    list->reached = at > list->reached ? at : list->reached;
    return status == KNACKDB_OK ? judge_rows(search, error) : status;
}

/* The rows from one on, and before another: some blocks at a time. */
static knackdb_status
look_at_rows(struct search *search, const struct posting_view *list, uint32_t from, uint32_t to, knackdb_error *error)
{
    uint32_t       first = from >> POSTING_BLOCK_BITS, next = first;
    uint32_t       end = (to + POSTING_BLOCK_ROWS - 1) >> POSTING_BLOCK_BITS;
    knackdb_status status = KNACKDB_OK;

    while (next < end && status == KNACKDB_OK) {
        uint32_t           chosen[BLOCKS], count = 0;
        struct posting_run runs[BLOCKS];

        for (; (next = posting_view_skip(list, next, end, search->low)) < end && count < BLOCKS; next++) {
            chosen[count] = next;
            posting_view_ask(list, chosen[count++]);
        }
        for (uint32_t i = 0; i < count; i++) {
            uint32_t most = to - (chosen[i] << POSTING_BLOCK_BITS);

            runs[i] = posting_view_run(list, chosen[i]);
            runs[i].count = runs[i].count < most ? runs[i].count : most;
            posting_run_ask_tags(&runs[i]);
        }
        for (uint32_t i = 0; i < count && status == KNACKDB_OK; i++)
            status = look_at_run(search, &runs[i], chosen[i] == first ? from & (POSTING_BLOCK_ROWS - 1) : 0, error);
    }
    return status;
}

/* Its leaders, and the rows that they do not tell of (L1). */
static knackdb_status
look_at_list(struct search *search, struct asked_list *list, knackdb_error *error)
{
    const struct leaders *leaders = list->leaders;
    uint32_t              told = leaders_told(list), count = list->list.count, taken;
    posting_tag           most = search->most;
    knackdb_status        status = KNACKDB_OK;

    if (leaders != NULL && leaders->least <= most)
        status = look_at_leaders(search, list, error);
    if (leaders != NULL && search->low < leaders->least && status == KNACKDB_OK) {
        if (leaders->least <= most)
            search->most = (posting_tag) (leaders->least - 1);
        status = look_at_rows(search, &list->list, 0, told, error);
        search->most = most;
    }
    taken = search->taken;
    if (status == KNACKDB_OK)
        status = look_at_rows(search, &list->list, told, count, error);
    if (leaders != NULL && search->low >= leaders->least)
        list->looks += 2 * (search->taken - taken);
    return status;
}

/* How many to guess for next: as if the share of rows that match stayed what it was. */
static uint64_t
want_more(uint64_t wanted, const struct collector *collector)
{
    uint64_t found = collector->count;

    if (found == 0)
        return wanted * 8;
    return wanted * (collector->keep / found + 1);
}

knackdb_status
ranked_collect(struct candidates *candidates, struct collector *collector, knackdb_error *error)
{
    posting_tag    floor = tag_floor(candidates);
    uint64_t       wanted = collector->keep + collector->keep / 4;
    knackdb_status status = KNACKDB_OK;
    struct search  search;

    search_init(&search, candidates, collector);
    search.most = INT16_MAX;
    search.low = leaders_begin(&search);
    if (search.low == POSTING_TAG_LEAST)
        search.low = guess(&search, wanted);
    for (;;) {
        if (search.low < floor)
            search.low = floor;
        for (uint32_t i = 0; i < search.list_count && search.low <= search.most && status == KNACKDB_OK; i++)
            status = look_at_list(&search, &search.lists[i], error);
        if (status == KNACKDB_OK)
            status = take_rows(&search, error);
        if (status != KNACKDB_OK || search.low == floor || collector->count >= collector->keep) /* K1 */
            break;
        if (search.low <= search.most)
            search.most = (posting_tag) (search.low - 1);
        wanted = want_more(wanted, collector);
        search.low = guess(&search, wanted);
    }
    for (uint32_t i = 0; i < search.list_count; i++)
        (void) leaders_charge(&search.lists[i]);
    if (search.low != floor)
        collector->dropped = true; /* or may have */
    return status;
}
