/* full_disk.c - a real disk runs full, is freed, and the store is whole again by itself.
 *
 * Small file systems of our own, mounted where nobody else sees them: a tmpfs, and an ext4 in a file where
 * we are root and have its tools. Half of each is taken by a ballast file. Rows are stored until the disk is
 * full, and then more; the ballast goes; nobody does anything, and then every row is on stable storage: held
 * against what was stored, by a reader beside the writer, and again after closing and opening anew. Each with a mapped
 * and a written log, and once with stores refused while the disk is full.
 *
 * Where mounting is not permitted this is skipped; tests/persist/healing.c then has to do, whose disk only says
 * that it is full. */
#define _GNU_SOURCE
#include "../api/scratch.h"
#include "../race/claims.h"
#include "own_mounts.h"

#include <knackdb.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DISK_BYTES    ((off_t) 48 * 1024 * 1024)
#define BALLAST_BYTES ((off_t) 32 * 1024 * 1024)
#define ROWS_MAX      40000 /* the disk is full long before */
#define ROWS_MORE     300   /* after that */
#define TEXT_BYTES    1500
#define PATIENCE_US   ((int64_t) 120 * 1000000) /* reached only where healing does not happen */

enum {
    FULL_IS_SAID,
    MEMORY_GOES_ON,
    REFUSED_CHANGES_NOTHING,
    SYNC_DOES_NOT_LIE,
    READERS_OPEN,
    HEALS,
    READER_FINDS_ALL,
    REOPENED_HOLDS_ALL,
    VERIFIES,
    CLAIMS
};

static struct claim claims[CLAIMS] = {
    [FULL_IS_SAID] = { .text = "a full disk is degraded, and the reason says so in the system's words" },
    [MEMORY_GOES_ON] = { .text = "stores and reads go on in memory while the disk is full" },
    [REFUSED_CHANGES_NOTHING] = { .text = "where stores are refused instead, a refused one changes nothing" },
    [SYNC_DOES_NOT_LIE] = { .text = "a sync says no while the disk is full, and yes once all is on it" },
    [READERS_OPEN] = { .text = "what was safe before is there for who opens the directory while the disk is full" },
    [HEALS] = { .text = "once there is room the store is whole again by itself" },
    [READER_FINDS_ALL] = { .text =
                               "a row, read from the healed directory beside the writer, is the one that was stored" },
    [REOPENED_HOLDS_ALL] = { .text = "a row, read after closing and opening anew, is the one that was stored" },
    [VERIFIES] = { .text = "every byte of the healed directory passes" },
};

/* ---- disks ---- */

static bool
mount_tmpfs(const char *path)
{
    char size[64];

    (void) snprintf(size, sizeof size, "size=%jd", (intmax_t) DISK_BYTES);
    return mount("none", path, "tmpfs", 0, size) == 0;
}

