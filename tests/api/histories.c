/* histories.c - what is read of a history is what its rows hold, whichever way it is read.
 *
 * The rows of a component are read from copies beside its list (core/carried.h), and where they stand about in the
 * order of time, the newest are found by one walk (core/newest.h). Method: random metrics, NULL in any column, some
 * lists long and some short, in order of time, or nearly, or in none; random histories are
 * compared with all rows of the same view, chosen and sorted by hand, and each row, read as a struct or copied, with
 * its values, which come from the columns. Asked while nobody has given the columns that have no copies, and after
 * somebody has; of the past, after most rows have died and memory was given back; and after the store was opened
 * again. */
#include "calls.h"
#include "draws.h"
#include "scratch.h"

#include <math.h>
#include <stdlib.h>

enum { COMPONENTS = 5, NAMES = 6, ROWS = 3000, ASKED = 60, COLUMNS = KNACKDB_METRIC_COLUMNS };

static const char *const components[COMPONENTS] = { "most", "many", "some", "few", NULL };
static const char *const names[NAMES] = { "latency", "errors", "tokens", "cost", "", NULL };

static uint64_t seed;
static uint32_t spread =
    20; /* how far from the order of time rows are stored; 1: not at all, but many at the same time */

static uint32_t
below(uint32_t bound)
{
    return draw_below(&seed, bound);
}

static knackdb_text
text_or_null(const char *string)
{
    return string != NULL ? knackdb_string(string) : (knackdb_text) { NULL, 0 };
}

static const char *
some_component(void)
{
    uint32_t draw = below(64);

    return components[draw < 32 ? 0 : draw < 48 ? 1 : draw < 60 ? 2 : draw < 62 ? 3 : 4];
}

/* `is_rare`: what hardly anybody gives is given, too. */
static knackdb_metric
some_metric(bool is_rare)
{
    static uint32_t given;
    knackdb_metric  metric = { .id = 0 };

    given++;
    metric.component_name = text_or_null(some_component());
    metric.metric_name = text_or_null(names[below(NAMES)]);
    metric.metric_value = below(1000) - 500.0;
    metric.baseline_value = below(3);
    metric.improvement_percentage = below(100);
    metric.measured_at = 1000.0 + given / 4 + below(spread) * below(spread);
    metric.sample_count = below(8) == 0 ? INT64_MIN : (int64_t) below(9) - 4;
    metric.confidence_interval = below(2) == 0 ? 0.0 : 0.95;
    if (is_rare && below(3) != 0)
        metric.metadata = knackdb_string(below(2) == 0 ? "{}" : "{\"unit\": \"ms\"}");
    metric.nulls = KNACKDB_BIT(KNACKDB_METRIC_METRIC_VALUE + below(40)) &
                   (KNACKDB_BIT(KNACKDB_METRIC_MEASURED_AT + 1) - 1);
    if (!is_rare || below(4) == 0)
        metric.nulls |= KNACKDB_BIT(KNACKDB_METRIC_SAMPLE_COUNT);
    if (!is_rare || below(4) == 0)
        metric.nulls |= KNACKDB_BIT(KNACKDB_METRIC_CONFIDENCE_INTERVAL);
    return metric;
}

static void
store_some(knackdb *db, uint32_t rows, bool is_rare, bool are_new)
{
    knackdb_metric *metrics = calloc(rows, sizeof *metrics);
    knackdb_error   error;

    cr_assert_not_null(metrics);
    for (uint32_t i = 0; i < rows; i++) {
        metrics[i] = some_metric(is_rare);
        metrics[i].id = are_new ? 0 : 1 + below(ROWS);
    }
    MUST(knackdb_metrics_store(db, metrics, rows, KNACKDB_STORE_REPLACE, NULL, &error));
    free(metrics);
}

/* ---- by hand ---- */

struct row {
    knackdb_row   number;
    knackdb_value values[COLUMNS];
};

static const knackdb_query *sorting_for; /* qsort() hands on nothing */

