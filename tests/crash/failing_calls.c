/* failing_calls.c - every call of the disk fails, one after the other, in every way it may.
 *
 *     failing_calls                          all of them
 *     failing_calls WAY CALL FAULT LASTING   one run again, as a failure names it
 *
 * The ways are a mapped log and a written one, and both once more with KNACKDB_OPEN_REFUSE_DEGRADED.
 *
 * One script is played again and again (a new directory, changes, turns of the background thread, snapshots, a close,
 * an opening, a death of the process, an opening over a torn log, a close), each time with another call that fails:
 * with an errno that it may fail with or by stopping half way, once, from then on for calls of its kind, or from then
 * on for all.
 * Then:
 *
 *   F1  Every call of ours returns, and what it says is true: a sync that says yes has synced, a commit that is called
 *       durable is, an opening that says yes has found all that must be there.
 *   F2  The store goes on in memory, whole: its rows are those of its shadow. When commits are not kept any more, the
 *       state says degraded, with the reason. Where stores are refused instead, the one that meets the failure and
 *       those behind it change nothing, say that they were refused, and never come back, whatever the disk has of them.
 *   F3  No file is written to or synced again after a write or sync of it has failed for good.
 *   F4  What fails leaves no memory and no handle behind, and an opening that failed can be tried again.
 *   F5  Whatever the power or a death of the process leaves of such a disk opens on a sound one, with all that was
 *       promised, and what is found then is found again after the next cut: a sync may have failed before, and a kernel
 *       that says yes to the next one need not have written what the first one lost (L6 of lying_disk.h).
 *       A verification finds no fault in it. (Where the log broke and was mended it may: what the disk has lost of
 *       the old one is told for as long as an older snapshot that is kept would want it.)
 *   F6  Once the disk is sound again so is the store: a snapshot by hand makes everything durable, and what comes
 *       after it goes into a log as before. Once no older snapshot is kept, a verification finds the directory whole,
 *       wherever the log broke. */
#include "tests/crash/life.h"
#include "tests/crash/twins.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEED 20261122

#define SNAPSHOTS_KEPT 2

/* One in so many calls that only read is made to fail for ever after, too. */
#define READS_TRIED 5

/* After so many there is no use in more. */
#define FAILURES_MAX 10

/* ---- faults ---- */

#define CALLS_MAX 4096

struct way {
    const char *name;
    bool        maps, refuses;
};

static const struct way ways[] = {
    { "write", false, false },
    { "map", true, false },
    { "refuse-write", false, true },
    { "refuse-map", true, true },
};

#define WAYS (sizeof ways / sizeof ways[0])

enum lasting { LASTS_ONCE, LASTS_FOR_KIND, LASTS_FOR_ALL, LASTINGS };

struct fault {
    uint64_t         call; /* the number of the first that fails, from 1; 0: none does */
    int              answer;
    enum lasting     lasting;
    enum lying_call *kinds; /* of each call, CALLS_MAX and one of them; may be NULL */
    /* As it happens. */
    uint64_t         calls;
    enum lying_call  kind;
    bool             has_struck;
    char             name[DISK_NAME_BYTES_MAX];
};

static const int answers[] = { EIO, ENOSPC, EINTR, EMFILE, LYING_SHORT };

#define ANSWERS (sizeof answers / sizeof answers[0])

static const char *const answer_names[ANSWERS] = { "EIO", "ENOSPC", "EINTR", "EMFILE", "short" };
static const char *const lasting_names[LASTINGS] = { "once", "kind", "all" };

/* What a call of this kind may answer, as the manual pages have it. */
static bool
may_answer(enum lying_call call, int answer)
{
    switch (answer) {
    case EIO: return true;
    case ENOSPC:
        return call == LYING_MAKE_DIR || call == LYING_CREATE || call == LYING_LOCK || call == LYING_RENAME ||
               call == LYING_WRITE || call == LYING_ALLOCATE || call == LYING_SYNC || call == LYING_SYNC_MAP ||
               call == LYING_SYNC_DIR;
    case EINTR:
        return call == LYING_OPEN || call == LYING_CREATE || call == LYING_OPEN_DIR || call == LYING_READ ||
               call == LYING_WRITE || call == LYING_TRUNCATE || call == LYING_SYNC || call == LYING_SYNC_DIR ||
               call == LYING_ALLOCATE;
    case EMFILE:
        return call == LYING_OPEN || call == LYING_CREATE || call == LYING_OPEN_DIR || call == LYING_LOCK ||
               call == LYING_LIST;
    default: return call == LYING_READ || call == LYING_WRITE;
    }
}

