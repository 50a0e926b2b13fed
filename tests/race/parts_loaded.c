/* parts_loaded.c - a store whose parts were loaded by several threads is the store that was closed.
 *
 * A directory is made of several parts of a table, rows of which have ended since, large enough that opening it takes
 * several threads where there are cores for them. It is opened again and again: every row must be there by its id and
 * by its key, as it was stored, and found by its text. Then it is opened with an allocation refused, a sample of them:
 * the 1st, 2nd, 3rd, 4th, 6th, 8th, 11th, each later by a quarter, to the last. That must be said, and all memory
 * given back, whichever thread asked for it.
 *
 *     parts_loaded [OPENS] */
#include "../api/scratch.h"
#include "claims.h"

#include <inttypes.h>
#include <knackdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROWS_A_PART = 34000, /* from 32,768 on a part is left alone */
    PARTS = 3,
    ROWS = PARTS * ROWS_A_PART,
    BATCH = 1000,
    TASK_TYPES = 7,
    TOOL_LISTS = 4999,
    ENDED_EVERY = 10,
};

enum {
    ROWS_ARE_AS_STORED,
    KEYS_LEAD_TO_THEM,
    TEXTS_LEAD_TO_THEM,
    ENDED_ROWS_STAY_AWAY,
    STORES_GO_ON,
    REFUSED_MEMORY_IS_SAID,
    MEMORY_COMES_BACK,
    CLAIMS
};

static struct claim claims[CLAIMS] = {
    [ROWS_ARE_AS_STORED] = { .text = "every row is as it was stored" },
    [KEYS_LEAD_TO_THEM] = { .text = "an external_id leads to its row" },
    [TEXTS_LEAD_TO_THEM] = { .text = "a text leads to all of its rows" },
    [ENDED_ROWS_STAY_AWAY] = { .text = "rows that have ended stay away" },
    [STORES_GO_ON] = { .text = "what is stored next gets the next id" },
    [REFUSED_MEMORY_IS_SAID] = { .text = "memory that is refused is said, or not needed" },
    [MEMORY_COMES_BACK] = { .text = "all memory comes back" },
};

/* ---- rows that are a function of their id ---- */

struct row_texts {
    char task_type[16], tools[32], context[96], external_id[24];
};

static bool
is_ended(int64_t id)
{
    return id % ENDED_EVERY == 3;
}

static knackdb_pattern
row_of(int64_t id, struct row_texts *texts)
{
    knackdb_pattern pattern = knackdb_pattern_default();
    uint64_t        noise = (uint64_t) id * UINT64_C(0x9e3779b97f4a7c15);

    (void) snprintf(texts->task_type, sizeof texts->task_type, "t%d", (int) (id % TASK_TYPES));
    (void) snprintf(texts->tools, sizeof texts->tools, "[\"tool%d\"]", (int) (noise % TOOL_LISTS));
    (void) snprintf(texts->context, sizeof texts->context, "{\"n\":\"%016" PRIx64 "%016" PRIx64 "\"}", noise,
                    noise * noise);
    (void) snprintf(texts->external_id, sizeof texts->external_id, "pattern_%" PRId64, id);
    pattern.id = id;
    pattern.task_type = knackdb_string(texts->task_type);
    pattern.tools_used = knackdb_string(texts->tools);
    pattern.context_factors = knackdb_string(texts->context);
    pattern.external_id = knackdb_string(texts->external_id);
    pattern.execution_time = (double) (noise >> 20);
    pattern.success_rate = (double) (id % 101) / 100;
    pattern.agent_count = (int64_t) noise;
    pattern.created_at = pattern.updated_at = 1e9 + (double) id;
    return pattern;
}

static bool
is_same_text(knackdb_text a, knackdb_text b)
{
    return a.length == b.length && memcmp(a.data, b.data, a.length) == 0;
}

static bool
is_same(const knackdb_pattern *a, const knackdb_pattern *b)
{
    return a->id == b->id && is_same_text(a->task_type, b->task_type) && is_same_text(a->tools_used, b->tools_used) &&
           is_same_text(a->context_factors, b->context_factors) && is_same_text(a->external_id, b->external_id) &&
           a->execution_time == b->execution_time && a->success_rate == b->success_rate &&
           a->agent_count == b->agent_count && a->created_at == b->created_at && a->usage_count == b->usage_count;
}

/* ---- the directory ---- */

static void
must(knackdb_status status, const char *what, const knackdb_error *error)
{
    if (status == KNACKDB_OK)
        return;
    (void) fprintf(stderr, "%s: %s\n", what, error->message);
    exit(1);
}

static void
store_part(knackdb *db, int64_t first_id)
{
    static knackdb_pattern  rows[BATCH];
    static struct row_texts texts[BATCH];
    knackdb_error           error;

    for (int64_t id = first_id; id < first_id + ROWS_A_PART; id += BATCH) {
        for (int i = 0; i < BATCH; i++)
            rows[i] = row_of(id + i, &texts[i]);
        must(knackdb_patterns_store(db, rows, BATCH, 0, NULL, &error), "storing", &error);
    }
    must(knackdb_snapshot(db, &error), "a snapshot", &error);
}

static void
make_directory(const char *path)
{
    knackdb_error error;
    knackdb      *db;

    must(knackdb_open(path, NULL, &db, &error), "opening", &error);
    for (int part = 0; part < PARTS; part++)
        store_part(db, 1 + (int64_t) part * ROWS_A_PART);
    for (int64_t id = 1; id <= ROWS; id++)
        if (is_ended(id))
            must(knackdb_delete(db, KNACKDB_EXECUTION_PATTERNS, id, &error), "deleting", &error);
    must(knackdb_snapshot(db, &error), "a snapshot", &error);
    must(knackdb_close(db, &error), "closing", &error);
}

