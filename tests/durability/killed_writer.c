/* killed_writer.c - a writer is killed with SIGKILL at random moments; nothing it acknowledged is missing.
 *
 *     killed_writer [KILLS [SEED]]
 *
 * Each round a child opens the directory and makes change after change, drawn from the
 * round's seed; after every call that returned it writes one byte into a pipe. The
 * parent kills it after some milliseconds: while it opens, stores, syncs or writes a
 * snapshot. The bytes in the pipe are the acknowledged calls, and the seed says what
 * they were: so the parent makes the same changes of the reference model and
 * compares every cell. One change more may be there, the one under way, whole; or
 * not, and then nothing of it.
 *
 * The directory lives on from round to round, and so does the model. Rounds differ in
 * durability, in how the log is written, in segment size, and in whether a second
 * thread of the child writes snapshots all the time. Some that open the directory
 * after a writer's death are killed over it as well. */
#define _GNU_SOURCE
#include "../api/scratch.h"
#include "../model/agreement.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHANGES_A_ROUND_MAX 4000
#define BATCH_MAX           12
#define FIRST_CALL_US_MAX   20000000 /* a writer that makes no call at all by then is killed, and missed in the tally */

/* ---- one change, drawn: the same for the child, that makes it, and the parent, that knows what it was ---- */

enum change_kind { CHANGE_STORE, CHANGE_UPDATE, CHANGE_DELETE, CHANGE_CLEAN_UP };

struct change {
    enum change_kind kind;
    int              table;
    size_t           count; /* rows, or columns of an update */
    knackdb_value    values[BATCH_MAX * MODEL_COLUMNS_MAX];
    uint32_t         columns[MODEL_COLUMNS_MAX];
    int64_t          id;
    double           before;
};

static void
draw_change(struct random_source *random, struct change *change)
{
    uint32_t kind = random_below(random, 100);
    uint32_t table = random_below(random, 4);
    size_t   full;

    memset(change, 0, sizeof *change);
    change->kind = kind < 70 ? CHANGE_STORE : kind < 82 ? CHANGE_UPDATE : kind < 99 ? CHANGE_DELETE : CHANGE_CLEAN_UP;
    change->table = table < 2 ? KNACKDB_EXECUTION_PATTERNS : (int) table - 1;
    change->id = random_id(random);
    full = model_shapes[change->table].column_count;
    switch (change->kind) {
    case CHANGE_STORE:
        change->count = random_chance(random, 2) ? 1 : 1 + random_below(random, BATCH_MAX);
        for (size_t i = 0; i < change->count; i++) {
            knackdb_value cells[MODEL_COLUMNS_MAX];

            random_row(random, change->table, cells);
            /* The time of the call would be a value that the parent cannot know. */
            if (change->table == KNACKDB_USER_PREFERENCES)
                cells[KNACKDB_PREFERENCE_LAST_USED] = knackdb_value_real((double) random_below(random, 1000));
            memcpy(&change->values[i * full], cells, full * sizeof cells[0]);
        }
        break;
    case CHANGE_UPDATE:
        for (uint32_t column = 1; column < full; column++)
            if (random_chance(random, 4)) {
                change->columns[change->count] = column;
                change->values[change->count++] = random_cell(random, change->table, column);
            }
        if (change->count == 0) {
            change->columns[0] = 1;
            change->values[change->count++] = random_cell(random, change->table, 1);
        }
        break;
    case CHANGE_DELETE:
        break;
    case CHANGE_CLEAN_UP:
        change->table = random_chance(random, 2) ? KNACKDB_EXECUTION_PATTERNS : KNACKDB_PERFORMANCE_METRICS;
        change->before = random_below(random, 600);
        break;
    }
}

/* Refusals (a key that is taken, a counter that would run over, an id that is not there) are part of life. */
static knackdb_status
make_change(knackdb *db, const struct change *change)
{
    size_t full = model_shapes[change->table].column_count;

    switch (change->kind) {
    case CHANGE_STORE:
        return knackdb_store_rows(db, change->table, change->values, full, change->count, 0, NULL, NULL);
    case CHANGE_UPDATE:
        return knackdb_update_row(db, change->table, change->id, change->columns, change->values, change->count, NULL);
    case CHANGE_DELETE:
        return knackdb_delete(db, change->table, change->id, NULL);
    case CHANGE_CLEAN_UP:
        return knackdb_clean_up_before(db, change->table, change->before, NULL, NULL);
    }
    return KNACKDB_INVALID;
}

/* Returns whether it makes a commit. */
static bool
apply_change(struct model *model, const struct change *change)
{
    size_t full = model_shapes[change->table].column_count;
    int    column;

    switch (change->kind) {
    case CHANGE_STORE:
        return model_store(model, change->table, change->values, full, change->count, 0, NULL, &column) == KNACKDB_OK;
    case CHANGE_UPDATE:
        return model_update(model, change->table, change->id, change->columns, change->values, change->count, &column)
               == KNACKDB_OK;
    case CHANGE_DELETE:
        return model_delete(model, change->table, change->id) == KNACKDB_OK;
    case CHANGE_CLEAN_UP:
        return model_clean_up(model, change->table, change->before) > 0;
    }
    return false;
}

