/* paths.c - what a path may be, who may see the files, and who holds the lock. */
#include "tests/persist/bench.h"

#include "tests/api/scratch.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned
mode_of(const char *directory, const char *name)
{
    char        path[SCRATCH_PATH_MAX];
    struct stat about;

    scratch_join(path, directory, name);
    cr_assert_eq(stat(path, &about), 0, "%s", path);
    return about.st_mode & 07777u;
}

Test(paths, directory_and_files_are_for_their_owner_unless_told)
{
    struct keeper_options options = kept_options();
    char                  folder[SCRATCH_PATH_MAX];
    char                  path[SCRATCH_PATH_MAX];
    char                  name[64];
    struct kept           kept;

    (void) umask(022);
    scratch_make(folder);
    for (int round = 0; round < 2; round++) {
        unsigned file_mode = round == 0 ? 0600 : 0660;

        options.file_mode = round == 0 ? 0 : 0660;
        scratch_join(path, folder, round == 0 ? "own" : "shared");
        kept_must_open(&kept, path, 1, &options);
        bench_put(kept.store, 1);
        cr_assert_eq(keeper_snapshot(kept.keeper, NULL), KNACKDB_OK);
        bench_put(kept.store, 2);
        cr_assert_eq(mode_of(path, ""), round == 0 ? 0700 : 0770);
        cr_assert_eq(mode_of(path, "knackdb.lock"), file_mode);
        cr_assert_eq(names_count(path, "manifest-", name), 1);
        cr_assert_eq(mode_of(path, name), file_mode);
        cr_assert_eq(names_count(path, "part-", name), 1);
        cr_assert_eq(mode_of(path, name), file_mode);
        cr_assert_geq(names_count(path, "log-", name), 1);
        cr_assert_eq(mode_of(path, name), file_mode);
        kept_close(&kept);
    }
    scratch_remove(folder);
}

/* A directory that others may write in: what stands there under our name may be another file of ours. */
Test(paths, a_lock_that_is_another_file_too_keeps_its_mode)
{
    struct keeper_options options = kept_options();
    char                  folder[SCRATCH_PATH_MAX];
    char                  secret[SCRATCH_PATH_MAX];
    char                  path[SCRATCH_PATH_MAX];
    char                  lock[SCRATCH_PATH_MAX];
    struct kept           kept;
    int                   fd;

    options.file_mode = 0660;
    scratch_make(folder);
    scratch_join(secret, folder, "secret");
    scratch_join(path, folder, "store");
    scratch_join(lock, path, "knackdb.lock");
    fd = open(secret, O_WRONLY | O_CREAT, 0600);
    cr_assert_geq(fd, 0);
    (void) close(fd);
    cr_assert_eq(mkdir(path, 0770), 0);
    cr_assert_eq(link(secret, lock), 0);
    kept_must_open(&kept, path, 1, &options);
    bench_put(kept.store, 1);
    cr_assert_eq(mode_of(folder, "secret"), 0600);
    kept_close(&kept);
    scratch_remove(folder);
}

/* Root looks after what others' programs store: what it leaves there is theirs, a torn log's end included. */
Test(paths, what_root_adds_belongs_to_whom_the_directory_does)
{
    struct keeper_options options = kept_options();
    char                  folder[SCRATCH_PATH_MAX];
    char                  path[SCRATCH_PATH_MAX];
    char                  command[SCRATCH_PATH_MAX + 100];
    struct kept           kept;

    if (geteuid() != 0)
        cr_skip("only root gives files away\n");
    options.snapshots_kept = 2;
    options.log_history_bytes = UINT64_MAX;
    scratch_make(folder);
    scratch_join(path, folder, "theirs");
    cr_assert_eq(mkdir(path, 0700), 0);
    cr_assert_eq(chown(path, 65534, 65533), 0);
    for (int64_t life = 0; life < 3; life++) {
        kept_must_open(&kept, path, 1, &options);
        bench_put(kept.store, 2 * life + 1);
        cr_assert_eq(keeper_snapshot(kept.keeper, NULL), KNACKDB_OK);
        bench_put(kept.store, 2 * life + 2);
        kept_close(&kept);
        (void) snprintf(command, sizeof command, "truncate -s -1 \"$(ls -d '%s'/log-* | tail -n 1)\"", path);
        cr_assert_eq(system(command), 0);
    }
    (void) snprintf(command, sizeof command, "find '%s' -name 'torn-*' | grep -q .", path);
    cr_assert_eq(system(command), 0);
    (void) snprintf(command, sizeof command, "test -z \"$(find '%s' ! -uid 65534 -o ! -gid 65533)\"", path);
    cr_assert_eq(system(command), 0);
    scratch_remove(folder);
}