static bool
run(const char *const given[], size_t count)
{
    char *arguments[10] = { NULL };
    pid_t child = fork();
    int   status = -1;

    (void) memcpy(arguments, given, count * sizeof *given);

    if (child == 0) {
        int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);

        (void) dup2(nowhere, 1);
        (void) dup2(nowhere, 2);
        (void) execvp(arguments[0], arguments);
        _exit(127);
    }
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static bool
mount_ext4(const char *path)
{
    char        image[SCRATCH_PATH_MAX + 8];
    const char *make[] = { "mkfs.ext4", "-q", "-F", "-m", "0", image };
    const char *attach[] = { "mount", "-o", "loop", image, path };
    int         fd;
    bool        made;

    (void) snprintf(image, sizeof image, "%s.image", path);
    fd = open(image, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    made = ftruncate(fd, DISK_BYTES) == 0;
    (void) close(fd);
    made = made && run(make, 6) && run(attach, 5);
    (void) unlink(image); /* the mount, if there is one, holds it */
    return made;
}

/* ---- rows ---- */

/* Text that does not compress well, made from the row's number. */
static void
fill(char text[TEXT_BYTES], uint64_t number)
{
    uint64_t state = number * 0x9e3779b97f4a7c15u + 1;

    for (size_t i = 0; i < TEXT_BYTES; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        text[i] = (char) (' ' + (state >> 33) % 95);
    }
}

static knackdb_status
store(knackdb *db, int64_t number, knackdb_error *error)
{
    char           text[TEXT_BYTES];
    knackdb_metric metric = knackdb_metric_default();

    fill(text, (uint64_t) number);
    metric.id = number;
    metric.component_name = knackdb_string("disk");
    metric.metric_name = knackdb_string("row");
    metric.metric_value = (double) number;
    metric.metadata = (knackdb_text) { text, sizeof text };
    return knackdb_metric_store(db, &metric, NULL, error);
}

/* Are rows 1 to `last` there as they were stored, but for `refused`, and none besides? */
static void
compare(knackdb *db, int claim, int64_t last, const bool *refused)
{
    knackdb_read *read;
    knackdb_error error = { 0 };
    int64_t       stored = 0;
    knackdb_stats stats = { .struct_size = sizeof stats };
    char          text[TEXT_BYTES];

    if (!claim_check(&claims[claim], knackdb_read_begin(db, &read, &error) == KNACKDB_OK, "%s", error.message))
        return;
    for (int64_t number = 1; number <= last; number++) {
        knackdb_row    row;
        knackdb_metric metric;
        bool           found = knackdb_read_by_id(read, KNACKDB_PERFORMANCE_METRICS, number, &row) == KNACKDB_OK;

        claim_check(&claims[claim], found == !refused[number], "row %" PRId64 " is %s", number,
                    found ? "there, and was refused" : "missing");
        if (!found || refused[number])
            continue;
        stored++;
        fill(text, (uint64_t) number);
        knackdb_read_metric(read, row, &metric);
        claim_check(&claims[claim],
                    metric.metric_value == (double) number && metric.metadata.length == TEXT_BYTES &&
                        memcmp(metric.metadata.data, text, TEXT_BYTES) == 0,
                    "row %" PRId64 " is another", number);
    }
    knackdb_read_end(read);
    (void) knackdb_get_stats(db, &stats, NULL);
    claim_check(&claims[claim], stats.tables[KNACKDB_PERFORMANCE_METRICS].row_count == (uint64_t) stored,
                "%" PRIu64 " rows", stats.tables[KNACKDB_PERFORMANCE_METRICS].row_count);
}

/* ---- a life ---- */

struct trial {
    const char *disk;
    bool (*mount)(const char *path);
    knackdb_log_io     log_io;
    knackdb_durability durability;
    uint32_t           flags;
};

static knackdb_stats
ask(knackdb *db)
{
    knackdb_stats stats = { .struct_size = sizeof stats };

    (void) knackdb_get_stats(db, &stats, NULL);
    return stats;
}

static void
read_beside(const char *path, int claim, int64_t last, const bool *refused)
{
    knackdb_options options = knackdb_options_default();
    knackdb        *reader = NULL;
    knackdb_error   error = { 0 };

    options.flags = KNACKDB_OPEN_READ_ONLY;
    if (claim_check(&claims[claim], knackdb_open(path, &options, &reader, &error) == KNACKDB_OK, "%s", error.message) &&
        last > 0)
        compare(reader, claim, last, refused);
    (void) knackdb_close(reader, NULL);
}

static knackdb_state
state_when_full(const struct trial *trial)
{
    return (trial->flags & KNACKDB_OPEN_REFUSE_DEGRADED) != 0 ? KNACKDB_STATE_FAILED : KNACKDB_STATE_DEGRADED;
}

/* Stores until the disk is full, and then some. Returns the last row. */
static int64_t
fill_up(knackdb *db, const struct trial *trial, bool *refused)
{
    int64_t       number;
    int64_t       enough = ROWS_MAX;
    knackdb_error error;

    for (number = 1; number <= enough; number++) {
        knackdb_status status = store(db, number, &error);
        bool           may_refuse = (trial->flags & KNACKDB_OPEN_REFUSE_DEGRADED) != 0;

        /* Refused it was taken back; without that, in sync mode, it is in memory alone and says so. */
        refused[number] = status == KNACKDB_IO && may_refuse && strncmp(error.message, "refused", 7) == 0;
        claim_check(&claims[MEMORY_GOES_ON], status == KNACKDB_OK || (status == KNACKDB_IO && error.os_errno == ENOSPC),
                    "row %" PRId64 ": %s", number, error.message);
        if (enough == ROWS_MAX && ask(db).state == state_when_full(trial))
            enough = number + ROWS_MORE;
    }
    return number - 1;
}

static void
live(const char *path, const struct trial *trial, const char *ballast, bool *refused)
{
    knackdb_options       options = knackdb_options_default();
    knackdb_verify_report report;
    knackdb              *db = NULL;
    knackdb_error         error = { 0 };
    knackdb_stats         stats;
    int64_t               last;

    options.log_io = trial->log_io;
    options.durability = trial->durability;
    options.flags = trial->flags;
    options.log_segment_bytes_max = 2 * 1024 * 1024;
    options.snapshot_log_bytes = UINT64_MAX;
    options.flush_interval_ms = 1;
    if (!claim_check(&claims[FULL_IS_SAID], knackdb_open(path, &options, &db, &error) == KNACKDB_OK, "%s",
                     error.message))
        return;
    last = fill_up(db, trial, refused);
    stats = ask(db);
    claim_check(&claims[FULL_IS_SAID],
                stats.state == state_when_full(trial) && strstr(stats.reason, strerror(ENOSPC)) != NULL, "%d, %s",
                (int) stats.state, stats.reason);
    claim_check(&claims[SYNC_DOES_NOT_LIE],
                stats.durable_sequence == stats.sequence || knackdb_sync(db, NULL) == KNACKDB_IO,
                "ok at %" PRIu64 " of %" PRIu64, stats.durable_sequence, stats.sequence);
    compare(db, trial->flags != 0 ? REFUSED_CHANGES_NOTHING : MEMORY_GOES_ON, last, refused);
    read_beside(path, READERS_OPEN, 0, refused);

    (void) unlink(ballast);
    for (int64_t waited_us = 0; waited_us < PATIENCE_US && stats.state != KNACKDB_STATE_OK; waited_us += 5000) {
        (void) usleep(5000);
        stats = ask(db);
    }
    claim_check(&claims[HEALS], stats.state == KNACKDB_STATE_OK && stats.durable_sequence == stats.sequence,
                "%s, %" PRIu64 " of %" PRIu64, stats.reason, stats.durable_sequence, stats.sequence);
    claim_check(&claims[SYNC_DOES_NOT_LIE], knackdb_sync(db, &error) == KNACKDB_OK, "%s", error.message);
    read_beside(path, READER_FINDS_ALL, last, refused);

    for (int64_t more = last + 1; more <= last + ROWS_MORE; more++)
        claim_check(&claims[HEALS], store(db, more, &error) == KNACKDB_OK, "row %" PRId64 ": %s", more, error.message);
    last += ROWS_MORE;
    claim_check(&claims[SYNC_DOES_NOT_LIE], knackdb_close(db, &error) == KNACKDB_OK, "%s", error.message);
    db = NULL;
    if (claim_check(&claims[REOPENED_HOLDS_ALL], knackdb_open(path, &options, &db, &error) == KNACKDB_OK, "%s",
                    error.message))
        compare(db, REOPENED_HOLDS_ALL, last, refused);
    (void) knackdb_close(db, NULL);
    claim_check(&claims[VERIFIES], knackdb_verify(path, NULL, NULL, &report, &error) == KNACKDB_OK, "%s",
                error.message);
    printf("%s, log %s%s%s: full at row %" PRId64 "\n", trial->disk,
           trial->log_io == KNACKDB_LOG_MAP ? "mapped" : "written", trial->durability == KNACKDB_SYNC ? ", sync" : "",
           trial->flags != 0 ? ", refusing" : "", last - 2 * ROWS_MORE);
}

/* False where the disk cannot be had. */
static bool
try(const struct trial *trial)
{
    char  place[SCRATCH_PATH_MAX];
    char  path[SCRATCH_PATH_MAX];
    char  ballast[SCRATCH_PATH_MAX];
    bool *refused = calloc(ROWS_MAX + 2 * ROWS_MORE + 1, sizeof *refused);
    int   fd;

    scratch_make(place);
    if (refused == NULL || !trial->mount(place)) {
        printf("skipped: %s: it cannot be mounted here\n", trial->disk);
        scratch_remove(place);
        free(refused);
        return false;
    }
    scratch_join(path, place, "store");
    scratch_join(ballast, place, "ballast");
    fd = open(ballast, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (claim_check(&claims[FULL_IS_SAID], fd >= 0 && posix_fallocate(fd, 0, BALLAST_BYTES) == 0, "no ballast")) {
        (void) close(fd);
        live(path, trial, ballast, refused);
    }
    (void) umount2(place, MNT_DETACH);
    scratch_remove(place);
    free(refused);
    return true;
}

int
main(void)
{
    static const struct trial trials[] = {
        { "tmpfs", mount_tmpfs, KNACKDB_LOG_MAP, KNACKDB_ASYNC, 0 },
        { "tmpfs", mount_tmpfs, KNACKDB_LOG_WRITE, KNACKDB_ASYNC, 0 },
        { "tmpfs", mount_tmpfs, KNACKDB_LOG_MAP, KNACKDB_ASYNC, KNACKDB_OPEN_REFUSE_DEGRADED },
        { "tmpfs", mount_tmpfs, KNACKDB_LOG_WRITE, KNACKDB_SYNC, 0 },
        { "ext4", mount_ext4, KNACKDB_LOG_MAP, KNACKDB_ASYNC, 0 },
        { "ext4", mount_ext4, KNACKDB_LOG_WRITE, KNACKDB_ASYNC, 0 },
        { "ext4", mount_ext4, KNACKDB_LOG_WRITE, KNACKDB_ASYNC, KNACKDB_OPEN_REFUSE_DEGRADED },
    };
    size_t done = 0;

    (void) setvbuf(stdout, NULL, _IOLBF, 0);
    if (!own_mounts_begin()) {
        printf("no mounts are permitted here\n");
        return 77;
    }
    for (size_t i = 0; i < sizeof trials / sizeof trials[0]; i++)
        done += try(&trials[i]);
    if (done == 0) {
        printf("nothing could be mounted here\n");
        return 77;
    }
    return claims_report(claims, CLAIMS);
}
