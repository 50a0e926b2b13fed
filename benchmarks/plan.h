/* plan.h - what a run of the benchmark is to do, from its arguments. */
#ifndef BENCHMARKS_PLAN_H
#define BENCHMARKS_PLAN_H

#include "roster.h"
#include "works.h"

#define SIZES_MAX 8

struct plan {
    struct roster roster;
    uint64_t      sizes[SIZES_MAX];
    size_t        size_count;
    unsigned      rounds; /**< 0: by size */
    uint64_t      seed;
    struct effort effort;
    uint64_t      tool_rows;
    const char   *tool;
    const char   *output;   /**< NULL: nothing is written */
    const char   *parent;   /**< of the directory worked in */
    const char   *revision; /**< "" where not told */
};

/** Exits with status 2 where the arguments make no sense, with 0 after --help. */
void plan_from_arguments(struct plan *plan, int argc, char **argv);

#endif
