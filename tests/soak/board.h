/* board.h - the memory that all processes of a soak share: what was acknowledged, what is claimed, what was counted.
 *
 * It is mapped before the first fork and outlives whoever is killed. The writer acknowledges a commit when its call has
 * returned; that is all that a process tells another about the rows. */
#ifndef TESTS_SOAK_BOARD_H
#define TESTS_SOAK_BOARD_H

#include "../race/claims.h"
#include "latencies.h"
#include "schedule.h"
#include "witness.h"

enum claim_name {
    CLAIM_RULE,
    CLAIM_KEPT,
    CLAIM_WHOLE,
    CLAIM_ANSWERS,
    CLAIM_READERS,
    CLAIM_FOLLOWERS,
    CLAIM_MOMENTS,
    CLAIM_BACKUPS,
    CLAIM_STATE,
    CLAIM_VERIFY,
    CLAIM_ENDS,
    CLAIMS_ALWAYS, /* the rest needs time */
    CLAIM_WRITER_MEMORY = CLAIMS_ALWAYS,
    CLAIM_LIFE_MEMORY,
    CLAIM_FOLLOWER_MEMORY,
    CLAIM_DISK,
    CLAIMS
};

enum work {
    WORK_STORE, /* one row */
    WORK_BATCH,
    WORK_CHANGE,   /* a weight, a use, an update, a replacement, a deletion */
    WORK_CLEAN_UP, /* of 550 or 900 rows */
    WORK_SYNCED,   /* any of these in sync mode */
    WORK_READ,     /* a row by id */
    WORK_QUERY,
    WORK_REFRESH,
    WORK_OPEN,     /* of a writer, over what a killed one has left */
    WORK_SNAPSHOT, /* that was asked for */
    WORK_BACKUP,
    WORKS
};

enum counter {
    COUNT_KILLS, /* of writers */
    COUNT_FOLLOWER_KILLS,
    COUNT_REOPENINGS, /* of the directory by a writer */
    COUNT_SNAPSHOTS_ASKED,
    COUNT_SNAPSHOTS_TAKEN, /* by the background thread */
    COUNT_CLEAN_UPS,
    COUNT_BACKUPS,
    COUNT_HALF_BACKUPS, /* whose writer was killed */
    COUNT_REFRESHES,
    COUNT_RELOADS,
    COUNT_MOMENTS,        /* opened as of an earlier commit */
    COUNT_MOMENTS_BEFORE, /* the newest snapshot: two are kept */
    COUNT_VIEWS,          /* compared whole */
    COUNT_ROWS_CHECKED,
    COUNT_ROWS_LOST,
    COUNT_ROWS_EXTRA,
    COUNT_TORN_ENDS,
    COUNT_RETRIES, /* BUSY: asked again */
    COUNTERS
};

enum planted { PLANTED_NOTHING, PLANTED_LOSS, PLANTED_MEMORY, PLANTED_DISK };

struct board {
    _Atomic uint64_t acknowledged;   /* newest commit whose call has returned; the writer stores, after the call */
    _Atomic uint64_t seen;           /* newest commit that anyone saw; whoever sees it raises it */
    _Atomic bool     writer_stops;   /* at the end; who conducts stores */
    _Atomic bool     followers_stop; /* once they have seen all; likewise */
    _Atomic uint64_t backup_begun;   /* number of the backup under way; its writer stores */
    _Atomic uint64_t backup_done;    /* the number again once it is complete */
    _Atomic uint64_t backup_least;   /* what had been acknowledged when it began */
    _Atomic uint64_t counters[COUNTERS];
    struct latencies works[WORKS];
    struct claim     claims[CLAIMS];
    struct schedule  schedule;
    enum planted     planted;
    double           duration_s;
    char             path[4096];    /* of the store */
    char             backups[4096]; /* folder of the backups */
};

extern struct board *board;

void board_make(void);

void     count_up(enum counter counter, uint64_t by);
uint64_t counted(enum counter counter);

/* Adds findings to the counts, states the claim, and forgets them. */
bool board_judge(enum claim_name claim, bool right, struct findings *findings);

/* A whole view against the schedule. */
bool board_witness(enum claim_name claim, knackdb_read *read);

/* Raises what was seen. */
void board_see(uint64_t sequence);

/* The seeds of a process count up from one of its own. */
uint64_t draw(uint64_t *dice, uint64_t bound);
void     pause_us(uint64_t us);

/* A time between these two, in a run of some minutes; in a shorter one as much shorter as it is. */
uint64_t draw_us(uint64_t *dice, double from_s, double to_s);

#endif
