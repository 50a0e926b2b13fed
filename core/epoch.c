/* epoch.c - see epoch.h for the proof; the letters E1 to E4 below refer to it. */
#include "core/epoch.h"

#include "base/error.h"
#include "base/hash.h"

struct retired {
    struct retired      *next;
    size_t               bytes; /* with this header */
    uint64_t             epoch;
    struct slab_stretch *stretch; /* that it is a piece of; NULL: none */
};

_Static_assert(sizeof(struct retired) % 16 == 0, "what follows is aligned as malloc() aligns");

/* Slots want cache lines of their own, which an allocator does not promise: take some more and align. */
struct block_memory {
    size_t bytes;
    void  *start;
};

static struct epoch_block *
block_new(struct allocator *allocator)
{
    size_t              bytes = sizeof(struct epoch_block) + sizeof(struct block_memory) + CACHE_LINE_BYTES;
    unsigned char      *start = allocator_get_zeroed(allocator, bytes);
    struct block_memory memory = { bytes, start };
    void               *at;

    if (start == NULL)
        return NULL;
    at = cache_line_in(start + sizeof memory);
    ((struct block_memory *) at)[-1] = memory;
    return at;
}

static void
block_free(struct allocator *allocator, struct epoch_block *block)
{
    struct block_memory memory = ((struct block_memory *) block)[-1];

    allocator_put(allocator, memory.start, memory.bytes);
}

knackdb_status
epochs_init(struct epochs *epochs, struct allocator *allocator, knackdb_error *error)
{
    epochs->allocator = allocator;
    epochs->retired_head = epochs->retired_tail = NULL;
    atomic_init(&epochs->current, 1);
    epochs->first = block_new(allocator);
    return epochs->first != NULL ? KNACKDB_OK : error_no_memory(error, "reader slots");
}

static void
put(struct epochs *epochs, struct retired *header)
{
    if (header->stretch != NULL)
        slab_put(header->stretch, epochs->allocator, header);
    else
        allocator_put_lasting(epochs->allocator, header, header->bytes);
}

void
epochs_drain(struct epochs *epochs)
{
    while (epochs->retired_head != NULL) {
        struct retired *gone = epochs->retired_head;

        epochs->retired_head = gone->next;
        put(epochs, gone);
    }
    epochs->retired_tail = NULL;
}

void
epochs_clear(struct epochs *epochs)
{
    struct epoch_block *block = epochs->first;

    epochs_drain(epochs);
    while (block != NULL) {
        struct epoch_block *next = atomic_load(&block->next);

        block_free(epochs->allocator, block);
        block = next;
    }
    epochs->first = NULL;
}

struct epoch_slot *
epoch_claim(struct epochs *epochs)
{
    uint64_t            epoch = atomic_load(&epochs->current);
    struct epoch_block *block = epochs->first;
    /* Threads have stacks far apart: a place on it spreads them over the slots without any state of theirs. */
    uint32_t            start = (uint32_t) hash_integer((uintptr_t) __builtin_frame_address(0) >> 14);

    for (;;) {
        struct epoch_block *next;

        for (uint32_t i = 0; i < EPOCH_SLOTS_PER_BLOCK; i++) {
            struct epoch_slot *slot = &block->slots[(start + i) % EPOCH_SLOTS_PER_BLOCK];
            uint64_t           free_mark = 0;

            if (atomic_load_explicit(&slot->epoch, memory_order_relaxed) == 0 &&
                atomic_compare_exchange_strong(&slot->epoch, &free_mark, epoch)) /* E2 */
                return slot;
        }
        next = atomic_load(&block->next);
        if (next == NULL) {
            struct epoch_block *added = block_new(epochs->allocator);

            if (added == NULL)
                return NULL;
            if (atomic_compare_exchange_strong(&block->next, &next, added))
                next = added;
            else
                block_free(epochs->allocator, added); /* another reader was faster; `next` is its block */
        }
        block = next;
    }
}

void
epoch_release(struct epoch_slot *slot)
{
    atomic_store_explicit(&slot->view, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->epoch, 0, memory_order_release); /* E1 */
}

void *
epoch_get(struct epochs *epochs, size_t bytes)
{
    struct retired *header = allocator_get_lasting(epochs->allocator, sizeof *header + bytes);

    if (header == NULL)
        return NULL;
    header->bytes = sizeof *header + bytes;
    header->stretch = NULL;
    return header + 1;
}

size_t
epoch_piece_bytes(size_t bytes)
{
    return sizeof(struct retired) + bytes;
}

