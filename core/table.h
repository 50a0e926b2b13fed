/* table.h - one table in memory: chunks of column arrays, versions of rows, indexes.
 *
 * Rows are only ever added. A chunk holds up to 65,536 of them and never moves, so a pointer
 * into it stays good as long as a view. A chunk of which little lives is given back as a whole
 * (reclaim.h), and its number to another. Address space for the whole chunk is reserved at
 * once; memory arrives as it is touched. Within a chunk rows stand in groups of 128, and
 * in a group each column is an array:
 *
 *     row_number = chunk << 16 | group << 7 | place
 *
 *     group     id        task_type  ...  birth
 *               [i64]     [u32]           [u64]
 *
 * A scan of a column still reads whole cache lines, a kilobyte at a run; and a row's
 * cells lie within 16 KB, so that reading one row waits for one or two pages and not for as
 * many as there are columns: 410 ns instead of 620 at a million rows, for 3.7 ms instead
 * of 0.8 to scan three columns (docs/ARCHITECTURE.md has the table).
 *
 * What most rows do not have stands apart, behind the groups, in arrays for the whole chunk of which nothing is touched
 * until there is something to say, so that it takes no memory: ends, links, texts that schema/ calls sparse, and
 * `exact` (below). Memory that was never touched reads as zero: alive, no older version, NULL, no mark.
 *
 *     chunk     group group ... | settled  touched | end     link[key]...  sparse text...  exact
 *                                 [u64]    [bits]    [u64]   [u32]         [u64]           [u64]
 *
 * `touched` has a bit for each page of these, set before something is written there: so what they take is counted.
 *
 * A change of a row adds a new version and stamps the old one's end; a row carries the
 * moments (store.h) of its birth and of its end, and a view of moment M sees it if birth <= M < end.
 * So batches are atomic, a view never changes, and a snapshot is a view like any other.
 *
 * For each key of the table (id first, through id_map.h where it can) an index leads to the newest row that
 * held a key value, and the row's link for that key leads to the one that held it before: a view
 * of an earlier moment follows the links to the version it sees. Versions that no view sees any
 * more are taken out of these chains with their chunk.
 *
 * NULL costs no bitmap: NaN (which is refused as a value) in REAL columns, code 0
 * in dictionary columns, a null pointer in TEXT_OWN columns, INT64_MIN in INTEGER
 * columns. A true INT64_MIN is marked in `exact`.
 *
 * For each group, `settled` says from which moment on every row of it is visible: most rows are known to be, without a
 * look at their births and ends.
 *
 * T1  One writer (store.h's mutex). It fills a row's cells, birth, end and links before it
 *     stores its chunk's row_count or an index slot or a posting count (release). A reader gets row numbers from those
 *     alone (acquire or more), or from what another reader made of them and published as the writer (leaders.h), so it
 *     sees the cells; they never change.
 * T2  end, birth and links are the only fields of a published row that change. The writer stamps
 *     ends with the moment of the commit under way, then publishes that moment (store.h, release). A
 *     view loaded the moment with acquire, so it sees every end up to its own;
 *     whether it sees later ones makes no difference to it.
 * T3  A commit that fails leaves its rows with birth BIRTH_NEVER, which no view sees, and
 *     restores the ends it stamped. Indexes may lead to such rows; their links go on. They are given back
 *     like any dead row.
 * T4  Births rise from row to row of a chunk and of a posting list, but for BIRTH_NEVER: every row is
 *     added with a moment not yet published. Row numbers do not, as numbers of chunks are given again.
 * T5  A row number is good for as long as the view that gave it: a chunk is given back only after every view that saw
 *     a row of it has ended (reclaim.h). Before that its row_count is 0, and what else led to it leads past it (all
 *     stored, and loaded, seq_cst). A number from elsewhere (a caller's, the result cache's) is asked about first:
 *     table_row_seen().
 * T6  `settled` is the newest birth of a group while none of its rows has an end or was never born, and SETTLED_NEVER
 *     from then on. It is stored (relaxed) before the row is published (T1), or the moment of the end (T2): a view of
 *     moment M that finds settled <= M sees every row of the group that it was given. */
#ifndef KNACKDB_CORE_TABLE_H
#define KNACKDB_CORE_TABLE_H

#include "core/table_layout.h"

#include <math.h>

knackdb_status table_data_init(struct table_data *table, const struct table *definition, struct epochs *epochs,
                               knackdb_error *error);
void           table_data_clear(struct table_data *table);

