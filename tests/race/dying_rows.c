/* dying_rows.c - readers keep views open while what they see dies, is moved and is given back around them.
 *
 * Writers keep a window of rows: each step stores a batch in which every text is new, changes
 * some rows that are there, deletes some, and cleans up what has become old. The store's own
 * thread gives chunks, texts, codes and ids back behind them, and other rows take their places.
 * What a reader may see, whatever the timing:
 *
 *   - the rows of a batch together: all or none, until one is deleted or changed;
 *   - each row saying the same in all of its columns, found by id, by external_id, by task type and by scan;
 *   - in one view, however long it stays open, always the same rows and the same texts;
 *   - at the end hardly more versions than rows.
 *
 *     dying_rows [STEPS] [WRITERS] [READERS] */
#include "crew.h"

#include <inttypes.h>
#include <knackdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    BATCH = 40,  /* rows a step */
    WINDOW = 12, /* steps that stay */
    KEPT = 24,   /* rows that a reader remembers of a view */
};

enum { EVERY_CHANGE_SUCCEEDS, A_ROW_SAYS_ONE_THING, EVERY_WAY_LEADS_TO_IT, A_VIEW_STAYS, DEAD_ROWS_GO, CLAIMS };

static struct claim claims[CLAIMS] = {
    [EVERY_CHANGE_SUCCEEDS] = { .text = "every change succeeds" },
    [A_ROW_SAYS_ONE_THING] = { .text = "a row says the same in all of its columns" },
    [EVERY_WAY_LEADS_TO_IT] = { .text = "a row is found once by id, by external_id and by its text, the same version" },
    [A_VIEW_STAYS] = { .text = "a view that stays open gives the same rows and texts" },
    [DEAD_ROWS_GO] = { .text = "at the end hardly more versions than rows are there" },
};

struct race {
    knackdb *db;
    uint32_t steps; /* of each writer */
};

static void
must(knackdb_status status, const char *what, const knackdb_error *error)
{
    claim_check(&claims[EVERY_CHANGE_SUCCEEDS], status == KNACKDB_OK || status == KNACKDB_NOT_FOUND, "%s: %s", what,
                status == KNACKDB_OK || status == KNACKDB_NOT_FOUND ? "" : error->message);
}

/* What all texts of a row are, and its numbers say: writer, step, place in the batch. */
static knackdb_text
words_of(char *to, size_t bytes, int64_t said)
{
    return (knackdb_text) { to, (size_t) snprintf(to, bytes, "row %" PRId64 " and no other one", said) };
}

static int64_t
id_of(uint32_t writer, uint32_t step, uint32_t place)
{
    return 1 + (int64_t) place + BATCH * ((int64_t) step * CREW_WRITERS_MAX + writer);
}

static void
store_batch(struct worker *worker, uint32_t step)
{
    knackdb_pattern patterns[BATCH];
    char            texts[BATCH][64];
    knackdb        *db = worker->race->db;
    knackdb_error   error;

    memset(patterns, 0, sizeof patterns);
    for (uint32_t i = 0; i < BATCH; i++) {
        int64_t      id = id_of(worker->number, step, i);
        knackdb_text words = words_of(texts[i], sizeof texts[i], id);

        patterns[i].id = id;
        patterns[i].task_type = patterns[i].tools_used = patterns[i].context_factors = patterns[i].external_id = words;
        patterns[i].pattern_used = knackdb_string("shared");
        patterns[i].execution_time = (double) id;
        patterns[i].created_at = (double) step;
    }
    must(knackdb_patterns_store(db, patterns, BATCH, KNACKDB_STORE_REPLACE, NULL, &error), "batch", &error);
}

