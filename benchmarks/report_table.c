/* report_table.c - the result for people: tables no wider than a wide terminal.
 *
 * A work's line is asked for in the order in which works first came in. "Best kept" is the
 * best of the other stores whose rows outlive the process, by its median: what a user of
 * that work could have picked instead and kept his data. */
#include "report.h"

#include <inttypes.h>
#include <string.h>

#define NAME_WIDTH  35
#define STORE_WIDTH 13

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
format_ratio(char *text, size_t text_bytes, struct ratio ratio)
{
    char median[32], lowest[32], highest[32];

    format_value(median, sizeof median, ratio.median);
    format_value(lowest, sizeof lowest, ratio.lowest);
    format_value(highest, sizeof highest, ratio.highest);
    if (ratio.lowest < ratio.highest)
        snprintf(text, text_bytes, "x %s (%s-%s)", median, lowest, highest);
    else
        snprintf(text, text_bytes, "x %s", median);
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
print_work_name(const struct figure *figure, FILE *file)
{
    char name[64];

    snprintf(name, sizeof name, "%s, %s", figure->work, figure->unit);
    fprintf(file, "  %-*s", NAME_WIDTH, name);
}

/* ---- medians side by side -------------------------------------------------------- */

static void
print_medians(const struct report *report, const struct figure *leader, FILE *file)
{
    print_work_name(leader, file);
    for (size_t i = 0; i < report->adapter_count; i++) {
        const struct figure *figure =
            results_find(report->results, leader->work, report->adapters[i]->name, leader->rows);
        char value[32] = "-";

        if (figure != NULL)
            format_value(value, sizeof value, figure_median(figure));
        fprintf(file, "%*s", STORE_WIDTH, value);
    }
    fputc('\n', file);
}

/* ---- knackdb's own ----------------------------------------------------------------- */

/* The best of the others that keep their rows; NULL where there is none. */
static const struct figure *
best_kept(const struct report *report, const struct figure *ours, const char **ret_title)
{
    const struct figure *best = NULL;

    for (size_t i = 0; i < report->adapter_count; i++) {
        const struct adapter *adapter = report->adapters[i];
        const struct figure  *figure = results_find(report->results, ours->work, adapter->name, ours->rows);

        if (figure == NULL || adapter->is_own || !adapter->is_kept)
            continue;
        if (best == NULL || (ours->more_is_better ? figure_median(figure) > figure_median(best)
                                                  : figure_median(figure) < figure_median(best))) {
            best = figure;
            *ret_title = adapter->title;
        }
    }
    return best;
}

static void
print_aim(const struct report *report, const struct figure *ours, FILE *file)
{
    double            median = figure_median(ours), bound;
    const struct aim *aim = aim_of(report->results, ours->work, ours->rows, &bound);
    char              text[32];
    bool              is_reached;

    if (aim == NULL || bound <= 0)
        return;
    is_reached = ours->more_is_better ? median >= bound : median <= bound;
    format_value(text, sizeof text, bound);
    fprintf(file, "%s %s: %s", ours->more_is_better ? ">=" : "<=", text, is_reached ? "reached" : "MISSED");
}

static void
print_quantiles(const struct figure *figure, FILE *file)
{
    static const double shares[] = { 0.5, 0.99, 0.999 };
    char                value[32];

    if (figure->latency == NULL || figure->latency->count == 0) {
        fprintf(file, "%9s%9s%9s%9s", "", "", "", "");
        return;
    }
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        format_value(value, sizeof value, histogram_quantile_ns(figure->latency, shares[i]) / 1e3);
        fprintf(file, "%9s", value);
    }
    format_value(value, sizeof value, (double) figure->latency->max_ns / 1e3);
    fprintf(file, "%9s", value);
}

