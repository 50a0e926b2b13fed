/* posting.h - the rows that hold one dictionary text, in the order stored, with a tag beside each.
 *
 * A search for one task_type looks at its rows alone. Lists grow at the end; a
 * row stays in when it dies, and whoever reads checks that it is visible. When chunks are to be given
 * back (reclaim.h), the lists that lead into them are compacted.
 *
 * A tag says in sixteen bits what another column of the row holds (table.h says which, and how), so that most rows that
 * a question is not about are passed over without a look at them. Of a list of many rows, the largest
 * tag of each block is kept in an array, and how large the best tags are: a search for the best ten
 * of a hundred thousand reads that array and some dozen blocks (ranked.c). Of each block the latest age is kept, too
 * (schema.h says which column tells it): a search for the newest hundred passes over the blocks of which all are older
 * (candidates.c).
 *
 *     one row        in place: in a column where most texts are distinct, most lists are that
 *     up to 128      rows[capacity] tags[capacity] cells[capacity * width], doubled as it grows
 *     more           a directory of blocks of 128, doubled; the blocks stay where they are
 *
 * Beside each row stand copies of some of its cells, `width` of them, where schema.h says so (carried.h), but for the
 * row that stands in place.
 *
 *         blocks   [ * ][ * ][ * ] ...      full, or part-full where compacting left them so,
 *         fills    [128][ 77][128] ...      but for the last, which is being filled
 *         maxima   [ 91][ 99][ - ] ...
 *         latest   [7:30][8:15][8:10] ...
 *         until    [7:30][8:15][8:15] ...   the latest of it and all before
 *
 * P1  One writer. It writes an entry, and what follows from a block's being full, then stores the count (release). A
 *     reader loads the array or directory (seq_cst), then its count (acquire), and asks nothing but the count
 *     of the last block.
 * P2  Growing and compacting make a new array or directory with a count of its own, store it (seq_cst), retire the old
 *     one (epoch.h); blocks go on in the new one, or are retired with the old. A list of one row or none has neither:
 *     `single` is stored (seq_cst) before they go. A reader that saw none and was overtaken by both finds in `single` a
 *     row stored later than the one it looked for, which compacting has taken out, as no view saw it.
 * P3  Of a block, or an array, that is not mixed, no row is older than one before it. It becomes mixed (relaxed) before
 *     the count tells of the row that makes it so (P1), and stays so. */
#ifndef KNACKDB_CORE_POSTING_H
#define KNACKDB_CORE_POSTING_H

#include "core/epoch.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define POSTING_BLOCK_BITS 7
#define POSTING_BLOCK_ROWS ((uint32_t) 1 << POSTING_BLOCK_BITS)

typedef int16_t posting_tag;
#define POSTING_TAG_LEAST INT16_MIN /* of a rate: NULL's alone */

/* Of the best 16, 32, ... 4,096 rows, the least tag, about. */
#define POSTING_HINT_BITS_FIRST 4
#define POSTING_HINTS           9

/* What a list is told of a row. */
struct posting_note {
    posting_tag     tag;
    double          age;   /* a moment, as the column has it; NaN: none */
    const uint64_t *cells; /* those that the list carries; NULL: it carries none, or they are told later */
};

/* What the blocks of all lists of a column come from, and what they carry. */
struct posting_blocks {
    struct slab slab;
    uint32_t    width; /* cells a row; 0: none */
};

/* Begins every form but the single row. */
struct posting_rows {
    uint32_t                  capacity; /* rows; more than POSTING_BLOCK_ROWS: a directory */
    _Atomic uint32_t          count;    /* of rows; in a directory, as if every block but the last were full */
    uint32_t                  width;    /* cells that are carried for each row */
    _Atomic uint32_t          is_mixed; /* P3; of an array */
    _Atomic(struct leaders *) leaders;  /* NULL: none was asked for (leaders.h) */
};

struct posting_array {
    struct posting_rows head;
    double              latest; /* no row's age is larger; the writer's */
    uint32_t            rows[]; /* capacity of them, then as many tags, then the cells */
};

