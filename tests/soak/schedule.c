/* schedule.c - see schedule.h: the deeds of a cycle, the rows it stores, and what has become of them. */
#include "schedule.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* SplitMix64's last step (Steele, Lea and Flood 2014), which is one to one. */
uint64_t
mix(uint64_t seed, uint64_t number)
{
    uint64_t z = seed + number * UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t
monotonic_ns(void)
{
    struct timespec now;

    (void) clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000000000 + (uint64_t) now.tv_nsec;
}

static double
rate_of(uint64_t bits)
{
    return (double) (bits % 10001) / 10000;
}

/* ---- the cycle ---- */

/* How often a cycle does what. Batches besides: they are of different sizes. */
static const struct {
    enum deed deed;
    uint32_t  count;
} deeds[] = {
    { DEED_STORE_PATTERNS, 300 },  { DEED_STORE_METRICS, 150 },  { DEED_STORE_PREFERENCE, CYCLE_PREFERENCES },
    { DEED_ADD_PREFERENCE, 50 },   { DEED_USE_PREFERENCE, 20 },  { DEED_SET_WEIGHT, 200 },
    { DEED_USE_PATTERN, 120 },     { DEED_UPDATE_PATTERN, 48 },  { DEED_REPLACE_PATTERN, 40 },
    { DEED_DELETE_PATTERN, 30 },   { DEED_DELETE_METRIC, 10 },   { DEED_DELETE_PREFERENCE, CYCLE_PREFERENCES },
    { DEED_CLEAN_UP_PATTERNS, 1 }, { DEED_CLEAN_UP_METRICS, 1 },
};

static const uint32_t pattern_batches[] = { 2, 3, 7, 20, 40, 50, 50, 60, 74, 84, 90, 120 };
static const uint32_t metric_batches[] = { 2, 5, 13, 30, 50, 90, 100, 110 };

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

static uint32_t
draw_below(uint64_t *dice, uint64_t seed, uint32_t bound)
{
    return (uint32_t) (mix(seed, ++*dice) % bound);
}

static void
draw_places(struct schedule *schedule, uint64_t *dice)
{
    uint32_t place = 0;

    for (size_t i = 0; i < COUNT_OF(deeds); i++)
        for (uint32_t k = 0; k < deeds[i].count; k++)
            schedule->steps[place++] = (struct step) { .deed = deeds[i].deed, .count = 1 };
    for (size_t i = 0; i < COUNT_OF(pattern_batches); i++)
        schedule->steps[place++] = (struct step) { .deed = DEED_STORE_PATTERNS, .count = pattern_batches[i] };
    for (size_t i = 0; i < COUNT_OF(metric_batches); i++)
        schedule->steps[place++] = (struct step) { .deed = DEED_STORE_METRICS, .count = metric_batches[i] };
    if (place != CYCLE_COMMITS)
        abort();
    for (uint32_t i = CYCLE_COMMITS; i > 1; i--) {
        uint32_t    other = draw_below(dice, schedule->seed, i);
        struct step step = schedule->steps[other];

        schedule->steps[other] = schedule->steps[i - 1];
        schedule->steps[i - 1] = step;
    }
}

static struct life *
life_of(struct schedule *schedule, enum deed deed, uint32_t row)
{
    return deed == DEED_DELETE_METRIC       ? &schedule->metrics[row]
           : deed == DEED_DELETE_PREFERENCE ? &schedule->preferences[row]
                                            : &schedule->patterns[row];
}

static bool
is_deletion(enum deed deed)
{
    return deed == DEED_DELETE_PATTERN || deed == DEED_DELETE_METRIC || deed == DEED_DELETE_PREFERENCE;
}

/* A touch has its place in the life's order, and the steps of later ones follow. Deletions are in the second half of a
 * life and everything else in the first, so nothing is done to a row that is gone. */
static void
add_touch(struct schedule *schedule, uint32_t place)
{
    struct step *step = &schedule->steps[place];
    struct life *life = life_of(schedule, step->deed, step->row);
    uint32_t     at = life->touch_count++;

    while (at > 0 && (life->touches[at - 1].age > step->age ||
                      (life->touches[at - 1].age == step->age && life->touches[at - 1].place > place))) {
        life->touches[at] = life->touches[at - 1];
        schedule->steps[life->touches[at].place].touch = at;
        at--;
    }
    life->touches[at] = (struct touch) { .deed = step->deed, .age = step->age, .place = place };
    step->touch = at;
}

static void
draw_touch(struct schedule *schedule, uint32_t place, uint64_t *dice)
{
    struct step *step = &schedule->steps[place];
    uint32_t     rows = step->deed == DEED_DELETE_METRIC ? CYCLE_METRICS : CYCLE_PATTERNS;

    if (is_deletion(step->deed)) {
        step->age = LIFE_CYCLES / 2 + draw_below(dice, schedule->seed, LIFE_CYCLES / 2);
        do {
            const struct life *life;

            step->row =
                draw_below(dice, schedule->seed, step->deed == DEED_DELETE_PREFERENCE ? CYCLE_PREFERENCES : rows);
            life = life_of(schedule, step->deed, step->row);
            if (life->touch_count == 0 || !is_deletion(life->touches[life->touch_count - 1].deed))
                break;
        } while (true);
    } else {
        step->age = 1 + draw_below(dice, schedule->seed, LIFE_CYCLES / 2 - 1);
        do {
            step->row = draw_below(dice, schedule->seed, rows);
        } while (schedule->patterns[step->row].touch_count == TOUCHES_A_ROW_MAX - 1);
    }
    add_touch(schedule, place);
}

void
schedule_init(struct schedule *schedule, uint64_t seed, bool cleans_up)
{
    uint32_t patterns = 0, metrics = 0, preferences = 0;
    uint64_t dice = 0;

    memset(schedule, 0, sizeof *schedule);
    schedule->seed = seed;
    schedule->life_cycles = cleans_up ? LIFE_CYCLES : UINT64_MAX;
    draw_places(schedule, &dice);
    for (uint32_t place = 0; place < CYCLE_COMMITS; place++) {
        struct step *step = &schedule->steps[place];

        switch (step->deed) {
        case DEED_STORE_PATTERNS:
            step->row = patterns;
            for (uint32_t i = 0; i < step->count; i++)
                schedule->patterns[patterns++].born = place;
            break;
        case DEED_STORE_METRICS:
            step->row = metrics;
            for (uint32_t i = 0; i < step->count; i++)
                schedule->metrics[metrics++].born = place;
            break;
        case DEED_STORE_PREFERENCE:
            step->row = preferences;
            schedule->preferences[preferences++].born = place;
            break;
        case DEED_ADD_PREFERENCE:
        case DEED_USE_PREFERENCE: step->row = draw_below(&dice, seed, IDLE_PREFERENCE); break;
        case DEED_CLEAN_UP_PATTERNS: schedule->cleaned[0] = place; break;
        case DEED_CLEAN_UP_METRICS: schedule->cleaned[1] = place; break;
        case DEED_SET_WEIGHT:
        case DEED_USE_PATTERN:
        case DEED_UPDATE_PATTERN:
        case DEED_REPLACE_PATTERN:
        case DEED_DELETE_PATTERN:
        case DEED_DELETE_METRIC:
        case DEED_DELETE_PREFERENCE: draw_touch(schedule, place, &dice); break;
        }
    }
    if (patterns != CYCLE_PATTERNS || metrics != CYCLE_METRICS || preferences != CYCLE_PREFERENCES)
        abort();
}

const struct step *
schedule_step(const struct schedule *schedule, uint64_t number, uint64_t *ret_cycle)
{
    *ret_cycle = (number - 2) / CYCLE_COMMITS;
    return &schedule->steps[(number - 2) % CYCLE_COMMITS];
}

bool
step_is_idle(const struct schedule *schedule, const struct step *step, uint64_t cycle)
{
    if (step->deed == DEED_CLEAN_UP_PATTERNS || step->deed == DEED_CLEAN_UP_METRICS)
        return cycle < schedule->life_cycles;
    return cycle < step->age;
}

/* Commit 1 is none of a cycle's. */
static bool
has_happened(uint64_t sequence, uint64_t cycle, uint32_t place)
{
    return sequence > 0 && cycle * CYCLE_COMMITS + place < sequence - 1;
}

void
schedule_cycles(const struct schedule *schedule, uint64_t sequence, uint64_t *ret_first, uint64_t *ret_last)
{
    uint64_t last = sequence < 2 ? 0 : (sequence - 2) / CYCLE_COMMITS;

    *ret_last = last;
    *ret_first = last > schedule->life_cycles ? last - schedule->life_cycles : 0;
}

uint64_t
schedule_rows(const struct schedule *schedule, uint64_t sequence)
{
    uint64_t cycles = sequence < 2 ? 0 : (sequence - 1) / CYCLE_COMMITS;
    uint64_t rows = sequence == 0 ? 0 : STAYING_PREFERENCES + cycles * CYCLE_ROWS;

    for (uint32_t place = 0; has_happened(sequence, cycles, place); place++)
        if (schedule->steps[place].deed <= DEED_STORE_PREFERENCE)
            rows += schedule->steps[place].count;
    return rows;
}

/* ---- rows ---- */

int64_t
pattern_id(uint64_t cycle, uint32_t row)
{
    return (int64_t) (cycle * CYCLE_PATTERNS + row + 1);
}

int64_t
metric_id(uint64_t cycle, uint32_t row)
{
    return (int64_t) (cycle * CYCLE_METRICS + row + 1);
}

int64_t
preference_id(uint64_t cycle, uint32_t row)
{
    return (int64_t) (STAYING_PREFERENCES + cycle * CYCLE_PREFERENCES + row + 1);
}

double
cycle_time(uint64_t cycle)
{
    return 1.6e9 + (double) cycle;
}

/* Writes one text behind the others. */
static knackdb_text add_text(char *texts, size_t bytes, size_t *at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static knackdb_text
add_text(char *texts, size_t bytes, size_t *at, const char *format, ...)
{
    knackdb_text text = { texts + *at, 0 };
    va_list      arguments;
    int          length;

    va_start(arguments, format);
    length = vsnprintf(texts + *at, bytes - *at, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t) length >= bytes - *at)
        abort();
    text.length = (size_t) length;
    *at += text.length + 1;
    return text;
}

/* Every touch and version of every row has bits of its own. */
static uint64_t
bits_of(const struct schedule *schedule, int table, int64_t id, uint32_t version)
{
    return mix(schedule->seed, ((uint64_t) id * 3 + (uint64_t) table) * 64 + version);
}

void
pattern_make(const struct schedule *schedule, uint64_t cycle, uint32_t row, uint32_t version,
             struct due_pattern *ret_due)
{
    static const char *const complexities[] = { "simple", "moderate", "complex", "very complex" };
    int64_t                  id = pattern_id(cycle, row);
    uint64_t                 bits = bits_of(schedule, KNACKDB_EXECUTION_PATTERNS, id, version);
    knackdb_pattern         *pattern = &ret_due->row;
    size_t                   at = 0, bytes = sizeof ret_due->texts;

    memset(pattern, 0, sizeof *pattern);
    ret_due->is_updated_now = false;
    pattern->task_type = add_text(ret_due->texts, bytes, &at, "task %u", (unsigned) (bits % 40));
    if (bits % 16 != 0)
        pattern->pattern_used = add_text(ret_due->texts, bytes, &at, "pattern %u", (unsigned) (bits >> 8) % 200);
    pattern->execution_time = (double) ((bits >> 16) % 100000) / 1000;
    pattern->success_rate = rate_of(bits >> 20);
    pattern->confidence_score = rate_of(bits >> 24);
    pattern->agent_count = (int64_t) (bits >> 28) % 12;
    pattern->complexity_level = knackdb_string(complexities[(bits >> 32) % 4]);
    pattern->tools_used = add_text(ret_due->texts, bytes, &at, "[\"tool %u\",\"tool %u\"]", (unsigned) (bits >> 36) % 7,
                                   7 + (unsigned) (bits >> 40) % 7);
    pattern->context_factors = add_text(ret_due->texts, bytes, &at,
                                        "{\"row\":%" PRId64 ",\"hash\":\"%016" PRIx64 "%s\"}", id, bits,
                                        bits % 5 == 0 ? " and some more words, so that lengths differ" : "");
    pattern->created_at = cycle_time(cycle) + (double) row / CYCLE_PATTERNS;
    pattern->updated_at = pattern->created_at;
    pattern->usage_count = (int64_t) (bits >> 44) % 50;
    pattern->external_id =
        add_text(ret_due->texts, bytes, &at, "pattern_%016" PRIx64, mix(schedule->seed, (uint64_t) id));
    if (bits % 11 == 0)
        pattern->nulls = KNACKDB_BIT(KNACKDB_PATTERN_EXECUTION_TIME);
}

double
touch_rate(const struct schedule *schedule, uint64_t cycle, uint32_t row, uint32_t touch)
{
    return rate_of(bits_of(schedule, KNACKDB_EXECUTION_PATTERNS, pattern_id(cycle, row), 32 + touch));
}

int64_t
touch_agents(const struct schedule *schedule, uint64_t cycle, uint32_t row, uint32_t touch)
{
    return (int64_t) (bits_of(schedule, KNACKDB_EXECUTION_PATTERNS, pattern_id(cycle, row), 32 + touch) >> 40);
}

size_t
touch_text(const struct schedule *schedule, uint64_t cycle, uint32_t row, uint32_t touch, char *text, size_t bytes)
{
    size_t at = 0;

    return add_text(text, bytes, &at, "{\"updated\":\"%016" PRIx64 "\"}",
                    bits_of(schedule, KNACKDB_EXECUTION_PATTERNS, pattern_id(cycle, row), 32 + touch))
        .length;
}

void
metric_make(const struct schedule *schedule, uint64_t cycle, uint32_t row, struct due_metric *ret_due)
{
    static const char *const names[] = { "latency", "memory", "throughput", "errors", "accuracy" };
    int64_t                  id = metric_id(cycle, row);
    uint64_t                 bits = bits_of(schedule, KNACKDB_PERFORMANCE_METRICS, id, 0);
    knackdb_metric          *metric = &ret_due->row;
    size_t                   at = 0;

    memset(metric, 0, sizeof *metric);
    metric->component_name =
        add_text(ret_due->texts, sizeof ret_due->texts, &at, "component %u", (unsigned) (bits % 60));
    metric->metric_name = knackdb_string(names[(bits >> 8) % 5]);
    metric->metric_value = (double) ((bits >> 16) % 65536) / 64;
    metric->baseline_value = (double) (1 + (bits >> 32) % 4096) / 64;
    metric->improvement_percentage = (metric->metric_value - metric->baseline_value) / metric->baseline_value * 100;
    metric->measured_at = cycle_time(cycle) + (double) row / CYCLE_METRICS;
    metric->sample_count = (int64_t) (bits >> 48) % 1000;
    metric->confidence_interval = 0.95;
    if (bits % 4 == 0)
        metric->metadata = add_text(ret_due->texts, sizeof ret_due->texts, &at, "{\"run\":\"%016" PRIx64 "\"}", bits);
}

void
preference_make(const struct schedule *schedule, uint64_t cycle, uint32_t row, struct due_preference *ret_due)
{
    uint64_t bits = bits_of(schedule, KNACKDB_USER_PREFERENCES, preference_id(cycle, row), 0);
    size_t   at = 0;

    memset(&ret_due->row, 0, sizeof ret_due->row);
    ret_due->is_used_now = false;
    ret_due->row.preference_type = knackdb_string("of a cycle");
    ret_due->row.preference_value =
        add_text(ret_due->texts, sizeof ret_due->texts, &at, "value %u of cycle %" PRIu64, row, cycle);
    ret_due->row.weight = rate_of(bits);
    ret_due->row.usage_count = 1 + (int64_t) (bits >> 16) % 9;
    ret_due->row.last_used = cycle_time(cycle);
}

void
staying_make(uint32_t which, struct due_preference *ret_due)
{
    size_t at = 0;

    memset(&ret_due->row, 0, sizeof ret_due->row);
    ret_due->is_used_now = false;
    ret_due->row.preference_type = add_text(ret_due->texts, sizeof ret_due->texts, &at, "staying %u", which % 4);
    ret_due->row.preference_value = add_text(ret_due->texts, sizeof ret_due->texts, &at, "value %u", which);
    ret_due->row.weight = 0.5;
    ret_due->row.usage_count = 1;
    ret_due->row.last_used = cycle_time(0);
}

double
staying_weight(const struct schedule *schedule, uint64_t cycle, uint32_t place)
{
    return rate_of(mix(~schedule->seed, cycle * CYCLE_COMMITS + place));
}

/* ---- what is to be there ---- */

static bool
is_there(const struct schedule *schedule, uint64_t sequence, uint64_t cycle, const struct life *life, int cleaned)
{
    const struct touch *last = life->touch_count > 0 ? &life->touches[life->touch_count - 1] : NULL;

    if (!has_happened(sequence, cycle, life->born))
        return false;
    if (cleaned >= 0 && schedule->life_cycles != UINT64_MAX &&
        has_happened(sequence, cycle + schedule->life_cycles, schedule->cleaned[cleaned]))
        return false;
    return last == NULL || !is_deletion(last->deed) || !has_happened(sequence, cycle + last->age, last->place);
}

bool
due_pattern(const struct schedule *schedule, uint64_t sequence, uint64_t cycle, uint32_t row,
            struct due_pattern *ret_due)
{
    const struct life *life = &schedule->patterns[row];
    char               text[64];
    size_t             length;

    if (!is_there(schedule, sequence, cycle, life, 0))
        return false;
    pattern_make(schedule, cycle, row, 0, ret_due);
    for (uint32_t i = 0; i < life->touch_count; i++) {
        if (!has_happened(sequence, cycle + life->touches[i].age, life->touches[i].place))
            break;
        switch (life->touches[i].deed) {
        case DEED_SET_WEIGHT:
            ret_due->row.confidence_score = touch_rate(schedule, cycle, row, i);
            ret_due->is_updated_now = true;
            break;
        case DEED_USE_PATTERN: ret_due->row.usage_count++; break;
        case DEED_UPDATE_PATTERN:
            ret_due->row.agent_count = touch_agents(schedule, cycle, row, i);
            length = touch_text(schedule, cycle, row, i, text, sizeof text);
            memcpy(ret_due->texts + sizeof ret_due->texts - sizeof text, text, length);
            ret_due->row.context_factors =
                (knackdb_text) { ret_due->texts + sizeof ret_due->texts - sizeof text, length };
            break;
        case DEED_REPLACE_PATTERN: pattern_make(schedule, cycle, row, i + 1, ret_due); break;
        default: break;
        }
    }
    ret_due->row.id = pattern_id(cycle, row);
    return true;
}

bool
due_metric(const struct schedule *schedule, uint64_t sequence, uint64_t cycle, uint32_t row, struct due_metric *ret_due)
{
    if (!is_there(schedule, sequence, cycle, &schedule->metrics[row], 1))
        return false;
    metric_make(schedule, cycle, row, ret_due);
    ret_due->row.id = metric_id(cycle, row);
    return true;
}

bool
due_preference(const struct schedule *schedule, uint64_t sequence, uint64_t cycle, uint32_t row,
               struct due_preference *ret_due)
{
    if (!is_there(schedule, sequence, cycle, &schedule->preferences[row], -1))
        return false;
    preference_make(schedule, cycle, row, ret_due);
    ret_due->row.id = preference_id(cycle, row);
    return true;
}

/* How often the idle preference was used: each step is idle in its first cycles, and never after. */
static int64_t
idle_commits(const struct schedule *schedule, uint64_t sequence)
{
    int64_t commits = 0;

    for (uint64_t number = 2; number <= sequence; number++) {
        uint64_t           cycle;
        const struct step *step = schedule_step(schedule, number, &cycle);

        if (cycle > LIFE_CYCLES && schedule->life_cycles != UINT64_MAX)
            break;
        commits += step_is_idle(schedule, step, cycle);
    }
    return commits;
}

bool
due_staying(const struct schedule *schedule, uint64_t sequence, uint32_t which, struct due_preference *ret_due)
{
    uint64_t cycle = sequence < 2 ? 0 : (sequence - 1) / CYCLE_COMMITS;

    if (sequence == 0)
        return false;
    staying_make(which, ret_due);
    ret_due->row.id = (int64_t) which + 1;
    if (which == IDLE_PREFERENCE) {
        ret_due->row.usage_count += idle_commits(schedule, sequence);
        ret_due->is_used_now = ret_due->row.usage_count > 1;
        return true;
    }
    for (uint32_t place = 0; place < CYCLE_COMMITS; place++) {
        const struct step *step = &schedule->steps[place];
        uint64_t           times = cycle + has_happened(sequence, cycle, place);

        if (step->row != which || (step->deed != DEED_ADD_PREFERENCE && step->deed != DEED_USE_PREFERENCE))
            continue;
        ret_due->row.usage_count += (int64_t) times;
    }
    /* The last of this cycle that has happened, or the last of the cycle before. */
    for (uint64_t back = 0; back < 2 && back <= cycle; back++)
        for (uint32_t place = CYCLE_COMMITS; place-- > 0;) {
            const struct step *step = &schedule->steps[place];

            if (step->row != which || !has_happened(sequence, cycle - back, place))
                continue;
            if (step->deed == DEED_USE_PREFERENCE)
                ret_due->is_used_now = true;
            if (step->deed != DEED_ADD_PREFERENCE)
                continue;
            ret_due->row.weight = staying_weight(schedule, cycle - back, place);
            if (!ret_due->is_used_now)
                ret_due->row.last_used = cycle_time(cycle - back);
            return true;
        }
    return true;
}
