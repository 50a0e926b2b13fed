/* stores_and_reads.c - ten threads store, ten others read, and every view is whole.
 *
 * Each writer repeats four kinds of call: a batch of four patterns that share a
 * tag, a metric that carries the writer's own count, a preference shared by all
 * writers, and the batch again with the same external ids and a new text. What a
 * reader may see follows from that, whatever the timing:
 *
 *   - of a batch, four rows or none, and all four of the same generation;
 *   - of a writer's metrics, the first n without a gap, n never falling;
 *   - of a preference, one row, its usage count never falling;
 *   - while a view is open, the same counts at its end as at its beginning.
 *
 * Texts carry their own length and letter, so a torn or half-written one shows.
 *
 *     stores_and_reads [STORES] [WRITERS] [READERS]
 *
 * Runs in memory and then in a directory, where snapshots are taken meanwhile, and
 * opens the directory again at the end to count what it kept. */
#include "crew.h"

#include <inttypes.h>
#include <knackdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROWS_A_BATCH = 4,
    SHARED_PREFERENCES = 7,
    TEXT_BYTES_MAX = 3000,
    CALLS_A_ROUND = 4,
};

enum {
    EVERY_STORE_SUCCEEDS,
    A_STORE_IS_VISIBLE_TO_ITS_WRITER,
    A_BATCH_IS_SEEN_WHOLE,
    A_BATCH_IS_OF_ONE_GENERATION,
    A_TAG_IS_FOUND_ONCE_FOR_EACH_ROW,
    TEXT_IS_NEVER_TORN,
    METRICS_HAVE_NO_GAP,
    WHAT_WAS_SEEN_STAYS_SEEN,
    SEQUENCES_RISE,
    A_VIEW_STANDS_STILL,
    PREFERENCES_ARE_ONE_ROW_EACH,
    SNAPSHOTS_SUCCEED,
    STATISTICS_ARE_CONSISTENT,
    ALL_IS_THERE_AT_THE_END,
    ALL_IS_THERE_AFTER_REOPENING,
    CLAIMS
};

static struct claim claims[CLAIMS] = {
    [EVERY_STORE_SUCCEEDS] = { .text = "every store succeeds" },
    [A_STORE_IS_VISIBLE_TO_ITS_WRITER] = { .text = "a writer's next view sees what its last call stored" },
    [A_BATCH_IS_SEEN_WHOLE] = { .text = "a batch is seen whole or not at all" },
    [A_BATCH_IS_OF_ONE_GENERATION] = { .text = "a replaced batch is all old or all new" },
    [A_TAG_IS_FOUND_ONCE_FOR_EACH_ROW] = { .text = "a query finds each row of a batch once" },
    [TEXT_IS_NEVER_TORN] = { .text = "a text is never torn" },
    [METRICS_HAVE_NO_GAP] = { .text = "of one writer's stores a view sees the first n without a gap" },
    [WHAT_WAS_SEEN_STAYS_SEEN] = { .text = "what one view saw, the thread's next view sees too" },
    [SEQUENCES_RISE] = { .text = "sequences of a thread's views never fall" },
    [A_VIEW_STANDS_STILL] = { .text = "counts and sequence stay the same while a view is open" },
    [PREFERENCES_ARE_ONE_ROW_EACH] = { .text = "a preference is one row however many store it at once" },
    [SNAPSHOTS_SUCCEED] = { .text = "snapshots succeed beside writers and readers" },
    [STATISTICS_ARE_CONSISTENT] = { .text = "statistics are consistent beside writers and readers" },
    [ALL_IS_THERE_AT_THE_END] = { .text = "nothing is missing and nothing is double at the end" },
    [ALL_IS_THERE_AFTER_REOPENING] = { .text = "nothing is missing and nothing is double after reopening" },
};

struct race {
    knackdb *db;
    uint32_t writers;
    uint32_t readers;
    uint32_t rounds; /* of CALLS_A_ROUND store calls, a writer */
    bool     in_directory;
};

/* "LENGTH:" and then one letter up to LENGTH bytes. */
static void
text_make(char text[TEXT_BYTES_MAX + 1], uint32_t length, char letter)
{
    int head = snprintf(text, TEXT_BYTES_MAX, "%04u:", length);

    memset(text + head, letter, length - (uint32_t) head);
    text[length] = '\0';
}

