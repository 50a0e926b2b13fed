/* ailing.c - see ailing.h. */
#include "tests/persist/ailing.h"

#include "persist/verification.h"
#include "tests/api/scratch.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

/* Far more than any attempt waits for (10 s); reached only where healing does not happen. */
#define PATIENCE_US ((int64_t) 120 * 1000000)

struct keeper_options
healing_options(knackdb_log_io io)
{
    struct keeper_options options = kept_options();

    options.disk = failing_disk_new();
    options.log_segment_bytes_max = 8192;
    options.log_io = io;
    return options;
}

void
assert_state(struct kept *kept, knackdb_state state, const char *reason)
{
    struct keeper_figures figures;

    keeper_get_figures(kept->keeper, &figures);
    cr_assert_eq(figures.state, state);
    cr_assert_not_null(strstr(figures.reason, reason), "%s", figures.reason);
}

void
assert_degraded(struct kept *kept, const char *reason)
{
    assert_state(kept, KNACKDB_STATE_DEGRADED, reason);
}

void
await_health(struct kept *kept)
{
    struct keeper_figures figures;

    for (int64_t waited_us = 0; waited_us < PATIENCE_US; waited_us += 2000) {
        keeper_get_figures(kept->keeper, &figures);
        /* The second says that it has been cleared up behind the snapshot, too. */
        if (figures.state == KNACKDB_STATE_OK && figures.snapshot_sequence == figures.durable_sequence)
            break;
        (void) usleep(2000);
    }
    cr_assert_eq(figures.state, KNACKDB_STATE_OK, "%s", figures.reason);
    cr_assert_str_empty(figures.reason);
}

void
assert_holds(const char *path, const char *folder, const char *dump, const char *when)
{
    struct verify_options options = { .disk = disk_posix(), .history = bench_history(), .schema = bench_schema(1) };
    knackdb_verify_report report;
    struct allocator      allocator;
    struct kept           copied;
    char                  copy[PATH_MAX_BYTES];
    knackdb_error         error = { 0 };

    kept_copy(path, folder, "copy", copy);
    allocator_init(&allocator, NULL);
    cr_assert_eq(verify_directory(&allocator, copy, &options, &report, &error), KNACKDB_OK, "%s: %s", when,
                 error.message);
    kept_must_open(&copied, copy, 1, NULL);
    cr_assert(bench_same(copied.store, dump), "%s", when);
    kept_close(&copied);
    scratch_remove(copy);
}

void
assert_opens(const char *path, const char *folder, uint64_t sequence, const char *when)
{
    struct kept copied;
    char        copy[PATH_MAX_BYTES];
    uint64_t    found;

    kept_copy(path, folder, "copy", copy);
    kept_must_open(&copied, copy, 1, NULL);
    found = store_sequence(copied.store);
    cr_assert_geq(found, sequence, "%s", when);
    for (uint64_t number = 1; number <= found && number <= 300; number++) { /* commit N put row N, up to there */
        struct view   view;
        knackdb_value id;
        row_number    row;

        cr_assert_eq(view_begin(copied.store, &view, NULL), KNACKDB_OK);
        id = knackdb_value_integer((int64_t) number);
        cr_assert_eq(view_find_by_key(&view, 0, 0, &id, &row), KNACKDB_OK, "%s: commits come back without a gap", when);
        view_end(&view);
    }
    kept_close(&copied);
    scratch_remove(copy);
}

void
assert_opens_between_attempts(const char *path, const char *folder, uint64_t sequence, const char *when)
{
    failing_disk_hold(CALL_CREATE, "log-");
    failing_disk_await_held();
    assert_opens(path, folder, sequence, when);
    failing_disk_release();
}
