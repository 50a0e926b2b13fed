/* writer.c - the process of a soak that stores; see parts.h. */
#include "parts.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SNAPSHOT_LOG_BYTES (8u << 20) /* as often as a second, so that a run sees many */
#define SEGMENT_BYTES      (4u << 20)
#define HISTORY_BYTES      (2u << 20)
#define READERS            2
#define LEAK_BYTES         400 /* a commit, where that is planted */

struct writer {
    knackdb     *db;
    uint64_t     seed;
    bool         waits; /* for the disk, with every commit: sync mode */
    _Atomic bool ends;  /* its threads; the writing thread stores */
};

struct reader {
    struct writer *writer;
    uint64_t       dice;
};

/* ---- a thread that reads ---- */

static void
time_reads(knackdb_read *read, uint64_t *dice)
{
    uint64_t        first, last;
    knackdb_row     row;
    knackdb_pattern pattern;

    schedule_cycles(&board->schedule, knackdb_read_sequence(read), &first, &last);
    for (int i = 0; i < 8; i++) {
        int64_t  id = pattern_id(first + draw(dice, last - first + 1), (uint32_t) draw(dice, CYCLE_PATTERNS));
        uint64_t begun = monotonic_ns();

        if (knackdb_read_by_id(read, KNACKDB_EXECUTION_PATTERNS, id, &row) == KNACKDB_OK) {
            knackdb_read_pattern(read, row, &pattern);
            latencies_add(&board->works[WORK_READ], monotonic_ns() - begun);
        }
    }
}

static void *
read_beside(void *context)
{
    struct reader  *reader = context;
    struct writer  *writer = reader->writer;
    uint64_t        dice = reader->dice;
    struct findings findings = { .rows_checked = 0 };
    knackdb_error   error;

    while (!atomic_load(&writer->ends)) {
        knackdb_read *read;
        uint64_t      took_ns = 0;
        bool          right;

        if (knackdb_read_begin(writer->db, &read, &error) != KNACKDB_OK) {
            (void) claim_check(&board->claims[CLAIM_READERS], false, "begin: %s", error.message);
            break;
        }
        board_see(knackdb_read_sequence(read));
        time_reads(read, &dice);
        right = witness_some(&board->schedule, read, 40, draw(&dice, UINT64_MAX), &findings);
        right = board_judge(CLAIM_READERS, right, &findings);
        if (right) {
            right = witness_query(&board->schedule, writer->db, read, draw(&dice, UINT64_MAX), &took_ns, &findings);
            latencies_add(&board->works[WORK_QUERY], took_ns);
            right = board_judge(CLAIM_READERS, right, &findings);
        }
        /* The same moment, when the store has gone on. */
        if (right && draw(&dice, 16) == 0) {
            pause_us(draw(&dice, 100000));
            right = draw(&dice, 16) == 0
                        ? board_witness(CLAIM_READERS, read)
                        : board_judge(CLAIM_READERS,
                                      witness_some(&board->schedule, read, 40, draw(&dice, UINT64_MAX), &findings),
                                      &findings);
        }
        knackdb_read_end(read);
        pause_us(draw(&dice, 4000));
    }
    return NULL;
}

/* ---- the thread that asks ---- */

void
backup_path(char path[4200], uint64_t number)
{
    (void) snprintf(path, 4200, "%s/backup-%" PRIu64, board->backups, number);
}

static void
ask_for_backup(knackdb *db)
{
    uint64_t       number = atomic_load(&board->backup_done) + 1;
    char           path[4200];
    knackdb_error  error = { .message = "" };
    uint64_t       begun;
    knackdb_status status;

    if (atomic_load(&board->backup_begun) != 0)
        return; /* the last one is still looked at */
    backup_path(path, number);
    atomic_store(&board->backup_least, atomic_load(&board->acknowledged));
    atomic_store(&board->backup_begun, number);
    begun = monotonic_ns();
    status = knackdb_backup(db, path, &error);
    if (!claim_check(&board->claims[CLAIM_ANSWERS], status == KNACKDB_OK, "backup: %s", error.message))
        return;
    latencies_add(&board->works[WORK_BACKUP], monotonic_ns() - begun);
    atomic_store(&board->backup_done, number);
}

static void
ask_for_snapshot(knackdb *db)
{
    knackdb_error  error = { .message = "" };
    uint64_t       begun = monotonic_ns();
    knackdb_status status = knackdb_snapshot(db, &error);

    if (claim_check(&board->claims[CLAIM_ANSWERS], status == KNACKDB_OK, "snapshot: %s", error.message)) {
        latencies_add(&board->works[WORK_SNAPSHOT], monotonic_ns() - begun);
        count_up(COUNT_SNAPSHOTS_ASKED, 1);
    }
}

static void *
ask_beside(void *context)
{
    struct writer *writer = context;
    uint64_t       dice = mix(writer->seed, 7), seen = 0, asked = 0;
    uint64_t       now_us, snapshot_us, backup_us;
    knackdb_error  error;

    now_us = monotonic_ns() / 1000;
    snapshot_us = now_us + draw_us(&dice, 0.5, 8);
    backup_us = now_us + draw_us(&dice, 1, 30);
    while (!atomic_load(&writer->ends)) {
        knackdb_stats stats = { .struct_size = sizeof stats };

        now_us = monotonic_ns() / 1000;
        if (now_us >= snapshot_us) {
            ask_for_snapshot(writer->db);
            asked++;
            snapshot_us = now_us + draw_us(&dice, 0.5, 8);
        }
        if (now_us >= backup_us) {
            ask_for_backup(writer->db);
            backup_us = now_us + draw_us(&dice, 5, 30);
        }
        if (knackdb_get_stats(writer->db, &stats, &error) == KNACKDB_OK) {
            (void) claim_check(&board->claims[CLAIM_STATE],
                               stats.state == KNACKDB_STATE_OK && stats.snapshot_status == KNACKDB_OK, "%s",
                               stats.reason);
            if (stats.snapshot_count > seen + asked) {
                count_up(COUNT_SNAPSHOTS_TAKEN, stats.snapshot_count - seen - asked);
                seen = stats.snapshot_count - asked;
            }
        }
        pause_us(50000);
    }
    return NULL;
}

