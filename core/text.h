/* text.h - text that stays where it is put, and the arena that holds it.
 *
 * A cell of a column is where the text's bytes are, and in its upper 16 bits how many, so that a new version of a row
 * shares the text of the old one, and handing out a text does not wait for the memory it lies in: at a
 * million rows that is a third of the time a row takes. Of a text that is too long for that (65,535 bytes or more), the
 * length stands before the bytes, in four of its own. NULL is 0; the empty string has a byte, so that it is somewhere.
 * User addresses leave the upper bits free on x86-64 and aarch64; a block that does not is refused when it is
 * allocated. */
#ifndef KNACKDB_CORE_TEXT_H
#define KNACKDB_CORE_TEXT_H

#include "base/allocator.h"
#include "base/pages_ahead.h"

#include <string.h>

/* 0 is NULL. */
typedef uint64_t text_cell;

#define TEXT_CELL_NULL         ((text_cell) 0)
#define TEXT_CELL_ADDRESS_BITS 48
#define TEXT_CELL_LONG         0xFFFFu

static inline knackdb_text
text_cell_view(text_cell cell)
{
    uint64_t     tag = cell >> TEXT_CELL_ADDRESS_BITS;
    uint64_t     address = cell & ((UINT64_C(1) << TEXT_CELL_ADDRESS_BITS) - 1);
    knackdb_text text = { (const char *) (uintptr_t) address, (size_t) tag };
    uint32_t     length;

    if (tag == TEXT_CELL_LONG) {
        memcpy(&length, text.data, sizeof length);
        text.data += sizeof length;
        text.length = length;
    }
    return text;
}

static inline bool
text_equal(knackdb_text a, knackdb_text b)
{
    return a.length == b.length && (a.data == NULL) == (b.data == NULL) &&
           (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

/* By bytes, NULL before everything. */
static inline int
text_compare(knackdb_text a, knackdb_text b)
{
    size_t shorter = a.length < b.length ? a.length : b.length;
    int    order;

    if (a.data == NULL || b.data == NULL)
        return (a.data != NULL) - (b.data != NULL);
    order = shorter != 0 ? memcmp(a.data, b.data, shorter) : 0;
    return order != 0 ? order : (a.length > b.length) - (a.length < b.length);
}

/* A text in a block of its own. TEXT_CELL_NULL without memory, or where the address does not fit a cell. */
text_cell stored_text_new(struct allocator *allocator, knackdb_text text);
void      stored_text_free(struct allocator *allocator, text_cell cell);

/* What a text takes. */
static inline size_t
stored_text_bytes(size_t length)
{
    return length >= TEXT_CELL_LONG ? sizeof(uint32_t) + length : length != 0 ? length : 1;
}

/* Grows by blocks that never move; freed as a whole. One writer. */
struct text_arena {
    struct text_block *newest;
    size_t             used;    /* of the newest block */
    size_t             counted; /* of the newest block, in `bytes` */
    struct pages_ahead pages;   /* of the newest block */
    _Atomic uint64_t   bytes;   /* of all blocks, but for what is untouched of the newest; read by figures */
};

/* TEXT_CELL_NULL without memory. */
text_cell          text_arena_add(struct text_arena *arena, struct allocator *allocator, knackdb_text text);
void               text_arena_clear(struct text_arena *arena, struct allocator *allocator);
/* A block for texts of so many bytes in all (stored_text_bytes() of each), filled aside and then put into an arena: who
 * knows beforehand what comes loses nothing at a block's end, and shares no arena while he copies. NULL: no memory. */
struct text_block *text_block_new(struct allocator *allocator, size_t bytes);
text_cell          text_block_put(struct text_block *block, size_t *at, knackdb_text text); /* *at: 0 at first */
void               text_arena_adopt(struct text_arena *arena, struct text_block *block);
/* Moves everything from one arena to another, which is empty. */
void               text_arena_take(struct text_arena *from, struct text_arena *to);

#endif