/* NULL is less than any number. */
static int
compare_values(const knackdb_value *a, const knackdb_value *b)
{
    double x = a->type == KNACKDB_NULL ? -INFINITY : a->type == KNACKDB_REAL ? a->as.real : (double) a->as.integer;
    double y = b->type == KNACKDB_NULL ? -INFINITY : b->type == KNACKDB_REAL ? b->as.real : (double) b->as.integer;

    return (x > y) - (x < y);
}

static int
compare_rows(const void *one, const void *other)
{
    const struct row *a = one, *b = other;

    for (size_t i = 0; i < sorting_for->order_count; i++) {
        const knackdb_order *by = &sorting_for->order[i];
        int                  order = compare_values(&a->values[by->column], &b->values[by->column]);

        if (order != 0)
            return by->descending ? -order : order;
    }
    return compare_values(&a->values[0], &b->values[0]);
}

static bool
holds(const knackdb_condition *condition, const knackdb_value *value)
{
    if (value->type == KNACKDB_NULL)
        return false;
    if (condition->op == KNACKDB_EQUAL)
        return value->as.text.length == condition->value.as.text.length &&
               memcmp(value->as.text.data, condition->value.as.text.data, value->as.text.length) == 0;
    cr_assert_eq(condition->op, KNACKDB_AT_LEAST);
    return compare_values(value, &condition->value) >= 0;
}

static size_t
choose_by_hand(knackdb_read *read, const knackdb_query *query, struct row *chosen)
{
    knackdb_query everything = { .table = KNACKDB_PERFORMANCE_METRICS };
    knackdb_rows  all;
    knackdb_error error;
    size_t        count = 0;

    MUST(knackdb_read_find(read, &everything, &all, &error));
    for (size_t i = 0; i < all.count; i++) {
        bool matches = true;

        chosen[count].number = all.rows[i];
        knackdb_read_values(read, KNACKDB_PERFORMANCE_METRICS, all.rows[i], COLUMNS, chosen[count].values);
        for (size_t c = 0; c < query->condition_count; c++)
            matches = matches && holds(&query->conditions[c], &chosen[count].values[query->conditions[c].column]);
        count += matches;
    }
    sorting_for = query;
    qsort(chosen, count, sizeof *chosen, compare_rows);
    return count;
}

/* ---- comparing ---- */

static void
check_number(double field, bool is_null, const knackdb_value *value, int64_t id)
{
    cr_assert_eq(is_null, value->type == KNACKDB_NULL, "id %lld", (long long) id);
    cr_assert(is_null ? field == 0.0 : field == value->as.real, "id %lld: %g", (long long) id, field);
}

static void
check_text(knackdb_text field, bool is_null, const knackdb_value *value, int64_t id)
{
    cr_assert(is_null == (field.data == NULL) && is_null == (value->type == KNACKDB_NULL), "id %lld", (long long) id);
    if (!is_null)
        cr_assert(field.length == value->as.text.length && memcmp(field.data, value->as.text.data, field.length) == 0,
                  "id %lld", (long long) id);
}

