/* dictionary.c - see dictionary.h; the letters D1 to D3 refer to it. */
#include "core/dictionary.h"

#include "base/error.h"

#include <assert.h>

static uint32_t
segment_length(uint32_t segment)
{
    return segment == 0 ? (uint32_t) 1 << DICTIONARY_SEGMENT_BITS
                        : (uint32_t) 1 << (DICTIONARY_SEGMENT_BITS + segment - 1);
}

static uint32_t
segment_first(uint32_t segment)
{
    return segment == 0 ? 0 : segment_length(segment);
}

static bool
has_segment(const struct dictionary *dictionary, uint32_t segment)
{
    return atomic_load_explicit(&((struct dictionary *) (uintptr_t) dictionary)->texts[segment],
                                memory_order_relaxed) != NULL;
}

/* Of the arrays of a segment. */
static uint64_t
segment_bytes(const struct dictionary *dictionary, uint32_t segment)
{
    return (uint64_t) segment_length(segment) *
           (sizeof(text_cell) + sizeof(uint32_t) + (dictionary->is_posted ? sizeof(struct posting) : 0));
}

static uint32_t *
holders_of(struct dictionary *dictionary, uint32_t code)
{
    struct dictionary_place place = dictionary_place_of(code);

    return &dictionary->holders[place.segment][place.at];
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
    return find_hashed(dictionary, text, dictionary_hash(text));
}

/* ---- codes ---- */

/* Frees what there is of a segment that is not in use. */
static void
put_segment(struct dictionary *dictionary, struct allocator *allocator, uint32_t segment)
{
    text_cell      *cells = atomic_load_explicit(&dictionary->texts[segment], memory_order_relaxed);
    struct posting *postings = atomic_load_explicit(&dictionary->postings[segment], memory_order_relaxed);

    allocator_put_lasting(allocator, cells, segment_length(segment) * sizeof *cells);
    allocator_put_lasting(allocator, postings, segment_length(segment) * sizeof *postings);
    allocator_put_lasting(allocator, dictionary->holders[segment], segment_length(segment) * sizeof(uint32_t));
    atomic_store_explicit(&dictionary->texts[segment], NULL, memory_order_relaxed);
    atomic_store_explicit(&dictionary->postings[segment], NULL, memory_order_relaxed);
    dictionary->holders[segment] = NULL;
    memset(&dictionary->about[segment], 0, sizeof dictionary->about[segment]);
}

static knackdb_status
make_segment(struct dictionary *dictionary, struct allocator *allocator, uint32_t segment, knackdb_error *error)
{
    uint32_t        length = segment_length(segment);
    text_cell      *cells = allocator_get_lasting_zeroed(allocator, length * sizeof *cells);
    struct posting *postings = NULL;

    if (dictionary->is_posted)
        postings = allocator_get_lasting_zeroed(allocator, length * sizeof *postings);
    dictionary->holders[segment] = allocator_get_lasting_zeroed(allocator, length * sizeof(uint32_t));
    atomic_store_explicit(&dictionary->postings[segment], postings, memory_order_release);
    atomic_store_explicit(&dictionary->texts[segment], cells, memory_order_release);
    if (cells == NULL || dictionary->holders[segment] == NULL || (dictionary->is_posted && postings == NULL)) {
        put_segment(dictionary, allocator, segment);
        return error_no_memory(error, "a dictionary");
    }
    dictionary->about[segment].given = segment == 0; /* code 0 is NULL */
    atomic_fetch_add_explicit(&dictionary->segment_bytes, segment_bytes(dictionary, segment), memory_order_relaxed);
    return KNACKDB_OK;
}

/* Finds the lowest segment that has a code to give, making it where it is not there. */
static knackdb_status
reserve_code(struct dictionary *dictionary, struct allocator *allocator, uint32_t *ret_segment, knackdb_error *error)
{
    uint32_t segment = 0;

    while (segment < DICTIONARY_SEGMENTS && dictionary->about[segment].free_count == 0 &&
           dictionary->about[segment].given == segment_length(segment))
        segment++;
    if (segment == DICTIONARY_SEGMENTS)
        return error_set(error, KNACKDB_FULL, "a text column holds %u distinct texts, and no more fit",
                         segment_first(DICTIONARY_SEGMENTS - 1) * 2 - 1);
    *ret_segment = segment;
    return has_segment(dictionary, segment) ? KNACKDB_OK : make_segment(dictionary, allocator, segment, error);
}

