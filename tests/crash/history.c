/* history.c - see history.h. */
#include "tests/crash/history.h"

#include "base/hash.h"
#include "tests/model/random_rows.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_LEAST 20
#define STEPS_MORE  90
#define BATCH_MAX   6

/* Texts longer than this are drawn again: a disk of a few kilobytes is quickly copied. */
#define TEXT_BYTES_MAX 4096

struct history {
    struct exploration     *exploration;
    struct history_figures *figures;
    struct random_source    dice;
    struct lying_disk      *disk;
    struct life             life;
    struct allocator        shadow_allocator;
    struct store           *shadow;
    struct oracle           oracle;
    bool                    waits; /* every store for the disk, as with KNACKDB_SYNC */
    const char             *step;  /* in words, for the reason of a failure */
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
look(struct history *history)
{
    struct exploration *exploration = history->exploration;
    char                reason[sizeof exploration->reason];

    explore(exploration, history->disk, &history->oracle);
    if (exploration->has_failed && strncmp(exploration->reason, "during ", 7) != 0) {
        memcpy(reason, exploration->reason, sizeof reason);
        (void) snprintf(exploration->reason, sizeof exploration->reason, "during %s: %.900s", history->step, reason);
    }
}

static void
hear_change(void *context, enum lying_call call, const char *name)
{
    (void) call;
    (void) name;
    look(context);
}

/* ---- the shadow ---- */

static void
shadow_begin(struct history *history)
{
    allocator_init(&history->shadow_allocator, NULL);
    if (store_new(&history->shadow_allocator, schema_builtin(), &history->shadow, NULL) != KNACKDB_OK)
        abort();
}

/* Makes the shadow what the store is, and the oracle forget what came after. */
static void
shadow_follow(struct history *history)
{
    const struct schema *schema = store_schema(history->life.store);
    struct view          view;
    knackdb_value        cells[KNACKDB_COLUMNS_MAX];

    store_free(history->shadow);
    shadow_begin(history);
    if (view_begin(history->life.store, &view, NULL) != KNACKDB_OK)
        abort();
    for (uint32_t table = 0; table < schema->table_count; table++) {
        row_number row = view_next_row(&view, table, 0);

        for (; row != ROW_NONE; row = view_next_row(&view, table, row + 1)) {
            view_cells(&view, table, row, schema->tables[table].column_count, cells);
            if (store_load_row(history->shadow, table, cells, NULL) != KNACKDB_OK)
                abort();
        }
        store_load_next_id(history->shadow, table, store_next_id(history->life.store, table));
    }
    store_load_sequence(history->shadow, view.sequence);
    view_end(&view);
    history->oracle.promised = view.sequence;
    oracle_note(&history->oracle, history->shadow);
}

/* ---- lives ---- */

static bool
open_life(struct history *history)
{
    knackdb_status status;

    lying_disk_watch(history->disk, hear_change, history);
    status = life_open(&history->life, history->disk, &history->exploration->options);
    if (status != KNACKDB_OK) {
        lying_disk_watch(history->disk, NULL, NULL);
        fail(history, "opening: status %d: %s", (int) status, history->life.error.message);
        return false;
    }
    history->figures->lives++;
    return true;
}

/* The life goes on from another disk, on which every commit up to `least` must be; what was on this one is over.
 * Until the opening has returned the promise is what it was: the power may go meanwhile. */
static bool
move_to(struct history *history, struct lying_disk *disk, uint64_t least)
{
    char why[256];

    lying_disk_watch(history->disk, NULL, NULL);
    history->figures->disk_calls += lying_disk_calls(history->disk);
    if (!life_end(&history->life))
        fail(history, "%s", history->life.error.message);
    lying_disk_free(history->disk);
    history->disk = disk;
    if (!open_life(history))
        return false;
    if (!oracle_agrees(&history->oracle, history->life.store, why))
        fail(history, "%s", why);
    if (store_sequence(history->life.store) < least)
        fail(history, "commit %" PRIu64 " is the newest, and %" PRIu64 " must be there",
             store_sequence(history->life.store), least);
    shadow_follow(history);
    look(history);
    return true;
}

/* ---- steps ---- */

/* The disk has had its say: what does the store claim, and is that what it has to claim? */
static void
learn_promise(struct history *history)
{
    struct keeper_figures figures;

    keeper_get_figures(history->life.keeper, &figures);
    if (figures.state != KNACKDB_STATE_OK)
        fail(history, "the disk is sound, but the state is %d: %s", (int) figures.state, figures.reason);
    if (figures.durable_sequence > history->oracle.begun)
        fail(history, "commit %" PRIu64 " is called durable, and %" PRIu64 " is the newest", figures.durable_sequence,
             history->oracle.begun);
    if (figures.durable_sequence > history->oracle.promised)
        history->oracle.promised = figures.durable_sequence;
}

static void
promise_all(struct history *history, knackdb_status status)
{
    if (status != KNACKDB_OK)
        fail(history, "status %d: %s", (int) status, history->life.error.message);
    history->oracle.promised = history->oracle.begun;
    learn_promise(history);
}

/* Both stores have been told the same; `status` and `shadow_status` are what they said. */
static void
end_commit(struct history *history, knackdb_status shadow_status, knackdb_status status)
{
    uint64_t sequence = store_sequence(history->life.store);
    struct moment moment;

    if (status != shadow_status || sequence != store_sequence(history->shadow))
        fail(history, "status %d at commit %" PRIu64 ", and in memory alone %d at %" PRIu64 ": %s", (int) status,
             sequence, (int) shadow_status, store_sequence(history->shadow), history->life.error.message);
    moment = moment_of(history->life.store);
    if (moment.digest != history->oracle.moments[sequence].digest)
        fail(history, "commit %" PRIu64 " is not what it is in memory alone", sequence);
    if (history->waits)
        promise_all(history, keeper_wait_durable(history->life.keeper, sequence, &history->life.error));
    else
        learn_promise(history);
    history->figures->commits++;
}

static void
note_shadow(struct history *history)
{
    if (store_sequence(history->shadow) > history->oracle.begun)
        oracle_note(&history->oracle, history->shadow);
}

static bool
is_short(const knackdb_value *cells, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (cells[i].type == KNACKDB_TEXT && cells[i].as.text.length > TEXT_BYTES_MAX)
            return false;
    }
    return true;
}

