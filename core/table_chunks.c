/* table_chunks.c - chunks of a table: beginning them, numbering them, walking through them. */
#include "core/table.h"

#include "base/error.h"

/* A small table has few pages that it may not need; a large one gets what a 2 MiB page holds. */
#define PAGES_STEP_SMALL ((size_t) 128 * 1024)

_Static_assert((uint64_t) CHUNK_GROUPS *CHUNKS_PER_GROUP *CHUNK_ROWS <= INDEX_VALUE_MAX, "a row number fits an index");

/* The lowest number that no chunk has. */
static knackdb_status
find_number(struct table_data *table, uint32_t *ret_number, knackdb_error *error)
{
    uint32_t number = table->free_hint;

    while (number < atomic_load_explicit(&table->chunk_end, memory_order_relaxed) &&
           atomic_load_explicit(&table_chunk_at(table, number)->arrays, memory_order_relaxed) != NULL)
        number++;
    table->free_hint = number;
    *ret_number = number;
    if (number >= CHUNK_GROUPS * CHUNKS_PER_GROUP)
        return error_set(error, KNACKDB_FULL, "%s holds as many row versions as there are row numbers",
                         table->definition->name);
    return KNACKDB_OK;
}

/* Makes room for what is known of a chunk of this number. */
static knackdb_status
reserve_number(struct table_data *table, uint32_t number, knackdb_error *error)
{
    struct chunk *group = atomic_load_explicit(&table->groups[number / CHUNKS_PER_GROUP], memory_order_relaxed);

    if (group != NULL)
        return KNACKDB_OK;
    group = allocator_get_zeroed(table->epochs->allocator, CHUNKS_PER_GROUP * sizeof *group);
    if (group == NULL)
        return error_no_memory(error, "a table");
    atomic_store_explicit(&table->groups[number / CHUNKS_PER_GROUP], group, memory_order_release);
    return KNACKDB_OK;
}

/* The chunk of this number, which has none yet; its first row is born at `moment`. A table of more than a chunk
 * (is_large) is read at random over many pages, and 2 MiB ones save most of the look-ups of addresses. A small
 * table must not pay for pages it does not fill. */
static knackdb_status
make_chunk(struct table_data *table, uint32_t number, uint32_t older, uint64_t identity, uint64_t moment, bool is_large,
           knackdb_error *error)
{
    struct allocator *allocator = table->epochs->allocator;
    struct chunk     *chunk;
    unsigned char    *arrays;
    knackdb_status    status = reserve_number(table, number, error);

    if (status != KNACKDB_OK)
        return status;
    arrays = allocator_get_pages(allocator, table->chunk_bytes);
    if (arrays == NULL)
        return error_no_memory(error, "rows");
    allocator_advise_small(allocator, arrays + table->ends_offset, table->chunk_bytes - table->ends_offset);
    if (is_large)
        allocator_advise_huge(allocator, arrays, table->large_bytes);
    if (table->is_dirty)
        memset(arrays + table->touched_offset, 0, TABLE_TOUCHED_BYTES);
    chunk = table_chunk_at(table, number);
    chunk->dead_count = 0;
    chunk->older = older;
    chunk->state = CHUNK_KEPT;
    chunk->is_large = is_large;
    chunk->identity = identity;
    chunk->born = moment;
    atomic_store_explicit(&chunk->arrays, arrays, memory_order_release);
    if (number >= atomic_load_explicit(&table->chunk_end, memory_order_relaxed))
        atomic_store_explicit(&table->chunk_end, number + 1, memory_order_release);
    return KNACKDB_OK;
}

void
table_clear_apart(struct table_data *table, row_number first, uint32_t count)
{
    unsigned char *arrays = table_arrays(table, first);

    for (uint32_t a = 0; a < table->chunk_array_count; a++) {
        const struct table_array *array = &table->chunk_arrays[a];

        for (uint32_t i = 0; i < count; i++)
            table_touch(table, first + i, array->offset, array->width);
        memset(arrays + array->offset + (first & CHUNK_ROW_MASK) * array->width, 0, count * array->width);
    }
}

void
table_count_off(struct table_data *table, const unsigned char *arrays)
{
    const uint64_t *touched = (const uint64_t *) (const void *) (arrays + table->touched_offset);
    uint64_t        pages = 0;

    for (size_t i = 0; i < TABLE_TOUCHED_BYTES / sizeof touched[0]; i++)
        pages += (uint64_t) __builtin_popcountll(touched[i]);
    atomic_fetch_sub_explicit(&table->apart_bytes, pages << table->page_bits, memory_order_relaxed);
}

