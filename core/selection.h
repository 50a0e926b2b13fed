/* selection.h - which rows of a group are visible and match: a bit a row.
 *
 * For who walks a whole table. A group of 128 rows is asked about at once: one word tells that all of them are visible
 * (T6), and a condition is a loop over its column. A cell that is not selected is not read: behind the rows that a
 * reader was given the writer is filling others. */
#ifndef KNACKDB_CORE_SELECTION_H
#define KNACKDB_CORE_SELECTION_H

#include "core/predicate.h"

#define SELECTION_WORDS (GROUP_ROWS / 64)

struct selection {
    uint64_t words[SELECTION_WORDS]; /* bit `place` % 64 of word `place` / 64 */
};

static inline bool
selection_is_whole(const struct selection *selection)
{
    uint64_t all = UINT64_MAX;

    for (uint32_t w = 0; w < SELECTION_WORDS; w++)
        all &= selection->words[w];
    return all == UINT64_MAX;
}

static inline bool
selection_is_empty(const struct selection *selection)
{
    uint64_t any = 0;

    for (uint32_t w = 0; w < SELECTION_WORDS; w++)
        any |= selection->words[w];
    return any == 0;
}

static inline struct selection
selection_of_place(uint32_t place)
{
    struct selection selection = { { 0 } };

    selection.words[place / 64] = (uint64_t) 1 << place % 64;
    return selection;
}

/* Of the `count` rows from `first` on, the first of a group, those that a view of `moment` sees. */
struct selection selection_visible(const struct table_data *table, row_number first, uint32_t count, uint64_t moment);

/* Takes those out that do not fulfil a condition. */
void selection_narrow(struct selection *selection, struct predicate *predicate, const struct table_data *table,
                      row_number first);

#endif
