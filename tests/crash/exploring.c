/* exploring.c - see exploring.h. */
#include "tests/crash/exploring.h"

#include "base/hash.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How deep cuts within recoveries from cuts go. */
#define DEPTH_MAX 3

/* Disks looked at for each moment of a recovery. */
#define RECOVERY_BUDGET 3

/* One in so many is asked for more than E1 and E2. */
#define ONE_IN_WATCHED  64 /* E4 */
#define ONE_IN_REOPENED 6  /* E3 */
#define ONE_IN_GOING_ON 16 /* E5 */
#define ONE_IN_VERIFIED 32 /* E7, and E8 of a copy that is done */
#define ONE_IN_FOLLOWED 32 /* E7 */
#define ONE_IN_REPAIRED 64 /* E8 */
#define ONE_IN_DYING    48 /* E6, of the moments; */
#define ONE_IN_RENAMED  3  /* of those after a rename, when what counts has another name and that is not yet durable */

void
exploration_init(struct exploration *exploration, uint64_t seed, uint32_t budget)
{
    memset(exploration, 0, sizeof *exploration);
    exploration->seed = seed;
    exploration->budget = budget;
}

void
exploration_forget(struct exploration *exploration)
{
    if (exploration->seen != NULL)
        memset(exploration->seen, 0, exploration->seen_capacity * sizeof *exploration->seen);
    exploration->seen_count = 0;
}

void
exploration_clear(struct exploration *exploration)
{
    free(exploration->seen);
    exploration->seen = NULL;
    exploration->seen_count = exploration->seen_capacity = 0;
}

static uint64_t
draw(struct exploration *exploration)
{
    exploration->seed += UINT64_C(0x9e3779b97f4a7c15);
    return hash_integer(exploration->seed);
}

