/* plot.c - SVG by hand: rectangles, lines, text.
 *
 * Small panels, one a work, all with the same axis of rows, each with its own of values;
 * decades are drawn as grid lines. A median is a dot, with a bar from its lowest to its
 * highest round, and the dots of a store are joined. knackdb is drawn last, and thicker,
 * so that it lies above the others. Colours are told apart by those who see fewer, too
 * (Okabe and Ito, and a brown); a store beyond them begins anew, dashed. */
#include "plot.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#define COLUMNS      3
#define PANEL_WIDTH  400
#define PANEL_HEIGHT 220
#define LEFT         58
#define RIGHT        14
#define TOP          30
#define BOTTOM       26
#define LEGEND       74

static const char *const colours[] = { "#d55e00", "#000000", "#0072b2", "#56b4e9", "#009e73",
                                       "#e69f00", "#cc79a7", "#999999", "#7b4b2a" };
#define COLOUR_COUNT (sizeof colours / sizeof colours[0])

struct axis {
    double low, high;     /* logarithms to base ten */
    double first, length; /* in the drawing; negative length: upwards */
};

static double
place(const struct axis *axis, double value)
{
    return axis->first + axis->length * (log10(value) - axis->low) / (axis->high - axis->low);
}

static void
widen(double value, double *low, double *high)
{
    if (value <= 0)
        return;
    *low = fmin(*low, log10(value));
    *high = fmax(*high, log10(value));
}

static void
put_decade(FILE *file, double x, double y, const char *anchor, int decade)
{
    static const char *const words[] = { "1", "10", "100", "1k", "10k", "100k", "1M", "10M", "100M" };

    fprintf(file, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" class=\"tick\">", x, y, anchor);
    if (decade >= 0 && decade < (int) (sizeof words / sizeof words[0]))
        fputs(words[decade], file);
    else
        fprintf(file, "%g", pow(10, decade));
    fputs("</text>\n", file);
}

static void
put_grid(FILE *file, const struct axis *across, const struct axis *up)
{
    double right = across->first + across->length, top = up->first + up->length;

    fprintf(file, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" class=\"frame\"/>\n", across->first, top,
            across->length, -up->length);
    for (int decade = (int) ceil(across->low); decade <= (int) floor(across->high); decade++) {
        double x = place(across, pow(10, decade));
        fprintf(file, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"grid\"/>\n", x, up->first, x, top);
        put_decade(file, x, up->first + 14, "middle", decade);
    }
    for (int decade = (int) ceil(up->low); decade <= up->high; decade++) {
        double y = place(up, pow(10, decade));
        fprintf(file, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"grid\"/>\n", across->first, y,
                right, y);
        put_decade(file, across->first - 5, y + 3, "end", decade);
    }
}

static void
put_style(FILE *file, size_t store)
{
    fprintf(file, "stroke=\"%s\" stroke-width=\"%s\"%s", colours[store % COLOUR_COUNT], store == 0 ? "2.6" : "1.3",
            store >= COLOUR_COUNT ? " stroke-dasharray=\"4 3\"" : "");
}

/* Sizes of a run come in the order in which they were asked for; a line wants them rising. */
static const struct figure *
next_larger(const struct report *report, const char *work, const char *store, uint64_t rows)
{
    const struct figure *next = NULL;

    for (size_t i = 0; i < report->results->count; i++) {
        const struct figure *figure = &report->results->figures[i];
        if (strcmp(figure->work, work) == 0 && strcmp(figure->store, store) == 0 && figure->rows > rows &&
            figure_median(figure) > 0 && (next == NULL || figure->rows < next->rows))
            next = figure;
    }
    return next;
}

static void
put_store(FILE *file, const struct report *report, const char *work, size_t store, const struct axis *across,
          const struct axis *up)
{
    const char          *name = report->adapters[store]->name;
    const struct figure *figure;
    const char          *word = "M";

    if (next_larger(report, work, name, 0) == NULL)
        return;
    fputs("<path fill=\"none\" ", file);
    put_style(file, store);
    fputs(" d=\"", file);
    for (figure = next_larger(report, work, name, 0); figure != NULL;
         figure = next_larger(report, work, name, figure->rows)) {
        fprintf(file, "%s%.1f %.1f", word, place(across, (double) figure->rows), place(up, figure_median(figure)));
        word = " L";
    }
    fputs("\"/>\n", file);
    for (figure = next_larger(report, work, name, 0); figure != NULL;
         figure = next_larger(report, work, name, figure->rows)) {
        double x = place(across, (double) figure->rows);

        fprintf(file, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%s\" fill=\"%s\"/>\n", x, place(up, figure_median(figure)),
                store == 0 ? "3.4" : "2.2", colours[store % COLOUR_COUNT]);
        if (figure_lowest(figure) <= 0)
            continue;
        fprintf(file, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" ", x, place(up, figure_lowest(figure)), x,
                place(up, figure_highest(figure)));
        put_style(file, store);
        fputs("/>\n", file);
    }
}

