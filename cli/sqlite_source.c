/* sqlite_source.c - rows out of a table of the same name in a SQLite file.
 *
 * SQLite stores a type with every value, whatever the column was declared as, so each
 * value is looked at: it must be of the column's type or convert without loss.
 *
 * The file may come from anywhere. It is opened read-only, views and generated
 * columns in it may call nothing that has effects, and both passes over it happen in
 * one read transaction, so that they see the same rows even while someone writes.
 *
 * A value is good only until the next row is read, so texts are copied into a buffer
 * that is emptied when the caller has used them. */
#include "complaint.h"
#include "row_source.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#ifndef KEEP_BYTES /* the fuzz target compiles it small, so that small files fill it */
#define KEEP_BYTES ((size_t) 1024 * 1024)
#endif

struct sqlite_source {
    struct row_source source;
    const char       *path;
    sqlite3          *db;
    sqlite3_stmt     *select;
    uint64_t          row;
    bool              is_pending; /* a row has been stepped to but not given yet */
    int               column_count;
    uint32_t          columns[KNACKDB_COLUMNS_MAX];
    char             *kept; /* texts of the rows given since the last refill */
    size_t            kept_bytes, kept_capacity;
};

static struct sqlite_source *
of(struct row_source *source)
{
    return (struct sqlite_source *) source;
}

static void
sqlite_source_tell_place(const struct row_source *source, char place[ROW_PLACE_BYTES])
{
    const struct sqlite_source *sqlite = (const struct sqlite_source *) source;

    (void) snprintf(place, ROW_PLACE_BYTES, "%s: row %llu", sqlite->path, (unsigned long long) sqlite->row);
}

static bool
complain_of_sqlite(const struct sqlite_source *sqlite)
{
    int code = sqlite3_errcode(sqlite->db);

    (void) complain(code == SQLITE_CANTOPEN || code == SQLITE_BUSY || code == SQLITE_PERM ? EXIT_CALL_AT_FAULT
                                                                                          : EXIT_DATA_AT_FAULT,
                    sqlite->source.command, sqlite->path, "SQLite: %s", sqlite3_errmsg(sqlite->db));
    return false;
}

/* Bytes of text that the row stepped to will need kept. */
static size_t
text_bytes_of_row(const struct sqlite_source *sqlite)
{
    size_t bytes = 0;

    for (int i = 0; i < sqlite->column_count; i++)
        if (sqlite3_column_type(sqlite->select, i) == SQLITE_TEXT)
            bytes += (size_t) sqlite3_column_bytes(sqlite->select, i);
    return bytes;
}

static bool
refuse(struct sqlite_source *sqlite, uint32_t column, const char *why)
{
    sqlite->source.column = (int) column;
    (void) snprintf(sqlite->source.why, sizeof sqlite->source.why, "%s", why);
    return false;
}

static bool
read_integer(struct sqlite_source *sqlite, int64_t integer, uint32_t column, knackdb_value *ret_value)
{
    knackdb_type type = sqlite->source.table->columns[column].type;
    double       real = (double) integer;

    if (type == KNACKDB_TEXT)
        return refuse(sqlite, column, "an INTEGER where TEXT belongs");
    if (type == KNACKDB_INTEGER) {
        *ret_value = knackdb_value_integer(integer);
        return true;
    }
    if (real >= 0x1p63 || (int64_t) real != integer)
        return refuse(sqlite, column, "an INTEGER that a REAL cannot hold exactly");
    *ret_value = knackdb_value_real(real);
    return true;
}

static bool
read_real(struct sqlite_source *sqlite, double real, uint32_t column, knackdb_value *ret_value)
{
    knackdb_type type = sqlite->source.table->columns[column].type;

    if (type == KNACKDB_TEXT)
        return refuse(sqlite, column, "a REAL where TEXT belongs");
    if (type == KNACKDB_REAL) {
        *ret_value = knackdb_value_real(real);
        return true;
    }
    if (!(real >= -0x1p63 && real < 0x1p63) || (double) (int64_t) real != real)
        return refuse(sqlite, column, "a REAL that is no whole number of 64 bits");
    *ret_value = knackdb_value_integer((int64_t) real);
    return true;
}

