/* learning_agent.c - an agent that gets better at its work because it remembers.
 *
 *     learning_agent DIRECTORY [ROUNDS]
 *
 * The work is real: compressing, summing, sorting and searching files of this machine
 * (live_work.c), where each task can be done in three to five ways. The agent is not
 * told which way is good. It keeps nothing in variables from one task to the next:
 * all it knows is in the store, so it can be stopped, or killed, and go on.
 *
 * One task, from beginning to end:
 *
 *   choose()  asks the store which way to use. A way tried fewer than TRIES times is
 *             tried. Else, one time in twenty, any way; otherwise the one with the best
 *             score, which puts together how often it did what was asked, over how many
 *             runs, its weight, and how lately.
 *   perform   does it, timed, and checks the result.
 *   learn()   writes down what happened:
 *
 *     execution_patterns    a row for the run: "compress-text was done by zlib-1 in 3 ms"
 *                           and, under the key "compress-text/zlib-1", a row that sums up
 *                           what is known of that way: success_rate is the share of its
 *                           runs that did what was asked, execution_time their mean
 *     performance_metrics   the way's speed, with the first way's mean as the baseline
 *     user_preferences      which way was picked on the strength of its score
 *
 *   weigh()   gives each way of the task a new weight (confidence_score): its mean speed
 *             as a share of the quickest reliable way's. Reliable is what did as asked in
 *             at least half of its runs.
 *
 * At the end the agent is examined: every way on every file once, nothing chosen, and
 * its choices are held against the result. It prints what happened, good or bad. The exit
 * status says whether results were right and everything was stored, not how quick it was. */
#include "live_work.h"
#include "report_card.h"

#include <inttypes.h>
#include <knackdb.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define FILES_OF_A_KIND 8
#define ROUNDS_DEFAULT  20
#define TRIES           3
#define EXPLORE_ONE_IN  20
#define METRIC_SPEED    "MB/s"

struct agent {
    knackdb          *db;
    struct live_files files;
    uint64_t          stored_rows; /* patterns and metrics this run of the program has added */
    uint64_t          wrong_results;
};

enum choice { CHOICE_NONE_TRIED = 0, CHOICE_EXPLORE, CHOICE_BEST };

/* ---- asking the store ------------------------------------------------------------- */

/* The key of the row that sums up a way: "compress-text/zlib-1". */
static knackdb_text
knowledge_key(const struct task *task, const struct way *way, char *buffer, size_t buffer_bytes)
{
    snprintf(buffer, buffer_bytes, "%s/%s", task->name, way->name);
    return knackdb_string(buffer);
}

/* What is known of a way for a task; false when the store knows nothing. The texts are
 * the store's own memory, good until the read view ends. */
static bool
read_knowledge(knackdb_read *read, const struct task *task, const struct way *way, knackdb_pattern *ret_known)
{
    char        key[64];
    knackdb_row row;

    if (knackdb_read_by_external_id(read, knowledge_key(task, way, key, sizeof key), &row) != KNACKDB_OK)
        return false;
    knackdb_read_pattern(read, row, ret_known);
    return true;
}

static bool
is_named(const struct way *way, knackdb_text name)
{
    return name.length == strlen(way->name) && memcmp(name.data, way->name, name.length) == 0;
}

/* Which way to use now. Everything is read in one view, so it belongs to one moment. */
static knackdb_status
choose(struct agent *agent, const struct task *task, size_t *ret_way, enum choice *ret_choice, knackdb_error *error)
{
    knackdb_read     *read = NULL;
    knackdb_rows      best;
    knackdb_status    status;
    size_t            least_used = 0;
    int64_t           least_uses = INT64_MAX;
    knackdb_condition conditions[] = {
        knackdb_where_text(KNACKDB_PATTERN_TASK_TYPE, task->name),
        /* Rows that sum up a way have a key; rows of single runs have none. */
        knackdb_where(KNACKDB_PATTERN_EXTERNAL_ID, KNACKDB_IS_NOT_NULL, knackdb_value_null()),
    };
    knackdb_query by_score = {
        .table = KNACKDB_EXECUTION_PATTERNS,
        .conditions = conditions,
        .condition_count = 2,
        .order = { { KNACKDB_ORDER_BY_SCORE, true } },
        .order_count = 1,
        .limit = 1,
    };

    status = knackdb_read_begin(agent->db, &read, error);
    if (status != KNACKDB_OK)
        return status;
    for (size_t i = 0; i < task->way_count; i++) {
        knackdb_pattern known;
        int64_t         uses = read_knowledge(read, task, &task->ways[i], &known) ? known.usage_count : 0;
        if (uses < least_uses) {
            least_uses = uses;
            least_used = i;
        }
    }
    *ret_way = least_used;
    *ret_choice = CHOICE_NONE_TRIED;
    if (least_uses < TRIES)
        goto out;
    if (random() % EXPLORE_ONE_IN == 0) {
        *ret_way = (size_t) random() % task->way_count;
        *ret_choice = CHOICE_EXPLORE;
        goto out;
    }
    status = knackdb_read_find(read, &by_score, &best, error);
    if (status != KNACKDB_OK || best.count == 0)
        goto out;
    knackdb_pattern pattern;
    knackdb_read_pattern(read, best.rows[0], &pattern);
    for (size_t i = 0; i < task->way_count; i++)
        if (is_named(&task->ways[i], pattern.pattern_used))
            *ret_way = i;
    *ret_choice = CHOICE_BEST;
out:
    knackdb_read_end(read);
    return status;
}

