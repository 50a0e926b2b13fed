/* repair_origin.h - a directory to damage, again and again, and what a repair makes of it.
 *
 * Each row is stored by a commit of its number: 1 to 40 before a snapshot, 41 to 60 behind it. So a row is at stake
 * where a commit is, and nothing else may change. An origin with ends has two more snapshots, the second after some of
 * the rows had been deleted or updated; one with history keeps all of its log, packed. */
#ifndef TESTS_PERSIST_REPAIR_ORIGIN_H
#define TESTS_PERSIST_REPAIR_ORIGIN_H

#include "persist/repairing.h"
#include "tests/api/scratch.h"
#include "tests/persist/bench.h"

#define SNAPSHOT_ROWS 40
#define ALL_ROWS      60

/* ---- repairs ---- */

struct told {
    knackdb_loss losses[64];
    char         files[64][64];
    size_t       count;
    char         text[8000];
};

void told_hear(void *context, const knackdb_loss *loss);

struct repaired {
    struct told           told;
    knackdb_repair_report report;
    knackdb_error         error;
};

/* Repairs, and leaks nothing. */
knackdb_status repair_to(const char *path, const char *to, uint32_t version, struct repaired *repaired);

/* ---- the origin ---- */

enum origin_kind {
    ORIGIN_KILLED,
    ORIGIN_CLOSED,
    ORIGIN_WITH_ENDS,    /* closed, too */
    ORIGIN_WITH_HISTORY, /* and ends */
};

/* Deleted in an origin with ends: rows of one part, and of another. In each part one more was updated. */
#define ENDED_IN_FIRST  3
#define ENDED_IN_SECOND 2

struct origin {
    char        folder[SCRATCH_PATH_MAX];
    char        sound[PATH_MAX_BYTES];
    char        damaged[PATH_MAX_BYTES];
    char        to[PATH_MAX_BYTES];
    struct kept kept;  /* of `sound`, read-only, */
    char       *dump;  /* and all of it */
    struct kept ended; /* with ends: as it was before any row had ended */
    bool        has_ended;
};

void origin_make(struct origin *origin, enum origin_kind kind);
void origin_remove(struct origin *origin);

/* A copy of the sound directory lies at `damaged`, and nothing at `to`. */
void origin_damage_again(struct origin *origin);

/* Repairs the damaged directory, which stays as it is, and opens what came of it. */
void origin_repair(struct origin *origin, struct repaired *repaired, struct kept *kept);

/* ---- damage ---- */

enum damage {
    DAMAGE_FLIP,   /* a bit of this byte */
    DAMAGE_REMOVE, /* this byte: all behind it moves */
    DAMAGE_CUT,    /* here the file ends */
};

/* Writes a file as it is after that. */
void write_damaged(const char *directory, const char *name, const struct bytes *file, enum damage damage, size_t at);

/* ---- comparing ---- */

/* How a repaired store differs from the origin. */
struct difference {
    uint32_t rows_gone;
    uint32_t cells_null;
    uint32_t back_first;  /* deleted rows that are back, of the first part with ends, */
    uint32_t back_second; /* and of the second */
};

/* Every row is one that was, in every cell that is not NULL. */
struct difference origin_compare(struct origin *origin, struct store *store);

/* What is told accounts for what is different: no more, no less, and in the file that was hit. */
void assert_told(const struct repaired *repaired, const struct difference *difference, const char *file, size_t byte);

#endif
