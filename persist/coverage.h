/* coverage.h - which rows in memory stand in which part on the disk.
 *
 * What makes a snapshot cost what changed: rows that a part of the last snapshot holds need not be
 * written again. A cover tells, for one part, where in memory its rows stand and
 * which of them have ended since. It never changes once made: a snapshot builds a new
 * coverage out of old covers and new ones, and that takes the old one's place when its
 * manifest is published, or goes when it is not. */
#ifndef KNACKDB_PERSIST_COVERAGE_H
#define KNACKDB_PERSIST_COVERAGE_H

#include "core/store.h"
#include "persist/manifest.h"

/* Rows that live stand in memory and in the part in the same order. So the k-th bit set in `rows` is the row that the
 * k-th bit clear in `ended` tells of: a row that ends leaves both. */
struct cover {
    uint32_t             references;    /* coverages that hold it; one thread's at a time */
    struct manifest_part part;          /* .table: in the store's schema */
    row_number           first;         /* its rows stand among first .. first + span - 1 */
    uint32_t             span;          /* 1 to PART_ROWS_MAX, so they stand in one chunk or two */
    uint64_t             identities[2]; /* of the chunks of the first and the last of them: core/store.h */
    uint32_t             ended_count;
    uint64_t            *rows;  /* bit i: row first + i is in the part and has not ended; NULL: all of them */
    uint64_t            *ended; /* bit i: row i of the part has ended; NULL: none */
};

struct cover_list {
    struct cover       **covers; /* by rising `first`, which is the order in which parts are loaded */
    size_t               count;
    size_t               capacity;
    struct manifest_part ends; /* the part that holds their `ended`; its number is 0 where there is none */
};

struct coverage {
    struct allocator *allocator;
    struct cover_list tables[KNACKDB_TABLES_MAX];
};

void coverage_init(struct coverage *coverage, struct allocator *allocator); /* covers nothing */
void coverage_clear(struct coverage *coverage);                             /* frees; may be used again */

/* A cover of these rows, all of them in the part, which nobody else holds; identities are to be set. NULL: no
 * memory. */
struct cover *cover_new(struct allocator *allocator, const struct manifest_part *part, row_number first, uint32_t span);
void          cover_put(struct allocator *allocator, struct cover *cover); /* lets go of it; NULL is accepted */

/* The cover of the same part once all but these rows of it (bits, as `rows` has them) have ended. NULL: no memory. */
struct cover *cover_without(struct allocator *allocator, const struct cover *cover, const uint64_t *living);

/* Adds a cover behind the others; the coverage holds it, too. */
knackdb_status coverage_add(struct coverage *coverage, uint32_t table, struct cover *cover, knackdb_error *error);

static inline uint32_t
cover_living(const struct cover *cover)
{
    return (uint32_t) cover->part.row_count - cover->ended_count;
}

/* ---- bitmaps; of words, so that counting is quick ---- */

static inline size_t
bitmap_bytes(uint64_t bits)
{
    return (size_t) ((bits + 63) / 64 * sizeof(uint64_t));
}

static inline bool
bitmap_has(const uint64_t *bitmap, uint64_t bit)
{
    return bitmap != NULL && (bitmap[bit / 64] >> bit % 64 & 1) != 0;
}

static inline void
bitmap_set(uint64_t *bitmap, uint64_t bit)
{
    bitmap[bit / 64] |= (uint64_t) 1 << bit % 64;
}

#endif
