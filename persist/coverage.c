/* coverage.c - see coverage.h. */
#include "persist/coverage.h"

#include "base/error.h"

#include <string.h>

void
coverage_init(struct coverage *coverage, struct allocator *allocator)
{
    memset(coverage, 0, sizeof *coverage);
    coverage->allocator = allocator;
}

void
coverage_clear(struct coverage *coverage)
{
    struct allocator *allocator = coverage->allocator;

    if (allocator == NULL)
        return;
    for (uint32_t table = 0; table < KNACKDB_TABLES_MAX; table++) {
        struct cover_list *list = &coverage->tables[table];

        for (size_t i = 0; i < list->count; i++)
            cover_put(allocator, list->covers[i]);
        if (list->covers != NULL)
            allocator_put(allocator, list->covers, list->capacity * sizeof *list->covers);
    }
    coverage_init(coverage, allocator);
}

struct cover *
cover_new(struct allocator *allocator, const struct manifest_part *part, row_number first, uint32_t span)
{
    struct cover *cover = allocator_get_zeroed(allocator, sizeof *cover);

    if (cover == NULL)
        return NULL;
    cover->references = 1;
    cover->part = *part;
    cover->first = first;
    cover->span = span;
    return cover;
}

void
cover_put(struct allocator *allocator, struct cover *cover)
{
    if (cover == NULL || --cover->references > 0)
        return;
    if (cover->rows != NULL)
        allocator_put(allocator, cover->rows, bitmap_bytes(cover->span));
    if (cover->ended != NULL)
        allocator_put(allocator, cover->ended, bitmap_bytes(cover->part.row_count));
    allocator_put(allocator, cover, sizeof *cover);
}

knackdb_status
coverage_add(struct coverage *coverage, uint32_t table, struct cover *cover, knackdb_error *error)
{
    struct cover_list *list = &coverage->tables[table];
    struct cover     **covers =
        allocator_make_room(coverage->allocator, list->covers, list->count + 1, &list->capacity, sizeof *covers);

    if (covers == NULL)
        return error_no_memory(error, "what a snapshot holds");
    list->covers = covers;
    list->covers[list->count++] = cover;
    cover->references++;
    return KNACKDB_OK;
}

struct cover *
cover_without(struct allocator *allocator, const struct cover *cover, const uint64_t *living)
{
    struct cover *less = cover_new(allocator, &cover->part, cover->first, cover->span);
    uint32_t      place = 0;

    if (less == NULL)
        return NULL;
    memcpy(less->identities, cover->identities, sizeof less->identities);
    less->ended_count = cover->ended_count;
    less->rows = allocator_get_zeroed(allocator, bitmap_bytes(cover->span));
    less->ended = allocator_get_zeroed(allocator, bitmap_bytes(cover->part.row_count));
    if (less->rows == NULL || less->ended == NULL) {
        cover_put(allocator, less);
        return NULL;
    }
    if (cover->ended != NULL)
        memcpy(less->ended, cover->ended, bitmap_bytes(cover->part.row_count));
    for (uint32_t i = 0; i < cover->span; i++) {
        if (cover->rows != NULL && !bitmap_has(cover->rows, i))
            continue;
        while (bitmap_has(cover->ended, place))
            place++;
        if (bitmap_has(living, i)) {
            bitmap_set(less->rows, i);
        } else {
            bitmap_set(less->ended, place);
            less->ended_count++;
        }
        place++;
    }
    return less;
}
