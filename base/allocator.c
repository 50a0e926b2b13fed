/* allocator.c - counted memory over malloc, mmap or the caller's functions. */
#include "base/allocator.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void
allocator_init(struct allocator *allocator, const knackdb_allocator *functions)
{
    memset(allocator, 0, sizeof *allocator);
    if (functions != NULL)
        allocator->functions = *functions;
}

/* NULL is accepted, and is none. */
static void *
counted(struct allocator *allocator, void *memory, size_t bytes)
{
    if (memory != NULL)
        atomic_fetch_add_explicit(&allocator->bytes, bytes, memory_order_relaxed);
    return memory;
}

/* 4 KiB mostly; 16 or 64 on some kernels of aarch64. */
size_t
allocator_page_bytes(void)
{
    return (size_t) sysconf(_SC_PAGESIZE);
}

/* Small blocks come one behind the other from the end of the heap, and its pages one by one with them, while somebody
 * waits: so those behind the last block are wished for. In the heap that brk(2) moves alone: there, what lies between a
 * block and the end is malloc()'s, and nobody else's memory is touched. With glibc alone: others may take nothing from
 * there, and have to ask the system where it ends. */
#ifdef __GLIBC__
#define HEAP_AHEAD  ((uintptr_t) 64 * 1024)
#define HEAP_MARGIN ((uintptr_t) 32 * 1024)
#define HEAP_PIECE  ((uintptr_t) 8 * 1024) /* for less nobody is asked */
#define HEAP_NEAR   ((uintptr_t) 512 * 1024)

static void
expect_heap(struct allocator *allocator, const void *memory, size_t bytes)
{
    uintptr_t asked = atomic_load_explicit(&allocator->heap_asked, memory_order_relaxed);
    uintptr_t at = (uintptr_t) memory + bytes;
    uintptr_t end, from, to;

    if ((at + HEAP_MARGIN <= asked && asked - at <= HEAP_NEAR) ||
        atomic_load_explicit(&allocator->server, memory_order_relaxed) == NULL)
        return;
    end = (uintptr_t) sbrk(0);
    if (asked > end) /* the system was given some of it back; where it comes again, its pages are new */
        asked = 0;
    if (at > end || end - at > HEAP_NEAR || at + HEAP_MARGIN <= asked)
        return;
    from = at > asked ? at : asked;
    to = (end - at < HEAP_AHEAD ? end : at + HEAP_AHEAD) &
         ~(allocator_page_bytes() - 1); /* or a page would be in two pieces */
    if (from + HEAP_PIECE > to)
        return;
    if (!allocator_request_pages(allocator, (void *) from, to - from))
        to = at + HEAP_MARGIN + HEAP_PIECE; /* too many wait: do not ask again at once */
    atomic_store_explicit(&allocator->heap_asked, to, memory_order_relaxed);
}
#endif

void *
allocator_get(struct allocator *allocator, size_t bytes)
{
    void *memory;

    if (allocator->functions.allocate != NULL)
        return counted(allocator, allocator->functions.allocate(allocator->functions.context, bytes), bytes);
    memory = malloc(bytes);
#ifdef __GLIBC__
    if (memory != NULL && bytes < HEAP_PIECE)
        expect_heap(allocator, memory, bytes);
#endif
    return counted(allocator, memory, bytes);
}

/* calloc() knows what the system has just given, and does not touch it: the pages of a large block come when it is
 * filled, and not all of them now. */
void *
allocator_get_zeroed(struct allocator *allocator, size_t bytes)
{
    void *memory;

    if (allocator->functions.allocate == NULL)
        return counted(allocator, calloc(1, bytes), bytes);
    memory = allocator_get(allocator, bytes);
    if (memory != NULL)
        memset(memory, 0, bytes);
    return memory;
}

void
allocator_put(struct allocator *allocator, void *memory, size_t bytes)
{
    if (memory == NULL)
        return;
    atomic_fetch_sub_explicit(&allocator->bytes, bytes, memory_order_relaxed);
    if (allocator->functions.allocate != NULL)
        allocator->functions.release(allocator->functions.context, memory, bytes);
    else
        free(memory);
}

void *
allocator_resize(struct allocator *allocator, void *memory, size_t old_bytes, size_t new_bytes)
{
    void *moved = allocator_get(allocator, new_bytes);

    if (moved == NULL)
        return NULL;
    if (memory != NULL)
        memcpy(moved, memory, old_bytes < new_bytes ? old_bytes : new_bytes);
    allocator_put(allocator, memory, old_bytes);
    return moved;
}

void *
allocator_make_room(struct allocator *allocator, void *array, size_t wanted, size_t *capacity, size_t item_bytes)
{
    size_t larger = *capacity != 0 ? *capacity : 16;
    char  *moved;

    if (wanted <= *capacity)
        return array;
    while (larger < wanted)
        larger *= 2;
    moved = allocator_resize(allocator, array, *capacity * item_bytes, larger * item_bytes);
    if (moved == NULL)
        return NULL;
    memset(moved + *capacity * item_bytes, 0, (larger - *capacity) * item_bytes);
    *capacity = larger;
    return moved;
}