static void
check_struct(const knackdb_metric *metric, const knackdb_value *values)
{
#define IS_NULL(column) ((metric->nulls & KNACKDB_BIT(column)) != 0)
    cr_assert(metric->id == values[0].as.integer && metric->nulls < KNACKDB_BIT(COLUMNS));
    check_text(metric->component_name, IS_NULL(KNACKDB_METRIC_COMPONENT_NAME), &values[KNACKDB_METRIC_COMPONENT_NAME],
               metric->id);
    check_text(metric->metric_name, IS_NULL(KNACKDB_METRIC_METRIC_NAME), &values[KNACKDB_METRIC_METRIC_NAME],
               metric->id);
    check_number(metric->metric_value, IS_NULL(KNACKDB_METRIC_METRIC_VALUE), &values[KNACKDB_METRIC_METRIC_VALUE],
                 metric->id);
    check_number(metric->baseline_value, IS_NULL(KNACKDB_METRIC_BASELINE_VALUE), &values[KNACKDB_METRIC_BASELINE_VALUE],
                 metric->id);
    check_number(metric->improvement_percentage, IS_NULL(KNACKDB_METRIC_IMPROVEMENT_PERCENTAGE),
                 &values[KNACKDB_METRIC_IMPROVEMENT_PERCENTAGE], metric->id);
    check_number(metric->measured_at, IS_NULL(KNACKDB_METRIC_MEASURED_AT), &values[KNACKDB_METRIC_MEASURED_AT],
                 metric->id);
    check_number(metric->confidence_interval, IS_NULL(KNACKDB_METRIC_CONFIDENCE_INTERVAL),
                 &values[KNACKDB_METRIC_CONFIDENCE_INTERVAL], metric->id);
    check_text(metric->metadata, IS_NULL(KNACKDB_METRIC_METADATA), &values[KNACKDB_METRIC_METADATA], metric->id);
    cr_assert_eq(IS_NULL(KNACKDB_METRIC_SAMPLE_COUNT), values[KNACKDB_METRIC_SAMPLE_COUNT].type == KNACKDB_NULL);
    cr_assert_eq(metric->sample_count,
                 IS_NULL(KNACKDB_METRIC_SAMPLE_COUNT) ? 0 : values[KNACKDB_METRIC_SAMPLE_COUNT].as.integer);
#undef IS_NULL
}

static void
ask_something(knackdb_query *query, knackdb_condition conditions[3])
{
    static const uint64_t limits[] = { 0, 1, 20, 100, 500, 2000 };
    const char           *component = some_component(), *name = names[below(NAMES)];
    bool                  is_plain = below(2) == 0; /* the newest so many, as most ask */

    *query = (knackdb_query) { .table = KNACKDB_PERFORMANCE_METRICS, .conditions = conditions };
    conditions[query->condition_count++] =
        knackdb_where_text(KNACKDB_METRIC_COMPONENT_NAME, component != NULL ? component : "nobody");
    if (below(2) == 0 && name != NULL)
        conditions[query->condition_count++] = knackdb_where_text(KNACKDB_METRIC_METRIC_NAME, name);
    if (below(4) == 0 && !is_plain)
        conditions[query->condition_count++] =
            knackdb_where_at_least(below(2) == 0 ? KNACKDB_METRIC_MEASURED_AT : KNACKDB_METRIC_METRIC_VALUE,
                                   below(2000) - 200.0);
    query->order_count = 1 + below(2);
    query->order[0] =
        (knackdb_order) { below(8) != 0 ? KNACKDB_METRIC_MEASURED_AT : KNACKDB_METRIC_METRIC_VALUE, below(5) != 0 };
    query->order[1] =
        (knackdb_order) { below(3) != 0 ? KNACKDB_METRIC_ID : KNACKDB_METRIC_BASELINE_VALUE, below(3) != 0 };
    query->limit = limits[below(6)];
    query->offset = below(3) == 0 && !is_plain ? below(40) : 0;
    if (is_plain) {
        query->order[0] = (knackdb_order) { KNACKDB_METRIC_MEASURED_AT, true };
        query->order[1] = (knackdb_order) { KNACKDB_METRIC_ID, below(4) != 0 };
    }
}

/* Read from the first row to the last, as most do; or some rows left out, and some read again. */
static void
check_rows(knackdb_read *read, const knackdb_rows *rows, const struct row *wanted, bool in_order)
{
    for (size_t n = 0; n < rows->count; n++) {
        size_t         i = in_order ? n : below(2) == 0 ? below((uint32_t) rows->count) : n;
        knackdb_metric metric;

        memset(&metric, 0x5a, sizeof metric);
        knackdb_read_metric(read, rows->rows[i], &metric);
        check_struct(&metric, wanted[i].values);
    }
}