static void *
change_rows(void *argument)
{
    struct worker *worker = argument;
    struct race   *race = worker->race;

    worker_begin(worker);
    for (uint32_t step = 0; step < race->steps; step++) {
        knackdb_error error;
        uint64_t      deleted;

        store_batch(worker, step);
        for (uint32_t i = 0; i < BATCH; i++) {
            uint32_t back = random_below(&worker->random, WINDOW);
            int64_t  id = id_of(worker->number, step > back ? step - back : step, random_below(&worker->random, BATCH));

            if (i % 8 == 0)
                must(knackdb_delete(race->db, KNACKDB_EXECUTION_PATTERNS, id, &error), "delete", &error);
            else
                must(knackdb_pattern_set_weight(race->db, id, 0.5, &error), "weight", &error);
        }
        /* What another writer has not come to yet is not cleaned up: all are about as far. */
        if (step > WINDOW && step % 4 == 0)
            must(knackdb_clean_up_before(race->db, KNACKDB_EXECUTION_PATTERNS, (double) (step - WINDOW), &deleted,
                                         &error),
                 "clean up", &error);
    }
    writer_end(worker);
    return NULL;
}

static bool
says(knackdb_text text, int64_t id)
{
    char         words[64];
    knackdb_text wanted = words_of(words, sizeof words, id);

    return text.length == wanted.length && memcmp(text.data, wanted.data, wanted.length) == 0;
}

static bool
says_one_thing(const knackdb_pattern *pattern)
{
    return says(pattern->task_type, pattern->id) && says(pattern->tools_used, pattern->id) &&
           says(pattern->context_factors, pattern->id) && says(pattern->external_id, pattern->id) &&
           pattern->execution_time == (double) pattern->id && pattern->pattern_used.length == 6 &&
           memcmp(pattern->pattern_used.data, "shared", 6) == 0;
}

/* Every other way to the row gives the same one. */
static void
look_from_all_sides(knackdb_read *read, knackdb_row row, const knackdb_pattern *pattern)
{
    char              words[64];
    knackdb_condition condition;
    knackdb_query     query;
    knackdb_rows      rows;
    knackdb_row       by_id = 0, by_external_id = 0;
    bool              found;

    (void) words_of(words, sizeof words, pattern->id);
    condition = knackdb_where_text(KNACKDB_PATTERN_TASK_TYPE, words);
    memset(&query, 0, sizeof query);
    query.conditions = &condition;
    query.condition_count = 1;
    query.limit = 3; /* so that answers are kept */
    found = knackdb_read_by_id(read, KNACKDB_EXECUTION_PATTERNS, pattern->id, &by_id) == KNACKDB_OK &&
            knackdb_read_by_external_id(read, knackdb_string(words), &by_external_id) == KNACKDB_OK &&
            knackdb_read_find(read, &query, &rows, NULL) == KNACKDB_OK;
    claim_check(&claims[EVERY_WAY_LEADS_TO_IT],
                found && by_id == row && by_external_id == row && rows.count == 1 && rows.rows[0] == row,
                "%s: found %d; rows %" PRIu64 ", %" PRIu64 ", %" PRIu64 " (%zu)", words, found, row, by_id,
                by_external_id, found ? rows.count : 0);
}

struct remembered {
    knackdb_row     row;
    knackdb_pattern pattern; /* texts are the store's, good as long as the view */
};

/* Some rows of a view, and how many there are. */
static uint64_t
remember(struct worker *worker, knackdb_read *read, struct remembered *rows, size_t *ret_count)
{
    knackdb_condition condition = knackdb_where_text(KNACKDB_PATTERN_PATTERN_USED, "shared");
    knackdb_query     query;
    knackdb_rows      found;
    uint64_t          count = UINT64_MAX;

    memset(&query, 0, sizeof query);
    query.conditions = &condition;
    query.condition_count = 1;
    query.limit = KEPT;
    query.offset = random_below(&worker->random, 100);
    *ret_count = 0;
    if (knackdb_read_find(read, &query, &found, NULL) == KNACKDB_OK)
        for (size_t i = 0; i < found.count; i++) {
            rows[i].row = found.rows[i];
            knackdb_read_pattern(read, found.rows[i], &rows[i].pattern);
            claim_check(&claims[A_ROW_SAYS_ONE_THING], says_one_thing(&rows[i].pattern), "row %" PRId64 ": %.*s",
                        rows[i].pattern.id, (int) rows[i].pattern.task_type.length, rows[i].pattern.task_type.data);
            *ret_count = i + 1;
        }
    query.limit = query.offset = 0;
    (void) knackdb_read_count(read, &query, &count, NULL);
    return count;
}