struct posting_block {
    uint32_t         is_taken_over; /* the writer's: by the directory that compacting builds */
    _Atomic uint32_t is_mixed;      /* P3 */
    uint32_t         rows[POSTING_BLOCK_ROWS];
    posting_tag      tags[POSTING_BLOCK_ROWS];
    uint64_t         cells[]; /* width for each row */
};

/* The best rows of a list; leaders.h. */
struct leader {
    double      rate;
    int64_t     id;
    uint32_t    row;
    uint32_t    code;
    posting_tag tag, other;
};

struct leaders {
    uint32_t         told;   /* of the first so many rows of the list, counted as posting_rows.count is */
    uint32_t         count;  /* of leaders */
    uint32_t         whole;  /* how many there were when all of the list was last looked at for them */
    uint32_t         looked; /* and so many rows it had then */
    uint64_t         from;   /* a moment: views of earlier ones may see rows that are missing */
    int32_t          least;  /* a tag; POSTING_TAG_LEAST: all are here; INT16_MAX + 1: not even those of the largest */
    _Atomic uint32_t spent;  /* relaxed: what questions did that newer ones would spare them (leaders.c) */
    _Atomic uint32_t price;  /* relaxed: so much has to be spent before newer ones are made */
    struct leader    rows[];
};

/* Of a list that one question was about: they tell of no row of it. Nobody's memory. */
extern struct leaders posting_leaders_none;

struct posting_directory {
    struct posting_rows    head;
    _Atomic posting_tag    hints[POSTING_HINTS]; /* relaxed: where to begin, not where to end */
    uint32_t               hinted;               /* blocks there were then; the writer's */
    struct posting_blocks *home;                 /* of its blocks */
    struct posting_block  *blocks[]; /* capacity / POSTING_BLOCK_ROWS, NULL: none; then latest, until, maxima, fills */
};

struct posting {
    _Atomic uint32_t               single; /* row + 1; 0: none; what the list is while there is nothing else */
    uint32_t                       round;  /* of reclaim.h: in which it was compacted last; the writer's */
    _Atomic(struct posting_rows *) rows;
};

/* The row of a list that has no other; UINT32_MAX. Nothing is kept of it: whoever reserves tells it. */
static inline uint32_t
posting_only(const struct posting *posting)
{
    return atomic_load_explicit(&((struct posting *) (uintptr_t) posting)->rows, memory_order_relaxed) == NULL
               ? atomic_load_explicit(&((struct posting *) (uintptr_t) posting)->single, memory_order_relaxed) - 1
               : UINT32_MAX;
}

/* Stays where it is as long as there are lists that take blocks of it. */
void           posting_blocks_init(struct posting_blocks *blocks, uint32_t width);
/* Room for one more. `only`: of posting_only(), with its cells. */
knackdb_status posting_reserve(struct posting *posting, struct posting_note only, struct posting_blocks *home,
                               struct epochs *epochs, _Atomic uint64_t *bytes, knackdb_error *error);
/* Makes an empty list ready for so many, but for the blocks of a directory: posting_reserve_next() makes them ready
 * before each row, in the order of the rows of all lists, which is the one they will go in. As nothing goes to the
 * epochs, lists of several columns may be made ready at once (load_run.h, R1). */
knackdb_status posting_reserve_first(struct posting *posting, struct posting_blocks *home, struct epochs *epochs,
                                     _Atomic uint64_t *bytes, uint32_t count, knackdb_error *error);
bool           posting_reserve_next(struct posting *posting, struct epochs *epochs, _Atomic uint64_t *bytes);
/* What the blocks take of a list of so many rows, where they carry cells; 0 where they do not. */
uint64_t       posting_carrying_bytes(const struct posting_blocks *blocks, uint32_t count);
/* Where the cells of the row that was added last belong; NULL: it carries none. For who told nothing of them. */
uint64_t      *posting_last_cells(const struct posting *posting);
void           posting_add(struct posting *posting, uint32_t row, struct posting_note note);
/* Puts leaders where `old` ones stand, of the array or directory that they were made of. False where those are no
 * longer the list's, or others stand there. Else the old ones are retired. */
