/* bench.c - knackdb and what a user could have picked instead, doing the same work.
 *
 *     bench [--quick] [--sizes N,N] [--rounds N] [--stores NAME,NAME] [--output FOLDER]
 *           [--tool PATH] [--directory FOLDER] [--seed N] [--revision TEXT]
 *
 * For each size: every store is filled with the same rows; then, in rounds, every
 * work is done by every store in turn, so that a machine that slows down slows all
 * of them. Small sizes start each round from fresh stores, so that a store of ten
 * thousand rows has ten thousand rows in every round; a large one goes on with the
 * same stores, which grow by a few percent. Afterwards: disk used, opening again,
 * opening new, memory in a process of its own, import and dump with the tools.
 *
 * All stores are checked against the workload and against each other at each step.
 * The exit status is 0 when all agreed, 1 when not: never because something was slow. */
#include "clock.h"
#include "directory.h"
#include "failure.h"
#include "footprint.h"
#include "report.h"
#include "station.h"
#include "tools.h"
#include "works.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define STORES_MAX       16
#define SIZES_MAX        8
#define FRESH_ROWS_MAX   50000 /* up to here each round begins with fresh stores */
#define NEW_DIRECTORIES  10    /* opened in a round */
#define CHECKED_SAMPLES  2000

static const struct adapter *const known_adapters[] = { &adapter_knackdb, &adapter_bare, &adapter_sqlite };
#define KNOWN_COUNT (sizeof known_adapters / sizeof known_adapters[0])

struct plan {
    const struct adapter *adapters[STORES_MAX];
    size_t                adapter_count;
    uint64_t              sizes[SIZES_MAX];
    size_t                size_count;
    unsigned              rounds; /* 0: by size */
    uint64_t              seed;
    struct effort         effort;
    uint64_t              tool_rows;
    const char           *tool;
    const char           *output;
    const char           *parent;
    const char           *revision;
};

static char work_directory[512]; /* removed at exit, however the program ends */

static void
remove_work_directory(void)
{
    if (work_directory[0] != '\0')
        directory_remove(work_directory);
}

/* ---- one size ---------------------------------------------------------------- */

static void
stations_fill(const struct plan *plan, const struct workload *workload, struct station *stations, uint64_t rows)
{
    for (size_t i = 0; i < plan->adapter_count; i++) {
        station_init(&stations[i], plan->adapters[i], work_directory);
        station_open(&stations[i]);
        station_load_patterns(&stations[i], workload, rows);
        station_load_metrics(&stations[i], workload, rows);
        station_check_rows(&stations[i], workload, CHECKED_SAMPLES);
    }
}

/* Opening is done when the first row has been read. */
static void
note_id(void *context, const struct pattern_row *row)
{
    int64_t *id = context;
    *id = row->id;
}

static void
measure_open(struct station *station, const struct workload *workload, uint64_t rows, struct results *results)
{
    int64_t  last = (int64_t) station->patterns, id = 0;
    uint64_t start = clock_ns();

    station_open(station);
    if (!station->adapter->pattern_read(station->store, last, note_id, &id) || id != last)
        fail("%s: row %" PRId64 " is gone after opening again", station->adapter->name, last);
    figure_add_round(results_figure(results, "open, existing", station->adapter->name, rows, "ms"),
                     (double) (clock_ns() - start) / 1e6);
    station_check_rows(station, workload, CHECKED_SAMPLES);
}

/* Disk after everything has its lasting form, and opening what an earlier close left. */
static void
measure_lasting(struct station *station, const struct workload *workload, uint64_t rows, unsigned opens,
                struct results *results)
{
    const struct adapter *adapter = station->adapter;
    uint64_t              start = clock_ns();

    if (!adapter->is_kept)
        return;
    adapter->settle(station->store);
    figure_add_round(results_figure(results, "snapshot, checkpoint", adapter->name, rows, "ms"),
                     (double) (clock_ns() - start) / 1e6);
    station_close(station);
    figure_add_round(results_figure(results, "disk after it", adapter->name, rows, "MB"),
                     (double) directory_bytes(station->directory) / 1e6);
    for (unsigned i = 0; i < opens; i++) {
        measure_open(station, workload, rows, results);
        station_close(station);
    }
}

static void
measure_new_directories(const struct adapter *adapter, uint64_t rows, struct results *results)
{
    struct figure *figure = results_figure(results, "open, new directory", adapter->name, rows, "ms");

    for (int i = 0; i < NEW_DIRECTORIES; i++) {
        struct station station;
        uint64_t       start;

        station_init(&station, adapter, work_directory);
        start = clock_ns();
        station_open(&station);
        figure_add_round(figure, (double) (clock_ns() - start) / 1e6);
        station_clear(&station);
    }
}

