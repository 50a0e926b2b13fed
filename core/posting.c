/* posting.c - the writer's side of posting.h: lists that grow, and go. The letters P1 and P2 refer to it. */
#include "core/posting.h"

#include "base/error.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define CAPACITY_MIN 4u
#define BLOCKS_FIRST 2u /* what a new directory has room for */
#define RETIRE_COST  8  /* of a block, in entries looked at */

static uint32_t
block_capacity(const struct posting_directory *directory)
{
    return directory->head.capacity >> POSTING_BLOCK_BITS;
}

static uint32_t
count_of(struct posting_rows *rows)
{
    return atomic_load_explicit(&rows->count, memory_order_relaxed);
}

static size_t
directory_bytes(uint32_t blocks)
{
    return sizeof(struct posting_directory) +
           blocks * (sizeof(struct posting_block *) + 2 * sizeof(double) + sizeof(posting_tag) + sizeof(uint8_t));
}

static size_t
block_bytes(uint32_t width)
{
    return sizeof(struct posting_block) + POSTING_BLOCK_ROWS * width * sizeof(uint64_t);
}

uint64_t
posting_carrying_bytes(const struct posting_blocks *blocks, uint32_t count)
{
    return blocks->width != 0 && count > POSTING_BLOCK_ROWS
               ? ((uint64_t) count + POSTING_BLOCK_ROWS - 1) / POSTING_BLOCK_ROWS * blocks->slab.piece_bytes
               : 0;
}

static size_t
array_bytes(uint32_t capacity, uint32_t width)
{
    return sizeof(struct posting_array) +
           capacity * (sizeof(uint32_t) + sizeof(posting_tag) + width * sizeof(uint64_t));
}

void
posting_blocks_init(struct posting_blocks *blocks, uint32_t width)
{
    blocks->width = width;
    slab_init(&blocks->slab, epoch_piece_bytes(block_bytes(width)));
}

/* But for leaders. */
static uint64_t
bytes_of(struct posting_rows *rows)
{
    struct posting_directory *directory = posting_rows_directory(rows);
    uint64_t                  bytes;

    if (rows == NULL)
        return 0;
    if (directory == NULL)
        return array_bytes(rows->capacity, rows->width);
    bytes = directory_bytes(block_capacity(directory));
    for (uint32_t b = 0; b < block_capacity(directory) && directory->blocks[b] != NULL; b++)
        bytes += block_bytes(rows->width);
    return bytes;
}

struct posting_array *
posting_array_new(struct epochs *epochs, uint32_t rows, uint32_t width)
{
    uint32_t              capacity = CAPACITY_MIN;
    struct posting_array *array;

    while (capacity < rows)
        capacity *= 2;
    array = epoch_get(epochs, array_bytes(capacity, width));
    if (array != NULL) {
        array->head.capacity = capacity;
        array->head.width = width;
        atomic_init(&array->head.is_mixed, 0);
        atomic_init(&array->head.leaders, NULL);
        array->latest = -INFINITY;
        atomic_init(&array->head.count, 0);
    }
    return array;
}

static posting_tag *
array_tags(struct posting_array *array)
{
    return (posting_tag *) (uintptr_t) posting_array_tags(array);
}

static uint64_t *
array_cells(struct posting_array *array)
{
    return (uint64_t *) (uintptr_t) posting_array_cells(array);
}

struct posting_directory *
posting_directory_new(struct epochs *epochs, uint32_t blocks, struct posting_blocks *home)
{
    struct posting_directory *directory = epoch_get(epochs, directory_bytes(blocks));

    if (directory != NULL) {
        memset(directory, 0, directory_bytes(blocks));
        directory->head.capacity = blocks << POSTING_BLOCK_BITS;
        directory->head.width = home->width;
        atomic_init(&directory->head.is_mixed, 0);
        directory->home = home;
        atomic_init(&directory->head.count, 0);
        atomic_init(&directory->head.leaders, NULL);
        for (uint32_t h = 0; h < POSTING_HINTS; h++)
            atomic_init(&directory->hints[h], POSTING_TAG_LEAST);
    }
    return directory;
}

