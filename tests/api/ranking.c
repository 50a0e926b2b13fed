/* ranking.c - the first so many rows of an order are those that all of them, sorted, begin with.
 *
 * Asked for a few rows of many, the store looks at few (core/ranked.c); asked for all, it looks at all. Method: random
 * questions, with a limit and then without, of one view. Long lists, so that they consist of many blocks; few distinct
 * values here and many there; NULL; rows that died, moved or were never born; views of the past; moments that rise from
 * row to row, or nearly so, and moments that do not. Beside that, many stores of a few lists, most of them of a row or
 * two, asked for together; and histories of metrics. That the answer without a limit is right, too, is shown by
 * tests/model. */
#include "calls.h"
#include "draws.h"

#include <criterion/criterion.h>
#include <stdio.h>

enum { ROWS = 9000, QUESTIONS = 300, SHAPES = 60, LISTS = 12, ASKED_OF_SHAPE = 20 };

static uint64_t seed;

static uint32_t
below(uint32_t bound)
{
    return draw_below(&seed, bound);
}

static const char *const TYPES[] = { "most", "many", "some", "few" };

/* Half of them "most", and so on; the last are a few hundred. */
static knackdb_text
some_type(void)
{
    uint32_t draw = below(16);

    return knackdb_string(TYPES[draw < 8 ? 0 : draw < 12 ? 1 : draw < 15 ? 2 : 3]);
}

/* 0: any; 1: one of five; 2: nearly always the largest there is; 3: one of a hundred, so that a list's leaders are many
 * and many of them equal. */
static double
some_rate(int kind)
{
    if (kind == 0)
        return below(1000000) / 1e6;
    if (kind == 1)
        return below(5) / 4.0;
    if (kind == 3)
        return below(100) / 99.0;
    return below(50) == 0 ? below(1000) / 1e3 : 1.0;
}

/* 0: any; 1: rising, some of them late; 2: falling. */
static double
some_moment(int kind)
{
    static uint32_t given;

    given++;
    return 1000.0 + (kind == 0 ? below(100000) : kind == 1 ? given * 10.0 + below(200) * below(20) : 1e6 - given);
}

static knackdb_pattern
some_pattern(int kind)
{
    knackdb_pattern pattern = knackdb_pattern_default();

    pattern.task_type = some_type();
    pattern.pattern_used = some_type();
    pattern.complexity_level = some_type();
    pattern.success_rate = some_rate(below(2) == 0 ? 0 : kind);
    pattern.confidence_score = some_rate(kind);
    pattern.execution_time = below(1000) / 10.0;
    pattern.usage_count = below(40);
    pattern.agent_count = 1 + below(4);
    pattern.created_at = some_moment(kind);
    pattern.updated_at = pattern.created_at + below(1000);
    pattern.nulls = (below(40) == 0 ? KNACKDB_BIT(KNACKDB_PATTERN_CREATED_AT) : 0) |
                    (below(12) == 0 ? KNACKDB_BIT(KNACKDB_PATTERN_CONFIDENCE_SCORE) : 0) |
                    (below(12) == 0 ? KNACKDB_BIT(KNACKDB_PATTERN_SUCCESS_RATE) : 0) |
                    (below(12) == 0 ? KNACKDB_BIT(KNACKDB_PATTERN_USAGE_COUNT) : 0) |
                    (below(12) == 0 ? KNACKDB_BIT(KNACKDB_PATTERN_UPDATED_AT) : 0);
    return pattern;
}

struct question {
    knackdb_query     query;
    knackdb_condition conditions[4];
    knackdb_value     choices[2];
};

