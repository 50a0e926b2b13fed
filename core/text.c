/* text.c - a bump allocator: text is never freed alone, so nothing is kept beside it. */
#include "core/text.h"

#include "base/bytes.h"

struct text_block {
    struct text_block *older;
    size_t             bytes; /* with this header */
};

#define BLOCK_BYTES_MIN ((size_t) 4096)
#define BLOCK_BYTES_MAX ((size_t) 1 << 20)
#define COUNT_BYTES     ((size_t) 16 * 1024)
/* How far ahead its pages are asked for, and the smallest block for which that is worth it. */
#define PAGES_STEP_MIN   ((size_t) 64 * 1024)
#define PAGES_STEP_MAX   ((size_t) 512 * 1024)
#define PAGES_STEP_SHARE 32 /* of what is there */
#define PAGES_BLOCK_MIN  ((size_t) 8 * 1024)

static struct text_block *
block_new(struct allocator *allocator, size_t bytes)
{
    struct text_block *block = allocator_get_lasting(allocator, bytes);

    if (block == NULL)
        return NULL;
    if (((uint64_t) (uintptr_t) block + bytes) >> TEXT_CELL_ADDRESS_BITS != 0) { /* see text.h */
        allocator_put_lasting(allocator, block, bytes);
        return NULL;
    }
    block->bytes = bytes;
    return block;
}

static text_cell
put_text(unsigned char *to, knackdb_text text)
{
    uint32_t  length = (uint32_t) text.length;
    text_cell tag = length < TEXT_CELL_LONG ? length : TEXT_CELL_LONG;
    text_cell cell = (text_cell) (uintptr_t) to | tag << TEXT_CELL_ADDRESS_BITS;

    if (tag == TEXT_CELL_LONG) {
        memcpy(to, &length, sizeof length);
        to += sizeof length;
    }
    bytes_copy(to, text.data, length);
    return cell;
}

static void
count(struct text_arena *arena, size_t bytes)
{
    atomic_fetch_add_explicit(&arena->bytes, bytes, memory_order_relaxed);
}

static void
count_newest(struct text_arena *arena, size_t up_to)
{
    count(arena, up_to - arena->counted);
    arena->counted = up_to;
}

/* Behind the newest, whose rest is still to be filled; or as the newest, full. */
void
text_arena_adopt(struct text_arena *arena, struct text_block *block)
{
    if (arena->newest != NULL) {
        block->older = arena->newest->older;
        arena->newest->older = block;
    } else {
        block->older = NULL;
        arena->newest = block;
        arena->used = arena->counted = block->bytes;
        arena->pages = (struct pages_ahead) { .ask_at = SIZE_MAX };
    }
    count(arena, block->bytes);
}

struct text_block *
text_block_new(struct allocator *allocator, size_t bytes)
{
    struct text_block *block = block_new(allocator, sizeof *block + bytes);

    if (block != NULL && block->bytes >= PAGES_BLOCK_MIN)
        allocator_populate(allocator, block, block->bytes);
    return block;
}

text_cell
text_block_put(struct text_block *block, size_t *at, knackdb_text text)
{
    unsigned char *to = (unsigned char *) (block + 1) + *at;

    *at += stored_text_bytes(text.length);
    return put_text(to, text);
}

/* A long text gets a block of its own, behind the newest: what is left of that one is not given up for it. */
static text_cell
add_long(struct text_arena *arena, struct allocator *allocator, knackdb_text text)
{
    struct text_block *block = block_new(allocator, sizeof *block + stored_text_bytes(text.length));

    if (block == NULL)
        return TEXT_CELL_NULL;
    text_arena_adopt(arena, block);
    return put_text((unsigned char *) (block + 1), text);
}

/* An eighth of what is there: little is wasted at any size, and blocks stay few. A half where what is not touched takes
 * no memory: a new piece of the address space is a system call, and waits for whoever readies pages. */
