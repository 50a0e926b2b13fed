/* foremost.h - "the best ten of this task type": answered from the leaders of one posting list, and from nothing else.
 *
 * That is what an agent asks before it acts, mostly anew: with bounds of its own, or after something was stored.
 * Leaders (leaders.h) stand in the order asked for, and say of each row what the bounds are about. Rows stored behind
 * them are looked for in the list, by their tags: mostly none is as good as the last one held. So an answer of some
 * rows costs about what a look into the result cache does, and less than to keep it there: it is looked for here first,
 * as far as that is done quickly, and for more rows, or among more leaders, where the cache does not know them.
 *
 *     conditions   one text equal, of a column whose lists are ranked by a rate (schema.h, `beside`);
 *                  that rate at least so much, and the table's other rate
 *     order        by that rate, falling
 *     rows         some hundreds at most
 *
 * F1  Every row that a view sees and whose rate is not below the least tag of the leaders is one of them or behind them
 *     in the list (L1, L4). So as many as are wanted are the first ones; and fewer are all, where the conditions leave
 *     none below that tag, or the leaders are all there are. */
#ifndef KNACKDB_CORE_FOREMOST_H
#define KNACKDB_CORE_FOREMOST_H

#include "core/query.h"

/* Whether the question is one of these. */
bool foremost_is_asked(const struct view *view, const knackdb_query *checked);
/* False where the question is another, or leaders do not suffice, or, the first time, not soon: nothing is done. Else
 * the answer is in `list`, whatever was there, unless *ret_status says why not. */
bool foremost_find(const struct view *view, const knackdb_query *checked, bool is_first, struct row_list *list,
                   knackdb_status *ret_status, knackdb_error *error);

#endif