/* ---- the child ---- */

struct round {
    uint64_t        seed;
    knackdb_options options;
    int             changes;   /* to make; then it waits for its death */
    bool            snapshots; /* all the time, by a second thread */
    bool            opens_first; /* life begins with the first acknowledged call, not with the fork */
    uint32_t        life_us;     /* until it is killed */
};

static void *
write_snapshots(void *db)
{
    for (;;)
        if (knackdb_snapshot(db, NULL) != KNACKDB_OK)
            _exit(3);
    return NULL;
}

static _Noreturn void
child_main(const char *directory, const struct round *round, int acknowledged)
{
    struct random_source random;
    knackdb             *db;
    pthread_t            thread;
    knackdb_error        error;

    random_init(&random, round->seed);
    if (knackdb_open(directory, &round->options, &db, &error) != KNACKDB_OK) {
        fprintf(stderr, "the writer cannot open: %s\n", error.message);
        _exit(2);
    }
    if (round->snapshots && pthread_create(&thread, NULL, write_snapshots, db) != 0)
        _exit(4);
    for (int i = 0; i < round->changes; i++) {
        struct change  change;
        knackdb_status status;

        draw_change(&random, &change);
        status = make_change(db, &change);
        if (status == KNACKDB_IO || status == KNACKDB_CORRUPT || status == KNACKDB_NO_MEMORY)
            _exit(5);
        if (write(acknowledged, "k", 1) != 1)
            _exit(6);
    }
    for (;;)
        pause(); /* to be killed with everything acknowledged and nothing closed */
}

/* ---- the parent ---- */

static uint64_t
now_us(void)
{
    struct timespec now;

    (void) clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
}

/* Lets the child live, kills it, and returns how many calls it acknowledged; -1 where it ended by itself. */
static int64_t
run_and_kill(const char *directory, const struct round *round)
{
    char     bytes[4096];
    int      acknowledged[2], status;
    int64_t  count = 0;
    ssize_t  got;
    pid_t    child;
    bool     killed = false;
    uint64_t end;

    if (pipe(acknowledged) != 0)
        abort();
    fflush(NULL);
    child = fork();
    if (child < 0)
        abort();
    if (child == 0) {
        close(acknowledged[0]);
        child_main(directory, round, acknowledged[1]);
    }
    close(acknowledged[1]);
    end = now_us() + (round->opens_first ? FIRST_CALL_US_MAX : round->life_us);
    for (;;) {
        struct pollfd waited = { .fd = acknowledged[0], .events = POLLIN };
        uint64_t      now = now_us();
        struct timespec left = { now < end ? (time_t) ((end - now) / 1000000) : 0,
                                 now < end ? (long) ((end - now) % 1000000) * 1000 : 0 };

        if (!killed && now >= end) {
            (void) kill(child, SIGKILL);
            killed = true;
        }
        if (!killed && ppoll(&waited, 1, &left, NULL) == 0)
            continue;
        got = read(acknowledged[0], bytes, sizeof bytes);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        if (count == 0 && round->opens_first)
            end = now_us() + round->life_us;
        count += got;
    }
    close(acknowledged[0]);
    if (waitpid(child, &status, 0) != child)
        abort();
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? count : -1;
}

/* Brings the model to a fresh one of the same living rows with their own texts, so that its memory does not grow
 * with its past. Returns the memory of the texts. */
static char *
shed_the_past(struct model *model)
{
    struct model fresh;
    size_t       bytes = 0, at = 0;
    char        *texts;

    for (int table = 0; table < MODEL_TABLES; table++)
        for (size_t i = 0; i < model->tables[table].count; i++)
            for (size_t column = 0; column < model_shapes[table].column_count; column++)
                if (model->tables[table].rows[i]->cells[column].type == KNACKDB_TEXT)
                    bytes += model->tables[table].rows[i]->cells[column].as.text.length;
    texts = malloc(bytes + 1);
    if (texts == NULL)
        abort(); /* a test without memory shows nothing */
    texts[bytes] = '\0'; /* so that a message can print the last one, too */

    model_init(&fresh);
    for (int table = 0; table < MODEL_TABLES; table++) {
        for (size_t i = 0; i < model->tables[table].count; i++) {
            struct model_row row = *model->tables[table].rows[i];

            for (size_t column = 0; column < model_shapes[table].column_count; column++) {
                knackdb_text *text = &row.cells[column].as.text;

                if (row.cells[column].type != KNACKDB_TEXT)
                    continue;
                memcpy(texts + at, text->data, text->length);
                text->data = texts + at;
                at += text->length;
            }
            model_put(&fresh, table, row.cells);
        }
        fresh.tables[table].largest_id = model->tables[table].largest_id;
    }
    model_clear(model);
    *model = fresh;
    return texts;
}

