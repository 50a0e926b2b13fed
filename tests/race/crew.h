/* crew.h - what the race programs have in common: threads that begin together, writers whom the others outlive, chance.
 *
 *     PROGRAM [WORK] [WRITERS] [READERS] */
#ifndef TESTS_RACE_CREW_H
#define TESTS_RACE_CREW_H

#include "claims.h"

#include <pthread.h>

#define CREW_WRITERS_MAX 64
#define CREW_READERS_MAX 64

struct race; /* each program's own: what its threads share */

struct crew {
    uint32_t          work; /* for all writers together, in the program's own unit */
    uint32_t          writers;
    uint32_t          readers;
    pthread_barrier_t start;
    _Atomic uint32_t  writers_left;
};

struct worker {
    struct race *race;
    struct crew *crew;
    uint32_t     number; /* writers first */
    uint32_t     random; /* for random_below() */
};

/* As the arguments say, or as given where they do not. */
struct crew crew_from_arguments(int count, char **arguments, uint32_t work, uint32_t writers, uint32_t readers);

/* Starts them all, a watcher too where there is one, and waits until all have returned. Each gets its struct worker. */
void crew_run(struct crew *crew, struct race *race, void *(*write)(void *), void *(*read)(void *),
              void *(*watch)(void *) );

/* Runs the race in memory and in a directory; the program's exit code. */
int crew_run_twice(const struct crew *crew, void (*run)(struct crew *crew, const char *directory), struct claim *claims,
                   size_t claim_count);

void worker_begin(struct worker *worker); /* waits for all others */
void writer_end(struct worker *worker);
bool writers_have_ended(const struct worker *worker); /* what they did before is seen after it */

uint32_t random_below(uint32_t *state, uint32_t bound);

#endif
