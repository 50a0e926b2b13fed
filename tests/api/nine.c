/* nine.c - see nine.h. */
#include "nine.h"

/* A confidence below 0 is NULL. */
static const struct {
    int64_t     id;
    const char *task_type;
    double      confidence;
    double      seconds;
} nine[] = {
    { 1, "sort", 0.5, 10 }, { 2, "hash", 0.9, 20 }, { 3, "sort", 0.9, 30 }, { 4, NULL, 0.1, 40 }, { 5, "sort", -1, 50 },
    { 6, "", 0.5, 60 },     { 7, "hash", 0.5, 70 }, { 8, "sort", 0.9, 80 }, { 9, "pack", 0, 90 },
};

knackdb *
open_with_nine(void)
{
    knackdb      *db = open_in_memory();
    knackdb_error error;

    for (size_t i = 0; i < sizeof nine / sizeof nine[0]; i++) {
        knackdb_pattern pattern = empty_pattern();

        pattern.id = nine[i].id;
        pattern.task_type = knackdb_string(nine[i].task_type);
        pattern.execution_time = nine[i].seconds;
        pattern.nulls &= ~KNACKDB_BIT(KNACKDB_PATTERN_EXECUTION_TIME);
        if (nine[i].confidence >= 0) {
            pattern.confidence_score = nine[i].confidence;
            pattern.nulls &= ~KNACKDB_BIT(KNACKDB_PATTERN_CONFIDENCE_SCORE);
        }
        pattern.tools_used = knackdb_string(i % 2 == 0 ? "[\"cat\", \"sed\"]" : "[\"catalog\"]");
        MUST(knackdb_pattern_store(db, &pattern, NULL, &error));
    }
    return db;
}

void
must_find(knackdb *db, const knackdb_query *query, const int64_t *ids)
{
    knackdb_read     *read = begin_read(db);
    knackdb_prepared *prepared = NULL;
    knackdb_rows      rows, again;
    knackdb_pattern  *copies;
    size_t            copy_count, count = 0;
    knackdb_error     error;

    while (ids[count] != 0)
        count++;
    MUST(knackdb_read_find(read, query, &rows, &error));
    cr_assert_eq(rows.count, count, "%zu rows instead of %zu", rows.count, count);
    for (size_t i = 0; i < count; i++)
        cr_assert_eq(knackdb_read_value(read, query->table, rows.rows[i], 0).as.integer, ids[i], "place %zu", i);
    MUST(knackdb_prepare(db, query, &prepared, &error));
    MUST(knackdb_read_find_prepared(read, prepared, &again, &error));
    cr_assert(again.count == count && (count == 0 || memcmp(rows.rows, again.rows, count * sizeof rows.rows[0]) == 0));
    knackdb_prepared_free(prepared);
    knackdb_read_end(read);

    MUST(knackdb_patterns_find(db, query, &copies, &copy_count, &error));
    cr_assert_eq(copy_count, count);
    cr_assert_eq(copies == NULL, count == 0, "an answer without rows is NULL");
    for (size_t i = 0; i < count; i++)
        cr_assert_eq(copies[i].id, ids[i]);
    knackdb_free(copies);
}

void
must_find_where(knackdb *db, knackdb_condition condition, const int64_t *ids)
{
    knackdb_query query;

    memset(&query, 0, sizeof query);
    query.conditions = &condition;
    query.condition_count = 1;
    must_find(db, &query, ids);
}
