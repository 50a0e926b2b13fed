/* leaders.c - see leaders.h.
 *
 * What is known stays known: the rows of new blocks are put beside those of the old array, and the best of both are the
 * new one. Rows whose cells were not looked at yet are looked at together. Those of the last block, which is being
 * filled, are late. Rows that no view sees any more stay out: else who asks for the best ten, uses one of them, and so
 * makes a version of it, again and again, would soon have leaders that are dead but for some. */
#include "core/leaders.h"

#include <string.h>

#define LIST_BLOCKS_MIN 2u /* fewer are looked at as quickly */
#define LEADERS_MAX     1024u
#define LEADERS_DENSE   512u /* so many are one of eight rows, more one of 32 */
#define LATE_MIN        32u
#define LATE_MAX        128u
#define GATHERED_MAX    (2 * LEADERS_MAX + POSTING_BLOCK_ROWS)

struct gathering {
    const struct table_data        *table;
    const struct posting_directory *directory;
    uint64_t                        oldest; /* moment that any view may see */
    struct leader                  *rows;   /* GATHERED_MAX */
    uint32_t                        count;
    uint32_t                        known; /* of these the first so many are complete */
    int32_t                         least; /* all of this tag and above are gathered, of the blocks looked at */
};

static bool
comes_before(const struct table_data *table, const struct leader *a, const struct leader *b)
{
    return a->rate > b->rate ||
           (a->rate == b->rate && table_integer(table, a->row, 0) < table_integer(table, b->row, 0));
}

/* They are some dozens, mostly. */
static void
sort_leaders(const struct table_data *table, struct leader *rows, uint32_t count)
{
    static const uint32_t gaps[] = { 301, 132, 57, 23, 10, 4, 1 };

    for (uint32_t g = 0; g < sizeof gaps / sizeof gaps[0]; g++)
        for (uint32_t i = gaps[g]; i < count; i++) {
            struct leader moving = rows[i];
            uint32_t      at = i;

            for (; at >= gaps[g] && comes_before(table, &moving, &rows[at - gaps[g]]); at -= gaps[g])
                rows[at] = rows[at - gaps[g]];
            rows[at] = moving;
        }
}

/* Leaves out the smallest tags, until no more than `most` are left: rows of one tag stay or go together (L1). */
static void
narrow(struct gathering *gathering, uint32_t most)
{
    uint32_t counts[256] = { 0 }, kept = 0, known = 0, above = 0;
    int32_t  upper = 255, tag;

    if (gathering->count <= most)
        return;
    for (uint32_t i = 0; i < gathering->count; i++)
        counts[(uint32_t) (gathering->rows[i].tag - POSTING_TAG_LEAST) >> 8]++;
    for (; above + counts[upper] <= most; upper--)
        above += counts[upper];
    memset(counts, 0, sizeof counts);
    for (uint32_t i = 0; i < gathering->count; i++)
        if ((uint32_t) (gathering->rows[i].tag - POSTING_TAG_LEAST) >> 8 == (uint32_t) upper)
            counts[(uint32_t) (gathering->rows[i].tag - POSTING_TAG_LEAST) & 255]++;
    for (tag = 255; above + counts[tag] <= most; tag--)
        above += counts[tag];
    gathering->least = (upper << 8 | tag) + POSTING_TAG_LEAST + 1; /* rows of the tag before are too many */
    for (uint32_t i = 0; i < gathering->count; i++)
        if (gathering->rows[i].tag >= gathering->least) {
            known += i < gathering->known;
            gathering->rows[kept++] = gathering->rows[i];
        }
    gathering->count = kept;
    gathering->known = known;
}

/* Not one of a commit under way: what that ends may live on. */
static bool
is_gone(const struct gathering *gathering, uint32_t row)
{
    return !table_row_settled(gathering->table, row, gathering->oldest) &&
           table_row_end(gathering->table, row) <= gathering->oldest;
}

/* Of a closed block. */
static void
gather(struct gathering *gathering, uint32_t block)
{
    const struct posting_block *from = gathering->directory->blocks[block];
    uint32_t                    fill = posting_directory_fills(gathering->directory)[block];

    if (posting_directory_maxima(gathering->directory)[block] < gathering->least)
        return;
    if (gathering->count + fill > GATHERED_MAX)
        narrow(gathering, LEADERS_MAX);
    for (uint32_t i = 0; i < fill; i++)
        if (from->tags[i] >= gathering->least && !is_gone(gathering, from->rows[i]))
            gathering->rows[gathering->count++] = (struct leader) { .row = from->rows[i], .tag = from->tags[i] };
}

