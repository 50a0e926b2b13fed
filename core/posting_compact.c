/* posting_compact.c - takes the rows of chunks that go out of a posting list; posting.h has the forms.
 *
 * A directory is built aside. A block that no doomed row is in, and that is half full or more, goes over as it is;
 * what is left of the others is put together in blocks of its own. So the work, and what has to
 * be retired, follows from what goes, and blocks are half full on average at the least. The last block
 * comes in the slice that puts the new directory in place: until then it may grow. The slices after it take the old one
 * apart.
 *
 * Leaders stay behind: who asks next has others made (leaders.h). */
#include "core/posting.h"

#include <math.h>
#include <string.h>

#define FILL_MIN (POSTING_BLOCK_ROWS / 2)

static void
forget_blocks(struct posting_compaction *compaction, struct epochs *epochs)
{
    for (uint32_t b = 0; compaction->kept != NULL && b < compaction->kept_blocks; b++) {
        if (compaction->kept->blocks[b]->is_taken_over != 0)
            compaction->kept->blocks[b]->is_taken_over = 0;
        else
            epoch_put_now(epochs, compaction->kept->blocks[b]); /* nobody has seen it */
    }
    compaction->kept_blocks = 0;
}

void
posting_compaction_clear(struct posting_compaction *compaction, struct epochs *epochs)
{
    int64_t budget = INT64_MAX;

    if (compaction->old != NULL)
        (void) posting_directory_retire(compaction->old, epochs, &compaction->at, &budget);
    forget_blocks(compaction, epochs);
    epoch_put_now(epochs, compaction->kept);
    epoch_put_now(epochs, compaction->filling);
    epoch_put_now(epochs, compaction->spare);
    memset(compaction, 0, sizeof *compaction);
}

/* For whatever one block can add: itself, and the one that it cuts off; or what fills one and begins another. */
static bool
make_room(struct posting_compaction *compaction, struct epochs *epochs, struct posting_blocks *home)
{
    if (compaction->kept == NULL)
        compaction->kept = posting_directory_new(epochs, 4, home);
    if (compaction->kept != NULL &&
        compaction->kept_blocks + 2 > compaction->kept->head.capacity >> POSTING_BLOCK_BITS) {
        struct posting_directory *grown = posting_directory_grown(epochs, compaction->kept);

        if (grown == NULL)
            return false;
        epoch_put_now(epochs, compaction->kept);
        compaction->kept = grown;
    }
    if (compaction->filling == NULL)
        compaction->filling = posting_block_new(epochs, home);
    if (compaction->spare == NULL)
        compaction->spare = posting_block_new(epochs, home);
    return compaction->kept != NULL && compaction->filling != NULL && compaction->spare != NULL;
}

static void
end_block(struct posting_compaction *compaction)
{
    if (compaction->filled == 0)
        return;
    compaction->kept->blocks[compaction->kept_blocks] = compaction->filling;
    posting_directory_latest(compaction->kept)[compaction->kept_blocks] = compaction->latest;
    posting_directory_close(compaction->kept, compaction->kept_blocks++, compaction->filled);
    compaction->filling = compaction->spare;
    compaction->spare = NULL;
    compaction->filled = 0;
}

/* The `at`-th of a run. What is put together is taken for mixed (posting.h, P3): the ages are not looked at. */
static void
keep(struct posting_compaction *compaction, const struct posting_run *run, uint32_t at, double latest)
{
    uint32_t width = compaction->kept->head.width;

    atomic_init(&compaction->filling->is_mixed, 1);
    compaction->latest = compaction->filled != 0 ? posting_later(compaction->latest, latest) : latest;
    compaction->filling->rows[compaction->filled] = run->rows[at];
    compaction->filling->tags[compaction->filled] = run->tags[at];
    if (run->cells != NULL)
        memcpy(compaction->filling->cells + compaction->filled * width, run->cells + at * width,
               width * sizeof(uint64_t));
    if (++compaction->filled == POSTING_BLOCK_ROWS)
        end_block(compaction);
}

/* Room is made. */
static void
keep_block(struct posting_compaction *compaction, struct posting_directory *old, uint32_t block,
           const struct posting_run *run, bool (*is_doomed)(const void *context, uint32_t row), const void *context)
{
    double latest = posting_directory_latest(old)[block]; /* of its rows, and so of some of them */
    bool   as_it_is = run->count >= FILL_MIN;

    for (uint32_t i = 0; i < run->count && as_it_is; i++)
        as_it_is = !is_doomed(context, run->rows[i]);
    if (as_it_is) {
        end_block(compaction);
        old->blocks[block]->is_taken_over = 1;
        compaction->kept->blocks[compaction->kept_blocks] = old->blocks[block];
        posting_directory_latest(compaction->kept)[compaction->kept_blocks] = latest;
        posting_directory_close(compaction->kept, compaction->kept_blocks++, run->count);
        return;
    }
    for (uint32_t i = 0; i < run->count; i++)
        if (!is_doomed(context, run->rows[i]))
            keep(compaction, run, i, latest);
}

