/* footprint.h - how much memory and disk a store takes, measured where nothing else is. */
#ifndef BENCHMARKS_FOOTPRINT_H
#define BENCHMARKS_FOOTPRINT_H

#include "adapter.h"

struct footprint {
    double resident_mb;  /**< growth of the process's resident memory, the store's code and files it maps included */
    double anonymous_mb; /**< of it, memory that is not backed by a file */
    double disk_mb;      /**< of all files once the store has settled and closed; 0 where nothing is kept */
};

/** Starts this program again as a child that stores `rows` patterns one by one. */
struct footprint footprint_measure(const struct adapter *adapter, uint64_t seed, uint64_t rows, const char *parent);

/** What the child runs: opens `adapter` in `directory`, stores, settles, closes, prints the three figures. */
void footprint_child(const struct adapter *adapter, uint64_t seed, uint64_t rows, const char *directory);

#endif