static void
check_copies(knackdb *db, const knackdb_query *query, const struct row *wanted, size_t count)
{
    knackdb_metric *copies = NULL;
    knackdb_error   error;
    size_t          copied;

    MUST(knackdb_metrics_find(db, query, &copies, &copied, &error));
    cr_assert_eq(copied, count);
    for (size_t i = 0; i < count; i++)
        check_struct(&copies[i], wanted[i].values);
    knackdb_free(copies);
}

/* Asked twice: the second answer may come from the result cache. `db`: the view is of now; NULL: of the past. */
static void
check_histories(knackdb *db, knackdb_read *read, struct row *chosen)
{
    for (int asked = 0; asked < ASKED; asked++) {
        knackdb_query     query;
        knackdb_condition conditions[3];
        knackdb_rows      rows;
        knackdb_error     error;
        size_t            count, from;

        ask_something(&query, conditions);
        count = choose_by_hand(read, &query, chosen);
        from = query.offset < count ? (size_t) query.offset : count;
        count = query.limit != 0 && count - from > query.limit ? (size_t) query.limit : count - from;
        for (int again = 0; again < 2; again++) {
            MUST(knackdb_read_find(read, &query, &rows, &error));
            cr_assert_eq(rows.count, count, "%zu rows, %zu by hand", rows.count, count);
            for (size_t i = 0; i < count; i++)
                cr_assert_eq(rows.rows[i], chosen[from + i].number, "row %zu of %zu", i, count);
            check_rows(read, &rows, chosen + from, asked % 4 != 3);
            if (db != NULL)
                check_copies(db, &query, chosen + from, count);
        }
    }
}

static void
check_now(knackdb *db, struct row *chosen)
{
    knackdb_read *read = begin_read(db);

    check_histories(db, read, chosen);
    knackdb_read_end(read);
}

/* Every row gets three other versions or so, some go, and a batch fails in its last row. */
static void
change_some(knackdb *db)
{
    knackdb_metric batch[40];
    knackdb_error  error;

    for (int i = 0; i < 30; i++)
        store_some(db, ROWS / 10, below(2) == 0, false);
    for (uint32_t i = 0; i < ROWS / 8; i++) {
        knackdb_status status = knackdb_delete(db, KNACKDB_PERFORMANCE_METRICS, 1 + below(ROWS), &error);

        cr_assert(status == KNACKDB_OK || status == KNACKDB_NOT_FOUND, "%s", error.message);
    }
    for (int i = 0; i < 40; i++)
        batch[i] = some_metric(true);
    batch[38].id = batch[39].id = ROWS * 2;
    (void) knackdb_metrics_store(db, batch, 40, KNACKDB_STORE_NEW, NULL, &error);
}

static void
check_life(const char *directory, uint64_t number, uint32_t life_spread)
{
    struct row   *chosen = calloc(2 * ROWS, sizeof *chosen);
    knackdb      *db = NULL;
    knackdb_read *past;
    knackdb_error error;

    seed = 88172645463325252u + number * 7919;
    spread = life_spread;
    cr_assert_not_null(chosen);
    MUST(knackdb_open(directory, NULL, &db, &error));
    for (int i = 0; i < 6; i++) { /* lists begin short, and become long while they are asked about */
        store_some(db, i < 5 ? 40 : ROWS - 200, false, true);
        check_now(db, chosen);
    }
    past = begin_read(db);
    store_some(db, 300, true, true);
    check_now(db, chosen);
    change_some(db);
    check_now(db, chosen);
    check_histories(NULL, past, chosen);
    knackdb_read_end(past);
    change_some(db);
    check_now(db, chosen);
    if (directory != NULL) {
        MUST(knackdb_snapshot(db, &error));
        for (int i = 0; i < 2; i++) { /* what was read from parts, and from parts and a log */
            MUST(knackdb_close(db, &error));
            MUST(knackdb_open(directory, NULL, &db, &error));
            check_now(db, chosen);
            store_some(db, 400, true, true);
        }
        check_now(db, chosen);
    }
    MUST(knackdb_clean_up_before(db, KNACKDB_PERFORMANCE_METRICS, 1300.0, NULL, &error));
    check_now(db, chosen);
    close_it(db);
    free(chosen);
}

