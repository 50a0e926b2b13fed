/* power_loss.c - the machine dies at every moment of many lives, and each time all that it may leave is opened.
 *
 *     power_loss [STATES [SEED]]       so many different disks at least; a seed of the clock unless told
 *     power_loss --life SEED [GOLDEN]  one life again, as a failure names it
 *     power_loss --alone SEED [GOLDEN] the same without guests
 *
 * exploring.h says what is asked of each disk, lying_disk.h what a disk may do, history.h what a life is.
 *
 * The seeds below once found something, before there were guests. They are lived first, alone. */
#include "tests/crash/history.h"

#include "base/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BUDGET 24

struct known_seed {
    uint64_t    seed;
    const char *golden; /* of tests/golden; NULL: a new directory */
};

static const struct known_seed known_seeds[] = {
    /* A commit between a snapshot's sync of the log and its view: in the snapshot, and torn in a log that was kept. */
    { UINT64_C(2692132535155015209), "version-2" },
    /* A torn head behind a snapshot, which verify took for damage to commit 1. */
    { UINT64_C(18431927716282009713), NULL },
    /* A death between the first manifest's rename and its sync, and a cut that left the next life's segment alone. */
    { UINT64_C(9585276460381396391), NULL },
};

static bool
live(struct exploration *exploration, uint64_t seed, const char *golden, enum history_guests guests,
     struct history_figures *figures)
{
    const char *root = getenv("KNACKDB_SOURCE_ROOT");
    char        path[4096];

    (void) snprintf(path, sizeof path, "%s/tests/golden/%s", root != NULL ? root : ".", golden != NULL ? golden : "");
    history_live(exploration, seed, golden != NULL ? path : NULL, guests, figures);
    if (exploration->has_failed)
        printf("FAIL: %s\nagain: power_loss --%s %" PRIu64 " %s\n", exploration->reason,
               guests == HISTORY_ALONE ? "alone" : "life", seed, golden != NULL ? golden : "");
    return !exploration->has_failed;
}

int
main(int count, char **arguments)
{
    struct exploration     exploration;
    struct history_figures figures = { 0 };
    bool                   is_alone = count > 2 && strcmp(arguments[1], "--alone") == 0;
    bool                   is_one = is_alone || (count > 2 && strcmp(arguments[1], "--life") == 0);
    uint64_t               states = count > 1 && !is_one ? strtoull(arguments[1], NULL, 10) : 100000;
    uint64_t               seed = count > 2 ? strtoull(arguments[2], NULL, 10) : (uint64_t) time(NULL);
    uint64_t               lives = 0;
    bool                   holds = true;

    exploration_init(&exploration, seed, BUDGET);
    if (is_one) {
        holds = live(&exploration, seed, count > 3 && arguments[3][0] != '\0' ? arguments[3] : NULL,
                     is_alone ? HISTORY_ALONE : HISTORY_WITH_GUESTS, &figures);
        lives++;
    } else {
        for (size_t i = 0; i < sizeof known_seeds / sizeof known_seeds[0] && holds; i++, lives++)
            holds = live(&exploration, known_seeds[i].seed, known_seeds[i].golden, HISTORY_ALONE, &figures);
        for (uint64_t i = 0; holds && exploration.states < states; i++, lives++) {
            static const char *const goldens[] = { "version-1", "version-2" };

            holds = live(&exploration, hash_integer(seed + i), i % 8 < 2 ? goldens[i % 8] : NULL, HISTORY_WITH_GUESTS,
                         &figures);
        }
    }
    printf("%" PRIu64 " crash states (seed %" PRIu64 ") at %" PRIu64 " moments of %" PRIu64 " lives: %" PRIu64
           " within a recovery, %" PRIu64 " with a torn log, %" PRIu64 " opened again, %" PRIu64 " written on, %" PRIu64
           " verified, %" PRIu64 " looked back; %" PRIu64 " deaths of the process\n",
           exploration.states, seed, exploration.moments, lives, exploration.within_recovery, exploration.torn,
           exploration.second_opens, exploration.went_on, exploration.verified, exploration.looked_back,
           exploration.deaths);
    printf("%" PRIu64 " steps, %" PRIu64 " commits (%" PRIu64 " while another synced), %" PRIu64 " snapshots, %" PRIu64
           " openings, %" PRIu64 " migrations, %" PRIu64 " calls of the disk\n",
           figures.steps, figures.commits, figures.meanwhile, figures.snapshots, figures.lives, figures.migrations,
           figures.disk_calls);
    printf("%" PRIu64 " backups and %" PRIu64 " repairs beside the writer, looked at in %" PRIu64 " states; %" PRIu64
           " states repaired, %" PRIu64 " followed; %" PRIu64 " refreshes of followers\n",
           figures.backups, figures.repairs, exploration.copies, exploration.repaired, exploration.followed,
           figures.refreshes);
    printf("%" PRIu64 " passed, %d failed\n", holds ? lives : lives - 1, holds ? 0 : 1);
    exploration_clear(&exploration);
    return holds ? 0 : 1;
}
