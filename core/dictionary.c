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

/* Makes sure that the segment of `code` is there. */
static knackdb_status
reserve_entry(struct dictionary *dictionary, struct allocator *allocator, uint32_t code, knackdb_error *error)
{
    uint32_t                 scaled = code >> DICTIONARY_SEGMENT_BITS;
    uint32_t                 segment = scaled == 0 ? 0 : 32 - (uint32_t) __builtin_clz(scaled);
    struct dictionary_entry *entries;

    if (atomic_load_explicit(&dictionary->segments[segment], memory_order_relaxed) != NULL)
        return KNACKDB_OK;
    entries = allocator_get_zeroed(allocator, segment_length(segment) * sizeof *entries);
    if (entries == NULL)
        return error_no_memory(error, "a dictionary");
    atomic_store_explicit(&dictionary->segments[segment], entries, memory_order_release);
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
    status = reserve_entry(dictionary, epochs->allocator, code, error);
    if (status != KNACKDB_OK)
        return status;
    status = index_reserve(&dictionary->index, epochs, 1, error);
    if (status != KNACKDB_OK)
        return status;
    stored = text_arena_add(&dictionary->texts, epochs->allocator, text);
    if (stored == NULL)
        return error_no_memory(error, "text");

    dictionary_entry_at(dictionary, code)->text = text_cell_of(stored, text.length);
    atomic_store_explicit(&dictionary->count, code + 1, memory_order_release);
    index_insert(&dictionary->index, hash, code); /* D2 */
    *ret_code = code;
    return KNACKDB_OK;
}

void
dictionary_clear(struct dictionary *dictionary, struct epochs *epochs)
{
    for (uint32_t segment = 0; segment < DICTIONARY_SEGMENTS; segment++) {
        struct dictionary_entry *entries = atomic_load(&dictionary->segments[segment]);

        if (entries == NULL)
            continue;
        for (uint32_t i = 0; i < segment_length(segment); i++)
            posting_clear(&entries[i].posting, epochs);
        allocator_put(epochs->allocator, entries, segment_length(segment) * sizeof *entries);
        atomic_store(&dictionary->segments[segment], NULL);
    }
    index_clear(&dictionary->index, epochs);
    text_arena_clear(&dictionary->texts, epochs->allocator);
    atomic_store(&dictionary->count, 0);
}

uint64_t
dictionary_text_bytes(const struct dictionary *dictionary)
{
    uint64_t bytes = atomic_load_explicit(&((struct dictionary *) (uintptr_t) dictionary)->texts.bytes,
                                          memory_order_relaxed);

    for (uint32_t segment = 0; segment < DICTIONARY_SEGMENTS; segment++)
        if (atomic_load_explicit(&((struct dictionary *) (uintptr_t) dictionary)->segments[segment],
                                 memory_order_relaxed) != NULL)
            bytes += segment_length(segment) * sizeof(struct dictionary_entry);
    return bytes;
}

uint64_t
dictionary_index_bytes(const struct dictionary *dictionary)
{
    return index_bytes(&dictionary->index)
           + atomic_load_explicit(&((struct dictionary *) (uintptr_t) dictionary)->posting_bytes, memory_order_relaxed);
}
