/* history.c - see history.h. */
#include "tests/crash/history.h"

#include "tests/crash/twins.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_LEAST 20
#define STEPS_MORE  90

/* Of the guests: how often they come, and how many copies a life can have. A copy has many moments, so few ways of each
 * are looked at. */
#define ONE_IN_FOLLOWING 8
#define ONE_IN_COPIES    40
#define COPIES_MAX       4
#define COPY_BUDGET      6

struct history {
    struct exploration     *exploration;
    struct history_figures *figures;
    struct twins            twins;
    struct lying_disk      *disk;
    struct life             life;
    bool                    is_open;
    uint64_t                returned;   /* the newest commit that a store call has returned */
    bool                    is_syncing; /* so others may store meanwhile */
    bool                    waits;      /* every store for the disk, as with KNACKDB_SYNC */
    const char             *step;       /* in words, for the reason of a failure */
    struct random_source    guests_dice;
    bool                    has_guests;
    bool                    is_followed;
    struct life             follower;
    uint64_t                followed; /* the newest commit that the follower has seen */
    uint32_t                copies;
};

static void __attribute__((format(printf, 2, 3)))
fail(struct history *history, const char *format, ...)
{
    struct exploration *exploration = history->exploration;
    va_list             arguments;
    size_t              length;

    if (exploration->has_failed)
        return;
    exploration->has_failed = true;
    (void) snprintf(exploration->reason, sizeof exploration->reason, "%s: ", history->step);
    length = strlen(exploration->reason);
    va_start(arguments, format);
    (void) vsnprintf(exploration->reason + length, sizeof exploration->reason - length, format, arguments);
    va_end(arguments);
}

static void
look_after(struct history *history, bool has_renamed)
{
    struct exploration *exploration = history->exploration;
    char                reason[sizeof exploration->reason];

    explore(exploration, history->disk, &history->twins.oracle);
    explore_death(exploration, history->disk, &history->twins.oracle, history->returned, has_renamed);
    if (exploration->has_failed && strncmp(exploration->reason, "during ", 7) != 0) {
        memcpy(reason, exploration->reason, sizeof reason);
        (void) snprintf(exploration->reason, sizeof exploration->reason, "during %s: %.900s", history->step, reason);
    }
}

/* What does the store claim to be safe? It is held to that, also in the midst of a call. */
static void
learn_promise(struct history *history)
{
    struct keeper_figures figures;

    keeper_get_figures(history->life.keeper, &figures);
    if (figures.state != KNACKDB_STATE_OK)
        fail(history, "the disk is sound, but the state is %d: %s", (int) figures.state, figures.reason);
    if (figures.durable_sequence > history->twins.oracle.begun)
        fail(history, "commit %" PRIu64 " is called durable, and %" PRIu64 " is the newest", figures.durable_sequence,
             history->twins.oracle.begun);
    if (figures.durable_sequence > history->twins.oracle.promised)
        history->twins.oracle.promised = figures.durable_sequence;
}

static void
look(struct history *history)
{
    look_after(history, false);
}

static void
change(struct history *history)
{
    char why[256];

    (void) twins_change(&history->twins, history->life.store, &history->life.error, why);
    if (why[0] != '\0')
        fail(history, "%s: %s: %s", history->twins.step, why, history->life.error.message);
    history->returned = store_sequence(history->life.store);
    history->figures->commits++;
}

/* ---- guests ---- */

/* A follower sees what the writer's readers see, and never goes back. */
static void
refresh(struct history *history, bool is_quiet)
{
    struct life   *follower = &history->follower;
    struct oracle *oracle = &history->twins.oracle;
    knackdb_status status = keeper_refresh(follower->keeper, NULL, &follower->error);
    uint64_t       sequence = store_sequence(follower->store);

    history->figures->refreshes++;
    if (status != KNACKDB_OK)
        fail(history, "a refresh: status %d: %s", (int) status, follower->error.message);
    else if (sequence > oracle->begun || sequence < history->followed)
        fail(history, "a follower went from commit %" PRIu64 " to %" PRIu64, history->followed, sequence);
    else if (is_quiet && sequence != store_sequence(history->life.store))
        fail(history, "a follower is at commit %" PRIu64 ", and the writer at %" PRIu64, sequence,
             store_sequence(history->life.store));
    else if (oracle->is_known[sequence] && moment_of(follower->store).digest != oracle->moments[sequence].digest)
        fail(history, "what a follower sees is not commit %" PRIu64, sequence);
    history->followed = sequence;
}

