/* killed_writer.c - a writer is killed with SIGKILL at random moments; nothing it acknowledged is missing.
 *
 *     killed_writer [KILLS [SEED]]
 *
 * victim.h says how it is told. Each round kills a child after some milliseconds: while it opens, stores, syncs or
 * writes a snapshot. A directory lives on from round to round, and so does its model. Rounds differ in
 * durability, in how the log is written, in segment size, and in whether a second
 * thread of the child writes snapshots all the time. Some that open the directory
 * after a writer's death are killed over it as well. Most directories lie in memory, where a sync costs
 * nothing: to who is killed, and not the machine, the disk is nothing. */
#include "../api/scratch.h"
#include "victim.h"

#include "../model/random_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHANGES_A_ROUND_MAX 4000
#define KILLS               700 /* unless told */
#define KILLS_A_DIRECTORY   25  /* then it has grown enough */

static void
choose_round(struct random_source *dice, struct round *round)
{
    memset(round, 0, sizeof *round);
    round->seed = random_bits(dice);
    round->changes = CHANGES_A_ROUND_MAX;
    round->options = knackdb_options_default();
    round->options.durability = random_chance(dice, 4) ? KNACKDB_SYNC : KNACKDB_ASYNC;
    round->options.log_io = (knackdb_log_io) random_below(dice, 3);
    round->options.log_segment_bytes_max = random_chance(dice, 2) ? 0 : UINT64_C(1) << 18;
    round->options.snapshot_log_bytes = random_chance(dice, 4) ? UINT64_MAX : UINT64_C(1) << 16;
    round->options.snapshots_kept = random_below(dice, 3);
    round->snapshots = random_chance(dice, 3);
    round->tidies = random_chance(dice, 3);
    round->opens_first = !random_chance(dice, 5);
    round->life_us = round->opens_first ? random_below(dice, random_chance(dice, 8) ? 20000 : 3000)
                                        : random_below(dice, 4000);
}

/* Up to three that open the directory after the writer's death die over it, at once or soon. */
static bool
kill_openers(const char *directory, struct random_source *dice, const struct round *round, struct tally *tally)
{
    struct round opener = *round;

    opener.changes = 0;
    opener.snapshots = false;
    opener.opens_first = false;
    for (uint32_t left = random_chance(dice, 2) ? 0 : 1 + random_below(dice, 3); left > 0; left--) {
        opener.life_us = random_below(dice, 6000);
        if (victim_run(directory, &opener) != 0)
            return false;
        tally->openers++;
    }
    return true;
}

/* One directory's lives. */
static bool
kill_writers(const char *directory, uint64_t kills, struct random_source *dice, struct tally *tally)
{
    struct memory memory;
    bool          agree = true;

    memory_init(&memory);
    for (uint64_t i = 0; i < kills && agree; i++) {
        struct round round;
        int64_t      acknowledged;

        choose_round(dice, &round);
        acknowledged = victim_run(directory, &round);
        agree = acknowledged >= 0 && kill_openers(directory, dice, &round, tally) &&
                victim_compare(directory, &round, acknowledged, &memory, tally);
        if (acknowledged > 0)
            tally->acknowledged += (uint64_t) acknowledged;
        tally->kills++;
    }
    memory_clear(&memory);
    return agree;
}

int
main(int count, char **arguments)
{
    uint64_t             kills = count > 1 ? strtoull(arguments[1], NULL, 10) : KILLS;
    uint64_t             seed = count > 2 ? strtoull(arguments[2], NULL, 10) : (uint64_t) time(NULL);
    struct random_source dice;
    struct tally         tally = { 0 };
    char                 directory[SCRATCH_PATH_MAX];
    bool                 agree = true;

    random_init(&dice, seed);
    for (uint64_t done = 0; done < kills && agree; done += KILLS_A_DIRECTORY) {
        if (done >= kills / 10)
            scratch_prefer_memory();
        scratch_make(directory);
        agree =
            kill_writers(directory, kills - done < KILLS_A_DIRECTORY ? kills - done : KILLS_A_DIRECTORY, &dice, &tally);
        if (agree)
            scratch_remove(directory);
    }
    printf("%" PRIu64 " writers killed (seed %" PRIu64 "), %" PRIu64 " openers, %" PRIu64
           " calls acknowledged, %" PRIu64 " more found whole, %" PRIu64 " torn ends\n",
           tally.kills, seed, tally.openers, tally.acknowledged, tally.under_way, tally.torn);
    if (!agree)
        printf("kept for a look: %s\nagain: killed_writer %" PRIu64 " %" PRIu64 "\n", directory, kills, seed);
    random_clear(&dice);
    /* A run that killed nobody at work would show nothing. */
    agree = agree && tally.acknowledged > 10 * kills;
    printf("%" PRIu64 " passed, %d failed\n", agree ? tally.kills : tally.kills - 1, agree ? 0 : 1);
    return agree ? 0 : 1;
}