static void
measure_memory(const struct plan *plan, const struct adapter *adapter, uint64_t rows, struct results *results)
{
    struct footprint found = footprint_measure(adapter, plan->seed, rows, work_directory);

    figure_add_round(results_figure(results, "memory", adapter->name, rows, "MB"), found.resident_mb);
    figure_add_round(results_figure(results, "memory, not file-backed", adapter->name, rows, "MB"),
                     found.anonymous_mb);
}

static void
measure_size(const struct plan *plan, const struct workload *workload, uint64_t rows, struct results *results)
{
    bool           is_fresh_each_round = rows <= FRESH_ROWS_MAX;
    unsigned       rounds = plan->rounds != 0 ? plan->rounds : is_fresh_each_round ? 5 : 3;
    struct station stations[STORES_MAX];
    struct effort  effort = plan->effort;

    /* Or it would no longer be a store of that size. */
    if (effort.store_ops > rows)
        effort.store_ops = rows;
    if (effort.batch_ops > rows / 100 + 1)
        effort.batch_ops = rows / 100 + 1;
    for (unsigned round = 0; round < rounds; round++) {
        bool is_last = round + 1 == rounds;

        fprintf(stderr, "benchmark: %" PRIu64 " rows, round %u of %u\n", rows, round + 1, rounds);
        if (round == 0 || is_fresh_each_round)
            stations_fill(plan, workload, stations, rows);
        works_run_round(workload, stations, plan->adapter_count, rows, round, &effort, results);
        for (size_t i = 0; i < plan->adapter_count; i++)
            station_check_rows(&stations[i], workload, CHECKED_SAMPLES);
        for (size_t i = 0; i < plan->adapter_count && (is_last || is_fresh_each_round); i++) {
            if (is_last)
                measure_lasting(&stations[i], workload, rows, rounds, results);
            station_clear(&stations[i]);
        }
    }
    for (size_t i = 0; i < plan->adapter_count; i++) {
        if (plan->adapters[i]->is_kept && is_fresh_each_round)
            measure_new_directories(plan->adapters[i], rows, results);
        for (unsigned round = 0; round < (is_fresh_each_round ? rounds : 1); round++)
            measure_memory(plan, plan->adapters[i], rows, results);
    }
}

/* ---- what was asked for -------------------------------------------------------- */

