/* station.h - a store at work: an adapter, its open handle, its directory, and what it was
 * given. Rows are given in order, so `patterns` is also the next row number of the workload,
 * and every station can be checked against it: weights are remembered, and how many of
 * the first rows were cleaned up. */
#ifndef BENCHMARKS_STATION_H
#define BENCHMARKS_STATION_H

#include "adapter.h"

struct station {
    const struct adapter *adapter;
    void                 *store; /**< NULL while closed */
    char                  directory[512];
    uint64_t              patterns;   /**< stored in order: row n of the workload has the id n + 1 */
    uint64_t              others;     /**< stored behind them, by several threads, in no order */
    uint64_t              cleaned_up; /**< of the first ones */
    uint64_t              metrics;
    double               *weights; /**< by id - 1, of the first weight_capacity; negative: as it was stored */
    uint64_t              weight_capacity;
    double                opened_at; /**< Unix seconds, at the first open */
};

/** Makes an empty directory below `parent` for the station; nothing is open yet. */
void station_init(struct station *station, const struct adapter *adapter, const char *parent);
void station_open(struct station *station);
void station_close(struct station *station);
/** Closes the store where it is open, and removes its directory. */
void station_clear(struct station *station);

/** Stores the workload's next rows, many at a time. Not for measuring. */
void station_load_patterns(struct station *station, const struct workload *workload, uint64_t count);
void station_load_metrics(struct station *station, const struct workload *workload, uint64_t count);

/** Notes that rows have a new weight. */
void station_note_weight(struct station *station, int64_t id, double weight);

/** Stops the program unless the store holds exactly the rows it was given: counts
 *  them all and compares `samples` of them, and always the last, column by column. */
void station_check_rows(struct station *station, const struct workload *workload, uint64_t samples);

#endif
