/* foremost.h - "the best ten of this task type": answered from the leaders of one posting list, and from nothing else.
 *
 * That is what is asked most, and mostly anew: with bounds of its own, or after something was stored. Leaders
 * (leaders.h) stand in the order asked for, say of each row what the bounds are about, and know the rows stored last.
 * So such an answer costs less than to look for it in the result cache, let alone to keep it there, and needs no lock.
 *
 *     conditions   one text equal, of a column whose lists are ranked by a rate (schema.h, `beside`);
 *                  that rate at least so much, and the table's other rate
 *     order        by that rate, falling; then whatever is asked for
 *     rows         some hundreds at most
 *
 * F1  Every row that a view sees and whose rate is not below the least tag of the leaders is one of them (L1, L3). So
 *     as many as are wanted are the first ones; and fewer are all, where the conditions leave none below that tag. */
#ifndef KNACKDB_CORE_FOREMOST_H
#define KNACKDB_CORE_FOREMOST_H

#include "core/query.h"

/* False where the question is another, or leaders do not suffice: nothing is done. Else the answer is in `list`, which
 * was empty, unless *ret_status says why not. */
bool foremost_find(const struct view *view, const knackdb_query *checked, struct row_list *list,
                   knackdb_status *ret_status, knackdb_error *error);

#endif
