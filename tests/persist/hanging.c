/* hanging.c - a disk that does not answer: who waits for it, and who does not.
 *
 * Nothing here looks at a clock. A call that must not wait is made by the thread that alone can let the disk go on, so
 * if it waited the test would never end. */
#include "tests/persist/ailing.h"

#include "core/store_data.h"
#include "persist/keeper_state.h"
#include "persist/log_format.h"
#include "tests/api/scratch.h"
#include "tests/persist/failing_disk.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define SEGMENT_BYTES ((uint64_t) 64 * 1024)

static struct keeper_figures
figures_of(struct kept *kept)
{
    struct keeper_figures figures;

    keeper_get_figures(kept->keeper, &figures);
    return figures;
}

/* Everything that was stored is there, in this life and in the next. */
static void
must_hold_all(struct kept *kept, const char *path)
{
    char *dump = bench_dump(kept->store);

    cr_assert_eq(keeper_sync(kept->keeper, &kept->error), KNACKDB_OK, "%s", kept->error.message);
    cr_assert_eq(figures_of(kept).state, KNACKDB_STATE_OK);
    cr_assert_eq(figures_of(kept).durable_sequence, store_sequence(kept->store));
    kept_close(kept);
    kept_must_open(kept, path, 1, NULL);
    cr_assert(bench_same(kept->store, dump));
    kept_close(kept);
    free(dump);
}

/* Stores go on through any number of segments: where none is made ahead, as the thread that makes them waits for the
 * sync, they make their own. Nothing of it is called durable meanwhile. */
Test(hanging, a_sync_is_waited_for_by_nobody_but_who_asked_for_it)
{
    for (int io = 0; io < 2; io++) {
        struct keeper_options options = healing_options(io == 0 ? KNACKDB_LOG_MAP : KNACKDB_LOG_WRITE);
        char                  path[SCRATCH_PATH_MAX];
        struct kept           kept;

        options.log_segment_bytes_max = SEGMENT_BYTES;
        options.flush_interval_ms = 1;
        scratch_make(path);
        kept_must_open(&kept, path, 1, &options);
        failing_disk_hold(CALL_SYNC, "log-");
        bench_put_many(kept.store, 1, 10);
        failing_disk_await_held();
        bench_put_many(kept.store, 11, 6000);
        cr_assert_gt(names_count(path, "log-", NULL), 5, "segments that were filled meanwhile");
        cr_assert_eq(figures_of(&kept).durable_sequence, 0);
        failing_disk_release();
        must_hold_all(&kept, path);
        scratch_remove(path);
    }
}

/* ---- a snapshot that does not end ---- */

static void *
take_snapshot(void *context)
{
    struct kept *kept = context;

    (void) keeper_snapshot(kept->keeper, NULL);
    return NULL;
}

/* The disk under the store does not answer a snapshot that is being taken; a copy goes to another one all the same. */
Test(hanging, a_snapshot_that_waits_holds_up_no_backup)
{
    struct keeper_options options = healing_options(KNACKDB_LOG_MAP);
    char                  path[SCRATCH_PATH_MAX], folder[SCRATCH_PATH_MAX], to[SCRATCH_PATH_MAX + 8];
    struct kept           kept;
    pthread_t             thread;
    uint64_t              rows = 0;

    scratch_make(path);
    scratch_make(folder);
    (void) snprintf(to, sizeof to, "%s/copy", folder);
    kept_must_open(&kept, path, 1, &options);
    failing_disk_hold(CALL_SYNC, "log-");
    bench_put_many(kept.store, 1, 10);
    cr_assert_eq(pthread_create(&thread, NULL, take_snapshot, &kept), 0);
    failing_disk_await_held();
    while (pthread_mutex_trylock(&kept.keeper->snapshot_mutex) == 0) {
        (void) pthread_mutex_unlock(&kept.keeper->snapshot_mutex);
        (void) sched_yield();
    }
    cr_assert_eq(keeper_backup(kept.keeper, to, &rows, &kept.error), KNACKDB_OK, "%s", kept.error.message);
    cr_assert_gt(rows, 0);
    cr_assert_eq(figures_of(&kept).snapshot_count, 0, "it waits still");
    failing_disk_release();
    cr_assert_eq(pthread_join(thread, NULL), 0);
    must_hold_all(&kept, path);
    scratch_remove(folder);
    scratch_remove(path);
}

/* ---- a log that is full ---- */

#define STORES 1000 /* more than there is room for */