static void
draw_row(struct random_source *dice, uint32_t table, knackdb_value *cells)
{
    uint32_t columns = schema_builtin()->tables[table].column_count;

    do {
        random_row(dice, (int) table, cells);
    } while (!is_short(cells, columns));
    /* A preference that is used without a time is used now, and the shadow's now is another. */
    if (table == KNACKDB_USER_PREFERENCES && cells[KNACKDB_PREFERENCE_LAST_USED].type == KNACKDB_NULL)
        cells[KNACKDB_PREFERENCE_LAST_USED] = knackdb_value_real(1e6);
}

static void
step_put(struct history *history)
{
    struct random_source *dice = &history->dice;
    uint32_t              table = random_below(dice, 3);
    uint32_t              columns = schema_builtin()->tables[table].column_count;
    uint32_t              rows = random_chance(dice, 4) ? 2 + random_below(dice, BATCH_MAX - 1) : 1;
    knackdb_value         cells[BATCH_MAX * KNACKDB_COLUMNS_MAX];
    knackdb_status        shadow;

    history->step = rows == 1 ? "a store" : "a batch";
    for (uint32_t i = 0; i < rows; i++)
        draw_row(dice, table, cells + i * columns);
    shadow = store_put_rows(history->shadow, table, cells, columns, rows, 0, NULL, NULL, NULL);
    note_shadow(history);
    end_commit(history, shadow, store_put_rows(history->life.store, table, cells, columns, rows, 0, NULL, NULL,
                                               &history->life.error));
}

static void
step_update(struct history *history)
{
    struct random_source *dice = &history->dice;
    knackdb_value         id = knackdb_value_integer(random_id(dice));
    struct assignment     assignments[2] = {
        { .column = KNACKDB_PATTERN_CONFIDENCE_SCORE, .value = knackdb_value_real(random_below(dice, 101) / 100.0) },
        { .column = KNACKDB_PATTERN_USAGE_COUNT, .adds = true, .value = knackdb_value_integer(1) },
    };
    size_t                count = 1 + random_below(dice, 2);
    knackdb_status        shadow;

    history->step = "an update";
    shadow = store_update(history->shadow, KNACKDB_EXECUTION_PATTERNS, 0, &id, assignments, count, NULL, NULL);
    note_shadow(history);
    end_commit(history, shadow, store_update(history->life.store, KNACKDB_EXECUTION_PATTERNS, 0, &id, assignments,
                                             count, NULL, &history->life.error));
}

static void
step_delete(struct history *history)
{
    uint32_t       table = random_below(&history->dice, 3);
    int64_t        id = random_id(&history->dice);
    knackdb_status shadow;

    history->step = "a delete";
    shadow = store_delete(history->shadow, table, id, NULL, NULL);
    note_shadow(history);
    end_commit(history, shadow, store_delete(history->life.store, table, id, NULL, &history->life.error));
}