Test(paths, an_empty_file_is_replaced_and_no_other)
{
    struct keeper_options options = kept_options();
    char                  folder[SCRATCH_PATH_MAX];
    char                  path[SCRATCH_PATH_MAX];
    struct kept           kept;
    char                  sqlite[100] = "SQLite format 3";

    scratch_make(folder);
    scratch_join(path, folder, "file");
    bytes_write(folder, "file", "", 0);
    options.no_create = true;
    cr_assert_eq(kept_open(&kept, path, 1, &options), KNACKDB_NOT_FOUND);
    options.no_create = false;
    options.read_only = true;
    cr_assert_eq(kept_open(&kept, path, 1, &options), KNACKDB_NOT_FOUND);
    cr_assert_eq(names_count(folder, "file", NULL), 1);
    kept_must_open(&kept, path, 1, NULL);
    kept_close(&kept);
    cr_assert_eq(mode_of(folder, "file"), 0700);

    scratch_join(path, folder, "sqlite");
    bytes_write(folder, "sqlite", sqlite, sizeof sqlite);
    cr_assert_eq(kept_open(&kept, path, 1, NULL), KNACKDB_INVALID);
    cr_assert_not_null(strstr(kept.error.message, "knackdb import"), "%s", kept.error.message);

    scratch_join(path, folder, "text");
    bytes_write(folder, "text", "hello", 5);
    cr_assert_eq(kept_open(&kept, path, 1, NULL), KNACKDB_INVALID);
    cr_assert_not_null(strstr(kept.error.message, path), "%s", kept.error.message);

    scratch_join(path, folder, "pipe");
    cr_assert_eq(mkfifo(path, 0600), 0);
    cr_assert_eq(kept_open(&kept, path, 1, NULL), KNACKDB_INVALID, "%s", kept.error.message);

    scratch_join(path, folder, "not/there/yet");
    cr_assert_eq(kept_open(&kept, path, 1, NULL), KNACKDB_IO);
    scratch_remove(folder);
}

Test(paths, other_peoples_files_stay_as_they_are)
{
    char        path[SCRATCH_PATH_MAX];
    struct kept kept;

    scratch_make(path);
    bytes_write(path, "letter.txt", "dear", 4);
    bytes_write(path, "log-12.knl", "not ours: too few digits", 24);
    bytes_write(path, "part-000000000000000A.knp", "not ours: a capital", 19);
    kept_must_open(&kept, path, 1, NULL);
    bench_put_many(kept.store, 1, 100);
    cr_assert_eq(keeper_snapshot(kept.keeper, NULL), KNACKDB_OK);
    kept_close(&kept);
    kept_must_open(&kept, path, 1, NULL);
    kept_close(&kept);
    cr_assert_eq(names_count(path, "letter.txt", NULL), 1);
    cr_assert_eq(names_count(path, "log-12.knl", NULL), 1);
    cr_assert_eq(names_count(path, "part-000000000000000A.knp", NULL), 1);
    scratch_remove(path);
}

Test(paths, what_is_not_to_be_made_is_not_made)
{
    struct keeper_options options = kept_options();
    char                  path[SCRATCH_PATH_MAX];
    struct kept           kept;

    scratch_make(path);
    options.no_create = true;
    cr_assert_eq(kept_open(&kept, path, 1, &options), KNACKDB_NOT_FOUND);
    options.read_only = true;
    cr_assert_eq(kept_open(&kept, path, 1, &options), KNACKDB_NOT_FOUND);
    cr_assert_eq(names_count(path, "", NULL), 2, "only . and .. are there");
    scratch_remove(path);
}

/* ---- the lock ---- */

static void
assert_busy(const char *path, pid_t holder)
{
    struct kept kept;
    char        text[40];

    (void) snprintf(text, sizeof text, "process %d ", (int) holder);
    cr_assert_eq(kept_open(&kept, path, 1, NULL), KNACKDB_BUSY);
    cr_assert_not_null(strstr(kept.error.message, text), "%s", kept.error.message);
}

Test(lock, keeps_a_second_writer_of_the_same_process_out)
{
    char        path[SCRATCH_PATH_MAX];
    char        other[SCRATCH_PATH_MAX];
    struct kept kept;

    scratch_make(path);
    scratch_join(other, path, "."); /* the same directory under another path */
    kept_must_open(&kept, path, 1, NULL);
    assert_busy(path, getpid());
    assert_busy(other, getpid());
    bench_put(kept.store, 1); /* and the first one was not harmed by it */
    kept_close(&kept);
    kept_must_open(&kept, path, 1, NULL);
    cr_assert_eq(store_sequence(kept.store), 1);
    kept_close(&kept);
    scratch_remove(path);
}

