/* posting.h - the rows that hold one dictionary text, in the order stored.
 *
 * A search for one task_type looks at its rows alone. Lists only grow at the end; a
 * row stays in when it dies, and whoever reads checks that it is visible. The first row is
 * kept in place, since in a column where most texts are distinct most lists have one.
 *
 * P1  One writer. It writes the entry, then stores the count (release). A reader loads the
 *     count (acquire), then the array (seq_cst): the array is as long as the count, or longer.
 * P2  Growing copies, stores the new array (seq_cst), retires the old one (epoch.h). */
#ifndef KNACKDB_CORE_POSTING_H
#define KNACKDB_CORE_POSTING_H

#include "core/epoch.h"

struct posting_rows {
    uint32_t capacity;
    uint32_t rows[];
};

struct posting {
    _Atomic uint32_t               count;
    uint32_t                       first; /* the only row while count is 1 */
    _Atomic(struct posting_rows *) rows;  /* NULL up to one row */
};

knackdb_status posting_reserve(struct posting *posting, struct epochs *epochs, _Atomic uint64_t *bytes,
                               knackdb_error *error); /* for one more */
void           posting_add(struct posting *posting, uint32_t row);
void           posting_clear(struct posting *posting, struct epochs *epochs);

/* What a reader sees: `count` rows at the pointer, valid until its view ends. */
static inline const uint32_t *
posting_view(struct posting *posting, uint32_t *ret_count)
{
    uint32_t             count = atomic_load_explicit(&posting->count, memory_order_acquire);
    struct posting_rows *rows = atomic_load(&posting->rows); /* seq_cst: E2 */

    *ret_count = count;
    return count <= 1 ? &posting->first : rows->rows;
}

#endif