static void
unfollow(struct history *history)
{
    if (history->is_followed && life_close(&history->follower) != KNACKDB_OK)
        fail(history, "closing a follower: %s", history->follower.error.message);
    history->is_followed = false;
}

static void
step_follow(struct history *history)
{
    struct keeper_options following = history->exploration->options;

    history->step = "following";
    if (history->is_followed) {
        unfollow(history);
        return;
    }
    following.read_only = following.follow = true;
    if (life_open_guest(&history->follower, history->disk, LIFE_PATH, &following) != KNACKDB_OK) {
        fail(history, "%s", history->follower.error.message);
        return;
    }
    history->is_followed = true;
    history->followed = 0;
    refresh(history, true);
}

/* The moment that is copied is the present one; of a backup, others may store while it is written. */
static void
step_copy(struct history *history, bool repairs)
{
    struct exploration *exploration = history->exploration;
    struct copy_claim  *claim = &exploration->copy;
    uint32_t            budget = exploration->budget;
    uint64_t            losses = 0;
    uint64_t            first_lost;
    char                why[LIFE_WORDS] = "";
    knackdb_status      status;

    history->step = repairs ? "a repair" : "a backup";
    *claim = (struct copy_claim) {
        .sequence = store_sequence(history->life.store),
        .moment = moment_of(history->life.store),
    };
    (void) snprintf(claim->path, sizeof claim->path, "copy-%u", (unsigned) ++history->copies);
    exploration->budget = COPY_BUDGET;
    history->is_syncing = !repairs;
    if (repairs)
        status = copy_by_repair(claim, history->disk, &losses, &first_lost, why);
    else
        status = keeper_backup(history->life.keeper, claim->path, NULL, &history->life.error);
    history->is_syncing = false;
    if (status != KNACKDB_OK || losses > 0)
        fail(history, "status %d: %s%s", (int) status, why, repairs ? "" : history->life.error.message);
    claim->is_done = true;
    history->figures->backups += !repairs;
    history->figures->repairs += repairs;
    look(history);
    exploration->budget = budget;
}

/* Beside a step of the life's own. */
static void
let_guests_in(struct history *history)
{
    if (!history->has_guests || !history->is_open)
        return;
    if (history->is_followed && random_chance(&history->guests_dice, 2))
        refresh(history, true);
    if (random_chance(&history->guests_dice, ONE_IN_FOLLOWING))
        step_follow(history);
    if (random_chance(&history->guests_dice, ONE_IN_COPIES) && history->copies < COPIES_MAX)
        step_copy(history, random_chance(&history->guests_dice, 2));
}

/* While one syncs, or writes a snapshot, others store: between two of its calls, as another thread might. */
static void
hear_change(void *context, enum lying_call call, const char *name)
{
    struct history *history = context;
    bool            is_sync = call == LYING_SYNC || call == LYING_SYNC_MAP || call == LYING_SYNC_DIR;

    (void) name;
    if (history->is_open)
        learn_promise(history);
    look_after(history, call == LYING_RENAME);
    if (history->is_followed && history->is_open && random_chance(&history->guests_dice, 10))
        refresh(history, false);
    if (history->is_syncing && is_sync && random_chance(&history->twins.dice, 6)) {
        history->is_syncing = false; /* not again within the change */
        change(history);
        history->figures->meanwhile++;
        look(history);
        history->is_syncing = true;
    }
}

/* ---- lives ---- */

/* On this disk every commit up to `least` must be. Until the opening has returned the promise is what it was: the power
 * may go meanwhile. */
