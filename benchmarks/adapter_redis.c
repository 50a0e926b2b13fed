/* adapter_redis.c - Redis behind a unix socket, as someone who knows it would use it.
 *
 *     pattern:ID                     hash: every column of the row
 *     patterns:created               sorted set: created_at          ID
 *     best:TASK_TYPE                 sorted set: -confidence_score   ID
 *     history:COMPONENT              sorted set: measured_at         ID|metric|value|baseline|improvement
 *     history:COMPONENT:METRIC       the same, of one metric
 *     pattern:id, metric:id          counters
 *
 * IDs are twelve digits wherever they are members, so that the order among equal scores,
 * which is that of the bytes, is that of the ids; confidence is negative as that order
 * is rising. Metrics, which nobody asks for by id, are members that carry their columns:
 * a history is then one command. Numbers are written in seventeen digits and read back to
 * the same bits.
 *
 * A new id is a round trip (INCRBY), the store of a row or a batch one more: MULTI, the
 * commands, EXEC, sent in one go. The rows of an answer to a question are asked for in one
 * go, too: what a client pipelines when it knows what comes next. Reads by id wait for
 * their answer one by one, as a program that wants a row does.
 *
 * Append-only file synced every second: what was answered is in the server's hands and
 * survives the program, a kill of the server loses nothing that the kernel has. */
#include "adapter.h"
#include "failure.h"
#include "grouping.h"
#include "redis_server.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ID_FORMAT     "%012" PRId64
#define GROUP_ROWS    1000 /* asked for in one go when all are read */
#define CLEAN_UP_ROWS 1000
#define CANDIDATES    2 /* for each answer still wanted, asked for in one go */

struct redis_store {
    struct redis_server server;
    redisContext       *connection;
};

/* ---- replies ----------------------------------------------------------------- */

static redisReply *
checked(struct redis_store *store, redisReply *reply)
{
    if (reply == NULL)
        fail("redis: %s", store->connection->errstr);
    if (reply->type == REDIS_REPLY_ERROR)
        fail("redis: %s", reply->str);
    return reply;
}

static redisReply *
next_reply(struct redis_store *store)
{
    void *reply = NULL;

    redisGetReply(store->connection, &reply);
    return checked(store, reply);
}

static void
skip_replies(struct redis_store *store, size_t count)
{
    for (size_t i = 0; i < count; i++)
        freeReplyObject(next_reply(store));
}

static long long
integer_and_free(redisReply *reply)
{
    long long integer = reply->integer;

    freeReplyObject(reply);
    return integer;
}

static struct text
text_of(const redisReply *reply)
{
    struct text text = { reply->str, reply->len };
    return text;
}

static double
real_of(const redisReply *reply)
{
    return strtod(reply->str, NULL);
}

static int64_t
integer_of(const redisReply *reply)
{
    return strtoll(reply->str, NULL, 10);
}

/* ---- life -------------------------------------------------------------------- */

static struct redis_store *
store_new(void)
{
    struct redis_store *store = calloc(1, sizeof *store);

    if (store == NULL)
        fail("no memory");
    return store;
}

static void *
redis_open(const char *directory)
{
    struct redis_store *store = store_new();

    store->connection = redis_server_start(&store->server, directory);
    return store;
}

static void
redis_close(void *handle)
{
    struct redis_store *store = handle;

    redis_server_stop(&store->server, store->connection);
    free(store);
}

static void *
redis_session_begin(void *handle)
{
    struct redis_store *session = store_new();

    session->server = ((struct redis_store *) handle)->server;
    session->connection = redis_server_connect(&session->server);
    return session;
}

static void
redis_session_end(void *handle)
{
    struct redis_store *session = handle;

    redisFree(session->connection);
    free(session);
}

/* ---- storing ----------------------------------------------------------------- */

/* Sends what is in hand and reads all answers: MULTI's, one a command, EXEC's. */
static void
execute(struct redis_store *store, size_t commands)
{
    redisReply *reply;

    redisAppendCommand(store->connection, "EXEC");
    skip_replies(store, 1 + commands);
    reply = next_reply(store);
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != commands)
        fail("redis: a transaction was not executed");
    for (size_t i = 0; i < reply->elements; i++)
        if (reply->element[i]->type == REDIS_REPLY_ERROR)
            fail("redis: %s", reply->element[i]->str);
    freeReplyObject(reply);
}

