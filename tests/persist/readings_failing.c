/* readings_failing.c - opening, verifying, repairing, replaying while memory is short, the disk fails or is
 * interrupted, at every single call: it is said what failed, never that files are damaged which are not, nothing is
 * leaked, and an interrupted call is made again. */
#include "tests/persist/repair_origin.h"
#include "tests/persist/striking.h"

#include "persist/replay_log.h"
#include "persist/verification.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One reading of a directory; `to` is where it may write. */
typedef knackdb_status (*reading)(struct striking *striking, const char *path, const char *to, knackdb_error *error);

static knackdb_status
verify_it(struct striking *striking, const char *path, const char *to, knackdb_error *error)
{
    struct verify_options options = { .disk = &striking->disk, .history = bench_history(), .schema = bench_schema(1) };
    knackdb_verify_report report;

    (void) to;
    return verify_directory(&striking->allocator, path, &options, &report, error);
}

static knackdb_status
repair_it(struct striking *striking, const char *path, const char *to, knackdb_error *error)
{
    struct repair_options options = { .disk = &striking->disk, .history = bench_history(), .schema = bench_schema(1) };
    knackdb_repair_report report;
    knackdb_status        status = repair_directory(&striking->allocator, path, to, &options, &report, error);

    scratch_remove(to);
    return status;
}

static knackdb_status
replay_it(struct striking *striking, const char *path, const char *to, knackdb_error *error)
{
    struct replay_log *log = NULL;
    struct log_commit  commit;
    knackdb_status     status =
        replay_log_open(&striking->allocator, &striking->disk, path, bench_history(), bench_schema(1), &log, error);

    (void) to;
    while (status == KNACKDB_OK)
        status = replay_log_next(log, &commit, error);
    replay_log_close(log);
    return status == KNACKDB_NOT_FOUND ? KNACKDB_OK : status;
}

static knackdb_status
open_as(struct striking *striking, const char *path, const struct keeper_options *options, const char *to,
        knackdb_error *error)
{
    struct store  *store = NULL;
    struct keeper *keeper = NULL;
    knackdb_status status = store_new(&striking->allocator, bench_schema(1), &store, error);

    if (status == KNACKDB_OK)
        status = keeper_open(&striking->allocator, path, options, store, &keeper, error);
    if (status == KNACKDB_OK && options->follow)
        status = keeper_refresh(keeper, NULL, error);
    if (status == KNACKDB_OK && to != NULL) {
        status = keeper_backup(keeper, to, NULL, error);
        scratch_remove(to);
    }
    if (keeper != NULL)
        (void) keeper_close(keeper, NULL);
    store_free(store);
    return status;
}

static knackdb_status
read_it(struct striking *striking, const char *path, const char *to, knackdb_error *error)
{
    struct keeper_options options = kept_options();

    options.disk = &striking->disk;
    options.read_only = true;
    return open_as(striking, path, &options, to, error);
}

static knackdb_status
follow_it(struct striking *striking, const char *path, const char *to, knackdb_error *error)
{
    struct keeper_options options = kept_options();

    (void) to;
    options.disk = &striking->disk;
    options.read_only = true;
    options.follow = true;
    return open_as(striking, path, &options, NULL, error);
}

/* As it was before the last commits. */
static knackdb_status
read_its_past(struct striking *striking, const char *path, const char *to, knackdb_error *error)
{
    struct keeper_options options = kept_options();

    (void) to;
    options.disk = &striking->disk;
    options.read_only = true;
    options.as_of_sequence = 45;
    return open_as(striking, path, &options, NULL, error);
}

static const struct {
    const char *name;
    reading     read;
    bool        reads_around; /* what a disk does not give: fewer rows come of it, and no failure */
} readings[] = {
    { "verify", verify_it, false },       { "repair", repair_it, true },  { "replay", replay_it, false },
    { "open read-only", read_it, false }, { "follow", follow_it, false }, { "open the past", read_its_past, false },
};

#define READING_COUNT (sizeof readings / sizeof readings[0])

/* Reads in every way, one call failing after the other. `sound` is what a reading gives when nothing fails. */
static void
read_with_strikes(struct origin *origin, enum strike kind, bool is_damaged)
{
    static struct striking striking;

    for (size_t i = 0; i < READING_COUNT; i++) {
        knackdb_status whole = KNACKDB_OK;
        uint64_t       failures = 0;

        if (is_damaged && i > 2) /* they stop at the first damage */
            continue;
        striking_begin(&striking, kind);
        striking.fail_at = UINT64_MAX;
        whole = readings[i].read(&striking, origin->damaged, origin->to, NULL);
        cr_assert(whole == KNACKDB_OK || (is_damaged && whole == KNACKDB_CORRUPT), "%s: %d", readings[i].name,
                  (int) whole);
        for (striking_begin(&striking, kind); striking_next(&striking);) {
            knackdb_error  error = { .message = "" };
            knackdb_status status =
                readings[i].read(&striking, origin->damaged, origin->to, striking.fail_at % 2 != 0 ? &error : NULL);

            cr_assert_eq(atomic_load(&striking.allocator.bytes), 0, "%s, call %" PRIu64 " of kind %d: memory is left",
                         readings[i].name, striking.fail_at, (int) kind);
            failures += status != whole;
            if (status == whole)
                continue;
            cr_assert(kind != STRIKE_INTERRUPT && status == (kind == STRIKE_MEMORY ? KNACKDB_NO_MEMORY : KNACKDB_IO),
                      "%s, call %" PRIu64 " of kind %d: %d: %s", readings[i].name, striking.fail_at, (int) kind,
                      (int) status, error.message);
        }
        cr_assert(kind == STRIKE_INTERRUPT || readings[i].reads_around || failures > 2, "%s: %" PRIu64 " failures",
                  readings[i].name, failures);
    }
}

Test(readings_failing, say_what_failed_and_leak_nothing)
{
    for (int kind = 0; kind < STRIKE_KINDS; kind++) {
        for (int origin_kind = ORIGIN_KILLED; origin_kind <= ORIGIN_WITH_HISTORY; origin_kind += 3) {
            struct origin origin;

            scratch_prefer_memory();
            origin_make(&origin, (enum origin_kind) origin_kind);
            origin_damage_again(&origin);
            read_with_strikes(&origin, (enum strike) kind, false);
            origin_remove(&origin);
        }
    }
}

/* A byte of each file is another: what is told of has to be remembered, and other ways are tried. */
Test(readings_failing, of_damaged_files_say_what_failed_and_leak_nothing)
{
    static const struct {
        const char      *prefix;
        enum origin_kind origin; /* that has such a file */
    } files[] = {
        { "part-", ORIGIN_WITH_HISTORY },
        { "past-", ORIGIN_WITH_HISTORY },
        { "manifest-", ORIGIN_WITH_HISTORY },
        { "log-", ORIGIN_KILLED },
    };

    scratch_prefer_memory();
    for (size_t i = 0; i < 2 * sizeof files / sizeof files[0]; i++) {
        struct origin origin;
        char          name[64];
        struct bytes  file;

        origin_make(&origin, files[i / 2].origin);
        origin_damage_again(&origin);
        cr_assert_geq(names_count(origin.damaged, files[i / 2].prefix, name), 1, "%s", files[i / 2].prefix);
        file = bytes_read(origin.damaged, name);
        write_damaged(origin.damaged, name, &file, DAMAGE_FLIP, i % 2 == 0 ? file.count / 2 : 40);
        bytes_free(&file);
        for (int kind = 0; kind < STRIKE_KINDS; kind++)
            read_with_strikes(&origin, (enum strike) kind, true);
        origin_remove(&origin);
    }
}