struct tally {
    uint64_t kills;        /* of writers */
    uint64_t openers;      /* killed while they brought back what a writer had left */
    uint64_t acknowledged; /* calls */
    uint64_t under_way;    /* calls not acknowledged and yet there, whole */
    uint64_t torn;         /* directories that ended in half a record */
};

/* Makes the acknowledged changes of the model, opens what the killed writer left, and compares. */
static bool
compare(const char *directory, const struct round *round, struct random_source *random, int64_t acknowledged,
        struct model *model, uint64_t *sequence, struct tally *tally)
{
    struct disagreement why = { .text = "" };
    struct change       change;
    knackdb            *db;
    knackdb_read       *read;
    knackdb_stats       stats;
    knackdb_error       error;
    bool                agree;

    for (int64_t i = 0; i < acknowledged; i++) {
        draw_change(random, &change);
        *sequence += apply_change(model, &change);
    }
    if (knackdb_open(directory, &round->options, &db, &error) != KNACKDB_OK) {
        printf("cannot open: %s\n", error.message);
        return false;
    }
    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    if (knackdb_get_stats(db, &stats, &error) != KNACKDB_OK || knackdb_read_begin(db, &read, &error) != KNACKDB_OK)
        abort();
    if (stats.sequence == *sequence + 1 && acknowledged < CHANGES_A_ROUND_MAX) {
        draw_change(random, &change);
        *sequence += apply_change(model, &change);
        tally->under_way++;
    }
    agree = stats.sequence == *sequence && agree_on_all(read, model, &why);
    if (!agree)
        printf("%" PRId64 " calls acknowledged, commit %" PRIu64 " expected, %" PRIu64 " found. %s\n", acknowledged,
               *sequence, stats.sequence, why.text);
    tally->torn += stats.torn_bytes > 0;
    knackdb_read_end(read);
    if (knackdb_close(db, &error) != KNACKDB_OK) {
        printf("cannot close: %s\n", error.message);
        agree = false;
    }
    return agree;
}

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
    round->options.snapshot_log_bytes = random_chance(dice, 3) ? UINT64_C(1) << 17 : UINT64_MAX;
    round->options.snapshots_kept = random_below(dice, 3);
    round->snapshots = random_chance(dice, 3);
    round->opens_first = !random_chance(dice, 5);
    round->life_us = round->opens_first ? random_below(dice, 20000) : random_below(dice, 5000);
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
        if (run_and_kill(directory, &opener) != 0)
            return false;
        tally->openers++;
    }
    return true;
}

int
main(int count, char **arguments)
{
    uint64_t             kills = count > 1 ? strtoull(arguments[1], NULL, 10) : 100;
    uint64_t             seed = count > 2 ? strtoull(arguments[2], NULL, 10) : (uint64_t) time(NULL);
    struct random_source dice, changes;
    struct model         model;
    struct tally         tally = { 0 };
    uint64_t             sequence = 0;
    char                 directory[SCRATCH_PATH_MAX];
    char                *texts = NULL;
    bool                 agree = true;

    random_init(&dice, seed);
    model_init(&model);
    scratch_make(directory);
    while (agree && tally.kills < kills) {
        struct round round;
        int64_t      acknowledged;
        char        *older_texts = texts;

        choose_round(&dice, &round);
        random_init(&changes, round.seed);
        acknowledged = run_and_kill(directory, &round);
        agree = acknowledged >= 0 && kill_openers(directory, &dice, &round, &tally)
                && compare(directory, &round, &changes, acknowledged, &model, &sequence, &tally);
        if (acknowledged > 0)
            tally.acknowledged += (uint64_t) acknowledged;
        tally.kills++;
        texts = shed_the_past(&model);
        free(older_texts);
        random_clear(&changes);
    }
    printf("%" PRIu64 " writers killed (seed %" PRIu64 "), %" PRIu64 " openers, %" PRIu64 " calls acknowledged, %" PRIu64
           " more found whole, %" PRIu64 " torn ends\n", tally.kills, seed, tally.openers, tally.acknowledged,
           tally.under_way, tally.torn);
    if (!agree)
        printf("kept for a look: %s\nagain: killed_writer %" PRIu64 " %" PRIu64 "\n", directory, kills, seed);
    else
        scratch_remove(directory);
    free(texts);
    model_clear(&model);
    random_clear(&dice);
    /* A run that killed nobody at work would show nothing. */
    agree = agree && tally.acknowledged > 10 * kills;
    printf("%" PRIu64 " passed, %d failed\n", agree ? tally.kills : tally.kills - 1, agree ? 0 : 1);
    return agree ? 0 : 1;
}
