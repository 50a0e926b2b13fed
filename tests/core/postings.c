/* postings.c - claims about posting lists: their rows stay in order through growth and compacting, a block's maximum is
 * the largest tag of its rows, no row of it is later than its latest, beside each row stand cells of that row, and
 * leaders stay with a list that grows, and not with one that is compacted. */
#include "base/hash.h"
#include "core/posting.h"
#include "tests/core/scaffold.h"

#include <criterion/criterion.h>
#include <math.h>

#define WIDTH 2u

static struct posting_blocks home;

static void
up(void)
{
    scaffold_epochs_up();
    posting_blocks_init(&home, WIDTH);
}

static void
down(void)
{
    scaffold_epochs_down();
    cr_assert_eq(home.slab.bytes, 0);
}

TestSuite(postings, .init = up, .fini = down);

static posting_tag
tag_of(uint32_t row)
{
    return (posting_tag) hash_integer(row);
}

static bool is_nearly_in_order;

/* They rise, more or less, and some rows have none; or they do but for a row here and there. */
static double
age_of(uint32_t row)
{
    if (is_nearly_in_order)
        return hash_integer(row) % 501 == 0 ? 0.0 : row;
    return hash_integer(row) % 11 == 0 ? NAN : row + (double) (hash_integer(row) % 5000);
}

static void
read_cells(const void *context, uint32_t row, uint64_t *ret_cells)
{
    (void) context;
    ret_cells[0] = hash_integer(row);
    ret_cells[1] = row;
}

static void
check_cells(const struct posting_run *run, uint32_t i)
{
    uint64_t cells[WIDTH];

    read_cells(NULL, run->rows[i], cells);
    cr_assert_arr_eq(run->cells + i * WIDTH, cells, sizeof cells, "row %u", run->rows[i]);
}

/* The rows of a list, block by block, and their tags and cells where they are kept: beside each but the only one. */
static uint32_t
list_rows(struct posting *posting, uint32_t *rows, posting_tag *tags, uint32_t capacity)
{
    struct posting_view view;
    uint32_t            count = 0;

    posting_view_init(&view, posting);
    cr_assert_eq(posting_view_width(&view), view.rows != NULL ? WIDTH : 0);
    for (uint32_t b = 0; b < posting_view_blocks(&view); b++) {
        struct posting_run run = posting_view_run(&view, b);

        for (uint32_t i = 0; i < run.count; i++, count++) {
            cr_assert_lt(count, capacity);
            rows[count] = run.rows[i];
            tags[count] = run.tags != NULL ? run.tags[i] : 0;
            cr_assert_eq(run.cells != NULL, view.rows != NULL);
            if (run.cells != NULL)
                check_cells(&run, i);
            if (i != 0 && !posting_view_is_mixed(&view, b))
                cr_assert(age_of(run.rows[i]) >= age_of(run.rows[i - 1]), "row %u", run.rows[i]);
        }
    }
    return count;
}

static void
add_posting(struct posting *posting, _Atomic uint64_t *bytes, uint32_t row)
{
    uint32_t            only = posting_only(posting);
    uint64_t            only_cells[WIDTH], cells[WIDTH];
    struct posting_note only_note = { tag_of(only), age_of(only), only_cells };
    struct posting_note note = { tag_of(row), age_of(row), cells };

    read_cells(NULL, only, only_cells);
    read_cells(NULL, row, cells);
    cr_assert_eq(posting_reserve(posting, only_note, &home, &epochs, bytes, NULL), KNACKDB_OK);
    posting_add(posting, row, note);
}

/* What a search passes over must be what it says, but in the last block: no tag is above the maximum, no age above the
 * latest. That is the age of a row until compacting puts blocks together (`is_compacted`). */