bool           posting_put_leaders(struct posting *posting, const struct posting_rows *rows, struct epochs *epochs,
                                   _Atomic uint64_t *bytes, struct leaders *old, struct leaders *leaders);
/* Empties a list whose every row is to be given back. */
void           posting_drop(struct posting *posting, struct epochs *epochs, _Atomic uint64_t *bytes);
void           posting_clear(struct posting *posting, struct epochs *epochs); /* the store is ending */

/* Compacting, some blocks at a time: the list may grow meanwhile. */
struct posting_compaction {
    struct posting           *posting; /* NULL: none under way */
    struct posting_directory *kept;    /* built aside */
    uint32_t                  kept_blocks;
    uint32_t                  at;      /* blocks looked at; then, of `old`, blocks retired */
    struct posting_directory *old;     /* `kept` stands in its place already */
    struct posting_block     *filling; /* the next of `kept`; and the one after */
    struct posting_block     *spare;
    uint32_t                  filled;
    double                    latest; /* of what is in `filling` */
};

/* Goes on with the list, or begins, leaving out the rows that are doomed. Each entry looked at is taken from *budget.
 * True when it is done; false at the end of the budget, or without memory. */
bool posting_compact(struct posting_compaction *compaction, struct posting *posting, struct epochs *epochs,
                     _Atomic uint64_t *bytes, bool (*is_doomed)(const void *context, uint32_t row), const void *context,
                     int64_t *budget);
void posting_compaction_clear(struct posting_compaction *compaction, struct epochs *epochs);

/* ---- what posting.c and posting_compact.c share; the writer's ---- */

/* NaN is later than nothing. */
static inline double
posting_later(double latest, double age)
{
    return age > latest ? age : latest;
}

static inline struct posting_directory *
posting_rows_directory(struct posting_rows *rows)
{
    return rows != NULL && rows->capacity > POSTING_BLOCK_ROWS ? (struct posting_directory *) (void *) rows : NULL;
}

struct posting_directory *posting_directory_new(struct epochs *epochs, uint32_t block_capacity,
                                                struct posting_blocks *home);
/* A copy with room for twice as many blocks. */
struct posting_directory *posting_directory_grown(struct epochs *epochs, const struct posting_directory *old);
/* What is to be known of a block that gets no more rows, and whose latest is known. */
void                      posting_directory_close(struct posting_directory *directory, uint32_t block, uint32_t fill);
/* Renews the hints where the list has grown by a quarter. */
void                      posting_directory_hint(struct posting_directory *directory);
struct posting_block     *posting_block_new(struct epochs *epochs, struct posting_blocks *home);
/* With room for at least so many rows, POSTING_BLOCK_ROWS at most. */
struct posting_array     *posting_array_new(struct epochs *epochs, uint32_t rows, uint32_t width);
/* Puts `rows` (NULL: none) where the list's stand. The old go, but for a directory: it is returned, to be retired
 * next. */
struct posting_directory *posting_exchange(struct posting *posting, struct epochs *epochs, _Atomic uint64_t *bytes,
                                           struct posting_rows *rows);
/* It and those of its blocks that are not taken over; goes on at block *at. False at the end of the budget. */
bool posting_directory_retire(struct posting_directory *old, struct epochs *epochs, uint32_t *at, int64_t *budget);

/* ---- reading ---- */

static inline const posting_tag *
posting_array_tags(const struct posting_array *array)
{
    return (const posting_tag *) (const void *) (array->rows + array->head.capacity);
}

static inline const uint64_t *
posting_array_cells(const struct posting_array *array)
{
    return (const uint64_t *) (const void *) (posting_array_tags(array) + array->head.capacity);
}

/* For each block, no row's age is larger than this. What is told of the last block is the writer's still. */
static inline double *
posting_directory_latest(const struct posting_directory *directory)
{
    return (double *) (uintptr_t) (directory->blocks + directory->head.capacity / POSTING_BLOCK_ROWS);
}

/* The same of a block and all before it: so who goes backwards knows when nothing newer is left. */
static inline double *
posting_directory_until(const struct posting_directory *directory)
{
    return posting_directory_latest(directory) + directory->head.capacity / POSTING_BLOCK_ROWS;
}

