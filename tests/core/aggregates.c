/* aggregates.c - claims about aggregates: what comes out is what adding up by hand gives, whichever way the rows are
 * found and grouped; and with the processor's vector instructions it is the same to the last bit as without.
 *
 * Numbers are eighths of small integers, so that sums are exact in any order and can be compared for equality. */
#include "core/query.h"
#include "core/sums.h"
#include "tests/core/scaffold.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define ROWS      70000 /* more than a chunk */
#define MANY_KEYS 6000  /* more texts than are numbered by their codes */

static uint64_t state;

static void
set_up(void)
{
    state = 7;
    scaffold_store_up();
}

TestSuite(aggregates, .init = set_up, .fini = scaffold_store_down);

static uint64_t
any_bits(void)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return state ^ state >> 29;
}

static uint32_t
below(uint32_t end)
{
    return (uint32_t) (any_bits() >> 32) % end;
}

/* A row as the test remembers it. */
struct known {
    bool   is_there, has_time, has_uses;
    int    type; /* 0: NULL */
    int    tools, context;
    double time, rate;
    int    uses, agents;
};

static struct known before[ROWS + 1], after[ROWS + 1]; /* by id */

static knackdb_text
name(char *to, const char *what, int number)
{
    return (knackdb_text) { to, (size_t) snprintf(to, 40, "%s %05d", what, number) };
}

static struct known
any_row(void)
{
    return (struct known) { .is_there = true,
                            .has_time = below(16) != 0,
                            .has_uses = below(50) != 0,
                            .type = (int) below(30),
                            .tools = 1 + (int) below(MANY_KEYS),
                            .context = 1 + (int) below(300),
                            .time = (double) below(80000) / 8.0 - 3000.0,
                            .rate = below(101) / 100.0,
                            .uses = (int) below(1000) - 100,
                            .agents = 1 + (int) below(5) };
}

/* NULLs come in runs, too: whole groups of rows have none, and others have some. */
static struct known
row_of(int64_t id)
{
    struct known row = any_row();

    if (id % 1000 < 700)
        row.has_time = row.has_uses = true;
    if (id % 7000 < 500)
        row.has_time = false;
    return row;
}

static void
put(int64_t id, const struct known *row)
{
    knackdb_value values[KNACKDB_PATTERN_COLUMNS] = { { .type = KNACKDB_NULL } };
    char          type[40], tools[40], context[40];

    values[KNACKDB_PATTERN_ID] = knackdb_value_integer(id);
    if (row->type != 0)
        values[KNACKDB_PATTERN_TASK_TYPE] = knackdb_value_text(name(type, "type", row->type));
    values[KNACKDB_PATTERN_TOOLS_USED] = knackdb_value_text(name(tools, "tools", row->tools));
    values[KNACKDB_PATTERN_CONTEXT_FACTORS] = knackdb_value_text(name(context, "context", row->context));
    values[KNACKDB_PATTERN_SUCCESS_RATE] = knackdb_value_real(row->rate);
    values[KNACKDB_PATTERN_AGENT_COUNT] = knackdb_value_integer(row->agents);
    if (row->has_time)
        values[KNACKDB_PATTERN_EXECUTION_TIME] = knackdb_value_real(row->time);
    if (row->has_uses)
        values[KNACKDB_PATTERN_USAGE_COUNT] = knackdb_value_integer(row->uses);
    cr_assert_eq(store_put_rows(store, 0, values, KNACKDB_PATTERN_COLUMNS, 1, 0, NULL, NULL, NULL), KNACKDB_OK);
}

/* ---- what is asked, and the answer by hand ---- */

/* clang-format off */
enum filter {
    ALL, RATE, TYPE, AGENTS, RATE_AND_AGENTS, ONE_ID,
    TOOLS, SOME_TOOLS, /* a text without posting lists: the codes of all rows are compared */
    TIME_EQUAL, TIME_NOT_EQUAL, TIME_LESS, TIME_AT_MOST, TIME_MORE, TIME_AT_LEAST, /* than one row's; some are NULL */
    FILTERS,
};
/* clang-format on */

#define TIMED_ID 12345 /* its row has a time, and stays as it is */

static const int some_tools[] = { 17, 4000, 5999 };