/* A number below chunk_end. */
static inline __attribute__((always_inline)) struct chunk *
table_chunk_at(const struct table_data *table, uint32_t number)
{
    return &atomic_load_explicit(&((struct table_data *) (uintptr_t) table)->groups[number / CHUNKS_PER_GROUP],
                                 memory_order_relaxed)[number % CHUNKS_PER_GROUP];
}

static inline __attribute__((always_inline)) struct chunk *
table_chunk(const struct table_data *table, row_number row)
{
    return table_chunk_at(table, row >> CHUNK_ROW_BITS);
}

static inline uint32_t
table_chunk_end(const struct table_data *table)
{
    return atomic_load_explicit(&((struct table_data *) (uintptr_t) table)->chunk_end, memory_order_acquire);
}

/* The rows of a chunk that may be looked at: its first ones. Its number is below chunk_end. */
static inline uint32_t
table_chunk_rows(const struct table_data *table, uint32_t number)
{
    return atomic_load(&table_chunk_at(table, number)->row_count); /* seq_cst: T5 */
}

static inline __attribute__((always_inline)) unsigned char *
table_arrays(const struct table_data *table, row_number row)
{
    return atomic_load_explicit(&table_chunk(table, row)->arrays, memory_order_relaxed);
}

/* For who has the size of a group at hand. */
static inline __attribute__((always_inline)) unsigned char *
table_group_of(const struct table_data *table, row_number row, size_t group_bytes)
{
    return table_arrays(table, row) + ((row & CHUNK_ROW_MASK) >> GROUP_ROW_BITS) * group_bytes;
}

static inline __attribute__((always_inline)) unsigned char *
table_group(const struct table_data *table, row_number row)
{
    return table_group_of(table, row, table->group_bytes);
}

/* The cell of `row` in the array at `offset` of its group. */
#define TABLE_AT(table, row, offset, type) \
    ((type *) (void *) (table_group(table, row) + (offset)) + ((row) & GROUP_ROW_MASK))

/* The same where the array is the whole chunk's. */
#define TABLE_APART(table, row, offset, type) \
    ((type *) (void *) (table_arrays(table, row) + (offset)) + ((row) & CHUNK_ROW_MASK))

/* The page that holds the row's cell of an array of the chunk, counted from the first array that stands apart. */
static inline size_t
table_page_apart(const struct table_data *table, row_number row, size_t offset, size_t width)
{
    return (offset + (row & CHUNK_ROW_MASK) * width - table->ends_offset) >> table->page_bits;
}

/* The word of `touched` with its bit. */
static inline _Atomic uint64_t *
table_touched(const struct table_data *table, row_number row, size_t page)
{
    return (_Atomic uint64_t *) (void *) (table_arrays(table, row) + table->touched_offset) + page / 64;
}

static inline bool
table_is_touched(const struct table_data *table, row_number row, size_t offset, size_t width)
{
    size_t page = table_page_apart(table, row, offset, width);

    return (atomic_load_explicit(table_touched(table, row, page), memory_order_relaxed) >> page % 64 & 1) != 0;
}

/* Before something is written there: counts the page. */
static inline void
table_touch(struct table_data *table, row_number row, size_t offset, size_t width)
{
    size_t            page = table_page_apart(table, row, offset, width);
    _Atomic uint64_t *touched = table_touched(table, row, page);
    uint64_t          bit = UINT64_C(1) << page % 64;

    if ((atomic_load_explicit(touched, memory_order_relaxed) & bit) == 0 &&
        (atomic_fetch_or_explicit(touched, bit, memory_order_relaxed) & bit) == 0) /* loading, there are several */
        atomic_fetch_add_explicit(&table->apart_bytes, UINT64_C(1) << table->page_bits, memory_order_relaxed);
}

/* The row's marks in `exact`. */
static inline uint64_t *
table_exact(const struct table_data *table, row_number row)
{
    return TABLE_APART(table, row, table->exact_offset, uint64_t);
}

static inline uint64_t
table_row_birth(const struct table_data *table, row_number row)
{
    return atomic_load_explicit(TABLE_AT(table, row, table->births_offset, _Atomic uint64_t), memory_order_relaxed);
}

/* Kept as its complement: where nothing was stored, the row lives. */
static inline uint64_t
table_row_end(const struct table_data *table, row_number row)
{
    return ~atomic_load_explicit(TABLE_APART(table, row, table->ends_offset, _Atomic uint64_t), memory_order_relaxed);
}

static inline bool
table_row_born(const struct table_data *table, row_number row, uint64_t moment)
{
    return table_row_birth(table, row) <= moment;
}