/* What is left, in as little as it takes; NULL: one row or none, or no memory to make it less than it is. */
static struct posting_rows *
as_array(const struct posting_run *run, uint32_t width, double latest, struct epochs *epochs,
         bool (*is_doomed)(const void *context, uint32_t row), const void *context, uint32_t *ret_count,
         uint32_t *ret_first)
{
    struct posting_array *array;
    uint32_t              count = 0, at = 0;
    posting_tag          *tags;
    uint64_t             *cells;

    for (uint32_t i = run->count; i-- > 0;)
        if (!is_doomed(context, run->rows[i])) {
            *ret_first = run->rows[i];
            count++;
        }
    *ret_count = count;
    array = count > 1 ? posting_array_new(epochs, count, width) : NULL;
    if (array == NULL)
        return NULL;
    tags = (posting_tag *) (uintptr_t) posting_array_tags(array);
    cells = (uint64_t *) (uintptr_t) posting_array_cells(array);
    for (uint32_t i = 0; i < run->count; i++)
        if (!is_doomed(context, run->rows[i])) {
            array->rows[at] = run->rows[i];
            tags[at] = run->tags[i];
            if (run->cells != NULL)
                memcpy(cells + at * width, run->cells + i * width, width * sizeof *cells);
            at++;
        }
    array->latest = latest;
    atomic_init(&array->head.is_mixed, 1);
    atomic_init(&array->head.count, count);
    return &array->head;
}

static bool
nothing_is_doomed(const void *context, uint32_t row)
{
    (void) context;
    (void) row;
    return false;
}

/* A list of no more rows than an array holds. False without memory. */
static bool
finish_array(struct posting *posting, struct epochs *epochs, _Atomic uint64_t *bytes, const struct posting_run *run,
             const struct posting_array *old, bool (*is_doomed)(const void *context, uint32_t row), const void *context)
{
    uint32_t             count, first = UINT32_MAX;
    struct posting_rows *left = as_array(run, old->head.width, old->latest, epochs, is_doomed, context, &count, &first);

    if (count > 1 && left == NULL)
        return false;
    if (left == NULL)
        atomic_store(&posting->single, first + 1);         /* P2 */
    (void) posting_exchange(posting, epochs, bytes, left); /* an array stood there */
    return true;
}

/* What is left to do is to retire what stood there. */
static void
put_in_place(struct posting_compaction *compaction, struct epochs *epochs, _Atomic uint64_t *bytes,
             struct posting_rows *rows)
{
    struct posting_directory *old = posting_exchange(compaction->posting, epochs, bytes, rows);

    posting_compaction_clear(compaction, epochs);
    compaction->old = old;
}

/* Everything is in `kept` or `filling`. */
static void
finish_directory(struct posting_compaction *compaction, struct epochs *epochs, _Atomic uint64_t *bytes)
{
    struct posting           *posting = compaction->posting;
    struct posting_directory *kept;
    uint32_t                  last, fill;

    end_block(compaction);
    kept = compaction->kept;
    last = compaction->kept_blocks - 1; /* none: UINT32_MAX */
    fill = compaction->kept_blocks != 0 ? posting_directory_fills(kept)[last] : 0;
    if (compaction->kept_blocks <= 1) {
        struct posting_run   run = { NULL, NULL, NULL, 0 };
        struct posting_rows *array;
        uint32_t             count, first = UINT32_MAX;
        double               latest = -INFINITY;

        if (compaction->kept_blocks == 1) {
            run = (struct posting_run) { kept->blocks[0]->rows, kept->blocks[0]->tags, kept->blocks[0]->cells, fill };
            latest = posting_directory_latest(kept)[0];
        }
        array = as_array(&run, kept->head.width, latest, epochs, nothing_is_doomed, NULL, &count, &first);
        if (count <= 1 || array != NULL) {
            if (array == NULL)
                atomic_store(&posting->single, first + 1); /* P2 */
            forget_blocks(compaction, epochs);
            put_in_place(compaction, epochs, bytes, array);
            return;
        }
    }
    atomic_init(&kept->head.count, (last << POSTING_BLOCK_BITS) + fill);
    kept->hinted = 0;
    posting_directory_hint(kept);
    compaction->kept = NULL; /* the list's from here on, with its blocks */
    compaction->kept_blocks = 0;
    put_in_place(compaction, epochs, bytes, &kept->head);
}

static bool
retire_old(struct posting_compaction *compaction, struct epochs *epochs, int64_t *budget)
{
    if (!posting_directory_retire(compaction->old, epochs, &compaction->at, budget))
        return false;
    compaction->old = NULL;
    compaction->at = 0;
    return true;
}

bool
posting_compact(struct posting_compaction *compaction, struct posting *posting, struct epochs *epochs,
                _Atomic uint64_t *bytes, bool (*is_doomed)(const void *context, uint32_t row), const void *context,
                int64_t *budget)
{
    struct posting_view view;
    uint32_t            blocks;

    if (compaction->old != NULL)
        return retire_old(compaction, epochs, budget);
    posting_view_init(&view, posting);
    blocks = posting_view_blocks(&view);
    if (posting_view_directory(&view) == NULL) {
        struct posting_run run = posting_view_run(&view, 0);

        *budget -= run.count;
        if (view.rows != NULL)
            return finish_array(posting, epochs, bytes, &run, (const struct posting_array *) (const void *) view.rows,
                                is_doomed, context);
        if (run.count != 0 && is_doomed(context, run.rows[0]))
            atomic_store(&posting->single, 0);
        return true;
    }
    compaction->posting = posting;
    while (compaction->at < blocks) {
        struct posting_run run = posting_view_run(&view, compaction->at);

        if (*budget <= 0 || !make_room(compaction, epochs, posting_view_directory(&view)->home))
            return false;
        /* From the list as it stands now: its directory may have grown since the last slice, its blocks have not
         * moved. */
        keep_block(compaction, (struct posting_directory *) (uintptr_t) posting_view_directory(&view), compaction->at,
                   &run, is_doomed, context);
        compaction->at++;
        *budget -= run.count;
    }
    finish_directory(compaction, epochs, bytes);
    return retire_old(compaction, epochs, budget);
}
