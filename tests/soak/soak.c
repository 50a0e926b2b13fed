/* soak.c - a mixed run for as long as one likes: writers that are killed, readers, followers, snapshots, clean-ups,
 * backups; nothing that was acknowledged is lost, and nothing grows.
 *
 *     soak [--seconds N] [--seed N] [--plant loss|memory|disk]
 *
 * One process writes at a time, some ten thousand commits a second, until SIGKILL ends it after 1 to 20 s; then the
 * next one opens the directory. It has two threads that read and one that asks for snapshots and backups, beside the
 * snapshots that the store takes by itself. Three processes follow; two of them are killed, too. After every death a
 * process that had no part in it compares all that is there with what was acknowledged (schedule.h), and opens earlier
 * moments.
 *
 * As many rows come as go. So memory and disk must be flat (meter.h has the rule): of the writers one after the other,
 * of the one that is left alone for two fifths of the run and not counted among those, of the follower that is never
 * killed, of the directory.
 * That is judged in runs of a minute and more; in a shorter one everything is still filling up. Latencies are told and
 * never judged.
 *
 * The seed draws rows, options, lives and questions; what meets what is left to the machine. --plant shows that the
 * soak notices: a commit that is acknowledged before it is made, 400 bytes lost with every commit, clean-ups that
 * are never made. */
#define _GNU_SOURCE
#include "../api/scratch.h"
#include "meter.h"
#include "parts.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SECONDS       8 /* unless told */
#define JUDGED_FROM_S 60
#define ALONE_FROM    0.35 /* of the run: one writer is left alone */
#define ALONE_TO      0.75
#define FOLLOWERS     3
#define LINES         24 /* that the series are printed in */
#define MiB           (1024.0 * 1024)

enum measure {
    WRITER_ANONYMOUS,
    WRITER_RESIDENT,
    SUCCESSORS_RESIDENT, /* the writers that are killed young */
    ALONE_RESIDENT,
    FOLLOWER_ANONYMOUS,
    FOLLOWER_RESIDENT,
    DIRECTORY,
    COMMITS,
    MEASURES
};

struct soak {
    uint64_t      dice;
    uint64_t      begun_ns;
    double        writer_begun_s;
    double        writer_dies_s;
    double        follower_dies_s[FOLLOWERS];
    double        sampled_s;
    pid_t         writer;
    pid_t         followers[FOLLOWERS];
    bool          was_left_alone;
    bool          is_alone;
    struct series series[MEASURES];
};

static double
elapsed_s(const struct soak *soak)
{
    return (double) (monotonic_ns() - soak->begun_ns) / 1e9;
}

/* ---- processes ---- */

