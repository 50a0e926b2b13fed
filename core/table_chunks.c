/* table_chunks.c - chunks of a table: beginning them, numbering them, walking through them. */
#include "core/table.h"

#include "base/error.h"

/* A small table has few pages that it may not need; a large one gets what a 2 MiB page holds. */
#define PAGES_STEP_SMALL ((size_t) 128 * 1024)

/* A number that no chunk has, with the memory to keep what is known of it. */
static knackdb_status
find_number(struct table_data *table, uint32_t *ret_number, knackdb_error *error)
{
    uint32_t      number = table->free_hint;
    struct chunk *group;

    while (number < atomic_load_explicit(&table->chunk_end, memory_order_relaxed)
           && atomic_load_explicit(&table_chunk_at(table, number)->arrays, memory_order_relaxed) != NULL)
        number++;
    table->free_hint = number;
    if (number >= CHUNK_GROUPS * CHUNKS_PER_GROUP)
        return error_set(error, KNACKDB_FULL, "%s holds as many row versions as there are row numbers",
                         table->definition->name);
    if (atomic_load_explicit(&table->groups[number / CHUNKS_PER_GROUP], memory_order_relaxed) == NULL) {
        group = allocator_get_zeroed(table->epochs->allocator, CHUNKS_PER_GROUP * sizeof *group);
        if (group == NULL)
            return error_no_memory(error, "a table");
        atomic_store_explicit(&table->groups[number / CHUNKS_PER_GROUP], group, memory_order_release);
    }
    *ret_number = number;
    return KNACKDB_OK;
}

/* Begins a chunk whose first row is born at `moment`. */
static knackdb_status
open_chunk(struct table_data *table, uint64_t moment, knackdb_error *error)
{
    struct allocator *allocator = table->epochs->allocator;
    bool              is_large = table->filling != CHUNK_NONE
                    && atomic_load_explicit(&table->living, memory_order_relaxed) >= CHUNK_ROWS / 2;
    uint32_t          number = 0;
    struct chunk     *chunk;
    unsigned char    *arrays;
    knackdb_status    status = find_number(table, &number, error);

    if (status != KNACKDB_OK)
        return status;
    arrays = allocator_get_pages(allocator, table->chunk_bytes);
    if (arrays == NULL)
        return error_no_memory(error, "rows");
    if (!allocator_pages_are_zero(allocator))
        memset(arrays + table->exact_offset, 0, table->chunk_bytes - table->exact_offset);
    /* A table of more than a chunk is read at random over many pages, and 2 MiB ones save most of
     * the look-ups of addresses. A small table must not pay for pages it does not fill. */
    if (is_large) {
        allocator_advise_huge(allocator, arrays, table->exact_offset);
        allocator_advise_huge(allocator, atomic_load_explicit(&table_chunk_at(table, table->filling)->arrays,
                                                              memory_order_relaxed), table->exact_offset);
    }
    chunk = table_chunk_at(table, number);
    chunk->dead_count = 0;
    chunk->older = table->filling;
    chunk->state = CHUNK_KEPT;
    chunk->is_large = is_large;
    chunk->identity = ++table->chunk_count;
    chunk->born = moment;
    atomic_store_explicit(&chunk->arrays, arrays, memory_order_release);
    if (number >= atomic_load_explicit(&table->chunk_end, memory_order_relaxed))
        atomic_store_explicit(&table->chunk_end, number + 1, memory_order_release);
    table->filling = number;
    table->filled = 0;
    table->pages = (struct pages_ahead) { 0 };
    return KNACKDB_OK;
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
            if (table_row_visible(table, number << CHUNK_ROW_BITS | place, moment))
                return number << CHUNK_ROW_BITS | place;
        place = 0;
    }
    return ROW_NONE;
}
