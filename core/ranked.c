/* ranked.c - the best rows of a posting list, without a look at the others.
 *
 * Beside each row of a list stands a tag (posting.h), here the rank of a rate in sixteen bits: of two rows the one with
 * the larger tag has the larger rate. Asked for the ten of highest confidence among a hundred thousand, the search takes a
 * guess at how large the tags of the best dozen are (the list's hint), and collects whatever has such a tag:
 *
 *     maxima of blocks   [ 71 ][ 99 ][ 80 ][ 62 ][ 97 ] ...     >= 96?  a few blocks, found eight at a time
 *     tags of a block      [ 12 45 99 31 .. ]                   >= 96?  a few rows
 *     rows                 asked for together, then looked at: visible, every condition holds
 *
 * Should too few of them match, the next round guesses lower and looks at the tags between.
 *
 * K1  A round collects every row of a tag from `low` on that was not collected before. So once as many as wanted match, all
 *     that was left out has a smaller tag than any of them, and a smaller rate: it comes after them, whatever the other
 *     sort keys are.
 * K2  Guesses are taken for nothing but guesses: wrong ones cost time. */
#include "core/ranked.h"

#include "core/store_data.h"

#define BATCH        64u
#define COLUMNS_MAX  6u
#define ROWS_MIN     (2 * POSTING_BLOCK_ROWS) /* a list of fewer is walked */
#define WANTED_SHARE 8u                       /* and so is one of which more than that part is wanted */

typedef posting_tag tags8 __attribute__((vector_size(16), aligned(2), may_alias));
typedef uint64_t    halves __attribute__((vector_size(16)));

struct search {
    struct candidates *candidates;
    struct collector  *collector;
    uint32_t           list_count;
    struct posting_view lists[PREDICATE_CODES_KEPT];
    posting_tag        low, most; /* tags that this round collects */
    uint32_t           column_count;
    struct table_array columns[COLUMNS_MAX]; /* that a row is judged by */
    uint32_t           count;
    row_number         rows[BATCH];
};

static uint32_t
column_beside(const struct candidates *candidates)
{
    return candidates->table->definition->columns[candidates->posted->condition->column].beside;
}

bool
ranked_serves(const struct candidates *candidates, const struct collector *collector)
{
    const struct table     *definition = candidates->table->definition;
    const struct predicate *posted = candidates->posted;
    const knackdb_order    *order = &collector->query->order[0];
    uint64_t                rows = 0;

    if (posted == NULL || collector->query->order_count == 0 || !order->descending || order->column <= 0
        || (uint32_t) order->column != column_beside(candidates) || !definition->columns[order->column].is_rate)
        return false;
    for (uint32_t i = 0; i < posted->code_count; i++) {
        struct posting_view list;

        posting_view_init(&list, dictionary_posting(&candidates->table->dictionaries[posted->condition->column],
                                                    posted->codes[i]));
        rows += list.count;
    }
    return candidates->run_end != 0 && rows >= ROWS_MIN && collector->keep < rows / WANTED_SHARE;
}

/* No row with a smaller tag fulfils the conditions. */
static posting_tag
tag_floor(const struct candidates *candidates)
{
    uint32_t    column = column_beside(candidates);
    posting_tag floor = POSTING_TAG_LEAST;

    for (uint32_t i = 0; i < candidates->predicate_count; i++) {
        const struct predicate *predicate = &candidates->predicates[i];
        double                  least = predicate->real;
        uint64_t                bits;
        posting_tag             tag;

        if (predicate->form != PREDICATE_REAL || predicate->condition->column != column
            || (predicate->condition->op != KNACKDB_AT_LEAST && predicate->condition->op != KNACKDB_MORE
                && predicate->condition->op != KNACKDB_EQUAL))
            continue;
        least = least < 0.0 ? 0.0 : least > 1.0 ? 1.0 : least;
        memcpy(&bits, &least, sizeof bits);
        tag = table_tag(candidates->table->definition, column, bits);
        floor = tag > floor ? tag : floor;
    }
    return floor;
}