/* A child dies with this process. */
static pid_t
begin_process(void)
{
    pid_t child;

    fflush(NULL);
    child = fork();
    if (child < 0)
        abort();
    if (child == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        _exit(1);
    return child;
}

/* Waits for a process to end, up to two minutes; it must have ended by itself, and well, unless it is killed here. */
static bool
end_process(pid_t child, bool kills)
{
    int   status = 0;
    pid_t ended = 0;

    if (kills)
        (void) kill(child, SIGKILL);
    for (int i = 0; i < 120000 && (ended = waitpid(child, &status, WNOHANG)) == 0; i++)
        pause_us(1000);
    if (ended == 0) {
        (void) kill(child, SIGKILL);
        (void) waitpid(child, &status, 0);
        return claim_check(&board->claims[CLAIM_ENDS], false, "process %d hangs", (int) child);
    }
    return claim_check(&board->claims[CLAIM_ENDS],
                       WIFEXITED(status) ? WEXITSTATUS(status) == 0 : kills && WTERMSIG(status) == SIGKILL,
                       "process %d: status %x", (int) child, (unsigned) status);
}

static void
begin_writer(struct soak *soak)
{
    double   now_s = elapsed_s(soak);
    uint64_t seed = draw(&soak->dice, UINT64_MAX);
    bool     has_time = board->duration_s >= JUDGED_FROM_S;

    soak->is_alone = has_time && !soak->was_left_alone && now_s >= ALONE_FROM * board->duration_s;
    soak->was_left_alone |= soak->is_alone;
    soak->writer_begun_s = now_s;
    soak->writer_dies_s = soak->is_alone ? ALONE_TO * board->duration_s
                                         : now_s + (double) draw_us(&soak->dice, 1, 20) / 1e6;
    if (has_time && !soak->was_left_alone && soak->writer_dies_s > ALONE_FROM * board->duration_s)
        soak->writer_dies_s = ALONE_FROM * board->duration_s;
    soak->writer = begin_process();
    if (soak->writer == 0)
        write_until_killed(seed, soak->is_alone);
}

static void
begin_follower(struct soak *soak, int which)
{
    uint64_t seed = draw(&soak->dice, UINT64_MAX);

    soak->follower_dies_s[which] =
        which == 0 ? 1e18 : elapsed_s(soak) + (double) draw_us(&soak->dice, which, which == 1 ? 20 : 60) / 1e6;
    soak->followers[which] = begin_process();
    if (soak->followers[which] == 0)
        follow_until_killed(which, seed);
}

static void
look_at_remains(struct soak *soak)
{
    uint64_t seed = draw(&soak->dice, UINT64_MAX);
    pid_t    child = begin_process();

    if (child == 0)
        inspect_remains(seed);
    (void) end_process(child, false);
}

/* A backup that is complete, or never will be. */
static void
look_at_backup(bool writer_is_dead)
{
    uint64_t number = atomic_load(&board->backup_begun);
    bool     is_complete = number != 0 && atomic_load(&board->backup_done) == number;
    char     path[4200];
    pid_t    child;

    if (number == 0 || (!is_complete && !writer_is_dead))
        return;
    child = begin_process();
    if (child == 0)
        inspect_backup(number, is_complete);
    (void) end_process(child, false);
    backup_path(path, number);
    scratch_remove(path);
    atomic_store(&board->backup_begun, 0);
}

/* ---- the run ---- */

static void
sample(struct soak *soak)
{
    double now_s = elapsed_s(soak), anonymous, file;

    /* One that has just begun is still opening. */
    if (now_s > soak->writer_begun_s + 1 && meter_process(soak->writer, &anonymous, &file)) {
        series_add(&soak->series[WRITER_ANONYMOUS], now_s, anonymous);
        series_add(&soak->series[WRITER_RESIDENT], now_s, anonymous + file);
        series_add(&soak->series[soak->is_alone ? ALONE_RESIDENT : SUCCESSORS_RESIDENT], now_s, anonymous + file);
    }
    if (soak->followers[0] > 0 && meter_process(soak->followers[0], &anonymous, &file)) {
        series_add(&soak->series[FOLLOWER_ANONYMOUS], now_s, anonymous);
        series_add(&soak->series[FOLLOWER_RESIDENT], now_s, anonymous + file);
    }
    series_add(&soak->series[DIRECTORY], now_s, meter_directory(board->path));
    series_add(&soak->series[COMMITS], now_s, (double) atomic_load(&board->acknowledged));
    soak->sampled_s = now_s;
}

static bool
is_broken(void)
{
    for (int i = 0; i < CLAIMS; i++)
        if (atomic_load(&board->claims[i].failures) > 0)
            return true;
    return false;
}

static bool
is_over(const struct soak *soak)
{
    double now_s = elapsed_s(soak);

    if (is_broken() || now_s > 10 * board->duration_s + 120)
        return true;
    if (now_s < board->duration_s)
        return false;
    /* On a slow machine a short run takes longer, until everything has been seen once. */
    for (int i = CLAIM_KEPT; i <= CLAIM_STATE; i++)
        if (atomic_load(&board->claims[i].checks) == 0)
            return false;
    return counted(COUNT_KILLS) > 0;
}

/* Somebody who ended by himself has failed. */
static void
look_after(pid_t *child)
{
    int status;

    if (*child <= 0 || waitpid(*child, &status, WNOHANG) != *child)
        return;
    (void) claim_check(&board->claims[CLAIM_ENDS], false, "process %d ended by itself: status %x", (int) *child,
                       (unsigned) status);
    *child = 0; /* the number may soon be another's */
}

static void
run(struct soak *soak)
{
    double tick_s = board->duration_s / 1000 < 0.05 ? 0.05 : board->duration_s / 1000;

    begin_writer(soak);
    while (!is_over(soak)) {
        double now_s = elapsed_s(soak);

        if (now_s >= soak->writer_dies_s) {
            (void) end_process(soak->writer, true);
            count_up(COUNT_KILLS, 1);
            look_at_remains(soak);
            look_at_backup(true);
            begin_writer(soak);
        }
        for (int i = 0; i < FOLLOWERS; i++) {
            if (soak->followers[i] > 0 && now_s >= soak->follower_dies_s[i]) {
                (void) end_process(soak->followers[i], true);
                count_up(COUNT_FOLLOWER_KILLS, 1);
                soak->followers[i] = 0;
            }
            if (soak->followers[i] == 0 && atomic_load(&board->acknowledged) > 0)
                begin_follower(soak, i);
        }
        look_at_backup(false);
        if (now_s >= soak->sampled_s + tick_s)
            sample(soak);
        look_after(&soak->writer);
        for (int i = 0; i < FOLLOWERS; i++)
            look_after(&soak->followers[i]);
        pause_us(10000);
    }
}

/* When one has found something, the others are of no interest any more. */
static void
finish(struct soak *soak)
{
    bool  broken = is_broken();
    pid_t child;

    atomic_store(&board->writer_stops, true);
    if (soak->writer > 0)
        (void) end_process(soak->writer, broken);
    atomic_store(&board->followers_stop, true);
    for (int i = 0; i < FOLLOWERS; i++)
        if (soak->followers[i] > 0)
            (void) end_process(soak->followers[i], broken);
    if (broken)
        return;
    look_at_backup(true);
    child = begin_process();
    if (child == 0)
        inspect_end();
    (void) end_process(child, false);
}

/* ---- the verdict ---- */

/* The rule itself: swinging is not growth, and a leak is, however the series swings, and also where its subject was
 * away for all of the middle. */
static void
try_rule(void)
{
    static struct series series;

    for (int away_s = 0; away_s <= 600; away_s += 600)
        for (int leak_kib = 0; leak_kib <= 100; leak_kib += 50) {
            memset(&series, 0, sizeof series);
            for (int i = 0; i < 600; i++)
                series_add(&series, i < 300 ? i : i + away_s,
                           30 * MiB + i % 17 * MiB / 2 + (double) i * leak_kib * 1024 + (i % 40 == 0 ? 30 * MiB : 0));
            (void) claim_check(&board->claims[CLAIM_RULE], series_judge(&series).is_flat == (leak_kib == 0),
                               "a leak of %d KiB a second, away for %d s", leak_kib, away_s);
        }
}

static void
judge(const struct series *series, enum claim_name claim)
{
    struct verdict verdict = series_judge(series);

    (void) claim_check(&board->claims[claim], verdict.is_flat && series->count >= 9,
                       "median %.1f MiB in the middle third, %.1f in the last", verdict.middle_bytes / MiB,
                       verdict.last_bytes / MiB);
    printf("%-58s %7.1f %7.1f MiB: %s\n", board->claims[claim].text, verdict.middle_bytes / MiB,
           verdict.last_bytes / MiB, verdict.is_flat ? "flat" : "GROWS");
}

static void
print_series(struct soak *soak)
{
    const struct series *commits = &soak->series[COMMITS];
    double               end_s;

    if (commits->count == 0)
        return; /* it was over before the first look */
    end_s = commits->at_s[commits->count - 1];
    printf("\nmedians, MiB     writer               follower             directory       commits\n"
           "      s    resident  anonymous   resident  anonymous      on disk        so far\n");
    for (int line = 0; line < LINES; line++) {
        double from_s = line * end_s / LINES, to_s = (line + 1) * end_s / LINES;

        printf("%7.1f", to_s);
        for (int i = 0; i < MEASURES; i++) {
            static const enum measure shown[] = { WRITER_RESIDENT,    WRITER_ANONYMOUS, FOLLOWER_RESIDENT,
                                                  FOLLOWER_ANONYMOUS, DIRECTORY,        COMMITS };
            double                    median = i < 6 ? series_median(&soak->series[shown[i]], from_s, to_s) : -1;

            if (i < 6 && median < 0)
                printf("          -");
            else if (i < 6)
                printf(shown[i] == COMMITS     ? "  %12.0f"
                       : shown[i] == DIRECTORY ? "  %11.1f"
                                               : "  %9.1f",
                       shown[i] == COMMITS ? median : median / MiB);
        }
        printf("\n");
    }
}

static void
print_latencies(void)
{
    static const char *const names[WORKS] = { "store one",          "store a batch",      "change a row", "clean up",
                                              "any of these, sync", "read by id",         "query",        "refresh",
                                              "open, recover",      "snapshot asked for", "backup" };

    printf("\nlatencies, us, of this machine as it was      p50          p99        p99.9          max        count\n");
    for (int work = 0; work < WORKS; work++) {
        const struct latencies *latencies = &board->works[work];

        printf("  %-32s %12.2f %12.2f %12.2f %12.0f %12" PRIu64 "\n", names[work],
               latencies_quantile_us(latencies, 0.5), latencies_quantile_us(latencies, 0.99),
               latencies_quantile_us(latencies, 0.999), (double) atomic_load(&latencies->max_ns) / 1e3,
               latencies_count(latencies));
    }
}

static void
print_counts(const struct soak *soak, uint64_t seed)
{
    printf("\nsoaked for %.0f s (seed %" PRIu64 "): %" PRIu64 " commits of %" PRIu64 " rows acknowledged, %" PRIu64
           " rows lost, %" PRIu64 " that should not be there\n",
           elapsed_s(soak), seed, atomic_load(&board->acknowledged),
           schedule_rows(&board->schedule, atomic_load(&board->acknowledged)), counted(COUNT_ROWS_LOST),
           counted(COUNT_ROWS_EXTRA));
    printf("%" PRIu64 " writers killed, %" PRIu64 " reopenings, %" PRIu64 " of a torn end, %" PRIu64
           " followers killed\n",
           counted(COUNT_KILLS), counted(COUNT_REOPENINGS), counted(COUNT_TORN_ENDS), counted(COUNT_FOLLOWER_KILLS));
    printf("%" PRIu64 " snapshots asked for, %" PRIu64 " taken by the store, %" PRIu64 " clean-ups, %" PRIu64
           " backups compared, %" PRIu64 " cut short\n",
           counted(COUNT_SNAPSHOTS_ASKED), counted(COUNT_SNAPSHOTS_TAKEN), counted(COUNT_CLEAN_UPS),
           counted(COUNT_BACKUPS), counted(COUNT_HALF_BACKUPS));
    printf("%" PRIu64 " refreshes, %" PRIu64 " of them from a snapshot, %" PRIu64 " asked again, %" PRIu64
           " earlier moments opened, %" PRIu64 " of them before the newest snapshot\n",
           counted(COUNT_REFRESHES), counted(COUNT_RELOADS), counted(COUNT_RETRIES), counted(COUNT_MOMENTS),
           counted(COUNT_MOMENTS_BEFORE));
    printf("%" PRIu64 " views compared whole, %" PRIu64 " rows compared\n\n", counted(COUNT_VIEWS),
           counted(COUNT_ROWS_CHECKED));
}

/* ---- */

static uint64_t
number_of(const char *text)
{
    char    *end;
    uint64_t number = strtoull(text, &end, 10);

    if (end == text || *end != '\0') {
        fprintf(stderr, "soak: '%s' is no number\n", text);
        exit(2);
    }
    return number;
}

static enum planted
planted_of(const char *text)
{
    static const char *const names[] = { "nothing", "loss", "memory", "disk" };

    for (int i = 0; i < 4; i++)
        if (strcmp(text, names[i]) == 0)
            return (enum planted) i;
    fprintf(stderr, "soak: nobody can plant '%s'\n", text);
    exit(2);
}

int
main(int count, char **arguments)
{
    struct soak *soak = calloc(1, sizeof *soak);
    uint64_t     seed = (uint64_t) time(NULL);
    char         folder[SCRATCH_PATH_MAX];
    bool         is_judged;
    int          failed;

    board_make();
    if (soak == NULL)
        return 99;
    board->duration_s = SECONDS;
    for (int i = 1; i < count; i += 2) {
        if (i + 1 < count && strcmp(arguments[i], "--seconds") == 0)
            board->duration_s = (double) number_of(arguments[i + 1]);
        else if (i + 1 < count && strcmp(arguments[i], "--seed") == 0)
            seed = number_of(arguments[i + 1]);
        else if (i + 1 < count && strcmp(arguments[i], "--plant") == 0)
            board->planted = planted_of(arguments[i + 1]);
        else {
            fprintf(stderr, "usage: soak [--seconds N] [--seed N] [--plant loss|memory|disk]\n");
            return 2;
        }
    }
    (void) setvbuf(stdout, NULL, _IOLBF, 0);
    scratch_make(folder);
    scratch_join(board->path, folder, "store");
    scratch_join(board->backups, folder, "backups");
    if (mkdir(board->backups, 0700) != 0)
        return 99;
    schedule_init(&board->schedule, seed, board->planted != PLANTED_DISK);
    soak->dice = seed;
    printf("soak of %.0f s, seed %" PRIu64 ", in %s\n", board->duration_s, seed, folder);
    try_rule();
    soak->begun_ns = monotonic_ns();
    run(soak);
    is_judged = board->duration_s >= JUDGED_FROM_S && !is_broken();
    finish(soak);

    print_series(soak);
    print_latencies();
    printf("\n");
    if (is_judged) {
        judge(&soak->series[SUCCESSORS_RESIDENT], CLAIM_WRITER_MEMORY);
        judge(&soak->series[ALONE_RESIDENT], CLAIM_LIFE_MEMORY);
        judge(&soak->series[FOLLOWER_RESIDENT], CLAIM_FOLLOWER_MEMORY);
        judge(&soak->series[DIRECTORY], CLAIM_DISK);
    } else {
        printf("growth is judged in runs of %d s and more that nothing else has broken\n", JUDGED_FROM_S);
    }
    print_counts(soak, seed);
    failed = claims_report(board->claims, is_judged ? CLAIMS : CLAIMS_ALWAYS);
    if (failed == 0)
        scratch_remove(folder);
    else
        fprintf(stderr, "kept for a look: %s\nagain: soak --seconds %.0f --seed %" PRIu64 "\n", folder,
                board->duration_s, seed);
    free(soak);
    return failed;
}