static bool
text_is_whole(knackdb_text text)
{
    size_t length;

    if (text.data == NULL || text.length < 6 || text.data[4] != ':')
        return false;
    length = (size_t) (text.data[0] - '0') * 1000 + (size_t) (text.data[1] - '0') * 100 +
             (size_t) (text.data[2] - '0') * 10 + (size_t) (text.data[3] - '0');
    if (length != text.length)
        return false;
    for (size_t i = 6; i < text.length; i++)
        if (text.data[i] != text.data[5])
            return false;
    return true;
}

static void
batch_names(uint32_t writer, uint32_t round, char tag[40], char ids[ROWS_A_BATCH][48])
{
    (void) snprintf(tag, 40, "tag-%u-%u", writer, round);
    for (uint32_t i = 0; i < ROWS_A_BATCH; i++)
        (void) snprintf(ids[i], 48, "row-%u-%u-%u", writer, round, i);
}

static void
store_batch(struct worker *worker, uint32_t round, int64_t generation)
{
    static const knackdb_pattern nothing;
    knackdb_pattern              patterns[ROWS_A_BATCH];
    char                         tag[40], ids[ROWS_A_BATCH][48];
    char                         texts[ROWS_A_BATCH][TEXT_BYTES_MAX + 1];
    knackdb_error                error;
    knackdb_status               status;

    batch_names(worker->number, round, tag, ids);
    for (uint32_t i = 0; i < ROWS_A_BATCH; i++) {
        text_make(texts[i], 8 + random_below(&worker->random, i == 0 ? TEXT_BYTES_MAX - 8 : 100),
                  (char) ('a' + random_below(&worker->random, 26)));
        patterns[i] = nothing;
        patterns[i].task_type = knackdb_string(tag);
        patterns[i].pattern_used = knackdb_string(i % 2 == 0 ? "even" : "odd");
        patterns[i].success_rate = 0.5;
        patterns[i].agent_count = (int64_t) i;
        patterns[i].usage_count = generation;
        patterns[i].context_factors = knackdb_string(texts[i]);
        patterns[i].external_id = knackdb_string(ids[i]);
    }
    status = knackdb_patterns_store(worker->race->db, patterns, ROWS_A_BATCH, KNACKDB_STORE_REPLACE, NULL, &error);
    claim_check(&claims[EVERY_STORE_SUCCEEDS], status == KNACKDB_OK, "batch: %s", error.message);
}

static void
store_metric(struct worker *worker, uint32_t round)
{
    knackdb_metric metric = knackdb_metric_default();
    char           component[32];
    knackdb_error  error;
    knackdb_status status;

    (void) snprintf(component, sizeof component, "writer-%u", worker->number);
    metric.component_name = knackdb_string(component);
    metric.metric_name = knackdb_string(round % 2 == 0 ? "even" : "odd");
    metric.metric_value = round;
    metric.baseline_value = 4;
    metric.nulls &= ~KNACKDB_BIT(KNACKDB_METRIC_BASELINE_VALUE);
    metric.measured_at = round;
    status = knackdb_metric_store(worker->race->db, &metric, NULL, &error);
    claim_check(&claims[EVERY_STORE_SUCCEEDS], status == KNACKDB_OK, "metric: %s", error.message);
}

static void
store_preference(struct worker *worker, uint32_t round)
{
    knackdb_preference preference = knackdb_preference_default();
    char               value[32];
    knackdb_error      error;
    knackdb_status     status;

    (void) snprintf(value, sizeof value, "value-%u", (round + worker->number) % SHARED_PREFERENCES);
    preference.preference_type = knackdb_string("shared");
    preference.preference_value = knackdb_string(value);
    status = knackdb_preference_store(worker->race->db, &preference, NULL, &error);
    claim_check(&claims[EVERY_STORE_SUCCEEDS], status == KNACKDB_OK, "preference: %s", error.message);
}

static void *
write_rows(void *argument)
{
    struct worker *worker = argument;
    struct race   *race = worker->race;

    worker_begin(worker);
    for (uint32_t round = 0; round < race->rounds; round++) {
        knackdb_read *read;

        store_batch(worker, round, 1);
        store_metric(worker, round);
        store_preference(worker, round);
        store_batch(worker, round, 2);

        if (round % 8 == 0 && knackdb_read_begin(race->db, &read, NULL) == KNACKDB_OK) {
            char            tag[40], ids[ROWS_A_BATCH][48];
            knackdb_row     row;
            knackdb_pattern pattern;
            knackdb_status  status;

            memset(&pattern, 0, sizeof pattern);
            batch_names(worker->number, round, tag, ids);
            status = knackdb_read_by_external_id(read, knackdb_string(ids[round % ROWS_A_BATCH]), &row);
            if (status == KNACKDB_OK)
                knackdb_read_pattern(read, row, &pattern);
            claim_check(&claims[A_STORE_IS_VISIBLE_TO_ITS_WRITER], status == KNACKDB_OK && pattern.usage_count == 2,
                        "%s: %s, generation %" PRId64, ids[round % ROWS_A_BATCH], knackdb_status_text(status),
                        pattern.usage_count);
            knackdb_read_end(read);
        }
    }
    writer_end(worker);
    return NULL;
}