static void
append_pattern(struct redis_store *store, const struct pattern_row *row, int64_t id)
{
    redisAppendCommand(store->connection,
                       "HSET pattern:" ID_FORMAT " task_type %b pattern_used %b execution_time %.17g "
                       "success_rate %.17g confidence_score %.17g agent_count %lld complexity_level %b "
                       "tools_used %b context_factors %b "
                       "created_at %.17g updated_at %.17g usage_count %lld",
                       id, row->task_type.data, row->task_type.length, row->pattern_used.data, row->pattern_used.length,
                       row->execution_time, row->success_rate, row->confidence_score, (long long) row->agent_count,
                       row->complexity_level.data, row->complexity_level.length, row->tools_used.data,
                       row->tools_used.length, row->context_factors.data, row->context_factors.length, row->created_at,
                       row->updated_at, (long long) row->usage_count);
    redisAppendCommand(store->connection, "ZADD patterns:created %.17g " ID_FORMAT, row->created_at, id);
    redisAppendCommand(store->connection, "ZADD best:%b %.17g " ID_FORMAT, row->task_type.data, row->task_type.length,
                       -row->confidence_score, id);
}

static void
redis_patterns_store(void *handle, const struct pattern_row *rows, size_t count)
{
    struct redis_store *store = handle;
    int64_t             id =
        integer_and_free(checked(store, redisCommand(store->connection, "INCRBY pattern:id %lld", (long long) count)));

    id -= (int64_t) count;
    redisAppendCommand(store->connection, "MULTI");
    for (size_t i = 0; i < count; i++)
        append_pattern(store, &rows[i], ++id);
    execute(store, 3 * count);
}

static void
redis_pattern_store(void *handle, const struct pattern_row *row)
{
    redis_patterns_store(handle, row, 1);
}

static void
redis_metrics_store(void *handle, const struct metric_row *rows, size_t count)
{
    struct redis_store *store = handle;
    int64_t             id =
        integer_and_free(checked(store, redisCommand(store->connection, "INCRBY metric:id %lld", (long long) count)));

    id -= (int64_t) count;
    redisAppendCommand(store->connection, "MULTI");
    for (size_t i = 0; i < count; i++) {
        const struct metric_row *row = &rows[i];
        char                     member[256];
        int                      length;

        length = snprintf(member, sizeof member, ID_FORMAT "|%.*s|%.17g|%.17g|%.17g", ++id,
                          (int) row->metric_name.length, row->metric_name.data, row->metric_value, row->baseline_value,
                          row->improvement_percentage);
        if (length < 0 || (size_t) length >= sizeof member)
            fail("redis: a metric is longer than %zu bytes", sizeof member);
        redisAppendCommand(store->connection, "ZADD history:%b %.17g %b", row->component_name.data,
                           row->component_name.length, row->measured_at, member, (size_t) length);
        redisAppendCommand(store->connection, "ZADD history:%b:%b %.17g %b", row->component_name.data,
                           row->component_name.length, row->metric_name.data, row->metric_name.length, row->measured_at,
                           member, (size_t) length);
    }
    execute(store, 2 * count);
}

/* The task type, which names the sorted set, never changes, so it may be read before the transaction. */
static void
redis_patterns_weigh(void *handle, const struct weight *weights, size_t count)
{
    struct redis_store *store = handle;

    for (size_t i = 0; i < count; i++) {
        redisReply *type =
            checked(store, redisCommand(store->connection, "HGET pattern:" ID_FORMAT " task_type", weights[i].id));
        struct timespec now;

        if (type->type != REDIS_REPLY_STRING)
            fail("redis: row %" PRId64 " is gone", weights[i].id);
        clock_gettime(CLOCK_REALTIME, &now);
        redisAppendCommand(store->connection, "MULTI");
        redisAppendCommand(store->connection, "HSET pattern:" ID_FORMAT " confidence_score %.17g updated_at %.17g",
                           weights[i].id, weights[i].weight, (double) now.tv_sec + (double) now.tv_nsec / 1e9);
        redisAppendCommand(store->connection, "ZADD best:%b %.17g " ID_FORMAT, type->str, type->len, -weights[i].weight,
                           weights[i].id);
        execute(store, 2);
        freeReplyObject(type);
    }
}

