#include "results.h"

#include "failure.h"

#include <stdlib.h>
#include <string.h>

static const struct aim aims[] = {
    { "W1 store one", 0, 0.3, 0 },
    { "W2 batch of 100", 10000, 20, 0 },
    { "W2 batch of 100", 1000000, 25, 0 },
    { "W3 read by id", 0, 0, 1.1 },
    { "W3 read by id, each waiting", 0, 0, 1.1 },
    { "W4 top 10 of a task type", 10000, 1, 0 },
    { "W4 top 10 of a task type", 1000000, 1.5, 0 },
    { "W4 top 100", 10000, 5, 0 },
    { "W4 top 100", 1000000, 8, 0 },
    { "W4 top 10, the same again", 0, 0.15, 0 },
    { "W4 again after a store", 0, 0.5, 0 },
    { "W5 history of a component", 1000000, 40, 0 },
    { "W5 history of one metric", 1000000, 3, 0 },
    { "W6 means by task type", 1000000, 1500, 0 },
    { "W7 update a weight", 1000000, 0.5, 0 },
    { "W8 clean up the older half", 1000000, 25, 0 },
    { "W9 open, existing", 10000, 3, 0 },
    { "W9 open, existing", 1000000, 250, 0 },
    { "W9 open, new directory", 0, 2, 0 },
    { "W10 memory", 10000, 2.5, 0 },
    { "W10 memory", 1000000, 220, 0 },
    { "W10 disk", 10000, 1.0, 0 },
    { "W10 disk", 1000000, 95, 0 },
    { "W11 9:1 reads, 2 threads", 10000, 8e6, 0 },
    { "W11 9:1 reads, 2 threads", 1000000, 3.5e6, 0 },
    { "W11 9:1 reads, 10 threads", 1000000, 3.5e6, 0 },
};

struct figure *
results_figure(struct results *results, const char *work, const char *store, uint64_t rows, const char *unit)
{
    struct figure *figure;

    for (size_t i = 0; i < results->count; i++) {
        figure = &results->figures[i];
        if (figure->rows == rows && strcmp(figure->work, work) == 0 && strcmp(figure->store, store) == 0)
            return figure;
    }
    if (results->count == results->capacity) {
        results->capacity = results->capacity == 0 ? 64 : 2 * results->capacity;
        results->figures = realloc(results->figures, results->capacity * sizeof *results->figures);
        if (results->figures == NULL)
            fail("no memory");
    }
    figure = &results->figures[results->count++];
    memset(figure, 0, sizeof *figure);
    figure->work = work;
    figure->store = store;
    figure->rows = rows;
    figure->unit = unit;
    figure->more_is_better = strchr(unit, '/') != NULL;
    return figure;
}

/* Works with a number, then YCSB's, then the commands. */
static long
rank(const char *work)
{
    if (work[0] == 'W')
        return strtol(work + 1, NULL, 10);
    return strncmp(work, "YCSB", 4) == 0 ? 100 : 200;
}

/* Figures of equal rank stay as they came; there are some hundreds of them. */
void
results_order(struct results *results)
{
    for (size_t i = 1; i < results->count; i++) {
        struct figure figure = results->figures[i];
        size_t        place = i;

        for (; place > 0 && results->figures[place - 1].rows == figure.rows &&
               rank(results->figures[place - 1].work) > rank(figure.work);
             place--)
            results->figures[place] = results->figures[place - 1];
        results->figures[place] = figure;
    }
}

void
results_clear(struct results *results)
{
    for (size_t i = 0; i < results->count; i++)
        free(results->figures[i].latency);
    free(results->figures);
    memset(results, 0, sizeof *results);
}

const struct figure *
results_find(const struct results *results, const char *work, const char *store, uint64_t rows)
{
    for (size_t i = 0; i < results->count; i++) {
        const struct figure *figure = &results->figures[i];
        if (figure->rows == rows && strcmp(figure->work, work) == 0 && strcmp(figure->store, store) == 0)
            return figure;
    }
    return NULL;
}

void
figure_add_round(struct figure *figure, double value)
{
    if (figure->round_count == ROUNDS_MAX)
        fail("more than %d rounds", ROUNDS_MAX);
    figure->rounds[figure->round_count++] = value;
}

struct histogram *
figure_latency(struct figure *figure)
{
    if (figure->latency == NULL) {
        figure->latency = calloc(1, sizeof *figure->latency);
        if (figure->latency == NULL)
            fail("no memory");
    }
    return figure->latency;
}

static int
by_value(const void *a, const void *b)
{
    const double *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

/* Value number k of some values in rising order. */
static double
ranked(const double *values, size_t count, size_t k)
{
    double sorted[ROUNDS_MAX];

    memcpy(sorted, values, count * sizeof sorted[0]);
    qsort(sorted, count, sizeof sorted[0], by_value);
    return sorted[k];
}

static double
median(const double *values, size_t count)
{
    return (ranked(values, count, (count - 1) / 2) + ranked(values, count, count / 2)) / 2;
}

double
figure_median(const struct figure *figure)
{
    return figure->round_count == 0 ? 0 : median(figure->rounds, figure->round_count);
}

double
figure_lowest(const struct figure *figure)
{
    return figure->round_count == 0 ? 0 : ranked(figure->rounds, figure->round_count, 0);
}

double
figure_highest(const struct figure *figure)
{
    return figure->round_count == 0 ? 0 : ranked(figure->rounds, figure->round_count, figure->round_count - 1);
}

struct ratio
figure_ratio(const struct figure *ours, const struct figure *theirs)
{
    size_t       count = ours->round_count < theirs->round_count ? ours->round_count : theirs->round_count;
    double       values[ROUNDS_MAX];
    struct ratio ratio = { 0, 0, 0 };

    if (count == 0)
        return ratio;
    for (size_t i = 0; i < count; i++) {
        double better = ours->more_is_better ? ours->rounds[i] : theirs->rounds[i];
        double worse = ours->more_is_better ? theirs->rounds[i] : ours->rounds[i];
        values[i] = worse > 0 ? better / worse : 0;
    }
    ratio.median = median(values, count);
    ratio.lowest = ranked(values, count, 0);
    ratio.highest = ranked(values, count, count - 1);
    return ratio;
}

const struct aim *
aim_of(const struct results *results, const char *work, uint64_t rows, double *ret_bound)
{
    for (size_t i = 0; i < sizeof aims / sizeof aims[0]; i++) {
        const struct aim *aim = &aims[i];

        if (strcmp(aim->work, work) != 0 || (aim->rows != 0 && aim->rows != rows))
            continue;
        *ret_bound = aim->bound;
        if (aim->of_bare > 0) {
            const struct figure *bare = results_find(results, work, "bare", rows);
            *ret_bound = bare != NULL ? aim->of_bare * figure_median(bare) : 0;
        }
        return aim;
    }
    return NULL;
}
