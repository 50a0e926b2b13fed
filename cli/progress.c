/* progress.c - a line that says how far long work has come, on a terminal only.
 *
 * Most long work is one call of the library, which comes back when all of it is done. So the line is written by a
 * thread of its own, and what it tells is what the kernel has counted for this process meanwhile: bytes that were
 * read, and bytes that were written. Commands that go from row to row tell how many, too.
 *
 * There is one terminal, so there is one line. What is printed on the terminal else takes it away first: complaints
 * hide it (complaint.c), and what a command prints on standard output ends it (output.c). While nothing moves nothing
 * is written, so that it does not scribble over a pager that keeps us waiting. */
#define _GNU_SOURCE /* pthread_condattr_setclock */
#include "progress.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define FIRST_AFTER_NS UINT64_C(500000000)
#define AGAIN_AFTER_NS UINT64_C(200000000)
#define LINE_BYTES     120
#define BYTES_TOLD_MIN 100000 /* less would be 0.0 MB */

/* What this process has read and written so far, whatever of it the system had in memory. */
struct moved {
    uint64_t read, written;
};

static struct {
    pthread_mutex_t  lock;
    pthread_cond_t   ended;
    pthread_t        thread;
    bool             is_running;       /* main thread's */
    bool             is_ended;         /* this and what follows is under the lock */
    char             line[LINE_BYTES]; /* on the terminal; "": none is */
    uint64_t         next_ns;          /* when to look again */
    const char      *doing;
    struct moved     before; /* this part of the work began */
    uint64_t         expected;
    _Atomic uint64_t rows; /* but this one: written by who works, read by the thread, in no order with anything */
} progress = { .lock = PTHREAD_MUTEX_INITIALIZER };

uint64_t
monotonic_ns(void)
{
    struct timespec now;

    (void) clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000000000 + (uint64_t) now.tv_nsec;
}

/* Zeros where the kernel does not count, or there is no /proc. */
static struct moved
look_at_moved(void)
{
    struct moved moved = { 0 };
    char         text[500];
    int          fd = open("/proc/self/io", O_RDONLY | O_CLOEXEC);
    ssize_t      length = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;

    if (fd >= 0)
        (void) close(fd);
    text[length > 0 ? length : 0] = '\0';
    if (sscanf(text, "rchar: %" SCNu64 "\nwchar: %" SCNu64, &moved.read, &moved.written) != 2)
        return (struct moved) { 0 };
    return moved;
}

/* A line that goes over the edge could not be taken away again. */
static void
fit(char line[static LINE_BYTES])
{
    struct winsize size;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_col <= LINE_BYTES)
        line[size.ws_col - 1] = '\0';
}

static void
describe(char line[static LINE_BYTES])
{
    struct moved now = look_at_moved();
    uint64_t     rows = atomic_load_explicit(&progress.rows, memory_order_relaxed);
    uint64_t     bytes_read = now.read - progress.before.read, bytes_written = now.written - progress.before.written;
    size_t       used = (size_t) snprintf(line, LINE_BYTES, "%s", progress.doing);
    const char  *comma = "";

    if (rows > 0) {
        used += (size_t) snprintf(line + used, LINE_BYTES - used, " %" PRIu64 " rows", rows);
        comma = ",";
    }
    if (bytes_read >= BYTES_TOLD_MIN || progress.expected > 0) {
        used += (size_t) snprintf(line + used, LINE_BYTES - used, "%s %.1f", comma, (double) bytes_read / 1e6);
        /* Heads of files may be read twice, and some may have grown. */
        if (progress.expected > 0)
            used += (size_t) snprintf(line + used, LINE_BYTES - used, " of %.1f",
                                      (double) (progress.expected > bytes_read ? progress.expected : bytes_read) / 1e6);
        used += (size_t) snprintf(line + used, LINE_BYTES - used, " MB read");
        comma = ",";
    }
    if (bytes_written >= BYTES_TOLD_MIN) {
        used += (size_t) snprintf(line + used, LINE_BYTES - used, "%s %.1f MB written", comma,
                                  (double) bytes_written / 1e6);
        comma = ",";
    }
    if (comma[0] == '\0')
        (void) snprintf(line + used, LINE_BYTES - used, " under way");
    fit(line);
}

