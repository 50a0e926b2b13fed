#include "results.h"

#include "failure.h"

#include <stdlib.h>
#include <string.h>

const struct floor floors[] = {
    { "store one", 0, 1.0 },
    { "batch of 100", 0, 100.0 },
    { "read by id", 1000000, 0.5 },
    { "open, new directory", 0, 10.0 },
    { "memory", 10000, 5.0 },
};
const size_t floor_count = sizeof floors / sizeof floors[0];

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

/* Value number k of the rounds in rising order. */
static double
ranked(const struct figure *figure, size_t k)
{
    double sorted[ROUNDS_MAX];

    memcpy(sorted, figure->rounds, figure->round_count * sizeof sorted[0]);
    qsort(sorted, figure->round_count, sizeof sorted[0], by_value);
    return sorted[k];
}

double
figure_median(const struct figure *figure)
{
    size_t count = figure->round_count;

    if (count == 0)
        return 0;
    return (ranked(figure, (count - 1) / 2) + ranked(figure, count / 2)) / 2;
}

double
figure_lowest(const struct figure *figure)
{
    return figure->round_count == 0 ? 0 : ranked(figure, 0);
}

double
figure_highest(const struct figure *figure)
{
    return figure->round_count == 0 ? 0 : ranked(figure, figure->round_count - 1);
}

double
figure_advantage(const struct figure *ours, const struct figure *theirs)
{
    double our_median = figure_median(ours), their_median = figure_median(theirs);

    if (our_median <= 0 || their_median <= 0)
        return 0;
    return ours->more_is_better ? our_median / their_median : their_median / our_median;
}

const struct floor *
floor_of(const char *work, uint64_t rows)
{
    for (size_t i = 0; i < floor_count; i++)
        if (strcmp(floors[i].work, work) == 0 && (floors[i].rows == 0 || floors[i].rows == rows))
            return &floors[i];
    return NULL;
}
