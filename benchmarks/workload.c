/* workload.c - rows and questions from a seed; see workload.h for their shape.
 *
 * Each row draws from a random stream of its own (splitmix64, started at a hash of
 * seed, purpose and row number). Names come from fixed lists: a task type is one of
 * 8 verbs on one of 5 things, and so on, so that they look like what agents store
 * and have its lengths. */
#include "workload.h"

#include "failure.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define NAME_BYTES        32
#define TOOLS_BYTES_MAX   112 /* five names of at most 17, quoted, with commas */
#define CONTEXT_BYTES_MAX 176

struct workload {
    uint64_t seed;
    double   task_type_share[WORKLOAD_TASK_TYPES]; /* cumulative, the last is 1 */
    double   pattern_share[WORKLOAD_PATTERNS];
};

enum purpose {
    FOR_PATTERN = 1,
    FOR_METRIC,
    FOR_TOP_QUERY,
    FOR_HISTORY_QUERY,
    FOR_ID,
    FOR_WEIGHT,
    FOR_CHOICE,
    FOR_ZIPFIAN
};

#define START_OF_2026 1767225600.0

static const char *const TASK_VERBS[8] = { "review",   "refactor",  "debug",     "test",
                                           "document", "summarize", "translate", "deploy" };
static const char *const TASK_THINGS[5] = { "python", "sql-schema", "c-library", "web-page", "config" };

static const char *const PATTERN_PLANS[20] = {
    "plan-then-act", "divide-and-conquer", "test-first", "read-all-first", "grep-then-read", "small-steps",
    "rewrite",       "ask-when-stuck",     "two-drafts", "critic-loop",    "search-the-web", "from-examples",
    "by-analogy",    "vote-of-three",      "tool-chain", "retry-on-error", "shortest-diff",  "work-backwards",
    "trace-and-fix", "outline-first",
};
static const char *const PATTERN_STYLES[10] = { "solo",  "pair",   "swarm",  "cautious", "greedy",
                                                "batch", "stream", "cached", "verified", "timed" };

static const char *const TOOL_NOUNS[12] = { "file", "git",  "http",  "sql",   "shell", "python",
                                            "mail", "test", "build", "index", "chart", "browser" };
static const char *const TOOL_VERBS[5] = { "read", "write", "list", "check", "run" };

static const char *const COMPONENT_PARTS[10] = { "planner", "router", "memory",   "retriever", "executor",
                                                 "critic",  "parser", "embedder", "scheduler", "cache" };
static const char *const COMPONENT_PLACES[5] = { "north", "south", "east", "west", "core" };
static const char *const METRIC_KINDS[10] = { "latency", "throughput", "errors", "tokens", "memory",
                                              "retries", "depth",      "hits",   "misses", "cost" };
static const char *const METRIC_FORMS[2] = { "mean", "p99" };

static const char *const LEVELS[4] = { "simple", "moderate", "complex", "expert" };

/* Filled once by workload_new(), the same whatever the seed. */
static struct {
    char task_types[WORKLOAD_TASK_TYPES][NAME_BYTES];
    char patterns[WORKLOAD_PATTERNS][NAME_BYTES];
    char tools[WORKLOAD_TOOLS][NAME_BYTES];
    char components[WORKLOAD_COMPONENTS][NAME_BYTES];
    char metrics[WORKLOAD_METRICS][NAME_BYTES];
} names;

