/* dictionary.c - see dictionary.h. */
#include "core/dictionary.h"

#include "base/error.h"
#include "base/hash.h"

#define CODES_MAX ((uint32_t) 1 << 31)

static uint32_t
segment_length(uint32_t segment)
{
    return segment == 0 ? (uint32_t) 1 << DICTIONARY_SEGMENT_BITS
                        : (uint32_t) 1 << (DICTIONARY_SEGMENT_BITS + segment - 1);
}

static uint32_t
find_hashed(const struct dictionary *dictionary, knackdb_text text, uint64_t hash)
{
    struct index_probe probe;
    uint32_t           code;

    index_probe_init(&probe, &dictionary->index, hash);
    while (index_probe_next(&probe, &code))
        if (text_equal(dictionary_text(dictionary, code), text))
            return code;
    return DICTIONARY_CODE_NONE;
}

uint32_t
dictionary_find(const struct dictionary *dictionary, knackdb_text text)
{
    if (text.data == NULL)
        return DICTIONARY_CODE_NULL;
    return find_hashed(dictionary, text, hash_bytes(text.data, text.length, 0));
}

/* Makes sure that the segments of `code` are there. */
static knackdb_status
reserve_code(struct dictionary *dictionary, struct allocator *allocator, uint32_t code, knackdb_error *error)
{
    uint32_t segment = dictionary_place_of(code).segment;

    if (atomic_load_explicit(&dictionary->texts[segment], memory_order_relaxed) == NULL) {
        text_cell *cells = allocator_get_zeroed(allocator, segment_length(segment) * sizeof *cells);

        if (cells == NULL)
            return error_no_memory(error, "a dictionary");
        atomic_store_explicit(&dictionary->texts[segment], cells, memory_order_release);
    }
    if (dictionary->is_posted && atomic_load_explicit(&dictionary->postings[segment], memory_order_relaxed) == NULL) {
        struct posting *postings = allocator_get_zeroed(allocator, segment_length(segment) * sizeof *postings);

        if (postings == NULL)
            return error_no_memory(error, "a dictionary");
        atomic_store_explicit(&dictionary->postings[segment], postings, memory_order_release);
    }
    return KNACKDB_OK;
}

knackdb_status
dictionary_intern(struct dictionary *dictionary, struct epochs *epochs, knackdb_text text, uint32_t *ret_code,
                  knackdb_error *error)
{
    const struct stored_text *stored;
    knackdb_status            status;
    uint64_t                  hash;
    uint32_t                  code;

    if (text.data == NULL) {
        *ret_code = DICTIONARY_CODE_NULL;
        return KNACKDB_OK;
    }
    hash = hash_bytes(text.data, text.length, 0);
    code = find_hashed(dictionary, text, hash);
    if (code != DICTIONARY_CODE_NONE) {
        *ret_code = code;
        return KNACKDB_OK;
    }

    code = atomic_load_explicit(&dictionary->count, memory_order_relaxed);
    if (code == 0)
        code = 1; /* 0 is NULL */
    if (code == CODES_MAX)
        return error_set(error, KNACKDB_FULL, "a text column holds %u distinct texts, and no more fit", CODES_MAX);
    status = reserve_code(dictionary, epochs->allocator, code, error);
    if (status != KNACKDB_OK)
        return status;
    status = index_reserve(&dictionary->index, epochs, 1, error);
    if (status != KNACKDB_OK)
        return status;
    stored = text_arena_add(&dictionary->arena, epochs->allocator, text);
    if (stored == NULL)
        return error_no_memory(error, "text");

    *dictionary_cell(dictionary, code) = text_cell_of(stored, text.length);
    atomic_store_explicit(&dictionary->count, code + 1, memory_order_release);
    index_insert(&dictionary->index, hash, code); /* D2 */
    *ret_code = code;
    return KNACKDB_OK;
}

void
dictionary_clear(struct dictionary *dictionary, struct epochs *epochs)
{
    for (uint32_t segment = 0; segment < DICTIONARY_SEGMENTS; segment++) {
        text_cell      *cells = atomic_load(&dictionary->texts[segment]);
        struct posting *postings = atomic_load(&dictionary->postings[segment]);

        for (uint32_t i = 0; postings != NULL && i < segment_length(segment); i++)
            posting_clear(&postings[i], epochs);
        allocator_put(epochs->allocator, postings, segment_length(segment) * sizeof *postings);
        allocator_put(epochs->allocator, cells, segment_length(segment) * sizeof *cells);
        atomic_store(&dictionary->postings[segment], NULL);
        atomic_store(&dictionary->texts[segment], NULL);
    }
    index_clear(&dictionary->index, epochs);
    text_arena_clear(&dictionary->arena, epochs->allocator);
    atomic_store(&dictionary->count, 0);
}

uint64_t
dictionary_text_bytes(const struct dictionary *dictionary)
{
    uint32_t count = atomic_load_explicit(&((struct dictionary *) (uintptr_t) dictionary)->count, memory_order_relaxed);
    uint64_t bytes = atomic_load_explicit(&((struct dictionary *) (uintptr_t) dictionary)->arena.bytes,
                                          memory_order_relaxed);

    for (uint32_t segment = 0; segment < DICTIONARY_SEGMENTS && count != 0; segment++)
        if (dictionary_place_of(count - 1).segment >= segment)
            bytes += segment_length(segment) * (sizeof(text_cell) + (dictionary->is_posted ? sizeof(struct posting) : 0));
    return bytes;
}

uint64_t
dictionary_index_bytes(const struct dictionary *dictionary)
{
    return index_bytes(&dictionary->index)
           + atomic_load_explicit(&((struct dictionary *) (uintptr_t) dictionary)->posting_bytes, memory_order_relaxed);
}
