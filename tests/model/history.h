/* history.h - one random history: a store and the model, led through the same life.
 *
 * Each step is one call, drawn from the seed, made of both. Afterwards both are
 * asked about what the step touched, and now and then about everything. Read views
 * of earlier moments are held open beside models of the same moments. */
#ifndef TESTS_MODEL_HISTORY_H
#define TESTS_MODEL_HISTORY_H

#include "../api/scratch.h"
#include "agreement.h"

#define HISTORY_VIEWS_MAX   6
#define HISTORY_QUERIES_MAX 4
#define HISTORY_BATCH_MAX   64

struct history_view {
    knackdb_read *read; /* NULL: free */
    struct model  moment;
    uint64_t      sequence;
};

struct history_query {
    bool                asked; /* there is one in `question` */
    struct random_query question;
    knackdb_prepared   *prepared; /* of the same question */
};

struct history {
    uint64_t             seed;
    bool                 on_disk;
    bool                 keeps_log; /* no snapshot, so that the log goes back to the first commit */
    bool                 in_large_batches;
    char                 directory[SCRATCH_PATH_MAX]; /* empty: memory only */
    knackdb_options      options;
    knackdb             *db;
    struct random_source random;
    struct model         model;
    uint64_t             sequence; /* that the store should be at */
    struct history_view  views[HISTORY_VIEWS_MAX];
    struct history_query queries[HISTORY_QUERIES_MAX];
    uint32_t             step;
    bool                 trace;
    char                 doing[200]; /* the step, in words */
    struct disagreement  why;
};

/* Says what the step does; printed when it fails, or always when tracing. */
void history_says(struct history *history, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Fills `why`; returns false. */
bool history_fails(struct history *history, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* One random change, made of both and compared; history_changes.c. */
bool history_change(struct history *history);

/* One random question; history_questions.c. `read` and `model` are of the same moment. */
bool history_ask(struct history *history, knackdb_read *read, const struct model *model);

/* One random question through the calls that need no view. */
bool history_ask_store(struct history *history);

/* The replay log, applied to nothing, against what the store holds; keeps_log only; history_replay.c. */
bool history_replay(struct history *history);

/* What happens to the memory of dead rows: upkeep_left_alone.c or upkeep_forced.c. Once the store is open; before each
 * step; at the end, when no view is open. */
void history_upkeep_begin(struct history *history);
void history_upkeep(struct history *history);
bool history_upkeep_end(struct history *history);

#endif