static void
step_clean_up(struct history *history)
{
    double          before = history->dice.time_now * random_below(&history->dice, 1000) / 1000.0;
    struct clean_up tables[2] = { { .table = KNACKDB_EXECUTION_PATTERNS, .before = before },
                                  { .table = KNACKDB_PERFORMANCE_METRICS, .before = before } };
    uint64_t        deleted;
    knackdb_status  shadow;

    history->step = "a clean-up";
    shadow = store_clean_up(history->shadow, tables, 2, &deleted, NULL, NULL);
    note_shadow(history);
    end_commit(history, shadow, store_clean_up(history->life.store, tables, 2, &deleted, NULL, &history->life.error));
}

static void
step_sync(struct history *history)
{
    history->step = "a sync";
    promise_all(history, keeper_sync(history->life.keeper, &history->life.error));
}

/* The flusher's interval is over: after its turn nothing is left to sync. */
static void
step_turn(struct history *history)
{
    history->step = "a turn of the background thread";
    keeper_turn(history->life.keeper);
    promise_all(history, KNACKDB_OK);
}

static void
step_snapshot(struct history *history)
{
    history->step = "a snapshot";
    promise_all(history, keeper_snapshot(history->life.keeper, &history->life.error));
    history->figures->snapshots++;
}

static void
step_close(struct history *history)
{
    knackdb_status status;

    history->step = "a close";
    status = life_close(&history->life);
    if (status != KNACKDB_OK)
        fail(history, "status %d: %s", (int) status, history->life.error.message);
    history->oracle.promised = history->oracle.begun;
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
    return lying_disk_boot(history->disk, (enum lying_mood) random_below(&history->dice, LYING_MOODS),
                           random_bits(&history->dice));
}

/* Returns false where there is no store any more to take another step with. */
static bool
take_step(struct history *history)
{
    uint32_t what = random_below(&history->dice, 100);

    history->dice.time_now += random_below(&history->dice, 20);
    if (what < 52)
        step_put(history);
    else if (what < 62)
        step_update(history);
    else if (what < 68)
        step_delete(history);
    else if (what < 70)
        step_clean_up(history);
    else if (what < 77)
        step_sync(history);
    else if (what < 89)
        step_turn(history);
    else if (what < 94)
        step_snapshot(history);
    else if (what < 96)
        return move_to(history, killed(history), history->oracle.begun);
    else if (what < 98)
        return move_to(history, cut(history), history->oracle.promised);
    else {
        step_close(history);
        history->step = "an opening after a close";
        return open_life(history);
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
        char           name[4096];
        unsigned char  bytes[65536];
        FILE          *file;

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
    struct random_source *dice = &history->dice;

    history->waits = random_chance(dice, 3);
    history->exploration->options = (struct keeper_options) {
        .durability = history->waits ? KNACKDB_SYNC : KNACKDB_ASYNC,
        .log_io = random_chance(dice, 3) ? KNACKDB_LOG_WRITE : KNACKDB_LOG_MAP,
        .log_segment_bytes_max = random_chance(dice, 3) ? 8192 : 4096,
        .snapshots_kept = 1 + random_below(dice, 3),
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
    oracle_note(&history->oracle, life.store);
    history->oracle.promised = history->oracle.begun;
    if (!life_end(&life))
        fail(history, "%s", life.error.message);
    lying_disk_free(copy);
    history->figures->migrations++;
}

void
history_live(struct exploration *exploration, uint64_t seed, const char *golden, struct history_figures *figures)
{
    struct history *history = calloc(1, sizeof *history);
    uint32_t        steps;
    bool            lives;

    if (history == NULL)
        abort();
    history->exploration = exploration;
    history->figures = figures;
    history->step = "the first opening";
    exploration->seed = seed;
    exploration_forget(exploration);
    random_init(&history->dice, seed);
    history->dice.ids = 30;
    choose_options(history);
    history->disk = lying_disk_new(seed);
    if (random_chance(&history->dice, 10))
        lying_disk_unmap_all(history->disk);
    shadow_begin(history);
    oracle_note(&history->oracle, history->shadow);
    if (golden != NULL) {
        put_golden(history->disk, golden);
        learn_golden(history);
    }
    steps = STEPS_LEAST + random_below(&history->dice, STEPS_MORE);
    lives = open_life(history);
    if (lives)
        shadow_follow(history);
    for (uint32_t i = 0; i < steps && lives && !exploration->has_failed; i++) {
        lives = take_step(history);
        figures->steps++;
    }
    lying_disk_watch(history->disk, NULL, NULL);
    figures->disk_calls += lying_disk_calls(history->disk);
    if (lives && !life_end(&history->life))
        fail(history, "%s", history->life.error.message);
    store_free(history->shadow);
    lying_disk_free(history->disk);
    random_clear(&history->dice);
    free(history);
}
