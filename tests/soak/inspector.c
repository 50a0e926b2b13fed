/* inspector.c - processes of a soak that look at what others have left; see parts.h. */
#include "parts.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define EARLIER_COMMITS 30000 /* so far before the newest snapshot somebody looks: it may be kept, or not any more */

static knackdb_status
open_reader(const char *path, uint64_t as_of, knackdb **ret_db, knackdb_error *error)
{
    knackdb_options options = knackdb_options_default();

    options.flags = KNACKDB_OPEN_READ_ONLY | KNACKDB_OPEN_NO_CREATE;
    options.as_of_sequence = (int64_t) as_of;
    return knackdb_open(path, &options, ret_db, error);
}

/* Looks at all of a store, closes it, and says which commit it was at. */
static uint64_t
look_and_close(knackdb *db, enum claim_name claim)
{
    knackdb_read *read;
    knackdb_error error;
    uint64_t      sequence;

    if (knackdb_read_begin(db, &read, &error) != KNACKDB_OK)
        _exit(1);
    sequence = knackdb_read_sequence(read);
    (void) board_witness(claim, read);
    knackdb_read_end(read);
    (void) knackdb_close(db, NULL);
    return sequence;
}

/* A moment behind the snapshot is kept, whatever else is; one before it may be. */
static void
look_at_moment(uint64_t as_of, bool must_be_kept)
{
    knackdb       *db;
    knackdb_error  error = { .message = "" };
    knackdb_status status = open_reader(board->path, as_of, &db, &error);
    uint64_t       found;

    if (status == KNACKDB_NOT_FOUND && !must_be_kept)
        return;
    if (!claim_check(&board->claims[CLAIM_MOMENTS], status == KNACKDB_OK, "commit %" PRIu64 ": %s", as_of,
                     error.message))
        return;
    found = look_and_close(db, CLAIM_MOMENTS);
    (void) claim_check(&board->claims[CLAIM_MOMENTS], found == as_of, "commit %" PRIu64 " opened as %" PRIu64, as_of,
                       found);
    count_up(COUNT_MOMENTS, 1);
    count_up(COUNT_MOMENTS_BEFORE, !must_be_kept);
}

_Noreturn void
inspect_remains(uint64_t seed)
{
    uint64_t       acknowledged = atomic_load(&board->acknowledged);
    uint64_t       seen = atomic_load(&board->seen);
    uint64_t       dice = seed, found, behind;
    knackdb_stats  stats = { .struct_size = sizeof stats };
    knackdb       *db;
    knackdb_error  error = { .message = "" };
    knackdb_status status = open_reader(board->path, 0, &db, &error);

    if (status == KNACKDB_NOT_FOUND && acknowledged == 0)
        _exit(0); /* killed before there was anything */
    if (!claim_check(&board->claims[CLAIM_KEPT], status == KNACKDB_OK, "read: %s", error.message))
        _exit(0);
    if (knackdb_get_stats(db, &stats, &error) != KNACKDB_OK)
        _exit(1);
    found = look_and_close(db, CLAIM_WHOLE);
    if (!claim_check(&board->claims[CLAIM_KEPT], found >= acknowledged && found >= seen && found <= acknowledged + 1,
                     "found commit %" PRIu64 "; %" PRIu64 " had returned, %" PRIu64 " had been seen", found,
                     acknowledged, seen))
        _exit(0);
    behind = stats.snapshot_sequence > 0 ? stats.snapshot_sequence : 1;
    if (found > behind)
        look_at_moment(behind + draw(&dice, found - behind + 1), true);
    if (behind > 1)
        look_at_moment(behind - draw(&dice, behind < EARLIER_COMMITS ? behind : EARLIER_COMMITS), false);
    _exit(0);
}

static void
verify(const char *path, enum claim_name claim)
{
    knackdb_verify_report report = { .fault_count = 0 };
    knackdb_error         error = { .message = "" };
    knackdb_status        status = knackdb_verify(path, NULL, NULL, &report, &error);

    (void) claim_check(&board->claims[claim], status == KNACKDB_OK && report.fault_count == 0, "%" PRIu64 " faults: %s",
                       report.fault_count, error.message);
}

_Noreturn void
inspect_backup(uint64_t number, bool is_complete)
{
    uint64_t       least = atomic_load(&board->backup_least);
    uint64_t       found;
    char           path[4200];
    knackdb       *db;
    knackdb_error  error = { .message = "" };
    knackdb_status status;

    backup_path(path, number);
    status = open_reader(path, 0, &db, &error);
    count_up(is_complete ? COUNT_BACKUPS : COUNT_HALF_BACKUPS, 1);
    if (!is_complete &&
        (status == KNACKDB_NOT_FOUND || (status == KNACKDB_CORRUPT && strstr(error.message, "no manifest") != NULL)))
        _exit(0); /* nothing there, or parts that no manifest names */
    if (!claim_check(&board->claims[CLAIM_BACKUPS], status == KNACKDB_OK, "open: %s", error.message))
        _exit(0);
    found = look_and_close(db, CLAIM_BACKUPS);
    (void) claim_check(&board->claims[CLAIM_BACKUPS], found >= least, "at commit %" PRIu64 "; %" PRIu64 " had returned",
                       found, least);
    verify(path, CLAIM_BACKUPS);
    _exit(0);
}

_Noreturn void
inspect_end(void)
{
    uint64_t      acknowledged = atomic_load(&board->acknowledged);
    uint64_t      found;
    knackdb      *db;
    knackdb_error error = { .message = "" };

    verify(board->path, CLAIM_VERIFY);
    if (!claim_check(&board->claims[CLAIM_KEPT], open_reader(board->path, 0, &db, &error) == KNACKDB_OK, "read: %s",
                     error.message))
        _exit(0);
    found = look_and_close(db, CLAIM_WHOLE);
    (void) claim_check(&board->claims[CLAIM_KEPT], found == acknowledged, "closed at commit %" PRIu64 " of %" PRIu64,
                       found, acknowledged);
    _exit(0);
}