void *
epoch_get_piece(struct epochs *epochs, struct slab *slab)
{
    struct slab_stretch *stretch;
    struct retired      *header = slab_get(slab, epochs->allocator, &stretch);

    if (header == NULL)
        return NULL;
    header->bytes = slab->piece_bytes;
    header->stretch = stretch;
    return header + 1;
}

bool
epoch_zeroed_is_untouched(const struct epochs *epochs, size_t bytes)
{
    return allocator_lasting_is_zero(epochs->allocator, sizeof(struct retired) + bytes);
}

void *
epoch_get_zeroed(struct epochs *epochs, size_t bytes)
{
    void *memory = epoch_get(epochs, bytes);

    if (memory != NULL && !epoch_zeroed_is_untouched(epochs, bytes))
        memset(memory, 0, bytes);
    return memory;
}

void
epoch_put_now(struct epochs *epochs, void *memory)
{
    if (memory != NULL)
        put(epochs, (struct retired *) memory - 1);
}

void
epoch_retire_with_next(struct epochs *epochs, void *memory)
{
    struct retired *header = (struct retired *) memory - 1;

    header->next = NULL;
    header->epoch = atomic_load(&epochs->current);
    if (epochs->retired_tail != NULL)
        epochs->retired_tail->next = header;
    else
        epochs->retired_head = header;
    epochs->retired_tail = header;
}

void
epoch_retire(struct epochs *epochs, void *memory)
{
    if (memory == NULL)
        return;
    epoch_retire_with_next(epochs, memory);
    atomic_fetch_add(&epochs->current, 1); /* E3 */
    epoch_collect(epochs);
}

uint64_t
epoch_advance(struct epochs *epochs)
{
    return atomic_fetch_add(&epochs->current, 1); /* E3 */
}

/* The oldest epoch that a reader has announced; UINT64_MAX without readers. */
static uint64_t
oldest_announced(struct epochs *epochs)
{
    uint64_t oldest = UINT64_MAX;

    for (struct epoch_block *block = epochs->first; block != NULL; block = atomic_load(&block->next)) {
        for (uint32_t i = 0; i < EPOCH_SLOTS_PER_BLOCK; i++) {
            uint64_t epoch = atomic_load(&block->slots[i].epoch); /* E2 */

            if (epoch != 0 && epoch < oldest)
                oldest = epoch;
        }
    }
    return oldest;
}

bool
epoch_is_past(struct epochs *epochs, uint64_t epoch)
{
    return epoch < oldest_announced(epochs);
}

void
epoch_collect(struct epochs *epochs)
{
    uint64_t oldest;

    if (epochs->retired_head == NULL)
        return;
    oldest = oldest_announced(epochs);
    while (epochs->retired_head != NULL && epochs->retired_head->epoch < oldest) {
        struct retired *gone = epochs->retired_head;

        epochs->retired_head = gone->next;
        if (epochs->retired_head == NULL)
            epochs->retired_tail = NULL;
        put(epochs, gone);
    }
}

bool
epoch_is_viewed(struct epochs *epochs, uint64_t from, uint64_t until)
{
    /* Pairs with the claim of a slot, before which its reader has not loaded a moment: either it is seen here, or it
     * sees whatever moment was published before this call. */
    atomic_thread_fence(memory_order_seq_cst);
    for (struct epoch_block *block = epochs->first; block != NULL; block = atomic_load(&block->next)) {
        for (uint32_t i = 0; i < EPOCH_SLOTS_PER_BLOCK; i++) {
            uint64_t view;

            if (atomic_load(&block->slots[i].epoch) == 0)
                continue;
            view = atomic_load_explicit(&block->slots[i].view, memory_order_acquire);
            if (view == 0 || (view - 1 >= from && view - 1 < until)) /* 0: not yet known */
                return true;
        }
    }
    return false;
}

uint64_t
epoch_oldest_view(struct epochs *epochs, uint64_t newest, uint64_t *ret_reader_count)
{
    uint64_t oldest = newest;
    uint64_t readers = 0;

    for (struct epoch_block *block = epochs->first; block != NULL; block = atomic_load(&block->next)) {
        for (uint32_t i = 0; i < EPOCH_SLOTS_PER_BLOCK; i++) {
            uint64_t view;

            if (atomic_load(&block->slots[i].epoch) == 0)
                continue;
            view = atomic_load_explicit(&block->slots[i].view, memory_order_acquire);
            readers++;
            if (view == 0) {
                oldest = 0; /* it has a slot and not yet a moment: it may see anything */
            } else if (view - 1 < oldest) {
                oldest = view - 1;
            }
        }
    }
    *ret_reader_count = readers;
    return oldest;
}
