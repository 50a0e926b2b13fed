/* killed_at_points.c - writers are killed at named moments, each again and again; nothing acknowledged is missing.
 *
 *     killed_at_points [KILLS [SEED]]
 *
 * killing_disk.h says what a point is, victim.h how a death is looked into. Points come in three kinds. A writer dies
 * at most of them by itself. To die while a torn end of the log is set aside, there must be one: so a writer dies
 * with half a record written, and who opens next dies over that. To die while a directory is migrated, a copy of the
 * golden directory of schema version 1 is opened, and afterwards compared with one that was opened in peace. */
#include "../api/scratch.h"
#include "../golden/golden_life.h"
#include "../model/random_rows.h"
#include "killing_disk.h"
#include "victim.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KILLS          1000 /* unless told; at least */
#define CHANGES        60
#define SNAPSHOT_EVERY 15
#define OPENER_LIFE_US 300000 /* where it does not come to its point */

static const struct kill_point writer_points[] = {
    { "a log segment, before it is made", CALL_CREATE, "log-", "", KILL_BEFORE },
    { "a log segment, made", CALL_CREATE, "log-", "", KILL_AFTER },
    { "a log segment, its space set aside", CALL_ALLOCATE, "log-", "", KILL_AFTER },
    { "a log segment, mapped and without a head", CALL_MAP, "log-", "", KILL_AFTER },
    { "a log segment, before a write", CALL_WRITE, "log-", "", KILL_BEFORE },
    { "a log segment, half a write", CALL_WRITE, "log-", "", KILL_HALF_WAY },
    { "a log segment, after a write", CALL_WRITE, "log-", "", KILL_AFTER },
    { "the log, before a sync", CALL_SYNC, "log-", "", KILL_BEFORE },
    { "the log, after a sync", CALL_SYNC, "log-", "", KILL_AFTER },
    { "the log, before it is cut", CALL_TRUNCATE, "log-", "", KILL_BEFORE },
    { "the log, after it is cut", CALL_TRUNCATE, "log-", "", KILL_AFTER },
    { "the directory, before a sync", CALL_SYNC_DIR, "", "", KILL_BEFORE },
    { "the directory, after a sync", CALL_SYNC_DIR, "", "", KILL_AFTER },
    { "a part, made", CALL_CREATE, "part-", "", KILL_AFTER },
    { "a part, half a write", CALL_WRITE, "part-", "", KILL_HALF_WAY },
    { "a part, before its sync", CALL_SYNC, "part-", "", KILL_BEFORE },
    { "a part, after its sync", CALL_SYNC, "part-", "", KILL_AFTER },
    { "the manifest, made", CALL_CREATE, "manifest-", "~", KILL_AFTER },
    { "the manifest, half a write", CALL_WRITE, "manifest-", "~", KILL_HALF_WAY },
    { "the manifest, before its sync", CALL_SYNC, "manifest-", "~", KILL_BEFORE },
    { "the manifest, after its sync", CALL_SYNC, "manifest-", "~", KILL_AFTER },
    { "the manifest, before its rename", CALL_RENAME, "manifest-", "", KILL_BEFORE },
    { "the manifest, after its rename", CALL_RENAME, "manifest-", "", KILL_AFTER },
    { "the sweep, before a manifest goes", CALL_REMOVE, "manifest-", "", KILL_BEFORE },
    { "the sweep, after a manifest has gone", CALL_REMOVE, "manifest-", "", KILL_AFTER },
    { "the sweep, before a part goes", CALL_REMOVE, "part-", "", KILL_BEFORE },
    { "the sweep, after a part has gone", CALL_REMOVE, "part-", "", KILL_AFTER },
    { "the sweep, before a segment goes", CALL_REMOVE, "log-", "", KILL_BEFORE },
    { "the sweep, after a segment has gone", CALL_REMOVE, "log-", "", KILL_AFTER },
};

/* In recovery, with a torn end. */
static const struct kill_point torn_points[] = {
    { "a torn end, its copy made", CALL_CREATE, "torn-", "~", KILL_AFTER },
    { "a torn end, half copied", CALL_WRITE, "torn-", "~", KILL_HALF_WAY },
    { "a torn end, before its copy is synced", CALL_SYNC, "torn-", "~", KILL_BEFORE },
    { "a torn end, before its copy is named", CALL_RENAME, "torn-", "", KILL_BEFORE },
    { "a torn end, after its copy is named", CALL_RENAME, "torn-", "", KILL_AFTER },
    { "a torn end, before it is cut", CALL_TRUNCATE, "log-", "", KILL_BEFORE },
    { "a torn end, after it is cut", CALL_TRUNCATE, "log-", "", KILL_AFTER },
    { "a torn end, cut and before that is synced", CALL_SYNC, "log-", "", KILL_BEFORE },
};

