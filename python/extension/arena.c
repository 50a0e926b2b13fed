/* arena.c - see arena.h.
 *
 * What a caller's object answers when asked for an attribute may be a temporary, and may be changed by another
 * thread while the GIL is released. So every byte the store is to see is copied here first: a call holds no
 * reference into Python while C runs, and has one thing to let go of at its end. */
#include "arena.h"

#define BLOCK_BYTES ((size_t) 64 * 1024)

struct arena_block {
    struct arena_block *next;
    _Alignas(8) char bytes[];
};

void
arena_init(struct arena *arena)
{
    arena->open = arena->at = arena->first;
    arena->end = arena->first + sizeof arena->first;
    arena->blocks = NULL;
}

void
arena_clear(struct arena *arena)
{
    while (arena->blocks != NULL) {
        struct arena_block *block = arena->blocks;

        arena->blocks = block->next;
        PyMem_Free(block);
    }
}

int
arena_grow(struct arena *arena, size_t bytes)
{
    size_t              held = (size_t) (arena->at - arena->open);
    size_t              size = 2 * (held + bytes);
    struct arena_block *block;

    if (bytes > (size_t) PY_SSIZE_T_MAX / 4 || held > (size_t) PY_SSIZE_T_MAX / 4) {
        PyErr_NoMemory();
        return -1;
    }
    if (size < BLOCK_BYTES)
        size = BLOCK_BYTES;
    block = PyMem_Malloc(sizeof *block + size);
    if (block == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    if (held != 0)
        memcpy(block->bytes, arena->open, held);
    block->next = arena->blocks;
    arena->blocks = block;
    arena->open = block->bytes;
    arena->at = block->bytes + held;
    arena->end = block->bytes + size;
    return 0;
}

int
arena_text(struct arena *arena, PyObject *string, knackdb_text *ret_text)
{
    Py_ssize_t  length;
    const char *bytes;

    /* Asking an ASCII string for its UTF-8 costs nothing; any other would keep the encoded copy for as long as it
     * lives, which is the caller's memory and not ours to spend. */
    if (PyUnicode_READY(string) == 0 && PyUnicode_IS_ASCII(string)) {
        bytes = (const char *) PyUnicode_1BYTE_DATA(string);
        length = PyUnicode_GET_LENGTH(string);
        arena_begin(arena);
        if (arena_put(arena, bytes, (size_t) length) < 0)
            return -1;
    } else {
        PyObject *encoded = PyUnicode_AsUTF8String(string);

        if (encoded == NULL)
            return -1;
        arena_begin(arena);
        if (arena_put(arena, PyBytes_AS_STRING(encoded), (size_t) PyBytes_GET_SIZE(encoded)) < 0) {
            Py_DECREF(encoded);
            return -1;
        }
        Py_DECREF(encoded);
    }
    *ret_text = arena_end(arena);
    return 0;
}

void *
arena_items(struct arena *arena, size_t count, size_t size)
{
    size_t bytes;
    char  *items;

    if (size != 0 && count > (size_t) PY_SSIZE_T_MAX / 8 / size) {
        PyErr_NoMemory();
        return NULL;
    }
    bytes = count * size;
    arena_begin(arena);
    if (arena_reserve(arena, bytes + 8) < 0)
        return NULL;
    items = (char *) (((uintptr_t) arena->at + 7) & ~(uintptr_t) 7);
    arena->at = items + bytes;
    (void) arena_end(arena);
    return items;
}