/* How many rows of a batch the view holds, 0 to ROWS_A_BATCH, checked cell by cell. */
static uint32_t
look_at_batch(knackdb_read *read, uint32_t writer, uint32_t round)
{
    char              tag[40], ids[ROWS_A_BATCH][48];
    uint32_t          found = 0;
    int64_t           generations[ROWS_A_BATCH] = { 0 };
    knackdb_query     query;
    knackdb_rows      rows;
    knackdb_condition condition;
    knackdb_error     error;
    knackdb_status    status;

    batch_names(writer, round, tag, ids);
    for (uint32_t i = 0; i < ROWS_A_BATCH; i++) {
        knackdb_row     row;
        knackdb_pattern pattern;

        if (knackdb_read_by_external_id(read, knackdb_string(ids[i]), &row) != KNACKDB_OK)
            continue;
        knackdb_read_pattern(read, row, &pattern);
        generations[found++] = pattern.usage_count;
        claim_check(&claims[TEXT_IS_NEVER_TORN],
                    text_is_whole(pattern.context_factors) && pattern.agent_count == (int64_t) i &&
                        pattern.task_type.length == strlen(tag) &&
                        memcmp(pattern.task_type.data, tag, strlen(tag)) == 0,
                    "%s: %.*s", ids[i],
                    (int) (pattern.context_factors.length < 60 ? pattern.context_factors.length : 60),
                    pattern.context_factors.data != NULL ? pattern.context_factors.data : "(null)");
    }
    claim_check(&claims[A_BATCH_IS_SEEN_WHOLE], found == 0 || found == ROWS_A_BATCH, "%s: %u rows", tag, found);
    for (uint32_t i = 1; i < found; i++)
        claim_check(&claims[A_BATCH_IS_OF_ONE_GENERATION], generations[i] == generations[0],
                    "%s: %" PRId64 " beside %" PRId64, tag, generations[i], generations[0]);

    memset(&query, 0, sizeof query);
    condition = knackdb_where_text(KNACKDB_PATTERN_TASK_TYPE, tag);
    query.conditions = &condition;
    query.condition_count = 1;
    status = knackdb_read_find(read, &query, &rows, &error);
    claim_check(&claims[A_TAG_IS_FOUND_ONCE_FOR_EACH_ROW], status == KNACKDB_OK && rows.count == found,
                "%s: %s, %zu by query, %u by key", tag, knackdb_status_text(status),
                status == KNACKDB_OK ? rows.count : 0, found);
    return found;
}

/* How many of a writer's metrics the view holds, their values checked to be 0, 1, 2 ... */
static uint64_t
look_at_metrics(knackdb_read *read, uint32_t writer)
{
    char              component[32];
    knackdb_query     query;
    knackdb_condition condition;
    knackdb_rows      rows;

    (void) snprintf(component, sizeof component, "writer-%u", writer);
    memset(&query, 0, sizeof query);
    condition = knackdb_where_text(KNACKDB_METRIC_COMPONENT_NAME, component);
    query.table = KNACKDB_PERFORMANCE_METRICS;
    query.conditions = &condition;
    query.condition_count = 1;
    query.order[0].column = KNACKDB_METRIC_MEASURED_AT;
    query.order_count = 1;
    if (!claim_check(&claims[METRICS_HAVE_NO_GAP], knackdb_read_find(read, &query, &rows, NULL) == KNACKDB_OK,
                     "the query failed"))
        return 0;
    for (size_t i = 0; i < rows.count; i++) {
        knackdb_metric metric;

        knackdb_read_metric(read, rows.rows[i], &metric);
        claim_check(&claims[METRICS_HAVE_NO_GAP],
                    metric.metric_value == (double) i &&
                        metric.improvement_percentage == ((double) i - 4.0) / 4.0 * 100.0,
                    "place %zu holds %g, improvement %g", i, metric.metric_value, metric.improvement_percentage);
    }
    return rows.count;
}

