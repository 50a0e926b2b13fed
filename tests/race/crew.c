/* crew.c - see crew.h. */
#include "crew.h"

#include "../api/scratch.h"

#include <stdio.h>
#include <stdlib.h>

static uint32_t
argument_or(int count, char **arguments, int index, uint32_t otherwise, uint32_t most)
{
    unsigned long given = index < count ? strtoul(arguments[index], NULL, 10) : 0;

    return given == 0 ? otherwise : given > most ? most : (uint32_t) given;
}

struct crew
crew_from_arguments(int count, char **arguments, uint32_t work, uint32_t writers, uint32_t readers)
{
    return (struct crew) {
        .work = argument_or(count, arguments, 1, work, 100000000),
        .writers = argument_or(count, arguments, 2, writers, CREW_WRITERS_MAX),
        .readers = argument_or(count, arguments, 3, readers, CREW_READERS_MAX),
    };
}

void
crew_run(struct crew *crew, struct race *race, void *(*write)(void *), void *(*read)(void *), void *(*watch)(void *) )
{
    struct worker workers[CREW_WRITERS_MAX + CREW_READERS_MAX + 1];
    pthread_t     threads[CREW_WRITERS_MAX + CREW_READERS_MAX + 1];
    uint32_t      count = crew->writers + crew->readers + (watch != NULL);

    atomic_init(&crew->writers_left, crew->writers);
    pthread_barrier_init(&crew->start, NULL, count);
    for (uint32_t i = 0; i < count; i++) {
        void *(*work)(void *) = i < crew->writers ? write : i < crew->writers + crew->readers ? read : watch;

        workers[i] = (struct worker) { race, crew, i, 2463534242u + i * 97 };
        if (pthread_create(&threads[i], NULL, work, &workers[i]) != 0) {
            fprintf(stderr, "cannot start a thread\n");
            exit(99); /* the others wait for it at the barrier */
        }
    }
    for (uint32_t i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&crew->start);
}

int
crew_run_twice(const struct crew *crew, void (*run)(struct crew *crew, const char *directory), struct claim *claims,
               size_t claim_count)
{
    struct crew in_memory = *crew;
    struct crew on_disk = *crew;
    char        directory[SCRATCH_PATH_MAX];

    run(&in_memory, NULL);
    scratch_make(directory);
    run(&on_disk, directory);
    scratch_remove(directory);
    return claims_report(claims, claim_count);
}

void
worker_begin(struct worker *worker)
{
    pthread_barrier_wait(&worker->crew->start);
}

void
writer_end(struct worker *worker)
{
    atomic_fetch_sub_explicit(&worker->crew->writers_left, 1, memory_order_release);
}

bool
writers_have_ended(const struct worker *worker)
{
    return atomic_load_explicit(&worker->crew->writers_left, memory_order_acquire) == 0;
}

uint32_t
random_below(uint32_t *state, uint32_t bound)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state % bound;
}