Test(histories, what_is_read_of_a_history_is_what_its_rows_hold)
{
    check_life(NULL, 0, 20);
    check_life(NULL, 1, 1);
}

Test(histories, and_after_the_store_was_opened_again)
{
    char directory[SCRATCH_PATH_MAX];

    scratch_prefer_memory();
    scratch_make(directory);
    check_life(directory, 2, 4);
    scratch_remove(directory);
}

/* Behind ten thousand rows of another metric, which is more than is looked at before the result cache is asked. Ages
 * are NULL, 0 or -0, the same for all, or fall from row to row, so that each is newer than all that are walked over
 * before.
 * Method: each question twice, and once more of an old view, held against all rows. */
/* Two hundred answers of one view, each of which might have had as many rows as the list has. */
Test(histories, an_answer_takes_memory_for_the_rows_that_it_has)
{
    enum { MANY = 20000, RARE = 50, ANSWERS = 200 };
    knackdb_condition conditions[] = {
        knackdb_where(KNACKDB_METRIC_COMPONENT_NAME, KNACKDB_EQUAL, knackdb_value_text(knackdb_string("most"))),
        knackdb_where(KNACKDB_METRIC_METRIC_NAME, KNACKDB_EQUAL, knackdb_value_text(knackdb_string("rare"))),
    };
    knackdb_query query = { .table = KNACKDB_PERFORMANCE_METRICS,
                            .conditions = conditions,
                            .condition_count = 2,
                            .order = { { .column = KNACKDB_METRIC_MEASURED_AT, .descending = true } },
                            .order_count = 1 };
    knackdb      *db = open_in_memory();
    knackdb_read *read = NULL;
    knackdb_stats before = { .struct_size = sizeof before }, after = { .struct_size = sizeof after };
    knackdb_error error;

    for (uint32_t i = 0; i < 2 * MANY; i++) {
        knackdb_metric metric = { .component_name = knackdb_string(i % 2 == 0 ? "most" : "other"),
                                  .metric_name =
                                      knackdb_string(i % 2 != 0 || i % (2 * MANY / RARE) == 0 ? "rare" : "latency"),
                                  .measured_at = i };

        MUST(knackdb_metric_store(db, &metric, NULL, &error));
    }
    MUST(knackdb_read_begin(db, &read, &error));
    MUST(knackdb_get_stats(db, &before, &error));
    for (uint32_t a = 0; a < ANSWERS; a++) {
        knackdb_rows rows;

        MUST(knackdb_read_find(read, &query, &rows, &error));
        cr_assert_eq(rows.count, RARE);
    }
    MUST(knackdb_get_stats(db, &after, &error));
    knackdb_read_end(read);
    cr_assert_lt(after.memory_bytes - before.memory_bytes, (uint64_t) ANSWERS * RARE * 100, "%llu bytes",
                 (unsigned long long) (after.memory_bytes - before.memory_bytes));
    MUST(knackdb_close(db, &error));
}