struct posting_directory *
posting_directory_grown(struct epochs *epochs, const struct posting_directory *old)
{
    uint32_t                  blocks = block_capacity(old);
    struct posting_directory *grown = posting_directory_new(epochs, blocks * 2, old->home);

    if (grown == NULL)
        return NULL;
    memcpy(grown->blocks, old->blocks, blocks * sizeof old->blocks[0]);
    memcpy(posting_directory_latest(grown), posting_directory_latest(old), blocks * sizeof(double));
    memcpy(posting_directory_until(grown), posting_directory_until(old), blocks * sizeof(double));
    memcpy(posting_directory_maxima(grown), posting_directory_maxima(old), blocks * sizeof(posting_tag));
    memcpy(posting_directory_fills(grown), posting_directory_fills(old), blocks);
    for (uint32_t h = 0; h < POSTING_HINTS; h++)
        atomic_init(&grown->hints[h], atomic_load_explicit(&((struct posting_directory *) (uintptr_t) old)->hints[h],
                                                           memory_order_relaxed));
    grown->hinted = old->hinted;
    atomic_init(&grown->head.count, count_of(&((struct posting_directory *) (uintptr_t) old)->head));
    return grown;
}

/* ---- what is known of blocks ---- */

void
posting_directory_close(struct posting_directory *directory, uint32_t block, uint32_t fill)
{
    const posting_tag *tags = directory->blocks[block]->tags;
    posting_tag        largest = POSTING_TAG_LEAST;
    double             latest = posting_directory_latest(directory)[block];
    double            *until = posting_directory_until(directory);

    for (uint32_t i = 0; i < fill; i++)
        largest = tags[i] > largest ? tags[i] : largest;
    until[block] = block != 0 ? posting_later(until[block - 1], latest) : latest;
    posting_directory_maxima(directory)[block] = largest;
    posting_directory_fills(directory)[block] = (uint8_t) fill;
}

/* Largest tags of small parts of the list stand for all that are large: two of the best few rarely share a part. */
#define PEAK_ROWS       16u
#define PEAKS_PER_BLOCK (POSTING_BLOCK_ROWS / PEAK_ROWS)
#define BLOCKS_IN_PARTS 256u /* a list of more blocks has a block a part */

static uint32_t
gather_peaks(const struct posting_directory *directory, uint32_t blocks, posting_tag *peaks)
{
    const uint8_t *fills = posting_directory_fills(directory);
    uint32_t       count = 0;

    for (uint32_t b = 0; b < blocks; b++) {
        const posting_tag *tags = directory->blocks[b]->tags;

        for (uint32_t first = 0; first < fills[b]; first += PEAK_ROWS) {
            posting_tag largest = tags[first];

            for (uint32_t i = first + 1; i < first + PEAK_ROWS && i < fills[b]; i++)
                largest = tags[i] > largest ? tags[i] : largest;
            peaks[count++] = largest;
        }
    }
    return count;
}

static uint32_t
part_of(posting_tag tag, uint32_t shift)
{
    return ((uint32_t) (tag - POSTING_TAG_LEAST) >> shift) & 0xff;
}

/* The wanted-th largest of the tags: by the upper half of their bits, then by the lower half. */
static posting_tag
choose(const posting_tag *tags, uint32_t count, const uint32_t uppers[256], uint32_t wanted)
{
    uint32_t lowers[256] = { 0 };
    int      upper = 255, lower = 255;

    for (; upper > 0 && uppers[upper] < wanted; upper--)
        wanted -= uppers[upper];
    for (uint32_t i = 0; i < count; i++)
        if (part_of(tags[i], 8) == (uint32_t) upper)
            lowers[part_of(tags[i], 0)]++;
    for (; lower > 0 && lowers[lower] < wanted; lower--)
        wanted -= lowers[lower];
    return (posting_tag) ((upper << 8 | lower) + POSTING_TAG_LEAST);
}