/* ---- opening it ---- */

static void
check_rows(knackdb_read *read)
{
    for (int64_t id = 1; id <= ROWS; id++) {
        struct row_texts texts;
        knackdb_pattern  stored = row_of(id, &texts), found;
        knackdb_row      row, by_key = 0;
        knackdb_status   status = knackdb_read_by_id(read, KNACKDB_EXECUTION_PATTERNS, id, &row);

        if (is_ended(id)) {
            claim_check(&claims[ENDED_ROWS_STAY_AWAY], status == KNACKDB_NOT_FOUND, "row %" PRId64, id);
            continue;
        }
        if (!claim_check(&claims[ROWS_ARE_AS_STORED], status == KNACKDB_OK, "row %" PRId64 " is gone", id))
            continue;
        knackdb_read_pattern(read, row, &found);
        claim_check(&claims[ROWS_ARE_AS_STORED], is_same(&stored, &found), "row %" PRId64, id);
        status = knackdb_read_by_external_id(read, stored.external_id, &by_key);
        claim_check(&claims[KEYS_LEAD_TO_THEM], status == KNACKDB_OK && by_key == row, "row %" PRId64, id);
    }
}

static void
check_texts(knackdb_read *read)
{
    for (int type = 0; type < TASK_TYPES; type++) {
        char              text[16];
        knackdb_condition condition;
        knackdb_query query = { .table = KNACKDB_EXECUTION_PATTERNS, .conditions = &condition, .condition_count = 1 };
        uint64_t      expected = 0, count = 0;

        (void) snprintf(text, sizeof text, "t%d", type);
        condition = knackdb_where_text(KNACKDB_PATTERN_TASK_TYPE, text);
        for (int64_t id = 1; id <= ROWS; id++)
            expected += id % TASK_TYPES == type && !is_ended(id);
        claim_check(&claims[TEXTS_LEAD_TO_THEM],
                    knackdb_read_count(read, &query, &count, NULL) == KNACKDB_OK && count == expected,
                    "%s: %" PRIu64 " and not %" PRIu64, text, count, expected);
    }
}

static void
check_opened(knackdb *db)
{
    knackdb_read   *read;
    knackdb_pattern next = knackdb_pattern_default();
    int64_t         id = 0;
    knackdb_error   error;

    must(knackdb_read_begin(db, &read, &error), "a view", &error);
    check_rows(read);
    check_texts(read);
    knackdb_read_end(read);
    claim_check(&claims[STORES_GO_ON],
                knackdb_pattern_store(db, &next, &id, &error) == KNACKDB_OK && id > ROWS &&
                    knackdb_delete(db, KNACKDB_EXECUTION_PATTERNS, id, &error) == KNACKDB_OK,
                "id %" PRId64, id);
}

/* ---- with memory refused ---- */

struct meter {
    _Atomic int64_t  left; /* until one is refused */
    _Atomic uint64_t bytes;
};

static void *
meter_allocate(void *context, size_t bytes)
{
    struct meter *meter = context;
    void         *memory = atomic_fetch_sub(&meter->left, 1) == 1 ? NULL : malloc(bytes);

    if (memory != NULL)
        atomic_fetch_add(&meter->bytes, bytes);
    return memory;
}

static void
meter_release(void *context, void *memory, size_t bytes)
{
    struct meter *meter = context;

    atomic_fetch_sub(&meter->bytes, bytes);
    free(memory);
}

/* True where so many allocations were not needed. */
static bool
open_refused(const char *path, int64_t refused)
{
    struct meter      meter = { .left = refused };
    knackdb_allocator allocator = { .context = &meter, .allocate = meter_allocate, .release = meter_release };
    knackdb_options   options = knackdb_options_default();
    knackdb_error     error = { .message = "" };
    knackdb          *db = NULL;
    knackdb_status    status;

    options.allocator = &allocator;
    options.flags = KNACKDB_OPEN_READ_ONLY;
    status = knackdb_open(path, &options, &db, &error);
    claim_check(&claims[REFUSED_MEMORY_IS_SAID], status == KNACKDB_OK || status == KNACKDB_NO_MEMORY,
                "allocation %" PRId64 ": %s", refused, error.message);
    if (status == KNACKDB_OK)
        must(knackdb_close(db, &error), "closing", &error);
    claim_check(&claims[MEMORY_COMES_BACK], atomic_load(&meter.bytes) == 0, "allocation %" PRId64, refused);
    return atomic_load(&meter.left) > 0;
}

int
main(int count, char **arguments)
{
    long          opens = count > 1 ? strtol(arguments[1], NULL, 10) : 3;
    char          path[SCRATCH_PATH_MAX];
    knackdb_error error;
    knackdb      *db;

    scratch_prefer_memory();
    scratch_make(path);
    make_directory(path);
    for (long i = 0; i < opens; i++) {
        must(knackdb_open(path, NULL, &db, &error), "opening", &error);
        check_opened(db);
        must(knackdb_close(db, &error), "closing", &error);
    }
    for (int64_t refused = 1; !open_refused(path, refused); refused += 1 + refused / 4) /* a sample: see above */
        ;
    scratch_remove(path);
    return claims_report(claims, CLAIMS);
}
