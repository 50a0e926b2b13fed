/* dictionary.h - the distinct texts of a column, numbered.
 *
 * A cell of such a column is a code of four bytes: 0 is NULL, others count from 1 in the
 * order first stored. Their cells lie in segments of doubling size that never move, so a
 * code is turned into its text by two loads and no lock:
 *
 *     segment 0: codes 0..63   segment 1: 64..127   segment 2: 128..255   ...
 *
 * Posting lists lie in segments of their own, where the column has them: eight bytes a code
 * keep what reading a row needs in the processor's caches four times as long.
 *
 * D1  One writer. An entry is written before any row that holds its code is published, and
 *     never changes, so whoever sees the code sees the text.
 * D2  Finding a code by text goes through index.h, which publishes entries the same way. */
#ifndef KNACKDB_CORE_DICTIONARY_H
#define KNACKDB_CORE_DICTIONARY_H

#include "core/index.h"
#include "core/posting.h"
#include "core/text.h"

#define DICTIONARY_SEGMENT_BITS 6
#define DICTIONARY_SEGMENTS     26
#define DICTIONARY_CODE_NULL    0u
#define DICTIONARY_CODE_NONE    UINT32_MAX

struct dictionary {
    _Atomic(text_cell *)      texts[DICTIONARY_SEGMENTS];    /* with lengths: handing one out needs no look at it */
    _Atomic(struct posting *) postings[DICTIONARY_SEGMENTS]; /* NULL throughout unless is_posted */
    bool                      is_posted;
    _Atomic uint32_t          count; /* codes given, with 0 */
    struct index              index;
    struct text_arena         arena;
    _Atomic uint64_t          posting_bytes;
};

void dictionary_clear(struct dictionary *dictionary, struct epochs *epochs);

/* Where a code's text and its posting list stand: entry `at` of a segment. */
struct dictionary_place {
    uint32_t segment, at;
};

static inline struct dictionary_place
dictionary_place_of(uint32_t code)
{
    uint32_t scaled = code >> DICTIONARY_SEGMENT_BITS;
    uint32_t segment = scaled == 0 ? 0 : 32 - (uint32_t) __builtin_clz(scaled);
    uint32_t first = segment == 0 ? 0 : (uint32_t) 1 << (DICTIONARY_SEGMENT_BITS + segment - 1);

    return (struct dictionary_place) { segment, code - first };
}

static inline text_cell *
dictionary_cell(const struct dictionary *dictionary, uint32_t code)
{
    struct dictionary_place place = dictionary_place_of(code);

    return &atomic_load_explicit(&((struct dictionary *) (uintptr_t) dictionary)->texts[place.segment],
                                 memory_order_acquire)[place.at];
}

/* Columns with is_posted only. */
static inline struct posting *
dictionary_posting(const struct dictionary *dictionary, uint32_t code)
{
    struct dictionary_place place = dictionary_place_of(code);

    return &atomic_load_explicit(&((struct dictionary *) (uintptr_t) dictionary)->postings[place.segment],
                                 memory_order_acquire)[place.at];
}

/* The text of a code that a row holds; the NULL text for code 0. */
static inline knackdb_text
dictionary_text(const struct dictionary *dictionary, uint32_t code)
{
    if (code == DICTIONARY_CODE_NULL)
        return (knackdb_text) { NULL, 0 };
    return text_cell_view(*dictionary_cell(dictionary, code));
}

/* The code of a text, or DICTIONARY_CODE_NONE; DICTIONARY_CODE_NULL for the NULL text. Any thread. */
uint32_t dictionary_find(const struct dictionary *dictionary, knackdb_text text);

/* The same, adding the text where it is not there yet. The writer. */
knackdb_status dictionary_intern(struct dictionary *dictionary, struct epochs *epochs, knackdb_text text,
                                 uint32_t *ret_code, knackdb_error *error);

uint64_t dictionary_text_bytes(const struct dictionary *dictionary); /* texts and their cells */
uint64_t dictionary_index_bytes(const struct dictionary *dictionary);

#endif
