/* works.c - times single calls, fairly.
 *
 * Operations run in chunks. What a chunk needs (ids, questions, rows) is made before
 * its clock starts. Chunks are timed in turn in two ways:
 *
 *   as a whole   two clock readings around all of its operations: gives the mean,
 *                free of the clock's own cost
 *   each         a reading after every operation: gives percentiles and the maximum,
 *                each with one clock reading in it
 *
 * Where operations are so long that a chunk is one of them, or where something must be done
 * between them, all are timed each, and the mean has the clock in it, too.
 *
 * The first two chunks warm up and count for nothing (works that change the store: they
 * count, as every row counts towards the store's size and its first ones belong to what a
 * user would see; nor do they where a store spends all its time on them).
 *
 * Nothing can be optimised away: every answer goes into a digest. The digest at the
 * end of each chunk is kept, and as all stations are asked the same things in the
 * same order, they must agree chunk by chunk, however many each got through. Means
 * are compared number by number: the order of a sum is each store's own, and its last
 * bits with it. */
#define _GNU_SOURCE /* memmem */
#include "works.h"

#include "clock.h"
#include "failure.h"
#include "operations.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#define CHUNKS_MAX 4096
#define MEAN_ERROR 1e-9 /* of the value: a sum of ten million in any order */

/* What was answered first, which the others are compared with: the first station's answers, and behind their end those
 * of whoever got further. */
struct reference {
    const struct adapter *adapter; /* whose answers the last ones are */
    size_t                chunk_count;
    uint64_t              digests[CHUNKS_MAX];
    struct group_row      groups[GROUPS_MAX];
};

/* A NaN is near nothing, itself neither. */
static bool
is_near(double one, double other)
{
    return fabs(one - other) <= MEAN_ERROR * fabs(one);
}

static void
compare_means(const struct reference *reference, const struct run *run, const struct work *work)
{
    for (size_t g = 0; g < run->group_count; g++) {
        const struct group_row *one = &reference->groups[g], *other = &run->groups[g];

        if (!is_near(one->execution_time_mean, other->execution_time_mean) ||
            !is_near(one->success_rate_mean, other->success_rate_mean))
            fail("%s: %s and %s disagree on the means of %s", work->name, reference->adapter->name,
                 run->station->adapter->name, run->group_names[g]);
    }
}

static void
compare_chunk(struct reference *reference, const struct run *run, const struct work *work, size_t chunk)
{
    if (reference->chunk_count == 0)
        memcpy(reference->groups, run->groups, sizeof reference->groups);
    if (chunk >= reference->chunk_count) {
        reference->adapter = run->station->adapter;
        reference->digests[chunk] = run->digest;
        reference->chunk_count = chunk + 1;
    } else if (reference->digests[chunk] != run->digest) {
        fail("%s: %s and %s answer differently", work->name, reference->adapter->name, run->station->adapter->name);
    }
    compare_means(reference, run, work);
}

/* What was timed so far. */
struct timing {
    uint64_t         whole_ns, whole_operations;
    uint64_t         each_ns, each_operations;
    struct histogram each;
};

static void
time_whole(const struct work *work, struct run *run, size_t count, struct timing *timing)
{
    uint64_t start = clock_ns();

    for (size_t i = 0; i < count; i++)
        work->perform(run, i);
    timing->whole_ns += clock_ns() - start;
    timing->whole_operations += count;
}

static void
time_each(const struct work *work, struct run *run, size_t count, struct timing *timing)
{
    uint64_t last = clock_ns();

    for (size_t i = 0; i < count; i++) {
        uint64_t now;

        if (work->before != NULL) {
            work->before(run, i);
            last = clock_ns();
        }
        work->perform(run, i);
        now = clock_ns();
        histogram_add(&timing->each, now - last);
        timing->each_ns += now - last;
        last = now;
    }
    timing->each_operations += count;
}

