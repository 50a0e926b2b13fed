/* moment.h - points of the log and of time, as people write them. Pure. */
#ifndef CLI_MOMENT_H
#define CLI_MOMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** SEQ or TIME of the command line. */
struct moment {
    bool    is_time;
    int64_t sequence;
    double  time; /**< Unix seconds */
};

/** What counts as which, for messages. */
#define MOMENT_FORMS "a sequence number, Unix seconds from 1e9 on, @SECONDS, or ISO 8601 as 2026-01-31T12:00:00Z"

/**
 * Reads a moment. Digits alone below 1,000,000,000 are a sequence number and from
 * there on Unix seconds, as is any number with a point or an exponent; `@` before a
 * number makes it seconds whatever its size, `seq:` a sequence number. Anything else is
 * ISO 8601: a date, or a date and a time, UTC unless it names its offset.
 */
bool moment_parse(const char *text, struct moment *ret_moment);

/** Room for any formatted time. */
#define MOMENT_CHARS_MAX 40

/** Writes a time as 2026-01-31T12:00:00.000000Z, with terminator; one outside the years 0 to 9999 as @SECONDS. */
void moment_format(double time, char out[MOMENT_CHARS_MAX]);

#endif