static bool
open_life(struct history *history, uint64_t least)
{
    char           why[256];
    knackdb_status status;

    history->returned = least;
    lying_disk_watch(history->disk, hear_change, history);
    status = life_open(&history->life, history->disk, &history->exploration->options);
    if (status != KNACKDB_OK) {
        lying_disk_watch(history->disk, NULL, NULL);
        fail(history, "opening: status %d: %s", (int) status, history->life.error.message);
        return false;
    }
    history->is_open = true;
    history->figures->lives++;
    if (!oracle_agrees(&history->twins.oracle, history->life.store, why))
        fail(history, "%s", why);
    if (store_sequence(history->life.store) < least)
        fail(history, "commit %" PRIu64 " is the newest, and %" PRIu64 " must be there",
             store_sequence(history->life.store), least);
    twins_follow(&history->twins, history->life.store);
    history->returned = store_sequence(history->life.store);
    look(history);
    return true;
}

/* The life goes on from another disk; what was on this one is over. */
static bool
move_to(struct history *history, struct lying_disk *disk, uint64_t least)
{
    history->is_open = false;
    lying_disk_watch(history->disk, NULL, NULL);
    unfollow(history);
    history->figures->disk_calls += lying_disk_calls(history->disk);
    if (!life_end(&history->life))
        fail(history, "%s", history->life.error.message);
    lying_disk_free(history->disk);
    history->disk = disk;
    return open_life(history, least);
}

/* ---- steps ---- */

/* All up to a commit is safe now, or should be. */
static void
promise(struct history *history, uint64_t sequence, knackdb_status status)
{
    if (status != KNACKDB_OK)
        fail(history, "status %d: %s", (int) status, history->life.error.message);
    if (sequence > history->twins.oracle.promised)
        history->twins.oracle.promised = sequence;
    learn_promise(history);
}

static void
step_change(struct history *history)
{
    history->step = "a change";
    change(history);
    history->step = history->twins.step;
    if (history->waits)
        promise(history, history->returned,
                keeper_wait_durable(history->life.keeper, history->returned, &history->life.error));
    else
        learn_promise(history);
}

static void
step_sync(struct history *history)
{
    uint64_t begun = history->twins.oracle.begun;

    history->step = "a sync";
    history->is_syncing = true;
    promise(history, begun, keeper_sync(history->life.keeper, &history->life.error));
    history->is_syncing = false;
}

/* The flusher's interval is over: after its turn nothing that was there before it is left to sync. */
static void
step_turn(struct history *history)
{
    uint64_t begun = history->twins.oracle.begun;

    history->step = "a turn of the background thread";
    history->is_syncing = true;
    keeper_turn(history->life.keeper);
    promise(history, begun, KNACKDB_OK);
    history->is_syncing = false;
}

static void
step_snapshot(struct history *history)
{
    uint64_t begun = history->twins.oracle.begun;

    history->step = "a snapshot";
    history->is_syncing = true;
    promise(history, begun, keeper_snapshot(history->life.keeper, &history->life.error));
    history->is_syncing = false;
    history->figures->snapshots++;
}

static void
step_close(struct history *history)
{
    knackdb_status status;

    unfollow(history);
    history->step = "a close";
    history->is_open = false;
    status = life_close(&history->life);
    if (status != KNACKDB_OK)
        fail(history, "status %d: %s", (int) status, history->life.error.message);
    history->twins.oracle.promised = history->twins.oracle.begun;
    look(history);
}

/* A process that dies leaves to the kernel all that it has written. */
static struct lying_disk *
killed(struct history *history)
{
    history->step = "an opening after a death of the process";
    return lying_disk_clone(history->disk);
}

static struct lying_disk *
cut(struct history *history)
{
    history->step = "an opening after a power cut";
    return lying_disk_boot(history->disk, (enum lying_mood) random_below(&history->twins.dice, LYING_MOODS),
                           random_bits(&history->twins.dice));
}

/* Returns false where there is no store any more to take another step with. */
static bool
take_step(struct history *history)
{
    uint32_t what = random_below(&history->twins.dice, 100);

    if (what < 70)
        step_change(history);
    else if (what < 77)
        step_sync(history);
    else if (what < 89)
        step_turn(history);
    else if (what < 94)
        step_snapshot(history);
    else if (what < 96)
        return move_to(history, killed(history), history->twins.oracle.begun);
    else if (what < 98)
        return move_to(history, cut(history), history->twins.oracle.promised);
    else {
        step_close(history);
        history->step = "an opening after a close";
        return open_life(history, history->twins.oracle.begun);
    }
    look(history);
    return true;
}