/* Where the row lies is asked once: the compiler would not see that it stays. */
static inline bool
table_row_visible(const struct table_data *table, row_number row, uint64_t moment)
{
    const unsigned char *arrays = table_arrays(table, row);
    size_t               place = row & CHUNK_ROW_MASK;
    const unsigned char *group = arrays + (place >> GROUP_ROW_BITS) * table->group_bytes;

    return atomic_load_explicit((_Atomic uint64_t *) (uintptr_t) (group + table->births_offset) +
                                    (row & GROUP_ROW_MASK),
                                memory_order_relaxed) <= moment &&
           ~atomic_load_explicit((_Atomic uint64_t *) (uintptr_t) (arrays + table->ends_offset) + place,
                                 memory_order_relaxed) > moment;
}

/* T6 */
static inline _Atomic uint64_t *
table_settled(const struct table_data *table, row_number row)
{
    return (_Atomic uint64_t *) (void *) (table_arrays(table, row) + table->settled_offset) +
           ((row & CHUNK_ROW_MASK) >> GROUP_ROW_BITS);
}

/* Whether every row of the group is visible; where not, some may be. */
static inline bool
table_row_settled(const struct table_data *table, row_number row, uint64_t moment)
{
    return atomic_load_explicit(table_settled(table, row), memory_order_relaxed) <= moment;
}

/* table_row_visible() for who asks about many rows: mostly without a look at the row. */
static inline bool
table_row_shown(const struct table_data *table, row_number row, uint64_t moment)
{
    return table_row_settled(table, row, moment) || table_row_visible(table, row, moment);
}

/* The same for a number that may be no row's, or another row's than it was. What is settled was stored before the count
 * that says there is such a row (T6), so it tells of this row, too. */
static inline bool
table_row_seen(const struct table_data *table, uint64_t row, uint64_t moment)
{
    return row >> CHUNK_ROW_BITS < table_chunk_end(table) &&
           (row & CHUNK_ROW_MASK) < table_chunk_rows(table, (uint32_t) (row >> CHUNK_ROW_BITS)) &&
           table_row_shown(table, (row_number) row, moment);
}

/* The first visible row from `from` on, by number; ROW_NONE. */
row_number table_next_row(const struct table_data *table, row_number from, uint64_t moment);

/* The row that held the key before, ROW_NONE; kept as its complement. seq_cst: T5 */
static inline row_number
table_link(const struct table_data *table, row_number row, uint32_t key_index)
{
    return ~atomic_load(TABLE_APART(table, row, table->links_offset[key_index], _Atomic uint32_t));
}

static inline void
table_set_link(struct table_data *table, row_number row, uint32_t key_index, row_number older, memory_order order)
{
    table_touch(table, row, table->links_offset[key_index], sizeof older);
    atomic_store_explicit(TABLE_APART(table, row, table->links_offset[key_index], _Atomic uint32_t), ~older, order);
}

static inline int64_t
table_integer(const struct table_data *table, row_number row, uint32_t column)
{
    return *TABLE_AT(table, row, table->offsets[column], int64_t);
}

static inline double
table_real(const struct table_data *table, row_number row, uint32_t column)
{
    return *TABLE_AT(table, row, table->offsets[column], double);
}

static inline uint32_t
table_code(const struct table_data *table, row_number row, uint32_t column)
{
    return *TABLE_AT(table, row, table->offsets[column], uint32_t);
}

static inline uint64_t
table_given(const struct table_data *table)
{
    return atomic_load_explicit(&((struct table_data *) (uintptr_t) table)->given, memory_order_relaxed);
}

/* Of CELL_TEXT or CELL_SPARSE. Of a column that has nothing in any row, nothing is touched. */
static inline text_cell
table_text_cell(const struct table_data *table, row_number row, uint32_t column)
{
    if (table->kinds[column] == CELL_TEXT)
        return *TABLE_AT(table, row, table->offsets[column], text_cell);
    if ((table_given(table) >> column & 1) == 0)
        return TEXT_CELL_NULL;
    return *TABLE_APART(table, row, table->offsets[column], text_cell);
}

/* Text of either storage; the NULL text for NULL. */
static inline knackdb_text
table_text(const struct table_data *table, row_number row, uint32_t column)
{
    if (table->definition->columns[column].storage == TEXT_DICTIONARY)
        return dictionary_text(&table->dictionaries[column], table_code(table, row, column));
    return text_cell_view(table_text_cell(table, row, column));
}

/* Whether an INTEGER_NULL is a value. Rare, and kept out of the way of all that is not. */
bool table_integer_is_exact(const struct table_data *table, row_number row, uint32_t column)
    __attribute__((noinline, cold));

