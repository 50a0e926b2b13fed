/* progress.h - a line that says how far long work has come, on a terminal only. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdint.h>

/** Begins, for a command of that name; nothing is shown in the first half second, nor where standard error is no
 *  terminal. */
void progress_begin(const char *doing);

/** Goes on with the next part of the work, counted from here: "checked". */
void progress_turn_to(const char *doing);

/** So many bytes of files are to be read for this part. */
void progress_expect(uint64_t bytes);

/** So many rows are done of this part. Costs a store to memory. */
void progress_tell(uint64_t rows);

/** Removes the line, as somebody is about to write on the terminal; it comes again. */
void progress_hide(void);

/** Removes the line for good. */
void progress_end(void);

/** Nanoseconds of the monotonic clock. */
uint64_t monotonic_ns(void);

#endif
