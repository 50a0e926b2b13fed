/* snapshot.c - what has changed since the last snapshot, found and written.
 *
 * The rows that the view sees and the parts of the last snapshot are walked side by side,
 * in the order of the rows. Each part then is one of
 *
 *     as it was      all of its rows that lived then live now: nothing is written
 *     less           some have ended: told in the part of ends, of which a table has one
 *     not worth it   most have ended, or it is one of many small ones: what lives of it is written anew
 *     gone           none lives
 *
 * and rows that no part holds are written into new ones (snapshot_plan.c decides). A full chunk of
 * rows that does not change is thus written once. The walk looks at one word of memory a row and at no disk. Texts
 * that repeat are written with each block that has them, and not as dictionaries of their own: forty
 * distinct texts are a kilobyte in 8,192 rows, and a block that explains itself can be read,
 * checked and lost alone. */
#include "persist/snapshot.h"

#include "base/error.h"
#include "persist/ends_file.h"
#include "persist/file_name.h"
#include "persist/part_format.h"
#include "persist/part_writer.h"
#include "persist/snapshot_plan.h"

#include <string.h>

#define LIVING_WORDS (PART_ROWS_MAX / 64)

struct writing {
    struct allocator              *allocator;
    const struct snapshot_options *options;
    const struct view             *view;
    struct manifest               *manifest;
    struct coverage               *after;
    struct part_writer             parts;
    struct plan_item              *items; /* of the table under way; they hold their covers */
    size_t                         item_count;
    size_t                         item_capacity;
    row_number                    *rows; /* of the part being written */
    size_t                         row_capacity;
    uint64_t                       living[LIVING_WORDS]; /* rows of a cover that the view sees */
};

/* ---- what there is ---- */

static knackdb_status
add_item(struct writing *writing, const struct plan_item *item, knackdb_error *error)
{
    struct plan_item *items = allocator_make_room(writing->allocator, writing->items, writing->item_count + 1,
                                                  &writing->item_capacity, sizeof *items);

    if (items == NULL)
        return error_no_memory(error, "a snapshot");
    writing->items = items;
    writing->items[writing->item_count++] = *item;
    return KNACKDB_OK;
}

static void
clear_items(struct writing *writing)
{
    for (size_t i = 0; i < writing->item_count; i++)
        cover_put(writing->allocator, writing->items[i].cover);
    writing->item_count = 0;
}

/* Rows up to `end` that no part holds. *row: the next that the view sees. */
static knackdb_status
walk_new(struct writing *writing, uint32_t table, row_number end, row_number *row, knackdb_error *error)
{
    struct plan_item item = { .first = *row };

    while (*row < end) {
        item.end = *row + 1;
        item.row_count++;
        *row = view_next_row(writing->view, table, item.end);
    }
    return item.row_count > 0 ? add_item(writing, &item, error) : KNACKDB_OK;
}

/* Do rows that the view sees in from..end - 1 still lie in the chunk of that name? */
static bool
are_at_home(const struct writing *writing, uint32_t table, row_number from, row_number end, uint64_t identity)
{
    row_number row = view_next_row(writing->view, table, from);

    return row < end && view_chunk_identity(writing->view, table, row) == identity;
}

/* Where the rows of a part can still be: its chunks, or one of two, may have gone, and others have come to stand there.
 * Without any that live the stretch is empty, at its beginning. */
static void
find_stretch(const struct writing *writing, uint32_t table, const struct cover *cover, row_number *ret_first,
             row_number *ret_end)
{
    row_number end = cover->first + cover->span;
    row_number border = (end - 1) & ~(row_number) (PART_ROWS_MAX - 1); /* the last chunk begins here */

    if (border < cover->first)
        border = cover->first;
    *ret_first = are_at_home(writing, table, cover->first, border, cover->identities[0]) ? cover->first : border;
    *ret_end = are_at_home(writing, table, border, end, cover->identities[1]) ? end : border;
    if (*ret_first == *ret_end)
        *ret_first = *ret_end = cover->first;
}

/* Marks in `living` which rows of first..end - 1 the view sees; counts those that the part holds, and says
 * whether there are others: none should have come between them, and if any did, all are written. */