static void
run_work(const struct work *work, struct run *run, unsigned round, const struct effort *effort,
         struct reference *reference, struct figure *figure)
{
    /* Every round asks other things. */
    uint64_t       first_operation = (uint64_t) round * CHUNKS_MAX * CHUNK_MAX;
    uint64_t       operations_max = work->ops_divisor == 0 ? UINT64_MAX : effort->change_ops / work->ops_divisor + 1;
    uint64_t       started = clock_ns(), spent = 0, done = 0;
    bool           is_alternating = work->chunk > 1 && work->before == NULL;
    struct timing *timing = calloc(1, sizeof *timing);

    if (timing == NULL)
        fail("no memory");
    run->digest = 0;
    run->group_count = 0;
    for (size_t chunk = 0; chunk < CHUNKS_MAX && done < operations_max; chunk++) {
        size_t count = operations_max - done < work->chunk ? (size_t) (operations_max - done) : work->chunk;

        if (chunk == 2 && work->ops_divisor == 0)
            memset(timing, 0, sizeof *timing);
        work->prepare(run, work, first_operation + done, count);
        if (is_alternating && chunk % 2 == 0)
            time_whole(work, run, count, timing);
        else
            time_each(work, run, count, timing);
        done += count;
        compare_chunk(reference, run, work, chunk);
        /* Both ways of timing, unless already the first took all the time there is. */
        spent = clock_ns() - started;
        if (spent > 4 * effort->budget_ns || (spent > effort->budget_ns && (chunk % 2 == 1 || !is_alternating)))
            break;
    }
    if (work->catch_up != NULL && done < operations_max)
        work->catch_up(run, work, first_operation + done, operations_max - done);
    histogram_merge(figure_latency(figure), &timing->each);
    figure_add_round(figure, timing->whole_operations > 0
                                 ? (double) timing->whole_ns / (double) timing->whole_operations / 1e3
                                 : (double) timing->each_ns / (double) timing->each_operations / 1e3);
    free(timing);
}

bool
effort_wants(const struct effort *effort, const char *name)
{
    const char *words = effort->words;

    while (words != NULL && *words != '\0') {
        size_t length = strcspn(words, ",");
        if (length > 0 && memmem(name, strlen(name), words, length) != NULL)
            return true;
        words += words[length] == ',' ? length + 1 : length;
    }
    return effort->words == NULL;
}

/* What sizes.c and bench.c ask effort_wants() for, beside the works. */
static const char *const other_works[] = { "W8", "W9", "W10", "W11", "import, dump" };

static bool
is_wanted_anywhere(const struct effort *effort)
{
    bool is_wanted = false;

    for (size_t i = 0; i < work_count; i++)
        is_wanted |= effort_wants(effort, works[i].name);
    for (size_t i = 0; i < sizeof other_works / sizeof other_works[0]; i++)
        is_wanted |= effort_wants(effort, other_works[i]);
    return is_wanted;
}

bool
effort_is_known(const struct effort *effort)
{
    for (const char *rest = effort->words; rest != NULL && *rest != '\0';) {
        struct effort one = *effort;
        char          word[64] = "";
        size_t        length = strcspn(rest, ",");

        if (length >= sizeof word)
            return false;
        memcpy(word, rest, length);
        one.words = word;
        if (!is_wanted_anywhere(&one))
            return false;
        rest += rest[length] == ',' ? length + 1 : length;
    }
    return effort->words == NULL || *effort->words != '\0';
}

void
works_run_round(const struct workload *workload, struct station *stations, size_t station_count, uint64_t rows,
                unsigned round, const struct effort *effort, struct results *results)
{
    struct run    *run = malloc(sizeof *run);
    struct zipfian zipfian;

    if (run == NULL)
        fail("no memory");
    zipfian_init(&zipfian, rows);
    run_init(run, workload, &zipfian, rows);
    for (size_t w = 0; w < work_count; w++) {
        struct reference *reference;

        if (!effort_wants(effort, works[w].name))
            continue;
        reference = calloc(1, sizeof *reference);
        if (reference == NULL)
            fail("no memory");
        for (size_t s = 0; s < station_count; s++) {
            run->station = &stations[(s + round) % station_count];
            run_work(&works[w], run, round, effort, reference,
                     results_figure(results, works[w].name, run->station->adapter->name, rows, "us"));
        }
        free(reference);
    }
    run_clear(run);
    free(run);
}
