/* witness.c - see witness.h. */
#include "witness.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#define NOW_SINCE 1.7e9 /* a time of a call is after this, and none that the schedule sets */

static bool lose(struct findings *findings, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool
lose(struct findings *findings, const char *format, ...)
{
    va_list arguments;

    if (findings->rows_lost + findings->rows_extra == 0) {
        va_start(arguments, format);
        (void) vsnprintf(findings->first, sizeof findings->first, format, arguments);
        va_end(arguments);
    }
    findings->rows_lost++;
    return false;
}

static bool
same_text(knackdb_text is, knackdb_text due)
{
    if (is.data == NULL || due.data == NULL)
        return is.data == NULL && due.data == NULL;
    return is.length == due.length && memcmp(is.data, due.data, due.length) == 0;
}

static uint64_t
null_bit(knackdb_text text, uint32_t column)
{
    return text.data == NULL ? KNACKDB_BIT(column) : 0;
}

static bool
same_time(double is, double due, bool is_now)
{
    return is_now ? is > NOW_SINCE : is == due;
}

static bool
same_pattern(const knackdb_pattern *is, const struct due_pattern *due)
{
    const knackdb_pattern *row = &due->row;
    uint64_t               nulls = row->nulls | null_bit(row->pattern_used, KNACKDB_PATTERN_PATTERN_USED);

    return is->id == row->id && same_text(is->task_type, row->task_type) &&
           same_text(is->pattern_used, row->pattern_used) &&
           ((nulls & KNACKDB_BIT(KNACKDB_PATTERN_EXECUTION_TIME)) != 0 || is->execution_time == row->execution_time) &&
           is->success_rate == row->success_rate && is->confidence_score == row->confidence_score &&
           is->agent_count == row->agent_count && same_text(is->complexity_level, row->complexity_level) &&
           same_text(is->tools_used, row->tools_used) && same_text(is->context_factors, row->context_factors) &&
           is->created_at == row->created_at && same_time(is->updated_at, row->updated_at, due->is_updated_now) &&
           is->usage_count == row->usage_count && same_text(is->external_id, row->external_id) && is->nulls == nulls;
}

static bool
same_metric(const knackdb_metric *is, const knackdb_metric *due)
{
    return is->id == due->id && same_text(is->component_name, due->component_name) &&
           same_text(is->metric_name, due->metric_name) && is->metric_value == due->metric_value &&
           is->baseline_value == due->baseline_value &&
           fabs(is->improvement_percentage - due->improvement_percentage) <= 1e-9 * fabs(due->improvement_percentage) &&
           is->measured_at == due->measured_at && is->sample_count == due->sample_count &&
           is->confidence_interval == due->confidence_interval && same_text(is->metadata, due->metadata) &&
           is->nulls == null_bit(due->metadata, KNACKDB_METRIC_METADATA);
}

static bool
same_preference(const knackdb_preference *is, const struct due_preference *due)
{
    return is->id == due->row.id && same_text(is->preference_type, due->row.preference_type) &&
           same_text(is->preference_value, due->row.preference_value) && is->weight == due->row.weight &&
           is->usage_count == due->row.usage_count && same_time(is->last_used, due->row.last_used, due->is_used_now) &&
           is->nulls == 0;
}

/* Is the row there or not, as it must be? True where its cells are to be compared, too. */
static bool
find(knackdb_read *read, int table, int64_t id, bool is_due, struct findings *findings, bool *ret_right,
     knackdb_row *ret_row)
{
    bool is_there = knackdb_read_by_id(read, table, id, ret_row) == KNACKDB_OK;

    findings->rows_checked++;
    *ret_right = is_there == is_due;
    if (is_due && !is_there)
        (void) lose(findings, "commit %" PRIu64 ": row %" PRId64 " of table %d is not there",
                    knackdb_read_sequence(read), id, table);
    if (!is_due && is_there) {
        (void) lose(findings, "commit %" PRIu64 ": row %" PRId64 " of table %d is still there, or already",
                    knackdb_read_sequence(read), id, table);
        findings->rows_lost--;
        findings->rows_extra++;
    }
    return is_due && is_there;
}

static bool
judge_cells(bool same, knackdb_read *read, int table, int64_t id, struct findings *findings)
{
    return same || lose(findings, "commit %" PRIu64 ": row %" PRId64 " of table %d has a cell that is not its own",
                        knackdb_read_sequence(read), id, table);
}

static bool
check_pattern(const struct schedule *schedule, knackdb_read *read, uint64_t cycle, uint32_t row,
              struct findings *findings)
{
    struct due_pattern due;
    knackdb_pattern    is;
    knackdb_row        found, by_key;
    int64_t            id = pattern_id(cycle, row);
    bool               right;

    if (!find(read, KNACKDB_EXECUTION_PATTERNS, id,
              due_pattern(schedule, knackdb_read_sequence(read), cycle, row, &due), findings, &right, &found))
        return right;
    knackdb_read_pattern(read, found, &is);
    right = same_pattern(&is, &due) && knackdb_read_by_external_id(read, due.row.external_id, &by_key) == KNACKDB_OK &&
            by_key == found;
    return judge_cells(right, read, KNACKDB_EXECUTION_PATTERNS, id, findings);
}

static bool
check_metric(const struct schedule *schedule, knackdb_read *read, uint64_t cycle, uint32_t row,
             struct findings *findings)
{
    struct due_metric due;
    knackdb_metric    is;
    knackdb_row       found;
    int64_t           id = metric_id(cycle, row);
    bool              right;

    if (!find(read, KNACKDB_PERFORMANCE_METRICS, id,
              due_metric(schedule, knackdb_read_sequence(read), cycle, row, &due), findings, &right, &found))
        return right;
    knackdb_read_metric(read, found, &is);
    return judge_cells(same_metric(&is, &due.row), read, KNACKDB_PERFORMANCE_METRICS, id, findings);
}

static bool
check_preference(knackdb_read *read, bool is_due, int64_t id, const struct due_preference *due,
                 struct findings *findings)
{
    knackdb_preference is;
    knackdb_row        found, by_key;
    bool               right;

    if (!find(read, KNACKDB_USER_PREFERENCES, id, is_due, findings, &right, &found))
        return right;
    knackdb_read_preference(read, found, &is);
    right = same_preference(&is, due) &&
            knackdb_read_by_preference(read, due->row.preference_type, due->row.preference_value, &by_key) ==
                KNACKDB_OK &&
            by_key == found;
    return judge_cells(right, read, KNACKDB_USER_PREFERENCES, id, findings);
}

static bool
check_own_preference(const struct schedule *schedule, knackdb_read *read, uint64_t cycle, uint32_t row,
                     struct findings *findings)
{
    struct due_preference due;
    bool                  is_due = due_preference(schedule, knackdb_read_sequence(read), cycle, row, &due);

    return check_preference(read, is_due, preference_id(cycle, row), &due, findings);
}

static bool
check_staying(const struct schedule *schedule, knackdb_read *read, uint32_t which, struct findings *findings)
{
    struct due_preference due;
    bool                  is_due = due_staying(schedule, knackdb_read_sequence(read), which, &due);

    return check_preference(read, is_due, (int64_t) which + 1, &due, findings);
}

static bool
check_count(knackdb_read *read, int table, uint64_t due, struct findings *findings)
{
    knackdb_query query = { .table = table };
    uint64_t      is;
    knackdb_error error;

    if (knackdb_read_count(read, &query, &is, &error) != KNACKDB_OK)
        return lose(findings, "count: %s", error.message);
    if (is == due)
        return true;
    (void) lose(findings, "commit %" PRIu64 ": table %d has %" PRIu64 " rows, not %" PRIu64,
                knackdb_read_sequence(read), table, is, due);
    findings->rows_lost--;
    if (is > due)
        findings->rows_extra += is - due;
    else
        findings->rows_lost += due - is;
    return false;
}

bool
witness_all(const struct schedule *schedule, knackdb_read *read, struct findings *findings)
{
    uint64_t              sequence = knackdb_read_sequence(read);
    uint64_t              counts[3] = { 0 };
    uint64_t              first, last;
    struct due_pattern    pattern;
    struct due_metric     metric;
    struct due_preference preference;
    bool                  right = true;

    schedule_cycles(schedule, sequence, &first, &last);
    first -= first > 0; /* one that has gone, too */
    for (uint64_t cycle = first; cycle <= last; cycle++) {
        for (uint32_t row = 0; row < CYCLE_PATTERNS; row++) {
            right = check_pattern(schedule, read, cycle, row, findings) && right;
            counts[KNACKDB_EXECUTION_PATTERNS] += due_pattern(schedule, sequence, cycle, row, &pattern);
        }
        for (uint32_t row = 0; row < CYCLE_METRICS; row++) {
            right = check_metric(schedule, read, cycle, row, findings) && right;
            counts[KNACKDB_PERFORMANCE_METRICS] += due_metric(schedule, sequence, cycle, row, &metric);
        }
        for (uint32_t row = 0; row < CYCLE_PREFERENCES; row++) {
            right = check_own_preference(schedule, read, cycle, row, findings) && right;
            counts[KNACKDB_USER_PREFERENCES] += due_preference(schedule, sequence, cycle, row, &preference);
        }
    }
    for (uint32_t which = 0; which < STAYING_PREFERENCES; which++)
        right = check_staying(schedule, read, which, findings) && right;
    counts[KNACKDB_USER_PREFERENCES] += sequence > 0 ? STAYING_PREFERENCES : 0;
    for (int table = 0; table < 3; table++)
        right = check_count(read, table, counts[table], findings) && right;
    return right;
}

bool
witness_some(const struct schedule *schedule, knackdb_read *read, uint32_t rows, uint64_t seed,
             struct findings *findings)
{
    uint64_t first, last;
    bool     right = true;

    schedule_cycles(schedule, knackdb_read_sequence(read), &first, &last);
    first -= first > 0;
    for (uint32_t i = 0; i < rows; i++) {
        uint64_t bits = mix(seed, i);
        uint64_t cycle = last - (bits >> 32) % (last - first < 2 * LIFE_CYCLES ? last - first + 1 : 2 * LIFE_CYCLES);
        uint32_t row = (uint32_t) bits % CYCLE_PATTERNS;

        switch ((bits >> 28) % 8) {
        case 0: right = check_staying(schedule, read, row % STAYING_PREFERENCES, findings) && right; break;
        case 1: right = check_own_preference(schedule, read, cycle, row % CYCLE_PREFERENCES, findings) && right; break;
        case 2:
        case 3: right = check_metric(schedule, read, cycle, row % CYCLE_METRICS, findings) && right; break;
        default: right = check_pattern(schedule, read, cycle, row, findings) && right;
        }
    }
    return right;
}

/* ---- questions ---- */

/* The best of a task by confidence, or by score. */
static bool
ask_patterns(const struct schedule *schedule, knackdb_read *read, uint64_t bits, uint64_t *ret_call_ns,
             struct findings *findings)
{
    bool              by_score = bits % 2 == 0;
    char              task[16];
    knackdb_condition condition;
    knackdb_query     query = { .conditions = &condition, .condition_count = 1, .order_count = 1, .limit = 10 };
    knackdb_rows      rows;
    knackdb_error     error;
    double            before = 2;
    uint64_t          begun;
    bool              right = true;

    (void) snprintf(task, sizeof task, "task %u", (unsigned) (bits >> 8) % 40);
    condition = knackdb_where_text(KNACKDB_PATTERN_TASK_TYPE, task);
    query.order[0].column = by_score ? KNACKDB_ORDER_BY_SCORE : KNACKDB_PATTERN_CONFIDENCE_SCORE;
    query.order[0].descending = true;
    query.now = knackdb_now();
    query.half_life_seconds = 1e9;
    begun = monotonic_ns();
    if (knackdb_read_find(read, &query, &rows, &error) != KNACKDB_OK)
        return lose(findings, "find: %s", error.message);
    *ret_call_ns = monotonic_ns() - begun;
    for (size_t i = 0; i < rows.count; i++) {
        knackdb_pattern    is;
        struct due_pattern due;
        double             key;

        knackdb_read_pattern(read, rows.rows[i], &is);
        key = by_score ? knackdb_score(is.success_rate, is.usage_count, is.confidence_score, is.updated_at, is.nulls,
                                       query.now, query.half_life_seconds)
                       : is.confidence_score;
        findings->rows_checked++;
        if (!due_pattern(schedule, knackdb_read_sequence(read), (uint64_t) (is.id - 1) / CYCLE_PATTERNS,
                         (uint32_t) ((is.id - 1) % CYCLE_PATTERNS), &due) ||
            !same_pattern(&is, &due) || !same_text(is.task_type, knackdb_string(task)) || key > before)
            right = lose(findings, "commit %" PRIu64 ": place %zu of the best of %s is row %" PRId64,
                         knackdb_read_sequence(read), i, task, is.id);
        before = key;
    }
    return right;
}

/* What a component measured, copied, at a moment of the store's choice: order and component alone can be told. */
static bool
ask_history(knackdb *db, uint64_t bits, uint64_t *ret_call_ns, struct findings *findings)
{
    char            component[24];
    knackdb_metric *metrics;
    size_t          count;
    knackdb_error   error;
    uint64_t        begun;
    bool            right = true;

    (void) snprintf(component, sizeof component, "component %u", (unsigned) (bits >> 8) % 60);
    begun = monotonic_ns();
    if (knackdb_metrics_history(db, knackdb_string(component), (knackdb_text) { NULL, 0 }, 0, 0, 20, &metrics, &count,
                                &error) != KNACKDB_OK)
        return lose(findings, "history: %s", error.message);
    *ret_call_ns = monotonic_ns() - begun;
    for (size_t i = 0; i < count; i++) {
        findings->rows_checked++;
        if (!same_text(metrics[i].component_name, knackdb_string(component)) ||
            (i > 0 && metrics[i].measured_at > metrics[i - 1].measured_at))
            right = lose(findings, "place %zu of the history of %s is row %" PRId64, i, component, metrics[i].id);
    }
    knackdb_free(metrics);
    return right;
}

bool
witness_query(const struct schedule *schedule, knackdb *db, knackdb_read *read, uint64_t seed, uint64_t *ret_call_ns,
              struct findings *findings)
{
    uint64_t bits = mix(seed, 0);

    return (bits >> 60) % 3 == 0 ? ask_history(db, bits, ret_call_ns, findings)
                                 : ask_patterns(schedule, read, bits, ret_call_ns, findings);
}
