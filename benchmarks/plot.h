/* plot.h - a result drawn: latency by size, one line a store. */
#ifndef BENCHMARKS_PLOT_H
#define BENCHMARKS_PLOT_H

#include "report.h"

/** A panel for each work, both axes logarithmic, as SVG. A size measured alone gives points. */
void plot_svg(const struct report *report, FILE *file);

#endif