/* Anew where the list has grown by a quarter: a hint too low costs a look at some rows more, no more than that. */
void
posting_directory_hint(struct posting_directory *directory)
{
    posting_tag        gathered[BLOCKS_IN_PARTS * PEAKS_PER_BLOCK];
    const posting_tag *peaks = posting_directory_maxima(directory);
    uint32_t           blocks = count_of(&directory->head) >> POSTING_BLOCK_BITS; /* full ones, of which all is known */
    uint32_t           count = blocks, uppers[256] = { 0 };

    if (blocks < directory->hinted + directory->hinted / 4 + 1)
        return;
    directory->hinted = blocks;
    if (blocks <= BLOCKS_IN_PARTS) {
        count = gather_peaks(directory, blocks, gathered);
        peaks = gathered;
    }
    for (uint32_t i = 0; i < count; i++)
        uppers[part_of(peaks[i], 8)]++;
    for (uint32_t h = 0; h < POSTING_HINTS; h++) {
        uint32_t    wanted = (uint32_t) 1 << (POSTING_HINT_BITS_FIRST + h);
        posting_tag hint = wanted <= count / 2 ? choose(peaks, count, uppers, wanted) : POSTING_TAG_LEAST;

        atomic_store_explicit(&directory->hints[h], hint, memory_order_relaxed);
    }
}

/* ---- leaders ---- */

struct leaders posting_leaders_none = { .least = INT16_MAX + 1 };

static uint64_t
leaders_bytes(const struct leaders *leaders)
{
    return leaders != NULL && leaders != &posting_leaders_none
               ? sizeof *leaders + leaders->count * sizeof leaders->rows[0]
               : 0;
}

static struct leaders *
leaders_of_rows(struct posting_rows *rows)
{
    return rows != NULL ? atomic_load_explicit(&rows->leaders, memory_order_relaxed) : NULL;
}

/* Their list knows nothing of them any more. NULL is accepted. */
static void
retire_leaders(struct leaders *leaders, struct epochs *epochs, _Atomic uint64_t *bytes)
{
    atomic_fetch_sub_explicit(bytes, leaders_bytes(leaders), memory_order_relaxed);
    if (leaders != &posting_leaders_none)
        epoch_retire(epochs, leaders);
}

bool
posting_put_leaders(struct posting *posting, const struct posting_rows *rows, struct epochs *epochs,
                    _Atomic uint64_t *bytes, struct leaders *old, struct leaders *leaders)
{
    struct posting_rows *now = atomic_load_explicit(&posting->rows, memory_order_relaxed);

    if (now != rows || leaders_of_rows(now) != old)
        return false;
    atomic_fetch_add_explicit(bytes, leaders_bytes(leaders), memory_order_relaxed);
    atomic_store(&now->leaders, leaders); /* L2 */
    atomic_fetch_sub_explicit(bytes, leaders_bytes(old), memory_order_relaxed);
    if (old == NULL || old == &posting_leaders_none)
        return true;
    epoch_retire_with_next(epochs, old); /* who asks leaves it to who stores to free whatever may go */
    (void) epoch_advance(epochs);
    return true;
}

/* ---- growing ---- */

static uint32_t
is_mixed(struct posting_rows *rows)
{
    return atomic_load_explicit(&rows->is_mixed, memory_order_relaxed);
}

/* The latest of an array or a block, with a row behind the others. */
static inline double
age_added(_Atomic uint32_t *mixed, double latest, double age)
{
    if (!(age >= latest))                                      /* NaN is older than all */
        atomic_store_explicit(mixed, 1, memory_order_relaxed); /* P3 */
    return posting_later(latest, age);
}

/* NULL: they are told later. */
static inline void
copy_cells(uint64_t *to, const uint64_t *cells, uint32_t width)
{
    for (uint32_t i = 0; i < width && cells != NULL; i++)
        to[i] = cells[i];
}

/* By the same rows with room for more: blocks and leaders go on. */
static void
grow(struct posting *posting, struct epochs *epochs, _Atomic uint64_t *bytes, struct posting_rows *rows)
{
    struct posting_rows *old = atomic_load_explicit(&posting->rows, memory_order_relaxed);

    atomic_init(&rows->leaders, leaders_of_rows(old));
    atomic_fetch_add_explicit(bytes, bytes_of(rows) - bytes_of(old), memory_order_relaxed);
    atomic_store(&posting->rows, rows); /* P2 */
    epoch_retire(epochs, old);
}

