/* foremost.c - see foremost.h. */
#include "core/foremost.h"

#include "core/collector.h"
#include "core/leaders.h"
#include "core/store_data.h"

#define KEEP_MAX          256u /* rows, offset and limit together */
#define KEEP_FIRST_MAX    32u  /* where nothing else was asked yet */
#define LOOKS_FIRST(keep) (4 * (keep) + 32)

struct foremost {
    const struct view       *view;
    const struct table_data *table;
    const knackdb_query     *query;
    const struct leaders    *leaders;
    uint32_t                 late_count;
    uint32_t                 ranking, other; /* the rates' columns; other 0: there is none */
    double                   least;          /* of the first; minus infinity: any, NULL is no leader's */
    double                   other_least;
    posting_tag              other_tag; /* of that; POSTING_TAG_LEAST: any, NULL too */
    uint32_t                 keep, count;
    struct hit               hits[KEEP_MAX];
};

static bool
takes_condition(struct foremost *foremost, const knackdb_condition *condition)
{
    double value = condition->value.as.real;

    if (condition->op != KNACKDB_AT_LEAST || condition->value.type != KNACKDB_REAL)
        return false;
    if (condition->column == foremost->ranking) {
        foremost->least = value > foremost->least ? value : foremost->least;
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
find_leaders(struct foremost *foremost, const knackdb_condition *equal)
{
    const struct dictionary *dictionary = &foremost->table->dictionaries[equal->column];
    uint32_t                 code = dictionary_find(dictionary, equal->value.as.text);
    struct posting_view      list;

    if (code == DICTIONARY_CODE_NONE || code == DICTIONARY_CODE_NULL)
        return false;
    posting_view_init(&list, dictionary_posting(dictionary, code));
    foremost->leaders = leaders_of(&list);
    foremost->late_count = foremost->leaders != NULL ? posting_leaders_late(foremost->leaders) : UINT32_MAX;
    return foremost->late_count != UINT32_MAX;
}

static bool
matches(const struct foremost *foremost, const struct leader *leader)
{
    if (leader->other < foremost->other_tag)
        return false;
    if (leader->other == foremost->other_tag && leader->other != POSTING_TAG_LEAST &&
        !(table_real(foremost->table, leader->row, foremost->other) >= foremost->other_least))
        return false;
    return table_row_shown(foremost->table, leader->row, foremost->view->moment);
}

/* A late one: into its place, where it belongs among those wanted. */
static void
put_late(struct foremost *foremost, const struct leader *leader)
{
    const struct table_data *table = foremost->table;
    struct hit              *hits = foremost->hits, hit = { -leader->rate, leader->row, 0 };
    int64_t                  id = table_integer(table, leader->row, 0);
    uint32_t                 at = foremost->count;

    while (at > 0 && (hit.rank < hits[at - 1].rank ||
                      (hit.rank == hits[at - 1].rank && id < table_integer(table, hits[at - 1].row, 0)))) {
        if (at < foremost->keep)
            hits[at] = hits[at - 1];
        at--;
    }
    if (at < foremost->keep)
        hits[at] = hit;
    foremost->count += foremost->count < foremost->keep;
}

/* Whether no row of such a rate is wanted. */
static bool
is_behind(const struct foremost *foremost, const struct leader *leader)
{
    return leader->rate < foremost->least ||
           (foremost->count == foremost->keep && -leader->rate > foremost->hits[foremost->keep - 1].rank);
}

/* False where that would be too many. */
static bool
look_at_leaders(struct foremost *foremost, uint32_t looks)
{
    const struct leaders *leaders = foremost->leaders;
    const struct leader  *late = leaders->rows + leaders->count;

    for (uint32_t i = 0; i < leaders->count && foremost->count < foremost->keep; i++) {
        const struct leader *leader = &leaders->rows[i];

        if (leader->rate < foremost->least)
            break;
        if (i == looks)
            return false;
        if (matches(foremost, leader))
            foremost->hits[foremost->count++] = (struct hit) { -leader->rate, leader->row, 0 };
    }
    for (uint32_t i = 0; i < foremost->late_count; i++)
        if (!is_behind(foremost, &late[i]) && matches(foremost, &late[i]))
            put_late(foremost, &late[i]);
    return true;
}

/* F1 */
static bool
is_complete(const struct foremost *foremost)
{
    return foremost->count == foremost->keep ||
           (foremost->least >= 0.0 && table_rate_tag(foremost->table->definition, foremost->ranking, foremost->least) >=
                                          foremost->leaders->least);
}

bool
foremost_find(const struct view *view, const knackdb_query *checked, bool is_first, struct row_list *list,
              knackdb_status *ret_status, knackdb_error *error)
{
    struct foremost          foremost;
    const knackdb_condition *equal;
    uint32_t                 offset = (uint32_t) checked->offset;

    foremost.view = view;
    foremost.table = &view->store->tables[checked->table];
    foremost.query = checked;
    foremost.least = -INFINITY;
    foremost.other_tag = POSTING_TAG_LEAST;
    foremost.count = 0;
    if (!takes_order(&foremost) || (is_first && foremost.keep > KEEP_FIRST_MAX) ||
        (equal = takes_conditions(&foremost)) == NULL || !find_leaders(&foremost, equal) ||
        !look_at_leaders(&foremost, is_first ? LOOKS_FIRST(foremost.keep) : UINT32_MAX) || !is_complete(&foremost))
        return false;
    offset = offset < foremost.count ? offset : foremost.count;
    list->count = 0;
    *ret_status = row_list_reserve(list, foremost.count - offset, error);
    if (*ret_status != KNACKDB_OK)
        return true;
    for (uint32_t i = offset; i < foremost.count; i++)
        list->rows[list->count++] = foremost.hits[i].row;
    return true;
}