static int64_t
look_at_preferences(knackdb_read *read)
{
    knackdb_query query;
    knackdb_rows  rows;
    int64_t       usage_count = 0;
    bool          found;

    memset(&query, 0, sizeof query);
    query.table = KNACKDB_USER_PREFERENCES;
    found = knackdb_read_find(read, &query, &rows, NULL) == KNACKDB_OK;
    claim_check(&claims[PREFERENCES_ARE_ONE_ROW_EACH], found && rows.count <= SHARED_PREFERENCES, "%zu rows",
                found ? rows.count : 0);
    for (size_t i = 0; found && i < rows.count; i++) {
        knackdb_preference preference;
        knackdb_row        row;

        knackdb_read_preference(read, rows.rows[i], &preference);
        usage_count += preference.usage_count;
        claim_check(&claims[PREFERENCES_ARE_ONE_ROW_EACH],
                    knackdb_read_by_preference(read, preference.preference_type, preference.preference_value, &row) ==
                            KNACKDB_OK &&
                        row == rows.rows[i],
                    "key and query disagree on %.*s", (int) preference.preference_value.length,
                    preference.preference_value.data);
    }
    return usage_count;
}

static void
count_tables(knackdb_read *read, uint64_t counts[3])
{
    for (int table = 0; table < 3; table++) {
        knackdb_query query;

        memset(&query, 0, sizeof query);
        query.table = table;
        counts[table] = UINT64_MAX;
        (void) knackdb_read_count(read, &query, &counts[table], NULL);
    }
}

static void *
read_rows(void *argument)
{
    struct worker *worker = argument;
    struct race   *race = worker->race;
    uint64_t       sequence_before = 0;
    uint64_t       metrics_before[CREW_WRITERS_MAX] = { 0 };
    int64_t        usage_before = 0;
    bool           last = false;

    worker_begin(worker);
    for (;;) {
        knackdb_read *read;
        uint64_t      counts[3], counts_after[3], sequence, metrics;
        int64_t       usage_count;
        uint32_t      writer = random_below(&worker->random, race->writers);

        if (knackdb_read_begin(race->db, &read, NULL) != KNACKDB_OK) {
            claim_check(&claims[SEQUENCES_RISE], false, "a read view could not begin");
            break;
        }
        sequence = knackdb_read_sequence(read);
        claim_check(&claims[SEQUENCES_RISE], sequence >= sequence_before, "%" PRIu64 " after %" PRIu64, sequence,
                    sequence_before);
        sequence_before = sequence;
        count_tables(read, counts);
        claim_check(&claims[A_BATCH_IS_SEEN_WHOLE], counts[0] % ROWS_A_BATCH == 0, "%" PRIu64 " patterns", counts[0]);

        metrics = look_at_metrics(read, writer);
        claim_check(&claims[WHAT_WAS_SEEN_STAYS_SEEN], metrics >= metrics_before[writer],
                    "%" PRIu64 " metrics after %" PRIu64, metrics, metrics_before[writer]);
        metrics_before[writer] = metrics;
        /* The batch being written now, one long there, one not yet there. */
        if (metrics > 0) {
            look_at_batch(read, writer, (uint32_t) metrics - 1);
            look_at_batch(read, writer, random_below(&worker->random, (uint32_t) metrics));
        }
        look_at_batch(read, writer, (uint32_t) metrics);

        usage_count = look_at_preferences(read);
        claim_check(&claims[WHAT_WAS_SEEN_STAYS_SEEN], usage_count >= usage_before, "usage %" PRId64 " after %" PRId64,
                    usage_count, usage_before);
        usage_before = usage_count;

        count_tables(read, counts_after);
        claim_check(&claims[A_VIEW_STANDS_STILL],
                    memcmp(counts, counts_after, sizeof counts) == 0 && knackdb_read_sequence(read) == sequence,
                    "%" PRIu64 " patterns, then %" PRIu64, counts[0], counts_after[0]);
        knackdb_read_end(read);
        if (last)
            break;
        last = writers_have_ended(worker); /* once more, for the end */
    }
    return NULL;
}

