/* witness.h - holds a view of a soaked store against what must be there. Any process can: see schedule.h. */
#ifndef TESTS_SOAK_WITNESS_H
#define TESTS_SOAK_WITNESS_H

#include "schedule.h"

struct findings {
    uint64_t rows_checked;
    uint64_t rows_lost;  /* not there, or with a cell that is not what it must be */
    uint64_t rows_extra; /* there, and should not be */
    char     first[600]; /* the first of these, in words */
};

/* Every row that must be there, cell by cell; that those which have gone are gone; and that there are no others. */
bool witness_all(const struct schedule *schedule, knackdb_read *read, struct findings *findings);

/* The same of so many rows, dead and alive, drawn by a seed. */
bool witness_some(const struct schedule *schedule, knackdb_read *read, uint32_t rows, uint64_t seed,
                  struct findings *findings);

/* A question drawn by a seed, and whether its answer is in order and each of its rows as it must be. */
bool witness_query(const struct schedule *schedule, knackdb *db, knackdb_read *read, uint64_t seed,
                   uint64_t *ret_call_ns, struct findings *findings);

#endif