static int
judge(void *context, enum lying_call call, const char *name)
{
    struct fault *fault = context;

    fault->calls++;
    if (fault->kinds != NULL && fault->calls <= CALLS_MAX)
        fault->kinds[fault->calls] = call;
    if (fault->call == 0 || fault->calls < fault->call)
        return 0;
    if (fault->calls == fault->call) {
        fault->kind = call;
        (void) snprintf(fault->name, sizeof fault->name, "%s", name);
        fault->has_struck = may_answer(call, fault->answer);
        return fault->has_struck ? fault->answer : 0;
    }
    if (!fault->has_struck || fault->lasting == LASTS_ONCE)
        return 0;
    if (fault->lasting == LASTS_FOR_KIND && call != fault->kind)
        return 0;
    return may_answer(call, fault->answer) ? fault->answer : 0;
}

/* ---- the script ---- */

struct play {
    struct twins          twins;
    struct lying_disk    *disk;
    struct life           life;
    struct keeper_options options;
    struct fault          fault;
    bool                  is_open;
    bool                  is_torn;  /* the log's last end was */
    uint64_t              degraded; /* steps that met the state */
    uint64_t              refused;  /* changes */
    const char           *step;
    char                  reason[600];
};

static void __attribute__((format(printf, 2, 3)))
fail(struct play *play, const char *format, ...)
{
    va_list arguments;
    char    words[500];

    if (play->reason[0] != '\0')
        return;
    va_start(arguments, format);
    (void) vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    (void) snprintf(play->reason, sizeof play->reason, "%s: %s", play->step, words);
}

/* F1, F2, F3. `turned`: the background thread has just had its turn, so that nothing is only waiting. */
static void
examine(struct play *play, bool turned)
{
    struct oracle        *oracle = &play->twins.oracle;
    struct keeper_figures figures;
    const char           *name;

    if (lying_disk_retries(play->disk, &name) > 0)
        fail(play, "%s was written to or synced again", name);
    if (!play->is_open)
        return;
    keeper_get_figures(play->life.keeper, &figures);
    if (figures.durable_sequence > oracle->begun)
        fail(play, "commit %" PRIu64 " is called durable before it was begun", figures.durable_sequence);
    if (figures.durable_sequence > oracle->promised)
        oracle->promised = figures.durable_sequence;
    if (turned && figures.state == KNACKDB_STATE_OK && figures.durable_sequence < oracle->begun)
        fail(play, "the state is ok, but commit %" PRIu64 " is not durable", oracle->begun);
    if (figures.state != KNACKDB_STATE_OK && figures.reason[0] == '\0')
        fail(play, "degraded for no reason");
    if (figures.state != KNACKDB_STATE_OK && !play->fault.has_struck)
        fail(play, "degraded on a sound disk: %s", figures.reason);
    play->degraded += figures.state != KNACKDB_STATE_OK;
}

/* F4, F5: a directory that could not be opened can be, once the disk is sound. */
static void
open_life(struct play *play, const char *step)
{
    char           why[256];
    knackdb_status status;

    play->step = step;
    lying_disk_forgive(play->disk);
    status = life_open(&play->life, play->disk, &play->options);
    if (status != KNACKDB_OK) {
        if (!play->fault.has_struck || status == KNACKDB_INVALID || status == KNACKDB_CORRUPT)
            fail(play, "status %d: %s", (int) status, play->life.error.message);
        lying_disk_judge(play->disk, NULL, NULL);
        lying_disk_forgive(play->disk);
        status = life_open(&play->life, play->disk, &play->options);
    }
    if (status != KNACKDB_OK) {
        fail(play, "on a sound disk: status %d: %s", (int) status, play->life.error.message);
        return;
    }
    play->is_open = true;
    if (!oracle_agrees(&play->twins.oracle, play->life.store, why))
        fail(play, "%s", why);
    twins_follow(&play->twins, play->life.store);
    examine(play, false);
}

