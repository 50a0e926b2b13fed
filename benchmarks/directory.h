/* directory.h - the directories a benchmark works in: made, measured, removed. */
#ifndef BENCHMARKS_DIRECTORY_H
#define BENCHMARKS_DIRECTORY_H

#include <stddef.h>
#include <stdint.h>

/** Where temporary directories go: $TMPDIR, or /tmp. */
const char *directory_of_temporaries(void);

/** Makes a new directory PARENT/NAME.XXXXXX and writes its path to `path`. */
void directory_make(char *path, size_t path_bytes, const char *parent, const char *name);

/** Removes a directory with all that is in it; one that is absent is no error. */
void directory_remove(const char *path);

/** Has a directory removed once this program has ended, however it does: killed, too. To be called before there are
 *  threads. */
void directory_remove_afterwards(const char *path);

/** Bytes on disk of all files below, in whole blocks as the file system counts them. */
uint64_t directory_bytes(const char *path);

#endif
