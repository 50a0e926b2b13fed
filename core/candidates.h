/* candidates.h - the rows that can match a query, one after the other.
 *
 * Every query walks one of three ways, the cheapest that its conditions allow: the one
 * row a key names; the posting lists of a text (or several) that must be equal; all
 * rows. Rows come visible and matching; those of one way come by rising row number, list by list. */
#ifndef KNACKDB_CORE_CANDIDATES_H
#define KNACKDB_CORE_CANDIDATES_H

#include "core/predicate.h"

struct candidates {
    const struct table_data *table;
    uint64_t                 sequence;
    struct allocator        *allocator;
    uint32_t                 predicate_count;
    struct predicate         predicates[KNACKDB_CONDITIONS_MAX];

    const struct predicate  *posted; /* whose posting lists are walked; NULL: all rows, or one */
    uint32_t                 list;   /* which of its codes */
    const uint32_t          *rows;   /* of the list */
    uint32_t                 count, at;
    row_number               next, end; /* without lists */
};

void candidates_init(struct candidates *candidates, const struct view *view, const knackdb_query *checked);
/* Only rows from `first` on; those before are known already. Call it before the first next. */
void       candidates_start_at(struct candidates *candidates, row_number first);
row_number candidates_next(struct candidates *candidates); /* ROW_NONE at the end */
bool       candidates_match(struct candidates *candidates, row_number row); /* of a visible row */
void       candidates_clear(struct candidates *candidates);

#endif
