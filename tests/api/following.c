/* following.c - a store that follows, through the public header. What may happen to its directory meanwhile is tried in
 * tests/persist/following.c, and by other processes in tests/durability. */
#include "calls.h"
#include "scratch.h"

#include <sys/wait.h>
#include <unistd.h>

static void
store_metrics(knackdb *db, int count)
{
    knackdb_error error;

    for (int i = 0; i < count; i++) {
        knackdb_metric metric = knackdb_metric_default();

        metric.component_name = knackdb_string("planner");
        metric.metric_value = i;
        MUST(knackdb_metric_store(db, &metric, NULL, &error));
    }
}

Test(following, a_view_begun_after_a_refresh_sees_what_the_writer_stored)
{
    char          path[SCRATCH_PATH_MAX];
    knackdb      *writer;
    knackdb      *follower;
    knackdb_read *read;
    knackdb_query query;
    knackdb_stats stats = { .struct_size = sizeof stats };
    knackdb_error error;
    uint64_t      sequence = 0;
    uint64_t      count = 0;
    double        begun = knackdb_now();

    memset(&query, 0, sizeof query);
    query.table = KNACKDB_PERFORMANCE_METRICS;
    scratch_make(path);
    writer = open_flagged(path, 0);
    store_metrics(writer, 3);
    follower = open_flagged(path, KNACKDB_OPEN_FOLLOW);
    cr_assert_eq(count_rows(follower, KNACKDB_PERFORMANCE_METRICS), 3);
    read = begin_read(follower);
    store_metrics(writer, 4);
    cr_assert_eq(count_rows(follower, KNACKDB_PERFORMANCE_METRICS), 3, "nothing comes by itself");
    MUST(knackdb_refresh(follower, &sequence, &error));
    cr_assert_eq(sequence, 7);
    cr_assert_eq(count_rows(follower, KNACKDB_PERFORMANCE_METRICS), 7);
    MUST(knackdb_read_count(read, &query, &count, &error));
    cr_assert_eq(count, 3, "an open view stays at its moment");
    knackdb_read_end(read);
    MUST(knackdb_refresh(follower, NULL, NULL));
    MUST(knackdb_get_stats(follower, &stats, &error));
    cr_assert_eq(stats.sequence, 7);
    cr_assert_eq(stats.refresh_count, 2);
    cr_assert_eq(stats.reload_count, 0);
    cr_assert(stats.refreshed_at >= begun && stats.refreshed_at <= knackdb_now());
    MUST(knackdb_get_stats(writer, &stats, &error));
    cr_assert_eq(stats.refreshed_at, 0.0);
    close_it(writer);
    MUST(knackdb_refresh(follower, &sequence, &error));
    cr_assert_eq(sequence, 7);
    close_it(follower);
    scratch_remove(path);
}

Test(following, changes_nothing_and_is_refused_what_a_reader_is)
{
    char            path[SCRATCH_PATH_MAX];
    knackdb        *writer;
    knackdb        *follower;
    knackdb_pattern pattern = knackdb_pattern_default();
    knackdb_error   error;

    scratch_make(path);
    writer = open_flagged(path, 0);
    follower = open_flagged(path, KNACKDB_OPEN_FOLLOW);
    REFUSED(knackdb_pattern_store(follower, &pattern, NULL, &error), KNACKDB_READ_ONLY, "read-only");
    REFUSED(knackdb_snapshot(follower, &error), KNACKDB_READ_ONLY, "read-only");
    close_it(follower);
    close_it(writer);
    scratch_remove(path);
}

/* Who is up to date anyway is; who chose one moment cannot be moved from it. */
Test(following, refresh_of_a_store_that_does_not_follow)
{
    char          path[SCRATCH_PATH_MAX];
    knackdb      *memory = open_in_memory();
    knackdb      *writer;
    knackdb      *reader;
    knackdb_error error;
    uint64_t      sequence = 99;

    scratch_make(path);
    writer = open_flagged(path, 0);
    store_metrics(writer, 2);
    store_metrics(memory, 1);
    MUST(knackdb_refresh(writer, &sequence, &error));
    cr_assert_eq(sequence, 2);
    MUST(knackdb_refresh(memory, &sequence, &error));
    cr_assert_eq(sequence, 1);
    reader = open_flagged(path, KNACKDB_OPEN_READ_ONLY);
    REFUSED(knackdb_refresh(reader, &sequence, &error), KNACKDB_INVALID, "one moment");
    cr_assert_eq(sequence, 1, "an output is written on success alone");
    close_it(reader);
    close_it(memory);
    close_it(writer);
    scratch_remove(path);
}

Test(following, options_that_make_no_sense_with_it)
{
    char            path[SCRATCH_PATH_MAX];
    knackdb_options options = knackdb_options_default();
    knackdb        *db = NULL;
    knackdb_error   error;

    scratch_make(path);
    close_it(open_flagged(path, 0));
    options.flags = KNACKDB_OPEN_FOLLOW | KNACKDB_OPEN_SNAPSHOT;
    REFUSED(knackdb_open(path, &options, &db, &error), KNACKDB_INVALID, "past");
    options.flags = KNACKDB_OPEN_FOLLOW;
    options.as_of_sequence = 1;
    REFUSED(knackdb_open(path, &options, &db, &error), KNACKDB_INVALID, "past");
    options.as_of_sequence = 0;
    options.as_of_time = 1.0;
    REFUSED(knackdb_open(path, &options, &db, &error), KNACKDB_INVALID, "past");
    options.as_of_time = 0;
    REFUSED(knackdb_open(":memory:", &options, &db, &error), KNACKDB_INVALID, "memory");
    scratch_remove(path);
    REFUSED(knackdb_open(path, &options, &db, &error), KNACKDB_NOT_FOUND, path);
}

/* The child of a fork has the parent's handle and may do nothing with it but close it; the parent goes on. */
Test(following, a_forked_child_is_refused)
{
    char          path[SCRATCH_PATH_MAX];
    knackdb      *writer;
    knackdb      *follower;
    knackdb_error error;
    uint64_t      sequence = 0;
    int           status = 0;
    pid_t         child;

    scratch_make(path);
    writer = open_flagged(path, 0);
    follower = open_flagged(path, KNACKDB_OPEN_FOLLOW);
    child = fork();
    if (child == 0) {
        bool refused = knackdb_refresh(follower, NULL, &error) == KNACKDB_FORKED;

        _exit(refused && knackdb_close(follower, &error) == KNACKDB_FORKED ? 0 : 1);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
    store_metrics(writer, 1);
    MUST(knackdb_refresh(follower, &sequence, &error));
    cr_assert_eq(sequence, 1);
    close_it(follower);
    close_it(writer);
    scratch_remove(path);
}
