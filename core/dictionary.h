/* dictionary.h - the distinct texts of a column, numbered.
 *
 * A cell of such a column is a code of four bytes: 0 is NULL, others count from 1, the
 * lowest free one first. Their cells lie in segments of doubling size that never move, so a
 * code is turned into its text by two loads and no lock:
 *
 *     segment 0: codes 0..63   segment 1: 64..127   segment 2: 128..255   ...
 *
 * Posting lists lie in segments of their own, where the column has them, and so does what the writer
 * counts: eight bytes a code keep what reading a row needs in the processor's caches four times as long.
 *
 * Rows share few texts, so the writer nearly always adds one that it has come across of late. Those it looks up in a
 * small array first, which asks for no hash and no way through the index.
 *
 * Each entry counts the rows that hold its code, dead ones too, as long as their memory is there. When
 * the last of them is given back, the text goes:
 *
 *     in use ---no row holds it---> dying ---an epoch ends---> waiting ---it is past---> free
 *             out of the index                                           text freed, code given again
 *
 * and with the last text of a segment the segment. Texts are allocated one by one: they go in no order.
 *
 * D1  One writer. An entry is written before any row that holds its code is published, and
 *     does not change before it is free again, so whoever sees the code sees the text.
 * D2  Finding a code by text goes through index.h, which publishes entries the same way.
 * D3  A reader has a code from a row that its view sees (then the entry is in use, and stays so, since that row's
 *     memory stays), or from the index: then it has begun before the entry was taken out of it,
 *     and its epoch holds back what the entry was (I4 and E2). So no reader holds a code that is free. */
#ifndef KNACKDB_CORE_DICTIONARY_H
#define KNACKDB_CORE_DICTIONARY_H

#include "base/hash.h"
#include "core/index.h"
#include "core/posting.h"
#include "core/text.h"

#define DICTIONARY_SEGMENT_BITS 6
#define DICTIONARY_SEGMENTS     26
#define DICTIONARY_RECENT       128
#define DICTIONARY_CODE_NULL    0u
#define DICTIONARY_CODE_NONE    UINT32_MAX

/* What the writer knows of a segment. */
struct dictionary_segment {
    uint32_t given;      /* codes ever given, from its first one on */
    uint32_t free_count; /* of these, on the list that begins with first_free */
    uint32_t first_free;
};

/* A code that is in the index, and its cell. */
struct dictionary_recent {
    text_cell cell; /* TEXT_CELL_NULL: none */
    uint32_t  code;
};

struct dictionary {
    _Atomic(text_cell *)      texts[DICTIONARY_SEGMENTS];    /* with lengths: handing one out needs no look at it */
    _Atomic(struct posting *) postings[DICTIONARY_SEGMENTS]; /* NULL throughout unless is_posted */
    bool                      is_posted;
    struct posting_blocks     blocks;   /* of its posting lists, which may carry cells (carried.h) */
    _Atomic uint32_t          code_end; /* no code in use is as large */
    struct index              index;
    _Atomic uint64_t          text_bytes, segment_bytes, posting_bytes;

    /* The writer's. Of a code in use, how many rows hold it; else the next on the list that it is on, 0: the last. */
    uint32_t                 *holders[DICTIONARY_SEGMENTS];
    struct dictionary_segment about[DICTIONARY_SEGMENTS];
    uint32_t                  first_dying, first_waiting; /* codes; 0: none */
    uint64_t                  waiting_epoch;
    struct dictionary_recent  recent[DICTIONARY_RECENT]; /* by what is cheap to know of a text */
};

void dictionary_clear(struct dictionary *dictionary, struct epochs *epochs);

/* Where a code's text and its posting list stand: entry `at` of a segment. */
struct dictionary_place {
    uint32_t segment, at;
};

/* Without a branch: it is asked for each text of each row that is read. */
static inline struct dictionary_place
dictionary_place_of(uint32_t code)
{
    uint32_t segment = 31 - (uint32_t) __builtin_clz(code >> (DICTIONARY_SEGMENT_BITS - 1) | 1);
    uint32_t first = (uint32_t) 1 << (DICTIONARY_SEGMENT_BITS - 1) << segment;

    first &= ~(((uint32_t) 1 << DICTIONARY_SEGMENT_BITS) - 1); /* 0 of segment 0 */

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

/* ---- the writer's ---- */

/* The same, adding the text where it is not there yet. */
knackdb_status dictionary_intern(struct dictionary *dictionary, struct epochs *epochs, knackdb_text text,
                                 uint32_t *ret_code, knackdb_error *error);

/* For who is about to add the texts of a batch: what their searches wait for is asked for together, and what is there
 * already is found by dictionary_intern() at once. Every stride-th value, DICTIONARY_EXPECTED_MAX of them at most. */
#define DICTIONARY_EXPECTED_MAX  16u
#define DICTIONARY_EXPECTED_FROM 8192u /* texts: what there is of fewer is mostly in the processor's caches */
void dictionary_expect(struct dictionary *dictionary, const knackdb_value *values, size_t stride, size_t count);

/* The same as dictionary_intern() for many texts, none of them NULL, with the hash of each and how many rows are about
 * to hold it: they are held already. A text that none holds is passed over, and its code left as it is. After a failure
 * the first ones are in. */
knackdb_status dictionary_intern_many(struct dictionary *dictionary, struct epochs *epochs, const knackdb_text *texts,
                                      const uint64_t *hashes, const uint32_t *holders, size_t count,
                                      uint32_t *ret_codes, knackdb_error *error);

static inline uint64_t
dictionary_hash(knackdb_text text)
{
    return hash_bytes(text.data, text.length, 0);
}

/* Makes the posting list of each code, all of them empty, ready for as many rows as hold it. */
knackdb_status dictionary_reserve_postings(struct dictionary *dictionary, struct epochs *epochs, knackdb_error *error);

/* One more row holds the code; one less; and none did after all, should none. Code 0 is accepted. */
void dictionary_hold(struct dictionary *dictionary, uint32_t code);
void dictionary_release(struct dictionary *dictionary, struct epochs *epochs, uint32_t code);
void dictionary_forget_unheld(struct dictionary *dictionary, struct epochs *epochs, uint32_t code);

/* Frees what no reader can hold any more, at most so many texts. True where there may be more to do, now or later. */
bool dictionary_free_some(struct dictionary *dictionary, struct epochs *epochs, uint32_t texts_max);

uint64_t dictionary_text_bytes(const struct dictionary *dictionary); /* texts and their cells */
uint64_t dictionary_index_bytes(const struct dictionary *dictionary);

#endif
