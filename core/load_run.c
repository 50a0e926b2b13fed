/* load_run.c - see load_run.h; the letters R1 and R2 refer to it. Keys are load_keys.c's. */
#include "core/load_run_state.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/utf8.h"
#include "core/carried.h"

#include <float.h>
#include <math.h>

#define SOURCE_NULL UINT32_MAX

struct load_run *
load_run_new(struct store *store)
{
    struct load_run *run = allocator_get(store->allocator, sizeof *run);

    if (run != NULL)
        run->store = store;
    return run;
}

void
load_run_free(struct load_run *run)
{
    if (run != NULL)
        allocator_put(run->store->allocator, run, sizeof *run);
}

static bool
has_ended(const struct load_place *place, uint32_t row)
{
    uint64_t bit = place->ended_from + row;

    return place->ended != NULL && (place->ended[bit / 64] >> bit % 64 & 1) != 0;
}

/* Makes the memory of the run's rows ready. Pages are brought in with a call or two, where each would cost an
 * exception; where they are 2 MiB pages there is nothing to gain. */
static void
make_ready(const struct load_run *run, bool is_large)
{
    size_t   from = is_large ? run->data->large_bytes : 0;
    uint32_t count;

    for (uint32_t i = 0; i < run->kept; i += count) {
        row_number row = run->first + i;
        size_t     first = ((row & CHUNK_ROW_MASK) >> GROUP_ROW_BITS) * run->data->group_bytes, end;

        count = CHUNK_ROWS - (row & CHUNK_ROW_MASK);
        if (count > run->kept - i)
            count = run->kept - i;
        end = first + (count + GROUP_ROWS - 1) / GROUP_ROWS * run->data->group_bytes;
        first = first > from ? first : from;
        if (end > first)
            allocator_populate(run->store->allocator, table_arrays(run->data, row) + first, end - first);
        if (run->data->is_dirty)
            table_clear_apart(run->data, row, count);
    }
}

knackdb_status
load_run_begin(struct load_run *run, const struct load_place *place, knackdb_error *error)
{
    bool           is_large = place->rows_in_all > CHUNK_ROWS;
    knackdb_status status;

    run->data = &run->store->tables[place->table];
    run->place = *place;
    run->first = (row_number) place->first;
    run->given = 0;
    run->kept = 0;
    for (uint32_t row = 0; row < place->row_count; row++)
        run->kept += !has_ended(place, row);
    lock_writer(run->store);
    status = table_reserve_run(run->data, place->first, run->kept, is_large, error);
    unlock_writer(run->store);
    if (status == KNACKDB_OK)
        make_ready(run, is_large);
    return status;
}

/* ---- cells, on their way from one array to many ---- */

/* Copies cells of `width` bytes to the rows of the run, group by group. */
static void
write_cells(const struct load_run *run, size_t offset, size_t width, const void *cells)
{
    const unsigned char *from = cells;
    uint32_t             count;

    for (uint32_t i = 0; i < run->kept; i += count) {
        row_number row = run->first + i;

        count = GROUP_ROWS - (row & GROUP_ROW_MASK);
        if (count > run->kept - i)
            count = run->kept - i;
        memcpy(table_group(run->data, row) + offset + (row & GROUP_ROW_MASK) * width, from + i * width, count * width);
    }
}

static void
fill_cells(struct load_run *run, size_t offset, size_t width, uint64_t bits)
{
    uint32_t *narrow = (uint32_t *) (void *) run->cells;

    for (uint32_t i = 0; i < run->kept; i++) {
        if (width == sizeof *narrow)
            narrow[i] = (uint32_t) bits;
        else
            run->cells[i] = bits;
    }
    write_cells(run, offset, width, run->cells);
}

/* Notes for each row that is kept which of the values it has. False where that is the one of its own number. */
static bool
map_sources(struct load_run *run, const struct column_values *values)
{
    uint32_t value = 0, kept = 0;

    if (values->count == run->place.row_count && run->kept == run->place.row_count)
        return false;
    for (uint32_t row = 0; row < run->place.row_count; row++) {
        bool is_null = values->count == 0 || (values->nulls != NULL && (values->nulls[row / 8] >> row % 8 & 1) != 0);

        if (!has_ended(&run->place, row))
            run->sources[kept++] = is_null ? SOURCE_NULL : value;
        value += !is_null;
    }
    return true;
}