/* False for NULL; INTEGER columns only. */
static inline bool
table_integer_given(const struct table_data *table, row_number row, uint32_t column, int64_t *ret_integer)
{
    int64_t integer = table_integer(table, row, column);

    *ret_integer = integer;
    return integer != INTEGER_NULL || table_integer_is_exact(table, row, column);
}

_Static_assert(sizeof(const char *) == sizeof(uint64_t) &&
                   offsetof(knackdb_value, as.text.data) == offsetof(knackdb_value, as),
               "the bits of a number are where those of a text's address are");

/* Of a row in that group. Put together from three words at the end: a value of which parts are stored and that is then
 * copied whole costs the processor more than the cell. */
static inline knackdb_value
table_cell_in(const struct table_data *table, const unsigned char *group, row_number row, uint32_t column)
{
    const void  *array = group + table->offsets[column];
    size_t       place = row & GROUP_ROW_MASK;
    knackdb_type type = KNACKDB_NULL;
    knackdb_text text = { NULL, 0 }; /* or a number's bits */
    int64_t      integer;
    double       real;
    uint64_t     bits;

    switch (table->kinds[column]) {
    case CELL_INTEGER:
        integer = ((const int64_t *) array)[place];
        if (integer != INTEGER_NULL || table_integer_is_exact(table, row, column)) {
            type = KNACKDB_INTEGER;
            text.data = (const char *) (intptr_t) integer;
        }
        break;
    case CELL_REAL:
        real = ((const double *) array)[place];
        if (real == real) {
            memcpy(&bits, &real, sizeof bits);
            type = KNACKDB_REAL;
            text.data = (const char *) (uintptr_t) bits;
        }
        break;
    case CELL_CODE:
        text = dictionary_text(&table->dictionaries[column], ((const uint32_t *) array)[place]);
        type = text.data != NULL ? KNACKDB_TEXT : KNACKDB_NULL;
        break;
    default:
        text = text_cell_view(table_text_cell(table, row, column));
        type = text.data != NULL ? KNACKDB_TEXT : KNACKDB_NULL;
        break;
    }
    return (knackdb_value) { .type = type, .as = { .text = text } };
}

static inline knackdb_value
table_cell(const struct table_data *table, row_number row, uint32_t column)
{
    return table_cell_in(table, table_group(table, row), row, column);
}

/* What the posting lists of a column tell of a row (posting.h), from the bits of its cell in `beside`. A rate keeps its
 * rank: of two rows the one with the larger tag has the larger rate, and NULL is least. A code is cut off. Any
 * double may be asked about: what is no rate counts as the rate next to it. */
static inline posting_tag
table_tag(const struct table *definition, uint32_t beside, uint64_t bits)
{
    double real;

    if (beside == 0)
        return 0;
    if (column_is_dictionary(&definition->columns[beside]))
        return (posting_tag) (uint16_t) bits;
    memcpy(&real, &bits, sizeof real);
    if (real != real)
        return POSTING_TAG_LEAST;
    real = real < 0.0 ? 0.0 : real > 1.0 ? 1.0 : real;
    return (posting_tag) ((int32_t) (real * 65534.0) - INT16_MAX);
}

/* Of any number, as a rate of that column would have it. */
static inline posting_tag
table_rate_tag(const struct table *definition, uint32_t column, double rate)
{
    uint64_t bits;

    memcpy(&bits, &rate, sizeof bits);
    return table_tag(definition, column, bits);
}

/* Whether that tag is a code, whole: a row that a view sees has a code that was in use before the view began. */
static inline bool
table_tags_are_codes(const struct table_data *table, uint32_t beside)
{
    return beside != 0 && column_is_dictionary(&table->definition->columns[beside]) &&
           atomic_load_explicit(&table->dictionaries[beside].code_end, memory_order_acquire) <= UINT16_MAX;
}

/* The same of a row that is there, beside its code in `column`; of none, anything. */
static inline posting_tag
table_row_tag(const struct table_data *table, uint32_t column, row_number row)
{
    uint32_t beside = table->definition->columns[column].beside;

    if (beside == 0 || row == ROW_NONE)
        return 0;
    return table_tag(table->definition, beside,
                     column_is_dictionary(&table->definition->columns[beside])
                         ? table_code(table, row, beside)
                         : *TABLE_AT(table, row, table->offsets[beside], uint64_t));
}

