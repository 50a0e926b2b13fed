/* adapter_bare.c - what a C programmer writes in an afternoon instead of using a store.
 *
 * An array of structs that doubles, texts in malloc'd strings, an open-addressing
 * hash table from id to place, one read-write lock around everything. Questions
 * scan. A deleted row is marked and its memory stays. Nothing is kept when the process
 * ends: this is the floor that a store which keeps things is measured against. */
#include "adapter.h"
#include "failure.h"
#include "grouping.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TOP_MAX 128

/* Its length beside it, so that handing out a row does not walk its texts. */
struct owned {
    char  *bytes;
    size_t length;
};

struct bare_pattern {
    int64_t      id; /* negative: deleted */
    struct owned task_type;
    struct owned pattern_used;
    double       execution_time;
    double       success_rate;
    double       confidence_score;
    int64_t      agent_count;
    struct owned complexity_level;
    struct owned tools_used;
    struct owned context_factors;
    double       created_at;
    double       updated_at;
    int64_t      usage_count;
};

struct bare_metric {
    int64_t      id;
    struct owned component_name;
    struct owned metric_name;
    double       metric_value;
    double       baseline_value;
    double       improvement_percentage;
    double       measured_at;
};

struct bare_store {
    pthread_rwlock_t     lock;
    struct bare_pattern *patterns;
    size_t               pattern_count; /* deleted ones, too */
    size_t               deleted_count;
    size_t               pattern_capacity;
    uint32_t            *places; /* hash table: place + 1 of a pattern, 0 for none */
    size_t               place_mask;
    struct bare_metric  *metrics;
    size_t               metric_count;
    size_t               metric_capacity;
};

static void *
grown(void *memory, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return memory;
    *capacity = *capacity == 0 ? 1024 : 2 * *capacity;
    memory = realloc(memory, *capacity * size);
    if (memory == NULL)
        fail("no memory");
    return memory;
}

static struct owned
copied(struct text text)
{
    struct owned copy = { malloc(text.length + 1), text.length };

    if (copy.bytes == NULL)
        fail("no memory");
    memcpy(copy.bytes, text.data, text.length);
    copy.bytes[text.length] = '\0';
    return copy;
}

static struct text
lent(struct owned owned)
{
    struct text text = { owned.bytes, owned.length };
    return text;
}

static bool
is_equal(const struct owned *owned, struct text text)
{
    return owned->length == text.length && memcmp(owned->bytes, text.data, text.length) == 0;
}

static size_t
hash_id(int64_t id)
{
    uint64_t hash = (uint64_t) id * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t) (hash ^ hash >> 32);
}

static void
place_put(struct bare_store *store, int64_t id, uint32_t place)
{
    size_t slot = hash_id(id) & store->place_mask;

    while (store->places[slot] != 0)
        slot = (slot + 1) & store->place_mask;
    store->places[slot] = place + 1;
}

/* Kept at most half full. */
static void
places_grow(struct bare_store *store)
{
    size_t slots = store->places == NULL ? 2048 : 2 * (store->place_mask + 1);

    free(store->places);
    store->places = calloc(slots, sizeof *store->places);
    if (store->places == NULL)
        fail("no memory");
    store->place_mask = slots - 1;
    for (size_t i = 0; i < store->pattern_count; i++)
        place_put(store, store->patterns[i].id, (uint32_t) i);
}

static void *
bare_open(const char *directory)
{
    struct bare_store *store = calloc(1, sizeof *store);

    (void) directory; /* keeps nothing */
    if (store == NULL || pthread_rwlock_init(&store->lock, NULL) != 0)
        fail("no memory");
    return store;
}

static void
bare_close(void *handle)
{
    struct bare_store *store = handle;

    for (size_t i = 0; i < store->pattern_count; i++) {
        free(store->patterns[i].task_type.bytes);
        free(store->patterns[i].pattern_used.bytes);
        free(store->patterns[i].complexity_level.bytes);
        free(store->patterns[i].tools_used.bytes);
        free(store->patterns[i].context_factors.bytes);
    }
    for (size_t i = 0; i < store->metric_count; i++) {
        free(store->metrics[i].component_name.bytes);
        free(store->metrics[i].metric_name.bytes);
    }
    free(store->patterns);
    free(store->places);
    free(store->metrics);
    pthread_rwlock_destroy(&store->lock);
    free(store);
}

