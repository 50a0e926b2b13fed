/* scratch.h - directories for one test, made new and removed whole. */
#ifndef TESTS_API_SCRATCH_H
#define TESTS_API_SCRATCH_H

#include <stddef.h>

#define SCRATCH_PATH_MAX 4096

/* A new empty directory under TMPDIR, or /tmp. Ends the test program when the
 * system refuses. */
void scratch_make(char path[SCRATCH_PATH_MAX]);

/* Makes later directories where no disk is waited for, if the system has such a place: for tests of hundreds of
 * directories, to which the disk is nothing. */
void scratch_prefer_memory(void);

/* Removes the directory and all in it. A path that is not there is no error. */
void scratch_remove(const char *path);

/* Copies a directory and its files (not deeper directories' owners or times) to a
 * path that does not exist yet. Ends the test program when it cannot. */
void scratch_copy(const char *from, const char *to);

/* Writes DIRECTORY/NAME into `path`. */
void scratch_join(char path[SCRATCH_PATH_MAX], const char *directory, const char *name);

#endif
