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

/* What processors take from each other when one of them writes. Padding of so many bytes keeps two fields apart,
 * wherever the struct begins. */
#define CACHE_LINE_BYTES 64

/* The first one that begins in a block with so many bytes to spare. */
static inline void *
cache_line_in(void *memory)
{
    return (void *) (((uintptr_t) memory + CACHE_LINE_BYTES - 1) & ~(uintptr_t) (CACHE_LINE_BYTES - 1));
}

/* A wish for pages: at == 0: none; 1: being written; else there to be taken. */
struct page_request {
    _Atomic uintptr_t at;
    size_t            bytes; /* written before `at` is (release), read after it (acquire) */
};

#define ALLOCATOR_REQUESTS 8

/* One thread that takes such wishes; wake() is called for one of so many bytes. */
#define ALLOCATOR_WAKING_BYTES ((size_t) 256 * 1024)

struct page_server {
    void (*wake)(void *context);
    void *context;
};

struct allocator {
    knackdb_allocator                   functions; /* allocate == NULL: malloc and mmap */
    _Atomic uint64_t                    bytes;     /* in use, without pages; relaxed, a figure for people */
    _Atomic(const struct page_server *) server;    /* NULL: nobody takes requests */
    struct page_request                 requests[ALLOCATOR_REQUESTS];
    _Atomic uintptr_t                   heap_asked; /* up to here pages of malloc()'s were wished for; relaxed */
};

void allocator_init(struct allocator *allocator, const knackdb_allocator *functions);

void *allocator_get(struct allocator *allocator, size_t bytes); /* NULL when there is none; bytes > 0 */
void *allocator_get_zeroed(struct allocator *allocator, size_t bytes);
void  allocator_put(struct allocator *allocator, void *memory, size_t bytes); /* NULL is accepted */

/* Moves a block of old_bytes (0: none yet) into one of new_bytes; on failure the old one stays. */
void *allocator_resize(struct allocator *allocator, void *memory, size_t old_bytes, size_t new_bytes);

/* The array with room for `wanted` items, *capacity (0: there is no array yet) being how many it holds: the double of
 * what there was, or more. New items are zero. NULL without memory; then all stays as it was. */
void *allocator_make_room(struct allocator *allocator, void *array, size_t wanted, size_t *capacity, size_t item_bytes);

/* As get and put, for what lives long and goes in no order: blocks of so many bytes and more are pages of their own,
 * which take no memory before they are touched, and which the system has back at once, wherever they lie. malloc would
 * keep them as long as something small lies behind. */
#define ALLOCATOR_LASTING_PAGES ((size_t) 64 * 1024)
void *allocator_get_lasting(struct allocator *allocator, size_t bytes);
/* Whether such a block of so many bytes is zero as it comes. */
bool  allocator_lasting_is_zero(const struct allocator *allocator, size_t bytes);
void *allocator_get_lasting_zeroed(struct allocator *allocator, size_t bytes);
void  allocator_put_lasting(struct allocator *allocator, void *memory, size_t bytes);

#define ALLOCATOR_HUGE_BYTES ((size_t) 2 << 20)
/* What the system's small pages hold: a power of two. */
size_t allocator_page_bytes(void);

/* From so many bytes on they begin on such a boundary, unless the caller's functions gave them. */
void *allocator_get_pages(struct allocator *allocator, size_t bytes);
/* Asks for 2 MiB pages where the block has room for them: for what is large and read at random. */
void  allocator_advise_huge(struct allocator *allocator, void *memory, size_t bytes);
/* Asks for none, where a system gives them unasked: for what is touched here and there. `memory` begins a page. */
void  allocator_advise_small(struct allocator *allocator, void *memory, size_t bytes);
/* Brings the pages of a block in at once: one call for many, where touching each costs an exception. */
void  allocator_populate(struct allocator *allocator, void *memory, size_t bytes);
/* Wishes for the same from the thread that serves; it may come late, or the memory may be gone by then. False where
 * nobody serves or too many wait. Any thread. */
bool  allocator_request_pages(struct allocator *allocator, void *memory, size_t bytes);
/* That thread's: sees to all requests. Who sets a server, or takes it back with NULL, keeps it until nobody stores or
 * reads any more. */
void  allocator_serve_requests(struct allocator *allocator);
void  allocator_set_server(struct allocator *allocator, const struct page_server *server);
bool  allocator_pages_are_zero(const struct allocator *allocator);
void  allocator_put_pages(struct allocator *allocator, void *memory, size_t bytes);

#endif