static uint64_t
redis_patterns_clean_up(void *handle, double created_before)
{
    struct redis_store *store = handle;
    uint64_t            deleted = 0;

    for (;;) {
        redisReply *ids =
            checked(store, redisCommand(store->connection, "ZRANGEBYSCORE patterns:created -inf (%.17g LIMIT 0 %d",
                                        created_before, CLEAN_UP_ROWS));
        size_t count = ids->elements;

        for (size_t i = 0; i < count; i++)
            redisAppendCommand(store->connection, "HGET pattern:%s task_type", ids->element[i]->str);
        redisReply *types[CLEAN_UP_ROWS];
        for (size_t i = 0; i < count; i++)
            types[i] = next_reply(store);
        redisAppendCommand(store->connection, "MULTI");
        for (size_t i = 0; i < count; i++) {
            redisAppendCommand(store->connection, "DEL pattern:%s", ids->element[i]->str);
            redisAppendCommand(store->connection, "ZREM patterns:created %s", ids->element[i]->str);
            redisAppendCommand(store->connection, "ZREM best:%b %s", types[i]->str, types[i]->len,
                               ids->element[i]->str);
        }
        execute(store, 3 * count);
        for (size_t i = 0; i < count; i++)
            freeReplyObject(types[i]);
        freeReplyObject(ids);
        deleted += count;
        if (count < CLEAN_UP_ROWS)
            return deleted;
    }
}

/* ---- asking ------------------------------------------------------------------ */

static bool
redis_pattern_read(void *handle, int64_t id, see_pattern see, void *context)
{
    struct redis_store *store = handle;
    redisReply         *reply =
        checked(store,
                redisCommand(store->connection,
                             "HMGET pattern:" ID_FORMAT " task_type pattern_used execution_time success_rate "
                             "confidence_score agent_count complexity_level tools_used context_factors created_at "
                             "updated_at usage_count",
                             id));
    redisReply **cells = reply->element;
    bool         is_there = reply->elements == 12 && cells[0]->type == REDIS_REPLY_STRING;

    if (is_there) {
        struct pattern_row row = {
            .id = id,
            .task_type = text_of(cells[0]),
            .pattern_used = text_of(cells[1]),
            .execution_time = real_of(cells[2]),
            .success_rate = real_of(cells[3]),
            .confidence_score = real_of(cells[4]),
            .agent_count = integer_of(cells[5]),
            .complexity_level = text_of(cells[6]),
            .tools_used = text_of(cells[7]),
            .context_factors = text_of(cells[8]),
            .created_at = real_of(cells[9]),
            .updated_at = real_of(cells[10]),
            .usage_count = integer_of(cells[11]),
        };
        see(context, &row);
    }
    freeReplyObject(reply);
    return is_there;
}

/* Candidates come by falling confidence; success_rate is a matter of the row, so twice
 * as many of them are looked at as are wanted, and where too few have passed, twice as many as are missing. */
static void
redis_patterns_top(void *handle, const struct top_query *query, see_pattern see, void *context)
{
    struct redis_store *store = handle;
    size_t              offset = 0;
    uint32_t            found = 0;
    bool                is_more = true;

    while (found < query->limit && is_more) {
        size_t      at_once = CANDIDATES * (size_t) (query->limit - found);
        redisReply *ids =
            checked(store, redisCommand(store->connection, "ZRANGEBYSCORE best:%b -inf %.17g WITHSCORES LIMIT %lu %lu",
                                        query->task_type.data, query->task_type.length, -query->confidence_score_min,
                                        (unsigned long) offset, (unsigned long) at_once));
        size_t count = ids->elements / 2;

        for (size_t i = 0; i < count; i++)
            redisAppendCommand(store->connection, "HMGET pattern:%s success_rate pattern_used",
                               ids->element[2 * i]->str);
        for (size_t i = 0; i < count; i++) {
            redisReply        *cells = next_reply(store);
            struct pattern_row row = { .id = integer_of(ids->element[2 * i]),
                                       .confidence_score = -real_of(ids->element[2 * i + 1]),
                                       .success_rate = real_of(cells->element[0]),
                                       .pattern_used = text_of(cells->element[1]) };

            if (found < query->limit && row.success_rate >= query->success_rate_min) {
                see(context, &row);
                found++;
            }
            freeReplyObject(cells);
        }
        freeReplyObject(ids);
        is_more = count == at_once;
        offset += count;
    }
}

