/* copies.c - the calls that copy what they find, for callers without a view; and the answers kept for them. */
#include "nine.h"

#include <stdio.h>
#include <stdlib.h>

Test(copies, gives_the_history_of_a_component_newest_first)
{
    knackdb       *db = open_in_memory();
    knackdb_metric metrics[6], *found;
    knackdb_error  error;
    size_t         count;

    for (int i = 0; i < 6; i++) {
        metrics[i] = knackdb_metric_default();
        metrics[i].component_name = knackdb_string(i == 5 ? "other" : "store");
        metrics[i].metric_name = knackdb_string(i % 2 == 0 ? "latency" : "rows");
        metrics[i].measured_at = 100.0 * (i % 4); /* 0 100 200 300 0 100 */
        metrics[i].metric_value = i;
    }
    metrics[2].nulls |= KNACKDB_BIT(KNACKDB_METRIC_MEASURED_AT);
    MUST(knackdb_metrics_store(db, metrics, 6, 0, NULL, &error));
    MUST(knackdb_metrics_history(db, knackdb_string("store"), knackdb_string(NULL), 0, 0, 0, &found, &count, &error));
    cr_assert_eq(count, 5);
    cr_assert(found[0].id == 4 && found[1].id == 2 && found[2].id == 1 && found[3].id == 5 && found[4].id == 3,
              "300, 100, 0 twice by rising id, unknown");
    cr_assert(text_is(found[0].component_name, "store") && text_is(found[0].metric_name, "rows"));
    knackdb_free(found);
    MUST(knackdb_metrics_history(db, knackdb_string("store"), knackdb_string("rows"), 100, 300, 0, &found, &count,
                                 &error));
    cr_assert(count == 2 && found[0].id == 4 && found[1].id == 2, "both bounds included");
    knackdb_free(found);
    MUST(knackdb_metrics_history(db, knackdb_string("store"), knackdb_string(NULL), 0, 250, 1, &found, &count, &error));
    cr_assert(count == 1 && found[0].id == 2);
    knackdb_free(found);
    MUST(knackdb_metrics_history(db, knackdb_string("nobody"), knackdb_string(NULL), 0, 0, 0, &found, &count, &error));
    cr_assert(count == 0 && found == NULL);
    knackdb_free(found);
    close_it(db);
}

Test(copies, gives_preferences_the_most_used_first)
{
    static const char *const values[] = { "vi", "ed", "emacs" };
    knackdb                 *db = open_in_memory();
    knackdb_preference       preference = knackdb_preference_default(), *found;
    knackdb_error            error;
    size_t                   count;

    for (int i = 0; i < 3; i++) {
        preference.preference_type = knackdb_string("editor");
        preference.preference_value = knackdb_string(values[i]);
        preference.usage_count = i == 1 ? 5 : 2;
        MUST(knackdb_preference_store(db, &preference, NULL, &error));
    }
    MUST(knackdb_preferences_get(db, knackdb_string("editor"), knackdb_string(NULL), &found, &count, &error));
    cr_assert(count == 3 && text_is(found[0].preference_value, "ed") && text_is(found[1].preference_value, "vi") &&
              text_is(found[2].preference_value, "emacs"));
    knackdb_free(found);
    MUST(knackdb_preferences_get(db, knackdb_string("editor"), knackdb_string("emacs"), &found, &count, &error));
    cr_assert(count == 1 && found[0].usage_count == 2);
    knackdb_free(found);
    MUST(knackdb_preferences_get(db, knackdb_string("editor"), knackdb_string(""), &found, &count, &error));
    cr_assert(count == 0 && found == NULL, "the empty string is a value, not all of them");
    close_it(db);
}

Test(copies, gives_copies_that_outlive_the_store)
{
    knackdb         *db = open_with_nine();
    knackdb_pattern *pattern;
    knackdb_error    error;

    MUST(knackdb_pattern_get(db, 3, &pattern, &error));
    MUST(knackdb_delete(db, KNACKDB_EXECUTION_PATTERNS, 3, &error));
    close_it(db);
    cr_assert(text_is(pattern->task_type, "sort") && text_is(pattern->tools_used, "[\"cat\", \"sed\"]"));
    cr_assert_null(pattern->external_id.data);
    knackdb_free(pattern);
    knackdb_free(NULL);
}