#define SOME_TOOLS_COUNT (sizeof some_tools / sizeof some_tools[0])

static bool
passes_time(enum filter filter, double time)
{
    double wanted = before[TIMED_ID].time;

    switch (filter) {
    case TIME_EQUAL: return time == wanted;
    case TIME_NOT_EQUAL: return time != wanted;
    case TIME_LESS: return time < wanted;
    case TIME_AT_MOST: return time <= wanted;
    case TIME_MORE: return time > wanted;
    default: return time >= wanted;
    }
}

static bool
passes(enum filter filter, int64_t id, const struct known *row)
{
    if (filter >= TIME_EQUAL)
        return row->has_time && passes_time(filter, row->time);
    switch (filter) {
    case TOOLS: return row->tools == some_tools[0];
    case SOME_TOOLS: return row->tools == some_tools[0] || row->tools == some_tools[1] || row->tools == some_tools[2];
    case RATE: return row->rate >= 0.5;
    case TYPE: return row->type == 3;
    case AGENTS: return row->agents != 3;
    case RATE_AND_AGENTS: return row->rate >= 0.5 && row->agents != 3;
    case ONE_ID: return id == 4711;
    default: return true;
    }
}

static knackdb_condition
condition_of_tools(enum filter filter)
{
    static char          texts[SOME_TOOLS_COUNT][40];
    static knackdb_value values[SOME_TOOLS_COUNT];

    for (size_t i = 0; i < SOME_TOOLS_COUNT; i++)
        values[i] = knackdb_value_text(name(texts[i], "tools", some_tools[i]));
    if (filter == TOOLS)
        return knackdb_where(KNACKDB_PATTERN_TOOLS_USED, KNACKDB_EQUAL, values[0]);
    return (knackdb_condition) {
        .column = KNACKDB_PATTERN_TOOLS_USED, .op = KNACKDB_ONE_OF, .values = values, .value_count = SOME_TOOLS_COUNT
    };
}

static knackdb_condition
condition_of_time(enum filter filter)
{
    static const knackdb_operator operators[] = { KNACKDB_EQUAL,   KNACKDB_NOT_EQUAL, KNACKDB_LESS,
                                                  KNACKDB_AT_MOST, KNACKDB_MORE,      KNACKDB_AT_LEAST };

    return knackdb_where(KNACKDB_PATTERN_EXECUTION_TIME, operators[filter - TIME_EQUAL],
                         knackdb_value_real(before[TIMED_ID].time));
}

static size_t
conditions_of(enum filter filter, char *text, knackdb_condition conditions[2])
{
    knackdb_condition rate = knackdb_where_at_least(KNACKDB_PATTERN_SUCCESS_RATE, 0.5);
    knackdb_condition agents = knackdb_where(KNACKDB_PATTERN_AGENT_COUNT, KNACKDB_NOT_EQUAL, knackdb_value_integer(3));

    conditions[0] = filter == TYPE     ? knackdb_where(KNACKDB_PATTERN_TASK_TYPE, KNACKDB_EQUAL,
                                                       knackdb_value_text(name(text, "type", 3)))
                    : filter == AGENTS ? agents
                    : filter == ONE_ID ? knackdb_where(KNACKDB_PATTERN_ID, KNACKDB_EQUAL, knackdb_value_integer(4711))
                    : filter >= TIME_EQUAL ? condition_of_time(filter)
                    : filter >= TOOLS      ? condition_of_tools(filter)
                                           : rate;
    conditions[1] = agents;
    return filter == ALL ? 0 : filter == RATE_AND_AGENTS ? 2 : 1;
}

static int
key_of(const struct known *row, int32_t column)
{
    return column == KNACKDB_PATTERN_TASK_TYPE         ? row->type
           : column == KNACKDB_PATTERN_TOOLS_USED      ? row->tools
           : column == KNACKDB_PATTERN_CONTEXT_FACTORS ? row->context
                                                       : 0;
}

static const char *
word_of(int32_t column)
{
    return column == KNACKDB_PATTERN_TASK_TYPE ? "type" : column == KNACKDB_PATTERN_TOOLS_USED ? "tools" : "context";
}

static int
compare(const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;

    return (x > y) - (x < y);
}

