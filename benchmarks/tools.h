/* tools.h - import and dump, whole commands timed: `knackdb` beside the sqlite3 shell. */
#ifndef BENCHMARKS_TOOLS_H
#define BENCHMARKS_TOOLS_H

#include "results.h"
#include "workload.h"

/**
 * Times both commands on the same generated CSV file and checks what they wrote.
 *
 * @param knackdb_tool  path of the `knackdb` command.
 * @param parent        directory to work in.
 * @return false where a command is missing; nothing is measured then.
 */
bool tools_measure(const char *knackdb_tool, const struct workload *workload, uint64_t rows, unsigned rounds,
                   const char *parent, struct results *results);

#endif
