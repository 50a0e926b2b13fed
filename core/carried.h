/* carried.h - histories that are read from one stream of memory: cells beside the rows of a posting list.
 *
 * The newest two thousand measurements of a component lie among a hundred thousand rows, each in as many cache lines as
 * it has columns. So the long lists of a column carry, for each row, copies of the cells that schema.h names
 * (column.carries), side by side in the order of their columns:
 *
 *     block     rows[128]  tags[128]  cells[128 * width]
 *                                     id value baseline improvement measured_at | id value ...
 *
 * All blocks of a list do, but for the first (posting.h).
 *
 * What is missing in a copy is known otherwise: the list's own text is one for all of it, the text beside may be told
 * by the tag (posting.h), and of the columns that hardly anybody gives a word of the table tells that nobody did. What
 * is left is read where it stands.
 *
 * An answer found on one such list remembers where in the list its rows were found, and whoever reads them takes them
 * from there. An answer that comes from the result cache does not, nor do the rows of a short list or of a first block,
 * which carry no cells: those are read from their columns, which hold the same.
 *
 * C1  Cells of a published row never change (table.h, T1), so a copy is as good as the cell. It is written before the
 *     row's entry in the list is published (posting.h, P1), and goes with its block.
 * C2  Where in a list a row stands is good for as long as the view that found it, as is the list's directory (P2).
 * C3  `given` (table.h) only gains bits. One is set (relaxed) before the first row that needs it is published (T1), so
 *     who loads it after he found a row knows of every column that the row may hold something in. */
#ifndef KNACKDB_CORE_CARRIED_H
#define KNACKDB_CORE_CARRIED_H

#include "core/table.h"

#include <assert.h>

#define CARRIED_STRUCT_BYTES_MAX 256

/* Where a cell goes in a caller's struct. */
struct carried_field {
    uint16_t offset;
    uint8_t  column;
    uint8_t  kind; /* enum cell_kind */
};

/* Where the rows of an answer stand in the list that they were found on, and how they are read. */
struct carried {
    const struct posting_directory *directory;
    uint32_t                        table;
    uint32_t                        column; /* of the list */
    uint32_t                        beside; /* the text column that the tags tell; 0: none */
    uint32_t                        width;
    uint64_t                        absent; /* columns in which no row holds anything, as bits */
    uint64_t                        others; /* that are read where they stand */
    knackdb_text                    text;   /* of the list's column */
    const struct row_layout        *layout;
    struct carried_field            fields[KNACKDB_COLUMNS_MAX];     /* of `width` cells */
    unsigned char                   blank[CARRIED_STRUCT_BYTES_MAX]; /* a struct with the list's text */
    size_t                          count;
    uint32_t                        places[]; /* one a row of the answer: in the list, from 1; 0: unknown */
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

/* Those of the row at a place in a list, in a block that carries some. */
static inline const uint64_t *
carried_cells(const struct posting_view *list, uint32_t place)
{
    const struct posting_directory *directory = posting_view_directory(list);

    assert(directory != NULL && place != 0);
    place--;
    return directory->blocks[place >> POSTING_BLOCK_BITS]->cells +
           (place & (POSTING_BLOCK_ROWS - 1)) * directory->width;
}

/* For rows that a view found on the list of `code`, which carries cells. NULL without memory: the rows are read from
 * their columns then. */
struct carried *carried_new(const struct view *view, uint32_t table, uint32_t column, uint32_t code,
                            const struct posting_view *list, size_t count);
size_t          carried_bytes(const struct carried *carried);

#endif
