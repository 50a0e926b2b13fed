/* same_rows.c - many threads change the same few rows; a reader finds each exactly once.
 *
 * A handful of patterns and a preference are changed over and over by weights, uses,
 * updates and replacements. What a reader may see, whatever the timing:
 *
 *   - by id, by external_id and by query the same one version of each row;
 *   - the columns of one update together: a version is all old or all new;
 *   - usage counts that never fall from one view to the next, and at the end
 *     exactly as many uses as were made: no update is lost;
 *   - a sum moved between two rows by a batch, the same in every view.
 *
 *     same_rows [CHANGES] [WRITERS] [READERS] */
#include "crew.h"

#include <inttypes.h>
#include <knackdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROWS = 6,
    ACCOUNT_SUM = 1000,
    FIRST_ACCOUNT_ID = 1000,
    COUNTED_ID = 500,
};

enum {
    EVERY_CHANGE_SUCCEEDS,
    ONE_VERSION_BY_EACH_KEY,
    ONE_VERSION_BY_QUERY,
    AN_UPDATE_IS_SEEN_WHOLE,
    THE_SUM_STAYS,
    USES_NEVER_FALL,
    NO_USE_IS_LOST,
    DELETED_AND_STORED_AGAIN_IS_ONE_OR_NONE,
    CLAIMS
};

static struct claim claims[CLAIMS] = {
    [EVERY_CHANGE_SUCCEEDS] = { .text = "every change succeeds" },
    [ONE_VERSION_BY_EACH_KEY] = { .text = "a row is found once by id and by external_id, the same version" },
    [ONE_VERSION_BY_QUERY] = { .text = "a query finds one version of each row, the one found by key" },
    [AN_UPDATE_IS_SEEN_WHOLE] = { .text = "the columns of an update are seen together" },
    [THE_SUM_STAYS] = { .text = "a sum moved between rows by a batch is the same in every view" },
    [USES_NEVER_FALL] = { .text = "usage counts never fall from one view to the next" },
    [NO_USE_IS_LOST] = { .text = "at the end every use was counted" },
    [DELETED_AND_STORED_AGAIN_IS_ONE_OR_NONE] = { .text = "a row deleted and stored again is seen once or not at all" },
};

struct race {
    knackdb         *db;
    uint32_t         writers;
    uint32_t         changes; /* of each writer */
    _Atomic uint64_t uses;    /* any writer adds; read after the join */
    _Atomic uint64_t preference_uses;
};

static void
must(knackdb_status status, const char *what, const knackdb_error *error)
{
    claim_check(&claims[EVERY_CHANGE_SUCCEEDS], status == KNACKDB_OK, "%s: %s", what,
                status == KNACKDB_OK ? "" : error->message);
}

/* A pattern whose task type, complexity, text and numbers all say `value`. */
static void
store_alike(knackdb *db, uint32_t row, uint32_t value)
{
    knackdb_pattern pattern;
    char            id[32], text[64];
    knackdb_error   error;

    memset(&pattern, 0, sizeof pattern);
    (void) snprintf(id, sizeof id, "same-%u", row);
    (void) snprintf(text, sizeof text, "%u", value);
    pattern.external_id = knackdb_string(id);
    pattern.task_type = knackdb_string("same");
    pattern.complexity_level = knackdb_string(text);
    pattern.context_factors = knackdb_string(text);
    pattern.execution_time = value;
    pattern.agent_count = value;
    pattern.nulls = KNACKDB_BIT(KNACKDB_PATTERN_USAGE_COUNT);
    must(knackdb_pattern_store(db, &pattern, NULL, &error), "replace", &error);
}

static void
update_alike(knackdb *db, uint32_t row, uint32_t value)
{
    static const uint32_t columns[4] = { KNACKDB_PATTERN_AGENT_COUNT, KNACKDB_PATTERN_CONTEXT_FACTORS,
                                         KNACKDB_PATTERN_EXECUTION_TIME, KNACKDB_PATTERN_COMPLEXITY_LEVEL };
    char                  text[64];
    knackdb_value         values[4];
    knackdb_error         error;

    (void) snprintf(text, sizeof text, "%u", value);
    values[0] = knackdb_value_integer(value);
    values[1] = knackdb_value_text(knackdb_string(text));
    values[2] = knackdb_value_real(value);
    values[3] = knackdb_value_text(knackdb_string(text));
    /* Rows were stored first, in order: ids 1 to ROWS. */
    must(knackdb_update_row(db, KNACKDB_EXECUTION_PATTERNS, row + 1, columns, values, 4, &error), "update", &error);
}

