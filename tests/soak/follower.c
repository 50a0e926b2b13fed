/* follower.c - a process of a soak that follows the writer; see parts.h. */
#include "parts.h"

#include <inttypes.h>
#include <unistd.h>

/* BUSY is an answer: snapshots followed each other too fast. */
static knackdb *
open_follower(void)
{
    knackdb_options options = knackdb_options_default();
    knackdb_error   error = { .message = "" };
    knackdb_status  status;
    knackdb        *db = NULL;

    options.flags = KNACKDB_OPEN_FOLLOW;
    while ((status = knackdb_open(board->path, &options, &db, &error)) == KNACKDB_BUSY)
        count_up(COUNT_RETRIES, 1);
    if (!claim_check(&board->claims[CLAIM_FOLLOWERS], status == KNACKDB_OK, "open: %s", error.message))
        _exit(1);
    return db;
}

static uint64_t
refresh(knackdb *db, uint64_t before)
{
    uint64_t       acknowledged = atomic_load(&board->acknowledged);
    uint64_t       sequence = 0, begun = monotonic_ns();
    knackdb_error  error = { .message = "" };
    knackdb_status status;

    while ((status = knackdb_refresh(db, &sequence, &error)) == KNACKDB_BUSY)
        count_up(COUNT_RETRIES, 1);
    latencies_add(&board->works[WORK_REFRESH], monotonic_ns() - begun);
    count_up(COUNT_REFRESHES, 1);
    if (!claim_check(&board->claims[CLAIM_FOLLOWERS], status == KNACKDB_OK, "refresh: %s", error.message) ||
        !claim_check(&board->claims[CLAIM_FOLLOWERS], sequence >= acknowledged && sequence >= before,
                     "at commit %" PRIu64 "; %" PRIu64 " had returned, %" PRIu64 " had been seen here", sequence,
                     acknowledged, before))
        _exit(1);
    board_see(sequence);
    return sequence;
}

static bool
look(knackdb_read *read, bool at_all, uint64_t *dice)
{
    struct findings findings = { .rows_checked = 0 };

    if (at_all)
        return board_witness(CLAIM_FOLLOWERS, read);
    return board_judge(CLAIM_FOLLOWERS, witness_some(&board->schedule, read, 60, draw(dice, UINT64_MAX), &findings),
                       &findings);
}

/* The slowest sleeps for seconds now and then, so that snapshots overtake it. */
static void
rest(int which, uint64_t *dice)
{
    static const uint64_t pauses_us[] = { 10000, 40000, 400000 };
    uint64_t              left_us = draw(dice, pauses_us[which]);

    if (which == 2 && draw(dice, 20) == 0)
        left_us = draw_us(dice, 3, 20);
    for (; left_us > 50000 && !atomic_load(&board->followers_stop); left_us -= 50000)
        pause_us(50000);
    pause_us(left_us < 50000 ? left_us : 0);
}

_Noreturn void
follow_until_killed(int which, uint64_t seed)
{
    knackdb      *db = open_follower();
    knackdb_read *old = NULL; /* a view that stays at its moment through some refreshes */
    knackdb_stats stats = { .struct_size = sizeof stats };
    knackdb_error error = { .message = "" };
    uint64_t      dice = seed, sequence = 0, reloads = 0;

    for (bool last = false; !last;) {
        knackdb_read *read;

        last = atomic_load(&board->followers_stop);
        sequence = refresh(db, sequence);
        if (knackdb_read_begin(db, &read, &error) != KNACKDB_OK || knackdb_get_stats(db, &stats, &error) != KNACKDB_OK)
            _exit(1);
        if (!look(read, last || draw(&dice, 64) == 0, &dice) ||
            (old != NULL && !look(old, draw(&dice, 64) == 0, &dice)))
            _exit(1);
        count_up(COUNT_RELOADS, stats.reload_count - reloads);
        reloads = stats.reload_count;
        if (old == NULL) {
            old = read;
        } else {
            knackdb_read_end(read);
            if (draw(&dice, 8) == 0) {
                knackdb_read_end(old);
                old = NULL;
            }
        }
        rest(which, &dice);
    }
    knackdb_read_end(old);
    (void) claim_check(&board->claims[CLAIM_FOLLOWERS],
                       knackdb_close(db, &error) == KNACKDB_OK && sequence == atomic_load(&board->acknowledged),
                       "ended at commit %" PRIu64 " of %" PRIu64, sequence, atomic_load(&board->acknowledged));
    _exit(0);
}
