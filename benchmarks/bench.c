/* bench.c - knackdb and what a user could have picked instead, doing the same work.
 *
 *     bench [--quick] [--sizes N,N] [--rounds N] [--stores NAME,NAME] [--works WORD,WORD]
 *           [--output FOLDER] [--tool PATH] [--directory FOLDER] [--seed N] [--revision TEXT]
 *
 * For each size: every store is filled with the same rows; then, in rounds, every
 * work is done by every store in turn, so that a machine that slows down slows all
 * of them. Afterwards: disk used, opening again, several threads, clean-up, opening
 * new, memory in a process of its own, import and dump with the tools.
 *
 * All stores are checked against the workload and against each other at each step.
 * The exit status is 0 when all agreed, 1 when not: never because something was slow. */
#include "clock.h"
#include "directory.h"
#include "failure.h"
#include "footprint.h"
#include "plan.h"
#include "plot.h"
#include "report.h"
#include "sizes.h"
#include "tools.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

static char work_directory[512]; /* removed at exit */

static void
remove_work_directory(void)
{
    if (work_directory[0] != '\0')
        directory_remove(work_directory);
}

static void
write_report(const struct report *report, const char *folder, const char *name,
             void (*write)(const struct report *report, FILE *file))
{
    char  path[4096];
    FILE *file;

    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        fail("%s: %s", folder, strerror(errno));
    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "w");
    if (file == NULL)
        fail("%s: %s", path, strerror(errno));
    write(report, file);
    if (fclose(file) != 0)
        fail("%s: %s", path, strerror(errno));
}

/* The process that measures memory: this program again, asked by itself. */
static int
be_footprint_child(char **argv)
{
    const char           *why_not;
    const struct adapter *adapter = roster_named(argv[2], strlen(argv[2]), &why_not);

    if (adapter == NULL)
        fail("%s: %s", argv[2], why_not);
    footprint_child(adapter, strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10), argv[5]);
    return 0;
}

int
main(int argc, char **argv)
{
    struct plan      plan;
    struct results   results = { NULL, 0, 0 };
    struct workload *workload;
    struct machine   machine;
    uint64_t         start = clock_ns();

    if (argc == 6 && strcmp(argv[1], "--footprint-child") == 0)
        return be_footprint_child(argv);
    plan_from_arguments(&plan, argc, argv);
    directory_make(work_directory, sizeof work_directory, plan.parent, "knackdb-bench");
    directory_remove_afterwards(work_directory);
    atexit(remove_work_directory);
    machine_describe(&machine, work_directory);
    workload = workload_new(plan.seed);

    for (size_t i = 0; i < plan.size_count; i++)
        size_measure(&plan, workload, plan.sizes[i], work_directory, &results);
    if (effort_wants(&plan.effort, "import, dump")) {
        fprintf(stderr, "benchmark: import and dump of %" PRIu64 " rows\n", plan.tool_rows);
        tools_measure(plan.tool, workload, plan.tool_rows, plan.rounds != 0 ? plan.rounds : 3, work_directory,
                      &results);
    }

    results_order(&results);
    struct report report = {
        .machine = &machine,
        .results = &results,
        .adapters = plan.roster.adapters,
        .adapter_count = plan.roster.count,
        .seed = plan.seed,
        .clock_ns = clock_cost_ns(),
        .revision = plan.revision,
    };
    report_summary(&report, stdout);
    printf("\nAll stores agreed on every answer. %.0f seconds.\n", (double) (clock_ns() - start) / 1e9);
    if (plan.output != NULL) {
        write_report(&report, plan.output, "results.txt", report_full);
        write_report(&report, plan.output, "results.json", report_json);
        write_report(&report, plan.output, "plot.svg", plot_svg);
        printf("Written: %s/results.txt, results.json and plot.svg\n", plan.output);
    }
    results_clear(&results);
    workload_free(workload);
    return 0;
}