static void
search_init(struct search *search, struct candidates *candidates, struct collector *collector)
{
    const struct table_data *table = candidates->table;
    uint64_t                 columns = KNACKDB_BIT(0) | KNACKDB_BIT(column_beside(candidates));

    search->candidates = candidates;
    search->collector = collector;
    search->count = search->column_count = 0;
    search->list_count = candidates->posted->code_count;
    for (uint32_t i = 0; i < search->list_count; i++)
        posting_view_init(&search->lists[i],
                          dictionary_posting(&table->dictionaries[candidates->posted->condition->column],
                                             candidates->posted->codes[i]));
    for (uint32_t i = 0; i < candidates->predicate_count; i++)
        if (&candidates->predicates[i] != candidates->posted)
            columns |= KNACKDB_BIT(candidates->predicates[i].condition->column);
    for (; columns != 0 && search->column_count < COLUMNS_MAX; columns &= columns - 1)
        search->columns[search->column_count++] = table->arrays[__builtin_ctzll(columns)];
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
        const struct posting_directory *directory = posting_view_directory(&search->lists[i]);
        posting_tag                     hint = POSTING_TAG_LEAST;

        if (directory != NULL)
            hint = atomic_load_explicit(&((struct posting_directory *) (uintptr_t) directory)->hints[h],
                                        memory_order_relaxed);
        best = hint > best ? hint : best;
    }
    return best;
}

static knackdb_status
judge_rows(struct search *search, knackdb_error *error)
{
    struct candidates *candidates = search->candidates;
    knackdb_status     status = KNACKDB_OK;

    for (uint32_t i = 0; i < search->count && status == KNACKDB_OK; i++)
        if (table_row_shown(candidates->table, search->rows[i], candidates->moment)
            && candidates_match(candidates, search->rows[i]))
            status = collector_add(search->collector, search->rows[i], error);
    search->count = 0;
    return status;
}

/* Its cells are asked for at once and judged later, so that rows are waited for together. */
static knackdb_status
take_row(struct search *search, row_number row, knackdb_error *error)
{
    const unsigned char *group = table_group(search->candidates->table, row);
    size_t               place = row & GROUP_ROW_MASK;

    for (uint32_t i = 0; i < search->column_count; i++)
        __builtin_prefetch(group + search->columns[i].offset + place * search->columns[i].width);
    search->rows[search->count++] = row;
    return search->count == BATCH ? judge_rows(search, error) : KNACKDB_OK;
}

static inline bool
any_of_eight(const posting_tag *tags, posting_tag low, posting_tag most)
{
    tags8  eight = *(const tags8 *) (const void *) tags;
    halves found = (halves) ((eight >= low) & (eight <= most));

    return (found[0] | found[1]) != 0;
}

static knackdb_status
look_at_run(struct search *search, const struct posting_run *run, knackdb_error *error)
{
    posting_tag    low = search->low, most = search->most;
    knackdb_status status = KNACKDB_OK;
    uint32_t       i = 0;

    if (run->tags == NULL) /* in the first round, as it may have any */
        return most == INT16_MAX ? take_row(search, run->rows[0], error) : KNACKDB_OK;
    while (i < run->count && status == KNACKDB_OK) {
        uint32_t end = i + 8 < run->count ? i + 8 : run->count;

        if (end - i == 8 && !any_of_eight(run->tags + i, low, most)) {
            i = end;
            continue;
        }
        for (; i < end && status == KNACKDB_OK; i++)
            if (run->tags[i] >= low && run->tags[i] <= most)
                status = take_row(search, run->rows[i], error);
    }
    return status;
}

/* Past the blocks, from `block` on, in which no tag is large enough. What is known of the last block may change. */
static uint32_t
skip_blocks(const struct search *search, const struct posting_view *list, uint32_t block)
{
    const struct posting_directory *directory = posting_view_directory(list);
    uint32_t                        last = posting_view_blocks(list) - 1;
    const posting_tag              *maxima;

    if (directory == NULL)
        return block;
    maxima = posting_directory_maxima(directory);
    while (block + 8 <= last && !any_of_eight(maxima + block, search->low, INT16_MAX))
        block += 8;
    while (block < last && maxima[block] < search->low)
        block++;
    return block;
}

static knackdb_status
look_at_list(struct search *search, const struct posting_view *list, knackdb_error *error)
{
    uint32_t       blocks = posting_view_blocks(list);
    knackdb_status status = KNACKDB_OK;

    for (uint32_t b = 0; b < blocks && status == KNACKDB_OK; b++) {
        struct posting_run run;

        b = skip_blocks(search, list, b);
        run = posting_view_run(list, b);
        status = look_at_run(search, &run, error);
    }
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
    for (;;) {
        search.low = guess(&search, wanted);
        if (search.low < floor)
            search.low = floor;
        for (uint32_t i = 0; i < search.list_count && search.low <= search.most && status == KNACKDB_OK; i++)
            status = look_at_list(&search, &search.lists[i], error);
        if (status == KNACKDB_OK)
            status = judge_rows(&search, error);
        if (status != KNACKDB_OK || search.low == floor || collector->count == collector->keep) /* K1 */
            break;
        if (search.low <= search.most)
            search.most = (posting_tag) (search.low - 1);
        wanted = want_more(wanted, collector);
    }
    if (search.low != floor)
        collector->dropped = true;
    return status;
}
