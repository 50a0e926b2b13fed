/* replay_apply.c - applies the log of one directory to an empty store in another, by the public calls alone.
 *
 *     replay_apply FROM TO [SEQ]     stop after commit SEQ
 *
 * What a program needs to follow a store: each kind of entry is one call. */
#include <knackdb.h>
#include <stdio.h>
#include <stdlib.h>

static knackdb_status
apply(knackdb *db, const knackdb_log_entry *entry, knackdb_error *error)
{
    knackdb_value row[KNACKDB_COLUMNS_MAX] = { { KNACKDB_NULL, { 0 } } };

    switch (entry->operation) {
    case KNACKDB_LOG_PUT:
        for (size_t i = 0; i < entry->column_count; i++)
            row[entry->columns[i]] = entry->values[i];
        return knackdb_store_rows(db, entry->table, row, knackdb_table_describe(entry->table)->column_count, 1,
                                  KNACKDB_STORE_REPLACE, NULL, error);
    case KNACKDB_LOG_UPDATE:
        return knackdb_update_row(db, entry->table, entry->id, entry->columns, entry->values, entry->column_count,
                                  error);
    case KNACKDB_LOG_DELETE: return knackdb_delete(db, entry->table, entry->id, error);
    case KNACKDB_LOG_CLEAN_UP: return knackdb_clean_up_before(db, entry->table, entry->values[0].as.real, NULL, error);
    }
    return KNACKDB_UNSUPPORTED;
}

int
main(int argc, char **argv)
{
    knackdb          *db;
    knackdb_log      *log;
    knackdb_log_entry entry;
    knackdb_error     error = { 0 };
    knackdb_status    status;

    if (argc < 3 || knackdb_log_open(argv[1], &log, &error) != KNACKDB_OK ||
        knackdb_open(argv[2], NULL, &db, &error) != KNACKDB_OK)
        return fprintf(stderr, "replay_apply: %s\n", argc < 3 ? "FROM TO [SEQ]" : error.message), 2;
    while ((status = knackdb_log_next(log, &entry, &error)) == KNACKDB_OK)
        if ((argc > 3 && entry.sequence > strtoull(argv[3], NULL, 10)) ||
            (status = apply(db, &entry, &error)) != KNACKDB_OK)
            break;
    knackdb_log_close(log);
    if (knackdb_close(db, &error) == KNACKDB_OK && (status == KNACKDB_OK || status == KNACKDB_NOT_FOUND))
        return 0;
    return fprintf(stderr, "replay_apply: %s\n", error.message), 1;
}