/* A call that makes no sense is not a benchmark that failed: exit status 2. */
static void __attribute__((noreturn, format(printf, 1, 2)))
refuse(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fputs("benchmark: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(2);
}

static const struct adapter *
adapter_named(const char *name, size_t length)
{
    for (size_t i = 0; i < KNOWN_COUNT; i++)
        if (strlen(known_adapters[i]->name) == length && strncmp(known_adapters[i]->name, name, length) == 0)
            return known_adapters[i];
    refuse("--stores: %.*s: there is no such store", (int) length, name);
}

static uint64_t
number(const char *option, const char *text, char **end)
{
    uint64_t value;

    errno = 0;
    value = strtoull(text, end, 10);
    if (errno != 0 || *end == text || (**end != '\0' && **end != ',') || value == 0)
        refuse("%s: %s is not a number above 0", option, text);
    return value;
}

static void
plan_set_sizes(struct plan *plan, const char *text)
{
    for (plan->size_count = 0; *text != '\0';) {
        char *end;
        if (plan->size_count == SIZES_MAX)
            refuse("--sizes: at most %d", SIZES_MAX);
        plan->sizes[plan->size_count++] = number("--sizes", text, &end);
        text = *end == ',' ? end + 1 : end;
    }
}

static void
plan_set_stores(struct plan *plan, const char *text)
{
    for (plan->adapter_count = 0; *text != '\0';) {
        size_t length = strcspn(text, ",");
        if (plan->adapter_count == STORES_MAX)
            refuse("--stores: at most %d", STORES_MAX);
        plan->adapters[plan->adapter_count++] = adapter_named(text, length);
        text += text[length] == ',' ? length + 1 : length;
    }
}

static void
usage(FILE *file)
{
    fputs("usage: bench [OPTION...]\n"
          "  --quick             under a minute: 10,000 and 100,000 rows, fewer rounds\n"
          "  --sizes N[,N...]    rows (10000,1000000)\n"
          "  --stores A[,A...]   knackdb, bare, sqlite (all)\n"
          "  --rounds N          of every work (5; 3 for large sizes)\n"
          "  --output FOLDER     write results.json and results.txt there\n"
          "  --tool PATH         the knackdb command, for import and dump (../cli/knackdb beside this program)\n"
          "  --directory FOLDER  work below it (TMPDIR, or /tmp)\n"
          "  --seed N            of the workload (1)\n"
          "  --revision TEXT     of the source, recorded with the result\n",
          file);
}

/* The command as the build leaves it: in cli/, beside the folder of this program. */
static const char *
default_tool(void)
{
    static char path[4096];
    ssize_t     length = readlink("/proc/self/exe", path, sizeof path - 32);
    char       *slash;

    if (length < 0)
        fail("/proc/self/exe: %s", strerror(errno));
    path[length] = '\0';
    slash = strrchr(path, '/');
    snprintf(slash, sizeof path - (size_t) (slash - path), "/../cli/knackdb");
    return path;
}

static void
plan_from_arguments(struct plan *plan, int argc, char **argv)
{
    static const struct option options[] = {
        { "quick", no_argument, NULL, 'q' },           { "sizes", required_argument, NULL, 's' },
        { "stores", required_argument, NULL, 'a' },    { "rounds", required_argument, NULL, 'r' },
        { "output", required_argument, NULL, 'o' },    { "tool", required_argument, NULL, 't' },
        { "directory", required_argument, NULL, 'd' }, { "seed", required_argument, NULL, 'e' },
        { "revision", required_argument, NULL, 'v' },  { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    const char *temporary = getenv("TMPDIR");
    char       *end;

    memset(plan, 0, sizeof *plan);
    plan_set_sizes(plan, "10000,1000000");
    memcpy(plan->adapters, known_adapters, sizeof known_adapters);
    plan->adapter_count = KNOWN_COUNT;
    plan->seed = 1;
    plan->effort = (struct effort) { .read_budget_ns = 400 * 1000000ull, .store_ops = 20000, .batch_ops = 100 };
    plan->tool_rows = 1000000;
    plan->tool = default_tool();
    plan->parent = temporary != NULL && temporary[0] != '\0' ? temporary : "/tmp";
    plan->revision = "";
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        switch (option) {
        case 'q':
            plan_set_sizes(plan, "10000,100000");
            plan->rounds = 2;
            plan->effort = (struct effort) { .read_budget_ns = 100 * 1000000ull, .store_ops = 5000, .batch_ops = 40 };
            plan->tool_rows = 100000;
            break;
        case 's': plan_set_sizes(plan, optarg); plan->tool_rows = plan->sizes[plan->size_count - 1]; break;
        case 'a': plan_set_stores(plan, optarg); break;
        case 'r':
            plan->rounds = (unsigned) number("--rounds", optarg, &end);
            if (plan->rounds > ROUNDS_MAX)
                refuse("--rounds: at most %d", ROUNDS_MAX);
            break;
        case 'o': plan->output = optarg; break;
        case 't': plan->tool = optarg; break;
        case 'd': plan->parent = optarg; break;
        case 'e': plan->seed = number("--seed", optarg, &end); break;
        case 'v': plan->revision = optarg; break;
        case 'h': usage(stdout); exit(0);
        default: usage(stderr); exit(2);
        }
    }
    if (optind != argc) {
        usage(stderr);
        exit(2);
    }
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

int
main(int argc, char **argv)
{
    struct plan      plan;
    struct results   results = { NULL, 0, 0 };
    struct workload *workload;
    struct machine   machine;
    uint64_t         start = clock_ns();

    if (argc == 6 && strcmp(argv[1], "--footprint-child") == 0) {
        footprint_child(adapter_named(argv[2], strlen(argv[2])), strtoull(argv[3], NULL, 10),
                        strtoull(argv[4], NULL, 10), argv[5]);
        return 0;
    }
    plan_from_arguments(&plan, argc, argv);
    directory_make(work_directory, sizeof work_directory, plan.parent, "knackdb-bench");
    atexit(remove_work_directory);
    machine_describe(&machine, work_directory);
    workload = workload_new(plan.seed);

    for (size_t i = 0; i < plan.size_count; i++)
        measure_size(&plan, workload, plan.sizes[i], &results);
    fprintf(stderr, "benchmark: import and dump of %" PRIu64 " rows\n", plan.tool_rows);
    tools_measure(plan.tool, workload, plan.tool_rows, plan.rounds != 0 ? plan.rounds : 3, work_directory, &results);

    struct report report = {
        .machine = &machine,
        .results = &results,
        .adapters = plan.adapters,
        .adapter_count = plan.adapter_count,
        .seed = plan.seed,
        .clock_ns = clock_cost_ns(),
        .revision = plan.revision,
    };
    report_table(&report, stdout);
    printf("\nAll stores agreed on every answer. %.0f seconds.\n", (double) (clock_ns() - start) / 1e9);
    if (plan.output != NULL) {
        write_report(&report, plan.output, "results.txt", report_table);
        write_report(&report, plan.output, "results.json", report_json);
        printf("Written: %s/results.txt and results.json\n", plan.output);
    }
    results_clear(&results);
    workload_free(workload);
    return 0;
}