/* Mean speed of each way on a task, from the metrics; NaN for a way without any. */
static knackdb_status
mean_speeds(knackdb_read *read, const struct task *task, double ret_speeds[WAYS_MAX], knackdb_error *error)
{
    char                 metric[64];
    const knackdb_group *groups;
    size_t               group_count;
    knackdb_status       status;

    snprintf(metric, sizeof metric, "%s, %s", task->name, METRIC_SPEED);
    knackdb_condition of_this_task = knackdb_where_text(KNACKDB_METRIC_METRIC_NAME, metric);
    knackdb_query speeds = { .table = KNACKDB_PERFORMANCE_METRICS, .conditions = &of_this_task, .condition_count = 1 };

    for (size_t i = 0; i < WAYS_MAX; i++)
        ret_speeds[i] = NAN;
    status = knackdb_read_aggregate(read, &speeds, KNACKDB_METRIC_METRIC_VALUE, KNACKDB_METRIC_COMPONENT_NAME, NULL, 0,
                                    &groups, &group_count, error);
    for (size_t g = 0; status == KNACKDB_OK && g < group_count; g++)
        for (size_t i = 0; i < task->way_count; i++)
            if (is_named(&task->ways[i], groups[g].key))
                ret_speeds[i] = groups[g].mean;
    return status;
}

/* ---- writing down what happened ------------------------------------------------------ */

/* The run itself. A store of a pattern copies all text, so `context` may be a local. */
static knackdb_pattern
describe_run(const struct task *task, const struct way *way, const struct live_file *file,
             const struct outcome *outcome, char *context, size_t context_bytes)
{
    knackdb_pattern run = knackdb_pattern_default();

    snprintf(context, context_bytes, "{\"bytes\":%zu,\"kind\":\"%s\",\"right\":%s,\"size_ratio\":%.3f}", file->size,
             file->is_text ? "text" : "program", outcome->is_right ? "true" : "false", outcome->size_ratio);
    run.task_type = knackdb_string(task->name);
    run.pattern_used = knackdb_string(way->name);
    run.execution_time = outcome->seconds;
    run.success_rate = task_is_done(task, outcome) ? 1 : 0;
    run.nulls = KNACKDB_BIT(KNACKDB_PATTERN_CONFIDENCE_SCORE); /* one run is no evidence */
    run.complexity_level = knackdb_string(file->size < LIVE_FILE_BYTES_MAX / 2 ? "simple" : "moderate");
    run.tools_used = knackdb_string(way->tools);
    run.context_factors = knackdb_string(context);
    run.usage_count = 1;
    return run;
}

/* What is known of a way, this run included: running means over all of its uses. */
static knackdb_status
sum_up(struct agent *agent, const knackdb_pattern *run, knackdb_text key, knackdb_pattern *ret_known,
       knackdb_error *error)
{
    knackdb_pattern *before = NULL;
    knackdb_pattern  known = *run;
    knackdb_status   status = knackdb_pattern_get_external(agent->db, key, &before, error);

    known.external_id = key;
    known.context_factors = knackdb_string(NULL); /* those were of one run */
    if (status == KNACKDB_OK) {
        double uses = (double) before->usage_count;
        known.execution_time = (before->execution_time * uses + run->execution_time) / (uses + 1);
        known.success_rate = (before->success_rate * uses + run->success_rate) / (uses + 1);
        known.usage_count = before->usage_count + 1;
        known.confidence_score = before->confidence_score; /* until it is weighed anew */
        known.nulls = before->nulls & KNACKDB_BIT(KNACKDB_PATTERN_CONFIDENCE_SCORE);
        known.created_at = before->created_at;
        knackdb_free(before);
    } else if (status != KNACKDB_NOT_FOUND) {
        return status;
    }
    *ret_known = known;
    return KNACKDB_OK;
}

