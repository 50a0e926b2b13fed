/* store.h - all tables of one open store, in memory: the face of core.
 *
 * One writer at a time (a mutex inside) and any number of readers without a lock,
 * each through a view: one moment of the store, numbered by its newest commit.
 * docs/ARCHITECTURE.md tells the way of a row; table.h how it is kept. */
#ifndef KNACKDB_CORE_STORE_H
#define KNACKDB_CORE_STORE_H

#include "base/allocator.h"
#include "core/commit.h"
#include "core/commit_log.h"
#include "schema/schema.h"

struct store;

/* `schema` must outlive the store. */
knackdb_status store_new(struct allocator *allocator, const struct schema *schema, struct store **ret_store,
                         knackdb_error *error);
void           store_free(struct store *store); /* NULL is accepted; no view may be open */

/* Commits go to this log from now on; NULL for none. */
void store_set_log(struct store *store, struct commit_log *log);

/* Calls `run` between two commits: what was committed before is there to be seen, and nothing commits meanwhile. So it
 * must be short and wait for nothing. */
void store_between_commits(struct store *store, void (*run)(void *context), void *context);

/* A store past this many bytes fails with KNACKDB_FULL; 0: no limit. */
void store_set_memory_limit(struct store *store, uint64_t bytes);

/* What the result cache may hold, in bytes; 0, as it begins: nothing. */
void store_set_cache_limit(struct store *store, uint64_t bytes);

const struct schema *store_schema(const struct store *store);
struct allocator    *store_allocator(const struct store *store);
uint64_t             store_sequence(const struct store *store); /* newest commit */

/* ---- writing; any thread. ret_sequence (may be NULL): the commit that did it ---- */

struct assignment {
    uint32_t      column;
    bool          adds; /* INTEGER only: add value.as.integer to what is there, NULL counting as 0 */
    knackdb_value value;
};

knackdb_status store_put_rows(struct store *store, uint32_t table, const knackdb_value *values, size_t column_count,
                              size_t row_count, uint32_t flags, int64_t *ret_ids, uint64_t *ret_sequence,
                              knackdb_error *error);

/* The same for rows of every column, each of its column's type, that the caller needs no more: what is computed is
 * written over them, which saves a copy. */
knackdb_status store_put_own_rows(struct store *store, uint32_t table, knackdb_value *values, size_t row_count,
                                  uint32_t flags, int64_t *ret_ids, uint64_t *ret_sequence, knackdb_error *error);

/* The row that key `key_index` names (key_values: one for each of its columns). NOT_FOUND where there is none. */
knackdb_status store_update(struct store *store, uint32_t table, uint32_t key_index, const knackdb_value *key_values,
                            const struct assignment *assignments, size_t count, uint64_t *ret_sequence,
                            knackdb_error *error);

knackdb_status store_delete(struct store *store, uint32_t table, int64_t id, uint64_t *ret_sequence,
                            knackdb_error *error);

struct clean_up {
    uint32_t table;
    double   before; /* rows whose age column is below this go */
};
/* Several tables in one commit. No commit (ret_sequence 0) where nothing is that old. */
knackdb_status store_clean_up(struct store *store, const struct clean_up *tables, size_t count, uint64_t *ret_deleted,
                              uint64_t *ret_sequence, knackdb_error *error);

/* ---- loading, before the store is shared: no log is written, no rules are applied. Rows: load_run.h ---- */

/* Where the loaded rows come from: the newest commit they hold (CORRUPT where no commit has such a number), and the
 * next id of each table. */
knackdb_status store_load_sequence(struct store *store, uint64_t sequence, knackdb_error *error);
void           store_load_next_id(struct store *store, uint32_t table, int64_t next_id);
/* Past every id of any view begun before the call; waits for the writer. */
int64_t        store_next_id(struct store *store, uint32_t table);

/* Applies a commit read from a log. Its sequence must be the next one (CORRUPT otherwise). */
knackdb_status store_apply(struct store *store, const struct commit_map *map, uint64_t sequence, int64_t time_us,
                           const void *payload, size_t payload_bytes, knackdb_error *error);

/* ---- reading; any thread ---- */

/* Moments number what views can be of: every commit is one, and there are some between it and the next, at
 * which rows are moved in memory (reclaim.h) and nothing is changed. */
#define MOMENT_STEP_BITS 8
#define SEQUENCE_MAX     (UINT64_MAX >> MOMENT_STEP_BITS >> 1)

static inline uint64_t
moment_of_commit(uint64_t sequence)
{
    return sequence << MOMENT_STEP_BITS;
}

static inline uint64_t
sequence_of_moment(uint64_t moment)
{
    return moment >> MOMENT_STEP_BITS;
}

struct table_data;

/* One moment. Small; lives where the caller puts it; belongs to one thread at a time. */
struct view {
    struct store      *store;
    uint64_t           moment;   /* sees every row of it */
    uint64_t           sequence; /* and so every commit up to this one */
    struct epoch_slot *slot;     /* of epoch.h: what keeps it from being freed under us */
};

