/* minimal.c - the whole of knackdb that a program needs to begin with: store what was
 * tried, ask what worked best. Run it twice: the second run remembers the first.
 *
 *     cc minimal.c $(pkg-config --cflags --libs knackdb) && ./a.out memory.knack */
#include <knackdb.h>
#include <stdio.h>

int
main(int argc, char **argv)
{
    knackdb        *db = NULL;
    knackdb_pattern tried = knackdb_pattern_default(), *best = NULL;
    knackdb_error   error;
    size_t          count;

    knackdb_condition is_sorting = knackdb_where_text(KNACKDB_PATTERN_TASK_TYPE, "sort");
    knackdb_query     by_score = { .conditions = &is_sorting,
                                   .condition_count = 1,
                                   .limit = 3,
                                   .order = { { KNACKDB_ORDER_BY_SCORE, true } },
                                   .order_count = 1 };

    if (knackdb_open(argc > 1 ? argv[1] : "memory.knack", NULL, &db, &error) != KNACKDB_OK)
        goto out;

    tried.task_type = knackdb_string("sort");
    tried.pattern_used = knackdb_string("radix");
    tried.execution_time = 0.012; /* seconds */
    tried.success_rate = 0.95;
    tried.usage_count = 40; /* uses that the rate was measured over */
    tried.confidence_score = 0.9;
    tried.external_id = knackdb_string("sort/radix"); /* our own key: storing it again replaces the row */
    if (knackdb_pattern_store(db, &tried, NULL, &error) != KNACKDB_OK)
        goto out;

    tried.pattern_used = knackdb_string("bubble");
    tried.execution_time = 9.5;
    tried.success_rate = 0.1;
    tried.external_id = knackdb_string(NULL); /* no key: every time a new row */
    if (knackdb_pattern_store(db, &tried, NULL, &error) != KNACKDB_OK)
        goto out;

    if (knackdb_patterns_find(db, &by_score, &best, &count, &error) != KNACKDB_OK)
        goto out;
    for (size_t i = 0; i < count; i++)
        printf("row %lld: %.*s, %g s\n", (long long) best[i].id, (int) best[i].pattern_used.length,
               best[i].pattern_used.data, best[i].execution_time);
    knackdb_free(best);

    if (knackdb_close(db, &error) == KNACKDB_OK)
        return 0;
    db = NULL;
out:
    fprintf(stderr, "minimal: %s\n", error.message);
    knackdb_close(db, NULL);
    return 1;
}