/* All that such a list is told of a row, but for cells; of none, anything. */
static inline struct posting_note
table_row_note(const struct table_data *table, uint32_t column, row_number row)
{
    int32_t column_of_age = table->definition->age_column;
    bool    has_age = column_of_age >= 0 && row != ROW_NONE;
    double  age = has_age ? table_real(table, row, (uint32_t) column_of_age) : (double) NAN;

    return (struct posting_note) { table_row_tag(table, column, row), age, NULL };
}

/* A row lies in as many cache lines as it has columns. Asked for together they arrive together. */
static inline void
table_prefetch_row(const struct table_data *table, row_number row)
{
    const unsigned char *group = table_group(table, row);
    size_t               place = row & GROUP_ROW_MASK;

    __builtin_prefetch(table_settled(table, row));
    for (uint32_t a = 0; a < table->array_count; a++)
        __builtin_prefetch(group + table->arrays[a].offset + place * table->arrays[a].width);
    for (uint64_t left = table_given(table) & table->sparse; left != 0; left &= left - 1)
        __builtin_prefetch(TABLE_APART(table, row, table->offsets[__builtin_ctzll(left)], text_cell));
}

/* ---- the writer's ---- */

/* A text of CELL_SPARSE, or NULL, of a row that is not published yet. */
void table_put_sparse(struct table_data *table, row_number row, uint32_t column, text_cell cell);
/* What stands apart of some rows of one chunk, before they are written: says nothing. Where is_dirty. */
void table_clear_apart(struct table_data *table, row_number first, uint32_t count);
/* The chunk's arrays go: what was touched of them is counted no more. */
void table_count_off(struct table_data *table, const unsigned char *arrays);

/* Where the next row will stand, unless in a chunk that takes a number given before. */
static inline row_number
table_row_number_next(const struct table_data *table)
{
    return table->filling == CHUNK_NONE ? table_chunk_end(table) << CHUNK_ROW_BITS
                                        : (table->filling << CHUNK_ROW_BITS) + table->filled;
}

/* Where the next row goes, born at `moment`: in a new chunk where need be. */
knackdb_status table_reserve_row(struct table_data *table, uint64_t moment, row_number *ret_row, knackdb_error *error);

/* For load_run.h: the memory of rows that go where the caller says, in a table without any, and is to have `is_large`:
 * more than a chunk of. And makes the rows 0 .. rows_added - 1, all of them filled, the table's. */
knackdb_status table_reserve_run(struct table_data *table, uint64_t first, uint32_t count, bool is_large,
                                 knackdb_error *error);
void           table_publish_runs(struct table_data *table);

/* Adds a row with every column of `values` (in column order), or, with `from` not ROW_NONE, a
 * version of that row with the columns of `changed` (bits) taken from `values`. It is born
 * at `moment`. On failure nothing is to be seen of it. */
knackdb_status table_add_row(struct table_data *table, const knackdb_value *values, row_number from, uint64_t changed,
                             uint64_t moment, row_number *ret_row, knackdb_error *error);

/* Ends a row and adds the same one again elsewhere, with texts of its own. */
knackdb_status table_move_row(struct table_data *table, row_number row, uint64_t moment, knackdb_error *error);

void table_end_row(struct table_data *table, row_number row, uint64_t moment);
void table_restore_row(struct table_data *table, row_number row); /* undoes the above */

/* T3: forgets every row added since the table stood like this. No chunk may be given back in between. */
struct table_mark {
    uint32_t filling, filled;
};
static inline struct table_mark
table_get_mark(const struct table_data *table)
{
    return (struct table_mark) { table->filling, table->filled };
}

/* `newest`: the moment published last. */
void table_forget_rows(struct table_data *table, struct table_mark mark, uint64_t newest);

static inline int64_t
table_next_id(const struct table_data *table)
{
    return atomic_load_explicit(&((struct table_data *) (uintptr_t) table)->next_id, memory_order_relaxed);
}

/* No row that anybody sees can have it: no id as large was ever used. */
static inline bool
table_id_is_new(const struct table_data *table, int64_t id)
{
    return id >= table_next_id(table) && id != INT64_MAX;
}

/* No id up to this one is given again. */
static inline void
table_use_id(struct table_data *table, int64_t id)
{
    if (id >= table_next_id(table))
        atomic_store_explicit(&table->next_id, id == INT64_MAX ? INT64_MAX : id + 1, memory_order_relaxed);
}

uint64_t table_column_bytes(const struct table_data *table); /* pages: not counted by the allocator */
uint64_t table_text_bytes(const struct table_data *table);
uint64_t table_index_bytes(const struct table_data *table);

#endif
