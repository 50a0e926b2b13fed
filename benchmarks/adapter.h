/* adapter.h - what a store must be able to do to take part.
 *
 * One `struct adapter` a store and setting, written as a user of that store would
 * write it. An adapter stops the program with fail() when its store refuses
 * something: a benchmark that goes on after an error measures the error.
 *
 * Rows are handed out by calling `see`, so that a store that can lend its memory
 * lends it and one that must copy copies; the texts are good during the call only.
 * To add a store: write adapter_NAME.c, declare it below, list it in roster.c. */
#ifndef BENCHMARKS_ADAPTER_H
#define BENCHMARKS_ADAPTER_H

#include "workload.h"

#include <stdbool.h>
#include <sys/types.h>

typedef void (*see_pattern)(void *context, const struct pattern_row *row);
typedef void (*see_metric)(void *context, const struct metric_row *row);
typedef void (*see_group)(void *context, const struct group_row *row);

struct adapter {
    const char *name;    /**< one word, as in --stores */
    const char *title;   /**< as the head of a column */
    const char *how;     /**< settings, indexes, what survives what */
    bool        is_kept; /**< rows are on disk and the next open finds them */
    bool        is_own;  /**< knackdb, with whichever settings: no rival of itself */

    const char *(*version)(void);
    /** Why the store cannot take part on this machine, in words, or NULL where it can. NULL: it is linked
     *  into this program, and so it can. */
    const char *(*missing)(void);

    /** Opens the store in a directory, empty or as an earlier close left it. */
    void *(*open)(const char *directory);
    void (*close)(void *store);
    /** What another thread uses beside the first, in place of the store; NULL: the store itself. */
    void *(*session_begin)(void *store);
    void (*session_end)(void *session);

    /** Stores a row; the store gives the id. What it returned survives as `how` says. */
    void (*pattern_store)(void *store, const struct pattern_row *row);
    /** Stores all of the rows or none. */
    void (*patterns_store)(void *store, const struct pattern_row *rows, size_t count);
    void (*metrics_store)(void *store, const struct metric_row *rows, size_t count);
    /** Sets confidence_score, and updated_at to now, of rows that are there; several may be one transaction. */
    void (*patterns_weigh)(void *store, const struct weight *weights, size_t count);
    /** Deletes the patterns created before a time; how many there were. */
    uint64_t (*patterns_clean_up)(void *store, double created_before);

    /** Hands the whole row to `see`; false where there is none. */
    bool (*pattern_read)(void *store, int64_t id, see_pattern see, void *context);
    /** Hands over id, pattern_used and confidence_score of the answers, in order. */
    void (*patterns_top)(void *store, const struct top_query *query, see_pattern see, void *context);
    /** Hands over every column of the answers but component_name, in order. */
    void (*metrics_history)(void *store, const struct history_query *query, see_metric see, void *context);
    /** Hands over a group for each task_type that has rows, in any order. */
    void (*patterns_grouped)(void *store, see_group see, void *context);

    uint64_t (*pattern_count)(void *store);

    /** Brings everything into its lasting form: a snapshot, a checkpoint. NULL for none. */
    void (*settle)(void *store);
    /** The process whose memory holds the rows, where it is not this one; NULL: this one. */
    pid_t (*process)(void *store);
};

extern const struct adapter adapter_knackdb;
extern const struct adapter adapter_knackdb_sync;
extern const struct adapter adapter_bare;
extern const struct adapter adapter_sqlite;
extern const struct adapter adapter_sqlite_off;
extern const struct adapter adapter_sqlite_memory;
extern const struct adapter adapter_lmdb_sync;
extern const struct adapter adapter_lmdb_nosync;
extern const struct adapter adapter_rocksdb;
extern const struct adapter adapter_redis;

#endif
