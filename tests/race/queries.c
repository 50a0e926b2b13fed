/* queries.c - every way to ask gives the same answer in one view, while rows come and go.
 *
 * Writers store, replace, delete and clean up patterns of a few task types. Readers
 * ask the same question of one view in four ways: by a plain query, by a query
 * prepared once and shared by all threads, again (so that the answer may come from
 * the result cache), and by walking all rows of the view and choosing and sorting
 * by hand. All four must agree, and counts and aggregates with them, whatever was
 * stored meanwhile. The copying calls, which make views of their own, must return
 * rows that satisfy the question.
 *
 *     queries [CHANGES] [WRITERS] [READERS] */
#include "crew.h"

#include <inttypes.h>
#include <knackdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TASK_TYPES = 5,
    IDS = 300,
    LIMIT = 10,
};

enum {
    EVERY_CHANGE_SUCCEEDS,
    EVERY_QUESTION_IS_ANSWERED,
    PREPARED_EQUALS_PLAIN,
    ASKED_AGAIN_IS_THE_SAME,
    BY_HAND_IS_THE_SAME,
    COUNTS_AGREE,
    AGGREGATES_AGREE,
    COPIES_SATISFY_THE_QUESTION,
    AN_OLD_VIEW_ANSWERS_AS_BEFORE,
    CLAIMS
};

static struct claim claims[CLAIMS] = {
    [EVERY_CHANGE_SUCCEEDS] = { .text = "every change succeeds" },
    [EVERY_QUESTION_IS_ANSWERED] = { .text = "every question is answered" },
    [PREPARED_EQUALS_PLAIN] = { .text = "a prepared query gives the rows of the plain one" },
    [ASKED_AGAIN_IS_THE_SAME] = { .text = "asked again, a view gives the same rows" },
    [BY_HAND_IS_THE_SAME] = { .text = "choosing and sorting by hand gives the rows of the query" },
    [COUNTS_AGREE] = { .text = "counts agree with the rows found" },
    [AGGREGATES_AGREE] = { .text = "aggregates agree with the rows found" },
    [COPIES_SATISFY_THE_QUESTION] = { .text = "copied answers satisfy the question, in order" },
    [AN_OLD_VIEW_ANSWERS_AS_BEFORE] = { .text = "a view held open answers as before" },
};

struct race {
    knackdb          *db;
    uint32_t          changes;
    knackdb_prepared *prepared[TASK_TYPES]; /* made before the threads start; only read after */
};

static const char *const task_types[TASK_TYPES] = { "sort", "hash", "pack", "search", "\xc3\xbcmlaut" };

static knackdb_pattern
random_pattern(uint32_t *random, int64_t id)
{
    knackdb_pattern pattern;

    memset(&pattern, 0, sizeof pattern);
    pattern.id = id;
    pattern.task_type = knackdb_string(task_types[random_below(random, TASK_TYPES)]);
    pattern.pattern_used = knackdb_string(random_below(random, 2) == 0 ? "quick" : "slow");
    pattern.execution_time = random_below(random, 50);
    pattern.success_rate = random_below(random, 11) / 10.0;
    pattern.confidence_score = random_below(random, 1001) / 1000.0; /* of few, no list would have leaders */
    if (random_below(random, 10) == 0)
        pattern.nulls |= KNACKDB_BIT(KNACKDB_PATTERN_CONFIDENCE_SCORE);
    pattern.tools_used = knackdb_string("[\"cat\", \"sed\"]");
    pattern.created_at = random_below(random, 1000);
    pattern.usage_count = random_below(random, 20);
    return pattern;
}

