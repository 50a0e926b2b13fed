/* operations.h - what a work does: one operation, made ready beforehand. */
#ifndef BENCHMARKS_OPERATIONS_H
#define BENCHMARKS_OPERATIONS_H

#include "station.h"

#define CHUNK_MAX  1024
#define BATCH_ROWS 100
#define GROUPS_MAX 64

/** One work on one store. */
struct run {
    const struct workload *workload;
    const struct zipfian  *zipfian;
    struct station        *station;
    uint64_t               rows;   /**< ids are drawn from 1..rows */
    uint64_t               digest; /**< of every answer */
    uint64_t               zero;   /**< 0, though the compiler cannot know */
    int64_t                ids[CHUNK_MAX];
    bool                   changes[CHUNK_MAX];
    struct weight          weights[CHUNK_MAX];
    struct top_query       tops[CHUNK_MAX];
    struct history_query   histories[CHUNK_MAX];
    struct pattern_block   block;
    struct group_row       groups[GROUPS_MAX]; /**< of the last grouping; sums differ in their last bits */
    char                   group_names[GROUPS_MAX][32];
    size_t                 group_count;
};

struct work {
    const char *name;
    size_t      chunk;          /**< operations made ready and timed together */
    uint64_t    ops_divisor;    /**< of effort.change_ops; 0: the work changes nothing, and its number is free */
    uint64_t    change_percent; /**< of a mixed work */
    void (*prepare)(struct run *run, const struct work *work, uint64_t first_operation, size_t count);
    void (*before)(struct run *run, size_t i); /**< not timed; NULL for none */
    void (*perform)(struct run *run, size_t i);
    /** Brings the store to where all operations would have brought it; not timed. NULL where nothing changes. */
    void (*catch_up)(struct run *run, const struct work *work, uint64_t first_operation, uint64_t count);
};

/** In the order in which they are done. */
extern const struct work works[];
extern const size_t      work_count;

void run_init(struct run *run, const struct workload *workload, const struct zipfian *zipfian, uint64_t rows);
void run_clear(struct run *run);

#endif