static void
check_directory(struct posting *posting, bool is_compacted)
{
    struct posting_view             view;
    const struct posting_directory *directory;
    double                          until = -INFINITY;

    posting_view_init(&view, posting);
    directory = posting_view_directory(&view);
    for (uint32_t b = 0; directory != NULL && b + 1 < posting_view_blocks(&view); b++) {
        struct posting_run run = posting_view_run(&view, b);
        posting_tag        largest = POSTING_TAG_LEAST;
        double             latest = -INFINITY, known = posting_directory_latest(directory)[b];

        cr_assert(run.count > 0 && run.count <= POSTING_BLOCK_ROWS);
        for (uint32_t i = 0; i < run.count; i++) {
            largest = run.tags[i] > largest ? run.tags[i] : largest;
            latest = fmax(latest, age_of(run.rows[i]));
        }
        cr_assert_eq(posting_directory_maxima(directory)[b], largest, "block %u", b);
        cr_assert(is_compacted ? known >= latest : known == latest, "block %u: %f, known as %f", b, latest, known);
        cr_assert(posting_view_is_older(&view, b, known + 1.0) && !posting_view_is_older(&view, b, known));
        until = fmax(until, known);
        cr_assert(posting_view_are_all_older(&view, b + 1, until + 1.0) &&
                  !posting_view_are_all_older(&view, b + 1, until));
    }
}

static void
check_growth(void)
{
    enum { ROWS = 40000 };
    static uint32_t    rows[ROWS];
    static posting_tag tags[ROWS];
    struct posting     posting = { 0 };
    _Atomic uint64_t   bytes = 0;

    for (uint32_t i = 0; i < ROWS; i++) {
        add_posting(&posting, &bytes, i * 7);
        if (i > 1200 && i % 4999 != 0)
            continue;
        cr_assert_eq(list_rows(&posting, rows, tags, ROWS), i + 1);
        for (uint32_t j = 0; j <= i; j++)
            cr_assert(rows[j] == j * 7 && (i == 0 || tags[j] == tag_of(j * 7)), "row %u of %u", j, i + 1);
        check_directory(&posting, false);
    }
    posting_clear(&posting, &epochs);
}

Test(postings, a_posting_list_keeps_its_rows_in_order_through_growth)
{
    check_growth();
    is_nearly_in_order = true;
    check_growth();
}

/* A block that is known to be in order is read no further than it has to be. */
Test(postings, a_block_is_mixed_where_a_row_is_older_than_one_before_it)
{
    enum { ROWS = 300 };
    uint64_t cells[WIDTH] = { 0 };

    for (uint32_t old = 1; old <= ROWS; old++) { /* none in the last round */
        struct posting      posting = { 0 };
        _Atomic uint64_t    bytes = 0;
        struct posting_view view;

        for (uint32_t row = 0; row < ROWS; row++) {
            struct posting_note first = { 0, 100.0, cells };
            struct posting_note note = { 0, row == old ? (row % 2 == 0 ? 99.0 : NAN) : 100.0 + row / 2, cells };

            cr_assert_eq(posting_reserve(&posting, first, &home, &epochs, &bytes, NULL), KNACKDB_OK);
            posting_add(&posting, row, note);
        }
        posting_view_init(&view, &posting);
        for (uint32_t b = 0; b < posting_view_blocks(&view); b++)
            cr_assert_eq(posting_view_is_mixed(&view, b),
                         old < ROWS && old / POSTING_BLOCK_ROWS == b && old % POSTING_BLOCK_ROWS != 0,
                         "row %u, block %u", old, b);
        posting_clear(&posting, &epochs);
    }
}

static bool
is_odd(const void *context, uint32_t row)
{
    (void) context;
    return row % 2 == 1;
}

/* Every third stretch of 300 rows: whole blocks go, others stay as they are, some are cut. */
static bool
is_of_a_stretch(const void *context, uint32_t row)
{
    (void) context;
    return row / 300 % 3 == 1;
}

/* Method: lists of every small length and of some large ones, compacted in pieces while rows are added. Twice, as what
 * is left by the first time begins the second. */