/* A value that could not have been stored; `why` says so as for a caller's. */
static knackdb_status
refuse(const struct load_run *run, uint32_t column, const knackdb_value *value, knackdb_error *error)
{
    knackdb_error why = { .message = "" };

    (void) table_check_value(run->data->definition, column, value, &why);
    return error_set(error, KNACKDB_CORRUPT, "stored row: %s", why.message);
}

/* ---- numbers ---- */

static uint64_t
null_bits(const struct column *column)
{
    double   nan = (double) NAN;
    uint64_t bits = (uint64_t) INTEGER_NULL;

    if (column->type == KNACKDB_REAL)
        memcpy(&bits, &nan, sizeof bits);
    return bits;
}

static knackdb_status
check_reals(const struct load_run *run, uint32_t column, const struct column_values *values, knackdb_error *error)
{
    bool     is_rate = run->data->definition->columns[column].is_rate;
    double   low = is_rate ? 0.0 : -DBL_MAX, high = is_rate ? 1.0 : DBL_MAX;
    uint32_t bad = 0;

    for (uint32_t i = 0; i < values->count; i++) {
        double real = bytes_get_real(values->numbers + (size_t) i * sizeof real);

        bad |= !(real >= low) | !(real <= high); /* NaN is neither */
    }
    for (uint32_t i = 0; bad != 0 && i < values->count; i++) {
        knackdb_value value = knackdb_value_real(bytes_get_real(values->numbers + (size_t) i * sizeof(double)));

        if (table_check_value(run->data->definition, column, &value, NULL) != KNACKDB_OK)
            return refuse(run, column, &value, error);
    }
    return KNACKDB_OK;
}

/* True INT64_MINs, which look like NULL. */
static void
mark_exact(struct load_run *run, uint32_t column, bool is_mapped)
{
    for (uint32_t i = 0; i < run->kept; i++)
        if (run->cells[i] == (uint64_t) INTEGER_NULL && (!is_mapped || run->sources[i] != SOURCE_NULL))
            *table_exact(run->data, run->first + i) |= KNACKDB_BIT(column);
}

static knackdb_status
take_ids(struct load_run *run, bool is_mapped, knackdb_error *error)
{
    bool is_whole = true;

    for (uint32_t i = 0; i < run->kept; i++) {
        run->ids[i] = (int64_t) run->cells[i];
        is_whole &= run->ids[i] > 0 && (!is_mapped || run->sources[i] != SOURCE_NULL);
    }
    return is_whole ? KNACKDB_OK
                    : error_set(error, KNACKDB_CORRUPT, "%s: stored row without an id", run->data->definition->name);
}

static knackdb_status
load_numbers(struct load_run *run, uint32_t column, const struct column_values *values, knackdb_error *error)
{
    const struct column *about = &run->data->definition->columns[column];
    uint64_t             null = null_bits(about);
    bool                 is_mapped = map_sources(run, values);
    knackdb_status       status = KNACKDB_OK;

    if (about->type == KNACKDB_REAL)
        status = check_reals(run, column, values, error);
    if (status != KNACKDB_OK)
        return status;
    for (uint32_t i = 0; !is_mapped && i < run->kept; i++)
        run->cells[i] = bytes_get_u64(values->numbers + (size_t) i * sizeof(uint64_t));
    for (uint32_t i = 0; is_mapped && i < run->kept; i++)
        run->cells[i] = run->sources[i] == SOURCE_NULL
                            ? null
                            : bytes_get_u64(values->numbers + (size_t) run->sources[i] * sizeof(uint64_t));
    if (column == 0)
        status = take_ids(run, is_mapped, error);
    else if (about->type == KNACKDB_INTEGER)
        mark_exact(run, column, is_mapped);
    if (status == KNACKDB_OK)
        write_cells(run, run->data->offsets[column], sizeof(uint64_t), run->cells);
    return status;
}

/* ---- texts ---- */

/* Points at each text; all of them are UTF-8 if together they are and none begins within a sequence. */
static knackdb_status
find_texts(struct load_run *run, uint32_t column, const struct column_values *values, knackdb_error *error)
{
    size_t   at = 0;
    uint32_t broken = 0;

    for (uint32_t i = 0; i < values->text_count; i++) {
        uint32_t length = bytes_get_u32(values->lengths + (size_t) i * sizeof length);

        run->texts[i] = (knackdb_text) { values->texts + at, length };
        broken |= length > KNACKDB_TEXT_BYTES_MAX;
        broken |= length != 0 && ((unsigned char) values->texts[at] & 0xC0) == 0x80;
        at += length;
    }
    if (broken == 0 && utf8_is_valid(values->texts, at))
        return KNACKDB_OK;
    for (uint32_t i = 0; i < values->text_count; i++) {
        knackdb_value value = knackdb_value_text(run->texts[i]);

        if (table_check_value(run->data->definition, column, &value, NULL) != KNACKDB_OK)
            return refuse(run, column, &value, error);
    }
    return KNACKDB_OK; /* unreachable: a sequence cut in two is broken in one of the two */
}

