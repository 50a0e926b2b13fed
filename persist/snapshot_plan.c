/* snapshot_plan.c - see snapshot_plan.h.
 *
 * Rows that no part holds are written. A part most of whose rows have ended is written again, without
 * them: that gives the disk back, and costs no more than what has ended. And small parts are
 * brought together, or a store that is snapshot often would end up in thousands of
 * files. How often a row is written again for that is a bargain:
 *
 *     full     Parts that stand together in a stretch of rows that is full, so that nothing more can join them
 *              (a part spans at most PART_ROWS_MAX row numbers), become one. Once for each row.
 *     many     PARTS_MANY neighbours of a size (below 32 rows, below 1,024, below 32,768) become one. Once for each
 *              size: a row written in a part of 2,048 rows or more meets "full" before this.
 *
 * So over a long life with snapshots every 64 MiB of log, which is some 200,000 rows, a row is
 * written 1.1 times; with one every 2,048 rows twice; with one every few rows up to
 * four times, and there the manifests cost more than the rows. At any time fewer than a
 * hundred parts of a table are small. */
#include "persist/snapshot_plan.h"

#include "persist/part_format.h"

#define PARTS_MANY   32u
#define ROWS_LARGE   (PART_ROWS_MAX / 2) /* a part of as many is left alone */
#define SIZE_CLASSES 3u

/* 0: below 32 rows, 1: below 1,024, 2: below 32,768. */
static uint32_t
size_class(uint64_t row_count)
{
    uint32_t class = 0;

    for (uint64_t limit = PARTS_MANY; row_count >= limit; limit *= PARTS_MANY)
        class ++;
    return class;
}

static void
write_all(struct plan_item *items, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++)
        items[i].is_written = true;
}

/* The rule of many, for the neighbours [first, end): the newest, which are the smaller ones, are at the end. */
static void
bring_together_many(struct plan_item *items, size_t first, size_t end)
{
    size_t   merged = end; /* from here on they are one already */
    uint64_t merged_rows = 0;

    for (uint32_t class = 0; class < SIZE_CLASSES; class ++) {
        size_t   start = merged;
        uint64_t rows = merged_rows;
        uint32_t count = merged < end && size_class(merged_rows) == class;

        while (start > first && size_class(items[start - 1].row_count) <= class) {
            rows += items[--start].row_count;
            count += size_class(items[start].row_count) == class;
        }
        if (count < PARTS_MANY)
            continue;
        merged = start;
        merged_rows = rows;
    }
    write_all(items, merged, end);
}

static bool
is_large(const struct plan_item *item)
{
    return item->cover != NULL && !item->is_written && item->row_count >= ROWS_LARGE;
}

void
plan_snapshot(struct plan_item *items, size_t count)
{
    size_t first = 0; /* of the neighbours that may be brought together */

    for (size_t i = 0; i < count; i++)
        items[i].is_written |= items[i].cover == NULL || items[i].ended_count > items[i].row_count;
    for (size_t i = 0; i < count; i++) {
        bool overflows = i > first && items[i].end - items[first].first > PART_ROWS_MAX;

        if (is_large(&items[i])) {
            bring_together_many(items, first, i);
            first = i + 1;
        } else if (overflows && items[i].cover == NULL) {
            /* New rows fill the stretch up and go on behind it. */
            write_all(items, first, i + 1);
            first = i + 1;
        } else if (overflows) {
            if (i - first > 1)
                write_all(items, first, i);
            first = i;
        }
    }
    bring_together_many(items, first, count);
}