struct posting_directory *
posting_exchange(struct posting *posting, struct epochs *epochs, _Atomic uint64_t *bytes, struct posting_rows *rows)
{
    struct posting_rows *old = atomic_load_explicit(&posting->rows, memory_order_relaxed);
    struct leaders      *leaders = leaders_of_rows(old);

    /* Leaders tell of places that are others' now. That they were asked for stays known. */
    if (rows != NULL)
        atomic_init(&rows->leaders, leaders != NULL ? &posting_leaders_none : NULL);
    atomic_fetch_add_explicit(bytes, bytes_of(rows) - bytes_of(old), memory_order_relaxed);
    atomic_store(&posting->rows, rows); /* P2 */
    retire_leaders(leaders, epochs, bytes);
    if (posting_rows_directory(old) != NULL)
        return posting_rows_directory(old);
    epoch_retire(epochs, old);
    return NULL;
}

bool
posting_directory_retire(struct posting_directory *old, struct epochs *epochs, uint32_t *at, int64_t *budget)
{
    for (; *at < block_capacity(old) && old->blocks[*at] != NULL; ++*at, *budget -= RETIRE_COST) {
        struct posting_block *block = old->blocks[*at];

        if (*budget <= 0)
            return false;
        if (block->is_taken_over == 0)
            epoch_retire_with_next(epochs, block);
        block->is_taken_over = 0;
    }
    epoch_retire(epochs, old);
    return true;
}

struct posting_block *
posting_block_new(struct epochs *epochs, struct posting_blocks *home)
{
    struct posting_block *block = epoch_get_piece(epochs, &home->slab);

    if (block != NULL) {
        block->is_taken_over = 0;
        atomic_init(&block->is_mixed, 0);
    }
    return block;
}

/* The array, full, becomes the first block of a directory. */
static struct posting_rows *
directory_from(struct epochs *epochs, struct posting_array *array, struct posting_blocks *home)
{
    struct posting_directory *directory = posting_directory_new(epochs, BLOCKS_FIRST, home);
    struct posting_block     *block = directory != NULL ? posting_block_new(epochs, home) : NULL;

    if (block == NULL) {
        epoch_put_now(epochs, directory);
        return NULL;
    }
    atomic_init(&block->is_mixed, is_mixed(&array->head));
    memcpy(block->rows, array->rows, sizeof block->rows);
    memcpy(block->tags, array_tags(array), sizeof block->tags);
    memcpy(block->cells, array_cells(array), POSTING_BLOCK_ROWS * array->head.width * sizeof(uint64_t));
    directory->blocks[0] = block;
    atomic_init(&directory->head.count, POSTING_BLOCK_ROWS);
    posting_directory_latest(directory)[0] = array->latest;
    posting_directory_close(directory, 0, POSTING_BLOCK_ROWS);
    return &directory->head;
}

static struct posting_rows *
array_grown(struct epochs *epochs, struct posting_array *old, uint32_t only, struct posting_note only_note,
            uint32_t width)
{
    struct posting_array *grown = posting_array_new(epochs, old != NULL ? old->head.capacity * 2 : 2, width);

    if (grown == NULL)
        return NULL;
    if (old == NULL) {
        grown->rows[0] = only - 1;
        array_tags(grown)[0] = only_note.tag;
        copy_cells(array_cells(grown), only_note.cells, width);
        grown->latest = age_added(&grown->head.is_mixed, grown->latest, only_note.age);
        atomic_init(&grown->head.count, 1);
    } else {
        memcpy(grown->rows, old->rows, count_of(&old->head) * sizeof old->rows[0]);
        memcpy(array_tags(grown), array_tags(old), count_of(&old->head) * sizeof(posting_tag));
        memcpy(array_cells(grown), array_cells(old), count_of(&old->head) * width * sizeof(uint64_t));
        grown->latest = old->latest;
        atomic_init(&grown->head.is_mixed, is_mixed(&old->head));
        atomic_init(&grown->head.count, count_of(&old->head));
    }
    return &grown->head;
}

