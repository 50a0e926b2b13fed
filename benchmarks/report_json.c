#include "report.h"

#include <inttypes.h>

static void
put_string(FILE *file, const char *string)
{
    fputc('"', file);
    for (; *string != '\0'; string++) {
        unsigned char byte = (unsigned char) *string;
        if (byte == '"' || byte == '\\')
            fprintf(file, "\\%c", byte);
        else if (byte < 0x20)
            fprintf(file, "\\u%04x", byte);
        else
            fputc(byte, file);
    }
    fputc('"', file);
}

static void
put_pair(FILE *file, const char *name, const char *value)
{
    put_string(file, name);
    fputs(": ", file);
    put_string(file, value);
}

static void
put_figure(FILE *file, const struct report *report, const struct figure *figure)
{
    const struct figure *ours = results_find(report->results, figure->work, "knackdb", figure->rows);
    double               bound = 0;
    const struct aim    *aim = aim_of(report->results, figure->work, figure->rows, &bound);

    fputs("    {", file);
    put_pair(file, "work", figure->work);
    fputs(", ", file);
    put_pair(file, "store", figure->store);
    fprintf(file, ", \"rows\": %" PRIu64 ", ", figure->rows);
    put_pair(file, "unit", figure->unit);
    fprintf(file, ", \"median\": %.6g, \"rounds\": [", figure_median(figure));
    for (size_t i = 0; i < figure->round_count; i++)
        fprintf(file, "%s%.6g", i == 0 ? "" : ", ", figure->rounds[i]);
    fputc(']', file);
    if (ours != NULL && ours != figure) {
        struct ratio ratio = figure_ratio(ours, figure);
        fprintf(file, ", \"knackdb_is_better_by\": [%.4g, %.4g, %.4g]", ratio.lowest, ratio.median, ratio.highest);
    }
    if (ours == figure && aim != NULL && bound > 0)
        fprintf(file, ", \"aim\": %.4g", bound);
    if (figure->latency != NULL && figure->latency->count > 0)
        fprintf(file,
                ",\n     \"timed\": %" PRIu64
                ", \"p50_ns\": %.0f, \"p99_ns\": %.0f, \"p999_ns\": %.0f, \"max_ns\": %" PRIu64,
                figure->latency->count, histogram_quantile_ns(figure->latency, 0.5),
                histogram_quantile_ns(figure->latency, 0.99), histogram_quantile_ns(figure->latency, 0.999),
                figure->latency->max_ns);
    fputc('}', file);
}

void
report_json(const struct report *report, FILE *file)
{
    const struct machine *machine = report->machine;

    fputs("{\n  \"machine\": {", file);
    put_pair(file, "processor", machine->processor);
    fprintf(file, ", \"cores\": %ld, \"memory_mib\": %ld, ", machine->core_count, machine->memory_mb);
    put_pair(file, "system", machine->system);
    fputs(", ", file);
    put_pair(file, "file_system", machine->file_system);
    fputs("},\n  \"build\": {", file);
    put_pair(file, "compiler", machine->compiler);
    fputs(", ", file);
    put_pair(file, "flags", machine->flags);
    fputs(", ", file);
    put_pair(file, "revision", report->revision);
    fputs("},\n  ", file);
    put_pair(file, "date", machine->date);
    fprintf(file, ",\n  \"seed\": %" PRIu64 ",\n  \"clock_ns\": %.1f,\n  \"stores\": [\n", report->seed,
            report->clock_ns);
    for (size_t i = 0; i < report->adapter_count; i++) {
        const struct adapter *adapter = report->adapters[i];
        fputs("    {", file);
        put_pair(file, "name", adapter->name);
        fputs(", ", file);
        put_pair(file, "version", adapter->version());
        fputs(", ", file);
        put_pair(file, "how", adapter->how);
        fprintf(file, ", \"is_kept\": %s", adapter->is_kept ? "true" : "false");
        fputs(i + 1 < report->adapter_count ? "},\n" : "}\n", file);
    }
    fputs("  ],\n  \"figures\": [\n", file);
    for (size_t i = 0; i < report->results->count; i++) {
        put_figure(file, report, &report->results->figures[i]);
        fputs(i + 1 < report->results->count ? ",\n" : "\n", file);
    }
    fputs("  ]\n}\n", file);
}