static void
append(struct bare_store *store, const struct pattern_row *row)
{
    struct bare_pattern *pattern;

    store->patterns = grown(store->patterns, store->pattern_count, &store->pattern_capacity, sizeof *pattern);
    if (store->places == NULL || 2 * (store->pattern_count + 1) > store->place_mask + 1)
        places_grow(store);
    pattern = &store->patterns[store->pattern_count];
    pattern->id = (int64_t) store->pattern_count + 1;
    pattern->task_type = copied(row->task_type);
    pattern->pattern_used = copied(row->pattern_used);
    pattern->execution_time = row->execution_time;
    pattern->success_rate = row->success_rate;
    pattern->confidence_score = row->confidence_score;
    pattern->agent_count = row->agent_count;
    pattern->complexity_level = copied(row->complexity_level);
    pattern->tools_used = copied(row->tools_used);
    pattern->context_factors = copied(row->context_factors);
    pattern->created_at = row->created_at;
    pattern->updated_at = row->updated_at;
    pattern->usage_count = row->usage_count;
    place_put(store, pattern->id, (uint32_t) store->pattern_count);
    store->pattern_count++;
}

static void
bare_patterns_store(void *handle, const struct pattern_row *rows, size_t count)
{
    struct bare_store *store = handle;

    pthread_rwlock_wrlock(&store->lock);
    for (size_t i = 0; i < count; i++)
        append(store, &rows[i]);
    pthread_rwlock_unlock(&store->lock);
}

static void
bare_pattern_store(void *handle, const struct pattern_row *row)
{
    bare_patterns_store(handle, row, 1);
}

static void
bare_metrics_store(void *handle, const struct metric_row *rows, size_t count)
{
    struct bare_store *store = handle;

    pthread_rwlock_wrlock(&store->lock);
    for (size_t i = 0; i < count; i++) {
        struct bare_metric *metric;

        store->metrics = grown(store->metrics, store->metric_count, &store->metric_capacity, sizeof *metric);
        metric = &store->metrics[store->metric_count];
        metric->id = (int64_t) ++store->metric_count;
        metric->component_name = copied(rows[i].component_name);
        metric->metric_name = copied(rows[i].metric_name);
        metric->metric_value = rows[i].metric_value;
        metric->baseline_value = rows[i].baseline_value;
        metric->improvement_percentage = rows[i].improvement_percentage;
        metric->measured_at = rows[i].measured_at;
    }
    pthread_rwlock_unlock(&store->lock);
}

/* NULL where it is not there. */
static struct bare_pattern *
pattern_by_id(const struct bare_store *store, int64_t id)
{
    for (size_t slot = hash_id(id) & store->place_mask; store->places != NULL && store->places[slot] != 0;
         slot = (slot + 1) & store->place_mask) {
        struct bare_pattern *pattern = &store->patterns[store->places[slot] - 1];
        if (pattern->id == id)
            return pattern;
    }
    return NULL;
}

static void
bare_patterns_weigh(void *handle, const struct weight *weights, size_t count)
{
    struct bare_store *store = handle;

    pthread_rwlock_wrlock(&store->lock);
    for (size_t i = 0; i < count; i++) {
        struct bare_pattern *pattern = pattern_by_id(store, weights[i].id);
        struct timespec      now;

        if (pattern == NULL)
            fail("bare C: row %lld is gone", (long long) weights[i].id);
        clock_gettime(CLOCK_REALTIME, &now);
        pattern->confidence_score = weights[i].weight;
        pattern->updated_at = (double) now.tv_sec + (double) now.tv_nsec / 1e9;
    }
    pthread_rwlock_unlock(&store->lock);
}

static uint64_t
bare_patterns_clean_up(void *handle, double created_before)
{
    struct bare_store *store = handle;
    uint64_t           deleted = 0;

    pthread_rwlock_wrlock(&store->lock);
    for (size_t i = 0; i < store->pattern_count; i++) {
        struct bare_pattern *pattern = &store->patterns[i];

        if (pattern->id < 0 || pattern->created_at >= created_before)
            continue;
        pattern->id = -pattern->id;
        deleted++;
    }
    store->deleted_count += deleted;
    pthread_rwlock_unlock(&store->lock);
    return deleted;
}

static bool
bare_pattern_read(void *handle, int64_t id, see_pattern see, void *context)
{
    struct bare_store         *store = handle;
    const struct bare_pattern *pattern;

    pthread_rwlock_rdlock(&store->lock);
    pattern = pattern_by_id(store, id);
    if (pattern != NULL) {
        struct pattern_row row = {
            .id = pattern->id,
            .task_type = lent(pattern->task_type),
            .pattern_used = lent(pattern->pattern_used),
            .execution_time = pattern->execution_time,
            .success_rate = pattern->success_rate,
            .confidence_score = pattern->confidence_score,
            .agent_count = pattern->agent_count,
            .complexity_level = lent(pattern->complexity_level),
            .tools_used = lent(pattern->tools_used),
            .context_factors = lent(pattern->context_factors),
            .created_at = pattern->created_at,
            .updated_at = pattern->updated_at,
            .usage_count = pattern->usage_count,
        };
        see(context, &row);
    }
    pthread_rwlock_unlock(&store->lock);
    return pattern != NULL;
}

