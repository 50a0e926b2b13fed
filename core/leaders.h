/* leaders.h - of a long posting list whose tags rank a rate, the rows of the largest rates: in order, and with what
 * they are mostly judged by.
 *
 *     rate   0.998  0.998  0.997  0.991 ...   falling, and by rising id where it is the same
 *     row     7120   1804   9911    402
 *     tag    32636  32636  32570  32177       of the rate (table_tag())
 *     other  14417  -2041  29960   8832       the same of the table's other rate
 *
 * A search for the best ten of a hundred thousand reads some lines of that array, instead of tags, row numbers and
 * cells that lie apart (ranked.c).
 *
 * L1  Leaders tell of the first `blocks` blocks of a directory, which are closed: every row there with a tag from
 *     `least` on is in the array, but for some that no view sees any more. With room for late ones they tell of the
 *     whole list: behind the array the writer puts each such row that comes later, as it comes, and then counts it
 *     (release), until there is no room any more. Else rows behind the blocks are looked for there.
 * L2  An array never changes but for what is late. The writer makes a new one, in which those are in order, where the
 *     room is used up or the list has grown by a quarter, stores it (seq_cst) and retires the old one. All of the list
 *     is looked at for it only where less than half is left of what was found there the last time. A directory that
 *     compacting builds begins with what it leaves of the old one's array (posting_compact.c), without the late ones;
 *     arrays go with their directory. Without memory there is none, or an older one: that costs time alone. Who loads
 *     an array (seq_cst) sees the cells of its rows, as they were published before it (table.h, T1), and may count
 *     fewer rows in the list than it tells of.
 * L3  A reader loads them after its view's moment, before which every row that it sees was counted here (L1) or in its
 *     block. So what is told of the whole list it need not look for in the list. */
#ifndef KNACKDB_CORE_LEADERS_H
#define KNACKDB_CORE_LEADERS_H

#include "core/table.h"

/* Which rate is told beside the one that ranks; 0: none. */
static inline uint32_t
leaders_other_column(const struct table *definition, uint32_t ranking)
{
    for (uint32_t c = 1; c < definition->column_count; c++)
        if (definition->columns[c].is_rate && c != ranking)
            return c;
    return 0;
}

/* NULL: none. */
static inline const struct leaders *
leaders_of(const struct posting_view *list)
{
    const struct posting_directory *directory = posting_view_directory(list);

    return directory != NULL ? posting_directory_leaders(directory) : NULL;
}

/* The writer's: brings them up to date with a list of `column`, or, false, has no memory for it; then, as where there
 * was no need, they are told of the row that was added last, or that they lack it. */
bool leaders_renew(struct table_data *table, uint32_t column, struct posting *posting);
void leaders_add(struct table_data *table, uint32_t column, struct posting *posting, uint32_t row, posting_tag tag);

#endif