/* The speed as a metric of the way. The baseline is what one would have got without thinking. */
static knackdb_status
store_speed(struct agent *agent, const struct task *task, const struct way *way, double speed, knackdb_error *error)
{
    char           metric_name[64];
    double         speeds[WAYS_MAX];
    knackdb_metric metric = knackdb_metric_default();
    knackdb_read  *read = NULL;
    knackdb_status status = knackdb_read_begin(agent->db, &read, error);

    if (status == KNACKDB_OK)
        status = mean_speeds(read, task, speeds, error);
    knackdb_read_end(read);
    if (status != KNACKDB_OK)
        return status;

    snprintf(metric_name, sizeof metric_name, "%s, %s", task->name, METRIC_SPEED);
    metric.component_name = knackdb_string(way->name);
    metric.metric_name = knackdb_string(metric_name);
    metric.metric_value = speed;
    if (!isnan(speeds[0])) /* improvement_percentage is then worked out by the store */
        metric.baseline_value = speeds[0];
    return knackdb_metric_store(agent->db, &metric, NULL, error);
}

/* Gives each way of the task its new weight. `ret_speeds` and `ret_weights` are NaN for a way not yet used. */
static knackdb_status
weigh(struct agent *agent, const struct task *task, double ret_speeds[WAYS_MAX], double ret_weights[WAYS_MAX],
      knackdb_error *error)
{
    double         quickest = 0;
    knackdb_read  *read = NULL;
    knackdb_status status = knackdb_read_begin(agent->db, &read, error);

    if (status == KNACKDB_OK)
        status = mean_speeds(read, task, ret_speeds, error);
    for (size_t i = 0; status == KNACKDB_OK && i < task->way_count; i++) {
        knackdb_pattern known;
        if (read_knowledge(read, task, &task->ways[i], &known) && known.success_rate >= 0.5)
            quickest = fmax(quickest, ret_speeds[i]); /* fmax leaves out NaN */
    }
    knackdb_read_end(read);

    for (size_t i = 0; status == KNACKDB_OK && i < task->way_count; i++) {
        char key[64];

        ret_weights[i] = quickest > 0 ? fmin(1, ret_speeds[i] / quickest) : 1;
        if (isnan(ret_speeds[i]))
            ret_weights[i] = NAN;
        else
            status = knackdb_pattern_set_weight_external(agent->db,
                                                         knowledge_key(task, &task->ways[i], key, sizeof key),
                                                         ret_weights[i], error);
    }
    return status;
}

static knackdb_status
learn(struct agent *agent, const struct task *task, size_t way_index, enum choice choice, const struct live_file *file,
      const struct outcome *outcome, knackdb_error *error)
{
    const struct way *way = &task->ways[way_index];
    char              context[160], key[64];
    double            speeds[WAYS_MAX], weights[WAYS_MAX];
    knackdb_pattern   rows[2]; /* the run, and the way summed up: stored together or not at all */
    knackdb_status    status;

    rows[0] = describe_run(task, way, file, outcome, context, sizeof context);
    status = sum_up(agent, &rows[0], knowledge_key(task, way, key, sizeof key), &rows[1], error);
    if (status == KNACKDB_OK)
        status = knackdb_patterns_store(agent->db, rows, 2, KNACKDB_STORE_REPLACE, NULL, error);
    if (status == KNACKDB_OK)
        status = store_speed(agent, task, way, (double) file->size / 1e6 / outcome->seconds, error);
    if (status == KNACKDB_OK)
        status = weigh(agent, task, speeds, weights, error);
    if (status == KNACKDB_OK && choice == CHOICE_BEST) { /* stored again, a preference counts one more use */
        knackdb_preference preference = knackdb_preference_default();
        preference.preference_type = knackdb_string(task->name);
        preference.preference_value = knackdb_string(way->name);
        preference.weight = weights[way_index];
        status = knackdb_preference_store(agent->db, &preference, NULL, error);
    }
    agent->stored_rows += 2 + (rows[1].usage_count == 1);
    return status;
}

/* ---- the work ------------------------------------------------------------------------ */

/* Every task on every file it takes, once. */
static knackdb_status
work_round(struct agent *agent, struct tally *tally, knackdb_error *error)
{
    for (size_t f = 0; f < agent->files.count; f++) {
        for (size_t t = 0; t < live_task_count; t++) {
            const struct task      *task = &live_tasks[t];
            const struct live_file *file = &agent->files.files[f];
            struct outcome          outcome = { 0, false, 0 };
            size_t                  way;
            enum choice             choice;
            knackdb_status          status;
            double                  start;

            if (!task_takes(task, file))
                continue;
            start = knackdb_now();
            status = choose(agent, task, &way, &choice, error);
            if (status != KNACKDB_OK)
                return status;
            tally->store_seconds += knackdb_now() - start;
            if (!task->ways[way].perform(task->ways[way].setting, file, &outcome)) {
                snprintf(error->message, sizeof error->message, "no memory for %s", task->name);
                return KNACKDB_NO_MEMORY;
            }
            start = knackdb_now();
            status = learn(agent, task, way, choice, file, &outcome, error);
            if (status != KNACKDB_OK)
                return status;
            tally->store_seconds += knackdb_now() - start;

            agent->wrong_results += !outcome.is_right;
            tally->seconds += outcome.seconds;
            tally->tasks++;
            tally->task_seconds[t] += outcome.seconds;
            tally->task_count[t]++;
            tally->picks[t][way]++;
        }
    }
    return KNACKDB_OK;
}

