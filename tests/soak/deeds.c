/* deeds.c - makes the commits that schedule.h plans, and holds what each call answers against what it must: the status,
 * the ids that are given, the number of rows a clean-up takes. */
#include "schedule.h"

#include <inttypes.h>
#include <stdio.h>

struct call {
    knackdb               *db;
    const struct schedule *schedule;
    const struct step     *step;
    uint64_t               cycle; /* of the commit */
    uint32_t               place;
    uint64_t               begun_ns;
    uint64_t               ended_ns;
    knackdb_error          error;
    char                  *wrong;
};

static bool
judge(struct call *call, knackdb_status status)
{
    call->ended_ns = monotonic_ns();
    if (status == KNACKDB_OK)
        return true;
    (void) snprintf(call->wrong, 600, "%s: %s", knackdb_status_text(status), call->error.message);
    return false;
}

static bool
judge_ids(struct call *call, const int64_t *ids, size_t count, int64_t first)
{
    for (size_t i = 0; i < count; i++)
        if (ids[i] != first + (int64_t) i) {
            (void) snprintf(call->wrong, 600, "row %zu of %zu got the id %" PRId64 ", not %" PRId64, i, count, ids[i],
                            first + (int64_t) i);
            return false;
        }
    return true;
}

static bool
store_patterns(struct call *call)
{
    static struct due_pattern due[BATCH_ROWS_MAX];
    knackdb_pattern           rows[BATCH_ROWS_MAX];
    int64_t                   ids[BATCH_ROWS_MAX];
    size_t                    count = call->step->count;
    knackdb_status            status;

    for (uint32_t i = 0; i < count; i++) {
        pattern_make(call->schedule, call->cycle, call->step->row + i, 0, &due[i]);
        rows[i] = due[i].row;
    }
    call->begun_ns = monotonic_ns();
    status = count == 1 ? knackdb_pattern_store(call->db, rows, ids, &call->error)
                        : knackdb_patterns_store(call->db, rows, count, KNACKDB_STORE_NEW, ids, &call->error);
    return judge(call, status) && judge_ids(call, ids, count, pattern_id(call->cycle, call->step->row));
}

static bool
store_metrics(struct call *call)
{
    static struct due_metric due[BATCH_ROWS_MAX];
    knackdb_metric           rows[BATCH_ROWS_MAX];
    int64_t                  ids[BATCH_ROWS_MAX];
    size_t                   count = call->step->count;
    knackdb_status           status;

    for (uint32_t i = 0; i < count; i++) {
        metric_make(call->schedule, call->cycle, call->step->row + i, &due[i]);
        rows[i] = due[i].row;
        rows[i].nulls |= KNACKDB_BIT(KNACKDB_METRIC_IMPROVEMENT_PERCENTAGE); /* the store computes it */
    }
    call->begun_ns = monotonic_ns();
    status = count == 1 ? knackdb_metric_store(call->db, rows, ids, &call->error)
                        : knackdb_metrics_store(call->db, rows, count, KNACKDB_STORE_REPLACE, ids, &call->error);
    return judge(call, status) && judge_ids(call, ids, count, metric_id(call->cycle, call->step->row));
}

static bool
store_preference(struct call *call)
{
    struct due_preference due;
    int64_t               id, expected;
    knackdb_status        status;

    if (call->step->deed == DEED_STORE_PREFERENCE) {
        preference_make(call->schedule, call->cycle, call->step->row, &due);
        expected = preference_id(call->cycle, call->step->row);
    } else {
        staying_make(call->step->row, &due);
        due.row.weight = staying_weight(call->schedule, call->cycle, call->place);
        due.row.last_used = cycle_time(call->cycle);
        expected = (int64_t) call->step->row + 1;
    }
    call->begun_ns = monotonic_ns();
    status = knackdb_preference_store(call->db, &due.row, &id, &call->error);
    return judge(call, status) && judge_ids(call, &id, 1, expected);
}

static bool
use_preference(struct call *call, uint32_t which)
{
    struct due_preference due;

    staying_make(which, &due);
    call->begun_ns = monotonic_ns();
    return judge(call,
                 knackdb_preference_use(call->db, due.row.preference_type, due.row.preference_value, &call->error));
}

/* By id or by external_id, in turn. */
static bool
change_pattern(struct call *call)
{
    const uint32_t     columns[2] = { KNACKDB_PATTERN_CONTEXT_FACTORS, KNACKDB_PATTERN_AGENT_COUNT };
    uint64_t           cycle = call->cycle - call->step->age;
    uint32_t           row = call->step->row, touch = call->step->touch;
    bool               by_id = call->place % 2 == 0;
    struct due_pattern due;
    knackdb_value      values[2];
    char               text[64];
    int64_t            id = pattern_id(cycle, row), given = id;
    double             rate = touch_rate(call->schedule, cycle, row, touch);
    knackdb_status     status;

    pattern_make(call->schedule, cycle, row, touch + 1, &due);
    values[0] =
        knackdb_value_text((knackdb_text) { text, touch_text(call->schedule, cycle, row, touch, text, sizeof text) });
    values[1] = knackdb_value_integer(touch_agents(call->schedule, cycle, row, touch));
    call->begun_ns = monotonic_ns();
    switch (call->step->deed) {
    case DEED_SET_WEIGHT:
        status = by_id ? knackdb_pattern_set_weight(call->db, id, rate, &call->error)
                       : knackdb_pattern_set_weight_external(call->db, due.row.external_id, rate, &call->error);
        break;
    case DEED_USE_PATTERN:
        status = by_id ? knackdb_pattern_use(call->db, id, &call->error)
                       : knackdb_pattern_use_external(call->db, due.row.external_id, &call->error);
        break;
    case DEED_UPDATE_PATTERN:
        status = knackdb_update_row(call->db, KNACKDB_EXECUTION_PATTERNS, id, columns, values, 2, &call->error);
        break;
    default: status = knackdb_pattern_store(call->db, &due.row, &given, &call->error); break;
    }
    return judge(call, status) && judge_ids(call, &given, 1, id);
}

