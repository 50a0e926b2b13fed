/* posting.h - the rows that hold one dictionary text, in the order stored.
 *
 * A search for one task_type looks at its rows alone. Lists grow at the end; a
 * row stays in when it dies, and whoever reads checks that it is visible. When chunks are to be given
 * back (reclaim.h), the lists that lead into them are compacted. The only row of a list is
 * kept in place, since in a column where most texts are distinct most lists have one.
 *
 * P1  One writer. It writes an entry, then stores the count (release). A reader loads the
 *     array (seq_cst), then its count (acquire).
 * P2  Growing and compacting make a new array with a count of its own, store it (seq_cst), retire the old one
 *     (epoch.h). A list of one row or none has no array: `single` is stored (seq_cst) before the array goes.
 *     A reader that saw no array and was overtaken by both finds in `single` a row stored later than
 *     the one it looked for, which compacting has taken out, as no view saw it. */
#ifndef KNACKDB_CORE_POSTING_H
#define KNACKDB_CORE_POSTING_H

#include "core/epoch.h"

struct posting_rows {
    uint32_t         capacity;
    _Atomic uint32_t count;
    uint32_t         rows[];
};

struct posting {
    _Atomic uint32_t               single; /* row + 1; 0: none; what the list is while there is no array */
    uint32_t                       round;  /* of reclaim.h: in which it was compacted last; the writer's */
    _Atomic(struct posting_rows *) rows;
};

knackdb_status posting_reserve(struct posting *posting, struct epochs *epochs, _Atomic uint64_t *bytes,
                               knackdb_error *error); /* for one more */
/* Makes an empty list ready for so many. */
knackdb_status posting_reserve_first(struct posting *posting, struct epochs *epochs, _Atomic uint64_t *bytes,
                                     uint32_t count, knackdb_error *error);
void           posting_add(struct posting *posting, uint32_t row);
/* Empties a list whose every row is to be given back. */
void           posting_drop(struct posting *posting, struct epochs *epochs, _Atomic uint64_t *bytes);
void           posting_clear(struct posting *posting, struct epochs *epochs); /* the store is ending */

/* Compacting, a piece at a time: the list may grow meanwhile. */
struct posting_compaction {
    struct posting      *posting; /* NULL: none under way */
    struct posting_rows *kept;    /* built aside */
    uint32_t             at;      /* entries looked at */
};

/* Goes on with the list, or begins, leaving out the rows that are doomed. Each entry looked at is taken from *budget.
 * True when it is done; false at the end of the budget, or without memory. */
bool posting_compact(struct posting_compaction *compaction, struct posting *posting, struct epochs *epochs,
                     _Atomic uint64_t *bytes, bool (*is_doomed)(const void *context, uint32_t row),
                     const void *context, int64_t *budget);
void posting_compaction_clear(struct posting_compaction *compaction, struct epochs *epochs);

/* What a reader sees: `count` rows at the pointer, valid until its view ends. `single` is where one alone is put. */
static inline const uint32_t *
posting_view(struct posting *posting, uint32_t *single, uint32_t *ret_count)
{
    struct posting_rows *rows = atomic_load(&posting->rows); /* seq_cst: E2 */
    uint32_t             only;

    if (rows != NULL) {
        *ret_count = atomic_load_explicit(&rows->count, memory_order_acquire);
        return rows->rows;
    }
    only = atomic_load(&posting->single);
    *single = only - 1;
    *ret_count = only != 0;
    return single;
}

#endif
