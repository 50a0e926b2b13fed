#include "plan.h"

#include "directory.h"
#include "failure.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TOOL_ROWS_MAX 1000000 /* for import and dump, whole commands */

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
    const char           *why_not;
    const struct adapter *adapter = roster_named(name, length, &why_not);

    if (adapter == NULL)
        refuse("--stores: %.*s: %s", (int) length, name, why_not);
    return adapter;
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
    for (plan->roster.count = 0; *text != '\0';) {
        size_t length = strcspn(text, ",");
        if (plan->roster.count == STORES_MAX)
            refuse("--stores: at most %d", STORES_MAX);
        plan->roster.adapters[plan->roster.count++] = adapter_named(text, length);
        text += text[length] == ',' ? length + 1 : length;
    }
}

static void
usage(FILE *file)
{
    fputs("usage: bench [OPTION...]\n"
          "  --quick             under a minute: 10,000 and 100,000 rows, fewer rounds\n"
          "  --sizes N[,N...]    rows (10000,1000000); --rows is the same\n"
          "  --stores A[,A...]   knackdb, bare, lmdb, lmdb-nosync, rocksdb, redis, sqlite,\n"
          "                      sqlite-off, sqlite-memory (all that are there)\n"
          "  --works A[,A...]    those whose name holds a word: W4, YCSB, W1 (W10 and W11, too), import\n"
          "  --rounds N          of every work (5; 3 for large sizes)\n"
          "  --output FOLDER     write results.json, results.txt and plot.svg there\n"
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

void
plan_from_arguments(struct plan *plan, int argc, char **argv)
{
    static const struct option options[] = {
        { "quick", no_argument, NULL, 'q' },
        { "sizes", required_argument, NULL, 's' },
        { "rows", required_argument, NULL, 's' },
        { "stores", required_argument, NULL, 'a' },
        { "works", required_argument, NULL, 'w' },
        { "rounds", required_argument, NULL, 'r' },
        { "output", required_argument, NULL, 'o' },
        { "tool", required_argument, NULL, 't' },
        { "directory", required_argument, NULL, 'd' },
        { "seed", required_argument, NULL, 'e' },
        { "revision", required_argument, NULL, 'v' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    const char *words = NULL;
    bool        is_quick = false;
    char       *end;

    memset(plan, 0, sizeof *plan);
    plan->seed = 1;
    plan->tool = default_tool();
    plan->parent = directory_of_temporaries();
    plan->revision = "";
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        switch (option) {
        case 'q': is_quick = true; break;
        case 's': plan_set_sizes(plan, optarg); break;
        case 'w': words = optarg; break;
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
    plan->effort = is_quick ? (struct effort) { .budget_ns = 10 * 1000000ull, .change_ops = 2000 }
                            : (struct effort) { .budget_ns = 100 * 1000000ull, .change_ops = 20000 };
    plan->effort.words = words;
    if (!effort_is_known(&plan->effort))
        refuse("--works: %s: there is no work for each of these words", words);
    if (plan->size_count == 0)
        plan_set_sizes(plan, is_quick ? "10000,100000" : "10000,1000000");
    if (plan->rounds == 0 && is_quick)
        plan->rounds = 2;
    plan->tool_rows = plan->sizes[plan->size_count - 1];
    if (plan->tool_rows > TOOL_ROWS_MAX)
        plan->tool_rows = TOOL_ROWS_MAX;
    if (plan->roster.count == 0)
        roster_all(&plan->roster);
}