/* Takes statistics and, in a directory, snapshots until the writers are done. */
static void *
watch(void *argument)
{
    struct worker *worker = argument;
    struct race   *race = worker->race;
    uint64_t       sequence_before = 0;
    bool           last = false;

    worker_begin(worker);
    for (;;) {
        knackdb_stats          stats;
        knackdb_slow_operation slow[KNACKDB_SLOW_OPERATIONS_KEPT];
        size_t                 slow_count = 0;
        knackdb_error          error;
        knackdb_status         status;

        memset(&stats, 0, sizeof stats);
        stats.struct_size = sizeof stats;
        status = knackdb_get_stats(race->db, &stats, &error);
        claim_check(&claims[STATISTICS_ARE_CONSISTENT],
                    status == KNACKDB_OK && stats.state == KNACKDB_STATE_OK && stats.sequence >= sequence_before &&
                        stats.durable_sequence <= stats.sequence &&
                        stats.tables[0].row_count <= stats.tables[0].version_count,
                    "%s, sequence %" PRIu64 " after %" PRIu64, knackdb_status_text(status), stats.sequence,
                    sequence_before);
        sequence_before = stats.sequence;
        status = knackdb_slow_operations(race->db, slow, KNACKDB_SLOW_OPERATIONS_KEPT, &slow_count, &error);
        claim_check(&claims[STATISTICS_ARE_CONSISTENT],
                    status == KNACKDB_OK && slow_count <= KNACKDB_SLOW_OPERATIONS_KEPT, "%zu slow operations",
                    slow_count);
        if (race->in_directory) {
            status = knackdb_snapshot(race->db, &error);
            claim_check(&claims[SNAPSHOTS_SUCCEED], status == KNACKDB_OK, "%s", error.message);
            status = knackdb_sync(race->db, &error);
            claim_check(&claims[SNAPSHOTS_SUCCEED], status == KNACKDB_OK, "sync: %s", error.message);
        }
        if (last)
            break;
        last = writers_have_ended(worker);
    }
    return NULL;
}

static void
check_the_end(struct race *race, struct claim *claim)
{
    knackdb_read *read;
    knackdb_error error;
    uint64_t      counts[3];
    uint64_t      calls = (uint64_t) race->writers * race->rounds;

    if (!claim_check(claim, knackdb_read_begin(race->db, &read, &error) == KNACKDB_OK, "%s", error.message))
        return;
    count_tables(read, counts);
    claim_check(claim, counts[0] == calls * ROWS_A_BATCH && counts[2] == calls,
                "%" PRIu64 " patterns, %" PRIu64 " metrics after %" PRIu64 " rounds", counts[0], counts[2], calls);
    claim_check(claim, look_at_preferences(read) == (int64_t) calls, "usage counts do not add up to %" PRIu64, calls);
    for (uint32_t writer = 0; writer < race->writers; writer++) {
        claim_check(claim, look_at_metrics(read, writer) == race->rounds, "metrics of writer %u", writer);
        for (uint32_t round = 0; round < race->rounds; round++)
            claim_check(claim, look_at_batch(read, writer, round) == ROWS_A_BATCH, "batch %u of writer %u", round,
                        writer);
    }
    knackdb_read_end(read);
}

static void
run_race(struct crew *crew, const char *directory)
{
    struct race     race = { .writers = crew->writers };
    knackdb_error   error;
    knackdb_options options = knackdb_options_default();

    options.snapshot_log_bytes = 256 * 1024; /* so that the background thread takes some, too */
    race.in_directory = directory != NULL;
    race.rounds = crew->work / crew->writers / CALLS_A_ROUND;
    if (!claim_check(&claims[EVERY_STORE_SUCCEEDS], knackdb_open(directory, &options, &race.db, &error) == KNACKDB_OK,
                     "open: %s", error.message))
        return;
    crew_run(crew, &race, write_rows, read_rows, watch);
    check_the_end(&race, &claims[ALL_IS_THERE_AT_THE_END]);
    claim_check(&claims[ALL_IS_THERE_AT_THE_END], knackdb_close(race.db, &error) == KNACKDB_OK, "close: %s",
                error.message);

    if (directory != NULL &&
        claim_check(&claims[ALL_IS_THERE_AFTER_REOPENING],
                    knackdb_open(directory, NULL, &race.db, &error) == KNACKDB_OK, "%s", error.message)) {
        check_the_end(&race, &claims[ALL_IS_THERE_AFTER_REOPENING]);
        knackdb_close(race.db, NULL);
    }
}

int
main(int count, char **arguments)
{
    struct crew crew = crew_from_arguments(count, arguments, 10000, 10, 10);

    return crew_run_twice(&crew, run_race, claims, CLAIMS);
}