/* Of things whose records are all of a length: no number among them is longer than another, and none has a NULL. */
static int64_t
number_of(int64_t i)
{
    return 2100001 + 420 * i;
}

struct storing {
    struct kept *kept;
    int64_t      next; /* of number_of() */
    _Atomic int  begun, ended;
};

static void *
store_more(void *context)
{
    struct storing *storing = context;

    for (int i = 0; i < STORES; i++) {
        atomic_fetch_add(&storing->begun, 1);
        bench_put(storing->kept->store, number_of(storing->next++));
        atomic_fetch_add(&storing->ended, 1);
    }
    return NULL;
}

/* With more than so many bytes in the log, no other record goes into its first segment. */
static uint64_t
full_log(const char *path, uint64_t record_bytes)
{
    struct bytes segment = bytes_read(path, "log-0000000000000001.knl");
    uint64_t     room = segment.count - log_head_measure(segment.data);

    bytes_free(&segment);
    return room - log_record_bytes(0) - record_bytes;
}

/* Returns when the thread is in a store that finds no room, and holds the writers' lock meanwhile; or when none of its
 * stores needed more room. How many there was room for. */
static int
await_waiting(struct storing *storing, uint64_t log_bytes, uint64_t full, uint64_t record_bytes)
{
    pthread_mutex_t *writer = &storing->kept->store->writer;
    int              fitting;

    while (figures_of(storing->kept).log_bytes <= full && atomic_load(&storing->ended) < STORES)
        (void) sched_yield();
    fitting = (int) ((figures_of(storing->kept).log_bytes - log_bytes) / record_bytes);
    while (atomic_load(&storing->begun) <= fitting && atomic_load(&storing->ended) < STORES)
        (void) sched_yield();
    while (atomic_load(&storing->ended) < STORES && pthread_mutex_trylock(writer) == 0) {
        (void) pthread_mutex_unlock(writer);
        (void) sched_yield();
    }
    return fitting;
}

/* The next segment is asked for when a quarter of this one is full, so a store has the rest before it needs it. Then
 * stores wait; reads do not, nor do figures, nor a sync of what was stored. When the call comes back everything goes
 * on. */
Test(hanging, a_file_that_is_not_made_is_waited_for_when_the_log_is_full)
{
    struct keeper_options options = healing_options(KNACKDB_LOG_MAP);
    char                  path[SCRATCH_PATH_MAX];
    struct kept           kept;
    struct storing        storing = { .kept = &kept };
    pthread_t             thread;
    uint64_t              stored, before = 0, record_bytes;
    char                 *dump;
    int                   fitting;

    options.log_segment_bytes_max = SEGMENT_BYTES;
    scratch_make(path);
    kept_must_open(&kept, path, 1, &options);
    while (figures_of(&kept).log_bytes < SEGMENT_BYTES / 8) { /* before that, or it could be made by then */
        before = figures_of(&kept).log_bytes;
        bench_put(kept.store, number_of(storing.next++));
    }
    record_bytes = figures_of(&kept).log_bytes - before;
    failing_disk_hold(CALL_CREATE, "log-");
    while (figures_of(&kept).log_bytes < SEGMENT_BYTES * 11 / 20)
        bench_put(kept.store, number_of(storing.next++));
    failing_disk_await_held();
    while (figures_of(&kept).log_bytes < SEGMENT_BYTES * 9 / 10)
        bench_put(kept.store, number_of(storing.next++));
    before = figures_of(&kept).log_bytes;
    cr_assert_eq(pthread_create(&thread, NULL, store_more, &storing), 0);
    fitting = await_waiting(&storing, before, full_log(path, record_bytes), record_bytes);
    stored = store_sequence(kept.store);
    cr_assert(fitting > 0 && fitting < STORES, "there was room for some: %d", fitting);
    cr_assert_eq(keeper_wait_durable(kept.keeper, stored, &kept.error), KNACKDB_OK, "%s", kept.error.message);
    cr_assert_geq(figures_of(&kept).durable_sequence, stored);
    dump = bench_dump(kept.store);
    cr_assert_neq(dump[0], '\0');
    free(dump);
    cr_assert_eq(atomic_load(&storing.begun), fitting + 1, "one is under way");
    cr_assert_eq(atomic_load(&storing.ended), fitting, "and waits");
    cr_assert_eq(store_sequence(kept.store), stored);
    failing_disk_release();
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_assert_eq(atomic_load(&storing.ended), STORES);
    must_hold_all(&kept, path);
    scratch_remove(path);
}