Test(postings, compacting_a_posting_list_leaves_out_what_is_doomed_and_keeps_the_order)
{
    enum { ROWS = 12000 };
    static uint32_t    rows[ROWS], wanted[ROWS];
    static posting_tag tags[ROWS];

    for (uint32_t round = 0; round < 120; round++) {
        uint32_t                  length = round < 20 ? round : round * 97;
        struct posting            posting = { 0 };
        struct posting_compaction compaction = { NULL };
        _Atomic uint64_t          bytes = 0;
        uint32_t                  count = 0, next = 0;
        int64_t                   budget = 7;

        is_nearly_in_order = round % 2 == 1;
        for (; next < length; next++)
            add_posting(&posting, &bytes, wanted[count++] = next);
        for (int again = 0; again < 2; again++) {
            bool (*is_doomed)(const void *, uint32_t) = (round + (uint32_t) again) % 2 == 0 ? is_odd : is_of_a_stretch;
            uint32_t kept = 0, added = 0;

            for (uint32_t i = 0; i < count; i++)
                if (!is_doomed(NULL, wanted[i]))
                    wanted[kept++] = wanted[i];
            count = kept;
            while (!posting_compact(&compaction, &posting, &epochs, &bytes, is_doomed, NULL, &budget)) {
                budget = 7;
                for (uint32_t i = 0; i < 40 && added < 800; i++, added++) {
                    /* never doomed: it is new */
                    uint32_t row = ROWS * 900 + 900 * (round * 2000 + again * 1000 + added);

                    add_posting(&posting, &bytes, row);
                    wanted[count++] = row;
                }
            }
            cr_assert_eq(list_rows(&posting, rows, tags, ROWS), count, "length %u", length);
            for (uint32_t i = 0; i < count; i++)
                cr_assert(rows[i] == wanted[i] && (count == 1 || tags[i] == tag_of(wanted[i])), "length %u, row %u",
                          length, i);
            check_directory(&posting, true);
        }
        posting_drop(&posting, &epochs, &bytes);
        cr_assert_eq(bytes, 0);
        cr_assert_eq(list_rows(&posting, rows, tags, ROWS), 0);
    }
}

/* Method: compacting, a block a slice, is broken off after every number of slices. Once all blocks were looked at, the
 * new list is in place and the old one goes, a block a slice; before, what was built goes and the list stays whole. */
Test(postings, compacting_that_is_broken_off_leaves_the_list_as_it_was_or_is_to_be)
{
    enum { ROWS = 3000, BLOCKS = (ROWS + POSTING_BLOCK_ROWS - 1) / POSTING_BLOCK_ROWS, ADDED = ROWS * 900 };
    static uint32_t    rows[ROWS + 1];
    static posting_tag tags[ROWS + 1];

    for (uint32_t slices = 1; slices < 2 * BLOCKS; slices++) {
        bool                      is_whole = slices < BLOCKS;
        uint32_t                  count = 0;
        struct posting            posting = { 0 };
        struct posting_compaction compaction = { NULL };
        _Atomic uint64_t          bytes = 0;

        for (uint32_t i = 0; i < ROWS; i++)
            add_posting(&posting, &bytes, i);
        for (uint32_t i = 0; i < slices; i++) {
            int64_t budget = 7;

            cr_assert_not(posting_compact(&compaction, &posting, &epochs, &bytes, is_of_a_stretch, NULL, &budget));
        }
        if (slices % 2 == 0)
            add_posting(&posting, &bytes, ADDED); /* the list goes on */
        posting_compaction_clear(&compaction, &epochs);
        (void) list_rows(&posting, rows, tags, ROWS + 1);
        for (uint32_t i = 0; i < ROWS; i++)
            if (is_whole || !is_of_a_stretch(NULL, i)) {
                cr_assert(rows[count] == i && tags[count] == tag_of(i), "%u slices, row %u", slices, i);
                count++;
            }
        if (slices % 2 == 0)
            cr_assert_eq(rows[count++], ADDED);
        cr_assert_eq(list_rows(&posting, rows, tags, ROWS + 1), count);
        check_directory(&posting, true);
        posting_drop(&posting, &epochs, &bytes);
        cr_assert_eq(bytes, 0);
    }
}