static void fail(struct exploration *exploration, struct lying_disk *disk, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void
fail(struct exploration *exploration, struct lying_disk *disk, const char *format, ...)
{
    va_list arguments;

    if (exploration->has_failed)
        return;
    exploration->has_failed = true;
    va_start(arguments, format);
    (void) vsnprintf(exploration->reason, sizeof exploration->reason, format, arguments);
    va_end(arguments);
    if (disk != NULL)
        lying_disk_print(disk);
}

/* ---- what has been looked at ---- */

static void
seen_put(uint64_t *set, size_t capacity, uint64_t key)
{
    size_t at = (size_t) key & (capacity - 1);

    while (set[at] != 0)
        at = (at + 1) & (capacity - 1);
    set[at] = key;
}

/* True the first time. */
static bool
is_new(struct exploration *exploration, struct lying_disk *boot, const struct oracle *oracle)
{
    uint64_t promise[3] = { oracle->promised, oracle->begun, exploration->copy.is_done };
    uint64_t key = hash_bytes(promise, sizeof promise, lying_disk_digest(boot)) | 1;
    size_t   capacity = exploration->seen_capacity;

    for (size_t at = (size_t) key & (capacity - 1); capacity > 0 && exploration->seen[at] != 0;
         at = (at + 1) & (capacity - 1)) {
        if (exploration->seen[at] == key)
            return false;
    }
    if (exploration->seen_count * 2 >= capacity) {
        size_t    larger = capacity == 0 ? 4096 : capacity * 2;
        uint64_t *moved = calloc(larger, sizeof *moved);

        if (moved == NULL)
            abort();
        for (size_t i = 0; i < capacity; i++) {
            if (exploration->seen[i] != 0)
                seen_put(moved, larger, exploration->seen[i]);
        }
        free(exploration->seen);
        exploration->seen = moved;
        exploration->seen_capacity = larger;
    }
    seen_put(exploration->seen, exploration->seen_capacity, key);
    exploration->seen_count++;
    return true;
}

/* ---- one disk ---- */

/* A cut within what is done on a disk that a cut has left. */
struct watched {
    struct exploration  *exploration;
    struct lying_disk   *disk;
    const struct oracle *oracle;
    uint32_t             depth;
    uint64_t             returned; /* E6 */
};

static void explore_at(struct exploration *exploration, struct lying_disk *disk, const struct oracle *oracle,
                       uint32_t depth, uint32_t budget);
static void die_at(struct exploration *exploration, struct lying_disk *disk, const struct oracle *oracle,
                   uint32_t depth, uint64_t returned, uint32_t one_in);

static void
hear_change(void *context, enum lying_call call, const char *name)
{
    struct watched *watched = context;

    (void) call;
    (void) name;
    explore_at(watched->exploration, watched->disk, watched->oracle, watched->depth, RECOVERY_BUDGET);
    die_at(watched->exploration, watched->disk, watched->oracle, watched->depth, watched->returned, ONE_IN_DYING);
}

static void
check(struct exploration *exploration, struct life *life, const struct oracle *oracle, const char *when)
{
    char why[256];

    if (!oracle_agrees(oracle, life->store, why))
        fail(exploration, life->disk, "%s: %s", when, why);
}

/* A moment of the past is what it was, or is not kept; it is never damaged. */
static void
look_back(struct exploration *exploration, struct lying_disk *boot, const struct oracle *oracle, uint64_t sequence)
{
    struct keeper_options reading = exploration->options;
    struct life           life;
    knackdb_status        status;

    reading.read_only = true;
    reading.as_of_sequence = sequence;
    status = life_open(&life, boot, &reading);
    if (status == KNACKDB_NOT_FOUND)
        return;
    if (status != KNACKDB_OK) {
        fail(exploration, boot, "reading as of commit %" PRIu64 ": status %d: %s", sequence, (int) status,
             life.error.message);
        return;
    }
    exploration->looked_back++;
    if (store_sequence(life.store) != sequence ||
        (oracle->is_known[sequence] && moment_of(life.store).digest != oracle->moments[sequence].digest))
        fail(exploration, boot, "reading as of commit %" PRIu64 ": the rows are not those of it", sequence);
    if (life_close(&life) != KNACKDB_OK)
        fail(exploration, boot, "closing a reader of the past: %s", life.error.message);
}

/* E7. Nothing is changed by it, so it comes first. */
static void
verify(struct exploration *exploration, struct lying_disk *boot, const struct oracle *oracle)
{
    struct keeper_options reading = exploration->options;
    struct life           life;
    char                  why[LIFE_WORDS];
    knackdb_status        status;
    uint64_t              newest;

    exploration->verified++;
    status = life_verify(boot, LIFE_PATH, why);
    if (status == KNACKDB_NOT_FOUND && oracle->promised == 0)
        return; /* not even a manifest yet */
    if (status != KNACKDB_OK)
        fail(exploration, boot, "verify: %s", why);
    reading.read_only = true;
    status = life_open(&life, boot, &reading);
    if (status != KNACKDB_OK) {
        fail(exploration, boot, "reading: %s", life.error.message);
        return;
    }
    check(exploration, &life, oracle, "reading");
    newest = store_sequence(life.store);
    if (life_close(&life) != KNACKDB_OK)
        fail(exploration, boot, "closing a reader: %s", life.error.message);
    if (newest > 0)
        look_back(exploration, boot, oracle, 1 + draw(exploration) % newest);
}

/* A row that nothing else collides with: what the store will be can be told before it is stored. */
static void
foretell(struct oracle *oracle, struct store *store, knackdb_value cells[6])
{
    int64_t        id = store_next_id(store, KNACKDB_USER_PREFERENCES);
    struct moment *next = &oracle->moments[store_sequence(store) + 1];

    cells[0] = knackdb_value_integer(id);
    cells[1] = knackdb_value_null(); /* so the pair is unique whatever is there */
    cells[2] = knackdb_value_text(knackdb_string("after the power came back"));
    cells[3] = knackdb_value_real((double) id * 0.5);
    cells[4] = knackdb_value_integer(INT64_MIN);
    cells[5] = knackdb_value_real(1e9);
    *next = moment_of(store);
    next->digest += moment_of_row(KNACKDB_USER_PREFERENCES, cells, 6);
    next->next_ids[KNACKDB_USER_PREFERENCES] = id + 1;
    oracle->begun = store_sequence(store) + 1;
    oracle->is_known[oracle->begun] = true;
}

/* E5: two commits, the first of them synced, with cuts in between. */
static void
go_on(struct exploration *exploration, struct life *life, struct oracle *oracle, uint32_t depth)
{
    exploration->went_on++;
    for (int commit = 0; commit < 2 && !exploration->has_failed; commit++) {
        knackdb_value  cells[6];
        knackdb_status status;

        foretell(oracle, life->store, cells);
        status = store_put_rows(life->store, KNACKDB_USER_PREFERENCES, cells, 6, 1, 0, NULL, NULL, &life->error);
        if (status != KNACKDB_OK)
            fail(exploration, life->disk, "storing after a cut: %s", life->error.message);
        explore_at(exploration, life->disk, oracle, depth, RECOVERY_BUDGET);
        if (commit == 0 && draw(exploration) % 2 == 0) {
            status = keeper_snapshot(life->keeper, &life->error);
            if (status != KNACKDB_OK)
                fail(exploration, life->disk, "a snapshot after a cut: %s", life->error.message);
            oracle->promised = oracle->begun;
        }
        if (commit == 0 || draw(exploration) % 2 == 0) {
            status = keeper_sync(life->keeper, &life->error);
            if (status != KNACKDB_OK)
                fail(exploration, life->disk, "a sync after a cut: %s", life->error.message);
            oracle->promised = oracle->begun;
        }
        explore_at(exploration, life->disk, oracle, depth, RECOVERY_BUDGET);
    }
    check(exploration, life, oracle, "going on");
}

static void
count_end(struct exploration *exploration, struct life *life)
{
    struct keeper_figures figures;

    keeper_get_figures(life->keeper, &figures);
    exploration->torn += figures.torn_bytes > 0;
}

/* What is done with a disk beside opening it. */
struct demand {
    bool is_verified, is_watched, is_reopened, is_written_on, is_followed, is_repaired;
};

static struct demand
draw_demand(struct exploration *exploration, uint32_t depth)
{
    uint64_t dice = draw(exploration);
    bool     is_watched = depth < DEPTH_MAX && dice % ONE_IN_WATCHED == 0;

    return (struct demand) {
        .is_verified = (dice >> 8) % ONE_IN_VERIFIED == 0,
        .is_watched = is_watched,
        .is_reopened = is_watched || (dice >> 16) % ONE_IN_REOPENED == 0,
        .is_written_on = depth < DEPTH_MAX && (dice >> 24) % ONE_IN_GOING_ON < ONE_IN_REOPENED,
        .is_followed = (dice >> 32) % ONE_IN_FOLLOWED == 0,
        .is_repaired = (dice >> 40) % ONE_IN_REPAIRED == 0,
    };
}

/* It is open, and what was found is promised from here on. */
static void
keep_on(struct exploration *exploration, struct life *life, struct watched *watched, const struct demand *demand)
{
    struct oracle own = *watched->oracle;

    own.promised = own.begun = watched->returned = store_sequence(life->store);
    watched->oracle = &own;
    if (demand->is_written_on) {
        watched->returned = 0; /* what is stored meanwhile is not told to it */
        go_on(exploration, life, &own, watched->depth);
    }
    exploration->second_opens++;
    explore_at(exploration, life->disk, &own, DEPTH_MAX, 1);
    lying_disk_watch(life->disk, NULL, NULL);
}

/* E8. It comes before the opening, which changes what there is to repair; and the disk is not changed by it. */
static void
look_at_copies(struct exploration *exploration, struct lying_disk *boot, const struct oracle *oracle,
               const struct demand *demand)
{
    const struct copy_claim *claim = &exploration->copy;
    char                     why[LIFE_WORDS];

    if (claim->path[0] != '\0' && (!claim->is_done || demand->is_verified)) {
        exploration->copies++;
        if (!copy_holds(claim, boot, why))
            fail(exploration, boot, "%s", why);
    }
    if (demand->is_repaired) {
        struct lying_disk *aside = lying_disk_clone(boot);

        exploration->repaired++;
        if (!copy_repair_holds(aside, oracle, why))
            fail(exploration, boot, "repair: %s", why);
        lying_disk_free(aside);
    }
}

/* E7: who was there before the writer has what the writer has, and ends. */
static void
follow_up(struct exploration *exploration, struct life *follower, const struct life *writer)
{
    knackdb_status status = keeper_refresh(follower->keeper, NULL, &follower->error);

    exploration->followed++;
    if (status != KNACKDB_OK)
        fail(exploration, writer->disk, "following: status %d: %s", (int) status, follower->error.message);
    else if (store_sequence(follower->store) != store_sequence(writer->store) ||
             moment_of(follower->store).digest != moment_of(writer->store).digest)
        fail(exploration, writer->disk,
             "a follower is at commit %" PRIu64 ", or at other rows, and the writer at %" PRIu64,
             store_sequence(follower->store), store_sequence(writer->store));
    if (life_close(follower) != KNACKDB_OK)
        fail(exploration, writer->disk, "closing a follower: %s", follower->error.message);
}

/* Takes the disk, on which every commit up to `returned` must be. */
static void
recover(struct exploration *exploration, struct lying_disk *disk, const struct oracle *oracle, uint32_t depth,
        uint64_t returned, const struct demand *demand)
{
    struct watched        watched = { exploration, disk, oracle, depth + 1, returned };
    struct keeper_options following = exploration->options;
    struct life           life;
    struct life           follower;
    bool                  is_followed;
    knackdb_status        status;

    if (demand->is_verified)
        verify(exploration, disk, oracle);
    look_at_copies(exploration, disk, oracle, demand);
    following.read_only = following.follow = true;
    is_followed = demand->is_followed && life_open_guest(&follower, disk, LIFE_PATH, &following) == KNACKDB_OK;
    if (demand->is_watched)
        lying_disk_watch(disk, hear_change, &watched);
    status = life_open(&life, disk, &exploration->options);
    if (status != KNACKDB_OK) {
        fail(exploration, disk, "opening: status %d: %s", (int) status, life.error.message);
        if (is_followed)
            (void) life_close(&follower);
        lying_disk_free(disk);
        return;
    }
    check(exploration, &life, oracle, "after an opening");
    if (store_sequence(life.store) < returned)
        fail(exploration, disk, "the process died: commit %" PRIu64 " is the newest, and %" PRIu64 " had returned",
             store_sequence(life.store), returned);
    count_end(exploration, &life);
    if (demand->is_reopened && !exploration->has_failed)
        keep_on(exploration, &life, &watched, demand);
    lying_disk_watch(disk, NULL, NULL);
    if (is_followed)
        follow_up(exploration, &follower, &life);
    if (!life_end(&life))
        fail(exploration, disk, "ending: %s", life.error.message);
    lying_disk_free(disk);
}

static void
die_at(struct exploration *exploration, struct lying_disk *disk, const struct oracle *oracle, uint32_t depth,
       uint64_t returned, uint32_t one_in)
{
    static const struct demand all = { true, true, true, true, true, false };

    if (exploration->has_failed || depth > 1 || draw(exploration) % one_in != 0)
        return;
    exploration->deaths++;
    recover(exploration, lying_disk_clone(disk), oracle, depth, returned, &all);
}

static struct lying_disk *
cut(struct exploration *exploration, struct lying_disk *disk, uint64_t ways, uint32_t budget, uint32_t turn)
{
    if (ways <= budget)
        return lying_disk_way(disk, turn);
    /* The two ends first: nothing, and all. */
    if (turn < 2 && budget > 2)
        return lying_disk_boot(disk, turn == 0 ? LYING_NOTHING : LYING_ALL, 0);
    return lying_disk_boot(disk, (enum lying_mood)(draw(exploration) % LYING_MOODS), draw(exploration));
}

static void
explore_at(struct exploration *exploration, struct lying_disk *disk, const struct oracle *oracle, uint32_t depth,
           uint32_t budget)
{
    uint64_t ways = lying_disk_ways(disk, (uint64_t) budget + 1);
    uint32_t count = ways < budget ? (uint32_t) ways : budget;

    exploration->moments++;
    for (uint32_t turn = 0; turn < count && !exploration->has_failed; turn++) {
        struct lying_disk *boot = cut(exploration, disk, ways, budget, turn);

        if (is_new(exploration, boot, oracle)) {
            struct demand demand = draw_demand(exploration, depth);

            exploration->states++;
            exploration->within_recovery += depth > 0;
            recover(exploration, boot, oracle, depth, 0, &demand);
        } else {
            lying_disk_free(boot);
        }
    }
}

void
explore(struct exploration *exploration, struct lying_disk *disk, const struct oracle *oracle)
{
    explore_at(exploration, disk, oracle, 0, exploration->budget);
}

void
explore_death(struct exploration *exploration, struct lying_disk *disk, const struct oracle *oracle, uint64_t returned,
              bool has_renamed)
{
    die_at(exploration, disk, oracle, 0, returned, has_renamed ? ONE_IN_RENAMED : ONE_IN_DYING);
}