static void
put_panel(FILE *file, const struct report *report, const struct figure *leader, size_t panel, double low_rows,
          double high_rows)
{
    double      left = (double) (panel % COLUMNS) * PANEL_WIDTH;
    double      top = LEGEND + (double) (panel / COLUMNS) * PANEL_HEIGHT;
    struct axis across = { low_rows, high_rows, left + LEFT, PANEL_WIDTH - LEFT - RIGHT };
    struct axis up = { DBL_MAX, -DBL_MAX, top + PANEL_HEIGHT - BOTTOM, -(PANEL_HEIGHT - TOP - BOTTOM) };

    for (size_t i = 0; i < report->results->count; i++) {
        const struct figure *figure = &report->results->figures[i];
        if (strcmp(figure->work, leader->work) != 0)
            continue;
        widen(figure_median(figure), &up.low, &up.high);
        widen(figure_lowest(figure), &up.low, &up.high);
        widen(figure_highest(figure), &up.low, &up.high);
    }
    if (up.low > up.high)
        return;                           /* nothing above zero was measured */
    up.low = floor(up.low * 2 - 0.1) / 2; /* half decades, and a little air */
    up.high = ceil(up.high * 2 + 0.1) / 2;
    fprintf(file, "<text x=\"%.1f\" y=\"%.1f\" class=\"title\">%s, %s</text>\n", left + LEFT, top + TOP - 8,
            leader->work, leader->unit);
    put_grid(file, &across, &up);
    for (size_t store = report->adapter_count; store-- > 0;)
        put_store(file, report, leader->work, store, &across, &up);
}

static void
put_legend(FILE *file, const struct report *report)
{
    fprintf(file,
            "<text x=\"%d\" y=\"22\" class=\"head\">Medians by number of rows; bars from the lowest to the highest "
            "round; lower is better, but for ops/s</text>\n",
            LEFT);
    fprintf(file, "<text x=\"%d\" y=\"38\" class=\"tick\">%s, %ld cores; %s; revision %s</text>\n", LEFT,
            report->machine->processor, report->machine->core_count, report->machine->date,
            report->revision[0] != '\0' ? report->revision : "not told");
    for (size_t i = 0; i < report->adapter_count; i++) {
        double x = LEFT + (double) i * 122;
        fprintf(file, "<line x1=\"%.1f\" y1=\"57\" x2=\"%.1f\" y2=\"57\" ", x, x + 22);
        put_style(file, i);
        fprintf(file, "/>\n<text x=\"%.1f\" y=\"61\" class=\"tick\">%s</text>\n", x + 27, report->adapters[i]->title);
    }
}

/* Import and dump are at one size and have a panel of one point: they are left to the tables. */
static bool
leads_panel(const struct results *results, size_t i)
{
    if (strcmp(results->figures[i].unit, "rows/s") == 0)
        return false;
    for (size_t j = 0; j < i; j++)
        if (strcmp(results->figures[j].work, results->figures[i].work) == 0)
            return false;
    return true;
}

void
plot_svg(const struct report *report, FILE *file)
{
    const struct results *results = report->results;
    size_t                panels = 0;
    double                low = DBL_MAX, high = -DBL_MAX;

    for (size_t i = 0; i < results->count; i++) {
        panels += leads_panel(results, i);
        widen((double) results->figures[i].rows, &low, &high);
    }
    low = floor(low); /* whole decades, so that there is a tick on either side */
    high = ceil(high) > low ? ceil(high) : low + 1;
    low -= 0.1;
    high += 0.1;
    fprintf(file,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%zu\" font-family=\"sans-serif\">\n"
            "<style>.tick{font-size:10px;fill:#444}.title{font-size:12px;font-weight:bold}.head{font-size:13px}"
            ".frame{fill:none;stroke:#888}.grid{stroke:#e2e2e2}</style>\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
            COLUMNS * PANEL_WIDTH, LEGEND + (panels + COLUMNS - 1) / COLUMNS * PANEL_HEIGHT);
    put_legend(file, report);
    for (size_t i = 0, panel = 0; i < results->count; i++)
        if (leads_panel(results, i))
            put_panel(file, report, &results->figures[i], panel++, low, high);
    fputs("</svg>\n", file);
}