/* The group of one key, by hand; `values` has room for every row. Key 0 is NULL, or all rows without a column. */
static knackdb_group
group_by_hand(const struct known *rows, enum filter filter, uint32_t value_column, int32_t group_column, int key,
              const double *percentiles, size_t percentile_count, double *values)
{
    bool          is_time = value_column == KNACKDB_PATTERN_EXECUTION_TIME;
    knackdb_group group = { .row_count = 0 };
    double        sum = 0.0;

    for (int64_t id = 1; id <= ROWS; id++) {
        const struct known *row = &rows[id];

        if (!row->is_there || !passes(filter, id, row) || key_of(row, group_column) != key)
            continue;
        group.row_count++;
        if (is_time ? row->has_time : row->has_uses) {
            values[group.value_count] = is_time ? row->time : row->uses;
            sum += values[group.value_count++];
        }
    }
    if (group.value_count == 0)
        return group;
    qsort(values, group.value_count, sizeof *values, compare);
    group.mean = sum / (double) group.value_count;
    group.minimum = values[0];
    group.maximum = values[group.value_count - 1];
    for (size_t p = 0; p < percentile_count; p++) {
        double rank = percentiles[p] / 100.0 * (double) (group.value_count - 1);
        size_t low = (size_t) rank;
        size_t high = low + 1 < group.value_count ? low + 1 : low;

        group.percentiles[p] = values[low] * (1.0 - (rank - (double) low)) + values[high] * (rank - (double) low);
    }
    return group;
}

/* Both paths; what they say is the same to the last bit. */
static void
ask(const struct view *view, enum filter filter, uint32_t value_column, int32_t group_column, const double *percentiles,
    size_t percentile_count, knackdb_group **ret_groups, size_t *ret_count)
{
    struct aggregate_request request = { value_column, group_column, percentiles, percentile_count, false };
    knackdb_condition        conditions[2];
    char                     text[40];
    knackdb_query            query = { .table = 0, .conditions = conditions }, checked;
    knackdb_group           *plain = NULL;
    size_t                   plain_count = 0;

    *ret_groups = NULL;
    query.condition_count = conditions_of(filter, text, conditions);
    cr_assert_eq(query_check(schema_builtin(), &query, &checked, NULL), KNACKDB_OK);
    cr_assert_eq(view_aggregate(view, &checked, &request, ret_groups, ret_count, NULL), KNACKDB_OK);
    request.is_plain = true;
    cr_assert_eq(view_aggregate(view, &checked, &request, &plain, &plain_count, NULL), KNACKDB_OK);
    cr_assert_eq(plain_count, *ret_count);
    for (size_t g = 0; g < plain_count; g++)
        cr_assert_arr_eq(&plain[g], &(*ret_groups)[g], sizeof *plain, "filter %d, group %zu", filter, g);
    allocator_put(&allocator, plain, plain_count * sizeof *plain);
}

static void
compare_group(const knackdb_group *theirs, const knackdb_group *ours, size_t percentile_count, const char *what)
{
    cr_assert_eq(theirs->row_count, ours->row_count, "%s: %llu rows, not %llu", what,
                 (unsigned long long) theirs->row_count, (unsigned long long) ours->row_count);
    cr_assert_eq(theirs->value_count, ours->value_count, "%s", what);
    if (ours->value_count == 0) {
        cr_assert(isnan(theirs->mean) && isnan(theirs->minimum) && isnan(theirs->maximum), "%s", what);
        return;
    }
    cr_assert(theirs->mean == ours->mean && theirs->minimum == ours->minimum && theirs->maximum == ours->maximum,
              "%s: %.17g from %g to %g, not %.17g from %g to %g", what, theirs->mean, theirs->minimum, theirs->maximum,
              ours->mean, ours->minimum, ours->maximum);
    for (size_t p = 0; p < percentile_count; p++)
        cr_assert(theirs->percentiles[p] == ours->percentiles[p], "%s: percentile %zu is %.17g, not %.17g", what, p,
                  theirs->percentiles[p], ours->percentiles[p]);
}