static void
ask_something(struct question *question, int kind)
{
    static const int32_t columns[] = {
        KNACKDB_PATTERN_CONFIDENCE_SCORE, KNACKDB_PATTERN_CONFIDENCE_SCORE, KNACKDB_PATTERN_CONFIDENCE_SCORE,
        KNACKDB_PATTERN_SUCCESS_RATE,     KNACKDB_PATTERN_UPDATED_AT,       KNACKDB_PATTERN_EXECUTION_TIME,
        KNACKDB_PATTERN_USAGE_COUNT,      KNACKDB_ORDER_BY_SCORE,           KNACKDB_PATTERN_ID,
        KNACKDB_PATTERN_CREATED_AT,       KNACKDB_PATTERN_CREATED_AT,
    };
    static const uint32_t posted[] = { KNACKDB_PATTERN_TASK_TYPE, KNACKDB_PATTERN_PATTERN_USED,
                                       KNACKDB_PATTERN_COMPLEXITY_LEVEL };
    knackdb_query        *query = &question->query;

    memset(question, 0, sizeof *question);
    query->table = KNACKDB_EXECUTION_PATTERNS;
    query->conditions = question->conditions;
    if (below(5) != 0)
        question->conditions[query->condition_count++] =
            knackdb_where(posted[below(3)], KNACKDB_EQUAL, knackdb_value_text(some_type()));
    if (below(6) == 0) {
        question->choices[0] = knackdb_value_text(some_type());
        question->choices[1] = knackdb_value_text(some_type());
        question->conditions[query->condition_count++] = (knackdb_condition) {
            .column = posted[below(3)], .op = KNACKDB_ONE_OF, .values = question->choices, .value_count = 2
        };
    }
    if (below(2) == 0)
        question->conditions[query->condition_count++] =
            knackdb_where_at_least(KNACKDB_PATTERN_SUCCESS_RATE, some_rate(kind));
    if (below(2) == 0)
        question->conditions[query->condition_count++] =
            below(4) == 0 ? knackdb_where_at_most(KNACKDB_PATTERN_CONFIDENCE_SCORE, some_rate(kind))
                          : knackdb_where_at_least(KNACKDB_PATTERN_CONFIDENCE_SCORE, some_rate(kind) * 1.2 - 0.1);
    query->order_count = 1 + below(2);
    query->order[0] = (knackdb_order) { columns[below(11)], below(5) != 0 };
    query->order[1] = (knackdb_order) { columns[below(11)], below(2) != 0 };
    query->now = 50000.0 + below(80000);
    query->half_life_seconds = below(2) == 0 ? 0.0 : 100.0 + below(100000);
}

/* Asked twice for the part: the second answer may come from the cache. */
static void
check_question(knackdb_read *read, struct question *question, int number)
{
    static const uint64_t limits[] = { 1, 2, 10, 10, 10, 100, 700, 1000000 };
    knackdb_rows          all, part;
    knackdb_error         error;

    MUST(knackdb_read_find(read, &question->query, &all, &error));
    for (int again = 0; again < 2; again++) {
        uint64_t limit = limits[below(8)], offset = below(3) != 0 ? 0 : below(30);
        size_t   from = offset < all.count ? (size_t) offset : all.count;
        size_t   count = all.count - from < limit ? all.count - from : (size_t) limit;

        question->query.limit = limit;
        question->query.offset = offset;
        MUST(knackdb_read_find(read, &question->query, &part, &error));
        cr_assert_eq(part.count, count, "question %d: %zu rows, %zu of all", number, part.count, count);
        for (size_t i = 0; i < count; i++)
            cr_assert_eq(part.rows[i], all.rows[from + i], "question %d, row %zu of %zu, limit %d", number, i, count,
                         (int) limit);
        question->query.limit = question->query.offset = 0;
    }
}

static void
check_views(knackdb *db, int kind, int questions)
{
    knackdb_read *read;
    knackdb_error error;

    MUST(knackdb_read_begin(db, &read, &error));
    for (int i = 0; i < questions; i++) {
        struct question question;

        ask_something(&question, kind);
        check_question(read, &question, i);
        if (i % 50 == 49) {
            knackdb_read_end(read);
            MUST(knackdb_read_begin(db, &read, &error));
        }
    }
    knackdb_read_end(read);
}

static void
store_some(knackdb *db, int kind, uint32_t rows)
{
    knackdb_pattern *patterns = calloc(rows, sizeof *patterns);
    knackdb_error    error;

    cr_assert_not_null(patterns);
    for (uint32_t i = 0; i < rows; i++)
        patterns[i] = some_pattern(kind);
    MUST(knackdb_patterns_store(db, patterns, rows, KNACKDB_STORE_REPLACE, NULL, &error));
    free(patterns);
}

/* Weights change, rows go, a batch fails in its last row. */
static void
change_some(knackdb *db, int kind, uint32_t changes)
{
    knackdb_pattern batch[40];
    knackdb_error   error;

    for (uint32_t i = 0; i < changes; i++) {
        int64_t        id = 1 + below(ROWS);
        knackdb_status status = below(4) == 0 ? knackdb_delete(db, KNACKDB_EXECUTION_PATTERNS, id, &error)
                                              : knackdb_pattern_set_weight(db, id, some_rate(kind), &error);

        cr_assert(status == KNACKDB_OK || status == KNACKDB_NOT_FOUND, "%s", error.message);
    }
    for (int i = 0; i < 40; i++)
        batch[i] = some_pattern(kind);
    batch[39].id = 1;
    batch[38].id = 1;
    (void) knackdb_patterns_store(db, batch, 40, KNACKDB_STORE_NEW, NULL, &error);
}