static inline posting_tag *
posting_directory_maxima(const struct posting_directory *directory)
{
    const double *until = posting_directory_until(directory);

    return (posting_tag *) (uintptr_t) (until + directory->head.capacity / POSTING_BLOCK_ROWS);
}

static inline uint8_t *
posting_directory_fills(const struct posting_directory *directory)
{
    return (uint8_t *) (posting_directory_maxima(directory) + directory->head.capacity / POSTING_BLOCK_ROWS);
}

/* What a reader sees of a list: blocks, each of them rows and tags. Valid until its view ends, and where it stands. */
struct posting_view {
    const struct posting_rows *rows; /* NULL: `single` alone, or nothing */
    uint32_t                   single;
    uint32_t                   count; /* of rows, or some more */
};

struct posting_run {
    const uint32_t    *rows;
    const posting_tag *tags;  /* NULL: unknown */
    const uint64_t    *cells; /* posting_view_width() for each row; NULL: none */
    uint32_t           count;
};

static inline void
posting_view_init(struct posting_view *view, struct posting *posting)
{
    struct posting_rows *rows = atomic_load(&posting->rows); /* seq_cst: E2 */
    uint32_t             only;

    view->rows = rows;
    if (rows != NULL) {
        view->count = atomic_load_explicit(&rows->count, memory_order_acquire);
        return;
    }
    only = atomic_load(&posting->single);
    view->single = only - 1;
    view->count = only != 0;
}

/* NULL: none. Of the rows that the view counts, or of some more. */
static inline struct leaders *
posting_view_leaders(const struct posting_view *view)
{
    return view->rows != NULL
               ? atomic_load(&((struct posting_rows *) (uintptr_t) view->rows)->leaders) /* seq_cst: leaders.h, L2 */
               : NULL;
}

static inline uint32_t
posting_view_blocks(const struct posting_view *view)
{
    return (view->count + POSTING_BLOCK_ROWS - 1) >> POSTING_BLOCK_BITS;
}

/* NULL where the list has no directory. */
static inline const struct posting_directory *
posting_view_directory(const struct posting_view *view)
{
    return view->rows != NULL && view->rows->capacity > POSTING_BLOCK_ROWS
               ? (const struct posting_directory *) (const void *) view->rows
               : NULL;
}

/* Cells that the list carries for each row. */
static inline uint32_t
posting_view_width(const struct posting_view *view)
{
    return view->rows != NULL ? view->rows->width : 0;
}

static inline struct posting_run
posting_view_run(const struct posting_view *view, uint32_t block)
{
    const struct posting_directory *directory = posting_view_directory(view);
    const struct posting_array     *array = (const struct posting_array *) (const void *) view->rows;

    if (directory != NULL)
        return (struct posting_run) { directory->blocks[block]->rows, directory->blocks[block]->tags,
                                      directory->head.width != 0 ? directory->blocks[block]->cells : NULL,
                                      block + 1 < posting_view_blocks(view)
                                          ? posting_directory_fills(directory)[block]
                                          : view->count - (block << POSTING_BLOCK_BITS) };
    if (array != NULL)
        return (struct posting_run) { array->rows, posting_array_tags(array),
                                      array->head.width != 0 ? posting_array_cells(array) : NULL, view->count };
    return (struct posting_run) { &view->single, NULL, NULL, view->count };
}

/* Whether some row of a block may be older than one before it (P3); what is known of so many rows as the view has. */
static inline bool
posting_view_is_mixed(const struct posting_view *view, uint32_t block)
{
    const struct posting_directory *directory = posting_view_directory(view);
    struct posting_rows            *rows = (struct posting_rows *) (uintptr_t) view->rows;

    return rows != NULL &&
           atomic_load_explicit(directory != NULL ? &directory->blocks[block]->is_mixed : &rows->is_mixed,
                                memory_order_relaxed) != 0;
}