static void
look_again(knackdb_read *read, const struct remembered *rows, size_t count, uint64_t all)
{
    knackdb_query query;
    uint64_t      now = UINT64_MAX;

    for (size_t i = 0; i < count; i++) {
        knackdb_pattern again;

        knackdb_read_pattern(read, rows[i].row, &again);
        claim_check(&claims[A_VIEW_STAYS],
                    again.id == rows[i].pattern.id && says_one_thing(&again) && says_one_thing(&rows[i].pattern),
                    "row %" PRId64 " has become %" PRId64, rows[i].pattern.id, again.id);
        look_from_all_sides(read, rows[i].row, &rows[i].pattern);
    }
    memset(&query, 0, sizeof query); /* all rows, by walking through the chunks */
    (void) knackdb_read_count(read, &query, &now, NULL);
    claim_check(&claims[A_VIEW_STAYS], now == all, "%" PRIu64 " rows have become %" PRIu64, all, now);
}

static void *
read_rows(void *argument)
{
    struct worker *worker = argument;
    struct race   *race = worker->race;
    bool           last = false;

    worker_begin(worker);
    while (!last) {
        struct timespec   pause = { .tv_nsec = (long) random_below(&worker->random, 4) * 3000000 };
        struct remembered rows[KEPT];
        knackdb_read     *read;
        size_t            count;
        uint64_t          all;

        last = writers_have_ended(worker);
        if (!claim_check(&claims[A_VIEW_STAYS], knackdb_read_begin(race->db, &read, NULL) == KNACKDB_OK, "no view"))
            break;
        all = remember(worker, read, rows, &count);
        for (uint32_t looks = random_below(&worker->random, 4) + 1; looks > 0; looks--) {
            look_again(read, rows, count, all);
            (void) nanosleep(&pause, NULL);
        }
        knackdb_read_end(read);
    }
    return NULL;
}

/* What is dead goes behind the last commit; nobody is told when. A minute is no measure of it, only an end. */
static void
check_the_end(struct race *race)
{
    const struct timespec pause = { .tv_nsec = 20000000 };
    knackdb_stats         stats;
    knackdb_error         error;
    uint64_t              deleted;

    must(knackdb_clean_up_before(race->db, KNACKDB_EXECUTION_PATTERNS, 1e18, &deleted, &error), "clean up all", &error);
    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    for (int waits = 0; waits < 3000; waits++) {
        if (knackdb_get_stats(race->db, &stats, &error) != KNACKDB_OK || stats.tables[0].version_count < 2048)
            break;
        (void) nanosleep(&pause, NULL);
    }
    claim_check(&claims[DEAD_ROWS_GO], stats.tables[0].row_count == 0 && stats.tables[0].version_count < 2048,
                "%" PRIu64 " versions of %" PRIu64 " rows", stats.tables[0].version_count, stats.tables[0].row_count);
}

int
main(int count, char **arguments)
{
    struct crew   crew = crew_from_arguments(count, arguments, 800, 2, 3);
    struct race   race = { .steps = crew.work / crew.writers };
    knackdb_error error;

    if (claim_check(&claims[EVERY_CHANGE_SUCCEEDS], knackdb_open(NULL, NULL, &race.db, &error) == KNACKDB_OK,
                    "open: %s", error.message)) {
        crew_run(&crew, &race, change_rows, read_rows, NULL);
        check_the_end(&race);
        knackdb_close(race.db, NULL);
    }
    return claims_report(claims, CLAIMS);
}