static uint32_t
take_code(struct dictionary *dictionary, uint32_t segment)
{
    struct dictionary_segment *about = &dictionary->about[segment];
    uint32_t                   code = about->first_free;

    if (about->free_count == 0)
        return segment_first(segment) + about->given++;
    about->free_count--;
    about->first_free = *holders_of(dictionary, code);
    return code;
}

/* A text that is not NULL. */
static knackdb_status
intern_hashed(struct dictionary *dictionary, struct epochs *epochs, knackdb_text text, uint64_t hash,
              uint32_t *ret_code, knackdb_error *error)
{
    text_cell      cell;
    knackdb_status status;
    uint32_t       code = find_hashed(dictionary, text, hash), segment = 0;

    if (code != DICTIONARY_CODE_NONE) {
        *ret_code = code;
        return KNACKDB_OK;
    }

    status = reserve_code(dictionary, epochs->allocator, &segment, error);
    if (status != KNACKDB_OK)
        return status;
    status = index_reserve(&dictionary->index, epochs, 1, error);
    if (status != KNACKDB_OK)
        return status;
    cell = stored_text_new(epochs->allocator, text);
    if (cell == TEXT_CELL_NULL)
        return error_no_memory(error, "text");

    code = take_code(dictionary, segment);
    *dictionary_cell(dictionary, code) = cell;
    *holders_of(dictionary, code) = 0;
    atomic_fetch_add_explicit(&dictionary->text_bytes, stored_text_bytes(text.length), memory_order_relaxed);
    if (code >= atomic_load_explicit(&dictionary->code_end, memory_order_relaxed))
        atomic_store_explicit(&dictionary->code_end, code + 1, memory_order_release);
    index_insert(&dictionary->index, hash, code); /* D2 */
    *ret_code = code;
    return KNACKDB_OK;
}

/* The first and the last bytes of a text tell most from each other. */
static inline struct dictionary_recent *
recent_place(struct dictionary *dictionary, knackdb_text text)
{
    uint64_t first = text.length, last = 0;

    if (text.length >= sizeof first) {
        memcpy(&first, text.data, sizeof first);
        memcpy(&last, text.data + text.length - sizeof last, sizeof last);
    } else if (text.length >= sizeof(uint32_t)) {
        memcpy(&first, text.data, sizeof(uint32_t));
        memcpy(&last, text.data + text.length - sizeof(uint32_t), sizeof(uint32_t));
    } else if (text.length > 0) { /* all there are */
        const unsigned char *bytes = (const unsigned char *) text.data;

        last = (uint64_t) bytes[0] << 16 | (uint64_t) bytes[text.length / 2] << 8 | bytes[text.length - 1];
    }
    return &dictionary->recent[hash_integer(first ^ (last << 29 | last >> 35)) % DICTIONARY_RECENT];
}

knackdb_status
dictionary_intern(struct dictionary *dictionary, struct epochs *epochs, knackdb_text text, uint32_t *ret_code,
                  knackdb_error *error)
{
    struct dictionary_recent *recent;
    knackdb_status            status;

    if (text.data == NULL) {
        *ret_code = DICTIONARY_CODE_NULL;
        return KNACKDB_OK;
    }
    recent = recent_place(dictionary, text);
    if (recent->cell != TEXT_CELL_NULL && text_equal(text_cell_view(recent->cell), text)) {
        *ret_code = recent->code;
        return KNACKDB_OK;
    }
    status = intern_hashed(dictionary, epochs, text, dictionary_hash(text), ret_code, error);
    if (status == KNACKDB_OK)
        *recent = (struct dictionary_recent) { *dictionary_cell(dictionary, *ret_code), *ret_code };
    return status;
}

/* Texts looked for at once: a search waits for the index, for a cell and for a text in turn, all of them mostly far
 * away, and as many searches as these wait together. */
#define SEARCHES 64u

_Static_assert(DICTIONARY_EXPECTED_MAX <= SEARCHES, "what is expected together is looked for at once");

/* Of each hash gives the code that a search comes to first, DICTIONARY_CODE_NULL where to none. */
static void
prefetch_searches(struct dictionary *dictionary, const uint64_t *hashes, size_t count, uint32_t codes[SEARCHES])
{
    for (size_t i = 0; i < count; i++)
        index_prefetch(&dictionary->index, hashes[i]);
    for (size_t i = 0; i < count; i++) {
        struct index_probe probe;

        codes[i] = DICTIONARY_CODE_NULL;
        index_probe_init(&probe, &dictionary->index, hashes[i]);
        if (index_probe_next(&probe, &codes[i])) {
            __builtin_prefetch(dictionary_cell(dictionary, codes[i]));
            __builtin_prefetch(holders_of(dictionary, codes[i]), 1);
        }
    }
    for (size_t i = 0; i < count; i++)
        if (codes[i] != DICTIONARY_CODE_NULL)
            __builtin_prefetch(dictionary_text(dictionary, codes[i]).data);
}