/* A copy: SQLite's own goes with the next step. */
static bool
read_text(struct sqlite_source *sqlite, int i, uint32_t column, knackdb_value *ret_value)
{
    const unsigned char *text;
    size_t               length;

    if (sqlite->source.table->columns[column].type != KNACKDB_TEXT)
        return refuse(sqlite, column, "TEXT where a number belongs");
    text = sqlite3_column_text(sqlite->select, i);
    if (text == NULL)
        return refuse(sqlite, column, "out of memory for the text");
    length = (size_t) sqlite3_column_bytes(sqlite->select, i);
    memcpy(sqlite->kept + sqlite->kept_bytes, text, length);
    ret_value->type = KNACKDB_TEXT;
    ret_value->as.text.data = sqlite->kept + sqlite->kept_bytes;
    ret_value->as.text.length = length;
    sqlite->kept_bytes += length;
    return true;
}

static bool
read_value(struct sqlite_source *sqlite, int i, uint32_t column, knackdb_value *ret_value)
{
    switch (sqlite3_column_type(sqlite->select, i)) {
    case SQLITE_NULL: return true;
    case SQLITE_INTEGER: return read_integer(sqlite, sqlite3_column_int64(sqlite->select, i), column, ret_value);
    case SQLITE_FLOAT: return read_real(sqlite, sqlite3_column_double(sqlite->select, i), column, ret_value);
    case SQLITE_TEXT: return read_text(sqlite, i, column, ret_value);
    default: return refuse(sqlite, column, "a BLOB; only numbers and text are stored");
    }
}

static enum row_result
sqlite_source_next(struct row_source *source, knackdb_value *values)
{
    struct sqlite_source *sqlite = of(source);
    bool                  is_good = true;

    if (!sqlite->is_pending) {
        int code = sqlite3_step(sqlite->select);

        if (code == SQLITE_DONE)
            return ROW_END;
        if (code != SQLITE_ROW) {
            (void) complain_of_sqlite(sqlite);
            return ROW_FAILED;
        }
        sqlite->row++;
        sqlite->is_pending = true;
    }
    if (text_bytes_of_row(sqlite) > sqlite->kept_capacity - sqlite->kept_bytes)
        return ROW_DRAINED;
    sqlite->is_pending = false;
    for (size_t i = 0; i < source->table->column_count; i++)
        values[i] = knackdb_value_null();
    for (int i = 0; i < sqlite->column_count && is_good; i++)
        is_good = read_value(sqlite, i, sqlite->columns[i], &values[sqlite->columns[i]]);
    return is_good ? ROW_READY : ROW_BAD;
}

static bool
sqlite_source_refill(struct row_source *source)
{
    struct sqlite_source *sqlite = of(source);
    size_t                needed = text_bytes_of_row(sqlite);

    sqlite->kept_bytes = 0;
    if (needed > sqlite->kept_capacity) {
        char *kept = realloc(sqlite->kept, needed);

        if (kept == NULL) {
            (void) complain(EXIT_DATA_AT_FAULT, source->command, sqlite->path, "out of memory for a row of %zu bytes",
                            needed);
            return false;
        }
        sqlite->kept = kept;
        sqlite->kept_capacity = needed;
    }
    return true;
}

static bool
sqlite_source_rewind(struct row_source *source)
{
    struct sqlite_source *sqlite = of(source);

    sqlite->row = 0;
    sqlite->is_pending = false;
    sqlite->kept_bytes = 0;
    return sqlite3_reset(sqlite->select) == SQLITE_OK || complain_of_sqlite(sqlite);
}

