/* table.h - one table in memory: chunks of column arrays, versions of rows, indexes.
 *
 * Rows are only ever added. A chunk holds 65,536 of them and never moves, so a pointer
 * into it stays good as long as a view. Address space for the whole chunk is reserved at
 * once; memory arrives as it is touched. Within a chunk rows stand in groups of 128, and
 * in a group each column is an array:
 *
 *     row_number = chunk << 16 | group << 7 | place
 *
 *     group     id        task_type  ...  birth    end      link[key]...
 *               [i64]     [u32]           [u64]    [u64]    [u32]
 *
 * A scan of a column still reads whole cache lines, a kilobyte at a run; and a row's
 * cells lie within 16 KB, so that reading one row waits for one or two pages and not for as
 * many as there are columns: 450 ns instead of 640 at a million rows, for 2.4 ms instead
 * of 1.0 to scan three columns (docs/ARCHITECTURE.md has the table).
 *
 * A change of a row adds a new version and stamps the old one's end; a row carries the
 * commit of its birth and of its end, and a view of commit C sees it if birth <= C < end.
 * So batches are atomic, a view never changes, and a snapshot is a view like any other.
 *
 * For each key of the table (id first, through id_map.h where it can) an index leads to the newest row that ever
 * held a key value, and the row's link for that key leads to the one that held it before: a view
 * of an earlier moment follows the links to the version it sees.
 *
 * NULL costs no bitmap: NaN (which is refused as a value) in REAL columns, code 0
 * in dictionary columns, a null pointer in TEXT_OWN columns, INT64_MIN in INTEGER
 * columns. A true INT64_MIN is marked in `exact`, an array that stays untouched, and so takes
 * no memory, until there is one.
 *
 * T1  One writer (store.h's mutex). It fills a row's cells, birth, end and links before it
 *     stores row_end or an index slot or a posting count (release). A reader gets row
 *     numbers from those alone (acquire), so it sees the cells; they never change.
 * T2  end and birth are the only fields of a published row that change. The writer stamps
 *     ends with the commit under way, C + 1, then publishes C + 1 (store.h, release). A
 *     view loaded the sequence with acquire, so it sees every end up to its own commit;
 *     whether it sees later ones makes no difference to it.
 * T3  A commit that fails leaves its rows with birth BIRTH_NEVER, which no view sees, and
 *     restores the ends it stamped. Indexes may lead to such rows; their links go on. Their
 *     memory is not given back: nothing a reader may have found can be used again. */
#ifndef KNACKDB_CORE_TABLE_H
#define KNACKDB_CORE_TABLE_H

#include "core/dictionary.h"
#include "core/id_map.h"
#include "core/store.h"

#define GROUP_ROW_BITS  7
#define GROUP_ROWS      ((uint32_t) 1 << GROUP_ROW_BITS)
#define GROUP_ROW_MASK  (GROUP_ROWS - 1)
#define CHUNK_ROW_BITS  16
#define CHUNK_ROWS      ((uint32_t) 1 << CHUNK_ROW_BITS)
#define CHUNK_ROW_MASK  (CHUNK_ROWS - 1)
#define CHUNKS_PER_GROUP 256u
#define CHUNK_GROUPS     255u /* less than 256, so that ROW_NONE is no row and value + 1 fits an index slot */

#define END_NEVER   UINT64_MAX /* alive */
#define BIRTH_NEVER UINT64_MAX

#define INTEGER_NULL INT64_MIN

struct chunk {
    unsigned char     *arrays; /* pages: the groups, then `exact` */
    uint64_t           identity; /* from 1, no other chunk of the table ever has it; set before any row is published */
    struct text_arena  texts;  /* of TEXT_OWN columns */
};

/* An array of a group. */
struct table_array {
    uint32_t offset; /* bytes into the group */
    uint32_t width;  /* bytes a row */
};

#define TABLE_ARRAYS_MAX (KNACKDB_COLUMNS_MAX + 2 + SCHEMA_KEYS_MAX)

struct table_data {
    const struct table *definition;
    struct epochs      *epochs;

    /* Byte offsets of the arrays within a group, and its whole size; of `exact` within a chunk. */
    size_t offsets[KNACKDB_COLUMNS_MAX];
    size_t births_offset, ends_offset, links_offset[SCHEMA_KEYS_MAX];
    size_t group_bytes;
    size_t exact_offset;
    size_t chunk_bytes;
    size_t row_bytes; /* touched for each row */
    struct table_array arrays[TABLE_ARRAYS_MAX];
    uint32_t           array_count;

    _Atomic(struct chunk *) groups[CHUNK_GROUPS]; /* CHUNKS_PER_GROUP each; set once */
    _Atomic uint32_t        row_end;              /* rows added; the next row number */

    uint64_t chunk_count; /* chunks ever made; the writer's */

    struct dictionary *dictionaries; /* one a column; used where storage says so */
    struct id_map      ids;                   /* of key 0 */
    struct index       keys[SCHEMA_KEYS_MAX]; /* key 0: only ids that the map does not take */

    _Atomic int64_t  next_id;       /* past the largest ever used; the writer's, others may look (relaxed) */
    _Atomic uint64_t living;        /* rows alive at the newest commit */
    _Atomic uint64_t last_change;   /* newest commit that touched the table */
};

knackdb_status table_data_init(struct table_data *table, const struct table *definition, struct epochs *epochs,
                               knackdb_error *error);
void           table_data_clear(struct table_data *table);

