/* forks.c - a child closes its copy of a handle, whatever its parent's threads were in the middle of.
 *
 * They may have held any lock, and none of them is there any more to let it go. So each lock is held in turn while the
 * process forks. A child that waits for ever is ended by an alarm. */
#include "api/handle.h"
#include "calls.h"
#include "core/store_data.h"
#include "persist/keeper_state.h"
#include "persist/log_writer_state.h"
#include "scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_SECONDS 20

/* Forks; true where the child could close its handle and was told why it is none. */
static bool
child_closes(knackdb *db)
{
    knackdb_error error = { 0 };
    int           status = 0;
    pid_t         child;

    fflush(NULL);
    child = fork();
    if (child == 0) {
        (void) alarm(CHILD_SECONDS);
        _exit(knackdb_close(db, &error) != KNACKDB_FORKED);
    }
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static void
store_rows(knackdb *db, int count)
{
    knackdb_pattern pattern = empty_pattern();
    knackdb_error   error;

    for (int i = 0; i < count; i++) {
        char task[32];

        (void) snprintf(task, sizeof task, "task %d", i);
        pattern.task_type = knackdb_string(task);
        pattern.external_id = knackdb_string("each replaces the one before");
        MUST(knackdb_pattern_store(db, &pattern, NULL, &error));
    }
}

Test(forks, a_child_closes_whichever_lock_was_held, .timeout = 300)
{
    char            directory[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX];
    knackdb        *db = NULL;
    knackdb_error   error;
    knackdb_options options = knackdb_options_default();

    scratch_make(directory);
    scratch_join(path, directory, "store");
    options.flush_interval_ms = 10000;
    MUST(knackdb_open(path, &options, &db, &error));
    store_rows(db, 3);
    {
        struct log_writer *log = db->keeper->log;
        struct {
            const char      *name;
            pthread_mutex_t *lock;
        } locks[] = {
            { "the writers'", &db->store->writer },
            { "the reclaimer's, as while it is started", &db->store->reclaimer.mutex },
            { "the cache's", &db->store->cache.mutex },
            { "the log's", &log->mutex },
            { "that of making segments", &log->making },
            { "the keeper's of waking", &db->keeper->wake_mutex },
            { "the keeper's of snapshots", &db->keeper->snapshot_mutex },
            { "the keeper's of figures", &db->keeper->figures_mutex },
            { "that of slow operations", &db->operations.slow_mutex },
        };

        for (size_t i = 0; i < sizeof locks / sizeof locks[0]; i++) {
            cr_assert_eq(pthread_mutex_lock(locks[i].lock), 0);
            cr_expect(child_closes(db), "with the lock: %s", locks[i].name);
            cr_assert_eq(pthread_mutex_unlock(locks[i].lock), 0);
        }
    }
    store_rows(db, 1);
    cr_expect_eq(count_rows(db, KNACKDB_EXECUTION_PATTERNS), 1);
    MUST(knackdb_close(db, &error));
    scratch_remove(directory);
}
