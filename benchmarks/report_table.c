#include "report.h"

#include <inttypes.h>
#include <string.h>

#define NAME_WIDTH  27
#define STORE_WIDTH 22
#define FLOOR_WIDTH 16

/* Three digits that matter, whatever the size. */
static void
format_value(char *text, size_t text_bytes, double value)
{
    if (value >= 1e6)
        snprintf(text, text_bytes, "%.2fM", value / 1e6);
    else if (value >= 1e4)
        snprintf(text, text_bytes, "%.0fk", value / 1e3);
    else if (value >= 100)
        snprintf(text, text_bytes, "%.0f", value);
    else if (value >= 10)
        snprintf(text, text_bytes, "%.1f", value);
    else
        snprintf(text, text_bytes, "%.2f", value);
}

static void
format_ratio(char *text, size_t text_bytes, double ratio)
{
    if (ratio >= 10)
        snprintf(text, text_bytes, "x %.0f", ratio);
    else
        snprintf(text, text_bytes, "x %.2f", ratio);
}

/* The first figure of each work at this size leads its line. */
static bool
leads_line(const struct results *results, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (results->figures[j].rows == results->figures[i].rows &&
            strcmp(results->figures[j].work, results->figures[i].work) == 0)
            return false;
    return true;
}

static void
print_floor(FILE *file, const struct figure *ours, const struct floor *floor)
{
    double median = figure_median(ours);
    bool   held = ours->more_is_better ? median >= floor->bound : median <= floor->bound;
    char   bound[32];

    format_value(bound, sizeof bound, floor->bound);
    fprintf(file, "%s %s: %s", ours->more_is_better ? ">=" : "<=", bound, held ? "held" : "MISSED");
}

static void
print_line(const struct report *report, const struct figure *leader, FILE *file)
{
    const struct figure *ours = results_find(report->results, leader->work, "knackdb", leader->rows);
    char                 name[64], value[32], ratio[32], spread[80], cell[160];

    snprintf(name, sizeof name, "%s, %s", leader->work, leader->unit);
    fprintf(file, "  %-*s", NAME_WIDTH + 4, name);
    for (size_t i = 0; i < report->adapter_count; i++) {
        const struct figure *figure = results_find(report->results, leader->work, report->adapters[i]->name,
                                                   leader->rows);
        if (figure == NULL) {
            fprintf(file, "%-*s", STORE_WIDTH, "-");
            continue;
        }
        format_value(value, sizeof value, figure_median(figure));
        if (figure == ours || ours == NULL) {
            char low[32], high[32];
            format_value(low, sizeof low, figure_lowest(figure));
            format_value(high, sizeof high, figure_highest(figure));
            spread[0] = '\0';
            if (figure->round_count > 1)
                snprintf(spread, sizeof spread, " (%s-%s)", low, high);
            snprintf(cell, sizeof cell, "%s%s", value, spread);
        } else {
            format_ratio(ratio, sizeof ratio, figure_advantage(ours, figure));
            snprintf(cell, sizeof cell, "%-8s %s", value, ratio);
        }
        fprintf(file, "%-*s ", STORE_WIDTH - 1, cell);
    }
    if (ours != NULL && floor_of(leader->work, leader->rows) != NULL)
        print_floor(file, ours, floor_of(leader->work, leader->rows));
    else if (ours != NULL && strcmp(leader->work, "import") == 0 &&
             results_find(report->results, "import", "sqlite", leader->rows) != NULL)
        fprintf(file, ">= sqlite3: %s",
                figure_advantage(ours, results_find(report->results, "import", "sqlite", leader->rows)) >= 1
                    ? "held"
                    : "MISSED");
    fputc('\n', file);
}

static void
print_tail(const struct figure *figure, FILE *file)
{
    static const double shares[] = { 0.5, 0.99, 0.999 };
    char                value[32];

    fprintf(file, "  %-*s%-10s", NAME_WIDTH, figure->work, figure->store);
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        format_value(value, sizeof value, histogram_quantile_ns(figure->latency, shares[i]) / 1e3);
        fprintf(file, "%10s", value);
    }
    format_value(value, sizeof value, (double) figure->latency->max_ns / 1e3);
    fprintf(file, "%10s%10" PRIu64 "\n", value, figure->latency->count);
}

static void
print_size(const struct report *report, uint64_t rows, FILE *file)
{
    const struct results *results = report->results;
    char                  title[40];

    snprintf(title, sizeof title, "%" PRIu64 " rows", rows);
    fprintf(file, "\n%-*s", NAME_WIDTH + 6, title);
    for (size_t i = 0; i < report->adapter_count; i++)
        fprintf(file, "%-*s", STORE_WIDTH, report->adapters[i]->title);
    fputs("floor\n", file);
    for (size_t i = 0; i < results->count; i++)
        if (results->figures[i].rows == rows && leads_line(results, i))
            print_line(report, &results->figures[i], file);

    fprintf(file, "\n  %-*s%-10s%10s%10s%10s%10s%10s\n", NAME_WIDTH, "one operation, us", "", "p50", "p99", "p99.9",
            "max", "timed");
    for (size_t i = 0; i < results->count; i++)
        if (results->figures[i].rows == rows && leads_line(results, i) && results->figures[i].latency != NULL)
            for (size_t j = i; j < results->count; j++)
                if (results->figures[j].rows == rows && results->figures[j].latency != NULL &&
                    strcmp(results->figures[j].work, results->figures[i].work) == 0)
                    print_tail(&results->figures[j], file);
}

void
report_table(const struct report *report, FILE *file)
{
    const struct machine *machine = report->machine;
    const struct results *results = report->results;

    fprintf(file, "%s, %ld cores, %ld MiB, %s, %s\n", machine->processor, machine->core_count, machine->memory_mb,
            machine->system, machine->file_system);
    fprintf(file, "%s, %s; %s%s%s\n", machine->compiler, machine->flags, machine->date,
            report->revision[0] != '\0' ? "; revision " : "", report->revision);
    for (size_t i = 0; i < report->adapter_count; i++)
        fprintf(file, "%s (%s): %s\n", report->adapters[i]->title, report->adapters[i]->version(),
                report->adapters[i]->how);
    fprintf(file, "Means are medians over rounds (lowest-highest); x: how many times better knackdb is, below 1 it is "
                  "worse.\nA single timed operation has one clock reading in it, %.0f ns here.\n",
            report->clock_ns);
    for (size_t i = 0; i < results->count; i++) {
        bool is_first = true;
        for (size_t j = 0; j < i; j++)
            is_first = is_first && results->figures[j].rows != results->figures[i].rows;
        if (is_first)
            print_size(report, results->figures[i].rows, file);
    }
}