static void
print_ours(const struct report *report, const struct figure *ours, FILE *file)
{
    const struct figure *bare = results_find(report->results, ours->work, "bare", ours->rows), *best;
    const char          *title = "";
    char                 text[128];

    print_work_name(ours, file);
    format_value(text, sizeof text, figure_median(ours));
    fprintf(file, "%9s", text);
    print_quantiles(ours, file);
    text[0] = '\0';
    if (bare != NULL)
        format_ratio(text, sizeof text, figure_ratio(ours, bare));
    fprintf(file, "  %-21s", text);
    best = best_kept(report, ours, &title);
    text[0] = '\0';
    if (best != NULL)
        format_ratio(text, sizeof text, figure_ratio(ours, best));
    fprintf(file, "%-12s%-23s", best != NULL ? title : "", text);
    print_aim(report, ours, file);
    fputc('\n', file);
}

static void
print_size(const struct report *report, uint64_t rows, FILE *file)
{
    const struct results *results = report->results;

    fprintf(file, "\n%-*" PRIu64, NAME_WIDTH + 2, rows);
    for (size_t i = 0; i < report->adapter_count; i++)
        fprintf(file, "%*s", STORE_WIDTH, report->adapters[i]->title);
    fputc('\n', file);
    for (size_t i = 0; i < results->count; i++)
        if (results->figures[i].rows == rows && leads_line(results, i))
            print_medians(report, &results->figures[i], file);

    fprintf(file, "\n%-*s%9s%9s%9s%9s%9s  %-21s%-35s%s\n", NAME_WIDTH + 2, "knackdb", "median", "p50 us", "p99",
            "p99.9", "max", "bare C", "best other that is kept", "aim");
    for (size_t i = 0; i < results->count; i++) {
        const struct figure *ours = results_find(results, results->figures[i].work, "knackdb", rows);
        if (results->figures[i].rows == rows && leads_line(results, i) && ours != NULL)
            print_ours(report, ours, file);
    }
}

/* ---- every store ------------------------------------------------------------------- */

static void
print_details(const struct report *report, const struct figure *leader, FILE *file)
{
    const struct figure *ours = results_find(report->results, leader->work, "knackdb", leader->rows);

    fprintf(file, "\n%" PRIu64 ": %s, %s\n", leader->rows, leader->work, leader->unit);
    fprintf(file, "  %-14s%9s%11s%11s%9s%9s%9s%9s%11s  %s\n", "", "median", "lowest", "highest", "p50 us", "p99",
            "p99.9", "max", "timed", "knackdb is better by");
    for (size_t i = 0; i < report->adapter_count; i++) {
        const struct figure *figure =
            results_find(report->results, leader->work, report->adapters[i]->name, leader->rows);
        char median[32], lowest[32], highest[32], ratio[128] = "";

        if (figure == NULL)
            continue;
        format_value(median, sizeof median, figure_median(figure));
        format_value(lowest, sizeof lowest, figure_lowest(figure));
        format_value(highest, sizeof highest, figure_highest(figure));
        fprintf(file, "  %-14s%9s%11s%11s", report->adapters[i]->title, median, lowest, highest);
        print_quantiles(figure, file);
        if (ours != NULL && figure != ours)
            format_ratio(ratio, sizeof ratio, figure_ratio(ours, figure));
        fprintf(file, "%11" PRIu64 "  %s\n", figure->latency != NULL ? figure->latency->count : 0, ratio);
    }
}

/* ---- whole reports ------------------------------------------------------------------- */

void
report_summary(const struct report *report, FILE *file)
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
    fprintf(file,
            "Medians over rounds; x: how many times better knackdb is, below 1 it is worse (lowest-highest over "
            "rounds).\nA single timed operation has one clock reading in it, %.0f ns here. \"Kept\": rows outlive the "
            "process.\n",
            report->clock_ns);
    for (size_t i = 0; i < results->count; i++) {
        bool is_first = true;
        for (size_t j = 0; j < i; j++)
            is_first = is_first && results->figures[j].rows != results->figures[i].rows;
        if (is_first)
            print_size(report, results->figures[i].rows, file);
    }
}

void
report_full(const struct report *report, FILE *file)
{
    report_summary(report, file);
    for (size_t i = 0; i < report->results->count; i++)
        if (leads_line(report->results, i))
            print_details(report, &report->results->figures[i], file);
}
