/* keep_history.c - a program that keeps all of its log's history, as a host may ask for and no command does.
 *
 *     keep_history DIR COMMITS     one pattern, whose usage_count is the number of its commit */
#include <knackdb.h>
#include <stdio.h>
#include <stdlib.h>

int
main(int argc, char **argv)
{
    knackdb_options options = knackdb_options_default();
    knackdb_error   error = { .message = "DIR COMMITS" };
    knackdb        *db;
    knackdb_status  status;

    options.log_history_bytes = UINT64_MAX;
    if (argc != 3 || knackdb_open(argv[1], &options, &db, &error) != KNACKDB_OK)
        return fprintf(stderr, "keep_history: %s\n", error.message), 2;
    status = KNACKDB_OK;
    for (int64_t commit = 1; commit <= strtoll(argv[2], NULL, 10) && status == KNACKDB_OK; commit++) {
        knackdb_pattern pattern = knackdb_pattern_default();

        pattern.id = 1;
        pattern.usage_count = commit;
        status = knackdb_pattern_store(db, &pattern, NULL, &error);
    }
    if (status == KNACKDB_OK)
        status = knackdb_snapshot(db, &error);
    if (knackdb_close(db, status == KNACKDB_OK ? &error : NULL) == KNACKDB_OK && status == KNACKDB_OK)
        return 0;
    return fprintf(stderr, "keep_history: %s\n", error.message), 1;
}
