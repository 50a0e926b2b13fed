/* workload.h - the rows and questions every store is given.
 *
 * Row number i is a pure function of the seed and i. So any store can be filled in
 * any order, nothing has to be kept, and what a store gives back can be compared,
 * byte by byte, with what it was given.
 *
 *   task_type         40 of them, Zipf-like: the n-th is 1/n as frequent as the first
 *   pattern_used      200, Zipf-like
 *   tools_used        JSON list of 1 to 5 of 60 tools
 *   context_factors   JSON object of about 120 bytes, nearly all distinct
 *   success_rate      0..1, more often high than low
 *   confidence_score  0..1, evenly spread; every sixteenth row has two decimals, so that
 *                     answers hold rows that are equally sure
 *   metrics           50 components with 20 metrics each, evenly spread; eight metrics
 *                     are measured at the same moment
 *
 * Row i has the id i + 1: the stores give ids 1, 2, 3, ... themselves. */
#ifndef BENCHMARKS_WORKLOAD_H
#define BENCHMARKS_WORKLOAD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define WORKLOAD_TASK_TYPES 40
#define WORKLOAD_PATTERNS   200
#define WORKLOAD_TOOLS      60
#define WORKLOAD_COMPONENTS 50
#define WORKLOAD_METRICS    20

struct text {
    const char *data;
    size_t      length;
};

/** One execution pattern, in the columns of schema version 1. */
struct pattern_row {
    int64_t     id;
    struct text task_type;
    struct text pattern_used;
    double      execution_time;
    double      success_rate;
    double      confidence_score;
    int64_t     agent_count;
    struct text complexity_level;
    struct text tools_used;
    struct text context_factors;
    double      created_at;
    double      updated_at;
    int64_t     usage_count;
};

/** One performance metric, in the columns of schema version 1. */
struct metric_row {
    int64_t     id;
    struct text component_name;
    struct text metric_name;
    double      metric_value;
    double      baseline_value;
    double      improvement_percentage; /**< as knackdb computes it where it is not given */
    double      measured_at;
};

/** A pattern's new confidence_score. */
struct weight {
    int64_t id;
    double  weight;
};

/** What the patterns of a task type have in common. */
struct group_row {
    struct text task_type;
    uint64_t    count;
    double      execution_time_mean;
    double      success_rate_mean;
};

/** "Which patterns should I use for this task?" - best confidence first, then lowest id. */
struct top_query {
    struct text task_type;
    double      success_rate_min;
    double      confidence_score_min;
    uint32_t    limit;
};

/** "What did this part measure?" - newest first, then highest id. */
struct history_query {
    struct text component_name;
    struct text metric_name; /**< data NULL for all of them */
    uint32_t    limit;
};

struct workload;

struct workload *workload_new(uint64_t seed);
void             workload_free(struct workload *workload);

/** Rows made ahead of a measurement, so that making them is never measured. */
struct pattern_block {
    struct pattern_row *rows;
    size_t              capacity;
    size_t              count;
    char               *texts; /**< backs the rows' texts that are not from a fixed list */
};

void pattern_block_init(struct pattern_block *block, size_t capacity);
void pattern_block_clear(struct pattern_block *block);

/** Fills the block with rows first_index, first_index + 1, ...; their ids are set. */
void workload_patterns(const struct workload *workload, uint64_t first_index, size_t count,
                       struct pattern_block *block);

/** When pattern number `index`, counted from 0, was created at the earliest, and all before it at the latest. */
double workload_created_at(uint64_t index);

/** Metric number `index`. Its texts are static; they outlive the workload. */
void workload_metric(const struct workload *workload, uint64_t index, struct metric_row *ret_row);

/** Question number `index`: a task type as frequent as in the rows, bounds new every time. */
void workload_top_query(const struct workload *workload, uint64_t index, uint32_t limit, struct top_query *ret_query);

/** Question number `index` about one metric of a component. */
void workload_history_query(const struct workload *workload, uint64_t index, uint32_t limit,
                            struct history_query *ret_query);

/** Weight number `index` of a row: evenly spread over 0..1. */
double workload_weight(const struct workload *workload, uint64_t index);

/** Id number `index` to read: evenly spread over 1..row_count. */
int64_t workload_id(const struct workload *workload, uint64_t index, uint64_t row_count);

/** A number below `bound` for choice number `index`: which operation a mixed work does next. */
uint64_t workload_choice(const struct workload *workload, uint64_t index, uint64_t bound);

/** YCSB's way to draw ids: rank r is 1/r^0.99 as frequent as the first, ranks scattered over all rows. */
struct zipfian {
    uint64_t rows;
    double   zeta, eta, alpha, second;
};

void    zipfian_init(struct zipfian *zipfian, uint64_t row_count);
int64_t zipfian_id(const struct zipfian *zipfian, const struct workload *workload, uint64_t index);

/* ---- digests -------------------------------------------------------------- */

/* A digest depends on every column, so that a store must really fetch the row, and
 * costs little: of a text it takes the length and both ends. One column is looked at and
 * left out: a weight sets updated_at to the store's own clock. */

static inline uint64_t
digest_mix(uint64_t digest, uint64_t value)
{
    return (digest ^ value) * UINT64_C(0x9e3779b97f4a7c15);
}

static inline uint64_t
digest_real(double real)
{
    uint64_t bits;
    memcpy(&bits, &real, sizeof bits);
    return bits;
}

static inline uint64_t
digest_text(struct text text)
{
    if (text.length == 0)
        return 0;
    return text.length << 16 | (uint64_t) (unsigned char) text.data[0] << 8 |
           (unsigned char) text.data[text.length - 1];
}

static inline uint64_t
pattern_digest(const struct pattern_row *row)
{
    uint64_t whole = digest_real(row->execution_time) + 3 * digest_real(row->success_rate) +
                     5 * digest_real(row->confidence_score) + 7 * digest_real(row->created_at) +
                     11 * (uint64_t) (row->updated_at > 0) + 13 * (uint64_t) row->agent_count +
                     17 * (uint64_t) row->usage_count;
    uint64_t texts = digest_text(row->task_type) + 19 * digest_text(row->pattern_used) +
                     23 * digest_text(row->complexity_level) + 29 * digest_text(row->tools_used) +
                     31 * digest_text(row->context_factors);
    return digest_mix((uint64_t) row->id, whole ^ texts << 20);
}

/** A pattern as an answer to a top_query: what it is called and how sure it is. */
static inline uint64_t
choice_digest(const struct pattern_row *row)
{
    return digest_mix((uint64_t) row->id, digest_real(row->confidence_score) + digest_text(row->pattern_used));
}

static inline uint64_t
metric_digest(const struct metric_row *row)
{
    return digest_mix((uint64_t) row->id, digest_real(row->metric_value) + 3 * digest_real(row->baseline_value) +
                                              5 * digest_real(row->measured_at) + 7 * digest_text(row->metric_name) +
                                              11 * digest_real(row->improvement_percentage));
}

#endif
