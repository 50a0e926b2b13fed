/* victim.h - a writer process that is killed, and what it must have left behind.
 *
 * The child opens a directory and makes change after change, drawn from the round's seed; after every call that
 * returned it writes one byte into a pipe. The parent counts the bytes: they are the acknowledged calls, and the
 * seed says what they were. So the parent makes the same changes of the reference model and compares every cell.
 * One change more may be there, the one under way, whole; or not, and then nothing of it. */
#ifndef TESTS_DURABILITY_VICTIM_H
#define TESTS_DURABILITY_VICTIM_H

#include "../model/model.h"

struct round {
    uint64_t        seed;
    knackdb_options options;
    int             changes;        /* to make; then it waits for its death */
    int             snapshot_every; /* so many changes; 0: never */
    bool            snapshots;      /* all the time, by a second thread */
    bool            opens_first;    /* life begins with the first acknowledged call, not with the fork */
    uint32_t        life_us;        /* until it is killed; UINT32_MAX: until all its changes are made */
    bool            tidies;         /* who compares takes a snapshot, so that the next need not replay all */
    void (*prepare)(void *context); /* in the child, before anything else; NULL: nothing */
    void *prepare_context;
};

struct tally {
    uint64_t kills;        /* of writers */
    uint64_t openers;      /* killed while they brought back what a writer had left */
    uint64_t acknowledged; /* calls */
    uint64_t under_way;    /* calls not acknowledged and yet there, whole */
    uint64_t torn;         /* directories that ended in half a record */
};

/* What a directory should hold. */
struct memory {
    struct model model;
    uint64_t     sequence; /* of the newest commit */
    char        *texts;    /* of the model's rows */
};

void memory_init(struct memory *memory);
void memory_clear(struct memory *memory);

/* Lets the child live, kills it, and returns how many calls it acknowledged; -1 where it ended by itself. */
int64_t victim_run(const char *directory, const struct round *round);

/* Makes the acknowledged changes of the model, opens what the killed writer left, and compares. False after a line on
 * standard output that says what is wrong. */
bool victim_compare(const char *directory, const struct round *round, int64_t acknowledged, struct memory *memory,
                    struct tally *tally);

#endif
