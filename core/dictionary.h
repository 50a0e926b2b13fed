/* dictionary.h - the distinct texts of a column, numbered.
 *
 * A cell of such a column is a code of four bytes: 0 is NULL, others count from 1 in the
 * order first stored. Entries lie in segments of doubling size that never move, so a code
 * is turned into its text by two loads and no lock:
 *
 *     segment 0: codes 0..63   segment 1: 64..127   segment 2: 128..255   ...
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

struct dictionary_entry {
    text_cell      text;    /* with its length, so that a code's text is handed out without a look at it */
    struct posting posting; /* of columns with is_posted */
};

struct dictionary {
    _Atomic(struct dictionary_entry *) segments[DICTIONARY_SEGMENTS];
    _Atomic uint32_t                   count; /* codes given, with 0 */
    struct index                       index;
    struct text_arena                  texts;
    _Atomic uint64_t                   posting_bytes;
};

void dictionary_clear(struct dictionary *dictionary, struct epochs *epochs);

static inline struct dictionary_entry *
dictionary_entry_at(const struct dictionary *dictionary, uint32_t code)
{
    uint32_t                 scaled = code >> DICTIONARY_SEGMENT_BITS;
    uint32_t                 segment = scaled == 0 ? 0 : 32 - (uint32_t) __builtin_clz(scaled);
    uint32_t                 first = segment == 0 ? 0 : (uint32_t) 1 << (DICTIONARY_SEGMENT_BITS + segment - 1);
    struct dictionary_entry *entries =
        atomic_load_explicit(&((struct dictionary *) (uintptr_t) dictionary)->segments[segment], memory_order_acquire);

    return &entries[code - first];
}

/* The text of a code that a row holds; the NULL text for code 0. */
static inline knackdb_text
dictionary_text(const struct dictionary *dictionary, uint32_t code)
{
    if (code == DICTIONARY_CODE_NULL)
        return (knackdb_text) { NULL, 0 };
    return text_cell_view(dictionary_entry_at(dictionary, code)->text);
}

/* The code of a text, or DICTIONARY_CODE_NONE; DICTIONARY_CODE_NULL for the NULL text. Any thread. */
uint32_t dictionary_find(const struct dictionary *dictionary, knackdb_text text);

/* The same, adding the text where it is not there yet. The writer. */
knackdb_status dictionary_intern(struct dictionary *dictionary, struct epochs *epochs, knackdb_text text,
                                 uint32_t *ret_code, knackdb_error *error);

uint64_t dictionary_text_bytes(const struct dictionary *dictionary); /* texts and entries */
uint64_t dictionary_index_bytes(const struct dictionary *dictionary);

#endif
