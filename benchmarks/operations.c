/* operations.c - the works, W1 to W7 and YCSB's A, B, C and F.
 *
 * An operation's input (ids, questions, rows, weights) is a function of its number, made
 * before the clock starts. So every store is given the same, and each answer goes into a
 * digest that must be the same at every store.
 *
 * Works that change a store come last in a round, as the others compare what they find
 * with what is known of the rows, and do the same number of changes everywhere: a store
 * that is too slow for its time is brought to the same state untimed, in large
 * transactions.
 *
 * YCSB's reads are whole rows; its updates set one column, as its default is, here the
 * weight; ids are drawn as YCSB draws them, a few rows being asked for most of the time.
 * Its own rows have ten columns of 100 bytes; ours are our own. */
#include "operations.h"

#include "failure.h"

#include <inttypes.h>
#include <stdlib.h>

#define TOP_LIMIT        10
#define TOP_LIMIT_LONG   100
#define METRIC_LIMIT_MIN 90
#define METRIC_LIMITS    21 /* up to 110 */
#define COMPONENT_LIMIT  2000
#define CATCH_UP_ROWS    10000

static void
see_whole(void *context, const struct pattern_row *row)
{
    struct run *run = context;
    run->digest = digest_mix(run->digest, pattern_digest(row));
}

static void
see_choice(void *context, const struct pattern_row *row)
{
    struct run *run = context;
    run->digest = digest_mix(run->digest, choice_digest(row));
}

static void
see_measured(void *context, const struct metric_row *row)
{
    struct run *run = context;
    run->digest = digest_mix(run->digest, metric_digest(row));
}

/* ---- reads by id --------------------------------------------------------------- */

static void
prepare_ids(struct run *run, const struct work *work, uint64_t first_operation, size_t count)
{
    (void) work;
    for (size_t i = 0; i < count; i++)
        run->ids[i] = workload_id(run->workload, first_operation + i, run->rows);
}

static void
perform_read(struct run *run, size_t i)
{
    const struct adapter *adapter = run->station->adapter;

    if (!adapter->pattern_read(run->station->store, run->ids[i], see_whole, run))
        fail("%s: row %" PRId64 " is gone", adapter->name, run->ids[i]);
}

/* The id depends on what the last read returned, so the processor cannot begin one
 * read before it has finished the other. */
static void
perform_dependent_read(struct run *run, size_t i)
{
    run->ids[i] += (int64_t) (run->digest & run->zero);
    perform_read(run, i);
}

/* ---- questions ----------------------------------------------------------------- */

static void
prepare_tops(struct run *run, uint64_t first_operation, size_t count, uint32_t limit)
{
    for (size_t i = 0; i < count; i++)
        workload_top_query(run->workload, first_operation + i, limit, &run->tops[i]);
}

static void
prepare_short_tops(struct run *run, const struct work *work, uint64_t first_operation, size_t count)
{
    (void) work;
    prepare_tops(run, first_operation, count, TOP_LIMIT);
}

static void
prepare_long_tops(struct run *run, const struct work *work, uint64_t first_operation, size_t count)
{
    (void) work;
    prepare_tops(run, first_operation, count, TOP_LIMIT_LONG);
}

static void
perform_top(struct run *run, size_t i)
{
    run->station->adapter->patterns_top(run->station->store, &run->tops[i], see_choice, run);
}

/* One question for the chunk, asked once before the clock starts. */
static void
prepare_same_top(struct run *run, const struct work *work, uint64_t first_operation, size_t count)
{
    (void) work;
    prepare_tops(run, first_operation, 1, TOP_LIMIT);
    for (size_t i = 1; i < count; i++)
        run->tops[i] = run->tops[0];
    perform_top(run, 0);
}

/* A component's metrics are a thousand in all: without a limit that varies, a store that keeps answers would be
 * asked for what it has kept. */
static void
prepare_metric_histories(struct run *run, const struct work *work, uint64_t first_operation, size_t count)
{
    (void) work;
    for (size_t i = 0; i < count; i++) {
        uint64_t operation = first_operation + i;
        uint32_t limit = METRIC_LIMIT_MIN + (uint32_t) workload_choice(run->workload, operation, METRIC_LIMITS);

        workload_history_query(run->workload, operation, limit, &run->histories[i]);
    }
}