/* Of a column with many keys every 97th is worked out by hand; the rows and keys of all are counted. */
static size_t
compare_with_hand(const struct view *view, const struct known *rows, enum filter filter, uint32_t value_column,
                  int32_t group_column)
{
    static double       values[ROWS];
    static size_t       row_counts[MANY_KEYS + 1];
    static const double percentiles[] = { 0.0, 12.5, 50.0, 99.0, 100.0 };
    size_t              percentile_count = filter == ALL || filter == TYPE ? 5 : 0;
    int                 step = group_column == KNACKDB_PATTERN_TASK_TYPE || group_column < 0 ? 1 : 97;
    knackdb_group      *groups;
    size_t              count, at = 0, compared = 0;

    memset(row_counts, 0, sizeof row_counts);
    for (int64_t id = 1; id <= ROWS; id++)
        if (rows[id].is_there && passes(filter, id, &rows[id]))
            row_counts[key_of(&rows[id], group_column)]++;
    ask(view, filter, value_column, group_column, percentiles, percentile_count, &groups, &count);
    for (int key = 0; key <= MANY_KEYS; key++) {
        char         text[40];
        knackdb_text wanted = name(text, word_of(group_column), key);

        if (row_counts[key] == 0)
            continue;
        cr_assert_lt(at, count, "filter %d: key %d is missing", filter, key);
        if (key == 0)
            cr_assert_null(groups[at].key.data);
        else
            cr_assert(groups[at].key.length == wanted.length &&
                          memcmp(groups[at].key.data, wanted.data, wanted.length) == 0,
                      "filter %d: %s", filter, text);
        cr_assert_eq(groups[at].row_count, row_counts[key], "filter %d: %s", filter, text);
        if (key % step == 0) {
            knackdb_group by_hand =
                group_by_hand(rows, filter, value_column, group_column, key, percentiles, percentile_count, values);

            compare_group(&groups[at], &by_hand, percentile_count, text);
            compared++;
        }
        at++;
    }
    cr_assert_eq(at, count, "filter %d", filter);
    allocator_put(&allocator, groups, count * sizeof *groups);
    return compared;
}

Test(aggregates, are_what_adding_up_by_hand_gives_on_both_paths)
{
    static const int32_t  group_columns[] = { -1, KNACKDB_PATTERN_TASK_TYPE, KNACKDB_PATTERN_TOOLS_USED,
                                              KNACKDB_PATTERN_CONTEXT_FACTORS };
    static const uint32_t value_columns[] = { KNACKDB_PATTERN_EXECUTION_TIME, KNACKDB_PATTERN_USAGE_COUNT };
    struct view           early, late;
    size_t                compared = 0;

    for (int64_t id = 1; id <= ROWS; id++) {
        before[id] = row_of(id);
        put(id, &before[id]);
    }
    cr_assert_eq(view_begin(store, &early, NULL), KNACKDB_OK);
    memcpy(after, before, sizeof after);
    for (int64_t id = 20000; id < 30000; id++) { /* rows with an end in some groups, and others without any */
        if (below(10) == 0) {
            cr_assert_eq(store_delete(store, 0, id, NULL, NULL), KNACKDB_OK);
            after[id].is_there = false;
        } else if (below(10) == 0) {
            after[id] = any_row();
            put(id, &after[id]);
        }
    }
    cr_assert_eq(view_begin(store, &late, NULL), KNACKDB_OK);
    for (int64_t id = 1; id < 1000; id += 3) { /* and what neither of them sees */
        struct known row = any_row();

        put(id, &row);
    }
    cr_assert(before[TIMED_ID].has_time && after[TIMED_ID].time == before[TIMED_ID].time);
    for (int filter = ALL; filter < FILTERS; filter++)
        for (size_t g = 0; g < (filter < TOOLS ? 4 : 1); g++)
            for (size_t v = 0; v < 2; v++) {
                compared += compare_with_hand(&early, before, filter, value_columns[v], group_columns[g]);
                compared += compare_with_hand(&late, after, filter, value_columns[v], group_columns[g]);
            }
    cr_assert_gt(compared, 1000);
    view_end(&early);
    view_end(&late);
}

