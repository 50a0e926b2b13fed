/* candidates.h - the rows that can match a query, one after the other.
 *
 * Every query walks one of three ways, the cheapest that its conditions allow: the one
 * row a key names; the posting lists of a text (or several) that must be equal; all
 * rows. Rows come visible and matching, list by list or chunk by chunk.
 *
 * Who wants the newest rows only says from time to time how old is too old by now: blocks of a list that are older are
 * passed over.
 *
 * Where a list carries copies of its rows' cells (carried.h), it is told where in it each row stands, and what is
 * foreseen to be looked at is looked at there.
 *
 * Where the lists tell the code of another column beside each row, and that one is asked for, too, most rows are passed
 * over without a look at them: the hundred measurements of one metric among a component's two thousand. */
#ifndef KNACKDB_CORE_CANDIDATES_H
#define KNACKDB_CORE_CANDIDATES_H

#include "core/predicate.h"

#define CANDIDATES_COLUMNS_MAX 4

struct candidates {
    const struct view       *view;
    const struct table_data *table;
    uint64_t                 moment;
    uint64_t                 since; /* only rows born later, unless has_since is false */
    bool                     has_since;
    struct allocator        *allocator;
    uint32_t                 predicate_count;
    struct predicate         predicates[KNACKDB_CONDITIONS_MAX];

    const struct predicate *posted;      /* whose posting lists are walked; NULL: all rows, or one */
    uint64_t                posted_rows; /* in them: what walking them costs */
    uint32_t                next_run;    /* the next of its codes, or the next chunk */
    uint32_t                run_end;
    const struct predicate *tagged;       /* whose code the tags of the lists tell; NULL: none */
    bool                    tags_suffice; /* no two codes have the same tag */
    bool                    is_backwards; /* the newest first */
    bool                    passed_over;  /* some rows that match, or may have: they are too old */
    double                  oldest;       /* rows of a lesser age need not come; minus infinity: all must */
    uint32_t                column_count;
    uint32_t                asked_count; /* of those, and one more where the copy of that is not there */
    struct table_array      columns[CANDIDATES_COLUMNS_MAX + 1]; /* that are looked at in every row */
    bool                    is_carried;                          /* one more is, in its copy */
    bool                    takes_cells;                         /* of the block taken whole; it carries some */
    uint32_t                carried_at;                          /* among the cells of a row */
    struct posting_view     list;
    uint64_t                carries; /* columns of which it may carry copies, as bits; one list alone is walked then */
    uint32_t                width;   /* cells that it carries for each row */
    uint32_t                block, block_end;               /* of the list: how many were taken, and are there */
    const uint32_t         *rows;                           /* of the block; NULL: the rows from first_row on */
    uint32_t                picked[2 * POSTING_BLOCK_ROWS]; /* of some blocks, with the tag, as they are to come */
    uint32_t                picked_places[2 * POSTING_BLOCK_ROWS]; /* in the list */
    uint32_t                pick_least;                            /* so many of them at a time, or all there are */
    uint32_t                taken;                                 /* the block that `rows` are of */
    const uint64_t         *ahead; /* cells of the block to be taken after it, in a list that carries some; or NULL */
    row_number              first_row;
    uint32_t                count, at; /* of the block or the chunk */
};

void candidates_init(struct candidates *candidates, const struct view *view, const knackdb_query *checked);
/* Which column will be looked at in each row that matches; and the newest rows come first. Before the first next. */
void candidates_foresee(struct candidates *candidates, uint32_t column);
/* Rows come with their places, where they are all on one list that carries cells: they will be read there. Whoever does
 * not say so pays nothing for them. */
void candidates_want_places(struct candidates *candidates);
/* A column as above, the last of them, of which the copy is looked at that the list carries, of rows that come with a
 * place. False where it carries none of that column, or no places are wanted. */
bool candidates_foresee_carried(struct candidates *candidates, uint32_t column);
void candidates_turn_back(struct candidates *candidates);
/* Only rows born after a moment; the others are known already. Call it before the first next. */
void candidates_leave_out(struct candidates *candidates, uint64_t up_to);
/* Rows of which the age column holds less than this, or NULL, need not come any more, unless it is minus infinity; some
 * may. */
static inline void
candidates_need_from(struct candidates *candidates, double age)
{
    candidates->oldest = age;
}

/* So many are wanted: those that are looked for together will not be many more. */
static inline void
candidates_want(struct candidates *candidates, uint64_t rows)
{
    if (rows < candidates->pick_least)
        candidates->pick_least = rows < 16 ? 16 : (uint32_t) rows;
}

row_number candidates_next(struct candidates *candidates); /* ROW_NONE at the end */
/* In the list, of the row that came last; from 1; 0: no places are wanted, or its block carries no cells. */
uint32_t   candidates_place(const struct candidates *candidates);
void       candidates_clear(struct candidates *candidates);

/* Whether nothing narrows them down: who can, looks at the rows of all chunks below run_end in some faster way. */
static inline bool
candidates_are_all(const struct candidates *candidates)
{
    return candidates->posted == NULL && candidates->run_end != 0;
}

#endif
