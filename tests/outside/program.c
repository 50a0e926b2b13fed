/* program.c - somebody's program: a row stored is a row found, and says which library it runs with. */
#include <knackdb.h>
#include <stdio.h>

int
main(int argc, char **argv)
{
    knackdb_options  options = knackdb_options_default();
    knackdb_pattern  pattern = knackdb_pattern_default();
    knackdb_error    error = { 0 };
    knackdb         *db;
    knackdb_query    query = { .struct_size = sizeof query, .table = KNACKDB_EXECUTION_PATTERNS };
    knackdb_pattern *found = NULL;
    size_t           count = 0;

    pattern.task_type = knackdb_string("sort");
    if (argc != 2 || knackdb_open(argv[1], &options, &db, &error) != KNACKDB_OK ||
        knackdb_pattern_store(db, &pattern, NULL, &error) != KNACKDB_OK ||
        knackdb_patterns_find(db, &query, &found, &count, &error) != KNACKDB_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    printf("knackdb %s found %zu: %.*s\n", knackdb_version(), count, (int) found->task_type.length,
           found->task_type.data);
    knackdb_free(found);
    return knackdb_close(db, &error) == KNACKDB_OK ? 0 : 1;
}
