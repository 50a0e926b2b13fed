/* pages_ahead.h - the pages of what grows are there before it grows into them.
 *
 * The first touch of a page costs its thread an exception and 4 KiB of zeros, a 2 MiB one
 * a hundred microseconds of them: more than all the rest of storing a row. So whoever
 * fills a reserved block asks for the pages some way ahead of what it has filled, and a
 * thread that nobody waits for brings them in. Where there is none, or too many wait for it, the
 * filler brings them in itself, many with one call; where it comes too late, they come one by one as they are touched.
 *
 * A request is an address and a length, advice about memory that is never read or
 * written on its account. When a block is freed before its request is seen to, the system says that there
 * is nothing, or readies pages of whoever has the address now: a cost, no fault. */
#ifndef KNACKDB_BASE_PAGES_AHEAD_H
#define KNACKDB_BASE_PAGES_AHEAD_H

#include "base/allocator.h"

/* How far the pages of one block are ready. All zero: of a block of which nothing is. */
struct pages_ahead {
    size_t ready;  /* bytes that are there, or asked for */
    size_t ask_at; /* used bytes at which to ask for more */
};

void pages_ahead_extend(struct pages_ahead *pages, struct allocator *allocator, unsigned char *block, size_t bytes,
                        size_t used, size_t step);

/* Says that the first `used` of the block's `bytes` are about to be. `step`: for how much to ask at a time. */
static inline void
pages_ahead_keep(struct pages_ahead *pages, struct allocator *allocator, unsigned char *block, size_t bytes,
                 size_t used, size_t step)
{
    if (used > pages->ask_at)
        pages_ahead_extend(pages, allocator, block, bytes, used, step);
}

#endif