/* "000000000042|latency_p99|1.5|1.0|50", and measured_at as its score. */
static void
see_member(const redisReply *member, const redisReply *score, see_metric see, void *context)
{
    struct metric_row row = { .measured_at = real_of(score) };
    char             *end;

    row.id = strtoll(member->str, &end, 10);
    row.metric_name.data = end + 1;
    row.metric_name.length = strcspn(end + 1, "|");
    row.metric_value = strtod(row.metric_name.data + row.metric_name.length + 1, &end);
    row.baseline_value = strtod(end + 1, &end);
    row.improvement_percentage = strtod(end + 1, NULL);
    see(context, &row);
}

static void
redis_metrics_history(void *handle, const struct history_query *query, see_metric see, void *context)
{
    struct redis_store *store = handle;
    bool                is_of_one_metric = query->metric_name.data != NULL;
    redisReply         *reply =
        checked(store, redisCommand(store->connection, "ZREVRANGE history:%b%s%b 0 %u WITHSCORES",
                                    query->component_name.data, query->component_name.length,
                                    is_of_one_metric ? ":" : "", is_of_one_metric ? query->metric_name.data : "",
                                    query->metric_name.length, query->limit - 1));

    for (size_t i = 0; i + 1 < reply->elements; i += 2)
        see_member(reply->element[i], reply->element[i + 1], see, context);
    freeReplyObject(reply);
}

static void
redis_patterns_grouped(void *handle, see_group see, void *context)
{
    struct redis_store *store = handle;
    struct grouping     grouping;
    size_t              offset = 0, count;

    grouping_init(&grouping);
    do {
        redisReply *ids =
            checked(store, redisCommand(store->connection, "ZRANGE patterns:created %lu %lu", (unsigned long) offset,
                                        (unsigned long) (offset + GROUP_ROWS - 1)));

        count = ids->elements;
        for (size_t i = 0; i < count; i++)
            redisAppendCommand(store->connection, "HMGET pattern:%s task_type execution_time success_rate",
                               ids->element[i]->str);
        for (size_t i = 0; i < count; i++) {
            redisReply *cells = next_reply(store);
            grouping_add(&grouping, text_of(cells->element[0]), real_of(cells->element[1]), real_of(cells->element[2]));
            freeReplyObject(cells);
        }
        freeReplyObject(ids);
        offset += count;
    } while (count == GROUP_ROWS);
    grouping_see(&grouping, see, context);
}

static uint64_t
redis_pattern_count(void *handle)
{
    struct redis_store *store = handle;

    return (uint64_t) integer_and_free(checked(store, redisCommand(store->connection, "ZCARD patterns:created")));
}

/* A rewrite of the append-only file, which is Redis's snapshot, and its end. */
static void
redis_settle(void *handle)
{
    struct redis_store *store = handle;
    bool                is_busy;

    do {
        redisReply *asked = redisCommand(store->connection, "BGREWRITEAOF");
        /* Refused while one runs that began by itself: then that one must end first. */
        is_busy = asked != NULL && asked->type == REDIS_REPLY_ERROR;
        if (asked != NULL)
            freeReplyObject(asked);
        for (bool is_running = true; is_running;) {
            struct timespec pause = { 0, 2000000 };
            redisReply     *about = checked(store, redisCommand(store->connection, "INFO persistence"));

            is_running = strstr(about->str, "aof_rewrite_in_progress:1") != NULL ||
                         strstr(about->str, "aof_rewrite_scheduled:1") != NULL;
            freeReplyObject(about);
            if (is_running)
                nanosleep(&pause, NULL);
        }
    } while (is_busy);
}

static pid_t
redis_process(void *handle)
{
    const struct redis_store *store = handle;

    return store->server.pid;
}

const struct adapter adapter_redis = {
    .name = "redis",
    .title = "Redis",
    .how = "unix socket, AOF everysec, hashes and sorted sets, MULTI/EXEC sent in one go; what was answered survives "
           "a killed client",
    .is_kept = true,
    .version = redis_server_version,
    .missing = redis_server_missing,
    .open = redis_open,
    .close = redis_close,
    .session_begin = redis_session_begin,
    .session_end = redis_session_end,
    .pattern_store = redis_pattern_store,
    .patterns_store = redis_patterns_store,
    .metrics_store = redis_metrics_store,
    .patterns_weigh = redis_patterns_weigh,
    .patterns_clean_up = redis_patterns_clean_up,
    .pattern_read = redis_pattern_read,
    .patterns_top = redis_patterns_top,
    .metrics_history = redis_metrics_history,
    .patterns_grouped = redis_patterns_grouped,
    .pattern_count = redis_pattern_count,
    .settle = redis_settle,
    .process = redis_process,
};
