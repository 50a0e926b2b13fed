/* footprint.c - resident memory of a store, and its files. Memory is from /proc/self/smaps_rollup.
 *
 * A heap that was used before gives no honest figure: freed memory is used again
 * without growing anything. So a fresh process does nothing but fill one store, row
 * by row (a thousand at a time once that takes too long: some stores wait for the disk at
 * each call), and looks at its own growth between "everything is ready" and "everything is
 * stored". A store whose rows are in another process (a server) has that process counted,
 * whole, beside it. The block that rows are made in is touched before the first look. */
#include "footprint.h"

#include "clock.h"
#include "directory.h"
#include "failure.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCK_ROWS 1000
#define SINGLES_NS (UINT64_C(1) * 1000000000) /* so long row by row, then a block at a time */

static struct footprint
look(pid_t process)
{
    struct footprint now = { 0, 0, 0 };
    char             path[64], line[256];
    double           kilobytes;
    FILE            *file;

    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int) process);
    file = fopen(path, "r");
    if (file == NULL)
        fail("%s: %s", path, strerror(errno));
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "Rss: %lf kB", &kilobytes) == 1)
            now.resident_mb = kilobytes * 1024 / 1e6;
        else if (sscanf(line, "Anonymous: %lf kB", &kilobytes) == 1)
            now.anonymous_mb = kilobytes * 1024 / 1e6;
    }
    fclose(file);
    return now;
}

void
footprint_child(const struct adapter *adapter, uint64_t seed, uint64_t rows, const char *directory)
{
    struct workload     *workload = workload_new(seed);
    struct pattern_block block;
    struct footprint     before, after;
    uint64_t             started;
    void                *store;

    pattern_block_init(&block, BLOCK_ROWS);
    workload_patterns(workload, 0, BLOCK_ROWS, &block);
    (void) look(getpid()); /* so that stdio has its buffers, too */
    before = look(getpid());

    store = adapter->open(directory);
    started = clock_ns();
    for (uint64_t first = 0; first < rows; first += BLOCK_ROWS) {
        size_t count = rows - first < BLOCK_ROWS ? (size_t) (rows - first) : BLOCK_ROWS;
        workload_patterns(workload, first, count, &block);
        if (clock_ns() - started > SINGLES_NS) {
            adapter->patterns_store(store, block.rows, count);
            continue;
        }
        for (size_t i = 0; i < count; i++)
            adapter->pattern_store(store, &block.rows[i]);
    }
    after = look(getpid());
    if (adapter->process != NULL) {
        struct footprint server = look(adapter->process(store));
        after.resident_mb += server.resident_mb;
        after.anonymous_mb += server.anonymous_mb;
    }
    if (adapter->settle != NULL)
        adapter->settle(store);
    adapter->close(store);
    if (adapter->is_kept)
        after.disk_mb = (double) directory_bytes(directory) / 1e6;

    printf("%.6f %.6f %.6f\n", after.resident_mb - before.resident_mb, after.anonymous_mb - before.anonymous_mb,
           after.disk_mb);
    pattern_block_clear(&block);
    workload_free(workload);
}

struct footprint
footprint_measure(const struct adapter *adapter, uint64_t seed, uint64_t rows, const char *parent)
{
    struct footprint found = { 0, 0, 0 };
    char             directory[512], seed_text[32], rows_text[32];
    int              ends[2], status;
    pid_t            child;
    FILE            *answer;

    directory_make(directory, sizeof directory, parent, "footprint");
    snprintf(seed_text, sizeof seed_text, "%" PRIu64, seed);
    snprintf(rows_text, sizeof rows_text, "%" PRIu64, rows);
    if (pipe(ends) != 0)
        fail("pipe: %s", strerror(errno));
    child = fork();
    if (child < 0)
        fail("fork: %s", strerror(errno));
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execl("/proc/self/exe", "benchmark", "--footprint-child", adapter->name, seed_text, rows_text, directory,
              (char *) NULL);
        _exit(127);
    }
    close(ends[1]);
    answer = fdopen(ends[0], "r");
    if (answer == NULL || fscanf(answer, "%lf %lf %lf", &found.resident_mb, &found.anonymous_mb, &found.disk_mb) != 3)
        fail("%s: the process that measures memory gave no answer", adapter->name);
    fclose(answer);
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail("%s: the process that measures memory failed", adapter->name);
    directory_remove(directory);
    return found;
}