static bool
delete_row(struct call *call)
{
    uint64_t cycle = call->cycle - call->step->age;
    uint32_t row = call->step->row;
    int      table = call->step->deed == DEED_DELETE_PATTERN  ? KNACKDB_EXECUTION_PATTERNS
                     : call->step->deed == DEED_DELETE_METRIC ? KNACKDB_PERFORMANCE_METRICS
                                                              : KNACKDB_USER_PREFERENCES;
    int64_t  id = table == KNACKDB_EXECUTION_PATTERNS    ? pattern_id(cycle, row)
                  : table == KNACKDB_PERFORMANCE_METRICS ? metric_id(cycle, row)
                                                         : preference_id(cycle, row);

    call->begun_ns = monotonic_ns();
    return judge(call, knackdb_delete(call->db, table, id, &call->error));
}

/* Takes what is left of one cycle. */
static bool
clean_up(struct call *call)
{
    bool     patterns = call->step->deed == DEED_CLEAN_UP_PATTERNS;
    uint64_t due = patterns ? CYCLE_PATTERNS : CYCLE_METRICS, deleted;

    for (uint32_t place = 0; place < CYCLE_COMMITS; place++)
        due -= call->schedule->steps[place].deed == (patterns ? DEED_DELETE_PATTERN : DEED_DELETE_METRIC);
    call->begun_ns = monotonic_ns();
    if (!judge(call,
               knackdb_clean_up_before(call->db, patterns ? KNACKDB_EXECUTION_PATTERNS : KNACKDB_PERFORMANCE_METRICS,
                                       cycle_time(call->cycle - call->schedule->life_cycles + 1), &deleted,
                                       &call->error)))
        return false;
    if (deleted == due)
        return true;
    (void) snprintf(call->wrong, 600, "a clean-up took %" PRIu64 " rows and not %" PRIu64, deleted, due);
    return false;
}

/* The first commit of all. */
static bool
store_staying(struct call *call)
{
    static struct due_preference due[STAYING_PREFERENCES];
    knackdb_preference           rows[STAYING_PREFERENCES];
    int64_t                      ids[STAYING_PREFERENCES];

    for (uint32_t i = 0; i < STAYING_PREFERENCES; i++) {
        staying_make(i, &due[i]);
        rows[i] = due[i].row;
    }
    call->begun_ns = monotonic_ns();
    return judge(call, knackdb_preferences_store(call->db, rows, STAYING_PREFERENCES, 0, ids, &call->error)) &&
           judge_ids(call, ids, STAYING_PREFERENCES, 1);
}

static bool
take_step(struct call *call, enum commit_kind *ret_kind)
{
    *ret_kind = COMMIT_CHANGE;
    if (step_is_idle(call->schedule, call->step, call->cycle))
        return use_preference(call, IDLE_PREFERENCE);
    switch (call->step->deed) {
    case DEED_STORE_PATTERNS:
    case DEED_STORE_METRICS:
        *ret_kind = call->step->count > 1 ? COMMIT_BATCH : COMMIT_STORE;
        return call->step->deed == DEED_STORE_PATTERNS ? store_patterns(call) : store_metrics(call);
    case DEED_STORE_PREFERENCE:
    case DEED_ADD_PREFERENCE: *ret_kind = COMMIT_STORE; return store_preference(call);
    case DEED_USE_PREFERENCE: return use_preference(call, call->step->row);
    case DEED_SET_WEIGHT:
    case DEED_USE_PATTERN:
    case DEED_UPDATE_PATTERN:
    case DEED_REPLACE_PATTERN: return change_pattern(call);
    case DEED_DELETE_PATTERN:
    case DEED_DELETE_METRIC:
    case DEED_DELETE_PREFERENCE: return delete_row(call);
    case DEED_CLEAN_UP_PATTERNS:
    case DEED_CLEAN_UP_METRICS: *ret_kind = COMMIT_CLEAN_UP; return clean_up(call);
    }
    return false;
}

bool
commit_make(knackdb *db, const struct schedule *schedule, uint64_t number, enum commit_kind *ret_kind,
            uint64_t *ret_call_ns, char ret_wrong[600])
{
    struct call call = { .db = db, .schedule = schedule, .wrong = ret_wrong };
    bool        right;

    if (number == 1) {
        *ret_kind = COMMIT_BATCH;
        right = store_staying(&call);
    } else {
        call.step = schedule_step(schedule, number, &call.cycle);
        call.place = (uint32_t) (call.step - schedule->steps);
        right = take_step(&call, ret_kind);
    }
    *ret_call_ns = call.ended_ns - call.begun_ns;
    return right;
}