static uint32_t
walk_stretch(struct writing *writing, uint32_t table, const struct cover *cover, row_number end, row_number *row,
             bool *ret_others)
{
    uint32_t count = 0;

    memset(writing->living, 0, bitmap_bytes(cover->span));
    *ret_others = false;
    while (*row < end) {
        uint32_t place = *row - cover->first;

        if (cover->rows == NULL || bitmap_has(cover->rows, place)) {
            bitmap_set(writing->living, place);
            count++;
        } else {
            *ret_others = true;
        }
        *row = view_next_row(writing->view, table, *row + 1);
    }
    return count;
}

static knackdb_status
walk_cover(struct writing *writing, uint32_t table, struct cover *cover, row_number *row, knackdb_error *error)
{
    struct plan_item item = { .cover = cover };
    knackdb_status   status;

    find_stretch(writing, table, cover, &item.first, &item.end);
    status = walk_new(writing, table, item.first, row, error);
    if (status != KNACKDB_OK || item.first == item.end)
        return status;
    item.row_count = walk_stretch(writing, table, cover, item.end, row, &item.is_written);
    item.ended_count = (uint32_t) cover->part.row_count - item.row_count;
    if (item.row_count == 0 && !item.is_written)
        return KNACKDB_OK;
    if (item.row_count == cover_living(cover)) {
        cover->references++;
    } else {
        item.cover = cover_without(writing->allocator, cover, writing->living);
        if (item.cover == NULL)
            return error_no_memory(error, "a snapshot");
    }
    status = add_item(writing, &item, error);
    if (status != KNACKDB_OK)
        cover_put(writing->allocator, item.cover);
    return status;
}

static knackdb_status
walk_table(struct writing *writing, uint32_t table, const struct cover_list *before, knackdb_error *error)
{
    row_number     row = view_next_row(writing->view, table, 0);
    knackdb_status status = KNACKDB_OK;

    for (size_t i = 0; i < before->count && status == KNACKDB_OK; i++) {
        status = part_writer_check_cancelled(&writing->parts, error);
        if (status == KNACKDB_OK)
            status = walk_cover(writing, table, before->covers[i], &row, error);
    }
    return status == KNACKDB_OK ? walk_new(writing, table, ROW_NONE, &row, error) : status;
}

/* ---- what is written ---- */

static knackdb_status
write_part(struct writing *writing, uint32_t table, uint32_t row_count, knackdb_error *error)
{
    row_number           first = writing->rows[0];
    row_number           last = writing->rows[row_count - 1];
    struct manifest_part part;
    struct cover        *cover;
    knackdb_status       status;

    status = part_writer_write(&writing->parts, table, writing->manifest->next_part++, writing->rows, row_count, &part,
                               error);
    if (status != KNACKDB_OK)
        return status;
    cover = cover_new(writing->allocator, &part, first, last - first + 1);
    if (cover != NULL && cover->span != row_count)
        cover->rows = allocator_get_zeroed(writing->allocator, bitmap_bytes(cover->span));
    if (cover == NULL || (cover->rows == NULL && cover->span != row_count)) {
        cover_put(writing->allocator, cover);
        return error_no_memory(error, "what a snapshot holds");
    }
    for (uint32_t i = 0; i < row_count && cover->rows != NULL; i++)
        bitmap_set(cover->rows, writing->rows[i] - first);
    cover->identities[0] = view_chunk_identity(writing->view, table, first);
    cover->identities[1] = view_chunk_identity(writing->view, table, last);
    status = coverage_add(writing->after, table, cover, error);
    cover_put(writing->allocator, cover);
    return status;
}

static knackdb_status
add_row(struct writing *writing, uint32_t count, row_number row, knackdb_error *error)
{
    row_number *rows =
        allocator_make_room(writing->allocator, writing->rows, count + 1, &writing->row_capacity, sizeof *rows);

    if (rows == NULL)
        return error_no_memory(error, "a part of a snapshot");
    writing->rows = rows;
    writing->rows[count] = row;
    return KNACKDB_OK;
}