static bool
log_has_failed(const struct play *play)
{
    struct keeper_figures figures;

    keeper_get_figures(play->life.keeper, &figures);
    return strncmp(figures.reason, "the log has failed", 18) == 0;
}

static void
change(struct play *play, uint32_t times)
{
    char           why[256];
    knackdb_status status;

    for (uint32_t i = 0; i < times && play->is_open; i++) {
        uint64_t sequence = store_sequence(play->life.store);
        bool     may_change = !play->options.refuses_degraded || !log_has_failed(play);

        status = twins_change(&play->twins, play->life.store, &play->life.error, why);
        play->step = play->twins.step;
        if (why[0] != '\0')
            fail(play, "%s: %s", why, status == KNACKDB_OK ? "" : play->life.error.message);
        if (!may_change && store_sequence(play->life.store) > sequence)
            fail(play, "not refused, and the log had failed");
        if (status == KNACKDB_IO && (!play->fault.has_struck || strncmp(play->life.error.message, "refused", 7) != 0))
            fail(play, "refused: %s", play->life.error.message);
        play->refused += status == KNACKDB_IO;
        examine(play, false);
    }
}

static void
sync_all(struct play *play)
{
    knackdb_status status;

    play->step = "a sync";
    if (!play->is_open)
        return;
    status = keeper_sync(play->life.keeper, &play->life.error);
    if (status == KNACKDB_OK)
        play->twins.oracle.promised = play->twins.oracle.begun;
    else if (!play->fault.has_struck || play->life.error.message[0] == '\0')
        fail(play, "status %d: %s", (int) status, play->life.error.message);
    examine(play, status == KNACKDB_OK);
}

static void
turn(struct play *play)
{
    play->step = "a turn of the background thread";
    if (play->is_open)
        keeper_turn(play->life.keeper);
    examine(play, true);
}

static void
take_snapshot(struct play *play)
{
    knackdb_status status;

    play->step = "a snapshot";
    if (!play->is_open)
        return;
    status = keeper_snapshot(play->life.keeper, &play->life.error);
    if (status == KNACKDB_OK)
        play->twins.oracle.promised = play->twins.oracle.begun;
    else if (!play->fault.has_struck || play->life.error.message[0] == '\0')
        fail(play, "status %d: %s", (int) status, play->life.error.message);
    examine(play, false);
}

static void
close_life(struct play *play)
{
    knackdb_status status;

    play->step = "a close";
    if (!play->is_open)
        return;
    play->is_open = false;
    status = life_close(&play->life);
    if (status == KNACKDB_OK)
        play->twins.oracle.promised = play->twins.oracle.begun;
    else if (!play->fault.has_struck || status == KNACKDB_INVALID)
        fail(play, "status %d: %s", (int) status, play->life.error.message);
    examine(play, false);
}

/* The process dies or the power goes, and another disk takes the place of this one; the fault stays. */
static void
move_to(struct play *play, struct lying_disk *disk)
{
    lying_disk_judge(play->disk, NULL, NULL);
    if (play->is_open && !life_end(&play->life))
        fail(play, "%s", play->life.error.message);
    play->is_open = false;
    lying_disk_free(play->disk);
    play->disk = disk;
    lying_disk_judge(disk, judge, &play->fault);
}

static void
play_script(struct play *play)
{
    open_life(play, "the first opening");
    change(play, 5);
    sync_all(play);
    change(play, 3);
    turn(play);
    change(play, 18);
    take_snapshot(play);
    change(play, 4);
    turn(play);
    change(play, 4);
    take_snapshot(play);
    change(play, 2);
    turn(play);
    close_life(play);

    open_life(play, "an opening after a close");
    change(play, 14);
    turn(play);
    change(play, 3);
    move_to(play, lying_disk_clone(play->disk));
    open_life(play, "an opening after a death of the process");
    change(play, 4);
    move_to(play, lying_disk_boot(play->disk, LYING_EVEN, 3));
    open_life(play, "an opening after a power cut");
    change(play, 3);
    sync_all(play);
    change(play, 3);
    turn(play);
}

/* ---- what is left of it ---- */

static bool
only_reads(enum lying_call kind)
{
    return kind == LYING_OPEN || kind == LYING_OPEN_DIR || kind == LYING_LIST || kind == LYING_SIZE ||
           kind == LYING_READ;
}