/* Each writer owns two rows and moves amounts between them. */
static void
store_accounts(knackdb *db, uint32_t writer, int64_t amount)
{
    knackdb_pattern patterns[2];
    knackdb_error   error;

    memset(patterns, 0, sizeof patterns);
    for (uint32_t i = 0; i < 2; i++) {
        patterns[i].id = FIRST_ACCOUNT_ID + 2 * (int64_t) writer + i;
        patterns[i].task_type = knackdb_string("account");
        patterns[i].usage_count = i == 0 ? amount : ACCOUNT_SUM - amount;
    }
    must(knackdb_patterns_store(db, patterns, 2, KNACKDB_STORE_REPLACE, NULL, &error), "transfer", &error);
}

static void
store_counted(knackdb *db)
{
    knackdb_pattern pattern;
    knackdb_error   error;

    memset(&pattern, 0, sizeof pattern);
    pattern.id = COUNTED_ID;
    pattern.task_type = knackdb_string("counted");
    pattern.external_id = knackdb_string("counted");
    must(knackdb_pattern_store(db, &pattern, NULL, &error), "counted", &error);
}

static void *
change_rows(void *argument)
{
    struct worker *worker = argument;
    struct race   *race = worker->race;
    knackdb       *db = race->db;
    char           own[32];

    (void) snprintf(own, sizeof own, "own-%u", worker->number);
    worker_begin(worker);
    for (uint32_t change = 0; change < race->changes; change++) {
        uint32_t      row = random_below(&worker->random, ROWS);
        uint32_t      value = random_below(&worker->random, 1000000);
        knackdb_error error;

        switch (random_below(&worker->random, 8)) {
        case 0: store_alike(db, row, value); break;
        case 1:
        case 2: update_alike(db, row, value); break;
        case 3: store_accounts(db, worker->number, (int64_t) random_below(&worker->random, 2000) - 500); break;
        case 4:
            must(knackdb_pattern_use(db, COUNTED_ID, &error), "use", &error);
            atomic_fetch_add_explicit(&race->uses, 1, memory_order_relaxed);
            break;
        case 5:
            must(knackdb_pattern_set_weight_external(db, knackdb_string("counted"), value / 1000000.0, &error),
                 "weight", &error);
            must(knackdb_pattern_use_external(db, knackdb_string("counted"), &error), "use by external_id", &error);
            atomic_fetch_add_explicit(&race->uses, 1, memory_order_relaxed);
            break;
        case 6:
            must(knackdb_preference_use(db, knackdb_string("editor"), knackdb_string("ed"), &error), "preference",
                 &error);
            atomic_fetch_add_explicit(&race->preference_uses, 1, memory_order_relaxed);
            break;
        default: {
            /* A preference of this writer alone, stored, deleted and stored again. */
            knackdb_preference preference = knackdb_preference_default();
            int64_t            id;

            preference.preference_type = knackdb_string("come and go");
            preference.preference_value = knackdb_string(own);
            must(knackdb_preference_store(db, &preference, &id, &error), "come", &error);
            if (value % 2 == 0)
                must(knackdb_delete(db, KNACKDB_USER_PREFERENCES, id, &error), "go", &error);
        }
        }
    }
    writer_end(worker);
    return NULL;
}

static void
look_at_alike(knackdb_read *read)
{
    knackdb_query     query;
    knackdb_condition condition = knackdb_where_text(KNACKDB_PATTERN_TASK_TYPE, "same");
    knackdb_rows      rows;
    knackdb_row       by_key[ROWS];
    bool              found;

    memset(by_key, 0, sizeof by_key);
    for (uint32_t i = 0; i < ROWS; i++) {
        char            id[32], text[64];
        knackdb_row     by_id = 0, by_external_id = 0;
        knackdb_pattern pattern;
        int             length;

        (void) snprintf(id, sizeof id, "same-%u", i);
        found = knackdb_read_by_id(read, KNACKDB_EXECUTION_PATTERNS, i + 1, &by_id) == KNACKDB_OK &&
                knackdb_read_by_external_id(read, knackdb_string(id), &by_external_id) == KNACKDB_OK;
        if (!claim_check(&claims[ONE_VERSION_BY_EACH_KEY], found && by_id == by_external_id,
                         "%s: found %d, rows %" PRIu64 " and %" PRIu64, id, found, by_id, by_external_id))
            continue;
        by_key[i] = by_id;
        knackdb_read_pattern(read, by_id, &pattern);
        length = snprintf(text, sizeof text, "%" PRId64, pattern.agent_count);
        claim_check(&claims[AN_UPDATE_IS_SEEN_WHOLE],
                    pattern.execution_time == (double) pattern.agent_count &&
                        pattern.context_factors.length == (size_t) length &&
                        memcmp(pattern.context_factors.data, text, (size_t) length) == 0 &&
                        pattern.complexity_level.length == (size_t) length &&
                        memcmp(pattern.complexity_level.data, text, (size_t) length) == 0,
                    "%s: %s beside %g and %.*s", id, text, pattern.execution_time, (int) pattern.context_factors.length,
                    pattern.context_factors.data);
    }

    memset(&query, 0, sizeof query);
    query.conditions = &condition;
    query.condition_count = 1;
    found = knackdb_read_find(read, &query, &rows, NULL) == KNACKDB_OK;
    if (claim_check(&claims[ONE_VERSION_BY_QUERY], found && rows.count == ROWS, "%zu rows", found ? rows.count : 0))
        claim_check(&claims[ONE_VERSION_BY_QUERY], memcmp(rows.rows, by_key, sizeof by_key) == 0,
                    "query and key give other versions");
}

static void
look_at_accounts(knackdb_read *read, uint32_t writers)
{
    knackdb_query        query;
    knackdb_condition    condition = knackdb_where_text(KNACKDB_PATTERN_TASK_TYPE, "account");
    const knackdb_group *groups;
    size_t               count;
    bool                 found;

    memset(&query, 0, sizeof query);
    query.conditions = &condition;
    query.condition_count = 1;
    found = knackdb_read_aggregate(read, &query, KNACKDB_PATTERN_USAGE_COUNT, -1, NULL, 0, &groups, &count, NULL) ==
            KNACKDB_OK;
    claim_check(&claims[THE_SUM_STAYS],
                found && count == 1 && groups[0].row_count == 2 * (uint64_t) writers &&
                    groups[0].mean == ACCOUNT_SUM / 2.0,
                "mean %g of %" PRIu64, found && count > 0 ? groups[0].mean : 0,
                found && count > 0 ? groups[0].row_count : 0);
}

static void
look_at_come_and_go(knackdb_read *read, uint32_t writer)
{
    knackdb_query     query;
    knackdb_condition conditions[2];
    char              own[32];
    uint64_t          count = UINT64_MAX;
    knackdb_row       row;
    bool              by_key;

    (void) snprintf(own, sizeof own, "own-%u", writer);
    memset(&query, 0, sizeof query);
    query.table = KNACKDB_USER_PREFERENCES;
    conditions[0] = knackdb_where_text(KNACKDB_PREFERENCE_TYPE, "come and go");
    conditions[1] = knackdb_where_text(KNACKDB_PREFERENCE_VALUE, own);
    query.conditions = conditions;
    query.condition_count = 2;
    by_key = knackdb_read_by_preference(read, knackdb_string("come and go"), knackdb_string(own), &row) == KNACKDB_OK;
    (void) knackdb_read_count(read, &query, &count, NULL);
    claim_check(&claims[DELETED_AND_STORED_AGAIN_IS_ONE_OR_NONE], count == (by_key ? 1 : 0),
                "%s: %" PRIu64 " by query, %d by key", own, count, by_key);
}

static int64_t
counted_uses(knackdb_read *read)
{
    knackdb_row     row;
    knackdb_pattern pattern;

    if (knackdb_read_by_external_id(read, knackdb_string("counted"), &row) != KNACKDB_OK)
        return -1;
    knackdb_read_pattern(read, row, &pattern);
    return pattern.usage_count;
}

static int64_t
preference_uses(knackdb_read *read)
{
    knackdb_row        row;
    knackdb_preference preference;

    if (knackdb_read_by_preference(read, knackdb_string("editor"), knackdb_string("ed"), &row) != KNACKDB_OK)
        return -1;
    knackdb_read_preference(read, row, &preference);
    return preference.usage_count;
}

static void *
read_rows(void *argument)
{
    struct worker *worker = argument;
    struct race   *race = worker->race;
    int64_t        uses_before = 0, preference_before = 0;
    bool           last = false;

    worker_begin(worker);
    for (;;) {
        knackdb_read *read;
        int64_t       uses, preference;

        if (knackdb_read_begin(race->db, &read, NULL) != KNACKDB_OK) {
            claim_check(&claims[USES_NEVER_FALL], false, "a read view could not begin");
            break;
        }
        uses = counted_uses(read);
        preference = preference_uses(read);
        claim_check(&claims[USES_NEVER_FALL], uses >= uses_before && preference >= preference_before,
                    "%" PRId64 " after %" PRId64 ", %" PRId64 " after %" PRId64, uses, uses_before, preference,
                    preference_before);
        uses_before = uses;
        preference_before = preference;
        look_at_alike(read);
        look_at_accounts(read, race->writers);
        look_at_come_and_go(read, random_below(&worker->random, race->writers));
        claim_check(&claims[USES_NEVER_FALL], counted_uses(read) == uses, "changed while the view was open");
        knackdb_read_end(read);
        if (last)
            break;
        last = writers_have_ended(worker);
    }
    return NULL;
}

static void
check_the_end(struct race *race)
{
    knackdb_read *read;

    if (knackdb_read_begin(race->db, &read, NULL) != KNACKDB_OK) {
        claim_check(&claims[NO_USE_IS_LOST], false, "a read view could not begin");
        return;
    }
    claim_check(&claims[NO_USE_IS_LOST], counted_uses(read) == (int64_t) atomic_load(&race->uses),
                "%" PRId64 " of %" PRIu64, counted_uses(read), atomic_load(&race->uses));
    claim_check(&claims[NO_USE_IS_LOST], preference_uses(read) == 1 + (int64_t) atomic_load(&race->preference_uses),
                "preference: %" PRId64 " of 1 + %" PRIu64, preference_uses(read), atomic_load(&race->preference_uses));
    look_at_alike(read);
    look_at_accounts(read, race->writers);
    knackdb_read_end(read);
}

static void
run_race(struct crew *crew, const char *directory)
{
    struct race        race = { .writers = crew->writers, .changes = crew->work / crew->writers };
    knackdb_preference preference = knackdb_preference_default();
    knackdb_error      error;

    if (!claim_check(&claims[EVERY_CHANGE_SUCCEEDS], knackdb_open(directory, NULL, &race.db, &error) == KNACKDB_OK,
                     "open: %s", error.message))
        return;
    for (uint32_t i = 0; i < ROWS; i++)
        store_alike(race.db, i, i);
    store_counted(race.db);
    for (uint32_t i = 0; i < race.writers; i++)
        store_accounts(race.db, i, 1);
    preference.preference_type = knackdb_string("editor");
    preference.preference_value = knackdb_string("ed");
    must(knackdb_preference_store(race.db, &preference, NULL, &error), "preference", &error);

    crew_run(crew, &race, change_rows, read_rows, NULL);
    check_the_end(&race);
    must(knackdb_close(race.db, &error), "close", &error);
    if (directory != NULL &&
        claim_check(&claims[NO_USE_IS_LOST], knackdb_open(directory, NULL, &race.db, &error) == KNACKDB_OK,
                    "reopen: %s", error.message)) {
        check_the_end(&race);
        knackdb_close(race.db, NULL);
    }
}

int
main(int count, char **arguments)
{
    struct crew crew = crew_from_arguments(count, arguments, 20000, 10, 10);

    return crew_run_twice(&crew, run_race, claims, CLAIMS);
}