static void
check_kind(int kind)
{
    knackdb      *db = open_in_memory();
    knackdb_read *past;
    knackdb_error error;

    seed = 88172645463325252u + (uint64_t) kind;
    store_some(db, kind, ROWS);
    check_views(db, kind, QUESTIONS);
    MUST(knackdb_read_begin(db, &past, &error));
    change_some(db, kind, 1500);
    check_views(db, kind, QUESTIONS / 2);
    for (int i = 0; i < QUESTIONS / 4; i++) { /* of the moment before all that */
        struct question question;

        ask_something(&question, kind);
        check_question(past, &question, i);
    }
    knackdb_read_end(past);
    change_some(db, kind, ROWS); /* enough for memory to be given back meanwhile */
    store_some(db, kind, ROWS / 3);
    check_views(db, kind, QUESTIONS / 2);
    MUST(knackdb_close(db, &error));
}

Test(ranking, the_best_of_many_different_rates_are_the_best_of_all)
{
    check_kind(0);
}

Test(ranking, the_best_of_few_different_rates_are_the_best_of_all)
{
    check_kind(1);
}

Test(ranking, the_best_of_some_different_rates_are_the_best_of_all)
{
    check_kind(3);
}

Test(ranking, the_best_of_rates_that_are_nearly_all_equal_are_the_best_of_all)
{
    check_kind(2);
}

/* A store of some lists by their texts: one is long, most others hold a row, two or some. `share` percent of the rows
 * succeed; the rates rise with the rows, or are what `kind` says. */
static void
store_lists(knackdb *db, char names[LISTS][16], int kind, uint32_t share)
{
    uint32_t         lengths[LISTS], count = 0, at = 0;
    knackdb_pattern *patterns;
    knackdb_error    error;

    for (uint32_t list = 0; list < LISTS; list++) {
        (void) snprintf(names[list], sizeof names[list], "list %u", list);
        lengths[list] = list == 0 ? 1500 + below(3000) : below(4) != 0 ? 1 : 1 + below(below(3) == 0 ? 300 : 5);
        count += lengths[list];
    }
    patterns = calloc(count, sizeof *patterns);
    cr_assert_not_null(patterns);
    for (uint32_t list = 0; list < LISTS; list++)
        for (uint32_t i = 0; i < lengths[list]; i++, at++) {
            patterns[at] = some_pattern(kind);
            patterns[at].task_type = knackdb_string(names[list]);
            patterns[at].success_rate = below(100) < share ? 1.0 : 0.25;
            if (list == 0 && below(2) == 0)
                patterns[at].confidence_score = (double) i / lengths[list];
            else if (list != 0 && below(2) == 0)
                patterns[at].confidence_score /= 64.0;
        }
    MUST(knackdb_patterns_store(db, patterns, count, KNACKDB_STORE_REPLACE, NULL, &error));
    free(patterns);
}

static void
ask_of_lists(struct question *question, char names[LISTS][16], knackdb_value choices[LISTS])
{
    knackdb_query *query = &question->query;
    uint32_t       first = below(LISTS), count = 2 + below(7);

    memset(question, 0, sizeof *question);
    choices[0] = knackdb_value_text(knackdb_string(names[0]));
    for (uint32_t i = 1; i < count; i++)
        choices[i] = knackdb_value_text(knackdb_string(names[(first + i) % LISTS]));
    query->table = KNACKDB_EXECUTION_PATTERNS;
    query->conditions = question->conditions;
    question->conditions[query->condition_count++] = (knackdb_condition) {
        .column = KNACKDB_PATTERN_TASK_TYPE, .op = KNACKDB_ONE_OF, .values = choices, .value_count = count
    };
    if (below(6) != 0)
        question->conditions[query->condition_count++] = knackdb_where_at_least(KNACKDB_PATTERN_SUCCESS_RATE, 0.5);
    query->order_count = 1 + below(2);
    query->order[0] = (knackdb_order) { KNACKDB_PATTERN_CONFIDENCE_SCORE, true };
    query->order[1] = (knackdb_order) { KNACKDB_PATTERN_UPDATED_AT, below(2) != 0 };
}