/* Can it have broken the log? */
static bool
is_harmless(const struct fault *fault)
{
    return !fault->has_struck || fault->answer == EINTR || fault->answer == LYING_SHORT || only_reads(fault->kind);
}

/* F5. Takes the disk. */
static void
survive(struct play *play, struct lying_disk *disk, const char *how)
{
    struct oracle  oracle = play->twins.oracle;
    struct life    life;
    char           why[256];
    char           fault[LIFE_WORDS];
    knackdb_status status;

    play->step = how;
    for (int opening = 0; opening < 2 && play->reason[0] == '\0'; opening++) {
        struct lying_disk *next;

        status = is_harmless(&play->fault) && play->degraded == 0 ? life_verify(disk, LIFE_PATH, fault) : KNACKDB_OK;
        if (status != KNACKDB_OK && !(status == KNACKDB_NOT_FOUND && oracle.promised == 0))
            fail(play, "verify %d: %s", opening + 1, fault);
        status = life_open(&life, disk, &play->options);
        if (status != KNACKDB_OK) {
            fail(play, "opening %d: status %d: %s", opening + 1, (int) status, life.error.message);
            lying_disk_print(disk);
            break;
        }
        if (!oracle_agrees(&oracle, life.store, why))
            fail(play, "opening %d: %s", opening + 1, why);
        oracle.promised = oracle.begun = store_sequence(life.store);
        next = lying_disk_boot(disk, opening == 0 ? LYING_NOTHING : LYING_EVEN, play->fault.call);
        if (!life_end(&life))
            fail(play, "%s", life.error.message);
        lying_disk_free(disk);
        disk = next;
    }
    lying_disk_free(disk);
}

/* Takes the disk. */
static void
check_whole(struct play *play, struct lying_disk *disk, const char *when)
{
    char           fault[LIFE_WORDS];
    knackdb_status status = life_verify(disk, LIFE_PATH, fault);

    play->step = when;
    if (status != KNACKDB_OK)
        fail(play, "verify: %s", fault);
    lying_disk_free(disk);
}

/* F6, or a close while the disk still fails. */
static void
end_life(struct play *play)
{
    struct keeper_figures figures;

    if (play->fault.call % 2 == 0) {
        lying_disk_judge(play->disk, judge, &play->fault);
        close_life(play);
        lying_disk_judge(play->disk, NULL, NULL);
        survive(play, lying_disk_boot(play->disk, LYING_EVEN, play->fault.call), "after the close and a power cut");
        return;
    }
    take_snapshot(play);
    change(play, 3);
    turn(play);
    keeper_get_figures(play->life.keeper, &figures);
    if (figures.state != KNACKDB_STATE_OK)
        fail(play, "the disk is sound, and the state is still %d: %s", (int) figures.state, figures.reason);
    survive(play, lying_disk_boot(play->disk, LYING_NOTHING, 1), "after all was whole again and a power cut");
    for (int older = 0; older < SNAPSHOTS_KEPT; older++) {
        change(play, 2);
        take_snapshot(play);
    }
    check_whole(play, lying_disk_clone(play->disk), "with no snapshot of before");
    check_whole(play, lying_disk_boot(play->disk, LYING_NOTHING, 1), "with no snapshot of before, and a power cut");
    close_life(play);
}

struct tally {
    uint64_t runs, failures, degraded, refused;
    uint64_t by_answer[ANSWERS];
};

