/* progress.h - a line that says how far long work has come, on a terminal only. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *doing;    /**< "checked"; NULL where standard error is no terminal */
    uint64_t    next_ns;  /**< when to print again */
    bool        is_shown; /**< a line stands on the terminal */
};

/** Begins; nothing is printed in the first half second. */
void progress_begin(struct progress *progress, const char *doing);

/** So many rows are done. Cheap enough to be called every few hundred rows. */
void progress_tell(struct progress *progress, uint64_t rows);

/** Removes the line. To be called before anything else is printed. */
void progress_end(struct progress *progress);

/** Nanoseconds of the monotonic clock. */
uint64_t monotonic_ns(void);

#endif
