/* foremost.c - see foremost.h. */
#include "core/foremost.h"

#include "core/collector.h"
#include "core/leaders.h"
#include "core/store_data.h"

#include <assert.h>

#define KEEP_MAX          256u /* rows, offset and limit together */
#define KEEP_FIRST_MAX    32u  /* where nothing else was asked yet */
#define LOOKS_FIRST(keep) (4 * (keep) + 32)
#define TAIL_MAX          128u /* rows behind the leaders that are looked at */
#define TAIL_BLOCKS_CHEAP 16u  /* whose maxima are looked at for what a row costs */

struct foremost {
    const struct view       *view;
    const struct table_data *table;
    const knackdb_query     *query;
    struct asked_list        asked;
    uint32_t                 code;           /* of the list */
    uint32_t                 ranking, other; /* the rates' columns; other 0: there is none */
    bool                     is_bounded;     /* by the first, from `least` on; NULL is below */
    double                   least;
    double                   other_least;
    posting_tag              other_tag; /* of that; POSTING_TAG_LEAST: any, NULL too */
    uint32_t                 keep, count;
    struct hit               hits[KEEP_MAX]; /* of rank infinity: NULL; the place is among the leaders, from 1 */
};

static bool
takes_condition(struct foremost *foremost, const knackdb_condition *condition)
{
    double value = condition->value.as.real;

    if (condition->op != KNACKDB_AT_LEAST || condition->value.type != KNACKDB_REAL)
        return false;
    if (condition->column == foremost->ranking) {
        foremost->least = !foremost->is_bounded || value > foremost->least ? value : foremost->least;
        foremost->is_bounded = true;
        return true;
    }
    if (condition->column != foremost->other || foremost->other == 0)
        return false;
    if (foremost->other_tag == POSTING_TAG_LEAST || value > foremost->other_least) {
        foremost->other_least = value;
        foremost->other_tag = table_rate_tag(foremost->table->definition, foremost->other, value);
    }
    return true;
}

static bool
takes_order(struct foremost *foremost)
{
    const struct table  *definition = foremost->table->definition;
    const knackdb_query *query = foremost->query;

    if (query->order_count != 1 || !query->order[0].descending || query->order[0].column <= 0 ||
        !definition->columns[query->order[0].column].is_rate || query->limit == 0 || query->limit > KEEP_MAX ||
        query->offset > KEEP_MAX - query->limit)
        return false;
    foremost->ranking = (uint32_t) query->order[0].column;
    foremost->other = leaders_other_column(definition, foremost->ranking);
    foremost->keep = (uint32_t) (query->limit + query->offset);
    return true;
}

/* Which list it is about; NULL: not one. */
static const knackdb_condition *
takes_conditions(struct foremost *foremost)
{
    const struct table      *definition = foremost->table->definition;
    const knackdb_condition *equal = NULL;

    for (size_t i = 0; i < foremost->query->condition_count; i++) {
        const knackdb_condition *condition = &foremost->query->conditions[i];
        const struct column     *column = &definition->columns[condition->column];

        if (equal == NULL && condition->op == KNACKDB_EQUAL && condition->value.type == KNACKDB_TEXT &&
            column->is_posted && column->beside == foremost->ranking)
            equal = condition;
        else if (!takes_condition(foremost, condition))
            return NULL;
    }
    return equal;
}

static bool
find_leaders(struct foremost *foremost, const knackdb_condition *equal, enum leaders_wish wish)
{
    const struct dictionary *dictionary = &foremost->table->dictionaries[equal->column];

    foremost->code = dictionary_find(dictionary, equal->value.as.text);
    if (foremost->code == DICTIONARY_CODE_NONE || foremost->code == DICTIONARY_CODE_NULL)
        return false;
    leaders_find(&foremost->asked, foremost->view, (uint32_t) foremost->query->table, equal->column, foremost->code,
                 wish);
    return foremost->asked.leaders != NULL;
}

static bool
is_shown(struct foremost *foremost, row_number row)
{
    if (table_row_shown(foremost->table, row, foremost->view->moment))
        return true;
    foremost->asked.looks += table_row_born(foremost->table, row, foremost->view->moment); /* else it is newer */
    return false;
}