Test(ranking, the_best_of_a_long_list_and_of_single_rows_are_the_best_of_all)
{
    static const uint32_t shares[] = { 2, 10, 30, 60, 90, 100 };

    seed = 2463534242u;
    for (int shape = 0; shape < SHAPES; shape++) {
        knackdb      *db = open_in_memory();
        knackdb_read *read;
        knackdb_error error;
        char          names[LISTS][16];

        store_lists(db, names, shape % 3, shares[below(6)]);
        MUST(knackdb_read_begin(db, &read, &error));
        for (int i = 0; i < ASKED_OF_SHAPE; i++) {
            struct question question;
            knackdb_value   choices[LISTS];

            ask_of_lists(&question, names, choices);
            check_question(read, &question, shape * ASKED_OF_SHAPE + i);
        }
        knackdb_read_end(read);
        MUST(knackdb_close(db, &error));
    }
}

/* ---- histories ---- */

enum { METRICS = 6000, HISTORIES = 250 };

static void
store_metrics(knackdb *db, int kind, uint32_t rows, bool are_new)
{
    knackdb_metric *metrics = calloc(rows, sizeof *metrics);
    knackdb_error   error;

    cr_assert_not_null(metrics);
    for (uint32_t i = 0; i < rows; i++) {
        metrics[i] = knackdb_metric_default();
        metrics[i].id = are_new ? 0 : 1 + below(METRICS); /* versions of rows there are */
        metrics[i].component_name = some_type();
        metrics[i].metric_name = some_type();
        metrics[i].metric_value = below(1000);
        metrics[i].measured_at = some_moment(kind);
        metrics[i].nulls |= below(40) == 0 ? KNACKDB_BIT(KNACKDB_METRIC_MEASURED_AT) : 0;
    }
    MUST(knackdb_metrics_store(db, metrics, rows, KNACKDB_STORE_REPLACE, NULL, &error));
    free(metrics);
}

static void
ask_for_history(struct question *question)
{
    knackdb_query *query = &question->query;

    memset(question, 0, sizeof *question);
    query->table = KNACKDB_PERFORMANCE_METRICS;
    query->conditions = question->conditions;
    question->conditions[query->condition_count++] =
        knackdb_where(KNACKDB_METRIC_COMPONENT_NAME, KNACKDB_EQUAL, knackdb_value_text(some_type()));
    if (below(2) == 0)
        question->conditions[query->condition_count++] =
            knackdb_where(KNACKDB_METRIC_METRIC_NAME, KNACKDB_EQUAL, knackdb_value_text(some_type()));
    if (below(3) == 0)
        question->conditions[query->condition_count++] =
            knackdb_where_at_least(KNACKDB_METRIC_METRIC_VALUE, below(1000));
    query->order_count = 1 + below(2);
    query->order[0] = (knackdb_order) { KNACKDB_METRIC_MEASURED_AT, below(6) != 0 };
    query->order[1] = (knackdb_order) { KNACKDB_METRIC_ID, below(4) != 0 };
}

static void
check_histories(knackdb *db)
{
    knackdb_read *read;
    knackdb_error error;

    MUST(knackdb_read_begin(db, &read, &error));
    for (int i = 0; i < HISTORIES; i++) {
        struct question question;

        ask_for_history(&question);
        check_question(read, &question, i);
    }
    knackdb_read_end(read);
}

Test(ranking, the_newest_of_a_history_are_the_newest_of_all)
{
    for (int kind = 0; kind < 3; kind++) {
        knackdb      *db = open_in_memory();
        knackdb_error error;

        seed = 3935559000370003845u + (uint64_t) kind;
        store_metrics(db, kind, METRICS, true);
        check_histories(db);
        for (int i = 0; i < 20; i++) { /* most rows have other versions by then, and memory was given back */
            store_metrics(db, kind, METRICS / 10, false);
            for (int d = 0; d < METRICS / 50; d++) {
                knackdb_status status = knackdb_delete(db, KNACKDB_PERFORMANCE_METRICS, 1 + below(METRICS), &error);

                cr_assert(status == KNACKDB_OK || status == KNACKDB_NOT_FOUND, "%s", error.message);
            }
        }
        check_histories(db);
        MUST(knackdb_close(db, &error));
    }
}