/* Room for a row behind the last of the directory. */
static bool
directory_reserve(struct posting *posting, struct epochs *epochs, _Atomic uint64_t *bytes,
                  struct posting_directory *directory)
{
    uint32_t count = count_of(&directory->head), place = count & (POSTING_BLOCK_ROWS - 1);

    if (place != 0) {
        const struct posting_block *block = directory->blocks[count >> POSTING_BLOCK_BITS];

        if (directory->head.width != 0) { /* mostly in no cache yet, and written soon */
            __builtin_prefetch(block->cells + place * directory->head.width, 1);
            __builtin_prefetch(block->cells + (place + 1) * directory->head.width - 1, 1);
        }
        return true;
    }
    if (count == directory->head.capacity) {
        directory = posting_directory_grown(epochs, directory);
        if (directory == NULL)
            return false;
        grow(posting, epochs, bytes, &directory->head);
    }
    if (directory->blocks[count >> POSTING_BLOCK_BITS] == NULL) {
        struct posting_block *block = posting_block_new(epochs, directory->home);

        if (block == NULL)
            return false;
        directory->blocks[count >> POSTING_BLOCK_BITS] = block;
        atomic_fetch_add_explicit(bytes, block_bytes(directory->head.width), memory_order_relaxed);
    }
    return true;
}

knackdb_status
posting_reserve(struct posting *posting, struct posting_note only_note, struct posting_blocks *home,
                struct epochs *epochs, _Atomic uint64_t *bytes, knackdb_error *error)
{
    struct posting_rows *old = atomic_load_explicit(&posting->rows, memory_order_relaxed);
    uint32_t             only = atomic_load_explicit(&posting->single, memory_order_relaxed);
    struct posting_rows *grown;

    if (posting_rows_directory(old) != NULL)
        return directory_reserve(posting, epochs, bytes, posting_rows_directory(old))
                   ? KNACKDB_OK
                   : error_no_memory(error, "a posting list");
    if (old != NULL ? count_of(old) < old->capacity : only == 0)
        return KNACKDB_OK;
    grown = old != NULL && old->capacity == POSTING_BLOCK_ROWS
                ? directory_from(epochs, (struct posting_array *) (void *) old, home)
                : array_grown(epochs, (struct posting_array *) (void *) old, only, only_note, home->width);
    if (grown == NULL)
        return error_no_memory(error, "a posting list");
    grow(posting, epochs, bytes, grown);
    if (posting_rows_directory(grown) != NULL &&
        !directory_reserve(posting, epochs, bytes, posting_rows_directory(grown)))
        return error_no_memory(error, "a posting list");
    return KNACKDB_OK;
}

static struct posting_rows *
directory_ready(struct epochs *epochs, uint32_t count, struct posting_blocks *home)
{
    uint32_t                  blocks = (count + POSTING_BLOCK_ROWS - 1) >> POSTING_BLOCK_BITS;
    struct posting_directory *directory = posting_directory_new(epochs, blocks + blocks / 8 + 1, home);

    return directory != NULL ? &directory->head : NULL;
}

static struct posting_rows *
array_ready(struct epochs *epochs, uint32_t count, uint32_t width)
{
    struct posting_array *array = posting_array_new(epochs, count, width);

    return array != NULL ? &array->head : NULL;
}

knackdb_status
posting_reserve_first(struct posting *posting, struct posting_blocks *home, struct epochs *epochs,
                      _Atomic uint64_t *bytes, uint32_t count, knackdb_error *error)
{
    struct posting_rows *rows;

    assert(atomic_load_explicit(&posting->rows, memory_order_relaxed) == NULL);
    if (count <= 1)
        return KNACKDB_OK; /* stands in place */
    rows = count > POSTING_BLOCK_ROWS ? directory_ready(epochs, count, home) : array_ready(epochs, count, home->width);
    if (rows == NULL)
        return error_no_memory(error, "a posting list");
    grow(posting, epochs, bytes, rows);
    return KNACKDB_OK;
}