static void
sqlite_source_close(struct row_source *source)
{
    struct sqlite_source *sqlite = of(source);

    (void) sqlite3_finalize(sqlite->select);
    (void) sqlite3_close(sqlite->db);
    free(sqlite->kept);
    free(sqlite);
}

/* Pairs the columns of the SQLite table with ours, by name; SQLite knows no case in names. */
static int
match_columns(struct sqlite_source *sqlite)
{
    const knackdb_table_info *table = sqlite->source.table;
    uint64_t                  seen = 0;

    sqlite->column_count = sqlite3_column_count(sqlite->select);
    for (int i = 0; i < sqlite->column_count; i++) {
        const char *name = sqlite3_column_name(sqlite->select, i);
        size_t      column = 0;

        while (column < table->column_count && (name == NULL || strcasecmp(table->columns[column].name, name) != 0))
            column++;
        if (column == table->column_count) {
            column_say_missing(table, name != NULL ? name : "", name != NULL ? strlen(name) : 0, sqlite->source.why);
            return complain(EXIT_DATA_AT_FAULT, sqlite->source.command, sqlite->path, "%s", sqlite->source.why);
        }
        if ((seen & KNACKDB_BIT(column)) != 0)
            return complain(EXIT_DATA_AT_FAULT, sqlite->source.command, sqlite->path, "the column '%s' comes twice",
                            name);
        seen |= KNACKDB_BIT(column);
        sqlite->columns[i] = (uint32_t) column;
    }
    return EXIT_DONE;
}

static int
open_table(struct sqlite_source *sqlite)
{
    const char *name = sqlite->source.table->name;
    char        statement[200];

    if (sqlite3_open_v2(sqlite->path, &sqlite->db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) {
        (void) complain_of_sqlite(sqlite);
        return EXIT_CALL_AT_FAULT;
    }
    (void) sqlite3_db_config(sqlite->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void) sqlite3_db_config(sqlite->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void) sqlite3_busy_timeout(sqlite->db, 5000);
    if (sqlite3_exec(sqlite->db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(sqlite->db, "SELECT count(*) FROM sqlite_master", NULL, NULL, NULL) != SQLITE_OK) {
        (void) complain_of_sqlite(sqlite);
        return EXIT_DATA_AT_FAULT;
    }
    if (sqlite3_table_column_metadata(sqlite->db, "main", name, NULL, NULL, NULL, NULL, NULL, NULL) != SQLITE_OK)
        return complain(EXIT_DATA_AT_FAULT, sqlite->source.command, sqlite->path, "holds no table '%s'", name);
    (void) snprintf(statement, sizeof statement, "SELECT * FROM main.\"%s\"", name);
    if (sqlite3_prepare_v2(sqlite->db, statement, -1, &sqlite->select, NULL) != SQLITE_OK) {
        (void) complain_of_sqlite(sqlite);
        return EXIT_DATA_AT_FAULT;
    }
    return match_columns(sqlite);
}

int
sqlite_source_open(const char *command, const char *path, const knackdb_table_info *table,
                   struct row_source **ret_source)
{
    struct sqlite_source *sqlite = calloc(1, sizeof *sqlite);
    int                   status;

    if (sqlite == NULL || (sqlite->kept = malloc(KEEP_BYTES)) == NULL) {
        free(sqlite);
        return complain(EXIT_DATA_AT_FAULT, command, NULL, "out of memory");
    }
    sqlite->kept_capacity = KEEP_BYTES;
    sqlite->source.command = command;
    sqlite->source.table = table;
    sqlite->source.column = -1;
    sqlite->source.next = sqlite_source_next;
    sqlite->source.refill = sqlite_source_refill;
    sqlite->source.rewind = sqlite_source_rewind;
    sqlite->source.tell_place = sqlite_source_tell_place;
    sqlite->source.close = sqlite_source_close;
    sqlite->path = path;
    status = open_table(sqlite);
    if (status == EXIT_DONE)
        *ret_source = &sqlite->source;
    else
        sqlite_source_close(&sqlite->source);
    return status;
}
