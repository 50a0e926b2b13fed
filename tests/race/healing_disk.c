/* healing_disk.c - the disk fails and comes back over and over while threads store, sync and read.
 *
 * Each call of the disk that can fail does, now and then, for a few milliseconds. What must hold, whatever the timing:
 *
 *   - a store succeeds, and a reader finds what was stored;
 *   - a sync that says yes has not lied: its commit counts as durable ever after;
 *   - in the end, with the disk back, the store heals by itself, and the directory holds every row.
 *
 *     healing_disk [FAILURES] [WRITERS] */
#include "persist/keeper.h"
#include "schema/schema.h"
#include "tests/api/scratch.h"
#include "tests/race/claims.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WRITERS_MAX 8
#define PATIENCE_MS 120000
#define ROWS        1000 /* of each writer */

enum { STORES_SUCCEED, READERS_FIND, SYNCS_DO_NOT_LIE, HEALS, ALL_IS_THERE, CLAIMS };

static struct claim claims[CLAIMS] = {
    [STORES_SUCCEED] = { .text = "a store succeeds while the disk fails" },
    [READERS_FIND] = { .text = "a reader finds what was stored while the disk fails" },
    [SYNCS_DO_NOT_LIE] = { .text = "a commit that a sync called durable stays so" },
    [HEALS] = { .text = "the store heals each time the disk is back" },
    [ALL_IS_THERE] = { .text = "every row is there after closing and opening anew" },
};

/* ---- a disk with moods: a bit for each kind of call that fails ---- */

enum { BAD_CREATE = 1, BAD_WRITE = 2, BAD_ALLOCATE = 4, BAD_SYNC = 8, BAD_SYNC_DIR = 16, BAD_RENAME = 32, MOODS = 64 };

static _Atomic int mood;
static _Atomic int refusals;

static bool
is_bad(int call)
{
    if ((atomic_load(&mood) & call) == 0)
        return false;
    atomic_fetch_add(&refusals, 1);
    return true;
}

static int
moody_open(const struct disk *self, int dir, const char *name, enum disk_access access, uint32_t mode)
{
    (void) self;
    return access == DISK_CREATE && is_bad(BAD_CREATE) ? -EMFILE
                                                       : disk_posix()->open(disk_posix(), dir, name, access, mode);
}

static ssize_t
moody_write_at(const struct disk *self, int file, const void *from, size_t bytes, uint64_t offset)
{
    (void) self;
    return is_bad(BAD_WRITE) ? -ENOSPC : disk_posix()->write_at(disk_posix(), file, from, bytes, offset);
}

static int
moody_allocate(const struct disk *self, int file, uint64_t bytes)
{
    (void) self;
    return is_bad(BAD_ALLOCATE) ? -ENOSPC : disk_posix()->allocate(disk_posix(), file, bytes);
}

static int
moody_sync(const struct disk *self, int file)
{
    (void) self;
    return is_bad(BAD_SYNC) ? -EIO : disk_posix()->sync(disk_posix(), file);
}

static int
moody_sync_map(const struct disk *self, void *memory, size_t bytes)
{
    (void) self;
    return is_bad(BAD_SYNC) ? -EIO : disk_posix()->sync_map(disk_posix(), memory, bytes);
}

static int
moody_sync_dir(const struct disk *self, int dir)
{
    (void) self;
    return is_bad(BAD_SYNC_DIR) ? -EIO : disk_posix()->sync_dir(disk_posix(), dir);
}

static int
moody_rename(const struct disk *self, int dir, const char *from, const char *to)
{
    (void) self;
    return is_bad(BAD_RENAME) ? -EIO : disk_posix()->rename(disk_posix(), dir, from, to);
}

/* ---- the race ---- */

struct race {
    struct store   *store;
    struct keeper  *keeper;
    _Atomic bool    is_over;
    _Atomic int     next_writer;
    _Atomic int64_t stored[WRITERS_MAX]; /* rows of each writer: ids writer * 2^32 + 1 .. */
};

static void
pause_ms(int64_t ms)
{
    struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

    (void) nanosleep(&pause, NULL);
}

static bool
find(struct race *race, int64_t id)
{
    knackdb_value key = knackdb_value_integer(id);
    struct view   view;
    row_number    row;
    bool          found;

    if (view_begin(race->store, &view, NULL) != KNACKDB_OK)
        return false;
    found = view_find_by_key(&view, KNACKDB_EXECUTION_PATTERNS, 0, &key, &row) == KNACKDB_OK;
    view_end(&view);
    return found;
}

static void *
write_rows(void *context)
{
    struct race *race = context;
    int          writer = atomic_fetch_add(&race->next_writer, 1);
    int64_t      base = (int64_t) writer << 32;

    for (int64_t turn = 0; !atomic_load(&race->is_over); turn++) {
        int64_t       number = turn % ROWS + 1; /* over and over, so that a snapshot stays small */
        knackdb_value id = knackdb_value_integer(base + number);
        uint64_t      sequence = 0;
        knackdb_error error = { 0 };

        claim_check(&claims[STORES_SUCCEED],
                    store_put_rows(race->store, KNACKDB_EXECUTION_PATTERNS, &id, 1, 1, 0, NULL, &sequence, &error) ==
                        KNACKDB_OK,
                    "%s", error.message);
        if (turn < ROWS)
            atomic_store(&race->stored[writer], number);
        claim_check(&claims[READERS_FIND], find(race, base + number), "row %" PRId64, base + number);
        if (number % 8 == 0 && keeper_wait_durable(race->keeper, sequence, NULL) == KNACKDB_OK) {
            struct keeper_figures figures;

            keeper_get_figures(race->keeper, &figures);
            claim_check(&claims[SYNCS_DO_NOT_LIE], figures.durable_sequence >= sequence,
                        "commit %" PRIu64 " of %" PRIu64, figures.durable_sequence, sequence);
        }
        if (number % 16 == 0)
            pause_ms(1);
    }
    return NULL;
}