/* They lie with their view, and what is known of them; those of the second answer do not. */
Test(histories, a_few_rows_take_no_memory_of_their_own)
{
    knackdb_condition condition =
        knackdb_where(KNACKDB_METRIC_COMPONENT_NAME, KNACKDB_EQUAL, knackdb_value_text(knackdb_string("most")));
    knackdb_query query = { .table = KNACKDB_PERFORMANCE_METRICS,
                            .conditions = &condition,
                            .condition_count = 1,
                            .order = { { .column = KNACKDB_METRIC_MEASURED_AT, .descending = true } },
                            .order_count = 1,
                            .limit = 10 };
    knackdb      *db = open_in_memory();
    knackdb_read *read = NULL;
    knackdb_stats stats[3];
    knackdb_error error;

    for (uint32_t i = 0; i < 300; i++) {
        knackdb_metric metric = { .component_name = knackdb_string("most"), .measured_at = i };

        MUST(knackdb_metric_store(db, &metric, NULL, &error));
    }
    MUST(knackdb_read_begin(db, &read, &error));
    for (uint32_t a = 0; a < 3; a++) {
        knackdb_rows rows;

        stats[a].struct_size = sizeof stats[a];
        MUST(knackdb_get_stats(db, &stats[a], &error));
        MUST(knackdb_read_find(read, &query, &rows, &error));
        cr_assert_eq(rows.count, 10);
    }
    knackdb_read_end(read);
    cr_assert_eq(stats[1].memory_bytes, stats[0].memory_bytes);
    cr_assert_gt(stats[2].memory_bytes, stats[1].memory_bytes);
    MUST(knackdb_close(db, &error));
}

Test(histories, rows_that_stand_at_the_far_end_of_a_long_list_are_found)
{
    enum { MANY = 10000, RARE = 30, KINDS = 5 };
    static const double ages[KINDS] = { 0.0, 1.0, -1.0, 5.0, 5.0 };
    struct row         *chosen = calloc(MANY + 2 * RARE, sizeof *chosen);

    cr_assert_not_null(chosen);
    for (int kind = 0; kind < KINDS; kind++) {
        knackdb        *db = open_in_memory();
        knackdb_metric *metrics = calloc(MANY, sizeof *metrics);
        knackdb_read   *past;
        knackdb_error   error;

        cr_assert_not_null(metrics);
        for (int i = 0; i < MANY; i++) {
            metrics[i].component_name = knackdb_string("most");
            metrics[i].metric_name = knackdb_string(i < RARE ? "cost" : "latency");
            metrics[i].measured_at = kind < 3 ? ages[kind] * i : kind == 3 ? 5.0 : i % 2 == 0 ? 0.0 : -0.0;
            metrics[i].nulls = kind == 4 && i % 5 == 0 ? KNACKDB_BIT(KNACKDB_METRIC_MEASURED_AT) : 0;
        }
        MUST(knackdb_metrics_store(db, metrics, MANY, 0, NULL, &error));
        past = begin_read(db);
        for (int i = 0; i < RARE; i++) { /* some change, and one comes */
            metrics[i].id = 1 + i * 7;
            metrics[i].measured_at += kind == 3 ? 0.0 : 1.0;
            if (i < RARE / 2)
                MUST(knackdb_metric_store(db, &metrics[i], NULL, &error));
        }
        for (int asked = 0; asked < 12; asked++) {
            knackdb_condition conditions[2] = { knackdb_where_text(KNACKDB_METRIC_COMPONENT_NAME, "most"),
                                                knackdb_where_text(KNACKDB_METRIC_METRIC_NAME, "cost") };
            knackdb_query     query = { .table = KNACKDB_PERFORMANCE_METRICS,
                                        .conditions = conditions,
                                        .condition_count = asked % 3 == 2 ? 1 : 2,
                                        .order = { { KNACKDB_METRIC_MEASURED_AT, true }, { KNACKDB_METRIC_ID, true } },
                                        .order_count = asked % 2 == 0 ? 2 : 1,
                                        .limit = asked < 6 ? 7 : 100 };
            knackdb_read     *now = begin_read(db);

            for (int again = 0; again < 3; again++) {
                knackdb_read *read = again == 2 ? past : now;
                size_t        count = choose_by_hand(read, &query, chosen);
                knackdb_rows  rows;

                MUST(knackdb_read_find(read, &query, &rows, &error));
                cr_assert_eq(rows.count, count < query.limit ? count : query.limit);
                for (size_t i = 0; i < rows.count; i++)
                    cr_assert_eq(rows.rows[i], chosen[i].number, "kind %d, asked %d: row %zu", kind, asked, i);
                check_rows(read, &rows, chosen, true);
            }
            knackdb_read_end(now);
        }
        knackdb_read_end(past);
        close_it(db);
        free(metrics);
    }
    free(chosen);
}