void *
allocator_get_pages(struct allocator *allocator, size_t bytes)
{
    /* Large blocks begin where a 2 MiB page does, so that all of them can consist of such. */
    size_t    spare = bytes >= ALLOCATOR_HUGE_BYTES ? ALLOCATOR_HUGE_BYTES : 0;
    uintptr_t at, start;
    void     *memory;

    if (allocator->functions.allocate != NULL)
        return allocator->functions.allocate(allocator->functions.context, bytes);
    memory = mmap(NULL, bytes + spare, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    if (spare == 0)
        return memory;
    at = (uintptr_t) memory;
    bytes = (bytes + allocator_page_bytes() - 1) & ~(allocator_page_bytes() - 1);
    start = (at + ALLOCATOR_HUGE_BYTES - 1) & ~(ALLOCATOR_HUGE_BYTES - 1);
    if (start > at)
        (void) munmap(memory, start - at);
    if (at + spare > start)
        (void) munmap((void *) (start + bytes), at + spare - start);
    return (void *) start;
}

void
allocator_advise_huge(struct allocator *allocator, void *memory, size_t bytes)
{
    uintptr_t first = ((uintptr_t) memory + ALLOCATOR_HUGE_BYTES - 1) & ~(ALLOCATOR_HUGE_BYTES - 1);
    uintptr_t end = ((uintptr_t) memory + bytes) & ~(ALLOCATOR_HUGE_BYTES - 1);

    if (allocator->functions.allocate == NULL && end > first)
        (void) madvise((void *) first, end - first, MADV_HUGEPAGE); /* advice: who has none goes on as it was */
}

void
allocator_advise_small(struct allocator *allocator, void *memory, size_t bytes)
{
    if (allocator->functions.allocate == NULL)
        (void) madvise(memory, bytes, MADV_NOHUGEPAGE); /* advice, as above */
}

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

void
allocator_populate(struct allocator *allocator, void *memory, size_t bytes)
{
    uintptr_t first = ((uintptr_t) memory + allocator_page_bytes() - 1) & ~(uintptr_t) (allocator_page_bytes() - 1);
    uintptr_t end = ((uintptr_t) memory + bytes) & ~(uintptr_t) (allocator_page_bytes() - 1);

    if (allocator->functions.allocate == NULL && end > first)
        (void) madvise((void *) first, end - first, MADV_POPULATE_WRITE); /* advice, as above */
}

#define REQUEST_CLAIMED ((uintptr_t) 1)

bool
allocator_request_pages(struct allocator *allocator, void *memory, size_t bytes)
{
    const struct page_server *server = atomic_load_explicit(&allocator->server, memory_order_acquire);

    if (server == NULL || allocator->functions.allocate != NULL)
        return false;
    for (int i = 0; i < ALLOCATOR_REQUESTS; i++) {
        struct page_request *request = &allocator->requests[i];
        uintptr_t            nobody = 0;

        if (!atomic_compare_exchange_strong_explicit(&request->at, &nobody, REQUEST_CLAIMED, memory_order_acquire,
                                                     memory_order_relaxed))
            continue;
        request->bytes = bytes;
        atomic_store_explicit(&request->at, (uintptr_t) memory, memory_order_release);
        if (bytes >= ALLOCATOR_WAKING_BYTES)
            server->wake(server->context);
        return true;
    }
    return false;
}

/* So much with one call: who wants a piece of the address space meanwhile, malloc() for one, waits until it is done. */
#define SERVED_BYTES ((size_t) 32 * 1024)

void
allocator_serve_requests(struct allocator *allocator)
{
    for (int i = 0; i < ALLOCATOR_REQUESTS; i++) {
        struct page_request *request = &allocator->requests[i];
        uintptr_t            at = atomic_load_explicit(&request->at, memory_order_acquire);
        size_t               bytes;

        if (at <= REQUEST_CLAIMED)
            continue;
        bytes = request->bytes;
        atomic_store_explicit(&request->at, 0, memory_order_release);
        for (uintptr_t end = at + bytes, next; at < end; at = next) {
            next = (at + allocator_page_bytes() + SERVED_BYTES) &
                   ~(uintptr_t) (allocator_page_bytes() - 1); /* no page is in two pieces */
            allocator_populate(allocator, (void *) at, (next < end ? next : end) - at);
        }
    }
}

void
allocator_set_server(struct allocator *allocator, const struct page_server *server)
{
    atomic_store_explicit(&allocator->server, server, memory_order_release);
}

bool
allocator_pages_are_zero(const struct allocator *allocator)
{
    return allocator->functions.allocate == NULL;
}

void
allocator_put_pages(struct allocator *allocator, void *memory, size_t bytes)
{
    if (memory == NULL)
        return;
    if (allocator->functions.allocate != NULL)
        allocator->functions.release(allocator->functions.context, memory, bytes);
    else
        (void) munmap(memory, bytes);
}

void *
allocator_get_lasting(struct allocator *allocator, size_t bytes)
{
    void *memory;

    if (bytes < ALLOCATOR_LASTING_PAGES)
        return allocator_get(allocator, bytes);
    memory = allocator_get_pages(allocator, bytes);
    if (memory != NULL)
        atomic_fetch_add_explicit(&allocator->bytes, bytes, memory_order_relaxed);
    return memory;
}

bool
allocator_lasting_is_zero(const struct allocator *allocator, size_t bytes)
{
    return bytes >= ALLOCATOR_LASTING_PAGES && allocator_pages_are_zero(allocator);
}

void *
allocator_get_lasting_zeroed(struct allocator *allocator, size_t bytes)
{
    void *memory = allocator_get_lasting(allocator, bytes);

    if (memory != NULL && !allocator_lasting_is_zero(allocator, bytes))
        memset(memory, 0, bytes);
    return memory;
}

void
allocator_put_lasting(struct allocator *allocator, void *memory, size_t bytes)
{
    if (bytes < ALLOCATOR_LASTING_PAGES) {
        allocator_put(allocator, memory, bytes);
    } else if (memory != NULL) {
        atomic_fetch_sub_explicit(&allocator->bytes, bytes, memory_order_relaxed);
        allocator_put_pages(allocator, memory, bytes);
    }
}
