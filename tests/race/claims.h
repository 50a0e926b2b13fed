/* claims.h - what a race program sets out to show, counted.
 *
 * A race program states its claims in an array. Threads check them as often as
 * they like; at the end every claim is printed with the number of times it was
 * checked. One that failed once has failed, and so has one that nobody checked:
 * a race that never happened shows nothing. */
#ifndef TESTS_RACE_CLAIMS_H
#define TESTS_RACE_CLAIMS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct claim {
    const char      *text;
    _Atomic uint64_t checks;   /* any thread adds; read after all have joined */
    _Atomic uint64_t failures; /* likewise */
};

/* Counts one check. The first failures of each claim are printed with `format`,
 * which tells what was seen. Returns `holds`. */
bool claim_check(struct claim *claim, bool holds, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Prints every claim and, last and alone, "N passed, N failed". Returns the exit code. */
int claims_report(struct claim *claims, size_t count);

#endif
