/* carried.h - histories that are read from one stream of memory: cells beside the rows of a posting list.
 *
 * The newest two thousand measurements of a component lie among a hundred thousand rows, each in as many cache lines as
 * it has columns. So the lists of a column carry, for each row, copies of the cells that schema.h names
 * (column.carries), side by side in the order of their columns:
 *
 *     block     rows[128]  tags[128]  cells[128 * width]
 *                                     id value baseline improvement measured_at | id value ...
 *
 * Every list does that has more than one row.
 *
 * What is missing in a copy is known otherwise: the list's own text is one for all of it, the text beside may be told
 * by the tag (posting.h), and of the columns that hardly anybody gives a word of the table tells that nobody did. What
 * is left is read where it stands.
 *
 * An answer found on one such list remembers where its rows stand there, and whoever reads them takes them from there.
 * An answer that comes from the result cache does not: its rows are read from their columns, which hold the same.
 *
 * C1  Cells of a published row never change (table.h, T1), so a copy is as good as the cell. It is written before the
 *     row's entry in the list is published (posting.h, P1), and goes with its block.
 * C2  Where in a list a row stands is good for as long as the view that found it, as is the list itself (P2).
 * C3  `given` (table.h) only gains bits. One is set (relaxed) before the first row that needs it is published (T1), so
 *     who loads it after he found a row knows of every column that the row may hold something in. */
#ifndef KNACKDB_CORE_CARRIED_H
#define KNACKDB_CORE_CARRIED_H

#include "core/query.h"
#include "core/table.h"

#include <assert.h>

/* Where a row of an answer stands. */
struct carried_row {
    const uint64_t *cells; /* NULL: unknown */
    uint32_t        code;  /* of the text beside, where tags tell it */
};

/* Where the rows of an answer stand in the list that they were found on, and what is known of them all. */
struct carried {
    const struct dictionary *beside; /* of the text column that the tags tell; NULL: none */
    uint32_t                 table;
    uint32_t                 beside_column;
    uint64_t                 absent; /* columns in which no row holds anything, as bits */
    uint64_t                 others; /* that are read where they stand */
    knackdb_text             text;   /* of the list's column */
    size_t                   room;   /* for rows of the answer */
    struct carried_row       rows[];
};

static inline uint32_t
carried_width(uint64_t carries)
{
    return (uint32_t) __builtin_popcountll(carries);
}

/* Of all cells of a row, by column, those that lists carry. */
static inline void
carried_choose(uint64_t carries, const uint64_t *bits, uint64_t *ret_cells)
{
    for (; carries != 0; carries &= carries - 1)
        *ret_cells++ = bits[__builtin_ctzll(carries)];
}

/* The same of a row that is there. */
static inline void
carried_load(const struct table_data *table, uint64_t carries, row_number row, uint64_t *ret_cells)
{
    for (; carries != 0; carries &= carries - 1)
        *ret_cells++ = *TABLE_AT(table, row, table->offsets[__builtin_ctzll(carries)], uint64_t);
}

/* Which of the cells of a row is that of a column. */
static inline uint32_t
carried_at(uint64_t carries, uint32_t column)
{
    return carried_width(carries & (KNACKDB_BIT(column) - 1));
}

/* The row at a place, from 1, in a list that carries cells. */
static inline struct carried_row
carried_row_at(const struct posting_view *list, uint32_t place)
{
    struct posting_run run = posting_view_run(list, (place - 1) >> POSTING_BLOCK_BITS);
    uint32_t           at = (place - 1) & (POSTING_BLOCK_ROWS - 1);

    assert(place != 0 && run.cells != NULL && run.tags != NULL);
    return (struct carried_row) { run.cells + at * posting_view_width(list), (uint16_t) run.tags[at] };
}

/* For rows that a view finds on the posting list of `code`, which carries cells; where they stand is the caller's to
 * say, who puts it into `list`. NULL without memory. */
struct carried *carried_new(struct row_list *list, const struct view *view, uint32_t table, uint32_t column,
                            uint32_t code, size_t room);
/* Gives list->carried room for more rows, or fewer. False without memory: it stays as it is. */
bool            carried_resize(struct row_list *list, size_t room);
size_t          carried_bytes(const struct carried *carried);

#endif
