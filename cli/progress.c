/* progress.c - a line that says how far long work has come, on a terminal only. */
#include "progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define FIRST_AFTER_NS UINT64_C(500000000)
#define AGAIN_AFTER_NS UINT64_C(200000000)

uint64_t
monotonic_ns(void)
{
    struct timespec now;

    (void) clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000000000 + (uint64_t) now.tv_nsec;
}

void
progress_begin(struct progress *progress, const char *doing)
{
    progress->doing = isatty(STDERR_FILENO) ? doing : NULL;
    progress->next_ns = monotonic_ns() + FIRST_AFTER_NS;
    progress->is_shown = false;
}

void
progress_tell(struct progress *progress, uint64_t rows)
{
    uint64_t now;

    if (progress->doing == NULL)
        return;
    now = monotonic_ns();
    if (now < progress->next_ns)
        return;
    progress->next_ns = now + AGAIN_AFTER_NS;
    progress->is_shown = true;
    (void) fprintf(stderr, "\r%s %llu rows\033[K", progress->doing, (unsigned long long) rows);
}

void
progress_end(struct progress *progress)
{
    if (progress->is_shown)
        (void) fprintf(stderr, "\r\033[K");
    progress->is_shown = false;
}
