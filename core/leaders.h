/* leaders.h - of a posting list whose tags rank a rate, the rows of the largest rates: in order, and with what they are
 * mostly judged by.
 *
 *     rate   0.998  0.998  0.997  0.991 ...   falling, and by rising id where it is the same
 *     row     7120   1804   9911    402
 *     tag    32636  32636  32570  32177       of the rate (table_tag())
 *     other  14417  -2041  29960   8832       the same of the table's other rate
 *     id       418   7730     12   2251
 *     code       3      1      1      9       of the table's other text that has lists
 *
 * A search for the best ten of a hundred thousand reads some lines of that array, instead of tags, row numbers and
 * cells that lie apart; so does one for the best hundred of a hundred and forty. And who reads a column of its answer
 * that leaders tell reads on there.
 *
 * They are made by who asks, not by who stores: at the second question about a list. So a list that nobody asks costs
 * stores and memory nothing, and one that is asked costs 32 bytes a row at the most, and no more than 32 KB. Rows
 * stored since are found in the list, by their tags: mostly none of them is as good as the last of an answer. When that
 * becomes too much to do, or too many leaders are dead, others are made, out of those and the rows behind them.
 *
 * L1  Leaders tell of the first `told` rows of their array or directory: every row there with a tag from `least` on is
 *     one of them, but for some that no view of the moment `from` or a later one sees; and no other row of the list
 *     is. `told` is never more than was published, but may be more than who loaded the count first knows of.
 * L2  They never change. A reader makes new ones without a lock, from what it sees of the list: its first rows, which
 *     are published and stay where they are as long as the array or directory does (posting.h), and their cells
 *     (table.h, T1). Then it *tries* the writers' lock, and is the writer for a moment: where the list still stands as
 *     it was looked at, with the leaders that it had, the new ones are stored (seq_cst) and the old ones retired. Else
 *     they were made in vain, and the question goes the way it had without. Nothing but time hangs on that, nor on
 *     memory for them.
 * L3  A row is left out of them where it was never born, or has ended by `from`, which is no later than the moment of
 *     the view that made them: so that end was published, and no commit takes it back. Views of earlier moments go
 *     without these leaders. Those are few and long held, as what ended for some view of the last commits is kept.
 * L4  Growing takes them over: the first rows stay the first ones. Compacting does not. Who loads the array or
 *     directory, its count, and then its leaders (seq_cst) after its view's moment, finds every row that it sees told
 *     of, or behind `told` and before the count. */
#ifndef KNACKDB_CORE_LEADERS_H
#define KNACKDB_CORE_LEADERS_H

#include "core/query.h"
#include "core/table.h"

/* A list that a question of a view is about, and its leaders. */
struct asked_list {
    const struct view       *view;
    const struct table_data *table;
    uint32_t                 column;
    struct posting          *posting;
    struct posting_view      list;
    struct leaders          *leaders;  /* NULL: none */
    bool                     is_tried; /* the question made some, or could not */
    uint32_t                 reached;  /* leaders that the question looked at, from the first on */
    uint32_t                 looks;    /* of the question at rows, that newer leaders would have spared it; or so */
};

/* Which rate is told beside the one that ranks; 0: none. */
static inline uint32_t
leaders_other_column(const struct table *definition, uint32_t ranking)
{
    for (uint32_t c = 1; c < definition->column_count; c++)
        if (definition->columns[c].is_rate && c != ranking)
            return c;
    return 0;
}

/* Of which text they tell the code, of lists of `column`; 0: none. */
static inline uint32_t
leaders_code_column(const struct table *definition, uint32_t column)
{
    for (uint32_t c = 1; c < definition->column_count; c++)
        if (definition->columns[c].is_posted && c != column)
            return c;
    return 0;
}

/* Rows of the list that they tell of. */
static inline uint32_t
leaders_told(const struct asked_list *asked)
{
    return asked->leaders != NULL && asked->leaders->told < asked->list.count ? asked->leaders->told
           : asked->leaders != NULL                                           ? asked->list.count
                                                                              : 0;
}

/* Where the rows of an answer stand among leaders, for who reads more of them (view_column()). Good as long as the view
 * that found it. */
struct led_rows {
    const struct leaders *leaders;
    uint32_t              column, code;         /* the list's */
    uint32_t              ranking, code_column; /* that are told, too; 0: none */
    uint32_t              count;
    uint16_t              places[]; /* one a row: from 1; 0: it is none of them */
};

/* For a list's rows; the caller puts it there. NULL without memory: the rows are read from their columns then. */
struct led_rows *led_rows_new(struct row_list *list, const struct asked_list *asked, uint32_t code, uint32_t count);
size_t           led_rows_bytes(const struct led_rows *led);

enum leaders_wish {
    LEADERS_AS_THEY_ARE,
    LEADERS_MADE, /* where there was a question about the list before and there are none */
};

/* Of a column whose lists are ranked by a rate; the code is one of a text. Of the calls for one question one makes
 * leaders: where the lock is not to be had, the others are not to try it again. */
void leaders_find(struct asked_list *asked, const struct view *view, uint32_t table, uint32_t column, uint32_t code,
                  enum leaders_wish wish);
/* There was a question about the list, and no leaders to answer it. */
void leaders_note_question(const struct view *view, uint32_t table, uint32_t column, uint32_t code);
/* Tries, once, to make some that tell of all of the list. False: it has those that it had. */
bool leaders_renew(struct asked_list *asked);
/* `looks` is what the question had to do in vain: leaders are renewed when that is worth it. True where they were. */
bool leaders_charge(struct asked_list *asked);
/* The same where they did not suffice. */
bool leaders_charge_missing(struct asked_list *asked);

#endif