static uint64_t
random_next(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static uint64_t
random_stream(const struct workload *workload, enum purpose purpose, uint64_t index)
{
    uint64_t state = workload->seed + (uint64_t) purpose * UINT64_C(0xd1342543de82ef95);
    state = random_next(&state) ^ index;
    return random_next(&state);
}

/** Evenly spread over [0, 1). */
static double
random_real(uint64_t *state)
{
    return (double) (random_next(state) >> 11) * 0x1p-53;
}

static uint64_t
random_below(uint64_t *state, uint64_t bound)
{
    return (uint64_t) (((unsigned __int128) random_next(state) * bound) >> 64);
}

static void
zipf_shares(double *shares, size_t count)
{
    double sum = 0, reached = 0;

    for (size_t i = 0; i < count; i++)
        sum += 1.0 / (double) (i + 1);
    for (size_t i = 0; i < count; i++) {
        reached += 1.0 / (double) (i + 1) / sum;
        shares[i] = reached;
    }
    shares[count - 1] = 1.0; /* whatever rounding made of it */
}

static size_t
zipf_draw(const double *shares, size_t count, uint64_t *state)
{
    double draw = random_real(state);
    size_t low = 0, high = count - 1;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (draw < shares[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* Name number i joins first[i / second_count] and second[i % second_count]. */
static void
join_names(char (*joined)[NAME_BYTES], size_t count, const char *const *first, const char *const *second,
           size_t second_count, char separator)
{
    for (size_t i = 0; i < count; i++) {
        int length =
            snprintf(joined[i], NAME_BYTES, "%s%c%s", first[i / second_count], separator, second[i % second_count]);
        if (length < 0 || length >= NAME_BYTES)
            fail("a name of the workload is too long: %s", joined[i]);
    }
}

struct workload *
workload_new(uint64_t seed)
{
    struct workload *workload = calloc(1, sizeof *workload);

    if (workload == NULL)
        fail("no memory");
    workload->seed = seed;
    zipf_shares(workload->task_type_share, WORKLOAD_TASK_TYPES);
    zipf_shares(workload->pattern_share, WORKLOAD_PATTERNS);
    join_names(names.task_types, WORKLOAD_TASK_TYPES, TASK_VERBS, TASK_THINGS, 5, '-');
    join_names(names.patterns, WORKLOAD_PATTERNS, PATTERN_PLANS, PATTERN_STYLES, 10, '/');
    join_names(names.tools, WORKLOAD_TOOLS, TOOL_NOUNS, TOOL_VERBS, 5, '.');
    join_names(names.components, WORKLOAD_COMPONENTS, COMPONENT_PARTS, COMPONENT_PLACES, 5, '-');
    join_names(names.metrics, WORKLOAD_METRICS, METRIC_KINDS, METRIC_FORMS, 2, '_');
    return workload;
}

void
workload_free(struct workload *workload)
{
    free(workload);
}

void
pattern_block_init(struct pattern_block *block, size_t capacity)
{
    block->rows = calloc(capacity, sizeof *block->rows);
    block->texts = calloc(capacity, TOOLS_BYTES_MAX + CONTEXT_BYTES_MAX);
    block->capacity = capacity;
    block->count = 0;
    if (block->rows == NULL || block->texts == NULL)
        fail("no memory for %zu rows", capacity);
}

void
pattern_block_clear(struct pattern_block *block)
{
    free(block->rows);
    free(block->texts);
    memset(block, 0, sizeof *block);
}

static struct text
text_of(const char *string)
{
    struct text text = { string, strlen(string) };
    return text;
}

/* One to five different tools: draws that repeat are left out, so short lists are
 * a little more frequent than long ones. */
static struct text
tools_make(char *buffer, uint64_t *state)
{
    size_t      wanted = 1 + random_below(state, 5);
    uint64_t    taken = 0;
    char       *end = buffer;
    struct text text;

    *end++ = '[';
    for (size_t i = 0; i < wanted; i++) {
        uint64_t tool = random_below(state, WORKLOAD_TOOLS);
        if (taken & UINT64_C(1) << tool)
            continue;
        taken |= UINT64_C(1) << tool;
        if (end != buffer + 1)
            *end++ = ',';
        *end++ = '"';
        end = stpcpy(end, names.tools[tool]);
        *end++ = '"';
    }
    *end++ = ']';
    text.data = buffer;
    text.length = (size_t) (end - buffer);
    return text;
}

static struct text
context_make(char *buffer, uint64_t *state)
{
    uint64_t    draw = random_next(state), other = random_next(state);
    struct text text;
    int         length = snprintf(buffer, CONTEXT_BYTES_MAX,
                                  "{\"repository\":\"r%06llx\",\"commit\":\"%010llx\",\"files\":%u,\"lines\":%u,"
                                          "\"language\":\"%s\",\"tokens\":%u,\"retry\":%s}",
                                  (unsigned long long) (draw & 0xffffff), (unsigned long long) (other & 0xffffffffff),
                                  (unsigned) (draw >> 24 & 0x3f) + 1, (unsigned) (draw >> 30 & 0x3fff) + 100,
                                  TASK_THINGS[(draw >> 44) % 5], (unsigned) (other >> 40 & 0xffff) + 1000,
                          (draw >> 50) % 8 == 0 ? "true" : "false");

    if (length < 0 || length >= CONTEXT_BYTES_MAX)
        fail("the context of a row is too long");
    text.data = buffer;
    text.length = (size_t) length;
    return text;
}

double
workload_created_at(uint64_t index)
{
    return START_OF_2026 + 2.0 * (double) index;
}

static void
pattern_make(const struct workload *workload, uint64_t index, char *texts, struct pattern_row *row)
{
    uint64_t state = random_stream(workload, FOR_PATTERN, index);
    double   shortfall = random_real(&state);

    row->id = (int64_t) index + 1;
    row->task_type = text_of(names.task_types[zipf_draw(workload->task_type_share, WORKLOAD_TASK_TYPES, &state)]);
    row->pattern_used = text_of(names.patterns[zipf_draw(workload->pattern_share, WORKLOAD_PATTERNS, &state)]);
    row->execution_time = 0.05 + 30.0 * random_real(&state) * random_real(&state);
    row->success_rate = 1.0 - shortfall * shortfall;
    row->confidence_score = random_real(&state);
    if (random_below(&state, 16) == 0)
        row->confidence_score = (double) (int) (100 * row->confidence_score + 0.5) / 100;
    row->agent_count = 1 + (int64_t) random_below(&state, 8);
    row->complexity_level = text_of(LEVELS[random_below(&state, 4)]);
    row->tools_used = tools_make(texts, &state);
    row->context_factors = context_make(texts + TOOLS_BYTES_MAX, &state);
    /* One row every two seconds since the start of 2026, touched again within a day. */
    row->created_at = workload_created_at(index) + random_real(&state);
    row->updated_at = row->created_at + 86400.0 * random_real(&state);
    row->usage_count = 1 + (int64_t) random_below(&state, 50);
}

void
workload_patterns(const struct workload *workload, uint64_t first_index, size_t count, struct pattern_block *block)
{
    if (count > block->capacity)
        fail("a block of %zu rows cannot hold %zu", block->capacity, count);
    for (size_t i = 0; i < count; i++)
        pattern_make(workload, first_index + i, block->texts + i * (TOOLS_BYTES_MAX + CONTEXT_BYTES_MAX),
                     &block->rows[i]);
    block->count = count;
}

void
workload_metric(const struct workload *workload, uint64_t index, struct metric_row *ret_row)
{
    uint64_t state = random_stream(workload, FOR_METRIC, index);

    ret_row->id = (int64_t) index + 1;
    ret_row->component_name = text_of(names.components[random_below(&state, WORKLOAD_COMPONENTS)]);
    ret_row->metric_name = text_of(names.metrics[random_below(&state, WORKLOAD_METRICS)]);
    ret_row->metric_value = 1000.0 * random_real(&state);
    ret_row->baseline_value = 1.0 + 1000.0 * random_real(&state);
    ret_row->improvement_percentage = (ret_row->metric_value - ret_row->baseline_value) / ret_row->baseline_value *
                                      100.0;
    ret_row->measured_at = START_OF_2026 + 16.0 * (double) (index / 8);
}

void
workload_top_query(const struct workload *workload, uint64_t index, uint32_t limit, struct top_query *ret_query)
{
    uint64_t state = random_stream(workload, FOR_TOP_QUERY, index);
    size_t   type = zipf_draw(workload->task_type_share, WORKLOAD_TASK_TYPES, &state);

    ret_query->task_type = text_of(names.task_types[type]);
    ret_query->success_rate_min = 0.9 * random_real(&state);
    ret_query->confidence_score_min = 0.9 * random_real(&state);
    ret_query->limit = limit;
}

void
workload_history_query(const struct workload *workload, uint64_t index, uint32_t limit, struct history_query *ret_query)
{
    uint64_t state = random_stream(workload, FOR_HISTORY_QUERY, index);

    ret_query->component_name = text_of(names.components[random_below(&state, WORKLOAD_COMPONENTS)]);
    ret_query->metric_name = text_of(names.metrics[random_below(&state, WORKLOAD_METRICS)]);
    ret_query->limit = limit;
}

int64_t
workload_id(const struct workload *workload, uint64_t index, uint64_t row_count)
{
    uint64_t state = random_stream(workload, FOR_ID, index);

    return 1 + (int64_t) random_below(&state, row_count);
}

double
workload_weight(const struct workload *workload, uint64_t index)
{
    uint64_t state = random_stream(workload, FOR_WEIGHT, index);

    return random_real(&state);
}

uint64_t
workload_choice(const struct workload *workload, uint64_t index, uint64_t bound)
{
    uint64_t state = random_stream(workload, FOR_CHOICE, index);

    return random_below(&state, bound);
}

/* After Gray et al., "Quickly generating billion-record synthetic databases" (1994), as YCSB does it. */
#define ZIPFIAN_THETA 0.99

void
zipfian_init(struct zipfian *zipfian, uint64_t row_count)
{
    double zeta_of_two = 1 + pow(0.5, ZIPFIAN_THETA);

    zipfian->rows = row_count;
    zipfian->zeta = 0;
    for (uint64_t rank = 1; rank <= row_count; rank++)
        zipfian->zeta += pow(1 / (double) rank, ZIPFIAN_THETA);
    zipfian->alpha = 1 / (1 - ZIPFIAN_THETA);
    zipfian->second = zeta_of_two;
    zipfian->eta = (1 - pow(2 / (double) row_count, 1 - ZIPFIAN_THETA)) / (1 - zeta_of_two / zipfian->zeta);
}

int64_t
zipfian_id(const struct zipfian *zipfian, const struct workload *workload, uint64_t index)
{
    uint64_t state = random_stream(workload, FOR_ZIPFIAN, index);
    double   draw = random_real(&state);
    uint64_t rank;

    if (draw * zipfian->zeta < 1)
        rank = 0;
    else if (draw * zipfian->zeta < zipfian->second)
        rank = 1;
    else
        rank = (uint64_t) ((double) zipfian->rows * pow(zipfian->eta * draw - zipfian->eta + 1, zipfian->alpha));
    /* Ranks that meet at the same row after scattering make it a little hotter: so with YCSB. */
    return 1 + (int64_t) (random_next(&rank) % zipfian->rows);
}