/* Once more, with one fault; how many calls were made is left in *ret_calls. True where all held. */
static bool
run(const struct way *way, const struct fault *fault, struct tally *tally, uint64_t *ret_calls, bool *ret_struck)
{
    struct play *play = calloc(1, sizeof *play);
    bool         holds;

    if (play == NULL)
        abort();
    play->fault = *fault;
    play->options = (struct keeper_options) {
        .log_io = way->maps ? KNACKDB_LOG_MAP : KNACKDB_LOG_WRITE,
        .refuses_degraded = way->refuses,
        .log_segment_bytes_max = 4096,
        .snapshot_log_bytes = UINT64_MAX,
        .snapshots_kept = SNAPSHOTS_KEPT,
        .log_history_bytes = 6000,
    };
    twins_init(&play->twins, SEED);
    play->twins.refuses = way->refuses;
    play->disk = lying_disk_new(SEED);
    lying_disk_judge(play->disk, judge, &play->fault);
    play_script(play);
    *ret_calls = play->fault.calls;
    tally->degraded += play->degraded > 0;
    tally->refused += play->refused > 0;
    *ret_struck = play->fault.has_struck;
    lying_disk_judge(play->disk, NULL, NULL);
    survive(play, lying_disk_clone(play->disk), "after the death of the process");
    survive(play, lying_disk_boot(play->disk, LYING_NOTHING, 1), "after a power cut that left nothing unsynced");
    survive(play, lying_disk_boot(play->disk, LYING_EVEN, fault->call), "after a power cut");
    if (play->is_open)
        end_life(play);
    holds = play->reason[0] == '\0';
    if (!holds)
        printf("FAIL: %s of %s fails: %s\n", lying_call_name(play->fault.kind), play->fault.name, play->reason);
    lying_disk_free(play->disk);
    twins_clear(&play->twins);
    free(play);
    return holds;
}

/* ---- all of them ---- */

static void
try_fault(const struct way *way, struct fault *fault, size_t answer, struct tally *tally)
{
    uint64_t calls;
    bool     has_struck;

    fault->answer = answers[answer];
    tally->runs++;
    tally->by_answer[answer]++;
    if (run(way, fault, tally, &calls, &has_struck) && has_struck)
        return;
    tally->failures++;
    printf("again: failing_calls %s %" PRIu64 " %s %s\n", way->name, fault->call, answer_names[answer],
           lasting_names[fault->lasting]);
}

/* Every fault that this call may have; of calls that only read, which are most of them, and which fail each open in
 * much the same way, some. Where stores are refused, the plainest. */
static void
try_call(const struct way *way, uint64_t call, enum lying_call kind, struct tally *tally)
{
    if (only_reads(kind) && (!way->maps || way->refuses))
        return; /* the same as where it is mapped */
    for (size_t answer = 0; answer < (way->refuses ? 1 : ANSWERS); answer++) {
        for (int lasting = 0; lasting < LASTINGS && may_answer(kind, answers[answer]); lasting++) {
            struct fault fault = { .call = call, .lasting = (enum lasting) lasting };

            if (lasting == LASTS_ONCE || !only_reads(kind) || call % READS_TRIED == 0)
                try_fault(way, &fault, answer, tally);
        }
    }
}

static size_t
named(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0)
            return i;
    }
    abort();
}

static const struct way *
way_named(const char *name)
{
    for (size_t i = 0; i < WAYS; i++) {
        if (strcmp(ways[i].name, name) == 0)
            return &ways[i];
    }
    abort();
}

int
main(int count, char **arguments)
{
    struct tally tally = { 0 };
    uint64_t     calls[WAYS] = { 0 };
    bool         has_struck;

    if (count == 5) {
        struct fault fault = { .call = strtoull(arguments[2], NULL, 10) };

        fault.lasting = (enum lasting) named(lasting_names, LASTINGS, arguments[4]);
        try_fault(way_named(arguments[1]), &fault, named(answer_names, ANSWERS, arguments[3]), &tally);
        return tally.failures > 0;
    }
    for (size_t way = 0; way < WAYS; way++) {
        static enum lying_call kinds[CALLS_MAX + 1];
        struct fault           none = { .kinds = kinds };

        if (!run(&ways[way], &none, &tally, &calls[way], &has_struck) || calls[way] > CALLS_MAX)
            tally.failures++;
        for (uint64_t call = 1; call <= calls[way] && tally.failures < FAILURES_MAX; call++)
            try_call(&ways[way], call, kinds[call], &tally);
    }
    printf("%" PRIu64 " runs with a failing call of the disk, of %" PRIu64 " calls mapped and %" PRIu64 " written:",
           tally.runs, calls[1], calls[0]);
    for (size_t answer = 0; answer < ANSWERS; answer++)
        printf(" %" PRIu64 " %s", tally.by_answer[answer], answer_names[answer]);
    printf("; %" PRIu64 " went on in memory, %" PRIu64 " refused\n", tally.degraded - tally.refused, tally.refused);
    printf("%" PRIu64 " passed, %" PRIu64 " failed\n", tally.runs - tally.failures, tally.failures);
    return tally.failures > 0;
}