static size_t
choose_block_bytes(uint64_t total)
{
    if (total / 2 >= ALLOCATOR_LASTING_PAGES)
        return total / 2 < BLOCK_BYTES_MAX ? (size_t) total / 2 : BLOCK_BYTES_MAX;
    return total / 8 > BLOCK_BYTES_MIN ? (size_t) total / 8 : BLOCK_BYTES_MIN;
}

static size_t
choose_pages_step(const struct text_arena *arena)
{
    uint64_t share = atomic_load_explicit(&((struct text_arena *) (uintptr_t) arena)->bytes, memory_order_relaxed) /
                     PAGES_STEP_SHARE;

    return share < PAGES_STEP_MIN ? PAGES_STEP_MIN : share > PAGES_STEP_MAX ? PAGES_STEP_MAX : (size_t) share;
}

text_cell
text_arena_add(struct text_arena *arena, struct allocator *allocator, knackdb_text text)
{
    size_t         needed = stored_text_bytes(text.length);
    size_t         end;
    unsigned char *to;

    if (arena->newest != NULL && needed > BLOCK_BYTES_MAX / 4)
        return add_long(arena, allocator, text);
    if (arena->newest == NULL || arena->newest->bytes - arena->used < needed) {
        size_t             bytes = choose_block_bytes(atomic_load_explicit(&arena->bytes, memory_order_relaxed));
        struct text_block *block;

        if (bytes < sizeof *block + needed)
            bytes = sizeof *block + needed;
        block = block_new(allocator, bytes);
        if (block == NULL)
            return TEXT_CELL_NULL;
        block->older = arena->newest;
        arena->newest = block;
        arena->used = sizeof *block;
        arena->counted = 0;
        count_newest(arena, bytes < ALLOCATOR_LASTING_PAGES ? bytes : sizeof *block);
        arena->pages = (struct pages_ahead) { .ask_at = bytes < PAGES_BLOCK_MIN ? SIZE_MAX : 0 };
    }
    end = arena->used + needed;
    if (end > arena->counted)
        count_newest(arena, end + COUNT_BYTES < arena->newest->bytes ? end + COUNT_BYTES : arena->newest->bytes);
    pages_ahead_keep(&arena->pages, allocator, (unsigned char *) arena->newest, arena->newest->bytes, end,
                     choose_pages_step(arena));
    to = (unsigned char *) arena->newest + arena->used;
    arena->used += needed;
    return put_text(to, text);
}

text_cell
stored_text_new(struct allocator *allocator, knackdb_text text)
{
    unsigned char *to = allocator_get(allocator, stored_text_bytes(text.length));

    if (to == NULL)
        return TEXT_CELL_NULL;
    if (((uint64_t) (uintptr_t) to + stored_text_bytes(text.length)) >> TEXT_CELL_ADDRESS_BITS != 0) { /* see text.h */
        allocator_put(allocator, to, stored_text_bytes(text.length));
        return TEXT_CELL_NULL;
    }
    return put_text(to, text);
}

void
stored_text_free(struct allocator *allocator, text_cell cell)
{
    uint64_t address = cell & ((UINT64_C(1) << TEXT_CELL_ADDRESS_BITS) - 1);

    if (cell != TEXT_CELL_NULL)
        allocator_put(allocator, (void *) (uintptr_t) address, stored_text_bytes(text_cell_view(cell).length));
}

void
text_arena_clear(struct text_arena *arena, struct allocator *allocator)
{
    while (arena->newest != NULL) {
        struct text_block *older = arena->newest->older;

        allocator_put_lasting(allocator, arena->newest, arena->newest->bytes);
        arena->newest = older;
    }
    arena->used = arena->counted = 0;
    atomic_store_explicit(&arena->bytes, 0, memory_order_relaxed);
}

void
text_arena_take(struct text_arena *from, struct text_arena *to)
{
    to->newest = from->newest;
    to->used = from->used;
    to->counted = from->counted;
    to->pages = from->pages;
    atomic_store_explicit(&to->bytes, atomic_exchange_explicit(&from->bytes, 0, memory_order_relaxed),
                          memory_order_relaxed);
    from->newest = NULL;
    from->used = from->counted = 0;
    from->pages = (struct pages_ahead) { 0 };
}