static void *
change_rows(void *argument)
{
    struct worker *worker = argument;
    struct race   *race = worker->race;

    worker_begin(worker);
    for (uint32_t change = 0; change < race->changes; change++) {
        knackdb_pattern patterns[8];
        uint32_t        kind = random_below(&worker->random, 100);
        knackdb_error   error;
        knackdb_status  status;

        if (kind < 60) {
            patterns[0] = random_pattern(&worker->random, 1 + random_below(&worker->random, IDS));
            status = knackdb_pattern_store(race->db, &patterns[0], NULL, &error);
        } else if (kind < 75) {
            for (uint32_t i = 0; i < 8; i++)
                patterns[i] = random_pattern(&worker->random, 1 + random_below(&worker->random, IDS));
            status = knackdb_patterns_store(race->db, patterns, 8, KNACKDB_STORE_REPLACE, NULL, &error);
        } else if (kind < 98) {
            status =
                knackdb_delete(race->db, KNACKDB_EXECUTION_PATTERNS, 1 + random_below(&worker->random, IDS), &error);
            if (status == KNACKDB_NOT_FOUND)
                status = KNACKDB_OK;
        } else {
            status = knackdb_clean_up_before(race->db, KNACKDB_EXECUTION_PATTERNS, random_below(&worker->random, 500),
                                             NULL, &error);
        }
        claim_check(&claims[EVERY_CHANGE_SUCCEEDS], status == KNACKDB_OK, "%s", error.message);
    }
    writer_end(worker);
    return NULL;
}

/* task_type = X and success_rate >= 0.5, the ten of highest confidence; of equal ones the fastest first, or, for every
 * second X, the one of the least id: that is answered in another way. */
struct question {
    knackdb_condition conditions[2];
    knackdb_query     query;
};

static bool
is_by_speed(uint32_t type)
{
    return type % 2 == 0;
}

static void
question_init(struct question *question, uint32_t type)
{
    memset(question, 0, sizeof *question);
    question->conditions[0] = knackdb_where_text(KNACKDB_PATTERN_TASK_TYPE, task_types[type]);
    question->conditions[1] = knackdb_where_at_least(KNACKDB_PATTERN_SUCCESS_RATE, 0.5);
    question->query.conditions = question->conditions;
    question->query.condition_count = 2;
    question->query.order[0].column = KNACKDB_PATTERN_CONFIDENCE_SCORE;
    question->query.order[0].descending = true;
    question->query.order[1].column = KNACKDB_PATTERN_EXECUTION_TIME;
    question->query.order_count = is_by_speed(type) ? 2 : 1;
    question->query.limit = LIMIT;
}

static bool
satisfies(const knackdb_pattern *pattern, uint32_t type)
{
    return pattern->task_type.length == strlen(task_types[type]) &&
           memcmp(pattern->task_type.data, task_types[type], pattern->task_type.length) == 0 &&
           pattern->success_rate >= 0.5;
}