static bool
is_enough(const struct foremost *foremost, row_number row)
{
    return foremost->other_tag == POSTING_TAG_LEAST ||
           table_real(foremost->table, row, foremost->other) >= foremost->other_least;
}

static bool
matches(struct foremost *foremost, const struct leader *leader)
{
    return leader->other >= foremost->other_tag &&
           (leader->other != foremost->other_tag || is_enough(foremost, leader->row)) &&
           is_shown(foremost, leader->row);
}

/* False where that would be too many. */
static bool
look_at_leaders(struct foremost *foremost, uint32_t looks)
{
    const struct leaders *leaders = foremost->asked.leaders;
    uint32_t             *at = &foremost->asked.reached;

    for (*at = 0; *at < leaders->count && foremost->count < foremost->keep; ++*at) {
        const struct leader *leader = &leaders->rows[*at];

        if (foremost->is_bounded && leader->rate < foremost->least)
            break;
        if (*at == looks)
            return false;
        if (matches(foremost, leader))
            foremost->hits[foremost->count++] = (struct hit) { -leader->rate, leader->row, *at + 1 };
    }
    return true;
}

/* No row of a lesser tag is wanted, or known to be: the leaders tell of none below their least. */
static int32_t
tag_floor(const struct foremost *foremost)
{
    const struct table *definition = foremost->table->definition;
    int32_t             floor = POSTING_TAG_LEAST, least = foremost->asked.leaders->least;

    if (foremost->count == foremost->keep && foremost->hits[foremost->keep - 1].rank <= 0.0)
        floor = table_rate_tag(definition, foremost->ranking, -foremost->hits[foremost->keep - 1].rank);
    else if (foremost->is_bounded)
        floor = table_rate_tag(definition, foremost->ranking, foremost->least);
    return floor > least ? floor : least;
}

static int64_t
id_of(const struct foremost *foremost, const struct hit *hit)
{
    return hit->place != 0 ? foremost->asked.leaders->rows[hit->place - 1].id
                           : table_integer(foremost->table, hit->row, 0);
}

/* A row that is not among the leaders: into its place, where it belongs among those wanted. */
static void
put(struct foremost *foremost, row_number row)
{
    const struct table_data *table = foremost->table;
    double                   rate = table_real(table, row, foremost->ranking);
    struct hit              *hits = foremost->hits, hit = { isnan(rate) ? INFINITY : -rate, row, 0 };
    int64_t                  id = table_integer(table, row, 0);
    uint32_t                 at = foremost->count;

    if ((foremost->is_bounded && !(rate >= foremost->least)) || !is_enough(foremost, row) || !is_shown(foremost, row))
        return;
    while (at > 0 &&
           (hit.rank < hits[at - 1].rank || (hit.rank == hits[at - 1].rank && id < id_of(foremost, &hits[at - 1])))) {
        if (at < foremost->keep)
            hits[at] = hits[at - 1];
        at--;
    }
    if (at < foremost->keep)
        hits[at] = hit;
    foremost->count += foremost->count < foremost->keep;
}