/* Insertion into a short sorted list. A later row that is no better than the last
 * stays out, which is also the order asked for among equals: lowest id first. */
static void
bare_patterns_top(void *handle, const struct top_query *query, see_pattern see, void *context)
{
    struct bare_store         *store = handle;
    const struct bare_pattern *best[TOP_MAX];
    size_t                     found = 0;

    if (query->limit > TOP_MAX)
        fail("bare C: at most the top %d", TOP_MAX);
    pthread_rwlock_rdlock(&store->lock);
    for (size_t i = 0; i < store->pattern_count; i++) {
        const struct bare_pattern *pattern = &store->patterns[i];
        size_t                     place;

        /* First what rules out nearly every row once the list is full. */
        if (found == query->limit && pattern->confidence_score <= best[found - 1]->confidence_score)
            continue;
        if (pattern->success_rate < query->success_rate_min || pattern->confidence_score < query->confidence_score_min)
            continue;
        if (pattern->id < 0 || !is_equal(&pattern->task_type, query->task_type))
            continue;
        if (found < query->limit)
            found++;
        for (place = found - 1; place > 0 && best[place - 1]->confidence_score < pattern->confidence_score; place--)
            best[place] = best[place - 1];
        best[place] = pattern;
    }
    for (size_t i = 0; i < found; i++) {
        struct pattern_row row = { .id = best[i]->id,
                                   .pattern_used = lent(best[i]->pattern_used),
                                   .confidence_score = best[i]->confidence_score };
        see(context, &row);
    }
    pthread_rwlock_unlock(&store->lock);
}

/* Metrics come in the order they were measured, so the newest are at the end. */
static void
bare_metrics_history(void *handle, const struct history_query *query, see_metric see, void *context)
{
    struct bare_store *store = handle;
    uint32_t           found = 0;

    pthread_rwlock_rdlock(&store->lock);
    for (size_t i = store->metric_count; i-- > 0 && found < query->limit;) {
        const struct bare_metric *metric = &store->metrics[i];

        if ((query->metric_name.data != NULL && !is_equal(&metric->metric_name, query->metric_name)) ||
            !is_equal(&metric->component_name, query->component_name))
            continue;
        struct metric_row row = { .id = metric->id,
                                  .metric_name = lent(metric->metric_name),
                                  .metric_value = metric->metric_value,
                                  .baseline_value = metric->baseline_value,
                                  .improvement_percentage = metric->improvement_percentage,
                                  .measured_at = metric->measured_at };
        see(context, &row);
        found++;
    }
    pthread_rwlock_unlock(&store->lock);
}

static void
bare_patterns_grouped(void *handle, see_group see, void *context)
{
    struct bare_store *store = handle;
    struct grouping    grouping;

    grouping_init(&grouping);
    pthread_rwlock_rdlock(&store->lock);
    for (size_t i = 0; i < store->pattern_count; i++) {
        const struct bare_pattern *pattern = &store->patterns[i];
        if (pattern->id > 0)
            grouping_add(&grouping, lent(pattern->task_type), pattern->execution_time, pattern->success_rate);
    }
    pthread_rwlock_unlock(&store->lock);
    grouping_see(&grouping, see, context);
}

static uint64_t
bare_pattern_count(void *handle)
{
    const struct bare_store *store = handle;
    return store->pattern_count - store->deleted_count;
}

static const char *
bare_version(void)
{
    return "adapter_bare.c";
}

const struct adapter adapter_bare = {
    .name = "bare",
    .title = "bare C",
    .how = "array of structs, malloc'd strings, hash table on id, one rwlock, questions scan; keeps nothing",
    .is_kept = false,
    .version = bare_version,
    .open = bare_open,
    .close = bare_close,
    .pattern_store = bare_pattern_store,
    .patterns_store = bare_patterns_store,
    .metrics_store = bare_metrics_store,
    .patterns_weigh = bare_patterns_weigh,
    .patterns_clean_up = bare_patterns_clean_up,
    .pattern_read = bare_pattern_read,
    .patterns_top = bare_patterns_top,
    .metrics_history = bare_metrics_history,
    .patterns_grouped = bare_patterns_grouped,
    .pattern_count = bare_pattern_count,
    .settle = NULL,
};
