/* text.h - text that stays where it is put, and the arena that holds it.
 *
 * A stored text is one block: its length in four bytes, then its bytes. A cell of a
 * column is a pointer to that block, so that a new version of a row shares the text of the
 * old one. NULL is the null pointer; the empty string is a block of length 0.
 *
 * The length of a short text (below 65,535 bytes: nearly all) stands in the upper 16 bits
 * of its cell, too, so that handing out a text does not wait for the memory it lies in: at a
 * million rows that is a third of the time a row takes. User addresses leave these bits
 * free on x86-64 and aarch64; a block that does not is refused when it is allocated. */
#ifndef KNACKDB_CORE_TEXT_H
#define KNACKDB_CORE_TEXT_H

#include "base/allocator.h"
#include "base/pages_ahead.h"

#include <string.h>

struct stored_text; /* u32 length, bytes; at any address */

static inline knackdb_text
stored_text_view(const struct stored_text *stored)
{
    knackdb_text text = { NULL, 0 };
    uint32_t     length;

    if (stored != NULL) {
        memcpy(&length, stored, sizeof length);
        text.data = (const char *) stored + sizeof length;
        text.length = length;
    }
    return text;
}

/* 0 is NULL. */
typedef uint64_t text_cell;

#define TEXT_CELL_NULL         ((text_cell) 0)
#define TEXT_CELL_ADDRESS_BITS 48
#define TEXT_CELL_LONG         0xFFFFu

/* TEXT_CELL_NULL for the null pointer. */
static inline text_cell
text_cell_of(const struct stored_text *stored, size_t length)
{
    uint64_t tag = length < TEXT_CELL_LONG ? length : TEXT_CELL_LONG;

    return stored != NULL ? (text_cell) (uintptr_t) stored | tag << TEXT_CELL_ADDRESS_BITS : TEXT_CELL_NULL;
}

static inline knackdb_text
text_cell_view(text_cell cell)
{
    uint64_t                  tag = cell >> TEXT_CELL_ADDRESS_BITS;
    uint64_t                  address = cell & ((UINT64_C(1) << TEXT_CELL_ADDRESS_BITS) - 1);
    const struct stored_text *stored = (const struct stored_text *) (uintptr_t) address;
    knackdb_text              text;

    if (stored == NULL || tag == TEXT_CELL_LONG)
        return stored_text_view(stored);
    text.data = (const char *) stored + sizeof(uint32_t);
    text.length = (size_t) tag;
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

/* A text in a block of its own. NULL without memory, or where the address does not fit a cell. */
const struct stored_text *stored_text_new(struct allocator *allocator, knackdb_text text);
void                      stored_text_free(struct allocator *allocator, text_cell cell);

static inline size_t
stored_text_bytes(size_t length)
{
    return sizeof(uint32_t) + length;
}

/* Grows by blocks that never move; freed as a whole. One writer. */
struct text_arena {
    struct text_block *newest;
    size_t             used;    /* of the newest block */
    size_t             counted; /* of the newest block, in `bytes` */
    struct pages_ahead pages;   /* of the newest block */
    _Atomic uint64_t   bytes;   /* of all blocks, but for what is untouched of the newest; read by figures */
};

const struct stored_text *text_arena_add(struct text_arena *arena, struct allocator *allocator, knackdb_text text);
void                      text_arena_clear(struct text_arena *arena, struct allocator *allocator);
/* A block for texts of so many bytes in all (stored_text_bytes() of each), filled aside and then put into an arena: who
 * knows beforehand what comes loses nothing at a block's end, and shares no arena while he copies. NULL: no memory. */
struct text_block        *text_block_new(struct allocator *allocator, size_t bytes);
const struct stored_text *text_block_put(struct text_block *block, size_t *at, knackdb_text text); /* *at: 0 at first */
void                      text_arena_adopt(struct text_arena *arena, struct text_block *block);
/* Moves everything from one arena to another, which is empty. */
void                      text_arena_take(struct text_arena *from, struct text_arena *to);

#endif