static const struct kill_point migration_points[] = {
    { "migrating, the manifest made", CALL_CREATE, "manifest-", "~", KILL_AFTER },
    { "migrating, half the manifest written", CALL_WRITE, "manifest-", "~", KILL_HALF_WAY },
    { "migrating, before the manifest is synced", CALL_SYNC, "manifest-", "~", KILL_BEFORE },
    { "migrating, before the manifest is renamed", CALL_RENAME, "manifest-", "", KILL_BEFORE },
    { "migrating, after the manifest is renamed", CALL_RENAME, "manifest-", "", KILL_AFTER },
    { "migrating, before the older manifest goes", CALL_REMOVE, "manifest-", "", KILL_BEFORE },
    { "migrating, after the older manifest has gone", CALL_REMOVE, "manifest-", "", KILL_AFTER },
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const struct kill_point half_a_record = { "half a record", CALL_WRITE, "log-", "", KILL_HALF_WAY };

struct line {
    const struct kill_point *points;
    size_t                   count;
    uint64_t                 deaths[COUNT(writer_points)]; /* at each point */
};

/* ---- a writer, told where to die ---- */

struct sentence {
    const struct kill_point *point;
    int                      occurrence;
};

static void
pass_sentence(void *context)
{
    const struct sentence *sentence = context;

    killing_disk_arm(sentence->point, sentence->occurrence);
}

static void
choose_round(struct random_source *dice, struct round *round, struct sentence *sentence)
{
    memset(round, 0, sizeof *round);
    round->seed = random_bits(dice);
    round->changes = CHANGES;
    round->snapshot_every = SNAPSHOT_EVERY;
    round->life_us = UINT32_MAX;
    round->options = knackdb_options_default();
    round->options.durability = random_chance(dice, 3) ? KNACKDB_SYNC : KNACKDB_ASYNC;
    round->options.flush_interval_ms = 1;
    round->options.log_io = random_chance(dice, 2) ? KNACKDB_LOG_MAP : KNACKDB_LOG_WRITE;
    round->options.log_segment_bytes_max = 16384;
    round->prepare = pass_sentence;
    round->prepare_context = sentence;
}

static bool
die_at_writer_point(const char *directory, const struct kill_point *point, struct random_source *dice,
                    struct memory *memory, struct tally *tally)
{
    struct sentence sentence = { point, 1 + (int) random_below(dice, 4) };
    struct round    round;
    int64_t         acknowledged;

    choose_round(dice, &round, &sentence);
    if (sentence.point->call == CALL_WRITE && strcmp(sentence.point->prefix, "log-") == 0)
        round.options.log_io = KNACKDB_LOG_WRITE;
    if (sentence.point->call == CALL_MAP)
        round.options.log_io = KNACKDB_LOG_MAP;
    acknowledged = victim_run(directory, &round);
    if (acknowledged < 0)
        return false;
    tally->kills++;
    tally->acknowledged += (uint64_t) acknowledged;
    return victim_compare(directory, &round, acknowledged, memory, tally);
}

/* A writer dies in the middle of a record, and who opens next over what that left. */
static bool
die_at_torn_point(const char *directory, const struct kill_point *point, struct random_source *dice,
                  struct memory *memory, struct tally *tally)
{
    struct sentence first = { &half_a_record, 4 + (int) random_below(dice, CHANGES / 2) };
    struct sentence second = { point, 1 };
    struct round    round;
    struct round    opener;
    int64_t         acknowledged;

    choose_round(dice, &round, &first);
    round.options.log_io = KNACKDB_LOG_WRITE;
    opener = round;
    opener.prepare_context = &second;
    opener.changes = 0;
    opener.snapshot_every = 0;
    opener.life_us = OPENER_LIFE_US;
    acknowledged = victim_run(directory, &round);
    if (acknowledged < 0)
        return false;
    tally->kills++;
    tally->acknowledged += (uint64_t) acknowledged;
    if (acknowledged < round.changes) {
        if (victim_run(directory, &opener) != 0)
            return false;
        tally->openers++;
    }
    return victim_compare(directory, &round, acknowledged, memory, tally);
}

/* ---- a migration, killed ---- */

/* Opens, which migrates, and writes down all rows; the caller frees. NULL after a line that says what is wrong. */
static char *
open_and_dump(const char *directory)
{
    knackdb_value cells[KNACKDB_COLUMNS_MAX];
    knackdb_error error;
    knackdb      *db;
    knackdb_read *read;
    char         *lines = NULL;
    size_t        bytes = 0;
    FILE         *to;

    if (knackdb_open(directory, NULL, &db, &error) != KNACKDB_OK) {
        printf("cannot open: %s\n", error.message);
        return NULL;
    }
    to = open_memstream(&lines, &bytes);
    if (to == NULL || knackdb_read_begin(db, &read, &error) != KNACKDB_OK)
        abort(); /* a test without memory shows nothing */
    for (int table = 0; table < (int) knackdb_table_count(); table++) {
        knackdb_query query = { .table = table };
        knackdb_rows  rows;

        if (knackdb_read_find(read, &query, &rows, &error) != KNACKDB_OK)
            abort();
        for (size_t i = 0; i < rows.count; i++) {
            knackdb_read_values(read, table, rows.rows[i], knackdb_table_describe(table)->column_count, cells);
            golden_write_row(to, table, cells);
        }
    }
    knackdb_read_end(read);
    (void) fclose(to);
    (void) knackdb_close(db, NULL);
    return lines;
}

static void
golden_directory(char path[SCRATCH_PATH_MAX])
{
    const char *root = getenv("KNACKDB_SOURCE_ROOT");

    (void) snprintf(path, SCRATCH_PATH_MAX, "%s/tests/golden/version-1", root != NULL ? root : ".");
}

static bool
die_at_migration_point(const struct kill_point *point, const char *expected, struct tally *tally)
{
    char  golden[SCRATCH_PATH_MAX];
    char  folder[SCRATCH_PATH_MAX];
    char  copy[SCRATCH_PATH_MAX];
    char *lines;
    int   status;
    bool  same;
    pid_t child;

    golden_directory(golden);
    scratch_make(folder);
    scratch_join(copy, folder, "copy");
    scratch_copy(golden, copy);
    (void) fflush(NULL);
    child = fork();
    if (child < 0)
        abort();
    if (child == 0) {
        killing_disk_arm(point, 1);
        free(open_and_dump(copy));
        _exit(0);
    }
    if (waitpid(child, &status, 0) != child)
        abort();
    tally->openers += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    lines = open_and_dump(copy);
    same = lines != NULL && strcmp(lines, expected) == 0;
    if (lines != NULL && !same)
        printf("after a killed migration the rows are others\n");
    free(lines);
    if (same)
        scratch_remove(folder);
    return same;
}

/* ---- */

/* One death at each point of each line; a directory for the writers, one for those who tear. */
static bool
die_everywhere(struct line lines[3], const char *expected, struct random_source *dice, struct tally *tally)
{
    struct memory memories[2];
    char          directories[2][SCRATCH_PATH_MAX];
    bool          agree = true;

    for (int line = 0; line < 3 && agree; line++) {
        if (line < 2) {
            memory_init(&memories[line]);
            scratch_make(directories[line]);
        }
        for (size_t i = 0; i < lines[line].count && agree; i++) {
            const struct kill_point *point = &lines[line].points[i];
            uint64_t                 before = killing_disk_deaths(point);

            if (line == 0)
                agree = die_at_writer_point(directories[0], point, dice, &memories[0], tally);
            else if (line == 1)
                agree = die_at_torn_point(directories[1], point, dice, &memories[1], tally);
            else
                agree = die_at_migration_point(point, expected, tally);
            lines[line].deaths[i] += killing_disk_deaths(point) - before;
            if (!agree)
                printf("at: %s%s%s\n", point->name, line < 2 ? "; kept for a look: " : "",
                       line < 2 ? directories[line] : "");
        }
        if (line < 2) {
            memory_clear(&memories[line]);
            if (agree)
                scratch_remove(directories[line]);
        }
    }
    return agree;
}

int
main(int count, char **arguments)
{
    uint64_t    kills = count > 1 ? strtoull(arguments[1], NULL, 10) : KILLS;
    uint64_t    seed = count > 2 ? strtoull(arguments[2], NULL, 10) : (uint64_t) time(NULL);
    struct line lines[3] = {
        { .points = writer_points, .count = COUNT(writer_points) },
        { .points = torn_points, .count = COUNT(torn_points) },
        { .points = migration_points, .count = COUNT(migration_points) },
    };
    struct random_source dice;
    struct tally         tally = { 0 };
    char                 golden[SCRATCH_PATH_MAX];
    char                 folder[SCRATCH_PATH_MAX];
    char                 copy[SCRATCH_PATH_MAX];
    char                *expected;
    uint64_t             at_points = 0;
    size_t               missed = 0;
    size_t               points = 0;
    bool                 agree;

    scratch_prefer_memory();
    golden_directory(golden);
    scratch_make(folder);
    scratch_join(copy, folder, "copy");
    scratch_copy(golden, copy);
    expected = open_and_dump(copy);
    scratch_remove(folder);
    agree = expected != NULL;
    random_init(&dice, seed);
    while (agree && tally.kills + tally.openers < kills)
        agree = die_everywhere(lines, expected, &dice, &tally);
    for (int line = 0; line < 3; line++)
        for (size_t i = 0; i < lines[line].count; i++) {
            points++;
            at_points += lines[line].deaths[i];
            if (!agree || lines[line].deaths[i] > 0 || kills < KILLS) /* a short run need not come to all */
                continue;
            missed++;
            printf("nobody died at: %s\n", lines[line].points[i].name);
        }
    printf("%" PRIu64 " writers and %" PRIu64 " who opened killed (seed %" PRIu64 "), %" PRIu64
           " of them at %zu named points; %" PRIu64 " calls acknowledged, %" PRIu64 " more found whole, %" PRIu64
           " torn ends\n",
           tally.kills, tally.openers, seed, at_points, points, tally.acknowledged, tally.under_way, tally.torn);
    if (!agree)
        printf("again: killed_at_points %" PRIu64 " %" PRIu64 "\n", kills, seed);
    random_clear(&dice);
    free(expected);
    agree = agree && missed == 0;
    printf("%" PRIu64 " passed, %d failed\n", tally.kills + tally.openers - (agree ? 0 : 1), agree ? 0 : 1);
    return agree ? 0 : 1;
}