/* In a child of a test nothing of Criterion's may be called: it would speak to the runner in the test's name. */
static knackdb_status
child_open(const char *path, knackdb_error *error)
{
    struct keeper_options options = kept_options();
    struct allocator      allocator;
    struct store         *store = NULL;
    struct keeper        *keeper = NULL;
    knackdb_status        status;

    allocator_init(&allocator, NULL);
    status = store_new(&allocator, bench_schema(1), &store, error);
    return status == KNACKDB_OK ? keeper_open(&allocator, path, &options, store, &keeper, error) : status;
}

static bool
child_is_refused(const char *path, pid_t holder)
{
    knackdb_error error = { 0 };
    char          text[40];

    (void) snprintf(text, sizeof text, "process %d ", (int) holder);
    return child_open(path, &error) == KNACKDB_BUSY && strstr(error.message, text) != NULL;
}

/* Opens, stores 50 rows, says so, and waits to be killed. */
static _Noreturn void
child_writes(const char *path, int said)
{
    struct keeper_options options = kept_options();
    struct allocator      allocator;
    struct store         *store = NULL;
    struct keeper        *keeper = NULL;
    bool                  works;

    (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
    allocator_init(&allocator, NULL);
    works = store_new(&allocator, bench_schema(1), &store, NULL) == KNACKDB_OK &&
            keeper_open(&allocator, path, &options, store, &keeper, NULL) == KNACKDB_OK;
    for (int64_t id = 1; id <= 50 && works; id++) {
        knackdb_value value = knackdb_value_integer(id);

        works = store_put_rows(store, 0, &value, 1, 1, 0, NULL, NULL, NULL) == KNACKDB_OK;
    }
    if (!works || write(said, "x", 1) != 1)
        _exit(1);
    for (;;)
        (void) pause();
}

static pid_t
start_writer(const char *path)
{
    int   ends[2];
    char  byte;
    pid_t child;

    (void) bench_schema(1); /* built before the fork */
    cr_assert_eq(pipe(ends), 0);
    child = fork();
    if (child == 0)
        child_writes(path, ends[1]);
    (void) close(ends[1]);
    cr_assert_eq(read(ends[0], &byte, 1), 1);
    (void) close(ends[0]);
    return child;
}

Test(lock, names_the_process_that_holds_it_and_dies_with_it)
{
    char        path[SCRATCH_PATH_MAX];
    struct kept kept;
    pid_t       child;

    scratch_make(path);
    child = start_writer(path);
    assert_busy(path, child);
    cr_assert_eq(kill(child, SIGKILL), 0);
    cr_assert_eq(waitpid(child, NULL, 0), child);
    kept_must_open(&kept, path, 1, NULL);
    cr_assert_eq(store_sequence(kept.store), 50, "every commit of the killed process is there");
    kept_close(&kept);
    scratch_remove(path);
}

/* A POSIX lock alone would be gone as soon as the host closes the lock file, as it does when it copies the
 * directory. The holder's name may be lost then; the lock must not. */
Test(lock, survives_a_host_that_reads_all_its_files)
{
    char        path[SCRATCH_PATH_MAX];
    struct kept kept;
    pid_t       child;
    int         state = 0;

    scratch_make(path);
    kept_must_open(&kept, path, 1, NULL);
    (void) directory_digest(path, true);
    child = fork();
    if (child == 0)
        _exit(child_open(path, NULL) == KNACKDB_BUSY ? 0 : 1);
    cr_assert_eq(waitpid(child, &state, 0), child);
    cr_assert_eq(state, 0);
    kept_close(&kept);
    scratch_remove(path);
}

Test(lock, is_not_inherited_by_a_fork_nor_lost_by_it)
{
    char        path[SCRATCH_PATH_MAX];
    struct kept kept;
    pid_t       parent = getpid();
    pid_t       child;
    uint64_t    digest;
    int         state = 0;

    scratch_make(path);
    kept_must_open(&kept, path, 1, NULL);
    bench_put_many(kept.store, 1, 20);
    cr_assert_eq(keeper_sync(kept.keeper, NULL), KNACKDB_OK);
    digest = directory_digest(path, false);
    child = fork();
    if (child == 0) {
        bool before = child_is_refused(path, parent);

        keeper_abandon(kept.keeper);
        store_free(kept.store);
        /* Still, though the child has closed its descriptors. */
        _exit(before && child_is_refused(path, parent) ? 0 : 1);
    }
    cr_assert_eq(waitpid(child, &state, 0), child);
    cr_assert_eq(state, 0, "the child got in, or did not learn whom it would have disturbed");
    cr_assert_eq(directory_digest(path, false), digest, "the child touched no file");
    bench_put_many(kept.store, 21, 40);
    kept_close(&kept);
    kept_must_open(&kept, path, 1, NULL);
    cr_assert_eq(store_sequence(kept.store), 40);
    kept_close(&kept);
    scratch_remove(path);
}
