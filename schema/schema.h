/* schema.h - tables as data.
 *
 * A schema is what one version of the tables looks like. A schema_history is how it
 * came about: the tables of version 1 and the steps that lead on from there. Nothing
 * above this folder knows a table by heart (but for the score, which the contract
 * defines on execution_patterns: core/score.c); what the engine has to do for a column
 * (which storage, which index, what to do when a key is stored again) is said here.
 *
 * Stored files name tables and columns, so they are read by name: schema_resolve_table()
 * and schema_resolve_column() follow a name from the version that wrote it to the version
 * that reads it. */
#ifndef KNACKDB_SCHEMA_SCHEMA_H
#define KNACKDB_SCHEMA_SCHEMA_H

#include "base/allocator.h"

#include <knackdb.h>

#define SCHEMA_KEYS_MAX        4
#define SCHEMA_KEY_COLUMNS_MAX 2
#define SCHEMA_NAME_BYTES_MAX  63

/* How a TEXT column is kept in memory. */
enum text_storage {
    TEXT_OWN,        /* each cell its own bytes */
    TEXT_DICTIONARY, /* a code into the distinct texts: for what repeats */
};

/* What becomes of a column when a row with the same merging key is stored again. */
enum merge_rule {
    MERGE_KEEP,        /* the stored value stays */
    MERGE_ADD,         /* the new value, 1 where NULL, is added; a stored NULL counts as 0 */
    MERGE_TAKE,        /* the new value unless NULL */
    MERGE_TAKE_OR_NOW, /* the new value, or the time of the call where NULL */
};

struct column {
    const char       *name;
    knackdb_type      type;
    enum text_storage storage;
    bool              is_rate;   /* REAL within 0..1 */
    bool              is_list;   /* TEXT that is a JSON list, searched by KNACKDB_CONTAINS */
    bool              is_sparse; /* TEXT_OWN that many stores leave NULL: takes no memory where all rows do */
    bool              is_posted; /* dictionary text with a posting list a code */
    uint32_t          beside;    /* is_posted: a rate or dictionary column of which the lists tell something; 0: none */
    uint64_t          carries;   /* is_posted: INTEGER and REAL columns, as bits, whose cells lists carry; 0: none */
    enum merge_rule   merge;
    uint32_t          since_version;
};

/* What storing a key that is there does. */
enum key_conflict {
    KEY_REPLACES, /* the row that has it goes */
    KEY_MERGES,   /* the row that has it stays and takes the new values by their merge rules */
};

/* A set of columns whose values are unique where none is NULL. Key 0 is the id. */
struct key {
    uint32_t          columns[SCHEMA_KEY_COLUMNS_MAX];
    uint32_t          column_count;
    enum key_conflict conflict;
};

/* target = (value - baseline) / |baseline| * 100 where target is NULL, both are there and baseline is not 0. */
struct derived_change {
    uint32_t value, baseline, target;
    bool     present;
};

struct table {
    const char           *name;
    uint32_t              column_count;
    struct column         columns[KNACKDB_COLUMNS_MAX]; /* the first is the id */
    uint32_t              key_count;
    struct key            keys[SCHEMA_KEYS_MAX];
    int32_t               age_column; /* REAL seconds; what clean-up looks at; -1: none */
    struct derived_change derived;
};

struct schema {
    uint32_t     version;
    uint32_t     table_count;
    struct table tables[KNACKDB_TABLES_MAX];
};

enum migration_kind {
    MIGRATION_ADD_TABLE,     /* new_table */
    MIGRATION_ADD_COLUMN,    /* table, column; at the end */
    MIGRATION_RENAME_COLUMN, /* table, name -> new_name */
    MIGRATION_DROP_COLUMN,   /* table, name; must be in no key */
    MIGRATION_ADD_KEY,       /* table, name: one column, unique where not NULL */
};

struct migration_step {
    uint32_t            to_version; /* rising through the list; several steps may share one */
    enum migration_kind kind;
    const char         *table;
    const char         *name;
    const char         *new_name;
    struct column       column;
    const struct table *new_table;
};

struct schema_history {
    const struct table          *tables; /* of version 1 */
    size_t                       table_count;
    const struct migration_step *steps;
    size_t                       step_count;
    uint32_t                     version; /* the newest */
};

/* The history that is knackdb's. Static. */
const struct schema_history *schema_history_builtin(void);

/* The newest schema of schema_history_builtin(), built once. Static. Thread-safe. */
const struct schema *schema_builtin(void);

/* Fills `ret_schema` with a version of a history. INVALID where the version or a step makes no sense. */
knackdb_status schema_build(const struct schema_history *history, uint32_t version, struct schema *ret_schema,
                            knackdb_error *error);

int schema_table_by_name(const struct schema *schema, const char *name, size_t length); /* or -1 */
int table_key_on_column(const struct table *table, uint32_t column); /* the key that begins with it, or -1 */
int table_column_by_name(const struct table *table, const char *name, size_t length); /* or -1 */

/* Where a table or column named by a file of `from_version` lives in `schema` of the
 * same history. False where it was dropped since or never was. A column's table is
 * given by its name in the file. */
bool schema_resolve_table(const struct schema_history *history, const struct schema *schema, uint32_t from_version,
                          const char *table, size_t table_length, uint32_t *ret_table);
bool schema_resolve_column(const struct schema_history *history, const struct schema *schema, uint32_t from_version,
                           const char *table, size_t table_length, const char *column, size_t column_length,
                           uint32_t *ret_column);

/* A step in words: "add execution_patterns.external_id TEXT". Returns its length, cut to fit. */
size_t migration_step_text(const struct migration_step *step, char *text, size_t bytes);

/* Checks one row as it comes from a caller: types, rates, text. `table` names columns in messages. */
knackdb_status table_check_values(const struct table *table, const knackdb_value *values, size_t column_count,
                                  knackdb_error *error);
/* The same for one value of one column. */
knackdb_status table_check_value(const struct table *table, uint32_t column, const knackdb_value *value,
                                 knackdb_error *error);

#endif