/* Under the lock. There is nobody to tell when telling fails. */
static void
put(const char *line)
{
    char    text[LINE_BYTES + 10];
    int     length = snprintf(text, sizeof text, "\r%s\033[K", line);
    ssize_t written = write(STDERR_FILENO, text, (size_t) length);

    (void) written;
    (void) snprintf(progress.line, sizeof progress.line, "%s", line);
}

static void *
show(void *unused)
{
    (void) unused;
    (void) pthread_mutex_lock(&progress.lock);
    while (!progress.is_ended) {
        struct timespec until = { .tv_sec = (time_t) (progress.next_ns / 1000000000),
                                  .tv_nsec = (long) (progress.next_ns % 1000000000) };
        char            line[LINE_BYTES];

        if (monotonic_ns() < progress.next_ns) {
            (void) pthread_cond_timedwait(&progress.ended, &progress.lock, &until);
            continue;
        }
        progress.next_ns = monotonic_ns() + AGAIN_AFTER_NS;
        describe(line);
        if (strcmp(line, progress.line) != 0)
            put(line);
    }
    (void) pthread_mutex_unlock(&progress.lock);
    return NULL;
}

static void
begin_part(const char *doing)
{
    (void) pthread_mutex_lock(&progress.lock);
    progress.doing = doing;
    progress.before = look_at_moved();
    progress.expected = 0;
    atomic_store_explicit(&progress.rows, 0, memory_order_relaxed);
    (void) pthread_mutex_unlock(&progress.lock);
}

void
progress_begin(const char *doing)
{
    pthread_condattr_t steady;
    sigset_t           all, before;

    if (isatty(STDERR_FILENO) != 1)
        return;
    (void) pthread_condattr_init(&steady);
    (void) pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    (void) pthread_cond_init(&progress.ended, &steady);
    (void) pthread_condattr_destroy(&steady);
    begin_part(doing);
    progress.next_ns = monotonic_ns() + FIRST_AFTER_NS;
    /* Signals are for the thread that works: a handler may have to interrupt what it waits for. */
    (void) sigfillset(&all);
    (void) pthread_sigmask(SIG_SETMASK, &all, &before);
    progress.is_running = pthread_create(&progress.thread, NULL, show, NULL) == 0;
    (void) pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void
progress_turn_to(const char *doing)
{
    if (progress.is_running)
        begin_part(doing);
}

void
progress_expect(uint64_t bytes)
{
    (void) pthread_mutex_lock(&progress.lock);
    progress.expected = bytes;
    (void) pthread_mutex_unlock(&progress.lock);
}

void
progress_tell(uint64_t rows)
{
    atomic_store_explicit(&progress.rows, rows, memory_order_relaxed);
}

void
progress_hide(void)
{
    uint64_t soonest = monotonic_ns() + AGAIN_AFTER_NS;

    (void) pthread_mutex_lock(&progress.lock);
    if (progress.line[0] != '\0')
        put("");
    if (progress.next_ns < soonest)
        progress.next_ns = soonest;
    (void) pthread_mutex_unlock(&progress.lock);
}

void
progress_end(void)
{
    if (!progress.is_running)
        return;
    (void) pthread_mutex_lock(&progress.lock);
    progress.is_ended = true;
    (void) pthread_cond_signal(&progress.ended);
    (void) pthread_mutex_unlock(&progress.lock);
    (void) pthread_join(progress.thread, NULL);
    (void) pthread_cond_destroy(&progress.ended);
    progress.is_running = false;
    progress_hide();
}
