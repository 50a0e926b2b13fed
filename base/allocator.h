/* allocator.h - all memory of a store comes from here and is counted.
 *
 * Thread-safe where the caller's functions are. Sizes are handed back on release, so
 * nothing is kept beside a block. `pages` are for arrays that are reserved whole and
 * filled slowly: they cost memory only where touched, and read as zero until then,
 * unless the caller brought functions of his own, which are then asked (see
 * allocator_pages_are_zero). Pages are not counted in `bytes`: their owner knows
 * what it has touched. */
#ifndef KNACKDB_BASE_ALLOCATOR_H
#define KNACKDB_BASE_ALLOCATOR_H

#include <knackdb.h>

#include <stdatomic.h>

struct allocator {
    knackdb_allocator functions; /* allocate == NULL: malloc and mmap */
    _Atomic uint64_t  bytes;     /* in use, without pages; relaxed, a figure for people */
};

void allocator_init(struct allocator *allocator, const knackdb_allocator *functions);

void *allocator_get(struct allocator *allocator, size_t bytes);    /* NULL when there is none; bytes > 0 */
void *allocator_get_zeroed(struct allocator *allocator, size_t bytes);
void  allocator_put(struct allocator *allocator, void *memory, size_t bytes); /* NULL is accepted */

/* Moves a block of old_bytes (0: none yet) into one of new_bytes; on failure the old one stays. */
void *allocator_resize(struct allocator *allocator, void *memory, size_t old_bytes, size_t new_bytes);

/* The same for what lives long and goes in no order: large blocks are pages of their own, which the system has back
 * at once, wherever they lie. malloc would keep them as long as something small lies behind. */
void *allocator_get_lasting(struct allocator *allocator, size_t bytes);
void  allocator_put_lasting(struct allocator *allocator, void *memory, size_t bytes);

#define ALLOCATOR_HUGE_BYTES ((size_t) 2 << 20)

/* From so many bytes on they begin on such a boundary, unless the caller's functions gave them. */
void *allocator_get_pages(struct allocator *allocator, size_t bytes);
/* Asks for 2 MiB pages where the block has room for them: for what is large and read at random. */
void  allocator_advise_huge(struct allocator *allocator, void *memory, size_t bytes);
/* Brings the pages of a block in at once: one call for many, where touching each costs an exception. */
void  allocator_populate(struct allocator *allocator, void *memory, size_t bytes);
bool  allocator_pages_are_zero(const struct allocator *allocator);
void  allocator_put_pages(struct allocator *allocator, void *memory, size_t bytes);

#endif
