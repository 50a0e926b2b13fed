/* failure.h - how the benchmark stops when it cannot go on or found a wrong answer. */
#ifndef BENCHMARKS_FAILURE_H
#define BENCHMARKS_FAILURE_H

/** Prints one line, "benchmark: ..." on stderr and exits with status 1. */
void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif
