/* dead_rows.c - several writers replace the same few rows as fast as they can, and nobody holds a view: what they leave
 * behind has a bound, whatever the store's own thread comes to, as who is faster than that thread works off his share.
 *
 *     dead_rows [REPLACED] [WRITERS] */
#include "crew.h"

#include <inttypes.h>
#include <knackdb.h>
#include <stdio.h>

enum {
    LIVING = 1000,
    DEAD_MAX = LIVING + 32768, /* docs/ARCHITECTURE.md, "How memory comes back" */
    ALSO = 32768,              /* what has died since a writer was last asked to help, and a slice's worth */
    BATCH_MAX = 100,
    LOOK_EVERY = 64, /* commits of a writer */
};

enum { EVERY_STORE_SUCCEEDS, DEAD_ROWS_HAVE_A_BOUND, THE_RACE_COULD_LOSE, CLAIMS };

static struct claim claims[CLAIMS] = {
    [EVERY_STORE_SUCCEEDS] = { .text = "every store succeeds" },
    [DEAD_ROWS_HAVE_A_BOUND] = { .text = "dead rows have a bound, however many writers make them" },
    [THE_RACE_COULD_LOSE] = { .text = "far more rows died than may lie about" },
};

struct race {
    knackdb *db;
    uint32_t replaced; /* by each writer */
};

static void
look(struct race *race)
{
    knackdb_stats stats = { .struct_size = sizeof stats };
    knackdb_error error;
    uint64_t      dead;

    if (!claim_check(&claims[EVERY_STORE_SUCCEEDS], knackdb_get_stats(race->db, &stats, &error) == KNACKDB_OK, "%s",
                     error.message))
        return;
    dead = stats.tables[KNACKDB_EXECUTION_PATTERNS].version_count - stats.tables[KNACKDB_EXECUTION_PATTERNS].row_count;
    claim_check(&claims[DEAD_ROWS_HAVE_A_BOUND], dead <= DEAD_MAX + ALSO, "%" PRIu64 " are dead", dead);
}

/* Every other writer one by one, the others in batches. */
static void *
replace_rows(void *context)
{
    struct worker  *worker = context;
    struct race    *race = worker->race;
    uint32_t        batch = worker->number % 2 == 0 ? 1 : BATCH_MAX;
    knackdb_pattern patterns[BATCH_MAX];
    knackdb_error   error;

    worker_begin(worker);
    for (uint32_t done = 0, commits = 0; done < race->replaced; done += batch, commits++) {
        for (uint32_t i = 0; i < batch; i++) {
            patterns[i] = knackdb_pattern_default();
            patterns[i].id = 1 + random_below(&worker->random, LIVING);
            patterns[i].task_type = knackdb_string("sort");
            patterns[i].confidence_score = random_below(&worker->random, 1000) / 1e3;
        }
        if (!claim_check(&claims[EVERY_STORE_SUCCEEDS],
                         knackdb_patterns_store(race->db, patterns, batch, 0, NULL, &error) == KNACKDB_OK, "%s",
                         error.message))
            break;
        if (commits % LOOK_EVERY == 0)
            look(race);
    }
    look(race);
    writer_end(worker);
    return NULL;
}

int
main(int count, char **arguments)
{
    struct crew   crew = crew_from_arguments(count, arguments, 400000, 4, 0);
    struct race   race = { .replaced = crew.work / crew.writers };
    knackdb_error error;

    if (claim_check(&claims[EVERY_STORE_SUCCEEDS], knackdb_open(NULL, NULL, &race.db, &error) == KNACKDB_OK, "open: %s",
                    error.message)) {
        crew_run(&crew, &race, replace_rows, NULL, NULL);
        claim_check(&claims[THE_RACE_COULD_LOSE], crew.work > 3 * (DEAD_MAX + ALSO), "only %u", (unsigned) crew.work);
        (void) knackdb_close(race.db, NULL);
    }
    return claims_report(claims, CLAIMS);
}
