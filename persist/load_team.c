/* load_team.c - see load_team.h. */
#define _GNU_SOURCE /* sched_getaffinity */
#include "persist/load_team.h"

#include "base/error.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

#define THREADS_MAX 8 /* beyond these they would wait for each other where texts enter dictionaries */

/* A thread costs as much as reading some hundred kilobytes. */
#define BYTES_WORTH_THREADS ((uint64_t) 512 * 1024)

struct work {
    const struct load_team *team;
    _Atomic size_t          next;   /* job to be taken */
    pthread_mutex_t         mutex;  /* of what follows */
    _Atomic size_t          failed; /* the first job that has; job_count: none. Others may look before they take one */
    knackdb_status          status;
    knackdb_error           error;
};

static void
note_failure(struct work *work, size_t job, knackdb_status status, const knackdb_error *error)
{
    (void) pthread_mutex_lock(&work->mutex);
    if (job < atomic_load(&work->failed)) {
        work->status = status;
        work->error = *error;
        atomic_store(&work->failed, job);
    }
    (void) pthread_mutex_unlock(&work->mutex);
}

static void
do_jobs(struct work *work, void *tool)
{
    const struct load_team *team = work->team;

    for (;;) {
        size_t         job = atomic_fetch_add(&work->next, 1);
        knackdb_error  error = { .message = "" };
        knackdb_status status;

        if (job >= atomic_load(&work->failed)) /* there are no more, or they are for nothing */
            return;
        status = team->run(team->context, tool, job, &error);
        if (status != KNACKDB_OK)
            note_failure(work, job, status, &error);
    }
}

/* False without memory; then nothing is done. */
static bool
take_part(struct work *work)
{
    const struct load_team *team = work->team;
    void                   *tool = NULL;

    if (team->tool_new != NULL) {
        tool = team->tool_new(team->context);
        if (tool == NULL)
            return false;
    }
    do_jobs(work, tool);
    if (tool != NULL)
        team->tool_free(tool);
    return true;
}

static void *
help(void *context)
{
    (void) take_part(context);
    return NULL;
}

static size_t
count_helpers(const struct load_team *team)
{
    cpu_set_t cores;
    size_t    threads;

    if (team->bytes < BYTES_WORTH_THREADS || sched_getaffinity(0, sizeof cores, &cores) != 0)
        return 0;
    threads = (size_t) CPU_COUNT(&cores);
    if (threads > team->job_count)
        threads = team->job_count;
    if (threads > THREADS_MAX)
        threads = THREADS_MAX;
    return threads > 1 ? threads - 1 : 0;
}

/* Starts helpers while it can; how many there are. The host's signals are for the host's threads. */
static size_t
start_helpers(struct work *work, pthread_t helpers[THREADS_MAX], size_t wanted)
{
    sigset_t all, before;
    size_t   count = 0;

    (void) sigfillset(&all);
    (void) pthread_sigmask(SIG_BLOCK, &all, &before);
    while (count < wanted && pthread_create(&helpers[count], NULL, help, work) == 0)
        count++;
    (void) pthread_sigmask(SIG_SETMASK, &before, NULL);
    return count;
}

knackdb_status
load_team_run(const struct load_team *team, knackdb_error *error)
{
    struct work work = { .team = team, .status = KNACKDB_OK };
    pthread_t   helpers[THREADS_MAX];
    size_t      helper_count;
    bool        has_memory;

    if (team->job_count == 0)
        return KNACKDB_OK;
    (void) pthread_mutex_init(&work.mutex, NULL);
    atomic_init(&work.next, 0);
    atomic_init(&work.failed, team->job_count);
    helper_count = start_helpers(&work, helpers, count_helpers(team));
    has_memory = take_part(&work);
    for (size_t i = 0; i < helper_count; i++)
        (void) pthread_join(helpers[i], NULL);
    (void) pthread_mutex_destroy(&work.mutex);
    if (work.status == KNACKDB_OK && !has_memory && atomic_load(&work.next) < team->job_count)
        return error_no_memory(error, "loading a snapshot"); /* nobody else did it, either */
    if (work.status != KNACKDB_OK && error != NULL)
        *error = work.error;
    return work.status;
}