/* NULL is NULL, whatever length is left in it. */
Test(copies, looks_for_no_row_by_a_text_that_is_null)
{
    knackdb         *db = open_with_nine();
    knackdb_pattern *pattern = NULL;
    knackdb_error    error;

    cr_assert_eq(knackdb_pattern_get_external(db, (knackdb_text) { NULL, 50 }, &pattern, &error), KNACKDB_NOT_FOUND);
    cr_assert_not_null(strstr(error.message, "external_id NULL"), "%s", error.message);
    cr_assert_null(pattern);
    close_it(db);
}

/* The same filter again and again, with changes in between: an answer kept is never an old answer. */
Test(copies, never_answers_from_a_cache_that_is_out_of_date)
{
    knackdb          *db = open_with_nine();
    knackdb_query     query;
    knackdb_condition condition = knackdb_where_text(KNACKDB_PATTERN_TASK_TYPE, "sort");
    knackdb_pattern   pattern = empty_pattern();
    knackdb_error     error;
    uint32_t          column = KNACKDB_PATTERN_TASK_TYPE;
    knackdb_value     hash = knackdb_value_text(knackdb_string("hash"));

    memset(&query, 0, sizeof query);
    query.conditions = &condition;
    query.condition_count = 1;
    query.order[0] = (knackdb_order) { .column = KNACKDB_PATTERN_CONFIDENCE_SCORE, .descending = true };
    query.order_count = 1;
    query.limit = 3;
    must_find(db, &query, IDS(3, 8, 1));
    must_find(db, &query, IDS(3, 8, 1));
    MUST(knackdb_pattern_set_weight(db, 1, 1, &error));
    must_find(db, &query, IDS(1, 3, 8));
    MUST(knackdb_delete(db, KNACKDB_EXECUTION_PATTERNS, 3, &error));
    must_find(db, &query, IDS(1, 8, 5));
    pattern.task_type = knackdb_string("sort");
    pattern.confidence_score = 0.95;
    pattern.nulls &= ~KNACKDB_BIT(KNACKDB_PATTERN_CONFIDENCE_SCORE);
    MUST(knackdb_pattern_store(db, &pattern, NULL, &error));
    must_find(db, &query, IDS(1, 10, 8));
    MUST(knackdb_update_row(db, KNACKDB_EXECUTION_PATTERNS, 10, &column, &hash, 1, &error));
    must_find(db, &query, IDS(1, 8, 5));
    close_it(db);
}

/* The caller's condition and texts may go as soon as prepare returned. */
Test(copies, copies_the_texts_of_a_prepared_query)
{
    knackdb           *db = open_with_nine();
    knackdb_read      *read = begin_read(db);
    char              *name = strdup("hash");
    knackdb_condition *condition = malloc(sizeof *condition);
    knackdb_value     *values = malloc(sizeof *values);
    knackdb_query      query;
    knackdb_prepared  *prepared;
    knackdb_rows       rows;
    knackdb_error      error;

    cr_assert(name != NULL && condition != NULL && values != NULL);
    *values = knackdb_value_text(knackdb_string(name));
    *condition = knackdb_where(KNACKDB_PATTERN_TASK_TYPE, KNACKDB_ONE_OF, knackdb_value_null());
    condition->values = values;
    condition->value_count = 1;
    memset(&query, 0, sizeof query);
    query.conditions = condition;
    query.condition_count = 1;
    MUST(knackdb_prepare(db, &query, &prepared, &error));
    memset(name, 'x', 4);
    free(name);
    free(values);
    free(condition);
    MUST(knackdb_read_find_prepared(read, prepared, &rows, &error));
    cr_assert_eq(rows.count, 2);
    knackdb_prepared_free(prepared);
    knackdb_prepared_free(NULL);
    knackdb_read_end(read);
    close_it(db);
}