static void
prepare_component_histories(struct run *run, const struct work *work, uint64_t first_operation, size_t count)
{
    (void) work;
    for (size_t i = 0; i < count; i++) {
        workload_history_query(run->workload, first_operation + i, COMPONENT_LIMIT, &run->histories[i]);
        run->histories[i].metric_name = (struct text) { NULL, 0 };
    }
}

static void
perform_history(struct run *run, size_t i)
{
    run->station->adapter->metrics_history(run->station->store, &run->histories[i], see_measured, run);
}

static void
prepare_nothing(struct run *run, const struct work *work, uint64_t first_operation, size_t count)
{
    (void) run;
    (void) work;
    (void) first_operation;
    (void) count;
}

/* By rising name, so that the groups of two stores can be compared one by one. */
static void
see_group_row(void *context, const struct group_row *row)
{
    struct run *run = context;
    size_t      place = run->group_count++;
    char        name[sizeof run->group_names[0]] = "";

    if (run->group_count > GROUPS_MAX || row->task_type.length >= sizeof name)
        fail("%s: more or longer groups than the workload has", run->station->adapter->name);
    memcpy(name, row->task_type.data, row->task_type.length);
    for (; place > 0 && strcmp(run->group_names[place - 1], name) > 0; place--) {
        run->groups[place] = run->groups[place - 1];
        memcpy(run->group_names[place], run->group_names[place - 1], sizeof name);
    }
    run->groups[place] = *row;
    memcpy(run->group_names[place], name, sizeof name);
}

static void
perform_grouping(struct run *run, size_t i)
{
    (void) i;
    run->group_count = 0;
    run->station->adapter->patterns_grouped(run->station->store, see_group_row, run);
    for (size_t g = 0; g < run->group_count; g++) {
        struct text name = { run->group_names[g], strlen(run->group_names[g]) };
        run->digest = digest_mix(run->digest, digest_text(name) + run->groups[g].count);
    }
}

/* ---- new rows ------------------------------------------------------------------ */

static void
prepare_rows(struct run *run, const struct work *work, uint64_t first_operation, size_t count)
{
    (void) work;
    (void) first_operation;
    workload_patterns(run->workload, run->station->patterns, count, &run->block);
    run->station->patterns += count;
}

static void
perform_store(struct run *run, size_t i)
{
    run->station->adapter->pattern_store(run->station->store, &run->block.rows[i]);
}

static void
prepare_batches(struct run *run, const struct work *work, uint64_t first_operation, size_t count)
{
    prepare_rows(run, work, first_operation, count * BATCH_ROWS);
}

static void
perform_batch(struct run *run, size_t i)
{
    run->station->adapter->patterns_store(run->station->store, &run->block.rows[i * BATCH_ROWS], BATCH_ROWS);
}

static void
store_the_rest(struct run *run, const struct work *work, uint64_t first_operation, uint64_t count)
{
    (void) work;
    (void) first_operation;
    station_load_patterns(run->station, run->workload, count);
}

static void
store_the_rest_of_batches(struct run *run, const struct work *work, uint64_t first_operation, uint64_t count)
{
    store_the_rest(run, work, first_operation, count * BATCH_ROWS);
}

/* The same question each time, and a new row before it. */
static void
prepare_same_top_and_rows(struct run *run, const struct work *work, uint64_t first_operation, size_t count)
{
    prepare_same_top(run, work, first_operation, count);
    prepare_rows(run, work, first_operation, count);
}

/* ---- weights ------------------------------------------------------------------- */

static void
prepare_weights(struct run *run, const struct work *work, uint64_t first_operation, size_t count)
{
    prepare_ids(run, work, first_operation, count);
    for (size_t i = 0; i < count; i++) {
        run->changes[i] = true;
        run->weights[i].id = run->ids[i];
        run->weights[i].weight = workload_weight(run->workload, first_operation + i);
        station_note_weight(run->station, run->weights[i].id, run->weights[i].weight);
    }
}

static void
perform_weigh(struct run *run, size_t i)
{
    run->station->adapter->patterns_weigh(run->station->store, &run->weights[i], 1);
}