/* Rows that follow each other share the copy of a text that they have in common. */
Test(histories, copies_of_rows_with_the_same_texts_hold_what_the_rows_hold)
{
    static const char *const texts[] = { "a", "a", "", "", NULL, "", "b", NULL, "b", "b", "a" };
    enum { COUNT = sizeof texts / sizeof texts[0] };
    knackdb        *db = open_in_memory();
    knackdb_query   query = { .table = KNACKDB_PERFORMANCE_METRICS };
    knackdb_metric *copies = NULL;
    knackdb_error   error;
    size_t          count;

    for (int i = 0; i < COUNT; i++) {
        knackdb_metric metric = knackdb_metric_default();

        metric.component_name = text_or_null(texts[i]);
        metric.metadata = text_or_null(texts[COUNT - 1 - i]);
        metric.metric_name = knackdb_string("the same in all");
        MUST(knackdb_metric_store(db, &metric, NULL, &error));
    }
    MUST(knackdb_metrics_find(db, &query, &copies, &count, &error));
    close_it(db);
    cr_assert_eq(count, COUNT);
    for (int i = 0; i < COUNT; i++) {
        knackdb_text component = text_or_null(texts[i]), metadata = text_or_null(texts[COUNT - 1 - i]);

        cr_assert(copies[i].component_name.length == component.length &&
                  (copies[i].component_name.data == NULL) == (component.data == NULL));
        cr_assert(component.length == 0 ||
                  memcmp(copies[i].component_name.data, component.data, component.length) == 0);
        cr_assert(copies[i].metadata.length == metadata.length &&
                  (copies[i].metadata.data == NULL) == (metadata.data == NULL));
        cr_assert(metadata.length == 0 || memcmp(copies[i].metadata.data, metadata.data, metadata.length) == 0);
        cr_assert_eq(copies[i].metric_name.data, copies[0].metric_name.data);
    }
    cr_assert_eq(memcmp(copies[0].metric_name.data, "the same in all", copies[0].metric_name.length), 0);
    knackdb_free(copies);
}

/* Cells that nobody gave are known not to be there (core/carried.h); that must be known of a row that nobody stored,
 * but another version of which got them. */
Test(histories, a_column_that_nobody_gave_may_be_given_first_by_replacing_a_row)
{
    knackdb          *db = open_in_memory();
    knackdb_metric    metric = some_metric(false);
    knackdb_error     error;
    knackdb_read     *read;
    knackdb_rows      rows;
    knackdb_condition of_one = knackdb_where_text(KNACKDB_METRIC_COMPONENT_NAME, "one");
    knackdb_query     query = { .table = KNACKDB_PERFORMANCE_METRICS, .conditions = &of_one, .condition_count = 1 };

    metric.component_name = knackdb_string("one");
    for (int i = 0; i < 300; i++)
        MUST(knackdb_metric_store(db, &metric, NULL, &error));
    metric.id = 7;
    metric.sample_count = INT64_MIN;
    metric.nulls &= ~KNACKDB_BIT(KNACKDB_METRIC_SAMPLE_COUNT);
    MUST(knackdb_metric_store(db, &metric, NULL, &error));
    read = begin_read(db);
    MUST(knackdb_read_find(read, &query, &rows, &error));
    cr_assert_eq(rows.count, 300);
    for (size_t i = 0; i < rows.count; i++) {
        knackdb_read_metric(read, rows.rows[i], &metric);
        cr_assert_eq((metric.nulls & KNACKDB_BIT(KNACKDB_METRIC_SAMPLE_COUNT)) == 0, metric.id == 7);
        cr_assert_eq(metric.sample_count, metric.id == 7 ? INT64_MIN : 0);
    }
    knackdb_read_end(read);
    close_it(db);
}
