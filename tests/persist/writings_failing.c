/* writings_failing.c - a writer's life while memory is short, the disk fails or is interrupted, at every single call:
 * what cannot be done is said, nothing is leaked, and the directory opens with all that was called durable.
 *
 * tests/crash asks more of disks that fail, and asks what the disk itself has lost; here each allocation fails, too.
 * The life begins in a directory that another version of the schema has written and that was left in the middle of a
 * commit. */
#include "tests/persist/repair_origin.h"
#include "tests/persist/striking.h"

#include <criterion/criterion.h>
#include <inttypes.h>

/* Version 2 finds a directory of version 1. */
#define SCHEMA 2

struct life {
    uint64_t       durable;  /* the last commit that was called so */
    uint64_t       failures; /* calls that said no */
    knackdb_status said;     /* what one of them said */
    knackdb_error  error;
};

static bool
went_well(struct life *life, knackdb_status status)
{
    if (status != KNACKDB_OK) {
        life->failures++;
        life->said = status;
    }
    return status == KNACKDB_OK;
}

/* A commit of some kinds, then all of them made durable. */
static void
change(struct life *life, struct store *store, struct keeper *keeper, int64_t number, knackdb_error *error)
{
    struct assignment assignment = { .column = 2, .value = knackdb_value_integer(-number) };
    knackdb_value     key = knackdb_value_integer(number);
    uint64_t          before;

    for (int64_t i = 0; i < 4; i++)
        (void) went_well(life, bench_try_put(store, number + i, error));
    if (bench_try_put(store, number, error) == KNACKDB_OK) {
        (void) went_well(life, store_update(store, 0, 0, &key, &assignment, 1, NULL, error));
        (void) went_well(life, store_delete(store, 0, number, NULL, error));
    }
    before = store_sequence(store);
    if (went_well(life, keeper_sync(keeper, error)))
        life->durable = before;
}

static void
live(struct life *life, struct striking *striking, const char *path, const char *to, uint64_t history_bytes)
{
    struct keeper_options options = kept_options();
    knackdb_error        *error = striking->fail_at % 2 != 0 ? &life->error : NULL;
    struct store         *store = NULL;
    struct keeper        *keeper = NULL;
    struct keeper_figures figures;

    options.disk = &striking->disk;
    options.by_hand = true;
    options.log_io = KNACKDB_LOG_WRITE;
    options.log_segment_bytes_max = 4096;
    options.snapshot_log_bytes = 2000;
    options.snapshots_kept = 2;
    options.log_history_bytes = history_bytes;
    *life = (struct life) { .durable = 0 };
    if (!went_well(life, store_new(&striking->allocator, bench_schema(SCHEMA), &store, error)))
        return;
    if (went_well(life, keeper_open(&striking->allocator, path, &options, store, &keeper, error))) {
        change(life, store, keeper, 35, error);
        if (went_well(life, keeper_snapshot(keeper, error)))
            life->durable = store_sequence(store);
        change(life, store, keeper, 45, error);
        keeper_turn(keeper);
        change(life, store, keeper, 55, error);
        if (went_well(life, keeper_snapshot(keeper, error)))
            life->durable = store_sequence(store);
        if (went_well(life, keeper_backup(keeper, to, NULL, error)))
            scratch_remove(to);
        change(life, store, keeper, 65, error);
        keeper_get_figures(keeper, &figures);
        cr_expect(figures.durable_sequence >= life->durable || figures.state != KNACKDB_STATE_OK);
        (void) went_well(life, keeper_close(keeper, error));
    }
    store_free(store);
}

/* Every life there is with one call that fails. */
static void
live_with_strikes(struct origin *origin, enum strike kind, uint64_t history_bytes)
{
    static struct striking striking;
    uint64_t               marred = 0;

    for (striking_begin(&striking, kind); striking_next(&striking);) {
        struct keeper_options options = kept_options();
        struct life           life;
        struct kept           kept;

        origin_damage_again(origin);
        live(&life, &striking, origin->damaged, origin->to, history_bytes);
        cr_assert_eq(atomic_load(&striking.allocator.bytes), 0, "call %" PRIu64 " of kind %d: memory is left",
                     striking.fail_at, (int) kind);
        cr_assert(life.failures == 0 || (kind != STRIKE_INTERRUPT &&
                                         life.said == (kind == STRIKE_MEMORY ? KNACKDB_NO_MEMORY : KNACKDB_IO)),
                  "call %" PRIu64 " of kind %d: %d: %s", striking.fail_at, (int) kind, (int) life.said,
                  life.error.message);
        marred += life.failures > 0;
        options.read_only = true;
        kept_must_open(&kept, origin->damaged, SCHEMA, &options);
        cr_assert_geq(store_sequence(kept.store), life.durable > 0 ? life.durable : ALL_ROWS,
                      "call %" PRIu64 " of kind %d", striking.fail_at, (int) kind);
        kept_close(&kept);
    }
    cr_assert(kind == STRIKE_INTERRUPT || marred > 10, "%" PRIu64 " lives of kind %d were marred", marred, (int) kind);
}

Test(writings_failing, lose_nothing_that_was_durable_and_say_what_failed)
{
    for (int kind = 0; kind < STRIKE_KINDS; kind++) {
        struct origin origin;

        scratch_prefer_memory();
        origin_make(&origin, ORIGIN_KILLED);
        live_with_strikes(&origin, (enum strike) kind, kind == STRIKE_MEMORY ? UINT64_MAX : 0);
        origin_remove(&origin);
    }
}