/* The rows that the leaders do not tell of. False where too many would have to be looked at. */
static bool
look_behind(struct foremost *foremost)
{
    const struct posting_view *list = &foremost->asked.list;
    uint32_t                   told = leaders_told(&foremost->asked), first = told >> POSTING_BLOCK_BITS;
    uint32_t                   blocks = posting_view_blocks(list), rows[TAIL_MAX], count = 0;
    int32_t                    least = told < list->count ? tag_floor(foremost) : INT16_MAX + 1;
    posting_tag                floor = (posting_tag) least;

    if (least > INT16_MAX)
        return true;
    for (uint32_t b = posting_view_skip(list, first, blocks, floor); b < blocks;
         b = posting_view_skip(list, b + 1, blocks, floor)) {
        struct posting_run run = posting_view_run(list, b);

        assert(run.tags != NULL); /* a list of one row has no leaders */
        for (uint32_t at = b == first ? told & (POSTING_BLOCK_ROWS - 1) : 0; at < run.count; at += 64) {
            uint32_t left = run.count - at < 64 ? run.count - at : 64;
            uint64_t found = posting_tags_within(run.tags + at, left, floor, INT16_MAX);

            for (; found != 0 && count < TAIL_MAX; found &= found - 1)
                rows[count++] = run.rows[at + (uint32_t) __builtin_ctzll(found)];
            if (found != 0) {
                foremost->asked.looks += 2 * TAIL_MAX;
                return false;
            }
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        __builtin_prefetch(TABLE_AT(foremost->table, rows[i], foremost->table->offsets[foremost->ranking], double));
        __builtin_prefetch(TABLE_AT(foremost->table, rows[i], foremost->table->offsets[0], int64_t));
    }
    for (uint32_t i = 0; i < count; i++)
        put(foremost, rows[i]);
    foremost->asked.looks += 2 * count + (blocks - first) / TAIL_BLOCKS_CHEAP;
    return true;
}

/* F1 */
static bool
is_complete(const struct foremost *foremost)
{
    int32_t least = foremost->asked.leaders->least;

    return foremost->count == foremost->keep || least == POSTING_TAG_LEAST ||
           (foremost->is_bounded &&
            table_rate_tag(foremost->table->definition, foremost->ranking, foremost->least) >= least);
}

/* False where leaders do not suffice. Where they are renewed for its sake it is looked once more. */
static bool
look(struct foremost *foremost, uint32_t looks)
{
    for (;;) {
        foremost->count = foremost->asked.looks = 0;
        if (!look_at_leaders(foremost, looks))
            return false; /* not soon */
        if (look_behind(foremost) && is_complete(foremost))
            return true;
        if (!leaders_charge_missing(&foremost->asked)) /* it tries once */
            return false;
    }
}

static knackdb_status
hand_out(const struct foremost *foremost, uint32_t first, struct row_list *list, knackdb_error *error)
{
    uint32_t       count = foremost->count - first;
    knackdb_status status = row_list_reserve(list, count, error);

    list->count = 0;
    if (status != KNACKDB_OK)
        return status;
    if (list->led != NULL)
        row_list_note_put(list, list->led, led_rows_bytes(list->led));
    list->led = NULL;
    list->led = count != 0 ? led_rows_new(list, &foremost->asked, foremost->code, count) : NULL;
    for (uint32_t i = 0; i < count; i++)
        list->rows[i] = foremost->hits[first + i].row;
    for (uint32_t i = 0; i < count && list->led != NULL; i++)
        list->led->places[i] = (uint16_t) foremost->hits[first + i].place;
    list->count = count;
    return KNACKDB_OK;
}

static void
begin(struct foremost *foremost, const struct view *view, const knackdb_query *checked)
{
    foremost->view = view;
    foremost->table = &view->store->tables[checked->table];
    foremost->query = checked;
    foremost->is_bounded = false;
    foremost->other_tag = POSTING_TAG_LEAST;
}

bool
foremost_is_asked(const struct view *view, const knackdb_query *checked)
{
    struct foremost foremost;

    begin(&foremost, view, checked);
    return takes_order(&foremost) && takes_conditions(&foremost) != NULL;
}

bool
foremost_find(const struct view *view, const knackdb_query *checked, bool is_first, struct row_list *list,
              knackdb_status *ret_status, knackdb_error *error)
{
    struct foremost          foremost;
    const knackdb_condition *equal;
    uint32_t                 offset = (uint32_t) checked->offset;

    begin(&foremost, view, checked);
    if (!takes_order(&foremost) || (is_first && foremost.keep > KEEP_FIRST_MAX) ||
        (equal = takes_conditions(&foremost)) == NULL ||
        !find_leaders(&foremost, equal,
                      is_first || foremost.keep > KEEP_FIRST_MAX ? LEADERS_MADE : LEADERS_AS_THEY_ARE) ||
        !look(&foremost, is_first ? LOOKS_FIRST(foremost.keep) : UINT32_MAX))
        return false;
    offset = offset < foremost.count ? offset : foremost.count;
    *ret_status = hand_out(&foremost, offset, list, error);
    (void) leaders_charge(&foremost.asked);
    return true;
}
