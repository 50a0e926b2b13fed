/* csv.h - the workload as a CSV file, and back: what the command line tools are given
 * and what they must give back. */
#ifndef BENCHMARKS_CSV_H
#define BENCHMARKS_CSV_H

#include "workload.h"

#include <stdbool.h>

/** Writes rows 0..rows-1 with a header row, as RFC 4180 has it. */
void csv_write(const char *path, const struct workload *workload, uint64_t rows);

/**
 * Stops the program unless the file holds these rows, all of them, in order.
 *
 * @param writer     who wrote the file, for the message.
 * @param error_max  how far a REAL may be off, relatively: 0 demands the same
 *                   number, 1e-14 allows for a writer that prints 15 digits.
 */
void csv_check(const char *path, const char *writer, const struct workload *workload, uint64_t rows, double error_max);

#endif
