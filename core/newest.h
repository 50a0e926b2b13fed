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
 *     (posting.h), whole blocks, and by the latest until one all blocks before it. So what is left is the answer, in
 *     order, whatever the order of the list. */
#ifndef KNACKDB_CORE_NEWEST_H
#define KNACKDB_CORE_NEWEST_H

#include "core/query.h"

enum newest_attempt {
    NEWEST_SOON, /* if few rows have to be looked at: else a kept answer would be found sooner */
    NEWEST_LATE,
    NEWEST_NEVER,
};

/* False where the question is another, or rows stand in another order, or where it is not found soon, or there is no
 * memory: nothing is done, and *attempt is what is left to try. Else the answer is in `list`, whatever was there. */
bool newest_find(const struct view *view, const knackdb_query *checked, enum newest_attempt *attempt,
                 struct row_list *list);

#endif