/* ---- the thread that writes ---- */

/* Returns the newest commit that is there. */
static uint64_t
open_writer(struct writer *writer, uint64_t *dice, bool even)
{
    knackdb_options options = knackdb_options_default();
    knackdb_stats   stats = { .struct_size = sizeof stats };
    knackdb_error   error = { .message = "" };
    knackdb        *db = NULL;
    knackdb_read   *read;
    uint64_t        acknowledged = atomic_load(&board->acknowledged);
    uint64_t        seen = atomic_load(&board->seen);
    uint64_t        begun = monotonic_ns();

    writer->waits = !even && draw(dice, 5) == 0;
    options.durability = writer->waits ? KNACKDB_SYNC : KNACKDB_ASYNC;
    options.log_io = even ? KNACKDB_LOG_AUTO : (knackdb_log_io) draw(dice, 3);
    options.snapshot_log_bytes = SNAPSHOT_LOG_BYTES;
    options.snapshots_kept = 2; /* so that there are moments before the newest */
    options.log_segment_bytes_max = SEGMENT_BYTES;
    options.log_history_bytes = HISTORY_BYTES;
    if (!claim_check(&board->claims[CLAIM_KEPT], knackdb_open(board->path, &options, &db, &error) == KNACKDB_OK,
                     "open: %s", error.message))
        _exit(1);
    latencies_add(&board->works[WORK_OPEN], monotonic_ns() - begun);
    if (knackdb_get_stats(db, &stats, &error) != KNACKDB_OK || knackdb_read_begin(db, &read, &error) != KNACKDB_OK)
        _exit(1);
    (void) claim_check(&board->claims[CLAIM_KEPT],
                       stats.sequence >= acknowledged && stats.sequence >= seen && stats.sequence <= acknowledged + 1,
                       "opened at commit %" PRIu64 "; %" PRIu64 " had returned, %" PRIu64 " had been seen",
                       stats.sequence, acknowledged, seen);
    (void) board_witness(CLAIM_WHOLE, read);
    knackdb_read_end(read);
    count_up(COUNT_TORN_ENDS, stats.torn_bytes > 0);
    count_up(COUNT_REOPENINGS, acknowledged > 0);
    atomic_store(&board->acknowledged, stats.sequence); /* the one that was under way is to stay, too */
    writer->db = db;
    return stats.sequence;
}

static void
write_all_along(struct writer *writer, uint64_t sequence, uint64_t *dice)
{
    static const enum work work_of[COMMIT_KINDS] = { WORK_STORE, WORK_BATCH, WORK_CHANGE, WORK_CLEAN_UP };
    char                   wrong[600];
    enum commit_kind       kind;
    uint64_t               took_ns;

    for (uint64_t number = sequence + 1; !atomic_load(&board->writer_stops); number++) {
        if (!claim_check(&board->claims[CLAIM_ANSWERS],
                         commit_make(writer->db, &board->schedule, number, &kind, &took_ns, wrong),
                         "commit %" PRIu64 ": %s", number, wrong))
            _exit(1);
        atomic_store(&board->acknowledged, board->planted == PLANTED_LOSS ? number + 1 : number);
        latencies_add(&board->works[writer->waits ? WORK_SYNCED : work_of[kind]], took_ns);
        count_up(COUNT_CLEAN_UPS, kind == COMMIT_CLEAN_UP);
        if (board->planted == PLANTED_MEMORY) {
            char *lost = malloc(LEAK_BYTES);

            if (lost != NULL)
                memset(lost, (int) number, LEAK_BYTES);
        }
        if (draw(dice, 16) == 0)
            pause_us(draw(dice, 1200));
    }
}

_Noreturn void
write_until_killed(uint64_t seed, bool even)
{
    struct writer  writer = { .seed = seed };
    struct reader  readers[READERS];
    pthread_t      threads[READERS + 1];
    uint64_t       dice = seed;
    uint64_t       sequence;
    knackdb_error  error = { .message = "" };
    knackdb_status status;

    sequence = open_writer(&writer, &dice, even);
    for (int i = 0; i < READERS; i++) {
        readers[i] = (struct reader) { .writer = &writer, .dice = mix(seed, (uint64_t) i) };
        if (pthread_create(&threads[i], NULL, read_beside, &readers[i]) != 0)
            _exit(4);
    }
    if (pthread_create(&threads[READERS], NULL, ask_beside, &writer) != 0)
        _exit(4);
    write_all_along(&writer, sequence, &dice);
    atomic_store(&writer.ends, true);
    for (int i = 0; i <= READERS; i++)
        (void) pthread_join(threads[i], NULL);
    status = knackdb_close(writer.db, &error);
    _exit(claim_check(&board->claims[CLAIM_ANSWERS], status == KNACKDB_OK, "close: %s", error.message) ? 0 : 1);
}
