/* hanging.c - a disk that does not answer: who waits for it, and who does not.
 *
 * Nothing here looks at a clock. A call that must not wait is made by the thread that alone can let the disk go on, so if
 * it waited the test would never end. */
#include "tests/persist/ailing.h"

#include "tests/api/scratch.h"
#include "tests/persist/failing_disk.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <pthread.h>
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

/* Stores go on through any number of segments: where none is made ahead, as the thread that makes them waits for the sync,
 * they make their own. Nothing of it is called durable meanwhile. */
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

static void *
store_more(void *context)
{
    struct kept *kept = context;

    bench_put_many(kept->store, 2001, 3000);
    return NULL;
}

/* The next segment is asked for when half of this one is full, so a store has the other half before it needs it. Then
 * stores wait; reads do not, nor do figures, nor a sync of what was stored. When the call comes back everything goes on. */
Test(hanging, a_file_that_is_not_made_is_waited_for_when_the_log_is_full)
{
    struct keeper_options options = healing_options(KNACKDB_LOG_MAP);
    char                  path[SCRATCH_PATH_MAX];
    struct kept           kept;
    pthread_t             thread;
    uint64_t              stored;
    int64_t               number = 0;
    char                 *dump;

    options.log_segment_bytes_max = SEGMENT_BYTES;
    scratch_make(path);
    kept_must_open(&kept, path, 1, &options);
    while (figures_of(&kept).log_bytes < SEGMENT_BYTES * 2 / 5)
        bench_put(kept.store, ++number);
    failing_disk_hold(CALL_CREATE, "log-");
    while (figures_of(&kept).log_bytes < SEGMENT_BYTES * 11 / 20)
        bench_put(kept.store, ++number);
    failing_disk_await_held();
    while (figures_of(&kept).log_bytes < SEGMENT_BYTES * 9 / 10)
        bench_put(kept.store, ++number);
    stored = store_sequence(kept.store);
    cr_assert_eq(pthread_create(&thread, NULL, store_more, &kept), 0);
    cr_assert_eq(keeper_wait_durable(kept.keeper, stored, &kept.error), KNACKDB_OK, "%s", kept.error.message);
    cr_assert_geq(figures_of(&kept).durable_sequence, stored);
    dump = bench_dump(kept.store);
    cr_assert_neq(dump[0], '\0');
    free(dump);
    failing_disk_release();
    cr_assert_eq(pthread_join(thread, NULL), 0);
    must_hold_all(&kept, path);
    scratch_remove(path);
}
