/* tools.c - the clock runs from starting a command to its end, so what is measured
 * is what someone at a prompt waits for: rows per second, start-up included.
 *
 * SQLite has its easiest case: a table with a primary key and no further index, in
 * WAL mode, and one transaction for the whole file, which is what `.import` does.
 * knackdb builds all of its indexes, as always. */
#include "tools.h"

#include "clock.h"
#include "csv.h"
#include "directory.h"
#include "failure.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SCHEMA                                                                                                   \
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; CREATE TABLE execution_patterns("                       \
    "id INTEGER PRIMARY KEY, task_type TEXT, pattern_used TEXT, execution_time REAL, success_rate REAL, "        \
    "confidence_score REAL, agent_count INTEGER, complexity_level TEXT, tools_used TEXT, context_factors TEXT, " \
    "created_at REAL, updated_at REAL, usage_count INTEGER);"

/* Runs a command with its standard output in a file; its exit status, or 127 where it cannot be started. */
static int
run_command(const char *const *words, const char *output)
{
    pid_t child = fork();
    int   status;

    if (child < 0)
        fail("fork: %s", strerror(errno));
    if (child == 0) {
        int   file = open(output, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        char *copies[16] = { NULL };

        for (size_t i = 0; words[i] != NULL && i < 15; i++)
            copies[i] = strdup(words[i]);
        if (file < 0 || dup2(file, STDOUT_FILENO) < 0)
            _exit(126);
        execvp(copies[0], copies);
        _exit(127);
    }
    if (waitpid(child, &status, 0) != child)
        fail("waitpid: %s", strerror(errno));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/* Runs a command that must succeed; how long it took, in seconds. */
static double
timed(const char *const *words, const char *output)
{
    uint64_t start = clock_ns();
    int      status = run_command(words, output);

    if (status != 0)
        fail("%s %s: exit status %d", words[0], words[1], status);
    return (double) (clock_ns() - start) / 1e9;
}

static void
measure_knackdb(const char *tool, const char *csv, const struct workload *workload, uint64_t rows, const char *folder,
                struct results *results)
{
    char directory[600], output[600];

    snprintf(directory, sizeof directory, "%s/imported.knack", folder);
    snprintf(output, sizeof output, "%s/knackdb.csv", folder);
    const char *import[] = { tool, "import", directory, "execution_patterns", csv, NULL };
    const char *dump[] = { tool, "dump", directory, "execution_patterns", NULL };

    figure_add_round(results_figure(results, "import", "knackdb", rows, "rows/s"),
                     (double) rows / timed(import, "/dev/null"));
    figure_add_round(results_figure(results, "dump", "knackdb", rows, "rows/s"), (double) rows / timed(dump, output));
    csv_check(output, "knackdb", workload, rows, 0);
    unlink(output);
    directory_remove(directory);
}

static void
measure_sqlite(const char *csv, const struct workload *workload, uint64_t rows, const char *folder,
               struct results *results)
{
    char database[600], output[600], command[700];

    snprintf(database, sizeof database, "%s/imported.db", folder);
    snprintf(output, sizeof output, "%s/sqlite.csv", folder);
    snprintf(command, sizeof command, ".import --csv --skip 1 '%s' execution_patterns", csv);
    const char *create[] = { "sqlite3", database, SCHEMA, NULL };
    const char *import[] = { "sqlite3", database, "PRAGMA synchronous=NORMAL;", command, NULL };
    const char *dump[] = { "sqlite3", database, ".mode csv", ".headers on", "SELECT * FROM execution_patterns;", NULL };

    timed(create, "/dev/null");
    figure_add_round(results_figure(results, "import", "sqlite", rows, "rows/s"),
                     (double) rows / timed(import, "/dev/null"));
    figure_add_round(results_figure(results, "dump", "sqlite", rows, "rows/s"), (double) rows / timed(dump, output));
    csv_check(output, "sqlite3", workload, rows, 1e-14); /* the shell prints 15 digits */
    unlink(output);
    for (const char *const *ending = (const char *const[]) { "", "-wal", "-shm", NULL }; *ending != NULL; ending++) {
        char path[700];
        snprintf(path, sizeof path, "%s%s", database, *ending);
        unlink(path);
    }
}

bool
tools_measure(const char *knackdb_tool, const struct workload *workload, uint64_t rows, unsigned rounds,
              const char *parent, struct results *results)
{
    const char *ask_knackdb[] = { knackdb_tool, "--version", NULL };
    const char *ask_sqlite[] = { "sqlite3", "--version", NULL };
    char        folder[512], csv[600];

    if (run_command(ask_knackdb, "/dev/null") != 0) {
        fprintf(stderr, "benchmark: import and dump are left out: no command %s\n", knackdb_tool);
        return false;
    }
    if (run_command(ask_sqlite, "/dev/null") != 0) {
        fprintf(stderr, "benchmark: import and dump are left out: no sqlite3 shell\n");
        return false;
    }
    directory_make(folder, sizeof folder, parent, "tools");
    snprintf(csv, sizeof csv, "%s/patterns.csv", folder);
    csv_write(csv, workload, rows);
    for (unsigned round = 0; round < rounds; round++) {
        if (round % 2 == 0)
            measure_knackdb(knackdb_tool, csv, workload, rows, folder, results);
        measure_sqlite(csv, workload, rows, folder, results);
        if (round % 2 == 1)
            measure_knackdb(knackdb_tool, csv, workload, rows, folder, results);
    }
    directory_remove(folder);
    return true;
}