/* Which text row i of those that are kept has; SOURCE_NULL. */
static uint32_t
text_of_row(const struct load_run *run, const struct column_values *values, bool is_mapped, uint32_t i)
{
    uint32_t value = is_mapped ? run->sources[i] : i;

    if (value == SOURCE_NULL || values->codes == NULL)
        return value;
    return values->code_bytes == 1 ? values->codes[value] : bytes_get_u16(values->codes + 2 * (size_t) value);
}

/* Texts of the rows from..until, which stand in one chunk, copied to a block of its arena. */
static knackdb_status
copy_texts(struct load_run *run, const struct column_values *values, bool is_mapped, uint32_t from, uint32_t until,
           knackdb_error *error)
{
    struct text_block *block;
    size_t             bytes = 0, at = 0;

    for (uint32_t i = from; i < until; i++) {
        uint32_t text = text_of_row(run, values, is_mapped, i);

        bytes += text != SOURCE_NULL ? stored_text_bytes(run->texts[text].length) : 0;
    }
    block = bytes != 0 ? text_block_new(run->store->allocator, bytes) : NULL;
    if (bytes != 0 && block == NULL)
        return error_no_memory(error, "text");
    for (uint32_t i = from; i < until; i++) {
        uint32_t text = text_of_row(run, values, is_mapped, i);

        run->cells[i] = text != SOURCE_NULL ? text_block_put(block, &at, run->texts[text]) : TEXT_CELL_NULL;
    }
    if (block != NULL) {
        lock_writer(run->store); /* the arena may be another run's, too */
        text_arena_adopt(&table_chunk(run->data, run->first + from)->texts, block);
        unlock_writer(run->store);
    }
    return KNACKDB_OK;
}

static knackdb_status
load_own_texts(struct load_run *run, uint32_t column, const struct column_values *values, knackdb_error *error)
{
    bool           is_mapped = map_sources(run, values);
    uint32_t       border = CHUNK_ROWS - (run->first & CHUNK_ROW_MASK); /* rows of the chunk that the run begins in */
    knackdb_status status;

    if (border > run->kept)
        border = run->kept;
    status = copy_texts(run, values, is_mapped, 0, border, error);
    if (status == KNACKDB_OK)
        status = copy_texts(run, values, is_mapped, border, run->kept, error);
    if (status != KNACKDB_OK)
        return status;
    if (run->data->kinds[column] == CELL_TEXT)
        write_cells(run, run->data->offsets[column], sizeof(text_cell), run->cells);
    else
        for (uint32_t i = 0; i < run->kept; i++)
            table_put_sparse(run->data, run->first + i, column, run->cells[i]);
    return KNACKDB_OK;
}

static knackdb_status
load_codes(struct load_run *run, uint32_t column, const struct column_values *values, knackdb_error *error)
{
    uint32_t      *codes = (uint32_t *) (void *) run->cells;
    bool           is_mapped = map_sources(run, values);
    knackdb_status status;

    memset(run->holders, 0, values->text_count * sizeof run->holders[0]);
    for (uint32_t i = 0; i < run->kept; i++) {
        uint32_t text = text_of_row(run, values, is_mapped, i);

        if (text != SOURCE_NULL)
            run->holders[text]++;
    }
    for (uint32_t i = 0; i < values->text_count; i++)
        run->hashes[i] = dictionary_hash(run->texts[i]);
    lock_writer(run->store);
    status = dictionary_intern_many(&run->data->dictionaries[column], &run->store->epochs, run->texts, run->hashes,
                                    run->holders, values->text_count, run->codes, error);
    unlock_writer(run->store);
    if (status != KNACKDB_OK)
        return status;
    for (uint32_t i = 0; i < run->kept; i++) {
        uint32_t text = text_of_row(run, values, is_mapped, i);

        codes[i] = text != SOURCE_NULL ? run->codes[text] : DICTIONARY_CODE_NULL;
    }
    write_cells(run, run->data->offsets[column], sizeof codes[0], codes);
    return KNACKDB_OK;
}