static inline const struct chunk *
table_chunk(const struct table_data *table, row_number row)
{
    uint32_t number = row >> CHUNK_ROW_BITS;

    return &atomic_load_explicit(&((struct table_data *) (uintptr_t) table)->groups[number / CHUNKS_PER_GROUP],
                                 memory_order_relaxed)[number % CHUNKS_PER_GROUP];
}

static inline unsigned char *
table_group(const struct table_data *table, row_number row)
{
    return table_chunk(table, row)->arrays + ((row & CHUNK_ROW_MASK) >> GROUP_ROW_BITS) * table->group_bytes;
}

/* The cell of `row` in the array at `offset` of its group. */
#define TABLE_AT(table, row, offset, type) \
    ((type *) (void *) (table_group(table, row) + (offset)) + ((row) & GROUP_ROW_MASK))

/* The row's marks in `exact`. */
static inline uint64_t *
table_exact(const struct table_data *table, row_number row)
{
    return (uint64_t *) (void *) (table_chunk(table, row)->arrays + table->exact_offset) + (row & CHUNK_ROW_MASK);
}

static inline bool
table_row_born(const struct table_data *table, row_number row, uint64_t sequence)
{
    return atomic_load_explicit(TABLE_AT(table, row, table->births_offset, _Atomic uint64_t), memory_order_relaxed)
           <= sequence;
}

static inline bool
table_row_visible(const struct table_data *table, row_number row, uint64_t sequence)
{
    return table_row_born(table, row, sequence)
           && atomic_load_explicit(TABLE_AT(table, row, table->ends_offset, _Atomic uint64_t), memory_order_relaxed)
                  > sequence;
}

static inline bool
column_is_dictionary(const struct column *column)
{
    return column->type == KNACKDB_TEXT && column->storage == TEXT_DICTIONARY;
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

/* Text of either storage; the NULL text for NULL. */
static inline knackdb_text
table_text(const struct table_data *table, row_number row, uint32_t column)
{
    if (table->definition->columns[column].storage == TEXT_DICTIONARY)
        return dictionary_text(&table->dictionaries[column], table_code(table, row, column));
    return text_cell_view(*TABLE_AT(table, row, table->offsets[column], text_cell));
}

/* False for NULL; INTEGER columns only. */
static inline bool
table_integer_given(const struct table_data *table, row_number row, uint32_t column, int64_t *ret_integer)
{
    int64_t integer = table_integer(table, row, column);

    *ret_integer = integer;
    return integer != INTEGER_NULL
           || (*table_exact(table, row) >> column & 1) != 0;
}

knackdb_value table_cell(const struct table_data *table, row_number row, uint32_t column);

/* ---- keys ---- */

/* A key value ready to be searched for. */
struct key_search {
    uint64_t hash;
    uint32_t count;
    int64_t  integers[SCHEMA_KEY_COLUMNS_MAX]; /* id, or a dictionary code */
    knackdb_text texts[SCHEMA_KEY_COLUMNS_MAX];
};

/* False where no row can have it: a part is NULL, or a text that the dictionary does not know. */
bool key_search_init(struct key_search *search, const struct table_data *table, uint32_t key_index,
                     const knackdb_value *key_values);
/* From the values of a whole row. */
bool key_search_init_row(struct key_search *search, const struct table_data *table, uint32_t key_index,
                         const knackdb_value *values);

/* The newest row that ever held the key, alive or not; ROW_NONE. */
row_number table_key_head(const struct table_data *table, uint32_t key_index, const struct key_search *search);
/* The row that holds it at a moment; ROW_NONE. */
row_number table_key_find(const struct table_data *table, uint32_t key_index, const struct key_search *search,
                          uint64_t sequence);

/* A row lies in as many cache lines as it has columns. Asked for together they arrive together. */
static inline void
table_prefetch_row(const struct table_data *table, row_number row)
{
    const unsigned char *group = table_group(table, row);
    size_t               place = row & GROUP_ROW_MASK;

    for (uint32_t a = 0; a < table->array_count; a++)
        __builtin_prefetch(group + table->arrays[a].offset + place * table->arrays[a].width);
}

/* Of the rows that held a key, newest first from `row` on, the one that holds it at a moment. One at a time does: where
 * one was born by then and is dead at it, those before it are, too. */
static inline row_number
table_key_at(const struct table_data *table, uint32_t key_index, row_number row, uint64_t sequence)
{
    while (row != ROW_NONE && !table_row_born(table, row, sequence))
        row = *TABLE_AT(table, row, table->links_offset[key_index], row_number);
    return row != ROW_NONE && table_row_visible(table, row, sequence) ? row : ROW_NONE;
}

/* ---- the writer's ---- */

/* Adds a row with every column of `values` (in column order), or, with `from` not ROW_NONE, a
 * version of that row with the columns of `changed` (bits) taken from `values`. It is born
 * with commit `sequence`. On failure nothing is to be seen of it. */
knackdb_status table_add_row(struct table_data *table, const knackdb_value *values, row_number from, uint64_t changed,
                             uint64_t sequence, row_number *ret_row, knackdb_error *error);

void table_end_row(struct table_data *table, row_number row, uint64_t sequence);
void table_restore_row(struct table_data *table, row_number row); /* undoes the above */
void table_forget_rows(struct table_data *table, row_number first); /* T3: all from `first` on */

static inline int64_t
table_next_id(const struct table_data *table)
{
    return atomic_load_explicit(&((struct table_data *) (uintptr_t) table)->next_id, memory_order_relaxed);
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
