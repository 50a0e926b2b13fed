/* wanting.c - a short life in memory, each of whose allocations fails in turn: what a call could not do it says, all
 * the others work, and nothing is left. tests/allocation asks the same of a long one, step by step and on a disk. */
#include "calls.h"

#include <stdatomic.h>
#include <stdlib.h>

struct wanting {
    uint64_t         fail_at;
    _Atomic uint64_t seen;
    _Atomic int64_t  bytes;
};

static void *
wanting_allocate(void *context, size_t bytes)
{
    struct wanting *wanting = context;
    void           *block = atomic_fetch_add(&wanting->seen, 1) + 1 == wanting->fail_at ? NULL : malloc(bytes);

    if (block != NULL)
        atomic_fetch_add(&wanting->bytes, (int64_t) bytes);
    return block;
}

static void
wanting_release(void *context, void *block, size_t bytes)
{
    struct wanting *wanting = context;

    if (block != NULL)
        atomic_fetch_sub(&wanting->bytes, (int64_t) bytes);
    free(block);
}

static void
expect_done_or_wanting(knackdb_status status, uint64_t *wants)
{
    cr_assert(status == KNACKDB_OK || status == KNACKDB_NO_MEMORY || status == KNACKDB_NOT_FOUND, "%s",
              knackdb_status_text(status)); /* not found: what an earlier call could not store */
    *wants += status == KNACKDB_NO_MEMORY;
}

static void
ask(knackdb *db, uint64_t *wants)
{
    knackdb_condition    condition = knackdb_where_text(KNACKDB_PATTERN_TASK_TYPE, "sort");
    knackdb_query        query = { .table = KNACKDB_EXECUTION_PATTERNS,
                                   .conditions = &condition,
                                   .condition_count = 1,
                                   .order = { { .column = KNACKDB_ORDER_BY_SCORE, .descending = true } },
                                   .order_count = 1,
                                   .limit = 5 };
    const double         median = 50;
    knackdb_read        *read;
    knackdb_prepared    *prepared;
    knackdb_pattern     *copies;
    knackdb_rows         rows;
    const knackdb_group *groups;
    size_t               count;
    knackdb_status       status;

    status = knackdb_patterns_find(db, &query, &copies, &count, NULL);
    expect_done_or_wanting(status, wants);
    if (status == KNACKDB_OK)
        knackdb_free(copies);
    status = knackdb_pattern_get(db, 1, &copies, NULL);
    expect_done_or_wanting(status, wants);
    if (status == KNACKDB_OK)
        knackdb_free(copies);
    status = knackdb_pattern_get_external(db, knackdb_string("one"), &copies, NULL);
    expect_done_or_wanting(status, wants);
    if (status == KNACKDB_OK)
        knackdb_free(copies);
    status = knackdb_read_begin(db, &read, NULL);
    expect_done_or_wanting(status, wants);
    if (status != KNACKDB_OK)
        return;
    expect_done_or_wanting(knackdb_read_find(read, &query, &rows, NULL), wants);
    query.order_count = 0;
    expect_done_or_wanting(knackdb_read_find(read, &query, &rows, NULL), wants);
    expect_done_or_wanting(knackdb_read_aggregate(read, &query, KNACKDB_PATTERN_SUCCESS_RATE, -1, &median, 1, &groups,
                                                  &count, NULL),
                           wants);
    expect_done_or_wanting(knackdb_read_aggregate(read, &query, KNACKDB_PATTERN_SUCCESS_RATE,
                                                  KNACKDB_PATTERN_CONTEXT_FACTORS, &median, 1, &groups, &count, NULL),
                           wants);
    status = knackdb_prepare(db, &query, &prepared, NULL);
    expect_done_or_wanting(status, wants);
    if (status == KNACKDB_OK) {
        expect_done_or_wanting(knackdb_read_find_prepared(read, prepared, &rows, NULL), wants);
        knackdb_prepared_free(prepared);
    }
    knackdb_read_end(read);
}

static uint64_t
live(struct wanting *wanting)
{
    knackdb_allocator functions = { wanting, wanting_allocate, wanting_release };
    knackdb_options   options = knackdb_options_default();
    knackdb_pattern   patterns[20];
    knackdb          *db;
    uint64_t          wants = 0;
    knackdb_status    status;

    options.allocator = &functions;
    options.cache_bytes_max = 4096;
    status = knackdb_open(NULL, &options, &db, NULL);
    expect_done_or_wanting(status, &wants);
    if (status != KNACKDB_OK)
        return wants;
    for (int i = 0; i < 20; i++) {
        patterns[i] = empty_pattern();
        patterns[i].task_type = knackdb_string(i % 2 == 0 ? "sort" : "search");
        patterns[i].success_rate = i / 20.0;
        patterns[i].nulls &= ~(KNACKDB_BIT(KNACKDB_PATTERN_SUCCESS_RATE) | KNACKDB_BIT(KNACKDB_PATTERN_TASK_TYPE));
    }
    patterns[0].external_id = knackdb_string("one");
    patterns[0].nulls &= ~KNACKDB_BIT(KNACKDB_PATTERN_EXTERNAL_ID);
    expect_done_or_wanting(knackdb_pattern_store(db, &patterns[0], NULL, NULL), &wants);
    expect_done_or_wanting(knackdb_patterns_store(db, patterns + 1, 19, 0, NULL, NULL), &wants);
    ask(db, &wants);
    ask(db, &wants);
    expect_done_or_wanting(knackdb_pattern_set_weight(db, 1, 0.5, NULL), &wants);
    expect_done_or_wanting(knackdb_delete(db, KNACKDB_EXECUTION_PATTERNS, 1, NULL), &wants);
    expect_done_or_wanting(knackdb_clean_up_before(db, KNACKDB_EXECUTION_PATTERNS, 1e12, NULL, NULL), &wants);
    expect_done_or_wanting(knackdb_close(db, NULL), &wants);
    return wants;
}

Test(wanting, a_call_that_has_no_memory_says_so_and_the_others_work)
{
    uint64_t wants = 0;
    uint64_t number = 0;

    for (bool failed = true; failed;) {
        struct wanting wanting = { .fail_at = ++number };

        wants += live(&wanting);
        failed = atomic_load(&wanting.seen) >= number;
        cr_assert_eq(atomic_load(&wanting.bytes), 0, "allocation %llu: %lld bytes are left",
                     (unsigned long long) number, (long long) atomic_load(&wanting.bytes));
    }
    cr_assert_gt(wants, 30, "%llu calls had no memory", (unsigned long long) wants);
}