static void
prepare_mix(struct run *run, const struct work *work, uint64_t first_operation, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t operation = first_operation + i;

        run->ids[i] = zipfian_id(run->zipfian, run->workload, operation);
        run->changes[i] = workload_choice(run->workload, operation, 100) < work->change_percent;
        if (!run->changes[i])
            continue;
        run->weights[i].id = run->ids[i];
        run->weights[i].weight = workload_weight(run->workload, operation);
        station_note_weight(run->station, run->weights[i].id, run->weights[i].weight);
    }
}

static void
perform_mix(struct run *run, size_t i)
{
    if (run->changes[i])
        perform_weigh(run, i);
    else
        perform_read(run, i);
}

/* The new weight waits for what was read. */
static void
perform_mix_with_modify(struct run *run, size_t i)
{
    perform_read(run, i);
    if (run->changes[i]) {
        run->weights[i].weight += (double) (run->digest & run->zero);
        perform_weigh(run, i);
    }
}

static void
weigh_the_rest(struct run *run, const struct work *work, uint64_t first_operation, uint64_t count)
{
    struct weight *weights = calloc(CATCH_UP_ROWS, sizeof *weights);
    size_t         waiting = 0;

    if (weights == NULL)
        fail("no memory");
    while (count > 0) {
        size_t now = count < CHUNK_MAX ? (size_t) count : CHUNK_MAX;

        work->prepare(run, work, first_operation, now);
        for (size_t i = 0; i < now; i++)
            if (run->changes[i])
                weights[waiting++] = run->weights[i];
        first_operation += now;
        count -= now;
        if (waiting > 0 && (waiting + CHUNK_MAX > CATCH_UP_ROWS || count == 0)) {
            run->station->adapter->patterns_weigh(run->station->store, weights, waiting);
            waiting = 0;
        }
    }
    free(weights);
}

/* ---- the works ----------------------------------------------------------------- */

const struct work works[] = {
    { "W3 read by id", 1024, 0, 0, prepare_ids, NULL, perform_read, NULL },
    { "W3 read by id, each waiting", 1024, 0, 0, prepare_ids, NULL, perform_dependent_read, NULL },
    { "W4 top 10 of a task type", 16, 0, 0, prepare_short_tops, NULL, perform_top, NULL },
    { "W4 top 100", 16, 0, 0, prepare_long_tops, NULL, perform_top, NULL },
    { "W4 top 10, the same again", 64, 0, 0, prepare_same_top, NULL, perform_top, NULL },
    { "W5 history of a component", 4, 0, 0, prepare_component_histories, NULL, perform_history, NULL },
    { "W5 history of one metric", 16, 0, 0, prepare_metric_histories, NULL, perform_history, NULL },
    { "W6 means by task type", 1, 0, 0, prepare_nothing, NULL, perform_grouping, NULL },
    { "YCSB C, reads", 1024, 0, 0, prepare_mix, NULL, perform_mix, NULL },
    { "YCSB B, 5 % updates", 512, 1, 5, prepare_mix, NULL, perform_mix, weigh_the_rest },
    { "YCSB A, 50 % updates", 512, 2, 50, prepare_mix, NULL, perform_mix, weigh_the_rest },
    { "YCSB F, 50 % read, modify", 512, 2, 50, prepare_mix, NULL, perform_mix_with_modify, weigh_the_rest },
    { "W7 update a weight", 500, 2, 0, prepare_weights, NULL, perform_weigh, weigh_the_rest },
    { "W4 again after a store", 50, 40, 0, prepare_same_top_and_rows, perform_store, perform_top, store_the_rest },
    { "W1 store one", 500, 1, 0, prepare_rows, NULL, perform_store, store_the_rest },
    { "W2 batch of 100", 5, 200, 0, prepare_batches, NULL, perform_batch, store_the_rest_of_batches },
};
const size_t work_count = sizeof works / sizeof works[0];

void
run_init(struct run *run, const struct workload *workload, const struct zipfian *zipfian, uint64_t rows)
{
    volatile uint64_t zero = 0;

    memset(run, 0, sizeof *run);
    run->workload = workload;
    run->zipfian = zipfian;
    run->rows = rows;
    run->zero = zero;
    pattern_block_init(&run->block, 5 * BATCH_ROWS);
}

void
run_clear(struct run *run)
{
    pattern_block_clear(&run->block);
}