/* Below 0 where a comes before b. NULL confidence is lowest, so last. */
static int
compare(const knackdb_pattern *a, const knackdb_pattern *b, bool by_speed)
{
    double confidence_a = (a->nulls & KNACKDB_BIT(KNACKDB_PATTERN_CONFIDENCE_SCORE)) != 0 ? -1 : a->confidence_score;
    double confidence_b = (b->nulls & KNACKDB_BIT(KNACKDB_PATTERN_CONFIDENCE_SCORE)) != 0 ? -1 : b->confidence_score;

    if (confidence_a != confidence_b)
        return confidence_a > confidence_b ? -1 : 1;
    if (by_speed && a->execution_time != b->execution_time)
        return a->execution_time < b->execution_time ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

static int
compare_by_speed(const void *a, const void *b)
{
    return compare(a, b, true);
}

static int
compare_by_id(const void *a, const void *b)
{
    return compare(a, b, false);
}

/* Chooses among all rows of the view; returns how many match. */
static size_t
answer_by_hand(knackdb_read *read, uint32_t type, knackdb_pattern matches[IDS])
{
    knackdb_query everything;
    knackdb_rows  all;
    size_t        count = 0;

    memset(&everything, 0, sizeof everything);
    if (!claim_check(&claims[EVERY_QUESTION_IS_ANSWERED],
                     knackdb_read_find(read, &everything, &all, NULL) == KNACKDB_OK, "all rows"))
        return 0;
    if (!claim_check(&claims[BY_HAND_IS_THE_SAME], all.count <= IDS, "%zu rows of %d ids", all.count, IDS))
        return 0;
    for (size_t i = 0; i < all.count; i++) {
        knackdb_read_pattern(read, all.rows[i], &matches[count]);
        count += satisfies(&matches[count], type);
    }
    qsort(matches, count, sizeof matches[0], is_by_speed(type) ? compare_by_speed : compare_by_id);
    return count;
}

static bool
same_rows(const knackdb_rows *a, const knackdb_rows *b)
{
    return a->count == b->count && (a->count == 0 || memcmp(a->rows, b->rows, a->count * sizeof a->rows[0]) == 0);
}

static void
ask_every_way(struct race *race, knackdb_read *read, uint32_t type)
{
    struct question      question;
    knackdb_rows         plain, prepared, again;
    uint64_t             count = 0;
    knackdb_pattern     *matches = malloc((IDS + 1) * sizeof *matches);
    size_t               match_count;
    const knackdb_group *groups;
    size_t               group_count;
    double               sum = 0;
    bool                 same;

    if (matches == NULL) {
        claim_check(&claims[EVERY_QUESTION_IS_ANSWERED], false, "no memory in the test");
        return;
    }
    question_init(&question, type);
    if (!claim_check(&claims[EVERY_QUESTION_IS_ANSWERED],
                     knackdb_read_find(read, &question.query, &plain, NULL) == KNACKDB_OK &&
                         knackdb_read_find_prepared(read, race->prepared[type], &prepared, NULL) == KNACKDB_OK &&
                         knackdb_read_find(read, &question.query, &again, NULL) == KNACKDB_OK &&
                         knackdb_read_count(read, &question.query, &count, NULL) == KNACKDB_OK &&
                         knackdb_read_aggregate(read, &question.query, KNACKDB_PATTERN_USAGE_COUNT,
                                                KNACKDB_PATTERN_PATTERN_USED, NULL, 0, &groups, &group_count,
                                                NULL) == KNACKDB_OK,
                     "a question of the view"))
        goto out;
    claim_check(&claims[PREPARED_EQUALS_PLAIN], same_rows(&plain, &prepared), "%zu and %zu rows", plain.count,
                prepared.count);
    claim_check(&claims[ASKED_AGAIN_IS_THE_SAME], same_rows(&plain, &again), "%zu and %zu rows", plain.count,
                again.count);

    match_count = answer_by_hand(read, type, matches);
    claim_check(&claims[COUNTS_AGREE], count == match_count, "%" PRIu64 " counted, %zu by hand", count, match_count);
    same = plain.count == (match_count < LIMIT ? match_count : LIMIT);
    for (size_t i = 0; same && i < plain.count; i++)
        same = knackdb_read_value(read, KNACKDB_EXECUTION_PATTERNS, plain.rows[i], KNACKDB_PATTERN_ID).as.integer ==
               matches[i].id;
    claim_check(&claims[BY_HAND_IS_THE_SAME], same, "%zu rows by query, %zu by hand before the limit", plain.count,
                match_count);

    for (size_t i = 0; i < match_count; i++)
        sum += (double) matches[i].usage_count;
    for (size_t i = 0; i < group_count; i++) {
        sum -= groups[i].value_count > 0 ? groups[i].mean * (double) groups[i].value_count : 0;
        count -= groups[i].row_count;
    }
    claim_check(&claims[AGGREGATES_AGREE], sum < 1e-6 && sum > -1e-6 && count == 0,
                "the groups' sum is off by %g, their rows by %" PRId64, sum, (int64_t) count);
out:
    free(matches);
}

static void
ask_for_a_copy(struct race *race, uint32_t type)
{
    struct question  question;
    knackdb_pattern *patterns = NULL;
    size_t           count = 0;

    question_init(&question, type);
    if (!claim_check(&claims[EVERY_QUESTION_IS_ANSWERED],
                     knackdb_patterns_find(race->db, &question.query, &patterns, &count, NULL) == KNACKDB_OK, "a copy"))
        return;
    for (size_t i = 0; i < count; i++)
        claim_check(&claims[COPIES_SATISFY_THE_QUESTION],
                    satisfies(&patterns[i], type) &&
                        (i == 0 || compare(&patterns[i - 1], &patterns[i], is_by_speed(type)) < 0),
                    "row %zu, id %" PRId64, i, patterns[i].id);
    knackdb_free(patterns);
}

static void *
ask(void *argument)
{
    struct worker  *worker = argument;
    struct race    *race = worker->race;
    knackdb_read   *held = NULL;
    knackdb_rows    held_rows = { NULL, 0 };
    struct question held_question;
    bool            last = false;

    question_init(&held_question, worker->number % TASK_TYPES);
    worker_begin(worker);
    for (uint32_t round = 0;; round++) {
        knackdb_read *read;
        uint32_t      type = random_below(&worker->random, TASK_TYPES);

        if (knackdb_read_begin(race->db, &read, NULL) != KNACKDB_OK) {
            claim_check(&claims[EVERY_QUESTION_IS_ANSWERED], false, "a read view could not begin");
            break;
        }
        ask_every_way(race, read, type);
        knackdb_read_end(read);
        ask_for_a_copy(race, type);

        /* One view of each thread is held for a while and asked again. */
        if (held != NULL) {
            knackdb_rows rows;

            claim_check(&claims[AN_OLD_VIEW_ANSWERS_AS_BEFORE],
                        knackdb_read_find(held, &held_question.query, &rows, NULL) == KNACKDB_OK &&
                            same_rows(&rows, &held_rows),
                        "round %u", round);
        }
        if (round % 16 == 15) {
            knackdb_read_end(held);
            held = NULL;
        }
        if (held == NULL && knackdb_read_begin(race->db, &held, NULL) == KNACKDB_OK)
            claim_check(&claims[EVERY_QUESTION_IS_ANSWERED],
                        knackdb_read_find(held, &held_question.query, &held_rows, NULL) == KNACKDB_OK, "a held view");
        if (last)
            break;
        last = writers_have_ended(worker);
    }
    knackdb_read_end(held);
    return NULL;
}

static void
run_race(struct crew *crew, const char *directory)
{
    struct race     race = { .changes = crew->work / crew->writers };
    knackdb_options options = knackdb_options_default();
    knackdb_error   error;

    options.snapshot_log_bytes = 256 * 1024;
    options.cache_bytes_max = 64 * 1024; /* small, so that entries are thrown out, too */
    if (!claim_check(&claims[EVERY_CHANGE_SUCCEEDS], knackdb_open(directory, &options, &race.db, &error) == KNACKDB_OK,
                     "open: %s", error.message))
        return;
    for (uint32_t type = 0; type < TASK_TYPES; type++) {
        struct question question;

        question_init(&question, type);
        if (!claim_check(&claims[EVERY_QUESTION_IS_ANSWERED],
                         knackdb_prepare(race.db, &question.query, &race.prepared[type], &error) == KNACKDB_OK,
                         "prepare: %s", error.message))
            return;
    }
    crew_run(crew, &race, change_rows, ask, NULL);
    for (uint32_t type = 0; type < TASK_TYPES; type++)
        knackdb_prepared_free(race.prepared[type]);
    claim_check(&claims[EVERY_CHANGE_SUCCEEDS], knackdb_close(race.db, &error) == KNACKDB_OK, "close: %s",
                error.message);
}

int
main(int count, char **arguments)
{
    struct crew crew = crew_from_arguments(count, arguments, 10000, 4, 10);

    return crew_run_twice(&crew, run_race, claims, CLAIMS);
}
