/* arena.h - the bytes one call hands to the store: texts and JSON that outlive the objects they came from. */
#ifndef PYTHON_ARENA_H
#define PYTHON_ARENA_H

#include <Python.h>

#include <knackdb.h>

struct arena_block;

/* Between arena_begin() and arena_end() one text is open at the end and may grow; it moves when its block is
 * full. Ended texts never move. */
struct arena {
    char               *open;
    char               *at;
    char               *end;
    struct arena_block *blocks;
    char                first[1536]; /* enough for a row as agents store them: no allocation */
};

void arena_init(struct arena *arena);
void arena_clear(struct arena *arena);

static inline void
arena_begin(struct arena *arena)
{
    arena->open = arena->at;
}

/* The open text, ended. Never NULL: an empty text stays apart from none. */
static inline knackdb_text
arena_end(struct arena *arena)
{
    knackdb_text text = { arena->open, (size_t) (arena->at - arena->open) };

    arena->open = arena->at;
    return text;
}

/* Room for `bytes` more of the open text. -1 with MemoryError. */
int arena_grow(struct arena *arena, size_t bytes);

static inline int
arena_reserve(struct arena *arena, size_t bytes)
{
    return (size_t) (arena->end - arena->at) >= bytes ? 0 : arena_grow(arena, bytes);
}

static inline int
arena_put(struct arena *arena, const char *bytes, size_t count)
{
    if (arena_reserve(arena, count) < 0)
        return -1;
    memcpy(arena->at, bytes, count);
    arena->at += count;
    return 0;
}

/* Copies a str. -1 with an exception where it has no UTF-8 (lone surrogates) or memory is short. */
int arena_text(struct arena *arena, PyObject *string, knackdb_text *ret_text);

/* `count` items of `size` bytes, with anything in them, aligned for a double. NULL with MemoryError. */
void *arena_items(struct arena *arena, size_t count, size_t size);

#endif