/* Whether every row of a block is known to be older than that. */
static inline bool
posting_view_is_older(const struct posting_view *view, uint32_t block, double age)
{
    const struct posting_directory *directory = posting_view_directory(view);

    return directory != NULL && block + 1 < posting_view_blocks(view) &&
           posting_directory_latest(directory)[block] < age;
}

/* Whether every row of the first `end` blocks is known to be older than that. */
static inline bool
posting_view_are_all_older(const struct posting_view *view, uint32_t end, double age)
{
    const struct posting_directory *directory = posting_view_directory(view);

    return directory != NULL && end != 0 && end < posting_view_blocks(view) &&
           posting_directory_until(directory)[end - 1] < age;
}

/* The same of the last `count` of the first `end` blocks, where there are so many. */
static inline bool
posting_view_are_older(const struct posting_view *view, uint32_t end, uint32_t count, double age)
{
    const struct posting_directory *directory = posting_view_directory(view);
    uint32_t                        younger = 0;

    if (directory == NULL || end < count || end >= posting_view_blocks(view))
        return false;
    for (uint32_t b = end - count; b < end; b++)
        younger += !(posting_directory_latest(directory)[b] < age);
    return younger == 0;
}

/* For who will look at a run, and at its tags: each asks for the memory that is waited for next. */
static inline void
posting_view_ask(const struct posting_view *view, uint32_t block)
{
    const struct posting_directory *directory = posting_view_directory(view);

    if (directory != NULL) {
        __builtin_prefetch(&directory->blocks[block]);
        __builtin_prefetch(&posting_directory_fills(directory)[block]);
    }
}

static inline void
posting_run_ask_rows(const struct posting_run *run)
{
    for (uint32_t i = 0; i < run->count; i += CACHE_LINE_BYTES / sizeof *run->rows)
        __builtin_prefetch(run->rows + i);
}

static inline void
posting_run_ask_tags(const struct posting_run *run)
{
    for (uint32_t i = 0; run->tags != NULL && i < run->count; i += CACHE_LINE_BYTES / sizeof *run->tags)
        __builtin_prefetch(run->tags + i);
}

typedef posting_tag posting_eight __attribute__((vector_size(16), aligned(2), may_alias));
typedef uint64_t    posting_halves __attribute__((vector_size(16)));

/* Whether one of eight tags is at least `low`. */
static inline bool
posting_any_of_eight(const posting_tag *tags, posting_tag low)
{
    posting_halves found = (posting_halves) (*(const posting_eight *) (const void *) tags >= low);

    return (found[0] | found[1]) != 0;
}

/* The first block from `block` on, and before `end`, in which a tag may be as large as `low`; or `end`. What is known
 * of the last block may change, so it may always be. */
static inline uint32_t
posting_view_skip(const struct posting_view *view, uint32_t block, uint32_t end, posting_tag low)
{
    const struct posting_directory *directory = posting_view_directory(view);
    uint32_t                        last = posting_view_blocks(view) - 1;
    const posting_tag              *maxima;

    last = end < last ? end : last; /* all before it are closed */
    if (directory == NULL)
        return block;
    maxima = posting_directory_maxima(directory);
    while (block + 8 <= last && !posting_any_of_eight(maxima + block, low))
        block += 8;
    while (block < last && maxima[block] < low)
        block++;
    return block;
}

/* Which of the first `count` tags, 64 at most, are from `low` to `most`, as bits. */
static inline uint64_t
posting_tags_within(const posting_tag *tags, uint32_t count, posting_tag low, posting_tag most)
{
    uint64_t found = 0;
    uint32_t i = 0;

#ifdef __SSE2__
    for (; i + 16 <= count; i += 16) {
        posting_eight one = *(const posting_eight *) (const void *) (tags + i);
        posting_eight two = *(const posting_eight *) (const void *) (tags + i + 8);

        one = (one >= low) & (one <= most);
        two = (two >= low) & (two <= most);
        found |= (uint64_t) (uint32_t) _mm_movemask_epi8(_mm_packs_epi16((__m128i) one, (__m128i) two)) << i;
    }
#endif
    for (; i < count; i++)
        found |= (uint64_t) (tags[i] >= low && tags[i] <= most) << i;
    return found;
}

#endif
