/* newest.h - "the newest hundred of this component, or of this metric of it": one walk along one list, from its end.
 *
 * Rows are mostly measured in the order in which they are stored, so a list whose blocks carry cells (carried.h) holds
 * a history ready: it is read backwards, each row that the view sees is the next of the answer, and what is read of it
 * later stands beside it. Nothing is ranked, and mostly nothing is moved. A row that was measured later than one behind
 * it in the list is put where it belongs; where many are, the question is left to the collector, which sorts.
 *
 *     conditions   one text equal, of a column whose lists carry id and age; and perhaps the text of which their tags
 *                  are the code
 *     order        by age, falling; then by id
 *     rows         from the first
 *
 * N1  A list is walked from its end to its beginning. Left out are rows that the view does not see, that have another
 *     tag, or, once there are as many as wanted, that do not come before the last of these; and so, by their latest
 *     (posting.h), whole blocks. So what is left is the answer, in its order, whatever the order of the list. */
#ifndef KNACKDB_CORE_NEWEST_H
#define KNACKDB_CORE_NEWEST_H

#include "core/query.h"

/* False where the question is another, or rows stand in another order, or, the first time, where many are to be looked
 * at, so that a kept answer would be found sooner: nothing is done. Else the answer is in `list`, whatever was
 * there, unless *ret_status says why not. */
bool newest_find(const struct view *view, const knackdb_query *checked, bool is_first, struct row_list *list,
                 knackdb_status *ret_status, knackdb_error *error);

#endif
