/* schedule.h - what commit n of a soak does, and what is in the store after it.
 *
 * Nobody writes down what the writer stored: its n-th commit is a function of n and the run's seed, so whoever sees a
 * store and the number of its newest commit knows every cell of it. That serves the writer's own readers,
 * followers, backups and earlier moments alike, in any process, and survives any death.
 *
 * Commits go round in cycles of a thousand. Each cycle does the same deeds in the same places, to rows of its own and
 * to rows of the cycles before, and with other values:
 *
 *     cycle  7   stores rows 7/0 .. 7/899 ... sets a weight of 4/17 ... deletes 1/3 ... cleans up cycle -13
 *     cycle  8   stores rows 8/0 .. 8/899 ... sets a weight of 5/17 ... deletes 2/3 ... cleans up cycle -12
 *
 * So a row's life is known from its number in its cycle: when it is stored, at which ages it is changed or deleted, and
 * that a clean-up takes it after LIFE_CYCLES. As many rows come as go: the store stays as large as it is. A deed whose
 * row would be of a cycle before the first one uses a preference instead, so that every commit is one. */
#ifndef TESTS_SOAK_SCHEDULE_H
#define TESTS_SOAK_SCHEDULE_H

#include <knackdb.h>

#define CYCLE_COMMITS       1000
#define CYCLE_PATTERNS      900
#define CYCLE_METRICS       550
#define CYCLE_PREFERENCES   5 /* that live and go; beside those which stay */
#define CYCLE_ROWS          (CYCLE_PATTERNS + CYCLE_METRICS + CYCLE_PREFERENCES)
#define LIFE_CYCLES         20
#define STAYING_PREFERENCES 41 /* stored by the first commit; the last of them is used where there is nothing to do */
#define BATCH_ROWS_MAX      120
#define TOUCHES_A_ROW_MAX   24

enum deed {
    DEED_STORE_PATTERNS,
    DEED_STORE_METRICS,
    DEED_STORE_PREFERENCE, /* one of the cycle's own */
    DEED_ADD_PREFERENCE,   /* one that stays, stored again */
    DEED_USE_PREFERENCE,   /* one that stays */
    DEED_SET_WEIGHT,
    DEED_USE_PATTERN,
    DEED_UPDATE_PATTERN,
    DEED_REPLACE_PATTERN,
    DEED_DELETE_PATTERN,
    DEED_DELETE_METRIC,
    DEED_DELETE_PREFERENCE,
    DEED_CLEAN_UP_PATTERNS,
    DEED_CLEAN_UP_METRICS,
};

/* What a cycle does in one place. */
struct step {
    enum deed deed;
    uint32_t  row;   /* of its cycle, the first one; or which of the staying preferences */
    uint32_t  count; /* rows stored */
    uint32_t  age;   /* cycles between the row's and this one */
    uint32_t  touch; /* which one of the row's touches */
};

/* Something that happens to a row after it was stored. */
struct touch {
    enum deed deed;
    uint32_t  age;
    uint32_t  place;
};

struct life {
    uint32_t     born; /* place in its cycle */
    uint32_t     touch_count;
    struct touch touches[TOUCHES_A_ROW_MAX]; /* in the order in which they happen */
};

struct schedule {
    uint64_t    seed;
    uint64_t    life_cycles; /* LIFE_CYCLES, or UINT64_MAX where nothing is ever cleaned up */
    struct step steps[CYCLE_COMMITS];
    struct life patterns[CYCLE_PATTERNS];
    struct life metrics[CYCLE_METRICS];
    struct life preferences[CYCLE_PREFERENCES];
    uint32_t    cleaned[2]; /* places where patterns and metrics are cleaned up */
};

void schedule_init(struct schedule *schedule, uint64_t seed, bool cleans_up);

/* ---- what is to be there ---- */

/* Rows with the room for their texts. */
struct due_pattern {
    knackdb_pattern row;
    bool            is_updated_now; /* updated_at is the time of a call */
    char            texts[320];
};

struct due_metric {
    knackdb_metric row;
    char           texts[200];
};

struct due_preference {
    knackdb_preference row;
    bool               is_used_now; /* last_used is the time of a call */
    char               texts[120];
};

/* The row as it is after commit `sequence`; false where it is not there then. */
bool due_pattern(const struct schedule *schedule, uint64_t sequence, uint64_t cycle, uint32_t row,
                 struct due_pattern *ret_due);
bool due_metric(const struct schedule *schedule, uint64_t sequence, uint64_t cycle, uint32_t row,
                struct due_metric *ret_due);
bool due_preference(const struct schedule *schedule, uint64_t sequence, uint64_t cycle, uint32_t row,
                    struct due_preference *ret_due);

/* One of the STAYING_PREFERENCES. */
bool due_staying(const struct schedule *schedule, uint64_t sequence, uint32_t which, struct due_preference *ret_due);

/* The oldest and the newest cycle of which any row may be there. */
void schedule_cycles(const struct schedule *schedule, uint64_t sequence, uint64_t *ret_first, uint64_t *ret_last);

/* Rows that had been stored by then, dead and alive. */
uint64_t schedule_rows(const struct schedule *schedule, uint64_t sequence);

/* ---- what is done ---- */

enum commit_kind { COMMIT_STORE, COMMIT_BATCH, COMMIT_CHANGE, COMMIT_CLEAN_UP, COMMIT_KINDS };

/* Makes commit `number`, which must be the next one. `ret_call_ns` is what the one call took. False where the call
 * fails or answers otherwise than it must, with `ret_wrong` in words. */
bool commit_make(knackdb *db, const struct schedule *schedule, uint64_t number, enum commit_kind *ret_kind,
                 uint64_t *ret_call_ns, char ret_wrong[600]);

/* ---- shared by the two ---- */

uint64_t mix(uint64_t seed, uint64_t number); /* of these two nothing else; different for different numbers */
uint64_t monotonic_ns(void);

/* The step that a commit after the first takes, and in which cycle. */
const struct step *schedule_step(const struct schedule *schedule, uint64_t number, uint64_t *ret_cycle);

/* There is nothing yet that the step could be taken with. */
bool step_is_idle(const struct schedule *schedule, const struct step *step, uint64_t cycle);

#define IDLE_PREFERENCE (STAYING_PREFERENCES - 1)

/* A pattern as its birth or its replacement stores it, `version` 0 or the touch's number + 1. */
void    pattern_make(const struct schedule *schedule, uint64_t cycle, uint32_t row, uint32_t version,
                     struct due_pattern *ret_due);
/* What a touch sets: one number, and for an update a text. */
double  touch_rate(const struct schedule *schedule, uint64_t cycle, uint32_t row, uint32_t touch);
int64_t touch_agents(const struct schedule *schedule, uint64_t cycle, uint32_t row, uint32_t touch);
size_t  touch_text(const struct schedule *schedule, uint64_t cycle, uint32_t row, uint32_t touch, char *text,
                   size_t bytes);
void    metric_make(const struct schedule *schedule, uint64_t cycle, uint32_t row, struct due_metric *ret_due);
void    preference_make(const struct schedule *schedule, uint64_t cycle, uint32_t row, struct due_preference *ret_due);
void    staying_make(uint32_t which, struct due_preference *ret_due);
double  staying_weight(const struct schedule *schedule, uint64_t cycle, uint32_t place);

int64_t pattern_id(uint64_t cycle, uint32_t row);
int64_t metric_id(uint64_t cycle, uint32_t row);
int64_t preference_id(uint64_t cycle, uint32_t row);
double  cycle_time(uint64_t cycle); /* of the first row of a cycle, in the columns that clean-ups look at */

#endif