void
dictionary_expect(struct dictionary *dictionary, const knackdb_value *values, size_t stride, size_t count)
{
    knackdb_text texts[DICTIONARY_EXPECTED_MAX];
    uint64_t     hashes[DICTIONARY_EXPECTED_MAX] = { 0 };
    uint32_t     codes[SEARCHES];
    size_t       text_count = 0;

    assert(count <= DICTIONARY_EXPECTED_MAX);
    if (atomic_load_explicit(&dictionary->code_end, memory_order_relaxed) < DICTIONARY_EXPECTED_FROM)
        return;
    for (size_t i = 0; i < count; i++)
        if (values[i * stride].type == KNACKDB_TEXT) {
            texts[text_count] = values[i * stride].as.text;
            hashes[text_count] = dictionary_hash(texts[text_count]);
            text_count++;
        }
    prefetch_searches(dictionary, hashes, text_count, codes);
    for (size_t i = 0; i < text_count; i++)
        if (codes[i] != DICTIONARY_CODE_NULL && text_equal(dictionary_text(dictionary, codes[i]), texts[i]))
            *recent_place(dictionary, texts[i]) =
                (struct dictionary_recent) { *dictionary_cell(dictionary, codes[i]), codes[i] };
}

knackdb_status
dictionary_intern_many(struct dictionary *dictionary, struct epochs *epochs, const knackdb_text *texts,
                       const uint64_t *hashes, const uint32_t *holders, size_t count, uint32_t *ret_codes,
                       knackdb_error *error)
{
    uint32_t found[SEARCHES]; /* asked for, and no more */

    for (size_t i = 0; i < count; i++) {
        knackdb_status status;

        if (i % SEARCHES == 0)
            prefetch_searches(dictionary, hashes + i, count - i < SEARCHES ? count - i : SEARCHES, found);
        if (holders[i] == 0)
            continue;
        status = intern_hashed(dictionary, epochs, texts[i], hashes[i], &ret_codes[i], error);
        if (status != KNACKDB_OK)
            return status;
        *holders_of(dictionary, ret_codes[i]) += holders[i];
    }
    return KNACKDB_OK;
}

knackdb_status
dictionary_reserve_postings(struct dictionary *dictionary, struct epochs *epochs, knackdb_error *error)
{
    uint32_t       end = atomic_load_explicit(&dictionary->code_end, memory_order_relaxed);
    uint64_t       bytes = 0;
    knackdb_status status = KNACKDB_OK;

    for (uint32_t code = 1; code < end; code++)
        bytes += posting_carrying_bytes(&dictionary->blocks, *holders_of(dictionary, code));
    slab_expect(&dictionary->blocks.slab, bytes);
    for (uint32_t code = 1; code < end && status == KNACKDB_OK; code++)
        status = posting_reserve_first(dictionary_posting(dictionary, code), &dictionary->blocks, epochs,
                                       &dictionary->posting_bytes, *holders_of(dictionary, code), error);
    return status;
}

/* ---- rows come and go ---- */

void
dictionary_hold(struct dictionary *dictionary, uint32_t code)
{
    if (code != DICTIONARY_CODE_NULL)
        ++*holders_of(dictionary, code);
}

void
dictionary_release(struct dictionary *dictionary, struct epochs *epochs, uint32_t code)
{
    if (code == DICTIONARY_CODE_NULL)
        return;
    --*holders_of(dictionary, code);
    dictionary_forget_unheld(dictionary, epochs, code);
}

void
dictionary_forget_unheld(struct dictionary *dictionary, struct epochs *epochs, uint32_t code)
{
    struct dictionary_recent *recent;
    knackdb_text              text;

    if (code == DICTIONARY_CODE_NULL || *holders_of(dictionary, code) != 0)
        return;
    text = dictionary_text(dictionary, code);
    recent = recent_place(dictionary, text);
    if (recent->code == code)
        *recent = (struct dictionary_recent) { TEXT_CELL_NULL, DICTIONARY_CODE_NULL };
    index_remove(&dictionary->index, dictionary_hash(text), code);
    if (dictionary->is_posted) /* every row in the list is of a chunk that goes */
        posting_drop(dictionary_posting(dictionary, code), epochs, &dictionary->posting_bytes);
    *holders_of(dictionary, code) = dictionary->first_dying;
    dictionary->first_dying = code;
}