/* The row and the tag are known. */
static void
look_at_cells(const struct table_data *table, uint32_t ranking, struct leader *leader)
{
    uint32_t other = leaders_other_column(table->definition, ranking);

    leader->rate = table_real(table, leader->row, ranking);
    if (other != 0)
        leader->other =
            table_tag(table->definition, other, *TABLE_AT(table, leader->row, table->offsets[other], uint64_t));
}

static void
look_at_all_cells(struct gathering *gathering, const struct table_data *table, uint32_t ranking)
{
    uint32_t other = leaders_other_column(table->definition, ranking);

    for (uint32_t i = gathering->known; i < gathering->count; i++) {
        __builtin_prefetch(TABLE_AT(table, gathering->rows[i].row, table->offsets[0], int64_t));
        __builtin_prefetch(TABLE_AT(table, gathering->rows[i].row, table->offsets[ranking], double));
        __builtin_prefetch(TABLE_AT(table, gathering->rows[i].row, table->offsets[other], double));
    }
    for (uint32_t i = gathering->known; i < gathering->count; i++)
        look_at_cells(table, ranking, &gathering->rows[i]);
}

/* Begins with the old ones, where they are worth it, else with a guess. Returns the first block to look at. Of a list
 * whose rows are mostly dead there are never many: looking at all of it again would not find more. */
static uint32_t
begin(struct gathering *gathering, const struct leaders *old, uint32_t wanted)
{
    uint32_t h = 0;

    for (uint32_t i = 0; old != NULL && i < old->count; i++)
        if (!is_gone(gathering, old->rows[i].row))
            gathering->rows[gathering->count++] = old->rows[i];
    if (old != NULL && gathering->count >= (wanted < old->whole ? wanted : old->whole) / 2) {
        gathering->known = gathering->count;
        gathering->least = old->least;
        return old->blocks;
    }
    gathering->count = 0;
    while (h + 1 < POSTING_HINTS && (uint32_t) 1 << (POSTING_HINT_BITS_FIRST + h) < wanted)
        h++;
    gathering->least = atomic_load_explicit(&((struct posting_directory *) (uintptr_t) gathering->directory)->hints[h],
                                            memory_order_relaxed);
    if (gathering->least == POSTING_TAG_LEAST)
        gathering->least++; /* which is NULL's */
    return 0;
}

static uint32_t
leaders_wanted(uint32_t blocks)
{
    uint32_t wanted = blocks * (POSTING_BLOCK_ROWS / 8);

    if (wanted > LEADERS_DENSE)
        wanted = blocks * (POSTING_BLOCK_ROWS / 32) > LEADERS_DENSE ? blocks * (POSTING_BLOCK_ROWS / 32)
                                                                    : LEADERS_DENSE;
    return wanted < LEADERS_MAX ? wanted : LEADERS_MAX;
}

static uint32_t
late_wanted(uint32_t wanted)
{
    return wanted / 4 < LATE_MIN ? LATE_MIN : wanted / 4 < LATE_MAX ? wanted / 4 : LATE_MAX;
}

/* Those that were known are in order, as are the others. */
static struct leaders *
leaders_from(const struct gathering *gathering, const struct table_data *table, uint32_t blocks, uint32_t late_room)
{
    struct leaders *leaders =
        epoch_get(table->epochs, sizeof *leaders + (gathering->count + late_room) * sizeof leaders->rows[0]);
    const struct leader *known = gathering->rows, *known_end = known + gathering->known, *other = known_end;
    const struct leader *other_end = gathering->rows + gathering->count;

    if (leaders == NULL)
        return NULL;
    leaders->blocks = blocks;
    leaders->count = gathering->count;
    leaders->least = gathering->least;
    leaders->late_room = late_room;
    atomic_init(&leaders->late_count, 0);
    for (uint32_t i = 0; i < gathering->count; i++) {
        bool takes_other = known == known_end || (other < other_end && comes_before(table, other, known));

        leaders->rows[i] = takes_other ? *other++ : *known++;
    }
    return leaders;
}

/* One of a tag that is told of. Where there is no room for it, it is known to be missing. */
static void
add_late(struct leaders *leaders, const struct table_data *table, uint32_t ranking, uint32_t row, posting_tag tag)
{
    uint32_t       count = atomic_load_explicit(&leaders->late_count, memory_order_relaxed);
    struct leader *leader = &leaders->rows[leaders->count + count];

    if (count > leaders->late_room)
        return;
    if (count < leaders->late_room) {
        *leader = (struct leader) { .row = row, .tag = tag };
        look_at_cells(table, ranking, leader);
    }
    atomic_store_explicit(&leaders->late_count, count + 1, memory_order_release); /* L1 */
}

