/* machine.h - where and how a result came about, so that it can be judged later. */
#ifndef BENCHMARKS_MACHINE_H
#define BENCHMARKS_MACHINE_H

struct machine {
    char processor[128];
    long core_count;
    long memory_mb;
    char system[256];     /**< distribution and kernel */
    char file_system[64]; /**< of the directory worked in */
    char compiler[128];
    char flags[256];
    char date[32]; /**< ISO 8601, UTC */
};

void machine_describe(struct machine *ret_machine, const char *directory);

#endif