static void
free_text(struct dictionary *dictionary, struct allocator *allocator, text_cell *cell)
{
    size_t length = text_cell_view(*cell).length;

    stored_text_free(allocator, *cell);
    atomic_fetch_sub_explicit(&dictionary->text_bytes, stored_text_bytes(length), memory_order_relaxed);
    *cell = TEXT_CELL_NULL;
}

/* Nothing in the segment is in use, and nobody holds a code of it: it goes. */
static void
free_segment(struct dictionary *dictionary, struct allocator *allocator, uint32_t segment)
{
    uint32_t highest = DICTIONARY_SEGMENTS;

    put_segment(dictionary, allocator, segment);
    atomic_fetch_sub_explicit(&dictionary->segment_bytes, segment_bytes(dictionary, segment), memory_order_relaxed);
    while (highest > 0 && !has_segment(dictionary, highest - 1))
        highest--;
    if (highest > 0)
        highest = segment_first(highest - 1) + segment_length(highest - 1);
    if (highest < atomic_load_explicit(&dictionary->code_end, memory_order_relaxed))
        atomic_store_explicit(&dictionary->code_end, highest, memory_order_relaxed);
}

bool
dictionary_free_some(struct dictionary *dictionary, struct epochs *epochs, uint32_t texts_max)
{
    if (dictionary->first_waiting == 0 && dictionary->first_dying != 0) {
        dictionary->first_waiting = dictionary->first_dying;
        dictionary->first_dying = 0;
        dictionary->waiting_epoch = epoch_advance(epochs);
    }
    if (dictionary->first_waiting == 0)
        return false;
    if (!epoch_is_past(epochs, dictionary->waiting_epoch)) /* D3 */
        return true;
    for (; dictionary->first_waiting != 0 && texts_max > 0; texts_max--) {
        uint32_t                   code = dictionary->first_waiting;
        uint32_t                   segment = dictionary_place_of(code).segment;
        struct dictionary_segment *about = &dictionary->about[segment];

        dictionary->first_waiting = *holders_of(dictionary, code);
        free_text(dictionary, epochs->allocator, dictionary_cell(dictionary, code));
        if (dictionary->is_posted)
            memset((void *) dictionary_posting(dictionary, code), 0, sizeof(struct posting));
        *holders_of(dictionary, code) = about->first_free;
        about->first_free = code;
        if (++about->free_count == about->given - (segment == 0))
            free_segment(dictionary, epochs->allocator, segment);
    }
    return true;
}

void
dictionary_clear(struct dictionary *dictionary, struct epochs *epochs)
{
    bool     is_posted = dictionary->is_posted;
    uint32_t width = dictionary->blocks.width;

    for (uint32_t segment = 0; segment < DICTIONARY_SEGMENTS; segment++) {
        text_cell      *cells = atomic_load(&dictionary->texts[segment]);
        struct posting *postings = atomic_load(&dictionary->postings[segment]);

        for (uint32_t i = 0; i < dictionary->about[segment].given; i++) {
            if (postings != NULL)
                posting_clear(&postings[i], epochs);
            if (cells[i] != TEXT_CELL_NULL)
                free_text(dictionary, epochs->allocator, &cells[i]);
        }
        put_segment(dictionary, epochs->allocator, segment);
    }
    index_clear(&dictionary->index, epochs);
    assert(dictionary->blocks.slab.bytes == 0);
    memset((void *) dictionary, 0, sizeof *dictionary);
    dictionary->is_posted = is_posted;
    posting_blocks_init(&dictionary->blocks, width);
}

uint64_t
dictionary_text_bytes(const struct dictionary *dictionary)
{
    struct dictionary *counted = (struct dictionary *) (uintptr_t) dictionary;

    return atomic_load_explicit(&counted->text_bytes, memory_order_relaxed) +
           atomic_load_explicit(&counted->segment_bytes, memory_order_relaxed);
}

uint64_t
dictionary_index_bytes(const struct dictionary *dictionary)
{
    return index_bytes(&dictionary->index) +
           atomic_load_explicit(&((struct dictionary *) (uintptr_t) dictionary)->posting_bytes, memory_order_relaxed);
}