/* Of the block that is being filled. */
static void
add_last_block(struct leaders *leaders, const struct gathering *gathering, uint32_t ranking, uint32_t fill)
{
    const struct posting_block *last = gathering->directory->blocks[leaders->blocks];

    for (uint32_t i = 0; i < fill; i++)
        if (last->tags[i] >= leaders->least && !is_gone(gathering, last->rows[i]))
            add_late(leaders, gathering->table, ranking, last->rows[i], last->tags[i]);
}

bool
leaders_renew(struct table_data *table, uint32_t column, struct posting *posting)
{
    uint32_t                  ranking = table->definition->columns[column].beside;
    struct posting_rows      *rows = atomic_load_explicit(&posting->rows, memory_order_relaxed);
    struct posting_directory *directory = posting_rows_directory(rows);
    struct gathering          gathering = { .table = table, .directory = directory };
    struct leaders           *old, *leaders;
    uint32_t                  count, blocks, wanted, first;
    uint64_t                  newest, readers;

    if (directory == NULL || ranking == 0 || !table->definition->columns[ranking].is_rate)
        return true; /* there are never any */
    old = atomic_load_explicit(&directory->leaders, memory_order_relaxed);
    count = atomic_load_explicit(&rows->count, memory_order_relaxed);
    blocks = count >> POSTING_BLOCK_BITS;
    wanted = leaders_wanted(blocks);
    if (blocks < LIST_BLOCKS_MIN)
        return false;
    gathering.rows = allocator_get(table->epochs->allocator, GATHERED_MAX * sizeof *gathering.rows);
    if (gathering.rows == NULL)
        return false;
    /* Without the last change: who moves rows notes it before its moment is published. */
    newest = atomic_load_explicit(&table->last_change, memory_order_relaxed);
    gathering.oldest = epoch_oldest_view(table->epochs, newest > 0 ? newest - 1 : 0, &readers);
    first = begin(&gathering, old, wanted);
    for (uint32_t b = first; b < blocks; b++)
        gather(&gathering, b);
    narrow(&gathering, wanted);
    look_at_all_cells(&gathering, table, ranking);
    sort_leaders(table, gathering.rows + gathering.known, gathering.count - gathering.known);
    leaders = leaders_from(&gathering, table, blocks, late_wanted(wanted));
    allocator_put(table->epochs->allocator, gathering.rows, GATHERED_MAX * sizeof *gathering.rows);
    if (leaders == NULL)
        return false;
    leaders->whole = first == 0 ? leaders->count : old->whole;
    if ((count & (POSTING_BLOCK_ROWS - 1)) != 0)
        add_last_block(leaders, &gathering, ranking, count & (POSTING_BLOCK_ROWS - 1));
    atomic_fetch_add_explicit(&table->dictionaries[column].posting_bytes,
                              posting_leaders_bytes(leaders) - posting_leaders_bytes(old), memory_order_relaxed);
    atomic_store(&directory->leaders, leaders); /* L2 */
    epoch_retire(table->epochs, old);
    return true;
}

void
leaders_add(struct table_data *table, uint32_t column, struct posting *posting, uint32_t row, posting_tag tag)
{
    struct posting_directory *directory =
        posting_rows_directory(atomic_load_explicit(&posting->rows, memory_order_relaxed));
    struct leaders *leaders = directory != NULL ? atomic_load_explicit(&directory->leaders, memory_order_relaxed)
                                                : NULL;
    uint32_t        late_count;

    if (leaders == NULL)
        return;
    if (leaders->late_room == 0) { /* compacting made them */
        (void) leaders_renew(table, column, posting);
        return;
    }
    if (tag < leaders->least)
        return;
    late_count = atomic_load_explicit(&leaders->late_count, memory_order_relaxed);
    add_late(leaders, table, table->definition->columns[column].beside, row, tag);
    /* Where no block was closed since, there would be no more room than now: when it is, posting_add() says so. */
    if (late_count == leaders->late_room &&
        atomic_load_explicit(&directory->head.count, memory_order_relaxed) >> POSTING_BLOCK_BITS > leaders->blocks)
        (void) leaders_renew(table, column, posting);
}