/* ---- from beginning to end ------------------------------------------------------------ */

/* Rows of patterns and metrics in the store; compared with what was added. */
static knackdb_status
count_rows(struct agent *agent, uint64_t *ret_count, knackdb_error *error)
{
    knackdb_query  patterns = { .table = KNACKDB_EXECUTION_PATTERNS };
    knackdb_query  metrics = { .table = KNACKDB_PERFORMANCE_METRICS };
    knackdb_read  *read = NULL;
    uint64_t       pattern_count = 0, metric_count = 0;
    knackdb_status status = knackdb_read_begin(agent->db, &read, error);

    if (status == KNACKDB_OK)
        status = knackdb_read_count(read, &patterns, &pattern_count, error);
    if (status == KNACKDB_OK)
        status = knackdb_read_count(read, &metrics, &metric_count, error);
    knackdb_read_end(read);
    *ret_count = pattern_count + metric_count;
    return status;
}

/* Works the rounds, with a snapshot half-way: the other half is then in the log alone. */
static knackdb_status
work(struct agent *agent, struct tally *rounds, size_t round_count, knackdb_error *error)
{
    for (size_t r = 0; r < round_count; r++) {
        knackdb_status status = work_round(agent, &rounds[r], error);
        double         ms = rounds[r].seconds / (double) rounds[r].tasks * 1e3;

        if (status != KNACKDB_OK)
            return status;
        printf("round %2zu: %3" PRIu64 " tasks, %7.3f ms each  %.*s\n", r + 1, rounds[r].tasks, ms,
               (int) fmin(50, ceil(ms * 6)), "##################################################");
        if (r + 1 == round_count / 2) {
            double start = knackdb_now();
            status = knackdb_snapshot(agent->db, error);
            if (status != KNACKDB_OK)
                return status;
            printf("          snapshot written in %.1f ms\n", (knackdb_now() - start) * 1e3);
        }
    }
    return KNACKDB_OK;
}

int
main(int argc, char **argv)
{
    struct agent   agent = { NULL, { NULL, 0 }, 0, 0 };
    struct tally  *rounds = NULL;
    size_t         round_count = argc > 2 ? (size_t) strtoul(argv[2], NULL, 10) : ROUNDS_DEFAULT;
    knackdb_error  error = { 0, -1, "" };
    knackdb_status status = KNACKDB_OK;
    uint64_t       rows_before = 0, rows_after = 0;
    bool           went_well = false;

    if (argc < 2 || argc > 3 || round_count < 1 || round_count > 10000) {
        fprintf(stderr, "usage: learning_agent DIRECTORY [ROUNDS]\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    srandom((unsigned) time(NULL));
    rounds = calloc(round_count, sizeof *rounds);
    if (rounds == NULL || !live_files_find(FILES_OF_A_KIND, &agent.files))
        goto out;
    status = knackdb_open(argv[1], NULL, &agent.db, &error);
    if (status == KNACKDB_OK)
        status = count_rows(&agent, &rows_before, &error);
    if (status != KNACKDB_OK)
        goto out;
    printf("%zu files to work on; %s holds %" PRIu64 " rows from before\n", agent.files.count, argv[1], rows_before);

    status = work(&agent, rounds, round_count, &error);
    if (status == KNACKDB_OK)
        status = count_rows(&agent, &rows_after, &error);
    if (status != KNACKDB_OK)
        goto out;
    report_card_print(&agent.files, rounds, round_count);
    printf("\nstored %" PRIu64 " rows, the store has grown by %" PRIu64 "; wrong results: %" PRIu64 "\n",
           agent.stored_rows, rows_after - rows_before, agent.wrong_results);
    went_well = agent.wrong_results == 0 && rows_after - rows_before == agent.stored_rows;
    status = knackdb_close(agent.db, &error);
    agent.db = NULL;
    went_well = went_well && status == KNACKDB_OK;
out:
    if (status != KNACKDB_OK)
        fprintf(stderr, "learning_agent: %s: %s\n", knackdb_status_text(status), error.message);
    knackdb_close(agent.db, NULL);
    live_files_free(&agent.files);
    free(rounds);
    return went_well ? 0 : 1;
}
