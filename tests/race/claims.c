/* claims.c - counts and prints what a race program claims; claims.h says why. */
#include "claims.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define FAILURES_PRINTED_MAX 5

bool
claim_check(struct claim *claim, bool holds, const char *format, ...)
{
    char    seen[400];
    va_list arguments;

    atomic_fetch_add_explicit(&claim->checks, 1, memory_order_relaxed);
    if (holds)
        return true;
    if (atomic_fetch_add_explicit(&claim->failures, 1, memory_order_relaxed) < FAILURES_PRINTED_MAX) {
        va_start(arguments, format);
        (void) vsnprintf(seen, sizeof seen, format, arguments);
        va_end(arguments);
        fprintf(stderr, "not so: %s: %s\n", claim->text, seen);
    }
    return false;
}

int
claims_report(struct claim *claims, size_t count)
{
    size_t passed = 0;

    for (size_t i = 0; i < count; i++) {
        uint64_t checks = atomic_load_explicit(&claims[i].checks, memory_order_relaxed);
        uint64_t failures = atomic_load_explicit(&claims[i].failures, memory_order_relaxed);
        bool     holds = checks > 0 && failures == 0;

        printf("%s %10" PRIu64 " checks, %" PRIu64 " failed: %s\n", holds ? "ok    " : "FAILED", checks, failures,
               claims[i].text);
        passed += holds;
    }
    printf("%zu passed, %zu failed\n", passed, count - passed);
    return passed == count ? 0 : 1;
}