/* Of all rows there are, without a look at them. */
static bool
give_leaders(struct posting *posting, _Atomic uint64_t *bytes)
{
    struct posting_rows *rows = atomic_load(&posting->rows);
    struct leaders      *leaders = epoch_get(&epochs, sizeof *leaders + 5 * sizeof leaders->rows[0]);

    cr_assert_not_null(leaders);
    *leaders = (struct leaders) { .told = atomic_load(&rows->count), .count = 5 };
    return posting_put_leaders(posting, rows, &epochs, bytes, atomic_load(&rows->leaders), leaders);
}

static struct leaders *
leaders_of(struct posting *posting)
{
    struct posting_view view;

    posting_view_init(&view, posting);
    return posting_view_leaders(&view);
}

/* Some rows here and there, and all from one on. */
struct doom {
    uint32_t share, from, end;
};

static bool
is_of_doom(const void *context, uint32_t row)
{
    const struct doom *doom = context;

    return row < doom->end && (hash_integer(row) % 16 < doom->share || row >= doom->from);
}

/* Method: lists of all forms get leaders, then rows, and are compacted in pieces, while rows and leaders come, too. */
Test(postings, growing_takes_over_leaders_and_compacting_does_not)
{
    uint32_t grown = 0, compacted = 0, late = 0;

    for (uint32_t round = 0; round < 600; round++) {
        uint32_t                  told_rows = 2 + (uint32_t) (hash_integer(round) % (round % 4 == 0 ? 3000 : 200));
        uint32_t                  length = told_rows + (uint32_t) (hash_integer(~round) % 400);
        struct doom               doom = { round % 5 * 3, length, length };
        struct posting            posting = { 0 };
        struct posting_compaction compaction = { NULL };
        struct posting_rows      *first;
        struct leaders           *leaders;
        _Atomic uint64_t          bytes = 0;
        uint32_t                  next = 0;
        int64_t                   budget = 7;

        while (next < told_rows)
            add_posting(&posting, &bytes, next++);
        first = atomic_load(&posting.rows);
        cr_assert(give_leaders(&posting, &bytes) && give_leaders(&posting, &bytes));
        leaders = leaders_of(&posting);
        while (next < length)
            add_posting(&posting, &bytes, next++);
        cr_assert_eq(leaders_of(&posting), leaders);
        if (atomic_load(&posting.rows) != first) {
            struct leaders *others = epoch_get(&epochs, sizeof *others);

            *others = (struct leaders) { .told = told_rows };
            cr_assert_not(posting_put_leaders(&posting, first, &epochs, &bytes, leaders, others), "made of others");
            epoch_put_now(&epochs, others);
            grown++;
        }
        while (!posting_compact(&compaction, &posting, &epochs, &bytes, is_of_doom, &doom, &budget)) {
            budget = 7;
            if (round % 3 != 0 || compaction.old != NULL)
                continue;
            for (uint32_t i = 0; i < 40 && next < length + 500; i++)
                add_posting(&posting, &bytes, next++);
            late += give_leaders(&posting, &bytes);
        }
        leaders = leaders_of(&posting);
        cr_assert(leaders == NULL || leaders == &posting_leaders_none);
        cr_assert_eq(leaders == NULL, atomic_load(&posting.rows) == NULL, "that there was a question stays known");
        compacted += leaders != NULL;
        cr_assert_neq(bytes, 0);
        posting_drop(&posting, &epochs, &bytes);
        cr_assert_eq(bytes, 0);
    }
    cr_assert(grown > 200 && compacted > 500 && late > 100, "%u grown, %u compacted, %u leaders meanwhile", grown,
              compacted, late);
}