static bool
await_health(struct race *race)
{
    struct keeper_figures figures;

    for (int waited_ms = 0; waited_ms < PATIENCE_MS; waited_ms += 2) {
        keeper_get_figures(race->keeper, &figures);
        if (figures.state == KNACKDB_STATE_OK)
            return true;
        pause_ms(2);
    }
    return claim_check(&claims[HEALS], false, "%s", figures.reason);
}

/* Bad until a call has failed, or for so long. */
static void
be_bad(uint32_t dice, int64_t ms)
{
    int before = atomic_load(&refusals);

    atomic_store(&mood, (int) (dice >> 8) % (MOODS - 1) + 1);
    for (int64_t waited_ms = 0; waited_ms < ms && atomic_load(&refusals) == before; waited_ms++)
        pause_ms(1);
    atomic_store(&mood, 0);
}

/* Every other time once more about when the first attempt to heal is made (50 ms after the failure), so that failures
 * fall on its steps, too. */
static void
upset(struct race *race, int failures)
{
    uint32_t dice = 20261122;

    for (int i = 0; i < failures; i++) {
        dice = dice * 1664525u + 1013904223u;
        be_bad(dice, 50);
        if (i % 2 == 1) {
            pause_ms(40 + (dice >> 24) % 12);
            dice = dice * 1664525u + 1013904223u;
            be_bad(dice, 20);
        }
        claim_check(&claims[HEALS], await_health(race), "it has not");
    }
}

static bool
open_race(struct race *race, struct allocator *allocator, const char *path, const struct disk *disk)
{
    struct keeper_options options = { .disk = disk,
                                      .history = schema_history_builtin(),
                                      .flush_interval_ms = 1,
                                      .log_segment_bytes_max = 65536,
                                      .snapshot_log_bytes = 1 << 20 };
    knackdb_error         error = { 0 };

    allocator_init(allocator, NULL);
    return store_new(allocator, schema_builtin(), &race->store, NULL) == KNACKDB_OK &&
           claim_check(&claims[ALL_IS_THERE],
                       keeper_open(allocator, path, &options, race->store, &race->keeper, &error) == KNACKDB_OK, "%s",
                       error.message);
}

int
main(int count, char **arguments)
{
    int              failures = count > 1 ? (int) strtol(arguments[1], NULL, 10) : 30;
    int              writers = count > 2 ? (int) strtol(arguments[2], NULL, 10) : 3;
    struct disk      disk = *disk_posix();
    struct race      race = { 0 };
    struct allocator allocator;
    pthread_t        threads[WRITERS_MAX];
    char             path[SCRATCH_PATH_MAX];
    knackdb_error    error = { 0 };

    if (writers < 1 || writers > WRITERS_MAX)
        return 2;
    disk.open = moody_open;
    disk.write_at = moody_write_at;
    disk.allocate = moody_allocate;
    disk.sync = moody_sync;
    disk.sync_map = moody_sync_map;
    disk.sync_dir = moody_sync_dir;
    disk.rename = moody_rename;
    scratch_make(path);
    if (!open_race(&race, &allocator, path, &disk))
        return 1;
    for (int i = 0; i < writers; i++) {
        if (pthread_create(&threads[i], NULL, write_rows, &race) != 0)
            return 1;
    }
    upset(&race, failures);
    atomic_store(&race.is_over, true);
    for (int i = 0; i < writers; i++)
        (void) pthread_join(threads[i], NULL);
    claim_check(&claims[HEALS], await_health(&race), "it has not");
    claim_check(&claims[SYNCS_DO_NOT_LIE], keeper_sync(race.keeper, &error) == KNACKDB_OK, "%s", error.message);
    claim_check(&claims[ALL_IS_THERE], keeper_close(race.keeper, &error) == KNACKDB_OK, "%s", error.message);
    store_free(race.store);
    if (!open_race(&race, &allocator, path, disk_posix()))
        return 1;
    for (int writer = 0; writer < writers; writer++) {
        for (int64_t number = 1; number <= atomic_load(&race.stored[writer]); number++)
            claim_check(&claims[ALL_IS_THERE], find(&race, ((int64_t) writer << 32) + number), "row %" PRId64 " of %d",
                        number, writer);
    }
    claim_check(&claims[ALL_IS_THERE], keeper_close(race.keeper, &error) == KNACKDB_OK, "%s", error.message);
    store_free(race.store);
    scratch_remove(path);
    printf("%d calls of the disk failed in %d bad moods\n", atomic_load(&refusals), failures);
    return claims_report(claims, CLAIMS);
}