/* Begins a chunk whose first row is born at `moment`. */
static knackdb_status
open_chunk(struct table_data *table, uint64_t moment, knackdb_error *error)
{
    bool is_large = table->filling != CHUNK_NONE &&
                    atomic_load_explicit(&table->living, memory_order_relaxed) >= CHUNK_ROWS / 2;
    uint32_t       number = 0;
    knackdb_status status = find_number(table, &number, error);

    if (status == KNACKDB_OK)
        status = make_chunk(table, number, table->filling, table->chunk_count + 1, moment, is_large, error);
    if (status != KNACKDB_OK)
        return status;
    if (is_large)
        allocator_advise_huge(table->epochs->allocator,
                              atomic_load_explicit(&table_chunk_at(table, table->filling)->arrays,
                                                   memory_order_relaxed),
                              table->large_bytes);
    table->chunk_count++;
    table->filling = number;
    table->filled = 0;
    table->pages = (struct pages_ahead) { 0 };
    return KNACKDB_OK;
}

knackdb_status
table_reserve_run(struct table_data *table, uint64_t first, uint32_t count, bool is_large, knackdb_error *error)
{
    knackdb_status status = KNACKDB_OK;

    if (count == 0)
        return KNACKDB_OK;
    if (first + count > (uint64_t) CHUNK_GROUPS * CHUNKS_PER_GROUP * CHUNK_ROWS)
        return error_set(error, KNACKDB_FULL, "%s holds more rows than there are row numbers", table->definition->name);
    for (uint32_t number = (uint32_t) (first >> CHUNK_ROW_BITS);
         number <= (first + count - 1) >> CHUNK_ROW_BITS && status == KNACKDB_OK; number++) {
        if (number < atomic_load_explicit(&table->chunk_end, memory_order_relaxed)) {
            status = reserve_number(table, number, error); /* one behind it may have come first */
            if (status == KNACKDB_OK &&
                atomic_load_explicit(&table_chunk_at(table, number)->arrays, memory_order_relaxed) != NULL)
                continue;
        }
        if (status == KNACKDB_OK)
            status = make_chunk(table, number, number > 0 ? number - 1 : CHUNK_NONE, (uint64_t) number + 1, 0, is_large,
                                error);
    }
    if (status == KNACKDB_OK && first + count > table->rows_added)
        table->rows_added = first + count;
    return status;
}

void
table_publish_runs(struct table_data *table)
{
    uint32_t chunks = (uint32_t) ((table->rows_added + CHUNK_ROWS - 1) >> CHUNK_ROW_BITS);
    uint64_t left = table->rows_added;
    size_t   ready;

    if (chunks == 0)
        return;
    for (uint64_t row = 0; row < table->rows_added; row += GROUP_ROWS)
        atomic_store_explicit(table_settled(table, (row_number) row), 0, memory_order_relaxed); /* T6: all live */
    for (uint32_t number = 0; number < chunks; number++, left -= CHUNK_ROWS)
        atomic_store_explicit(&table_chunk_at(table, number)->row_count,
                              left < CHUNK_ROWS ? (uint32_t) left : CHUNK_ROWS, memory_order_release); /* T1 */
    table->chunk_count = chunks;
    table->filling = chunks - 1;
    table->filled = (uint32_t) (table->rows_added - ((uint64_t) (chunks - 1) << CHUNK_ROW_BITS));
    ready = (table->filled >> GROUP_ROW_BITS) * table->group_bytes;
    table->pages = (struct pages_ahead) { .ready = ready, .ask_at = ready };
    atomic_store_explicit(&table->row_count, table->rows_added, memory_order_relaxed);
}

/* Where the next row goes. */
knackdb_status
table_reserve_row(struct table_data *table, uint64_t moment, row_number *ret_row, knackdb_error *error)
{
    if (table->filling == CHUNK_NONE || table->filled == CHUNK_ROWS) {
        knackdb_status status = open_chunk(table, moment, error);

        if (status != KNACKDB_OK)
            return status;
    }
    if (moment < table_chunk_at(table, table->filling)->born)
        table_chunk_at(table, table->filling)->born = moment; /* the commit for which it was made has failed */
    *ret_row = table_row_number_next(table);
    if ((table->filled & GROUP_ROW_MASK) == 0)
        pages_ahead_keep(&table->pages, table->epochs->allocator, table_arrays(table, *ret_row),
                         (CHUNK_ROWS >> GROUP_ROW_BITS) * table->group_bytes,
                         ((table->filled >> GROUP_ROW_BITS) + 1) * table->group_bytes,
                         table_chunk(table, *ret_row)->is_large ? ALLOCATOR_HUGE_BYTES : PAGES_STEP_SMALL);
    return KNACKDB_OK;
}

row_number
table_next_row(const struct table_data *table, row_number from, uint64_t moment)
{
    uint32_t end = table_chunk_end(table);
    uint32_t place = from & CHUNK_ROW_MASK;

    for (uint32_t number = from >> CHUNK_ROW_BITS; number < end; number++) {
        uint32_t rows = table_chunk_rows(table, number);

        for (; place < rows; place++)
            if (table_row_shown(table, number << CHUNK_ROW_BITS | place, moment))
                return number << CHUNK_ROW_BITS | place;
        place = 0;
    }
    return ROW_NONE;
}