/* ---- beginnings ---- */

static void
put_golden(struct lying_disk *disk, const char *path)
{
    DIR           *listing = opendir(path);
    struct dirent *entry;

    if (listing == NULL)
        abort();
    while ((entry = readdir(listing)) != NULL) {
        char          name[4096];
        unsigned char bytes[65536];
        FILE         *file;

        if (strncmp(entry->d_name, ".", 1) == 0 || strcmp(entry->d_name, "knackdb.lock") == 0)
            continue;
        (void) snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        file = fopen(name, "rb");
        if (file == NULL)
            abort();
        lying_disk_put(disk, LIFE_PATH, entry->d_name, bytes, fread(bytes, 1, sizeof bytes, file));
        (void) fclose(file);
    }
    (void) closedir(listing);
}

static void
choose_options(struct history *history)
{
    struct random_source *dice = &history->twins.dice;

    history->waits = random_chance(dice, 3);
    history->exploration->options = (struct keeper_options) {
        .log_io = random_chance(dice, 3) ? KNACKDB_LOG_WRITE : KNACKDB_LOG_MAP,
        .log_segment_bytes_max = random_chance(dice, 3) ? 8192 : 4096,
        .snapshots_kept = 1 + random_below(dice, 3),
        .log_history_bytes = random_chance(dice, 2)   ? 0
                             : random_chance(dice, 2) ? 6000
                                                      : UINT64_MAX,
        .snapshot_log_bytes = random_chance(dice, 3) ? 6000 : UINT64_MAX,
    };
}

/* What an older directory holds is what opening it once, far from every power cut, says. */
static void
learn_golden(struct history *history)
{
    struct lying_disk *copy = lying_disk_clone(history->disk);
    struct life        life;

    history->step = "opening an older directory";
    if (life_open(&life, copy, &history->exploration->options) != KNACKDB_OK)
        abort();
    oracle_note(&history->twins.oracle, life.store);
    history->twins.oracle.promised = history->twins.oracle.begun;
    if (!life_end(&life))
        fail(history, "%s", life.error.message);
    lying_disk_free(copy);
    history->figures->migrations++;
}

void
history_live(struct exploration *exploration, uint64_t seed, const char *golden, enum history_guests guests,
             struct history_figures *figures)
{
    struct history *history = calloc(1, sizeof *history);
    uint32_t        steps;
    bool            lives;

    if (history == NULL)
        abort();
    history->exploration = exploration;
    history->figures = figures;
    history->step = "the first opening";
    history->has_guests = guests == HISTORY_WITH_GUESTS;
    random_init(&history->guests_dice, ~seed);
    exploration->seed = seed;
    exploration_forget(exploration);
    exploration->copy = (struct copy_claim) { .path = "" };
    twins_init(&history->twins, seed);
    choose_options(history);
    exploration->options.refuses_degraded = history->has_guests && random_chance(&history->guests_dice, 4);
    history->disk = lying_disk_new(seed);
    if (random_chance(&history->twins.dice, 10))
        lying_disk_unmap_all(history->disk);
    if (golden != NULL) {
        put_golden(history->disk, golden);
        learn_golden(history);
    }
    steps = STEPS_LEAST + random_below(&history->twins.dice, STEPS_MORE);
    lives = open_life(history, history->twins.oracle.promised);
    for (uint32_t i = 0; i < steps && lives && !exploration->has_failed; i++) {
        lives = take_step(history);
        figures->steps++;
        if (lives)
            let_guests_in(history);
    }
    lying_disk_watch(history->disk, NULL, NULL);
    unfollow(history);
    figures->disk_calls += lying_disk_calls(history->disk);
    if (lives && !life_end(&history->life))
        fail(history, "%s", history->life.error.message);
    lying_disk_free(history->disk);
    random_clear(&history->guests_dice);
    twins_clear(&history->twins);
    free(history);
}