knackdb_status
load_run_column(struct load_run *run, uint32_t column, const struct column_values *values, knackdb_error *error)
{
    const struct column *about = &run->data->definition->columns[column];
    knackdb_status       status;

    if (values->count == 0 && column != 0)
        return KNACKDB_OK; /* as if it had not come */
    run->given |= KNACKDB_BIT(column);
    if (about->type != KNACKDB_TEXT)
        return load_numbers(run, column, values, error);
    status = find_texts(run, column, values, error);
    if (status != KNACKDB_OK)
        return status;
    return column_is_dictionary(about) ? load_codes(run, column, values, error)
                                       : load_own_texts(run, column, values, error);
}

/* ---- the end of a run, and of all ---- */

static void
fill_nulls(struct load_run *run)
{
    const struct table_data *data = run->data;

    for (uint32_t c = 1; c < data->definition->column_count; c++) {
        const struct column *about = &data->definition->columns[c];

        if ((run->given >> c & 1) != 0 || data->kinds[c] == CELL_SPARSE) /* which are NULL as they come */
            continue;
        if (column_is_dictionary(about))
            fill_cells(run, data->offsets[c], sizeof(uint32_t), DICTIONARY_CODE_NULL);
        else
            fill_cells(run, data->offsets[c], sizeof(uint64_t),
                       about->type == KNACKDB_TEXT ? TEXT_CELL_NULL : null_bits(about));
    }
}

knackdb_status
load_run_end(struct load_run *run, uint32_t *ret_rows, knackdb_error *error)
{
    struct table_data *data = run->data;
    knackdb_status     status;

    *ret_rows = run->kept;
    if ((run->given & 1) == 0)
        return error_set(error, KNACKDB_CORRUPT, "%s: stored rows without ids", data->definition->name);
    atomic_fetch_or_explicit(&data->given, run->given & data->rare, memory_order_relaxed);
    fill_nulls(run);
    if (data->is_dirty)
        fill_cells(run, data->births_offset, sizeof(uint64_t), 0);
    status = load_keys_add(run, error);
    if (status == KNACKDB_OK)
        atomic_fetch_add_explicit(&data->living, run->kept, memory_order_relaxed);
    return status;
}

/* Copies of cells of a group, where their lists want them: a column at a time. */
static void
carry_group(struct table_data *table, uint64_t carries, row_number first, uint32_t count, uint64_t *const *to)
{
    for (uint32_t at = 0; carries != 0; carries &= carries - 1, at++) {
        const uint64_t *cells = TABLE_AT(table, first, table->offsets[__builtin_ctzll(carries)], uint64_t);

        for (uint32_t i = 0; i < count; i++)
            if (to[i] != NULL)
                to[i][at] = cells[i];
    }
}

/* Rows of a group, from its first one on, into the lists of their codes. False without memory. */
static bool
post_group(struct table_data *table, uint32_t column, row_number first, uint32_t count)
{
    const uint32_t    *codes = TABLE_AT(table, first, table->offsets[column], uint32_t);
    struct dictionary *dictionary = &table->dictionaries[column];
    uint64_t          *cells[GROUP_ROWS];

    for (uint32_t i = 0; i < count; i++) {
        struct posting *posting;

        cells[i] = NULL;
        if (codes[i] == DICTIONARY_CODE_NULL)
            continue;
        posting = dictionary_posting(dictionary, codes[i]);
        if (!posting_reserve_next(posting, table->epochs, &dictionary->posting_bytes))
            return false;
        posting_add(posting, first + i, table_row_note(table, column, first + i));
        cells[i] = posting_last_cells(posting);
    }
    if (dictionary->blocks.width != 0)
        carry_group(table, table->definition->columns[column].carries, first, count, cells);
    return true;
}

knackdb_status
store_load_postings(struct store *store, uint32_t table, uint32_t column, knackdb_error *error)
{
    struct table_data *data = &store->tables[table];
    struct dictionary *dictionary = &data->dictionaries[column];
    knackdb_status     status = dictionary_reserve_postings(dictionary, &store->epochs, error);

    for (uint64_t row = 0; row < data->rows_added && status == KNACKDB_OK; row += GROUP_ROWS) {
        uint64_t left = data->rows_added - row;

        if (!post_group(data, column, (row_number) row, left < GROUP_ROWS ? (uint32_t) left : GROUP_ROWS))
            status = error_no_memory(error, "a posting list");
    }
    slab_expect(&dictionary->blocks.slab, 0);
    return status;
}

void
store_load_end(struct store *store)
{
    lock_writer(store);
    for (uint32_t t = 0; t < store->schema->table_count; t++)
        table_publish_runs(&store->tables[t]);
    unlock_writer(store);
}