/* Lanes grow in one order, with zeros of both signs, sums that overflow, and numbers that are rounded away. */
Test(aggregates, of_any_numbers_the_vector_path_grows_the_same_lanes_as_the_plain_one)
{
    enum { GROUPS = 11 };
    static _Alignas(64) struct sums plain[GROUPS], vector[GROUPS];
    sums_add_block                 *fastest = sums_add_fastest();
    uint32_t                        numbers[SUMS_BLOCK_ROWS];
    double                          values[SUMS_BLOCK_ROWS];
    static const double             edges[] = { 0.0, -0.0, DBL_MAX, -DBL_MAX, 5e-324, -5e-324, 1.0, -1.0 };

    for (int round = 0; round < 2000; round++) {
        if (round % 100 == 0)
            for (uint32_t g = 0; g < GROUPS; g++) {
                sums_init(&plain[g]);
                sums_init(&vector[g]);
            }
        for (uint32_t i = 0; i < SUMS_BLOCK_ROWS; i++) {
            uint64_t bits = any_bits();

            numbers[i] = below(1 + below(GROUPS));
            memcpy(&values[i], &bits, sizeof bits);
            if (!isfinite(values[i]) || below(4) == 0)
                values[i] = edges[below(sizeof edges / sizeof edges[0])];
        }
        cr_assert(sums_add_plain(plain, numbers, values));
        cr_assert(fastest(vector, numbers, values));
        cr_assert_arr_eq(plain, vector, sizeof plain, "round %d", round);
    }
    for (uint32_t place = 0; place < SUMS_BLOCK_ROWS; place++) { /* and neither takes NaN */
        double kept = values[place];

        values[place] = (double) NAN;
        cr_assert(!sums_add_plain(plain, numbers, values));
        cr_assert(!fastest(vector, numbers, values), "NaN at place %u", place);
        values[place] = kept;
    }
    cr_assert_arr_eq(plain, vector, sizeof plain);
}

/* As the sum of two of them is infinite, and of one of each sign it is not a number. */
Test(aggregates, of_the_largest_numbers_have_a_mean)
{
    knackdb_group *groups;
    size_t         count;
    struct view    view;

    for (int64_t id = 1; id <= 1000; id++) {
        struct known row = { .has_time = true, .type = 1 + id % 3 % 2, .tools = 1, .context = 1 };

        row.time = row.type == 1 && id % 2 == 0 ? -DBL_MAX : DBL_MAX;
        put(id, &row);
    }
    cr_assert_eq(view_begin(store, &view, NULL), KNACKDB_OK);
    ask(&view, ALL, KNACKDB_PATTERN_EXECUTION_TIME, KNACKDB_PATTERN_TASK_TYPE, NULL, 0, &groups, &count);
    cr_assert_eq(count, 2);
    cr_expect_eq(groups[0].row_count + groups[1].row_count, 1000);
    cr_expect_lt(fabs(groups[0].mean), DBL_MAX / 100);
    cr_expect(groups[1].mean <= DBL_MAX && groups[1].mean > DBL_MAX * (1.0 - 1e-12));
    cr_expect_eq(groups[0].minimum, -DBL_MAX);
    cr_expect_eq(groups[0].maximum, DBL_MAX);
    allocator_put(&allocator, groups, count * sizeof *groups);
    view_end(&view);
}

/* The number that stands for NULL in memory is a number like any other to callers. */
Test(aggregates, of_integers_know_the_least_one_from_null)
{
    knackdb_value  values[KNACKDB_PATTERN_COLUMNS] = { { .type = KNACKDB_NULL } };
    knackdb_group *groups;
    size_t         count;
    struct view    view;

    for (int64_t id = 1; id <= 200; id++) {
        values[0] = knackdb_value_integer(id);
        values[KNACKDB_PATTERN_USAGE_COUNT] = id == 77 ? knackdb_value_integer(INT64_MIN) : knackdb_value_null();
        cr_assert_eq(store_put_rows(store, 0, values, KNACKDB_PATTERN_COLUMNS, 1, 0, NULL, NULL, NULL), KNACKDB_OK);
    }
    cr_assert_eq(view_begin(store, &view, NULL), KNACKDB_OK);
    ask(&view, ALL, KNACKDB_PATTERN_USAGE_COUNT, -1, NULL, 0, &groups, &count);
    cr_assert_eq(count, 1);
    cr_expect_eq(groups[0].row_count, 200);
    cr_expect_eq(groups[0].value_count, 1);
    cr_expect_eq(groups[0].mean, -0x1p63);
    allocator_put(&allocator, groups, count * sizeof *groups);
    view_end(&view);
}