/* NO_MEMORY only where more views are open than ever before and no slot can be added. */
knackdb_status view_begin(struct store *store, struct view *ret_view, knackdb_error *error);
void           view_end(struct view *view);

/* VIEW_OWNER_BYTES of memory, aligned to 16, that belong to whoever holds the view until view_end(). */
#define VIEW_OWNER_BYTES 880
void *view_owner_memory(const struct view *view);

typedef uint32_t row_number; /* chunk number << 16 | place in the chunk */
#define ROW_NONE UINT32_MAX

/* NOT_FOUND where the view sees none. */
knackdb_status view_find_by_key(const struct view *view, uint32_t table, uint32_t key_index,
                                const knackdb_value *key_values, row_number *ret_row);
knackdb_status view_find_by_id(const struct view *view, uint32_t table, int64_t id, row_number *ret_row);

/* Is it a row of the table that this view could have given? Its cells may then be asked for. */
bool view_has_row(const struct view *view, uint32_t table, uint64_t row);
/* Where such a row lies, for who looks at several of its values; and one of them, NULL where there is no such
 * column. */
struct row_place {
    const struct table_data *table;
    const unsigned char     *group;
    row_number               row;
};
struct row_place view_row_place(const struct view *view, uint32_t table, row_number row);
knackdb_value    view_value_at(const struct row_place *place, uint32_t column);
/* These columns (bits; others than there are do no harm) of rows that this view gave will be looked at: they are asked
 * for, and arrive meanwhile. ret_groups says in which group each is. */
void view_ask_cells(const struct view *view, uint32_t table, const uint64_t *rows, size_t count, uint64_t columns,
                    const unsigned char **ret_groups);
knackdb_value view_cell(const struct view *view, uint32_t table, row_number row, uint32_t column);
void          view_cells(const struct view *view, uint32_t table, row_number row, size_t column_count,
                         knackdb_value *ret_values);

struct led_rows;
/* One column of many rows. Cells are int64_t, double or knackdb_text, as the column is: 0, NaN or the NULL text where
 * one is NULL, and so of a row that the view did not give. */
struct column_cells {
    uint32_t                    table, column; /* there is such a one */
    bool                        is_given;      /* the view gave all of the rows: they need not be looked at for that */
    const uint64_t             *rows;
    size_t                      count;
    /* The groups of the first so many, as view_ask_cells() said. */
    const unsigned char *const *groups;
    size_t                      group_count;
    const struct led_rows      *led;    /* of an answer (query.h) that the rows are of; NULL: unknown */
    size_t                      led_at; /* which of its rows is the first of them */
    void                       *ret_cells;
    bool                       *ret_nulls; /* may be NULL */
};
/* False where no row was looked at for it: leaders told. */
bool view_column(const struct view *view, const struct column_cells *asked);

/* Where the cells of a row go in a caller's struct: cell c at offsets[c], as int64_t, double or knackdb_text. */
struct row_layout {
    size_t        struct_bytes;
    size_t        nulls_offset; /* of a uint64_t: bit c where cell c is NULL; its field is then 0 */
    size_t        field_count;
    const size_t *offsets;
};
void     view_struct(const struct view *view, uint32_t table, row_number row, const struct row_layout *layout,
                     void *ret_struct);
/* The same of some columns, given as bits; returns which of them are NULL, and leaves nulls_offset alone. */
uint64_t view_struct_columns(const struct view *view, uint32_t table, row_number row, const struct row_layout *layout,
                             uint64_t columns, void *ret_struct);

/* The first row from `from` on that the view sees, by row number: the order stored, but for rows that were moved;
 * ROW_NONE at the end. Start with 0, go on with the row after the one given. */
row_number view_next_row(const struct view *view, uint32_t table, row_number from);

/* Names the chunk that a row of this view lies in, as no other of its table is named as long as the store is open. A
 * chunk only gains rows; rows that go elsewhere are other rows there, in a chunk of another name. */
uint64_t view_chunk_identity(const struct view *view, uint32_t table, row_number row);

/* Makes the store what a view of another store (of the same schema) sees, as one commit with that view's number, which
 * must be higher than any before it (CORRUPT otherwise). Views that are open keep their moment. No log is written. */
knackdb_status store_turn_into(struct store *store, const struct view *from, knackdb_error *error);

/* ---- figures ---- */

struct store_table_figures {
    uint64_t row_count, version_count, memory_bytes;
};
struct store_figures {
    struct store_table_figures tables[KNACKDB_TABLES_MAX];
    uint64_t                   column_bytes, text_bytes, index_bytes, cache_bytes, other_bytes;
    uint64_t                   cache_hits, cache_misses, cache_entries;
    uint64_t                   sequence, reader_count, oldest_reader_sequence;
};
void store_get_figures(struct store *store, struct store_figures *ret_figures);

#endif