bool
posting_reserve_next(struct posting *posting, struct epochs *epochs, _Atomic uint64_t *bytes)
{
    struct posting_directory *directory =
        posting_rows_directory(atomic_load_explicit(&posting->rows, memory_order_relaxed));

    return directory == NULL || directory_reserve(posting, epochs, bytes, directory);
}

uint64_t *
posting_last_cells(const struct posting *posting)
{
    struct posting_rows *rows =
        atomic_load_explicit(&((struct posting *) (uintptr_t) posting)->rows, memory_order_relaxed);
    struct posting_directory *directory = posting_rows_directory(rows);
    uint32_t                  last;

    if (rows == NULL || rows->width == 0)
        return NULL;
    last = count_of(rows) - 1;
    return (directory != NULL ? directory->blocks[last >> POSTING_BLOCK_BITS]->cells
                              : array_cells((struct posting_array *) (void *) rows)) +
           (last & (POSTING_BLOCK_ROWS - 1)) * rows->width;
}

void
posting_add(struct posting *posting, uint32_t row, struct posting_note note)
{
    struct posting_rows      *rows = atomic_load_explicit(&posting->rows, memory_order_relaxed);
    struct posting_directory *directory = posting_rows_directory(rows);
    uint32_t                  count;

    if (rows == NULL) {
        atomic_store_explicit(&posting->single, row + 1, memory_order_release); /* P1 */
        return;
    }
    count = count_of(rows);
    if (directory == NULL) {
        struct posting_array *array = (struct posting_array *) (void *) rows;

        array->rows[count] = row;
        array_tags(array)[count] = note.tag;
        copy_cells(array_cells(array) + count * rows->width, note.cells, rows->width);
        array->latest = age_added(&rows->is_mixed, array->latest, note.age);
    } else {
        struct posting_block *block = directory->blocks[count >> POSTING_BLOCK_BITS];
        uint32_t              place = count & (POSTING_BLOCK_ROWS - 1);
        double               *latest = &posting_directory_latest(directory)[count >> POSTING_BLOCK_BITS];

        block->rows[place] = row;
        block->tags[place] = note.tag;
        copy_cells(block->cells + place * rows->width, note.cells, rows->width);
        *latest = age_added(&block->is_mixed, place != 0 ? *latest : -INFINITY, note.age);
        if (place == POSTING_BLOCK_ROWS - 1)
            posting_directory_close(directory, count >> POSTING_BLOCK_BITS, POSTING_BLOCK_ROWS);
    }
    atomic_store_explicit(&rows->count, count + 1, memory_order_release); /* P1 */
    if (directory != NULL && ((count + 1) & (POSTING_BLOCK_ROWS - 1)) == 0)
        posting_directory_hint(directory);
}

void
posting_drop(struct posting *posting, struct epochs *epochs, _Atomic uint64_t *bytes)
{
    struct posting_directory *old = NULL;
    uint32_t                  at = 0;
    int64_t                   budget = INT64_MAX;

    atomic_store(&posting->single, 0); /* P2 */
    if (atomic_load_explicit(&posting->rows, memory_order_relaxed) != NULL)
        old = posting_exchange(posting, epochs, bytes, NULL);
    if (old != NULL)
        (void) posting_directory_retire(old, epochs, &at, &budget);
}

void
posting_clear(struct posting *posting, struct epochs *epochs)
{
    struct posting_rows      *rows = atomic_load(&posting->rows);
    struct posting_directory *directory = posting_rows_directory(rows);

    for (uint32_t b = 0; directory != NULL && b < block_capacity(directory); b++)
        epoch_put_now(epochs, directory->blocks[b]);
    if (leaders_of_rows(rows) != &posting_leaders_none)
        epoch_put_now(epochs, leaders_of_rows(rows));
    epoch_put_now(epochs, rows);
    atomic_store(&posting->rows, NULL);
    atomic_store(&posting->single, 0);
}