/* Every row that the view sees from `first` on and before `end`, in parts as large as they may be. */
static knackdb_status
write_rows(struct writing *writing, uint32_t table, row_number first, row_number end, knackdb_error *error)
{
    row_number     row = view_next_row(writing->view, table, first);
    uint32_t       count = 0;
    knackdb_status status = KNACKDB_OK;

    while (row < end && status == KNACKDB_OK) {
        status = add_row(writing, count, row, error);
        count++;
        row = view_next_row(writing->view, table, row + 1);
        if (status == KNACKDB_OK && (row >= end || row - writing->rows[0] >= PART_ROWS_MAX)) {
            status = write_part(writing, table, count, error);
            count = 0;
        }
    }
    return status;
}

static knackdb_status
write_table(struct writing *writing, uint32_t table, knackdb_error *error)
{
    const struct plan_item *items = writing->items;
    knackdb_status          status = KNACKDB_OK;
    size_t                  i = 0;

    while (i < writing->item_count && status == KNACKDB_OK) {
        size_t run = i;

        while (i < writing->item_count && items[i].is_written)
            i++;
        if (i > run)
            status = write_rows(writing, table, items[run].first, items[i - 1].end, error);
        else
            status = coverage_add(writing->after, table, items[i++].cover, error);
    }
    return status;
}

/* ---- what the manifest says ---- */

/* Does the part of ends of `before` tell what the covers of `after` do, and no more? */
static bool
are_ends_the_same(const struct cover_list *before, const struct cover_list *after)
{
    uint64_t row_count = 0;
    size_t   b = 0;

    for (size_t a = 0; a < after->count; a++) {
        if (after->covers[a]->ended == NULL)
            continue;
        while (b < before->count && before->covers[b] != after->covers[a])
            b++;
        if (b == before->count)
            return false;
        row_count += after->covers[a]->ended_count;
    }
    return row_count == before->ends.row_count;
}

static knackdb_status
name_parts(struct writing *writing, uint32_t table, const struct cover_list *before, knackdb_error *error)
{
    struct manifest   *manifest = writing->manifest;
    struct cover_list *list = &writing->after->tables[table];
    knackdb_status     status = KNACKDB_OK;

    if (are_ends_the_same(before, list))
        list->ends = before->ends;
    else
        status = ends_file_write(&writing->parts, table, list, &manifest->next_part, error);
    if (status == KNACKDB_OK && list->ends.number != 0)
        status = manifest_add_part(manifest, &list->ends, error);
    for (size_t i = 0; i < list->count && status == KNACKDB_OK; i++) {
        status = manifest_add_part(manifest, &list->covers[i]->part, error);
        manifest->tables[table].row_count += cover_living(list->covers[i]);
    }
    return status;
}

knackdb_status
snapshot_write(struct allocator *allocator, const struct snapshot_options *options, const struct view *view,
               struct coverage *before, struct manifest *manifest, struct coverage *after, knackdb_error *error)
{
    struct writing *writing = allocator_get_zeroed(allocator, sizeof *writing);
    uint64_t        first_part = manifest->next_part;
    knackdb_status  status;

    if (writing == NULL)
        return error_no_memory(error, "a snapshot");
    writing->allocator = allocator;
    writing->options = options;
    writing->view = view;
    writing->manifest = manifest;
    writing->after = after;
    writing->parts = (struct part_writer) {
        .allocator = allocator,
        .dir = options->dir,
        .file_mode = options->file_mode,
        .cancelled = options->cancelled,
        .view = view,
        .store_id = manifest->store_id,
    };
    status = part_writer_init(&writing->parts, error);
    for (uint32_t table = 0; table < manifest->table_count && status == KNACKDB_OK; table++) {
        status = walk_table(writing, table, &before->tables[table], error);
        plan_snapshot(writing->items, writing->item_count);
        if (status == KNACKDB_OK)
            status = write_table(writing, table, error);
        if (status == KNACKDB_OK)
            status = name_parts(writing, table, &before->tables[table], error);
        clear_items(writing);
    }
    for (uint64_t number = first_part; status != KNACKDB_OK && number < manifest->next_part; number++) {
        char name[DISK_NAME_BYTES_MAX];

        file_name_write(name, FILE_PART, number);
        (void) dir_remove(options->dir, name, NULL);
    }
    part_writer_clear(&writing->parts);
    if (writing->items != NULL)
        allocator_put(allocator, writing->items, writing->item_capacity * sizeof *writing->items);
    allocator_put(allocator, writing->rows, writing->row_capacity * sizeof *writing->rows);
    allocator_put(allocator, writing, sizeof *writing);
    return status;
}
